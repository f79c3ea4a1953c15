/* warmup.c - up from 0 along a line over w steps (arXiv:1706.03762, 5.3), then
 * down: with p = (t - w) / (N - w) linear lr (1 - p)   cosine lr (1 + cos(pi
 * p)) / 2   inverse_sqrt lr sqrt(w / t)   constant lr
 */
#include "train/schedule.h"

static double decayed(const glia_schedule *s, double t, double w, double n) {
  const char *decay = s->decay != NULL ? s->decay : "linear";
  const double p = n > w ? fmin((t - w) / (n - w), 1) : 1;
  if (strcmp(decay, "constant") == 0) return 1;
  if (strcmp(decay, "inverse_sqrt") == 0) return sqrt(w / t);
  return strcmp(decay, "cosine") == 0 ? gi_along_cosine(1, 0, p) : 1 - p;
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  const double t = (double)at->step, w = (double)s->warmup;
  return gi_rate(at->lr * (t < w ? t / w : decayed(s, t, w, gi_schedule_steps(s, at))));
}

static const char *refuse(const glia_schedule *s) {
  return s->warmup == 0 ? "wants warmup, such as warmup=500" : NULL;
}

static const char *const decays[] = {"linear", "cosine", "inverse_sqrt", "constant", NULL};

static const gi_field fields[] = {
    GI_SCHEDULE_I64(warmup, "must be given", "steps up"),
    GI_FIELD(NAME, glia_schedule, decay, .choices = decays, .dflt = "linear",
             .doc = "how it goes down"),
    GI_SCHEDULE_I64(steps, "all of the training", "where linear and cosine are down"),
    {.name = NULL},
};

static const gi_schedule_rule warmup = {
    .name = "warmup",
    .doc = "up from 0, then down",
    .source = "arXiv:1706.03762",
    .fields = fields,
    .refuse = refuse,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_warmup[] = {&warmup, NULL};
