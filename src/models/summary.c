/* summary.c - a model's layers with shapes, parameters and cost, read off its traced graph: a
 * layer is the run of nodes with one scope path.
 */
#include "glia/models.h"

#include "nn/scope.h"

static double node_flops(const glia_graph *g, const gi_node *n) {
  gi_type in[16], out[GI_MAX_OUT];
  if (n->n_in > 16 || n->op->flags & (GI_SOURCE | GI_VIEW)) return 0;
  for (int i = 0; i < n->n_in; i++) in[i] = g->values.at[n->in[i]]->type;
  for (int i = 0; i < n->n_out; i++) out[i] = g->values.at[n->out + (uint32_t)i]->type;
  const gi_infer c = {n->n_in, in, n->attr, n->n_out, out};
  return (n->op->cost != NULL ? n->op->cost(&c) : gi_default_cost(&c)).flops;
}

static int64_t layer_parameters(const glia_store *store, const char *path) {
  const size_t len = strlen(path);
  int64_t n = 0;
  for (int i = 0; i < glia_store_count(store); i++) {
    const gi_entry *e = gi_store_at(store, i);
    if (e->kind != GLIA_PARAMETER || strncmp(e->name, path, len) != 0) continue;
    const char *rest = e->name + len;
    if (*rest == '.' && strchr(rest + 1, '.') == NULL) n += glia_tensor_count(e->tensor);
  }
  return n;
}

static glia_summary_row *row_of(glia_summary *s, const char *path) {
  for (int i = 0; i < s->n; i++)
    if (strcmp(s->rows[i].layer, path) == 0) return &s->rows[i];
  glia_summary_row *r = &s->rows[s->n++];
  snprintf(r->layer, sizeof r->layer, "%s", path);
  return r;
}

static glia_status list_layers(const glia_graph *g, const glia_store *store,
                               glia_summary *out) {
  out->rows = gi_alloc((g->nodes.n + 1) * sizeof *out->rows);
  if (out->rows == NULL) return gi_fail_nomem(g->nodes.n * sizeof *out->rows);
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    if (n->op->flags & GI_SOURCE || n->n_out == 0) continue;
    glia_summary_row *r = row_of(out, n->path);
    const gi_type *t = &g->values.at[n->out]->type;
    snprintf(r->op, sizeof r->op, "%s", n->op->name);
    r->rank = t->rank;
    memcpy(r->shape, t->dim, sizeof r->shape);
    r->flops += node_flops(g, n);
  }
  for (int i = 0; i < out->n; i++) {
    out->rows[i].parameters = layer_parameters(store, out->rows[i].layer);
    out->flops += out->rows[i].flops;
  }
  out->parameters = glia_store_parameters(store);
  return GLIA_OK;
}

glia_status glia_summarise(glia_model_fn model, void *user, glia_store *store, uint64_t seed,
                           int rank, const int64_t *input, glia_summary *out) {
  glia_graph *g = NULL;
  *out = (glia_summary){0};
  GI_TRY(glia_graph_new(&g));
  const glia_scope_opts o = {.size = sizeof o, .seed = seed, .train = true};
  glia_scope *s = glia_scope_new(g, store, &o);
  glia_output("result", model(s, glia_input(g, "x", GLIA_F32, rank, input), user));
  glia_status status = glia_graph_status(g);
  if (status == GLIA_OK) status = list_layers(g, store, out);
  glia_graph_free(g);
  if (status != GLIA_OK) glia_summary_clear(out);
  return status;
}

void glia_summary_clear(glia_summary *s) {
  gi_free(s->rows);
  *s = (glia_summary){0};
}
