/* schedule.c - the order in which nodes run.
 *
 * A list scheduler: of the nodes whose inputs are there, the one that frees most memory goes
 * first; where none frees any, one that takes next to nothing, since much may wait for it; else
 * the order of the graph holds. So an optimiser's update runs as soon as its gradient is made,
 * its bias correction, a scalar, before that, and the gradient's memory is given back.
 *
 * Two kinds of edges are added to those of the data, unless they would close a circle: all
 * readers of a variable come before the node that makes its new value, which may then be
 * written over the old one; and the watched value (the loss) comes before all new values, so
 * that a step that went wrong changes nothing.
 */
#include "compile/compile.h"
#include "ops/fused.h"

typedef struct edge {
  uint32_t before, after;
} edge; /* nodes */

typedef struct scheduler {
  const glia_graph *g;
  GI_VEC(edge) edges; /* the added ones */
  uint32_t *seen, stamp;
  GI_VEC(uint32_t) stack;
  int *waits;   /* by node: predecessors not yet run */
  int *users;   /* by value: nodes that still want it, and roots */
  bool *stored; /* by value: becomes a variable: takes no arena memory */
} scheduler;

static uint32_t producer(const scheduler *s, uint32_t v) { return s->g->values.at[v]->node; }

static bool visit(scheduler *s, uint32_t node) {
  if (s->seen[node] == s->stamp) return true;
  s->seen[node] = s->stamp;
  return gi_vec_push(&s->stack, node);
}

/* Does `node` depend on `on`, over data and added edges? (True too without memory: no edge
 * then.) */
static bool depends(scheduler *s, uint32_t node, uint32_t on) {
  s->stamp++;
  s->stack.n = 0;
  if (!visit(s, node)) return true;
  while (s->stack.n > 0) {
    const uint32_t k = s->stack.at[--s->stack.n];
    const gi_node *n = s->g->nodes.at[k];
    if (k == on) return true;
    for (int i = 0; i < n->n_in; i++)
      if (!visit(s, producer(s, n->in[i]))) return true;
    for (size_t e = 0; e < s->edges.n; e++)
      if (s->edges.at[e].after == k && !visit(s, s->edges.at[e].before)) return true;
  }
  return false;
}

static glia_status add_edge(scheduler *s, uint32_t before, uint32_t after) {
  const edge e = {before, after};
  if (before == after || depends(s, before, after)) return GLIA_OK;
  return gi_vec_push(&s->edges, e) ? GLIA_OK : gi_fail_nomem(sizeof e);
}

/* Adds edges from every reader of value v, through views of it, to node `after`. */
static glia_status readers_before(scheduler *s, uint32_t v, uint32_t after) {
  for (uint32_t k = s->g->values.at[v]->node + 1; k < s->g->nodes.n; k++) {
    const gi_node *n = s->g->nodes.at[k];
    for (int i = 0; i < n->n_in; i++) {
      if (n->in[i] != v) continue;
      GI_TRY(add_edge(s, k, after));
      if (n->op->flags & GI_VIEW) GI_TRY(readers_before(s, n->out, after));
      break;
    }
  }
  return GLIA_OK;
}

static glia_status add_edges(scheduler *s, uint32_t watch) {
  for (size_t i = 0; i < s->g->roots.n; i++) {
    const gi_root *r = &s->g->roots.at[i];
    if (r->variable == GI_NO_VALUE) continue;
    const uint32_t maker = producer(s, r->value);
    if (s->g->nodes.at[maker]->op->flags & GI_SOURCE) continue;
    GI_TRY(readers_before(s, r->variable, maker));
    if (watch != GI_NO_VALUE) GI_TRY(add_edge(s, producer(s, watch), maker));
  }
  return GLIA_OK;
}

/* ---- the list ---------------------------------------------------------------------------- */

static void count_waits(scheduler *s) {
  for (size_t k = 0; k < s->g->nodes.n; k++) {
    const gi_node *n = s->g->nodes.at[k];
    for (int i = 0; i < n->n_in; i++) {
      s->users[n->in[i]]++;
      s->waits[k] += !(s->g->nodes.at[producer(s, n->in[i])]->op->flags & GI_SOURCE);
    }
  }
  for (size_t e = 0; e < s->edges.n; e++)
    if (!(s->g->nodes.at[s->edges.at[e].before]->op->flags & GI_SOURCE))
      s->waits[s->edges.at[e].after]++;
  for (size_t i = 0; i < s->g->roots.n; i++) {
    s->users[s->g->roots.at[i].value]++;
    s->stored[s->g->roots.at[i].value] |= s->g->roots.at[i].variable != GI_NO_VALUE;
  }
}

static bool in_arena(const scheduler *s, uint32_t v) {
  const unsigned flags = s->g->nodes.at[producer(s, v)]->op->flags;
  return !(flags & (GI_SOURCE | GI_VIEW)) && !s->stored[v];
}

/* Bytes that running the node takes, less those it gives back. */
static double growth(const scheduler *s, const gi_node *n) {
  double bytes = 0;
  for (int i = 0; i < n->n_out; i++) {
    const uint32_t v = n->out + (uint32_t)i;
    if (in_arena(s, v)) bytes += (double)gi_type_bytes(&s->g->values.at[v]->type);
  }
  for (int i = 0; i < n->n_in; i++)
    if (s->users[n->in[i]] == 1 && in_arena(s, n->in[i]))
      bytes -= (double)gi_type_bytes(&s->g->values.at[n->in[i]]->type);
  return bytes;
}

enum { SMALL = 256 }; /* bytes: next to nothing */

static size_t pick(const scheduler *s, const uint32_t *ready, size_t n) {
  size_t best = 0, first = 0, small = n;
  double least = 0;
  for (size_t i = 0; i < n; i++) {
    const double b = growth(s, s->g->nodes.at[ready[i]]);
    if (ready[i] < ready[first]) first = i;
    if (b <= SMALL && (small == n || ready[i] < ready[small])) small = i;
    if (b < least) {
      least = b;
      best = i;
    }
  }
  if (least < 0) return best;
  return small < n ? small : first;
}

typedef GI_VEC(uint32_t) node_list;

static bool release(scheduler *s, uint32_t node, node_list *ready) {
  if (--s->waits[node] > 0) return true;
  return gi_vec_push(ready, node);
}

/* Takes node k off the waiting counts of those that come after it. */
static bool finish(scheduler *s, uint32_t k, node_list *ready) {
  const gi_node *n = s->g->nodes.at[k];
  for (int i = 0; i < n->n_in; i++) s->users[n->in[i]]--;
  for (uint32_t j = k + 1; j < s->g->nodes.n; j++) {
    const gi_node *m = s->g->nodes.at[j];
    for (int i = 0; i < m->n_in; i++)
      if (producer(s, m->in[i]) == k && !release(s, j, ready)) return false;
  }
  for (size_t e = 0; e < s->edges.n; e++)
    if (s->edges.at[e].before == k && !release(s, s->edges.at[e].after, ready)) return false;
  return true;
}

static glia_status run_list(scheduler *s, uint32_t *order, int *n) {
  node_list ready = {0};
  bool room = true;
  *n = 0;
  for (uint32_t k = 0; room && k < s->g->nodes.n; k++)
    if (!(s->g->nodes.at[k]->op->flags & GI_SOURCE) && s->waits[k] == 0)
      room = gi_vec_push(&ready, k);
  while (room && ready.n > 0) {
    const size_t i = pick(s, ready.at, ready.n);
    const uint32_t k = ready.at[i];
    ready.at[i] = ready.at[--ready.n];
    order[(*n)++] = k;
    room = finish(s, k, &ready);
  }
  gi_vec_free(&ready);
  return room ? GLIA_OK : gi_fail_nomem(sizeof(uint32_t));
}

glia_status gi_schedule(const glia_graph *g, uint32_t watch, uint32_t **order, int *n) {
  scheduler s = {.g = g};
  const size_t nodes = g->nodes.n + 1, values = g->values.n + 1;
  s.seen = gi_alloc(nodes * sizeof *s.seen);
  s.waits = gi_alloc(nodes * sizeof *s.waits);
  s.users = gi_alloc(values * sizeof *s.users);
  s.stored = gi_alloc(values * sizeof *s.stored);
  uint32_t *list = gi_alloc(nodes * sizeof *list);
  glia_status status = GLIA_OK;
  if (s.seen == NULL || s.waits == NULL || s.users == NULL || s.stored == NULL || list == NULL)
    status = gi_fail_nomem(nodes * sizeof *list);
  if (status == GLIA_OK) status = add_edges(&s, watch);
  if (status == GLIA_OK) {
    count_waits(&s);
    status = run_list(&s, list, n);
  }
  gi_vec_free(&s.edges);
  gi_vec_free(&s.stack);
  gi_free(s.seen);
  gi_free(s.waits);
  gi_free(s.users);
  gi_free(s.stored);
  if (status != GLIA_OK)
    gi_free(list);
  else
    *order = list;
  return status;
}

/* ---- fixed steps ------------------------------------------------------------------------ */

glia_status gi_fixed_first(const glia_graph *g, uint32_t *order, int n, int *n_fixed) {
  bool *moves = gi_alloc(
      g->nodes.n + 1); /* by node: depends on an input, on chance or on an assigned variable */
  uint32_t *later = gi_alloc(((size_t)n + 1) * sizeof *later);
  int late = 0;
  *n_fixed = 0;
  for (uint32_t k = 0; moves != NULL && k < g->nodes.n; k++) {
    const gi_node *node = g->nodes.at[k];
    moves[k] = node->op == &gi_op_input || gi_is_random(node) ||
               (node->op == &gi_op_variable && gi_is_assigned(g, node->out));
    for (int i = 0; i < node->n_in; i++)
      moves[k] = moves[k] || moves[g->values.at[node->in[i]]->node];
  }
  for (int i = 0; moves != NULL && later != NULL && i < n; i++) {
    if (moves[order[i]])
      later[late++] = order[i];
    else
      order[(*n_fixed)++] = order[i];
  }
  const bool room = moves != NULL && later != NULL;
  if (room) memcpy(order + *n_fixed, later, (size_t)late * sizeof *later);
  gi_free(moves);
  gi_free(later);
  return room ? GLIA_OK : gi_fail_nomem(g->nodes.n);
}
