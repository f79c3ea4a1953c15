/* adadelta.c - s = rho s + (1 - rho) g^2,  d = sqrt(a + eps) / sqrt(s + eps) g,
 * a = rho a + (1 - rho) d^2,  w -= lr d  (arXiv:1212.5701).
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1;
  if (o->rho == 0) o->rho = 0.9;
  if (o->eps == 0) o->eps = 1e-6;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "square_avg"};
  out[1] = (gi_state){.name = "acc_delta"};
  return 2;
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u);
  const glia_value s = gi_moving(u->state[0], glia_square(g), o->rho);
  const glia_value above = glia_sqrt(gi_plus(u->state[1], o->eps));
  const glia_value d = glia_mul(glia_div(above, glia_sqrt(gi_plus(s, o->eps))), g);
  u->new_state[0] = s;
  u->new_state[1] = gi_moving(u->state[1], glia_square(d), o->rho);
  u->new_param = glia_sub(u->param, gi_scaled_by(d, u->lr));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "1", "learning rate"),
    GI_OPTIM_FIELD(rho, 0, 1, "0.9", "share of the old means"),
    GI_OPTIM_FIELD(eps, 0, 1, "1e-6", "added under the roots"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim adadelta = {
    .name = "adadelta",
    .doc = "gradients scaled by the size of past steps over that of past gradients",
    .paper = "arXiv:1212.5701",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
};

const gi_optim *const gi_optims_adadelta[] = {&adadelta, NULL};
