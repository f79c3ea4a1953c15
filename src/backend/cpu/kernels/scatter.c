/* scatter.c - scatter of f32 where the index is as large as x on all axes but its own.
 *
 * All indices are checked before anything is written by them; the first that is out of range is
 * reported with its position. What meets at one place is combined in the order of the indices,
 * by one thread: parts are blocks of columns.
 */
#include <inttypes.h>

#include "backend/cpu/cpu.h"
#include "glia/index.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 14, /* elements worth a thread */
  WIDTH = 128     /* columns of a part */
};

typedef struct state {
  glia_scatter_mode mode;
  bool wide;                      /* indices are i64, else i32 */
  int64_t outer, n, count, inner; /* x is [outer, n, inner], index [outer, count, inner] */
  int64_t widths;
  int threads;
  /* for the time of a run */
  const void *index;
  const float *x, *updates;
  float *y;
} state;

static const char *fits(const gi_problem *p) {
  const gi_scatter_attr *a = p->attr;
  const gi_type *x = &p->in[0], *index = &p->in[1];
  if (x->dtype != GLIA_F32) return "takes f32 only";
  for (int d = 0; d < x->rank; d++)
    if (d != a->axis && x->dim[d] != index->dim[d]) return "the index is smaller than x";
  return NULL;
}

static glia_scatter_mode mode_of(const char *name) {
  return strcmp(name, "set") == 0   ? GLIA_SCATTER_SET
         : strcmp(name, "add") == 0 ? GLIA_SCATTER_ADD
         : strcmp(name, "mul") == 0 ? GLIA_SCATTER_MUL
         : strcmp(name, "max") == 0 ? GLIA_SCATTER_MAX
                                    : GLIA_SCATTER_MIN;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_scatter_attr *a = p->attr;
  const gi_type *x = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->mode = mode_of(a->mode);
  s->wide = p->in[1].dtype == GLIA_I64;
  s->outer = s->inner = 1;
  for (int d = 0; d < x->rank; d++)
    if (d < a->axis)
      s->outer *= x->dim[d];
    else if (d > a->axis)
      s->inner *= x->dim[d];
  s->n = x->dim[a->axis];
  s->count = p->in[1].dim[a->axis];
  s->widths = (s->inner + WIDTH - 1) / WIDTH;
  s->threads = gi_cpu_parts(p->threads, s->outer * (s->n + s->count) * s->inner, PART);
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static inline int64_t index_at(const state *s, int64_t i) {
  return s->wide ? ((const int64_t *)s->index)[i] : ((const int32_t *)s->index)[i];
}

static glia_status check(const state *s) {
  const int64_t count = s->outer * s->count * s->inner;
  for (int64_t e = 0; e < count; e++) {
    const int64_t at = index_at(s, e);
    if (at < 0 || at >= s->n)
      return gi_fail(GLIA_INVALID,
                     "scatter: index %" PRId64 " at position %" PRId64
                     " is not in 0 .. %" PRId64,
                     at, e, s->n - 1);
  }
  return GLIA_OK;
}

static inline float combined(glia_scatter_mode mode, float a, float b) {
  switch (mode) {
    case GLIA_SCATTER_SET: return b;
    case GLIA_SCATTER_ADD: return a + b;
    case GLIA_SCATTER_MUL: return a * b;
    case GLIA_SCATTER_MAX: return b > a || b != b ? b : a;
    default: return b < a || b != b ? b : a;
  }
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t o = part / s->widths, first = part % s->widths * WIDTH;
  const int64_t last = GI_MIN(first + WIDTH, s->inner);
  float *y = s->y + o * s->n * s->inner;
  for (int64_t r = 0; r < s->n; r++)
    memcpy(y + r * s->inner + first, s->x + (o * s->n + r) * s->inner + first,
           (size_t)(last - first) * sizeof *y);
  for (int64_t e = 0; e < s->count; e++) {
    const int64_t row = (o * s->count + e) * s->inner;
    for (int64_t i = first; i < last; i++) {
      float *to = y + index_at(s, row + i) * s->inner + i;
      *to = combined(s->mode, *to, s->updates[row + i]);
    }
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->index = x->in[1];
  s->updates = x->in[2];
  s->y = x->out[0];
  GI_TRY(check(s));
  gi_cpu_for(s->threads, s->outer * s->widths, run_part, s);
  return GLIA_OK;
}

static const gi_kernel scatter = {
    .ops = {"scatter"},
    .name = "scatter_columns",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_scatter[] = {&scatter, NULL};
