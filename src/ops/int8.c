/* int8.c - products of 8-bit whole numbers, for inference.
 *
 *   quantize     q = round(x / s), limited to -127 .. 127: x is about s q
 *   matmul_int8  y[m, n] = s_a s_b[n] sum over k of a[m, k] b[n, k]
 *   conv2d_int8  y = s_x s_w[f] conv2d(x, w) [+ bias[f]]
 *
 * An activation has one scale, each row of a weight (a filter, an output) one of its own: Jacob
 * and others 2018, arXiv:1712.05877; Krishnamoorthi 2018, arXiv:1806.08342. Scales are
 * symmetric, so that zero is zero and sums need no correction; sums are exact.
 */
#include "ops/int8.h"

#include <math.h>

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

/* The two scales, and the bias if there is one, behind the operands; the result has their
 * dtype. */
static glia_status want_rest(const gi_infer *c, int64_t rows, const char *op) {
  GI_TRY(want_scales(c, 2, -1, op, "the first scale"));
  GI_TRY(want_scales(c, 3, rows, op, "the second scale"));
  GI_TRY(gi_want_same(c, 2, 3, op));
  if (c->n_in == 5) {
    GI_TRY(want_scales(c, 4, rows, op, "bias"));
    GI_TRY(gi_want_same(c, 2, 4, op));
  }
  c->out[0].dtype = c->in[2].dtype;
  return GLIA_OK;
}

static glia_status infer_conv(gi_infer *c) {
  gi_type types[2] = {c->in[0], c->in[1]};
  GI_TRY(want_dtype(c, 0, GLIA_I8, "conv2d_int8", "x"));
  GI_TRY(want_dtype(c, 1, GLIA_I8, "conv2d_int8", "weight"));
  types[0].dtype = types[1].dtype = GLIA_F32;
  gi_infer plain = {2, types, c->attr, 1, c->out};
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

/* In f32, so that every kernel rounds alike. A scale of 0 stands for elements that are all 0.
 */
static glia_status ref_quantize(gi_ref *c) {
  const int64_t count = gi_type_count(&c->in[0].t);
  const bool many = c->in[1].t.rank == 1;
  const int64_t row = many && count > 0 ? count / c->in[0].t.dim[0] : 1;
  for (int64_t e = 0; e < count; e++) {
    const float s = (float)gi_get(&c->in[1], many ? e / row : 0);
    const float q = s > 0 ? rintf((float)gi_get(&c->in[0], e) / s) : 0;
    gi_put(&c->out[0], e, (double)fminf(fmaxf(q, -GI_INT8_MOST), GI_INT8_MOST));
  }
  return GLIA_OK;
}

/* y[.., row, ..] = y scale scales[row] + bias[row]; y [outer, rows, inner] */
static void finish(gi_ref *c, int64_t outer, int64_t rows, int64_t inner, const double *sums) {
  for (int64_t e = 0; e < outer * rows * inner; e++) {
    const int64_t row = e / inner % rows;
    const double bias = c->n_in == 5 ? gi_get(&c->in[4], row) : 0;
    gi_put(&c->out[0], e, sums[e] * gi_get(&c->in[2], 0) * gi_get(&c->in[3], row) + bias);
  }
}

static glia_status ref_conv(gi_ref *c) {
  gi_buf sums = c->out[0];
  sums.t.dtype = GLIA_F64;
  sums.p = gi_alloc(gi_type_bytes(&sums.t) + 1);
  if (sums.p == NULL) return gi_fail_nomem(gi_type_bytes(&sums.t));
  gi_ref plain = {2, 1, c->in, &sums, c->attr, c->clock};
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

static glia_value quantized(glia_value x, glia_value scale) {
  return gi_emit2(&gi_op_quantize, NULL, x, scale);
}

static glia_value product(const gi_op *op, const void *attr, const glia_value *in, int n_in,
                          glia_value scale) {
  const glia_value scales = row_scales(in[1]);
  const glia_value args[] = {quantized(in[0], scale), quantized(in[1], scales), scale, scales,
                             n_in == 3 ? in[2] : scale};
  return gi_emit(scale.graph, op, attr, args, n_in + 2, NULL);
}

glia_value gi_int8_conv2d(const void *attr, const glia_value *in, int n_in, glia_value scale) {
  return product(&gi_op_conv2d_int8, attr, in, n_in, scale);
}

/* Only as dense layers have it: rows of b are outputs. */
glia_value gi_int8_matmul(const void *attr, const glia_value *in, int n_in, glia_value scale) {
  const gi_matmul_attr *a = attr;
  if (a->transpose_a || !a->transpose_b || glia_value_rank(in[0]) != 2 ||
      glia_value_rank(in[1]) != 2)
    return GLIA_NONE;
  return product(&gi_op_matmul_int8, NULL, in, n_in, scale);
}

/* ---- samples and rows ---------------------------------------------------------------- */

#define TWO(a, b) \
  {               \
    2, { a, b }   \
  }
static const gi_conv_attr s1p1 = {.stride = TWO(1, 1),
                                  .padding = TWO(1, 1),
                                  .dilation = TWO(1, 1),
                                  .groups = 1,
                                  .activation = ""},
                          s2p0 = {.stride = TWO(2, 1),
                                  .padding = TWO(0, 2),
                                  .dilation = TWO(1, 2),
                                  .groups = 1,
                                  .activation = ""},
                          g2 = {.stride = TWO(1, 1),
                                .padding = TWO(1, 1),
                                .dilation = TWO(1, 1),
                                .groups = 2,
                                .activation = ""};

/* clang-format off */
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
static const gi_sample samples_conv[] = {
    {&s1p1, 4, {{4, {2, 3, 5, 7}, Q}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_OK},
    {&s1p1, 5, {{4, {2, 16, 6, 6}, Q}, {4, {9, 16, 3, 3}, Q}, {0, {0}, S}, {1, {9}, S},
                {1, {9}, -1, 1, GLIA_F32}}, GLIA_OK},
    {&s2p0, 4, {{4, {1, 2, 7, 6}, Q}, {4, {4, 2, 3, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_OK},
    {&g2, 4, {{4, {1, 4, 5, 5}, Q}, {4, {6, 2, 3, 3}, Q}, {0, {0}, S}, {1, {6}, S}}, GLIA_OK},
    {&s1p1, 4, {{4, {0, 3, 5, 7}, Q}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_OK},
    {&s1p1, 4, {{4, {1, 3, 5, 7}, Q}, {4, {5, 2, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_SHAPE},
    {&s1p1, 4, {{4, {1, 3, 5, 7}, S}, {4, {5, 3, 3, 3}, Q}, {0, {0}, S}, {1, {5}, S}}, GLIA_DTYPE},
};
static const gi_sample samples_matmul[] = {
    {NULL, 4, {{2, {2, 3}, Q}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_OK},
    {NULL, 5, {{2, {7, 65}, Q}, {2, {9, 65}, Q}, {0, {0}, S}, {1, {9}, S},
               {1, {9}, -1, 1, GLIA_F32}}, GLIA_OK},
    {NULL, 4, {{2, {5, 64}, Q}, {2, {8, 64}, Q}, {0, {0}, S}, {1, {8}, S}}, GLIA_OK},
    {NULL, 4, {{2, {0, 3}, Q}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_OK},
    {NULL, 4, {{2, {2, 3}, Q}, {2, {4, 5}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_SHAPE},
    {NULL, 4, {{2, {2, 3}, Q}, {2, {4, 3}, Q}, {1, {2}, S}, {1, {4}, S}}, GLIA_SHAPE},
    {NULL, 4, {{2, {2, 3}, S}, {2, {4, 3}, Q}, {0, {0}, S}, {1, {4}, S}}, GLIA_DTYPE},
};
/* clang-format on */
#undef Q
#undef S

static const gi_attr fields_conv[] = {
    {"stride", GI_ATTR_DIMS, offsetof(gi_conv_attr, stride), "from window to window"},
    {"padding", GI_ATTR_DIMS, offsetof(gi_conv_attr, padding), "zeros on both sides"},
    {"dilation", GI_ATTR_DIMS, offsetof(gi_conv_attr, dilation), "from cell to cell"},
    {"groups", GI_ATTR_I64, offsetof(gi_conv_attr, groups), "channels are cut into as many"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

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
    .doc = "conv2d of 8-bit images and weights, scaled back to floats, plus bias",
    .paper = "arXiv:1712.05877",
    .min_in = 4,
    .max_in = 5,
    .n_out = 1,
    .attr_size = sizeof(gi_conv_attr),
    .attrs = fields_conv,
    .infer = infer_conv,
    .no_grad = inference_only,
    .ref = ref_conv,
    .cost = cost_conv,
    .samples = samples_conv,
    .n_samples = GI_COUNT(samples_conv),
};

const gi_op gi_op_matmul_int8 = {
    .name = "matmul_int8",
    .doc = "product of 8-bit matrices a [M, K] and b [N, K], scaled back to floats, plus bias",
    .paper = "arXiv:1712.05877",
    .min_in = 4,
    .max_in = 5,
    .n_out = 1,
    .infer = infer_matmul,
    .no_grad = inference_only,
    .ref = ref_matmul,
    .cost = cost_matmul,
    .samples = samples_matmul,
    .n_samples = GI_COUNT(samples_matmul),
};

const gi_op *const gi_ops_int8[] = {&gi_op_quantize, &gi_op_conv2d_int8, &gi_op_matmul_int8,
                                    NULL};
