/* isa/rows.h - softmax along rows and columns, and what cross entropy needs of it. */
#ifndef GI_ROWS_H
#define GI_ROWS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gi_row_loops {
  /* y = e^(x - max) / sum, or x - max - log(sum), along n elements that lie side by side. */
  void (*softmax)(const float *x, int64_t n, bool logarithm, float *y);
  /* The same for `width` neighbouring columns of n elements, `step` apart. */
  void (*softmax_columns)(const float *x, int64_t n, int64_t step, int64_t width,
                          bool logarithm, float *y);
  /* log of the sum of e^(x - max) over n elements, and that max. */
  float (*log_sum_exp)(const float *x, int64_t n, float *max);
  /* y = e^(x - l) scale. */
  void (*scaled_exp)(const float *x, int64_t n, float l, float scale, float *y);
} gi_row_loops;

#endif /* GI_ROWS_H */
