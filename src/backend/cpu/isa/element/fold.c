/* fold.c - reductions of dense runs.
 *
 * A run is folded in four vectors side by side, so that additions need not wait for one
 * another; columns are folded eight vectors wide, which stay in registers while the rows go by.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/element.h"

enum { WIDE = 4, TALL = 8 };

/* ---- one step of each fold -------------------------------------------------------------- */

#define STEP_SUM(a, x, c)     ((a) + (x))
#define STEP_PROD(a, x, c)    ((a) * (x))
#define STEP_MAX(a, x, c)     larger(a, x)
#define STEP_MIN(a, x, c)     smaller(a, x)
#define STEP_SQUARES(a, x, c) multiply_add((x) - (c), (x) - (c), a)

/* The same for a pair of floats, to join what the lanes hold. */
#define JOIN_SUM(a, b)     ((a) + (b))
#define JOIN_PROD(a, b)    ((a) * (b))
#define JOIN_MAX(a, b)     ((a) > (b) || (a) != (a) ? (a) : (b))
#define JOIN_MIN(a, b)     ((a) < (b) || (a) != (a) ? (a) : (b))
#define JOIN_SQUARES(a, b) ((a) + (b))

#define ONE_SUM(x, c)     (x)
#define ONE_PROD(x, c)    (x)
#define ONE_MAX(x, c)     (x)
#define ONE_MIN(x, c)     (x)
#define ONE_SQUARES(x, c) (((x) - (c)) * ((x) - (c)))

#define START_SUM     0.0f
#define START_PROD    1.0f
#define START_MAX     -INFINITY
#define START_MIN     INFINITY
#define START_SQUARES 0.0f

#define FOLDS(X) X(SUM) X(PROD) X(MAX) X(MIN) X(SQUARES)

/* ---- runs ------------------------------------------------------------------------------- */

#define FOLD_ROW(F)                                                                 \
  static float row_##F(const element *x, int64_t rows, int64_t row_step, int64_t n, \
                       float at) {                                                  \
    const vec start = splat(START_##F), c = splat(at);                              \
    vec a0 = start, a1 = start, a2 = start, a3 = start;                             \
    float total = START_##F;                                                        \
    (void)c, (void)at;                                                              \
    for (int64_t r = 0; r < rows; r++, x += row_step) {                             \
      int64_t j = 0;                                                                \
      for (; j + WIDE * GI_LANES <= n; j += WIDE * GI_LANES) {                      \
        a0 = STEP_##F(a0, get(x + j), c);                                           \
        a1 = STEP_##F(a1, get(x + j + GI_LANES), c);                                \
        a2 = STEP_##F(a2, get(x + j + 2 * GI_LANES), c);                            \
        a3 = STEP_##F(a3, get(x + j + 3 * GI_LANES), c);                            \
      }                                                                             \
      for (; j + GI_LANES <= n; j += GI_LANES) a0 = STEP_##F(a0, get(x + j), c);    \
      for (; j < n; j++) {                                                          \
        const float one = ONE_##F(get_one(x + j), at);                              \
        total = JOIN_##F(total, one);                                               \
      }                                                                             \
    }                                                                               \
    float lane[WIDE * GI_LANES];                                                    \
    store(lane, a0), store(lane + GI_LANES, a1);                                    \
    store(lane + 2 * GI_LANES, a2), store(lane + 3 * GI_LANES, a3);                 \
    for (int half = WIDE * GI_LANES / 2; half > 0; half /= 2)                       \
      for (int i = 0; i < half; i++) lane[i] = JOIN_##F(lane[i], lane[i + half]);   \
    return JOIN_##F(total, lane[0]);                                                \
  }
FOLDS(FOLD_ROW)

static float row(gi_fold fold, const void *x, int64_t rows, int64_t row_step, int64_t n,
                 float centre) {
#define CASE(F) \
  case GI_FOLD_##F: return row_##F(x, rows, row_step, n, centre);
  switch (fold) { FOLDS(CASE) }
#undef CASE
  return 0;
}

/* ---- columns ---------------------------------------------------------------------------- */

#define FOLD_COLUMNS(F)                                                                 \
  static void columns_##F(const element *x, int64_t rows, int64_t row_step, int64_t n,  \
                          const float *centre, bool fresh, float *to) {                 \
    const vec start = splat(START_##F);                                                 \
    int64_t j = 0;                                                                      \
    for (; j + TALL * GI_LANES <= n; j += TALL * GI_LANES) {                            \
      vec a[TALL], c[TALL];                                                             \
      (void)c;                                                                          \
      for (int i = 0; i < TALL; i++) {                                                  \
        a[i] = fresh ? start : load(to + j + i * GI_LANES);                             \
        c[i] = centre != NULL ? load(centre + j + i * GI_LANES) : start;                \
      }                                                                                 \
      for (int64_t r = 0; r < rows; r++)                                                \
        for (int i = 0; i < TALL; i++)                                                  \
          a[i] = STEP_##F(a[i], get(x + r * row_step + j + i * GI_LANES), c[i]);        \
      for (int i = 0; i < TALL; i++) store(to + j + i * GI_LANES, a[i]);                \
    }                                                                                   \
    for (; j + GI_LANES <= n; j += GI_LANES) {                                          \
      vec a = fresh ? start : load(to + j);                                             \
      const vec c = centre != NULL ? load(centre + j) : start;                          \
      (void)c;                                                                          \
      for (int64_t r = 0; r < rows; r++) a = STEP_##F(a, get(x + r * row_step + j), c); \
      store(to + j, a);                                                                 \
    }                                                                                   \
    for (; j < n; j++) {                                                                \
      float a = fresh ? START_##F : to[j];                                              \
      const float c = centre != NULL ? centre[j] : 0.0f;                                \
      (void)c;                                                                          \
      for (int64_t r = 0; r < rows; r++) {                                              \
        const float one = ONE_##F(get_one(x + r * row_step + j), c);                    \
        a = JOIN_##F(a, one);                                                           \
      }                                                                                 \
      to[j] = a;                                                                        \
    }                                                                                   \
  }
FOLDS(FOLD_COLUMNS)

static void columns(gi_fold fold, const void *x, int64_t rows, int64_t row_step, int64_t n,
                    const float *centre, bool fresh, float *to) {
#define CASE(F) \
  case GI_FOLD_##F: columns_##F(x, rows, row_step, n, centre, fresh, to); break;
  switch (fold) { FOLDS(CASE) }
#undef CASE
}

static float join(gi_fold fold, float a, float b) {
#define CASE(F) \
  case GI_FOLD_##F: return JOIN_##F(a, b);
  switch (fold) { FOLDS(CASE) }
#undef CASE
  return 0;
}

/* ---- the first of the best -------------------------------------------------------------- */

/* The value first, by vectors; then where it stands. */
static int64_t best(const void *from, int64_t n, float sign) {
  const element *x = from;
  const float want = sign > 0 ? row_MAX(x, 1, 0, n, 0) : row_MIN(x, 1, 0, n, 0);
  int64_t i = 0;
  if (want != want) {
    while (get_one(x + i) == get_one(x + i)) i++;
    return i;
  }
  while (get_one(x + i) != want) i++;
  return i;
}

const gi_fold_loops GI_ELEMENT(gi_fold_loops) = {row, columns, join, best};
