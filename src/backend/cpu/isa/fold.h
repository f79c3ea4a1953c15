/* isa/fold.h - folding many elements to one float, or many rows of them to one row of floats.
 */
#ifndef GI_FOLD_H
#define GI_FOLD_H

#include <stdbool.h>
#include <stdint.h>

typedef enum gi_fold {
  GI_FOLD_SUM,
  GI_FOLD_PROD,
  GI_FOLD_MAX, /* NaN wins */
  GI_FOLD_MIN,
  GI_FOLD_SQUARES /* squared distances from a centre */
} gi_fold;

typedef struct gi_fold_loops {
  /* n elements at each of `rows` places, row_step apart, folded to one float. The order depends
   * on rows and n alone. */
  float (*row)(gi_fold fold, const void *x, int64_t rows, int64_t row_step, int64_t n,
               float centre);
  /* to[j] = fold of x[r * row_step + j] over r, and of to[j] itself unless `fresh`. */
  void (*columns)(gi_fold fold, const void *x, int64_t rows, int64_t row_step, int64_t n,
                  const float *centre, bool fresh, float *to);
  /* What is folded so far, and one more. */
  float (*join)(gi_fold fold, float a, float b);
  /* The first of the largest (sign 1) or smallest (-1) of n elements, NaN before all. */
  int64_t (*best)(const void *x, int64_t n, float sign);
} gi_fold_loops;

#endif /* GI_FOLD_H */
