/* loss.c - losses as compositions of ops; means over the batch. */
#include "nn/scope.h"
#include "ops/attrs.h"

static bool same_shapes(glia_value a, glia_value b, const char *who) {
  if (gi_null(a) || gi_null(b)) return false;
  const gi_type x = gi_value_type(a), y = gi_value_type(b);
  char xt[96], yt[96];
  if (gi_type_equal(&x, &y)) return true;
  gi_latch(a.graph, x.dtype != y.dtype ? GLIA_DTYPE : GLIA_SHAPE,
           "%s: the prediction is %s, the target %s; hint: they must be equal, nothing is "
           "broadcast",
           who, gi_type_text(&x, xt, sizeof xt), gi_type_text(&y, yt, sizeof yt));
  return false;
}

glia_value glia_mse_loss(glia_value prediction, glia_value target) {
  if (!same_shapes(prediction, target, "mse_loss")) return GLIA_NONE;
  return glia_mean(glia_square(glia_sub(prediction, target)));
}

glia_value glia_mae_loss(glia_value prediction, glia_value target) {
  if (!same_shapes(prediction, target, "mae_loss")) return GLIA_NONE;
  return glia_mean(glia_abs(glia_sub(prediction, target)));
}

/* With c = min(|r|, delta):  c (|r| - c / 2)  is both branches at once. */
glia_value glia_huber_loss(glia_value prediction, glia_value target, double delta) {
  if (!same_shapes(prediction, target, "huber_loss")) return GLIA_NONE;
  if (!(delta > 0))
    return gi_latch(prediction.graph, GLIA_INVALID, "huber_loss: delta is %g, wanted > 0",
                    delta);
  const glia_value r = glia_abs(glia_sub(prediction, target));
  const glia_value small = glia_mul(glia_square(r), glia_scalar_like(r, 0.5));
  const glia_value large =
      glia_mul(glia_sub(r, glia_scalar_like(r, delta / 2)), glia_scalar_like(r, delta));
  return glia_mean(glia_where(glia_less_equal(r, glia_scalar_like(r, delta)), small, large));
}

glia_value glia_bce_with_logits_loss(glia_value logits, glia_value target) {
  if (!same_shapes(logits, target, "bce_with_logits_loss")) return GLIA_NONE;
  return glia_mean(glia_sub(glia_softplus(logits), glia_mul(logits, target)));
}

/* ---- cross entropy ----------------------------------------------------------------------- */

/* With indices y, weights w, smoothing e over C classes (as PyTorch), l = log sum e^z by row
 * and loss = l - z[y]: (1 - e) sum_i w[y_i] loss_i / W + e / C sum_i sum_c w[c] (l_i - z[i, c])
 * / W, W = sum_i w[y_i]. */
static glia_value sparse(glia_value z, glia_value target, const glia_cross_entropy_opts *o) {
  const double e = o->label_smoothing, c = (double)glia_value_dim(z, 1);
  glia_value out[GI_MAX_OUT], plain, even, w = o->class_weights;
  gi_emit(NULL, &gi_op_cross_entropy, NULL, (glia_value[]){z, target}, 2, out);
  const glia_value loss = out[0];
  if (gi_null(loss)) return GLIA_NONE;
  const glia_value l = glia_reshape(out[1], 2, (const int64_t[]){glia_value_dim(z, 0), 1});
  if (gi_null(w)) {
    plain = glia_mean(loss);
    if (e == 0) return plain;
    even = glia_mean(glia_sum(glia_sub(l, z), .n = 1, .axes = {1}));
  } else {
    const glia_value own = glia_gather(w, target, 0), total = glia_sum(own);
    plain = glia_div(glia_sum(glia_mul(own, loss)), total);
    if (e == 0) return plain;
    even = glia_div(glia_sum(glia_mul(glia_sub(l, z), w)), total);
  }
  return glia_add(glia_mul(plain, glia_scalar_like(plain, 1 - e)),
                  glia_mul(even, glia_scalar_like(even, e / c)));
}

/* Probabilities: mean over rows of -sum_c w[c] t'[c] logp[c], t' = (1 - e) t + e / C. */
static glia_value categorical(glia_value logp, glia_value target,
                              const glia_cross_entropy_opts *o) {
  const double e = o->label_smoothing, c = (double)glia_value_dim(logp, 1);
  if (e != 0)
    target = glia_add(glia_mul(target, glia_scalar_like(target, 1 - e)),
                      glia_scalar_like(target, e / c));
  glia_value terms = glia_mul(target, logp);
  if (!gi_null(o->class_weights)) terms = glia_mul(terms, o->class_weights);
  return glia_neg(glia_mean(glia_sum(terms, .n = 1, .axes = {1})));
}

static bool weights_fit(const gi_type *z, glia_value weights) {
  const gi_type have = gi_value_type(weights);
  const gi_type want = {.dtype = z->dtype, .rank = 1, .dim = {z->dim[1]}};
  char a[96], b[96];
  if (gi_type_equal(&have, &want)) return true;
  gi_latch(weights.graph, have.dtype != want.dtype ? GLIA_DTYPE : GLIA_SHAPE,
           "cross_entropy_loss: class weights are %s, wanted %s, one a class",
           gi_type_text(&have, a, sizeof a), gi_type_text(&want, b, sizeof b));
  return false;
}

static bool cross_entropy_fits(glia_value z, glia_value t, const glia_cross_entropy_opts *o) {
  if (gi_null(z) || gi_null(t)) return false;
  const gi_type zt = gi_value_type(z), tt = gi_value_type(t);
  char a[96], b[96];
  const bool indices = !glia_dtype_is_float(tt.dtype);
  if (zt.rank != 2 ||
      (indices ? tt.rank != 1 || tt.dim[0] != zt.dim[0] : !gi_type_equal(&zt, &tt))) {
    gi_latch(
        z.graph, GLIA_SHAPE,
        "cross_entropy_loss: logits are %s, targets %s; wanted [N, C] and class indices [N] "
        "or probabilities [N, C]",
        gi_type_text(&zt, a, sizeof a), gi_type_text(&tt, b, sizeof b));
    return false;
  }
  if (!(o->label_smoothing >= 0 && o->label_smoothing < 1)) {
    gi_latch(z.graph, GLIA_INVALID,
             "cross_entropy_loss: label_smoothing is %g, wanted 0 <= e < 1",
             o->label_smoothing);
    return false;
  }
  return gi_null(o->class_weights) || weights_fit(&zt, o->class_weights);
}

glia_value glia_cross_entropy_loss_opt(glia_value logits, glia_value target,
                                       const glia_cross_entropy_opts *opt) {
  glia_cross_entropy_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!cross_entropy_fits(logits, target, &o)) return GLIA_NONE;
  if (!glia_dtype_is_float(glia_value_dtype(target))) return sparse(logits, target, &o);
  return categorical(glia_log_softmax(logits, 1), target, &o);
}
