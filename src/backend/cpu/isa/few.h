/* isa/few.h - products of a few rows with a weight that is read once, where it lies.
 */
#ifndef GI_FEW_H
#define GI_FEW_H

#include <stdint.h>

enum { GI_FEW_ROWS = 4 };

typedef struct gi_few {
  int rows; /* 1 .. GI_FEW_ROWS */
  int64_t depth;
  const float *a; /* rows of depth floats, one behind the other */
  const void *w;  /* elements */
  int64_t step;   /* from one row of w to the next */
  float *c;       /* element (i, j) at i c_step + j */
  int64_t c_step;
} gi_few;

/* Of columns from .. to - 1. Each number is summed in one order, whatever is beside it. */
typedef struct gi_few_loops {
  void (*dots)(const gi_few *f, int64_t from, int64_t to); /* c = a w^T, w [columns, depth] */
  void (*sums)(const gi_few *f, int64_t from, int64_t to); /* c = a w, w [depth, columns] */
} gi_few_loops;

#endif /* GI_FEW_H */
