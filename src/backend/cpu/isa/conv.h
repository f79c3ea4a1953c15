/* isa/conv.h - convolution as products over pointers: the inner loops.
 *
 * Images are channels-last. What is computed for one place of the result is a sum over taps
 * (the cells of the kernel) of vectors of `depth` channels times matrices of weights.
 * GI_CONV_PLACES places are computed together; at[tap * GI_CONV_PLACES + i] points to the
 * channels that place i sees under a tap, or to zeros in the padding, so that stride, padding
 * and dilation are nothing but pointers (Dukhan 2019, arXiv:1907.02129).
 *
 * Weights are packed in panels of gi_conv_width(lanes) result channels:
 * panel[(tap * depth + c) * width + f], zeros where channels are missing.
 */
#ifndef GI_CONV_H
#define GI_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GI_CONV_PLACES = 6 };

typedef struct gi_conv_tile {
  const float *const *at;
  const int32_t *weight; /* by tap: first row of the panel, in floats */
  int64_t taps, depth;
  const float *panel;
  float *to[GI_CONV_PLACES];          /* first result channel of the panel, by place */
  int places;                         /* that are stored */
  int64_t channels;                   /* of the panel that are stored */
  const float *bias;                  /* as many; NULL: none */
  const float *added[GI_CONV_PLACES]; /* as `to`: added last; it may be the same memory */
  bool adds, relu;
} gi_conv_tile;

/* Sum over places of x[place][c + i] dy[row[place] + f] for i = 0 .. rows - 1 and a panel's
 * width of f, to sum[i * sum_row + f]. */
typedef struct gi_conv_outer {
  const float *const *x; /* by place: channel 0, under one tap */
  int64_t c;
  const float *dy;
  const int32_t *row; /* by place */
  int64_t places;
  int rows; /* at most GI_CONV_PLACES */
  bool add; /* to what is there */
  float *sum;
  int64_t sum_row;
} gi_conv_outer;

typedef struct gi_conv_loops {
  int64_t width; /* channels of a panel: two vectors */
  void (*tile)(const gi_conv_tile *t);
  void (*outer)(const gi_conv_outer *o);
} gi_conv_loops;

#endif /* GI_CONV_H */
