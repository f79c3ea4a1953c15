/* The graph: latched errors, common subexpressions, gradients and gradients of gradients. */
#include "test.h"

#include "glia/glia.h"
#include "graph/graph.h"

static double value_of(glia_value v) {
  glia_tensor *t = NULL;
  OK(glia_eval(v, &t));
  const double x = glia_tensor_get(t, 0);
  glia_tensor_free(t);
  return x;
}

static void test_gradients_of_gradients(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = glia_scalar(g, GLIA_F64, 0.7);
  const glia_value y =
      glia_mul(glia_sin(x), glia_exp(x)); /* y' = e^x (sin + cos), y'' = 2 e^x cos */
  glia_value d1, d2, d3;
  OK(glia_grad(y, &x, 1, &d1));
  OK(glia_grad(d1, &x, 1, &d2));
  OK(glia_grad(d2, &x, 1, &d3));
  NEAR(value_of(y), sin(0.7) * exp(0.7), 1e-12);
  NEAR(value_of(d1), exp(0.7) * (sin(0.7) + cos(0.7)), 1e-12);
  NEAR(value_of(d2), 2 * exp(0.7) * cos(0.7), 1e-12);
  NEAR(value_of(d3), 2 * exp(0.7) * (cos(0.7) - sin(0.7)), 1e-12);
  glia_graph_free(g);
}

static void test_equal_nodes_are_one(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const int64_t shape[] = {2, 3};
  const glia_value a = glia_input(g, "a", GLIA_F32, 2, shape);
  const glia_value b = glia_input(g, "b", GLIA_F32, 2, shape);
  assert_int_equal(glia_add(a, b).id, glia_add(b, a).id);
  assert_int_not_equal(glia_sub(a, b).id, glia_sub(b, a).id);
  assert_int_equal(glia_leaky_relu(a, 0.1).id, glia_leaky_relu(a, 0.1).id);
  assert_int_not_equal(glia_leaky_relu(a, 0.1).id, glia_leaky_relu(a, 0.2).id);
  glia_graph_free(g);
}

static void test_first_failure_latches(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const int64_t s23[] = {2, 3}, s45[] = {4, 5};
  const glia_value a = glia_input(g, "a", GLIA_F32, 2, s23);
  const glia_value b = glia_input(g, "b", GLIA_F32, 2, s45);
  const glia_value y = glia_relu(glia_exp(glia_matmul(a, b)));
  assert_null(y.graph);
  glia_add(a, glia_cast(b, GLIA_F64)); /* another failure: the first one stays */
  FAILS(glia_graph_status(g), GLIA_SHAPE, "matmul");
  FAILS(glia_graph_status(g), GLIA_SHAPE, "[2, 3]");
  FAILS(glia_graph_status(g), GLIA_SHAPE, "[4, 5]");
  glia_graph_free(g);
}

static void test_loss_without_dependence_is_an_error(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const int64_t shape[] = {3};
  const glia_value w = glia_input(g, "w", GLIA_F32, 1, shape);
  const glia_value x = glia_input(g, "x", GLIA_F32, 1, shape);
  glia_value d;
  FAILS(glia_grad(glia_sum(x), &w, 1, &d), GLIA_MODEL, "does not depend on w");
  const glia_value hard = glia_mean(glia_cast(glia_argmax(w, 0, true), GLIA_F32));
  FAILS(glia_grad(glia_sum(hard), &w, 1, &d), GLIA_MODEL, "argmax");
  FAILS(glia_grad(x, &w, 1, &d), GLIA_SHAPE, "glia_mean");
  glia_graph_free(g);
}

/* X=2, W1=3, W2=4, Y=20: h = 6, p = 24, L = (24 - 20)^2 = 16, dL/dW2 = 48, dL/dW1 = 64 */
static void test_two_layers_by_hand(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = glia_scalar(g, GLIA_F64, 2), w1 = glia_scalar(g, GLIA_F64, 3);
  const glia_value w2 = glia_scalar(g, GLIA_F64, 4), y = glia_scalar(g, GLIA_F64, 20);
  const glia_value loss = glia_square(glia_sub(glia_mul(glia_mul(x, w1), w2), y));
  glia_value d[2];
  OK(glia_grad(loss, (glia_value[]){w1, w2}, 2, d));
  NEAR(value_of(loss), 16, 0);
  NEAR(value_of(d[0]), 64, 0);
  NEAR(value_of(d[1]), 48, 0);
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients_of_gradients),
      cmocka_unit_test(test_equal_nodes_are_one),
      cmocka_unit_test(test_first_failure_latches),
      cmocka_unit_test(test_loss_without_dependence_is_an_error),
      cmocka_unit_test(test_two_layers_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
