/* pool_axes.c - pooling along one, two or three axes, by that of images: no ops of their own.
 *
 * Windows are boxes, so what is pooled along rows and columns and then along depth is pooled
 * along all three: a maximum of maxima, a mean of means of as many, and the first of equal
 * winners is the same one. One axis is an image of one row.
 *
 * Where the winner lies is asked by pooling a tensor that holds every element's own place: the
 * place of the window's winner is picked out of it (pool_gather) as its value is.
 */
#include <math.h>

#include "glia/index.h"
#include "glia/windows.h"
#include "ops/attrs.h"
#include "ops/window.h"

typedef struct pool { /* one problem, axes counted from the first that is pooled */
  const char *op;
  int axes;
  gi_type x;
  int64_t n, channels; /* what lies in front of the axes */
  glia_pool_opts o;
} pool;

/* ---- checks -------------------------------------------------------------------------- */

/* x [..., A...] as [n, channels, A...]: the last axis in front is the channel's. */
static glia_status look_at(pool *p, glia_value x, int axes) {
  char text[GI_TEXT];
  p->x = gi_value_type(x);
  p->axes = axes != 0 ? axes : p->x.rank - 2;
  if (p->axes < 1 || p->axes > 3 || p->x.rank < p->axes)
    return gi_fail(GLIA_SHAPE, "%s: x is %s, %d axes to pool; wanted 1 to 3 of its own", p->op,
                   gi_shape_text(&p->x, text, sizeof text), p->axes);
  const int front = p->x.rank - p->axes;
  p->n = 1;
  for (int d = 0; d < front - 1; d++) p->n *= p->x.dim[d];
  p->channels = front > 0 ? p->x.dim[front - 1] : 1;
  return GLIA_OK;
}

static const int64_t *size_of(const pool *p) { return p->x.dim + p->x.rank - p->axes; }

/* Limits that keep sums of products in 64 bits; the ops check the rest. */
static glia_status check(const pool *p, const char *what, const int64_t *v) {
  for (int d = 0; d < p->axes; d++)
    if (v[d] < 0 || v[d] > INT32_MAX)
      return gi_fail(GLIA_INVALID, "%s: %s is %" PRId64 " on axis %d of the window", p->op,
                     what, v[d], d);
  return GLIA_OK;
}

static glia_status begin(pool *p, glia_value x, const glia_pool_opts *opt) {
  gi_opts(&p->o, sizeof p->o, opt);
  glia_pool_opts *o = &p->o;
  GI_TRY(look_at(p, x, o->axes));
  for (int d = 0; d < p->axes; d++) {
    if (o->kernel[d] == 0) o->kernel[d] = o->kernel[0];
    if (o->stride[d] == 0) o->stride[d] = o->kernel[d];
    if (o->dilation[d] == 0) o->dilation[d] = 1;
  }
  GI_TRY(check(p, "kernel", o->kernel));
  GI_TRY(check(p, "stride", o->stride));
  GI_TRY(check(p, "padding", o->padding));
  GI_TRY(check(p, "dilation", o->dilation));
  for (int d = 0; d < p->axes; d++)
    if (o->kernel[d] < 1)
      return gi_fail(GLIA_INVALID, "%s: kernel is %" PRId64 ", wanted >= 1", p->op,
                     o->kernel[d]);
  return GLIA_OK;
}

static glia_value failed(const pool *p, glia_value x, glia_status s) {
  (void)p;
  return gi_latch(x.graph, s, "%s", glia_error_message());
}

/* ---- stages -------------------------------------------------------------------------- */

/* The axes as rows and columns: [n, channels, 1 or A0, A1], or of three first the planes [n,
 * channels A0, A1, A2] and then, `deep`, [n, channels, A0, the rest of an element]. */
static glia_value planes(const pool *p, glia_value x) {
  const int64_t *a = size_of(p);
  const int64_t shape[] = {p->n, p->axes == 3 ? p->channels * a[0] : p->channels,
                           p->axes == 1 ? 1 : a[p->axes - 2], a[p->axes - 1]};
  return glia_reshape(x, 4, shape);
}
static glia_value deep(const pool *p, glia_value x) {
  if (gi_null(x)) return x;
  const int64_t rest = glia_value_dim(x, 2) * glia_value_dim(x, 3);
  return glia_reshape(x, 4, (const int64_t[]){p->n, p->channels, size_of(p)[0], rest});
}

/* What comes out, in the shape that x has but for its last axes. */
static glia_value finish(const pool *p, glia_value y, const int64_t *size) {
  gi_type t = p->x;
  for (int d = 0; d < p->axes; d++) t.dim[t.rank - p->axes + d] = size[d];
  return gi_null(y) ? y : glia_reshape(y, t.rank, t.dim);
}

/* The options of a stage: of the last two axes, or of depth alone. */
static gi_pool_attr attr_of(const pool *p, bool depth) {
  const glia_pool_opts *o = &p->o;
  gi_pool_attr a = {.kernel = {2, {1, 1}},
                    .stride = {2, {1, 1}},
                    .padding = {.n = 2},
                    .dilation = {2, {1, 1}},
                    .ceil_mode = o->ceil_mode,
                    .count_padding = o->count_padding};
  for (int i = 0; i < (depth ? 1 : GI_MIN(p->axes, 2)); i++) {
    const int from = depth ? 0 : p->axes - 1 - i, to = depth ? 0 : 1 - i;
    a.kernel.at[to] = o->kernel[from];
    a.stride.at[to] = o->stride[from];
    a.padding.at[to] = o->padding[from];
    a.dilation.at[to] = o->dilation[from];
  }
  return a;
}

/* One stage; `place` (or NULL), of x's shape, follows the winners. */
static glia_value stage(const gi_op *op, gi_pool_attr a, glia_value x, glia_value *place) {
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  if (gi_null(x)) return x;
  gi_emit(NULL, op, &a, &x, 1, out);
  if (place != NULL && !gi_null(out[0])) {
    a.size = (gi_dims){2, {glia_value_dim(x, 2), glia_value_dim(x, 3)}};
    *place = gi_emit2(&gi_op_pool_gather, &a, *place, out[1]);
  }
  return out[0];
}

static glia_value stages(const pool *p, const gi_op *op, glia_value x, glia_value *place,
                         int64_t *size) {
  glia_value y = stage(op, attr_of(p, false), planes(p, x), place);
  if (gi_null(y)) return y;
  size[p->axes - 1] = glia_value_dim(y, 3);
  if (p->axes > 1) size[p->axes - 2] = glia_value_dim(y, 2);
  if (p->axes < 3) return y;
  if (place != NULL) *place = deep(p, *place);
  y = stage(op, attr_of(p, true), deep(p, y), place);
  size[0] = gi_null(y) ? 0 : glia_value_dim(y, 2);
  return y;
}

/* Every element's own place in A..., as planes: f32 where that is exact. */
static glia_value own_places(const pool *p, glia_value x) {
  const int64_t *a = size_of(p);
  int64_t cells = 1, shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1};
  for (int d = 0; d < p->axes; d++) cells *= shape[2 + d] = a[d];
  const glia_dtype dtype = cells <= 1 << 24 ? GLIA_F32 : GLIA_F64;
  glia_value v = glia_reshape(glia_range(x.graph, cells, dtype), 2 + p->axes, shape);
  shape[0] = p->n;
  shape[1] = p->channels;
  return planes(p, glia_broadcast_to(v, 2 + p->axes, shape));
}

static glia_value extreme(const char *name, const gi_op *op, glia_value x,
                          const glia_pool_opts *opt, glia_value *index) {
  pool p = {.op = name};
  int64_t size[3] = {0};
  if (index != NULL) *index = GLIA_NONE;
  if (gi_null(x)) return x;
  const glia_status s = begin(&p, x, opt);
  if (s != GLIA_OK) return failed(&p, x, s);
  glia_value place = index != NULL ? own_places(&p, x) : GLIA_NONE;
  const glia_value y = stages(&p, op, x, index != NULL ? &place : NULL, size);
  if (index != NULL) *index = glia_cast(finish(&p, place, size), GLIA_I64);
  return finish(&p, y, size);
}

glia_value glia_max_pool_opt(glia_value x, glia_value *index, const glia_pool_opts *opt) {
  return extreme("max_pool", &gi_op_max_pool2d, x, opt, index);
}
glia_value glia_min_pool_opt(glia_value x, glia_value *index, const glia_pool_opts *opt) {
  return extreme("min_pool", &gi_op_min_pool2d, x, opt, index);
}

/* ---- averages ------------------------------------------------------------------------ */

static glia_status no_dilation(const pool *p) {
  for (int d = 0; d < p->axes; d++)
    if (p->o.dilation[d] != 1)
      return gi_fail(GLIA_INVALID, "%s: dilation is %" PRId64 ", wanted 1", p->op,
                     p->o.dilation[d]);
  return GLIA_OK;
}

/* x with all that windows see outside of it as zeros: all windows are whole then. */
static glia_value framed(pool *p, glia_value x) {
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  glia_pool_opts *o = &p->o;
  for (int d = 0; d < p->axes; d++) {
    const int at = p->x.rank - p->axes + d;
    const int64_t n = p->x.dim[at];
    const int64_t count = n > INT32_MAX ? 0
                                        : gi_window_count(n, o->kernel[d], o->stride[d],
                                                          o->padding[d], 1, o->ceil_mode);
    const int64_t needed = (count - 1) * o->stride[d] + o->kernel[d];
    before[at] = o->padding[d];
    after[at] = GI_MAX(o->padding[d], needed - n - o->padding[d]);
    o->padding[d] = 0;
    p->x.dim[at] += before[at] + after[at];
  }
  o->ceil_mode = false;
  return glia_pad(x, before, after, 0);
}

static double cells_of(const pool *p) {
  double n = 1;
  for (int d = 0; d < p->axes; d++) n *= (double)p->o.kernel[d];
  return n;
}

glia_value glia_avg_pool_opt(glia_value x, const glia_pool_opts *opt) {
  pool p = {.op = "avg_pool"};
  int64_t size[3] = {0};
  if (gi_null(x)) return x;
  glia_status s = begin(&p, x, opt);
  if (s == GLIA_OK) s = no_dilation(&p);
  if (s != GLIA_OK) return failed(&p, x, s);
  const double divisor = p.o.divisor;
  if (!isfinite(divisor))
    return gi_latch(x.graph, GLIA_INVALID, "avg_pool: divisor is %g", divisor);
  if (divisor != 0) x = framed(&p, x);
  const glia_value y = finish(&p, stages(&p, &gi_op_avg_pool2d, x, NULL, size), size);
  if (gi_null(y) || divisor == 0) return y;
  return glia_mul(y, glia_scalar_like(y, cells_of(&p) / divisor));
}

glia_value glia_lp_pool_opt(glia_value x, const glia_pool_opts *opt) {
  pool p = {.op = "lp_pool"};
  int64_t size[3] = {0};
  if (gi_null(x)) return x;
  glia_status s = begin(&p, x, opt);
  if (s == GLIA_OK) s = no_dilation(&p);
  if (s != GLIA_OK) return failed(&p, x, s);
  const double power = p.o.power != 0 ? p.o.power : 2;
  for (int d = 0; d < p.axes; d++)
    if (!(power > 0) || !isfinite(power) || p.o.padding[d] != 0)
      return gi_latch(x.graph, GLIA_INVALID,
                      "lp_pool: power %g, padding %" PRId64 "; wanted more than 0, and none",
                      power, p.o.padding[d]);
  const glia_value raised = power == 1   ? x
                            : power == 2 ? glia_square(x)
                                         : glia_pow(x, glia_scalar_like(x, power));
  glia_value y = finish(&p, stages(&p, &gi_op_avg_pool2d, raised, NULL, size), size);
  if (gi_null(y)) return y;
  y = glia_mul(y, glia_scalar_like(y, cells_of(&p)));
  return power == 1   ? y
         : power == 2 ? glia_sqrt(y)
                      : glia_pow(y, glia_scalar_like(y, 1 / power));
}

/* ---- adaptive ------------------------------------------------------------------------ */

/* The sizes of the result, those that are 0 filled in. */
static glia_status begin_adaptive(pool *p, glia_value x, int axes, const int64_t *size,
                                  int64_t *to) {
  GI_TRY(look_at(p, x, axes));
  for (int d = 0; d < p->axes; d++) {
    to[d] = size[d] != 0 ? size[d] : size_of(p)[d];
    if (to[d] < 1 || to[d] > INT32_MAX)
      return gi_fail(GLIA_INVALID, "%s: size %" PRId64 " on axis %d, wanted >= 1", p->op, to[d],
                     d);
  }
  return GLIA_OK;
}

glia_value glia_adaptive_avg_pool(glia_value x, int axes, const int64_t *size) {
  pool p = {.op = "adaptive_avg_pool"};
  int64_t to[3] = {1, 1, 1};
  if (gi_null(x)) return x;
  const glia_status s = begin_adaptive(&p, x, axes, size, to);
  if (s != GLIA_OK) return failed(&p, x, s);
  const int n = p.axes;
  glia_value y = glia_adaptive_avg_pool2d(planes(&p, x), n > 1 ? to[n - 2] : 1, to[n - 1]);
  if (n == 3 && !gi_null(y)) y = glia_adaptive_avg_pool2d(deep(&p, y), to[0], to[1] * to[2]);
  return finish(&p, y, to);
}

/* Emits the largest and its place in the plane, i64. */
static glia_value largest(glia_value x, int64_t rows, int64_t columns, glia_value *place) {
  const gi_shape_attr a = {{2, {rows, columns}}};
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  gi_emit(NULL, &gi_op_adaptive_max_pool2d, &a, &x, 1, out);
  *place = glia_cast(out[1], GLIA_I64);
  return out[0];
}

/* Places in planes become places in volumes: plus depth times the plane, looked up where the
 * winner along depth is. */
static glia_value in_volume(const pool *p, glia_value plane, glia_value along, int64_t rest,
                            int64_t depth) {
  if (gi_null(plane) || gi_null(along)) return GLIA_NONE;
  const int64_t *a = size_of(p);
  const glia_value begins =
      glia_reshape(glia_mul(glia_range(plane.graph, a[0], GLIA_I64),
                            glia_scalar_like(plane, (double)(a[1] * a[2]))),
                   2, (const int64_t[]){a[0], 1});
  const glia_value all = glia_reshape(glia_add(deep(p, plane), begins), 3,
                                      (const int64_t[]){p->n, p->channels, a[0] * rest});
  return glia_take_along(
      all, glia_reshape(along, 3, (const int64_t[]){p->n, p->channels, depth * rest}), 2);
}

glia_value glia_adaptive_max_pool(glia_value x, int axes, const int64_t *size,
                                  glia_value *index) {
  pool p = {.op = "adaptive_max_pool"};
  int64_t to[3] = {1, 1, 1};
  glia_value place, along;
  if (index != NULL) *index = GLIA_NONE;
  if (gi_null(x)) return x;
  const glia_status s = begin_adaptive(&p, x, axes, size, to);
  if (s != GLIA_OK) return failed(&p, x, s);
  const int n = p.axes;
  glia_value y = largest(planes(&p, x), n > 1 ? to[n - 2] : 1, to[n - 1], &place);
  if (n == 3 && !gi_null(y)) {
    y = largest(deep(&p, y), to[0], to[1] * to[2], &along);
    if (index != NULL) place = in_volume(&p, place, along, to[1] * to[2], to[0]);
  }
  if (index != NULL) *index = finish(&p, place, to);
  return finish(&p, y, to);
}

/* ---- unpooling ----------------------------------------------------------------------- */

glia_value glia_max_unpool(glia_value y, glia_value index, int axes, const int64_t *size) {
  pool p = {.op = "max_unpool"};
  if (gi_null(y) || gi_null(index)) return GLIA_NONE;
  const glia_status s = look_at(&p, y, axes);
  if (s != GLIA_OK) return failed(&p, y, s);
  const gi_type ti = gi_value_type(index);
  char ty[GI_TEXT], text[GI_TEXT];
  int64_t cells = 1, windows = 1;
  for (int d = 0; d < p.axes; d++) {
    windows *= size_of(&p)[d];
    if (size[d] < 0 || size[d] > INT64_MAX / GI_MAX(1, cells))
      return gi_latch(y.graph, GLIA_SHAPE, "max_unpool: size %" PRId64 " on axis %d", size[d],
                      d);
    cells *= size[d];
  }
  if (!gi_shape_equal(&p.x, &ti))
    return gi_latch(y.graph, GLIA_SHAPE, "max_unpool: y is %s, index is %s, wanted one shape",
                    gi_shape_text(&p.x, ty, sizeof ty), gi_shape_text(&ti, text, sizeof text));
  const int64_t rows = p.n * p.channels, flat[] = {rows, windows}, all[] = {rows, cells};
  const glia_value zeros = glia_broadcast_to(glia_scalar_like(y, 0), 2, all);
  return finish(&p,
                glia_scatter(zeros, glia_reshape(index, 2, flat), glia_reshape(y, 2, flat), 1,
                             GLIA_SCATTER_SET),
                size);
}
