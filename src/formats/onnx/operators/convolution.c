/* convolution.c - Conv, ConvTranspose and CausalConvWithState, by glia's convolutions.
 *
 * Padding that differs between the two ends is put around x beforehand.
 */
#include "glia/windows.h"

#include <inttypes.h>

#include "formats/onnx/values.h"
#include "formats/onnx/whole.h"
#include "formats/onnx/windows.h"

static glia_status groups_of(const gi_onnx_call *c, int64_t *groups) {
  GI_TRY(gi_onnx_int(c, "group", 1, groups));
  if (*groups >= 1 && *groups <= INT32_MAX) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_FORMAT, "group is %" PRId64 ", wanted 1 or more", *groups);
}

/* x and the weight have one rank, 3 to 5. */
static glia_status want_ranks(const gi_onnx_call *c) {
  const int x = glia_value_rank(c->in[0]), w = glia_value_rank(c->in[1]);
  if (x == w && x >= 3 && x <= 5) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                      "x has rank %d, the weight %d; wanted one rank, 3 to 5", x, w);
}

static glia_conv_opts options_of(const gi_onnx_window *w, int64_t groups) {
  glia_conv_opts o = {.size = sizeof o, .groups = groups};
  for (int d = 0; d < w->axes; d++) {
    o.stride[d] = w->stride[d];
    o.padding[d] = w->before[d];
    o.dilation[d] = w->dilation[d];
  }
  return o;
}

/* Winograd's method, which f32 has, saves more multiplications than whole numbers are narrower.
 */
static bool saves_in_floats(const gi_onnx_window *w, int64_t groups) {
  for (int d = 0; d < w->axes; d++)
    if (w->stride[d] != 1 || w->dilation[d] != 1 || w->kernel[d] < 3 || w->kernel[d] > 7)
      return false;
  return groups == 1;
}

/* Behind DequantizeLinear, of image and weights alike: the product of the whole numbers. */
static glia_value by_bytes(const gi_onnx_call *c, const gi_onnx_window *window,
                           int64_t groups) {
  gi_onnx_bytes x, w;
  if (saves_in_floats(window, groups)) return GLIA_NONE;
  if (!gi_onnx_bytes_behind(c, c->in[1], 0, &w) || !gi_onnx_bytes_behind(c, c->in[0], -1, &x))
    return GLIA_NONE;
  return gi_onnx_conv_bytes(&x, &w, gi_onnx_float_in(c, 2), window, groups);
}

static glia_status conv(gi_onnx_call *c) {
  glia_value x = gi_onnx_as_float(c->in[0]), weight = gi_onnx_as_float(c->in[1]);
  gi_onnx_window w;
  int64_t groups;
  GI_TRY(want_ranks(c));
  GI_TRY(groups_of(c, &groups));
  GI_TRY(gi_onnx_window_read(c, x, glia_value_shape(weight) + 2, &w));
  glia_value y = by_bytes(c, &w, groups);
  if (gi_null(y)) {
    if (!gi_onnx_window_even(&w)) x = gi_onnx_window_framed(&w, x, 0);
    const glia_conv_opts o = options_of(&w, groups);
    y = glia_conv_with_opt(x, weight, gi_onnx_float_in(c, 2), &o);
  }
  c->out[0] = gi_onnx_like(y, c->in[0]);
  return GLIA_OK;
}

/* ---- transposed -------------------------------------------------------------------------- */

/* Without padding an axis of A elements becomes one of whole = (A - 1) stride + span. Padding
 * cuts that at both ends, output_padding adds to its end; output_shape says the size that is
 * to come out, and then padding makes up the difference, an odd element of it where SAME_UPPER
 * has none: in front. Where the difference is negative, zeros come behind the end. */

static glia_status output_shape(const gi_onnx_call *c, gi_onnx_window *w, const int64_t *more) {
  int64_t want[GLIA_MAX_RANK];
  const bool same = w->automatic == GI_ONNX_SAME_UPPER || w->automatic == GI_ONNX_SAME_LOWER;
  int n;
  GI_TRY(gi_onnx_ints(c, "output_shape", want, GLIA_MAX_RANK, &n));
  if (n != 0 && n != w->axes && n != w->axes + 2) /* some exporters give N and C, too */
    return gi_onnx_fail(c, GLIA_FORMAT, "output_shape has %d numbers, wanted %d", n, w->axes);
  for (int d = 0; d < w->axes; d++) {
    const int64_t whole = (w->size[d] - 1) * w->stride[d] + gi_onnx_window_span(w, d) + more[d];
    if (n == 0 && !same) {
      w->count[d] = whole - w->before[d] - w->after[d];
    } else {
      w->count[d] = n > 0 ? want[n - w->axes + d] : w->size[d] * w->stride[d];
      const int64_t all = whole - w->count[d], half = GI_MAX(0, all) / 2;
      w->before[d] = w->automatic == GI_ONNX_SAME_UPPER ? half : GI_MAX(0, all) - half;
    }
    if (w->count[d] < 1 || w->count[d] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d of the result has %" PRId64 " elements",
                          2 + d, w->count[d]);
  }
  return GLIA_OK;
}

/* All that x reaches, cut or lengthened by zeros to the wanted elements. */
static glia_value whole_and_cut(const gi_onnx_window *w, glia_value x, glia_value weight,
                                glia_value bias, int64_t groups) {
  const int64_t none[GLIA_MAX_RANK] = {0};
  int64_t after[GLIA_MAX_RANK] = {0};
  glia_conv_opts o = options_of(w, groups);
  for (int d = 0; d < w->axes; d++) o.padding[d] = 0;
  glia_value y = glia_conv_transpose_with_opt(x, weight, GLIA_NONE, &o);
  for (int d = 0; d < w->axes && !gi_null(y); d++) {
    const int64_t whole = glia_value_dim(y, 2 + d), begin = GI_MIN(w->before[d], whole);
    const int64_t end = GI_MIN(whole, begin + w->count[d]);
    after[2 + d] = w->count[d] - (end - begin);
    y = gi_onnx_part(y, 2 + d, begin, end);
  }
  y = glia_pad(y, none, after, 0);
  return gi_null(bias) ? y : glia_add(y, gi_onnx_along(bias, 1, w->axes + 2));
}

static glia_status conv_transpose(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]), weight = gi_onnx_as_float(c->in[1]),
                   bias = gi_onnx_float_in(c, 2);
  gi_onnx_window w;
  int64_t groups, more[2 * GI_ONNX_AXES] = {0};
  int n;
  bool direct = true;
  GI_TRY(want_ranks(c));
  GI_TRY(groups_of(c, &groups));
  GI_TRY(gi_onnx_window_attributes(c, x, glia_value_shape(weight) + 2, &w));
  GI_TRY(gi_onnx_ints(c, "output_padding", more, 2 * GI_ONNX_AXES, &n));
  for (int d = 0; d < n; d++)
    if (more[d] < 0 || more[d] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_FORMAT, "output_padding is %" PRId64 ", wanted 0 or more",
                          more[d]);
  GI_TRY(output_shape(c, &w, more));
  glia_conv_opts o = options_of(&w, groups);
  for (int d = 0; d < w.axes; d++) {
    const int64_t whole = (w.size[d] - 1) * w.stride[d] + gi_onnx_window_span(&w, d);
    o.output_padding[d] = w.count[d] - (whole - 2 * w.before[d]);
    direct = direct && o.output_padding[d] >= 0 && o.output_padding[d] < w.stride[d];
  }
  const glia_value y = direct ? glia_conv_transpose_with_opt(x, weight, bias, &o)
                              : whole_and_cut(&w, x, weight, bias, groups);
  c->out[0] = gi_onnx_like(y, c->in[0]);
  return GLIA_OK;
}

/* ---- with a state ------------------------------------------------------------------------ */

/* x [N, C, L] behind the last k - 1 elements that came before it (or zeros), a filter [1, k]
 * for each channel; the last k - 1 elements are given back. */
static glia_status causal(gi_onnx_call *c) {
  static const char *const words[] = {"none", "silu", "swish", NULL};
  int activation;
  GI_TRY(gi_onnx_choice(c, "activation", "none", words, &activation));
  GI_TRY(gi_onnx_want_rank(c, 0, 3, "[N, C, L]"));
  GI_TRY(gi_onnx_want_rank(c, 1, 3, "[C, 1, k]"));
  const int64_t *d = glia_value_shape(c->in[0]), k = glia_value_dim(c->in[1], 2);
  const int64_t before[] = {d[0], d[1], k - 1};
  if (k < 1) return gi_onnx_fail(c, GLIA_SHAPE, "the weight has no elements");
  const glia_value x = gi_onnx_as_float(c->in[0]);
  glia_value all = x;
  if (k > 1) {
    const glia_value past = gi_onnx_float_in(c, 3);
    const glia_value parts[] = {gi_null(past) ? gi_onnx_zeros(x, 3, before) : past, x};
    all = glia_concat(parts, 2, 2);
  }
  glia_value y =
      glia_conv_with(all, gi_onnx_as_float(c->in[1]), gi_onnx_float_in(c, 2), .groups = d[1]);
  if (activation != 0) y = glia_silu(y);
  c->out[0] = gi_onnx_like(y, c->in[0]);
  if (!gi_onnx_wanted(c, 1) || gi_null(all)) return GLIA_OK;
  const int64_t n = glia_value_dim(all, 2);
  c->out[1] = gi_onnx_like(
      k > 1 ? gi_onnx_part(all, 2, n - k + 1, n) : gi_onnx_zeros(x, 3, before), c->in[0]);
  return GLIA_OK;
}

/* ---- rows -------------------------------------------------------------------------------- */

#define WINDOW "auto_pad dilations group kernel_shape pads strides"

const gi_onnx_operator *const gi_onnx_operators_convolution[] = {
    GI_ONNX_ROW("Conv", WINDOW, 2, 3, 1, conv, 1),
    GI_ONNX_ROW("ConvTranspose", WINDOW " output_padding output_shape", 2, 3, 1, conv_transpose,
                1),
    GI_ONNX_ROW("CausalConvWithState", "activation", 2, 4, 2, causal, 27),
    NULL,
};
