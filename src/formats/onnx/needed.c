/* needed.c - the nodes and initializers of a graph that what is wanted depends on. The others
 * are not built: they may be the head of a network that is cut off, and their parameters would
 * be parameters that no gradient reaches. */
#include "formats/onnx/read.h"
#include "formats/onnx/trace.h"

typedef struct search {
  gi_onnx_scope names; /* all that nodes and initializers make */
  bool *needed;        /* by name, in the order they were made */
} search;

static void need(search *s, const char *name) {
  const int i = name[0] != '\0' ? gi_onnx_find(&s->names, name) : -1;
  if (i >= 0) s->needed[i] = true;
}

/* What a node reads, in the graphs within it too. */
static void need_inputs(search *s, const gi_onnx_node *node) {
  for (int i = 0; i < node->n_in; i++) need(s, node->in[i]);
  for (int i = 0; i < node->n_attr; i++) {
    const gi_onnx_graph *g = node->attr[i].g;
    for (int k = 0; g != NULL && k < g->n_node; k++) need_inputs(s, &g->node[k]);
    for (int k = 0; g != NULL && k < g->n_out; k++) need(s, g->out[k].name);
  }
}

static glia_status list_names(const gi_onnx_graph *g, search *s) {
  for (int i = 0; i < g->n_init; i++)
    GI_TRY(gi_onnx_make(&s->names, g->init[i].name, "initializer"));
  for (int i = 0; i < g->n_node; i++)
    for (int k = 0; k < g->node[i].n_out; k++)
      if (g->node[i].out[k][0] != '\0')
        GI_TRY(gi_onnx_make(&s->names, g->node[i].out[k], "output"));
  s->needed = gi_alloc(s->names.n + 1);
  return s->needed != NULL ? GLIA_OK : gi_fail_nomem(s->names.n);
}

static bool is_needed(const search *s, const char *name) {
  const int i = name[0] != '\0' ? gi_onnx_find(&s->names, name) : -1;
  return i >= 0 && s->needed[i];
}

glia_status gi_onnx_needed(const gi_onnx_graph *g, const char *until, bool *node, bool *init) {
  search s = {0};
  glia_status status = list_names(g, &s);
  if (status == GLIA_OK && until != NULL && gi_onnx_find(&s.names, until) < 0)
    status = gi_fail(GLIA_MODEL, "no node makes a value '%s'", until);
  if (status == GLIA_OK) {
    if (until != NULL) need(&s, until);
    for (int i = 0; i < g->n_out && until == NULL; i++) need(&s, g->out[i].name);
    for (int i = g->n_node - 1; i >= 0; i--) {
      for (int k = 0; k < g->node[i].n_out; k++)
        node[i] = node[i] || is_needed(&s, g->node[i].out[k]);
      if (node[i]) need_inputs(&s, &g->node[i]);
    }
    for (int i = 0; i < g->n_init; i++) init[i] = is_needed(&s, g->init[i].name);
  }
  gi_onnx_scope_free(&s.names);
  gi_free(s.needed);
  return status;
}
