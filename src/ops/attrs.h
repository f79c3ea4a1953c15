/* ops/attrs.h - attributes of the ops that backends have kernels for, and what these ops take and
 * give. Ops read them in their rules, kernels while they prepare.
 */
#ifndef GI_ATTRS_H
#define GI_ATTRS_H

#include "ops/op.h"

/* What a fused op does to its result. */
typedef enum gi_act { GI_ACT_NONE, GI_ACT_RELU } gi_act;

/* conv2d             x [N, C, H, W], w [F, C/groups, KH, KW]          -> y [N, F, OH, OW]
 * conv2d_act         x, w, bias [F]                                   -> act(conv2d + bias)
 * conv2d_input_grad  dy [N, F, OH, OW], w;  size = {H, W}             -> dx [N, C, H, W]
 * conv2d_weight_grad x, dy;                 size = {KH, KW}           -> dw
 * stride, padding (on both sides) and dilation: rows, columns; always two entries, resolved. */
typedef struct gi_conv_attr {
  gi_dims stride, padding, dilation;
  int64_t groups;
  gi_dims size; /* gradients only */
  int64_t act;  /* gi_act; conv2d_act only */
} gi_conv_attr;

/* matmul           a [..., M, K], b [..., K, N] -> [..., M, N]; leading axes broadcast
 * matmul_bias_act  a, b, bias [N]               -> act(a b + bias)
 * transpose_a: a is [..., K, M]; transpose_b: b is [..., N, K]. */
typedef struct gi_matmul_attr {
  bool transpose_a, transpose_b;
  int64_t act; /* gi_act; matmul_bias_act only */
} gi_matmul_attr;

/* max_pool2d, min_pool2d  x [N, C, H, W] -> y [N, C, OH, OW], index i32 of y's shape: where in its
 *                         H x W plane (row * W + column) the element was found, the first of equals
 * pool2d_scatter          g [N, C, OH, OW], index; size = {H, W} -> [N, C, H, W]: zeros, g added at
 *                         index: the gradient of max_pool2d and min_pool2d
 * pool2d_gather           g [N, C, H, W], index -> [N, C, OH, OW]: its transpose
 * avg_pool2d              x -> y
 * avg_pool2d_grad         dy; size = {H, W} -> dx
 * kernel, stride, padding, dilation: two entries each, resolved. */
typedef struct gi_pool_attr {
  gi_dims kernel, stride, padding, dilation;
  bool count_padding; /* avg: divide by the whole window */
  bool ceil_mode;
  gi_dims size;       /* pool2d_scatter, avg_pool2d_grad only */
} gi_pool_attr;

/* softmax, log_softmax  x -> y, along one axis (0 .. rank - 1). */
typedef struct gi_axis_attr { int64_t axis; } gi_axis_attr;

/* batch_norm_train       x [N, C, ...], gamma [C], beta [C] -> y, mean [C], variance [C] (biased)
 * batch_norm_train_grad  x, gamma, mean, variance, dy       -> dx, dgamma [C], dbeta [C] */
typedef struct gi_batch_norm_attr { double eps; } gi_batch_norm_attr;

/* sum, mean, max, min, prod, variance; argmax, argmin (one axis). Axes ascend, 0 .. rank - 1, and
 * are all listed. */
typedef struct gi_reduce_attr {
  gi_dims axes;
  bool keep;
  bool unbiased; /* variance only */
} gi_reduce_attr;

/* gather       x, index           -> x[:axis] + index + x[axis + 1:]
 * scatter_add  y, index           -> its transpose, `size` along axis
 * take_along   x, index           -> index's shape
 * put_along    y, index           -> its transpose, `size` along axis
 * Indices are i64 or i32. */
typedef struct gi_gather_attr { int64_t axis, size; } gi_gather_attr;
/* one_hot      index [...] -> [..., classes] */
typedef struct gi_one_hot_attr { int64_t classes; glia_dtype dtype; } gi_one_hot_attr;

/* dropout  x -> x scaled by 1 / (1 - p) where gi_rng_uniform(stream, element) >= p, else 0. The
 * gradient is the same op on the cotangent. Elements count in logical order. */
typedef struct gi_dropout_attr { double p; uint64_t stream; } gi_dropout_attr;
/* random_uniform  () -> low + (high - low) u;  random_normal  () -> mean + deviation z */
typedef struct gi_random_attr {
  gi_type type;
  double a, b; /* low, high; mean, deviation */
  uint64_t stream;
} gi_random_attr;

/* permute: axis k of the result is axis axes[k] of x. */
typedef struct gi_permute_attr { gi_dims axes; } gi_permute_attr;
typedef struct gi_shape_attr { gi_dims shape; } gi_shape_attr; /* reshape, broadcast_to */
typedef struct gi_slice_attr { int64_t axis, begin, end, step; } gi_slice_attr; /* resolved */
typedef struct gi_pad_attr { gi_dims before, after; double value; } gi_pad_attr;
/* concat: gi_axis_attr. */

#endif /* GI_ATTRS_H */
