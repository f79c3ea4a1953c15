/* batch_norm.c - normalisation by the statistics of the batch, with and without relu behind it,
 * and its gradient: two passes over memory either way (isa/norm.h).
 *
 * Statistics in one pass: a block small enough for the second cache is averaged, then the
 * squared distances from its own mean are added up; blocks of n_b elements are joined by
 *
 *   mean = sum n_b mean_b / m,   m variance = sum (s_b + n_b (mean_b - mean)^2)
 *
 * (Chan et al. 1979). The second pass writes y = a x + b, a = gamma r, b = beta - mean a, r = 1
 * / sqrt(variance + eps). The gradient, with S = sum dy, T = sum dy (x - mean):
 *
 *   dbeta = S,  dgamma = r T,  dx = gamma r (dy - S / m - (x - mean) r^2 T / m) = p dy + q x +
 * s
 *
 * With relu, only the dy with y > 0 count. y is a x + b again, with a and b from the same
 * numbers as forward, so that the signs are the same; where something was added to it, the
 * signs were kept, a bit each.
 *
 * Channels-last (and where there is nothing behind the channels) the channels are columns;
 * plain, each channel has a run in every image. Many columns are cut into slices. Blocks are
 * fixed by the problem, so results do not depend on the number of threads.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  BLOCK = 16384, /* elements */
  WIDE = 512,    /* more columns are cut into slices, */
  SLICE = 256,   /* so that a block still has many rows */
  PART = 1 << 15 /* elements worth a thread */
};

typedef struct state {
  bool columns, relu, adds;       /* adds: something to y, whose signs are kept */
  int64_t images, channels, area; /* columns: images counts places, area is 1 */
  int64_t per_block, blocks;      /* images (places) of a block */
  int64_t slice, slices;          /* columns of a slice; plain: 1, and as many as channels */
  int64_t bytes;                  /* of bits for an image (place) */
  double eps;
  size_t size; /* of an element: f32 or bf16; what there is one of a channel is f32 */
  int threads;
  const gi_element_loops *loops;
  /* for the time of a run */
  float *partial; /* columns: [blocks][slice][2][its channels]; else [channels][blocks][2] */
  float *a, *b;   /* by channel */
  float *p, *q, *r;
  gi_norm at; /* the first element of all that is read and written */
} state;

/* ---- what is taken ---------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  if (gi_cpu_elements(p->in[0].dtype) == NULL) return "takes f32 and bf16 only";
  if (p->in[1].dtype != GLIA_F32) return "takes statistics in f32 only";
  return gi_type_count(&p->in[0]) == 0 ? "the operand has no elements" : NULL;
}

/* Everything that has x's places is kept as x is. */
static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  for (int i = 0; i < p->n_in && choice == 1; i++)
    if (p->in[i].rank == 4) in[i] = GI_CHANNELS_LAST;
  for (int k = 0; k < p->n_out && choice == 1; k++)
    if (p->out[k].rank == 4) out[k] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && p->in[0].rank == 4);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_type *t = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->relu = p->op == &gi_op_batch_norm_act || p->op == &gi_op_batch_norm_act_grad;
  s->adds = p->n_in == (p->op == &gi_op_batch_norm_act ? 4 : 7);
  s->images = t->dim[0];
  s->channels = t->dim[1];
  s->area = 1;
  for (int d = 2; d < t->rank; d++) s->area *= t->dim[d];
  s->columns = s->area == 1 || (p->in_layout[0] == GI_CHANNELS_LAST && t->rank == 4);
  if (s->columns) {
    s->images *= s->area;
    s->area = 1;
  }
  s->bytes = (s->channels + 7) / 8 * s->area;
  s->slice = !s->columns ? 1 : s->channels > WIDE ? SLICE : s->channels;
  s->slices = (s->channels + s->slice - 1) / s->slice;
  s->per_block = GI_MAX(1, BLOCK / (s->columns ? s->slice : s->area));
  s->blocks = (s->images + s->per_block - 1) / s->per_block;
  s->eps = ((const gi_batch_norm_attr *)p->attr)->eps;
  s->threads = gi_cpu_parts(p->threads, gi_type_count(t), PART);
  s->size = glia_dtype_size(t->dtype);
  s->loops = gi_cpu_elements(t->dtype);
  out->state = s;
  out->threads = s->threads;
  out->scratch = (size_t)(s->blocks * 2 + 5) * (size_t)s->channels * sizeof(float);
  return GLIA_OK;
}

static void begin(state *s, const gi_exec *x) {
  s->partial = x->scratch;
  s->a = s->partial + s->blocks * 2 * s->channels;
  s->b = s->a + s->channels;
  s->p = s->b + s->channels;
  s->q = s->p + s->channels;
  s->r = s->q + s->channels;
  s->at = (gi_norm){.relu = s->relu, .x = x->in[0], .a = s->a, .b = s->b};
}

/* ---- pieces ----------------------------------------------------------------------------- */

static int64_t block_images(const state *s, int64_t block) {
  return GI_MIN(s->per_block, s->images - block * s->per_block);
}

static int64_t slice_width(const state *s, int64_t c) {
  return GI_MIN(s->slice, s->channels - c);
}

static const void *beyond(const state *s, const void *p, int64_t elements) {
  return p == NULL ? NULL : (const char *)p + (size_t)elements * s->size;
}

/* n images (places) from `first` on: of channel c or, as columns, of the slice that begins with
 * it. */
static gi_norm piece(const state *s, int64_t c, int64_t first, int64_t n) {
  gi_norm g = s->at;
  const int64_t step = s->channels * s->area, at = first * step + c * s->area;
  g.rows = n;
  g.row_step = step;
  g.n = s->columns ? slice_width(s, c) : s->area;
  g.x = beyond(s, g.x, at);
  g.z = beyond(s, g.z, at);
  g.dy = beyond(s, g.dy, at);
  if (g.y != NULL) g.y = (char *)g.y + (size_t)at * s->size;
  const int64_t bits = first * s->bytes + c / 8 * s->area;
  if (g.bits != NULL) g.bits += bits;
  if (g.to_bits != NULL) g.to_bits += bits;
  g.bits_step = s->bytes;
  g.shift = s->columns ? 0 : (int)(c % 8);
  g.a += c;
  g.b += c;
  if (g.dy == NULL) return g;
  g.centre += c;
  g.p += c;
  g.q += c;
  g.r += c;
  return g;
}

/* Where the two numbers of a channel's block are, and the distance of the second. */
static float *partial_at(const state *s, int64_t channel, int64_t block, int64_t *second) {
  const int64_t first = channel / s->slice * s->slice;
  *second = s->columns ? slice_width(s, first) : 1;
  return s->partial + (s->columns ? block * 2 * s->channels + 2 * first + channel - first
                                  : (channel * s->blocks + block) * 2);
}

typedef struct place {
  int64_t channel, block;
} place;
static place place_of(const state *s, int64_t part) {
  return (place){part / s->blocks * s->slice, part % s->blocks};
}

static void statistics_part(void *user, int64_t part) {
  const state *s = user;
  const gi_fold_loops *fold = s->loops->fold;
  const place at = place_of(s, part);
  const gi_norm g = piece(s, at.channel, at.block * s->per_block, block_images(s, at.block));
  int64_t second;
  float *to = partial_at(s, at.channel, at.block, &second);
  if (!s->columns) {
    to[0] = fold->row(GI_FOLD_SUM, g.x, g.rows, g.row_step, g.n, 0) / (float)(g.rows * g.n);
    to[1] = fold->row(GI_FOLD_SQUARES, g.x, g.rows, g.row_step, g.n, to[0]);
    return;
  }
  fold->columns(GI_FOLD_SUM, g.x, g.rows, g.row_step, g.n, NULL, true, to);
  for (int64_t k = 0; k < g.n; k++) to[k] /= (float)g.rows;
  fold->columns(GI_FOLD_SQUARES, g.x, g.rows, g.row_step, g.n, to, true, to + second);
}

static void sums_part(void *user, int64_t part) {
  const state *s = user;
  const place at = place_of(s, part);
  gi_norm g = piece(s, at.channel, at.block * s->per_block, block_images(s, at.block));
  int64_t second;
  g.sums = partial_at(s, at.channel, at.block, &second);
  (s->columns ? s->loops->norm->sums_columns : s->loops->norm->sums_run)(&g);
}

static void each_block(state *s, void (*part)(void *, int64_t)) {
  gi_cpu_for(s->threads, s->blocks * s->slices, part, s);
}

/* The pass that writes: by blocks of places, or image by image. */
static void write_part(void *user, int64_t part) {
  const state *s = user;
  const gi_norm_loops *l = s->loops->norm;
  if (s->columns) {
    const place at = place_of(s, part);
    const gi_norm g = piece(s, at.channel, at.block * s->per_block, block_images(s, at.block));
    (g.dy == NULL ? l->write_columns : l->grad_columns)(&g);
    return;
  }
  for (int64_t c = 0; c < s->channels; c++) {
    const gi_norm g = piece(s, c, part, 1);
    (g.dy == NULL ? l->write_run : l->grad_run)(&g);
  }
}

static void write_all(state *s) {
  gi_cpu_for(s->threads, s->columns ? s->blocks * s->slices : s->images, write_part, s);
}

/* ---- running ---------------------------------------------------------------------------- */

/* y = a x + b, from the statistics as they are kept. */
static void set_line(state *s, int64_t k, float gamma, float beta, float mean, float variance) {
  const double a = (double)gamma / sqrt((double)variance + s->eps);
  s->a[k] = (float)a;
  s->b[k] = (float)((double)beta - (double)mean * a);
}

static void join_statistics(const state *s, int64_t k, float *mean_out, float *variance_out) {
  const double m = (double)(s->images * s->area);
  double mean = 0, squares = 0;
  int64_t second;
  for (int64_t b = 0; b < s->blocks; b++)
    mean += (double)*partial_at(s, k, b, &second) * (double)(block_images(s, b) * s->area);
  mean /= m;
  for (int64_t b = 0; b < s->blocks; b++) {
    const float *p = partial_at(s, k, b, &second);
    const double away = (double)p[0] - mean;
    squares += (double)p[second] + away * away * (double)(block_images(s, b) * s->area);
  }
  *mean_out = (float)mean;
  *variance_out = (float)(squares / m);
}

/* x, gamma, beta[, z] -> y, mean, variance[, bits] */
static glia_status run_train(const gi_exec *x) {
  state *s = x->state;
  const float *gamma = x->in[1], *beta = x->in[2];
  float *mean = x->out[1], *variance = x->out[2];
  begin(s, x);
  each_block(s, statistics_part);
  for (int64_t k = 0; k < s->channels; k++) {
    join_statistics(s, k, &mean[k], &variance[k]);
    set_line(s, k, gamma[k], beta[k], mean[k], variance[k]);
  }
  s->at.y = x->out[0];
  if (s->adds) s->at.z = x->in[3];
  if (s->adds) s->at.to_bits = x->out[3];
  write_all(s);
  return GLIA_OK;
}

/* Sums of the blocks; what they make of the gradients' coefficients. */
static void join_sums(const state *s, int64_t k, float gamma, float mean, float variance,
                      float *dgamma, float *dbeta) {
  const double m = (double)(s->images * s->area);
  double sum = 0, product = 0;
  for (int64_t b = 0; b < s->blocks; b++) {
    int64_t second;
    const float *p = partial_at(s, k, b, &second);
    sum += (double)p[0];
    product += (double)p[second];
  }
  const double r = 1 / sqrt((double)variance + s->eps), a = (double)gamma * r;
  const double slope = -a * r * r * product / m;
  *dgamma = (float)(r * product);
  *dbeta = (float)sum;
  s->p[k] = (float)a;
  s->q[k] = (float)slope;
  s->r[k] = (float)(-a * sum / m - slope * (double)mean);
}

/* Two passes: sums (and, from bits, the dy that count), then dx. */
static void run_backward(state *s, const gi_exec *x, const float *gamma, const float *mean,
                         const float *variance) {
  float *dgamma = x->out[1], *dbeta = x->out[2];
  s->at.centre = mean;
  s->at.p = s->p;
  s->at.q = s->q;
  s->at.r = s->r;
  each_block(s, sums_part);
  for (int64_t k = 0; k < s->channels; k++)
    join_sums(s, k, gamma[k], mean[k], variance[k], &dgamma[k], &dbeta[k]);
  if (s->adds) {
    s->at.dy = s->at.y;
    s->at.bits = NULL;
    s->at.relu = false;
  }
  s->at.y = x->out[0];
  write_all(s);
}

/* x, gamma, mean, variance, dy -> dx, dgamma, dbeta */
static glia_status run_grad(const gi_exec *x) {
  state *s = x->state;
  begin(s, x);
  s->at.dy = x->in[4];
  run_backward(s, x, x->in[1], x->in[2], x->in[3]);
  return GLIA_OK;
}

/* x, gamma, beta, mean, variance, dy[, bits] -> dx, dgamma, dbeta[, the dy that count] */
static glia_status run_act_grad(const gi_exec *x) {
  state *s = x->state;
  const float *gamma = x->in[1], *beta = x->in[2], *mean = x->in[3], *variance = x->in[4];
  begin(s, x);
  for (int64_t k = 0; k < s->channels; k++)
    set_line(s, k, gamma[k], beta[k], mean[k], variance[k]);
  s->at.dy = x->in[5];
  if (s->adds) s->at.bits = x->in[6];
  if (s->adds) s->at.y = x->out[3];
  run_backward(s, x, gamma, mean, variance);
  return GLIA_OK;
}

static const gi_kernel forward = {
    .ops = {"batch_norm_train", "batch_norm_act"},
    .name = "batch_norm_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run_train,
    .release = gi_free,
};
static const gi_kernel grad = {
    .ops = {"batch_norm_grad"},
    .name = "batch_norm_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run_grad,
    .release = gi_free,
};
static const gi_kernel act_grad = {
    .ops = {"batch_norm_act_grad"},
    .name = "batch_norm_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run_act_grad,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_batch_norm[] = {&forward, &grad, &act_grad, NULL};
