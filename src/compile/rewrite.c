/* rewrite.c - the frame of a pass: which nodes live, how values of the old graph map to the
 * new. */
#include "compile/compile.h"
#include "ops/attrs.h"

static void mark_live(const glia_graph *g, bool *live, int *uses) {
  for (size_t i = 0; i < g->roots.n; i++) {
    const gi_root *r = &g->roots.at[i];
    live[g->values.at[r->value]->node] = true;
    uses[r->value]++;
    if (r->variable != GI_NO_VALUE) live[g->values.at[r->variable]->node] = true;
  }
  for (size_t k = g->nodes.n; k-- > 0;) {
    const gi_node *n = g->nodes.at[k];
    if (n->op == &gi_op_input) live[k] = true; /* the caller binds it, used or not */
    if (!live[k]) continue;
    for (int i = 0; i < n->n_in; i++) {
      live[g->values.at[n->in[i]]->node] = true;
      uses[n->in[i]]++;
    }
  }
}

glia_status gi_rewrite_begin(gi_rewrite *r, const glia_graph *from, glia_graph *to,
                             const gi_target *target) {
  *r = (gi_rewrite){.from = from, .to = to, .target = target};
  to->store = from->store;
  r->map = gi_alloc((from->values.n + 1) * sizeof *r->map);
  r->live = gi_alloc(from->nodes.n + 1);
  r->uses = gi_alloc((from->values.n + 1) * sizeof *r->uses);
  if (r->map == NULL || r->live == NULL || r->uses == NULL)
    return gi_fail_nomem(from->values.n * sizeof *r->map);
  mark_live(from, r->live, r->uses);
  return GLIA_OK;
}

/* v in the dtype that the graph gave it: as it was before it was narrowed, if it was. */
static glia_value as_before(glia_value v, glia_dtype dtype) {
  if (gi_null(v) || glia_value_dtype(v) == dtype) return v;
  const gi_node *n = gi_node_of(v);
  const glia_value source = n->n_in > 0 ? gi_value(v.graph, n->in[0]) : v;
  if (n->op == &gi_op_cast && glia_value_dtype(source) == dtype) return source;
  return glia_cast(v, dtype);
}

/* Roots keep their dtype. */
static glia_status copy_roots(gi_rewrite *r) {
  for (size_t i = 0; i < r->from->roots.n; i++) {
    const gi_root *root = &r->from->roots.at[i];
    const glia_value v =
        as_before(r->map[root->value], r->from->values.at[root->value]->type.dtype);
    if (root->variable == GI_NO_VALUE)
      glia_output(root->name, v);
    else
      glia_assign(r->map[root->variable], v);
  }
  return glia_graph_status(r->to);
}

glia_status gi_rewrite_end(gi_rewrite *r, glia_status s) {
  if (s == GLIA_OK) s = copy_roots(r);
  gi_free(r->map);
  gi_free(r->live);
  gi_free(r->uses);
  return s;
}

void gi_rewrite_set(gi_rewrite *r, uint32_t k, const glia_value *out) {
  const gi_node *n = r->from->nodes.at[k];
  for (int i = 0; i < n->n_out; i++) {
    r->map[n->out + (uint32_t)i] = out[i];
  }
}

static glia_status with_inputs(gi_rewrite *r, const gi_node *n, glia_value few[16],
                               glia_value **in) {
  *in = n->n_in <= 16 ? few : gi_alloc((size_t)n->n_in * sizeof **in);
  if (*in == NULL) return gi_fail_nomem((size_t)n->n_in * sizeof **in);
  for (int i = 0; i < n->n_in; i++) (*in)[i] = r->map[n->in[i]];
  return GLIA_OK;
}

static glia_status copy_with(gi_rewrite *r, uint32_t k, const glia_value *in) {
  const gi_node *n = r->from->nodes.at[k];
  glia_value out[GI_MAX_OUT];
  gi_copy_node(r->to, n, in, out);
  GI_TRY(glia_graph_status(r->to));
  for (int i = 0; i < n->n_out; i++)
    r->to->values.at[out[i].id]->layout = r->from->values.at[n->out + (uint32_t)i]->layout;
  gi_rewrite_set(r, k, out);
  return GLIA_OK;
}

glia_status gi_rewrite_copy(gi_rewrite *r, uint32_t k) {
  glia_value few[16] = {{NULL, 0}}, *in;
  GI_TRY(with_inputs(r, r->from->nodes.at[k], few, &in));
  const glia_status s = copy_with(r, k, in);
  if (in != few) gi_free(in);
  return s;
}

glia_status gi_rewrite_live(const glia_graph *from, glia_graph *to, const gi_target *target) {
  gi_rewrite r;
  glia_status s = gi_rewrite_begin(&r, from, to, target);
  for (uint32_t k = 0; s == GLIA_OK && k < from->nodes.n; k++)
    if (r.live[k]) s = gi_rewrite_copy(&r, k);
  return gi_rewrite_end(&r, s);
}

static glia_status visit_all(const glia_graph *from, glia_graph *to, const gi_target *target,
                             gi_visit visit) {
  gi_rewrite r;
  glia_status s = gi_rewrite_begin(&r, from, to, target);
  for (uint32_t k = 0; s == GLIA_OK && k < from->nodes.n; k++) {
    const gi_node *n = from->nodes.at[k];
    glia_value few[16], *in;
    bool copy = false;
    if (!r.live[k]) continue;
    s = with_inputs(&r, n, few, &in);
    if (s != GLIA_OK) break;
    const char *before = gi_set_path(to, gi_arena_strdup(&to->arena, n->path));
    if (to->path == NULL) s = gi_fail_nomem(1);
    if (s == GLIA_OK) s = visit(&r, k, n, in, &copy);
    if (s == GLIA_OK && copy) s = copy_with(&r, k, in);
    gi_set_path(to, before);
    if (in != few) gi_free(in);
    if (s == GLIA_OK) s = glia_graph_status(to);
  }
  return gi_rewrite_end(&r, s);
}

glia_status gi_rewrite_all(const glia_graph *from, glia_graph *to, const gi_target *target,
                           gi_visit visit) {
  glia_graph *with_dead = NULL;
  GI_TRY(glia_graph_new(&with_dead));
  glia_status s = visit_all(from, with_dead, target, visit);
  if (s == GLIA_OK) s = gi_rewrite_live(with_dead, to, target);
  glia_graph_free(with_dead);
  return s;
}
