/* dropout_family.c - dropout of more than single elements, all by glia_dropout on ones that are
 * broadcast:
 *
 *   spatial_dropout  whole channels [N, C, 1...] (arXiv:1411.4280; PyTorch's Dropout1d to 3d)
 *   drop_path        whole samples [N, 1...], for branches of residual networks (stochastic
 *                    depth, arXiv:1603.09382)
 *   alpha_dropout    elements, to selu's lower limit, mean and variance kept (arXiv:1706.02515)
 */
#include <math.h>

#include "glia/layers.h"
#include "nn/layer.h"

/* Ones of x's first `axes` axes, the others 1, dropped and scaled: 0 or 1 / (1 - rate). */
static glia_value mask(glia_scope *s, const char *name, glia_value x, int axes, double rate) {
  int64_t shape[GLIA_MAX_RANK];
  const int rank = glia_value_rank(x);
  for (int d = 0; d < rank; d++) shape[d] = d < axes ? glia_value_dim(x, d) : 1;
  return glia_dropout(s, name, glia_broadcast_to(glia_scalar_like(x, 1), rank, shape), rate);
}

static bool acts(const glia_scope *s, double rate) {
  return glia_scope_training(s) && rate != 0;
}

static glia_value whole(glia_scope *s, const char *name, glia_value x, int axes, double rate,
                        const char *layer) {
  if (s == NULL || gi_null(x)) return GLIA_NONE;
  if (glia_value_rank(x) < axes)
    return gi_latch(x.graph, GLIA_SHAPE, "%s: x has rank %d, wanted %s", layer,
                    glia_value_rank(x), axes == 2 ? "[N, C, ...]" : "[N, ...]");
  const glia_value m = mask(s, name, x, axes, rate); /* refuses rates */
  return acts(s, rate) ? glia_mul(x, m) : gi_null(m) ? m : x;
}

glia_value glia_spatial_dropout(glia_scope *s, const char *name, glia_value x, double rate) {
  return whole(s, name, x, 2, rate, "spatial_dropout");
}
glia_value glia_drop_path(glia_scope *s, const char *name, glia_value x, double rate) {
  return whole(s, name, x, 1, rate, "drop_path");
}

/* y = a (kept ? x : -l) + b, l = selu's scale times its alpha, a = ((1 - p) (1 + p l^2))^-1/2,
 * b = a p l. */
glia_value glia_alpha_dropout(glia_scope *s, const char *name, glia_value x, double rate) {
  if (s == NULL || gi_null(x)) return GLIA_NONE;
  const glia_value m = mask(s, name, x, glia_value_rank(x), rate);
  if (!acts(s, rate) || gi_null(m)) return gi_null(m) ? m : x;
  const double l = 1.0507009873554805 * 1.6732632423543772;
  const double a = 1 / sqrt((1 - rate) * (1 + rate * l * l));
  const glia_value kept = glia_mul(m, glia_scalar_like(x, (1 - rate) * a)); /* a or 0 */
  const glia_value shift =
      glia_add(glia_mul(kept, glia_scalar_like(x, l)), glia_scalar_like(x, a * l * (rate - 1)));
  return glia_add(glia_mul(x, kept), shift);
}

/* ---- rows ---------------------------------------------------------------------------- */

typedef struct rate_opts {
  size_t size;
  double rate;
} rate_opts;

static const gi_field fields[] = {
    GI_FIELD(F64, rate_opts, rate, .positional = true, .required = true, .min = 0, .max = 0.999,
             .doc = "probability of falling away"),
    {.name = NULL},
};

#define LAYER(row, text)                                                       \
  static glia_value build_##row(glia_scope *s, const char *name, glia_value x, \
                                const void *opts) {                            \
    return glia_##row(s, name, x, ((const rate_opts *)opts)->rate);            \
  }                                                                            \
  static const gi_layer row = {.name = #row,                                   \
                               .doc = text,                                    \
                               .nameless = true,                               \
                               .opts_size = sizeof(rate_opts),                 \
                               .fields = fields,                               \
                               .build = build_##row};
LAYER(spatial_dropout, "zeroes whole channels while training")
LAYER(drop_path, "zeroes whole samples of a branch while training")
LAYER(alpha_dropout, "dropout that keeps mean and variance, for selu")

const gi_layer *const gi_layers_dropout_family[] = {&spatial_dropout, &drop_path,
                                                    &alpha_dropout, NULL};
