/* boxes.c - how much boxes overlap, and the insides of boxes: made of other ops, so that there
 * is no op for them.
 */
#include "glia/boxes.h"

#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"
#include "ops/roi.h"

/* ---- overlap ------------------------------------------------------------------------- */

static bool are_boxes(glia_value v, const char *op) {
  const gi_type t = gi_value_type(v);
  char text[GI_TEXT];
  if (t.rank == 2 && t.dim[1] == 4 && glia_dtype_is_float(t.dtype)) return true;
  gi_latch(v.graph, GLIA_SHAPE, "%s: boxes are %s, wanted floats [N, 4]", op,
           gi_type_text(&t, text, sizeof text));
  return false;
}

/* Coordinate i of all boxes as [N, 1], or as [1, N]. */
static glia_value side(glia_value boxes, int i, bool across) {
  const glia_value v = glia_slice(boxes, 1, i, i + 1, 1);
  return across ? glia_transpose(v, 0, 1) : v;
}

typedef struct pair { /* of all pairs */
  glia_value overlap, either, around;
} pair;

static glia_value positive(glia_value v) { return glia_relu(v); }

static pair compare(glia_value a, glia_value b) {
  glia_value area[2], inner = GLIA_NONE, outer = GLIA_NONE;
  for (int axis = 0; axis < 2; axis++) {
    const glia_value a1 = side(a, axis, false), a2 = side(a, axis + 2, false),
                     b1 = side(b, axis, true), b2 = side(b, axis + 2, true);
    const glia_value within = positive(glia_sub(glia_minimum(a2, b2), glia_maximum(a1, b1)));
    const glia_value around = positive(glia_sub(glia_maximum(a2, b2), glia_minimum(a1, b1)));
    const glia_value own_a = glia_sub(a2, a1), own_b = glia_sub(b2, b1);
    inner = axis == 0 ? within : glia_mul(inner, within);
    outer = axis == 0 ? around : glia_mul(outer, around);
    area[0] = axis == 0 ? own_a : glia_mul(area[0], own_a);
    area[1] = axis == 0 ? own_b : glia_mul(area[1], own_b);
  }
  return (pair){inner, glia_sub(glia_add(area[0], area[1]), inner), outer};
}

glia_value glia_box_iou(glia_value a, glia_value b) {
  if (gi_null(a) || gi_null(b) || !are_boxes(a, "box_iou") || !are_boxes(b, "box_iou"))
    return GLIA_NONE;
  const pair p = compare(a, b);
  return glia_div(p.overlap, p.either);
}

glia_value glia_box_giou(glia_value a, glia_value b) {
  if (gi_null(a) || gi_null(b) || !are_boxes(a, "box_giou") || !are_boxes(b, "box_giou"))
    return GLIA_NONE;
  const pair p = compare(a, b);
  return glia_sub(glia_div(p.overlap, p.either),
                  glia_div(glia_sub(p.around, p.either), p.around));
}

/* ---- insides ------------------------------------------------------------------------- */

typedef struct places {       /* along one side, of all boxes: [K, 1, m] or [K, m, 1] */
  glia_value low, high;       /* the pixels on both sides, i64 */
  glia_value at_low, at_high; /* their weights, 0 where the place is outside */
} places;

static glia_value plus(glia_value v, double a) { return glia_add(v, glia_scalar_like(v, a)); }
static glia_value times(glia_value v, double a) { return glia_mul(v, glia_scalar_like(v, a)); }

/* Sample j of m lies at begin + (j + 1/2) / m of the box's length. A place up to one pixel
 * outside has the border's value. */
static places along(glia_value boxes, int axis, int64_t m, int64_t pixels,
                    const glia_roi_opts *o) {
  const double shift = o->aligned ? 0.5 : 0;
  const glia_value from = plus(times(side(boxes, axis, false), o->scale), -shift);
  glia_value length =
      glia_sub(plus(times(side(boxes, axis + 2, false), o->scale), -shift), from);
  if (!o->aligned) length = glia_maximum(length, glia_scalar_like(length, 1));
  const glia_value step =
      times(plus(glia_range(boxes.graph, m, glia_value_dtype(boxes)), 0.5), 1 / (double)m);
  const glia_value at = glia_add(from, glia_mul(length, step)); /* [K, m] */
  const double last = (double)(pixels - 1);
  const glia_value inside =
      glia_cast(glia_logical_and(glia_greater_equal(at, glia_scalar_like(at, -1)),
                                 glia_less_equal(at, glia_scalar_like(at, (double)pixels))),
                glia_value_dtype(at));
  const glia_value clipped = glia_clip(at, 0, last);
  const glia_value low = glia_stop_gradient(glia_floor(clipped));
  const glia_value high = glia_minimum(plus(low, 1), glia_scalar_like(low, last));
  const glia_value share = glia_sub(clipped, low);
  const glia_value rest = glia_sub(glia_scalar_like(share, 1), share);
  const int64_t k = glia_value_dim(boxes, 0);
  const int64_t shape[] = {k, axis == 0 ? 1 : m, axis == 0 ? m : 1};
  return (places){glia_reshape(glia_cast(low, GLIA_I64), 3, shape),
                  glia_reshape(glia_cast(high, GLIA_I64), 3, shape),
                  glia_reshape(glia_mul(inside, rest), 3, shape),
                  glia_reshape(glia_mul(inside, share), 3, shape)};
}

/* Rows [pixels of all images, C] at row y, column x of the boxes' images, times a weight. */
static glia_value corner(glia_value rows, glia_value image, const gi_type *t, glia_value y,
                         glia_value x, glia_value weight_y, glia_value weight_x) {
  const glia_value row = glia_add(times(image, (double)t->dim[2]), y);
  const glia_value at = glia_add(times(row, (double)t->dim[3]), x);
  const glia_value weight = glia_mul(weight_y, weight_x); /* [K, rows, columns] */
  if (gi_null(weight)) return weight;
  int64_t shape[4];
  memcpy(shape, glia_value_shape(weight), 3 * sizeof shape[0]);
  shape[3] = 1;
  return glia_mul(glia_gather(rows, at, 0), glia_reshape(weight, 4, shape));
}

static glia_value insides(glia_value x, glia_value boxes, glia_value image,
                          const glia_roi_opts *o) {
  const gi_type t = gi_value_type(x);
  const int64_t k = glia_value_dim(boxes, 0), s = o->sampling, c = t.dim[1];
  const glia_value rows = glia_reshape(glia_permute(x, (const int[]){0, 2, 3, 1}), 2,
                                       (const int64_t[]){t.dim[0] * t.dim[2] * t.dim[3], c});
  image = glia_reshape(glia_cast(image, GLIA_I64), 3, (const int64_t[]){k, 1, 1});
  const places px = along(boxes, 0, o->width * s, t.dim[3], o),
               py = along(boxes, 1, o->height * s, t.dim[2], o);
  const glia_value upper =
      glia_add(corner(rows, image, &t, py.low, px.low, py.at_low, px.at_low),
               corner(rows, image, &t, py.low, px.high, py.at_low, px.at_high));
  const glia_value lower =
      glia_add(corner(rows, image, &t, py.high, px.low, py.at_high, px.at_low),
               corner(rows, image, &t, py.high, px.high, py.at_high, px.at_high));
  const glia_value y = glia_reshape(glia_add(upper, lower), 6,
                                    (const int64_t[]){k, o->height, s, o->width, s, c});
  return glia_permute(glia_mean(y, .n = 2, .axes = {2, 4}), (const int[]){0, 3, 1, 2});
}

glia_value glia_roi_align_opt(glia_value x, glia_value boxes, glia_value image,
                              const glia_roi_opts *opt) {
  glia_roi_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x) || gi_null(boxes) || gi_null(image) || !are_boxes(boxes, "roi_align"))
    return GLIA_NONE;
  if (o.scale == 0) o.scale = 1;
  const bool by_box = o.sampling < 0;
  if (o.sampling <= 0) o.sampling = 2;
  const gi_type t = gi_value_type(x), ti = gi_value_type(image);
  char tx[GI_TEXT], text[GI_TEXT];
  if (t.rank != 4 || t.dim[2] < 1 || t.dim[3] < 1 || t.dim[2] > INT32_MAX ||
      t.dim[3] > INT32_MAX || ti.rank != 1 || ti.dim[0] != glia_value_dim(boxes, 0) ||
      (ti.dtype != GLIA_I64 && ti.dtype != GLIA_I32))
    return gi_latch(
        x.graph, GLIA_SHAPE,
        "roi_align: x is %s, image is %s; wanted [N, C, H, W] and a whole number for "
        "each of %" PRId64 " boxes",
        gi_shape_text(&t, tx, sizeof tx), gi_type_text(&ti, text, sizeof text),
        glia_value_dim(boxes, 0));
  if (o.height < 1 || o.width < 1 || o.sampling < 1 || o.height > INT16_MAX ||
      o.width > INT16_MAX || o.sampling > 1024 || !(o.scale > 0) || !isfinite(o.scale))
    return gi_latch(x.graph, GLIA_INVALID,
                    "roi_align: %" PRId64 " x %" PRId64 " cells, %" PRId64
                    " places a side, scale %g; wanted 1 or more, and > 0",
                    o.height, o.width, o.sampling, o.scale);
  return by_box ? gi_roi_by_box(x, boxes, image, &o) : insides(x, boxes, image, &o);
}
