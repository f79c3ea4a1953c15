/* gather.c - elements by index, and the transposes, which add elements at an index.
 *
 *   gather       y[.., i, ..] = x[.., index[i], ..]: i is an index as long as index has axes;
 *                x [A.., n, B..], index [I..] -> y [A.., I.., B..]
 *   scatter_add  y [A.., I.., B..], index [I..] -> x [A.., size, B..]
 *   take_along   y[.., i, ..] = x[.., index[.., i, ..], ..]: one index for every element;
 *                x [A.., n, B..], index [A.., m, B..] -> y [A.., m, B..]
 *   put_along    y [A.., m, B..], index [A.., m, B..] -> x [A.., size, B..]
 *
 * Each of a pair is the gradient of the other. Whether a look-up is sparse changes nothing of
 * what it gives: its gradient says so again, for the optimiser to read (rows.h). Indices are
 * data, so they are checked at run time: the first that is negative or too large fails with its
 * position, nothing is read out of bounds.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status want_index(const gi_infer *c, const char *op) {
  char text[GI_TEXT];
  if (c->in[1].dtype == GLIA_I64 || c->in[1].dtype == GLIA_I32) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: index is %s, wanted i64 or i32", op,
                 gi_type_text(&c->in[1], text, sizeof text));
}

static glia_status want_numbers(const gi_infer *c, const char *op) {
  char text[GI_TEXT];
  if (c->in[0].dtype != GLIA_BOOL) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: y is %s, wanted numbers; hint: glia_cast", op,
                 gi_type_text(&c->in[0], text, sizeof text));
}

static glia_status infer_gather(gi_infer *c) {
  const int64_t axis = ((const gi_gather_attr *)c->attr)->axis;
  const gi_type *x = &c->in[0], *index = &c->in[1];
  GI_TRY(want_index(c, "gather"));
  GI_TRY(gi_want_axis(axis, x, "gather"));
  if (x->rank - 1 + index->rank > GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE, "gather: the result has %d axes, at most %d",
                   x->rank - 1 + index->rank, GLIA_MAX_RANK);
  gi_type y = {.dtype = x->dtype};
  for (int d = 0; d < axis; d++) y.dim[y.rank++] = x->dim[d];
  for (int d = 0; d < index->rank; d++) y.dim[y.rank++] = index->dim[d];
  for (int d = (int)axis + 1; d < x->rank; d++) y.dim[y.rank++] = x->dim[d];
  c->out[0] = y;
  return GLIA_OK;
}

static glia_status infer_scatter(gi_infer *c) {
  const gi_gather_attr *a = c->attr;
  const gi_type *y = &c->in[0], *index = &c->in[1];
  char ty[GI_TEXT], ti[GI_TEXT];
  GI_TRY(want_index(c, "scatter_add"));
  GI_TRY(want_numbers(c, "scatter_add"));
  bool fits = a->axis >= 0 && a->axis <= y->rank - index->rank;
  for (int d = 0; fits && d < index->rank; d++) fits = y->dim[a->axis + d] == index->dim[d];
  if (!fits)
    return gi_fail(GLIA_SHAPE,
                   "scatter_add: y is %s, index is %s; wanted index's axes in y from "
                   "axis %" PRId64 " on",
                   gi_shape_text(y, ty, sizeof ty), gi_shape_text(index, ti, sizeof ti),
                   a->axis);
  if (y->rank - index->rank + 1 > GLIA_MAX_RANK || a->size < 0)
    return gi_fail(GLIA_SHAPE,
                   "scatter_add: y is %s, size %" PRId64
                   "; too many axes or a "
                   "negative size",
                   gi_shape_text(y, ty, sizeof ty), a->size);
  gi_type x = {.dtype = y->dtype};
  for (int d = 0; d < a->axis; d++) x.dim[x.rank++] = y->dim[d];
  x.dim[x.rank++] = a->size;
  for (int d = (int)a->axis + index->rank; d < y->rank; d++) x.dim[x.rank++] = y->dim[d];
  c->out[0] = x;
  return GLIA_OK;
}

/* Equal but for the axis. */
static glia_status want_alike(const gi_infer *c, int64_t axis, const char *op) {
  gi_type like = c->in[1];
  char tx[GI_TEXT], ti[GI_TEXT];
  GI_TRY(want_index(c, op));
  GI_TRY(gi_want_axis(axis, &c->in[0], op));
  if (like.rank == c->in[0].rank) like.dim[axis] = c->in[0].dim[axis];
  if (gi_shape_equal(&like, &c->in[0])) return GLIA_OK;
  return gi_fail(
      GLIA_SHAPE,
      "%s: the values are %s, index is %s; they may differ on axis %" PRId64 " alone", op,
      gi_shape_text(&c->in[0], tx, sizeof tx), gi_shape_text(&c->in[1], ti, sizeof ti), axis);
}

static glia_status infer_take(gi_infer *c) {
  GI_TRY(want_alike(c, ((const gi_gather_attr *)c->attr)->axis, "take_along"));
  c->out[0] = c->in[1];
  c->out[0].dtype = c->in[0].dtype;
  return GLIA_OK;
}

static glia_status infer_put(gi_infer *c) {
  const gi_gather_attr *a = c->attr;
  char ty[GI_TEXT], ti[GI_TEXT];
  GI_TRY(want_alike(c, a->axis, "put_along"));
  GI_TRY(want_numbers(c, "put_along"));
  if (!gi_shape_equal(&c->in[0], &c->in[1]) || a->size < 0)
    return gi_fail(GLIA_SHAPE,
                   "put_along: y is %s, index is %s, size %" PRId64
                   "; wanted equal shapes and a size >= 0",
                   gi_shape_text(&c->in[0], ty, sizeof ty),
                   gi_shape_text(&c->in[1], ti, sizeof ti), a->size);
  c->out[0] = c->in[0];
  c->out[0].dim[a->axis] = a->size;
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

static glia_status transpose_with(gi_vjp *c, const gi_op *op) {
  gi_gather_attr a = *(const gi_gather_attr *)c->attr;
  a.size = glia_value_dim(c->in[0], (int)a.axis);
  if (c->need[0]) c->din[0] = gi_emit2(op, &a, c->dout[0], c->in[1]);
  return GLIA_OK;
}
static glia_status vjp_gather(gi_vjp *c) { return transpose_with(c, &gi_op_scatter_add); }
static glia_status vjp_take(gi_vjp *c) { return transpose_with(c, &gi_op_put_along); }
static glia_status vjp_scatter(gi_vjp *c) {
  const gi_gather_attr a = {.axis = ((const gi_gather_attr *)c->attr)->axis};
  if (c->need[0]) c->din[0] = gi_emit2(&gi_op_gather, &a, c->dout[0], c->in[1]);
  return GLIA_OK;
}
static glia_status vjp_put(gi_vjp *c) {
  const gi_gather_attr a = {.axis = ((const gi_gather_attr *)c->attr)->axis};
  if (c->need[0]) c->din[0] = gi_emit2(&gi_op_take_along, &a, c->dout[0], c->in[1]);
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

/* Index e, checked against an axis of n. */
static glia_status checked(const gi_buf *index, int64_t e, int64_t n, const char *op,
                           int64_t *out) {
  *out = gi_index_at(index, e);
  if (*out >= 0 && *out < n) return GLIA_OK;
  return gi_fail(GLIA_INVALID,
                 "%s: index %" PRId64 " at position %" PRId64 " is not in 0 .. %" PRId64, op,
                 *out, e, n - 1);
}

/* Rows move, or are added, between x, [outer, n, inner], and y, [outer, count, inner]. */
static glia_status by_row(gi_ref *c, const gi_buf *x, const gi_buf *y, bool to_x,
                          const char *op) {
  const gi_buf *index = &c->in[1];
  const gi_rows r = gi_rows_of(&x->t, ((const gi_gather_attr *)c->attr)->axis);
  const int64_t count = gi_type_count(&index->t);
  for (int64_t e = 0; e < count; e++) {
    int64_t at;
    GI_TRY(checked(index, e, r.n, op, &at));
    for (int64_t o = 0; o < r.outer; o++)
      for (int64_t i = 0; i < r.inner; i++) {
        const int64_t px = (o * r.n + at) * r.inner + i, py = (o * count + e) * r.inner + i;
        if (to_x)
          gi_put(x, px, gi_get(x, px) + gi_get(y, py));
        else
          gi_move(x, px, y, py);
      }
  }
  return GLIA_OK;
}

static glia_status ref_gather(gi_ref *c) {
  return by_row(c, &c->in[0], &c->out[0], false, "gather");
}
static glia_status ref_scatter(gi_ref *c) {
  gi_zero(&c->out[0]);
  return by_row(c, &c->out[0], &c->in[0], true, "scatter_add");
}

/* Element e of y, [outer, m, inner], belongs to x's element (outer, index[e], inner). */
static glia_status by_element(gi_ref *c, const gi_buf *x, const gi_buf *y, bool to_x,
                              const char *op) {
  const gi_buf *index = &c->in[1];
  const int64_t axis = ((const gi_gather_attr *)c->attr)->axis;
  const gi_rows r = gi_rows_of(&x->t, axis);
  const int64_t m = y->t.dim[axis], count = gi_type_count(&index->t);
  for (int64_t e = 0; e < count; e++) {
    int64_t at;
    GI_TRY(checked(index, e, r.n, op, &at));
    const int64_t px = (e / r.inner / m * r.n + at) * r.inner + e % r.inner;
    if (to_x)
      gi_put(x, px, gi_get(x, px) + gi_get(y, e));
    else
      gi_move(x, px, y, e);
  }
  return GLIA_OK;
}

static glia_status ref_take(gi_ref *c) {
  return by_element(c, &c->in[0], &c->out[0], false, "take_along");
}
static glia_status ref_put(gi_ref *c) {
  gi_zero(&c->out[0]);
  return by_element(c, &c->out[0], &c->in[0], true, "put_along");
}

static gi_cost cost(const gi_infer *c) { /* of x, only what is looked at */
  const double part = (double)GI_MIN(gi_type_bytes(&c->in[0]), gi_type_bytes(&c->out[0]));
  return (gi_cost){
      .flops = 0,
      .bytes = part + (double)gi_type_bytes(&c->in[1]) + (double)gi_type_bytes(&c->out[0])};
}

/* ---- samples ------------------------------------------------------------------------- */

static const gi_gather_attr a0 = {.axis = 0}, a1 = {.axis = 1}, a2 = {.axis = 2},
                            a3 = {.axis = 3}, a0s4 = {0, 4, false}, a1s4 = {1, 4, false},
                            a2s5 = {2, 5, false}, a0s0 = {0, 0, false},
                            a1minus = {1, -1, false}, a0sparse = {0, 0, true},
                            a0s4sparse = {0, 4, true};
#define R -2, 2, GLIA_F32
#define I 0, 4, GLIA_I64
static const gi_sample samples_gather[] = {
    {&a0, 2, {{2, {4, 2}, R}, {1, {3}, I}}, GLIA_OK},
    {&a1, 2, {{3, {3, 5, 2}, R}, {2, {2, 3}, I}}, GLIA_OK},
    {&a2, 2, {{3, {2, 1, 4}, R}, {0, {0}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&a0, 2, {{1, {4}, R}, {1, {17}, I}}, GLIA_OK}, /* one element many times */
    {&a0, 2, {{2, {4, 3}, R}, {1, {0}, I}}, GLIA_OK},
    {&a1, 2, {{2, {0, 4}, R}, {1, {2}, I}}, GLIA_OK},
    {&a0, 2, {{2, {4, 2}, 0, 9, GLIA_I32}, {1, {3}, I}}, GLIA_OK},
    {&a0sparse, 2, {{2, {4, 3}, R}, {2, {2, 3}, I}}, GLIA_OK},
    {&a3, 2, {{2, {4, 2}, R}, {1, {3}, I}}, GLIA_SHAPE},
    {&a0, 2, {{5, {4, 1, 1, 1, 1}, R}, {5, {1, 1, 1, 1, 1}, I}}, GLIA_SHAPE},
    {&a0, 2, {{2, {4, 2}, R}, {1, {3}, R}}, GLIA_DTYPE},
};
static const gi_sample samples_scatter[] = {
    {&a0s4, 2, {{2, {3, 2}, R}, {1, {3}, I}}, GLIA_OK},
    {&a1s4, 2, {{4, {3, 2, 3, 2}, R}, {2, {2, 3}, I}}, GLIA_OK},
    {&a2s5, 2, {{2, {2, 1}, R}, {0, {0}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&a0s4, 2, {{1, {17}, R}, {1, {17}, I}}, GLIA_OK},
    {&a0s0, 2, {{2, {0, 3}, R}, {1, {0}, I}}, GLIA_OK},
    {&a0s4sparse, 2, {{2, {5, 2}, R}, {1, {5}, I}}, GLIA_OK},
    {&a0s4, 2, {{2, {2, 2}, R}, {1, {3}, I}}, GLIA_SHAPE},
    {&a2s5, 2, {{2, {2, 3}, R}, {1, {3}, I}}, GLIA_SHAPE},
    {&a0s4, 2, {{1, {3}, R}, {1, {3}, R}}, GLIA_DTYPE},
    {&a0s4, 2, {{1, {3}, 0, 1, GLIA_BOOL}, {1, {3}, I}}, GLIA_DTYPE},
};
static const gi_sample samples_take[] = {
    {&a1, 2, {{2, {2, 4}, R}, {2, {2, 1}, I}}, GLIA_OK},
    {&a0, 2, {{2, {4, 3}, R}, {2, {7, 3}, I}}, GLIA_OK},
    {&a1, 2, {{3, {3, 5, 2}, R}, {3, {3, 2, 2}, 0, 5, GLIA_I32}}, GLIA_OK},
    {&a0, 2, {{1, {4}, R}, {1, {0}, I}}, GLIA_OK},
    {&a1, 2, {{2, {2, 4}, R}, {1, {2}, I}}, GLIA_SHAPE},
    {&a1, 2, {{2, {2, 4}, R}, {2, {3, 4}, I}}, GLIA_SHAPE},
    {&a2, 2, {{2, {2, 4}, R}, {2, {2, 4}, I}}, GLIA_SHAPE},
    {&a1, 2, {{2, {2, 4}, R}, {2, {2, 4}, R}}, GLIA_DTYPE},
};
static const gi_sample samples_put[] = {
    {&a1s4, 2, {{2, {2, 3}, R}, {2, {2, 3}, I}}, GLIA_OK},
    {&a0s4, 2, {{2, {7, 3}, R}, {2, {7, 3}, I}}, GLIA_OK},
    {&a2s5, 2, {{3, {3, 2, 2}, R}, {3, {3, 2, 2}, 0, 5, GLIA_I32}}, GLIA_OK},
    {&a0s0, 2, {{1, {0}, R}, {1, {0}, I}}, GLIA_OK},
    {&a1s4, 2, {{2, {2, 3}, R}, {2, {2, 2}, I}}, GLIA_SHAPE},
    {&a1minus, 2, {{2, {2, 3}, R}, {2, {2, 3}, I}}, GLIA_SHAPE},
    {&a1s4, 2, {{2, {2, 3}, R}, {2, {2, 3}, R}}, GLIA_DTYPE},
};
#undef R
#undef I

/* ---- rows ---------------------------------------------------------------------------- */

/* clang-format off */
#define AXIS {"axis", GI_ATTR_I64, offsetof(gi_gather_attr, axis), "of x, that is looked into"}
#define SIZE {"size", GI_ATTR_I64, offsetof(gi_gather_attr, size), "of that axis in the result"}
#define SPARSE {"sparse", GI_ATTR_BOOL, offsetof(gi_gather_attr, sparse), \
   "the optimiser updates rows that are named, no others"}
#define END {NULL, GI_ATTR_I64, 0, NULL}
static const gi_attr fields_gather[] = {AXIS, SPARSE, END};
static const gi_attr fields_scatter[] = {AXIS, SIZE, SPARSE, END};
static const gi_attr fields_take[] = {AXIS, END};
static const gi_attr fields_put[] = {AXIS, SIZE, END};
/* clang-format on */

#define GATHERING(row, text, expression, list, ...)               \
  const gi_op gi_op_##row = {.name = #row,                        \
                             .doc = text,                         \
                             .torch = expression,                 \
                             .min_in = 2,                         \
                             .max_in = 2,                         \
                             .n_out = 1,                          \
                             .precision = GI_TAKES_ANY,           \
                             .attr_size = sizeof(gi_gather_attr), \
                             .cost = cost,                        \
                             .samples = list,                     \
                             .n_samples = GI_COUNT(list),         \
                             __VA_ARGS__}
GATHERING(gather, "entries of one axis by index",
          "torch.index_select(x0, axis, x1.flatten()).unflatten(axis, x1.shape)",
          samples_gather, .attrs = fields_gather, .infer = infer_gather, .vjp = vjp_gather,
          .ref = ref_gather);
GATHERING(scatter_add, "entries added to zeros by index: the transpose of gather", NULL,
          samples_scatter, .attrs = fields_scatter, .infer = infer_scatter, .vjp = vjp_scatter,
          .ref = ref_scatter);
GATHERING(take_along, "an element of an axis for every index", "torch.gather(x0, axis, x1)",
          samples_take, .attrs = fields_take, .infer = infer_take, .vjp = vjp_take,
          .ref = ref_take);
GATHERING(put_along, "elements added to zeros along an axis: the transpose of take_along", NULL,
          samples_put, .attrs = fields_put, .infer = infer_put, .vjp = vjp_put, .ref = ref_put);

const gi_op *const gi_ops_gather[] = {&gi_op_gather, &gi_op_scatter_add, &gi_op_take_along,
                                      &gi_op_put_along, NULL};

/* ---- builders ------------------------------------------------------------------------ */

/* Negative axes count from the end of a tensor of this rank; infer refuses what is left. */
static int64_t resolved(int axis, int rank) { return axis < 0 ? axis + rank : axis; }

glia_value glia_gather(glia_value x, glia_value index, int axis) {
  const gi_gather_attr a = {.axis = resolved(axis, glia_value_rank(x))};
  return gi_emit2(&gi_op_gather, &a, x, index);
}

glia_value glia_scatter_add(glia_value y, glia_value index, int axis, int64_t size) {
  const int rank = glia_value_rank(y) - glia_value_rank(index) + 1; /* of the result */
  const gi_gather_attr a = {resolved(axis, rank), size, false};
  return gi_emit2(&gi_op_scatter_add, &a, y, index);
}

glia_value glia_take_along(glia_value x, glia_value index, int axis) {
  const gi_gather_attr a = {.axis = resolved(axis, glia_value_rank(x))};
  return gi_emit2(&gi_op_take_along, &a, x, index);
}

glia_value glia_put_along(glia_value y, glia_value index, int axis, int64_t size) {
  const gi_gather_attr a = {resolved(axis, glia_value_rank(y)), size, false};
  return gi_emit2(&gi_op_put_along, &a, y, index);
}
