/* step.c - lr gamma^floor(t / step_size). */
#include "train/schedule.h"

static void defaults(glia_schedule *s) {
  if (s->gamma == 0) s->gamma = 0.1;
}

static const char *refuse(const glia_schedule *s) {
  return s->step_size == 0 ? "wants step_size, such as step_size=1000" : NULL;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  const int64_t times = at->step / s->step_size;
  return gi_rate(at->lr * pow(s->gamma, (double)times));
}

static const gi_field fields[] = {
    GI_SCHEDULE_I64(step_size, "must be given", "steps from one change to the next"),
    GI_SCHEDULE_F64(gamma, 0, 1e3, "0.1", "factor at each change"),
    {.name = NULL},
};

static const gi_schedule_rule step = {
    .name = "step",
    .doc = "a factor every so many steps",
    .source = "StepLR",
    .fields = fields,
    .defaults = defaults,
    .refuse = refuse,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_step[] = {&step, NULL};
