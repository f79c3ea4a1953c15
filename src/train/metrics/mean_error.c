/* mean_error.c - mean errors of K predicted numbers, each the mean over the K targets:
 *
 *   mean_squared_error      = mean (y - x)^2
 *   root_mean_squared_error = sqrt of it, per target
 *   mean_absolute_error     = mean |y - x|
 * State: K sums over the samples.
 */
#include <math.h>

#include "train/metric.h"

typedef enum measure { SQUARED, ROOT, ABSOLUTE } measure;

static size_t state_size(int columns) { return (size_t)columns; }

static void add(const gi_metric *m, double *state, const gi_metric_row *row) {
  for (int j = 0; j < row->columns; j++) {
    const double d = row->target[j] - row->output[j];
    state[j] += m->variant == ABSOLUTE ? fabs(d) : d * d;
  }
}

static double value(const gi_metric *m, const glia_evaluation *e, const double *state,
                    int64_t k) {
  (void)k;
  double sum = 0;
  for (int j = 0; j < e->columns; j++) {
    const double mean = state[j] / (double)e->count;
    sum += m->variant == ROOT ? sqrt(mean) : mean;
  }
  return sum / e->columns;
}

#define ROW(id, NAME, TEXT, SOURCE, VARIANT)             \
  static const gi_metric id = {.name = NAME,             \
                               .doc = TEXT,              \
                               .source = SOURCE,         \
                               .regression = true,       \
                               .lower_is_better = true,  \
                               .variant = VARIANT,       \
                               .state_size = state_size, \
                               .add = add,               \
                               .value = value};
ROW(squared, "mean_squared_error", "mean of the squared error", "mean_squared_error(y, x)",
    SQUARED)
ROW(root, "root_mean_squared_error", "root of the mean squared error, per target",
    "mean_squared_error(y, x, squared=False)", ROOT)
ROW(absolute, "mean_absolute_error", "mean of the absolute error", "mean_absolute_error(y, x)",
    ABSOLUTE)

const gi_metric *const gi_metrics_mean_error[] = {&squared, &root, &absolute, NULL};
