/* Types: checking, strides, text, axes, broadcasting. */
#include "tensor/tensor.h"
#include "test.h"

static gi_type type_of(int rank, int64_t a, int64_t b, int64_t c) {
  return (gi_type){.dtype = GLIA_F32, .rank = rank, .dim = {a, b, c}};
}

static void counts_and_strides(void **state) {
  (void)state;
  const gi_type t = type_of(3, 2, 3, 4), scalar = {.dtype = GLIA_F64};
  int64_t s[GLIA_MAX_RANK];
  assert_int_equal(gi_type_count(&t), 24);
  assert_int_equal(gi_type_bytes(&t), 96);
  assert_int_equal(gi_type_count(&scalar), 1);
  assert_int_equal(gi_type_bytes(&scalar), 8);
  gi_type_strides(&t, s);
  assert_true(s[0] == 12 && s[1] == 4 && s[2] == 1);
  const gi_type other = type_of(2, 2, 3, 0);
  gi_type half = t;
  half.dtype = GLIA_F16;
  assert_true(gi_shape_equal(&t, &half));
  assert_false(gi_type_equal(&t, &half));
  assert_false(gi_shape_equal(&t, &other));
}

static void impossible_types_are_refused(void **state) {
  (void)state;
  gi_type t = type_of(9, 1, 1, 1);
  FAILS(gi_type_check(&t, "x"), GLIA_SHAPE, "x: rank is 9");
  t = type_of(-1, 1, 1, 1);
  FAILS(gi_type_check(&t, "x"), GLIA_SHAPE, "x: rank is -1");
  t = type_of(2, 3, -4, 0);
  FAILS(gi_type_check(&t, "x"), GLIA_SHAPE, "dimension 1 is -4");
  t = type_of(2, (int64_t)1 << 62, 8, 0);
  FAILS(gi_type_check(&t, "x"), GLIA_SHAPE, "[4611686018427387904, 8]");
  t = type_of(3, 0, (int64_t)1 << 62, 8); /* no elements, but strides that overflow */
  FAILS(gi_type_check(&t, "x"), GLIA_SHAPE, "more bytes");
  t = type_of(1, INT64_MAX / 4 + 1, 0, 0); /* the elements can be counted, the bytes not */
  FAILS(gi_type_check(&t, "x"), GLIA_SHAPE, "more bytes");
  t.dtype = (glia_dtype)99;
  FAILS(gi_type_check(&t, "x"), GLIA_DTYPE, "99 is no dtype");
  t = (gi_type){.dtype = GLIA_U8, .rank = 8, .dim = {1, 2, 1, 2, 1, 2, 1, 2}};
  OK(gi_type_check(&t, "x"));
  assert_int_equal(gi_type_count(&t), 16);
}

static void text(void **state) {
  (void)state;
  char buf[256];
  const gi_type t = type_of(3, 64, 0, 28), scalar = {.dtype = GLIA_BF16};
  assert_string_equal(gi_shape_text(&t, buf, sizeof buf), "[64, 0, 28]");
  assert_string_equal(gi_type_text(&t, buf, sizeof buf), "f32 [64, 0, 28]");
  assert_string_equal(gi_type_text(&scalar, buf, sizeof buf), "bf16 []");
  for (size_t n = 1; n < 16; n++) { /* cut, never past the end */
    memset(buf, '#', sizeof buf);
    gi_type_text(&t, buf, n);
    assert_true(strlen(buf) < n);
    assert_int_equal(buf[n], '#');
    assert_memory_equal(buf, "f32 [64, 0, 28]", strlen(buf));
  }
}

static void axes(void **state) {
  (void)state;
  assert_int_equal(gi_axis(0, 3), 0);
  assert_int_equal(gi_axis(-1, 3), 2);
  assert_int_equal(gi_axis(-3, 3), 0);
  assert_int_equal(gi_axis(3, 3), -1);
  assert_int_equal(gi_axis(-4, 3), -1);
  assert_int_equal(gi_axis(0, 0), -1);
  assert_int_equal(gi_axis(INT64_MIN, 3), -1);
}

static void broadcasting(void **state) {
  (void)state;
  gi_type a = type_of(3, 8, 1, 6), b = type_of(2, 7, 1, 0), r;
  b.dtype = GLIA_F64;
  OK(gi_broadcast(&a, &b, "add", &r));
  const gi_type want = type_of(3, 8, 7, 6);
  assert_true(gi_type_equal(&r, &want)); /* the dtype is a's */
  int64_t s[GLIA_MAX_RANK];
  gi_broadcast_strides(&a, &r, s);
  assert_true(s[0] == 6 && s[1] == 0 && s[2] == 1);
  gi_broadcast_strides(&b, &r, s);
  assert_true(s[0] == 0 && s[1] == 1 && s[2] == 0);
  const gi_type scalar = {.dtype = GLIA_F32};
  OK(gi_broadcast(&scalar, &a, "add", &r));
  assert_true(gi_shape_equal(&r, &a));
  gi_broadcast_strides(&scalar, &r, s);
  assert_true(s[0] == 0 && s[1] == 0 && s[2] == 0);
  b = type_of(2, 1, 0, 0); /* one against none gives none */
  OK(gi_broadcast(&(gi_type){.rank = 1, .dim = {1}}, &b, "add", &r));
  assert_true(r.rank == 2 && r.dim[0] == 1 && r.dim[1] == 0);
  b = type_of(2, 5, 6, 0);
  a = type_of(2, 4, 6, 0);
  FAILS(gi_broadcast(&a, &b, "add", &r), GLIA_SHAPE,
        "add: shapes [4, 6] and [5, 6] do not broadcast: 4 against 5 on axis -2");
  a = type_of(2, (int64_t)1 << 40, 1, 0);
  b = type_of(1, (int64_t)1 << 40, 0, 0);
  FAILS(gi_broadcast(&a, &b, "add", &r), GLIA_SHAPE, "more bytes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_and_strides),
      cmocka_unit_test(impossible_types_are_refused),
      cmocka_unit_test(text),
      cmocka_unit_test(axes),
      cmocka_unit_test(broadcasting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
