/* plateau.c - lr factor each time the metric has not got better for `patience`
 * times, as PyTorch's ReduceLROnPlateau. All metrics so far are gone through at
 * each call, so that no state but the history of a training is needed to go on
 * with it.
 */
#include "train/schedule.h"

static bool is(const char *have, const char *word) {
  return have != NULL && strcmp(have, word) == 0;
}

static bool better(const glia_schedule *s, double v, double best) {
  const bool up = is(s->mode, "max");
  double least = best;
  if (is(s->threshold_mode, "abs"))
    least += up ? s->threshold : -s->threshold;
  else
    least *= up ? 1 + s->threshold : 1 - s->threshold;
  return up ? v > least : v < least;
}

static double reduced(const glia_schedule *s, double lr) {
  const double next = fmax(lr * s->factor, s->min_lr);
  return lr - next > s->eps ? next : lr;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  double lr = at->lr, best = is(s->mode, "max") ? (double)-INFINITY : (double)INFINITY;
  int64_t bad = 0, cooldown = 0;
  for (int64_t i = 0; i < at->n_metrics; i++) {
    const bool good = better(s, at->metrics[i], best);
    if (good) best = at->metrics[i];
    bad = good ? 0 : bad + 1;
    if (cooldown > 0) {
      cooldown--;
      bad = 0;
    }
    if ((double)bad <= s->patience) continue;
    lr = reduced(s, lr);
    cooldown = s->cooldown;
    bad = 0;
  }
  return gi_rate(lr);
}

static void defaults(glia_schedule *s) {
  if (s->factor == 0) s->factor = 0.1;
  if (s->patience == 0) s->patience = 10;
  if (s->threshold == 0) s->threshold = 1e-4;
  if (s->eps == 0) s->eps = 1e-8;
}

static const char *const modes[] = {"min", "max", NULL};
static const char *const threshold_modes[] = {"rel", "abs", NULL};

static const gi_field fields[] = {
    GI_SCHEDULE_F64(factor, 0, 1, "0.1", "of the rate at each change"),
    GI_SCHEDULE_F64(patience, 0, 1e15, "10", "metrics without a better one before a change"),
    GI_SCHEDULE_F64(threshold, 0, 1e15, "0.0001", "how much better a better metric is"),
    GI_FIELD(NAME, glia_schedule, threshold_mode, .choices = threshold_modes, .dflt = "rel",
             .doc = "as a share of the best, or as it is"),
    GI_SCHEDULE_I64(cooldown, "0", "metrics not looked at behind a change"),
    GI_SCHEDULE_F64(min_lr, 0, 1e6, "0", "the lowest rate"),
    GI_SCHEDULE_F64(eps, 0, 1e6, "1e-8", "smaller changes are not made"),
    GI_FIELD(NAME, glia_schedule, mode, .choices = modes, .dflt = "min",
             .doc = "what is better"),
    {.name = NULL},
};

static const gi_schedule_rule plateau = {
    .name = "plateau",
    .doc = "down where the metric does not get better",
    .source = "ReduceLROnPlateau",
    .fields = fields,
    .defaults = defaults,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_plateau[] = {&plateau, NULL};
