/* isa/move.h - moving a rectangle of elements between two arrangements in memory. */
#ifndef GI_MOVE_H
#define GI_MOVE_H

#include <stddef.h>
#include <stdint.h>

/* Element (r, c) of `rows` x `cols` lies at from[r * from_row + c * from_col] and goes to
 * to[r * to_row + c * to_col]; strides in elements of `size` bytes (1, 2, 4 or 8). */
typedef struct gi_rectangle {
  int64_t rows, cols;
  int64_t from_row, from_col, to_row, to_col;
  size_t size;
} gi_rectangle;

typedef void gi_move_rectangle(const gi_rectangle *r, const void *from, void *to);

#endif /* GI_MOVE_H */
