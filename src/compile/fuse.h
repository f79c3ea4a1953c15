/* compile/fuse.h - what the two halves of fusion share: groups of nodes (fuse.c) and the
 * program that a group becomes (fuse_program.c). Functions here belong to fuse.c and
 * fuse_program.c alone.
 */
#ifndef GI_FUSE_H
#define GI_FUSE_H

#include "compile/compile.h"
#include "ops/fused.h"

typedef struct gi_fuse_group {
  GI_VEC(uint32_t) nodes; /* in order */
  bool emitted;
} gi_fuse_group;

typedef struct gi_fuser {
  gi_rewrite r;
  GI_VEC(gi_fuse_group *) groups;
  int *of;        /* by node: number of its group, -1 none */
  uint32_t *as;   /* by value: what is read for it: behind a widening cast, the narrow value */
  int *uses;      /* by value: by live nodes, as they read it, and roots */
  uint32_t *seen; /* by node: stamp of the search that saw it */
  uint32_t stamp;
  GI_VEC(uint32_t) stack;
} gi_fuser;

typedef struct gi_fuse_program { /* in the making */
  gi_program *p;
  uint32_t in[GI_FUSED_IN];     /* outer values, by register */
  uint32_t code[GI_FUSED_CODE]; /* values of `from`, by register - n_in */
  uint32_t out[GI_FUSED_OUT];
  uint32_t casts[GI_FUSED_IN]; /* that widen inputs: in the code behind the constants */
  int n_in, n_code, n_out, n_casts, n_random;
  const gi_dims *axes; /* that the reductions fold away; NULL: there is none */
} gi_fuse_program;

/* Reductions that fold one element after the other, in any order. */
bool gi_fuse_folds(const gi_node *n);
/* May the node be part of a group at all? */
bool gi_fusible(const gi_fuser *f, const gi_node *n);
/* A widening cast that every group makes anew: of what no group makes, or makes by narrowing.
 */
bool gi_fuse_seen_through(const gi_fuser *f, const gi_node *n);
/* Fills in `as` and `uses`. */
void gi_fuse_see_through(gi_fuser *f);
bool gi_fuse_reads_widened(const gi_fuser *f, const gi_node *n);

static inline uint32_t gi_fuse_producer(const gi_fuser *f, uint32_t value) {
  return f->r.from->values.at[value]->node;
}
/* Input i of a node as a group reads it. */
static inline uint32_t gi_fuse_operand(const gi_fuser *f, const gi_node *n, int i) {
  return f->as[n->in[i]];
}
bool gi_fuse_member(const gi_fuse_group *g, uint32_t node);
/* A value of the group's shape: all that its nodes compute or fold have it. */
uint32_t gi_fuse_result(const gi_fuser *f, const gi_fuse_group *g);
/* Lists inputs and counts code and outputs; false if the group is over the limits. */
bool gi_fuse_survey(const gi_fuser *f, const gi_fuse_group *g, gi_fuse_program *b);
/* Fills in b->p, which has room for b->n_code. */
void gi_fuse_write(const gi_fuser *f, gi_fuse_program *b);

#endif /* GI_FUSE_H */
