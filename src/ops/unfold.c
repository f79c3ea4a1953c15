/* unfold.c - windows of an axis as an axis of their own, and their transpose, which adds
 * windows up to what they were taken from.
 *
 * Cell k of window i of an axis is its element i stride + k dilation, so windows are a gather
 * with an index [count, kernel] that is known beforehand, and adding them up is its transpose:
 * there is no op for either. Elements behind the axis move as one block, which makes both as
 * fast as copying.
 */
#include "glia/windows.h"
#include "ops/attrs.h"
#include "ops/window.h"

/* The index [count, kernel] as a constant. */
static glia_value places(glia_graph *g, int64_t count, int64_t kernel, int64_t stride,
                         int64_t dilation) {
  const int64_t shape[] = {count, kernel};
  if (kernel > 0 && count > INT64_MAX / 16 / kernel)
    return gi_latch(g, GLIA_SHAPE, "unfold: %" PRId64 " windows of %" PRId64 " cells", count,
                    kernel);
  int64_t *index = gi_alloc((size_t)(count * kernel) * sizeof *index + 1);
  if (index == NULL)
    return gi_latch(g, GLIA_NOMEM, "unfold: no memory for %" PRId64 " indices", count * kernel);
  for (int64_t i = 0; i < count; i++)
    for (int64_t k = 0; k < kernel; k++) index[i * kernel + k] = i * stride + k * dilation;
  const glia_value at = glia_constant(g, GLIA_I64, 2, shape, index);
  gi_free(index);
  return at;
}

glia_value gi_unfold_axis(glia_value x, int axis, int64_t count, int64_t kernel, int64_t stride,
                          int64_t dilation) {
  if (gi_null(x)) return x;
  return glia_gather(x, places(x.graph, count, kernel, stride, dilation), axis);
}

glia_value gi_fold_axis(glia_value y, int axis, int64_t size, int64_t stride,
                        int64_t dilation) {
  if (gi_null(y)) return y;
  const int64_t count = glia_value_dim(y, axis), kernel = glia_value_dim(y, axis + 1);
  return glia_scatter_add(y, places(y.graph, count, kernel, stride, dilation), axis, size);
}

/* ---- frames of one axis -------------------------------------------------------------- */

glia_value glia_frames(glia_value x, int axis, int64_t length, int64_t step) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  const int at = gi_axis(axis, t.rank);
  char text[GI_TEXT];
  if (at < 0 || length < 1 || step < 1 || t.dim[at] < length)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "frames: %" PRId64 " elements, %" PRId64
                    " apart, of axis %d of %s; wanted 1 or more, and an axis as long",
                    length, step, axis, gi_shape_text(&t, text, sizeof text));
  return gi_unfold_axis(x, at, (t.dim[at] - length) / step + 1, length, step, 1);
}

glia_value glia_overlap_add(glia_value frames, int axis, int64_t step) {
  if (gi_null(frames)) return frames;
  const gi_type t = gi_value_type(frames);
  const int at = gi_axis(axis, t.rank);
  char text[GI_TEXT];
  if (at < 0 || at + 1 >= t.rank || step < 1 || step > INT32_MAX || t.dim[at] < 1 ||
      t.dim[at] > INT32_MAX)
    return gi_latch(frames.graph, GLIA_SHAPE,
                    "overlap_add: frames are %s, axis %d, step %" PRId64
                    "; wanted [.., count, length, ..] and a step of 1 or more",
                    gi_shape_text(&t, text, sizeof text), axis, step);
  return gi_fold_axis(frames, at, (t.dim[at] - 1) * step + t.dim[at + 1], step, 1);
}

/* ---- windows of images --------------------------------------------------------------- */

typedef struct window {
  int64_t kernel[2], stride[2], padding[2], dilation[2], count[2];
} window;

/* The options, defaults filled in, for images of this size. */
static glia_status window_of(const glia_unfold_opts *opt, const int64_t *size, const char *op,
                             window *w) {
  glia_unfold_opts o;
  gi_opts(&o, sizeof o, opt);
  for (int d = 0; d < 2; d++) {
    w->kernel[d] = o.kernel[d];
    w->stride[d] = o.stride[d] != 0 ? o.stride[d] : 1;
    w->padding[d] = o.padding[d];
    w->dilation[d] = o.dilation[d] != 0 ? o.dilation[d] : 1;
    const int64_t most = INT32_MAX;
    if (w->kernel[d] < 1 || w->stride[d] < 1 || w->padding[d] < 0 || w->dilation[d] < 1 ||
        w->kernel[d] > most || w->stride[d] > most || w->padding[d] > most ||
        w->dilation[d] > most)
      return gi_fail(GLIA_INVALID,
                     "%s: kernel %" PRId64 ", stride %" PRId64 ", padding %" PRId64
                     ", dilation %" PRId64 " on axis %d; wanted >= 1, padding >= 0",
                     op, w->kernel[d], w->stride[d], w->padding[d], w->dilation[d], 2 + d);
    w->count[d] = size[d] < 0 || size[d] > most
                      ? 0
                      : gi_window_count(size[d], w->kernel[d], w->stride[d], w->padding[d],
                                        w->dilation[d], false);
    if (w->count[d] == 0)
      return gi_fail(GLIA_SHAPE,
                     "%s: a window spans %" PRId64 " cells of axis %d, which has %" PRId64
                     " with its padding",
                     op, gi_window_span(w->kernel[d], w->dilation[d]), 2 + d,
                     size[d] + 2 * w->padding[d]);
  }
  return GLIA_OK;
}

/* Columns first: what is gathered element by element is fewer, rows then move whole. */
glia_value glia_unfold_opt(glia_value x, const glia_unfold_opts *opt) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  window w;
  char text[GI_TEXT];
  if (t.rank != 4)
    return gi_latch(x.graph, GLIA_SHAPE, "unfold: x is %s, wanted [N, C, H, W]",
                    gi_shape_text(&t, text, sizeof text));
  const glia_status s = window_of(opt, t.dim + 2, "unfold", &w);
  if (s != GLIA_OK) return gi_latch(x.graph, s, "%s", glia_error_message());
  const int64_t pad[] = {0, 0, w.padding[0], w.padding[1]};
  glia_value y = glia_pad(x, pad, pad, 0);
  y = gi_unfold_axis(y, 3, w.count[1], w.kernel[1], w.stride[1], w.dilation[1]);
  y = gi_unfold_axis(y, 2, w.count[0], w.kernel[0], w.stride[0], w.dilation[0]);
  y = glia_permute(y, (const int[]){0, 1, 3, 5, 2, 4}); /* N C KH KW OH OW */
  return glia_reshape(y, 3,
                      (const int64_t[]){t.dim[0], t.dim[1] * w.kernel[0] * w.kernel[1],
                                        w.count[0] * w.count[1]});
}

glia_value glia_fold_opt(glia_value columns, int64_t height, int64_t width,
                         const glia_unfold_opts *opt) {
  if (gi_null(columns)) return columns;
  const gi_type t = gi_value_type(columns);
  const int64_t size[] = {height, width};
  window w;
  char text[GI_TEXT];
  const glia_status s = window_of(opt, size, "fold", &w);
  if (s != GLIA_OK) return gi_latch(columns.graph, s, "%s", glia_error_message());
  const int64_t cells = w.kernel[0] * w.kernel[1], windows = w.count[0] * w.count[1];
  if (t.rank != 3 || t.dim[1] % cells != 0 || t.dim[2] != windows)
    return gi_latch(columns.graph, GLIA_SHAPE,
                    "fold: columns are %s, wanted [N, C %" PRId64 ", %" PRId64 "]",
                    gi_shape_text(&t, text, sizeof text), cells, windows);
  glia_value x = glia_reshape(columns, 6,
                              (const int64_t[]){t.dim[0], t.dim[1] / cells, w.kernel[0],
                                                w.kernel[1], w.count[0], w.count[1]});
  x = glia_permute(x, (const int[]){0, 1, 4, 2, 5, 3}); /* N C OH KH OW KW */
  x = gi_fold_axis(x, 2, height + 2 * w.padding[0], w.stride[0], w.dilation[0]);
  x = gi_fold_axis(x, 3, width + 2 * w.padding[1], w.stride[1], w.dilation[1]);
  x = glia_slice(x, 2, w.padding[0], w.padding[0] + height, 1);
  return glia_slice(x, 3, w.padding[1], w.padding[1] + width, 1);
}
