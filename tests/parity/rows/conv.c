/* conv.c - convolutions of one, two and three axes. */
#include "parity/parity.h"

static glia_border border_of(const question *q) {
  static const char *const names[] = {"zeros", "reflect", "replicate", "circular"};
  for (int i = 0; i < GI_COUNT(names); i++)
    if (strcmp(q_str(q, "padding_mode", "zeros"), names[i]) == 0) return (glia_border)i;
  return (glia_border)-1;
}

static void conv(question *q, int axes, bool transposed) {
  glia_conv_opts o = {
      .size = sizeof o, .groups = q_int(q, "groups", 1), .border = border_of(q)};
  const char *padding = q_str(q, "padding", "");
  q_ints(q, "stride", axes, o.stride);
  q_ints(q, "dilation", axes, o.dilation);
  q_ints(q, "output_padding", axes, o.output_padding);
  o.same = strcmp(padding, "same") == 0;
  if (padding[0] == '\0') q_ints(q, "padding", axes, o.padding);
  const glia_value x = q_input(q, 0), w = q_param_or(q, "weight", 1),
                   b = q_param_or(q, "bias", 2);
  q_output(
      q, 0,
      transposed ? glia_conv_transpose_with_opt(x, w, b, &o) : glia_conv_with_opt(x, w, b, &o));
}

static void conv1d(question *q) { conv(q, 1, false); }
static void conv2d(question *q) { conv(q, 2, false); }
static void conv3d(question *q) { conv(q, 3, false); }
static void conv1d_transpose(question *q) { conv(q, 1, true); }
static void conv2d_transpose(question *q) { conv(q, 2, true); }
static void conv3d_transpose(question *q) { conv(q, 3, true); }

/* Windows as columns. */
static glia_unfold_opts columns_of(const question *q) {
  glia_unfold_opts o = {.size = sizeof o};
  q_ints(q, "kernel_size", 2, o.kernel);
  q_ints(q, "stride", 2, o.stride);
  q_ints(q, "padding", 2, o.padding);
  q_ints(q, "dilation", 2, o.dilation);
  return o;
}
static void unfold(question *q) {
  const glia_unfold_opts o = columns_of(q);
  q_output(q, 0, glia_unfold_opt(q_input(q, 0), &o));
}
static void fold(question *q) {
  const glia_unfold_opts o = columns_of(q);
  int64_t size[2] = {0, 0};
  q_ints(q, "output_size", 2, size);
  q_output(q, 0, glia_fold_opt(q_input(q, 0), size[0], size[1], &o));
}

static const parity_row rows[] = {
    {.op = "Conv1d", .build = conv1d},
    {.op = "Conv2d", .build = conv2d},
    {.op = "Conv3d", .build = conv3d},
    {.op = "ConvTranspose1d", .build = conv1d_transpose},
    {.op = "ConvTranspose2d", .build = conv2d_transpose},
    {.op = "ConvTranspose3d", .build = conv3d_transpose},
    {.op = "conv1d", .build = conv1d},
    {.op = "conv2d", .build = conv2d},
    {.op = "conv3d", .build = conv3d},
    {.op = "conv_transpose1d", .build = conv1d_transpose},
    {.op = "conv_transpose2d", .build = conv2d_transpose},
    {.op = "conv_transpose3d", .build = conv3d_transpose},
    {.op = "unfold", .build = unfold},
    {.op = "Unfold", .build = unfold},
    {.op = "fold", .build = fold},
    {.op = "Fold", .build = fold},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_conv[] = {&all, NULL};
