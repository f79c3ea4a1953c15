/* index.c - elements by index, taken and put. A negative index counts from the end of its axis.
 */
#include "glia/index.h"

#include <inttypes.h>
#include <math.h>

#include "formats/onnx/operators/common.h"

/* ---- taking -------------------------------------------------------------------------------
 */

static glia_status build_gather(gi_onnx_call *c) {
  int axis = 0;
  GI_TRY(gi_onnx_axis(c, "axis", 0, glia_value_rank(c->in[0]), &axis));
  const glia_value index = gi_onnx_index(c->in[1], glia_value_dim(c->in[0], axis));
  c->out[0] = glia_gather(c->in[0], index, axis);
  return GLIA_OK;
}

/* The index may be smaller than x along other axes: the rest of x is not looked at. */
static glia_status build_gather_elements(gi_onnx_call *c) {
  glia_value x = c->in[0];
  const gi_type t = gi_value_type(x), ti = gi_value_type(c->in[1]);
  int axis = 0;
  GI_TRY(gi_onnx_axis(c, "axis", 0, t.rank, &axis));
  if (ti.rank != t.rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "the index has %d axes, the data %d", ti.rank, t.rank);
  for (int d = 0; d < t.rank; d++)
    if (d != axis && ti.dim[d] < t.dim[d]) x = glia_slice(x, d, 0, ti.dim[d], 1);
  c->out[0] = glia_take_along(x, gi_onnx_index(c->in[1], t.dim[axis]), axis);
  return GLIA_OK;
}

/* Index [..., k] into the axes of x from `first` on. */
static glia_value index_of_many(gi_onnx_call *c, glia_value index, const gi_type *x,
                                int first) {
  const int64_t k = glia_value_dim(index, -1);
  const glia_value sizes =
      glia_cast(gi_onnx_ints_value(c->g, 1, &k, x->dim + first), glia_value_dtype(index));
  const glia_value below = glia_less(index, glia_scalar_like(index, 0));
  return glia_where(below, glia_add(index, sizes), index);
}

static glia_status check_many(const gi_onnx_call *c, const gi_type *x, const gi_type *index,
                              int64_t batch) {
  const int64_t k = index->rank > 0 ? index->dim[index->rank - 1] : 0;
  if (batch >= 0 && index->rank > batch && x->rank > batch && k >= 1 && k <= x->rank - batch)
    return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE,
                      "the index [..., %" PRId64 "] does not fit %d axes behind %" PRId64
                      " of a batch",
                      k, x->rank, batch);
}

/* The axes of the batch become one, and its number the first entry of every index. */
static glia_status build_gather_nd(gi_onnx_call *c) {
  int64_t batch = 0, all = 1;
  GI_TRY(gi_onnx_int(c, "batch_dims", 0, &batch));
  const gi_type x = gi_value_type(c->in[0]), ti = gi_value_type(c->in[1]);
  GI_TRY(check_many(c, &x, &ti, batch));
  const glia_value index = index_of_many(c, c->in[1], &x, (int)batch);
  if (batch == 0) {
    c->out[0] = glia_gather_nd(c->in[0], index);
    return GLIA_OK;
  }
  gi_type flat = {.dtype = x.dtype, .rank = 1}, fi = {.rank = 1}, column,
          y = {.dtype = x.dtype};
  for (int d = 0; d < batch; d++) {
    if (x.dim[d] != ti.dim[d])
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d of the batch is %" PRId64 " and %" PRId64, d,
                          x.dim[d], ti.dim[d]);
    all *= x.dim[d];
  }
  flat.dim[0] = fi.dim[0] = all;
  for (int d = (int)batch; d < x.rank; d++) flat.dim[flat.rank++] = x.dim[d];
  for (int d = (int)batch; d < ti.rank; d++) fi.dim[fi.rank++] = ti.dim[d];
  column = fi;
  column.dim[column.rank - 1] = 1;
  const glia_value numbers = glia_broadcast_to(
      gi_onnx_along(glia_range(c->g, all, glia_value_dtype(index)), 0, fi.rank), fi.rank,
      column.dim);
  const glia_value parts[] = {numbers, gi_onnx_reshape(index, &fi)};
  const glia_value found =
      glia_gather_nd(gi_onnx_reshape(c->in[0], &flat), glia_concat(parts, 2, fi.rank - 1));
  for (int d = 0; d + 1 < ti.rank; d++) y.dim[y.rank++] = ti.dim[d];
  for (int d = (int)(batch + ti.dim[ti.rank - 1]); d < x.rank; d++) {
    if (y.rank == GLIA_MAX_RANK)
      return gi_onnx_fail(c, GLIA_UNSUPPORTED, "the result has more than %d axes",
                          GLIA_MAX_RANK);
    y.dim[y.rank++] = x.dim[d];
  }
  c->out[0] = gi_onnx_reshape(found, &y);
  return GLIA_OK;
}

/* A condition shorter than the axis says no of the rest. */
static glia_status build_compress(gi_onnx_call *c) {
  glia_value x = c->in[0];
  const gi_type t = gi_value_type(x);
  const glia_tensor *condition = NULL;
  int axis = 0;
  if (gi_onnx_has(c, "axis"))
    GI_TRY(gi_onnx_axis(c, "axis", 0, t.rank, &axis));
  else
    x = glia_reshape(x, 1, (const int64_t[]){gi_type_count(&t)});
  GI_TRY(gi_onnx_known(c, 1, &condition));
  const int64_t n = glia_value_dim(x, axis), given = glia_tensor_count(condition);
  int64_t *places = gi_alloc((size_t)GI_MAX(n, 0) * sizeof *places + 1), count = 0;
  if (places == NULL) return gi_fail_nomem((size_t)n * sizeof *places);
  for (int64_t i = 0; i < GI_MIN(n, given); i++)
    if (glia_tensor_get(condition, i) != 0) places[count++] = i;
  c->out[0] = glia_gather(x, gi_onnx_ints_value(c->g, 1, &count, places), axis);
  gi_free(places);
  return GLIA_OK;
}

/* ---- putting ------------------------------------------------------------------------------
 */

static glia_status read_reduction(const gi_onnx_call *c, glia_scatter_mode *mode) {
  static const char *const words[] = {"none", "add", "mul", "max", "min", NULL};
  int k = 0;
  GI_TRY(gi_onnx_choice(c, "reduction", "none", words, &k));
  *mode = (glia_scatter_mode)(GLIA_SCATTER_SET + k);
  return GLIA_OK;
}

static glia_status build_scatter(gi_onnx_call *c) {
  glia_scatter_mode mode = GLIA_SCATTER_SET;
  int axis = 0;
  GI_TRY(gi_onnx_axis(c, "axis", 0, glia_value_rank(c->in[0]), &axis));
  GI_TRY(read_reduction(c, &mode));
  const glia_value index = gi_onnx_index(c->in[1], glia_value_dim(c->in[0], axis));
  c->out[0] = glia_scatter(c->in[0], index, c->in[2], axis, mode);
  return GLIA_OK;
}

static glia_status build_scatter_nd(gi_onnx_call *c) {
  glia_scatter_mode mode = GLIA_SCATTER_SET;
  const gi_type x = gi_value_type(c->in[0]), ti = gi_value_type(c->in[1]);
  GI_TRY(read_reduction(c, &mode));
  GI_TRY(check_many(c, &x, &ti, 0));
  c->out[0] = glia_scatter_nd(c->in[0], index_of_many(c, c->in[1], &x, 0), c->in[2], mode);
  return GLIA_OK;
}

/* update [B, .., s, ..] over past [B, .., n, ..], from the place on that write_indices [B]
 * says; circular: places are modulo n. */
static glia_status build_tensor_scatter(gi_onnx_call *c) {
  static const char *const words[] = {"linear", "circular", NULL};
  const gi_type x = gi_value_type(c->in[0]), u = gi_value_type(c->in[1]);
  int axis = 0, circular = 0;
  GI_TRY(gi_onnx_axis(c, "axis", -2, x.rank, &axis));
  GI_TRY(gi_onnx_choice(c, "mode", "linear", words, &circular));
  if (axis == 0 || u.rank != x.rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "axis %d of %d and %d axes; the first is the batch",
                        axis, x.rank, u.rank);
  glia_value at = gi_onnx_along(glia_range(c->g, u.dim[axis], GLIA_I64), axis, x.rank);
  if (gi_onnx_given(c, 2))
    at = glia_add(at, gi_onnx_along(glia_cast(c->in[2], GLIA_I64), 0, x.rank));
  if (circular && x.dim[axis] > 0)
    at = gi_onnx_whole(&gi_op_integer_mod, at, glia_scalar_like(at, (double)x.dim[axis]),
                       GI_ONNX_INT64);
  at = glia_broadcast_to(at, u.rank, u.dim);
  c->out[0] = glia_scatter(c->in[0], at, c->in[1], axis, GLIA_SCATTER_SET);
  return GLIA_OK;
}

/* ---- OneHot, ReverseSequence ---------------------------------------------------------------
 */

/* values = [off, on]; an index that is not in -depth .. depth - 1 is off everywhere. */
static glia_status build_one_hot(gi_onnx_call *c) {
  const gi_type t = gi_value_type(c->in[0]);
  double depth = 0;
  int axis = 0;
  GI_TRY(gi_onnx_known_number(c, 1, 0, &depth));
  GI_TRY(gi_onnx_axis(c, "axis", -1, t.rank + 1, &axis));
  if (!(depth >= 1 && depth < 1e15) || t.rank == GLIA_MAX_RANK)
    return gi_onnx_fail(c, GLIA_SHAPE, "the depth is %g", depth);
  const int64_t n = (int64_t)depth;
  gi_type wide = {.dtype = GLIA_I64, .rank = t.rank + 1};
  for (int d = 0, from = 0; d < wide.rank; d++) wide.dim[d] = d == axis ? 1 : t.dim[from++];
  glia_value index = glia_cast(c->in[0], GLIA_I64);
  index = gi_onnx_reshape(gi_onnx_index(index, n), &wide);
  const glia_value place = gi_onnx_along(glia_range(c->g, n, GLIA_I64), axis, wide.rank);
  const gi_type one = {.dtype = glia_value_dtype(c->in[2])};
  const glia_value off = gi_onnx_reshape(glia_slice(c->in[2], 0, 0, 1, 1), &one);
  const glia_value on = gi_onnx_reshape(glia_slice(c->in[2], 0, 1, 2, 1), &one);
  c->out[0] = glia_where(glia_equal(index, place), on, off);
  c->out_type[0] = c->in_type[2];
  return GLIA_OK;
}

/* The first lengths[b] elements of each row turned round. */
static glia_status build_reverse_sequence(gi_onnx_call *c) {
  const gi_type t = gi_value_type(c->in[0]);
  int time = 0, batch = 0;
  GI_TRY(gi_onnx_axis(c, "time_axis", 0, t.rank, &time));
  GI_TRY(gi_onnx_axis(c, "batch_axis", 1, t.rank, &batch));
  if (time == batch) return gi_onnx_fail(c, GLIA_MODEL, "time and batch are one axis");
  const glia_value i = gi_onnx_along(glia_range(c->g, t.dim[time], GLIA_I64), time, t.rank);
  const glia_value n = gi_onnx_along(glia_cast(c->in[1], GLIA_I64), batch, t.rank);
  const glia_value turned = glia_sub(glia_sub(n, i), glia_scalar_like(i, 1));
  const glia_value at = glia_where(glia_less(i, n), turned, i);
  c->out[0] = glia_take_along(c->in[0], glia_broadcast_to(at, t.rank, t.dim), time);
  return GLIA_OK;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

const gi_onnx_operator *const gi_onnx_operators_index[] = {
    GI_ONNX_ROW("Gather", "axis", 2, 2, 1, build_gather, 1, 11),
    GI_ONNX_ROW("GatherElements", "axis", 2, 2, 1, build_gather_elements, 11),
    GI_ONNX_ROW("GatherND", "batch_dims", 2, 2, 1, build_gather_nd, 11, 12),
    GI_ONNX_ROW("Compress", "axis", 2, 2, 1, build_compress, 9, 11),
    &(const gi_onnx_operator){.name = "Scatter",
                              .since = {9},
                              .until = 11,
                              .min_in = 3,
                              .max_in = 3,
                              .attributes = "axis",
                              .build = build_scatter},
    GI_ONNX_ROW("ScatterElements", "axis reduction", 3, 3, 1, build_scatter, 11, 16, 18),
    GI_ONNX_ROW("ScatterND", "reduction", 3, 3, 1, build_scatter_nd, 11, 16, 18),
    GI_ONNX_ROW("TensorScatter", "axis mode", 2, 3, 1, build_tensor_scatter, 24),
    GI_ONNX_ROW("OneHot", "axis", 3, 3, 1, build_one_hot, 9, 11),
    GI_ONNX_ROW("ReverseSequence", "time_axis batch_axis", 2, 2, 1, build_reverse_sequence, 10),
    NULL,
};
