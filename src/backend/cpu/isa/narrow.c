/* narrow.c - bf16 to f32 and back, a vector at a time; what is left goes over a copy. */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

static void widen(const uint16_t *from, float *to, int64_t n) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES) store(to + i, load_bf16(from + i));
  if (i == n) return;
  uint16_t rest[GI_LANES] = {0};
  memcpy(rest, from + i, (size_t)(n - i) * sizeof *from);
  store_part(to + i, load_bf16(rest), n - i);
}

static void narrow(const float *from, uint16_t *to, int64_t n) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES) store_bf16(to + i, load(from + i));
  if (i == n) return;
  uint16_t rest[GI_LANES];
  store_bf16(rest, load_part(from + i, n - i, 0));
  memcpy(to + i, rest, (size_t)(n - i) * sizeof *to);
}

const gi_narrow_loops GI_ISA(gi_narrow_loops) = {.widen = widen, .narrow = narrow};
