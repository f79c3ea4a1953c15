/* concat.c - tensors one behind the other along an axis.
 *
 * Shapes: [.., n0, ..], [.., n1, ..], ... -> [.., n0 + n1 + ..., ..]; the other axes are equal.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c) {
  const int64_t axis = ((const gi_axis_attr *)c->attr)->axis;
  gi_type t = c->in[0];
  char first[GI_TEXT], other[GI_TEXT];
  GI_TRY(gi_want_axis(axis, &t, "concat"));
  for (int i = 1; i < c->n_in; i++) {
    gi_type like = c->in[i];
    GI_TRY(gi_want_same(c, 0, i, "concat"));
    if (like.rank == t.rank) like.dim[axis] = t.dim[axis];
    if (!gi_shape_equal(&like, &t))
      return gi_fail(GLIA_SHAPE,
                     "concat: part 0 is %s, part %d is %s; they may differ on axis %" PRId64
                     " alone",
                     gi_shape_text(&c->in[0], first, sizeof first), i,
                     gi_shape_text(&c->in[i], other, sizeof other), axis);
    if (c->in[i].dim[axis] > INT64_MAX - t.dim[axis])
      return gi_fail(GLIA_SHAPE, "concat: axis %" PRId64 " becomes too long", axis);
    t.dim[axis] += c->in[i].dim[axis];
  }
  c->out[0] = t;
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  const int axis = (int)((const gi_axis_attr *)c->attr)->axis;
  int64_t begin = 0;
  for (int i = 0; i < c->n_in; i++) {
    const int64_t end = begin + glia_value_dim(c->in[i], axis);
    if (c->need[i]) c->din[i] = glia_slice(c->dout[0], axis, begin, end, 1);
    begin = end;
  }
  return GLIA_OK;
}

static glia_status ref(gi_ref *c) {
  const int64_t axis = ((const gi_axis_attr *)c->attr)->axis;
  const size_t size = glia_dtype_size(c->out[0].t.dtype);
  const gi_rows whole = gi_rows_of(&c->out[0].t, axis);
  int64_t begin = 0;
  for (int i = 0; i < c->n_in; i++) {
    const gi_rows part = gi_rows_of(&c->in[i].t, axis);
    const size_t bytes = (size_t)(part.n * part.inner) * size;
    for (int64_t o = 0; o < part.outer; o++)
      memcpy((char *)c->out[0].p + (size_t)((o * whole.n + begin) * whole.inner) * size,
             (const char *)c->in[i].p + (size_t)o * bytes, bytes);
    begin += part.n;
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  return (gi_cost){.flops = 0, .bytes = gi_default_cost(c).bytes};
}

#define R -2, 2, GLIA_F32
static const gi_axis_attr axis0 = {.axis = 0}, axis1 = {.axis = 1}, axis4 = {.axis = 4};
static const gi_sample samples[] = {
    {&axis0, 2, {{2, {1, 3}, R}, {2, {2, 3}, R}}, GLIA_OK},
    {&axis1, 3, {{3, {2, 1, 5}, R}, {3, {2, 3, 5}, R}, {3, {2, 0, 5}, R}}, GLIA_OK},
    {&axis1, 2, {{2, {33, 1}, R}, {2, {33, 17}, R}}, GLIA_OK},
    {&axis0, 1, {{1, {3}, R}}, GLIA_OK},
    {&axis0, 2, {{1, {3}, 0, 4, GLIA_I32}, {1, {1}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&axis0, 2, {{2, {1, 3}, R}, {2, {1, 4}, R}}, GLIA_SHAPE},
    {&axis0, 2, {{2, {1, 3}, R}, {1, {3}, R}}, GLIA_SHAPE},
    {&axis4, 2, {{2, {1, 3}, R}, {2, {1, 3}, R}}, GLIA_SHAPE},
    {&axis0, 2, {{1, {3}, R}, {1, {3}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};
#undef R

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_axis_attr, axis), "along which the parts are put"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_concat = {
    .name = "concat",
    .doc = "tensors one behind the other along an axis",
    .torch = "torch.cat(x, axis)",
    .min_in = 1,
    .max_in = -1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_axis_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_concat[] = {&gi_op_concat, NULL};

glia_value glia_concat(const glia_value *parts, int n, int axis) {
  if (n < 1 || gi_null(parts[0])) return GLIA_NONE;
  const int at = gi_axis(axis, glia_value_rank(parts[0]));
  if (at < 0)
    return gi_latch(parts[0].graph, GLIA_SHAPE,
                    "concat: axis %d is out of range, parts have "
                    "rank %d",
                    axis, glia_value_rank(parts[0]));
  const gi_axis_attr a = {.axis = at};
  return n == 1 ? parts[0] : gi_emit(NULL, &gi_op_concat, &a, parts, n, NULL);
}
