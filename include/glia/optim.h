/* glia/optim.h - optimisers as graph: a step's gradients, clipping and updates are nodes like
 * all others, and the update of a parameter compiles to one kernel.
 */
#ifndef GLIA_OPTIM_H
#define GLIA_OPTIM_H

#include "glia/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An optimiser by name, and its options: zero is the default of the named one. Options that an
 * optimiser does not have must be zero. */
typedef struct glia_optimizer {
  const char *name;    /* "sgd", "adam", "adamw", "rmsprop", "adagrad"; NULL: adam */
  double lr;           /* learning rate; sgd, rmsprop, adagrad: 0 -> 1e-2; adam, adamw 1e-3 */
  double momentum;     /* sgd, rmsprop; 0: none */
  double beta1, beta2; /* adam, adamw: 0 -> 0.9 and 0.999 */
  double eps;          /* added to the root; 0 -> 1e-8, adagrad 1e-10 */
  double alpha;        /* rmsprop: share of the old mean square; 0 -> 0.99 */
  double weight_decay; /* added to the gradient times the parameter; adamw: decoupled,
                          0 -> 0.01 */
  double lr_decay;     /* adagrad */
  double initial_accumulator; /* adagrad */
  bool nesterov;              /* sgd with momentum */
  bool centered;              /* rmsprop: the mean is taken off the mean square */
} glia_optimizer;

#ifndef __cplusplus /* glia_sgd(.lr = 0.1, .momentum = 0.9), glia_adam() */
#define glia_optimizer_of(...) ((glia_optimizer){__VA_ARGS__})
#define glia_sgd(...)          glia_optimizer_of(.name = "sgd", __VA_ARGS__)
#define glia_adam(...)         glia_optimizer_of(.name = "adam", __VA_ARGS__)
#define glia_adamw(...)        glia_optimizer_of(.name = "adamw", __VA_ARGS__)
#define glia_rmsprop(...)      glia_optimizer_of(.name = "rmsprop", __VA_ARGS__)
#define glia_adagrad(...)      glia_optimizer_of(.name = "adagrad", __VA_ARGS__)
#endif

/* Reads "sgd momentum=0.9 nesterov". GLIA_INVALID names what is unknown or out of range, and
 * the nearest name. */
GLIA_NODISCARD GLIA_API glia_status glia_optimizer_parse(const char *text, glia_optimizer *out);
/* Fills in the defaults and checks the ranges. */
GLIA_NODISCARD GLIA_API glia_status glia_optimizer_resolve(glia_optimizer *o);

typedef struct glia_minimize_opts {
  size_t size;
  glia_value lr; /* f64 scalar, e.g. an input set by a schedule; GLIA_NONE: the optimiser's */
  double clip_norm;   /* global norm of all gradients is cut to this; 0: not */
  double clip_value;  /* each gradient element is cut to +-this; 0: not */
  const char *prefix; /* only parameters whose name begins so; NULL: all */
} glia_minimize_opts;

/* Adds to the graph: gradients of the loss in all parameters that are not frozen, clipping (by
 * value first, then by norm), the updates. Optimiser state lives in the scope's store as
 * "<parameter>.<state>", the step count as "<prefix>optimizer.step". Several losses may be
 * minimised in one step, each in parameters of its own (prefix). Failures latch in the graph.
 */
GLIA_API void glia_minimize_opt(glia_scope *s, glia_value loss, const glia_optimizer *optimizer,
                                const glia_minimize_opts *opt);
#ifndef __cplusplus /* glia_minimize(s, loss, &glia_adam(.lr = 1e-3), .clip_norm = 1) */
#define glia_minimize(...)                                        \
  GLIA_NAMED3(glia_minimize_opt, glia_minimize_opts, __VA_ARGS__, \
              .size = sizeof(glia_minimize_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_OPTIM_H */
