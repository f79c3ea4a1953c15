/* glia/run.h - compiling graphs into plans and running them.
 *
 * A plan is a graph for which everything is settled: fused kernels, layouts, order, and the
 * place of every byte. Running it does no allocation and makes no decision.
 */
#ifndef GLIA_RUN_H
#define GLIA_RUN_H

#include "glia/graph.h"
#include "glia/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glia_plan glia_plan;

typedef struct glia_compile_opts {
  size_t size;
  const char
      *backend;       /* "cpu", "ref"; NULL: GLIA_BACKEND from the environment, else the best */
  int threads;        /* 0: as OpenMP says (OMP_NUM_THREADS, else all cores). A fixed plan that
                         is done within about a millisecond on one thread wakes no others */
  uint64_t seed;      /* of random ops */
  const char *watch;  /* name of a scalar output: if it is not finite the step stops before any
                         variable is changed, with GLIA_DIVERGED; NULL: none */
  const char *skip;   /* passes to leave out: "fuse,layout", "all"; NULL: none */
  const char *dump;   /* passes after which the graph is printed into glia_plan_text; "grad" is
                         the graph as given; NULL: none */
  bool deterministic; /* kernels are chosen by a model of their times that depends on nothing
                         but the graph and the processor, and their bits do not depend on the
                         number of threads: what can only be computed by one whose bits do, runs
                         on one thread. Else what was measured on this machine has its say, see
                         tune */
  double tune;        /* seconds that may be spent on measuring kernels that compete, on the
                         shapes of this graph; 0: none. The times are kept in the cache (a file,
                         see GLIA_CACHE) and serve every graph from then on */
  const char *choices;  /* a file that keeps which kernels were chosen: a graph that is found in
                          it gets the same ones again, another is added to it; NULL: none */
  int64_t memory_limit; /* most bytes of glia_plan_bytes: where they do not suffice, values are
                           dropped and computed a second time, which gives the same bits and
                           takes time; GLIA_NOMEM if that does not suffice; 0: no limit */
  bool fixed;           /* for inference: variables that the graph does not assign keep their
                            values while the plan lives. What depends on them alone is computed
                            here and now, and kernels keep weights in the form that they like best */
  bool exact_conv;      /* no convolution that rounds worse than summing its products one after
                           the other: not by Winograd's algorithm, of which the largest error is
                           3e-5 of the results' root mean square */
  glia_dtype precision; /* GLIA_BF16: mixed precision. What lies between the ops and the inputs
                           of products are stored as bf16; variables, statistics, losses and
                           results stay f32, and all arithmetic is done in f32. GLIA_F32, the
                           default: everything as the graph has it */
} glia_compile_opts;

/* Compiles all outputs and assignments of the graph. The graph is borrowed for the call; its
 * store is kept until the plan is freed. Owned. Returns what was latched in the graph, if
 * anything. */
GLIA_NODISCARD GLIA_API glia_status glia_compile_opt(glia_graph *g,
                                                     const glia_compile_opts *opt,
                                                     glia_plan **out);
#ifndef __cplusplus /* glia_compile(g, &plan, .threads = 2) */
#define GLIA_COMPILE_(g, out, ...) \
  glia_compile_opt((g), &(glia_compile_opts){__VA_ARGS__}, (out))
#define glia_compile(...) GLIA_COMPILE_(__VA_ARGS__, .size = sizeof(glia_compile_opts))
#endif
GLIA_API void glia_plan_free(glia_plan *p);

/* Binds memory to an input, by its name: kept until it is bound again or the plan is freed. A
 * tensor that is not contiguous is copied. GLIA_SHAPE or GLIA_DTYPE say what was wanted; what
 * was bound before then stays. */
GLIA_NODISCARD GLIA_API glia_status glia_plan_bind(glia_plan *p, const char *input,
                                                   const glia_tensor *t);
/* One step: runs everything, then the assignments hold. */
GLIA_NODISCARD GLIA_API glia_status glia_plan_run(glia_plan *p);
/* After GLIA_DIVERGED: runs the same step again up to the watched value and names the first
 * layer and op whose result is not finite. Always a failure. */
GLIA_NODISCARD GLIA_API glia_status glia_plan_diagnose(glia_plan *p);
/* An output of the last run, by name: borrowed until the next run. NULL if there is none. */
GLIA_API const glia_tensor *glia_plan_output(const glia_plan *p, const char *name);
/* Random ops depend on (seed, step); step counts the runs of this plan from 0 unless it is set.
 */
GLIA_API void glia_plan_clock(glia_plan *p, uint64_t seed, uint64_t step);

/* Bytes of the arena: all activations, gradients and scratch at their peak. Kept forms of
 * fixed weights are not counted. */
GLIA_API size_t glia_plan_bytes(const glia_plan *p);
/* Floating-point operations of one run. */
GLIA_API double glia_plan_flops(const glia_plan *p);
/* Runs the plan again and again for about so many seconds, three times at least, and keeps the
 * shortest time of each kernel for glia_plan_text. Inputs to which nothing is bound get some
 * numbers; variables change as in any run. */
GLIA_NODISCARD GLIA_API glia_status glia_plan_time(glia_plan *p, double seconds);
/* The plan as a table: each scheduled kernel with layer, shape, layout, offset, bytes, flops
 * and time, and the kernels that were not taken with theirs, or why they do not fit; the peak;
 * the dumps asked for. Times with "~" are modelled. Of a plan that was timed (glia_plan_time)
 * also the share of the machine's limit, of arithmetic or of memory traffic, that each kernel
 * reaches. Owned, free(). */
GLIA_API char *glia_plan_text(const glia_plan *p);

/* Computes one value that needs no inputs, on the backend GLIA_BACKEND names. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_eval(glia_value v, glia_tensor **out);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_RUN_H */
