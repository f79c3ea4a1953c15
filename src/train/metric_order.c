/* metric_order.c - what metrics have of sorting: distinct values, quantiles, threshold curves;
 * O(n log n) each. */
#include <stdlib.h>

#include "train/metric_call.h"

/* ---- sorting ---------------------------------------------------------------------------- */

static int rising(const void *x, const void *y) {
  const gi_keyed *a = x, *b = y;
  if (a->key != b->key) return a->key < b->key ? -1 : 1;
  return (a->at > b->at) - (a->at < b->at);
}

static int falling_order(const void *x, const void *y) {
  const gi_keyed *a = x, *b = y;
  if (a->key != b->key) return a->key > b->key ? -1 : 1;
  return (a->at > b->at) - (a->at < b->at);
}

glia_status gi_metric_sorted(gi_metric_call *c, const double *keys, int64_t n, bool falling,
                             gi_keyed **out) {
  GI_TAKE(c, n, out);
  for (int64_t i = 0; i < n; i++) (*out)[i] = (gi_keyed){keys[i], i};
  qsort(*out, (size_t)n, sizeof **out, falling ? falling_order : rising);
  return GLIA_OK;
}

glia_status gi_metric_distinct(gi_metric_call *c, const double *keys, int64_t n, double **out,
                               int64_t *count) {
  gi_keyed *sorted = NULL;
  GI_TRY(gi_metric_sorted(c, keys, n, false, &sorted));
  GI_TAKE(c, n, out);
  *count = 0;
  for (int64_t i = 0; i < n; i++)
    if (i == 0 || sorted[i].key != sorted[i - 1].key) (*out)[(*count)++] = sorted[i].key;
  return GLIA_OK;
}

/* ---- quantiles -------------------------------------------------------------------------- */

static double linear_quantile(const gi_keyed *sorted, int64_t n, double q) {
  const double at = q * (double)(n - 1);
  const int64_t low = (int64_t)at, high = GI_MIN(low + 1, n - 1);
  return sorted[low].key + (at - (double)low) * (sorted[high].key - sorted[low].key);
}

static double weighted_quantile(const gi_keyed *sorted, const double *weight, int64_t n,
                                double q) {
  double all = 0, sum = 0;
  for (int64_t i = 0; i < n; i++) all += weight[sorted[i].at];
  const double wanted = q * all > 0 ? q * all : 0x1p-1074; /* the first that counts */
  for (int64_t i = 0; i < n; i++)
    if ((sum += weight[sorted[i].at]) >= wanted) return sorted[i].key;
  return sorted[n - 1].key;
}

glia_status gi_metric_quantile(gi_metric_call *c, const double *values, const double *weight,
                               int64_t n, double q, double *out) {
  gi_keyed *sorted = NULL;
  GI_TRY(gi_metric_sorted(c, values, n, false, &sorted));
  *out =
      weight != NULL ? weighted_quantile(sorted, weight, n, q) : linear_quantile(sorted, n, q);
  return GLIA_OK;
}

/* ---- curves ----------------------------------------------------------------------------- */

glia_status gi_threshold_curve_of(gi_metric_call *c, int64_t n, const double *y,
                                  const double *score, const double *weight,
                                  gi_threshold_curve *out) {
  gi_keyed *order = NULL;
  double tps = 0, fps = 0;
  out->n = 0;
  GI_TRY(gi_metric_sorted(c, score, n, true, &order));
  GI_TAKE(c, n, &out->tps);
  GI_TAKE(c, n, &out->fps);
  GI_TAKE(c, n, &out->threshold);
  for (int64_t i = 0; i < n; i++) {
    const double w = weight != NULL ? weight[order[i].at] : 1, hit = y[order[i].at];
    if (w == 0) continue;
    if (out->n == 0 || order[i].key != out->threshold[out->n - 1])
      out->threshold[out->n++] = order[i].key;
    out->tps[out->n - 1] = tps += w * hit;
    out->fps[out->n - 1] = fps += w * (1 - hit);
  }
  return GLIA_OK;
}
