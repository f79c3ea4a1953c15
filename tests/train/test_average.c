/* Means of the parameters over the steps: training does not see them, evaluation, prediction
 * and saved models do.
 */
#include "blobs.h"

#include "train/learner.h"

static glia_learner *trained(const glia_optimizer *o, const glia_dataset *d) {
  glia_learner *l = blob_learner(o, "ref");
  glia_loader *data = loader_of(d, 16, true, 1);
  OK(glia_fit(l, data, NULL, .epochs = 3));
  glia_loader_free(data);
  return l;
}

static glia_tensor *points(void) {
  glia_tensor *x = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){4, 2}, &x));
  for (int64_t i = 0; i < 8; i++) glia_tensor_set(x, i, sin((double)i));
  return x;
}

static double difference(const glia_tensor *a, const glia_tensor *b) {
  double most = 0;
  assert_int_equal(glia_tensor_count(a), glia_tensor_count(b));
  for (int64_t i = 0; i < glia_tensor_count(a); i++)
    most = fmax(most, fabs(glia_tensor_get(a, i) - glia_tensor_get(b, i)));
  return most;
}

/* What `a`, which keeps a mean, predicts, against `plain`, which made the same steps without,
 * and against a learner that opens what `a` saves. */
static void check(const glia_optimizer *with, const glia_optimizer *without) {
  char path[600];
  const glia_tensor *mean = NULL, *last = NULL, *loaded = NULL;
  snprintf(path, sizeof path, "%s/model.safetensors", test_dir("average"));
  glia_dataset *d = blobs(64, 0.5, 0, 1);
  glia_tensor *x = points();
  glia_learner *a = trained(with, d), *plain = trained(without, d);
  glia_learner *b = blob_learner(without, "ref");
  OK(glia_learner_forward(a, x, &mean));
  OK(glia_learner_forward(plain, x, &last));
  assert_true(difference(mean, last) > 1e-3);
  NEAR(difference(glia_store_get(glia_learner_store(a), "fc1.weight"),
                  glia_store_get(glia_learner_store(plain), "fc1.weight")),
       0, 0);
  OK(glia_save(glia_learner_store(a), path, NULL, 0));
  OK(glia_load(glia_learner_store(b), path, false));
  OK(glia_learner_forward(b, x, &loaded));
  NEAR(difference(mean, loaded), 0, 0);
  /* opened by one that keeps a mean itself: the mean begins anew */
  OK(glia_load(glia_learner_store(a), path, false));
  OK(glia_learner_forward(a, x, &mean));
  NEAR(difference(mean, loaded), 0, 0);
  glia_learner_free(a);
  glia_learner_free(b);
  glia_learner_free(plain);
  glia_dataset_free(d);
  glia_tensor_free(x);
}

static void test_ema(void **state) {
  (void)state;
  check(&glia_sgd(.lr = 0.3, .ema = 0.9), &glia_sgd(.lr = 0.3));
}

static void test_swa(void **state) {
  (void)state;
  check(&glia_adam(.lr = 0.05, .swa = true, .swa_start = 3), &glia_adam(.lr = 0.05));
}

/* The best epoch's weights come back with their mean. */
static void test_best_epoch(void **state) {
  (void)state;
  glia_dataset *d = blobs(64, 0.5, 0, 1), *other = blobs(40, 0.9, 0.6, 2);
  glia_loader *data = loader_of(d, 16, true, 1), *valid = loader_of(other, 40, false, 1);
  glia_learner *l = blob_learner(&glia_sgd(.lr = 2, .ema = 0.9), "ref");
  glia_history h = {0};
  glia_result r;
  OK(glia_fit_opt(
      l, data, valid, &h,
      &(glia_fit_opts){.size = sizeof(glia_fit_opts), .epochs = 6, .keep_best = true}));
  assert_true(h.best > 0);
  OK(glia_evaluate(l, valid, &r));
  NEAR(r.loss, h.best_value, 1e-12);
  glia_result_clear(&r);
  glia_history_clear(&h);
  glia_learner_free(l);
  glia_loader_free(data);
  glia_loader_free(valid);
  glia_dataset_free(d);
  glia_dataset_free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ema),
      cmocka_unit_test(test_swa),
      cmocka_unit_test(test_best_epoch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
