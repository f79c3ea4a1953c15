/* ops/attrs.h - the attributes of all ops, what the ops take and give, and the rows that
 * passes, layers and kernels name. Ops read the attributes in their rules, kernels while they
 * prepare.
 *
 * Builders resolve before they emit: axes are 0 .. rank - 1, windows have two entries (rows,
 * columns), defaults are filled in. infer refuses anything else, so kernels may rely on it.
 */
#ifndef GI_ATTRS_H
#define GI_ATTRS_H

#include "ops/fused.h"
#include "ops/op.h"

/* Elementwise ops: gi_elementwise_attr (fused.h), one row each in elementwise.def. */
#define ROW(name, ...) extern const gi_op gi_op_##name;
#include "ops/elementwise.def"
#undef ROW

/* ---- convolution --------------------------------------------------------------------- */

/* conv2d             x [N, C, H, W], w [F, C/groups, KH, KW][, bias [F]] -> y [N, F, OH, OW]
 * conv2d_act         the same, then the activation
 * conv2d_input_grad  dy [N, F, OH, OW], w;  size = {H, W}                -> dx [N, C, H, W]
 * conv2d_weight_grad x, dy;                 size = {KH, KW}              -> dw
 * conv2d_add_act         x, w, z of y's shape[, bias] -> activation(y + z)
 * conv2d_input_grad_add  dy, w, z of dx's shape       -> dx + z
 * padding is on both sides. */
typedef struct gi_conv_attr {
  gi_dims stride, padding, dilation;
  int64_t groups;
  gi_dims size;           /* gradients only */
  const char *activation; /* conv2d_act, conv2d_add_act only: "" or "relu" */
} gi_conv_attr;
extern const gi_op gi_op_conv2d, gi_op_conv2d_act, gi_op_conv2d_input_grad,
    gi_op_conv2d_weight_grad, gi_op_conv2d_add_act, gi_op_conv2d_input_grad_add;
static inline bool gi_is_input_grad(const gi_op *op) {
  return op == &gi_op_conv2d_input_grad || op == &gi_op_conv2d_input_grad_add;
}
/* From the caller's options, the defaults filled in; no size. */
gi_conv_attr gi_conv_attr_of(const glia_window_opts *o);
/* How rows describe these: of a convolution with activation, and of a gradient. */
extern const gi_attr gi_conv_act_fields[], gi_conv_grad_fields[];

/* ---- matrices ------------------------------------------------------------------------ */

/* matmul           a [..., M, K], b [..., K, N] -> [..., M, N]; leading axes broadcast
 * matmul_bias_act  a [M, K], b [K, N], bias [N] -> activation(a b + bias)
 * matmul_add_act   a, b, z of their product's shape[, bias [N] where that is a matrix]
 *                                               -> activation(a b [+ bias] + z)
 * transpose_a: a is [..., K, M]; transpose_b: b is [..., N, K]. */
typedef struct gi_matmul_attr {
  bool transpose_a, transpose_b;
  const char *activation; /* matmul_bias_act, matmul_add_act only: "" or "relu" */
} gi_matmul_attr;
extern const gi_op gi_op_matmul, gi_op_matmul_bias_act, gi_op_matmul_add_act;

/* Of a convolution or product: is something added to its result (z, input GI_ADDED, which the
 * result may lie over), and which input is a bias; -1: none. */
enum { GI_ADDED = 2 };
static inline bool gi_adds(const gi_op *op) { return op->over_in == 1u << GI_ADDED; }
static inline int gi_bias_input(const gi_op *op, int n_in) {
  const int at = gi_adds(op) ? GI_ADDED + 1 : 2;
  return n_in > at ? at : -1;
}

/* ---- pooling ------------------------------------------------------------------------- */

/* max_pool2d, min_pool2d  x [N, C, H, W] -> y [N, C, OH, OW] and, of y's shape, the cell of the
 *                         window that won, kh * KW + kw, the first of equals: u8, or i32 where
 *                         the window has more than 256 cells
 * pool_scatter            dy [N, C, OH, OW], position; size = {H, W} -> dx [N, C, H, W]: zeros,
 *                         dy added where it won: the gradient of both
 * pool_gather             x [N, C, H, W], position; size = {H, W} -> [N, C, OH, OW]: its
 *                         transpose, the elements at the cells that won
 * avg_pool2d              x -> y
 * avg_pool2d_grad         dy; size = {H, W} -> dx */
typedef struct gi_pool_attr {
  gi_dims kernel, stride, padding, dilation;
  bool count_padding; /* average: divide by the whole window */
  bool ceil_mode;
  gi_dims size; /* pool_scatter, pool_gather, avg_pool2d_grad only */
} gi_pool_attr;
extern const gi_op gi_op_max_pool2d, gi_op_min_pool2d, gi_op_pool_scatter, gi_op_pool_gather,
    gi_op_avg_pool2d, gi_op_avg_pool2d_grad;

/* adaptive_avg_pool2d       x [N, C, H, W]; shape = {OH, OW} -> y
 * adaptive_avg_pool2d_grad  dy; shape = {H, W} -> dx
 * adaptive_max_pool2d       x; shape = {OH, OW} -> y and, of y's shape, row W + column, i32 */
extern const gi_op gi_op_adaptive_avg_pool2d, gi_op_adaptive_avg_pool2d_grad,
    gi_op_adaptive_max_pool2d;

/* ---- normalisation, softmax, chance -------------------------------------------------- */

/* batch_norm_train  x [N, C, ...], gamma [C], beta [C] -> y, mean [C], variance [C] (biased)
 * batch_norm_grad   x, gamma, mean, variance, dy       -> dx, dgamma [C], dbeta [C] */
typedef struct gi_batch_norm_attr {
  double eps;
} gi_batch_norm_attr;
extern const gi_op gi_op_batch_norm_train, gi_op_batch_norm_grad;

/* batch_norm_act       x, gamma, beta[, z] -> relu(batch_norm_train's y [+ z]), mean, variance
 *                      [, signs]
 * batch_norm_act_grad  x, gamma, beta, mean, variance, dy[, signs] -> dx, dgamma, dbeta[, dz]
 * signs: u8, x's shape with ceil(C / 8) channels: bit c % 8 of byte c / 8 says y > 0. Without
 * z there are none, because x says it: dy counts where (x - mean) r gamma + beta > 0. */
extern const gi_op gi_op_batch_norm_act, gi_op_batch_norm_act_grad;

/* layer_norm       x [outer..., inner...], gamma [inner...][, beta] -> y, mean [outer...],
 *                  variance (biased); not centred: the mean is 0, the variance that of x^2
 * layer_norm_grad  x, gamma, mean, variance, dy -> dx, dgamma, dbeta
 * inner begins with `axis`. */
typedef struct gi_layer_norm_attr {
  int64_t axis;
  double eps;
  bool centred;
} gi_layer_norm_attr;
extern const gi_op gi_op_layer_norm, gi_op_layer_norm_grad;

/* softmax, log_softmax  x -> y, along one axis; concat: the axis along which parts are put. */
typedef struct gi_axis_attr {
  int64_t axis;
} gi_axis_attr;
extern const gi_op gi_op_softmax, gi_op_log_softmax, gi_op_concat;

/* cross_entropy       x [N, C], targets [N] -> loss [N], log sum e^x [N]; no attributes
 * cross_entropy_grad  x, targets, log sum e^x, dloss [N][, its own d [N]] -> dx */
extern const gi_op gi_op_cross_entropy, gi_op_cross_entropy_grad;

/* ctc       x [T, N, C], targets [N, S], input lengths, target lengths [N] -> loss [N]
 * ctc_grad  the same, loss, dloss [N] -> dx */
typedef struct gi_ctc_attr {
  int64_t blank;
} gi_ctc_attr;
extern const gi_op gi_op_ctc, gi_op_ctc_grad;

/* dropout  x -> x / (1 - a) where gi_rng_uniform(stream, element) >= a, else 0; an elementwise
 * op (gi_elementwise_attr). The gradient is the same op on the cotangent. Elements count in
 * logical order. */
/* random_uniform  () -> low + (high - low) u;  random_normal  () -> mean + deviation z */
typedef struct gi_random_attr {
  gi_type type;
  double a, b; /* low, high; mean, deviation */
  uint64_t stream;
} gi_random_attr;
extern const gi_op gi_op_dropout, gi_op_random_uniform, gi_op_random_normal;

/* random_integers  () -> low .. high - 1;  random_permutation  () -> 0 .. n - 1 by chance */
typedef struct gi_random_integers_attr {
  gi_type type;
  int64_t low, high;
  uint64_t stream;
} gi_random_integers_attr;
/* random_truncated_normal  () -> mean + deviation z in low .. high */
typedef struct gi_random_truncated_attr {
  gi_type type;
  double mean, deviation, low, high;
  uint64_t stream;
} gi_random_truncated_attr;
extern const gi_op gi_op_random_integers, gi_op_random_permutation,
    gi_op_random_truncated_normal;

/* ---- recurrent layers ---------------------------------------------------------------- */

/* rnn, gru, lstm and their gradients: ops/recurrent.h tells the inputs. Flags say which of the
 * inputs that need not be there are. */
typedef struct gi_recurrent_attr {
  bool reverse; /* the last step is the first */
  bool lengths;
  const char *activation;     /* rnn: "tanh", "relu" */
  bool bias;                  /* gru */
  bool peepholes, projection; /* lstm */
  bool saved;                 /* gru_grad, lstm_grad: cotangents of what was saved for them */
} gi_recurrent_attr;
extern const gi_op gi_op_rnn, gi_op_rnn_grad, gi_op_gru, gi_op_gru_grad, gi_op_lstm,
    gi_op_lstm_grad;

/* ---- attention ----------------------------------------------------------------------- */

/* attention       q [N, H, T, D], k [N, G, S, D], v [N, G, S, E][, mask] -> y [N, H, T, E], log
 *                 of the sum of e^score [N, H, T], 0 for rows that see no key
 * attention_grad  q, k, v, that log, delta [N, H, T], dy[, mask] -> dq, dk, dv
 * G divides H. mask broadcasts to [N, H, T, S]: bool says which keys are seen, floats are added
 * to the scores. Causal: row t sees the keys s <= t + offset. */
typedef struct gi_attention_attr {
  double scale;
  bool causal;
  int64_t offset;
  double dropout;
  uint64_t stream;
} gi_attention_attr;
extern const gi_op gi_op_attention, gi_op_attention_grad;

/* ---- reductions ---------------------------------------------------------------------- */

/* sum, mean, max, min, prod, variance; argmax, argmin (one axis). Axes ascend and are all
 * listed. */
typedef struct gi_reduce_attr {
  gi_dims axes;
  bool keep;
  bool unbiased; /* variance only */
} gi_reduce_attr;
extern const gi_op gi_op_sum, gi_op_mean, gi_op_max, gi_op_min, gi_op_prod, gi_op_variance,
    gi_op_argmax, gi_op_argmin;

/* cumsum, cumprod  x -> x's shape;  linear_scan  a, b -> y[i] = a[i] y[i - 1] + b[i] */
typedef struct gi_cumulative_attr {
  int64_t axis;
  bool reverse;
} gi_cumulative_attr;
extern const gi_op gi_op_cumsum, gi_op_cumprod, gi_op_linear_scan;

/* ---- shapes and places --------------------------------------------------------------- */

typedef struct gi_shape_attr {
  gi_dims shape;
} gi_shape_attr; /* reshape, broadcast_to */
typedef struct gi_permute_attr {
  gi_dims axes;
} gi_permute_attr; /* axis k is x's axes[k] */
typedef struct gi_again_attr {
  int64_t number;
} gi_again_attr;
extern const gi_op gi_op_reshape, gi_op_broadcast_to, gi_op_permute, gi_op_stop_gradient,
    gi_op_again;

extern const gi_op gi_op_flip; /* gi_permute_attr: the axes that are turned round */

/* tril, triu  x [..., M, N]: element (i, j) stays where j - i <= diagonal, or >= */
typedef struct gi_triangle_attr {
  int64_t diagonal;
} gi_triangle_attr;
extern const gi_op gi_op_tril, gi_op_triu;

/* place, the transpose of slice: element i goes to begin + i step of `size` zeros. */
typedef struct gi_slice_attr {
  int64_t axis, begin, end, step;
} gi_slice_attr;
typedef struct gi_place_attr {
  int64_t axis, begin, step, size;
} gi_place_attr;
typedef struct gi_pad_attr {
  gi_dims before, after;
  double value;
} gi_pad_attr;
extern const gi_op gi_op_slice, gi_op_place, gi_op_pad;
/* write_at  x, part, at -> x, the part over its elements from `at` on (gi_axis_attr) */
extern const gi_op gi_op_write_at;

/* resize       x [.., n, ..] -> [.., size, ..], interpolated at the places i slope + offset
 * resize_grad  its transpose: back to `size`, what was the axis of x (ops/resize.h) */
typedef struct gi_resize_attr {
  int64_t axis, size;
  double slope, offset, sharpness;
  const char *mode; /* "nearest", "linear", "cubic", "area" */
  bool up, smooth, inner, bounded;
} gi_resize_attr;
extern const gi_op gi_op_resize, gi_op_resize_grad;

/* gather       x, index -> x[:axis] + index + x[axis + 1:]
 * scatter_add  y, index -> its transpose, `size` along axis
 * take_along   x, index -> index's shape
 * put_along    y, index -> its transpose, `size` along axis
 * Indices are i64 or i32. sparse (gather, scatter_add along axis 0): an optimiser is to see the
 * gradient as the rows that are named, and to leave all others as they are (ops/rows.h). */
typedef struct gi_gather_attr {
  int64_t axis, size;
  bool sparse;
} gi_gather_attr;
extern const gi_op gi_op_gather, gi_op_scatter_add, gi_op_take_along, gi_op_put_along;

/* write_rows  x [R, ..], index [n], rows [n, ..], count [] -> x's shape; no attributes */
extern const gi_op gi_op_write_rows;

/* one_hot  index [...] -> [..., classes];  range  () -> 0 .. classes - 1 */
typedef struct gi_one_hot_attr {
  int64_t classes;
  glia_dtype dtype;
} gi_one_hot_attr;
extern const gi_op gi_op_one_hot, gi_op_range;

/* sort  x -> values, where they were (i64): the first count elements of an axis in order */
typedef struct gi_sort_attr {
  int64_t axis, count;
  bool descending;
} gi_sort_attr;
extern const gi_op gi_op_sort;

/* scatter  x, index, updates -> x's shape; mode "set", "add", "mul", "max", "min" */
typedef struct gi_scatter_attr {
  int64_t axis;
  const char *mode;
} gi_scatter_attr;
extern const gi_op gi_op_scatter;

/* nonzero      x [...] -> index [elements, rank] i64, count [] i64; no attributes
 * unique       x [...] -> values [elements], inverse of x's shape, counts [elements], count []
 * ravel_index  index [..., k] -> [...] i64; gi_shape_attr: the k axes it counts in */
extern const gi_op gi_op_nonzero, gi_op_unique, gi_op_ravel_index;

/* cummax, cummin  x -> x's shape, where (i64); never reverse */
extern const gi_op gi_op_cummax, gi_op_cummin;

/* nms  boxes [N, 4], scores [N][, classes [N]] -> what stays [N], count [] */
typedef struct gi_nms_attr {
  double iou, score;
  int64_t most;
} gi_nms_attr;
extern const gi_op gi_op_nms;

/* ---- whole numbers with all their bits (integer.c) --------------------------------------- */

typedef struct gi_integer_attr {
  bool natural; /* i64 only: its bits are a number from 0 to 2^64 - 1 */
} gi_integer_attr;
extern const gi_op gi_op_integer_add, gi_op_integer_sub, gi_op_integer_mul, gi_op_integer_div,
    gi_op_integer_rem, gi_op_integer_mod, gi_op_integer_max, gi_op_integer_min,
    gi_op_integer_less, gi_op_integer_equal, gi_op_bit_and, gi_op_bit_or, gi_op_bit_xor,
    gi_op_shift_left, gi_op_shift_right;
typedef struct gi_bit_cast_attr {
  glia_dtype dtype;
} gi_bit_cast_attr;
extern const gi_op gi_op_bit_cast;

/* determinant  x [..., n, n] -> [...]; no attributes */
extern const gi_op gi_op_determinant;

#endif /* GI_ATTRS_H */
