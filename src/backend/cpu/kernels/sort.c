/* sort.c - sort of f32 along an axis.
 *
 * An element and its place become one whole number of 64 bits, the element's order above the
 * place: so numbers compare as elements do, equals by their place, and no two are the same.
 * Rows are sorted by their bytes (radix: four passes that count and move); of a short beginning
 * of the order only the best so far are kept, in a heap.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 12, /* elements worth a thread */
  SHORT = 48,     /* sorted by insertion */
  FEW = 8         /* a heap, where the order is wanted up to this part of the row */
};

typedef struct state {
  int64_t outer, n, inner, count, rows;
  bool descending;
  int threads;
  int64_t parts;
  size_t room; /* bytes of a part: two rows of numbers */
  /* for the time of a run */
  const float *x;
  float *values;
  int64_t *index;
  char *scratch;
} state;

static const char *fits(const gi_problem *p) {
  const gi_sort_attr *a = p->attr;
  if (p->in[0].dtype != GLIA_F32) return "takes f32 only";
  return p->in[0].dim[a->axis] <= UINT32_MAX ? NULL : "takes axes below 2^32";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_sort_attr *a = p->attr;
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
  s->count = a->count;
  s->rows = s->outer * s->inner;
  s->descending = a->descending;
  s->threads = gi_cpu_parts(p->threads, gi_type_count(t), PART);
  s->parts = GI_MIN(s->threads, s->rows);
  s->room = ((size_t)s->n * 2 * sizeof(uint64_t) + 63) / 64 * 64;
  out->state = s;
  out->threads = s->threads;
  out->scratch = (size_t)s->parts * s->room;
  return GLIA_OK;
}

/* ---- elements as whole numbers ---------------------------------------------------------- */

/* Ascending as floats are; zeros of both signs alike, NaN the largest. */
static inline uint32_t order_of(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  if (v != v) return UINT32_MAX;
  if (v == 0) bits = 0;
  return bits >> 31 != 0 ? ~bits : bits | 1u << 31;
}

static inline uint64_t number_of(const state *s, float v, int64_t at) {
  const uint32_t order = order_of(v);
  return (uint64_t)(s->descending ? ~order : order) << 32 | (uint64_t)at;
}

/* ---- sorting ---------------------------------------------------------------------------- */

static void insert_all(uint64_t *a, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    const uint64_t v = a[i];
    int64_t j = i;
    for (; j > 0 && a[j - 1] > v; j--) a[j] = a[j - 1];
    a[j] = v;
  }
}

/* The places are in order already, so the bytes of the element are all that is looked at. */
static void by_bytes(uint64_t *a, uint64_t *other, int64_t n) {
  uint32_t begin[4][256] = {{0}};
  for (int64_t i = 0; i < n; i++)
    for (int b = 0; b < 4; b++) begin[b][a[i] >> (32 + 8 * b) & 255]++;
  for (int b = 0; b < 4; b++) {
    uint32_t sum = 0;
    for (int k = 0; k < 256; k++) {
      const uint32_t c = begin[b][k];
      begin[b][k] = sum;
      sum += c;
    }
    for (int64_t i = 0; i < n; i++) other[begin[b][a[i] >> (32 + 8 * b) & 255]++] = a[i];
    uint64_t *const swap = a; /* after four passes it is back where it was */
    a = other;
    other = swap;
  }
}

static void sink(uint64_t *heap, int64_t n, int64_t i, uint64_t v) {
  for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
    if (child + 1 < n && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= v) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = v;
}

/* The `count` smallest of a, in order, at its beginning: a heap whose top is the largest. */
static void smallest(uint64_t *a, int64_t n, int64_t count) {
  for (int64_t i = count / 2; i-- > 0;) sink(a, count, i, a[i]);
  for (int64_t i = count; i < n; i++)
    if (a[i] < a[0]) sink(a, count, 0, a[i]);
  for (int64_t m = count; m-- > 1;) {
    const uint64_t v = a[m];
    a[m] = a[0];
    sink(a, m, 0, v);
  }
}

static void sort_row(const state *s, int64_t row, uint64_t *a) {
  const int64_t o = row / s->inner, i = row % s->inner;
  const float *x = s->x + o * s->n * s->inner + i;
  for (int64_t e = 0; e < s->n; e++) a[e] = number_of(s, x[e * s->inner], e);
  if (s->n <= SHORT)
    insert_all(a, s->n);
  else if (s->count <= s->n / FEW)
    smallest(a, s->n, s->count);
  else
    by_bytes(a, a + s->n, s->n);
  for (int64_t e = 0; e < s->count; e++) {
    const int64_t at = (int64_t)(a[e] & UINT32_MAX), to = (o * s->count + e) * s->inner + i;
    s->values[to] = x[at * s->inner];
    s->index[to] = at;
  }
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  uint64_t *a = (uint64_t *)(void *)(s->scratch + (size_t)part * s->room);
  const int64_t last = (part + 1) * s->rows / s->parts;
  for (int64_t row = part * s->rows / s->parts; row < last; row++) sort_row(s, row, a);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->values = x->out[0];
  s->index = x->out[1];
  s->scratch = x->scratch;
  if (s->count > 0) gi_cpu_for(s->threads, s->parts, run_part, s);
  return GLIA_OK;
}

static const gi_kernel sort = {
    .ops = {"sort"},
    .name = "sort_bytes",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_sort[] = {&sort, NULL};
