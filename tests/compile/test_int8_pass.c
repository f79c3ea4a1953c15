/* Products of calibrated models on 8-bit whole numbers: batch norm is in the weights before
 * they are quantised, and the answer stays near that of f32.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "graph/graph.h"

enum { BATCH = 2, CLASSES = 5 };

static const char *const layers[] = {"a", "b", "fc"};

/* conv - norm - relu, twice, the second with a bias of its own; then a dense layer. With
 * `watch` the largest of what each layer with a product reads is given too: its scale comes of
 * it. */
static glia_graph *describe(glia_store *store, bool watch) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts)});
  glia_value h[3];
  h[0] = glia_input(g, "x", GLIA_F32, 4, (const int64_t[]){BATCH, 3, 12, 10});
  h[1] = glia_conv2d(s, "a", h[0], .filters = 16, .kernel = {3, 3}, .no_bias = true);
  h[1] = glia_batch_norm(s, "an", h[1], .activation = "relu");
  h[2] = glia_conv2d(s, "b", h[1], .filters = 24, .kernel = {3, 3}, .same = true);
  h[2] = glia_flatten(glia_batch_norm(s, "bn", h[2], .activation = "relu"));
  glia_output("y", glia_dense(s, "fc", h[2], .units = CLASSES));
  for (int i = 0; watch && i < GI_COUNT(layers); i++)
    glia_output(layers[i], glia_max(glia_abs(h[i])));
  OK(glia_graph_status(g));
  return g;
}

/* Parameters and statistics as after some training: all different, factors of both signs,
 * variances that are none. */
static void fill(glia_store *store) {
  const gi_rng rng = {3, 1, 0};
  uint64_t k = 0;
  for (int i = 0; i < glia_store_count(store); i++) {
    glia_tensor *t = glia_store_tensor(store, i);
    const bool variance = strstr(glia_store_name(store, i), "running_var") != NULL;
    for (int64_t e = 0; e < glia_tensor_count(t); e++)
      glia_tensor_set(t, e, gi_rng_uniform(&rng, k++) - (variance ? -0.2 : 0.5));
  }
}

static void bind(glia_plan *p) {
  glia_tensor *x = NULL;
  const gi_rng rng = {4, 2, 0};
  OK(glia_tensor_new(GLIA_F32, 4, (const int64_t[]){BATCH, 3, 12, 10}, &x));
  for (int64_t e = 0; e < glia_tensor_count(x); e++)
    glia_tensor_set(x, e, gi_rng_uniform(&rng, (uint64_t)e) - 0.5);
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_run(p));
  glia_tensor_free(x);
}

/* Keeps the scales of the three layers, as the plan found them. */
static void calibrate(glia_store *store, glia_plan *p) {
  const gi_type scalar = {.dtype = GLIA_F32};
  for (int i = 0; i < GI_COUNT(layers); i++) {
    char name[64];
    gi_entry *e = NULL;
    snprintf(name, sizeof name, "%s.input_scale", layers[i]);
    OK(gi_store_add(store, name, GLIA_BUFFER, &scalar, &e));
    glia_tensor_set(e->tensor, 0, glia_tensor_get(glia_plan_output(p, layers[i]), 0) / 127);
  }
}

/* The steps that every run takes. */
static int count(const glia_plan *p, const char *op) {
  int n = 0;
  for (int i = 0; i < p->n_steps; i++)
    n += strcmp(p->graph->nodes.at[p->steps[i].node]->op->name, op) == 0;
  return n;
}

static void test_batch_norm_is_folded(void **state) {
  (void)state;
  static const char *const backends[] = {"ref", NULL};
  static const char *const of_batch_norm[] = {"mul", "sub", "add", "fused", "batch_norm_act"};
  for (int b = 0; b < GI_COUNT(backends); b++) {
    glia_store *store = NULL;
    OK(glia_store_new(&store));
    glia_graph *watched = describe(store, true), *g = describe(store, false);
    fill(store);
    glia_plan *f32 = NULL, *int8 = NULL;
    OK(glia_compile(watched, &f32, .backend = backends[b], .fixed = true));
    bind(f32);
    calibrate(store, f32);
    OK(glia_compile(g, &int8, .backend = backends[b], .fixed = true));
    check_plan(int8);
    assert_int_equal(count(int8, "conv2d_int8"), 2);
    assert_int_equal(count(int8, "conv2d") + count(int8, "conv2d_act"), 0);
    for (int i = 0; i < GI_COUNT(of_batch_norm); i++)
      assert_int_equal(count(int8, of_batch_norm[i]), 0);
    /* bias, relu and quantising are in the product before: only the input stands alone */
    assert_int_equal(count(int8, "quantize"), 1);
    assert_int_equal(count(int8, "relu"), 0);
    bind(int8);
    const glia_tensor *want = glia_plan_output(f32, "y"), *got = glia_plan_output(int8, "y");
    double most = 0;
    for (int64_t e = 0; e < BATCH * CLASSES; e++)
      most = fmax(most, fabs(glia_tensor_get(want, e)));
    for (int64_t e = 0; e < BATCH * CLASSES; e++)
      NEAR(glia_tensor_get(got, e), glia_tensor_get(want, e), 0.02 * most);
    glia_plan_free(f32), glia_plan_free(int8);
    glia_graph_free(watched), glia_graph_free(g);
    glia_store_free(store);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_batch_norm_is_folded)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
