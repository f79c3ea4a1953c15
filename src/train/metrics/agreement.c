/* agreement.c - agreement of truth and prediction, corrected for chance.
 *
 * With t_c samples and p_c predictions of class c, both are 1 for perfect and 0 for chance:
 *   cohen_kappa       = 1 - (n - hits) / (n - sum_c t_c p_c / n)
 *   matthews_corrcoef = (hits n - sum t p) / sqrt((n^2 - sum p^2) (n^2 - sum t^2)),
 *                       0 if a factor is 0
 * With weights, kappa counts a confusion of classes i and j as |i - j| or (i - j)^2, i and j
 * being their places among the classes in order: 1 - sum w observed / sum w expected.
 * Kappa is NaN where one class is all of the truth and all of the predictions.
 * Sources: Cohen 1960, doi:10.1177/001316446002000104;
 * Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.
 */
#include "train/metric_call.h"

/* sum over the classes of a_c b_c, in double: exact below 2^53. */
static double dot(const int64_t *a, const int64_t *b, int n) {
  double sum = 0;
  for (int c = 0; c < n; c++) sum += (double)a[c] * (double)b[c];
  return sum;
}

static double kappa(const gi_metric *m, const glia_evaluation *e, const double *state,
                    int64_t k) {
  (void)m, (void)state, (void)k;
  const double n = (double)e->count;
  const double expected = n - dot(e->truths, e->guesses, e->classes) / n;
  const double observed = n - (double)e->hits;
  return expected != 0 ? 1 - observed / expected : (double)NAN;
}

static double matthews(const gi_metric *m, const glia_evaluation *e, const double *state,
                       int64_t k) {
  (void)m, (void)state, (void)k;
  const double n = (double)e->count;
  const double tp = dot(e->truths, e->guesses, e->classes);
  const double tt = n * n - dot(e->truths, e->truths, e->classes);
  const double pp = n * n - dot(e->guesses, e->guesses, e->classes);
  return gi_ratio((double)e->hits * n - tp, sqrt(tt * pp));
}

/* ---- of whole arrays -------------------------------------------------------------------- */

/* Weights of truths (rows) and predictions (columns) of n classes. */
static glia_status margins(gi_metric_call *c, const double *counts, int64_t n, double **truths,
                           double **guesses, double *all) {
  GI_TAKE(c, n, truths);
  GI_TAKE(c, n, guesses);
  *all = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      (*truths)[i] += counts[i * n + j];
      (*guesses)[j] += counts[i * n + j];
      *all += counts[i * n + j];
    }
  return GLIA_OK;
}

static double distance(const char *weights, int64_t i, int64_t j) {
  const double d = (double)(i > j ? i - j : j - i);
  if (weights == NULL) return i != j;
  return strcmp(weights, "linear") == 0 ? d : d * d;
}

static glia_status compute_kappa(gi_metric_call *c) {
  gi_classes k = {0};
  double *counts = NULL, *truths = NULL, *guesses = NULL, all = 0, observed = 0, expected = 0;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_classes_of(c, 3, &k));
  GI_TRY(gi_confusion(c, &k, &counts));
  GI_TRY(margins(c, counts, k.n, &truths, &guesses, &all));
  for (int64_t i = 0; i < k.n; i++)
    for (int64_t j = 0; j < k.n; j++) {
      const double w = distance(c->o.weights, i, j);
      observed += w * counts[i * k.n + j];
      expected += w * truths[i] * guesses[j] / all;
    }
  return gi_metric_number(c, expected != 0 ? 1 - observed / expected : (double)NAN);
}

static glia_status compute_matthews(gi_metric_call *c) {
  gi_classes k = {0};
  double *counts = NULL, *truths = NULL, *guesses = NULL;
  double n = 0, hits = 0, tp = 0, tt = 0, pp = 0;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_classes_of(c, 3, &k));
  GI_TRY(gi_confusion(c, &k, &counts));
  GI_TRY(margins(c, counts, k.n, &truths, &guesses, &n));
  for (int64_t i = 0; i < k.n; i++) {
    hits += counts[i * k.n + i];
    tp += truths[i] * guesses[i];
    tt += truths[i] * truths[i];
    pp += guesses[i] * guesses[i];
  }
  return gi_metric_number(c, gi_ratio(hits * n - tp, sqrt((n * n - tt) * (n * n - pp))));
}

static const char *const weightings[] = {"linear", "quadratic", NULL};
static const gi_field kappa_fields[] = {
    GI_METRIC_NAME(weights, weightings, "every confusion is 1", "what a confusion counts"),
    GI_METRIC_END};

static const gi_metric row_kappa = {
    .name = "cohen_kappa",
    .doc = "agreement beyond that of independent draws with the same class shares",
    .source = "cohen_kappa_score(y_true, y_pred)",
    .value = kappa,
    .compute = compute_kappa,
    .fields = kappa_fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
    .needs = GI_NEEDS_CLASSES,
    .arguments = {"y1", "y2"},
};
static const gi_metric row_matthews = {
    .name = "matthews_corrcoef",
    .doc = "correlation of the true and the predicted class",
    .source = "matthews_corrcoef(y_true, y_pred)",
    .value = matthews,
    .compute = compute_matthews,
    .takes = GI_TAKES_WEIGHT,
    .needs = GI_NEEDS_CLASSES,
};

const gi_metric *const gi_metrics_agreement[] = {&row_kappa, &row_matthews, NULL};
