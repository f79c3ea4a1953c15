/* scatter.c - elements put, or combined with what is there, at an index along one axis.
 *
 *   out = x;  out[.., index[.., i, ..], ..] op= updates[.., i, ..]   for every element of index
 *
 * in row-major order of the index; op= is "set", "add", "mul", "max" or "min". x [...] and
 * index of one rank, index's other axes at most x's; updates of index's shape -> x's shape.
 * (take_along is the look-up that belongs to it; scatter_add and put_along add to zeros.)
 *
 * Gradients, with u an update at the place p = index[u] and dout what comes in:
 *
 *   set       dx is dout but at the places of an index; the last update of a place has its dout
 *   add       dx = dout, du = dout[p]
 *   mul       dx = dout times the place's updates; du = dout[p] times what else was multiplied
 *   max, min  dout, shared evenly by all that are equal to the result
 */
#include <math.h>

#include "glia/index.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static const char *const modes[] = {"set", "add", "mul", "max", "min"};

static int mode_of(const gi_scatter_attr *a) {
  for (int i = 0; i < GI_COUNT(modes); i++)
    if (a->mode != NULL && strcmp(a->mode, modes[i]) == 0) return i;
  return -1;
}

static glia_status infer(gi_infer *c) {
  const gi_scatter_attr *a = c->attr;
  const gi_type *x = &c->in[0], *index = &c->in[1], *u = &c->in[2];
  char tx[GI_TEXT], ti[GI_TEXT], tu[GI_TEXT];
  gi_type_text(x, tx, sizeof tx);
  gi_type_text(index, ti, sizeof ti);
  gi_type_text(u, tu, sizeof tu);
  if (mode_of(a) < 0)
    return gi_fail(GLIA_INVALID, "scatter: there is no mode \"%s\"",
                   a->mode != NULL ? a->mode : "");
  if (index->dtype != GLIA_I64 && index->dtype != GLIA_I32)
    return gi_fail(GLIA_DTYPE, "scatter: index is %s, wanted i64 or i32", ti);
  GI_TRY(gi_want_same(c, 0, 2, "scatter"));
  if (x->dtype == GLIA_BOOL && mode_of(a) != GLIA_SCATTER_SET)
    return gi_fail(GLIA_DTYPE, "scatter: x is %s, wanted numbers; hint: glia_cast", tx);
  GI_TRY(gi_want_axis(a->axis, x, "scatter"));
  bool fits = index->rank == x->rank && gi_shape_equal(index, u);
  for (int d = 0; fits && d < x->rank; d++) fits = d == a->axis || index->dim[d] <= x->dim[d];
  if (!fits)
    return gi_fail(GLIA_SHAPE,
                   "scatter: x is %s, index is %s, updates are %s; wanted an index that is at "
                   "most x's size but for axis %" PRId64 ", and updates of its shape",
                   tx, ti, tu, a->axis);
  c->out[0] = *x;
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

static glia_value scattered(const gi_vjp *c, glia_value x, glia_value updates,
                            glia_scatter_mode mode) {
  const gi_scatter_attr a = {((const gi_scatter_attr *)c->attr)->axis, modes[mode]};
  const glia_value in[] = {x, c->in[1], updates};
  return gi_emit(c->g, &gi_op_scatter, &a, in, 3, NULL);
}

/* v at the places of the index, which may be smaller than v on the other axes. */
static glia_value looked_up(const gi_vjp *c, glia_value v) {
  const int axis = (int)((const gi_scatter_attr *)c->attr)->axis;
  for (int d = 0; d < glia_value_rank(v); d++)
    if (d != axis) v = glia_slice(v, d, 0, glia_value_dim(c->in[1], d), 1);
  return glia_take_along(v, c->in[1], axis);
}

/* The number of each element of the index, i64, of its shape. */
static glia_value numbers(const gi_vjp *c) {
  const gi_type t = gi_value_type(c->in[1]);
  return glia_reshape(glia_range(c->g, gi_type_count(&t), GLIA_I64), t.rank, t.dim);
}

static void set_gradients(gi_vjp *c) {
  const glia_value dy = c->dout[0];
  if (c->need[0]) c->din[0] = scattered(c, dy, glia_full_like(c->in[2], 0), GLIA_SCATTER_SET);
  if (!c->need[2]) return;
  const glia_value mine = numbers(c);
  const glia_value none = glia_full_like(glia_cast(c->in[0], GLIA_I64), -1);
  const glia_value last = looked_up(c, scattered(c, none, mine, GLIA_SCATTER_SET));
  c->din[2] = glia_where(glia_equal(last, mine), looked_up(c, dy), glia_full_like(c->in[2], 0));
}

/* An update that is 0 is divided by nowhere: the product of all that are not 0, if it is the
 * only one of its place, else 0. */
static void mul_gradients(gi_vjp *c) {
  const glia_value x = c->in[0], u = c->in[2], dy = c->dout[0];
  const glia_value ones = glia_full_like(x, 1), zero = glia_full_like(u, 0);
  if (c->need[0]) c->din[0] = glia_mul(dy, scattered(c, ones, u, GLIA_SCATTER_MUL));
  if (!c->need[2]) return;
  const glia_value is_zero = glia_equal(u, zero);
  const glia_value whole = glia_where(is_zero, glia_full_like(u, 1), u);
  const glia_value product = looked_up(c, scattered(c, x, whole, GLIA_SCATTER_MUL));
  const glia_value zeros =
      looked_up(c, scattered(c, glia_full_like(x, 0), glia_cast(is_zero, glia_value_dtype(u)),
                             GLIA_SCATTER_ADD));
  const glia_value others = glia_sub(zeros, glia_cast(is_zero, glia_value_dtype(u)));
  c->din[2] = glia_mul(looked_up(c, dy),
                       glia_where(glia_greater(others, zero), zero, glia_div(product, whole)));
}

static void extreme_gradients(gi_vjp *c) {
  const glia_value x = c->in[0], u = c->in[2], y = c->out[0];
  const glia_dtype t = glia_value_dtype(x);
  const glia_value kept = glia_cast(glia_equal(x, y), t);
  const glia_value won = glia_cast(glia_equal(u, looked_up(c, y)), t);
  const glia_value share = glia_div(c->dout[0], scattered(c, kept, won, GLIA_SCATTER_ADD));
  if (c->need[0]) c->din[0] = glia_mul(kept, share);
  if (c->need[2]) c->din[2] = glia_mul(won, looked_up(c, share));
}

static glia_status vjp(gi_vjp *c) {
  switch (mode_of(c->attr)) {
    case GLIA_SCATTER_SET: set_gradients(c); break;
    case GLIA_SCATTER_MUL: mul_gradients(c); break;
    case GLIA_SCATTER_ADD:
      c->din[0] = c->dout[0];
      if (c->need[2]) c->din[2] = looked_up(c, c->dout[0]);
      break;
    default: extreme_gradients(c);
  }
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

static double combined(int mode, double a, double b) {
  switch (mode) {
    case GLIA_SCATTER_SET: return b;
    case GLIA_SCATTER_ADD: return a + b;
    case GLIA_SCATTER_MUL: return a * b;
    case GLIA_SCATTER_MAX: return b > a || b != b ? b : a;
    default: return b < a || b != b ? b : a;
  }
}

static glia_status ref(gi_ref *c) {
  const gi_scatter_attr *a = c->attr;
  const gi_type *x = &c->in[0].t, *index = &c->in[1].t;
  const int mode = mode_of(a);
  int64_t at[GLIA_MAX_RANK] = {0}, strides[GLIA_MAX_RANK];
  gi_type_strides(x, strides);
  memcpy(c->out[0].p, c->in[0].p, gi_type_bytes(x));
  for (int64_t e = 0; e < gi_type_count(index); e++, gi_next(index, at)) {
    const int64_t i = gi_index_at(&c->in[1], e);
    if (i < 0 || i >= x->dim[a->axis])
      return gi_fail(GLIA_INVALID,
                     "scatter: index %" PRId64 " at position %" PRId64
                     " is not in 0 .. %" PRId64,
                     i, e, x->dim[a->axis] - 1);
    const int64_t to = gi_offset(x->rank, at, strides) + (i - at[a->axis]) * strides[a->axis];
    if (mode == GLIA_SCATTER_SET)
      gi_move(&c->in[2], e, &c->out[0], to);
    else
      gi_put(&c->out[0], to, combined(mode, gi_get(&c->out[0], to), gi_get(&c->in[2], e)));
  }
  return GLIA_OK;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_scatter_attr set1 = {1, "set"}, set0 = {0, "set"}, add0 = {0, "add"},
                             mul1 = {1, "mul"}, max0 = {0, "max"}, min1 = {1, "min"},
                             what = {0, "and"}, set3 = {3, "set"};
#define R -2, 2, GLIA_F32
#define I 0, 4, GLIA_I64
#define ROWS(attr) \
  { &attr, 3, {{2, {3, 4}, R}, {2, {3, 7}, I}, {2, {3, 7}, R}}, GLIA_OK }
#define COLUMNS(attr) \
  { &attr, 3, {{2, {4, 5}, R}, {2, {3, 3}, 0, 4, GLIA_I32}, {2, {3, 3}, R}}, GLIA_OK }
static const gi_sample samples[] = {
    ROWS(set1),
    COLUMNS(set0),
    COLUMNS(add0),
    ROWS(mul1),
    COLUMNS(max0),
    ROWS(min1),
    {&set1, 3, {{3, {2, 4, 3}, R}, {3, {2, 2, 3}, I}, {3, {2, 2, 3}, R}}, GLIA_OK},
    {&add0, 3, {{1, {4}, R}, {1, {0}, I}, {1, {0}, R}}, GLIA_OK},
    {&add0, 3, {{1, {4}, 0, 9, GLIA_I64}, {1, {9}, I}, {1, {9}, 0, 9, GLIA_I64}}, GLIA_OK},
    {&set0, 3, {{1, {4}, 0, 9, GLIA_I64}, {1, {9}, I}, {1, {9}, 0, 9, GLIA_I64}}, GLIA_OK},
    {&set0, 3, {{1, {4}, 0, 1, GLIA_BOOL}, {1, {2}, I}, {1, {2}, 0, 1, GLIA_BOOL}}, GLIA_OK},
    {&what, 3, {{1, {4}, R}, {1, {4}, I}, {1, {4}, R}}, GLIA_INVALID},
    {&set3, 3, {{1, {4}, R}, {1, {4}, I}, {1, {4}, R}}, GLIA_SHAPE},
    {&set0, 3, {{1, {4}, R}, {1, {4}, I}, {1, {5}, R}}, GLIA_SHAPE},
    {&set0, 3, {{2, {4, 2}, R}, {2, {4, 3}, I}, {2, {4, 3}, R}}, GLIA_SHAPE},
    {&set0, 3, {{1, {4}, R}, {1, {4}, R}, {1, {4}, R}}, GLIA_DTYPE},
    {&set0, 3, {{1, {4}, R}, {1, {4}, I}, {1, {4}, I}}, GLIA_DTYPE},
    {&add0, 3, {{1, {4}, 0, 1, GLIA_BOOL}, {1, {2}, I}, {1, {2}, 0, 1, GLIA_BOOL}}, GLIA_DTYPE},
};
#undef R
#undef I

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_scatter_attr, axis), "that the index counts along"},
    {"mode", GI_ATTR_NAME, offsetof(gi_scatter_attr, mode), "set, add, mul, max or min"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_scatter = {
    .name = "scatter",
    .doc = "elements put, or combined with what is there, at an index along an axis",
    .torch =
        "x0.scatter(axis, x1, x2) if mode == 'set' else x0.scatter_reduce(axis, x1, x2, "
        "{'add': 'sum', 'mul': 'prod', 'max': 'amax', 'min': 'amin'}[mode])",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .attr_size = sizeof(gi_scatter_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};
const gi_op *const gi_ops_scatter[] = {&gi_op_scatter, NULL};

/* ---- builders ------------------------------------------------------------------------ */

/* updates may be larger than the index: its beginning counts. */
static glia_value cut(glia_value updates, glia_value index) {
  const int rank = glia_value_rank(index);
  if (glia_value_rank(updates) != rank) return updates; /* the op says what is wrong */
  for (int d = 0; d < rank; d++)
    updates = glia_slice(updates, d, 0, glia_value_dim(index, d), 1);
  return updates;
}

static glia_value emit(glia_value x, glia_value index, glia_value updates, int axis,
                       glia_scatter_mode mode) {
  const int at = gi_axis(axis, glia_value_rank(x));
  const gi_scatter_attr a = {at < 0 ? axis : at, modes[mode]};
  const glia_value in[] = {x, index, updates};
  return gi_emit(NULL, &gi_op_scatter, &a, in, 3, NULL);
}

/* Sum over count; a place that nothing comes to has x, or what counts there divides by 1. */
static glia_value mean(glia_value x, glia_value index, glia_value updates, int axis,
                       double self) {
  const glia_value sum = emit(x, index, updates, axis, GLIA_SCATTER_ADD);
  const glia_value count =
      emit(glia_full_like(x, self), index, glia_full_like(updates, 1), axis, GLIA_SCATTER_ADD);
  return glia_div(sum, glia_maximum(count, glia_full_like(x, 1)));
}

static glia_value scatter(glia_value x, glia_value index, glia_value updates, int axis,
                          glia_scatter_mode mode, double self) {
  if (gi_null(x) || gi_null(index) || gi_null(updates)) return GLIA_NONE;
  if ((unsigned)mode > GLIA_SCATTER_MEAN)
    return gi_latch(x.graph, GLIA_INVALID, "scatter: there is no mode %d", (int)mode);
  updates = cut(updates, index);
  if (gi_null(updates)) return updates;
  return mode == GLIA_SCATTER_MEAN ? mean(x, index, updates, axis, self)
                                   : emit(x, index, updates, axis, mode);
}

glia_value glia_scatter(glia_value x, glia_value index, glia_value updates, int axis,
                        glia_scatter_mode mode) {
  return scatter(x, index, updates, axis, mode, 1);
}

/* What is there is first set to what the combination does not change. */
glia_value glia_scatter_over(glia_value x, glia_value index, glia_value updates, int axis,
                             glia_scatter_mode mode) {
  static const double neutral[] = {0, 0, 1, -INFINITY, INFINITY, 0};
  if (gi_null(x) || gi_null(index) || gi_null(updates)) return GLIA_NONE;
  if (mode != GLIA_SCATTER_SET && (unsigned)mode <= GLIA_SCATTER_MEAN) {
    const glia_value part = cut(updates, index);
    if (gi_null(part)) return part;
    x = emit(x, index, glia_full_like(part, neutral[mode]), axis, GLIA_SCATTER_SET);
  }
  return scatter(x, index, updates, axis, mode, 0);
}
