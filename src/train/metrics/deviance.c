/* deviance.c - how unlikely counts and amounts are under what was predicted for them.
 *
 *   tweedie_deviance  mean d(y, x), with p = .power:
 *       p = 0  (y - x)^2                                any y, any x
 *       p = 1  2 (y log(y / x) - y + x)    (Poisson)    y >= 0, x > 0
 *       p = 2  2 (log(x / y) + y / x - 1)  (gamma)      y > 0, x > 0
 *       else   2 (max(y, 0)^(2-p) / ((1-p)(2-p)) - y x^(1-p) / (1-p) + x^(2-p) / (2-p))
 *              p < 0: any y; 1 < p < 2: y >= 0; p > 2: y > 0; x > 0 always
 *     There is none between 0 and 1.
 *   poisson_deviance, gamma_deviance  the same with p = 1 and 2
 *   d2_tweedie  1 - deviance / that of always predicting the mean of y; NaN of fewer than two
 *               samples
 * Source: Jorgensen 1987, doi:10.1111/j.2517-6161.1987.tb01685.x.
 */
#include "train/metric_call.h"

typedef enum variant { TWEEDIE, POISSON, GAMMA, SHARE } variant;

static double deviance(double p, double y, double x) {
  if (p == 0) return (y - x) * (y - x);
  if (p == 1) return 2 * ((y > 0 ? y * log(y / x) : 0) - y + x);
  if (p == 2) return 2 * (log(x / y) + y / x - 1);
  const double base = p < 0 ? fmax(y, 0) : y;
  return 2 * (pow(base, 2 - p) / ((1 - p) * (2 - p)) - y * pow(x, 1 - p) / (1 - p) +
              pow(x, 2 - p) / (2 - p));
}

static glia_status check_domain(const gi_metric_call *c, double p) {
  if (p > 0 && p < 1)
    return gi_fail(GLIA_INVALID, "%s: power is %g; there is no such law between 0 and 1",
                   c->name, p);
  for (int64_t i = 0; i < c->n; i++) {
    if (p != 0 && c->b[i] <= 0)
      return gi_fail(GLIA_DATA, "%s: y_pred [%lld] is %g, wanted above 0", c->name,
                     (long long)i, c->b[i]);
    if (p >= 1 && (p < 2 ? c->a[i] < 0 : c->a[i] <= 0))
      return gi_fail(GLIA_DATA, "%s: y_true [%lld] is %g, wanted %s", c->name, (long long)i,
                     c->a[i], p < 2 ? "0 or more" : "above 0");
  }
  return GLIA_OK;
}

static double mean_deviance(const gi_metric_call *c, double p, const double *x,
                            double constant) {
  double sum = 0;
  for (int64_t i = 0; i < c->n; i++)
    sum += gi_weight(c, i) * deviance(p, c->a[i], x != NULL ? x[i] : constant);
  return sum / gi_weight_sum(c);
}

static glia_status compute(gi_metric_call *c) {
  const double p = c->m->variant == POISSON ? 1 : c->m->variant == GAMMA ? 2 : c->o.power;
  double mean = 0;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(check_domain(c, p));
  if (c->m->variant != SHARE) return gi_metric_number(c, mean_deviance(c, p, c->b, 0));
  if (c->n < 2) return gi_metric_number(c, (double)NAN);
  for (int64_t i = 0; i < c->n; i++) mean += gi_weight(c, i) * c->a[i];
  mean /= gi_weight_sum(c);
  return gi_metric_number(c,
                          1 - mean_deviance(c, p, c->b, 0) / mean_deviance(c, p, NULL, mean));
}

static const gi_field fields[] = {
    GI_METRIC_F64(power, -HUGE_VAL, HUGE_VAL, "0", "of the mean that the variance goes with"),
    GI_METRIC_END};

#define ROW(id, NAME, TEXT, SOURCE, LOWER, VARIANT, FIELDS) \
  static const gi_metric id = {.name = NAME,                \
                               .doc = TEXT,                 \
                               .source = SOURCE,            \
                               .regression = true,          \
                               .lower_is_better = LOWER,    \
                               .variant = VARIANT,          \
                               .compute = compute,          \
                               .fields = FIELDS,            \
                               .takes = GI_TAKES_WEIGHT,    \
                               .needs = GI_NEEDS_NUMBERS};
ROW(tweedie, "tweedie_deviance", "mean deviance of a Tweedie law with this power",
    "mean_tweedie_deviance(y, x)", true, TWEEDIE, fields)
ROW(poisson, "poisson_deviance", "mean of 2 (y log(y / x) - y + x)",
    "mean_poisson_deviance(y, x)", true, POISSON, NULL)
ROW(gamma_law, "gamma_deviance", "mean of 2 (log(x / y) + y / x - 1)",
    "mean_gamma_deviance(y, x)", true, GAMMA, NULL)
ROW(d2, "d2_tweedie", "1 - deviance / that of the mean of y", "d2_tweedie_score(y, x)", false,
    SHARE, fields)

const gi_metric *const gi_metrics_deviance[] = {&tweedie, &poisson, &gamma_law, &d2, NULL};
