/* lookahead.c - k steps forward, one back (arXiv:1907.08610): after every k-th step
 *   slow += lookahead_alpha (w - slow),  w = slow
 * slow begins as the parameter before the first step.
 */
#include <math.h>

#include "optim/optim.h"

static bool on(const glia_optimizer *o) { return o->lookahead != 0; }

static void defaults(glia_optimizer *o) {
  if (o->lookahead_alpha == 0) o->lookahead_alpha = 0.5;
}

static const char *refuse(const glia_optimizer *o) {
  if (o->lookahead_alpha != 0 && !on(o)) return "lookahead_alpha wants lookahead, such as 5";
  return o->lookahead != floor(o->lookahead) ? "lookahead wants a whole number of steps" : NULL;
}

static int states(const glia_optimizer *o, gi_state out[GI_MAX_STATE]) {
  (void)o;
  out[0] = (gi_state){.name = "slow", .of_param = true};
  return 1;
}

/* 1 after every k-th step, else 0 */
static glia_value is_due(glia_value step, double k) {
  const glia_value rounds = gi_scaled(glia_floor(gi_scaled(step, 1 / k)), k);
  const glia_value rest = glia_abs(glia_sub(step, rounds));
  const glia_value half = glia_scalar_like(rest, 0.5);
  /* 1/k is rounded, so that floor may be one too low: then the rest is k */
  const glia_value near_k = glia_less(glia_scalar_like(rest, k - 0.5), rest);
  return glia_where(glia_logical_or(glia_less(rest, half), near_k), glia_scalar_like(rest, 1),
                    glia_scalar_like(rest, 0));
}

/* Parameters that come from a file behind the first trace: slow is theirs at the first step. */
static glia_value slow_before(const gi_update *u) {
  const glia_value one = glia_scalar_like(u->step, 1), zero = glia_scalar_like(u->step, 0);
  const glia_value first = glia_where(glia_equal(u->step, one), one, zero);
  return glia_add(gi_scaled_by(u->state[0], glia_sub(one, first)),
                  gi_scaled_by(u->param, first));
}

static void after(gi_update *u) {
  const glia_value one = glia_scalar_like(u->step, 1), due = is_due(u->step, u->o->lookahead);
  const glia_value slow = slow_before(u), fast = u->new_param;
  const glia_value way = gi_scaled(due, u->o->lookahead_alpha);
  const glia_value next = glia_add(slow, gi_scaled_by(glia_sub(fast, slow), way));
  u->new_state[0] = next;
  u->new_param = glia_add(gi_scaled_by(fast, glia_sub(one, due)), gi_scaled_by(next, due));
}

static const gi_field fields[] = {
    GI_OPTIM_FIELD(lookahead, 0, 1e9, "0", "steps forward before one back; 0: never back"),
    GI_OPTIM_FIELD(lookahead_alpha, 0, 1, "0.5", "share of the way that is kept"),
    {.name = NULL},
};

static const gi_wrap lookahead = {
    .name = "lookahead",
    .doc = "k steps forward, one back",
    .paper = "arXiv:1907.08610",
    .fields = fields,
    .on = on,
    .defaults = defaults,
    .refuse = refuse,
    .states = states,
    .after = after,
};

const gi_wrap *const gi_wraps_lookahead[] = {&lookahead, NULL};
