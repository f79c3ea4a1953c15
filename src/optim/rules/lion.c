/* lion.c - c = sign(b1 m + (1 - b1) g),  w -= lr (c + weight_decay w),
 * m = b2 m + (1 - b2) g  (arXiv:2302.06675, algorithm 2).
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-4;
  if (o->beta1 == 0) o->beta1 = 0.9;
  if (o->beta2 == 0) o->beta2 = 0.99;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "exp_avg"};
  return 1;
}

/* Both means are m + share (g - m): what they have in common makes them one kernel. */
static void update(gi_update *u) {
  const glia_value m = u->state[0], news = glia_sub(u->grad, m);
  const glia_value rest = glia_sub(glia_scalar_like(u->step, 1), gi_momentum(u, u->o->beta1));
  const glia_value c = glia_sign(glia_add(m, gi_scaled_by(news, rest)));
  u->new_state[0] = glia_add(m, gi_scaled(news, 1 - u->o->beta2));
  u->new_param = glia_sub(gi_shrunk(u), gi_scaled_by(c, u->lr));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.0001", "learning rate"),
    GI_OPTIM_FIELD(beta1, 0, GI_BETA_MAX, "0.9", "share of the past in the direction"),
    GI_OPTIM_FIELD(beta2, 0, GI_BETA_MAX, "0.99", "decay of the mean gradient"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim lion = {
    .name = "lion",
    .doc = "the sign of the momentum",
    .paper = "arXiv:2302.06675",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
};

const gi_optim *const gi_optims_lion[] = {&lion, NULL};
