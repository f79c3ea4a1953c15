/* triangle.c - tril and triu of any dtype: of each row a part is copied and the rest cleared.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum { PART_BYTES = 1 << 17 /* worth a thread */ };

typedef struct state {
  int64_t rows, m, n, diagonal, each, parts; /* rows a part */
  size_t size;
  bool upper;
  int threads;
  /* for the time of a run */
  const char *x;
  char *y;
} state;

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_type *t = &p->in[0];
  const int64_t bytes = (int64_t)gi_type_bytes(t);
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->m = t->dim[t->rank - 2];
  s->n = t->dim[t->rank - 1];
  s->rows = s->n > 0 ? gi_type_count(t) / s->n : 0;
  s->diagonal = ((const gi_triangle_attr *)p->attr)->diagonal;
  s->diagonal = GI_MAX(-s->m, GI_MIN(s->diagonal, s->n));
  s->upper = p->op == &gi_op_triu;
  s->size = glia_dtype_size(t->dtype);
  s->threads = gi_cpu_parts(p->threads, bytes, PART_BYTES);
  s->each = GI_MAX(1, PART_BYTES / GI_MAX(1, s->n * (int64_t)s->size));
  s->parts = (s->rows + s->each - 1) / s->each;
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

/* x and the result may be the same memory. */
static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t last = GI_MIN(s->rows, (part + 1) * s->each);
  for (int64_t row = part * s->each; row < last; row++) {
    const int64_t edge = row % s->m + s->diagonal + (s->upper ? 0 : 1);
    const int64_t cut = GI_MAX(0, GI_MIN(edge, s->n)); /* zeros before it, or from it on */
    const size_t from = s->upper ? (size_t)cut * s->size : 0;
    const size_t to = (size_t)(s->upper ? s->n : cut) * s->size;
    const size_t at = (size_t)(row * s->n) * s->size;
    memset(s->y + at, 0, from);
    if (s->x != s->y) memcpy(s->y + at + from, s->x + at + from, to - from);
    memset(s->y + at + to, 0, (size_t)s->n * s->size - to);
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->y = x->out[0];
  gi_cpu_for(s->threads, s->parts, run_part, s);
  return GLIA_OK;
}

static const gi_kernel triangle = {
    .ops = {"tril", "triu"},
    .name = "triangle_rows",
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_triangle[] = {&triangle, NULL};
