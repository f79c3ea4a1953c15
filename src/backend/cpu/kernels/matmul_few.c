/* matmul_few.c - products of one row, or a few, with a matrix: decoding a token at a time, a
 * prediction for one sample.
 *
 * Each element of the matrix is used once a row, so that reading it is the whole time: it is
 * read where it lies, in the order in which it lies, as f32 or as bf16 in half the bytes.
 *
 * A part is a run of columns: the same bits for any number of threads.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 16,     /* elements of the matrix worth a thread */
  PARTS_A_THREAD = 4, /* so that threads that are held up leave less behind */
  RUN = 2048          /* columns of a part, at most: their sums stay in the first cache */
};

typedef struct state {
  gi_few at;
  int64_t columns, parts;
  bool turned; /* the matrix is [columns, depth] */
  int bias;    /* input; -1: none */
  bool adds, relu, narrow;
  int threads;
  const gi_few_loops *loops;
  const gi_narrow_loops *narrowing;
  /* for the time of a run */
  const void *biases, *z;
  void *out;
} state;

static int64_t rows_of(const gi_problem *p) {
  const gi_type *y = &p->out[0];
  const int64_t columns = y->dim[y->rank - 1];
  return columns == 0 ? 0 : gi_type_count(y) / columns;
}

static const char *fits(const gi_problem *p) {
  const gi_matmul_attr *a = p->attr;
  if (gi_cpu_elements(p->in[0].dtype) == NULL) return "takes f32 and bf16 only";
  for (int i = 0; i < p->n_in; i++) {
    if (p->in[i].dtype != p->out[0].dtype) return "takes operands of one type only";
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  }
  if (a->transpose_a || p->in[1].rank != 2) return "takes rows and a single matrix";
  if (rows_of(p) < 1 || rows_of(p) > GI_FEW_ROWS) return "takes four rows at most";
  if (a->activation != NULL && a->activation[0] != '\0' && strcmp(a->activation, "relu") != 0)
    return "knows relu as the only activation";
  return NULL;
}

static double cost(const gi_problem *p, const gi_limits *limits) {
  const gi_matmul_attr *a = p->attr;
  return gi_time(p, limits, 0.25, a->transpose_b ? 1 : 0.8) + 2e-7;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_matmul_attr *a = p->attr;
  const gi_type *w = &p->in[1], *y = &p->out[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  const int64_t rows = rows_of(p), columns = y->dim[y->rank - 1];
  *s = (state){.at = {.rows = (int)rows,
                      .depth = w->dim[a->transpose_b ? 1 : 0],
                      .step = w->dim[1],
                      .c_step = columns},
               .columns = columns,
               .turned = a->transpose_b,
               .bias = gi_bias_input(p->op, p->n_in),
               .adds = gi_adds(p->op),
               .relu = a->activation != NULL && a->activation[0] != '\0',
               .narrow = y->dtype != GLIA_F32,
               .threads = gi_cpu_parts(p->threads, gi_type_count(w), PART),
               .loops = gi_cpu_elements(y->dtype)->few,
               .narrowing = gi_cpu_isa()->narrow};
  s->parts = (columns + RUN - 1) / RUN;
  if (s->threads > 1) s->parts = GI_MAX(s->parts, GI_MIN(s->threads * PARTS_A_THREAD, columns));
  out->state = s;
  out->threads = s->threads;
  const int64_t wide = s->narrow ? rows * s->at.depth : 0,
                sums = s->narrow || s->adds ? rows * columns : 0;
  out->scratch = (size_t)(wide + sums) * sizeof(float);
  return GLIA_OK;
}

static float number_at(const state *s, const void *p, int64_t i) {
  float v;
  if (!s->narrow) return ((const float *)p)[i];
  s->narrowing->widen((const uint16_t *)p + i, &v, 1);
  return v;
}

/* act(sum + bias + z) of columns from .. to - 1 of row i, to where it belongs. */
static void finish(const state *s, int i, int64_t from, int64_t to) {
  float *c = s->at.c + i * s->at.c_step;
  for (int64_t j = from; j < to; j++) {
    if (s->biases != NULL) c[j] += number_at(s, s->biases, j);
    if (s->z != NULL) c[j] += number_at(s, s->z, i * s->columns + j);
    c[j] = s->relu && c[j] < 0 ? 0 : c[j]; /* NaN stays */
  }
  const int64_t at = i * s->columns + from;
  if (s->narrow)
    s->narrowing->narrow(c + from, (uint16_t *)s->out + at, to - from);
  else if (s->adds)
    memcpy((float *)s->out + at, c + from, (size_t)(to - from) * sizeof *c);
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t from = s->columns * part / s->parts, to = s->columns * (part + 1) / s->parts;
  (s->turned ? s->loops->dots : s->loops->sums)(&s->at, from, to);
  for (int i = 0; i < s->at.rows; i++) finish(s, i, from, to);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->biases = s->bias >= 0 ? x->in[s->bias] : NULL;
  s->z = s->adds ? x->in[GI_ADDED] : NULL;
  s->at.w = x->in[1];
  s->out = x->out[0];
  float *room = x->scratch;
  s->at.a = x->in[0];
  if (s->narrow) {
    const int64_t n = s->at.rows * s->at.depth;
    s->narrowing->widen(x->in[0], room, n);
    s->at.a = room;
    room += n;
  }
  /* z may lie where the result goes */
  s->at.c = s->narrow || s->adds ? room : x->out[0];
  gi_cpu_for(s->threads, s->parts, run_part, s);
  return GLIA_OK;
}

static const gi_kernel matmul_few = {
    .ops = {"matmul", "matmul_bias_act", "matmul_add_act"},
    .name = "matmul_few",
    .fits = fits,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_matmul_few[] = {&matmul_few, NULL};
