/* layer_norm.c - normalisation of each row by its own mean and variance, and its gradient.
 *
 *   y = (x - mean) r gamma + beta,   r = 1 / sqrt(variance + eps)
 *
 * Shapes: x [outer..., inner...], inner from `axis` on; gamma and beta [inner...]; mean and
 * variance [outer...], of the inner elements, the variance without bias correction. Not centred
 * (arXiv:1910.07467) the mean is 0 and the variance the mean of x^2. arXiv:1607.06450.
 *
 * The two are ops of their own, so that a row is read once either way. Group and instance
 * normalisation are the same on other rows (glia_group_norm).
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

/* x as [rows, n]. */
typedef struct rows {
  int64_t rows, n;
} rows;
static rows rows_of(const gi_type *x, const void *attr) {
  const int64_t axis = ((const gi_layer_norm_attr *)attr)->axis;
  rows r = {1, 1};
  for (int d = 0; d < x->rank; d++)
    if (d < axis)
      r.rows *= x->dim[d];
    else
      r.n *= x->dim[d];
  return r;
}

/* The type of the statistics: x's axes before `axis`, in the dtype of gamma. */
static gi_type outer_of(const gi_type *x, const void *attr, glia_dtype dtype) {
  gi_type t = {.dtype = dtype, .rank = (int)((const gi_layer_norm_attr *)attr)->axis};
  for (int d = 0; d < t.rank; d++) t.dim[d] = x->dim[d];
  return t;
}

static bool is_inner(const gi_type *x, const gi_type *v, int64_t axis) {
  bool same = v->rank == x->rank - axis;
  for (int d = 0; d < v->rank && same; d++) same = v->dim[d] == x->dim[axis + d];
  return same;
}

static glia_status check(const gi_infer *c, const char *op, int n_inner) {
  const gi_layer_norm_attr *a = c->attr;
  const gi_type *x = &c->in[0];
  char tx[GI_TEXT], tv[GI_TEXT];
  gi_shape_text(x, tx, sizeof tx);
  GI_TRY(gi_want_float(c, 0, op, "x"));
  GI_TRY(gi_want_axis(a->axis, x, op));
  for (int i = 1; i <= n_inner; i++) {
    GI_TRY(gi_want_beside(c, 0, i, op));
    GI_TRY(gi_want_same(c, 1, i, op));
    if (!is_inner(x, &c->in[i], a->axis))
      return gi_fail(GLIA_SHAPE,
                     "%s: x is %s, input %d is %s; wanted x's axes from %" PRId64 " on", op, tx,
                     i, gi_shape_text(&c->in[i], tv, sizeof tv), a->axis);
  }
  if (rows_of(x, a).n == 0)
    return gi_fail(GLIA_SHAPE, "%s: x is %s; nothing has no mean", op, tx);
  if (!(a->eps >= 0) || isinf(a->eps))
    return gi_fail(GLIA_INVALID, "%s: eps is %g, wanted >= 0", op, a->eps);
  return GLIA_OK;
}

static glia_status infer_norm(gi_infer *c) {
  GI_TRY(check(c, "layer_norm", c->n_in - 1));
  c->out[0] = c->in[0];
  c->out[1] = c->out[2] = outer_of(&c->in[0], c->attr, c->in[1].dtype);
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  const char *const op = "layer_norm_grad";
  char tx[GI_TEXT], ti[GI_TEXT];
  GI_TRY(check(c, op, 1));
  GI_TRY(gi_want_same(c, 0, 4, op));
  const gi_type outer = outer_of(&c->in[0], c->attr, c->in[1].dtype);
  for (int i = 2; i < 5; i++)
    if (i < 4 ? !gi_type_equal(&outer, &c->in[i]) : !gi_shape_equal(&c->in[0], &c->in[i]))
      return gi_fail(GLIA_SHAPE, "%s: x is %s, input %d is %s", op,
                     gi_type_text(&c->in[0], tx, sizeof tx), i,
                     gi_type_text(&c->in[i], ti, sizeof ti));
  c->out[0] = c->in[0];
  c->out[1] = c->out[2] = c->in[1];
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

/* [outer...] as [outer..., 1...], to broadcast against x. */
static glia_value per_row(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  for (int d = 0; d < glia_value_rank(v); d++) shape[d] = glia_value_dim(v, d);
  return glia_reshape(v, glia_value_rank(x), shape);
}

/* Sums over the inner axes, which stay with size 1, or over the outer ones. */
static glia_value sum_over(glia_value v, int axis, bool inner) {
  glia_reduce_opts over = {.size = sizeof over, .keep = inner};
  for (int d = inner ? axis : 0; d < (inner ? glia_value_rank(v) : axis); d++)
    over.axes[over.n++] = d;
  return over.n > 0 ? glia_sum_opt(v, &over) : v;
}

/* v in the dtype of another value: statistics may be f32 beside a narrow x. */
static glia_value as_wide(glia_value v, glia_value like) {
  return gi_null(v) || gi_null(like) ? v : glia_cast(v, glia_value_dtype(like));
}

/* Through y by layer_norm_grad; besides, mean and variance have the derivatives 1/n and 2/n (x
 * - mean). */
static glia_status vjp_norm(gi_vjp *c) {
  const gi_layer_norm_attr *a = c->attr;
  const gi_type tx = gi_value_type(c->in[0]);
  const glia_value mean = c->out[1], x = as_wide(c->in[0], mean);
  const glia_value dmean = a->centred ? c->dout[1] : GLIA_NONE, dvariance = c->dout[2];
  const double n = (double)rows_of(&tx, a).n;
  if (!gi_null(c->dout[0])) {
    const glia_value in[] = {c->in[0], c->in[1], mean, c->out[2], c->dout[0]};
    glia_value grads[3];
    gi_emit(c->g, &gi_op_layer_norm_grad, a, in, 5, grads);
    for (int i = 0; i < c->n_in; i++)
      if (c->need[i]) c->din[i] = grads[i];
  }
  if (!c->need[0] || (gi_null(dmean) && gi_null(dvariance))) return GLIA_OK;
  glia_value d = GLIA_NONE;
  if (!gi_null(dmean)) d = per_row(glia_mul(dmean, glia_scalar_like(x, 1 / n)), x);
  if (!gi_null(dvariance)) {
    const glia_value slope = per_row(glia_mul(dvariance, glia_scalar_like(x, 2 / n)), x);
    const glia_value part = glia_mul(slope, glia_sub(x, per_row(mean, x)));
    d = gi_null(d) ? part : glia_add(d, part);
  }
  d = as_wide(glia_broadcast_to(d, tx.rank, tx.dim), c->in[0]);
  c->din[0] = gi_null(c->dout[0]) ? d : glia_add(c->din[0], d);
  return GLIA_OK;
}

/* With h = (x - mean) r and g = dy gamma:
 *   dx = r (g - mean of g - h mean of (g h)),  dgamma = sum dy h,  dbeta = sum dy
 * over rows; not centred without the mean of g. A function of mean and variance too; how these
 * depend on x, layer_norm tells. */
static glia_status lower_grad(gi_lower *c) {
  const gi_layer_norm_attr *a = c->attr;
  const int axis = (int)a->axis;
  const glia_value gamma = c->in[1], x = as_wide(c->in[0], gamma),
                   dy = as_wide(c->in[4], gamma);
  const gi_type tx = gi_value_type(x);
  const glia_value share = glia_scalar_like(x, 1 / (double)rows_of(&tx, a).n);
  const glia_value r = per_row(glia_rsqrt(glia_add(c->in[3], glia_scalar_like(x, a->eps))), x);
  const glia_value h = glia_mul(glia_sub(x, per_row(c->in[2], x)), r), g = glia_mul(dy, gamma);
  const glia_value slope = glia_mul(sum_over(glia_mul(g, h), axis, true), share);
  glia_value rest = glia_sub(g, glia_mul(h, slope));
  if (a->centred) rest = glia_sub(rest, glia_mul(sum_over(g, axis, true), share));
  c->out[0] = as_wide(glia_mul(r, rest), c->in[0]);
  c->out[1] = sum_over(glia_mul(dy, h), axis, false);
  c->out[2] = sum_over(dy, axis, false);
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

static glia_status ref_norm(gi_ref *c) {
  const gi_layer_norm_attr *a = c->attr;
  const gi_buf *x = &c->in[0];
  const rows r = rows_of(&x->t, a);
  for (int64_t row = 0; row < r.rows; row++) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < r.n && a->centred; i++) mean += gi_get(x, row * r.n + i);
    mean /= (double)r.n;
    for (int64_t i = 0; i < r.n; i++) {
      const double away = gi_get(x, row * r.n + i) - mean;
      variance += away * away;
    }
    variance /= (double)r.n;
    const double scale = 1 / sqrt(variance + a->eps);
    for (int64_t i = 0; i < r.n; i++) {
      const double h = (gi_get(x, row * r.n + i) - mean) * scale;
      const double beta = c->n_in > 2 ? gi_get(&c->in[2], i) : 0;
      gi_put(&c->out[0], row * r.n + i, h * gi_get(&c->in[1], i) + beta);
    }
    gi_put(&c->out[1], row, mean);
    gi_put(&c->out[2], row, variance);
  }
  return GLIA_OK;
}

/* dgamma and dbeta: columns of sums in double. */
static glia_status ref_vectors(gi_ref *c, rows r, double eps) {
  const gi_buf *x = &c->in[0], *dy = &c->in[4];
  for (int64_t i = 0; i < r.n; i++) {
    double dgamma = 0, dbeta = 0;
    for (int64_t row = 0; row < r.rows; row++) {
      const double scale = 1 / sqrt(gi_get(&c->in[3], row) + eps),
                   d = gi_get(dy, row * r.n + i);
      dgamma += d * (gi_get(x, row * r.n + i) - gi_get(&c->in[2], row)) * scale;
      dbeta += d;
    }
    gi_put(&c->out[1], i, dgamma);
    gi_put(&c->out[2], i, dbeta);
  }
  return GLIA_OK;
}

static glia_status ref_grad(gi_ref *c) {
  const gi_layer_norm_attr *a = c->attr;
  const gi_buf *x = &c->in[0], *gamma = &c->in[1], *dy = &c->in[4];
  const rows r = rows_of(&x->t, a);
  for (int64_t row = 0; row < r.rows; row++) {
    const double mean = gi_get(&c->in[2], row),
                 scale = 1 / sqrt(gi_get(&c->in[3], row) + a->eps);
    double level = 0, slope = 0;
    for (int64_t i = 0; i < r.n; i++) {
      const double g = gi_get(dy, row * r.n + i) * gi_get(gamma, i);
      if (a->centred) level += g / (double)r.n;
      slope += g * (gi_get(x, row * r.n + i) - mean) * scale / (double)r.n;
    }
    for (int64_t i = 0; i < r.n; i++) {
      const double h = (gi_get(x, row * r.n + i) - mean) * scale;
      const double g = gi_get(dy, row * r.n + i) * gi_get(gamma, i);
      gi_put(&c->out[0], row * r.n + i, scale * (g - level - h * slope));
    }
  }
  return ref_vectors(c, r, a->eps);
}

static gi_cost cost(const gi_infer *c) { /* about ten operations an element, either way */
  gi_cost k = gi_default_cost(c);
  k.flops = 10 * (double)gi_type_count(&c->in[0]);
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_layer_norm_attr last = {1, 1e-5, true}, rms = {1, 1e-5, false},
                                two = {1, 0.01, true}, all = {0, 1e-5, true},
                                third = {2, 0, true}, minus = {1, -1, true},
                                far = {3, 1e-5, true};
#define X -2, 2, GLIA_F32
#define V 0.5, 1.5, GLIA_F32
static const gi_sample samples_norm[] = {
    {&last, 3, {{2, {2, 3}, X}, {1, {3}, V}, {1, {3}, V}}, GLIA_OK},
    {&two, 3, {{3, {4, 3, 5}, X}, {2, {3, 5}, V}, {2, {3, 5}, V}}, GLIA_OK},
    {&third, 3, {{3, {3, 2, 67}, X}, {1, {67}, V}, {1, {67}, V}}, GLIA_OK},
    {&all, 3, {{2, {3, 4}, X}, {2, {3, 4}, V}, {2, {3, 4}, V}}, GLIA_OK},
    {&rms, 2, {{2, {3, 33}, X}, {1, {33}, V}}, GLIA_OK},
    {&rms, 3, {{2, {3, 8}, X}, {1, {8}, V}, {1, {8}, V}}, GLIA_OK},
    {&last, 2, {{2, {70, 5}, X}, {1, {5}, V}}, GLIA_OK},
    {&last, 2, {{2, {0, 3}, X}, {1, {3}, V}}, GLIA_OK}, /* no rows */
    {&last, 2, {{2, {3, 0}, X}, {1, {0}, V}}, GLIA_SHAPE},
    {&last, 3, {{2, {3, 4}, X}, {1, {3}, V}, {1, {4}, V}}, GLIA_SHAPE},
    {&far, 2, {{2, {3, 4}, X}, {1, {4}, V}}, GLIA_SHAPE},
    {&minus, 2, {{2, {3, 4}, X}, {1, {4}, V}}, GLIA_INVALID},
    {&last, 2, {{2, {3, 4}, 0, 4, GLIA_I32}, {1, {4}, V}}, GLIA_DTYPE},
};
static const gi_sample samples_grad[] = {
    {&last,
     5,
     {{2, {2, 3}, X}, {1, {3}, V}, {1, {2}, V}, {1, {2}, V}, {2, {2, 3}, X}},
     GLIA_OK},
    {&two,
     5,
     {{3, {4, 3, 5}, X}, {2, {3, 5}, V}, {1, {4}, V}, {1, {4}, V}, {3, {4, 3, 5}, X}},
     GLIA_OK},
    {&third,
     5,
     {{3, {3, 2, 67}, X}, {1, {67}, V}, {2, {3, 2}, V}, {2, {3, 2}, V}, {3, {3, 2, 67}, X}},
     GLIA_OK},
    {&all,
     5,
     {{2, {3, 4}, X}, {2, {3, 4}, V}, {0, {0}, V}, {0, {0}, V}, {2, {3, 4}, X}},
     GLIA_OK},
    {&rms,
     5,
     {{2, {70, 33}, X}, {1, {33}, V}, {1, {70}, V}, {1, {70}, V}, {2, {70, 33}, X}},
     GLIA_OK},
    {&last,
     5,
     {{2, {0, 3}, X}, {1, {3}, V}, {1, {0}, V}, {1, {0}, V}, {2, {0, 3}, X}},
     GLIA_OK},
    {&last,
     5,
     {{2, {2, 3}, X}, {1, {3}, V}, {1, {3}, V}, {1, {2}, V}, {2, {2, 3}, X}},
     GLIA_SHAPE},
    {&last,
     5,
     {{2, {2, 3}, X}, {1, {3}, V}, {1, {2}, V}, {1, {2}, V}, {2, {3, 2}, X}},
     GLIA_SHAPE},
};
#undef X
#undef V

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_layer_norm_attr, axis), "first of those of a row"},
    {"eps", GI_ATTR_F64, offsetof(gi_layer_norm_attr, eps),
     "added to the variance; usually 1e-5"},
    {"centred", GI_ATTR_BOOL, offsetof(gi_layer_norm_attr, centred),
     "the mean is taken off; else it counts as 0 (RMS norm)"},
    {NULL, GI_ATTR_F64, 0, NULL},
};

const gi_op gi_op_layer_norm = {
    .name = "layer_norm",
    .doc = "normalisation of each row by its mean and variance, or by its root mean square",
    .paper = "arXiv:1607.06450",
    .torch = "torch.nn.functional.layer_norm(x0, x0.shape[axis:], x1, x2, eps)",
    .min_in = 2,
    .max_in = 3,
    .n_out = 3,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << 1 | 1 << 2,
    .attr_size = sizeof(gi_layer_norm_attr),
    .attrs = fields,
    .infer = infer_norm,
    .vjp = vjp_norm,
    .ref = ref_norm,
    .cost = cost,
    .samples = samples_norm,
    .n_samples = GI_COUNT(samples_norm),
};

const gi_op gi_op_layer_norm_grad = {
    .name = "layer_norm_grad",
    .doc = "gradients of layer_norm through y: dx, dgamma, dbeta",
    .paper = "arXiv:1607.06450",
    .min_in = 5,
    .max_in = 5,
    .n_out = 3,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << 1 | 1 << 2 | 1 << 3,
    .attr_size = sizeof(gi_layer_norm_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_layer_norm[] = {&gi_op_layer_norm, &gi_op_layer_norm_grad, NULL};

/* ---- builders ------------------------------------------------------------------------ */

/* The normalised rows, without gamma (as f32 beside a narrow x it would be 1s all the same). */
static glia_value normalised(glia_value x, const gi_layer_norm_attr *a, glia_value gamma,
                             glia_value beta) {
  if (gi_null(gamma)) {
    const gi_type t = gi_value_type(x);
    const int rank = t.rank - (int)a->axis;
    gamma = glia_broadcast_to(glia_scalar_like(x, 1), rank, t.dim + a->axis);
  }
  const glia_value in[] = {x, gamma, beta};
  return gi_emit(NULL, &gi_op_layer_norm, a, in, gi_null(beta) ? 2 : 3, NULL);
}

static glia_value rows_normalised(glia_value x, int n, glia_value gamma, glia_value beta,
                                  double eps, bool centred) {
  if (gi_null(x)) return x;
  const int rank = glia_value_rank(x);
  if (n < 1 || n > rank)
    return gi_latch(x.graph, GLIA_SHAPE, "%s: the last %d axes of rank %d, wanted 1 or more",
                    centred ? "layer_norm" : "rms_norm", n, rank);
  const gi_layer_norm_attr a = {rank - n, eps, centred};
  return normalised(x, &a, gamma, beta);
}

glia_value glia_layer_norm_with(glia_value x, int n, glia_value gamma, glia_value beta,
                                double eps) {
  return rows_normalised(x, n, gamma, beta, eps, true);
}
glia_value glia_rms_norm_with(glia_value x, int n, glia_value gamma, double eps) {
  return rows_normalised(x, n, gamma, GLIA_NONE, eps, false);
}
