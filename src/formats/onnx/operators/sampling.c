/* sampling.c - GridSample and DeformConv: images looked up at any places.
 */
#include <inttypes.h>

#include "formats/onnx/values.h"
#include "formats/onnx/windows.h"

/* Versions 16 and 20 have different names for the same modes. */
static glia_status grid_sample(gi_onnx_call *c) {
  static const char *const old_modes[] = {"bilinear", "nearest", "bicubic", NULL};
  static const char *const modes[] = {"linear", "nearest", "cubic", NULL};
  static const char *const outside[] = {"zeros", "border", "reflection", NULL};
  const bool old = c->version < 20;
  glia_sample_opts o = {.size = sizeof o};
  int mode, beyond;
  GI_TRY(
      gi_onnx_choice(c, "mode", old ? "bilinear" : "linear", old ? old_modes : modes, &mode));
  GI_TRY(gi_onnx_choice(c, "padding_mode", "zeros", outside, &beyond));
  GI_TRY(gi_onnx_bool(c, "align_corners", false, &o.align_corners));
  o.mode = mode == 0 ? GLIA_SAMPLE_LINEAR : mode == 1 ? GLIA_SAMPLE_NEAREST : GLIA_SAMPLE_CUBIC;
  o.outside = beyond == 0   ? GLIA_OUTSIDE_ZEROS
              : beyond == 1 ? GLIA_OUTSIDE_BORDER
                            : GLIA_OUTSIDE_REFLECTION;
  const glia_value x = gi_onnx_as_float(c->in[0]);
  c->out[0] = gi_onnx_like(glia_grid_sample_opt(x, gi_onnx_like(c->in[1], x), &o), c->in[0]);
  return GLIA_OK;
}

/* ---- DeformConv -------------------------------------------------------------------------- */

/* Every tap of the kernel looks at its own place plus an offset, between pixels interpolated,
 * 0 outside; mask weighs the taps. What all taps see, by output place, is a matrix of columns
 * that the weights are multiplied with (arXiv:1703.06211, arXiv:1811.11168).
 *
 *   x [N, C, H, W], weight [F, C / group, KH, KW], bias [F], offset [N, O 2 KH KW, OH, OW] with
 *   (row, column) for each tap, mask [N, O KH KW, OH, OW]; O = offset_group */

enum { X, WEIGHT, OFFSET, BIAS, MASK };

typedef struct deformed {
  gi_onnx_window w;
  int64_t n, channels, filters, groups, offsets, taps, places;
  glia_value x, offset, mask;
} deformed;

/* Where the taps look without an offset, along axis d: [KH, KW, OH, OW], broadcast. */
static glia_value still_places(const deformed *f, int d) {
  const gi_onnx_window *w = &f->w;
  const glia_value tap = glia_range(f->x.graph, w->kernel[d], glia_value_dtype(f->x));
  const glia_value at = glia_range(f->x.graph, w->count[d], glia_value_dtype(f->x));
  return glia_add(gi_onnx_along(gi_onnx_times(tap, (double)w->dilation[d]), d, 4),
                  gi_onnx_along(gi_onnx_plus(gi_onnx_times(at, (double)w->stride[d]),
                                             -(double)w->before[d]),
                                2 + d, 4));
}

/* Offset group g's grid [N, taps OH, OW, 2]: (column, row), pixel p of n at (2 p + 1) / n - 1.
 */
static glia_value grid_of(const deformed *f, int64_t g) {
  const gi_onnx_window *w = &f->w;
  const int64_t apart[] = {f->n, w->kernel[0], w->kernel[1], 2, w->count[0], w->count[1]};
  const int64_t place[] = {f->n, f->taps * w->count[0], w->count[1], 1};
  const int64_t one[] = {f->n, w->kernel[0], w->kernel[1], w->count[0], w->count[1]};
  const glia_value own = glia_reshape(
      gi_onnx_part(f->offset, 1, 2 * g * f->taps, 2 * (g + 1) * f->taps), 6, apart);
  glia_value axis[2];
  for (int d = 0; d < 2; d++) {
    const glia_value v =
        glia_add(glia_reshape(gi_onnx_part(own, 3, d, d + 1), 5, one), still_places(f, d));
    const double n = (double)w->size[d];
    axis[1 - d] = glia_reshape(gi_onnx_plus(gi_onnx_times(v, 2 / n), 1 / n - 1), 4, place);
  }
  return glia_concat(axis, 2, 3);
}

/* What offset group g's channels see: [N, C / O, taps, OH OW]. */
static glia_value seen(const deformed *f, int64_t g) {
  const int64_t own = f->channels / f->offsets;
  const int64_t shape[] = {f->n, own, f->taps, f->places};
  const glia_value x = gi_onnx_part(f->x, 1, g * own, (g + 1) * own);
  const glia_value v = glia_reshape(glia_grid_sample(x, grid_of(f, g)), 4, shape);
  if (gi_null(f->mask)) return v;
  const glia_value mask = gi_onnx_part(f->mask, 1, g * f->taps, (g + 1) * f->taps);
  return glia_mul(v, glia_reshape(mask, 4, (const int64_t[]){f->n, 1, f->taps, f->places}));
}

static glia_status read(const gi_onnx_call *c, deformed *f) {
  for (int i = X; i <= OFFSET; i++) GI_TRY(gi_onnx_want_rank(c, i, 4, "four axes"));
  const int64_t *x = glia_value_shape(c->in[X]), *w = glia_value_shape(c->in[WEIGHT]);
  *f = (deformed){.n = x[0], .channels = x[1], .filters = w[0]};
  GI_TRY(gi_onnx_window_read(c, c->in[X], w + 2, &f->w));
  GI_TRY(gi_onnx_int(c, "group", 1, &f->groups));
  GI_TRY(gi_onnx_int(c, "offset_group", 1, &f->offsets));
  if (f->groups < 1 || f->offsets < 1 || f->groups > INT16_MAX || f->offsets > INT16_MAX)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "%" PRId64 " groups, %" PRId64 " offset groups",
                        f->groups, f->offsets);
  f->taps = w[2] * w[3];
  f->places = f->w.count[0] * f->w.count[1];
  const int64_t *o = glia_value_shape(c->in[OFFSET]);
  if (x[1] % f->offsets != 0 || x[1] != w[1] * f->groups || w[0] % f->groups != 0 ||
      o[0] != x[0] || o[1] != 2 * f->offsets * f->taps || o[2] != f->w.count[0] ||
      o[3] != f->w.count[1])
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "x, weight and offset do not fit %" PRId64 " groups, %" PRId64
                        " offset groups",
                        f->groups, f->offsets);
  f->x = gi_onnx_as_float(c->in[X]);
  f->offset = gi_onnx_like(c->in[OFFSET], f->x);
  if (gi_onnx_given(c, MASK)) f->mask = gi_onnx_like(c->in[MASK], f->x);
  return GLIA_OK;
}

static glia_status deform_conv(gi_onnx_call *c) {
  deformed f;
  GI_TRY(read(c, &f));
  glia_value *part = gi_alloc((size_t)f.offsets * sizeof *part);
  if (part == NULL) return gi_fail_nomem((size_t)f.offsets * sizeof *part);
  for (int64_t g = 0; g < f.offsets; g++) part[g] = seen(&f, g);
  glia_value columns = f.offsets == 1 ? part[0] : glia_concat(part, (int)f.offsets, 1);
  gi_free(part);
  const int64_t rows = f.channels / f.groups * f.taps;
  const int64_t by_group[] = {f.n, f.groups, rows, f.places},
                filters[] = {f.groups, f.filters / f.groups, rows},
                shape[] = {f.n, f.filters, f.w.count[0], f.w.count[1]};
  const glia_value weight = glia_reshape(gi_onnx_like(c->in[WEIGHT], f.x), 3, filters);
  glia_value y =
      glia_reshape(glia_matmul(weight, glia_reshape(columns, 4, by_group)), 4, shape);
  if (gi_onnx_given(c, BIAS))
    y = glia_add(y, gi_onnx_along(gi_onnx_like(c->in[BIAS], f.x), 1, 4));
  c->out[0] = gi_onnx_like(y, c->in[X]);
  return GLIA_OK;
}

/* ---- rows -------------------------------------------------------------------------------- */

const gi_onnx_operator *const gi_onnx_operators_sampling[] = {
    GI_ONNX_ROW("GridSample", "align_corners mode padding_mode", 2, 2, 1, grid_sample, 16, 20),
    GI_ONNX_ROW("DeformConv", "dilations group kernel_shape offset_group pads strides", 3, 5, 1,
                deform_conv, 19),
    NULL,
};
