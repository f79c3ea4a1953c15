/* widen.c - any op on 16-bit floats by its f32 kernel: inputs are widened to scratch, the
 * kernel runs, what it gives is narrowed. It is right wherever an f32 kernel is, and what is
 * left where the processor has no 16-bit arithmetic.
 *
 * One row stands for many kernels: its choices are the layouts that the kernels of the op take
 * and give, each once, and the fastest kernel with these layouts computes. There is a row for
 * the kernels that give the same bits with any number of threads, one for all that round well,
 * and one for all, since a graph may refuse some of them. Known inputs are
 * widened when the kernel is prepared, so that it may keep them packed.
 *
 * Ops that can be done in pieces of the batch (gi_op.cut_in) are, so that the scratch is a
 * fraction of the f32 values that were to be spared.
 */
#include "ops/attrs.h"

#include "backend/cpu/cpu.h"

extern const gi_kernel *const *const gi_cpu_kernels_table[];

enum {
  MOST = 16,
  PART = 1 << 15,  /* elements worth a thread */
  PIECE = 1 << 21, /* bytes of f32 values that a piece may take, if weights take less */
  ALIGN = 64
};

/* Which kernels a row stands for. */
typedef enum allowed { STEADY, EXACT, ANY } allowed;

/* The same problem in f32. */
typedef struct widened {
  allowed allowed;
  gi_problem p;
  gi_type in[MOST], out[GI_MAX_OUT];
  gi_layout in_layout[MOST], out_layout[GI_MAX_OUT];
} widened;

typedef struct buffer { /* an input or output of one piece, as the f32 kernel has it */
  glia_dtype dtype;     /* as it is outside: BF16 or F16 are converted, others only moved */
  int64_t count;        /* elements of a piece */
  size_t step;          /* bytes from piece to piece outside; 0: every piece has all of it */
  size_t at;    /* offset in the scratch; SIZE_MAX: it is read or written where it lies */
  float *known; /* input: widened when the kernel was prepared; owned */
} buffer;

typedef struct state {
  const gi_kernel *inner;
  gi_prepared made;
  int n_in, n_out, threads;
  int64_t pieces;
  size_t sums[GI_MAX_OUT]; /* offsets of sums over the pieces; SIZE_MAX: none */
  size_t inner_scratch;    /* offset of the kernel's own scratch */
  buffer in[MOST], out[GI_MAX_OUT];
} state;

/* ---- the f32 problem --------------------------------------------------------------------- */

static bool is_narrow(glia_dtype t) { return t == GLIA_BF16 || t == GLIA_F16; }

static gi_type wide_type(const gi_type *t) {
  gi_type w = *t;
  if (is_narrow(w.dtype)) w.dtype = GLIA_F32;
  return w;
}

/* Rows of the first axis that are done at once: a divisor of all, as many as take PIECE, or as
 * much as what is not cut: weights, that each piece reads, transforms or adds to again. 0: the
 * op cannot be cut. */
static int64_t piece_of(const gi_problem *p) {
  size_t cut = 0, whole = 0; /* bytes of f32 values */
  if (p->op->cut_in == 0) return 0;
  const int64_t rows = p->in[0].rank > 0 ? p->in[0].dim[0] : 0;
  for (int i = 0; i < p->n_in; i++)
    *(p->op->cut_in >> i & 1 ? &cut : &whole) +=
        (size_t)gi_type_count(&p->in[i]) * sizeof(float);
  for (int k = 0; k < p->n_out; k++)
    *(p->op->cut_out >> k & 1 ? &cut : &whole) +=
        (size_t)gi_type_count(&p->out[k]) * sizeof(float);
  for (int64_t n = 1; n < rows; n++)
    if (rows % n == 0 && cut / (size_t)n <= GI_MAX(PIECE, whole)) return rows / n;
  return rows > 0 ? 1 : 0;
}

static void widen_problem(const gi_problem *p, allowed a, widened *w) {
  const int64_t piece = piece_of(p);
  for (int i = 0; i < p->n_in; i++) {
    w->in[i] = wide_type(&p->in[i]);
    if (piece > 0 && p->op->cut_in >> i & 1) w->in[i].dim[0] = piece;
  }
  for (int k = 0; k < p->n_out; k++) {
    w->out[k] = wide_type(&p->out[k]);
    if (piece > 0 && p->op->cut_out >> k & 1) w->out[k].dim[0] = piece;
  }
  w->allowed = a;
  w->p = *p;
  w->p.in = w->in;
  w->p.out = w->out;
  w->p.in_layout = w->in_layout;
  w->p.out_layout = w->out_layout;
}

/* Attributes that hold a dtype would speak of the wrong one. */
static bool names_a_dtype(const gi_op *op) {
  for (const gi_attr *a = op->attrs; a != NULL && a->name != NULL; a++)
    if (a->kind == GI_ATTR_DTYPE || a->kind == GI_ATTR_TYPE || a->kind == GI_ATTR_LITERAL ||
        a->kind == GI_ATTR_BLOB)
      return true;
  return false;
}

/* ---- kernels behind this one ------------------------------------------------------------- */

static bool may_use(const gi_kernel *k, const widened *w) {
  if (k->fits == NULL || !gi_kernel_is_for(k, w->p.op)) return false;
  if ((k->inexact > 0 && w->allowed != ANY) || (k->by_threads && w->allowed == STEADY))
    return false;
  return k->fits(&w->p) == NULL;
}

typedef bool visit_fn(const gi_kernel *k, widened *w, void *user); /* false: stop */

/* Every choice of every f32 kernel that fits; its layouts are those of w. Kernels that take any
 * dtype need no widening. */
static void each_choice(widened *w, visit_fn *fn, void *user) {
  for (const gi_kernel *const *const *list = gi_cpu_kernels_table; *list != NULL; list++)
    for (const gi_kernel *const *at = *list; *at != NULL; at++) {
      const gi_kernel *k = *at;
      if (!may_use(k, w)) continue;
      for (int c = 0; gi_kernel_layouts(k, &w->p, c, w->in_layout, w->out_layout); c++)
        if (!fn(k, w, user)) return;
    }
}

static bool same_layouts(const widened *w, const gi_layout *in, const gi_layout *out) {
  return memcmp(w->in_layout, in, (size_t)w->p.n_in * sizeof *in) == 0 &&
         memcmp(w->out_layout, out, (size_t)w->p.n_out * sizeof *out) == 0;
}

static bool any(const gi_kernel *k, widened *w, void *user) {
  (void)k, (void)w;
  *(bool *)user = true;
  return false;
}

static const char *fits_in(const gi_problem *p, allowed a) {
  widened w;
  bool narrow = false, found = false;
  if (p->n_in > MOST) return "takes up to 16 operands";
  for (int i = 0; i < p->n_in; i++) narrow = narrow || is_narrow(p->in[i].dtype);
  for (int k = 0; k < p->n_out; k++) narrow = narrow || is_narrow(p->out[k].dtype);
  if (!narrow) return "";
  if (names_a_dtype(p->op)) return "the op's attributes name a dtype";
  widen_problem(p, a, &w);
  each_choice(&w, any, &found);
  return found ? NULL : "there is no f32 kernel for it";
}

/* ---- layouts and costs ------------------------------------------------------------------- */

typedef struct distinct { /* layouts seen so far */
  int wanted, n;
  gi_layout in[MOST][MOST], out[MOST][GI_MAX_OUT];
} distinct;

static bool note_layouts(const gi_kernel *k, widened *w, void *user) {
  distinct *d = user;
  (void)k;
  for (int i = 0; i < d->n; i++)
    if (same_layouts(w, d->in[i], d->out[i])) return true;
  if (d->n == MOST) return false;
  memcpy(d->in[d->n], w->in_layout, (size_t)w->p.n_in * sizeof w->in_layout[0]);
  memcpy(d->out[d->n], w->out_layout, (size_t)w->p.n_out * sizeof w->out_layout[0]);
  return d->n++ < d->wanted;
}

static bool layouts_in(const gi_problem *p, allowed a, int choice, gi_layout *in,
                       gi_layout *out) {
  widened w;
  distinct d = {.wanted = choice};
  widen_problem(p, a, &w);
  each_choice(&w, note_layouts, &d);
  if (choice >= d.n) return false;
  memcpy(in, d.in[choice], (size_t)p->n_in * sizeof *in);
  memcpy(out, d.out[choice], (size_t)p->n_out * sizeof *out);
  return true;
}

typedef struct best {
  const gi_problem *p; /* whose layouts are settled */
  const gi_limits *limits;
  const gi_kernel *kernel;
  double seconds;
} best;

static bool take_faster(const gi_kernel *k, widened *w, void *user) {
  best *b = user;
  if (!same_layouts(w, b->p->in_layout, b->p->out_layout)) return true;
  const double seconds = gi_kernel_cost(k, &w->p, b->limits);
  if (b->kernel != NULL && seconds >= b->seconds) return true;
  b->kernel = k;
  b->seconds = seconds;
  return true;
}

/* Where bits must not depend on the number of threads, nor must the choice. */
static best find_best(const gi_problem *p, allowed a, const gi_limits *limits, widened *w) {
  best b = {.p = p, .limits = limits};
  widen_problem(p, a, w);
  if (a == STEADY) w->p.threads = 1;
  each_choice(w, take_faster, &b);
  w->p.threads = p->threads;
  return b;
}

/* 16 bits are read and 32 written, or the other way round. */
static double conversion_bytes(const gi_problem *p) {
  double count = 0;
  for (int i = 0; i < p->n_in; i++)
    if (is_narrow(p->in[i].dtype)) count += (double)gi_type_count(&p->in[i]);
  for (int k = 0; k < p->n_out; k++)
    if (is_narrow(p->out[k].dtype)) count += (double)gi_type_count(&p->out[k]);
  return 6 * count;
}

static double cost_in(const gi_problem *p, allowed a, const gi_limits *limits) {
  widened w;
  const int64_t piece = piece_of(p);
  const int64_t pieces = piece > 0 ? p->in[0].dim[0] / piece : 1;
  return (double)pieces * find_best(p, a, limits, &w).seconds +
         conversion_bytes(p) / limits->bytes;
}

/* ---- preparing --------------------------------------------------------------------------- */

static size_t reserve(size_t *scratch, size_t bytes) {
  const size_t at = *scratch;
  *scratch += (bytes + ALIGN - 1) / ALIGN * ALIGN;
  return at;
}

/* outside: the whole value; inside: what the f32 kernel sees of it. */
static buffer make_buffer(const gi_type *outside, const gi_type *inside, bool cut, bool moved,
                          size_t *scratch) {
  buffer b = {.dtype = outside->dtype, .count = gi_type_count(inside), .at = SIZE_MAX};
  if (cut) b.step = (size_t)b.count * glia_dtype_size(outside->dtype);
  if (moved || is_narrow(outside->dtype)) b.at = reserve(scratch, gi_type_bytes(inside));
  return b;
}

static glia_status widen_known(state *s, const gi_problem *p, int i, const void **known) {
  const size_t bytes = (size_t)s->in[i].count * sizeof(float);
  s->in[i].known = gi_alloc_aligned(bytes + ALIGN);
  if (s->in[i].known == NULL) return gi_fail_nomem(bytes);
  gi_convert(p->in[i].dtype, p->known[i], GLIA_F32, s->in[i].known, s->in[i].count);
  known[i] = s->in[i].known;
  s->made.kept += bytes;
  return GLIA_OK;
}

/* Fills in what is converted and where to; `known` as the f32 kernel knows it. */
static glia_status describe(state *s, const gi_problem *p, const widened *w, const void **known,
                            size_t *scratch) {
  const int64_t piece = piece_of(p);
  s->n_in = p->n_in;
  s->n_out = p->n_out;
  s->threads = p->threads;
  s->pieces = piece > 0 ? p->in[0].dim[0] / piece : 1;
  for (int i = 0; i < p->n_in; i++) {
    const bool cut = s->pieces > 1 && p->op->cut_in >> i & 1;
    const bool keeps = !cut && p->known != NULL && p->known[i] != NULL;
    s->in[i] = make_buffer(&p->in[i], &w->in[i], cut, false, scratch);
    known[i] = keeps ? p->known[i] : NULL;
    if (keeps && is_narrow(p->in[i].dtype)) GI_TRY(widen_known(s, p, i, known));
  }
  for (int k = 0; k < p->n_out; k++) {
    const bool cut = s->pieces > 1 && p->op->cut_out >> k & 1;
    s->out[k] = make_buffer(&p->out[k], &w->out[k], cut, s->pieces > 1, scratch);
    s->sums[k] = SIZE_MAX;
    if (s->pieces > 1 && !cut) s->sums[k] = reserve(scratch, gi_type_bytes(&w->out[k]));
  }
  s->inner_scratch = *scratch;
  return GLIA_OK;
}

static void release(void *state_) {
  state *s = state_;
  if (s->inner != NULL && s->inner->release != NULL) s->inner->release(s->made.state);
  for (int i = 0; i < s->n_in; i++) gi_free_aligned(s->in[i].known);
  gi_free(s);
}

static glia_status prepare_inner(state *s, const gi_problem *p, allowed a, size_t *scratch) {
  const gi_limits limits = gi_backend_cpu.limits(a == STEADY ? 1 : p->threads);
  const void *known[MOST] = {NULL};
  widened w;
  const best b = find_best(p, a, &limits, &w);
  if (b.kernel == NULL)
    return gi_fail(GLIA_UNSUPPORTED, "%s: there is no f32 kernel for it", p->op->name);
  gi_prepared made = {0};
  GI_TRY(describe(s, p, &w, known, scratch));
  memcpy(w.in_layout, p->in_layout, (size_t)p->n_in * sizeof *p->in_layout);
  memcpy(w.out_layout, p->out_layout, (size_t)p->n_out * sizeof *p->out_layout);
  w.p.known = known;
  GI_TRY(b.kernel->prepare(&w.p, &made));
  s->inner = b.kernel;
  made.kept += s->made.kept;
  s->made = made;
  return GLIA_OK;
}

static glia_status prepare_in(const gi_problem *p, allowed a, gi_prepared *out) {
  size_t scratch = 0;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  const glia_status status = prepare_inner(s, p, a, &scratch);
  if (status != GLIA_OK) {
    release(s);
    return status;
  }
  *out = s->made; /* whom it shares loops out to, and what it never reads */
  out->state = s;
  out->scratch = scratch + s->made.scratch;
  int64_t most = 0; /* elements that are converted at once */
  for (int i = 0; i < p->n_in; i++) {
    most = GI_MAX(most, s->in[i].at != SIZE_MAX ? s->in[i].count : 0);
    if (s->in[i].known != NULL) out->unread |= (uint64_t)1 << i;
  }
  for (int k = 0; k < p->n_out; k++)
    most = GI_MAX(most, s->out[k].at != SIZE_MAX ? s->out[k].count : 0);
  if (!s->made.apart)
    out->threads = GI_MAX(s->made.threads, gi_cpu_parts(p->threads, most, PART));
  return GLIA_OK;
}

/* ---- running ----------------------------------------------------------------------------- */

typedef struct conversion {
  glia_dtype narrow;
  bool widens;
  const void *from;
  void *to;
  int64_t n, parts;
} conversion;

static void convert_part(void *user, int64_t part) {
  const conversion *c = user;
  const gi_narrow_loops *loops = gi_cpu_isa()->narrow;
  const int64_t first = c->n * part / c->parts, n = c->n * (part + 1) / c->parts - first;
  const size_t from = c->widens ? 2 : 4, to = 6 - from;
  const void *source = (const char *)c->from + (size_t)first * from;
  void *target = (char *)c->to + (size_t)first * to;
  if (c->narrow == GLIA_BF16 && c->widens)
    loops->widen(source, target, n);
  else if (c->narrow == GLIA_BF16)
    loops->narrow(source, target, n);
  else
    gi_convert(c->widens ? c->narrow : GLIA_F32, source, c->widens ? GLIA_F32 : c->narrow,
               target, n);
}

static void convert(const state *s, conversion c) {
  if (c.n == 0) return;
  c.parts = gi_cpu_parts(s->threads, c.n, PART);
  gi_cpu_for(s->threads, c.parts, convert_part, &c);
}

static const void *take_input(const state *s, const buffer *b, const void *from, int64_t piece,
                              char *scratch) {
  if (b->known != NULL) return b->known;
  if (b->step != 0) from = (const char *)from + (size_t)piece * b->step;
  if (b->at == SIZE_MAX) return from;
  if (b->step == 0 && piece > 0) return scratch + b->at; /* it is there from the first */
  convert(s, (conversion){b->dtype, true, from, scratch + b->at, b->count, 1});
  return scratch + b->at;
}

static void give_output(const state *s, const buffer *b, const char *from, void *to) {
  if (is_narrow(b->dtype))
    convert(s, (conversion){b->dtype, false, from, to, b->count, 1});
  else
    memcpy(to, from, (size_t)b->count * glia_dtype_size(b->dtype));
}

static void add(float *sum, const float *v, int64_t n, bool first) {
  for (int64_t i = 0; i < n; i++) sum[i] = first ? v[i] : sum[i] + v[i];
}

static glia_status run_piece(const gi_exec *x, int64_t piece) {
  const state *s = x->state;
  const void *in[MOST];
  void *out[GI_MAX_OUT];
  char *scratch = x->scratch;
  for (int i = 0; i < s->n_in; i++) in[i] = take_input(s, &s->in[i], x->in[i], piece, scratch);
  for (int k = 0; k < s->n_out; k++)
    out[k] = s->out[k].at == SIZE_MAX ? x->out[k] : scratch + s->out[k].at;
  const gi_exec inner = {s->made.state, in, out, scratch + s->inner_scratch, x->clock};
  GI_TRY(s->inner->run(&inner));
  for (int k = 0; k < s->n_out; k++) {
    const buffer *b = &s->out[k];
    if (b->at == SIZE_MAX) continue;
    if (s->sums[k] != SIZE_MAX)
      add((float *)(scratch + s->sums[k]), out[k], b->count, piece == 0);
    else
      give_output(s, b, out[k], (char *)x->out[k] + (size_t)piece * b->step);
  }
  return GLIA_OK;
}

static glia_status run(const gi_exec *x) {
  const state *s = x->state;
  for (int64_t piece = 0; piece < s->pieces; piece++) GI_TRY(run_piece(x, piece));
  for (int k = 0; k < s->n_out; k++)
    if (s->sums[k] != SIZE_MAX)
      give_output(s, &s->out[k], (char *)x->scratch + s->sums[k], x->out[k]);
  return GLIA_OK;
}

#define ROW(row, kind, ...)                                                                   \
  static const char *fits_##row(const gi_problem *p) { return fits_in(p, kind); }             \
  static bool layouts_##row(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) { \
    return layouts_in(p, kind, choice, in, out);                                              \
  }                                                                                           \
  static double cost_##row(const gi_problem *p, const gi_limits *limits) {                    \
    return cost_in(p, kind, limits);                                                          \
  }                                                                                           \
  static glia_status prepare_##row(const gi_problem *p, gi_prepared *out) {                   \
    return prepare_in(p, kind, out);                                                          \
  }                                                                                           \
  static const gi_kernel row = {.name = #row,                                                 \
                                .fits = fits_##row,                                           \
                                .layouts = layouts_##row,                                     \
                                .cost = cost_##row,                                           \
                                .prepare = prepare_##row,                                     \
                                .run = run,                                                   \
                                .release = release,                                           \
                                __VA_ARGS__}
ROW(widen, STEADY, .by_threads = false);
ROW(widen_exact, EXACT, .by_threads = true);
ROW(widen_any, ANY, .by_threads = true, .inexact = GI_WINOGRAD_ERROR);

const gi_kernel *const gi_cpu_kernels_widen[] = {&widen, &widen_exact, &widen_any, NULL};
