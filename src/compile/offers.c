/* offers.c - asks the kernels of a backend how they would compute each node, and what that and
 * the reorders between them take.
 */
#include "compile/offers.h"

#include <math.h>

#include "ops/fused.h"

gi_problem gi_node_problem(const glia_graph *g, const gi_node *n, int threads, gi_type *types,
                           gi_layout *layouts) {
  for (int i = 0; i < n->n_in; i++) types[i] = g->values.at[n->in[i]]->type;
  for (int k = 0; k < n->n_out; k++)
    types[n->n_in + k] = g->values.at[n->out + (uint32_t)k]->type;
  return (gi_problem){.op = n->op,
                      .attr = n->attr,
                      .n_in = n->n_in,
                      .n_out = n->n_out,
                      .in = types,
                      .out = types + n->n_in,
                      .in_layout = layouts,
                      .out_layout = layouts + n->n_in,
                      .threads = threads};
}

/* ---- one node ---------------------------------------------------------------------------- */

typedef struct asker { /* about one node */
  gi_offers *o;
  const gi_target *target;
  gi_str setup, key;
  gi_problem problem;
  gi_layout *in, *out; /* the problem's layouts */
  GI_VEC(gi_offer) found;
  bool failed;
} asker;

/* The layouts as a graph sees them. */
static const gi_layout *kept(asker *a, const gi_layout *layouts, const gi_type *types, int n) {
  gi_layout *copy = gi_arena_alloc(&a->o->arena, ((size_t)n + 1) * sizeof *copy);
  for (int i = 0; i < n && copy != NULL; i++)
    copy[i] = gi_layout_matters(&types[i]) ? layouts[i] : GI_PLAIN;
  return copy;
}

bool gi_worth_measuring(const gi_kernel *k) { return k->ops[0] != NULL; }

int gi_kernel_threads(const gi_kernel *k, const gi_target *target) {
  return target->deterministic && k->by_threads ? 1 : target->threads;
}

/* Measured, if it was; else modelled. */
static double seconds_of(asker *a, const gi_kernel *kernel, bool *measured) {
  double seconds = 0;
  if (a->target->times != NULL && a->target->times->rows.n > 0 && gi_worth_measuring(kernel)) {
    a->key.n = 0;
    gi_time_key(kernel, &a->problem, a->setup.s, &a->key);
    if (!a->key.failed) seconds = gi_times_get(a->target->times, a->key.s);
  }
  *measured = seconds > 0;
  return *measured ? seconds : gi_kernel_cost(kernel, &a->problem, &a->target->limits);
}

/* Where some offers of a node were measured, the model of the others is held to be as wrong as
 * it was about the fastest of those. */
static void correct_models(gi_offer *at, size_t n, const asker *a) {
  const gi_offer *best = NULL;
  for (size_t i = 0; i < n; i++)
    if (at[i].measured && (best == NULL || at[i].seconds < best->seconds)) best = &at[i];
  if (best == NULL) return;
  const double model = gi_kernel_cost(best->kernel, &a->problem, &a->target->limits);
  for (size_t i = 0; i < n; i++)
    if (!at[i].measured) at[i].seconds *= fmax(1, best->seconds / model);
}

/* Of a deterministic plan: without kernels whose bits depend on the number of threads, unless
 * nothing but the reference remains. Those run on one thread then (gi_kernel_threads). */
static void keep_deterministic(asker *a) {
  size_t n = 0;
  bool others = false;
  for (size_t i = 0; i < a->found.n; i++)
    others |= !a->found.at[i].kernel->by_threads && a->found.at[i].kernel->fits != NULL;
  for (size_t i = 0; i < a->found.n && others; i++)
    if (!a->found.at[i].kernel->by_threads) a->found.at[n++] = a->found.at[i];
  if (others) a->found.n = n;
}

static bool ask(const gi_kernel *kernel, void *user) {
  asker *a = user;
  const gi_problem *p = &a->problem;
  if (a->target->exact && kernel->inexact > 0) return true;
  if (kernel->fits != NULL && kernel->fits(p) != NULL) return true;
  for (int c = 0; gi_kernel_layouts(kernel, p, c, a->in, a->out); c++) {
    gi_offer offer = {.kernel = kernel,
                      .choice = c,
                      .in = kept(a, a->in, p->in, p->n_in),
                      .out = kept(a, a->out, p->out, p->n_out)};
    offer.seconds = seconds_of(a, kernel, &offer.measured);
    if (offer.in == NULL || offer.out == NULL || !gi_vec_push(&a->found, offer))
      a->failed = true;
  }
  return !a->failed;
}

static glia_status ask_about(asker *a, const gi_node *n, gi_node_offers *out) {
  const glia_graph *g = a->o->g;
  const size_t args = (size_t)n->n_in + (size_t)n->n_out;
  gi_type *types = gi_alloc(args * sizeof *types);
  gi_layout *layouts = gi_alloc(args * sizeof *layouts);
  const void **known = gi_alloc(args * sizeof *known);
  a->failed = types == NULL || layouts == NULL || known == NULL;
  a->found.n = 0;
  if (!a->failed) {
    /* The choice of a deterministic plan is that of one thread. */
    const int threads = a->target->deterministic ? 1 : a->target->threads;
    a->problem = gi_node_problem(g, n, threads, types, layouts);
    a->in = layouts;
    a->out = layouts + n->n_in;
    a->problem.known = known;
    for (int i = 0; i < n->n_in; i++) known[i] = a->o->fixed[n->in[i]] ? "" : NULL;
    gi_kernel_each(a->target->backend, n->op, ask, a);
    if (a->target->deterministic) keep_deterministic(a);
    correct_models(a->found.at, a->found.n, a);
  }
  if (!a->failed && a->found.n > 0)
    out->at = gi_arena_copy(&a->o->arena, a->found.at, a->found.n * sizeof *out->at);
  out->n = out->at != NULL ? (int)a->found.n : 0;
  gi_free(types);
  gi_free(layouts);
  gi_free(known);
  return a->failed || (size_t)out->n < a->found.n ? gi_fail_nomem(args * sizeof *types)
                                                  : GLIA_OK;
}

/* ---- the graph --------------------------------------------------------------------------- */

/* Out of one layout into the other takes as long as back. */
static double reorder_seconds(const gi_type *t, const gi_target *target) {
  if (!gi_layout_matters(t)) return 0;
  const gi_reorder_attr attr = {GI_PLAIN, GI_CHANNELS_LAST};
  const gi_layout from = GI_PLAIN, to = GI_CHANNELS_LAST;
  const gi_problem p = {.op = &gi_op_reorder,
                        .attr = &attr,
                        .n_in = 1,
                        .n_out = 1,
                        .in = t,
                        .out = t,
                        .in_layout = &from,
                        .out_layout = &to,
                        .threads = target->threads};
  return gi_time(&p, &target->limits, 1, 0.5); /* one side is read or written in short pieces */
}

void gi_mark_fixed(const glia_graph *g, bool variables, bool *fixed) {
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    bool all = !(n->op->flags & GI_SOURCE || gi_is_random(n)) || n->op == &gi_op_constant ||
               (variables && n->op == &gi_op_variable && !gi_is_assigned(g, n->out));
    for (int i = 0; i < n->n_in; i++) all = all && fixed[n->in[i]];
    for (int i = 0; i < n->n_out; i++) fixed[n->out + (uint32_t)i] = all;
  }
}

/* A node that is computed once takes no time, however it is done. */
static void free_fixed(gi_offers *o, uint32_t k) {
  const gi_node *n = o->g->nodes.at[k];
  for (int i = 0; i < o->node[k].n && o->fixed[n->out]; i++) o->node[k].at[i].seconds *= 1e-6;
}

static glia_status list(gi_offers *o, const gi_target *target, const bool *live) {
  const glia_graph *g = o->g;
  asker a = {.o = o, .target = target};
  o->node = gi_alloc((g->nodes.n + 1) * sizeof *o->node);
  o->reorder = gi_alloc((g->values.n + 1) * sizeof *o->reorder);
  o->fixed = gi_alloc(g->values.n + 1);
  if (o->node == NULL || o->reorder == NULL || o->fixed == NULL)
    return gi_fail_nomem(g->nodes.n * sizeof *o->node);
  gi_mark_fixed(g, target->fixed, o->fixed);
  gi_setup_text(target->backend, target->threads, &a.setup);
  glia_status s = a.setup.failed ? gi_fail_nomem(1) : GLIA_OK;
  for (uint32_t k = 0; k < g->nodes.n && s == GLIA_OK; k++) {
    if (!live[k] || g->nodes.at[k]->op->flags & (GI_SOURCE | GI_VIEW)) continue;
    s = ask_about(&a, g->nodes.at[k], &o->node[k]);
    if (s == GLIA_OK) free_fixed(o, k);
  }
  for (size_t v = 0; v < g->values.n && s == GLIA_OK; v++)
    o->reorder[v] = reorder_seconds(&g->values.at[v]->type, target) * (o->fixed[v] ? 1e-6 : 1);
  gi_vec_free(&a.found);
  gi_str_free(&a.setup);
  gi_str_free(&a.key);
  return s;
}

glia_status gi_offers_list(const glia_graph *g, const gi_target *target, const bool *live,
                           gi_offers *out) {
  *out = (gi_offers){.g = g, .live = live};
  const glia_status s = list(out, target, live);
  if (s != GLIA_OK) gi_offers_free(out);
  return s;
}

void gi_offers_free(gi_offers *o) {
  gi_free(o->node);
  gi_free(o->reorder);
  gi_free(o->fixed);
  gi_arena_free(&o->arena);
  *o = (gi_offers){.g = NULL};
}

/* ---- times ------------------------------------------------------------------------------- */

static gi_layout given(const gi_offers *o, const int *pick, uint32_t v) {
  const gi_val *val = o->g->values.at[v];
  const gi_node_offers *n = &o->node[val->node];
  return n->n > 0 ? n->at[pick[val->node]].out[val->index] : GI_PLAIN;
}

glia_status gi_offers_seconds(const gi_offers *o, const int *pick, double *out) {
  const glia_graph *g = o->g;
  double seconds = 0;
  bool *turned = gi_alloc(g->values.n + 1); /* by value */
  if (turned == NULL) return gi_fail_nomem(g->values.n);
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    if (!o->live[k]) continue;
    const gi_offer *offer = o->node[k].n > 0 ? &o->node[k].at[pick[k]] : NULL;
    if (offer != NULL) seconds += offer->seconds;
    for (int i = 0; i < n->n_in; i++)
      turned[n->in[i]] |= (offer != NULL ? offer->in[i] : GI_PLAIN) != given(o, pick, n->in[i]);
  }
  for (size_t i = 0; i < g->roots.n; i++)
    turned[g->roots.at[i].value] |= given(o, pick, g->roots.at[i].value) != GI_PLAIN;
  for (size_t v = 0; v < g->values.n; v++) seconds += turned[v] ? o->reorder[v] : 0;
  gi_free(turned);
  *out = seconds;
  return GLIA_OK;
}

/* ---- settled layouts --------------------------------------------------------------------- */

static bool suits(const glia_graph *g, const gi_node *n, const gi_offer *o) {
  for (int i = 0; i < n->n_in; i++)
    if (g->values.at[n->in[i]]->layout != o->in[i]) return false;
  for (int k = 0; k < n->n_out; k++)
    if (g->values.at[n->out + (uint32_t)k]->layout != o->out[k]) return false;
  return true;
}

/* The order in which kernels are tried: by time, then as they are listed. */
static bool before(const gi_offer *a, const gi_offer *b) {
  return a->seconds < b->seconds || (a->seconds == b->seconds && a < b);
}

/* The first of those that suit, behind the one that the node has. NULL: there is none. */
static const gi_offer *next_offer(const glia_graph *g, const gi_node *n,
                                  const gi_node_offers *offers) {
  const gi_offer *now = NULL, *next = NULL;
  for (int i = 0; i < offers->n; i++)
    if (offers->at[i].kernel == n->kernel && offers->at[i].choice == n->choice)
      now = &offers->at[i];
  for (int i = 0; i < offers->n; i++) {
    const gi_offer *offer = &offers->at[i];
    if (!suits(g, n, offer) || (now != NULL && !before(now, offer))) continue;
    if (next == NULL || before(offer, next)) next = offer;
  }
  return next;
}

glia_status gi_settle_kernel(const glia_graph *g, gi_node *n, const gi_target *target) {
  gi_offers o = {.g = g, .fixed = gi_alloc(g->values.n + 1)};
  gi_node_offers offers = {0};
  asker a = {.o = &o, .target = target};
  gi_setup_text(target->backend, target->threads, &a.setup);
  glia_status s = o.fixed == NULL || a.setup.failed ? gi_fail_nomem(g->values.n) : GLIA_OK;
  if (s == GLIA_OK) gi_mark_fixed(g, target->fixed, o.fixed);
  if (s == GLIA_OK) s = ask_about(&a, n, &offers);
  const gi_offer *next = s == GLIA_OK ? next_offer(g, n, &offers) : NULL;
  if (next != NULL) {
    n->kernel = next->kernel;
    n->choice = next->choice;
  } else if (s == GLIA_OK) {
    s = gi_fail(GLIA_UNSUPPORTED, "%s: no kernel takes it in these layouts", n->op->name);
  }
  gi_vec_free(&a.found);
  gi_str_free(&a.setup);
  gi_str_free(&a.key);
  gi_free(o.fixed);
  gi_arena_free(&o.arena);
  return s;
}
