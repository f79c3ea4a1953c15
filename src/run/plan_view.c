/* plan_view.c - gathers what there is to tell of a plan. The ways in which a step could have
 * been computed are asked for again, of the graph as it was compiled and by the same times:
 * nobody keeps them while a plan is only run.
 */
#include "run/plan_view.h"

#include <math.h>

gi_cost gi_step_cost(const glia_plan *p, const gi_step *s) {
  enum { MANY = 64 };
  const gi_node *n = p->graph->nodes.at[s->node];
  gi_type types[MANY + GI_MAX_OUT];
  gi_layout layouts[MANY + GI_MAX_OUT] = {GI_PLAIN};
  if (n->n_in > MANY) return (gi_cost){0, 0};
  const gi_problem problem = gi_node_problem(p->graph, n, p->target.threads, types, layouts);
  return gi_problem_cost(&problem);
}

double glia_plan_flops(const glia_plan *p) {
  double flops = 0;
  for (int i = 0; i < p->n_steps; i++) flops += gi_step_cost(p, &p->steps[i]).flops;
  return flops;
}

/* ---- other kernels ----------------------------------------------------------------------- */

static bool is_last(const gi_node *n, const gi_offer *o) {
  bool last = false;
  for (int i = 0; i < n->n_in; i++) last |= o->in[i] == GI_CHANNELS_LAST;
  for (int k = 0; k < n->n_out; k++) last |= o->out[k] == GI_CHANNELS_LAST;
  return last;
}

typedef struct refused {
  const gi_node_offers *offers;
  gi_problem problem;
  gi_step_view *view;
  int room;
} refused;

static bool is_offered(const gi_node_offers *of, const gi_kernel *k) {
  for (int i = 0; i < of->n; i++)
    if (of->at[i].kernel == k) return true;
  return false;
}

/* An empty reason says that the kernel is for other ops. */
static bool add_refused(const gi_kernel *k, void *user) {
  refused *r = user;
  const char *reason = k->fits != NULL ? k->fits(&r->problem) : NULL;
  if (reason == NULL && k->inexact > 0 && !is_offered(r->offers, k))
    reason = "rounds worse than direct summation";
  if (reason == NULL && k->by_threads && !is_offered(r->offers, k))
    reason = "its bits depend on the number of threads";
  if (reason != NULL && reason[0] != '\0' && r->view->n_others < r->room)
    r->view->others[r->view->n_others++] = (gi_other){.kernel = k, .reason = reason};
  return true;
}

static glia_status view_others(gi_plan_view *v, gi_step_view *view, const gi_node_offers *of) {
  enum { REFUSED = 16 };
  const glia_plan *p = v->p;
  const gi_node *n = view->node;
  const size_t args = (size_t)n->n_in + (size_t)n->n_out, room = (size_t)of->n + REFUSED;
  gi_type *types = gi_arena_alloc(&v->arena, args * sizeof *types);
  gi_layout *layouts = gi_arena_alloc(&v->arena, args * sizeof *layouts);
  view->others = gi_arena_alloc(&v->arena, room * sizeof *view->others);
  if (types == NULL || layouts == NULL || view->others == NULL)
    return gi_fail_nomem(room * sizeof *view->others);
  for (int i = 0; i < of->n; i++) {
    const gi_offer *o = &of->at[i];
    if (o->kernel == n->kernel && o->choice == n->choice) {
      view->expected = o->seconds;
      view->measured = o->measured;
      continue;
    }
    view->others[view->n_others++] = (gi_other){.kernel = o->kernel,
                                                .channels_last = is_last(n, o),
                                                .seconds = o->seconds,
                                                .measured = o->measured};
  }
  refused r = {.offers = of, .view = view, .room = (int)room};
  r.problem = gi_node_problem(p->graph, n, p->target.threads, types, layouts);
  gi_kernel_each(p->target.backend, n->op, add_refused, &r);
  return GLIA_OK;
}

/* ---- the view ---------------------------------------------------------------------------- */

static void view_limit(gi_step_view *view, const gi_limits *l) {
  const double flops = view->cost.flops / l->flops, bytes = view->cost.bytes / l->bytes;
  if (view->seconds <= 0) return;
  view->arithmetic = flops > bytes;
  view->share = fmax(flops, bytes) / view->seconds;
}

static glia_status view_steps(gi_plan_view *v, const gi_offers *offers) {
  const glia_plan *p = v->p;
  v->steps = gi_arena_alloc(&v->arena, ((size_t)p->n_steps + 1) * sizeof *v->steps);
  if (v->steps == NULL) return gi_fail_nomem((size_t)p->n_steps * sizeof *v->steps);
  for (int i = 0; i < p->n_steps; i++) {
    gi_step_view *view = &v->steps[i];
    view->step = &p->steps[i];
    view->node = p->graph->nodes.at[view->step->node];
    view->cost = gi_step_cost(p, view->step);
    view->seconds = p->seconds != NULL ? p->seconds[i] : 0;
    view_limit(view, &v->limits);
    GI_TRY(view_others(v, view, &offers->node[view->step->node]));
  }
  return GLIA_OK;
}

glia_status gi_plan_view_new(const glia_plan *p, gi_plan_view *out) {
  *out = (gi_plan_view){.p = p};
  out->limits =
      gi_times_limits(&p->times, p->target.backend, p->target.threads, &out->limits_measured);
  gi_offers offers = {.g = NULL};
  bool *live = gi_alloc(p->graph->nodes.n + 1);
  glia_status s = live == NULL ? gi_fail_nomem(p->graph->nodes.n) : GLIA_OK;
  if (s == GLIA_OK) memset(live, 1, p->graph->nodes.n);
  if (s == GLIA_OK) s = gi_offers_list(p->graph, &p->target, live, &offers);
  if (s == GLIA_OK) s = view_steps(out, &offers);
  gi_offers_free(&offers);
  gi_free(live);
  return s;
}

void gi_plan_view_free(gi_plan_view *v) { gi_arena_free(&v->arena); }

/* ---- JSON -------------------------------------------------------------------------------- */

static gi_json *value_json(const glia_plan *p, uint32_t v) {
  gi_json *j = gi_json_object(), *shape = gi_json_array();
  const gi_val *val = p->graph->values.at[v];
  for (int d = 0; d < val->type.rank; d++) gi_json_add_int(shape, val->type.dim[d]);
  gi_json_set_str(j, "dtype", glia_dtype_name(val->type.dtype));
  gi_json_set(j, "shape", shape);
  gi_json_set_str(j, "layout", gi_layout_name(val->layout));
  if (p->memory.place[v].kind == GI_IN_ARENA)
    gi_json_set_int(j, "offset", (int64_t)p->memory.place[v].offset);
  return j;
}

static gi_json *other_json(const gi_other *o) {
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "kernel", o->kernel->name);
  if (o->reason != NULL) {
    gi_json_set_str(j, "reason", o->reason);
    return j;
  }
  gi_json_set_bool(j, "channels_last", o->channels_last);
  gi_json_set_num(j, "seconds", o->seconds);
  gi_json_set_bool(j, "measured", o->measured);
  return j;
}

static gi_json *step_json(const glia_plan *p, const gi_step_view *v) {
  gi_json *j = gi_json_object(), *results = gi_json_array(), *others = gi_json_array();
  gi_json_set_str(j, "layer", v->node->path);
  gi_json_set_str(j, "op", v->node->op->name);
  gi_json_set_str(j, "kernel", v->step->kernel->name);
  for (int k = 0; k < v->node->n_out; k++)
    gi_json_add(results, value_json(p, v->node->out + (uint32_t)k));
  gi_json_set(j, "results", results);
  gi_json_set_num(j, "flops", v->cost.flops);
  gi_json_set_num(j, "bytes", v->cost.bytes);
  gi_json_set_num(j, "expected_seconds", v->expected);
  gi_json_set_bool(j, "measured", v->measured);
  if (v->seconds > 0) {
    gi_json_set_num(j, "seconds", v->seconds);
    gi_json_set_str(j, "limit", v->arithmetic ? "arithmetic" : "memory");
    gi_json_set_num(j, "share_of_limit", v->share);
  }
  for (int i = 0; i < v->n_others; i++) gi_json_add(others, other_json(&v->others[i]));
  gi_json_set(j, "others", others);
  return j;
}

gi_json *gi_plan_view_json(const gi_plan_view *v) {
  const glia_plan *p = v->p;
  gi_json *j = gi_json_object(), *steps = gi_json_array(), *limits = gi_json_object();
  gi_str setup = {0};
  gi_setup_text(p->target.backend, p->target.threads, &setup);
  gi_json_set_str(j, "setup", setup.failed ? NULL : setup.s);
  gi_str_free(&setup);
  gi_json_set_num(limits, "flops", v->limits.flops);
  gi_json_set_num(limits, "bytes", v->limits.bytes);
  gi_json_set_bool(limits, "measured", v->limits_measured);
  gi_json_set(j, "limits", limits);
  for (int i = 0; i < p->n_steps; i++) gi_json_add(steps, step_json(p, &v->steps[i]));
  gi_json_set(j, "steps", steps);
  gi_json_set_int(j, "bytes", (int64_t)glia_plan_bytes(p));
  gi_json_set_num(j, "flops", glia_plan_flops(p));
  if (p->dump != NULL) gi_json_set_str(j, "dump", p->dump);
  return j;
}
