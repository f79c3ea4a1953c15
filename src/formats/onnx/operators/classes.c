/* classes.c - Softmax, LogSoftmax, NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss.
 *
 * Up to version 12 softmax is over all axes from `axis` on (1 if it is not said), as if they
 * were one; from 13 on over that axis alone (the last).
 */
#include <math.h>

#include "formats/onnx/values.h"

static glia_status soft(gi_onnx_call *c, glia_value (*f)(glia_value x, int axis)) {
  glia_value x = gi_onnx_as_float(c->in[0]);
  const int rank = glia_value_rank(x);
  const int64_t *d = glia_value_shape(x);
  int axis;
  GI_TRY(gi_onnx_axis(c, "axis", c->version < 13 ? 1 : -1, rank, &axis));
  if (c->version >= 13 || axis == rank - 1) {
    c->out[0] = gi_onnx_like(f(x, axis), c->in[0]);
    return GLIA_OK;
  }
  int64_t rows[] = {1, 1};
  for (int k = 0; k < rank; k++) rows[k < axis ? 0 : 1] *= d[k];
  x = f(glia_reshape(x, 2, rows), 1);
  c->out[0] = gi_onnx_like(glia_reshape(x, rank, d), c->in[0]);
  return GLIA_OK;
}
static glia_status softmax(gi_onnx_call *c) { return soft(c, glia_softmax); }
static glia_status log_softmax(gi_onnx_call *c) { return soft(c, glia_log_softmax); }

/* ---- losses ------------------------------------------------------------------------------ */

/* -w[t] p[t] for p [N, C, ...], logarithms of probabilities, and classes t [N, ...]; 0 where t
 * is ignore_index. The mean is over the weights where rows have some or are ignored. */

static glia_value reduced(int reduction, glia_value loss, glia_value weight) {
  if (reduction == 0) return loss;
  const glia_value sum = glia_sum(loss);
  if (reduction == 1) return sum;
  return gi_null(weight) ? glia_mean(loss) : glia_div(sum, glia_sum(weight));
}

static glia_status likelihood(const gi_onnx_call *c, glia_value p, glia_value *out) {
  static const char *const words[] = {"none", "sum", "mean", NULL};
  const glia_value target = c->in[1];
  const int rank = glia_value_rank(p);
  int64_t ignored, column[GLIA_MAX_RANK];
  int reduction;
  GI_TRY(gi_onnx_choice(c, "reduction", "mean", words, &reduction));
  GI_TRY(gi_onnx_int(c, "ignore_index", 0, &ignored));
  if (rank < 2 || glia_value_rank(target) != rank - 1)
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "input has rank %d, target %d; wanted [N, C, ...] and "
                        "[N, ...]",
                        rank, glia_value_rank(target));
  for (int d = 0; d < rank; d++)
    column[d] = d == 1 ? 1 : glia_value_dim(target, d == 0 ? 0 : d - 1);
  glia_value skip = GLIA_NONE, class = target, weight = GLIA_NONE;
  if (gi_onnx_has(c, "ignore_index")) {
    skip = glia_equal(target, glia_scalar_like(target, (double)ignored));
    class = glia_where(skip, glia_scalar_like(target, 0), target);
  }
  if (gi_onnx_given(c, 2))
    weight = glia_gather(gi_onnx_like(c->in[2], p), class, 0);
  else if (!gi_null(skip))
    weight = glia_full_like(gi_onnx_as(target, glia_value_dtype(p)), 1);
  if (!gi_null(skip)) weight = glia_where(skip, glia_scalar_like(p, 0), weight);
  glia_value loss = glia_neg(glia_take_along(p, glia_reshape(class, rank, column), 1));
  if (!gi_null(loss)) loss = glia_reshape(loss, rank - 1, glia_value_shape(target));
  if (!gi_null(weight)) loss = glia_mul(loss, weight);
  if (!gi_null(skip)) loss = glia_where(skip, glia_scalar_like(p, 0), loss);
  *out = gi_onnx_like(reduced(reduction, loss, weight), c->in[0]);
  return GLIA_OK;
}

static glia_status negative_log_likelihood(gi_onnx_call *c) {
  return likelihood(c, gi_onnx_as_float(c->in[0]), &c->out[0]);
}

static glia_status softmax_cross_entropy(gi_onnx_call *c) {
  const glia_value p = glia_log_softmax(gi_onnx_as_float(c->in[0]), 1);
  if (gi_onnx_wanted(c, 1)) c->out[1] = gi_onnx_like(p, c->in[0]);
  return likelihood(c, p, &c->out[0]);
}

/* ---- rows -------------------------------------------------------------------------------- */

const gi_onnx_operator *const gi_onnx_operators_classes[] = {
    GI_ONNX_ROW("Softmax", "axis", 1, 1, 1, softmax, 1, 13),
    GI_ONNX_ROW("LogSoftmax", "axis", 1, 1, 1, log_softmax, 1, 13),
    GI_ONNX_ROW("NegativeLogLikelihoodLoss", "ignore_index reduction", 2, 3, 1,
                negative_log_likelihood, 12),
    GI_ONNX_ROW("SoftmaxCrossEntropyLoss", "ignore_index reduction", 2, 3, 2,
                softmax_cross_entropy, 12),
    NULL,
};
