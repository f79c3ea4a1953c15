/* pool_gather.c - the elements where the winners of pooling were, plane by plane, of any dtype.
 * Positions come from memory, so they are not taken on trust.
 */
#include <inttypes.h>
#include <stdatomic.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum { PART = 1 << 14 /* elements worth a thread */ };

typedef struct state {
  const gi_pool_attr *a;
  int64_t planes, height, width, rows, cols; /* of x; of the result */
  size_t size;                               /* of an element */
  glia_dtype position_dtype;
  int threads;
  /* for the time of a run */
  const char *x;
  const void *position;
  char *y;
  _Atomic int64_t wrong; /* an element whose position is no cell of x, or -1 */
  int64_t n_offsets;
  struct {
    int32_t row, col;
  } offset[]; /* of the cells of a window from its first one */
} state;

/* One element after the other. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  return gi_time(p, limits, 0.02, 0.2);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_type *x = &p->in[0], *y = &p->out[0];
  const gi_pool_attr *a = p->attr;
  const int64_t n = a->kernel.at[0] * a->kernel.at[1];
  const size_t bytes = sizeof(state) + (size_t)n * sizeof((state *)0)->offset[0];
  state *s = gi_alloc(bytes);
  if (s == NULL) return gi_fail_nomem(bytes);
  s->a = a;
  s->n_offsets = n;
  for (int64_t k = 0; k < n; k++) {
    s->offset[k].row = (int32_t)(k / a->kernel.at[1] * a->dilation.at[0]);
    s->offset[k].col = (int32_t)(k % a->kernel.at[1] * a->dilation.at[1]);
  }
  s->planes = x->dim[0] * x->dim[1];
  s->height = x->dim[2];
  s->width = x->dim[3];
  s->rows = y->dim[2];
  s->cols = y->dim[3];
  s->size = glia_dtype_size(x->dtype);
  s->position_dtype = p->in[1].dtype;
  s->threads = gi_cpu_parts(p->threads, gi_type_count(y), PART);
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static int64_t position_at(const state *s, int64_t e) {
  if (s->position_dtype == GLIA_U8) return ((const uint8_t *)s->position)[e];
  return ((const int32_t *)s->position)[e];
}

static void copy_element(char *to, const char *from, size_t size) {
  switch (size) {
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, size);
  }
}

static void plane_part(void *user, int64_t plane) {
  state *s = user;
  const gi_pool_attr *a = s->a;
  const char *from = s->x + (size_t)(plane * s->height * s->width) * s->size;
  int64_t e = plane * s->rows * s->cols;
  for (int64_t i = 0; i < s->rows; i++)
    for (int64_t j = 0; j < s->cols; j++, e++) {
      const int64_t k = position_at(s, e);
      const bool known = k >= 0 && k < s->n_offsets;
      const int64_t row = i * a->stride.at[0] - a->padding.at[0] + s->offset[known ? k : 0].row;
      const int64_t col = j * a->stride.at[1] - a->padding.at[1] + s->offset[known ? k : 0].col;
      if (known && row >= 0 && col >= 0 && row < s->height && col < s->width)
        copy_element(s->y + (size_t)e * s->size,
                     from + (size_t)(row * s->width + col) * s->size, s->size);
      else
        atomic_store(&s->wrong, e);
    }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->position = x->in[1];
  s->y = x->out[0];
  atomic_store(&s->wrong, -1);
  gi_cpu_for(s->threads, s->planes, plane_part, s);
  const int64_t e = atomic_load(&s->wrong);
  if (e < 0) return GLIA_OK;
  return gi_fail(GLIA_INVALID,
                 "pooling: position %" PRId64 " of element %" PRId64 " is not a cell of x",
                 position_at(s, e), e);
}

static const gi_kernel pool_gather = {
    .ops = {"pool_gather"},
    .name = "pool_planes",
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_pool_gather[] = {&pool_gather, NULL};
