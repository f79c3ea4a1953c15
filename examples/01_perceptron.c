/* 01 - the perceptron: one neuron and Rosenblatt's rule (1958, doi:10.1037/h0042519).
 *
 *   y = 1 if w1 x1 + w2 x2 + b >= 0, else 0       the neuron fires, or it does not
 *   w <- w + (t - y) x,   b <- b + (t - y)        after each sample; t is the right answer
 *
 * No gradient is taken (a step has none of use): the weights move only on a mistake, towards
 * the sample that should have fired or away from the one that should not. If a straight line
 * can separate the two classes, the rule finds one after finitely many mistakes. AND has such a
 * line. XOR has none, whatever the weights, and the rule goes on making mistakes for ever;
 * 05_mlp.c does what it takes.
 *
 *   > AND: learned, no errors
 *   > XOR: not linearly separable: still 4 errors after 100 epochs
 */
#include "example.h"

static const float corners[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const float and_table[4] = {0, 0, 0, 1}, xor_table[4] = {0, 1, 1, 0};

/* The neuron and its rule as a graph. Nothing is computed here: values stand for results to
 * come, and glia_compile makes of them a plan that runs once for each sample. */
static glia_plan *compile_rule(glia_store *store) {
  const int64_t two[] = {2};
  const glia_init zeros = {.kind = GLIA_INIT_ZEROS};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, NULL);

  glia_value x = glia_input(g, "x", GLIA_F32, 1, two);
  glia_value t = glia_input(g, "t", GLIA_F32, 0, NULL);
  glia_value w = glia_parameter(s, "w", 1, two, zeros);
  glia_value b = glia_parameter(s, "b", 0, NULL, zeros);

  glia_value z = glia_add(glia_sum(glia_mul(w, x)), b);
  glia_value y = glia_cast(glia_greater_equal(z, glia_scalar_like(z, 0)), GLIA_F32);
  glia_value error = glia_output("error", glia_sub(t, y)); /* -1, 0 or 1 */
  glia_assign(w, glia_add(w, glia_mul(error, x)));
  glia_assign(b, glia_add(b, error));

  OK(glia_compile(g, &plan));
  glia_graph_free(g); /* the plan has taken what it needs */
  return plan;
}

/* One pass over the four corners; returns how many were wrong. */
static int epoch(glia_plan *plan, glia_tensor *x, glia_tensor *t, const float table[4]) {
  int errors = 0;
  for (int i = 0; i < 4; i++) {
    glia_tensor_set(x, 0, corners[i][0]);
    glia_tensor_set(x, 1, corners[i][1]);
    glia_tensor_set(t, 0, table[i]);
    OK(glia_plan_run(plan));
    errors += glia_tensor_get(glia_plan_output(plan, "error"), 0) != 0;
  }
  return errors;
}

/* Trains until an epoch has no error, at most 100; returns the errors of the last one. */
static int learn(const char *name, const float table[4]) {
  const int64_t two[] = {2};
  glia_store *store = NULL; /* where w and b live between runs */
  glia_tensor *x = NULL, *t = NULL;
  OK(glia_store_new(&store));
  OK(glia_tensor_new(GLIA_F32, 1, two, &x));
  OK(glia_tensor_new(GLIA_F32, 0, NULL, &t));
  glia_plan *plan = compile_rule(store);
  OK(glia_plan_bind(plan, "x", x));
  OK(glia_plan_bind(plan, "t", t));

  int errors = 4;
  printf("epoch  errors     w1     w2      b\n");
  for (int e = 1; e <= 100 && errors > 0; e++) {
    errors = epoch(plan, x, t, table);
    const glia_tensor *w = glia_store_get(store, "w"), *b = glia_store_get(store, "b");
    if (e <= 10 || e == 100)
      printf("%5d  %6d  %5g  %5g  %5g\n", e, errors, glia_tensor_get(w, 0),
             glia_tensor_get(w, 1), glia_tensor_get(b, 0));
  }
  if (errors == 0) printf("%s: learned, no errors\n\n", name);
  if (errors > 0)
    printf("%s: not linearly separable: still %d errors after 100 epochs\n", name, errors);
  glia_plan_free(plan);
  glia_tensor_free(x);
  glia_tensor_free(t);
  glia_store_free(store);
  return errors;
}

int main(void) {
  CLAIM(learn("AND", and_table) == 0);
  CLAIM(learn("XOR", xor_table) > 0);
}
