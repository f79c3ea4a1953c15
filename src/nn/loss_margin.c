/* loss_margin.c - losses of scores that need not be probabilities: right ones must lie above
 * wrong ones by a margin, what lies farther costs nothing.
 *
 * Where a margin is met exactly the gradient is PyTorch's: 0 between classes and for the hinge
 * (glia_relu), 1 where PyTorch clamps (gi_positive_part).
 */
#include <math.h>

#include "nn/loss.h"
#include "ops/attrs.h"

static glia_reduction reduction_of(const glia_loss_opts *opt) {
  glia_loss_opts o;
  gi_opts(&o, sizeof o, opt);
  return o.reduction;
}

/* ---- sides, element by element ----------------------------------------------------------- */

/* y as x's dtype; null if either does not fit. */
static glia_value sides(const char *who, glia_value x, glia_value y) {
  if (!gi_loss_floats(who, "prediction", x)) return GLIA_NONE;
  return gi_loss_sides(who, x, y, glia_value_rank(x), glia_value_shape(x));
}

glia_value glia_hinge_loss_opt(glia_value scores, glia_value y, const glia_loss_opts *opt) {
  const glia_value s = sides("hinge_loss", scores, y);
  if (gi_null(s)) return s;
  return gi_loss_reduced("hinge_loss", glia_relu(gi_plus(glia_neg(glia_mul(s, scores)), 1)),
                         reduction_of(opt));
}

glia_value glia_soft_margin_loss_opt(glia_value scores, glia_value y,
                                     const glia_loss_opts *opt) {
  const glia_value s = sides("soft_margin_loss", scores, y);
  if (gi_null(s)) return s;
  return gi_loss_reduced("soft_margin_loss", glia_softplus(glia_neg(glia_mul(s, scores))),
                         reduction_of(opt));
}

/* y that is neither 1 nor -1 gets both parts, as in PyTorch. */
glia_value glia_hinge_embedding_loss_opt(glia_value distance, glia_value y, double margin,
                                         const glia_loss_opts *opt) {
  const char *who = "hinge_embedding_loss";
  const glia_value s = sides(who, distance, y), zero = glia_scalar_like(distance, 0);
  if (gi_null(s)) return s;
  if (isnan(margin)) return gi_loss_refuse(who, distance, "margin", margin, "a number");
  const glia_value near = gi_positive_part(gi_plus(glia_neg(distance), margin));
  const glia_value one = glia_scalar_like(s, 1), minus = glia_scalar_like(s, -1);
  return gi_loss_reduced(who,
                         glia_add(glia_where(glia_equal(s, one), zero, near),
                                  glia_where(glia_equal(s, minus), zero, distance)),
                         reduction_of(opt));
}

glia_value glia_margin_ranking_loss_opt(glia_value a, glia_value b, glia_value y, double margin,
                                        const glia_loss_opts *opt) {
  const char *who = "margin_ranking_loss";
  if (!gi_loss_same(who, "first score", a, "second", b)) return GLIA_NONE;
  const glia_value s = sides(who, a, y);
  if (gi_null(s)) return s;
  if (isnan(margin)) return gi_loss_refuse(who, a, "margin", margin, "a number");
  const glia_value short_of = gi_plus(glia_mul(glia_neg(s), glia_sub(a, b)), margin);
  return gi_loss_reduced(who, gi_positive_part(short_of), reduction_of(opt));
}

/* ---- one class against the others -------------------------------------------------------- */

/* Scores [N, C] or [C] with indices of the given number of axes less. */
static bool scores_fit(const char *who, glia_value x, glia_value t, int fewer) {
  if (gi_null(x) || gi_null(t) || !gi_loss_floats(who, "prediction", x)) return false;
  const gi_type xt = gi_value_type(x), tt = gi_value_type(t);
  const bool index = tt.dtype == GLIA_I64 || tt.dtype == GLIA_I32;
  bool shapes = (xt.rank == 1 || xt.rank == 2) && tt.rank == xt.rank - fewer;
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  for (int d = 0; shapes && d < tt.rank; d++) shapes = tt.dim[d] == xt.dim[d];
  if (shapes && index && xt.dim[xt.rank - 1] > 0) return true;
  gi_latch(x.graph, index ? GLIA_SHAPE : GLIA_DTYPE,
           "%s: scores are %s, targets %s; wanted [N, C] and class indices %s (i64 or i32)",
           who, gi_type_text(&xt, a, sizeof a), gi_type_text(&tt, b, sizeof b),
           fewer == 1 ? "[N]" : "[N, C]");
  return false;
}

static glia_value multi_margin(glia_value x, glia_value t, double margin,
                               const glia_multi_margin_opts *o) {
  const int64_t classes = glia_value_dim(x, 1);
  const glia_value own = glia_take_along(x, gi_with_axis(t, 1), 1);
  const glia_value others = gi_plus(glia_neg(glia_one_hot(t, classes, glia_value_dtype(x))), 1);
  glia_value over = glia_relu(gi_plus(glia_sub(x, own), margin));
  if (o->squared) over = glia_square(over);
  const glia_value loss =
      gi_times(glia_sum(glia_mul(over, others), .n = 1, .axes = {1}), 1 / (double)classes);
  return gi_null(o->class_weights) ? loss : glia_mul(loss, glia_gather(o->class_weights, t, 0));
}

/* A single row's loss, [1], back to a scalar where it was not reduced. */
static glia_value finish(const char *who, glia_value loss, bool single, glia_reduction r) {
  const glia_value v = gi_loss_reduced(who, loss, r);
  return single && !gi_null(v) && glia_value_rank(v) > 0 ? glia_reshape(v, 0, NULL) : v;
}

glia_value glia_multi_margin_loss_opt(glia_value scores, glia_value target, double margin,
                                      const glia_multi_margin_opts *opt) {
  const char *who = "multi_margin_loss";
  glia_multi_margin_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!scores_fit(who, scores, target, 1) ||
      !gi_loss_class_weights(who, scores, o.class_weights, glia_value_dim(scores, -1)))
    return GLIA_NONE;
  if (isnan(margin)) return gi_loss_refuse(who, scores, "margin", margin, "a number");
  const bool single = glia_value_rank(scores) == 1;
  const glia_value x = single ? gi_with_axis(scores, 0) : scores;
  const glia_value t = single ? gi_with_axis(target, 0) : target;
  return finish(who, multi_margin(x, t, margin, &o), single, o.reduction);
}

/* 1 for the targets before a row's first -1, of x's dtype [N, C]: those that no -1 stands at or
 * before, counted by a product with an upper triangle of ones. */
static glia_value listed(glia_value ends, glia_dtype dtype) {
  const int64_t classes = glia_value_dim(ends, 1);
  const glia_value place = glia_range(ends.graph, classes, GLIA_I64);
  const glia_value upto =
      glia_cast(glia_less_equal(gi_with_axis(place, 1), gi_with_axis(place, 0)), dtype);
  const glia_value before = glia_matmul(glia_cast(ends, dtype), upto);
  return glia_cast(glia_equal(before, glia_scalar_like(before, 0)), dtype);
}

static glia_value multilabel_margin(glia_value x, glia_value t) {
  const int64_t classes = glia_value_dim(x, 1);
  const glia_value ends = glia_equal(t, glia_scalar_like(t, -1));
  const glia_value index = glia_where(ends, glia_scalar_like(t, 0), t);
  const glia_value in = listed(ends, glia_value_dtype(x));
  const glia_value named = glia_put_along(in, index, 1, classes); /* how often each is listed */
  const glia_value out =
      glia_cast(glia_equal(named, glia_scalar_like(named, 0)), glia_value_dtype(x));
  const glia_value own = glia_take_along(x, index, 1);
  const glia_value over =
      glia_relu(gi_plus(glia_sub(gi_with_axis(x, 1), gi_with_axis(own, 2)), 1));
  const glia_value pairs = glia_mul(gi_with_axis(in, 2), gi_with_axis(out, 1));
  return gi_times(glia_sum(glia_mul(over, pairs), .n = 2, .axes = {1, 2}), 1 / (double)classes);
}

glia_value glia_multilabel_margin_loss_opt(glia_value scores, glia_value target,
                                           const glia_loss_opts *opt) {
  const char *who = "multilabel_margin_loss";
  if (!scores_fit(who, scores, target, 0)) return GLIA_NONE;
  const bool single = glia_value_rank(scores) == 1;
  const glia_value x = single ? gi_with_axis(scores, 0) : scores;
  const glia_value t = single ? gi_with_axis(target, 0) : target;
  return finish(who, multilabel_margin(x, t), single, reduction_of(opt));
}
