/* write_at.c - part of an axis written over, at a place that is known when the graph runs.
 *
 *   y[.., at + m, ..] = part[.., m, ..] for m < M; the rest is x
 *
 * Shapes: x [A.., S, B..], part [A.., M, B..], at: an integer of rank 0 -> x's shape. The
 * result may lie over x: then only the part is written, which is what keeps the keys and values
 * of earlier steps in place while a transformer decodes. The place is data, so it is checked at
 * run time; nothing is written outside.
 */
#include "glia/attention.h"

#include "ops/attrs.h"
#include "ops/ref.h"

enum { X, PART, AT };

static glia_status infer(gi_infer *c) {
  const int64_t axis = ((const gi_axis_attr *)c->attr)->axis;
  const gi_type *x = &c->in[X], *part = &c->in[PART], *at = &c->in[AT];
  char tx[GI_TEXT], tp[GI_TEXT];
  GI_TRY(gi_want_axis(axis, x, "write_at"));
  GI_TRY(gi_want_same(c, X, PART, "write_at"));
  if (at->rank != 0 || (at->dtype != GLIA_I64 && at->dtype != GLIA_I32))
    return gi_fail(at->rank != 0 ? GLIA_SHAPE : GLIA_DTYPE,
                   "write_at: the place is %s, wanted one i64 or i32 of rank 0",
                   gi_type_text(at, tx, sizeof tx));
  gi_type like = *part;
  if (like.rank == x->rank) like.dim[axis] = x->dim[axis];
  if (!gi_shape_equal(&like, x) || part->dim[axis] > x->dim[axis])
    return gi_fail(GLIA_SHAPE,
                   "write_at: x is %s, the part is %s; wanted x's shape, or less on axis "
                   "%" PRId64,
                   gi_shape_text(x, tx, sizeof tx), gi_shape_text(part, tp, sizeof tp), axis);
  c->out[0] = *x;
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  const int axis = (int)((const gi_axis_attr *)c->attr)->axis;
  if (c->need[X]) {
    const glia_value in[] = {c->dout[0], glia_full_like(c->in[PART], 0), c->in[AT]};
    c->din[X] = gi_emit(c->g, &gi_op_write_at, c->attr, in, 3, NULL);
  }
  if (c->need[PART]) {
    const glia_value at = glia_cast(c->in[AT], GLIA_I64);
    const glia_value places =
        glia_add(glia_range(c->g, glia_value_dim(c->in[PART], axis), GLIA_I64), at);
    c->din[PART] = glia_gather(c->dout[0], places, axis);
  }
  return GLIA_OK;
}

static glia_status ref(gi_ref *c) {
  const int64_t axis = ((const gi_axis_attr *)c->attr)->axis;
  const gi_rows r = gi_rows_of(&c->in[X].t, axis), p = gi_rows_of(&c->in[PART].t, axis);
  const int64_t at = gi_index_at(&c->in[AT], 0);
  if (at < 0 || at > r.n - p.n)
    return gi_fail(GLIA_INVALID,
                   "write_at: %" PRId64 " elements at place %" PRId64 " of an axis of %" PRId64,
                   p.n, at, r.n);
  for (int64_t e = 0; e < gi_type_count(&c->in[X].t); e++) gi_move(&c->in[X], e, &c->out[0], e);
  for (int64_t e = 0; e < gi_type_count(&c->in[PART].t); e++) {
    const int64_t outer = e / p.inner / p.n, m = e / p.inner % p.n;
    gi_move(&c->in[PART], e, &c->out[0], (outer * r.n + at + m) * r.inner + e % p.inner);
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* as it is meant to be used: in place */
  return (gi_cost){.flops = 0, .bytes = 2 * (double)gi_type_bytes(&c->in[PART])};
}

static const gi_axis_attr axis0 = {0}, axis1 = {1}, axis2 = {2}, axis4 = {4};
#define R -2, 2, GLIA_F32
#define I(most) \
  { 0, {0}, 0, most, GLIA_I64 }
static const gi_sample samples[] = {
    {&axis0, 3, {{2, {5, 3}, R}, {2, {2, 3}, R}, I(4)}, GLIA_OK},
    {&axis1, 3, {{3, {2, 7, 3}, R}, {3, {2, 1, 3}, R}, I(7)}, GLIA_OK},
    {&axis2, 3, {{4, {2, 3, 9, 4}, R}, {4, {2, 3, 2, 4}, R}, I(8)}, GLIA_OK},
    {&axis1, 3, {{2, {3, 4}, R}, {2, {3, 4}, R}, I(1)}, GLIA_OK}, /* all of it */
    {&axis0, 3, {{2, {3, 4}, R}, {2, {0, 4}, R}, I(3)}, GLIA_OK}, /* nothing */
    {&axis0, 3, {{1, {6}, 0, 9, GLIA_I32}, {1, {2}, 0, 9, GLIA_I32}, I(4)}, GLIA_OK},
    {&axis0, 3, {{2, {2, 3}, R}, {2, {3, 3}, R}, I(1)}, GLIA_SHAPE},
    {&axis0, 3, {{2, {4, 3}, R}, {2, {2, 2}, R}, I(1)}, GLIA_SHAPE},
    {&axis4, 3, {{2, {4, 3}, R}, {2, {2, 3}, R}, I(1)}, GLIA_SHAPE},
    {&axis0, 3, {{2, {4, 3}, R}, {2, {2, 3}, R}, {1, {1}, 0, 1, GLIA_I64}}, GLIA_SHAPE},
    {&axis0, 3, {{2, {4, 3}, R}, {2, {2, 3}, R}, {0, {0}, R}}, GLIA_DTYPE},
    {&axis0, 3, {{2, {4, 3}, R}, {2, {2, 3}, 0, 2, GLIA_I32}, I(1)}, GLIA_DTYPE},
};
#undef R
#undef I

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_axis_attr, axis), "part of which is written"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_write_at = {
    .name = "write_at",
    .doc = "part of an axis written over, at a place known at run time",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .over_in = 1 << X,
    .attr_size = sizeof(gi_axis_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_write_at[] = {&gi_op_write_at, NULL};

glia_value glia_write_at(glia_value cache, glia_value y, glia_value at, int axis) {
  const gi_axis_attr a = {axis < 0 ? axis + glia_value_rank(cache) : axis};
  const glia_value in[] = {cache, y, at};
  return gi_emit(NULL, &gi_op_write_at, &a, in, 3, NULL);
}
