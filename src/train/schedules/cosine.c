/* cosine.c - along half a cosine from lr to min_lr over N steps
 * (arXiv:1608.03983, eq. 5); and with restarts: round i, from 0, is N growth^i
 * steps long.
 */
#include "train/schedule.h"

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  return gi_rate(
      gi_along_cosine(at->lr, s->min_lr, (double)at->step / gi_schedule_steps(s, at)));
}

static void defaults(glia_schedule *s) {
  if (s->growth == 0) s->growth = 1;
}

/* Rounds of equal length are counted by the remainder, growing ones are few. */
static glia_rates rates_restarts(const glia_schedule *s, const glia_schedule_point *at) {
  double n = gi_schedule_steps(s, at), t = (double)at->step;
  if (s->growth == 1) t = fmod(t, n);
  while (t >= n) {
    t -= n;
    n *= (double)s->growth;
  }
  return gi_rate(gi_along_cosine(at->lr, s->min_lr, t / n));
}

static const gi_field fields[] = {
    GI_SCHEDULE_STEPS,
    GI_SCHEDULE_F64(min_lr, 0, 1e6, "0", "rate at the end"),
    {.name = NULL},
};
static const gi_field fields_restarts[] = {
    GI_SCHEDULE_I64(steps, "all of the training", "length of the first round"),
    GI_SCHEDULE_I64(growth, "1", "how much longer each round is than the one before"),
    GI_SCHEDULE_F64(min_lr, 0, 1e6, "0", "rate at the end of a round"),
    {.name = NULL},
};

static const gi_schedule_rule cosine = {
    .name = "cosine",
    .doc = "down along half a cosine",
    .source = "CosineAnnealingLR",
    .fields = fields,
    .rates = rates,
};
static const gi_schedule_rule restarts = {
    .name = "cosine_restarts",
    .doc = "half a cosine, again and again",
    .source = "CosineAnnealingWarmRestarts",
    .fields = fields_restarts,
    .defaults = defaults,
    .rates = rates_restarts,
};

const gi_schedule_rule *const gi_schedules_cosine[] = {&cosine, &restarts, NULL};
