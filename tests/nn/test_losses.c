/* Losses: values by hand, stability, targets out of range, and what is refused. PyTorch's
 * numbers are compared in tests/ops/test_golden_layers.c.
 */
#include "test.h"

#include "glia/glia.h"

typedef struct row { /* logits z [n, c], kept as inputs so that nothing is computed ahead */
  glia_graph *g;
  glia_value z, t;
} row;

static row row_new(int64_t n, int64_t c, glia_dtype target) {
  row r;
  OK(glia_graph_new(&r.g));
  r.z = glia_input(r.g, "z", GLIA_F64, 2, (const int64_t[]){n, c});
  r.t = glia_dtype_is_float(target) ? glia_input(r.g, "t", target, 2, (const int64_t[]){n, c})
                                    : glia_input(r.g, "t", target, 1, (const int64_t[]){n});
  return r;
}

/* Loss and the gradient's element `at` for these logits and targets. */
static glia_status run(row *r, glia_value loss, const double *z, const double *t, int64_t at,
                       double *value, double *slope) {
  glia_plan *p = NULL;
  glia_tensor *tz = NULL, *tt = NULL;
  glia_value d;
  OK(glia_grad(loss, &r->z, 1, &d));
  glia_output("loss", loss);
  glia_output("d", d);
  OK(glia_compile(r->g, &p));
  OK(glia_tensor_new(GLIA_F64, 2, glia_value_shape(r->z), &tz));
  OK(glia_tensor_new(glia_value_dtype(r->t), glia_value_rank(r->t), glia_value_shape(r->t),
                     &tt));
  for (int64_t i = 0; i < glia_tensor_count(tz); i++) glia_tensor_set(tz, i, z[i]);
  for (int64_t i = 0; i < glia_tensor_count(tt); i++) glia_tensor_set(tt, i, t[i]);
  OK(glia_plan_bind(p, "z", tz));
  OK(glia_plan_bind(p, "t", tt));
  const glia_status s = glia_plan_run(p);
  if (s == GLIA_OK) {
    *value = glia_tensor_get(glia_plan_output(p, "loss"), 0);
    *slope = glia_tensor_get(glia_plan_output(p, "d"), at);
  }
  glia_plan_free(p);
  glia_tensor_free(tz);
  glia_tensor_free(tt);
  glia_graph_free(r->g);
  return s;
}

/* Logits as far apart as floats go: the loss is their distance, the gradient 1 and -1 over n.
 */
static void test_cross_entropy_is_stable(void **state) {
  static const double z[] = {1000, -1000, 0, -3e4, 3e4, 0}, index[] = {0, 0};
  (void)state;
  double loss, slope;
  row r = row_new(2, 3, GLIA_I64);
  OK(run(&r, glia_cross_entropy_loss(r.z, r.t), z, index, 3, &loss, &slope));
  NEAR(loss, 6e4 / 2, 1e-9);
  NEAR(slope, -0.5, 1e-12);
}

static void test_index_types(void **state) {
  static const glia_dtype types[] = {GLIA_I64, GLIA_I32};
  static const double z[] = {0, 0, 0, 0}, index[] = {0, 1};
  (void)state;
  for (int i = 0; i < GI_COUNT(types); i++) {
    double loss, slope;
    row r = row_new(2, 2, types[i]);
    OK(run(&r, glia_cross_entropy_loss(r.z, r.t), z, index, 0, &loss, &slope));
    NEAR(loss, log(2), 1e-15);
    NEAR(slope, -0.25, 1e-15);
  }
}

/* A label that is no class is reported when it is met, with its place. */
static void test_labels_out_of_range(void **state) {
  static const double z[] = {0, 0, 0, 0, 0, 0}, bad[][3] = {{0, 1, 2}, {0, -1, 1}};
  (void)state;
  for (int i = 0; i < 2; i++) {
    double loss, slope;
    row r = row_new(3, 2, GLIA_I64);
    const glia_status s =
        run(&r, glia_cross_entropy_loss(r.z, r.t), z, bad[i], 0, &loss, &slope);
    assert_int_not_equal(s, GLIA_OK);
    if (strstr(glia_error_message(), i == 0 ? "2" : "-1") == NULL)
      fail_msg("%s", glia_error_message());
  }
}

static void test_bce_is_stable(void **state) {
  static const double z[] = {800, -800, 0, 60}, t[] = {1, 0, 0.5, 0.25};
  (void)state;
  double loss, slope;
  row r = row_new(2, 2, GLIA_F64);
  OK(run(&r, glia_bce_with_logits_loss(r.z, r.t), z, t, 3, &loss, &slope));
  NEAR(loss, (0 + 0 + log(2) + 60 * 0.75) / 4, 1e-12);
  NEAR(slope, (1 - 0.25) / 4, 1e-12);
}

static void test_huber_meets_at_delta(void **state) {
  static const double z[] = {0.5, 2, -3, 0}, t[] = {0, 0, 0, 0};
  (void)state;
  double loss, slope;
  row r = row_new(2, 2, GLIA_F64);
  OK(run(&r, glia_huber_loss(r.z, r.t, 2), z, t, 2, &loss, &slope));
  NEAR(loss, (0.125 + 2 + 2 * (3 - 1) + 0) / 4, 1e-15);
  NEAR(slope, -2.0 / 4, 1e-15);
}

static void test_mae_and_mse(void **state) {
  static const double z[] = {1, -2, 3, 5}, t[] = {0, 0, 3, 1};
  (void)state;
  double loss, slope;
  row r = row_new(2, 2, GLIA_F64);
  OK(run(&r, glia_mae_loss(r.z, r.t), z, t, 1, &loss, &slope));
  NEAR(loss, 7.0 / 4, 0);
  NEAR(slope, -0.25, 0);
  r = row_new(2, 2, GLIA_F64);
  OK(run(&r, glia_mse_loss(r.z, r.t), z, t, 3, &loss, &slope));
  NEAR(loss, 21.0 / 4, 0);
  NEAR(slope, 2.0, 0);
}

/* ---- refused ----------------------------------------------------------------------------- */

#define REFUSED(target, call, status, text)                                          \
  do {                                                                               \
    row r = row_new(4, 3, target);                                                   \
    const glia_value wide = glia_input(r.g, "w", GLIA_F64, 1, (const int64_t[]){4}); \
    const glia_value v = (call);                                                     \
    (void)wide;                                                                      \
    assert_null(v.graph);                                                            \
    FAILS(glia_graph_status(r.g), status, text);                                     \
    glia_graph_free(r.g);                                                            \
  } while (0)

static void test_refused(void **state) {
  (void)state;
  REFUSED(GLIA_I64, glia_mse_loss(r.z, r.t), GLIA_DTYPE,
          "mse_loss: the prediction is f64 [4, 3], the target i64 [4]");
  REFUSED(GLIA_F64, glia_mae_loss(r.z, glia_sum(r.t)), GLIA_SHAPE, "nothing is broadcast");
  REFUSED(GLIA_F32, glia_bce_with_logits_loss(r.z, r.t), GLIA_DTYPE, "bce_with_logits_loss");
  REFUSED(GLIA_F64, glia_huber_loss(r.z, r.t, 0), GLIA_INVALID, "delta is 0, wanted > 0");
  REFUSED(GLIA_F64, glia_huber_loss(r.z, r.t, NAN), GLIA_INVALID, "delta is nan");
  REFUSED(GLIA_F32, glia_cross_entropy_loss(r.z, r.t), GLIA_DTYPE,
          "logits are f64 [4, 3], targets f32 [4, 3]");
  REFUSED(GLIA_I64,
          glia_cross_entropy_loss(glia_flatten(glia_sum(r.z, .n = 1, .axes = {1})), wide),
          GLIA_SHAPE, "cross_entropy_loss");
  REFUSED(GLIA_I64, glia_cross_entropy_loss(r.z, r.t, .label_smoothing = 1), GLIA_INVALID,
          "label_smoothing is 1, wanted 0 <= e < 1");
  REFUSED(GLIA_I64, glia_cross_entropy_loss(r.z, r.t, .label_smoothing = -0.1), GLIA_INVALID,
          "label_smoothing is -0.1");
  REFUSED(GLIA_I64, glia_cross_entropy_loss(r.z, r.t, .class_weights = wide), GLIA_SHAPE,
          "class weights are f64 [4], wanted f64 [3]");
  REFUSED(GLIA_I64,
          glia_cross_entropy_loss(r.z, r.t, .class_weights = glia_cast(wide, GLIA_F32)),
          GLIA_DTYPE, "class weights are f32 [4]");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cross_entropy_is_stable),
      cmocka_unit_test(test_index_types),
      cmocka_unit_test(test_labels_out_of_range),
      cmocka_unit_test(test_bce_is_stable),
      cmocka_unit_test(test_huber_meets_at_delta),
      cmocka_unit_test(test_mae_and_mse),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
