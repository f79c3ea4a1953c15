/* plan_text.c - a plan as a table: what `glia plan` prints. Of times, those with a "~" are
 * modelled, the others were measured.
 */
#include <stdlib.h>

#include "run/plan_view.h"

static void place_text(const glia_plan *p, uint32_t v, char *buf, size_t n) {
  const gi_place *place = &p->memory.place[v];
  static const char *const kinds[] = {"arena", "input", "store", "fixed", "constant"};
  if (place->kind == GI_IN_ARENA)
    snprintf(buf, n, "%zu", place->offset);
  else
    snprintf(buf, n, "%s", kinds[place->kind]);
}

/* "1.23 ms", "~456 us" */
static const char *time_text(double seconds, bool measured, char *buf, size_t n) {
  const double scale = seconds >= 1 ? 1 : seconds >= 1e-3 ? 1e3 : 1e6, v = seconds * scale;
  const char *unit = seconds >= 1 ? "s" : seconds >= 1e-3 ? "ms" : "us";
  snprintf(buf, n, "%s%.*f %s", measured ? "" : "~", v < 10 ? 2 : v < 100 ? 1 : 0, v, unit);
  return buf;
}

/* The time it took in the plan, or is expected to take; and the limit it comes near. */
static void speed_text(const gi_step_view *v, gi_str *out) {
  char text[32];
  if (v->seconds > 0)
    gi_str_printf(out, " %9s %4.0f %% %s", time_text(v->seconds, true, text, sizeof text),
                  100 * v->share, v->arithmetic ? "arithmetic" : "memory");
  else if (v->expected > 0)
    gi_str_printf(out, " %9s", time_text(v->expected, v->measured, text, sizeof text));
}

static void others_text(const gi_step_view *v, gi_str *out) {
  char text[32];
  if (v->n_others > 0) gi_str_puts(out, "      not taken: ");
  for (int i = 0; i < v->n_others; i++) {
    const gi_other *o = &v->others[i];
    gi_str_printf(out, "%s%s", i > 0 ? "; " : "", o->kernel->name);
    if (o->reason != NULL)
      gi_str_printf(out, ": %s", o->reason);
    else
      gi_str_printf(out, "%s %s", o->channels_last ? " nhwc" : "",
                    time_text(o->seconds, o->measured, text, sizeof text));
  }
  if (v->n_others > 0) gi_str_puts(out, "\n");
}

static void step_text(const glia_plan *p, int i, const gi_step_view *view, gi_str *out) {
  const gi_node *n = view->node;
  char shape[128] = "", place[32] = "";
  const char *layout = "";
  if (n->n_out > 0) {
    const gi_val *v = p->graph->values.at[n->out];
    gi_type_text(&v->type, shape, sizeof shape);
    layout = gi_layout_name(v->layout);
    place_text(p, n->out, place, sizeof place);
  }
  gi_str_printf(out, "%4d  %-22s %-18s %-20s %-24s %-6s %12s %12.0f %14.0f", i, n->path,
                n->op->name, view->step->kernel->name, shape, layout, place, view->cost.bytes,
                view->cost.flops);
  speed_text(view, out);
  gi_str_puts(out, "\n");
  for (int k = 1; k < n->n_out; k++) {
    const gi_val *v = p->graph->values.at[n->out + (uint32_t)k];
    place_text(p, n->out + (uint32_t)k, place, sizeof place);
    gi_str_printf(out, "      %-22s %-18s %-20s %-24s %-6s %12s\n", "", "", "",
                  gi_type_text(&v->type, shape, sizeof shape), gi_layout_name(v->layout),
                  place);
  }
  others_text(view, out);
}

static void head_text(const gi_plan_view *v, gi_str *out) {
  const gi_target *t = &v->p->target;
  gi_str_puts(out, "backend ");
  gi_setup_text(t->backend, t->threads, out);
  gi_str_printf(out, "; limits, %s: %.0f GFLOP/s, %.1f GB/s\n",
                v->limits_measured ? "measured" : "assumed", v->limits.flops * 1e-9,
                v->limits.bytes * 1e-9);
  gi_str_printf(out, "%4s  %-22s %-18s %-20s %-24s %-6s %12s %12s %14s %9s%s\n", "step",
                "layer", "op", "kernel", "result", "layout", "offset", "bytes", "flops", "time",
                v->p->seconds != NULL ? " of its limit" : "");
}

static void foot_text(const glia_plan *p, gi_str *out) {
  char text[32];
  double seconds = 0;
  gi_str_printf(out, "peak %zu bytes: %zu arena, %zu scratch; %.0f flops a step\n",
                glia_plan_bytes(p), p->memory.arena, p->scratch, glia_plan_flops(p));
  for (int i = 0; i < p->n_steps && p->seconds != NULL; i++) seconds += p->seconds[i];
  if (seconds > 0)
    gi_str_printf(out, "all kernels together %s\n",
                  time_text(seconds, true, text, sizeof text));
  if (p->recomputed.values > 0)
    gi_str_printf(out,
                  "recomputed: %d values are computed a second time, about %.0f %% more work\n",
                  p->recomputed.values, 100 * p->recomputed.share);
  if (p->n_fixed > 0)
    gi_str_printf(out, "fixed: %d steps were run when the plan was made, %zu bytes are kept\n",
                  p->n_fixed, p->fixed_kept);
  if (p->kept > 0) gi_str_printf(out, "kernels keep %zu bytes of packed weights\n", p->kept);
  if (p->dump != NULL) gi_str_puts(out, p->dump);
}

char *glia_plan_text(const glia_plan *p) {
  gi_plan_view view;
  gi_str out = {0};
  const glia_status s = gi_plan_view_new(p, &view);
  if (s == GLIA_OK) {
    head_text(&view, &out);
    for (int i = 0; i < p->n_steps; i++) step_text(p, i, &view.steps[i], &out);
    foot_text(p, &out);
  }
  gi_plan_view_free(&view);
  char *text = s != GLIA_OK || out.failed ? NULL : strdup(out.s); /* the caller's: free() */
  gi_str_free(&out);
  return text;
}
