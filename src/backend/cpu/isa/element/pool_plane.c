/* pool_plane.c - pooling of planes (plain layout), one row of the result at a time.
 *
 * For each row of a window and each of its columns k, all windows are taken along the row at
 * once: steps of one or two elements, which the compiler turns into vectors.
 */
#include "backend/cpu/isa/element.h"
#include "backend/cpu/isa/isa.h"

/* The windows o in first .. last - 1 whose column k lies in the plane, and that of window 0. */
typedef struct stretch {
  int64_t first, last, column;
} stretch;

static stretch stretch_of(const gi_pool *p, int64_t k, int64_t windows, int64_t width) {
  stretch s = {0, windows, k * p->dilation - p->padding};
  while (s.first < windows && s.first * p->stride + s.column < 0) s.first++;
  while (s.last > s.first && (s.last - 1) * p->stride + s.column >= width) s.last--;
  return s;
}

#define BY_STRIDE(loop)       \
  switch (p->stride) {        \
    case 1: loop(1); break;   \
    case 2: loop(2); break;   \
    default: loop(p->stride); \
  }

/* ---- the largest or smallest ------------------------------------------------------------ */

void GI_ELEMENT(gi_pool_extreme_plane)(const gi_pool *p, int64_t i, const void *from,
                                       float *restrict y, uint8_t *restrict position) {
  const element *image = from;
  const gi_tap *first = p->rows.tap + p->rows.begin[i],
               *end = p->rows.tap + p->rows.begin[i + 1];
  const int64_t windows = p->cols.n;
  for (int64_t o = 0; o < windows; o++) {
    const gi_tap *col = p->cols.tap + p->cols.begin[o];
    y[o] = get_one(image + first->cell * p->width + col->cell);
    position[o] = (uint8_t)(first->k * p->kernel_cols + col->k);
  }
  for (const gi_tap *r = first; r < end; r++)
    for (int64_t k = 0; k < p->kernel_cols; k++) {
      const stretch s = stretch_of(p, k, windows, p->width);
      const element *restrict x = image + r->cell * p->width;
      const uint8_t number = (uint8_t)(r->k * p->kernel_cols + k);
      const float sign = p->sign;
#define TAKE(stride)                                                               \
  for (int64_t o = s.first; o < s.last; o++) {                                     \
    const float now = get_one(x + o * (stride) + s.column), best = y[o];           \
    const int wins = (now * sign > best * sign) | ((now != now) & (best == best)); \
    y[o] = wins ? now : best;                                                      \
    position[o] = wins ? number : position[o];                                     \
  }
      BY_STRIDE(TAKE)
#undef TAKE
    }
}

void GI_ELEMENT(gi_pool_scatter_plane)(const gi_pool *p, int64_t i, const void *from,
                                       const uint8_t *position, float *restrict dx) {
  const element *dy = from;
  for (int64_t j = 0; j < p->cols.n; j++) dx[j] = 0;
  for (int32_t t = p->rows.begin[i]; t < p->rows.begin[i + 1]; t++)
    for (int64_t k = 0; k < p->kernel_cols; k++) {
      const gi_tap *r = &p->rows.tap[t];
      const stretch s = stretch_of(p, k, p->width, p->cols.n);
      const element *restrict g = dy + r->cell * p->width;
      const uint8_t *restrict at = position + r->cell * p->width;
      const int number = (int)(r->k * p->kernel_cols + k);
#define GIVE(stride)                         \
  for (int64_t o = s.first; o < s.last; o++) \
    dx[o * (stride) + s.column] += at[o] == number ? get_one(g + o) : 0.0f;
      BY_STRIDE(GIVE)
#undef GIVE
    }
}

/* ---- the average ------------------------------------------------------------------------ */

void GI_ELEMENT(gi_pool_average_plane)(const gi_pool *p, int64_t i, const void *from,
                                       float *restrict y) {
  const element *image = from;
  const int64_t windows = p->cols.n;
  for (int64_t o = 0; o < windows; o++) y[o] = 0;
  for (int32_t t = p->rows.begin[i]; t < p->rows.begin[i + 1]; t++)
    for (int64_t k = 0; k < p->kernel_cols; k++) {
      const stretch s = stretch_of(p, k, windows, p->width);
      const element *restrict x = image + p->rows.tap[t].cell * p->width;
#define TAKE(stride) \
  for (int64_t o = s.first; o < s.last; o++) y[o] += get_one(x + o * (stride) + s.column);
      BY_STRIDE(TAKE)
#undef TAKE
    }
  for (int64_t o = 0; o < windows; o++) y[o] *= p->row_share[i] * p->col_share[o];
}

void GI_ELEMENT(gi_pool_average_grad_plane)(const gi_pool *p, int64_t i, const void *from,
                                            float *restrict dx) {
  const element *dy = from;
  for (int64_t j = 0; j < p->cols.n; j++) dx[j] = 0;
  for (int32_t t = p->rows.begin[i]; t < p->rows.begin[i + 1]; t++)
    for (int64_t k = 0; k < p->kernel_cols; k++) {
      const int64_t row = p->rows.tap[t].cell;
      const stretch s = stretch_of(p, k, p->width, p->cols.n);
      const element *restrict g = dy + row * p->width;
      const float *restrict share = p->col_share;
      const float by = p->row_share[row];
#define GIVE(stride)                         \
  for (int64_t o = s.first; o < s.last; o++) \
    dx[o * (stride) + s.column] += get_one(g + o) * (by * share[o]);
      BY_STRIDE(GIVE)
#undef GIVE
    }
}
