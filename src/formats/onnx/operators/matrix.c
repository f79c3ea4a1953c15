/* matrix.c - products of matrices. Whole numbers are multiplied in f64, exact up to 2^53.
 */
#include "formats/onnx/operators/common.h"
#include "formats/onnx/whole.h"

static bool is_float(glia_value v) { return glia_dtype_is_float(glia_value_dtype(v)); }

static glia_value factor(glia_value v) { return is_float(v) ? v : glia_cast(v, GLIA_F64); }

/* Behind DequantizeLinear, of both: the product of the whole numbers. Null where there is none.
 */
static glia_value by_bytes(const gi_onnx_call *c, bool turn_b) {
  gi_onnx_bytes a, b;
  if (!gi_onnx_bytes_behind(c, c->in[1], turn_b ? 0 : 1, &b) || glia_value_rank(b.v) != 2 ||
      !gi_onnx_bytes_behind(c, c->in[0], -1, &a))
    return GLIA_NONE;
  if (turn_b) b.v = glia_transpose(b.v, 0, 1);
  return gi_onnx_matmul_bytes(&a, &b);
}

/* As NumPy's matmul: a vector in front is a row, one behind a column, which then goes away. */
static glia_status build_matmul(gi_onnx_call *c) {
  c->out[0] = by_bytes(c, false);
  if (c->out[0].graph != NULL) return GLIA_OK;
  glia_value a = factor(c->in[0]), b = factor(c->in[1]);
  const gi_type ta = gi_value_type(a), tb = gi_value_type(b);
  if (ta.rank == 0 || tb.rank == 0)
    return gi_onnx_fail(c, GLIA_SHAPE, "%d and %d axes, wanted 1 or more", ta.rank, tb.rank);
  if (ta.rank == 1) a = glia_reshape(a, 2, (const int64_t[]){1, ta.dim[0]});
  if (tb.rank == 1) b = glia_reshape(b, 2, (const int64_t[]){tb.dim[0], 1});
  const glia_value y = glia_matmul(a, b);
  GI_TRY(glia_graph_status(c->g));
  const gi_type t = gi_value_type(y);
  gi_type out = {.dtype = t.dtype};
  for (int d = 0; d < t.rank; d++) {
    const bool added = (d == t.rank - 2 && ta.rank == 1) || (d == t.rank - 1 && tb.rank == 1);
    if (!added) out.dim[out.rank++] = t.dim[d];
  }
  c->out[0] = glia_cast(gi_onnx_reshape(y, &out), glia_value_dtype(c->in[0]));
  return GLIA_OK;
}

/* alpha A' B' + beta C, where C broadcasts. */
static glia_status build_gemm(gi_onnx_call *c) {
  double alpha = 1, beta = 1;
  bool turn_a = false, turn_b = false;
  GI_TRY(gi_onnx_float(c, "alpha", 1, &alpha));
  GI_TRY(gi_onnx_float(c, "beta", 1, &beta));
  GI_TRY(gi_onnx_bool(c, "transA", false, &turn_a));
  GI_TRY(gi_onnx_bool(c, "transB", false, &turn_b));
  glia_value y = turn_a ? GLIA_NONE : by_bytes(c, turn_b);
  if (y.graph == NULL)
    y = glia_matmul(factor(c->in[0]), factor(c->in[1]), .transpose_a = turn_a,
                    .transpose_b = turn_b);
  GI_TRY(glia_graph_status(c->g));
  if (glia_value_rank(y) != 2)
    return gi_onnx_fail(c, GLIA_SHAPE, "%d axes, wanted matrices", glia_value_rank(y));
  y = gi_onnx_scaled(y, alpha, 0);
  if (gi_onnx_given(c, 2) && beta != 0)
    y = glia_add(y, gi_onnx_scaled(factor(c->in[2]), beta, 0));
  c->out[0] = glia_cast(y, glia_value_dtype(c->in[0]));
  return GLIA_OK;
}

static glia_status build_einsum(gi_onnx_call *c) {
  const char *equation = NULL;
  GI_TRY(gi_onnx_text(c, "equation", NULL, &equation));
  if (equation == NULL) return gi_onnx_fail(c, GLIA_MODEL, "there is no equation");
  glia_value in[16];
  if (c->n_in > GI_COUNT(in))
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "%d inputs, at most %d are taken", c->n_in,
                        GI_COUNT(in));
  for (int i = 0; i < c->n_in; i++) in[i] = factor(c->in[i]);
  c->out[0] = glia_cast(glia_einsum(equation, in, c->n_in), glia_value_dtype(c->in[0]));
  return GLIA_OK;
}

static glia_status build_det(gi_onnx_call *c) {
  c->out[0] = glia_determinant(c->in[0]);
  return GLIA_OK;
}

const gi_onnx_operator *const gi_onnx_operators_matrix[] = {
    GI_ONNX_ROW("MatMul", "", 2, 2, 1, build_matmul, 1),
    GI_ONNX_ROW("Gemm", "alpha beta transA transB broadcast", 2, 3, 1, build_gemm, 1, 7, 11),
    GI_ONNX_ROW("Einsum", "equation", 1, -1, 1, build_einsum, 12),
    GI_ONNX_ROW("Det", "", 1, 1, 1, build_det, 11),
    NULL,
};
