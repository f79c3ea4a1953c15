/* conv.c - convolutions of one and two axes; one axis is a picture of one row. */
#include "parity/parity.h"

typedef struct window { /* rows, columns */
  int64_t kernel[2], stride[2], padding[2], dilation[2], output_padding[2];
} window;

/* Attributes of `axes` axes, as the last ones of two. */
static window window_of(question *q, int axes, glia_value weight) {
  window w = {{1, 1}, {1, 1}, {0, 0}, {1, 1}, {0, 0}};
  const int at = 2 - axes;
  q_ints(q, "stride", axes, w.stride + at);
  q_ints(q, "padding", axes, w.padding + at);
  q_ints(q, "dilation", axes, w.dilation + at);
  q_ints(q, "output_padding", axes, w.output_padding + at);
  for (int i = at; i < 2; i++) w.kernel[i] = glia_value_dim(weight, i - 2);
  return w;
}

static glia_value with_row(glia_value v, bool one) {
  const int64_t *d = glia_value_shape(v);
  return one ? glia_reshape(v, 4, (const int64_t[]){d[0], d[1], 1, d[2]}) : v;
}
static glia_value without_row(glia_value v, bool one) {
  const int64_t *d = glia_value_shape(v);
  return one && d != NULL ? glia_reshape(v, 3, (const int64_t[]){d[0], d[1], d[3]}) : v;
}

/* "same": as many zeros as keep the size, an odd one at the end. */
static glia_value pad_same(glia_value x, const window *w) {
  int64_t before[4] = {0}, after[4] = {0};
  for (int i = 0; i < 2; i++) {
    const int64_t all = w->dilation[i] * (w->kernel[i] - 1);
    before[2 + i] = all / 2;
    after[2 + i] = all - all / 2;
  }
  return glia_pad(x, before, after, 0);
}

static void conv(question *q, int axes, bool transposed) {
  const glia_value weight = q_param(q, "weight");
  if (strcmp(q_str(q, "padding_mode", "zeros"), "zeros") != 0) {
    q_cannot(q, "pads with something else than zeros");
    return;
  }
  if (glia_value_rank(q_input(q, 0)) != axes + 2) {
    q_cannot(q, "has no batch axis");
    return;
  }
  const bool one = axes == 1;
  const window w = window_of(q, axes, weight);
  glia_value x = with_row(q_input(q, 0), one);
  if (strcmp(q_str(q, "padding", ""), "same") == 0) x = pad_same(x, &w);
  glia_window_opts o = {.size = sizeof o, .groups = q_int(q, "groups", 1)};
  for (int i = 0; i < 2; i++) {
    o.stride[i] = w.stride[i];
    o.padding[i] = w.padding[i];
    o.dilation[i] = w.dilation[i];
    o.output_padding[i] = w.output_padding[i];
  }
  const glia_value y =
      transposed ? glia_conv2d_transpose_with(x, with_row(weight, one), q_param(q, "bias"), &o)
                 : glia_conv2d_with(x, with_row(weight, one), q_param(q, "bias"), &o);
  q_output(q, 0, without_row(y, one));
}

static void conv1d(question *q) { conv(q, 1, false); }
static void conv2d(question *q) { conv(q, 2, false); }
static void conv1d_transpose(question *q) { conv(q, 1, true); }
static void conv2d_transpose(question *q) { conv(q, 2, true); }

static const parity_row rows[] = {{.op = "Conv1d", .build = conv1d},
                                  {.op = "Conv2d", .build = conv2d},
                                  {.op = "ConvTranspose1d", .build = conv1d_transpose},
                                  {.op = "ConvTranspose2d", .build = conv2d_transpose}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_conv[] = {&all, NULL};
