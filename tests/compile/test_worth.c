/* How many threads a plan is worth: a fixed one that is soon done has one thread, whatever was
 * asked for; a longer one, and any that trains, has all.
 */
#include "compile/plan.h"
#include "glia/glia.h"
#include "test.h"

/* Threads of a plan of two dense layers with so many units, for a batch of so many. */
static int threads_of(int64_t batch, int64_t units, bool train, int threads) {
  glia_graph *g = NULL;
  glia_store *store = NULL;
  glia_plan *p = NULL;
  OK(glia_graph_new(&g));
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(
      g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = train});
  glia_value h = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){batch, 16});
  h = glia_relu(glia_dense(s, "first", h, .units = units));
  h = glia_dense(s, "second", h, .units = units);
  if (train)
    glia_minimize(s, glia_output("loss", glia_mean(h)), &glia_adam());
  else
    glia_output("y", h);
  OK(glia_compile(g, &p, .threads = threads, .fixed = !train));
  const int got = p->target.threads;
  glia_plan_free(p);
  glia_graph_free(g);
  glia_store_free(store);
  return got;
}

static void test_short_runs_wake_nobody(void **state) {
  (void)state;
  assert_int_equal(threads_of(1, 128, false, 2), 1);
  assert_int_equal(threads_of(64, 128, false, 3), 1);
}

static void test_long_runs_have_all(void **state) {
  (void)state;
  assert_int_equal(threads_of(1024, 2048, false, 2), 2);
  assert_int_equal(threads_of(1024, 2048, false, 3), 3);
}

static void test_training_has_all(void **state) {
  (void)state;
  assert_int_equal(threads_of(1, 128, true, 2), 2);
}

/* Constants and what is made of variables are computed once: they are no part of a run. */
static void test_what_is_computed_once_does_not_count(void **state) {
  (void)state;
  for (int in_run = 0; in_run < 2; in_run++) {
    glia_graph *g = NULL;
    glia_plan *p = NULL;
    OK(glia_graph_new(&g));
    const int64_t shape[] = {700, 700};
    const glia_value x = glia_input(g, "x", GLIA_F32, 2, shape);
    glia_value a = glia_full_like(x, 2);
    if (in_run) a = glia_add(a, x);
    a = glia_matmul(a, a);
    glia_output("y", in_run ? a : glia_add(glia_sum(x, .n = 1), glia_sum(a, .n = 1)));
    OK(glia_compile(g, &p, .threads = 2, .fixed = true));
    assert_int_equal(p->target.threads, in_run ? 2 : 1);
    glia_plan_free(p);
    glia_graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_short_runs_wake_nobody),
      cmocka_unit_test(test_long_runs_have_all),
      cmocka_unit_test(test_training_has_all),
      cmocka_unit_test(test_what_is_computed_once_does_not_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
