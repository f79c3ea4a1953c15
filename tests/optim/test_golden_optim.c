/* The optimisers against the first ten steps of PyTorch's or, where it has none, of the papers'
 * formulas (tools/golden_optim.py), parameters and state, and the clipping of gradients against
 * torch.nn.utils. The gradients are given, so that nothing else is tested.
 */
#include <math.h>

#include "golden_tensors.h"
#include "torch_words.h"

#include "glia/glia.h"
#include "optim/optim.h"

enum { STEPS = 10, PARAMS = 2 };

/* By its text: the options that are 0 there are 0. */
static glia_optimizer optimizer_of(const golden *g) {
  char text[512];
  glia_optimizer o = {0};
  torch_optimizer(g->op, g->attributes, text, sizeof text);
  OK(glia_optimizer_parse(text, &o));
  return o;
}

/* The step's graph: inputs grad.0, grad.1; parameters param.0, param.1. */
static glia_plan *compile_updates(const golden *f, glia_store *store, const char *backend) {
  char name[32];
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  const glia_optimizer o = optimizer_of(f);
  const gi_optim *rule = gi_optim_find(o.name);
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const gi_optim_step step =
      gi_optim_begin(s, rule, &o, NULL, glia_scalar(g, GLIA_F64, o.lr), GLIA_NONE);
  for (int k = 0; k < PARAMS; k++) {
    snprintf(name, sizeof name, "param.%d", k);
    glia_tensor *first = golden_tensor(f, name);
    const gi_type t = gi_tensor_type(first);
    gi_entry *e = NULL;
    OK(gi_store_add(store, name, GLIA_PARAMETER, &t, &e));
    memcpy(glia_tensor_data(e->tensor), glia_tensor_data(first), glia_tensor_bytes(first));
    glia_tensor_free(first);
    char input[32];
    snprintf(input, sizeof input, "grad.%d", k);
    const glia_value grad = glia_input(g, input, t.dtype, t.rank, t.dim);
    gi_apply_update(s, rule, &step, e->name, grad);
  }
  OK(glia_compile(g, &plan, .backend = backend));
  glia_graph_free(g);
  return plan;
}

static void run_step(const golden *f, glia_plan *plan, const glia_store *store, int step,
                     double tolerance, const char *what) {
  char name[64], input[32];
  glia_tensor *grads[PARAMS];
  for (int k = 0; k < PARAMS; k++) {
    snprintf(name, sizeof name, "grad.%d.%d", step, k);
    snprintf(input, sizeof input, "grad.%d", k);
    grads[k] = golden_tensor(f, name);
    OK(glia_plan_bind(plan, input, grads[k]));
  }
  OK(glia_plan_run(plan));
  for (int k = 0; k < PARAMS; k++) {
    snprintf(input, sizeof input, "param.%d", k);
    snprintf(name, sizeof name, "after.%d.%d", step, k);
    assert_golden(glia_store_get(store, input), f, name, tolerance, what);
    glia_tensor_free(grads[k]);
  }
}

/* Each state tensor of the file is one of the store's: state.exp_avg.0 is param.0.exp_avg. */
static void check_state(const golden *f, const glia_store *store, double tolerance,
                        const char *what) {
  int states = 0;
  for (int i = 0; i < glia_safetensors_count(f->file); i++) {
    const char *name = glia_safetensors_name(f->file, i);
    char word[32], ours[64];
    int k;
    if (sscanf(name, "state.%31[a-z_].%d", word, &k) != 2) continue;
    snprintf(ours, sizeof ours, "param.%d.%s", k, word);
    assert_golden(glia_store_get(store, ours), f, name, tolerance, what);
    states++;
  }
  for (int i = 0; i < glia_store_count(store); i++)
    states -= glia_store_kind_of(store, i) == GLIA_STATE &&
              strncmp(glia_store_name(store, i), "optimizer.", 10) != 0;
  assert_int_equal(states, 0);
  NEAR(glia_tensor_get(glia_store_get(store, "optimizer.step"), 0), STEPS, 0);
}

static void check_file(const char *name, const char *backend, double tolerance) {
  char what[400];
  golden f = golden_open(name);
  glia_store *store = NULL;
  snprintf(what, sizeof what, "%s on %s", name, backend);
  OK(glia_store_new(&store));
  glia_plan *plan = compile_updates(&f, store, backend);
  for (int step = 1; step <= STEPS; step++) run_step(&f, plan, store, step, tolerance, what);
  check_state(&f, store, tolerance, what);
  glia_plan_free(plan);
  glia_store_free(store);
  golden_close(&f);
}

/* PyTorch's inf is no number of JSON. */
static double norm_type(const golden *g) {
  const gi_json *p = gi_json_get(g->attributes, "norm_type");
  return gi_json_type(p) == GI_JSON_STRING ? (double)INFINITY : gi_json_num(p, 2);
}

/* ---- clipping ---------------------------------------------------------------------------- */

static void check_clip(const char *name, const char *backend, double tolerance) {
  golden f = golden_open(name);
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_value grads[PARAMS];
  char text[32];
  const double norm = golden_number(&f, "max_norm", 0),
               value = golden_number(&f, "clip_value", 0);
  OK(glia_graph_new(&g));
  for (int k = 0; k < PARAMS; k++) {
    snprintf(text, sizeof text, "grad.%d", k);
    glia_tensor *t = golden_tensor(&f, text);
    const gi_type type = gi_tensor_type(t);
    grads[k] = glia_constant(g, type.dtype, type.rank, type.dim, glia_tensor_data(t));
    glia_tensor_free(t);
    if (value > 0) grads[k] = glia_clip(grads[k], -value, value);
  }
  if (norm > 0) glia_output("norm", gi_clip_norm(grads, PARAMS, norm, norm_type(&f)));
  for (int k = 0; k < PARAMS; k++) {
    snprintf(text, sizeof text, "clipped.%d", k);
    glia_output(text, grads[k]);
  }
  OK(glia_compile(g, &plan, .backend = backend));
  OK(glia_plan_run(plan));
  for (int k = 0; k < PARAMS; k++) {
    snprintf(text, sizeof text, "clipped.%d", k);
    assert_golden(glia_plan_output(plan, text), &f, text, tolerance, name);
  }
  if (norm > 0)
    assert_golden(glia_plan_output(plan, "norm"), &f, "total_norm", tolerance, name);
  glia_plan_free(plan);
  glia_graph_free(g);
  golden_close(&f);
}

typedef struct round_of {
  const char *dtype, *backend;
  double tolerance;
  int files;
} round_of;

static void check_one(const char *name, void *user) {
  round_of *r = user;
  if (strstr(name, r->dtype) == NULL) return;
  if (strncmp(name, "optim/clip_", 11) == 0)
    check_clip(name, r->backend, r->tolerance);
  else
    check_file(name, r->backend, r->tolerance);
  r->files++;
}

static void each_file(const char *dtype, const char *backend, double tolerance) {
  round_of r = {dtype, backend, tolerance, 0};
  golden_each("optim", check_one, &r);
  assert_int_equal(r.files, 53);
}

static void test_f64_on_the_reference(void **state) {
  (void)state;
  each_file("_f64", "ref", 1e-12);
}

static void test_f32_on_the_reference(void **state) {
  (void)state;
  each_file("_f32", "ref", 1e-6);
}

static void test_f32_on_the_default_backend(void **state) {
  (void)state;
  each_file("_f32", NULL, 1e-6);
}

static void test_f64_on_the_default_backend(void **state) {
  (void)state;
  each_file("_f64", NULL, 1e-12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_f64_on_the_reference),
      cmocka_unit_test(test_f32_on_the_reference),
      cmocka_unit_test(test_f32_on_the_default_backend),
      cmocka_unit_test(test_f64_on_the_default_backend),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
