/* average_precision.c - precision against recall as the threshold moves.
 *
 *   precision_recall_curve  precision, recall, thresholds (rising); a last point 1, 0 without a
 *                           threshold. Where nothing is positive, recall is 1 throughout.
 *   average_precision       sum_i (recall_i - recall_{i-1}) precision_i: the area below it in
 *                           steps. More than two classes: each against the rest.
 */
#include "train/metric_call.h"

static double precision_at(const gi_threshold_curve *k, int64_t i) {
  return gi_ratio(k->tps[i], k->tps[i] + k->fps[i]);
}

static double recall_at(const gi_threshold_curve *k, int64_t i) {
  const double positives = k->tps[k->n - 1];
  return positives > 0 ? k->tps[i] / positives : 1;
}

static glia_status compute_curve(gi_metric_call *c) {
  gi_threshold_curve k = {0};
  double *y = NULL, *precision = NULL, *recall = NULL, *threshold = NULL;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_positives(c, &y));
  GI_TRY(gi_threshold_curve_of(c, c->n, y, c->b, c->weight, &k));
  GI_TAKE(c, k.n + 1, &precision);
  GI_TAKE(c, k.n + 1, &recall);
  GI_TAKE(c, k.n, &threshold);
  for (int64_t i = 0; i < k.n; i++) {
    precision[k.n - 1 - i] = precision_at(&k, i);
    recall[k.n - 1 - i] = recall_at(&k, i);
    threshold[k.n - 1 - i] = k.threshold[i];
  }
  precision[k.n] = 1;
  GI_TRY(gi_metric_vector(c, k.n + 1, precision));
  GI_TRY(gi_metric_vector(c, k.n + 1, recall));
  return gi_metric_vector(c, k.n, threshold);
}

static glia_status binary(gi_metric_call *c, int64_t n, const double *y, const double *score,
                          const double *weight, double *out) {
  gi_threshold_curve k = {0};
  double before = 0;
  GI_TRY(gi_threshold_curve_of(c, n, y, score, weight, &k));
  *out = 0;
  for (int64_t i = 0; i < k.n; i++) {
    *out += (recall_at(&k, i) - before) * precision_at(&k, i);
    before = recall_at(&k, i);
  }
  return GLIA_OK;
}

static glia_status compute(gi_metric_call *c) {
  gi_classes k = {0};
  double *y = NULL, v = 0;
  if (c->columns[0] > 1) {
    GI_TRY(gi_metric_equal(c));
    GI_TRY(gi_metric_binary(c, 0));
    return gi_metric_binary_average(c, c->columns[0], c->a, binary);
  }
  GI_TRY(gi_classes_of(c, 1, &k));
  if (c->columns[1] > 1) {
    if (k.n != c->columns[1])
      return gi_fail(GLIA_DATA,
                     "%s: there are %lld classes for scores of %lld; hint: name all of them in "
                     "labels",
                     c->name, (long long)k.n, (long long)c->columns[1]);
    GI_TRY(gi_one_hot(c, &k, &y));
    return gi_metric_binary_average(c, k.n, y, binary);
  }
  GI_TRY(gi_positives(c, &y));
  GI_TRY(binary(c, c->n, y, c->b, c->weight, &v));
  return gi_metric_number(c, v);
}

static const gi_field fields[] = {
    GI_METRIC_NAME(average, gi_metric_averages, "macro", "how classes or labels become one"),
    GI_METRIC_END};

static const gi_metric curve = {
    .name = "precision_recall_curve",
    .doc = "precision, recall, thresholds",
    .source = "precision_recall_curve(y_true, y_score)",
    .compute = compute_curve,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_POSITIVE,
    .arguments = {NULL, "y_score"},
};
static const gi_metric row = {
    .name = "average_precision",
    .doc = "sum of the steps of recall, each times the precision there",
    .source = "average_precision_score(y_true, y_score)",
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_POSITIVE | GI_TAKES_LABELS,
    .needs = GI_NEEDS_SCORES,
    .arguments = {NULL, "y_score"},
};

const gi_metric *const gi_metrics_average_precision[] = {&row, &curve, NULL};
