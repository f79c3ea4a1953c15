/* metric_order.c - what metrics have of sorting: distinct values, quantiles, threshold curves;
 * O(n log n) at most. */
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

/* A whole number that is ordered like the key, which is no NaN: positive numbers are ordered
 * like their bits, negative ones against them. */
static uint64_t rank_of(double key, bool falling) {
  const double plain = key + 0.0; /* -0 is 0 */
  uint64_t bits;
  memcpy(&bits, &plain, sizeof bits);
  bits ^= bits >> 63 != 0 ? UINT64_MAX : UINT64_C(1) << 63;
  return falling ? ~bits : bits;
}

enum { DIGITS = 8, VALUES = 256, FEW = 200 };

/* Byte by byte from the lowest, each time in the order that the last one left: O(n), stable.
 * Bytes that all keys have in common are passed over. Returns where the result lies, a or b. */
static gi_keyed *radix(gi_keyed *a, gi_keyed *b, int64_t n, bool falling) {
  int64_t counts[DIGITS][VALUES] = {{0}};
  for (int64_t i = 0; i < n; i++) {
    const uint64_t r = rank_of(a[i].key, falling);
    for (int d = 0; d < DIGITS; d++) counts[d][r >> 8 * d & 0xff]++;
  }
  for (int d = 0; d < DIGITS; d++) {
    if (counts[d][rank_of(a[0].key, falling) >> 8 * d & 0xff] == n) continue;
    int64_t at = 0;
    for (int v = 0; v < VALUES; v++) {
      const int64_t here = counts[d][v];
      counts[d][v] = at;
      at += here;
    }
    for (int64_t i = 0; i < n; i++)
      b[counts[d][rank_of(a[i].key, falling) >> 8 * d & 0xff]++] = a[i];
    gi_keyed *const swap = a;
    a = b;
    b = swap;
  }
  return a;
}

glia_status gi_metric_sorted(gi_metric_call *c, const double *keys, int64_t n, bool falling,
                             gi_keyed **out) {
  gi_keyed *scratch = NULL;
  GI_TAKE(c, n, out);
  for (int64_t i = 0; i < n; i++) (*out)[i] = (gi_keyed){keys[i], i};
  if (n <= FEW) {
    qsort(*out, (size_t)n, sizeof **out, falling ? falling_order : rising);
    return GLIA_OK;
  }
  GI_TAKE(c, n, &scratch);
  *out = radix(*out, scratch, n, falling);
  return GLIA_OK;
}

/* Whole numbers that lie close together are ticked off; false: they are not such. */
static bool range_of(const double *keys, int64_t n, double *low, int64_t *width) {
  double high = keys[0];
  *low = keys[0];
  for (int64_t i = 0; i < n; i++) {
    if (keys[i] != floor(keys[i])) return false;
    *low = fmin(*low, keys[i]);
    high = fmax(high, keys[i]);
  }
  if (high - *low > (double)n + 1000) return false;
  *width = (int64_t)(high - *low) + 1;
  return true;
}

static glia_status ticked(gi_metric_call *c, const double *keys, int64_t n, double low,
                          int64_t width, double **out, int64_t *count) {
  bool *seen = NULL;
  GI_TAKE(c, width, &seen);
  for (int64_t i = 0; i < n; i++) seen[(int64_t)(keys[i] - low)] = true;
  for (int64_t k = 0; k < width; k++) *count += seen[k];
  GI_TAKE(c, *count, out);
  for (int64_t k = 0, at = 0; k < width; k++)
    if (seen[k]) (*out)[at++] = low + (double)k;
  return GLIA_OK;
}

glia_status gi_metric_distinct(gi_metric_call *c, const double *keys, int64_t n, double **out,
                               int64_t *count) {
  gi_keyed *sorted = NULL;
  double low;
  int64_t width;
  *count = 0;
  if (n > 0 && range_of(keys, n, &low, &width))
    return ticked(c, keys, n, low, width, out, count);
  GI_TRY(gi_metric_sorted(c, keys, n, false, &sorted));
  GI_TAKE(c, n, out);
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
