/* int8.c - products of rows of 16-bit whole numbers, two rows by four at a time, and rounding
 * to 8 bits. */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

/* ---- rounding -----------------------------------------------------------------------------
 */

static vec limited(vec x, vec scale) {
  const vec q = nearest(x / scale), most = splat(127.0f);
  return choose(q > most, most, choose(q < -most, -most, q));
}

static void quantize(const float *x, float scale, int8_t *q, int64_t n) {
  const vec s = splat(scale);
  for (int64_t i = 0; i < n; i += GI_LANES) {
    int32_t whole[GI_LANES];
    const int64_t m = n - i < GI_LANES ? n - i : GI_LANES;
    const vec v = limited(m == GI_LANES ? load(x + i) : load_part(x + i, m, 0), s);
    store_i32(whole, __builtin_convertvector(v, ivec));
    for (int64_t j = 0; j < m; j++) q[i + j] = (int8_t)whole[j];
  }
}

/* ---- products -----------------------------------------------------------------------------
 */

enum { SHORTS = GI_ISA_BYTES / 2 };
typedef int16_t svec __attribute__((vector_size(GI_ISA_BYTES)));
typedef int16_t loose_svec __attribute__((vector_size(GI_ISA_BYTES), aligned(2), may_alias));

static inline svec load_i16(const int16_t *p) { return *(const loose_svec *)p; }

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

static inline int32_t sum_of(ivec v) {
  int32_t s = 0;
  for (int i = 0; i < GI_LANES; i++) s += v[i];
  return s;
}

#define TILE(rows, cols)                                                                      \
  static void tile_##rows##_##cols(const int16_t *a, const int16_t *b, int64_t k, int64_t n,  \
                                   int32_t *sums) {                                           \
    ivec s[rows][cols] = {{{0}}};                                                             \
    for (int64_t p = 0; p < k; p += SHORTS)                                                   \
      for (int j = 0; j < cols; j++) {                                                        \
        const svec y = load_i16(b + j * k + p);                                               \
        for (int i = 0; i < rows; i++) s[i][j] += multiply_pairs(load_i16(a + i * k + p), y); \
      }                                                                                       \
    for (int i = 0; i < rows; i++)                                                            \
      for (int j = 0; j < cols; j++) sums[i * n + j] = sum_of(s[i][j]);                       \
  }
TILE(1, 1)
TILE(1, 4)
TILE(2, 1)
TILE(2, 4)

static void products(const int16_t *a, int64_t m, const int16_t *b, int64_t n, int64_t k,
                     int32_t *sums) {
  for (int64_t i = 0; i < m;) {
    const int64_t rows = m - i >= 2 ? 2 : 1;
    for (int64_t j = 0; j < n;) {
      const int64_t cols = n - j >= 4 ? 4 : 1;
      void (*const tile)(const int16_t *, const int16_t *, int64_t, int64_t, int32_t *) =
          rows == 2 ? (cols == 4 ? tile_2_4 : tile_2_1) : (cols == 4 ? tile_1_4 : tile_1_1);
      tile(a + i * k, b + j * k, k, n, sums + i * n + j);
      j += cols;
    }
    i += rows;
  }
}

const gi_int8_loops GI_ISA(gi_int8_loops) = {.quantize = quantize, .products = products};
