/* part.c - tensors put together, cut up and framed.
 */
#include <inttypes.h>

#include "formats/onnx/operators/common.h"

/* ---- Concat, Split ------------------------------------------------------------------------
 */

static glia_status build_concat(gi_onnx_call *c) {
  int axis = 0;
  if (c->version >= 4 && !gi_onnx_has(c, "axis"))
    return gi_onnx_fail(c, GLIA_MODEL, "there is no axis");
  GI_TRY(gi_onnx_axis(c, "axis", 1, glia_value_rank(c->in[0]), &axis));
  c->out[0] = c->n_in == 1 ? c->in[0] : glia_concat(c->in, c->n_in, axis);
  return GLIA_OK;
}

/* Sizes are given, or all parts are as large as the first, but for the last one. */
static glia_status build_split(gi_onnx_call *c) {
  int axis = 0, n = 0;
  int64_t many = c->node->n_out;
  GI_TRY(gi_onnx_axis(c, "axis", 0, glia_value_rank(c->in[0]), &axis));
  GI_TRY(gi_onnx_int(c, "num_outputs", many, &many));
  const int64_t size = glia_value_dim(c->in[0], axis);
  if (many != c->node->n_out)
    return gi_onnx_fail(c, GLIA_MODEL, "num_outputs is %" PRId64 ", the node has %d", many,
                        c->node->n_out);
  int64_t *sizes = gi_alloc((size_t)many * sizeof *sizes + 1);
  if (sizes == NULL) return gi_fail_nomem((size_t)many * sizeof *sizes);
  glia_status s = gi_onnx_ints_either(c, "split", 1, sizes, (int)many, &n);
  if (s == GLIA_OK && n >= 0 && n != many)
    s = gi_onnx_fail(c, GLIA_SHAPE, "%d sizes for %" PRId64 " parts", n, many);
  if (s == GLIA_OK && n < 0 && c->version < 18 && size % many != 0)
    s = gi_onnx_fail(c, GLIA_SHAPE, "%" PRId64 " elements in %" PRId64 " equal parts", size,
                     many);
  const int64_t each = (size + many - 1) / many;
  int64_t begin = 0;
  for (int i = 0; i < c->node->n_out && s == GLIA_OK; i++) {
    if (n < 0) sizes[i] = GI_MAX(0, GI_MIN(each, size - begin));
    if (sizes[i] < 0 || sizes[i] > size - begin)
      s = gi_onnx_fail(c, GLIA_SHAPE, "part %d, of %" PRId64 ", passes the axis of %" PRId64, i,
                       sizes[i], size);
    else if (gi_onnx_wanted(c, i))
      c->out[i] = glia_slice(c->in[0], axis, begin, begin + sizes[i], 1);
    if (gi_onnx_wanted(c, i)) c->out_type[i] = c->in_type[0];
    begin += GI_MAX(sizes[i], 0);
  }
  if (s == GLIA_OK && begin != size)
    s = gi_onnx_fail(c, GLIA_SHAPE, "the parts have %" PRId64 " of %" PRId64, begin, size);
  gi_free(sizes);
  return s;
}

/* ---- Slice --------------------------------------------------------------------------------
 */

/* Elements start, start + step, ... before end, both cut to the axis; backwards a start lies on
 * it and an end may lie in front of it: the same places in ascending order, turned round. */
static glia_value sliced(glia_value x, int axis, int64_t start, int64_t end, int64_t step) {
  const int64_t n = glia_value_dim(x, axis);
  if (n == 0) return x;
  if (start < 0) start += n;
  if (end < 0) end += n;
  if (step > 0) {
    start = GI_MAX(0, GI_MIN(start, n));
    end = GI_MAX(start, GI_MIN(end, n));
    return glia_slice(x, axis, start, end, step);
  }
  start = GI_MAX(0, GI_MIN(start, n - 1));
  end = GI_MAX(-1, GI_MIN(end, start));
  step = step < -n ? n : -step;                          /* there is no -INT64_MIN */
  const int64_t count = (start - end + step - 1) / step; /* the lowest place is the last */
  const int64_t lowest = count > 0 ? start - (count - 1) * step : 0;
  const glia_value part = glia_slice(x, axis, lowest, count > 0 ? start + 1 : 0, step);
  return glia_flip(part, &axis, 1);
}

static glia_status build_slice(gi_onnx_call *c) {
  int64_t start[GLIA_MAX_RANK], end[GLIA_MAX_RANK], step[GLIA_MAX_RANK], list[GLIA_MAX_RANK];
  int n = 0, n_end = 0, n_axes = 0, n_step = -1, axes[GLIA_MAX_RANK];
  glia_value x = c->in[0];
  GI_TRY(gi_onnx_ints_either(c, "starts", 1, start, GLIA_MAX_RANK, &n));
  GI_TRY(gi_onnx_ints_either(c, "ends", 2, end, GLIA_MAX_RANK, &n_end));
  GI_TRY(gi_onnx_ints_either(c, "axes", 3, list, GLIA_MAX_RANK, &n_axes));
  if (gi_onnx_given(c, 4)) GI_TRY(gi_onnx_known_ints(c, 4, step, GLIA_MAX_RANK, &n_step));
  if (n_axes < 0)
    for (n_axes = 0; n_axes < n; n_axes++) list[n_axes] = n_axes;
  if (n < 0 || n_end != n || n_axes != n || (n_step >= 0 && n_step != n))
    return gi_onnx_fail(c, GLIA_MODEL, "%d starts, %d ends and %d axes, wanted as many of each",
                        n, n_end, n_axes);
  GI_TRY(gi_onnx_axes(c, list, n, glia_value_rank(x), axes));
  for (int i = 0; i < n; i++) {
    if (n_step >= 0 && step[i] == 0) return gi_onnx_fail(c, GLIA_INVALID, "step %d is 0", i);
    x = sliced(x, axes[i], start[i], end[i], n_step >= 0 ? step[i] : 1);
    GI_TRY(glia_graph_status(c->g));
  }
  c->out[0] = x;
  return GLIA_OK;
}

/* ---- Pad ----------------------------------------------------------------------------------
 */

typedef enum frame { CONSTANT, REFLECT, EDGE, WRAP } frame;

/* The place in an axis of n that the place p, outside of it, shows. */
static int64_t shown(int64_t p, int64_t n, frame mode) {
  if (mode == EDGE) return GI_MAX(0, GI_MIN(p, n - 1));
  const int64_t period = mode == WRAP ? n : GI_MAX(1, 2 * (n - 1));
  p = (p % period + period) % period;
  return p < n ? p : period - p;
}

/* An axis by the places that its elements are taken from. */
static glia_status framed(gi_onnx_call *c, glia_value *x, int axis, int64_t before,
                          int64_t after, frame mode) {
  const int64_t n = glia_value_dim(*x, axis), count = n + before + after;
  if (n < 1) return gi_onnx_fail(c, GLIA_SHAPE, "axis %d has nothing to repeat", axis);
  GI_TRY(gi_onnx_room(c, count, 1));
  int64_t *places = gi_alloc((size_t)count * sizeof *places + 1);
  if (places == NULL) return gi_fail_nomem((size_t)count * sizeof *places);
  for (int64_t i = 0; i < count; i++) places[i] = shown(i - before, n, mode);
  *x = glia_gather(*x, gi_onnx_ints_value(c->g, 1, &count, places), axis);
  gi_free(places);
  return glia_graph_status(c->g);
}

/* Counts below 0 cut; what is left is framed. */
static glia_status padded(gi_onnx_call *c, const int64_t *before, const int64_t *after,
                          frame mode, double value) {
  gi_type t = gi_value_type(c->in[0]);
  int64_t front[GLIA_MAX_RANK] = {0}, back[GLIA_MAX_RANK] = {0};
  bool any = false;
  glia_value x = c->in[0];
  for (int d = 0; d < t.rank; d++) {
    const int64_t n = t.dim[d], most = INT64_MAX / 4;
    if (before[d] < -most || after[d] < -most || before[d] > most || after[d] > most ||
        n > most || n + before[d] + after[d] < 0)
      return gi_onnx_fail(c, GLIA_SHAPE,
                          "%" PRId64 " before and %" PRId64 " after axis %d of %" PRId64,
                          before[d], after[d], d, n);
    t.dim[d] = n + before[d] + after[d];
    GI_TRY(gi_type_check(&t, "Pad"));
    const bool frames = before[d] > 0 || after[d] > 0;
    if (mode != CONSTANT && frames) GI_TRY(framed(c, &x, d, before[d], after[d], mode));
    if (mode != CONSTANT && frames) continue;
    const int64_t from = GI_MIN(n, GI_MAX(0, -before[d]));
    if (before[d] < 0 || after[d] < 0)
      x = glia_slice(x, d, from, GI_MAX(from, n + GI_MIN(0, after[d])), 1);
    /* what is cut away beyond the elements is cut from the other side's frame */
    const int64_t kept = GI_MAX(0, n + GI_MIN(0, before[d]) + GI_MIN(0, after[d]));
    front[d] = before[d] > 0 ? GI_MIN(before[d], t.dim[d]) : 0;
    back[d] = t.dim[d] - kept - front[d];
    any = any || front[d] > 0 || back[d] > 0;
  }
  c->out[0] = any ? glia_pad(x, front, back, value) : x;
  return GLIA_OK;
}

/* pads = [before..., after...] of the axes listed, or of all. */
static glia_status build_pad(gi_onnx_call *c) {
  static const char *const words[] = {"constant", "reflect", "edge", "wrap", NULL};
  int64_t pads[2 * GLIA_MAX_RANK], list[GLIA_MAX_RANK];
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  int mode = 0, n = 0, n_axes = 0, axes[GLIA_MAX_RANK];
  double value = 0;
  const int rank = glia_value_rank(c->in[0]);
  GI_TRY(gi_onnx_choice(c, "mode", "constant", words, &mode));
  GI_TRY(gi_onnx_ints_either(c, c->version < 2 ? "paddings" : "pads", 1, pads, GI_COUNT(pads),
                             &n));
  GI_TRY(gi_onnx_float(c, "value", 0, &value));
  if (mode == CONSTANT) GI_TRY(gi_onnx_known_number(c, 2, value, &value));
  for (; n_axes < rank; n_axes++) list[n_axes] = n_axes;
  if (gi_onnx_given(c, 3)) GI_TRY(gi_onnx_known_ints(c, 3, list, GLIA_MAX_RANK, &n_axes));
  GI_TRY(gi_onnx_axes(c, list, n_axes, rank, axes));
  if (n != 2 * n_axes)
    return gi_onnx_fail(c, GLIA_MODEL, "%d pads for %d axes, wanted two for each", n, n_axes);
  for (int i = 0; i < n_axes; i++) {
    before[axes[i]] = pads[i];
    after[axes[i]] = pads[n_axes + i];
  }
  return padded(c, before, after, (frame)mode, value);
}

/* Half of the difference on either side: a cut begins, and a frame is smaller, at the lower
 * half. */
static glia_status build_center(gi_onnx_call *c) {
  int64_t want[GLIA_MAX_RANK], list[GLIA_MAX_RANK];
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  int n = 0, n_axes = 0, axes[GLIA_MAX_RANK];
  const int rank = glia_value_rank(c->in[0]);
  GI_TRY(gi_onnx_known_ints(c, 1, want, GLIA_MAX_RANK, &n));
  GI_TRY(gi_onnx_ints(c, "axes", list, GLIA_MAX_RANK, &n_axes));
  if (!gi_onnx_has(c, "axes"))
    for (; n_axes < rank; n_axes++) list[n_axes] = n_axes;
  GI_TRY(gi_onnx_axes(c, list, n_axes, rank, axes));
  if (n != n_axes) return gi_onnx_fail(c, GLIA_MODEL, "%d sizes for %d axes", n, n_axes);
  for (int i = 0; i < n; i++) {
    const int64_t size = glia_value_dim(c->in[0], axes[i]);
    if (want[i] < 0 || want[i] > INT64_MAX / 8)
      return gi_onnx_fail(c, GLIA_SHAPE, "size %" PRId64 " is asked for", want[i]);
    before[axes[i]] = want[i] > size ? (want[i] - size) / 2 : -((size - want[i]) / 2);
    after[axes[i]] = want[i] - size - before[axes[i]];
  }
  return padded(c, before, after, CONSTANT, 0);
}

/* ---- Trilu --------------------------------------------------------------------------------
 */

static glia_status build_trilu(gi_onnx_call *c) {
  int64_t k = 0;
  int n = 0;
  bool upper = true;
  GI_TRY(gi_onnx_bool(c, "upper", true, &upper));
  if (gi_onnx_given(c, 1)) GI_TRY(gi_onnx_known_ints(c, 1, &k, 1, &n));
  c->out[0] = upper ? glia_triu(c->in[0], k) : glia_tril(c->in[0], k);
  return GLIA_OK;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

const gi_onnx_operator *const gi_onnx_operators_part[] = {
    GI_ONNX_ROW("Concat", "axis", 1, -1, 1, build_concat, 1, 4),
    GI_ONNX_ROW("Split", "axis split num_outputs", 1, 2, -1, build_split, 1, 2, 13, 18),
    GI_ONNX_ROW("Slice", "starts ends axes", 1, 5, 1, build_slice, 1, 10),
    GI_ONNX_ROW("Pad", "mode pads paddings value", 1, 4, 1, build_pad, 1, 2, 11, 18, 19),
    GI_ONNX_ROW("CenterCropPad", "axes", 2, 2, 1, build_center, 18),
    GI_ONNX_ROW("Trilu", "upper", 1, 2, 1, build_trilu, 14),
    NULL,
};
