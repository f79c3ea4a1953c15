/* activation.c - the functions between layers. What has a parameter that glia's own op has not
 * is written in plainer ones, in f32 or wider.
 */
#include "formats/onnx/operators/common.h"

#include <math.h>

/* ---- without parameters, or with alpha alone ----------------------------------------------
 */

/* clang-format off */
#define PLAIN_MAP(X) \
  X(HardSwish, glia_hard_swish, 14) \
  X(Mish, glia_mish, 18) \
  X(Relu, glia_relu, 1) \
  X(Sigmoid, glia_sigmoid, 1) \
  X(Softplus, glia_softplus, 1) \
  X(Softsign, glia_softsign, 1) \
  X(Tanh, glia_tanh, 1)
/* clang-format on */

#define ENTRY(name, of, ...) {#name, of},
static const struct {
  const char *name;
  glia_value (*of)(glia_value x);
} plain[] = {PLAIN_MAP(ENTRY)};
#undef ENTRY

static glia_status build_plain(gi_onnx_call *c) {
  for (int i = 0; i < GI_COUNT(plain); i++)
    if (strcmp(plain[i].name, c->node->op) == 0) c->out[0] = plain[i].of(c->in[0]);
  return GLIA_OK;
}

static glia_value thresholded(glia_value x, double alpha) {
  return glia_threshold(x, alpha, 0);
}

#define ALPHA_MAP(X)          \
  X(Elu, glia_elu, 1.0, 1)    \
  X(Celu, glia_celu, 1.0, 12) \
  X(LeakyRelu, glia_leaky_relu, 0.01, 1) X(ThresholdedRelu, thresholded, 1.0, 10)

#define ENTRY(name, of, alpha, ...) {#name, of, alpha},
static const struct {
  const char *name;
  glia_value (*of)(glia_value x, double alpha);
  double alpha;
} by_alpha[] = {ALPHA_MAP(ENTRY)};
#undef ENTRY

static glia_status build_by_alpha(gi_onnx_call *c) {
  for (int i = 0; i < GI_COUNT(by_alpha); i++) {
    double alpha = 0;
    if (strcmp(by_alpha[i].name, c->node->op) != 0) continue;
    GI_TRY(gi_onnx_float(c, "alpha", by_alpha[i].alpha, &alpha));
    c->out[0] = by_alpha[i].of(c->in[0], alpha);
  }
  return GLIA_OK;
}

/* ---- the others ---------------------------------------------------------------------------
 */

/* y, which was computed wider, as the type of the input. */
static glia_status give(gi_onnx_call *c, glia_value y) {
  c->out[0] = glia_cast(y, glia_value_dtype(c->in[0]));
  return GLIA_OK;
}

/* Version 1 knew the paper's constants to four digits only. */
static glia_status build_selu(gi_onnx_call *c) {
  double alpha = 0, gamma = 0;
  GI_TRY(
      gi_onnx_float(c, "alpha", c->version < 6 ? 1.6732 : 1.67326319217681884765625, &alpha));
  GI_TRY(
      gi_onnx_float(c, "gamma", c->version < 6 ? 1.0507 : 1.05070102214813232421875, &gamma));
  return give(c, gi_onnx_scaled(glia_elu(gi_onnx_wide(c->in[0]), alpha), gamma, 0));
}

static glia_status build_hard_sigmoid(gi_onnx_call *c) {
  double alpha = 0, beta = 0;
  GI_TRY(gi_onnx_float(c, "alpha", 0.2, &alpha));
  GI_TRY(gi_onnx_float(c, "beta", 0.5, &beta));
  return give(c, glia_clip(gi_onnx_scaled(gi_onnx_wide(c->in[0]), alpha, beta), 0, 1));
}

static glia_status build_gelu(gi_onnx_call *c) {
  static const char *const words[] = {"none", "tanh", NULL};
  int approximate = 0;
  GI_TRY(gi_onnx_choice(c, "approximate", "none", words, &approximate));
  c->out[0] = approximate ? glia_gelu_tanh(c->in[0]) : glia_gelu(c->in[0]);
  return GLIA_OK;
}

/* x sigmoid(alpha x), and for SwiGLU times the second input. */
static glia_status build_swish(gi_onnx_call *c) {
  double alpha = 1;
  GI_TRY(gi_onnx_float(c, "alpha", 1, &alpha));
  const glia_value x = gi_onnx_wide(c->in[0]);
  glia_value y =
      alpha == 1 ? glia_silu(x) : glia_mul(x, glia_sigmoid(gi_onnx_scaled(x, alpha, 0)));
  if (c->n_in > 1) {
    const gi_type a = gi_value_type(c->in[0]), b = gi_value_type(c->in[1]);
    if (!gi_shape_equal(&a, &b))
      return gi_onnx_fail(c, GLIA_SHAPE, "both inputs want one shape");
    y = glia_mul(y, gi_onnx_wide(c->in[1]));
  }
  return give(c, y);
}

/* x + bias below -limit, x - bias above limit, 0 between. */
static glia_status build_shrink(gi_onnx_call *c) {
  double limit = 0, bias = 0;
  GI_TRY(gi_onnx_float(c, "lambd", 0.5, &limit));
  GI_TRY(gi_onnx_float(c, "bias", 0, &bias));
  const glia_value x = gi_onnx_real(c->in[0]), zero = glia_scalar_like(x, 0);
  const glia_value above = glia_where(glia_greater(x, glia_scalar_like(x, limit)),
                                      gi_onnx_scaled(x, 1, -bias), zero);
  return give(c, glia_where(glia_less(x, glia_scalar_like(x, -limit)),
                            gi_onnx_scaled(x, 1, bias), above));
}

/* The slope broadcasts; before opset 7, of rank 1 it was one for each channel. */
static glia_status build_prelu(gi_onnx_call *c) {
  const glia_value x = gi_onnx_wide(c->in[0]);
  glia_value slope = gi_onnx_wide(c->in[1]);
  const gi_type t = gi_value_type(x), s = gi_value_type(slope);
  if (c->opset < 7 && s.rank == 1 && t.rank > 1 && s.dim[0] != 1)
    slope = gi_onnx_along(slope, 1, t.rank);
  return give(c, glia_where(glia_less(x, glia_scalar_like(x, 0)), glia_mul(slope, x), x));
}

/* 1 at the first largest of an axis, 0 elsewhere; before opset 13 of all axes from `axis` on,
 * seen as one. */
static glia_status build_hardmax(gi_onnx_call *c) {
  gi_type t = gi_value_type(c->in[0]);
  int axis = 0;
  if (t.rank == 0) return give(c, glia_full_like(c->in[0], 1));
  GI_TRY(gi_onnx_axis(c, "axis", c->version < 13 ? 1 : -1, t.rank, &axis));
  glia_value x = c->in[0];
  if (c->version < 13) {
    int64_t outer = 1, inner = 1;
    for (int d = 0; d < t.rank; d++) *(d < axis ? &outer : &inner) *= t.dim[d];
    x = glia_reshape(x, 2, (const int64_t[]){outer, inner});
    axis = 1;
  }
  const int rank = c->version < 13 ? 2 : t.rank;
  const int64_t n = glia_value_dim(x, axis);
  const glia_value place = gi_onnx_along(glia_range(c->g, n, GLIA_I64), axis, rank);
  const glia_value hit = n == 0 ? x : glia_equal(place, glia_argmax(x, axis, true));
  return give(c, gi_onnx_reshape(glia_cast(hit, t.dtype), &t));
}

/* ---- rows ---------------------------------------------------------------------------------
 */

#define PLAIN(name, of, first) \
  GI_ONNX_ROW(#name, "consumed_inputs", 1, 1, 1, build_plain, first),
#define ALPHA(name, of, alpha, first) \
  GI_ONNX_ROW(#name, "alpha consumed_inputs", 1, 1, 1, build_by_alpha, first),

const gi_onnx_operator *const gi_onnx_operators_activation[] = {
    PLAIN_MAP(PLAIN) ALPHA_MAP(ALPHA)
        GI_ONNX_ROW("Selu", "alpha gamma consumed_inputs", 1, 1, 1, build_selu, 1, 6),
    GI_ONNX_ROW("HardSigmoid", "alpha beta consumed_inputs", 1, 1, 1, build_hard_sigmoid, 1),
    GI_ONNX_ROW("Gelu", "approximate", 1, 1, 1, build_gelu, 20),
    GI_ONNX_ROW("Swish", "alpha", 1, 1, 1, build_swish, 24),
    GI_ONNX_ROW("SwiGLU", "alpha", 2, 2, 1, build_swish, 28),
    GI_ONNX_ROW("Shrink", "lambd bias", 1, 1, 1, build_shrink, 9),
    GI_ONNX_ROW("PRelu", "consumed_inputs", 2, 2, 1, build_prelu, 1, 7),
    GI_ONNX_ROW("Hardmax", "axis", 1, 1, 1, build_hardmax, 1, 13),
    NULL,
};
