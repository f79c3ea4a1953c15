/* loss_distance.c - losses of places in a space of D features: distances and angles. */
#include <math.h>

#include "nn/loss.h"
#include "ops/attrs.h"

static glia_value last_sum(glia_value x) { return glia_sum(x, .n = 1, .axes = {-1}); }

/* ---- distances --------------------------------------------------------------------------- */

/* f(x) of x >= 0 whose slope is infinite or undefined at 0: value and gradient 0 there. */
static glia_value power_from_0(glia_value x, double p) {
  const glia_value zero = glia_scalar_like(x, 0), at_0 = glia_equal(x, zero);
  const glia_value safe = glia_where(at_0, glia_scalar_like(x, 1), x);
  const glia_value y = p == 0.5 ? glia_sqrt(safe) : glia_pow(safe, glia_scalar_like(x, p));
  return glia_where(at_0, zero, y);
}

/* The p-norm along the last axis. */
static glia_value norm(glia_value d, double p) {
  if (p == 2) return power_from_0(last_sum(glia_square(d)), 0.5);
  if (p == 1) return last_sum(glia_abs(d));
  if (isinf(p)) return glia_max(glia_abs(d), .n = 1, .axes = {-1});
  return power_from_0(last_sum(power_from_0(glia_abs(d), p)), 1 / p);
}

/* Null if the options or the shapes do not fit. */
static glia_value distance(const char *who, glia_value a, const char *name_a, glia_value b,
                           const char *name_b, double p, double eps) {
  if (!gi_loss_same(who, name_a, a, name_b, b)) return GLIA_NONE;
  if (glia_value_rank(a) < 1 || glia_value_dim(a, -1) == 0)
    return gi_latch(a.graph, GLIA_SHAPE, "%s: there are no features, wanted [..., D]", who);
  if (!(p >= 0)) return gi_loss_refuse(who, a, "p", p, "above 0 (0: 2 is taken)");
  if (!(eps >= 0)) return gi_loss_refuse(who, a, "eps", eps, "0 (1e-6 is taken) or more");
  return norm(gi_plus(glia_sub(a, b), eps == 0 ? 1e-6 : eps), p == 0 ? 2 : p);
}

glia_value glia_pairwise_distance_opt(glia_value a, glia_value b,
                                      const glia_distance_opts *opt) {
  glia_distance_opts o;
  gi_opts(&o, sizeof o, opt);
  const glia_value d = distance("pairwise_distance", a, "first place", b, "second", o.p, o.eps);
  return o.keep && !gi_null(d) ? gi_with_axis(d, glia_value_rank(d)) : d;
}

glia_value glia_triplet_margin_loss_opt(glia_value anchor, glia_value positive,
                                        glia_value negative, double margin,
                                        const glia_triplet_opts *opt) {
  const char *who = "triplet_margin_loss";
  glia_triplet_opts o;
  gi_opts(&o, sizeof o, opt);
  const glia_value near = distance(who, anchor, "anchor", positive, "positive", o.p, o.eps);
  glia_value far = distance(who, anchor, "anchor", negative, "negative", o.p, o.eps);
  if (gi_null(near) || gi_null(far)) return GLIA_NONE;
  if (isnan(margin)) return gi_loss_refuse(who, anchor, "margin", margin, "a number");
  if (o.swap)
    far = glia_minimum(far,
                       distance(who, positive, "positive", negative, "negative", o.p, o.eps));
  const glia_value over = gi_plus(glia_sub(near, far), margin);
  return gi_loss_reduced(who, gi_positive_part(over), o.reduction);
}

/* ---- angles ------------------------------------------------------------------------------ */

/* y that is neither 1 nor -1 costs nothing, as in PyTorch. */
glia_value glia_cosine_embedding_loss_opt(glia_value a, glia_value b, glia_value y,
                                          double margin, const glia_loss_opts *opt) {
  const char *who = "cosine_embedding_loss";
  const double little = 1e-12; /* PyTorch's: two zero vectors are at a right angle */
  glia_loss_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "first place", a, "second", b)) return GLIA_NONE;
  const int rank = glia_value_rank(a);
  if (rank != 1 && rank != 2)
    return gi_latch(a.graph, GLIA_SHAPE, "%s: the places have %d axes, wanted [N, D] or [D]",
                    who, rank);
  if (!(margin >= -1 && margin <= 1))
    return gi_loss_refuse(who, a, "margin", margin, "-1 to 1");
  const glia_value s = gi_loss_sides(who, a, y, rank - 1, glia_value_shape(a));
  if (gi_null(s)) return s;
  const glia_value lengths = glia_mul(gi_plus(last_sum(glia_square(a)), little),
                                      gi_plus(last_sum(glia_square(b)), little));
  const glia_value c = glia_div(last_sum(glia_mul(a, b)), glia_sqrt(lengths));
  const glia_value zero = glia_scalar_like(c, 0), one = glia_scalar_like(c, 1);
  const glia_value alike = glia_where(glia_equal(s, one), glia_sub(one, c), zero);
  const glia_value apart =
      glia_where(glia_equal(s, glia_neg(one)), gi_positive_part(gi_plus(c, -margin)), zero);
  return gi_loss_reduced(who, glia_add(alike, apart), o.reduction);
}
