/* mean_error.c - mean errors of K predicted numbers, each the mean over the K targets:
 *
 *   mean_squared_error      = mean (y - x)^2
 *   root_mean_squared_error = sqrt of it, per target
 *   mean_absolute_error     = mean |y - x|
 * and of whole arrays also
 *   mean_squared_log_error          = mean (log(1 + y) - log(1 + x))^2, of numbers >= 0
 *   root_mean_squared_log_error     = sqrt of it, per target
 *   mean_absolute_percentage_error  = mean |y - x| / max(|y|, 2^-52): a share, not percent
 *   symmetric_mean_absolute_percentage_error = mean 2 |y - x| / max(|y| + |x|, 2^-52)
 *   max_error                       = max |y - x|, of one target
 *   median_absolute_error           = median |y - x|; with weights, the least error that half
 *                                     the weight reaches
 * State: K sums over the samples.
 */
#include "train/metric_call.h"

typedef enum measure {
  SQUARED,
  ROOT,
  ABSOLUTE,
  LOGARITHM,
  ROOT_LOGARITHM,
  PERCENTAGE,
  SYMMETRIC
} measure;

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

/* ---- of whole arrays -------------------------------------------------------------------- */

#define TINY 0x1p-52

static double error_of(measure what, double y, double x) {
  const double d = what == LOGARITHM || what == ROOT_LOGARITHM ? log1p(y) - log1p(x) : y - x;
  switch (what) {
    case ABSOLUTE: return fabs(d);
    case PERCENTAGE: return fabs(d) / fmax(fabs(y), TINY);
    case SYMMETRIC: return 2 * fabs(d) / fmax(fabs(y) + fabs(x), TINY);
    default: return d * d;
  }
}

static glia_status check_above(const gi_metric_call *c) {
  for (int64_t i = 0; i < c->n * c->columns[0]; i++)
    if (c->a[i] < 0 || c->b[i] < 0)
      return gi_fail(GLIA_DATA, "%s: %s [%lld] is %g, wanted 0 or more", c->name,
                     c->a[i] < 0 ? "y_true" : "y_pred", (long long)i,
                     c->a[i] < 0 ? c->a[i] : c->b[i]);
  return GLIA_OK;
}

static glia_status compute(gi_metric_call *c) {
  const measure what = (measure)c->m->variant;
  const int64_t k = c->columns[0];
  const double all = gi_weight_sum(c);
  double *each = NULL;
  GI_TRY(gi_metric_equal(c));
  if (what == LOGARITHM || what == ROOT_LOGARITHM) GI_TRY(check_above(c));
  GI_TAKE(c, k, &each);
  for (int64_t i = 0; i < c->n * k; i++)
    each[i % k] += gi_weight(c, i / k) * error_of(what, c->a[i], c->b[i]);
  for (int64_t j = 0; j < k; j++) {
    each[j] /= all;
    if (c->o.root || what == ROOT || what == ROOT_LOGARITHM) each[j] = sqrt(each[j]);
  }
  return gi_metric_targets(c, each, NULL);
}

static glia_status largest(gi_metric_call *c) {
  double worst = 0;
  GI_TRY(gi_metric_vectors(c));
  for (int64_t i = 0; i < c->n; i++) worst = fmax(worst, fabs(c->a[i] - c->b[i]));
  return gi_metric_number(c, worst);
}

static glia_status median(gi_metric_call *c) {
  const int64_t k = c->columns[0];
  double *each = NULL, *errors = NULL;
  GI_TRY(gi_metric_equal(c));
  GI_TAKE(c, k, &each);
  GI_TAKE(c, c->n, &errors);
  for (int64_t j = 0; j < k; j++) {
    for (int64_t i = 0; i < c->n; i++) errors[i] = fabs(c->a[i * k + j] - c->b[i * k + j]);
    GI_TRY(gi_metric_quantile(c, errors, c->weight, c->n, 0.5, &each[j]));
  }
  return gi_metric_targets(c, each, NULL);
}

static const gi_field fields[] = {GI_METRIC_MULTIOUTPUT, GI_METRIC_END};
static const gi_field root_fields[] = {GI_METRIC_MULTIOUTPUT,
                                       GI_METRIC_FLAG(root, "the root of each target's mean"),
                                       GI_METRIC_END};

enum { TAKES = GI_TAKES_WEIGHT | GI_TAKES_TARGET_WEIGHT };

#define WHOLE(id, NAME, TEXT, SOURCE, VARIANT, COMPUTE, FIELDS, TAKEN) \
  static const gi_metric id = {.name = NAME,                           \
                               .doc = TEXT,                            \
                               .source = SOURCE,                       \
                               .regression = true,                     \
                               .lower_is_better = true,                \
                               .variant = VARIANT,                     \
                               .compute = COMPUTE,                     \
                               .fields = FIELDS,                       \
                               .takes = TAKEN,                         \
                               .needs = GI_NEEDS_NUMBERS};
WHOLE(logarithm, "mean_squared_log_error", "mean of (log(1 + y) - log(1 + x))^2",
      "mean_squared_log_error(y, x)", LOGARITHM, compute, root_fields, TAKES)
WHOLE(root_logarithm, "root_mean_squared_log_error", "root of mean_squared_log_error",
      "mean_squared_log_error(y, x, squared=False)", ROOT_LOGARITHM, compute, fields, TAKES)
WHOLE(percentage, "mean_absolute_percentage_error", "mean of |y - x| / |y|, as a share",
      "mean_absolute_percentage_error(y, x)", PERCENTAGE, compute, fields, TAKES)
WHOLE(symmetric, "symmetric_mean_absolute_percentage_error",
      "mean of 2 |y - x| / (|y| + |x|), as a share",
      "torchmetrics' SymmetricMeanAbsolutePercentageError", SYMMETRIC, compute, fields, TAKES)
WHOLE(worst, "max_error", "largest |y - x|", "max_error(y, x)", 0, largest, NULL, 0)
WHOLE(middle, "median_absolute_error", "median of |y - x|", "median_absolute_error(y, x)", 0,
      median, fields, TAKES)

#define ROW(id, NAME, TEXT, SOURCE, VARIANT, FIELDS)     \
  static const gi_metric id = {.name = NAME,             \
                               .doc = TEXT,              \
                               .source = SOURCE,         \
                               .regression = true,       \
                               .lower_is_better = true,  \
                               .variant = VARIANT,       \
                               .state_size = state_size, \
                               .add = add,               \
                               .value = value,           \
                               .compute = compute,       \
                               .fields = FIELDS,         \
                               .takes = TAKES,           \
                               .needs = GI_NEEDS_NUMBERS};
ROW(squared, "mean_squared_error", "mean of the squared error", "mean_squared_error(y, x)",
    SQUARED, root_fields)
ROW(root, "root_mean_squared_error", "root of the mean squared error, per target",
    "mean_squared_error(y, x, squared=False)", ROOT, fields)
ROW(absolute, "mean_absolute_error", "mean of the absolute error", "mean_absolute_error(y, x)",
    ABSOLUTE, fields)

const gi_metric *const gi_metrics_mean_error[] = {
    &squared,    &root,      &absolute, &logarithm, &root_logarithm,
    &percentage, &symmetric, &worst,    &middle,    NULL};
