/* adam.c - Adam and AdamW (arXiv:1412.6980, arXiv:1711.05101), step t = 1, 2, ...:
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   w -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 * Adam adds weight_decay w to g; AdamW multiplies w by 1 - lr weight_decay first. What depends
 * on t alone is computed once for all parameters, in double.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-3;
  if (o->beta1 == 0) o->beta1 = 0.9;
  if (o->beta2 == 0) o->beta2 = 0.999;
  if (o->eps == 0) o->eps = 1e-8;
}

static void defaults_adamw(glia_optimizer *o) {
  defaults(o);
  if (o->weight_decay == 0) o->weight_decay = 0.01;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){"exp_avg", 0};
  out[1] = (gi_state){"exp_avg_sq", 0};
  return 2;
}

/* 1 - b^t */
static glia_value correction(glia_value step, double b) {
  const glia_value one = glia_scalar_like(step, 1);
  return glia_sub(one, glia_pow(glia_scalar_like(step, b), step));
}

static glia_value moving(glia_value old, glia_value now, double b) {
  return glia_add(gi_scaled(old, b), gi_scaled(now, 1 - b));
}

static void descend(gi_update *u, glia_value w, glia_value g) {
  const glia_optimizer *o = u->o;
  const glia_value m = moving(u->state[0], g, o->beta1);
  const glia_value v = moving(u->state[1], glia_square(g), o->beta2);
  const glia_value rate = glia_div(u->lr, correction(u->step, o->beta1));
  const glia_value root = glia_rsqrt(correction(u->step, o->beta2));
  const glia_value denominator =
      glia_add(glia_mul(glia_sqrt(v), gi_as(root, v)), glia_scalar_like(v, o->eps));
  u->new_state[0] = m;
  u->new_state[1] = v;
  u->new_param = glia_sub(w, glia_mul(glia_div(m, denominator), gi_as(rate, m)));
}

static void update_adam(gi_update *u) { descend(u, u->param, gi_decayed(u)); }

static void update_adamw(gi_update *u) {
  const glia_value keep =
      glia_sub(glia_scalar_like(u->lr, 1), gi_scaled(u->lr, u->o->weight_decay));
  descend(u, glia_mul(u->param, gi_as(keep, u->param)), u->grad);
}

/* At b = 1 nothing new would come in, and 1 - b^t be 0. */
#define BETA_MAX 0.999999

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.001", "learning rate"),
    GI_OPTIM_FIELD(beta1, 0, BETA_MAX, "0.9", "decay of the mean gradient"),
    GI_OPTIM_FIELD(beta2, 0, BETA_MAX, "0.999", "decay of the mean square"),
    GI_OPTIM_FIELD(eps, 0, 1, "1e-8", "added to the root"),
    GI_OPTIM_FIELD(weight_decay, 0, 1e6, "0; adamw 0.01", "pull towards zero"),
    {.name = NULL},
};

static const gi_optim adam = {
    .name = "adam",
    .doc = "adaptive moments",
    .paper = "arXiv:1412.6980",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update_adam,
};

static const gi_optim adamw = {
    .name = "adamw",
    .doc = "Adam with decoupled weight decay",
    .paper = "arXiv:1711.05101",
    .fields = fields,
    .defaults = defaults_adamw,
    .states = states,
    .update = update_adamw,
};

const gi_optim *const gi_optims_adam[] = {&adam, &adamw, NULL};
