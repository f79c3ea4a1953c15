/* windows.c - the attributes of windows (windows.h).
 *
 * An axis of `size` elements has, with padding,
 *
 *   count = floor((size + before + after - span) / stride) + 1,  span = (kernel - 1) dilation +
 * 1
 *
 * windows; with ceil_mode the quotient is rounded up, unless the last window would begin behind
 * x and the padding in front of it. With auto_pad SAME there are ceil(size / stride) windows,
 * and as much padding as they need, an odd element of it at the end (UPPER) or in front
 * (LOWER).
 */
#include "formats/onnx/windows.h"

#include <inttypes.h>

static glia_status numbers(const gi_onnx_call *c, const char *name, int axes, int64_t low,
                           int64_t *out) {
  int64_t v[2 * GI_ONNX_AXES];
  int n;
  GI_TRY(gi_onnx_ints(c, name, v, 2 * GI_ONNX_AXES, &n));
  if (n == 0) return GLIA_OK;
  if (n != axes)
    return gi_onnx_fail(c, GLIA_FORMAT, "%s has %d numbers, wanted %d", name, n, axes);
  for (int d = 0; d < n; d++) {
    if (v[d] < low || v[d] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_FORMAT,
                          "%s is %" PRId64 " on axis %d, wanted %" PRId64 " to 2^31 - 1", name,
                          v[d], d, low);
    out[d] = v[d];
  }
  return GLIA_OK;
}

static glia_status kernel_of(const gi_onnx_call *c, const int64_t *kernel, gi_onnx_window *w) {
  GI_TRY(numbers(c, "kernel_shape", w->axes, 1, w->kernel));
  for (int d = 0; d < w->axes; d++) {
    if (kernel != NULL && w->kernel[d] != 0 && w->kernel[d] != kernel[d])
      return gi_onnx_fail(c, GLIA_FORMAT,
                          "kernel_shape is %" PRId64 " on axis %d, the weight has %" PRId64,
                          w->kernel[d], d, kernel[d]);
    if (kernel != NULL) w->kernel[d] = kernel[d];
    if (w->kernel[d] < 1 || w->kernel[d] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_FORMAT, "a kernel of %" PRId64 " cells on axis %d",
                          w->kernel[d], d);
  }
  return GLIA_OK;
}

/* A weight has as many elements as its kernel has cells; a pool is only numbers in the file.
 * One that is far larger than x would be padding nearly alone, and take for ever. */
static glia_status check_reach(const gi_onnx_call *c, const gi_onnx_window *w) {
  for (int d = 0; d < w->axes; d++)
    if (gi_onnx_window_span(w, d) > 4 * w->size[d] + 64)
      return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                          "the window spans %" PRId64 " elements of axis %d, x has %" PRId64,
                          gi_onnx_window_span(w, d), 2 + d, w->size[d]);
  return GLIA_OK;
}

glia_status gi_onnx_window_attributes(const gi_onnx_call *c, glia_value x,
                                      const int64_t *kernel, gi_onnx_window *w) {
  static const char *const words[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
  int automatic;
  *w = (gi_onnx_window){.axes = glia_value_rank(x) - 2};
  if (w->axes < 1 || w->axes > GI_ONNX_AXES)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "x has rank %d; windows of 1 to 3 axes are known",
                        glia_value_rank(x));
  for (int d = 0; d < w->axes; d++) {
    w->size[d] = glia_value_dim(x, 2 + d);
    w->stride[d] = w->dilation[d] = 1;
    if (w->size[d] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d has %" PRId64 " elements", 2 + d, w->size[d]);
  }
  int64_t pads[2 * GI_ONNX_AXES] = {0};
  GI_TRY(kernel_of(c, kernel, w));
  GI_TRY(numbers(c, "strides", w->axes, 1, w->stride));
  GI_TRY(numbers(c, "dilations", w->axes, 1, w->dilation));
  if (kernel == NULL) GI_TRY(check_reach(c, w));
  GI_TRY(gi_onnx_choice(c, "auto_pad", "NOTSET", words, &automatic));
  w->automatic = (gi_onnx_auto_pad)automatic;
  if (w->automatic == GI_ONNX_PADS) GI_TRY(numbers(c, "pads", 2 * w->axes, 0, pads));
  for (int d = 0; d < w->axes; d++) {
    w->before[d] = pads[d];
    w->after[d] = pads[w->axes + d];
  }
  return GLIA_OK;
}

glia_status gi_onnx_window_settle(const gi_onnx_call *c, gi_onnx_window *w) {
  bool ceil;
  GI_TRY(gi_onnx_bool(c, "ceil_mode", false, &ceil));
  for (int d = 0; d < w->axes; d++) {
    const int64_t size = w->size[d], stride = w->stride[d], span = gi_onnx_window_span(w, d);
    if (w->automatic == GI_ONNX_SAME_UPPER || w->automatic == GI_ONNX_SAME_LOWER) {
      w->count[d] = (size + stride - 1) / stride;
      const int64_t all = GI_MAX(0, (w->count[d] - 1) * stride + span - size);
      w->before[d] = w->automatic == GI_ONNX_SAME_UPPER ? all / 2 : all - all / 2;
      w->after[d] = all - w->before[d];
    }
    const int64_t room = size + w->before[d] + w->after[d] - span;
    if (room < 0)
      return gi_onnx_fail(c, GLIA_SHAPE,
                          "the window spans %" PRId64
                          " elements of axis %d, x with its padding"
                          " has %" PRId64,
                          span, 2 + d, room + span);
    w->count[d] = room / stride + 1;
    if (ceil && room % stride != 0 && w->count[d] * stride < size + w->before[d]) w->count[d]++;
  }
  return GLIA_OK;
}

glia_status gi_onnx_window_read(const gi_onnx_call *c, glia_value x, const int64_t *kernel,
                                gi_onnx_window *w) {
  GI_TRY(gi_onnx_window_attributes(c, x, kernel, w));
  return gi_onnx_window_settle(c, w);
}

bool gi_onnx_window_even(const gi_onnx_window *w) {
  for (int d = 0; d < w->axes; d++)
    if (w->before[d] != w->after[d]) return false;
  return true;
}

glia_value gi_onnx_window_framed(gi_onnx_window *w, glia_value x, double value) {
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  bool any = false;
  for (int d = 0; d < w->axes; d++) {
    const int64_t needed = (w->count[d] - 1) * w->stride[d] + gi_onnx_window_span(w, d);
    before[2 + d] = w->before[d];
    after[2 + d] = GI_MAX(0, needed - w->size[d] - w->before[d]);
    any = any || before[2 + d] > 0 || after[2 + d] > 0;
    w->size[d] += before[2 + d] + after[2 + d];
    w->before[d] = w->after[d] = 0;
  }
  return any ? glia_pad(x, before, after, value) : x;
}
