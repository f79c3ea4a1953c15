/* tensor/dtype.c - the element types: names, sizes, and every conversion between them.
 *
 * Rounding is to nearest even, once: f64 to a 16-bit float goes through f32 rounded to odd,
 * which keeps enough to round right the second time (Boldo and Melquiond 2008, "Emulation of
 * FMA and correctly rounded sums"). Whole numbers travel as int64_t, so none is bent by a
 * double.
 */
#include <math.h>

#include "tensor/tensor.h"

const char *glia_dtype_name(glia_dtype t) {
  switch (t) {
#define GLIA_X(name, bytes, text) \
  case GLIA_##name: return text;
    GLIA_DTYPE_MAP(GLIA_X)
#undef GLIA_X
  }
  return "?";
}

size_t glia_dtype_size(glia_dtype t) {
  switch (t) {
#define GLIA_X(name, bytes, text) \
  case GLIA_##name: return bytes;
    GLIA_DTYPE_MAP(GLIA_X)
#undef GLIA_X
  }
  return 0;
}

bool glia_dtype_is_float(glia_dtype t) {
  return t == GLIA_F32 || t == GLIA_F64 || t == GLIA_BF16 || t == GLIA_F16;
}

/* ---- 16-bit floats --------------------------------------------------------------------- */

static uint32_t bits_of(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}

static float float_of(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

/* bf16 is the upper half of an f32. */
float gi_bf16_to_f32(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t gi_f32_to_bf16(float f) {
  const uint32_t u = bits_of(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u); /* a quiet NaN */
  return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

/* f16: 1 sign, 5 exponent (bias 15), 10 mantissa bits; f32 has bias 127 and 23 bits. */
float gi_f16_to_f32(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
  const uint32_t exponent = h >> 10 & 0x1fu, mantissa = h & 0x3ffu;
  if (exponent == 0) /* zero and subnormal: mantissa x 2^-24, exact in f32 */
    return float_of(sign | bits_of((float)mantissa * 0x1p-24f));
  if (exponent == 31) return float_of(sign | 0x7f800000u | mantissa << 13);
  return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t gi_f32_to_f16(float f) {
  const uint32_t u = bits_of(f), sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x3ffu)); /* NaN */
  if (a >= 0x477ff000u)
    return (uint16_t)(sign | 0x7c00u); /* 65520 and more round to infinity */
  if (a < 0x38800000u) /* below 2^-14: adding 0.5 rounds at 2^-24, the step of the subnormals */
    return (uint16_t)(sign | (bits_of(float_of(a) + 0.5f) - 0x3f000000u));
  return (uint16_t)(sign | (a - (112u << 23) + 0xfffu + (a >> 13 & 1u)) >> 13);
}

/* Towards zero, with the last bit set if anything was lost. */
static float to_f32_odd(double v) {
  const float f = (float)v;
  if (isnan(v) || (double)f == v) return f;
  uint32_t u = bits_of(f);
  if (fabs((double)f) > fabs(v)) u--;
  return float_of(u | 1u);
}

/* ---- one element ----------------------------------------------------------------------- */

static int64_t to_whole(double v, int64_t lo, int64_t hi) {
  if (isnan(v)) return 0;
  if (v <= (double)lo) return lo;
  if (v >= (double)hi) return hi; /* (double)INT64_MAX is 2^63, itself out of range */
  return (int64_t)v;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) {
  return v < lo ? lo : v > hi ? hi : v;
}

/* A double that rounds to every shorter type as v would: past 2^53 the bits that a double
 * cannot hold are gathered into the last one that it can. */
static double to_f64_odd(int64_t v) {
  const int64_t exact = (int64_t)1 << 53, low = 0x7ff;
  if (v > exact || v < -exact) v = (v & ~low) | ((v & low) != 0 ? low + 1 : 0);
  return (double)v;
}

/* For each dtype: its C type, what one element is as a double or int64_t, and how either is put
 * into it. */
#define LOAD_F32(x)  (double)(x)
#define LOAD_F64(x)  (x)
#define LOAD_BF16(x) (double)gi_bf16_to_f32(x)
#define LOAD_F16(x)  (double)gi_f16_to_f32(x)
#define LOAD_I32(x)  (int64_t)(x)
#define LOAD_I64(x)  (x)
#define LOAD_U8(x)   (int64_t)(x)
#define LOAD_I8(x)   (int64_t)(x)
#define LOAD_BOOL(x) (int64_t)((x) != 0)

#define FROM_REAL_F32(v)  (float)(v)
#define FROM_REAL_F64(v)  (v)
#define FROM_REAL_BF16(v) gi_f32_to_bf16(to_f32_odd(v))
#define FROM_REAL_F16(v)  gi_f32_to_f16(to_f32_odd(v))
#define FROM_REAL_I32(v)  (int32_t) to_whole((v), INT32_MIN, INT32_MAX)
#define FROM_REAL_I64(v)  to_whole((v), INT64_MIN, INT64_MAX)
#define FROM_REAL_U8(v)   (uint8_t) to_whole((v), 0, UINT8_MAX)
#define FROM_REAL_I8(v)   (int8_t) to_whole((v), INT8_MIN, INT8_MAX)
#define FROM_REAL_BOOL(v) (uint8_t)((v) != 0)

#define FROM_WHOLE_F32(v)  (float)(v)
#define FROM_WHOLE_F64(v)  (double)(v)
#define FROM_WHOLE_BF16(v) gi_f32_to_bf16(to_f32_odd(to_f64_odd(v)))
#define FROM_WHOLE_F16(v)  gi_f32_to_f16(to_f32_odd(to_f64_odd(v)))
#define FROM_WHOLE_I32(v)  (int32_t) clamp((v), INT32_MIN, INT32_MAX)
#define FROM_WHOLE_I64(v)  (v)
#define FROM_WHOLE_U8(v)   (uint8_t) clamp((v), 0, UINT8_MAX)
#define FROM_WHOLE_I8(v)   (int8_t) clamp((v), INT8_MIN, INT8_MAX)
#define FROM_WHOLE_BOOL(v) (uint8_t)((v) != 0)

/* dtype, C type of an element, C type that it travels as, kind of that */
#define ELEMENT_MAP(X)            \
  X(F32, float, double, REAL)     \
  X(F64, double, double, REAL)    \
  X(BF16, uint16_t, double, REAL) \
  X(F16, uint16_t, double, REAL)  \
  X(I32, int32_t, int64_t, WHOLE) \
  X(I64, int64_t, int64_t, WHOLE) \
  X(U8, uint8_t, int64_t, WHOLE)  \
  X(I8, int8_t, int64_t, WHOLE)   \
  X(BOOL, uint8_t, int64_t, WHOLE)

double gi_load(glia_dtype t, const void *p, int64_t i) {
  switch (t) {
#define ROW(D, type, travels, kind) \
  case GLIA_##D: return (double)LOAD_##D(((const type *)p)[i]);
    ELEMENT_MAP(ROW)
#undef ROW
  }
  return (double)NAN;
}

void gi_store(glia_dtype t, void *p, int64_t i, double v) {
  switch (t) {
#define ROW(D, type, travels, kind) \
  case GLIA_##D: ((type *)p)[i] = FROM_REAL_##D(v); break;
    ELEMENT_MAP(ROW)
#undef ROW
  }
}

/* ---- many elements --------------------------------------------------------------------- */

/* convert_<D>(src, to, dst, n): from dtype D to any, one loop each, with nothing in it that
 * depends on a dtype. */
#define CONVERT(D, type, travels, kind)                                                       \
  static travels get_##D(const void *p, int64_t i) { return LOAD_##D(((const type *)p)[i]); } \
  static void convert_##D(const void *src, glia_dtype to, void *dst, int64_t n) {             \
    switch (to) {                                                                             \
      PUT(F32, float, D, kind)                                                                \
      PUT(F64, double, D, kind)                                                               \
      PUT(BF16, uint16_t, D, kind)                                                            \
      PUT(F16, uint16_t, D, kind)                                                             \
      PUT(I32, int32_t, D, kind)                                                              \
      PUT(I64, int64_t, D, kind)                                                              \
      PUT(I8, int8_t, D, kind)                                                                \
      PUT(U8, uint8_t, D, kind)                                                               \
      PUT(BOOL, uint8_t, D, kind)                                                             \
    }                                                                                         \
  }
#define PUT(T, type, D, kind)                                                              \
  case GLIA_##T:                                                                           \
    for (int64_t i = 0; i < n; i++) ((type *)dst)[i] = FROM_##kind##_##T(get_##D(src, i)); \
    break;
ELEMENT_MAP(CONVERT)
#undef PUT
#undef CONVERT

void gi_convert(glia_dtype from, const void *src, glia_dtype to, void *dst, int64_t n) {
  if (n <= 0) return;
  if (from == to) {
    memmove(dst, src, (size_t)n * glia_dtype_size(from));
    return;
  }
  if (from == GLIA_F32 && to == GLIA_BF16) { /* common, and needs no detour */
    for (int64_t i = 0; i < n; i++)
      ((uint16_t *)dst)[i] = gi_f32_to_bf16(((const float *)src)[i]);
    return;
  }
  switch (from) {
#define ROW(D, type, travels, kind) \
  case GLIA_##D: convert_##D(src, to, dst, n); break;
    ELEMENT_MAP(ROW)
#undef ROW
  }
}
