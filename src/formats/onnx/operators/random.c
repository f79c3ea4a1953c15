/* random.c - numbers by chance. With the attribute `seed` a node draws the same numbers in
 * every model of the same session seed; without, the place of the node says what it draws.
 */
#include "formats/onnx/operators/common.h"
#include "glia/chance.h"

/* RandomNormal, RandomUniform of the attribute `shape`; -Like of the shape of the input. */
static glia_status build_random(gi_onnx_call *c) {
  const bool normal = c->node->op[6] == 'N', like = c->n_in > 0;
  gi_type t = {.dtype = GLIA_F32};
  uint64_t stream = 0;
  double a = 0, b = 0;
  if (like)
    t = gi_value_type(c->in[0]);
  else
    GI_TRY(gi_onnx_ints(c, "shape", t.dim, GLIA_MAX_RANK, &t.rank));
  GI_TRY(gi_onnx_dtype(c, "dtype", like ? c->in_type[0] : GI_ONNX_FLOAT, &c->out_type[0],
                       &t.dtype));
  GI_TRY(gi_onnx_stream(c, &stream));
  GI_TRY(gi_onnx_float(c, normal ? "mean" : "low", 0, &a));
  GI_TRY(gi_onnx_float(c, normal ? "scale" : "high", 1, &b));
  c->out[0] = normal ? glia_random_normal(c->g, t.dtype, t.rank, t.dim, a, b, stream)
                     : glia_random_uniform(c->g, t.dtype, t.rank, t.dim, a, b, stream);
  return GLIA_OK;
}

static glia_status build_bernoulli(gi_onnx_call *c) {
  uint64_t stream = 0;
  glia_dtype dtype = GLIA_F32;
  GI_TRY(gi_onnx_stream(c, &stream));
  GI_TRY(gi_onnx_dtype(c, "dtype", c->in_type[0], &c->out_type[0], &dtype));
  c->out[0] = glia_cast(glia_bernoulli(c->in[0], stream), dtype);
  return GLIA_OK;
}

/* The input holds logarithms of probabilities, which need not add up to one. */
static glia_status build_multinomial(gi_onnx_call *c) {
  uint64_t stream = 0;
  int64_t count = 0;
  glia_dtype dtype = GLIA_I32;
  GI_TRY(gi_onnx_stream(c, &stream));
  GI_TRY(gi_onnx_int(c, "sample_size", 1, &count));
  GI_TRY(gi_onnx_dtype(c, "dtype", GI_ONNX_INT32, &c->out_type[0], &dtype));
  c->out[0] = glia_cast(glia_categorical(gi_onnx_wide(c->in[0]), count, true, stream), dtype);
  return GLIA_OK;
}

/* Without training_mode the input itself. Before opset 12 there is no such mode but in
 * training, which importing is not. The mask says what stays; before opset 10 it was of the
 * input's type. */
static glia_status build_dropout(gi_onnx_call *c) {
  const gi_type t = gi_value_type(c->in[0]);
  double ratio = 0.5, training = 0;
  uint64_t stream = 0;
  GI_TRY(gi_onnx_stream(c, &stream));
  if (c->version >= 12) {
    GI_TRY(gi_onnx_known_number(c, 2, 0, &training));
    if (training != 0) GI_TRY(gi_onnx_known_number(c, 1, 0.5, &ratio));
  }
  glia_value stays = glia_broadcast_to(glia_scalar(c->g, GLIA_BOOL, 1), t.rank, t.dim);
  c->out[0] = c->in[0];
  if (training != 0 && ratio > 0) {
    if (!(ratio < 1))
      return gi_onnx_fail(c, GLIA_INVALID, "the ratio is %g, wanted below 1", ratio);
    const glia_value drawn = glia_random_uniform(c->g, GLIA_F32, t.rank, t.dim, 0, 1, stream);
    stays = glia_greater_equal(drawn, glia_scalar_like(drawn, ratio));
    const glia_value y = gi_onnx_scaled(gi_onnx_wide(c->in[0]), 1 / (1 - ratio), 0);
    c->out[0] = glia_cast(glia_where(stays, y, glia_scalar_like(y, 0)), t.dtype);
  }
  c->out_type[0] = c->in_type[0];
  if (gi_onnx_wanted(c, 1)) c->out[1] = c->version < 10 ? glia_cast(stays, t.dtype) : stays;
  return GLIA_OK;
}

const gi_onnx_operator *const gi_onnx_operators_random[] = {
    GI_ONNX_ROW("RandomNormal", "dtype mean scale seed shape", 0, 0, 1, build_random, 1),
    GI_ONNX_ROW("RandomNormalLike", "dtype mean scale seed", 1, 1, 1, build_random, 1),
    GI_ONNX_ROW("RandomUniform", "dtype low high seed shape", 0, 0, 1, build_random, 1),
    GI_ONNX_ROW("RandomUniformLike", "dtype low high seed", 1, 1, 1, build_random, 1),
    GI_ONNX_ROW("Bernoulli", "dtype seed", 1, 1, 1, build_bernoulli, 15),
    GI_ONNX_ROW("Multinomial", "dtype sample_size seed", 1, 1, 1, build_multinomial, 7),
    GI_ONNX_ROW("Dropout", "ratio is_test seed consumed_inputs", 1, 3, 2, build_dropout, 1, 7,
                10, 12),
    NULL,
};
