/* isa/limits.h - loops that reach the processor's limits, for measuring them (cpu/limits.c). */
#ifndef GI_ISA_LIMITS_H
#define GI_ISA_LIMITS_H

#include <stdint.h>

typedef struct gi_limit_loops {
  int64_t round_flops; /* operations of one round; a multiply-add is two */
  /* So many rounds in registers alone. What is returned keeps them from being left out. */
  float (*arithmetic)(int64_t rounds);
  /* to[i] = a[i] + b[i] / 2: three streams of memory. */
  void (*traffic)(float *to, const float *a, const float *b, int64_t n);
  float (*read)(const float *a, int64_t n); /* the sum: one stream */
} gi_limit_loops;

#endif /* GI_ISA_LIMITS_H */
