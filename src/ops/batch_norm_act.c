/* batch_norm_act.c - batch norm, perhaps a sum, and relu behind it as one op, and its gradient.
 * Put in by compile/fuse_norm.c while training.
 *
 *   y = relu((x - mean) r gamma + beta [+ z]),   r = 1 / sqrt(variance + eps)
 *
 * Shapes: x, z, y [N, C, ...]; gamma, beta, mean, variance [C]. Which elements were positive is
 * all that the gradient needs of y: without z it is computed again from x, which the gradient
 * reads anyway; with z it is kept as one bit an element, eight channels to the byte, [N, C/8,
 * ...].
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

static gi_type signs_type(const gi_type *x) {
  gi_type t = *x;
  t.dtype = GLIA_U8;
  t.dim[1] = (x->dim[1] + 7) / 8;
  return t;
}

/* Input i must be of this type. */
static glia_status want(const gi_infer *c, int i, const gi_type *t, const char *op) {
  char have[GI_TEXT], wanted[GI_TEXT];
  if (gi_type_equal(&c->in[i], t)) return GLIA_OK;
  return gi_fail(
      c->in[i].dtype != t->dtype ? GLIA_DTYPE : GLIA_SHAPE, "%s: input %d is %s, wanted %s", op,
      i, gi_type_text(&c->in[i], have, sizeof have), gi_type_text(t, wanted, sizeof wanted));
}

/* x and n_vectors of one number a channel. */
static glia_status check(const gi_infer *c, const char *op, int n_vectors) {
  const gi_type *x = &c->in[0];
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  char text[GI_TEXT];
  gi_shape_text(x, text, sizeof text);
  if (x->rank < 2) return gi_fail(GLIA_SHAPE, "%s: x is %s, wanted [N, C, ...]", op, text);
  if (x->rank == GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE, "%s: x is %s, wanted fewer axes", op, text);
  GI_TRY(gi_want_float(c, 0, op, "x"));
  GI_TRY(gi_want_beside(c, 0, 1, op));
  const gi_type vector = {.dtype = c->in[1].dtype, .rank = 1, .dim = {x->dim[1]}};
  for (int i = 1; i <= n_vectors; i++) GI_TRY(want(c, i, &vector, op));
  for (int d = 0; d < x->rank; d++)
    if (d != 1 && x->dim[d] == 0)
      return gi_fail(GLIA_SHAPE, "%s: x is %s; nothing has no mean", op, text);
  if (!(eps >= 0) || isinf(eps))
    return gi_fail(GLIA_INVALID, "%s: eps is %g, wanted >= 0", op, eps);
  return GLIA_OK;
}

static glia_status infer_act(gi_infer *c) {
  GI_TRY(check(c, "batch_norm_act", 2));
  if (c->n_in == 4) GI_TRY(want(c, 3, &c->in[0], "batch_norm_act"));
  c->n_out = c->n_in;
  c->out[0] = c->in[0];
  c->out[1] = c->out[2] = c->in[1];
  if (c->n_in == 4) c->out[3] = signs_type(&c->in[0]);
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  GI_TRY(check(c, "batch_norm_act_grad", 4));
  GI_TRY(want(c, 5, &c->in[0], "batch_norm_act_grad"));
  const gi_type signs = signs_type(&c->in[0]);
  if (c->n_in == 7) GI_TRY(want(c, 6, &signs, "batch_norm_act_grad"));
  c->n_out = c->n_in - 3;
  c->out[0] = c->in[0];
  c->out[1] = c->out[2] = c->in[1];
  if (c->n_in == 7) c->out[3] = c->in[0];
  return GLIA_OK;
}

/* ---- lowering ------------------------------------------------------------------------ */

/* [N, C, ...] as [N, C/8, 8, ...], zeros where channels are missing, and back. */
static glia_value by_eight(glia_value v) {
  gi_type t = gi_value_type(v);
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  const int64_t bytes = (t.dim[1] + 7) / 8;
  after[1] = bytes * 8 - t.dim[1];
  v = glia_pad(v, before, after, 0);
  memmove(t.dim + 3, t.dim + 2, (size_t)(t.rank - 2) * sizeof t.dim[0]);
  t.dim[1] = bytes;
  t.dim[2] = 8;
  return glia_reshape(v, t.rank + 1, t.dim);
}
static glia_value as_channels(glia_value v, const gi_type *like) {
  gi_type t = *like;
  t.dim[1] = (t.dim[1] + 7) / 8 * 8;
  return glia_slice(glia_reshape(v, t.rank, t.dim), 1, 0, like->dim[1], 1);
}

/* 1, 2, 4 ... 128 along axis 2 of `rank`. */
static glia_value powers(glia_graph *g, glia_dtype dtype, int rank) {
  double data[8];
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  shape[2] = 8;
  for (int i = 0; i < 8; i++) gi_store(dtype, data, i, (double)(1 << i));
  return glia_constant(g, dtype, rank, shape, data);
}

static glia_value signs_of(glia_value y) {
  const glia_value more =
      by_eight(glia_cast(glia_greater(y, glia_scalar_like(y, 0)), glia_value_dtype(y)));
  const glia_value weights = powers(y.graph, glia_value_dtype(y), glia_value_rank(y) + 1);
  return glia_cast(glia_sum(glia_mul(more, weights), .n = 1, .axes = {2}), GLIA_U8);
}

/* y > 0 from its signs: floor(byte / 2^k) is odd. */
static glia_value positive(glia_value signs, glia_value x) {
  const gi_type t = gi_value_type(x);
  gi_type s = gi_value_type(signs);
  memmove(s.dim + 3, s.dim + 2, (size_t)(s.rank - 2) * sizeof s.dim[0]);
  s.dim[2] = 1;
  const glia_value byte = glia_cast(glia_reshape(signs, s.rank + 1, s.dim), GLIA_F64);
  const glia_value shifted = glia_floor(glia_div(byte, powers(x.graph, GLIA_F64, s.rank + 1)));
  const glia_value half = glia_mul(shifted, glia_scalar_like(shifted, 0.5));
  return as_channels(glia_greater(half, glia_floor(half)), &t);
}

static glia_status lower_act(gi_lower *c) {
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  glia_value y =
      glia_batch_norm_train(c->in[0], c->in[1], c->in[2], eps, &c->out[1], &c->out[2]);
  if (c->n_in == 4) y = glia_add(y, c->in[3]);
  c->out[0] = glia_relu(y);
  if (c->n_in == 4) c->out[3] = signs_of(c->out[0]);
  return GLIA_OK;
}

/* [C] as [1, C, 1, ...], to broadcast against x. */
static glia_value per_channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  shape[1] = glia_value_dim(x, 1);
  return glia_reshape(v, glia_value_rank(x), shape);
}

static glia_status lower_grad(gi_lower *c) {
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  const glia_value x = c->in[0], gamma = c->in[1], beta = c->in[2], dy = c->in[5];
  glia_value more;
  if (c->n_in == 7) {
    more = positive(c->in[6], x);
  } else {
    const glia_value wide = glia_cast(x, glia_value_dtype(gamma));
    const glia_value r = glia_rsqrt(glia_add(c->in[4], glia_scalar_like(gamma, eps)));
    const glia_value h = glia_sub(wide, per_channel(c->in[3], x));
    const glia_value y =
        glia_add(glia_mul(h, per_channel(glia_mul(r, gamma), x)), per_channel(beta, x));
    more = glia_greater(y, glia_scalar_like(y, 0));
  }
  const glia_value counts = glia_where(more, dy, glia_full_like(dy, 0));
  const glia_value in[] = {x, gamma, c->in[3], c->in[4], counts};
  gi_emit(c->g, &gi_op_batch_norm_grad, c->attr, in, 5, c->out);
  if (c->n_in == 7) c->out[3] = counts;
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

/* x as [N, C, S]: element i of channel k; the byte of its sign. */
static int64_t place(const gi_rows *r, int64_t k, int64_t i) {
  return (i / r->inner * r->n + k) * r->inner + i % r->inner;
}
static int64_t byte_of(const gi_rows *r, int64_t k, int64_t i) {
  return (i / r->inner * ((r->n + 7) / 8) + k / 8) * r->inner + i % r->inner;
}

/* batch_norm_train's result as double by its reference, so that z and relu meet what was not
 * rounded yet: which of the elements are positive is a result of its own. */
static void finish(gi_ref *c, const gi_buf *norm) {
  const gi_rows r = gi_rows_of(&c->in[0].t, 1);
  if (c->n_in == 4) gi_zero(&c->out[3]);
  for (int64_t k = 0; k < r.n; k++)
    for (int64_t i = 0; i < r.outer * r.inner; i++) {
      const int64_t at = place(&r, k, i);
      double y = gi_get(norm, at);
      if (c->n_in == 4) y += gi_get(&c->in[3], at);
      gi_put(&c->out[0], at, y < 0 ? 0 : y);
      if (c->n_in == 4 && y > 0)
        ((uint8_t *)c->out[3].p)[byte_of(&r, k, i)] |= (uint8_t)(1 << k % 8);
    }
}

static glia_status ref_act(gi_ref *c) {
  gi_buf out[3] = {c->out[0], c->out[1], c->out[2]};
  gi_ref norm = *c;
  out[0].t.dtype = GLIA_F64;
  out[0].p = gi_alloc(gi_type_bytes(&out[0].t) + 1);
  if (out[0].p == NULL) return gi_fail_nomem(gi_type_bytes(&out[0].t));
  norm.n_in = norm.n_out = 3;
  norm.out = out;
  const glia_status s = gi_op_batch_norm_train.ref(&norm);
  if (s == GLIA_OK) finish(c, &out[0]);
  gi_free(out[0].p);
  return s;
}

/* The dy that count into `to`, then batch_norm_grad's reference. */
static glia_status grad_of(gi_ref *c, const gi_buf *to) {
  const double eps = ((const gi_batch_norm_attr *)c->attr)->eps;
  const gi_rows r = gi_rows_of(&c->in[0].t, 1);
  for (int64_t k = 0; k < r.n; k++) {
    const double a = gi_get(&c->in[1], k) / sqrt(gi_get(&c->in[4], k) + eps);
    for (int64_t i = 0; i < r.outer * r.inner; i++) {
      const int64_t at = place(&r, k, i);
      const double y =
          (gi_get(&c->in[0], at) - gi_get(&c->in[3], k)) * a + gi_get(&c->in[2], k);
      const bool more =
          c->n_in == 7 ? gi_index_at(&c->in[6], byte_of(&r, k, i)) >> k % 8 & 1 : y > 0;
      gi_put(to, at, more ? gi_get(&c->in[5], at) : 0);
    }
  }
  const gi_buf in[] = {c->in[0], c->in[1], c->in[3], c->in[4], *to};
  gi_ref norm = {5, 3, in, c->out, c->attr, c->clock};
  return gi_op_batch_norm_grad.ref(&norm);
}

static glia_status ref_grad(gi_ref *c) {
  if (c->n_in == 7) return grad_of(c, &c->out[3]);
  const size_t bytes = gi_type_bytes(&c->in[5].t);
  const gi_buf own = {c->in[5].t, gi_alloc(bytes + 1)};
  if (own.p == NULL) return gi_fail_nomem(bytes);
  const glia_status s = grad_of(c, &own);
  gi_free(own.p);
  return s;
}

static gi_cost cost(const gi_infer *c) { /* about twelve operations an element */
  gi_cost k = gi_default_cost(c);
  k.flops = 12 * (double)gi_type_count(&c->in[0]);
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_batch_norm_attr small = {1e-5}, minus = {-1};
#define X -2, 2, GLIA_F32
#define V 0.5, 1.5, GLIA_F32
#define B -1, 1, GLIA_F32
#define S 0, 256, GLIA_U8
/* clang-format off */
static const gi_sample samples_act[] = {
    {&small, 3, {{2, {3, 2}, X}, {1, {2}, V}, {1, {2}, B}}, GLIA_OK},
    {&small, 3, {{4, {2, 3, 5, 7}, X}, {1, {3}, V}, {1, {3}, B}}, GLIA_OK},
    {&small, 4, {{4, {2, 3, 5, 7}, X}, {1, {3}, V}, {1, {3}, B}, {4, {2, 3, 5, 7}, X}}, GLIA_OK},
    {&small, 4, {{4, {3, 21, 3, 2}, X}, {1, {21}, V}, {1, {21}, B}, {4, {3, 21, 3, 2}, X}},
     GLIA_OK},
    {&small, 4, {{2, {5, 40}, X}, {1, {40}, V}, {1, {40}, B}, {2, {5, 40}, X}}, GLIA_OK},
    {&small, 3, {{2, {4, 0}, X}, {1, {0}, V}, {1, {0}, B}}, GLIA_OK}, /* no channels */
    {&small, 3, {{2, {0, 3}, X}, {1, {3}, V}, {1, {3}, B}}, GLIA_SHAPE},
    {&small, 3, {{1, {3}, X}, {1, {3}, V}, {1, {3}, B}}, GLIA_SHAPE},
    {&small, 3, {{8, {1, 1, 1, 1, 1, 1, 1, 1}, X}, {1, {1}, V}, {1, {1}, B}}, GLIA_SHAPE},
    {&small, 4, {{2, {4, 3}, X}, {1, {3}, V}, {1, {3}, B}, {2, {3, 4}, X}}, GLIA_SHAPE},
    {&minus, 3, {{2, {4, 3}, X}, {1, {3}, V}, {1, {3}, B}}, GLIA_INVALID},
    {&small, 3, {{2, {4, 3}, 0, 4, GLIA_I32}, {1, {3}, V}, {1, {3}, B}}, GLIA_DTYPE},
};
#define VECTORS(n) {1, {n}, V}, {1, {n}, B}, {1, {n}, B}, {1, {n}, V}
static const gi_sample samples_grad[] = {
    {&small, 6, {{2, {3, 2}, X}, VECTORS(2), {2, {3, 2}, X}}, GLIA_OK},
    {&small, 6, {{4, {2, 3, 5, 7}, X}, VECTORS(3), {4, {2, 3, 5, 7}, X}}, GLIA_OK},
    {&small, 7, {{4, {2, 3, 5, 7}, X}, VECTORS(3), {4, {2, 3, 5, 7}, X}, {4, {2, 1, 5, 7}, S}},
     GLIA_OK},
    {&small, 7, {{4, {3, 21, 3, 2}, X}, VECTORS(21), {4, {3, 21, 3, 2}, X}, {4, {3, 3, 3, 2}, S}},
     GLIA_OK},
    {&small, 7, {{2, {5, 40}, X}, VECTORS(40), {2, {5, 40}, X}, {2, {5, 5}, S}}, GLIA_OK},
    {&small, 6, {{2, {4, 3}, X}, VECTORS(3), {2, {3, 4}, X}}, GLIA_SHAPE},
    {&small, 7, {{2, {4, 9}, X}, VECTORS(9), {2, {4, 9}, X}, {2, {4, 1}, S}}, GLIA_SHAPE},
    {&small, 7, {{2, {4, 3}, X}, VECTORS(3), {2, {4, 3}, X}, {2, {4, 1}, X}}, GLIA_DTYPE},
};
/* clang-format on */
#undef X
#undef V
#undef B
#undef S

static const gi_attr fields[] = {
    {"eps", GI_ATTR_F64, offsetof(gi_batch_norm_attr, eps),
     "added to the variance; usually 1e-5"},
    {NULL, GI_ATTR_F64, 0, NULL},
};

const gi_op gi_op_batch_norm_act = {
    .name = "batch_norm_act",
    .doc = "batch norm, perhaps plus another value, and relu, in one kernel",
    .paper = "arXiv:1502.03167",
    .torch = "relu(torch.nn.functional.batch_norm(x0, None, None, x1, x2, True, 0, eps) + x3)",
    .min_in = 3,
    .max_in = 4,
    .n_out = 4,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << 1 | 1 << 2,
    .attr_size = sizeof(gi_batch_norm_attr),
    .attrs = fields,
    .infer = infer_act,
    .lower = lower_act,
    .ref = ref_act,
    .cost = cost,
    .samples = samples_act,
    .n_samples = GI_COUNT(samples_act),
};

const gi_op gi_op_batch_norm_act_grad = {
    .name = "batch_norm_act_grad",
    .doc = "gradients of batch_norm_act through y: dx, dgamma, dbeta, and of what was added",
    .paper = "arXiv:1502.03167",
    .min_in = 6,
    .max_in = 7,
    .n_out = 4,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4,
    .attr_size = sizeof(gi_batch_norm_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_batch_norm_act[] = {&gi_op_batch_norm_act, &gi_op_batch_norm_act_grad,
                                              NULL};
