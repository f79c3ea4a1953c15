/* confusion_matrix.c - who is taken for whom.
 *
 *   confusion_matrix             [C, C]     samples of class i predicted as class j; shares of
 *                                           a row, a column or all of them with .normalize
 *   multilabel_confusion_matrix  [L, 2, 2]  for each class or label (or sample): true
 *                                           negatives, false positives, false negatives, true
 *                                           positives
 * Counts are i64, weighted sums and shares f64. A share of nothing is 0.
 */
#include "train/metric_call.h"

/* Divides each cell by the sum of its row, its column or everything. */
static void normalise(double *v, int64_t n, const char *by, double *sums) {
  const bool rows = strcmp(by, "true") == 0, columns = strcmp(by, "pred") == 0;
  for (int64_t i = 0; i < n * n; i++) sums[rows ? i / n : columns ? i % n : 0] += v[i];
  for (int64_t i = 0; i < n * n; i++)
    v[i] = gi_ratio(v[i], sums[rows ? i / n : columns ? i % n : 0]);
}

static glia_status compute(gi_metric_call *c) {
  gi_classes k = {0};
  double *counts = NULL, *sums = NULL;
  bool any = false;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_classes_of(c, 3, &k));
  for (int64_t i = 0; i < c->n && !any; i++) any = gi_class_index(&k, c->a[i]) >= 0;
  if (!any) return gi_fail(GLIA_DATA, "%s: none of the labels is in y_true", c->name);
  GI_TRY(gi_confusion(c, &k, &counts));
  GI_TAKE(c, k.n, &sums);
  if (c->o.normalize != NULL) normalise(counts, k.n, c->o.normalize, sums);
  const bool whole = c->weight == NULL && c->o.normalize == NULL;
  return gi_metric_array(c, whole ? GLIA_I64 : GLIA_F64, 2, (const int64_t[]){k.n, k.n},
                         counts);
}

static glia_status compute_multilabel(gi_metric_call *c) {
  gi_counts k = {0};
  double *out = NULL;
  GI_TRY(gi_counts_of(c, c->o.samplewise, &k));
  GI_TAKE(c, 4 * k.n, &out);
  for (int64_t i = 0; i < k.n; i++) {
    double *cell = out + 4 * i;
    cell[1] = k.guesses[i] - k.tp[i];
    cell[2] = k.truths[i] - k.tp[i];
    cell[3] = k.tp[i];
    cell[0] = k.total[i] - cell[1] - cell[2] - cell[3];
  }
  return gi_metric_array(c, c->weight == NULL ? GLIA_I64 : GLIA_F64, 3,
                         (const int64_t[]){k.n, 2, 2}, out);
}

static const char *const shares[] = {"true", "pred", "all", NULL};
static const gi_field fields[] = {
    GI_METRIC_NAME(normalize, shares, "counts", "shares of the row, of the column, of all"),
    GI_METRIC_END};
static const gi_field multilabel_fields[] = {
    GI_METRIC_FLAG(samplewise, "a matrix for each sample, not for each label"), GI_METRIC_END};

static const gi_metric confusion = {
    .name = "confusion_matrix",
    .doc = "[C, C]: how many of class i are predicted as class j",
    .source = "confusion_matrix(y_true, y_pred)",
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
};
static const gi_metric multilabel = {
    .name = "multilabel_confusion_matrix",
    .doc = "[L, 2, 2]: true negatives, false positives, false negatives, true positives",
    .source = "multilabel_confusion_matrix(y_true, y_pred)",
    .compute = compute_multilabel,
    .fields = multilabel_fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
};

const gi_metric *const gi_metrics_confusion_matrix[] = {&confusion, &multilabel, NULL};
