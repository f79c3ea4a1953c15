/* roc.c - hits against false alarms as the threshold moves.
 *
 *   roc_curve  false positive rate, true positive rate, thresholds; [0, 0] comes first, with a
 *              threshold one above the largest score, as nothing reaches it. Points on a
 *              straight line between their neighbours are dropped unless .all_points.
 *   det_curve  false positive rate, false negative rate, thresholds (rising)
 *   roc_auc    the area under the first by the trapezoid rule: the chance that a positive
 *              sample scores above a negative one, ties counting half. With .max_fpr m only the
 *              part up to m, scaled so that chance is 1/2:
 *                  (1 + (area - m^2/2) / (m - m^2/2)) / 2
 *              More than two classes: the mean of each against the rest ("ovr"), or of all
 *              pairs ("ovo"); [N, L] of 0 and 1: of the labels.
 *   auc        the area under any curve x, y
 * Sources: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010; pairs: Hand & Till 2001,
 * doi:10.1023/A:1010920819831; partial area: McClish 1989, doi:10.1177/0272989X8900900307.
 */
#include "train/metric_call.h"

/* ---- areas ------------------------------------------------------------------------------ */

static double trapezoids(const double *x, const double *y, int64_t n) {
  double area = 0;
  for (int64_t i = 1; i < n; i++) area += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
  return area;
}

/* The curve as rates, [0, 0] in front: n + 1 points. */
static glia_status rates_of(gi_metric_call *c, const gi_threshold_curve *k, double **fpr,
                            double **tpr) {
  const double n = k->fps[k->n - 1], p = k->tps[k->n - 1];
  GI_TAKE(c, k->n + 2, fpr); /* room for the point where a partial area ends */
  GI_TAKE(c, k->n + 2, tpr);
  for (int64_t i = 0; i <= k->n; i++) {
    (*fpr)[i] = n > 0 ? (i > 0 ? k->fps[i - 1] / n : 0) : (double)NAN;
    (*tpr)[i] = p > 0 ? (i > 0 ? k->tps[i - 1] / p : 0) : (double)NAN;
  }
  return GLIA_OK;
}

static double partial_area(double *fpr, double *tpr, int64_t n, double most) {
  int64_t stop = 0;
  while (stop < n && fpr[stop] <= most) stop++;
  const double t = (most - fpr[stop - 1]) / (fpr[stop] - fpr[stop - 1]);
  tpr[stop] = tpr[stop - 1] + t * (tpr[stop] - tpr[stop - 1]);
  fpr[stop] = most;
  const double least = most * most / 2;
  return (1 + (trapezoids(fpr, tpr, stop + 1) - least) / (most - least)) / 2;
}

static glia_status binary_auc(gi_metric_call *c, int64_t n, const double *y,
                              const double *score, const double *weight, double *out) {
  gi_threshold_curve k = {0};
  double *fpr = NULL, *tpr = NULL;
  const double most = c->o.max_fpr;
  GI_TRY(gi_threshold_curve_of(c, n, y, score, weight, &k));
  if (!(k.fps[k.n - 1] > 0 && k.tps[k.n - 1] > 0))
    return gi_fail(
        GLIA_DATA,
        "%s: only one class is present, where positive and negative samples are wanted",
        c->name);
  GI_TRY(rates_of(c, &k, &fpr, &tpr));
  *out = most > 0 && most < 1 ? partial_area(fpr, tpr, k.n + 1, most)
                              : trapezoids(fpr, tpr, k.n + 1);
  return GLIA_OK;
}

/* ---- more than two classes -------------------------------------------------------------- */

static glia_status check_columns(gi_metric_call *c, const gi_classes *k) {
  if (c->o.max_fpr != 0 && c->o.max_fpr != 1)
    return gi_fail(GLIA_INVALID, "%s: max_fpr is for two classes, there are %lld", c->name,
                   (long long)k->n);
  if (k->n != c->columns[1])
    return gi_fail(GLIA_DATA,
                   "%s: there are %lld classes for scores of %lld; hint: name all of them in "
                   "labels",
                   c->name, (long long)k->n, (long long)c->columns[1]);
  for (int64_t i = 1; i < k->n; i++)
    if (k->value[i] < k->value[i - 1])
      return gi_fail(GLIA_INVALID, "%s: labels are not in rising order", c->name);
  for (int64_t i = 0; i < c->n; i++) {
    double sum = 0;
    for (int64_t j = 0; j < k->n; j++) sum += c->b[i * k->n + j];
    if (fabs(sum - 1) > 1e-5)
      return gi_fail(GLIA_DATA, "%s: row %lld of y_score sums to %g, wanted probabilities",
                     c->name, (long long)i, sum);
  }
  return GLIA_OK;
}

/* Classes i and j alone: the mean of the areas with either as the positive one. */
static glia_status pair_area(gi_metric_call *c, const int64_t *class, int64_t i, int64_t j,
                             double *y, double *score, double *area, int64_t *samples) {
  double one = 0, two = 0;
  for (int side = 0; side < 2; side++) {
    const int64_t positive = side == 0 ? i : j;
    int64_t n = 0;
    for (int64_t s = 0; s < c->n; s++) {
      if (class[s] != i && class[s] != j) continue;
      y[n] = class[s] == positive;
      score[n++] = c->b[s * c->columns[1] + positive];
    }
    GI_TRY(gi_binary_call(c, binary_auc, n, y, score, NULL, side == 0 ? &one : &two));
    *samples = n;
  }
  *area = (one + two) / 2;
  return GLIA_OK;
}

static glia_status all_pairs(gi_metric_call *c, const gi_classes *k) {
  const bool weighted = c->o.average != NULL && strcmp(c->o.average, "weighted") == 0;
  double *y = NULL, *score = NULL, sum = 0, weights = 0;
  int64_t *class = NULL, *seen = NULL;
  if (c->weight != NULL)
    return gi_fail(GLIA_INVALID, "%s: sample_weight is not for multi_class \"ovo\"", c->name);
  if (c->o.average != NULL && !weighted && strcmp(c->o.average, "macro") != 0)
    return gi_fail(GLIA_INVALID, "%s: average of \"ovo\" is \"macro\" or \"weighted\"",
                   c->name);
  GI_TAKE(c, c->n, &y);
  GI_TAKE(c, c->n, &score);
  GI_TAKE(c, c->n, &class);
  GI_TAKE(c, k->n, &seen);
  for (int64_t s = 0; s < c->n; s++) {
    class[s] = gi_class_index(k, c->a[s]);
    if (class[s] < 0)
      return gi_fail(GLIA_DATA, "%s: y_true [%lld] is %g, which is not among the labels",
                     c->name, (long long)s, c->a[s]);
    seen[class[s]]++;
  }
  for (int64_t i = 0; i < k->n; i++)
    for (int64_t j = i + 1; j < k->n; j++) {
      double area = 0;
      int64_t samples = 0;
      if (seen[i] == 0 || seen[j] == 0) continue;
      GI_TRY(pair_area(c, class, i, j, y, score, &area, &samples));
      const double w = weighted ? (double)samples : 1;
      sum += w * area;
      weights += w;
    }
  return gi_metric_number(c, sum / weights);
}

static glia_status many_classes(gi_metric_call *c, const gi_classes *k) {
  double *truth = NULL;
  GI_TRY(check_columns(c, k));
  if (c->o.multi_class != NULL && strcmp(c->o.multi_class, "ovo") == 0) return all_pairs(c, k);
  if (c->o.average != NULL && strcmp(c->o.average, "samples") == 0)
    return gi_fail(GLIA_INVALID, "%s: average \"samples\" is for several labels a sample",
                   c->name);
  GI_TRY(gi_one_hot(c, k, &truth));
  return gi_metric_binary_average(c, k->n, truth, binary_auc);
}

static glia_status compute_auc(gi_metric_call *c) {
  gi_classes k = {0};
  double *y = NULL, area = 0;
  if (c->columns[0] > 1) {
    GI_TRY(gi_metric_equal(c));
    GI_TRY(gi_metric_binary(c, 0));
    return gi_metric_binary_average(c, c->columns[0], c->a, binary_auc);
  }
  GI_TRY(gi_classes_of(c, 1, &k));
  if (k.n > 2 || c->columns[1] > 2) return many_classes(c, &k);
  GI_TRY(gi_metric_vectors(c));
  GI_TAKE(c, c->n, &y);
  for (int64_t i = 0; i < c->n; i++) y[i] = c->a[i] == k.sorted[k.n - 1].key && k.n == 2;
  GI_TRY(binary_auc(c, c->n, y, c->b, c->weight, &area));
  return gi_metric_number(c, area);
}

static glia_status compute_area(gi_metric_call *c) {
  GI_TRY(gi_metric_vectors(c));
  if (c->n < 2) return gi_fail(GLIA_DATA, "%s: one point, wanted two or more", c->name);
  const double sign = c->a[c->n - 1] < c->a[0] ? -1 : 1;
  for (int64_t i = 1; i < c->n; i++)
    if (sign * (c->a[i] - c->a[i - 1]) < 0)
      return gi_fail(GLIA_DATA, "%s: x [%lld] goes back, wanted all rising or all falling",
                     c->name, (long long)i);
  return gi_metric_number(c, sign * trapezoids(c->a, c->b, c->n));
}

/* ---- curves ----------------------------------------------------------------------------- */

static bool bends(const double *v, int64_t i) { return v[i + 1] - 2 * v[i] + v[i - 1] != 0; }

/* Leaves out the points in the middle of straight lines. */
static void drop_straight(gi_threshold_curve *k) {
  int64_t kept = 1;
  double fps_before = k->fps[0], tps_before = k->tps[0];
  if (k->n <= 2) return;
  for (int64_t i = 1; i < k->n; i++) {
    const double fps[3] = {fps_before, k->fps[i], i + 1 < k->n ? k->fps[i + 1] : 0};
    const double tps[3] = {tps_before, k->tps[i], i + 1 < k->n ? k->tps[i + 1] : 0};
    const bool keep = i + 1 == k->n || bends(fps, 1) || bends(tps, 1);
    fps_before = k->fps[i];
    tps_before = k->tps[i];
    if (!keep) continue;
    k->fps[kept] = k->fps[i];
    k->tps[kept] = k->tps[i];
    k->threshold[kept++] = k->threshold[i];
  }
  k->n = kept;
}

static glia_status compute_roc(gi_metric_call *c) {
  gi_threshold_curve k = {0};
  double *y = NULL, *fpr = NULL, *tpr = NULL, *threshold = NULL;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_positives(c, &y));
  GI_TRY(gi_threshold_curve_of(c, c->n, y, c->b, c->weight, &k));
  if (!c->o.all_points) drop_straight(&k);
  GI_TRY(rates_of(c, &k, &fpr, &tpr));
  GI_TAKE(c, k.n + 1, &threshold);
  threshold[0] = k.threshold[0] + 1;
  memcpy(threshold + 1, k.threshold, (size_t)k.n * sizeof *threshold);
  GI_TRY(gi_metric_vector(c, k.n + 1, fpr));
  GI_TRY(gi_metric_vector(c, k.n + 1, tpr));
  return gi_metric_vector(c, k.n + 1, threshold);
}

/* From the last threshold without more false alarms than the first to the one that all hits
 * reach, backwards. */
static glia_status compute_det(gi_metric_call *c) {
  gi_threshold_curve k = {0};
  double *y = NULL, *fpr = NULL, *fnr = NULL, *threshold = NULL;
  int64_t first = 0, last = 0, n = 0;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_positives(c, &y));
  GI_TRY(gi_threshold_curve_of(c, c->n, y, c->b, c->weight, &k));
  const double negatives = k.fps[k.n - 1], positives = k.tps[k.n - 1];
  if (!(negatives > 0 && positives > 0))
    return gi_fail(GLIA_DATA, "%s: only one class is present", c->name);
  while (first + 1 < k.n && k.fps[first + 1] == k.fps[0]) first++;
  while (k.tps[last] < positives) last++;
  GI_TAKE(c, k.n, &fpr);
  GI_TAKE(c, k.n, &fnr);
  GI_TAKE(c, k.n, &threshold);
  for (int64_t i = last; i >= first; i--) {
    fpr[n] = k.fps[i] / negatives;
    fnr[n] = (positives - k.tps[i]) / positives;
    threshold[n++] = k.threshold[i];
  }
  GI_TRY(gi_metric_vector(c, n, fpr));
  GI_TRY(gi_metric_vector(c, n, fnr));
  return gi_metric_vector(c, n, threshold);
}

/* ---- rows ------------------------------------------------------------------------------- */

static const char *const ways[] = {"ovr", "ovo", NULL};
static const gi_field auc_fields[] = {
    GI_METRIC_NAME(average, gi_metric_averages, "macro", "how classes or labels become one"),
    GI_METRIC_NAME(multi_class, ways, "ovr", "each class against the rest, or all pairs"),
    GI_METRIC_F64(max_fpr, 0, 1, "1", "only up to this false positive rate"), GI_METRIC_END};
static const gi_field roc_fields[] = {
    GI_METRIC_FLAG(all_points, "points in the middle of straight lines too"), GI_METRIC_END};

static const gi_metric roc_auc = {
    .name = "roc_auc",
    .doc = "chance that a positive sample scores above a negative one; ties count half",
    .source = "roc_auc_score(y_true, y_score)",
    .compute = compute_auc,
    .fields = auc_fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
    .needs = GI_NEEDS_PROBABILITIES,
    .arguments = {NULL, "y_score"},
};
static const gi_metric roc_curve = {
    .name = "roc_curve",
    .doc = "false positive rate, true positive rate, thresholds",
    .source = "roc_curve(y_true, y_score)",
    .compute = compute_roc,
    .fields = roc_fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_POSITIVE,
    .arguments = {NULL, "y_score"},
};
static const gi_metric det_curve = {
    .name = "det_curve",
    .doc = "false positive rate, false negative rate, thresholds",
    .source = "det_curve(y_true, y_score)",
    .compute = compute_det,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_POSITIVE,
    .arguments = {NULL, "y_score"},
};
static const gi_metric auc = {
    .name = "auc",
    .doc = "area under a curve by the trapezoid rule",
    .source = "auc(x, y)",
    .compute = compute_area,
    .arguments = {"x", "y"},
};

const gi_metric *const gi_metrics_roc[] = {&roc_auc, &roc_curve, &det_curve, &auc, NULL};
