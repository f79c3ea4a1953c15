/* test_cpu_exact.c - plans that refuse kernels which round worse than direct summation
 * (exact_conv): none of those is in them, and their results are near those of other plans, as
 * near as the kernels' rows say.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"

enum { CHANNELS = 64, SIDE = 16 };

typedef struct answer {
  int inexact;       /* kernels */
  double worst;      /* of what their rows state */
  glia_tensor *y[3]; /* the result and both gradients */
} answer;

static const char *const names[] = {"y", "dx", "dw"};

static glia_graph *make_graph(void) {
  glia_graph *g;
  glia_value grads[2];
  OK(glia_graph_new(&g));
  const glia_value x = glia_input(g, "x", GLIA_F32, 4,
                                  (const int64_t[]){2, CHANNELS, SIDE, SIDE}),
                   w = glia_input(g, "w", GLIA_F32, 4,
                                  (const int64_t[]){CHANNELS, CHANNELS, 3, 3}),
                   u = glia_input(g, "u", GLIA_F32, 4,
                                  (const int64_t[]){2, CHANNELS, SIDE, SIDE}),
                   y = glia_conv2d_with(x, w, GLIA_NONE,
                                        &(glia_window_opts){.size = sizeof(glia_window_opts),
                                                            .padding = {1, 1}});
  OK(glia_grad(glia_sum(glia_mul(y, u)), (const glia_value[]){x, w}, 2, grads));
  glia_output("y", y);
  glia_output("dx", grads[0]);
  glia_output("dw", grads[1]);
  OK(glia_graph_status(g));
  return g;
}

/* Owned: it must live as long as the plan. */
static glia_tensor *bind_random(glia_plan *p, const char *name, int rank,
                                const int64_t *shape) {
  const gi_rng rng = {5, (uint64_t)name[0], 0};
  glia_tensor *t;
  OK(glia_tensor_new(GLIA_F32, rank, shape, &t));
  for (int64_t e = 0; e < glia_tensor_count(t); e++)
    glia_tensor_set(t, e, 2 * gi_rng_uniform(&rng, (uint64_t)e) - 1);
  OK(glia_plan_bind(p, name, t));
  return t;
}

static answer compute(bool exact) {
  glia_graph *g = make_graph();
  glia_plan *p;
  answer a = {0};
  OK(glia_compile(g, &p, .backend = "cpu", .threads = 1, .deterministic = true,
                  .exact_conv = exact));
  for (int i = 0; i < p->n_steps; i++) {
    a.inexact += p->steps[i].kernel->inexact > 0;
    a.worst = fmax(a.worst, p->steps[i].kernel->inexact);
  }
  char *text = glia_plan_text(p);
  assert_non_null(text);
  assert_int_equal(strstr(text, "rounds worse than direct summation") != NULL, exact);
  free(text);
  const int64_t image[] = {2, CHANNELS, SIDE, SIDE}, kernels[] = {CHANNELS, CHANNELS, 3, 3};
  glia_tensor *x = bind_random(p, "x", 4, image), *u = bind_random(p, "u", 4, image),
              *w = bind_random(p, "w", 4, kernels);
  OK(glia_plan_run(p));
  for (int i = 0; i < GI_COUNT(names); i++)
    OK(glia_tensor_copy(glia_plan_output(p, names[i]), &a.y[i]));
  glia_plan_free(p);
  glia_graph_free(g);
  glia_tensor_free(x);
  glia_tensor_free(u);
  glia_tensor_free(w);
  return a;
}

static void test_exact_plans(void **state) {
  (void)state;
  answer any = compute(false), exact = compute(true);
  assert_int_equal(exact.inexact, 0);
  assert_int_equal(any.inexact, GI_COUNT(names)); /* else nothing was refused */
  for (int k = 0; k < GI_COUNT(names); k++) {
    double size = 0, most = 0;
    const int64_t n = glia_tensor_count(any.y[k]);
    for (int64_t e = 0; e < n; e++) {
      const double want = glia_tensor_get(exact.y[k], e);
      size += want * want;
      most = fmax(most, fabs(glia_tensor_get(any.y[k], e) - want));
    }
    assert_true(most > 0);
    assert_true(most <= any.worst * sqrt(size / (double)n));
    glia_tensor_free(any.y[k]);
    glia_tensor_free(exact.y[k]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact_plans)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
