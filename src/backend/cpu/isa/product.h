/* isa/product.h - matrix products: the inner loop.
 *
 * A row of tiles of c = a b: GI_PRODUCT_ROWS rows of a, of which one number at a time is spread
 * over a vector, times panels of b, each packed as [depth][width], with zeros where columns are
 * missing.
 */
#ifndef GI_PRODUCT_H
#define GI_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

enum {
  GI_PRODUCT_ROWS = 6,
  GI_PRODUCT_FEW = 4,  /* tiles of so many rows or fewer are done in less time */
  GI_PRODUCT_APART = 8 /* floats from one gathered depth to the next: whole stores */
};

/* What will be wanted next: while panel p < count is gone through, at each depth k the line at
 * `at` + p jump + k step is called for. */
typedef struct gi_product_ahead {
  const float *at;
  int64_t count, jump, step;
} gi_product_ahead;

typedef struct gi_product_tiles {
  const float *a[GI_PRODUCT_ROWS]; /* by row, at depth 0; behind `rows` any that may be read */
  int64_t a_step; /* floats from one depth to the next: 1 or GI_PRODUCT_APART */
  gi_product_ahead next;
  const float *panels;
  int64_t panel_step; /* floats from one panel to the next */
  int64_t depth;
  float *c; /* element (i, j) at i row_step + j col_step */
  int64_t row_step, col_step;
  int rows; /* that are stored */
  int64_t cols;
  bool add;              /* to what is there */
  const float *added;    /* as c: added too, it may be the same memory; NULL: none */
  const float *row_bias; /* one a row; NULL: none */
  const float *col_bias; /* one a column */
  bool relu;
} gi_product_tiles;

typedef struct gi_product_loops {
  int64_t width; /* columns of a panel: two vectors */
  void (*tiles)(const gi_product_tiles *t);
  /* a whole panel; column j at depth k is b[j + k step] */
  void (*pack)(const float *b, int64_t step, int64_t depth, float *panel);
  /* `tiles` tiles of rows, as [depth][GI_PRODUCT_APART] every `each` floats; row i at depth k
   * is a[i + k step]; reads GI_PRODUCT_APART - GI_PRODUCT_ROWS floats more */
  void (*gather)(const float *a, int64_t step, int64_t depth, int tiles, int64_t each,
                 float *side);
} gi_product_loops;

#endif /* GI_PRODUCT_H */
