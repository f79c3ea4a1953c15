/* formats/gguf_blocks.c - blocks of quantised numbers, as GGUF's tensors hold them.
 *
 * A block has 32 or 256 numbers: small whole numbers q and a scale d (f16), and where the type
 * has one a minimum m, x = d q + m. In the K types every 16 or 32 numbers of the 256 have a
 * whole scale of their own, on top of the block's. The layouts are those of ggml's
 * documentation and files; the arithmetic is in f32, in the order in which it is written here.
 */
#include "formats/gguf_blocks.h"

#include "tensor/tensor.h"

enum { SMALL = 32, LARGE = 256 };

static float half(const unsigned char *p) {
  return gi_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static uint32_t u32(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- blocks of 32 ----------------------------------------------------------------------- */

static void unpack_q8_0(const unsigned char *p, float *out) {
  const float d = half(p);
  for (int i = 0; i < SMALL; i++) out[i] = (float)(int8_t)p[2 + i] * d;
}

/* Low halves of the bytes are the first 16 numbers, high halves the others. */
static void unpack_q4(const unsigned char *q, int minus, float d, float m, float *out) {
  for (int i = 0; i < SMALL / 2; i++) {
    out[i] = (float)((q[i] & 15) - minus) * d + m;
    out[i + SMALL / 2] = (float)((q[i] >> 4) - minus) * d + m;
  }
}

static void unpack_q4_0(const unsigned char *p, float *out) {
  unpack_q4(p + 2, 8, half(p), 0, out);
}

static void unpack_q4_1(const unsigned char *p, float *out) {
  unpack_q4(p + 4, 0, half(p), half(p + 2), out);
}

/* The fifth bits of all 32 come first, as one word. */
static void unpack_q5(const unsigned char *p, int minus, float d, float m, float *out) {
  const uint32_t high = u32(p);
  const unsigned char *q = p + 4;
  for (int i = 0; i < SMALL / 2; i++) {
    const int low = (int)(high >> i & 1) << 4, up = (int)(high >> (i + SMALL / 2) & 1) << 4;
    out[i] = (float)(((q[i] & 15) | low) - minus) * d + m;
    out[i + SMALL / 2] = (float)(((q[i] >> 4) | up) - minus) * d + m;
  }
}

static void unpack_q5_0(const unsigned char *p, float *out) {
  unpack_q5(p + 2, 16, half(p), 0, out);
}

static void unpack_q5_1(const unsigned char *p, float *out) {
  unpack_q5(p + 4, 0, half(p), half(p + 2), out);
}

/* ---- blocks of 256 ---------------------------------------------------------------------- */

/* Scale and minimum of part j (0 to 7), 6 bits each, 16 of them packed in 12 bytes. */
static void part_of(const unsigned char *s, int j, int *scale, int *minimum) {
  if (j < 4) {
    *scale = s[j] & 63;
    *minimum = s[j + 4] & 63;
  } else {
    *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
    *minimum = s[j + 4] >> 4 | (s[j] >> 6) << 4;
  }
}

/* d, minimum, 12 bytes of scales [, 32 bytes of fifth bits], 128 bytes of halves. */
static void unpack_k(const unsigned char *p, const unsigned char *high, const unsigned char *q,
                     float *out) {
  const float d = half(p), least = half(p + 2);
  for (int j = 0; j < 8; j++) { /* two parts share 32 bytes: low halves, then high ones */
    int scale, minimum;
    part_of(p + 4, j, &scale, &minimum);
    const float a = d * (float)scale, b = least * (float)minimum;
    for (int i = 0; i < SMALL; i++) {
      const int low = j % 2 == 0 ? q[j / 2 * 32 + i] & 15 : q[j / 2 * 32 + i] >> 4;
      const int fifth = high != NULL ? (high[i] >> j & 1) << 4 : 0;
      out[j * SMALL + i] = a * (float)(low | fifth) - b;
    }
  }
}

static void unpack_q4_k(const unsigned char *p, float *out) { unpack_k(p, NULL, p + 16, out); }

static void unpack_q5_k(const unsigned char *p, float *out) {
  unpack_k(p, p + 16, p + 48, out);
}

/* 128 bytes of low halves, 64 of two high bits, 16 scales (i8), d. */
static void unpack_q6_k(const unsigned char *p, float *out) {
  const float d = half(p + 208);
  for (int n = 0; n < 2; n++) {
    const unsigned char *low = p + 64 * n, *high = p + 128 + 32 * n, *scale = p + 192 + 8 * n;
    for (int k = 0; k < 4; k++) /* quarters of 32 numbers */
      for (int i = 0; i < SMALL; i++) {
        const int byte = low[i + 32 * (k % 2)];
        const int q = (k < 2 ? byte & 15 : byte >> 4) | (high[i] >> 2 * k & 3) << 4;
        const int s = (int8_t)scale[i / 16 + 2 * k];
        out[128 * n + 32 * k + i] = d * (float)s * (float)(q - 32);
      }
  }
}

/* ---- the types -------------------------------------------------------------------------- */

static const gi_gguf_type types[] = {
    {0, "F32", "F32", 1, 4, NULL},
    {1, "F16", "F16", 1, 2, NULL},
    {2, "Q4_0", NULL, SMALL, 18, unpack_q4_0},
    {3, "Q4_1", NULL, SMALL, 20, unpack_q4_1},
    {6, "Q5_0", NULL, SMALL, 22, unpack_q5_0},
    {7, "Q5_1", NULL, SMALL, 24, unpack_q5_1},
    {8, "Q8_0", NULL, SMALL, 34, unpack_q8_0},
    {9, "Q8_1", NULL, SMALL, 36, NULL},
    {10, "Q2_K", NULL, LARGE, 84, NULL},
    {11, "Q3_K", NULL, LARGE, 110, NULL},
    {12, "Q4_K", NULL, LARGE, 144, unpack_q4_k},
    {13, "Q5_K", NULL, LARGE, 176, unpack_q5_k},
    {14, "Q6_K", NULL, LARGE, 210, unpack_q6_k},
    {15, "Q8_K", NULL, LARGE, 292, NULL},
    {24, "I8", "I8", 1, 1, NULL},
    {25, "I16", "I16", 1, 2, NULL},
    {26, "I32", "I32", 1, 4, NULL},
    {27, "I64", "I64", 1, 8, NULL},
    {28, "F64", "F64", 1, 8, NULL},
    {30, "BF16", "BF16", 1, 2, NULL},
};

const gi_gguf_type *gi_gguf_type_find(uint32_t code) {
  for (int i = 0; i < GI_COUNT(types); i++)
    if (types[i].code == code) return &types[i];
  return NULL;
}
