/* glia/index.h - sorting, choosing, and elements by index. As glia/graph.h, where gather,
 * scatter_add, take_along and one_hot are.
 *
 * Graphs have fixed shapes. Where a result's size depends on the data (unique, nonzero,
 * masked_select), it is as large as it can become, a count says how much of it holds, and zeros
 * fill the rest: so indices behind the count are safe to look up, and count nothing.
 *
 * Indices are i64 or i32 and count from 0. One that is out of range is reported when the graph
 * is run, with the layer, its value and its position; nothing is read or written out of bounds.
 */
#ifndef GLIA_INDEX_H
#define GLIA_INDEX_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- order ------------------------------------------------------------------------------- */

/* The elements of an axis in ascending or descending order; `index` (or NULL) receives where
 * each was (i64). Equals keep their order; NaN is the largest. Differentiable. */
GLIA_API glia_value glia_sort(glia_value x, int axis, bool descending, glia_value *index);
/* Only where they were. */
GLIA_API glia_value glia_argsort(glia_value x, int axis, bool descending);
/* The count largest elements of an axis, the largest first; with `smallest` the smallest. */
GLIA_API glia_value glia_top_k(glia_value x, int64_t count, int axis, bool smallest,
                               glia_value *index);
/* The largest of x[0] ... x[i] along an axis, and (or NULL) where it was, the last of equals;
 * NaN is the largest. */
GLIA_API glia_value glia_cummax(glia_value x, int axis, glia_value *index);
/* The smallest; NaN is the smallest. */
GLIA_API glia_value glia_cummin(glia_value x, int axis, glia_value *index);
/* The different elements of x in ascending order, as many as x has elements, zeros behind
 * `count` (i64, rank 0) of them. `inverse` [x's shape]: where each element of x is among them;
 * `counts`: how often each is there (both i64). Any may be NULL. No gradient. */
GLIA_API glia_value glia_unique(glia_value x, glia_value *inverse, glia_value *counts,
                                glia_value *count);

/* ---- by truth ---------------------------------------------------------------------------- */

/* The indices of what is not zero, row-major, as rows: i64 [elements of x, rank of x], zeros
 * behind `count` (i64, rank 0). No gradient. */
GLIA_API glia_value glia_nonzero(glia_value x, glia_value *count);
/* The elements of x where mask (bool, of x's shape or one that broadcasts to it) is true, in
 * row-major order, as [elements of x], zeros behind `count`. */
GLIA_API glia_value glia_masked_select(glia_value x, glia_value mask, glia_value *count);
/* x, with v where mask is true; mask broadcasts to x's shape. */
GLIA_API glia_value glia_masked_fill(glia_value x, glia_value mask, double v);
/* x, with the elements of source (rank 1) put in row-major order where mask (bool, x's shape)
 * is true; source has at least as many as there are, else the index is reported. */
GLIA_API glia_value glia_masked_scatter(glia_value x, glia_value mask, glia_value source);

/* ---- scattering -------------------------------------------------------------------------- */

typedef enum glia_scatter_mode {
  GLIA_SCATTER_SET, /* the last one stays */
  GLIA_SCATTER_ADD,
  GLIA_SCATTER_MUL,
  GLIA_SCATTER_MAX, /* ties share the gradient */
  GLIA_SCATTER_MIN,
  GLIA_SCATTER_MEAN /* of what is there and what comes */
} glia_scatter_mode;
/* x, where out[i][index[i][j]] is set to, or combined with, updates[i][j] for axis 1, and so
 * on. index has x's rank; its other axes are at most x's; updates has at least its shape
 * (torch's scatter and scatter_reduce). Differentiable in x and updates. */
GLIA_API glia_value glia_scatter(glia_value x, glia_value index, glia_value updates, int axis,
                                 glia_scatter_mode mode);
/* The same, what is there at index not counting: torch's scatter_reduce without include_self.
 */
GLIA_API glia_value glia_scatter_over(glia_value x, glia_value index, glia_value updates,
                                      int axis, glia_scatter_mode mode);
/* x[index[..., 0], index[..., 1], ...]: index [I..., k] -> I... + x's shape behind the first k
 * axes. */
GLIA_API glia_value glia_gather_nd(glia_value x, glia_value index);
/* x, with updates I... + x's shape behind the first k axes set or combined at index [I..., k].
 */
GLIA_API glia_value glia_scatter_nd(glia_value x, glia_value index, glia_value updates,
                                    glia_scatter_mode mode);
/* Whole entries of an axis: x[.., index[i], ..] set to, or combined with, updates[.., i, ..];
 * index [m]. torch's index_copy, index_add and index_reduce; for index_select: glia_gather. */
GLIA_API glia_value glia_index_put(glia_value x, glia_value index, glia_value updates, int axis,
                                   glia_scatter_mode mode);
/* Indices [..., k] into the first k axes of `shape` as one index each, row-major: [...]. */
GLIA_API glia_value glia_ravel_index(glia_value index, const int64_t *shape, int k);

/* ---- ranges ------------------------------------------------------------------------------ */

/* start, start + step, ... before end: ceil((end - start) / step) numbers. */
GLIA_API glia_value glia_arange(glia_graph *g, double start, double end, double step,
                                glia_dtype dtype);
/* n numbers from start to end, both included. */
GLIA_API glia_value glia_linspace(glia_graph *g, double start, double end, int64_t n,
                                  glia_dtype dtype);
/* broadcast_to, where a size of -1 keeps x's; new axes come in front. */
GLIA_API glia_value glia_expand(glia_value x, int rank, const int64_t *shape);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_INDEX_H */
