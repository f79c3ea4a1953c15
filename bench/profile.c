/* profile.c - steps through a plan as the executor does, with a clock around every kernel. With
 * one thread it is that thread's own clock, which neighbours on the machine do not disturb.
 */
#include "profile.h"

#include <stdlib.h>
#include <time.h>

#include "measure.h"

enum { MAX_RUNS = 2000 };

typedef struct row {
  int step;
  double *seconds, middle;
} row;

static double clock_of(const glia_plan *p) {
  struct timespec t;
  clock_gettime(p->target.threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static glia_status run_once(glia_plan *p, row *rows, int run) {
  double t = clock_of(p);
  for (int i = 0; i < p->n_steps; i++) {
    GI_TRY(p->steps[i].kernel->run(&p->steps[i].exec));
    const double now = clock_of(p);
    rows[i].seconds[run] = now - t;
    t = now;
  }
  for (int i = 0; i < p->n_copies; i++)
    memcpy(p->copies[i].to, p->copies[i].from, p->copies[i].bytes);
  p->clock.step++;
  return GLIA_OK;
}

static int costly_first(const void *a, const void *b) {
  const row *x = a, *y = b;
  return x->middle > y->middle ? -1 : x->middle < y->middle ? 1 : x->step - y->step;
}

static void print_row(const glia_plan *p, const row *r, double total, FILE *out) {
  const gi_step *s = &p->steps[r->step];
  const gi_node *n = p->graph->nodes.at[s->node];
  const gi_cost c = gi_step_cost(p, s);
  char shape[128] = "";
  if (n->n_out > 0) {
    const gi_type *t = &p->graph->values.at[n->out]->type;
    gi_type_text(t, shape, sizeof shape);
  }
  fprintf(out, "%4d %9.4f %5.1f%% %8.1f %7.1f  %-24s %-20s %-26s %s %s\n", r->step,
          r->middle * 1e3, 100 * r->middle / total, c.flops / r->middle * 1e-9,
          c.bytes / r->middle * 1e-9, s->kernel->name, n->op->name, n->path, shape,
          n->n_out > 0 ? gi_layout_name(p->graph->values.at[n->out]->layout) : "");
}

static glia_status measure_rows(glia_plan *p, row *rows, double seconds, int *runs,
                                double *whole) {
  double *wholes = gi_alloc(MAX_RUNS * sizeof *wholes);
  const double end = gi_now() + seconds;
  glia_status s = wholes == NULL ? gi_fail_nomem(MAX_RUNS * sizeof *wholes) : GLIA_OK;
  for (*runs = 0; s == GLIA_OK && *runs < MAX_RUNS && (*runs < 5 || gi_now() < end); ++*runs) {
    const double t = clock_of(p);
    s = run_once(p, rows, *runs);
    wholes[*runs] = clock_of(p) - t;
  }
  if (s == GLIA_OK) *whole = median(wholes, *runs);
  gi_free(wholes);
  return s;
}

static void print_table(const glia_plan *p, row *rows, int runs, double whole, FILE *out) {
  double total = 0;
  for (int i = 0; i < p->n_steps; i++) {
    rows[i].middle = median(rows[i].seconds, runs);
    total += rows[i].middle;
  }
  qsort(rows, (size_t)p->n_steps, sizeof *rows, costly_first);
  fprintf(out, "%4s %9s %6s %8s %7s  %-24s %-20s %-26s %s\n", "step", "ms", "share", "GFLOP/s",
          "GB/s", "kernel", "op", "layer", "result");
  for (int i = 0; i < p->n_steps; i++) print_row(p, &rows[i], total, out);
  fprintf(out, "%d kernels, %d copies, %d runs: median step %.4f ms, kernels %.4f ms\n",
          p->n_steps, p->n_copies, runs, whole * 1e3, total * 1e3);
}

glia_status profile_plan(glia_plan *p, double seconds, FILE *out) {
  const size_t n = (size_t)GI_MAX(p->n_steps, 1);
  row *rows = gi_alloc(n * sizeof *rows);
  double *times = gi_alloc(n * MAX_RUNS * sizeof *times), whole = 0;
  int runs = 0;
  glia_status s = rows == NULL || times == NULL ? gi_fail_nomem(n * MAX_RUNS * sizeof *times)
                                                : glia_plan_run(p); /* patches the inputs */
  for (int i = 0; s == GLIA_OK && i < p->n_steps; i++)
    rows[i] = (row){i, times + (size_t)i * MAX_RUNS, 0};
  if (s == GLIA_OK) s = measure_rows(p, rows, seconds, &runs, &whole);
  if (s == GLIA_OK) print_table(p, rows, runs, whole, out);
  gi_free(rows);
  gi_free(times);
  return s;
}
