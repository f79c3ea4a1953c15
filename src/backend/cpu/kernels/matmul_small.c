/* matmul_small.c - products of a few numbers, in plain loops.
 *
 * A call of oneDNN takes about a microsecond before it multiplies anything; the products of the
 * smallest networks are done before that. Loops of our own begin at once: that is the reason
 * for this kernel, and its cost says up to where.
 *
 *   c[i, j] = act(bias[j] + sum over k of a[i, k] b[k, j] + z[i, j]), transposes are strides
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

typedef struct state {
  int64_t rows, columns, depth;
  int64_t a_row, a_depth, b_depth, b_column; /* strides in elements */
  int bias;                                  /* input; -1: none */
  bool adds, relu;
} state;

static const char *fits(const gi_problem *p) {
  const gi_matmul_attr *a = p->attr;
  for (int i = 0; i < p->n_in; i++)
    if (p->in[i].dtype != GLIA_F32) return "takes f32 only";
  if (p->in[0].rank != 2 || p->in[1].rank != 2) return "takes single matrices only";
  if (a->activation != NULL && a->activation[0] != '\0' && strcmp(a->activation, "relu") != 0)
    return "knows relu as the only activation";
  return NULL;
}

/* One multiplication and addition after the other, and hardly a call. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  (void)limits;
  return 5e-8 + 0.5e-9 * gi_problem_cost(p).flops;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_matmul_attr *a = p->attr;
  const gi_type *x = &p->in[0], *w = &p->in[1];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  *s = (state){.rows = p->out[0].dim[0],
               .columns = p->out[0].dim[1],
               .depth = x->dim[a->transpose_a ? 0 : 1],
               .a_row = a->transpose_a ? 1 : x->dim[1],
               .a_depth = a->transpose_a ? x->dim[1] : 1,
               .b_depth = a->transpose_b ? 1 : w->dim[1],
               .b_column = a->transpose_b ? w->dim[1] : 1,
               .bias = gi_bias_input(p->op, p->n_in),
               .adds = gi_adds(p->op),
               .relu = a->activation != NULL && a->activation[0] != '\0'};
  out->state = s;
  return GLIA_OK;
}

static glia_status run(const gi_exec *x) {
  const state *s = x->state;
  const float *a = x->in[0], *b = x->in[1], *bias = s->bias >= 0 ? x->in[s->bias] : NULL;
  const float *z = s->adds ? x->in[GI_ADDED] : NULL;
  float *c = x->out[0];
  for (int64_t i = 0; i < s->rows; i++)
    for (int64_t j = 0; j < s->columns; j++) {
      const float *ai = a + i * s->a_row, *bj = b + j * s->b_column;
      float sum = bias != NULL ? bias[j] : 0;
      for (int64_t k = 0; k < s->depth; k++) sum += ai[k * s->a_depth] * bj[k * s->b_depth];
      if (z != NULL) sum += z[i * s->columns + j];
      c[i * s->columns + j] = s->relu && sum < 0 ? 0 : sum; /* NaN stays */
    }
  return GLIA_OK;
}

static const gi_kernel matmul_small = {
    .ops = {"matmul", "matmul_bias_act", "matmul_add_act"},
    .name = "matmul_small",
    .fits = fits,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_matmul_small[] = {&matmul_small, NULL};
