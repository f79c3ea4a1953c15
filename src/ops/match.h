/* ops/match.h - what the patterns of fused ops (gi_op.match) are made of.
 */
#ifndef GI_MATCH_H
#define GI_MATCH_H

#include "graph/graph.h"

/* The node that makes value v, if only the pattern uses v; or NULL. */
static inline const gi_node *gi_match_maker(const gi_match *m, uint32_t v) {
  return m->uses[v] == 1 ? m->g->nodes.at[m->g->values.at[v]->node] : NULL;
}

/* The same, if it is this op. */
static inline const gi_node *gi_match_inner(const gi_match *m, uint32_t v, const gi_op *op) {
  const gi_node *n = gi_match_maker(m, v);
  return n != NULL && n->op == op ? n : NULL;
}

static inline const gi_type *gi_match_type(const gi_match *m, uint32_t v) {
  return &m->g->values.at[v]->type;
}

#endif /* GI_MATCH_H */
