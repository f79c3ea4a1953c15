/* Fixed plans: the answer of the plan that is not, with fewer steps; batch norm goes into the
 * convolution; variables may not change.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"

typedef struct net {
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
  glia_value x;
} net;

static net net_new(void) {
  net n;
  OK(glia_graph_new(&n.g));
  OK(glia_store_new(&n.store));
  n.s = glia_scope_new(n.g, n.store, &(glia_scope_opts){.size = sizeof(glia_scope_opts)});
  n.x = glia_input(n.g, "x", GLIA_F32, 4, (const int64_t[]){2, 3, 12, 10});
  return n;
}

static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

/* conv - norm - relu, twice, the second with a bias of its own; then a dense layer. */
static void describe(net *n) {
  glia_value h = glia_conv2d(n->s, "a", n->x, .filters = 16, .kernel = {3, 3}, .no_bias = true);
  h = glia_batch_norm(n->s, "an", h, .activation = "relu");
  h = glia_conv2d(n->s, "b", h, .filters = 24, .kernel = {3, 3}, .same = true);
  h = glia_batch_norm(n->s, "bn", h, .activation = "relu");
  glia_output("y", glia_dense(n->s, "fc", glia_flatten(h), .units = 5));
  OK(glia_graph_status(n->g));
}

/* Statistics as after some training: all different, none 0 or 1. */
static void fill(net *n) {
  const gi_rng rng = {3, 1, 0};
  uint64_t k = 0;
  for (int i = 0; i < glia_store_count(n->store); i++) {
    glia_tensor *t = glia_store_tensor(n->store, i);
    for (int64_t e = 0; e < glia_tensor_count(t); e++)
      glia_tensor_set(t, e, 0.2 + gi_rng_uniform(&rng, k++));
  }
}

static glia_tensor *answer(glia_plan *p) {
  glia_tensor *x = NULL, *y = NULL;
  const gi_rng rng = {4, 2, 0};
  OK(glia_tensor_new(GLIA_F32, 4, (const int64_t[]){2, 3, 12, 10}, &x));
  for (int64_t e = 0; e < glia_tensor_count(x); e++)
    glia_tensor_set(x, e, gi_rng_uniform(&rng, (uint64_t)e) - 0.5);
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "y"), &y));
  glia_tensor_free(x);
  return y;
}

static void same(const glia_tensor *a, const glia_tensor *b, double tolerance) {
  for (int64_t e = 0; e < glia_tensor_count(a); e++)
    NEAR(glia_tensor_get(a, e), glia_tensor_get(b, e),
         tolerance * (1 + fabs(glia_tensor_get(a, e))));
}

static int count(const glia_plan *p, const char *op) {
  int n = 0;
  for (int i = 0; i < p->n_steps; i++)
    n += strcmp(p->graph->nodes.at[p->steps[i].node]->op->name, op) == 0;
  return n;
}

/* Skipping all passes is the plain meaning. */
static void test_same_answer(void **state) {
  (void)state;
  static const char *const backends[] = {"ref", NULL};
  for (int b = 0; b < GI_COUNT(backends); b++) {
    net n = net_new();
    describe(&n);
    fill(&n);
    glia_plan *plain = NULL, *folded = NULL, *fixed = NULL;
    OK(glia_compile(n.g, &plain, .backend = "ref", .skip = "all"));
    OK(glia_compile(n.g, &folded, .backend = backends[b]));
    OK(glia_compile(n.g, &fixed, .backend = backends[b], .fixed = true));
    check_plan(fixed);
    glia_tensor *want = answer(plain), *got = answer(folded), *too = answer(fixed);
    same(want, got, 1e-5);
    same(want, too, 1e-5);
    assert_int_equal(count(folded, "conv2d_act"), 2);
    assert_int_equal(count(fixed, "conv2d_act"), 2);
    assert_true(fixed->n_steps < folded->n_steps);
    assert_true(fixed->n_fixed > 0 && fixed->memory.fixed > 0);
    assert_int_equal(folded->kept, 0); /* packed weights belong to the fixed plan */
    assert_int_equal(fixed->kept > 0, strcmp(fixed->target.backend->name, "cpu") == 0);
    glia_tensor_free(want), glia_tensor_free(got), glia_tensor_free(too);
    glia_plan_free(plain), glia_plan_free(folded), glia_plan_free(fixed);
    net_free(&n);
  }
}

/* What no later step depends on is read when the plan is made, and never again. */
static void test_variables_are_read_once(void **state) {
  (void)state;
  net n = net_new();
  describe(&n);
  fill(&n);
  glia_plan *p = NULL;
  OK(glia_compile(n.g, &p, .fixed = true));
  glia_tensor *before = answer(p);
  glia_tensor *t = glia_store_get(n.store, "an.running_mean");
  assert_non_null(t);
  glia_tensor_set(t, 0, 1000);
  glia_tensor *after = answer(p);
  same(before, after, 0);
  glia_tensor_free(before), glia_tensor_free(after);
  glia_plan_free(p);
  net_free(&n);
}

/* A variable that the graph assigns moves on from run to run; what depends on others alone is
 * computed once all the same. */
static void test_assigned_variables_move(void **state) {
  (void)state;
  net n = net_new();
  glia_graph_free(n.g); /* of one that wants no input */
  OK(glia_graph_new(&n.g));
  n.s = glia_scope_new(n.g, n.store, NULL);
  const glia_init zeros = {.kind = GLIA_INIT_ZEROS}, ones = {.kind = GLIA_INIT_ONES};
  const int64_t shape[] = {3};
  const glia_value count = glia_parameter(n.s, "count", 1, shape, zeros),
                   step = glia_parameter(n.s, "step", 1, shape, ones);
  const glia_value next = glia_add(count, glia_cumsum(step, 0, false));
  glia_assign(count, next);
  glia_output("next", next);
  glia_plan *p = NULL;
  OK(glia_compile(n.g, &p, .fixed = true));
  assert_true(p->n_fixed > 0);
  for (int i = 1; i <= 3; i++) {
    OK(glia_plan_run(p));
    NEAR(glia_tensor_get(glia_plan_output(p, "next"), 2), 3 * i, 0);
  }
  glia_plan_free(p);
  net_free(&n);
}

/* Chance is drawn anew at every run, within a fused group of weights alone too. */
static void test_chance_is_not_fixed(void **state) {
  (void)state;
  net n = net_new();
  glia_plan *p = NULL;
  const glia_value w =
      glia_parameter(n.s, "w", 1, (const int64_t[]){64}, (glia_init){.kind = GLIA_INIT_ONES});
  const glia_value dropped = glia_dropout_with(glia_add(w, w), 0.5, 7);
  glia_output("y", glia_tanh(glia_add(dropped, w)));
  OK(glia_compile(n.g, &p, .fixed = true));
  assert_int_equal(count(p, "fused"), 1); /* else this shows nothing */
  glia_tensor *first = answer(p), *second = answer(p);
  int differ = 0;
  for (int64_t e = 0; e < 64; e++)
    differ += glia_tensor_get(first, e) != glia_tensor_get(second, e);
  assert_in_range(differ, 16, 48);
  glia_tensor_free(first);
  glia_tensor_free(second);
  glia_plan_free(p);
  net_free(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_answer),
      cmocka_unit_test(test_variables_are_read_once),
      cmocka_unit_test(test_chance_is_not_fixed),
      cmocka_unit_test(test_assigned_variables_move),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
