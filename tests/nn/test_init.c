/* Initial values: bounds, mean and variance of each kind, orthogonality, and that an element
 * depends on seed, name and place alone.
 */
#include "test.h"

#include "glia/glia.h"

enum { OUT = 200, IN = 300 };

static glia_tensor *filled(int rank, const int64_t *shape, glia_init init, uint64_t seed,
                           const char *name) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(GLIA_F32, rank, shape, &t));
  OK(glia_initialise(t, init, seed, name));
  return t;
}

typedef struct moments {
  double mean, variance, low, high;
} moments;

static moments moments_of(const glia_tensor *t) {
  const int64_t n = glia_tensor_count(t);
  moments m = {0, 0, INFINITY, -INFINITY};
  for (int64_t i = 0; i < n; i++) {
    const double v = glia_tensor_get(t, i);
    m.mean += v / (double)n;
    m.low = fmin(m.low, v);
    m.high = fmax(m.high, v);
  }
  for (int64_t i = 0; i < n; i++) {
    const double d = glia_tensor_get(t, i) - m.mean;
    m.variance += d * d / (double)n;
  }
  return m;
}

/* ---- distributions ----------------------------------------------------------------------- */

/* 60,000 numbers: the mean is off by 0.4 % of a deviation, the variance by half a percent
 * (three times that where it is normal). */
static void check_moments(const int64_t *shape, int rank, glia_init init, double mean,
                          double deviation, double bound, const char *what) {
  glia_tensor *t = filled(rank, shape, init, 3, "w");
  const moments m = moments_of(t);
  if (fabs(m.mean - mean) > 0.02 * deviation) fail_msg("%s: mean %g", what, m.mean);
  if (fabs(m.variance / (deviation * deviation) - 1) > 0.03)
    fail_msg("%s: deviation %g, wanted %g", what, sqrt(m.variance), deviation);
  if (bound > 0 && (m.low < mean - bound || m.high > mean + bound ||
                    m.high < mean + 0.99 * bound || m.low > mean - 0.99 * bound))
    fail_msg("%s: from %g to %g, wanted +-%g", what, m.low, m.high, bound);
  glia_tensor_free(t);
}

/* fan_in and fan_out of [OUT, IN], and of a convolution [50, 10, 12, 10] as PyTorch counts
 * them. */
static void test_variance_by_fans(void **state) {
  static const struct {
    int64_t shape[4];
    int rank;
    double in, out;
  } cases[] = {
      {{OUT, IN}, 2, IN, OUT}, {{50, 10, 12, 10}, 4, 1200, 6000}, {{60000}, 1, 60000, 60000}};
  (void)state;
  for (int i = 0; i < GI_COUNT(cases); i++) {
    const double in = cases[i].in, out = cases[i].out;
    const struct {
      glia_init_kind kind;
      double bound, deviation;
      const char *what;
    } kinds[] = {
        {GLIA_INIT_DEFAULT, sqrt(1 / in), 0, "default"},
        {GLIA_INIT_GLOROT_UNIFORM, sqrt(6 / (in + out)), 0, "glorot_uniform"},
        {GLIA_INIT_HE_UNIFORM, sqrt(6 / in), 0, "he_uniform"},
        {GLIA_INIT_LECUN_UNIFORM, sqrt(3 / in), 0, "lecun_uniform"},
        {GLIA_INIT_GLOROT_NORMAL, 0, sqrt(2 / (in + out)), "glorot_normal"},
        {GLIA_INIT_HE_NORMAL, 0, sqrt(2 / in), "he_normal"},
        {GLIA_INIT_LECUN_NORMAL, 0, sqrt(1 / in), "lecun_normal"},
    };
    for (int k = 0; k < GI_COUNT(kinds); k++)
      check_moments(cases[i].shape, cases[i].rank, (glia_init){.kind = kinds[k].kind}, 0,
                    kinds[k].bound > 0 ? kinds[k].bound / sqrt(3) : kinds[k].deviation,
                    kinds[k].bound, kinds[k].what);
  }
}

static void test_given_numbers(void **state) {
  static const int64_t shape[] = {OUT, IN};
  (void)state;
  check_moments(shape, 2, (glia_init){GLIA_INIT_UNIFORM, .a = 1, .b = 4}, 2.5, 3 / sqrt(12),
                1.5, "uniform");
  check_moments(shape, 2, (glia_init){GLIA_INIT_NORMAL, .a = -2, .b = 0.5}, -2, 0.5, 0,
                "normal");
  check_moments(shape, 2, (glia_init){GLIA_INIT_DEFAULT, .fan_in = 16}, 0, 0.25 / sqrt(3), 0.25,
                "default with a fan_in of its own");
  static const struct {
    glia_init init;
    double v;
  } constants[] = {{{.kind = GLIA_INIT_ZEROS}, 0},
                   {{.kind = GLIA_INIT_ONES}, 1},
                   {{.kind = GLIA_INIT_CONSTANT, .a = -3.5}, -3.5}};
  for (int i = 0; i < GI_COUNT(constants); i++) {
    glia_tensor *t = filled(2, shape, constants[i].init, 1, "w");
    const moments m = moments_of(t);
    NEAR(m.low, constants[i].v, 0);
    NEAR(m.high, constants[i].v, 0);
    glia_tensor_free(t);
  }
}

/* Normal numbers have tails: of 60,000 some 162 lie beyond three deviations, and next to none
 * beyond five. */
static void test_tails_of_normal_numbers(void **state) {
  (void)state;
  glia_tensor *t = filled(2, (const int64_t[]){OUT, IN},
                          (glia_init){GLIA_INIT_NORMAL, .a = 0, .b = 1}, 9, "w");
  int beyond = 0;
  for (int64_t i = 0; i < glia_tensor_count(t); i++) {
    const double v = fabs(glia_tensor_get(t, i));
    beyond += v > 3;
    assert_true(v < 6);
  }
  assert_in_range(beyond, 110, 220);
  glia_tensor_free(t);
}

static void check_orthogonal(int64_t rows, int64_t a, int64_t b) {
  const int64_t shape[] = {rows, a, b}, cols = a * b, n = GI_MIN(rows, cols);
  glia_tensor *t = filled(3, shape, (glia_init){.kind = GLIA_INIT_ORTHOGONAL}, 5, "w");
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++) {
      double dot = 0;
      for (int64_t k = 0; k < GI_MAX(rows, cols); k++) {
        const int64_t x = rows <= cols ? i * cols + k : k * cols + i;
        const int64_t y = rows <= cols ? j * cols + k : k * cols + j;
        dot += glia_tensor_get(t, x) * glia_tensor_get(t, y);
      }
      NEAR(dot, i == j, 1e-6);
    }
  glia_tensor_free(t);
}

static void test_orthogonal(void **state) {
  (void)state;
  check_orthogonal(7, 3, 5);
  check_orthogonal(20, 2, 4);
  check_orthogonal(6, 2, 3);
  check_orthogonal(1, 1, 1);
}

/* ---- what it depends on ------------------------------------------------------------------ */

static bool equal(const glia_tensor *a, const glia_tensor *b) {
  return memcmp(glia_tensor_data(a), glia_tensor_data(b), glia_tensor_bytes(a)) == 0;
}

static void test_gains(void **state) {
  const glia_init_kind kinds[] = {GLIA_INIT_GLOROT_UNIFORM, GLIA_INIT_GLOROT_NORMAL,
                                  GLIA_INIT_HE_UNIFORM,     GLIA_INIT_HE_NORMAL,
                                  GLIA_INIT_LECUN_UNIFORM,  GLIA_INIT_LECUN_NORMAL,
                                  GLIA_INIT_ORTHOGONAL};
  const int64_t shape[] = {7, 5};
  (void)state;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    glia_tensor *one = filled(2, shape, (glia_init){.kind = kinds[k]}, 3, "w");
    glia_tensor *two = filled(2, shape, (glia_init){.kind = kinds[k], .a = 2}, 3, "w");
    for (int i = 0; i < 35; i++)
      NEAR(glia_tensor_get(two, i), 2 * glia_tensor_get(one, i), 1e-6);
    glia_tensor_free(one);
    glia_tensor_free(two);
  }
  NEAR(glia_gain(NULL, 0), 1, 0);
  NEAR(glia_gain("sigmoid", 0), 1, 0);
  NEAR(glia_gain("tanh", 0), 5.0 / 3, 1e-15);
  NEAR(glia_gain("relu", 0), sqrt(2), 1e-15);
  NEAR(glia_gain("leaky_relu", 0), sqrt(2 / 1.0001), 1e-15);
  NEAR(glia_gain("leaky_relu", 1), 1, 1e-15);
  NEAR(glia_gain("selu", 0), 0.75, 1e-15);
}

static void test_seed_and_name(void **state) {
  static const glia_init_kind kinds[] = {GLIA_INIT_DEFAULT, GLIA_INIT_HE_NORMAL,
                                         GLIA_INIT_ORTHOGONAL};
  static const int64_t shape[] = {9, 11};
  (void)state;
  for (int i = 0; i < GI_COUNT(kinds); i++) {
    const glia_init init = {.kind = kinds[i]};
    glia_tensor *a = filled(2, shape, init, 7, "fc1.weight");
    glia_tensor *same = filled(2, shape, init, 7, "fc1.weight");
    glia_tensor *seed = filled(2, shape, init, 8, "fc1.weight");
    glia_tensor *name = filled(2, shape, init, 7, "fc2.weight");
    assert_true(equal(a, same));
    assert_false(equal(a, seed));
    assert_false(equal(a, name));
    glia_tensor_free(a);
    glia_tensor_free(same);
    glia_tensor_free(seed);
    glia_tensor_free(name);
  }
}

/* The same layers in another order, and beside others, begin with the same bits. */
static void test_order_of_creation(void **state) {
  static const char *const order[2][4] = {{"a", "b", "c", "d"}, {"d", "b", "a", NULL}};
  glia_store *stores[2] = {NULL};
  (void)state;
  for (int i = 0; i < 2; i++) {
    glia_graph *g = NULL;
    OK(glia_graph_new(&g));
    OK(glia_store_new(&stores[i]));
    glia_scope *s = glia_scope_new(
        g, stores[i], &(glia_scope_opts){.size = sizeof(glia_scope_opts), .seed = 4});
    const glia_value x = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){2, 6});
    for (int k = 0; k < 4 && order[i][k] != NULL; k++)
      glia_dense(s, order[i][k], x, .units = 5);
    OK(glia_graph_status(g));
    glia_graph_free(g);
  }
  for (int i = 0; i < glia_store_count(stores[1]); i++) {
    const char *name = glia_store_name(stores[1], i);
    assert_true(equal(glia_store_get(stores[0], name), glia_store_tensor(stores[1], i)));
  }
  glia_store_free(stores[0]);
  glia_store_free(stores[1]);
}

/* A longer tensor begins with the elements of a shorter one: element i depends on i alone. */
static void test_elements_depend_on_their_place(void **state) {
  (void)state;
  const glia_init init = {GLIA_INIT_UNIFORM, .a = 0, .b = 1};
  glia_tensor *a = filled(1, (const int64_t[]){10}, init, 2, "w");
  glia_tensor *b = filled(1, (const int64_t[]){1000}, init, 2, "w");
  for (int i = 0; i < 10; i++) NEAR(glia_tensor_get(a, i), glia_tensor_get(b, i), 0);
  glia_tensor_free(a);
  glia_tensor_free(b);
}

static void test_refused(void **state) {
  (void)state;
  glia_tensor *i = NULL, *flat = NULL, *f = NULL;
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){3}, &i));
  OK(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){3}, &flat));
  OK(glia_tensor_new(GLIA_F64, 2, (const int64_t[]){0, 3}, &f));
  FAILS(glia_initialise(i, (glia_init){.kind = GLIA_INIT_ONES}, 0, "count"), GLIA_DTYPE,
        "count: initial values are for floats, this is i64");
  FAILS(glia_initialise(flat, (glia_init){.kind = GLIA_INIT_ORTHOGONAL}, 0, "b"), GLIA_SHAPE,
        "rank 2");
  FAILS(glia_initialise(f, (glia_init){.kind = GLIA_INIT_ORTHOGONAL}, 0, "b"), GLIA_SHAPE,
        "elements");
  FAILS(glia_initialise(flat, (glia_init){.kind = (glia_init_kind)99}, 0, "b"), GLIA_INVALID,
        "99");
  OK(glia_initialise(f, (glia_init){.kind = GLIA_INIT_HE_NORMAL}, 0,
                     "b")); /* nothing to fill */
  glia_tensor_free(i);
  glia_tensor_free(flat);
  glia_tensor_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_variance_by_fans),
      cmocka_unit_test(test_given_numbers),
      cmocka_unit_test(test_gains),
      cmocka_unit_test(test_tails_of_normal_numbers),
      cmocka_unit_test(test_orthogonal),
      cmocka_unit_test(test_seed_and_name),
      cmocka_unit_test(test_order_of_creation),
      cmocka_unit_test(test_elements_depend_on_their_place),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
