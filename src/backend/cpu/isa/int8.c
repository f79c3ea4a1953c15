/* int8.c - tiles of products of 16-bit whole numbers, and rounding to 8 bits.
 *
 * A tile keeps its sums in registers: rows of two vectors. For each pair of elements of the
 * runs, two vectors of weights are widened, and a pair of each place, the same in all lanes,
 * is multiplied with both.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

/* ---- rounding -----------------------------------------------------------------------------
 */

/* Halves to even. */
static inline ivec nearest_whole(vec v) {
#if defined(__AVX512F__)
  return (ivec)_mm512_cvtps_epi32((__m512)v);
#elif defined(__AVX2__)
  return (ivec)_mm256_cvtps_epi32((__m256)v);
#elif defined(__SSE2__)
  return (ivec)_mm_cvtps_epi32((__m128)v);
#else
  return __builtin_convertvector(nearest(v), ivec);
#endif
}

static inline ivec rounded(vec x, vec scale) { /* what is no number becomes -127 */
  const vec q = x / scale, most = splat(127.0f);
  return nearest_whole(choose(q >= -most, choose(q > most, most, q), -most));
}

static inline void store_i8(int8_t *p, ivec v) { /* -128 .. 127 */
#if defined(__AVX512F__)
  const __m128i b = _mm512_cvtepi32_epi8((__m512i)v);
  memcpy(p, &b, sizeof b);
#elif defined(__AVX2__)
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v),
                                        _mm256_extracti128_si256((__m256i)v, 1));
  const int64_t b = _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
  memcpy(p, &b, sizeof b);
#elif defined(__SSE2__)
  const __m128i words = _mm_packs_epi32((__m128i)v, (__m128i)v);
  const int32_t b = _mm_cvtsi128_si32(_mm_packs_epi16(words, words));
  memcpy(p, &b, sizeof b);
#else
  for (int i = 0; i < GI_LANES; i++) p[i] = (int8_t)v[i];
#endif
}

static inline void store_i8_most(int8_t *p, ivec v, int64_t n) {
  int8_t part[GI_LANES];
  if (n >= GI_LANES) {
    store_i8(p, v);
  } else {
    store_i8(part, v);
    memcpy(p, part, (size_t)n);
  }
}

static void quantize(const float *x, float scale, int8_t *q, int64_t n) {
  const vec s = splat(scale);
  for (int64_t i = 0; i < n; i += GI_LANES)
    store_i8_most(q + i, rounded(load_most(x + i, n - i), s), n - i);
}

/* ---- products -----------------------------------------------------------------------------
 */

enum {
  SHORTS = GI_ISA_BYTES / 2,
  COLS = 2 * GI_LANES,
  ROWS = GI_ISA_BYTES == 64 ? 12 : 6 /* as many as there are registers for two vectors each */
};
typedef int16_t svec __attribute__((vector_size(GI_ISA_BYTES)));

static inline svec load_i8(const int8_t *p) {
#if defined(__AVX512BW__)
  return (svec)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)p));
#elif defined(__AVX2__)
  return (svec)_mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)p));
#elif defined(__SSE2__)
  const __m128i b = _mm_loadl_epi64((const void *)p);
  return (svec)_mm_srai_epi16(_mm_unpacklo_epi8(b, b), 8);
#else
  svec v;
  for (int i = 0; i < SHORTS; i++) v[i] = p[i];
  return v;
#endif
}

/* The pair at p, once in each lane. */
static inline svec splat_pair(const int16_t *p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return (svec)splat_i32(pair);
}

/* Products of pairs, neighbours added. */
static inline ivec multiply_pairs(svec a, svec b) {
#if defined(__AVX512BW__)
  return (ivec)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (ivec)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (ivec)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  ivec v;
  for (int i = 0; i < GI_LANES; i++) v[i] = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
  return v;
#endif
}

static void widen(const int8_t *from, int64_t n, int16_t *to) {
  int64_t i = 0;
  for (; i + SHORTS <= n; i += SHORTS) {
    const svec v = load_i8(from + i);
    memcpy(to + i, &v, sizeof v);
  }
  for (; i < n; i++) to[i] = from[i];
}

#define TILE(rows)                                                                         \
  static void tile_##rows(const gi_int8_taps *t, const int16_t *const *a, const int8_t *b, \
                          int32_t *sums) {                                                 \
    ivec s[rows][2] = {{{0}}};                                                             \
    for (int64_t k = 0; k < t->n; k++) {                                                   \
      const int16_t *at[rows];                                                             \
      for (int i = 0; i < rows; i++) at[i] = a[i] + t->offset[k];                          \
      for (int64_t p = 0; p < t->pairs; p++, b += 2 * COLS) {                              \
        const svec low = load_i8(b), high = load_i8(b + COLS);                             \
        for (int i = 0; i < rows; i++) {                                                   \
          const svec x = splat_pair(at[i] + 2 * p);                                        \
          s[i][0] += multiply_pairs(x, low);                                               \
          s[i][1] += multiply_pairs(x, high);                                              \
        }                                                                                  \
      }                                                                                    \
    }                                                                                      \
    for (int i = 0; i < rows; i++) {                                                       \
      store_i32(sums + i * COLS, s[i][0]);                                                 \
      store_i32(sums + i * COLS + GI_LANES, s[i][1]);                                      \
    }                                                                                      \
  }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#if GI_ISA_BYTES == 64
TILE(7)
TILE(8)
TILE(9)
TILE(10)
TILE(11)
TILE(12)
#endif

typedef void tile_of_rows(const gi_int8_taps *t, const int16_t *const *a, const int8_t *b,
                          int32_t *sums);

static void tile(const gi_int8_taps *t, const int16_t *const *a, int rows, const int8_t *b,
                 int32_t *sums) {
  static tile_of_rows *const by_rows[] = {
    tile_1,
    tile_2,
    tile_3,
    tile_4,
    tile_5,
    tile_6,
#if GI_ISA_BYTES == 64
    tile_7,
    tile_8,
    tile_9,
    tile_10,
    tile_11,
    tile_12,
#endif
  };
  by_rows[rows - 1](t, a, b, sums);
}

/* A product and a sum, rounded each: the reference does the same. */
static inline vec scaled(const gi_int8_way_back *w, const int32_t *sums, vec by, vec level) {
  const vec v = __builtin_convertvector(load_i32(sums), vec) * by + level;
  return w->relu ? at_least_zero(v) : v;
}

static void give(const gi_int8_way_back *w, const int32_t *sums, int rows, int64_t n,
                 int64_t step, void *y) {
  const vec scale = splat(w->scale);
  for (int64_t j = 0; j < n; j += GI_LANES) {
    const vec by = load(w->by + j), level = load(w->level + j);
    const int32_t *from = sums + j;
    float *wide = (float *)y + j;
    int8_t *narrow = (int8_t *)y + j;
    if (!w->narrow)
      for (int i = 0; i < rows; i++, from += COLS, wide += step)
        store_most(wide, scaled(w, from, by, level), n - j);
    else
      for (int i = 0; i < rows; i++, from += COLS, narrow += step)
        store_i8_most(narrow,
                      w->scale > 0 ? rounded(scaled(w, from, by, level), scale) : splat_i32(0),
                      n - j);
  }
}

const gi_int8_loops GI_ISA(gi_int8_loops) = {.rows = ROWS,
                                             .cols = COLS,
                                             .quantize = quantize,
                                             .widen = widen,
                                             .tile = tile,
                                             .give = give};
