/* adagrad.c - s += g^2,  w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)  (JMLR 12, 2011).
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-2;
  if (o->eps == 0) o->eps = 1e-10;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  out[0] = (gi_state){.name = "sum", .initial = o->initial_accumulator};
  return 1;
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u), one = glia_scalar_like(u->step, 1);
  const glia_value s = glia_add(u->state[0], glia_square(g));
  const glia_value slowed =
      glia_div(u->lr, glia_add(one, gi_scaled(glia_sub(u->step, one), o->lr_decay)));
  const glia_value d = glia_div(g, glia_add(glia_sqrt(s), glia_scalar_like(s, o->eps)));
  u->new_state[0] = s;
  u->new_param = glia_sub(u->param, glia_mul(d, gi_as(slowed, d)));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.01", "learning rate"),
    GI_OPTIM_FIELD(lr_decay, 0, 1e6, "0", "slows the rate with the steps"),
    GI_OPTIM_FIELD(initial_accumulator, 0, 1e6, "0", "where the sum of squares begins"),
    GI_OPTIM_FIELD(eps, 0, 1, "1e-10", "added to the root"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim adagrad = {
    .name = "adagrad",
    .doc = "gradients over the root of their sum of squares",
    .paper = "JMLR 12 (2011) 2121",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
};

const gi_optim *const gi_optims_adagrad[] = {&adagrad, NULL};
