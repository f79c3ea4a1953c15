/* glia layers [NAME]: the layers that a .net file may name, from the table of layers. */
#include "cli/cli.h"
#include "cli/schema.h"
#include "cli/table.h"
#include "nn/layer.h"

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
  gi_json *j = gi_json_object();
  gi_str usage = {0};
  usage_text(&usage, layer);
  gi_json_set_str(j, "name", layer->name);
  gi_json_set_str(j, "doc", layer->doc);
  gi_json_set_str(j, "usage", usage.s);
  gi_json_set(j, "options", gi_schema_json(layer->fields));
  gi_str_free(&usage);
  return j;
}

static void layer_text(gi_str *out, const gi_layer *layer) {
  gi_str_printf(out, "%s: %s\n\nin a .net file: ", layer->name, layer->doc);
  usage_text(out, layer);
  gi_str_puts(out, "\n");
  gi_schema_text(out, layer->fields);
}

static void layer_markdown(gi_str *out, const gi_layer *layer) {
  gi_str usage = {0};
  usage_text(&usage, layer);
  gi_str_printf(out, "\n## %s\n\n", layer->name);
  gi_markdown(out, layer->doc);
  gi_str_printf(out, "\n\n    %s\n", usage.s != NULL ? usage.s : "");
  gi_str_free(&usage);
  gi_schema_markdown(out, layer->fields);
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
