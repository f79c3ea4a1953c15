/* survey.c - goes through all nodes of a model, those of branches and functions too. */
#include "formats/onnx/survey.h"

#include <stdlib.h>

#include "formats/onnx/trace.h"

typedef struct walk {
  gi_onnx_trace trace; /* of which the model and a frame are there: enough to ask for a row */
  gi_onnx_survey *s;
} walk;

static gi_onnx_use *use_of(gi_onnx_survey *s, const gi_onnx_node *node) {
  for (size_t i = 0; i < s->uses.n; i++) {
    gi_onnx_use *u = &s->uses.at[i];
    if (strcmp(u->op, node->op) == 0 && strcmp(u->domain, node->domain) == 0) return u;
  }
  const gi_onnx_use fresh = {.domain = node->domain, .op = node->op};
  return gi_vec_push(&s->uses, fresh) ? &s->uses.at[s->uses.n - 1] : NULL;
}

static bool is_function(const gi_onnx_model *m, const gi_onnx_node *node) {
  for (int i = 0; i < m->n_function; i++)
    if (strcmp(m->function[i].name, node->op) == 0 &&
        strcmp(m->function[i].domain, node->domain) == 0)
      return true;
  return false;
}

static glia_status look_at(walk *w, const gi_onnx_node *node, int n);

static glia_status look_at_node(walk *w, const gi_onnx_node *node) {
  gi_onnx_use *u = use_of(w->s, node);
  if (u == NULL) return gi_fail_nomem(sizeof *u);
  u->count++;
  w->s->nodes++;
  const gi_onnx_operator *row = NULL;
  int version = 0;
  if (!is_function(w->trace.model, node) &&
      gi_onnx_supported(&w->trace, node, &row, &version) != GLIA_OK) {
    w->s->unsupported++;
    if (u->why == NULL) {
      u->why = gi_strdup(glia_error_message());
      u->where = gi_strdup(node->name[0] != '\0' ? node->name
                           : node->n_out > 0     ? node->out[0]
                                                 : "?");
      if (u->why == NULL || u->where == NULL) return gi_fail_nomem(64);
    }
  }
  for (int i = 0; i < node->n_attr; i++)
    if (node->attr[i].type == GI_ONNX_ATTR_GRAPH && node->attr[i].g != NULL)
      GI_TRY(look_at(w, node->attr[i].g->node, node->attr[i].g->n_node));
  return GLIA_OK;
}

static glia_status look_at(walk *w, const gi_onnx_node *node, int n) {
  for (int i = 0; i < n; i++) GI_TRY(look_at_node(w, &node[i]));
  return GLIA_OK;
}

static int by_name(const void *a, const void *b) {
  const gi_onnx_use *x = a, *y = b;
  const int order = strcmp(x->domain, y->domain);
  return order != 0 ? order : strcmp(x->op, y->op);
}

glia_status gi_onnx_look(const gi_onnx_model *m, gi_onnx_survey *out) {
  walk w = {.trace = {.model = m}, .s = out};
  *out = (gi_onnx_survey){0};
  glia_status s = look_at(&w, m->graph.node, m->graph.n_node);
  for (int i = 0; i < m->n_function && s == GLIA_OK; i++) {
    gi_onnx_frame f = {.function = &m->function[i]};
    w.trace.frame = &f;
    s = look_at(&w, m->function[i].node, m->function[i].n_node);
    w.trace.frame = NULL;
  }
  for (int i = 0; i < m->graph.n_init && s == GLIA_OK; i++)
    if (gi_onnx_is_parameter(&m->graph.init[i])) out->parameters += m->graph.init[i].count;
  if (s != GLIA_OK) {
    gi_onnx_survey_free(out);
    return s;
  }
  if (out->uses.n > 0) qsort(out->uses.at, out->uses.n, sizeof *out->uses.at, by_name);
  return GLIA_OK;
}

void gi_onnx_survey_free(gi_onnx_survey *s) {
  for (size_t i = 0; i < s->uses.n; i++) {
    gi_free(s->uses.at[i].why);
    gi_free(s->uses.at[i].where);
  }
  gi_vec_free(&s->uses);
}

/* ---- judging ----------------------------------------------------------------------------- */

static glia_status refuse(const gi_onnx_model *m, const gi_onnx_survey *s) {
  gi_str list = {0};
  for (size_t i = 0; i < s->uses.n; i++) {
    const gi_onnx_use *u = &s->uses.at[i];
    if (u->why != NULL)
      gi_str_printf(&list, "%snode '%s' (%s%s%s): %s", list.n > 0 ? "; " : "", u->where,
                    u->domain, u->domain[0] != '\0' ? ":" : "", u->op, u->why);
  }
  const glia_status status =
      gi_fail(GLIA_UNSUPPORTED, "%s: %s", m->path, list.s != NULL ? list.s : "not supported");
  gi_str_free(&list);
  return status;
}

typedef struct trial {
  gi_onnx_trace trace;
  const gi_onnx_graph *graph;
  glia_tensor **in;
  int *in_type, *out_type;
  glia_value *out;
  bool open; /* an axis of an input is */
} trial;

static glia_status declare(trial *t, int i) {
  const gi_onnx_info *info = &t->graph->in[i];
  gi_type type = {.rank = GI_MAX(info->rank, 0)};
  if (!info->is_tensor || !gi_onnx_carrier(info->type, &type.dtype))
    return gi_fail(GLIA_UNSUPPORTED, "input '%s' is %s, tensors of numbers are taken",
                   info->name, info->is_tensor ? gi_onnx_type_name(info->type) : "no tensor");
  if (info->rank < 0) t->open = true;
  for (int k = 0; k < type.rank; k++) {
    if (info->dim[k] < 0) t->open = true;
    type.dim[k] = info->dim[k] < 0 ? 1 : info->dim[k];
  }
  char name[32];
  snprintf(name, sizeof name, "input %d", i);
  GI_TRY(gi_tensor_new(&type, &t->in[i]));
  t->in_type[i] = info->type;
  t->trace.input[i] = glia_input(t->trace.g, name, type.dtype, type.rank, type.dim);
  return glia_graph_status(t->trace.g);
}

static glia_status try_to_build(trial *t) {
  const gi_onnx_model *m = t->trace.model;
  for (int i = 0; i < t->graph->n_in; i++) GI_TRY(gi_where(declare(t, i), "%s", m->path));
  GI_TRY(gi_onnx_fill(m, t->trace.g->store));
  const glia_status s = gi_onnx_trace_model(&t->trace, t->in_type, t->out, t->out_type);
  bool proves = !t->open;
  for (int i = 0; i < t->graph->n_in; i++) proves = proves && !t->trace.asked[i];
  return s == GLIA_SHAPE && !proves ? GLIA_OK : s;
}

static glia_status run_trial(const gi_onnx_model *m) {
  const size_t n_in = (size_t)m->graph.n_in + 1, n_out = (size_t)m->graph.n_out + 1;
  trial t = {.graph = &m->graph};
  gi_arena arena = {0};
  glia_store *store = NULL;
  t.in = gi_arena_alloc(&arena, n_in * sizeof *t.in);
  t.in_type = gi_arena_alloc(&arena, n_in * sizeof *t.in_type);
  t.out_type = gi_arena_alloc(&arena, n_out * sizeof *t.out_type);
  t.out = gi_arena_alloc(&arena, n_out * sizeof *t.out);
  t.trace = (gi_onnx_trace){.model = m,
                            .elements = (const glia_tensor *const *)t.in,
                            .asked = gi_arena_alloc(&arena, n_in),
                            .input = gi_arena_alloc(&arena, n_in * sizeof(glia_value))};
  glia_status s = GLIA_OK;
  if (t.in == NULL || t.in_type == NULL || t.out_type == NULL || t.out == NULL ||
      t.trace.asked == NULL || t.trace.input == NULL)
    s = gi_fail_nomem(n_in * sizeof(glia_value));
  if (s == GLIA_OK) s = glia_graph_new(&t.trace.g);
  if (s == GLIA_OK) s = glia_store_new(&store);
  if (s == GLIA_OK) {
    t.trace.g->store = store;
    s = try_to_build(&t);
  }
  for (int i = 0; i < m->graph.n_in && t.in != NULL; i++) glia_tensor_free(t.in[i]);
  gi_onnx_trace_free(&t.trace);
  glia_graph_free(t.trace.g);
  glia_store_free(store);
  gi_arena_free(&arena);
  return s;
}

glia_status gi_onnx_check_operators(const gi_onnx_model *m) {
  gi_onnx_survey survey = {0};
  GI_TRY(gi_onnx_look(m, &survey));
  const glia_status s = survey.unsupported > 0 ? refuse(m, &survey) : GLIA_OK;
  gi_onnx_survey_free(&survey);
  return s;
}

glia_status gi_onnx_judge(const gi_onnx_model *m) {
  GI_TRY(gi_onnx_check_operators(m));
  return run_trial(m);
}
