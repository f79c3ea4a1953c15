/* loss_distribution.c - losses between distributions, and likelihoods of numbers: divergence of
 * Kullback and Leibler, Poisson, Gauss.
 */
#include "nn/loss.h"
#include "ops/attrs.h"

#define LOG_2_PI 1.83787706640934548356 /* log(2 pi) */

/* log x where `chosen`, 0 elsewhere, whatever x is there; so is the gradient. */
static glia_value log_where(glia_value chosen, glia_value x) {
  return glia_log(glia_where(chosen, x, glia_scalar_like(x, 1)));
}

glia_value glia_kl_div_loss_opt(glia_value log_probabilities, glia_value target,
                                const glia_kl_div_opts *opt) {
  const char *who = "kl_div_loss";
  glia_kl_div_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", log_probabilities, "target", target)) return GLIA_NONE;
  if (o.log_target)
    return gi_loss_reduced(who, glia_mul(glia_exp(target), glia_sub(target, log_probabilities)),
                           o.reduction);
  const glia_value zero = glia_scalar_like(target, 0), some = glia_greater(target, zero);
  const glia_value terms =
      glia_mul(target, glia_sub(log_where(some, target), log_probabilities));
  return gi_loss_reduced(who, glia_where(some, terms, zero), o.reduction);
}

/* log t! for t > 1 by Stirling, 0 up to there. */
static glia_value stirling(glia_value t) {
  const glia_value more = glia_greater(t, glia_scalar_like(t, 1)), log_t = log_where(more, t);
  const glia_value sum =
      glia_add(glia_sub(glia_mul(t, log_t), t), gi_times(gi_plus(log_t, LOG_2_PI), 0.5));
  return glia_where(more, sum, glia_scalar_like(t, 0));
}

glia_value glia_poisson_nll_loss_opt(glia_value log_rate, glia_value target,
                                     const glia_poisson_nll_opts *opt) {
  const char *who = "poisson_nll_loss";
  glia_poisson_nll_opts o;
  gi_opts(&o, sizeof o, opt);
  const glia_value x = log_rate;
  if (!gi_loss_same(who, "prediction", x, "target", target)) return GLIA_NONE;
  if (!(o.eps >= 0)) return gi_loss_refuse(who, x, "eps", o.eps, "0 (1e-8 is taken) or more");
  const double eps = o.eps == 0 ? 1e-8 : o.eps;
  glia_value loss = o.rate ? glia_sub(x, glia_mul(target, glia_log(gi_plus(x, eps))))
                           : glia_sub(glia_exp(x), glia_mul(target, x));
  if (o.full) loss = glia_add(loss, stirling(target));
  return gi_loss_reduced(who, loss, o.reduction);
}

/* v as it broadcasts to the mean x: of its shape, with a last axis of 1, or without one. */
static glia_value variance_of(const char *who, glia_value x, glia_value v) {
  if (gi_null(v)) return v;
  const gi_type xt = gi_value_type(x), vt = gi_value_type(v);
  const int rank = xt.rank;
  gi_type narrow = xt, without = xt;
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  if (gi_type_equal(&xt, &vt)) return v;
  if (rank > 0) {
    narrow.dim[rank - 1] = 1;
    without.rank = rank - 1;
    if (gi_type_equal(&narrow, &vt)) return v;
    if (vt.dtype == xt.dtype && gi_shape_equal(&without, &vt)) return gi_with_axis(v, rank - 1);
  }
  return gi_latch(x.graph, vt.dtype != xt.dtype ? GLIA_DTYPE : GLIA_SHAPE,
                  "%s: the mean is %s, the variance %s; wanted the mean's shape, or its last "
                  "axis 1 or left out",
                  who, gi_type_text(&xt, a, sizeof a), gi_type_text(&vt, b, sizeof b));
}

glia_value glia_gaussian_nll_loss_opt(glia_value mean, glia_value target, glia_value variance,
                                      const glia_gaussian_nll_opts *opt) {
  const char *who = "gaussian_nll_loss";
  glia_gaussian_nll_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", mean, "target", target)) return GLIA_NONE;
  if (!(o.eps >= 0))
    return gi_loss_refuse(who, mean, "eps", o.eps, "0 (1e-6 is taken) or more");
  const glia_value given = variance_of(who, mean, variance);
  if (gi_null(given)) return GLIA_NONE;
  /* eps + (v - v), the second v without gradient: the value eps, the slope 1 */
  const glia_value eps = glia_scalar_like(given, o.eps == 0 ? 1e-6 : o.eps);
  const glia_value lifted = glia_add(eps, glia_sub(given, glia_stop_gradient(given)));
  const glia_value v = glia_where(glia_less(given, eps), lifted, given);
  glia_value loss =
      gi_times(glia_add(glia_log(v), glia_div(glia_square(glia_sub(mean, target)), v)), 0.5);
  if (o.full) loss = gi_plus(loss, LOG_2_PI / 2);
  return gi_loss_reduced(who, loss, o.reduction);
}
