/* grid.c - AffineGrid, and Col2Im, which adds up the windows of an image again.
 */
#include <inttypes.h>

#include "formats/onnx/operators/common.h"

/* theta [N, k, k + 1], size [N, C, axes...] -> [N, axes..., k] */
static glia_status build_affine_grid(gi_onnx_call *c) {
  int64_t size[GLIA_MAX_RANK];
  int n = 0;
  bool align = false;
  GI_TRY(gi_onnx_known_ints(c, 1, size, GLIA_MAX_RANK, &n));
  GI_TRY(gi_onnx_bool(c, "align_corners", false, &align));
  const gi_type theta = gi_value_type(c->in[0]);
  if (theta.rank != 3 || n < 4 || n > 5 || theta.dim[1] != n - 2)
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "a size of %d axes, wanted 4 or 5 and theta [N, k, k + 1]", n);
  const glia_value grid = glia_affine_grid(gi_onnx_wide(c->in[0]), size + 2, align);
  c->out[0] = glia_cast(grid, theta.dtype);
  return GLIA_OK;
}

/* ---- Col2Im --------------------------------------------------------------------------------
 */

typedef struct windows { /* of an image of n axes */
  int n;
  int64_t image[GLIA_MAX_RANK], block[GLIA_MAX_RANK], step[GLIA_MAX_RANK],
      spread[GLIA_MAX_RANK];
  int64_t before[GLIA_MAX_RANK], padded[GLIA_MAX_RANK], many[GLIA_MAX_RANK];
  int64_t cells, places; /* of a window; windows */
} windows;

/* A list that is 1 (or 0) where the attribute is not there. */
static glia_status read_list(const gi_onnx_call *c, const char *name, int64_t fallback,
                             int want, int64_t *out) {
  int n = 0;
  GI_TRY(gi_onnx_ints(c, name, out, 2 * GLIA_MAX_RANK, &n));
  if (!gi_onnx_has(c, name))
    for (; n < want; n++) out[n] = fallback;
  if (n != want)
    return gi_onnx_fail(c, GLIA_MODEL, "%s has %d numbers, wanted %d", name, n, want);
  for (int i = 0; i < n; i++)
    if (out[i] < fallback || out[i] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_INVALID, "%s holds %" PRId64, name, out[i]);
  return GLIA_OK;
}

static glia_status read_windows(const gi_onnx_call *c, windows *w) {
  int64_t pads[2 * GLIA_MAX_RANK], steps[2 * GLIA_MAX_RANK], spreads[2 * GLIA_MAX_RANK];
  int n = 0;
  GI_TRY(gi_onnx_known_ints(c, 1, w->image, GLIA_MAX_RANK - 2, &w->n));
  GI_TRY(gi_onnx_known_ints(c, 2, w->block, GLIA_MAX_RANK - 2, &n));
  GI_TRY(read_list(c, "pads", 0, 2 * w->n, pads));
  GI_TRY(read_list(c, "strides", 1, w->n, steps));
  GI_TRY(read_list(c, "dilations", 1, w->n, spreads));
  if (n != w->n || n < 1)
    return gi_onnx_fail(c, GLIA_MODEL, "an image of %d axes and blocks of %d", w->n, n);
  w->cells = w->places = 1;
  for (int d = 0; d < n; d++) {
    if (w->image[d] < 1 || w->image[d] > INT32_MAX || w->block[d] < 1 ||
        w->block[d] > INT32_MAX)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d of %" PRId64 " with blocks of %" PRId64, d,
                          w->image[d], w->block[d]);
    w->step[d] = steps[d];
    w->spread[d] = spreads[d];
    w->before[d] = pads[d];
    w->padded[d] = w->image[d] + pads[d] + pads[n + d];
    const int64_t room = w->padded[d] - w->spread[d] * (w->block[d] - 1) - 1;
    w->many[d] = room < 0 ? 0 : room / w->step[d] + 1;
  }
  gi_type all = {.dtype = GLIA_I64, .rank = n};
  memcpy(all.dim, w->block, (size_t)n * sizeof all.dim[0]);
  GI_TRY(gi_type_check(&all, "Col2Im"));
  w->cells = gi_type_count(&all);
  memcpy(all.dim, w->many, (size_t)n * sizeof all.dim[0]);
  GI_TRY(gi_type_check(&all, "Col2Im"));
  w->places = gi_type_count(&all);
  memcpy(all.dim, w->padded, (size_t)n * sizeof all.dim[0]);
  GI_TRY(gi_type_check(&all, "Col2Im"));
  return gi_onnx_room(c, w->cells, w->places);
}

/* Where in the padded image cell `cell` of window `place` lies. */
static int64_t target(const windows *w, int64_t cell, int64_t place) {
  int64_t at = 0, stride = 1;
  for (int d = w->n - 1; d >= 0; d--) {
    const int64_t i = cell % w->block[d] * w->spread[d] + place % w->many[d] * w->step[d];
    at += i * stride;
    stride *= w->padded[d];
    cell /= w->block[d];
    place /= w->many[d];
  }
  return at;
}

/* x [N, C cells, windows] -> [N, C, image...]: every cell is added where its window has it. */
static glia_status build_col2im(gi_onnx_call *c) {
  windows w = {0};
  GI_TRY(read_windows(c, &w));
  const gi_type x = gi_value_type(c->in[0]);
  if (x.rank != 3 || x.dim[1] % w.cells != 0 || x.dim[2] != w.places)
    return gi_onnx_fail(c, GLIA_SHAPE, "wants columns [N, C x %" PRId64 ", %" PRId64 "]",
                        w.cells, w.places);
  const int64_t channels = x.dim[1] / w.cells, count = w.cells * w.places;
  int64_t *index = gi_alloc((size_t)count * sizeof *index + 1), all = 1;
  if (index == NULL) return gi_fail_nomem((size_t)count * sizeof *index);
  for (int64_t e = 0; e < count; e++) index[e] = target(&w, e / w.places, e % w.places);
  const glia_value at = gi_onnx_ints_value(c->g, 1, &count, index);
  gi_free(index);
  gi_type y = {.dtype = x.dtype, .rank = 2 + w.n, .dim = {x.dim[0], channels}};
  for (int d = 0; d < w.n; d++) all *= y.dim[2 + d] = w.padded[d];
  const glia_value columns =
      glia_reshape(gi_onnx_wide(c->in[0]), 3, (const int64_t[]){x.dim[0], channels, count});
  glia_value image = gi_onnx_reshape(glia_scatter_add(columns, at, 2, all), &y);
  for (int d = 0; d < w.n; d++)
    image = glia_slice(image, 2 + d, w.before[d], w.before[d] + w.image[d], 1);
  c->out[0] = glia_cast(image, x.dtype);
  return GLIA_OK;
}

const gi_onnx_operator *const gi_onnx_operators_grid[] = {
    GI_ONNX_ROW("AffineGrid", "align_corners", 2, 2, 1, build_affine_grid, 20),
    GI_ONNX_ROW("Col2Im", "dilations pads strides", 3, 3, 1, build_col2im, 18),
    NULL,
};
