/* pool.c - max, min and average pooling and their gradients (isa/pool.h), in the layout at
 * hand.
 *
 * bf16 is widened as it is read; a row of the result is made in f32, at once in its place or,
 * if it is to be bf16, in scratch.
 *
 * The taps of rows and columns are listed once. Channels-last, a part of the work is a row of
 * the result of one image; plain, it is a plane. Adaptive averages have windows of several
 * sizes: their planes are images of one channel.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum { PART = 1 << 15 /* elements worth a thread */ };

typedef enum work { EXTREME, SCATTER, AVERAGE, AVERAGE_GRAD } work;

typedef struct state {
  gi_pool p;
  work work;
  bool last;             /* channels-last, or planes as images of one channel */
  int64_t images;        /* planes, in the plain layout */
  int64_t read, written; /* elements of an image */
  size_t size;           /* of an element */
  int threads;
  const gi_pool_loops *loops;
  const gi_narrow_loops *narrow; /* NULL: elements are f32 */
  void *lists;                   /* owned: taps and shares */
  /* for the time of a run */
  const char *from;
  const uint8_t *position;
  char *to;
  uint8_t *to_position;
  float *rows; /* if narrow: one of the result for each thread */
} state;

/* ---- taps ------------------------------------------------------------------------------- */

typedef struct axis { /* rows or columns: cells of x, windows */
  int64_t size, windows, kernel, stride, padding, dilation;
  bool count_padding;
  bool adaptive; /* window i begins at floor(i size / windows), ends before the ceiling of i + 1
                  */
} axis;

static axis axis_of(const gi_pool_attr *a, int d, const gi_type *x, const gi_type *y) {
  return (axis){.size = x->dim[2 + d],
                .windows = y->dim[2 + d],
                .kernel = a->kernel.at[d],
                .stride = a->stride.at[d],
                .padding = a->padding.at[d],
                .dilation = a->dilation.at[d],
                .count_padding = a->count_padding};
}

static axis adaptive_axis(int d, const gi_type *x, const gi_type *y) {
  return (axis){.size = x->dim[2 + d], .windows = y->dim[2 + d], .adaptive = true};
}

static int64_t most_taps(const axis *a) {
  return a->adaptive ? a->size + a->windows : a->windows * a->kernel;
}

/* Of `to` cells the one numbered i meets those of `from` cells from first to last: the same
 * both ways round. */
static int64_t first_met(int64_t i, int64_t from, int64_t to) { return i * from / to; }
static int64_t last_met(int64_t i, int64_t from, int64_t to) {
  return ((i + 1) * from - 1) / to;
}

static void list_adaptive_taps(const axis *a, bool backward, gi_taps *out, int32_t *begin,
                               gi_tap *tap) {
  const int64_t from = backward ? a->windows : a->size, to = backward ? a->size : a->windows;
  int32_t n = 0;
  *out = (gi_taps){to, begin, tap};
  for (int64_t i = 0; i < to; i++) {
    begin[i] = n;
    for (int64_t k = first_met(i, from, to); k <= last_met(i, from, to); k++)
      tap[n++] = (gi_tap){(int32_t)k, 0};
  }
  begin[to] = n;
}

/* Lists the taps by window (backward: by cell of x). Windows meet cells in ascending order. */
static void list_taps(const axis *a, bool backward, gi_taps *out, int32_t *begin, gi_tap *tap) {
  int32_t n = 0;
  if (a->adaptive) {
    list_adaptive_taps(a, backward, out, begin, tap);
    return;
  }
  out->n = backward ? a->size : a->windows;
  out->begin = begin;
  out->tap = tap;
  for (int64_t i = 0; i < out->n; i++) {
    begin[i] = n;
    for (int64_t k = 0; k < a->kernel; k++) {
      const int64_t from = i * a->stride - a->padding + k * a->dilation; /* cell of window i */
      const int64_t at =
          i + a->padding - k * a->dilation; /* stride times the window of cell i */
      if (!backward && from >= 0 && from < a->size)
        tap[n++] = (gi_tap){(int32_t)from, (int32_t)k};
      if (backward && at >= 0 && at % a->stride == 0 && at / a->stride < a->windows)
        tap[n++] = (gi_tap){(int32_t)(at / a->stride), (int32_t)k};
    }
  }
  begin[out->n] = n;
}

/* 1 / the cells of each window that are counted: inside x or, if asked, its padding too. */
static void list_shares(const axis *a, float *share) {
  for (int64_t i = 0; i < a->windows; i++) {
    int64_t n = a->adaptive
                    ? last_met(i, a->size, a->windows) - first_met(i, a->size, a->windows) + 1
                    : 0;
    for (int64_t k = 0; k < a->kernel; k++) {
      const int64_t at = i * a->stride - a->padding + k * a->dilation;
      n += a->count_padding ? at < a->size + a->padding : at >= 0 && at < a->size;
    }
    share[i] = (float)(1 / (double)n);
  }
}

/* attr: NULL: adaptive. */
static glia_status make_lists(state *s, const gi_pool_attr *attr, const gi_type *x,
                              const gi_type *y) {
  const axis rows = attr != NULL ? axis_of(attr, 0, x, y) : adaptive_axis(0, x, y);
  const axis cols = attr != NULL ? axis_of(attr, 1, x, y) : adaptive_axis(1, x, y);
  const bool backward = s->work == SCATTER || s->work == AVERAGE_GRAD;
  const size_t taps = (size_t)(most_taps(&rows) + most_taps(&cols));
  const size_t begins =
      (size_t)((backward ? rows.size + cols.size : rows.windows + cols.windows) + 2);
  const size_t shares = (size_t)(rows.windows + cols.windows);
  const size_t bytes =
      taps * sizeof(gi_tap) + begins * sizeof(int32_t) + shares * sizeof(float);
  gi_tap *tap = s->lists = gi_alloc(bytes);
  if (tap == NULL) return gi_fail_nomem(bytes);
  int32_t *begin = (int32_t *)(tap + taps);
  float *share = (float *)(begin + begins);
  list_taps(&rows, backward, &s->p.rows, begin, tap);
  list_taps(&cols, backward, &s->p.cols, begin + s->p.rows.n + 1, tap + most_taps(&rows));
  list_shares(&rows, share);
  list_shares(&cols, share + rows.windows);
  s->p.row_share = share;
  s->p.col_share = share + rows.windows;
  return GLIA_OK;
}

/* ---- what is taken ---------------------------------------------------------------------- */

static work work_of(const char *op) {
  if (strcmp(op, "pool_scatter") == 0) return SCATTER;
  if (strcmp(op, "avg_pool2d") == 0 || strcmp(op, "adaptive_avg_pool2d") == 0) return AVERAGE;
  if (strcmp(op, "avg_pool2d_grad") == 0 || strcmp(op, "adaptive_avg_pool2d_grad") == 0)
    return AVERAGE_GRAD;
  return EXTREME;
}

static const char *fits(const gi_problem *p) {
  const gi_pool_attr *a = p->attr;
  const work w = work_of(p->op->name);
  if (gi_cpu_elements(p->in[0].dtype) == NULL) return "takes f32 and bf16 only";
  if (gi_type_count(&p->in[0]) == 0) return "the operand has no elements";
  if ((w == EXTREME || w == SCATTER) && a->kernel.at[0] * a->kernel.at[1] > 256)
    return "the window has more than 256 cells";
  for (int d = 0; d < 2; d++)
    if (a->kernel.at[d] > 4096 || p->in[0].dim[2 + d] > 1 << 18)
      return "the window is too large";
  return NULL;
}

static const char *fits_adaptive(const gi_problem *p) {
  if (gi_cpu_elements(p->in[0].dtype) == NULL) return "takes f32 and bf16 only";
  if (gi_type_count(&p->in[0]) == 0) return "the operand has no elements";
  for (int d = 2; d < 4; d++)
    if (p->in[0].dim[d] > 1 << 18 || p->out[0].dim[d] > 1 << 18)
      return "the image is too large";
  return NULL;
}

/* All in one layout. */
static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  const gi_layout all = choice == 0 ? GI_PLAIN : GI_CHANNELS_LAST;
  for (int i = 0; i < p->n_in; i++) in[i] = all;
  for (int k = 0; k < p->n_out; k++) out[k] = all;
  return choice < 2;
}

/* Shares of the memory's limit as measured: channels-last windows are vectors side by side, in
 * the plain layout their cells have to be picked from rows. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  const bool average = work_of(p->op->name) == AVERAGE || work_of(p->op->name) == AVERAGE_GRAD;
  const bool last = p->in_layout[0] == GI_CHANNELS_LAST;
  return gi_time(p, limits, 1, last ? 0.7 : average ? 0.5 : 0.4);
}

/* What loops of planes go by. */
static void take_windows(state *s, const gi_pool_attr *a) {
  s->p.kernel_cols = a->kernel.at[1];
  s->p.stride = a->stride.at[1];
  s->p.padding = a->padding.at[1];
  s->p.dilation = a->dilation.at[1];
  s->p.apart = true;
  for (int d = 0; d < 2; d++)
    s->p.apart = s->p.apart && a->dilation.at[d] == 1 && a->padding.at[d] == 0 &&
                 a->stride.at[d] >= a->kernel.at[d] && !a->ceil_mode;
}

/* Elements of a row of the result, of all its channels. */
static int64_t row_of(const state *s) { return s->p.cols.n * s->p.channels; }

/* a: NULL: adaptive. */
static glia_status make(const gi_problem *p, const gi_pool_attr *a, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->work = work_of(p->op->name);
  const bool backward = s->work == SCATTER || s->work == AVERAGE_GRAD;
  const bool channels_last = p->in_layout[0] == GI_CHANNELS_LAST;
  const gi_type *in = &p->in[0], *to = &p->out[0];
  s->last = channels_last || a == NULL;
  s->p.channels = channels_last ? in->dim[1] : 1;
  s->images = in->dim[0] * (channels_last ? 1 : in->dim[1]);
  s->p.height = in->dim[2];
  s->p.width = in->dim[3];
  if (a != NULL) take_windows(s, a);
  s->p.sign = strcmp(p->op->name, "min_pool2d") == 0 ? -1.0f : 1.0f;
  s->read = in->dim[2] * in->dim[3] * s->p.channels;
  s->written = to->dim[2] * to->dim[3] * s->p.channels;
  s->threads = gi_cpu_parts(p->threads, GI_MAX(gi_type_count(in), gi_type_count(to)), PART);
  s->size = glia_dtype_size(in->dtype);
  s->loops = gi_cpu_elements(in->dtype)->pool;
  s->narrow = in->dtype == GLIA_F32 ? NULL : gi_cpu_isa()->narrow;
  const glia_status made = make_lists(s, a, backward ? to : in, backward ? in : to);
  if (made != GLIA_OK) {
    gi_free(s);
    return made;
  }
  out->state = s;
  out->threads = s->threads;
  if (s->narrow != NULL) out->scratch = (size_t)(p->threads * row_of(s)) * sizeof(float);
  return GLIA_OK;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  return make(p, p->attr, out);
}
static glia_status prepare_adaptive(const gi_problem *p, gi_prepared *out) {
  return make(p, NULL, out);
}

static void release(void *state_) {
  state *s = state_;
  gi_free(s->lists);
  gi_free(s);
}

/* ---- running ---------------------------------------------------------------------------- */

static void run_row(const state *s, int64_t image, int64_t i) {
  const gi_pool_loops *l = s->loops;
  const int64_t row = row_of(s), read = image * s->read, written = image * s->written + i * row;
  const void *from = s->from + (size_t)read * s->size;
  void *place = s->to + (size_t)written * s->size;
  float *to = s->narrow != NULL ? s->rows + gi_cpu_lane() * row : place;
  switch (s->work) {
    case EXTREME:
      (s->last ? l->extreme : l->extreme_plane)(&s->p, i, from, to, s->to_position + written);
      break;
    case SCATTER:
      (s->last ? l->scatter : l->scatter_plane)(&s->p, i, from, s->position + read, to);
      break;
    case AVERAGE: (s->last ? l->average : l->average_plane)(&s->p, i, from, to); break;
    case AVERAGE_GRAD:
      (s->last ? l->average_grad : l->average_grad_plane)(&s->p, i, from, to);
      break;
  }
  if (s->narrow != NULL) s->narrow->narrow(to, place, row);
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  if (s->last) {
    run_row(s, part / s->p.rows.n, part % s->p.rows.n);
    return;
  }
  for (int64_t i = 0; i < s->p.rows.n; i++) run_row(s, part, i);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->from = x->in[0];
  s->to = x->out[0];
  s->rows = x->scratch;
  if (s->work == SCATTER) s->position = x->in[1];
  if (s->work == EXTREME) s->to_position = x->out[1];
  gi_cpu_for(s->threads, s->images * (s->last ? s->p.rows.n : 1), run_part, s);
  return GLIA_OK;
}

static const gi_kernel windows = {
    .ops = {"max_pool2d", "min_pool2d", "pool_scatter", "avg_pool2d", "avg_pool2d_grad"},
    .name = "pool_vector",
    .fits = fits,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = release,
};
static const gi_kernel adaptive = {
    .ops = {"adaptive_avg_pool2d", "adaptive_avg_pool2d_grad"},
    .name = "pool_vector",
    .fits = fits_adaptive,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare_adaptive,
    .run = run,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_pool[] = {&windows, &adaptive, NULL};
