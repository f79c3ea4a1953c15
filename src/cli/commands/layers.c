/* glia layers [NAME]: the layers that a .net file may name, from the table of layers. */
#include "cli/cli.h"
#include "cli/table.h"
#include "nn/layer.h"

/* What a value may be: "1 to 1000000", "RxC or one number", "relu, tanh, ...". */
static void values_text(gi_str *out, const gi_field *f) {
  static const char *const kinds[] = {
      [GI_FIELD_I64] = "whole number",
      [GI_FIELD_F64] = "number",
      [GI_FIELD_BOOL] = "flag",
      [GI_FIELD_PAIR] = "RxC or one number",
      [GI_FIELD_LIST] = "rising whole numbers",
  };
  if (f->choices != NULL) {
    for (int i = 0; f->choices[i] != NULL; i++)
      gi_str_printf(out, i > 0 ? ", %s" : "%s", f->choices[i]);
    return;
  }
  gi_str_puts(out, kinds[f->kind]);
  if (f->min != f->max) gi_str_printf(out, ", %g to %.10g", f->min, f->max);
}

/* "conv2d FILTERS KERNEL [ACTIVATION] [stride=RxC] [same]" */
static void usage_text(gi_str *out, const gi_layer *layer) {
  gi_str_puts(out, layer->name);
  for (const gi_field *f = layer->fields; f != NULL && f->name != NULL; f++) {
    gi_str_puts(out, f->required ? " " : " [");
    if (f->positional)
      for (const char *s = f->name; *s != '\0'; s++)
        gi_str_add(out, (const char[]){(char)(*s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s)},
                   1);
    else
      gi_str_printf(out, f->kind == GI_FIELD_BOOL ? "%s" : "%s=...", f->name);
    if (!f->required) gi_str_puts(out, "]");
  }
}

static gi_json *layer_json(const gi_layer *layer) {
  gi_json *j = gi_json_object(), *fields = gi_json_array();
  gi_str usage = {0};
  usage_text(&usage, layer);
  gi_json_set_str(j, "name", layer->name);
  gi_json_set_str(j, "doc", layer->doc);
  gi_json_set_str(j, "usage", usage.s);
  for (const gi_field *f = layer->fields; f != NULL && f->name != NULL; f++) {
    gi_json *one = gi_json_object();
    gi_str values = {0};
    values_text(&values, f);
    gi_json_set_str(one, "name", f->name);
    gi_json_set_str(one, "values", values.s);
    gi_json_set_bool(one, "positional", f->positional);
    gi_json_set_bool(one, "required", f->required);
    gi_json_set_str(one, "default", f->dflt);
    gi_json_set_str(one, "doc", f->doc);
    gi_json_add(fields, one);
    gi_str_free(&values);
  }
  gi_json_set(j, "options", fields);
  gi_str_free(&usage);
  return j;
}

static void layer_text(gi_str *out, const gi_layer *layer) {
  gi_str_printf(out, "%s: %s\n\nin a .net file: ", layer->name, layer->doc);
  usage_text(out, layer);
  gi_str_puts(out, "\n");
  if (layer->fields == NULL) return;
  gi_table table;
  gi_table_begin(&table, "<option|<default|<meaning|<values");
  for (const gi_field *f = layer->fields; f->name != NULL; f++) {
    gi_str values = {0};
    values_text(&values, f);
    gi_table_cell(&table, "%s", f->name);
    gi_table_cell(&table, "%s", f->required ? "(required)" : f->dflt != NULL ? f->dflt : "-");
    gi_table_cell(&table, "%s", f->doc);
    gi_table_cell(&table, "%s", values.s != NULL ? values.s : "");
    gi_str_free(&values);
  }
  gi_str_puts(out, "\n");
  gi_table_print(&table, out);
  gi_table_free(&table);
}

static void layer_markdown(gi_str *out, const gi_layer *layer) {
  gi_str usage = {0};
  usage_text(&usage, layer);
  gi_str_printf(out, "\n## %s\n\n", layer->name);
  gi_markdown(out, layer->doc);
  gi_str_printf(out, "\n\n    %s\n", usage.s != NULL ? usage.s : "");
  gi_str_free(&usage);
  if (layer->fields == NULL) return;
  gi_str_puts(out, "\n| option | default | meaning | values |\n|---|---|---|---|\n");
  for (const gi_field *f = layer->fields; f->name != NULL; f++) {
    gi_str values = {0};
    values_text(&values, f);
    gi_str_printf(out, "| `%s` | %s | ", f->name,
                  f->required       ? "required"
                  : f->dflt != NULL ? f->dflt
                                    : "");
    gi_markdown(out, f->doc);
    gi_str_puts(out, " | ");
    gi_markdown(out, values.s != NULL ? values.s : "");
    gi_str_puts(out, " |\n");
    gi_str_free(&values);
  }
}

static glia_status unknown(const char *name) {
  const char *names[256];
  int n = 0;
  for (; n < GI_COUNT(names) && gi_layer_at(n) != NULL; n++) names[n] = gi_layer_at(n)->name;
  const int near = gi_nearest(name, names, n);
  if (near < 0)
    return gi_fail(GLIA_INVALID, "there is no layer '%s'; 'glia layers' lists them", name);
  return gi_fail(GLIA_INVALID, "there is no layer '%s'; did you mean '%s'?", name, names[near]);
}

static glia_status run(gi_cli *c) {
  const char *name = gi_cli_argument(c, "NAME");
  gi_str text = {0};
  if (name != NULL) {
    const gi_layer *layer = gi_layer_find(name);
    if (layer == NULL) return unknown(name);
    if (c->json) return gi_cli_print_json(layer_json(layer));
    layer_text(&text, layer);
    return gi_cli_print_text(&text);
  }
  const gi_layer *layer;
  if (c->json) {
    gi_json *list = gi_json_array();
    for (int i = 0; (layer = gi_layer_at(i)) != NULL; i++) gi_json_add(list, layer_json(layer));
    return gi_cli_print_json(list);
  }
  if (gi_cli_flag(c, "markdown")) {
    for (int i = 0; (layer = gi_layer_at(i)) != NULL; i++) layer_markdown(&text, layer);
    return gi_cli_print_text(&text);
  }
  gi_table table;
  gi_table_begin(&table, "<layer|<meaning");
  for (int i = 0; (layer = gi_layer_at(i)) != NULL; i++) {
    gi_table_cell(&table, "%s", layer->name);
    gi_table_cell(&table, "%s", layer->doc);
  }
  gi_table_print(&table, &text);
  gi_table_free(&table);
  return gi_cli_print_text(&text);
}

static const gi_argument arguments[] = {
    {.name = "NAME", .kind = GI_OPTION_TEXT, .optional = true, .help = "one layer; none: all"},
    {0},
};

static const gi_option options[] = {
    {.name = "markdown", .help = "all layers with their options, in Markdown"},
    {0},
};

static const gi_command layers = {
    .name = "layers",
    .group = GI_GROUP_LOOK,
    .summary = "list the layers of .net files, or tell about one",
    .help =
        "A .net file has one layer a line: its name, values in their order, then key=value "
        "options. This lists the layers; with a NAME, its options, defaults and limits.",
    .example = "glia layers\nglia layers conv2d",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_layers[] = {&layers, NULL};
