/* pad.c - a frame of one value around a tensor.
 *
 * Shapes: [.., n, ..] -> [.., before + n + after, ..] for every axis.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c) {
  const gi_pad_attr *a = c->attr;
  const gi_type *x = &c->in[0];
  char text[GI_TEXT];
  if (a->before.n != x->rank || a->after.n != x->rank)
    return gi_fail(GLIA_SHAPE, "pad: x is %s, got counts for %d and %d axes",
                   gi_shape_text(x, text, sizeof text), a->before.n, a->after.n);
  c->out[0] = *x;
  for (int d = 0; d < x->rank; d++) {
    const int64_t before = a->before.at[d], after = a->after.at[d];
    if (before < 0 || after < 0)
      return gi_fail(GLIA_INVALID,
                     "pad: %" PRId64 " and %" PRId64
                     " on axis %d, want >= 0; hint: "
                     "glia_slice cuts",
                     before, after, d);
    if (before > INT64_MAX / 4 || after > INT64_MAX / 4 || x->dim[d] > INT64_MAX / 4)
      return gi_fail(GLIA_SHAPE, "pad: axis %d becomes too long", d);
    c->out[0].dim[d] = before + x->dim[d] + after;
  }
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  const gi_pad_attr *a = c->attr;
  glia_value d = c->dout[0];
  for (int i = 0; i < a->before.n; i++)
    d = glia_slice(d, i, a->before.at[i], a->before.at[i] + glia_value_dim(c->in[0], i), 1);
  c->din[0] = d;
  return GLIA_OK;
}

static glia_status ref(gi_ref *c) {
  const gi_pad_attr *a = c->attr;
  const gi_type *x = &c->in[0].t, *y = &c->out[0].t;
  const size_t size = glia_dtype_size(x->dtype);
  int64_t strides[GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  gi_type_strides(y, strides);
  const int64_t first = gi_offset(y->rank, a->before.at, strides);
  const int64_t frame = gi_type_count(y), count = gi_type_count(x);
  for (int64_t e = 0; e < frame; e++) gi_put(&c->out[0], e, a->value);
  for (int64_t e = 0; e < count; e++, gi_next(x, at))
    memcpy((char *)c->out[0].p + (size_t)(first + gi_offset(x->rank, at, strides)) * size,
           (const char *)c->in[0].p + (size_t)e * size, size);
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  return (gi_cost){.flops = 0, .bytes = gi_default_cost(c).bytes};
}

static const gi_pad_attr ring = {{2, {1, 1}}, {2, {1, 1}}, 0.5}, left = {{1, {3}}, {1, {0}}, 0},
                         uneven = {{4, {0, 0, 2, 1}}, {4, {0, 0, 0, 3}}, -1},
                         minus = {{1, {-1}}, {1, {0}}, 0}, scalar = {{0, {0}}, {0, {0}}, 0};
static const gi_sample samples[] = {
    {&ring, 1, {{2, {2, 2}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&uneven, 1, {{4, {2, 3, 5, 7}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&uneven, 1, {{4, {1, 1, 1, 1}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&left, 1, {{1, {0}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&left, 1, {{1, {5}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&scalar, 1, {{0, {0}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&left, 1, {{2, {2, 2}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&minus, 1, {{1, {4}, -2, 2, GLIA_F32}}, GLIA_INVALID},
};

static const gi_attr fields[] = {
    {"before", GI_ATTR_DIMS, offsetof(gi_pad_attr, before), "elements put before each axis"},
    {"after", GI_ATTR_DIMS, offsetof(gi_pad_attr, after), "elements put behind each axis"},
    {"value", GI_ATTR_F64, offsetof(gi_pad_attr, value), "of the frame"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_pad = {
    .name = "pad",
    .doc = "a frame of one value around a tensor",
    .torch =
        "torch.nn.functional.pad(x0, "
        "[n for p in reversed(list(zip(before, after))) for n in p], value=value)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_pad_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_pad[] = {&gi_op_pad, NULL};

glia_value glia_pad(glia_value x, const int64_t *before, const int64_t *after, double value) {
  if (gi_null(x)) return x;
  gi_pad_attr a = {.value = value};
  bool any = false;
  a.before.n = a.after.n = glia_value_rank(x);
  for (int d = 0; d < a.before.n; d++) {
    a.before.at[d] = before[d];
    a.after.at[d] = after[d];
    any = any || before[d] != 0 || after[d] != 0;
  }
  return any ? gi_emit1(&gi_op_pad, &a, x) : x;
}
