/* calibration.c - whether probabilities mean what they say.
 *
 *   brier              mean (p - y)^2, y 1 for the positive class and else 0; of [N, C] the
 *                      mean over the samples of sum_c (p_c - y_c)^2 (Brier 1950)
 *   calibration_curve  for each bin of p that is not empty: share of positives, mean p
 *   expected_calibration_error
 *                      sum over the bins of share of samples |hits - mean confidence|; the
 *                      confidence is p, of [N, C] the largest, which hits or not
 *                      (Guo et al. 2017, arXiv:1706.04599)
 * Bins are equally wide ("uniform") or equally full ("quantile"), closed above.
 */
#include "train/metric_call.h"

/* ---- Brier ------------------------------------------------------------------------------ */

/* Where the positive class cannot be told from the labels, it is the later one. */
static glia_status truths_of(gi_metric_call *c, double **y) {
  gi_classes k = {0};
  GI_TRY(gi_classes_of(c, 1, &k));
  if (k.n > 2)
    return gi_fail(GLIA_DATA, "%s: y_true has %lld classes for one probability, wanted two",
                   c->name, (long long)k.n);
  if (gi_positives(c, y) == GLIA_OK) return GLIA_OK;
  GI_TAKE(c, c->n, y);
  for (int64_t i = 0; i < c->n; i++) (*y)[i] = c->a[i] == k.sorted[k.n - 1].key;
  return GLIA_OK;
}

/* Several probabilities a sample are those of the classes 0..C-1. */
static glia_status class_of(const gi_metric_call *c, int64_t i, int64_t *out) {
  if (!(c->a[i] >= 0 && c->a[i] < (double)c->columns[1] && c->a[i] == floor(c->a[i])))
    return gi_fail(GLIA_DATA, "%s: y_true [%lld] is %g, wanted 0..%lld", c->name, (long long)i,
                   c->a[i], (long long)c->columns[1] - 1);
  *out = (int64_t)c->a[i];
  return GLIA_OK;
}

static glia_status brier(gi_metric_call *c) {
  double *each = NULL, *y = NULL;
  const int64_t columns = c->columns[1];
  GI_TRY(gi_metric_probabilities(c));
  GI_TAKE(c, c->n, &each);
  if (columns == 1) GI_TRY(truths_of(c, &y));
  for (int64_t i = 0; i < c->n; i++) {
    int64_t truth = 0;
    if (columns > 1) GI_TRY(class_of(c, i, &truth));
    for (int64_t j = 0; j < columns; j++) {
      const double d = c->b[i * columns + j] - (columns == 1 ? y[i] : (double)(j == truth));
      each[i] += d * d;
    }
  }
  return gi_metric_mean(c, each, false);
}

/* ---- bins ------------------------------------------------------------------------------- */

/* The bins' upper ends but the last, which is open. */
static glia_status edges_of(gi_metric_call *c, const double *p, int64_t bins, double **out) {
  const double step = 1.0 / (double)bins;
  GI_TAKE(c, bins, out);
  const bool full = c->o.strategy != NULL && strcmp(c->o.strategy, "quantile") == 0;
  for (int64_t i = 1; i < bins; i++) {
    (*out)[i - 1] = (double)i * step;
    if (full) GI_TRY(gi_metric_quantile(c, p, NULL, c->n, (double)i * step, &(*out)[i - 1]));
  }
  return GLIA_OK;
}

static int64_t bin_of(const double *edges, int64_t bins, double p) {
  int64_t low = 0, high = bins - 1;
  while (low < high) {
    const int64_t mid = (low + high) / 2;
    if (edges[mid] < p)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

typedef struct binned {
  int64_t n;
  double *hits, *confidence, *weight; /* [n] sums */
} binned;

static glia_status fill_bins(gi_metric_call *c, const double *p, const double *y, int64_t bins,
                             binned *out) {
  double *edges = NULL;
  out->n = bins;
  GI_TRY(edges_of(c, p, bins, &edges));
  GI_TAKE(c, bins, &out->hits);
  GI_TAKE(c, bins, &out->confidence);
  GI_TAKE(c, bins, &out->weight);
  for (int64_t i = 0; i < c->n; i++) {
    const int64_t b = bin_of(edges, bins, p[i]);
    out->hits[b] += gi_weight(c, i) * y[i];
    out->confidence[b] += gi_weight(c, i) * p[i];
    out->weight[b] += gi_weight(c, i);
  }
  return GLIA_OK;
}

static glia_status curve(gi_metric_call *c) {
  double *y = NULL;
  binned b = {0};
  int64_t n = 0;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_metric_probabilities(c));
  GI_TRY(gi_positives(c, &y));
  GI_TRY(fill_bins(c, c->b, y, c->o.bins > 0 ? c->o.bins : 5, &b));
  for (int64_t i = 0; i < b.n; i++) {
    if (b.weight[i] == 0) continue;
    b.hits[n] = b.hits[i] / b.weight[i];
    b.confidence[n++] = b.confidence[i] / b.weight[i];
  }
  GI_TRY(gi_metric_vector(c, n, b.hits));
  return gi_metric_vector(c, n, b.confidence);
}

/* The largest probability of each sample, and whether it is that of the true class. */
static glia_status confidences(gi_metric_call *c, double **p, double **hit) {
  const int64_t columns = c->columns[1];
  GI_TAKE(c, c->n, p);
  GI_TAKE(c, c->n, hit);
  for (int64_t i = 0; i < c->n; i++) {
    int64_t truth = 0, best = 0;
    GI_TRY(class_of(c, i, &truth));
    for (int64_t j = 1; j < columns; j++)
      if (c->b[i * columns + j] > c->b[i * columns + best]) best = j;
    (*p)[i] = c->b[i * columns + best];
    (*hit)[i] = best == truth;
  }
  return GLIA_OK;
}

static glia_status expected(gi_metric_call *c) {
  double *hit = NULL, *p = NULL, error = 0;
  binned b = {0};
  GI_TRY(gi_metric_probabilities(c));
  if (c->columns[1] > 1)
    GI_TRY(confidences(c, &p, &hit));
  else
    GI_TRY(gi_positives(c, &hit));
  GI_TRY(fill_bins(c, p != NULL ? p : c->b, hit, c->o.bins > 0 ? c->o.bins : 10, &b));
  for (int64_t i = 0; i < b.n; i++) error += fabs(b.hits[i] - b.confidence[i]);
  return gi_metric_number(c, error / gi_weight_sum(c));
}

static const char *const strategies[] = {"uniform", "quantile", NULL};
#define STRATEGY GI_METRIC_NAME(strategy, strategies, "uniform", "bins equally wide, or full")
static const gi_field curve_fields[] = {GI_METRIC_I64(bins, 0, 1e6, "5", "how many"), STRATEGY,
                                        GI_METRIC_END};
static const gi_field expected_fields[] = {GI_METRIC_I64(bins, 0, 1e6, "10", "how many"),
                                           STRATEGY, GI_METRIC_END};

static const gi_metric row_brier = {
    .name = "brier",
    .doc = "mean squared difference of probability and truth",
    .source = "brier_score_loss(y_true, y_prob)",
    .lower_is_better = true,
    .compute = brier,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_POSITIVE,
    .needs = GI_NEEDS_PROBABILITIES,
    .arguments = {NULL, "y_prob"},
};
static const gi_metric row_curve = {
    .name = "calibration_curve",
    .doc = "share of positives and mean probability of each bin",
    .source = "calibration_curve(y_true, y_prob)",
    .compute = curve,
    .fields = curve_fields,
    .takes = GI_TAKES_POSITIVE,
    .arguments = {NULL, "y_prob"},
};
static const gi_metric row_expected = {
    .name = "expected_calibration_error",
    .doc = "mean over bins of |share of hits - mean confidence|",
    .source = "torchmetrics' CalibrationError(norm=\"l1\")",
    .lower_is_better = true,
    .compute = expected,
    .fields = expected_fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_POSITIVE,
    .needs = GI_NEEDS_PROBABILITIES,
    .arguments = {NULL, "y_prob"},
};

const gi_metric *const gi_metrics_calibration[] = {&row_brier, &row_curve, &row_expected, NULL};
