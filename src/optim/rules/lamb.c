/* lamb.c - Adam whose step is as long as the parameter, layer by layer (arXiv:1904.00962,
 * algorithm 2), step t = 1, 2, ...:
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   r = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay w
 *   w -= lr |w| / |r| r,         with 1 in the place of |w| / |r| where one of them is 0
 * |.| is the 2-norm of the whole parameter. These two sums make it the one rule whose update is
 * not a single kernel.
 */
#include "optim/optim.h"

static void defaults(glia_optimizer *o) {
  if (o->lr == 0) o->lr = 1e-3;
  if (o->beta1 == 0) o->beta1 = 0.9;
  if (o->beta2 == 0) o->beta2 = 0.999;
  if (o->eps == 0) o->eps = 1e-6;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "exp_avg"};
  out[1] = (gi_state){.name = "exp_avg_sq"};
  return 2;
}

static glia_value norm(glia_value x) { return glia_sqrt(glia_sum(glia_square(x))); }

/* |w| / |r|; where |w| = 0 the division is made harmless and its result not chosen */
static glia_value trust(glia_value w, glia_value r) {
  const glia_value a = norm(w), b = norm(r);
  const glia_value zero = glia_scalar_like(a, 0), one = glia_scalar_like(a, 1);
  const glia_value both = glia_logical_and(glia_greater(a, zero), glia_greater(b, zero));
  return glia_where(both, glia_div(a, glia_where(both, b, one)), one);
}

static void update(gi_update *u) {
  const glia_optimizer *o = u->o;
  const glia_value m = gi_first_moment(u, u->state[0], u->grad);
  const glia_value v = gi_moving(u->state[1], glia_square(u->grad), o->beta2);
  const glia_value scale = glia_reciprocal(gi_correction(u, gi_momentum(u, o->beta1)));
  const glia_value root = glia_rsqrt(gi_correction(u, glia_scalar_like(u->step, o->beta2)));
  const glia_value denominator = gi_plus(gi_scaled_by(glia_sqrt(v), root), o->eps);
  glia_value r = glia_div(gi_scaled_by(m, scale), denominator);
  if (o->weight_decay != 0) r = glia_add(r, gi_scaled(u->param, o->weight_decay));
  const glia_value rate = glia_mul(gi_as(u->lr, r), trust(u->param, r));
  u->new_state[0] = m;
  u->new_state[1] = v;
  u->new_param = glia_sub(u->param, glia_mul(r, rate));
}

/* The norms are those of all rows. */
static bool whole(const glia_optimizer *o) {
  (void)o;
  return true;
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lr, 0, 1e6, "0.001", "learning rate"),
    GI_OPTIM_FIELD(beta1, 0, GI_BETA_MAX, "0.9", "decay of the mean gradient"),
    GI_OPTIM_FIELD(beta2, 0, GI_BETA_MAX, "0.999", "decay of the mean square"),
    GI_OPTIM_FIELD(eps, 0, 1, "1e-6", "added to the root"),
    GI_OPTIM_DECAY("0"),
    {.name = NULL},
};

static const gi_optim lamb = {
    .name = "lamb",
    .doc = "Adam with steps as long as the parameter, for large batches",
    .paper = "arXiv:1904.00962",
    .fields = fields,
    .defaults = defaults,
    .states = states,
    .update = update,
    .whole = whole,
};

const gi_optim *const gi_optims_lamb[] = {&lamb, NULL};
