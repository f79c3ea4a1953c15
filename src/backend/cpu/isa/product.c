/* product.c - the loop of matrix products: 6 x 2 vectors of sums in registers, named one by one
 * as in conv.c.
 *
 * While they are made, what comes next is called into the second cache: rows and panels begin
 * anew too often for the processor to guess how they go on.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum {
  WIDTH = 2 * GI_LANES,
  LINE = 16, /* floats */
  AHEAD = 8  /* depths */
};

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define INLINE      static inline __attribute__((always_inline)) /* the sums stay in registers */

/* The vectors v and w of row i, from column j on. */
INLINE void finish_row(const gi_product_tiles *t, int i, int64_t j, vec v, vec w) {
  float *c = t->c + i * t->row_step + j;
  if (t->row_bias != NULL) v += splat(t->row_bias[i]), w += splat(t->row_bias[i]);
  if (t->col_bias != NULL) v += load(t->col_bias + j), w += load(t->col_bias + j + GI_LANES);
  if (t->add) v += load(c), w += load(c + GI_LANES);
  if (t->added != NULL) {
    const float *z = t->added + i * t->row_step + j;
    v += load(z), w += load(z + GI_LANES);
  }
  store(c, t->relu ? at_least_zero(v) : v);
  store(c + GI_LANES, t->relu ? at_least_zero(w) : w);
}

/* ---- tiles whose columns are not side by side, or fewer than a panel has ----------------- */

static void finish_one(const gi_product_tiles *t, int64_t i, int64_t j, float v) {
  const int64_t at = i * t->row_step + j * t->col_step;
  if (t->row_bias != NULL) v += t->row_bias[i];
  if (t->col_bias != NULL) v += t->col_bias[j];
  if (t->add) v += t->c[at];
  if (t->added != NULL) v += t->added[at];
  t->c[at] = t->relu && v < 0 ? 0 : v;
}

/* Nothing but rows is added: that, and relu, is done before a tile goes to memory. */
static bool adds_rows_only(const gi_product_tiles *t) {
  return !t->add && t->added == NULL && t->col_bias == NULL;
}

typedef float four __attribute__((vector_size(16)));
typedef float loose_four __attribute__((vector_size(16), aligned(4), may_alias));

/* Four columns of a whole tile become pieces of six floats side by side. */
static void turn_four(const float *done, float *c, int64_t col_step) {
  four r[GI_PRODUCT_ROWS];
  for (int i = 0; i < GI_PRODUCT_ROWS; i++) r[i] = *(const loose_four *)(done + i * WIDTH);
#define LOW(a, b)    __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b)   __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define FIRST(a, b)  __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define SECOND(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
  const four low01 = LOW(r[0], r[1]), low23 = LOW(r[2], r[3]), low45 = LOW(r[4], r[5]),
             high01 = HIGH(r[0], r[1]), high23 = HIGH(r[2], r[3]), high45 = HIGH(r[4], r[5]);
  const four upper[4] = {FIRST(low01, low23), SECOND(low01, low23), FIRST(high01, high23),
                         SECOND(high01, high23)};
  for (int j = 0; j < 4; j++, c += col_step) {
    const four last = j < 2 ? low45 : high45;
    *(loose_four *)c = upper[j];
    memcpy(c + 4, (const float *)&last + j % 2 * 2, 2 * sizeof *c);
  }
}

/* Number by number goes down the axis on which they are near each other. */
static void finish_by_number(const gi_product_tiles *t, int64_t from, const float *done) {
  const int64_t n = GI_MIN(WIDTH, t->cols - from);
  float *c = t->c + from * t->col_step;
  if (adds_rows_only(t) && t->row_step == 1 && t->rows == GI_PRODUCT_ROWS && n == WIDTH)
    for (int64_t j = 0; j < WIDTH; j += 4)
      turn_four(done + j, c + j * t->col_step, t->col_step);
  else if (adds_rows_only(t))
    for (int64_t j = 0; j < n; j++)
      for (int i = 0; i < t->rows; i++)
        c[i * t->row_step + j * t->col_step] = done[i * WIDTH + j];
  else if (t->col_step == 1)
    for (int i = 0; i < t->rows; i++)
      for (int64_t j = 0; j < n; j++) finish_one(t, i, from + j, done[i * WIDTH + j]);
  else
    for (int64_t j = 0; j < n; j++)
      for (int i = 0; i < t->rows; i++) finish_one(t, i, from + j, done[i * WIDTH + j]);
}

/* ---- tiles ------------------------------------------------------------------------------- */

/* One tile, from column j on; `step` and `rows`, those that are computed, are constants where
 * this is inlined. */
INLINE void one(const gi_product_tiles *t, int64_t j, const float *b, const int64_t step,
                const int rows, const float *ahead, int64_t onward) {
#define START(i)                    \
  vec s##i = splat(0), t##i = s##i; \
  const float *a##i = t->a[i];
#define STEP(i)                          \
  if (i < rows) {                        \
    const vec v = splat(a##i[step * k]); \
    s##i = multiply_add(v, b0, s##i);    \
    t##i = multiply_add(v, b1, t##i);    \
  }
#define FINISH(i) \
  if (i < t->rows) finish_row(t, i, j, s##i, t##i);
#define KEEP(i)                                                           \
  if (ready && t->row_bias != NULL && i < t->rows)                        \
    s##i += splat(t->row_bias[i]), t##i += splat(t->row_bias[i]);         \
  store(done + i * WIDTH, ready && t->relu ? at_least_zero(s##i) : s##i); \
  store(done + i * WIDTH + GI_LANES, ready && t->relu ? at_least_zero(t##i) : t##i);
  EACH_ROW(START)
  for (int64_t k = 0; k < t->depth; k++, b += WIDTH, ahead += onward) {
    __builtin_prefetch(ahead, 0, 2);
    const vec b0 = load(b), b1 = load(b + GI_LANES);
    EACH_ROW(STEP)
  }
  if (t->col_step == 1 && t->cols - j >= WIDTH) {
    EACH_ROW(FINISH)
    return;
  }
  const bool ready = adds_rows_only(t);
  float done[GI_PRODUCT_ROWS * WIDTH];
  EACH_ROW(KEEP)
  finish_by_number(t, j, done);
}

INLINE void all(const gi_product_tiles *t, const int64_t step, const int rows) {
  const float *panel = t->panels;
  for (int64_t j = 0, p = 0; j < t->cols; j += WIDTH, p++, panel += t->panel_step) {
    if (t->col_step == 1) /* they come while the sums are made */
      for (int i = 0; i < t->rows; i++) __builtin_prefetch(t->c + i * t->row_step + j, 1);
    const bool call = p < t->next.count;
    one(t, j, panel, step, rows, call ? t->next.at + p * t->next.jump : panel,
        call ? t->next.step : 0);
  }
}

static void tiles(const gi_product_tiles *t) {
  const bool few = t->rows <= GI_PRODUCT_FEW;
  if (t->a_step == 1)
    few ? all(t, 1, GI_PRODUCT_FEW) : all(t, 1, GI_PRODUCT_ROWS);
  else
    few ? all(t, GI_PRODUCT_APART, GI_PRODUCT_FEW) : all(t, GI_PRODUCT_APART, GI_PRODUCT_ROWS);
}

/* ---- operands ---------------------------------------------------------------------------- */

static void pack(const float *b, int64_t step, int64_t depth, float *panel) {
  for (int64_t k = 0; k < depth; k++, b += step, panel += WIDTH) {
    store(panel, load(b));
    store(panel + GI_LANES, load(b + GI_LANES));
  }
}

/* Depths lie far apart: each line is called for before its turn comes. */
static void gather(const float *a, int64_t step, int64_t depth, int tiles, int64_t each,
                   float *side) {
  for (int64_t k = 0; k < depth; k++, a += step, side += GI_PRODUCT_APART) {
    const float *later = a + GI_MIN(AHEAD, depth - 1 - k) * step;
    for (int i = 0; i < tiles * GI_PRODUCT_ROWS; i += LINE) __builtin_prefetch(later + i);
    for (int t = 0; t < tiles; t++)
      memcpy(side + t * each, a + t * GI_PRODUCT_ROWS, GI_PRODUCT_APART * sizeof *a);
  }
}

const gi_product_loops GI_ISA(gi_product_loops) = {WIDTH, tiles, pack, gather};
