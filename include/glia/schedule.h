/* glia/schedule.h - learning rates, and momentum where it moves too, by step.
 *
 * Formulas are PyTorch's, in closed form: a rate depends on the step and on nothing that came
 * before it (but for plateau, which looks at the metrics so far), so that a training that was
 * stopped goes on with the rates it would have had.
 */
#ifndef GLIA_SCHEDULE_H
#define GLIA_SCHEDULE_H

#include "glia/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GLIA_MILESTONES = 16 };

/* A schedule by name, and its options: zero is the default of the named one;
 * who wants 0 where the default is another number gives DBL_MIN. Options that a
 * schedule does not have must be zero. t is the step, 0 for the first; N is
 * `steps`; lr the rate that training was given.
 *
 *   constant         lr factor for t < N, then lr
 *   step             lr gamma^floor(t / step_size)
 *   multi_step       lr gamma^(milestones that are <= t)
 *   exponential      lr gamma^t
 *   polynomial       lr (1 - min(t, N) / N)^power
 *   linear           lr (start_factor + (end_factor - start_factor) min(t, N) / N)
 *   cosine           min_lr + (lr - min_lr) (1 + cos(pi t / N)) / 2
 *   cosine_restarts  the same, begun anew after N steps, then after N growth, N growth^2, ...
 *   one_cycle        from max_lr / div_factor up to max_lr over pct_start N - 1 steps, and down
 *                    to max_lr / (div_factor final_div_factor) at step N - 1; with three_phase
 *                    down to the beginning over as many steps, then to the end
 *   cyclic           from base_lr up to max_lr over step_size_up steps and down over
 *                    step_size_down, again and again
 *   warmup           lr t / warmup for t < warmup, then by `decay`:
 *                    linear        lr (N - t) / (N - warmup)
 *                    cosine        lr (1 + cos(pi (t - warmup) / (N - warmup))) / 2
 *                    inverse_sqrt  lr sqrt(warmup / t)
 *                    constant      lr
 *   plateau          lr factor^n, n how often the metric had not got better for `patience`
 *                    times
 */
typedef struct glia_schedule {
  const char *name;  /* NULL: constant */
  int64_t steps;     /* 0: all steps of the training */
  bool per_epoch;    /* any schedule: t and N count epochs instead of steps */
  double factor;     /* constant 0 -> 1; plateau 0 -> 0.1; up to 1 */
  double gamma;      /* step, multi_step 0 -> 0.1; exponential: must be given; cyclic
                        with exp_range 0 -> 1 */
  int64_t step_size; /* step; must be given */
  int64_t milestones[GLIA_MILESTONES]; /* multi_step; rising, above 0; 0 ends
                                          them */
  double power;                        /* polynomial; 0 -> 1 */
  double start_factor, end_factor;     /* linear; 0 -> 1 and 0; up to 1 */
  double min_lr;                       /* cosine, cosine_restarts, plateau */
  int64_t growth;                      /* cosine_restarts; 0 -> 1 */
  double max_lr;                       /* one_cycle, cyclic; 0: lr */
  double base_lr;                      /* cyclic; 0: a tenth of lr */
  double pct_start;                    /* one_cycle; 0 -> 0.3 */
  double div_factor, final_div_factor; /* one_cycle; 0 -> 25 and 1e4 */
  const char *anneal;                  /* one_cycle; "cos" (NULL) or "linear" */
  bool three_phase;                    /* one_cycle */
  bool cycle_momentum;                 /* one_cycle, cyclic: momentum (or beta1) moves against
                                          the rate, from max_momentum down to base_momentum and
                                          up */
  double base_momentum, max_momentum;  /* one_cycle 0 -> 0.85 and 0.95; cyclic 0.8 and 0.9 */
  int64_t step_size_up;                /* cyclic; 0 -> 2000 */
  int64_t step_size_down;              /* cyclic; 0: step_size_up */
  const char *mode;  /* cyclic: "triangular" (NULL); "triangular2": half as high
                        at every cycle; "exp_range": gamma^t as high. plateau:
                        "min" (NULL) or "max": better */
  int64_t warmup;    /* warmup; must be given */
  const char *decay; /* warmup: "linear" (NULL), "cosine", "inverse_sqrt", "constant" */
  double patience;   /* plateau; 0 -> 10; whole */
  double threshold;  /* plateau: a metric that is not better by this is not; 0 ->
                        1e-4 */
  const char *threshold_mode; /* plateau: "rel" (NULL), a share of the best, or "abs" */
  int64_t cooldown;           /* plateau: metrics that are not looked at behind a change */
  double eps;                 /* plateau: smaller changes are not made; 0 -> 1e-8 */
} glia_schedule;

#ifndef __cplusplus /* glia_schedule_of("one_cycle", .max_lr = 0.5) */
#define glia_schedule_of(...) ((glia_schedule){.name = __VA_ARGS__})
#endif

/* Reads "one_cycle max_lr=0.5 three_phase", "multi_step milestones=30,80"; "-"
 * counts as "_" in the name; a number that is given as 0 is 0, not the default.
 * GLIA_INVALID names what is unknown or out of range, and the nearest name. */
GLIA_NODISCARD GLIA_API glia_status glia_schedule_parse(const char *text, glia_schedule *out);
/* Fills in the defaults and checks the ranges. */
GLIA_NODISCARD GLIA_API glia_status glia_schedule_resolve(glia_schedule *s);

typedef struct glia_schedule_point {
  double lr;             /* the rate that the schedule moves */
  int64_t step;          /* 0 for the first */
  int64_t steps;         /* of the whole training */
  const double *metrics; /* [n_metrics] what plateau was fed before this step;
                            else NULL */
  int64_t n_metrics;
} glia_schedule_point;

typedef struct glia_rates {
  double lr;
  double momentum; /* NaN: as the optimiser has it */
} glia_rates;

/* What step at->step uses. GLIA_INVALID as glia_schedule_resolve. */
GLIA_NODISCARD GLIA_API glia_status glia_schedule_rates(const glia_schedule *s,
                                                        const glia_schedule_point *at,
                                                        glia_rates *out);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_SCHEDULE_H */
