/* grad.c - reverse-mode differentiation as a walk over nodes that names no op.
 *
 * Cotangents start at the outputs and are carried to the inputs in reverse node order, which is
 * right because a node's consumers all come after it. Each op says how (vjp), or is written in
 * plainer ops (lower) through which the same walk goes. The results are nodes like any others,
 * so they can be differentiated again.
 */
#include "graph/graph.h"

typedef struct walk {
  glia_graph *g;
  uint32_t limit;        /* values below this id were there when the walk began */
  bool *need;            /* depends on a leaf through ops that have gradients */
  glia_value *cotangent; /* null: none has arrived */
  bool partial;          /* leaves are ends: nothing flows on below them */
  bool *leaf;
} walk;

static glia_status walk_new(walk *w, glia_graph *g) {
  *w = (walk){.g = g, .limit = (uint32_t)g->values.n};
  w->need = gi_alloc(w->limit * sizeof(bool) + 1);
  w->leaf = gi_alloc(w->limit * sizeof(bool) + 1);
  w->cotangent = gi_alloc((w->limit + 1) * sizeof(glia_value));
  if (w->need == NULL || w->leaf == NULL || w->cotangent == NULL)
    return gi_fail_nomem(w->limit * sizeof(glia_value));
  return GLIA_OK;
}

static void walk_free(walk *w) {
  gi_free(w->need);
  gi_free(w->leaf);
  gi_free(w->cotangent);
}

/* Which values depend on the leaves through ops that have gradients. */
static void mark(walk *w, const glia_value *leaves, int n) {
  for (int i = 0; i < n; i++) {
    const uint32_t v = leaves[i].id;
    w->leaf[v] = true;
    w->need[v] = glia_dtype_is_float(w->g->values.at[v]->type.dtype);
  }
  for (size_t k = 0; k < w->g->nodes.n; k++) {
    const gi_node *node = w->g->nodes.at[k];
    bool need = false;
    for (int i = 0; i < node->n_in; i++) need |= w->need[node->in[i]];
    for (uint32_t v = node->out; v < node->out + (uint32_t)node->n_out; v++) {
      if (w->leaf[v]) continue;
      w->need[v] = need && node->op->no_grad == NULL &&
                   glia_dtype_is_float(w->g->values.at[v]->type.dtype);
    }
  }
}

static void add_cotangent(walk *w, uint32_t v, glia_value d) {
  if (gi_null(d) || v >= w->limit) return;
  w->cotangent[v] = gi_null(w->cotangent[v]) ? d : glia_add(w->cotangent[v], d);
}

static glia_status derive(glia_graph *g, const glia_value *out, const glia_value *dout,
                          int n_out, const glia_value *wrt, int n_wrt, bool partial,
                          glia_value *din, gi_str *blocked);

/* Cotangents of one node's inputs, by its rule or through its lowering. */
static glia_status node_gradient(glia_graph *g, const gi_node *n, const glia_value *in,
                                 const glia_value *out, const glia_value *dout,
                                 const bool *need, glia_value *din) {
  if (n->op->vjp != NULL) {
    gi_vjp c = {g, n->n_in, in, out, dout, need, n->attr, din};
    return n->op->vjp(&c);
  }
  glia_value plain[GI_MAX_OUT] = {{NULL, 0}};
  gi_lower c = {g, n->n_in, in, n->attr, plain};
  GI_TRY(n->op->lower(&c));
  GI_TRY(glia_graph_status(g));
  return derive(g, plain, dout, n->n_out, in, n->n_in, true, din, NULL);
}

static glia_status step_back(walk *w, size_t k) {
  glia_graph *g = w->g;
  const gi_node *n = g->nodes.at[k];
  glia_value out[GI_MAX_OUT], dout[GI_MAX_OUT];
  bool any_out = false, any_in = false;
  for (int i = 0; i < n->n_out; i++) {
    const uint32_t v = n->out + (uint32_t)i;
    const bool end = w->partial && w->leaf[v];
    out[i] = gi_value(g, v);
    dout[i] = w->need[v] && !end ? w->cotangent[v] : (glia_value){NULL, 0};
    any_out |= !gi_null(dout[i]);
  }
  for (int i = 0; i < n->n_in; i++) any_in |= w->need[n->in[i]];
  if (!any_out || !any_in || n->op->no_grad != NULL) return GLIA_OK;

  const size_t each = sizeof(glia_value);
  glia_value *in = gi_alloc((size_t)n->n_in * each), *din = gi_alloc((size_t)n->n_in * each);
  bool *need = gi_alloc((size_t)n->n_in * sizeof *need);
  glia_status s = GLIA_OK;
  if (in == NULL || din == NULL || need == NULL) s = gi_fail_nomem((size_t)n->n_in * each);
  if (s == GLIA_OK) {
    for (int i = 0; i < n->n_in; i++) {
      in[i] = gi_value(g, n->in[i]);
      need[i] = w->need[n->in[i]];
    }
    const char *path = gi_set_path(g, n->path);
    s = node_gradient(g, n, in, out, dout, need, din);
    for (int i = 0; i < n->n_in && s == GLIA_OK; i++)
      if (need[i]) add_cotangent(w, n->in[i], din[i]);
    gi_set_path(g, path);
  }
  gi_free(in);
  gi_free(din);
  gi_free(need);
  if (s == GLIA_OK) s = glia_graph_status(g);
  return gi_where(s, "gradient of %s", n->op->name);
}

/* The ops without gradient that something reaching from a leaf goes into. */
static void list_blocked(const walk *w, gi_str *out) {
  for (size_t k = 0; k < w->g->nodes.n; k++) {
    const gi_node *n = w->g->nodes.at[k];
    if (n->op->no_grad == NULL || n->out >= w->limit) continue; /* not of the walk itself */
    for (int i = 0; i < n->n_in; i++) {
      if (!w->need[n->in[i]]) continue;
      gi_str_printf(out, "%s%s%s%s (%s)", out->n != 0 ? ", " : "", n->path,
                    n->path[0] != '\0' ? ": " : "", n->op->name, n->op->no_grad);
      break;
    }
  }
}

/* din[i] = sum over k of dout[k] . d out[k] / d wrt[i]; null where there is no way. */
static glia_status derive(glia_graph *g, const glia_value *out, const glia_value *dout,
                          int n_out, const glia_value *wrt, int n_wrt, bool partial,
                          glia_value *din, gi_str *blocked) {
  walk w;
  glia_status s = walk_new(&w, g);
  if (s != GLIA_OK) goto out;
  w.partial = partial;
  mark(&w, wrt, n_wrt);
  for (int k = 0; k < n_out; k++) add_cotangent(&w, out[k].id, dout[k]);
  for (size_t k = g->nodes.n; k-- > 0;) {
    if (g->nodes.at[k]->out >= w.limit) continue; /* made by the walk itself */
    s = step_back(&w, k);
    if (s != GLIA_OK) goto out;
  }
  for (int i = 0; i < n_wrt; i++) din[i] = w.cotangent[wrt[i].id];
  if (blocked != NULL) list_blocked(&w, blocked);
out:
  walk_free(&w);
  return s;
}

static const char *name_of(glia_value v) {
  const gi_node *n = gi_node_of(v);
  if (n->op == &gi_op_variable || n->op == &gi_op_input)
    return ((const gi_input_attr *)n->attr)->name;
  return n->op->name;
}

glia_status glia_grad(glia_value loss, const glia_value *wrt, int n, glia_value *grads) {
  if (gi_null(loss)) return gi_fail(GLIA_INVALID, "gradient: the loss is the null value");
  glia_graph *g = loss.graph;
  GI_TRY(glia_graph_status(g));
  const gi_type t = gi_value_type(loss);
  char text[128];
  if (gi_type_count(&t) != 1 || !glia_dtype_is_float(t.dtype))
    return gi_fail(GLIA_SHAPE,
                   "gradient: the loss is %s, wanted one float; hint: take glia_mean of it",
                   gi_type_text(&t, text, sizeof text));
  for (int i = 0; i < n; i++)
    if (wrt[i].graph != g)
      return gi_fail(GLIA_INVALID, "gradient: value %d is null or of another graph", i);

  gi_str blocked = {0};
  const glia_value one = glia_full_like(loss, 1.0);
  glia_status s = glia_graph_status(g);
  if (s == GLIA_OK) s = derive(g, &loss, &one, 1, wrt, n, false, grads, &blocked);
  for (int i = 0; i < n && s == GLIA_OK; i++)
    if (gi_null(grads[i]))
      s = gi_fail(GLIA_MODEL, "gradient: the loss does not depend on %s%s%s", name_of(wrt[i]),
                  blocked.n != 0 ? "; ops without gradient on the way: " : "",
                  blocked.n != 0 ? blocked.s : "");
  gi_str_free(&blocked);
  return s;
}
