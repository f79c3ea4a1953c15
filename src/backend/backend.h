/* backend/backend.h - the seam between plans and kernels.
 *
 * A backend is a list of kernels for each op. Several may fit a problem, each with a choice of
 * layouts that it takes and gives, and says what that costs; the compiler takes kernels and
 * layouts so that the whole graph costs least (compile/choose.c). The reference is last in
 * every list: it computes any op from its meaning. A kernel is prepared once, when a plan is
 * made, and run many times; run does no allocation and makes no decision.
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
  const gi_layout *in_layout, *out_layout; /* for cost and prepare; not yet settled before */
  int threads;
  /* By input: its elements, if they are the same in every run (constants; variables and what
   * depends on them alone, in a fixed plan), so that prepare may keep them in a form that it
   * likes better; else NULL. NULL: none is known. */
  const void *const *known;
} gi_problem;

/* The most that so many threads of a machine give. Times are modelled from the first two; the
 * others are 0 where nothing was measured. */
typedef struct gi_limits {
  double flops; /* f32 operations a second; a multiply-add is two */
  double bytes; /* a second, two streams read from memory and one written */
  double read;  /* bytes a second, read alone */
  double copy;  /* bytes a second, read and written */
  double start; /* seconds that sharing a loop out to threads costs */
} gi_limits;

typedef struct gi_prepared {
  void *state;     /* owned by the plan's step; given to kernel->release */
  size_t scratch;  /* bytes needed while it runs, 64-byte aligned; all steps share them */
  size_t kept;     /* bytes that state holds on to: known inputs in another form */
  uint64_t unread; /* bit i: run never looks at input i, which state holds in another form */
  int threads;     /* that run shares loops out to, by the backend's own means; 0: none */
  bool apart; /* run starts threads by other means: none may stand by (gi_backend.together) */
} gi_prepared;

typedef struct gi_exec {
  void *state;
  const void *const *in; /* in the layouts of the problem */
  void *const *out;      /* 64-byte aligned where the plan owns the memory */
  void *scratch;
  const gi_clock *clock;
} gi_exec;

enum { GI_KERNEL_OPS = 8 }; /* named by a row, at most */

/* What is done in the same way is one row, whatever the number of ops that it serves. */
typedef struct gi_kernel {
  const char *ops[GI_KERNEL_OPS]; /* names of those that it computes; none: any (reference) */
  const char *name;               /* "conv_onednn"; shown in plans */
  bool by_threads;                /* the bits of its results depend on the number of threads */
  /* The largest error of its results as a share of their root mean square, as measured, where
   * it rounds worse than summing one product after the other does; 0: it does not. Plans may
   * refuse such kernels (gi_target.exact). */
  double inexact;
  /* NULL if it can compute the problem, else the reason why not. Layouts are not yet settled.
   * Slow is no reason: that is for `cost` to say. */
  const char *(*fits)(const gi_problem *p);
  /* Fills in what it takes and gives by its choice number `choice`, and returns true; false if
   * it has not so many. in and out are plain on entry. NULL: one choice, all plain. */
  bool (*layouts)(const gi_problem *p, int choice, gi_layout *in, gi_layout *out);
  /* Seconds that it takes. NULL: gi_time with the whole limits. */
  double (*cost)(const gi_problem *p, const gi_limits *limits);
  /* GLIA_UNSUPPORTED if it finds only now that it cannot, after all: another one is asked. */
  glia_status (*prepare)(const gi_problem *p, gi_prepared *out);
  glia_status (*run)(const gi_exec *x);
  void (*release)(void *state); /* NULL: nothing to free */
} gi_kernel;

/* A problem and its cure, a sentence each. */
typedef void (*gi_say)(void *user, const char *cure, const char *problem, ...)
    GLIA_PRINTF(3, 4);

typedef struct gi_backend {
  const char *name;
  const gi_kernel *const *const *kernels; /* lists of rows, NULL-terminated */
  /* What to assume of this machine as long as nothing was measured: depends on the processor
   * and the instruction sets allowed, never on the moment. */
  gi_limits (*limits)(int threads);
  /* Calls fn(user), on the caller's thread, while so many threads stand by for the kernels that
   * it runs. NULL: kernels need nobody. */
  void (*together)(int threads, void (*fn)(void *user), void *user);
  /* Measures them, in about a second. NULL: they can only be assumed. */
  glia_status (*measure)(int threads, gi_limits *out);
  /* Appends what times depend on beside the processor: instruction sets in use, libraries. */
  void (*setup)(gi_str *out);
  /* Calls say for each thing that is set around the program, or that the processor lacks, and
   * that makes it slower than it could be; NULL: there is nothing to say. */
  void (*check)(gi_say say, void *user);
} gi_backend;

extern const gi_backend gi_backend_ref;
#ifdef GI_HAS_CPU
extern const gi_backend gi_backend_cpu;
#endif
/* By name ("ref", "cpu"); NULL or "": GLIA_BACKEND from the environment, else the best there
 * is. GLIA_INVALID lists the names. */
glia_status gi_backend_find(const char *name, const gi_backend **out);

/* Does the row name the op, or none at all? */
bool gi_kernel_is_for(const gi_kernel *k, const gi_op *op);
/* Calls fn for each kernel of the op, in the order of the lists, then for the reference; stops
 * when it returns false. */
void gi_kernel_each(const gi_backend *b, const gi_op *op,
                    bool (*fn)(const gi_kernel *k, void *user), void *user);
/* gi_kernel.layouts, with all plain as the one choice of kernels that have none. */
bool gi_kernel_layouts(const gi_kernel *k, const gi_problem *p, int choice, gi_layout *in,
                       gi_layout *out);
double gi_kernel_cost(const gi_kernel *k, const gi_problem *p, const gi_limits *limits);

gi_cost gi_problem_cost(const gi_problem *p); /* by the op's own account */
/* The model of most kernels: the longer of arithmetic and memory traffic, at these shares (0 <
 * share <= 1) of the limits, and what a call costs at all. */
double gi_time(const gi_problem *p, const gi_limits *limits, double of_flops, double of_bytes);

#endif /* GI_BACKEND_H */
