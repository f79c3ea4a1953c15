/* attention.c - attention by tiles of rows and keys, forward and backward (arXiv:2205.14135,
 * arXiv:2307.08691): a tile of scores is made by a product, used and forgotten, so that memory
 * does not grow with T x S, nor scratch with T or S (but with T in the gradient of few heads).
 *
 * Forward, a part is a block of rows of one head (of several, where heads share keys and rows
 * are few: their queries lie side by side). It goes through the keys a tile at a time; the
 * largest score so far and the sum of exponentials are kept for each row, and what was summed
 * is scaled down when a larger score comes.
 *
 * Backward, a part is all rows and keys of one head of k. For each tile of keys it goes through
 * the blocks of rows, makes the probabilities anew from the stored logarithm, and adds up dk
 * and dv of the tile, and dq in the result. Where heads are few, every so many tiles of keys
 * are a part: each adds up a dq of its own, and these are added up in order.
 *
 * Parts and their order are fixed by the problem: the same bits for any number of threads.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  ROWS = 144,    /* of a block, at most: whole tiles of a product */
  KEYS = 128,    /* of a tile: whole panels */
  FEW = 4,       /* so many rows are not worth packing keys for */
  SIDE = 4,      /* tiles of rows gathered at a time */
  FEW_HEADS = 8, /* so many parts at least, backward */
  CHUNK = 4096,  /* floats of dq that are added up together */
  SLACK = 32,    /* floats behind a tile that gathering rows may read */
  PART = 1 << 16 /* operations worth a thread */
};

typedef struct state {
  int64_t n, heads, shared, groups, t, s, d, e; /* heads = groups * shared */
  int64_t wide_d, wide_e;                       /* in whole panels */
  float scale;
  bool causal;
  int64_t offset;
  uint64_t stream;
  uint32_t least; /* of dropout; 0: none */
  float regain;   /* 1 / (1 - dropout) */
  bool bool_mask, any_mask;
  int64_t mask_step[4];
  int64_t rows, heads_a_block, row_blocks; /* of a block, at most; blocks of a head */
  int64_t blocks;                          /* of one head of k */
  int64_t lane_floats, lanes;
  int64_t cuts; /* of the keys, backward */
  int threads;
  const gi_attention_loops *loops;
  const gi_product_loops *product;
  const gi_chance_loops *chance;
  gi_move_rectangle *move;
  /* for the time of a run */
  const float *q, *k, *v, *dy, *given_log, *delta;
  const void *mask;
  float *y, *log_sum, *dq, *dk, *dv, *scratch;
  gi_stream drawn;
} state;

/* ---- rows -------------------------------------------------------------------------------- */

typedef struct block {
  int64_t n, g;
  int64_t first, rows; /* counted from the first query of the group */
  int64_t last_t;      /* the largest position of one */
} block;

static block block_of(const state *s, int64_t n, int64_t g, int64_t i) {
  const int64_t head = i / s->row_blocks * s->heads_a_block, t = i % s->row_blocks * s->rows;
  block b = {.n = n, .g = g, .first = head * s->t + t};
  b.rows = s->row_blocks > 1 ? GI_MIN(s->rows, s->t - t)
                             : GI_MIN(s->heads_a_block, s->shared - head) * s->t;
  b.last_t = s->row_blocks > 1 ? t + b.rows - 1 : s->t - 1;
  return b;
}
/* Number of the block's row among all queries. */
static int64_t query_of(const state *s, const block *b, int64_t row) {
  return (b->n * s->heads + b->g * s->shared) * s->t + b->first + row;
}
static int64_t group_of(const state *s, const block *b) { return b->n * s->groups + b->g; }

/* Keys that the block sees any of: all behind are not. */
static int64_t keys_of(const state *s, const block *b) {
  if (!s->causal) return s->s;
  return GI_MAX(0, GI_MIN(s->s, b->last_t + s->offset + 1));
}

/* The block's row against n keys from `from` on; its scores are at `scores`. `line` has room
 * for a mask that is the same for all keys. */
static gi_scores row_of(const state *s, const block *b, int64_t row, int64_t from, int64_t n,
                        float *scores, float *line) {
  const int64_t at = b->first + row, head = b->g * s->shared + at / s->t, t = at % s->t;
  gi_scores r = {.s = scores, .n = n, .scale = s->scale};
  if (s->causal) r.n = GI_MAX(0, GI_MIN(n, t + s->offset + 1 - from));
  if (!s->any_mask) return r;
  const int64_t place = b->n * s->mask_step[0] + head * s->mask_step[1] + t * s->mask_step[2] +
                        from * s->mask_step[3];
  if (s->bool_mask)
    r.seen = (const uint8_t *)s->mask + place;
  else
    r.bias = (const float *)s->mask + place;
  if (s->mask_step[3] != 0) return r;
  if (s->bool_mask)
    r.seen = memset(line, *r.seen, KEYS);
  else
    for (int64_t j = 0; j < KEYS; j++) line[j] = *r.bias;
  if (!s->bool_mask) r.bias = line;
  return r;
}

/* Does any row of the block see any of the keys? */
static bool any_seen(const state *s, const block *b, int64_t from, int64_t n) {
  if (!s->bool_mask) return true;
  for (int64_t row = 0; row < b->rows; row++) {
    const gi_scores r =
        row_of(s, b, row, from, s->mask_step[3] != 0 ? n : 1, NULL, (float[KEYS]){0});
    if (r.n > 0 && r.seen != NULL && memchr(r.seen, 1, (size_t)r.n) != NULL) return true;
  }
  return false;
}

/* Bits that say which of n weights dropout leaves. */
static void draw(const state *s, const block *b, int64_t row, int64_t from, int64_t n,
                 float *mask) {
  s->chance->keep(&s->drawn, (uint64_t)(query_of(s, b, row) * s->s + from), n, s->least, mask);
}

/* ---- products ---------------------------------------------------------------------------- */

typedef struct matrix { /* element (depth k, column j) at k * inner + j * outer */
  const float *at;
  int64_t inner, outer;
} matrix;

/* In panels of whole vectors; columns that are missing are zeros. */
static void pack(const state *s, matrix m, int64_t depth, int64_t cols, float *to) {
  const int64_t width = s->product->width;
  for (int64_t j = 0; j < cols; j += width, to += depth * width) {
    const int64_t n = GI_MIN(width, cols - j);
    const float *from = m.at + j * m.outer;
    if (m.outer == 1 && n == width) {
      s->product->pack(from, m.inner, depth, to);
      continue;
    }
    const gi_rectangle r = {.rows = depth,
                            .cols = n,
                            .from_row = m.inner,
                            .from_col = m.outer,
                            .to_row = width,
                            .to_col = 1,
                            .size = sizeof(float)};
    /* NOLINTNEXTLINE(clang-analyzer-core.*): scratch memory has room for every panel */
    if (n < width) memset(to, 0, (size_t)(depth * width) * sizeof *to);
    s->move(&r, from, to);
  }
}

/* c[rows, cols] = a b, or is added to: a's rows are `step` floats apart, b is packed. */
static void multiply(const state *s, const float *a, int64_t step, int64_t rows, int64_t depth,
                     const float *panels, int64_t cols, float *c, int64_t row_step, bool add) {
  gi_product_tiles t = {.a_step = 1,
                        .panels = panels,
                        .panel_step = depth * s->product->width,
                        .depth = depth,
                        .row_step = row_step,
                        .col_step = 1,
                        .cols = cols,
                        .add = add};
  for (int64_t i = 0; i < rows; i += GI_PRODUCT_ROWS) {
    t.rows = (int)GI_MIN(GI_PRODUCT_ROWS, rows - i);
    for (int k = 0; k < GI_PRODUCT_ROWS; k++) t.a[k] = a + GI_MIN(i + k, rows - 1) * step;
    t.c = c + i * row_step;
    s->product->tiles(&t);
  }
}

/* c += a^T b: a is [depth, KEYS], of which `rows` columns count; side has room for
 * SIDE tiles. */
static void multiply_turned(const state *s, const float *a, int64_t rows, int64_t depth,
                            const float *panels, int64_t cols, float *c, float *side) {
  gi_product_tiles t = {.a_step = GI_PRODUCT_APART,
                        .panels = panels,
                        .panel_step = depth * s->product->width,
                        .depth = depth,
                        .row_step = cols,
                        .col_step = 1,
                        .cols = cols,
                        .add = true};
  for (int64_t i = 0; i < rows; i += GI_PRODUCT_ROWS) {
    const int64_t place = i / GI_PRODUCT_ROWS % SIDE;
    if (place == 0)
      s->product->gather(a + i, KEYS, depth, SIDE, depth * GI_PRODUCT_APART, side);
    t.rows = (int)GI_MIN(GI_PRODUCT_ROWS, rows - i);
    for (int k = 0; k < GI_PRODUCT_ROWS; k++)
      t.a[k] = side + place * depth * GI_PRODUCT_APART + k;
    t.c = c + i * cols;
    s->product->tiles(&t);
  }
}

/* ---- forward ----------------------------------------------------------------------------- */

typedef struct room { /* scratch of one thread */
  float *scores, *keys, *values, *sums, *line;
  gi_running *running;
} room;

typedef struct shelf {
  float *from; /* NULL: only counted */
  int64_t used;
} shelf;
static float *take(shelf *end, int64_t floats) {
  float *p = end->from != NULL ? end->from + end->used : NULL;
  end->used += (floats + 15) / 16 * 16; /* whole lines */
  return p;
}

/* Where each piece lies behind `at`; returns how many floats they take. */
static int64_t lay_out(const state *s, float *at, room *r) {
  shelf end = {at, 0};
  r->scores = take(&end, ROWS * KEYS + SLACK);
  r->keys = take(&end, KEYS * s->d);
  r->values = take(&end, KEYS * s->wide_e);
  r->sums = take(&end, ROWS * s->wide_e);
  r->line = take(&end, KEYS);
  r->running = (gi_running *)(void *)take(&end, ROWS * 2);
  return end.used;
}

/* Scores become weights, and what was summed is brought to the new top. */
static void soften_rows(const state *s, const block *b, room *m, int64_t from, int64_t n) {
  for (int64_t row = 0; row < b->rows; row++) {
    float *scores = m->scores + row * KEYS;
    const gi_scores r = row_of(s, b, row, from, n, scores, m->line);
    const float factor = s->loops->soften(&r, &m->running[row]);
    if (r.n < n) memset(scores + r.n, 0, (size_t)(n - r.n) * sizeof *scores);
    float *sums = m->sums + row * s->wide_e;
    if (factor != 1) s->loops->scaled(sums, NULL, s->wide_e, factor, sums);
    if (s->least == 0) continue;
    draw(s, b, row, from, n, m->line);
    s->loops->scaled(scores, m->line, n, 1, scores);
  }
}

static void few_rows(const state *s, const block *b, room *m, const float *k, const float *v,
                     int64_t from, int64_t n) {
  for (int64_t row = 0; row < b->rows; row++)
    s->loops->dots(s->q + query_of(s, b, row) * s->d, k, n, s->d, m->scores + row * KEYS);
  soften_rows(s, b, m, from, n);
  for (int64_t row = 0; row < b->rows; row++)
    s->loops->add_rows(m->scores + row * KEYS, v, n, s->e, m->sums + row * s->wide_e);
}

static void many_rows(const state *s, const block *b, room *m, const float *k, const float *v,
                      int64_t from, int64_t n) {
  const int64_t width = s->product->width;
  pack(s, (matrix){k, 1, s->d}, s->d, n, m->keys);
  multiply(s, s->q + query_of(s, b, 0) * s->d, s->d, b->rows, s->d, m->keys,
           (n + width - 1) / width * width, m->scores, KEYS, false);
  soften_rows(s, b, m, from, n);
  pack(s, (matrix){v, s->e, 1}, n, s->e, m->values);
  multiply(s, m->scores, KEYS, b->rows, n, m->values, s->wide_e, m->sums, s->wide_e, true);
}

static void give_rows(const state *s, const block *b, const room *m) {
  for (int64_t row = 0; row < b->rows; row++) {
    const int64_t at = query_of(s, b, row);
    const gi_running *w = &m->running[row];
    s->loops->scaled(m->sums + row * s->wide_e, NULL, s->e,
                     w->sum != 0 ? s->regain / w->sum : 0, s->y + at * s->e);
    s->log_sum[at] = w->sum != 0 ? w->top + logf(w->sum) : 0;
  }
}

static void forward_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t group = part / s->blocks;
  const block b = block_of(s, group / s->groups, group % s->groups, part % s->blocks);
  const int64_t keys = keys_of(s, &b);
  room m;
  lay_out(s, s->scratch + gi_cpu_lane() * s->lane_floats, &m);
  memset(m.sums, 0, (size_t)(b.rows * s->wide_e) * sizeof *m.sums);
  for (int64_t row = 0; row < b.rows; row++) m.running[row] = (gi_running){-INFINITY, 0};
  for (int64_t from = 0; from < keys; from += KEYS) {
    const int64_t n = GI_MIN(KEYS, keys - from), key = group_of(s, &b) * s->s + from;
    if (!any_seen(s, &b, from, n)) continue;
    (b.rows <= FEW ? few_rows : many_rows)(s, &b, &m, s->k + key * s->d, s->v + key * s->e,
                                           from, n);
  }
  give_rows(s, &b, &m);
}

/* q, k, v[, mask] -> y, log_sum */
static glia_status run_forward(const gi_exec *x) {
  state *s = x->state;
  s->q = x->in[0];
  s->k = x->in[1];
  s->v = x->in[2];
  s->mask = s->any_mask ? x->in[3] : NULL;
  s->y = x->out[0];
  s->log_sum = x->out[1];
  s->scratch = x->scratch;
  s->drawn = (gi_stream){x->clock->seed ^ s->stream, x->clock->step};
  gi_cpu_for(s->threads, s->n * s->groups * s->blocks, forward_part, s);
  return GLIA_OK;
}

/* ---- backward ---------------------------------------------------------------------------- */

typedef struct back_room {
  float *p, *dp, *left;                 /* [ROWS][KEYS]; left: p where dropout left it */
  float *keys_turned, *values_turned;   /* panels of KEYS columns */
  float *keys, *queries, *dy;           /* panels of D, D, E columns */
  float *dk, *dv, *side, *line, *drawn; /* sums of the tile; gathered rows */
  float *dq;                            /* of the part's queries */
} back_room;

static int64_t lay_out_back(const state *s, float *at, back_room *r) {
  shelf end = {at, 0};
  r->p = take(&end, ROWS * KEYS + SLACK);
  r->dp = take(&end, ROWS * KEYS + SLACK);
  r->left = s->least != 0 ? take(&end, ROWS * KEYS + SLACK) : r->p;
  r->keys_turned = take(&end, KEYS * s->d);
  r->values_turned = take(&end, KEYS * s->e);
  r->keys = take(&end, KEYS * s->wide_d);
  r->queries = take(&end, ROWS * s->wide_d);
  r->dy = take(&end, ROWS * s->wide_e);
  r->dk = take(&end, KEYS * s->wide_d);
  r->dv = take(&end, KEYS * s->wide_e);
  r->side = take(&end, SIDE * ROWS * GI_PRODUCT_APART);
  r->line = take(&end, KEYS);
  r->drawn = take(&end, KEYS);
  return end.used;
}

/* From products: p, what dropout left of it, and ds in the place of dp. */
static void slope_rows(const state *s, const block *b, back_room *m, int64_t from, int64_t n) {
  for (int64_t row = 0; row < b->rows; row++) {
    const int64_t at = query_of(s, b, row);
    float *p = m->p + row * KEYS, *dp = m->dp + row * KEYS;
    const gi_scores r = row_of(s, b, row, from, n, p, m->line);
    s->loops->again(&r, s->given_log[at]);
    if (r.n < n) memset(p + r.n, 0, (size_t)(n - r.n) * sizeof *p);
    if (s->least != 0) {
      draw(s, b, row, from, n, m->drawn);
      s->loops->scaled(p, m->drawn, n, s->regain, m->left + row * KEYS);
      s->loops->scaled(dp, m->drawn, n, s->regain, dp);
    }
    s->loops->slopes(p, n, s->delta[at], s->scale, dp);
  }
}

/* A block of rows against the tile whose keys are packed. */
static void back_block(const state *s, const block *b, back_room *m, int64_t from, int64_t n) {
  const int64_t width = s->product->width, cols = (n + width - 1) / width * width;
  const float *q = s->q + query_of(s, b, 0) * s->d, *dy = s->dy + query_of(s, b, 0) * s->e;
  multiply(s, q, s->d, b->rows, s->d, m->keys_turned, cols, m->p, KEYS, false);
  multiply(s, dy, s->e, b->rows, s->e, m->values_turned, cols, m->dp, KEYS, false);
  slope_rows(s, b, m, from, n);
  pack(s, (matrix){dy, s->e, 1}, b->rows, s->e, m->dy);
  multiply_turned(s, m->left, n, b->rows, m->dy, s->wide_e, m->dv, m->side);
  pack(s, (matrix){q, s->d, 1}, b->rows, s->d, m->queries);
  multiply_turned(s, m->dp, n, b->rows, m->queries, s->wide_d, m->dk, m->side);
  multiply(s, m->dp, KEYS, b->rows, n, m->keys, s->d, m->dq + b->first * s->d, s->d, true);
}

static void give_keys(const float *from, int64_t wide, int64_t rows, int64_t n, float *to) {
  for (int64_t i = 0; i < rows; i++)
    memcpy(to + i * n, from + i * wide, (size_t)n * sizeof *to);
}

/* Floats of dq of one head of k. */
static int64_t query_floats(const state *s) { return s->shared * s->t * s->d; }

static float *partial_dq(const state *s, int64_t part) {
  return s->scratch + s->lanes * s->lane_floats + part * query_floats(s);
}

static void backward_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t group = part / s->cuts, rows = query_floats(s);
  back_room m;
  lay_out_back(s, s->scratch + gi_cpu_lane() * s->lane_floats, &m);
  m.dq = s->cuts > 1 ? partial_dq(s, part) : s->dq + group * rows;
  memset(m.dq, 0, (size_t)rows * sizeof *m.dq);
  for (int64_t from = part % s->cuts * KEYS; from < s->s; from += s->cuts * KEYS) {
    const int64_t n = GI_MIN(KEYS, s->s - from), key = group * s->s + from;
    const float *k = s->k + key * s->d, *v = s->v + key * s->e;
    pack(s, (matrix){k, 1, s->d}, s->d, n, m.keys_turned);
    pack(s, (matrix){v, 1, s->e}, s->e, n, m.values_turned);
    pack(s, (matrix){k, s->d, 1}, n, s->d, m.keys);
    memset(m.dk, 0, (size_t)(KEYS * s->wide_d) * sizeof *m.dk);
    memset(m.dv, 0, (size_t)(KEYS * s->wide_e) * sizeof *m.dv);
    for (int64_t i = 0; i < s->blocks; i++) {
      const block b = block_of(s, group / s->groups, group % s->groups, i);
      if (keys_of(s, &b) > from && any_seen(s, &b, from, n)) back_block(s, &b, &m, from, n);
    }
    give_keys(m.dk, s->wide_d, n, s->d, s->dk + key * s->d);
    give_keys(m.dv, s->wide_e, n, s->e, s->dv + key * s->e);
  }
}

/* A chunk of dq from the parts of its head. */
static void add_part(void *user, int64_t chunk) {
  const state *s = user;
  const int64_t rows = query_floats(s), chunks = (rows + CHUNK - 1) / CHUNK;
  const int64_t group = chunk / chunks, at = chunk % chunks * CHUNK,
                n = GI_MIN(CHUNK, rows - at);
  float *to = s->dq + group * rows + at;
  for (int64_t cut = 0; cut < s->cuts; cut++) {
    const float *from = partial_dq(s, group * s->cuts + cut) + at;
    for (int64_t i = 0; i < n; i++) to[i] = cut == 0 ? from[i] : to[i] + from[i];
  }
}

/* q, k, v, log_sum, delta, dy[, mask] -> dq, dk, dv */
static glia_status run_backward(const gi_exec *x) {
  state *s = x->state;
  s->q = x->in[0];
  s->k = x->in[1];
  s->v = x->in[2];
  s->given_log = x->in[3];
  s->delta = x->in[4];
  s->dy = x->in[5];
  s->mask = s->any_mask ? x->in[6] : NULL;
  s->dq = x->out[0];
  s->dk = x->out[1];
  s->dv = x->out[2];
  s->scratch = x->scratch;
  s->drawn = (gi_stream){x->clock->seed ^ s->stream, x->clock->step};
  const int64_t groups = s->n * s->groups, rows = query_floats(s);
  gi_cpu_for(s->threads, groups * s->cuts, backward_part, s);
  if (s->cuts > 1) gi_cpu_for(s->threads, groups * ((rows + CHUNK - 1) / CHUNK), add_part, s);
  return GLIA_OK;
}

/* ---- preparing --------------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  for (int i = 0; i < p->n_in; i++) {
    if (p->in[i].dtype != GLIA_F32 && p->in[i].dtype != GLIA_BOOL) return "takes f32 only";
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  }
  return NULL;
}

static double cost(const gi_problem *p, const gi_limits *limits) {
  return gi_time(p, limits, 0.6, 0.5);
}

static void read_mask(state *s, const gi_type *mask) {
  const gi_type full = {.rank = 4, .dim = {s->n, s->heads, s->t, s->s}};
  s->any_mask = true;
  s->bool_mask = mask->dtype == GLIA_BOOL;
  gi_broadcast_strides(mask, &full, s->mask_step);
  if (s->s == 1) s->mask_step[3] = 1; /* a line of one key need not be filled up */
}

/* What both directions share. */
static state *new_state(const gi_problem *p, int mask) {
  const gi_attention_attr *a = p->attr;
  const int64_t *q = p->in[0].dim, *v = p->in[2].dim;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return NULL;
  const gi_isa *isa = gi_cpu_isa();
  *s = (state){.n = q[0],
               .heads = q[1],
               .groups = v[1],
               .shared = q[1] / v[1],
               .t = q[2],
               .s = v[2],
               .d = q[3],
               .e = v[3],
               .scale = (float)a->scale,
               .causal = a->causal,
               .offset = a->offset,
               .stream = a->stream,
               .least = (uint32_t)ceil(a->dropout * 0x1p24),
               .regain = (float)(1 / (1 - a->dropout)),
               .loops = isa->attention,
               .product = isa->product,
               .chance = isa->chance,
               .move = isa->move_rectangle};
  const int64_t width = s->product->width;
  s->wide_d = (s->d + width - 1) / width * width;
  s->wide_e = (s->e + width - 1) / width * width;
  s->row_blocks = (s->t + ROWS - 1) / ROWS;
  s->rows = (s->t + s->row_blocks - 1) / s->row_blocks; /* even, and whole tiles */
  s->rows = (s->rows + GI_PRODUCT_ROWS - 1) / GI_PRODUCT_ROWS * GI_PRODUCT_ROWS;
  s->row_blocks = (s->t + s->rows - 1) / s->rows;
  s->heads_a_block = s->row_blocks > 1 ? 1 : GI_MIN(s->shared, ROWS / s->t);
  s->blocks = (s->shared + s->heads_a_block - 1) / s->heads_a_block * s->row_blocks;
  if (p->n_in > mask) read_mask(s, &p->in[mask]);
  const double work = gi_problem_cost(p).flops;
  s->threads = gi_cpu_parts(p->threads, work > 1e18 ? INT64_MAX : (int64_t)work, PART);
  return s;
}

static glia_status finish(const gi_problem *p, state *s, gi_prepared *out) {
  const int64_t partial = s->cuts > 1 ? s->n * s->groups * s->cuts * query_floats(s) : 0;
  s->lanes = s->threads > 1 ? p->threads : 1;
  out->state = s;
  out->threads = s->threads;
  out->scratch = (size_t)(s->lanes * s->lane_floats + partial) * sizeof(float);
  return GLIA_OK;
}

static glia_status prepare_forward(const gi_problem *p, gi_prepared *out) {
  state *s = new_state(p, 3);
  room r;
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->lane_floats = lay_out(s, NULL, &r);
  return finish(p, s, out);
}

static glia_status prepare_backward(const gi_problem *p, gi_prepared *out) {
  state *s = new_state(p, 6);
  back_room r;
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->lane_floats = lay_out_back(s, NULL, &r);
  const int64_t groups = s->n * s->groups, tiles = (s->s + KEYS - 1) / KEYS;
  s->cuts = GI_MIN(tiles, (FEW_HEADS + groups - 1) / groups);
  return finish(p, s, out);
}

static const gi_kernel forward = {
    .ops = {"attention"},
    .name = "attention_tiles",
    .fits = fits,
    .cost = cost,
    .prepare = prepare_forward,
    .run = run_forward,
    .release = gi_free,
};
static const gi_kernel backward = {
    .ops = {"attention_grad"},
    .name = "attention_tiles",
    .fits = fits,
    .cost = cost,
    .prepare = prepare_backward,
    .run = run_backward,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_attention[] = {&forward, &backward, NULL};
