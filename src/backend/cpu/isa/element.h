/* isa/element.h - values that lie in memory as f32 or as bf16 and are computed with as f32.
 *
 * The files of isa/element/ are compiled once for each of both (cmake/isa.cmake):
 * GI_ELEMENT_NAME is f32 or bf16, `element` one of them in memory, and GI_ELEMENT(name) the
 * symbol name with it behind. bf16 is widened where it is loaded and narrowed where it is
 * stored.
 */
#ifndef GI_ELEMENT_H
#define GI_ELEMENT_H

#include "backend/cpu/isa/vector.h"

#define GI_ELEMENT(name) GI_ISA(GI_ISA_JOINED(name, GI_ELEMENT_NAME))

#if GI_ELEMENT_BYTES == 4
typedef float element;

static inline vec get(const element *p) { return load(p); }
static inline void put(element *p, vec v) { store(p, v); }
static inline float get_one(const element *p) { return *p; }
#else
typedef uint16_t element;

static inline vec get(const element *p) { return load_bf16(p); }
static inline void put(element *p, vec v) { store_bf16(p, v); }
static inline float get_one(const element *p) {
  const uint32_t bits = (uint32_t)*p << 16;
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}
#endif

/* As many of n > 0 elements as a vector holds; what is loaded is filled up with zeros. */
static inline vec get_most(const element *p, int64_t n) {
  element part[GI_LANES] = {0};
  if (n >= GI_LANES) return get(p);
  memcpy(part, p, (size_t)n * sizeof *p);
  return get(part);
}
static inline void put_most(element *p, vec v, int64_t n) {
  element part[GI_LANES];
  put(n >= GI_LANES ? p : part, v);
  if (n < GI_LANES) memcpy(p, part, (size_t)n * sizeof *p);
}

#endif /* GI_ELEMENT_H */
