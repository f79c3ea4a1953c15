/* train/schedule.h - a schedule as a row: one file in src/train/schedules/ per
 * schedule, ending with `const gi_schedule_rule *const gi_schedules_<file>[]`.
 */
#ifndef GI_SCHEDULE_H
#define GI_SCHEDULE_H

#include <math.h>

#include "base/fields.h"
#include "glia/schedule.h"

#define GI_PI 3.14159265358979323846

typedef struct gi_schedule_rule {
  const char *name, *doc, *source; /* source: PyTorch's name, or the paper */
  const gi_field *fields;          /* the options it has, but for per_epoch */
  double peak;                     /* a rate that is not given is the optimiser's default times
                                      this; 0 -> 1 */
  void (*defaults)(glia_schedule *s);            /* fills in what is zero; may be NULL */
  const char *(*refuse)(const glia_schedule *s); /* why options do not do; NULL: they do. The
                                                    pointer may be NULL: all do */
  glia_rates (*rates)(const glia_schedule *s, const glia_schedule_point *at);
} gi_schedule_rule;

extern const gi_schedule_rule *const *const gi_schedules_table[];
const gi_schedule_rule *gi_schedule_find(const char *name);
/* As glia_schedule_rates, of a schedule that is resolved. */
glia_rates gi_schedule_rates(const glia_schedule *s, const glia_schedule_point *at);

/* For rules: N. */
static inline double gi_schedule_steps(const glia_schedule *s, const glia_schedule_point *at) {
  return (double)(s->steps > 0 ? s->steps : GI_MAX(at->steps, 1));
}
static inline glia_rates gi_rate(double lr) {
  return (glia_rates){.lr = lr, .momentum = (double)NAN};
}
/* From a to b along half a cosine, t from 0 to 1. */
static inline double gi_along_cosine(double a, double b, double t) {
  return b + (a - b) * (1 + cos(GI_PI * t)) / 2;
}

#define GI_SCHEDULE_F64(field, low, high, dflt_text, text)                              \
  GI_FIELD(F64, glia_schedule, field, .min = (low), .max = (high), .dflt = (dflt_text), \
           .doc = (text))
#define GI_SCHEDULE_I64(field, dflt_text, text) \
  GI_FIELD(I64, glia_schedule, field, .max = 1e15, .dflt = (dflt_text), .doc = (text))
#define GI_SCHEDULE_STEPS \
  GI_SCHEDULE_I64(steps, "all of the training", "length of the schedule in steps")

#endif /* GI_SCHEDULE_H */
