/* shrink.c - work moves to where there are fewer elements: through pooling.
 *
 * pool_scatter puts each element of dy on the cell of x that won its window, and zeros on the
 * others. What x was at that cell is known: it is the pooled value. With p the position and
 * y = pool(x):
 *
 *   where(x > 0, pool_scatter(dy, p), 0) = pool_scatter(where(y > 0, dy, 0), p)
 *   sum of pool_scatter(dy, p) over rows and columns = sum of dy
 *
 * The first is the gradient of relu before a pooling, the second that of the bias before it: a
 * mask and a sum over a quarter of the elements, which go into whatever made dy; and x need no
 * longer be kept for the backward part. The sum holds for the gradients of averages too, whose
 * shares add up to one.
 */
#include "compile/compile.h"
#include "ops/attrs.h"

/* ---- sums -------------------------------------------------------------------------------- */

/* Do the parts into which this op divides an element add up to it? */
static bool keeps_sums(const gi_node *n) {
  const gi_pool_attr *a = n->attr;
  if (n->op == &gi_op_pool_scatter || n->op == &gi_op_adaptive_avg_pool2d_grad) return true;
  return n->op == &gi_op_avg_pool2d_grad && !a->count_padding;
}

static bool has_axis(const gi_reduce_attr *a, int64_t axis) {
  for (int i = 0; i < a->axes.n; i++)
    if (a->axes.at[i] == axis) return true;
  return false;
}

static glia_value sum_before(const gi_node *n, glia_value x) {
  const gi_node *pool = gi_node_of(x);
  if (n->op != &gi_op_sum || !keeps_sums(pool)) return GLIA_NONE;
  if (!has_axis(n->attr, 2) || !has_axis(n->attr, 3)) return GLIA_NONE;
  return gi_emit1(n->op, n->attr, gi_value(x.graph, pool->in[0]));
}

/* ---- masks ------------------------------------------------------------------------------- */

static bool is_zero(glia_value v) {
  double c;
  return gi_constant_scalar(v, &c) && c == 0;
}

/* The pooled value of x whose positions these are; null if they are not. */
static glia_value pooled(glia_value x, glia_value position) {
  const gi_node *pool = gi_node_of(position);
  const bool wins = pool->op == &gi_op_max_pool2d || pool->op == &gi_op_min_pool2d;
  if (!wins || position.id != pool->out + 1 || pool->in[0] != x.id) return GLIA_NONE;
  return gi_value(x.graph, pool->out);
}

/* where(greater(x, 0), pool_scatter(dy, position), 0) */
static glia_value mask_before(const gi_rewrite *r, const gi_node *n, const glia_value *in) {
  if (n->op != &gi_op_where || r->uses[n->in[1]] != 1 || !is_zero(in[2])) return GLIA_NONE;
  const gi_node *more = gi_node_of(in[0]), *scatter = gi_node_of(in[1]);
  glia_graph *g = r->to;
  if (more->op != &gi_op_greater || scatter->op != &gi_op_pool_scatter ||
      !is_zero(gi_value(g, more->in[1])))
    return GLIA_NONE;
  const glia_value dy = gi_value(g, scatter->in[0]), position = gi_value(g, scatter->in[1]);
  const glia_value y = pooled(gi_value(g, more->in[0]), position), zero = glia_full_like(dy, 0);
  if (gi_null(y)) return GLIA_NONE;
  const glia_value mask = glia_greater(y, glia_scalar_like(y, 0));
  return gi_emit2(scatter->op, scatter->attr, glia_where(mask, dy, zero), position);
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  glia_value v = GLIA_NONE;
  if (n->n_in == 1) v = sum_before(n, in[0]);
  if (n->n_in == 3) v = mask_before(r, n, in);
  if (gi_null(v))
    *copy = true;
  else
    gi_rewrite_set(r, k, &v);
  return glia_graph_status(r->to);
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  return gi_rewrite_all(from, to, target, visit);
}

const gi_pass gi_pass_shrink = {
    .name = "shrink",
    .doc = "masks and sums to the smaller side of a pooling",
    .rounds = true,
    .run = run,
};
