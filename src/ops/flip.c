/* flip.c - axes back to front (flip), and turned in a circle (roll).
 *
 * Shapes: any -> the same. Along an axis of n elements flip(x)[i] = x[n - 1 - i], and
 * roll(x)[i] = x[(i - shift) mod n], which is two slices put together again and no op.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c) {
  const gi_dims *axes = &((const gi_permute_attr *)c->attr)->axes;
  bool used[GLIA_MAX_RANK] = {false};
  for (int k = 0; k < axes->n; k++) {
    GI_TRY(gi_want_axis(axes->at[k], &c->in[0], "flip"));
    if (used[axes->at[k]])
      return gi_fail(GLIA_SHAPE, "flip: axis %" PRId64 " is listed twice", axes->at[k]);
    used[axes->at[k]] = true;
  }
  c->out[0] = c->in[0];
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  c->din[0] = gi_emit1(&gi_op_flip, c->attr, c->dout[0]);
  return GLIA_OK;
}

/* Runs of elements behind the last axis that is flipped stay together. */
static glia_status ref(gi_ref *c) {
  const gi_dims *axes = &((const gi_permute_attr *)c->attr)->axes;
  gi_type head = c->in[0].t; /* the axes in front of the runs */
  bool flipped[GLIA_MAX_RANK] = {false};
  int64_t at[GLIA_MAX_RANK] = {0}, from[GLIA_MAX_RANK], strides[GLIA_MAX_RANK];
  int last = -1;
  for (int k = 0; k < axes->n; k++) {
    flipped[axes->at[k]] = true;
    last = GI_MAX(last, (int)axes->at[k]);
  }
  gi_type_strides(&head, strides);
  const int64_t run = last < 0 ? gi_type_count(&head) : strides[last];
  const size_t bytes = (size_t)run * glia_dtype_size(head.dtype);
  head.rank = last + 1;
  const bool empty = gi_type_count(&c->in[0].t) == 0; /* strides do not tell */
  const int64_t count = empty ? 0 : gi_type_count(&head);
  for (int64_t e = 0; e < count; e++, gi_next(&head, at)) {
    for (int d = 0; d < head.rank; d++) from[d] = flipped[d] ? head.dim[d] - 1 - at[d] : at[d];
    const int64_t first = gi_offset(head.rank, from, strides);
    memcpy((char *)c->out[0].p + (size_t)e * bytes,
           (const char *)c->in[0].p + (size_t)first * glia_dtype_size(head.dtype), bytes);
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  return (gi_cost){.flops = 0, .bytes = gi_default_cost(c).bytes};
}

static const gi_permute_attr axis0 = {{1, {0}}}, axis1 = {{1, {1}}}, axes02 = {{2, {0, 2}}},
                             axis3 = {{1, {3}}}, twice = {{2, {1, 1}}}, none = {{0, {0}}};
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&axis1, 1, {{2, {2, 3}, R}}, GLIA_OK},    {&axes02, 1, {{3, {3, 5, 7}, R}}, GLIA_OK},
    {&axis0, 1, {{3, {4, 1, 9}, R}}, GLIA_OK}, {&none, 1, {{2, {2, 3}, R}}, GLIA_OK},
    {&axis0, 1, {{2, {0, 3}, R}}, GLIA_OK},    {&axis0, 1, {{2, {3, 0}, R}}, GLIA_OK},
    {&axis0, 1, {{3, {3, 0, 2}, R}}, GLIA_OK}, {&axis0, 1, {{1, {9}, 0, 9, GLIA_I64}}, GLIA_OK},
    {&axis3, 1, {{2, {2, 3}, R}}, GLIA_SHAPE}, {&twice, 1, {{2, {2, 3}, R}}, GLIA_SHAPE},
};
#undef R

static const gi_attr fields[] = {
    {"axes", GI_ATTR_DIMS, offsetof(gi_permute_attr, axes), "that are turned round"},
    {NULL, GI_ATTR_DIMS, 0, NULL},
};

const gi_op gi_op_flip = {
    .name = "flip",
    .doc = "axes back to front",
    .torch = "torch.flip(x0, axes)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_permute_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_flip[] = {&gi_op_flip, NULL};

/* ---- builders ------------------------------------------------------------------------ */

glia_value glia_flip(glia_value x, const int *axes, int n) {
  if (gi_null(x)) return x;
  if (n < 0 || n > GLIA_MAX_RANK)
    return gi_latch(x.graph, GLIA_INVALID, "flip: %d axes, wanted 0 to %d", n, GLIA_MAX_RANK);
  gi_permute_attr a = {.axes = {.n = n}};
  for (int k = 0; k < n; k++) {
    const int axis = gi_axis(axes[k], glia_value_rank(x));
    a.axes.at[k] = axis < 0 ? axes[k] : axis;
  }
  return n == 0 ? x : gi_emit1(&gi_op_flip, &a, x);
}

glia_value glia_roll(glia_value x, int axis, int64_t shift) {
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  if (at < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "roll: axis %d is out of range, x has rank %d", axis,
                    glia_value_rank(x));
  const int64_t n = glia_value_dim(x, at);
  const int64_t front = n > 0 ? (shift % n + n) % n : 0; /* elements that come to the front */
  if (front == 0) return x;
  const glia_value parts[] = {glia_slice(x, at, n - front, n, 1),
                              glia_slice(x, at, 0, n - front, 1)};
  return glia_concat(parts, 2, at);
}
