/* glia/graph.h - values, the graph they live in, ops that build it, gradients.
 *
 * A value is the result of an op that has not run yet: its shape and dtype are known as soon as
 * it is made, its elements when the graph has been compiled and run (glia/run.h). The graph
 * owns every value; freeing it frees all.
 *
 * Builders return values, so that calls nest. The first one that fails latches its status and
 * message in the graph, with the scope path, the op and the shapes on both sides; from then on
 * builders return the null value and do nothing. glia_graph_status, glia_compile and glia_eval
 * give the latched failure back.
 *
 * Elementwise ops broadcast as NumPy does and want equal dtypes (glia_cast changes one). Ops
 * marked "no gradient" stop gradients; a loss that can reach a parameter only through such ops
 * is an error that names them.
 */
#ifndef GLIA_GRAPH_H
#define GLIA_GRAPH_H

#include "glia/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glia_graph glia_graph;
typedef struct glia_value {
  glia_graph *graph; /* NULL: the null value */
  uint32_t id;
} glia_value;

#ifndef __cplusplus
#define GLIA_NONE ((glia_value){NULL, 0}) /* an argument that is left out */
#endif

/* An empty graph. Owned; freeing it frees every value of it. GLIA_NOMEM. */
GLIA_NODISCARD GLIA_API glia_status glia_graph_new(glia_graph **out);
GLIA_API void glia_graph_free(glia_graph *g);
/* The latched failure (its message becomes glia_error_message), or GLIA_OK. */
GLIA_NODISCARD GLIA_API glia_status glia_graph_status(const glia_graph *g);
/* The graph as text, one node a line, with names, shapes and attributes. Owned, free(). */
GLIA_API char *glia_graph_text(const glia_graph *g);

/* What is known of a value as soon as it is made; f32 for the null value. */
GLIA_API glia_dtype glia_value_dtype(glia_value v);
GLIA_API int glia_value_rank(glia_value v);              /* -1 for the null value */
GLIA_API const int64_t *glia_value_shape(glia_value v);  /* borrowed until the graph is freed */
GLIA_API int64_t glia_value_dim(glia_value v, int axis); /* negative axes count from the end */

/* ---- sources and ends -------------------------------------------------------------------- */

/* Memory given anew at every run. `name` is unique in the graph. */
GLIA_API glia_value glia_input(glia_graph *g, const char *name, glia_dtype dtype, int rank,
                               const int64_t *shape);
/* Fixed elements, copied from row-major data. Equal constants are one value: what gradients are
 * taken of should be an input or a parameter. */
GLIA_API glia_value glia_constant(glia_graph *g, glia_dtype dtype, int rank,
                                  const int64_t *shape, const void *data);
GLIA_API glia_value glia_scalar(glia_graph *g, glia_dtype dtype, double v); /* rank 0 */
/* A rank-0 constant of the dtype of `like`. */
GLIA_API glia_value glia_scalar_like(glia_value like, double v);
/* All elements equal v, shape and dtype of `like`. */
GLIA_API glia_value glia_full_like(glia_value like, double v);
/* Marks v as a result of the graph under this name (unique). Returns v. */
GLIA_API glia_value glia_output(const char *name, glia_value v);
/* variable := value at the end of the step: what reads the variable within the step reads the
 * old value. The variable is a parameter or buffer (glia/nn.h), of the value's shape and dtype;
 * each may be assigned once a graph. */
GLIA_API void glia_assign(glia_value variable, glia_value value);

/* ---- gradients --------------------------------------------------------------------------- */

/* grads[i] = d loss / d wrt[i], as nodes of the same graph, which can be differentiated again.
 * `loss` is a scalar (rank 0 or one element) of a float dtype. A loss that does not depend on
 * wrt[i] is an error (GLIA_MODEL) that names it and the ops without gradient on the way. */
GLIA_NODISCARD GLIA_API glia_status glia_grad(glia_value loss, const glia_value *wrt, int n,
                                              glia_value *grads);
/* The value itself; gradients stop here. */
GLIA_API glia_value glia_stop_gradient(glia_value x);

/* ---- elementwise ------------------------------------------------------------------------- */

GLIA_API glia_value glia_add(glia_value a, glia_value b); /* a + b */
GLIA_API glia_value glia_sub(glia_value a, glia_value b); /* a - b */
GLIA_API glia_value glia_mul(glia_value a, glia_value b); /* a b */
GLIA_API glia_value glia_div(glia_value a, glia_value b); /* a / b */
GLIA_API glia_value glia_pow(glia_value a, glia_value b); /* a^b; gradient in b wants a > 0 */
GLIA_API glia_value glia_minimum(glia_value a,
                                 glia_value b); /* NaN wins; ties share the gradient */
GLIA_API glia_value glia_maximum(glia_value a, glia_value b);
/* Comparisons give bool and have no gradient. */
GLIA_API glia_value glia_equal(glia_value a, glia_value b);
GLIA_API glia_value glia_not_equal(glia_value a, glia_value b);
GLIA_API glia_value glia_less(glia_value a, glia_value b);
GLIA_API glia_value glia_less_equal(glia_value a, glia_value b);
GLIA_API glia_value glia_greater(glia_value a, glia_value b);
GLIA_API glia_value glia_greater_equal(glia_value a, glia_value b);
GLIA_API glia_value glia_logical_and(glia_value a, glia_value b); /* bool */
GLIA_API glia_value glia_logical_or(glia_value a, glia_value b);
GLIA_API glia_value glia_logical_not(glia_value a);
/* condition ? a : b, element by element; condition is bool. */
GLIA_API glia_value glia_where(glia_value condition, glia_value a, glia_value b);

GLIA_API glia_value glia_neg(glia_value x);        /* -x */
GLIA_API glia_value glia_abs(glia_value x);        /* gradient sign(x), 0 at 0 */
GLIA_API glia_value glia_sign(glia_value x);       /* gradient 0 */
GLIA_API glia_value glia_floor(glia_value x);      /* gradient 0 */
GLIA_API glia_value glia_ceil(glia_value x);       /* gradient 0 */
GLIA_API glia_value glia_round(glia_value x);      /* half to even; gradient 0 */
GLIA_API glia_value glia_square(glia_value x);     /* x^2 */
GLIA_API glia_value glia_reciprocal(glia_value x); /* 1/x */
GLIA_API glia_value glia_sqrt(glia_value x);
GLIA_API glia_value glia_rsqrt(glia_value x); /* 1/sqrt(x) */
GLIA_API glia_value glia_exp(glia_value x);
GLIA_API glia_value glia_log(glia_value x);   /* natural */
GLIA_API glia_value glia_log1p(glia_value x); /* log(1 + x) */
GLIA_API glia_value glia_expm1(glia_value x); /* e^x - 1 */
GLIA_API glia_value glia_sin(glia_value x);   /* radians */
GLIA_API glia_value glia_cos(glia_value x);
GLIA_API glia_value glia_tan(glia_value x);
GLIA_API glia_value glia_asin(glia_value x); /* -pi/2 .. pi/2; NaN outside of -1 .. 1 */
GLIA_API glia_value glia_acos(glia_value x); /* 0 .. pi; NaN outside of -1 .. 1 */
GLIA_API glia_value glia_atan(glia_value x); /* -pi/2 .. pi/2 */
GLIA_API glia_value glia_sinh(glia_value x);
GLIA_API glia_value glia_cosh(glia_value x);
GLIA_API glia_value glia_asinh(glia_value x);
GLIA_API glia_value glia_acosh(glia_value x); /* x >= 1 */
GLIA_API glia_value glia_atanh(glia_value x); /* -1 < x < 1 */
GLIA_API glia_value glia_erf(glia_value x);
GLIA_API glia_value glia_is_nan(glia_value x); /* bool; no gradient */

GLIA_API glia_value glia_sigmoid(glia_value x); /* 1 / (1 + e^-x) */
GLIA_API glia_value glia_tanh(glia_value x);
GLIA_API glia_value glia_relu(glia_value x);  /* max(x, 0); gradient 0 at 0; NaN stays NaN */
GLIA_API glia_value glia_relu6(glia_value x); /* min(max(x, 0), 6) */
GLIA_API glia_value glia_selu(glia_value x);  /* arXiv:1706.02515 */
GLIA_API glia_value glia_gelu(glia_value x);  /* x Phi(x), by erf; arXiv:1606.08415 */
GLIA_API glia_value glia_gelu_tanh(glia_value x); /* the tanh approximation of the same paper */
GLIA_API glia_value glia_silu(glia_value x);      /* x sigmoid(x); arXiv:1702.03118 */
GLIA_API glia_value glia_mish(glia_value x);      /* x tanh(softplus(x)); arXiv:1908.08681 */
GLIA_API glia_value glia_softplus(glia_value x);  /* log(1 + e^x), without overflow */
GLIA_API glia_value glia_softsign(glia_value x);  /* x / (1 + |x|) */
GLIA_API glia_value glia_hard_sigmoid(glia_value x); /* clip(x / 6 + 1/2, 0, 1) */
GLIA_API glia_value glia_hard_swish(glia_value x);   /* x hard_sigmoid(x); arXiv:1905.02244 */
GLIA_API glia_value glia_leaky_relu(glia_value x, double slope); /* x > 0 ? x : slope x */
GLIA_API glia_value glia_elu(glia_value x, double alpha); /* x > 0 ? x : alpha (e^x - 1) */
GLIA_API glia_value glia_celu(glia_value x,
                              double alpha);        /* x > 0 ? x : alpha (e^(x/alpha) - 1) */
GLIA_API glia_value glia_log_sigmoid(glia_value x); /* log(sigmoid(x)), without overflow */
GLIA_API glia_value glia_soft_shrink(glia_value x, double limit); /* towards 0 by limit */
GLIA_API glia_value glia_hard_shrink(glia_value x, double limit); /* |x| > limit ? x : 0 */
GLIA_API glia_value glia_tanh_shrink(glia_value x);               /* x - tanh(x) */
/* x > threshold ? x : value */
GLIA_API glia_value glia_threshold(glia_value x, double threshold, double value);
/* a sigmoid(b), a and b the halves of x along an axis of even size; arXiv:1612.08083 */
GLIA_API glia_value glia_glu(glia_value x, int axis);
/* x > 0 ? x : weight x. weight has one element, or [C] for x [N, C, ...]; arXiv:1502.01852 */
GLIA_API glia_value glia_prelu(glia_value x, glia_value weight);
/* min(max(x, low), high); gradient 1 inside and at the ends, 0 outside. */
GLIA_API glia_value glia_clip(glia_value x, double low, double high);

/* Rounds as glia_tensor_cast does; between floats the gradient is cast back, else none. */
GLIA_API glia_value glia_cast(glia_value x, glia_dtype dtype);

/* ---- reductions -----------------------------------------------------------------------------
 * Over the listed axes; none listed: all. Without keep, reduced axes go away. Empty sums are 0,
 * empty products 1; empty max, min, mean, variance and arg are errors. */

typedef struct glia_reduce_opts {
  size_t size;
  int n; /* axes listed; 0: all */
  int axes[GLIA_MAX_RANK];
  bool keep;     /* reduced axes stay, with size 1 */
  bool unbiased; /* variance only: divide by count - 1 */
} glia_reduce_opts;

/* x [...] of numbers -> the reduced shape, of x's dtype. */
GLIA_API glia_value glia_sum_opt(glia_value x, const glia_reduce_opts *opt);
GLIA_API glia_value glia_mean_opt(glia_value x, const glia_reduce_opts *opt);
GLIA_API glia_value glia_max_opt(glia_value x, const glia_reduce_opts *opt); /* ties share */
GLIA_API glia_value glia_min_opt(glia_value x, const glia_reduce_opts *opt);
GLIA_API glia_value glia_prod_opt(glia_value x, const glia_reduce_opts *opt);
GLIA_API glia_value glia_variance_opt(glia_value x, const glia_reduce_opts *opt);
/* Index (i64) of the first largest or smallest element of one axis; no gradient. */
GLIA_API glia_value glia_argmax(glia_value x, int axis, bool keep);
GLIA_API glia_value glia_argmin(glia_value x, int axis, bool keep);

#ifndef __cplusplus /* glia_sum(x, .n = 1, .axes = {-1}) */
#define glia_sum(...) \
  GLIA_NAMED1(glia_sum_opt, glia_reduce_opts, __VA_ARGS__, .size = sizeof(glia_reduce_opts))
#define glia_mean(...) \
  GLIA_NAMED1(glia_mean_opt, glia_reduce_opts, __VA_ARGS__, .size = sizeof(glia_reduce_opts))
#define glia_max(...) \
  GLIA_NAMED1(glia_max_opt, glia_reduce_opts, __VA_ARGS__, .size = sizeof(glia_reduce_opts))
#define glia_min(...) \
  GLIA_NAMED1(glia_min_opt, glia_reduce_opts, __VA_ARGS__, .size = sizeof(glia_reduce_opts))
#define glia_prod(...) \
  GLIA_NAMED1(glia_prod_opt, glia_reduce_opts, __VA_ARGS__, .size = sizeof(glia_reduce_opts))
#define glia_variance(...)                                      \
  GLIA_NAMED1(glia_variance_opt, glia_reduce_opts, __VA_ARGS__, \
              .size = sizeof(glia_reduce_opts))
#endif

/* x[0] + ... + x[i] along an axis, and x[0] ... x[i]; with reverse from the other end, x[i] +
 * ... + x[n - 1]. x's shape and dtype; cumprod's gradient is right where x is 0, too. */
GLIA_API glia_value glia_cumsum(glia_value x, int axis, bool reverse);
GLIA_API glia_value glia_cumprod(glia_value x, int axis, bool reverse);
/* y[i] = a[i] y[i - 1] + b[i] along an axis, y[-1] = 0; a and b of one shape. */
GLIA_API glia_value glia_linear_scan(glia_value a, glia_value b, int axis, bool reverse);

/* ---- matrices ---------------------------------------------------------------------------- */

typedef struct glia_matmul_opts {
  size_t size;
  bool transpose_a, transpose_b; /* the last two axes of a, of b, are swapped first */
} glia_matmul_opts;
/* [..., M, K] x [..., K, N] -> [..., M, N]; leading axes broadcast. Rank 1 is not taken. */
GLIA_API glia_value glia_matmul_opt(glia_value a, glia_value b, const glia_matmul_opts *opt);
#ifndef __cplusplus
#define glia_matmul(...) \
  GLIA_NAMED2(glia_matmul_opt, glia_matmul_opts, __VA_ARGS__, .size = sizeof(glia_matmul_opts))
#endif
/* Sums of products of n operands by Einstein's notation, as torch.einsum: "bij,bjk->bik", "ii",
 * "...ij->...ji". */
GLIA_API glia_value glia_einsum(const char *equation, const glia_value *in, int n);

/* x [..., n, n] -> [...], by elimination with the largest pivots; no gradient. */
GLIA_API glia_value glia_determinant(glia_value x);
/* a b / (max(|a|, eps) max(|b|, eps)) along an axis, by the inner product; a and b broadcast.
 */
GLIA_API glia_value glia_cosine_similarity(glia_value a, glia_value b, int axis, double eps);

/* ---- shapes and places ------------------------------------------------------------------- */

GLIA_API glia_value glia_reshape(glia_value x, int rank, const int64_t *shape); /* one -1 */
/* [N, ...] -> [N, rest]. */
GLIA_API glia_value glia_flatten(glia_value x);
GLIA_API glia_value glia_permute(glia_value x, const int *axes); /* as many as x has */
GLIA_API glia_value glia_transpose(glia_value x, int axis_a, int axis_b);
GLIA_API glia_value glia_broadcast_to(glia_value x, int rank, const int64_t *shape);
/* Sums x down to the shape of `like`, undoing a broadcast. */
GLIA_API glia_value glia_sum_to(glia_value x, glia_value like);
GLIA_API glia_value glia_concat(const glia_value *parts, int n, int axis);
/* Elements begin, begin + step, ... < end; negative begin and end count from the end, an end
 * past the axis is cut; step >= 1. */
GLIA_API glia_value glia_slice(glia_value x, int axis, int64_t begin, int64_t end,
                               int64_t step);
/* n parts of sizes[i], which must add up to the axis; sizes NULL: n equal parts. */
GLIA_API void glia_split(glia_value x, int axis, int n, const int64_t *sizes, glia_value *out);
/* before[i] and after[i] copies of `value` around axis i; counts >= 0. */
GLIA_API glia_value glia_pad(glia_value x, const int64_t *before, const int64_t *after,
                             double value);
typedef enum glia_pad_mode {
  GLIA_PAD_REFLECT,   /* 2 1 | 0 1 2 3 | 2 1: counts < n */
  GLIA_PAD_REPLICATE, /* 0 0 | 0 1 2 3 | 3 3 */
  GLIA_PAD_CIRCULAR   /* 2 3 | 0 1 2 3 | 0 1: counts <= n */
} glia_pad_mode;
/* The same with x's own elements, n of them on axis i; negative counts cut. */
GLIA_API glia_value glia_pad_edge(glia_value x, const int64_t *before, const int64_t *after,
                                  glia_pad_mode mode);
/* The n listed axes back to front. */
GLIA_API glia_value glia_flip(glia_value x, const int *axes, int n);
/* Element i moves to i + shift along an axis; what leaves at one end enters at the other. */
GLIA_API glia_value glia_roll(glia_value x, int axis, int64_t shift);
/* times[i] copies of axis i side by side; n >= x's rank, new axes come in front (torch.tile).
 */
GLIA_API glia_value glia_tile(glia_value x, int n, const int64_t *times);
/* Every element of an axis so many times in a row (torch.repeat_interleave). */
GLIA_API glia_value glia_repeat(glia_value x, int axis, int64_t times);
/* [..., M, N]: element (i, j) stays where j - i <= diagonal, else 0; triu: where >= diagonal.
 */
GLIA_API glia_value glia_tril(glia_value x, int64_t diagonal);
GLIA_API glia_value glia_triu(glia_value x, int64_t diagonal);
/* [..., C factor^2, H, W] -> [..., C, H factor, W factor], and its inverse; arXiv:1609.05158 */
GLIA_API glia_value glia_pixel_shuffle(glia_value x, int64_t factor);
GLIA_API glia_value glia_pixel_unshuffle(glia_value x, int64_t factor);
/* [N, C, ...]: channel g (C / groups) + k becomes k groups + g; arXiv:1707.01083 */
GLIA_API glia_value glia_channel_shuffle(glia_value x, int64_t groups);
/* x's entries at `index` (i64 or i32) along an axis: shape x[:axis] + index + x[axis+1:]. An
 * index out of range is reported at run time with its position. */
GLIA_API glia_value glia_gather(glia_value x, glia_value index, int axis);
/* The transpose of gather: a tensor of x's shape, `size` along axis, to whose entries at index
 * the entries of y are added. */
GLIA_API glia_value glia_scatter_add(glia_value y, glia_value index, int axis, int64_t size);
/* out[i][j] = x[i][index[i][j]] for axis 1, and so on: index has x's rank and, but for `axis`,
 * its shape (torch.gather). */
GLIA_API glia_value glia_take_along(glia_value x, glia_value index, int axis);
/* Its transpose: zeros of x's shape with `size` along axis, y added at index. */
GLIA_API glia_value glia_put_along(glia_value y, glia_value index, int axis, int64_t size);
/* index [...] -> [..., classes]: 1 at the index, 0 elsewhere; no gradient. */
GLIA_API glia_value glia_one_hot(glia_value index, int64_t classes, glia_dtype dtype);
/* 0, 1, ..., n - 1 as [n]; no gradient. */
GLIA_API glia_value glia_range(glia_graph *g, int64_t n, glia_dtype dtype);

/* ---- resizing ---------------------------------------------------------------------------- */

typedef enum glia_resize_mode {
  GLIA_RESIZE_NEAREST,
  GLIA_RESIZE_LINEAR, /* along every axis: bilinear, trilinear */
  GLIA_RESIZE_CUBIC,
  GLIA_RESIZE_AREA /* averages of floor(i n / m) .. ceil((i + 1) n / m) - 1 */
} glia_resize_mode;
/* Which place of x element i of the result looks at; n elements become m, step = n / m or,
 * where a factor is given, 1 / factor. */
typedef enum glia_coordinates {
  GLIA_COORDINATES_DEFAULT,  /* as PyTorch: nearest asymmetric, else half pixel */
  GLIA_HALF_PIXEL,           /* (i + 1/2) step - 1/2 */
  GLIA_ALIGN_CORNERS,        /* i (n - 1) / (m - 1); 0 if m = 1 */
  GLIA_ASYMMETRIC,           /* i step */
  GLIA_PYTORCH_HALF_PIXEL,   /* half pixel; 0 if m = 1 */
  GLIA_HALF_PIXEL_SYMMETRIC, /* half pixel, kept in the middle where factor n is not whole */
  GLIA_CROP                  /* crop_from .. crop_to of 0 .. n - 1, both ends hit */
} glia_coordinates;
typedef enum glia_rounding { /* nearest: which neighbour */
                             GLIA_ROUND_DOWN,
                             GLIA_ROUND_UP,
                             GLIA_ROUND_HALF_UP, /* the nearer one; of two as near the upper */
                             GLIA_ROUND_HALF_DOWN
} glia_rounding;
typedef struct glia_resize_opts {
  size_t size;
  int n;                       /* the last n axes are resized; 0: all but the first two */
  int64_t to[GLIA_MAX_RANK];   /* their sizes in the result; 0: floor(factor n) */
  double scale[GLIA_MAX_RANK]; /* their factors; 0: by the sizes */
  glia_resize_mode mode;
  glia_coordinates coordinates;
  glia_rounding rounding;
  bool antialias;       /* linear, cubic: weights as wide as what an element stands for */
  bool exclude_outside; /* places outside get no weight; false: the edge has theirs */
  double cubic;         /* Keys' a; 0: -0.75, with antialias -0.5 */
  double crop_from[GLIA_MAX_RANK], crop_to[GLIA_MAX_RANK]; /* parts of n - 1 */
  double outside; /* GLIA_CROP: result where it looks outside of x */
} glia_resize_opts;
/* x [..., n, ...] -> [..., m, ...] by interpolation; zeroed options are PyTorch's. */
GLIA_API glia_value glia_resize_opt(glia_value x, const glia_resize_opts *opt);
#ifndef __cplusplus /* glia_resize(x, .to = {32, 32}, .mode = GLIA_RESIZE_CUBIC) */
#define glia_resize(...) \
  GLIA_NAMED1(glia_resize_opt, glia_resize_opts, __VA_ARGS__, .size = sizeof(glia_resize_opts))
#endif

typedef enum glia_sample_mode {
  GLIA_SAMPLE_LINEAR,
  GLIA_SAMPLE_NEAREST, /* halves to even */
  GLIA_SAMPLE_CUBIC    /* a = -0.75 */
} glia_sample_mode;
typedef enum glia_outside { /* what is seen outside of x */
                            GLIA_OUTSIDE_ZEROS,
                            GLIA_OUTSIDE_BORDER,
                            GLIA_OUTSIDE_REFLECTION
} glia_outside;
typedef struct glia_sample_opts {
  size_t size;
  glia_sample_mode mode;
  glia_outside outside;
  bool align_corners; /* -1 and 1 are the centres of the first and last element; false: borders
                       */
} glia_sample_opts;
/* x [N, C, H, W] looked up at grid [N, OH, OW, 2] -> [N, C, OH, OW], or x [N, C, D, H, W] at
 * [N, OD, OH, OW, 3]. The last axis of the grid are places along W, H (, D), from -1 to 1. As
 * PyTorch's grid_sample; differentiable in both. */
GLIA_API glia_value glia_grid_sample_opt(glia_value x, glia_value grid,
                                         const glia_sample_opts *opt);
#ifndef __cplusplus
#define glia_grid_sample(...)                                      \
  GLIA_NAMED2(glia_grid_sample_opt, glia_sample_opts, __VA_ARGS__, \
              .size = sizeof(glia_sample_opts))
#endif
/* theta [N, k, k + 1], k = 2 or 3 -> the grid [N, shape..., k] of the places theta (x, y(, z),
 * 1) for all elements of an image or volume of this shape (k entries), as PyTorch. */
GLIA_API glia_value glia_affine_grid(glia_value theta, const int64_t *shape,
                                     bool align_corners);

/* ---- convolution and pooling ------------------------------------------------------------- */

typedef struct glia_window_opts {
  size_t size;
  int64_t kernel[2];   /* rows, columns; pooling only; 0, 0 is an error */
  int64_t stride[2];   /* 0: convolution 1; pooling: the kernel */
  int64_t padding[2];  /* on both sides; pooling: at most half the kernel */
  int64_t dilation[2]; /* 0 -> 1 */
  int64_t groups;      /* convolution; 0 -> 1 */
  bool
      count_padding; /* average pooling: divide by the whole window; false: by what lies in x */
  bool ceil_mode;    /* pooling: round the output size up, as PyTorch */
  int64_t output_padding[2]; /* transposed convolution: rows, columns more; below the stride */
} glia_window_opts;

/* Cross-correlation of x [N, C, H, W] with weight [F, C/groups, KH, KW], plus bias [F] (or
 * GLIA_NONE): y [N, F, OH, OW], OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride)
 * + 1. */
GLIA_API glia_value glia_conv2d_with(glia_value x, glia_value weight, glia_value bias,
                                     const glia_window_opts *opt);
/* The transpose of that map, as PyTorch's conv_transpose2d: x [N, C, H, W], weight [C,
 * F/groups, KH, KW], bias [F] (or GLIA_NONE) -> y [N, F, OH, OW], OH = (H - 1) stride - 2
 * padding + dilation (KH - 1) + 1 + output_padding. */
GLIA_API glia_value glia_conv2d_transpose_with(glia_value x, glia_value weight, glia_value bias,
                                               const glia_window_opts *opt);
/* [N, C, H, W] -> [N, C, OH, OW]. Padding never wins a maximum or minimum. */
GLIA_API glia_value glia_max_pool2d_opt(glia_value x, const glia_window_opts *opt);
GLIA_API glia_value glia_min_pool2d_opt(glia_value x, const glia_window_opts *opt);
GLIA_API glia_value glia_avg_pool2d_opt(glia_value x, const glia_window_opts *opt);
/* Cells of floor(i H / OH) .. ceil((i + 1) H / OH) rows, as PyTorch's adaptive pooling. */
GLIA_API glia_value glia_adaptive_avg_pool2d(glia_value x, int64_t height, int64_t width);
GLIA_API glia_value glia_adaptive_max_pool2d(glia_value x, int64_t height, int64_t width);
GLIA_API glia_value glia_global_avg_pool2d(glia_value x); /* [N, C] */
#ifndef __cplusplus
#define glia_max_pool2d(...)                                      \
  GLIA_NAMED1(glia_max_pool2d_opt, glia_window_opts, __VA_ARGS__, \
              .size = sizeof(glia_window_opts))
#define glia_min_pool2d(...)                                      \
  GLIA_NAMED1(glia_min_pool2d_opt, glia_window_opts, __VA_ARGS__, \
              .size = sizeof(glia_window_opts))
#define glia_avg_pool2d(...)                                      \
  GLIA_NAMED1(glia_avg_pool2d_opt, glia_window_opts, __VA_ARGS__, \
              .size = sizeof(glia_window_opts))
#endif

/* ---- recurrent layers -------------------------------------------------------------------- */

typedef struct glia_recurrence_opts {
  size_t size;
  bool reverse;           /* from the last step to the first */
  const char *activation; /* rnn: "tanh" or "relu"; NULL -> "tanh" */
  glia_value lengths;     /* i64 or i32 [N]: the steps of each sequence that count, at most T (a
                             failure of the run that names the first that is not); GLIA_NONE: all */
  glia_value bias;        /* gru: b [H]; GLIA_NONE: none */
  glia_value peepholes;   /* lstm: [3, H], p of the gates i, f, o; GLIA_NONE: none */
  glia_value projection;  /* lstm: V [P, H]; GLIA_NONE: none, P = H */
  bool reset_before; /* gru: the reset gate comes before the product, U_n (r h) + b, as in the
                        paper, in Keras with reset_after=False and in ONNX with
                        linear_before_reset=0. Built of other ops, step by step */
} glia_recurrence_opts;

/* One layer and direction over all time steps. x [T, N, gates H] is what each step brings, W x
 * + b, which one product gives for all steps; weight [gates H, P] is U; h0 [N, P] and c0 [N, H]
 * are the states before the first step. Result: the state after each step [T, N, P]; `last`
 * receives that after the last one [N, P] (NULL: not wanted). Steps that do not count give
 * zeros and leave the state alone; reversed, a sequence begins at its own last step.
 *
 * rnn, one gate:           h = act(x + U h)
 *
 * gru, gates r, z, n:      r = sigmoid(x_r + U_r h), z = sigmoid(x_z + U_z h)
 * (arXiv:1406.1078)        n = tanh(x_n + r (U_n h + b)), h = (1 - z) n + z h
 *
 * lstm, gates i, f, g, o:  i = sigmoid(x_i + U_i h + p_i c), f = sigmoid(x_f + U_f h + p_f c)
 * (doi:10.1162/            g = tanh(x_g + U_g h), c = f c + i g
 * neco.1997.9.8.1735)      o = sigmoid(x_o + U_o h + p_o c), h = V (o tanh(c)) */
GLIA_API glia_value glia_rnn_with(glia_value x, glia_value weight, glia_value h0,
                                  const glia_recurrence_opts *opt, glia_value *last);
GLIA_API glia_value glia_gru_with(glia_value x, glia_value weight, glia_value h0,
                                  const glia_recurrence_opts *opt, glia_value *last);
GLIA_API glia_value glia_lstm_with(glia_value x, glia_value weight, glia_value h0,
                                   glia_value c0, const glia_recurrence_opts *opt,
                                   glia_value *last_h, glia_value *last_c);

/* ---- normalisation, softmax, chance ------------------------------------------------------ */

/* Batch statistics over all axes but 1 (arXiv:1502.03167): y = (x - mean) / sqrt(var + eps)
 * gamma + beta; x [N, C, ...], gamma and beta [C]; mean and variance (biased) [C] are given
 * back. */
GLIA_API glia_value glia_batch_norm_train(glia_value x, glia_value gamma, glia_value beta,
                                          double eps, glia_value *mean, glia_value *variance);
/* (x - mean) / sqrt(variance + eps) gamma + beta with the mean and variance of the last n axes,
 * whose shape gamma and beta have; either may be GLIA_NONE. arXiv:1607.06450 */
GLIA_API glia_value glia_layer_norm_with(glia_value x, int n, glia_value gamma, glia_value beta,
                                         double eps);
/* x / sqrt(mean of x^2 + eps) gamma over the last n axes. arXiv:1910.07467 */
GLIA_API glia_value glia_rms_norm_with(glia_value x, int n, glia_value gamma, double eps);
/* x [N, C, ...] normalised over groups of C / groups channels of each n, then by channel times
 * gamma [C] plus beta [C], either of which may be GLIA_NONE. groups = C: instance
 * normalisation. arXiv:1803.08494, arXiv:1607.08022 */
GLIA_API glia_value glia_group_norm_with(glia_value x, int64_t groups, glia_value gamma,
                                         glia_value beta, double eps);
/* x [N, C, ...] / (k + alpha s / width)^beta, s the sum of x^2 over the channels c - width / 2
 * .. c + (width - 1) / 2. (Krizhevsky et al. 2012) */
GLIA_API glia_value glia_local_response_norm(glia_value x, int64_t width, double alpha,
                                             double beta, double k);
GLIA_API glia_value glia_softmax(glia_value x, int axis);
GLIA_API glia_value glia_log_softmax(glia_value x, int axis);
/* Zeroes each element with probability p and scales the others by 1 / (1 - p). What falls away
 * is a function of (seed, stream, step, element); the gradient draws the same again. */
GLIA_API glia_value glia_dropout_with(glia_value x, double p, uint64_t stream);
/* Uniform in [low, high), and normal; fresh at every step. */
GLIA_API glia_value glia_random_uniform(glia_graph *g, glia_dtype dtype, int rank,
                                        const int64_t *shape, double low, double high,
                                        uint64_t stream);
GLIA_API glia_value glia_random_normal(glia_graph *g, glia_dtype dtype, int rank,
                                       const int64_t *shape, double mean, double deviation,
                                       uint64_t stream);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_GRAPH_H */
