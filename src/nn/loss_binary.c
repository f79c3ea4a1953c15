/* loss_binary.c - losses of yes or no, element by element: cross entropies, focal, Dice.
 *
 * From logits z, with softplus(z) = log(1 + e^z): -log sigmoid(z) = softplus(-z) and
 * -log(1 - sigmoid(z)) = softplus(z), which no logit overflows; softplus(-z) = softplus(z) - z.
 */
#include <math.h>

#include "nn/loss.h"
#include "ops/attrs.h"

/* ---- cross entropy ----------------------------------------------------------------------- */

/* log x, at least -100 as in PyTorch: from x = e^-100 down, where the gradient is 0. */
static glia_value bounded_log(glia_value x) {
  const glia_value low = glia_less_equal(x, glia_scalar_like(x, 3.7200759760208361e-44));
  return glia_where(low, glia_scalar_like(x, -100),
                    glia_log(glia_where(low, glia_scalar_like(x, 1), x)));
}

/* log(1 - x) likewise, exact for small x; a float below 1 is never so near it that the bound is
 * met. */
static glia_value bounded_log_of_rest(glia_value x) {
  const glia_value one = glia_scalar_like(x, 1), high = glia_greater_equal(x, one);
  return glia_where(high, glia_scalar_like(x, -100),
                    glia_log1p(glia_neg(glia_where(high, glia_scalar_like(x, 0), x))));
}

glia_value glia_bce_loss_opt(glia_value probability, glia_value target,
                             const glia_bce_opts *opt) {
  const char *who = "bce_loss";
  glia_bce_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", probability, "target", target)) return GLIA_NONE;
  const glia_value yes =
      gi_loss_weighted(who, glia_mul(target, bounded_log(probability)), o.positive_weight);
  const glia_value no =
      glia_mul(gi_plus(glia_neg(target), 1), bounded_log_of_rest(probability));
  const glia_value loss = gi_loss_weighted(who, glia_neg(glia_add(yes, no)), o.weight);
  return gi_loss_reduced(who, loss, o.reduction);
}

/* Element by element; with a weight q of the positive part, (1 - t) z + (1 + (q - 1) t)
 * softplus(-z). */
static glia_value from_logits(const char *who, glia_value z, glia_value t, glia_value q) {
  if (gi_null(q)) return glia_sub(glia_softplus(z), glia_mul(z, t));
  const glia_value more = gi_loss_weighted(who, t, gi_plus(q, -1));
  return glia_add(glia_mul(gi_plus(glia_neg(t), 1), z),
                  glia_mul(gi_plus(more, 1), glia_softplus(glia_neg(z))));
}

glia_value glia_bce_with_logits_loss_opt(glia_value logits, glia_value target,
                                         const glia_bce_opts *opt) {
  const char *who = "bce_with_logits_loss";
  glia_bce_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", logits, "target", target)) return GLIA_NONE;
  const glia_value loss = from_logits(who, logits, target, o.positive_weight);
  return gi_loss_reduced(who, gi_loss_weighted(who, loss, o.weight), o.reduction);
}

glia_value glia_multilabel_soft_margin_loss_opt(glia_value logits, glia_value target,
                                                const glia_multilabel_soft_margin_opts *opt) {
  const char *who = "multilabel_soft_margin_loss";
  glia_multilabel_soft_margin_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", logits, "target", target)) return GLIA_NONE;
  if (glia_value_rank(logits) < 1)
    return gi_latch(logits.graph, GLIA_SHAPE, "%s: logits have no axis of classes", who);
  if (!gi_loss_class_weights(who, logits, o.class_weights, glia_value_dim(logits, -1)))
    return GLIA_NONE;
  const glia_value loss =
      gi_loss_weighted(who, from_logits(who, logits, target, GLIA_NONE), o.class_weights);
  return gi_loss_reduced(who, glia_mean(loss, .n = 1, .axes = {-1}), o.reduction);
}

/* ---- focal ------------------------------------------------------------------------------- */

/* x^gamma of a probability; where gamma < 1 its slope is infinite at 0, so x stays above. */
static glia_value power(glia_value x, double gamma) {
  if (gamma == 2) return glia_square(x);
  if (gamma < 1) x = glia_clip(x, 1e-30, 1);
  return glia_pow(x, glia_scalar_like(x, gamma));
}

/* 1 - p_t = (1 - t) p + t (1 - p), where 1 - p = sigmoid(-z) keeps its digits. */
glia_value glia_focal_loss_opt(glia_value logits, glia_value target, double gamma,
                               const glia_focal_opts *opt) {
  const char *who = "focal_loss";
  glia_focal_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", logits, "target", target)) return GLIA_NONE;
  if (!(gamma >= 0 && isfinite(gamma)))
    return gi_loss_refuse(who, logits, "gamma", gamma, "0 or more");
  if (!(o.alpha <= 1)) return gi_loss_refuse(who, logits, "alpha", o.alpha, "at most 1");
  const double alpha = o.alpha == 0 ? 0.25 : o.alpha;
  const glia_value rest = gi_plus(glia_neg(target), 1);
  glia_value loss = from_logits(who, logits, target, GLIA_NONE);
  if (gamma > 0) {
    const glia_value wrong = glia_add(glia_mul(rest, glia_sigmoid(logits)),
                                      glia_mul(target, glia_sigmoid(glia_neg(logits))));
    loss = glia_mul(loss, power(wrong, gamma));
  }
  if (alpha > 0)
    loss = glia_mul(loss, glia_add(gi_times(target, alpha), gi_times(rest, 1 - alpha)));
  return gi_loss_reduced(who, loss, o.reduction);
}

/* ---- Dice -------------------------------------------------------------------------------- */

static glia_value row_sums(glia_value x) {
  const int rank = glia_value_rank(x);
  glia_reduce_opts o = {.size = sizeof o, .n = rank - 1};
  for (int d = 1; d < rank; d++) o.axes[d - 1] = d;
  return rank > 1 ? glia_sum_opt(x, &o) : x;
}

glia_value glia_dice_loss_opt(glia_value probability, glia_value target,
                              const glia_dice_opts *opt) {
  const char *who = "dice_loss";
  glia_dice_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", probability, "target", target)) return GLIA_NONE;
  if (glia_value_rank(probability) < 1)
    return gi_latch(probability.graph, GLIA_SHAPE, "%s: wanted [N, ...], got a scalar", who);
  if (!(o.smooth >= 0))
    return gi_loss_refuse(who, probability, "smooth", o.smooth, "0 (1 is taken) or more");
  const double smooth = o.smooth == 0 ? 1 : o.smooth;
  const glia_value both = gi_plus(gi_times(row_sums(glia_mul(probability, target)), 2), smooth);
  const glia_value p = o.squared ? glia_square(probability) : probability;
  const glia_value t = o.squared ? glia_square(target) : target;
  const glia_value all = gi_plus(row_sums(glia_add(p, t)), smooth);
  return gi_loss_reduced(who, gi_plus(glia_neg(glia_div(both, all)), 1), o.reduction);
}
