/* cumulative.c - sums, products and linear recurrences that run along one axis.
 *
 *   cumsum(x)[i]         = x[0] + ... + x[i]
 *   cumprod(x)[i]        = x[0] ... x[i]
 *   linear_scan(a, b)[i] = y[i] = a[i] y[i - 1] + b[i],   y[-1] = 0
 *
 * and with reverse the same from the other end. Shapes: any, one axis -> the same.
 *
 * x[i] is a term of every later sum, so the gradient of cumsum is cumsum from the other end.
 * What reaches y[i] of a recurrence from later ones is a recurrence from the other end too:
 *
 *   d[i] = dy[i] + a[i + 1] d[i + 1],   db = d,   da[i] = d[i] y[i - 1]
 *
 * A product is the recurrence y[i] = x[i] y[i - 1] with y[-1] = 1; taking its gradient by that,
 * not as sums of dy y divided by x, is exact where x is 0.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status check(gi_infer *c, const char *op) {
  char text[GI_TEXT];
  GI_TRY(gi_want_axis(((const gi_cumulative_attr *)c->attr)->axis, &c->in[0], op));
  if (c->in[0].dtype == GLIA_BOOL)
    return gi_fail(GLIA_DTYPE, "%s: x is %s, wanted numbers; hint: glia_cast", op,
                   gi_type_text(&c->in[0], text, sizeof text));
  c->out[0] = c->in[0];
  return GLIA_OK;
}
static glia_status infer_sum(gi_infer *c) { return check(c, "cumsum"); }
static glia_status infer_prod(gi_infer *c) { return check(c, "cumprod"); }
static glia_status infer_scan(gi_infer *c) {
  char ta[GI_TEXT], tb[GI_TEXT];
  GI_TRY(gi_want_float(c, 0, "linear_scan", "a"));
  GI_TRY(gi_want_same(c, 0, 1, "linear_scan"));
  if (!gi_shape_equal(&c->in[0], &c->in[1]))
    return gi_fail(GLIA_SHAPE, "linear_scan: a is %s, b is %s, wanted one shape",
                   gi_shape_text(&c->in[0], ta, sizeof ta),
                   gi_shape_text(&c->in[1], tb, sizeof tb));
  return check(c, "linear_scan");
}

/* ---- gradients ----------------------------------------------------------------------- */

/* v[i + by] at place i, by 1 or -1; `fill` where there is none. */
static glia_value shifted(glia_value v, int axis, int by, double fill) {
  const int64_t n = gi_null(v) ? 0 : glia_value_dim(v, axis);
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  if (n == 0) return v;
  (by > 0 ? after : before)[axis] = 1;
  return glia_pad(glia_slice(v, axis, by > 0 ? 1 : 0, by > 0 ? n : n - 1, 1), before, after,
                  fill);
}

/* d[i] as above: what reaches y[i] through all later ones. */
static glia_value reaching(const gi_cumulative_attr *a, glia_value factor, glia_value dy) {
  const gi_cumulative_attr back = {a->axis, !a->reverse};
  return gi_emit2(&gi_op_linear_scan, &back,
                  shifted(factor, (int)a->axis, a->reverse ? -1 : 1, 0), dy);
}

/* y[i - 1] at place i. */
static glia_value previous(const gi_cumulative_attr *a, glia_value y, double first) {
  return shifted(y, (int)a->axis, a->reverse ? 1 : -1, first);
}

static glia_status vjp_sum(gi_vjp *c) {
  const gi_cumulative_attr *a = c->attr, back = {a->axis, !a->reverse};
  c->din[0] = gi_emit1(&gi_op_cumsum, &back, c->dout[0]);
  return GLIA_OK;
}
static glia_status vjp_prod(gi_vjp *c) {
  c->din[0] =
      glia_mul(reaching(c->attr, c->in[0], c->dout[0]), previous(c->attr, c->out[0], 1));
  return GLIA_OK;
}
static glia_status vjp_scan(gi_vjp *c) {
  c->din[1] = reaching(c->attr, c->in[0], c->dout[0]);
  if (c->need[0]) c->din[0] = glia_mul(c->din[1], previous(c->attr, c->out[0], 0));
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

/* y[i] = factor y[i - 1] + term from y[-1] = first, row by row; NULL: factor 1, term 0. */
static glia_status run(gi_ref *c, const gi_buf *factor, const gi_buf *term, double first) {
  const gi_cumulative_attr *a = c->attr;
  const gi_rows r = gi_rows_of(&c->in[0].t, a->axis);
  for (int64_t row = 0; row < r.outer * r.inner; row++) {
    const int64_t start = row / r.inner * r.n * r.inner + row % r.inner;
    double y = first;
    for (int64_t k = 0; k < r.n; k++) {
      const int64_t at = start + (a->reverse ? r.n - 1 - k : k) * r.inner;
      if (factor != NULL) y *= gi_get(factor, at);
      if (term != NULL) y += gi_get(term, at);
      gi_put(&c->out[0], at, y);
    }
  }
  return GLIA_OK;
}
static glia_status ref_sum(gi_ref *c) { return run(c, NULL, &c->in[0], 0); }
static glia_status ref_prod(gi_ref *c) { return run(c, &c->in[0], NULL, 1); }
static glia_status ref_scan(gi_ref *c) { return run(c, &c->in[0], &c->in[1], 0); }

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_cumulative_attr axis0 = {0, false}, axis1 = {1, false}, back1 = {1, true},
                                axis3 = {3, false}, back0 = {0, true};
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&axis1, 1, {{2, {3, 5}, R}}, GLIA_OK},
    {&back1, 1, {{3, {2, 7, 3}, R}}, GLIA_OK},
    {&back0, 1, {{1, {6}, R}}, GLIA_OK},
    {&axis0, 1, {{1, {1}, R}}, GLIA_OK},
    {&axis0, 1, {{2, {0, 3}, R}}, GLIA_OK}, /* no elements */
    {&axis1, 1, {{2, {3, 0}, R}}, GLIA_OK},
    {&axis0, 1, {{1, {4}, 0, 0, GLIA_F32}}, GLIA_OK}, /* zeros */
    {&axis0, 1, {{1, {9}, 0, 3, GLIA_I64}}, GLIA_OK},
    {&axis3, 1, {{2, {3, 5}, R}}, GLIA_SHAPE},
    {&axis0, 1, {{1, {4}, 0, 1, GLIA_BOOL}}, GLIA_DTYPE},
};
static const gi_sample samples_scan[] = {
    {&axis1, 2, {{2, {3, 5}, R}, {2, {3, 5}, R}}, GLIA_OK},
    {&back1, 2, {{3, {2, 7, 3}, R}, {3, {2, 7, 3}, R}}, GLIA_OK},
    {&axis0, 2, {{1, {1}, R}, {1, {1}, R}}, GLIA_OK},
    {&axis0, 2, {{2, {0, 3}, R}, {2, {0, 3}, R}}, GLIA_OK},
    {&axis3, 2, {{2, {3, 5}, R}, {2, {3, 5}, R}}, GLIA_SHAPE},
    {&axis0, 2, {{2, {3, 5}, R}, {2, {3, 4}, R}}, GLIA_SHAPE},
    {&axis0, 2, {{1, {4}, 0, 4, GLIA_I32}, {1, {4}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};
#undef R

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_cumulative_attr, axis), "along which it runs"},
    {"reverse", GI_ATTR_BOOL, offsetof(gi_cumulative_attr, reverse), "begin at the end"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_cumsum = {
    .name = "cumsum",
    .doc = "running sum along an axis",
    .torch = "torch.cumsum(x0, axis)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_cumulative_attr),
    .attrs = fields,
    .infer = infer_sum,
    .vjp = vjp_sum,
    .ref = ref_sum,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_cumprod = {
    .name = "cumprod",
    .doc = "running product along an axis",
    .torch = "torch.cumprod(x0, axis)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_cumulative_attr),
    .attrs = fields,
    .infer = infer_prod,
    .vjp = vjp_prod,
    .ref = ref_prod,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_linear_scan = {
    .name = "linear_scan",
    .doc = "the recurrence y[i] = a[i] y[i - 1] + b[i] along an axis, y[-1] = 0",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_size = sizeof(gi_cumulative_attr),
    .attrs = fields,
    .infer = infer_scan,
    .vjp = vjp_scan,
    .ref = ref_scan,
    .samples = samples_scan,
    .n_samples = GI_COUNT(samples_scan),
};

const gi_op *const gi_ops_cumulative[] = {&gi_op_cumsum, &gi_op_cumprod, &gi_op_linear_scan,
                                          NULL};

/* ---- builders ------------------------------------------------------------------------ */

/* A negative axis counts from the end; one that is out of range is left to the shape rule. */
static gi_cumulative_attr attr_of(glia_value x, int axis, bool reverse) {
  const int at = gi_axis(axis, glia_value_rank(x));
  return (gi_cumulative_attr){at < 0 ? axis : at, reverse};
}

glia_value glia_cumsum(glia_value x, int axis, bool reverse) {
  if (gi_null(x)) return x;
  const gi_cumulative_attr a = attr_of(x, axis, reverse);
  return gi_emit1(&gi_op_cumsum, &a, x);
}

glia_value glia_cumprod(glia_value x, int axis, bool reverse) {
  if (gi_null(x)) return x;
  const gi_cumulative_attr a = attr_of(x, axis, reverse);
  return gi_emit1(&gi_op_cumprod, &a, x);
}

glia_value glia_linear_scan(glia_value a, glia_value b, int axis, bool reverse) {
  if (gi_null(a)) return a;
  const gi_cumulative_attr attr = attr_of(a, axis, reverse);
  return gi_emit2(&gi_op_linear_scan, &attr, a, b);
}
