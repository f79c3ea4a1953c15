/* int8.c - quantising, and products of 8-bit whole numbers.
 *
 * Both products are products of rows: a row of the first operand, or the window of a
 * convolution that an element of the result sees, by a row of the weight. Rows are widened to
 * 16 bits and padded with zeros; known weights are so kept, windows are gathered for some rows
 * of the result at a time. Sums are exact, so results do not depend on the number of threads.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"
#include "ops/int8.h"
#include "ops/window.h"

enum {
  PART = 1 << 16,    /* operations worth a thread */
  MOST_SUM = 1 << 17 /* products of two 8-bit numbers that 32 bits can add up */
};

/* ---- quantising ---------------------------------------------------------------------------
 */

typedef struct rounding {
  int64_t rows, row; /* scales, and elements of each */
  int parts;
  const gi_int8_loops *loops;
  const gi_exec *x;
} rounding;

static const char *fits_quantize(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 && p->in[1].dtype == GLIA_F32 ? NULL : "takes f32 only";
}

static glia_status prepare_quantize(const gi_problem *p, gi_prepared *out) {
  rounding *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  const int64_t count = gi_type_count(&p->in[0]);
  s->rows = p->in[1].rank == 1 ? p->in[1].dim[0] : 1;
  s->row = s->rows > 0 ? count / s->rows : 0;
  s->parts = gi_cpu_parts(p->threads, count, PART);
  s->loops = gi_cpu_isa()->int8;
  out->threads = s->parts;
  out->state = s;
  return GLIA_OK;
}

/* A part is a run of elements; it may begin and end within a row. */
static void round_part(void *user, int64_t part) {
  const rounding *s = user;
  const float *x = s->x->in[0], *scale = s->x->in[1];
  int8_t *q = s->x->out[0];
  const int64_t count = s->rows * s->row, end = count * (part + 1) / s->parts;
  for (int64_t e = count * part / s->parts; e < end;) {
    const int64_t row = e / s->row, n = GI_MIN(end, (row + 1) * s->row) - e;
    if (scale[row] > 0)
      s->loops->quantize(x + e, scale[row], q + e, n);
    else
      memset(q + e, 0, (size_t)n);
    e += n;
  }
}

static glia_status run_quantize(const gi_exec *x) {
  rounding *s = x->state;
  s->x = x;
  gi_cpu_for(s->parts, s->parts, round_part, s);
  return GLIA_OK;
}

/* ---- products -----------------------------------------------------------------------------
 */

typedef struct state {
  gi_conv_attr a;         /* of a convolution */
  int64_t dim[4], win[4]; /* x [N, C, H, W] and w [F, C/groups, KH, KW]; matrices: H = W = 1 */
  int64_t rows, cols;     /* of the result's plane */
  int64_t k, padded;      /* elements of a row, with and without padding */
  int64_t jobs;           /* images times groups times rows of the result */
  int parts, n_in;
  int16_t *known;                  /* the weight, if it is known; owned */
  size_t at_weight, at_part, part; /* scratch: the weight; of each part: windows, then sums */
  const gi_int8_loops *loops;
  const gi_exec *x;
} state;

static const char *fits(const gi_problem *p) {
  const gi_type *w = &p->in[1];
  for (int i = 0; i < p->n_in; i++)
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  if (p->in[2].dtype != GLIA_F32) return "takes f32 scales only";
  int64_t k = 1;
  for (int d = 1; d < w->rank; d++) k *= w->dim[d];
  return k < MOST_SUM - GI_INT8_PAD ? NULL : "sums of so many products need more than 32 bits";
}

static void widen_rows(const int8_t *from, int64_t rows, int64_t k, int64_t padded,
                       int16_t *to) {
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < k; i++) to[r * padded + i] = from[r * k + i];
    for (int64_t i = k; i < padded; i++) to[r * padded + i] = 0;
  }
}

static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

static void describe(state *s, const gi_problem *p) {
  const bool conv = p->op == &gi_op_conv2d_int8;
  for (int d = 0; d < 4; d++) {
    s->dim[d] = d < p->in[0].rank ? p->in[0].dim[d] : 1;
    s->win[d] = d < p->in[1].rank ? p->in[1].dim[d] : 1;
  }
  s->a = conv ? *(const gi_conv_attr *)p->attr
              : (gi_conv_attr){.stride = {2, {1, 1}},
                               .padding = {2, {0, 0}},
                               .dilation = {2, {1, 1}},
                               .groups = 1};
  s->rows = conv ? p->out[0].dim[2] : 1;
  s->cols = conv ? p->out[0].dim[3] : 1;
  s->k = s->win[1] * s->win[2] * s->win[3];
  s->padded = (s->k + GI_INT8_PAD - 1) / GI_INT8_PAD * GI_INT8_PAD;
  s->jobs = s->dim[0] * s->a.groups * s->rows;
  s->n_in = p->n_in;
  s->loops = gi_cpu_isa()->int8;
  s->parts = gi_cpu_parts(p->threads, s->jobs * s->cols * s->k * s->win[0] / s->a.groups, PART);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  describe(s, p);
  const size_t weight = aligned(s->win[0] * s->padded * 2);
  if (p->known != NULL && p->known[1] != NULL) {
    s->known = gi_alloc_aligned(weight + 64);
    if (s->known == NULL) {
      gi_free(s);
      return gi_fail_nomem(weight);
    }
    widen_rows(p->known[1], s->win[0], s->k, s->padded, s->known);
    out->kept = weight;
  }
  s->at_part = s->known != NULL ? 0 : weight;
  const size_t sums = aligned(s->cols * s->win[0] / s->a.groups * 4);
  s->part = aligned(s->cols * s->padded * 2) + sums;
  out->state = s;
  out->threads = s->parts;
  out->unread = s->known != NULL ? 1 << 1 : 0;
  out->scratch = s->at_part + (size_t)s->parts * s->part;
  return GLIA_OK;
}

static void release(void *state_) {
  state *s = state_;
  gi_free_aligned(s->known);
  gi_free(s);
}

/* The windows of one row of the result, widened: [cols, padded]. */
static void gather(const state *s, const int8_t *image, int64_t row, int16_t *to) {
  const int64_t height = s->dim[2], width = s->dim[3];
  for (int64_t col = 0; col < s->cols; col++) {
    int16_t *at = to + col * s->padded;
    for (int64_t c = 0; c < s->win[1]; c++)
      for (int64_t p = 0; p < s->win[2]; p++) {
        const int64_t y =
            gi_window_cell(&s->a.stride, &s->a.padding, &s->a.dilation, 0, row, p);
        for (int64_t q = 0; q < s->win[3]; q++) {
          const int64_t x =
              gi_window_cell(&s->a.stride, &s->a.padding, &s->a.dilation, 1, col, q);
          const bool inside = y >= 0 && y < height && x >= 0 && x < width;
          *at++ = inside ? image[(c * height + y) * width + x] : 0;
        }
      }
    for (int64_t i = s->k; i < s->padded; i++) *at++ = 0;
  }
}

/* Scales the sums [cols, filters] of one row back, and writes them. */
static void give(const state *s, int64_t image, int64_t group, int64_t row,
                 const int32_t *sums) {
  const float *scale = s->x->in[2], *scales = s->x->in[3];
  const float *bias = s->n_in == 5 ? s->x->in[4] : NULL;
  const int64_t filters = s->win[0] / s->a.groups;
  float *y = s->x->out[0];
  for (int64_t f = 0; f < filters; f++) {
    const int64_t all = group * filters + f;
    const float by = *scale * scales[all], level = bias != NULL ? bias[all] : 0;
    float *to = y + ((image * s->win[0] + all) * s->rows + row) * s->cols;
    for (int64_t i = 0; i < s->cols; i++) to[i] = (float)sums[i * filters + f] * by + level;
  }
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t filters = s->win[0] / s->a.groups, plane = s->dim[2] * s->dim[3];
  char *scratch = (char *)s->x->scratch + s->at_part + (size_t)part * s->part;
  int16_t *windows = (int16_t *)scratch;
  int32_t *sums = (int32_t *)(scratch + aligned(s->cols * s->padded * 2));
  const int16_t *weight = s->known != NULL ? s->known : s->x->scratch;
  for (int64_t job = s->jobs * part / s->parts; job < s->jobs * (part + 1) / s->parts; job++) {
    const int64_t row = job % s->rows, group = job / s->rows % s->a.groups;
    const int64_t image = job / s->rows / s->a.groups;
    const int8_t *x =
        (const int8_t *)s->x->in[0] + (image * s->dim[1] + group * s->win[1]) * plane;
    gather(s, x, row, windows);
    s->loops->products(windows, s->cols, weight + group * filters * s->padded, filters,
                       s->padded, sums);
    give(s, image, group, row, sums);
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x;
  if (s->known == NULL) widen_rows(x->in[1], s->win[0], s->k, s->padded, x->scratch);
  gi_cpu_for(s->parts, s->parts, run_part, s);
  return GLIA_OK;
}

static const gi_kernel quantize = {.op = "quantize",
                                   .name = "quantize_vector",
                                   .fits = fits_quantize,
                                   .prepare = prepare_quantize,
                                   .run = run_quantize,
                                   .release = gi_free};
static const gi_kernel conv = {.op = "conv2d_int8",
                               .name = "int8_rows",
                               .fits = fits,
                               .prepare = prepare,
                               .run = run,
                               .release = release};
static const gi_kernel matmul = {.op = "matmul_int8",
                                 .name = "int8_rows",
                                 .fits = fits,
                                 .prepare = prepare,
                                 .run = run,
                                 .release = release};

const gi_kernel *const gi_cpu_kernels_int8[] = {&quantize, &conv, &matmul, NULL};
