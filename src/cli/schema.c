/* schema.c - the options of a schema for readers: cli/schema.h. */
#include "cli/schema.h"

#include "cli/table.h"

static const gi_field *first(const gi_field *fields) {
  return fields != NULL && fields->name != NULL ? fields : NULL;
}

/* What a value may be: "1 to 1000000", "RxC or one number", "relu, tanh, ...". */
static void values_text(gi_str *out, const gi_field *f) {
  static const char *const kinds[] = {
      [GI_FIELD_I64] = "whole number",
      [GI_FIELD_F64] = "number",
      [GI_FIELD_BOOL] = "flag",
      [GI_FIELD_PAIR] = "RxC or one number",
      [GI_FIELD_LIST] = "rising whole numbers",
      [GI_FIELD_TEXT] = "a word",
  };
  if (f->choices != NULL) {
    for (int i = 0; f->choices[i] != NULL; i++)
      gi_str_printf(out, i > 0 ? ", %s" : "%s", f->choices[i]);
    return;
  }
  gi_str_puts(out, kinds[f->kind]);
  if (f->min != f->max) gi_str_printf(out, ", %g to %.10g", f->min, f->max);
  if (f->nan) gi_str_puts(out, ", or nan");
}

static const char *default_text(const gi_field *f, const char *required, const char *none) {
  return f->required ? required : f->dflt != NULL ? f->dflt : none;
}

void gi_schema_text(gi_str *out, const gi_field *fields) {
  gi_table table;
  if (first(fields) == NULL) return;
  gi_table_begin(&table, "<option|<default|<meaning|<values");
  for (const gi_field *f = fields; f->name != NULL; f++) {
    gi_str values = {0};
    values_text(&values, f);
    gi_table_cell(&table, "%s", f->name);
    gi_table_cell(&table, "%s", default_text(f, "(required)", "-"));
    gi_table_cell(&table, "%s", f->doc != NULL ? f->doc : "");
    gi_table_cell(&table, "%s", values.s != NULL ? values.s : "");
    gi_str_free(&values);
  }
  gi_str_puts(out, "\n");
  gi_table_print(&table, out);
  gi_table_free(&table);
}

void gi_schema_markdown(gi_str *out, const gi_field *fields) {
  if (first(fields) == NULL) return;
  gi_str_puts(out, "\n| option | default | meaning | values |\n|---|---|---|---|\n");
  for (const gi_field *f = fields; f->name != NULL; f++) {
    gi_str values = {0};
    values_text(&values, f);
    gi_str_printf(out, "| `%s` | %s | ", f->name, default_text(f, "required", ""));
    gi_markdown(out, f->doc != NULL ? f->doc : "");
    gi_str_puts(out, " | ");
    gi_markdown(out, values.s != NULL ? values.s : "");
    gi_str_puts(out, " |\n");
    gi_str_free(&values);
  }
}

gi_json *gi_schema_json(const gi_field *fields) {
  gi_json *list = gi_json_array();
  for (const gi_field *f = first(fields); f != NULL && f->name != NULL; f++) {
    gi_json *one = gi_json_object();
    gi_str values = {0};
    values_text(&values, f);
    gi_json_set_str(one, "name", f->name);
    gi_json_set_str(one, "values", values.s);
    gi_json_set_bool(one, "positional", f->positional);
    gi_json_set_bool(one, "required", f->required);
    gi_json_set_str(one, "default", f->dflt);
    gi_json_set_str(one, "doc", f->doc);
    gi_json_add(list, one);
    gi_str_free(&values);
  }
  return list;
}
