/* compile/offers.h - how each node of a graph may be computed, and which way all of them
 * together cost least.
 *
 * An offer is a kernel in one of its choices of layouts, with the time that it takes. The time
 * of a graph is the sum of the offers picked and of the reorders that they make necessary: one
 * for each value that is wanted in the layout in which it is not made.
 */
#ifndef GI_OFFERS_H
#define GI_OFFERS_H

#include "compile/compile.h"

typedef struct gi_offer {
  const gi_kernel *kernel;
  int choice;                /* of the kernel's layouts */
  const gi_layout *in, *out; /* plain for values of which the layout does not matter */
  double seconds;
  bool measured;
} gi_offer;

typedef struct gi_node_offers { /* none: of sources, views and dead nodes, which are plain */
  gi_offer *at;
  int n;
} gi_node_offers;

typedef struct gi_offers {
  const glia_graph *g;
  const bool *live;     /* by node; borrowed */
  gi_node_offers *node; /* by node */
  double *reorder;      /* by value: seconds of changing its layout; 0: it does not matter */
  bool *fixed;          /* by value: the same in every run, and computed once */
  gi_arena arena;
} gi_offers;

/* Asks the kernels of the target's backend about every live node. To be freed. */
glia_status gi_offers_list(const glia_graph *g, const gi_target *target, const bool *live,
                           gi_offers *out);
void gi_offers_free(gi_offers *o);

/* pick[k]: the offer to take of node k, so that gi_offers_seconds is least (choose.c). */
glia_status gi_offers_choose(const gi_offers *o, int *pick);
/* Seconds of the graph with these offers, reorders included. */
glia_status gi_offers_seconds(const gi_offers *o, const int *pick, double *out);

/* Measures offers of which it is not clear which is the fastest, on problems of the same
 * shapes, for at most target->tune seconds, the longest first; adds the times to target->times
 * and says how many they were (tune.c). */
glia_status gi_offers_tune(const gi_offers *o, const gi_target *target, int *measured);
/* Is the time of a kernel worth measuring? Not that of those for any op: the reference, and
 * elementwise loops, whose time is memory traffic. */
bool gi_worth_measuring(const gi_kernel *k);

/* How many threads the kernel runs on: in a deterministic plan one, if its bits depend on them.
 */
int gi_kernel_threads(const gi_kernel *k, const gi_target *target);

/* What was picked for this graph before, as target->choices keeps it; *found: it is there and
 * can be had here. And keeping it there (choices.c). */
glia_status gi_choices_read(const gi_offers *o, const gi_target *target, int *pick,
                            bool *found);
glia_status gi_choices_write(const gi_offers *o, const gi_target *target, const int *pick);
/* Of each node with several offers the one picked: "conv_direct 0, elementwise_vector 1". Parse
 * says whether the text names an offer of each. */
void gi_choices_print(const gi_offers *o, const int *pick, gi_str *out);
bool gi_choices_parse(const gi_offers *o, const char *text, int *pick);

/* The types and layouts of a node's values as a problem; space: n_in + n_out of each. */
gi_problem gi_node_problem(const glia_graph *g, const gi_node *n, int threads, gi_type *types,
                           gi_layout *layouts);
/* Marks the values that are the same in every run: constants and, in a fixed plan, variables
 * that the graph does not assign, and what is computed from them alone. fixed: by value. */
void gi_mark_fixed(const glia_graph *g, bool variables, bool *fixed);
/* The fastest kernel for a node whose values' layouts are settled or, where it has one already,
 * that which is next to it: sets n->kernel and choice. */
glia_status gi_settle_kernel(const glia_graph *g, gi_node *n, const gi_target *target);

/* ---- minimum cuts (cut.c) ------------------------------------------------------------------
 * A network of vertices and edges with capacities. The minimum cut parts the vertices in those
 * on the source's side and those on the sink's so that the edges from the first to the second
 * have the least sum (Ford and Fulkerson 1956). Failures latch until gi_cut_solve. */

enum { GI_CUT_SOURCE = 0, GI_CUT_SINK = 1 };
#define GI_CUT_NEVER (INT64_MAX / 2) /* capacity of an edge that must not be cut */

typedef struct gi_cut_edge {
  int to;
  int64_t room; /* capacity left */
  int next;     /* edge of the same vertex; -1: none. Edge e ^ 1 goes back. */
} gi_cut_edge;

typedef struct gi_cut {
  GI_VEC(int) first; /* by vertex: its first edge */
  GI_VEC(gi_cut_edge) edges;
  int *level; /* after solving: by vertex, 0: on the sink's side, else the source's */
  bool failed;
} gi_cut;

glia_status gi_cut_begin(gi_cut *c);
int gi_cut_vertex(gi_cut *c);
void gi_cut_add(gi_cut *c, int from, int to, int64_t capacity);
glia_status gi_cut_solve(gi_cut *c);
/* Ties go to the source. */
bool gi_cut_on_sink(const gi_cut *c, int vertex);
void gi_cut_free(gi_cut *c);

#endif /* GI_OFFERS_H */
