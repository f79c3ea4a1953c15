/* int8.c - products of 8-bit whole numbers, for inference.
 *
 *   quantize     q = round(x / s), limited to -127 .. 127: x is about s q
 *   matmul_int8  y[m, n] = s_a s_b[n] sum over k of a[m, k] b[n, k] [+ bias[n]]
 *   conv2d_int8  y = s_x s_w[f] conv2d(x, w) [+ bias[f]]
 *
 * Either may go on with relu, and with quantize where all readers want whole numbers.
 * An activation has one scale, each row of a weight (a filter, an output) one of its own: Jacob
 * and others 2018, arXiv:1712.05877; Krishnamoorthi 2018, arXiv:1806.08342. Scales are
 * symmetric, so that zero is zero and sums need no correction; sums are exact. The way back is
 * computed in f32, one rounding an operation, by the reference too: else results that lie in
 * the middle of two whole numbers would become either.
 */
#include "ops/int8.h"

#include <math.h>

#include "ops/match.h"
#include "ops/ref.h"
#include "ops/window.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status want_dtype(const gi_infer *c, int i, glia_dtype dtype, const char *op,
                              const char *name) {
  char text[GI_TEXT];
  if (c->in[i].dtype == dtype) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: %s is %s, wanted %s", op, name,
                 gi_type_text(&c->in[i], text, sizeof text), glia_dtype_name(dtype));
}

/* One float for all (n < 0), or one for each of n. */
static glia_status want_scales(const gi_infer *c, int i, int64_t n, const char *op,
                               const char *name) {
  char text[GI_TEXT], wanted[32] = "[]";
  GI_TRY(gi_want_float(c, i, op, name));
  if (n < 0 ? c->in[i].rank == 0 : c->in[i].rank == 1 && c->in[i].dim[0] == n) return GLIA_OK;
  if (n >= 0) snprintf(wanted, sizeof wanted, "[%" PRId64 "]", n);
  return gi_fail(GLIA_SHAPE, "%s: %s is %s, wanted %s", op, name,
                 gi_shape_text(&c->in[i], text, sizeof text), wanted);
}

static glia_status infer_quantize(gi_infer *c) {
  const bool many = c->in[0].rank > 0 && c->in[1].rank > 0;
  GI_TRY(gi_want_float(c, 0, "quantize", "x"));
  GI_TRY(want_scales(c, 1, many ? c->in[0].dim[0] : -1, "quantize", "scale"));
  c->out[0] = c->in[0];
  c->out[0].dtype = GLIA_I8;
  return GLIA_OK;
}

/* Behind the operands the two scales and perhaps a bias and the result's scale; a wide result
 * has their dtype. */
static glia_status want_rest(const gi_infer *c, int64_t rows, const char *op) {
  const gi_int8_attr *a = c->attr;
  const char *activation = a->conv.activation;
  if (activation == NULL || (activation[0] != '\0' && strcmp(activation, "relu") != 0))
    return gi_fail(GLIA_INVALID, "%s: activation is \"%s\", wanted \"relu\" or none", op,
                   activation != NULL ? activation : "");
  if (c->n_in - a->narrow < 4 || c->n_in - a->narrow > 5)
    return gi_fail(GLIA_INVALID, "%s: has %d inputs; a result of %s wants %d or %d", op,
                   c->n_in, a->narrow ? "i8" : "floats", 4 + a->narrow, 5 + a->narrow);
  GI_TRY(want_scales(c, 2, -1, op, "the first scale"));
  GI_TRY(want_scales(c, 3, rows, op, "the second scale"));
  if (gi_int8_has_bias(a, c->n_in)) GI_TRY(want_scales(c, 4, rows, op, "bias"));
  if (a->narrow) GI_TRY(want_scales(c, c->n_in - 1, -1, op, "the result's scale"));
  for (int i = 3; i < c->n_in; i++) GI_TRY(gi_want_same(c, 2, i, op));
  c->out[0].dtype = a->narrow ? GLIA_I8 : c->in[2].dtype;
  return GLIA_OK;
}

static glia_status infer_conv(gi_infer *c) {
  gi_type types[2] = {c->in[0], c->in[1]};
  GI_TRY(want_dtype(c, 0, GLIA_I8, "conv2d_int8", "x"));
  GI_TRY(want_dtype(c, 1, GLIA_I8, "conv2d_int8", "weight"));
  types[0].dtype = types[1].dtype = GLIA_F32;
  gi_infer plain = {2, types, &((const gi_int8_attr *)c->attr)->conv, 1, c->out};
  GI_TRY(gi_where(gi_op_conv2d.infer(&plain), "conv2d_int8"));
  return want_rest(c, c->in[1].dim[0], "conv2d_int8");
}

static glia_status infer_matmul(gi_infer *c) {
  char ta[GI_TEXT], tb[GI_TEXT];
  GI_TRY(want_dtype(c, 0, GLIA_I8, "matmul_int8", "a"));
  GI_TRY(want_dtype(c, 1, GLIA_I8, "matmul_int8", "b"));
  GI_TRY(gi_want_rank(c, 0, 2, "matmul_int8", "a", "[M, K]"));
  GI_TRY(gi_want_rank(c, 1, 2, "matmul_int8", "b", "[N, K]"));
  if (c->in[0].dim[1] != c->in[1].dim[1])
    return gi_fail(GLIA_SHAPE, "matmul_int8: a is %s, b is %s; their last axes differ",
                   gi_shape_text(&c->in[0], ta, sizeof ta),
                   gi_shape_text(&c->in[1], tb, sizeof tb));
  c->out[0] = (gi_type){.rank = 2, .dim = {c->in[0].dim[0], c->in[1].dim[0]}};
  return want_rest(c, c->in[1].dim[0], "matmul_int8");
}

/* ---- reference ----------------------------------------------------------------------- */

/* A scale of 0 stands for elements that are all 0. */
static double whole(float x, float scale) {
  const float q = scale > 0 ? rintf(x / scale) : 0;
  return (double)fminf(fmaxf(q, -GI_INT8_MOST), GI_INT8_MOST);
}

static glia_status ref_quantize(gi_ref *c) {
  const int64_t count = gi_type_count(&c->in[0].t);
  const bool many = c->in[1].t.rank == 1;
  const int64_t row = many && count > 0 ? count / c->in[1].t.dim[0] : 1;
  for (int64_t e = 0; e < count; e++) {
    const double scale = gi_get(&c->in[1], many ? e / row : 0);
    gi_put(&c->out[0], e, whole((float)gi_get(&c->in[0], e), (float)scale));
  }
  return GLIA_OK;
}

/* y[.., row, ..] from the sums; y [outer, rows, inner] */
static void finish(gi_ref *c, int64_t outer, int64_t rows, int64_t inner, const double *sums) {
  const gi_int8_attr *a = c->attr;
  const bool has_bias = gi_int8_has_bias(a, c->n_in), relu = a->conv.activation[0] != '\0';
  for (int64_t e = 0; e < outer * rows * inner; e++) {
    const int64_t row = e / inner % rows;
    const float by = (float)gi_get(&c->in[2], 0) * (float)gi_get(&c->in[3], row);
    float y = (float)sums[e] * by + (has_bias ? (float)gi_get(&c->in[4], row) : 0);
    if (relu && y < 0) y = 0;
    gi_put(&c->out[0], e,
           a->narrow ? whole(y, (float)gi_get(&c->in[c->n_in - 1], 0)) : (double)y);
  }
}

static glia_status ref_conv(gi_ref *c) {
  gi_buf sums = c->out[0];
  sums.t.dtype = GLIA_F64;
  sums.p = gi_alloc(gi_type_bytes(&sums.t) + 1);
  if (sums.p == NULL) return gi_fail_nomem(gi_type_bytes(&sums.t));
  gi_ref plain = {2, 1, c->in, &sums, &((const gi_int8_attr *)c->attr)->conv, c->clock};
  const glia_status s = gi_op_conv2d.ref(&plain);
  const int64_t *d = sums.t.dim;
  if (s == GLIA_OK) finish(c, d[0], d[1], d[2] * d[3], sums.p);
  gi_free(sums.p);
  return s;
}

static glia_status ref_matmul(gi_ref *c) {
  const int64_t m = c->out[0].t.dim[0], n = c->out[0].t.dim[1], k = c->in[0].t.dim[1];
  double *sums = gi_alloc((size_t)(m * n) * sizeof *sums + 1);
  if (sums == NULL) return gi_fail_nomem((size_t)(m * n) * sizeof *sums);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t p = 0; p < k; p++)
        sums[i * n + j] += gi_get(&c->in[0], i * k + p) * gi_get(&c->in[1], j * k + p);
  finish(c, m, n, 1, sums);
  gi_free(sums);
  return GLIA_OK;
}

static gi_cost cost_conv(const gi_infer *c) {
  const gi_type *w = &c->in[1];
  gi_cost k = gi_default_cost(c);
  k.flops =
      2.0 * (double)gi_type_count(&c->out[0]) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
  return k;
}
static gi_cost cost_matmul(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  k.flops = 2.0 * (double)gi_type_count(&c->out[0]) * (double)c->in[0].dim[1];
  return k;
}

/* ---- products in this form ----------------------------------------------------------- */

/* Scales of the rows of a weight: the largest element of each is 127. */
static glia_value row_scales(glia_value w) {
  glia_reduce_opts over = {.size = sizeof over};
  for (int d = 1; d < glia_value_rank(w); d++) over.axes[over.n++] = d;
  return glia_mul(glia_max_opt(glia_abs(w), &over), glia_scalar_like(w, 1.0 / GI_INT8_MOST));
}

/* In front of a reshape: there it may go into the product that made x. */
static glia_value quantized(glia_value x, glia_value scale) {
  const gi_node *n = gi_node_of(x);
  if (n->op == &gi_op_reshape && glia_value_rank(scale) == 0) {
    const gi_type t = gi_value_type(x);
    return glia_reshape(quantized(gi_value(x.graph, n->in[0]), scale), t.rank, t.dim);
  }
  return gi_emit2(&gi_op_quantize, NULL, x, scale);
}

static glia_value product(const gi_op *op, const gi_conv_attr *conv, const glia_value *in,
                          int n_in, glia_value scale) {
  const gi_int8_attr attr = {.conv = *conv};
  const glia_value scales = row_scales(in[1]);
  const glia_value args[] = {quantized(in[0], scale), quantized(in[1], scales), scale, scales,
                             n_in == 3 ? in[2] : scale};
  return gi_emit(scale.graph, op, &attr, args, n_in + 2, NULL);
}

glia_value gi_int8_conv2d(const void *attr, const glia_value *in, int n_in, glia_value scale) {
  gi_conv_attr a = *(const gi_conv_attr *)attr;
  a.activation = "";
  return product(&gi_op_conv2d_int8, &a, in, n_in, scale);
}

/* Only as dense layers have it: rows of b are outputs. */
glia_value gi_int8_matmul(const void *attr, const glia_value *in, int n_in, glia_value scale) {
  const gi_matmul_attr *a = attr;
  const gi_conv_attr plain = {.activation = ""};
  if (a->transpose_a || !a->transpose_b || glia_value_rank(in[0]) != 2 ||
      glia_value_rank(in[1]) != 2)
    return GLIA_NONE;
  return product(&gi_op_matmul_int8, &plain, in, n_in, scale);
}

/* ---- what follows a product -----------------------------------------------------------
 */

/* The product p with a bias behind it, of add(p, bias) in either order; NULL if it is none. */
static const gi_node *with_bias(const gi_match *m, const gi_node *add, uint32_t *bias) {
  for (int side = 0; side < 2; side++) {
    const gi_node *p = gi_match_inner(m, add->in[side], &gi_op_matmul_int8);
    const gi_type *b = gi_match_type(m, add->in[1 - side]);
    if (p == NULL || p->n_in != 4 || b->rank != 1 ||
        b->dim[0] != gi_match_type(m, p->out)->dim[1])
      continue;
    *bias = add->in[1 - side];
    return p;
  }
  return NULL;
}

/* [quantize] [relu] [add a bias] product: at least one of them. */
static bool match(gi_match *m, const gi_op *op) {
  const gi_node *n = m->last;
  uint32_t bias = GI_NO_VALUE, scale = GI_NO_VALUE;
  bool relu = false;
  if (n->op == &gi_op_quantize && gi_match_type(m, n->in[1])->rank == 0) {
    scale = n->in[1];
    n = gi_match_maker(m, n->in[0]);
  }
  if (n != NULL && n->op == &gi_op_relu) {
    relu = true;
    n = gi_match_maker(m, n->in[0]);
  }
  if (n != NULL && n->op == &gi_op_add) n = with_bias(m, n, &bias);
  if (n == NULL || n == m->last || n->op != op) return false;
  gi_int8_attr a = *(const gi_int8_attr *)n->attr;
  if (relu) a.conv.activation = "relu";
  a.narrow = scale != GI_NO_VALUE;
  memcpy(m->attr.bytes, &a, sizeof a);
  for (m->n_in = 0; m->n_in < n->n_in; m->n_in++) m->in[m->n_in] = n->in[m->n_in];
  if (bias != GI_NO_VALUE) m->in[m->n_in++] = bias;
  if (a.narrow) m->in[m->n_in++] = scale;
  return true;
}
static bool match_conv(gi_match *m) { return match(m, &gi_op_conv2d_int8); }
static bool match_matmul(gi_match *m) { return match(m, &gi_op_matmul_int8); }

/* ---- samples and rows ---------------------------------------------------------------- */

/* clang-format off */
#define CONV(s, p, d, g, act) \
    .conv = {.stride = {2, {s, 1}}, .padding = {2, {p, 1}}, .dilation = {2, {1, d}}, \
             .groups = g, .activation = act}
static const gi_int8_attr s1 = {CONV(1, 1, 1, 1, "")}, s2 = {CONV(2, 0, 2, 1, "")},
                          g2 = {CONV(1, 1, 1, 2, "relu")}, d2 = {CONV(1, 1, 2, 1, "")},
                          s1_relu = {CONV(1, 1, 1, 1, "relu")},
                          s1_narrow = {CONV(1, 1, 1, 1, "relu"), .narrow = true},
                          g2_narrow = {CONV(1, 1, 1, 2, ""), .narrow = true},
                          s1_tanh = {CONV(1, 1, 1, 1, "tanh")};
#undef CONV
static const gi_int8_attr plain = {.conv.activation = ""},
                          relu = {.conv.activation = "relu"},
                          narrow = {.conv.activation = "", .narrow = true},
                          relu_narrow = {.conv.activation = "relu", .narrow = true};
#define Q -127, 128, GLIA_I8
#define S 0.01, 0.02, GLIA_F32
static const gi_sample samples_quantize[] = {
    {NULL, 2, {{2, {3, 37}, -2, 2, GLIA_F32}, {0, {0}, S}}, GLIA_OK},
    {NULL, 2, {{2, {3, 37}, -2, 2, GLIA_F32}, {1, {3}, S}}, GLIA_OK},
    {NULL, 2, {{4, {2, 3, 5, 7}, -1, 1, GLIA_F32}, {0, {0}, S}}, GLIA_OK},
    {NULL, 2, {{2, {0, 4}, -2, 2, GLIA_F32}, {0, {0}, S}}, GLIA_OK},
    {NULL, 2, {{2, {3, 4}, -2, 2, GLIA_F32}, {1, {4}, S}}, GLIA_SHAPE},
    {NULL, 2, {{2, {3, 4}, 0, 5, GLIA_I32}, {0, {0}, S}}, GLIA_DTYPE},
};
#define B -1, 1, GLIA_F32
static const gi_sample samples_conv[] = {
    {&s1, 4, {{4, {2, 3, 5, 7}, Q}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_OK},
    {&s1, 5, {{4, {2, 16, 6, 6}, Q}, {4, {9, 16, 3, 3}, Q}, {0, {0}, S}, {1, {9}, S},
              {1, {9}, B}}, GLIA_OK},
    {&s2, 4, {{4, {1, 2, 7, 6}, Q}, {4, {4, 2, 3, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_OK},
    {&d2, 4, {{4, {1, 5, 9, 9}, Q}, {4, {33, 5, 3, 3}, Q}, {0, {0}, S}, {1, {33}, S}}, GLIA_OK},
    {&g2, 4, {{4, {1, 4, 5, 5}, Q}, {4, {6, 2, 3, 3}, Q}, {0, {0}, S}, {1, {6}, S}}, GLIA_OK},
    {&s1_relu, 5, {{4, {1, 1, 9, 8}, Q}, {4, {40, 1, 3, 3}, Q}, {0, {0}, S}, {1, {40}, S},
                   {1, {40}, B}}, GLIA_OK},
    {&s1_narrow, 6, {{4, {2, 7, 11, 13}, Q}, {4, {17, 7, 3, 3}, Q}, {0, {0}, S}, {1, {17}, S},
                     {1, {17}, B}, {0, {0}, S}}, GLIA_OK},
    {&g2_narrow, 5, {{4, {2, 6, 4, 5}, Q}, {4, {8, 3, 1, 1}, Q}, {0, {0}, S}, {1, {8}, S},
                     {0, {0}, S}}, GLIA_OK},
    {&s1, 4, {{4, {1, 70, 40, 40}, Q}, {4, {3, 70, 3, 3}, Q}, {0, {0}, S}, {1, {3}, S}}, GLIA_OK},
    {&s1, 4, {{4, {0, 3, 5, 7}, Q}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_OK},
    {&s1, 4, {{4, {1, 3, 5, 7}, Q}, {4, {5, 2, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_SHAPE},
    {&s1, 4, {{4, {1, 3, 5, 7}, S}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_DTYPE},
    {&s1, 6, {{4, {1, 3, 5, 7}, Q}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S},
              {1, {5}, B}, {0, {0}, S}}, GLIA_INVALID},
    {&s1_tanh, 4, {{4, {1, 3, 5, 7}, Q}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_INVALID},
};
static const gi_sample samples_matmul[] = {
    {&plain, 4, {{2, {2, 3}, Q}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_OK},
    {&plain, 5, {{2, {7, 65}, Q}, {2, {9, 65}, Q}, {0, {0}, S}, {1, {9}, S},
                 {1, {9}, B}}, GLIA_OK},
    {&relu, 5, {{2, {1, 130}, Q}, {2, {67, 130}, Q}, {0, {0}, S}, {1, {67}, S},
                {1, {67}, B}}, GLIA_OK},
    {&relu_narrow, 6, {{2, {13, 31}, Q}, {2, {16, 31}, Q}, {0, {0}, S}, {1, {16}, S},
                       {1, {16}, B}, {0, {0}, S}}, GLIA_OK},
    {&narrow, 5, {{2, {3, 8}, Q}, {2, {5, 8}, Q}, {0, {0}, S}, {1, {5}, S}, {0, {0}, S}}, GLIA_OK},
    {&plain, 4, {{2, {5, 64}, Q}, {2, {8, 64}, Q}, {0, {0}, S}, {1, {8}, S}}, GLIA_OK},
    {&plain, 4, {{2, {0, 3}, Q}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_OK},
    {&plain, 4, {{2, {2, 3}, Q}, {2, {4, 5}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_SHAPE},
    {&plain, 4, {{2, {2, 3}, Q}, {2, {4, 3}, Q}, {1, {2}, S}, {1, {4}, S}}, GLIA_SHAPE},
    {&plain, 4, {{2, {2, 3}, S}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_DTYPE},
    {&narrow, 4, {{2, {2, 3}, Q}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_INVALID},
};
#undef B
/* clang-format on */
#undef Q
#undef S

#define OFFSET(field) offsetof(gi_int8_attr, field)
#define ENDING                                                                                 \
  {"activation", GI_ATTR_NAME, OFFSET(conv.activation), "relu or none"},                       \
      {"narrow", GI_ATTR_BOOL, OFFSET(narrow), "the result is quantised by the last input"}, { \
    NULL, GI_ATTR_I64, 0, NULL                                                                 \
  }
static const gi_attr fields_conv[] = {
    {"stride", GI_ATTR_DIMS, OFFSET(conv.stride), "from window to window"},
    {"padding", GI_ATTR_DIMS, OFFSET(conv.padding), "zeros on both sides"},
    {"dilation", GI_ATTR_DIMS, OFFSET(conv.dilation), "from cell to cell"},
    {"groups", GI_ATTR_I64, OFFSET(conv.groups), "channels are cut into as many"},
    ENDING,
};
static const gi_attr fields_matmul[] = {ENDING};
#undef ENDING
#undef OFFSET

static const char inference_only[] = "whole numbers have no gradient: it is for inference";

const gi_op gi_op_quantize = {
    .name = "quantize",
    .doc = "elements as whole numbers from -127 to 127 times a scale, or one for each row",
    .paper = "arXiv:1712.05877",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = infer_quantize,
    .no_grad = inference_only,
    .ref = ref_quantize,
    .samples = samples_quantize,
    .n_samples = GI_COUNT(samples_quantize),
};

const gi_op gi_op_conv2d_int8 = {
    .name = "conv2d_int8",
    .doc =
        "conv2d of 8-bit images and weights, scaled back to floats, plus bias; perhaps relu "
        "and quantised",
    .paper = "arXiv:1712.05877",
    .min_in = 4,
    .max_in = 6,
    .n_out = 1,
    .attr_size = sizeof(gi_int8_attr),
    .attrs = fields_conv,
    .infer = infer_conv,
    .no_grad = inference_only,
    .match = match_conv,
    .ref = ref_conv,
    .cost = cost_conv,
    .samples = samples_conv,
    .n_samples = GI_COUNT(samples_conv),
};

const gi_op gi_op_matmul_int8 = {
    .name = "matmul_int8",
    .doc =
        "product of 8-bit matrices a [M, K] and b [N, K], scaled back to floats, plus bias; "
        "perhaps relu and quantised",
    .paper = "arXiv:1712.05877",
    .min_in = 4,
    .max_in = 6,
    .n_out = 1,
    .attr_size = sizeof(gi_int8_attr),
    .attrs = fields_matmul,
    .infer = infer_matmul,
    .no_grad = inference_only,
    .match = match_matmul,
    .ref = ref_matmul,
    .cost = cost_matmul,
    .samples = samples_matmul,
    .n_samples = GI_COUNT(samples_matmul),
};

const gi_op *const gi_ops_int8[] = {&gi_op_quantize, &gi_op_conv2d_int8, &gi_op_matmul_int8,
                                    NULL};
