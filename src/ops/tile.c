/* tile.c - a tensor beside itself: whole axes again and again (tile), or each element of an
 * axis so many times (repeat).
 *
 * Both are a reshape that opens an axis of size 1, a broadcast along it, and a reshape that
 * joins it with its neighbour, so there is no op for them.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* x [outer, n, inner] with the axis `times` as large: blocks of `run` elements are repeated. */
static glia_value repeated(glia_value x, int axis, int64_t times, bool each) {
  if (gi_null(x) || times == 1) return x;
  gi_type t = gi_value_type(x);
  const gi_rows r = gi_rows_of(&t, axis);
  const int64_t outer = each ? r.outer * r.n : r.outer, run = each ? r.inner : r.n * r.inner;
  const int64_t most = INT64_MAX / GI_MAX(1, gi_type_count(&t));
  if (times < 0 || times > most)
    return gi_latch(x.graph, GLIA_INVALID, "%s: %" PRId64 " times, wanted 0 to %" PRId64,
                    each ? "repeat" : "tile", times, most);
  t.dim[axis] *= times;
  const glia_value wide =
      glia_broadcast_to(glia_reshape(x, 3, (const int64_t[]){outer, 1, run}), 3,
                        (const int64_t[]){outer, times, run});
  return glia_reshape(wide, t.rank, t.dim);
}

glia_value glia_tile(glia_value x, int n, const int64_t *times) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  if (n < t.rank || n > GLIA_MAX_RANK)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "tile: %d counts, x has rank %d; wanted one an axis, more for new axes in "
                    "front, at most %d",
                    n, t.rank, GLIA_MAX_RANK);
  int64_t shape[GLIA_MAX_RANK];
  for (int d = 0; d < n; d++) shape[d] = d < n - t.rank ? 1 : t.dim[d - (n - t.rank)];
  x = glia_reshape(x, n, shape);
  for (int d = n - 1; d >= 0; d--) x = repeated(x, d, times[d], false);
  return x;
}

glia_value glia_repeat(glia_value x, int axis, int64_t times) {
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  if (at < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "repeat: axis %d is out of range, x has rank %d", axis,
                    glia_value_rank(x));
  return repeated(x, at, times, true);
}
