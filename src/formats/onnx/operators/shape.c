/* shape.c - the same elements in other shapes, and what shapes are made of.
 *
 * Numbers that say a shape are attributes in old versions, inputs in newer ones: those must be
 * known when the graph is built (operator.h).
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/operators/common.h"
#include "glia/index.h"

/* A shape that a file asks for must be one that can be. */
static glia_status check(const gi_onnx_call *c, const gi_type *t) {
  if (t->rank > GLIA_MAX_RANK)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "%d axes, at most %d are taken", t->rank,
                        GLIA_MAX_RANK);
  return gi_type_check(t, c->node->op);
}

/* ---- Reshape and its kin ------------------------------------------------------------------
 */

/* 0 is x's own size, unless allowzero; one -1 is what is left. */
static glia_status build_reshape(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  gi_type y = {.dtype = x.dtype};
  bool allow_zero = false;
  int open = -1;
  int64_t rest = 1, count = gi_type_count(&x);
  GI_TRY(gi_onnx_bool(c, "allowzero", false, &allow_zero));
  GI_TRY(gi_onnx_ints_either(c, "shape", 1, y.dim, GLIA_MAX_RANK, &y.rank));
  if (y.rank < 0) return gi_onnx_fail(c, GLIA_MODEL, "there is no shape");
  for (int d = 0; d < y.rank; d++) {
    if (y.dim[d] == 0 && !allow_zero) {
      if (d >= x.rank)
        return gi_onnx_fail(c, GLIA_SHAPE, "entry %d of the shape is 0, the input has %d axes",
                            d, x.rank);
      y.dim[d] = x.dim[d];
    }
    if (y.dim[d] == -1 && open >= 0)
      return gi_onnx_fail(c, GLIA_SHAPE, "the shape has -1 twice");
    if (y.dim[d] == -1) open = d;
  }
  if (open >= 0) y.dim[open] = 1;
  GI_TRY(check(c, &y));
  rest = gi_type_count(&y);
  if (open >= 0) y.dim[open] = rest > 0 ? count / rest : 0;
  c->out[0] = gi_onnx_reshape(c->in[0], &y);
  return GLIA_OK;
}

static glia_status build_flatten(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  int64_t axis = 1, shape[] = {1, 1};
  GI_TRY(gi_onnx_int(c, "axis", 1, &axis));
  if (axis < -x.rank || axis > x.rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "axis %" PRId64 " is out of range of %d axes", axis,
                        x.rank);
  if (axis < 0) axis += x.rank;
  for (int d = 0; d < x.rank; d++) shape[d < axis ? 0 : 1] *= x.dim[d];
  c->out[0] = glia_reshape(c->in[0], 2, shape);
  return GLIA_OK;
}

/* Without axes all of size 1 go. */
static glia_status build_squeeze(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  gi_type y = {.dtype = x.dtype};
  int64_t list[GLIA_MAX_RANK];
  int n = 0, axes[GLIA_MAX_RANK];
  bool gone[GLIA_MAX_RANK] = {false};
  GI_TRY(gi_onnx_ints_either(c, "axes", 1, list, GLIA_MAX_RANK, &n));
  GI_TRY(gi_onnx_axes(c, list, n, x.rank, axes));
  for (int i = 0; i < n; i++) {
    if (x.dim[axes[i]] != 1)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d has size %" PRId64 ", wanted 1", axes[i],
                          x.dim[axes[i]]);
    gone[axes[i]] = true;
  }
  for (int d = 0; d < x.rank; d++)
    if (n < 0 ? x.dim[d] != 1 : !gone[d]) y.dim[y.rank++] = x.dim[d];
  c->out[0] = gi_onnx_reshape(c->in[0], &y);
  return GLIA_OK;
}

/* Axes are those of the result. */
static glia_status build_unsqueeze(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  gi_type y = {.dtype = x.dtype};
  int64_t list[GLIA_MAX_RANK];
  int n = 0, axes[GLIA_MAX_RANK], from = 0;
  bool fresh[GLIA_MAX_RANK] = {false};
  GI_TRY(gi_onnx_ints_either(c, "axes", 1, list, GLIA_MAX_RANK, &n));
  if (n < 0) return gi_onnx_fail(c, GLIA_MODEL, "there are no axes");
  y.rank = x.rank + n;
  GI_TRY(check(c, &(gi_type){.rank = y.rank}));
  GI_TRY(gi_onnx_axes(c, list, n, y.rank, axes));
  for (int i = 0; i < n; i++) fresh[axes[i]] = true;
  for (int d = 0; d < y.rank; d++) y.dim[d] = fresh[d] ? 1 : x.dim[from++];
  c->out[0] = gi_onnx_reshape(c->in[0], &y);
  return GLIA_OK;
}

static glia_status build_transpose(gi_onnx_call *c) {
  const int rank = glia_value_rank(c->in[0]);
  int64_t list[GLIA_MAX_RANK];
  int n = 0, axes[GLIA_MAX_RANK];
  GI_TRY(gi_onnx_ints(c, "perm", list, GLIA_MAX_RANK, &n));
  if (!gi_onnx_has(c, "perm"))
    for (; n < rank; n++) list[n] = rank - 1 - n;
  if (n != rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "perm has %d entries, the input %d axes", n, rank);
  GI_TRY(gi_onnx_axes(c, list, n, rank, axes));
  c->out[0] = rank == 0 ? c->in[0] : glia_permute(c->in[0], axes);
  return GLIA_OK;
}

/* Both shapes broadcast, so that 1 keeps the input's size. */
static glia_status build_expand(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  gi_type want = {.dtype = x.dtype}, y;
  GI_TRY(gi_onnx_known_ints(c, 1, want.dim, GLIA_MAX_RANK, &want.rank));
  GI_TRY(check(c, &want));
  GI_TRY(gi_broadcast(&x, &want, c->node->op, &y));
  GI_TRY(check(c, &y));
  c->out[0] = glia_broadcast_to(c->in[0], y.rank, y.dim);
  return GLIA_OK;
}

/* Version 1 had one axis and the number of times as scalars. */
static glia_status build_tile(gi_onnx_call *c) {
  gi_type y = gi_value_type(c->in[0]);
  int64_t times[GLIA_MAX_RANK], axis = 0;
  int n = 0, one = 0;
  GI_TRY(gi_onnx_known_ints(c, 1, times, GLIA_MAX_RANK, &n));
  if (c->version == 1) {
    const int64_t many = n == 1 ? times[0] : 0;
    GI_TRY(gi_onnx_known_ints(c, 2, &axis, 1, &one));
    if (n != 1 || one != 1 || gi_axis(axis, y.rank) < 0)
      return gi_onnx_fail(c, GLIA_SHAPE, "wants one number and one axis of %d", y.rank);
    for (n = 0; n < y.rank; n++) times[n] = n == gi_axis(axis, y.rank) ? many : 1;
  }
  if (n != y.rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "%d numbers of times for %d axes", n, y.rank);
  for (int d = 0; d < n; d++) {
    if (times[d] < 0 || (y.dim[d] > 0 && times[d] > INT64_MAX / y.dim[d]))
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d %" PRId64 " times", d, times[d]);
    y.dim[d] *= times[d];
  }
  GI_TRY(check(c, &y));
  c->out[0] = glia_tile(c->in[0], n, times);
  return GLIA_OK;
}

/* Channels to places: the channel is [b, b, rest] (DCR) or [rest, b, b] (CRD). */
static glia_status build_depth_to_space(gi_onnx_call *c) {
  static const char *const words[] = {"DCR", "CRD", NULL};
  static const int dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
  const gi_type x = gi_value_type(c->in[0]);
  int64_t b = 0;
  int mode = 0;
  GI_TRY(gi_onnx_int(c, "blocksize", 0, &b));
  GI_TRY(gi_onnx_choice(c, "mode", "DCR", words, &mode));
  if (x.rank != 4 || b < 1 || b > INT16_MAX || x.dim[1] % (b * b) != 0)
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "wants [N, C, H, W] and blocks of a size whose square "
                        "divides C");
  const int64_t *d = x.dim, deep = d[1] / (b * b);
  if (d[2] > INT64_MAX / b || d[3] > INT64_MAX / b)
    return gi_onnx_fail(c, GLIA_SHAPE, "blocks of %" PRId64 " pass every size", b);
  const int64_t split_dcr[] = {d[0], b, b, deep, d[2], d[3]};
  const int64_t split_crd[] = {d[0], deep, b, b, d[2], d[3]};
  const glia_value y =
      glia_permute(glia_reshape(c->in[0], 6, mode ? split_crd : split_dcr), mode ? crd : dcr);
  c->out[0] = glia_reshape(y, 4, (const int64_t[]){d[0], deep, d[2] * b, d[3] * b});
  return GLIA_OK;
}

static glia_status build_space_to_depth(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  int64_t b = 0;
  GI_TRY(gi_onnx_int(c, "blocksize", 0, &b));
  if (x.rank != 4 || b < 1 || b > INT16_MAX || x.dim[2] % b != 0 || x.dim[3] % b != 0)
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "wants [N, C, H, W] and blocks of a size that divides H "
                        "and W");
  const int64_t *d = x.dim;
  if (d[1] > INT64_MAX / (b * b))
    return gi_onnx_fail(c, GLIA_SHAPE, "blocks of %" PRId64 " pass every size", b);
  const int64_t split[] = {d[0], d[1], d[2] / b, b, d[3] / b, b};
  const glia_value y =
      glia_permute(glia_reshape(c->in[0], 6, split), (const int[]){0, 3, 5, 1, 2, 4});
  c->out[0] = glia_reshape(y, 4, (const int64_t[]){d[0], d[1] * b * b, d[2] / b, d[3] / b});
  return GLIA_OK;
}

/* ---- shapes as elements -------------------------------------------------------------------
 */

static glia_status build_shape(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  int64_t start = 0, end = x.rank;
  GI_TRY(gi_onnx_int(c, "start", 0, &start));
  GI_TRY(gi_onnx_int(c, "end", x.rank, &end));
  if (start < 0) start += x.rank;
  if (end < 0) end += x.rank;
  start = GI_MAX(0, GI_MIN(start, x.rank));
  end = GI_MAX(start, GI_MIN(end, x.rank));
  const int64_t n = end - start;
  c->out[0] = gi_onnx_ints_value(c->g, 1, &n, x.dim + start);
  c->out_type[0] = GI_ONNX_INT64;
  return GLIA_OK;
}

static glia_status build_size(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  const int64_t count = gi_type_count(&x);
  c->out[0] = gi_onnx_ints_value(c->g, 0, NULL, &count);
  c->out_type[0] = GI_ONNX_INT64;
  return GLIA_OK;
}

/* ---- constants ----------------------------------------------------------------------------
 */

static glia_status floats_value(gi_onnx_call *c, int rank, int64_t n, const double *at) {
  float *p = gi_alloc((size_t)n * sizeof *p + 1);
  if (p == NULL) return gi_fail_nomem((size_t)n * sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = (float)at[i];
  c->out[0] = glia_constant(c->g, GLIA_F32, rank, &n, p);
  gi_free(p);
  return GLIA_OK;
}

static glia_status build_constant(gi_onnx_call *c) {
  static const char *const names[] = {"value",        "sparse_value", "value_float",
                                      "value_floats", "value_int",    "value_ints",
                                      "value_string", "value_strings"};
  const gi_onnx_attr *a = NULL;
  for (int i = 0; i < GI_COUNT(names) && a == NULL; i++) a = gi_onnx_attr_of(c, names[i]);
  if (a == NULL) return gi_onnx_fail(c, GLIA_MODEL, "there is no value");
  const int64_t n = a->n;
  switch (a->type) {
    case GI_ONNX_ATTR_TENSOR:
    case GI_ONNX_ATTR_SPARSE_TENSOR:
      c->out[0] = gi_onnx_constant(c, a->t);
      c->out_type[0] = a->t->type;
      return GLIA_OK;
    case GI_ONNX_ATTR_FLOAT: return floats_value(c, 0, 1, &a->f);
    case GI_ONNX_ATTR_FLOATS: return floats_value(c, 1, n, a->floats);
    case GI_ONNX_ATTR_INT: c->out[0] = gi_onnx_ints_value(c->g, 0, NULL, &a->i); return GLIA_OK;
    case GI_ONNX_ATTR_INTS:
      c->out[0] = gi_onnx_ints_value(c->g, 1, &n, a->ints);
      return GLIA_OK;
    default: return gi_onnx_fail(c, GLIA_UNSUPPORTED, "strings are not supported");
  }
}

static glia_status build_constant_of_shape(gi_onnx_call *c) {
  gi_type y = {.dtype = GLIA_F32};
  GI_TRY(gi_onnx_known_ints(c, 0, y.dim, GLIA_MAX_RANK, &y.rank));
  const gi_onnx_attr *a = gi_onnx_attr_of(c, "value");
  glia_value v = glia_scalar(c->g, GLIA_F32, 0);
  c->out_type[0] = GI_ONNX_FLOAT;
  if (a != NULL) {
    if (a->type != GI_ONNX_ATTR_TENSOR || a->t->count != 1)
      return gi_onnx_fail(c, GLIA_MODEL, "the value is not one number");
    v = gi_onnx_constant(c, a->t);
    GI_TRY(glia_graph_status(c->g));
    y.dtype = glia_value_dtype(v);
    c->out_type[0] = a->t->type;
  }
  GI_TRY(check(c, &y));
  c->out[0] =
      glia_broadcast_to(gi_onnx_reshape(v, &(gi_type){.dtype = y.dtype}), y.rank, y.dim);
  return GLIA_OK;
}

/* start, start + delta, ... before limit. */
static glia_status build_range(gi_onnx_call *c) {
  double start = 0, limit = 0, delta = 0;
  GI_TRY(gi_onnx_known_number(c, 0, 0, &start));
  GI_TRY(gi_onnx_known_number(c, 1, 0, &limit));
  GI_TRY(gi_onnx_known_number(c, 2, 1, &delta));
  const double n = ceil((limit - start) / delta);
  if (!(delta != 0 && fabs(n) < 1e15))
    return gi_onnx_fail(c, GLIA_INVALID, "from %g to %g by %g", start, limit, delta);
  const int64_t none = 0;
  const glia_dtype dtype = glia_value_dtype(c->in[0]);
  c->out[0] = n > 0 ? glia_arange(c->g, start, limit, delta, dtype)
                    : glia_broadcast_to(glia_scalar(c->g, dtype, 0), 1, &none);
  return GLIA_OK;
}

/* Ones on a diagonal of [rows, columns]: j - i = k. */
static glia_status build_eye_like(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  int64_t k = 0;
  glia_dtype dtype = x.dtype;
  GI_TRY(gi_onnx_int(c, "k", 0, &k));
  GI_TRY(gi_onnx_dtype(c, "dtype", c->in_type[0], &c->out_type[0], &dtype));
  if (x.rank != 2) return gi_onnx_fail(c, GLIA_SHAPE, "%d axes, wanted 2", x.rank);
  k = GI_MAX(-x.dim[0], GI_MIN(k, x.dim[1])); /* behind the ends there is nothing */
  const glia_value i = gi_onnx_along(glia_range(c->g, x.dim[0], GLIA_I64), 0, 2);
  const glia_value j = gi_onnx_along(glia_range(c->g, x.dim[1], GLIA_I64), 1, 2);
  const glia_value on = glia_equal(glia_sub(j, i), glia_scalar_like(i, (double)k));
  c->out[0] = glia_cast(on, dtype);
  return GLIA_OK;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

#define VALUES                                                                     \
  "value sparse_value value_float value_floats value_int value_ints value_string " \
  "value_strings"

const gi_onnx_operator *const gi_onnx_operators_shape[] = {
    GI_ONNX_ROW("Reshape", "shape allowzero consumed_inputs", 1, 2, 1, build_reshape, 1, 5, 14),
    GI_ONNX_ROW("Flatten", "axis", 1, 1, 1, build_flatten, 1, 9, 11),
    GI_ONNX_ROW("Squeeze", "axes", 1, 2, 1, build_squeeze, 1, 11, 13),
    GI_ONNX_ROW("Unsqueeze", "axes", 1, 2, 1, build_unsqueeze, 1, 11, 13),
    GI_ONNX_ROW("Transpose", "perm", 1, 1, 1, build_transpose, 1),
    GI_ONNX_ROW("Expand", "", 2, 2, 1, build_expand, 8),
    GI_ONNX_ROW("Tile", "", 2, 3, 1, build_tile, 1, 6),
    GI_ONNX_ROW("DepthToSpace", "blocksize mode", 1, 1, 1, build_depth_to_space, 1, 11),
    GI_ONNX_ROW("SpaceToDepth", "blocksize", 1, 1, 1, build_space_to_depth, 1),
    GI_ONNX_ROW("Shape", "start end", 1, 1, 1, build_shape, 1, 15),
    GI_ONNX_ROW("Size", "", 1, 1, 1, build_size, 1),
    GI_ONNX_ROW("Constant", VALUES, 0, 0, 1, build_constant, 1, 11, 12),
    GI_ONNX_ROW("ConstantOfShape", "value", 1, 1, 1, build_constant_of_shape, 9),
    GI_ONNX_ROW("Range", "stash_type", 3, 3, 1, build_range, 11),
    GI_ONNX_ROW("EyeLike", "dtype k", 1, 1, 1, build_eye_like, 9),
    NULL,
};
