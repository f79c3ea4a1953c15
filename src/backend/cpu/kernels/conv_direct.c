/* conv_direct.c - convolution and its gradients by our own loops (isa/conv.h), channels-last.
 *
 * Where oneDNN has AVX-512 its own kernels are as good; with AVX2 it is at its best on blocked
 * layouts only, and these loops are faster on channels-last.
 *
 *   result        places of the result   taps            depth     panels of
 *   y             y's                    all             C         F
 *   dx            x's, by their phase    those that hit  F         C
 *   dw            sums over y's places, one tap at a time
 *
 * A place of x lies under the taps k with (i + padding - k dilation) divisible by the stride:
 * places of one phase (row and column modulo the stride) share them, so each phase is a
 * convolution of its own and no tap is wasted. Each result is summed by one thread in one
 * order: bits do not depend on the number of threads.
 */
#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  TAPS = 64,             /* most taps of a kernel */
  TILES = 16,            /* tiles of places that see a panel one after the other */
  DEPTH = 16,            /* depths packed together */
  WIDEST = 2 * GI_SPLAT, /* channels of a panel, at most */
  PHASES = 16,           /* most phases: stride 4 x 4 */
  BLOCK = 128,           /* places of dw together: what is read stays in the first cache */
  SHARES = 4,            /* parts a thread at least, so that none waits long for another */
  SMALL = 256,           /* places of an image that is small */
  PART = 1 << 16         /* multiply-adds worth a thread */
};

typedef struct tap {
  int64_t row, col; /* relative to the place's own cell of what is read */
  int64_t k;        /* number in the kernel */
  int64_t offset;   /* row and col in what is read, in floats */
} tap;

/* A regular set of places, and what each reads: cell (i row_step + first.., j col_step + ..).
 */
typedef struct phase {
  int64_t rows, cols;           /* places */
  int64_t to_row, to_col;       /* place (i, j) is written at (to_row + i to_step, ...) */
  int64_t n_taps, first_weight; /* in the packed weights, in floats */
  int64_t low[2], high[2];      /* of the taps' rows and columns */
  tap taps[TAPS];
} phase;

typedef struct state {
  int64_t images, height, width, depth;  /* of what is read */
  int64_t to_height, to_width, channels; /* of what is written */
  int64_t step[2], to_step[2];           /* of places: in what is read, in what is written */
  int64_t kernel;                        /* taps in all */
  bool backward, adds, relu;
  int bias;       /* input; -1: none */
  bool across;    /* places are counted through the images before through an image */
  int64_t panels; /* channels by width */
  int n_phases;
  phase *phases;
  int threads;
  const gi_conv_loops *loops;
  gi_move_rectangle *move;
  size_t zeros_at, packed_at; /* floats, in the scratch */
  /* for the time of a run */
  const phase *now;
  int64_t runs, groups; /* that places and panels are cut into */
  const float *from, *zeros, *packed, *biases, *z;
  float *to;
  float *kept; /* owned: packed weights that never change; NULL: they are packed in each run */
} state;

/* ---- what is taken ----------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  const gi_conv_attr *a = p->attr;
  const bool weight_grad = strcmp(p->op->name, "conv2d_weight_grad") == 0;
  const gi_type *w = weight_grad ? &p->out[0] : &p->in[1];
  for (int i = 0; i < p->n_in; i++) {
    if (p->in[i].dtype != GLIA_F32) return "takes f32 only";
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  }
  if (gi_type_count(&p->out[0]) == 0) return "the result has no elements";
  if (a->groups != 1) return "takes one group only";
  if (w->dim[0] < 8 || w->dim[1] < 8) return "has fewer than 8 channels";
  if (w->dim[2] > TAPS || w->dim[3] > TAPS || w->dim[2] * w->dim[3] > TAPS)
    return "has more than 64 taps";
  if (a->stride.at[0] > 4 || a->stride.at[1] > 4) return "has a stride above 4";
  return NULL;
}

static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  in[0] = GI_CHANNELS_LAST;
  if (gi_adds(p->op)) in[GI_ADDED] = GI_CHANNELS_LAST;
  *(p->op == &gi_op_conv2d_weight_grad ? &in[1] : &out[0]) = GI_CHANNELS_LAST;
  return choice == 0;
}

/* Shares of the arithmetic limit as measured on shapes of ResNet. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  return gi_time(p, limits, strcmp(p->op->name, "conv2d_weight_grad") == 0 ? 0.55 : 0.75, 1);
}

/* ---- places and taps --------------------------------------------------------------------- */

static void add_tap(const state *s, phase *f, int64_t row, int64_t col, int64_t k) {
  const int64_t at[2] = {row, col};
  for (int d = 0; d < 2; d++) {
    f->low[d] = f->n_taps == 0 ? at[d] : GI_MIN(f->low[d], at[d]);
    f->high[d] = f->n_taps == 0 ? at[d] : GI_MAX(f->high[d], at[d]);
  }
  f->taps[f->n_taps++] = (tap){row, col, k, (row * s->width + col) * s->depth};
}

static void list_forward(state *s, const gi_conv_attr *a, const gi_type *w) {
  phase *f = &s->phases[0];
  s->n_phases = 1;
  *f = (phase){.rows = s->to_height, .cols = s->to_width};
  for (int64_t k = 0; k < w->dim[2]; k++)
    for (int64_t l = 0; l < w->dim[3]; l++)
      add_tap(s, f, k * a->dilation.at[0] - a->padding.at[0],
              l * a->dilation.at[1] - a->padding.at[1], k * w->dim[3] + l);
  for (int d = 0; d < 2; d++) {
    s->step[d] = a->stride.at[d];
    s->to_step[d] = 1;
  }
}

/* Cell i of x = r + q stride lies under tap k if stride divides r + padding - k dilation; it
 * then reads cell q + (r + padding - k dilation) / stride of dy. */
static void list_backward(state *s, const gi_conv_attr *a, const gi_type *w) {
  const int64_t *stride = a->stride.at, *pad = a->padding.at, *dil = a->dilation.at;
  int64_t weight = 0;
  s->n_phases = 0;
  for (int64_t r = 0; r < stride[0]; r++)
    for (int64_t c = 0; c < stride[1]; c++) {
      if (r >= s->to_height || c >= s->to_width) continue;
      phase *f = &s->phases[s->n_phases++];
      *f = (phase){.rows = (s->to_height - r + stride[0] - 1) / stride[0],
                   .cols = (s->to_width - c + stride[1] - 1) / stride[1],
                   .to_row = r,
                   .to_col = c,
                   .first_weight = weight};
      for (int64_t k = 0; k < w->dim[2]; k++)
        for (int64_t l = 0; l < w->dim[3]; l++) {
          const int64_t y = r + pad[0] - k * dil[0], x = c + pad[1] - l * dil[1];
          if (y % stride[0] == 0 && x % stride[1] == 0)
            add_tap(s, f, y / stride[0], x / stride[1], k * w->dim[3] + l);
        }
      weight += s->panels * f->n_taps * s->depth * s->loops->width;
    }
  for (int d = 0; d < 2; d++) {
    s->step[d] = 1;
    s->to_step[d] = stride[d];
  }
}

/* Places are counted in row order, image by image; or, across small images, through as many as
 * a tile has places at one position and then the next: they have the same taps in the padding,
 * and those are left out. */
typedef struct place {
  int64_t image, row, col;
} place;

static place place_at(const state *s, const phase *f, int64_t n) {
  const int64_t together = s->across ? GI_CONV_PLACES : 1, group = together * f->rows * f->cols;
  const int64_t first = n / group * together, of = GI_MIN(together, s->images - first);
  const int64_t at = n % group / of;
  return (place){first + n % group % of, at / f->cols, at % f->cols};
}

static void next_place(const state *s, const phase *f, place *p) {
  const int64_t together = s->across ? GI_CONV_PLACES : 1;
  const int64_t first = p->image / together * together;
  if (++p->image < GI_MIN(first + together, s->images)) return;
  const int64_t next = p->image;
  p->image = first;
  if (++p->col < f->cols) return;
  p->col = 0;
  if (++p->row < f->rows) return;
  p->row = 0;
  p->image = next;
}

static bool goes_across(const state *s, const phase *f) {
  const bool padded = f->low[0] < 0 || f->low[1] < 0 ||
                      (f->rows - 1) * s->step[0] + f->high[0] >= s->height ||
                      (f->cols - 1) * s->step[1] + f->high[1] >= s->width;
  return padded && s->images >= GI_CONV_PLACES && f->rows * f->cols <= SMALL;
}

/* The cell of what is read that belongs to a place, and whether all its taps lie inside. */
static const float *own_cell(const state *s, const phase *f, const place *p, bool *inside) {
  const int64_t row = p->row * s->step[0], col = p->col * s->step[1];
  *inside = row + f->low[0] >= 0 && row + f->high[0] < s->height && col + f->low[1] >= 0 &&
            col + f->high[1] < s->width;
  return s->from + ((p->image * s->height + row) * s->width + col) * s->depth;
}

static bool tap_inside(const state *s, const place *p, const tap *t) {
  const int64_t y = p->row * s->step[0] + t->row, x = p->col * s->step[1] + t->col;
  return y >= 0 && y < s->height && x >= 0 && x < s->width;
}

/* Points to the channels of the places first .. first + n - 1, for each tap. Says whether no
 * tap of any place lies in the padding. */
static bool point(const state *s, const phase *f, int64_t first, int n, const float **at) {
  place p = place_at(s, f, first);
  bool all_inside = true;
  for (int i = 0; i < n; i++, next_place(s, f, &p)) {
    bool inside;
    const float *own = own_cell(s, f, &p, &inside);
    all_inside = all_inside && inside;
    for (int64_t t = 0; t < f->n_taps; t++)
      at[t * GI_CONV_PLACES + i] =
          inside || tap_inside(s, &p, &f->taps[t]) ? own + f->taps[t].offset : s->zeros;
  }
  return all_inside;
}

/* ---- weights ----------------------------------------------------------------------------- */

/* Panel `part` of a phase: from w[F, C, taps]. Forward a panel holds filters and its depth is
 * C; backward it holds channels and its depth is F. Some depths at a time, the channels of the
 * panel are brought side by side, and their rows then put in their places. */
typedef struct packing {
  const state *s;
  const phase *f;
  const float *w;
  float *packed;
} packing;

static void pack_part(void *user, int64_t part) {
  const packing *k = user;
  const state *s = k->s;
  const phase *f = k->f;
  float side[DEPTH * TAPS * WIDEST];
  const int64_t width = s->loops->width, first = part * width;
  const int64_t n = GI_MIN(width, s->channels - first);
  const int64_t by_channel = s->backward ? s->kernel : s->depth * s->kernel; /* in w */
  const int64_t by_depth = s->backward ? s->channels * s->kernel : s->kernel;
  float *to = k->packed + f->first_weight + part * f->n_taps * s->depth * width;
  gi_rectangle turn = {.cols = n,
                       .from_row = 1,
                       .from_col = by_channel,
                       .to_row = width,
                       .to_col = 1,
                       .size = sizeof(float)};
  if (n < width) memset(side, 0, sizeof side);
  for (int64_t d = 0; d < s->depth; d += DEPTH) {
    const int64_t deep = GI_MIN(DEPTH, s->depth - d);
    const float *w = k->w + first * by_channel + d * by_depth;
    turn.rows = s->backward ? s->kernel : deep * s->kernel;
    for (int64_t e = 0; e < deep; e += s->backward ? 1 : deep)
      s->move(&turn, w + e * by_depth, side + e * s->kernel * width);
    for (int64_t e = 0; e < deep; e++)
      for (int64_t t = 0; t < f->n_taps; t++)
        memcpy(to + (t * s->depth + d + e) * width,
               side + (e * s->kernel + f->taps[t].k) * width, (size_t)width * sizeof(float));
  }
}

static void pack(const state *s, const float *w, float *packed) {
  for (int i = 0; i < s->n_phases; i++) {
    packing k = {s, &s->phases[i], w, packed};
    gi_cpu_for(s->threads, s->panels, pack_part, &k);
  }
}

/* ---- y and dx ---------------------------------------------------------------------------- */

static void point_to(const state *s, const phase *f, int64_t first, int n, float **to) {
  place p = place_at(s, f, first);
  for (int i = 0; i < n; i++, next_place(s, f, &p)) {
    const int64_t row = f->to_row + p.row * s->to_step[0];
    const int64_t col = f->to_col + p.col * s->to_step[1];
    to[i] = s->to + ((p.image * s->to_height + row) * s->to_width + col) * s->channels;
  }
}

static int64_t places_of(const state *s, const phase *f) {
  return s->images * f->rows * f->cols;
}

/* A tile of places, prepared once for all panels. */
typedef struct spot {
  const float *at[TAPS * GI_CONV_PLACES];
  int32_t weight[TAPS];
  int64_t n_taps;
  int places;
  float *to[GI_CONV_PLACES];
} spot;

/* Taps that lie in the padding for all places of the tile are left out. */
static void prepare_spot(const state *s, const phase *f, int64_t first, int n, spot *o) {
  const bool all = point(s, f, first, n, o->at);
  point_to(s, f, first, n, o->to);
  o->places = n;
  o->n_taps = 0;
  for (int64_t t = 0; t < f->n_taps; t++) {
    const float **from = o->at + t * GI_CONV_PLACES, **to = o->at + o->n_taps * GI_CONV_PLACES;
    bool seen = all;
    /* NOLINTNEXTLINE(clang-analyzer-core.*): point() has filled in n places of each tap */
    for (int i = 0; i < n && !seen; i++) seen = from[i] != s->zeros;
    if (!seen) continue;
    for (int i = 0; i < GI_CONV_PLACES; i++) to[i] = i < n ? from[i] : s->zeros;
    o->weight[o->n_taps++] = (int32_t)(t * s->depth * s->loops->width);
  }
}

/* Some tiles, panel by panel: the panel stays near while the tiles go by. */
static void tiles_part(void *user, int64_t part) {
  const state *s = user;
  const phase *f = s->now;
  const int64_t first = part % s->runs * GI_CONV_PLACES * TILES, places = places_of(s, f);
  const int64_t group = part / s->runs;
  const int64_t width = s->loops->width;
  spot spots[TILES];
  int tiles = 0;
  for (; tiles < TILES && first + tiles * GI_CONV_PLACES < places; tiles++) {
    const int64_t p = first + tiles * GI_CONV_PLACES;
    prepare_spot(s, f, p, (int)GI_MIN(GI_CONV_PLACES, places - p), &spots[tiles]);
  }
  gi_conv_tile tile = {.depth = s->depth, .adds = s->z != NULL, .relu = s->relu};
  for (int64_t k = s->panels * group / s->groups; k < s->panels * (group + 1) / s->groups;
       k++) {
    tile.panel = s->packed + f->first_weight + k * f->n_taps * s->depth * width;
    tile.channels = GI_MIN(width, s->channels - k * width);
    tile.bias = s->biases != NULL ? s->biases + k * width : NULL;
    for (int i = 0; i < tiles; i++) {
      const spot *o = &spots[i];
      tile.at = o->at;
      tile.weight = o->weight;
      tile.taps = o->n_taps;
      tile.places = o->places;
      for (int p = 0; p < o->places; p++) {
        tile.to[p] = o->to[p] + k * width;
        if (s->z != NULL) tile.added[p] = s->z + (tile.to[p] - s->to);
      }
      s->loops->tile(&tile);
    }
  }
}

/* Few places, as of one image: panels are shared out too, each thread taking neighbours. */
static void run_phase(state *s, const phase *f) {
  const int64_t most = GI_CONV_PLACES * TILES,
                wanted = s->threads > 1 ? SHARES * s->threads : 1;
  s->now = f;
  s->across = goes_across(s, f);
  s->runs = (places_of(s, f) + most - 1) / most;
  if (s->runs == 0) return;
  s->groups = GI_MIN(s->panels, (wanted + s->runs - 1) / s->runs);
  gi_cpu_for(s->threads, s->runs * s->groups, tiles_part, s);
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  float *scratch = x->scratch;
  s->from = x->in[0];
  s->to = x->out[0];
  s->zeros = scratch + s->zeros_at;
  s->packed = s->kept != NULL ? s->kept : scratch + s->packed_at;
  s->biases = s->bias >= 0 ? x->in[s->bias] : NULL;
  s->z = s->adds ? x->in[GI_ADDED] : NULL;
  memset(scratch + s->zeros_at, 0, (size_t)s->depth * sizeof(float));
  if (s->kept == NULL) pack(s, x->in[1], scratch + s->packed_at);
  for (int i = 0; i < s->n_phases; i++) run_phase(s, &s->phases[i]);
  return GLIA_OK;
}

/* ---- dw ---------------------------------------------------------------------------------- */

/* The sums are cut into tiles of (a panel's width of F, tap, some of C); a part is a run of
 * tiles, for which it goes through all places, a block at a time. Of dy it first makes a dense
 * copy of what the tiles of one panel read many times. Under each tap only those places are
 * listed that it sees. sum[(tap C + c) sum_row + f] is brought in order at the end. */
typedef struct grad_state {
  state s; /* reads x at the places of y */
  int64_t filters, c_tiles, f_tiles, parts, sum_row;
  size_t sum_at, dense_at, at_at, row_at;
  const float **at; /* by part: pointers to x, [taps][BLOCK] */
  int32_t *row;     /* by part: where dy's lie in dense, [taps][BLOCK] */
  const float *dy;
  float *sum, *dense, *dw; /* dense: by part, [BLOCK][width] */
} grad_state;

static void copy_panel(const grad_state *g, int64_t f_tile, int64_t first, int64_t places,
                       float *to) {
  const int64_t width = g->s.loops->width, f = f_tile * width,
                n = GI_MIN(width, g->filters - f);
  const gi_rectangle r = {places, n, g->filters, 1, width, 1, sizeof(float)};
  if (n < width) memset(to, 0, (size_t)(places * width) * sizeof *to);
  g->s.move(&r, g->dy + first * g->filters + f, to);
}

/* Lists by tap the places first .. first + n - 1 that it sees. */
static void list_places(const grad_state *g, int64_t first, int64_t n, const float **at,
                        int32_t *row, int64_t *count) {
  const state *s = &g->s;
  const phase *f = &s->phases[0];
  place p = place_at(s, f, first);
  memset(count, 0, (size_t)f->n_taps * sizeof *count);
  for (int64_t i = 0; i < n; i++, next_place(s, f, &p)) {
    bool inside;
    const float *own = own_cell(s, f, &p, &inside);
    for (int64_t t = 0; t < f->n_taps; t++) {
      if (!inside && !tap_inside(s, &p, &f->taps[t])) continue;
      at[t * BLOCK + count[t]] = own + f->taps[t].offset;
      row[t * BLOCK + count[t]++] = (int32_t)(i * s->loops->width);
    }
  }
}

static void sum_part(void *user, int64_t part) {
  const grad_state *g = user;
  const state *s = &g->s;
  const int64_t in_panel = s->kernel * g->c_tiles, tiles = in_panel * g->f_tiles;
  const int64_t first = tiles * part / g->parts, last = tiles * (part + 1) / g->parts;
  const int64_t width = s->loops->width, places = places_of(s, &s->phases[0]);
  const float **at = g->at + part * s->kernel * BLOCK;
  int32_t *row = g->row + part * s->kernel * BLOCK;
  int64_t count[TAPS];
  float *dense = g->dense + part * BLOCK * width;
  gi_conv_outer o = {.dy = dense, .sum_row = g->sum_row};
  for (int64_t p = 0; p < places; p += BLOCK) {
    const int64_t n = GI_MIN(BLOCK, places - p);
    list_places(g, p, n, at, row, count);
    o.add = p > 0;
    for (int64_t i = first; i < last; i++) {
      const int64_t f_tile = i / in_panel, t = i % in_panel / g->c_tiles,
                    c_tile = i % g->c_tiles;
      if (i == first || i % in_panel == 0) copy_panel(g, f_tile, p, n, dense);
      o.x = at + t * BLOCK;
      o.row = row + t * BLOCK;
      o.places = count[t];
      o.c = s->depth * c_tile / g->c_tiles;
      o.rows = (int)(s->depth * (c_tile + 1) / g->c_tiles - o.c);
      o.sum = g->sum + (t * s->depth + o.c) * g->sum_row + f_tile * width;
      s->loops->outer(&o);
    }
  }
}

/* Some channels of x of a panel of filters, into dw [F, C, taps]. */
static void order_part(void *user, int64_t part) {
  const grad_state *g = user;
  const int64_t depth = g->s.depth, kernel = g->s.kernel, width = g->s.loops->width;
  const int64_t slices = (depth + DEPTH - 1) / DEPTH, d = part % slices * DEPTH;
  const int64_t first = part / slices * width, deep = GI_MIN(DEPTH, depth - d);
  float side[DEPTH * TAPS * WIDEST];
  for (int64_t t = 0; t < kernel; t++)
    for (int64_t c = 0; c < deep; c++)
      memcpy(side + (c * kernel + t) * width, g->sum + (t * depth + d + c) * g->sum_row + first,
             (size_t)width * sizeof *side);
  const gi_rectangle turn = {.rows = deep * kernel,
                             .cols = GI_MIN(width, g->filters - first),
                             .from_row = width,
                             .from_col = 1,
                             .to_row = 1,
                             .to_col = depth * kernel,
                             .size = sizeof(float)};
  g->s.move(&turn, side, g->dw + (first * depth + d) * kernel);
}

static glia_status run_weight_grad(const gi_exec *x) {
  grad_state *g = x->state;
  state *s = &g->s;
  float *scratch = x->scratch;
  s->from = x->in[0];
  s->zeros = scratch + s->zeros_at;
  g->dy = x->in[1];
  g->sum = scratch + g->sum_at;
  g->dense = scratch + g->dense_at;
  g->at = (const float **)(void *)(scratch + g->at_at);
  g->row = (int32_t *)(void *)(scratch + g->row_at);
  g->dw = x->out[0];
  memset(scratch + s->zeros_at, 0, (size_t)s->depth * sizeof(float));
  gi_cpu_for((int)g->parts, g->parts, sum_part, g);
  gi_cpu_for(s->threads, g->f_tiles * ((s->depth + DEPTH - 1) / DEPTH), order_part, g);
  return GLIA_OK;
}

/* ---- preparing --------------------------------------------------------------------------- */

static int64_t round_up(int64_t n) { return (n + 15) / 16 * 16; /* floats of a cache line */ }

static glia_status begin(state *s, const gi_problem *p, const gi_type *from, const gi_type *w,
                         const gi_type *to) {
  const gi_conv_attr *a = p->attr;
  s->images = from->dim[0];
  s->depth = from->dim[1];
  s->height = from->dim[2];
  s->width = from->dim[3];
  s->channels = to->dim[1];
  s->to_height = to->dim[2];
  s->to_width = to->dim[3];
  s->kernel = w->dim[2] * w->dim[3];
  s->relu = a->activation != NULL && strcmp(a->activation, "relu") == 0;
  s->bias = gi_bias_input(p->op, p->n_in);
  s->adds = gi_adds(p->op);
  s->loops = gi_cpu_isa()->conv;
  s->move = gi_cpu_isa()->move_rectangle;
  s->panels = (s->channels + s->loops->width - 1) / s->loops->width;
  s->packed_at = (size_t)round_up(s->depth);
  const double work = (double)gi_type_count(to) * (double)(s->depth * s->kernel);
  s->threads = gi_cpu_parts(p->threads, work > 1e18 ? INT64_MAX : (int64_t)work, PART);
  s->phases = gi_alloc(PHASES * sizeof *s->phases);
  return s->phases == NULL ? gi_fail_nomem(PHASES * sizeof *s->phases) : GLIA_OK;
}

static void release(void *state_) { /* of grad_state too, which begins with one */
  state *s = state_;
  gi_free_aligned(s->kept);
  gi_free(s->phases);
  gi_free(s);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->backward = gi_is_input_grad(p->op);
  const glia_status made = begin(s, p, &p->in[0], &p->in[1], &p->out[0]);
  if (made != GLIA_OK) {
    gi_free(s);
    return made;
  }
  if (s->backward)
    list_backward(s, p->attr, &p->in[1]);
  else
    list_forward(s, p->attr, &p->in[1]);
  const size_t packed = (size_t)(s->panels * s->loops->width * s->kernel * s->depth);
  out->state = s;
  out->threads = s->threads;
  if (p->known == NULL || p->known[1] == NULL) {
    out->scratch = (s->packed_at + packed) * sizeof(float);
    return GLIA_OK;
  }
  out->scratch = s->packed_at * sizeof(float);
  s->kept = gi_alloc_aligned(packed * sizeof(float));
  if (s->kept == NULL) {
    release(s);
    return gi_fail_nomem(packed * sizeof(float));
  }
  pack(s, p->known[1], s->kept);
  out->kept = packed * sizeof(float);
  out->unread = 1 << 1;
  return GLIA_OK;
}

static glia_status prepare_weight_grad(const gi_problem *p, gi_prepared *out) {
  grad_state *g = gi_alloc(sizeof *g);
  if (g == NULL) return gi_fail_nomem(sizeof *g);
  const glia_status made = begin(&g->s, p, &p->in[0], &p->out[0], &p->in[1]);
  if (made != GLIA_OK) {
    gi_free(g);
    return made;
  }
  list_forward(&g->s, p->attr, &p->out[0]);
  g->filters = p->in[1].dim[1];
  g->c_tiles = (g->s.depth + GI_CONV_PLACES - 1) / GI_CONV_PLACES;
  g->f_tiles = (g->filters + g->s.loops->width - 1) / g->s.loops->width;
  g->parts = GI_MIN((int64_t)g->s.threads, g->s.kernel * g->c_tiles * g->f_tiles);
  const int64_t width = g->s.loops->width, sums = g->s.kernel * g->s.depth * g->f_tiles * width;
  g->sum_row = g->f_tiles * width;
  g->sum_at = g->s.packed_at;
  g->dense_at = g->sum_at + (size_t)round_up(sums);
  g->at_at = g->dense_at + (size_t)(g->parts * BLOCK * width);
  out->state = g;
  out->threads = g->s.threads;
  const size_t listed = (size_t)(g->parts * g->s.kernel * BLOCK);
  const size_t pointers = listed * sizeof *g->at;
  g->row_at = g->at_at + pointers / sizeof(float);
  out->scratch = g->row_at * sizeof(float) + listed * sizeof(int32_t);
  return GLIA_OK;
}

static const gi_kernel of_images = {
    .ops = {"conv2d", "conv2d_act", "conv2d_add_act", "conv2d_input_grad",
            "conv2d_input_grad_add"},
    .name = "conv_direct",
    .fits = fits,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = release,
};
static const gi_kernel of_weights = {
    .ops = {"conv2d_weight_grad"},
    .name = "conv_direct",
    .fits = fits,
    .layouts = layouts,
    .cost = cost,
    .prepare = prepare_weight_grad,
    .run = run_weight_grad,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_conv_direct[] = {&of_images, &of_weights, NULL};
