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
#if defined(__AVX512F__)
  v = (vec)_mm512_mask_loadu_ps((__m512)v, (__mmask16)((1u << n) - 1), p);
#elif defined(__AVX2__)
  const ivec here = (ivec){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)n;
  v = (vec)_mm256_blendv_ps((__m256)v, _mm256_maskload_ps(p, (__m256i)here), (__m256)here);
#else
  memcpy(&v, p, (size_t)n * sizeof *p);
#endif
  return v;
}
static inline void store_part(float *p, vec v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(__AVX2__)
  const ivec here = (ivec){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)n;
  _mm256_maskstore_ps(p, (__m256i)here, (__m256)v);
#else
  memcpy(p, &v, (size_t)n * sizeof *p);
#endif
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

/* Lanes folded to one: each half onto the other. */
#if GI_ISA_BYTES == 64
#define GI_FOLD_LANES(v, join)                                                                \
  do {                                                                                        \
    v = join(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, \
                                        6, 7));                                               \
    v = join(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9,   \
                                        10, 11));                                             \
    v = join(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15,   \
                                        12, 13));                                             \
    v = join(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12,   \
                                        15, 14));                                             \
  } while (0)
#elif GI_ISA_BYTES == 32
#define GI_FOLD_LANES(v, join)                                          \
  do {                                                                  \
    v = join(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3)); \
    v = join(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5)); \
    v = join(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6)); \
  } while (0)
#else
#define GI_FOLD_LANES(v, join)                              \
  do {                                                      \
    v = join(v, __builtin_shufflevector(v, v, 2, 3, 0, 1)); \
    v = join(v, __builtin_shufflevector(v, v, 1, 0, 3, 2)); \
  } while (0)
#endif
static inline vec sum_of(vec a, vec b) { return a + b; }
static inline float lanes_sum(vec v) {
  GI_FOLD_LANES(v, sum_of);
  return v[0];
}

/* The larger and the smaller; unlike the processor's own, a NaN on either side wins. */
static inline vec larger(vec a, vec b) { return choose((a > b) | (a != a), a, b); }
static inline vec smaller(vec a, vec b) { return choose((a < b) | (a != a), a, b); }
static inline float lanes_max(vec v) {
  GI_FOLD_LANES(v, larger);
  return v[0];
}

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
GI_SLEEF1(sleef_log, log, u10)
GI_SLEEF1(sleef_log1p, log1p, u10)
GI_SLEEF1(vector_sin, sin, u10)
GI_SLEEF1(vector_cos, cos, u10)
GI_SLEEF1(vector_atan, atan, u10)
static inline vec vector_pow(vec a, vec b) {
  return (vec)GI_SLEEF(pow, u10)((sleef_vec)a, (sleef_vec)b);
}

/* ---- functions of our own ----------------------------------------------------------------
 * Those that networks live in: several times as fast as SLEEF's, for a few units of the last
 * place. Coefficients are fitted to the least largest relative error, which is named. */

/* Sums with it are rounded to whole numbers, which then stand in the lower bits: 1.5 * 2^23. */
#define GI_WHOLE 12582912.0f

/* e^r for |r| <= ln 2 / 2, as 1 + r + r^2 p(r): 3e-9. Its terms are joined two by two, so that
 * they need not wait for one another. */
static inline vec exp_near_zero(vec r) {
  const vec z = r * r;
  const vec low = multiply_add(r, splat(1.6666520690e-1f), splat(4.9999993452e-1f));
  const vec high = multiply_add(r, splat(8.3687098426e-3f), splat(4.1668387367e-2f));
  const vec p = multiply_add(multiply_add(z, splat(1.3814612984e-3f), high), z, low);
  return multiply_add(p, z, r + 1);
}

/* x - n ln 2; the first part of ln 2 is short, so that its product is exact. */
static inline vec without_powers(vec x, vec n) {
  return multiply_add(n, splat(2.12194440e-4f), multiply_add(n, splat(-0.693359375f), x));
}

/* e^x = 2^n e^r, n the whole number next to x / ln 2: at most 2 units of the last place off.
 * 2^n is multiplied in two halves, so that results go to denormals, 0 and infinity as they
 * should. NaN stays. */
static inline vec vector_exp(vec x) {
  const vec round = splat(GI_WHOLE + 254), round_half = splat(GI_WHOLE + 127);
  const vec a = not_above(splat(100), not_below(splat(-110), x));
  const vec shifted = multiply_add(a, splat(1.44269504f), round);
  const vec half = multiply_add(a, splat(0.72134752f), round_half);
  const vec e = exp_near_zero(without_powers(a, shifted - round));
  return e * (vec)((ivec)half << 23) * (vec)(((ivec)shifted - (ivec)half) << 23);
}

/* The same of two vectors, where a result is a normal number; what is smaller becomes 0, what
 * is larger than 2^127.5 infinity. For softmax, whose results are compared with 1. Step by step
 * for both, since one alone waits for its own results most of the time. */
static inline void exp_normal_of_two(vec *v) {
  const vec round = splat(GI_WHOLE + 127);
  vec shifted[2], r[2], z[2], low[2], high[2];
  for (int k = 0; k < 2; k++) r[k] = not_above(splat(88.5f), not_below(splat(-88), v[k]));
  for (int k = 0; k < 2; k++) shifted[k] = multiply_add(r[k], splat(1.44269504f), round);
  for (int k = 0; k < 2; k++) z[k] = shifted[k] - round;
  for (int k = 0; k < 2; k++) r[k] = multiply_add(z[k], splat(-0.693359375f), r[k]);
  for (int k = 0; k < 2; k++) r[k] = multiply_add(z[k], splat(2.12194440e-4f), r[k]);
  for (int k = 0; k < 2; k++) z[k] = r[k] * r[k];
  for (int k = 0; k < 2; k++)
    low[k] = multiply_add(r[k], splat(1.6666520690e-1f), splat(4.9999993452e-1f));
  for (int k = 0; k < 2; k++)
    high[k] = multiply_add(r[k], splat(8.3687098426e-3f), splat(4.1668387367e-2f));
  for (int k = 0; k < 2; k++) high[k] = multiply_add(z[k], splat(1.3814612984e-3f), high[k]);
  for (int k = 0; k < 2; k++) low[k] = multiply_add(high[k], z[k], low[k]);
  for (int k = 0; k < 2; k++) low[k] = multiply_add(low[k], z[k], r[k] + 1);
  for (int k = 0; k < 2; k++) v[k] = low[k] * (vec)((ivec)shifted[k] << 23);
}
static inline vec vector_exp_normal(vec x) {
  vec v[2] = {x, x};
  exp_normal_of_two(v);
  return v[0];
}

/* e^x - 1 = 2^n (e^r - 1) + (2^n - 1), e^r - 1 = r + r^2 p(r): 1.3e-8, at most 3 units of the
 * last place off, near 0 too. Half of it is computed, since 2^n may be above all floats. */
static inline vec vector_expm1(vec x) {
  const vec round = splat(GI_WHOLE + 126);
  const vec a = not_above(splat(89), not_below(splat(-20), x));
  const vec shifted = multiply_add(a, splat(1.44269504f), round);
  const vec r = without_powers(a, shifted - round), half = (vec)((ivec)shifted << 23);
  vec p = splat(1.3882497461e-3f);
  p = multiply_add(p, r, splat(8.3666467944e-3f));
  p = multiply_add(p, r, splat(4.1667203919e-2f));
  p = multiply_add(p, r, splat(1.6666542684e-1f));
  p = multiply_add(p, r, splat(4.9999998133e-1f));
  return 2 * multiply_add(multiply_add(p * r, r, r), half, half - splat(0.5f));
}

/* k ln 2 + log(1 + f) for f from -1/3 to 1/3, as f + f^2 p(f): 4.5e-9. */
static inline vec log_near_one(vec f, vec k) {
  const vec z = f * f;
  const vec p01 = multiply_add(f, splat(3.3333208417e-1f), splat(-5.0000001208e-1f));
  const vec p23 = multiply_add(f, splat(2.0010747591e-1f), splat(-2.4999717459e-1f));
  const vec p45 = multiply_add(f, splat(1.4001160662e-1f), splat(-1.6682305746e-1f));
  const vec p67 = multiply_add(f, splat(1.4004757001e-1f), splat(-1.2167153815e-1f));
  const vec above = multiply_add(multiply_add(z, splat(-1.2948966044e-1f), p67), z, p45);
  const vec p = multiply_add(multiply_add(above, z, p23), z, p01);
  const vec rest = multiply_add(k, splat(-2.12194440e-4f), p * z);
  return multiply_add(k, splat(0.693359375f), f + rest);
}

/* The power of two by which a > 0 is divided to lie from 2/3 to 4/3. */
static inline ivec power_of(vec a) { return (ivec)((uvec)a - 0x3f2aaaabu) >> 23; }
/* a / 2^power, of normal numbers. */
static inline vec divided(vec a, ivec power) { return (vec)((uvec)a - ((uvec)power << 23)); }

/* What a logarithm is of x where it is not between 0 and infinity: -infinity of 0, NaN below.
 */
static inline vec log_of_end(vec x, vec r) {
  const vec end = choose(x == 0, splat(-INFINITY), choose(x < 0, splat(NAN), x));
  return choose((x > 0) & (x < splat(INFINITY)), r, end);
}

/* At most 2 units of the last place off; of denormals too. */
static inline vec vector_log(vec x) {
  const ivec small = x < splat(0x1p-126f);
  const vec a = choose(small, x * splat(0x1p23f), x);
  const ivec power = power_of(a);
  const vec f = divided(a, power) - 1;
  const ivec k = power - (small & 23);
  return log_of_end(x, log_near_one(f, __builtin_convertvector(k, vec)));
}

/* log(1 + x), at most 3 units of the last place off, near 0 too: 1 + f = (1 + x) / 2^k is made
 * of x itself, since the sum has lost its last digits. */
static inline vec vector_log1p(vec x) {
  const vec sum = x + 1;
  const ivec power = power_of(sum);
  const vec quarter =
      (vec)((uvec)(129 - power) << 23); /* 4 / 2^k: 1 / 2^k may be no normal number */
  const vec f = divided(x, power) + multiply_add(quarter, splat(0.25f), splat(-1));
  return log_of_end(sum, log_near_one(f, __builtin_convertvector(power, vec)));
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

/* 1.9e-8; at most 6 units of the last place off. NaN stays. */
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
