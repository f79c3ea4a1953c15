/* product.c - the loop of matrix products: 6 x 2 vectors of sums in registers, named one by one
 * as in conv.c. Everything that happens once a tile is done on the finished tile in memory.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum { WIDTH = 2 * GI_LANES };

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)

/* Sums of the tile, densely. */
static void sums(const gi_product_tile *t, float *to) {
#define START(i)                    \
  vec s##i = splat(0), t##i = s##i; \
  const float *a##i = t->a[i];
  EACH_ROW(START)
  const float *b = t->panel;
  const int64_t step = t->a_step, end = t->depth * step;
  for (int64_t k = 0; k != end; k += step, b += WIDTH) {
    const vec b0 = load(b), b1 = load(b + GI_LANES);
#define STEP(i)                       \
  {                                   \
    const vec v = splat(a##i[k]);     \
    s##i = multiply_add(v, b0, s##i); \
    t##i = multiply_add(v, b1, t##i); \
  }
    EACH_ROW(STEP)
  }
#define KEEP(i)                \
  store(to + i * WIDTH, s##i); \
  store(to + i * WIDTH + GI_LANES, t##i);
  EACH_ROW(KEEP)
#undef START
#undef STEP
#undef KEEP
}

static void finish_row(const gi_product_tile *t, int i, float *row) {
  float *c = t->c + i * t->row_step;
  const float *z = t->added != NULL ? t->added + i * t->row_step : NULL;
  const float bias = t->row_bias != NULL ? t->row_bias[i] : 0;
  if (t->col_step == 1 && t->cols == WIDTH) {
    for (int64_t j = 0; j < WIDTH; j += GI_LANES) {
      vec v = load(row + j) + splat(bias);
      if (t->col_bias != NULL) v += load(t->col_bias + j);
      if (t->add) v += load(c + j);
      if (z != NULL) v += load(z + j);
      store(c + j, t->relu ? (vec)(~(v < splat(0)) & (ivec)v) : v);
    }
    return;
  }
  for (int64_t j = 0; j < t->cols; j++) {
    float v = row[j] + bias;
    if (t->col_bias != NULL) v += t->col_bias[j];
    if (t->add) v += c[j * t->col_step];
    if (z != NULL) v += z[j * t->col_step];
    c[j * t->col_step] = t->relu && v < 0 ? 0 : v;
  }
}

static void tile(const gi_product_tile *t) {
  float done[GI_PRODUCT_ROWS * WIDTH];
  if (t->col_step == 1) /* they come while the sums are made */
    for (int i = 0; i < t->rows; i++) __builtin_prefetch(t->c + i * t->row_step, 1);
  sums(t, done);
  if (t->col_step == 1) {
    for (int i = 0; i < t->rows; i++) finish_row(t, i, done + i * WIDTH);
    return;
  }
  for (int64_t j = 0; j < t->cols; j++) { /* down the columns, which are near each other */
    float *c = t->c + j * t->col_step;
    const float *z = t->added != NULL ? t->added + j * t->col_step : NULL;
    for (int i = 0; i < t->rows; i++) {
      float v = done[i * WIDTH + j];
      if (t->row_bias != NULL) v += t->row_bias[i];
      if (t->col_bias != NULL) v += t->col_bias[j];
      if (t->add) v += c[i * t->row_step];
      if (z != NULL) v += z[i * t->row_step];
      c[i * t->row_step] = t->relu && v < 0 ? 0 : v;
    }
  }
}

const gi_product_loops GI_ISA(gi_product_loops) = {WIDTH, tile};
