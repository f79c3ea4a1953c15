/* chance.c - Philox by the vector.
 *
 * A vector of 64-bit lanes holds one word of as many blocks, in the lower halves: that is where
 * multiplications want them, and a product leaves its lower half in place for the round after.
 * The upper halves are never cleared: what they hold is never read.
 *
 * The blocks of a run differ in the lower half of their number alone, so that much of the first
 * three rounds is the same for all: it is computed once, by scalars (schedule_of).
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum {
  BLOCKS = 128,            /* of a chunk: 2 KiB */
  WIDE = GI_ISA_BYTES / 8, /* blocks of a vector */
  SIDE = 2,                /* vectors at a time, since each waits long for its products, */
  DENSE = 4,               /* and where their words stay in order */
  AT_ONCE = DENSE * WIDE,  /* blocks, which may be drawn beyond the end of a run */
  ROUNDS = 10,
  ALIKE = 3 /* rounds of which a part is the same for all blocks */
};

typedef uint64_t wide __attribute__((vector_size(GI_ISA_BYTES)));
typedef uint64_t loose_wide __attribute__((vector_size(GI_ISA_BYTES), aligned(4), may_alias));
typedef struct chunk {
  uint32_t word[4][BLOCKS + AT_ONCE];
} chunk;

/* ---- Philox ----------------------------------------------------------------------------- */

static const uint32_t factor[2] = {0xD2511F53u, 0xCD9E8D57u};

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

/* What the rounds do with the words (w0 w1 w2 w3) of a block is
 *   w0' = high(f1 w2) ^ w1 ^ k0,  w1' = low(f1 w2),
 *   w2' = high(f0 w0) ^ w3 ^ k1,  w3' = low(f0 w0).
 * Of the blocks of a run only w0 differs at first; alike[] is what meets it in the first
 * rounds: word 2 after the first, words 0 and 2 after the second, word 2 after the third. */
typedef struct schedule {
  wide key[ROUNDS][2]; /* the last ones over both halves of what is given out */
  wide alike[4];
} schedule;

/* For blocks whose number has this upper half; `flip` is xored with every word. */
static schedule schedule_of(const gi_stream *s, uint32_t high, uint32_t flip) {
  schedule k;
  uint32_t key[ROUNDS][2] = {{(uint32_t)s->key, (uint32_t)(s->key >> 32)}};
  for (int round = 1; round < ROUNDS; round++) {
    key[round][0] = key[round - 1][0] + 0x9E3779B9u;
    key[round][1] = key[round - 1][1] + 0xBB67AE85u;
  }
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < 2; i++) k.key[round][i] = (wide){0} + key[round][i];
  for (int i = 0; i < 2; i++) k.key[ROUNDS - 1][i] ^= (wide){0} + ((uint64_t)flip << 32 | flip);
  const uint64_t second = (uint64_t)(uint32_t)s->step * factor[1];
  const uint32_t w0 = (uint32_t)(second >> 32) ^ high ^ key[0][0];
  const uint64_t first = (uint64_t)w0 * factor[0];
  k.alike[0] = (wide){0} + ((uint32_t)(s->step >> 32) ^ key[0][1]);
  k.alike[1] = (wide){0} + ((uint32_t)second ^ key[1][0]);
  k.alike[2] = (wide){0} + ((uint32_t)(first >> 32) ^ key[1][1]);
  k.alike[3] = (wide){0} + ((uint32_t)first ^ key[2][1]);
  return k;
}

static inline wide swap_halves(wide a) {
#if GI_ISA_BYTES == 64
  return (wide)__builtin_shufflevector((uvec)a, (uvec)a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10,
                                       13, 12, 15, 14);
#elif GI_ISA_BYTES == 32
  return (wide)__builtin_shufflevector((uvec)a, (uvec)a, 1, 0, 3, 2, 5, 4, 7, 6);
#else
  return (wide)__builtin_shufflevector((uvec)a, (uvec)a, 1, 0, 3, 2);
#endif
}

/* The blocks numbered by `first` and, sides - 1 times, by what lies `apart` from it: words 0
 * and 1 side by side, then words 2 and 3. sides is a constant where this is called. */
static inline __attribute__((always_inline)) void philox(const schedule *k, wide first,
                                                         wide apart, int sides, wide (*to)[2]) {
  const wide f0 = (wide){0} + factor[0], f1 = (wide){0} + factor[1];
  wide c[DENSE][4];
  for (int i = 0; i < sides; i++, first += apart) {
    const wide p0 = multiply_low(first, f0);
    const wide p1 = multiply_low((p0 >> 32) ^ k->alike[0], f1);
    const wide w0 = (p1 >> 32) ^ k->alike[1], w2 = p0 ^ k->alike[2];
    const wide q0 = multiply_low(w0, f0), q1 = multiply_low(w2, f1);
    c[i][0] = (q1 >> 32) ^ (p1 ^ k->key[2][0]);
    c[i][1] = q1;
    c[i][2] = (q0 >> 32) ^ k->alike[3];
    c[i][3] = q0;
  }
#pragma GCC unroll 10
  for (int round = ALIKE; round < ROUNDS - 1; round++) {
#pragma GCC unroll 4
    for (int i = 0; i < sides; i++) {
      const wide p0 = multiply_low(c[i][0], f0), p1 = multiply_low(c[i][2], f1);
      c[i][0] = (p1 >> 32) ^ (c[i][1] ^ k->key[round][0]);
      c[i][2] = (p0 >> 32) ^ (c[i][3] ^ k->key[round][1]);
      c[i][1] = p1;
      c[i][3] = p0;
    }
  }
  for (int i = 0; i < sides; i++) {
    const wide p0 = multiply_low(c[i][0], f0), p1 = multiply_low(c[i][2], f1);
    const wide low = (wide){0} + 0xffffffffu;
    to[i][0] = swap_halves(p1) ^ ((c[i][1] & low) ^ k->key[ROUNDS - 1][0]);
    to[i][1] = swap_halves(p0) ^ ((c[i][3] & low) ^ k->key[ROUNDS - 1][1]);
  }
}

/* How many of n blocks, first, first + step and so on, have the same upper half. */
static int64_t alike(uint64_t first, uint64_t step, int64_t n) {
  const uint64_t left = ((uint64_t)1 << 32) - (uint32_t)first;
  const uint64_t most = step == 0 ? UINT64_MAX : (left + step - 1) / step;
  return most < (uint64_t)n ? (int64_t)most : n;
}

/* Words 4 first .. 4 (first + n) - 1 in the order of the elements, for vectors side by side of
 * whole blocks: to[] are whole vectors of words. Blocks lie in the lanes so that joining the
 * lower and the upper lanes of both halves gives them in order. */
static inline __attribute__((always_inline)) void dense_words(const schedule *k, uint64_t first,
                                                              uvec to[DENSE * 2]) {
  wide pair[DENSE][2], c = (wide){0} + first;
  for (int i = 0; i < WIDE; i++) c[i] += (uint64_t)(i % 2 * (WIDE / 2) + i / 2);
  philox(k, c, (wide){0} + WIDE, DENSE, pair);
  for (int v = 0; v < DENSE; v++) {
    const wide a = pair[v][0], b = pair[v][1];
#if GI_ISA_BYTES == 64
    to[2 * v] = (uvec)__builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
    to[2 * v + 1] = (uvec)__builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
#elif GI_ISA_BYTES == 32
    to[2 * v] = (uvec)__builtin_shufflevector(a, b, 0, 4, 2, 6);
    to[2 * v + 1] = (uvec)__builtin_shufflevector(a, b, 1, 5, 3, 7);
#else
    to[2 * v] = (uvec)__builtin_shufflevector(a, b, 0, 2);
    to[2 * v + 1] = (uvec)__builtin_shufflevector(a, b, 1, 3);
#endif
  }
}

/* n rounded up to AT_ONCE. */
static void draw_dense(const gi_stream *s, uint64_t first, int64_t n, uint32_t *out) {
  for (int64_t m; n > 0; n -= m, first += (uint64_t)m, out += 4 * m) {
    m = alike(first, 1, n);
    const schedule key = schedule_of(s, (uint32_t)(first >> 32), 0);
    for (int64_t i = 0; i < m; i += AT_ONCE) {
      uvec words[2 * DENSE];
      dense_words(&key, first + (uint64_t)i, words);
      memcpy(out + 4 * i, words, sizeof words);
    }
  }
}

/* The even and the odd words of two vectors, in the order that is cheapest: two of the one, two
 * of the other, and so on. */
#if GI_ISA_BYTES == 64
#define EVEN_WORDS 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30
#define ODD_WORDS  1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31
#elif GI_ISA_BYTES == 32
#define EVEN_WORDS 0, 2, 8, 10, 4, 6, 12, 14
#define ODD_WORDS  1, 3, 9, 11, 5, 7, 13, 15
#else
#define EVEN_WORDS 0, 2, 4, 6
#define ODD_WORDS  1, 3, 5, 7
#endif

/* Blocks first + i * step, i = 0 .. n - 1 (rounded up to SIDE * WIDE), into word[][i]. */
static void draw(const gi_stream *s, uint64_t first, uint64_t step, int64_t n, chunk *out) {
  for (int64_t at = 0, m; at < n; at += m, first += (uint64_t)m * step) {
    m = alike(first, step, n - at);
    const schedule key = schedule_of(s, (uint32_t)(first >> 32), 0);
    wide c = (wide){0} + first;
    for (int i = 0; i < WIDE; i++) c[i] += (uint64_t)(4 * (i / 2) + i % 2) * step;
    for (int64_t i = 0; i < m; i += SIDE * WIDE, c += SIDE * WIDE * step) {
      wide pair[SIDE][2];
      philox(&key, c, (wide){0} + 2 * step, SIDE, pair);
      for (int k = 0; k < 4; k++) {
        const uvec a = (uvec)pair[0][k / 2], b = (uvec)pair[1][k / 2];
        const uvec w = k % 2 == 0 ? __builtin_shufflevector(a, b, EVEN_WORDS)
                                  : __builtin_shufflevector(a, b, ODD_WORDS);
        memcpy(out->word[k] + at + i, &w, sizeof w);
      }
    }
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

/* Whole blocks, AT_ONCE at a time, without a detour through memory: words are compared as
 * signed numbers, with their first bits turned round. 0 < least < 2^24. */
static void keep_whole(const gi_stream *s, uint64_t first, int64_t n, uint32_t least,
                       float *mask) {
  const uint32_t sign = (uint32_t)1 << 31;
  const schedule key = schedule_of(s, (uint32_t)(first >> 32), sign);
  const ivec below = splat_i32((int32_t)((least << 8) ^ sign) - 1);
  for (int64_t i = 0; i < n; i += AT_ONCE, mask += 4 * AT_ONCE) {
    uvec words[2 * DENSE];
    dense_words(&key, first + (uint64_t)i, words);
    for (int v = 0; v < 2 * DENSE; v++)
      store(mask + v * GI_LANES, (vec)((ivec)words[v] > below));
  }
}

static void keep(const gi_stream *s, uint64_t first, int64_t n, uint32_t least, float *mask) {
  uint32_t word[4 * (BLOCKS + AT_ONCE)] = {0};
  int64_t i = 0;
  if (first % 4 == 0 && least > 0 && least < 1u << 24) {
    const int64_t blocks = alike(first / 4, 1, n / 4);
    i = 4 * (blocks - blocks % AT_ONCE);
    keep_whole(s, first / 4, i / 4, least, mask);
  }
  while (i < n) {
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
  uint32_t word[4 * (BLOCKS + AT_ONCE)] = {0};
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
  const vec log_u = choose(u > splat(0.5f), sleef_log1p(-rest), sleef_log(u));
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

static void words(const gi_stream *s, uint64_t first, int64_t n, uint32_t *to) {
  draw_dense(s, first / 4, (n + 3) / 4, to);
}

const gi_chance_loops GI_ISA(gi_chance_loops) = {
    .keep = keep, .keep_rows = keep_rows, .words = words, .uniform = uniform, .normal = normal};
