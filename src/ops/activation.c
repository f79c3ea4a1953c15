/* activation.c - activations that are made of two elementwise ops or more, so that there is no
 * op for them: gated linear units and the ReLU whose slope is learnt.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* a sigmoid(b), a and b the halves of x along the axis (arXiv:1612.08083). */
glia_value glia_glu(glia_value x, int axis) {
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  if (at < 0 || glia_value_dim(x, at) % 2 != 0)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "glu: axis %d has %" PRId64
                    " elements, wanted two "
                    "equal halves",
                    axis, at < 0 ? 0 : glia_value_dim(x, at));
  glia_value half[2];
  glia_split(x, at, 2, NULL, half);
  return glia_mul(half[0], glia_sigmoid(half[1]));
}

/* x > 0 ? x : weight x, one weight or one for each of axis 1 (arXiv:1502.01852). */
glia_value glia_prelu(glia_value x, glia_value weight) {
  if (gi_null(x) || gi_null(weight)) return GLIA_NONE;
  const gi_type tx = gi_value_type(x), tw = gi_value_type(weight);
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  char text_x[GI_TEXT], text_w[GI_TEXT];
  const int64_t n = gi_type_count(&tw);
  if (tw.rank > 1 || (n != 1 && (tx.rank < 2 || tx.dim[1] != n)))
    return gi_latch(
        x.graph, GLIA_SHAPE,
        "prelu: x is %s, weight is %s; wanted one weight, or one for each of axis 1",
        gi_shape_text(&tx, text_x, sizeof text_x), gi_shape_text(&tw, text_w, sizeof text_w));
  if (n != 1) shape[1] = n;
  const glia_value slope = glia_reshape(weight, tx.rank, shape);
  return glia_where(glia_greater(x, glia_scalar_like(x, 0)), x, glia_mul(slope, x));
}
