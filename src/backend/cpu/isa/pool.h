/* isa/pool.h - pooling of images, forward and backward, as sums over taps.
 *
 * A tap of an axis says that cell `cell` of what is read takes part in cell i of what is
 * written, as number k of its window. Forward, x is read and y written; backward dy is read and
 * dx written, with the same pairs the other way round. So nothing is ever added to what another
 * window wrote, and each row of the result can be computed alone.
 */
#ifndef GI_POOL_H
#define GI_POOL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gi_tap {
  int32_t cell, k;
} gi_tap;
typedef struct gi_taps {
  int64_t n;            /* cells that are written */
  const int32_t *begin; /* taps begin[i] .. begin[i + 1] - 1 are those of cell i */
  const gi_tap *tap;
} gi_taps;

typedef struct gi_pool {
  gi_taps rows, cols;
  int64_t height, width; /* of what is read */
  int64_t channels;      /* of a channels-last image; planes: 1 */
  int64_t kernel_cols;
  /* Planes: cell o of y and number k of its window meet at column o stride - padding + k
   * dilation. */
  int64_t stride, padding, dilation;
  bool apart;                         /* no cell has two windows; there is no padding */
  float sign;                         /* 1: the largest, -1: the smallest */
  const float *row_share, *col_share; /* average: 1 / cells counted, by row and column of y */
} gi_pool;

/* One row of the result, row i: of `channels` numbers a cell, or of a plane. image, dy: the
 * elements that are read; what is written is f32, since some of it is summed up where it lies.
 */
typedef struct gi_pool_loops {
  void (*extreme)(const gi_pool *p, int64_t i, const void *image, float *y, uint8_t *position);
  void (*scatter)(const gi_pool *p, int64_t i, const void *dy, const uint8_t *position,
                  float *dx);
  void (*average)(const gi_pool *p, int64_t i, const void *image, float *y);
  void (*average_grad)(const gi_pool *p, int64_t i, const void *dy, float *dx);
  void (*extreme_plane)(const gi_pool *p, int64_t i, const void *image, float *y,
                        uint8_t *position);
  void (*scatter_plane)(const gi_pool *p, int64_t i, const void *dy, const uint8_t *position,
                        float *dx);
  void (*average_plane)(const gi_pool *p, int64_t i, const void *image, float *y);
  void (*average_grad_plane)(const gi_pool *p, int64_t i, const void *dy, float *dx);
} gi_pool_loops;

#endif /* GI_POOL_H */
