/* compile/plan.h - a plan: a graph with its order, memory and prepared kernels. */
#ifndef GI_PLAN_H
#define GI_PLAN_H

#include "compile/compile.h"
#include "glia/run.h"

typedef struct gi_step {
  const gi_kernel *kernel;
  gi_exec exec; /* pointers are resolved, but for inputs */
  uint32_t node;
  uint64_t unread;    /* see gi_prepared */
  int threads, until; /* see gi_prepared; the end of the stretch that begins here, or 0 */
  bool apart;
} gi_step;

typedef struct gi_slot {
  const void **at;
  uint32_t input;
  size_t offset;
} gi_slot; /* to patch */

typedef struct gi_copy {
  void *to;
  const void *from;
  size_t bytes;
} gi_copy;

typedef struct gi_bound { /* an input */
  uint32_t value;
  const char *name;
  glia_tensor *hold; /* a dense copy of the tensor bound, if it was not contiguous */
  const void *data;  /* NULL: nothing is bound */
} gi_bound;

struct glia_plan {
  glia_graph *graph; /* after all passes; owned */
  gi_target target;
  gi_memory memory;
  gi_recomputed recomputed; /* for the sake of a memory limit */
  uint32_t *order;
  int n_order, n_fixed; /* nodes; of them run once, when the plan is made */
  void *fixed;          /* memory.fixed bytes that those left behind */
  size_t fixed_kept;    /* of them, those that are read: the pages of others are given back */
  unsigned char *arena; /* memory.arena bytes, then the scratch all kernels share */
  void *own_arena;      /* the plan's own; NULL: it works in somebody's, see gi_plan_attach */
  size_t scratch, kept; /* kept: bytes of known inputs that kernels hold in another form */
  gi_step *steps;
  int n_steps;
  gi_copy *copies;
  int n_copies;
  gi_slot *slots;
  int n_slots;
  gi_bound *inputs;
  int n_inputs;
  glia_tensor **outputs; /* by root; NULL for assignments */
  gi_clock clock;
  uint32_t watched; /* value; GI_NO_VALUE: none */
  int watch_step;   /* after this step the watched value is looked at; -1: none */
  const void *watch;
  glia_dtype watch_dtype;
  char *dump;      /* text of the passes asked for */
  double *seconds; /* of each step, as glia_plan_time found them; NULL: not timed */
  gi_times times;  /* that kernels were chosen by: target.times; owned */
};

/* Takes the graph over, also on failure. The plan has no memory yet. */
glia_status gi_plan_new(glia_graph *graph, const gi_target *target, const char *watch,
                        glia_plan **out);
/* glia_compile without memory: gi_plan_attach gives it some. */
glia_status gi_compile(glia_graph *g, const glia_compile_opts *opt, glia_plan **out);
/* Lets the plan work in this arena of glia_plan_bytes(p) or more, 64-byte aligned; plans that
 * never run at the same time may share one. May be called again with another. */
glia_status gi_plan_attach(glia_plan *p, void *arena);
/* Runs all steps. With `check`, looks at every result: the first value that is not finite stops
 * the run with GLIA_DIVERGED, naming layer and op. seconds: by step, lowered to what it took
 * where that was less; NULL: nobody asks. */
glia_status gi_plan_execute(glia_plan *p, bool check, double *seconds);
/* What the op of a step costs, by its own account. */
gi_cost gi_step_cost(const glia_plan *p, const gi_step *s);

#endif /* GI_PLAN_H */
