/* places.c - what moves, pads, resizes and samples, and products by index. */
#include "parity/parity.h"

#include <math.h>

static void interpolate(question *q) {
  static const char *const modes[] = {"nearest", "linear", "bicubic", "area"};
  const char *mode = q_str(q, "mode", "nearest");
  const glia_value x = q_input(q, 0);
  glia_resize_opts o = {.size = sizeof o};
  if (strcmp(mode, "bilinear") == 0 || strcmp(mode, "trilinear") == 0) mode = "linear";
  o.mode = (glia_resize_mode)-1;
  for (int i = 0; i < GI_COUNT(modes); i++)
    if (strcmp(mode, modes[i]) == 0) o.mode = (glia_resize_mode)i;
  if (o.mode == (glia_resize_mode)-1) {
    q_cannot(q, "has a mode that is not known");
    return;
  }
  if (q_bool(q, "align_corners", false)) o.coordinates = GLIA_ALIGN_CORNERS;
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

/* PyTorch lists pairs from the last axis on. */
static void pad(question *q) {
  const glia_value x = q_input(q, 0);
  const int rank = glia_value_rank(x), n = q_count(q, "pad");
  const char *mode = q_str(q, "mode", "constant");
  int64_t pairs[2 * GLIA_MAX_RANK] = {0}, before[GLIA_MAX_RANK] = {0},
                    after[GLIA_MAX_RANK] = {0};
  q_ints(q, "pad", n, pairs);
  for (int i = 0; i < n / 2; i++) {
    before[rank - 1 - i] = pairs[2 * i];
    after[rank - 1 - i] = pairs[2 * i + 1];
  }
  if (strcmp(mode, "constant") == 0)
    q_output(q, 0, glia_pad(x, before, after, q_num(q, "value", 0)));
  else
    q_output(q, 0,
             glia_pad_edge(x, before, after,
                           strcmp(mode, "reflect") == 0     ? GLIA_PAD_REFLECT
                           : strcmp(mode, "replicate") == 0 ? GLIA_PAD_REPLICATE
                                                            : GLIA_PAD_CIRCULAR));
}

static void pixel_shuffle(question *q) {
  q_output(q, 0, glia_pixel_shuffle(q_input(q, 0), q_int(q, "upscale_factor", 1)));
}
static void pixel_unshuffle(question *q) {
  q_output(q, 0, glia_pixel_unshuffle(q_input(q, 0), q_int(q, "downscale_factor", 1)));
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
    {.op = "pixel_shuffle", .build = pixel_shuffle},
    {.op = "pixel_unshuffle", .build = pixel_unshuffle},
    {.op = "einsum", .build = einsum},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_places[] = {&all, NULL};
