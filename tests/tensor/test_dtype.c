/* Element types: every 16-bit pattern there and back, rounding at every midpoint, and casts of
 * all dtypes to all dtypes. */
#include "tensor/tensor.h"
#include "test.h"

static const glia_dtype all[] = {
#define GLIA_X(name, bytes, text) GLIA_##name,
    GLIA_DTYPE_MAP(GLIA_X)
#undef GLIA_X
};

static void names_and_sizes(void **state) {
  (void)state;
#define GLIA_X(name, bytes, text)                          \
  assert_string_equal(glia_dtype_name(GLIA_##name), text); \
  assert_int_equal(glia_dtype_size(GLIA_##name), bytes);
  GLIA_DTYPE_MAP(GLIA_X)
#undef GLIA_X
  assert_string_equal(glia_dtype_name((glia_dtype)99), "?");
  assert_int_equal(glia_dtype_size((glia_dtype)99), 0);
  assert_true(glia_dtype_is_float(GLIA_F16));
  assert_false(glia_dtype_is_float(GLIA_BOOL));
  assert_false(glia_dtype_is_float((glia_dtype)99));
}

/* What the bits mean, by the definition of the formats: (-1)^s 2^(e - bias) (1 + m / 2^bits).
 */
static double meaning(uint16_t h, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
  const int e = h >> mantissa_bits & top, m = h & ((1 << mantissa_bits) - 1);
  const double sign = (h & 0x8000) != 0 ? -1.0 : 1.0;
  if (e == top) return m != 0 ? (double)NAN : sign * (double)INFINITY;
  const double fraction = (double)m / (1 << mantissa_bits);
  return e == 0 ? sign * ldexp(fraction, 1 - bias) : sign * ldexp(1.0 + fraction, e - bias);
}

typedef struct half_format {
  glia_dtype dtype;
  int exponent_bits, mantissa_bits;
  float (*to)(uint16_t h);
  uint16_t (*from)(float f);
} half_format;

static const half_format halves[] = {{GLIA_F16, 5, 10, gi_f16_to_f32, gi_f32_to_f16},
                                     {GLIA_BF16, 8, 7, gi_bf16_to_f32, gi_f32_to_bf16}};

static void every_pattern_there_and_back(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    const half_format *f = &halves[k];
    for (uint32_t u = 0; u < 65536; u++) {
      const uint16_t h = (uint16_t)u;
      const double want = meaning(h, f->exponent_bits, f->mantissa_bits);
      const float got = f->to(h);
      if (isnan(want)) {
        assert_true(isnan(got));
        assert_true(isnan(f->to(f->from(got))));
        assert_int_equal(f->from(got) & 0x8000, h & 0x8000);
      } else {
        assert_true((double)got == want && (signbit(got) != 0) == (h >> 15 != 0));
        assert_int_equal(f->from(got), h);
      }
    }
  }
}

static uint16_t stored(glia_dtype t, double v) {
  uint16_t h = 0;
  gi_store(t, &h, 0, v);
  return h;
}

/* Between each two neighbours: the midpoint goes to the even one, and the nearest double on
 * either side of the midpoint (far below what an f32 in between could show) to the nearer one.
 * The last "neighbour" of the largest number is the first one that is out of range. */
static void every_midpoint_rounds_once(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    const half_format *f = &halves[k];
    const uint16_t infinity = (uint16_t)(((1 << f->exponent_bits) - 1) << f->mantissa_bits);
    for (uint16_t h = 0; h < infinity; h++) {
      const double a = meaning(h, f->exponent_bits, f->mantissa_bits);
      const double below =
          h == 0 ? 0.0 : meaning((uint16_t)(h - 1), f->exponent_bits, f->mantissa_bits);
      const double b = h + 1 == infinity
                           ? a + (a - below)
                           : meaning((uint16_t)(h + 1), f->exponent_bits, f->mantissa_bits);
      const double middle = (a + b) / 2;
      const uint16_t even = (uint16_t)(h + (h & 1));
      for (int sign = 0; sign <= 1; sign++) {
        const double s = sign == 0 ? 1.0 : -1.0;
        const int top = sign << 15;
        assert_int_equal(stored(f->dtype, s * middle), top | even);
        assert_int_equal(stored(f->dtype, s * nextafter(middle, 0.0)), top | h);
        assert_int_equal(stored(f->dtype, s * nextafter(middle, b)), top | (h + 1));
        assert_int_equal(f->from((float)(s * middle)), top | even); /* exact in f32 */
        assert_int_equal(f->from(nextafterf((float)(s * middle), 0.0f)), top | h);
      }
    }
    assert_int_equal(stored(f->dtype, 1e300), infinity);
    assert_int_equal(stored(f->dtype, -1e300), 0x8000 | infinity);
    assert_int_equal(stored(f->dtype, 1e-300), 0);
    assert_int_equal(stored(f->dtype, -1e-300), 0x8000);
  }
}

static double cast(glia_dtype from, const void *src, glia_dtype to) {
  union {
    double f64;
    int64_t i64;
    unsigned char byte[16];
  } out;
  memset(&out, 0xa5, sizeof out);
  gi_convert(from, src, to, &out, 1);
  for (size_t i = glia_dtype_size(to); i < sizeof out; i++) assert_int_equal(out.byte[i], 0xa5);
  return gi_load(to, &out, 0);
}

static void reals_to_whole_numbers(void **state) {
  (void)state;
  const double max = 9223372036854775807.0;
  const struct {
    double v, i32, i64, u8, truth;
  } cases[] = {
      {2.7, 2, 2, 2, 1},
      {-2.7, -2, -2, 0, 1},
      {0.0, 0, 0, 0, 0},
      {-0.0, 0, 0, 0, 0},
      {255.9, 255, 255, 255, 1},
      {256, 256, 256, 255, 1},
      {3e9, INT32_MAX, 3e9, 255, 1},
      {-3e9, INT32_MIN, -3e9, 0, 1},
      {1e30, INT32_MAX, max, 255, 1},
      {-1e30, INT32_MIN, (double)INT64_MIN, 0, 1},
      {(double)INFINITY, INT32_MAX, max, 255, 1},
      {-(double)INFINITY, INT32_MIN, (double)INT64_MIN, 0, 1},
      {(double)NAN, 0, 0, 0, 1},
      {1e-9, 0, 0, 0, 1},
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    assert_true(cast(GLIA_F64, &cases[i].v, GLIA_I32) == cases[i].i32);
    assert_true(cast(GLIA_F64, &cases[i].v, GLIA_I64) == cases[i].i64);
    assert_true(cast(GLIA_F64, &cases[i].v, GLIA_U8) == cases[i].u8);
    assert_true(cast(GLIA_F64, &cases[i].v, GLIA_BOOL) == cases[i].truth);
  }
  const double top = 9223372036854774784.0; /* the largest double below 2^63 */
  int64_t v = 0;
  gi_convert(GLIA_F64, &top, GLIA_I64, &v, 1);
  assert_int_equal(v, 9223372036854774784);
  gi_convert(GLIA_F64, &(double){1e30}, GLIA_I64, &v, 1);
  assert_int_equal(v, INT64_MAX);
}

/* No whole number takes a detour over a double. */
static void whole_numbers_to_everything(void **state) {
  (void)state;
  const int64_t odd = ((int64_t)1 << 53) + 1, minus = -odd;
  int64_t same = 0;
  gi_convert(GLIA_I64, &odd, GLIA_I64, &same, 1);
  assert_int_equal(same, odd);
  assert_true(cast(GLIA_I64, &odd, GLIA_I32) == INT32_MAX);
  assert_true(cast(GLIA_I64, &minus, GLIA_I32) == INT32_MIN);
  assert_true(cast(GLIA_I64, &minus, GLIA_U8) == 0);
  assert_true(cast(GLIA_I64, &minus, GLIA_I8) == -128);
  assert_true(cast(GLIA_F32, &(float){127.9f}, GLIA_I8) == 127);
  assert_true(cast(GLIA_I8, &(int8_t){-3}, GLIA_F32) == -3);
  assert_true(cast(GLIA_I64, &odd, GLIA_BOOL) == 1);
  /* just above a midpoint of f32 (step 2^39) and of bf16 (2^55): a double would lose the one */
  const int64_t f32_case = ((int64_t)1 << 62) + ((int64_t)1 << 38) + 1;
  assert_true(cast(GLIA_I64, &f32_case, GLIA_F32) == 0x1p62 + 0x1p39);
  const int64_t tie = ((int64_t)1 << 62) + ((int64_t)1 << 54), above = tie + 1;
  const int64_t minus_tie = -tie, minus_above = -above;
  assert_true(cast(GLIA_I64, &tie, GLIA_BF16) == 0x1p62);
  assert_true(cast(GLIA_I64, &above, GLIA_BF16) == 0x1p62 + 0x1p55);
  assert_true(cast(GLIA_I64, &minus_tie, GLIA_BF16) == -0x1p62);
  assert_true(cast(GLIA_I64, &minus_above, GLIA_BF16) == -0x1p62 - 0x1p55);
  assert_true(isinf(cast(GLIA_I64, &odd, GLIA_F16)));
  assert_true(cast(GLIA_I32, &(int32_t){65519}, GLIA_F16) == 65504);
  assert_true(isinf(cast(GLIA_I32, &(int32_t){65520}, GLIA_F16)));
  assert_true(cast(GLIA_I32, &(int32_t){16777217}, GLIA_F32) == 16777216);
  assert_true(cast(GLIA_BOOL, &(uint8_t){2}, GLIA_F32) == 1); /* any byte but 0 is true */
  assert_true(cast(GLIA_BOOL, &(uint8_t){2}, GLIA_U8) == 1);
}

/* The array forms agree with the element forms for every pair of dtypes. */
static void arrays_agree_with_elements(void **state) {
  (void)state;
  enum { N = 37 };
  const double values[] = {0, 1, 2, 100, 127, -1, -77, 0.5, -2.5, 1e-3};
  for (int a = 0; a < GI_COUNT(all); a++)
    for (int b = 0; b < GI_COUNT(all); b++) {
      double src[N], dst[N], want[N];
      memset(dst, 0, sizeof dst);
      memset(want, 0, sizeof want);
      memset(src, 0, sizeof src);
      for (int i = 0; i < N; i++) gi_store(all[a], src, i, values[i % GI_COUNT(values)]);
      for (int i = 0; i < N; i++) gi_store(all[b], want, i, gi_load(all[a], src, i));
      gi_convert(all[a], src, all[b], dst, N);
      assert_memory_equal(dst, want, sizeof dst);
      gi_convert(all[a], src, all[b], dst, 0);
      assert_memory_equal(dst, want, sizeof dst);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_and_sizes),
      cmocka_unit_test(every_pattern_there_and_back),
      cmocka_unit_test(every_midpoint_rounds_once),
      cmocka_unit_test(reals_to_whole_numbers),
      cmocka_unit_test(whole_numbers_to_everything),
      cmocka_unit_test(arrays_agree_with_elements),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
