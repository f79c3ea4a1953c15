/* ops/fused.h - the program of a fused elementwise group.
 *
 * All registers hold one element of the group's shape. Registers 0 .. n_in - 1 are the inputs
 * (broadcast to that shape); code[k] writes register n_in + k from earlier ones: an elementwise
 * op with its attributes or, with op NULL, a constant. An output is a register, element by
 * element, or what a reduction over some axes makes of it.
 */
#ifndef GI_FUSED_H
#define GI_FUSED_H

#include "graph/graph.h"

enum { GI_FUSED_IN = 16, GI_FUSED_OUT = GI_MAX_OUT, GI_FUSED_CODE = 48 };

/* The attributes of every elementwise op: up to two numbers (slope, alpha, low, high, the
 * probability of dropout); which random numbers; the dtype is cast's alone. */
typedef struct gi_elementwise_attr {
  double a, b;
  uint64_t stream;
  glia_dtype dtype;
} gi_elementwise_attr;

typedef struct gi_micro {
  const gi_op *op;  /* elementwise row; NULL: constant */
  int src[3];       /* registers; as many as the op has inputs */
  glia_dtype dtype; /* of the register written; a bool is 0 or 1 */
  double value;     /* of a constant */
  gi_elementwise_attr attr;
} gi_micro;

typedef struct gi_fused_out {
  int reg;           /* one that code writes, wherever results may lie over inputs */
  bool keep;         /* folded axes stay, with size 1 */
  const gi_op *fold; /* sum, mean, max, min or prod; NULL: every element is given */
} gi_fused_out;

typedef struct gi_program { /* zeroed before it is filled: it is hashed as bytes */
  int n_in, n_code, n_out;
  gi_fused_out out[GI_FUSED_OUT];
  gi_dims axes; /* of the group's shape: those that every fold folds away */
  gi_micro code[];
} gi_program;

typedef struct gi_fused_attr {
  gi_blob program;
} gi_fused_attr; /* a gi_program */

extern const gi_op gi_op_fused;
static inline const gi_program *gi_fused_program(const void *attr) {
  return ((const gi_fused_attr *)attr)->program.data;
}

/* Does what the node gives depend on the clock? A group does as soon as one of its ops does. */
bool gi_is_random(const gi_node *n);

#endif /* GI_FUSED_H */
