/* activation.c - elementwise functions and softmax. */
#include "parity/parity.h"

#define ONE_TO_ONE(name, fn) \
  static void name(question *q) { q_output(q, 0, fn(q_input(q, 0))); }
ONE_TO_ONE(relu, glia_relu)
ONE_TO_ONE(relu6, glia_relu6)
ONE_TO_ONE(selu, glia_selu)
ONE_TO_ONE(gelu_tanh, glia_gelu_tanh)
ONE_TO_ONE(silu, glia_silu)
ONE_TO_ONE(mish, glia_mish)
ONE_TO_ONE(softsign, glia_softsign)
ONE_TO_ONE(hard_sigmoid, glia_hard_sigmoid)
ONE_TO_ONE(hard_swish, glia_hard_swish)
ONE_TO_ONE(sigmoid, glia_sigmoid)
ONE_TO_ONE(tanh_, glia_tanh)
ONE_TO_ONE(log_sigmoid, glia_log_sigmoid)
ONE_TO_ONE(tanh_shrink, glia_tanh_shrink)

static void gelu(question *q) {
  const bool by_tanh = strcmp(q_str(q, "approximate", "none"), "tanh") == 0;
  q_output(q, 0, by_tanh ? glia_gelu_tanh(q_input(q, 0)) : glia_gelu(q_input(q, 0)));
}
static void leaky_relu(question *q) {
  q_output(q, 0, glia_leaky_relu(q_input(q, 0), q_num(q, "negative_slope", 0.01)));
}
static void elu(question *q) { q_output(q, 0, glia_elu(q_input(q, 0), q_num(q, "alpha", 1))); }
static void hardtanh(question *q) {
  q_output(q, 0, glia_clip(q_input(q, 0), q_num(q, "min_val", -1), q_num(q, "max_val", 1)));
}
static void celu(question *q) {
  q_output(q, 0, glia_celu(q_input(q, 0), q_num(q, "alpha", 1)));
}
static void softshrink(question *q) {
  q_output(q, 0, glia_soft_shrink(q_input(q, 0), q_num(q, "lambd", 0.5)));
}
static void hardshrink(question *q) {
  q_output(q, 0, glia_hard_shrink(q_input(q, 0), q_num(q, "lambd", 0.5)));
}
static void threshold(question *q) {
  q_output(q, 0, glia_threshold(q_input(q, 0), q_num(q, "threshold", 0), q_num(q, "value", 0)));
}
static void glu(question *q) {
  q_output(q, 0, glia_glu(q_input(q, 0), (int)q_int(q, "dim", -1)));
}
static void prelu(question *q) {
  q_output(q, 0, glia_prelu(q_input(q, 0), q_param(q, "weight")));
}
static void prelu_of(question *q) { q_output(q, 0, glia_prelu(q_input(q, 0), q_input(q, 1))); }
/* log(1 + e^(beta x)) / beta; above the threshold x itself. */
static void softplus(question *q) {
  const glia_value x = q_input(q, 0);
  const double beta = q_num(q, "beta", 1);
  const glia_value z = glia_mul(x, glia_scalar_like(x, beta));
  q_output(q, 0,
           glia_where(glia_greater(z, glia_scalar_like(x, q_num(q, "threshold", 20))), x,
                      glia_mul(glia_softplus(z), glia_scalar_like(x, 1 / beta))));
}
static void softmax(question *q) {
  q_output(q, 0, glia_softmax(q_input(q, 0), (int)q_int(q, "dim", -1)));
}
static void log_softmax(question *q) {
  q_output(q, 0, glia_log_softmax(q_input(q, 0), (int)q_int(q, "dim", -1)));
}

static void softmax2d(question *q) { q_output(q, 0, glia_softmax(q_input(q, 0), -3)); }
static void softmin(question *q) {
  q_output(q, 0, glia_softmax(glia_neg(q_input(q, 0)), (int)q_int(q, "dim", -1)));
}
/* In inference the slope is the middle of those that are drawn from. */
static void rrelu(question *q) {
  const double low = q_num(q, "lower", 1.0 / 8), high = q_num(q, "upper", 1.0 / 3);
  q_output(q, 0, glia_leaky_relu(q_input(q, 0), (low + high) / 2));
}
/* What passes: identity, and dropout of nothing or in inference. */
static void passes(question *q) {
  if (q_training(q) && q_num(q, "p", 0) != 0) {
    q_cannot(q, "drops elements by PyTorch's numbers");
    return;
  }
  q_output(q, 0, q_input(q, 0));
}
static void flatten(question *q) {
  const glia_value x = q_input(q, 0);
  const int64_t *d = glia_value_shape(x);
  const int rank = glia_value_rank(x);
  int64_t shape[GLIA_MAX_RANK];
  int n = 0, from = (int)q_int(q, "start_dim", 1), to = (int)q_int(q, "end_dim", -1);
  from += from < 0 ? rank : 0;
  to += to < 0 ? rank : 0;
  for (int i = 0; i < rank; i++)
    if (i > from && i <= to)
      shape[n - 1] *= d[i];
    else
      shape[n++] = d[i];
  q_output(q, 0, glia_reshape(x, n, shape));
}
static void unflatten(question *q) {
  const glia_value x = q_input(q, 0);
  const int64_t *d = glia_value_shape(x);
  int64_t shape[GLIA_MAX_RANK], sizes[GLIA_MAX_RANK] = {0};
  int n = 0, axis = (int)q_int(q, "dim", 1), parts = q_count(q, "unflattened_size");
  axis += axis < 0 ? glia_value_rank(x) : 0;
  if (glia_value_rank(x) - 1 + parts > GLIA_MAX_RANK) {
    q_cannot(q, "has too many axes");
    return;
  }
  q_ints(q, "unflattened_size", parts, sizes);
  for (int i = 0; i < glia_value_rank(x); i++)
    for (int k = 0; k < (i == axis ? parts : 1); k++) shape[n++] = i == axis ? sizes[k] : d[i];
  q_output(q, 0, glia_reshape(x, n, shape));
}

static const parity_row rows[] = {
    {.op = "relu", .build = relu},
    {.op = "relu6", .build = relu6},
    {.op = "selu", .build = selu},
    {.op = "gelu", .build = gelu},
    {.op = "gelu_tanh", .build = gelu_tanh},
    {.op = "silu", .build = silu},
    {.op = "mish", .build = mish},
    {.op = "softsign", .build = softsign},
    {.op = "hardsigmoid", .build = hard_sigmoid},
    {.op = "hardswish", .build = hard_swish},
    {.op = "sigmoid", .build = sigmoid},
    {.op = "tanh", .build = tanh_},
    {.op = "leaky_relu", .build = leaky_relu},
    {.op = "elu", .build = elu},
    {.op = "hardtanh", .build = hardtanh},
    {.op = "logsigmoid", .build = log_sigmoid},
    {.op = "tanhshrink", .build = tanh_shrink},
    {.op = "celu", .build = celu},
    {.op = "softshrink", .build = softshrink},
    {.op = "hardshrink", .build = hardshrink},
    {.op = "threshold", .build = threshold},
    {.op = "glu", .build = glu},
    {.op = "PReLU", .build = prelu},
    {.op = "softplus", .build = softplus},
    {.op = "softmax", .build = softmax},
    {.op = "log_softmax", .build = log_softmax},
    {.op = "ReLU", .build = relu},
    {.op = "ReLU6", .build = relu6},
    {.op = "SELU", .build = selu},
    {.op = "GELU", .build = gelu},
    {.op = "SiLU", .build = silu},
    {.op = "Mish", .build = mish},
    {.op = "Softsign", .build = softsign},
    {.op = "Hardsigmoid", .build = hard_sigmoid},
    {.op = "Hardswish", .build = hard_swish},
    {.op = "Sigmoid", .build = sigmoid},
    {.op = "Tanh", .build = tanh_},
    {.op = "LeakyReLU", .build = leaky_relu},
    {.op = "ELU", .build = elu},
    {.op = "Hardtanh", .build = hardtanh},
    {.op = "LogSigmoid", .build = log_sigmoid},
    {.op = "Tanhshrink", .build = tanh_shrink},
    {.op = "CELU", .build = celu},
    {.op = "Softshrink", .build = softshrink},
    {.op = "Hardshrink", .build = hardshrink},
    {.op = "Threshold", .build = threshold},
    {.op = "GLU", .build = glu},
    {.op = "Softplus", .build = softplus},
    {.op = "Softmax", .build = softmax},
    {.op = "LogSoftmax", .build = log_softmax},
    {.op = "Softmin", .build = softmin},
    {.op = "RReLU", .build = rrelu},
    {.op = "softmin", .build = softmin},
    {.op = "rrelu", .build = rrelu},
    {.op = "prelu", .build = prelu_of},
    {.op = "Identity", .build = passes},
    {.op = "identity", .build = passes},
    {.op = "Dropout", .build = passes},
    {.op = "Dropout1d", .build = passes},
    {.op = "Dropout2d", .build = passes},
    {.op = "Dropout3d", .build = passes},
    {.op = "AlphaDropout", .build = passes},
    {.op = "FeatureAlphaDropout", .build = passes},
    {.op = "dropout", .build = passes},
    {.op = "dropout2d", .build = passes},
    {.op = "alpha_dropout", .build = passes},
    {.op = "Flatten", .build = flatten},
    {.op = "flatten", .build = flatten},
    {.op = "Unflatten", .build = unflatten},
    {.op = "unflatten", .build = unflatten},
    {.op = "Softmax2d", .build = softmax2d},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_activation[] = {&all, NULL};
