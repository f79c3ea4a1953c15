/* isa/narrow.h - bf16 elements to f32 and back, many at a time.
 */
#ifndef GI_NARROW_H
#define GI_NARROW_H

#include <stdint.h>

/* bf16 is the upper half of an f32; what is narrowed is rounded to nearest even, and NaN stays
 * NaN. Bits equal those of gi_convert. */
typedef struct gi_narrow_loops {
  void (*widen)(const uint16_t *from, float *to, int64_t n);
  void (*narrow)(const float *from, uint16_t *to, int64_t n);
} gi_narrow_loops;

#endif /* GI_NARROW_H */
