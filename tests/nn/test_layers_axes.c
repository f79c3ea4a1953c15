/* test_layers_axes.c - layers along one and three axes, by channel, and weights that are held
 * to a norm: names, shapes, values, as rows of .net files.
 */
#include "test.h"

#include "glia/glia.h"
#include "tensor/tensor.h"

typedef struct net {
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
} net;

static void trace(net *n, bool train) {
  glia_graph_free(n->g);
  n->g = NULL;
  OK(glia_graph_new(&n->g));
  n->s = glia_scope_new(
      n->g, n->store,
      &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = train, .seed = 1});
}
static net net_new(bool train) {
  net n = {.g = NULL};
  OK(glia_store_new(&n.store));
  trace(&n, train);
  return n;
}
static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

static void expect_shape(glia_value v, int rank, const int64_t *shape) {
  if (v.graph == NULL) fail_msg("%s", glia_error_message());
  assert_int_equal(glia_value_rank(v), rank);
  for (int d = 0; d < rank; d++) assert_int_equal(glia_value_dim(v, d), shape[d]);
}
#define EXPECT_SHAPE(v, ...)                                                 \
  expect_shape(v, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
               (const int64_t[]){__VA_ARGS__})

static void expect_stored(const net *n, const char *name, int rank, const int64_t *shape) {
  const glia_tensor *t = glia_store_get(n->store, name);
  if (t == NULL) fail_msg("the store has no %s", name);
  assert_int_equal(glia_tensor_rank(t), rank);
  for (int d = 0; d < rank; d++) assert_int_equal(glia_tensor_shape(t)[d], shape[d]);
}
#define STORED(n, name, ...)                                                        \
  expect_stored(n, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
                (const int64_t[]){__VA_ARGS__})

static glia_value input(const net *n, int rank, const int64_t *shape) {
  return glia_input(n->g, "x", GLIA_F32, rank, shape);
}

static void test_names_and_shapes(void **state) {
  (void)state;
  net n = net_new(true);
  const glia_value series = input(&n, 3, (const int64_t[]){2, 4, 9});
  EXPECT_SHAPE(glia_conv1d(n.s, "a", series, .filters = 6, .kernel = {3}, .stride = {2},
                           .groups = 2, .activation = "relu"),
               2, 6, 4);
  STORED(&n, "a.weight", 6, 2, 3);
  STORED(&n, "a.bias", 6);
  EXPECT_SHAPE(glia_conv1d(n.s, "b", series, .filters = 4, .kernel = {4}, .same = true,
                           .border = GLIA_BORDER_CIRCULAR, .no_bias = true),
               2, 4, 9);
  assert_null(glia_store_get(n.store, "b.bias"));
  EXPECT_SHAPE(glia_conv1d_transpose(n.s, "c", series, .filters = 2, .kernel = {3},
                                     .stride = {2}, .padding = {1}, .output_padding = {1}),
               2, 2, 18);
  STORED(&n, "c.weight", 4, 2, 3);
  const glia_value volume =
      glia_input(n.g, "volume", GLIA_F32, 5, (const int64_t[]){1, 3, 5, 6, 7});
  EXPECT_SHAPE(glia_conv3d(n.s, "d", volume, .filters = 2, .kernel = {3}), 1, 2, 3, 4, 5);
  STORED(&n, "d.weight", 2, 3, 3, 3, 3);
  EXPECT_SHAPE(glia_conv3d_transpose(n.s, "e", volume, .filters = 2, .kernel = {1, 2, 2},
                                     .stride = {1, 2, 2}),
               1, 2, 5, 12, 14);
  const glia_value image = glia_input(n.g, "image", GLIA_F32, 4, (const int64_t[]){2, 3, 8, 8});
  EXPECT_SHAPE(
      glia_depthwise_conv2d(n.s, "f", image, .filters = 2, .kernel = {3, 3}, .same = true), 2,
      6, 8, 8);
  STORED(&n, "f.weight", 6, 1, 3, 3);
  EXPECT_SHAPE(glia_separable_conv2d(n.s, "g", image, .filters = 5, .kernel = {3, 3}), 2, 5, 6,
               6);
  STORED(&n, "g.depthwise.weight", 3, 1, 3, 3);
  STORED(&n, "g.pointwise.weight", 5, 3, 1, 1);
  STORED(&n, "g.pointwise.bias", 5);
  assert_null(glia_store_get(n.store, "g.depthwise.bias"));
  EXPECT_SHAPE(glia_bilinear(n.s, "h", image, glia_slice(image, 3, 0, 5, 1), .units = 4), 2, 3,
               8, 4);
  STORED(&n, "h.weight", 4, 8, 5);
  STORED(&n, "h.bias", 4);
  net_free(&n);
}

/* The second layer "a" has the first one's weights. */
static void test_borders_of_images(void **state) {
  (void)state;
  const glia_border borders[] = {GLIA_BORDER_REFLECT, GLIA_BORDER_REPLICATE,
                                 GLIA_BORDER_CIRCULAR};
  const glia_pad_mode modes[] = {GLIA_PAD_REFLECT, GLIA_PAD_REPLICATE, GLIA_PAD_CIRCULAR};
  const int64_t around[] = {0, 0, 2, 1};
  for (int i = 0; i < 3; i++) {
    net n = net_new(false);
    glia_tensor *most = NULL;
    const glia_value x =
        glia_random_normal(n.g, GLIA_F32, 4, (const int64_t[]){1, 2, 6, 5}, 0, 1, 3);
    const glia_value y = glia_conv2d(n.s, "a", x, .filters = 3, .kernel = {3, 3},
                                     .padding = {2, 1}, .stride = {2, 1}, .border = borders[i]);
    const glia_value z = glia_conv2d(n.s, "a", glia_pad_edge(x, around, around, modes[i]),
                                     .filters = 3, .kernel = {3, 3}, .stride = {2, 1});
    EXPECT_SHAPE(y, 1, 3, 4, 5);
    OK(glia_eval(glia_max(glia_abs(glia_sub(y, z))), &most));
    NEAR(glia_tensor_get(most, 0), 0, 1e-6);
    glia_tensor_free(most);
    net_free(&n);
  }
}

/* ---- as text ---------------------------------------------------------------------------- */

static void expect_net(const char *text, int rank, const int64_t *shape, int out_rank,
                       const int64_t *out) {
  net n = net_new(false);
  glia_net *layers = NULL;
  OK(glia_net_parse(text, "test.net", &layers));
  const glia_value y = glia_net_apply(n.s, input(&n, rank, shape), layers);
  OK(glia_graph_status(n.g));
  expect_shape(y, out_rank, out);
  glia_net_free(layers);
  net_free(&n);
}

static void test_as_text(void **state) {
  (void)state;
  const int64_t series[] = {2, 3, 16}, volume[] = {1, 2, 8, 8, 8}, image[] = {2, 3, 8, 8};
  expect_net("conv1d 8 3 relu same\nmax_pool1d 2\navg_pool1d 2 1\nglobal_avg_pool\n", 3, series,
             2, (const int64_t[]){2, 8});
  expect_net("conv1d 4 3 border=reflect padding=1\nadaptive_avg_pool1d 5\nmin_pool1d 2 1\n", 3,
             series, 3, (const int64_t[]){2, 4, 4});
  expect_net("conv1d_transpose 4 3 stride=2\nlp_pool1d 3 power=3\nadaptive_max_pool1d 4\n", 3,
             series, 3, (const int64_t[]){2, 4, 4});
  expect_net("conv3d 4 3 padding=1\nmax_pool3d 2\navg_pool3d 2\n", 5, volume, 5,
             (const int64_t[]){1, 4, 2, 2, 2});
  expect_net("conv3d_transpose 4 2 stride=2\nmin_pool3d 4\nadaptive_avg_pool3d 2\n", 5, volume,
             5, (const int64_t[]){1, 4, 2, 2, 2});
  expect_net("adaptive_max_pool3d 3\nglobal_max_pool\n", 5, volume, 2, (const int64_t[]){1, 2});
  expect_net("upsample 2 mode=linear\nlocal_response_norm 3\nprelu by_channel\n", 4, image, 4,
             (const int64_t[]){2, 3, 16, 16});
  expect_net("conv1d 8 1\nprelu\nupsample 1.5\n", 3, series, 3, (const int64_t[]){2, 8, 24});
  expect_net("conv2d 12 1x1\npixel_shuffle 2\n", 4, image, 4, (const int64_t[]){2, 3, 16, 16});
  expect_net("conv2d 5 3x3 relu border=circular padding=2\n", 4, image, 4,
             (const int64_t[]){2, 5, 10, 10});
  expect_net(
      "depthwise_conv2d 3x3 border=reflect padding=1\nseparable_conv2d 5 3 "
      "border=replicate padding=2\n",
      4, image, 4, (const int64_t[]){2, 5, 10, 10});
  expect_net("depthwise_conv2d 3x3 relu same\nseparable_conv2d 5 3 mish\nlp_pool2d 2\n", 4,
             image, 4, (const int64_t[]){2, 5, 3, 3});
}

/* ---- weights held to a norm ------------------------------------------------------------- */

static const int64_t rows[] = {3, 5};
static const double numbers[] = {0.3, -1, 2, 0.7, 0.1, 1, 1, -2, 0.2, 0.9, 0, 3, -1, 0.4, -0.6};

static glia_value data(const net *n) {
  return glia_cast(glia_constant(n->g, GLIA_F64, 2, rows, numbers), GLIA_F32);
}

/* Runs a step that gives y; owned. */
static glia_tensor *step(net *n, glia_value y) {
  glia_plan *p = NULL;
  glia_tensor *t = NULL;
  glia_output("y", y);
  OK(glia_graph_status(n->g));
  OK(glia_compile(n->g, &p, .backend = "ref"));
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "y"), &t));
  glia_plan_free(p);
  return t;
}

/* At first the weight is weight_v; doubling weight_g doubles it, and doubling weight_v does
 * nothing. */
static void test_weight_norm(void **state) {
  (void)state;
  for (int axis = -1; axis < 2; axis++) {
    net n = net_new(true);
    glia_tensor *first = step(&n, glia_dense(glia_scope_weight_norm(n.s, axis), "fc", data(&n),
                                             .units = 4, .no_bias = true));
    glia_tensor *v = glia_store_get(n.store, "fc.weight_v"),
                *g = glia_store_get(n.store, "fc.weight_g");
    assert_non_null(v);
    assert_non_null(g);
    assert_null(glia_store_get(n.store, "fc.weight"));
    assert_int_equal(glia_tensor_rank(g), axis < 0 ? 0 : 2);
    assert_int_equal(glia_tensor_count(g), axis < 0 ? 1 : axis == 0 ? 4 : 5);
    for (int i = 0; i < 12; i++) {
      double sum = 0;
      for (int k = 0; k < 5; k++)
        sum += numbers[i / 4 * 5 + k] * glia_tensor_get(v, i % 4 * 5 + k);
      NEAR(glia_tensor_get(first, i), sum, 1e-5);
    }
    for (int64_t i = 0; i < glia_tensor_count(v); i++)
      glia_tensor_set(v, i, 2 * glia_tensor_get(v, i));
    for (int64_t i = 0; i < glia_tensor_count(g); i++)
      glia_tensor_set(g, i, 3 * glia_tensor_get(g, i));
    trace(&n, false);
    glia_tensor *second = step(&n, glia_dense(glia_scope_weight_norm(n.s, axis), "fc", data(&n),
                                              .units = 4, .no_bias = true));
    for (int i = 0; i < 12; i++)
      NEAR(glia_tensor_get(second, i), 3 * glia_tensor_get(first, i), 1e-5);
    glia_tensor_free(first);
    glia_tensor_free(second);
    net_free(&n);
  }
}

/* The largest of |W x| / |x|, by many power iterations. */
static double largest_singular(const double *w, int m, int k) {
  double v[16], u[16], sigma = 0;
  for (int j = 0; j < k; j++) v[j] = 1 + 0.1 * j;
  for (int i = 0; i < 500; i++) {
    double square = 0;
    for (int r = 0; r < m; r++) {
      u[r] = 0;
      for (int j = 0; j < k; j++) u[r] += w[r * k + j] * v[j];
    }
    for (int j = 0; j < k; j++) {
      v[j] = 0;
      for (int r = 0; r < m; r++) v[j] += w[r * k + j] * u[r];
      square += v[j] * v[j];
    }
    for (int j = 0; j < k; j++) v[j] /= sqrt(square);
    sigma = sqrt(sqrt(square)); /* |W^T W v| is sigma^2 */
  }
  return sigma;
}

/* Each training step brings the weight nearer to the largest singular value 1, a layer that is
 * used twice as well; prediction leaves the vectors alone. */
static void test_spectral_norm(void **state) {
  (void)state;
  net n = net_new(true);
  double w[20], orig[20];
  for (int i = 0; i < 60; i++) {
    if (i > 0) trace(&n, true);
    glia_scope *s = glia_scope_spectral_norm(n.s, 0, 0);
    const glia_value y = glia_dense(s, "fc", data(&n), .units = 4, .no_bias = true);
    glia_tensor_free(
        step(&n, glia_add(y, glia_dense(s, "fc", data(&n), .units = 4, .no_bias = true))));
  }
  const glia_tensor *stored = glia_store_get(n.store, "fc.weight_orig");
  assert_non_null(stored);
  for (int i = 0; i < 20; i++) orig[i] = glia_tensor_get(stored, i);
  glia_tensor *u = NULL;
  OK(glia_tensor_copy(glia_store_get(n.store, "fc.weight_u"), &u));
  trace(&n, false);
  glia_scope *s = glia_scope_spectral_norm(n.s, 0, 0);
  const int64_t five[] = {5, 5};
  double unit[25] = {0};
  for (int i = 0; i < 5; i++) unit[i * 6] = 1;
  const glia_value eye = glia_cast(glia_constant(n.g, GLIA_F64, 2, five, unit), GLIA_F32);
  glia_tensor *t = step(&n, glia_dense(s, "fc", eye, .units = 4, .no_bias = true));
  for (int i = 0; i < 20; i++) w[i % 4 * 5 + i / 4] = glia_tensor_get(t, i);
  NEAR(largest_singular(w, 4, 5), 1, 1e-4);
  const double sigma = largest_singular(orig, 4, 5);
  for (int i = 0; i < 20; i++) NEAR(w[i], orig[i] / sigma, 1e-4);
  for (int i = 0; i < 4; i++)
    NEAR(glia_tensor_get(glia_store_get(n.store, "fc.weight_u"), i), glia_tensor_get(u, i), 0);
  glia_tensor_free(t);
  glia_tensor_free(u);
  net_free(&n);
}

/* The gradient reaches what the weight is made of, through convolutions too. */
static void test_gradients_reach_the_parts(void **state) {
  (void)state;
  net n = net_new(true);
  const glia_value x = input(&n, 3, (const int64_t[]){2, 4, 9});
  const glia_value y = glia_conv1d(
      glia_scope_weight_norm(n.s, 0), "a",
      glia_conv1d(glia_scope_spectral_norm(n.s, 0, 2), "b", x, .filters = 3, .kernel = {3}),
      .filters = 2, .kernel = {3});
  STORED(&n, "a.weight_g", 2, 1, 1);
  STORED(&n, "a.weight_v", 2, 3, 3);
  STORED(&n, "b.weight_orig", 3, 4, 3);
  STORED(&n, "b.weight_u", 3);
  STORED(&n, "b.weight_v", 12);
  glia_minimize(n.s, glia_sum(glia_square(y)), &glia_sgd(.lr = 0.1));
  OK(glia_graph_status(n.g));
  glia_plan *p = NULL;
  OK(glia_compile(n.g, &p));
  glia_plan_free(p);
  net_free(&n);
}

/* ---- dropout ---------------------------------------------------------------------------- */

enum { SAMPLES = 40, CHANNELS = 25, CELLS = 6 };
static const int64_t cells[] = {SAMPLES, CHANNELS, CELLS};

static glia_value ones(const net *n) {
  return glia_broadcast_to(glia_scalar(n->g, GLIA_F32, 1), 3, cells);
}

/* What falls away falls away for `group` elements together, in about the share asked for; the
 * rest is scaled. */
static void expect_dropped(glia_tensor *t, int64_t group, double rate) {
  int64_t zero = 0;
  const int64_t groups = glia_tensor_count(t) / group;
  for (int64_t g = 0; g < groups; g++) {
    const double first = glia_tensor_get(t, g * group);
    for (int64_t i = 1; i < group; i++) NEAR(glia_tensor_get(t, g * group + i), first, 0);
    if (first != 0) NEAR(first, 1 / (1 - rate), 1e-6);
    zero += first == 0;
  }
  NEAR((double)zero / (double)groups, rate, 3 * sqrt(rate * (1 - rate) / (double)groups));
  glia_tensor_free(t);
}

static void test_dropout_of_groups(void **state) {
  (void)state;
  net n = net_new(true);
  expect_dropped(step(&n, glia_spatial_dropout(n.s, "d", ones(&n), 0.3)), CELLS, 0.3);
  trace(&n, true);
  expect_dropped(step(&n, glia_drop_path(n.s, "d", ones(&n), 0.4)), CHANNELS * CELLS, 0.4);
  trace(&n, false);
  const glia_value x = ones(&n);
  assert_int_equal(glia_spatial_dropout(n.s, "d", x, 0.3).id, x.id);
  assert_int_equal(glia_drop_path(n.s, "d", x, 0.3).id, x.id);
  assert_int_equal(glia_alpha_dropout(n.s, "d", x, 0.3).id, x.id);
  assert_null(glia_spatial_dropout(n.s, "d", x, 1).graph);
  assert_int_equal(glia_graph_status(n.g), GLIA_INVALID);
  net_free(&n);
}

/* Mean 0 and variance 1 stay; dropped elements are all the same. */
static void test_alpha_dropout(void **state) {
  (void)state;
  net n = net_new(true);
  const int64_t many[] = {20000};
  const glia_value x = glia_random_normal(n.g, GLIA_F32, 1, many, 0, 1, 9);
  glia_tensor *t = step(&n, glia_alpha_dropout(n.s, "d", x, 0.25));
  double mean = 0, square = 0, low = 0;
  int lowest = 0;
  for (int i = 0; i < 20000; i++) {
    const double v = glia_tensor_get(t, i);
    mean += v / 20000;
    square += v * v / 20000;
    low = fmin(low, v);
  }
  const double l = 1.7580993408473766, a = 1 / sqrt(0.75 * (1 + 0.25 * l * l));
  for (int i = 0; i < 20000; i++)
    lowest += fabs(glia_tensor_get(t, i) - a * l * (0.25 - 1)) < 1e-5;
  NEAR(mean, 0, 0.03);
  NEAR(square - mean * mean, 1, 0.04);
  NEAR((double)lowest / 20000, 0.25, 0.01);
  glia_tensor_free(t);
  net_free(&n);
}

/* Weights fall away in training alone; the parameter keeps its name. */
static void test_drop_connect(void **state) {
  (void)state;
  net n = net_new(true);
  const int64_t shape[] = {1, 30};
  const glia_value x = glia_broadcast_to(glia_scalar(n.g, GLIA_F32, 1), 2, shape);
  glia_scope *s = glia_scope_drop_connect(n.s, 0.5);
  glia_tensor_free(
      step(&n, glia_dense(s, "fc", x, .units = 40, .no_bias = true, .init = GLIA_INIT_ONES)));
  STORED(&n, "fc.weight", 40, 30);
  trace(&n, true);
  s = glia_scope_drop_connect(n.s, 0.5);
  const glia_value again = glia_broadcast_to(glia_scalar(n.g, GLIA_F32, 1), 2, shape);
  glia_tensor *t = step(&n, glia_dense(s, "fc", again, .units = 40, .no_bias = true));
  double mean = 0, square = 0;
  for (int i = 0; i < 40; i++) {
    mean += glia_tensor_get(t, i) / 40;
    square += glia_tensor_get(t, i) * glia_tensor_get(t, i) / 40;
  }
  NEAR(mean, 30, 3); /* 2 Binomial(30, 1/2): deviation 5.5 */
  assert_true(square - mean * mean > 10);
  glia_tensor_free(t);
  trace(&n, false);
  s = glia_scope_drop_connect(n.s, 0.5);
  const glia_value once = glia_broadcast_to(glia_scalar(n.g, GLIA_F32, 1), 2, shape);
  t = step(&n, glia_dense(s, "fc", once, .units = 40, .no_bias = true));
  for (int i = 0; i < 40; i++) NEAR(glia_tensor_get(t, i), 30, 1e-5);
  glia_tensor_free(t);
  net_free(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_and_shapes),
      cmocka_unit_test(test_borders_of_images),
      cmocka_unit_test(test_as_text),
      cmocka_unit_test(test_weight_norm),
      cmocka_unit_test(test_spectral_norm),
      cmocka_unit_test(test_gradients_reach_the_parts),
      cmocka_unit_test(test_dropout_of_groups),
      cmocka_unit_test(test_alpha_dropout),
      cmocka_unit_test(test_drop_connect),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
