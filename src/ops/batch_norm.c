/* batch_norm.c - normalisation with the statistics of the batch, and its gradient.
 *
 *   y = (x - mean) r gamma + beta,   r = 1 / sqrt(variance + eps)
 *
 * Shapes: x [N, C, ...]; gamma, beta, mean, variance [C]; mean and variance (biased) are
 * taken over all axes but 1. Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
 *
 * The two are ops of their own, not sums and products, because every library has a kernel for
 * each.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status check(const gi_infer *c, const char *op, int n_vectors) {
  const gi_type *x = &c->in[0];
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  char tx[GI_TEXT], tv[GI_TEXT];
  gi_shape_text(x, tx, sizeof tx);
  if (x->rank < 2) return gi_fail(GLIA_SHAPE, "%s: x is %s, wanted [N, C, ...]", op, tx);
  GI_TRY(gi_want_float(c, 0, op, "x"));
  for (int i = 1; i <= n_vectors; i++) {
    GI_TRY(gi_want_beside(c, 0, i, op));
    GI_TRY(gi_want_same(c, 1, i, op));
    if (c->in[i].rank != 1 || c->in[i].dim[0] != x->dim[1])
      return gi_fail(GLIA_SHAPE,
                     "%s: x is %s, input %d is %s; wanted [%" PRId64 "], one for each channel",
                     op, tx, i, gi_shape_text(&c->in[i], tv, sizeof tv), x->dim[1]);
  }
  for (int d = 0; d < x->rank; d++)
    if (d != 1 && x->dim[d] == 0)
      return gi_fail(GLIA_SHAPE, "%s: x is %s; nothing has no mean", op, tx);
  if (!(eps >= 0) || isinf(eps))
    return gi_fail(GLIA_INVALID, "%s: eps is %g, wanted >= 0", op, eps);
  return GLIA_OK;
}

static glia_status infer_train(gi_infer *c) {
  GI_TRY(check(c, "batch_norm_train", 2));
  c->out[0] = c->in[0];
  c->out[1] = c->out[2] = c->in[1];
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  char tx[GI_TEXT], td[GI_TEXT];
  GI_TRY(check(c, "batch_norm_grad", 3));
  GI_TRY(gi_want_same(c, 0, 4, "batch_norm_grad"));
  if (!gi_shape_equal(&c->in[0], &c->in[4]))
    return gi_fail(GLIA_SHAPE, "batch_norm_grad: x is %s, dy is %s",
                   gi_shape_text(&c->in[0], tx, sizeof tx),
                   gi_shape_text(&c->in[4], td, sizeof td));
  c->out[0] = c->in[0];
  c->out[1] = c->out[2] = c->in[1];
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

/* [C] as [1, C, 1, ...], to broadcast against x. */
static glia_value per_channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  shape[1] = glia_value_dim(x, 1);
  return glia_reshape(v, glia_value_rank(x), shape);
}

static glia_value sum_channels(glia_value v) {
  glia_reduce_opts over = {.size = sizeof over};
  for (int d = 0; d < glia_value_rank(v); d++)
    if (d != 1) over.axes[over.n++] = d;
  return glia_sum_opt(v, &over);
}

/* Elements behind each mean. */
static double group_size(glia_value x) {
  const gi_type t = gi_value_type(x);
  double m = 1;
  for (int d = 0; d < t.rank; d++) m *= d == 1 ? 1 : (double)t.dim[d];
  return m;
}

/* v in the dtype of another value: statistics may be f32 beside a narrow x. */
static glia_value as_wide(glia_value v, glia_value like) {
  return gi_null(v) || gi_null(like) ? v : glia_cast(v, glia_value_dtype(like));
}

/* Through y by batch_norm_grad; besides, mean and variance have the derivatives 1/m and
 * 2/m (x - mean). */
static glia_status vjp_train(gi_vjp *c) {
  const glia_value mean = c->out[1], dmean = c->dout[1], dvariance = c->dout[2];
  const glia_value x = as_wide(c->in[0], mean);
  const double m = group_size(x);
  if (!gi_null(c->dout[0])) {
    const glia_value in[] = {c->in[0], c->in[1], mean, c->out[2], c->dout[0]};
    glia_value grads[3];
    gi_emit(c->g, &gi_op_batch_norm_grad, c->attr, in, 5, grads);
    for (int i = 0; i < 3; i++)
      if (c->need[i]) c->din[i] = grads[i];
  }
  if (!c->need[0] || (gi_null(dmean) && gi_null(dvariance))) return GLIA_OK;
  glia_value d = GLIA_NONE;
  if (!gi_null(dmean)) d = per_channel(glia_mul(dmean, glia_scalar_like(x, 1 / m)), x);
  if (!gi_null(dvariance)) {
    const glia_value slope = per_channel(glia_mul(dvariance, glia_scalar_like(x, 2 / m)), x);
    const glia_value part = glia_mul(slope, glia_sub(x, per_channel(mean, x)));
    d = gi_null(d) ? part : glia_add(d, part);
  }
  d = as_wide(glia_broadcast_to(d, glia_value_rank(x), glia_value_shape(x)), c->in[0]);
  c->din[0] = gi_null(c->dout[0]) ? d : glia_add(c->din[0], d);
  return GLIA_OK;
}

/* With h = (x - mean) r:  dbeta = sum dy,  dgamma = sum dy h,
 *   dx = gamma r (dy - dbeta / m - h dgamma / m).
 * A function of mean and variance too; how these depend on x, batch_norm_train tells. */
static glia_status lower_grad(gi_lower *c) {
  const glia_value gamma = c->in[1], x = as_wide(c->in[0], gamma),
                   dy = as_wide(c->in[4], gamma);
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  const glia_value scale = glia_scalar_like(x, 1 / group_size(x));
  const glia_value r = glia_rsqrt(glia_add(c->in[3], glia_scalar_like(x, eps)));
  const glia_value h = glia_mul(glia_sub(x, per_channel(c->in[2], x)), per_channel(r, x));
  const glia_value dbeta = sum_channels(dy), dgamma = sum_channels(glia_mul(dy, h));
  const glia_value level = per_channel(glia_mul(dbeta, scale), x);
  const glia_value slope = glia_mul(h, per_channel(glia_mul(dgamma, scale), x));
  const glia_value dx =
      glia_mul(per_channel(glia_mul(gamma, r), x), glia_sub(glia_sub(dy, level), slope));
  c->out[0] = as_wide(dx, c->in[0]);
  c->out[1] = dgamma;
  c->out[2] = dbeta;
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

/* x as [N, C, S]: element i of channel k. */
static int64_t place(const gi_rows *r, int64_t k, int64_t i) {
  return (i / r->inner * r->n + k) * r->inner + i % r->inner;
}

static glia_status ref_train(gi_ref *c) {
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  const gi_rows r = gi_rows_of(&c->in[0].t, 1);
  const int64_t m = r.outer * r.inner;
  for (int64_t k = 0; k < r.n; k++) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < m; i++) mean += gi_get(&c->in[0], place(&r, k, i));
    mean /= (double)m;
    for (int64_t i = 0; i < m; i++) {
      const double away = gi_get(&c->in[0], place(&r, k, i)) - mean;
      variance += away * away;
    }
    variance /= (double)m;
    const double scale = gi_get(&c->in[1], k) / sqrt(variance + eps),
                 beta = gi_get(&c->in[2], k);
    for (int64_t i = 0; i < m; i++) {
      const int64_t at = place(&r, k, i);
      gi_put(&c->out[0], at, (gi_get(&c->in[0], at) - mean) * scale + beta);
    }
    gi_put(&c->out[1], k, mean);
    gi_put(&c->out[2], k, variance);
  }
  return GLIA_OK;
}

static glia_status ref_grad(gi_ref *c) {
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  const gi_buf *x = &c->in[0], *dy = &c->in[4];
  const gi_rows r = gi_rows_of(&x->t, 1);
  const int64_t m = r.outer * r.inner;
  for (int64_t k = 0; k < r.n; k++) {
    const double mean = gi_get(&c->in[2], k), rstd = 1 / sqrt(gi_get(&c->in[3], k) + eps);
    double dgamma = 0, dbeta = 0;
    for (int64_t i = 0; i < m; i++) {
      const int64_t at = place(&r, k, i);
      dbeta += gi_get(dy, at);
      dgamma += gi_get(dy, at) * (gi_get(x, at) - mean) * rstd;
    }
    for (int64_t i = 0; i < m; i++) {
      const int64_t at = place(&r, k, i);
      const double h = (gi_get(x, at) - mean) * rstd;
      const double centred = gi_get(dy, at) - dbeta / (double)m - h * dgamma / (double)m;
      gi_put(&c->out[0], at, gi_get(&c->in[1], k) * rstd * centred);
    }
    gi_put(&c->out[1], k, dgamma);
    gi_put(&c->out[2], k, dbeta);
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* about ten operations an element, either way */
  gi_cost k = gi_default_cost(c);
  k.flops = 10 * (double)gi_type_count(&c->in[0]);
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_batch_norm_attr small = {1e-5}, zero = {0}, minus = {-1};
#define X -2, 2, GLIA_F32
#define V 0.5, 1.5, GLIA_F32
static const gi_sample samples_train[] = {
    {&small, 3, {{2, {3, 2}, X}, {1, {2}, V}, {1, {2}, V}}, GLIA_OK},
    {&small, 3, {{4, {2, 3, 5, 7}, X}, {1, {3}, V}, {1, {3}, V}}, GLIA_OK},
    {&zero, 3, {{4, {4, 17, 3, 3}, X}, {1, {17}, V}, {1, {17}, V}}, GLIA_OK},
    {&small, 3, {{3, {2, 3, 9}, X}, {1, {3}, V}, {1, {3}, V}}, GLIA_OK},
    {&small, 3, {{2, {4, 0}, X}, {1, {0}, V}, {1, {0}, V}}, GLIA_OK}, /* no channels */
    {&small, 3, {{2, {0, 3}, X}, {1, {3}, V}, {1, {3}, V}}, GLIA_SHAPE},
    {&small, 3, {{1, {3}, X}, {1, {3}, V}, {1, {3}, V}}, GLIA_SHAPE},
    {&small, 3, {{2, {4, 3}, X}, {1, {4}, V}, {1, {3}, V}}, GLIA_SHAPE},
    {&minus, 3, {{2, {4, 3}, X}, {1, {3}, V}, {1, {3}, V}}, GLIA_INVALID},
    {&small, 3, {{2, {4, 3}, 0, 4, GLIA_I32}, {1, {3}, V}, {1, {3}, V}}, GLIA_DTYPE},
};

static const gi_sample samples_grad[] = {
    {&small,
     5,
     {{2, {3, 2}, X}, {1, {2}, V}, {1, {2}, V}, {1, {2}, V}, {2, {3, 2}, X}},
     GLIA_OK},
    {&small,
     5,
     {{4, {2, 3, 5, 7}, X}, {1, {3}, V}, {1, {3}, V}, {1, {3}, V}, {4, {2, 3, 5, 7}, X}},
     GLIA_OK},
    {&zero,
     5,
     {{4, {4, 17, 3, 3}, X}, {1, {17}, V}, {1, {17}, V}, {1, {17}, V}, {4, {4, 17, 3, 3}, X}},
     GLIA_OK},
    {&small,
     5,
     {{2, {4, 3}, X}, {1, {3}, V}, {1, {3}, V}, {1, {3}, V}, {2, {3, 4}, X}},
     GLIA_SHAPE},
    {&small,
     5,
     {{2, {4, 3}, X}, {1, {3}, V}, {1, {3}, V}, {1, {4}, V}, {2, {4, 3}, X}},
     GLIA_SHAPE},
};
#undef X
#undef V

static const gi_attr fields[] = {
    {"eps", GI_ATTR_F64, offsetof(gi_batch_norm_attr, eps),
     "added to the variance; usually 1e-5"},
    {NULL, GI_ATTR_F64, 0, NULL},
};

const gi_op gi_op_batch_norm_train = {
    .name = "batch_norm_train",
    .doc = "normalisation of each channel by the mean and variance of the batch",
    .paper = "arXiv:1502.03167",
    .torch = "torch.nn.functional.batch_norm(x0, None, None, x1, x2, True, 0, eps)",
    .min_in = 3,
    .max_in = 3,
    .n_out = 3,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << 1 | 1 << 2,
    .attr_size = sizeof(gi_batch_norm_attr),
    .attrs = fields,
    .infer = infer_train,
    .vjp = vjp_train,
    .ref = ref_train,
    .cost = cost,
    .samples = samples_train,
    .n_samples = GI_COUNT(samples_train),
};

const gi_op gi_op_batch_norm_grad = {
    .name = "batch_norm_grad",
    .doc = "gradients of batch_norm_train through y: dx, dgamma, dbeta",
    .paper = "arXiv:1502.03167",
    .min_in = 5,
    .max_in = 5,
    .n_out = 3,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << 1 | 1 << 2 | 1 << 3,
    .attr_size = sizeof(gi_batch_norm_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_batch_norm[] = {&gi_op_batch_norm_train, &gi_op_batch_norm_grad,
                                          NULL};

/* ---- builder ------------------------------------------------------------------------- */

glia_value glia_batch_norm_train(glia_value x, glia_value gamma, glia_value beta, double eps,
                                 glia_value *mean, glia_value *variance) {
  const gi_batch_norm_attr a = {eps};
  const glia_value in[] = {x, gamma, beta};
  glia_value out[3];
  gi_emit(NULL, &gi_op_batch_norm_train, &a, in, 3, out);
  if (mean != NULL) *mean = out[1];
  if (variance != NULL) *variance = out[2];
  return out[0];
}
