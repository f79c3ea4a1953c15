/* Memory limits: a plan that computes values a second time works in less memory, by every check
 * of memory, and gives the same bits; a limit that cannot be kept is refused.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"

enum { BATCH = 16, LAYERS = 12 };

typedef struct net {
  glia_graph *g;
  glia_store *store;
} net;

/* A training step of a deep network with norms, dropout and residual sums. */
static net net_new(bool convolutions) {
  net n;
  OK(glia_graph_new(&n.g));
  OK(glia_store_new(&n.store));
  glia_scope *s = glia_scope_new(
      n.g, n.store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true});
  glia_value h = glia_input(n.g, "x", GLIA_F32, 4, (const int64_t[]){BATCH, 3, 10, 10});
  const glia_value y = glia_input(n.g, "y", GLIA_I64, 1, (const int64_t[]){BATCH});
  if (!convolutions) h = glia_flatten(h);
  for (int i = 0; i < LAYERS; i++) {
    char name[16];
    snprintf(name, sizeof name, "l%d", i);
    glia_scope *inner = glia_scope_in(s, name);
    const glia_value before = h;
    h = convolutions
            ? glia_conv2d(inner, "conv", h, .filters = 8, .kernel = {3, 3}, .same = true)
            : glia_dense(inner, "fc", h, .units = 64);
    h = glia_batch_norm(inner, "bn", h, .activation = "relu");
    if (i % 3 == 1) h = glia_dropout(inner, "drop", h, 0.2);
    if (i % 2 == 1) h = glia_add(h, before);
  }
  if (convolutions) h = glia_global_avg_pool2d(h);
  h = glia_dense(s, "head", h, .units = 5);
  glia_minimize(s, glia_output("loss", glia_cross_entropy_loss(h, y)), &glia_adam());
  OK(glia_graph_status(n.g));
  return n;
}

static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

static void run(glia_plan *p) {
  glia_tensor *x = NULL, *y = NULL;
  const gi_rng rng = {4, 2, 0};
  OK(glia_tensor_new(GLIA_F32, 4, (const int64_t[]){BATCH, 3, 10, 10}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){BATCH}, &y));
  for (int64_t e = 0; e < glia_tensor_count(x); e++)
    glia_tensor_set(x, e, gi_rng_uniform(&rng, (uint64_t)e) - 0.5);
  for (int64_t e = 0; e < BATCH; e++) glia_tensor_set(y, e, (double)(e % 5));
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_bind(p, "y", y));
  for (int step = 0; step < 3; step++) OK(glia_plan_run(p));
  glia_tensor_free(x);
  glia_tensor_free(y);
}

static void same_bits(const glia_store *a, const glia_store *b) {
  assert_int_equal(glia_store_count(a), glia_store_count(b));
  for (int i = 0; i < glia_store_count(a); i++) {
    const glia_tensor *t = glia_store_tensor(a, i), *u = glia_store_tensor(b, i);
    assert_memory_equal(glia_tensor_data(t), glia_tensor_data(u), glia_tensor_bytes(t));
  }
}

static void try_share(bool convolutions, const char *backend, double share) {
  net a = net_new(convolutions), b = net_new(convolutions);
  glia_plan *p = NULL, *q = NULL;
  OK(glia_compile(a.g, &p, .backend = backend, .threads = 1));
  const int64_t limit = (int64_t)(share * (double)glia_plan_bytes(p));
  OK(glia_compile(b.g, &q, .backend = backend, .threads = 1, .memory_limit = limit));
  assert_true((int64_t)glia_plan_bytes(q) <= limit);
  assert_true(q->recomputed.values > 0 && q->recomputed.share > 0);
  check_plan(q);
  run(p);
  run(q);
  same_bits(a.store, b.store);
  glia_plan_free(p), glia_plan_free(q);
  net_free(&a), net_free(&b);
}

static void test_less_memory_same_bits(void **state) {
  (void)state;
  try_share(false, "ref", 0.95); /* here most is the gradient of the first weight */
  try_share(false, NULL, 0.95);
  try_share(true, "ref", 0.8);
  try_share(true, NULL, 0.8);
  try_share(true, NULL, 0.6);
}

/* A limit that holds anyway changes nothing. */
static void test_wide_limit(void **state) {
  (void)state;
  net a = net_new(false);
  glia_plan *p = NULL;
  OK(glia_compile(a.g, &p, .memory_limit = 1 << 30));
  assert_int_equal(p->recomputed.values, 0);
  glia_plan_free(p);
  net_free(&a);
}

static void test_limit_too_small(void **state) {
  (void)state;
  net a = net_new(true);
  glia_plan *p = NULL;
  FAILS(glia_compile(a.g, &p, .memory_limit = 1000), GLIA_NOMEM, "the limit is 1000");
  assert_null(p);
  net_free(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_less_memory_same_bits),
      cmocka_unit_test(test_wide_limit),
      cmocka_unit_test(test_limit_too_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
