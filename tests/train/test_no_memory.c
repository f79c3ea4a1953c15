/* Every allocation of building, compiling and running training steps fails once in turn: always
 * a status, never a crash, a leak (under ASan) or a silent wrong result.
 */
#include "test.h"

#include "glia/glia.h"

static glia_value perceptron(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_dense(s, "one", glia_flatten(x), .units = 4, .activation = "gelu");
  x = glia_dropout(s, "drop", x, 0.2);
  return glia_dense(s, "two", x, .units = 3);
}

static glia_value convnet(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv", x, .filters = 3, .kernel = {3, 3}, .same = true);
  x = glia_batch_norm(s, "norm", x, .activation = "relu");
  x = glia_max_pool2d(x, .kernel = {2, 2});
  return glia_dense(s, "last", glia_flatten(x), .units = 3, .init = GLIA_INIT_ORTHOGONAL);
}

/* Two look-ups in one table. */
static glia_value table_of(glia_scope *s, glia_value x, bool sparse) {
  const glia_value index = glia_cast(glia_mul(glia_abs(x), glia_scalar_like(x, 50)), GLIA_I64);
  glia_value y = glia_embedding(s, "table", index, .rows = 200, .width = 2, .sparse = sparse);
  if (sparse)
    y = glia_mul(y, glia_embedding(s, "table", glia_add(index, glia_scalar_like(index, 1)),
                                   .rows = 200, .width = 2, .sparse = true));
  return glia_dense(s, "last", glia_flatten(y), .units = 3);
}
static glia_value table(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return table_of(s, x, false);
}
static glia_value sparse_table(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return table_of(s, x, true);
}

typedef struct work {
  glia_model_fn model;
  glia_optimizer optimizer;
  double clip_norm;
  const char *backend;
} work;

static glia_status steps(glia_learner *l, const glia_tensor *x, const glia_tensor *y,
                         double *loss) {
  const glia_tensor *out = NULL;
  glia_tensor *p = NULL;
  char *text = NULL;
  GI_TRY(glia_learner_step(l, x, y, 0, NULL));
  GI_TRY(glia_learner_step(l, x, y, 0.01, loss));
  GI_TRY(glia_learner_forward(l, x, &out));
  GI_TRY(glia_predict(l, x, &p));
  glia_tensor_free(p);
  const glia_status s = glia_learner_plan_text(l, 3, "all", false, &text);
  free(text);
  return s;
}

static glia_status all_of_it(const work *w, double *loss) {
  glia_learner *l = NULL;
  glia_tensor *x = NULL, *y = NULL;
  const glia_learner_opts o = {.size = sizeof o,
                               .model = w->model,
                               .data = {.rank = 3, .shape = {2, 4, 4}, .classes = 3},
                               .optimizer = w->optimizer,
                               .clip_norm = w->clip_norm,
                               .loss = {.label_smoothing = 0.1},
                               .seed = 1,
                               .backend = w->backend,
                               .threads = 1};
  glia_status s = glia_learner_new(&o, &l);
  if (s == GLIA_OK) s = glia_tensor_new(GLIA_F32, 4, (const int64_t[]){2, 2, 4, 4}, &x);
  if (s == GLIA_OK) s = glia_tensor_new(GLIA_I64, 1, (const int64_t[]){2}, &y);
  for (int64_t i = 0; s == GLIA_OK && i < 64; i++) glia_tensor_set(x, i, sin((double)i));
  if (s == GLIA_OK) glia_tensor_set(y, 1, 2);
  if (s == GLIA_OK) s = steps(l, x, y, loss);
  glia_learner_free(l);
  glia_tensor_free(x);
  glia_tensor_free(y);
  return s;
}

static void each_allocation_fails(const work *w, int64_t stride) {
  double want = 0, loss = 0;
  gi_alloc_count();
  OK(all_of_it(w, &want));
  const int64_t count = gi_alloc_count();
  int64_t failed = 0;
  for (int64_t n = 1; n <= count; n += stride) {
    gi_alloc_fail_after(n);
    const glia_status s = all_of_it(w, &loss);
    gi_alloc_fail_after(0);
    if (s == GLIA_OK)
      NEAR(loss, want, 1e-5); /* it could do without: one fusion less, say */
    else
      assert_int_equal(s, GLIA_NOMEM);
    failed += s != GLIA_OK;
  }
  print_message("%lld allocations, %lld tried ones failed\n", (long long)count,
                (long long)failed);
  assert_true(failed > count / stride * 3 / 4);
}

static void test_perceptron(void **state) {
  (void)state;
  each_allocation_fails(&(work){perceptron, glia_adamw(), 1.0, "ref"}, 1);
  each_allocation_fails(
      &(work){perceptron, glia_nadam(.ema = 0.9, .lookahead = 5, .l1 = 0.1), 0, "ref"}, 1);
}

static void test_convnet(void **state) {
  (void)state;
  each_allocation_fails(&(work){convnet, glia_sgd(.momentum = 0.9, .nesterov = true), 0, "ref"},
                        1);
}

static void test_convnet_on_the_default_backend(void **state) {
  (void)state;
  each_allocation_fails(&(work){convnet, glia_rmsprop(.centered = true), 0, NULL}, 3);
}

/* Rows, by the compiler and by the option. */
static void test_tables(void **state) {
  (void)state;
  each_allocation_fails(&(work){table, glia_sgd(), 1.0, "ref"}, 1);
  each_allocation_fails(&(work){sparse_table, glia_adam(), 1.0, NULL}, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_perceptron),
      cmocka_unit_test(test_convnet),
      cmocka_unit_test(test_convnet_on_the_default_backend),
      cmocka_unit_test(test_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
