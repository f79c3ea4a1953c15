/* Plans: the order of a training step, its peak, variables that others take over, the watched
 * value, and what glia_compile refuses.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"

/* ---- a deep perceptron ------------------------------------------------------------------- */

enum { LAYERS = 10, WIDTH = 128, BATCH = 96, CLASSES = 10 };

static glia_graph *perceptron(glia_store *store, const glia_optimizer *o, double clip_norm) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(
      g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true});
  glia_value h = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){BATCH, WIDTH});
  for (int i = 0; i < LAYERS; i++) {
    char name[32];
    snprintf(name, sizeof name, "layer%d", i);
    h = glia_dense(s, name, h, .units = WIDTH, .activation = "tanh");
  }
  h = glia_dense(s, "last", h, .units = CLASSES);
  const glia_value y = glia_input(g, "y", GLIA_I64, 1, (const int64_t[]){BATCH});
  glia_minimize(s, glia_output("loss", glia_cross_entropy_loss(h, y)), o,
                .clip_norm = clip_norm);
  OK(glia_graph_status(g));
  return g;
}

static glia_plan *compile_perceptron(glia_store *store, const glia_optimizer *o,
                                     double clip_norm, const char *backend) {
  glia_graph *g = perceptron(store, o, clip_norm);
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .backend = backend, .watch = "loss"));
  check_plan(p);
  glia_graph_free(g);
  return p;
}

/* One activation a layer, and at any time one gradient of a weight beside a few of activations.
 * With all gradients kept it would be ten of them; with the slopes kept, twice the activations.
 */
static void test_peak_of_a_deep_perceptron(void **state) {
  static const char *const backends[] = {"ref", NULL};
  const size_t activation = BATCH * WIDTH * sizeof(float),
               weight = WIDTH * WIDTH * sizeof(float);
  (void)state;
  for (int i = 0; i < GI_COUNT(backends); i++) {
    glia_store *store = NULL;
    OK(glia_store_new(&store));
    glia_plan *p = compile_perceptron(store, &glia_adam(), 0, backends[i]);
    const size_t bound = (LAYERS + 3) * activation + weight + 16384;
    if (p->memory.arena > bound)
      fail_msg("the arena has %zu bytes, at most %zu", p->memory.arena, bound);
    glia_plan_free(p);
    p = compile_perceptron(store, &glia_adam(), 1.0, backends[i]); /* the norm needs them all */
    assert_true(p->memory.arena > LAYERS * weight && p->memory.arena > bound);
    glia_plan_free(p);
    glia_store_free(store);
  }
}

static int step_of(const glia_plan *p, uint32_t node) {
  for (int i = 0; i < p->n_steps; i++)
    if (p->steps[i].node == node) return i;
  return -1;
}

/* Each weight's update is among the next steps behind the product that makes its gradient. */
static void check_updates(const glia_optimizer *o, const char *backend) {
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_plan *p = compile_perceptron(store, o, 0, backend);
  int updates = 0;
  for (int i = 0; i < p->n_steps; i++) {
    const gi_node *n = p->graph->nodes.at[p->steps[i].node];
    if (n->n_out == 0 || p->memory.place[n->out].kind != GI_IN_STORE) continue;
    if (p->graph->values.at[n->out]->type.rank != 2) continue;
    int gradient = -1;
    for (int k = 0; k < n->n_in; k++)
      gradient = GI_MAX(gradient, step_of(p, p->graph->values.at[n->in[k]]->node));
    assert_true(gradient >= 0);
    if (i - gradient > 3) fail_msg("update %d waits for %d steps", updates, i - gradient - 1);
    updates++;
  }
  assert_int_equal(updates, LAYERS + 1);
  glia_plan_free(p);
  glia_store_free(store);
}

static void test_updates_come_at_once(void **state) {
  static const glia_optimizer rules[] = {
      {.name = "sgd"},     {.name = "sgd", .momentum = 0.9},
      {.name = "adam"},    {.name = "adamw"},
      {.name = "rmsprop"}, {.name = "adagrad", .lr_decay = 0.1},
      {.name = "nadam"},   {.name = "adam", .lookahead = 5, .ema = 0.99}};
  (void)state;
  for (int i = 0; i < 2 * GI_COUNT(rules); i++)
    check_updates(&rules[i / 2], i % 2 ? "ref" : NULL);
}

/* ---- variables --------------------------------------------------------------------------- */

typedef struct cells { /* scalars a, b, c of a store, 1, 2, 3 */
  glia_graph *g;
  glia_store *store;
  glia_value v[3];
} cells;

static cells cells_new(void) {
  static const char *const names[] = {"a", "b", "c"};
  cells c;
  const gi_type t = {.dtype = GLIA_F32, .rank = 1, .dim = {2}};
  OK(glia_graph_new(&c.g));
  OK(glia_store_new(&c.store));
  c.g->store = c.store;
  for (int i = 0; i < 3; i++) {
    gi_entry *e = NULL;
    OK(gi_store_add(c.store, names[i], GLIA_BUFFER, &t, &e));
    for (int k = 0; k < 2; k++) glia_tensor_set(e->tensor, k, 1 + i + 10 * k);
    c.v[i] = gi_variable(c.g, names[i]);
  }
  return c;
}

/* Runs the graph `times` and looks at both elements of each variable. */
static void cells_check(cells *c, int times, double a, double b, double d) {
  static const char *const names[] = {"a", "b", "c"};
  const double want[] = {a, b, d};
  static const char *const skips[] = {NULL, "all"};
  for (int s = 0; s < 2; s++) {
    glia_plan *p = NULL;
    for (int i = 0; i < 3; i++)
      for (int k = 0; k < 2; k++)
        glia_tensor_set(glia_store_get(c->store, names[i]), k, 1 + i + 10 * k);
    OK(glia_compile(c->g, &p, .backend = "ref", .skip = skips[s]));
    check_plan(p);
    for (int i = 0; i < times; i++) OK(glia_plan_run(p));
    for (int i = 0; i < 3; i++)
      for (int k = 0; k < 2; k++)
        NEAR(glia_tensor_get(glia_store_get(c->store, names[i]), k), want[i] + 10 * k, 0);
    glia_plan_free(p);
  }
  glia_graph_free(c->g);
  glia_store_free(c->store);
}

static void test_variables_exchange_their_values(void **state) {
  (void)state;
  cells c = cells_new();
  glia_assign(c.v[0], c.v[1]);
  glia_assign(c.v[1], c.v[0]);
  cells_check(&c, 3, 2, 1, 3);
  c = cells_new(); /* in a circle */
  glia_assign(c.v[0], c.v[1]);
  glia_assign(c.v[1], c.v[2]);
  glia_assign(c.v[2], c.v[0]);
  cells_check(&c, 2, 3, 1, 2);
}

static void test_variables_hand_their_values_on(void **state) {
  (void)state;
  for (int order = 0; order < 2; order++) {
    cells c = cells_new();
    const glia_value ten = glia_add(c.v[0], glia_scalar_like(c.v[0], 4));
    if (order == 0) glia_assign(c.v[0], ten);
    glia_assign(c.v[order == 0 ? 1 : 2], c.v[order == 0 ? 0 : 1]);
    glia_assign(c.v[order == 0 ? 2 : 1], c.v[order == 0 ? 1 : 0]);
    if (order == 1) glia_assign(c.v[0], ten);
    cells_check(&c, 2, 9, 5, 1);
  }
}

static void test_variables_keep_or_share_their_values(void **state) {
  (void)state;
  cells c = cells_new();
  const glia_value sum = glia_add(c.v[0], glia_scalar_like(c.v[0], 1));
  glia_assign(c.v[0], c.v[0]);
  glia_assign(c.v[1], sum);
  glia_assign(c.v[2], sum); /* one new value for two */
  cells_check(&c, 1, 1, 2, 2);
}

/* An output that is a variable shows the value that the step began with. */
static void test_outputs_show_old_values(void **state) {
  (void)state;
  cells c = cells_new();
  glia_plan *p = NULL;
  glia_output("old", c.v[0]);
  glia_output("again", c.v[0]);
  glia_output("new", glia_add(c.v[0], glia_scalar_like(c.v[0], 1)));
  glia_assign(c.v[0], glia_add(c.v[0], glia_scalar_like(c.v[0], 1)));
  OK(glia_compile(c.g, &p, .backend = "ref"));
  check_plan(p);
  for (int i = 0; i < 3; i++) {
    OK(glia_plan_run(p));
    NEAR(glia_tensor_get(glia_plan_output(p, "old"), 0), 1 + i, 0);
    NEAR(glia_tensor_get(glia_plan_output(p, "again"), 0), 1 + i, 0);
    NEAR(glia_tensor_get(glia_plan_output(p, "new"), 0), 2 + i, 0);
  }
  glia_plan_free(p);
  glia_graph_free(c.g);
  glia_store_free(c.store);
}

static void test_assignments_refused(void **state) {
  (void)state;
  cells c = cells_new();
  glia_assign(c.v[0], c.v[1]);
  glia_assign(c.v[0], c.v[2]);
  FAILS(glia_graph_status(c.g), GLIA_INVALID, "a is assigned twice");
  glia_graph_free(c.g);
  glia_store_free(c.store);
  c = cells_new();
  glia_assign(c.v[0], glia_sum(c.v[1]));
  FAILS(glia_graph_status(c.g), GLIA_SHAPE, "a is f32 [2], the new value f32 []");
  glia_graph_free(c.g);
  glia_store_free(c.store);
  c = cells_new();
  glia_assign(glia_exp(c.v[0]), c.v[1]);
  FAILS(glia_graph_status(c.g), GLIA_INVALID, "the target is a exp, not a variable");
  glia_graph_free(c.g);
  glia_store_free(c.store);
}

/* ---- the watched value ------------------------------------------------------------------- */

/* The new value of a variable lies on the way to the loss: it must not be there before the loss
 * is known, whatever is written over what. */
static void test_variables_on_the_way_to_the_loss(void **state) {
  static const double bad[] = {NAN, INFINITY, -INFINITY};
  (void)state;
  cells c = cells_new();
  glia_plan *p = NULL;
  glia_tensor *x = NULL;
  const glia_value moved = glia_mul(c.v[0], glia_scalar_like(c.v[0], 0.5));
  const glia_value in = glia_input(c.g, "x", GLIA_F32, 1, (const int64_t[]){2});
  glia_assign(c.v[0], moved);
  glia_assign(c.v[1], glia_add(c.v[1], in));
  glia_output("loss", glia_reshape(glia_sum(glia_mul(moved, in)), 1, (const int64_t[]){1}));
  OK(glia_compile(c.g, &p, .backend = "ref", .watch = "loss"));
  check_plan(p);
  assert_true(p->watch_step >= 0);
  OK(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){2}, &x));
  OK(glia_plan_bind(p, "x", x));
  for (int i = 0; i < GI_COUNT(bad); i++) {
    glia_tensor_set(x, 1, bad[i]);
    FAILS(glia_plan_run(p), GLIA_DIVERGED, "");
    NEAR(glia_tensor_get(glia_store_get(c.store, "a"), 0), 1, 0);
    NEAR(glia_tensor_get(glia_store_get(c.store, "b"), 0), 2, 0);
  }
  glia_tensor_set(x, 1, 1);
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_store_get(c.store, "a"), 0), 0.5, 0);
  NEAR(glia_tensor_get(glia_store_get(c.store, "b"), 1), 13, 0);
  glia_plan_free(p);
  glia_tensor_free(x);
  glia_graph_free(c.g);
  glia_store_free(c.store);
}

static void test_watch_refused(void **state) {
  (void)state;
  cells c = cells_new();
  glia_plan *p = NULL;
  glia_output("wide", glia_exp(c.v[0]));
  glia_output("count", glia_argmax(c.v[0], 0, false));
  FAILS(glia_compile(c.g, &p, .watch = "loss"), GLIA_INVALID, "no output \"loss\"");
  FAILS(glia_compile(c.g, &p, .watch = "wide"), GLIA_SHAPE, "\"wide\" is no scalar float");
  FAILS(glia_compile(c.g, &p, .watch = "count"), GLIA_SHAPE, "\"count\" is no scalar float");
  assert_null(p);
  glia_graph_free(c.g);
  glia_store_free(c.store);
}

/* ---- options ----------------------------------------------------------------------------- */

static void test_compile_refuses(void **state) {
  (void)state;
  cells c = cells_new();
  glia_plan *p = NULL;
  glia_output("y", glia_exp(c.v[0]));
  FAILS(glia_compile(c.g, &p, .backend = "gpu"), GLIA_INVALID, "there is no \"gpu\"");
  FAILS(glia_compile(c.g, &p, .skip = "fuse,simplfy"), GLIA_INVALID,
        "there is no pass \"simplfy\"; did you mean \"simplify\"?");
  FAILS(glia_compile(c.g, &p, .dump = "grat"), GLIA_INVALID, "did you mean \"grad\"?");
  OK(glia_compile(c.g, &p, .skip = "", .dump = "all"));
  char *text = glia_plan_text(p);
  static const char *const parts[] = {"---- grad",   "---- simplify", "---- fuse_ops",
                                      "---- fuse\n", "---- layout",   "output y"};
  for (int i = 0; i < GI_COUNT(parts); i++) assert_non_null(strstr(text, parts[i]));
  free(text);
  glia_plan_free(p);
  glia_output("y", c.v[0]);
  FAILS(glia_compile(c.g, &p), GLIA_INVALID, "there is one of this name");
  glia_graph_free(c.g);
  glia_store_free(c.store);
}

/* No roots: an empty plan that runs. */
static void test_empty_graph(void **state) {
  (void)state;
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  OK(glia_graph_new(&g));
  OK(glia_compile(g, &p));
  OK(glia_plan_run(p));
  assert_null(glia_plan_output(p, "y"));
  char *text = glia_plan_text(p);
  assert_non_null(text);
  free(text);
  glia_plan_free(p);
  glia_graph_free(g);
}

/* Tensors without elements go through all ops that take them. */
static void test_no_elements(void **state) {
  static const char *const backends[] = {"ref", NULL};
  (void)state;
  for (int i = 0; i < GI_COUNT(backends); i++) {
    glia_graph *g = NULL;
    glia_plan *p = NULL;
    glia_tensor *x = NULL;
    const int64_t shape[] = {0, 4};
    OK(glia_graph_new(&g));
    const glia_value in = glia_input(g, "x", GLIA_F32, 2, shape);
    const glia_value y =
        glia_relu(glia_add(glia_matmul(in, in, .transpose_b = true), glia_scalar_like(in, 1)));
    glia_output("y", y);
    glia_output("z", glia_softmax(glia_exp(in), 1));
    glia_output("sum", glia_sum(in, .n = 1, .axes = {0}));
    OK(glia_compile(g, &p, .backend = backends[i]));
    check_plan(p);
    OK(glia_tensor_new(GLIA_F32, 2, shape, &x));
    OK(glia_plan_bind(p, "x", x));
    OK(glia_plan_run(p));
    assert_int_equal(glia_tensor_count(glia_plan_output(p, "z")), 0);
    NEAR(glia_tensor_get(glia_plan_output(p, "sum"), 3), 0, 0);
    glia_plan_free(p);
    glia_tensor_free(x);
    glia_graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_peak_of_a_deep_perceptron),
      cmocka_unit_test(test_updates_come_at_once),
      cmocka_unit_test(test_variables_exchange_their_values),
      cmocka_unit_test(test_variables_hand_their_values_on),
      cmocka_unit_test(test_variables_keep_or_share_their_values),
      cmocka_unit_test(test_outputs_show_old_values),
      cmocka_unit_test(test_assignments_refused),
      cmocka_unit_test(test_variables_on_the_way_to_the_loss),
      cmocka_unit_test(test_watch_refused),
      cmocka_unit_test(test_compile_refuses),
      cmocka_unit_test(test_empty_graph),
      cmocka_unit_test(test_no_elements),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
