/* softmax.c - softmax and its logarithm along one axis.
 *
 *   softmax(x)[i] = e^(x[i] - m) / s,   log_softmax(x)[i] = x[i] - m - log(s),
 *   m = max x,   s = sum over j of e^(x[j] - m)
 *
 * Shapes: any, one axis. Taking m off keeps every exponential at or below 1, so that nothing
 * overflows; log_softmax never takes the logarithm of a quotient that went to zero.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer_axis(gi_infer *c, const char *op) {
  GI_TRY(gi_want_float(c, 0, op, "x"));
  GI_TRY(gi_want_axis(((const gi_axis_attr *)c->attr)->axis, &c->in[0], op));
  c->out[0] = c->in[0];
  return GLIA_OK;
}
static glia_status infer_softmax(gi_infer *c) { return infer_axis(c, "softmax"); }
static glia_status infer_log_softmax(gi_infer *c) { return infer_axis(c, "log_softmax"); }

static glia_value sum_axis(glia_value v, const void *attr) {
  const int axis = (int)((const gi_axis_attr *)attr)->axis;
  return glia_sum(v, .n = 1, .axes = {axis}, .keep = true);
}

/* dx = y (dy - sum(dy y)) */
static glia_status vjp_softmax(gi_vjp *c) {
  const glia_value y = c->out[0], dy = c->dout[0];
  c->din[0] = glia_mul(y, glia_sub(dy, sum_axis(glia_mul(dy, y), c->attr)));
  return GLIA_OK;
}

/* dx = dy - e^y sum(dy) */
static glia_status vjp_log_softmax(gi_vjp *c) {
  const glia_value dy = c->dout[0];
  c->din[0] = glia_sub(dy, glia_mul(glia_exp(c->out[0]), sum_axis(dy, c->attr)));
  return GLIA_OK;
}

static glia_status ref_rows(gi_ref *c, bool logarithm) {
  const gi_buf *x = &c->in[0];
  const gi_rows r = gi_rows_of(&x->t, ((const gi_axis_attr *)c->attr)->axis);
  for (int64_t row = 0; row < r.outer * r.inner && r.n > 0; row++) {
    const int64_t first = row / r.inner * r.n * r.inner + row % r.inner;
    double m = gi_get(x, first), s = 0;
    for (int64_t i = 1; i < r.n; i++) m = gi_larger(m, gi_get(x, first + i * r.inner));
    for (int64_t i = 0; i < r.n; i++) s += exp(gi_get(x, first + i * r.inner) - m);
    for (int64_t i = 0; i < r.n; i++) {
      const double v = gi_get(x, first + i * r.inner) - m;
      gi_put(&c->out[0], first + i * r.inner, logarithm ? v - log(s) : exp(v) / s);
    }
  }
  return GLIA_OK;
}
static glia_status ref_softmax(gi_ref *c) { return ref_rows(c, false); }
static glia_status ref_log_softmax(gi_ref *c) { return ref_rows(c, true); }

static gi_cost cost(const gi_infer *c) { /* largest, subtract, exponential, sum, divide */
  gi_cost k = gi_default_cost(c);
  k.flops *= 5;
  return k;
}

static const gi_axis_attr axis0 = {0}, axis1 = {1}, axis2 = {2}, axis3 = {3};
#define R -4, 4, GLIA_F32
static const gi_sample samples[] = {
    {&axis1, 1, {{2, {2, 3}, R}}, GLIA_OK},
    {&axis0, 1, {{2, {5, 3}, R}}, GLIA_OK},
    {&axis1, 1, {{4, {2, 17, 3, 5}, R}}, GLIA_OK},
    {&axis2, 1, {{3, {3, 1, 65}, R}}, GLIA_OK},
    {&axis1, 1, {{2, {2, 7}, 800, 1200, GLIA_F32}}, GLIA_OK}, /* e^x overflows */
    {&axis1, 1, {{2, {4, 1}, R}}, GLIA_OK},
    {&axis1, 1, {{2, {0, 3}, R}}, GLIA_OK},
    {&axis1, 1, {{2, {3, 0}, R}}, GLIA_OK},
    {&axis3, 1, {{2, {2, 3}, R}}, GLIA_SHAPE},
    {&axis0, 1, {{1, {4}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};
#undef R

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_axis_attr, axis), "along which it sums to 1"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_softmax = {
    .name = "softmax",
    .doc = "e^x, scaled to sum to 1 along an axis",
    .torch = "torch.softmax(x0, axis)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_axis_attr),
    .attrs = fields,
    .infer = infer_softmax,
    .vjp = vjp_softmax,
    .ref = ref_softmax,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_log_softmax = {
    .name = "log_softmax",
    .doc = "the logarithm of softmax, without its underflow",
    .torch = "torch.log_softmax(x0, axis)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_axis_attr),
    .attrs = fields,
    .infer = infer_log_softmax,
    .vjp = vjp_log_softmax,
    .ref = ref_log_softmax,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_softmax[] = {&gi_op_softmax, &gi_op_log_softmax, NULL};

static glia_value along(const gi_op *op, glia_value x, int axis) {
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  if (at < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "%s: axis %d is out of range, x has rank %d", op->name,
                    axis, glia_value_rank(x));
  const gi_axis_attr a = {at};
  return gi_emit1(op, &a, x);
}

glia_value glia_softmax(glia_value x, int axis) { return along(&gi_op_softmax, x, axis); }
glia_value glia_log_softmax(glia_value x, int axis) {
  return along(&gi_op_log_softmax, x, axis);
}
