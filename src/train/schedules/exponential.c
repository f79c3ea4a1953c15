/* exponential.c - lr gamma^t. */
#include "train/schedule.h"

static const char *refuse(const glia_schedule *s) {
  return s->gamma == 0 ? "wants gamma, such as gamma=0.999" : NULL;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  return gi_rate(at->lr * pow(s->gamma, (double)at->step));
}

static const gi_field fields[] = {
    GI_SCHEDULE_F64(gamma, 0, 1e3, "must be given", "factor at each step"),
    {.name = NULL},
};

static const gi_schedule_rule exponential = {
    .name = "exponential",
    .doc = "a factor at every step",
    .source = "ExponentialLR",
    .fields = fields,
    .refuse = refuse,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_exponential[] = {&exponential, NULL};
