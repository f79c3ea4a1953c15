/* Running plans: bound inputs, watched losses, chance as a function of seed and step, lone
 * expressions.
 */
#include "test.h"

#include "compile/plan.h"
#include "glia/glia.h"
#include "graph/graph.h"

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

static glia_tensor *tensor(int rank, const int64_t *shape, double first) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(GLIA_F32, rank, shape, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) glia_tensor_set(t, i, first + (double)i);
  return t;
}

/* ---- binding ----------------------------------------------------------------------------- */

static glia_plan *twice_x(void) {
  glia_plan *p = NULL;
  glia_graph *g = graph();
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){2, 3});
  glia_output("y", glia_mul(x, glia_scalar_like(x, 2)));
  OK(glia_compile(g, &p));
  glia_graph_free(g);
  return p;
}

static void test_binding_errors(void **state) {
  (void)state;
  glia_plan *p = twice_x();
  glia_tensor *t = tensor(2, (const int64_t[]){3, 2}, 0), *i = NULL;
  OK(glia_tensor_new(GLIA_I64, 2, (const int64_t[]){2, 3}, &i));
  FAILS(glia_plan_run(p), GLIA_INVALID, "nothing is bound to input \"x\"");
  FAILS(glia_plan_bind(p, "z", t), GLIA_INVALID, "no input \"z\"");
  FAILS(glia_plan_bind(p, "x", t), GLIA_SHAPE, "input \"x\" is f32 [2, 3], got f32 [3, 2]");
  FAILS(glia_plan_bind(p, "x", i), GLIA_DTYPE, "got i64 [2, 3]");
  FAILS(glia_plan_run(p), GLIA_INVALID, "nothing is bound");
  assert_null(glia_plan_output(p, "x"));
  glia_plan_free(p);
  glia_tensor_free(t);
  glia_tensor_free(i);
}

static void test_memory_is_bound_not_copied(void **state) {
  (void)state;
  glia_plan *p = twice_x();
  glia_tensor *t = tensor(2, (const int64_t[]){2, 3}, 1);
  OK(glia_plan_bind(p, "x", t));
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 5), 12, 0);
  glia_tensor_set(t, 5, 100);
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 5), 200, 0);
  NEAR(glia_tensor_get(t, 5), 100, 0); /* inputs are never written */
  glia_plan_free(p);
  glia_tensor_free(t);
}

static void test_views_are_made_dense(void **state) {
  (void)state;
  glia_plan *p = twice_x();
  glia_tensor *t = tensor(2, (const int64_t[]){3, 2}, 0), *turned = NULL, *row = NULL,
              *wide = NULL;
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &turned));
  OK(glia_plan_bind(p, "x", turned));
  OK(glia_plan_run(p));
  static const double want[] = {0, 4, 8, 2, 6, 10};
  for (int i = 0; i < 6; i++) NEAR(glia_tensor_get(glia_plan_output(p, "y"), i), want[i], 0);
  glia_tensor_free(turned); /* it was copied */
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 1), 4, 0);
  row = tensor(1, (const int64_t[]){3}, 5);
  OK(glia_tensor_broadcast(row, 2, (const int64_t[]){2, 3}, &wide));
  OK(glia_plan_bind(p, "x", wide));
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 3), 10, 0);
  glia_plan_free(p);
  glia_tensor_free(wide);
  glia_tensor_free(row);
  glia_tensor_free(t);
}

/* A binding that fails changes nothing: the copy of the view before is still there. */
static void test_binding_without_memory(void **state) {
  (void)state;
  glia_plan *p = twice_x();
  glia_tensor *t = tensor(2, (const int64_t[]){3, 2}, 0), *turned = NULL;
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &turned));
  OK(glia_plan_bind(p, "x", turned));
  glia_tensor_set(t, 5, 50);
  gi_alloc_fail_after(1);
  FAILS(glia_plan_bind(p, "x", turned), GLIA_NOMEM, "");
  gi_alloc_fail_after(0);
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 5), 10, 0);
  glia_plan_free(p);
  glia_tensor_free(turned);
  glia_tensor_free(t);
}

/* An input that goes straight to an output or into a variable. */
static void test_inputs_at_the_ends(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_store *store = NULL;
  glia_plan *p = NULL;
  const gi_type t = {.dtype = GLIA_F32, .rank = 2, .dim = {2, 3}};
  OK(glia_store_new(&store));
  OK(gi_store_add(store, "v", GLIA_BUFFER, &t, NULL));
  g->store = store;
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, t.dim);
  glia_output("same", x);
  glia_output("flat", glia_reshape(x, 1, (const int64_t[]){6}));
  glia_assign(gi_variable(g, "v"), x);
  OK(glia_compile(g, &p));
  glia_tensor *a = tensor(2, t.dim, 1), *b = tensor(2, t.dim, 10);
  for (int i = 0; i < 2; i++) {
    OK(glia_plan_bind(p, "x", i == 0 ? a : b));
    OK(glia_plan_run(p));
    NEAR(glia_tensor_get(glia_plan_output(p, "same"), 5), i == 0 ? 6 : 15, 0);
    NEAR(glia_tensor_get(glia_plan_output(p, "flat"), 5), i == 0 ? 6 : 15, 0);
    NEAR(glia_tensor_get(glia_store_get(store, "v"), 5), i == 0 ? 6 : 15, 0);
  }
  glia_plan_free(p);
  glia_graph_free(g);
  glia_store_free(store);
  glia_tensor_free(a);
  glia_tensor_free(b);
}

/* ---- losses that are not finite ---------------------------------------------------------- */

typedef struct training {
  glia_store *store;
  glia_plan *plan;
  glia_tensor *x, *y;
  char *before; /* every byte of the store */
} training;

static glia_value three_layers(glia_scope *s, glia_value x) {
  x = glia_dense(s, "fc1", x, .units = 6, .activation = "relu");
  x = glia_dropout(s, "drop", x, 0.25);
  x = glia_dense(s, "fc2", x, .units = 5, .activation = "tanh");
  return glia_dense(s, "fc3", x, .units = 3);
}

static training training_new(const char *backend) {
  training t = {0};
  glia_graph *g = graph();
  OK(glia_store_new(&t.store));
  glia_scope *s = glia_scope_new(
      g, t.store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true});
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){4, 7});
  const glia_value y = glia_input(g, "y", GLIA_I64, 1, (const int64_t[]){4});
  const glia_value loss = glia_output("loss", glia_cross_entropy_loss(three_layers(s, x), y));
  glia_minimize(s, loss, &glia_adam());
  OK(glia_compile(g, &t.plan, .backend = backend, .watch = "loss"));
  glia_graph_free(g);
  t.x = tensor(2, (const int64_t[]){4, 7}, -0.5);
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){4}, &t.y));
  OK(glia_plan_bind(t.plan, "x", t.x));
  OK(glia_plan_bind(t.plan, "y", t.y));
  OK(glia_plan_run(t.plan)); /* states are no longer zeros */
  return t;
}

static void training_free(training *t) {
  glia_plan_free(t->plan);
  glia_store_free(t->store);
  glia_tensor_free(t->x);
  glia_tensor_free(t->y);
  free(t->before);
}

/* The bytes of all tensors, one behind the other; owned. */
static char *bytes_of(const glia_store *s, size_t *n) {
  char *all = NULL;
  *n = 0;
  for (int i = 0; i < glia_store_count(s); i++) {
    const glia_tensor *t = glia_store_tensor(s, i);
    all = realloc(all, *n + glia_tensor_bytes(t));
    assert_non_null(all);
    memcpy(all + *n, glia_tensor_data(t), glia_tensor_bytes(t));
    *n += glia_tensor_bytes(t);
  }
  return all;
}

/* The step stops, nothing has changed, and the message names where it began. */
static void check_stops(training *t, const char *layer, const char *what) {
  size_t n, m;
  char *before = bytes_of(t->store, &n);
  for (int i = 0; i < 2; i++) { /* and again */
    FAILS(glia_plan_run(t->plan), GLIA_DIVERGED, "");
    FAILS(glia_plan_diagnose(t->plan), GLIA_DIVERGED, layer);
    FAILS(glia_plan_diagnose(t->plan), GLIA_DIVERGED, what);
  }
  char *after = bytes_of(t->store, &m);
  assert_int_equal(n, m);
  assert_memory_equal(before, after, n);
  free(before);
  free(after);
}

static void each_backend(void (*check)(const char *backend)) {
  check("ref");
  check(NULL);
}

static void nan_in_a_weight(const char *backend) {
  training t = training_new(backend);
  glia_tensor_set(glia_store_get(t.store, "fc2.weight"), 3, NAN);
  check_stops(&t, "fc2", "element 3 of fc2.weight is nan");
  glia_tensor_set(glia_store_get(t.store, "fc2.weight"), 3, 0.5);
  OK(glia_plan_run(t.plan)); /* cured */
  training_free(&t);
}

static void infinite_input(const char *backend) {
  training t = training_new(backend);
  glia_tensor_set(t.x, 9, INFINITY);
  check_stops(&t, "fc1", "element 9 of x is inf");
  training_free(&t);
}

static void overflow_inside(const char *backend) {
  training t = training_new(backend);
  glia_tensor *w = glia_store_get(t.store, "fc3.weight");
  for (int64_t i = 0; i < glia_tensor_count(w); i++)
    glia_tensor_set(w, i, i % 2 ? 3e38 : -3e38);
  check_stops(&t, "fc3", "fc3");
  training_free(&t);
}

static void test_nan_in_a_weight(void **state) { (void)state, each_backend(nan_in_a_weight); }
static void test_infinite_input(void **state) { (void)state, each_backend(infinite_input); }
static void test_overflow_inside(void **state) { (void)state, each_backend(overflow_inside); }

static void test_diagnosis_wants_a_watch(void **state) {
  (void)state;
  glia_plan *p = twice_x();
  FAILS(glia_plan_diagnose(p), GLIA_INVALID, "watches no value");
  glia_plan_free(p);
}

/* ---- chance ------------------------------------------------------------------------------ */

enum { MANY = 500 };

static glia_plan *chance_plan(const char *backend, int threads, const char *skip,
                              uint64_t seed) {
  glia_plan *p = NULL;
  glia_graph *g = graph();
  const int64_t shape[] = {MANY};
  glia_value v = glia_random_uniform(g, GLIA_F32, 1, shape, -1, 1, 7);
  v = glia_dropout_with(glia_add(v, glia_scalar_like(v, 3)), 0.4, 8);
  glia_output("a", v);
  glia_output("b", glia_random_normal(g, GLIA_F32, 1, shape, 0, 1, 9));
  OK(glia_compile(g, &p, .backend = backend, .threads = threads, .skip = skip, .seed = seed));
  glia_graph_free(g);
  return p;
}

static double sum_of(const glia_plan *p, const char *name) {
  double sum = 0;
  const glia_tensor *t = glia_plan_output(p, name);
  for (int64_t i = 0; i < glia_tensor_count(t); i++)
    sum += glia_tensor_get(t, i) * (double)(i % 17 + 1);
  return sum;
}

static void test_chance_is_seed_and_step(void **state) {
  static const struct {
    const char *backend;
    int threads;
    const char *skip;
  } ways[] = {
      {"ref", 1, NULL}, {"ref", 1, "all"}, {NULL, 1, NULL}, {NULL, 2, NULL}, {NULL, 3, "all"}};
  double first[3][2];
  (void)state;
  for (int w = 0; w < GI_COUNT(ways); w++) {
    glia_plan *p = chance_plan(ways[w].backend, ways[w].threads, ways[w].skip, 5);
    for (int step = 0; step < 3; step++) {
      OK(glia_plan_run(p));
      const double a = sum_of(p, "a"), b = sum_of(p, "b");
      if (w == 0) {
        first[step][0] = a;
        first[step][1] = b;
      }
      NEAR(a, first[step][0], 1e-2); /* f32 may differ by rounding between backends */
      NEAR(b, first[step][1], 1e-2);
    }
    glia_plan_clock(p, 5, 1); /* back to the second step */
    OK(glia_plan_run(p));
    NEAR(sum_of(p, "a"), first[1][0], 1e-2);
    glia_plan_clock(p, 6, 1); /* another seed */
    OK(glia_plan_run(p));
    assert_true(fabs(sum_of(p, "a") - first[1][0]) > 1 &&
                fabs(sum_of(p, "b") - first[1][1]) > 1);
    glia_plan_free(p);
  }
  assert_true(fabs(first[0][0] - first[1][0]) > 1 && fabs(first[1][1] - first[2][1]) > 1);
}

/* A step that was stopped was no step: it draws the same again. */
static void test_stopped_steps_do_not_count(void **state) {
  (void)state;
  training t = training_new("ref");
  glia_tensor *x = t.x;
  const uint64_t step = t.plan->clock.step;
  glia_tensor_set(x, 0, NAN);
  FAILS(glia_plan_run(t.plan), GLIA_DIVERGED, "");
  assert_true(t.plan->clock.step == step);
  glia_tensor_set(x, 0, 1);
  OK(glia_plan_run(t.plan));
  assert_true(t.plan->clock.step == step + 1);
  training_free(&t);
}

/* ---- lone expressions -------------------------------------------------------------------- */

static void test_eval(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_tensor *t = NULL;
  const glia_value a = glia_scalar(g, GLIA_F64, 3);
  const glia_value x = glia_input(g, "x", GLIA_F64, 0, NULL);
  const glia_value b = glia_add(glia_square(a), glia_scalar(g, GLIA_F64, 1));
  const glia_value c = glia_mul(b, x);
  glia_output("other", c);
  OK(glia_eval(b, &t));
  NEAR(glia_tensor_get(t, 0), 10, 0);
  glia_tensor_free(t);
  t = NULL;
  FAILS(glia_eval(c, &t), GLIA_INVALID, "nothing is bound to input \"x\"");
  FAILS(glia_eval(GLIA_NONE, &t), GLIA_INVALID, "null value");
  glia_add(a, glia_scalar(g, GLIA_F32, 1));
  FAILS(glia_eval(b, &t), GLIA_DTYPE, "add");
  assert_null(t);
  glia_graph_free(g);
}

/* Reads the store, but does not carry out the graph's assignments. */
static void test_eval_reads_variables(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_store *store = NULL;
  glia_tensor *t = NULL;
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const glia_value w = glia_parameter(s, "w", 1, (const int64_t[]){2},
                                      (glia_init){.kind = GLIA_INIT_CONSTANT, .a = 4});
  glia_assign(w, glia_neg(w));
  for (int i = 0; i < 2; i++) {
    OK(glia_eval(glia_sqrt(w), &t));
    NEAR(glia_tensor_get(t, 1), 2, 0);
    glia_tensor_free(t);
  }
  OK(glia_eval(w, &t));
  NEAR(glia_tensor_get(t, 1), 4, 0);
  glia_tensor_free(t);
  glia_graph_free(g);
  glia_store_free(store);
}

/* ---- what a plan says of itself ---------------------------------------------------------- */

static void test_text_names_every_layer(void **state) {
  static const char *const parts[] = {"fc1",        "drop", "fc2",         "fc3",
                                      "fc1.weight", "peak", "backend ref", "reference"};
  (void)state;
  training t = training_new("ref");
  char *text = glia_plan_text(t.plan);
  for (int i = 0; i < GI_COUNT(parts); i++)
    if (strstr(text, parts[i]) == NULL) fail_msg("no %s in\n%s", parts[i], text);
  free(text);
  assert_true(glia_plan_flops(t.plan) > 2 * 4 * (7 * 6 + 6 * 5 + 5 * 3));
  assert_true(glia_plan_bytes(t.plan) > 4 * 4 * (6 + 5 + 3));
  training_free(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_binding_errors),
      cmocka_unit_test(test_memory_is_bound_not_copied),
      cmocka_unit_test(test_views_are_made_dense),
      cmocka_unit_test(test_binding_without_memory),
      cmocka_unit_test(test_inputs_at_the_ends),
      cmocka_unit_test(test_nan_in_a_weight),
      cmocka_unit_test(test_infinite_input),
      cmocka_unit_test(test_overflow_inside),
      cmocka_unit_test(test_diagnosis_wants_a_watch),
      cmocka_unit_test(test_chance_is_seed_and_step),
      cmocka_unit_test(test_stopped_steps_do_not_count),
      cmocka_unit_test(test_eval),
      cmocka_unit_test(test_eval_reads_variables),
      cmocka_unit_test(test_text_names_every_layer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
