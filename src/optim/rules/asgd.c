/* asgd.c - averaged stochastic gradient descent (Polyak and Juditsky 1992), s = t - 1 =
 * 0, 1...: eta = lr / (1 + lambd lr s)^alpha        w = w (1 - lambd eta) - eta g mu = 1 /
 * max(1, s - t0)                  ax = ax + mu (w - ax) ax is the mean of w behind step t0, w
 * itself before; it is kept as state. PyTorch takes lr of the step before where a schedule
 * moves it, we this step's.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-2;
  if (o->lambd == 0) o->lambd = 1e-4;
  if (o->alpha == 0) o->alpha = 0.75;
  if (o->t0 == 0) o->t0 = 1e6;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "ax"};
  return 1;
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u), one = glia_scalar_like(u->step, 1);
  const glia_value before = gi_plus(u->step, -1);
  const glia_value slowed = gi_plus(glia_mul(gi_scaled(u->lr, o->lambd), before), 1);
  const glia_value eta = glia_mul(u->lr, glia_pow(slowed, glia_scalar_like(slowed, -o->alpha)));
  const glia_value keep = glia_sub(one, gi_scaled(eta, o->lambd));
  const glia_value mu = glia_reciprocal(glia_maximum(one, gi_plus(before, -o->t0)));
  u->new_param = glia_sub(gi_scaled_by(u->param, keep), gi_scaled_by(g, eta));
  /* at mu = 1 exactly the parameter */
  u->new_state[0] =
      glia_add(gi_scaled_by(u->state[0], glia_sub(one, mu)), gi_scaled_by(u->new_param, mu));
}

/* Parameters shrink and their mean goes on without a gradient too. */
static bool whole(const glia_optimizer *o) {
  (void)o;
  return true;
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.01", "learning rate"),
    GI_OPTIM_FIELD(lambd, 0, 1e6, "0.0001", "decay term"),
    GI_OPTIM_FIELD(alpha, 0, 1e3, "0.75", "power of the rate's decay"),
    GI_OPTIM_FIELD(t0, 0, 1e15, "1e6", "step behind which the mean begins"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim asgd = {
    .name = "asgd",
    .doc = "stochastic gradient descent with a mean of the parameters",
    .paper = "doi:10.1137/0330046",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
    .whole = whole,
};

const gi_optim *const gi_optims_asgd[] = {&asgd, NULL};
