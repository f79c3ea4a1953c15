/* layout.c - gives every node its kernel and every value its layout, and puts reorders where
 * two sides disagree.
 *
 * What is cheapest is found for the whole graph (choose.c), and here carried out: convolutions
 * ask for channels-last, and what lies between them elementwise stays in it unless that costs
 * more; products and reshapes want plain. A value that is wanted in the other layout by several
 * readers is reordered once, since equal nodes are one. Outputs and new values of variables end
 * plain: other layouts never leave a plan.
 */
#include "compile/offers.h"

static glia_value in_layout(glia_value v, gi_layout want) {
  const gi_layout have = v.graph->values.at[v.id]->layout;
  if (have == want) return v;
  const gi_reorder_attr a = {have, want};
  const glia_value out = gi_emit1(&gi_op_reorder, &a, v);
  if (!gi_null(out)) out.graph->values.at[out.id]->layout = want;
  return out;
}

/* Node k computed by this offer. NULL: a source or a view, which is plain. */
static glia_status build_node(gi_rewrite *r, uint32_t k, const gi_offer *offer) {
  const gi_node *n = r->from->nodes.at[k];
  glia_value few[16], out[GI_MAX_OUT], *args = few;
  if (n->n_in > GI_COUNT(few) && (args = gi_alloc((size_t)n->n_in * sizeof *args)) == NULL)
    return gi_fail_nomem((size_t)n->n_in * sizeof *args);
  for (int i = 0; i < n->n_in; i++) {
    const glia_value v = r->map[n->in[i]];
    args[i] = gi_null(v) ? v : in_layout(v, offer != NULL ? offer->in[i] : GI_PLAIN);
  }
  gi_emit(r->to, n->op, n->attr, args, n->n_in, out);
  if (args != few) gi_free(args);
  GI_TRY(glia_graph_status(r->to));
  gi_node *made = r->to->nodes.at[r->to->values.at[out[0].id]->node];
  if (offer != NULL) {
    made->kernel = offer->kernel;
    made->choice = offer->choice;
  }
  for (int i = 0; i < n->n_out; i++)
    r->to->values.at[out[i].id]->layout = offer != NULL ? offer->out[i] : GI_PLAIN;
  gi_rewrite_set(r, k, out);
  return GLIA_OK;
}

static glia_status build(gi_rewrite *r, const gi_offers *offers, const int *pick) {
  for (uint32_t k = 0; k < r->from->nodes.n; k++) {
    const gi_node_offers *of = &offers->node[k];
    if (!r->live[k]) continue;
    const char *path = gi_arena_strdup(&r->to->arena, r->from->nodes.at[k]->path);
    if (path == NULL) return gi_fail_nomem(1);
    const char *before = gi_set_path(r->to, path);
    const glia_status s = build_node(r, k, of->n > 0 ? &of->at[pick[k]] : NULL);
    gi_set_path(r->to, before);
    GI_TRY(s);
  }
  return GLIA_OK;
}

/* What was chosen for this graph before, or what is cheapest now, which is then kept. */
static glia_status choose(gi_rewrite *r, gi_offers *offers, int *pick) {
  bool found = false;
  int measured = 0;
  GI_TRY(gi_choices_read(offers, r->target, pick, &found));
  if (found) return GLIA_OK;
  if (r->target->tune > 0) GI_TRY(gi_offers_tune(offers, r->target, &measured));
  if (measured > 0) {
    gi_offers_free(offers);
    GI_TRY(gi_offers_list(r->from, r->target, r->live, offers));
  }
  GI_TRY(gi_offers_choose(offers, pick));
  return gi_choices_write(offers, r->target, pick);
}

static glia_status choose_and_build(gi_rewrite *r) {
  gi_offers offers;
  GI_TRY(gi_offers_list(r->from, r->target, r->live, &offers));
  int *pick = gi_alloc((r->from->nodes.n + 1) * sizeof *pick);
  glia_status s =
      pick == NULL ? gi_fail_nomem(r->from->nodes.n * sizeof *pick) : choose(r, &offers, pick);
  if (s == GLIA_OK) s = build(r, &offers, pick);
  gi_free(pick);
  gi_offers_free(&offers);
  return s;
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  gi_rewrite r;
  glia_status s = gi_rewrite_begin(&r, from, to, target);
  if (s == GLIA_OK) s = choose_and_build(&r);
  GI_TRY(gi_rewrite_end(&r, s));
  for (size_t i = 0; i < to->roots.n; i++) {
    const glia_value plain = in_layout(gi_value(to, to->roots.at[i].value), GI_PLAIN);
    GI_TRY(glia_graph_status(to));
    to->roots.at[i].value = plain.id;
  }
  return GLIA_OK;
}

const gi_pass gi_pass_layout = {
    .name = "layout",
    .doc = "kernels and layouts at the least cost, and the reorders between them",
    .run = run,
};
