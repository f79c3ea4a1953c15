/* activation.c - activations by name: what `activation` options and bare lines of .net files
 * mean. */
#include "nn/layer.h"

static glia_value leaky(glia_value x) { return glia_leaky_relu(x, 0.01); }
static glia_value elu(glia_value x) { return glia_elu(x, 1.0); }
static glia_value softmax(glia_value x) { return glia_softmax(x, -1); }
static glia_value log_softmax(glia_value x) { return glia_log_softmax(x, -1); }
static glia_value linear(glia_value x) { return x; }

/* name, builder */
#define ACTIVATION_MAP(X)            \
  X(linear, linear)                  \
  X(relu, glia_relu)                 \
  X(relu6, glia_relu6)               \
  X(leaky_relu, leaky)               \
  X(elu, elu)                        \
  X(selu, glia_selu)                 \
  X(gelu, glia_gelu)                 \
  X(gelu_tanh, glia_gelu_tanh)       \
  X(silu, glia_silu)                 \
  X(mish, glia_mish)                 \
  X(sigmoid, glia_sigmoid)           \
  X(hard_sigmoid, glia_hard_sigmoid) \
  X(hard_swish, glia_hard_swish)     \
  X(tanh, glia_tanh)                 \
  X(softplus, glia_softplus)         \
  X(softsign, glia_softsign)         \
  X(softmax, softmax)                \
  X(log_softmax, log_softmax)

const char *const gi_activation_names[] = {
#define GLIA_X(name, fn) #name,
    ACTIVATION_MAP(GLIA_X)
#undef GLIA_X
        NULL,
};

static glia_value (*const builders[])(glia_value) = {
#define GLIA_X(name, fn) fn,
    ACTIVATION_MAP(GLIA_X)
#undef GLIA_X
};

glia_value glia_activation(glia_value x, const char *name) {
  if (name == NULL || gi_null(x)) return x;
  for (int i = 0; gi_activation_names[i] != NULL; i++)
    if (strcmp(gi_activation_names[i], name) == 0) return builders[i](x);
  const int near = gi_nearest(name, gi_activation_names, GI_COUNT(builders));
  return gi_latch(x.graph, GLIA_INVALID, "activation: none is called \"%s\"%s%s%s", name,
                  near >= 0 ? "; did you mean \"" : "",
                  near >= 0 ? gi_activation_names[near] : "", near >= 0 ? "\"?" : "");
}
