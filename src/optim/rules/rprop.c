/* rprop.c - each element has a step of its own, which the size of the gradient does not change:
 *
 *   e = e eta_plus (at most step_max) where g keeps its sign, e eta_minus (at least step_min)
 * where it turns; there g counts as 0 this once w -= e sign(g)
 *
 * e begins as lr. For gradients of all data at once: where they are noisy their signs are, too
 * (Riedmiller & Braun 1993, doi:10.1109/ICNN.1993.298623).
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-2;
  if (o->eta_minus == 0) o->eta_minus = 0.5;
  if (o->eta_plus == 0) o->eta_plus = 1.2;
  if (o->step_min == 0) o->step_min = 1e-6;
  if (o->step_max == 0) o->step_max = 50;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  out[0] = (gi_state){.name = "prev"};
  out[1] = (gi_state){.name = "step_size", .initial = o->lr};
  return 2;
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value zero = glia_scalar_like(u->grad, 0), one = glia_scalar_like(u->grad, 1);
  const glia_value kept = glia_mul(u->grad, u->state[0]);
  const glia_value turned = glia_less(kept, zero);
  const glia_value factor =
      glia_where(glia_greater(kept, zero), glia_scalar_like(one, o->eta_plus),
                 glia_where(turned, glia_scalar_like(one, o->eta_minus), one));
  const glia_value step = glia_clip(glia_mul(u->state[1], factor), o->step_min, o->step_max);
  const glia_value g = glia_where(turned, zero, u->grad);
  u->new_state[0] = g;
  u->new_state[1] = step;
  u->new_param = glia_sub(u->param, glia_mul(glia_sign(g), step));
}

static const char *refuse(const glia_optimizer *o) {
  return o->step_min > o->step_max ? "step_min is above step_max" : NULL;
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.01", "where the steps begin"),
    GI_OPTIM_FIELD(eta_minus, 0, 1, "0.5", "factor where a gradient turns"),
    GI_OPTIM_FIELD(eta_plus, 0, 1e6, "1.2", "factor where a gradient keeps its sign"),
    GI_OPTIM_FIELD(step_min, 0, 50, "1e-6", "least step"),
    GI_OPTIM_FIELD(step_max, 0, 1e6, "50", "largest step"),
    {.name = NULL},
};

static const gi_optim rprop = {
    .name = "rprop",
    .doc = "steps that grow while a gradient keeps its sign; for all data at once",
    .paper = "doi:10.1109/ICNN.1993.298623",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
    .refuse = refuse,
};

const gi_optim *const gi_optims_rprop[] = {&rprop, NULL};
