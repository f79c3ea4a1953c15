/* glia/optim.h - optimisers as graph: a step's gradients, clipping and updates are nodes like
 * all others, and the update of a parameter compiles to one kernel.
 */
#ifndef GLIA_OPTIM_H
#define GLIA_OPTIM_H

#include "glia/nn.h"
#include "glia/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An optimiser by name, and its options: zero is the default of the named one; who wants 0
 * where the default is another number gives DBL_MIN, which computes like it. Options that an
 * optimiser does not have must be zero. Definitions and defaults are PyTorch's, those of lamb
 * and lion their papers'. The options behind `maximize` are every optimiser's. */
typedef struct glia_optimizer {
  const char *name; /* "sgd", "adam", "adamw", "nadam", "radam", "adamax", "rmsprop",
                       "adagrad", "adadelta", "asgd", "lamb", "lion", "rprop"; NULL: adam */
  double lr;        /* learning rate; 0 -> 1e-3; sgd, rmsprop, adagrad, asgd, rprop 1e-2; nadam,
                       adamax 2e-3; adadelta 1; lion 1e-4 */
  double momentum;  /* sgd, rmsprop; 0: none */
  double beta1, beta2; /* adam and its kin, lamb: 0 -> 0.9 and 0.999; lion 0.9 and 0.99 */
  double eps;          /* added to the root; 0 -> 1e-8, adagrad 1e-10, adadelta and lamb 1e-6 */
  double alpha;        /* rmsprop: share of the old mean square; 0 -> 0.99; asgd: power of the
                          rate's decay; 0 -> 0.75 */
  double weight_decay; /* added to the gradient times the parameter: the L2 penalty; decoupled
                          in adamw (0 -> 0.01), lamb and lion */
  double lr_decay;     /* adagrad */
  double initial_accumulator; /* adagrad */
  bool nesterov;              /* sgd with momentum */
  bool centered;              /* rmsprop: the mean is taken off the mean square */
  double dampening;           /* sgd: share of the gradient kept out of the momentum */
  double rho;                 /* adadelta: share of the old means; 0 -> 0.9 */
  double momentum_decay;      /* nadam; 0 -> 4e-3 */
  double lambd;               /* asgd: decay term; 0 -> 1e-4 */
  double t0;                  /* asgd: the mean begins behind this step; 0 -> 1e6 */
  double eta_minus, eta_plus; /* rprop: factors of a step; 0 -> 0.5 and 1.2 */
  double step_min, step_max;  /* rprop: bounds of a step; 0 -> 1e-6 and 50 */
  bool amsgrad;               /* adam, adamw: the largest mean square so far counts */
  bool maximize;              /* go up */
  double l1;                  /* penalty: l1 sign(parameter) is added to the gradient */
  /* Lookahead (arXiv:1907.08610): after every so many steps (0: never; the paper's 5) the
   * parameters go back to lookahead_alpha (0 -> 0.5) of the way from where they were after the
   * last such step. */
  double lookahead, lookahead_alpha;
  /* Mean of the parameters over the steps, kept beside them as "<parameter>.average": what
   * scopes that are `averaged` read, evaluation, prediction and saved models use. */
  double ema;       /* share of the old mean that is kept at a step, such as 0.999; 0: none */
  bool swa;         /* plain mean of the parameters (arXiv:1803.05407) ... */
  double swa_start; /* ... behind this step; before it the mean is the parameter */
  double swa_every; /* ... at every so many steps; 0 -> 1 */
} glia_optimizer;

#ifndef __cplusplus /* glia_sgd(.lr = 0.1, .momentum = 0.9), glia_adam() */
#define glia_optimizer_of(...) ((glia_optimizer){__VA_ARGS__})
#define glia_sgd(...)          glia_optimizer_of(.name = "sgd", __VA_ARGS__)
#define glia_adam(...)         glia_optimizer_of(.name = "adam", __VA_ARGS__)
#define glia_adamw(...)        glia_optimizer_of(.name = "adamw", __VA_ARGS__)
#define glia_nadam(...)        glia_optimizer_of(.name = "nadam", __VA_ARGS__)
#define glia_radam(...)        glia_optimizer_of(.name = "radam", __VA_ARGS__)
#define glia_adamax(...)       glia_optimizer_of(.name = "adamax", __VA_ARGS__)
#define glia_rmsprop(...)      glia_optimizer_of(.name = "rmsprop", __VA_ARGS__)
#define glia_adagrad(...)      glia_optimizer_of(.name = "adagrad", __VA_ARGS__)
#define glia_adadelta(...)     glia_optimizer_of(.name = "adadelta", __VA_ARGS__)
#define glia_asgd(...)         glia_optimizer_of(.name = "asgd", __VA_ARGS__)
#define glia_lamb(...)         glia_optimizer_of(.name = "lamb", __VA_ARGS__)
#define glia_lion(...)         glia_optimizer_of(.name = "lion", __VA_ARGS__)
#define glia_rprop(...)        glia_optimizer_of(.name = "rprop", __VA_ARGS__)
#endif

/* Reads "sgd momentum=0.9 nesterov"; a number that is given as 0 is 0, not the default.
 * GLIA_INVALID names what is unknown or out of range, and the nearest name. */
GLIA_NODISCARD GLIA_API glia_status glia_optimizer_parse(const char *text, glia_optimizer *out);
/* Fills in the defaults and checks the ranges. */
GLIA_NODISCARD GLIA_API glia_status glia_optimizer_resolve(glia_optimizer *o);

typedef struct glia_minimize_opts {
  size_t size;
  glia_value lr; /* f64 scalar, e.g. an input set by a schedule; GLIA_NONE: the optimiser's */
  double clip_norm;    /* global norm of all gradients is cut to this; 0: not */
  double clip_value;   /* each gradient element is cut to +-this; 0: not */
  const char *prefix;  /* only parameters whose name begins so; NULL: all */
  double norm_type;    /* p of the norm for clip_norm, above 0; INFINITY: the largest element;
                          0 -> 2 */
  glia_value momentum; /* f64 scalar in the place of momentum (sgd, rmsprop, where it is not 0)
                          or beta1; GLIA_NONE: the optimiser's */
} glia_minimize_opts;

/* Adds to the graph: gradients of the loss in all parameters that are not frozen, clipping (by
 * value first, then by norm), the updates. Optimiser state lives in the scope's store as
 * "<parameter>.<state>", the step count as "<prefix>optimizer.step". Several losses may be
 * minimised in one step, each in parameters of its own (prefix). Of a table that is looked into
 * as sparse (glia_embedding_opts) only the rows that are named have an update, and a part in
 * the norm. Failures latch in the graph. */
GLIA_API void glia_minimize_opt(glia_scope *s, glia_value loss, const glia_optimizer *optimizer,
                                const glia_minimize_opts *opt);
#ifndef __cplusplus /* glia_minimize(s, loss, &glia_adam(.lr = 1e-3), .clip_norm = 1) */
#define glia_minimize(...)                                        \
  GLIA_NAMED3(glia_minimize_opt, glia_minimize_opts, __VA_ARGS__, \
              .size = sizeof(glia_minimize_opts))
#endif

/* ---- L-BFGS ------------------------------------------------------------------------------ */

/* Limited-memory BFGS (Liu & Nocedal 1989, doi:10.1007/BF01589116) on all data at once. It
 * looks at the loss several times a step, so it is no rule of glia_minimize but a driver: it
 * owns a plan that computes the loss and its gradients and nothing else, and moves the
 * parameters in the store in between. Directions are -H g with H made of the last `history`
 * changes of parameters and gradients, kept in double: 16 bytes times history for each element
 * of the parameters. They are state in the store ("lbfgs.gradient_changes"...), so that a
 * training that is saved and loaded goes on to the same bits. Definitions, defaults and the
 * ends of a step are those of PyTorch's LBFGS.
 *
 *     glia_value loss = ...;                         reads inputs "x" and "y"
 *     glia_lbfgs_new(s, loss, &l, .line_search = "strong_wolfe");
 *     glia_plan_bind(glia_lbfgs_plan(l), "x", x);    all samples
 *     for (...) glia_lbfgs_step(l, &loss_before);
 */
typedef struct glia_lbfgs_opts {
  size_t size;
  double lr;             /* length of a step along the direction, or where the search for it
                            begins; 0 -> 1 */
  int64_t max_iter;      /* directions a step; 0 -> 20 */
  int64_t max_eval;      /* evaluations a step, after which no direction is begun; 0 -> 5/4
                            max_iter */
  double tolerance_grad; /* a step ends where no element of the gradient is larger; 0 -> 1e-7 */
  double tolerance_change; /* ... and where loss or parameters change by less; 0 -> 1e-9 */
  int64_t history;         /* pairs that are kept; 0 -> 100 */
  const char *line_search; /* NULL: none, the step is lr; "strong_wolfe": one that meets the
                              strong Wolfe conditions with c1 1e-4, c2 0.9 */
  const char *prefix;      /* only parameters whose name begins so; NULL: all */
  const char *backend;     /* as in glia_compile_opts, with threads */
  int threads;
} glia_lbfgs_opts;

typedef struct glia_lbfgs glia_lbfgs;

/* Adds the gradients of the loss (a scalar) in the scope's parameters that are not frozen to
 * the graph and compiles it; the graph may be freed then, the store must outlive the driver.
 * The driver goes on from state that the store has already. Owned. GLIA_INVALID for options out
 * of range, or where that state is of another history; GLIA_MODEL where there is no parameter,
 * or the loss does not depend on one. */
GLIA_NODISCARD GLIA_API glia_status glia_lbfgs_new_opt(glia_scope *s, glia_value loss,
                                                       glia_lbfgs **out,
                                                       const glia_lbfgs_opts *opt);
GLIA_API void glia_lbfgs_free(glia_lbfgs *l);
/* The plan, for glia_plan_bind. Borrowed until the driver is freed. */
GLIA_API glia_plan *glia_lbfgs_plan(glia_lbfgs *l);
/* One step: up to max_iter directions. *loss (may be NULL): the loss before it. GLIA_DIVERGED
 * where a loss or a gradient is not finite: the parameters are where they were before the step,
 * and the history is forgotten; GLIA_DATA where a file brought counters that are none. */
GLIA_NODISCARD GLIA_API glia_status glia_lbfgs_step(glia_lbfgs *l, double *loss);
/* Evaluations of the loss since the beginning. */
GLIA_API int64_t glia_lbfgs_evaluations(const glia_lbfgs *l);
#ifndef __cplusplus /* glia_lbfgs_new(s, loss, &l, .history = 10) */
#define GLIA_LBFGS_(s, loss, out, ...) \
  glia_lbfgs_new_opt((s), (loss), (out), &(glia_lbfgs_opts){__VA_ARGS__})
#define glia_lbfgs_new(...) GLIA_LBFGS_(__VA_ARGS__, .size = sizeof(glia_lbfgs_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_OPTIM_H */
