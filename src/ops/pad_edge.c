/* pad_edge.c - a frame around a tensor that is made of its own elements.
 *
 * Element i of a longer axis is x's element at the place p = i - before, brought back inside:
 *
 *   reflect     2 1 | 0 1 2 3 | 2 1     the edge is a mirror and is not repeated
 *   replicate   0 0 | 0 1 2 3 | 3 3     the edge is repeated
 *   circular    2 3 | 0 1 2 3 | 0 1     the axis is a circle
 *
 * which is a gather along each axis, so there is no op for it. A negative count cuts.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* Counts that each mode can serve: a reflection sees at most n - 1 elements, a circle n. */
static glia_status check(const gi_type *x, int d, int64_t before, int64_t after,
                         glia_pad_mode mode) {
  static const char *const names[] = {"reflect", "replicate", "circular"};
  char text[GI_TEXT];
  const int64_t n = x->dim[d];
  const int64_t most = mode == GLIA_PAD_REFLECT    ? n - 1
                       : mode == GLIA_PAD_CIRCULAR ? n
                                                   : INT64_MAX / 32;
  if (n < 1 || n > INT64_MAX / 32)
    return gi_fail(GLIA_SHAPE, "pad_edge: axis %d of %s has no edge", d,
                   gi_shape_text(x, text, sizeof text));
  if (before < -n || after < -n || before + n < -after || before > most || after > most)
    return gi_fail(GLIA_SHAPE,
                   "pad_edge: %" PRId64 " before and %" PRId64
                   " after axis %d of %s; %s "
                   "takes at most %" PRId64,
                   before, after, d, gi_shape_text(x, text, sizeof text), names[mode], most);
  return GLIA_OK;
}

static int64_t inside(int64_t p, int64_t n, glia_pad_mode mode) {
  if (mode == GLIA_PAD_CIRCULAR) return (p + n) % n;
  if (mode == GLIA_PAD_REPLICATE) return GI_MAX(0, GI_MIN(p, n - 1));
  return p < 0 ? -p : p >= n ? 2 * (n - 1) - p : p;
}

static glia_value pad_axis(glia_value x, int d, int64_t before, int64_t after,
                           glia_pad_mode mode) {
  const int64_t n = glia_value_dim(x, d), count = before + n + after;
  int64_t *index = gi_alloc((size_t)count * sizeof *index);
  if (index == NULL)
    return gi_latch(x.graph, GLIA_NOMEM, "pad_edge: no memory for %" PRId64 " indices", count);
  for (int64_t i = 0; i < count; i++) index[i] = inside(i - before, n, mode);
  const glia_value at = glia_constant(x.graph, GLIA_I64, 1, &count, index);
  gi_free(index);
  return glia_gather(x, at, d);
}

glia_value glia_pad_edge(glia_value x, const int64_t *before, const int64_t *after,
                         glia_pad_mode mode) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  if ((unsigned)mode > GLIA_PAD_CIRCULAR)
    return gi_latch(x.graph, GLIA_INVALID, "pad_edge: there is no mode %d", (int)mode);
  for (int d = 0; d < t.rank; d++) {
    if (before[d] == 0 && after[d] == 0) continue;
    const glia_status s = check(&t, d, before[d], after[d], mode);
    if (s != GLIA_OK) return gi_latch(x.graph, s, "%s", glia_error_message());
    x = pad_axis(x, d, before[d], after[d], mode);
    if (gi_null(x)) return x;
  }
  return x;
}
