/* cpu/copy.h - copying elements between any two arrangements of strides: what permutes,
 * reorders, slices, pads and concatenations have in common.
 */
#ifndef GI_COPY_H
#define GI_COPY_H

#include "backend/cpu/cpu.h"

typedef struct gi_copy {
  gi_rectangle inner; /* one part at most; inner.rows is set for each */
  int rank;           /* outer dimensions */
  int64_t dim[GLIA_MAX_RANK], from[GLIA_MAX_RANK], to[GLIA_MAX_RANK];
  int64_t outer;                /* product of dim */
  int64_t rows, chunk, chunks;  /* rows of the rectangle, taken chunk by chunk */
  int64_t from_first, to_first; /* elements */
  int threads;
  gi_move_rectangle *move;
} gi_copy;

/* Element i (one index an axis) goes from from_first + sum i from[] to to_first + sum i to[].
 */
void gi_copy_plan(gi_copy *c, int rank, const int64_t *dim, int64_t from_first,
                  const int64_t *from, int64_t to_first, const int64_t *to, size_t size,
                  int threads);
void gi_copy_run(const gi_copy *c, const void *from, void *to);

#endif /* GI_COPY_H */
