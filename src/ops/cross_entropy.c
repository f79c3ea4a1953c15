/* cross_entropy.c - softmax and the negative logarithm of one class's share, row by row, and
 * the gradient: what a classifier is trained with, in one pass each.
 *
 *   loss[i] = l[i] - x[i, t[i]],   l[i] = log sum over c of e^x[i, c]
 *   dx[i, c] = e^(x[i, c] - l[i]) (dloss[i] + dl[i]) - (c = t[i] ? dloss[i] : 0)
 *
 * Shapes: x, dx [N, C]; targets t [N], i64 or i32, 0 .. C - 1; the others [N]. l is given too:
 * the gradient needs it, and so does label smoothing, where sum_c -log softmax(x)[c] = C l -
 * sum x. Targets are data, so they are checked at run time.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

/* x [N, C], targets [N] and, from input 2 on, one number a row. */
static glia_status check(const gi_infer *c, const char *op) {
  const gi_type *x = &c->in[0], *t = &c->in[1];
  char tx[GI_TEXT], ti[GI_TEXT];
  GI_TRY(gi_want_rank(c, 0, 2, op, "x", "[N, C]"));
  GI_TRY(gi_want_float(c, 0, op, "x"));
  if (t->dtype != GLIA_I64 && t->dtype != GLIA_I32)
    return gi_fail(GLIA_DTYPE, "%s: targets are %s, wanted i64 or i32", op,
                   gi_type_text(t, ti, sizeof ti));
  for (int i = 1; i < c->n_in; i++) {
    if (i > 1) GI_TRY(gi_want_same(c, 0, i, op));
    if (c->in[i].rank == 1 && c->in[i].dim[0] == x->dim[0]) continue;
    return gi_fail(GLIA_SHAPE, "%s: x is %s, input %d is %s, wanted one for each row", op,
                   gi_shape_text(x, tx, sizeof tx), i, gi_shape_text(&c->in[i], ti, sizeof ti));
  }
  if (x->dim[1] == 0)
    return gi_fail(GLIA_SHAPE, "%s: x is %s, there are no classes", op,
                   gi_shape_text(x, tx, sizeof tx));
  return GLIA_OK;
}

static glia_status infer_loss(gi_infer *c) {
  GI_TRY(check(c, "cross_entropy"));
  c->out[0] = (gi_type){.dtype = c->in[0].dtype, .rank = 1, .dim = {c->in[0].dim[0]}};
  c->out[1] = c->out[0];
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  GI_TRY(check(c, "cross_entropy_grad"));
  c->out[0] = c->in[0];
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

static glia_status vjp_loss(gi_vjp *c) {
  glia_value in[5] = {c->in[0], c->in[1], c->out[1], c->dout[0], c->dout[1]};
  if (!c->need[0]) return GLIA_OK;
  if (gi_null(in[3])) in[3] = glia_full_like(c->out[0], 0);
  c->din[0] = gi_emit(c->g, &gi_op_cross_entropy_grad, NULL, in, gi_null(in[4]) ? 4 : 5, NULL);
  return GLIA_OK;
}

static glia_value column(glia_value v) {
  return glia_reshape(v, 2, (const int64_t[]){glia_value_dim(v, 0), 1});
}

static glia_status lower_grad(gi_lower *c) {
  const glia_value x = c->in[0], dloss = c->in[3];
  const glia_value both = c->n_in == 5 ? glia_add(dloss, c->in[4]) : dloss;
  const glia_value share = glia_exp(glia_sub(x, column(c->in[2])));
  const gi_gather_attr a = {.axis = 1, .size = glia_value_dim(x, 1)};
  const glia_value own = gi_emit2(&gi_op_put_along, &a, column(dloss), column(c->in[1]));
  c->out[0] = glia_sub(glia_mul(share, column(both)), own);
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

static glia_status target_of(const gi_ref *c, const char *op, int64_t i, int64_t *t) {
  *t = gi_index_at(&c->in[1], i);
  if (*t >= 0 && *t < c->in[0].t.dim[1]) return GLIA_OK;
  return gi_fail(GLIA_INVALID, "%s: target %" PRId64 " is %" PRId64 ", wanted 0 to %" PRId64,
                 op, i, *t, c->in[0].t.dim[1] - 1);
}

static glia_status ref_loss(gi_ref *c) {
  const gi_buf *x = &c->in[0];
  const int64_t classes = x->t.dim[1];
  for (int64_t i = 0; i < x->t.dim[0]; i++) {
    double m = gi_get(x, i * classes), s = 0;
    int64_t t;
    GI_TRY(target_of(c, "cross_entropy", i, &t));
    for (int64_t k = 1; k < classes; k++) m = gi_larger(m, gi_get(x, i * classes + k));
    for (int64_t k = 0; k < classes; k++) s += exp(gi_get(x, i * classes + k) - m);
    const double l = m + log(s);
    gi_put(&c->out[0], i, l - gi_get(x, i * classes + t));
    gi_put(&c->out[1], i, l);
  }
  return GLIA_OK;
}

static glia_status ref_grad(gi_ref *c) {
  const gi_buf *x = &c->in[0];
  const int64_t classes = x->t.dim[1];
  for (int64_t i = 0; i < x->t.dim[0]; i++) {
    const double l = gi_get(&c->in[2], i), dloss = gi_get(&c->in[3], i);
    const double both = dloss + (c->n_in == 5 ? gi_get(&c->in[4], i) : 0);
    int64_t t;
    GI_TRY(target_of(c, "cross_entropy_grad", i, &t));
    for (int64_t k = 0; k < classes; k++)
      gi_put(&c->out[0], i * classes + k,
             exp(gi_get(x, i * classes + k) - l) * both - (k == t ? dloss : 0));
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* largest, subtract, exponential, sum */
  gi_cost k = gi_default_cost(c);
  k.flops = 5 * (double)gi_type_count(&c->in[0]);
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

#define X -4, 4, GLIA_F32
#define V -1, 1, GLIA_F32
/* clang-format off */
static const gi_sample samples_loss[] = {
    {NULL, 2, {{2, {2, 3}, X}, {1, {2}, 0, 3, GLIA_I64}}, GLIA_OK},
    {NULL, 2, {{2, {33, 17}, X}, {1, {33}, 0, 17, GLIA_I32}}, GLIA_OK},
    {NULL, 2, {{2, {5, 1}, X}, {1, {5}, 0, 1, GLIA_I64}}, GLIA_OK},
    {NULL, 2, {{2, {3, 40}, 800, 1200, GLIA_F32}, {1, {3}, 0, 40, GLIA_I64}}, GLIA_OK}, /* e^x overflows */
    {NULL, 2, {{2, {0, 3}, X}, {1, {0}, 0, 3, GLIA_I64}}, GLIA_OK},
    {NULL, 2, {{2, {3, 0}, X}, {1, {3}, 0, 1, GLIA_I64}}, GLIA_SHAPE},
    {NULL, 2, {{2, {3, 4}, X}, {1, {4}, 0, 3, GLIA_I64}}, GLIA_SHAPE},
    {NULL, 2, {{3, {3, 4, 1}, X}, {1, {3}, 0, 3, GLIA_I64}}, GLIA_SHAPE},
    {NULL, 2, {{2, {3, 4}, X}, {1, {3}, 0, 3, GLIA_F32}}, GLIA_DTYPE},
    {NULL, 2, {{2, {3, 4}, 0, 4, GLIA_I32}, {1, {3}, 0, 3, GLIA_I64}}, GLIA_DTYPE},
};
static const gi_sample samples_grad[] = {
    {NULL, 4, {{2, {2, 3}, V}, {1, {2}, 0, 3, GLIA_I64}, {1, {2}, 1, 2, GLIA_F32}, {1, {2}, V}}, GLIA_OK},
    {NULL, 5, {{2, {33, 17}, V}, {1, {33}, 0, 17, GLIA_I32}, {1, {33}, 1, 4, GLIA_F32}, {1, {33}, V}, {1, {33}, V}}, GLIA_OK},
    {NULL, 4, {{2, {0, 3}, V}, {1, {0}, 0, 3, GLIA_I64}, {1, {0}, V}, {1, {0}, V}}, GLIA_OK},
    {NULL, 4, {{2, {3, 4}, V}, {1, {3}, 0, 3, GLIA_I64}, {1, {4}, V}, {1, {3}, V}}, GLIA_SHAPE},
    {NULL, 4, {{2, {3, 4}, V}, {1, {3}, 0, 3, GLIA_F32}, {1, {3}, V}, {1, {3}, V}}, GLIA_DTYPE},
};
/* clang-format on */
#undef X
#undef V

const gi_op gi_op_cross_entropy = {
    .name = "cross_entropy",
    .doc = "log of the sum of e^x along a row, less the target's x; and that logarithm",
    .torch = "torch.nn.functional.cross_entropy(x0, x1, reduction='none')",
    .min_in = 2,
    .max_in = 2,
    .n_out = 2,
    .infer = infer_loss,
    .vjp = vjp_loss,
    .ref = ref_loss,
    .cost = cost,
    .samples = samples_loss,
    .n_samples = GI_COUNT(samples_loss),
};

const gi_op gi_op_cross_entropy_grad = {
    .name = "cross_entropy_grad",
    .doc = "gradient of cross_entropy with respect to x",
    .min_in = 4,
    .max_in = 5,
    .n_out = 1,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_cross_entropy[] = {&gi_op_cross_entropy, &gi_op_cross_entropy_grad,
                                             NULL};
