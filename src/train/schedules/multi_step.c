/* multi_step.c - lr gamma^(milestones that are <= t). */
#include "train/schedule.h"

static void defaults(glia_schedule *s) {
  if (s->gamma == 0) s->gamma = 0.1;
}

static const char *refuse(const glia_schedule *s) {
  return s->milestones[0] == 0 ? "wants milestones, such as milestones=3000,8000" : NULL;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  int passed = 0;
  while (passed < GLIA_MILESTONES && s->milestones[passed] != 0 &&
         s->milestones[passed] <= at->step)
    passed++;
  return gi_rate(at->lr * pow(s->gamma, passed));
}

_Static_assert((int)GLIA_MILESTONES == (int)GI_LIST_MAX, "milestones are a list of the schema");

static const gi_field fields[] = {
    GI_FIELD(LIST, glia_schedule, milestones, .dflt = "must be given",
             .doc = "steps of the changes"),
    GI_SCHEDULE_F64(gamma, 0, 1e3, "0.1", "factor at each change"),
    {.name = NULL},
};

static const gi_schedule_rule multi_step = {
    .name = "multi_step",
    .doc = "a factor at given steps",
    .source = "MultiStepLR",
    .fields = fields,
    .defaults = defaults,
    .refuse = refuse,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_multi_step[] = {&multi_step, NULL};
