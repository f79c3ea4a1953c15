/* cyclic.c - up and down between two rates (arXiv:1506.01186), as PyTorch's
 * CyclicLR: cycle c = 1, 2, ... is step_size_up + step_size_down steps long; x
 * its share that is over; h = x / r up to x = r = step_size_up / (both), then
 * (1 - x) / (1 - r) lr = base_lr + (max_lr - base_lr) h f,   momentum = max -
 * (max - base) h f f = 1; triangular2 2^(1 - c); exp_range gamma^t
 */
#include "train/schedule.h"

static double scale(const glia_schedule *s, double cycle, double step) {
  const char *mode = s->mode != NULL ? s->mode : "triangular";
  if (strcmp(mode, "triangular2") == 0) return pow(2, 1 - cycle);
  return strcmp(mode, "exp_range") == 0 ? pow(s->gamma, step) : 1;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  const double up = (double)s->step_size_up, t = (double)at->step;
  const double all = up + (double)(s->step_size_down > 0 ? s->step_size_down : s->step_size_up);
  const double ratio = up / all, cycle = floor(1 + t / all), x = 1 + t / all - cycle;
  const double h = (x <= ratio ? x / ratio : (x - 1) / (ratio - 1)) * scale(s, cycle, t);
  const double low = s->base_lr > 0 ? s->base_lr : at->lr / 10;
  const double high = s->max_lr > 0 ? s->max_lr : at->lr;
  glia_rates r = gi_rate(low + (high - low) * h);
  if (s->cycle_momentum)
    r.momentum = s->max_momentum - (s->max_momentum - s->base_momentum) * h;
  return r;
}

static void defaults(glia_schedule *s) {
  if (s->step_size_up == 0) s->step_size_up = 2000;
  if (s->gamma == 0) s->gamma = 1;
  if (s->base_momentum == 0) s->base_momentum = 0.8;
  if (s->max_momentum == 0) s->max_momentum = 0.9;
}

static const char *const modes[] = {"triangular", "triangular2", "exp_range", NULL};

static const gi_field fields[] = {
    GI_SCHEDULE_F64(base_lr, 0, 1e6, "lr / 10", "the lowest rate"),
    GI_SCHEDULE_F64(max_lr, 0, 1e6, "lr", "the highest rate"),
    GI_SCHEDULE_I64(step_size_up, "2000", "steps up"),
    GI_SCHEDULE_I64(step_size_down, "step_size_up", "steps down"),
    GI_FIELD(NAME, glia_schedule, mode, .choices = modes, .dflt = "triangular",
             .doc = "how the height changes with the cycles"),
    GI_SCHEDULE_F64(gamma, 0, 1e3, "1", "factor of the height at each step (exp_range)"),
    GI_FIELD(BOOL, glia_schedule, cycle_momentum, .doc = "move the momentum the other way"),
    GI_SCHEDULE_F64(base_momentum, 0, 0.999999, "0.8", "at the highest rate"),
    GI_SCHEDULE_F64(max_momentum, 0, 0.999999, "0.9", "at the lowest rate"),
    {.name = NULL},
};

static const gi_schedule_rule cyclic = {
    .name = "cyclic",
    .doc = "up and down between two rates",
    .source = "CyclicLR",
    .fields = fields,
    .defaults = defaults,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_cyclic[] = {&cyclic, NULL};
