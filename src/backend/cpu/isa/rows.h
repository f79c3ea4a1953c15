/* isa/rows.h - softmax, and what normalisation does to rows: numbers scaled and shifted. */
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
  /* y = x a + b; a and b for the whole row, or one for each of n columns. */
  void (*affine)(const float *x, int64_t n, float a, float b, float *y);
  void (*affine_columns)(const float *x, int64_t rows, int64_t n, const float *a,
                         const float *b, float *y);
  /* z = x a + y b + c. */
  void (*blend)(const float *x, const float *y, int64_t n, float a, float b, float c, float *z);
  void (*blend_columns)(const float *x, const float *y, int64_t rows, int64_t n, const float *a,
                        const float *b, const float *c, float *z);
  /* sums[0] = sum of y, sums[1] = sum of y (x - centre), over `rows` runs of n, row_step apart.
   */
  void (*moments)(const float *x, const float *y, int64_t rows, int64_t row_step, int64_t n,
                  float centre, float *sums);
  /* The same for each of n columns: sums[0 .. n - 1] and sums[n .. 2 n - 1]. */
  void (*moments_columns)(const float *x, const float *y, int64_t rows, int64_t n,
                          const float *centre, float *sums);
} gi_row_loops;

#endif /* GI_ROWS_H */
