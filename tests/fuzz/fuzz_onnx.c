/* ONNX models: what opens keeps its promises: counts, names and elements that can be looked at.
 */
#include "formats/onnx/model.h"
#include "fuzz.h"

static void check_tensor(const gi_onnx_tensor *t) {
  glia_tensor *x = NULL;
  const glia_status s = gi_onnx_tensor_load(t, "fuzz", &x);
  if (s != GLIA_OK && s != GLIA_UNSUPPORTED && s != GLIA_SHAPE && s != GLIA_NOMEM) abort();
  if (s == GLIA_OK && glia_tensor_count(x) != t->count) abort();
  char *text = s == GLIA_OK ? glia_tensor_text(x, 2) : NULL; /* looks at the elements */
  free(text);
  glia_tensor_free(x);
}

static size_t check_graph(const gi_onnx_graph *g);

static size_t check_node(const gi_onnx_node *n) {
  size_t seen = strlen(n->op) + strlen(n->domain) + strlen(n->name);
  for (int i = 0; i < n->n_in; i++) seen += strlen(n->in[i]);
  for (int i = 0; i < n->n_out; i++) seen += strlen(n->out[i]);
  for (int i = 0; i < n->n_attr; i++) {
    const gi_onnx_attr *a = &n->attr[i];
    seen += strlen(a->name) + a->s_n;
    if (a->t != NULL) check_tensor(a->t);
    if (a->g != NULL) seen += check_graph(a->g);
    for (int k = 0; k < a->n; k++) {
      if (a->type == GI_ONNX_ATTR_FLOATS) seen += a->floats[k] > 0;
      if (a->type == GI_ONNX_ATTR_INTS) seen += a->ints[k] > 0;
      if (a->type == GI_ONNX_ATTR_STRINGS) seen += strlen(a->strings[k]);
    }
  }
  return seen;
}

static size_t check_infos(const gi_onnx_info *info, int n) {
  size_t seen = 0;
  for (int i = 0; i < n; i++) {
    if (info[i].rank < -1 || info[i].rank > GLIA_MAX_RANK) abort();
    seen += strlen(info[i].name);
  }
  return seen;
}

static size_t check_graph(const gi_onnx_graph *g) {
  size_t seen = strlen(g->name) + check_infos(g->in, g->n_in) + check_infos(g->out, g->n_out) +
                check_infos(g->info, g->n_info);
  for (int i = 0; i < g->n_init; i++) check_tensor(&g->init[i]);
  for (int i = 0; i < g->n_node; i++) seen += check_node(&g->node[i]);
  return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_onnx_model *m = NULL;
  if (gi_onnx_from_memory(data, size, "fuzz", &m) != GLIA_OK) return 0;
  volatile size_t seen = check_graph(&m->graph); /* so that looking is not left out */
  for (int i = 0; i < m->n_function; i++)
    for (int k = 0; k < m->function[i].n_node; k++) seen += check_node(&m->function[i].node[k]);
  for (int i = 0; i < 2 * m->n_metadata; i++) seen += strlen(m->metadata[i]);
  gi_onnx_close(m);
  return 0;
}
