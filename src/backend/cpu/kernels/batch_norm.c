/* batch_norm.c - normalisation by the statistics of the batch, and its gradient.
 *
 * Statistics in one pass over memory: a block small enough for the second cache is averaged,
 * then the squared distances from its own mean are added up; blocks of n_b elements are joined
 * by
 *
 *   mean = sum n_b mean_b / m,   m variance = sum (s_b + n_b (mean_b - mean)^2)   (Chan et al.
 * 1979)
 *
 * The gradient, with r = 1 / sqrt(variance + eps), S = sum dy, T = sum dy (x - mean):
 *
 *   dbeta = S,  dgamma = r T,  dx = gamma r (dy - S / m - (x - mean) r^2 T / m) = A dy + B x +
 * C
 *
 * Channels-last (and where there is nothing behind the channels) the channels are columns;
 * plain, each channel has a run in every image. Blocks are fixed by the problem, so results do
 * not depend on the number of threads.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  BLOCK = 16384, /* elements */
  PART = 1 << 15 /* elements worth a thread */
};

typedef struct state {
  bool columns;
  int64_t images, channels, area; /* columns: images counts places, area is 1 */
  int64_t per_block, blocks;      /* images (places) of a block */
  double eps;
  int threads;
  const gi_fold_loops *fold;
  const gi_row_loops *row;
  /* for the time of a run */
  const float *x, *dy, *mean;
  float *partial;     /* columns: [blocks][2][channels]; else [channels][blocks][2] */
  float *coefficient; /* [3][channels] */
  float *out;
} state;

/* ---- what is taken ---------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  if (p->in[0].dtype != GLIA_F32) return "takes f32 only";
  return gi_type_count(&p->in[0]) == 0 ? "the operand has no elements" : NULL;
}

static bool layouts_train(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  if (choice == 1) in[0] = out[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && p->in[0].rank == 4);
}

static bool layouts_grad(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  if (choice == 1) in[0] = in[4] = out[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && p->in[0].rank == 4);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_type *t = &p->in[0];
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->images = t->dim[0];
  s->channels = t->dim[1];
  s->area = 1;
  for (int d = 2; d < t->rank; d++) s->area *= t->dim[d];
  s->columns = s->area == 1 || (p->in_layout[0] == GI_CHANNELS_LAST && t->rank == 4);
  if (s->columns) {
    s->images *= s->area;
    s->area = 1;
  }
  s->per_block = GI_MAX(1, BLOCK / (s->columns ? s->channels : s->area));
  s->blocks = (s->images + s->per_block - 1) / s->per_block;
  s->eps = ((const gi_batch_norm_attr *)p->attr)->eps;
  s->threads = gi_cpu_parts(p->threads, gi_type_count(t), PART);
  s->fold = gi_cpu_isa()->fold;
  s->row = gi_cpu_isa()->row;
  out->state = s;
  out->scratch = (size_t)(s->blocks * 2 + 3) * (size_t)s->channels * sizeof(float);
  return GLIA_OK;
}

/* ---- blocks ----------------------------------------------------------------------------- */

static int64_t block_images(const state *s, int64_t block) {
  return GI_MIN(s->per_block, s->images - block * s->per_block);
}

/* Where the two numbers of a channel's block are, and the distance of the second. */
static float *partial_at(const state *s, int64_t channel, int64_t block, int64_t *second) {
  *second = s->columns ? s->channels : 1;
  return s->partial +
         (s->columns ? block * 2 * s->channels + channel : (channel * s->blocks + block) * 2);
}

static void statistics_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t c = s->columns ? 0 : part / s->blocks,
                block = s->columns ? part : part % s->blocks;
  const int64_t n = block_images(s, block), first = block * s->per_block, width = s->channels;
  int64_t second;
  float *to = partial_at(s, c, block, &second);
  if (s->columns) {
    const float *x = s->x + first * width;
    s->fold->columns(GI_FOLD_SUM, x, n, width, width, NULL, true, to);
    s->row->affine(to, width, 1 / (float)n, 0, to);
    s->fold->columns(GI_FOLD_SQUARES, x, n, width, width, to, true, to + second);
    return;
  }
  const int64_t step = s->channels * s->area;
  const float *x = s->x + first * step + c * s->area;
  to[0] = s->fold->row(GI_FOLD_SUM, x, n, step, s->area, 0) / (float)(n * s->area);
  to[1] = s->fold->row(GI_FOLD_SQUARES, x, n, step, s->area, to[0]);
}

static void moments_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t c = s->columns ? 0 : part / s->blocks,
                block = s->columns ? part : part % s->blocks;
  const int64_t n = block_images(s, block), first = block * s->per_block;
  int64_t second;
  float *to = partial_at(s, c, block, &second);
  if (s->columns) {
    const int64_t at = first * s->channels;
    s->row->moments_columns(s->x + at, s->dy + at, n, s->channels, s->mean, to);
  } else {
    const int64_t step = s->channels * s->area, at = first * step + c * s->area;
    s->row->moments(s->x + at, s->dy + at, n, step, s->area, s->mean[c], to);
  }
}

static void each_block(state *s, void (*part)(void *, int64_t)) {
  gi_cpu_for(s->threads, s->blocks * (s->columns ? 1 : s->channels), part, s);
}

/* ---- the pass that writes --------------------------------------------------------------- */

static void write_part(void *user, int64_t part) {
  const state *s = user;
  const float *a = s->coefficient, *b = a + s->channels, *c = b + s->channels;
  if (s->columns) {
    const int64_t at = part * s->per_block * s->channels, n = block_images(s, part);
    if (s->dy == NULL)
      s->row->affine_columns(s->x + at, n, s->channels, a, b, s->out + at);
    else
      s->row->blend_columns(s->dy + at, s->x + at, n, s->channels, a, b, c, s->out + at);
    return;
  }
  for (int64_t k = 0; k < s->channels; k++) {
    const int64_t at = (part * s->channels + k) * s->area;
    if (s->dy == NULL)
      s->row->affine(s->x + at, s->area, a[k], b[k], s->out + at);
    else
      s->row->blend(s->dy + at, s->x + at, s->area, a[k], b[k], c[k], s->out + at);
  }
}

static void write_all(state *s) {
  gi_cpu_for(s->threads, s->columns ? s->blocks : s->images, write_part, s);
}

static void begin(state *s, const gi_exec *x) {
  s->x = x->in[0];
  s->partial = x->scratch;
  s->coefficient = s->partial + s->blocks * 2 * s->channels;
  s->out = x->out[0];
}

static glia_status run_train(const gi_exec *x) {
  state *s = x->state;
  const float *gamma = x->in[1], *beta = x->in[2];
  float *mean_out = x->out[1], *variance_out = x->out[2];
  begin(s, x);
  s->dy = NULL;
  each_block(s, statistics_part);
  const double m = (double)(s->images * s->area);
  for (int64_t k = 0; k < s->channels; k++) {
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
    const double a = (double)gamma[k] / sqrt(squares / m + s->eps);
    mean_out[k] = (float)mean;
    variance_out[k] = (float)(squares / m);
    s->coefficient[k] = (float)a;
    s->coefficient[s->channels + k] = (float)((double)beta[k] - mean * a);
  }
  write_all(s);
  return GLIA_OK;
}

static glia_status run_grad(const gi_exec *x) {
  state *s = x->state;
  const float *gamma = x->in[1], *variance = x->in[3];
  float *dgamma = x->out[1], *dbeta = x->out[2];
  begin(s, x);
  s->mean = x->in[2];
  s->dy = x->in[4];
  each_block(s, moments_part);
  const double m = (double)(s->images * s->area);
  for (int64_t k = 0; k < s->channels; k++) {
    double sum = 0, product = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
      int64_t second;
      const float *p = partial_at(s, k, b, &second);
      sum += (double)p[0];
      product += (double)p[second];
    }
    const double r = 1 / sqrt((double)variance[k] + s->eps), a = (double)gamma[k] * r;
    const double slope = -a * r * r * product / m;
    dgamma[k] = (float)(r * product);
    dbeta[k] = (float)sum;
    s->coefficient[k] = (float)a;
    s->coefficient[s->channels + k] = (float)slope;
    s->coefficient[2 * s->channels + k] = (float)(-a * sum / m - slope * (double)s->mean[k]);
  }
  write_all(s);
  return GLIA_OK;
}

static const gi_kernel train = {
    .op = "batch_norm_train",
    .name = "batch_norm_vector",
    .fits = fits,
    .layouts = layouts_train,
    .prepare = prepare,
    .run = run_train,
    .release = gi_free,
};
static const gi_kernel grad = {
    .op = "batch_norm_grad",
    .name = "batch_norm_vector",
    .fits = fits,
    .layouts = layouts_grad,
    .prepare = prepare,
    .run = run_grad,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_batch_norm[] = {&train, &grad, NULL};
