/* loss_numbers.c - losses of predicted numbers: squares, distances, and what lies between. */
#include "nn/loss.h"
#include "ops/attrs.h"

static bool fits(const char *who, glia_value prediction, glia_value target) {
  return gi_loss_same(who, "prediction", prediction, "target", target);
}

static glia_reduction reduction_of(const glia_loss_opts *opt) {
  glia_loss_opts o;
  gi_opts(&o, sizeof o, opt);
  return o.reduction;
}

glia_value glia_mse_loss_opt(glia_value prediction, glia_value target,
                             const glia_loss_opts *opt) {
  if (!fits("mse_loss", prediction, target)) return GLIA_NONE;
  return gi_loss_reduced("mse_loss", glia_square(glia_sub(prediction, target)),
                         reduction_of(opt));
}

glia_value glia_mae_loss_opt(glia_value prediction, glia_value target,
                             const glia_loss_opts *opt) {
  if (!fits("mae_loss", prediction, target)) return GLIA_NONE;
  return gi_loss_reduced("mae_loss", glia_abs(glia_sub(prediction, target)), reduction_of(opt));
}

/* r^2 / 2 up to delta, from there on the tangent: delta (r - delta / 2). */
static glia_value bent(glia_value r, double delta) {
  const glia_value small = gi_times(glia_square(r), 0.5);
  const glia_value large = gi_times(gi_plus(r, -delta / 2), delta);
  return glia_where(glia_less_equal(r, glia_scalar_like(r, delta)), small, large);
}

glia_value glia_huber_loss_opt(glia_value prediction, glia_value target, double delta,
                               const glia_loss_opts *opt) {
  if (!fits("huber_loss", prediction, target)) return GLIA_NONE;
  if (!(delta > 0)) return gi_loss_refuse("huber_loss", prediction, "delta", delta, "> 0");
  return gi_loss_reduced("huber_loss", bent(glia_abs(glia_sub(prediction, target)), delta),
                         reduction_of(opt));
}

/* Huber's over beta. Where r = beta both branches are beta / 2, with slope 1. */
glia_value glia_smooth_l1_loss_opt(glia_value prediction, glia_value target, double beta,
                                   const glia_loss_opts *opt) {
  if (!fits("smooth_l1_loss", prediction, target)) return GLIA_NONE;
  if (!(beta >= 0)) return gi_loss_refuse("smooth_l1_loss", prediction, "beta", beta, ">= 0");
  const glia_value r = glia_abs(glia_sub(prediction, target));
  return gi_loss_reduced("smooth_l1_loss", beta > 0 ? gi_times(bent(r, beta), 1 / beta) : r,
                         reduction_of(opt));
}
