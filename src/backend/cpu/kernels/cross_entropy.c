/* cross_entropy.c - softmax cross entropy and its gradient, row by row (isa/rows.h).
 */
#include <inttypes.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 14, /* elements worth a thread: each costs an exponential */
  GROUP = 4096    /* elements of the rows that a part takes */
};

typedef struct state {
  int64_t rows, classes, group; /* rows of a part */
  bool wide, both;              /* targets are i64; the gradient of the logarithm counts too */
  int threads;
  const gi_row_loops *loops;
  /* for the time of a run */
  const gi_exec *x;
} state;

static const char *fits(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 ? NULL : "takes f32 only";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->rows = p->in[0].dim[0];
  s->classes = p->in[0].dim[1];
  s->group = GI_MAX(1, GROUP / s->classes);
  s->wide = p->in[1].dtype == GLIA_I64;
  s->both = p->n_in == 5;
  s->threads = gi_cpu_parts(p->threads, s->rows * s->classes, PART);
  s->loops = gi_cpu_isa()->row;
  out->state = s;
  out->threads = s->threads;
  out->scratch = 0;
  return GLIA_OK;
}

static int64_t target_of(const state *s, int64_t i) {
  return s->wide ? ((const int64_t *)s->x->in[1])[i] : ((const int32_t *)s->x->in[1])[i];
}

/* Before anything is read by them. */
static glia_status check_targets(const state *s, const char *op) {
  for (int64_t i = 0; i < s->rows; i++) {
    const int64_t t = target_of(s, i);
    if (t < 0 || t >= s->classes)
      return gi_fail(GLIA_INVALID,
                     "%s: target %" PRId64 " is %" PRId64 ", wanted 0 to %" PRId64, op, i, t,
                     s->classes - 1);
  }
  return GLIA_OK;
}

static void loss_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t last = GI_MIN((part + 1) * s->group, s->rows);
  float *loss = s->x->out[0], *logs = s->x->out[1];
  for (int64_t i = part * s->group; i < last; i++) {
    const float *x = (const float *)s->x->in[0] + i * s->classes;
    float max;
    const float log = s->loops->log_sum_exp(x, s->classes, &max);
    logs[i] = max + log;
    loss[i] = max - x[target_of(s, i)] + log; /* their sum would round a small loss off */
  }
}

static void grad_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t last = GI_MIN((part + 1) * s->group, s->rows);
  const float *logs = s->x->in[2], *dloss = s->x->in[3], *dlogs = s->both ? s->x->in[4] : NULL;
  for (int64_t i = part * s->group; i < last; i++) {
    const float *x = (const float *)s->x->in[0] + i * s->classes;
    float *dx = (float *)s->x->out[0] + i * s->classes;
    s->loops->scaled_exp(x, s->classes, logs[i], dloss[i] + (s->both ? dlogs[i] : 0), dx);
    dx[target_of(s, i)] -= dloss[i];
  }
}

static glia_status run(const gi_exec *x, const char *op, void (*part)(void *, int64_t)) {
  state *s = x->state;
  s->x = x;
  GI_TRY(check_targets(s, op));
  gi_cpu_for(s->threads, (s->rows + s->group - 1) / s->group, part, s);
  return GLIA_OK;
}

static glia_status run_loss(const gi_exec *x) { return run(x, "cross_entropy", loss_part); }
static glia_status run_grad(const gi_exec *x) {
  return run(x, "cross_entropy_grad", grad_part);
}

static const gi_kernel loss = {
    .ops = {"cross_entropy"},
    .name = "cross_entropy_vector",
    .fits = fits,
    .prepare = prepare,
    .run = run_loss,
    .release = gi_free,
};
static const gi_kernel grad = {
    .ops = {"cross_entropy_grad"},
    .name = "cross_entropy_vector",
    .fits = fits,
    .prepare = prepare,
    .run = run_grad,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_cross_entropy[] = {&loss, &grad, NULL};
