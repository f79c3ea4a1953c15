/* write_rows.c - rows of any dtype written over by index; in place nothing else is touched.
 *
 * All indices that count are checked before anything is written. A row that is named twice
 * holds what came last, whatever the threads: parts are blocks of bytes within the rows.
 */
#include <inttypes.h>

#include "backend/cpu/cpu.h"
#include "ops/rows.h"

enum {
  PART = 1 << 16, /* bytes worth a thread */
  BLOCK = 1 << 9  /* bytes of a row that are written together */
};

typedef struct state {
  int64_t all, n;       /* rows: of x, named at most */
  int64_t bytes, parts; /* of a row */
  bool wide;            /* indices are i64, else i32 */
  int threads;
  /* for the time of a run */
  const void *index;
  const char *from;
  char *to;
  int64_t count;
} state;

static const char *fits(const gi_problem *p) {
  return gi_type_count(&p->out[0]) > 0 ? NULL : "there are no elements";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_type *x = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->all = x->dim[0];
  s->n = p->in[1].dim[0];
  s->bytes = (int64_t)gi_type_bytes(x) / s->all;
  s->parts = (s->bytes + BLOCK - 1) / BLOCK;
  s->wide = p->in[1].dtype == GLIA_I64;
  s->threads = gi_cpu_parts(p->threads, s->n * s->bytes, PART);
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static inline int64_t index_at(const state *s, int64_t i) {
  return s->wide ? ((const int64_t *)s->index)[i] : ((const int32_t *)s->index)[i];
}

static glia_status check(const state *s) {
  if (s->count < 0 || s->count > s->n)
    return gi_fail(GLIA_INVALID, "write_rows: the count is %" PRId64 ", of %" PRId64 " rows",
                   s->count, s->n);
  for (int64_t i = 0; i < s->count; i++) {
    const int64_t at = index_at(s, i);
    if (at < 0 || at >= s->all)
      return gi_fail(GLIA_INVALID,
                     "write_rows: index %" PRId64 " at position %" PRId64
                     " is not in 0 .. %" PRId64,
                     at, i, s->all - 1);
  }
  return GLIA_OK;
}

static void write_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * BLOCK, bytes = GI_MIN(s->bytes - first, BLOCK);
  for (int64_t i = 0; i < s->count; i++)
    memcpy(s->to + index_at(s, i) * s->bytes + first, s->from + i * s->bytes + first,
           (size_t)bytes);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->index = x->in[1];
  s->from = x->in[2];
  s->count = *(const int64_t *)x->in[3];
  s->to = x->out[0];
  GI_TRY(check(s));
  if (x->out[0] != x->in[0]) memcpy(s->to, x->in[0], (size_t)(s->all * s->bytes));
  gi_cpu_for(s->threads, s->parts, write_part, s);
  return GLIA_OK;
}

static const gi_kernel write_rows = {
    .ops = {"write_rows"},
    .name = "write_rows_over",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_write_rows[] = {&write_rows, NULL};
