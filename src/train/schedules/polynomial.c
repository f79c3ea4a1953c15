/* polynomial.c - lr (1 - min(t, N) / N)^power. */
#include "train/schedule.h"

static void defaults(glia_schedule *s) {
  if (s->power == 0) s->power = 1;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  const double n = gi_schedule_steps(s, at);
  return gi_rate(at->lr * pow(1 - fmin((double)at->step, n) / n, s->power));
}

static const gi_field fields[] = {
    GI_SCHEDULE_STEPS,
    GI_SCHEDULE_F64(power, 0, 1e3, "1", "of what is left"),
    {.name = NULL},
};

static const gi_schedule_rule polynomial = {
    .name = "polynomial",
    .doc = "down to 0 by a power of what is left",
    .source = "PolynomialLR",
    .fields = fields,
    .defaults = defaults,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_polynomial[] = {&polynomial, NULL};
