/* places.c - what moves, pads, resizes and samples, and products by index. */
#include "parity/parity.h"

#include <math.h>

static void interpolate(question *q) {
  static const char *const modes[] = {"nearest", "linear", "bicubic", "area"};
  const bool linear = strcmp(q_op(q), "UpsamplingBilinear2d") == 0; /* it aligns corners */
  const char *mode = q_str(q, "mode", linear ? "bilinear" : "nearest");
  const glia_value x = q_input(q, 0);
  glia_resize_opts o = {.size = sizeof o};
  if (strcmp(mode, "bilinear") == 0 || strcmp(mode, "trilinear") == 0) mode = "linear";
  if (strcmp(mode, "nearest-exact") == 0) {
    mode = "nearest";
    o.coordinates = GLIA_HALF_PIXEL;
    o.rounding = GLIA_ROUND_HALF_UP;
  }
  o.mode = (glia_resize_mode)-1;
  for (int i = 0; i < GI_COUNT(modes); i++)
    if (strcmp(mode, modes[i]) == 0) o.mode = (glia_resize_mode)i;
  if (o.mode == (glia_resize_mode)-1) {
    q_cannot(q, "has a mode that is not known");
    return;
  }
  if (q_bool(q, "align_corners", linear)) o.coordinates = GLIA_ALIGN_CORNERS;
  o.antialias = q_bool(q, "antialias", false);
  const int axes = glia_value_rank(x) - 2;
  q_ints(q, "size", axes, o.to);
  const bool by_factor = o.to[0] == 0;
  for (int i = 0; i < axes && by_factor; i++) {
    const double factor = q_num_at(q, "scale_factor", i);
    o.to[i] = (int64_t)floor(factor * (double)glia_value_dim(x, 2 + i));
    if (!q_bool(q, "recompute_scale_factor", false)) o.scale[i] = factor;
  }
  q_output(q, 0, glia_resize_opt(x, &o));
}

static void grid_sample(question *q) {
  static const char *const modes[] = {"bilinear", "nearest", "bicubic"}, *const outside[] = {
                                                                             "zeros", "border",
                                                                             "reflection"};
  glia_sample_opts o = {.size = sizeof o, .align_corners = q_bool(q, "align_corners", false)};
  for (int i = 0; i < 3; i++) {
    if (strcmp(q_str(q, "mode", "bilinear"), modes[i]) == 0) o.mode = (glia_sample_mode)i;
    if (strcmp(q_str(q, "padding_mode", "zeros"), outside[i]) == 0) o.outside = (glia_outside)i;
  }
  q_output(q, 0, glia_grid_sample_opt(q_input(q, 0), q_input(q, 1), &o));
}

/* Negative counts cut, as PyTorch's; what is left is what goes round. */
static glia_value cut(glia_value x, int64_t *before, int64_t *after) {
  for (int d = 0; d < glia_value_rank(x); d++) {
    const int64_t n = glia_value_dim(x, d), from = GI_MAX(0, -before[d]);
    x = glia_slice(x, d, from, n - GI_MAX(0, -after[d]), 1);
    before[d] = GI_MAX(0, before[d]);
    after[d] = GI_MAX(0, after[d]);
  }
  return x;
}
static glia_value padded(glia_value x, int64_t *before, int64_t *after, double value) {
  x = cut(x, before, after);
  return glia_pad(x, before, after, value);
}
static glia_value padded_by_edge(glia_value x, int64_t *before, int64_t *after,
                                 glia_pad_mode mode) {
  if (mode == GLIA_PAD_CIRCULAR) x = cut(x, before, after);
  return glia_pad_edge(x, before, after, mode);
}

/* PyTorch lists pairs from the last axis on. */
static void pad(question *q) {
  const glia_value x = q_input(q, 0);
  const int rank = glia_value_rank(x), n = GI_MIN(q_count(q, "pad"), 2 * rank);
  const char *mode = q_str(q, "mode", "constant");
  int64_t pairs[2 * GLIA_MAX_RANK] = {0}, before[GLIA_MAX_RANK] = {0},
                    after[GLIA_MAX_RANK] = {0};
  q_ints(q, "pad", n, pairs);
  for (int i = 0; i < n / 2; i++) {
    before[rank - 1 - i] = pairs[2 * i];
    after[rank - 1 - i] = pairs[2 * i + 1];
  }
  if (strcmp(mode, "constant") == 0)
    q_output(q, 0, padded(x, before, after, q_num(q, "value", 0)));
  else
    q_output(q, 0,
             padded_by_edge(x, before, after,
                            strcmp(mode, "reflect") == 0     ? GLIA_PAD_REFLECT
                            : strcmp(mode, "replicate") == 0 ? GLIA_PAD_REPLICATE
                                                             : GLIA_PAD_CIRCULAR));
}

/* Modules have the mode in their name, ReflectionPad2d, and one number may stand for all sides.
 */
static void pad_module(question *q) {
  const glia_value x = q_input(q, 0);
  const char *name = q_op(q);
  const int rank = glia_value_rank(x), axes = name[strlen(name) - 2] - '0';
  int64_t pairs[2 * 3] = {0}, before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  q_ints(q, "padding", 2 * axes, pairs);
  for (int i = 0; i < axes && i < rank; i++) {
    before[rank - 1 - i] = pairs[2 * i];
    after[rank - 1 - i] = pairs[2 * i + 1];
  }
  const char first = name[0];
  if (first == 'Z' || strncmp(name, "Co", 2) == 0)
    q_output(q, 0, padded(x, before, after, q_num(q, "value", 0)));
  else
    q_output(q, 0,
             padded_by_edge(x, before, after,
                            strncmp(name, "Ref", 3) == 0 ? GLIA_PAD_REFLECT
                            : first == 'R'               ? GLIA_PAD_REPLICATE
                                                         : GLIA_PAD_CIRCULAR));
}

static void pixel_shuffle(question *q) {
  q_output(q, 0, glia_pixel_shuffle(q_input(q, 0), q_int(q, "upscale_factor", 1)));
}
static void pixel_unshuffle(question *q) {
  q_output(q, 0, glia_pixel_unshuffle(q_input(q, 0), q_int(q, "downscale_factor", 1)));
}

static void channel_shuffle(question *q) {
  q_output(q, 0, glia_channel_shuffle(q_input(q, 0), q_int(q, "groups", 1)));
}

/* size is that of the images: [N, C, H, W] */
static void affine_grid(question *q) {
  int64_t size[GLIA_MAX_RANK] = {0};
  q_ints(q, "size", GI_MIN(q_count(q, "size"), GLIA_MAX_RANK), size);
  q_output(q, 0, glia_affine_grid(q_input(q, 0), size + 2, q_bool(q, "align_corners", false)));
}

static void einsum(question *q) {
  glia_value in[8];
  int n = 0;
  while (n < GI_COUNT(in) && (in[n] = q_input(q, n)).graph != NULL) n++;
  q_output(q, 0, glia_einsum(q_str(q, "equation", ""), in, n));
}

static const parity_row rows[] = {
    {.op = "interpolate", .build = interpolate},
    {.op = "grid_sample", .build = grid_sample},
    {.op = "pad", .build = pad},
    {.op = "ZeroPad1d", .build = pad_module},
    {.op = "ZeroPad2d", .build = pad_module},
    {.op = "ZeroPad3d", .build = pad_module},
    {.op = "ConstantPad1d", .build = pad_module},
    {.op = "ConstantPad2d", .build = pad_module},
    {.op = "ConstantPad3d", .build = pad_module},
    {.op = "ReflectionPad1d", .build = pad_module},
    {.op = "ReflectionPad2d", .build = pad_module},
    {.op = "ReflectionPad3d", .build = pad_module},
    {.op = "ReplicationPad1d", .build = pad_module},
    {.op = "ReplicationPad2d", .build = pad_module},
    {.op = "ReplicationPad3d", .build = pad_module},
    {.op = "CircularPad1d", .build = pad_module},
    {.op = "CircularPad2d", .build = pad_module},
    {.op = "CircularPad3d", .build = pad_module},
    {.op = "pixel_shuffle", .build = pixel_shuffle},
    {.op = "pixel_unshuffle", .build = pixel_unshuffle},
    {.op = "channel_shuffle", .build = channel_shuffle},
    {.op = "PixelShuffle", .build = pixel_shuffle},
    {.op = "PixelUnshuffle", .build = pixel_unshuffle},
    {.op = "ChannelShuffle", .build = channel_shuffle},
    {.op = "Upsample", .build = interpolate},
    {.op = "UpsamplingNearest2d", .build = interpolate},
    {.op = "UpsamplingBilinear2d", .build = interpolate},
    {.op = "affine_grid", .build = affine_grid},
    {.op = "einsum", .build = einsum},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_places[] = {&all, NULL};
