/* test_lbfgs.c - ten steps of L-BFGS against PyTorch's (tools/golden_lbfgs.py): parameters,
 * losses and how often the loss was looked at; on an ill-conditioned problem; and bad input. */
#include "golden_tensors.h"

#include "glia/glia.h"
#include "graph/graph.h"
#include "optim/lbfgs.h"

enum { STEPS = 10, MOST = 3 };

static const char *const names[] = {"w", "b", "v"};

typedef struct problem {
  glia_store *store;
  glia_lbfgs *l;
  glia_tensor *x, *y;
} problem;

static glia_lbfgs_opts options_of(const golden *g, const char *backend) {
  return (glia_lbfgs_opts){
      .size = sizeof(glia_lbfgs_opts),
      .lr = golden_number(g, "lr", 0),
      .max_iter = (int64_t)golden_number(g, "max_iter", 0),
      .max_eval = (int64_t)golden_number(g, "max_eval", 0),
      .history = (int64_t)golden_number(g, "history_size", 0),
      .tolerance_grad = golden_number(g, "tolerance_grad", 0),
      .tolerance_change = golden_number(g, "tolerance_change", 0),
      .line_search = gi_json_str(gi_json_get(g->attributes, "line_search_fn"), NULL),
      .backend = backend};
}

static glia_value parameter(const golden *g, glia_graph *graph, glia_store *store, int i) {
  char name[32];
  snprintf(name, sizeof name, "param.%s", names[i]);
  glia_tensor *first = golden_tensor(g, name);
  const gi_type t = gi_tensor_type(first);
  gi_entry *e = NULL;
  OK(gi_store_add(store, names[i], GLIA_PARAMETER, &t, &e));
  memcpy(glia_tensor_data(e->tensor), glia_tensor_data(first), glia_tensor_bytes(first));
  glia_tensor_free(first);
  return gi_variable(graph, names[i]);
}

/* As the models of tools/golden_lbfgs.py. */
static glia_value loss_of(const golden *g, glia_graph *graph, glia_store *store, glia_value x,
                          glia_value y) {
  const glia_value w = parameter(g, graph, store, 0), b = parameter(g, graph, store, 1);
  const glia_value line = glia_add(glia_matmul(x, w), b);
  glia_value loss, size = glia_sum(glia_square(w));
  if (strcmp(g->op, "logistic") == 0) {
    loss = glia_mean(glia_softplus(glia_neg(glia_mul(line, y))));
  } else {
    const glia_value v = parameter(g, graph, store, 2);
    loss = glia_mse_loss(glia_matmul(glia_tanh(line), v), y);
    size = glia_add(size, glia_sum(glia_square(v)));
  }
  return glia_add(loss, glia_mul(size, glia_scalar_like(size, 0.01)));
}

static problem open_problem(const golden *g, const char *backend) {
  problem p = {.x = golden_tensor(g, "x"), .y = golden_tensor(g, "y")};
  const glia_lbfgs_opts o = options_of(g, backend);
  glia_graph *graph;
  OK(glia_store_new(&p.store));
  OK(glia_graph_new(&graph));
  glia_scope *s = glia_scope_new(graph, p.store, NULL);
  const glia_value x = glia_input(graph, "x", GLIA_F64, 2, glia_tensor_shape(p.x));
  const glia_value y = glia_input(graph, "y", GLIA_F64, 2, glia_tensor_shape(p.y));
  OK(glia_lbfgs_new_opt(s, loss_of(g, graph, p.store, x, y), &p.l, &o));
  glia_graph_free(graph);
  OK(glia_plan_bind(glia_lbfgs_plan(p.l), "x", p.x));
  OK(glia_plan_bind(glia_lbfgs_plan(p.l), "y", p.y));
  return p;
}

static void close_problem(problem *p) {
  glia_lbfgs_free(p->l);
  glia_store_free(p->store);
  glia_tensor_free(p->x);
  glia_tensor_free(p->y);
}

static void check_file(const char *name, void *backend) {
  char what[64];
  golden g = golden_open(name);
  problem p = open_problem(&g, backend);
  glia_tensor *losses = golden_tensor(&g, "loss");
  for (int step = 1; step <= STEPS; step++) {
    double loss = 0;
    OK(glia_lbfgs_step(p.l, &loss));
    NEAR(loss, glia_tensor_get(losses, step - 1), 1e-10);
    for (int i = 0; i < MOST; i++) {
      snprintf(what, sizeof what, "after.%d.%s", step, names[i]);
      if (golden_has(&g, what))
        assert_golden(glia_store_get(p.store, names[i]), &g, what, 1e-10, name);
    }
  }
  assert_int_equal(glia_lbfgs_evaluations(p.l),
                   atoi(glia_safetensors_metadata(g.file, "evaluations")));
  glia_tensor_free(losses);
  close_problem(&p);
  golden_close(&g);
}

static void test_golden(void **state) {
  (void)state;
  assert_true(golden_each("lbfgs", check_file, "ref") >= 14);
  assert_true(golden_each("lbfgs", check_file, NULL) >= 14);
}

/* ---- checkpoints ------------------------------------------------------------------------- */

static void run_steps(problem *p, int n) {
  for (int i = 0; i < n; i++) OK(glia_lbfgs_step(p->l, NULL));
}

/* A file's problem trained in one go, and in two that a checkpoint joins: the same bits, state
 * and all. */
static void resume(const char *name, void *backend) {
  char path[600];
  golden g = golden_open(name);
  snprintf(path, sizeof path, "%s/lbfgs.safetensors", test_dir("lbfgs"));
  problem whole = open_problem(&g, backend), first = open_problem(&g, backend),
          second = open_problem(&g, backend);
  run_steps(&whole, 7);
  run_steps(&first, 4);
  OK(glia_checkpoint_save(first.store, path, NULL, 0));
  OK(glia_checkpoint_load(second.store, path));
  run_steps(&second, 3);
  assert_int_equal(glia_store_count(second.store), glia_store_count(whole.store));
  for (int i = 0; i < glia_store_count(whole.store); i++) {
    const glia_tensor *a = glia_store_tensor(whole.store, i),
                      *b = glia_store_tensor(second.store, i);
    if (memcmp(glia_tensor_data(a), glia_tensor_data(b), glia_tensor_bytes(a)) != 0)
      fail_msg("%s: %s is another after a checkpoint", name, glia_store_name(whole.store, i));
  }
  assert_int_equal(glia_lbfgs_evaluations(second.l), glia_lbfgs_evaluations(whole.l));
  close_problem(&whole);
  close_problem(&first);
  close_problem(&second);
  golden_close(&g);
}

static void test_resume(void **state) {
  (void)state;
  assert_true(golden_each("lbfgs", resume, "ref") >= 14);
}

/* ---- any function ------------------------------------------------------------------------ */

/* A narrow curved valley (Rosenbrock 1960) in pairs of variables; least at 1. */
static glia_status valley(void *user, const double *x, double *f, double *g) {
  const int64_t n = *(const int64_t *)user;
  *f = 0;
  for (int64_t i = 0; i < n; i += 2) {
    const double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
    *f += a * a + 100 * b * b;
    g[i] = -2 * a - 400 * x[i] * b;
    g[i + 1] = 200 * b;
  }
  return GLIA_OK;
}

static void test_valley(void **state) {
  (void)state;
  int64_t n = 20;
  gi_lbfgs l = {
      .o = {.history = 10, .max_iter = 200, .max_eval = 400, .line_search = "strong_wolfe"}};
  double loss = 0;
  OK(gi_lbfgs_resolve(&l.o));
  OK(gi_lbfgs_open(&l, n, valley, &n));
  for (int64_t i = 0; i < n; i++) l.x[i] = i % 2 == 0 ? -1.2 : 1;
  OK(gi_lbfgs_step(&l, &loss));
  NEAR(loss, 242, 1e-9);
  for (int64_t i = 0; i < n; i++) NEAR(l.x[i], 1, 1e-5);
  assert_true(l.evaluations < 100);
  gi_lbfgs_close(&l);
}

/* ---- f32, bad input -----------------------------------------------------------------------
 */

/* sum (w - 3)^2, or log(sum w), of w [2], f32, which begins at 0. */
typedef struct bowl {
  glia_graph *graph;
  glia_store *store;
  glia_scope *s;
  glia_value loss;
} bowl;

static bowl open_bowl(bool log) {
  const int64_t two[] = {2};
  bowl b = {0};
  OK(glia_graph_new(&b.graph));
  OK(glia_store_new(&b.store));
  b.s = glia_scope_new(b.graph, b.store, NULL);
  const glia_value w = glia_parameter(b.s, "w", 1, two, (glia_init){.kind = GLIA_INIT_ZEROS});
  b.loss = glia_sum(glia_square(glia_sub(w, glia_scalar_like(w, 3))));
  if (log) b.loss = glia_log(glia_sum(w));
  return b;
}

static void close_bowl(bowl *b) {
  glia_graph_free(b->graph);
  glia_store_free(b->store);
}

static void test_f32(void **state) {
  (void)state;
  bowl b = open_bowl(false);
  glia_lbfgs *l;
  double loss;
  OK(glia_lbfgs_new(b.s, b.loss, &l));
  OK(glia_lbfgs_step(l, &loss));
  NEAR(loss, 18, 1e-6);
  for (int i = 0; i < 2; i++) NEAR(glia_tensor_get(glia_store_get(b.store, "w"), i), 3, 1e-5);
  OK(glia_lbfgs_step(l, NULL)); /* there is nothing left to do */
  assert_true(glia_lbfgs_evaluations(l) < 20);
  glia_lbfgs_free(l);
  glia_lbfgs_free(NULL);
  close_bowl(&b);
}

static void test_bad(void **state) {
  (void)state;
  bowl b = open_bowl(false);
  glia_lbfgs *l;
  FAILS(glia_lbfgs_new(b.s, b.loss, &l, .lr = -1), GLIA_INVALID, "lr");
  FAILS(glia_lbfgs_new(b.s, b.loss, &l, .max_iter = -1), GLIA_INVALID, "max_iter");
  FAILS(glia_lbfgs_new(b.s, b.loss, &l, .line_search = "wolfe"), GLIA_INVALID, "line_search");
  FAILS(glia_lbfgs_new(b.s, b.loss, &l, .prefix = "v"), GLIA_MODEL, "lbfgs: the graph has no");
  close_bowl(&b);
}

/* Counters that a file brought and that count nothing; state of another history. */
static void test_bad_state(void **state) {
  (void)state;
  golden g = golden_open("lbfgs/logistic_few_looks");
  problem p = open_problem(&g, "ref");
  run_steps(&p, 1);
  glia_tensor *counters = glia_store_get(p.store, "lbfgs.counters");
  glia_tensor_set(counters, 2, 1e9); /* pairs */
  FAILS(glia_lbfgs_step(p.l, NULL), GLIA_DATA, "lbfgs: counter 2 of the state is 1e+09");
  glia_tensor_set(counters, 2, NAN);
  FAILS(glia_lbfgs_step(p.l, NULL), GLIA_DATA, "nan");
  close_problem(&p);
  golden_close(&g);
  bowl b = open_bowl(false);
  glia_lbfgs *l;
  OK(glia_lbfgs_new(b.s, b.loss, &l, .history = 4));
  glia_lbfgs_free(l);
  glia_graph *again;
  OK(glia_graph_new(&again));
  glia_scope *s = glia_scope_new(again, b.store, NULL);
  const glia_value w = glia_parameter(s, "w", 1, (const int64_t[]){2}, (glia_init){0});
  FAILS(glia_lbfgs_new(s, glia_sum(glia_square(w)), &l, .history = 5), GLIA_INVALID,
        "gradient_changes in the store is f64 [4, 2], wanted state of f64 [5, 2]");
  glia_graph_free(again);
  close_bowl(&b);
}

/* A loss of minus infinity ends the step; the parameters stay. */
static void test_diverged(void **state) {
  (void)state;
  bowl b = open_bowl(true);
  glia_lbfgs *l;
  OK(glia_lbfgs_new(b.s, b.loss, &l));
  FAILS(glia_lbfgs_step(l, NULL), GLIA_DIVERGED, "lbfgs: the loss is -inf");
  NEAR(glia_tensor_get(glia_store_get(b.store, "w"), 0), 0, 0);
  glia_lbfgs_free(l);
  close_bowl(&b);
}

/* Each allocation of a driver and its first step fails once. */
static void test_without_memory(void **state) {
  (void)state;
  int64_t n = 4;
  double loss;
  for (int64_t i = 1; i < 1000; i++) {
    gi_lbfgs l = {.o = {.line_search = "strong_wolfe", .max_iter = 3}};
    OK(gi_lbfgs_resolve(&l.o));
    gi_alloc_fail_after(i);
    glia_status s = gi_lbfgs_open(&l, n, valley, &n);
    if (s == GLIA_OK) s = gi_lbfgs_step(&l, &loss);
    gi_alloc_fail_after(0);
    gi_lbfgs_close(&l);
    if (s == GLIA_OK) {
      assert_true(i > 10);
      return;
    }
    assert_int_equal(s, GLIA_NOMEM);
  }
  fail_msg("it never succeeds");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),    cmocka_unit_test(test_resume),
      cmocka_unit_test(test_bad_state), cmocka_unit_test(test_valley),
      cmocka_unit_test(test_f32),       cmocka_unit_test(test_bad),
      cmocka_unit_test(test_diverged),  cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("lbfgs", tests, NULL, NULL);
}
