/* layer_norm.c - normalisation of rows and its gradient: a row is read from memory once either
 * way, since it stays in the cache between the passes over it (isa/layer.h).
 *
 * dgamma and dbeta are sums over all rows: each block of rows adds up its own, and these are
 * added up in order. Blocks are fixed by the problem, so results do not depend on the number of
 * threads.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  BLOCK = 16384, /* elements of a block of rows, at least */
  BLOCKS = 64,   /* at most so many where each keeps sums of its own */
  PART = 1 << 14 /* elements worth a thread */
};

typedef struct state {
  int64_t rows, n;
  int64_t per_block, blocks;
  double eps;
  bool centred, adds; /* adds: there is a beta */
  size_t size;        /* of an element */
  int threads;
  const gi_element_loops *loops;
  /* for the time of a run */
  gi_layer at; /* the first row */
  float *mean, *variance;
  const float *given_mean, *given_variance;
  float *partial; /* [blocks][2][n] */
} state;

static const char *fits(const gi_problem *p) {
  if (gi_cpu_elements(p->in[0].dtype) == NULL) return "takes f32 and bf16 only";
  return p->in[1].dtype == GLIA_F32 ? NULL : "takes gamma in f32 only";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_layer_norm_attr *a = p->attr;
  const gi_type *t = &p->in[0];
  const bool backward = p->op == &gi_op_layer_norm_grad;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->rows = s->n = 1;
  for (int d = 0; d < t->rank; d++)
    if (d < a->axis)
      s->rows *= t->dim[d];
    else
      s->n *= t->dim[d];
  s->per_block = GI_MAX(1, BLOCK / s->n);
  if (backward) s->per_block = GI_MAX(s->per_block, (s->rows + BLOCKS - 1) / BLOCKS);
  s->blocks = (s->rows + s->per_block - 1) / s->per_block;
  s->eps = a->eps;
  s->centred = a->centred;
  s->adds = !backward && p->n_in > 2;
  s->size = glia_dtype_size(t->dtype);
  s->threads = gi_cpu_parts(p->threads, gi_type_count(t), PART);
  s->loops = gi_cpu_elements(t->dtype);
  out->state = s;
  out->threads = s->threads;
  out->scratch = backward ? (size_t)(s->blocks * 2 * s->n) * sizeof(float) : 0;
  return GLIA_OK;
}

static gi_layer row_of(const state *s, int64_t row) {
  gi_layer l = s->at;
  const size_t offset = (size_t)(row * s->n) * s->size;
  l.x = (const char *)l.x + offset;
  if (l.dy != NULL) l.dy = (const char *)l.dy + offset;
  l.y = (char *)l.y + offset;
  return l;
}

static int64_t last_row(const state *s, int64_t block) {
  return GI_MIN((block + 1) * s->per_block, s->rows);
}

static float scale_of(const state *s, float variance) {
  return (float)(1 / sqrt((double)variance + s->eps));
}

/* ---- forward ---------------------------------------------------------------------------- */

static void write_part(void *user, int64_t block) {
  const state *s = user;
  for (int64_t row = block * s->per_block; row < last_row(s, block); row++) {
    gi_layer l = row_of(s, row);
    s->loops->layer->moments(&l, s->centred, &l.mean, &s->variance[row]);
    s->mean[row] = l.mean;
    l.scale = scale_of(s, s->variance[row]);
    s->loops->layer->write(&l);
  }
}

/* x, gamma[, beta] -> y, mean, variance */
static glia_status run_norm(const gi_exec *x) {
  state *s = x->state;
  s->at = (gi_layer){.n = s->n, .x = x->in[0], .gamma = x->in[1], .y = x->out[0]};
  if (s->adds) s->at.beta = x->in[2];
  s->mean = x->out[1];
  s->variance = x->out[2];
  gi_cpu_for(s->threads, s->blocks, write_part, s);
  return GLIA_OK;
}

/* ---- backward --------------------------------------------------------------------------- */

static void grad_part(void *user, int64_t block) {
  const state *s = user;
  const float share = 1 / (float)s->n;
  float *own = s->partial + block * 2 * s->n;
  memset(own, 0, (size_t)(2 * s->n) * sizeof *own);
  for (int64_t row = block * s->per_block; row < last_row(s, block); row++) {
    gi_layer l = row_of(s, row);
    float level, slope;
    l.mean = s->given_mean[row];
    l.scale = scale_of(s, s->given_variance[row]);
    l.dgamma = own;
    l.dbeta = own + s->n;
    s->loops->layer->sums(&l, &level, &slope);
    l.level = s->centred ? level * share : 0;
    l.slope = slope * share;
    s->loops->layer->grad(&l);
  }
}

/* x, gamma, mean, variance, dy -> dx, dgamma, dbeta */
static glia_status run_grad(const gi_exec *x) {
  state *s = x->state;
  float *dgamma = x->out[1], *dbeta = x->out[2];
  s->at =
      (gi_layer){.n = s->n, .x = x->in[0], .gamma = x->in[1], .dy = x->in[4], .y = x->out[0]};
  s->given_mean = x->in[2];
  s->given_variance = x->in[3];
  s->partial = x->scratch;
  gi_cpu_for(s->threads, s->blocks, grad_part, s);
  const gi_fold_loops *fold = gi_cpu_elements(GLIA_F32)->fold;
  if (s->blocks == 0) {
    memset(dgamma, 0, (size_t)s->n * sizeof *dgamma);
    memset(dbeta, 0, (size_t)s->n * sizeof *dbeta);
    return GLIA_OK;
  }
  fold->columns(GI_FOLD_SUM, s->partial, s->blocks, 2 * s->n, s->n, NULL, true, dgamma);
  fold->columns(GI_FOLD_SUM, s->partial + s->n, s->blocks, 2 * s->n, s->n, NULL, true, dbeta);
  return GLIA_OK;
}

static const gi_kernel forward = {
    .ops = {"layer_norm"},
    .name = "layer_norm_vector",
    .fits = fits,
    .prepare = prepare,
    .run = run_norm,
    .release = gi_free,
};
static const gi_kernel grad = {
    .ops = {"layer_norm_grad"},
    .name = "layer_norm_vector",
    .fits = fits,
    .prepare = prepare,
    .run = run_grad,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_layer_norm[] = {&forward, &grad, NULL};
