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
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_activation[] = {&all, NULL};
