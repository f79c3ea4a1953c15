/* test_metric_arrays.c - metrics of whole arrays against scikit-learn over a grid of their
 * options (tools/golden_metric_arrays.py), by hand where it has none, and on bad input. */
#include <math.h>
#include <stdlib.h>

#include "base/base.h"
#include "scikit_words.h"
#include "test.h"

#define GOLDEN GI_TEST_SOURCE "/tests/golden/metric_arrays"

/* ---- golden cases ----------------------------------------------------------------------- */

typedef struct golden {
  const char *file;
  gi_json *root;
  int ok, failed;
} golden;

static gi_json *open_file(const char *file) {
  char path[512], *text;
  size_t n;
  gi_json *root;
  snprintf(path, sizeof path, "%s/%s", GOLDEN, file);
  OK(gi_read_file(path, 1 << 24, &text, &n));
  OK(gi_json_parse(text, n, path, &root));
  gi_free(text);
  return root;
}

static double number_of(const gi_json *j) {
  const char *text = gi_json_str(j, "");
  if (strcmp(text, "inf") == 0) return INFINITY;
  if (strcmp(text, "-inf") == 0) return -INFINITY;
  return gi_json_num(j, (double)NAN);
}

/* Nested lists as one f64 tensor. */
static glia_tensor *tensor_of(const gi_json *list) {
  int64_t shape[4], strides[4] = {0};
  int rank = 0;
  glia_tensor *t;
  for (const gi_json *at = list; gi_json_type(at) == GI_JSON_ARRAY; at = gi_json_at(at, 0))
    shape[rank++] = (int64_t)gi_json_count(at);
  OK(glia_tensor_new(GLIA_F64, rank, shape, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) {
    const gi_json *at = list;
    int64_t rest = i, block = glia_tensor_count(t);
    for (int a = 0; a < rank; a++) {
      block /= shape[a];
      strides[a] = rest / block;
      rest %= block;
      at = gi_json_at(at, (size_t)strides[a]);
    }
    glia_tensor_set(t, i, number_of(at));
  }
  return t;
}

static bool same(double got, double want) {
  return isnan(want) ? isnan(got)
                     : got == want || fabs(got - want) <= 1e-10 * GI_MAX(1, fabs(want));
}

static void check_array(const char *what, const glia_tensor *got, const gi_json *want_json) {
  glia_tensor *want = tensor_of(want_json);
  if (glia_tensor_rank(got) != glia_tensor_rank(want) ||
      glia_tensor_count(got) != glia_tensor_count(want))
    fail_msg("%s: %lld elements, scikit-learn has %lld", what,
             (long long)glia_tensor_count(got), (long long)glia_tensor_count(want));
  for (int a = 0; a < glia_tensor_rank(want); a++)
    assert_int_equal(glia_tensor_shape(got)[a], glia_tensor_shape(want)[a]);
  for (int64_t i = 0; i < glia_tensor_count(want); i++)
    if (!same(glia_tensor_get(got, i), glia_tensor_get(want, i)))
      fail_msg("%s: [%lld] is %.17g, scikit-learn says %.17g", what, (long long)i,
               glia_tensor_get(got, i), glia_tensor_get(want, i));
  glia_tensor_free(want);
}

static void check_result(const char *what, const glia_metric_result *r, const gi_json *row) {
  const gi_json *value = gi_json_get(row, "value"), *values = gi_json_get(row, "values");
  if (values != NULL) {
    assert_int_equal(r->arrays, gi_json_count(values));
    for (int i = 0; i < r->arrays; i++)
      check_array(what, r->array[i], gi_json_at(values, (size_t)i));
  } else if (gi_json_type(value) == GI_JSON_ARRAY) {
    assert_int_equal(r->arrays, 1);
    check_array(what, r->array[0], value);
  } else {
    if (r->arrays != 0 || !same(r->number, number_of(value)))
      fail_msg("%s: is %.17g (%d arrays), scikit-learn says %.17g", what, r->number, r->arrays,
               number_of(value));
  }
}

static glia_tensor *array_named(const golden *g, const gi_json *name) {
  const gi_json *list = gi_json_get(gi_json_get(g->root, "arrays"), gi_json_str(name, ""));
  return list != NULL ? tensor_of(list) : NULL;
}

static void one_case(golden *g, const gi_json *row) {
  const gi_json *arguments = gi_json_get(row, "arguments");
  glia_tensor *a = array_named(g, gi_json_at(arguments, 0));
  glia_tensor *b = array_named(g, gi_json_at(arguments, 1));
  glia_tensor *weight = array_named(g, gi_json_get(row, "weight"));
  char *what = gi_json_text(row, 0);
  glia_metric_result r;
  scikit_call call;
  scikit_read(&call, gi_json_str(gi_json_get(row, "op"), ""), gi_json_get(row, "attrs"));
  assert_null(call.unknown);
  call.o.sample_weight = weight;
  const glia_status s = glia_metric_compute_opt(call.metric, a, b, &r, &call.o);
  if (gi_json_bool(gi_json_get(row, "fails"), false)) {
    if (s == GLIA_OK) fail_msg("%s: is %g, but scikit-learn refuses it", what, r.number);
    if (strncmp(glia_error_message(), call.metric, strlen(call.metric)) != 0)
      fail_msg("%s: the message does not begin with the name: %s", what, glia_error_message());
    g->failed++;
  } else {
    if (s != GLIA_OK) fail_msg("%s: %s", what, glia_error_message());
    check_result(what, &r, row);
    g->ok++;
  }
  glia_metric_result_clear(&r);
  scikit_clear(&call);
  gi_free(what);
  glia_tensor_free(a);
  glia_tensor_free(b);
  glia_tensor_free(weight);
}

static void test_golden(void **state) {
  (void)state;
  gi_names files;
  int ok = 0, failed = 0;
  OK(gi_list_dir(GOLDEN, &files));
  for (size_t f = 0; f < files.n; f++) {
    golden g = {.file = files.at[f], .root = open_file(files.at[f])};
    const gi_json *cases = gi_json_get(g.root, "cases");
    for (size_t i = 0; i < gi_json_count(cases); i++) one_case(&g, gi_json_at(cases, i));
    ok += g.ok;
    failed += g.failed;
    gi_json_free(g.root);
  }
  gi_names_free(&files);
  assert_true(ok > 1600);
  assert_true(failed > 70);
}

typedef struct search {
  gi_names files;
  gi_json *root[16];
} search;

static bool in_golden(const search *s, const char *metric) {
  for (size_t f = 0; f < s->files.n; f++) {
    const gi_json *cases = gi_json_get(s->root[f], "cases");
    for (size_t i = 0; i < gi_json_count(cases); i++) {
      const char *op = gi_json_str(gi_json_get(gi_json_at(cases, i), "op"), "");
      if (strcmp(scikit_metric(op), metric) == 0) return true;
    }
  }
  return false;
}

/* Every row that takes arrays stands in some golden file, but for those with a test of their
 * own and the short forms of an average, which the files of evaluations hold. */
static void test_every_metric_is_tested(void **state) {
  (void)state;
  static const char *const own[] = {"mean_average_precision"};
  search s = {0};
  glia_metric_info m;
  OK(gi_list_dir(GOLDEN, &s.files));
  assert_true(s.files.n <= GI_COUNT(s.root));
  for (size_t f = 0; f < s.files.n; f++) s.root[f] = open_file(s.files.at[f]);
  for (int i = 0; glia_metric_get(i, &m); i++) {
    bool found = !m.whole || in_golden(&s, m.name) || strstr(m.name, "_macro") != NULL ||
                 strstr(m.name, "_micro") != NULL || strstr(m.name, "_weighted") != NULL;
    for (int k = 0; k < GI_COUNT(own); k++) found = found || strcmp(own[k], m.name) == 0;
    if (!found) fail_msg("%s is in no golden file", m.name);
  }
  for (size_t f = 0; f < s.files.n; f++) gi_json_free(s.root[f]);
  gi_names_free(&s.files);
}

/* ---- forms of input --------------------------------------------------------------------- */

static glia_tensor *vector(glia_dtype dtype, int64_t n, const double *v) {
  glia_tensor *t;
  OK(glia_tensor_new(dtype, 1, &n, &t));
  for (int64_t i = 0; i < n; i++) glia_tensor_set(t, i, v[i]);
  return t;
}

static double number(const char *metric, const glia_tensor *a, const glia_tensor *b) {
  glia_metric_result r;
  OK(glia_metric_compute(metric, a, b, &r));
  assert_int_equal(r.arrays, 0);
  return r.number;
}

static void test_dtypes_and_strides(void **state) {
  (void)state;
  const double y[] = {0, 1, 1, 0, 1, 1}, p[] = {0, 1, 0, 0, 1, 0};
  const glia_dtype types[] = {GLIA_U8,   GLIA_I32, GLIA_I64, GLIA_F16,
                              GLIA_BF16, GLIA_F32, GLIA_F64};
  for (int i = 0; i < GI_COUNT(types); i++) {
    glia_tensor *a = vector(types[i], 6, y), *b = vector(GLIA_U8, 6, p), *every, *others;
    NEAR(number("accuracy", a, b), 4.0 / 6, 1e-15);
    OK(glia_tensor_slice(a, 0, 0, 6, 2, &every));  /* 0 1 1 */
    OK(glia_tensor_slice(b, 0, 0, 6, 2, &others)); /* 0 0 1 */
    NEAR(number("recall", every, others), 0.5, 1e-15);
    glia_tensor_free(every);
    glia_tensor_free(others);
    glia_tensor_free(a);
    glia_tensor_free(b);
  }
}

static void test_short_forms(void **state) {
  (void)state;
  const double y[] = {0, 1, 2, 2}, p[] = {0, 2, 2, 2};
  glia_tensor *a = vector(GLIA_I64, 4, y), *b = vector(GLIA_I64, 4, p), *column;
  NEAR(number("f1", a, b), (1 + 0 + 0.8) / 3, 1e-15); /* three classes: macro */
  NEAR(number("f1_macro", a, b), (1 + 0 + 0.8) / 3, 1e-15);
  NEAR(number("f1_micro", a, b), 0.75, 1e-15);
  NEAR(number("recall_weighted", a, b), 0.75, 1e-15);
  OK(glia_tensor_reshape(a, 2, (const int64_t[]){4, 1}, &column));
  NEAR(number("f1_micro", column, b), 0.75, 1e-15);
  glia_tensor_free(column);
  glia_tensor_free(a);
  glia_tensor_free(b);
}

/* Classes 0 to 3; 2 is never predicted, 3 is never true, 1 is never right. */
static void test_what_is_not_defined(void **state) {
  (void)state;
  const double y[] = {0, 0, 1, 2}, p[] = {0, 3, 0, 0};
  glia_tensor *a = vector(GLIA_I64, 4, y), *b = vector(GLIA_I64, 4, p);
  glia_metric_result r;
  OK(glia_metric_compute("precision", a, b, &r, .average = "none", .zero_division = NAN));
  NEAR(glia_tensor_get(r.array[0], 0), 1 / 3.0, 1e-15);
  assert_true(isnan(glia_tensor_get(r.array[0], 1))); /* 1 and 2: nothing predicted */
  assert_true(isnan(glia_tensor_get(r.array[0], 2)));
  NEAR(glia_tensor_get(r.array[0], 3), 0, 0);
  glia_metric_result_clear(&r);
  OK(glia_metric_compute("precision", a, b, &r, .average = "macro", .zero_division = NAN));
  NEAR(r.number, (1 / 3.0 + 0) / 2, 1e-15);
  OK(glia_metric_compute("precision", a, b, &r, .average = "weighted", .zero_division = NAN));
  NEAR(r.number, 1 / 3.0, 1e-15); /* 2 of class 0, none of class 3 */
  OK(glia_metric_compute("recall", a, b, &r, .average = "macro", .zero_division = NAN));
  NEAR(r.number, (0.5 + 0 + 0) / 3, 1e-15); /* of class 3 there is none */
  OK(glia_metric_compute("f1", a, b, &r, .average = "macro", .zero_division = NAN));
  NEAR(r.number, (2 * 1 / 5.0 + 0 + 0 + 0) / 4, 1e-15); /* defined throughout */
  OK(glia_metric_compute("recall", a, b, &r, .average = "micro", .zero_division = NAN));
  NEAR(r.number, 0.25, 1e-15);
  FAILS(glia_metric_compute("jaccard", a, b, &r, .zero_division = NAN), GLIA_INVALID,
        "zero_division is nan");
  glia_tensor_free(a);
  glia_tensor_free(b);
}

/* ---- many samples ----------------------------------------------------------------------- */

enum { MANY = 2000 };

/* Of many samples with ties, negative scores and both zeros: the area is the share of pairs. */
static void test_many_samples(void **state) {
  (void)state;
  const gi_rng r = {1, 2, 3};
  double y[MANY], s[MANY], right = 0, pairs = 0;
  for (int i = 0; i < MANY; i++) {
    y[i] = (double)gi_rng_below(&r, (uint64_t)i, 2);
    s[i] = floor(gi_rng_normal(&r, (uint64_t)(MANY + i)) * 40 + 10 * y[i]) / 7;
    if (s[i] == 0 && i % 2 == 0) s[i] = -0.0;
  }
  for (int i = 0; i < MANY; i++)
    for (int k = 0; k < MANY; k++) {
      if (y[i] != 1 || y[k] != 0) continue;
      right += s[i] > s[k] ? 1 : s[i] == s[k] ? 0.5 : 0;
      pairs++;
    }
  glia_tensor *a = vector(GLIA_F64, MANY, y), *b = vector(GLIA_F64, MANY, s);
  NEAR(number("roc_auc", a, b), right / pairs, 1e-12);
  for (int i = 0; i < MANY; i++) glia_tensor_set(b, i, -s[i]);
  NEAR(number("roc_auc", a, b), 1 - right / pairs, 1e-12);
  for (int i = 0; i < MANY; i++) glia_tensor_set(b, i, 1e300 * s[i]); /* every byte differs */
  NEAR(number("roc_auc", a, b), right / pairs, 1e-12);
  glia_tensor_free(a);
  glia_tensor_free(b);
}

/* ---- boxes ------------------------------------------------------------------------------ */

static double boxes(int64_t truths, const double *truth, int64_t found_n, const double *found,
                    double iou) {
  glia_tensor *a, *b;
  glia_metric_result r;
  OK(glia_tensor_from(GLIA_F64, 2, (const int64_t[]){truths, 6}, truth, &a));
  OK(glia_tensor_from(GLIA_F64, 2, (const int64_t[]){found_n, 7}, found, &b));
  OK(glia_metric_compute("mean_average_precision", a, b, &r, .iou = iou));
  glia_tensor_free(a);
  glia_tensor_free(b);
  return r.number;
}

/* Worked out by hand. */
static void test_boxes(void **state) {
  (void)state;
  const double truth[] = {0, 0, 0,  0, 10, 10, /* picture 0, class 0 */
                          0, 0, 20, 0, 30, 10, 1, 0, 0, 0, 10, 10, 1, 1, 0, 0, 4, 4};
  const double right[] = {0, 0, 0.9, 0, 0, 10, 10, 0, 0, 0.8, 20, 0, 30, 10,
                          1, 0, 0.7, 0, 0, 10, 10, 1, 1, 0.6, 0,  0, 4,  4};
  NEAR(boxes(4, truth, 4, right, 0.5), 1, 1e-15);
  NEAR(boxes(4, truth, 4, right, 0), 1, 1e-15);
  /* Class 0: a hit, a second one on the same box (a miss), a hit in the other picture; of three
   * boxes: precisions 1, 1/2, 2/3 at recalls 1/3, 1/3, 2/3. Class 1: 8 of 16 pixels overlap. */
  const double some[] = {0, 0, 0.9, 0, 0, 10, 10, 0, 0, 0.8, 1, 0, 10, 10,
                         1, 0, 0.7, 0, 1, 10, 10, 1, 1, 0.6, 0, 0, 4,  2};
  const double first = (34 * 1 + 33 * (2.0 / 3)) / 101; /* recalls 0 to .33, .34 to .66 */
  NEAR(boxes(4, truth, 4, some, 0.5), (first + 1) / 2, 1e-15);
  NEAR(boxes(4, truth, 4, some, 0.6), first / 2, 1e-15);
  /* 0.9 is reached by the box at (1, 0): 90 of 100 pixels, and missed at 0.95 */
  NEAR(boxes(4, truth, 1, some + 14, 0.9), 34.0 / 101 / 2, 1e-15);
  NEAR(boxes(4, truth, 1, some + 14, 0.95), 0, 0);
  NEAR(boxes(4, truth, 1, some + 14, 0), 0.9 * 34 / 101 / 2, 1e-15);
  /* Of two candidates the one that is overlapped most, though it lies second. */
  const double near[] = {0, 0, 0.9, 18, 0, 28, 10, 0, 0, 0.8, 12, 0, 22, 10};
  const double pair[] = {0, 0, 14, 0, 24, 10, 0, 0, 19, 0, 29, 10};
  NEAR(boxes(2, pair, 2, near, 0.3), (51 * 1 + 50 * 1) / 101.0, 1e-15);
}

static void test_bad_boxes(void **state) {
  (void)state;
  glia_metric_result r;
  glia_tensor *a, *b;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){2, 6}, &a));
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){3, 7}, &b));
  FAILS(glia_metric_compute("mean_average_precision", a, a, &r), GLIA_SHAPE, "[P, 7]");
  glia_tensor_set(b, 10, 1); /* x1 of the second, which ends at 0 */
  FAILS(glia_metric_compute("mean_average_precision", a, b, &r), GLIA_DATA,
        "box 1 of found ends");
  FAILS(glia_metric_compute("mean_average_precision", a, b, &r, .iou = 2), GLIA_INVALID, "iou");
  glia_tensor_free(a);
  glia_tensor_free(b);
}

/* ---- bad input -------------------------------------------------------------------------- */

static void test_bad_arrays(void **state) {
  (void)state;
  glia_metric_result r;
  glia_tensor *a = vector(GLIA_F64, 3, (const double[]){0, 1, 1});
  glia_tensor *b = vector(GLIA_F64, 4, (const double[]){0, 1, 1, 0});
  glia_tensor *c = vector(GLIA_F64, 3, (const double[]){0, 0.5, 1});
  glia_tensor *bad = vector(GLIA_F64, 3, (const double[]){0, (double)NAN, 1});
  glia_tensor *none = vector(GLIA_F64, 0, NULL), *cube;
  OK(glia_tensor_new(GLIA_F32, 3, (const int64_t[]){3, 1, 1}, &cube));
  FAILS(glia_metric_compute("accuracy", a, b, &r), GLIA_SHAPE,
        "accuracy: y_true is [3], y_pred is [4]; wanted as many rows");
  assert_true(isnan(r.number));
  FAILS(glia_metric_compute("accuracy", a, NULL, &r), GLIA_INVALID, "y_pred is NULL");
  FAILS(glia_metric_compute("accuracy", a, bad, &r), GLIA_DATA, "y_pred [1] is nan");
  FAILS(glia_metric_compute("accuracy", a, c, &r), GLIA_DATA,
        "y_pred [1] is 0.5, wanted a class");
  FAILS(glia_metric_compute("accuracy", none, none, &r), GLIA_DATA, "no samples");
  FAILS(glia_metric_compute("accuracy", cube, a, &r), GLIA_SHAPE, "wanted rank 1 or 2");
  FAILS(glia_metric_compute("roc_auc", a, bad, &r), GLIA_DATA, "y_score [1] is nan");
  FAILS(glia_metric_compute("mean_iou", a, b, &r), GLIA_SHAPE, "wanted one shape");
  FAILS(glia_metric_compute("acuracy", a, a, &r), GLIA_INVALID, "did you mean \"accuracy\"");
  glia_tensor *all[] = {a, b, c, bad, none, cube};
  for (int i = 0; i < GI_COUNT(all); i++) glia_tensor_free(all[i]);
}

static void test_bad_options(void **state) {
  (void)state;
  glia_metric_result r;
  glia_tensor *a = vector(GLIA_F64, 3, (const double[]){0, 1, 1});
  glia_tensor *two = vector(GLIA_F64, 2, (const double[]){1, 1});
  glia_tensor *less = vector(GLIA_F64, 3, (const double[]){1, -1, 1});
  glia_tensor *zero = vector(GLIA_F64, 3, (const double[]){0, 0, 0});
  const int64_t labels[] = {1, 1};
  FAILS(glia_metric_compute("accuracy", a, a, &r, .beta = 2), GLIA_INVALID,
        "accuracy: has no option beta");
  FAILS(glia_metric_compute("accuracy", a, a, &r, .labels = labels, .n_labels = 2),
        GLIA_INVALID, "has no option labels");
  FAILS(glia_metric_compute("f1", a, a, &r, .labels = labels, .n_labels = 2), GLIA_INVALID,
        "twice");
  FAILS(glia_metric_compute("f1", a, a, &r, .n_labels = 2), GLIA_INVALID, "list that is NULL");
  FAILS(glia_metric_compute("f1", a, a, &r, .average = "marco"), GLIA_INVALID, "\"macro\"");
  FAILS(glia_metric_compute("f1", a, a, &r, .zero_division = 0.5), GLIA_INVALID,
        "wanted 0 or 1");
  FAILS(glia_metric_compute("fbeta", a, a, &r), GLIA_INVALID, "beta is 0");
  FAILS(glia_metric_compute("roc_auc", a, a, &r, .max_fpr = 1.5), GLIA_INVALID, "max_fpr");
  FAILS(glia_metric_compute("accuracy", a, a, &r, .sample_weight = two), GLIA_SHAPE,
        "2 elements for 3 samples");
  FAILS(glia_metric_compute("accuracy", a, a, &r, .sample_weight = less), GLIA_DATA,
        "[1] is -1");
  FAILS(glia_metric_compute("accuracy", a, a, &r, .sample_weight = zero), GLIA_DATA, "is 0");
  FAILS(glia_metric_compute("mean_squared_error", a, a, &r, .target_weight = two), GLIA_SHAPE,
        "2 elements for 1 targets");
  FAILS(glia_metric_compute("mean_squared_error", a, a, &r, .multioutput = "variance_weighted"),
        GLIA_INVALID, "r2");
  glia_tensor *all[] = {a, two, less, zero};
  for (int i = 0; i < GI_COUNT(all); i++) glia_tensor_free(all[i]);
}

/* Each allocation fails once: a status, and nothing leaks (the sanitized run watches). */
static void test_without_memory(void **state) {
  (void)state;
  static const char *const names[] = {
      "f1",        "roc_curve",        "average_precision",         "kendall",
      "v_measure", "confusion_matrix", "expected_calibration_error"};
  glia_metric_result r;
  glia_tensor *a = vector(GLIA_F64, 5, (const double[]){0, 1, 1, 0, 1});
  glia_tensor *b = vector(GLIA_F64, 5, (const double[]){1, 1, 0, 0, 1});
  for (int k = 0; k < GI_COUNT(names); k++) {
    gi_alloc_count();
    OK(glia_metric_compute(names[k], a, b, &r));
    const int64_t n = gi_alloc_count();
    glia_metric_result_clear(&r);
    assert_true(n >= 1);
    for (int64_t i = 1; i <= n; i++) {
      gi_alloc_fail_after(i);
      FAILS(glia_metric_compute(names[k], a, b, &r), GLIA_NOMEM, "");
    }
    gi_alloc_fail_after(0);
  }
  glia_tensor_free(a);
  glia_tensor_free(b);
}

static void test_text(void **state) {
  (void)state;
  glia_metric_info m;
  char *text;
  for (int i = 0; glia_metric_get(i, &m); i++) {
    OK(glia_metric_text(m.name, &text));
    assert_true(strlen(m.doc) > 10 && strlen(m.source) > 5);
    assert_non_null(strstr(text, m.source));
    free(text);
  }
  OK(glia_metric_text("fbeta", &text));
  assert_non_null(strstr(text, "zero_division"));
  assert_non_null(strstr(text, "binary, micro, macro"));
  assert_non_null(strstr(text, "sample_weight"));
  free(text);
  FAILS(glia_metric_text("fbta", &text), GLIA_INVALID, "fbeta");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_every_metric_is_tested),
      cmocka_unit_test(test_dtypes_and_strides),
      cmocka_unit_test(test_short_forms),
      cmocka_unit_test(test_what_is_not_defined),
      cmocka_unit_test(test_many_samples),
      cmocka_unit_test(test_boxes),
      cmocka_unit_test(test_bad_boxes),
      cmocka_unit_test(test_bad_arrays),
      cmocka_unit_test(test_bad_options),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_text),
  };
  return cmocka_run_group_tests_name("metric_arrays", tests, NULL, NULL);
}
