/* Training in mixed precision: learning curves follow those of f32, parameters and optimiser
 * state stay f32, the same seed gives the same bits, a run that is resumed too, and activations
 * take about half the memory. And models that are stored in 16 bits.
 */
#include "train/blobs.h"

#include "compile/plan.h"
#include "train/learner.h"

enum { STEPS = 60, BATCH = 32, SIDE = 8, IMAGES = 256 };

/* Bars: class 0 has a bright row, class 1 a bright column, class 2 neither; noise over all. */
static glia_dataset *bars(void) {
  const gi_rng r = {11, 1, 0};
  const int64_t n = IMAGES;
  glia_tensor *x = NULL, *y = NULL;
  glia_dataset *d = NULL;
  OK(glia_tensor_new(GLIA_F32, 4, (const int64_t[]){n, 1, SIDE, SIDE}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, &n, &y));
  for (int64_t i = 0; i < n; i++) {
    const int64_t c = i % 3, at = (i / 3) % SIDE;
    glia_tensor_set(y, i, (double)c);
    for (int64_t k = 0; k < SIDE * SIDE; k++) {
      const bool lit = (c == 0 && k / SIDE == at) || (c == 1 && k % SIDE == at);
      const uint64_t e = (uint64_t)(i * SIDE * SIDE + k);
      glia_tensor_set(x, (int64_t)e, (lit ? 1.5 : 0) + 0.5 * gi_rng_normal(&r, e));
    }
  }
  OK(glia_dataset_arrays(x, y, 3, &d));
  glia_tensor_free(x);
  glia_tensor_free(y);
  return d;
}

static glia_value convnet(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv1", x, .filters = 16, .kernel = {3, 3}, .padding = {1, 1});
  x = glia_relu(glia_batch_norm(s, "norm", x));
  x = glia_conv2d(s, "conv2", x, .filters = 16, .kernel = {3, 3}, .padding = {1, 1},
                  .activation = "relu");
  x = glia_max_pool2d(x, .kernel = {2, 2});
  return glia_dense(s, "fc", glia_flatten(x), .units = 3);
}

static glia_learner *learner(glia_model_fn model, glia_sample_spec spec, glia_dtype precision) {
  glia_learner *l = NULL;
  const glia_learner_opts o = {.size = sizeof o,
                               .model = model,
                               .user = &blob_width,
                               .data = spec,
                               .optimizer = glia_adam(.lr = 0.01),
                               .seed = 1,
                               .precision = precision};
  OK(glia_learner_new(&o, &l));
  return l;
}

/* Losses of so many steps. */
static void train(glia_learner *l, const glia_dataset *d, double *losses) {
  glia_loader *data = loader_of(d, BATCH, true, 1);
  glia_batch b = {0};
  for (int step = 0, epoch = 0; step < STEPS;) {
    OK(glia_loader_start(data, epoch++));
    for (;;) {
      OK(glia_loader_next(data, &b));
      if (b.count == 0 || step == STEPS) break;
      OK(glia_learner_step(l, b.x, b.y, 0, &losses[step++]));
    }
  }
  glia_loader_free(data);
}

static double mean_of_last(const double *losses) {
  double sum = 0;
  for (int i = STEPS - 16; i < STEPS; i++) sum += losses[i] / 16;
  return sum;
}

static void expect_f32_store(glia_learner *l) {
  const glia_store *s = glia_learner_store(l);
  for (int i = 0; i < glia_store_count(s); i++) {
    const glia_dtype t = glia_tensor_dtype(glia_store_tensor(s, i));
    if (t == GLIA_BF16 || t == GLIA_F16) fail_msg("%s is narrow", glia_store_name(s, i));
  }
}

/* bf16 has 8 bits: the first losses agree to about 1 %, the last to what training leaves. */
static void follow(glia_model_fn model, const glia_dataset *d) {
  const glia_sample_spec spec = *glia_dataset_spec(d);
  double wide[STEPS], narrow[STEPS], again[STEPS];
  glia_learner *a = learner(model, spec, GLIA_F32), *b = learner(model, spec, GLIA_BF16),
               *c = learner(model, spec, GLIA_BF16);
  train(a, d, wide);
  train(b, d, narrow);
  train(c, d, again);
  for (int i = 0; i < 5; i++) NEAR(narrow[i], wide[i], 0.03 * wide[i] + 0.01);
  NEAR(mean_of_last(narrow), mean_of_last(wide), 0.1 * mean_of_last(wide) + 0.02);
  assert_true(mean_of_last(narrow) < 0.6 * narrow[0]); /* it learns at all */
  assert_memory_equal(narrow, again, sizeof narrow);
  expect_f32_store(b);
  glia_learner_free(a);
  glia_learner_free(b);
  glia_learner_free(c);
}

static void test_a_perceptron_follows_f32(void **state) {
  (void)state;
  glia_dataset *d = blobs(300, 0.6, 0, 1);
  follow(blob_model, d);
  glia_dataset_free(d);
}

static void test_a_convnet_follows_f32(void **state) {
  (void)state;
  glia_dataset *d = bars();
  follow(convnet, d);
  glia_dataset_free(d);
}

/* Bytes of activations and gradients of a training step, without what kernels work in. */
static size_t arena_of(glia_dtype precision) {
  const glia_sample_spec spec = {
      .dtype = GLIA_F32, .rank = 3, .shape = {1, SIDE, SIDE}, .classes = 3};
  const int64_t batch = 64;
  const gi_type types[3] = {
      {.dtype = GLIA_F32, .rank = 4, .dim = {batch, 1, SIDE, SIDE}},
      {.dtype = GLIA_I64, .rank = 1, .dim = {batch}},
      {.dtype = GLIA_F64},
  };
  glia_learner *l = learner(convnet, spec, precision);
  glia_plan *p = NULL;
  OK(gi_cache_get(l->plans, GI_MODE_TRAIN, types, 3, "loss", &p));
  const size_t bytes = p->memory.arena;
  glia_learner_free(l);
  return bytes;
}

static void test_activations_take_half_the_memory(void **state) {
  (void)state;
  const double share = (double)arena_of(GLIA_BF16) / (double)arena_of(GLIA_F32);
  if (!(share > 0.4 && share < 0.65)) fail_msg("bf16 takes %.2f of the bytes of f32", share);
}

/* ---- runs -------------------------------------------------------------------------------- */

/* Points of three kinds as a CSV table. */
static const char *table(const char *dir) {
  static char path[700];
  const gi_rng r = {4, 1, 0};
  gi_str text = {0};
  gi_str_puts(&text, "a,b,c,kind\n");
  for (int i = 0; i < 240; i++) {
    for (int k = 0; k < 3; k++)
      gi_str_printf(&text, "%.4f,",
                    (i % 3 == k) + 0.3 * gi_rng_normal(&r, (uint64_t)(3 * i + k)));
    gi_str_printf(&text, "%c\n", "xyz"[i % 3]);
  }
  snprintf(path, sizeof path, "%s/table.csv", dir);
  OK(gi_write_file(path, text.s, text.n));
  gi_str_free(&text);
  return path;
}

static bool stop_after_two(const glia_progress *p, void *user) {
  (void)user;
  return p->event != GLIA_EPOCH_END || p->epoch < 2;
}

static void train_run(const char *data, const char *dir, bool stopped) {
  glia_run *r = NULL;
  const glia_train_opts o = {.size = sizeof o,
                             .data = data,
                             .run = dir,
                             .target = "kind",
                             .epochs = 4,
                             .batch = 16,
                             .seed = 2,
                             .threads = 1,
                             .tune = -1,
                             .precision = GLIA_BF16};
  OK(glia_run_new(&o, &r));
  if (stopped) {
    FAILS(glia_run_fit(r, stop_after_two, NULL), GLIA_CANCELLED, "");
    glia_run_free(r);
    OK(glia_run_resume(dir, &r));
    assert_int_equal(glia_run_opts(r)->precision, GLIA_BF16);
  }
  OK(glia_run_fit(r, NULL, NULL));
  glia_run_free(r);
}

static glia_safetensors *open_file(const char *dir, const char *name) {
  char path[800];
  glia_safetensors *f = NULL;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  OK(glia_safetensors_open(path, &f));
  return f;
}

static void test_resumed_runs_end_in_the_same_bits(void **state) {
  (void)state;
  char dir[600], first[640], second[640];
  snprintf(dir, sizeof dir, "%s", test_dir("precision"));
  snprintf(first, sizeof first, "%s/first", dir);
  snprintf(second, sizeof second, "%s/second", dir);
  const char *data = table(dir);
  train_run(data, first, false);
  train_run(data, second, true);
  glia_safetensors *a = open_file(first, "checkpoint.safetensors"),
                   *b = open_file(second, "checkpoint.safetensors");
  assert_true(glia_safetensors_count(a) > 6);
  for (int i = 0; i < glia_safetensors_count(a); i++) {
    glia_tensor *x = NULL, *y = NULL;
    OK(glia_safetensors_read(a, i, &x));
    OK(glia_safetensors_read(b, i, &y));
    assert_int_not_equal(glia_tensor_dtype(x), GLIA_BF16);
    assert_int_equal(glia_tensor_bytes(x), glia_tensor_bytes(y));
    assert_memory_equal(glia_tensor_data(x), glia_tensor_data(y), glia_tensor_bytes(x));
    glia_tensor_free(x);
    glia_tensor_free(y);
  }
  glia_safetensors_close(a);
  glia_safetensors_close(b);
}

/* ---- files ------------------------------------------------------------------------------- */

/* The largest distance of the file's parameters from the run's, as a share of them. */
static double distance(const char *path, const glia_store *want) {
  glia_safetensors *f = NULL;
  double most = 0;
  OK(glia_safetensors_open(path, &f));
  for (int i = 0; i < glia_store_count(want); i++) {
    const int at = glia_safetensors_find(f, glia_store_name(want, i));
    const glia_tensor *w = glia_store_tensor(want, i);
    glia_tensor *t = NULL;
    if (at < 0) continue; /* state of the optimiser */
    OK(glia_safetensors_read(f, at, &t));
    for (int64_t e = 0; e < glia_tensor_count(t); e++) {
      const double v = glia_tensor_get(w, e);
      most = fmax(most, fabs(glia_tensor_get(t, e) - v) / fmax(fabs(v), 1e-4));
    }
    glia_tensor_free(t);
  }
  glia_safetensors_close(f);
  return most;
}

static void test_models_in_16_bits(void **state) {
  (void)state;
  char dir[600], run[640], path[700];
  glia_run *r = NULL;
  snprintf(dir, sizeof dir, "%s", test_dir("export"));
  snprintf(run, sizeof run, "%s/run", dir);
  train_run(table(dir), run, false);
  OK(glia_run_open(run, &r));
  const glia_store *store = glia_learner_store(glia_run_learner(r));
  static const struct {
    glia_dtype dtype;
    double room; /* half a unit in the last place */
  } forms[] = {{GLIA_F32, 0}, {GLIA_F16, 0x1p-11}, {GLIA_BF16, 0x1p-8}};
  for (int i = 0; i < GI_COUNT(forms); i++) {
    glia_run *other = NULL;
    glia_result a = {0}, b = {0};
    snprintf(path, sizeof path, "%s/%d.safetensors", dir, i);
    OK(glia_run_export(r, path, forms[i].dtype));
    assert_true(distance(path, store) <= forms[i].room);
    OK(glia_run_open(path, &other));
    OK(glia_run_evaluate(r, table(dir), &a));
    OK(glia_run_evaluate(other, table(dir), &b));
    NEAR(b.loss, a.loss, 0.02);
    glia_result_clear(&a);
    glia_result_clear(&b);
    glia_run_free(other);
  }
  FAILS(glia_run_export(r, path, GLIA_I64), GLIA_INVALID, "wanted f32, f16 or bf16");
  glia_tensor *weight = glia_store_get(store, "dense_1.weight");
  assert_non_null(weight);
  glia_tensor_set(weight, 3, 70000);
  FAILS(glia_run_export(r, path, GLIA_F16), GLIA_MODEL, "dense_1.weight holds 70000");
  OK(glia_run_export(r, path, GLIA_BF16));
  glia_run_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_perceptron_follows_f32),
      cmocka_unit_test(test_a_convnet_follows_f32),
      cmocka_unit_test(test_activations_take_half_the_memory),
      cmocka_unit_test(test_resumed_runs_end_in_the_same_bits),
      cmocka_unit_test(test_models_in_16_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
