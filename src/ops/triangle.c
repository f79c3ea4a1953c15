/* triangle.c - matrices with zeros above or below a diagonal.
 *
 * x [..., M, N] -> the same shape. Element (i, j) stays where j - i <= diagonal (tril), or
 * where j - i >= diagonal (triu), and is zero elsewhere. Either is its own transpose.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status check(gi_infer *c, const char *op) {
  char text[GI_TEXT];
  if (c->in[0].rank < 2)
    return gi_fail(GLIA_SHAPE, "%s: x is %s, wanted [..., M, N]", op,
                   gi_shape_text(&c->in[0], text, sizeof text));
  c->out[0] = c->in[0];
  return GLIA_OK;
}
static glia_status infer_tril(gi_infer *c) { return check(c, "tril"); }
static glia_status infer_triu(gi_infer *c) { return check(c, "triu"); }

static glia_status vjp_tril(gi_vjp *c) {
  c->din[0] = gi_emit1(&gi_op_tril, c->attr, c->dout[0]);
  return GLIA_OK;
}
static glia_status vjp_triu(gi_vjp *c) {
  c->din[0] = gi_emit1(&gi_op_triu, c->attr, c->dout[0]);
  return GLIA_OK;
}

/* Row by row, since x and the result may be the same memory. */
static glia_status keep(gi_ref *c, bool upper) {
  const gi_type *t = &c->in[0].t;
  const int64_t m = t->dim[t->rank - 2], n = t->dim[t->rank - 1], count = gi_type_count(t);
  const int64_t diagonal = ((const gi_triangle_attr *)c->attr)->diagonal;
  const size_t size = glia_dtype_size(t->dtype);
  for (int64_t row = 0; n > 0 && row < count / n; row++) {
    const int64_t edge = row % m + GI_MAX(-m, GI_MIN(diagonal, n)) + (upper ? 0 : 1);
    const int64_t cut = GI_MAX(0, GI_MIN(edge, n)); /* zeros before it, or from it on */
    const int64_t from = upper ? cut : 0, to = upper ? n : cut;
    const char *x = (const char *)c->in[0].p + (size_t)(row * n) * size;
    char *y = (char *)c->out[0].p + (size_t)(row * n) * size;
    memset(y, 0, (size_t)from * size);
    if (x != y)
      memcpy(y + (size_t)from * size, x + (size_t)from * size, (size_t)(to - from) * size);
    memset(y + (size_t)to * size, 0, (size_t)(n - to) * size);
  }
  return GLIA_OK;
}
static glia_status ref_tril(gi_ref *c) { return keep(c, false); }
static glia_status ref_triu(gi_ref *c) { return keep(c, true); }

static gi_cost cost(const gi_infer *c) {
  return (gi_cost){.flops = 0, .bytes = gi_default_cost(c).bytes};
}

static const gi_triangle_attr zero = {0}, one = {1}, minus = {-2}, far = {INT64_MAX},
                              below = {INT64_MIN};
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&zero, 1, {{2, {3, 3}, R}}, GLIA_OK},
    {&one, 1, {{3, {2, 5, 3}, R}}, GLIA_OK},
    {&minus, 1, {{4, {2, 3, 4, 7}, R}}, GLIA_OK},
    {&far, 1, {{2, {3, 4}, R}}, GLIA_OK},
    {&below, 1, {{2, {3, 4}, R}}, GLIA_OK},
    {&zero, 1, {{2, {0, 4}, R}}, GLIA_OK},
    {&zero, 1, {{2, {4, 0}, R}}, GLIA_OK},
    {&one, 1, {{2, {3, 4}, 0, 9, GLIA_I64}}, GLIA_OK},
    {&zero, 1, {{2, {4, 4}, 0, 1, GLIA_BOOL}}, GLIA_OK},
    {&zero, 1, {{1, {4}, R}}, GLIA_SHAPE},
};
#undef R

static const gi_attr fields[] = {
    {"diagonal", GI_ATTR_I64, offsetof(gi_triangle_attr, diagonal),
     "the last that stays (tril), or the first (triu); 0: the main one, above it > 0"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_tril = {
    .name = "tril",
    .doc = "zeros above a diagonal",
    .torch = "torch.tril(x0, diagonal)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .flags = GI_IN_PLACE,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_triangle_attr),
    .attrs = fields,
    .infer = infer_tril,
    .vjp = vjp_tril,
    .ref = ref_tril,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_triu = {
    .name = "triu",
    .doc = "zeros below a diagonal",
    .torch = "torch.triu(x0, diagonal)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .flags = GI_IN_PLACE,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_triangle_attr),
    .attrs = fields,
    .infer = infer_triu,
    .vjp = vjp_triu,
    .ref = ref_triu,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_triangle[] = {&gi_op_tril, &gi_op_triu, NULL};

glia_value glia_tril(glia_value x, int64_t diagonal) {
  const gi_triangle_attr a = {diagonal};
  return gi_emit1(&gi_op_tril, &a, x);
}
glia_value glia_triu(glia_value x, int64_t diagonal) {
  const gi_triangle_attr a = {diagonal};
  return gi_emit1(&gi_op_triu, &a, x);
}
