/* Tensors: making, views against an index computed the plain way, copies, casts, text, and
 * every allocation failing once. */
#include "tensor/tensor.h"
#include "test.h"

/* A tensor whose element i is i. */
static glia_tensor *counting(glia_dtype dtype, int rank, const int64_t *shape) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(dtype, rank, shape, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) glia_tensor_set(t, i, (double)i);
  return t;
}

static void elements_are(const glia_tensor *t, int64_t n, const double *want) {
  assert_int_equal(glia_tensor_count(t), n);
  for (int64_t i = 0; i < n; i++) assert_true(glia_tensor_get(t, i) == want[i]);
}
#define ELEMENTS(t, ...) \
  elements_are((t), GI_COUNT(((const double[]){__VA_ARGS__})), (const double[]){__VA_ARGS__})

static void making(void **state) {
  (void)state;
  const float data[6] = {1, 2, 3, 4, 5, 6.5f};
  glia_tensor *t = NULL;
  OK(glia_tensor_from(GLIA_F32, 2, (const int64_t[]){2, 3}, data, &t));
  ELEMENTS(t, 1, 2, 3, 4, 5, 6.5);
  assert_int_equal(glia_tensor_dtype(t), GLIA_F32);
  assert_int_equal(glia_tensor_rank(t), 2);
  assert_int_equal(glia_tensor_shape(t)[1], 3);
  assert_int_equal(glia_tensor_strides(t)[0], 3);
  assert_int_equal(glia_tensor_bytes(t), 24);
  assert_int_equal((uintptr_t)glia_tensor_data(t) % 64, 0);
  assert_true(glia_tensor_is_contiguous(t));
  assert_true(isnan(glia_tensor_get(t, 6)));
  assert_true(isnan(glia_tensor_get(t, -1)));
  glia_tensor_set(t, 6, 1);
  glia_tensor_set(t, -1, 1);
  glia_tensor_free(t);

  OK(glia_tensor_new(GLIA_I64, 0, NULL, &t));
  ELEMENTS(t, 0);
  glia_tensor_set(t, 0, -7.9);
  ELEMENTS(t, -7);
  glia_tensor_free(t);

  OK(glia_tensor_new(GLIA_F16, 2, (const int64_t[]){0, 5}, &t));
  assert_int_equal(glia_tensor_count(t), 0);
  assert_true(isnan(glia_tensor_get(t, 0)));
  glia_tensor_free(t);
  glia_tensor_free(NULL);

  t = NULL;
  FAILS(glia_tensor_new(GLIA_F32, 9, (const int64_t[9]){0}, &t), GLIA_SHAPE, "rank is 9");
  FAILS(glia_tensor_new(GLIA_F32, 1, NULL, &t), GLIA_INVALID, "NULL");
  FAILS(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){-1}, &t), GLIA_SHAPE, "-1");
  FAILS(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){(int64_t)1 << 62, 8}, &t), GLIA_SHAPE,
        "more bytes");
  FAILS(glia_tensor_new((glia_dtype)42, 0, NULL, &t), GLIA_DTYPE, "42");
  assert_null(t);
}

static void wrapping(void **state) {
  (void)state;
  int32_t mine[4] = {1, 2, 3, 4};
  glia_tensor *t = NULL, *v = NULL;
  OK(glia_tensor_wrap(GLIA_I32, 1, (const int64_t[]){4}, mine, &t));
  OK(glia_tensor_slice(t, 0, 1, 4, 2, &v));
  glia_tensor_free(t);
  glia_tensor_set(v, 1, 9);
  assert_int_equal(mine[3], 9);
  mine[1] = 8;
  ELEMENTS(v, 8, 9);
  glia_tensor_free(v);
}

static void views_keep_the_memory(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F64, 2, (const int64_t[]){3, 4}), *a = NULL, *b = NULL;
  OK(glia_tensor_reshape(t, 1, (const int64_t[]){-1}, &a));
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &b));
  glia_tensor_set(t, 5, 100);
  glia_tensor_free(t);
  assert_true(glia_tensor_get(a, 5) == 100);
  glia_tensor_free(a);
  assert_true(glia_tensor_get(b, 4) == 100); /* row 1, column 1 */
  assert_true(glia_tensor_get(b, 1) == 4);
  glia_tensor_free(b);
}

static void reshaping(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_U8, 3, (const int64_t[]){2, 3, 4}), *v = NULL, *p = NULL;
  OK(glia_tensor_reshape(t, 2, (const int64_t[]){-1, 8}, &v));
  assert_int_equal(glia_tensor_shape(v)[0], 3);
  glia_tensor_free(v);
  OK(glia_tensor_reshape(t, 8, (const int64_t[]){1, 2, 1, 3, 1, 2, 2, 1}, &v));
  assert_true(glia_tensor_get(v, 23) == 23);
  glia_tensor_free(v);
  v = NULL;
  FAILS(glia_tensor_reshape(t, 2, (const int64_t[]){5, 5}, &v), GLIA_SHAPE,
        "[2, 3, 4] has 24 elements, which do not fill [5, 5]");
  FAILS(glia_tensor_reshape(t, 2, (const int64_t[]){-1, 5}, &v), GLIA_SHAPE, "[-1, 5]");
  FAILS(glia_tensor_reshape(t, 2, (const int64_t[]){-1, 0}, &v), GLIA_SHAPE, "[-1, 0]");
  FAILS(glia_tensor_reshape(t, 2, (const int64_t[]){-1, -1}, &v), GLIA_SHAPE, "more than one");
  FAILS(glia_tensor_reshape(t, 2, (const int64_t[]){-2, -12}, &v), GLIA_SHAPE, "-2");
  FAILS(glia_tensor_reshape(t, 9, (const int64_t[9]){24}, &v), GLIA_SHAPE, "rank is 9");
  OK(glia_tensor_permute(t, (const int[]){0, 2, 1}, &p));
  FAILS(glia_tensor_reshape(p, 1, (const int64_t[]){24}, &v), GLIA_SHAPE, "not contiguous");
  assert_null(v);
  glia_tensor_free(p);
  glia_tensor_free(t);
  t = counting(GLIA_U8, 2, (const int64_t[]){0, 3});
  OK(glia_tensor_reshape(t, 2, (const int64_t[]){7, 0}, &v));
  glia_tensor_free(v);
  glia_tensor_free(t);
}

/* Every order of four axes, then a slice of each: against the index computed plainly. */
static void permuting_and_slicing(void **state) {
  (void)state;
  const int64_t n[4] = {2, 3, 4, 5};
  glia_tensor *t = counting(GLIA_I32, 4, n);
  for (int order = 0; order < 256; order++) {
    const int p[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
    if ((1 << p[0] | 1 << p[1] | 1 << p[2] | 1 << p[3]) != 15) continue;
    const int axes[4] = {p[0], p[1] - 4, p[2], p[3]}; /* negative ones too */
    glia_tensor *v = NULL, *s = NULL, *c = NULL;
    OK(glia_tensor_permute(t, axes, &v));
    OK(glia_tensor_slice(v, -3, -2, 100, 1, &s)); /* axis 1: the last two */
    OK(glia_tensor_copy(s, &c));
    assert_true(glia_tensor_is_contiguous(c));
    int64_t i = 0, at[4];
    for (at[0] = 0; at[0] < n[p[0]]; at[0]++)
      for (at[1] = n[p[1]] - 2; at[1] < n[p[1]]; at[1]++)
        for (at[2] = 0; at[2] < n[p[2]]; at[2]++)
          for (at[3] = 0; at[3] < n[p[3]]; at[3]++, i++) {
            int64_t own[4];
            for (int k = 0; k < 4; k++) own[p[k]] = at[k];
            const int64_t want = ((own[0] * 3 + own[1]) * 4 + own[2]) * 5 + own[3];
            assert_true(glia_tensor_get(s, i) == (double)want);
            assert_int_equal(((const int32_t *)glia_tensor_data(c))[i], want);
          }
    assert_int_equal(glia_tensor_count(s), i);
    glia_tensor_free(v);
    glia_tensor_free(s);
    glia_tensor_free(c);
  }
  glia_tensor *v = NULL;
  FAILS(glia_tensor_permute(t, (const int[]){0, 1, 1, 2}, &v), GLIA_SHAPE, "named before");
  FAILS(glia_tensor_permute(t, (const int[]){0, 1, 2, 4}, &v), GLIA_SHAPE, "out of range");
  assert_null(v);
  glia_tensor_free(t);
}

static void slicing(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 1, (const int64_t[]){10}), *v = NULL, *w = NULL;
  const struct {
    int64_t begin, end, step, count, first;
  } cases[] = {{0, 10, 1, 10, 0},
               {2, 5, 1, 3, 2},
               {0, 10, 3, 4, 0},
               {-3, 10, 1, 3, 7},
               {-100, 100, 4, 3, 0},
               {1, -1, 2, 4, 1},
               {5, 5, 1, 0, 0},
               {7, 3, 1, 0, 0},
               {9, 10, INT64_MAX, 1, 9},
               {20, 30, 1, 0, 0},
               {INT64_MIN, INT64_MAX, 1, 10, 0}};
  for (int i = 0; i < GI_COUNT(cases); i++) {
    OK(glia_tensor_slice(t, 0, cases[i].begin, cases[i].end, cases[i].step, &v));
    assert_int_equal(glia_tensor_count(v), cases[i].count);
    for (int64_t k = 0; k < cases[i].count; k++)
      assert_true(glia_tensor_get(v, k) == (double)(cases[i].first + k * cases[i].step));
    glia_tensor_free(v);
  }
  OK(glia_tensor_slice(t, 0, 1, 10, 2, &v)); /* of a slice: 1 3 5 7 9 -> 3 7 */
  OK(glia_tensor_slice(v, 0, 1, 5, 2, &w));
  ELEMENTS(w, 3, 7);
  glia_tensor_free(v);
  glia_tensor_free(w);
  v = NULL;
  FAILS(glia_tensor_slice(t, 0, 0, 1, 0, &v), GLIA_INVALID, "step is 0");
  FAILS(glia_tensor_slice(t, 1, 0, 1, 1, &v), GLIA_SHAPE, "axis 1");
  assert_null(v);
  glia_tensor_free(t);
}

static void broadcasting(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 2, (const int64_t[]){2, 1}), *v = NULL, *c = NULL;
  OK(glia_tensor_broadcast(t, 3, (const int64_t[]){2, 2, 3}, &v));
  ELEMENTS(v, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1);
  assert_false(glia_tensor_is_contiguous(v));
  OK(glia_tensor_copy(v, &c));
  ELEMENTS(c, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1);
  glia_tensor_free(v);
  glia_tensor_free(c);
  v = NULL;
  FAILS(glia_tensor_broadcast(t, 1, (const int64_t[]){2}, &v), GLIA_SHAPE,
        "[2, 1] does not repeat to [2]");
  FAILS(glia_tensor_broadcast(t, 2, (const int64_t[]){3, 3}, &v), GLIA_SHAPE, "2 against 3");
  FAILS(glia_tensor_broadcast(t, 2, (const int64_t[]){1, 3}, &v), GLIA_SHAPE,
        "does not repeat");
  assert_null(v);
  glia_tensor_free(t);
}

static void contiguity(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 3, (const int64_t[]){4, 1, 5}), *v = NULL;
  OK(glia_tensor_permute(t, (const int[]){1, 0, 2}, &v)); /* moving an axis of one entry */
  assert_true(glia_tensor_is_contiguous(v));
  glia_tensor_free(v);
  OK(glia_tensor_slice(t, 0, 1, 3, 1, &v));
  assert_true(glia_tensor_is_contiguous(v));
  const void *data = NULL;
  glia_tensor *hold = NULL;
  OK(gi_tensor_dense(v, &data, &hold));
  assert_null(hold);
  assert_ptr_equal(data, glia_tensor_data(v));
  glia_tensor_free(v);
  OK(glia_tensor_slice(t, 2, 0, 4, 1, &v));
  assert_false(glia_tensor_is_contiguous(v));
  OK(gi_tensor_dense(v, &data, &hold));
  assert_non_null(hold);
  assert_true(((const float *)data)[4] == 5);
  glia_tensor_free(hold);
  glia_tensor_free(v);
  OK(glia_tensor_slice(t, 2, 0, 0, 1, &v)); /* nothing at all */
  assert_true(glia_tensor_is_contiguous(v));
  glia_tensor_free(v);
  glia_tensor_free(t);
}

static void casting(void **state) {
  (void)state;
  const float data[4] = {1.5f, -2.5f, 300, 0};
  glia_tensor *t = NULL, *v = NULL, *c = NULL;
  OK(glia_tensor_from(GLIA_F32, 2, (const int64_t[]){2, 2}, data, &t));
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &v));
  OK(glia_tensor_cast(v, GLIA_U8, &c));
  ELEMENTS(c, 1, 255, 0, 0);
  assert_int_equal(glia_tensor_dtype(c), GLIA_U8);
  glia_tensor_free(c);
  OK(glia_tensor_cast(v, GLIA_F32, &c));
  ELEMENTS(c, 1.5, 300, -2.5, 0);
  glia_tensor_free(c);
  c = NULL;
  FAILS(glia_tensor_cast(v, (glia_dtype)77, &c), GLIA_DTYPE, "77");
  assert_null(c);
  glia_tensor_free(v);
  glia_tensor_free(t);
}

static void text_is(const glia_tensor *t, int limit, const char *want) {
  char *got = glia_tensor_text(t, limit);
  assert_non_null(got);
  assert_string_equal(got, want);
  free(got);
}

static void text(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 2, (const int64_t[]){2, 3}), *v = NULL;
  text_is(t, 0, "f32 [2, 3]\n[[0, 1, 2],\n [3, 4, 5]]");
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &v));
  text_is(v, 0, "f32 [3, 2]\n[[0, 3],\n [1, 4],\n [2, 5]]");
  text_is(v, 2, "f32 [3, 2]\n[[0, 3],\n ...,\n [2, 5]]");
  glia_tensor_free(v);
  glia_tensor_free(t);
  t = counting(GLIA_U8, 1, (const int64_t[]){100});
  text_is(t, 0, "u8 [100]\n[0, 1, 2, ..., 97, 98, 99]");
  text_is(t, 1, "u8 [100]\n[0, ...]");
  glia_tensor_free(t);
  OK(glia_tensor_from(GLIA_I64, 0, NULL, &(int64_t){INT64_MIN + 1}, &t));
  text_is(t, 0, "i64 []\n-9223372036854775807");
  glia_tensor_free(t);
  OK(glia_tensor_from(GLIA_BOOL, 3, (const int64_t[]){1, 2, 1}, (const uint8_t[]){0, 1}, &t));
  text_is(t, 0, "bool [1, 2, 1]\n[[[false],\n  [true]]]");
  glia_tensor_free(t);
  OK(glia_tensor_new(GLIA_F64, 2, (const int64_t[]){2, 0}, &t));
  text_is(t, 0, "f64 [2, 0]\n[[],\n []]");
  glia_tensor_free(t);
}

/* Everything that takes memory, in one go. */
static glia_status use_everything(void) {
  glia_tensor *t = NULL, *p = NULL, *b = NULL, *c = NULL, *k = NULL;
  const void *data = NULL;
  char *words = NULL;
  glia_status s =
      glia_tensor_from(GLIA_F32, 2, (const int64_t[]){2, 2}, (const float[]){1, 2, 3, 4}, &t);
  if (s == GLIA_OK) s = glia_tensor_permute(t, (const int[]){1, 0}, &p);
  if (s == GLIA_OK) s = glia_tensor_broadcast(p, 3, (const int64_t[]){3, 2, 2}, &b);
  if (s == GLIA_OK) s = glia_tensor_cast(b, GLIA_BF16, &c);
  if (s == GLIA_OK) s = gi_tensor_dense(b, &data, &k);
  if (s == GLIA_OK && (words = glia_tensor_text(b, 0)) == NULL) s = GLIA_NOMEM;
  free(words);
  glia_tensor_free(t);
  glia_tensor_free(p);
  glia_tensor_free(b);
  glia_tensor_free(c);
  glia_tensor_free(k);
  return s;
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  gi_alloc_count();
  OK(use_everything());
  const int64_t n = gi_alloc_count();
  assert_true(n > 10);
  for (int64_t i = 1; i <= n; i++) {
    gi_alloc_fail_after(i);
    assert_int_equal(use_everything(), GLIA_NOMEM);
  }
  gi_alloc_fail_after(0);
  OK(use_everything());
}

static void too_large_for_the_machine(void **state) {
  (void)state;
  glia_tensor *t = NULL;
  FAILS(glia_tensor_new(GLIA_U8, 1, (const int64_t[]){INT64_MAX / 2}, &t), GLIA_NOMEM,
        "out of memory");
  assert_null(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(making),
      cmocka_unit_test(wrapping),
      cmocka_unit_test(views_keep_the_memory),
      cmocka_unit_test(reshaping),
      cmocka_unit_test(permuting_and_slicing),
      cmocka_unit_test(slicing),
      cmocka_unit_test(broadcasting),
      cmocka_unit_test(contiguity),
      cmocka_unit_test(casting),
      cmocka_unit_test(text),
      cmocka_unit_test(every_allocation_fails_once),
      cmocka_unit_test(too_large_for_the_machine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
