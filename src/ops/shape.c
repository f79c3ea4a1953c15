/* shape.c - the same elements under other axes: reshape, permute, broadcast_to; and
 * stop_gradient.
 *
 * reshape and stop_gradient are views: a plan gives their result the memory of their input.
 * What undoes a broadcast (glia_sum_to) is a sum and a reshape, not an op of its own.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static gi_type with_shape(const gi_type *x, const gi_dims *dims) {
  gi_type t = {.dtype = x->dtype, .rank = dims->n};
  for (int d = 0; d < dims->n; d++) t.dim[d] = dims->at[d];
  return t;
}

static gi_dims dims_of(int rank, const int64_t *shape) {
  gi_dims d = {.n = rank};
  for (int i = 0; i < rank; i++) d.at[i] = shape[i];
  return d;
}

static glia_status ref_copy(gi_ref *c) {
  if (c->out[0].p != c->in[0].p) memcpy(c->out[0].p, c->in[0].p, gi_type_bytes(&c->in[0].t));
  return GLIA_OK;
}

static gi_cost free_of_cost(const gi_infer *c) {
  (void)c;
  return (gi_cost){0, 0};
}

static gi_cost moves_only(const gi_infer *c) {
  return (gi_cost){.flops = 0, .bytes = gi_default_cost(c).bytes};
}

/* ---- reshape ------------------------------------------------------------------------- */

static glia_status infer_reshape(gi_infer *c) {
  const gi_type *x = &c->in[0];
  const gi_type t = with_shape(x, &((const gi_shape_attr *)c->attr)->shape);
  char tx[GI_TEXT], ty[GI_TEXT];
  GI_TRY(gi_type_check(&t, "reshape"));
  if (gi_type_count(&t) != gi_type_count(x))
    return gi_fail(GLIA_SHAPE, "reshape: x is %s with %" PRId64 " elements, %s has %" PRId64,
                   gi_shape_text(x, tx, sizeof tx), gi_type_count(x),
                   gi_shape_text(&t, ty, sizeof ty), gi_type_count(&t));
  c->out[0] = t;
  return GLIA_OK;
}

static glia_status vjp_reshape(gi_vjp *c) {
  c->din[0] = glia_reshape(c->dout[0], glia_value_rank(c->in[0]), glia_value_shape(c->in[0]));
  return GLIA_OK;
}

/* ---- permute ------------------------------------------------------------------------- */

static glia_status infer_permute(gi_infer *c) {
  const gi_type *x = &c->in[0];
  const gi_dims *axes = &((const gi_permute_attr *)c->attr)->axes;
  bool used[GLIA_MAX_RANK] = {false};
  char text[GI_TEXT];
  if (axes->n != x->rank)
    return gi_fail(GLIA_SHAPE, "permute: x is %s, got %d axes, wanted each of its %d once",
                   gi_shape_text(x, text, sizeof text), axes->n, x->rank);
  c->out[0] = *x;
  for (int d = 0; d < x->rank; d++) {
    GI_TRY(gi_want_axis(axes->at[d], x, "permute"));
    if (used[axes->at[d]])
      return gi_fail(GLIA_SHAPE, "permute: axis %" PRId64 " of %s is listed twice", axes->at[d],
                     gi_shape_text(x, text, sizeof text));
    used[axes->at[d]] = true;
    c->out[0].dim[d] = x->dim[axes->at[d]];
  }
  return GLIA_OK;
}

static glia_status vjp_permute(gi_vjp *c) {
  const gi_dims *axes = &((const gi_permute_attr *)c->attr)->axes;
  gi_permute_attr back = {.axes = {.n = axes->n}};
  for (int d = 0; d < axes->n; d++) back.axes.at[axes->at[d]] = d;
  c->din[0] = gi_emit1(&gi_op_permute, &back, c->dout[0]);
  return GLIA_OK;
}

static glia_status ref_permute(gi_ref *c) {
  const gi_dims *axes = &((const gi_permute_attr *)c->attr)->axes;
  const gi_type *y = &c->out[0].t;
  const size_t size = glia_dtype_size(y->dtype);
  int64_t own[GLIA_MAX_RANK], strides[GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  gi_type_strides(&c->in[0].t, own);
  for (int d = 0; d < axes->n; d++) strides[d] = own[axes->at[d]];
  const int64_t count = gi_type_count(y);
  for (int64_t e = 0; e < count; e++, gi_next(y, at))
    memcpy((char *)c->out[0].p + (size_t)e * size,
           (const char *)c->in[0].p + (size_t)gi_offset(y->rank, at, strides) * size, size);
  return GLIA_OK;
}

/* ---- broadcast_to -------------------------------------------------------------------- */

static glia_status infer_broadcast(gi_infer *c) {
  const gi_type *x = &c->in[0];
  const gi_type t = with_shape(x, &((const gi_shape_attr *)c->attr)->shape);
  char tx[GI_TEXT], ty[GI_TEXT];
  gi_type wide;
  GI_TRY(gi_type_check(&t, "broadcast_to"));
  GI_TRY(gi_broadcast(x, &t, "broadcast_to", &wide));
  if (!gi_shape_equal(&wide, &t))
    return gi_fail(GLIA_SHAPE, "broadcast_to: x is %s, which does not shrink to %s",
                   gi_shape_text(x, tx, sizeof tx), gi_shape_text(&t, ty, sizeof ty));
  c->out[0] = t;
  return GLIA_OK;
}

static glia_status vjp_broadcast(gi_vjp *c) {
  c->din[0] = glia_sum_to(c->dout[0], c->in[0]);
  return GLIA_OK;
}

static glia_status ref_broadcast(gi_ref *c) {
  const gi_type *y = &c->out[0].t;
  const size_t size = glia_dtype_size(y->dtype);
  int64_t strides[GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  gi_broadcast_strides(&c->in[0].t, y, strides);
  const int64_t count = gi_type_count(y);
  for (int64_t e = 0; e < count; e++, gi_next(y, at))
    memcpy((char *)c->out[0].p + (size_t)e * size,
           (const char *)c->in[0].p + (size_t)gi_offset(y->rank, at, strides) * size, size);
  return GLIA_OK;
}

/* ---- stop_gradient ------------------------------------------------------------------- */

static glia_status infer_same(gi_infer *c) {
  c->out[0] = c->in[0];
  return GLIA_OK;
}

/* ---- samples and rows ---------------------------------------------------------------- */

/* clang-format off */
#define DIMS(...)                                                                              \
  {{.n = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .at = {__VA_ARGS__}}}
/* clang-format on */
static const gi_shape_attr scalar = {{.n = 0}};
static const gi_shape_attr dims6 = DIMS(6), dims32 = DIMS(3, 2), dims2341 = DIMS(2, 3, 4, 1),
                           dims03 = DIMS(0, 3), dims41 = DIMS(4, 1), minus = DIMS(-2, -3),
                           dims243 = DIMS(2, 4, 3),
                           huge = DIMS((int64_t)1 << 40, (int64_t)1 << 40);
static const gi_permute_attr axes10 = DIMS(1, 0), axes201 = DIMS(2, 0, 1), axes00 = DIMS(0, 0),
                             axes3021 = DIMS(3, 0, 2, 1), axes02 = DIMS(0, 2),
                             no_axes = {{.n = 0}};

static const gi_sample samples_reshape[] = {
    {&dims6, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims2341, 1, {{2, {8, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&scalar, 1, {{2, {1, 1}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims03, 1, {{3, {2, 0, 5}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims6, 1, {{1, {6}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&dims6, 1, {{2, {2, 4}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&minus, 1, {{1, {6}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&huge, 1, {{1, {6}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
};
static const gi_sample samples_permute[] = {
    {&axes10, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axes201, 1, {{3, {2, 3, 5}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axes3021, 1, {{4, {2, 3, 17, 5}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axes201, 1, {{3, {1, 7, 1}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&no_axes, 1, {{0, {0}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axes10, 1, {{2, {0, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axes10, 1, {{2, {2, 3}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&axes10, 1, {{3, {2, 3, 4}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&axes00, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&axes02, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
};
static const gi_sample samples_broadcast[] = {
    {&dims32, 1, {{2, {1, 2}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims243, 1, {{2, {4, 1}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims243, 1, {{0, {0}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims32, 1, {{2, {3, 2}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims03, 1, {{1, {1}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&dims32, 1, {{1, {2}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&dims32, 1, {{1, {3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&dims41, 1, {{2, {4, 3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&dims32, 1, {{3, {1, 3, 2}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
};
static const gi_sample samples_same[] = {
    {NULL, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {NULL, 1, {{1, {0}, -2, 2, GLIA_F32}}, GLIA_OK},
};

static const gi_attr fields_shape[] = {
    {"shape", GI_ATTR_DIMS, offsetof(gi_shape_attr, shape), "of the result"},
    {NULL, GI_ATTR_DIMS, 0, NULL},
};
static const gi_attr fields_axes[] = {
    {"axes", GI_ATTR_DIMS, offsetof(gi_permute_attr, axes),
     "axis k of the result is axis axes[k]"},
    {NULL, GI_ATTR_DIMS, 0, NULL},
};

const gi_op gi_op_reshape = {
    .name = "reshape",
    .doc = "the same elements, row-major, under another shape",
    .torch = "torch.reshape(x0, shape)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .flags = GI_VIEW,
    .attr_size = sizeof(gi_shape_attr),
    .attrs = fields_shape,
    .infer = infer_reshape,
    .vjp = vjp_reshape,
    .ref = ref_copy,
    .cost = free_of_cost,
    .samples = samples_reshape,
    .n_samples = GI_COUNT(samples_reshape),
};

const gi_op gi_op_permute = {
    .name = "permute",
    .doc = "axes in another order",
    .torch = "torch.permute(x0, axes)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_permute_attr),
    .attrs = fields_axes,
    .infer = infer_permute,
    .vjp = vjp_permute,
    .ref = ref_permute,
    .cost = moves_only,
    .samples = samples_permute,
    .n_samples = GI_COUNT(samples_permute),
};

const gi_op gi_op_broadcast_to = {
    .name = "broadcast_to",
    .doc = "axes of size 1 repeated to a shape, aligned at the right",
    .torch = "torch.broadcast_to(x0, shape)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_shape_attr),
    .attrs = fields_shape,
    .infer = infer_broadcast,
    .vjp = vjp_broadcast,
    .ref = ref_broadcast,
    .cost = moves_only,
    .samples = samples_broadcast,
    .n_samples = GI_COUNT(samples_broadcast),
};

const gi_op gi_op_stop_gradient = {
    .name = "stop_gradient",
    .doc = "the value itself; gradients stop here",
    .torch = "x0.detach()",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .flags = GI_VIEW,
    .infer = infer_same,
    .no_grad = "it is there to stop them",
    .ref = ref_copy,
    .cost = free_of_cost,
    .samples = samples_same,
    .n_samples = GI_COUNT(samples_same),
};

const gi_op *const gi_ops_shape[] = {&gi_op_reshape, &gi_op_permute, &gi_op_broadcast_to,
                                     &gi_op_stop_gradient, NULL};

/* ---- builders ------------------------------------------------------------------------ */

static bool has_shape(glia_value x, int rank, const int64_t *shape) {
  return glia_value_rank(x) == rank &&
         memcmp(glia_value_shape(x), shape, (size_t)rank * sizeof *shape) == 0;
}

glia_value glia_reshape(glia_value x, int rank, const int64_t *shape) {
  if (gi_null(x)) return x;
  if (rank < 0 || rank > GLIA_MAX_RANK)
    return gi_latch(x.graph, GLIA_SHAPE, "reshape: rank is %d, want 0 to %d", rank,
                    GLIA_MAX_RANK);
  gi_shape_attr a = {dims_of(rank, shape)};
  const gi_type t = gi_value_type(x);
  int64_t rest = gi_type_count(&t);
  int open = -1;
  char text[GI_TEXT];
  for (int d = 0; d < rank; d++) {
    if (shape[d] == -1 && open < 0)
      open = d;
    else if (shape[d] > 0 && rest % shape[d] == 0)
      rest /= shape[d];
    else if (shape[d] != 0 || rest != 0)
      rest = -1; /* no number fits; infer names the shapes */
  }
  if (open >= 0 && rest < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "reshape: x is %s, no size for axis %d fits",
                    gi_shape_text(&t, text, sizeof text), open);
  if (open >= 0) a.shape.at[open] = rest;
  if (has_shape(x, rank, a.shape.at)) return x;
  return gi_emit1(&gi_op_reshape, &a, x);
}

glia_value glia_flatten(glia_value x) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  int64_t rest = 1;
  for (int d = 1; d < t.rank; d++) rest *= t.dim[d];
  if (t.rank == 0)
    return gi_latch(x.graph, GLIA_SHAPE, "flatten: x is a scalar, wanted [N, ...]");
  return glia_reshape(x, 2, (const int64_t[]){t.dim[0], rest});
}

glia_value glia_permute(glia_value x, const int *axes) {
  if (gi_null(x)) return x;
  const int rank = glia_value_rank(x);
  gi_permute_attr a = {.axes = {.n = rank}};
  bool same = true;
  for (int d = 0; d < rank; d++) {
    const int axis = gi_axis(axes[d], rank);
    a.axes.at[d] = axis < 0 ? axes[d] : axis;
    same = same && axis == d;
  }
  return same ? x : gi_emit1(&gi_op_permute, &a, x);
}

glia_value glia_transpose(glia_value x, int axis_a, int axis_b) {
  if (gi_null(x)) return x;
  const int rank = glia_value_rank(x), a = gi_axis(axis_a, rank), b = gi_axis(axis_b, rank);
  int axes[GLIA_MAX_RANK] = {0};
  if (a < 0 || b < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "transpose: axis %d is out of range, x has rank %d",
                    a < 0 ? axis_a : axis_b, rank);
  for (int d = 0; d < rank; d++) axes[d] = d == a ? b : d == b ? a : d;
  return glia_permute(x, axes);
}

glia_value glia_broadcast_to(glia_value x, int rank, const int64_t *shape) {
  if (gi_null(x) || (rank >= 0 && has_shape(x, rank, shape))) return x;
  if (rank < 0 || rank > GLIA_MAX_RANK)
    return gi_latch(x.graph, GLIA_SHAPE, "broadcast_to: rank is %d, want 0 to %d", rank,
                    GLIA_MAX_RANK);
  const gi_shape_attr a = {dims_of(rank, shape)};
  return gi_emit1(&gi_op_broadcast_to, &a, x);
}

glia_value glia_sum_to(glia_value x, glia_value like) {
  if (gi_null(x) || gi_null(like)) return GLIA_NONE;
  const gi_type from = gi_value_type(x), to = gi_value_type(like);
  gi_reduce_attr a = {.keep = false};
  char tx[GI_TEXT], tl[GI_TEXT];
  const int extra = from.rank - to.rank;
  bool fits = extra >= 0;
  for (int d = 0; d < from.rank && fits; d++) {
    const int64_t want = d < extra ? 1 : to.dim[d - extra];
    fits = want == from.dim[d] || want == 1;
    if (d < extra || want != from.dim[d]) a.axes.at[a.axes.n++] = d;
  }
  if (!fits)
    return gi_latch(x.graph, GLIA_SHAPE, "sum_to: %s does not shrink to %s",
                    gi_shape_text(&from, tx, sizeof tx), gi_shape_text(&to, tl, sizeof tl));
  if (a.axes.n > 0) x = gi_emit1(&gi_op_sum, &a, x);
  return glia_reshape(x, to.rank, to.dim);
}

glia_value glia_stop_gradient(glia_value x) { return gi_emit1(&gi_op_stop_gradient, NULL, x); }
