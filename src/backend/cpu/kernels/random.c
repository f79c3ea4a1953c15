/* random.c - uniform, normal and whole numbers by vectors of Philox. (Dropout is elementwise.)
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  CHUNK = 4096,  /* elements that are drawn together; a multiple of 4 */
  PART = 1 << 15 /* elements worth a thread */
};

typedef struct state {
  uint64_t stream;
  int64_t count;
  float a, b;
  bool normal;
  int threads;
  const gi_chance_loops *loops;
  /* for the time of a run */
  gi_stream drawn;
  float *y;
} state;

static const char *fits(const gi_problem *p) {
  return p->out[0].dtype == GLIA_F32 ? NULL : "gives f32 only";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_random_attr *a = p->attr;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->stream = a->stream;
  s->count = gi_type_count(&p->out[0]);
  s->threads = gi_cpu_parts(p->threads, s->count, PART);
  s->loops = gi_cpu_isa()->chance;
  s->normal = strcmp(p->op->name, "random_normal") == 0;
  s->a = (float)a->a;
  s->b = (float)(s->normal ? a->b : a->b - a->a);
  out->state = s;
  out->threads = s->threads;
  out->scratch = 0;
  return GLIA_OK;
}

static void random_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * CHUNK;
  (s->normal ? s->loops->normal : s->loops->uniform)(
      &s->drawn, (uint64_t)first, GI_MIN(CHUNK, s->count - first), s->a, s->b, s->y + first);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->drawn = (gi_stream){x->clock->seed ^ s->stream, x->clock->step};
  s->y = x->out[0];
  gi_cpu_for(s->threads, (s->count + CHUNK - 1) / CHUNK, random_part, s);
  return GLIA_OK;
}

static const gi_kernel philox = {
    .ops = {"random_uniform", "random_normal"},
    .name = "philox_vector",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

/* ---- whole numbers ------------------------------------------------------------------- */

typedef struct integers {
  gi_random_integers_attr a;
  int64_t count;
  int threads;
  const gi_chance_loops *loops;
  /* for the time of a run */
  gi_stream drawn;
  char *y;
} integers;

static glia_status prepare_integers(const gi_problem *p, gi_prepared *out) {
  integers *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->a = *(const gi_random_integers_attr *)p->attr;
  s->count = gi_type_count(&p->out[0]);
  s->threads = gi_cpu_parts(p->threads, s->count, PART);
  s->loops = gi_cpu_isa()->chance;
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

/* low + the upper half of a word times their number, as gi_rng_below. */
static void integers_part(void *user, int64_t part) {
  enum { SOME = 512 };
  const integers *s = user;
  const uint64_t numbers = (uint64_t)s->a.high - (uint64_t)s->a.low;
  const glia_dtype dtype = s->a.type.dtype;
  uint32_t word[SOME + GI_WORDS];
  double value[SOME];
  for (int64_t e = part * CHUNK, last = GI_MIN(e + CHUNK, s->count); e < last; e += SOME) {
    const int64_t n = GI_MIN(SOME, last - e);
    s->loops->words(&s->drawn, (uint64_t)e, n, word);
    for (int64_t i = 0; i < n; i++) {
      const int64_t v = s->a.low + (int64_t)(word[i] * numbers >> 32);
      value[i] = (double)v;
      if (dtype == GLIA_I64) ((int64_t *)(void *)s->y)[e + i] = v;
    }
    if (dtype != GLIA_I64)
      gi_convert(GLIA_F64, value, dtype, s->y + (size_t)e * glia_dtype_size(dtype), n);
  }
}

static glia_status run_integers(const gi_exec *x) {
  integers *s = x->state;
  s->drawn = (gi_stream){x->clock->seed ^ s->a.stream, x->clock->step};
  s->y = x->out[0];
  gi_cpu_for(s->threads, (s->count + CHUNK - 1) / CHUNK, integers_part, s);
  return GLIA_OK;
}

static const gi_kernel whole = {
    .ops = {"random_integers"},
    .name = "philox_integers",
    .prepare = prepare_integers,
    .run = run_integers,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_random[] = {&philox, &whole, NULL};
