/* metric_classes.c - classes, counts per class, and averages over classes or targets.
 *
 * A class is a whole number, any; classes are found by sorting, O(n log n), and looked up by
 * bisection. Several labels a sample are columns of 0 and 1.
 */
#include "train/metric_call.h"

/* ---- classes ---------------------------------------------------------------------------- */

static glia_status given_classes(gi_metric_call *c, gi_classes *out) {
  double *value = NULL;
  gi_keyed *sorted = NULL;
  GI_TAKE(c, c->o.n_labels, &value);
  for (int i = 0; i < c->o.n_labels; i++) value[i] = (double)c->o.labels[i];
  GI_TRY(gi_metric_sorted(c, value, c->o.n_labels, false, &sorted));
  for (int i = 1; i < c->o.n_labels; i++)
    if (sorted[i].key == sorted[i - 1].key)
      return gi_fail(GLIA_INVALID, "%s: labels has %g twice", c->name, sorted[i].key);
  *out = (gi_classes){.n = c->o.n_labels, .value = value, .sorted = sorted};
  return GLIA_OK;
}

glia_status gi_classes_of(gi_metric_call *c, int arrays, gi_classes *out) {
  for (int i = 0; i < 2; i++)
    if (arrays & (1 << i)) GI_TRY(gi_metric_whole(c, i));
  if (c->o.labels != NULL) return given_classes(c, out);
  const int64_t na = arrays & 1 ? c->rows[0] * c->columns[0] : 0;
  const int64_t nb = arrays & 2 ? c->rows[1] * c->columns[1] : 0;
  double *all = NULL, *value = NULL;
  gi_keyed *sorted = NULL;
  int64_t n = 0;
  GI_TAKE(c, na + nb, &all);
  memcpy(all, c->a, (size_t)na * sizeof *all);
  memcpy(all + na, c->b, (size_t)nb * sizeof *all);
  GI_TRY(gi_metric_distinct(c, all, na + nb, &value, &n));
  GI_TRY(gi_metric_sorted(c, value, n, false, &sorted));
  *out = (gi_classes){.n = n, .value = value, .sorted = sorted};
  return GLIA_OK;
}

int64_t gi_class_rank(const gi_classes *k, double value) {
  int64_t low = 0, high = k->n;
  while (low < high) {
    const int64_t mid = low + (high - low) / 2;
    if (k->sorted[mid].key < value)
      low = mid + 1;
    else
      high = mid;
  }
  return low < k->n && k->sorted[low].key == value ? low : -1;
}

int64_t gi_class_index(const gi_classes *k, double value) {
  const int64_t rank = gi_class_rank(k, value);
  return rank < 0 ? -1 : k->sorted[rank].at;
}

glia_status gi_confusion(gi_metric_call *c, const gi_classes *k, double **counts) {
  size_t cells = 0;
  if (!gi_mul_size((size_t)k->n, (size_t)k->n, &cells) || cells > INT64_MAX)
    return gi_fail_nomem(SIZE_MAX);
  GI_TAKE(c, (int64_t)cells, counts);
  for (int64_t s = 0; s < c->n; s++) {
    const int64_t i = gi_class_index(k, c->a[s]), j = gi_class_index(k, c->b[s]);
    if (i >= 0 && j >= 0) (*counts)[i * k->n + j] += gi_weight(c, s);
  }
  return GLIA_OK;
}

glia_status gi_one_hot(gi_metric_call *c, const gi_classes *k, double **out) {
  size_t cells = 0;
  if (!gi_mul_size((size_t)c->n, (size_t)k->n, &cells) || cells > INT64_MAX)
    return gi_fail_nomem(SIZE_MAX);
  GI_TAKE(c, (int64_t)cells, out);
  for (int64_t s = 0; s < c->n; s++) {
    const int64_t i = gi_class_index(k, c->a[s]);
    if (i < 0)
      return gi_fail(GLIA_DATA, "%s: %s [%lld] is %g, which is not among the labels", c->name,
                     gi_metric_argument(c->m, 0), (long long)s, c->a[s]);
    (*out)[s * k->n + i] = 1;
  }
  return GLIA_OK;
}

glia_status gi_positives(gi_metric_call *c, double **out) {
  gi_classes k = {0};
  const double positive = c->o.pos_label != NULL ? (double)*c->o.pos_label : 1;
  GI_TRY(gi_classes_of(c, 1, &k));
  if (k.n > 2 && c->o.pos_label == NULL)
    return gi_fail(GLIA_DATA, "%s: %s has %lld classes, wanted two; hint: pos_label", c->name,
                   gi_metric_argument(c->m, 0), (long long)k.n);
  if (gi_class_index(&k, positive) < 0 && (k.n > 1 || c->o.pos_label == NULL) &&
      !(k.n == 1 && (k.value[0] == 0 || k.value[0] == -1)))
    return gi_fail(GLIA_DATA, "%s: pos_label %g is not in %s, which has %g%s", c->name,
                   positive, gi_metric_argument(c->m, 0), k.value[0],
                   k.n > 1 ? " and others" : " alone");
  GI_TAKE(c, c->n, out);
  for (int64_t s = 0; s < c->n; s++) (*out)[s] = c->a[s] == positive;
  return GLIA_OK;
}

/* ---- counts ----------------------------------------------------------------------------- */

static glia_status take_counts(gi_metric_call *c, int64_t n, gi_counts *out) {
  out->n = n;
  GI_TAKE(c, n, &out->tp);
  GI_TAKE(c, n, &out->truths);
  GI_TAKE(c, n, &out->guesses);
  GI_TAKE(c, n, &out->total);
  return GLIA_OK;
}

static glia_status counts_of_classes(gi_metric_call *c, gi_counts *out) {
  gi_classes k = {0};
  GI_TRY(gi_classes_of(c, 3, &k));
  GI_TRY(take_counts(c, k.n, out));
  for (int64_t s = 0; s < c->n; s++) {
    const int64_t i = gi_class_index(&k, c->a[s]), j = gi_class_index(&k, c->b[s]);
    if (i >= 0) out->truths[i] += gi_weight(c, s);
    if (j >= 0) out->guesses[j] += gi_weight(c, s);
    if (i >= 0 && i == j) out->tp[i] += gi_weight(c, s);
  }
  const double total = gi_weight_sum(c);
  for (int64_t i = 0; i < k.n; i++) out->total[i] = total;
  return GLIA_OK;
}

/* Sample by sample, or the labels that are looked at. */
static glia_status counts_of_labels(gi_metric_call *c, bool by_sample, gi_counts *out) {
  const int64_t all = c->columns[0], looked = c->o.labels != NULL ? c->o.n_labels : all;
  GI_TRY(gi_metric_binary(c, 0));
  GI_TRY(gi_metric_binary(c, 1));
  for (int i = 0; c->o.labels != NULL && i < c->o.n_labels; i++)
    if (c->o.labels[i] < 0 || c->o.labels[i] >= all)
      return gi_fail(GLIA_INVALID, "%s: label %lld of %lld columns", c->name,
                     (long long)c->o.labels[i], (long long)all);
  GI_TRY(take_counts(c, by_sample ? c->n : looked, out));
  for (int64_t s = 0; s < c->n; s++)
    for (int64_t l = 0; l < looked; l++) {
      const int64_t column = c->o.labels != NULL ? c->o.labels[l] : l;
      const int64_t at = by_sample ? s : l;
      const double w = gi_weight(c, s), y = c->a[s * all + column], p = c->b[s * all + column];
      out->truths[at] += w * y;
      out->guesses[at] += w * p;
      out->tp[at] += w * y * p;
      out->total[at] += w;
    }
  return GLIA_OK;
}

glia_status gi_counts_of(gi_metric_call *c, bool by_sample, gi_counts *out) {
  GI_TRY(gi_metric_equal(c));
  if (gi_multilabel(c)) return counts_of_labels(c, by_sample, out);
  if (by_sample)
    return gi_fail(GLIA_INVALID,
                   "%s: samples are counted one by one only where each has several labels",
                   c->name);
  return counts_of_classes(c, out);
}

/* ---- averages of ratios ----------------------------------------------------------------- */

static double sum_of(const double *v, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += v[i];
  return sum;
}

/* sum v w / sum w; w NULL: 1 each. A value that is NaN does not count. */
static double mean_of(const double *v, const double *w, int64_t n) {
  double sum = 0, all = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isnan(v[i])) continue;
    sum += v[i] * (w != NULL ? w[i] : 1);
    all += w != NULL ? w[i] : 1;
  }
  return sum / all;
}

/* The class that "binary" means, alone. */
static glia_status of_positive(gi_metric_call *c, gi_ratio_fn ratio) {
  gi_classes k = {0};
  gi_counts counts = {0};
  c->positive = c->o.pos_label != NULL ? *c->o.pos_label : 1;
  c->o.labels = NULL;
  GI_TRY(gi_classes_of(c, 3, &k));
  if (k.n > 2)
    return gi_fail(GLIA_DATA,
                   "%s: average is \"binary\", but there are %lld classes; hint: \"macro\", "
                   "\"micro\", \"weighted\" or \"none\"",
                   c->name, (long long)k.n);
  if (k.n == 2 && gi_class_index(&k, (double)c->positive) < 0)
    return gi_fail(GLIA_DATA, "%s: pos_label %lld is neither of the classes %g and %g", c->name,
                   (long long)c->positive, k.value[0], k.value[1]);
  c->o.labels = &c->positive;
  c->o.n_labels = 1;
  GI_TRY(counts_of_classes(c, &counts));
  return gi_metric_number(c, ratio(c, counts.tp[0], counts.truths[0], counts.guesses[0]));
}

/* "binary" of two classes, else "macro". */
static glia_status usual_average(gi_metric_call *c) {
  gi_classes k = {0};
  if (gi_multilabel(c) || c->o.labels != NULL) {
    c->o.average = "macro";
    return GLIA_OK;
  }
  GI_TRY(gi_classes_of(c, 3, &k));
  const double positive = c->o.pos_label != NULL ? (double)*c->o.pos_label : 1;
  const bool binary = k.n < 2 || (k.n == 2 && gi_class_index(&k, positive) >= 0);
  c->o.average = binary ? "binary" : "macro";
  return GLIA_OK;
}

glia_status gi_metric_ratio(gi_metric_call *c, gi_ratio_fn ratio, gi_ratio_fn without_truths) {
  gi_counts k = {0};
  double *each = NULL;
  GI_TRY(gi_metric_equal(c));
  if (c->o.average == NULL) GI_TRY(usual_average(c));
  const char *average = c->o.average;
  if (strcmp(average, "binary") == 0 && !gi_multilabel(c)) return of_positive(c, ratio);
  if (strcmp(average, "binary") == 0)
    return gi_fail(GLIA_INVALID, "%s: average is \"binary\", but a sample has %lld labels",
                   c->name, (long long)c->columns[0]);
  const bool samples = strcmp(average, "samples") == 0;
  GI_TRY(gi_counts_of(c, samples, &k));
  if (strcmp(average, "micro") == 0)
    return gi_metric_number(
        c, ratio(c, sum_of(k.tp, k.n), sum_of(k.truths, k.n), sum_of(k.guesses, k.n)));
  GI_TAKE(c, k.n, &each);
  for (int64_t i = 0; i < k.n; i++) each[i] = ratio(c, k.tp[i], k.truths[i], k.guesses[i]);
  if (strcmp(average, "none") == 0) return gi_metric_vector(c, k.n, each);
  if (strcmp(average, "weighted") != 0)
    return gi_metric_number(c, mean_of(each, samples ? c->weight : NULL, k.n));
  if (sum_of(k.truths, k.n) > 0) return gi_metric_number(c, mean_of(each, k.truths, k.n));
  return gi_metric_number(c, without_truths != NULL
                                 ? without_truths(c, 0, 0, sum_of(k.guesses, k.n))
                                 : mean_of(each, NULL, k.n));
}

/* ---- averages of binary metrics --------------------------------------------------------- */

glia_status gi_binary_call(gi_metric_call *c, gi_binary_fn fn, int64_t n, const double *y,
                           const double *score, const double *weight, double *out) {
  const gi_arena before = c->arena;
  c->arena = (gi_arena){0};
  const glia_status s = fn(c, n, y, score, weight, out);
  gi_arena_free(&c->arena);
  c->arena = before;
  return s;
}

static void column_of(const double *v, int64_t rows, int64_t columns, int64_t j, double *out) {
  for (int64_t i = 0; i < rows; i++) out[i] = v[i * columns + j];
}

/* All labels of all samples as if they were samples of one label. */
static glia_status pooled(gi_metric_call *c, int64_t columns, const double *truth,
                          gi_binary_fn fn) {
  double *w = NULL, v = 0;
  if (c->weight != NULL) {
    GI_TAKE(c, c->n * columns, &w);
    for (int64_t i = 0; i < c->n * columns; i++) w[i] = c->weight[i / columns];
  }
  GI_TRY(fn(c, c->n * columns, truth, c->b, w, &v));
  return gi_metric_number(c, v);
}

static glia_status by_samples(gi_metric_call *c, int64_t columns, const double *truth,
                              gi_binary_fn fn) {
  double *each = NULL;
  GI_TAKE(c, c->n, &each);
  for (int64_t i = 0; i < c->n; i++) {
    if (c->weight != NULL && c->weight[i] == 0) continue;
    GI_TRY(gi_binary_call(c, fn, columns, truth + i * columns, c->b + i * columns, NULL,
                          &each[i]));
  }
  return gi_metric_number(c, mean_of(each, c->weight, c->n));
}

static glia_status by_labels(gi_metric_call *c, int64_t columns, const double *truth,
                             gi_binary_fn fn) {
  double *each = NULL, *support = NULL, *y = NULL, *score = NULL;
  GI_TAKE(c, columns, &each);
  GI_TAKE(c, columns, &support);
  GI_TAKE(c, c->n, &y);
  GI_TAKE(c, c->n, &score);
  for (int64_t j = 0; j < columns; j++)
    for (int64_t i = 0; i < c->n; i++) support[j] += gi_weight(c, i) * truth[i * columns + j];
  const bool weighted = strcmp(c->o.average, "weighted") == 0;
  if (weighted && !(sum_of(support, columns) > 1e-8)) return gi_metric_number(c, 0);
  for (int64_t j = 0; j < columns; j++) {
    column_of(truth, c->n, columns, j, y);
    column_of(c->b, c->n, columns, j, score);
    GI_TRY(gi_binary_call(c, fn, c->n, y, score, c->weight, &each[j]));
    if (weighted && support[j] == 0) each[j] = 0;
  }
  if (strcmp(c->o.average, "none") == 0) return gi_metric_vector(c, columns, each);
  return gi_metric_number(c, mean_of(each, weighted ? support : NULL, columns));
}

glia_status gi_metric_binary_average(gi_metric_call *c, int64_t columns, const double *truth,
                                     gi_binary_fn fn) {
  if (c->o.average == NULL) c->o.average = "macro";
  if (strcmp(c->o.average, "binary") == 0)
    return gi_fail(GLIA_INVALID, "%s: average is \"binary\" for %lld labels", c->name,
                   (long long)columns);
  if (strcmp(c->o.average, "micro") == 0) return pooled(c, columns, truth, fn);
  if (strcmp(c->o.average, "samples") == 0) return by_samples(c, columns, truth, fn);
  return by_labels(c, columns, truth, fn);
}

/* ---- averages over samples and targets ----------------------------------------------------
 */

glia_status gi_metric_mean(gi_metric_call *c, const double *each, bool sum) {
  double total = 0;
  for (int64_t i = 0; i < c->n; i++) total += each[i] * gi_weight(c, i);
  return gi_metric_number(c, sum ? total : total / gi_weight_sum(c));
}

glia_status gi_metric_targets(gi_metric_call *c, const double *values, const double *variance) {
  const char *how = c->o.multioutput != NULL ? c->o.multioutput : "uniform_average";
  const int64_t k = c->columns[0];
  double *w = NULL;
  if (strcmp(how, "raw_values") == 0) return gi_metric_vector(c, k, values);
  if (strcmp(how, "variance_weighted") == 0) {
    if (variance == NULL)
      return gi_fail(GLIA_INVALID,
                     "%s: multioutput is \"variance_weighted\", which is for r2 "
                     "and explained_variance",
                     c->name);
    return gi_metric_number(c, mean_of(values, sum_of(variance, k) > 0 ? variance : NULL, k));
  }
  if (c->o.target_weight == NULL) return gi_metric_number(c, mean_of(values, NULL, k));
  if (glia_tensor_count(c->o.target_weight) != k)
    return gi_fail(GLIA_SHAPE, "%s: target_weight has %lld elements for %lld targets", c->name,
                   (long long)glia_tensor_count(c->o.target_weight), (long long)k);
  GI_TAKE(c, k, &w);
  for (int64_t j = 0; j < k; j++) w[j] = glia_tensor_get(c->o.target_weight, j);
  if (!(sum_of(w, k) > 0))
    return gi_fail(GLIA_DATA, "%s: the target_weights sum to %g, wanted more than 0", c->name,
                   sum_of(w, k));
  return gi_metric_number(c, mean_of(values, w, k));
}
