/* Normalisation: fitted figures against sums written out, and what applying does. */
#include "data/samples.h"

static glia_dataset *arrays(const glia_tensor *x, int64_t n) {
  glia_tensor *y;
  glia_dataset *d;
  OK(glia_tensor_new(GLIA_U8, 1, &n, &y));
  OK(glia_dataset_arrays(x, y, 2, &d));
  glia_tensor_free(y);
  return d;
}

static void pixels_have_a_mean_a_channel(void **state) {
  (void)state;
  enum { N = 5, C = 3, HW = 4 };
  uint8_t px[N][C][HW];
  for (int i = 0; i < N * C * HW; i++) ((uint8_t *)px)[i] = (uint8_t)(i * 37 % 256);
  for (int n = 0; n < N; n++)
    for (int k = 0; k < HW; k++) px[n][2][k] = 51; /* one channel without spread */
  glia_tensor *x;
  OK(glia_tensor_from(GLIA_U8, 4, (int64_t[]){N, C, 2, 2}, px, &x));
  glia_dataset *d = arrays(x, N);
  glia_normalise f = {0};
  OK(glia_normalise_fit(d, &f));
  assert_int_equal(f.n, C);
  assert_true(f.scale == 1.0 / 255.0);
  for (int c = 0; c < C; c++) {
    double sum = 0.0, squares = 0.0;
    for (int n = 0; n < N; n++)
      for (int k = 0; k < HW; k++) sum += px[n][c][k] / 255.0;
    const double mean = sum / (N * HW);
    for (int n = 0; n < N; n++)
      for (int k = 0; k < HW; k++) squares += pow(px[n][c][k] / 255.0 - mean, 2.0);
    const double std = c == 2 ? 1.0 : sqrt(squares / (N * HW));
    assert_near(f.mean[c], mean, 1e-6);
    assert_near(f.std[c], std, 1e-6);
    float out[C * HW];
    glia_normalise_apply(&f, glia_dataset_spec(d), px[3], out);
    for (int k = 0; k < HW; k++)
      assert_near(out[c * HW + k], (px[3][c][k] / 255.0 - mean) / std, 1e-5);
  }
  float out[C * HW];
  glia_normalise_apply(NULL, glia_dataset_spec(d), px[1], out); /* the scale only */
  for (int k = 0; k < C * HW; k++) assert_near(out[k], ((uint8_t *)px[1])[k] / 255.0, 1e-6);
  glia_normalise_clear(&f);
  glia_normalise_clear(&f);
  glia_normalise_clear(NULL);
  assert_null(f.mean);
  glia_dataset_free(d);
  glia_tensor_free(x);
}

static void rows_have_a_mean_a_column(void **state) {
  (void)state;
  enum { N = 1000 };
  static float rows[N][3];
  for (int i = 0; i < N; i++) {
    rows[i][0] = (float)i;
    rows[i][1] = 7.0f;
    rows[i][2] = 1e6f + (float)(i % 2); /* mean a million times the spread */
  }
  glia_tensor *x;
  OK(glia_tensor_from(GLIA_F32, 2, (int64_t[]){N, 3}, rows, &x));
  glia_dataset *d = arrays(x, N);
  glia_normalise f = {0};
  OK(glia_normalise_fit(d, &f));
  assert_true(f.scale == 1.0);
  assert_near(f.mean[0], 499.5, 1e-3);
  assert_near(f.std[0], sqrt((1e6 - 1.0) / 12.0), 1e-3);
  assert_true(f.mean[1] == 7.0f && f.std[1] == 1.0f);
  assert_near(f.std[2], 0.5, 1e-6);
  float out[3];
  glia_normalise_apply(&f, glia_dataset_spec(d), rows[999], out);
  assert_near(out[0], 499.5 / f.std[0], 1e-5);
  assert_true(out[1] == 0.0f);
  assert_near(out[2], 1.0, 1e-6);
  glia_normalise_clear(&f);
  glia_dataset_free(d);
  glia_tensor_free(x);
}

static void other_ranks_share_one_mean(void **state) {
  (void)state;
  glia_tensor *x;
  OK(glia_tensor_from(GLIA_F32, 3, (int64_t[]){2, 1, 2}, (float[]){1, 2, 3, 6}, &x));
  glia_dataset *d = arrays(x, 2);
  glia_normalise f = {0};
  OK(glia_normalise_fit(d, &f));
  assert_int_equal(f.n, 1);
  assert_true(f.mean[0] == 3.0f);
  assert_near(f.std[0], sqrt((4.0 + 1.0 + 0.0 + 9.0) / 4.0), 1e-6);
  glia_normalise_clear(&f);
  glia_dataset_free(d);
  glia_tensor_free(x);
}

static void unreadable_samples_are_left_out(void **state) {
  (void)state;
  sample_source s = {.bad = 2, .status = GLIA_FORMAT}; /* 0, 2, 4, 6, 8 remain */
  glia_dataset *d = sample_numbers(&s, 10);
  glia_normalise f = {0};
  OK(glia_normalise_fit(d, &f));
  assert_true(f.mean[0] == 4.0f);
  glia_normalise_clear(&f);
  s.bad = 1;
  FAILS(glia_normalise_fit(d, &f), GLIA_DATA, "none of the 10 samples");
  s.status = GLIA_CANCELLED;
  FAILS(glia_normalise_fit(d, &f), GLIA_CANCELLED, "sample 0");
  assert_null(f.mean);
  glia_dataset_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pixels_have_a_mean_a_channel),
      cmocka_unit_test(rows_have_a_mean_a_column),
      cmocka_unit_test(other_ranks_share_one_mean),
      cmocka_unit_test(unreadable_samples_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
