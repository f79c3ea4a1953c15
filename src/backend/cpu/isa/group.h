/* isa/group.h - a group of elementwise ops and the reductions behind them, prepared for the
 * vector loops.
 *
 * The elements of the group are taken in the order in which its full-shape operands lie in
 * memory, a tile at a time; every register of the program is then a run of floats that stays in
 * the first cache:
 *
 *   inputs     in place where they lie densely; else copied or converted into a slot
 *   constants  one vector, read again and again (step 0)
 *   chance     masks of dropout are inputs that are drawn, into a slot
 *   results    written to memory at once if they are an output, else to a slot
 *   folds      what a tile holds of an output that is reduced is added to accumulators
 *
 * Each op of the program is one loop over a tile (isa/elementwise.c), found once, by name.
 */
#ifndef GI_GROUP_H
#define GI_GROUP_H

#include <stdbool.h>

#include "backend/cpu/isa/chance.h"
#include "backend/cpu/isa/fold.h"
#include "ops/fused.h"

enum {
  GI_TILE = 512, /* elements; a multiple of every vector */
  GI_SPLAT = 16, /* floats of the widest vector */
  GI_REGISTERS = GI_FUSED_IN + GI_FUSED_CODE
};

/* One elementwise op on n elements, n a multiple of the vector: vector j of operand k begins at
 * src[k] + j * step[k], so a step of 0 gives the same vector each time. */
typedef struct gi_micro_call {
  const float *src[3];
  ptrdiff_t step[3];
  float *out;
  float a, b; /* the op's attributes */
} gi_micro_call;
typedef void gi_micro_loop(const gi_micro_call *c, int64_t n);
typedef struct gi_micro_row {
  const char *name;
  gi_micro_loop *loop;
} gi_micro_row;

typedef enum gi_access {
  GI_DENSE,    /* f32, element e of the group is element e here */
  GI_ONE,      /* one element for all */
  GI_PERIODIC, /* repeats every tile: filled once */
  GI_GATHERED, /* anything else: filled or converted for each tile */
  GI_DRAWN     /* mask of a dropout: no memory behind it */
} gi_access;

/* Which elements a dropout keeps. Channels-last, the elements of four neighbouring places share
 * their blocks of random words, so masks are drawn for whole rows of channels, four at a time.
 */
typedef struct gi_drawn {
  uint64_t stream;
  uint32_t least;
  int64_t channels, plane; /* channels-last: of an image, plane a multiple of 4; else 0 */
  int64_t rows_at;         /* floats behind the slots: four rows of masks */
} gi_drawn;

typedef struct gi_operand {
  gi_access access;
  glia_dtype dtype;
  int slot;      /* -1: none */
  int last_read; /* the last op of the program that reads it; n_code if it is an output */
  int64_t stride[GLIA_MAX_RANK]; /* in elements, by dimension of the group */
  gi_drawn drawn;
} gi_operand;

typedef struct gi_group_op {
  bool constant;
  gi_micro_loop *loop; /* NULL: constant, or part of a later op */
  int n_src, src[3];   /* registers */
  int slot;
  float a, b; /* attributes; a: the constant */
} gi_group_op;

typedef struct gi_group_out {
  int reg;
  glia_dtype dtype;
  bool folded;
  gi_fold fold;
  int same; /* the first output that gives this register; itself if there is none before */
} gi_group_out;

/* The whole program as one loop (cpu/jit.h): at[r] is where input r lies, to[k] where output k
 * is to lie, if the program computes it and no output before it is the same; an input of one
 * element is read from splats, as a vector at r * GI_SPLAT. bytes of each dense operand, a
 * multiple of 32, above 0. */
typedef void gi_group_code(const float *const *at, float *const *to, const float *splats,
                           int64_t bytes);

typedef struct gi_group {
  int rank; /* dimensions in memory order, those that belong together joined */
  int64_t dim[GLIA_MAX_RANK], count, tile;
  int n_in, n_code, n_out, n_slots;
  gi_operand in[GI_FUSED_IN];
  gi_group_op code[GI_FUSED_CODE];
  gi_group_out out[GI_FUSED_OUT];
  gi_group_code *compiled; /* NULL: op by op */
  bool streams;            /* compiled, and neither slots nor conversions are needed */
  /* Where an element's accumulator is, by dimension: 0 for those that are folded away. Kept
   * dimensions are dense, the last one, if it is kept, with step 1. */
  int64_t to[GLIA_MAX_RANK];
  int64_t rows; /* floats of masks behind the slots */
} gi_group;

/* Floats of scratch that each thread needs. */
static inline int64_t gi_group_scratch(const gi_group *g) {
  return (int64_t)g->n_slots * GI_TILE + (int64_t)GI_REGISTERS * GI_SPLAT + g->rows;
}

typedef struct gi_group_call {
  const void *const *in;
  void *const *out; /* of those that are not folded */
  uint64_t seed, step;
  float *accumulator[GI_FUSED_OUT]; /* of those that are; hold what they start with */
  int64_t base;                     /* place of the first accumulator */
  float *scratch;
} gi_group_call;

/* Elements first .. last - 1; where an operand is periodic, first is a multiple of its period.
 */
typedef void gi_group_run(const gi_group *g, const gi_group_call *c, int64_t first,
                          int64_t last);

#endif /* GI_GROUP_H */
