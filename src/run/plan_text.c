/* plan_text.c - a plan as a table: what `glia plan` prints. */
#include <stdlib.h>

#include "compile/plan.h"

gi_cost gi_step_cost(const glia_plan *p, const gi_step *s) {
  const gi_node *n = &p->graph->nodes.at[s->node];
  gi_type in[64], out[GI_MAX_OUT];
  if (n->n_in > 64) return (gi_cost){0, 0};
  for (int i = 0; i < n->n_in; i++) in[i] = p->graph->values.at[n->in[i]].type;
  for (int i = 0; i < n->n_out; i++) out[i] = p->graph->values.at[n->out + (uint32_t)i].type;
  const gi_infer c = {n->n_in, in, n->attr, n->n_out, out};
  return n->op->cost != NULL ? n->op->cost(&c) : gi_default_cost(&c);
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

static void step_text(const glia_plan *p, int i, gi_str *out) {
  const gi_step *s = &p->steps[i];
  const gi_node *n = &p->graph->nodes.at[s->node];
  const gi_cost c = gi_step_cost(p, s);
  char shape[128] = "", place[32] = "";
  const gi_val *v = NULL;
  if (n->n_out > 0) {
    v = &p->graph->values.at[n->out];
    gi_type_text(&v->type, shape, sizeof shape);
    place_text(p, n->out, place, sizeof place);
  }
  gi_str_printf(out, "%4d  %-22s %-18s %-20s %-24s %-6s %12s %12.0f %14.0f\n", i, n->path,
                n->op->name, s->kernel->name, shape, v != NULL ? gi_layout_name(v->layout) : "",
                place, c.bytes, c.flops);
  for (int k = 1; k < n->n_out; k++) {
    v = &p->graph->values.at[n->out + (uint32_t)k];
    place_text(p, n->out + (uint32_t)k, place, sizeof place);
    gi_str_printf(out, "      %-22s %-18s %-20s %-24s %-6s %12s\n", "", "", "",
                  gi_type_text(&v->type, shape, sizeof shape), gi_layout_name(v->layout),
                  place);
  }
  if (s->passed != NULL) gi_str_printf(out, "      not taken: %s\n", s->passed);
}

char *glia_plan_text(const glia_plan *p) {
  gi_str out = {0};
  gi_str_printf(&out, "backend %s, %d threads\n", p->target.backend->name, p->target.threads);
  gi_str_printf(&out, "%4s  %-22s %-18s %-20s %-24s %-6s %12s %12s %14s\n", "step", "layer",
                "op", "kernel", "result", "layout", "offset", "bytes", "flops");
  for (int i = 0; i < p->n_steps; i++) step_text(p, i, &out);
  gi_str_printf(&out, "peak %zu bytes: %zu arena, %zu scratch; %.0f flops a step\n",
                glia_plan_bytes(p), p->memory.arena, p->scratch, glia_plan_flops(p));
  if (p->n_fixed > 0)
    gi_str_printf(&out, "fixed: %d steps were run when the plan was made, %zu bytes are kept\n",
                  p->n_fixed, p->memory.fixed);
  if (p->dump != NULL) gi_str_puts(&out, p->dump);
  char *text = out.failed ? NULL : strdup(out.s); /* the caller's: free() */
  gi_str_free(&out);
  return text;
}
