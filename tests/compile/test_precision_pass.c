/* Mixed precision: what is stored as bf16 and what is not, that groups widen and narrow by
 * themselves, and that results keep their type and value.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"
#include "ops/attrs.h"

enum { ROWS = 6, COLS = 8 };

static glia_value input(glia_graph *g, const char *name, int64_t rows, int64_t cols) {
  return glia_input(g, name, GLIA_F32, 2, (const int64_t[]){rows, cols});
}

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

static glia_tensor *filled(int64_t rows, int64_t cols, double phase) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){rows, cols}, &t));
  for (int64_t i = 0; i < rows * cols; i++) glia_tensor_set(t, i, sin(phase + 1.7 * (double)i));
  return t;
}

/* The graph's result "y" for inputs a [ROWS, COLS] and b [COLS, COLS]. Owned. */
static glia_tensor *result(glia_graph *g, const char *backend, glia_dtype precision,
                           const char *skip, int *steps) {
  glia_plan *p = NULL;
  glia_tensor *y = NULL, *a = filled(ROWS, COLS, 0), *b = filled(COLS, COLS, 0.4);
  OK(glia_compile(g, &p, .backend = backend, .precision = precision, .skip = skip));
  if (precision == GLIA_BF16 && skip == NULL) check_plan(p);
  OK(glia_plan_bind(p, "a", a));
  OK(glia_plan_bind(p, "b", b));
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "y"), &y));
  if (steps != NULL) *steps = p->n_steps;
  glia_plan_free(p);
  glia_tensor_free(a);
  glia_tensor_free(b);
  return y;
}

static void expect_near(const glia_tensor *got, const glia_tensor *want, double room) {
  assert_int_equal(glia_tensor_dtype(got), glia_tensor_dtype(want));
  for (int64_t i = 0; i < glia_tensor_count(want); i++)
    NEAR(glia_tensor_get(got, i), glia_tensor_get(want, i), room);
}

/* Both backends, with and without fusion, against f32; returns the kernels of the fused plan.
 */
static int check(glia_graph *g, double room) {
  static const char *const backends[] = {"ref", NULL};
  int steps = 0;
  OK(glia_graph_status(g));
  glia_tensor *want = result(g, "ref", GLIA_F32, "all", NULL);
  for (int i = 0; i < GI_COUNT(backends); i++) {
    glia_tensor *fused = result(g, backends[i], GLIA_BF16, NULL, &steps);
    glia_tensor *plain = result(g, backends[i], GLIA_BF16, "fuse,layout", NULL);
    expect_near(fused, want, room);
    expect_near(plain, want, room);
    glia_tensor_free(fused);
    glia_tensor_free(plain);
  }
  glia_tensor_free(want);
  glia_graph_free(g);
  return steps;
}

/* tanh(a b) + a: a and b are narrowed, the product is narrow, and what is behind it is one
 * kernel that widens the product by itself. */
static void test_a_product_and_a_group(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = input(g, "a", ROWS, COLS), b = input(g, "b", COLS, COLS);
  glia_output("y", glia_add(glia_tanh(glia_matmul(a, b)), a));
  assert_int_equal(check(g, 0.05), 4);
}

/* Two products read one activation: it is stored once, narrow, and never widened on its own. */
static void test_an_activation_is_stored_narrow(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = input(g, "a", ROWS, COLS), b = input(g, "b", COLS, COLS);
  const glia_value h = glia_sigmoid(glia_matmul(a, b));
  glia_output("y", glia_add(glia_matmul(h, b), glia_matmul(h, b, .transpose_b = true)));
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .precision = GLIA_BF16));
  int narrow = 0, wide = 0;
  for (int i = 0; i < p->n_order; i++) {
    const gi_node *n = p->graph->nodes.at[p->order[i]];
    const glia_dtype t = p->graph->values.at[n->out]->type.dtype;
    narrow += t == GLIA_BF16;
    wide += t == GLIA_F32;
  }
  assert_int_equal(narrow, 6); /* a, b, three products, h */
  assert_int_equal(wide, 1);   /* y */
  glia_plan_free(p);
  check(g, 0.05);
}

/* What is narrowed and widened within one group is not rounded on the way. */
static void test_no_rounding_inside_a_group(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = glia_cast(input(g, "a", ROWS, COLS), GLIA_F32),
                   b = input(g, "b", COLS, COLS);
  const glia_value narrow = glia_cast(glia_exp(a), GLIA_BF16);
  glia_output("y", glia_sqrt(glia_cast(narrow, GLIA_F32)));
  glia_output("z", b);
  glia_tensor *fused = result(g, NULL, GLIA_BF16, NULL, NULL);
  glia_tensor *plain = result(g, NULL, GLIA_BF16, "fuse", NULL);
  double apart = 0;
  for (int64_t i = 0; i < glia_tensor_count(fused); i++) {
    const double want = exp(sin(1.7 * (double)i) / 2);
    NEAR(glia_tensor_get(fused, i), want, 1e-5);
    apart = fmax(apart, fabs(glia_tensor_get(plain, i) - want));
  }
  assert_true(apart > 1e-4); /* without fusion it is rounded */
  glia_tensor_free(fused);
  glia_tensor_free(plain);
  glia_graph_free(g);
}

/* Sums read narrow values and stay f32; so does what depends on them. */
static void test_sums_stay_f32(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = input(g, "a", ROWS, COLS), b = input(g, "b", COLS, COLS);
  const glia_value h = glia_matmul(a, b);
  const glia_value centred = glia_sub(h, glia_mean(h, .n = 1, .axes = {1}, .keep = true));
  glia_output("y", glia_log_softmax(centred, 1));
  check(g, 0.1);
}

/* What is added to a narrow product: a narrow branch goes into its kernel, which gives bf16; a
 * wide one stays out, and the sum is as exact as f32. */
static void test_sums_with_products(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = input(g, "a", ROWS, COLS), b = input(g, "b", COLS, COLS);
  const glia_value h = glia_sigmoid(glia_matmul(a, b));
  glia_output("z", glia_add(glia_matmul(h, b), h));
  glia_output("y", glia_add(glia_matmul(a, b), glia_mul(a, a)));
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .precision = GLIA_BF16));
  int with = 0;
  for (int i = 0; i < p->n_order; i++)
    with += p->graph->nodes.at[p->order[i]]->op == &gi_op_matmul_add_act;
  assert_int_equal(with, 1);
  glia_plan_free(p);
  check(g, 0.05);
}

static void test_other_precisions_are_refused(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_plan *p = NULL;
  glia_output("y", input(g, "a", ROWS, COLS));
  FAILS(glia_compile(g, &p, .precision = GLIA_I32), GLIA_INVALID,
        "precision: is i32, wanted f32 or bf16");
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_product_and_a_group),
      cmocka_unit_test(test_an_activation_is_stored_narrow),
      cmocka_unit_test(test_no_rounding_inside_a_group),
      cmocka_unit_test(test_sums_stay_f32),
      cmocka_unit_test(test_sums_with_products),
      cmocka_unit_test(test_other_precisions_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
