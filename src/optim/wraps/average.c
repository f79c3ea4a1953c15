/* average.c - a mean of the parameters over the steps, for evaluation: a += p (w - a), w as the
 * step leaves it, where
 *   ema: p = 1 - ema, and 1 at the first step
 *   swa: p = 1 / n at the n-th step of the mean, 0 between two, 1 before the first
 *        (arXiv:1803.05407); it takes step swa_start + n swa_every.
 */
#include <math.h>

#include "optim/optim.h"

static bool on(const glia_optimizer *o) { return o->ema != 0 || o->swa; }

static void defaults(glia_optimizer *o) {
  if (o->swa && o->swa_every == 0) o->swa_every = 1;
}

static const char *refuse(const glia_optimizer *o) {
  if (o->ema != 0 && o->swa) return "ema and swa are two means; give one";
  if ((o->swa_start != 0 || o->swa_every != 0) && !o->swa)
    return "swa_start and swa_every want swa";
  if (o->swa_start != floor(o->swa_start) || o->swa_every != floor(o->swa_every))
    return "swa_start and swa_every want whole numbers of steps";
  return NULL;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = GI_AVERAGE, .of_param = true};
  return 1;
}

static glia_value share_ema(const gi_update *u) {
  const glia_value one = glia_scalar_like(u->step, 1);
  return glia_where(glia_greater(u->step, one), glia_scalar_like(u->step, 1 - u->o->ema), one);
}

static glia_value share_swa(const gi_update *u) {
  const glia_value one = glia_scalar_like(u->step, 1), zero = glia_scalar_like(u->step, 0);
  const glia_value every = glia_scalar_like(u->step, u->o->swa_every);
  const glia_value since = gi_plus(u->step, -u->o->swa_start);
  const glia_value n = glia_floor(glia_div(since, every));
  const glia_value due = glia_where(glia_equal(glia_mul(n, every), since),
                                    glia_reciprocal(glia_maximum(n, one)), zero);
  return glia_where(glia_less(n, one), one, due);
}

static void after(gi_update *u) {
  const glia_value p = u->o->swa ? share_swa(u) : share_ema(u);
  const glia_value rest = glia_sub(glia_scalar_like(p, 1), p);
  u->new_state[0] = glia_add(gi_scaled_by(u->state[0], rest), gi_scaled_by(u->new_param, p));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(ema, 0, GI_BETA_MAX, "0",
                   "share of the old mean of the parameters; 0: none"),
    GI_OPTIM_FLAG(swa, "plain mean of the parameters"),
    GI_OPTIM_FIELD(swa_start, 0, 1e15, "0", "step behind which it begins"),
    GI_OPTIM_FIELD(swa_every, 0, 1e15, "1", "steps from one to the next that it takes"),
    {.name = NULL},
};

static const gi_wrap average = {
    .name = "average",
    .doc = "a mean of the parameters, for evaluation",
    .paper = "arXiv:1803.05407",
    .fields = fields,
    .on = on,
    .defaults = defaults,
    .refuse = refuse,
    .states = states,
    .after = after,
};

const gi_wrap *const gi_wraps_average[] = {&average, NULL};
