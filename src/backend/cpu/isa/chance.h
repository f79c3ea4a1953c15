/* isa/chance.h - random numbers by the vector: Philox4x32-10, bit for bit as in base/philox.c.
 */
#ifndef GI_CHANCE_H
#define GI_CHANCE_H

#include <stdint.h>

typedef struct gi_stream {
  uint64_t key, step; /* seed ^ stream */
} gi_stream;

enum { GI_WORDS = 128 }; /* that are drawn at once, at most */

typedef struct gi_chance_loops {
  /* mask[i] = all ones where the upper 24 bits of word first + i are at least `least`, else 0:
   * bits in the place of floats. */
  void (*keep)(const gi_stream *s, uint64_t first, int64_t n, uint32_t least, float *mask);
  /* The same for 4 rows of n elements: element (r, i) draws word first + r + i * column; first
   * and column are multiples of 4. */
  void (*keep_rows)(const gi_stream *s, uint64_t first, uint64_t column, int64_t n,
                    uint32_t least, float *mask);
  /* Words first .. first + n - 1; first is a multiple of 4, to has room for n rounded up to
   * GI_WORDS. */
  void (*words)(const gi_stream *s, uint64_t first, int64_t n, uint32_t *to);
  /* y[i] = a + b u, u uniform in [0, 1). */
  void (*uniform)(const gi_stream *s, uint64_t first, int64_t n, float a, float b, float *y);
  /* y[i] = a + b z, z normal. */
  void (*normal)(const gi_stream *s, uint64_t first, int64_t n, float a, float b, float *y);
} gi_chance_loops;

#endif /* GI_CHANCE_H */
