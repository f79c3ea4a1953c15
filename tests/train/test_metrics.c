/* Metrics against scikit-learn (golden files made by tools/golden_metrics.py), whatever the
 * batch size, dtype and strides; and what bad input gets. */
#include "test.h"

#include "base/json.h"
#include "glia/metrics.h"
#include "tensor/tensor.h"

#define GOLDEN GI_TEST_SOURCE "/tests/golden/metrics"

/* ---- golden files ----------------------------------------------------------------------- */

typedef struct golden {
  gi_json *root;
  bool labels, numbers;
  int classes, columns;
  int64_t n;
  double tolerance;
} golden;

static golden golden_open(const char *name) {
  char *path = gi_path_join(GOLDEN, name), *text;
  size_t n;
  golden g = {0};
  OK(gi_read_file(path, 1 << 20, &text, &n));
  OK(gi_json_parse(text, n, path, &g.root));
  gi_free(text);
  gi_free(path);
  const char *kind = gi_json_str(gi_json_get(g.root, "kind"), "");
  g.labels = strcmp(kind, "labels") == 0;
  g.numbers = strcmp(kind, "numbers") == 0;
  g.classes = (int)gi_json_int(gi_json_get(g.root, "classes"), 0);
  const gi_json *output = gi_json_get(g.root, g.labels ? "predicted" : "output");
  const gi_json *first = gi_json_at(output, 0);
  g.n = (int64_t)gi_json_count(output);
  g.columns = gi_json_type(first) == GI_JSON_ARRAY ? (int)gi_json_count(first) : 1;
  const bool f32 = strcmp(gi_json_str(gi_json_get(g.root, "dtype"), "f64"), "f32") == 0;
  g.tolerance = f32 ? 1e-6 : 1e-12;
  assert_true(g.n > 0);
  return g;
}

/* [n] or [n, columns] of JSON as a tensor of that dtype. */
static glia_tensor *tensor_of(const golden *g, const char *key, glia_dtype dtype) {
  const gi_json *rows = gi_json_get(g->root, key);
  const bool flat = gi_json_type(gi_json_at(rows, 0)) != GI_JSON_ARRAY;
  const int64_t shape[2] = {g->n, g->columns};
  glia_tensor *t;
  OK(glia_tensor_new(dtype, flat ? 1 : 2, shape, &t));
  assert_int_equal(gi_json_count(rows), g->n);
  for (int64_t i = 0; i < glia_tensor_count(t); i++) {
    const gi_json *row = gi_json_at(rows, (size_t)(flat ? i : i / g->columns));
    const gi_json *v = flat ? row : gi_json_at(row, (size_t)(i % g->columns));
    glia_tensor_set(t, i, gi_json_num(v, (double)NAN));
  }
  return t;
}

static glia_evaluation *new_evaluation(const golden *g) {
  const bool p = strcmp(gi_json_str(gi_json_get(g->root, "scores"), ""), "probabilities") == 0;
  const glia_evaluation_opts opt = {
      .classes = g->classes,
      .targets = g->numbers ? g->columns : 0,
      .scores = p ? GLIA_SCORES_PROBABILITIES : GLIA_SCORES_LOGITS};
  glia_evaluation *e;
  OK(glia_evaluation_new(&opt, &e));
  return e;
}

/* Adds everything in batches of this size. */
static void feed(const golden *g, glia_evaluation *e, int64_t batch) {
  const bool f32 = g->tolerance > 1e-10;
  glia_tensor *y = tensor_of(g, "target", g->numbers ? GLIA_F64 : GLIA_I64);
  glia_tensor *x = tensor_of(g, g->labels ? "predicted" : "output",
                             g->labels ? GLIA_I64
                             : f32     ? GLIA_F32
                                       : GLIA_F64);
  for (int64_t at = 0; at < g->n; at += batch) {
    const int64_t end = GI_MIN(at + batch, g->n);
    if (g->labels) {
      OK(glia_evaluation_add_labels(e, (const int64_t *)glia_tensor_data(y) + at,
                                    (const int64_t *)glia_tensor_data(x) + at, end - at));
      continue;
    }
    glia_tensor *xs, *ys;
    OK(glia_tensor_slice(x, 0, at, end, 1, &xs));
    OK(glia_tensor_slice(y, 0, at, end, 1, &ys));
    OK(glia_evaluation_add(e, xs, ys));
    glia_tensor_free(xs);
    glia_tensor_free(ys);
  }
  glia_tensor_free(x);
  glia_tensor_free(y);
  assert_int_equal(glia_evaluation_count(e), g->n);
}

typedef struct check {
  const char *file;
  const glia_evaluation *e;
  double tolerance;
  int seen;
} check;

static void near(const check *c, const char *what, double got, const gi_json *want_json) {
  const double want = gi_json_num(want_json, (double)NAN);
  if (isnan(want) ? isnan(got) : fabs(got - want) <= c->tolerance * GI_MAX(1, fabs(want)))
    return;
  fail_msg("%s: %s is %.17g, scikit-learn says %.17g", c->file, what, got, want);
}

static bool check_value(const char *name, const gi_json *want, void *user) {
  check *c = user;
  double got;
  OK(glia_evaluation_value(c->e, name, &got));
  near(c, name, got, want);
  c->seen++;
  return true;
}

static bool check_classes(const char *name, const gi_json *want, void *user) {
  check *c = user;
  assert_int_equal(gi_json_count(want), glia_evaluation_classes(c->e));
  for (int k = 0; k < glia_evaluation_classes(c->e); k++) {
    double got;
    OK(glia_evaluation_class(c->e, name, k, &got));
    near(c, name, got, gi_json_at(want, (size_t)k));
  }
  return true;
}

static void check_confusion(const check *c, const gi_json *want) {
  glia_tensor *t;
  OK(glia_evaluation_confusion(c->e, &t));
  const int classes = glia_evaluation_classes(c->e);
  assert_int_equal(glia_tensor_dtype(t), GLIA_I64);
  assert_int_equal(gi_json_count(want), classes);
  for (int i = 0; i < classes; i++) {
    int64_t row = 0, column = 0;
    for (int j = 0; j < classes; j++) {
      const int64_t got = ((const int64_t *)glia_tensor_data(t))[i * classes + j];
      assert_int_equal(got,
                       gi_json_int(gi_json_at(gi_json_at(want, (size_t)i), (size_t)j), -1));
      row += got;
      column += gi_json_int(gi_json_at(gi_json_at(want, (size_t)j), (size_t)i), -1);
    }
    assert_int_equal(glia_evaluation_support(c->e, i), row);
    assert_int_equal(glia_evaluation_predicted(c->e, i), column);
  }
  glia_tensor_free(t);
}

static void test_golden(void **state) {
  (void)state;
  gi_names files;
  OK(gi_list_dir(GOLDEN, &files));
  assert_true(files.n >= 20);
  for (size_t f = 0; f < files.n; f++) {
    golden g = golden_open(files.at[f]);
    glia_evaluation *e = new_evaluation(&g);
    const int64_t batches[] = {g.n, 7, 1};
    for (int b = 0; b < GI_COUNT(batches); b++) {
      glia_evaluation_reset(e);
      feed(&g, e, batches[b]);
      check c = {.file = files.at[f], .e = e, .tolerance = g.tolerance};
      gi_json_each(gi_json_get(g.root, "values"), check_value, &c);
      assert_true(c.seen >= 4);
      if (g.numbers) continue;
      gi_json_each(gi_json_get(g.root, "per_class"), check_classes, &c);
      check_confusion(&c, gi_json_get(g.root, "confusion"));
    }
    glia_evaluation_free(e);
    gi_json_free(g.root);
  }
  gi_names_free(&files);
}

/* Every row of the table stands in some golden file, and describes itself. */
static void test_every_metric_is_tested(void **state) {
  (void)state;
  golden files[] = {golden_open("logits.json"), golden_open("numbers.json")};
  glia_metric_info m, found;
  int n = 0;
  for (; glia_metric_get(n, &m); n++) {
    const char *name = strcmp(m.name, "top_k_accuracy") == 0 ? "top_3_accuracy" : m.name;
    if (m.running && gi_json_get(gi_json_get(files[m.regression].root, "values"), name) == NULL)
      fail_msg("%s is in no golden file", m.name);
    assert_true(strlen(m.doc) > 10 && strlen(m.source) > 5);
    OK(glia_metric_find(name, &found));
    assert_string_equal(found.name, m.name);
    if (m.per_class && gi_json_get(gi_json_get(files[0].root, "per_class"), name) == NULL)
      fail_msg("%s per class is in no golden file", m.name);
  }
  assert_true(n >= 20);
  gi_json_free(files[0].root);
  gi_json_free(files[1].root);
}

/* ---- other forms of input --------------------------------------------------------------- */

static void close_to(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance)) fail_msg("%.17g, wanted %.17g", got, want);
}

static void test_dtypes_and_strides(void **state) {
  (void)state;
  /* columns first, so that the [3, 2] view has strides; f16 scores, u8 labels */
  glia_tensor *flat, *x, *y;
  const double z[6] = {0.5, -1, 2, 0.25, 3, -2};
  OK(glia_tensor_new(GLIA_F16, 2, (const int64_t[]){2, 3}, &flat));
  for (int i = 0; i < 6; i++) glia_tensor_set(flat, i, z[i]);
  OK(glia_tensor_permute(flat, (const int[]){1, 0}, &x));
  OK(glia_tensor_from(GLIA_U8, 1, (const int64_t[]){3}, (const uint8_t[]){0, 1, 1}, &y));
  glia_evaluation *e;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 2}, &e));
  OK(glia_evaluation_add(e, x, y)); /* rows (.5, .25) (-1, 3) (2, -2): predicts 0 1 0 */
  double v;
  OK(glia_evaluation_value(e, "accuracy", &v));
  close_to(v, 2.0 / 3, 1e-15);
  OK(glia_evaluation_value(e, "log_loss", &v));
  close_to(v, (log1p(exp(-0.25)) + log1p(exp(-4)) + log1p(exp(4))) / 3, 1e-12);
  glia_evaluation_free(e);
  glia_tensor_free(flat);
  glia_tensor_free(x);
  glia_tensor_free(y);
}

/* Adds one row of f64 scores with an i64 target. */
static glia_status add_row(glia_evaluation *e, int c, const double *scores, int64_t target) {
  glia_tensor *x, *y;
  OK(glia_tensor_from(GLIA_F64, 2, (const int64_t[]){1, c}, scores, &x));
  OK(glia_tensor_from(GLIA_I64, 1, (const int64_t[]){1}, &target, &y));
  const glia_status s = glia_evaluation_add(e, x, y);
  glia_tensor_free(x);
  glia_tensor_free(y);
  return s;
}

static void test_extreme_logits(void **state) {
  (void)state;
  glia_evaluation *e;
  double v;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 3}, &e));
  OK(add_row(e, 3, (const double[]){1e300, -1e300, 0}, 0));      /* loss 0, nothing overflows */
  OK(add_row(e, 3, (const double[]){1000, 1000, -INFINITY}, 1)); /* masked class: log 2 */
  OK(glia_evaluation_value(e, "log_loss", &v));
  close_to(v, log(2) / 2, 1e-15);
  FAILS(add_row(e, 3, (const double[]){0, NAN, 0}, 0), GLIA_DIVERGED, "output [0, 1] is nan");
  FAILS(add_row(e, 3, (const double[]){0, 0, INFINITY}, 0), GLIA_DIVERGED, "[0, 2] is inf");
  FAILS(add_row(e, 3, (const double[]){-INFINITY, -INFINITY, -INFINITY}, 0), GLIA_DIVERGED,
        "throughout");
  assert_int_equal(glia_evaluation_count(e), 2);
  glia_evaluation_free(e);
}

/* Of truths 0 1 0 1 0 1 and predictions 0 0 1 1 1 0: one hit of each class. */
static void check_options(const glia_evaluation *e) {
  double v;
  OK(glia_evaluation_value(e, "zero_one_loss count", &v));
  close_to(v, 4, 0);
  OK(glia_evaluation_value(e, " fbeta  beta=2 average=macro", &v));
  close_to(v, 1.0 / 3, 1e-15);
  OK(glia_evaluation_value(e, "top_k_accuracy k=1", &v));
  close_to(v, 2.0 / 6, 1e-15);
  FAILS(glia_evaluation_value(e, "fbeta", &v), GLIA_INVALID, "beta is missing");
  FAILS(glia_evaluation_value(e, "f1 avrage=macro", &v), GLIA_INVALID,
        "did you mean \"average\"? There are average, zero_division");
  FAILS(glia_evaluation_value(e, "f1 average=marco", &v), GLIA_INVALID, "\"macro\"");
  FAILS(glia_evaluation_value(e, "f1 zero_division=0.5", &v), GLIA_INVALID, "wanted 0 or 1");
  FAILS(glia_evaluation_value(e, "accuracy k=3", &v), GLIA_INVALID,
        "no option is called \"k\"");
  FAILS(glia_evaluation_value(e, "f1 average=none", &v), GLIA_UNSUPPORTED,
        "more than one number");
}

/* Metrics that are no sums want the predictions: kept, given again batch by batch, or refused.
 */
static void test_kept(void **state) {
  (void)state;
  const double scores[] = {2, 0, 1, 0, 0.5, 3, -1, 0, 0, 1, 0.5, 0};
  glia_evaluation *e;
  double v, w;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 2, .keep = 1 << 20}, &e));
  for (int i = 0; i < 6; i++) OK(add_row(e, 2, scores + (size_t)2 * (size_t)i, i % 2));
  OK(glia_evaluation_value(e, "roc_auc",
                           &v)); /* differences -2 -1 2.5 1 1 -.5: of 9 pairs 3.5 */
  close_to(v, 3.5 / 9, 1e-15);
  OK(glia_evaluation_value(e, "hinge_loss", &v)); /* margins 2 -1 -2.5 1 -1 -.5 */
  close_to(v, (0 + 2 + 3.5 + 0 + 2 + 1.5) / 6, 1e-15);
  OK(glia_evaluation_value(e, "jaccard", &v)); /* predicted 0 0 1 1 1 0: one hit of five */
  close_to(v, 1.0 / 5, 1e-15);
  OK(glia_evaluation_value(e, "accuracy", &v));
  OK(glia_evaluation_value(e, "zero_one_loss", &w));
  close_to(v + w, 1, 1e-15);
  FAILS(glia_evaluation_value(e, "ndcg", &v), GLIA_UNSUPPORTED, "no metric of predictions");
  check_options(e);
  OK(glia_evaluation_add_labels(e, (const int64_t[]){1}, (const int64_t[]){1}, 1));
  OK(glia_evaluation_value(e, "jaccard", &v));
  close_to(v, 2.0 / 6, 1e-15);
  FAILS(glia_evaluation_value(e, "roc_auc", &v), GLIA_UNSUPPORTED, "needs scores");
  glia_evaluation_reset(e);
  OK(add_row(e, 2, scores, 0));
  FAILS(glia_evaluation_value(e, "roc_auc", &v), GLIA_DATA, "only one class");
  glia_evaluation_free(e);
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 2}, &e));
  OK(add_row(e, 2, scores, 0));
  FAILS(glia_evaluation_value(e, "roc_auc", &v), GLIA_UNSUPPORTED, "none were kept");
  glia_evaluation_free(e);
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 2, .keep = 40}, &e));
  OK(add_row(e, 2, scores, 0));
  OK(glia_evaluation_value(e, "jaccard", &v));
  OK(add_row(e, 2, scores, 0)); /* 48 bytes */
  FAILS(glia_evaluation_value(e, "jaccard", &v), GLIA_UNSUPPORTED, "more memory than may be");
  glia_evaluation_free(e);
}

/* Several classes and several targets. */
static void test_kept_rows(void **state) {
  (void)state;
  const double scores[] = {3, 1, 0, 1, 2, 0, 0, 1, 4, 0, 2, 1};
  glia_evaluation *e;
  glia_tensor *x, *y;
  double v;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 3, .keep = 1 << 20}, &e));
  for (int i = 0; i < 4; i++) OK(add_row(e, 3, scores + (size_t)3 * (size_t)i, i % 3));
  OK(glia_evaluation_value(e, "roc_auc",
                           &v)); /* class 0: its .84 and .09 against .24 and .02 */
  assert_true(v > 0.7 && v < 1);
  OK(glia_evaluation_value(e, "hinge_loss", &v)); /* margins 2 1 3 -2 */
  close_to(v, 3.0 / 4, 1e-15);
  glia_evaluation_free(e);
  OK(glia_evaluation_new(&(glia_evaluation_opts){.targets = 2, .keep = 1 << 20}, &e));
  OK(glia_tensor_from(GLIA_F64, 2, (const int64_t[]){6, 2}, scores, &x));
  OK(glia_tensor_new(GLIA_F64, 2, (const int64_t[]){6, 2}, &y));
  OK(glia_evaluation_add(e, x, y));
  OK(glia_evaluation_value(e, "median_absolute_error",
                           &v)); /* of 3 0 2 0 4 2 and 1 1 0 1 0 1 */
  close_to(v, (2.0 + 1) / 2, 1e-15);
  FAILS(glia_evaluation_value(e, "max_error", &v), GLIA_SHAPE, "wanted [N]");
  FAILS(glia_evaluation_value(e, "roc_auc", &v), GLIA_UNSUPPORTED, "is for classes");
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_evaluation_free(e);
}

/* Many classes: no confusion matrix, everything else. */
static void test_many_classes(void **state) {
  (void)state;
  enum { C = 50257 };
  glia_evaluation *e;
  glia_tensor *t;
  double v, *scores = calloc(C, sizeof *scores);
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = C}, &e));
  scores[777] = 2;
  OK(add_row(e, C, scores, 777));
  OK(add_row(e, C, scores, 50256));
  OK(glia_evaluation_value(e, "accuracy", &v));
  close_to(v, 0.5, 0);
  OK(glia_evaluation_value(e, "top_2_accuracy", &v));
  close_to(v, 1, 0);
  OK(glia_evaluation_value(e, "precision_macro", &v));
  close_to(v, 0.25, 1e-15); /* 1/2 and 0 over the two classes that occur */
  FAILS(glia_evaluation_confusion(e, &t), GLIA_UNSUPPORTED, "50257 classes");
  free(scores);
  glia_evaluation_free(e);
}

/* ---- bad input -------------------------------------------------------------------------- */

static void test_bad_options(void **state) {
  (void)state;
  glia_evaluation *e;
  FAILS(glia_evaluation_new(&(glia_evaluation_opts){.classes = 1}, &e), GLIA_INVALID,
        "classes is 1");
  FAILS(glia_evaluation_new(&(glia_evaluation_opts){.classes = -4}, &e), GLIA_INVALID,
        "classes is -4");
  FAILS(glia_evaluation_new(&(glia_evaluation_opts){.classes = 3, .targets = 2}, &e),
        GLIA_INVALID, "targets is 2");
  FAILS(glia_evaluation_new(&(glia_evaluation_opts){.targets = INT32_MAX}, &e), GLIA_INVALID,
        "targets");
}

static void test_bad_names(void **state) {
  (void)state;
  glia_metric_info m;
  glia_evaluation *e;
  double v;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 3}, &e));
  FAILS(glia_evaluation_value(e, "acuracy", &v), GLIA_INVALID, "did you mean \"accuracy\"");
  FAILS(glia_evaluation_value(e, "xyzzyxyzzyxyzzy", &v), GLIA_INVALID, "wanted e.g.");
  FAILS(glia_evaluation_value(e, NULL, &v), GLIA_INVALID, "NULL");
  FAILS(glia_metric_find("top_k_accuracy", &m), GLIA_INVALID, "number in the place of k");
  FAILS(glia_metric_find("top_0_accuracy", &m), GLIA_INVALID, "out of range");
  FAILS(glia_metric_find("top_99999999999999999999_accuracy", &m), GLIA_INVALID,
        "out of range");
  FAILS(glia_metric_find("top_3x_accuracy", &m), GLIA_INVALID, "there is no");
  FAILS(glia_evaluation_value(e, "accuracy", &v), GLIA_DATA, "no samples");
  FAILS(glia_evaluation_value(e, "r2", &v), GLIA_UNSUPPORTED, "is for numbers");
  OK(glia_evaluation_add_labels(e, (const int64_t[]){0, 1}, (const int64_t[]){0, 2}, 2));
  FAILS(glia_evaluation_value(e, "log_loss", &v), GLIA_UNSUPPORTED, "needs scores");
  FAILS(glia_evaluation_class(e, "accuracy", 0, &v), GLIA_UNSUPPORTED, "single class");
  FAILS(glia_evaluation_class(e, "f1", 3, &v), GLIA_INVALID, "class is 3");
  glia_evaluation_free(e);
}

static void test_bad_batches(void **state) {
  (void)state;
  glia_evaluation *e;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 3}, &e));
  const double s[4] = {0.1, 0.2, 0.7, 0};
  FAILS(add_row(e, 4, s, 0), GLIA_SHAPE, "wanted [B, 3]");
  FAILS(add_row(e, 3, s, 3), GLIA_DATA, "target 0 is class 3, wanted 0..2");
  FAILS(add_row(e, 3, s, -1), GLIA_DATA, "class -1");
  FAILS(glia_evaluation_add(e, NULL, NULL), GLIA_INVALID, "output is NULL");
  FAILS(glia_evaluation_add_labels(e, (const int64_t[]){0, 1}, (const int64_t[]){0, 5}, 2),
        GLIA_DATA, "y_pred 1 is class 5");
  FAILS(glia_evaluation_add_labels(e, NULL, NULL, 2), GLIA_INVALID, "NULL");
  glia_tensor *x, *y;
  OK(glia_tensor_new(GLIA_I64, 2, (const int64_t[]){2, 3}, &x));
  OK(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){2}, &y));
  FAILS(glia_evaluation_add(e, x, y), GLIA_DTYPE, "output is i64");
  glia_tensor_free(x);
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){2, 3}, &x));
  FAILS(glia_evaluation_add(e, x, y), GLIA_DTYPE, "target is f32");
  glia_tensor_free(y);
  OK(glia_tensor_new(GLIA_I64, 1, (const int64_t[]){3}, &y));
  FAILS(glia_evaluation_add(e, x, y), GLIA_SHAPE, "wanted [2]");
  glia_tensor_free(x);
  glia_tensor_free(y);
  assert_int_equal(glia_evaluation_count(e), 0);
  glia_evaluation_free(e);

  OK(glia_evaluation_new(
      &(glia_evaluation_opts){.classes = 2, .scores = GLIA_SCORES_PROBABILITIES}, &e));
  FAILS(add_row(e, 2, (const double[]){-3, 4}, 0), GLIA_INVALID, "look like logits");
  OK(add_row(e, 2, (const double[]){1.0000001, -0.0000001}, 0)); /* rounding is no offence */
  glia_evaluation_free(e);

  OK(glia_evaluation_new(NULL, &e));
  OK(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){2}, &x));
  OK(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){2}, &y));
  glia_tensor_set(y, 1, (double)NAN);
  FAILS(glia_evaluation_add(e, x, y), GLIA_DATA, "target [1, 0] is nan");
  FAILS(glia_evaluation_add_labels(e, NULL, NULL, 0), GLIA_INVALID, "regression");
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_evaluation_free(e);
  glia_evaluation_free(NULL);
}

/* Each allocation fails once: a status, and nothing leaks (the sanitized run watches). */
static void test_without_memory(void **state) {
  (void)state;
  glia_evaluation *e;
  const glia_evaluation_opts opt = {.classes = 4};
  gi_alloc_count();
  OK(glia_evaluation_new(&opt, &e));
  const int64_t n = gi_alloc_count();
  glia_evaluation_free(e);
  assert_true(n > 5);
  for (int64_t i = 1; i <= n; i++) {
    gi_alloc_fail_after(i);
    FAILS(glia_evaluation_new(&opt, &e), GLIA_NOMEM, "");
  }
  gi_alloc_fail_after(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_every_metric_is_tested),
      cmocka_unit_test(test_dtypes_and_strides),
      cmocka_unit_test(test_extreme_logits),
      cmocka_unit_test(test_kept),
      cmocka_unit_test(test_kept_rows),
      cmocka_unit_test(test_many_classes),
      cmocka_unit_test(test_bad_options),
      cmocka_unit_test(test_bad_names),
      cmocka_unit_test(test_bad_batches),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
