/* group_norm.c - normalisation that is made of other ops: by groups of channels, and by
 * neighbouring channels.
 *
 * group norm: x [N, C, ...] are the rows [N groups, C / groups ...] of layer_norm; gamma and
 * beta come after it, since they go with channels and not with places in a row.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* [C] as [C, 1, ...], to broadcast against x [N, C, ...]. */
static glia_value per_channel(glia_value v, const gi_type *x) {
  int64_t shape[GLIA_MAX_RANK] = {x->dim[1], 1, 1, 1, 1, 1, 1, 1};
  return glia_reshape(v, x->rank - 1, shape);
}

glia_value glia_group_norm_with(glia_value x, int64_t groups, glia_value gamma, glia_value beta,
                                double eps) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  char text[GI_TEXT];
  if (t.rank < 2 || groups < 1 || t.dim[1] % groups != 0)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "group_norm: x is %s, %" PRId64
                    " groups; wanted [N, C, ...] and a divisor of C",
                    gi_shape_text(&t, text, sizeof text), groups);
  const int64_t count = gi_type_count(&t), rows = t.dim[0] * groups;
  if (count == 0)
    return gi_latch(x.graph, GLIA_SHAPE, "group_norm: x is %s; nothing has no mean",
                    gi_shape_text(&t, text, sizeof text));
  glia_value y = glia_layer_norm_with(glia_reshape(x, 2, (const int64_t[]){rows, count / rows}),
                                      1, GLIA_NONE, GLIA_NONE, eps);
  y = glia_reshape(y, t.rank, t.dim);
  if (!gi_null(gamma)) y = glia_mul(y, per_channel(gamma, &t));
  if (!gi_null(beta)) y = glia_add(y, per_channel(beta, &t));
  return y;
}

/* The sums over neighbouring channels are averages of windows on [N, 1, C, rest]. */
glia_value glia_local_response_norm(glia_value x, int64_t width, double alpha, double beta,
                                    double k) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  char text[GI_TEXT];
  if (t.rank < 2 || width < 1 || width > INT32_MAX || gi_type_count(&t) == 0)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "local_response_norm: x is %s, width %" PRId64
                    "; wanted [N, C, ...] with elements and >= 1",
                    gi_shape_text(&t, text, sizeof text), width);
  const int64_t rest = gi_type_count(&t) / (t.dim[0] * t.dim[1]);
  const glia_value plane =
      glia_reshape(glia_square(x), 4, (const int64_t[]){t.dim[0], 1, t.dim[1], rest});
  const glia_value framed = glia_pad(plane, (const int64_t[]){0, 0, width / 2, 0},
                                     (const int64_t[]){0, 0, (width - 1) / 2, 0}, 0);
  const glia_value mean = glia_reshape(
      glia_avg_pool2d(framed, .kernel = {width, 1}, .stride = {1, 1}), t.rank, t.dim);
  const glia_value base =
      glia_add(glia_mul(mean, glia_scalar_like(x, alpha)), glia_scalar_like(x, k));
  return glia_div(x, glia_pow(base, glia_scalar_like(x, beta)));
}
