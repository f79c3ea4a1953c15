/* cpu.c - the cpu backend: which vector loops this processor can run.
 *
 * Kernels are found by file name (kernels/<family>.c, cmake/table.cmake).
 */
#include "backend/cpu/cpu.h"

#include <stdlib.h>

#include "backend/cpu/limits.h"

extern const gi_kernel *const *const gi_cpu_kernels_table[];

static bool has(const gi_isa *isa) {
#if defined(__x86_64__)
  if (isa == &gi_isa_avx2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == &gi_isa_avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
#endif
  return isa == &gi_isa_base;
}

/* The best that this processor has, up to the one that is called `limit`; NULL: up to all. */
static const gi_isa *best_isa(const char *limit) {
  static const gi_isa *const sets[] = {
    &gi_isa_base,
#if defined(__x86_64__)
    &gi_isa_avx2,
    &gi_isa_avx512,
#endif
  };
  const gi_isa *best = &gi_isa_base;
  for (int i = 0; i < GI_COUNT(sets) && has(sets[i]); i++) {
    best = sets[i];
    if (limit != NULL && strcmp(limit, best->name) == 0) break;
  }
  return best;
}

const gi_isa *gi_cpu_isa(void) { return best_isa(getenv("GLIA_ISA")); }

const gi_isa *gi_cpu_best_isa(void) { return best_isa(NULL); }

const gi_element_loops *gi_cpu_elements(glia_dtype t) {
  return t == GLIA_F32 ? &gi_cpu_isa()->f32 : t == GLIA_BF16 ? &gi_cpu_isa()->bf16 : NULL;
}

const gi_backend gi_backend_cpu = {
    .name = "cpu",
    .kernels = gi_cpu_kernels_table,
    .limits = gi_cpu_limits,
    .together = gi_cpu_together,
    .measure = gi_cpu_measure,
    .setup = gi_cpu_setup,
    .check = gi_cpu_check,
};

int gi_cpu_parts(int threads, int64_t work, int64_t least) {
  return (int)GI_MAX(1, GI_MIN((int64_t)threads, work / least));
}
