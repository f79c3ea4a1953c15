/* range.c - 0, 1, 2, ... of any dtype.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  CHUNK = 512,   /* numbers that are made together */
  PART = 1 << 15 /* numbers worth a thread */
};

typedef struct state {
  int64_t count;
  glia_dtype dtype;
  int threads;
  char *y; /* for the time of a run */
} state;

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->count = gi_type_count(&p->out[0]);
  s->dtype = p->out[0].dtype;
  s->threads = gi_cpu_parts(p->threads, s->count, PART);
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static void range_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * CHUNK, n = GI_MIN(CHUNK, s->count - first);
  double numbers[CHUNK];
  for (int64_t i = 0; i < n; i++) numbers[i] = (double)(first + i);
  gi_convert(GLIA_F64, numbers, s->dtype, s->y + (size_t)first * glia_dtype_size(s->dtype), n);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->y = x->out[0];
  gi_cpu_for(s->threads, (s->count + CHUNK - 1) / CHUNK, range_part, s);
  return GLIA_OK;
}

static const gi_kernel range = {
    .ops = {"range"},
    .name = "range_chunks",
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_range[] = {&range, NULL};
