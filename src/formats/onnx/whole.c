/* whole.c - products of 8-bit whole numbers (whole.h). */
#include "formats/onnx/whole.h"

#include <math.h>

#include "formats/onnx/values.h"
#include "graph/graph.h"
#include "ops/int8.h"

/* Made of constants and weights alone, by few ops: then it may be looked at without binding the
 * trace to the elements of an input. */
static bool is_still(glia_value v, int *budget) {
  const gi_node *n = gi_node_of(v);
  if (n->op == &gi_op_input || (n->op->flags & GI_RANDOM) != 0 || --*budget < 0) return false;
  for (int i = 0; i < n->n_in; i++)
    if (!is_still(gi_value(v.graph, n->in[i]), budget)) return false;
  return true;
}

/* The number that all elements of v are; false if they differ or are not known. */
static bool one_number(const gi_onnx_call *c, glia_value v, double *out) {
  const glia_tensor *t = NULL;
  int budget = 16;
  if (!is_still(v, &budget) || gi_onnx_known_value(c, v, "a zero point", &t) != GLIA_OK)
    return false;
  for (int64_t k = 0; k < glia_tensor_count(t); k++)
    if (glia_tensor_get(t, k) != glia_tensor_get(t, 0)) return false;
  *out = glia_tensor_count(t) > 0 ? glia_tensor_get(t, 0) : 0;
  return true;
}

static bool is_one(glia_value v) {
  const gi_type t = gi_value_type(v);
  return gi_type_count(&t) == 1;
}

bool gi_onnx_bytes_of(const gi_onnx_call *c, glia_value v, glia_value zero,
                      gi_onnx_bytes *out) {
  *out = (gi_onnx_bytes){.v = v};
  if (gi_null(v)) return false;
  const bool natural = glia_value_dtype(v) == GLIA_U8;
  if (!natural && glia_value_dtype(v) != GLIA_I8) return false;
  if (!gi_null(zero) && !one_number(c, zero, &out->known)) {
    if (!is_one(zero)) return false;
    out->known = NAN;
    out->zero = glia_reshape(gi_onnx_as(zero, GLIA_F32), 0, NULL);
  }
  if (natural) {
    out->v = glia_cast(gi_onnx_plus(glia_cast(v, GLIA_F32), -128), GLIA_I8);
    out->known -= 128;
    if (!gi_null(out->zero)) out->zero = gi_onnx_plus(out->zero, -128);
  }
  if (!isnan(out->known) && out->known != 0)
    out->zero = glia_scalar(v.graph, GLIA_F32, out->known);
  return true;
}

/* ---- behind DequantizeLinear ------------------------------------------------------------- */

static const gi_node *made_by(glia_value v, const gi_op *op) {
  const gi_node *n = gi_node_of(v);
  return n->op == op ? n : NULL;
}
static glia_value input_of(const gi_node *n, glia_value v, int i) {
  return gi_value(v.graph, n->in[i]);
}

/* cast(q) or cast(q) - zero: the row of DequantizeLinear writes it so. */
static bool whole_numbers(glia_value v, glia_value *q, glia_value *zero) {
  const gi_node *n = made_by(v, &gi_op_sub);
  *zero = n != NULL ? input_of(n, v, 1) : GLIA_NONE;
  if (n != NULL) v = input_of(n, v, 0);
  n = made_by(v, &gi_op_cast);
  if (n == NULL) return false;
  *q = input_of(n, v, 0);
  return true;
}

/* One scale, or the scales of all entries of axis `axis` as a vector. */
static glia_value as_scales(glia_value scale, glia_value q, int axis) {
  const gi_type s = gi_value_type(scale), t = gi_value_type(q);
  if (s.dtype != GLIA_F32) return GLIA_NONE;
  if (gi_type_count(&s) == 1) return glia_reshape(scale, 0, NULL);
  if (axis < 0 || s.rank != t.rank || s.dim[axis] != t.dim[axis] ||
      gi_type_count(&s) != t.dim[axis])
    return GLIA_NONE;
  return glia_reshape(scale, 1, &t.dim[axis]);
}

bool gi_onnx_bytes_behind(const gi_onnx_call *c, glia_value v, int axis, gi_onnx_bytes *out) {
  if (gi_null(v)) return false;
  const gi_node *n = made_by(v, &gi_op_mul);
  for (int side = 0; n != NULL && side < 2; side++) {
    glia_value q, zero;
    if (!whole_numbers(input_of(n, v, side), &q, &zero)) continue;
    const glia_value scale = as_scales(input_of(n, v, 1 - side), q, axis);
    if (gi_null(scale) || !gi_onnx_bytes_of(c, q, zero, out)) continue;
    out->scale = scale;
    return true;
  }
  return false;
}

/* ---- products ---------------------------------------------------------------------------- */

/* Scales as the ops want them: one of x, a vector of the weights. */
static void scales_of(const gi_onnx_bytes *x, const gi_onnx_bytes *w, int64_t rows,
                      glia_value *sx, glia_value *sw) {
  const glia_value one = glia_scalar(x->v.graph, GLIA_F32, 1);
  *sx = gi_null(x->scale) ? one : x->scale;
  *sw = gi_null(w->scale) ? one : w->scale;
  if (glia_value_rank(*sw) == 0) *sw = glia_broadcast_to(*sw, 1, &rows);
}

/* bias - zero sx sw sum of w, [F]: what the zero point of x takes off. */
static glia_value corrected(const gi_onnx_bytes *x, glia_value bias, glia_value sums,
                            glia_value sx, glia_value sw) {
  if (gi_null(x->zero)) return bias;
  const glia_value off = glia_mul(glia_mul(sums, sw), glia_mul(sx, x->zero));
  return gi_null(bias) ? glia_neg(off) : glia_sub(bias, off);
}

/* The padding stands for zeros: that is x's zero point, which the op does not know. */
glia_value gi_onnx_conv_bytes(const gi_onnx_bytes *x, const gi_onnx_bytes *w, glia_value bias,
                              const gi_onnx_window *o, int64_t groups) {
  if (gi_null(x->v) || gi_null(w->v) || isnan(x->known) || w->known != 0) return GLIA_NONE;
  if (glia_value_rank(x->v) != 4 || glia_value_rank(w->v) != 4 ||
      !(gi_null(x->scale) || glia_value_rank(x->scale) == 0))
    return GLIA_NONE;
  const int64_t before[] = {0, 0, o->before[0], o->before[1]},
                after[] = {0, 0, o->after[0], o->after[1]};
  const bool inside = x->known == 0 && gi_onnx_window_even(o);
  const gi_int8_attr a = {
      .conv = {.stride = {2, {o->stride[0], o->stride[1]}},
               .padding = {2, {inside ? before[2] : 0, inside ? before[3] : 0}},
               .dilation = {2, {o->dilation[0], o->dilation[1]}},
               .groups = groups,
               .activation = ""}};
  glia_value sx, sw;
  scales_of(x, w, glia_value_dim(w->v, 0), &sx, &sw);
  const glia_value sums = glia_sum(glia_cast(w->v, GLIA_F32), .n = 3, .axes = {1, 2, 3});
  const glia_value shift = corrected(x, bias, sums, sx, sw);
  const glia_value in[] = {inside ? x->v : glia_pad(x->v, before, after, x->known), w->v, sx,
                           sw, shift};
  return gi_emit(sx.graph, &gi_op_conv2d_int8, &a, in, gi_null(shift) ? 4 : 5, NULL);
}

glia_value gi_onnx_matmul_bytes(const gi_onnx_bytes *a, const gi_onnx_bytes *b) {
  if (gi_null(a->v) || gi_null(b->v) || b->known != 0) return GLIA_NONE;
  const int rank = glia_value_rank(a->v);
  if (rank < 2 || glia_value_rank(b->v) != 2 ||
      !(gi_null(a->scale) || glia_value_rank(a->scale) == 0))
    return GLIA_NONE;
  const gi_int8_attr attr = {.conv.activation = ""};
  const int64_t k = glia_value_dim(b->v, 0), n = glia_value_dim(b->v, 1), rows[] = {-1, k};
  int64_t shape[GLIA_MAX_RANK];
  for (int d = 0; d < rank; d++) shape[d] = d == rank - 1 ? n : glia_value_dim(a->v, d);
  for (int d = 0; d < rank; d++)
    if (glia_value_dim(a->v, d) == 0) return GLIA_NONE;
  if (n == 0 || glia_value_dim(a->v, rank - 1) != k) return GLIA_NONE;
  glia_value sa, sb;
  scales_of(a, b, n, &sa, &sb);
  const glia_value sums = glia_sum(glia_cast(b->v, GLIA_F32), .n = 1, .axes = {0});
  const glia_value shift = corrected(a, GLIA_NONE, sums, sa, sb);
  const glia_value in[] = {glia_reshape(a->v, 2, rows), glia_transpose(b->v, 0, 1), sa, sb,
                           shift};
  return glia_reshape(
      gi_emit(sa.graph, &gi_op_matmul_int8, &attr, in, gi_null(shift) ? 4 : 5, NULL), rank,
      shape);
}
