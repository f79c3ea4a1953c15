/* rmsprop.c - s = a s + (1 - a) g^2,  d = g / (sqrt(s) + eps),  w -= lr d; with momentum
 * b = momentum b + d, w -= lr b; centered: sqrt(s - m^2) with m = a m + (1 - a) g
 * (arXiv:1308.0850).
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-2;
  if (o->alpha == 0) o->alpha = 0.99;
  if (o->eps == 0) o->eps = 1e-8;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  int n = 0;
  out[n++] = (gi_state){.name = "square_avg"};
  if (o->centered) out[n++] = (gi_state){.name = "grad_avg"};
  if (o->momentum != 0) out[n++] = (gi_state){.name = "momentum_buffer"};
  return n;
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u);
  int n = 0;
  const glia_value s = gi_moving(u->state[n], glia_square(g), o->alpha);
  glia_value spread = s;
  u->new_state[n++] = s;
  if (o->centered) {
    const glia_value m = gi_moving(u->state[n], g, o->alpha);
    spread = glia_sub(s, glia_square(m));
    u->new_state[n++] = m;
  }
  glia_value d = glia_div(g, glia_add(glia_sqrt(spread), glia_scalar_like(s, o->eps)));
  if (o->momentum != 0) {
    d = glia_add(gi_by_momentum(u, u->state[n], o->momentum), d);
    u->new_state[n++] = d;
  }
  u->new_param = glia_sub(u->param, glia_mul(d, gi_as(u->lr, d)));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.01", "learning rate"),
    GI_OPTIM_FIELD(alpha, 0, 1, "0.99", "share of the old mean square"),
    GI_OPTIM_FIELD(momentum, 0, 1, "0", "share of the last direction that is kept"),
    GI_OPTIM_FIELD(eps, 0, 1, "1e-8", "added to the root"),
    GI_OPTIM_DECAY("0"),
    GI_OPTIM_FLAG(centered, "take the mean off the mean square"),
    {.name = NULL},
};

static const gi_optim rmsprop = {
    .name = "rmsprop",
    .doc = "gradients over their running root mean square",
    .paper = "arXiv:1308.0850",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
};

const gi_optim *const gi_optims_rmsprop[] = {&rmsprop, NULL};
