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
