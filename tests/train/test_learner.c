/* The learner: what it refuses, predictions, evaluation over uneven batches, frozen parameters.
 */
#include "train/blobs.h"

#include "graph/graph.h"

/* ---- refused ----------------------------------------------------------------------------- */

static glia_value nothing(glia_scope *s, glia_value x, void *user) {
  (void)s, (void)x, (void)user;
  return GLIA_NONE;
}

static glia_value no_parameters(glia_scope *s, glia_value x, void *user) {
  (void)s, (void)user;
  return glia_concat((glia_value[]){x, glia_slice(x, 1, 0, 1, 1)}, 2, 1);
}

static glia_value unused_layer(glia_scope *s, glia_value x, void *user) {
  glia_dense(s, "aside", x, .units = 3);
  return blob_model(s, x, user);
}

static glia_value no_gradient(glia_scope *s, glia_value x, void *user) {
  const glia_value hard =
      glia_one_hot(glia_argmax(blob_model(s, x, user), 1, false), 3, GLIA_F32);
  return glia_dense(s, "last", hard, .units = 3);
}

static glia_value failing(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return glia_dense(glia_scope_in(s, "block"), "fc", glia_matmul(x, x), .units = 3);
}

static glia_learner_opts good(void) {
  return (glia_learner_opts){.size = sizeof(glia_learner_opts),
                             .model = blob_model,
                             .user = &blob_width,
                             .data = {.rank = 1, .shape = {2}, .classes = 3}};
}

static void refused(glia_learner_opts o, glia_status status, const char *message) {
  glia_learner *l = NULL;
  FAILS(glia_learner_new(&o, &l), status, message);
  assert_null(l);
}

static void test_refused(void **state) {
  (void)state;
  glia_learner_opts o = good();
  o.model = NULL;
  refused(o, GLIA_INVALID, "no model");
  o = good();
  o.data.rank = 0;
  refused(o, GLIA_INVALID, "rank 0");
  o = good();
  o.data.shape[0] = -2;
  refused(o, GLIA_SHAPE, "-2");
  o = good();
  o.data.classes = 0;
  refused(o, GLIA_INVALID, "0 classes, 0 targets");
  o = good();
  o.loss.name = "mse";
  refused(o, GLIA_INVALID, "mse does not go with class indices");
  o = good();
  o.optimizer = (glia_optimizer){.name = "adma"};
  refused(o, GLIA_INVALID, "did you mean \"adam\"?");
  o = good();
  o.loss.label_smoothing = 1.5;
  refused(o, GLIA_INVALID, "label_smoothing is 1.5");
  o = good();
  o.clip_norm = -1;
  refused(o, GLIA_INVALID, "clip_norm -1");
  o = good();
  o.backend = "tpu";
  refused(o, GLIA_INVALID, "there is no \"tpu\"");
}

static void test_models_refused(void **state) {
  (void)state;
  glia_learner_opts o = good();
  o.model = nothing;
  refused(o, GLIA_MODEL, "the model returned no value");
  o.model = no_parameters;
  refused(o, GLIA_MODEL, "no parameter");
  o.model = unused_layer;
  refused(o, GLIA_MODEL, "does not depend on aside.weight");
  o.model = no_gradient;
  refused(o, GLIA_MODEL, "argmax");
  o.model = failing;
  refused(o, GLIA_SHAPE, "matmul");
  o = good();
  o.data.classes = 4;
  refused(o, GLIA_MODEL,
          "the network ends in [1, 3], the data have 4 classes; hint: end it with");
}

static void test_batches_refused(void **state) {
  (void)state;
  glia_learner *l = blob_learner(&glia_adam(), NULL);
  glia_tensor *wide = NULL, *x = NULL, *y = NULL;
  const glia_tensor *out = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){4, 3}, &wide));
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){4, 2}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){5}, &y));
  FAILS(glia_learner_forward(l, wide, &out), GLIA_MODEL,
        "fc1: expects 2 inputs, got 3 from input x");
  FAILS(glia_learner_step(l, x, y, 0, NULL), GLIA_SHAPE,
        "logits are f32 [4, 3], targets i64 [5]");
  FAILS(glia_learner_step(l, x, x, 0, NULL), GLIA_SHAPE, "cross_entropy_loss");
  static const double bad[] = {-0.1, NAN, INFINITY};
  glia_tensor_free(y);
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){4}, &y));
  for (int i = 0; i < GI_COUNT(bad); i++)
    FAILS(glia_learner_step(l, x, y, bad[i], NULL), GLIA_INVALID, "learning rate");
  glia_tensor_set(y, 2, 3);
  assert_int_not_equal(glia_learner_step(l, x, y, 0, NULL), GLIA_OK);
  assert_int_equal(glia_learner_steps(l), 0);
  glia_tensor_set(y, 2, 2);
  OK(glia_learner_step(l, x, y, 0, NULL));
  glia_tensor_free(wide);
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_learner_free(l);
}

/* ---- predicting -------------------------------------------------------------------------- */

static void test_probabilities(void **state) {
  (void)state;
  glia_learner *l = blob_learner(&glia_adam(), NULL);
  const glia_tensor *z = NULL;
  glia_tensor *x = NULL, *p = NULL;
  for (int64_t n = 1; n < 20; n += 6) {
    OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){n, 2}, &x));
    for (int64_t i = 0; i < 2 * n; i++) glia_tensor_set(x, i, sin((double)i));
    OK(glia_predict(l, x, &p));
    OK(glia_learner_forward(l, x, &z));
    for (int64_t r = 0; r < n; r++) {
      double sum = 0;
      for (int64_t k = 0; k < 3; k++) sum += exp(glia_tensor_get(z, 3 * r + k));
      for (int64_t k = 0; k < 3; k++)
        NEAR(glia_tensor_get(p, 3 * r + k), exp(glia_tensor_get(z, 3 * r + k)) / sum, 1e-6);
    }
    glia_tensor_free(x);
    glia_tensor_free(p);
  }
  glia_learner_free(l);
}

static glia_value two_numbers(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return glia_dense(s, "fc", x, .units = 2);
}

static void test_numbers_and_bce(void **state) {
  static const char *const losses[] = {NULL,  "mae",   "huber", "smooth_l1", "poisson_nll",
                                       "bce", "focal", "dice",  "hinge",     "soft_margin"};
  (void)state;
  for (int i = 0; i < GI_COUNT(losses); i++) {
    glia_learner_opts o = {.size = sizeof o,
                           .model = two_numbers,
                           .loss = {.name = losses[i]},
                           .data = {.rank = 1, .shape = {3}, .targets = 2}};
    glia_learner *l = NULL;
    glia_tensor *x = NULL, *y = NULL, *p = NULL;
    const glia_tensor *z = NULL;
    double first = 0, loss = 0;
    OK(glia_learner_new(&o, &l));
    OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){4, 3}, &x));
    OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){4, 2}, &y));
    for (int64_t k = 0; k < 12; k++) glia_tensor_set(x, k, cos((double)k));
    for (int64_t k = 0; k < 8; k++) glia_tensor_set(y, k, k % 3 == 0 ? 1 : i < 8 ? 0 : -1);
    OK(glia_learner_step(l, x, y, 0.01, &first));
    for (int k = 0; k < 30; k++) OK(glia_learner_step(l, x, y, 0.01, &loss));
    assert_true(loss < first);
    OK(glia_predict(l, x, &p));
    OK(glia_learner_forward(l, x, &z));
    for (int64_t k = 0; k < 8; k++) {
      const double v = glia_tensor_get(z, k);
      const bool sigmoid = i >= 5 && i <= 7;
      NEAR(glia_tensor_get(p, k), sigmoid ? 1 / (1 + exp(-v)) : i == 4 ? exp(v) : v, 1e-6);
    }
    glia_tensor_free(x);
    glia_tensor_free(y);
    glia_tensor_free(p);
    glia_learner_free(l);
  }
}

/* ---- evaluating -------------------------------------------------------------------------- */

/* The mean over samples does not depend on how they are cut into batches. */
static void test_evaluation_over_uneven_batches(void **state) {
  static const int batches[] = {1, 7, 10, 64};
  (void)state;
  glia_learner *l = blob_learner(&glia_adam(), "ref");
  glia_dataset *d = blobs(31, 0.5, 0.2, 4);
  double loss = 0, accuracy = 0;
  for (int i = 0; i < GI_COUNT(batches); i++) {
    glia_loader *data = loader_of(d, batches[i], i == 1, 1);
    glia_result r;
    double a = 0;
    OK(glia_evaluate(l, data, &r));
    OK(glia_evaluation_value(r.evaluation, "accuracy", &a));
    assert_int_equal(r.count, 31);
    if (i > 0) NEAR(r.loss, loss, 1e-6);
    if (i > 0) NEAR(a, accuracy, 1e-12);
    loss = r.loss;
    accuracy = a;
    glia_result_clear(&r);
    assert_null(r.evaluation);
    glia_loader_free(data);
  }
  glia_dataset_free(d);
  glia_learner_free(l);
}

/* ---- freezing ---------------------------------------------------------------------------- */

/* Also after steps have been taken: the step is traced anew. */
static void test_frozen_parameters_stay(void **state) {
  (void)state;
  glia_learner *l = blob_learner(&glia_adam(), NULL);
  glia_store *s = glia_learner_store(l);
  glia_tensor *x = NULL, *y = NULL, *before = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){6, 2}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){6}, &y));
  for (int64_t i = 0; i < 12; i++) glia_tensor_set(x, i, cos((double)i));
  OK(glia_learner_step(l, x, y, 0.1, NULL));
  glia_tensor *w1 = glia_store_get(s, "fc1.weight"), *w2 = glia_store_get(s, "fc2.weight");
  assert_int_equal(glia_store_freeze(s, "fc1.", true), 2);
  for (int round = 0; round < 2; round++) {
    glia_tensor *frozen = round == 0 ? w1 : w2, *moving = round == 0 ? w2 : w1;
    double moved = 0;
    glia_tensor *old = NULL;
    OK(glia_tensor_copy(frozen, &before));
    OK(glia_tensor_copy(moving, &old));
    OK(glia_learner_step(l, x, y, 0.1, NULL));
    assert_memory_equal(glia_tensor_data(frozen), glia_tensor_data(before),
                        glia_tensor_bytes(before));
    for (int64_t i = 0; i < glia_tensor_count(old); i++)
      moved += fabs(glia_tensor_get(old, i) - glia_tensor_get(moving, i));
    assert_true(moved > 1e-3);
    glia_tensor_free(before);
    glia_tensor_free(old);
    glia_store_freeze(s, "fc1.", false);
    glia_store_freeze(s, "fc2.", true);
  }
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_learner_free(l);
}

/* ---- for use ------------------------------------------------------------------------------
 */

/* A model that is opened for use holds what was saved and nothing else: no optimiser's state.
 */
static void test_opened_for_use(void **state) {
  (void)state;
  char path[600];
  snprintf(path, sizeof path, "%s/model.safetensors", test_dir("opened_for_use"));
  glia_learner *made = blob_learner(&glia_adam(), NULL), *used = NULL;
  glia_tensor *x = NULL, *y = NULL;
  const glia_tensor *want = NULL, *have = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){4, 2}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){4}, &y));
  for (int64_t i = 0; i < 8; i++) glia_tensor_set(x, i, cos((double)i));
  OK(glia_learner_step(made, x, y, 0.1, NULL));
  OK(glia_save(glia_learner_store(made), path, NULL, 0));
  glia_learner_opts o = good();
  o.fixed = true;
  o.weights = path;
  OK(glia_learner_new(&o, &used));
  OK(glia_learner_forward(made, x, &want));
  OK(glia_learner_forward(used, x, &have));
  for (int64_t i = 0; i < glia_tensor_count(want); i++)
    NEAR(glia_tensor_get(have, i), glia_tensor_get(want, i), 1e-6);
  assert_int_equal(glia_store_count(glia_learner_store(used)), 4);
  FAILS(glia_learner_step(used, x, y, 0.1, NULL), GLIA_INVALID, "fixed");
  glia_learner_free(used);
  o.weights = "no/such/file";
  refused(o, GLIA_IO, "no/such/file");
  int width = 5;
  o.user = &width;
  o.weights = path;
  refused(o, GLIA_MODEL, "fc1.weight");
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_learner_free(made);
}

/* ---- diverging --------------------------------------------------------------------------- */

static void test_divergence_names_step_and_layer(void **state) {
  (void)state;
  glia_learner *l = blob_learner(&glia_sgd(), NULL);
  glia_tensor *x = NULL, *y = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){6, 2}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){6}, &y));
  OK(glia_learner_step(l, x, y, 0.1, NULL));
  glia_tensor_set(glia_store_get(glia_learner_store(l), "fc2.bias"), 1, NAN);
  FAILS(glia_learner_step(l, x, y, 0.1, NULL), GLIA_DIVERGED, "step 2");
  FAILS(glia_learner_step(l, x, y, 0.1, NULL), GLIA_DIVERGED, "fc2");
  assert_int_equal(glia_learner_steps(l), 1);
  glia_dataset *d = blobs(30, 0.2, 0, 1);
  glia_loader *data = loader_of(d, 10, false, 1);
  glia_result r;
  FAILS(glia_evaluate(l, data, &r), GLIA_DIVERGED, "evaluation after step 1");
  FAILS(glia_evaluate(l, data, &r), GLIA_DIVERGED, "fc2");
  glia_loader_free(data);
  glia_dataset_free(d);
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_learner_free(l);
}

/* ---- plans ------------------------------------------------------------------------------- */

static void test_plans(void **state) {
  (void)state;
  glia_learner *l = blob_learner(&glia_adam(), "ref");
  char *text = NULL;
  size_t small = 0, large = 0;
  OK(glia_learner_plan_bytes(l, 8, &small));
  OK(glia_learner_plan_bytes(l, 800, &large));
  assert_true(large > 10 * small);
  assert_int_not_equal(glia_learner_plan_bytes(l, -1, &small), GLIA_OK);
  OK(glia_learner_plan_text(l, 8, "fuse", false, &text));
  assert_non_null(strstr(text, "fc1.weight"));
  assert_non_null(strstr(text, "---- fuse"));
  free(text);
  OK(glia_learner_plan_text(l, 8, NULL, true, &text));
  assert_null(strstr(text, "fc1.weight "));
  free(text);
  FAILS(glia_learner_plan_text(l, 8, "fuze", true, &text), GLIA_INVALID,
        "did you mean \"fuse\"?");
  glia_learner_free(l);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_models_refused),
      cmocka_unit_test(test_batches_refused),
      cmocka_unit_test(test_probabilities),
      cmocka_unit_test(test_numbers_and_bce),
      cmocka_unit_test(test_evaluation_over_uneven_batches),
      cmocka_unit_test(test_frozen_parameters_stay),
      cmocka_unit_test(test_opened_for_use),
      cmocka_unit_test(test_divergence_names_step_and_layer),
      cmocka_unit_test(test_plans),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
