/* operators/common.h - what many operators' rows are built with.
 */
#ifndef GI_ONNX_COMMON_H
#define GI_ONNX_COMMON_H

#include "formats/onnx/operator.h"
#include "ops/attrs.h"

/* A row, for the list at a file's end: name, attributes, inputs, outputs, build function, the
 * versions. */
#define GI_ONNX_ROW(name_, attributes_, least, most, outputs, build_, ...)  \
  &(const gi_onnx_operator) {                                               \
    .name = name_, .since = {__VA_ARGS__}, .min_in = least, .max_in = most, \
    .max_out = outputs, .attributes = attributes_, .build = build_          \
  }

/* ---- numbers ------------------------------------------------------------------------------
 */

/* 16-bit floats as f32: an operator that is made of several ops is not to round in between. */
glia_value gi_onnx_wide(glia_value v);
/* Floats as they are, but at least f32; whole numbers and truths as f64. */
glia_value gi_onnx_real(glia_value v);
/* x a + b */
glia_value gi_onnx_scaled(glia_value x, double a, double b);
/* An op of ops/integer.c; UINT64 is natural numbers in the bits of i64. */
glia_value gi_onnx_whole(const gi_op *op, glia_value a, glia_value b, int type);
/* The larger and smaller one, and a < b, of any type of numbers, all 64 bits counting. */
glia_value gi_onnx_larger(glia_value a, glia_value b, int type);
glia_value gi_onnx_smaller(glia_value a, glia_value b, int type);
glia_value gi_onnx_less(glia_value a, glia_value b, int type);
/* v, of an ONNX type, as another: between whole numbers the low bits stay, floats are cut
 * towards 0, everything but 0 is true. */
glia_status gi_onnx_cast(const gi_onnx_call *c, glia_value v, int from, int to,
                         glia_value *out);
/* v modulo the range of a type that is carried wider; other values as they are. */
glia_value gi_onnx_wrap(glia_value v, int type);
/* True if v is one number that is a constant of the graph: *out. */
bool gi_onnx_constant_number(glia_value v, double *out);
/* What random operators draw from: fixed by the attribute `seed`, else by the node. */
glia_status gi_onnx_stream(const gi_onnx_call *c, uint64_t *out);
/* The dtype of the attribute `name`, an ONNX type; *type receives that. */
glia_status gi_onnx_dtype(const gi_onnx_call *c, const char *name, int fallback, int *type,
                          glia_dtype *out);

/* ---- shapes -------------------------------------------------------------------------------
 */

/* Tables that a file asks for and that are made here: a b numbers, at most 2^27. */
glia_status gi_onnx_room(const gi_onnx_call *c, int64_t a, int64_t b);
/* i64 constants. */
glia_value gi_onnx_ints_value(glia_graph *g, int rank, const int64_t *shape, const int64_t *at);
/* Indices into an axis of n: negative ones count from the end. */
glia_value gi_onnx_index(glia_value index, int64_t n);
/* v [n] as [1, .., n, .., 1] of this rank. */
glia_value gi_onnx_along(glia_value v, int axis, int rank);
glia_value gi_onnx_reshape(glia_value v, const gi_type *t);
/* Axes of a value of this rank: checked, made positive, none twice. */
glia_status gi_onnx_axes(const gi_onnx_call *c, const int64_t *list, int n, int rank, int *out);

#endif /* GI_ONNX_COMMON_H */
