/* quantised.c - numbers as 8- and 16-bit whole numbers: real = scale (whole - zero_point).
 *
 *   QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear
 *   MatMulInteger, ConvInteger                               sums as they are, i32
 *   QLinearMatMul, QLinearConv                               brought back to whole numbers
 *
 * Scales and zero points are one for all, one for each entry of an axis, or one for each block
 * of block_size elements of an axis. 4-bit and 8-bit float types have no carrier and are
 * refused.
 *
 * Products of 8-bit numbers are glia's int8 ops (whole.h) where their zero points allow it.
 * Others are computed in f32, where sums below 2^24 are exact: operands lie within 255, so one
 * product is exact for 258 terms; for more, b is cut into 16 high + low, which holds for 4112;
 * then f64.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/values.h"
#include "formats/onnx/whole.h"
#include "formats/onnx/windows.h"
#include "glia/windows.h"

/* ---- scales ------------------------------------------------------------------------------ */

/* A scale or zero point against x. */
static glia_status spread(const gi_onnx_call *c, glia_value v, glia_value x, glia_value *out) {
  const int rank = glia_value_rank(v);
  int64_t block;
  int axis;
  *out = v;
  GI_TRY(gi_onnx_int(c, "block_size", 0, &block));
  if (rank == 0) return GLIA_OK;
  if (rank == 1 && glia_value_dim(v, 0) == 1) {
    *out = glia_reshape(v, 0, NULL);
    return GLIA_OK;
  }
  GI_TRY(gi_onnx_axis(c, "axis", 1, glia_value_rank(x), &axis));
  if (rank == 1 && block <= 0) {
    if (glia_value_dim(v, 0) != glia_value_dim(x, axis))
      return gi_onnx_fail(c, GLIA_SHAPE,
                          "%" PRId64 " scales for %" PRId64 " entries of axis %d",
                          glia_value_dim(v, 0), glia_value_dim(x, axis), axis);
    *out = gi_onnx_along(v, axis, glia_value_rank(x));
    return GLIA_OK;
  }
  const int64_t n = glia_value_dim(x, axis);
  if (block < 1 || rank != glia_value_rank(x) ||
      glia_value_dim(v, axis) != n / block + (n % block != 0))
    return gi_onnx_fail(c, GLIA_SHAPE, "scales of rank %d do not fit blocks of %" PRId64, rank,
                        block);
  *out = gi_onnx_part(glia_repeat(v, axis, GI_MIN(block, n)), axis, 0, n);
  return GLIA_OK;
}

/* Whole numbers as floats, the zero point (input i, if it is given) taken off. */
static glia_status centred(const gi_onnx_call *c, glia_value x, int i, glia_value *out) {
  glia_value zero;
  *out = gi_onnx_as(x, GLIA_F32);
  if (!gi_onnx_given(c, i)) return GLIA_OK;
  GI_TRY(spread(c, c->in[i], x, &zero));
  *out = glia_sub(*out, gi_onnx_as(zero, GLIA_F32));
  return GLIA_OK;
}

/* ---- into whole numbers ------------------------------------------------------------------ */

static glia_status range_of(const gi_onnx_call *c, int type, double *low, double *high) {
  switch (type) {
    case GI_ONNX_UINT8: *low = 0, *high = 255; return GLIA_OK;
    case GI_ONNX_INT8: *low = -128, *high = 127; return GLIA_OK;
    case GI_ONNX_UINT16: *low = 0, *high = 65535; return GLIA_OK;
    case GI_ONNX_INT16: *low = -32768, *high = 32767; return GLIA_OK;
    default:
      return gi_onnx_fail(c, GLIA_UNSUPPORTED, "quantised %s is not known; 8 and 16 bits are",
                          gi_onnx_type_name(type));
  }
}

/* round(v), halves to even, plus the zero point, within the type's range; to output k. */
static glia_status narrowed(gi_onnx_call *c, glia_value v, glia_value zero, int type, int k) {
  double low = 0, high = 0;
  glia_dtype dtype;
  GI_TRY(range_of(c, type, &low, &high));
  if (!gi_onnx_carrier(type, &dtype)) return gi_onnx_fail(c, GLIA_UNSUPPORTED, "no such type");
  v = glia_round(v);
  if (!gi_null(zero)) v = glia_add(v, gi_onnx_like(zero, v));
  c->out[k] = glia_cast(glia_clip(v, low, high), dtype);
  c->out_type[k] = type;
  return GLIA_OK;
}

/* The division is done in `precision` (0: the scale's own type). */
static glia_status quantize(gi_onnx_call *c) {
  int64_t precision, type;
  glia_value scale, zero = GLIA_NONE;
  glia_dtype dtype = glia_value_dtype(c->in[1]);
  GI_TRY(gi_onnx_int(c, "precision", 0, &precision));
  GI_TRY(gi_onnx_int(c, "output_dtype", 0, &type));
  if (precision != 0 &&
      (!gi_onnx_carrier((int)precision, &dtype) || !glia_dtype_is_float(dtype)))
    return gi_onnx_fail(c, GLIA_FORMAT, "precision %" PRId64 " is no float type", precision);
  if (gi_onnx_given(c, 2))
    type = c->in_type[2];
  else if (type == 0)
    type = GI_ONNX_UINT8;
  GI_TRY(spread(c, c->in[1], c->in[0], &scale));
  if (gi_onnx_given(c, 2)) GI_TRY(spread(c, c->in[2], c->in[0], &zero));
  if (!glia_dtype_is_float(dtype)) dtype = GLIA_F32;
  const glia_value ratio = glia_div(gi_onnx_as(c->in[0], dtype), gi_onnx_as(scale, dtype));
  return narrowed(c, gi_onnx_as_float(ratio), zero, (int)type, 0);
}

static glia_status dequantize(gi_onnx_call *c) {
  int64_t type;
  glia_value scale, x;
  glia_dtype dtype = glia_value_dtype(c->in[1]);
  GI_TRY(gi_onnx_int(c, "output_dtype", 0, &type));
  if (type != 0 && (!gi_onnx_carrier((int)type, &dtype) || !glia_dtype_is_float(dtype)))
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "output_dtype %s", gi_onnx_type_name((int)type));
  GI_TRY(spread(c, c->in[1], c->in[0], &scale));
  GI_TRY(centred(c, c->in[0], 2, &x));
  c->out[0] = gi_onnx_as(glia_mul(x, gi_onnx_as(scale, GLIA_F32)), dtype);
  return GLIA_OK;
}

/* To u8, the scale such that the range of x and 0 just fits. */
static glia_status dynamic_quantize(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]), none = glia_scalar_like(x, 0);
  const glia_value low = glia_minimum(glia_min(x), none),
                   high = glia_maximum(glia_max(x), none);
  const glia_value scale = glia_div(glia_sub(high, low), glia_scalar_like(x, 255));
  const glia_value flat = glia_equal(scale, none);
  const glia_value safe = glia_where(flat, glia_scalar_like(x, 1), scale);
  GI_TRY(narrowed(c, glia_neg(glia_div(low, safe)), GLIA_NONE, GI_ONNX_UINT8, 2));
  c->out[1] = scale;
  return narrowed(c, glia_div(x, safe), c->out[2], GI_ONNX_UINT8, 0);
}

/* ---- sums -------------------------------------------------------------------------------- */

typedef struct product { /* of whole numbers as floats */
  bool convolves;
  glia_conv_opts conv;
} product;

static glia_value times(const product *p, glia_value a, glia_value b) {
  return p->convolves ? glia_conv_with_opt(a, b, GLIA_NONE, &p->conv) : glia_matmul(a, b);
}

/* The exact product of `terms` terms a sum; f32, or f64. */
static glia_value exact(const product *p, glia_value a, glia_value b, int64_t terms) {
  if (terms <= 258) return glia_round(times(p, a, b));
  if (terms > 4112) return times(p, gi_onnx_as(a, GLIA_F64), gi_onnx_as(b, GLIA_F64));
  const glia_value high = glia_floor(gi_onnx_times(b, 1.0 / 16));
  const glia_value low = glia_sub(b, gi_onnx_times(high, 16));
  const glia_value h = gi_onnx_as(glia_round(times(p, a, high)), GLIA_F64);
  const glia_value l = gi_onnx_as(glia_round(times(p, a, low)), GLIA_F64);
  return glia_add(gi_onnx_times(h, 16), l);
}

/* The same by an int8 op, for operands that it takes; `exactly`: many terms are added up in
 * parts, as whole numbers. Null where it does not do. */
static glia_value bytes_product(const gi_onnx_bytes *a, const gi_onnx_bytes *b, bool exactly) {
  const int64_t terms = glia_value_dim(b->v, 0), each = GI_ONNX_EXACT_TERMS;
  const int last = glia_value_rank(a->v) - 1;
  if (!exactly || terms <= each) return gi_onnx_matmul_bytes(a, b);
  glia_value sum = GLIA_NONE;
  for (int64_t k = 0; k < terms; k += each) {
    gi_onnx_bytes pa = *a, pb = *b;
    pa.v = gi_onnx_part(a->v, last, k, GI_MIN(terms, k + each));
    pb.v = gi_onnx_part(b->v, 0, k, GI_MIN(terms, k + each));
    const glia_value part = gi_onnx_as(gi_onnx_matmul_bytes(&pa, &pb), GLIA_I32);
    if (gi_null(part)) return part;
    sum = gi_null(sum) ? part : glia_add(sum, part);
  }
  return sum;
}

/* A vector as a row [1, K] or column [K, 1] of a matrix. */
static glia_value as_matrix(glia_value v, bool row) {
  if (gi_null(v) || glia_value_rank(v) != 1) return v;
  const int64_t shape[] = {row ? 1 : -1, row ? -1 : 1};
  return glia_reshape(v, 2, shape);
}

/* One number, or one for each row of a, or column of b: rows are the last axis but one. */
static glia_value of_rows(glia_value v, glia_value a) {
  if (gi_null(v) || glia_value_rank(v) != 1 || glia_value_dim(v, 0) == 1) {
    const bool one = !gi_null(v) && glia_value_rank(v) == 1;
    return one ? glia_reshape(v, 0, NULL) : v;
  }
  return glia_value_rank(a) < 2 ? v : as_matrix(v, false);
}

static glia_value given(const gi_onnx_call *c, int i) {
  return gi_onnx_given(c, i) ? c->in[i] : GLIA_NONE;
}

/* numpy's matmul of inputs a and b, their zero points taken off: the sums. */
static glia_status matmul_sums(const gi_onnx_call *c, int a, int a_zero, int b, int b_zero,
                               bool exactly, glia_value *out) {
  const product p = {0};
  const int rank_a = glia_value_rank(c->in[a]), rank_b = glia_value_rank(c->in[b]);
  glia_value x = gi_onnx_as(c->in[a], GLIA_F32), y = gi_onnx_as(c->in[b], GLIA_F32);
  if (rank_a < 1 || rank_b < 1)
    return gi_onnx_fail(c, GLIA_SHAPE, "a product of rank %d and %d", rank_a, rank_b);
  gi_onnx_bytes bytes_a, bytes_b;
  *out = GLIA_NONE;
  if (rank_a >= 2 && rank_b == 2 && gi_onnx_bytes_of(c, c->in[a], given(c, a_zero), &bytes_a) &&
      gi_onnx_bytes_of(c, c->in[b], given(c, b_zero), &bytes_b))
    *out = bytes_product(&bytes_a, &bytes_b, exactly);
  if (!gi_null(*out)) return GLIA_OK;
  if (gi_onnx_given(c, a_zero))
    x = glia_sub(x, gi_onnx_as(of_rows(c->in[a_zero], x), GLIA_F32));
  if (gi_onnx_given(c, b_zero)) y = glia_sub(y, gi_onnx_as(c->in[b_zero], GLIA_F32));
  glia_value z =
      exact(&p, as_matrix(x, true), as_matrix(y, false), glia_value_dim(c->in[a], rank_a - 1));
  if (!gi_null(z) && (rank_a == 1 || rank_b == 1)) {
    int64_t shape[GLIA_MAX_RANK];
    const int rank = glia_value_rank(z);
    int n = 0;
    for (int d = 0; d < rank; d++)
      if (!(rank_a == 1 && d == rank - 2) && !(rank_b == 1 && d == rank - 1))
        shape[n++] = glia_value_dim(z, d);
    z = glia_reshape(z, n, shape);
  }
  *out = z;
  return GLIA_OK;
}

/* The sums by the int8 op. A zero point z of the weights takes z times the sum of (x - x's zero
 * point) off: that is a convolution with ones. Null where it does not do. */
static glia_value conv_bytes(const gi_onnx_bytes *x, const gi_onnx_bytes *w,
                             const gi_onnx_window *window, int64_t groups) {
  const double zero = w->known;
  gi_onnx_bytes plain = *w, ones = {0};
  plain.known = 0;
  if (isnan(zero)) return GLIA_NONE;
  const glia_value y = gi_onnx_conv_bytes(x, &plain, GLIA_NONE, window, groups);
  if (zero == 0 || gi_null(y)) return y;
  int64_t shape[4] = {groups};
  for (int d = 1; d < 4; d++) shape[d] = glia_value_dim(w->v, d);
  ones.v = glia_broadcast_to(glia_scalar_like(w->v, 1), 4, shape);
  const glia_value sums = gi_onnx_conv_bytes(x, &ones, GLIA_NONE, window, groups);
  const int64_t share = glia_value_dim(w->v, 0) / groups;
  return glia_sub(y, gi_onnx_times(glia_repeat(sums, 1, share), zero));
}

/* The filters' zero points (one, or one for each) are taken off along their first axis. */
static glia_status conv_sums(const gi_onnx_call *c, int x, int x_zero, int w, int w_zero,
                             bool exactly, glia_value *out) {
  gi_onnx_window window;
  product p = {.convolves = true, .conv = {.size = sizeof p.conv}};
  const int rank = glia_value_rank(c->in[x]);
  if (rank < 3 || rank > 5 || glia_value_rank(c->in[w]) != rank)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "x has rank %d, the weight %d", rank,
                        glia_value_rank(c->in[w]));
  const int64_t *d = glia_value_shape(c->in[w]);
  int64_t terms = 1;
  for (int k = 1; k < rank; k++) terms *= d[k];
  glia_value a = gi_onnx_as(c->in[x], GLIA_F32), b = gi_onnx_as(c->in[w], GLIA_F32);
  if (gi_onnx_given(c, x_zero))
    a = glia_sub(a, gi_onnx_as(glia_reshape(c->in[x_zero], 0, NULL), GLIA_F32));
  if (gi_onnx_given(c, w_zero)) {
    const glia_value zero = gi_onnx_as(c->in[w_zero], GLIA_F32);
    b = glia_sub(b, glia_value_rank(zero) == 1 ? gi_onnx_along(zero, 0, rank) : zero);
  }
  GI_TRY(gi_onnx_window_read(c, c->in[x], d + 2, &window));
  GI_TRY(gi_onnx_int(c, "group", 1, &p.conv.groups));
  if (p.conv.groups < 1) return gi_onnx_fail(c, GLIA_FORMAT, "group is less than 1");
  gi_onnx_bytes bytes_x, bytes_w;
  *out = GLIA_NONE;
  if (!(exactly && terms > GI_ONNX_EXACT_TERMS) &&
      gi_onnx_bytes_of(c, c->in[x], given(c, x_zero), &bytes_x) &&
      gi_onnx_bytes_of(c, c->in[w], given(c, w_zero), &bytes_w))
    *out = conv_bytes(&bytes_x, &bytes_w, &window, p.conv.groups);
  if (!gi_null(*out)) return GLIA_OK;
  if (!gi_onnx_window_even(&window)) a = gi_onnx_window_framed(&window, a, 0);
  for (int k = 0; k < window.axes; k++) {
    p.conv.stride[k] = window.stride[k];
    p.conv.padding[k] = window.before[k];
    p.conv.dilation[k] = window.dilation[k];
  }
  *out = exact(&p, a, b, terms);
  return GLIA_OK;
}

static glia_status matmul_integer(gi_onnx_call *c) {
  glia_value sums = GLIA_NONE;
  GI_TRY(matmul_sums(c, 0, 2, 1, 3, true, &sums));
  c->out[0] = gi_onnx_as(sums, GLIA_I32);
  c->out_type[0] = GI_ONNX_INT32;
  return GLIA_OK;
}

static glia_status conv_integer(gi_onnx_call *c) {
  glia_value sums = GLIA_NONE;
  GI_TRY(conv_sums(c, 0, 2, 1, 3, true, &sums));
  c->out[0] = gi_onnx_as(sums, GLIA_I32);
  c->out_type[0] = GI_ONNX_INT32;
  return GLIA_OK;
}

/* ---- products that stay whole ------------------------------------------------------------ */

enum { A, A_SCALE, A_ZERO, OTHER, OTHER_SCALE, OTHER_ZERO, Y_SCALE, Y_ZERO, BIAS };

/* sums a_scale b_scale / y_scale, narrowed; the scales already spread. */
static glia_status rescaled(gi_onnx_call *c, glia_value sums, glia_value a_scale,
                            glia_value b_scale, glia_value y_scale, glia_value y_zero) {
  const glia_value a = gi_onnx_as(a_scale, GLIA_F32), b = gi_onnx_as(b_scale, GLIA_F32);
  const glia_value factor = glia_div(glia_mul(a, b), gi_onnx_as(y_scale, GLIA_F32));
  const int type = gi_onnx_given(c, Y_ZERO) ? c->in_type[Y_ZERO] : c->in_type[A];
  return narrowed(c, glia_mul(gi_onnx_as(sums, GLIA_F32), factor), y_zero, type, 0);
}

static glia_status qlinear_matmul(gi_onnx_call *c) {
  const glia_value a = c->in[A];
  glia_value sums = GLIA_NONE;
  GI_TRY(matmul_sums(c, A, A_ZERO, OTHER, OTHER_ZERO, false, &sums));
  return rescaled(c, sums, of_rows(c->in[A_SCALE], a), c->in[OTHER_SCALE],
                  of_rows(c->in[Y_SCALE], a), of_rows(c->in[Y_ZERO], a));
}

/* The bias is i32, in units of x_scale w_scale. */
static glia_status qlinear_conv(gi_onnx_call *c) {
  glia_value sums = GLIA_NONE;
  glia_value w_scale = c->in[OTHER_SCALE];
  GI_TRY(conv_sums(c, A, A_ZERO, OTHER, OTHER_ZERO, false, &sums));
  const int rank = glia_value_rank(c->in[A]);
  if (gi_onnx_given(c, BIAS) && !gi_null(sums))
    sums = glia_add(sums, gi_onnx_like(gi_onnx_along(c->in[BIAS], 1, rank), sums));
  if (glia_value_rank(w_scale) == 1) w_scale = gi_onnx_along(w_scale, 1, rank);
  return rescaled(c, sums, glia_reshape(c->in[A_SCALE], 0, NULL), w_scale,
                  glia_reshape(c->in[Y_SCALE], 0, NULL), glia_reshape(c->in[Y_ZERO], 0, NULL));
}

/* ---- rows -------------------------------------------------------------------------------- */

#define WINDOW "auto_pad dilations group kernel_shape pads strides"

const gi_onnx_operator *const gi_onnx_operators_quantised[] = {
    GI_ONNX_ROW("QuantizeLinear", "axis block_size output_dtype precision saturate", 2, 3, 1,
                quantize, 10),
    GI_ONNX_ROW("DequantizeLinear", "axis block_size output_dtype", 2, 3, 1, dequantize, 10),
    GI_ONNX_ROW("DynamicQuantizeLinear", "", 1, 1, 3, dynamic_quantize, 11),
    GI_ONNX_ROW("MatMulInteger", "", 2, 4, 1, matmul_integer, 10),
    GI_ONNX_ROW("ConvInteger", WINDOW, 2, 4, 1, conv_integer, 10),
    GI_ONNX_ROW("QLinearMatMul", "", 8, 8, 1, qlinear_matmul, 10),
    GI_ONNX_ROW("QLinearConv", WINDOW, 8, 9, 1, qlinear_conv, 10),
    NULL,
};
