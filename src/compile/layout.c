/* layout.c - chooses a layout for every value and puts reorders where two sides disagree.
 *
 * Nodes are taken in order: the kernel that will compute a node says which layouts it takes,
 * given those at hand, and which it gives. Convolutions ask for channels-last; what follows
 * them elementwise stays in it; products and reshapes ask for plain. A value that is wanted in
 * another layout twice is reordered once, since equal nodes are one. Outputs and new values of
 * variables end plain: other layouts never leave a plan.
 */
#include "compile/compile.h"

enum { MANY = 32 };

static glia_value in_layout(glia_value v, gi_layout want) {
  const gi_layout have = v.graph->values.at[v.id].layout;
  if (have == want) return v;
  const gi_node *n = gi_node_of(v);
  if (n->op == &gi_op_reorder && ((const gi_reorder_attr *)n->attr)->from == (int64_t)want)
    return gi_value(v.graph, n->in[0]);
  const gi_reorder_attr a = {have, want};
  const glia_value out = gi_emit1(&gi_op_reorder, &a, v);
  if (!gi_null(out)) out.graph->values.at[out.id].layout = want;
  return out;
}

/* What the node's kernel wants; plain for all if there are too many inputs to ask about. */
static void ask(const gi_rewrite *r, const gi_node *n, const glia_value *in, gi_layout *want,
                gi_layout *give) {
  gi_type types[MANY];
  gi_layout have[MANY];
  memset(want, 0, MANY * sizeof *want);
  memset(give, 0, GI_MAX_OUT * sizeof *give);
  if (n->n_in > MANY || (n->op->flags & (GI_SOURCE | GI_VIEW))) return;
  gi_type out[GI_MAX_OUT];
  for (int i = 0; i < n->n_in; i++) {
    types[i] = gi_value_type(in[i]);
    have[i] = in[i].graph->values.at[in[i].id].layout;
  }
  for (int k = 0; k < n->n_out; k++) out[k] = r->from->values.at[n->out + (uint32_t)k].type;
  const gi_problem p = {
      .op = n->op,
      .attr = n->attr,
      .n_in = n->n_in,
      .n_out = n->n_out,
      .in = types,
      .out = out,
      .in_layout = have,
      .out_layout = give,
      .threads = r->target->threads,
  };
  const gi_kernel *kernel = gi_choose(r->target->backend, &p, NULL);
  if (kernel->layouts != NULL) kernel->layouts(&p, want, give);
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  gi_layout want[MANY], give[GI_MAX_OUT];
  glia_value few[MANY], *args = few, out[GI_MAX_OUT];
  if (!r->target->backend->layouts || n->op->flags & GI_SOURCE) {
    *copy = true;
    return GLIA_OK;
  }
  ask(r, n, in, want, give);
  if (n->n_in > MANY && (args = gi_alloc((size_t)n->n_in * sizeof *args)) == NULL)
    return gi_fail_nomem((size_t)n->n_in * sizeof *args);
  for (int i = 0; i < n->n_in; i++) args[i] = in_layout(in[i], i < MANY ? want[i] : GI_PLAIN);
  gi_emit(r->to, n->op, n->attr, args, n->n_in, out);
  if (args != few) gi_free(args);
  GI_TRY(glia_graph_status(r->to));
  for (int i = 0; i < n->n_out; i++) r->to->values.at[out[i].id].layout = give[i];
  gi_rewrite_set(r, k, out);
  return GLIA_OK;
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  GI_TRY(gi_rewrite_all(from, to, target, visit));
  for (size_t i = 0; i < to->roots.n; i++) {
    const glia_value plain = in_layout(gi_value(to, to->roots.at[i].value), GI_PLAIN);
    GI_TRY(glia_graph_status(to));
    to->roots.at[i].value = plain.id;
  }
  return GLIA_OK;
}

const gi_pass gi_pass_layout = {"layout", "channels-last where kernels want it, and reorders",
                                run};
