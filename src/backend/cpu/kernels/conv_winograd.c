/* conv_winograd.c - convolutions and their gradients by Winograd's algorithm (isa/winograd.h),
 * channels-last: for 3 x 3 kernels a quarter of the multiplications of the direct sum.
 *
 *   result   tiles of 4 x 4         read in tiles of 6 x 6    depth    panels of
 *   y        of y                   x                         C        F
 *   dx       of a phase of dx       dy                        F        C
 *   dw       sums over tiles        x, and 4 x 4 of dy
 *
 * Larger kernels and strides are sums of 3 x 3 pieces (pieces.h). Pieces are summed like
 * channels, before any transform back: n pieces of C channels are one convolution of n C. A
 * 5 x 5 kernel has four and so 9 in place of 25 multiplications.
 *
 * y and dx: the weights are transformed first. Then each thread takes blocks of tiles: it
 * transforms what they read, multiplies at each of the 36 points, and transforms back, all in
 * its own cache. Where tiles are few, as of one image, all threads transform all of them, and
 * then take panels: so each weight is read once, by one of them. Then many weights need not all
 * be there at once either: they come and go in bands of panels, through a cache that holds a
 * band. Every result is summed over the channels by one thread in one order.
 *
 * dw: for some tiles at a time, x and dy are transformed by all threads, then each takes some
 * points and adds up its products over these tiles; in bands of panels where the tiles are all.
 * Sums are shared out by points and panels, so that bits do not depend on the number of threads
 * here either.
 *
 * An infinity in x makes NaNs of all results of the tiles that it lies in, for the transforms
 * take differences; the direct sum would keep it in its own windows.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/pieces.h"

enum {
  IN = GI_WINOGRAD_IN,
  OUT = GI_WINOGRAD_OUT,
  POINTS = GI_WINOGRAD_POINTS,
  ROWS = GI_WINOGRAD_ROWS,
  CELLS = GI_PIECE_CELLS,
  TAPS = GI_PIECE_SIDE * GI_PIECE_SIDE,
  WIDEST = 2 * GI_SPLAT,  /* channels of a panel, at most */
  DEPTH = 16,             /* depths of weights transformed together */
  LINE = 16,              /* floats of a cache line */
  BLOCK = 24,             /* tiles that a thread takes together */
  MANY_WEIGHTS = 1 << 18, /* floats that no second cache holds */
  LARGE_BLOCK = 96,       /* tiles that take turns with so many weights */
  FIT = 1 << 21,          /* floats of transformed tiles, at most */
  CHUNK = 4,              /* panels multiplied before they are transformed back */
  GRAD_BLOCK = 48,        /* tiles that are added to the sums of dw together */
  BAND = 5 << 20,         /* floats of weights that are there at a time, where tiles are few */
  MANY = 1 << 21,         /* sums that are gone through less often: */
  MANY_BLOCK = 128,
  SHARES = 4,    /* parts a thread, that none waits long for another */
  PART = 1 << 16 /* multiply-adds worth a thread */
};

typedef struct state {
  gi_grid g;
  int64_t deep;   /* depths of all pieces */
  int64_t kernel; /* taps */
  bool backward, adds, relu;
  int bias;                  /* input; -1: none */
  bool few;                  /* tiles: panels are shared out, not blocks of tiles */
  int64_t panels;            /* channels by loops->width */
  int64_t band;              /* panels whose transformed weights are there at a time */
  int64_t block, chunk;      /* tiles, panels taken together */
  int64_t row;               /* floats of a tile's depths, at one point */
  int64_t weight_step;       /* floats between points: of weights */
  int64_t in_step, out_step; /* of transformed tiles, of products */
  int threads;
  const gi_winograd_loops *loops;
  gi_move_rectangle *move;
  size_t weight_at, part_at, part_size, space_size; /* floats, in the scratch */
  float *kept; /* owned: transformed weights that never change; NULL: transformed in each run */
  /* for the time of a run */
  const float *from, *w, *zeros, *biases, *z;
  float *weight, *space, *to;
  int64_t now, taken; /* first panel of the band, and how many */
} state;

/* dx has one for each phase, others have one. They share the scratch. */
typedef struct phases {
  int n;
  state phase[GI_PIECE_PHASES];
} phases;

/* ---- what is taken ----------------------------------------------------------------------- */

static bool weight_grad_of(const gi_problem *p) {
  return strcmp(p->op->name, "conv2d_weight_grad") == 0;
}

static const char *fits(const gi_problem *p) {
  const gi_conv_attr *a = p->attr;
  const gi_type *w = weight_grad_of(p) ? &p->out[0] : &p->in[1];
  for (int i = 0; i < p->n_in; i++) {
    if (p->in[i].dtype != GLIA_F32) return "takes f32 only";
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  }
  if (gi_type_count(&p->out[0]) == 0) return "the result has no elements";
  if (a->groups != 1) return "takes one group only";
  return gi_pieces_fit(a, w);
}

static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  in[0] = GI_CHANNELS_LAST;
  if (gi_adds(p->op)) in[GI_ADDED] = GI_CHANNELS_LAST;
  if (weight_grad_of(p))
    in[1] = GI_CHANNELS_LAST;
  else
    out[0] = GI_CHANNELS_LAST;
  return choice == 0;
}

/* As measured: products at 0.8 of the arithmetic limit; the transforms of one channel of a tile
 * take as long as 800 operations, in whole vectors, and finding the cells of a piece as long as
 * 3000, or 40000 where a vector is read in part; weights are as many channels of tiles, and
 * go through memory: four times those of a 3 x 3 kernel, which is most of the time of a small
 * picture. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  const bool packed = p->known != NULL && !weight_grad_of(p) && p->known[1] != NULL;
  double flops = 0, bytes = 0;
  for (int i = 0; i < gi_grid_phases(p); i++) {
    const gi_grid g = gi_grid_of(p, i);
    const double deep = (double)(g.n_pieces * g.depth), kernels = deep * (double)g.channels;
    const int64_t lines_in = (g.depth + LINE - 1) / LINE,
                  lines_out = (g.channels + LINE - 1) / LINE;
    const double whole = (double)((g.n_pieces * lines_in + lines_out) * LINE);
    flops += ceil((double)g.tiles / ROWS) * ROWS * POINTS * 2 * kernels / 0.8;
    flops += 800 * ((double)g.tiles * whole + (packed ? 0 : kernels));
    flops += (double)(g.tiles * g.n_pieces) * (g.depth % 8 == 0 ? 3e3 : 4e4);
    bytes += (packed ? 1 : 3) * kernels * POINTS * sizeof(float);
  }
  return gi_time(p, limits, INFINITY, 1) + bytes / limits->bytes + flops / limits->flops;
}

/* ---- weights ----------------------------------------------------------------------------- */

/* The transformed weights of a panel of the band, at its first point. */
static float *weights_of(const state *s, int64_t panel) {
  return s->weight + (panel - s->now) * POINTS * s->weight_step;
}

/* The kernels of some depths, each piece of them: from w [F, C, taps]. Forward a panel holds
 * filters and its depth is C; backward it holds channels and its depth is F. The kernels of the
 * panel's channels are first brought side by side. */
static void weight_part(void *user, int64_t part) {
  const state *s = user;
  const gi_grid *g = &s->g;
  const int64_t slices = (g->depth + DEPTH - 1) / DEPTH, width = s->loops->width;
  const int64_t panel = s->now + part / slices, first = panel * width;
  const int64_t d = part % slices * DEPTH;
  const int64_t n = GI_MIN(width, g->channels - first), deep = GI_MIN(DEPTH, g->depth - d);
  const int64_t by_channel = s->backward ? s->kernel : g->depth * s->kernel; /* in w */
  const int64_t by_depth = s->backward ? g->channels * s->kernel : s->kernel;
  const float *w = s->w + first * by_channel + d * by_depth;
  float side[DEPTH * TAPS * WIDEST], cells[CELLS * WIDEST];
  gi_rectangle turn = {.rows = s->backward ? s->kernel : deep * s->kernel,
                       .cols = n,
                       .from_row = 1,
                       .from_col = by_channel,
                       .to_row = width,
                       .to_col = 1,
                       .size = sizeof(float)};
  if (n < width) memset(side, 0, (size_t)(deep * s->kernel * width) * sizeof *side);
  for (int64_t e = 0; e < deep; e += s->backward ? 1 : deep)
    s->move(&turn, w + e * by_depth, side + e * s->kernel * width);
  for (int k = 0; k < g->n_pieces; k++) {
    float *to = weights_of(s, panel) + (k * g->depth + d) * width;
    for (int64_t e = 0; e < deep; e++, to += width) {
      for (int c = 0; c < CELLS; c++) {
        const int tap = g->piece[k].tap[c];
        const size_t row = (size_t)width * sizeof(float);
        if (tap < 0)
          memset(cells + c * width, 0, row);
        else
          memcpy(cells + c * width, side + (e * s->kernel + tap) * width, row);
      }
      s->loops->weight(cells, width, to, s->weight_step);
    }
  }
}

/* Of the panels of the band, or into a band. */
static void share_weights(state *s, void (*part)(void *, int64_t), void *user) {
  gi_cpu_for(s->threads, s->taken * ((s->g.depth + DEPTH - 1) / DEPTH), part, user);
}

static void take_band(state *s, int64_t first) {
  s->now = first;
  s->taken = GI_MIN(s->band, s->panels - first);
}

/* ---- y and dx ---------------------------------------------------------------------------- */

/* B' d B of n tiles from `first` on: in[point][tile][row]. */
static void transform_tiles(const state *s, int64_t first, int64_t n, float *in) {
  const float *at[POINTS];
  for (int64_t t = 0; t < n; t++)
    for (int k = 0; k < s->g.n_pieces; k++) { /* in order: each writes whole vectors */
      gi_grid_read(&s->g, first + t, &s->g.piece[k], s->from, s->zeros, at);
      s->loops->input(at, s->g.depth, in + t * s->row + k * s->g.depth, s->in_step);
    }
}

/* Panels panel .. panel + chunk - 1 at all points: out[point][panel][tile][width]. */
static void multiply_block(const state *s, int64_t panel, int64_t chunk, int64_t n,
                           const float *in, float *out) {
  const int64_t width = s->loops->width;
  gi_winograd_product p = {.row = s->row, .depth = s->deep};
  for (int64_t k = 0; k < POINTS; k++)
    for (int64_t c = 0; c < chunk; c++) {
      p.panel = weights_of(s, panel + c) + k * s->weight_step;
      for (int64_t t = 0; t < n; t += ROWS) {
        p.x = in + k * s->in_step + t * s->row;
        p.to = out + k * s->out_step + (c * s->block + t) * width;
        s->loops->product(&p);
      }
    }
}

static void write_block(const state *s, int64_t panel, int64_t chunk, int64_t first, int64_t n,
                        const float *out) {
  const int64_t width = s->loops->width;
  int64_t cell[OUT * OUT];
  gi_winograd_output o = {.step = s->out_step, .cell = cell, .relu = s->relu};
  for (int64_t t = 0; t < n; t++) {
    gi_grid_written(&s->g, first + t, cell);
    for (int64_t c = 0; c < chunk; c++) {
      const int64_t f = (panel + c) * width;
      o.from = out + (c * s->block + t) * width;
      o.to = s->to + f;
      o.channels = GI_MIN(width, s->g.channels - f);
      o.bias = s->biases != NULL ? s->biases + f : NULL;
      o.added = s->z != NULL ? s->z + f : NULL;
      s->loops->output(&o);
    }
  }
}

/* Products take whole groups of tiles: those that are missing are zeros. */
static void fill_up(const state *s, int64_t n, float *in) {
  for (int64_t t = n; t % ROWS != 0; t++)
    for (int64_t k = 0; k < POINTS; k++)
      memset(in + k * s->in_step + t * s->row, 0, (size_t)s->row * sizeof *in);
}

/* A block of tiles, in the scratch of the thread that takes it. */
static void tiles_part(void *user, int64_t part) {
  const state *s = user;
  float *in = s->space + (size_t)gi_cpu_lane() * s->part_size, *out = in + POINTS * s->in_step;
  const int64_t first = part * s->block, n = GI_MIN(s->block, s->g.tiles - first);
  transform_tiles(s, first, n, in);
  fill_up(s, n, in);
  for (int64_t panel = 0; panel < s->panels; panel += s->chunk) {
    const int64_t chunk = GI_MIN(s->chunk, s->panels - panel);
    multiply_block(s, panel, chunk, n, in, out);
    write_block(s, panel, chunk, first, n, out);
  }
}

/* ROWS tiles of all, into the one `in` of few tiles. */
static void few_transformed(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * ROWS, n = GI_MIN(ROWS, s->g.tiles - first);
  transform_tiles(s, first, n, s->space + first * s->row);
  fill_up(s, n, s->space + first * s->row);
}

/* A chunk of panels of the band for a block of few tiles. */
static void few_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t blocks = (s->g.tiles + s->block - 1) / s->block;
  const int64_t panel = s->now + part / blocks * s->chunk, first = part % blocks * s->block;
  const int64_t chunk = GI_MIN(s->chunk, s->now + s->taken - panel);
  const int64_t n = GI_MIN(s->block, s->g.tiles - first);
  float *out = s->space + POINTS * (s->in_step + gi_cpu_lane() * s->out_step);
  multiply_block(s, panel, chunk, n, s->space + first * s->row, out);
  write_block(s, panel, chunk, first, n, out);
}

/* What lies outside of the image; it begins the scratch. */
static void zero_cell(state *s, float *scratch) {
  memset(scratch, 0, (size_t)s->g.depth * sizeof *scratch);
  s->zeros = scratch;
}

static void run_phase(state *s, const gi_exec *x) {
  float *scratch = x->scratch;
  s->from = x->in[0];
  s->to = x->out[0];
  s->biases = s->bias >= 0 ? x->in[s->bias] : NULL;
  s->z = s->adds ? x->in[GI_ADDED] : NULL;
  s->space = scratch + s->part_at;
  zero_cell(s, scratch);
  s->w = x->in[1];
  s->weight = s->kept != NULL ? s->kept : scratch + s->weight_at;
  if (s->few) gi_cpu_for(s->threads, (s->g.tiles + ROWS - 1) / ROWS, few_transformed, s);
  const int64_t blocks = (s->g.tiles + s->block - 1) / s->block;
  for (int64_t first = 0; first < s->panels; first += s->band) {
    take_band(s, first);
    const int64_t parts = s->few ? blocks * ((s->taken + s->chunk - 1) / s->chunk) : blocks;
    if (s->kept == NULL) share_weights(s, weight_part, s);
    gi_cpu_for(s->threads, parts, s->few ? few_part : tiles_part, s);
  }
}

static glia_status run(const gi_exec *x) {
  phases *all = x->state;
  for (int i = 0; i < all->n; i++) run_phase(&all->phase[i], x);
  return GLIA_OK;
}

/* ---- dw ---------------------------------------------------------------------------------- */

/* For a block of tiles, in[point][tile][row] of x and dy[point][panel][tile][width], made by
 * all threads, then sum[panel][point][channel of x][width], shared out by points and panels. */
typedef struct grad_state {
  state s; /* reads x; its weights are the sums; its block of tiles is one for all threads */
  int64_t c_tiles, dy_step;
  /* for the time of a run */
  int64_t now, n; /* first tile of the block, and how many */
  const float *y;
  float *in, *dy, *dw;
} grad_state;

static void transform_part(void *user, int64_t part) {
  const grad_state *g = user;
  const state *s = &g->s;
  const int64_t first = part * ROWS, width = s->loops->width;
  const int64_t n = GI_MIN(ROWS, g->n - first);
  int64_t cell[OUT * OUT];
  transform_tiles(s, g->now + first, n, g->in + first * s->row);
  for (int64_t t = first; t < first + n; t++) {
    gi_grid_written(&s->g, g->now + t, cell);
    for (int64_t k = 0; k < s->panels; k++)
      s->loops->result(g->y + k * width, cell, s->g.channels - k * width,
                       g->dy + (k * s->block + t) * width, g->dy_step);
  }
}

static void sum_part(void *user, int64_t part) {
  const grad_state *g = user;
  const state *s = &g->s;
  const int64_t point = part / s->taken, panel = s->now + part % s->taken;
  const int64_t width = s->loops->width;
  const float *x = g->in + point * s->in_step;
  float *sum = weights_of(s, panel) + point * s->weight_step;
  gi_winograd_outer o = {.row = s->row,
                         .dy = g->dy + point * g->dy_step + panel * s->block * width,
                         .tiles = g->n,
                         .add = g->now > 0};
  for (int64_t i = 0; i < g->c_tiles; i++) {
    const int64_t c = s->deep * i / g->c_tiles;
    o.x = x + c;
    o.rows = (int)(s->deep * (i + 1) / g->c_tiles - c);
    o.sum = sum + c * width;
    s->loops->outer(&o);
  }
}

/* Some channels of x of a panel of filters, into dw [F, C, taps]: each tap is in one piece. */
static void weight_grad_part(void *user, int64_t part) {
  const grad_state *g = user;
  const state *s = &g->s;
  const int64_t slices = (s->g.depth + DEPTH - 1) / DEPTH, width = s->loops->width;
  const int64_t panel = s->now + part / slices, first = panel * width;
  const int64_t d = part % slices * DEPTH;
  const int64_t n = GI_MIN(width, s->g.channels - first), deep = GI_MIN(DEPTH, s->g.depth - d);
  float side[DEPTH * TAPS * WIDEST], cells[CELLS * WIDEST];
  for (int k = 0; k < s->g.n_pieces; k++) {
    const float *sum = weights_of(s, panel) + (k * s->g.depth + d) * width;
    for (int64_t e = 0; e < deep; e++, sum += width) {
      s->loops->weight_grad(sum, s->weight_step, cells);
      for (int c = 0; c < CELLS; c++)
        if (s->g.piece[k].tap[c] >= 0)
          memcpy(side + (e * s->kernel + s->g.piece[k].tap[c]) * width, cells + c * width,
                 (size_t)width * sizeof *side);
    }
  }
  const gi_rectangle turn = {.rows = deep * s->kernel,
                             .cols = n,
                             .from_row = width,
                             .from_col = 1,
                             .to_row = 1,
                             .to_col = s->g.depth * s->kernel,
                             .size = sizeof(float)};
  s->move(&turn, side, g->dw + (first * s->g.depth + d) * s->kernel);
}

static glia_status run_weight_grad(const gi_exec *x) {
  grad_state *g = x->state;
  state *s = &g->s;
  float *scratch = x->scratch;
  s->from = x->in[0];
  g->y = x->in[1];
  g->dw = x->out[0];
  zero_cell(s, scratch);
  s->weight = scratch + s->weight_at;
  g->in = scratch + s->part_at;
  g->dy = g->in + POINTS * s->in_step;
  for (int64_t first = 0; first < s->panels; first += s->band) {
    take_band(s, first);
    for (g->now = 0; g->now < s->g.tiles; g->now += s->block) {
      g->n = GI_MIN(s->block, s->g.tiles - g->now);
      if (first == 0) gi_cpu_for(s->threads, (g->n + ROWS - 1) / ROWS, transform_part, g);
      gi_cpu_for(s->threads, POINTS * s->taken, sum_part, g);
    }
    share_weights(s, weight_grad_part, g);
  }
  return GLIA_OK;
}

/* ---- preparing --------------------------------------------------------------------------- */

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* Points lie an odd number of cache lines apart, so that the 36 of one place do not fall into
 * the same few sets of a cache. */
static int64_t odd_lines(int64_t floats) { return (round_up(floats, LINE) / LINE | 1) * LINE; }

static void begin(state *s, const gi_problem *p, const gi_grid *g) {
  const gi_conv_attr *a = p->attr;
  const gi_type *w = weight_grad_of(p) ? &p->out[0] : &p->in[1];
  s->g = *g;
  s->deep = g->n_pieces * g->depth;
  s->kernel = w->dim[2] * w->dim[3];
  s->backward = gi_is_input_grad(p->op);
  s->relu = a->activation != NULL && strcmp(a->activation, "relu") == 0;
  s->bias = gi_bias_input(p->op, p->n_in);
  s->adds = gi_adds(p->op);
  s->loops = gi_cpu_isa()->winograd;
  s->move = gi_cpu_isa()->move_rectangle;
  const double work = (double)s->g.tiles * POINTS * (double)(s->deep * s->g.channels);
  s->threads = gi_cpu_parts(p->threads, work > 1e18 ? INT64_MAX : (int64_t)work, PART);
  /* The last piece may be written up to a whole vector. */
  const int64_t row = s->deep - s->g.depth + round_up(s->g.depth, LINE);
  s->row = row <= 64 ? round_up(row, LINE) : odd_lines(row);
  s->panels = (s->g.channels + s->loops->width - 1) / s->loops->width;
  s->weight_step = odd_lines(s->deep * s->loops->width);
  s->weight_at = (size_t)round_up(s->g.depth, LINE);
}

static void release(void *phases_) {
  phases *all = phases_;
  for (int i = 0; i < all->n; i++) gi_free_aligned(all->phase[i].kept);
  gi_free(all);
}

static glia_status keep_weights(state *s, const float *w, size_t floats) {
  s->kept = gi_alloc_aligned(floats * sizeof(float));
  if (s->kept == NULL) return gi_fail_nomem(floats * sizeof(float));
  s->w = w;
  s->weight = s->kept;
  take_band(s, 0);
  share_weights(s, weight_part, s);
  return GLIA_OK;
}

/* Tiles that one thread takes together: as its cache holds them; more where weights are so many
 * that they come from memory for every block. */
static int64_t block_of(const state *s, int64_t tiles) {
  const bool many = s->panels * POINTS * s->weight_step > MANY_WEIGHTS;
  const int64_t fit = FIT / (POINTS * s->row) / ROWS * ROWS;
  const int64_t most = many ? GI_MAX(BLOCK, GI_MIN(LARGE_BLOCK, fit)) : BLOCK;
  const int64_t blocks = (tiles + most - 1) / most;
  return round_up((tiles + blocks - 1) / blocks, ROWS);
}

/* Panels of a band: all, unless their weights are many, and what else they are summed with is
 * transformed once for all bands (each goes through that anew, so that bands are few). A
 * multiple of `chunk`, with one for each thread. */
static int64_t band_of(const state *s, bool once, int64_t chunk) {
  const int64_t bands = once ? (s->panels * POINTS * s->weight_step + BAND - 1) / BAND : 1;
  const int64_t even = GI_MAX((s->panels + bands - 1) / bands, chunk * s->threads);
  return GI_MIN(s->panels, round_up(even, chunk));
}

/* The work into blocks of tiles, or for few into chunks of panels. */
static void cut(state *s, int lanes, bool known) {
  const int64_t tiles = s->g.tiles, shares = SHARES * s->threads;
  s->block = block_of(s, (tiles + s->threads - 1) / s->threads);
  s->chunk = GI_MIN(CHUNK, s->panels);
  s->few = tiles < (s->threads > 1 ? shares * s->block : s->block + 1) &&
           tiles * s->row * POINTS <= FIT;
  if (s->few) s->block = block_of(s, tiles);
  const int64_t blocks = (tiles + s->block - 1) / s->block;
  if (s->few && s->threads > 1) { /* as many chunks as there are shares for each block */
    const int64_t chunks = (shares + blocks - 1) / blocks;
    s->chunk = GI_MIN(s->chunk, (s->panels + chunks - 1) / chunks);
  }
  s->in_step = odd_lines((s->few ? round_up(tiles, ROWS) : s->block) * s->row);
  s->out_step = odd_lines(s->block * s->chunk * s->loops->width);
  s->band = band_of(s, s->few && !known, s->chunk);
  s->part_size = (size_t)(POINTS * (s->in_step + s->out_step));
  if (s->threads == 1) lanes = 1;
  s->space_size = s->few ? (size_t)(POINTS * (s->in_step + lanes * s->out_step))
                         : (size_t)lanes * s->part_size;
}

static glia_status prepare_phase(state *s, const gi_problem *p, const gi_grid *g,
                                 gi_prepared *out) {
  const bool known = p->known != NULL && p->known[1] != NULL;
  begin(s, p, g);
  cut(s, p->threads, known);
  const size_t weights = (size_t)(s->band * POINTS * s->weight_step);
  s->part_at = s->weight_at + (known ? 0 : weights);
  out->scratch = GI_MAX(out->scratch, (s->part_at + s->space_size) * sizeof(float));
  out->threads = GI_MAX(out->threads, s->threads);
  if (!known) return GLIA_OK;
  out->kept += weights * sizeof(float);
  out->unread = 1 << 1;
  return keep_weights(s, p->known[1], weights);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  phases *all = gi_alloc(sizeof *all);
  if (all == NULL) return gi_fail_nomem(sizeof *all);
  for (int i = 0; i < gi_grid_phases(p); i++) {
    const gi_grid g = gi_grid_of(p, i);
    if (g.tiles == 0) continue;
    const glia_status made = prepare_phase(&all->phase[all->n++], p, &g, out);
    if (made == GLIA_OK) continue;
    release(all);
    return made;
  }
  out->state = all;
  return GLIA_OK;
}

static glia_status prepare_weight_grad(const gi_problem *p, gi_prepared *out) {
  grad_state *g = gi_alloc(sizeof *g);
  if (g == NULL) return gi_fail_nomem(sizeof *g);
  state *s = &g->s;
  const gi_grid grid = gi_grid_of(p, 0);
  begin(s, p, &grid);
  const size_t sums = (size_t)(s->panels * POINTS * s->weight_step);
  s->block = GI_MIN(sums > MANY ? MANY_BLOCK : GRAD_BLOCK, s->g.tiles);
  g->c_tiles = (s->deep + ROWS - 1) / ROWS;
  s->in_step = odd_lines(s->block * s->row);
  g->dy_step = odd_lines(s->block * s->panels * s->loops->width);
  s->band = band_of(s, s->block == s->g.tiles, 1);
  s->part_at = s->weight_at + (size_t)(s->band * POINTS * s->weight_step);
  out->state = g;
  out->threads = s->threads;
  out->scratch = (s->part_at + (size_t)(POINTS * (s->in_step + g->dy_step))) * sizeof(float);
  return GLIA_OK;
}

static const gi_kernel of_images = {
    .ops = {"conv2d", "conv2d_act", "conv2d_add_act", "conv2d_input_grad",
            "conv2d_input_grad_add"},
    .name = "conv_winograd",
    .inexact = GI_WINOGRAD_ERROR,
    .fits = fits,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = release,
};
static const gi_kernel of_weights = {
    .ops = {"conv2d_weight_grad"},
    .name = "conv_winograd",
    .inexact = GI_WINOGRAD_ERROR,
    .fits = fits,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare_weight_grad,
    .run = run_weight_grad,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_conv_winograd[] = {&of_images, &of_weights, NULL};
