/* cpu/group.h - from a program of elementwise ops to a gi_group that the vector loops run.
 */
#ifndef GI_CPU_GROUP_H
#define GI_CPU_GROUP_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/jit.h"

typedef struct gi_made_group {
  gi_group g;
  gi_jit *jit;                   /* owned; NULL: op by op */
  bool folds;                    /* some output is a reduction */
  int64_t result[GLIA_MAX_RANK]; /* strides of the reductions' results; folded dimensions: 0 */
} gi_made_group;

/* The program of a fused op or, in the space of one op, that of any elementwise op, with the
 * masks of random ops as inputs behind its own. */
typedef union gi_group_program {
  gi_program p;
  unsigned char space[sizeof(gi_program) + GI_FUSED_CODE * sizeof(gi_micro)];
} gi_group_program;
void gi_group_read(const gi_problem *p, gi_group_program *out);
int gi_group_drawn(const gi_program *p); /* masks of a program as it stands in the graph */

/* The vector loop of an op, by name, NULL if there is none. */
gi_micro_loop *gi_group_loop(const gi_isa *isa, const char *name);

/* The shape that all registers have; the layout of its elements, given those of the inputs:
 * channels-last if any input of the full shape is. */
gi_type gi_group_shape(const gi_problem *p);
gi_layout gi_group_layout(const gi_problem *p, const gi_layout *in);

void gi_group_make(const gi_problem *p, gi_made_group *out);
void gi_group_drop(gi_made_group *m);

#endif /* GI_CPU_GROUP_H */
