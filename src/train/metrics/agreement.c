/* agreement.c - agreement of truth and prediction, corrected for chance.
 *
 * With t_c samples and p_c predictions of class c, both are 1 for perfect and 0 for chance:
 *   cohen_kappa       = 1 - (n - hits) / (n - sum_c t_c p_c / n)
 *   matthews_corrcoef = (hits n - sum t p) / sqrt((n^2 - sum p^2) (n^2 - sum t^2)),
 *                       0 if a factor is 0
 * Kappa is NaN where one class is all of the truth and all of the predictions.
 * Sources: Cohen 1960, doi:10.1177/001316446002000104;
 * Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.
 */
#include <math.h>

#include "train/metric.h"

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

static const gi_metric row_kappa = {
    .name = "cohen_kappa",
    .doc = "agreement beyond that of independent draws with the same class shares",
    .source = "cohen_kappa_score(y_true, y_pred)",
    .value = kappa,
};
static const gi_metric row_matthews = {
    .name = "matthews_corrcoef",
    .doc = "correlation of the true and the predicted class",
    .source = "matthews_corrcoef(y_true, y_pred)",
    .value = matthews,
};

const gi_metric *const gi_metrics_agreement[] = {&row_kappa, &row_matthews, NULL};
