/* r2.c - share of the targets' variance that is explained; the mean over K targets of
 *
 *   r2 = 1 - sum (y - x)^2 / sum (y - mean(y))^2
 *
 * 1 is perfect, 0 no better than the mean, negative is worse. Where the targets do not vary it
 * is 1 if there is no error, else 0; of fewer than two samples it is NaN (all as scikit-learn).
 * State per target: mean of y, sum of squares around it (Welford's update, which does not
 * cancel), sum of squared errors.
 *
 * Of whole arrays also explained_variance = 1 - var(y - x) / var(y), which forgives an error
 * that is the same everywhere. With .infinite, targets that do not vary give NaN (no error) or
 * -infinity.
 */
#include "train/metric_call.h"

typedef enum variant { R2, EXPLAINED } variant;

static size_t state_size(int columns) { return 3 * (size_t)columns; }

static void add(const gi_metric *m, double *state, const gi_metric_row *row) {
  (void)m;
  const double n = (double)(row->index + 1);
  for (int j = 0; j < row->columns; j++) {
    double *s = state + 3 * j; /* mean, around, error */
    const double y = row->target[j], error = y - row->output[j], before = y - s[0];
    s[0] += before / n;
    s[1] += before * (y - s[0]);
    s[2] += error * error;
  }
}

static double value(const gi_metric *m, const glia_evaluation *e, const double *state,
                    int64_t k) {
  (void)m, (void)k;
  if (e->count < 2) return (double)NAN;
  double sum = 0;
  for (int j = 0; j < e->columns; j++) {
    const double *s = state + 3 * j;
    if (s[2] == 0)
      sum += 1;
    else if (s[1] != 0)
      sum += 1 - s[2] / s[1];
  }
  return sum / e->columns;
}

/* ---- of whole arrays -------------------------------------------------------------------- */

/* 1 - error / around of one target. */
static double share(const gi_metric_call *c, double error, double around) {
  if (c->o.infinite) return 1 - error / around;
  if (error == 0) return 1;
  return around != 0 ? 1 - error / around : 0;
}

/* Weighted means of target j: of y (from the first on, so that equal numbers have exactly
 * theirs), and of y - x. */
static void means(const gi_metric_call *c, int64_t j, double *y, double *error) {
  const int64_t k = c->columns[0];
  double all = 0;
  *y = *error = 0;
  for (int64_t i = 0; i < c->n; i++) {
    *y += gi_weight(c, i) * (c->a[i * k + j] - c->a[j]);
    *error += gi_weight(c, i) * (c->a[i * k + j] - c->b[i * k + j]);
    all += gi_weight(c, i);
  }
  *y = c->a[j] + *y / all;
  *error /= all;
}

static glia_status compute(gi_metric_call *c) {
  const int64_t k = c->columns[0];
  double *each = NULL, *around = NULL;
  GI_TRY(gi_metric_equal(c));
  if (c->m->variant == R2 && c->n < 2) return gi_metric_number(c, (double)NAN);
  GI_TAKE(c, k, &each);
  GI_TAKE(c, k, &around);
  for (int64_t j = 0; j < k; j++) {
    double mean, shift, error = 0;
    means(c, j, &mean, &shift);
    if (c->m->variant == R2) shift = 0;
    for (int64_t i = 0; i < c->n; i++) {
      const double y = c->a[i * k + j], d = y - c->b[i * k + j] - shift;
      error += gi_weight(c, i) * d * d;
      around[j] += gi_weight(c, i) * (y - mean) * (y - mean);
    }
    each[j] = share(c, error, around[j]);
  }
  return gi_metric_targets(c, each, around);
}

static const gi_field fields[] = {
    GI_METRIC_MULTIOUTPUT,
    GI_METRIC_FLAG(infinite, "NaN or -infinity where the targets do not vary"), GI_METRIC_END};

static const gi_metric explained = {
    .name = "explained_variance",
    .doc = "1 - var(y - x) / var(y)",
    .source = "explained_variance_score(y, x)",
    .regression = true,
    .variant = EXPLAINED,
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_TARGET_WEIGHT,
    .needs = GI_NEEDS_NUMBERS,
};
static const gi_metric row = {
    .name = "r2",
    .doc = "share of the targets' variance that is explained",
    .source = "r2_score(y, x)",
    .regression = true,
    .state_size = state_size,
    .add = add,
    .value = value,
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_TARGET_WEIGHT,
    .needs = GI_NEEDS_NUMBERS,
};

const gi_metric *const gi_metrics_r2[] = {&row, &explained, NULL};
