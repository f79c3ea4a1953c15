/* softmax.c - softmax and log_softmax: rows where the axis is innermost, else columns side by
 * side.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 14, /* elements worth a thread: each costs an exponential */
  WIDTH = 64      /* columns of a part */
};

typedef struct state {
  int64_t outer, n, inner; /* in the order of memory */
  int64_t group, groups;   /* rows or columns of a part */
  bool logarithm;
  int threads;
  const gi_row_loops *loops;
  /* for the time of a run */
  const float *x;
  float *y;
} state;

static const char *fits(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 ? NULL : "takes f32 only";
}

/* Along the channels of an image, channels-last is as good as plain. */
static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  const bool channels = p->in[0].rank == 4 && ((const gi_axis_attr *)p->attr)->axis == 1;
  if (choice == 1) in[0] = out[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && channels);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const int64_t axis = ((const gi_axis_attr *)p->attr)->axis;
  const gi_type *t = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->n = t->dim[axis];
  s->outer = s->inner = 1;
  const bool last = p->in_layout[0] == GI_CHANNELS_LAST && t->rank == 4; /* then axis is 1 */
  for (int d = 0; d < t->rank; d++) {
    if (d == axis) continue;
    if (d < axis || last)
      s->outer *= t->dim[d];
    else
      s->inner *= t->dim[d];
  }
  s->logarithm = strcmp(p->op->name, "log_softmax") == 0;
  s->threads = gi_cpu_parts(p->threads, gi_type_count(t), PART);
  s->group = s->inner == 1 ? GI_MAX(1, 4096 / GI_MAX(1, s->n)) : WIDTH;
  const int64_t all = s->inner == 1 ? s->outer : s->inner;
  s->groups = (all + s->group - 1) / s->group;
  s->loops = gi_cpu_isa()->row;
  out->state = s;
  out->threads = s->threads;
  out->scratch = 0;
  return GLIA_OK;
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  if (s->inner == 1) {
    const int64_t last = GI_MIN((part + 1) * s->group, s->outer);
    for (int64_t r = part * s->group; r < last; r++)
      s->loops->softmax(s->x + r * s->n, s->n, s->logarithm, s->y + r * s->n);
    return;
  }
  const int64_t j = part % s->groups * s->group;
  const int64_t at = part / s->groups * s->n * s->inner + j;
  s->loops->softmax_columns(s->x + at, s->n, s->inner, GI_MIN(s->group, s->inner - j),
                            s->logarithm, s->y + at);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->y = x->out[0];
  if (s->n == 0) return GLIA_OK;
  gi_cpu_for(s->threads, s->inner == 1 ? s->groups : s->outer * s->groups, run_part, s);
  return GLIA_OK;
}

static const gi_kernel softmax = {
    .ops = {"softmax", "log_softmax"},
    .name = "softmax_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_softmax[] = {&softmax, NULL};
