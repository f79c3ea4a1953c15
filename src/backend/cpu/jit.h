/* cpu/jit.h - machine code for a group of plain elementwise ops.
 *
 * The loops of isa/elementwise.c go through the first cache once for each op. A group that is
 * made of arithmetic, comparisons and choices alone (an optimiser's update, a mask) is bound by
 * that; as one loop, with every register of the program in one of the processor's, it is bound
 * by memory. x86-64 with AVX2. Where memory cannot be made executable, or a program does not
 * fit into sixteen registers, there is no code and the loops do it.
 */
#ifndef GI_JIT_H
#define GI_JIT_H

#include "backend/cpu/isa/group.h"

typedef struct gi_jit gi_jit;

/* Registers that an op reads: behind its operands, a random one reads its mask. */
static inline int gi_micro_sources(const gi_micro *m) {
  return m->op == NULL ? 0 : m->op->min_in + ((m->op->flags & GI_RANDOM) != 0);
}

/* Code for the program (masks of random ops among its inputs), whose operands are those of g;
 * NULL if it cannot be made. Results equal those of the loops, bit for bit. */
gi_jit *gi_jit_new(const gi_program *p, const gi_group *g);
void gi_jit_free(gi_jit *j);
gi_group_code *gi_jit_code(const gi_jit *j);

#endif /* GI_JIT_H */
