/* run/plan_view.h - what there is to tell of a plan: each step with its kernel, the other ways
 * there were, times, and how near it comes to the machine's limits. As a table (glia_plan_text)
 * and as JSON.
 */
#ifndef GI_PLAN_VIEW_H
#define GI_PLAN_VIEW_H

#include "base/json.h"
#include "compile/offers.h"
#include "compile/plan.h"

typedef struct gi_other { /* a kernel that was not taken, in one of its layouts */
  const gi_kernel *kernel;
  bool channels_last; /* takes or gives some value so */
  double seconds;
  bool measured;
  const char *reason; /* why it does not fit; NULL: it does */
} gi_other;

typedef struct gi_step_view {
  const gi_step *step;
  const gi_node *node;
  gi_cost cost;
  double expected; /* seconds by which its kernel was chosen; 0: there was nothing to choose */
  bool measured;   /* they were measured, else modelled */
  double seconds;  /* in the plan, by glia_plan_time; 0: not timed */
  double share;    /* of the limit that it is nearest to, when timed */
  bool arithmetic; /* that limit is arithmetic, else memory traffic */
  gi_other *others;
  int n_others;
} gi_step_view;

typedef struct gi_plan_view {
  const glia_plan *p;
  gi_step_view *steps; /* p->n_steps */
  gi_limits limits;
  bool limits_measured;
  gi_arena arena;
} gi_plan_view;

/* To be freed, also on failure. */
glia_status gi_plan_view_new(const glia_plan *p, gi_plan_view *out);
void gi_plan_view_free(gi_plan_view *v);
gi_json *gi_plan_view_json(const gi_plan_view *v); /* owned; NULL without memory */

#endif /* GI_PLAN_VIEW_H */
