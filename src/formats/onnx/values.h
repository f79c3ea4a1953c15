/* formats/onnx/values.h - small things that rows of operators are built from.
 *
 * Sixteen-bit floats are computed as f32 and cast back at the end: as_float in front, like
 * behind. All of these pass the null value on, as builders do.
 */
#ifndef GI_ONNX_VALUES_H
#define GI_ONNX_VALUES_H

#include "formats/onnx/operators/common.h"

static inline glia_value gi_onnx_as(glia_value v, glia_dtype dtype) {
  return gi_null(v) || glia_value_dtype(v) == dtype ? v : glia_cast(v, dtype);
}
/* In the dtype of another value. */
static inline glia_value gi_onnx_like(glia_value v, glia_value like) {
  return gi_null(like) ? GLIA_NONE : gi_onnx_as(v, glia_value_dtype(like));
}
/* f64 stays, all other numbers become f32. */
static inline glia_value gi_onnx_as_float(glia_value v) {
  return gi_null(v) || glia_value_dtype(v) == GLIA_F64 ? v : gi_onnx_as(v, GLIA_F32);
}
/* The same of input i; null where it is not given. */
static inline glia_value gi_onnx_float_in(const gi_onnx_call *c, int i) {
  return gi_onnx_given(c, i) ? gi_onnx_as_float(c->in[i]) : GLIA_NONE;
}

static inline glia_value gi_onnx_plus(glia_value v, double by) {
  return by == 0 ? v : glia_add(v, glia_scalar_like(v, by));
}
static inline glia_value gi_onnx_times(glia_value v, double by) {
  return by == 1 ? v : glia_mul(v, glia_scalar_like(v, by));
}

/* Elements begin .. end - 1 of an axis. */
static inline glia_value gi_onnx_part(glia_value v, int axis, int64_t begin, int64_t end) {
  return glia_slice(v, axis, begin, end, 1);
}
static inline glia_value gi_onnx_zeros(glia_value like, int rank, const int64_t *shape) {
  return glia_broadcast_to(glia_scalar_like(like, 0), rank, shape);
}
/* GLIA_SHAPE unless input i has this rank; `axes` says what they are. */
static inline glia_status gi_onnx_want_rank(const gi_onnx_call *c, int i, int rank,
                                            const char *axes) {
  const int is = glia_value_rank(c->in[i]);
  if (is == rank) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE, "input %d has rank %d, wanted %s", i, is, axes);
}

#endif /* GI_ONNX_VALUES_H */
