/* train/learner.h - the inside of a learner. */
#ifndef GI_LEARNER_H
#define GI_LEARNER_H

#include "glia/train.h"
#include "run/cache.h"
#include "train/loss.h"
#include "train/schedule.h"

enum { GI_MODE_TRAIN, GI_MODE_EVALUATE, GI_MODE_FORWARD };

struct glia_learner {
  glia_learner_opts o; /* defaults filled in */
  const gi_loss *loss;
  glia_store *store;
  gi_cache *plans;
  glia_tensor *lr; /* f64 scalar, bound to training steps; and the next where it moves */
  glia_tensor *momentum;
  bool moves_momentum; /* training steps take it from outside */
  int64_t steps;
  uint64_t freezes; /* gi_store_freezes when the plans were made */
};

/* One step in evaluation: loss of the batch and the model's result (borrowed). */
glia_status gi_learner_evaluate(glia_learner *l, const glia_tensor *x, const glia_tensor *y,
                                double *loss, const glia_tensor **out);
/* The graph of a prediction for a batch of this size. Owned. */
glia_status gi_learner_graph(glia_learner *l, int batch, glia_graph **out);
/* The plan of a training step or, with infer, of a prediction, that a batch of this size gets;
 * dump as in glia_compile_opts. Owned (glia_plan_free). */
glia_status gi_learner_plan(glia_learner *l, int batch, const char *dump, bool infer,
                            glia_plan **out);
/* Makes training steps take the momentum from outside; what was planned otherwise is planned
 * anew. GLIA_INVALID where the optimiser has none. */
glia_status gi_learner_move_momentum(glia_learner *l);
/* One training step at just these rates; momentum NaN: the optimiser's. */
glia_status gi_learner_step(glia_learner *l, const glia_tensor *x, const glia_tensor *y,
                            glia_rates rates, double *loss);

#endif /* GI_LEARNER_H */
