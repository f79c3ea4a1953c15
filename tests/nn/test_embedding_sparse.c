/* The option `sparse` of an embedding: an update changes the rows that a batch names, and their
 * state, and no others (against PyTorch: tests/optim/test_golden_sparse.c). Here: where that is
 * exact, it gives what the dense update gives; where the weight is read otherwise too, the
 * update is dense; an empty batch changes nothing; clipping, means, threads, memory limits,
 * mixed precision.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"
#include "ops/rows.h"

enum { ROWS = 50, WIDTH = 6, STEPS = 4 };

typedef struct setting {
  glia_optimizer optimizer;
  double clip_norm, clip_value, norm_type;
  bool sparse, tied, again; /* again: a second look-up, by other indices */
  int64_t n;                /* indices */
  const char *backend;
  int threads;
  int deeper;   /* layers behind the first */
  double limit; /* share of the memory that the plan takes; 0: none */
  glia_dtype precision;
} setting;

typedef struct trained {
  glia_store *store;
  glia_plan *plan;
  glia_tensor *index, *other;
} trained;

static glia_graph *build(const setting *o, glia_store *store) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(
      g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true, .seed = 3});
  const glia_value index = glia_input(g, "index", GLIA_I64, 1, &o->n);
  glia_value x =
      glia_embedding(s, "words", index, .rows = ROWS, .width = WIDTH, .sparse = o->sparse);
  if (o->again) {
    const glia_value other = glia_input(g, "other", GLIA_I64, 1, &o->n);
    x = glia_add(x, glia_embedding(s, "words", other, .rows = ROWS, .width = WIDTH,
                                   .sparse = o->sparse));
  }
  x = glia_tanh(glia_dense(s, "hidden", x, .units = WIDTH));
  for (int i = 0; i < o->deeper; i++) {
    char name[16];
    snprintf(name, sizeof name, "deep%d", i);
    x = glia_tanh(glia_dense(s, name, x, .units = WIDTH));
  }
  if (o->tied) x = glia_matmul(x, gi_variable(g, "words.weight"), .transpose_b = true);
  glia_minimize(s, glia_output("loss", glia_sum(glia_square(x))), &o->optimizer,
                .clip_norm = o->clip_norm, .clip_value = o->clip_value,
                .norm_type = o->norm_type);
  OK(glia_graph_status(g));
  return g;
}

static trained start(const setting *o) {
  trained t = {NULL, NULL, NULL, NULL};
  glia_plan *p = NULL;
  OK(glia_store_new(&t.store));
  glia_graph *g = build(o, t.store);
  OK(glia_compile(g, &p, .backend = o->backend, .threads = o->threads, .watch = "loss",
                  .precision = o->precision, .deterministic = true));
  if (o->limit > 0) {
    const int64_t limit = (int64_t)((double)glia_plan_bytes(p) * o->limit);
    glia_plan_free(p);
    OK(glia_compile(g, &p, .backend = o->backend, .threads = o->threads, .watch = "loss",
                    .deterministic = true, .memory_limit = limit));
    assert_true(p->recomputed.values > 0);
  }
  check_plan(p);
  glia_graph_free(g);
  t.plan = p;
  OK(glia_tensor_new(GLIA_I64, 1, &o->n, &t.index));
  OK(glia_tensor_new(GLIA_I64, 1, &o->n, &t.other));
  OK(glia_plan_bind(p, "index", t.index));
  if (o->again) OK(glia_plan_bind(p, "other", t.other));
  return t;
}

/* Rows below 20 come, 7, 14 and 19 often. */
static void step(trained *t, int number) {
  for (int64_t i = 0; i < glia_tensor_count(t->index); i++) {
    glia_tensor_set(t->index, i, (double)(i % 3 == 0 ? 7 : (i * i + number) % 20));
    glia_tensor_set(t->other, i, (double)(i % 2 == 0 ? 14 : (i + number) % 20));
  }
  OK(glia_plan_run(t->plan));
}

static void stop(trained *t) {
  glia_plan_free(t->plan);
  glia_tensor_free(t->index);
  glia_tensor_free(t->other);
  glia_store_free(t->store);
}

static trained train(const setting *o) {
  trained t = start(o);
  for (int i = 0; i < STEPS; i++) step(&t, i);
  return t;
}

static void same_store(const glia_store *a, const glia_store *b, double tolerance) {
  assert_int_equal(glia_store_count(a), glia_store_count(b));
  for (int i = 0; i < glia_store_count(a); i++) {
    const glia_tensor *x = glia_store_tensor(a, i), *y = glia_store_tensor(b, i);
    assert_string_equal(glia_store_name(a, i), glia_store_name(b, i));
    for (int64_t k = 0; k < glia_tensor_count(x); k++)
      NEAR(glia_tensor_get(x, k), glia_tensor_get(y, k),
           tolerance * (1 + fabs(glia_tensor_get(x, k))));
  }
}

static setting with(glia_optimizer optimizer) {
  setting o = {.optimizer = optimizer, .sparse = true, .n = 9, .backend = "ref", .threads = 1};
  OK(glia_optimizer_resolve(&o.optimizer));
  return o;
}

/* The same training with and without the option. */
static void check_as_dense(setting o, double tolerance) {
  trained a = train(&o);
  o.sparse = false;
  trained b = train(&o);
  same_store(b.store, a.store, tolerance);
  stop(&a);
  stop(&b);
}

static void test_where_it_is_exact(void **state) {
  (void)state;
  check_as_dense(with(glia_sgd(.lr = 0.1)), 0);
  check_as_dense(with(glia_adagrad(.lr = 0.1)), 0);
  setting o = with(glia_sgd(.lr = 0.1));
  o.again = true;
  check_as_dense(o, 1e-6); /* two sums become one */
  o.clip_norm = 0.2;
  check_as_dense(o, 1e-6);
  o.norm_type = INFINITY;
  check_as_dense(o, 1e-6);
  o.clip_value = 0.01;
  check_as_dense(o, 1e-6);
  o.optimizer.ema = 0.9;
  o.optimizer.lookahead = 2;
  o.optimizer.lookahead_alpha = 0.5;
  check_as_dense(o, 1e-6);
}

/* Rules that look at all rows, or move them without a gradient. */
static void test_rules_for_all_rows(void **state) {
  (void)state;
  check_as_dense(with(glia_sgd(.lr = 0.1, .momentum = 0.9)), 0);
  check_as_dense(with(glia_lamb(.lr = 0.1)), 0);
  check_as_dense(with(glia_asgd(.lr = 0.1, .t0 = 2)), 0);
}

static void test_tied_weights(void **state) {
  (void)state;
  setting o = with(glia_adam(.lr = 0.1));
  o.tied = true;
  check_as_dense(o, 0);
}

/* Every other rule: rows that never came, and their state, are as they were. */
static void test_rows_that_never_came(void **state) {
  (void)state;
  static const char *const texts[] = {"adam weight_decay=0.1",
                                      "adamw weight_decay=0.5",
                                      "adam amsgrad",
                                      "nadam",
                                      "radam",
                                      "adamax",
                                      "rmsprop momentum=0.9",
                                      "adadelta",
                                      "lion weight_decay=0.1",
                                      "rprop",
                                      "sgd weight_decay=0.5",
                                      "adagrad",
                                      "sgd l1=0.1"};
  for (int i = 0; i < GI_COUNT(texts); i++) {
    glia_optimizer rule;
    OK(glia_optimizer_parse(texts[i], &rule));
    setting o = with(rule);
    trained never = start(&o), t = train(&o);
    int moved = 0;
    for (int k = 0; k < glia_store_count(t.store); k++) {
      const char *name = glia_store_name(t.store, k);
      const glia_tensor *x = glia_store_tensor(t.store, k),
                        *y = glia_store_get(never.store, name);
      if (strncmp(name, "words.", 6) != 0) continue;
      for (int64_t e = 0; e < glia_tensor_count(x); e++)
        if (e >= 20 * WIDTH)
          NEAR(glia_tensor_get(x, e), glia_tensor_get(y, e), 0);
        else
          moved += glia_tensor_get(x, e) != glia_tensor_get(y, e);
    }
    if (moved == 0) fail_msg("%s: nothing has changed", texts[i]);
    stop(&t);
    stop(&never);
  }
}

/* A table that is looked into at each of a hundred steps. */
static void test_many_look_ups(void **state) {
  (void)state;
  enum { LOOKS = 100 };
  glia_graph *g = NULL;
  glia_store *store = NULL;
  OK(glia_graph_new(&g));
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(g, store, NULL);
  glia_value sum = glia_scalar(g, GLIA_F32, 0);
  for (int64_t i = 0; i < LOOKS; i++) {
    const int64_t one = 1, at = i % ROWS;
    const glia_value index = glia_add(glia_constant(g, GLIA_I64, 1, &one, &at),
                                      glia_scalar(g, GLIA_I64, (double)(i / ROWS)));
    const glia_value row =
        glia_embedding(s, "words", index, .rows = 3 * ROWS, .width = WIDTH, .sparse = true);
    sum = glia_add(sum, glia_sum(glia_square(row)));
  }
  const glia_value weight = gi_variable(g, "words.weight");
  glia_value gradient;
  gi_used_rows used;
  OK(glia_grad(sum, &weight, 1, &gradient));
  assert_true(gi_is_sparse(gradient, &used));
  assert_int_equal(glia_value_dim(used.sum, 0), LOOKS);
  glia_output("index", used.index);
  glia_output("count", used.count);
  glia_output("dense", gradient);
  glia_output("again", gi_write_rows(glia_full_like(gradient, 0), used.sum, &used));
  glia_plan *p = NULL;
  OK(glia_compile(g, &p));
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "count"), 0), ROWS + 1, 0);
  NEAR(glia_tensor_get(glia_plan_output(p, "index"), ROWS), ROWS, 0);
  const glia_tensor *dense = glia_plan_output(p, "dense"),
                    *again = glia_plan_output(p, "again");
  for (int64_t i = 0; i < 3 * ROWS * WIDTH; i++)
    NEAR(glia_tensor_get(dense, i), glia_tensor_get(again, i), 1e-5);
  glia_plan_free(p);
  glia_graph_free(g);
  glia_store_free(store);
}

static void test_empty_batches(void **state) {
  (void)state;
  static const char *const backends[] = {"ref", NULL};
  for (int i = 0; i < GI_COUNT(backends); i++) {
    setting o = with(glia_adam(.lr = 0.1));
    o.n = 0;
    o.clip_norm = 1;
    o.backend = backends[i];
    trained never = start(&o), t = train(&o);
    for (int k = 0; k < glia_store_count(t.store); k++)
      if (strncmp(glia_store_name(t.store, k), "words.", 6) == 0)
        assert_memory_equal(glia_tensor_data(glia_store_tensor(t.store, k)),
                            glia_tensor_data(glia_store_tensor(never.store, k)),
                            glia_tensor_bytes(glia_store_tensor(t.store, k)));
    stop(&t);
    stop(&never);
  }
}

static void test_backends_and_threads(void **state) {
  (void)state;
  setting o = with(glia_adam(.lr = 0.01));
  o.n = 33;
  o.again = true;
  trained want = train(&o);
  o.backend = NULL;
  trained one = train(&o);
  same_store(want.store, one.store, 1e-4);
  for (o.threads = 2; o.threads < 8; o.threads += 5) {
    trained more = train(&o);
    same_store(one.store, more.store, 0);
    stop(&more);
  }
  stop(&want);
  stop(&one);
}

static void test_memory_limit(void **state) {
  (void)state;
  setting o = with(glia_adam(.lr = 0.01));
  o.n = 40;
  o.deeper = 8;
  trained want = train(&o);
  o.limit = 0.8;
  trained got = train(&o);
  same_store(want.store, got.store, 0);
  stop(&want);
  stop(&got);
}

/* Parameters and state stay f32; what is between them is rounded to 8 bits. */
static void test_mixed_precision(void **state) {
  (void)state;
  setting o = with(glia_sgd(.lr = 0.01));
  o.backend = NULL;
  trained want = train(&o);
  o.precision = GLIA_BF16;
  trained got = train(&o);
  same_store(want.store, got.store, 0.02);
  stop(&want);
  stop(&got);
}

/* The look-up says so before anything has changed. */
static void test_index_out_of_range(void **state) {
  (void)state;
  setting o = with(glia_adam(.lr = 0.01));
  trained t = start(&o), never = start(&o);
  for (int64_t i = 0; i < o.n; i++) glia_tensor_set(t.index, i, (double)i);
  glia_tensor_set(t.index, 4, -1);
  FAILS(glia_plan_run(t.plan), GLIA_INVALID,
        "words: gather: index -1 at position 4 is not in 0 .. 49");
  same_store(never.store, t.store, 0);
  stop(&t);
  stop(&never);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_where_it_is_exact),    cmocka_unit_test(test_rules_for_all_rows),
      cmocka_unit_test(test_tied_weights),         cmocka_unit_test(test_rows_that_never_came),
      cmocka_unit_test(test_many_look_ups),        cmocka_unit_test(test_empty_batches),
      cmocka_unit_test(test_backends_and_threads), cmocka_unit_test(test_memory_limit),
      cmocka_unit_test(test_mixed_precision),      cmocka_unit_test(test_index_out_of_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
