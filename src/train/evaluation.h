/* train/evaluation.h - what an evaluation keeps of its samples. */
#ifndef GI_EVALUATION_H
#define GI_EVALUATION_H

#include "train/metric.h"

/* Doubles in a kept row: the true class, or K targets; then the outputs. */
static inline size_t gi_kept_row(const glia_evaluation *e) {
  return (size_t)e->columns + (e->classes > 0 ? 1 : (size_t)e->columns);
}
int64_t gi_first_largest(const double *v, int n);
/* A metric that is no running sum, or is asked for with options, from the kept rows. */
glia_status gi_evaluation_whole(const glia_evaluation *e, const char *name, const gi_metric *m,
                                const glia_metric_opts *opt, double *out);

#endif /* GI_EVALUATION_H */
