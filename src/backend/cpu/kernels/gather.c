/* gather.c - elements by index: gather, take_along, one_hot of any dtype, and their transposes
 * scatter_add and put_along on f32.
 *
 * All indices are checked before anything is read or written by them; the first that is out of
 * range is reported with its position. What is added at one place is added in the order of the
 * indices, by one thread: parts are blocks of columns.
 */
#include <inttypes.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 15, /* elements worth a thread */
  WIDTH = 128     /* columns that are added together */
};

typedef void part_fn(void *user, int64_t part);

typedef struct state {
  const char *op;
  part_fn *part;           /* of the work that is shared out; one_hot has none */
  int64_t outer, n, inner; /* of what is indexed */
  int64_t count;           /* gather: indices; take_along: places along the axis */
  int64_t n_index;
  glia_dtype index_dtype;
  size_t size; /* bytes of an element */
  int64_t bytes_out;
  int64_t widths;
  int threads;
  _Alignas(8) unsigned char one[8]; /* one_hot: 1 in the dtype of the result */
  /* for the time of a run */
  const void *index;
  const char *from;
  char *to;
} state;

static bool is_index(glia_dtype t) { return t == GLIA_I64 || t == GLIA_I32 || t == GLIA_U8; }

static const char *fits_any(const gi_problem *p) {
  return is_index(p->in[p->n_in - 1].dtype) ? NULL : "takes i64, i32 and u8 indices";
}
static const char *fits_adding(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 ? fits_any(p) : "adds f32 only";
}

/* ---- indices ---------------------------------------------------------------------------- */

static inline int64_t index_at(const state *s, int64_t i) {
  if (s->index_dtype == GLIA_I64) return ((const int64_t *)s->index)[i];
  if (s->index_dtype == GLIA_I32) return ((const int32_t *)s->index)[i];
  return ((const uint8_t *)s->index)[i];
}

static glia_status check(const state *s) {
  for (int64_t i = 0; i < s->n_index; i++) {
    const int64_t at = index_at(s, i);
    if (at < 0 || at >= s->n)
      return gi_fail(GLIA_INVALID,
                     "%s: index %" PRId64 " at position %" PRId64 " is not in 0 .. %" PRId64,
                     s->op, at, i, s->n - 1);
  }
  return GLIA_OK;
}

static glia_status begin(const gi_exec *x, int index) {
  state *s = x->state;
  s->index = x->in[index];
  s->from = x->in[0];
  s->to = x->out[0];
  return check(s);
}

static void copy_element(char *to, const char *from, size_t size) {
  switch (size) {
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    default: memcpy(to, from, size);
  }
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Row e of block o: part = o * count + e. */
static void gather_part(void *user, int64_t part) {
  const state *s = user;
  const size_t bytes = (size_t)s->inner * s->size;
  const int64_t row = part / s->count * s->n + index_at(s, part % s->count);
  const char *from = s->from + (size_t)row * bytes;
  char *to = s->to + (size_t)part * bytes;
  if (s->inner == 1)
    copy_element(to, from, s->size);
  else
    memcpy(to, from, bytes);
}

static void take_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t o = part / s->count;
  for (int64_t i = 0; i < s->inner; i++) {
    const int64_t e = part * s->inner + i;
    const int64_t at = (o * s->n + index_at(s, e)) * s->inner + i;
    copy_element(s->to + (size_t)e * s->size, s->from + (size_t)at * s->size, s->size);
  }
}

static glia_status run_reading(const gi_exec *x) {
  state *s = x->state;
  GI_TRY(begin(x, 1));
  gi_cpu_for(s->threads, s->outer * s->count, s->part, s);
  return GLIA_OK;
}

static glia_status run_one_hot(const gi_exec *x) {
  const state *s = x->state;
  GI_TRY(begin(x, 0));
  memset(s->to, 0, (size_t)s->bytes_out);
  for (int64_t i = 0; i < s->n_index; i++)
    copy_element(s->to + (size_t)(i * s->n + index_at(s, i)) * s->size, (const char *)s->one,
                 s->size);
  return GLIA_OK;
}

/* ---- adding ----------------------------------------------------------------------------- */

typedef struct columns { /* of block o of the result */
  int64_t o, first, last;
} columns;

static columns columns_of(const state *s, int64_t part) {
  const int64_t first = part % s->widths * WIDTH;
  return (columns){part / s->widths, first, GI_MIN(first + WIDTH, s->inner)};
}

static void clear(const state *s, float *to, const columns *c) {
  for (int64_t r = 0; r < s->n; r++)
    memset(to + (c->o * s->n + r) * s->inner + c->first, 0,
           (size_t)(c->last - c->first) * sizeof *to);
}

static void scatter_part(void *user, int64_t part) {
  const state *s = user;
  const columns c = columns_of(s, part);
  const float *from = (const float *)(const void *)s->from;
  float *to = (float *)(void *)s->to;
  clear(s, to, &c);
  for (int64_t e = 0; e < s->count; e++) {
    const float *y = from + (c.o * s->count + e) * s->inner;
    float *x = to + (c.o * s->n + index_at(s, e)) * s->inner;
    for (int64_t i = c.first; i < c.last; i++) x[i] += y[i];
  }
}

static void put_part(void *user, int64_t part) {
  const state *s = user;
  const columns c = columns_of(s, part);
  const float *from = (const float *)(const void *)s->from;
  float *to = (float *)(void *)s->to;
  clear(s, to, &c);
  for (int64_t e = 0; e < s->count; e++) {
    const int64_t row = (c.o * s->count + e) * s->inner;
    for (int64_t i = c.first; i < c.last; i++)
      to[(c.o * s->n + index_at(s, row + i)) * s->inner + i] += from[row + i];
  }
}

static glia_status run_adding(const gi_exec *x) {
  state *s = x->state;
  GI_TRY(begin(x, 1));
  gi_cpu_for(s->threads, s->outer * s->widths, s->part, s);
  return GLIA_OK;
}

/* ---- preparing -------------------------------------------------------------------------- */

/* `indexed` is x of gather and take_along, the result of their transposes. */
static glia_status prepare_on(const gi_problem *p, const gi_type *indexed, bool along,
                              part_fn *part, gi_prepared *out) {
  const int64_t axis = ((const gi_gather_attr *)p->attr)->axis;
  const gi_type *index = &p->in[1];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->op = p->op->name;
  s->part = part;
  s->outer = s->inner = 1;
  s->n = indexed->dim[axis];
  for (int d = 0; d < axis; d++) s->outer *= indexed->dim[d];
  for (int d = (int)axis + 1; d < indexed->rank; d++) s->inner *= indexed->dim[d];
  s->n_index = gi_type_count(index);
  s->count = along ? index->dim[axis] : s->n_index;
  s->index_dtype = index->dtype;
  s->size = glia_dtype_size(indexed->dtype);
  s->bytes_out = (int64_t)gi_type_bytes(&p->out[0]);
  s->widths = (s->inner + WIDTH - 1) / WIDTH;
  s->threads = gi_cpu_parts(p->threads, s->outer * s->count * s->inner, PART);
  out->state = s;
  out->threads = s->threads;
  out->scratch = 0;
  return GLIA_OK;
}

static glia_status prepare_reading(const gi_problem *p, gi_prepared *out) {
  const bool along = p->op == &gi_op_take_along;
  return prepare_on(p, &p->in[0], along, along ? take_part : gather_part, out);
}
static glia_status prepare_adding(const gi_problem *p, gi_prepared *out) {
  const bool along = p->op == &gi_op_put_along;
  return prepare_on(p, &p->out[0], along, along ? put_part : scatter_part, out);
}

static glia_status prepare_one_hot(const gi_problem *p, gi_prepared *out) {
  const gi_one_hot_attr *a = p->attr;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->op = p->op->name;
  s->n = a->classes;
  s->n_index = gi_type_count(&p->in[0]);
  s->index_dtype = p->in[0].dtype;
  s->size = glia_dtype_size(a->dtype);
  s->bytes_out = (int64_t)gi_type_bytes(&p->out[0]);
  gi_store(a->dtype, s->one, 0, 1);
  out->state = s;
  out->scratch = 0;
  return GLIA_OK;
}

static const gi_kernel reading = {
    .ops = {"gather", "take_along"},
    .name = "gather_rows",
    .fits = fits_any,
    .prepare = prepare_reading,
    .run = run_reading,
    .release = gi_free,
};
static const gi_kernel adding = {
    .ops = {"scatter_add", "put_along"},
    .name = "gather_rows",
    .fits = fits_adding,
    .prepare = prepare_adding,
    .run = run_adding,
    .release = gi_free,
};
static const gi_kernel one_hot = {
    .ops = {"one_hot"},
    .name = "gather_rows",
    .fits = fits_any,
    .prepare = prepare_one_hot,
    .run = run_one_hot,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_gather[] = {&reading, &adding, &one_hot, NULL};
