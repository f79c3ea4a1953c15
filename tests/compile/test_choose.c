/* The choice of kernels and layouts: least cost, by trying all picks of small graphs whose
 * offers are drawn at random, and never more than what node after node chooses for itself, on
 * random graphs with the kernels that there are. Below it, minimum cuts by trying all sides.
 */
#include "compile/offers.h"
#include "compile/random_graph.h"

/* ---- cuts -------------------------------------------------------------------------------- */

enum { CUT_VERTICES = 9, CUT_EDGES = 40 };

typedef struct network {
  int vertices, n;
  int from[CUT_EDGES], to[CUT_EDGES];
  int64_t capacity[CUT_EDGES];
} network;

/* sides: bit v set: on the sink's side. */
static int64_t cut_sum(const network *w, unsigned sides) {
  int64_t sum = 0;
  for (int e = 0; e < w->n; e++)
    if (!(sides >> w->from[e] & 1) && (sides >> w->to[e] & 1)) sum += w->capacity[e];
  return sum;
}

static void try_network(maker *m) {
  network w = {.vertices = 2 + below(m, CUT_VERTICES - 1), .n = below(m, CUT_EDGES)};
  gi_cut c;
  OK(gi_cut_begin(&c));
  for (int v = 2; v < w.vertices; v++) assert_int_equal(gi_cut_vertex(&c), v);
  for (int e = 0; e < w.n; e++) {
    w.from[e] = below(m, w.vertices);
    w.to[e] = below(m, w.vertices);
    w.capacity[e] = below(m, 6);
    gi_cut_add(&c, w.from[e], w.to[e], w.capacity[e]);
  }
  OK(gi_cut_solve(&c));
  unsigned sides = 0;
  for (int v = 0; v < w.vertices; v++) sides |= (unsigned)gi_cut_on_sink(&c, v) << v;
  assert_int_equal(sides & 3, 2); /* source and sink are on their own */
  int64_t least = INT64_MAX;
  for (unsigned s = 0; s < 1u << w.vertices; s++)
    if ((s & 3) == 2) least = GI_MIN(least, cut_sum(&w, s));
  assert_int_equal(cut_sum(&w, sides), least);
  for (unsigned s = 0; s < 1u << w.vertices; s++) /* ties go to the source */
    if ((s & 3) == 2 && cut_sum(&w, s) == least) assert_int_equal(s & sides, sides);
  gi_cut_free(&c);
}

static void test_cuts_are_the_least(void **state) {
  (void)state;
  maker m = {.random = 5};
  for (int i = 0; i < 3000; i++) try_network(&m);
}

/* ---- small graphs, all picks ------------------------------------------------------------- */

enum { SMALL = 7, MOST_OFFERS = 4 };

/* Offers whose channels-last values grow from one to the next, in any order and some twice;
 * times are whole microseconds, so that sums are exact. */
static void draw_offers(maker *m, gi_offers *o, uint32_t k) {
  const gi_node *n = m->g->nodes.at[k];
  gi_layout last[SMALL] = {GI_PLAIN};
  const int args = n->n_in + n->n_out, offers = 1 + below(m, MOST_OFFERS);
  o->node[k].n = offers;
  o->node[k].at = gi_arena_alloc(&o->arena, (size_t)offers * sizeof(gi_offer));
  if (chance(m, 30))
    for (int i = 0; i < args; i++) last[i] = GI_CHANNELS_LAST;
  for (int i = 0; i < offers; i++) {
    gi_layout *copy = gi_arena_copy(&o->arena, last, sizeof last);
    o->node[k].at[offers - 1 - i] =
        (gi_offer){.in = copy, .out = copy + n->n_in, .seconds = 1e-6 * below(m, 20)};
    for (int v = 0; v < args; v++)
      if (chance(m, 50)) last[v] = GI_CHANNELS_LAST;
  }
}

static double try_all(const gi_offers *o, int *pick, uint32_t k) {
  double least = INFINITY;
  while (k < o->g->nodes.n && o->node[k].n == 0) k++;
  if (k == o->g->nodes.n) {
    OK(gi_offers_seconds(o, pick, &least));
    return least;
  }
  for (pick[k] = 0; pick[k] < o->node[k].n; pick[k]++)
    least = fmin(least, try_all(o, pick, k + 1));
  pick[k] = 0;
  return least;
}

static void try_small_graph(uint64_t seed) {
  maker m = {.random = seed * 77 + 1};
  bool live[64];
  int pick[64] = {0};
  OK(glia_graph_new(&m.g));
  m.g->no_cse = true;
  const int64_t shape[4] = {1, 2, 2, 2};
  keep(&m, glia_input(m.g, "x", GLIA_F32, 4, shape));
  if (chance(&m, 50)) keep(&m, glia_input(m.g, "y", GLIA_F32, 4, shape));
  for (int i = 1 + below(&m, SMALL); i > 0; i--) {
    const glia_value a = m.pool[below(&m, m.n)], b = m.pool[below(&m, m.n)];
    keep(&m, chance(&m, 50) ? glia_neg(a) : glia_add(a, b));
  }
  glia_output("last", m.pool[m.n - 1]);
  if (chance(&m, 50)) glia_output("other", m.pool[below(&m, m.n)]);
  OK(glia_graph_status(m.g));
  gi_offers o = {.g = m.g, .live = live};
  o.node = gi_alloc(64 * sizeof *o.node);
  o.reorder = gi_alloc(64 * sizeof *o.reorder);
  for (uint32_t k = 0; k < m.g->nodes.n; k++) { /* the dead ones ask for nothing */
    live[k] = chance(&m, 90) || m.g->nodes.at[k]->op->flags & GI_SOURCE;
    if (live[k] && !(m.g->nodes.at[k]->op->flags & GI_SOURCE)) draw_offers(&m, &o, k);
  }
  for (size_t v = 0; v < m.g->values.n; v++) o.reorder[v] = 1e-6 * below(&m, 12);
  OK(gi_offers_choose(&o, pick));
  double chosen = 0;
  OK(gi_offers_seconds(&o, pick, &chosen));
  const double least = try_all(&o, pick, 0);
  if (!(fabs(chosen - least) < 1e-9))
    fail_msg("seed %llu: %g us, wanted %g", (unsigned long long)seed, chosen * 1e6,
             least * 1e6);
  gi_offers_free(&o);
  glia_graph_free(m.g);
}

static void test_small_graphs_cost_the_least(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 1500; seed++) try_small_graph(seed);
}

/* ---- random graphs, against node after node ---------------------------------------------- */

/* Each node takes what is cheapest for it, given what those before it took. */
static void choose_greedily(const gi_offers *o, int *pick) {
  const glia_graph *g = o->g;
  for (uint32_t k = 0; k < g->nodes.n; k++) {
    double least = INFINITY;
    for (int i = 0; i < o->node[k].n; i++) {
      const gi_offer *offer = &o->node[k].at[i];
      double seconds = offer->seconds;
      for (int j = 0; j < g->nodes.at[k]->n_in; j++) {
        const uint32_t v = g->nodes.at[k]->in[j];
        const gi_val *val = g->values.at[v];
        const gi_node_offers *before = &o->node[val->node];
        const gi_layout have =
            before->n > 0 ? before->at[pick[val->node]].out[val->index] : GI_PLAIN;
        if (have != offer->in[j]) seconds += o->reorder[v];
      }
      if (!(seconds < least)) continue;
      least = seconds;
      pick[k] = i;
    }
  }
}

static void try_random_graph(uint64_t seed, double *better, double *total) {
  maker m;
  gi_rewrite r;
  gi_offers o;
  double chosen = 0, greedy = 0;
  gi_target target = {.threads = 2};
  maker_new(&m, seed);
  OK(gi_backend_find(NULL, &target.backend));
  target.limits = target.backend->limits(2);
  glia_graph *to = NULL;
  OK(glia_graph_new(&to));
  OK(gi_rewrite_begin(&r, m.g, to, &target)); /* for the live nodes alone */
  OK(gi_offers_list(m.g, &target, r.live, &o));
  int *pick = gi_alloc((m.g->nodes.n + 1) * sizeof *pick);
  OK(gi_offers_choose(&o, pick));
  OK(gi_offers_seconds(&o, pick, &chosen));
  choose_greedily(&o, pick);
  OK(gi_offers_seconds(&o, pick, &greedy));
  /* Choosing counts in whole picoseconds. */
  if (!(chosen <= greedy + 1e-12 * (double)(m.g->nodes.n + m.g->values.n)))
    fail_msg("seed %llu: %g us, node after node %g us", (unsigned long long)seed, chosen * 1e6,
             greedy * 1e6);
  *better += greedy - chosen;
  *total += greedy;
  gi_free(pick);
  gi_offers_free(&o);
  gi_free(r.map);
  gi_free(r.live);
  gi_free(r.uses);
  glia_graph_free(to);
  maker_free(&m);
}

static void test_never_worse_than_node_after_node(void **state) {
  (void)state;
  double better = 0, total = 0;
  for (uint64_t seed = 1; seed <= 300; seed++) try_random_graph(seed, &better, &total);
  print_message("node after node costs %.2f %% more\n", 100 * better / (total - better));
}

/* ---- a residual block ---------------------------------------------------------------------
 */

/* The value that a shortcut carries past two convolutions is never turned. */
static void test_a_shortcut_keeps_its_layout(void **state) {
  (void)state;
  const gi_backend *b = NULL;
  glia_graph *g = NULL;
  glia_store *store = NULL;
  glia_plan *p = NULL;
  if (gi_backend_find("cpu", &b) != GLIA_OK) {
    print_message("skipped: this build has no cpu backend\n");
    return;
  }
  OK(glia_graph_new(&g));
  OK(glia_store_new(&store));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const glia_value x = glia_input(g, "x", GLIA_F32, 4, (const int64_t[]){4, 16, 32, 32});
  glia_value h =
      glia_relu(glia_conv2d(s, "a", x, .filters = 16, .kernel = {3, 3}, .same = true));
  const glia_value shortcut = h;
  h = glia_relu(glia_conv2d(s, "b", h, .filters = 16, .kernel = {3, 3}, .same = true));
  h = glia_conv2d(s, "c", h, .filters = 16, .kernel = {3, 3}, .same = true);
  glia_output("y", glia_mean(glia_relu(glia_add(h, shortcut)), .axes = {2, 3}, .n = 2));
  OK(glia_graph_status(g));
  OK(glia_compile(g, &p, .backend = "cpu"));
  char *text = glia_plan_text(p);
  int reorders = 0;
  for (const char *at = text; (at = strstr(at, " reorder ")) != NULL; at++) reorders++;
  if (reorders != 1) fail_msg("%d reorders, wanted one, of x:\n%s", reorders, text);
  free(text);
  glia_plan_free(p);
  glia_graph_free(g);
  glia_store_free(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cuts_are_the_least),
      cmocka_unit_test(test_small_graphs_cost_the_least),
      cmocka_unit_test(test_never_worse_than_node_after_node),
      cmocka_unit_test(test_a_shortcut_keeps_its_layout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
