/* isa/int8.h - products and rounding of 8-bit whole numbers.
 *
 * Operands of products are widened to 16 bits beforehand: an instruction then multiplies twice
 * as many pairs as one of floats does, and adds neighbours in 32 bits, without loss.
 */
#ifndef GI_ISA_INT8_H
#define GI_ISA_INT8_H

#include <stdint.h>

enum { GI_INT8_PAD = 32 }; /* rows are padded with zeros to a multiple of so many elements */

typedef struct gi_int8_loops {
  /* q[i] = round(x[i] / scale), limited to -127 .. 127; scale above 0 */
  void (*quantize)(const float *x, float scale, int8_t *q, int64_t n);
  /* sums[i * n + j] = sum over p < k of a[i * k + p] b[j * k + p]; k a multiple of GI_INT8_PAD,
   * below 2^17 */
  void (*products)(const int16_t *a, int64_t m, const int16_t *b, int64_t n, int64_t k,
                   int32_t *sums);
} gi_int8_loops;

#endif /* GI_ISA_INT8_H */
