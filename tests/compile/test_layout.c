/* The layout pass: reorders stand where two sides disagree and nowhere else, and what leaves a
 * plan is plain. Of backends without layouts there is nothing to see.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"

static bool has_cpu(void) {
  const gi_backend *b = NULL;
  if (gi_backend_find("cpu", &b) == GLIA_OK) return true;
  print_message("skipped: this build has no cpu backend\n");
  return false;
}

static int count(const glia_plan *p, const char *op) {
  int n = 0;
  for (size_t k = 0; k < p->graph->nodes.n; k++)
    n += strcmp(p->graph->nodes.at[k]->op->name, op) == 0;
  return n;
}

/* Every root is plain; every value's layout is one that its users were prepared for. */
static glia_plan *compile(glia_graph *g, const char *backend) {
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .backend = backend));
  check_plan(p);
  for (size_t i = 0; i < p->graph->roots.n; i++)
    assert_int_equal(p->graph->values.at[p->graph->roots.at[i].value]->layout, GI_PLAIN);
  return p;
}

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
  n.s = glia_scope_new(n.g, n.store,
                       &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true});
  n.x = glia_input(n.g, "x", GLIA_F32, 4, (const int64_t[]){2, 3, 12, 10});
  return n;
}

static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

static glia_value conv(const net *n, const char *name, glia_value x, int64_t filters) {
  return glia_conv2d(n->s, name, x, .filters = filters, .kernel = {3, 3}, .same = true);
}

/* Input to channels-last, and back before the flattening: two reorders, whatever lies between.
 */
static void test_a_chain_of_convolutions(void **state) {
  (void)state;
  if (!has_cpu()) return;
  net n = net_new();
  glia_value h = glia_relu(conv(&n, "a", n.x, 8));
  h = glia_max_pool2d(glia_gelu(conv(&n, "b", h, 8)), .kernel = {2, 2});
  h = glia_add(h, glia_tanh(conv(&n, "c", h, 8)));
  glia_output("y", glia_dense(n.s, "fc", glia_flatten(h), .units = 3));
  OK(glia_graph_status(n.g));
  glia_plan *p = compile(n.g, "cpu");
  assert_int_equal(count(p, "reorder"), 2);
  glia_plan_free(p);
  p = compile(n.g, "ref");
  assert_int_equal(count(p, "reorder"), 0);
  glia_plan_free(p);
  net_free(&n);
}

/* Two readers of one value in the other layout share the reorder; an output is brought back. */
static void test_reorders_are_shared(void **state) {
  (void)state;
  if (!has_cpu()) return;
  net n = net_new();
  const glia_value a = conv(&n, "a", n.x, 4), b = conv(&n, "b", n.x, 4);
  glia_output("a", a);
  glia_output("also a", a);
  glia_output("sum", glia_add(a, b));
  OK(glia_graph_status(n.g));
  glia_plan *p = compile(n.g, "cpu");
  assert_int_equal(count(p, "reorder"), 3); /* x once; a, and the sum, back */
  glia_plan_free(p);
  net_free(&n);
}

/* New values of variables are stored plain, updates of weights stay one kernel each. */
static void test_training(void **state) {
  (void)state;
  if (!has_cpu()) return;
  net n = net_new();
  const glia_value y = glia_input(n.g, "y", GLIA_I64, 1, (const int64_t[]){2});
  glia_value h = glia_batch_norm(n.s, "bn", conv(&n, "a", n.x, 6), .activation = "relu");
  h = glia_relu(conv(&n, "b", h, 6));
  h = glia_dense(n.s, "fc", glia_global_avg_pool2d(h), .units = 3);
  glia_minimize(n.s, glia_output("loss", glia_cross_entropy_loss(h, y)), &glia_adam());
  OK(glia_graph_status(n.g));
  glia_plan *p = compile(n.g, "cpu");
  for (size_t i = 0; i < p->graph->roots.n; i++)
    if (p->graph->roots.at[i].variable != GI_NO_VALUE) assert_false(p->memory.copied[i]);
  assert_true(count(p, "reorder") <= 4);
  glia_plan_free(p);
  net_free(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_chain_of_convolutions),
      cmocka_unit_test(test_reorders_are_shared),
      cmocka_unit_test(test_training),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
