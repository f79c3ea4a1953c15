/* detection.c - NonMaxSuppression, RoiAlign and MaxRoiPool: boxes of detectors.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/values.h"
#include "glia/boxes.h"
#include "glia/index.h"
#include "ops/attrs.h"

/* ---- NonMaxSuppression ------------------------------------------------------------------- */

/* Every class of every image by itself: boxes [N, S, 4], scores [N, C, S] -> rows (image,
 * class, box). As many rows as boxes stay, which is known once they are computed. */

/* Corners in any order, or a centre and a size, as x1 <= x2, y1 <= y2 (or both turned round,
 * which changes no overlap). */
static glia_value corners(glia_value boxes, bool centred) {
  glia_value part[4], out[4];
  for (int k = 0; k < 4; k++) part[k] = gi_onnx_part(boxes, -1, k, k + 1);
  for (int k = 0; k < 2; k++) {
    if (centred) {
      const glia_value half = gi_onnx_times(part[2 + k], 0.5);
      out[k] = glia_sub(part[k], half);
      out[2 + k] = glia_add(part[k], half);
    } else {
      out[k] = glia_minimum(part[k], part[2 + k]);
      out[2 + k] = glia_maximum(part[k], part[2 + k]);
    }
  }
  return glia_concat(out, 4, -1);
}

typedef struct suppression {
  int64_t images, classes, boxes, most; /* most: rows of a class */
  double iou, score;                    /* score: above it; -infinity: all */
} suppression;

/* Boxes that stay, of image i and class k: [1, most] and how many, [1]. */
static void class_of(const suppression *s, glia_value boxes, glia_value scores, int64_t i,
                     int64_t k, glia_value *stay, glia_value *count) {
  const int64_t flat[] = {s->boxes, 4}, all[] = {s->boxes}, row[] = {1, s->most}, one[] = {1};
  /* the op keeps what is as good as its limit, ONNX what is better; its 0 is no limit */
  const gi_nms_attr a = {
      .iou = s->iou,
      .score = isinf(s->score) ? 0 : (double)nextafterf((float)s->score, INFINITY),
      .most = s->most};
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  const glia_value in[] = {
      glia_reshape(gi_onnx_part(boxes, 0, i, i + 1), 2, flat),
      glia_reshape(gi_onnx_part(gi_onnx_part(scores, 0, i, i + 1), 1, k, k + 1), 1, all)};
  gi_emit(NULL, &gi_op_nms, &a, in, 2, out);
  *stay = glia_reshape(gi_onnx_part(out[0], 0, 0, s->most), 2, row);
  *count = glia_reshape(out[1], 1, one);
}

/* All of n values one behind the other, by few at a time. v is used up. */
static glia_value joined(glia_value *v, int64_t n) {
  enum { FEW = 32 };
  for (; n > 1; n = (n + FEW - 1) / FEW)
    for (int64_t k = 0; k < n; k += FEW)
      v[k / FEW] = glia_concat(v + k, (int)GI_MIN(FEW, n - k), 0);
  return v[0];
}

/* Rows (image, class, box) of stay [N C, most], of which count [N C] hold. */
static glia_status rows(gi_onnx_call *c, const suppression *s, glia_value stay,
                        glia_value count) {
  const int64_t n = s->images * s->classes, column[] = {n, 1};
  const glia_tensor *known;
  glia_value total;
  const glia_value place = glia_range(c->g, s->most, GLIA_I64);
  const glia_value held =
      glia_nonzero(glia_less(place, glia_reshape(count, 2, column)), &total);
  if (gi_null(held)) return GLIA_OK;
  GI_TRY(gi_onnx_known_value(c, total, "how many boxes stay", &known));
  const glia_value at = gi_onnx_part(held, 0, 0, (int64_t)glia_tensor_get(known, 0));
  const glia_value pair = gi_onnx_as(gi_onnx_part(at, 1, 0, 1), GLIA_F64);
  const glia_value image =
      glia_floor(gi_onnx_times(gi_onnx_plus(pair, 0.5), 1 / (double)s->classes));
  const glia_value class = glia_sub(pair, gi_onnx_times(image, (double)s->classes));
  const glia_value box = glia_gather_nd(stay, at);
  if (gi_null(box)) return GLIA_OK;
  const glia_value parts[] = {
      gi_onnx_as(image, GLIA_I64), gi_onnx_as(class, GLIA_I64),
      glia_reshape(box, 2, (const int64_t[]){glia_value_dim(box, 0), 1})};
  c->out[0] = glia_concat(parts, 3, 1);
  return GLIA_OK;
}

static glia_status read(const gi_onnx_call *c, suppression *s) {
  double most;
  GI_TRY(gi_onnx_want_rank(c, 0, 3, "boxes [N, S, 4]"));
  GI_TRY(gi_onnx_want_rank(c, 1, 3, "scores [N, C, S]"));
  const int64_t *b = glia_value_shape(c->in[0]), *p = glia_value_shape(c->in[1]);
  if (b[0] != p[0] || b[1] != p[2] || b[2] != 4)
    return gi_onnx_fail(c, GLIA_SHAPE, "boxes and scores want shapes [N, S, 4] and [N, C, S]");
  GI_TRY(gi_onnx_known_number(c, 2, 0, &most));
  GI_TRY(gi_onnx_known_number(c, 3, 0, &s->iou));
  GI_TRY(gi_onnx_known_number(c, 4, -INFINITY, &s->score));
  s->images = b[0];
  s->classes = p[1];
  s->boxes = b[1];
  s->most = (int64_t)fmax(0, fmin(most, (double)b[1]));
  s->iou = fmax(0, fmin(s->iou, 1));
  if (s->classes > 0 && s->images > INT16_MAX / s->classes)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "%" PRId64 " images of %" PRId64 " classes",
                        s->images, s->classes);
  return GLIA_OK;
}

static glia_status non_max_suppression(gi_onnx_call *c) {
  suppression s = {0};
  bool centred = false;
  GI_TRY(read(c, &s));
  GI_TRY(gi_onnx_bool(c, "center_point_box", false, &centred));
  c->out_type[0] = GI_ONNX_INT64;
  const int64_t n = s.images * s.classes, none[] = {0, 3};
  if (n == 0 || s.most == 0) {
    c->out[0] = gi_onnx_zeros(glia_scalar(c->g, GLIA_I64, 0), 2, none);
    return GLIA_OK;
  }
  glia_value *stay = gi_alloc((size_t)n * 2 * sizeof *stay);
  if (stay == NULL) return gi_fail_nomem((size_t)n * 2 * sizeof *stay);
  glia_value *count = stay + n;
  const glia_value boxes = corners(gi_onnx_as_float(c->in[0]), centred),
                   scores = gi_onnx_as_float(c->in[1]);
  for (int64_t k = 0; k < n && !gi_null(boxes); k++)
    class_of(&s, boxes, scores, k / s.classes, k % s.classes, &stay[k], &count[k]);
  const glia_value all = joined(stay, n), counts = joined(count, n);
  gi_free(stay);
  return rows(c, &s, all, counts);
}

/* ---- RoiAlign ---------------------------------------------------------------------------- */

/* x [N, C, H, W], boxes [K, 4], images [K]. The mean of the places looked at is glia's; the
 * largest is, as ONNX's reference has it, that of the four pixels around each place, each
 * times its share of the interpolation. Cells of boxes without sampling_ratio are looked at as
 * often as they have pixels, in a loop as long as the longest: a place looked at twice changes
 * no maximum. */

typedef struct cells {  /* of the boxes along an axis */
  glia_value low, high; /* i64 [K, cells S]: the pixels around each place */
  glia_value share;     /* of the upper one */
  glia_value inside;    /* bool: does the place count? */
} cells;

typedef struct aligned {
  const gi_onnx_call *c;
  glia_value x, boxes; /* wide */
  double scale;
  bool half_pixel;
  int64_t sampling; /* 0: by box */
} aligned;

/* axis 0: along y; n cells of the box, among `pixels`. *s: samples a cell. */
static glia_status cells_along(const aligned *f, int axis, int64_t n, int64_t pixels,
                               int64_t *s, cells *out) {
  const int first = 1 - axis; /* boxes are x1, y1, x2, y2 */
  const double shift = f->half_pixel ? -0.5 : 0;
  const glia_value a =
      gi_onnx_plus(gi_onnx_times(gi_onnx_part(f->boxes, 1, first, first + 1), f->scale), shift);
  const glia_value b = gi_onnx_plus(
      gi_onnx_times(gi_onnx_part(f->boxes, 1, 2 + first, 3 + first), f->scale), shift);
  glia_value length = glia_sub(b, a);
  if (!f->half_pixel) length = glia_maximum(length, glia_scalar_like(length, 1));
  const glia_value cell = gi_onnx_times(length, 1 / (double)n);
  glia_value times = glia_maximum(glia_ceil(cell), glia_scalar_like(cell, 1));
  *s = f->sampling;
  if (f->sampling > 0) {
    times = glia_full_like(cell, (double)f->sampling);
  } else {
    const glia_tensor *most;
    GI_TRY(gi_onnx_known_value(f->c, glia_max(times), "the samples of a box", &most));
    *s = (int64_t)fmax(1, fmin(glia_tensor_get(most, 0), INT16_MAX));
  }
  const glia_dtype dtype = glia_value_dtype(cell);
  const glia_value i = glia_repeat(glia_range(f->c->g, n, dtype), 0, *s);
  const int64_t again[] = {n};
  const glia_value k = glia_minimum(glia_tile(glia_range(f->c->g, *s, dtype), 1, again),
                                    gi_onnx_plus(times, -1));
  const glia_value within = glia_div(gi_onnx_plus(k, 0.5), times);
  const glia_value v = glia_add(a, glia_mul(cell, glia_add(i, within))); /* [K, n S] */
  const double last = (double)(pixels - 1);
  out->inside = glia_logical_and(glia_greater_equal(v, glia_scalar_like(v, -1)),
                                 glia_less_equal(v, glia_scalar_like(v, (double)pixels)));
  const glia_value at = glia_clip(v, 0, last), low = glia_floor(at);
  out->share = glia_sub(at, low);
  out->low = glia_cast(low, GLIA_I64);
  out->high = glia_cast(glia_clip(gi_onnx_plus(low, 1), 0, last), GLIA_I64);
  return GLIA_OK;
}

/* [K, A] along y or [K, B] along x, against [K, A, B, C]. */
static glia_value against(glia_value v, int axis) {
  const int64_t k = glia_value_dim(v, 0), n = glia_value_dim(v, 1);
  const int64_t y[] = {k, n, 1, 1}, x[] = {k, 1, n, 1};
  return gi_null(v) ? v : glia_reshape(v, 4, axis == 0 ? y : x);
}

static glia_status largest(const aligned *f, glia_value images, int64_t height, int64_t width,
                           glia_value *y) {
  const int64_t *d = glia_value_shape(f->x), boxes = glia_value_dim(f->boxes, 0);
  const int64_t pixels[] = {d[0] * d[2] * d[3], d[1]}, each[] = {boxes, 1, 1};
  const int last_channel[] = {0, 2, 3, 1};
  int64_t sy, sx;
  cells cy, cx;
  GI_TRY(cells_along(f, 0, height, d[2], &sy, &cy));
  GI_TRY(cells_along(f, 1, width, d[3], &sx, &cx));
  const glia_value all = glia_reshape(glia_permute(f->x, last_channel), 2, pixels);
  const glia_value image =
      glia_reshape(gi_onnx_times(glia_cast(images, GLIA_I64), (double)(d[2] * d[3])), 3, each);
  glia_value best = GLIA_NONE;
  for (int corner = 0; corner < 4; corner++) {
    const bool down = corner / 2 == 1, right = corner % 2 == 1;
    const int64_t rows_at[] = {boxes, height * sy, 1}, columns_at[] = {boxes, 1, width * sx};
    const glia_value row = glia_reshape(down ? cy.high : cy.low, 3, rows_at);
    const glia_value column = glia_reshape(right ? cx.high : cx.low, 3, columns_at);
    const glia_value at = glia_add(image, glia_add(gi_onnx_times(row, (double)d[3]), column));
    const glia_value one = glia_scalar_like(cy.share, 1);
    const glia_value share = glia_mul(against(down ? cy.share : glia_sub(one, cy.share), 0),
                                      against(right ? cx.share : glia_sub(one, cx.share), 1));
    const glia_value v = glia_mul(glia_gather(all, at, 0), share);
    best = gi_null(best) ? v : glia_maximum(best, v);
  }
  const glia_value inside = glia_logical_and(against(cy.inside, 0), against(cx.inside, 1));
  best = glia_where(inside, best, glia_scalar_like(best, 0));
  const int64_t apart[] = {boxes, height, sy, width, sx, d[1]};
  best = glia_max(glia_reshape(best, 6, apart), .n = 2, .axes = {2, 4});
  *y = glia_permute(best, (const int[]){0, 3, 1, 2});
  return GLIA_OK;
}

/* Version 10 has boxes as output_half_pixel has them. */
static glia_status roi_align(gi_onnx_call *c) {
  static const char *const modes[] = {"avg", "max", NULL};
  static const char *const places[] = {"half_pixel", "output_half_pixel", NULL};
  aligned f = {.c = c, .x = gi_onnx_as_float(c->in[0])};
  int64_t height, width;
  int mode, coordinates = 1;
  GI_TRY(gi_onnx_want_rank(c, 0, 4, "[N, C, H, W]"));
  GI_TRY(gi_onnx_want_rank(c, 1, 2, "[K, 4]"));
  GI_TRY(gi_onnx_choice(c, "mode", "avg", modes, &mode));
  if (c->version >= 16)
    GI_TRY(gi_onnx_choice(c, "coordinate_transformation_mode", "half_pixel", places,
                          &coordinates));
  GI_TRY(gi_onnx_int(c, "output_height", 1, &height));
  GI_TRY(gi_onnx_int(c, "output_width", 1, &width));
  GI_TRY(gi_onnx_int(c, "sampling_ratio", 0, &f.sampling));
  GI_TRY(gi_onnx_float(c, "spatial_scale", 1, &f.scale));
  if (height < 1 || width < 1 || height > INT16_MAX || width > INT16_MAX || f.sampling < 0 ||
      f.sampling > INT16_MAX)
    return gi_onnx_fail(c, GLIA_FORMAT,
                        "%" PRId64 " x %" PRId64 " cells, sampling_ratio %" PRId64, height,
                        width, f.sampling);
  f.boxes = gi_onnx_like(c->in[1], f.x);
  f.half_pixel = coordinates == 0;
  glia_value y = GLIA_NONE;
  if (gi_null(f.x) || gi_null(f.boxes)) return GLIA_OK;
  if (mode == 1)
    GI_TRY(largest(&f, c->in[2], height, width, &y));
  else
    y = glia_roi_align(f.x, f.boxes, gi_onnx_as(c->in[2], GLIA_I64), .height = height,
                       .width = width, .scale = f.scale,
                       .sampling = f.sampling > 0 ? f.sampling : -1, .aligned = f.half_pixel);
  c->out[0] = gi_onnx_like(y, c->in[0]);
  return GLIA_OK;
}

/* Boxes [K, 5]: the image first. */
static glia_status max_roi_pool(gi_onnx_call *c) {
  int64_t shape[2];
  const int64_t flat[] = {-1};
  double scale;
  int n;
  GI_TRY(gi_onnx_want_rank(c, 1, 2, "[K, 5]"));
  GI_TRY(gi_onnx_ints(c, "pooled_shape", shape, 2, &n));
  GI_TRY(gi_onnx_float(c, "spatial_scale", 1, &scale));
  if (n != 2) return gi_onnx_fail(c, GLIA_FORMAT, "pooled_shape is not given");
  const glia_value x = gi_onnx_as_float(c->in[0]), boxes = gi_onnx_like(c->in[1], x);
  const glia_value image =
      glia_cast(glia_reshape(gi_onnx_part(boxes, 1, 0, 1), 1, flat), GLIA_I64);
  c->out[0] = gi_onnx_like(glia_roi_pool(x, gi_onnx_part(boxes, 1, 1, 5), image,
                                         .height = shape[0], .width = shape[1], .scale = scale),
                           c->in[0]);
  return GLIA_OK;
}

/* ---- rows -------------------------------------------------------------------------------- */

const gi_onnx_operator *const gi_onnx_operators_detection[] = {
    GI_ONNX_ROW("NonMaxSuppression", "center_point_box", 2, 5, 1, non_max_suppression, 10),
    GI_ONNX_ROW("RoiAlign",
                "coordinate_transformation_mode mode output_height output_width "
                "sampling_ratio spatial_scale",
                3, 3, 1, roi_align, 10, 16),
    GI_ONNX_ROW("MaxRoiPool", "pooled_shape spatial_scale", 2, 2, 1, max_roi_pool, 1),
    NULL,
};
