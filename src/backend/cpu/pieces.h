/* cpu/pieces.h - which cells the tiles of Winograd's algorithm read and write.
 *
 * Kernels larger than 3 x 3, and strides, are sums of 3 x 3 pieces, each over an image of its
 * own: cells of x a stride apart, from a first one on. A 5 x 5 kernel has four: of stride 1
 * with the taps 0 1 2 | 3 4 along an axis, of stride 2 with 0 2 4 | 1 3. Cells of dx in one
 * phase (row and column modulo the stride) lie under the same taps, so that each phase is such
 * a sum over dy.
 */
#ifndef GI_PIECES_H
#define GI_PIECES_H

#include "backend/backend.h"
#include "backend/cpu/isa/winograd.h"
#include "ops/attrs.h"

enum {
  GI_PIECE_CELLS = 9,  /* of a piece */
  GI_PIECE_SIDE = 7,   /* most taps of a kernel along an axis */
  GI_PIECE_STRIDE = 2, /* at most */
  GI_PIECE_LINES = 3,  /* most pieces along an axis */
  GI_PIECES = GI_PIECE_LINES * GI_PIECE_LINES,
  GI_PIECE_PHASES = GI_PIECE_STRIDE * GI_PIECE_STRIDE
};

typedef struct gi_piece {
  int64_t first[2];        /* cell that the first tile begins to read at */
  int tap[GI_PIECE_CELLS]; /* of the kernel; -1: none */
} gi_piece;

/* Where the tiles lie, in the images that are read and in those of the results. */
typedef struct gi_grid {
  int64_t height, width, depth;          /* of what is read by 6 x 6 */
  int64_t to_height, to_width, channels; /* of what has tiles of 4 x 4 */
  int64_t step[2];                       /* between cells that are read */
  int64_t to_first[2], to_step[2];       /* the places of a phase, in the result */
  int64_t rows, cols, tiles;             /* of one image, of one image, in all */
  int n_pieces;
  gi_piece piece[GI_PIECES];
} gi_grid;

/* NULL, or why a kernel of this size has no pieces, or too many to save multiplications. */
const char *gi_pieces_fit(const gi_conv_attr *a, const gi_type *w);
/* Phases of conv2d_input_grad; 1 of conv2d, conv2d_act and conv2d_weight_grad. */
int gi_grid_phases(const gi_problem *p);
gi_grid gi_grid_of(const gi_problem *p, int phase);

/* Pointers to the 36 cells that a piece of a tile reads; to zeros in the padding. */
void gi_grid_read(const gi_grid *g, int64_t tile, const gi_piece *p, const float *from,
                  const float *zeros, const float **at);
/* Offsets of the 16 cells of a tile of results; -1 outside of the image. */
void gi_grid_written(const gi_grid *g, int64_t tile, int64_t *cell);

#endif /* GI_PIECES_H */
