/* compile/compile.h - from a graph to a plan: passes over graphs, then schedule and memory.
 *
 *   simplify, sparse, shrink, fuse_norm,         graph to graph; each can be skipped
 *   fold_affine, int8, fuse_ops, precision, fuse, layout
 *   schedule, memory, prepare                    order, offsets, kernels: the plan
 *
 * Passes are rows of the list in passes.c, in the order in which they run: the one list that is
 * kept by hand, since order is their meaning.
 */
#ifndef GI_COMPILE_H
#define GI_COMPILE_H

#include "compile/times.h"

typedef struct gi_target { /* what is compiled for */
  const gi_backend *backend;
  int threads;
  bool fixed;           /* variables keep their values while the plan lives */
  bool deterministic;   /* no kernel whose bits depend on threads, where another fits */
  bool exact;           /* no kernels that are gi_kernel.inexact */
  glia_dtype precision; /* that activations are stored in: f32 or bf16 */
  gi_limits limits;     /* that kernels' times are modelled from */
  gi_times *times;      /* measured; borrowed. NULL: all are modelled */
  double tune;          /* seconds that may be spent on measuring more of them; 0: none */
  const char *choices;  /* file that keeps what was chosen for each graph; NULL: none */
} gi_target;

typedef struct gi_pass {
  const char *name, *doc;
  bool rounds; /* what it puts in adds up, or rounds in between, otherwise: last bits change */
  glia_status (*run)(const glia_graph *from, glia_graph *to, const gi_target *target);
} gi_pass;

extern const gi_pass *const gi_passes[]; /* NULL-terminated, in order */
extern const gi_pass gi_pass_simplify, gi_pass_sparse, gi_pass_recognise, gi_pass_shrink,
    gi_pass_fuse_norm, gi_pass_fold_affine, gi_pass_int8, gi_pass_fuse_ops, gi_pass_precision,
    gi_pass_fuse, gi_pass_layout;

/* Runs all passes but those named in skip ("fuse,layout"; NULL: none); the graph after each
 * pass named in dump ("grad" is the graph before the first) is printed to text. Owned.
 * GLIA_INVALID for names that are no pass. */
glia_status gi_run_passes(const glia_graph *g, const gi_target *target, const char *skip,
                          const char *dump, gi_str *text, glia_graph **out);
bool gi_listed(const char *list, const char *name); /* "a,b" holds "b"; "all" holds any */

/* How many of the target's threads are worth waking for a run of the graph: all, or one where
 * it is fixed and soon done (threads.c). */
glia_status gi_worth_threads(const glia_graph *g, const gi_target *target, int *out);

/* ---- rewriting one graph into another (rewrite.c) ---------------------------------------- */

typedef struct gi_rewrite {
  const glia_graph *from;
  glia_graph *to;
  glia_value *map; /* by value id of `from`; null: not made yet */
  bool *live;      /* by node of `from`: some root needs it */
  int *uses;       /* by value id of `from`: by live nodes and roots */
  const gi_target *target;
} gi_rewrite;

glia_status gi_rewrite_begin(gi_rewrite *r, const glia_graph *from, glia_graph *to,
                             const gi_target *target);
/* Copies the roots and checks the graph; frees what begin took. s is the status so far. */
glia_status gi_rewrite_end(gi_rewrite *r, glia_status s);
/* Copies node k with mapped inputs, and maps its outputs. */
glia_status gi_rewrite_copy(gi_rewrite *r, uint32_t k);
/* Maps the outputs of node k to these values. */
void gi_rewrite_set(gi_rewrite *r, uint32_t k, const glia_value *out);
/* Copies the live nodes and nothing else. */
glia_status gi_rewrite_live(const glia_graph *from, glia_graph *to, const gi_target *target);
/* The usual pass: visit every live node in order. visit either maps the node's outputs itself,
 * or sets *copy, which is false on entry. What was copied before it turned out to be of no use
 * is left out of `to`. */
typedef glia_status (*gi_visit)(gi_rewrite *r, uint32_t k, const gi_node *n,
                                const glia_value *in, bool *copy);
glia_status gi_rewrite_all(const glia_graph *from, glia_graph *to, const gi_target *target,
                           gi_visit visit);

/* ---- order and memory -------------------------------------------------------------------- */

/* An order of the nodes but sources: inputs before users; the node that makes a variable's new
 * value after all other readers of the variable, and after `watch` (GI_NO_VALUE: none), where
 * that is possible; what frees memory first, so that gradients die young. Owned (gi_free). */
glia_status gi_schedule(const glia_graph *g, uint32_t watch, uint32_t **order, int *n);

typedef enum gi_place_kind {
  GI_IN_ARENA,   /* at `offset` */
  GI_IN_INPUT,   /* memory bound at each run */
  GI_IN_STORE,   /* the variable's tensor */
  GI_IN_FIXED,   /* at `offset` of what was computed when the plan was made */
  GI_IN_CONSTANT /* the constant's literal */
} gi_place_kind;

typedef struct gi_place { /* where a value lies; views and in-place results share */
  gi_place_kind kind;
  size_t offset;   /* in the arena, or in the fixed memory */
  uint32_t source; /* the input, variable or constant value whose memory it is */
} gi_place;

typedef struct gi_memory {
  gi_place *place; /* by value id */
  bool *copied;    /* by root: its value is copied there when the step is done */
  size_t *copy_to; /* by root: arena offset of a copied output, or where an assignment keeps the
                      old value of a variable that is assigned itself; SIZE_MAX: neither */
  size_t arena;    /* bytes in all */
  size_t fixed;    /* bytes of values that outlive the fixed steps */
} gi_memory;

/* In the order, moves the nodes that depend on nothing but variables and constants to the
 * front; returns how many they are. */
glia_status gi_fixed_first(const glia_graph *g, uint32_t *order, int n, int *n_fixed);

/* Bytes of a plan's memory that a value of this type takes: whole cache lines, one at least, so
 * that empty values have places of their own too. */
size_t gi_placed_bytes(const gi_type *t);

/* The first n_fixed steps are run once: what later ones read of them gets memory of its own.
 * Places every value: views over their source, new values of variables over the variable (none
 * that is made before the value `watch` is known; GI_NO_VALUE: all), results over inputs that
 * die with them, the rest best-fit into one arena. */
glia_status gi_plan_memory(const glia_graph *g, const uint32_t *order, int n, int n_fixed,
                           uint32_t watch, gi_memory *out);
void gi_memory_free(gi_memory *m);

/* ---- memory for time (recompute.c) ------------------------------------------------------- */

typedef struct gi_recomputed {
  int values;   /* that are computed once more */
  double share; /* of the work of the graph, by a rough model */
} gi_recomputed;

/* Copies `from` (after all passes) to `to`, where large values that are wanted again much later
 * are dropped and computed a second time, until no more than `limit` bytes live at any moment,
 * or nothing is left to drop. Same bits, since the same kernels compute. */
glia_status gi_recompute(const glia_graph *from, uint32_t watch, size_t limit, glia_graph *to,
                         gi_recomputed *out);

#endif /* GI_COMPILE_H */
