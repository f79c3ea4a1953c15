/* sgd.c - w -= lr d, with g = gradient + weight_decay w and
 *   no momentum: d = g;   momentum: b = momentum b + (1 - dampening) g, d = b, where the first
 *   step takes b = g;     Nesterov: d = g + momentum b.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-2;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  out[0] = (gi_state){.name = "momentum_buffer"};
  return o->momentum != 0;
}

/* The share of the gradient that goes into the buffer. */
static glia_value let_in(const gi_update *u, glia_value g) {
  if (u->o->dampening == 0) return g;
  const glia_value one = glia_scalar_like(u->step, 1);
  const glia_value share = glia_scalar_like(u->step, 1 - u->o->dampening);
  return gi_scaled_by(g, glia_where(glia_greater(u->step, one), share, one));
}

static void update(gi_update *u) {
  const glia_value g = gi_decayed(u);
  glia_value d = g;
  if (u->o->momentum != 0) {
    const double m = u->o->momentum;
    const glia_value b = glia_add(gi_by_momentum(u, u->state[0], m), let_in(u, g));
    u->new_state[0] = b;
    d = u->o->nesterov ? glia_add(g, gi_by_momentum(u, b, m)) : b;
  }
  u->new_param = glia_sub(u->param, gi_scaled_by(d, u->lr));
}

static const char *refuse(const glia_optimizer *o) {
  if (o->nesterov && o->momentum == 0) return "nesterov wants momentum, such as 0.9";
  return o->nesterov && o->dampening != 0 ? "nesterov wants no dampening" : NULL;
}

/* The momentum moves rows on that have no gradient now, as in PyTorch. */
static bool whole(const glia_optimizer *o) { return o->momentum != 0; }

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.01", "learning rate"),
    GI_OPTIM_FIELD(momentum, 0, 1, "0", "share of the last direction that is kept"),
    GI_OPTIM_FIELD(dampening, 0, 1, "0", "share of the gradient kept out of the momentum"),
    GI_OPTIM_DECAY("0"),
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
    .whole = whole,
    .refuse = refuse,
};

const gi_optim *const gi_optims_sgd[] = {&sgd, NULL};
