/* activation.c - activations by name: what `activation` options and bare lines of .net files
 * mean. They are the rows of ops/elementwise.def that are marked so, with the usual value of
 * their attribute, and what is no elementwise op: linear and the softmaxes.
 */
#include "nn/layer.h"
#include "ops/attrs.h"

#define DEFAULT_none  0
#define DEFAULT_slope 0.01 /* leaky_relu */
#define DEFAULT_alpha 1    /* elu, celu */
#define DEFAULT_limit 0.5  /* soft_shrink, hard_shrink */

#define ROW(...)

const char *const gi_activation_names[] = {
    "linear",
#define ACTIVATION(name, ...) #name,
#include "ops/elementwise.def"
    "softmax",
    "log_softmax",
    NULL,
};

static const struct {
  const gi_op *op;
  double a;
} elementwise[] = {
#define ACTIVATION(name, inputs, takes, gives, parameter, ...) \
  {&gi_op_##name, DEFAULT_##parameter},
#include "ops/elementwise.def"
};
#undef ROW

/* Names and rows come in one order, behind linear. */
static glia_value apply(glia_value x, int i) {
  if (i == 0) return x;
  if (i <= GI_COUNT(elementwise)) {
    const gi_elementwise_attr a = {.a = elementwise[i - 1].a};
    return gi_emit1(elementwise[i - 1].op, &a, x);
  }
  return i == GI_COUNT(elementwise) + 1 ? glia_softmax(x, -1) : glia_log_softmax(x, -1);
}

glia_value glia_activation(glia_value x, const char *name) {
  int n = 0;
  if (name == NULL || gi_null(x)) return x;
  for (; gi_activation_names[n] != NULL; n++)
    if (strcmp(gi_activation_names[n], name) == 0) return apply(x, n);
  const int near = gi_nearest(name, gi_activation_names, n);
  return gi_latch(x.graph, GLIA_INVALID, "activation: none is called \"%s\"%s%s%s", name,
                  near >= 0 ? "; did you mean \"" : "",
                  near >= 0 ? gi_activation_names[near] : "", near >= 0 ? "\"?" : "");
}
