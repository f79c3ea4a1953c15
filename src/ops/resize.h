/* ops/resize.h - the weights of resizing one axis, for the reference and for kernels.
 */
#ifndef GI_RESIZE_H
#define GI_RESIZE_H

#include "ops/attrs.h"

/* Element i of m is the sum over k < count of w[k] x[first + k], x of n elements. Returns
 * count, at most gi_resize_most: the room at w. */
int64_t gi_resize_weights(const gi_resize_attr *a, int64_t n, int64_t m, int64_t i,
                          int64_t *first, double *w);
int64_t gi_resize_most(const gi_resize_attr *a, int64_t n, int64_t m);

#endif /* GI_RESIZE_H */
