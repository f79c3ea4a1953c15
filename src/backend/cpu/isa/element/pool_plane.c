/* pool_plane.c - pooling of planes (plain layout), one row of the result at a time.
 *
 * With stride 1 and 2 a vector of neighbouring windows is taken at once. With k dilation -
 * padding = c, cell k of windows o, o + 1, ... stands in columns stride o + c and further: side
 * by side or, with stride 2, every other of twice as many, the even or the odd ones (c's
 * phase). Backward, windows give to columns of a phase the same way, and both phases are
 * interleaved.
 *
 * Windows and columns near the ends of a row, and any with other strides, are taken one by one.
 * The last vector ends with the last one that may; it computes some of what is there once more.
 */
#include "backend/cpu/isa/element.h"
#include "backend/cpu/isa/isa.h"

#define INLINE static inline __attribute__((always_inline))

/* Lanes of two vectors: those of a phase, in the order in which they are cheapest to pick, and
 * that order made straight; both vectors interleaved, the lower and the upper half. */
#if GI_ISA_BYTES == 64
#define EVEN     0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30
#define ODD      1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31
#define STRAIGHT 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15
#define LOW      0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif GI_ISA_BYTES == 32
#define EVEN     0, 2, 8, 10, 4, 6, 12, 14
#define ODD      1, 3, 9, 11, 5, 7, 13, 15
#define STRAIGHT 0, 1, 4, 5, 2, 3, 6, 7
#define LOW      0, 8, 1, 9, 2, 10, 3, 11
#define HIGH     4, 12, 5, 13, 6, 14, 7, 15
#else
#define EVEN     0, 2, 4, 6
#define ODD      1, 3, 5, 7
#define STRAIGHT 0, 1, 2, 3
#define LOW      0, 4, 1, 5
#define HIGH     2, 6, 3, 7
#endif

/* ---- where vectors may stand ------------------------------------------------------------- */

/* Cell k of a window: phase and, for window 0, the column from which the phase counts, in
 * strides. */
typedef struct cell {
  int64_t at;
  int phase;
} cell;

INLINE cell cell_of(const gi_pool *p, int64_t k, int stride) {
  const int64_t c = k * p->dilation - p->padding;
  const int phase = stride == 2 ? (int)(c & 1) : 0;
  return (cell){(c - phase) / stride, phase};
}

/* First places of vectors: from first to last; none if last < first. */
typedef struct stretch {
  int64_t first, last;
} stretch;

/* Windows whose cells all lie in the row. */
INLINE stretch windows_inside(const gi_pool *p, int stride) {
  const int64_t most = p->width / stride - GI_LANES;
  const int64_t low = cell_of(p, 0, stride).at,
                high = cell_of(p, p->kernel_cols - 1, stride).at;
  const int64_t last = most - high, all = p->cols.n - GI_LANES;
  return (stretch){low < 0 ? -low : 0, last < all ? last : all};
}

/* Columns, in strides, all of whose windows there are. */
INLINE stretch columns_inside(const gi_pool *p, int stride) {
  const int64_t most = p->width - GI_LANES, all = p->cols.n / stride - GI_LANES;
  const int64_t low = cell_of(p, 0, stride).at,
                high = cell_of(p, p->kernel_cols - 1, stride).at;
  return (stretch){high > 0 ? high : 0, most + low < all ? most + low : all};
}

/* Runs `vector` at the places of s, `one` for every other of n elements; a place is worth
 * `unit` elements. */
#define WALK(s, n, unit, vector, one)                                      \
  do {                                                                     \
    const int64_t last_ = (s).last;                                        \
    int64_t i_ = 0;                                                        \
    if (last_ >= (s).first) {                                              \
      for (; i_ < (s).first * (unit); i_++) one(i_);                       \
      for (int64_t o_ = (s).first; o_ < last_; o_ += GI_LANES) vector(o_); \
      vector(last_);                                                       \
      i_ = (last_ + GI_LANES) * (unit);                                    \
    }                                                                      \
    for (; i_ < (n); i_++) one(i_);                                        \
  } while (0)

/* Cells of a phase, from x on; ordered() puts what was made of them in the windows' order. */
INLINE vec take(const element *x, int stride, int phase) {
  const vec a = get(x);
  if (stride == 1) return a;
  const vec b = get(x + GI_LANES);
  return phase == 0 ? __builtin_shufflevector(a, b, EVEN) : __builtin_shufflevector(a, b, ODD);
}

INLINE vec ordered(vec v, int stride) {
  return stride == 1 ? v : __builtin_shufflevector(v, v, STRAIGHT);
}

INLINE void give(const vec *sum, int stride, float *to) {
  if (stride == 1) {
    store(to, sum[0]);
    return;
  }
  store(to, __builtin_shufflevector(sum[0], sum[1], LOW));
  store(to + GI_LANES, __builtin_shufflevector(sum[0], sum[1], HIGH));
}

/* The rows of windows that are read for row i of the result. */
#define FOR_ROWS(p, i)                                                \
  for (const gi_tap *r = (p)->rows.tap + (p)->rows.begin[i],          \
                    *end_ = (p)->rows.tap + (p)->rows.begin[(i) + 1]; \
       r < end_; r++)
#define FOR_COLUMNS(p, j)                                              \
  for (const gi_tap *q = (p)->cols.tap + (p)->cols.begin[j],           \
                    *stop_ = (p)->cols.tap + (p)->cols.begin[(j) + 1]; \
       q < stop_; q++)

/* ---- the largest or smallest ------------------------------------------------------------ */

static void extreme_one(const gi_pool *p, int64_t i, int64_t o, const element *image, float *y,
                        uint8_t *position) {
  float best = 0;
  int won = -1;
  FOR_ROWS(p, i) FOR_COLUMNS(p, o) {
    const float now = get_one(image + r->cell * p->width + q->cell);
    const int wins = now * p->sign > best * p->sign || (now != now && best == best);
    if (won >= 0 && !wins) continue;
    best = now;
    won = (int)(r->k * p->kernel_cols + q->k);
  }
  y[o] = best;
  position[o] = (uint8_t)won;
}

INLINE void extreme_vector(const gi_pool *p, int64_t i, int64_t o, int stride, int sign,
                           const element *image, float *y, uint8_t *position) {
  const gi_tap *first = p->rows.tap + p->rows.begin[i];
  vec best = splat(sign > 0 ? -INFINITY : INFINITY);
  ivec at = splat_i32((int32_t)(first->k * p->kernel_cols));
  FOR_ROWS(p, i)
  for (int64_t k = 0; k < p->kernel_cols; k++) {
    const cell c = cell_of(p, k, stride);
    const vec now = take(image + r->cell * p->width + (o + c.at) * stride, stride, c.phase);
    const ivec loses = sign > 0 ? now <= best : now >= best;
    const ivec wins = ~loses & (best == best);
    best = choose(wins, now, best);
    at = choose_i32(wins, splat_i32((int32_t)(r->k * p->kernel_cols + k)), at);
  }
  store(y + o, ordered(best, stride));
  store_u8(position + o, (ivec)ordered((vec)at, stride));
}

INLINE void extreme_row(const gi_pool *p, int64_t i, int stride, int sign, const element *image,
                        float *y, uint8_t *position) {
  const stretch s = windows_inside(p, stride);
#define VECTOR(o) extreme_vector(p, i, o, stride, sign, image, y, position)
#define ONE(o)    extreme_one(p, i, o, image, y, position)
  WALK(s, p->cols.n, 1, VECTOR, ONE);
#undef VECTOR
#undef ONE
}

/* With the strides that there are vectors for as constants. */
#define BY_STRIDE(p, vectors, one)                          \
  do {                                                      \
    if ((p)->stride == 1)                                   \
      vectors(1);                                           \
    else if ((p)->stride == 2)                              \
      vectors(2);                                           \
    else                                                    \
      for (int64_t o_ = 0; o_ < (p)->cols.n; o_++) one(o_); \
  } while (0)

void GI_ELEMENT(gi_pool_extreme_plane)(const gi_pool *p, int64_t i, const void *image, float *y,
                                       uint8_t *position) {
#define ONE(o) extreme_one(p, i, o, image, y, position)
#define VECTORS(stride)                                           \
  (p->sign > 0 ? extreme_row(p, i, stride, 1, image, y, position) \
               : extreme_row(p, i, stride, -1, image, y, position))
  BY_STRIDE(p, VECTORS, ONE);
#undef ONE
#undef VECTORS
}

static void scatter_one(const gi_pool *p, int64_t i, int64_t j, const element *dy,
                        const uint8_t *position, float *dx) {
  float sum = 0;
  FOR_ROWS(p, i) FOR_COLUMNS(p, j) {
    const int64_t at = r->cell * p->width + q->cell;
    if (position[at] == r->k * p->kernel_cols + q->k) sum += get_one(dy + at);
  }
  dx[j] = sum;
}

INLINE void scatter_vector(const gi_pool *p, int64_t i, int64_t m, int stride,
                           const element *dy, const uint8_t *position, float *dx) {
  vec sum[2] = {splat(0), splat(0)};
  FOR_ROWS(p, i)
  for (int64_t k = 0; k < p->kernel_cols; k++) {
    const cell c = cell_of(p, k, stride);
    const int64_t at = r->cell * p->width + m - c.at;
    const ivec won = load_u8(position + at) == (int32_t)(r->k * p->kernel_cols + k);
    sum[c.phase] += (vec)((ivec)get(dy + at) & won);
  }
  give(sum, stride, dx + m * stride);
}

INLINE void scatter_row(const gi_pool *p, int64_t i, int stride, const element *dy,
                        const uint8_t *position, float *dx) {
  const stretch s = columns_inside(p, stride);
#define VECTOR(m) scatter_vector(p, i, m, stride, dy, position, dx)
#define ONE(j)    scatter_one(p, i, j, dy, position, dx)
  WALK(s, p->cols.n, stride, VECTOR, ONE);
#undef VECTOR
#undef ONE
}

void GI_ELEMENT(gi_pool_scatter_plane)(const gi_pool *p, int64_t i, const void *dy,
                                       const uint8_t *position, float *dx) {
#define ONE(j)          scatter_one(p, i, j, dy, position, dx)
#define VECTORS(stride) scatter_row(p, i, stride, dy, position, dx)
  BY_STRIDE(p, VECTORS, ONE);
#undef ONE
#undef VECTORS
}

/* ---- the average ------------------------------------------------------------------------ */

static void average_one(const gi_pool *p, int64_t i, int64_t o, const element *image,
                        float *y) {
  float sum = 0;
  FOR_ROWS(p, i) FOR_COLUMNS(p, o) sum += get_one(image + r->cell * p->width + q->cell);
  y[o] = sum * (p->row_share[i] * p->col_share[o]);
}

INLINE void average_vector(const gi_pool *p, int64_t i, int64_t o, int stride,
                           const element *image, float *y) {
  vec sum = splat(0);
  FOR_ROWS(p, i)
  for (int64_t k = 0; k < p->kernel_cols; k++) {
    const cell c = cell_of(p, k, stride);
    sum += take(image + r->cell * p->width + (o + c.at) * stride, stride, c.phase);
  }
  store(y + o, ordered(sum, stride) * (splat(p->row_share[i]) * load(p->col_share + o)));
}

INLINE void average_row(const gi_pool *p, int64_t i, int stride, const element *image,
                        float *y) {
  const stretch s = windows_inside(p, stride);
#define VECTOR(o) average_vector(p, i, o, stride, image, y)
#define ONE(o)    average_one(p, i, o, image, y)
  WALK(s, p->cols.n, 1, VECTOR, ONE);
#undef VECTOR
#undef ONE
}

void GI_ELEMENT(gi_pool_average_plane)(const gi_pool *p, int64_t i, const void *image,
                                       float *y) {
#define ONE(o)          average_one(p, i, o, image, y)
#define VECTORS(stride) average_row(p, i, stride, image, y)
  BY_STRIDE(p, VECTORS, ONE);
#undef ONE
#undef VECTORS
}

static void average_grad_one(const gi_pool *p, int64_t i, int64_t j, const element *dy,
                             float *dx) {
  float sum = 0;
  FOR_ROWS(p, i) FOR_COLUMNS(p, j) {
    const float share = p->row_share[r->cell] * p->col_share[q->cell];
    sum += get_one(dy + r->cell * p->width + q->cell) * share;
  }
  dx[j] = sum;
}

INLINE void average_grad_vector(const gi_pool *p, int64_t i, int64_t m, int stride,
                                const element *dy, float *dx) {
  vec sum[2] = {splat(0), splat(0)};
  FOR_ROWS(p, i)
  for (int64_t k = 0; k < p->kernel_cols; k++) {
    const cell c = cell_of(p, k, stride);
    const vec share = splat(p->row_share[r->cell]) * load(p->col_share + m - c.at);
    sum[c.phase] += get(dy + r->cell * p->width + m - c.at) * share;
  }
  give(sum, stride, dx + m * stride);
}

INLINE void average_grad_row(const gi_pool *p, int64_t i, int stride, const element *dy,
                             float *dx) {
  const stretch s = columns_inside(p, stride);
#define VECTOR(m) average_grad_vector(p, i, m, stride, dy, dx)
#define ONE(j)    average_grad_one(p, i, j, dy, dx)
  WALK(s, p->cols.n, stride, VECTOR, ONE);
#undef VECTOR
#undef ONE
}

void GI_ELEMENT(gi_pool_average_grad_plane)(const gi_pool *p, int64_t i, const void *dy,
                                            float *dx) {
#define ONE(j)          average_grad_one(p, i, j, dy, dx)
#define VECTORS(stride) average_grad_row(p, i, stride, dy, dx)
  BY_STRIDE(p, VECTORS, ONE);
#undef ONE
#undef VECTORS
}
