/* resize.c - one axis made longer or shorter by interpolation, and its transpose.
 *
 *   y[i] = sum over k of w(i, k) x[k]
 *
 * Shapes: [.., n, ..] -> [.., m, ..]. Element i of the result looks at the place s = i slope +
 * offset of x; its weights are
 *
 *   nearest  1 at floor(s), or at ceil(s) if `up`
 *   linear   max(0, 1 - |t|),  t = k - s
 *   cubic    for |t| <= 1: (a + 2) |t|^3 - (a + 3) |t|^2 + 1, for |t| < 2:
 *            a |t|^3 - 5a |t|^2 + 8a |t| - 4a; a is `sharpness`        (Keys 1981)
 *   area     1 / count for all k of floor(i n / m) .. ceil((i + 1) n / m) - 1
 *
 * and what they give to places outside 0 .. n - 1 goes to the edge. Resizing signals, images
 * and volumes is this along each axis in turn (glia_resize), since all of these weights are
 * products over the axes. The definitions are those of PyTorch and ONNX, which add:
 *
 *   smooth   where slope > 1, linear and cubic weights are stretched by slope, so that no
 *            element is passed over, and divided by their sum (antialias)
 *   inner    places outside get nothing, and the weights are divided by the sum of the rest
 *            (exclude_outside)
 *   bounded  y[i] is 0 where s is outside 0 .. n - 1 (tf_crop_and_resize)
 *
 * The place for `nearest` is computed in float, as in PyTorch: at which multiples i slope falls
 * below a whole number is part of the result.
 */
#include "ops/resize.h"

#include <math.h>

#include "ops/ref.h"

/* ---- weights ------------------------------------------------------------------------- */

typedef enum mode { NEAREST, LINEAR, CUBIC, AREA, MODES } mode;
static const char *const mode_names[] = {"nearest", "linear", "cubic", "area"};

static mode mode_of(const gi_resize_attr *a) {
  int m = 0;
  while (m < MODES && strcmp(a->mode, mode_names[m]) != 0) m++;
  return (mode)m;
}

/* How far the weights reach to either side. */
static double reach_of(const gi_resize_attr *a, mode m) {
  return (m == CUBIC ? 2 : 1) * (a->smooth ? fmax(1, a->slope) : 1);
}

static double weight(const gi_resize_attr *a, mode m, double t) {
  const double c = a->sharpness;
  t = fabs(t);
  if (m == LINEAR) return fmax(0, 1 - t);
  if (t <= 1) return ((c + 2) * t - (c + 3)) * t * t + 1;
  return t < 2 ? ((c * t - 5 * c) * t + 8 * c) * t - 4 * c : 0;
}

/* A whole number that int64_t holds: places far outside are all alike. */
static int64_t whole(double v) { return (int64_t)fmax(-1e15, fmin(v, 1e15)); }
static int64_t clamped(int64_t k, int64_t n) { return GI_MAX(0, GI_MIN(k, n - 1)); }

static int64_t scaled_to_one(double *w, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; k++) sum += w[k];
  for (int64_t k = 0; k < count && sum != 0; k++) w[k] /= sum;
  return sum != 0 ? count : 0;
}

static int64_t nearest(const gi_resize_attr *a, int64_t n, int64_t i, int64_t *first,
                       double *w) {
  const float s = (float)i * (float)a->slope + (float)a->offset;
  *first = clamped(whole((double)(a->up ? ceilf(s) : floorf(s))), n);
  w[0] = 1;
  return 1;
}

static int64_t area(int64_t n, int64_t m, int64_t i, int64_t *first, double *w) {
  *first = i * n / m;
  const int64_t count = ((i + 1) * n + m - 1) / m - *first;
  for (int64_t k = 0; k < count; k++) w[k] = 1 / (double)count;
  return count;
}

/* All whole places nearer than the stretched reach; only those inside. */
static int64_t smooth(const gi_resize_attr *a, mode m, int64_t n, double s, int64_t *first,
                      double *w) {
  const double reach = reach_of(a, m), stretch = fmax(1, a->slope);
  *first = GI_MAX(0, whole(floor(s + 1 - reach)));
  const int64_t count = GI_MAX(0, GI_MIN(n, whole(floor(s + 1 + reach))) - *first);
  for (int64_t k = 0; k < count; k++) w[k] = weight(a, m, ((double)(*first + k) - s) / stretch);
  return scaled_to_one(w, count);
}

/* Two places, or four. */
static int64_t sharp(const gi_resize_attr *a, mode m, int64_t n, double s, int64_t *first,
                     double *w) {
  const int64_t side = m == CUBIC ? 2 : 1, low = whole(floor(s)) - side + 1;
  const int64_t last = clamped(low + 2 * side - 1, n);
  *first = clamped(low, n);
  const int64_t count = last - *first + 1;
  for (int64_t k = 0; k < count; k++) w[k] = 0;
  for (int64_t k = low; k < low + 2 * side; k++)
    if (!a->inner || (k >= 0 && k < n))
      w[clamped(k, n) - *first] += weight(a, m, (double)k - s);
  return a->inner ? scaled_to_one(w, count) : count;
}

int64_t gi_resize_weights(const gi_resize_attr *a, int64_t n, int64_t m, int64_t i,
                          int64_t *first, double *w) {
  const mode kind = mode_of(a);
  const double far = (double)i * a->slope + a->offset;
  *first = 0;
  if (a->bounded && !(far >= 0 && far <= (double)(n - 1))) return 0;
  if (kind == NEAREST) return nearest(a, n, i, first, w);
  if (kind == AREA) return area(n, m, i, first, w);
  const double s = fmax(-4, fmin(far, (double)n + 3)); /* all the same beyond these */
  return (a->smooth ? smooth : sharp)(a, kind, n, s, first, w);
}

int64_t gi_resize_most(const gi_resize_attr *a, int64_t n, int64_t m) {
  const mode kind = mode_of(a);
  if (kind == NEAREST) return 1;
  return GI_MIN(n, kind == AREA ? n / GI_MAX(1, m) + 2 : whole(2 * reach_of(a, kind)) + 2);
}

/* ---- shapes and gradients ------------------------------------------------------------ */

static glia_status check(gi_infer *c, const char *op) {
  const gi_resize_attr *a = c->attr;
  char text[GI_TEXT];
  GI_TRY(gi_want_float(c, 0, op, "x"));
  GI_TRY(gi_want_axis(a->axis, &c->in[0], op));
  const int64_t n = c->in[0].dim[a->axis];
  if (a->size < 1 || a->size > INT32_MAX || n < 1 || n > INT32_MAX)
    return gi_fail(GLIA_SHAPE,
                   "%s: axis %" PRId64 " of %s to %" PRId64 " elements; wanted 1 to 2^31 - 1",
                   op, a->axis, gi_shape_text(&c->in[0], text, sizeof text), a->size);
  if (mode_of(a) == MODES)
    return gi_fail(GLIA_INVALID, "%s: mode is \"%s\", wanted nearest, linear, cubic or area",
                   op, a->mode);
  if (!isfinite(a->slope) || !isfinite(a->offset) || !isfinite(a->sharpness))
    return gi_fail(GLIA_INVALID, "%s: slope is %g, offset %g, sharpness %g; wanted numbers", op,
                   a->slope, a->offset, a->sharpness);
  c->out[0] = c->in[0];
  c->out[0].dim[a->axis] = a->size;
  return GLIA_OK;
}
static glia_status infer_resize(gi_infer *c) { return check(c, "resize"); }
static glia_status infer_grad(gi_infer *c) { return check(c, "resize_grad"); }

/* The two are transposes of each other: each has the other's size. */
static glia_value back(const gi_vjp *c, const gi_op *op) {
  gi_resize_attr a = *(const gi_resize_attr *)c->attr;
  a.size = glia_value_dim(c->in[0], (int)a.axis);
  return gi_emit1(op, &a, c->dout[0]);
}
static glia_status vjp_resize(gi_vjp *c) {
  c->din[0] = back(c, &gi_op_resize_grad);
  return GLIA_OK;
}
static glia_status vjp_grad(gi_vjp *c) {
  c->din[0] = back(c, &gi_op_resize);
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

/* x [outer, n, inner] and y [outer, m, inner]: element i of y as so much of elements of x, or
 * the same shares given back. */
static glia_status apply(const gi_resize_attr *a, const gi_buf *from, const gi_buf *to,
                         bool transposed) {
  const gi_rows x = gi_rows_of(transposed ? &to->t : &from->t, a->axis);
  const int64_t n = x.n, m = transposed ? from->t.dim[a->axis] : to->t.dim[a->axis];
  double *w = gi_alloc((size_t)gi_resize_most(a, n, m) * sizeof *w);
  if (w == NULL) return gi_fail_nomem(sizeof *w);
  gi_zero(to);
  for (int64_t i = 0; i < m; i++) {
    int64_t first;
    const int64_t count = gi_resize_weights(a, n, m, i, &first, w);
    for (int64_t e = 0; e < x.outer * x.inner; e++) {
      const int64_t o = e / x.inner, j = e % x.inner, at_y = (o * m + i) * x.inner + j;
      double sum = 0;
      for (int64_t k = 0; k < count; k++) {
        const int64_t at_x = (o * n + first + k) * x.inner + j;
        if (transposed)
          gi_put(to, at_x, gi_get(to, at_x) + w[k] * gi_get(from, at_y));
        else
          sum += w[k] * gi_get(from, at_x);
      }
      if (!transposed) gi_put(to, at_y, sum);
    }
  }
  gi_free(w);
  return GLIA_OK;
}
static glia_status ref_resize(gi_ref *c) {
  return apply(c->attr, &c->in[0], &c->out[0], false);
}
static glia_status ref_grad(gi_ref *c) { return apply(c->attr, &c->in[0], &c->out[0], true); }

static gi_cost cost(const gi_infer *c) {
  const gi_resize_attr *a = c->attr;
  const int64_t n = c->in[0].dim[a->axis], m = c->out[0].dim[a->axis];
  gi_cost k = gi_default_cost(c);
  k.flops = 2 * (double)GI_MAX(gi_type_count(&c->in[0]), gi_type_count(&c->out[0])) *
            (double)GI_MIN(4, gi_resize_most(a, n, m));
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

/* axis, size, mode, slope, offset; then what differs. Sizes in the names: from n to m. */
#define A(axis_, size_, mode_, slope_, offset_) \
  .axis = axis_, .size = size_, .mode = mode_, .slope = slope_, .offset = offset_
static const gi_resize_attr
    linear_3_5 = {A(1, 5, "linear", 0.6, -0.2)},
    linear_7_3 = {A(1, 3, "linear", 3, 0)}, nearest_3_7 = {A(1, 7, "nearest", 3.0 / 7, 0)},
    nearest_up = {A(0, 4, "nearest", 1.25, -0.3), .up = true},
    cubic_5_9 = {A(2, 9, "cubic", 5.0 / 9, -2.0 / 9), .sharpness = -0.75},
    cubic_inner = {A(0, 9, "cubic", 5.0 / 9, -2.0 / 9), .sharpness = -0.5, .inner = true},
    cubic_smooth = {A(1, 3, "cubic", 7.0 / 3, 2.0 / 3), .sharpness = -0.5, .smooth = true},
    linear_smooth = {A(1, 4, "linear", 1.75, 0.375), .smooth = true},
    linear_bounded = {A(1, 6, "linear", 0.9, -1), .bounded = true},
    area_7_3 = {A(1, 3, "area", 0, 0)}, area_3_7 = {A(0, 7, "area", 0, 0)},
    one = {A(1, 1, "linear", 0, 0)}, far = {A(0, 3, "cubic", -1e300, 1e300), .sharpness = -1},
    no_mode = {A(1, 5, "cubics", 1, 0)}, no_size = {A(1, 0, "linear", 1, 0)},
    no_axis = {A(2, 5, "linear", 1, 0)}, no_number = {A(1, 5, "linear", INFINITY, 0)};
#undef A
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&linear_3_5, 1, {{2, {2, 3}, R}}, GLIA_OK},
    {&linear_7_3, 1, {{3, {2, 7, 3}, R}}, GLIA_OK},
    {&nearest_3_7, 1, {{3, {2, 3, 17}, R}}, GLIA_OK},
    {&nearest_up, 1, {{1, {5}, R}}, GLIA_OK},
    {&cubic_5_9, 1, {{3, {2, 3, 5}, R}}, GLIA_OK},
    {&cubic_5_9, 1, {{4, {1, 2, 2, 3}, R}}, GLIA_OK}, /* fewer than the weights */
    {&cubic_inner, 1, {{2, {5, 4}, R}}, GLIA_OK},
    {&cubic_smooth, 1, {{4, {2, 7, 3, 2}, R}}, GLIA_OK},
    {&linear_smooth, 1, {{2, {5, 7}, R}}, GLIA_OK},
    {&linear_bounded, 1, {{3, {2, 4, 1}, R}}, GLIA_OK},
    {&area_7_3, 1, {{2, {3, 7}, R}}, GLIA_OK},
    {&area_3_7, 1, {{2, {3, 5}, R}}, GLIA_OK},
    {&one, 1, {{2, {3, 4}, R}}, GLIA_OK},
    {&far, 1, {{1, {4}, R}}, GLIA_OK},
    {&linear_3_5, 1, {{2, {0, 3}, R}}, GLIA_OK},
    {&linear_3_5, 1, {{2, {3, 0}, R}}, GLIA_SHAPE},
    {&no_size, 1, {{2, {3, 4}, R}}, GLIA_SHAPE},
    {&no_axis, 1, {{2, {3, 4}, R}}, GLIA_SHAPE},
    {&no_mode, 1, {{2, {3, 4}, R}}, GLIA_INVALID},
    {&no_number, 1, {{2, {3, 4}, R}}, GLIA_INVALID},
    {&linear_3_5, 1, {{2, {3, 4}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};
#undef R

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_resize_attr, axis), "that becomes longer or shorter"},
    {"size", GI_ATTR_I64, offsetof(gi_resize_attr, size), "of the axis in the result"},
    {"slope", GI_ATTR_F64, offsetof(gi_resize_attr, slope),
     "element i looks at i slope + offset"},
    {"offset", GI_ATTR_F64, offsetof(gi_resize_attr, offset), "where element 0 looks"},
    {"sharpness", GI_ATTR_F64, offsetof(gi_resize_attr, sharpness), "cubic: usually -0.75"},
    {"mode", GI_ATTR_NAME, offsetof(gi_resize_attr, mode), "nearest, linear, cubic or area"},
    {"up", GI_ATTR_BOOL, offsetof(gi_resize_attr, up), "nearest: the next place, not the last"},
    {"smooth", GI_ATTR_BOOL, offsetof(gi_resize_attr, smooth),
     "weights as wide as what an element stands for"},
    {"inner", GI_ATTR_BOOL, offsetof(gi_resize_attr, inner), "places outside get no weight"},
    {"bounded", GI_ATTR_BOOL, offsetof(gi_resize_attr, bounded), "0 where it looks outside"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_resize = {
    .name = "resize",
    .doc = "an axis made longer or shorter by interpolation",
    .paper = "doi:10.1109/TASSP.1981.1163711",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_resize_attr),
    .attrs = fields,
    .infer = infer_resize,
    .vjp = vjp_resize,
    .ref = ref_resize,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_resize_grad = {
    .name = "resize_grad",
    .doc = "each element shared out to those that resize makes it of: its transpose",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_resize_attr),
    .attrs = fields,
    .infer = infer_grad,
    .vjp = vjp_grad,
    .ref = ref_grad,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_resize[] = {&gi_op_resize, &gi_op_resize_grad, NULL};

/* ---- builder ------------------------------------------------------------------------- */

/* Where elements look: place i slope + offset of n elements, for m of them. */
static void set_places(gi_resize_attr *a, const glia_resize_opts *o, int k, int64_t n) {
  const double m = (double)a->size, last = (double)(n - 1);
  const double step = o->scale[k] > 0 ? 1 / o->scale[k] : (double)n / m;
  glia_coordinates c = o->coordinates;
  if (c == GLIA_COORDINATES_DEFAULT)
    c = o->mode == GLIA_RESIZE_NEAREST ? GLIA_ASYMMETRIC : GLIA_HALF_PIXEL;
  a->slope = step;
  a->offset = step / 2 - 0.5;
  if (c == GLIA_ASYMMETRIC || (c == GLIA_PYTORCH_HALF_PIXEL && a->size == 1)) a->offset = 0;
  if (c == GLIA_HALF_PIXEL_SYMMETRIC) a->offset += (double)n / 2 * (1 - m * step / (double)n);
  if (c == GLIA_ALIGN_CORNERS) a->slope = a->size > 1 ? last / (m - 1) : 0;
  if (c == GLIA_ALIGN_CORNERS) a->offset = o->antialias ? a->slope / 2 - 0.5 : 0;
  if (c == GLIA_CROP) {
    const double from = o->crop_from[k], to = o->crop_to[k];
    a->slope = a->size > 1 ? (to - from) * last / (m - 1) : 0;
    a->offset = a->size > 1 ? from * last : (from + to) / 2 * last;
    a->bounded = true;
  }
  if (o->mode != GLIA_RESIZE_NEAREST) return;
  a->up = o->rounding == GLIA_ROUND_UP || o->rounding == GLIA_ROUND_HALF_DOWN;
  if (o->rounding == GLIA_ROUND_HALF_UP) a->offset += 0.5;
  if (o->rounding == GLIA_ROUND_HALF_DOWN) a->offset -= 0.5;
}

/* The attributes for the k-th of the axes that are resized; null mode: they were refused. */
static gi_resize_attr axis_attr(glia_value x, const glia_resize_opts *o, int k, int axis) {
  const int64_t n = glia_value_dim(x, axis);
  const double scaled = floor((double)n * o->scale[k]);
  gi_resize_attr a = {.axis = axis, .size = o->to[k]};
  if (a.size == 0 && scaled >= 1 && scaled <= INT32_MAX) a.size = (int64_t)scaled;
  if (a.size < 1 || !(o->scale[k] >= 0)) {
    gi_latch(x.graph, GLIA_INVALID,
             "resize: axis %d of %" PRId64 " elements to %" PRId64
             ", factor %g; wanted 1 element or more",
             axis, n, o->to[k], o->scale[k]);
    return a;
  }
  a.mode = mode_names[o->mode];
  a.smooth = o->antialias;
  a.inner = o->exclude_outside;
  a.sharpness = o->cubic != 0 ? o->cubic : o->antialias ? -0.5 : -0.75;
  if (o->mode == GLIA_RESIZE_AREA)
    a.slope = 0;
  else
    set_places(&a, o, k, n);
  return a;
}

static bool keeps(const gi_resize_attr *a, int64_t n) {
  return a->size == n && (strcmp(a->mode, "area") == 0 || (a->slope == 1 && a->offset == 0));
}

/* Of the last n axes, the one that is not done and grows least. */
static int least_growth(const gi_resize_attr *axes, const bool *done, int n, glia_value x) {
  int next = 0;
  double least = INFINITY;
  for (int k = 0; k < n; k++) {
    if (done[k]) continue;
    const double growth = (double)axes[k].size / (double)glia_value_dim(x, k - n);
    if (done[next] || growth < least) {
      next = k;
      least = growth;
    }
  }
  return next;
}

/* Axes that shrink come first, so that the rest is less work. */
glia_value glia_resize_opt(glia_value x, const glia_resize_opts *opt) {
  glia_resize_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x)) return x;
  const int rank = glia_value_rank(x), n = o.n > 0 ? o.n : rank - 2;
  gi_resize_attr axes[GLIA_MAX_RANK];
  if (n < 1 || n > rank || (unsigned)o.mode > GLIA_RESIZE_AREA)
    return gi_latch(x.graph, GLIA_INVALID, "resize: %d axes of rank %d, mode %d", n, rank,
                    (int)o.mode);
  for (int k = 0; k < n; k++) {
    axes[k] = axis_attr(x, &o, k, rank - n + k);
    if (axes[k].mode == NULL) return GLIA_NONE;
  }
  const bool moved = o.coordinates == GLIA_CROP && o.outside != 0;
  if (moved) x = glia_sub(x, glia_scalar_like(x, o.outside));
  bool done[GLIA_MAX_RANK] = {false};
  for (int k = 0; k < n; k++) {
    const int next = least_growth(axes, done, n, x);
    if (!keeps(&axes[next], glia_value_dim(x, rank - n + next)))
      x = gi_emit1(&gi_op_resize, &axes[next], x);
    if (gi_null(x)) return x;
    done[next] = true;
  }
  return moved ? glia_add(x, glia_scalar_like(x, o.outside)) : x;
}
