/* choose.c - kernels and layouts of a whole graph together, at the least cost.
 *
 * The kernels of a node want its values in some layouts, their neighbours perhaps in others,
 * and every disagreement costs a reorder, which readers that agree with each other share. With
 * two layouts the cheapest compromise is a minimum cut, which is found exactly, however chains
 * part and join:
 *
 *   source = plain       sink = channels-last       one vertex for each node that has the
 * choice
 *
 *                 c(last)                c: seconds of the node's fastest offer
 *         plain ----------> node         the edge is cut, and so paid, when the node stands on
 *         node  ----------> last         the other side
 *                 c(plain)
 *
 * A value made by g and read by nodes r1, r2... costs its reorder R once, if any reader stands
 * on the other side than g. Two vertices between them say "some reader wants it so":
 *
 *         g --R--> some last --never--> r1, r2...        r1, r2... --never--> some plain --R-->
 * g
 *
 * What cannot change sides (sources, results, kernels with one choice) is the source or the
 * sink itself. A kernel may also take plain and give channels-last, as for the first
 * convolution: a node whose offers are ordered, each with more values channels-last than the
 * one before, is a row of vertices, and its level is how many of them stand on the sink's side:
 *
 *         plain --c(2)--> x2 --c(1)--> x1 --c(0)--> last        x1 --never--> x2
 *
 * Offers that fit no order with faster ones are left out.
 */
#include <math.h>

#include "compile/offers.h"

enum { LEVELS = 4 };

typedef struct node_levels {
  int n;            /* 0: the node is plain */
  int pick[LEVELS]; /* offer of each level */
  int first;        /* vertex x1; x2 follows */
} node_levels;

typedef struct chooser {
  const gi_offers *o;
  node_levels *node; /* by node */
  gi_cut cut;
  /* readers of each value: vertex numbers, as lists in one array */
  int *reader, *begin; /* reader[begin[v]] .. reader[begin[v + 1] - 1] */
} chooser;

/* ---- levels ------------------------------------------------------------------------------ */

static bool wants_last(const gi_node *n, const gi_offer *o, int i) {
  return (i < n->n_in ? o->in[i] : o->out[i - n->n_in]) == GI_CHANNELS_LAST;
}

/* How many values of b are channels-last and of a are not; -1: some are the other way. */
static int above(const gi_node *n, const gi_offer *a, const gi_offer *b) {
  int more = 0;
  for (int i = 0; i < n->n_in + n->n_out; i++) {
    if (wants_last(n, a, i) && !wants_last(n, b, i)) return -1;
    more += wants_last(n, b, i) && !wants_last(n, a, i);
  }
  return more;
}

/* Puts an offer in its place among the levels, unless it fits in nowhere, or a faster one of
 * the same layouts is there: offers come with the fastest first. */
static void add_level(const gi_node *n, const gi_node_offers *offers, int pick,
                      node_levels *l) {
  const gi_offer *o = &offers->at[pick];
  int at = 0;
  if (l->n == LEVELS) return;
  for (; at < l->n && above(n, &offers->at[l->pick[at]], o) > 0; at++) continue;
  for (int i = at; i < l->n; i++)
    if (above(n, o, &offers->at[l->pick[i]]) <= 0) return;
  memmove(l->pick + at + 1, l->pick + at, (size_t)(l->n - at) * sizeof *l->pick);
  l->pick[at] = pick;
  l->n++;
}

/* The next offer after `last`, by time and then by number; -1: none. */
static int next_fastest(const gi_node_offers *o, int last) {
  int next = -1;
  for (int i = 0; i < o->n; i++) {
    const double t = o->at[i].seconds;
    const bool after =
        last < 0 || t > o->at[last].seconds || (t == o->at[last].seconds && i > last);
    if (after && (next < 0 || t < o->at[next].seconds)) next = i;
  }
  return next;
}

/* Capacities are whole picoseconds, none so large that the sum of all could overflow. */
static int64_t picoseconds(double seconds) {
  return (int64_t)fmin(fmax(seconds, 0) * 1e12, 1e13);
}

static void add_node(chooser *c, uint32_t k) {
  const gi_node_offers *offers = &c->o->node[k];
  node_levels *l = &c->node[k];
  for (int i = -1; (i = next_fastest(offers, i)) >= 0;)
    add_level(c->o->g->nodes.at[k], offers, i, l);
  if (l->n < 2) return;
  for (int i = 1; i < l->n; i++) {
    const int x = gi_cut_vertex(&c->cut);
    if (i == 1) l->first = x;
  }
  for (int i = 0; i < l->n; i++) { /* level i: x1 .. xi are on the sink's side */
    const int from = i == l->n - 1 ? GI_CUT_SOURCE : l->first + i;
    const int to = i == 0 ? GI_CUT_SINK : l->first + i - 1;
    gi_cut_add(&c->cut, from, to, picoseconds(offers->at[l->pick[i]].seconds));
    if (i > 0 && i < l->n - 1) gi_cut_add(&c->cut, to, from, GI_CUT_NEVER);
  }
}

/* ---- values ------------------------------------------------------------------------------ */

/* The vertex that stands on the sink's side if value number i (inputs, then outputs) of node k
 * is channels-last. */
static int side(const chooser *c, uint32_t k, int i) {
  const gi_node *n = c->o->g->nodes.at[k];
  const node_levels *l = &c->node[k];
  int level = 0;
  while (level < l->n && !wants_last(n, &c->o->node[k].at[l->pick[level]], i)) level++;
  if (level == l->n) return GI_CUT_SOURCE;
  return level == 0 ? GI_CUT_SINK : l->first + level - 1;
}

static void each_reader(chooser *c, void (*fn)(chooser *c, uint32_t v, int vertex)) {
  const glia_graph *g = c->o->g;
  for (uint32_t k = 0; k < g->nodes.n; k++)
    for (int i = 0; c->o->live[k] && i < g->nodes.at[k]->n_in; i++)
      fn(c, g->nodes.at[k]->in[i], side(c, k, i));
  for (size_t i = 0; i < g->roots.n; i++) fn(c, g->roots.at[i].value, GI_CUT_SOURCE);
}

static void count_reader(chooser *c, uint32_t v, int vertex) {
  (void)vertex;
  c->begin[v + 1]++;
}
static void add_reader(chooser *c, uint32_t v, int vertex) {
  c->reader[c->begin[v]++] = vertex;
}

static glia_status list_readers(chooser *c) {
  const size_t n = c->o->g->values.n;
  c->begin = gi_alloc((n + 2) * sizeof *c->begin);
  if (c->begin == NULL) return gi_fail_nomem(n * sizeof *c->begin);
  each_reader(c, count_reader);
  for (size_t v = 0; v < n; v++) c->begin[v + 1] += c->begin[v];
  c->reader = gi_alloc((size_t)(c->begin[n] + 1) * sizeof *c->reader);
  if (c->reader == NULL) return gi_fail_nomem((size_t)c->begin[n] * sizeof *c->reader);
  each_reader(c, add_reader); /* moves each begin to its list's end */
  memmove(c->begin + 1, c->begin, n * sizeof *c->begin);
  c->begin[0] = 0;
  return GLIA_OK;
}

static void add_value(chooser *c, uint32_t v) {
  const int *reader = c->reader + c->begin[v], n = c->begin[v + 1] - c->begin[v];
  const gi_val *val = c->o->g->values.at[v];
  const int64_t cost = picoseconds(c->o->reorder[v]);
  if (cost == 0 || n == 0) return;
  const int maker = side(c, val->node, c->o->g->nodes.at[val->node]->n_in + val->index);
  if (n == 1) {
    gi_cut_add(&c->cut, maker, reader[0], cost);
    gi_cut_add(&c->cut, reader[0], maker, cost);
    return;
  }
  const int last = gi_cut_vertex(&c->cut), plain = gi_cut_vertex(&c->cut);
  gi_cut_add(&c->cut, maker, last, cost);
  gi_cut_add(&c->cut, plain, maker, cost);
  for (int i = 0; i < n; i++) {
    gi_cut_add(&c->cut, last, reader[i], GI_CUT_NEVER);
    gi_cut_add(&c->cut, reader[i], plain, GI_CUT_NEVER);
  }
}

/* ---- choosing ---------------------------------------------------------------------------- */

static glia_status cut(chooser *c) {
  const glia_graph *g = c->o->g;
  c->node = gi_alloc((g->nodes.n + 1) * sizeof *c->node);
  if (c->node == NULL) return gi_fail_nomem(g->nodes.n * sizeof *c->node);
  GI_TRY(gi_cut_begin(&c->cut));
  for (uint32_t k = 0; k < g->nodes.n; k++) add_node(c, k);
  GI_TRY(list_readers(c));
  for (uint32_t v = 0; v < g->values.n; v++) add_value(c, v);
  return gi_cut_solve(&c->cut);
}

static int picked(const chooser *c, uint32_t k) {
  const node_levels *l = &c->node[k];
  int level = 0;
  while (level + 1 < l->n && gi_cut_on_sink(&c->cut, l->first + level)) level++;
  return l->n > 0 ? l->pick[level] : 0;
}

glia_status gi_offers_choose(const gi_offers *o, int *pick) {
  chooser c = {.o = o};
  const glia_status s = cut(&c);
  for (uint32_t k = 0; s == GLIA_OK && k < o->g->nodes.n; k++) pick[k] = picked(&c, k);
  gi_cut_free(&c.cut);
  gi_free(c.node);
  gi_free(c.reader);
  gi_free(c.begin);
  return s;
}
