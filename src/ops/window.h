/* ops/window.h - windows that slide over rows and columns: what convolution and pooling
 * share.
 *
 * Window i of an axis covers the cells i stride - padding + k dilation, k = 0 .. kernel - 1;
 * those outside 0 .. size - 1 are padding.
 */
#ifndef GI_WINDOW_H
#define GI_WINDOW_H

#include "ops/ref.h"

/* Cell k of window i; < 0 or >= size in the padding. */
static inline int64_t gi_window_cell(const gi_dims *stride, const gi_dims *padding,
                                     const gi_dims *dilation, int axis, int64_t i, int64_t k) {
  return i * stride->at[axis] - padding->at[axis] + k * dilation->at[axis];
}

/* Two entries in every field, each from low to 2^31 - 1, so that sums of products of two
 * fit. */
static inline glia_status gi_window_field(const gi_dims *d, const char *op, const char *field,
                                          int64_t low) {
  if (d->n != 2)
    return gi_fail(GLIA_INVALID, "%s: %s has %d entries, wanted rows and columns", op, field,
                   d->n);
  for (int i = 0; i < 2; i++)
    if (d->at[i] < low || d->at[i] > INT32_MAX)
      return gi_fail(GLIA_INVALID, "%s: %s is [%" PRId64 ", %" PRId64 "], wanted >= %" PRId64,
                     op, field, d->at[0], d->at[1], low);
  return GLIA_OK;
}

/* The cells from the first to the last of a window, padding included. */
static inline int64_t gi_window_span(int64_t kernel, int64_t dilation) {
  return (kernel - 1) * dilation + 1;
}

/* The number of windows on an axis of `size` cells; 0 if not even one fits. With `ceil` a
 * last window may hang over the end, if it begins inside the axis or its front padding (as
 * PyTorch). */
static inline int64_t gi_window_count(int64_t size, int64_t kernel, int64_t stride,
                                      int64_t padding, int64_t dilation, bool ceil) {
  const int64_t room = size + 2 * padding - gi_window_span(kernel, dilation);
  if (room < 0) return 0;
  int64_t n = room / stride + 1;
  if (ceil && room % stride != 0 && n * stride < size + padding) n++;
  return n;
}

/* Windows of an axis (ops/unfold.c): [.., n, ..] -> [.., count, kernel, ..], cell k of window i
 * being element i stride + k dilation; and their sum, back to an axis of `size`. */
glia_value gi_unfold_axis(glia_value x, int axis, int64_t count, int64_t kernel, int64_t stride,
                          int64_t dilation);
glia_value gi_fold_axis(glia_value y, int axis, int64_t size, int64_t stride, int64_t dilation);

#endif /* GI_WINDOW_H */
