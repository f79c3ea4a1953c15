/* adamax.c - Adam by the largest gradient (arXiv:1412.6980, section 7), step t = 1, 2, ...:
 *   m = b1 m + (1 - b1) g        u = max(b2 u, |g| + eps)        w -= lr / (1 - b1^t) m / u
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 2e-3;
  if (o->beta1 == 0) o->beta1 = 0.9;
  if (o->beta2 == 0) o->beta2 = 0.999;
  if (o->eps == 0) o->eps = 1e-8;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "exp_avg"};
  out[1] = (gi_state){.name = "exp_inf"};
  return 2;
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u);
  const glia_value m = gi_first_moment(u, u->state[0], g);
  const glia_value size =
      glia_maximum(gi_scaled(u->state[1], o->beta2), gi_plus(glia_abs(g), o->eps));
  const glia_value rate = glia_div(u->lr, gi_correction(u, gi_momentum(u, o->beta1)));
  u->new_state[0] = m;
  u->new_state[1] = size;
  u->new_param = glia_sub(u->param, gi_scaled_by(glia_div(m, size), rate));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.002", "learning rate"),
    GI_OPTIM_FIELD(beta1, 0, GI_BETA_MAX, "0.9", "decay of the mean gradient"),
    GI_OPTIM_FIELD(beta2, 0, GI_BETA_MAX, "0.999", "decay of the largest gradient"),
    GI_OPTIM_FIELD(eps, 0, 1, "1e-8", "added to the gradient's size"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim adamax = {
    .name = "adamax",
    .doc = "Adam by the largest gradient",
    .paper = "arXiv:1412.6980",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
};

const gi_optim *const gi_optims_adamax[] = {&adamax, NULL};
