/* roi.c - insides of boxes where the boxes' values say how many pixels a cell is made of: the
 * largest of them (roi_pool), or the mean of as many samples as the box is large (roi_align
 * with sampling by box). As torchvision's.
 *
 *   roi_winner   x [N, C, H, W], boxes [K, 4], image [K]
 *                -> index of the largest pixel of each cell in all of x, i64 [K, C, h, w], and
 *                is there one, bool of that shape
 *   roi_weights  boxes [K, 4] -> what each of n pixels along one axis counts in each of m
 *                cells, [K, m, n]
 *
 * Neither has a gradient; what is made of them has. roi_pool is a gather of the winners.
 * Linear interpolation between pixels is a product of weights by row and by column, so that a
 * mean over samples is too, and roi_align is two products of matrices:
 *
 *   y[k, c, i, j] = sum over p, q of rows[k, i, p] x[image[k], c, p, q] columns[k, j, q]
 */
#include "ops/roi.h"

#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

typedef struct winner_attr {
  int64_t height, width; /* of the result */
  double scale;
} winner_attr;

typedef struct weights_attr {
  int64_t axis; /* 0: along x, 1: along y */
  int64_t cells, pixels;
  double scale;
  bool aligned;
} weights_attr;

enum { MOST_PIXELS = 1 << 20 }; /* a box that is longer is a mistake */

static glia_status check_boxes(const gi_infer *c, int i, const char *op) {
  char text[GI_TEXT];
  GI_TRY(gi_want_float(c, i, op, "boxes"));
  if (c->in[i].rank == 2 && c->in[i].dim[1] == 4) return GLIA_OK;
  return gi_fail(GLIA_SHAPE, "%s: boxes are %s, wanted [K, 4]", op,
                 gi_shape_text(&c->in[i], text, sizeof text));
}

/* Coordinates of box k along an axis, in pixels of x. */
static glia_status sides(const gi_buf *boxes, int64_t k, int64_t axis, double scale,
                         const char *op, double out[2]) {
  for (int end = 0; end < 2; end++) {
    out[end] = gi_get(boxes, 4 * k + axis + 2 * end) * scale;
    if (!(fabs(out[end]) <= MOST_PIXELS))
      return gi_fail(GLIA_INVALID, "%s: box %" PRId64 " ends at %g, wanted at most %d pixels",
                     op, k, out[end], (int)MOST_PIXELS);
  }
  return GLIA_OK;
}

/* ---- the largest pixel ------------------------------------------------------------------- */

static glia_status infer_winner(gi_infer *c) {
  const winner_attr *a = c->attr;
  const gi_type *x = &c->in[0], *image = &c->in[2];
  char text[GI_TEXT];
  GI_TRY(gi_want_rank(c, 0, 4, "roi_winner", "x", "[N, C, H, W]"));
  GI_TRY(gi_want_float(c, 0, "roi_winner", "x"));
  GI_TRY(check_boxes(c, 1, "roi_winner"));
  if (image->rank != 1 || image->dim[0] != c->in[1].dim[0])
    return gi_fail(GLIA_SHAPE,
                   "roi_winner: image is %s, wanted one for each of %" PRId64 " boxes",
                   gi_shape_text(image, text, sizeof text), c->in[1].dim[0]);
  if (image->dtype != GLIA_I64 && image->dtype != GLIA_I32)
    return gi_fail(GLIA_DTYPE, "roi_winner: image is %s, wanted i64 or i32",
                   gi_type_text(image, text, sizeof text));
  if (a->height < 1 || a->width < 1 || a->height > INT16_MAX || a->width > INT16_MAX ||
      !(a->scale > 0) || !isfinite(a->scale))
    return gi_fail(GLIA_INVALID,
                   "roi_winner: %" PRId64 " x %" PRId64
                   " cells, scale %g; wanted 1 to 32767, and > 0",
                   a->height, a->width, a->scale);
  c->out[0] = (gi_type){
      .dtype = GLIA_I64, .rank = 4, .dim = {c->in[1].dim[0], x->dim[1], a->height, a->width}};
  c->out[1] = c->out[0];
  c->out[1].dtype = GLIA_BOOL;
  return GLIA_OK;
}

typedef struct span { /* of pixels, of the cells along one axis */
  int64_t start, length, cells, pixels;
} span;

static span span_of(const double side[2], int64_t cells, int64_t pixels) {
  const int64_t start = (int64_t)round(side[0]), end = (int64_t)round(side[1]);
  return (span){start, GI_MAX(end - start + 1, 1), cells, pixels};
}
/* The pixels from .. to - 1 of cell i: those that it touches. */
static void cell_of(const span *s, int64_t i, int64_t *from, int64_t *to) {
  const double size = (double)s->length / (double)s->cells;
  *from = GI_MIN(GI_MAX((int64_t)floor((double)i * size) + s->start, 0), s->pixels);
  *to = GI_MIN(GI_MAX((int64_t)ceil((double)(i + 1) * size) + s->start, 0), s->pixels);
}

/* One box: all channels and cells. The first of equals wins. */
static void winners_of_box(const gi_ref *c, int64_t k, int64_t image, const span *rows,
                           const span *columns) {
  const gi_type *t = &c->in[0].t, *out = &c->out[0].t;
  int64_t *index = c->out[0].p;
  bool *there = c->out[1].p;
  for (int64_t channel = 0; channel < t->dim[1]; channel++)
    for (int64_t cell = 0; cell < rows->cells * columns->cells; cell++) {
      const int64_t plane = (image * t->dim[1] + channel) * t->dim[2] * t->dim[3];
      const int64_t to = (k * out->dim[1] + channel) * out->dim[2] * out->dim[3] + cell;
      int64_t y0, y1, x0, x1, best = -1;
      cell_of(rows, cell / columns->cells, &y0, &y1);
      cell_of(columns, cell % columns->cells, &x0, &x1);
      for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++) {
          const int64_t at = plane + y * t->dim[3] + x;
          if (best < 0 || gi_get(&c->in[0], at) > gi_get(&c->in[0], best)) best = at;
        }
      index[to] = GI_MAX(best, 0);
      there[to] = best >= 0;
    }
}

static glia_status ref_winner(gi_ref *c) {
  const winner_attr *a = c->attr;
  const gi_type *t = &c->in[0].t;
  for (int64_t k = 0; k < c->in[1].t.dim[0]; k++) {
    const int64_t image = gi_index_at(&c->in[2], k);
    double x[2] = {0, 0}, y[2] = {0, 0};
    if (image < 0 || image >= t->dim[0])
      return gi_fail(GLIA_INVALID,
                     "roi_winner: image %" PRId64 " at position %" PRId64
                     " is not in 0 .. %" PRId64,
                     image, k, t->dim[0] - 1);
    GI_TRY(sides(&c->in[1], k, 0, a->scale, "roi_winner", x));
    GI_TRY(sides(&c->in[1], k, 1, a->scale, "roi_winner", y));
    const span rows = span_of(y, a->height, t->dim[2]),
               columns = span_of(x, a->width, t->dim[3]);
    winners_of_box(c, k, image, &rows, &columns);
  }
  return GLIA_OK;
}

/* ---- weights along an axis --------------------------------------------------------------- */

static glia_status infer_weights(gi_infer *c) {
  const weights_attr *a = c->attr;
  GI_TRY(check_boxes(c, 0, "roi_weights"));
  if (a->axis < 0 || a->axis > 1 || a->cells < 1 || a->cells > INT16_MAX || a->pixels < 1 ||
      a->pixels > MOST_PIXELS || !(a->scale > 0) || !isfinite(a->scale))
    return gi_fail(GLIA_INVALID,
                   "roi_weights: axis %" PRId64 ", %" PRId64 " cells, %" PRId64
                   " pixels, scale %g",
                   a->axis, a->cells, a->pixels, a->scale);
  c->out[0] = (gi_type){
      .dtype = c->in[0].dtype, .rank = 3, .dim = {c->in[0].dim[0], a->cells, a->pixels}};
  return GLIA_OK;
}

/* Adds `share` at a place between pixels; places up to one pixel outside have the border's
 * value, those beyond none. */
static void add_sample(double *w, int64_t pixels, double at, double share) {
  const double last = (double)(pixels - 1);
  if (!(at >= -1 && at <= (double)pixels)) return;
  at = fmin(fmax(at, 0), last);
  const int64_t low = (int64_t)at, high = GI_MIN(low + 1, pixels - 1);
  w[low] += share * (1 - (at - (double)low));
  w[high] += share * (at - (double)low);
}

static glia_status ref_weights(gi_ref *c) {
  const weights_attr *a = c->attr;
  double *w = gi_alloc((size_t)a->pixels * sizeof *w);
  glia_status s = w != NULL ? GLIA_OK : gi_fail_nomem((size_t)a->pixels * sizeof *w);
  for (int64_t k = 0; k < c->in[0].t.dim[0] && s == GLIA_OK; k++) {
    double side[2] = {0, 0};
    s = sides(&c->in[0], k, a->axis, a->scale, "roi_weights", side);
    if (s != GLIA_OK) break;
    const double from = side[0] - (a->aligned ? 0.5 : 0);
    const double length = fmax(side[1] - side[0], a->aligned ? 0 : 1);
    const double cell = length / (double)a->cells;
    const int64_t samples = (int64_t)ceil(cell);
    for (int64_t i = 0; i < a->cells; i++) {
      memset(w, 0, (size_t)a->pixels * sizeof *w);
      for (int64_t n = 0; n < samples; n++)
        add_sample(w, a->pixels,
                   from + cell * ((double)i + ((double)n + 0.5) / (double)samples),
                   1 / (double)samples);
      for (int64_t p = 0; p < a->pixels; p++)
        gi_put(&c->out[0], (k * a->cells + i) * a->pixels + p, w[p]);
    }
  }
  gi_free(w);
  return s;
}

/* ---- rows -------------------------------------------------------------------------------- */

static const winner_attr cells32 = {3, 2, 1}, half = {2, 2, 0.5}, none = {0, 2, 1};
static const weights_attr along_x = {0, 3, 7, 1, false}, along_y = {1, 2, 5, 0.5, true},
                          no_cells = {0, 0, 7, 1, false};
#define X -1, 1, GLIA_F32
#define B 0, 9, GLIA_F32
#define I 0, 2, GLIA_I64
static const gi_sample samples_winner[] = {
    {&cells32, 3, {{4, {2, 3, 8, 7}, X}, {2, {5, 4}, B}, {1, {5}, I}}, GLIA_OK},
    {&half, 3, {{4, {2, 1, 4, 4}, X}, {2, {3, 4}, B}, {1, {3}, 0, 2, GLIA_I32}}, GLIA_OK},
    {&half, 3, {{4, {2, 1, 4, 4}, X}, {2, {0, 4}, B}, {1, {0}, I}}, GLIA_OK}, /* no boxes */
    {&half, 3, {{4, {2, 1, 0, 4}, X}, {2, {2, 4}, B}, {1, {2}, I}}, GLIA_OK}, /* no pixels */
    {&half, 3, {{3, {2, 4, 4}, X}, {2, {3, 4}, B}, {1, {3}, I}}, GLIA_SHAPE},
    {&half, 3, {{4, {2, 1, 4, 4}, X}, {2, {3, 5}, B}, {1, {3}, I}}, GLIA_SHAPE},
    {&half, 3, {{4, {2, 1, 4, 4}, X}, {2, {3, 4}, B}, {1, {4}, I}}, GLIA_SHAPE},
    {&half, 3, {{4, {2, 1, 4, 4}, X}, {2, {3, 4}, B}, {1, {3}, X}}, GLIA_DTYPE},
    {&none, 3, {{4, {2, 1, 4, 4}, X}, {2, {3, 4}, B}, {1, {3}, I}}, GLIA_INVALID},
};
static const gi_sample samples_weights[] = {
    {&along_x, 1, {{2, {5, 4}, B}}, GLIA_OK},    {&along_y, 1, {{2, {4, 4}, B}}, GLIA_OK},
    {&along_y, 1, {{2, {0, 4}, B}}, GLIA_OK},    {&along_x, 1, {{2, {5, 3}, B}}, GLIA_SHAPE},
    {&along_x, 1, {{2, {5, 4}, I}}, GLIA_DTYPE}, {&no_cells, 1, {{2, {5, 4}, B}}, GLIA_INVALID},
};
#undef X
#undef B
#undef I

static const gi_attr winner_fields[] = {
    {"height", GI_ATTR_I64, offsetof(winner_attr, height), "cells from top to bottom"},
    {"width", GI_ATTR_I64, offsetof(winner_attr, width), "cells from left to right"},
    {"scale", GI_ATTR_F64, offsetof(winner_attr, scale), "of the boxes' pixels to x's"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
static const gi_attr weights_fields[] = {
    {"axis", GI_ATTR_I64, offsetof(weights_attr, axis), "0: along x, 1: along y"},
    {"cells", GI_ATTR_I64, offsetof(weights_attr, cells), "that a box is cut into"},
    {"pixels", GI_ATTR_I64, offsetof(weights_attr, pixels), "of the image along the axis"},
    {"scale", GI_ATTR_F64, offsetof(weights_attr, scale),
     "of the boxes' pixels to the image's"},
    {"aligned", GI_ATTR_BOOL, offsetof(weights_attr, aligned),
     "pixel i spans i - 1/2 .. i + 1/2"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static const gi_op winner = {
    .name = "roi_winner",
    .doc = "where the largest pixel of each cell of a box is, and is there one",
    .paper = "arXiv:1504.08083",
    .min_in = 3,
    .max_in = 3,
    .n_out = 2,
    .attr_size = sizeof(winner_attr),
    .attrs = winner_fields,
    .infer = infer_winner,
    .no_grad = "which pixel is the largest does not change smoothly",
    .ref = ref_winner,
    .samples = samples_winner,
    .n_samples = GI_COUNT(samples_winner),
};
static const gi_op weights = {
    .name = "roi_weights",
    .doc = "what pixels along an axis count in the mean of a box's cells, sampled by its size",
    .paper = "arXiv:1703.06870",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(weights_attr),
    .attrs = weights_fields,
    .infer = infer_weights,
    .no_grad =
        "the number of samples jumps with the size of the box; as in torchvision, boxes "
        "get no gradient",
    .ref = ref_weights,
    .samples = samples_weights,
    .n_samples = GI_COUNT(samples_weights),
};
const gi_op *const gi_ops_roi[] = {&winner, &weights, NULL};

/* ---- builders ---------------------------------------------------------------------------- */

glia_value gi_roi_by_box(glia_value x, glia_value boxes, glia_value image,
                         const glia_roi_opts *o) {
  const gi_type t = gi_value_type(x);
  const int64_t n = t.dim[0], c = t.dim[1], k = glia_value_dim(boxes, 0);
  const weights_attr ax = {0, o->width, t.dim[3], o->scale, o->aligned},
                     ay = {1, o->height, t.dim[2], o->scale, o->aligned};
  const glia_value fixed = glia_stop_gradient(boxes);
  const glia_value rows = glia_cast(gi_emit1(&weights, &ay, fixed), t.dtype);
  const glia_value columns = glia_reshape(glia_cast(gi_emit1(&weights, &ax, fixed), t.dtype), 4,
                                          (const int64_t[]){k, o->width, 1, t.dim[3]});
  const glia_value of_image =
      glia_reshape(glia_one_hot(image, n, t.dtype), 4, (const int64_t[]){k, 1, n, 1});
  const glia_value across = glia_reshape(glia_mul(columns, of_image), 2,
                                         (const int64_t[]){k * o->width, n * t.dim[3]});
  const glia_value lines = glia_reshape(glia_permute(x, (const int[]){1, 2, 0, 3}), 2,
                                        (const int64_t[]){c * t.dim[2], n * t.dim[3]});
  const glia_value narrow = glia_reshape(glia_matmul(lines, across, .transpose_b = true), 4,
                                         (const int64_t[]){c, t.dim[2], k, o->width});
  const glia_value upright = glia_reshape(glia_permute(narrow, (const int[]){2, 1, 0, 3}), 3,
                                          (const int64_t[]){k, t.dim[2], c * o->width});
  return glia_permute(
      glia_reshape(glia_matmul(rows, upright), 4, (const int64_t[]){k, o->height, c, o->width}),
      (const int[]){0, 2, 1, 3});
}

glia_value glia_roi_pool_opt(glia_value x, glia_value boxes, glia_value image,
                             const glia_roi_opts *opt) {
  glia_roi_opts o;
  glia_value out[2];
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x) || gi_null(boxes) || gi_null(image)) return GLIA_NONE;
  if (o.sampling != 0 || o.aligned)
    return gi_latch(x.graph, GLIA_INVALID, "roi_pool: sampling and aligned are for roi_align");
  const winner_attr a = {o.height, o.width, o.scale != 0 ? o.scale : 1};
  const glia_value in[] = {glia_stop_gradient(x), glia_stop_gradient(boxes), image};
  if (gi_null(gi_emit(NULL, &winner, &a, in, 3, out))) return GLIA_NONE;
  const gi_type tx = gi_value_type(x), t = gi_value_type(out[0]);
  if (gi_type_count(&tx) == 0) return glia_broadcast_to(glia_scalar_like(x, 0), t.rank, t.dim);
  const glia_value all = glia_reshape(x, 1, (const int64_t[]){-1});
  return glia_where(out[1], glia_gather(all, out[0], 0), glia_scalar_like(x, 0));
}
