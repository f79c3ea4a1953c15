/* radam.c - rectified Adam (arXiv:1908.03265), step t = 1, 2, ...:
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   n = 2 / (1 - b2) - 1         r = n - 2 t b2^t / (1 - b2^t)
 *   w -= lr / (1 - b1^t) m f
 *   f = c sqrt(1 - b2^t) / (sqrt(v) + eps),  c^2 = (r - 4) (r - 2) n / ((n - 4) (n - 2) r),
 *       where r > 5; else 1: too few steps to know the variance of v
 * Both forms are computed, each with its own rate, of which one is 0.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-3;
  if (o->beta1 == 0) o->beta1 = 0.9;
  if (o->beta2 == 0) o->beta2 = 0.999;
  if (o->eps == 0) o->eps = 1e-8;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "exp_avg"};
  out[1] = (gi_state){.name = "exp_avg_sq"};
  return 2;
}

/* r and c, scalars */
static glia_value rectification(const gi_update *u, glia_value correction2, glia_value *r) {
  const double n = 2 / (1 - u->o->beta2) - 1;
  const glia_value power = glia_sub(glia_scalar_like(u->step, 1), correction2);
  const glia_value lost = glia_div(gi_scaled(glia_mul(u->step, power), 2), correction2);
  *r = glia_sub(glia_scalar_like(lost, n), lost);
  const glia_value top = glia_mul(gi_plus(*r, -4), gi_plus(*r, -2));
  return glia_sqrt(glia_div(gi_scaled(top, n), gi_scaled(*r, (n - 4) * (n - 2))));
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value g = gi_decayed(u), zero = glia_scalar_like(u->step, 0);
  const glia_value m = gi_first_moment(u, u->state[0], g);
  const glia_value v = gi_moving(u->state[1], glia_square(g), o->beta2);
  const glia_value correction2 = gi_correction(u, glia_scalar_like(u->step, o->beta2));
  glia_value r;
  const glia_value c = rectification(u, correction2, &r);
  const glia_value rate = glia_div(u->lr, gi_correction(u, gi_momentum(u, o->beta1)));
  const glia_value known = glia_greater(r, glia_scalar_like(r, 5));
  const glia_value adaptive =
      glia_where(known, glia_mul(rate, glia_mul(c, glia_sqrt(correction2))), zero);
  const glia_value plain = glia_where(known, zero, rate);
  const glia_value factor = glia_div(gi_as(adaptive, v), gi_plus(glia_sqrt(v), o->eps));
  u->new_state[0] = m;
  u->new_state[1] = v;
  u->new_param = glia_sub(u->param, glia_mul(m, glia_add(factor, gi_as(plain, v))));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.001", "learning rate"),
    GI_OPTIM_BETAS("0.999"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim radam = {
    .name = "radam",
    .doc = "Adam that begins carefully, until it knows the variance",
    .paper = "arXiv:1908.03265",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
};

const gi_optim *const gi_optims_radam[] = {&radam, NULL};
