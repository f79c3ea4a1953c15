/* cpu/thin.h - products of a few rows with a weight that is packed once and used many times, a
 * panel of its columns at a time: the steps of recurrent layers.
 */
#ifndef GI_THIN_H
#define GI_THIN_H

#include "backend/cpu/cpu.h"

/* A weight as [block][gate][depth][width]: `gates` columns, or one, for each of `columns`
 * results that are wanted together; width is that of a panel (gi_product_loops). */
typedef struct gi_thin {
  const gi_isa *isa;
  int64_t columns, gates, depth, blocks;
  int64_t outer, inner, gate; /* of what is packed: floats to the next column, depth, gate */
  const float *from;
  float *panels;
  bool kept; /* packed before the runs */
} gi_thin;

/* Columns, gates, depth and steps are set; sets blocks and isa. */
void gi_thin_size(gi_thin *w);
int64_t gi_thin_floats(const gi_thin *w); /* of the panels */
/* From w->from to w->panels, unless it is kept. */
void gi_thin_pack(const gi_thin *w, int threads);

typedef struct gi_thin_rows { /* first .. last - 1 */
  int64_t first, last;
} gi_thin_rows;

/* Row n of the left side, depth floats. */
typedef const float *gi_thin_left(const void *user, int64_t n);

typedef struct gi_thin_target { /* element (n, j) of a result at c + n row_step + j */
  float *c;
  int64_t row_step;
  const float *added; /* as c, it may be the same memory; NULL: nothing */
  const float *bias;  /* one a column; NULL: none */
  bool add;           /* to what is there */
} gi_thin_target;

/* The columns of a block and gate of the product of these rows with w; to.c is the place of the
 * first. Each number is summed in one order, whatever the rows and blocks beside it. */
void gi_thin_multiply(const gi_thin *w, int64_t block, int64_t gate, gi_thin_left *left,
                      const void *user, gi_thin_rows rows, gi_thin_target to);

#endif /* GI_THIN_H */
