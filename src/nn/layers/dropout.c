/* dropout.c - zeroes elements while training (JMLR 15, 2014); the stream of chance is the
 * layer's full name, so that masks do not depend on what else the network holds.
 */
#include "nn/layer.h"

typedef struct dropout_opts {
  size_t size;
  double rate;
} dropout_opts;

glia_value glia_dropout(glia_scope *s, const char *name, glia_value x, double rate) {
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  if (!(rate >= 0 && rate < 1))
    return gi_leave(
        &e, gi_latch(x.graph, GLIA_INVALID, "dropout: rate is %g, wanted 0 <= rate < 1", rate));
  if (!s->train || rate == 0) return gi_leave(&e, x);
  return gi_leave(&e, glia_dropout_with(x, rate, gi_hash_str(e.scope->path, 0)));
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
