/* similarity.c - how alike the directions of vectors are: made of other ops, so that there is
 * no op for it. (Distances are in losses.h.)
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* max(|v|, eps) along an axis that stays: the root of what is at least eps^2, whose slope is 0
 * below. */
static glia_value length(glia_value v, int axis, double eps) {
  const glia_value square = glia_sum(glia_square(v), .n = 1, .axes = {axis}, .keep = true);
  if (gi_null(square)) return square;
  return glia_sqrt(glia_maximum(square, glia_scalar_like(square, eps * eps)));
}

glia_value glia_cosine_similarity(glia_value a, glia_value b, int axis, double eps) {
  if (gi_null(a) || gi_null(b)) return GLIA_NONE;
  const glia_value u = glia_div(a, length(a, axis, eps)), v = glia_div(b, length(b, axis, eps));
  return glia_sum(glia_mul(u, v), .n = 1, .axes = {axis});
}
