/* ops/rows.h - gradients that are zero but for a few rows, as these rows.
 *
 * The gradient of a look-up, x[index], is scatter_add(y, index): as large as x, and zero where
 * no index points. Each row that is named once, with the sum of what belongs to it, says the
 * same:
 *
 *   index  7 2 7 5            index  2 5 7 0        of count 3; then zeros
 *   y      a b c d     ->     sum    b d a+c 0
 *
 * An update of some rows takes them out (gather), computes, and writes them back (write_rows),
 * over the parameter itself; the others are never looked at.
 */
#ifndef GI_OPS_ROWS_H
#define GI_OPS_ROWS_H

#include "ops/attrs.h"

typedef struct gi_used_rows {
  glia_value index; /* [n]: the rows, each once, rising; count of them, then zeros */
  glia_value sum;   /* [n, ..]: what is added to each, summed in the order of the index; zeros
                       behind count */
  glia_value count; /* [] i64 */
} gi_used_rows;

/* Of y [I.., D..] and index [I..]: scatter_add(y, index, axis 0) as rows. */
gi_used_rows gi_sum_rows(glia_value y, glia_value index);

/* Is the gradient made by look-ups alone that are marked sparse, by one index or several? Then
 * it is given as rows. */
bool gi_is_sparse(glia_value gradient, gi_used_rows *out);

/* x with its used rows replaced: rows [n, ..]. */
glia_value gi_write_rows(glia_value x, glia_value rows, const gi_used_rows *used);

#endif /* GI_OPS_ROWS_H */
