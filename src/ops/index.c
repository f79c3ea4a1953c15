/* index.c - choosing and placing by masks and by indices into several axes, and ranges: what is
 * made of the ops for one axis, so that there is no op for it.
 */
#include <math.h>

#include "glia/index.h"
#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- masks --------------------------------------------------------------------------- */

glia_value glia_masked_fill(glia_value x, glia_value mask, double v) {
  if (gi_null(x) || gi_null(mask)) return GLIA_NONE;
  const gi_type t = gi_value_type(x);
  return glia_where(glia_broadcast_to(mask, t.rank, t.dim), glia_full_like(x, v), x);
}

/* The places of the mask's truths, looked up; what lies behind the count is set to 0. */
glia_value glia_masked_select(glia_value x, glia_value mask, glia_value *count) {
  glia_value n = GLIA_NONE;
  if (count != NULL) *count = GLIA_NONE;
  if (gi_null(x) || gi_null(mask)) return GLIA_NONE;
  const gi_type t = gi_value_type(x);
  const int64_t all = gi_type_count(&t);
  mask = glia_reshape(glia_broadcast_to(mask, t.rank, t.dim), 1, &all);
  if (!gi_null(mask) && glia_value_dtype(mask) != GLIA_BOOL)
    return gi_latch(x.graph, GLIA_DTYPE, "masked_select: mask is %s, wanted bool",
                    glia_dtype_name(glia_value_dtype(mask)));
  const glia_value at = glia_reshape(glia_nonzero(mask, &n), 1, &all);
  const glia_value chosen = glia_gather(glia_reshape(x, 1, &all), at, 0);
  if (count != NULL) *count = n;
  if (gi_null(chosen)) return chosen;
  return glia_where(glia_less(glia_range(x.graph, all, GLIA_I64), n), chosen,
                    glia_full_like(chosen, 0));
}

/* The k-th truth gets element k of the source; places that are not true look at element 0. */
glia_value glia_masked_scatter(glia_value x, glia_value mask, glia_value source) {
  if (gi_null(x) || gi_null(mask) || gi_null(source)) return GLIA_NONE;
  const gi_type t = gi_value_type(x), tm = gi_value_type(mask), ts = gi_value_type(source);
  const int64_t all = gi_type_count(&t);
  char tx[GI_TEXT], text[GI_TEXT];
  if (tm.dtype != GLIA_BOOL || !gi_shape_equal(&t, &tm) || ts.rank != 1)
    return gi_latch(
        x.graph, GLIA_SHAPE,
        "masked_scatter: x is %s, mask is %s, source has rank %d; wanted a bool mask "
        "of x's shape and a source of rank 1",
        gi_shape_text(&t, tx, sizeof tx), gi_type_text(&tm, text, sizeof text), ts.rank);
  if (ts.dim[0] == 0) return x;
  const glia_value flat = glia_reshape(mask, 1, &all);
  const glia_value seen = glia_cumsum(glia_cast(flat, GLIA_I64), 0, false);
  const glia_value at =
      glia_where(flat, glia_sub(seen, glia_scalar_like(seen, 1)), glia_full_like(seen, 0));
  return glia_where(mask, glia_reshape(glia_gather(source, at, 0), t.rank, t.dim), x);
}

/* ---- several axes, whole entries ----------------------------------------------------- */

/* Of index [I..., k] into x: the first k axes as one index, and x with them joined. */
typedef struct joined {
  glia_value index, x; /* [I...], [all, rest...] */
  gi_type t, ti;
  int k;
} joined;

static joined join(glia_value x, glia_value index, const char *op) {
  joined j = {.index = GLIA_NONE, .x = GLIA_NONE};
  if (gi_null(x) || gi_null(index)) return j;
  j.t = gi_value_type(x);
  j.ti = gi_value_type(index);
  char tx[GI_TEXT], text[GI_TEXT];
  const int64_t k = j.ti.rank > 0 ? j.ti.dim[j.ti.rank - 1] : -1;
  if (k < 0 || k > j.t.rank || (k == 0 && j.t.rank == GLIA_MAX_RANK)) {
    gi_latch(x.graph, GLIA_SHAPE, "%s: x is %s, index is %s, wanted [..., up to %d]", op,
             gi_shape_text(&j.t, tx, sizeof tx), gi_shape_text(&j.ti, text, sizeof text),
             j.t.rank);
    return j;
  }
  int64_t shape[GLIA_MAX_RANK + 1] = {1};
  const int rest = j.t.rank - (int)k;
  j.k = (int)k;
  for (int d = 0; d < j.k; d++) shape[0] *= j.t.dim[d];
  for (int d = 0; d < rest; d++) shape[1 + d] = j.t.dim[k + d];
  j.index = glia_ravel_index(index, j.t.dim, j.k);
  j.x = glia_reshape(x, rest + 1, shape);
  return j;
}

glia_value glia_gather_nd(glia_value x, glia_value index) {
  const joined j = join(x, index, "gather_nd");
  return glia_gather(j.x, j.index, 0);
}

/* index [m] along the first axis of x, for every element behind it. */
static glia_value by_entry(glia_value x, glia_value index, glia_value updates,
                           glia_scatter_mode mode, const char *op) {
  if (gi_null(x) || gi_null(index) || gi_null(updates)) return GLIA_NONE;
  const gi_type t = gi_value_type(x), ti = gi_value_type(index), tu = gi_value_type(updates);
  gi_type want = t;
  char got[GI_TEXT], wanted[GI_TEXT];
  want.dim[0] = gi_type_count(&ti);
  if (!gi_shape_equal(&want, &tu))
    return gi_latch(x.graph, GLIA_SHAPE, "%s: updates are %s, wanted %s", op,
                    gi_shape_text(&tu, got, sizeof got),
                    gi_shape_text(&want, wanted, sizeof wanted));
  int64_t column[GLIA_MAX_RANK] = {want.dim[0], 1, 1, 1, 1, 1, 1, 1};
  const glia_value each =
      glia_broadcast_to(glia_reshape(index, t.rank, column), t.rank, want.dim);
  return glia_scatter(x, each, updates, 0, mode);
}

glia_value glia_scatter_nd(glia_value x, glia_value index, glia_value updates,
                           glia_scatter_mode mode) {
  const joined j = join(x, index, "scatter_nd");
  if (gi_null(j.x) || gi_null(j.index) || gi_null(updates)) return GLIA_NONE;
  const gi_type tj = gi_value_type(j.x), tu = gi_value_type(updates);
  int64_t shape[GLIA_MAX_RANK];
  char got[GI_TEXT];
  bool fits = tu.rank == j.ti.rank - 1 + tj.rank - 1;
  for (int d = 0; fits && d < tu.rank; d++)
    fits = tu.dim[d] == (d < j.ti.rank - 1 ? j.ti.dim[d] : tj.dim[d - (j.ti.rank - 1) + 1]);
  if (!fits)
    return gi_latch(
        x.graph, GLIA_SHAPE,
        "scatter_nd: updates are %s, wanted the index's leading axes and x's behind "
        "the first %d",
        gi_shape_text(&tu, got, sizeof got), j.k);
  memcpy(shape, tj.dim, sizeof shape);
  const gi_type ti = gi_value_type(j.index);
  shape[0] = gi_type_count(&ti);
  const glia_value y =
      by_entry(j.x, j.index, glia_reshape(updates, tj.rank, shape), mode, "scatter_nd");
  return glia_reshape(y, j.t.rank, j.t.dim);
}

glia_value glia_index_put(glia_value x, glia_value index, glia_value updates, int axis,
                          glia_scatter_mode mode) {
  if (gi_null(x) || gi_null(index) || gi_null(updates)) return GLIA_NONE;
  const int rank = glia_value_rank(x), at = gi_axis(axis, rank);
  if (at < 0 || glia_value_rank(index) != 1 || glia_value_rank(updates) != rank)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "index_put: x has rank %d, axis %d, index rank %d, updates rank %d; wanted "
                    "an axis of x, [m], and x's rank",
                    rank, axis, glia_value_rank(index), glia_value_rank(updates));
  const glia_value y = by_entry(glia_transpose(x, 0, at), index, glia_transpose(updates, 0, at),
                                mode, "index_put");
  return glia_transpose(y, 0, at);
}

/* ---- ranges -------------------------------------------------------------------------- */

glia_value glia_arange(glia_graph *g, double start, double end, double step, glia_dtype dtype) {
  const double n = ceil((end - start) / step);
  if (!(n >= 0 && n < 1e15))
    return gi_latch(g, GLIA_INVALID, "arange: from %g to %g by steps of %g", start, end, step);
  const glia_value i = glia_range(g, (int64_t)n, GLIA_F64);
  return glia_cast(glia_add(glia_mul(i, glia_scalar_like(i, step)), glia_scalar_like(i, start)),
                   dtype);
}

/* From both ends, so that the last is `end` itself. */
glia_value glia_linspace(glia_graph *g, double start, double end, int64_t n, glia_dtype dtype) {
  if (n < 0 || !isfinite(start) || !isfinite(end))
    return gi_latch(g, GLIA_INVALID, "linspace: %" PRId64 " numbers from %g to %g", n, start,
                    end);
  const glia_value i = glia_range(g, n, GLIA_F64);
  if (gi_null(i)) return i;
  const double last = n > 1 ? (double)(n - 1) : 1, step = (end - start) / last;
  const glia_value up =
      glia_add(glia_mul(i, glia_scalar_like(i, step)), glia_scalar_like(i, start));
  const glia_value down =
      glia_sub(glia_scalar_like(i, end),
               glia_mul(glia_sub(glia_scalar_like(i, last), i), glia_scalar_like(i, step)));
  const glia_value first_half = glia_less(i, glia_scalar_like(i, (double)n / 2));
  return glia_cast(n > 1 ? glia_where(first_half, up, down) : up, dtype);
}

glia_value glia_expand(glia_value x, int rank, const int64_t *shape) {
  int64_t to[GLIA_MAX_RANK];
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  if (rank < t.rank || rank > GLIA_MAX_RANK)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "expand: rank %d, x has %d; wanted as much, at most %d", rank, t.rank,
                    GLIA_MAX_RANK);
  for (int d = 0; d < rank; d++) {
    const int of = d - (rank - t.rank);
    if (shape[d] < 0 && of < 0)
      return gi_latch(x.graph, GLIA_SHAPE, "expand: axis %d is new, so it has no size to keep",
                      d);
    to[d] = shape[d] < 0 ? t.dim[of] : shape[d];
  }
  return glia_broadcast_to(x, rank, to);
}
