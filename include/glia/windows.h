/* glia/windows.h - windows that slide along one, two or three axes: convolution with weights
 * that are given, pooling and its inverse, windows as columns. As glia/graph.h, where the same
 * is found for images alone; layers that make their weights are in glia/nn.h.
 *
 * Options list one number for each axis, the outermost first: {depth, rows, columns}, {rows,
 * columns} or {length}.
 */
#ifndef GLIA_WINDOWS_H
#define GLIA_WINDOWS_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- convolution ------------------------------------------------------------------------- */

typedef enum glia_border { /* what is seen in the padding */
                           GLIA_BORDER_ZEROS,
                           GLIA_BORDER_REFLECT,   /* 2 1 | 0 1 2: padding below the size */
                           GLIA_BORDER_REPLICATE, /* 0 0 | 0 1 2 */
                           GLIA_BORDER_CIRCULAR   /* 1 2 | 0 1 2: padding up to the size */
} glia_border;

typedef struct glia_conv_opts {
  size_t size;
  int64_t stride[3];   /* 0 -> 1 */
  int64_t padding[3];  /* on both sides */
  int64_t dilation[3]; /* 0 -> 1 */
  int64_t groups;      /* 0 -> 1 */
  bool same;           /* in place of padding: as much as keeps the size (stride 1), an odd
                          one at the end */
  glia_border border;  /* transposed: zeros only */
  int64_t output_padding[3]; /* transposed only: elements more at the end, fewer than stride or
                                dilation */
} glia_conv_opts;

/* Cross-correlation: x [N, C, A...] with weight [F, C/groups, K...], 1 to 3 axes A, plus bias
 * [F] (or GLIA_NONE) -> y [N, F, B...], B = floor((A + 2 padding - dilation (K - 1) - 1) /
 * stride) + 1. x without N gives y without N. Differentiable in x, weight and bias. Latches
 * GLIA_SHAPE, GLIA_DTYPE, GLIA_INVALID. */
GLIA_API glia_value glia_conv_with_opt(glia_value x, glia_value weight, glia_value bias,
                                       const glia_conv_opts *opt);
/* The transpose of that map, as PyTorch's conv_transpose: x [N, C, A...], weight [C, F/groups,
 * K...], bias [F] (or GLIA_NONE) -> y [N, F, B...], B = (A - 1) stride - 2 padding + dilation
 * (K - 1) + 1 + output_padding. */
GLIA_API glia_value glia_conv_transpose_with_opt(glia_value x, glia_value weight,
                                                 glia_value bias, const glia_conv_opts *opt);

/* ---- pooling ----------------------------------------------------------------------------- */

typedef struct glia_pool_opts {
  size_t size;
  int axes;            /* the last so many are pooled, 1 to 3; 0: all but the first two */
  int64_t kernel[3];   /* must be given; 0 behind the first: as the first */
  int64_t stride[3];   /* 0: the kernel */
  int64_t padding[3];  /* on both sides, at most half the kernel */
  int64_t dilation[3]; /* 0 -> 1; not for averages */
  bool ceil_mode;      /* round the size of the result up, as PyTorch */
  bool count_padding;  /* average: divide by the whole window; false: by what lies in x */
  double divisor;      /* average: divide by this instead; 0: by the number of cells */
  double power;        /* of Lp pooling; 0 -> 2 */
} glia_pool_opts;

/* x [..., A...] -> [..., B...]. Padding never wins a maximum or minimum. `index` (or NULL)
 * receives where the winner lies in A..., row-major, i64, the first of equals: what
 * glia_max_unpool wants. */
GLIA_API glia_value glia_max_pool_opt(glia_value x, glia_value *index,
                                      const glia_pool_opts *opt);
GLIA_API glia_value glia_min_pool_opt(glia_value x, glia_value *index,
                                      const glia_pool_opts *opt);
/* Means of windows. */
GLIA_API glia_value glia_avg_pool_opt(glia_value x, const glia_pool_opts *opt);
/* (sum of x^p)^(1/p) of each window, without padding; as PyTorch's lp_pool, of a window cut by
 * ceil_mode the mean times the whole window's cells. */
GLIA_API glia_value glia_lp_pool_opt(glia_value x, const glia_pool_opts *opt);
/* The last `axes` axes to size[0], ..., by cells of floor(i A / B) .. ceil((i + 1) A / B); a
 * size of 0 keeps the axis. `index` (or NULL) as for glia_max_pool. */
GLIA_API glia_value glia_adaptive_avg_pool(glia_value x, int axes, const int64_t *size);
GLIA_API glia_value glia_adaptive_max_pool(glia_value x, int axes, const int64_t *size,
                                           glia_value *index);
/* Zeros [..., A...], size[] = A, with y [..., B...] put at index (of y's shape, i64 or i32),
 * over the last `axes` axes. An index that is not in A is reported at run time. */
GLIA_API glia_value glia_max_unpool(glia_value y, glia_value index, int axes,
                                    const int64_t *size);

/* ---- windows as columns ------------------------------------------------------------------ */

typedef struct glia_unfold_opts {
  size_t size;
  int64_t kernel[2];   /* rows, columns; must be given */
  int64_t stride[2];   /* 0 -> 1 */
  int64_t padding[2];  /* zeros on both sides */
  int64_t dilation[2]; /* 0 -> 1 */
} glia_unfold_opts;
/* x [N, C, H, W] -> [N, C KH KW, L], a column for each of the L = OH OW windows, as PyTorch's
 * unfold (im2col). */
GLIA_API glia_value glia_unfold_opt(glia_value x, const glia_unfold_opts *opt);
/* Its transpose: columns [N, C KH KW, L] added up to images [N, C, height, width]. */
GLIA_API glia_value glia_fold_opt(glia_value columns, int64_t height, int64_t width,
                                  const glia_unfold_opts *opt);
/* All windows of `length` elements, `step` apart, of one axis: [.., n, ..] -> [.., count,
 * length, ..], count = floor((n - length) / step) + 1. */
GLIA_API glia_value glia_frames(glia_value x, int axis, int64_t length, int64_t step);
/* Its transpose: frames [.., count, length, ..] added up to [.., (count - 1) step + length,
 * ..]; `axis` is that of count. */
GLIA_API glia_value glia_overlap_add(glia_value frames, int axis, int64_t step);

#ifndef __cplusplus /* glia_max_pool(x, NULL, .kernel = {2, 2, 2}) */
#define glia_conv_with(...) \
  GLIA_NAMED3(glia_conv_with_opt, glia_conv_opts, __VA_ARGS__, .size = sizeof(glia_conv_opts))
#define glia_conv_transpose_with(...)                                    \
  GLIA_NAMED3(glia_conv_transpose_with_opt, glia_conv_opts, __VA_ARGS__, \
              .size = sizeof(glia_conv_opts))
#define glia_max_pool(...) \
  GLIA_NAMED2(glia_max_pool_opt, glia_pool_opts, __VA_ARGS__, .size = sizeof(glia_pool_opts))
#define glia_min_pool(...) \
  GLIA_NAMED2(glia_min_pool_opt, glia_pool_opts, __VA_ARGS__, .size = sizeof(glia_pool_opts))
#define glia_avg_pool(...) \
  GLIA_NAMED1(glia_avg_pool_opt, glia_pool_opts, __VA_ARGS__, .size = sizeof(glia_pool_opts))
#define glia_lp_pool(...) \
  GLIA_NAMED1(glia_lp_pool_opt, glia_pool_opts, __VA_ARGS__, .size = sizeof(glia_pool_opts))
#define glia_unfold(...) \
  GLIA_NAMED1(glia_unfold_opt, glia_unfold_opts, __VA_ARGS__, .size = sizeof(glia_unfold_opts))
#define glia_fold(...) \
  GLIA_NAMED3(glia_fold_opt, glia_unfold_opts, __VA_ARGS__, .size = sizeof(glia_unfold_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_WINDOWS_H */
