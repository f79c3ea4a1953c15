/* The graph itself: sources, latched failures and their paths, equal nodes in large graphs,
 * printing, and gradients in odd places.
 */
#include "test.h"

#include "glia/glia.h"
#include "graph/graph.h"

static const int64_t s23[] = {2, 3};

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

/* ---- sources ----------------------------------------------------------------------------- */

static void test_sources(void **state) {
  (void)state;
  glia_graph *g = graph();
  const float data[] = {1, 2, 3, 4, 5, 6};
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, s23);
  const glia_value c = glia_constant(g, GLIA_F32, 2, s23, data);
  assert_int_equal(glia_constant(g, GLIA_F32, 2, s23, data).id, c.id);
  assert_int_not_equal(glia_constant(g, GLIA_F32, 2, (int64_t[]){3, 2}, data).id, c.id);
  assert_int_equal(glia_scalar(g, GLIA_F32, 2).id, glia_scalar_like(x, 2).id);
  assert_int_not_equal(glia_scalar(g, GLIA_F64, 2).id, glia_scalar_like(x, 2).id);
  const glia_value f = glia_full_like(x, 4);
  assert_int_equal(glia_value_rank(f), 2);
  double v = 0;
  assert_true(gi_constant_scalar(f, &v) && v == 4);
  assert_false(gi_constant_scalar(c, &v));
  assert_false(gi_constant_scalar(x, &v));
  assert_false(gi_constant_scalar(GLIA_NONE, &v));
  assert_int_equal(glia_value_dim(x, -1), 3);
  assert_int_equal(glia_value_dim(x, 2), 0);
  OK(glia_graph_status(g));
  glia_graph_free(g);
}

static void test_sources_refused(void **state) {
  static const int64_t huge[] = {INT64_MAX / 2, 4}, negative[] = {2, -3},
                       nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  (void)state;
  glia_graph *g = graph();
  glia_input(g, "x", GLIA_F32, 2, s23);
  assert_null(glia_input(g, "x", GLIA_F32, 2, s23).graph);
  FAILS(glia_graph_status(g), GLIA_INVALID, "input \"x\": there is one of this name");
  glia_graph_free(g);
  for (int i = 0; i < 6; i++) {
    g = graph();
    const int rank = i % 3 == 2 ? 9 : 2;
    const int64_t *shape = i % 3 == 0 ? huge : i % 3 == 1 ? negative : nine;
    const double one = 1;
    if (i < 3)
      glia_input(g, "image", GLIA_F32, rank, shape);
    else
      glia_constant(g, GLIA_F64, rank, shape, &one);
    FAILS(glia_graph_status(g), GLIA_SHAPE, i < 3 ? "image" : "constant");
    glia_graph_free(g);
  }
  assert_null(glia_input(NULL, "x", GLIA_F32, 0, NULL).graph);
  assert_null(glia_scalar_like(GLIA_NONE, 1).graph);
}

static void test_the_null_value(void **state) {
  (void)state;
  assert_int_equal(glia_value_rank(GLIA_NONE), -1);
  assert_int_equal(glia_value_dtype(GLIA_NONE), GLIA_F32);
  assert_int_equal(glia_value_dim(GLIA_NONE, 0), 0);
  assert_non_null(glia_value_shape(GLIA_NONE));
  assert_null(glia_output("y", GLIA_NONE).graph);
  assert_null(glia_relu(GLIA_NONE).graph);
  OK(glia_graph_status(NULL));
  glia_graph_free(NULL);
  glia_assign(GLIA_NONE, GLIA_NONE);
}

/* ---- failures ---------------------------------------------------------------------------- */

static void test_graphs_do_not_mix(void **state) {
  (void)state;
  glia_graph *g = graph(), *h = graph();
  const glia_value a = glia_input(g, "a", GLIA_F32, 2, s23),
                   b = glia_input(h, "b", GLIA_F32, 2, s23);
  assert_null(glia_add(a, b).graph);
  FAILS(glia_graph_status(g), GLIA_INVALID, "add: input 1 belongs to another graph");
  glia_value d;
  const glia_value loss = glia_sum(b);
  FAILS(glia_grad(loss, &a, 1, &d), GLIA_INVALID,
        "gradient: value 0 is null or of another graph");
  FAILS(glia_grad(GLIA_NONE, &a, 1, &d), GLIA_INVALID, "the loss is the null value");
  glia_graph_free(g);
  g = graph();
  const glia_value c = glia_input(g, "c", GLIA_F32, 2, s23);
  assert_null(glia_add(c, GLIA_NONE).graph); /* a null that no failure explains */
  FAILS(glia_graph_status(g), GLIA_INVALID, "add: input 1 is the null value");
  glia_graph_free(g);
  glia_graph_free(h);
}

/* The message begins with the scope's path; later failures do not change it. */
static void test_messages_name_the_scope(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_in(glia_scope_in(glia_scope_new(g, store, NULL), "layer2"), "0");
  const glia_value x = glia_input(g, "x", GLIA_F32, 4, (const int64_t[]){64, 1, 28, 28});
  const glia_value y = glia_conv2d(s, "conv1", x, .filters = 8, .kernel = {29, 29});
  assert_null(y.graph);
  assert_null(glia_dense(s, "fc", y, .units = 3).graph);
  glia_matmul(x, glia_scalar_like(x, 1));
  FAILS(glia_graph_status(g), GLIA_SHAPE, "layer2.0.conv1: conv2d: x is [64, 1, 28, 28]");
  assert_int_equal(strncmp(glia_error_message(), "layer2.0.conv1: ", 16), 0);
  gi_latched_where(g, "net.txt:%d", 3);
  FAILS(glia_graph_status(g), GLIA_SHAPE, "net.txt:3: layer2.0.conv1: conv2d");
  glia_graph_free(g);
  glia_store_free(store);
}

static void test_roots_refused(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, s23);
  glia_output("y", x);
  glia_output("z", x); /* one value under two names */
  OK(glia_graph_status(g));
  assert_null(glia_output("y", glia_exp(x)).graph);
  FAILS(glia_graph_status(g), GLIA_INVALID, "output \"y\": there is one of this name");
  glia_graph_free(g);
  g = graph();
  gi_variable(g, "w"); /* no store */
  FAILS(glia_graph_status(g), GLIA_MODEL, "variable w: the store has no tensor of this name");
  glia_graph_free(g);
}

/* ---- equal nodes ------------------------------------------------------------------------- */

/* Thousands of nodes, so that the table grows: each is found again. */
static void test_equal_nodes_are_found_again(void **state) {
  enum { N = 5000 };
  static uint32_t ids[N];
  (void)state;
  glia_graph *g = graph();
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, s23);
  for (int i = 0; i < N; i++) ids[i] = glia_leaky_relu(x, i * 0.5).id;
  const size_t nodes = g->nodes.n;
  for (int i = 0; i < N; i++) assert_int_equal(glia_leaky_relu(x, i * 0.5).id, ids[i]);
  assert_int_equal(g->nodes.n, nodes);
  assert_int_equal(nodes, N + 1);
  OK(glia_graph_status(g));
  glia_graph_free(g);
}

/* ---- printing ---------------------------------------------------------------------------- */

static void test_text(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, s23);
  const glia_value y =
      glia_dense(s, "fc", x, .units = 1, .no_bias = true, .activation = "relu");
  glia_output("y", glia_mean(y, .n = 1, .axes = {0}));
  glia_assign(gi_variable(g, "fc.weight"), glia_neg(gi_variable(g, "fc.weight")));
  OK(glia_graph_status(g));
  char *text = glia_graph_text(g);
  assert_string_equal(
      text,
      "%0 = input() name=\"x\" type=f32 [2, 3] : f32 [2, 3]\n"
      "%1 = variable() name=\"fc.weight\" type=f32 [1, 3] : f32 [1, 3]    # fc\n"
      "%2 = matmul(%0, %1) transpose_a=false transpose_b=true : f32 [2, 1]    # fc\n"
      "%3 = relu(%2)  : f32 [2, 1]    # fc\n"
      "%4 = mean(%3) axes=[0] keep=false : f32 [1]\n"
      "%5 = neg(%1)  : f32 [1, 3]\n"
      "output y = %4\n"
      "assign %1 := %5\n");
  free(text);
  glia_graph_free(g);
  g = graph();
  text = glia_graph_text(g);
  assert_string_equal(text, "");
  free(text);
  glia_graph_free(g);
  glia_store_free(store);
}

/* ---- layouts ----------------------------------------------------------------------------- */

static void test_strides_of_layouts(void **state) {
  (void)state;
  int64_t st[GLIA_MAX_RANK];
  const gi_type image = {.dtype = GLIA_F32, .rank = 4, .dim = {2, 3, 4, 5}};
  const gi_type row = {.dtype = GLIA_F32, .rank = 2, .dim = {4, 5}};
  gi_layout_strides(&image, GI_PLAIN, st);
  assert_true(st[0] == 60 && st[1] == 20 && st[2] == 5 && st[3] == 1);
  gi_layout_strides(&image, GI_CHANNELS_LAST, st);
  assert_true(st[0] == 60 && st[1] == 1 && st[2] == 15 && st[3] == 3);
  gi_layout_strides(&row, GI_CHANNELS_LAST, st);
  assert_true(st[0] == 5 && st[1] == 1);
  assert_string_equal(gi_layout_name(GI_PLAIN), "plain");
}

/* ---- gradients in odd places ------------------------------------------------------------- */

static double value_of(glia_value v, int64_t i) {
  glia_tensor *t = NULL;
  OK(glia_eval(v, &t));
  const double x = glia_tensor_get(t, i);
  glia_tensor_free(t);
  return x;
}

static void test_gradient_of_itself(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = glia_scalar(g, GLIA_F64, 3), y = glia_square(x);
  glia_value d[3];
  OK(glia_grad(y, (glia_value[]){y, x, x}, 3, d)); /* and the same value twice */
  NEAR(value_of(d[0], 0), 1, 0);
  NEAR(value_of(d[1], 0), 6, 0);
  NEAR(value_of(d[2], 0), 6, 0);
  glia_graph_free(g);
}

/* In the middle of a graph: how much the loss changes with an inner value, all ways together.
 */
static void test_gradient_in_inner_values(void **state) {
  (void)state;
  glia_graph *g = graph();
  const double data[] = {1, 2};
  const glia_value x = glia_constant(g, GLIA_F64, 1, (int64_t[]){2}, data);
  const glia_value h = glia_exp(x), k = glia_mul(h, x);
  const glia_value loss = glia_sum(glia_add(k, glia_mul(h, h)));
  glia_value d[2];
  OK(glia_grad(loss, (glia_value[]){h, k}, 2, d));
  NEAR(value_of(d[0], 1), 2 + 2 * exp(2), 1e-12); /* through k and h h */
  NEAR(value_of(d[1], 1), 1, 0);
  glia_graph_free(g);
}

/* Integers have no gradient: none is made by rounding a float's. */
static void test_no_gradient_in_integers(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value i = glia_input(g, "i", GLIA_I64, 1, (int64_t[]){2});
  const glia_value x = glia_input(g, "x", GLIA_F32, 1, (int64_t[]){2});
  glia_value d;
  FAILS(glia_grad(glia_sum(glia_mul(glia_cast(i, GLIA_F32), x)), &i, 1, &d), GLIA_MODEL,
        "the loss does not depend on i");
  OK(glia_grad(glia_sum(glia_mul(glia_cast(i, GLIA_F32), x)), &x, 1, &d));
  FAILS(glia_grad(glia_sum(i), &x, 1, &d), GLIA_SHAPE, "the loss is i64 [], wanted one float");
  glia_graph_free(g);
}

static void test_stopped_gradients(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = glia_scalar(g, GLIA_F64, 3);
  glia_value d;
  OK(glia_grad(glia_mul(x, glia_stop_gradient(x)), &x, 1, &d));
  NEAR(value_of(d, 0), 3, 0);
  FAILS(glia_grad(glia_stop_gradient(x), &x, 1, &d), GLIA_MODEL,
        "stop_gradient (it is there to");
  glia_graph_free(g);
}

/* Through ops written in plainer ones, twice. */
static void test_gradients_through_lowerings(void **state) {
  (void)state;
  glia_graph *g = graph();
  const double data[] = {2, 3, 5};
  const glia_value x = glia_constant(g, GLIA_F64, 1, (int64_t[]){3}, data);
  glia_value d, dd;
  OK(glia_grad(glia_prod(x), &x, 1, &d));
  NEAR(value_of(d, 0), 15, 1e-12);
  NEAR(value_of(d, 2), 6, 1e-12);
  OK(glia_grad(glia_sum(glia_square(d)), &x, 1, &dd)); /* 225 + 100 + 36 */
  NEAR(value_of(dd, 0), 2 * (10 * 5 + 6 * 3), 1e-9);
  glia_graph_free(g);
}

/* The gradient's nodes carry the path of the layer that they are the gradient of. */
static void test_gradients_keep_their_layer(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_store *store = NULL;
  glia_value d;
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const glia_value y = glia_dense(s, "fc", glia_input(g, "x", GLIA_F32, 2, s23), .units = 4);
  const glia_value w = gi_variable(g, "fc.weight");
  OK(glia_grad(glia_sum(glia_exp(y)), &w, 1, &d));
  assert_string_equal(gi_node_of(d)->path, "fc");
  assert_string_equal(g->path, "");
  glia_graph_free(g);
  glia_store_free(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sources),
      cmocka_unit_test(test_sources_refused),
      cmocka_unit_test(test_the_null_value),
      cmocka_unit_test(test_graphs_do_not_mix),
      cmocka_unit_test(test_messages_name_the_scope),
      cmocka_unit_test(test_roots_refused),
      cmocka_unit_test(test_equal_nodes_are_found_again),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_strides_of_layouts),
      cmocka_unit_test(test_gradient_of_itself),
      cmocka_unit_test(test_gradient_in_inner_values),
      cmocka_unit_test(test_no_gradient_in_integers),
      cmocka_unit_test(test_stopped_gradients),
      cmocka_unit_test(test_gradients_through_lowerings),
      cmocka_unit_test(test_gradients_keep_their_layer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
