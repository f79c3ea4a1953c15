/* formats/onnx/whole.h - products of 8-bit whole numbers, by glia's int8 ops (ops/int8.h).
 *
 * Those take i8 and know no zero points. u8 is moved by 128; the zero point z of an activation
 * x comes off afterwards, from what is known of the weights w beforehand:
 *
 *   sum of (x - z) w = sum of x w - z sum of w
 *
 * Weights must have the zero point 0, and all scales be given as values.
 */
#ifndef GI_ONNX_WHOLE_H
#define GI_ONNX_WHOLE_H

#include "formats/onnx/windows.h"

/* Sums of so many products and their correction are exact in f32. */
enum { GI_ONNX_EXACT_TERMS = 514 };

/* v as i8, whose elements stand for scale (v - zero). */
typedef struct gi_onnx_bytes {
  glia_value v;
  glia_value zero;  /* f32, rank 0; null: 0 */
  double known;     /* the same as a number; NaN: it is known only when the graph runs */
  glia_value scale; /* f32, rank 0 or [F]; null: not asked for */
} gi_onnx_bytes;

/* v (u8 or i8) with its zero point: null, or as many numbers as there are, all equal. False
 * where v has another dtype or the zero points differ. */
bool gi_onnx_bytes_of(const gi_onnx_call *c, glia_value v, glia_value zero, gi_onnx_bytes *out);
/* The same of what DequantizeLinear made of it, `axis` being that of the scales if they are
 * many. */
bool gi_onnx_bytes_behind(const gi_onnx_call *c, glia_value v, int axis, gi_onnx_bytes *out);

/* Convolution of images [N, C, H, W], times both scales, plus bias [F] (or null): f32. Null
 * where the int8 op does not do: then nothing was built. */
glia_value gi_onnx_conv_bytes(const gi_onnx_bytes *x, const gi_onnx_bytes *w, glia_value bias,
                              const gi_onnx_window *o, int64_t groups);
/* a [..., K] b [K, N] -> [..., N], times both scales: f32. Null likewise. */
glia_value gi_onnx_matmul_bytes(const gi_onnx_bytes *a, const gi_onnx_bytes *b);

#endif /* GI_ONNX_WHOLE_H */
