/* onnx.c - a model, whatever function it is, as an ONNX file. */
#include "formats/onnx/export.h"
#include "glia/models.h"

typedef struct source {
  glia_model_fn model;
  void *user;
  glia_store *store;
  gi_type sample;
} source;

static glia_status trace(int64_t batch, void *user, glia_graph **out) {
  const source *m = user;
  int64_t shape[GLIA_MAX_RANK] = {batch};
  glia_graph *g = NULL;
  for (int i = 0; i < m->sample.rank; i++) shape[i + 1] = m->sample.dim[i];
  GI_TRY(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, m->store, NULL);
  const glia_value x = glia_input(g, "x", m->sample.dtype, m->sample.rank + 1, shape);
  glia_output("result", m->model(s, x, m->user));
  const glia_status status = glia_graph_status(g);
  if (status == GLIA_OK)
    *out = g;
  else
    glia_graph_free(g);
  return status;
}

glia_status glia_onnx_export(glia_model_fn model, void *user, glia_store *store,
                             glia_dtype dtype, int rank, const int64_t *shape,
                             const char *path) {
  source m = {model, user, store, {.dtype = dtype, .rank = rank}};
  if (rank < 0 || rank >= GLIA_MAX_RANK)
    return gi_fail(GLIA_INVALID, "export: a sample of %d axes, wanted 0 to %d", rank,
                   GLIA_MAX_RANK - 1);
  for (int i = 0; i < rank; i++) m.sample.dim[i] = shape[i];
  return gi_onnx_export_model(trace, &m, "model", NULL, 0, path);
}
