/* optim/optim.h - an optimiser as a row: one file in src/optim/rules/ per optimiser, ending
 * with `const gi_optim *const gi_optims_<file>[]`.
 */
#ifndef GI_OPTIM_H
#define GI_OPTIM_H

#include "base/fields.h"
#include "glia/optim.h"
#include "nn/scope.h"

enum { GI_MAX_STATE = 4 };

typedef struct gi_update { /* of one parameter; the rule sets the new values */
  const glia_optimizer *o; /* defaults filled in */
  glia_value param, grad;
  glia_value lr;   /* f64 scalar */
  glia_value step; /* f64 scalar: 1 at the first step */
  glia_value state[GI_MAX_STATE];
  glia_value new_param, new_state[GI_MAX_STATE];
} gi_update;

typedef struct gi_state {
  const char *name;
  double initial;
} gi_state;

typedef struct gi_optim {
  const char *name, *doc, *paper;
  const gi_field *fields;              /* the options it has */
  void (*defaults)(glia_optimizer *o); /* fills in what is zero */
  int (*states)(const glia_optimizer *o, gi_state out[GI_MAX_STATE]); /* how many; NULL: none */
  void (*update)(gi_update *u);
  const char *(*refuse)(const glia_optimizer *o); /* why options do not go together; NULL: they
                                                     do. The pointer may be NULL: all do */
} gi_optim;

extern const gi_optim *const *const gi_optims_table[];
const gi_optim *gi_optim_find(const char *name);

/* Updates one parameter (a variable): makes its state in the store, assigns everything. */
void gi_apply_update(glia_scope *s, const gi_optim *rule, const glia_optimizer *o,
                     const char *name, glia_value grad, glia_value lr, glia_value step);
/* "optimizer.step" + 1 as f64 scalar, assigned. */
glia_value gi_optimizer_step(glia_scope *s, const char *prefix);
/* Scales all gradients so that their common 2-norm is at most `limit`: g min(1, limit / (norm +
 * 1e-6)), as PyTorch. Returns the norm. */
glia_value gi_clip_norm(glia_value *grads, int n, double limit);

/* For rules: x * number; number of the dtype of x; a f64 scalar in the dtype of `like`. */
static inline glia_value gi_scaled(glia_value x, double c) {
  return glia_mul(x, glia_scalar_like(x, c));
}
static inline glia_value gi_as(glia_value scalar, glia_value like) {
  return glia_cast(scalar, glia_value_dtype(like));
}
/* g + weight_decay w, g where there is none. */
static inline glia_value gi_decayed(const gi_update *u) {
  return u->o->weight_decay == 0 ? u->grad
                                 : glia_add(u->grad, gi_scaled(u->param, u->o->weight_decay));
}

#define GI_OPTIM_FIELD(field, low, high, dflt_text, text)                                \
  GI_FIELD(F64, glia_optimizer, field, .min = (low), .max = (high), .dflt = (dflt_text), \
           .doc = (text))
#define GI_OPTIM_FLAG(field, text) GI_FIELD(BOOL, glia_optimizer, field, .doc = (text))

#endif /* GI_OPTIM_H */
