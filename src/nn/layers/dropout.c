/* dropout.c - zeroes elements while training (JMLR 15, 2014); the stream of chance is the
 * layer's full name, so that masks do not depend on what else the network holds, and, where a
 * layer is applied more than once in a step, how often it was applied before.
 */
#include "nn/layer.h"
#include "ops/attrs.h"

typedef struct dropout_opts {
  size_t size;
  double rate;
} dropout_opts;

static bool draws(const gi_node *n, uint64_t stream) {
  if (n->op == &gi_op_dropout) return ((const gi_elementwise_attr *)n->attr)->stream == stream;
  return n->op == &gi_op_attention && ((const gi_attention_attr *)n->attr)->dropout > 0 &&
         ((const gi_attention_attr *)n->attr)->stream == stream;
}

static bool taken(const glia_graph *g, uint64_t stream) {
  for (size_t i = 0; i < g->nodes.n; i++)
    if (draws(g->nodes.at[i], stream)) return true;
  return false;
}

/* Hashes of the name with seeds 0, 1, ...: the first that no dropout of the graph has. */
uint64_t gi_dropout_stream(const glia_scope *s) {
  uint64_t nth = 0, stream = gi_hash_str(s->path, nth);
  while (taken(s->graph, stream)) stream = gi_hash_str(s->path, ++nth);
  return stream;
}

glia_value glia_dropout(glia_scope *s, const char *name, glia_value x, double rate) {
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  if (!(rate >= 0 && rate < 1))
    return gi_leave(
        &e, gi_latch(x.graph, GLIA_INVALID, "dropout: rate is %g, wanted 0 <= rate < 1", rate));
  if (!s->train || rate == 0) return gi_leave(&e, x);
  return gi_leave(&e, glia_dropout_with(x, rate, gi_dropout_stream(e.scope)));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_dropout(s, name, x, ((const dropout_opts *)opts)->rate);
}

static const gi_field fields[] = {
    GI_FIELD(F64, dropout_opts, rate, .positional = true, .required = true, .min = 0,
             .max = 0.999, .doc = "probability of zeroing an element"),
    {.name = NULL},
};

static const gi_layer dropout = {
    .name = "dropout",
    .doc = "zeroes elements while training",
    .opts_size = sizeof(dropout_opts),
    .fields = fields,
    .nameless = true,
    .build = build_row,
};

const gi_layer *const gi_layers_dropout[] = {&dropout, NULL};
