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
    {.op = "softmax", .build = softmax},
    {.op = "log_softmax", .build = log_softmax},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_activation[] = {&all, NULL};
