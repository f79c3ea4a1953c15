/* bilinear.c - y[.., u] = sum over i, j of a[.., i] W[u, i, j] b[.., j] + bias[u], as PyTorch's
 * Bilinear.
 */
#include <math.h>

#include "glia/layers.h"
#include "nn/scope.h"

static glia_value build(glia_scope *s, glia_value a, glia_value b,
                        const glia_bilinear_opts *o) {
  if (glia_value_rank(a) < 1 || glia_value_rank(b) != glia_value_rank(a))
    return gi_latch(s->graph, GLIA_SHAPE,
                    "bilinear: ranks are %d and %d, wanted [..., I] and [..., J]",
                    glia_value_rank(a), glia_value_rank(b));
  if (o->units < 1)
    return gi_latch(s->graph, GLIA_INVALID, "bilinear: units is %lld, wanted 1 or more",
                    (long long)o->units);
  const int64_t shape[] = {o->units, glia_value_dim(a, -1), glia_value_dim(b, -1)};
  const double bound = 1 / sqrt((double)GI_MAX(shape[1], 1));
  const glia_init init = {.kind = GLIA_INIT_UNIFORM, .a = -bound, .b = bound};
  const glia_value w = glia_parameter(s, "weight", 3, shape, init);
  glia_value y = glia_einsum("...i,uij,...j->...u", (const glia_value[]){a, w, b}, 3);
  if (!o->no_bias) y = glia_add(y, glia_parameter(s, "bias", 1, &o->units, init));
  return glia_activation(y, o->activation);
}

glia_value glia_bilinear_opt(glia_scope *s, const char *name, glia_value a, glia_value b,
                             const glia_bilinear_opts *opt) {
  glia_bilinear_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(a) || gi_null(b)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, a, b, &o));
}
