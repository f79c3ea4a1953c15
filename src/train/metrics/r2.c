/* r2.c - share of the targets' variance that is explained; the mean over K targets of
 *
 *   r2 = 1 - sum (y - x)^2 / sum (y - mean(y))^2
 *
 * 1 is perfect, 0 no better than the mean, negative is worse. Where the targets do not vary it
 * is 1 if there is no error, else 0; of fewer than two samples it is NaN (all as scikit-learn).
 * State per target: mean of y, sum of squares around it (Welford's update, which does not
 * cancel), sum of squared errors.
 */
#include <math.h>

#include "train/metric.h"

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

static const gi_metric row = {
    .name = "r2",
    .doc = "share of the targets' variance that is explained",
    .source = "r2_score(y, x)",
    .regression = true,
    .state_size = state_size,
    .add = add,
    .value = value,
};

const gi_metric *const gi_metrics_r2[] = {&row, NULL};
