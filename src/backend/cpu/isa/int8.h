/* isa/int8.h - products of 8-bit whole numbers by tiles, and their way back.
 *
 * What is multiplied is widened to 16 bits: then one instruction multiplies twice as many pairs
 * as one of floats does, and adds neighbours in 32 bits, without loss. (The one that takes 8
 * bits adds neighbours in 16 and so cuts large sums off.) A place of the result reads runs of
 * widened elements; the weights that it meets lie packed, 8 bits wide, by panels of results:
 *
 *   weights[tap][pair][result of the panel][2]
 */
#ifndef GI_ISA_INT8_H
#define GI_ISA_INT8_H

#include <stdbool.h>
#include <stdint.h>

enum {
  GI_INT8_ROWS = 12, /* places of a tile, at most */
  GI_INT8_COLS = 32  /* results of a panel, at most */
};

/* The runs that a place reads, each of 2 `pairs` elements, from these elements of it on. */
typedef struct gi_int8_taps {
  int64_t n, pairs;
  const int64_t *offset;
} gi_int8_taps;

/* y = sum by[j] + level[j], perhaps no less than 0, perhaps divided by a scale and rounded */
typedef struct gi_int8_way_back {
  const float *by, *level;
  bool relu, narrow;
  float scale; /* narrow: 8-bit results are so many; 0: all are 0 */
} gi_int8_way_back;

typedef struct gi_int8_loops {
  int rows, cols; /* of a tile: places at most, results of a panel */
  /* q[i] = round(x[i] / scale), limited to -127 .. 127; scale above 0 */
  void (*quantize)(const float *x, float scale, int8_t *q, int64_t n);
  void (*widen)(const int8_t *from, int64_t n, int16_t *to);
  /* sums[i * cols + j] for the `rows` places that begin at a[i] and all results j of a panel;
   * all of |a| and |weights| at most 127, and fewer than 2^17 products in a sum. */
  void (*tile)(const gi_int8_taps *t, const int16_t *const *a, int rows, const int8_t *weights,
               int32_t *sums);
  /* The first n <= cols results of each of `rows` places, which lie `step` elements apart;
   * sums, by and level can be read to `cols`. y: f32, or i8 if w->narrow. */
  void (*give)(const gi_int8_way_back *w, const int32_t *sums, int rows, int64_t n,
               int64_t step, void *y);
} gi_int8_loops;

#endif /* GI_ISA_INT8_H */
