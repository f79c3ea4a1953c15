/* measure.h - what the benchmark programs share: clocks, a quiet machine, medians, JSON.
 *
 * The machine is shared, so each figure comes with the steadier one beside it: this process's
 * own CPU time a step, and how many cores' worth of CPU others used meanwhile.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include "base/base.h"

typedef struct cpu_time {
  double machine, own;
} cpu_time; /* busy seconds */
cpu_time read_cpu_time(void);

/* Waits until others use less than 8 % of one core for half a second, at most `limit` seconds.
 */
void wait_quiet(double limit);

/* Middle of n numbers, which are sorted in place. */
double median(double *seconds, int n);

typedef struct figures { /* of one workload */
  const char *workload;
  int threads;
  double *seconds; /* of each step */
  int steps;
  double samples, flops;   /* a step; flops as a direct algorithm would need them */
  size_t planned, process; /* bytes: of the workload by its plan; of the process without one */
  double loss;             /* after `loss_steps` steps from the seed */
  int loss_steps;
  double cpu_seconds, other_cpu; /* own CPU time of a step; cores that others kept busy */
} figures;
/* One JSON line on stdout. */
void print_figures(figures *f);

/* Ends the program with the library's message if s is a failure. */
void must(glia_status s);

#endif /* MEASURE_H */
