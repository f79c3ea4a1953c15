/* The cache of plans: bounded, one arena for all, usable after every failure. */
#include "test.h"

#include "glia/glia.h"
#include "run/cache.h"

typedef struct tracer {
  int calls;
  bool fail;
} tracer;

/* y = sin(x) summed over rows, plus mode: the product in between makes the arena matter. */
static void trace(glia_graph *g, int mode, const gi_type *inputs, int n, void *user) {
  tracer *t = user;
  t->calls++;
  (void)n;
  glia_value x = glia_input(g, "x", inputs[0].dtype, inputs[0].rank, inputs[0].dim);
  if (t->fail) x = glia_matmul(x, glia_scalar_like(x, 1));
  const glia_value s = glia_sin(x);
  const glia_value m = glia_matmul(s, x, .transpose_b = true);
  const glia_value y = glia_sum(glia_mul(m, m), .n = 1, .axes = {1});
  glia_output("y", glia_add(y, glia_scalar_like(y, mode)));
}

static gi_cache *cache_new(tracer *t, int limit) {
  gi_cache *c = NULL;
  const glia_compile_opts o = {.size = sizeof o, .backend = "ref"};
  OK(gi_cache_new(&o, limit, trace, t, &c));
  return c;
}

static gi_type rows(int64_t n) {
  return (gi_type){.dtype = GLIA_F32, .rank = 2, .dim = {n, 3}};
}

/* The plan for n rows gives what the formula gives. */
static void check_plan_of(gi_cache *c, int mode, int64_t n) {
  glia_plan *p = NULL;
  glia_tensor *x = NULL;
  const gi_type t = rows(n);
  OK(gi_cache_get(c, mode, &t, 1, NULL, &p));
  OK(gi_tensor_new(&t, &x));
  for (int64_t i = 0; i < 3 * n; i++) glia_tensor_set(x, i, 0.01 * (double)i - 0.1);
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_run(p));
  for (int64_t r = 0; r < n; r++) {
    double want = mode;
    for (int64_t q = 0; q < n; q++) {
      double m = 0;
      for (int k = 0; k < 3; k++)
        m += sin(glia_tensor_get(x, 3 * r + k)) * glia_tensor_get(x, 3 * q + k);
      want += m * m;
    }
    NEAR(glia_tensor_get(glia_plan_output(p, "y"), r), want, 1e-4 * (1 + fabs(want)));
  }
  glia_tensor_free(x);
}

static void test_one_plan_a_shape_and_mode(void **state) {
  (void)state;
  tracer t = {0};
  gi_cache *c = cache_new(&t, 0);
  for (int i = 0; i < 3; i++) {
    check_plan_of(c, 0, 4);
    check_plan_of(c, 1, 4);
    check_plan_of(c, 0, 5);
  }
  assert_int_equal(t.calls, 3);
  assert_int_equal(gi_cache_count(c), 3);
  gi_cache_free(c);
}

static void test_bounded(void **state) {
  (void)state;
  tracer t = {0};
  gi_cache *c = cache_new(&t, 3);
  for (int64_t n = 1; n <= 20; n++) {
    check_plan_of(c, 0, n);
    assert_true(gi_cache_count(c) <= 3);
  }
  assert_int_equal(t.calls, 20);
  check_plan_of(c, 0, 18); /* still there; now 19 is the oldest */
  assert_int_equal(t.calls, 20);
  check_plan_of(c, 0, 1);
  check_plan_of(c, 0, 18);
  check_plan_of(c, 0, 20);
  assert_int_equal(t.calls, 21);
  check_plan_of(c, 0, 19);
  assert_int_equal(t.calls, 22);
  gi_cache_free(c);
}

/* The arena grows under plans that were made before: they move along. */
static void test_plans_share_one_arena(void **state) {
  (void)state;
  tracer t = {0};
  gi_cache *c = cache_new(&t, 0);
  check_plan_of(c, 0, 2);
  const size_t small = gi_cache_bytes(c);
  check_plan_of(c, 0, 40);
  const size_t large = gi_cache_bytes(c);
  assert_true(large > small);
  for (int i = 0; i < 3; i++) {
    check_plan_of(c, 0, 2);
    check_plan_of(c, 0, 40);
    check_plan_of(c, 0, 7);
  }
  assert_true(gi_cache_bytes(c) == large);
  assert_int_equal(t.calls, 3);
  gi_cache_free(c);
}

static void test_a_trace_that_fails(void **state) {
  (void)state;
  tracer t = {.fail = true};
  gi_cache *c = cache_new(&t, 0);
  glia_plan *p = NULL;
  const gi_type five = rows(5);
  gi_type many[16];
  FAILS(gi_cache_get(c, 0, &five, 1, NULL, &p), GLIA_SHAPE, "matmul");
  FAILS(gi_cache_get(c, 0, &five, 1, "loss", &p), GLIA_SHAPE, "matmul");
  assert_int_equal(gi_cache_count(c), 0);
  t.fail = false;
  FAILS(gi_cache_get(c, 0, &five, 1, "loss", &p), GLIA_INVALID, "no output \"loss\"");
  for (int i = 0; i < GI_COUNT(many); i++) many[i] = five;
  FAILS(gi_cache_get(c, 0, many, GI_COUNT(many), NULL, &p), GLIA_INVALID, "16 inputs");
  check_plan_of(c, 0, 5);
  gi_cache_clear(c);
  assert_int_equal(gi_cache_count(c), 0);
  check_plan_of(c, 0, 5);
  gi_cache_free(c);
}

/* Every allocation of making a larger plan fails once: the small one, and a second try of the
 * large one, give the right answer all the same. */
static void test_every_allocation_fails(void **state) {
  (void)state;
  int64_t n = 1;
  for (bool done = false; !done; n++) {
    tracer t = {0};
    gi_cache *c = cache_new(&t, 0);
    glia_plan *p = NULL;
    const gi_type large = rows(30);
    check_plan_of(c, 0, 2);
    check_plan_of(c, 1, 3);
    gi_alloc_fail_after(n);
    const glia_status s = gi_cache_get(c, 0, &large, 1, NULL, &p);
    gi_alloc_fail_after(0);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_NOMEM);
    done = s == GLIA_OK && n > 400;
    check_plan_of(c, 0, 2);
    check_plan_of(c, 0, 30);
    check_plan_of(c, 1, 3);
    check_plan_of(c, 0, 2);
    gi_cache_free(c);
  }
  assert_true(n > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_plan_a_shape_and_mode),
      cmocka_unit_test(test_bounded),
      cmocka_unit_test(test_plans_share_one_arena),
      cmocka_unit_test(test_a_trace_that_fails),
      cmocka_unit_test(test_every_allocation_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
