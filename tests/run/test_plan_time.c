/* Timing a plan where it stands, and what is told of it: each step's time and share of the
 * machine's limit, and the ways that were not taken.
 */
#include "test.h"

#include "glia/glia.h"
#include "run/plan_view.h"

/* y = relu(x w), a new w, and a sum: three kernels at least, one of them a product. */
static glia_plan *plan_of(glia_store *store, const char *backend, bool deterministic) {
  glia_plan *p = NULL;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){64, 96});
  const glia_value y = glia_dense(s, "fc", x, .units = 80, .activation = "relu");
  glia_output("sum", glia_sum(y));
  OK(glia_compile(g, &p, .backend = backend, .threads = 2, .deterministic = deterministic));
  glia_graph_free(g);
  return p;
}

static void test_timed(void **state) {
  (void)state;
  glia_store *store = NULL;
  gi_plan_view view;
  OK(glia_store_new(&store));
  glia_plan *p = plan_of(store, NULL, false);
  OK(gi_plan_view_new(p, &view));
  for (int i = 0; i < p->n_steps; i++) assert_true(view.steps[i].seconds == 0);
  assert_false(view.limits_measured);
  gi_plan_view_free(&view);
  /* Nothing is bound to x: it gets numbers. */
  OK(glia_plan_time(p, 0));
  OK(gi_plan_view_new(p, &view));
  assert_true(p->n_steps > 0);
  for (int i = 0; i < p->n_steps; i++) {
    const gi_step_view *v = &view.steps[i];
    assert_true(v->seconds > 0 && isfinite(v->seconds));
    const double least =
        fmax(v->cost.flops / view.limits.flops, v->cost.bytes / view.limits.bytes);
    NEAR(v->share, least / v->seconds, 1e-9);
    assert_true(v->expected > 0);
  }
  gi_plan_view_free(&view);
  glia_plan_free(p);
  glia_store_free(store);
}

static void test_as_json(void **state) {
  (void)state;
  glia_store *store = NULL;
  gi_plan_view view;
  OK(glia_store_new(&store));
  glia_plan *p = plan_of(store, "ref", false);
  OK(glia_plan_time(p, 0));
  OK(gi_plan_view_new(p, &view));
  gi_json *j = gi_plan_view_json(&view);
  const gi_json *steps = gi_json_get(j, "steps");
  assert_int_equal(gi_json_count(steps), p->n_steps);
  double flops = 0;
  for (int i = 0; i < p->n_steps; i++) {
    const gi_json *one = gi_json_at(steps, (size_t)i);
    assert_string_equal(gi_json_str(gi_json_get(one, "kernel"), ""), "reference");
    assert_true(gi_json_num(gi_json_get(one, "seconds"), 0) > 0);
    flops += gi_json_num(gi_json_get(one, "flops"), 0);
  }
  NEAR(flops, glia_plan_flops(p), 1);
  gi_json_free(j);
  gi_plan_view_free(&view);
  glia_plan_free(p);
  glia_store_free(store);
}

/* A deterministic plan takes no kernel whose bits depend on threads where another fits, and
 * says so of the one that it refuses. */
static void test_deterministic(void **state) {
  const gi_backend *b = NULL;
  glia_store *store = NULL;
  gi_plan_view view;
  (void)state;
  if (gi_backend_find("cpu", &b) != GLIA_OK) skip();
  OK(glia_store_new(&store));
  glia_plan *p = plan_of(store, "cpu", true);
  char *text = glia_plan_text(p);
  assert_non_null(strstr(text, "its bits depend on the number of threads"));
  OK(gi_plan_view_new(p, &view));
  for (int i = 0; i < p->n_steps; i++) assert_false(view.steps[i].step->kernel->by_threads);
  gi_plan_view_free(&view);
  free(text);
  glia_plan_free(p);
  glia_store_free(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_timed),
      cmocka_unit_test(test_as_json),
      cmocka_unit_test(test_deterministic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
