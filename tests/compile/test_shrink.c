/* Masks and sums behind pooling: the gradients of relu and of the bias before it are computed
 * on the pooled side, with the same results; where something else wants the large side, it
 * stays.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "ops/attrs.h"

enum { N = 2, C = 3, H = 9, W = 8 };
static const int64_t shape[] = {N, C, H, W};

typedef glia_value pooling(glia_value x);

static glia_value max_even(glia_value x) { return glia_max_pool2d(x, .kernel = {2, 2}); }
static glia_value max_overlapping(glia_value x) {
  return glia_max_pool2d(x, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1});
}
static glia_value min_overlapping(glia_value x) {
  return glia_min_pool2d(x, .kernel = {3, 2}, .stride = {2, 1}, .ceil_mode = true);
}
static glia_value average(glia_value x) {
  return glia_avg_pool2d(x, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1});
}
static glia_value average_padding(glia_value x) {
  return glia_avg_pool2d(x, .kernel = {3, 3}, .padding = {1, 1}, .count_padding = true);
}
static glia_value adaptive(glia_value x) { return glia_adaptive_avg_pool2d(x, 4, 3); }

/* relu(x + bias), pooled, squared and summed: gradients of the bias and of x. */
static glia_graph *graph(pooling *pool, bool relu) {
  glia_graph *g = NULL;
  glia_value d[2];
  OK(glia_graph_new(&g));
  const glia_value x = glia_input(g, "x", GLIA_F32, 4, shape);
  const glia_value bias = glia_input(g, "b", GLIA_F32, 3, (const int64_t[]){C, 1, 1});
  glia_value h = glia_add(x, bias);
  if (relu) h = glia_relu(h);
  const glia_value wanted[] = {bias, x};
  OK(glia_grad(glia_sum(glia_square(pool(h))), wanted, 2, d));
  glia_output("db", d[0]);
  glia_output("dx", d[1]);
  OK(glia_graph_status(g));
  return g;
}

static glia_plan *run(glia_graph *g, const char *skip, glia_tensor *x, glia_tensor *b) {
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .skip = skip));
  check_plan(p);
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_bind(p, "b", b));
  OK(glia_plan_run(p));
  return p;
}

static void compare(const glia_plan *a, const glia_plan *b, const char *name) {
  const glia_tensor *x = glia_plan_output(a, name), *y = glia_plan_output(b, name);
  for (int64_t i = 0; i < glia_tensor_count(y); i++)
    NEAR(glia_tensor_get(x, i), glia_tensor_get(y, i), 1e-4);
}

/* Elements that go into the op of this name; 0 if there is none. */
static int64_t elements_into(const glia_plan *p, const gi_op *op) {
  int64_t n = 0;
  for (size_t k = 0; k < p->graph->nodes.n; k++)
    if (p->graph->nodes.at[k]->op == op)
      n += gi_type_count(&p->graph->values.at[p->graph->nodes.at[k]->in[0]]->type);
  return n;
}

static void check(pooling *pool, bool relu, bool shrinks) {
  glia_tensor *x = NULL, *b = NULL;
  OK(glia_tensor_new(GLIA_F32, 4, shape, &x));
  OK(glia_tensor_new(GLIA_F32, 3, (const int64_t[]){C, 1, 1}, &b));
  for (int64_t i = 0; i < glia_tensor_count(x); i++)
    glia_tensor_set(x, i, sin((double)(i * i % 101)));
  for (int64_t i = 0; i < C; i++) glia_tensor_set(b, i, 0.1 * (double)i);
  glia_graph *g = graph(pool, relu);
  glia_plan *small = run(g, "fuse,fuse_ops", x, b), *large = run(g, "all", x, b);
  glia_plan *whole = run(g, NULL, x, b);
  compare(small, large, "db");
  compare(small, large, "dx");
  compare(whole, large, "db");
  compare(whole, large, "dx");
  const int64_t full = N * C * H * W;
  const int64_t summed = elements_into(small, &gi_op_sum);
  assert_true(elements_into(large, &gi_op_sum) == full);
  assert_true(shrinks ? summed < full : summed == full);
  if (relu) {
    const int64_t masked = elements_into(small, &gi_op_where);
    assert_true(elements_into(large, &gi_op_where) == full);
    assert_true(shrinks ? masked < full : masked == full);
  }
  glia_plan_free(small);
  glia_plan_free(large);
  glia_plan_free(whole);
  glia_graph_free(g);
  glia_tensor_free(x);
  glia_tensor_free(b);
}

static void test_winners(void **state) {
  (void)state;
  check(max_even, true, true);
  check(max_overlapping, true, true);
  check(min_overlapping, true, true);
  check(max_overlapping, false, true);
}

static void test_averages(void **state) {
  (void)state;
  check(average, false, true);
  check(adaptive, false, true);
  check(average, true, false);          /* the mask stands between, and no cell is known */
  check(average_padding, false, false); /* shares of the padding are lost */
}

/* The mask is of another value than the one that was pooled: it cannot move. */
static void test_other_mask(void **state) {
  (void)state;
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = glia_input(g, "x", GLIA_F32, 4, shape);
  const glia_value other = glia_input(g, "b", GLIA_F32, 4, shape);
  glia_value dx;
  OK(glia_grad(glia_sum(glia_square(max_even(x))), &x, 1, &dx));
  const glia_value more = glia_greater(other, glia_scalar_like(other, 0));
  glia_output("y", glia_where(more, dx, glia_full_like(dx, 0)));
  OK(glia_graph_status(g));
  OK(glia_compile(g, &p, .skip = "fuse"));
  assert_true(elements_into(p, &gi_op_where) == N * C * H * W);
  glia_plan_free(p);
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_winners),
      cmocka_unit_test(test_averages),
      cmocka_unit_test(test_other_mask),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
