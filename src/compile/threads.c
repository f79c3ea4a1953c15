/* threads.c - how many threads a plan is worth.
 *
 * Steps of a training follow each other at once: threads that helped with one still stand by
 * for the next. Runs of a fixed plan come when somebody asks, and the first is often the only
 * one: by then threads sleep, or were never started. To wake them takes a core that is free,
 * and where none is, turns of the scheduler, milliseconds each, in which the caller waits. So
 * what is soon done on one thread is done on one.
 */
#include "compile/offers.h"

/* Seconds of a run on one thread, from which others are woken for it. */
static const double WORTH_WAKING = 1e-3;

/* By arithmetic and memory traffic alone, of what every run computes anew. */
static double run_seconds(const glia_graph *g, const gi_target *target, const bool *fixed,
                          gi_type *types, gi_layout *layouts) {
  const gi_limits one = gi_times_limits(target->times, target->backend, 1, NULL);
  double seconds = 0;
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    if (n->op->flags & (GI_SOURCE | GI_VIEW) || fixed[n->out]) continue;
    const gi_problem p = gi_node_problem(g, n, 1, types, layouts);
    seconds += gi_time(&p, &one, 1, 1);
  }
  return seconds;
}

glia_status gi_worth_threads(const glia_graph *g, const gi_target *target, int *out) {
  size_t most = 1;
  *out = target->threads;
  if (!target->fixed || target->threads == 1) return GLIA_OK;
  for (size_t k = 0; k < g->nodes.n; k++)
    most = GI_MAX(most, (size_t)g->nodes.at[k]->n_in + (size_t)g->nodes.at[k]->n_out);
  gi_type *types = gi_alloc(most * sizeof *types);
  gi_layout *layouts = gi_alloc(most * sizeof *layouts);
  bool *fixed = gi_alloc(g->values.n + 1);
  glia_status s = GLIA_OK;
  if (types == NULL || layouts == NULL || fixed == NULL) {
    s = gi_fail_nomem(most * sizeof *types);
  } else {
    gi_mark_fixed(g, true, fixed);
    if (run_seconds(g, target, fixed, types, layouts) < WORTH_WAKING) *out = 1;
  }
  gi_free(types);
  gi_free(layouts);
  gi_free(fixed);
  return s;
}
