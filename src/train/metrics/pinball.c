/* pinball.c - errors of predicted quantiles.
 *
 *   pinball            mean of alpha d where d = y - x >= 0, and of (alpha - 1) d elsewhere;
 * least where x is the alpha-quantile of y; with alpha 1/2 half the absolute error d2_pinball
 * 1 - pinball / that of always saying the targets' own alpha-quantile d2_absolute_error  the
 * same with alpha 1/2 Without variation D^2 is 1 where there is no error, else 0; of fewer than
 * two samples NaN. Source: Koenker & Machado 1999, doi:10.1080/01621459.1999.10473882.
 */
#include <float.h>

#include "train/metric_call.h"

typedef enum variant { LOSS, SHARE, ABSOLUTE } variant;

static double loss(double alpha, double d) { return d >= 0 ? alpha * d : (alpha - 1) * d; }

/* Mean loss of target j, predicted as it is or (x NULL) as one number throughout. */
static double mean_loss(const gi_metric_call *c, int64_t j, const double *x, double constant) {
  const int64_t k = c->columns[0];
  double sum = 0;
  for (int64_t i = 0; i < c->n; i++)
    sum += gi_weight(c, i) *
           loss(c->o.alpha, c->a[i * k + j] - (x != NULL ? x[i * k + j] : constant));
  return sum / gi_weight_sum(c);
}

static glia_status share(gi_metric_call *c, int64_t j, double error, double *out) {
  const int64_t k = c->columns[0];
  double *y = NULL, quantile = 0;
  GI_TAKE(c, c->n, &y);
  for (int64_t i = 0; i < c->n; i++) y[i] = c->a[i * k + j];
  GI_TRY(gi_metric_quantile(c, y, c->weight, c->n, c->o.alpha, &quantile));
  const double own = mean_loss(c, j, NULL, quantile);
  *out = error == 0 ? 1 : own != 0 ? 1 - error / own : 0;
  return GLIA_OK;
}

static glia_status compute(gi_metric_call *c) {
  const int64_t k = c->columns[0];
  double *each = NULL;
  c->o.alpha = c->o.alpha == 0 ? 0.5 : c->o.alpha <= DBL_MIN ? 0 : c->o.alpha;
  GI_TRY(gi_metric_equal(c));
  if (c->m->variant != LOSS && c->n < 2) return gi_metric_number(c, (double)NAN);
  GI_TAKE(c, k, &each);
  for (int64_t j = 0; j < k; j++) {
    each[j] = mean_loss(c, j, c->b, 0);
    if (c->m->variant != LOSS) GI_TRY(share(c, j, each[j], &each[j]));
  }
  return gi_metric_targets(c, each, NULL);
}

static const gi_field fields[] = {
    GI_METRIC_MULTIOUTPUT, GI_METRIC_F64(alpha, 0, 1, "0.5", "the quantile"), GI_METRIC_END};
static const gi_field absolute_fields[] = {GI_METRIC_MULTIOUTPUT, GI_METRIC_END};

#define ROW(id, NAME, TEXT, SOURCE, LOWER, VARIANT, FIELDS)                       \
  static const gi_metric id = {.name = NAME,                                      \
                               .doc = TEXT,                                       \
                               .source = SOURCE,                                  \
                               .regression = true,                                \
                               .lower_is_better = LOWER,                          \
                               .variant = VARIANT,                                \
                               .compute = compute,                                \
                               .fields = FIELDS,                                  \
                               .takes = GI_TAKES_WEIGHT | GI_TAKES_TARGET_WEIGHT, \
                               .needs = GI_NEEDS_NUMBERS};
ROW(pinball, "pinball", "mean of alpha d above, (1 - alpha) |d| below, d = y - x",
    "mean_pinball_loss(y, x)", true, LOSS, fields)
ROW(d2, "d2_pinball", "1 - pinball / that of the targets' own quantile",
    "d2_pinball_score(y, x)", false, SHARE, fields)
ROW(d2_absolute, "d2_absolute_error", "1 - absolute error / that of the targets' median",
    "d2_absolute_error_score(y, x)", false, ABSOLUTE, absolute_fields)

const gi_metric *const gi_metrics_pinball[] = {&pinball, &d2, &d2_absolute, NULL};
