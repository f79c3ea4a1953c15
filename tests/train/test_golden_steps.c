/* Whole training steps against PyTorch (tools/golden_steps.py): the loss of ten steps, all
 * parameters and running statistics after them, and the result in evaluation mode.
 */
#include "golden_tensors.h"

#include "glia/glia.h"
#include "train/learner.h"

static glia_value mlp(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_dense(s, "fc1", x, .units = 8, .activation = "tanh");
  x = glia_dense(s, "fc2", x, .units = 7, .activation = "gelu");
  return glia_dense(s, "fc3", x, .units = 3);
}

static glia_value convnet(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv1", x, .filters = 4, .kernel = {3, 3}, .padding = {1, 1});
  x = glia_batch_norm(s, "bn1", x, .activation = "relu");
  x = glia_max_pool2d(x, .kernel = {2, 2});
  x = glia_conv2d(s, "conv2", x, .filters = 6, .kernel = {3}, .stride = {2}, .no_bias = true);
  x = glia_batch_norm(s, "bn2", x, .activation = "relu");
  return glia_dense(s, "fc", glia_global_avg_pool2d(x), .units = 4);
}

static glia_value regression(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_dense(s, "fc1", x, .units = 9, .activation = "relu");
  return glia_dense(s, "fc2", x, .units = 2);
}

static glia_learner *learner_of(const golden *f, glia_model_fn model, const glia_optimizer *o,
                                const char *backend) {
  const int at = glia_safetensors_find(f->file, "x"),
            result = glia_safetensors_find(f->file, "result");
  const int64_t *shape, *out;
  const int rank = glia_safetensors_shape(f->file, at, &shape) - 2;
  assert_int_equal(glia_safetensors_shape(f->file, result, &out), 2);
  const bool classes =
      strcmp(glia_safetensors_dtype(f->file, glia_safetensors_find(f->file, "y")), "I64") == 0;
  glia_learner_opts opts = {
      .size = sizeof opts,
      .model = model,
      .optimizer = *o,
      .data = {.rank = rank,
               .classes = classes ? (int)out[1] : 0,
               .targets = classes ? 0 : (int)out[1]},
      .clip_norm = golden_number(f, "clip", 0),
      .backend = backend,
      .loss = {.name = classes ? "cross_entropy" : "huber",
               .label_smoothing = golden_number(f, "label_smoothing", 0)}};
  glia_learner *l = NULL;
  for (int i = 0; i < rank; i++) opts.data.shape[i] = shape[2 + i];
  OK(glia_learner_new(&opts, &l));
  return l;
}

static void load_before(const golden *f, glia_store *store) {
  int found = 0;
  for (int i = 0; i < glia_safetensors_count(f->file); i++) {
    const char *name = glia_safetensors_name(f->file, i);
    if (strncmp(name, "before.", 7) != 0) continue;
    glia_tensor *t = golden_tensor(f, name), *mine = glia_store_get(store, name + 7);
    if (mine == NULL) fail_msg("the store has no %s", name + 7);
    assert_int_equal(glia_tensor_count(t), glia_tensor_count(mine));
    for (int64_t k = 0; k < glia_tensor_count(t); k++)
      glia_tensor_set(mine, k, glia_tensor_get(t, k));
    glia_tensor_free(t);
    found++;
  }
  for (int i = 0; i < glia_store_count(store); i++)
    found -= glia_store_kind_of(store, i) != GLIA_STATE;
  assert_int_equal(found, 0);
}

/* Entry s along the first axis, as a view of its own. */
static glia_tensor *entry(const glia_tensor *t, int64_t s) {
  glia_tensor *part = NULL, *out = NULL;
  OK(glia_tensor_slice(t, 0, s, s + 1, 1, &part));
  OK(glia_tensor_reshape(part, glia_tensor_rank(t) - 1, glia_tensor_shape(t) + 1, &out));
  glia_tensor_free(part);
  return out;
}

static void check_after(const golden *f, glia_learner *l, const glia_tensor *x,
                        const char *what) {
  const glia_store *store = glia_learner_store(l);
  const glia_tensor *out = NULL;
  char name[128];
  for (int i = 0; i < glia_store_count(store); i++) {
    if (glia_store_kind_of(store, i) == GLIA_STATE) continue;
    snprintf(name, sizeof name, "after.%s", glia_store_name(store, i));
    assert_golden(glia_store_tensor(store, i), f, name, 2e-5, what);
  }
  OK(glia_learner_forward(l, x, &out));
  assert_golden(out, f, "result", 5e-5, what);
}

static void check(const char *name, glia_model_fn model, const glia_optimizer *o,
                  const char *backend) {
  golden f = golden_open(name);
  glia_learner *l = learner_of(&f, model, o, backend);
  glia_tensor *x = golden_tensor(&f, "x"), *y = golden_tensor(&f, "y");
  glia_tensor *losses = golden_tensor(&f, "loss");
  load_before(&f, glia_learner_store(l));
  for (int64_t s = 0; s < glia_tensor_count(losses); s++) {
    glia_tensor *xs = entry(x, s), *ys = entry(y, s);
    double loss = 0;
    OK(glia_learner_step(l, xs, ys, 0, &loss));
    NEAR(loss, glia_tensor_get(losses, s), 2e-6 * (1 + fabs(loss)));
    glia_tensor_free(xs);
    glia_tensor_free(ys);
  }
  assert_int_equal(glia_learner_steps(l), glia_tensor_count(losses));
  glia_tensor *first = entry(x, 0);
  check_after(&f, l, first, name);
  glia_tensor_free(first);
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_tensor_free(losses);
  glia_learner_free(l);
  golden_close(&f);
}

static void each(const char *backend) {
  check("steps/mlp", mlp, &glia_adam(.lr = 0.02), backend);
  check("steps/convnet", convnet,
        &glia_sgd(.lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-3), backend);
  check("steps/regression", regression, &glia_rmsprop(.lr = 0.01, .alpha = 0.9, .eps = 1e-5),
        backend);
}

static void test_on_the_reference(void **state) { (void)state, each("ref"); }
static void test_on_the_default_backend(void **state) { (void)state, each(NULL); }

/* ---- schedules --------------------------------------------------------------------------- */

static double rate(const char *name, double lr, int64_t step, int64_t steps) {
  const glia_schedule s = {.name = name};
  glia_rates r;
  OK(glia_schedule_rates(&s, &(glia_schedule_point){.lr = lr, .step = step, .steps = steps},
                         &r));
  return r.lr;
}

/* CosineAnnealingLR, LinearLR and OneCycleLR over as many steps. */
static void test_schedules(void **state) {
  static const char *const names[] = {"cosine", "linear", "one_cycle"};
  static const int totals[] = {1, 2, 3, 7, 10, 100};
  (void)state;
  golden f = golden_open("steps/schedules");
  for (int i = 0; i < GI_COUNT(names); i++)
    for (int k = 0; k < GI_COUNT(totals); k++) {
      char name[64];
      snprintf(name, sizeof name, "%s.%d", names[i], totals[k]);
      if (!golden_has(&f, name)) continue;
      glia_tensor *want = golden_tensor(&f, name);
      assert_int_equal(glia_tensor_count(want), totals[k]);
      for (int s = 0; s < totals[k]; s++) {
        const double lr = rate(names[i], 0.1, s, totals[k]);
        if (!(fabs(lr - glia_tensor_get(want, s)) < 1e-12))
          fail_msg("%s: step %d is %.17g, wanted %.17g", name, s, lr, glia_tensor_get(want, s));
      }
      glia_tensor_free(want);
    }
  golden_close(&f);
}

/* Where PyTorch has no answer (one step, two, three) the rate is still finite and above 0. */
static void test_short_schedules(void **state) {
  static const char *const all[] = {"constant", "linear", "cosine", "one_cycle"};
  (void)state;
  for (int i = 0; i < GI_COUNT(all); i++)
    for (int total = 0; total < 12; total++)
      for (int s = 0; s < GI_MAX(total, 1); s++) {
        const double lr = rate(all[i], 0.1, s, total);
        if (!(lr > 0 && lr <= 0.1 + 1e-15))
          fail_msg("%s: step %d of %d is %g", all[i], s, total, lr);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_on_the_reference),
      cmocka_unit_test(test_on_the_default_backend),
      cmocka_unit_test(test_schedules),
      cmocka_unit_test(test_short_schedules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
