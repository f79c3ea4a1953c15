/* execute.c - runs a plan: patch the inputs' pointers, call each prepared kernel, copy the
 * ends. */
#include <math.h>

#include "compile/plan.h"

/* ---- binding ----------------------------------------------------------------------------- */

static gi_bound *find_input(glia_plan *p, const char *name) {
  for (int i = 0; i < p->n_inputs; i++)
    if (strcmp(p->inputs[i].name, name) == 0) return &p->inputs[i];
  return NULL;
}

glia_status glia_plan_bind(glia_plan *p, const char *input, const glia_tensor *t) {
  char want[128], have[128];
  gi_bound *b = find_input(p, input);
  if (b == NULL) return gi_fail(GLIA_INVALID, "bind: the plan has no input \"%s\"", input);
  const gi_type type = gi_tensor_type(t), *wanted = &p->graph->values.at[b->value]->type;
  if (!gi_type_equal(&type, wanted))
    return gi_fail(type.dtype != wanted->dtype ? GLIA_DTYPE : GLIA_SHAPE,
                   "bind: input \"%s\" is %s, got %s", input,
                   gi_type_text(wanted, want, sizeof want),
                   gi_type_text(&type, have, sizeof have));
  const void *data = NULL;
  glia_tensor *hold = NULL;
  GI_TRY(gi_tensor_dense(t, &data, &hold));
  glia_tensor_free(b->hold);
  b->hold = hold;
  b->data = data;
  return GLIA_OK;
}

static glia_status patch_inputs(glia_plan *p) {
  for (int i = 0; i < p->n_inputs; i++)
    if (p->inputs[i].data == NULL)
      return gi_fail(GLIA_INVALID, "run: nothing is bound to input \"%s\"", p->inputs[i].name);
  for (int i = 0; i < p->n_slots; i++) *p->slots[i].at = p->inputs[p->slots[i].input].data;
  return GLIA_OK;
}

/* ---- running ----------------------------------------------------------------------------- */

static const char *step_path(const glia_plan *p, const gi_step *s) {
  const gi_node *n = p->graph->nodes.at[s->node];
  return n->path[0] != '\0' ? n->path : n->op->name;
}

static glia_status not_finite(const glia_plan *p, const gi_step *s, int out, int64_t at,
                              double v) {
  const gi_node *n = p->graph->nodes.at[s->node];
  char text[128];
  const gi_type *t = &p->graph->values.at[n->out + (uint32_t)out]->type;
  return gi_fail(GLIA_DIVERGED,
                 "%s: element %lld of %s's result %s is %g; hint: a smaller learning rate, or "
                 "gradient clipping",
                 step_path(p, s), (long long)at, n->op->name,
                 gi_shape_text(t, text, sizeof text), v);
}

/* Looks at the inputs from outside first (a parameter may hold the NaN), then at the results.
 */
static glia_status check_step(const glia_plan *p, const gi_step *s) {
  const gi_node *n = p->graph->nodes.at[s->node];
  for (int k = 0; k < n->n_in; k++) {
    const gi_val *v = p->graph->values.at[n->in[k]];
    const gi_node *source = p->graph->nodes.at[v->node];
    if (source->op != &gi_op_variable && source->op != &gi_op_input) continue;
    const int64_t count = gi_type_count(&v->type);
    for (int64_t i = 0; i < count && glia_dtype_is_float(v->type.dtype); i++)
      if (!isfinite(gi_load(v->type.dtype, s->exec.in[k], i)))
        return gi_fail(GLIA_DIVERGED, "%s: element %lld of %s is %g", step_path(p, s),
                       (long long)i, ((const gi_input_attr *)source->attr)->name,
                       gi_load(v->type.dtype, s->exec.in[k], i));
  }
  for (int k = 0; k < n->n_out; k++) {
    const gi_type *t = &p->graph->values.at[n->out + (uint32_t)k]->type;
    const int64_t count = gi_type_count(t);
    for (int64_t i = 0; i < count && glia_dtype_is_float(t->dtype); i++) {
      const double v = gi_load(t->dtype, s->exec.out[k], i);
      if (!isfinite(v)) return not_finite(p, s, k, i, v);
    }
  }
  return GLIA_OK;
}

/* Steps that threads stand by for. */
typedef struct stretch {
  glia_plan *p;
  int first, last;
  bool check;
  double *seconds; /* by step: the least so far; NULL: nobody asks */
  glia_status status;
} stretch;

static void note_time(double *least, double *since) {
  const double now = gi_now();
  *least = fmin(*least, now - *since);
  *since = now;
}

static glia_status run_steps(const glia_plan *p, int first, int last, bool check,
                             double *seconds) {
  double since = seconds != NULL ? gi_now() : 0;
  for (int i = first; i < last; i++) {
    const gi_step *s = &p->steps[i];
    const glia_status status = s->kernel->run(&s->exec);
    if (status != GLIA_OK) return gi_where(status, "%s", step_path(p, s));
    if (seconds != NULL) note_time(&seconds[i], &since);
    if (check) GI_TRY(check_step(p, s));
    if (i == p->watch_step && !isfinite(gi_load(p->watch_dtype, p->watch, 0)))
      return gi_fail(GLIA_DIVERGED, "the watched value is %g",
                     gi_load(p->watch_dtype, p->watch, 0));
  }
  return GLIA_OK;
}

static void run_stretch(void *user) {
  stretch *s = user;
  s->status = run_steps(s->p, s->first, s->last, s->check, s->seconds);
}

glia_status gi_plan_execute(glia_plan *p, bool check, double *seconds) {
  GI_TRY(patch_inputs(p));
  for (int i = 0, next; i < p->n_steps; i = next) {
    stretch s = {p, i, p->steps[i].until, check, seconds, GLIA_OK};
    next = GI_MAX(s.last, i + 1);
    if (s.last > 0)
      p->target.backend->together(p->target.threads, run_stretch, &s);
    else
      s.status = run_steps(p, i, next, check, seconds);
    GI_TRY(s.status);
  }
  for (int i = 0; i < p->n_copies; i++)
    memcpy(p->copies[i].to, p->copies[i].from, p->copies[i].bytes);
  return GLIA_OK;
}

glia_status glia_plan_run(glia_plan *p) {
  GI_TRY(gi_plan_execute(p, false, NULL));
  p->clock.step++;
  return GLIA_OK;
}

glia_status glia_plan_diagnose(glia_plan *p) {
  if (p->watch_step < 0) return gi_fail(GLIA_INVALID, "diagnose: the plan watches no value");
  GI_TRY(gi_plan_execute(p, true, NULL));
  return gi_fail(GLIA_DIVERGED, "the step is finite when it is run again");
}

/* ---- results ----------------------------------------------------------------------------- */

const glia_tensor *glia_plan_output(const glia_plan *p, const char *name) {
  for (size_t i = 0; i < p->graph->roots.n; i++) {
    const gi_root *r = &p->graph->roots.at[i];
    if (r->name != NULL && strcmp(r->name, name) == 0) return p->outputs[i];
  }
  return NULL;
}

void glia_plan_clock(glia_plan *p, uint64_t seed, uint64_t step) {
  p->clock = (gi_clock){seed, step};
}

size_t glia_plan_bytes(const glia_plan *p) { return p->memory.arena + p->scratch; }

glia_status glia_eval(glia_value v, glia_tensor **out) {
  glia_plan *plan = NULL;
  glia_graph *alone = NULL;
  if (gi_null(v)) return gi_fail(GLIA_INVALID, "eval: the null value");
  GI_TRY(glia_graph_status(v.graph));
  GI_TRY(glia_graph_new(&alone));
  gi_target target = {0};
  gi_rewrite r;
  /* Only this value is wanted: a graph whose one root it is. */
  const gi_root root = {"value", v.id, GI_NO_VALUE};
  glia_graph view = *v.graph;
  view.roots.at = (gi_root[]){root};
  view.roots.n = 1;
  glia_status s = gi_rewrite_begin(&r, &view, alone, &target);
  for (uint32_t k = 0; s == GLIA_OK && k < view.nodes.n; k++)
    if (r.live[k] &&
        (view.nodes.at[k]->op != &gi_op_input || r.uses[view.nodes.at[k]->out] > 0))
      s = gi_rewrite_copy(&r, k);
  s = gi_rewrite_end(&r, s);
  if (s == GLIA_OK) s = glia_compile_opt(alone, NULL, &plan);
  if (s == GLIA_OK) s = glia_plan_run(plan);
  if (s == GLIA_OK) s = glia_tensor_copy(glia_plan_output(plan, "value"), out);
  glia_plan_free(plan);
  glia_graph_free(alone);
  return s;
}
