/* 03 - one forward and one backward pass of a two-layer network, number by number.
 *
 *   forward                         backward, by the chain rule, from the loss to the weights
 *   h = W1 X        = 3 2  =  6     dL/dp  = 2 (p - Y)      = 2 (24 - 20) =  8
 *   p = W2 h        = 4 6  = 24     dL/dW2 = dL/dp h        = 8 6         = 48
 *   L = (p - Y)^2   = 4^2  = 16     dL/dh  = dL/dp W2       = 8 4         = 32
 *                                   dL/dW1 = dL/dh X        = 32 2        = 64
 *
 * glia_grad walks the graph backwards in just this order. At the end the two gradients are held
 * against the definition of a derivative: nudge the weight and see what the loss does.
 *
 *   > h = 6
 *   > p = 24
 *   > L = 16
 *   > dL/dp = 8
 *   > dL/dW2 = 48
 *   > dL/dh = 32
 *   > dL/dW1 = 64
 *   > nudging W1: 64.000
 *   > nudging W2: 48.000
 *   > after a step of 0.001 against the gradient: L = 10.279
 */
#include "example.h"

/* What one run of the network yields. */
typedef struct numbers {
  double h, p, L, dp, dW2, dh, dW1;
} numbers;

static glia_plan *compile_network(void) {
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  OK(glia_graph_new(&g));
  glia_value X = glia_input(g, "X", GLIA_F64, 0, NULL);
  glia_value W1 = glia_input(g, "W1", GLIA_F64, 0, NULL);
  glia_value W2 = glia_input(g, "W2", GLIA_F64, 0, NULL);
  glia_value Y = glia_input(g, "Y", GLIA_F64, 0, NULL);

  glia_value h = glia_output("h", glia_mul(W1, X));
  glia_value p = glia_output("p", glia_mul(W2, h));
  glia_value L = glia_output("L", glia_square(glia_sub(p, Y)));

  /* Gradients are values of the same graph; inner results have one as well as weights. */
  const glia_value of[] = {p, W2, h, W1};
  glia_value d[4];
  OK(glia_grad(L, of, 4, d));
  glia_output("dL/dp", d[0]);
  glia_output("dL/dW2", d[1]);
  glia_output("dL/dh", d[2]);
  glia_output("dL/dW1", d[3]);
  OK(glia_compile(g, &plan));
  glia_graph_free(g);
  return plan;
}

static double output(const glia_plan *plan, const char *name) {
  return glia_tensor_get(glia_plan_output(plan, name), 0);
}

/* Runs the network on these four numbers. */
static numbers run(glia_plan *plan, double X, double W1, double W2, double Y) {
  const char *names[] = {"X", "W1", "W2", "Y"};
  double in[] = {X, W1, W2, Y};
  glia_tensor *t[4] = {NULL};
  for (int i = 0; i < 4; i++) {
    OK(glia_tensor_wrap(GLIA_F64, 0, NULL, &in[i], &t[i])); /* a view of in[i]: no copy */
    OK(glia_plan_bind(plan, names[i], t[i]));
  }
  OK(glia_plan_run(plan));
  for (int i = 0; i < 4; i++) glia_tensor_free(t[i]);
  return (numbers){output(plan, "h"),     output(plan, "p"),      output(plan, "L"),
                   output(plan, "dL/dp"), output(plan, "dL/dW2"), output(plan, "dL/dh"),
                   output(plan, "dL/dW1")};
}

int main(void) {
  glia_plan *plan = compile_network();
  const numbers n = run(plan, 2, 3, 4, 20);
  printf("forward\n  h = %g\n  p = %g\n  L = %g\n", n.h, n.p, n.L);
  printf("backward\n  dL/dp = %g\n  dL/dW2 = %g\n  dL/dh = %g\n  dL/dW1 = %g\n", n.dp, n.dW2,
         n.dh, n.dW1);
  CLAIM(n.L == 16 && n.dW2 == 48 && n.dW1 == 64);

  const double e = 1e-4; /* (L(W + e) - L(W - e)) / 2e */
  const double by1 = (run(plan, 2, 3 + e, 4, 20).L - run(plan, 2, 3 - e, 4, 20).L) / (2 * e);
  const double by2 = (run(plan, 2, 3, 4 + e, 20).L - run(plan, 2, 3, 4 - e, 20).L) / (2 * e);
  printf("  nudging W1: %.3f\n  nudging W2: %.3f\n", by1, by2);

  const double L = run(plan, 2, 3 - 0.001 * n.dW1, 4 - 0.001 * n.dW2, 20).L;
  printf("after a step of 0.001 against the gradient: L = %.3f\n", L);
  CLAIM(L < n.L);
  glia_plan_free(plan);
}
