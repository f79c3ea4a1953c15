/* pooling.c - MaxPool, AveragePool, LpPool, their global forms, and MaxUnpool.
 *
 * glia's pooling has as much padding at both ends, and rounds all axes up or none; what lies
 * behind the end never counts. So of ONNX's padding only that in front matters where the count
 * of windows comes out right; and where it does not, the padding is put around x beforehand.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/values.h"
#include "formats/onnx/windows.h"
#include "glia/index.h"
#include "glia/windows.h"
#include "ops/window.h"

static const double MOST_CELLS = 1e9; /* counted along an axis */

/* Does glia's pooling give the same windows with the padding in front at both ends? */
static bool is_direct(const gi_onnx_window *w, bool ceil) {
  for (int d = 0; d < w->axes; d++)
    if (w->before[d] > gi_onnx_window_span(w, d) / 2 ||
        (w->before[d] > 0 && w->dilation[d] > w->size[d]) ||
        gi_window_count(w->size[d], w->kernel[d], w->stride[d], w->before[d], w->dilation[d],
                        ceil) != w->count[d])
      return false;
  return true;
}

static glia_pool_opts options_of(const gi_onnx_window *w, bool ceil) {
  glia_pool_opts o = {.size = sizeof o, .axes = w->axes, .ceil_mode = ceil};
  for (int d = 0; d < w->axes; d++) {
    o.kernel[d] = w->kernel[d];
    o.stride[d] = w->stride[d];
    o.padding[d] = w->before[d];
    o.dilation[d] = w->dilation[d];
  }
  return o;
}

/* ---- largest ----------------------------------------------------------------------------- */

/* Places in the planes that were pooled (w, `in_front` of them padding) as places in all of x,
 * in row-major order or, `columns`, with the first axis of a plane as the fastest. In f64,
 * where whole numbers divide exactly. */
static glia_value in_all(const gi_onnx_window *w, const int64_t *in_front, glia_value index,
                         const int64_t *x, bool columns) {
  glia_value rest = glia_cast(index, GLIA_F64), place = GLIA_NONE;
  int64_t cells = 1, step[GI_ONNX_AXES] = {0};
  for (int k = 0; k < w->axes; k++) {
    const int d = columns ? k : w->axes - 1 - k;
    step[d] = cells;
    cells *= x[2 + d];
  }
  for (int d = w->axes - 1; d >= 0; d--) {
    const double n = (double)w->size[d];
    const glia_value more = glia_floor(gi_onnx_times(gi_onnx_plus(rest, 0.5), 1 / n));
    const glia_value at =
        gi_onnx_plus(glia_sub(rest, gi_onnx_times(more, n)), -(double)in_front[d]);
    const glia_value part = gi_onnx_times(at, (double)step[d]);
    place = gi_null(place) ? part : glia_add(place, part);
    rest = more;
  }
  if (gi_null(place)) return place;
  const int64_t planes[] = {x[0], x[1], 1, 1, 1};
  const glia_value plane =
      glia_reshape(glia_range(index.graph, x[0] * x[1], GLIA_F64), 2 + w->axes, planes);
  return glia_cast(glia_add(place, gi_onnx_times(plane, (double)cells)), GLIA_I64);
}

static glia_status max_pool(gi_onnx_call *c) {
  glia_value x = gi_onnx_as_float(c->in[0]), index = GLIA_NONE;
  const bool indices = gi_onnx_wanted(c, 1);
  int64_t order, in_front[GI_ONNX_AXES] = {0};
  gi_onnx_window w;
  GI_TRY(gi_onnx_window_read(c, x, NULL, &w));
  GI_TRY(gi_onnx_int(c, "storage_order", 0, &order));
  const bool whole = is_direct(&w, false), direct = whole || is_direct(&w, true);
  if (!direct) {
    memcpy(in_front, w.before, sizeof in_front);
    x = gi_onnx_window_framed(&w, x, -INFINITY);
  }
  const glia_pool_opts o = options_of(&w, direct && !whole);
  c->out[0] = gi_onnx_like(glia_max_pool_opt(x, indices ? &index : NULL, &o), c->in[0]);
  if (indices && !gi_null(index))
    c->out[1] = in_all(&w, in_front, index, glia_value_shape(c->in[0]), order != 0);
  return GLIA_OK;
}

/* ---- sums of windows --------------------------------------------------------------------- */

/* The windows' sums. Averages of whole windows; where cells lie apart, a convolution of each
 * plane with ones. */
static glia_value sums(gi_onnx_window w, glia_value x) {
  int64_t shape[5] = {-1, 1}, ones[5] = {1, 1}, back[5];
  bool apart = false;
  double cells = 1;
  x = gi_onnx_window_framed(&w, x, 0);
  for (int d = 0; d < w.axes; d++) {
    apart = apart || w.dilation[d] != 1;
    cells *= (double)(ones[2 + d] = w.kernel[d]);
    shape[2 + d] = w.size[d];
    back[2 + d] = w.count[d];
  }
  if (gi_null(x)) return x;
  if (!apart) {
    const glia_pool_opts o = options_of(&w, false);
    return gi_onnx_times(glia_avg_pool_opt(x, &o), cells);
  }
  glia_conv_opts o = {.size = sizeof o};
  for (int d = 0; d < w.axes; d++) {
    o.stride[d] = w.stride[d];
    o.dilation[d] = w.dilation[d];
  }
  back[0] = glia_value_dim(x, 0);
  back[1] = glia_value_dim(x, 1);
  const glia_value kernel = glia_broadcast_to(glia_scalar_like(x, 1), 2 + w.axes, ones);
  return glia_reshape(
      glia_conv_with_opt(glia_reshape(x, 2 + w.axes, shape), kernel, GLIA_NONE, &o), 2 + w.axes,
      back);
}

/* Cells of window i along an axis that lie in x or, with `padding`, in it and around it. */
static int64_t cells_of(const gi_onnx_window *w, int d, int64_t i, bool padding) {
  const int64_t low = padding ? -w->before[d] : 0;
  const int64_t end = w->size[d] + (padding ? w->after[d] : 0);
  int64_t n = 0;
  for (int64_t k = 0; k < w->kernel[d]; k++) {
    const int64_t at = i * w->stride[d] - w->before[d] + k * w->dilation[d];
    if (at >= low && at < end) n++;
  }
  return n;
}

/* Each window's 1 / cells along axis d, to be multiplied; 0 where there are none. */
static glia_status shares(const gi_onnx_window *w, int d, bool padding, glia_value like,
                          glia_value *out) {
  const int64_t n = w->count[d];
  if ((double)n * (double)w->kernel[d] > MOST_CELLS)
    return gi_fail(GLIA_UNSUPPORTED, "%" PRId64 " windows of %" PRId64 " cells on axis %d", n,
                   w->kernel[d], d);
  double *v = gi_alloc((size_t)n * sizeof *v + 1);
  if (v == NULL) return gi_fail_nomem((size_t)n * sizeof *v);
  for (int64_t i = 0; i < n; i++) {
    const int64_t cells = cells_of(w, d, i, padding);
    v[i] = cells > 0 ? 1 / (double)cells : 0;
  }
  const glia_value all = glia_constant(like.graph, GLIA_F64, 1, &n, v);
  *out = gi_onnx_along(gi_onnx_like(all, like), 2 + d, 2 + w->axes);
  gi_free(v);
  return GLIA_OK;
}

/* Does glia divide by the same numbers? Without padding it counts what lies in x, with it as
 * much padding behind as in front. */
static bool counts_alike(const gi_onnx_window *w, bool padding) {
  for (int d = 0; d < w->axes; d++) {
    const int64_t last = (w->count[d] - 1) * w->stride[d] + gi_onnx_window_span(w, d);
    if (w->dilation[d] != 1 ||
        (padding && w->before[d] != w->after[d] &&
         last > w->size[d] + w->before[d] + GI_MIN(w->before[d], w->after[d])))
      return false;
  }
  return true;
}

static glia_status average_pool(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]);
  gi_onnx_window w;
  bool padding;
  GI_TRY(gi_onnx_window_read(c, x, NULL, &w));
  GI_TRY(gi_onnx_bool(c, "count_include_pad", false, &padding));
  const bool whole = is_direct(&w, false);
  glia_value y;
  if (counts_alike(&w, padding) && (whole || is_direct(&w, true))) {
    glia_pool_opts o = options_of(&w, !whole);
    o.count_padding = padding;
    y = glia_avg_pool_opt(x, &o);
  } else {
    y = sums(w, x);
    for (int d = 0; d < w.axes && !gi_null(y); d++) {
      glia_value share;
      GI_TRY(shares(&w, d, padding, x, &share));
      y = glia_mul(y, share);
    }
  }
  c->out[0] = gi_onnx_like(y, c->in[0]);
  return GLIA_OK;
}

/* ---- norms of windows -------------------------------------------------------------------- */

static glia_value raised(glia_value x, double p) {
  if (p == 2) return glia_square(x);
  return p == 1 ? glia_abs(x) : glia_pow(glia_abs(x), glia_scalar_like(x, p));
}
static glia_value lowered(glia_value y, double p) {
  if (p == 2) return glia_sqrt(y);
  return p == 1 ? y : glia_pow(y, glia_scalar_like(y, 1 / p));
}

/* p is a float in version 1, a whole number after it. */
static glia_status power_of(const gi_onnx_call *c, double *p) {
  int64_t whole;
  if (c->version < 2) {
    GI_TRY(gi_onnx_float(c, "p", 2, p));
  } else {
    GI_TRY(gi_onnx_int(c, "p", 2, &whole));
    *p = (double)whole;
  }
  if (*p > 0) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_FORMAT, "p is %g, wanted more than 0", *p);
}

static glia_status lp_pool(gi_onnx_call *c) {
  const glia_value x = gi_onnx_as_float(c->in[0]);
  gi_onnx_window w;
  double p;
  GI_TRY(power_of(c, &p));
  GI_TRY(gi_onnx_window_read(c, x, NULL, &w));
  c->out[0] = gi_onnx_like(lowered(sums(w, raised(x, p)), p), c->in[0]);
  return GLIA_OK;
}

/* ---- all of a plane ---------------------------------------------------------------------- */

static glia_status all_axes(const gi_onnx_call *c, glia_reduce_opts *o) {
  *o = (glia_reduce_opts){.size = sizeof *o, .keep = true};
  for (int d = 2; d < glia_value_rank(c->in[0]); d++) o->axes[o->n++] = d;
  if (o->n > 0) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE, "x has rank %d, wanted [N, C, ...]",
                      glia_value_rank(c->in[0]));
}

static glia_status global(gi_onnx_call *c,
                          glia_value (*reduce)(glia_value, const glia_reduce_opts *)) {
  glia_reduce_opts o;
  GI_TRY(all_axes(c, &o));
  c->out[0] = gi_onnx_like(reduce(gi_onnx_as_float(c->in[0]), &o), c->in[0]);
  return GLIA_OK;
}
static glia_status global_average_pool(gi_onnx_call *c) { return global(c, glia_mean_opt); }
static glia_status global_max_pool(gi_onnx_call *c) { return global(c, glia_max_opt); }

static glia_status global_lp_pool(gi_onnx_call *c) {
  glia_reduce_opts o;
  double p;
  GI_TRY(power_of(c, &p));
  GI_TRY(all_axes(c, &o));
  const glia_value sum = glia_sum_opt(raised(gi_onnx_as_float(c->in[0]), p), &o);
  c->out[0] = gi_onnx_like(lowered(sum, p), c->in[0]);
  return GLIA_OK;
}

/* ---- back -------------------------------------------------------------------------------- */

/* The indices are places in all of a tensor of the size that pooling would have come from;
 * output_shape puts zeros behind that. */
static glia_status max_unpool(gi_onnx_call *c) {
  const glia_value x = c->in[0];
  const int rank = glia_value_rank(x);
  int64_t shape[GLIA_MAX_RANK], want[GLIA_MAX_RANK], count = 1;
  int64_t after[GLIA_MAX_RANK] = {0};
  const int64_t none[GLIA_MAX_RANK] = {0};
  gi_onnx_window w;
  int n = 0;
  GI_TRY(gi_onnx_window_attributes(c, x, NULL, &w));
  for (int d = 0; d < rank; d++) {
    shape[d] = glia_value_dim(x, d);
    if (d >= 2)
      shape[d] =
          (shape[d] - 1) * w.stride[d - 2] - w.before[d - 2] - w.after[d - 2] + w.kernel[d - 2];
    if (shape[d] < 0 || (shape[d] > 0 && count > INT64_MAX / 8 / shape[d]))
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %d of the result has %" PRId64 " elements", d,
                          shape[d]);
    count *= shape[d];
  }
  if (gi_onnx_given(c, 2)) GI_TRY(gi_onnx_known_ints(c, 2, want, GLIA_MAX_RANK, &n));
  if (n != 0 && n != rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "output_shape has %d numbers, wanted %d", n, rank);
  for (int d = 0; d < n; d++) {
    after[d] = want[d] - shape[d];
    if (after[d] < 0)
      return gi_onnx_fail(c, GLIA_SHAPE,
                          "output_shape is %" PRId64 " on axis %d, the windows give %" PRId64,
                          want[d], d, shape[d]);
  }
  const int64_t flat[] = {-1};
  const glia_value all =
      glia_scatter(gi_onnx_zeros(x, 1, &count), glia_reshape(c->in[1], 1, flat),
                   glia_reshape(x, 1, flat), 0, GLIA_SCATTER_SET);
  c->out[0] = glia_reshape(all, rank, shape);
  if (n > 0) c->out[0] = glia_pad(c->out[0], none, after, 0);
  return GLIA_OK;
}

/* ---- rows -------------------------------------------------------------------------------- */

#define WINDOW "auto_pad ceil_mode dilations kernel_shape pads strides "

const gi_onnx_operator *const gi_onnx_operators_pooling[] = {
    GI_ONNX_ROW("MaxPool", WINDOW "storage_order", 1, 1, 2, max_pool, 1),
    GI_ONNX_ROW("AveragePool", WINDOW "count_include_pad", 1, 1, 1, average_pool, 1),
    GI_ONNX_ROW("LpPool", WINDOW "p", 1, 1, 1, lp_pool, 1, 2),
    GI_ONNX_ROW("GlobalAveragePool", "", 1, 1, 1, global_average_pool, 1),
    GI_ONNX_ROW("GlobalMaxPool", "", 1, 1, 1, global_max_pool, 1),
    GI_ONNX_ROW("GlobalLpPool", "p", 1, 1, 1, global_lp_pool, 1, 2),
    GI_ONNX_ROW("MaxUnpool", "kernel_shape pads strides", 2, 3, 1, max_unpool, 9),
    NULL,
};
