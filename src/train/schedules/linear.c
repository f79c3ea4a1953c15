/* linear.c - lr (a + (b - a) min(t, N) / N), by default down to 0. */
#include "train/schedule.h"

static void defaults(glia_schedule *s) {
  if (s->start_factor == 0) s->start_factor = 1;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  const double n = gi_schedule_steps(s, at), t = fmin((double)at->step, n) / n;
  return gi_rate(at->lr * (s->start_factor + (s->end_factor - s->start_factor) * t));
}

static const gi_field fields[] = {
    GI_SCHEDULE_F64(start_factor, 0, 1, "1", "of the rate at the first step"),
    GI_SCHEDULE_F64(end_factor, 0, 1, "0", "of the rate behind the last step"),
    GI_SCHEDULE_STEPS,
    {.name = NULL},
};

static const gi_schedule_rule linear = {
    .name = "linear",
    .doc = "along a line",
    .source = "LinearLR",
    .fields = fields,
    .defaults = defaults,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_linear[] = {&linear, NULL};
