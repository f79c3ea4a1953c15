/* resize.c - Resize and Upsample, axis by axis.
 *
 * Element i of m looks at a place of the n there were; which one is
 * coordinate_transformation_mode (place()). With linear and cubic weights these are glia's
 * resize ops, whose places are i slope + offset. Two kinds are not:
 *
 *   nearest    which neighbour is taken turns on the last bit where a place lies in the middle,
 * so it is computed here as the specification writes it, in double. If glia's op comes to the
 * same elements it is that op, else a look-up. antialias  glia's weights end at x's edges (as
 * PyTorch's), ONNX's go beyond, where the edge is repeated: a product with the matrix of
 * weights.
 */
#include "ops/resize.h"

#include <inttypes.h>
#include <math.h>

#include "formats/onnx/values.h"
#include "ops/attrs.h"

enum { NEAREST, LINEAR, CUBIC };
enum { HALF_PIXEL, SYMMETRIC, PYTORCH, ALIGN, ASYMMETRIC, TF_NEAREST, CROP };
enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, SIMPLE };

static const int64_t MOST = 1 << 28; /* elements of an axis; of a matrix of weights */

typedef struct plan {
  int mode, coordinates, rounding;
  bool antialias, exclude;
  double cubic, outside;
} plan;

typedef struct axis { /* one that is resized */
  int at;
  int64_t n, m;
  double scale, from, to; /* from, to: of the crop */
} axis;

/* ---- places ------------------------------------------------------------------------------ */

static double place(const plan *p, const axis *a, double i) {
  const double n = (double)a->n, m = (double)a->m, length = a->scale * n;
  switch (p->coordinates) {
    case ASYMMETRIC: return i / a->scale;
    case ALIGN: return length == 1 ? 0 : i * (n - 1) / (length - 1);
    case PYTORCH: return m > 1 ? (i + 0.5) / a->scale - 0.5 : 0;
    case SYMMETRIC: return n / 2 * (1 - m / length) + (i + 0.5) / a->scale - 0.5;
    case TF_NEAREST: return (i + 0.5) / a->scale;
    case CROP:
      return m > 1 ? a->from * (n - 1) + i * (a->to - a->from) * (n - 1) / (m - 1)
                   : (a->from + a->to) * (n - 1) / 2;
    default: return (i + 0.5) / a->scale - 0.5;
  }
}

static int64_t neighbour(const plan *p, const axis *a, int64_t i) {
  const double at = place(p, a, (double)i), half = floor(2 * at + 0.5) / 2;
  const double s = fabs(at - half) <= 2e-7 * (1 + fabs(at)) ? half : at;
  double k;
  switch (p->rounding) {
    case FLOOR: k = floor(s); break;
    case CEIL: k = ceil(s); break;
    case PREFER_CEIL: k = floor(s + 0.5); break;
    case SIMPLE: k = a->scale < 1 ? ceil(s) : floor(s); break;
    default: k = ceil(s - 0.5); break;
  }
  return (int64_t)fmax(0, fmin(k, (double)(a->n - 1)));
}

static bool is_outside(const plan *p, const axis *a, int64_t i) {
  const double s = place(p, a, (double)i);
  return p->coordinates == CROP && (s < 0 || s > (double)(a->n - 1));
}

/* ---- one axis ---------------------------------------------------------------------------- */

static gi_resize_attr attr_of(const plan *p, const axis *a) {
  static const char *const names[] = {"nearest", "linear", "cubic"};
  gi_resize_attr t = {.axis = a->at,
                      .size = a->m,
                      .mode = names[p->mode],
                      .sharpness = p->cubic,
                      .inner = p->exclude,
                      .bounded = p->coordinates == CROP};
  t.offset = place(p, a, 0);
  t.slope = a->m > 1 ? (place(p, a, (double)(a->m - 1)) - t.offset) / (double)(a->m - 1) : 0;
  if (p->mode != NEAREST) return t;
  t.up = p->rounding == CEIL || p->rounding == PREFER_FLOOR ||
         (p->rounding == SIMPLE && a->scale < 1);
  if (p->rounding == PREFER_FLOOR) t.offset -= 0.5;
  if (p->rounding == PREFER_CEIL) t.offset += 0.5;
  return t;
}

static glia_status nearest(const plan *p, const axis *a, glia_value *x) {
  const gi_resize_attr t = attr_of(p, a);
  const bool floats = glia_dtype_is_float(glia_value_dtype(*x));
  int64_t *index = gi_alloc((size_t)a->m * (sizeof *index + sizeof(double)) + 1);
  if (index == NULL) return gi_fail_nomem((size_t)a->m * 16);
  double *inside = (double *)(index + a->m), w;
  bool same = floats, all = true;
  for (int64_t i = 0; i < a->m; i++) {
    int64_t first;
    index[i] = neighbour(p, a, i);
    inside[i] = is_outside(p, a, i) ? 0 : 1;
    all = all && inside[i] != 0;
    same = same && gi_resize_weights(&t, a->n, a->m, i, &first, &w) == (inside[i] != 0) &&
           (inside[i] == 0 || first == index[i]);
  }
  if (same) {
    *x = gi_emit1(&gi_op_resize, &t, *x);
  } else {
    *x = glia_gather(*x, glia_constant(x->graph, GLIA_I64, 1, &a->m, index), a->at);
    if (!all) {
      const glia_value mask = glia_constant(x->graph, GLIA_F64, 1, &a->m, inside);
      *x = glia_mul(*x, gi_onnx_along(gi_onnx_like(mask, *x), a->at, glia_value_rank(*x)));
    }
  }
  gi_free(index);
  return GLIA_OK;
}

static double weight(const plan *p, double t) {
  const double c = p->cubic;
  t = fabs(t);
  if (p->mode == LINEAR) return fmax(0, 1 - t);
  if (t <= 1) return ((c + 2) * t - (c + 3)) * t * t + 1;
  return t < 2 ? ((c * t - 5 * c) * t + 8 * c) * t - 4 * c : 0;
}

/* Row i of [m, n]: weights stretched by 1 / scale, what lies outside being given to the edge
 * or, exclude_outside, to nobody. */
static void weigh(const plan *p, const axis *a, int64_t i, double *row) {
  const double s = place(p, a, (double)i), reach = (p->mode == CUBIC ? 2 : 1) / a->scale;
  double sum = 0;
  const int64_t first = (int64_t)ceil(s - reach), last = (int64_t)floor(s + reach);
  for (int64_t k = first; k <= last; k++) {
    if (p->exclude && (k < 0 || k >= a->n)) continue;
    const double w = weight(p, ((double)k - s) * a->scale);
    row[GI_MAX(0, GI_MIN(k, a->n - 1))] += w;
    sum += w;
  }
  for (int64_t k = 0; k < a->n && sum != 0; k++) row[k] /= sum;
}

static glia_status smoothed(const plan *p, const axis *a, glia_value *x) {
  const int rank = glia_value_rank(*x);
  const int64_t shape[] = {a->m, a->n};
  const size_t bytes = (size_t)a->m * (size_t)a->n * sizeof(double);
  if (a->m > MOST / a->n)
    return gi_fail(GLIA_UNSUPPORTED, "antialias from %" PRId64 " to %" PRId64 " elements", a->n,
                   a->m);
  double *w = gi_alloc(bytes + 1);
  if (w == NULL) return gi_fail_nomem(bytes);
  for (int64_t i = 0; i < a->m; i++)
    if (!is_outside(p, a, i)) weigh(p, a, i, w + i * a->n);
  const glia_value matrix = gi_onnx_like(glia_constant(x->graph, GLIA_F64, 2, shape, w), *x);
  gi_free(w);
  if (rank > 1) *x = glia_transpose(*x, a->at, rank - 1);
  if (rank == 1) *x = glia_reshape(*x, 2, (const int64_t[]){1, a->n});
  *x = glia_matmul(*x, matrix, .transpose_b = true);
  *x = rank > 1 ? glia_transpose(*x, a->at, rank - 1) : glia_reshape(*x, 1, &a->m);
  return GLIA_OK;
}

static glia_status resize_axis(const plan *p, const axis *a, glia_value *x) {
  const gi_resize_attr t = attr_of(p, a);
  if (a->m == a->n && (a->n == 1 || t.slope == 1) && place(p, a, 0) == 0) return GLIA_OK;
  if (p->mode == NEAREST) return nearest(p, a, x);
  if (p->antialias && a->scale < 1) return smoothed(p, a, x);
  *x = gi_emit1(&gi_op_resize, &t, *x);
  return GLIA_OK;
}

/* Axes that shrink come first. Outside of a crop the result is 0, so x is moved by what it is
 * to be there. */
static glia_status resized(gi_onnx_call *c, const plan *p, const axis *axes, int n) {
  const bool moved = p->coordinates == CROP && p->outside != 0;
  glia_value x = c->in[0];
  if (p->mode != NEAREST || p->coordinates == CROP) x = gi_onnx_as_float(x);
  if (moved) x = gi_onnx_plus(x, -p->outside);
  for (int grow = 0; grow < 2; grow++)
    for (int k = 0; k < n && !gi_null(x); k++)
      if ((axes[k].m > axes[k].n) == (grow == 1)) GI_TRY(resize_axis(p, &axes[k], &x));
  if (moved) x = gi_onnx_plus(x, p->outside);
  c->out[0] = gi_onnx_like(x, c->in[0]);
  return GLIA_OK;
}

/* ---- sizes ------------------------------------------------------------------------------- */

static glia_status check(const gi_onnx_call *c, const axis *a) {
  if (a->scale > 0 && isfinite(a->scale) && a->n > 0 && a->n <= INT32_MAX && a->m > 0 &&
      a->m <= MOST)
    return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE, "axis %d of %" PRId64 " elements by %g to %" PRId64, a->at,
                      a->n, a->scale, a->m);
}

/* The size is computed in float, as the scales are given: 10 times 0.7 is 7. */
static glia_status by_scales(const gi_onnx_call *c, const double *scale, int count, axis *axes,
                             int n) {
  if (count != n) return gi_onnx_fail(c, GLIA_SHAPE, "%d scales for %d axes", count, n);
  for (int k = 0; k < n; k++) {
    axis *a = &axes[k];
    const float size = floorf((float)a->n * (float)scale[k]);
    a->scale = scale[k];
    a->m = size >= 1 && size < 2147483648.0F ? (int64_t)size : 0;
    GI_TRY(check(c, a));
  }
  return GLIA_OK;
}

static glia_status by_sizes(const gi_onnx_call *c, const int64_t *size, int count, axis *axes,
                            int n) {
  static const char *const words[] = {"stretch", "not_larger", "not_smaller", NULL};
  int policy;
  double one = 0;
  GI_TRY(gi_onnx_choice(c, "keep_aspect_ratio_policy", "stretch", words, &policy));
  if (count != n) return gi_onnx_fail(c, GLIA_SHAPE, "%d sizes for %d axes", count, n);
  for (int k = 0; k < n; k++) {
    axes[k].m = size[k];
    axes[k].scale = (double)size[k] / (double)axes[k].n;
    GI_TRY(check(c, &axes[k]));
    if (k == 0 || (policy == 1 ? axes[k].scale < one : axes[k].scale > one))
      one = axes[k].scale;
  }
  for (int k = 0; k < n && policy != 0; k++) {
    axes[k].scale = one;
    axes[k].m = (int64_t)floor(one * (double)axes[k].n + 0.5);
    GI_TRY(check(c, &axes[k]));
  }
  return GLIA_OK;
}

/* The numbers of input i. */
static glia_status numbers(const gi_onnx_call *c, int i, double *out, int room, int *n) {
  const glia_tensor *t;
  GI_TRY(gi_onnx_known(c, i, &t));
  if (glia_tensor_count(t) > room)
    return gi_onnx_fail(c, GLIA_SHAPE, "input %d has %" PRId64 " numbers, wanted at most %d", i,
                        glia_tensor_count(t), room);
  *n = (int)glia_tensor_count(t);
  for (int k = 0; k < *n; k++) out[k] = glia_tensor_get(t, k);
  return GLIA_OK;
}

/* Is input i there, with elements? Empty ones stand for those that are not given. */
static bool has_numbers(const gi_onnx_call *c, int i) {
  if (!gi_onnx_given(c, i)) return false;
  for (int d = 0; d < glia_value_rank(c->in[i]); d++)
    if (glia_value_dim(c->in[i], d) == 0) return false;
  return true;
}

static glia_status axes_of(const gi_onnx_call *c, axis *axes, int *n) {
  const int rank = glia_value_rank(c->in[0]);
  int64_t list[GLIA_MAX_RANK];
  GI_TRY(gi_onnx_ints(c, "axes", list, GLIA_MAX_RANK, n));
  if (*n == 0)
    for (*n = 0; *n < rank; (*n)++) list[*n] = *n;
  for (int k = 0; k < *n; k++) {
    if (list[k] < -rank || list[k] >= rank)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %" PRId64 " of rank %d", list[k], rank);
    const int at = (int)(list[k] < 0 ? list[k] + rank : list[k]);
    axes[k] = (axis){.at = at, .n = glia_value_dim(c->in[0], at), .to = 1};
  }
  return GLIA_OK;
}

/* ---- Resize ------------------------------------------------------------------------------ */

static glia_status read_plan(const gi_onnx_call *c, plan *p) {
  static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
  static const char *const places[] = {
      "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
      "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize", NULL};
  static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                          "ceil", NULL};
  *p = (plan){.coordinates = ASYMMETRIC, .rounding = SIMPLE};
  GI_TRY(gi_onnx_choice(c, "mode", "nearest", modes, &p->mode));
  if (c->version < 11) return GLIA_OK; /* which knows nothing else */
  GI_TRY(gi_onnx_choice(c, "coordinate_transformation_mode", "half_pixel", places,
                        &p->coordinates));
  GI_TRY(gi_onnx_choice(c, "nearest_mode", "round_prefer_floor", roundings, &p->rounding));
  GI_TRY(gi_onnx_bool(c, "antialias", false, &p->antialias));
  GI_TRY(gi_onnx_bool(c, "exclude_outside", false, &p->exclude));
  GI_TRY(gi_onnx_float(c, "cubic_coeff_a", -0.75, &p->cubic));
  return gi_onnx_float(c, "extrapolation_value", 0, &p->outside);
}

/* Inputs: scales (10); roi, scales, sizes. */
static glia_status resize(gi_onnx_call *c) {
  const int roi_at = c->version < 11 ? -1 : 1, scales_at = c->version < 11 ? 1 : 2;
  double scale[GLIA_MAX_RANK] = {0}, roi[2 * GLIA_MAX_RANK] = {0};
  int64_t size[GLIA_MAX_RANK] = {0};
  axis axes[GLIA_MAX_RANK] = {0};
  int n = 0, count = 0;
  plan p = {0};
  GI_TRY(read_plan(c, &p));
  GI_TRY(axes_of(c, axes, &n));
  if (p.coordinates == CROP) {
    if (!has_numbers(c, roi_at)) return gi_onnx_fail(c, GLIA_FORMAT, "a crop without roi");
    GI_TRY(numbers(c, roi_at, roi, 2 * GLIA_MAX_RANK, &count));
    if (count != 2 * n) return gi_onnx_fail(c, GLIA_SHAPE, "roi has %d numbers", count);
    for (int k = 0; k < n; k++) {
      axes[k].from = roi[k];
      axes[k].to = roi[n + k];
    }
  }
  if (has_numbers(c, scales_at)) {
    GI_TRY(numbers(c, scales_at, scale, GLIA_MAX_RANK, &count));
    GI_TRY(by_scales(c, scale, count, axes, n));
  } else if (has_numbers(c, 3)) {
    GI_TRY(gi_onnx_known_ints(c, 3, size, GLIA_MAX_RANK, &count));
    GI_TRY(by_sizes(c, size, count, axes, n));
  } else {
    return gi_onnx_fail(c, GLIA_FORMAT, "neither scales nor sizes are given");
  }
  return resized(c, &p, axes, n);
}

/* Scales are an attribute in version 7, an input in 9. */
static glia_status upsample(gi_onnx_call *c) {
  double scale[GLIA_MAX_RANK] = {0};
  axis axes[GLIA_MAX_RANK] = {0};
  int n = 0, count = 0;
  plan p = {0};
  GI_TRY(read_plan(c, &p));
  GI_TRY(axes_of(c, axes, &n));
  if (c->version < 9)
    GI_TRY(gi_onnx_floats(c, "scales", scale, GLIA_MAX_RANK, &count));
  else
    GI_TRY(numbers(c, 1, scale, GLIA_MAX_RANK, &count));
  GI_TRY(by_scales(c, scale, count, axes, n));
  return resized(c, &p, axes, n);
}

/* ---- rows -------------------------------------------------------------------------------- */

static const gi_onnx_operator old = {.name = "Upsample",
                                     .since = {7, 9},
                                     .until = 10,
                                     .min_in = 1,
                                     .max_in = 2,
                                     .attributes = "mode scales",
                                     .build = upsample};

const gi_onnx_operator *const gi_onnx_operators_resize[] = {
    GI_ONNX_ROW("Resize",
                "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "
                "extrapolation_value keep_aspect_ratio_policy mode nearest_mode",
                1, 4, 1, resize, 10, 11),
    &old,
    NULL,
};
