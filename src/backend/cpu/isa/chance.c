/* chance.c - Philox by the vector: each lane counts another block of four words.
 *
 * A chunk of blocks is drawn word by word (the first words of all blocks, then the second
 * ones), which is what channels-last dropout wants; for dense elements the four words of each
 * block are then brought side by side.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum { BLOCKS = 128 }; /* of a chunk: four words each, 2 KiB in all */

typedef uint64_t wide __attribute__((vector_size(GI_ISA_BYTES)));
typedef uint32_t quad __attribute__((vector_size(16)));
typedef struct chunk {
  uint32_t word[4][BLOCKS];
} chunk;

/* ---- Philox ----------------------------------------------------------------------------- */

/* Products of the even lanes, 64 bits each. */
static inline wide multiply_even(wide a, wide b) {
#if defined(__AVX512F__)
  return (wide)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

static inline void multiply(uvec a, uint32_t factor, uvec *low, uvec *high) {
  const wide by = (wide){0} + factor;
  const wide even = multiply_even((wide)a, by), odd = multiply_even((wide)a >> 32, by);
  *low = (uvec)((even & 0xffffffffu) | (odd << 32));
  *high = (uvec)((even >> 32) | (odd & 0xffffffff00000000u));
}

/* Blocks first + i * step, i = 0 .. n - 1 (rounded up to whole vectors), into word[][i]. */
static void draw(const gi_stream *s, uint64_t first, uint64_t step, int64_t n, chunk *out) {
  uint32_t low[BLOCKS], high[BLOCKS];
  for (int64_t i = 0; i < BLOCKS; i++) {
    const uint64_t block = first + (uint64_t)i * step;
    low[i] = (uint32_t)block;
    high[i] = (uint32_t)(block >> 32);
  }
  for (int64_t i = 0; i < n; i += GI_LANES) {
    uvec c0, c1, c2 = (uvec){0} + (uint32_t)s->step, c3 = (uvec){0} + (uint32_t)(s->step >> 32);
    memcpy(&c0, low + i, sizeof c0);
    memcpy(&c1, high + i, sizeof c1);
    uint32_t k0 = (uint32_t)s->key, k1 = (uint32_t)(s->key >> 32);
    for (int round = 0; round < 10; round++) {
      uvec low0, high0, low1, high1;
      multiply(c0, 0xD2511F53u, &low0, &high0);
      multiply(c2, 0xCD9E8D57u, &low1, &high1);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    memcpy(out->word[0] + i, &c0, sizeof c0);
    memcpy(out->word[1] + i, &c1, sizeof c1);
    memcpy(out->word[2] + i, &c2, sizeof c2);
    memcpy(out->word[3] + i, &c3, sizeof c3);
  }
}

static inline quad load_quad(const uint32_t *p) {
  quad q;
  memcpy(&q, p, sizeof q);
  return q;
}

/* The words of each block side by side: the order of the elements. */
static void in_order(const chunk *c, uint32_t *out) {
  for (int i = 0; i < BLOCKS; i += 4, out += 16) {
    const quad a = load_quad(c->word[0] + i), b = load_quad(c->word[1] + i);
    const quad d = load_quad(c->word[2] + i), e = load_quad(c->word[3] + i);
    const quad ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const quad ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad de0 = __builtin_shufflevector(d, e, 0, 4, 1, 5);
    const quad de1 = __builtin_shufflevector(d, e, 2, 6, 3, 7);
    const quad rows[4] = {__builtin_shufflevector(ab0, de0, 0, 1, 4, 5),
                          __builtin_shufflevector(ab0, de0, 2, 3, 6, 7),
                          __builtin_shufflevector(ab1, de1, 0, 1, 4, 5),
                          __builtin_shufflevector(ab1, de1, 2, 3, 6, 7)};
    memcpy(out, rows, sizeof rows);
  }
}

/* Words first .. first + n - 1 into out (of at least 4 * BLOCKS), n at most that. */
static void draw_dense(const gi_stream *s, uint64_t first, int64_t n, uint32_t *out) {
  chunk c;
  memset(&c, 0, sizeof c);
  draw(s, first / 4, 1, (n + 3) / 4, &c);
  in_order(&c, out);
}

/* ---- dropout ---------------------------------------------------------------------------- */

static void apply(const uint32_t *word, int64_t n, uint32_t least, float scale, const float *x,
                  float *y) {
  const vec by = splat(scale);
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES) {
    const ivec kept = (load_i32((const int32_t *)word + i) >> 8 & 0xffffff) >= (int32_t)least;
    store(y + i, (vec)(kept & (ivec)(load(x + i) * by)));
  }
  for (; i < n; i++) y[i] = word[i] >> 8 >= least ? x[i] * scale : 0.0f;
}

static void drop(const gi_stream *s, uint64_t first, int64_t n, uint32_t least, float scale,
                 const float *x, float *y) {
  uint32_t word[4 * BLOCKS];
  for (int64_t i = 0; i < n; i += 4 * BLOCKS) {
    const int64_t m = n - i < 4 * BLOCKS ? n - i : 4 * BLOCKS;
    draw_dense(s, first + (uint64_t)i, m, word);
    apply(word, m, least, scale, x + i, y + i);
  }
}

static void drop_rows(const gi_stream *s, uint64_t first, uint64_t column, int64_t n,
                      int64_t row_step, uint32_t least, float scale, const float *x, float *y) {
  chunk c;
  for (int64_t i = 0; i < n; i += BLOCKS) {
    const int64_t m = n - i < BLOCKS ? n - i : BLOCKS;
    draw(s, (first + (uint64_t)i * column) / 4, column / 4, m, &c);
    for (int r = 0; r < 4; r++)
      apply(c.word[r], m, least, scale, x + r * row_step + i, y + r * row_step + i);
  }
}

/* ---- uniform and normal ----------------------------------------------------------------- */

static void uniform(const gi_stream *s, uint64_t first, int64_t n, float a, float b, float *y) {
  uint32_t word[4 * BLOCKS];
  for (int64_t i = 0; i < n; i += 4 * BLOCKS) {
    const int64_t m = n - i < 4 * BLOCKS ? n - i : 4 * BLOCKS;
    draw_dense(s, first + (uint64_t)i, m, word);
    for (int64_t j = 0; j < m; j++)
      y[i + j] = a + b * ((float)(int32_t)(word[j] >> 8) * 0x1p-24f);
  }
}

/* A word as a float, rounded once: both halves are exact. */
static inline vec to_float(uvec w, float extra) {
  return __builtin_convertvector((ivec)(w >> 16), vec) * splat(65536.0f) +
         (__builtin_convertvector((ivec)(w & 0xffffu), vec) + splat(extra));
}

/* sqrt(-2 ln u) for u = (w + 1/2) / 2^32; above 1/2 from 1 - u, which is exact there. */
static inline vec radius(uvec w) {
  const vec u = to_float(w, 0.5f) * splat(0x1p-32f);
  const vec rest = to_float(~w, 0.5f) * splat(0x1p-32f);
  const vec log_u = choose(u > splat(0.5f), vector_log1p(-rest), vector_log(u));
  return vector_sqrt(splat(-2.0f) * log_u);
}

static void normal(const gi_stream *s, uint64_t first, int64_t n, float a, float b, float *y) {
  chunk c;
  uint32_t word[4 * BLOCKS];
  for (int64_t i = 0; i < n; i += 4 * BLOCKS) {
    const int64_t m = n - i < 4 * BLOCKS ? n - i : 4 * BLOCKS;
    memset(&c, 0, sizeof c);
    draw(s, (first + (uint64_t)i) / 4, 1, (m + 3) / 4, &c);
    for (int pair = 0; pair < 4; pair += 2)
      for (int k = 0; k < BLOCKS; k += GI_LANES) {
        uvec w0, w1;
        memcpy(&w0, c.word[pair] + k, sizeof w0);
        memcpy(&w1, c.word[pair + 1] + k, sizeof w1);
        const vec r = radius(w0), angle = to_float(w1, 0.0f) * splat(0x1.921fb6p-30f);
        const vec z0 = splat(a) + splat(b) * (r * vector_cos(angle));
        const vec z1 = splat(a) + splat(b) * (r * vector_sin(angle));
        memcpy(c.word[pair] + k, &z0, sizeof z0);
        memcpy(c.word[pair + 1] + k, &z1, sizeof z1);
      }
    in_order(&c, word);
    memcpy(y + i, word, (size_t)m * sizeof *y);
  }
}

const gi_chance_loops GI_ISA(gi_chance_loops) = {drop, drop_rows, uniform, normal};
