/* elementwise.c - fused groups, and single elementwise ops as groups of one (isa/group.h).
 *
 * A group with reductions is cut into blocks of a size that the problem fixes; each block folds
 * into accumulators of its own, which are joined in order: results do not depend on the number
 * of threads. The dimensions that are kept before the first one that is folded (the prefix)
 * need no joining: as many as fit go into a block.
 *
 *   [R, K] -> [K]   a block is some rows: K accumulators each
 *   [N, R] -> [N]   a block is some n, or a piece of one if R is large
 */
#include <math.h>

#include "backend/cpu/group.h"
#include "ops/attrs.h"

enum {
  PART = 32768,  /* elements times ops that are worth waking a thread for: some 10 us */
  BLOCK = 16384, /* elements of a block, at least; 8 for each accumulator */
  CHUNK = 64     /* results that are joined side by side */
};

typedef struct blocks {
  int64_t n;             /* in all */
  int64_t prefix, inner; /* results of the prefix; elements behind each */
  int64_t per;           /* of the prefix in a block */
  int64_t pieces, piece; /* where per is 1: blocks for one of the prefix; their elements */
  int64_t results;       /* for each of the prefix */
} blocks;

typedef struct state {
  gi_made_group made;
  gi_group_run *run;
  blocks b;
  double scale[GI_FUSED_OUT]; /* of folded outputs */
  int n_folds, parts;
  /* for the time of a run */
  const gi_exec *x;
} state;

/* ---- what is taken ----------------------------------------------------------------------- */

static bool is_float_or_bool(glia_dtype t) { return t == GLIA_F32 || t == GLIA_BOOL; }

/* bf16 is made by casts alone: every other op of it would have to round. */
static const char *check_op(const gi_micro *m) {
  const bool narrows = m->op == &gi_op_cast && m->dtype == GLIA_BF16;
  if (!is_float_or_bool(m->dtype) && !narrows)
    return "gives f32 and bool, and bf16 that is cast";
  if (m->op != NULL && gi_group_loop(&gi_isa_base, m->op->name) == NULL)
    return "has no vector loop for one of the ops";
  return NULL;
}

/* Integers are taken where they become floats at once: rounded once, as cast does. */
static const char *check_input(const gi_program *p, glia_dtype t, int reg) {
  if (is_float_or_bool(t) || t == GLIA_BF16) return NULL;
  if (t != GLIA_I32 && t != GLIA_I64 && t != GLIA_U8)
    return "takes f32, bf16 and bool, and integers that are cast";
  for (int k = 0; k < p->n_code; k++)
    for (int i = 0; p->code[k].op != NULL && i < p->code[k].op->min_in; i++)
      if (p->code[k].src[i] == reg && strcmp(p->code[k].op->name, "cast") != 0)
        return "integers are taken by cast alone";
  for (int k = 0; k < p->n_out; k++)
    if (p->out[k].reg == reg) return "integers are taken by cast alone";
  return NULL;
}

static const char *fits(const gi_problem *p) {
  gi_group_program space;
  const gi_program *program = &space.p;
  if (p->op != &gi_op_fused && !(p->op->flags & GI_ELEMENTWISE)) return "";
  if (p->n_in == 0 || p->n_in > GI_FUSED_IN) return "takes 1 to 16 operands";
  gi_group_read(p, &space);
  if (program->n_in > GI_FUSED_IN) return "takes 1 to 16 operands and masks";
  for (int i = 0; i < p->n_in; i++) {
    const char *why = check_input(program, p->in[i].dtype, i);
    if (why != NULL) return why;
  }
  for (int k = 0; k < program->n_code; k++) {
    const char *why = check_op(&program->code[k]);
    if (why != NULL) return why;
  }
  for (int k = 0; k < program->n_out; k++)
    if (program->out[k].fold != NULL && p->out[k].dtype != GLIA_F32) return "folds f32 alone";
  return NULL;
}

/* Plain, or all operands of the group's full shape channels-last; but masks are drawn for four
 * neighbouring places at once. */
static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  gi_group_program space;
  const gi_type shape = gi_group_shape(p);
  bool full = false;
  if (choice == 0) return true;
  gi_group_read(p, &space);
  for (int i = 0; i < p->n_in; i++) {
    if (!gi_shape_equal(&p->in[i], &shape)) continue;
    in[i] = GI_CHANNELS_LAST;
    full = true;
  }
  for (int k = 0; k < p->n_out; k++)
    if (space.p.out[k].fold == NULL) out[k] = GI_CHANNELS_LAST;
  const bool drawn = space.p.n_in > p->n_in;
  return choice == 1 && full && shape.rank == 4 &&
         (!drawn || shape.dim[2] * shape.dim[3] % 4 == 0);
}

/* ---- blocks ------------------------------------------------------------------------------ */

/* Whole rows of the inner dimensions, as many as keep within `most` elements, are the unit. */
static int64_t unit_of(const gi_group *g, int64_t most) {
  int64_t unit = 1;
  for (int d = g->rank - 1; d >= 0 && unit * g->dim[d] <= most; d--) unit *= g->dim[d];
  return unit == 1 ? GI_TILE : unit;
}

static void cut_blocks(state *s) {
  const gi_group *g = &s->made.g;
  blocks b = {.prefix = 1, .inner = 1, .results = 1, .per = 1, .pieces = 1};
  int d = 0;
  for (; d < g->rank && g->to[d] != 0; d++) b.prefix *= g->dim[d];
  for (; d < g->rank; d++) {
    b.inner *= g->dim[d];
    b.results *= g->to[d] != 0 ? g->dim[d] : 1;
  }
  const int64_t most = GI_MAX(BLOCK, 8 * b.results);
  if (b.inner <= most) {
    b.per = GI_MAX(1, most / GI_MAX(1, b.inner));
    b.piece = b.inner;
  } else {
    const int64_t unit = unit_of(g, most);
    b.piece = most / unit * unit;
    b.pieces = (b.inner + b.piece - 1) / b.piece;
  }
  b.n = (b.prefix + b.per - 1) / b.per * b.pieces;
  s->b = b;
}

/* A periodic operand must begin anew with each block. */
static void check_periods(state *s) {
  gi_group *g = &s->made.g;
  for (int i = 0; i < g->n_in; i++)
    if (g->in[i].access == GI_PERIODIC &&
        (s->b.per * s->b.inner % g->dim[1] != 0 || s->b.piece % g->dim[1] != 0))
      g->in[i].access = GI_GATHERED;
}

/* Accumulators of a block, for one output. */
static int64_t block_results(const state *s) { return s->b.per * s->b.results; }

static float start_of(gi_fold f) {
  if (f == GI_FOLD_PROD) return 1;
  return f == GI_FOLD_MAX ? -INFINITY : f == GI_FOLD_MIN ? INFINITY : 0;
}

static float *accumulators(const state *s, int64_t block, int fold) {
  return (float *)s->x->scratch + (block * s->n_folds + fold) * block_results(s);
}

static void run_block(const state *s, gi_group_call *call, int64_t block) {
  const gi_group *g = &s->made.g;
  const blocks *b = &s->b;
  const int64_t p = block / b->pieces * b->per, piece = block % b->pieces;
  const int64_t first = p * b->inner + piece * b->piece;
  const int64_t end = GI_MIN(p + b->per, b->prefix) * b->inner;
  call->base = p * b->results;
  for (int k = 0, fold = 0; k < g->n_out; k++) {
    if (!g->out[k].folded) continue;
    float *to = call->accumulator[k] = accumulators(s, block, fold++);
    for (int64_t i = 0; i < block_results(s); i++) to[i] = start_of(g->out[k].fold);
  }
  s->run(g, call, first, b->pieces == 1 ? end : GI_MIN(first + b->piece, end));
}

/* ---- joining ----------------------------------------------------------------------------- */

static void join_chunk(const state *s, int64_t block, int fold, gi_fold f, int64_t at,
                       int64_t n, double *sum) {
  for (int64_t q = 0; q < s->b.pieces; q++) {
    const float *from = accumulators(s, block + q, fold) + at;
    for (int64_t i = 0; i < n; i++) {
      const double v = (double)from[i];
      if (q == 0)
        sum[i] = v;
      else if (f == GI_FOLD_SUM)
        sum[i] += v;
      else if (f == GI_FOLD_PROD)
        sum[i] *= v;
      else if (f == GI_FOLD_MAX)
        sum[i] = v > sum[i] || v != v ? v : sum[i];
      else
        sum[i] = v < sum[i] || v != v ? v : sum[i];
    }
  }
}

/* Where result number i (in the order of memory) goes. */
static int64_t place_of(const state *s, int64_t i) {
  const gi_group *g = &s->made.g;
  int64_t offset = 0;
  for (int d = g->rank - 1; d >= 0; d--) {
    if (g->to[d] == 0) continue;
    offset += i % g->dim[d] * s->made.result[d];
    i /= g->dim[d];
  }
  return offset;
}

static void join_out(const state *s, int k, int fold, float *out) {
  double sum[CHUNK] = {0};
  for (int64_t p = 0; p < s->b.prefix; p += s->b.per) {
    const int64_t n = GI_MIN(s->b.per, s->b.prefix - p) * s->b.results;
    for (int64_t at = 0; at < n; at += CHUNK) {
      const int64_t m = GI_MIN(CHUNK, n - at);
      join_chunk(s, p / s->b.per * s->b.pieces, fold, s->made.g.out[k].fold, at, m, sum);
      for (int64_t i = 0; i < m; i++)
        out[place_of(s, p * s->b.results + at + i)] = (float)(sum[i] * s->scale[k]);
    }
  }
}

/* ---- preparing and running --------------------------------------------------------------- */

static int64_t fold_floats(const state *s) { return s->b.n * s->n_folds * block_results(s); }

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  gi_group *g = &s->made.g;
  gi_group_make(p, &s->made);
  s->run = gi_cpu_isa()->group_run;
  s->parts = gi_cpu_parts(p->threads, g->count * (g->n_code + 1), PART);
  for (int k = 0; k < p->n_out && s->made.folds; k++) {
    const gi_fused_out *o = &gi_fused_program(p->attr)->out[k];
    const double n = (double)g->count / (double)gi_type_count(&p->out[k]);
    s->scale[k] = o->fold == &gi_op_mean ? 1 / n : 1;
    s->n_folds += o->fold != NULL;
  }
  if (s->made.folds) {
    cut_blocks(s);
    check_periods(s);
    s->parts = (int)GI_MIN((int64_t)s->parts, s->b.n);
  }
  s->parts = GI_MAX(s->parts, 1);
  out->state = s;
  out->threads = s->parts;
  out->scratch =
      ((size_t)s->parts * (size_t)gi_group_scratch(g) + (size_t)fold_floats(s)) * sizeof(float);
  return GLIA_OK;
}

static void release(void *state_) {
  state *s = state_;
  gi_group_drop(&s->made);
  gi_free(s);
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const gi_group *g = &s->made.g;
  gi_group_call call = {
      .in = s->x->in, .out = s->x->out, .seed = s->x->clock->seed, .step = s->x->clock->step};
  call.scratch = (float *)s->x->scratch + fold_floats(s) + part * gi_group_scratch(g);
  if (s->made.folds) {
    const int64_t last = s->b.n * (part + 1) / s->parts;
    for (int64_t b = s->b.n * part / s->parts; b < last; b++) run_block(s, &call, b);
    return;
  }
  const int64_t tiles = (g->count + g->tile - 1) / g->tile;
  const int64_t first = tiles * part / s->parts * g->tile;
  const int64_t last = tiles * (part + 1) / s->parts * g->tile;
  s->run(g, &call, first, GI_MIN(last, g->count));
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  const gi_group *g = &s->made.g;
  s->x = x;
  if (g->count > 0 || s->made.folds) gi_cpu_for(s->parts, s->parts, run_part, s);
  for (int k = 0, fold = 0; k < g->n_out; k++)
    if (g->out[k].folded) join_out(s, k, fold++, x->out[k]);
  return GLIA_OK;
}

static const gi_kernel kernel = {
    .name = "elementwise_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_elementwise[] = {&kernel, NULL};
