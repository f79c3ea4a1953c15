/* cumulative.c - cumsum, cumprod and linear_scan of f32 along an axis, as one recurrence y =
 * factor y + term, neighbouring columns together; along the last axis, where each has a step of
 * its own, so many rows together that none waits for its sum. What runs along the axis is a
 * double, as in the reference.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  WIDTH = 64,    /* columns of a part */
  ROWS = 8,      /* rows of a part, along the last axis */
  PART = 1 << 14 /* elements worth a thread */
};

typedef struct state {
  int64_t outer, n, inner, groups; /* groups of columns */
  bool reverse, factor, term;
  int threads;
  /* for the time of a run */
  const float *factors, *terms;
  float *y;
} state;

static const char *fits(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 ? NULL : "takes f32 only";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_cumulative_attr *a = p->attr;
  const gi_type *t = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->n = t->dim[a->axis];
  s->outer = s->inner = 1;
  for (int d = 0; d < t->rank; d++)
    if (d < a->axis)
      s->outer *= t->dim[d];
    else if (d > a->axis)
      s->inner *= t->dim[d];
  s->groups = (s->inner + WIDTH - 1) / WIDTH;
  s->reverse = a->reverse;
  s->factor = p->op != &gi_op_cumsum;
  s->term = p->op != &gi_op_cumprod;
  s->threads = gi_cpu_parts(p->threads, gi_type_count(t), PART);
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t j = part % s->groups * WIDTH, width = GI_MIN(WIDTH, s->inner - j);
  const int64_t first = part / s->groups * s->n * s->inner + j;
  double y[WIDTH];
  for (int64_t i = 0; i < width; i++) y[i] = s->term ? 0 : 1;
  for (int64_t k = 0; k < s->n; k++) {
    const int64_t at = first + (s->reverse ? s->n - 1 - k : k) * s->inner;
    if (s->factor)
      for (int64_t i = 0; i < width; i++) y[i] *= (double)s->factors[at + i];
    if (s->term)
      for (int64_t i = 0; i < width; i++) y[i] += (double)s->terms[at + i];
    for (int64_t i = 0; i < width; i++) s->y[at + i] = (float)y[i];
  }
}

/* Rows side by side: one addition takes several cycles, and each row waits for its own. */
static inline void run_rows(const state *s, int64_t first, int rows) {
  double y[ROWS];
  const int64_t step = s->reverse ? -1 : 1, from = s->reverse ? s->n - 1 : 0;
  for (int r = 0; r < rows; r++) y[r] = s->term ? 0 : 1;
  for (int64_t k = 0; k < s->n; k++)
    for (int r = 0; r < rows; r++) {
      const int64_t at = (first + r) * s->n + from + k * step;
      if (s->factor) y[r] *= (double)s->factors[at];
      if (s->term) y[r] += (double)s->terms[at];
      s->y[at] = (float)y[r];
    }
}

static void run_rows_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * ROWS;
  if (first + ROWS <= s->outer)
    run_rows(s, first, ROWS);
  else
    for (int64_t r = first; r < s->outer; r++) run_rows(s, r, 1);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->factors = x->in[0];
  s->terms = x->in[s->factor && s->term ? 1 : 0];
  s->y = x->out[0];
  if (s->inner == 1)
    gi_cpu_for(s->threads, (s->outer + ROWS - 1) / ROWS, run_rows_part, s);
  else
    gi_cpu_for(s->threads, s->outer * s->groups, run_part, s);
  return GLIA_OK;
}

static const gi_kernel cumulative = {
    .ops = {"cumsum", "cumprod", "linear_scan"},
    .name = "cumulative_columns",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_cumulative[] = {&cumulative, NULL};
