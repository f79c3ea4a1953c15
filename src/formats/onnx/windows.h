/* formats/onnx/windows.h - the attributes that convolution and pooling share: kernel_shape,
 * strides, dilations, pads or auto_pad, ceil_mode.
 */
#ifndef GI_ONNX_WINDOWS_H
#define GI_ONNX_WINDOWS_H

#include "formats/onnx/operator.h"

enum { GI_ONNX_AXES = 3 }; /* windows slide along at most so many */

typedef enum gi_onnx_auto_pad {
  GI_ONNX_PADS, /* as the attribute pads says */
  GI_ONNX_SAME_UPPER,
  GI_ONNX_SAME_LOWER,
  GI_ONNX_VALID
} gi_onnx_auto_pad;

/* Of axes 2, 3 and 4 of x. */
typedef struct gi_onnx_window {
  int axes;
  gi_onnx_auto_pad automatic;
  int64_t size[GI_ONNX_AXES]; /* of x */
  int64_t kernel[GI_ONNX_AXES], stride[GI_ONNX_AXES], dilation[GI_ONNX_AXES];
  int64_t before[GI_ONNX_AXES], after[GI_ONNX_AXES]; /* padding */
  int64_t count[GI_ONNX_AXES];                       /* of windows: the size of the result */
} gi_onnx_window;

/* The window of x [N, C, A...]. kernel: the weight's, one for each axis; NULL: of the
 * attribute, which must be there. GLIA_FORMAT, GLIA_SHAPE. */
glia_status gi_onnx_window_read(const gi_onnx_call *c, glia_value x, const int64_t *kernel,
                                gi_onnx_window *w);
/* Settles padding and count of each axis; done by gi_onnx_window_read but where `transposed`.
 */
glia_status gi_onnx_window_settle(const gi_onnx_call *c, gi_onnx_window *w);
/* The first half: attributes and sizes, padding as pads says, no count. */
glia_status gi_onnx_window_attributes(const gi_onnx_call *c, glia_value x,
                                      const int64_t *kernel, gi_onnx_window *w);

static inline int64_t gi_onnx_window_span(const gi_onnx_window *w, int d) {
  return (w->kernel[d] - 1) * w->dilation[d] + 1;
}
/* Has every axis as much padding behind as in front? */
bool gi_onnx_window_even(const gi_onnx_window *w);
/* x with the padding around it, so that all windows lie inside; the window then has none. */
glia_value gi_onnx_window_framed(gi_onnx_window *w, glia_value x, double value);

#endif /* GI_ONNX_WINDOWS_H */
