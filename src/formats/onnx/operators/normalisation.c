/* normalisation.c - BatchNormalization, InstanceNormalization, LayerNormalization,
 * GroupNormalization, RMSNormalization, LRN, LpNormalization and MeanVarianceNormalization.
 *
 * Statistics are computed in f32 whatever stash_type says; f64 stays f64.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/values.h"

/* In input 0's dtype, made wide: what is given besides it may have another one. */
static glia_value beside(const gi_onnx_call *c, int i) {
  return gi_onnx_given(c, i) ? gi_onnx_like(c->in[i], gi_onnx_as_float(c->in[0])) : GLIA_NONE;
}

static glia_status want_channels(const gi_onnx_call *c) {
  if (glia_value_rank(c->in[0]) >= 2) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE, "x has rank %d, wanted [N, C, ...]",
                      glia_value_rank(c->in[0]));
}

/* ---- batch normalisation ----------------------------------------------------------------- */

/* Inference is one scale and one shift a channel, as in glia's own layer: the compiler brings
 * both into a convolution that stands before it. Training gives the running statistics, too,
 * moved towards those of the batch, whose variance is that over N. Which of the two it is says
 * training_mode since version 14; before it, the number of outputs (and is_test before 7). */

/* [C], or without `spatial` (before version 9) [C, ...], against x [N, C, ...]. */
static glia_value per_channel(glia_value v, int rank) {
  int64_t shape[GLIA_MAX_RANK] = {0, 1, 1, 1, 1, 1, 1, 1};
  if (gi_null(v) || glia_value_rank(v) == rank - 1) return v;
  shape[0] = glia_value_dim(v, 0);
  return glia_reshape(v, rank - 1, shape);
}

static glia_value moved(glia_value running, glia_value now, double momentum) {
  return glia_add(gi_onnx_times(running, momentum), gi_onnx_times(now, 1 - momentum));
}

static glia_status is_training(const gi_onnx_call *c, bool *out) {
  bool test = false;
  if (c->version >= 14) return gi_onnx_bool(c, "training_mode", false, out);
  GI_TRY(gi_onnx_bool(c, "is_test", false, &test));
  *out = !test && c->n_out > 1;
  return GLIA_OK;
}

static glia_status batch_normalization(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]), gamma = beside(c, 1), beta = beside(c, 2),
                   mean = beside(c, 3), variance = beside(c, 4);
  const int rank = glia_value_rank(x);
  double eps, momentum;
  bool training;
  GI_TRY(want_channels(c));
  GI_TRY(gi_onnx_float(c, "epsilon", 1e-5, &eps));
  GI_TRY(gi_onnx_float(c, "momentum", 0.9, &momentum));
  GI_TRY(is_training(c, &training));
  if (!training) {
    const glia_value scale = glia_mul(gamma, glia_rsqrt(gi_onnx_plus(variance, eps)));
    const glia_value shift = glia_sub(beta, glia_mul(mean, scale));
    c->out[0] = gi_onnx_like(
        glia_add(glia_mul(x, per_channel(scale, rank)), per_channel(shift, rank)), c->in[0]);
    return GLIA_OK;
  }
  glia_value batch[2];
  if (glia_value_rank(gamma) != 1)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "training without `spatial` is not known");
  c->out[0] =
      gi_onnx_like(glia_batch_norm_train(x, gamma, beta, eps, &batch[0], &batch[1]), c->in[0]);
  const glia_value out[] = {moved(mean, batch[0], momentum),
                            moved(variance, batch[1], momentum), batch[0], batch[1]};
  for (int i = 1; i < c->n_out; i++)
    if (gi_onnx_wanted(c, i)) c->out[i] = gi_onnx_like(out[i - 1], c->in[i < 3 ? 2 + i : i]);
  return GLIA_OK;
}

/* ---- by groups of channels --------------------------------------------------------------- */

static glia_status by_groups(gi_onnx_call *c, int64_t groups, glia_value gamma,
                             glia_value beta) {
  double eps;
  GI_TRY(gi_onnx_float(c, "epsilon", 1e-5, &eps));
  c->out[0] = gi_onnx_like(
      glia_group_norm_with(gi_onnx_as_float(c->in[0]), groups, gamma, beta, eps), c->in[0]);
  return GLIA_OK;
}

static glia_status instance_normalization(gi_onnx_call *c) {
  GI_TRY(want_channels(c));
  return by_groups(c, glia_value_dim(c->in[0], 1), beside(c, 1), beside(c, 2));
}

/* Version 18 has one gamma and beta a group, 21 one a channel. */
static glia_status group_normalization(gi_onnx_call *c) {
  glia_value gamma = beside(c, 1), beta = beside(c, 2);
  int64_t groups;
  GI_TRY(want_channels(c));
  GI_TRY(gi_onnx_int(c, "num_groups", 0, &groups));
  const int64_t channels = glia_value_dim(c->in[0], 1);
  if (groups < 1 || channels % groups != 0)
    return gi_onnx_fail(c, GLIA_FORMAT, "num_groups is %" PRId64 ", x has %" PRId64 " channels",
                        groups, channels);
  if (c->version < 21) {
    gamma = glia_repeat(gamma, 0, channels / groups);
    beta = glia_repeat(beta, 0, channels / groups);
  }
  return by_groups(c, groups, gamma, beta);
}

/* ---- over the last axes ------------------------------------------------------------------ */

/* Has v the shape of x from an axis on? What has not is multiplied afterwards, by broadcast. */
static bool has_shape(glia_value v, glia_value x, int axis) {
  const int n = glia_value_rank(x) - axis;
  return !gi_null(v) && glia_value_rank(v) == n &&
         memcmp(glia_value_shape(v), glia_value_shape(x) + axis, (size_t)n * sizeof(int64_t)) ==
             0;
}

/* The statistics that LayerNormalization gives besides: mean and 1 / sqrt(variance + eps). */
static void statistics(gi_onnx_call *c, glia_value x, int axis, double eps) {
  glia_reduce_opts o = {.size = sizeof o, .keep = true};
  for (int d = axis; d < glia_value_rank(x); d++) o.axes[o.n++] = d;
  if (gi_onnx_wanted(c, 1)) c->out[1] = glia_mean_opt(x, &o);
  if (gi_onnx_wanted(c, 2)) c->out[2] = glia_rsqrt(gi_onnx_plus(glia_variance_opt(x, &o), eps));
}

static glia_status over_last(gi_onnx_call *c, bool centred) {
  const glia_value x = gi_onnx_as_float(c->in[0]);
  glia_value gamma = beside(c, 1), beta = beside(c, 2);
  const int rank = glia_value_rank(x);
  double eps;
  int axis;
  GI_TRY(gi_onnx_axis(c, "axis", -1, rank, &axis));
  GI_TRY(gi_onnx_float(c, "epsilon", 1e-5, &eps));
  const bool scales = has_shape(gamma, x, axis), shifts = scales && has_shape(beta, x, axis);
  const glia_value own = scales ? gamma : GLIA_NONE;
  glia_value y = centred
                     ? glia_layer_norm_with(x, rank - axis, own, shifts ? beta : GLIA_NONE, eps)
                     : glia_rms_norm_with(x, rank - axis, own, eps);
  if (!scales) y = glia_mul(y, gamma);
  if (!gi_null(beta) && !shifts) y = glia_add(y, beta);
  c->out[0] = gi_onnx_like(y, c->in[0]);
  if (centred) statistics(c, x, axis, eps);
  return GLIA_OK;
}
static glia_status layer_normalization(gi_onnx_call *c) { return over_last(c, true); }
static glia_status rms_normalization(gi_onnx_call *c) { return over_last(c, false); }

/* ---- by neighbours, lengths, statistics -------------------------------------------------- */

/* Of an even number of neighbours ONNX has one more behind than in front, glia the other way:
 * the channels are turned round. */
static glia_status lrn(gi_onnx_call *c) {
  glia_value x = gi_onnx_as_float(c->in[0]);
  double alpha, beta, bias;
  int64_t size;
  GI_TRY(want_channels(c));
  GI_TRY(gi_onnx_float(c, "alpha", 1e-4, &alpha));
  GI_TRY(gi_onnx_float(c, "beta", 0.75, &beta));
  GI_TRY(gi_onnx_float(c, "bias", 1, &bias));
  GI_TRY(gi_onnx_int(c, "size", 0, &size));
  const int channels = 1;
  if (size % 2 == 0) x = glia_flip(x, &channels, 1);
  x = glia_local_response_norm(x, size, alpha, beta, bias);
  if (size % 2 == 0) x = glia_flip(x, &channels, 1);
  c->out[0] = gi_onnx_like(x, c->in[0]);
  return GLIA_OK;
}

/* x / its length along an axis; zeros stay zeros. */
static glia_status lp_normalization(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]);
  int64_t p;
  int axis;
  GI_TRY(gi_onnx_int(c, "p", 2, &p));
  GI_TRY(gi_onnx_axis(c, "axis", -1, glia_value_rank(x), &axis));
  if (p != 1 && p != 2)
    return gi_onnx_fail(c, GLIA_FORMAT, "p is %" PRId64 ", wanted 1 or 2", p);
  const glia_value sum =
      glia_sum(p == 1 ? glia_abs(x) : glia_square(x), .n = 1, .axes = {axis}, .keep = true);
  const glia_value length = p == 1 ? sum : glia_sqrt(sum);
  const glia_value safe = glia_where(glia_equal(length, glia_scalar_like(length, 0)),
                                     glia_scalar_like(length, 1), length);
  c->out[0] = gi_onnx_like(glia_div(x, safe), c->in[0]);
  return GLIA_OK;
}

/* (x - mean) / (deviation + 1e-9) over axes, 0, 2 and 3 if none are said. */
static glia_status mean_variance_normalization(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]);
  const int rank = glia_value_rank(x);
  int64_t axes[GLIA_MAX_RANK] = {0, 2, 3};
  glia_reduce_opts o = {.size = sizeof o, .keep = true};
  int n;
  GI_TRY(gi_onnx_ints(c, "axes", axes, GLIA_MAX_RANK, &n));
  o.n = n > 0 ? n : 3;
  for (int i = 0; i < o.n; i++) {
    if (axes[i] < -rank || axes[i] >= rank)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %" PRId64 " of rank %d", axes[i], rank);
    o.axes[i] = (int)axes[i];
  }
  const glia_value deviation = gi_onnx_plus(glia_sqrt(glia_variance_opt(x, &o)), 1e-9);
  c->out[0] = gi_onnx_like(glia_div(glia_sub(x, glia_mean_opt(x, &o)), deviation), c->in[0]);
  return GLIA_OK;
}

/* ---- rows -------------------------------------------------------------------------------- */

const gi_onnx_operator *const gi_onnx_operators_normalisation[] = {
    GI_ONNX_ROW("BatchNormalization",
                "epsilon momentum training_mode spatial is_test consumed_inputs", 5, 5, 5,
                batch_normalization, 1, 14),
    GI_ONNX_ROW("InstanceNormalization", "epsilon consumed_inputs", 3, 3, 1,
                instance_normalization, 1),
    GI_ONNX_ROW("GroupNormalization", "epsilon num_groups stash_type", 3, 3, 1,
                group_normalization, 18, 21),
    GI_ONNX_ROW("LayerNormalization", "axis epsilon stash_type", 2, 3, 3, layer_normalization,
                17),
    GI_ONNX_ROW("RMSNormalization", "axis epsilon stash_type", 2, 2, 1, rms_normalization, 23),
    GI_ONNX_ROW("LRN", "alpha beta bias size", 1, 1, 1, lrn, 1),
    GI_ONNX_ROW("LpNormalization", "axis p", 1, 1, 1, lp_normalization, 1),
    GI_ONNX_ROW("MeanVarianceNormalization", "axes", 1, 1, 1, mean_variance_normalization, 9),
    NULL,
};
