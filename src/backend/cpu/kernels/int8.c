/* int8.c - quantising, and products of 8-bit whole numbers.
 *
 * A product of matrices is a convolution: a row of the first is the one cell of a row of an
 * image that is one cell wide, its elements are channels. Images are channels-last: what a
 * place of the result reads of a row of an image lies together, and is one run ("tap") of a
 * tile (isa/int8.h). Some rows of the image at a time are widened to 16 bits, with zeros around
 * them, and stay in the second cache while all panels of weights go over them.
 *
 * Sums are exact, so results do not depend on the number of threads.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"
#include "ops/int8.h"
#include "ops/window.h"

enum {
  PART = 1 << 16,     /* operations worth a thread */
  MOST_SUM = 1 << 17, /* products of two 8-bit numbers that 32 bits can add up */
  BLOCK = 96 << 10,   /* bytes of widened rows that stay in the second cache */
  SHARES = 4          /* jobs a thread at least, so that none waits long for another */
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

/* One scale: element by element, in any layout. */
static bool layouts_quantize(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  if (choice == 1) in[0] = out[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && p->in[0].rank == 4 && p->in[1].rank == 0);
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
  gi_int8_attr a;
  int n_in;
  int64_t images, height, width, depth; /* of what is read; depth: channels of a group */
  int64_t rows, cols, filters;          /* of the result; filters of a group */
  int64_t kernel[2], groups;
  int64_t line;   /* elements of a widened row: (width + 2 padding) depth */
  int64_t block;  /* rows of the result that are computed together */
  int64_t blocks; /* of an image */
  int64_t panels; /* of a group */
  int64_t shares; /* that the panels are cut into */
  int64_t jobs;   /* images, groups, blocks, shares */
  gi_int8_taps taps;
  int64_t *offsets; /* of the taps; owned */
  int8_t *known;    /* packed weights, if they are known; owned */
  int threads;
  const gi_int8_loops *loops;
  /* scratch: packed weights if they are not known; factors and levels by group and panel;
   * widened rows, by thread */
  size_t weight, at_by, at_level, at_rows, row_bytes;
  /* for the time of a run */
  const gi_exec *x;
  const int8_t *packed;
} state;

static const char *fits(const gi_problem *p) {
  const gi_type *w = &p->in[1];
  for (int i = 0; i < p->n_in; i++)
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  if (gi_type_count(&p->out[0]) == 0) return "the result has no elements";
  if (p->in[2].dtype != GLIA_F32) return "takes f32 scales only";
  int64_t k = 1;
  for (int d = 1; d < w->rank; d++) k *= w->dim[d];
  return k < MOST_SUM ? NULL : "sums of so many products need more than 32 bits";
}

static bool layouts_conv(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  (void)p;
  in[0] = out[0] = GI_CHANNELS_LAST;
  return choice == 0;
}

/* Of the limit of f32, as measured with AVX2 on shapes of ResNet and of dense layers. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  return gi_time(p, limits, 1.3, 1);
}

static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

/* ---- geometry ---------------------------------------------------------------------------- */

static void describe_sizes(state *s, const gi_problem *p) {
  const gi_type *x = &p->in[0], *w = &p->in[1], *y = &p->out[0];
  const bool conv = p->op == &gi_op_conv2d_int8;
  s->a = *(const gi_int8_attr *)p->attr;
  if (!conv) {
    s->a.conv.stride = s->a.conv.dilation = (gi_dims){2, {1, 1}};
    s->a.conv.padding = (gi_dims){2, {0, 0}};
    s->a.conv.groups = 1;
  }
  s->n_in = p->n_in;
  s->groups = s->a.conv.groups;
  s->images = conv ? x->dim[0] : 1;
  s->height = conv ? x->dim[2] : x->dim[0];
  s->width = conv ? x->dim[3] : 1;
  s->depth = w->dim[1];
  s->rows = conv ? y->dim[2] : y->dim[0];
  s->cols = conv ? y->dim[3] : 1;
  s->filters = w->dim[0] / s->groups;
  for (int d = 0; d < 2; d++) s->kernel[d] = conv ? w->dim[2 + d] : 1;
}

/* Rows of the image that so many rows of the result read. */
static int64_t rows_read(const state *s, int64_t rows) {
  return (rows - 1) * s->a.conv.stride.at[0] +
         gi_window_span(s->kernel[0], s->a.conv.dilation.at[0]);
}

/* Blocks as large as the cache allows and as even as they come; where they are too few for all
 * threads, panels are shared out too. */
static void describe_jobs(state *s, const gi_problem *p) {
  const int64_t work =
      s->images * s->rows * s->cols * s->filters * s->groups * s->taps.n * s->taps.pairs;
  int64_t most = 1;
  while (most < s->rows && rows_read(s, most + 1) * s->line * 2 <= BLOCK) most++;
  s->threads = gi_cpu_parts(p->threads, work, PART);
  s->blocks = (s->rows + most - 1) / most;
  s->block = (s->rows + s->blocks - 1) / s->blocks;
  s->blocks = (s->rows + s->block - 1) / s->block;
  s->panels = (s->filters + s->loops->cols - 1) / s->loops->cols;
  s->jobs = s->images * s->groups * s->blocks;
  s->shares = s->threads == 1 || s->jobs >= SHARES * s->threads
                  ? 1
                  : GI_MIN(s->panels, (SHARES * s->threads + s->jobs - 1) / s->jobs);
  s->jobs *= s->shares;
}

/* A row of a window lies together; with gaps between its cells, each cell does. */
static glia_status describe_taps(state *s) {
  const gi_conv_attr *a = &s->a.conv;
  const int64_t cells = a->dilation.at[1] == 1 ? 1 : s->kernel[1];
  const int64_t length = s->depth * s->kernel[1] / cells;
  s->line = (s->width + 2 * a->padding.at[1]) * s->depth;
  s->offsets = gi_alloc((size_t)(s->kernel[0] * cells) * sizeof *s->offsets);
  if (s->offsets == NULL)
    return gi_fail_nomem((size_t)(s->kernel[0] * cells) * sizeof *s->offsets);
  for (int64_t p = 0; p < s->kernel[0]; p++)
    for (int64_t q = 0; q < cells; q++)
      s->offsets[p * cells + q] =
          p * a->dilation.at[0] * s->line + q * a->dilation.at[1] * s->depth;
  s->taps = (gi_int8_taps){s->kernel[0] * cells, (length + 1) / 2, s->offsets};
  return GLIA_OK;
}

static void describe_scratch(state *s) {
  const int64_t results = s->groups * s->panels * s->loops->cols;
  s->weight = aligned(results * s->taps.n * s->taps.pairs * 2);
  s->at_by = s->known != NULL ? 0 : s->weight;
  s->at_level = s->at_by + aligned(results * 4);
  s->at_rows = s->at_level + aligned(results * 4);
  /* a run of an odd number of elements reads one more, and multiplies it by 0 */
  s->row_bytes = aligned((rows_read(s, s->block) * s->line + 1) * 2);
}

/* ---- weights ------------------------------------------------------------------------------
 */

/* One panel's weights, from w [filters, depth, KH, KW]. */
static void pack_panel(const state *s, const int8_t *w, int64_t n, int8_t *to) {
  const int64_t cols = s->loops->cols, per_filter = s->depth * s->kernel[0] * s->kernel[1];
  const int64_t cells = s->taps.n / s->kernel[0], length = s->depth * s->kernel[1] / cells;
  for (int64_t k = 0; k < s->taps.n; k++)
    for (int64_t e = 0; e < 2 * s->taps.pairs; e++) {
      const int64_t q = k % cells + e / s->depth, c = e % s->depth;
      const int64_t at = (c * s->kernel[0] + k / cells) * s->kernel[1] + q;
      for (int64_t f = 0; f < cols; f++)
        to[((k * s->taps.pairs + e / 2) * cols + f) * 2 + e % 2] =
            f < n && e < length ? w[f * per_filter + at] : 0;
    }
}

static size_t panel_bytes(const state *s) {
  return (size_t)(s->taps.n * s->taps.pairs * s->loops->cols * 2);
}

static void pack(const state *s, const int8_t *w, int8_t *to) {
  const int64_t per_filter = s->depth * s->kernel[0] * s->kernel[1];
  for (int64_t g = 0; g < s->groups; g++)
    for (int64_t i = 0; i < s->panels; i++) {
      const int64_t first = i * s->loops->cols;
      pack_panel(s, w + (g * s->filters + first) * per_filter,
                 GI_MIN(s->loops->cols, s->filters - first), to);
      to += panel_bytes(s);
    }
}

/* ---- preparing ----------------------------------------------------------------------------
 */

static void release(void *state_) {
  state *s = state_;
  gi_free(s->offsets);
  gi_free_aligned(s->known);
  gi_free(s);
}

static glia_status fill(state *s, const gi_problem *p) {
  s->loops = gi_cpu_isa()->int8;
  describe_sizes(s, p);
  GI_TRY(describe_taps(s));
  describe_jobs(s, p);
  describe_scratch(s);
  if (p->known == NULL || p->known[1] == NULL) return GLIA_OK;
  s->known = gi_alloc_aligned(s->weight);
  if (s->known == NULL) return gi_fail_nomem(s->weight);
  pack(s, p->known[1], s->known);
  describe_scratch(s);
  return GLIA_OK;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  const glia_status status = fill(s, p);
  if (status != GLIA_OK) {
    release(s);
    return status;
  }
  out->state = s;
  out->threads = s->threads;
  out->kept = s->known != NULL ? s->weight : 0;
  out->unread = s->known != NULL ? 1 << 1 : 0;
  out->scratch = s->at_rows + (size_t)p->threads * s->row_bytes;
  return GLIA_OK;
}

/* ---- running ------------------------------------------------------------------------------
 */

/* Row y of an image, its channels of one group, zeros beside it or in its place. */
static void widen_row(const state *s, const int8_t *image, int64_t group, int64_t y,
                      int16_t *to) {
  const int64_t all = s->depth * s->groups, beside = s->a.conv.padding.at[1] * s->depth;
  if (y < 0 || y >= s->height) {
    memset(to, 0, (size_t)s->line * sizeof *to);
    return;
  }
  const int8_t *from = image + y * s->width * all + group * s->depth;
  memset(to, 0, (size_t)beside * sizeof *to);
  if (s->groups == 1)
    s->loops->widen(from, s->width * all, to + beside);
  else
    for (int64_t i = 0; i < s->width; i++)
      s->loops->widen(from + i * all, s->depth, to + beside + i * s->depth);
  memset(to + s->line - beside, 0, (size_t)beside * sizeof *to);
}

/* One panel over `rows` rows of the result from row `first` on; y: their first element. */
static void run_panel(const state *s, const int8_t *weights, const gi_int8_way_back *w,
                      const int16_t *lines, int64_t rows, int64_t n, char *y) {
  const gi_conv_attr *a = &s->a.conv;
  const int64_t places = rows * s->cols, most = s->loops->rows;
  const int64_t tiles = (places + most - 1) / most;
  const int64_t all = s->filters * s->groups;
  const size_t place_bytes = (size_t)all * (s->a.narrow ? 1 : 4);
  const int16_t *at[GI_INT8_ROWS] = {NULL};
  int32_t sums[GI_INT8_ROWS * GI_INT8_COLS];
  const int64_t step = a->stride.at[1] * s->depth;
  int64_t col = 0;
  for (int64_t t = 0; t < tiles; t++) {
    const int64_t begin = places * t / tiles, count = places * (t + 1) / tiles - begin;
    for (int64_t i = 0; i < count; i++) {
      at[i] = lines + col * step;
      if (++col < s->cols) continue;
      col = 0;
      lines += a->stride.at[0] * s->line;
    }
    s->loops->tile(&s->taps, at, (int)count, weights, sums);
    s->loops->give(w, sums, (int)count, n, all, y + (size_t)begin * place_bytes);
  }
}

static void run_job(void *user, int64_t job) {
  const state *s = user;
  const int64_t share = job % s->shares, block = job / s->shares % s->blocks;
  const int64_t group = job / s->shares / s->blocks % s->groups;
  const int64_t image = job / s->shares / s->blocks / s->groups;
  const int64_t first = block * s->block, rows = GI_MIN(s->block, s->rows - first);
  const int64_t lines = rows_read(s, rows), cols = s->loops->cols;
  char *scratch = s->x->scratch;
  int16_t *wide = (int16_t *)(scratch + s->at_rows + (size_t)gi_cpu_lane() * s->row_bytes);
  const int8_t *x =
      (const int8_t *)s->x->in[0] + image * s->height * s->width * s->depth * s->groups;
  for (int64_t i = 0; i < lines; i++)
    widen_row(s, x, group, first * s->a.conv.stride.at[0] - s->a.conv.padding.at[0] + i,
              wide + i * s->line);
  wide[lines * s->line] = 0;
  const size_t size = s->a.narrow ? 1 : 4;
  gi_int8_way_back w = {.relu = s->a.conv.activation[0] != '\0', .narrow = s->a.narrow};
  if (w.narrow) w.scale = *(const float *)s->x->in[s->n_in - 1];
  char *y = (char *)s->x->out[0] +
            (size_t)((image * s->rows + first) * s->cols * s->filters * s->groups) * size;
  const int64_t end = s->panels * (share + 1) / s->shares;
  for (int64_t i = s->panels * share / s->shares; i < end; i++) {
    const int64_t panel = group * s->panels + i;
    w.by = (const float *)(scratch + s->at_by) + panel * cols;
    w.level = (const float *)(scratch + s->at_level) + panel * cols;
    run_panel(s, s->packed + (size_t)panel * panel_bytes(s), &w, wide, rows,
              GI_MIN(cols, s->filters - i * cols),
              y + (size_t)(group * s->filters + i * cols) * size);
  }
}

static void list_factors(const state *s) {
  const float *scale = s->x->in[2], *scales = s->x->in[3];
  const float *bias = gi_int8_has_bias(&s->a, s->n_in) ? s->x->in[4] : NULL;
  float *by = (float *)((char *)s->x->scratch + s->at_by);
  float *level = (float *)((char *)s->x->scratch + s->at_level);
  const int64_t padded = s->panels * s->loops->cols;
  for (int64_t g = 0; g < s->groups; g++)
    for (int64_t f = 0; f < padded; f++) {
      const int64_t at = g * s->filters + f;
      const bool there = f < s->filters;
      by[g * padded + f] = there ? *scale * scales[at] : 0;
      level[g * padded + f] = there && bias != NULL ? bias[at] : 0;
    }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x;
  s->packed = s->known != NULL ? s->known : x->scratch;
  if (s->known == NULL) pack(s, x->in[1], x->scratch);
  list_factors(s);
  gi_cpu_for(s->threads, s->jobs, run_job, s);
  return GLIA_OK;
}

static const gi_kernel quantize = {.ops = {"quantize"},
                                   .name = "quantize_vector",
                                   .fits = fits_quantize,
                                   .layouts = layouts_quantize,
                                   .prepare = prepare_quantize,
                                   .run = run_quantize,
                                   .release = gi_free};
static const gi_kernel conv = {.ops = {"conv2d_int8"},
                               .name = "int8_tiles",
                               .fits = fits,
                               .layouts = layouts_conv,
                               .cost = cost,
                               .prepare = prepare,
                               .run = run,
                               .release = release};
static const gi_kernel matmul = {.ops = {"matmul_int8"},
                                 .name = "int8_tiles",
                                 .fits = fits,
                                 .cost = cost,
                                 .prepare = prepare,
                                 .run = run,
                                 .release = release};

const gi_kernel *const gi_cpu_kernels_int8[] = {&quantize, &conv, &matmul, NULL};
