/* backend/backend.h - the seam between plans and kernels.
 *
 * A backend is an ordered list of kernels for each op; the first that fits is taken, and why
 * the others do not is kept for `glia plan`. The reference is last in every list: it computes
 * any op from its meaning. A kernel is prepared once, when a plan is made, and run many times;
 * run does no allocation and makes no decision.
 */
#ifndef GI_BACKEND_H
#define GI_BACKEND_H

#include "graph/graph.h"

/* What is to be computed. Pointers are borrowed for the call; attr lives as long as the plan.
 */
typedef struct gi_problem {
  const gi_op *op;
  const void *attr;
  int n_in, n_out;
  const gi_type *in, *out;
  const gi_layout *in_layout, *out_layout;
  int threads;
  /* By input: its elements, if they are the same in every run (constants; variables and what
   * depends on them alone, in a fixed plan), so that prepare may keep them in a form that it
   * likes better; else NULL. NULL: none is known. */
  const void *const *known;
} gi_problem;

typedef struct gi_prepared {
  void *state;    /* owned by the plan's step; given to kernel->release */
  size_t scratch; /* bytes needed while it runs, 64-byte aligned; all steps share them */
} gi_prepared;

typedef struct gi_exec {
  void *state;
  const void *const *in; /* in the layouts of the problem */
  void *const *out;      /* 64-byte aligned where the plan owns the memory */
  void *scratch;
  const gi_clock *clock;
} gi_exec;

typedef struct gi_kernel {
  const char *op;   /* name of the op that it computes; NULL: any op (the reference) */
  const char *name; /* "conv2d_onednn"; shown in plans */
  /* NULL if it can compute the problem, else the reason why not. Layouts are not yet settled.
   */
  const char *(*fits)(const gi_problem *p);
  /* Given the layouts in which inputs are at hand (p->in_layout), says which it takes and
   * gives. NULL: all plain. in and out are plain on entry. */
  void (*layouts)(const gi_problem *p, gi_layout *in, gi_layout *out);
  glia_status (*prepare)(const gi_problem *p, gi_prepared *out);
  glia_status (*run)(const gi_exec *x);
  void (*release)(void *state); /* NULL: nothing to free */
} gi_kernel;

typedef struct gi_backend {
  const char *name;
  const gi_kernel *const *const *kernels; /* lists of rows, NULL-terminated */
  bool layouts;                           /* false: everything stays plain */
} gi_backend;

extern const gi_backend gi_backend_ref;
#ifdef GI_HAS_CPU
extern const gi_backend gi_backend_cpu;
#endif
/* By name ("ref", "cpu"); NULL or "": GLIA_BACKEND from the environment, else the best there
 * is. GLIA_INVALID lists the names. */
glia_status gi_backend_find(const char *name, const gi_backend **out);

/* The first kernel that fits; never NULL, since the reference takes all. why, if not NULL,
 * receives "kernel: reason" for each that was passed over, separated by "; ". */
const gi_kernel *gi_choose(const gi_backend *b, const gi_problem *p, gi_str *why);

#endif /* GI_BACKEND_H */
