/* tensor/tensor.h - types (dtype and shape) and elements, for internal use.
 *
 * A gi_type is a dtype and a shape without memory: the graph's values have one, kernels are
 * chosen by it. Elements of any dtype are read and written as double through gi_load and
 * gi_store, which is all that the reference kernels need.
 */
#ifndef GI_TENSOR_H
#define GI_TENSOR_H

#include "base/base.h"
#include "glia/tensor.h"

typedef struct gi_type {
  glia_dtype dtype;
  int rank;
  int64_t dim[GLIA_MAX_RANK]; /* entries at and after rank are 0 */
} gi_type;

int64_t gi_type_count(const gi_type *t); /* product of the dimensions; 1 for rank 0 */
size_t gi_type_bytes(const gi_type *t);
bool gi_type_equal(const gi_type *a, const gi_type *b);
bool gi_shape_equal(const gi_type *a, const gi_type *b); /* dtype aside */
/* Checks rank 0..8, dimensions >= 0, count and bytes without overflow; `who` leads the message.
 */
glia_status gi_type_check(const gi_type *t, const char *who);
void gi_type_strides(const gi_type *t, int64_t *strides); /* row-major, in elements */
/* "[64, 1, 28, 28]" or "f32 [64, 1, 28, 28]" into buf (returned), cut to n bytes. */
char *gi_shape_text(const gi_type *t, char *buf, size_t n);
char *gi_type_text(const gi_type *t, char *buf, size_t n);
/* Negative axes count from the end; -1 if it is out of range. */
int gi_axis(int64_t axis, int rank);
/* NumPy broadcasting of shapes; dtype from a. GLIA_SHAPE names both shapes, led by `who`. */
glia_status gi_broadcast(const gi_type *a, const gi_type *b, const char *who, gi_type *out);
/* Strides of `t` seen as the broadcast shape `to` (0 where it repeats), t row-major. */
void gi_broadcast_strides(const gi_type *t, const gi_type *to, int64_t *strides);

double gi_load(glia_dtype t, const void *p, int64_t i);
void gi_store(glia_dtype t, void *p, int64_t i, double v);
float gi_bf16_to_f32(uint16_t h);
uint16_t gi_f32_to_bf16(float f); /* nearest even, NaN stays NaN */
float gi_f16_to_f32(uint16_t h);
uint16_t gi_f32_to_f16(float f);
/* Converts n contiguous elements; src and dst must not overlap unless dtypes are equal. */
void gi_convert(glia_dtype from, const void *src, glia_dtype to, void *dst, int64_t n);

gi_type gi_tensor_type(const glia_tensor *t);
glia_status gi_tensor_new(const gi_type *t, glia_tensor **out);
/* Another tensor on the same memory, with the same strides. Owned. */
glia_status gi_tensor_share(const glia_tensor *t, glia_tensor **out);
/* A tensor over somebody else's memory: release(user) is called when its last view is freed,
 * and not if this fails. strides NULL: row-major. Owned. */
glia_status gi_tensor_adopt(const gi_type *t, const int64_t *strides, void *data,
                            void (*release)(void *user), void *user, glia_tensor **out);
/* Borrowed row-major elements of t; where t is not contiguous a copy is made and *hold (owned,
 * glia_tensor_free) keeps it, else *hold is NULL. */
glia_status gi_tensor_dense(const glia_tensor *t, const void **data, glia_tensor **hold);

#endif /* GI_TENSOR_H */
