/* fuse.c - groups of elementwise ops of one shape, with the reductions that they end in, become
 * one `fused` op, so that what lies between them never goes to memory.
 *
 * Nodes are taken in order; a node joins the groups of its operands (which become one) as long
 * as the group stays within the limits of a program and no path leaves the group and comes back
 * to it: then the group could not run as one. The paths are searched in the graph in which
 * every group is one node.
 *
 * A reduction joins the group that makes what it folds: the gradient of a bias is summed while
 * the masked gradient is made. It spares a pass over memory, costs an addition an element, and
 * is always worth it. All reductions of a group fold the same axes, and nothing in the group
 * may read what they give.
 *
 * A node that joins its operand's group may be wanted much later: the slope 1 - tanh(x)^2 by
 * the gradient. It then sinks into the group that wants it, if that spares the first group a
 * result.
 */
#include "compile/fuse.h"

#include <stdlib.h>

/* ---- would a group close a circle? ------------------------------------------------------- */

static bool push_inputs(gi_fuser *f, uint32_t node) {
  const gi_node *n = f->r.from->nodes.at[node];
  for (int i = 0; i < n->n_in; i++) {
    const uint32_t p = gi_fuse_producer(f, gi_fuse_operand(f, n, i));
    if (f->seen[p] == f->stamp) continue;
    f->seen[p] = f->stamp;
    if (!gi_vec_push(&f->stack, p)) return false;
  }
  return true;
}

/* Goes back from `node` over whole groups; true if it meets one of `members` (groups) or
 * `last`. */
static bool reaches(gi_fuser *f, const int *members, int n_members, uint32_t last) {
  while (f->stack.n > 0) {
    const uint32_t k = f->stack.at[--f->stack.n];
    const int g = f->of[k];
    if (k == last) return true;
    for (int i = 0; i < n_members; i++)
      if (g == members[i]) return true;
    if (g < 0) {
      if (!push_inputs(f, k)) return true;
      continue;
    }
    for (size_t i = 0; i < f->groups.at[g]->nodes.n; i++)
      if (!push_inputs(f, f->groups.at[g]->nodes.at[i])) return true;
  }
  return false;
}

static bool in_set(const gi_fuser *f, uint32_t node, const int *members, int n, uint32_t last) {
  if (node == last) return true;
  for (int i = 0; i < n; i++)
    if (f->of[node] == members[i]) return true;
  return false;
}

/* Starts a search from the inputs of `node` that lie outside the set. */
static bool start_outside(gi_fuser *f, uint32_t node, const int *members, int n,
                          uint32_t last) {
  const gi_node *x = f->r.from->nodes.at[node];
  for (int i = 0; i < x->n_in; i++) {
    const uint32_t p = gi_fuse_producer(f, gi_fuse_operand(f, x, i));
    if (in_set(f, p, members, n, last) || f->seen[p] == f->stamp) continue;
    f->seen[p] = f->stamp;
    if (!gi_vec_push(&f->stack, p)) return false;
  }
  return true;
}

static bool circle(gi_fuser *f, const int *members, int n, uint32_t last) {
  f->stamp++;
  f->stack.n = 0;
  if (!start_outside(f, last, members, n, last)) return true;
  for (int i = 0; i < n; i++)
    for (size_t k = 0; k < f->groups.at[members[i]]->nodes.n; k++)
      if (!start_outside(f, f->groups.at[members[i]]->nodes.at[k], members, n, last))
        return true;
  return reaches(f, members, n, last);
}

/* ---- grouping ---------------------------------------------------------------------------- */

static glia_status new_group(gi_fuser *f, uint32_t k) {
  gi_fuse_group *g = gi_alloc(sizeof *g);
  if (g == NULL) return gi_fail_nomem(sizeof *g);
  if (!gi_vec_push(&g->nodes, k) || !gi_vec_push(&f->groups, g)) {
    gi_vec_free(&g->nodes);
    gi_free(g);
    return gi_fail_nomem(sizeof *g);
  }
  f->of[k] = (int)f->groups.n - 1;
  return GLIA_OK;
}

/* Adds the nodes of group b to a, both in order, then k. */
static bool join(gi_fuser *f, int a, int b) {
  gi_fuse_group *x = f->groups.at[a], *y = f->groups.at[b];
  if (!gi_vec_reserve(&x->nodes, x->nodes.n + y->nodes.n)) return false;
  for (size_t i = 0; i < y->nodes.n; i++) {
    size_t j = x->nodes.n++;
    for (; j > 0 && x->nodes.at[j - 1] > y->nodes.at[i]; j--)
      x->nodes.at[j] = x->nodes.at[j - 1];
    x->nodes.at[j] = y->nodes.at[i];
    f->of[y->nodes.at[i]] = a;
  }
  y->nodes.n = 0;
  return true;
}

/* Would the union of these groups and node k keep within the limits of a program? */
static bool within_limits(const gi_fuser *f, const int *members, int n, uint32_t k) {
  gi_fuse_group all = {0};
  gi_fuse_program b;
  size_t total = 1;
  for (int i = 0; i < n; i++) total += f->groups.at[members[i]]->nodes.n;
  if (total > GI_FUSED_CODE || !gi_vec_reserve(&all.nodes, total)) return false;
  for (int i = 0; i < n; i++)
    for (size_t j = 0; j < f->groups.at[members[i]]->nodes.n; j++)
      all.nodes.at[all.nodes.n++] = f->groups.at[members[i]]->nodes.at[j];
  all.nodes.at[all.nodes.n++] = k;
  const bool fits = gi_fuse_survey(f, &all, &b);
  gi_vec_free(&all.nodes);
  return fits;
}

/* May node n go into the group that makes operand i? */
static bool belongs(const gi_fuser *f, const gi_node *n, int i) {
  const glia_graph *from = f->r.from;
  const uint32_t p = gi_fuse_producer(f, gi_fuse_operand(f, n, i));
  if (f->of[p] < 0 || gi_fuse_folds(from->nodes.at[p])) return false;
  return gi_fuse_folds(n) ||
         gi_shape_equal(&from->values.at[n->out]->type, &from->values.at[n->in[i]]->type);
}

static glia_status place(gi_fuser *f, uint32_t k) {
  const gi_node *n = f->r.from->nodes.at[k];
  int members[3], count = 0;
  for (int i = 0; i < n->n_in && i < 3; i++) {
    const int g = f->of[gi_fuse_producer(f, gi_fuse_operand(f, n, i))];
    bool known = !belongs(f, n, i);
    for (int j = 0; j < count; j++) known |= members[j] == g;
    if (known) continue;
    members[count++] = g;
    if (!within_limits(f, members, count, k) || circle(f, members, count, k)) count--;
  }
  if (count == 0)
    return gi_fuse_folds(n) && !gi_fuse_reads_widened(f, n) ? GLIA_OK : new_group(f, k);
  for (int j = 1; j < count; j++)
    if (!join(f, members[0], members[j])) return gi_fail_nomem(sizeof(uint32_t));
  if (!gi_vec_push(&f->groups.at[members[0]]->nodes, k)) return gi_fail_nomem(sizeof(uint32_t));
  f->of[k] = members[0];
  return GLIA_OK;
}

/* ---- sinking ----------------------------------------------------------------------------- */

/* Part of group `from`, by its last node, that moves to group `to`: all whose results are used
 * there alone. */
typedef struct part {
  GI_VEC(uint32_t) stays, moves;
  int from, to;
} part;

static bool contains(const uint32_t *at, size_t n, uint32_t node) {
  for (size_t i = 0; i < n; i++)
    if (at[i] == node) return true;
  return false;
}

/* Is v used by the part's moving nodes and its new group alone? Where `to` is open (-1), the
 * first group outside becomes it. Reductions stay: where they are used has another shape. */
static bool used_there(const gi_fuser *f, part *p, uint32_t v) {
  const glia_graph *g = f->r.from;
  int left = f->uses[v];
  if (gi_fuse_folds(g->nodes.at[gi_fuse_producer(f, v)])) return false;
  for (uint32_t k = gi_fuse_producer(f, v) + 1; k < g->nodes.n && left > 0; k++) {
    const gi_node *n = g->nodes.at[k];
    int count = 0;
    if (!f->r.live[k] || gi_fuse_seen_through(f, n)) continue;
    for (int i = 0; i < n->n_in; i++) count += gi_fuse_operand(f, n, i) == v;
    if (count == 0) continue;
    left -= count;
    if (contains(p->moves.at, p->moves.n, k)) continue;
    if (p->to < 0 && f->of[k] != p->from) p->to = f->of[k];
    if (f->of[k] < 0 || f->of[k] != p->to) return false;
  }
  return left == 0; /* else it is a root */
}

static bool split(const gi_fuser *f, size_t last, part *p) {
  const gi_fuse_group *g = f->groups.at[p->from];
  p->to = -1;
  p->moves.n = p->stays.n = 0;
  if (!gi_vec_reserve(&p->moves, g->nodes.n) || !gi_vec_reserve(&p->stays, g->nodes.n))
    return false;
  for (size_t i = g->nodes.n; i-- > 0;) {
    const uint32_t k = g->nodes.at[i];
    const bool moves =
        i <= last && (i == last || p->to >= 0) && used_there(f, p, f->r.from->nodes.at[k]->out);
    if (moves)
      p->moves.at[p->moves.n++] = k;
    else
      p->stays.at[p->stays.n++] = k;
  }
  return p->to >= 0 && p->moves.n > 0 && p->stays.n > 0;
}

static int by_number(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/* Worth it if the first group has fewer results then, and both keep within the limits. */
static bool worth_it(const gi_fuser *f, const part *p, const gi_fuse_group *first,
                     const gi_fuse_group *second) {
  const gi_fuse_group *from = f->groups.at[p->from], *to = f->groups.at[p->to];
  gi_fuse_program before, after, other;
  if (!gi_shape_equal(&f->r.from->values.at[gi_fuse_result(f, from)]->type,
                      &f->r.from->values.at[gi_fuse_result(f, to)]->type))
    return false;
  return gi_fuse_survey(f, from, &before) && gi_fuse_survey(f, first, &after) &&
         after.n_out < before.n_out && gi_fuse_survey(f, second, &other);
}

/* Moves what may move with node `last` of a group. No circle can come of it: the second group
 * depended on the first before. */
static glia_status sink_from(gi_fuser *f, part *p, size_t last) {
  if (!split(f, last, p)) return GLIA_OK;
  gi_fuse_group first = {0}, second = {0};
  const gi_fuse_group *to = f->groups.at[p->to];
  const size_t n = to->nodes.n + p->moves.n;
  bool room = gi_vec_reserve(&first.nodes, p->stays.n) && gi_vec_reserve(&second.nodes, n);
  if (room) {
    for (size_t i = p->stays.n; i-- > 0;) first.nodes.at[first.nodes.n++] = p->stays.at[i];
    for (size_t i = 0; i < to->nodes.n; i++)
      second.nodes.at[second.nodes.n++] = to->nodes.at[i];
    for (size_t i = 0; i < p->moves.n; i++) second.nodes.at[second.nodes.n++] = p->moves.at[i];
    qsort(second.nodes.at, n, sizeof *second.nodes.at, by_number);
  }
  if (room && n <= GI_FUSED_CODE && worth_it(f, p, &first, &second)) {
    for (size_t i = 0; i < p->moves.n; i++) f->of[p->moves.at[i]] = p->to;
    const gi_fuse_group old_first = *f->groups.at[p->from], old_second = *f->groups.at[p->to];
    *f->groups.at[p->from] = first;
    *f->groups.at[p->to] = second;
    first = old_first; /* to be freed */
    second = old_second;
  }
  gi_vec_free(&first.nodes);
  gi_vec_free(&second.nodes);
  return room ? GLIA_OK : gi_fail_nomem(n * sizeof(uint32_t));
}

static glia_status sink(gi_fuser *f) {
  part p = {0};
  glia_status s = GLIA_OK;
  for (size_t g = 0; g < f->groups.n && s == GLIA_OK; g++) {
    p.from = (int)g;
    for (size_t i = f->groups.at[g]->nodes.n; i-- > 0 && s == GLIA_OK;)
      if (i < f->groups.at[g]->nodes.n) s = sink_from(f, &p, i);
  }
  gi_vec_free(&p.stays);
  gi_vec_free(&p.moves);
  return s;
}

/* ---- emitting ---------------------------------------------------------------------------- */

static glia_status ensure(gi_fuser *f, uint32_t k);

/* As a group reads them; g NULL: as they are. */
static glia_status ensure_inputs(gi_fuser *f, uint32_t k, const gi_fuse_group *g) {
  const gi_node *n = f->r.from->nodes.at[k];
  for (int i = 0; i < n->n_in; i++) {
    const uint32_t p = gi_fuse_producer(f, g != NULL ? gi_fuse_operand(f, n, i) : n->in[i]);
    if (g == NULL || !gi_fuse_member(g, p)) GI_TRY(ensure(f, p));
  }
  return GLIA_OK;
}

static glia_status emit_group(gi_fuser *f, gi_fuse_group *g) {
  gi_fuse_program b;
  glia_value in[GI_FUSED_IN], out[GI_MAX_OUT];
  g->emitted = true;
  for (size_t i = 0; i < g->nodes.n; i++) GI_TRY(ensure_inputs(f, g->nodes.at[i], g));
  const bool alone =
      g->nodes.n == 1 && !gi_fuse_reads_widened(f, f->r.from->nodes.at[g->nodes.at[0]]);
  if (alone || !gi_fuse_survey(f, g, &b)) {
    for (size_t i = 0; i < g->nodes.n; i++) {
      GI_TRY(ensure_inputs(f, g->nodes.at[i], NULL));
      GI_TRY(gi_rewrite_copy(&f->r, g->nodes.at[i]));
    }
    return GLIA_OK;
  }
  const size_t bytes = sizeof(gi_program) + (size_t)b.n_code * sizeof(gi_micro);
  b.p = gi_alloc(bytes);
  if (b.p == NULL) return gi_fail_nomem(bytes);
  gi_fuse_write(f, &b);
  const gi_fused_attr attr = {{bytes, b.p}};
  for (int i = 0; i < b.n_in; i++) in[i] = f->r.map[b.in[i]];
  const gi_node *last = f->r.from->nodes.at[g->nodes.at[g->nodes.n - 1]];
  const char *path = gi_arena_strdup(&f->r.to->arena, last->path);
  gi_set_path(f->r.to, path != NULL ? path : "");
  gi_emit(f->r.to, &gi_op_fused, &attr, in, b.n_in, out);
  gi_free(b.p);
  GI_TRY(glia_graph_status(f->r.to));
  for (int k = 0; k < b.n_out; k++) f->r.map[b.out[k]] = out[k];
  return GLIA_OK;
}

/* Makes node k, or the group it is in, after all that it needs. */
static glia_status ensure(gi_fuser *f, uint32_t k) {
  const gi_node *n = f->r.from->nodes.at[k];
  if (f->of[k] >= 0) {
    gi_fuse_group *g = f->groups.at[f->of[k]];
    return g->emitted ? GLIA_OK : emit_group(f, g);
  }
  if (n->n_out > 0 && !gi_null(f->r.map[n->out])) return GLIA_OK;
  GI_TRY(ensure_inputs(f, k, NULL));
  return gi_rewrite_copy(&f->r, k);
}

static glia_status build(gi_fuser *f) {
  const glia_graph *from = f->r.from;
  f->of = gi_alloc((from->nodes.n + 1) * sizeof *f->of);
  f->seen = gi_alloc((from->nodes.n + 1) * sizeof *f->seen);
  f->as = gi_alloc((from->values.n + 1) * sizeof *f->as);
  f->uses = gi_alloc((from->values.n + 1) * sizeof *f->uses);
  if (f->of == NULL || f->seen == NULL || f->as == NULL || f->uses == NULL)
    return gi_fail_nomem(from->values.n * sizeof *f->as);
  gi_fuse_see_through(f);
  for (size_t k = 0; k < from->nodes.n; k++) f->of[k] = -1;
  for (uint32_t k = 0; k < from->nodes.n; k++)
    if (f->r.live[k] && gi_fusible(f, from->nodes.at[k]) &&
        !gi_fuse_seen_through(f, from->nodes.at[k]))
      GI_TRY(place(f, k));
  GI_TRY(sink(f));
  for (uint32_t k = 0; k < from->nodes.n; k++)
    if (f->r.live[k] && !gi_fuse_seen_through(f, from->nodes.at[k])) GI_TRY(ensure(f, k));
  for (size_t i = 0; i < from->roots.n; i++)
    GI_TRY(ensure(f, gi_fuse_producer(f, from->roots.at[i].value)));
  return GLIA_OK;
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  gi_fuser f = {0};
  glia_status s = gi_rewrite_begin(&f.r, from, to, target);
  if (s == GLIA_OK) s = build(&f);
  gi_set_path(to, "");
  s = gi_rewrite_end(&f.r, s);
  for (size_t i = 0; i < f.groups.n; i++) {
    gi_vec_free(&f.groups.at[i]->nodes);
    gi_free(f.groups.at[i]);
  }
  gi_vec_free(&f.groups);
  gi_vec_free(&f.stack);
  gi_free(f.of);
  gi_free(f.as);
  gi_free(f.uses);
  gi_free(f.seen);
  return s;
}

const gi_pass gi_pass_fuse = {
    .name = "fuse",
    .doc = "runs of elementwise ops become one",
    .run = run,
};
