/* elementwise_double.c - elementwise ops and fused groups of any dtype, in double: f64, f16 and
 * whole numbers, for which there are no vector loops (isa/group.h).
 *
 * A tile of elements is read into registers of doubles, the program runs over it op by op, each
 * result rounded to the dtype of its register, and what is given out is written: just what the
 * reference does, without its walk from element to element. A cast by itself goes from dtype to
 * dtype directly, so that large whole numbers stay exact.
 */
#include "backend/cpu/group.h"
#include "ops/attrs.h"
#include "ops/scalar.h"

enum {
  TILE = 256,       /* elements; a register of them is 2 KiB */
  SHARE = 8 * TILE, /* elements that a thread takes at once */
  PART = 8192,      /* elements times ops worth a thread: some 20 us */
  REGISTERS = GI_FUSED_IN + GI_FUSED_CODE
};

/* y[e] = an op of x[0][e], x[1][e], ..., for the n elements of a tile. */
typedef void loop_fn(double *const *x, const gi_elementwise_attr *p, double *y, int64_t n);

typedef enum access { DENSE, ONE, WALKED } access;

typedef struct state {
  const gi_program *program; /* lies behind it */
  gi_type shape;             /* of all registers */
  int64_t count;
  int64_t width; /* elements of a tile, unless the last */
  int own;       /* inputs in memory; those behind them are drawn */
  access access[GI_FUSED_IN];
  loop_fn *loop[GI_FUSED_CODE];
  glia_dtype in_dtype[GI_FUSED_IN], out_dtype[GI_FUSED_OUT];
  int64_t stride[GI_FUSED_IN][GLIA_MAX_RANK];
  bool converts; /* it is one cast */
  int threads;
  /* for the time of a run */
  const gi_exec *x;
} state;

/* ---- loops ------------------------------------------------------------------------------ */

#define TAKE_1(e) x[0][e]
#define TAKE_2(e) x[0][e], x[1][e]
#define TAKE_3(e) x[0][e], x[1][e], x[2][e]
#define ROW(name, inputs, takes, gives, parameters, flags, low, high, doc, torch, paper, \
            value, gradients)                                                            \
  static double value_##name(const double *in, const gi_elementwise_attr *p) {           \
    (void)p;                                                                             \
    ELEMENTS_##inputs return value;                                                      \
  }                                                                                      \
  static void loop_##name(double *const *x, const gi_elementwise_attr *p, double *y,     \
                          int64_t n) {                                                   \
    for (int64_t e = 0; e < n; e++)                                                      \
      y[e] = value_##name((const double[]){TAKE_##inputs(e)}, p);                        \
  }
#include "ops/elementwise.def"
#undef ROW

#define ROW(name_, ...) {&gi_op_##name_, loop_##name_},
static const struct {
  const gi_op *op;
  loop_fn *loop;
} loops[] = {
#include "ops/elementwise.def"
};
#undef ROW

/* NULL: of a random op, which is called for each element. */
static loop_fn *loop_of(const gi_op *op) {
  for (int i = 0; i < GI_COUNT(loops); i++)
    if (loops[i].op == op) return loops[i].loop;
  return NULL;
}

/* ---- what is taken ----------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  gi_group_program space;
  if (p->op != &gi_op_fused && !(p->op->flags & GI_ELEMENTWISE)) return "";
  if (p->n_in == 0 || p->n_in > GI_FUSED_IN) return "takes 1 to 16 operands";
  gi_group_read(p, &space);
  if (space.p.n_in > GI_FUSED_IN) return "takes 1 to 16 operands and masks";
  for (int k = 0; k < space.p.n_out; k++)
    if (space.p.out[k].fold != NULL) return "folds nothing in double";
  return NULL;
}

/* Elements in the order of memory, whatever that is, where all have the same; but masks are
 * numbered in the plain order. */
static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  gi_group_program space;
  const gi_type shape = gi_group_shape(p);
  if (choice == 0) return true;
  gi_group_read(p, &space);
  bool alike = shape.rank == 4 && space.p.n_in == p->n_in;
  for (int i = 0; i < p->n_in && alike; i++) {
    if (gi_type_count(&p->in[i]) == 1) continue;
    alike = gi_shape_equal(&p->in[i], &shape);
    in[i] = GI_CHANNELS_LAST;
  }
  for (int k = 0; k < p->n_out; k++) out[k] = GI_CHANNELS_LAST;
  return alike && choice == 1;
}

/* Elements one by one, at each op. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  return gi_time(p, limits, 0.01, 0.15);
}

/* ---- preparing --------------------------------------------------------------------------- */

static void describe_input(state *s, const gi_problem *p, int i) {
  const int64_t n = gi_type_count(&p->in[i]);
  s->in_dtype[i] = p->in[i].dtype;
  s->access[i] = n == s->count ? DENSE : n == 1 ? ONE : WALKED;
  gi_broadcast_strides(&p->in[i], &s->shape, s->stride[i]);
}

static size_t scratch_of(const state *s) {
  return (size_t)((s->program->n_in + s->program->n_code) * s->width) * sizeof(double);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const size_t bytes = sizeof(state) + sizeof(gi_group_program);
  state *s = gi_alloc(bytes);
  if (s == NULL) return gi_fail_nomem(bytes);
  gi_group_program *program = (gi_group_program *)(s + 1);
  gi_group_read(p, program);
  s->program = &program->p;
  s->shape = gi_group_shape(p);
  s->count = gi_type_count(&s->shape);
  s->width = GI_MIN(TILE, s->count);
  s->own = p->n_in;
  s->converts = p->op == &gi_op_cast;
  for (int i = 0; i < p->n_in; i++) describe_input(s, p, i);
  for (int k = 0; k < s->program->n_code; k++) s->loop[k] = loop_of(s->program->code[k].op);
  for (int k = 0; k < p->n_out; k++) s->out_dtype[k] = p->out[k].dtype;
  s->threads = gi_cpu_parts(p->threads, s->count * (s->program->n_code + 1), PART);
  out->state = s;
  out->threads = s->threads;
  out->scratch = (size_t)p->threads * scratch_of(s);
  return GLIA_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

static void fill(double *to, double v, int64_t n) {
  for (int64_t e = 0; e < n; e++) to[e] = v;
}

/* An operand that repeats, or lies otherwise: by pieces of the last dimension. */
static void walk(const state *s, int i, int64_t first, int64_t n, double *to) {
  const gi_type *t = &s->shape;
  const int last = t->rank - 1;
  const int64_t step = s->stride[i][last];
  const size_t size = glia_dtype_size(s->in_dtype[i]);
  while (n > 0) {
    const int64_t column = first % t->dim[last], run = GI_MIN(n, t->dim[last] - column);
    int64_t rest = first / t->dim[last], at = column * step;
    for (int d = last - 1; d >= 0; rest /= t->dim[d--])
      at += rest % t->dim[d] * s->stride[i][d];
    const char *from = (const char *)s->x->in[i] + (size_t)at * size;
    if (step == 1)
      gi_convert(s->in_dtype[i], from, GLIA_F64, to, run);
    else if (step == 0)
      fill(to, gi_load(s->in_dtype[i], from, 0), run);
    else
      for (int64_t e = 0; e < run; e++) to[e] = gi_load(s->in_dtype[i], from, e * step);
    first += run;
    to += run;
    n -= run;
  }
}

static void read_input(const state *s, int i, int64_t first, int64_t n, double *to) {
  const glia_dtype t = s->in_dtype[i];
  const char *from = s->x->in[i];
  if (s->access[i] == ONE)
    fill(to, gi_load(t, from, 0), n);
  else if (s->access[i] == DENSE)
    gi_convert(t, from + (size_t)first * glia_dtype_size(t), GLIA_F64, to, n);
  else
    walk(s, i, first, n, to);
}

/* ---- computing --------------------------------------------------------------------------- */

/* As the op's own kernel would leave it in memory. */
static void round_to(glia_dtype t, double *v, int64_t n) {
  double narrow[TILE];
  if (t == GLIA_F64) return;
  gi_convert(GLIA_F64, v, t, narrow, n);
  gi_convert(t, narrow, GLIA_F64, v, n);
}

static void run_random(const state *s, const gi_micro *m, const double *from, double *to,
                       int64_t first, int64_t n) {
  const gi_clock *clock = s->x->clock;
  const gi_rng r = {.seed = clock->seed, .stream = m->attr.stream, .step = clock->step};
  for (int64_t e = 0; e < n; e++) {
    const double x[] = {from[e], gi_rng_uniform(&r, (uint64_t)(first + e))};
    to[e] = m->op->scalar(x, &m->attr);
  }
}

static void run_op(const state *s, int k, double *const *reg, int64_t first, int64_t n) {
  const gi_micro *m = &s->program->code[k];
  double *to = reg[s->program->n_in + k];
  double *const x[] = {reg[m->src[0]], reg[m->src[1]], reg[m->src[2]]};
  if (m->op == NULL)
    fill(to, m->value, n);
  else if (s->loop[k] != NULL)
    s->loop[k](x, &m->attr, to, n);
  else
    run_random(s, m, x[0], to, first, n);
  round_to(m->dtype, to, n);
}

static void run_tile(const state *s, double *space, int64_t first, int64_t n) {
  const gi_program *p = s->program;
  double *reg[REGISTERS];
  for (int r = 0; r < p->n_in + p->n_code; r++) {
    reg[r] = space + r * s->width;
    if (r < s->own) read_input(s, r, first, n, reg[r]);
  }
  for (int k = 0; k < p->n_code; k++) run_op(s, k, reg, first, n);
  for (int k = 0; k < p->n_out; k++) {
    const glia_dtype t = s->out_dtype[k];
    char *to = (char *)s->x->out[k] + (size_t)first * glia_dtype_size(t);
    gi_convert(GLIA_F64, reg[p->out[k].reg], t, to, n);
  }
}

/* Where the result lies over the operand, the tile is put aside first. */
static void convert_tile(const state *s, void *aside, int64_t first, int64_t n) {
  const size_t read = glia_dtype_size(s->in_dtype[0]), made = glia_dtype_size(s->out_dtype[0]);
  const void *from = (const char *)s->x->in[0] + (size_t)first * read;
  char *to = (char *)s->x->out[0] + (size_t)first * made;
  if (s->x->in[0] == s->x->out[0]) from = memcpy(aside, from, (size_t)n * read);
  gi_convert(s->in_dtype[0], from, s->out_dtype[0], to, n);
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t end = GI_MIN((part + 1) * SHARE, s->count);
  void *space = (char *)s->x->scratch + (size_t)gi_cpu_lane() * scratch_of(s);
  for (int64_t first = part * SHARE; first < end; first += TILE) {
    const int64_t n = GI_MIN(TILE, end - first);
    if (s->converts)
      convert_tile(s, space, first, n);
    else
      run_tile(s, space, first, n);
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x;
  gi_cpu_for(s->threads, (s->count + SHARE - 1) / SHARE, run_part, s);
  return GLIA_OK;
}

static const gi_kernel kernel = {
    .name = "elementwise_double",
    .fits = fits,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_elementwise_double[] = {&kernel, NULL};
