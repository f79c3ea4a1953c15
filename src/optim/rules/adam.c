/* adam.c - Adam and AdamW (arXiv:1412.6980, arXiv:1711.05101), step t = 1, 2, ...:
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   w -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 * Of rows (rows.h) as PyTorch's SparseAdam: m / ((sqrt(v) + eps) / sqrt(1 - b2^t)).
 * AMSGrad puts the largest v so far in the place of v. Adam adds weight_decay w to g; AdamW
 * multiplies w by 1 - lr weight_decay first. What depends on t alone is computed once for all
 * parameters, in double.
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
  out[0] = (gi_state){.name = "exp_avg"};
  out[1] = (gi_state){.name = "exp_avg_sq"};
  out[2] = (gi_state){.name = "max_exp_avg_sq"};
  return o->amsgrad ? 3 : 2;
}

static void descend(gi_update *u, glia_value w, glia_value g) {
  const glia_optimizer *o = u->o;
  const glia_value m = gi_first_moment(u, u->state[0], g);
  glia_value v = gi_moving(u->state[1], glia_square(g), o->beta2);
  u->new_state[0] = m;
  u->new_state[1] = v;
  if (o->amsgrad) u->new_state[2] = v = glia_maximum(u->state[2], v);
  const glia_value rate = glia_div(u->lr, gi_correction(u, gi_momentum(u, o->beta1)));
  const glia_value root = glia_rsqrt(gi_correction(u, glia_scalar_like(u->step, o->beta2)));
  const glia_value size = glia_sqrt(v);
  const glia_value denominator = u->by_rows ? gi_scaled_by(gi_plus(size, o->eps), root)
                                            : gi_plus(gi_scaled_by(size, root), o->eps);
  u->new_param = glia_sub(w, gi_scaled_by(glia_div(m, denominator), rate));
}

static void update_adam(gi_update *u) { descend(u, u->param, gi_decayed(u)); }
static void update_adamw(gi_update *u) { descend(u, gi_shrunk(u), u->grad); }

#define FIELDS(decay)                                                              \
  {                                                                                \
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.001", "learning rate"), GI_OPTIM_BETAS("0.999"), \
        GI_OPTIM_DECAY(decay),                                                     \
        GI_OPTIM_FLAG(amsgrad, "the largest mean square so far counts"), {         \
      .name = NULL                                                                 \
    }                                                                              \
  }
static const gi_field fields[] = FIELDS("0");
static const gi_field fields_adamw[] = FIELDS("0.01");

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
    .fields = fields_adamw,
    .defaults = defaults_adamw,
    .states = states,
    .update = update_adamw,
};

const gi_optim *const gi_optims_adam[] = {&adam, &adamw, NULL};
