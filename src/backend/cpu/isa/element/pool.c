/* pool.c - channels-last pooling by vectors of channels.
 *
 * Channels are taken four vectors at a time, then one; a rest shorter than a vector is done
 * with the last whole vector once more, which writes the same numbers twice, or element by
 * element where there are fewer channels than lanes. Planes are in pool_plane.c.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/element.h"

enum { WIDE = 4 };

/* Runs body for blocks of channels: `lanes` vectors of them from channel c on. */
#define FOR_CHANNELS(channels, body4, body1, body0)                        \
  do {                                                                     \
    int64_t c = 0;                                                         \
    for (; c + WIDE * GI_LANES <= (channels); c += WIDE * GI_LANES) body4; \
    for (; c + GI_LANES <= (channels); c += GI_LANES) body1;               \
    if (c < (channels)) {                                                  \
      if ((channels) >= GI_LANES) {                                        \
        c = (channels)-GI_LANES;                                           \
        body1;                                                             \
      } else {                                                             \
        for (; c < (channels); c++) body0;                                 \
      }                                                                    \
    }                                                                      \
  } while (0)

/* The taps of one cell of the result. */
typedef struct window {
  const gi_tap *row, *row_end, *col, *col_end;
  int64_t row_step, col_step; /* of what is read */
  int32_t kernel_cols;
} window;

static inline window window_at(const gi_pool *p, int64_t i, int64_t j) {
  return (window){p->rows.tap + p->rows.begin[i], p->rows.tap + p->rows.begin[i + 1],
                  p->cols.tap + p->cols.begin[j], p->cols.tap + p->cols.begin[j + 1],
                  p->width * p->channels,         p->channels,
                  (int32_t)p->kernel_cols};
}
#define FOR_TAPS(w)                                       \
  for (const gi_tap *r = (w)->row; r < (w)->row_end; r++) \
    for (const gi_tap *q = (w)->col; q < (w)->col_end; q++)
#define OFFSET(w) (r->cell * (w)->row_step + q->cell * (w)->col_step)
#define NUMBER(w) (r->k * (w)->kernel_cols + q->k)

/* ---- the largest or smallest ------------------------------------------------------------ */

/* sign is 1 or -1, a constant where this is called. A NaN wins over all but an earlier one. */
static inline __attribute__((always_inline)) void extreme_vectors(const window *w,
                                                                  const element *x, int sign,
                                                                  int n, float *y,
                                                                  uint8_t *position) {
  vec best[WIDE];
  ivec at[WIDE];
  for (int v = 0; v < n; v++) {
    const int64_t first = w->row->cell * w->row_step + w->col->cell * w->col_step;
    best[v] = get(x + first + v * GI_LANES);
    at[v] = splat_i32(w->row->k * w->kernel_cols + w->col->k);
  }
  FOR_TAPS(w) {
    const element *from = x + OFFSET(w);
    const ivec number = splat_i32(NUMBER(w));
    if (r == w->row && q == w->col) continue;
    for (int v = 0; v < n; v++) {
      const vec now = get(from + v * GI_LANES);
      const ivec loses = sign > 0 ? now <= best[v] : now >= best[v];
      const ivec wins = ~loses & (best[v] == best[v]);
      best[v] = choose(wins, now, best[v]);
      at[v] = choose_i32(wins, number, at[v]);
    }
  }
  for (int v = 0; v < n; v++) {
    store(y + v * GI_LANES, best[v]);
    store_u8(position + v * GI_LANES, at[v]);
  }
}

static void extreme_one(const window *w, const element *x, float sign, float *y,
                        uint8_t *position) {
  float best = 0;
  int won = -1;
  FOR_TAPS(w) {
    const float now = get_one(x + OFFSET(w));
    if (won >= 0 && !(now * sign > best * sign || (now != now && best == best))) continue;
    best = now;
    won = NUMBER(w);
  }
  *y = best;
  *position = (uint8_t)won;
}

static inline __attribute__((always_inline)) void extreme_row(const gi_pool *p, int64_t i,
                                                              const element *image, int sign,
                                                              float *y, uint8_t *position) {
  for (int64_t j = 0; j < p->cols.n; j++, y += p->channels, position += p->channels) {
    const window w = window_at(p, i, j);
    FOR_CHANNELS(p->channels, extreme_vectors(&w, image + c, sign, WIDE, y + c, position + c),
                 extreme_vectors(&w, image + c, sign, 1, y + c, position + c),
                 extreme_one(&w, image + c, p->sign, y + c, position + c));
  }
}

static void extreme(const gi_pool *p, int64_t i, const void *image, float *y,
                    uint8_t *position) {
  if (p->sign > 0)
    extreme_row(p, i, image, 1, y, position);
  else
    extreme_row(p, i, image, -1, y, position);
}

/* The cells of a row that window j covers are those of numbers *q to *end - 1 in it. */
static inline void covered(const gi_pool *p, int64_t j, int64_t *q, int64_t *end) {
  const int64_t first = j * p->stride - p->padding;
  *q = first >= 0 ? 0 : (p->dilation - 1 - first) / p->dilation;
  *end = p->kernel_cols;
  if (first + (*end - 1) * p->dilation >= p->cols.n)
    *end = (p->cols.n - 1 - first) / p->dilation + 1;
}

/* Adds to the n channels of a cell what won there. */
static inline void scatter_cell(const element *dy, const uint8_t *position, int64_t n,
                                int32_t number, float *dx) {
  int64_t c = 0;
  for (; c + GI_LANES <= n; c += GI_LANES) {
    const ivec here = load_u8(position + c) == splat_i32(number);
    store(dx + c, load(dx + c) + (vec)(here & (ivec)get(dy + c)));
  }
  for (; c < n; c++)
    if (position[c] == number) dx[c] += get_one(dy + c);
}

/* Window by window, into a row that stays in the first cache. */
static void scatter_over(const gi_pool *p, int64_t i, const element *dy,
                         const uint8_t *position, float *dx) {
  const int64_t n = p->channels;
  memset(dx, 0, (size_t)(p->cols.n * n) * sizeof *dx);
  for (const gi_tap *tap = p->rows.tap + p->rows.begin[i];
       tap < p->rows.tap + p->rows.begin[i + 1]; tap++)
    for (int64_t j = 0; j < p->width; j++) {
      const int64_t at = (tap->cell * p->width + j) * n, number = tap->k * p->kernel_cols;
      const int64_t own = j * p->stride - p->padding;
      int64_t q, end;
      covered(p, j, &q, &end);
      for (; q < end; q++)
        scatter_cell(dy + at, position + at, n, (int32_t)(number + q),
                     dx + (own + q * p->dilation) * n);
    }
}

/* Windows that do not touch: each element of dy is read once for its cells of the row. */
static void scatter_apart(const gi_pool *p, int64_t i, const element *dy,
                          const uint8_t *position, float *dx) {
  const int64_t n = p->channels, cells = p->kernel_cols, row = p->cols.n * n;
  const gi_tap *tap = p->rows.tap + p->rows.begin[i];
  if (p->rows.begin[i] == p->rows.begin[i + 1]) { /* between two windows */
    memset(dx, 0, (size_t)row * sizeof *dx);
    return;
  }
  const int64_t first = tap->cell * p->width * n, number = tap->k * cells;
  float *to = dx;
  for (int64_t j = 0; j < p->width; j++, to += (p->stride - cells) * n) {
    const element *from = dy + first + j * n;
    const uint8_t *won = position + first + j * n;
    for (int64_t c = 0; c < n; c += GI_LANES) {
      if (c + GI_LANES > n) c = n - GI_LANES;
      const vec v = get(from + c);
      const ivec w = load_u8(won + c);
      for (int64_t q = 0; q < cells; q++)
        store(to + q * n + c, (vec)((w == splat_i32((int32_t)(number + q))) & (ivec)v));
    }
    to += cells * n;
    const float *next = j + 1 < p->width ? to + (p->stride - cells) * n : dx + row;
    if (next > to) memset(to, 0, (size_t)(next - to) * sizeof *to);
  }
}

static void scatter(const gi_pool *p, int64_t i, const void *dy, const uint8_t *position,
                    float *dx) {
  if (p->apart && p->channels >= GI_LANES)
    scatter_apart(p, i, dy, position, dx);
  else
    scatter_over(p, i, dy, position, dx);
}

/* ---- the average ------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void average_vectors(const window *w,
                                                                  const element *x, float share,
                                                                  int n, float *y) {
  vec sum[WIDE] = {0};
  FOR_TAPS(w) {
    const element *from = x + OFFSET(w);
    for (int v = 0; v < n; v++) sum[v] += get(from + v * GI_LANES);
  }
  for (int v = 0; v < n; v++) store(y + v * GI_LANES, sum[v] * splat(share));
}

static float average_one(const window *w, const element *x, float share) {
  float sum = 0;
  FOR_TAPS(w) sum += get_one(x + OFFSET(w));
  return sum * share;
}

static void average(const gi_pool *p, int64_t i, const void *from, float *y) {
  const element *image = from;
  for (int64_t j = 0; j < p->cols.n; j++, y += p->channels) {
    const window w = window_at(p, i, j);
    const float share = p->row_share[i] * p->col_share[j];
    FOR_CHANNELS(p->channels, average_vectors(&w, image + c, share, WIDE, y + c),
                 average_vectors(&w, image + c, share, 1, y + c),
                 y[c] = average_one(&w, image + c, share));
  }
}

/* Each window gives its cells an equal share. */
static inline __attribute__((always_inline)) void share_vectors(const gi_pool *p,
                                                                const window *w,
                                                                const element *dy, int n,
                                                                float *dx) {
  vec sum[WIDE] = {0};
  FOR_TAPS(w) {
    const element *from = dy + OFFSET(w);
    const vec share = splat(p->row_share[r->cell] * p->col_share[q->cell]);
    for (int v = 0; v < n; v++) sum[v] += get(from + v * GI_LANES) * share;
  }
  for (int v = 0; v < n; v++) store(dx + v * GI_LANES, sum[v]);
}

static float share_one(const gi_pool *p, const window *w, const element *dy) {
  float sum = 0;
  FOR_TAPS(w) sum += get_one(dy + OFFSET(w)) * (p->row_share[r->cell] * p->col_share[q->cell]);
  return sum;
}

static void average_grad(const gi_pool *p, int64_t i, const void *from, float *dx) {
  const element *dy = from;
  for (int64_t j = 0; j < p->cols.n; j++, dx += p->channels) {
    const window w = window_at(p, i, j);
    FOR_CHANNELS(p->channels, share_vectors(p, &w, dy + c, WIDE, dx + c),
                 share_vectors(p, &w, dy + c, 1, dx + c), dx[c] = share_one(p, &w, dy + c));
  }
}

const gi_pool_loops GI_ELEMENT(gi_pool_loops) = {
    .extreme = extreme,
    .scatter = scatter,
    .average = average,
    .average_grad = average_grad,
    .extreme_plane = GI_ELEMENT(gi_pool_extreme_plane),
    .scatter_plane = GI_ELEMENT(gi_pool_scatter_plane),
    .average_plane = GI_ELEMENT(gi_pool_average_plane),
    .average_grad_plane = GI_ELEMENT(gi_pool_average_grad_plane),
};
