/* plan_text.c - a plan as a table: what `glia plan` prints. */
#include <stdlib.h>

#include "compile/offers.h"
#include "compile/plan.h"

enum { MANY = 64 };

gi_cost gi_step_cost(const glia_plan *p, const gi_step *s) {
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

static void place_text(const glia_plan *p, uint32_t v, char *buf, size_t n) {
  const gi_place *place = &p->memory.place[v];
  static const char *const kinds[] = {"arena", "input", "store", "fixed", "constant"};
  if (place->kind == GI_IN_ARENA)
    snprintf(buf, n, "%zu", place->offset);
  else
    snprintf(buf, n, "%s", kinds[place->kind]);
}

/* ---- what else there was ----------------------------------------------------------------- */

typedef struct others {
  const glia_plan *p;
  const gi_node *n;
  gi_problem problem;
  gi_str text;
} others;

/* A kernel that does not fit, with its reason, or its choices, with their times. An empty
 * reason says that the kernel is for other ops. */
static bool add_kernel(const gi_kernel *k, void *user) {
  others *o = user;
  gi_layout in[MANY], out[GI_MAX_OUT];
  const char *reason = k->fits != NULL ? k->fits(&o->problem) : NULL;
  if (reason != NULL && reason[0] != '\0')
    gi_str_printf(&o->text, "%s%s: %s", o->text.n > 0 ? "; " : "", k->name, reason);
  if (reason != NULL) return true;
  o->problem.in_layout = in;
  o->problem.out_layout = out;
  for (int c = 0; gi_kernel_layouts(k, &o->problem, c, in, out); c++) {
    if (k == o->n->kernel && c == o->n->choice) continue;
    bool last = false;
    for (int i = 0; i < o->n->n_in; i++) last |= in[i] != GI_PLAIN;
    gi_str_printf(&o->text, "%s%s%s %.1f us", o->text.n > 0 ? "; " : "", k->name,
                  last ? " nhwc" : "",
                  1e6 * gi_kernel_cost(k, &o->problem, &o->p->target.limits));
  }
  return true;
}

static void others_text(const glia_plan *p, const gi_node *n, gi_str *out) {
  gi_type types[MANY + GI_MAX_OUT];
  gi_layout layouts[MANY + GI_MAX_OUT] = {GI_PLAIN};
  if (n->n_in > MANY) return;
  others o = {.p = p, .n = n};
  o.problem = gi_node_problem(p->graph, n, p->target.threads, types, layouts);
  gi_kernel_each(p->target.backend, n->op, add_kernel, &o);
  if (o.text.n > 0) gi_str_printf(out, "      not taken: %s\n", o.text.s);
  gi_str_free(&o.text);
}

static void step_text(const glia_plan *p, int i, gi_str *out) {
  const gi_step *s = &p->steps[i];
  const gi_node *n = p->graph->nodes.at[s->node];
  const gi_cost c = gi_step_cost(p, s);
  char shape[128] = "", place[32] = "";
  const char *layout = "";
  if (n->n_out > 0) {
    const gi_val *v = p->graph->values.at[n->out];
    gi_type_text(&v->type, shape, sizeof shape);
    layout = gi_layout_name(v->layout);
    place_text(p, n->out, place, sizeof place);
  }
  gi_str_printf(out, "%4d  %-22s %-18s %-20s %-24s %-6s %12s %12.0f %14.0f\n", i, n->path,
                n->op->name, s->kernel->name, shape, layout, place, c.bytes, c.flops);
  for (int k = 1; k < n->n_out; k++) {
    const gi_val *v = p->graph->values.at[n->out + (uint32_t)k];
    place_text(p, n->out + (uint32_t)k, place, sizeof place);
    gi_str_printf(out, "      %-22s %-18s %-20s %-24s %-6s %12s\n", "", "", "",
                  gi_type_text(&v->type, shape, sizeof shape), gi_layout_name(v->layout),
                  place);
  }
  others_text(p, n, out);
}

char *glia_plan_text(const glia_plan *p) {
  gi_str out = {0};
  gi_str_printf(&out, "backend %s, %d threads\n", p->target.backend->name, p->target.threads);
  gi_str_printf(&out, "%4s  %-22s %-18s %-20s %-24s %-6s %12s %12s %14s\n", "step", "layer",
                "op", "kernel", "result", "layout", "offset", "bytes", "flops");
  for (int i = 0; i < p->n_steps; i++) step_text(p, i, &out);
  gi_str_printf(&out, "peak %zu bytes: %zu arena, %zu scratch; %.0f flops a step\n",
                glia_plan_bytes(p), p->memory.arena, p->scratch, glia_plan_flops(p));
  if (p->recomputed.values > 0)
    gi_str_printf(&out,
                  "recomputed: %d values are computed a second time, about %.0f %% more work\n",
                  p->recomputed.values, 100 * p->recomputed.share);
  if (p->n_fixed > 0)
    gi_str_printf(&out, "fixed: %d steps were run when the plan was made, %zu bytes are kept\n",
                  p->n_fixed, p->memory.fixed);
  if (p->kept > 0) gi_str_printf(&out, "kernels keep %zu bytes of packed weights\n", p->kept);
  if (p->dump != NULL) gi_str_puts(&out, p->dump);
  char *text = out.failed ? NULL : strdup(out.s); /* the caller's: free() */
  gi_str_free(&out);
  return text;
}
