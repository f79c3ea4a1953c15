/* 02 - gradient descent on a curve, and what the learning rate does.
 *
 *   f(x) = x^4 - 3 x^3 + 2,   f'(x) = 4 x^3 - 9 x^2,   lowest at x = 9/4, where f = -6.543
 *   x <- x - rate f'(x)
 *
 * From x = 6 the same 100 steps are taken with three rates. Too small, and x is still on its
 * way (the step is the slope times the rate). Good, and it arrives. Too large, and the first
 * step jumps over the valley to where the slope is steeper still: every step is larger than the
 * one before, until the numbers end. The plan watches f and stops that step before it changes
 * x.
 *
 *   > rate 0.0001: too small: x = 3.82
 *   > rate 0.01: arrived: x = 2.2500
 *   > rate 0.1: diverged
 */
#include "example.h"

static glia_value curve(glia_value x) {
  glia_value cubic = glia_mul(glia_scalar_like(x, 3), glia_pow(x, glia_scalar_like(x, 3)));
  return glia_add(glia_sub(glia_pow(x, glia_scalar_like(x, 4)), cubic), glia_scalar_like(x, 2));
}

/* f, its slope by glia_grad, and the step, as a plan that moves x each time it runs. */
static glia_plan *compile_step(glia_store *store, double rate) {
  const glia_init start = {.kind = GLIA_INIT_CONSTANT, .a = 6};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_value slope;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, NULL);

  glia_value x = glia_parameter(s, "x", 0, NULL, start);
  glia_value f = glia_output("f", curve(x));
  OK(glia_grad(f, &x, 1, &slope));
  glia_output("slope", slope);
  glia_assign(x, glia_sub(x, glia_mul(glia_scalar_like(x, rate), slope)));

  OK(glia_compile(g, &plan, .watch = "f"));
  glia_graph_free(g);
  return plan;
}

static double output(const glia_plan *plan, const char *name) {
  return glia_tensor_get(glia_plan_output(plan, name), 0);
}

/* Takes up to 100 steps. *x is where they ended; the status says if the last one failed. */
static glia_status descend(double rate, double *x) {
  glia_store *store = NULL;
  glia_status status = GLIA_OK;
  OK(glia_store_new(&store));
  glia_plan *plan = compile_step(store, rate);
  const glia_tensor *place = glia_store_get(store, "x");

  printf("rate %g\n%6s %14s %14s %14s\n", rate, "step", "x", "f(x)", "f'(x)");
  for (int step = 0; step < 100; step++) {
    const double before = *x = glia_tensor_get(place, 0);
    status = glia_plan_run(plan);
    if (status != GLIA_OK) break;
    if (step < 4 || step % 25 == 0)
      printf("%6d %14.6g %14.6g %14.6g\n", step, before, output(plan, "f"),
             output(plan, "slope"));
    *x = glia_tensor_get(place, 0);
  }
  if (status != GLIA_OK) printf("%6s %s at x = %g\n", "", glia_error_message(), *x);
  glia_plan_free(plan);
  glia_store_free(store);
  return status;
}

int main(void) {
  const double lowest = 9.0 / 4;
  double x = 0;

  OK(descend(0.0001, &x));
  CLAIM(x > lowest + 0.5 && x < 6);
  printf("rate 0.0001: too small: x = %.4f, on its way to %g\n\n", x, lowest);

  OK(descend(0.01, &x));
  CLAIM(fabs(x - lowest) < 1e-3);
  printf("rate 0.01: arrived: x = %.4f\n\n", x);

  CLAIM(descend(0.1, &x) == GLIA_DIVERGED);
  printf("rate 0.1: diverged\n");
}
