/* isa/winograd.h - Winograd's convolution F(4 x 4, 3 x 3): the inner loops.
 *
 * A tile is 6 x 6 cells of the image read, d, and 4 x 4 of the image written, y; g is a kernel
 * of 3 x 3 (Winograd 1980; Lavin and Gray 2015, arXiv:1509.09308):
 *
 *   y = A' [ (G g G') * (B' d B) ] A        * cell by cell, summed over channels before A
 *
 * so that 36 products, one for each point, take the place of 144 multiply-adds a channel. The
 * matrices come from evaluating polynomials at 0, p, -p, q, -q and infinity. p = 3/4, q = 3/2
 * are exact in binary, as are all entries of A and B, and round four times less than the usual
 * 1 and 2: the error is 7e-7 of the results' root mean square in the mean and 1e-5 at most, for
 * 64 channels, where the direct sum has 3e-7 in the mean; it grows with the root of the
 * channels, to GI_WINOGRAD_ERROR at most for 512. The gradient of the kernel is the adjoint of
 * the same map:
 *
 *   dg = G' [ (B' d B) * (A dy A') ] G      summed over tiles before G
 *
 * Channels are contiguous everywhere; a transform goes by vectors of them.
 */
#ifndef GI_WINOGRAD_H
#define GI_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GI_WINOGRAD_ERROR 3e-5

enum {
  GI_WINOGRAD_IN = 6,      /* rows and columns of a tile that is read */
  GI_WINOGRAD_OUT = 4,     /* of one that is written */
  GI_WINOGRAD_POINTS = 36, /* products */
  GI_WINOGRAD_ROWS = 6     /* tiles, or channels, that a product takes together */
};

/* A tile of the result, one panel of channels. */
typedef struct gi_winograd_output {
  const float *from; /* [point][width], points `step` floats apart */
  int64_t step;
  float *to;
  const int64_t *cell; /* of the 16, by row: where its channels begin in `to`; < 0: outside */
  int64_t channels;    /* that are stored */
  const float *bias;   /* as many; NULL: none */
  const float *added;  /* as `to`: added last, it may be the same memory; NULL: none */
  bool relu;
} gi_winograd_output;

/* At one point: to[i][f] = sum over c of x[i][c] panel[c][f] for GI_WINOGRAD_ROWS tiles i. */
typedef struct gi_winograd_product {
  const float *x;
  int64_t row; /* floats between the tiles of x */
  int64_t depth;
  const float *panel;
  float *to; /* [i][width] */
} gi_winograd_product;

/* At one point: sum[i][f] (+)= sum over tiles t of x[t][i] dy[t][f] for i < rows. */
typedef struct gi_winograd_outer {
  const float *x;
  int64_t row;     /* floats between the tiles of x */
  const float *dy; /* [t][width] */
  int64_t tiles;
  int rows; /* at most GI_WINOGRAD_ROWS */
  bool add;
  float *sum; /* [i][width] */
} gi_winograd_outer;

typedef struct gi_winograd_loops {
  int64_t width; /* channels of a panel: two vectors */
  /* to[point step + c] = B' d B; at: the 36 cells, by row. Whole vectors are written. */
  void (*input)(const float *const *at, int64_t channels, float *to, int64_t step);
  /* A dy A' for the channels of one panel; cell: as in gi_winograd_output. */
  void (*result)(const float *from, const int64_t *cell, int64_t channels, float *to,
                 int64_t step);
  /* G g G' for a panel's width of kernels: cell k of g lies at g + k cell. */
  void (*weight)(const float *g, int64_t cell, float *to, int64_t step);
  void (*output)(const gi_winograd_output *o); /* A' m A, bias and relu */
  /* to [9][width] = G' m G for a panel's width of kernels. */
  void (*weight_grad)(const float *from, int64_t step, float *to);
  void (*product)(const gi_winograd_product *p);
  void (*outer)(const gi_winograd_outer *o);
} gi_winograd_loops;

#endif /* GI_WINOGRAD_H */
