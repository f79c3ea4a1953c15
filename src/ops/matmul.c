/* matmul.c - y = a b over the last two axes; leading axes broadcast.
 *
 * Shapes: a [..., M, K], b [..., K, N] -> y [..., M, N]; with transpose_a, a is
 * [..., K, M]; with transpose_b, b is [..., N, K]. The flags are attributes, not permutes,
 * because every kernel takes them for nothing. Also matmul_bias_act, the fused op of a dense
 * layer, for matrices alone.
 */
#include "ops/attrs.h"
#include "ops/int8.h"
#include "ops/match.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

typedef struct sizes {
  int64_t m, k, n, kb;
} sizes; /* kb: the inner axis as b has it */

static sizes sizes_of(const gi_type *a, const gi_type *b, const gi_matmul_attr *p) {
  const int64_t *da = a->dim + a->rank - 2, *db = b->dim + b->rank - 2;
  return (sizes){.m = da[p->transpose_a ? 1 : 0],
                 .k = da[p->transpose_a ? 0 : 1],
                 .kb = db[p->transpose_b ? 1 : 0],
                 .n = db[p->transpose_b ? 0 : 1]};
}

static glia_status infer_product(gi_infer *c, const char *op) {
  const gi_type *a = &c->in[0], *b = &c->in[1];
  const gi_matmul_attr *p = c->attr;
  char ta[GI_TEXT], tb[GI_TEXT];
  gi_shape_text(a, ta, sizeof ta);
  gi_shape_text(b, tb, sizeof tb);
  if (a->rank < 2 || b->rank < 2)
    return gi_fail(GLIA_SHAPE,
                   "%s: a is %s, b is %s; both want two axes or more; hint: "
                   "glia_reshape a vector to [1, n] or [n, 1]",
                   op, ta, tb);
  GI_TRY(gi_want_float(c, 0, op, "a"));
  GI_TRY(gi_want_same(c, 0, 1, op));
  const sizes s = sizes_of(a, b, p);
  if (s.k != s.kb)
    return gi_fail(GLIA_SHAPE,
                   "%s: a is %s%s, b is %s%s; inner axes %" PRId64 " and %" PRId64 " differ",
                   op, ta, p->transpose_a ? " transposed" : "", tb,
                   p->transpose_b ? " transposed" : "", s.k, s.kb);
  gi_type ba = *a, bb = *b, y;
  ba.rank -= 2;
  bb.rank -= 2;
  GI_TRY(gi_broadcast(&ba, &bb, op, &y));
  if (y.rank + 2 > GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE, "%s: a is %s, b is %s; at most %d axes", op, ta, tb,
                   GLIA_MAX_RANK);
  y.dim[y.rank++] = s.m;
  y.dim[y.rank++] = s.n;
  c->out[0] = y;
  return GLIA_OK;
}

static glia_status infer_matmul(gi_infer *c) { return infer_product(c, "matmul"); }

static glia_status infer_dense(gi_infer *c) {
  const gi_matmul_attr *p = c->attr;
  char text[GI_TEXT];
  GI_TRY(gi_want_rank(c, 0, 2, "matmul_bias_act", "a", "[M, K]"));
  GI_TRY(gi_want_rank(c, 1, 2, "matmul_bias_act", "b", "[K, N]"));
  GI_TRY(gi_want_rank(c, 2, 1, "matmul_bias_act", "bias", "[N]"));
  GI_TRY(infer_product(c, "matmul_bias_act"));
  GI_TRY(gi_want_beside(c, 0, 2, "matmul_bias_act"));
  if (c->in[2].dim[0] != c->out[0].dim[1])
    return gi_fail(GLIA_SHAPE,
                   "matmul_bias_act: bias is %s, the product has %" PRId64 " columns",
                   gi_shape_text(&c->in[2], text, sizeof text), c->out[0].dim[1]);
  if (strcmp(p->activation, "") != 0 && strcmp(p->activation, "relu") != 0)
    return gi_fail(GLIA_INVALID,
                   "matmul_bias_act: activation is \"%s\", wanted \"\" or \"relu\"",
                   p->activation);
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

static glia_value product(glia_value a, glia_value b, bool transpose_a, bool transpose_b) {
  return glia_matmul(a, b, .transpose_a = transpose_a, .transpose_b = transpose_b);
}

/* With A and B the inputs after transposition: dA = dY B^T, dB = A^T dY; an input that was
 * transposed wants the transpose of that, which is the product the other way round. */
static glia_status vjp_matmul(gi_vjp *c) {
  const gi_matmul_attr *p = c->attr;
  const glia_value a = c->in[0], b = c->in[1], dy = c->dout[0];
  const bool ta = p->transpose_a, tb = p->transpose_b;
  if (c->need[0])
    c->din[0] = glia_sum_to(ta ? product(b, dy, tb, true) : product(dy, b, false, !tb), a);
  if (c->need[1])
    c->din[1] = glia_sum_to(tb ? product(dy, a, true, ta) : product(a, dy, !ta, false), b);
  return GLIA_OK;
}

static glia_status lower_dense(gi_lower *c) {
  const gi_matmul_attr *p = c->attr;
  const glia_value ab = product(c->in[0], c->in[1], p->transpose_a, p->transpose_b);
  const glia_value bias = gi_null(ab) ? ab : glia_cast(c->in[2], glia_value_dtype(ab));
  const glia_value y = glia_add(ab, bias);
  c->out[0] = p->activation[0] != '\0' ? glia_relu(y) : y;
  return GLIA_OK;
}

/* add(matmul(a, b), bias) of matrices, in either order, and relu of that. */
static bool match_dense(gi_match *m) {
  const gi_node *last = m->last, *add = last;
  gi_matmul_attr a;
  if (last->op == &gi_op_relu) add = gi_match_inner(m, last->in[0], &gi_op_add);
  if (add == NULL || add->op != &gi_op_add) return false;
  for (int side = 0; side < 2; side++) {
    const gi_node *product = gi_match_inner(m, add->in[side], &gi_op_matmul);
    const uint32_t bias = add->in[1 - side];
    if (product == NULL || gi_match_type(m, product->in[0])->rank != 2 ||
        gi_match_type(m, product->in[1])->rank != 2)
      continue;
    const gi_type *y = gi_match_type(m, product->out), *b = gi_match_type(m, bias);
    if (b->rank != 1 || b->dim[0] != y->dim[1]) continue;
    a = *(const gi_matmul_attr *)product->attr;
    a.activation = last == add ? "" : "relu";
    memcpy(m->attr.bytes, &a, sizeof a);
    m->n_in = 3;
    m->in[0] = product->in[0];
    m->in[1] = product->in[1];
    m->in[2] = bias;
    return true;
  }
  return false;
}

/* ---- reference ----------------------------------------------------------------------- */

/* One matrix product; a, b and y begin at these elements. A third input is a bias, added to the
 * product as it was rounded, so that the fused op gives the bits of the two ops that it stands
 * for. */
static void multiply(gi_ref *c, const sizes *s, int64_t a, int64_t b, int64_t y, bool relu) {
  const gi_matmul_attr *p = c->attr;
  const int64_t a_row = p->transpose_a ? 1 : s->k, a_col = p->transpose_a ? s->m : 1;
  const int64_t b_row = p->transpose_b ? 1 : s->n, b_col = p->transpose_b ? s->k : 1;
  for (int64_t i = 0; i < s->m; i++)
    for (int64_t j = 0; j < s->n; j++) {
      double v = 0;
      for (int64_t k = 0; k < s->k; k++)
        v += gi_get(&c->in[0], a + i * a_row + k * a_col) *
             gi_get(&c->in[1], b + k * b_row + j * b_col);
      gi_put(&c->out[0], y + i * s->n + j, v);
      if (c->n_in < 3) continue;
      v = gi_get(&c->out[0], y + i * s->n + j) + gi_get(&c->in[2], j);
      gi_put(&c->out[0], y + i * s->n + j, relu && v < 0 ? 0 : v);
    }
}

static glia_status ref_matmul(gi_ref *c) {
  const gi_type *a = &c->in[0].t, *b = &c->in[1].t;
  gi_type batch = c->out[0].t, batch_a = *a, batch_b = *b;
  const sizes s = sizes_of(a, b, c->attr);
  int64_t at[GLIA_MAX_RANK] = {0}, stride_a[GLIA_MAX_RANK], stride_b[GLIA_MAX_RANK];
  batch.rank -= 2;
  batch_a.rank -= 2;
  batch_b.rank -= 2;
  gi_broadcast_strides(&batch_a, &batch, stride_a); /* in matrices */
  gi_broadcast_strides(&batch_b, &batch, stride_b);
  const int64_t count = gi_type_count(&batch);
  for (int64_t e = 0; e < count; e++, gi_next(&batch, at))
    multiply(c, &s, gi_offset(batch.rank, at, stride_a) * s.m * s.k,
             gi_offset(batch.rank, at, stride_b) * s.k * s.n, e * s.m * s.n, false);
  return GLIA_OK;
}

static glia_status ref_dense(gi_ref *c) {
  const gi_matmul_attr *p = c->attr;
  const sizes s = sizes_of(&c->in[0].t, &c->in[1].t, p);
  multiply(c, &s, 0, 0, 0, p->activation[0] != '\0');
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  const sizes s = sizes_of(&c->in[0], &c->in[1], c->attr);
  k.flops = 2.0 * (double)gi_type_count(&c->out[0]) * (double)s.k;
  return k;
}

/* ---- samples ------------------------------------------------------------------------- */

static const gi_matmul_attr nn = {.activation = ""},
                            tn = {.transpose_a = true, .activation = ""},
                            nt = {.transpose_b = true, .activation = ""},
                            tt = {.transpose_a = true, .transpose_b = true, .activation = ""},
                            relu = {.activation = "relu"},
                            relu_nt = {.transpose_b = true, .activation = "relu"},
                            unknown = {.activation = "tanh"};

#define R -1, 1, GLIA_F32
static const gi_sample samples_matmul[] = {
    {&nn, 2, {{2, {2, 3}, R}, {2, {3, 2}, R}}, GLIA_OK},
    {&tn, 2, {{2, {3, 5}, R}, {2, {3, 7}, R}}, GLIA_OK},
    {&nt, 2, {{2, {5, 3}, R}, {2, {7, 3}, R}}, GLIA_OK},
    {&tt, 2, {{2, {3, 5}, R}, {2, {7, 3}, R}}, GLIA_OK},
    {&nn, 2, {{3, {2, 5, 3}, R}, {3, {2, 3, 4}, R}}, GLIA_OK},
    {&nt, 2, {{4, {2, 1, 5, 3}, R}, {3, {3, 4, 3}, R}}, GLIA_OK},
    {&tn, 2, {{2, {3, 5}, R}, {3, {2, 3, 4}, R}}, GLIA_OK},
    {&tt, 2, {{3, {2, 3, 5}, R}, {2, {4, 3}, R}}, GLIA_OK},
    {&nn, 2, {{2, {1, 1}, R}, {2, {1, 1}, R}}, GLIA_OK},
    {&nn, 2, {{2, {33, 65}, R}, {2, {65, 17}, R}}, GLIA_OK},
    {&nn, 2, {{2, {0, 3}, R}, {2, {3, 2}, R}}, GLIA_OK},
    {&nn, 2, {{2, {2, 0}, R}, {2, {0, 3}, R}}, GLIA_OK}, /* zeros */
    {&nn, 2, {{2, {2, 3}, R}, {2, {2, 3}, R}}, GLIA_SHAPE},
    {&nn, 2, {{3, {2, 2, 3}, R}, {3, {3, 3, 2}, R}}, GLIA_SHAPE},
    {&nn, 2, {{1, {3}, R}, {2, {3, 2}, R}}, GLIA_SHAPE},
    {&nn, 2, {{2, {2, 3}, R}, {2, {3, 2}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
    {&nn, 2, {{2, {2, 3}, 0, 4, GLIA_I32}, {2, {3, 2}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};
static const gi_sample samples_dense[] = {
    {&nn, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {1, {2}, R}}, GLIA_OK},
    {&relu, 3, {{2, {5, 3}, R}, {2, {3, 7}, R}, {1, {7}, R}}, GLIA_OK},
    {&relu_nt, 3, {{2, {33, 65}, R}, {2, {17, 65}, R}, {1, {17}, R}}, GLIA_OK},
    {&tn, 3, {{2, {3, 5}, R}, {2, {3, 7}, R}, {1, {7}, R}}, GLIA_OK},
    {&tt, 3, {{2, {3, 1}, R}, {2, {1, 3}, R}, {1, {1}, R}}, GLIA_OK},
    {&relu, 3, {{2, {0, 3}, R}, {2, {3, 7}, R}, {1, {7}, R}}, GLIA_OK},
    {&relu, 3, {{2, {5, 0}, R}, {2, {0, 7}, R}, {1, {7}, R}}, GLIA_OK},
    {&nn, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {1, {3}, R}}, GLIA_SHAPE},
    {&nn, 3, {{2, {2, 3}, R}, {2, {2, 2}, R}, {1, {2}, R}}, GLIA_SHAPE},
    {&nn, 3, {{3, {1, 2, 3}, R}, {2, {3, 2}, R}, {1, {2}, R}}, GLIA_SHAPE},
    {&unknown, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {1, {2}, R}}, GLIA_INVALID},
};
#undef R

/* ---- rows ---------------------------------------------------------------------------- */

/* clang-format off */
#define FLAGS                                                                                  \
  {"transpose_a", GI_ATTR_BOOL, offsetof(gi_matmul_attr, transpose_a), "a is [..., K, M]"},    \
  {"transpose_b", GI_ATTR_BOOL, offsetof(gi_matmul_attr, transpose_b), "b is [..., N, K]"}
/* clang-format on */

static const gi_attr fields[] = {FLAGS, {NULL, GI_ATTR_BOOL, 0, NULL}};
static const gi_attr fields_dense[] = {
    FLAGS,
    {"activation", GI_ATTR_NAME, offsetof(gi_matmul_attr, activation), "\"\" or \"relu\""},
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

const gi_op gi_op_matmul = {
    .name = "matmul",
    .doc = "matrix product over the last two axes; leading axes broadcast",
    .torch = "torch.matmul(x0.mT if transpose_a else x0, x1.mT if transpose_b else x1)",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .int8 = gi_int8_matmul,
    .precision = GI_WANTS_NARROW,
    .attr_size = sizeof(gi_matmul_attr),
    .attrs = fields,
    .infer = infer_matmul,
    .vjp = vjp_matmul,
    .ref = ref_matmul,
    .cost = cost,
    .samples = samples_matmul,
    .n_samples = GI_COUNT(samples_matmul),
};

const gi_op gi_op_matmul_bias_act = {
    .name = "matmul_bias_act",
    .doc = "matrix product plus a bias, then an activation: a dense layer in one kernel",
    .torch =
        "act(torch.matmul(x0.mT if transpose_a else x0, x1.mT if transpose_b else x1) + x2)",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .precision = GI_WANTS_NARROW,
    .f32_in = 1 << 2,
    .attr_size = sizeof(gi_matmul_attr),
    .attrs = fields_dense,
    .infer = infer_dense,
    .lower = lower_dense,
    .match = match_dense,
    .ref = ref_dense,
    .cost = cost,
    .samples = samples_dense,
    .n_samples = GI_COUNT(samples_dense),
};

const gi_op *const gi_ops_matmul[] = {&gi_op_matmul, &gi_op_matmul_bias_act, NULL};

/* ---- builders ------------------------------------------------------------------------ */

glia_value glia_matmul_opt(glia_value a, glia_value b, const glia_matmul_opts *opt) {
  glia_matmul_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_matmul_attr p = {
      .transpose_a = o.transpose_a, .transpose_b = o.transpose_b, .activation = ""};
  return gi_emit2(&gi_op_matmul, &p, a, b);
}
