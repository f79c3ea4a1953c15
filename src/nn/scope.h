/* nn/scope.h - the inside of a scope. */
#ifndef GI_SCOPE_H
#define GI_SCOPE_H

#include "glia/nn.h"
#include "graph/graph.h"

/* How a parameter "weight" is made of others (weight_norm.c). */
typedef glia_value gi_weight_rule(glia_scope *s, int rank, const int64_t *shape,
                                  glia_init init);

struct glia_scope {
  glia_graph *graph;
  glia_store *store;
  const char *path; /* "layer1.0"; "" outermost */
  bool train, zeros;
  bool updated;  /* variables read as the step will leave them */
  bool averaged; /* parameters read as their means over the steps, where there are such */
  uint64_t seed;
  gi_weight_rule *weight; /* NULL: a weight is a parameter of its own */
  int weight_axis, weight_iterations;
  double weight_rate;
};

/* A layer's own scope, entered: nodes get its path until gi_leave. NULL s gives NULL. */
typedef struct gi_entered {
  glia_scope *scope;
  const char *before;
} gi_entered;
gi_entered gi_enter(glia_scope *s, const char *name);
glia_value gi_leave(const gi_entered *e, glia_value result);
/* "weight" in scope "conv1" -> "conv1.weight"; arena memory of the graph; NULL without memory.
 */
const char *gi_scoped(const glia_scope *s, const char *name);
/* What made v, for messages: "flatten([64, 1, 28, 28])". Written to buf and returned. */
const char *gi_origin(glia_value v, char *buf, size_t n);
/* Which random numbers a dropout in scope s draws: none that another one of the graph does. */
uint64_t gi_dropout_stream(const glia_scope *s);

#endif /* GI_SCOPE_H */
