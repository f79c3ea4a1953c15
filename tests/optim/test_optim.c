/* Optimisers by name: ranges, foreign options, text; and what glia_minimize refuses. */
#include "test.h"

#include "glia/glia.h"
#include "graph/graph.h"
#include "optim/optim.h"

static void set(glia_optimizer *o, const gi_field *f, double v) {
  memcpy((char *)o + f->offset, &v, sizeof v);
}

/* ---- ranges ------------------------------------------------------------------------------ */

static void each_field(const char *name) {
  const gi_optim *rule = gi_optim_find(name);
  assert_non_null(rule);
  for (const gi_field *f = rule->fields; f->name != NULL; f++) {
    if (f->kind == GI_FIELD_BOOL) continue;
    const double bad[] = {f->min - 0.001, -1, f->max * 1.001 + 1e-12, NAN, INFINITY, -INFINITY};
    for (int i = 0; i < GI_COUNT(bad); i++) {
      glia_optimizer o = {.name = name};
      set(&o, f, bad[i]);
      FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, f->name);
    }
    glia_optimizer o = {.name = name};
    set(&o, f, f->max);
    OK(glia_optimizer_resolve(&o));
  }
}

/* Numbers that every optimiser takes: below 0 and infinite ones are refused by their name. */
static void each_wrap(const gi_wrap *wrap) {
  for (const gi_field *f = wrap->fields; f->name != NULL; f++) {
    if (f->kind == GI_FIELD_BOOL) continue;
    const double bad[] = {-1, NAN, INFINITY};
    for (int i = 0; i < GI_COUNT(bad); i++) {
      glia_optimizer o = {.name = "adadelta"};
      set(&o, f, bad[i]);
      FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, f->name);
    }
  }
}

static void test_wraps(void **state) {
  (void)state;
  glia_optimizer o = glia_lion(.lookahead = 5, .swa = true);
  OK(glia_optimizer_resolve(&o));
  NEAR(o.lookahead_alpha, 0.5, 0);
  NEAR(o.swa_every, 1, 0);
  o = glia_sgd(.lookahead = 2.5);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "lookahead wants a whole number");
  o = glia_sgd(.lookahead_alpha = 0.5);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "lookahead_alpha wants lookahead");
  o = glia_sgd(.ema = 0.9, .swa = true);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "ema and swa are two means");
  o = glia_sgd(.swa_start = 4);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "want swa");
  o = glia_sgd(.swa = true, .swa_every = 0.5);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "whole numbers");
}

static void test_ranges(void **state) {
  int n = 0;
  (void)state;
  for (int list = 0; gi_optims_table[list] != NULL; list++)
    for (int k = 0; gi_optims_table[list][k] != NULL; k++, n++)
      each_field(gi_optims_table[list][k]->name);
  assert_int_equal(n, 13);
  for (int list = 0; gi_wraps_table[list] != NULL; list++)
    for (int k = 0; gi_wraps_table[list][k] != NULL; k++) each_wrap(gi_wraps_table[list][k]);
}

static void test_betas_below_one(void **state) {
  (void)state;
  glia_optimizer o = {.name = "adam", .beta1 = 1};
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "beta1 is 1, wanted 0 to 0.999999");
  o = (glia_optimizer){.name = "adamw", .beta2 = 1};
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "beta2 is 1");
}

static void test_defaults(void **state) {
  (void)state;
  glia_optimizer o = {0};
  OK(glia_optimizer_resolve(&o));
  assert_string_equal(o.name, "adam");
  NEAR(o.lr, 1e-3, 0);
  NEAR(o.beta1, 0.9, 0);
  NEAR(o.beta2, 0.999, 0);
  NEAR(o.eps, 1e-8, 0);
  NEAR(o.weight_decay, 0, 0);
  o = glia_adamw(.lr = 0.5);
  OK(glia_optimizer_resolve(&o));
  NEAR(o.lr, 0.5, 0);
  NEAR(o.weight_decay, 0.01, 0);
  o = glia_rmsprop();
  OK(glia_optimizer_resolve(&o));
  NEAR(o.lr, 1e-2, 0);
  NEAR(o.alpha, 0.99, 0);
  o = glia_adagrad();
  OK(glia_optimizer_resolve(&o));
  NEAR(o.eps, 1e-10, 0);
}

static void test_rprop(void **state) {
  (void)state;
  glia_optimizer o = glia_rprop();
  OK(glia_optimizer_resolve(&o));
  NEAR(o.eta_minus, 0.5, 0);
  NEAR(o.eta_plus, 1.2, 0);
  o = glia_rprop(.step_min = 2, .step_max = 1);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "step_min is above step_max");
}

static void test_options_of_others(void **state) {
  (void)state;
  glia_optimizer o = glia_adam(.momentum = 0.9);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "adam has no option momentum");
  o = glia_sgd(.beta1 = 0.9);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "sgd has no option beta1");
  o = glia_sgd(.centered = true);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "sgd has no option centered; rmsprop has");
  o = glia_adagrad(.nesterov = true, .lr = 1);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "adagrad has no option nesterov");
  o = glia_sgd(.nesterov = true);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "nesterov wants momentum");
  o = glia_sgd(.nesterov = true, .momentum = 0.9, .dampening = 0.1);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "nesterov wants no dampening");
  o = glia_radam(.amsgrad = true);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "radam has no option amsgrad; adam has");
  o = glia_lion(.eps = 1e-8);
  FAILS(glia_optimizer_resolve(&o), GLIA_INVALID, "lion has no option eps");
}

/* ---- text -------------------------------------------------------------------------------- */

static void test_parse(void **state) {
  (void)state;
  glia_optimizer o;
  OK(glia_optimizer_parse("sgd momentum=0.9 nesterov lr=0.25", &o));
  assert_string_equal(o.name, "sgd");
  assert_true(o.nesterov);
  NEAR(o.momentum, 0.9, 0);
  NEAR(o.lr, 0.25, 0);
  OK(glia_optimizer_parse("  rmsprop\tcentered  alpha=0.5", &o));
  assert_true(o.centered);
  NEAR(o.alpha, 0.5, 0);
  NEAR(o.lr, 0.01, 0);
}

/* 0 where the default is another number, and what is left out. */
static void test_parse_of_zero(void **state) {
  (void)state;
  glia_optimizer o;
  OK(glia_optimizer_parse("adamw weight_decay=0 beta1=0", &o));
  assert_true(o.weight_decay < 1e-300 && o.beta1 < 1e-300);
  NEAR(o.beta2, 0.999, 0);
  OK(glia_optimizer_resolve(&o));
  assert_true(o.weight_decay < 1e-300);
  OK(glia_optimizer_parse("sgd momentum=0 maximize l1=0 ema=0", &o));
  NEAR(o.momentum, 0, 0);
  NEAR(o.l1, 0, 0);
  NEAR(o.ema, 0, 0);
  assert_true(o.maximize);
}

static void test_parse_errors(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } bad[] = {
      {"adm", "none is called \"adm\"; did you mean \"adam\"?"},
      {"rmsporp lr=1", "did you mean \"rmsprop\"?"},
      {"banana", "none is called \"banana\""},
      {"sgd momentm=0.9", "no option is called \"momentm\"; did you mean \"momentum\"?"},
      {"sgd momentum=abc", "momentum is \"abc\""},
      {"sgd momentum=2", "momentum is \"2\", wanted a number from 0 to 1"},
      {"sgd momentum=-0.1", "momentum is \"-0.1\""},
      {"sgd momentum=nan", "momentum is \"nan\""},
      {"sgd momentum=", "momentum is \"\""},
      {"adam lr=1e400", "lr is \"1e400\""},
      {"adam 0.1", "\"0.1\""},
      {"adam nesterov", "nesterov"},
      {"adam beta1=1", "beta1 is \"1\""},
      {"sgd nesterov", "nesterov wants momentum"},
      {"", "empty"},
      {" \t ", "empty"},
  };
  glia_optimizer o = {.name = "untouched"};
  for (int i = 0; i < GI_COUNT(bad); i++)
    FAILS(glia_optimizer_parse(bad[i].text, &o), GLIA_INVALID, bad[i].message);
  char long_text[2000];
  memset(long_text, 'a', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  FAILS(glia_optimizer_parse(long_text, &o), GLIA_INVALID, "longer than");
  for (int i = 0; i < 200; i += 2) memcpy(long_text + i, "a ", 2);
  long_text[200] = '\0';
  FAILS(glia_optimizer_parse(long_text, &o), GLIA_INVALID, "too many words");
  assert_string_equal(o.name, "untouched");
}

/* ---- minimize ---------------------------------------------------------------------------- */

typedef struct step {
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
  glia_value w, b, loss;
} step;

/* loss = sum (w + b)^2 */
static step step_begin(void) {
  step p;
  const int64_t shape[] = {3};
  OK(glia_graph_new(&p.g));
  OK(glia_store_new(&p.store));
  p.s = glia_scope_new(p.g, p.store, NULL);
  p.w = glia_parameter(p.s, "w", 1, shape, (glia_init){.kind = GLIA_INIT_ONES});
  p.b = glia_parameter(p.s, "b", 1, shape, (glia_init){.kind = GLIA_INIT_ONES});
  p.loss = glia_output("loss", glia_sum(glia_square(glia_add(p.w, p.b))));
  return p;
}

static void step_end(step *p) {
  glia_graph_free(p->g);
  glia_store_free(p->store);
}

static void step_run(step *p) {
  glia_plan *plan = NULL;
  OK(glia_compile(p->g, &plan, .backend = "ref"));
  OK(glia_plan_run(plan));
  glia_plan_free(plan);
}

static void test_minimize_moves_what_is_not_frozen(void **state) {
  (void)state;
  step p = step_begin();
  assert_int_equal(glia_store_freeze(p.store, "b", true), 1);
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 0.25));
  step_run(&p);
  NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 0), 1 - 0.25 * 4, 1e-7);
  NEAR(glia_tensor_get(glia_store_get(p.store, "b"), 0), 1, 0);
  assert_null(glia_store_get(p.store, "b.momentum_buffer"));
  step_end(&p);
}

/* The gradient is 4 everywhere: cut to 1 by value, then to norm 1, which is 1/sqrt(6) each. */
static void test_clipping_by_value_comes_first(void **state) {
  (void)state;
  step p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 1), .clip_value = 1, .clip_norm = 1);
  step_run(&p);
  NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 2), 1 - 1 / (sqrt(6) + 1e-6), 1e-6);
  step_end(&p);
}

static void test_learning_rate_from_outside(void **state) {
  (void)state;
  step p = step_begin();
  glia_plan *plan = NULL;
  glia_tensor *lr = NULL;
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 100),
                .lr = glia_input(p.g, "lr", GLIA_F64, 0, NULL));
  OK(glia_compile(p.g, &plan, .backend = "ref"));
  OK(glia_tensor_new(GLIA_F64, 0, NULL, &lr));
  glia_tensor_set(lr, 0, 0.125);
  OK(glia_plan_bind(plan, "lr", lr));
  OK(glia_plan_run(plan));
  NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 0), 0.5, 1e-7);
  NEAR(glia_tensor_get(glia_plan_output(plan, "loss"), 0), 12, 1e-6); /* before the step */
  glia_plan_free(plan);
  glia_tensor_free(lr);
  step_end(&p);
}

/* As a GAN's step does: w against the old b, then b against the new w. The first moves w to
 * 1 - 4/4 = 0; the second's gradient in b is 6 (w + b), 6 with that w and 12 with the old one.
 */
static void test_two_losses_in_one_step(void **state) {
  (void)state;
  static const char *const backends[] = {"ref", NULL};
  for (int i = 0; i < GI_COUNT(backends); i++) {
    step p = step_begin();
    glia_plan *plan = NULL;
    glia_minimize(p.s, p.loss, &glia_sgd(.lr = 0.25), .prefix = "w");
    const glia_value w = glia_parameter(glia_scope_updated(p.s), "w", 1, (const int64_t[]){3},
                                        (glia_init){.kind = GLIA_INIT_ONES});
    assert_int_not_equal(w.id, p.w.id);
    const glia_value sum = glia_sum(glia_square(glia_add(w, p.b)));
    glia_minimize(p.s, glia_mul(sum, glia_scalar_like(sum, 3)), &glia_sgd(.lr = 0.5),
                  .prefix = "b");
    OK(glia_compile(p.g, &plan, .backend = backends[i]));
    OK(glia_plan_run(plan));
    NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 1), 0, 1e-7);
    NEAR(glia_tensor_get(glia_store_get(p.store, "b"), 1), 1 - 0.5 * 6, 1e-6);
    NEAR(glia_tensor_get(glia_store_get(p.store, "woptimizer.step"), 0), 1, 0);
    NEAR(glia_tensor_get(glia_store_get(p.store, "boptimizer.step"), 0), 1, 0);
    glia_plan_free(plan);
    step_end(&p);
  }
}

/* The gradient is 4 everywhere: its largest element 4, its 1-norm 24. */
static void test_clipping_by_other_norms(void **state) {
  (void)state;
  step p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 1), .clip_norm = 1, .norm_type = INFINITY);
  step_run(&p);
  NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 2), 1 - 4 / (4 + 1e-6), 1e-6);
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 1), .clip_norm = 1, .norm_type = 1);
  step_run(&p);
  NEAR(glia_tensor_get(glia_store_get(p.store, "b"), 1), 1 - 4 / (24 + 1e-6), 1e-6);
  step_end(&p);
}

/* Two steps with momentum 0.5 and 0.25 from outside: b1 = g1, b2 = 0.25 b1 + g2. The gradient
 * of both parameters is 2 (w + b): 4, then 4 - 4 * 4 lr. */
static void test_momentum_from_outside(void **state) {
  (void)state;
  step p = step_begin();
  glia_plan *plan = NULL;
  glia_tensor *m = NULL;
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 0.125, .momentum = 0.9),
                .momentum = glia_input(p.g, "momentum", GLIA_F64, 0, NULL));
  OK(glia_compile(p.g, &plan, .backend = "ref"));
  OK(glia_tensor_new(GLIA_F64, 0, NULL, &m));
  OK(glia_plan_bind(plan, "momentum", m));
  glia_tensor_set(m, 0, 0.5);
  OK(glia_plan_run(plan));
  NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 0), 0.5, 1e-7);
  glia_tensor_set(m, 0, 0.25);
  OK(glia_plan_run(plan)); /* g2 = 2, b2 = 1 + 2 */
  NEAR(glia_tensor_get(glia_store_get(p.store, "w"), 0), 0.5 - 0.125 * 3, 1e-7);
  glia_plan_free(plan);
  glia_tensor_free(m);
  step_end(&p);
}

/* What scopes that are averaged read: the parameter until the first step, then the mean. */
static void test_average_in_scopes(void **state) {
  (void)state;
  static const double want[] = {1, 0.5, 0.375};
  step p = step_begin();
  glia_plan *plan = NULL;
  glia_minimize(p.s, p.loss, &glia_sgd(.lr = 0.125, .swa = true));
  OK(glia_compile(p.g, &plan, .backend = "ref"));
  for (int k = 0; k < GI_COUNT(want); k++) { /* w + b halves at every step: w 1, 1/2, 1/4 */
    glia_graph *g = NULL;
    glia_plan *reads = NULL;
    OK(glia_graph_new(&g));
    glia_scope *s = glia_scope_new(
        g, p.store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .averaged = true});
    glia_output("w", glia_parameter(s, "w", 1, (const int64_t[]){3},
                                    (glia_init){.kind = GLIA_INIT_ONES}));
    OK(glia_compile(g, &reads, .backend = "ref"));
    OK(glia_plan_run(reads));
    NEAR(glia_tensor_get(glia_plan_output(reads, "w"), 0), want[k], 1e-7);
    glia_plan_free(reads);
    glia_graph_free(g);
    OK(glia_plan_run(plan));
  }
  glia_plan_free(plan);
  step_end(&p);
}

static void test_minimize_refuses(void **state) {
  (void)state;
  step p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(), .momentum = glia_scalar(p.g, GLIA_F64, 0.9));
  FAILS(glia_graph_status(p.g), GLIA_INVALID, "sgd has no momentum");
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(), .clip_norm = 1, .norm_type = -1);
  FAILS(glia_graph_status(p.g), GLIA_INVALID, "norm_type -1");
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(), .clip_norm = -1);
  FAILS(glia_graph_status(p.g), GLIA_INVALID, "clip_norm -1");
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(), .clip_value = NAN);
  FAILS(glia_graph_status(p.g), GLIA_INVALID, "clip_value");
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, p.loss, &(glia_optimizer){.name = "sdg"});
  FAILS(glia_graph_status(p.g), GLIA_INVALID, "did you mean \"sgd\"?");
  step_end(&p);
  p = step_begin();
  glia_store_freeze(p.store, "", true);
  glia_minimize(p.s, p.loss, &glia_sgd());
  FAILS(glia_graph_status(p.g), GLIA_MODEL, "no parameter that is not frozen");
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, p.loss, &glia_sgd(), .prefix = "D.");
  FAILS(glia_graph_status(p.g), GLIA_MODEL, "no parameter \"D.*\" that is not frozen");
  step_end(&p);
  p = step_begin();
  glia_parameter(p.s, "unused", 0, NULL, (glia_init){.kind = GLIA_INIT_ONES});
  glia_minimize(p.s, p.loss, &glia_sgd());
  FAILS(glia_graph_status(p.g), GLIA_MODEL, "does not depend on unused");
  step_end(&p);
  p = step_begin();
  glia_minimize(p.s, glia_add(p.w, p.b), &glia_sgd());
  FAILS(glia_graph_status(p.g), GLIA_SHAPE, "glia_mean");
  step_end(&p);
}

/* A checkpoint of another network: its state has another shape. */
static void test_stored_state_of_another_shape(void **state) {
  (void)state;
  step p = step_begin();
  const gi_type other = {.dtype = GLIA_F32, .rank = 2, .dim = {2, 2}};
  OK(gi_store_add(p.store, "w.exp_avg", GLIA_STATE, &other, NULL));
  glia_minimize(p.s, p.loss, &glia_adam());
  FAILS(glia_graph_status(p.g), GLIA_MODEL, "w.exp_avg: the stored state is f32 [2, 2]");
  step_end(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_wraps),
      cmocka_unit_test(test_betas_below_one),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_rprop),
      cmocka_unit_test(test_options_of_others),
      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_parse_of_zero),
      cmocka_unit_test(test_parse_errors),
      cmocka_unit_test(test_minimize_moves_what_is_not_frozen),
      cmocka_unit_test(test_clipping_by_value_comes_first),
      cmocka_unit_test(test_clipping_by_other_norms),
      cmocka_unit_test(test_learning_rate_from_outside),
      cmocka_unit_test(test_momentum_from_outside),
      cmocka_unit_test(test_average_in_scopes),
      cmocka_unit_test(test_two_losses_in_one_step),
      cmocka_unit_test(test_minimize_refuses),
      cmocka_unit_test(test_stored_state_of_another_shape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
