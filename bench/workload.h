/* workload.h - what is measured: one row a workload, in bench/workloads/<family>.c.
 *
 * A row says how the network is built and names the peer that does the same work; everything
 * else (bench_train, bench/compare, the check that both compute the same) reads the row.
 * Parameters have the names that the peer's have, so that one's weights can be given to the
 * other.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "compile/plan.h"
#include "glia/glia.h"

enum { MAX_BATCHES = 16 };

typedef struct workload {
  const char *name;
  const char *peer; /* name in the peers' list, or a script beside bench/compare; NULL: none */
  const char *settings; /* flags of the peer that are worth trying, separated by ";" */
  double target[2];     /* the peer's time by ours that is wanted, with 1 and 2 threads */
  glia_model_fn model;
  const char *optimizer; /* NULL: inference */
  glia_dtype precision;  /* as in glia_compile_opts; GLIA_BF16: the peer's too */
  glia_dtype stored;     /* of an own step's parameters and buffers; 0: GLIA_F32 */
  const char *loss;      /* NULL: by the targets */
  /* In place of a model: a whole step of its own, from the input "x" to outputs that are called
   * "loss..." and new parameters. */
  void (*step)(glia_scope *s, glia_value x);
  int rank;
  int64_t shape[3];     /* of a sample */
  int tokens;           /* x holds whole numbers below this; 0: normal numbers */
  int classes, targets; /* of a model: one of them */
  int batch, batches;   /* samples of a step; different batches, taken in turn */
} workload;

extern const workload *const *const gi_workloads_table[]; /* generated: lists of rows */
const workload *workload_at(int i);                       /* NULL past the last */
const workload *workload_find(const char *name);          /* NULL, having said so */

/* A workload that is being run: parameters from seed 1, batches of normal numbers or of tokens,
 * with random labels. Failures end the program. */
typedef struct running {
  const workload *w;
  glia_learner *learner; /* of a model */
  glia_store *store;     /* the learner's, or of an own step */
  glia_plan *plan;       /* of an own step */
  glia_tensor *x[MAX_BATCHES], *y[MAX_BATCHES];
  int64_t taken;             /* steps so far */
  const glia_tensor *result; /* of the last inference: borrowed until the next */
} running;

void running_open(running *r, const workload *w, int threads);
void running_close(running *r);
/* One step on the next batch; the sum of its losses, 0 for inference. */
double running_step(running *r);
/* The plan of such a step, with its inputs bound. */
glia_plan *running_plan(running *r);
/* What the step works in, as planned: parameters, buffers and optimiser state; the arena; what
 * a fixed plan keeps of the parameters in another form; the batches. */
typedef struct planned_bytes {
  size_t store, arena, fixed, inputs;
} planned_bytes;
planned_bytes running_bytes(running *r);

#endif /* WORKLOAD_H */
