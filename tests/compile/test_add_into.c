/* What is added to a convolution or a product is added by its kernel: which sums are taken,
 * which are left to other ops, and where the result lies.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"
#include "ops/attrs.h"

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

static glia_value image(glia_graph *g, const char *name) {
  return glia_input(g, name, GLIA_F32, 4, (const int64_t[]){2, 8, 6, 5});
}

/* A constant weight [filters, channels, 3, 3]. */
static glia_value weight(glia_graph *g, int64_t filters, int64_t channels, double phase) {
  enum { MOST = 8 * 8 * 9 };
  float w[MOST];
  for (int i = 0; i < MOST; i++) w[i] = (float)sin(phase + 1.3 * i) / 4;
  return glia_constant(g, GLIA_F32, 4, (const int64_t[]){filters, channels, 3, 3}, w);
}

static glia_value conv(glia_value x, glia_value w, int64_t stride) {
  return glia_conv2d_with(
      x, w, GLIA_NONE,
      &(glia_window_opts){
          .size = sizeof(glia_window_opts), .stride = {stride, stride}, .padding = {1, 1}});
}

typedef struct made {
  glia_plan *plan;
  const gi_node *node; /* the only one of the op */
} made;

static made compile(glia_graph *g, const gi_op *op, int want) {
  made m = {NULL, NULL};
  int n = 0;
  OK(glia_graph_status(g));
  OK(glia_compile(g, &m.plan, .threads = 1));
  check_plan(m.plan);
  for (int i = 0; i < m.plan->n_order; i++) {
    const gi_node *node = m.plan->graph->nodes.at[m.plan->order[i]];
    if (node->op != op) continue;
    m.node = node;
    n++;
  }
  assert_int_equal(n, want);
  return m;
}

static void done(made m, glia_graph *g) {
  glia_plan_free(m.plan);
  glia_graph_free(g);
}

/* A residual block's end; the branch dies there, and the result takes its memory. */
static void test_residual_branch(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = glia_exp(image(g, "x"));
  const glia_value h = conv(x, weight(g, 8, 8, 0), 1);
  glia_output(
      "y", conv(glia_relu(glia_add(conv(h, weight(g, 8, 8, 1), 1), x)), weight(g, 8, 8, 2), 1));
  const made m = compile(g, &gi_op_conv2d_add_act, 1);
  assert_int_equal(m.node->n_in, 3);
  assert_string_equal(((const gi_conv_attr *)m.node->attr)->activation, "relu");
  const gi_place *place = m.plan->memory.place;
  assert_int_equal(place[m.node->out].offset, place[m.node->in[GI_ADDED]].offset);
  done(m, g);
}

/* conv(x) + x: what the convolution reads must not be written over. */
static void test_its_own_input(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = glia_exp(image(g, "x"));
  glia_output("y", conv(glia_add(x, conv(x, weight(g, 8, 8, 0), 1)), weight(g, 8, 8, 1), 1));
  done(compile(g, &gi_op_conv2d_add_act, 1), g); /* check_plan looks where it lies */
}

/* Two readers of h: the second gradient of h is made on top of the first. */
static void test_gradients_meet(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x = image(g, "x"), w = weight(g, 8, 8, 0);
  const glia_value h = conv(x, w, 1);
  const glia_value y = glia_add(glia_mean(glia_square(conv(h, weight(g, 4, 8, 1), 1))),
                                glia_mean(glia_square(conv(h, weight(g, 6, 8, 2), 2))));
  glia_value dw;
  OK(glia_grad(y, &w, 1, &dw));
  glia_output("dw", dw);
  done(compile(g, &gi_op_conv2d_input_grad_add, 1), g);
}

/* An elementwise op makes the other summand for this sum alone: the two are one group, which
 * reads no more than its inputs, while a product would have it written first. */
static void test_what_is_fused_anyway(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = glia_input(g, "a", GLIA_F32, 2, (const int64_t[]){6, 7}),
                   b = glia_input(g, "b", GLIA_F32, 2, (const int64_t[]){7, 6}),
                   c = glia_input(g, "c", GLIA_F32, 2, (const int64_t[]){6, 6});
  glia_output("apart", glia_add(glia_matmul(a, b), glia_exp(c)));
  glia_output("within", glia_add(c, glia_matmul(a, b)));
  done(compile(g, &gi_op_matmul_add_act, 0), g); /* both read one product */
  g = graph();
  const glia_value d = glia_input(g, "d", GLIA_F32, 2, (const int64_t[]){6, 7}),
                   e = glia_input(g, "e", GLIA_F32, 2, (const int64_t[]){7, 6}),
                   f = glia_input(g, "f", GLIA_F32, 2, (const int64_t[]){6, 6});
  glia_output("apart", glia_add(glia_matmul(d, e), glia_exp(f)));
  glia_output("within",
              glia_add(f, glia_matmul(e, d, .transpose_a = true, .transpose_b = true)));
  done(compile(g, &gi_op_matmul_add_act, 1), g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_residual_branch),
      cmocka_unit_test(test_its_own_input),
      cmocka_unit_test(test_gradients_meet),
      cmocka_unit_test(test_what_is_fused_anyway),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
