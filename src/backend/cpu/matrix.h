/* cpu/matrix.h - the operands of a product as matrices with strides. */
#ifndef GI_MATRIX_H
#define GI_MATRIX_H

#include "tensor/tensor.h"

typedef struct gi_matrix {
  int rank;
  int64_t dim[GLIA_MAX_RANK], stride[GLIA_MAX_RANK];
} gi_matrix;

/* The operand as `rank` logical axes, its own at the right, the last two swapped if asked. */
static inline gi_matrix gi_matrix_view(const gi_type *t, int rank, bool transpose) {
  gi_matrix m = {.rank = rank};
  int64_t own[GLIA_MAX_RANK];
  gi_type_strides(t, own);
  const int shift = rank - t->rank;
  for (int d = 0; d < rank; d++) {
    m.dim[d] = d < shift ? 1 : t->dim[d - shift];
    m.stride[d] = d < shift ? gi_type_count(t) : own[d - shift];
  }
  if (transpose) {
    const gi_matrix before = m;
    m.dim[rank - 2] = before.dim[rank - 1];
    m.dim[rank - 1] = before.dim[rank - 2];
    m.stride[rank - 2] = before.stride[rank - 1];
    m.stride[rank - 1] = before.stride[rank - 2];
  }
  return m;
}

/* All rows of a dense operand as one matrix. */
static inline void gi_matrix_join_rows(gi_matrix *m) {
  int64_t rows = 1;
  for (int d = 0; d + 1 < m->rank; d++) rows *= m->dim[d];
  const int64_t columns = m->dim[m->rank - 1];
  *m = (gi_matrix){2, {rows, columns}, {columns, 1}};
}

#endif /* GI_MATRIX_H */
