/* isa/product.h - matrix products: the inner loop.
 *
 * A tile of c = a b: GI_PRODUCT_ROWS rows of a, of which one number at a time is spread over a
 * vector, times a panel of b, packed as [depth][width] with zeros where columns are missing.
 */
#ifndef GI_PRODUCT_H
#define GI_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

enum { GI_PRODUCT_ROWS = 6 };

typedef struct gi_product_tile {
  const float *a[GI_PRODUCT_ROWS]; /* by row, at depth 0; behind `rows` any that may be read */
  int64_t a_step;                  /* floats from one depth to the next */
  const float *panel;
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
} gi_product_tile;

typedef struct gi_product_loops {
  int64_t width; /* columns of a panel: two vectors */
  void (*tile)(const gi_product_tile *t);
} gi_product_loops;

#endif /* GI_PRODUCT_H */
