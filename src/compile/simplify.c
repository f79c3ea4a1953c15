/* simplify.c - the same values with fewer nodes: constants computed now, neutral operands and
 * round trips dropped. Common subexpressions go by themselves, since gi_emit finds equal nodes,
 * and dead nodes are never copied.
 *
 * Only what is exact for every float, NaN and infinity included, is rewritten: x + 0 may turn
 * -0 into 0 and is taken; x * 0 is not 0 for NaN and stays. (x^2 and x x may differ in an f64's
 * last bit, as two libraries' powers do.)
 */
#include "compile/compile.h"
#include "ops/fused.h"

enum { FOLD_LIMIT = 4096 }; /* elements: larger constants are cheaper to make at run time */

static bool is(const gi_node *n, const char *name) { return strcmp(n->op->name, name) == 0; }

/* ---- constants --------------------------------------------------------------------------- */

static bool all_constant(const glia_value *in, int n) {
  for (int i = 0; i < n; i++)
    if (gi_node_of(in[i])->op != &gi_op_constant) return false;
  return n > 0;
}

/* Computes a node with constant inputs by its reference; false if it is not worth it. */
static bool fold(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in) {
  const gi_val *val = r->from->values.at[n->out];
  if (n->n_out != 1 || n->n_in > 4 || !all_constant(in, n->n_in)) return false;
  if (n->op->ref == NULL || n->op->flags & GI_RANDOM || gi_type_count(&val->type) > FOLD_LIMIT)
    return false;
  if (is(n, "broadcast_to")) return false; /* stays a view of its scalar: see drop_broadcast */
  gi_buf bufs[4], out = {val->type, gi_alloc(gi_type_bytes(&val->type) + 1)};
  if (out.p == NULL) return false;
  for (int i = 0; i < n->n_in; i++) {
    const gi_literal *l = &((const gi_constant_attr *)gi_node_of(in[i])->attr)->literal;
    memcpy(&bufs[i].p, &l->data, sizeof bufs[i].p); /* references only read their inputs */
    bufs[i].t = l->type;
  }
  const gi_clock clock = {0, 0};
  gi_ref c = {n->n_in, 1, bufs, &out, n->attr, &clock};
  const bool done = n->op->ref(&c) == GLIA_OK;
  if (done) {
    const gi_type *t = &val->type;
    const glia_value v = glia_constant(r->to, t->dtype, t->rank, t->dim, out.p);
    gi_rewrite_set(r, k, &v);
  }
  gi_free(out.p);
  return done;
}

/* ---- algebra ----------------------------------------------------------------------------- */

/* op(x, c) = x for the constant c in place `arg`. */
static const struct {
  const char *op;
  int arg;
  double neutral;
} neutrals[] = {
    {"add", 0, 0}, {"add", 1, 0}, {"sub", 1, 0}, {"mul", 0, 1},
    {"mul", 1, 1}, {"div", 1, 1}, {"pow", 1, 1},
};

static bool same_type(glia_value v, const gi_type *t) {
  const gi_type a = gi_value_type(v);
  return gi_type_equal(&a, t);
}

static glia_value drop_neutral(const gi_node *n, const glia_value *in, const gi_type *t) {
  double c;
  for (int i = 0; i < GI_COUNT(neutrals); i++)
    if (is(n, neutrals[i].op) && gi_constant_scalar(in[neutrals[i].arg], &c) &&
        c == neutrals[i].neutral && same_type(in[1 - neutrals[i].arg], t))
      return in[1 - neutrals[i].arg];
  return GLIA_NONE;
}

/* Ops that give their input back: same shape, same dtype, order kept. */
static glia_value drop_identity(const gi_node *n, const glia_value *in, const gi_type *t) {
  if ((is(n, "reshape") || is(n, "broadcast_to") || is(n, "cast") || is(n, "stop_gradient")) &&
      same_type(in[0], t))
    return in[0];
  if (is(n, "neg") && strcmp(gi_node_of(in[0])->op->name, "neg") == 0)
    return gi_value(in[0].graph, gi_node_of(in[0])->in[0]);
  if (is(n, "reshape") && strcmp(gi_node_of(in[0])->op->name, "reshape") == 0)
    return glia_reshape(gi_value(in[0].graph, gi_node_of(in[0])->in[0]), t->rank, t->dim);
  return GLIA_NONE;
}

/* An elementwise op repeats its operands by itself: broadcast_to before it goes away where the
 * other operands still give the shape. */
static glia_value drop_broadcast(gi_rewrite *r, const gi_node *n, const glia_value *in,
                                 const gi_type *t) {
  glia_value plain[3];
  gi_type shape = {.dtype = t->dtype};
  bool changed = false;
  if (!(n->op->flags & GI_ELEMENTWISE) || n->n_in < 2 || n->n_in > 3) return GLIA_NONE;
  for (int i = 0; i < n->n_in; i++) {
    const gi_node *source = gi_node_of(in[i]);
    plain[i] = in[i];
    if (strcmp(source->op->name, "broadcast_to") != 0) continue;
    plain[i] = gi_value(r->to, source->in[0]);
    changed = true;
  }
  for (int i = 0; i < n->n_in && changed; i++) {
    const gi_type a = gi_value_type(plain[i]);
    if (gi_broadcast(&shape, &a, n->op->name, &shape) != GLIA_OK) return GLIA_NONE;
  }
  if (!changed || !gi_shape_equal(&shape, t)) return GLIA_NONE;
  return gi_emit(r->to, n->op, n->attr, plain, n->n_in, NULL);
}

static glia_value drop_power(const gi_node *n, const glia_value *in, const gi_type *t) {
  double c;
  if (!is(n, "pow") || !gi_constant_scalar(in[1], &c) || !same_type(in[0], t)) return GLIA_NONE;
  return c == 2.0 ? glia_square(in[0]) : GLIA_NONE; /* 0.5 is no square root: of -infinity */
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  const gi_type *t = n->n_out > 0 ? &r->from->values.at[n->out]->type : NULL;
  if (n->op->flags & GI_SOURCE || n->n_out != 1) {
    *copy = true;
    return GLIA_OK;
  }
  if (fold(r, k, n, in)) return GLIA_OK;
  glia_value v = drop_identity(n, in, t);
  if (gi_null(v) && n->n_in == 2) v = drop_neutral(n, in, t);
  if (gi_null(v) && n->n_in == 2) v = drop_power(n, in, t);
  if (gi_null(v)) v = drop_broadcast(r, n, in, t);
  if (gi_null(v))
    *copy = true;
  else
    gi_rewrite_set(r, k, &v);
  return glia_graph_status(r->to);
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  return gi_rewrite_all(from, to, target, visit);
}

const gi_pass gi_pass_simplify = {
    .name = "simplify",
    .doc = "constants, neutral operands, round trips, common and dead nodes",
    .run = run,
};
