/* conv_transpose.c - transposed convolution, which makes images larger.
 *
 *   y[n, f, u, v] = bias[f] + sum over c, i, j, p, q with i stride - padding + p dilation = u,
 *                   j stride - padding + q dilation = v, of x[n, c, i, j] w[c, f, p, q]
 *
 * x [N, C, H, W], w [C, F/groups, KH, KW], bias [F] -> y [N, F, OH, OW], OH = (H - 1) stride -
 * 2 padding + dilation (KH - 1) + 1 + output_padding. This is what conv2d's gradient in its
 * input computes, so there is no op for it: the builder emits conv2d_input_grad.
 */
#include "ops/attrs.h"
#include "ops/window.h"

/* The size of the result, from which the gradient's own shape rule checks the rest. Of the
 * sizes that the convolution would bring down to x's (they differ by less than a stride),
 * output_padding chooses. */
static glia_status transposed_size(gi_conv_attr *a, const glia_window_opts *o, const gi_type *x,
                                   const gi_type *w) {
  const char *const op = "conv2d_transpose";
  char tx[GI_TEXT], tw[GI_TEXT];
  gi_shape_text(x, tx, sizeof tx);
  gi_shape_text(w, tw, sizeof tw);
  GI_TRY(gi_window_field(&a->stride, op, "stride", 1));
  GI_TRY(gi_window_field(&a->padding, op, "padding", 0));
  GI_TRY(gi_window_field(&a->dilation, op, "dilation", 1));
  if (x->rank != 4 || w->rank != 4 || x->dim[1] != w->dim[0])
    return gi_fail(GLIA_SHAPE,
                   "%s: x is %s, weight is %s; wanted [N, C, H, W] and [C, F/groups, KH, KW]",
                   op, tx, tw);
  a->size.n = 2;
  for (int d = 0; d < 2; d++) {
    const int64_t size = x->dim[2 + d], kernel = w->dim[2 + d], stride = a->stride.at[d];
    if (o->output_padding[d] < 0 || o->output_padding[d] >= stride)
      return gi_fail(GLIA_INVALID,
                     "%s: output_padding is %" PRId64
                     ", wanted 0 or more, less than the "
                     "stride %" PRId64,
                     op, o->output_padding[d], stride);
    if (size > INT32_MAX || kernel > INT32_MAX)
      return gi_fail(GLIA_SHAPE, "%s: x is %s, weight is %s; at most 2^31 - 1 rows", op, tx,
                     tw);
    a->size.at[d] = (size - 1) * stride - 2 * a->padding.at[d] +
                    gi_window_span(kernel, a->dilation.at[d]) + o->output_padding[d];
    if (size < 1 || kernel < 1 || a->size.at[d] < 1)
      return gi_fail(GLIA_SHAPE, "%s: x is %s, weight is %s; nothing is left of axis %d", op,
                     tx, tw, 2 + d);
  }
  return GLIA_OK;
}

glia_value glia_conv2d_transpose_with(glia_value x, glia_value weight, glia_value bias,
                                      const glia_window_opts *opt) {
  glia_window_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x) || gi_null(weight)) return GLIA_NONE;
  gi_conv_attr a = gi_conv_attr_of(&o);
  const gi_type tx = gi_value_type(x), tw = gi_value_type(weight);
  const glia_status s = transposed_size(&a, &o, &tx, &tw);
  if (s != GLIA_OK) return gi_latch(x.graph, s, "%s", glia_error_message());
  const glia_value y = gi_emit2(&gi_op_conv2d_input_grad, &a, x, weight);
  if (gi_null(bias) || gi_null(y)) return y;
  return glia_add(y, glia_reshape(bias, 3, (const int64_t[]){-1, 1, 1}));
}
