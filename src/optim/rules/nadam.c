/* nadam.c - Adam with Nesterov momentum (Dozat 2016), step t = 1, 2, ...:
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   mu(t) = b1 (1 - 0.96^(t momentum_decay) / 2)       p = mu(1) mu(2) ... mu(t)
 *   w -= lr ((1 - mu(t)) / (1 - p) g + mu(t + 1) / (1 - p mu(t) mu(t + 1)) m) / d
 *   d = sqrt(v / (1 - b2^t)) + eps
 * PyTorch takes mu(t) once more into the last product, and so do we. p depends on the steps
 * alone and is kept once for all parameters.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 2e-3;
  if (o->beta1 == 0) o->beta1 = 0.9;
  if (o->beta2 == 0) o->beta2 = 0.999;
  if (o->eps == 0) o->eps = 1e-8;
  if (o->momentum_decay == 0) o->momentum_decay = 4e-3;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "exp_avg"};
  out[1] = (gi_state){.name = "exp_avg_sq"};
  return 2;
}

/* mu(t) */
static glia_value share(const glia_optimizer *o, glia_value beta1, glia_value t) {
  const glia_value power = glia_pow(glia_scalar_like(t, 0.96), gi_scaled(t, o->momentum_decay));
  return glia_mul(beta1, glia_sub(glia_scalar_like(t, 1), gi_scaled(power, 0.5)));
}

static glia_value product(const gi_optim_step *s, glia_value old) {
  const glia_value beta1 =
      gi_null(s->momentum) ? glia_scalar_like(s->step, s->o->beta1) : s->momentum;
  return glia_mul(old, share(s->o, beta1, s->step));
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u), one = glia_scalar_like(u->step, 1);
  const glia_value m = gi_first_moment(u, u->state[0], g);
  const glia_value v = gi_moving(u->state[1], glia_square(g), o->beta2);
  const glia_value beta1 = gi_momentum(u, o->beta1);
  const glia_value mu = share(o, beta1, u->step), next = share(o, beta1, gi_plus(u->step, 1));
  const glia_value now = glia_div(glia_sub(one, mu), glia_sub(one, u->shared));
  const glia_value ahead =
      glia_div(next, glia_sub(one, glia_mul(u->shared, glia_mul(mu, next))));
  const glia_value root = glia_rsqrt(gi_correction(u, glia_scalar_like(u->step, o->beta2)));
  const glia_value denominator = gi_plus(gi_scaled_by(glia_sqrt(v), root), o->eps);
  const glia_value d =
      glia_add(gi_scaled_by(g, glia_mul(u->lr, now)), gi_scaled_by(m, glia_mul(u->lr, ahead)));
  u->new_state[0] = m;
  u->new_state[1] = v;
  u->new_param = glia_sub(u->param, glia_div(d, denominator));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.002", "learning rate"),
    GI_OPTIM_BETAS("0.999"),
    GI_OPTIM_FIELD(momentum_decay, 0, 1e6, "0.004", "how soon the momentum is beta1"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim nadam = {
    .name = "nadam",
    .doc = "Adam with Nesterov momentum",
    .paper = "Dozat 2016",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
    .shared_name = "mu_product",
    .shared = product,
};

const gi_optim *const gi_optims_nadam[] = {&nadam, NULL};
