/* sgd.c - w -= lr d, with g = gradient + weight_decay w and
 *   no momentum: d = g;   momentum: b = momentum b + g, d = b;   Nesterov: d = g + momentum b.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-2;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  out[0] = (gi_state){"momentum_buffer", 0};
  return o->momentum != 0;
}

static void update(gi_update *u) {
  const glia_value g = gi_decayed(u);
  glia_value d = g;
  if (u->o->momentum != 0) {
    const glia_value b = glia_add(gi_scaled(u->state[0], u->o->momentum), g);
    u->new_state[0] = b;
    d = u->o->nesterov ? glia_add(g, gi_scaled(b, u->o->momentum)) : b;
  }
  u->new_param = glia_sub(u->param, glia_mul(d, gi_as(u->lr, d)));
}

static const char *refuse(const glia_optimizer *o) {
  return o->nesterov && o->momentum == 0 ? "nesterov wants momentum, such as 0.9" : NULL;
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.01", "learning rate"),
    GI_OPTIM_FIELD(momentum, 0, 1, "0", "share of the last direction that is kept"),
    GI_OPTIM_FIELD(weight_decay, 0, 1e6, "0", "pull towards zero"),
    GI_OPTIM_FLAG(nesterov, "look ahead along the momentum"),
    {.name = NULL},
};

static const gi_optim sgd = {
    .name = "sgd",
    .doc = "stochastic gradient descent, with momentum and Nesterov momentum",
    .paper = "Sutskever et al. 2013",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
    .refuse = refuse,
};

const gi_optim *const gi_optims_sgd[] = {&sgd, NULL};
