/* few.c - products of a few rows: every element of the weight is loaded once and used for each
 * row. The number of rows is a constant in each copy of the loops, so that sums stay in
 * registers.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/element.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  SIDE = 4, /* columns gone along at once: as many streams from memory */
  DEEP = 8  /* rows of w that a run of columns is made of at once */
};

/* ---- along rows of w --------------------------------------------------------------------- */

/* `columns` columns from j on, `apart` from one to the next. */
INLINE void dots_side(const gi_few *f, int64_t j, int64_t apart, const int rows,
                      const int columns) {
  const element *w[SIDE];
  vec s[GI_FEW_ROWS][SIDE];
  for (int c = 0; c < columns; c++) w[c] = (const element *)f->w + (j + c * apart) * f->step;
  for (int i = 0; i < rows; i++)
    for (int c = 0; c < columns; c++) s[i][c] = splat(0);
  int64_t k = 0;
  for (; k + GI_LANES <= f->depth; k += GI_LANES)
    for (int c = 0; c < columns; c++) {
      const vec v = get(w[c] + k);
      for (int i = 0; i < rows; i++)
        s[i][c] = multiply_add(load(f->a + i * f->depth + k), v, s[i][c]);
    }
  if (k < f->depth)
    for (int c = 0; c < columns; c++) {
      const vec v = get_most(w[c] + k, f->depth - k);
      for (int i = 0; i < rows; i++)
        s[i][c] = multiply_add(load_most(f->a + i * f->depth + k, f->depth - k), v, s[i][c]);
    }
  for (int i = 0; i < rows; i++)
    for (int c = 0; c < columns; c++) f->c[i * f->c_step + j + c * apart] = lanes_sum(s[i][c]);
}

/* Columns of four quarters at once: each quarter is one long stream from memory. */
INLINE void dots_of(const gi_few *f, int64_t from, int64_t to, const int rows) {
  const int64_t quarter = (to - from) / SIDE;
  for (int64_t j = from; j < from + quarter; j++) dots_side(f, j, quarter, rows, SIDE);
  for (int64_t j = from + SIDE * quarter; j < to; j++) dots_side(f, j, 1, rows, 1);
}

static void dots(const gi_few *f, int64_t from, int64_t to) {
  switch (f->rows) {
    case 1: dots_of(f, from, to, 1); return;
    case 2: dots_of(f, from, to, 2); return;
    case 3: dots_of(f, from, to, 3); return;
    default: dots_of(f, from, to, 4);
  }
}

/* ---- down columns of w ------------------------------------------------------------------- */

/* n columns from w and c on, a whole vector of them or fewer: c += a w over `deep` rows of w,
 * `apart` from one to the next. */
INLINE void sums_vector(const gi_few *f, const element *w, const float *a, float *c, int64_t n,
                        int64_t apart, const int rows, const int deep) {
  vec s[GI_FEW_ROWS];
  for (int i = 0; i < rows; i++) s[i] = load_most(c + i * f->c_step, n);
  for (int d = 0; d < deep; d++) {
    const vec v = get_most(w + d * apart * f->step, n);
    for (int i = 0; i < rows; i++)
      s[i] = multiply_add(splat(a[i * f->depth + d * apart]), v, s[i]);
  }
  for (int i = 0; i < rows; i++) store_most(c + i * f->c_step, s[i], n);
}

/* c += `deep` rows of w from k on, each times its number. */
INLINE void sums_deep(const gi_few *f, int64_t from, int64_t to, int64_t k, int64_t apart,
                      const int rows, const int deep) {
  const element *w = (const element *)f->w + k * f->step;
  int64_t j = from;
  for (; j + GI_LANES <= to; j += GI_LANES)
    sums_vector(f, w + j, f->a + k, f->c + j, GI_LANES, apart, rows, deep);
  if (j < to) sums_vector(f, w + j, f->a + k, f->c + j, to - j, apart, rows, deep);
}

/* Rows of eight parts of w at once, as above. */
INLINE void sums_of(const gi_few *f, int64_t from, int64_t to, const int rows) {
  const int64_t part = f->depth / DEEP;
  for (int i = 0; i < rows; i++)
    memset(f->c + i * f->c_step + from, 0, (size_t)(to - from) * sizeof *f->c);
  for (int64_t k = 0; k < part; k++) sums_deep(f, from, to, k, part, rows, DEEP);
  for (int64_t k = DEEP * part; k < f->depth; k++) sums_deep(f, from, to, k, 1, rows, 1);
}

static void sums(const gi_few *f, int64_t from, int64_t to) {
  switch (f->rows) {
    case 1: sums_of(f, from, to, 1); return;
    case 2: sums_of(f, from, to, 2); return;
    case 3: sums_of(f, from, to, 3); return;
    default: sums_of(f, from, to, 4);
  }
}

const gi_few_loops GI_ELEMENT(gi_few_loops) = {dots, sums};
