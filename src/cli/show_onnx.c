/* show_onnx.c - an ONNX model as a page: who wrote it, what goes in and comes out, operators,
 * what is not known here, parameters, and what a run costs where open axes are 1. */
#include "cli/show_onnx.h"

#include <inttypes.h>

#include "cli/table.h"
#include "formats/onnx/survey.h"
#include "glia/onnx.h"
#include "glia/run.h"

static void shape_of(const gi_onnx_info *info, char *out, size_t room) {
  size_t n = 0;
  if (info->rank < 0) {
    snprintf(out, room, "[...]");
    return;
  }
  n += (size_t)snprintf(out, room, "[");
  for (int i = 0; i < info->rank && n < room; i++) {
    const char *comma = i > 0 ? ", " : "";
    if (info->symbol[i] != NULL)
      n += (size_t)snprintf(out + n, room - n, "%s%.40s", comma, info->symbol[i]);
    else if (info->dim[i] < 0)
      n += (size_t)snprintf(out + n, room - n, "%s?", comma);
    else
      n += (size_t)snprintf(out + n, room - n, "%s%" PRId64, comma, info->dim[i]);
  }
  if (n < room) snprintf(out + n, room - n, "]");
}

static void show_ports(const char *title, const gi_onnx_info *info, int n, gi_str *text,
                       gi_json *json) {
  gi_json *list = json != NULL ? gi_json_array() : NULL;
  for (int i = 0; i < n; i++) {
    char shape[400];
    shape_of(&info[i], shape, sizeof shape);
    gi_str_printf(text, "  %s %s: %s %s\n", title, info[i].name,
                  gi_onnx_type_name(info[i].type), shape);
    gi_json *one = json != NULL ? gi_json_object() : NULL;
    gi_json_set_str(one, "name", info[i].name);
    gi_json_set_str(one, "type", gi_onnx_type_name(info[i].type));
    gi_json_set_str(one, "shape", shape);
    gi_json_add(list, one);
  }
  gi_json_set(json, strcmp(title, "input") == 0 ? "inputs" : "outputs", list);
}

static void show_head(const gi_onnx_model *m, gi_str *text, gi_json *json) {
  gi_json *opsets = json != NULL ? gi_json_object() : NULL;
  if (m->producer[0] != '\0')
    gi_str_printf(text, "  made by %s %s\n", m->producer, m->producer_version);
  gi_str_printf(text, "  IR %" PRId64 ", opset", m->ir);
  for (int i = 0; i < m->n_opset; i++) {
    const char *domain = m->opset[i].domain[0] != '\0' ? m->opset[i].domain : "ai.onnx";
    gi_str_printf(text, "%s %s %" PRId64, i > 0 ? "," : "", domain, m->opset[i].version);
    gi_json_set_int(opsets, domain, m->opset[i].version);
  }
  gi_str_puts(text, "\n");
  gi_json_set_str(json, "producer", m->producer);
  gi_json_set(json, "opsets", opsets);
  gi_json *metadata = json != NULL ? gi_json_object() : NULL;
  for (int i = 0; i < m->n_metadata; i++) {
    const char *value = m->metadata[2 * i + 1];
    const int n = (int)GI_MIN(strcspn(value, "\n"), 100);
    gi_str_printf(text, "  %s: %.*s%s\n", m->metadata[2 * i], n, value,
                  value[n] != '\0' ? "..." : "");
    gi_json_set_str(metadata, m->metadata[2 * i], value);
  }
  gi_json_set(json, "metadata", metadata);
}

static void show_operators(const gi_onnx_survey *s, gi_str *text, gi_json *json) {
  gi_json *list = json != NULL ? gi_json_array() : NULL;
  gi_table t;
  gi_table_begin(&t, "<operator|nodes|<not supported");
  for (size_t i = 0; i < s->uses.n; i++) {
    const gi_onnx_use *u = &s->uses.at[i];
    gi_table_cell(&t, "%s%s%s", u->domain, u->domain[0] != '\0' ? ":" : "", u->op);
    gi_table_cell(&t, "%d", u->count);
    if (u->why != NULL)
      gi_table_cell(&t, "node '%s': %s", u->where, u->why);
    else
      gi_table_cell(&t, "%s", "");
    gi_json *one = json != NULL ? gi_json_object() : NULL;
    gi_json_set_str(one, "operator", u->op);
    gi_json_set_str(one, "domain", u->domain);
    gi_json_set_int(one, "nodes", u->count);
    if (u->why != NULL) {
      gi_json_set_str(one, "unsupported", u->why);
      gi_json_set_str(one, "node", u->where);
    }
    gi_json_add(list, one);
  }
  gi_table_print(&t, text);
  gi_table_free(&t);
  gi_json_set(json, "operators", list);
  gi_json_set_int(json, "nodes", s->nodes);
  gi_json_set_int(json, "unsupported", s->unsupported);
  gi_json_set_int(json, "parameters", s->parameters);
  gi_str_printf(text, "%d nodes, %s parameters", s->nodes, gi_table_count(s->parameters));
  if (s->unsupported > 0)
    gi_str_printf(text, "; %d nodes are not supported: the model cannot be run here",
                  s->unsupported);
  gi_str_puts(text, "\n");
}

/* What one run costs, every open axis being 1; says why where that cannot be told. */
static void show_cost(const char *path, gi_str *text, gi_json *json) {
  glia_onnx *m = NULL;
  glia_onnx_cost cost = {0};
  glia_status s = glia_onnx_open(path, &m, .threads = 1);
  if (s == GLIA_OK) s = glia_onnx_measure(m, &cost);
  if (s == GLIA_OK) {
    gi_str_printf(text, "%s multiply-adds, %s of working memory a run (open axes taken as 1)\n",
                  gi_table_count((int64_t)(cost.flops / 2)), gi_table_bytes(cost.bytes));
    gi_json_set_num(json, "flops", cost.flops);
    gi_json_set_num(json, "bytes", cost.bytes);
  } else {
    gi_str_printf(text, "its cost cannot be told: %s\n", glia_error_message());
    gi_json_set_str(json, "cost", glia_error_message());
  }
  glia_onnx_close(m);
}

glia_status gi_show_onnx(const char *path, gi_str *text, gi_json *json) {
  gi_onnx_model *m = NULL;
  GI_TRY(gi_onnx_open(path, &m));
  gi_onnx_survey survey = {0};
  const glia_status s = gi_onnx_look(m, &survey);
  if (s == GLIA_OK) {
    show_head(m, text, json);
    show_ports("input", m->graph.in, m->graph.n_in, text, json);
    show_ports("output", m->graph.out, m->graph.n_out, text, json);
    show_operators(&survey, text, json);
    if (survey.unsupported == 0) show_cost(path, text, json);
    gi_onnx_survey_free(&survey);
  }
  gi_onnx_close(m);
  return s;
}
