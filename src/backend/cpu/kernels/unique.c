/* unique.c - the different elements of whole numbers.
 *
 * Elements go through a sort by their bytes, least first (radix), which keeps equals in their
 * order. Bytes that all elements share move nothing: indices below 65536 take two passes. The
 * sign is turned, so that negative numbers come first.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum { BYTES = 8, VALUES = 256 };

typedef struct element {
  uint64_t key;
  int64_t at;
} element;

typedef struct state {
  int64_t n;
  bool wide; /* i64, else i32 */
} state;

static const char *fits(const gi_problem *p) {
  const glia_dtype t = p->in[0].dtype;
  return t == GLIA_I64 || t == GLIA_I32 ? NULL : "takes i64 and i32 only";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->n = gi_type_count(&p->in[0]);
  s->wide = p->in[0].dtype == GLIA_I64;
  out->state = s;
  out->scratch = 2 * (size_t)s->n * sizeof(element);
  return GLIA_OK;
}

static const uint64_t SIGN = (uint64_t)1 << 63;

static void read_all(const state *s, const void *x, element *to,
                     int64_t counts[BYTES][VALUES]) {
  for (int64_t i = 0; i < s->n; i++) {
    const int64_t v = s->wide ? ((const int64_t *)x)[i] : ((const int32_t *)x)[i];
    to[i] = (element){(uint64_t)v ^ SIGN, i};
    for (int b = 0; b < BYTES; b++) counts[b][to[i].key >> 8 * b & 255]++;
  }
}

/* Sorted elements: in one of the two halves of the scratch. */
static const element *sorted(const state *s, const void *x, element *from) {
  int64_t counts[BYTES][VALUES] = {{0}};
  element *to = from + s->n;
  read_all(s, x, from, counts);
  for (int b = 0; b < BYTES; b++) {
    int64_t first = 0, *count = counts[b];
    if (count[from[0].key >> 8 * b & 255] == s->n) continue;
    for (int v = 0; v < VALUES; v++) {
      const int64_t many = count[v];
      count[v] = first;
      first += many;
    }
    for (int64_t i = 0; i < s->n; i++) to[count[from[i].key >> 8 * b & 255]++] = from[i];
    element *other = from;
    from = to;
    to = other;
  }
  return from;
}

static glia_status run(const gi_exec *x) {
  const state *s = x->state;
  int64_t *inverse = x->out[1], *counts = x->out[2], n = 0;
  *(int64_t *)x->out[3] = 0;
  if (s->n == 0) return GLIA_OK;
  const element *e = sorted(s, x->in[0], x->scratch);
  memset(x->out[0], 0, (size_t)s->n * (s->wide ? sizeof(int64_t) : sizeof(int32_t)));
  memset(counts, 0, (size_t)s->n * sizeof *counts);
  for (int64_t i = 0; i < s->n; i++) {
    if (i == 0 || e[i].key != e[i - 1].key) {
      if (s->wide)
        ((int64_t *)x->out[0])[n] = (int64_t)(e[i].key ^ SIGN);
      else
        ((int32_t *)x->out[0])[n] = (int32_t)(int64_t)(e[i].key ^ SIGN);
      n++;
    }
    counts[n - 1]++;
    inverse[e[i].at] = n - 1;
  }
  *(int64_t *)x->out[3] = n;
  return GLIA_OK;
}

static const gi_kernel unique = {
    .ops = {"unique"},
    .name = "unique_radix",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_unique[] = {&unique, NULL};
