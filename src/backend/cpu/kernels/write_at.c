/* write_at.c - a part written into a tensor of any dtype; in place nothing else is touched. */
#include <inttypes.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum { PART = 1 << 18 /* bytes worth a thread */ };

typedef struct state {
  int64_t outer, n, part; /* places along the axis: of x, of the part */
  size_t bytes;           /* of all that lies at one place */
  bool wide_place;        /* i64 */
  int threads;
  /* for the time of a run */
  const char *x, *from;
  char *to;
  int64_t at;
} state;

static const char *fits(const gi_problem *p) {
  return gi_type_count(&p->out[0]) > 0 ? NULL : "there are no elements";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const int64_t axis = ((const gi_axis_attr *)p->attr)->axis;
  const gi_type *x = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->outer = 1;
  s->bytes = glia_dtype_size(x->dtype);
  for (int d = 0; d < x->rank; d++) {
    if (d < axis) s->outer *= x->dim[d];
    if (d > axis) s->bytes *= (size_t)x->dim[d];
  }
  s->n = x->dim[axis];
  s->part = p->in[1].dim[axis];
  s->wide_place = p->in[2].dtype == GLIA_I64;
  s->threads = gi_cpu_parts(p->threads, s->outer * s->part * (int64_t)s->bytes, PART);
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static void write_part(void *user, int64_t o) {
  const state *s = user;
  const size_t whole = (size_t)s->n * s->bytes, part = (size_t)s->part * s->bytes;
  char *to = s->to + (size_t)o * whole;
  if (s->to != s->x) memcpy(to, s->x + (size_t)o * whole, whole);
  memcpy(to + (size_t)s->at * s->bytes, s->from + (size_t)o * part, part);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->from = x->in[1];
  s->to = x->out[0];
  s->at = s->wide_place ? *(const int64_t *)x->in[2] : *(const int32_t *)x->in[2];
  if (s->at < 0 || s->at > s->n - s->part)
    return gi_fail(GLIA_INVALID,
                   "write_at: %" PRId64 " elements at place %" PRId64 " of an axis of %" PRId64,
                   s->part, s->at, s->n);
  gi_cpu_for(s->threads, s->outer, write_part, s);
  return GLIA_OK;
}

static const gi_kernel write_at = {
    .ops = {"write_at"},
    .name = "write_at_rows",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_write_at[] = {&write_at, NULL};
