/* optim/optim.h - an optimiser as a row: one file in src/optim/rules/ per optimiser, ending
 * with `const gi_optim *const gi_optims_<file>[]`; and what goes around every optimiser's
 * update: one file in src/optim/wraps/ for each, ending with `const gi_wrap *const
 * gi_wraps_<file>[]`.
 *
 * The update of a parameter is wrapped like an onion, in the order of the files' names:
 *   average( lookahead( objective( rule ) ) )
 * `before` of a wrap changes the gradient that goes in, `after` the parameter that comes out.
 */
#ifndef GI_OPTIM_H
#define GI_OPTIM_H

#include "base/fields.h"
#include "glia/optim.h"
#include "nn/scope.h"
#include "ops/rows.h"

enum { GI_MAX_STATE = 4, GI_OPTIM_FIELDS = 48 };

typedef struct gi_optim_step { /* what all parameters of a step share; f64 scalars */
  const glia_optimizer *o;     /* defaults filled in */
  glia_value lr;
  glia_value step;     /* 1 at the first step */
  glia_value momentum; /* where a schedule moves it; else GLIA_NONE */
  glia_value shared;   /* the rule's own, as it is after this step; else GLIA_NONE */
} gi_optim_step;

typedef struct gi_update { /* of one parameter; the rule sets the new values */
  const glia_optimizer *o;
  glia_value lr, step, momentum, shared; /* the step's */
  bool by_rows;                          /* all below are only the rows that the step uses */
  glia_value param, grad;
  glia_value state[GI_MAX_STATE];
  glia_value new_param, new_state[GI_MAX_STATE];
} gi_update;

typedef struct gi_state {
  const char *name;
  double initial;
  bool of_param; /* begins as a copy of the parameter */
} gi_state;

typedef int gi_states_fn(const glia_optimizer *o, gi_state out[GI_MAX_STATE]); /* how many */
typedef void gi_update_fn(gi_update *u);
typedef const char *gi_refuse_fn(const glia_optimizer *o); /* why options do not go together;
                                                              NULL: they do */
typedef struct gi_optim {
  const char *name, *doc, *paper;
  const gi_field *fields;              /* the options it has */
  void (*defaults)(glia_optimizer *o); /* fills in what is zero */
  gi_states_fn *states;                /* NULL: none */
  gi_update_fn *update;
  gi_refuse_fn *refuse; /* may be NULL */
  /* Must it see all rows, also where few have a gradient that is marked sparse? NULL: never. */
  bool (*whole)(const glia_optimizer *o);
  /* A scalar that depends on the steps alone, kept as "optimizer.<shared_name>": begins as 1,
   * shared gives its value after step s->step. NULL: none. */
  const char *shared_name;
  glia_value (*shared)(const gi_optim_step *s, glia_value old);
} gi_optim;

typedef struct gi_wrap {
  const char *name, *doc, *paper;
  const gi_field *fields; /* options that every optimiser has by it */
  bool (*on)(const glia_optimizer *o);
  void (*defaults)(glia_optimizer *o); /* of one that is on; may be NULL */
  gi_refuse_fn *refuse;                /* may be NULL */
  gi_states_fn *states;                /* of after; may be NULL */
  gi_update_fn *before;                /* changes u->grad; may be NULL */
  gi_update_fn *after;                 /* changes u->new_param; may be NULL */
} gi_wrap;

extern const gi_optim *const *const gi_optims_table[];
extern const gi_wrap *const *const gi_wraps_table[];
const gi_optim *gi_optim_find(const char *name);

/* Counts the step ("optimizer.step" + 1) and the rule's shared scalar. lr must be a value,
 * momentum may be GLIA_NONE. */
gi_optim_step gi_optim_begin(glia_scope *s, const gi_optim *rule, const glia_optimizer *o,
                             const char *prefix, glia_value lr, glia_value momentum);
typedef struct gi_trainable { /* the parameters that a graph uses and that are not frozen */
  GI_VEC(glia_value) params;
  GI_VEC(const char *) names;
} gi_trainable;
/* Those whose name begins with prefix (NULL: all); to be cleared also after a failure.
 * GLIA_MODEL, led by `who`, where there is none. */
glia_status gi_trainable_find(glia_scope *s, const char *who, const char *prefix,
                              gi_trainable *t);
void gi_trainable_clear(gi_trainable *t);
/* Has it momentum or beta1 for a schedule to move? */
bool gi_takes_momentum(const glia_optimizer *o);
/* Updates one parameter (a variable): makes its state in the store, assigns everything. */
void gi_apply_update(glia_scope *s, const gi_optim *rule, const gi_optim_step *step,
                     const char *name, glia_value grad);
/* The same for these rows of it, used->sum their gradient. What goes around the rule works on
 * all rows. */
void gi_apply_to_rows(glia_scope *s, const gi_optim *rule, const gi_optim_step *step,
                      const char *name, const gi_used_rows *used);
/* Scales all gradients so that their common p-norm is at most `limit`: g min(1, limit / (norm +
 * 1e-6)), as PyTorch. p above 0, INFINITY: the largest element. Returns the norm. */
glia_value gi_clip_norm(glia_value *grads, int n, double limit, double p);

/* For rules: x * number; number of the dtype of x; a f64 scalar in the dtype of `like`. */
static inline glia_value gi_scaled(glia_value x, double c) {
  return glia_mul(x, glia_scalar_like(x, c));
}
static inline glia_value gi_as(glia_value scalar, glia_value like) {
  return glia_cast(scalar, glia_value_dtype(like));
}
/* x times a f64 scalar */
static inline glia_value gi_scaled_by(glia_value x, glia_value scalar) {
  return glia_mul(x, gi_as(scalar, x));
}
static inline glia_value gi_plus(glia_value x, double c) {
  return glia_add(x, glia_scalar_like(x, c));
}
/* b old + (1 - b) now */
static inline glia_value gi_moving(glia_value old, glia_value now, double b) {
  return glia_add(gi_scaled(old, b), gi_scaled(now, 1 - b));
}
/* momentum or beta1, whose place in the options holds `fixed`, as f64 scalar */
static inline glia_value gi_momentum(const gi_update *u, double fixed) {
  return gi_null(u->momentum) ? glia_scalar_like(u->step, fixed) : u->momentum;
}
/* x times it */
static inline glia_value gi_by_momentum(const gi_update *u, glia_value x, double fixed) {
  return gi_null(u->momentum) ? gi_scaled(x, fixed) : gi_scaled_by(x, u->momentum);
}
/* gi_moving by beta1 */
static inline glia_value gi_first_moment(const gi_update *u, glia_value old, glia_value now) {
  if (gi_null(u->momentum)) return gi_moving(old, now, u->o->beta1);
  const glia_value rest = glia_sub(glia_scalar_like(u->step, 1), u->momentum);
  return glia_add(gi_scaled_by(old, u->momentum), gi_scaled_by(now, rest));
}
/* 1 - b^t */
static inline glia_value gi_correction(const gi_update *u, glia_value b) {
  return glia_sub(glia_scalar_like(u->step, 1), glia_pow(b, u->step));
}
/* g + weight_decay w, g where there is none. */
static inline glia_value gi_decayed(const gi_update *u) {
  return u->o->weight_decay == 0 ? u->grad
                                 : glia_add(u->grad, gi_scaled(u->param, u->o->weight_decay));
}
/* w (1 - lr weight_decay): decoupled decay, w where there is none */
static inline glia_value gi_shrunk(const gi_update *u) {
  if (u->o->weight_decay == 0) return u->param;
  const glia_value one = glia_scalar_like(u->lr, 1);
  return gi_scaled_by(u->param, glia_sub(one, gi_scaled(u->lr, u->o->weight_decay)));
}

#define GI_OPTIM_FIELD(field, low, high, dflt_text, text)                                \
  GI_FIELD(F64, glia_optimizer, field, .min = (low), .max = (high), .dflt = (dflt_text), \
           .doc = (text))
#define GI_OPTIM_FLAG(field, text) GI_FIELD(BOOL, glia_optimizer, field, .doc = (text))

/* At b = 1 nothing new would come in, and 1 - b^t be 0. */
#define GI_BETA_MAX 0.999999
#define GI_OPTIM_BETAS(beta2_text)                                                   \
  GI_OPTIM_FIELD(beta1, 0, GI_BETA_MAX, "0.9", "decay of the mean gradient"),        \
      GI_OPTIM_FIELD(beta2, 0, GI_BETA_MAX, beta2_text, "decay of the mean square"), \
      GI_OPTIM_FIELD(eps, 0, 1, "1e-8", "added to the root")
#define GI_OPTIM_DECAY(dflt_text) \
  GI_OPTIM_FIELD(weight_decay, 0, 1e6, dflt_text, "pull towards zero")

#endif /* GI_OPTIM_H */
