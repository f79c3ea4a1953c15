/* 04 - the training loop written out: forward, loss, gradient, update.
 *
 *   prediction = X w + b,   X [64, 2], w [2, 1], b [1]
 *   loss       = mean (prediction - y)^2
 *   w <- w - rate dloss/dw,   b <- b - rate dloss/db
 *
 * With a gradient tape one writes these four lines inside the loop, and they are run, recorded
 * and differentiated anew at each step. Here they are written once, in front of it: the loop
 * only runs the plan. What is built ahead can be checked ahead: a loss that does not depend on
 * a parameter is an error with the parameter's name in it, before any step is taken.
 *
 *   > learned y = 2.00 x1 - 3.00 x2 + 0.50
 *   > model does not fit: gradient: the loss does not depend on unused
 */
#include "example.h"

enum { SAMPLES = 64 };

/* Samples of y = 2 x1 - 3 x2 + 0.5 + noise. glia_eval computes a lone value. */
static void make_data(glia_tensor **x, glia_tensor **y) {
  const int64_t shape[] = {SAMPLES, 2}, column[] = {SAMPLES, 1}, two[] = {2, 1};
  const float truth[] = {2, -3};
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  glia_value points = glia_random_normal(g, GLIA_F32, 2, shape, 0, 1, 1);
  glia_value noise = glia_random_normal(g, GLIA_F32, 2, column, 0, 0.01, 2);
  glia_value line = glia_matmul(points, glia_constant(g, GLIA_F32, 2, two, truth));
  OK(glia_eval(points, x));
  OK(glia_eval(glia_add(glia_add(line, glia_scalar_like(line, 0.5)), noise), y));
  glia_graph_free(g);
}

/* The four lines of the loop. */
static glia_plan *compile_step(glia_store *store, double rate) {
  const int64_t x_shape[] = {SAMPLES, 2}, y_shape[] = {SAMPLES, 1}, two[] = {2, 1}, one[] = {1};
  const glia_init zeros = {.kind = GLIA_INIT_ZEROS};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, NULL);
  glia_value x = glia_input(g, "x", GLIA_F32, 2, x_shape);
  glia_value y = glia_input(g, "y", GLIA_F32, 2, y_shape);
  glia_value p[] = {glia_parameter(s, "w", 2, two, zeros),
                    glia_parameter(s, "b", 1, one, zeros)};
  glia_value d[2];

  glia_value prediction = glia_add(glia_matmul(x, p[0]), p[1]);        /* forward */
  glia_value loss = glia_output("loss", glia_mse_loss(prediction, y)); /* loss */
  OK(glia_grad(loss, p, 2, d));                                        /* gradient */
  for (int i = 0; i < 2; i++)                                          /* update */
    glia_assign(p[i], glia_sub(p[i], glia_mul(glia_scalar_like(p[i], rate), d[i])));

  OK(glia_compile(g, &plan));
  glia_graph_free(g);
  return plan;
}

/* A parameter that the loss never sees. A tape would hand back nothing, and training would
 * leave it as it is without a word. */
static void show_the_error(void) {
  const int64_t two[] = {2};
  const glia_init ones = {.kind = GLIA_INIT_ONES};
  glia_graph *g = NULL;
  glia_store *store = NULL;
  OK(glia_graph_new(&g));
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(g, store, NULL);
  glia_value p[] = {glia_parameter(s, "w", 1, two, ones),
                    glia_parameter(s, "unused", 1, two, ones)};
  glia_value d[2], loss = glia_mean(glia_square(p[0]));
  const glia_status status = glia_grad(loss, p, 2, d);
  CLAIM(status == GLIA_MODEL);
  printf("%s: %s\n", glia_status_text(status), glia_error_message());
  glia_graph_free(g);
  glia_store_free(store);
}

int main(void) {
  glia_store *store = NULL;
  glia_tensor *x = NULL, *y = NULL;
  OK(glia_store_new(&store));
  make_data(&x, &y);
  glia_plan *plan = compile_step(store, 0.1);
  OK(glia_plan_bind(plan, "x", x)); /* all samples at once; 05_mlp.c takes them in batches */
  OK(glia_plan_bind(plan, "y", y));
  for (int step = 1; step <= 100; step++) {
    OK(glia_plan_run(plan));
    if (step == 1 || step % 20 == 0)
      printf("step %3d  loss %.6f\n", step, glia_tensor_get(glia_plan_output(plan, "loss"), 0));
  }
  const glia_tensor *w = glia_store_get(store, "w"), *b = glia_store_get(store, "b");
  printf("learned y = %.2f x1 - %.2f x2 + %.2f\n", glia_tensor_get(w, 0),
         -glia_tensor_get(w, 1), glia_tensor_get(b, 0));
  show_the_error();
  glia_plan_free(plan);
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_store_free(store);
}
