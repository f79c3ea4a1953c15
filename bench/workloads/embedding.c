/* embedding.c - a large table of which a step reads little: 512 indices into 30000 rows of 256
 * numbers, averaged over 16 of a sample. What counts is that the update leaves the other rows
 * alone.
 */
#include "workload.h"

static glia_value bags(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_cast(x, GLIA_I64); /* a learner tries its model on numbers */
  x = glia_embedding(s, "0", x, .rows = 30000, .width = 256, .sparse = true);
  return glia_dense(s, "1", glia_mean(x, .n = 1, .axes = {1}), .units = 2);
}

static const workload adam = {.name = "embedding_adam",
                              .model = bags,
                              .optimizer = "adam",
                              .tokens = 30000,
                              .rank = 1,
                              .shape = {16},
                              .classes = 2,
                              .batch = 32,
                              .batches = 16};

const workload *const gi_workloads_embedding[] = {&adam, NULL};
