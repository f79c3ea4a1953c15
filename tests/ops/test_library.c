/* test_library.c - of the ops that are made of others, and of chance: what is refused and in
 * whose words, indices that are out of range at run time, and what chance draws.
 */
#include "test.h"

#include "glia/glia.h"

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

static glia_value zeros(glia_graph *g, int rank, const int64_t *shape) {
  return glia_broadcast_to(glia_scalar(g, GLIA_F32, 0), rank, shape);
}
#define SHAPE(...) \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

static glia_value indices(glia_graph *g, int64_t n, const int64_t *at) {
  return glia_constant(g, GLIA_I64, 1, &n, at);
}
#define INDICES(g, ...)                                                     \
  indices(g, (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
          (const int64_t[]){__VA_ARGS__})

/* Owned. */
static glia_tensor *evaluated(glia_value v) {
  glia_tensor *t = NULL;
  OK(glia_eval(v, &t));
  return t;
}

/* ---- indices -------------------------------------------------------------------------- */

/* An index that is out of range is told with its value and its position. */
static void expect_out_of_range(glia_graph *g, glia_value v, const char *what) {
  glia_tensor *t = NULL;
  OK(glia_graph_status(g));
  FAILS(glia_eval(v, &t), GLIA_INVALID, what);
  assert_null(t);
  glia_graph_free(g);
}

static void test_indices_out_of_range(void **state) {
  (void)state;
  glia_graph *g = graph();
  expect_out_of_range(g,
                      glia_scatter(zeros(g, SHAPE(4)), INDICES(g, 0, 4, 9), zeros(g, SHAPE(3)),
                                   0, GLIA_SCATTER_SET),
                      "index 4 at position 1 is not in 0 .. 3");
  g = graph();
  expect_out_of_range(g,
                      glia_scatter(zeros(g, SHAPE(4)), INDICES(g, 0, -1), zeros(g, SHAPE(2)), 0,
                                   GLIA_SCATTER_ADD),
                      "index -1 at position 1");
  g = graph();
  expect_out_of_range(
      g,
      glia_gather_nd(zeros(g, SHAPE(2, 3)), glia_reshape(INDICES(g, 0, 2, 0, 3), SHAPE(2, 2))),
      "index 3 at position 1 is not in 0 .. 2 of axis 1");
  g = graph();
  expect_out_of_range(g,
                      glia_index_put(zeros(g, SHAPE(2, 3)), INDICES(g, 3),
                                     zeros(g, SHAPE(2, 1)), 1, GLIA_SCATTER_ADD),
                      "index 3 at position 0");
  g = graph();
  expect_out_of_range(
      g,
      glia_max_unpool(zeros(g, SHAPE(1, 2)), glia_reshape(INDICES(g, 0, 5), SHAPE(1, 2)), 1,
                      (const int64_t[]){4}),
      "index 5 at position 1");
  g = graph();
  const glia_value all = glia_cast(glia_full_like(zeros(g, SHAPE(3)), 1), GLIA_BOOL);
  expect_out_of_range(g, glia_masked_scatter(zeros(g, SHAPE(3)), all, zeros(g, SHAPE(2))),
                      "index 2 at position 2");
  g = graph();
  expect_out_of_range(g,
                      glia_roi_align(zeros(g, SHAPE(2, 1, 4, 4)), zeros(g, SHAPE(1, 4)),
                                     INDICES(g, 2), .height = 1, .width = 1),
                      "is not in 0 .. 31");
  g = graph();
  expect_out_of_range(g,
                      glia_roi_pool(zeros(g, SHAPE(2, 1, 4, 4)), zeros(g, SHAPE(2, 4)),
                                    INDICES(g, 1, 2), .height = 1, .width = 1),
                      "image 2 at position 1 is not in 0 .. 1");
  g = graph();
  expect_out_of_range(
      g,
      glia_roi_align(zeros(g, SHAPE(1, 1, 4, 4)), glia_full_like(zeros(g, SHAPE(1, 4)), 1e30),
                     INDICES(g, 0), .height = 1, .width = 1, .sampling = -1),
      "box 0 ends at 1e+30");
}

/* ---- refusals ------------------------------------------------------------------------- */

static void refused(glia_graph *g, glia_value v, glia_status status, const char *what) {
  assert_null(v.graph);
  assert_int_equal(glia_graph_status(g), status);
  if (strstr(glia_error_message(), what) == NULL)
    fail_msg("wanted a message about %s, got: %s", what, glia_error_message());
  glia_graph_free(g);
}
#define REFUSED(call, status, what) \
  do {                              \
    glia_graph *g = graph();        \
    refused(g, call, status, what); \
  } while (0)

static void test_windows_are_refused_by_name(void **state) {
  (void)state;
  REFUSED(glia_conv_with(zeros(g, SHAPE(1, 2, 3)), zeros(g, SHAPE(1, 2, 4)), GLIA_NONE),
          GLIA_SHAPE, "conv");
  REFUSED(glia_conv_with(zeros(g, SHAPE(1, 2, 3)), zeros(g, SHAPE(1, 3, 1)), GLIA_NONE),
          GLIA_SHAPE, "conv: x is [1, 2, 3], weight is [1, 3, 1]");
  REFUSED(glia_conv_with(zeros(g, SHAPE(2, 3)), zeros(g, SHAPE(1, 2, 1, 1, 1)), GLIA_NONE),
          GLIA_SHAPE, "conv");
  REFUSED(glia_conv_with(zeros(g, SHAPE(1, 2, 3)), zeros(g, SHAPE(1, 2, 1)), GLIA_NONE,
                         .stride = {-1}),
          GLIA_INVALID, "conv: stride is -1");
  REFUSED(glia_conv_with(zeros(g, SHAPE(1, 2, 3)), zeros(g, SHAPE(1, 2, 1)), GLIA_NONE,
                         .stride = {2}, .same = true),
          GLIA_INVALID, "same");
  REFUSED(glia_conv_with(zeros(g, SHAPE(1, 1, 3)), zeros(g, SHAPE(1, 1, 3)), GLIA_NONE,
                         .padding = {4}, .border = GLIA_BORDER_REFLECT),
          GLIA_SHAPE, "reflect");
  REFUSED(
      glia_conv_with(zeros(g, SHAPE(1, 1, 2, 2, 2)), zeros(g, SHAPE(1, 1, 3, 1, 1)), GLIA_NONE),
      GLIA_SHAPE, "spans 3 cells of axis 2");
  REFUSED(glia_conv_transpose_with(zeros(g, SHAPE(1, 1, 2)), zeros(g, SHAPE(1, 1, 2)),
                                   GLIA_NONE, .output_padding = {1}),
          GLIA_INVALID, "output_padding");
  REFUSED(
      glia_conv_transpose_with(zeros(g, SHAPE(1, 1, 1, 1, 1)), zeros(g, SHAPE(1, 1, 1, 1, 1)),
                               GLIA_NONE, .padding = {1, 0, 0}),
      GLIA_SHAPE, "nothing is left");
  REFUSED(glia_max_pool(zeros(g, SHAPE(1, 1, 4)), NULL, .axes = 4, .kernel = {2}), GLIA_SHAPE,
          "max_pool");
  REFUSED(glia_max_pool(zeros(g, SHAPE(1, 1, 4)), NULL, .axes = 1), GLIA_INVALID, "max_pool");
  REFUSED(glia_max_pool(zeros(g, SHAPE(1, 1, 4)), NULL, .kernel = {5}), GLIA_SHAPE,
          "max_pool2d");
  REFUSED(glia_avg_pool(zeros(g, SHAPE(1, 1, 4)), .kernel = {2}, .dilation = {2}), GLIA_INVALID,
          "avg_pool: dilation");
  REFUSED(glia_avg_pool(zeros(g, SHAPE(1, 1, 4)), .kernel = {5}, .divisor = 2), GLIA_SHAPE,
          "avg_pool2d");
  REFUSED(glia_lp_pool(zeros(g, SHAPE(1, 1, 4)), .kernel = {2}, .padding = {1}), GLIA_INVALID,
          "lp_pool");
  REFUSED(glia_adaptive_avg_pool(zeros(g, SHAPE(1, 1, 4)), 1, (const int64_t[]){-1}),
          GLIA_INVALID, "adaptive_avg_pool");
  REFUSED(glia_max_unpool(zeros(g, SHAPE(1, 2)), INDICES(g, 0, 1), 1, (const int64_t[]){4}),
          GLIA_SHAPE, "max_unpool");
  REFUSED(glia_unfold(zeros(g, SHAPE(1, 1, 2, 2)), .kernel = {3, 1}), GLIA_SHAPE, "unfold");
  REFUSED(glia_unfold(zeros(g, SHAPE(1, 2, 2)), .kernel = {1, 1}), GLIA_SHAPE, "unfold");
  REFUSED(glia_fold(zeros(g, SHAPE(1, 4, 3)), 3, 3, .kernel = {2, 2}), GLIA_SHAPE, "fold");
  REFUSED(glia_frames(zeros(g, SHAPE(3)), 0, 4, 1), GLIA_SHAPE, "frames");
  REFUSED(glia_overlap_add(zeros(g, SHAPE(3)), 0, 1), GLIA_SHAPE, "overlap_add");
}

static void test_places_are_refused_by_name(void **state) {
  (void)state;
  REFUSED(glia_top_k(zeros(g, SHAPE(3)), 4, 0, false, NULL), GLIA_SHAPE, "sort");
  REFUSED(glia_top_k(zeros(g, SHAPE(3)), -1, 0, false, NULL), GLIA_INVALID, "top_k");
  REFUSED(glia_sort(zeros(g, SHAPE(3)), 1, false, NULL), GLIA_SHAPE, "sort");
  REFUSED(glia_gather_nd(zeros(g, SHAPE(3)), glia_reshape(INDICES(g, 0, 1), SHAPE(1, 2))),
          GLIA_SHAPE, "gather_nd");
  REFUSED(glia_scatter_nd(zeros(g, SHAPE(3)), glia_reshape(INDICES(g, 0, 1), SHAPE(2, 1)),
                          zeros(g, SHAPE(3)), GLIA_SCATTER_ADD),
          GLIA_SHAPE, "scatter_nd");
  REFUSED(glia_index_put(zeros(g, SHAPE(3)), INDICES(g, 0), zeros(g, SHAPE(2)), 0,
                         GLIA_SCATTER_ADD),
          GLIA_SHAPE, "index_put");
  REFUSED(glia_masked_select(zeros(g, SHAPE(3)), zeros(g, SHAPE(3)), NULL), GLIA_DTYPE,
          "masked_select");
  REFUSED(glia_masked_scatter(zeros(g, SHAPE(3)), zeros(g, SHAPE(3)), zeros(g, SHAPE(3))),
          GLIA_SHAPE, "masked_scatter");
  REFUSED(glia_arange(g, 0, 1, 0, GLIA_F32), GLIA_INVALID, "arange");
  REFUSED(glia_linspace(g, 0, 1, -1, GLIA_F32), GLIA_INVALID, "linspace");
  REFUSED(glia_expand(zeros(g, SHAPE(3)), SHAPE(-1, 3)), GLIA_SHAPE, "expand");
  REFUSED(glia_channel_shuffle(zeros(g, SHAPE(1, 3, 2)), 2), GLIA_SHAPE, "channel_shuffle");
  REFUSED(glia_stft(zeros(g, SHAPE(20)), GLIA_NONE), GLIA_INVALID, "stft");
  REFUSED(glia_stft(zeros(g, SHAPE(20)), zeros(g, SHAPE(9)), .n_fft = 8), GLIA_SHAPE,
          "stft: the window");
  REFUSED(glia_istft(zeros(g, SHAPE(4, 3, 2)), GLIA_NONE, .n_fft = 8), GLIA_SHAPE, "istft");
  REFUSED(glia_mel_filters(g, 5, GLIA_F32), GLIA_INVALID, "mel_filters");
  REFUSED(glia_box_iou(zeros(g, SHAPE(2, 4)), zeros(g, SHAPE(2, 5))), GLIA_SHAPE, "box_iou");
  REFUSED(glia_roi_align(zeros(g, SHAPE(1, 1, 4, 4)), zeros(g, SHAPE(1, 4)), INDICES(g, 0)),
          GLIA_INVALID, "roi_align");
  REFUSED(glia_roi_pool(zeros(g, SHAPE(1, 1, 4, 4)), zeros(g, SHAPE(1, 4)), INDICES(g, 0),
                        .height = 1, .width = 1, .sampling = 2),
          GLIA_INVALID, "roi_pool");
  REFUSED(glia_random_exponential(g, GLIA_F32, SHAPE(3), 0, 1), GLIA_INVALID,
          "random_exponential");
  REFUSED(glia_categorical(zeros(g, SHAPE(3)), 4, false, 1), GLIA_SHAPE, "categorical");
}

/* ---- what fits in no golden file ------------------------------------------------------ */

static void expect(glia_value v, int n, const double *want) {
  glia_tensor *t = evaluated(v);
  assert_int_equal(glia_tensor_count(t), n);
  for (int i = 0; i < n; i++) NEAR(glia_tensor_get(t, i), want[i], 1e-6);
  glia_tensor_free(t);
}
#define EXPECT(v, ...)                                               \
  expect(v, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), \
         (const double[]){__VA_ARGS__})

static void test_small_things(void **state) {
  (void)state;
  glia_graph *g = graph();
  EXPECT(glia_arange(g, 1, 2, 0.4, GLIA_F32), 1, 1.4, 1.8);
  EXPECT(glia_arange(g, 3, 0, -1, GLIA_I64), 3, 2, 1);
  EXPECT(glia_linspace(g, -1, 1, 5, GLIA_F64), -1, -0.5, 0, 0.5, 1);
  EXPECT(glia_linspace(g, 7, 9, 1, GLIA_F32), 7);
  EXPECT(glia_expand(glia_reshape(glia_arange(g, 0, 2, 1, GLIA_F32), SHAPE(2, 1)),
                     SHAPE(2, -1, 2)),
         0, 0, 1, 1, 0, 0, 1, 1);
  const double x[] = {3, NAN, -1, 3, 0};
  const int64_t n = 5;
  const glia_value v = glia_constant(g, GLIA_F64, 1, &n, x);
  EXPECT(glia_argsort(v, 0, false), 2, 4, 0, 3, 1);
  EXPECT(glia_argsort(v, 0, true), 1, 0, 3, 4, 2);
  EXPECT(glia_argsort(glia_cast(v, GLIA_F32), 0, true), 1, 0, 3, 4, 2);
  glia_value index;
  glia_top_k(glia_cast(v, GLIA_F32), 2, 0, true, &index);
  EXPECT(index, 2, 4);
  EXPECT(glia_taper_window(g, GLIA_TAPER_HANN, 4, false, GLIA_F64), 0, 0.5, 1, 0.5);
  EXPECT(glia_taper_window(g, GLIA_TAPER_HANN, 3, true, GLIA_F32), 0, 1, 0);
  EXPECT(glia_taper_window(g, GLIA_TAPER_BLACKMAN, 1, true, GLIA_F32), 1);
  glia_graph_free(g);
}

/* ---- order of many equals ------------------------------------------------------------- */

enum { LONG = 700 };

/* The first `count` of an order, by one backend; owned. */
static glia_tensor *ordered(const char *backend, int64_t count, bool smallest) {
  static float x[LONG];
  glia_graph *g = graph();
  glia_plan *p = NULL;
  glia_tensor *t = NULL, *in = NULL;
  glia_value index;
  const int64_t n = LONG;
  for (int i = 0; i < LONG; i++)
    x[i] = i % 97 == 5 ? NAN : i % 31 == 7 ? -0.0F : (float)((i * 7919) % 11 - 5);
  glia_top_k(glia_input(g, "x", GLIA_F32, 1, &n), count, 0, smallest, &index);
  glia_output("index", index);
  OK(glia_compile(g, &p, .backend = backend));
  OK(glia_tensor_wrap(GLIA_F32, 1, &n, x, &in));
  OK(glia_plan_bind(p, "x", in));
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "index"), &t));
  glia_plan_free(p);
  glia_tensor_free(in);
  glia_graph_free(g);
  return t;
}

/* Equals keep their order however long the row is and however much of it is wanted. */
static void test_order_of_equals(void **state) {
  static const int64_t counts[] = {1, 40, 300, LONG};
  (void)state;
  for (int i = 0; i < 2 * GI_COUNT(counts); i++) {
    glia_tensor *want = ordered("ref", counts[i / 2], i % 2),
                *got = ordered(NULL, counts[i / 2], i % 2);
    for (int64_t k = 0; k < counts[i / 2]; k++)
      NEAR(glia_tensor_get(got, k), glia_tensor_get(want, k), 0);
    glia_tensor_free(want);
    glia_tensor_free(got);
  }
}

/* ---- chance --------------------------------------------------------------------------- */

enum { MANY = 20000 };
static const int64_t many[] = {MANY};

typedef struct moments {
  double low, high, mean, variance;
} moments;

static moments of(glia_value v) {
  glia_tensor *t = evaluated(v);
  moments m = {INFINITY, -INFINITY, 0, 0};
  const double n = (double)glia_tensor_count(t);
  for (int64_t i = 0; i < glia_tensor_count(t); i++) {
    const double x = glia_tensor_get(t, i);
    m.low = fmin(m.low, x);
    m.high = fmax(m.high, x);
    m.mean += x / n;
    m.variance += x * x / n;
  }
  m.variance -= m.mean * m.mean;
  glia_tensor_free(t);
  return m;
}

static void test_distributions(void **state) {
  (void)state;
  glia_graph *g = graph();
  moments m = of(glia_random_integers(g, GLIA_I64, 1, many, -2, 5, 1));
  NEAR(m.low, -2, 0);
  NEAR(m.high, 4, 0);
  NEAR(m.mean, 1, 0.06);
  NEAR(m.variance, 4, 0.15);
  m = of(glia_random_exponential(g, GLIA_F32, 1, many, 2, 2));
  assert_true(m.low >= 0);
  NEAR(m.mean, 0.5, 0.015);
  NEAR(m.variance, 0.25, 0.02);
  m = of(glia_random_gumbel(g, GLIA_F64, 1, many, 3));
  NEAR(m.mean, 0.5772, 0.04);
  NEAR(m.variance, 1.6449, 0.12);
  m = of(glia_random_truncated_normal(g, GLIA_F32, 1, many, 1, 2, -3, 5, 4));
  assert_true(m.low >= -3 && m.high <= 5);
  NEAR(m.mean, 1, 0.05);
  NEAR(m.variance, 4 * 0.77374, 0.12); /* of a normal cut at two deviations */
  m = of(glia_random_truncated_normal(g, GLIA_F64, 1, many, 0, 1, 3, INFINITY, 5));
  assert_true(m.low >= 3);
  NEAR(m.mean, 3.2831, 0.01); /* density(3) / share above 3 */
  m = of(glia_cast(glia_bernoulli(glia_full_like(zeros(g, 1, many), 0.3), 6), GLIA_F32));
  NEAR(m.mean, 0.3, 0.015);
  glia_graph_free(g);
}

static void test_orders_and_choices(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_tensor *order = evaluated(glia_random_permutation(g, 100, 1));
  bool seen[100] = {false};
  int moved = 0;
  for (int i = 0; i < 100; i++) {
    const int at = (int)glia_tensor_get(order, i);
    assert_in_range(at, 0, 99);
    assert_false(seen[at]);
    seen[at] = true;
    moved += at != i;
  }
  assert_true(moved > 80);
  glia_tensor_free(order);
  const glia_value x = glia_range(g, 100, GLIA_F32);
  NEAR(of(glia_shuffle(x, 0, 2)).mean, 49.5, 1e-4);

  const double weights[] = {1, 0, 3, 6};
  const int64_t n = 4;
  const glia_value w = glia_constant(g, GLIA_F64, 1, &n, weights);
  glia_tensor *drawn = evaluated(glia_multinomial(w, MANY, true, 3));
  double share[4] = {0};
  for (int64_t i = 0; i < MANY; i++) share[(int)glia_tensor_get(drawn, i)] += 1.0 / MANY;
  for (int i = 0; i < 4; i++) NEAR(share[i], weights[i] / 10, 0.015);
  glia_tensor_free(drawn);

  const int64_t rows[] = {200, 4};
  glia_tensor *sets = evaluated(glia_multinomial(glia_broadcast_to(w, 2, rows), 3, false, 4));
  double first[4] = {0};
  for (int64_t i = 0; i < 200; i++) {
    const int a = (int)glia_tensor_get(sets, 3 * i), b = (int)glia_tensor_get(sets, 3 * i + 1),
              c = (int)glia_tensor_get(sets, 3 * i + 2);
    assert_true(a != b && b != c && a != c && a != 1 && b != 1 && c != 1);
    first[a] += 1.0 / 200;
  }
  NEAR(first[3], 0.6, 0.12);
  glia_tensor_free(sets);
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_indices_out_of_range),
      cmocka_unit_test(test_windows_are_refused_by_name),
      cmocka_unit_test(test_places_are_refused_by_name),
      cmocka_unit_test(test_small_things),
      cmocka_unit_test(test_order_of_equals),
      cmocka_unit_test(test_distributions),
      cmocka_unit_test(test_orders_and_choices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
