/* glia/tensor.h - concrete memory with a dtype, a shape and strides.
 *
 * A tensor is a view of a block of memory; views share the block, which lives until its last
 * tensor is freed. Tensors that functions take as input may have any strides; those that they
 * return are contiguous unless said otherwise.
 */
#ifndef GLIA_TENSOR_H
#define GLIA_TENSOR_H

#include "glia/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GLIA_MAX_RANK 8

/* name, bytes of one element, text */
#define GLIA_DTYPE_MAP(X) \
  X(F32, 4, "f32")        \
  X(F64, 8, "f64")        \
  X(BF16, 2, "bf16")      \
  X(F16, 2, "f16")        \
  X(I32, 4, "i32")        \
  X(I64, 8, "i64")        \
  X(U8, 1, "u8")          \
  X(BOOL, 1, "bool")      \
  X(I8, 1, "i8")

typedef enum glia_dtype {
#define GLIA_X(name, bytes, text) GLIA_##name,
  GLIA_DTYPE_MAP(GLIA_X)
#undef GLIA_X
} glia_dtype;

GLIA_API const char *glia_dtype_name(glia_dtype t); /* "f32"; "?" for no dtype */
GLIA_API size_t glia_dtype_size(glia_dtype t);      /* bytes of one element; 0 for no dtype */
GLIA_API bool glia_dtype_is_float(glia_dtype t);    /* f32, f64, bf16, f16 */

typedef struct glia_tensor glia_tensor;

/* A new contiguous tensor of zeros; rank 0 is a scalar and `shape` may then be NULL.
 * Owned. GLIA_SHAPE for rank > 8, negative or overflowing dimensions; GLIA_NOMEM. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_new(glia_dtype dtype, int rank,
                                                    const int64_t *shape, glia_tensor **out);
/* The same with elements copied from `data` (row-major, of the same dtype). Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_from(glia_dtype dtype, int rank,
                                                     const int64_t *shape, const void *data,
                                                     glia_tensor **out);
/* A view of the caller's memory, which must outlive it (kept until glia_tensor_free). */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_wrap(glia_dtype dtype, int rank,
                                                     const int64_t *shape, void *data,
                                                     glia_tensor **out);
GLIA_API void glia_tensor_free(glia_tensor *t);

/* What a tensor is; borrowed pointers live as long as it. */
GLIA_API glia_dtype glia_tensor_dtype(const glia_tensor *t);
GLIA_API int glia_tensor_rank(const glia_tensor *t);
GLIA_API const int64_t *glia_tensor_shape(const glia_tensor *t);   /* borrowed, rank entries */
GLIA_API const int64_t *glia_tensor_strides(const glia_tensor *t); /* borrowed, in elements */
GLIA_API int64_t glia_tensor_count(const glia_tensor *t);          /* elements */
GLIA_API size_t glia_tensor_bytes(const glia_tensor *t);           /* count x element size */
GLIA_API bool glia_tensor_is_contiguous(const glia_tensor *t);
/* First element; with strides the rest. Borrowed until the tensor is freed. */
GLIA_API void *glia_tensor_data(const glia_tensor *t);

/* Element i in row-major logical order, converted to double; NaN out of range. */
GLIA_API double glia_tensor_get(const glia_tensor *t, int64_t i);
/* Sets it, rounding to the dtype (integers saturate); out of range does nothing. */
GLIA_API void glia_tensor_set(glia_tensor *t, int64_t i, double v);

/* Views: no elements are copied. All owned. */
/* Same elements, other shape; one dimension may be -1. GLIA_SHAPE where counts differ or the
 * tensor is not contiguous. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_reshape(const glia_tensor *t, int rank,
                                                        const int64_t *shape,
                                                        glia_tensor **out);
/* Axis k of the result is axis axes[k] of t. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_permute(const glia_tensor *t, const int *axes,
                                                        glia_tensor **out);
/* Elements begin, begin + step, ... < end of one axis; negative begin and end count from the
 * axis' end; step >= 1. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_slice(const glia_tensor *t, int axis,
                                                      int64_t begin, int64_t end, int64_t step,
                                                      glia_tensor **out);
/* Repeats axes of size 1 (stride 0) after aligning shapes at the right, as NumPy does. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_broadcast(const glia_tensor *t, int rank,
                                                          const int64_t *shape,
                                                          glia_tensor **out);

/* Copies: contiguous, owned. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_copy(const glia_tensor *t, glia_tensor **out);
/* Rounds to nearest even; float to integer truncates towards zero and saturates, NaN gives 0.
 */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_cast(const glia_tensor *t, glia_dtype dtype,
                                                     glia_tensor **out);

/* "f32 [2, 3]\n[[1, 2, 3],\n [4, 5, 6]]", at most `limit` elements an axis (0: 6), the middle
 * as
 * "...". Owned, free(); NULL without memory. */
GLIA_API char *glia_tensor_text(const glia_tensor *t, int limit);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_TENSOR_H */
