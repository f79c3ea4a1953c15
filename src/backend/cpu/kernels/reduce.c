/* reduce.c - sum, mean, max, min, prod, variance over any axes; argmax and argmin over one.
 *
 * The input's axes are taken in the order of memory and neighbours of one kind (kept or folded)
 * are joined. What is innermost decides:
 *
 *   folded  [K, R]: each result is a run of R floats folded to one (rows)
 *   kept    [R, K]: R rows are folded to one of K floats (columns)
 *
 * All that a result is made of is cut into blocks of a size that the problem fixes; blocks are
 * folded by any thread and joined in order, so that results do not depend on the number of
 * threads.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  BLOCK = 16384, /* elements of a block */
  WIDTH = 1024,  /* columns of a block */
  PART = 1 << 16 /* elements worth a thread */
};

typedef struct axes { /* some axes of the input, in the order of memory */
  int n;
  int64_t dim[GLIA_MAX_RANK], step[GLIA_MAX_RANK], to[GLIA_MAX_RANK], count;
} axes;

typedef struct state {
  gi_fold fold;
  bool columns, variance;
  axes kept, folded;       /* without the innermost */
  int64_t inner, inner_to; /* its size; where it is kept: step of the results */
  int64_t cut;             /* rows: the inner run is cut into pieces of so many */
  int64_t pieces, rows;    /* pieces of a run; rows = folded.count * pieces */
  int64_t rows_per_block, blocks, width, widths;
  int64_t results; /* kept.count */
  double scale;    /* of what was folded */
  int threads;
  const gi_fold_loops *loops;
  /* for the time of a run */
  const float *x;
  float *partial, *centre, *out;
} state;

/* ---- the problem as kept and folded axes ------------------------------------------------ */

static bool is_folded(const gi_reduce_attr *a, int d) {
  for (int i = 0; i < a->axes.n; i++)
    if (a->axes.at[i] == d) return true;
  return false;
}

static void push(axes *a, int64_t dim, int64_t step, int64_t to) {
  a->dim[a->n] = dim;
  a->step[a->n] = step;
  a->to[a->n++] = to;
}

static void pop(axes *a, int64_t *dim, int64_t *to) {
  a->n--;
  *dim = a->dim[a->n];
  *to = a->to[a->n];
}

static int64_t count(const axes *a) {
  int64_t n = 1;
  for (int d = 0; d < a->n; d++) n *= a->dim[d];
  return n;
}

/* Sorts the axes and joins neighbours; says whether the innermost one is folded. */
static bool split_axes(const gi_problem *p, axes *kept, axes *folded) {
  static const int plain[] = {0, 1, 2, 3, 4, 5, 6, 7}, last[] = {0, 2, 3, 1};
  const gi_reduce_attr *a = p->attr;
  const gi_type *t = &p->in[0];
  const bool turned = p->in_layout[0] == GI_CHANNELS_LAST && t->rank == 4;
  int64_t step[GLIA_MAX_RANK], to[GLIA_MAX_RANK], out_strides[GLIA_MAX_RANK];
  gi_layout_strides(t, p->in_layout[0], step);
  gi_type_strides(&p->out[0], out_strides);
  for (int d = 0, o = 0; d < t->rank; d++) {
    const bool stays = !is_folded(a, d) || a->keep;
    to[d] = is_folded(a, d) ? 0 : out_strides[o];
    o += stays;
  }
  int kind = -1; /* of the axis before: 0 kept, 1 folded */
  for (int i = 0; i < t->rank; i++) {
    const int d = turned ? last[i] : plain[i];
    if (t->dim[d] == 1) continue;
    const int now = is_folded(a, d);
    axes *list = now ? folded : kept;
    const int k = list->n - 1;
    if (now == kind && list->step[k] == step[d] * t->dim[d] &&
        list->to[k] == to[d] * t->dim[d]) {
      list->dim[k] *= t->dim[d];
      list->step[k] = step[d];
      list->to[k] = to[d];
    } else {
      push(list, t->dim[d], step[d], to[d]);
    }
    kind = now;
  }
  return kind != 0;
}

/* ---- what is taken ---------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  if (p->in[0].dtype != GLIA_F32) return "takes f32 only";
  if (gi_type_count(&p->in[0]) == 0) return "the operand has no elements";
  return NULL;
}

static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  (void)out;
  if (choice == 1) in[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && p->in[0].rank == 4);
}

static gi_fold fold_of(const char *op) {
  if (strcmp(op, "prod") == 0) return GI_FOLD_PROD;
  if (strcmp(op, "max") == 0) return GI_FOLD_MAX;
  if (strcmp(op, "min") == 0) return GI_FOLD_MIN;
  return GI_FOLD_SUM;
}

static void cut_blocks(state *s, int threads) {
  s->pieces = 1;
  s->width = s->widths = 1;
  s->cut = s->inner;
  if (s->columns) {
    s->width = GI_MIN(s->inner, WIDTH);
    s->widths = (s->inner + s->width - 1) / s->width;
  } else if (s->inner > BLOCK) {
    s->cut = BLOCK;
    s->pieces = (s->inner + BLOCK - 1) / BLOCK;
  }
  s->rows = s->folded.count * s->pieces;
  s->rows_per_block = GI_MAX(1, BLOCK / (s->columns ? s->width : s->cut));
  s->blocks = (s->rows + s->rows_per_block - 1) / s->rows_per_block;
  s->threads = gi_cpu_parts(threads, s->results * s->inner * s->folded.count, PART);
}

static int64_t partial_floats(const state *s) {
  return s->results * s->blocks * (s->columns ? s->inner : 1);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_reduce_attr *a = p->attr;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->columns = !split_axes(p, &s->kept, &s->folded);
  s->inner = 1;
  axes *innermost = s->columns ? &s->kept : &s->folded;
  if (innermost->n > 0) pop(innermost, &s->inner, &s->inner_to);
  s->kept.count = s->results = count(&s->kept);
  s->folded.count = count(&s->folded);
  const double n = (double)gi_type_count(&p->in[0]) / (double)gi_type_count(&p->out[0]);
  s->fold = fold_of(p->op->name);
  s->variance = strcmp(p->op->name, "variance") == 0;
  s->scale = 1;
  if (s->variance)
    s->scale = 1 / (n - (a->unbiased ? 1 : 0));
  else if (strcmp(p->op->name, "mean") == 0)
    s->scale = 1 / n;
  s->loops = gi_cpu_isa()->f32.fold;
  cut_blocks(s, p->threads);
  const int64_t centres = s->variance ? s->results * (s->columns ? s->inner : 1) : 0;
  out->state = s;
  out->threads = s->threads;
  out->scratch = (size_t)(partial_floats(s) + centres) * sizeof(float);
  return GLIA_OK;
}

/* ---- folding ---------------------------------------------------------------------------- */

static int64_t offset_of(const axes *a, int64_t i, const int64_t *step) {
  int64_t offset = 0;
  for (int d = a->n - 1; d >= 0; d--) {
    offset += i % a->dim[d] * step[d];
    i /= a->dim[d];
  }
  return offset;
}

/* Rows that follow one another at equal distances from row r on, up to `limit`. */
static int64_t even_rows(const state *s, int64_t r, int64_t limit, int64_t *step) {
  const axes *f = &s->folded;
  *step = 0;
  if (f->n == 0) return 1;
  *step = f->step[f->n - 1];
  return GI_MIN(f->dim[f->n - 1] - r % f->dim[f->n - 1], limit);
}

/* The joined fold of part of a result: rows[0] .. of one block. */
static float fold_block(const state *s, const float *x, int64_t row, int64_t last,
                        float centre) {
  double sum = 0;
  float joined = 0;
  for (bool first = true; row < last; first = false) {
    int64_t step = 0, n = 1, length = s->inner;
    const float *at = x;
    if (s->pieces > 1) {
      at += offset_of(&s->folded, row / s->pieces, s->folded.step) + row % s->pieces * s->cut;
      length = GI_MIN(s->cut, s->inner - row % s->pieces * s->cut);
    } else {
      at += offset_of(&s->folded, row, s->folded.step);
      n = even_rows(s, row, last - row, &step);
    }
    const float v = s->loops->row(s->fold, at, n, step, length, centre);
    sum += (double)v;
    if (first)
      joined = v;
    else if (s->fold == GI_FOLD_PROD)
      joined *= v;
    else if (s->fold == GI_FOLD_MAX)
      joined = v > joined || v != v ? v : joined;
    else if (s->fold == GI_FOLD_MIN)
      joined = v < joined || v != v ? v : joined;
    row += n;
  }
  return s->fold == GI_FOLD_SUM || s->fold == GI_FOLD_SQUARES ? (float)sum : joined;
}

static void run_rows(void *user, int64_t part) {
  const state *s = user;
  const int64_t result = part / s->blocks, block = part % s->blocks;
  const int64_t first = block * s->rows_per_block;
  s->partial[part] = fold_block(s, s->x + offset_of(&s->kept, result, s->kept.step), first,
                                GI_MIN(first + s->rows_per_block, s->rows),
                                s->centre != NULL ? s->centre[result] : 0);
}

static void run_columns(void *user, int64_t part) {
  const state *s = user;
  const int64_t width = part % s->widths, block = part / s->widths % s->blocks;
  const int64_t result = part / s->widths / s->blocks, col = width * s->width;
  const int64_t last = GI_MIN((block + 1) * s->rows_per_block, s->rows);
  const float *x = s->x + offset_of(&s->kept, result, s->kept.step) + col;
  float *to = s->partial + (result * s->blocks + block) * s->inner + col;
  const float *centre = s->centre != NULL ? s->centre + result * s->inner + col : NULL;
  bool fresh = true;
  for (int64_t row = block * s->rows_per_block; row < last;) {
    int64_t step, n = even_rows(s, row, last - row, &step);
    s->loops->columns(s->fold, x + offset_of(&s->folded, row, s->folded.step), n, step,
                      GI_MIN(s->width, s->inner - col), centre, fresh, to);
    fresh = false;
    row += n;
  }
}

/* The blocks of one result (of one of its columns), in order. */
static float join(const state *s, const float *partial, int64_t step, double scale) {
  double a = (double)partial[0];
  for (int64_t b = 1; b < s->blocks; b++) {
    const double v = (double)partial[b * step];
    if (s->fold == GI_FOLD_PROD)
      a *= v;
    else if (s->fold == GI_FOLD_MAX)
      a = v > a || v != v ? v : a;
    else if (s->fold == GI_FOLD_MIN)
      a = v < a || v != v ? v : a;
    else
      a += v;
  }
  return (float)(a * scale);
}

static void fold_all(state *s) {
  gi_cpu_for(s->threads, s->results * s->blocks * s->widths,
             s->columns ? run_columns : run_rows, s);
}

/* Joins what the blocks hold to dense results (centres) or to the output's places. */
static void join_all(const state *s, double scale, bool dense, float *to) {
  const int64_t n = s->columns ? s->inner : 1;
  for (int64_t k = 0; k < s->results; k++) {
    const float *partial = s->partial + k * s->blocks * n;
    float *at = to + (dense ? k * n : offset_of(&s->kept, k, s->kept.to));
    for (int64_t j = 0; j < n; j++)
      at[dense ? j : j * s->inner_to] = join(s, partial + j, n, scale);
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  s->partial = x->scratch;
  s->centre = NULL;
  if (s->variance) {
    const double n = (double)(s->inner * s->folded.count) / (s->columns ? (double)s->inner : 1);
    s->fold = GI_FOLD_SUM;
    fold_all(s);
    join_all(s, 1 / n, true, s->partial + partial_floats(s));
    s->centre = s->partial + partial_floats(s);
    s->fold = GI_FOLD_SQUARES;
  }
  fold_all(s);
  join_all(s, s->scale, false, x->out[0]);
  return GLIA_OK;
}

/* ---- argmax, argmin --------------------------------------------------------------------- */

typedef struct arg_state {
  int64_t outer, n, inner;
  float sign;
  int threads;
  const gi_fold_loops *loops;
  const float *x;
  int64_t *out;
} arg_state;

static glia_status prepare_arg(const gi_problem *p, gi_prepared *out) {
  const int64_t axis = ((const gi_reduce_attr *)p->attr)->axes.at[0];
  const gi_type *t = &p->in[0];
  arg_state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->outer = s->inner = 1;
  s->n = t->dim[axis];
  for (int64_t d = 0; d < axis; d++) s->outer *= t->dim[d];
  for (int64_t d = axis + 1; d < t->rank; d++) s->inner *= t->dim[d];
  s->sign = strcmp(p->op->name, "argmin") == 0 ? -1.0f : 1.0f;
  s->threads = gi_cpu_parts(p->threads, s->outer * s->n * s->inner, PART);
  s->loops = gi_cpu_isa()->f32.fold;
  out->state = s;
  out->threads = s->threads;
  out->scratch = 0;
  return GLIA_OK;
}

static void run_arg_part(void *user, int64_t part) {
  const arg_state *s = user;
  const float *x = s->x + part * s->n * s->inner;
  int64_t *out = s->out + part * s->inner;
  if (s->inner == 1) {
    out[0] = s->loops->best(x, s->n, s->sign);
    return;
  }
  for (int64_t j = 0; j < s->inner; j++) {
    float best = x[j];
    int64_t at = 0;
    for (int64_t i = 1; i < s->n && best == best; i++) {
      const float v = x[i * s->inner + j];
      if (v * s->sign > best * s->sign || v != v) best = v, at = i;
    }
    out[j] = at;
  }
}

static glia_status run_arg(const gi_exec *x) {
  arg_state *s = x->state;
  s->x = x->in[0];
  s->out = x->out[0];
  gi_cpu_for(s->threads, s->outer, run_arg_part, s);
  return GLIA_OK;
}

static const gi_kernel folds = {
    .ops = {"sum", "mean", "max", "min", "prod", "variance"},
    .name = "reduce_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};
static const gi_kernel places = {
    .ops = {"argmax", "argmin"},
    .name = "reduce_vector",
    .fits = fits,
    .prepare = prepare_arg,
    .run = run_arg,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_reduce[] = {&folds, &places, NULL};
