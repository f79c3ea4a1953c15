/* one_cycle.c - up to a high rate and down to almost nothing
 * (arXiv:1708.07120), as PyTorch's OneCycleLR: phases end at the steps
 *   pct_start N - 1, N - 1                           two: up, down to the end
 *   pct_start N - 1, 2 pct_start N - 2, N - 1        three: up, as far down,
 * down to the end which need not be whole; the momentum goes the other way, and
 * stays in the third phase.
 */
#include "train/schedule.h"

typedef struct phase {
  double end;                /* step */
  double lr[2], momentum[2]; /* at its begin and end */
} phase;

static int phases_of(const glia_schedule *s, const glia_schedule_point *at, phase out[3]) {
  const double n = gi_schedule_steps(s, at), rise = s->pct_start * n;
  const double high = s->max_lr > 0 ? s->max_lr : at->lr, low = high / s->div_factor;
  const double end = low / s->final_div_factor, up = s->max_momentum, down = s->base_momentum;
  int k = 0;
  out[k++] = (phase){rise - 1, {low, high}, {up, down}};
  if (s->three_phase) out[k++] = (phase){2 * rise - 2, {high, low}, {down, up}};
  out[k++] = s->three_phase ? (phase){n - 1, {low, end}, {up, up}}
                            : (phase){n - 1, {high, end}, {down, up}};
  return k;
}

static double along(const glia_schedule *s, const double ends[2], double t) {
  const bool line = s->anneal != NULL && strcmp(s->anneal, "linear") == 0;
  return line ? ends[0] + (ends[1] - ends[0]) * t : gi_along_cosine(ends[0], ends[1], t);
}

static glia_rates rates(const glia_schedule *s, const glia_schedule_point *at) {
  phase phases[3];
  const int n = phases_of(s, at, phases);
  const double step = fmin((double)at->step, phases[n - 1].end);
  int k = 0;
  while (k < n - 1 && step > phases[k].end) k++;
  const double begin = k > 0 ? phases[k - 1].end : 0, length = phases[k].end - begin;
  const double t = length != 0 ? (step - begin) / length : 1; /* a phase of no steps is over */
  glia_rates r = gi_rate(along(s, phases[k].lr, t));
  if (s->cycle_momentum) r.momentum = along(s, phases[k].momentum, t);
  return r;
}

static void defaults(glia_schedule *s) {
  if (s->pct_start == 0) s->pct_start = 0.3;
  if (s->div_factor == 0) s->div_factor = 25;
  if (s->final_div_factor == 0) s->final_div_factor = 1e4;
  if (s->base_momentum == 0) s->base_momentum = 0.85;
  if (s->max_momentum == 0) s->max_momentum = 0.95;
}

static const char *const anneals[] = {"cos", "linear", NULL};

static const gi_field fields[] = {
    GI_SCHEDULE_F64(max_lr, 0, 1e6, "0", "the highest rate; 0: the training's"),
    GI_SCHEDULE_STEPS,
    GI_SCHEDULE_F64(pct_start, 0, 1, "0.3", "share of the steps that go up"),
    GI_SCHEDULE_F64(div_factor, 1e-12, 1e12, "25", "the highest rate over the first"),
    GI_SCHEDULE_F64(final_div_factor, 1e-12, 1e12, "10000", "the first rate over the last"),
    GI_FIELD(NAME, glia_schedule, anneal, .choices = anneals, .dflt = "cos",
             .doc = "along half cosines or lines"),
    GI_FIELD(BOOL, glia_schedule, three_phase, .doc = "down as far as up before the end"),
    GI_FIELD(BOOL, glia_schedule, cycle_momentum, .doc = "move the momentum the other way"),
    GI_SCHEDULE_F64(base_momentum, 0, 0.999999, "0.85", "at the highest rate"),
    GI_SCHEDULE_F64(max_momentum, 0, 0.999999, "0.95", "at the ends"),
    {.name = NULL},
};

/* A cycle spends most of its steps far below its peak: the default peak is
 * twice the optimiser's rate, so that the mean is about the same. */

static const gi_schedule_rule one_cycle = {
    .name = "one_cycle",
    .doc = "up to a high rate and down to almost nothing",
    .source = "OneCycleLR",
    .fields = fields,
    .peak = 2,
    .defaults = defaults,
    .rates = rates,
};

const gi_schedule_rule *const gi_schedules_one_cycle[] = {&one_cycle, NULL};
