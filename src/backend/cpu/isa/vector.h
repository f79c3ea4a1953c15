/* isa/vector.h - floats by the vector, in GNU vector types, as wide as the instruction set.
 *
 * vec holds GI_LANES floats, ivec as many 32-bit integers; + - * / and comparisons work on them
 * as on scalars, a comparison gives an ivec of all ones or zeros. Memory need not be aligned.
 */
#ifndef GI_VECTOR_H
#define GI_VECTOR_H

#include <math.h>
#include <sleef.h>
#include <string.h>

#include "backend/cpu/isa/isa.h"

#define GI_LANES (GI_ISA_BYTES / 4)

typedef float vec __attribute__((vector_size(GI_ISA_BYTES)));
typedef int32_t ivec __attribute__((vector_size(GI_ISA_BYTES)));
typedef uint32_t uvec __attribute__((vector_size(GI_ISA_BYTES)));
typedef float loose_vec __attribute__((vector_size(GI_ISA_BYTES), aligned(4), may_alias));
typedef int32_t loose_ivec __attribute__((vector_size(GI_ISA_BYTES), aligned(4), may_alias));

static inline vec load(const float *p) { return *(const loose_vec *)p; }
static inline void store(float *p, vec v) { *(loose_vec *)p = v; }
static inline ivec load_i32(const int32_t *p) { return *(const loose_ivec *)p; }
static inline void store_i32(int32_t *p, ivec v) { *(loose_ivec *)p = v; }
static inline vec splat(float v) { return v - (vec){0}; }
static inline ivec splat_i32(int32_t v) { return v - (ivec){0}; }

/* A byte for each lane: what compilers make of __builtin_convertvector here goes byte by byte.
 */
static inline ivec load_u8(const uint8_t *p) {
#if defined(__AVX512F__)
  __m128i b;
  memcpy(&b, p, sizeof b);
  return (ivec)_mm512_cvtepu8_epi32(b);
#elif defined(__AVX2__)
  uint64_t b;
  memcpy(&b, p, sizeof b);
  return (ivec)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)b));
#elif defined(__SSE2__)
  int32_t b;
  memcpy(&b, p, sizeof b);
  const __m128i zero = _mm_setzero_si128();
  return (ivec)_mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(b), zero), zero);
#else
  ivec v;
  for (int i = 0; i < GI_LANES; i++) v[i] = p[i];
  return v;
#endif
}
static inline void store_u8(uint8_t *p, ivec v) { /* 0 .. 255 */
#if defined(__AVX512F__)
  const __m128i b = _mm512_cvtepi32_epi8((__m512i)v);
  memcpy(p, &b, sizeof b);
#elif defined(__AVX2__)
  const __m128i low = _mm256_castsi256_si128((__m256i)v),
                high = _mm256_extracti128_si256((__m256i)v, 1);
  const __m128i words = _mm_packs_epi32(low, high);
  const int64_t b = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
  memcpy(p, &b, sizeof b);
#elif defined(__SSE2__)
  const __m128i words = _mm_packs_epi32((__m128i)v, (__m128i)v);
  const int32_t b = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  memcpy(p, &b, sizeof b);
#else
  for (int i = 0; i < GI_LANES; i++) p[i] = (uint8_t)v[i];
#endif
}

/* bf16: the upper half of a float. */
static inline vec load_bf16(const uint16_t *p) {
#if defined(__AVX512F__)
  __m256i h;
  memcpy(&h, p, sizeof h);
  return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
#elif defined(__AVX2__)
  __m128i h;
  memcpy(&h, p, sizeof h);
  return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16);
#elif defined(__SSE2__)
  int64_t h;
  memcpy(&h, p, sizeof h);
  return (vec)_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_cvtsi64_si128(h));
#else
  uvec v;
  for (int i = 0; i < GI_LANES; i++) v[i] = (uint32_t)p[i] << 16;
  return (vec)v;
#endif
}

/* Rounded to nearest even in the upper half of each lane; a NaN becomes a quiet one. */
static inline ivec round_to_bf16(vec a) {
  const uvec bits = (uvec)a, rounded = bits + (0x7fffu + (bits >> 16 & 1u));
  const ivec none = a != a;
  return (none & (ivec)(bits | 0x400000u)) | (~none & (ivec)rounded);
}
static inline vec rounded_to_bf16(vec a) {
  return (vec)(round_to_bf16(a) & (int32_t)0xffff0000u);
}
static inline void store_bf16(uint16_t *p, vec a) {
  const ivec high = round_to_bf16(a) >> 16;
#if defined(__AVX512F__)
  const __m256i h = _mm512_cvtepi32_epi16((__m512i)high);
  memcpy(p, &h, sizeof h);
#elif defined(__AVX2__)
  const __m128i h = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)high),
                                    _mm256_extracti128_si256((__m256i)high, 1));
  memcpy(p, &h, sizeof h);
#elif defined(__SSE2__)
  const int64_t h = _mm_cvtsi128_si64(_mm_packs_epi32((__m128i)high, (__m128i)high));
  memcpy(p, &h, sizeof h);
#else
  for (int i = 0; i < GI_LANES; i++) p[i] = (uint16_t)high[i];
#endif
}

/* n < GI_LANES floats; what is loaded is filled up with `rest`. */
static inline vec load_part(const float *p, int64_t n, float rest) {
  vec v = splat(rest);
  memcpy(&v, p, (size_t)n * sizeof *p);
  return v;
}
static inline void store_part(float *p, vec v, int64_t n) {
  memcpy(p, &v, (size_t)n * sizeof *p);
}
/* As many of n floats as a vector holds, filled up with zeros; none if n <= 0. */
static inline vec load_most(const float *p, int64_t n) {
  return n >= GI_LANES ? load(p) : n > 0 ? load_part(p, n, 0) : splat(0);
}
static inline void store_most(float *p, vec v, int64_t n) {
  if (n >= GI_LANES)
    store(p, v);
  else if (n > 0)
    store_part(p, v, n);
}

/* relu; a NaN stays. */
static inline vec at_least_zero(vec v) { return (vec)(~(v < splat(0)) & (ivec)v); }

static inline vec choose(ivec mask, vec a, vec b) {
  return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}
static inline ivec choose_i32(ivec mask, ivec a, ivec b) { return (mask & a) | (~mask & b); }

/* a b + c; one rounding where the set has it, two elsewhere. */
static inline vec multiply_add(vec a, vec b, vec c) {
#if defined(__AVX512F__)
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__ARM_NEON)
  return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

/* The larger and the smaller of a bound and a, by one instruction where there is one; a NaN of
 * a stays. */
static inline vec not_below(vec bound, vec a) {
#if defined(__AVX512F__)
  return (vec)_mm512_max_ps((__m512)bound, (__m512)a);
#elif defined(__AVX2__)
  return (vec)_mm256_max_ps((__m256)bound, (__m256)a);
#elif defined(__SSE2__)
  return (vec)_mm_max_ps((__m128)bound, (__m128)a);
#else
  return choose(a < bound, bound, a);
#endif
}
static inline vec not_above(vec bound, vec a) {
#if defined(__AVX512F__)
  return (vec)_mm512_min_ps((__m512)bound, (__m512)a);
#elif defined(__AVX2__)
  return (vec)_mm256_min_ps((__m256)bound, (__m256)a);
#elif defined(__SSE2__)
  return (vec)_mm_min_ps((__m128)bound, (__m128)a);
#else
  return choose(a > bound, bound, a);
#endif
}

static inline vec vector_sqrt(vec a) {
#if defined(__AVX512F__)
  return (vec)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX2__)
  return (vec)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__)
  return (vec)_mm_sqrt_ps((__m128)a);
#else
  for (int i = 0; i < GI_LANES; i++) a[i] = sqrtf(a[i]);
  return a;
#endif
}

static inline vec vector_abs(vec a) { return (vec)((ivec)a & 0x7fffffff); }

/* The larger and the smaller; unlike the processor's own, a NaN on either side wins. */
static inline vec larger(vec a, vec b) { return choose((a > b) | (a != a), a, b); }
static inline vec smaller(vec a, vec b) { return choose((a < b) | (a != a), a, b); }

/* SLEEF's functions, 1 unit in the last place: Sleef_expf8_u10avx2 and so on. */
#if defined(__AVX512F__)
#define GI_SLEEF(name, accuracy) Sleef_##name##f16_##accuracy##avx512f
typedef __m512 sleef_vec;
#elif defined(__AVX2__)
#define GI_SLEEF(name, accuracy) Sleef_##name##f8_##accuracy##avx2
typedef __m256 sleef_vec;
#elif defined(__SSE2__)
#define GI_SLEEF(name, accuracy) Sleef_##name##f4_##accuracy##sse2
typedef __m128 sleef_vec;
#else
#define GI_SLEEF(name, accuracy) Sleef_##name##f4_##accuracy
typedef float32x4_t sleef_vec;
#endif
#define GI_SLEEF1(name, sleef, accuracy) \
  static inline vec name(vec a) { return (vec)GI_SLEEF(sleef, accuracy)((sleef_vec)a); }
GI_SLEEF1(vector_expm1, expm1, u10)
GI_SLEEF1(vector_log, log, u10)
GI_SLEEF1(vector_log1p, log1p, u10)
GI_SLEEF1(vector_sin, sin, u10)
GI_SLEEF1(vector_cos, cos, u10)
static inline vec vector_pow(vec a, vec b) {
  return (vec)GI_SLEEF(pow, u10)((sleef_vec)a, (sleef_vec)b);
}

/* ---- functions of our own ----------------------------------------------------------------
 * Those that networks live in: several times as fast as SLEEF's, for a few units of the last
 * place. Coefficients are fitted to the least largest relative error, which is named. */

/* e^x = 2^n e^r, n the whole number next to x / ln 2, e^r = 1 + r + r^2 p(r): 3e-9, at most 2
 * units of the last place off. 2^n is multiplied in two halves, so that results go to
 * denormals, 0 and infinity as they should. NaN stays. */
static inline vec vector_exp(vec x) {
  const vec round = splat(12582912); /* 1.5 * 2^23: sums with it are rounded to whole numbers */
  const vec a = not_above(splat(100), not_below(splat(-110), x));
  const vec shifted = multiply_add(a, splat(1.44269504f), round), n = shifted - round;
  vec r = multiply_add(n, splat(-0.693359375f), a); /* ln 2, the first part without rounding */
  r = multiply_add(n, splat(2.12194440e-4f), r);
  vec p = splat(1.3814612984e-3f);
  p = multiply_add(p, r, splat(8.3687098426e-3f));
  p = multiply_add(p, r, splat(4.1668387367e-2f));
  p = multiply_add(p, r, splat(1.6666520690e-1f));
  p = multiply_add(p, r, splat(4.9999993452e-1f));
  p = multiply_add(p * r, r, r) + 1;
  const ivec power = (ivec)shifted - (ivec)round, half = power >> 1;
  return p * (vec)((half + 127) << 23) * (vec)((power - half + 127) << 23);
}

/* x P(x^2) / Q(x^2), within -1 .. 1, up to the x where that is all that a float can tell. */
static inline vec odd_ratio(vec x, float end, const float *over, const float *under, int n) {
  const vec a = not_above(splat(end), not_below(splat(-end), x)), z = a * a;
  vec p = splat(over[n]), q = splat(under[n]);
  for (int k = n - 1; k >= 0; k--) {
    p = multiply_add(p, z, splat(over[k]));
    q = multiply_add(q, z, splat(under[k]));
  }
  return not_above(splat(1), not_below(splat(-1), a * p / q));
}

/* 2.1e-8; at most 5 units of the last place off. NaN stays. */
static inline vec vector_tanh(vec x) {
  static const float over[] = {9.9999997946e-1f, 1.3381025390e-1f, 3.4955876936e-3f,
                               2.0609070023e-5f, 1.3354636116e-8f};
  static const float under[] = {1, 4.6714340986e-1f, 2.5876980907e-2f, 3.2856338782e-4f,
                                7.7765496087e-7f};
  return odd_ratio(x, 9, over, under, 4);
}

/* 1.9e-8; at most 5 units of the last place off. NaN stays. */
static inline vec vector_erf(vec x) {
  static const float over[] = {1.1283791461f,    1.9040714351e-1f, 5.2748799532e-2f,
                               3.7656423480e-3f, 2.8488269592e-4f, 2.0500737908e-6f};
  static const float under[] = {1,
                                5.0207668711e-1f,
                                1.1410938261e-1f,
                                1.4969268029e-2f,
                                1.1625405375e-3f,
                                3.8091570093e-5f};
  return odd_ratio(x, 3.92f, over, under, 5);
}

/* Rounding: the base set of x86 has no instruction for it, so it goes through integers; from
 * 2^23 on a float is whole anyway. The sign of zero is kept. */
static inline vec nearest(vec a) { /* halves to even */
  const vec magic = splat(8388608.0f), size = vector_abs(a);
  const ivec sign = (ivec)a & (int32_t)0x80000000u;
  const vec whole = (vec)((ivec)((size + magic) - magic) | sign);
  return choose(size < magic, whole, a);
}
static inline vec round_down(vec a) {
  const vec r = nearest(a);
  return choose(r > a, r - splat(1.0f), r);
}
static inline vec round_up(vec a) {
  const vec r = nearest(a);
  const ivec sign = (ivec)a & (int32_t)0x80000000u;
  return (vec)((ivec)choose(r < a, r + splat(1.0f), r) | sign);
}

#endif /* GI_VECTOR_H */
