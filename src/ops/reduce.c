/* reduce.c - folding axes away: sum, mean, max, min, prod, variance, argmax, argmin.
 *
 * Shapes: x [...] -> the same without the listed axes or, with keep, with 1 in their place.
 * Sums of nothing are 0 and products 1; a largest, smallest or average of nothing is an
 * error. NaN wins every comparison, as in PyTorch. The reference adds up in double, in
 * row-major order.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

static bool reduces(const gi_reduce_attr *a, int axis) {
  for (int i = 0; i < a->axes.n; i++)
    if (a->axes.at[i] == axis) return true;
  return false;
}

/* The elements that one result is made of. */
static int64_t group_size(const gi_type *x, const gi_reduce_attr *a) {
  int64_t n = 1;
  for (int i = 0; i < a->axes.n; i++) n *= x->dim[a->axes.at[i]];
  return n;
}

typedef enum emptiness { MAY_BE_EMPTY, NOT_EMPTY } emptiness;

static glia_status infer_reduction(gi_infer *c, const char *op, bool floats, emptiness empty) {
  const gi_reduce_attr *a = c->attr;
  const gi_type *x = &c->in[0];
  char text[GI_TEXT];
  if (floats) GI_TRY(gi_want_float(c, 0, op, "x"));
  if (x->dtype == GLIA_BOOL)
    return gi_fail(GLIA_DTYPE, "%s: x is %s, wanted numbers; hint: glia_cast", op,
                   gi_type_text(x, text, sizeof text));
  for (int i = 0; i < a->axes.n; i++) {
    GI_TRY(gi_want_axis(a->axes.at[i], x, op));
    if (i > 0 && a->axes.at[i] <= a->axes.at[i - 1])
      return gi_fail(GLIA_INVALID, "%s: axis %" PRId64 " is listed twice or out of order", op,
                     a->axes.at[i]);
  }
  gi_type t = {.dtype = x->dtype};
  for (int d = 0; d < x->rank; d++)
    if (!reduces(a, d))
      t.dim[t.rank++] = x->dim[d];
    else if (a->keep)
      t.dim[t.rank++] = 1;
  if (empty == NOT_EMPTY && group_size(x, a) == 0)
    return gi_fail(GLIA_SHAPE, "%s: x is %s, there are no elements to choose from", op,
                   gi_shape_text(x, text, sizeof text));
  c->out[0] = t;
  return GLIA_OK;
}

static glia_status infer_sum(gi_infer *c) {
  return infer_reduction(c, "sum", false, MAY_BE_EMPTY);
}
static glia_status infer_prod(gi_infer *c) {
  return infer_reduction(c, "prod", false, MAY_BE_EMPTY);
}
static glia_status infer_mean(gi_infer *c) {
  return infer_reduction(c, "mean", true, NOT_EMPTY);
}
static glia_status infer_max(gi_infer *c) {
  return infer_reduction(c, "max", false, NOT_EMPTY);
}
static glia_status infer_min(gi_infer *c) {
  return infer_reduction(c, "min", false, NOT_EMPTY);
}

static glia_status infer_variance(gi_infer *c) {
  const gi_reduce_attr *a = c->attr;
  GI_TRY(infer_reduction(c, "variance", true, NOT_EMPTY));
  if (a->unbiased && group_size(&c->in[0], a) == 1)
    return gi_fail(GLIA_SHAPE, "variance: one element has no unbiased variance");
  return GLIA_OK;
}

static glia_status infer_arg(gi_infer *c, const char *op) {
  const gi_reduce_attr *a = c->attr;
  if (a->axes.n != 1) return gi_fail(GLIA_INVALID, "%s: takes one axis, got %d", op, a->axes.n);
  GI_TRY(infer_reduction(c, op, false, NOT_EMPTY));
  c->out[0].dtype = GLIA_I64;
  return GLIA_OK;
}
static glia_status infer_argmax(gi_infer *c) { return infer_arg(c, "argmax"); }
static glia_status infer_argmin(gi_infer *c) { return infer_arg(c, "argmin"); }

/* ---- reference ----------------------------------------------------------------------- */

typedef struct group { /* the elements behind one result */
  const gi_buf *x;
  const gi_reduce_attr *attr;
  int64_t first, n;
  int64_t strides[GLIA_MAX_RANK]; /* of x */
} group;

static double element(const group *g, int64_t j) {
  int64_t offset = g->first;
  for (int i = g->attr->axes.n - 1; i >= 0; i--) {
    const int64_t axis = g->attr->axes.at[i], size = g->x->t.dim[axis];
    offset += j % size * g->strides[axis];
    j /= size;
  }
  return gi_get(g->x, offset);
}

/* Runs fold on every group, in the order of the results. */
static glia_status each_group(gi_ref *c, double (*fold)(const group *g)) {
  const gi_type *x = &c->in[0].t;
  group g = {.x = &c->in[0], .attr = c->attr};
  gi_type kept = *x; /* x with 1 for the reduced axes */
  int64_t at[GLIA_MAX_RANK] = {0};
  gi_type_strides(x, g.strides);
  g.n = group_size(x, g.attr);
  for (int i = 0; i < g.attr->axes.n; i++) kept.dim[g.attr->axes.at[i]] = 1;
  const int64_t count = gi_type_count(&c->out[0].t);
  for (int64_t e = 0; e < count; e++, gi_next(&kept, at)) {
    g.first = gi_offset(x->rank, at, g.strides);
    gi_put(&c->out[0], e, fold(&g));
  }
  return GLIA_OK;
}

static double fold_sum(const group *g) {
  double s = 0;
  for (int64_t j = 0; j < g->n; j++) s += element(g, j);
  return s;
}
static double fold_mean(const group *g) { return fold_sum(g) / (double)g->n; }
static double fold_prod(const group *g) {
  double p = 1;
  for (int64_t j = 0; j < g->n; j++) p *= element(g, j);
  return p;
}
/* Two passes: the sum of squared distances from the mean does not cancel. */
static double fold_variance(const group *g) {
  const double mean = fold_mean(g);
  double s = 0;
  for (int64_t j = 0; j < g->n; j++) s += (element(g, j) - mean) * (element(g, j) - mean);
  return s / (double)(g->n - (g->attr->unbiased ? 1 : 0));
}
/* The first of the largest (sign 1) or smallest (-1). */
static int64_t best(const group *g, double sign) {
  int64_t at = 0;
  for (int64_t j = 1; j < g->n && !isnan(element(g, at)); j++) {
    const double v = element(g, j);
    if (isnan(v) || v * sign > element(g, at) * sign) at = j;
  }
  return at;
}
static double fold_max(const group *g) { return element(g, best(g, 1)); }
static double fold_min(const group *g) { return element(g, best(g, -1)); }
static double fold_argmax(const group *g) { return (double)best(g, 1); }
static double fold_argmin(const group *g) { return (double)best(g, -1); }

static glia_status ref_sum(gi_ref *c) { return each_group(c, fold_sum); }
static glia_status ref_mean(gi_ref *c) { return each_group(c, fold_mean); }
static glia_status ref_max(gi_ref *c) { return each_group(c, fold_max); }
static glia_status ref_min(gi_ref *c) { return each_group(c, fold_min); }
static glia_status ref_prod(gi_ref *c) { return each_group(c, fold_prod); }
static glia_status ref_variance(gi_ref *c) { return each_group(c, fold_variance); }
static glia_status ref_argmax(gi_ref *c) { return each_group(c, fold_argmax); }
static glia_status ref_argmin(gi_ref *c) { return each_group(c, fold_argmin); }

static gi_cost cost(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  k.flops = (double)gi_type_count(&c->in[0]);
  return k;
}
static gi_cost cost_variance(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  k.flops = 4 * (double)gi_type_count(&c->in[0]); /* the mean; subtract, square, add */
  return k;
}

/* ---- gradients ----------------------------------------------------------------------- */

/* A value of the result's shape, with 1 for the reduced axes, so that it broadcasts to x. */
static glia_value with_axes(glia_value v, const gi_vjp *c) {
  const gi_reduce_attr *a = c->attr;
  gi_type t = gi_value_type(c->in[0]);
  for (int i = 0; i < a->axes.n; i++) t.dim[a->axes.at[i]] = 1;
  return glia_reshape(v, t.rank, t.dim);
}

static glia_status vjp_sum(gi_vjp *c) {
  const glia_value x = c->in[0];
  c->din[0] =
      glia_broadcast_to(with_axes(c->dout[0], c), glia_value_rank(x), glia_value_shape(x));
  return GLIA_OK;
}

static glia_status vjp_mean(gi_vjp *c) {
  const glia_value x = c->in[0], dy = c->dout[0];
  const gi_type t = gi_value_type(x);
  const double n = (double)group_size(&t, c->attr);
  c->din[0] =
      glia_broadcast_to(with_axes(glia_mul(dy, glia_scalar_like(dy, 1 / n)), c), t.rank, t.dim);
  return GLIA_OK;
}

/* The k elements that are equal to the result get dy / k each. */
static glia_status vjp_extreme(gi_vjp *c) {
  const gi_reduce_attr *a = c->attr;
  const glia_value x = c->in[0];
  glia_reduce_opts over = {.size = sizeof over, .n = a->axes.n, .keep = true};
  for (int i = 0; i < a->axes.n; i++) over.axes[i] = (int)a->axes.at[i];
  const glia_value won = glia_cast(glia_equal(x, with_axes(c->out[0], c)), glia_value_dtype(x));
  const glia_value ties = a->axes.n == 0 ? won : glia_sum_opt(won, &over);
  c->din[0] = glia_mul(won, glia_div(with_axes(c->dout[0], c), ties));
  return GLIA_OK;
}

/* d/dx[i] 1/m sum (x - mean)^2 = 2/m (x[i] - mean), m = n or n - 1. */
static glia_status vjp_variance(gi_vjp *c) {
  const gi_reduce_attr *a = c->attr;
  const glia_value x = c->in[0];
  const gi_type t = gi_value_type(x);
  gi_reduce_attr over = {.axes = a->axes, .keep = true};
  const double m = (double)(group_size(&t, a) - (a->unbiased ? 1 : 0));
  const glia_value away = glia_sub(x, gi_emit1(&gi_op_mean, &over, x));
  const glia_value dy = glia_mul(c->dout[0], glia_scalar_like(x, 2 / m));
  c->din[0] = glia_mul(away, with_axes(dy, c));
  return GLIA_OK;
}

/* The product of one axis by halves: log2(n) multiplications, whose gradients, unlike y / x[i],
 * are right where elements are zero. */
static glia_value halves(glia_value x, int axis) {
  for (int64_t n; (n = glia_value_dim(x, axis)) > 1;) {
    const int64_t half = n / 2;
    const glia_value p =
        glia_mul(glia_slice(x, axis, 0, half, 1), glia_slice(x, axis, half, 2 * half, 1));
    const glia_value parts[] = {p, glia_slice(x, axis, 2 * half, n, 1)};
    x = n % 2 == 0 ? p : glia_concat(parts, 2, axis);
    if (gi_null(x)) return x;
  }
  return x;
}

static glia_status lower_prod(gi_lower *c) {
  const gi_reduce_attr *a = c->attr;
  glia_value x = c->in[0];
  const gi_type t = gi_value_type(x);
  gi_infer shape = {1, &t, a, 1, &(gi_type){0}};
  GI_TRY(infer_prod(&shape));
  if (group_size(&t, a) == 0) { /* ones, which still hang on x */
    c->out[0] = glia_add(gi_emit1(&gi_op_sum, a, x), glia_scalar_like(x, 1));
    return GLIA_OK;
  }
  for (int i = 0; i < a->axes.n; i++) x = halves(x, (int)a->axes.at[i]);
  c->out[0] = glia_reshape(x, shape.out[0].rank, shape.out[0].dim);
  return GLIA_OK;
}

/* ---- samples ------------------------------------------------------------------------- */

#define AXES(...)                                                                  \
  {                                                                                \
    .n = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .at = { __VA_ARGS__ } \
  }
static const gi_reduce_attr none = {.keep = false};
static const gi_reduce_attr axis0 = {.axes = AXES(0)};
static const gi_reduce_attr axis1 = {.axes = AXES(1)};
static const gi_reduce_attr axis1_keep = {.axes = AXES(1), .keep = true};
static const gi_reduce_attr axes02 = {.axes = AXES(0, 2), .keep = true};
static const gi_reduce_attr axes012 = {.axes = AXES(0, 1, 2)};
static const gi_reduce_attr axis5 = {.axes = AXES(5)};
static const gi_reduce_attr axes10 = {.axes = AXES(1, 0)};
static const gi_reduce_attr unbiased = {.axes = AXES(0, 1), .unbiased = true};

/* clang-format off */
#define SAMPLES                                                                                \
  {&axis1, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_OK},                                        \
  {&axis0, 1, {{3, {7, 5, 3}, -2, 2, GLIA_F32}}, GLIA_OK},                                     \
  {&axes02, 1, {{3, {2, 3, 17}, -2, 2, GLIA_F32}}, GLIA_OK},                                   \
  {&axes012, 1, {{3, {5, 1, 3}, -2, 2, GLIA_F32}}, GLIA_OK},                                   \
  {&axis1_keep, 1, {{3, {1, 1, 1}, -2, 2, GLIA_F32}}, GLIA_OK},                                \
  {&axis1, 1, {{2, {0, 3}, -2, 2, GLIA_F32}}, GLIA_OK},                                        \
  {&none, 1, {{0, {0}, -2, 2, GLIA_F32}}, GLIA_OK},                                            \
  {&axis5, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},                                     \
  {&axis1, 1, {{2, {2, 3}, 0, 1, GLIA_BOOL}}, GLIA_DTYPE}
#define INTEGERS {&axis0, 1, {{2, {33, 2}, 0, 4, GLIA_I32}}, GLIA_OK}
#define NO_INTEGERS {&axis0, 1, {{2, {33, 2}, 0, 4, GLIA_I32}}, GLIA_DTYPE}
#define EMPTY(want) {&axis0, 1, {{2, {0, 3}, -2, 2, GLIA_F32}}, want}
#define TWICE {&axes10, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_INVALID}
/* clang-format on */

static const gi_sample samples_sum[] = {SAMPLES, INTEGERS, EMPTY(GLIA_OK), TWICE};
static const gi_sample samples_mean[] = {SAMPLES, NO_INTEGERS, EMPTY(GLIA_SHAPE), TWICE};
static const gi_sample samples_extreme[] = {SAMPLES, INTEGERS, EMPTY(GLIA_SHAPE), TWICE};
static const gi_sample samples_variance[] = {
    SAMPLES,
    NO_INTEGERS,
    EMPTY(GLIA_SHAPE),
    TWICE,
    {&unbiased, 1, {{2, {4, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&unbiased, 1, {{2, {1, 1}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
};
static const gi_sample samples_arg[] = {
    {&axis1, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axis1_keep, 1, {{3, {3, 17, 5}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axis0, 1, {{2, {33, 2}, 0, 4, GLIA_I32}}, GLIA_OK}, /* ties: the first one */
    {&axis0, 1, {{2, {3, 0}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&axis0, 1, {{2, {0, 3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
    {&axes02, 1, {{3, {2, 3, 4}, -2, 2, GLIA_F32}}, GLIA_INVALID},
    {&axis5, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_SHAPE},
};

/* ---- rows ---------------------------------------------------------------------------- */

static const gi_attr fields[] = {
    {"axes", GI_ATTR_DIMS, offsetof(gi_reduce_attr, axes), "axes folded away, ascending"},
    {"keep", GI_ATTR_BOOL, offsetof(gi_reduce_attr, keep), "they stay, with size 1"},
    {NULL, GI_ATTR_BOOL, 0, NULL},
};
static const gi_attr fields_variance[] = {
    {"axes", GI_ATTR_DIMS, offsetof(gi_reduce_attr, axes), "axes folded away, ascending"},
    {"keep", GI_ATTR_BOOL, offsetof(gi_reduce_attr, keep), "they stay, with size 1"},
    {"unbiased", GI_ATTR_BOOL, offsetof(gi_reduce_attr, unbiased), "divide by count - 1"},
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

#define REDUCTION(row, text, expression, ...)                     \
  const gi_op gi_op_##row = {.name = #row,                        \
                             .doc = text,                         \
                             .torch = expression,                 \
                             .min_in = 1,                         \
                             .max_in = 1,                         \
                             .n_out = 1,                          \
                             .attr_size = sizeof(gi_reduce_attr), \
                             .infer = infer_##row,                \
                             .ref = ref_##row,                    \
                             __VA_ARGS__}
#define WITH(list) .samples = list, .n_samples = GI_COUNT(list)

REDUCTION(sum, "sum over axes", "torch.sum(x0, axes, keep)", .attrs = fields, .vjp = vjp_sum,
          .cost = cost, WITH(samples_sum));
REDUCTION(mean, "mean over axes", "torch.mean(x0, axes, keep)", .attrs = fields,
          .vjp = vjp_mean, .cost = cost, WITH(samples_mean));
REDUCTION(max, "largest over axes; NaN wins; ties share the gradient",
          "torch.amax(x0, axes, keep)", .attrs = fields, .vjp = vjp_extreme, .cost = cost,
          WITH(samples_extreme));
REDUCTION(min, "smallest over axes; NaN wins; ties share the gradient",
          "torch.amin(x0, axes, keep)", .attrs = fields, .vjp = vjp_extreme, .cost = cost,
          WITH(samples_extreme));
REDUCTION(prod, "product over axes", "torch.prod(x0, axes[0], keep)", .attrs = fields,
          .lower = lower_prod, .cost = cost, WITH(samples_sum));
REDUCTION(variance, "mean squared distance from the mean, over axes",
          "torch.var(x0, axes, unbiased, keep)", .attrs = fields_variance, .vjp = vjp_variance,
          .cost = cost_variance, WITH(samples_variance));
REDUCTION(argmax, "index of the first largest element of an axis; NaN wins",
          "torch.argmax(x0, axes[0], keep)", .attrs = fields,
          .no_grad = "its result is an index", .cost = cost, WITH(samples_arg));
REDUCTION(argmin, "index of the first smallest element of an axis; NaN wins",
          "torch.argmin(x0, axes[0], keep)", .attrs = fields,
          .no_grad = "its result is an index", .cost = cost, WITH(samples_arg));

const gi_op *const gi_ops_reduce[] = {&gi_op_sum,    &gi_op_mean,   &gi_op_max,
                                      &gi_op_min,    &gi_op_prod,   &gi_op_variance,
                                      &gi_op_argmax, &gi_op_argmin, NULL};

/* ---- builders ------------------------------------------------------------------------ */

static glia_value reduce(const gi_op *op, glia_value x, const glia_reduce_opts *opt) {
  glia_reduce_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x)) return x;
  const int rank = glia_value_rank(x);
  gi_reduce_attr a = {.keep = o.keep, .unbiased = o.unbiased};
  bool listed[GLIA_MAX_RANK] = {false};
  if (o.n < 0 || o.n > rank)
    return gi_latch(x.graph, GLIA_SHAPE, "%s: %d axes listed, x has %d", op->name, o.n, rank);
  for (int i = 0; i < o.n; i++) {
    const int axis = gi_axis(o.axes[i], rank);
    if (axis < 0 || listed[axis])
      return gi_latch(x.graph, GLIA_SHAPE, "%s: axis %d is %s; x has rank %d", op->name,
                      o.axes[i], axis < 0 ? "out of range" : "listed twice", rank);
    listed[axis] = true;
  }
  for (int d = 0; d < rank; d++)
    if (o.n == 0 || listed[d]) a.axes.at[a.axes.n++] = d;
  return gi_emit1(op, &a, x);
}

glia_value glia_sum_opt(glia_value x, const glia_reduce_opts *opt) {
  return reduce(&gi_op_sum, x, opt);
}
glia_value glia_mean_opt(glia_value x, const glia_reduce_opts *opt) {
  return reduce(&gi_op_mean, x, opt);
}
glia_value glia_max_opt(glia_value x, const glia_reduce_opts *opt) {
  return reduce(&gi_op_max, x, opt);
}
glia_value glia_min_opt(glia_value x, const glia_reduce_opts *opt) {
  return reduce(&gi_op_min, x, opt);
}
glia_value glia_prod_opt(glia_value x, const glia_reduce_opts *opt) {
  return reduce(&gi_op_prod, x, opt);
}
glia_value glia_variance_opt(glia_value x, const glia_reduce_opts *opt) {
  return reduce(&gi_op_variance, x, opt);
}

glia_value glia_argmax(glia_value x, int axis, bool keep) {
  return reduce(&gi_op_argmax, x,
                &(glia_reduce_opts){
                    .size = sizeof(glia_reduce_opts), .n = 1, .axes = {axis}, .keep = keep});
}
glia_value glia_argmin(glia_value x, int axis, bool keep) {
  return reduce(&gi_op_argmin, x,
                &(glia_reduce_opts){
                    .size = sizeof(glia_reduce_opts), .n = 1, .axes = {axis}, .keep = keep});
}
