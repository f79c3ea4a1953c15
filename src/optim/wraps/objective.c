/* objective.c - what is minimised: g' = g, or -g to go up, + l1 sign(w), the gradient of
 * l1 |w|. Before the rule, and so before its weight decay, as in PyTorch.
 */
#include "optim/optim.h"

static bool on(const glia_optimizer *o) { return o->maximize || o->l1 != 0; }

static void before(gi_update *u) {
  if (u->o->maximize) u->grad = glia_neg(u->grad);
  if (u->o->l1 != 0) u->grad = glia_add(u->grad, gi_scaled(glia_sign(u->param), u->o->l1));
}

static const gi_field fields[] = {
    GI_OPTIM_FLAG(maximize, "go up instead of down"),
    GI_OPTIM_FIELD(l1, 0, 1e6, "0", "L1 penalty"),
    {.name = NULL},
};

static const gi_wrap objective = {
    .name = "objective",
    .doc = "going up, and the L1 penalty",
    .paper = "",
    .fields = fields,
    .on = on,
    .before = before,
};

const gi_wrap *const gi_wraps_objective[] = {&objective, NULL};
