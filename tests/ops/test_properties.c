/* test_properties.c - what must hold of ops whatever their kernels: invariants, edge values,
 * builders, failures at run time. One property, one test.
 */
#include "test.h"

#include "glia/glia.h"
#include "graph/graph.h"

static glia_graph *g;

static int begin(void **state) {
  (void)state;
  return glia_graph_new(&g) == GLIA_OK ? 0 : -1;
}
static int end(void **state) {
  (void)state;
  glia_graph_free(g);
  return 0;
}

#define SHAPE(...) \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) { __VA_ARGS__ }

static glia_value numbers(int rank, const int64_t *shape, const double *data) {
  return glia_constant(g, GLIA_F64, rank, shape, data);
}
static glia_value indices(int rank, const int64_t *shape, const int64_t *data) {
  return glia_constant(g, GLIA_I64, rank, shape, data);
}
static glia_value noise(int rank, const int64_t *shape, uint64_t stream) {
  return glia_random_normal(g, GLIA_F64, rank, shape, 0, 1, stream);
}

/* The value's elements are these. */
static void expect(glia_value v, int n, const double *want) {
  glia_tensor *t = NULL;
  OK(glia_eval(v, &t));
  assert_int_equal(glia_tensor_count(t), n);
  for (int i = 0; i < n; i++) {
    const double a = glia_tensor_get(t, i), b = want[i];
    if (!(fabs(a - b) <= 1e-12 * (1 + fabs(b))) && !(isnan(a) && isnan(b)) && a != b)
      fail_msg("element %d is %.17g, wanted %.17g", i, a, b);
  }
  glia_tensor_free(t);
}
#define EXPECT(v, ...) \
  expect(v, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]){__VA_ARGS__})

/* Largest |element|; NaN if there is one. */
static double size_of(glia_value v) {
  glia_tensor *t = NULL;
  double m = 0;
  OK(glia_eval(v, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) {
    const double x = fabs(glia_tensor_get(t, i));
    if (isnan(x) || x > m) m = x;
    if (isnan(x)) break;
  }
  glia_tensor_free(t);
  return m;
}
static void expect_zero(glia_value v) { NEAR(size_of(v), 0, 1e-12); }

static glia_value gradient(glia_value loss, glia_value x) {
  glia_value d = GLIA_NONE;
  OK(glia_grad(loss, &x, 1, &d));
  return d;
}

/* ---- edge values --------------------------------------------------------------------- */

static void test_nan_passes_through(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(3), (double[]){NAN, -1, 2});
  const glia_value y = numbers(SHAPE(3), (double[]){0, NAN, 1});
  EXPECT(glia_relu(x), NAN, 0, 2);
  EXPECT(glia_relu6(x), NAN, 0, 2);
  EXPECT(glia_clip(x, -0.5, 1), NAN, -0.5, 1);
  EXPECT(glia_maximum(x, y), NAN, NAN, 2);
  EXPECT(glia_minimum(x, y), NAN, NAN, 1);
  EXPECT(glia_max(x), NAN);
  EXPECT(glia_min(x), NAN);
  EXPECT(glia_argmax(y, 0, false), 1);
  EXPECT(glia_is_nan(x), 1, 0, 0);
  EXPECT(glia_sign(x), NAN, -1, 1);
}

static void test_nothing_overflows_in_between(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(4), (double[]){-1000, -40, 40, 1000});
  EXPECT(glia_sigmoid(x), 0, 1 / (1 + exp(40)), 1 / (1 + exp(-40)), 1);
  EXPECT(glia_softplus(x), 0, log1p(exp(-40)), 40 + log1p(exp(-40)), 1000);
  EXPECT(glia_silu(x), 0, -40 / (1 + exp(40)), 40 / (1 + exp(-40)), 1000);
  EXPECT(glia_mish(x), 0, -40 * tanh(log1p(exp(-40))), 40, 1000);
  EXPECT(glia_gelu(x), 0, 0, 40, 1000);
  EXPECT(glia_elu(x, 1), -1, expm1(-40), 40, 1000);
  EXPECT(glia_log_softmax(x, 0), -2000, -1040, -960, 0);
  EXPECT(glia_softmax(x, 0), 0, 0, 0, 1);
  EXPECT(glia_log1p(numbers(SHAPE(1), (double[]){1e-20})), 1e-20);
  EXPECT(glia_expm1(numbers(SHAPE(1), (double[]){1e-20})), 1e-20);
}

static void test_casts_saturate_and_truncate(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(5), (double[]){-1.9, 2.9, 1e30, -1e30, NAN});
  EXPECT(glia_cast(x, GLIA_I32), -1, 2, INT32_MAX, INT32_MIN, 0);
  EXPECT(glia_cast(x, GLIA_U8), 0, 2, 255, 0, 0);
  EXPECT(glia_cast(x, GLIA_BOOL), 1, 1, 1, 1, 1);
  assert_int_equal(glia_cast(x, GLIA_F64).id, x.id);
}

static void test_round_halves_to_even(void **state) {
  (void)state;
  EXPECT(glia_round(numbers(SHAPE(5), (double[]){0.5, 1.5, 2.5, -0.5, -1.5})), 0, 2, 2, 0, -2);
}

/* ---- gradients at kinks -------------------------------------------------------------- */

static void test_ties_share_the_gradient(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(4), (double[]){3, 1, 3, 3});
  const glia_value y = numbers(SHAPE(4), (double[]){3, 2, 2, 3});
  EXPECT(gradient(glia_max(x), x), 1.0 / 3, 0, 1.0 / 3, 1.0 / 3);
  EXPECT(gradient(glia_sum(glia_maximum(x, y)), x), 0.5, 0, 1, 0.5);
  EXPECT(gradient(glia_sum(glia_minimum(x, y)), y), 0.5, 0, 1, 0.5);
}

static void test_gradients_at_kinks_are_as_documented(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(4), (double[]){-1, 0, 1, 6});
  EXPECT(gradient(glia_sum(glia_relu(x)), x), 0, 0, 1, 1);
  EXPECT(gradient(glia_sum(glia_relu6(x)), x), 0, 0, 1, 0);
  EXPECT(gradient(glia_sum(glia_abs(x)), x), -1, 0, 1, 1);
  EXPECT(gradient(glia_sum(glia_clip(x, 0, 1)), x), 0, 1, 1, 0);
  EXPECT(gradient(glia_sum(glia_floor(x)), x), 0, 0, 0, 0);
}

/* d/dx of a product where elements are zero: the product of the others. */
static void test_products_of_zeros_have_gradients(void **state) {
  (void)state;
  const glia_value one = numbers(SHAPE(3), (double[]){2, 0, 5});
  const glia_value two = numbers(SHAPE(3), (double[]){0, 0, 5});
  EXPECT(gradient(glia_prod(one), one), 0, 10, 0);
  EXPECT(gradient(glia_prod(two), two), 0, 0, 0);
  const glia_value d = gradient(glia_prod(one), one); /* d/dx0 = x1 x2, and again by x1: x2 */
  EXPECT(gradient(glia_sum(glia_slice(d, 0, 0, 1, 1)), one), 0, 5, 0);
}

static void test_powers_of_zero(void **state) {
  (void)state;
  const glia_value a = numbers(SHAPE(3), (double[]){0, 0, 2});
  const glia_value b = numbers(SHAPE(3), (double[]){0, 2, 0});
  EXPECT(glia_pow(a, b), 1, 0, 1);
  EXPECT(gradient(glia_sum(glia_pow(a, b)), a), 0, 0, 0);
  EXPECT(gradient(glia_sum(glia_pow(a, b)), b), 0, 0, log(2));
}

static void test_gradients_stop_where_told(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(2), (double[]){2, 3});
  glia_value d;
  EXPECT(gradient(glia_sum(glia_mul(x, glia_stop_gradient(x))), x), 2, 3);
  FAILS(glia_grad(glia_sum(glia_stop_gradient(x)), &x, 1, &d), GLIA_MODEL, "stop_gradient");
}

static void test_vjp_is_linear_in_the_cotangent(void **state) {
  (void)state;
  const glia_value x = noise(SHAPE(2, 3, 6, 6), 1), w = noise(SHAPE(4, 3, 3, 3), 2);
  const glia_value y =
      glia_max_pool2d(glia_tanh(glia_conv2d_with(x, w, GLIA_NONE, NULL)), .kernel = {2, 2});
  const glia_value u = noise(SHAPE(2, 4, 2, 2), 3), v = noise(SHAPE(2, 4, 2, 2), 4);
  const glia_value both = gradient(glia_sum(glia_mul(y, glia_add(u, v))), w);
  const glia_value each =
      glia_add(gradient(glia_sum(glia_mul(y, u)), w), gradient(glia_sum(glia_mul(y, v)), w));
  expect_zero(glia_sub(both, each));
}

/* ---- invariants ---------------------------------------------------------------------- */

static void test_softmax_sums_to_one_and_ignores_shifts(void **state) {
  (void)state;
  const glia_value x = noise(SHAPE(4, 7), 1), y = glia_softmax(x, 1);
  EXPECT(glia_sum(y, .n = 1, .axes = {1}), 1, 1, 1, 1);
  expect_zero(glia_sub(y, glia_softmax(glia_add(x, glia_scalar_like(x, 100)), -1)));
  expect_zero(glia_sub(glia_log(y), glia_log_softmax(x, 1)));
}

static void test_batch_norm_gives_mean_0_and_variance_1(void **state) {
  (void)state;
  const glia_value x = noise(SHAPE(8, 2, 5), 1);
  const glia_value one = numbers(SHAPE(2), (double[]){1, 1}), zero = glia_sub(one, one);
  glia_value mean, variance;
  const glia_value y = glia_batch_norm_train(x, one, zero, 0, &mean, &variance);
  expect_zero(glia_mean(y, .n = 2, .axes = {0, 2}));
  EXPECT(glia_variance(y, .n = 2, .axes = {0, 2}), 1, 1);
  expect_zero(glia_sub(mean, glia_mean(x, .n = 2, .axes = {0, -1})));
  expect_zero(glia_sub(variance, glia_variance(x, .n = 2, .axes = {0, 2})));
  const glia_value scaled =
      glia_add(glia_mul(x, glia_scalar_like(x, 7)), glia_scalar_like(x, 3));
  expect_zero(glia_sub(y, glia_batch_norm_train(scaled, one, zero, 0, NULL, NULL)));
}

/* <A x, y> = <x, A^T y> for every linear op and its transpose. */
static void expect_adjoint(glia_value x, glia_value ax, glia_value y, glia_value aty) {
  expect_zero(glia_sub(glia_sum(glia_mul(ax, y)), glia_sum(glia_mul(x, aty))));
}
static void test_transposes_are_adjoint(void **state) {
  (void)state;
  const glia_value x = noise(SHAPE(5, 3), 1), y = noise(SHAPE(4, 3), 2),
                   z = noise(SHAPE(2, 3), 3);
  const glia_value index = indices(SHAPE(4), (int64_t[]){4, 0, 4, 1});
  expect_adjoint(x, glia_gather(x, index, 0), y, glia_scatter_add(y, index, 0, 5));
  const glia_value along = indices(SHAPE(2, 3), (int64_t[]){4, 0, 4, 1, 0, 0});
  expect_adjoint(x, glia_take_along(x, along, 0), z, glia_put_along(z, along, 0, 5));
  const glia_value row = glia_slice(x, 0, 2, 3, 1), wide = noise(SHAPE(5, 3), 4);
  expect_adjoint(row, glia_broadcast_to(row, SHAPE(5, 3)), wide, glia_sum_to(wide, row));
}

static void test_one_by_one_convolution_is_a_product(void **state) {
  (void)state;
  const glia_value x = noise(SHAPE(2, 3, 4, 5), 1), w = noise(SHAPE(6, 3, 1, 1), 2);
  const glia_value y = glia_conv2d_with(x, w, GLIA_NONE, NULL);
  const glia_value product =
      glia_matmul(glia_reshape(w, SHAPE(6, 3)), glia_reshape(x, SHAPE(2, 3, 20)));
  expect_zero(glia_sub(y, glia_reshape(product, SHAPE(2, 6, 4, 5))));
}

static void test_pooling_to_one_cell_is_a_reduction(void **state) {
  (void)state;
  const glia_value x = noise(SHAPE(2, 3, 5, 7), 1);
  const glia_value mean = glia_mean(x, .n = 2, .axes = {2, 3}, .keep = true);
  expect_zero(glia_sub(glia_adaptive_avg_pool2d(x, 1, 1), mean));
  expect_zero(glia_sub(glia_avg_pool2d(x, .kernel = {5, 7}), mean));
  expect_zero(glia_sub(glia_global_avg_pool2d(x), glia_reshape(mean, SHAPE(2, 3))));
  expect_zero(
      glia_sub(glia_max_pool2d(x, .kernel = {5, 7}), glia_adaptive_max_pool2d(x, 1, 1)));
  expect_zero(glia_add(glia_min_pool2d(x, .kernel = {2, 3}),
                       glia_max_pool2d(glia_neg(x), .kernel = {2, 3})));
}

/* By hand: rows 1 .. 6, windows of 3 that move by 2 from row -1 on. The last one holds row 6,
 * one row of padding, and hangs over by another, which counts for nothing. */
static void test_rounding_the_size_up(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(1, 1, 6, 1), (double[]){1, 2, 3, 4, 5, 6});
#define WINDOW .kernel = {3, 1}, .stride = {2, 1}, .padding = {1, 0}, .ceil_mode = true
  EXPECT(glia_max_pool2d(x, WINDOW), 2, 4, 6, 6);
  EXPECT(glia_min_pool2d(x, WINDOW), 1, 2, 4, 6);
  EXPECT(glia_avg_pool2d(x, WINDOW), 1.5, 3, 5, 6);
  EXPECT(glia_avg_pool2d(x, WINDOW, .count_padding = true), 1, 3, 5, 3);
#undef WINDOW
  /* Windows of 2 that move by 6: the second would begin behind the end, and is none; by 5: it
   * holds row 6. */
  EXPECT(glia_max_pool2d(x, .kernel = {2, 1}, .stride = {6, 1}, .ceil_mode = true), 2);
  EXPECT(glia_max_pool2d(x, .kernel = {2, 1}, .stride = {5, 1}, .ceil_mode = true), 2, 6);
}

static void test_transposed_operands_give_the_same_product(void **state) {
  (void)state;
  const glia_value a = noise(SHAPE(2, 3, 4), 1), b = noise(SHAPE(4, 5), 2);
  const glia_value at = glia_transpose(a, -1, -2), bt = glia_transpose(b, 0, 1);
  const glia_value y = glia_matmul(a, b);
  expect_zero(glia_sub(y, glia_matmul(at, b, .transpose_a = true)));
  expect_zero(glia_sub(y, glia_matmul(a, bt, .transpose_b = true)));
  expect_zero(glia_sub(y, glia_matmul(at, bt, .transpose_a = true, .transpose_b = true)));
}

/* ---- chance -------------------------------------------------------------------------- */

static void test_dropout_keeps_the_mean_and_its_mask(void **state) {
  (void)state;
  const glia_value ones = glia_broadcast_to(glia_scalar(g, GLIA_F64, 1), SHAPE(40000));
  const glia_value x = glia_mul(ones, ones), y = glia_dropout_with(x, 0.25, 9);
  NEAR(size_of(glia_mean(y)), 1, 0.02); /* deviation 0.003 */
  EXPECT(glia_max(y), 1 / 0.75);
  EXPECT(glia_min(y), 0);
  expect_zero(
      glia_sub(gradient(glia_sum(y), x), y)); /* x = 1: the gradient is the mask itself */
  assert_int_equal(glia_dropout_with(x, 0, 9).id, x.id);
  assert_int_not_equal(glia_dropout_with(x, 0.25, 10).id, y.id);
}

static void test_random_numbers_have_their_moments(void **state) {
  (void)state;
  const glia_value u = glia_random_uniform(g, GLIA_F64, SHAPE(40000), -1, 3, 1);
  const glia_value n = glia_random_normal(g, GLIA_F64, SHAPE(40000), 5, 2, 1);
  NEAR(size_of(glia_mean(u)), 1, 0.03);
  NEAR(size_of(glia_variance(u)), 16.0 / 12, 0.03);
  NEAR(size_of(glia_mean(n)), 5, 0.05);
  NEAR(size_of(glia_variance(n, .unbiased = true)), 4, 0.15);
  assert_true(size_of(u) <= 3);
}

/* ---- builders ------------------------------------------------------------------------ */

static void test_builders_resolve_their_arguments(void **state) {
  (void)state;
  const glia_value x = numbers(SHAPE(2, 3), (double[]){0, 1, 2, 3, 4, 5});
  glia_value parts[2];
  EXPECT(glia_reshape(x, SHAPE(-1, 2)), 0, 1, 2, 3, 4, 5);
  assert_int_equal(glia_value_dim(glia_reshape(x, SHAPE(3, -1)), 1), 2);
  assert_int_equal(glia_value_dim(glia_flatten(glia_reshape(x, SHAPE(1, 2, 3))), 1), 6);
  EXPECT(glia_slice(x, -1, -2, 99, 1), 1, 2, 4, 5);
  EXPECT(glia_slice(x, 1, 0, 3, 2), 0, 2, 3, 5);
  EXPECT(glia_transpose(x, 0, -1), 0, 3, 1, 4, 2, 5);
  EXPECT(glia_permute(x, (int[]){-1, 0}), 0, 3, 1, 4, 2, 5);
  EXPECT(glia_pad(x, (int64_t[]){0, 1}, (int64_t[]){0, 0}, 9), 9, 0, 1, 2, 9, 3, 4, 5);
  glia_split(x, 1, 2, (int64_t[]){1, 2}, parts);
  EXPECT(parts[0], 0, 3);
  EXPECT(parts[1], 1, 2, 4, 5);
  EXPECT(glia_concat(parts, 2, -1), 0, 1, 2, 3, 4, 5);
  EXPECT(glia_sum(x, .n = 1, .axes = {-1}), 3, 12);
  EXPECT(glia_one_hot(indices(SHAPE(2), (int64_t[]){2, 0}), 3, GLIA_F64), 0, 0, 1, 1, 0, 0);
  EXPECT(glia_range(g, 4, GLIA_I32), 0, 1, 2, 3);
  assert_int_equal(glia_permute(x, (int[]){0, 1}).id, x.id);
  assert_int_equal(glia_slice(x, 0, 0, 2, 1).id, x.id);
  assert_int_equal(glia_reshape(x, SHAPE(2, -1)).id, x.id);
}

/* A call on a fresh graph must latch this status, its message holding `text`. */
#define REFUSED(call, status, text)                                 \
  do {                                                              \
    glia_graph *keep = g;                                           \
    OK(glia_graph_new(&g));                                         \
    const glia_value x = glia_input(g, "x", GLIA_F32, SHAPE(2, 3)); \
    glia_value parts[2] = {x, x};                                   \
    (void)parts;                                                    \
    call;                                                           \
    FAILS(glia_graph_status(g), status, text);                      \
    glia_graph_free(g);                                             \
    g = keep;                                                       \
  } while (0)

static void test_builders_refuse_by_name(void **state) {
  (void)state;
  REFUSED(glia_reshape(x, SHAPE(-1, 4)), GLIA_SHAPE, "reshape: x is [2, 3]");
  REFUSED(glia_reshape(x, SHAPE(-1, -1)), GLIA_SHAPE, "reshape");
  REFUSED(glia_reshape(x, 9, (int64_t[9]){0}), GLIA_SHAPE, "reshape");
  REFUSED(glia_broadcast_to(x, -2, NULL), GLIA_SHAPE, "broadcast_to");
  REFUSED(glia_transpose(x, 0, 2), GLIA_SHAPE, "transpose: axis 2");
  REFUSED(glia_permute(x, ((int[]){0, 5})), GLIA_SHAPE, "permute");
  REFUSED(glia_slice(x, 2, 0, 1, 1), GLIA_SHAPE, "slice: axis 2");
  REFUSED(glia_slice(x, 0, 0, 1, 0), GLIA_INVALID, "slice: step");
  REFUSED(glia_split(x, 1, 2, NULL, parts), GLIA_SHAPE, "split");
  REFUSED(glia_split(x, 1, 2, ((int64_t[]){-1, 4}), parts), GLIA_SHAPE, "split");
  REFUSED(glia_concat(parts, 2, 7), GLIA_SHAPE, "concat");
  REFUSED(glia_sum(x, .n = 2, .axes = {1, -1}), GLIA_SHAPE, "sum: axis -1 is listed twice");
  REFUSED(glia_sum(x, .n = 1, .axes = {2}), GLIA_SHAPE, "sum: axis 2 is out of range");
  REFUSED(glia_softmax(x, 5), GLIA_SHAPE, "softmax: axis 5");
  REFUSED(glia_sum_to(x, glia_flatten(glia_reshape(x, SHAPE(6, 1)))), GLIA_SHAPE, "sum_to");
  REFUSED(glia_global_avg_pool2d(x), GLIA_SHAPE, "global_avg_pool2d");
  REFUSED(glia_max_pool2d(glia_reshape(x, SHAPE(1, 1, 2, 3))), GLIA_INVALID,
          "max_pool2d: kernel");
  REFUSED(glia_flatten(glia_sum(x)), GLIA_SHAPE, "flatten");
  REFUSED(glia_clip(x, 1, 0), GLIA_INVALID, "clip: low is 1");
  REFUSED(glia_random_normal(g, GLIA_F32, 9, NULL, 0, 1, 0), GLIA_SHAPE, "random_normal");
  REFUSED(glia_add(x, glia_cast(x, GLIA_F64)), GLIA_DTYPE,
          "add: inputs are f32 [2, 3] and f64");
}

/* ---- failures at run time ------------------------------------------------------------ */

static void test_bad_indices_are_reported_with_their_position(void **state) {
  (void)state;
  glia_tensor *t = NULL;
  const glia_value x = noise(SHAPE(5, 3), 1);
  const glia_value high = indices(SHAPE(3), (int64_t[]){1, 5, 0});
  const glia_value low = indices(SHAPE(2, 3), (int64_t[]){0, 0, 0, 0, -1, 0});
  FAILS(glia_eval(glia_gather(x, high, 0), &t), GLIA_INVALID, "index 5 at position 1");
  FAILS(glia_eval(glia_take_along(x, low, 0), &t), GLIA_INVALID, "index -1 at position 4");
  FAILS(glia_eval(glia_scatter_add(noise(SHAPE(3, 2), 2), high, 0, 5), &t), GLIA_INVALID,
        "scatter_add: index 5");
  FAILS(glia_eval(glia_put_along(noise(SHAPE(2, 3), 3), low, 0, 9), &t), GLIA_INVALID,
        "put_along: index -1");
  FAILS(glia_eval(glia_one_hot(high, 5, GLIA_F32), &t), GLIA_INVALID, "one_hot: index 5");
}

int main(void) {
#define PROPERTY(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      PROPERTY(test_nan_passes_through),
      PROPERTY(test_nothing_overflows_in_between),
      PROPERTY(test_casts_saturate_and_truncate),
      PROPERTY(test_round_halves_to_even),
      PROPERTY(test_ties_share_the_gradient),
      PROPERTY(test_gradients_at_kinks_are_as_documented),
      PROPERTY(test_products_of_zeros_have_gradients),
      PROPERTY(test_powers_of_zero),
      PROPERTY(test_gradients_stop_where_told),
      PROPERTY(test_vjp_is_linear_in_the_cotangent),
      PROPERTY(test_softmax_sums_to_one_and_ignores_shifts),
      PROPERTY(test_batch_norm_gives_mean_0_and_variance_1),
      PROPERTY(test_transposes_are_adjoint),
      PROPERTY(test_one_by_one_convolution_is_a_product),
      PROPERTY(test_pooling_to_one_cell_is_a_reduction),
      PROPERTY(test_rounding_the_size_up),
      PROPERTY(test_transposed_operands_give_the_same_product),
      PROPERTY(test_dropout_keeps_the_mean_and_its_mask),
      PROPERTY(test_random_numbers_have_their_moments),
      PROPERTY(test_builders_resolve_their_arguments),
      PROPERTY(test_builders_refuse_by_name),
      PROPERTY(test_bad_indices_are_reported_with_their_position),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
