/* Deterministic training ends in the same bits with any number of threads: parameters, running
 * means and the optimiser's state, after some steps of nets that reduce in many ways, in f32
 * and in mixed precision.
 */
#include "test.h"

#include "glia/glia.h"

enum { STEPS = 10, MOST_THREADS = 4 };

typedef struct task {
  const char *name;
  glia_model_fn model;
  int64_t batch;
  glia_sample_spec data;
  const char *optimizer;
  glia_dtype precision;
} task;

/* One input channel, then few and many; strides; a product of [N, 576]: every way in which the
 * convolutions, pooling, batch norm and products share their work out. */
static glia_value convnet(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv1", x, .filters = 16, .kernel = {3, 3}, .activation = "relu");
  x = glia_conv2d(s, "conv2", x, .filters = 32, .kernel = {3, 3}, .padding = {1, 1});
  x = glia_relu(glia_batch_norm(s, "norm", x));
  x = glia_max_pool2d(x, .kernel = {2, 2});
  x = glia_dropout(s, "drop", x, 0.25);
  x = glia_conv2d(s, "conv3", x, .filters = 24, .kernel = {3, 3}, .stride = {2, 2});
  x = glia_flatten(glia_relu(x));
  x = glia_dense(s, "fc1", x, .units = 64, .activation = "relu");
  return glia_dense(s, "fc2", glia_dropout(s, "drop2", x, 0.5), .units = 10);
}

/* Two groups and one filter fewer than a vector: what oneDNN alone computes. */
static glia_value grouped(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv1", x, .filters = 6, .kernel = {3, 3}, .activation = "relu");
  x = glia_conv2d(s, "conv2", x, .filters = 8, .kernel = {3, 3}, .groups = 2);
  x = glia_global_avg_pool2d(glia_relu(x));
  return glia_dense(s, "fc", x, .units = 10);
}

static glia_value mlp(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_dense(s, "fc1", x, .units = 512, .activation = "relu");
  x = glia_dense(s, "fc2", glia_dropout(s, "drop", x, 0.2), .units = 256, .activation = "tanh");
  return glia_dense(s, "fc3", x, .units = 10);
}

static glia_tensor *noise(const task *t, uint64_t step) {
  int64_t shape[GLIA_MAX_RANK] = {t->batch};
  const gi_rng r = {7, 1, step};
  glia_tensor *x = NULL;
  memcpy(shape + 1, t->data.shape, (size_t)t->data.rank * sizeof *shape);
  OK(glia_tensor_new(GLIA_F32, t->data.rank + 1, shape, &x));
  for (int64_t i = 0; i < glia_tensor_count(x); i++)
    glia_tensor_set(x, i, gi_rng_normal(&r, (uint64_t)i));
  return x;
}

static glia_tensor *classes(const task *t, uint64_t step) {
  const gi_rng r = {7, 2, step};
  glia_tensor *y = NULL;
  OK(glia_tensor_new(GLIA_I64, 1, &t->batch, &y));
  for (int64_t i = 0; i < t->batch; i++)
    glia_tensor_set(y, i, (double)gi_rng_below(&r, (uint64_t)i, 10));
  return y;
}

static glia_learner *trained(const task *t, int threads, double *loss) {
  glia_learner *l = NULL;
  glia_learner_opts o = {.size = sizeof o,
                         .model = t->model,
                         .data = t->data,
                         .clip_norm = 1,
                         .seed = 5,
                         .threads = threads,
                         .precision = t->precision,
                         .deterministic = true};
  OK(glia_optimizer_parse(t->optimizer, &o.optimizer));
  OK(glia_learner_new(&o, &l));
  for (uint64_t step = 0; step < STEPS; step++) {
    glia_tensor *x = noise(t, step), *y = classes(t, step);
    OK(glia_learner_step(l, x, y, 0, loss));
    glia_tensor_free(x);
    glia_tensor_free(y);
  }
  return l;
}

static void same_bits(const task *t, glia_learner *one, glia_learner *other, int threads) {
  const glia_store *a = glia_learner_store(one), *b = glia_learner_store(other);
  assert_int_equal(glia_store_count(a), glia_store_count(b));
  for (int i = 0; i < glia_store_count(a); i++) {
    const char *name = glia_store_name(a, i);
    const glia_tensor *x = glia_store_get(a, name), *y = glia_store_get(b, name);
    assert_non_null(y);
    const size_t n = (size_t)glia_tensor_count(x) * glia_dtype_size(glia_tensor_dtype(x));
    if (memcmp(glia_tensor_data(x), glia_tensor_data(y), n) != 0)
      fail_msg("%s in %s: %s differs with %d threads", t->name, glia_dtype_name(t->precision),
               name, threads);
  }
}

static void check_precision(const task *t) {
  double first = 0, loss = 0;
  glia_learner *one = trained(t, 1, &first);
  assert_true(isfinite(first));
  for (int threads = 2; threads <= MOST_THREADS; threads++) {
    glia_learner *other = trained(t, threads, &loss);
    same_bits(t, one, other, threads);
    assert_true(loss == first);
    glia_learner_free(other);
  }
  glia_learner_free(one);
}

static void check(const task *t) {
  task narrow = *t;
  narrow.precision = GLIA_BF16;
  check_precision(t);
  check_precision(&narrow);
}

static void test_convnet(void **state) {
  (void)state;
  check(&(task){.name = "convnet",
                .model = convnet,
                .batch = 18,
                .data = {.rank = 3, .shape = {1, 20, 20}, .classes = 10},
                .optimizer = "adam"});
}

static void test_grouped(void **state) {
  (void)state;
  check(&(task){.name = "grouped",
                .model = grouped,
                .batch = 13,
                .data = {.rank = 3, .shape = {3, 17, 19}, .classes = 10},
                .optimizer = "sgd momentum=0.9 nesterov"});
}

static void test_mlp(void **state) {
  (void)state;
  check(&(task){.name = "mlp",
                .model = mlp,
                .batch = 64,
                .data = {.rank = 1, .shape = {784}, .classes = 10},
                .optimizer = "adamw weight_decay=0.01"});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_convnet),
      cmocka_unit_test(test_grouped),
      cmocka_unit_test(test_mlp),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
