/* constant.c - lr, or lr factor for the first steps. */
#include "train/schedule.h"

static void defaults(glia_schedule *s) {
  if (s->factor == 0) s->factor = 1;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  const bool before = (double)at->step < gi_schedule_steps(s, at);
  return gi_rate(at->lr * (before ? s->factor : 1));
}

static const gi_field fields[] = {
    GI_SCHEDULE_F64(factor, 0, 1, "1", "of the rate for the first steps"),
    GI_SCHEDULE_STEPS,
    {.name = NULL},
};

static const gi_schedule_rule constant = {
    .name = "constant",
    .doc = "one rate",
    .source = "ConstantLR",
    .fields = fields,
    .defaults = defaults,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_constant[] = {&constant, NULL};
