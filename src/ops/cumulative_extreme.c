/* cumulative_extreme.c - the largest and the smallest so far, along one axis.
 *
 *   cummax(x)[i] = max(x[0], ..., x[i]), and where it is: the last of equals, as in PyTorch
 *
 * A NaN stays from where it is met. Shapes: x [...] -> values and, i64, places of x's shape.
 * The gradient goes to where the values came from.
 */
#include <math.h>

#include "glia/index.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c, const char *op) {
  char text[GI_TEXT];
  GI_TRY(gi_want_axis(((const gi_axis_attr *)c->attr)->axis, &c->in[0], op));
  if (c->in[0].dtype == GLIA_BOOL)
    return gi_fail(GLIA_DTYPE, "%s: x is %s, wanted numbers; hint: glia_cast", op,
                   gi_type_text(&c->in[0], text, sizeof text));
  c->out[0] = c->out[1] = c->in[0];
  c->out[1].dtype = GLIA_I64;
  return GLIA_OK;
}
static glia_status infer_max(gi_infer *c) { return infer(c, "cummax"); }
static glia_status infer_min(gi_infer *c) { return infer(c, "cummin"); }

static glia_status vjp(gi_vjp *c) {
  const int axis = (int)((const gi_axis_attr *)c->attr)->axis;
  c->din[0] = glia_put_along(c->dout[0], c->out[1], axis, glia_value_dim(c->in[0], axis));
  return GLIA_OK;
}

static glia_status run(gi_ref *c, double sign) {
  const gi_rows r = gi_rows_of(&c->in[0].t, ((const gi_axis_attr *)c->attr)->axis);
  for (int64_t row = 0; row < r.outer * r.inner; row++) {
    const int64_t start = row / r.inner * r.n * r.inner + row % r.inner;
    double best = 0;
    int64_t won = -1;
    for (int64_t k = 0; k < r.n; k++) {
      const double v = gi_get(&c->in[0], start + k * r.inner);
      if (won < 0 || isnan(v) || v * sign >= best * sign) {
        best = v;
        won = k;
      }
      gi_put(&c->out[0], start + k * r.inner, best);
      gi_put(&c->out[1], start + k * r.inner, (double)won);
    }
  }
  return GLIA_OK;
}
static glia_status ref_max(gi_ref *c) { return run(c, 1); }
static glia_status ref_min(gi_ref *c) { return run(c, -1); }

static const gi_axis_attr axis0 = {0}, axis1 = {1}, axis3 = {3};
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&axis1, 1, {{2, {3, 5}, R}}, GLIA_OK},
    {&axis1, 1, {{3, {2, 7, 3}, R}}, GLIA_OK},
    {&axis0, 1, {{1, {1}, R}}, GLIA_OK},
    {&axis0, 1, {{2, {0, 3}, R}}, GLIA_OK}, /* no elements */
    {&axis0, 1, {{1, {9}, 0, 3, GLIA_I64}}, GLIA_OK},
    {&axis3, 1, {{2, {3, 5}, R}}, GLIA_SHAPE},
    {&axis0, 1, {{1, {4}, 0, 1, GLIA_BOOL}}, GLIA_DTYPE},
};
#undef R
static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_axis_attr, axis), "along which it runs"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

#define EXTREME(row, text, rule, reference)                                         \
  const gi_op gi_op_##row = {.name = #row,                                          \
                             .doc = text " so far along an axis, and where it was", \
                             .torch = "torch." #row "(x0, axis).values",            \
                             .min_in = 1,                                           \
                             .max_in = 1,                                           \
                             .n_out = 2,                                            \
                             .attr_size = sizeof(gi_axis_attr),                     \
                             .attrs = fields,                                       \
                             .infer = rule,                                         \
                             .vjp = vjp,                                            \
                             .ref = reference,                                      \
                             .samples = samples,                                    \
                             .n_samples = GI_COUNT(samples)}
EXTREME(cummax, "the largest", infer_max, ref_max);
EXTREME(cummin, "the smallest", infer_min, ref_min);
const gi_op *const gi_ops_cumulative_extreme[] = {&gi_op_cummax, &gi_op_cummin, NULL};

static glia_value emit(const gi_op *op, glia_value x, int axis, glia_value *index) {
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  const int at = gi_axis(axis, glia_value_rank(x));
  const gi_axis_attr a = {at < 0 ? axis : at};
  if (!gi_null(x)) gi_emit(NULL, op, &a, &x, 1, out);
  if (index != NULL) *index = out[1];
  return out[0];
}
glia_value glia_cummax(glia_value x, int axis, glia_value *index) {
  return emit(&gi_op_cummax, x, axis, index);
}
glia_value glia_cummin(glia_value x, int axis, glia_value *index) {
  return emit(&gi_op_cummin, x, axis, index);
}
