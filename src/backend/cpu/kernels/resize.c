/* resize.c - resize and resize_grad of f32: one axis, as a sparse matrix by rows.
 *
 * Either op makes each element of the axis a weighted sum of some of the other side's; which,
 * and the weights, are worked out once. The gradient is the same with the transposed matrix.
 * Where the axis has others behind it, what is summed are runs of elements.
 */
#include "backend/cpu/cpu.h"
#include "ops/resize.h"

enum {
  PART = 1 << 14, /* elements worth a thread */
  GROUP = 8192    /* elements of a part where runs are short */
};

typedef struct state {
  int64_t outer, from, to, inner; /* elements of the axis, before and after */
  int64_t rows;                   /* of [from] or [to] elements, in a part: inner is 1 */
  int64_t *start;                 /* [to + 1]: of each result's entries */
  int64_t *place;
  float *weight;
  int threads;
  /* for the time of a run */
  const float *x;
  float *y;
} state;

static const char *fits(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 ? NULL : "takes f32 only";
}

static void release(void *user) {
  state *s = user;
  gi_free(s->start);
  gi_free(s->place);
  gi_free(s->weight);
  gi_free(s);
}

/* ---- the matrix ------------------------------------------------------------------------- */

/* Calls for each entry, in the order of the longer way round (resize's results): first to count
 * those of each row, then to put them down, `start` moving on. */
static void each_entry(const state *s, const gi_resize_attr *a, bool transposed, double *w,
                       bool count) {
  const int64_t n = transposed ? s->to : s->from, m = transposed ? s->from : s->to;
  for (int64_t i = 0; i < m; i++) {
    int64_t first;
    const int64_t taps = gi_resize_weights(a, n, m, i, &first, w);
    for (int64_t k = 0; k < taps; k++) {
      const int64_t row = transposed ? first + k : i, column = transposed ? i : first + k;
      if (count) {
        s->start[row + 1]++;
        continue;
      }
      s->place[s->start[row]] = column;
      s->weight[s->start[row]++] = (float)w[k];
    }
  }
}

static glia_status make_matrix(state *s, const gi_resize_attr *a, bool transposed) {
  const int64_t n = transposed ? s->to : s->from, m = transposed ? s->from : s->to;
  const size_t room = (size_t)gi_resize_most(a, n, m) * sizeof(double);
  const size_t starts = (size_t)(s->to + 1) * sizeof *s->start;
  double *w = gi_alloc(room);
  s->start = gi_alloc(starts);
  if (w == NULL || s->start == NULL) {
    gi_free(w);
    return gi_fail_nomem(room + starts);
  }
  each_entry(s, a, transposed, w, true);
  for (int64_t i = 0; i < s->to; i++) s->start[i + 1] += s->start[i];
  const size_t entries = (size_t)GI_MAX(1, s->start[s->to]);
  s->place = gi_alloc(entries * sizeof *s->place);
  s->weight = gi_alloc(entries * sizeof *s->weight);
  if (s->place == NULL || s->weight == NULL) {
    gi_free(w);
    return gi_fail_nomem(entries * sizeof *s->place);
  }
  each_entry(s, a, transposed, w, false);
  for (int64_t i = s->to; i > 0; i--) s->start[i] = s->start[i - 1]; /* back to the starts */
  s->start[0] = 0;
  gi_free(w);
  return GLIA_OK;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_resize_attr *a = p->attr;
  const gi_type *t = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->outer = s->inner = 1;
  for (int d = 0; d < t->rank; d++)
    if (d < a->axis)
      s->outer *= t->dim[d];
    else if (d > a->axis)
      s->inner *= t->dim[d];
  s->from = t->dim[a->axis];
  s->to = p->out[0].dim[a->axis];
  s->rows = GI_MAX(1, GROUP / (s->from + s->to));
  s->threads =
      gi_cpu_parts(p->threads, GI_MAX(gi_type_count(t), gi_type_count(&p->out[0])), PART);
  const glia_status status = make_matrix(s, a, p->op == &gi_op_resize_grad);
  if (status != GLIA_OK) {
    release(s);
    return status;
  }
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

/* ---- running ---------------------------------------------------------------------------- */

/* Runs behind the axis: part = o * to + i is one of the result. */
static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t i = part % s->to, inner = s->inner;
  const float *x = s->x + part / s->to * s->from * inner;
  float *restrict y = s->y + part * inner;
  memset(y, 0, (size_t)inner * sizeof *y);
  for (int64_t e = s->start[i]; e < s->start[i + 1]; e++) {
    const float w = s->weight[e], *row = x + s->place[e] * inner;
    for (int64_t j = 0; j < inner; j++) y[j] += w * row[j];
  }
}

/* Nothing behind the axis. */
static void row_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t last = GI_MIN((part + 1) * s->rows, s->outer);
  for (int64_t o = part * s->rows; o < last; o++) {
    const float *x = s->x + o * s->from;
    float *y = s->y + o * s->to;
    for (int64_t i = 0; i < s->to; i++) {
      float sum = 0;
      for (int64_t e = s->start[i]; e < s->start[i + 1]; e++)
        sum += s->weight[e] * x[s->place[e]];
      y[i] = sum;
    }
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->y = x->out[0];
  if (s->inner == 1)
    gi_cpu_for(s->threads, (s->outer + s->rows - 1) / s->rows, row_part, s);
  else if (s->inner > 0)
    gi_cpu_for(s->threads, s->outer * s->to, run_part, s);
  return GLIA_OK;
}

static const gi_kernel resize = {
    .ops = {"resize", "resize_grad"},
    .name = "resize_sparse",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_resize[] = {&resize, NULL};
