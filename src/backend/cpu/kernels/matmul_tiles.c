/* matmul_tiles.c - matrix products by our own loop (isa/product.h).
 *
 *   c[rows, cols] = spread[rows, depth] x packed[depth, cols]
 *
 * One operand is packed in panels of a vector's columns, the other is read where it lies, row
 * by row or column by column, one number spread over a vector at a time. Which is which is
 * free, since c^T = b^T a^T: the product is turned round where that leaves less to pack, or
 * fewer columns empty. Weights that never change are packed when the plan is made; else panels
 * that one thread alone wants are packed by it, a cache full at a time.
 *
 * Each element of the result is summed by one thread in one order, blocks of depth after
 * another: the same bits for any number of threads.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/matrix.h"
#include "ops/attrs.h"

enum {
  DEPTH = 1024,     /* most numbers summed before a sum goes to memory */
  SHALLOW = 512,    /* the same, where rows are gathered */
  SIDE = 8,         /* tiles of rows gathered at a time */
  LINE = 16,        /* floats that come from far memory at a time */
  NEAR = 224 << 10, /* bytes of panels that rows go by, so that they stay in the second cache */
  GATHERED_GROUPS = 2, /* times NEAR, that gathered rows go by */
  SCATTER = 24,        /* steps of depth that writing by single floats takes as long as */
  PART = 1 << 16,      /* multiply-adds worth a thread */
  PARTS_A_THREAD = 8,  /* so that threads that are held up leave less behind */
  BATCHES = 1 << 20
};

typedef struct operand { /* element (i, k) at i * outer + k * inner */
  int input;
  int64_t count, outer, inner;
} operand;

typedef struct state {
  operand spread, packed;
  int64_t depth, row_step, col_step;       /* of the result */
  int64_t deepest;                         /* summed before a sum goes to memory */
  int64_t batches, *spread_at, *packed_at; /* by batch: where its matrix begins */
  int64_t panels, row_tiles, panel_floats;
  bool adds, relu, bias_by_row;
  int bias; /* input; -1: none */
  int threads;
  int64_t parts;
  const gi_product_loops *loops;
  gi_move_rectangle *move;
  float *kept;        /* owned: packed once; NULL: in each run */
  size_t near_floats; /* of a thread's own panels; 0: packed for all */
  /* for the time of a run */
  const float *a, *b, *biases, *z;
  float *c, *panels_at, *near;
} state;

/* ---- what is taken ----------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  const gi_matmul_attr *a = p->attr;
  for (int i = 0; i < p->n_in; i++) {
    if (p->in[i].dtype != GLIA_F32) return "takes f32 only";
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  }
  if (gi_type_count(&p->out[0]) == 0) return "the product has no elements";
  if (a->activation != NULL && a->activation[0] != '\0' && strcmp(a->activation, "relu") != 0)
    return "knows relu as the only activation";
  return NULL;
}

/* ---- the two ways round ------------------------------------------------------------------ */

typedef struct shape {
  gi_matrix a, b, c;
} shape;

/* Logical matrices, all rows of a in one where that is possible. */
static shape shape_of(const gi_problem *p) {
  const gi_matmul_attr *at = p->attr;
  const int rank = p->out[0].rank;
  shape s = {gi_matrix_view(&p->in[0], rank, at->transpose_a),
             gi_matrix_view(&p->in[1], rank, at->transpose_b),
             gi_matrix_view(&p->out[0], rank, false)};
  if (!at->transpose_a && p->in[1].rank == 2) {
    gi_matrix_join_rows(&s.a);
    gi_matrix_join_rows(&s.c);
    s.b = gi_matrix_view(&p->in[1], 2, at->transpose_b);
  }
  return s;
}

static operand rows_of(const gi_matrix *m, int input) {
  const int r = m->rank;
  return (operand){input, m->dim[r - 2], m->stride[r - 2], m->stride[r - 1]};
}
static operand cols_of(const gi_matrix *m, int input) {
  const int r = m->rank;
  return (operand){input, m->dim[r - 1], m->stride[r - 1], m->stride[r - 2]};
}

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* Multiply-adds by the vector with what is empty, and elements packed, and those written one by
 * one, as some of those. */
static double work(const operand *spread, const operand *packed, int64_t depth, int64_t width,
                   bool known, bool scattered) {
  const double rows = (double)round_up(spread->count, GI_PRODUCT_ROWS);
  const double cols = (double)round_up(packed->count, width);
  const double packing = known ? 0 : (packed->outer == 1 ? 4 : 8);
  const double times = spread->inner == 1 ? 1 : ceil((double)depth / SHALLOW);
  return cols * ((double)depth * (rows + packing) + (scattered ? SCATTER * times * rows : 0));
}

static bool known(const gi_problem *p, int i) {
  return p->known != NULL && p->known[i] != NULL;
}

/* The better way round; returns its work for one matrix. */
static double orient(const gi_problem *p, const shape *m, int64_t width, state *s) {
  const int r = m->a.rank;
  const operand a = rows_of(&m->a, 0), b = cols_of(&m->b, 1);
  s->depth = m->a.dim[r - 1];
  const double straight = work(&a, &b, s->depth, width, known(p, 1), false);
  const double turned = work(&b, &a, s->depth, width, known(p, 0), m->c.dim[r - 1] > 1);
  const bool turn = turned < straight;
  s->spread = turn ? b : a;
  s->packed = turn ? a : b;
  s->row_step = m->c.stride[turn ? r - 1 : r - 2];
  s->col_step = m->c.stride[turn ? r - 2 : r - 1];
  s->bias_by_row = turn;
  return turn ? turned : straight;
}

static int64_t batches_of(const gi_matrix *c) {
  int64_t n = 1;
  for (int d = 0; d + 2 < c->rank; d++) n *= c->dim[d];
  return n;
}

static double cost(const gi_problem *p, const gi_limits *limits) {
  const shape m = shape_of(p);
  state s = {0};
  const double adds =
      orient(p, &m, gi_cpu_isa()->product->width, &s) * (double)batches_of(&m.c);
  const double memory = gi_problem_cost(p).bytes / limits->bytes;
  const double share = gi_cpu_isa()->lanes < 16 ? 0.85 : 0.6; /* as measured */
  return GI_MAX(2 * adds / (share * limits->flops), memory) + 1.5e-6;
}

/* ---- packing ----------------------------------------------------------------------------- */

typedef struct packing {
  const state *s;
  const float *from;
  float *to;
} packing;

/* `deep` depths of a panel, from `from` on. */
static void pack_some(const state *s, const float *matrix, int64_t panel, int64_t from,
                      int64_t deep, float *to) {
  const operand *o = &s->packed;
  const int64_t width = s->loops->width, first = panel * width;
  const int64_t n = GI_MIN(width, o->count - first);
  matrix += first * o->outer + from * o->inner;
  if (o->outer == 1 && n == width) {
    s->loops->pack(matrix, o->inner, deep, to);
    return;
  }
  const gi_rectangle r = {.rows = deep,
                          .cols = n,
                          .from_row = o->inner,
                          .from_col = o->outer,
                          .to_row = width,
                          .to_col = 1,
                          .size = sizeof(float)};
  if (n < width) memset(to, 0, (size_t)(deep * width) * sizeof *to);
  s->move(&r, matrix, to);
}

static void pack_panel(void *user, int64_t panel) {
  const packing *k = user;
  pack_some(k->s, k->from, panel, 0, k->s->depth, k->to + panel * k->s->panel_floats);
}

/* ---- computing --------------------------------------------------------------------------- */

typedef struct region { /* of one product */
  int64_t first_row_tile, last_row_tile, first_panel, last_panel;
} region;

static bool gathers(const state *s) { return s->spread.inner != 1; }

/* Panels whose numbers at this depth stay in the second cache. */
static int64_t group_size(const state *s, int64_t deep) {
  return GI_MAX(1, NEAR / (deep * s->loops->width * (int64_t)sizeof(float)));
}

/* Panels that a thread packs at a time: where rows are gathered for each such group, more. */
static int64_t packed_at_once(const state *s, int64_t deep) {
  return group_size(s, deep) * (gathers(s) ? GATHERED_GROUPS : 1);
}

/* Floats from one gathered tile to the next: not a power of two, or all would want the same
 * places of the first cache. */
static int64_t tile_floats(int64_t deep) { return deep * GI_PRODUCT_APART + LINE; }

/* Brings `tiles` tiles of rows together, from `row` on. */
static void gather_rows(const state *s, const float *a, int64_t row, int64_t tiles,
                        int64_t deep, float *side) {
  const operand *o = &s->spread;
  const int64_t n = GI_MIN(tiles * GI_PRODUCT_ROWS, o->count - row), each = tile_floats(deep);
  a += row * o->outer;
  if (o->outer == 1 &&
      row + tiles * GI_PRODUCT_ROWS + GI_PRODUCT_APART - GI_PRODUCT_ROWS <= o->count) {
    s->loops->gather(a, o->inner, deep, (int)tiles, each, side);
    return;
  }
  for (int64_t d = 0; d < deep; d++, a += o->inner)
    for (int64_t k = 0; k < n; k++)
      side[k / GI_PRODUCT_ROWS * each + d * GI_PRODUCT_APART + k % GI_PRODUCT_ROWS] =
          a[k * o->outer];
}

/* Points t to its rows, from `row` on; what is behind the last row repeats it. */
static void point_rows(const state *s, gi_product_tiles *t, const float *a, int64_t row,
                       const float *side) {
  const operand *o = &s->spread;
  t->rows = (int)GI_MIN(GI_PRODUCT_ROWS, o->count - row);
  t->a_step = gathers(s) ? GI_PRODUCT_APART : 1;
  for (int k = 0; k < GI_PRODUCT_ROWS; k++)
    t->a[k] = gathers(s) ? side + k : a + GI_MIN(row + k, o->count - 1) * o->outer;
}

/* Calls for the panels that are packed next, behind those of r, at the depths of t. */
static void call_packing(const state *s, gi_product_tiles *t, const region *r, int64_t last,
                         int64_t from) {
  const operand *o = &s->packed;
  const int64_t width = s->loops->width;
  t->next = (gi_product_ahead){
      .at = s->b + r->last_panel * width * o->outer + from * o->inner,
      .count = GI_MIN(last, 2 * r->last_panel - r->first_panel) - r->last_panel,
      .jump = width,
      .step = o->inner};
}

/* Calls for the rows behind those of t. */
static void call_rows(const state *s, gi_product_tiles *t, const float *a, int64_t row) {
  const operand *o = &s->spread;
  const int64_t panels = (t->cols + s->loops->width - 1) / s->loops->width;
  const int64_t rows = GI_MIN(GI_PRODUCT_ROWS, o->count - row - GI_PRODUCT_ROWS);
  const int64_t each = o->outer == t->depth ? (rows + panels - 1) / panels : 1;
  t->next.count = 0;
  if (rows <= 0) return;
  t->next =
      (gi_product_ahead){a + (row + GI_PRODUCT_ROWS) * o->outer, rows, each * o->outer, each};
}

/* Points t to where the product of its rows goes, beginning with column `col`. */
static void point_result(const state *s, gi_product_tiles *t, float *c, int64_t row,
                         int64_t col) {
  const int64_t at = row * s->row_step + col * s->col_step;
  t->c = c + at;
  if (t->add) return; /* the rest was added with the first block */
  t->added = s->z != NULL ? s->z + (t->c - s->c) : NULL;
  if (s->biases == NULL) return;
  t->row_bias = s->bias_by_row ? s->biases + row : NULL;
  t->col_bias = s->bias_by_row ? NULL : s->biases + col;
}

/* Rows that lie one behind the other, by all panels of the region, which are near. */
static void compute_rows(const state *s, gi_product_tiles *t, const float *a, float *c,
                         region r, int64_t last, int64_t from) {
  const int64_t col = r.first_panel * s->loops->width;
  t->cols = GI_MIN(r.last_panel * s->loops->width, s->packed.count) - col;
  for (int64_t i = r.first_row_tile; i < r.last_row_tile; i++) {
    const int64_t row = i * GI_PRODUCT_ROWS;
    point_rows(s, t, a, row, NULL);
    point_result(s, t, c, row, col);
    if (i == r.first_row_tile && s->near_floats > 0 && s->packed.outer == 1)
      call_packing(s, t, &r, last, from);
    else
      call_rows(s, t, a, row);
    s->loops->tiles(t);
  }
}

/* Rows that lie column by column are gathered, SIDE tiles at a time, each once for all panels
 * of the region; these are gone through by groups that stay near. */
static void compute_gathered(const state *s, gi_product_tiles *t, const float *a, float *c,
                             region r) {
  _Alignas(64) float side[SIDE * (SHALLOW * GI_PRODUCT_APART + LINE)];
  const int64_t width = s->loops->width, group = group_size(s, t->depth);
  const float *panels = t->panels;
  for (int64_t i = r.first_row_tile; i < r.last_row_tile; i += SIDE) {
    const int64_t tiles = GI_MIN(SIDE, r.last_row_tile - i);
    gather_rows(s, a, i * GI_PRODUCT_ROWS, tiles, t->depth, side);
    for (int64_t p = r.first_panel; p < r.last_panel; p += group) {
      const int64_t last = GI_MIN(p + group, r.last_panel), col = p * width;
      t->panels = panels + (p - r.first_panel) * t->panel_step;
      t->cols = GI_MIN(last * width, s->packed.count) - col;
      for (int64_t k = 0; k < tiles; k++) {
        const int64_t row = (i + k) * GI_PRODUCT_ROWS;
        point_rows(s, t, a, row, side + k * tile_floats(t->depth));
        point_result(s, t, c, row, col);
        /* the panels of the next group, while the first rows go by */
        t->next = (gi_product_ahead){t->panels + group * t->panel_step,
                                     k == 0 && last < r.last_panel ? t->cols / width : 0,
                                     t->panel_step, width};
        s->loops->tiles(t);
      }
    }
  }
}

/* Points t to the panels of a region at depths from .. from + t->depth: where they were packed
 * for all or, in the scratch of this thread, packed here, so that they are read while they are
 * near. */
static void point_panels(const state *s, gi_product_tiles *t, const float *packed,
                         const region *r, int64_t from) {
  const int64_t width = s->loops->width;
  t->panel_step = packed != NULL ? s->panel_floats : t->depth * width;
  if (packed != NULL) {
    t->panels = packed + r->first_panel * s->panel_floats + from * width;
    return;
  }
  float *to = s->near + (size_t)gi_cpu_lane() * s->near_floats;
  for (int64_t p = r->first_panel; p < r->last_panel; p++)
    pack_some(s, s->b, p, from, t->depth, to + (p - r->first_panel) * t->panel_step);
  t->panels = to;
}

static void compute(const state *s, int64_t batch, const float *packed, region r) {
  const float *a = s->a + s->spread_at[batch];
  float *c = s->c + batch * s->spread.count * s->packed.count;
  const int64_t blocks = (s->depth + s->deepest - 1) / s->deepest;
  for (int64_t k = 0; k < blocks; k++) {
    const int64_t from = s->depth * k / blocks, to = s->depth * (k + 1) / blocks;
    const int64_t panels = packed == NULL ? packed_at_once(s, to - from)
                           : gathers(s)   ? s->panels
                                          : group_size(s, to - from);
    const float *rows = a + from * s->spread.inner;
    gi_product_tiles t = {.depth = to - from,
                          .row_step = s->row_step,
                          .col_step = s->col_step,
                          .add = from > 0,
                          .relu = s->relu && to == s->depth};
    for (int64_t p = r.first_panel; p < r.last_panel; p += panels) {
      const region some = {r.first_row_tile, r.last_row_tile, p,
                           GI_MIN(p + panels, r.last_panel)};
      point_panels(s, &t, packed, &some, from);
      if (gathers(s))
        compute_gathered(s, &t, rows, c, some);
      else
        compute_rows(s, &t, rows, c, some, r.last_panel, from);
    }
  }
}

/* A part of the one product: some rows of tiles, or some panels, of whichever there are more.
 */
static void part_of_one(void *user, int64_t part) {
  const state *s = user;
  region r = {0, s->row_tiles, 0, s->panels};
  if (s->row_tiles >= s->panels) {
    r.first_row_tile = s->row_tiles * part / s->parts;
    r.last_row_tile = s->row_tiles * (part + 1) / s->parts;
  } else {
    r.first_panel = s->panels * part / s->parts;
    r.last_panel = s->panels * (part + 1) / s->parts;
  }
  compute(s, 0, s->panels_at, r);
}

/* Some products of many, each packed and computed by itself. */
static void part_of_many(void *user, int64_t part) {
  const state *s = user;
  const int64_t floats = s->panels * s->panel_floats;
  float *panels = s->panels_at + part * floats;
  for (int64_t i = s->batches * part / s->parts; i < s->batches * (part + 1) / s->parts; i++) {
    packing k = {s, s->b + s->packed_at[i], panels};
    for (int64_t p = 0; p < s->panels; p++) pack_panel(&k, p);
    compute(s, i, panels, (region){0, s->row_tiles, 0, s->panels});
  }
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->a = x->in[s->spread.input];
  s->b = x->in[s->packed.input];
  s->biases = s->bias >= 0 ? x->in[s->bias] : NULL;
  s->z = s->adds ? x->in[GI_ADDED] : NULL;
  s->c = x->out[0];
  s->panels_at = s->kept != NULL ? s->kept : x->scratch;
  if (s->batches > 1) {
    gi_cpu_for(s->threads, s->parts, part_of_many, s);
    return GLIA_OK;
  }
  s->near = x->scratch;
  packing k = {s, s->b, s->panels_at};
  if (s->near_floats > 0)
    s->panels_at = NULL; /* each panel is wanted by one part, which packs it */
  else if (s->kept == NULL)
    gi_cpu_for(s->threads, s->panels, pack_panel, &k);
  gi_cpu_for(s->threads, s->parts, part_of_one, s);
  return GLIA_OK;
}

/* ---- preparing --------------------------------------------------------------------------- */

static void release(void *state_) {
  state *s = state_;
  gi_free(s->spread_at);
  gi_free(s->packed_at);
  gi_free_aligned(s->kept);
  gi_free(s);
}

/* Where the matrices of each batch begin; an axis of 1 is repeated. */
static glia_status list_batches(state *s, const shape *m, const gi_matrix *spread,
                                const gi_matrix *packed) {
  s->batches = batches_of(&m->c);
  if (s->batches > BATCHES)
    return gi_fail(GLIA_UNSUPPORTED, "product: %lld matrices", (long long)s->batches);
  s->spread_at = gi_alloc((size_t)s->batches * sizeof *s->spread_at);
  s->packed_at = gi_alloc((size_t)s->batches * sizeof *s->packed_at);
  if (s->spread_at == NULL || s->packed_at == NULL)
    return gi_fail_nomem((size_t)s->batches * sizeof *s->spread_at);
  for (int64_t i = 0; i < s->batches; i++) {
    int64_t left = i;
    for (int d = m->c.rank - 3; d >= 0; d--) {
      const int64_t at = left % m->c.dim[d];
      left /= m->c.dim[d];
      s->spread_at[i] += spread->dim[d] == 1 ? 0 : at * spread->stride[d];
      s->packed_at[i] += packed->dim[d] == 1 ? 0 : at * packed->stride[d];
    }
  }
  return GLIA_OK;
}

static glia_status keep(state *s, const float *from, gi_prepared *out) {
  const size_t bytes = (size_t)(s->panels * s->panel_floats) * sizeof(float);
  s->kept = gi_alloc_aligned(bytes);
  if (s->kept == NULL) return gi_fail_nomem(bytes);
  packing k = {s, from, s->kept};
  for (int64_t p = 0; p < s->panels; p++) pack_panel(&k, p);
  out->kept = bytes;
  out->unread = (uint64_t)1 << s->packed.input;
  return GLIA_OK;
}

static glia_status fill(state *s, const gi_problem *p, gi_prepared *out) {
  const gi_matmul_attr *at = p->attr;
  const shape m = shape_of(p);
  s->loops = gi_cpu_isa()->product;
  s->move = gi_cpu_isa()->move_rectangle;
  const int64_t width = s->loops->width;
  const double adds = orient(p, &m, width, s);
  const bool turned = s->spread.input == 1;
  GI_TRY(list_batches(s, &m, turned ? &m.b : &m.a, turned ? &m.a : &m.b));
  s->relu = at->activation != NULL && strcmp(at->activation, "relu") == 0;
  s->bias = gi_bias_input(p->op, p->n_in);
  s->adds = gi_adds(p->op);
  s->panels = (s->packed.count + width - 1) / width;
  s->row_tiles = (s->spread.count + GI_PRODUCT_ROWS - 1) / GI_PRODUCT_ROWS;
  s->panel_floats = s->depth * width;
  s->deepest = gathers(s) ? SHALLOW : DEPTH;
  const double all = adds * (double)s->batches;
  s->threads = gi_cpu_parts(p->threads, all > 1e18 ? INT64_MAX : (int64_t)all, PART);
  const int64_t most = s->batches > 1 ? s->batches : GI_MAX(s->row_tiles, s->panels);
  const int64_t a_thread = s->batches > 1 ? 1 : PARTS_A_THREAD;
  s->parts = s->threads > 1 ? GI_MIN(most, s->threads * a_thread) : 1;
  if (s->batches == 1 && known(p, s->packed.input))
    return keep(s, p->known[s->packed.input], out);
  if (s->batches == 1 && s->panels > s->row_tiles) {
    const int64_t blocks = (s->depth + s->deepest - 1) / s->deepest,
                  deep = (s->depth + blocks - 1) / blocks;
    /* a block may be one shallower, and a group of those larger */
    const int64_t group = GI_MIN(s->panels, packed_at_once(s, GI_MAX(deep - 1, 1)));
    s->near_floats = (size_t)(group * deep * width);
    out->scratch = (size_t)(s->threads > 1 ? p->threads : 1) * s->near_floats * sizeof(float);
    return GLIA_OK;
  }
  const size_t copies = s->batches > 1 ? (size_t)s->parts : 1;
  out->scratch = copies * (size_t)(s->panels * s->panel_floats) * sizeof(float);
  return GLIA_OK;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  const glia_status made = fill(s, p, out);
  if (made != GLIA_OK) {
    release(s);
    return made;
  }
  out->state = s;
  out->threads = s->threads;
  return GLIA_OK;
}

static const gi_kernel matmul_tiles = {
    .ops = {"matmul", "matmul_bias_act", "matmul_add_act"},
    .name = "matmul_tiles",
    .fits = fits,
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_matmul_tiles[] = {&matmul_tiles, NULL};
