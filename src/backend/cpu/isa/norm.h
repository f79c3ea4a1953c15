/* isa/norm.h - what batch normalisation does to a piece of an image batch.
 *
 * A piece is `rows` runs of n elements, row_step apart: of one channel (run) or, channels-last,
 * places of n channels each (columns). By channel (run: one number each):
 *
 *   y = a x + b [+ z], and at least 0 if relu
 *   sums: S = sum of dy, T = sum of dy (x - centre), where relu: of the dy with y > 0 alone
 *   dx = p dy + q x + r, with the same dy
 *
 * y > 0 is computed again from x or, where z was added, kept as one bit an element. The bits of
 * eight channels lie in a byte: of a place [ceil(n / 8)], or of a channel's run one byte an
 * element, in which it owns the bit `shift`.
 */
#ifndef GI_NORM_H
#define GI_NORM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gi_norm {
  int64_t rows, row_step, n;
  bool relu;
  const void *x, *z, *dy; /* elements; z NULL: nothing is added */
  const float *a, *b;
  const float *centre;
  const float *p, *q, *r;
  uint8_t *to_bits;    /* forward, where z is added */
  const uint8_t *bits; /* backward; NULL: y > 0 from x */
  int64_t bits_step;
  int shift;
  void *y;     /* elements; write: y; grad: dx; sums: the dy that count, or NULL */
  float *sums; /* run: S, T; columns: n of S, n of T */
} gi_norm;

typedef struct gi_norm_loops {
  void (*write_run)(const gi_norm *g);
  void (*write_columns)(const gi_norm *g);
  void (*sums_run)(const gi_norm *g);
  void (*sums_columns)(const gi_norm *g);
  void (*grad_run)(const gi_norm *g);
  void (*grad_columns)(const gi_norm *g);
} gi_norm_loops;

#endif /* GI_NORM_H */
