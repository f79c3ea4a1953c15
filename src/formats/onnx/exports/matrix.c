/* exports/matrix.c - products: of matrices, and convolutions, whose weights lie in ONNX as they
 * lie in glia.
 */
#include "formats/onnx/export.h"

/* ---- products of matrices ---------------------------------------------------------------- */

/* x with its last two axes in the other order. */
static const char *turned(gi_onnx_writing *w, int i) {
  const int rank = w->in_type[i].rank;
  int64_t axes[GLIA_MAX_RANK];
  for (int k = 0; k < rank; k++) axes[k] = k;
  axes[rank - 2] = rank - 1;
  axes[rank - 1] = rank - 2;
  return gi_onnx_transposed(w, w->in[i], axes, rank);
}

/* Two matrices of floats are Gemm's, which turns its operands itself. */
static glia_status write_matmul(gi_onnx_writing *w) {
  const gi_matmul_attr *a = w->attr;
  const bool plain = !a->transpose_a && !a->transpose_b;
  if (!plain && w->in_type[0].rank == 2 && w->in_type[1].rank == 2 &&
      glia_dtype_is_float(w->in_type[0].dtype)) {
    gi_onnx_put_int(w, "transA", a->transpose_a);
    gi_onnx_put_int(w, "transB", a->transpose_b);
    gi_onnx_give(w, 0, gi_onnx_put(w, "Gemm", 2, w->in[0], w->in[1]));
    return GLIA_OK;
  }
  const char *x = a->transpose_a ? turned(w, 0) : w->in[0];
  const char *y = a->transpose_b ? turned(w, 1) : w->in[1];
  gi_onnx_give(w, 0, gi_onnx_put(w, "MatMul", 2, x, y));
  return GLIA_OK;
}

/* ---- convolutions ------------------------------------------------------------------------ */

static void put_window(gi_onnx_writing *w, const gi_conv_attr *a) {
  const int64_t pads[] = {a->padding.at[0], a->padding.at[1], a->padding.at[0],
                          a->padding.at[1]};
  const gi_type *weight = &w->in_type[1];
  gi_onnx_put_ints(w, "kernel_shape", weight->dim + 2, 2);
  gi_onnx_put_ints(w, "strides", a->stride.at, 2);
  gi_onnx_put_ints(w, "pads", pads, 4);
  gi_onnx_put_ints(w, "dilations", a->dilation.at, 2);
  gi_onnx_put_int(w, "group", a->groups);
}

static glia_status write_conv2d(gi_onnx_writing *w) {
  const char *bias = w->n_in > 2 ? w->in[2] : "";
  put_window(w, w->attr);
  gi_onnx_give(w, 0, gi_onnx_put(w, "Conv", w->n_in, w->in[0], w->in[1], bias));
  return GLIA_OK;
}

/* dx of conv2d is the transposed convolution: output_padding is what its size has more than the
 * least that strides to dy. */
static glia_status write_conv2d_input_grad(gi_onnx_writing *w) {
  const gi_conv_attr *a = w->attr;
  int64_t more[2];
  for (int d = 0; d < 2; d++)
    more[d] = a->size.at[d] -
              ((w->in_type[0].dim[2 + d] - 1) * a->stride.at[d] - 2 * a->padding.at[d] +
               a->dilation.at[d] * (w->in_type[1].dim[2 + d] - 1) + 1);
  put_window(w, a);
  gi_onnx_put_ints(w, "output_padding", more, 2);
  gi_onnx_give(w, 0, gi_onnx_put(w, "ConvTranspose", 2, w->in[0], w->in[1]));
  return GLIA_OK;
}

static const gi_onnx_export matmul = {.op = &gi_op_matmul, .write = write_matmul};
static const gi_onnx_export conv2d = {.op = &gi_op_conv2d, .write = write_conv2d};
static const gi_onnx_export conv2d_input_grad = {.op = &gi_op_conv2d_input_grad,
                                                 .write = write_conv2d_input_grad};
const gi_onnx_export *const gi_onnx_exports_matrix[] = {&matmul, &conv2d, &conv2d_input_grad,
                                                        NULL};
