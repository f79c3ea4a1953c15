/* chance.c - Philox by the vector.
 *
 * A vector of 64-bit lanes holds one word of as many blocks, in the lower halves: that is where
 * multiplications want them, and a product leaves its lower half in place for the round after.
 * The upper halves are never cleared: what they hold is never read.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum {
  BLOCKS = 128,            /* of a chunk: 2 KiB */
  WIDE = GI_ISA_BYTES / 8, /* blocks of a vector */
  SIDE = 2,
  ROUNDS = 10
};

typedef uint64_t wide __attribute__((vector_size(GI_ISA_BYTES)));
typedef uint64_t loose_wide __attribute__((vector_size(GI_ISA_BYTES), aligned(4), may_alias));
typedef struct chunk {
  uint32_t word[4][BLOCKS];
} chunk;
typedef struct words { /* of WIDE blocks */
  wide w[4];
} words;

/* ---- Philox ----------------------------------------------------------------------------- */

/* Products of the lower halves, 64 bits each. */
static inline wide multiply_low(wide a, wide b) {
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

/* What each round adds: the same for all blocks of a stream. */
typedef struct schedule {
  wide key[ROUNDS][2];
  wide step, step_high;
} schedule;

static schedule schedule_of(const gi_stream *s) {
  schedule k;
  uint32_t k0 = (uint32_t)s->key, k1 = (uint32_t)(s->key >> 32);
  for (int round = 0; round < ROUNDS; round++) {
    k.key[round][0] = (wide){0} + k0;
    k.key[round][1] = (wide){0} + k1;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  k.step = (wide){0} + s->step;
  k.step_high = k.step >> 32;
  return k;
}

/* SIDE vectors of blocks at a time, c apart: each waits long for its products. */
static inline __attribute__((always_inline)) void philox(const schedule *k, wide first,
                                                         wide apart, words *to) {
  const wide m0 = (wide){0} + 0xD2511F53u, m1 = (wide){0} + 0xCD9E8D57u;
  wide c[SIDE][4];
  for (int i = 0; i < SIDE; i++, first += apart) {
    c[i][0] = first;
    c[i][1] = first >> 32;
    c[i][2] = k->step;
    c[i][3] = k->step_high;
  }
#pragma GCC unroll 10
  for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 4
    for (int i = 0; i < SIDE; i++) {
      const wide p0 = multiply_low(c[i][0], m0), p1 = multiply_low(c[i][2], m1);
      c[i][0] = (p1 >> 32) ^ (c[i][1] ^ k->key[round][0]);
      c[i][2] = (p0 >> 32) ^ (c[i][3] ^ k->key[round][1]);
      c[i][1] = p1;
      c[i][3] = p0;
    }
  }
  for (int i = 0; i < SIDE; i++) memcpy(to[i].w, c[i], sizeof c[i]);
}

/* first, first + step, ... */
static inline wide counters(uint64_t first, uint64_t step) {
  wide c = {0};
  for (int i = 0; i < WIDE; i++) c[i] = first + (uint64_t)i * step;
  return c;
}

/* The lower halves of two vectors as one. */
static inline uvec lower_halves(wide a, wide b) {
#if GI_ISA_BYTES == 64
  return __builtin_shufflevector((uvec)a, (uvec)b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
                                 24, 26, 28, 30);
#elif GI_ISA_BYTES == 32
  return __builtin_shufflevector((uvec)a, (uvec)b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector((uvec)a, (uvec)b, 0, 2, 4, 6);
#endif
}

/* Blocks first + i * step, i = 0 .. n - 1 (rounded up to SIDE vectors), into word[][i]. */
static void draw(const gi_stream *s, uint64_t first, uint64_t step, int64_t n, chunk *out) {
  const schedule key = schedule_of(s);
  wide c = counters(first, step);
  for (int64_t i = 0; i < n; i += SIDE * WIDE, c += SIDE * WIDE * step) {
    words to[SIDE];
    philox(&key, c, (wide){0} + WIDE * step, to);
    for (int v = 0; v < SIDE; v += 2)
      for (int k = 0; k < 4; k++) {
        const uvec w = lower_halves(to[v].w[k], to[v + 1].w[k]);
        memcpy(out->word[k] + i + v * WIDE, &w, sizeof w);
      }
  }
}

/* Element by element the words of a and b, which hold two words of each block side by side. */
static inline void store_pairs(uint32_t *out, wide a, wide b) {
#if GI_ISA_BYTES == 64
  *(loose_wide *)out = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  *(loose_wide *)(out + 2 * WIDE) = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif GI_ISA_BYTES == 32
  *(loose_wide *)out = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  *(loose_wide *)(out + 2 * WIDE) = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
  *(loose_wide *)out = __builtin_shufflevector(a, b, 0, 2);
  *(loose_wide *)(out + 2 * WIDE) = __builtin_shufflevector(a, b, 1, 3);
#endif
}

static inline wide side_by_side(wide low, wide high) {
  return (low & 0xffffffffu) | (high << 32);
}

/* Words 4 first .. 4 (first + n) - 1 in the order of the elements, n rounded up to SIDE
 * vectors.
 */
static void draw_dense(const gi_stream *s, uint64_t first, int64_t n, uint32_t *out) {
  const schedule key = schedule_of(s);
  wide c = counters(first, 1);
  for (int64_t i = 0; i < n; i += SIDE * WIDE, c += SIDE * WIDE) {
    words to[SIDE];
    philox(&key, c, (wide){0} + WIDE, to);
    for (int v = 0; v < SIDE; v++, out += 4 * WIDE)
      store_pairs(out, side_by_side(to[v].w[0], to[v].w[1]),
                  side_by_side(to[v].w[2], to[v].w[3]));
  }
}

/* ---- dropout ---------------------------------------------------------------------------- */

static void compare(const uint32_t *word, int64_t n, uint32_t least, float *mask) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES) {
    const uvec w = (uvec)load_i32((const int32_t *)word + i) >> 8;
    store(mask + i, (vec)((ivec)w >= (int32_t)least));
  }
  for (; i < n; i++) {
    const uint32_t bits = word[i] >> 8 >= least ? UINT32_MAX : 0;
    memcpy(mask + i, &bits, sizeof bits);
  }
}

static void keep(const gi_stream *s, uint64_t first, int64_t n, uint32_t least, float *mask) {
  uint32_t word[4 * BLOCKS] = {0};
  for (int64_t i = 0; i < n;) {
    const int64_t skip = (int64_t)((first + (uint64_t)i) % 4);
    const int64_t m = n - i < 4 * BLOCKS - skip ? n - i : 4 * BLOCKS - skip;
    draw_dense(s, (first + (uint64_t)i) / 4, (skip + m + 3) / 4, word);
    compare(word + skip, m, least, mask + i);
    i += m;
  }
}

static void keep_rows(const gi_stream *s, uint64_t first, uint64_t column, int64_t n,
                      uint32_t least, float *mask) {
  chunk c;
  for (int64_t i = 0; i < n; i += BLOCKS) {
    const int64_t m = n - i < BLOCKS ? n - i : BLOCKS;
    draw(s, (first + (uint64_t)i * column) / 4, column / 4, m, &c);
    for (int r = 0; r < 4; r++) compare(c.word[r], m, least, mask + r * n + i);
  }
}

/* ---- uniform and normal ----------------------------------------------------------------- */

static void uniform(const gi_stream *s, uint64_t first, int64_t n, float a, float b, float *y) {
  uint32_t word[4 * BLOCKS] = {0};
  for (int64_t i = 0; i < n; i += 4 * BLOCKS) {
    const int64_t m = n - i < 4 * BLOCKS ? n - i : 4 * BLOCKS;
    draw_dense(s, (first + (uint64_t)i) / 4, (m + 3) / 4, word);
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
  for (int64_t i = 0; i < n; i += 4 * BLOCKS) {
    const int64_t m = n - i < 4 * BLOCKS ? n - i : 4 * BLOCKS;
    draw(s, (first + (uint64_t)i) / 4, 1, (m + 3) / 4, &c);
    for (int pair = 0; pair < 4; pair += 2)
      for (int64_t k = 0; k < (m + 3) / 4; k += GI_LANES) {
        uvec w0, w1;
        memcpy(&w0, c.word[pair] + k, sizeof w0);
        memcpy(&w1, c.word[pair + 1] + k, sizeof w1);
        const vec r = radius(w0), angle = to_float(w1, 0.0f) * splat(0x1.921fb6p-30f);
        const vec z0 = splat(a) + splat(b) * (r * vector_cos(angle));
        const vec z1 = splat(a) + splat(b) * (r * vector_sin(angle));
        memcpy(c.word[pair] + k, &z0, sizeof z0);
        memcpy(c.word[pair + 1] + k, &z1, sizeof z1);
      }
    for (int64_t j = 0; j < m; j++) memcpy(y + i + j, &c.word[j % 4][j / 4], sizeof *y);
  }
}

const gi_chance_loops GI_ISA(gi_chance_loops) = {keep, keep_rows, uniform, normal};
