/* Data sets: sources of the caller's, arrays, subsets; what they refuse. */
#include "data/samples.h"

static void arrays_give_back_what_was_put_in(void **state) {
  (void)state;
  glia_dataset *d = sample_images(10, 4);
  assert_int_equal(glia_dataset_count(d), 10);
  const glia_sample_spec *s = glia_dataset_spec(d);
  assert_int_equal(s->dtype, GLIA_U8);
  assert_int_equal(s->rank, 3);
  assert_int_equal(s->shape[0], 1);
  assert_int_equal(s->shape[2], 3);
  assert_int_equal(s->classes, 4);
  uint8_t x[6];
  int64_t y;
  OK(glia_dataset_read(d, 7, x, &y));
  assert_int_equal(x[5], (7 * 6 + 5) * 7 % 251);
  assert_int_equal(y, 3);
  assert_int_equal(glia_dataset_label(d, 9), 1);
  assert_string_equal(glia_dataset_class(d, 3), "3");
  assert_string_equal(glia_dataset_name(d, 3), "sample 3");
  FAILS(glia_dataset_read(d, 10, x, &y), GLIA_INVALID, "sample 10 of 10");
  FAILS(glia_dataset_read(d, -1, x, &y), GLIA_INVALID, "sample -1");
  glia_dataset_free(d);
  glia_dataset_free(NULL);
}

static glia_tensor *tensor(glia_dtype t, int rank, const int64_t *shape) {
  glia_tensor *out;
  OK(glia_tensor_new(t, rank, shape, &out));
  return out;
}

static void arrays_of_numbers_are_regression(void **state) {
  (void)state;
  glia_tensor *x = tensor(GLIA_F32, 2, (int64_t[]){4, 2});
  glia_tensor *y = tensor(GLIA_F32, 2, (int64_t[]){4, 3}), *turned;
  for (int i = 0; i < 12; i++) glia_tensor_set(y, i, i);
  for (int i = 0; i < 8; i++) glia_tensor_set(x, i, -i);
  glia_dataset *d;
  OK(glia_dataset_arrays(x, y, 0, &d));
  assert_int_equal(glia_dataset_spec(d)->targets, 3);
  float a[2], b[3];
  OK(glia_dataset_read(d, 2, a, b));
  assert_true(a[1] == -5.0f && b[2] == 8.0f);
  assert_int_equal(glia_dataset_label(d, 2), -1);
  glia_dataset_free(d);

  glia_tensor *wide = tensor(GLIA_F32, 2, (int64_t[]){2, 4});
  for (int i = 0; i < 8; i++) glia_tensor_set(wide, i, i);
  OK(glia_tensor_permute(wide, (int[]){1, 0}, &turned)); /* strided */
  OK(glia_dataset_arrays(turned, y, 0, &d));
  OK(glia_dataset_read(d, 1, a, b));
  assert_true(a[0] == 1.0f && a[1] == 5.0f);
  glia_dataset_free(d);
  glia_tensor_free(turned);
  glia_tensor_free(wide);
  glia_tensor_free(x);
  glia_tensor_free(y);
}

static void arrays_that_do_not_fit_are_refused(void **state) {
  (void)state;
  glia_tensor *x = tensor(GLIA_F32, 2, (int64_t[]){4, 2});
  glia_tensor *few = tensor(GLIA_I64, 1, (int64_t[]){3});
  glia_tensor *y = tensor(GLIA_I32, 1, (int64_t[]){4});
  glia_tensor *big = tensor(GLIA_F64, 2, (int64_t[]){4, 2});
  glia_tensor *deep = tensor(GLIA_F32, 3, (int64_t[]){4, 1, 1});
  glia_dataset *d = NULL;
  FAILS(glia_dataset_arrays(x, few, 2, &d), GLIA_SHAPE, "x is [4, 2] and y is [3]");
  FAILS(glia_dataset_arrays(x, y, 0, &d), GLIA_SHAPE, "0 classes");
  FAILS(glia_dataset_arrays(big, y, 2, &d), GLIA_DTYPE, "x is f64");
  FAILS(glia_dataset_arrays(x, big, 0, &d), GLIA_DTYPE, "y is f64");
  FAILS(glia_dataset_arrays(x, deep, 0, &d), GLIA_SHAPE, "y is f32 [4, 1, 1]");
  glia_tensor_set(y, 2, 5);
  FAILS(glia_dataset_arrays(x, y, 5, &d), GLIA_DATA, "sample 2 is of class 5");
  glia_tensor_set(y, 2, -1);
  FAILS(glia_dataset_arrays(x, y, 5, &d), GLIA_DATA, "of class -1");
  FAILS(glia_dataset_arrays(NULL, y, 5, &d), GLIA_INVALID, "missing");
  assert_null(d);
  glia_tensor_free(x);
  glia_tensor_free(few);
  glia_tensor_free(y);
  glia_tensor_free(big);
  glia_tensor_free(deep);
}

static void own_sources_are_checked(void **state) {
  (void)state;
  sample_source s = {.bad = 4, .status = GLIA_FORMAT};
  glia_dataset *d = sample_numbers(&s, 10);
  float x;
  int64_t y;
  OK(glia_dataset_read(d, 2, &x, &y));
  assert_true(x == 2.0f && y == 2);
  FAILS(glia_dataset_read(d, 3, &x, &y), GLIA_FORMAT, "sample 3: malformed file");
  assert_int_equal(glia_dataset_label(d, 5), 2);  /* has no label function: read */
  assert_int_equal(glia_dataset_label(d, 7), -1); /* cannot be read */
  glia_dataset_free(d);

  d = NULL;
  glia_dataset_source bad = {.spec = {.dtype = GLIA_F32, .classes = 3}, .count = 1};
  FAILS(glia_dataset_new(&bad, &d), GLIA_INVALID, "no read function");
  bad.read = sample_read;
  bad.count = -1;
  FAILS(glia_dataset_new(&bad, &d), GLIA_INVALID, "-1 samples");
  bad.count = INT64_C(1) << 33;
  FAILS(glia_dataset_new(&bad, &d), GLIA_INVALID, "8589934592 samples");
  bad.count = 1;
  bad.spec.dtype = GLIA_I64;
  FAILS(glia_dataset_new(&bad, &d), GLIA_DTYPE, "i64");
  bad.spec = (glia_sample_spec){.rank = GLIA_MAX_RANK, .classes = 2};
  FAILS(glia_dataset_new(&bad, &d), GLIA_SHAPE, "rank 8");
  bad.spec = (glia_sample_spec){.rank = 2, .shape = {INT64_MAX, 8}, .classes = 2};
  FAILS(glia_dataset_new(&bad, &d), GLIA_SHAPE, "data set: sample");
  bad.spec = (glia_sample_spec){.classes = 2, .targets = 1};
  FAILS(glia_dataset_new(&bad, &d), GLIA_INVALID, "2 classes and 1 targets");
  bad.spec = (glia_sample_spec){0};
  FAILS(glia_dataset_new(&bad, &d), GLIA_INVALID, "0 classes and 0 targets");
  assert_null(d);
}

static glia_status read_class_nine(void *user, int64_t i, void *x, void *y) {
  (void)user, (void)i;
  *(float *)x = 0.0f;
  *(int64_t *)y = 9;
  return GLIA_OK;
}

static void classes_out_of_range_never_come_through(void **state) {
  (void)state;
  glia_dataset *d;
  OK(glia_dataset_new(
      &(glia_dataset_source){
          .spec = {.dtype = GLIA_F32, .classes = 3}, .count = 2, .read = read_class_nine},
      &d));
  float x;
  int64_t y;
  FAILS(glia_dataset_read(d, 1, &x, &y), GLIA_DATA, "sample 1: is of class 9");
  assert_int_equal(glia_dataset_label(d, 1), -1);
  glia_dataset_free(d);
}

static void subsets_are_views(void **state) {
  (void)state;
  glia_dataset *base = sample_images(10, 4), *d = NULL;
  OK(glia_dataset_subset(base, (int64_t[]){9, 0, 9}, 3, &d));
  assert_int_equal(glia_dataset_count(d), 3);
  assert_int_equal(glia_dataset_label(d, 0), 1);
  assert_int_equal(glia_dataset_label(d, 1), 0);
  assert_string_equal(glia_dataset_name(d, 2), "sample 9");
  uint8_t x[6], z[6];
  int64_t y;
  OK(glia_dataset_read(d, 2, x, &y));
  OK(glia_dataset_read(base, 9, z, &y));
  assert_memory_equal(x, z, 6);
  glia_dataset_free(d);
  OK(glia_dataset_subset(base, NULL, 0, &d));
  assert_int_equal(glia_dataset_count(d), 0);
  glia_dataset_free(d);
  FAILS(glia_dataset_subset(base, (int64_t[]){1, 10}, 2, &d), GLIA_INVALID,
        "index 10 at place 1");
  glia_dataset_free(base);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrays_give_back_what_was_put_in),
      cmocka_unit_test(arrays_of_numbers_are_regression),
      cmocka_unit_test(arrays_that_do_not_fit_are_refused),
      cmocka_unit_test(own_sources_are_checked),
      cmocka_unit_test(classes_out_of_range_never_come_through),
      cmocka_unit_test(subsets_are_views),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
