/* Fusion: which elementwise ops become one kernel, where a group would close a circle, the
 * limits of a program; and that the update of a parameter is one kernel with every optimiser.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"
#include "ops/fused.h"

enum { ROWS = 3, COLS = 5, COUNT = ROWS * COLS };
static const int64_t shape[] = {ROWS, COLS};

static glia_graph *graph(void) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return g;
}

static glia_value input(glia_graph *g, const char *name) {
  return glia_input(g, name, GLIA_F32, 2, shape);
}

/* Compiles with fusion, checks the memory and the result "y" against the unfused reference. */
static glia_plan *compile(glia_graph *g, const char *backend) {
  static const char *const names[] = {"a", "b", "c"};
  glia_plan *p = NULL, *plain = NULL;
  glia_tensor *t[3] = {NULL};
  OK(glia_compile(g, &p, .backend = backend));
  OK(glia_compile(g, &plain, .backend = "ref", .skip = "all"));
  check_plan(p);
  for (int i = 0; i < 3; i++) {
    OK(glia_tensor_new(GLIA_F32, 2, shape, &t[i]));
    for (int64_t k = 0; k < COUNT; k++) glia_tensor_set(t[i], k, sin((double)(3 * k + i)));
    if (glia_plan_bind(p, names[i], t[i]) == GLIA_OK) OK(glia_plan_bind(plain, names[i], t[i]));
  }
  OK(glia_plan_run(p));
  OK(glia_plan_run(plain));
  const glia_tensor *y = glia_plan_output(p, "y"), *want = glia_plan_output(plain, "y");
  for (int64_t k = 0; k < glia_tensor_count(want); k++)
    NEAR(glia_tensor_get(y, k), glia_tensor_get(want, k), 1e-5);
  for (int i = 0; i < 3; i++) glia_tensor_free(t[i]); /* the plan does not run again */
  glia_plan_free(plain);
  return p;
}

static void check_steps(glia_graph *g, int want, const char *what) {
  static const char *const backends[] = {"ref", NULL};
  OK(glia_graph_status(g));
  for (int i = 0; i < GI_COUNT(backends); i++) {
    glia_plan *p = compile(g, backends[i]);
    if (p->n_steps != want) {
      char *text = glia_plan_text(p);
      printf("%s", text);
      free(text);
      fail_msg("%s: %d kernels, wanted %d", what, p->n_steps, want);
    }
    glia_plan_free(p);
  }
  glia_graph_free(g);
}

/* ---- groups ------------------------------------------------------------------------------ */

static void test_a_run_is_one_kernel(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = input(g, "a"), b = input(g, "b");
  const glia_value t = glia_tanh(glia_mul(glia_add(a, b), glia_scalar_like(a, 3)));
  glia_output("z", t); /* a value inside the group that is wanted outside as well */
  glia_output("y", glia_where(glia_greater(t, a), t, glia_exp(b)));
  check_steps(g, 1, "a run");
}

/* exp(a) / sum(exp(a)): the quotient needs a sum over the whole of what would be its own group.
 */
static void test_circle_through_a_reduction(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value e = glia_exp(input(g, "a"));
  glia_output("y", glia_div(e, glia_sum(e, .n = 1, .axes = {1}, .keep = true)));
  check_steps(g, 2, "softmax by hand"); /* exp and the sum; the quotient */
}

static void test_circle_through_a_product(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = glia_square(input(g, "a")), b = input(g, "b");
  const glia_value m = glia_matmul(glia_matmul(a, b, .transpose_b = true), a);
  glia_output("y", glia_sub(glia_tanh(a), glia_tanh(m)));
  check_steps(g, 4, "around two products"); /* a and tanh(a); two products; the rest */
}

/* The way back leads through another group of another shape. */
static void test_circle_through_other_groups(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value a = glia_exp(input(g, "a"));
  const glia_value s = glia_sum(a);                         /* [] */
  const glia_value k = glia_sqrt(glia_add(s, glia_abs(s))); /* a group of scalars */
  const glia_value b = glia_mul(input(g, "b"), k);          /* [3, 5] again, behind it */
  const glia_value c = glia_sub(glia_tanh(a), input(g, "c"));
  glia_output("y", glia_add(glia_mul(b, c), glia_relu(b)));
  check_steps(g, 3, "two bands"); /* exp, its sum, tanh and c; the scalars; b and the end */
}

/* Each half could go into one group with the end, both could not: x1 -> r -> x2. */
static void test_circle_between_two_groups(void **state) {
  (void)state;
  glia_graph *g = graph();
  const glia_value x1 = glia_exp(input(g, "a")), x2 = glia_exp(input(g, "b"));
  const glia_value r = glia_sum(x1, .n = 1, .axes = {0}, .keep = true);
  const glia_value s = glia_sum(glia_mul(x2, r), .n = 1, .axes = {0}, .keep = true);
  glia_output("y", glia_add(glia_mul(x1, s), x2));
  OK(glia_graph_status(g));
  glia_plan *p = compile(g, "ref");
  assert_true(p->n_steps >= 3);
  glia_plan_free(p);
  glia_graph_free(g);
}

/* The slope of tanh is made of its result alone: it goes where the gradient wants it, not into
 * the kernel of tanh, which would have to keep a second result for it. */
static void test_slopes_sink_into_the_gradient(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_value d;
  const glia_value a = input(g, "a"), b = input(g, "b");
  const glia_value t = glia_tanh(glia_mul(a, b));
  const glia_value m = glia_matmul(t, b, .transpose_b = true);
  OK(glia_grad(glia_sum(glia_exp(m)), &a, 1, &d));
  glia_output("y", d);
  OK(glia_graph_status(g));
  glia_plan *p = compile(g, "ref");
  for (int i = 0; i < p->n_steps; i++)
    assert_int_equal(p->graph->nodes.at[p->steps[i].node]->n_out, 1);
  assert_int_equal(p->n_steps, 5); /* tanh, product, exp; its gradient, the slope */
  glia_plan_free(p);
  glia_graph_free(g);
}

/* ---- limits ------------------------------------------------------------------------------ */

static void test_length_of_a_program(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_value v = input(g, "a");
  for (int i = 0; i < 2 * GI_FUSED_CODE; i++) v = i % 2 == 0 ? glia_tanh(v) : glia_sin(v);
  glia_output("y", v);
  check_steps(g, 2, "twice as long as a program");
}

static void test_inputs_of_a_program(void **state) {
  (void)state;
  glia_graph *g = graph();
  glia_value v = input(g, "a");
  const int64_t one[] = {1};
  for (int i = 0; i < 3 * GI_FUSED_IN; i++) { /* rows of constants that differ */
    float data[COLS];
    for (int k = 0; k < COLS; k++) data[k] = (float)sin(i * 7 + k);
    v = glia_add(v, glia_constant(g, GLIA_F32, 1, (const int64_t[]){COLS}, data));
    v = glia_mul(v, glia_constant(g, GLIA_F32, 1, one, (const float[]){0.9f}));
  }
  glia_output("y", v);
  OK(glia_graph_status(g));
  for (int i = 0; i < 2; i++) {
    glia_plan *p = compile(g, i == 0 ? "ref" : NULL);
    assert_true(p->n_steps >= 4 && p->n_steps <= 8);
    for (int k = 0; k < p->n_steps; k++)
      assert_true(p->graph->nodes.at[p->steps[k].node]->n_in <= GI_FUSED_IN);
    glia_plan_free(p);
  }
  glia_graph_free(g);
}

static void test_results_of_a_program(void **state) {
  (void)state;
  char name[32];
  glia_graph *g = graph();
  glia_value v = input(g, "a");
  for (int i = 0; i < 3 * GI_FUSED_OUT; i++) {
    snprintf(name, sizeof name, "y%d", i);
    v = glia_output(name, glia_sin(v));
  }
  glia_output("y", v);
  OK(glia_graph_status(g));
  glia_plan *p = compile(g, NULL);
  assert_true(p->n_steps >= 3 && p->n_steps <= 6);
  glia_plan_free(p);
  glia_graph_free(g);
}

/* ---- updates ----------------------------------------------------------------------------- */

/* Steps that write a variable whose name begins with `prefix`. */
static int steps_that_write(const glia_plan *p, const char *prefix) {
  int n = 0;
  for (int i = 0; i < p->n_steps; i++) {
    const gi_node *node = p->graph->nodes.at[p->steps[i].node];
    bool writes = false;
    for (int k = 0; k < node->n_out; k++) {
      const gi_place *place = &p->memory.place[node->out + (uint32_t)k];
      if (place->kind != GI_IN_STORE) continue;
      const gi_val *v = p->graph->values.at[place->source];
      const gi_input_attr *a = p->graph->nodes.at[v->node]->attr;
      writes |= strncmp(a->name, prefix, strlen(prefix)) == 0;
    }
    n += writes;
  }
  return n;
}

static glia_plan *training_step(glia_store *store, const glia_optimizer *o, const char *backend,
                                double clip_value) {
  glia_graph *g = graph();
  glia_plan *p = NULL;
  glia_scope *s = glia_scope_new(
      g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true});
  const glia_value x = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){4, 6});
  const glia_value y = glia_input(g, "y", GLIA_I64, 1, (const int64_t[]){4});
  glia_value h = glia_dense(s, "one", x, .units = 7, .activation = "relu");
  h = glia_dense(s, "two", h, .units = 3);
  const glia_value loss = glia_output("loss", glia_cross_entropy_loss(h, y));
  glia_minimize(s, loss, o, .lr = glia_input(g, "lr", GLIA_F64, 0, NULL),
                .clip_value = clip_value);
  OK(glia_compile(g, &p, .backend = backend, .watch = "loss"));
  check_plan(p);
  glia_graph_free(g);
  return p;
}

static void test_an_update_is_one_kernel(void **state) {
  static const glia_optimizer rules[] = {
      {.name = "sgd"},
      {.name = "sgd", .momentum = 0.9, .nesterov = true, .weight_decay = 0.1},
      {.name = "adam"},
      {.name = "adamw"},
      {.name = "adam", .weight_decay = 0.1},
      {.name = "rmsprop", .momentum = 0.9, .centered = true, .weight_decay = 0.1},
      {.name = "adagrad", .lr_decay = 0.1, .weight_decay = 0.1},
      {.name = "sgd", .momentum = 0.9, .dampening = 0.5, .maximize = true, .l1 = 0.1},
      {.name = "adamw", .amsgrad = true},
      {.name = "nadam", .weight_decay = 0.1},
      {.name = "radam", .weight_decay = 0.1},
      {.name = "adamax", .weight_decay = 0.1},
      {.name = "asgd", .weight_decay = 0.1},
      {.name = "adadelta", .weight_decay = 0.1},
      {.name = "lion", .weight_decay = 0.1},
      {.name = "sgd", .swa = true, .swa_start = 2, .swa_every = 3},
      {.name = "adam", .amsgrad = true, .lookahead = 5, .ema = 0.99}};
  static const char *const params[] = {"one.weight", "one.bias", "two.weight", "two.bias"};
  (void)state;
  for (int i = 0; i < 2 * GI_COUNT(rules); i++) {
    glia_store *store = NULL;
    OK(glia_store_new(&store));
    glia_plan *p = training_step(store, &rules[i / 2], i % 2 ? "ref" : NULL, i % 3 ? 0 : 0.5);
    for (int k = 0; k < GI_COUNT(params); k++) {
      /* one step writes the parameter and all of its state */
      const int writers = steps_that_write(p, params[k]);
      if (writers != 1) fail_msg("rule %d: %d kernels write %s", i / 2, writers, params[k]);
    }
    for (size_t r = 0; r < p->graph->roots.n; r++)
      if (p->graph->roots.at[r].variable != GI_NO_VALUE) assert_false(p->memory.copied[r]);
    glia_plan_free(p);
    glia_store_free(store);
  }
}

/* What the steps of Adam share (bias corrections, rates) is computed once, in one kernel:
 * forward, loss and backward of the same network are `plain` kernels, each parameter adds one.
 */
static void test_kernels_of_an_adam_step(void **state) {
  (void)state;
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_plan *sgd = training_step(store, &glia_sgd(), "ref", 0);
  glia_plan *adam = training_step(store, &glia_adam(), "ref", 0);
  assert_true(adam->n_steps <= sgd->n_steps + 1);
  glia_plan_free(sgd);
  glia_plan_free(adam);
  glia_store_free(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_is_one_kernel),
      cmocka_unit_test(test_circle_through_a_reduction),
      cmocka_unit_test(test_circle_through_a_product),
      cmocka_unit_test(test_circle_through_other_groups),
      cmocka_unit_test(test_circle_between_two_groups),
      cmocka_unit_test(test_slopes_sink_into_the_gradient),
      cmocka_unit_test(test_length_of_a_program),
      cmocka_unit_test(test_inputs_of_a_program),
      cmocka_unit_test(test_results_of_a_program),
      cmocka_unit_test(test_an_update_is_one_kernel),
      cmocka_unit_test(test_kernels_of_an_adam_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
