/* profile.h - where the time of a plan goes, kernel by kernel. */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdio.h>

#include "compile/plan.h"

/* Runs the plan for so many seconds (its inputs are bound), taking the time of each scheduled
 * kernel, and writes a table, the costly ones first: ms of the median run, share, GFLOP/s and
 * GB/s by the ops' own costs, kernel, op, layer, result. The sum is less than a step by the
 * executor's own time, which is shown beside it. */
glia_status profile_plan(glia_plan *p, double seconds, FILE *out);

#endif /* PROFILE_H */
