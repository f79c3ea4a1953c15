/* Losses where their formulas end: rows that are ignored, zero distances, saturated
 * probabilities, labels out of range, and what is refused. PyTorch's numbers are compared in
 * test_golden_losses.c.
 */
#include "test.h"

#include "glia/glia.h"

/* ---- values and gradients ---------------------------------------------------------------- */

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

static glia_value numbers(glia_graph *g, int64_t rows, int64_t columns, const double *data) {
  return glia_constant(g, GLIA_F64, 2, (const int64_t[]){rows, columns}, data);
}

static glia_value vector(glia_graph *g, int64_t n, const double *data) {
  return glia_constant(g, GLIA_F64, 1, &n, data);
}

static glia_value indices(glia_graph *g, int64_t n, const int64_t *data) {
  return glia_constant(g, GLIA_I64, 1, &n, data);
}

/* The elements of v are those, to 1e-12. NaN is NAN. */
static void elements(glia_value v, int n, const double *want) {
  glia_tensor *t = NULL;
  OK(glia_eval(v, &t));
  assert_int_equal(glia_tensor_count(t), n);
  for (int i = 0; i < n; i++) {
    const double x = glia_tensor_get(t, i);
    if (x != want[i] && !(fabs(x - want[i]) <= 1e-12) && !(isnan(x) && isnan(want[i])))
      fail_msg("element %d is %.17g, wanted %.17g", i, x, want[i]);
  }
  glia_tensor_free(t);
}
#define ELEMENTS(v, n, ...) elements(v, n, (const double[]){__VA_ARGS__})

static glia_value slope(glia_value loss, glia_value x) {
  glia_value d;
  OK(glia_grad(loss, &x, 1, &d));
  return d;
}

/* ---- classes ----------------------------------------------------------------------------- */

/* The step that training takes is the fused op and its mean, nothing more. */
static void test_plain_cross_entropy_is_one_op(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value z = glia_input(g, "z", GLIA_F32, 2, (const int64_t[]){4, 3});
  const glia_value t = glia_input(g, "t", GLIA_I64, 1, (const int64_t[]){4});
  const glia_value loss = glia_cross_entropy_loss(z, t);
  assert_int_equal(
      loss.id, glia_mean(glia_cross_entropy_loss(z, t, .reduction = GLIA_REDUCTION_NONE)).id);
  char *text = glia_graph_text(g);
  assert_non_null(text);
  assert_non_null(strstr(text, "cross_entropy"));
  assert_null(strstr(text, "log_softmax"));
  assert_null(strstr(text, "where"));
  free(text);
  glia_graph_free(g);
}

/* A row that is ignored counts nothing even where its numbers are not finite. */
static void test_ignored_rows(void **state) {
  (void)state;
  glia_graph *g = graph();
  const double inf = INFINITY;
  const glia_value z = numbers(g, 3, 2, (const double[]){0, 0, -inf, 1, 5, -inf});
  const glia_value t = indices(g, 3, (const int64_t[]){1, -100, -100});
  const glia_value each = glia_cross_entropy_loss(z, t, .ignore = true, .ignore_index = -100,
                                                  .reduction = GLIA_REDUCTION_NONE);
  const glia_value mean = glia_cross_entropy_loss(z, t, .ignore = true, .ignore_index = -100);
  ELEMENTS(each, 3, log(2), 0, 0);
  ELEMENTS(mean, 1, log(2));
  ELEMENTS(slope(mean, z), 6, 0.5, -0.5, 0, 0, 0, 0);
  glia_graph_free(g);
}

/* No row counts: the sum is 0, the mean 0 / 0, as in PyTorch. */
static void test_all_rows_ignored(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value z = numbers(g, 2, 2, (const double[]){1, 2, 3, 4});
  const glia_value t = indices(g, 2, (const int64_t[]){0, 0});
  ELEMENTS(glia_nll_loss(z, t, .ignore = true), 1, NAN);
  ELEMENTS(glia_nll_loss(z, t, .ignore = true, .reduction = GLIA_REDUCTION_SUM), 1, 0);
  glia_graph_free(g);
}

static void test_labels_out_of_range(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value z = numbers(g, 2, 2, (const double[]){1, 2, 3, 4});
  const glia_value high = indices(g, 2, (const int64_t[]){1, 7});
  const glia_value low = indices(g, 2, (const int64_t[]){-100, 0});
  const glia_value lists =
      glia_constant(g, GLIA_I64, 2, (const int64_t[]){2, 2}, (const int64_t[]){0, -1, -2, 0});
  const glia_value w = vector(g, 2, (const double[]){1, 2});
  glia_tensor *none = NULL;
  FAILS(glia_eval(glia_cross_entropy_loss(z, low), &none), GLIA_INVALID, "-100");
  FAILS(
      glia_eval(glia_cross_entropy_loss(z, high, .ignore = true, .ignore_index = -100), &none),
      GLIA_INVALID, "7");
  FAILS(glia_eval(glia_cross_entropy_loss(z, high, .class_weights = w), &none), GLIA_INVALID,
        "7");
  FAILS(glia_eval(glia_nll_loss(z, high), &none), GLIA_INVALID, "7 at position 1");
  FAILS(glia_eval(glia_multi_margin_loss(z, low, 1), &none), GLIA_INVALID, "-100");
  FAILS(glia_eval(glia_multilabel_margin_loss(z, lists), &none), GLIA_INVALID, "-2");
  glia_graph_free(g);
}

/* Whole-number sides are as good as floats, i32 indices as i64. */
static void test_integer_targets(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = vector(g, 3, (const double[]){0.5, -2, 0.25});
  const glia_value y = indices(g, 3, (const int64_t[]){1, 1, -1});
  const glia_value floats = vector(g, 3, (const double[]){1, 1, -1});
  const glia_value z = numbers(g, 3, 2, (const double[]){0, 1, 2, 0, 5, 5});
  const glia_value i64 = indices(g, 3, (const int64_t[]){0, 1, 1});
  const glia_value i32 = glia_cast(i64, GLIA_I32);
  ELEMENTS(glia_hinge_loss(x, y, .reduction = GLIA_REDUCTION_NONE), 3, 0.5, 3, 1.25);
  ELEMENTS(glia_sub(glia_soft_margin_loss(x, y), glia_soft_margin_loss(x, floats)), 1, 0);
  ELEMENTS(glia_sub(glia_cross_entropy_loss(z, i32, .ignore = true, .ignore_index = 1),
                    glia_cross_entropy_loss(z, i64, .ignore = true, .ignore_index = 1)),
           1, 0);
  glia_graph_free(g);
}

/* ---- where slopes are steep -------------------------------------------------------------- */

static void test_saturated_probabilities(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value p = vector(g, 4, (const double[]){0, 0, 1, 1});
  const glia_value t = vector(g, 4, (const double[]){0, 1, 0, 1});
  ELEMENTS(glia_bce_loss(p, t, .reduction = GLIA_REDUCTION_NONE), 4, 0, 100, 100, 0);
  const glia_value d = slope(glia_bce_loss(p, t, .reduction = GLIA_REDUCTION_SUM), p);
  ELEMENTS(d, 4, 1, 0, 0, -1);
  glia_graph_free(g);
}

static void test_zero_distances(void **state) {
  static const double norms[] = {2, 1, 3, 0.5};
  (void)state;
  for (int i = 0; i < GI_COUNT(norms); i++) {
    glia_graph *g = graph();
    /* a - b + eps is exactly 0 */
    const glia_value a = numbers(g, 1, 2, (const double[]){0, 0});
    const glia_value b = numbers(g, 1, 2, (const double[]){0.5, 0.5});
    const glia_value d = glia_pairwise_distance(a, b, .p = norms[i], .eps = 0.5);
    ELEMENTS(d, 1, 0);
    ELEMENTS(slope(glia_sum(d), a), 2, 0, 0);
    glia_graph_free(g);
  }
}

static void test_largest_difference(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = numbers(g, 2, 3, (const double[]){1, 2, -5, 0, 3, 0});
  const glia_value b = numbers(g, 2, 3, (const double[]){0, 0, 0, 1, 1, 1});
  const glia_value d = glia_pairwise_distance(a, b, .p = INFINITY, .eps = 1e-300);
  ELEMENTS(d, 2, 5, 2);
  ELEMENTS(slope(glia_sum(d), a), 6, 0, 0, -1, 0, 1, 0);
  glia_graph_free(g);
}

static void test_two_empty_masks_are_equal(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value p = numbers(g, 2, 2, (const double[]){0, 0, 1, 0});
  const glia_value t = numbers(g, 2, 2, (const double[]){0, 0, 0, 1});
  ELEMENTS(glia_dice_loss(p, t, .reduction = GLIA_REDUCTION_NONE), 2, 0, 1 - 1.0 / 3);
  glia_graph_free(g);
}

/* A variance of 0 counts as eps, and learns to grow all the same. */
static void test_no_variance(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = vector(g, 1, (const double[]){3});
  const glia_value t = vector(g, 1, (const double[]){1});
  const glia_value v = vector(g, 1, (const double[]){0});
  const glia_value loss = glia_gaussian_nll_loss(x, t, v, .eps = 0.5);
  ELEMENTS(loss, 1, 0.5 * (log(0.5) + 4 / 0.5));
  ELEMENTS(slope(loss, v), 1, 0.5 * (1 / 0.5 - 4 / 0.25));
  glia_graph_free(g);
}

/* Three letters, two of them alike, do not fit into three times. */
static void test_sequence_that_cannot_be(void **state) {
  (void)state;
  glia_graph *g = graph();
  double even[12];
  for (int i = 0; i < GI_COUNT(even); i++) even[i] = -log(3);
  const glia_value x = glia_constant(g, GLIA_F64, 3, (const int64_t[]){4, 1, 3}, even);
  const glia_value z =
      glia_constant(g, GLIA_I64, 2, (const int64_t[]){1, 3}, (const int64_t[]){1, 2, 2});
  const glia_value three = indices(g, 1, (const int64_t[]){3});
  const glia_value four = indices(g, 1, (const int64_t[]){4});
  glia_tensor *none = NULL;
  ELEMENTS(glia_ctc_loss(x, z, three, three), 1, INFINITY);
  ELEMENTS(glia_ctc_loss(x, z, three, three, .zero_infinity = true), 1, 0);
  ELEMENTS(glia_sum(glia_abs(slope(glia_ctc_loss(x, z, three, three), x))), 1, 0);
  /* in four there is one path, 1 2 blank 2: its probability is 3^-4 */
  ELEMENTS(glia_ctc_loss(x, z, four, three, .reduction = GLIA_REDUCTION_SUM), 1, 4 * log(3));
  ELEMENTS(glia_ctc_loss(x, z, four, three), 1, 4 * log(3) / 3);
  FAILS(glia_eval(glia_ctc_loss(x, z, four, four), &none), GLIA_INVALID,
        "target length 0 is 4, wanted 0 to 3");
  FAILS(glia_eval(glia_ctc_loss(x, glia_add(z, z), four, three), &none), GLIA_INVALID,
        "letter 1 of target 0 is 4");
  glia_graph_free(g);
}

static void test_batch_mean(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = numbers(g, 2, 3, (const double[]){1, 2, 3, 4, 5, 6});
  ELEMENTS(glia_mse_loss(a, glia_full_like(a, 0), .reduction = GLIA_REDUCTION_BATCH_MEAN), 1,
           91.0 / 2);
  glia_graph_free(g);
}

/* ---- refused ----------------------------------------------------------------------------- */

typedef struct given { /* floats x, y [4, 3], v [4], narrow f32 [4, 3]; indices i [4] */
  glia_graph *g;
  glia_value x, y, v, narrow, i, many;
} given;

static given given_new(void) {
  given b;
  static const int64_t shape[] = {4, 3}, deep[] = {4, 3, 2};
  OK(glia_graph_new(&b.g));
  b.x = glia_input(b.g, "x", GLIA_F64, 2, shape);
  b.y = glia_input(b.g, "y", GLIA_F64, 2, shape);
  b.v = glia_input(b.g, "v", GLIA_F64, 1, shape);
  b.narrow = glia_input(b.g, "narrow", GLIA_F32, 2, shape);
  b.i = glia_input(b.g, "i", GLIA_I64, 1, shape);
  b.many = glia_input(b.g, "many", GLIA_F64, 3, deep);
  return b;
}

#define REFUSED(call, status, text)              \
  do {                                           \
    given b = given_new();                       \
    const glia_value result = (call);            \
    assert_null(result.graph);                   \
    FAILS(glia_graph_status(b.g), status, text); \
    glia_graph_free(b.g);                        \
  } while (0)

static void test_shapes_refused(void **state) {
  (void)state;
  REFUSED(glia_mse_loss(b.x, b.v), GLIA_SHAPE, "mse_loss: the prediction is f64 [4, 3]");
  REFUSED(glia_smooth_l1_loss(b.x, b.many, 1), GLIA_SHAPE, "nothing is broadcast");
  REFUSED(glia_bce_loss(b.x, b.v), GLIA_SHAPE, "bce_loss");
  REFUSED(glia_bce_loss(b.x, b.y, .weight = b.v), GLIA_SHAPE,
          "the weight is f64 [4], wanted what broadcasts to f64 [4, 3]");
  REFUSED(glia_bce_with_logits_loss(b.x, b.y, .positive_weight = b.many), GLIA_SHAPE,
          "the weight is f64 [4, 3, 2]");
  REFUSED(glia_cross_entropy_loss(b.many, b.i), GLIA_SHAPE,
          "logits are f64 [4, 3, 2], targets i64 [4]; wanted [N, C, ...]");
  REFUSED(glia_nll_loss(b.many, b.i), GLIA_SHAPE, "nll_loss: log-probabilities are");
  REFUSED(glia_nll_loss(b.x, b.i, .class_weights = b.v), GLIA_SHAPE,
          "class weights are f64 [4], wanted f64 [3]");
  REFUSED(glia_multi_margin_loss(b.many, b.i, 1), GLIA_SHAPE, "multi_margin_loss: scores are");
  REFUSED(glia_multilabel_margin_loss(b.x, b.i), GLIA_SHAPE, "class indices [N, C]");
  REFUSED(glia_multilabel_soft_margin_loss(b.x, b.y, .class_weights = b.v), GLIA_SHAPE,
          "multilabel_soft_margin_loss: class weights");
  REFUSED(glia_multilabel_soft_margin_loss(glia_sum(b.x), glia_sum(b.y)), GLIA_SHAPE,
          "no axis of classes");
  REFUSED(glia_focal_loss(b.x, b.v, 2), GLIA_SHAPE, "focal_loss");
  REFUSED(glia_dice_loss(glia_sum(b.x), glia_sum(b.y)), GLIA_SHAPE, "got a scalar");
  REFUSED(glia_hinge_loss(b.x, b.i), GLIA_SHAPE,
          "hinge_loss: y is i64 [4], wanted 1 or -1 as f64 [4, 3]");
  REFUSED(glia_margin_ranking_loss(b.x, b.y, b.v, 0), GLIA_SHAPE, "margin_ranking_loss: y is");
  REFUSED(glia_cosine_embedding_loss(b.x, b.y, b.y, 0), GLIA_SHAPE,
          "wanted 1 or -1 as f64 [4]");
  REFUSED(glia_cosine_embedding_loss(b.many, b.many, b.v, 0), GLIA_SHAPE, "3 axes");
  REFUSED(glia_pairwise_distance(b.x, b.v), GLIA_SHAPE, "pairwise_distance: the first place");
  REFUSED(glia_pairwise_distance(glia_sum(b.x), glia_sum(b.y)), GLIA_SHAPE, "no features");
  REFUSED(glia_triplet_margin_loss(b.x, b.y, b.v, 1), GLIA_SHAPE, "the negative f64 [4]");
  REFUSED(glia_kl_div_loss(b.x, b.v), GLIA_SHAPE, "kl_div_loss");
  REFUSED(glia_poisson_nll_loss(b.x, b.v), GLIA_SHAPE, "poisson_nll_loss");
  REFUSED(glia_gaussian_nll_loss(b.x, b.y, b.many), GLIA_SHAPE,
          "the mean is f64 [4, 3], the variance f64 [4, 3, 2]");
  REFUSED(glia_gram_loss(b.x, b.y), GLIA_SHAPE, "gram: features are f64 [4, 3]");
  REFUSED(glia_mse_loss(glia_sum(b.x), glia_sum(b.y), .reduction = GLIA_REDUCTION_BATCH_MEAN),
          GLIA_SHAPE, "the batch mean");
}

static void test_dtypes_refused(void **state) {
  (void)state;
  REFUSED(glia_mae_loss(b.x, b.narrow), GLIA_DTYPE, "the target f32 [4, 3]");
  REFUSED(glia_mse_loss(b.i, b.i), GLIA_DTYPE, "wanted floats; hint: glia_cast");
  REFUSED(glia_bce_loss(b.x, b.y, .weight = b.narrow), GLIA_DTYPE, "the weight is f32");
  REFUSED(glia_cross_entropy_loss(b.x, b.narrow), GLIA_DTYPE, "targets f32 [4, 3]");
  REFUSED(glia_nll_loss(b.x, b.v), GLIA_DTYPE, "targets f64 [4]; wanted");
  REFUSED(glia_multi_margin_loss(b.x, b.v, 1), GLIA_DTYPE, "class indices [N]");
  REFUSED(glia_soft_margin_loss(b.x, b.narrow), GLIA_DTYPE, "y is f32 [4, 3]");
  REFUSED(glia_gaussian_nll_loss(b.x, b.y, b.narrow), GLIA_DTYPE, "the variance f32");
}

static void test_options_refused(void **state) {
  (void)state;
  REFUSED(glia_huber_loss(b.x, b.y, -1), GLIA_INVALID, "huber_loss: delta is -1, wanted > 0");
  REFUSED(glia_smooth_l1_loss(b.x, b.y, -1), GLIA_INVALID, "beta is -1, wanted >= 0");
  REFUSED(glia_smooth_l1_loss(b.x, b.y, NAN), GLIA_INVALID, "beta is nan");
  REFUSED(glia_cross_entropy_loss(b.x, b.y, .ignore = true), GLIA_INVALID,
          "there is no index to ignore");
  REFUSED(glia_mse_loss(b.x, b.y, .reduction = (glia_reduction)9), GLIA_INVALID,
          "mse_loss: 9 is no reduction");
  REFUSED(glia_focal_loss(b.x, b.y, -1), GLIA_INVALID, "gamma is -1, wanted 0 or more");
  REFUSED(glia_focal_loss(b.x, b.y, 2, .alpha = 1.5), GLIA_INVALID, "alpha is 1.5");
  REFUSED(glia_dice_loss(b.x, b.y, .smooth = -1), GLIA_INVALID, "smooth is -1");
  REFUSED(glia_multi_margin_loss(b.x, b.i, NAN), GLIA_INVALID, "margin is nan");
  REFUSED(glia_hinge_embedding_loss(b.x, b.y, NAN), GLIA_INVALID, "margin is nan");
  REFUSED(glia_margin_ranking_loss(b.x, b.y, b.y, NAN), GLIA_INVALID, "margin is nan");
  REFUSED(glia_cosine_embedding_loss(b.x, b.y, b.v, 2), GLIA_INVALID,
          "margin is 2, wanted -1 to 1");
  REFUSED(glia_pairwise_distance(b.x, b.y, .p = -1), GLIA_INVALID, "p is -1, wanted above 0");
  REFUSED(glia_pairwise_distance(b.x, b.y, .eps = -1), GLIA_INVALID, "eps is -1");
  REFUSED(glia_triplet_margin_loss(b.x, b.y, b.x, NAN), GLIA_INVALID, "margin is nan");
  REFUSED(glia_poisson_nll_loss(b.x, b.y, .eps = -1), GLIA_INVALID, "eps is -1");
  REFUSED(glia_gaussian_nll_loss(b.x, b.y, b.y, .eps = NAN), GLIA_INVALID, "eps is nan");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_cross_entropy_is_one_op),
      cmocka_unit_test(test_ignored_rows),
      cmocka_unit_test(test_all_rows_ignored),
      cmocka_unit_test(test_labels_out_of_range),
      cmocka_unit_test(test_integer_targets),
      cmocka_unit_test(test_saturated_probabilities),
      cmocka_unit_test(test_zero_distances),
      cmocka_unit_test(test_largest_difference),
      cmocka_unit_test(test_two_empty_masks_are_equal),
      cmocka_unit_test(test_no_variance),
      cmocka_unit_test(test_sequence_that_cannot_be),
      cmocka_unit_test(test_batch_mean),
      cmocka_unit_test(test_shapes_refused),
      cmocka_unit_test(test_dtypes_refused),
      cmocka_unit_test(test_options_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
