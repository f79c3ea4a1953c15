/* ops/ref.h - small helpers of the reference loops and of the checks in front of them.
 */
#ifndef GI_REF_H
#define GI_REF_H

#include <inttypes.h>

#include "ops/op.h"

/* ---- elements ------------------------------------------------------------------------ */

/* The larger one, written out: GCC 12 ends with an internal error on fmax in loops for ARM64.
 */
static inline double gi_larger(double a, double b) { return b > a ? b : a; }

/* f32 is what nearly all of them are: no call for these. */
static inline double gi_get(const gi_buf *b, int64_t i) {
  return b->t.dtype == GLIA_F32 ? (double)((const float *)b->p)[i]
                                : gi_load(b->t.dtype, b->p, i);
}
static inline void gi_put(const gi_buf *b, int64_t i, double v) {
  if (b->t.dtype == GLIA_F32)
    ((float *)b->p)[i] = (float)v;
  else
    gi_store(b->t.dtype, b->p, i, v);
}
/* Element i of one buffer as element k of another of the same dtype, bit by bit: double would
 * round what is beyond 2^53. */
static inline void gi_move(const gi_buf *from, int64_t i, const gi_buf *to, int64_t k) {
  const size_t size = glia_dtype_size(from->t.dtype);
  memcpy((char *)to->p + (size_t)k * size, (const char *)from->p + (size_t)i * size, size);
}
static inline void gi_zero(const gi_buf *b) { memset(b->p, 0, gi_type_bytes(&b->t)); }

/* Moves the index `at` to the next element in row-major order. */
static inline void gi_next(const gi_type *t, int64_t *at) {
  for (int d = t->rank - 1; d >= 0 && ++at[d] == t->dim[d]; d--) at[d] = 0;
}
static inline int64_t gi_offset(int rank, const int64_t *at, const int64_t *strides) {
  int64_t offset = 0;
  for (int d = 0; d < rank; d++) offset += at[d] * strides[d];
  return offset;
}

/* A shape seen as [outer, axis, inner]. */
typedef struct gi_rows {
  int64_t outer, n, inner;
} gi_rows;
static inline gi_rows gi_rows_of(const gi_type *t, int64_t axis) {
  gi_rows r = {1, t->dim[axis], 1};
  for (int d = 0; d < t->rank; d++)
    if (d < axis)
      r.outer *= t->dim[d];
    else if (d > axis)
      r.inner *= t->dim[d];
  return r;
}

/* Elements of an integer buffer without a way through double. */
static inline int64_t gi_index_at(const gi_buf *b, int64_t i) {
  switch (b->t.dtype) {
    case GLIA_I64: return ((const int64_t *)b->p)[i];
    case GLIA_I32: return ((const int32_t *)b->p)[i];
    case GLIA_I8: return ((const int8_t *)b->p)[i];
    default: return ((const uint8_t *)b->p)[i];
  }
}

/* ---- checks -------------------------------------------------------------------------- */

enum { GI_TEXT = 192 }; /* room for the text of any shape that passes gi_type_check */

/* The type of input i, which must be a float; GLIA_DTYPE names it. */
static inline glia_status gi_want_float(const gi_infer *c, int i, const char *op,
                                        const char *name) {
  char text[GI_TEXT];
  if (glia_dtype_is_float(c->in[i].dtype)) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: %s is %s, wanted a float type", op, name,
                 gi_type_text(&c->in[i], text, sizeof text));
}
/* Inputs i and k must have one dtype. */
static inline glia_status gi_want_same(const gi_infer *c, int i, int k, const char *op) {
  char ti[GI_TEXT], tk[GI_TEXT];
  if (c->in[i].dtype == c->in[k].dtype) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: inputs are %s and %s, wanted one data type; hint: glia_cast",
                 op, gi_type_text(&c->in[i], ti, sizeof ti),
                 gi_type_text(&c->in[k], tk, sizeof tk));
}
/* Input k must have the dtype of input i, or be f32 beside a 16-bit float: see gi_op.f32_in. */
static inline glia_status gi_want_beside(const gi_infer *c, int i, int k, const char *op) {
  const bool narrow =
      glia_dtype_is_float(c->in[i].dtype) && glia_dtype_size(c->in[i].dtype) == 2;
  return narrow && c->in[k].dtype == GLIA_F32 ? GLIA_OK : gi_want_same(c, i, k, op);
}
static inline glia_status gi_want_rank(const gi_infer *c, int i, int rank, const char *op,
                                       const char *name, const char *axes) {
  char text[GI_TEXT];
  if (c->in[i].rank == rank) return GLIA_OK;
  return gi_fail(GLIA_SHAPE, "%s: %s is %s, wanted %s", op, name,
                 gi_shape_text(&c->in[i], text, sizeof text), axes);
}
static inline glia_status gi_want_axis(int64_t axis, const gi_type *t, const char *op) {
  char text[GI_TEXT];
  if (axis >= 0 && axis < t->rank) return GLIA_OK;
  return gi_fail(GLIA_SHAPE, "%s: axis %" PRId64 " is out of range of %s", op, axis,
                 gi_shape_text(t, text, sizeof text));
}

#endif /* GI_REF_H */
