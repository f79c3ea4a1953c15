/* plan_time.c - how long each step of a plan takes where it stands, with the caches as the step
 * before it leaves them.
 *
 * Inputs that nobody bound get numbers of no meaning; a step that is timed is a step, variables
 * change. Of each kernel counts the shortest time: neighbours on the machine only ever add.
 */
#include <math.h>

#include "compile/plan.h"

/* Small numbers of both signs; scalars and integers are 0, so that a learning rate teaches
 * nothing and an index is one. */
static void fill(const gi_type *t, void *to) {
  const int64_t n = gi_type_count(t);
  for (int64_t i = 0; i < n; i++)
    gi_store(
        t->dtype, to, i,
        glia_dtype_is_float(t->dtype) && t->rank > 0 ? (double)(i * 37 % 101 - 50) / 50 : 0);
}

static glia_status bind_missing(glia_plan *p) {
  for (int i = 0; i < p->n_inputs; i++) {
    gi_bound *b = &p->inputs[i];
    if (b->data != NULL) continue;
    const gi_type *t = &p->graph->values.at[b->value]->type;
    GI_TRY(gi_tensor_new(t, &b->hold));
    fill(t, glia_tensor_data(b->hold));
    b->data = glia_tensor_data(b->hold);
  }
  return GLIA_OK;
}

glia_status glia_plan_time(glia_plan *p, double seconds) {
  enum { LEAST = 3 };
  double *best = gi_alloc(((size_t)p->n_steps + 1) * sizeof *best);
  if (best == NULL) return gi_fail_nomem((size_t)p->n_steps * sizeof *best);
  for (int i = 0; i < p->n_steps; i++) best[i] = INFINITY;
  glia_status s = bind_missing(p);
  const double end = gi_now() + seconds;
  for (int n = 0; s == GLIA_OK && (n < LEAST || gi_now() < end); n++) {
    s = gi_plan_execute(p, false, best);
    p->clock.step++;
  }
  if (s != GLIA_OK) {
    gi_free(best);
    return s;
  }
  gi_free(p->seconds);
  p->seconds = best;
  return GLIA_OK;
}
