/* recognise.c - attention and layer normalisation in what exporters wrote in their place.
 *
 * A file in an older format has no operator for them, but what they are made of:
 *
 *   softmax(scale q k^T + mask) v                                attention
 *   (x - mean) / sqrt(mean of (x - mean)^2 + eps) gamma + beta   layer_norm
 *
 * The ops that have kernels of their own go through memory once, and attention never stores the
 * T x S scores. A pattern whose inner values somebody else reads stays: the backward half of a
 * training step, for one. Where no key is seen attention gives zeros, the pattern NaN.
 */
#include "compile/compile.h"
#include "glia/attention.h"
#include "ops/attrs.h"

static glia_value input(glia_value v, int i) { return gi_value(v.graph, gi_node_of(v)->in[i]); }

static bool is(glia_value v, const gi_op *op) { return gi_node_of(v)->op == op; }

/* v = a op c for a constant c of equal elements; a number may stand in front of what commutes.
 */
static bool by_number(glia_value v, const gi_op *op, glia_value *a, double *c) {
  if (!is(v, op)) return false;
  for (int i = 1; i >= 0 && (i == 1 || (op->flags & GI_COMMUTES) != 0); i--) {
    *a = input(v, 1 - i);
    if (gi_constant_scalar(input(v, i), c)) return true;
  }
  return false;
}

/* ---- attention --------------------------------------------------------------------------- */

typedef struct scores {
  glia_value product, mask; /* q k^T; null: none */
  double scale;
} scores;

enum { DEEP = 6 }; /* numbers and masks around a product */

/* Takes apart scale q k^T + mask, from the outside in. A mask that is scaled itself is none. */
static bool take_scores(glia_value v, int depth, scores *s) {
  glia_value rest;
  double c;
  if (depth == DEEP || glia_value_rank(v) != 4) return false;
  if (is(v, &gi_op_matmul)) {
    s->product = v;
    return true;
  }
  if (by_number(v, &gi_op_mul, &rest, &c) && take_scores(rest, depth + 1, s))
    return s->scale *= c, gi_null(s->mask);
  if (by_number(v, &gi_op_div, &rest, &c) && c != 0 && take_scores(rest, depth + 1, s))
    return s->scale /= c, gi_null(s->mask);
  for (int i = 0; i < 2 && is(v, &gi_op_add); i++) {
    scores inner = {.scale = 1};
    if (!take_scores(input(v, i), depth + 1, &inner) || !gi_null(inner.mask)) continue;
    inner.mask = input(v, 1 - i);
    *s = inner;
    return true;
  }
  return false;
}

/* v with its last two axes swapped; a swap that is undone leaves nothing. */
static glia_value swapped(glia_value v) {
  int axes[4] = {0, 1, 3, 2};
  if (is(v, &gi_op_permute)) {
    const gi_permute_attr *a = gi_node_of(v)->attr;
    for (int i = 0; i < 4; i++) axes[i] = (int)a->axes.at[i < 2 ? i : 5 - i];
    v = input(v, 0);
  }
  const bool same = axes[0] == 0 && axes[1] == 1 && axes[2] == 2;
  return same ? v : glia_permute(v, axes);
}

static bool fits_scores(glia_value mask, const gi_type *q, int64_t keys) {
  const int64_t full[] = {q->dim[0], q->dim[1], q->dim[2], keys};
  const gi_type m = gi_value_type(mask);
  bool fits = m.rank <= 4 && m.dtype == q->dtype;
  for (int i = 0; i < m.rank && fits; i++)
    fits = m.dim[i] == 1 || m.dim[i] == full[4 - m.rank + i];
  return fits;
}

/* n = softmax(scores) v */
static glia_value attention(const gi_rewrite *r, const gi_node *n, const glia_value *in) {
  const gi_matmul_attr *outer = n->attr;
  scores s = {.scale = 1};
  if (n->op != &gi_op_matmul || outer->transpose_a || outer->transpose_b) return GLIA_NONE;
  if (!is(in[0], &gi_op_softmax) || r->uses[n->in[0]] != 1) return GLIA_NONE;
  const gi_axis_attr *along = gi_node_of(in[0])->attr;
  if (glia_value_rank(in[0]) != 4 || glia_value_rank(in[1]) != 4 || along->axis != 3)
    return GLIA_NONE;
  if (!take_scores(input(in[0], 0), 0, &s)) return GLIA_NONE;
  const gi_matmul_attr *a = gi_node_of(s.product)->attr;
  const glia_value q = input(s.product, 0), b = input(s.product, 1);
  const gi_type tq = gi_value_type(q), tb = gi_value_type(b), tv = gi_value_type(in[1]);
  if (a->transpose_a || tq.rank != 4 || tb.rank != 4) return GLIA_NONE;
  const int64_t keys = tb.dim[a->transpose_b ? 2 : 3];
  for (int i = 0; i < 2; i++)
    if (tq.dim[i] != tb.dim[i] || tq.dim[i] != tv.dim[i]) return GLIA_NONE;
  if (keys != tv.dim[2] || tq.dtype != tv.dtype || s.scale == 0) return GLIA_NONE;
  if (!gi_null(s.mask) && !fits_scores(s.mask, &tq, keys)) return GLIA_NONE;
  const glia_value k = a->transpose_b ? b : swapped(b);
  return glia_attention(q, k, in[1], .mask = s.mask, .scale = s.scale);
}

/* ---- layer normalisation ----------------------------------------------------------------- */

/* The mean of what over the last axes, kept: how many of them; 0: it is none. */
static int last_axes(glia_value v, const gi_op *op, glia_value *of) {
  if (!is(v, op)) return 0;
  const gi_reduce_attr *a = gi_node_of(v)->attr;
  *of = input(v, 0);
  const int rank = glia_value_rank(*of);
  for (int i = 0; i < a->axes.n; i++)
    if (a->axes.at[i] != rank - a->axes.n + i) return 0;
  return a->keep && !a->unbiased ? a->axes.n : 0;
}

static bool is_square_of(glia_value v, glia_value x) {
  glia_value base;
  double two;
  if (is(v, &gi_op_square)) return input(v, 0).id == x.id;
  if (is(v, &gi_op_mul)) return input(v, 0).id == x.id && input(v, 1).id == x.id;
  return by_number(v, &gi_op_pow, &base, &two) && two == 2 && base.id == x.id;
}

/* sqrt(mean of d^2 + eps): over how many last axes; 0: it is not. */
static int deviation_of(glia_value v, glia_value d, double *eps) {
  glia_value sum, squares;
  if (!is(v, &gi_op_sqrt) || !by_number(input(v, 0), &gi_op_add, &sum, eps)) return 0;
  const int n = last_axes(sum, &gi_op_mean, &squares);
  return n > 0 && is_square_of(squares, d) ? n : 0;
}

/* n = d / sqrt(mean of d^2 + eps), d = x - mean of x */
static glia_value normalised(const gi_rewrite *r, const gi_node *n, const glia_value *in) {
  glia_value x;
  double eps = 0;
  if (n->op != &gi_op_div || !is(in[0], &gi_op_sub) || r->uses[n->in[1]] != 1) return GLIA_NONE;
  const int axes = deviation_of(in[1], in[0], &eps);
  if (axes == 0 || last_axes(input(in[0], 1), &gi_op_mean, &x) != axes) return GLIA_NONE;
  if (x.id != input(in[0], 0).id || !glia_dtype_is_float(glia_value_dtype(x))) return GLIA_NONE;
  return glia_layer_norm_with(x, axes, GLIA_NONE, GLIA_NONE, eps);
}

/* Is v of the normalised axes' shape, and of the same kind? */
static bool is_inner(const gi_node *norm, const glia_graph *g, glia_value v) {
  const gi_type x = g->values.at[norm->in[0]]->type, t = gi_value_type(v);
  const int axis = (int)((const gi_layer_norm_attr *)norm->attr)->axis;
  bool same = t.rank == x.rank - axis && t.dtype == x.dtype;
  for (int i = 0; i < t.rank && same; i++) same = t.dim[i] == x.dim[axis + i];
  return same;
}

/* n = layer_norm gamma, or layer_norm + beta */
static glia_value with_affine(const gi_rewrite *r, const gi_node *n, const glia_value *in) {
  const bool scales = n->op == &gi_op_mul;
  double one = 0;
  if (!scales && n->op != &gi_op_add) return GLIA_NONE;
  for (int i = 0; i < 2; i++) {
    const gi_node *norm = gi_node_of(in[i]);
    if (norm->op != &gi_op_layer_norm || norm->n_in != 2 || r->uses[n->in[i]] != 1) continue;
    const glia_value x = gi_value(r->to, norm->in[0]), gamma = gi_value(r->to, norm->in[1]);
    const bool plain = gi_constant_scalar(gamma, &one) && one == 1;
    if ((scales && !plain) || in[i].id != norm->out || !is_inner(norm, r->to, in[1 - i]))
      continue;
    const glia_value all[] = {x, scales ? in[1 - i] : gamma, in[1 - i]};
    return gi_emit(NULL, norm->op, norm->attr, all, scales ? 2 : 3, NULL);
  }
  return GLIA_NONE;
}

/* ---- the pass ---------------------------------------------------------------------------- */

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  glia_value v = GLIA_NONE;
  if (n->n_in == 2) {
    v = attention(r, n, in);
    if (gi_null(v)) v = normalised(r, n, in);
    if (gi_null(v)) v = with_affine(r, n, in);
  }
  if (gi_null(v))
    *copy = true;
  else
    gi_rewrite_set(r, k, &v);
  return glia_graph_status(r->to);
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  return gi_rewrite_all(from, to, target, visit);
}

const gi_pass gi_pass_recognise = {
    .name = "recognise",
    .doc = "attention and layer normalisation that are written out become their ops",
    .rounds = true,
    .run = run,
};
