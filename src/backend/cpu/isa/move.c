/* move.c - rectangles of elements: rows copied, one element repeated, or rows that become
 * columns.
 *
 * The last is done in blocks of 4 x 4 words, which are turned in registers, so that both sides
 * are read and written 16 bytes at a time.
 */
#include "backend/cpu/isa/isa.h"

#include <string.h>

typedef uint32_t quad __attribute__((vector_size(16)));
typedef uint32_t loose_quad __attribute__((vector_size(16), aligned(4), may_alias));

/* ---- rows that become columns: from_row == 1, to_col == 1, words ------------------------- */

static inline quad load_quad(const uint32_t *p) { return *(const loose_quad *)p; }
static inline void store_quad(uint32_t *p, quad v) { *(loose_quad *)p = v; }

static inline void turn_block(const uint32_t *from, int64_t from_col, uint32_t *to,
                              int64_t to_row) {
  const quad a = load_quad(from), b = load_quad(from + from_col);
  const quad c = load_quad(from + 2 * from_col), d = load_quad(from + 3 * from_col);
  const quad ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const quad ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const quad cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const quad cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store_quad(to, __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5));
  store_quad(to + to_row, __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7));
  store_quad(to + 2 * to_row, __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5));
  store_quad(to + 3 * to_row, __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7));
}

static void turn_words(const gi_rectangle *r, const uint32_t *from, uint32_t *to) {
  const int64_t rows = r->rows - r->rows % 4, cols = r->cols - r->cols % 4;
  for (int64_t i = 0; i < rows; i += 4) {
    const uint32_t *f = from + i;
    uint32_t *t = to + i * r->to_row;
    for (int64_t j = 0; j < cols; j += 4)
      turn_block(f + j * r->from_col, r->from_col, t + j, r->to_row);
    for (int64_t j = cols; j < r->cols; j++)
      for (int64_t k = 0; k < 4; k++) t[k * r->to_row + j] = f[j * r->from_col + k];
  }
  for (int64_t i = rows; i < r->rows; i++)
    for (int64_t j = 0; j < r->cols; j++) to[i * r->to_row + j] = from[j * r->from_col + i];
}

/* ---- anything --------------------------------------------------------------------------- */

static void copy_rows(const gi_rectangle *r, const char *from, char *to) {
  const size_t bytes = (size_t)r->cols * r->size;
  for (int64_t i = 0; i < r->rows; i++)
    memcpy(to + i * r->to_row * (int64_t)r->size, from + i * r->from_row * (int64_t)r->size,
           bytes);
}

#define MOVE_EACH(type)                                                              \
  do {                                                                               \
    const type *f = from;                                                            \
    type *t = to;                                                                    \
    for (int64_t i = 0; i < r->rows; i++, f += r->from_row, t += r->to_row) {        \
      if (r->from_col == 0 && r->to_col == 1)                                        \
        for (int64_t j = 0; j < r->cols; j++) t[j] = f[0];                           \
      else if (r->from_col == -1 && r->to_col == 1) /* back to front */              \
        for (int64_t j = 0; j < r->cols; j++) t[j] = f[-j];                          \
      else                                                                           \
        for (int64_t j = 0; j < r->cols; j++) t[j * r->to_col] = f[j * r->from_col]; \
    }                                                                                \
  } while (0)

void GI_ISA(gi_move_rectangle)(const gi_rectangle *r, const void *from, void *to) {
  if (r->from_col == 1 && r->to_col == 1)
    copy_rows(r, from, to);
  else if (r->from_row == 1 && r->to_col == 1 && r->size == 4)
    turn_words(r, from, to);
  else if (r->size == 1)
    MOVE_EACH(uint8_t);
  else if (r->size == 2)
    MOVE_EACH(uint16_t);
  else if (r->size == 4)
    MOVE_EACH(uint32_t);
  else
    MOVE_EACH(uint64_t);
}
