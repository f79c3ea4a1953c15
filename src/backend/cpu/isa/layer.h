/* isa/layer.h - what layer normalisation does to one row of n elements.
 *
 *   moments: mean = sum of x / n (0 unless centred), variance = sum of (x - mean)^2 / n
 *   h = (x - mean) scale;   y = h gamma + beta
 *   sums: S = sum of dy gamma, T = sum of dy gamma h; dgamma += dy h, dbeta += dy
 *   dx = scale (dy gamma - level - h slope)
 */
#ifndef GI_LAYER_H
#define GI_LAYER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gi_layer {
  int64_t n;
  const void *x, *dy;        /* elements */
  const float *gamma, *beta; /* [n]; beta NULL: 0 */
  float mean, scale;
  float level, slope;
  float *dgamma, *dbeta; /* [n] */
  void *y;               /* elements: write: y; grad: dx */
} gi_layer;

/* Rows follow one another in memory: while one is computed with a second time, the one behind
 * it is asked for. */
typedef struct gi_layer_loops {
  void (*moments)(const gi_layer *l, bool centred, float *mean, float *variance);
  void (*write)(const gi_layer *l);
  void (*sums)(const gi_layer *l, float *s, float *t);
  void (*grad)(const gi_layer *l);
} gi_layer_loops;

#endif /* GI_LAYER_H */
