/* recompute.c - gradient checkpointing: memory for time (arXiv:1604.06174).
 *
 * A training step keeps what its forward part computes until the backward part reads it. Here
 * lives are cut in two: a value is dropped after its last early use and computed once more
 * before its first late one, from whatever is there by then, or from values that are computed
 * once more themselves.
 *
 *   bytes |      peak                   A life is a list of pieces [first, last], in steps of
 *         |    .-''-.                   the schedule. While the sum of what lives at the peak
 * is |  .'      '.                 too much, of the values that live there unread the one
 *         |_'__________'___ steps       that gives most bytes for its time is cut.
 *
 * Then the graph is written anew in the order of the schedule, with second computations where
 * later pieces begin. Values are functions of (inputs, variables, seed, step), chance included,
 * so a second computation gives the same bits.
 */
#include "compile/compile.h"
#include "ops/attrs.h"

enum { DEPTH = 64 };              /* computations that one cut may ask for, one for the other */
static const double NEVER = 1e30; /* seconds */

typedef struct piece {
  int first, last; /* it is there from the step that makes it to the last that reads it */
} piece;

typedef struct life { /* of a value that has memory of its own */
  GI_VEC(piece) pieces;
  GI_VEC(int) uses; /* steps that read it, rising; n: a root */
} life;

typedef struct cutter {
  const glia_graph *g;
  uint32_t *order;
  int n;
  int *step;      /* by node; -1: a source */
  uint32_t *base; /* by value: what it is a view of */
  life *lives;    /* by value; without uses: not in the arena */
  double *took;   /* by node: seconds, roughly */
  size_t *live;   /* by step */
  uint32_t *seen; /* by value: the pricing that it was last a part of */
  uint32_t pricing;
  size_t tiny;  /* values up to so many bytes are kept */
  double added; /* seconds of second computations */
  gi_recomputed *out;
} cutter;

static const gi_node *maker(const cutter *c, uint32_t v) {
  return c->g->nodes.at[c->g->values.at[v]->node];
}
static size_t bytes_of(const cutter *c, uint32_t v) {
  return gi_type_bytes(&c->g->values.at[v]->type);
}

/* ---- lives as they are --------------------------------------------------------------------
 */

static double seconds_of(const glia_graph *g, const gi_node *n) {
  gi_type in[16], out[GI_MAX_OUT];
  if (n->n_in > 16) return NEVER;
  for (int i = 0; i < n->n_in; i++) in[i] = g->values.at[n->in[i]]->type;
  for (int i = 0; i < n->n_out; i++) out[i] = g->values.at[n->out + (uint32_t)i]->type;
  const gi_infer c = {n->n_in, in, n->attr, n->n_out, out};
  const gi_cost cost = n->op->cost != NULL ? n->op->cost(&c) : gi_default_cost(&c);
  return cost.flops / 5e10 + cost.bytes / 1e10; /* the ratio counts, not the machine */
}

static bool add_use(cutter *c, uint32_t v, int step) {
  life *l = &c->lives[c->base[v]];
  if (l->uses.n > 0 && l->uses.at[l->uses.n - 1] == step) return true;
  return gi_vec_push(&l->uses, step);
}

static glia_status find_lives(cutter *c, const gi_memory *m) {
  const glia_graph *g = c->g;
  bool room = true;
  for (size_t k = 0; k < g->nodes.n; k++) c->step[k] = -1;
  for (int i = 0; i < c->n; i++) c->step[c->order[i]] = i;
  for (uint32_t v = 0; v < g->values.n; v++)
    c->base[v] = maker(c, v)->op->flags & GI_VIEW ? c->base[maker(c, v)->in[0]] : v;
  for (int i = 0; i < c->n; i++) {
    const gi_node *n = g->nodes.at[c->order[i]];
    c->took[c->order[i]] = seconds_of(g, n);
    for (int k = 0; k < n->n_in && !(n->op->flags & GI_VIEW); k++)
      room = room && add_use(c, n->in[k], i);
  }
  for (size_t i = 0; i < g->roots.n; i++) room = room && add_use(c, g->roots.at[i].value, c->n);
  for (uint32_t v = 0; v < g->values.n; v++) {
    life *l = &c->lives[v];
    const int made = c->step[g->values.at[v]->node];
    if (c->base[v] != v || made < 0 || m->place[v].kind != GI_IN_ARENA) {
      l->uses.n = 0;
      continue;
    }
    const piece p = {made, l->uses.n > 0 ? l->uses.at[l->uses.n - 1] : made};
    room = room && gi_vec_push(&l->pieces, p);
    c->tiny = GI_MAX(c->tiny, bytes_of(c, v) / 64);
  }
  return room ? GLIA_OK : gi_fail_nomem(sizeof(piece));
}

/* ---- what a second computation would take -------------------------------------------------
 */

static piece *piece_at(const life *l, int step) {
  for (size_t i = 0; i < l->pieces.n; i++)
    if (l->pieces.at[i].first <= step && step <= l->pieces.at[i].last) return &l->pieces.at[i];
  return NULL;
}
static piece *piece_after(const life *l, int step) {
  for (size_t i = 0; i < l->pieces.n; i++)
    if (l->pieces.at[i].first > step) return &l->pieces.at[i];
  return NULL;
}

static bool note_use(life *l, int step) {
  size_t i = l->uses.n;
  if (!gi_vec_push(&l->uses, step)) return false;
  for (; i > 0 && l->uses.at[i - 1] > step; i--) {
    l->uses.at[i] = l->uses.at[i - 1];
    l->uses.at[i - 1] = step;
  }
  return true;
}

/* Is v there at any step for the asking: a source, an assigned value, or alive? */
static bool at_hand(const cutter *c, uint32_t v, int step) {
  const life *l = &c->lives[c->base[v]];
  if (l->pieces.n == 0) return maker(c, c->base[v])->op->flags & GI_SOURCE;
  return piece_at(l, step) != NULL;
}

/* Seconds to have v before `step`, each value once in a pricing: many ways may lead to it. */
static double price(cutter *c, uint32_t v, int step, int depth) {
  v = c->base[v];
  if (at_hand(c, v, step) || c->seen[v] == c->pricing) return 0;
  c->seen[v] = c->pricing;
  const life *l = &c->lives[v];
  const gi_node *n = maker(c, v);
  if (l->pieces.n == 0 || n->n_in == 0 || depth == 0) return NEVER;
  if (bytes_of(c, v) <= c->tiny && l->pieces.at[0].last < step) return 0; /* kept for longer */
  double all = piece_after(l, step) != NULL ? 0 : c->took[c->g->values.at[v]->node];
  for (int i = 0; i < n->n_in && all < NEVER; i++) all += price(c, n->in[i], step, depth - 1);
  return all;
}

/* Makes v available before `step`, as priced. */
static glia_status provide(cutter *c, uint32_t v, int step) {
  v = c->base[v];
  life *l = &c->lives[v];
  if (l->pieces.n > 0 && !note_use(l, step)) return gi_fail_nomem(sizeof step);
  if (at_hand(c, v, step)) return GLIA_OK;
  piece *later = piece_after(l, step);
  if (bytes_of(c, v) <= c->tiny && later == NULL) {
    l->pieces.at[l->pieces.n - 1].last = step;
    return GLIA_OK;
  }
  if (later != NULL) {
    later->first = step;
  } else {
    if (!gi_vec_push(&l->pieces, ((piece){step, step}))) return gi_fail_nomem(sizeof(piece));
    c->out->values++;
    c->added += c->took[c->g->values.at[v]->node];
  }
  const gi_node *n = maker(c, v);
  for (int i = 0; i < n->n_in; i++) GI_TRY(provide(c, n->in[i], step));
  return GLIA_OK;
}

/* ---- cutting ------------------------------------------------------------------------------
 */

static int find_peak(cutter *c, size_t *bytes) {
  int peak = 0;
  memset(c->live, 0, ((size_t)c->n + 1) * sizeof *c->live);
  for (uint32_t v = 0; v < c->g->values.n; v++)
    for (size_t i = 0; i < c->lives[v].pieces.n; i++) {
      const piece p = c->lives[v].pieces.at[i];
      for (int s = p.first; s <= p.last; s++) c->live[s] += bytes_of(c, v);
    }
  for (int s = 0; s <= c->n; s++)
    if (c->live[s] > c->live[peak]) peak = s;
  *bytes = c->live[peak];
  return peak;
}

/* The uses before and after `step`, where v lives but nobody reads or makes it. */
static bool unread_at(const life *l, int step, int *before, int *after) {
  const piece *p = piece_at(l, step);
  if (p == NULL || p->first >= step) return false;
  *before = p->first;
  *after = -1;
  for (size_t i = 0; i < l->uses.n; i++) {
    const int u = l->uses.at[i];
    if (u == step) return false;
    if (u > p->first && u < step) *before = u;
    if (u > step && u <= p->last && *after < 0) *after = u;
  }
  return *after > 0;
}

/* Cuts the life at `step` that gives most for its price; *done: there was one. */
static glia_status cut(cutter *c, int step, bool *done) {
  double best = 0;
  uint32_t chosen = 0;
  int from = 0, to = 0;
  for (uint32_t v = 0; v < c->g->values.n; v++) {
    int before, after;
    if (bytes_of(c, v) <= c->tiny || !unread_at(&c->lives[v], step, &before, &after)) continue;
    if (after == c->n) continue; /* a result of the step */
    const gi_node *n = maker(c, v);
    double all = c->took[c->g->values.at[v]->node];
    c->pricing++;
    for (int i = 0; i < n->n_in && all < NEVER; i++) all += price(c, n->in[i], after, DEPTH);
    const double worth = (double)bytes_of(c, v) / (all + 1e-9);
    if (all >= NEVER || n->n_in == 0 || worth <= best) continue;
    best = worth;
    chosen = v;
    from = before;
    to = after;
  }
  *done = best > 0;
  if (!*done) return GLIA_OK;
  life *l = &c->lives[chosen];
  piece *p = piece_at(l, step);
  const piece rest = {to, p->last};
  p->last = from;
  if (!gi_vec_push(&l->pieces, rest)) return gi_fail_nomem(sizeof rest);
  for (size_t i = l->pieces.n - 1; i > 0 && l->pieces.at[i - 1].first > to; i--) {
    l->pieces.at[i] = l->pieces.at[i - 1]; /* in order */
    l->pieces.at[i - 1] = rest;
  }
  c->out->values++;
  c->added += c->took[c->g->values.at[chosen]->node];
  const gi_node *n = maker(c, chosen);
  for (int i = 0; i < n->n_in; i++) GI_TRY(provide(c, n->in[i], to));
  return GLIA_OK;
}

/* ---- the graph written anew ---------------------------------------------------------------
 */

typedef struct writer {
  const cutter *c;
  gi_rewrite *r;
  uint32_t *seen; /* by view: the value of the new graph that it was last made of */
  int64_t number;
} writer;

static void keep_layout(glia_graph *to, glia_value v, const glia_graph *from, uint32_t old) {
  to->values.at[v.id]->layout = from->values.at[old]->layout;
}

/* The value as it is now; views are made again of what has been computed again. */
static glia_value current(writer *w, uint32_t v) {
  const glia_graph *g = w->c->g;
  const gi_node *n = maker(w->c, v);
  if (!(n->op->flags & GI_VIEW)) return w->r->map[v];
  const glia_value of = current(w, n->in[0]);
  if (gi_null(of)) return GLIA_NONE;
  if (w->seen[v] == of.id + 1) return w->r->map[v];
  w->r->map[v] = gi_copy_node(w->r->to, n, &of, NULL);
  if (gi_null(w->r->map[v])) return GLIA_NONE;
  keep_layout(w->r->to, w->r->map[v], g, v);
  w->seen[v] = of.id + 1;
  return w->r->map[v];
}

/* Emits node k; a second time with its first input under another name. Outputs of a second
 * computation replace only what is not there any more. */
static glia_status write_node(writer *w, uint32_t k, int step, bool second) {
  const glia_graph *g = w->c->g;
  const gi_node *n = g->nodes.at[k];
  glia_value few[16] = {{NULL, 0}}, *in = few, out[GI_MAX_OUT];
  if (n->n_in > 16 && (in = gi_alloc((size_t)n->n_in * sizeof *in)) == NULL)
    return gi_fail_nomem((size_t)n->n_in * sizeof *in);
  for (int i = 0; i < n->n_in; i++) in[i] = current(w, n->in[i]);
  if (second) {
    const gi_again_attr a = {++w->number};
    in[0] = gi_emit1(&gi_op_again, &a, in[0]);
    if (!gi_null(in[0])) keep_layout(w->r->to, in[0], g, n->in[0]);
  }
  gi_copy_node(w->r->to, n, in, out);
  if (in != few) gi_free(in);
  GI_TRY(glia_graph_status(w->r->to));
  for (int i = 0; i < n->n_out; i++) {
    const uint32_t v = n->out + (uint32_t)i;
    const piece *p = second ? piece_at(&w->c->lives[v], step) : NULL;
    keep_layout(w->r->to, out[i], g, v);
    if (!second || (p != NULL && p->first == step && p != w->c->lives[v].pieces.at))
      w->r->map[v] = out[i];
  }
  return GLIA_OK;
}

/* Does a later piece of one of the node's results begin here? */
static bool begins(const cutter *c, const gi_node *n, int step) {
  for (int i = 0; i < n->n_out; i++) {
    const life *l = &c->lives[n->out + (uint32_t)i];
    for (size_t k = 1; k < l->pieces.n; k++)
      if (l->pieces.at[k].first == step) return true;
  }
  return false;
}

static glia_status write_graph(writer *w) {
  const cutter *c = w->c;
  for (uint32_t k = 0; k < c->g->nodes.n; k++)
    if (w->r->live[k] && c->g->nodes.at[k]->op->flags & GI_SOURCE)
      GI_TRY(write_node(w, k, -1, false));
  for (int s = 0; s < c->n; s++) {
    for (int e = 0; e < s; e++) /* in the order of the schedule: inputs come first */
      if (begins(c, c->g->nodes.at[c->order[e]], s))
        GI_TRY(write_node(w, c->order[e], s, true));
    if (w->r->live[c->order[s]] && !(c->g->nodes.at[c->order[s]]->op->flags & GI_VIEW))
      GI_TRY(write_node(w, c->order[s], s, false));
  }
  for (size_t i = 0; i < c->g->roots.n; i++) current(w, c->g->roots.at[i].value);
  return glia_graph_status(w->r->to);
}

static glia_status write_new(const cutter *c, glia_graph *to) {
  gi_rewrite r;
  writer w = {.c = c, .r = &r};
  glia_status s = gi_rewrite_begin(&r, c->g, to, NULL);
  w.seen = gi_alloc((c->g->values.n + 1) * sizeof *w.seen);
  if (s == GLIA_OK && w.seen == NULL) s = gi_fail_nomem(c->g->values.n * sizeof *w.seen);
  if (s == GLIA_OK) s = write_graph(&w);
  gi_free(w.seen);
  return gi_rewrite_end(&r, s);
}

/* ---- the whole ----------------------------------------------------------------------------
 */

static glia_status cut_all(cutter *c, const gi_memory *m, size_t limit) {
  GI_TRY(find_lives(c, m));
  size_t bytes;
  const size_t most = 8 * c->g->values.n;
  bool done = true;
  for (size_t i = 0; i < most && done; i++) {
    const int peak = find_peak(c, &bytes);
    if (bytes <= limit) break;
    GI_TRY(cut(c, peak, &done));
  }
  return GLIA_OK;
}

static glia_status prepare(cutter *c, uint32_t watch, gi_memory *m) {
  const size_t nodes = c->g->nodes.n + 1, values = c->g->values.n + 1;
  GI_TRY(gi_schedule(c->g, watch, &c->order, &c->n));
  GI_TRY(gi_plan_memory(c->g, c->order, c->n, 0, watch, m));
  c->step = gi_alloc(nodes * sizeof *c->step);
  c->took = gi_alloc(nodes * sizeof *c->took);
  c->base = gi_alloc(values * sizeof *c->base);
  c->lives = gi_alloc(values * sizeof *c->lives);
  c->seen = gi_alloc(values * sizeof *c->seen);
  c->live = gi_alloc(((size_t)c->n + 1) * sizeof *c->live);
  const bool room = c->step != NULL && c->took != NULL && c->base != NULL && c->lives != NULL &&
                    c->seen != NULL && c->live != NULL;
  return room ? GLIA_OK : gi_fail_nomem(values * sizeof *c->lives);
}

glia_status gi_recompute(const glia_graph *from, uint32_t watch, size_t limit, glia_graph *to,
                         gi_recomputed *out) {
  cutter c = {.g = from, .out = out};
  gi_memory m = {0};
  *out = (gi_recomputed){0};
  glia_status s = prepare(&c, watch, &m);
  if (s == GLIA_OK) s = cut_all(&c, &m, limit);
  if (s == GLIA_OK) s = write_new(&c, to);
  double all = 0;
  for (int i = 0; s == GLIA_OK && i < c.n; i++) all += c.took[c.order[i]];
  out->share = all > 0 ? c.added / all : 0;
  for (size_t v = 0; c.lives != NULL && v < from->values.n; v++) {
    gi_vec_free(&c.lives[v].pieces);
    gi_vec_free(&c.lives[v].uses);
  }
  gi_free(c.order);
  gi_free(c.step);
  gi_free(c.took);
  gi_free(c.base);
  gi_free(c.lives);
  gi_free(c.seen);
  gi_free(c.live);
  gi_memory_free(&m);
  return s;
}
