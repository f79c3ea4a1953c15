/* exports/pool.c - pooling of images. Where the last window reaches behind the padding
 * (ceil_mode), the padding at the end is made as long as it reaches, since what runtimes make
 * of ceil_mode differs.
 */
#include "formats/onnx/export.h"

/* begins..., ends...: what the windows that y has need. */
static void pads_of(const gi_onnx_writing *w, const gi_pool_attr *a, int64_t pads[4]) {
  for (int d = 0; d < 2; d++) {
    const int64_t span = (a->kernel.at[d] - 1) * a->dilation.at[d] + 1;
    const int64_t reach = (w->out_type[0].dim[2 + d] - 1) * a->stride.at[d] + span;
    const int64_t have = w->in_type[0].dim[2 + d] + 2 * a->padding.at[d];
    pads[d] = a->padding.at[d];
    pads[2 + d] = a->padding.at[d] + GI_MAX(reach - have, 0);
  }
}

static void put_window(gi_onnx_writing *w, const gi_pool_attr *a, const int64_t pads[4]) {
  gi_onnx_put_ints(w, "kernel_shape", a->kernel.at, 2);
  gi_onnx_put_ints(w, "strides", a->stride.at, 2);
  gi_onnx_put_ints(w, "pads", pads, 4);
}

static glia_status no_places(const gi_onnx_writing *w) {
  if (!gi_onnx_used(w, 1)) return GLIA_OK;
  return gi_fail(GLIA_UNSUPPORTED, "the places of the winners are asked for");
}

static const char *largest(gi_onnx_writing *w, const char *x) {
  const gi_pool_attr *a = w->attr;
  int64_t pads[4];
  pads_of(w, a, pads);
  put_window(w, a, pads);
  gi_onnx_put_ints(w, "dilations", a->dilation.at, 2);
  return gi_onnx_put(w, "MaxPool", 1, x);
}

static glia_status write_max(gi_onnx_writing *w) {
  GI_TRY(no_places(w));
  gi_onnx_give(w, 0, largest(w, w->in[0]));
  return GLIA_OK;
}

static glia_status write_min(gi_onnx_writing *w) {
  GI_TRY(no_places(w));
  const char *x = gi_onnx_put(w, "Neg", 1, w->in[0]);
  gi_onnx_give(w, 0, gi_onnx_put(w, "Neg", 1, largest(w, x)));
  return GLIA_OK;
}

/* Where padding counts, but what the last windows reach beyond it does not, the padding is put
 * around x beforehand. */
static glia_status write_avg(gi_onnx_writing *w) {
  const gi_pool_attr *a = w->attr;
  const char *x = w->in[0];
  int64_t pads[4];
  if (a->dilation.at[0] != 1 || a->dilation.at[1] != 1)
    return gi_fail(GLIA_UNSUPPORTED, "averages of windows with dilation");
  pads_of(w, a, pads);
  const bool beyond = pads[2] != pads[0] || pads[3] != pads[1];
  if (a->count_padding && beyond) {
    const int64_t around[] = {0, 0, pads[0], pads[1], 0, 0, pads[0], pads[1]};
    const char *whole = gi_onnx_put_whole(w, around, 8);
    x = gi_onnx_put(w, "Pad", 2, x, whole);
    for (int d = 0; d < 2; d++) {
      pads[2 + d] -= pads[d];
      pads[d] = 0;
    }
  }
  put_window(w, a, pads);
  gi_onnx_put_int(w, "count_include_pad", a->count_padding && !beyond);
  gi_onnx_give(w, 0, gi_onnx_put(w, "AveragePool", 1, x));
  return GLIA_OK;
}

/* ---- to a size that is given ------------------------------------------------------------- */

/* All windows are alike where the sizes divide. */
static bool divides(const gi_onnx_writing *w) {
  for (int d = 2; d < 4; d++)
    if (w->in_type[0].dim[d] % w->out_type[0].dim[d] != 0) return false;
  return true;
}

static const char *by_windows(gi_onnx_writing *w, const char *op) {
  int64_t window[2];
  for (int d = 0; d < 2; d++) window[d] = w->in_type[0].dim[2 + d] / w->out_type[0].dim[2 + d];
  gi_onnx_put_ints(w, "kernel_shape", window, 2);
  gi_onnx_put_ints(w, "strides", window, 2);
  return gi_onnx_put(w, op, 1, w->in[0]);
}

/* [n, m]: column i has 1 / count at the places that window i covers; transposed: [m, n]. */
static const char *averages(gi_onnx_writing *w, int64_t n, int64_t m, bool transposed) {
  const gi_type t = {
      .dtype = GLIA_F32, .rank = 2, .dim = {transposed ? m : n, transposed ? n : m}};
  size_t bytes = 0;
  float *share =
      gi_mul_size((size_t)n, (size_t)m * sizeof *share, &bytes) ? gi_alloc(bytes) : NULL;
  for (int64_t i = 0; share != NULL && i < m; i++) {
    const int64_t from = i * n / m, to = ((i + 1) * n + m - 1) / m;
    for (int64_t k = from; k < to; k++)
      share[transposed ? i * n + k : k * m + i] = (float)(1.0 / (double)(to - from));
  }
  const char *name = share == NULL ? NULL : gi_onnx_elements(w, &t, share);
  gi_free(share);
  return name;
}

/* Windows of several sizes: y = A x B, rows first. */
static glia_status write_adaptive_avg(gi_onnx_writing *w) {
  const int64_t *x = w->in_type[0].dim, *y = w->out_type[0].dim;
  if (divides(w)) {
    gi_onnx_give(w, 0, by_windows(w, "AveragePool"));
    return GLIA_OK;
  }
  if (w->in_type[0].dtype != GLIA_F32) return gi_fail(GLIA_UNSUPPORTED, "of other than floats");
  const char *a = averages(w, x[2], y[2], true), *b = averages(w, x[3], y[3], false);
  if (a == NULL || b == NULL) return gi_fail_nomem((size_t)(x[2] * y[2]));
  gi_onnx_give(w, 0, gi_onnx_put(w, "MatMul", 2, gi_onnx_put(w, "MatMul", 2, a, w->in[0]), b));
  return GLIA_OK;
}

/* Element i of an axis: the largest of those that window i of m covers. */
static const char *largest_of(gi_onnx_writing *w, const char *x, int64_t axis, int64_t i,
                              int64_t m) {
  const int64_t n = w->in_type[0].dim[axis], from = i * n / m, to = ((i + 1) * n + m - 1) / m;
  const char *begin = gi_onnx_put_whole(w, &from, 1), *end = gi_onnx_put_whole(w, &to, 1);
  const char *part = gi_onnx_put(w, "Slice", 4, x, begin, end, gi_onnx_put_whole(w, &axis, 1));
  gi_onnx_put_ints(w, "axes", &axis, 1);
  return gi_onnx_put(w, "ReduceMax", 1, part);
}

/* One axis made m long, window by window. NULL without memory. */
static const char *largest_along(gi_onnx_writing *w, const char *x, int64_t axis) {
  const int64_t m = w->out_type[0].dim[axis];
  const char **part = gi_alloc((size_t)m * sizeof *part), *out[] = {""};
  if (part == NULL) return NULL;
  for (int64_t i = 0; i < m; i++) part[i] = largest_of(w, x, axis, i, m);
  gi_onnx_put_int(w, "axis", axis);
  gi_onnx_put_many(w, "Concat", part, (int)m, out, 1);
  gi_free(part);
  return out[0];
}

static glia_status write_adaptive_max(gi_onnx_writing *w) {
  GI_TRY(no_places(w));
  if (divides(w)) {
    gi_onnx_give(w, 0, by_windows(w, "MaxPool"));
    return GLIA_OK;
  }
  const char *rows = largest_along(w, w->in[0], 2);
  const char *y = rows == NULL ? NULL : largest_along(w, rows, 3);
  if (y == NULL) return gi_fail_nomem((size_t)w->out_type[0].dim[3] * sizeof y);
  gi_onnx_give(w, 0, y);
  return GLIA_OK;
}

static const gi_onnx_export max = {.op = &gi_op_max_pool2d, .write = write_max};
static const gi_onnx_export min = {.op = &gi_op_min_pool2d, .write = write_min};
static const gi_onnx_export avg = {.op = &gi_op_avg_pool2d, .write = write_avg};
static const gi_onnx_export adaptive_avg = {.op = &gi_op_adaptive_avg_pool2d,
                                            .write = write_adaptive_avg};
static const gi_onnx_export adaptive_max = {.op = &gi_op_adaptive_max_pool2d,
                                            .write = write_adaptive_max};
const gi_onnx_export *const gi_onnx_exports_pool[] = {&max,          &min,          &avg,
                                                      &adaptive_avg, &adaptive_max, NULL};
