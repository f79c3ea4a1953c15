/* adaptive_max_pool.c - the largest number of each region and its place in the plane, plane by
 * plane. Regions are scanned row by row, as they lie; a NaN wins over all but an earlier one.
 * A plane of bf16 is widened first.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum { PART = 1 << 14 /* elements worth a thread */ };

typedef struct state {
  int64_t planes, height, width, rows, cols; /* of x; of the result */
  size_t size;                               /* of an element */
  int threads;
  const gi_narrow_loops *narrow; /* NULL: elements are f32 */
  /* for the time of a run */
  const char *x;
  char *y;
  int32_t *place;
  float *widened; /* if narrow: one for each thread */
} state;

static const char *fits(const gi_problem *p) {
  if (gi_cpu_elements(p->in[0].dtype) == NULL) return "takes f32 and bf16 only";
  return gi_type_count(&p->in[0]) > 0 ? NULL : "the operand has no elements";
}

/* One comparison after the other. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  return gi_time(p, limits, 0.03, 0.2);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_type *x = &p->in[0], *y = &p->out[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  *s = (state){.planes = x->dim[0] * x->dim[1],
               .height = x->dim[2],
               .width = x->dim[3],
               .rows = y->dim[2],
               .cols = y->dim[3],
               .size = glia_dtype_size(x->dtype),
               .narrow = x->dtype == GLIA_F32 ? NULL : gi_cpu_isa()->narrow};
  s->threads = gi_cpu_parts(p->threads, GI_MAX(gi_type_count(x), gi_type_count(y)), PART);
  out->state = s;
  if (s->narrow != NULL)
    out->scratch = (size_t)(p->threads * s->height * s->width) * sizeof(float);
  return GLIA_OK;
}

/* Cells first .. last - 1 of n are those of region i of m. */
typedef struct range {
  int64_t first, last;
} range;
static range region(int64_t i, int64_t n, int64_t m) {
  return (range){i * n / m, ((i + 1) * n + m - 1) / m};
}

static int64_t largest(const float *x, int64_t width, range rows, range cols) {
  int64_t won = rows.first * width + cols.first;
  for (int64_t i = rows.first; i < rows.last; i++)
    for (int64_t at = i * width + cols.first; at < i * width + cols.last; at++)
      if (x[at] > x[won] || (x[at] != x[at] && x[won] == x[won])) won = at;
  return won;
}

static void plane_part(void *user, int64_t plane) {
  const state *s = user;
  const int64_t cells = s->height * s->width;
  const char *from = s->x + (size_t)(plane * cells) * s->size;
  float *wide = s->widened + (s->narrow != NULL ? gi_cpu_lane() * cells : 0);
  const float *x = s->narrow != NULL ? wide : (const float *)(const void *)from;
  int64_t e = plane * s->rows * s->cols;
  if (s->narrow != NULL) s->narrow->widen((const void *)from, wide, cells);
  for (int64_t i = 0; i < s->rows; i++)
    for (int64_t j = 0; j < s->cols; j++, e++) {
      const int64_t won =
          largest(x, s->width, region(i, s->height, s->rows), region(j, s->width, s->cols));
      memcpy(s->y + (size_t)e * s->size, from + (size_t)won * s->size, s->size);
      s->place[e] = (int32_t)won;
    }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->y = x->out[0];
  s->place = x->out[1];
  s->widened = x->scratch;
  gi_cpu_for(s->threads, s->planes, plane_part, s);
  return GLIA_OK;
}

static const gi_kernel adaptive_max_pool2d = {
    .ops = {"adaptive_max_pool2d"},
    .name = "pool_planes",
    .fits = fits,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_adaptive_max_pool[] = {&adaptive_max_pool2d, NULL};
