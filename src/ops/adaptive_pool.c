/* adaptive_pool.c - pooling to a size that is given: cell i of OH covers the rows from
 * floor(i H / OH) up to ceil((i + 1) H / OH), so that all of x is covered and neighbours
 * overlap where H is not a multiple of OH (as PyTorch).
 *
 * Shapes: x [N, C, H, W] -> y [N, C, OH, OW]; the largest also gives its place in the plane,
 * row W + column. Where H and W are multiples, the average is an avg_pool2d, which is faster.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status infer_pool(gi_infer *c, const char *op, const char *size) {
  const gi_dims *d = &((const gi_shape_attr *)c->attr)->shape;
  const gi_type *x = &c->in[0];
  char text[GI_TEXT];
  GI_TRY(gi_want_rank(c, 0, 4, op, "x", "[N, C, H, W]"));
  GI_TRY(gi_want_float(c, 0, op, "x"));
  if (d->n != 2 || d->at[0] < 1 || d->at[1] < 1 || d->at[0] > INT32_MAX || d->at[1] > INT32_MAX)
    return gi_fail(GLIA_INVALID, "%s: %s is [%" PRId64 ", %" PRId64 "], wanted >= 1", op, size,
                   d->at[0], d->at[1]);
  if (x->dim[2] < 1 || x->dim[3] < 1 || x->dim[2] > INT32_MAX || x->dim[3] > INT32_MAX)
    return gi_fail(GLIA_SHAPE, "%s: x is %s, wanted rows and columns", op,
                   gi_shape_text(x, text, sizeof text));
  c->out[0] = *x;
  c->out[0].dim[2] = d->at[0];
  c->out[0].dim[3] = d->at[1];
  return GLIA_OK;
}

static glia_status infer_avg(gi_infer *c) {
  return infer_pool(c, "adaptive_avg_pool2d", "the output size");
}
static glia_status infer_avg_grad(gi_infer *c) {
  return infer_pool(c, "adaptive_avg_pool2d_grad", "the input size");
}
static glia_status infer_max(gi_infer *c) {
  char text[GI_TEXT];
  GI_TRY(infer_pool(c, "adaptive_max_pool2d", "the output size"));
  if (c->in[0].dim[2] * c->in[0].dim[3] > INT32_MAX)
    return gi_fail(GLIA_SHAPE,
                   "adaptive_max_pool2d: x is %s, wanted at most 2^31 cells a plane",
                   gi_shape_text(&c->in[0], text, sizeof text));
  c->out[1] = c->out[0];
  c->out[1].dtype = GLIA_I32;
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

static gi_shape_attr plane(glia_value x) {
  return (gi_shape_attr){{2, {glia_value_dim(x, 2), glia_value_dim(x, 3)}}};
}

/* Average and gradient are transposes of each other: same rule, other size. */
static glia_status vjp_avg(gi_vjp *c) {
  const gi_shape_attr a = plane(c->in[0]);
  c->din[0] = gi_emit1(&gi_op_adaptive_avg_pool2d_grad, &a, c->dout[0]);
  return GLIA_OK;
}
static glia_status vjp_avg_grad(gi_vjp *c) {
  const gi_shape_attr a = plane(c->in[0]);
  c->din[0] = gi_emit1(&gi_op_adaptive_avg_pool2d, &a, c->dout[0]);
  return GLIA_OK;
}

/* dy goes to the places that won, planes seen as one axis. */
static glia_status vjp_max(gi_vjp *c) {
  const gi_type x = gi_value_type(c->in[0]), y = gi_value_type(c->out[0]);
  const int64_t cells[] = {x.dim[0], x.dim[1], y.dim[2] * y.dim[3]};
  const glia_value dx =
      glia_put_along(glia_reshape(c->dout[0], 3, cells), glia_reshape(c->out[1], 3, cells), 2,
                     x.dim[2] * x.dim[3]);
  c->din[0] = glia_reshape(dx, 4, x.dim);
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

typedef struct region {
  int64_t from[2], to[2];
} region; /* rows, columns; to is behind the end */

/* The cells of `large` that cell i, j of `small` covers. */
static region covered(const gi_type *large, const gi_type *small, int64_t i, int64_t j) {
  region r;
  for (int d = 0; d < 2; d++) {
    const int64_t at = d == 0 ? i : j, n = large->dim[2 + d], m = small->dim[2 + d];
    r.from[d] = at * n / m;
    r.to[d] = ((at + 1) * n + m - 1) / m;
  }
  return r;
}

static double area(const region *r) {
  return (double)((r->to[0] - r->from[0]) * (r->to[1] - r->from[1]));
}

static glia_status ref_avg(gi_ref *c) {
  const gi_type *x = &c->in[0].t, *y = &c->out[0].t;
  int64_t e = 0;
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++)
    for (int64_t i = 0; i < y->dim[2]; i++)
      for (int64_t j = 0; j < y->dim[3]; j++) {
        const region r = covered(x, y, i, j);
        double s = 0;
        for (int64_t p = r.from[0]; p < r.to[0]; p++)
          for (int64_t q = r.from[1]; q < r.to[1]; q++)
            s += gi_get(&c->in[0], (k * x->dim[2] + p) * x->dim[3] + q);
        gi_put(&c->out[0], e++, s / area(&r));
      }
  return GLIA_OK;
}

static glia_status ref_avg_grad(gi_ref *c) {
  const gi_type *x = &c->out[0].t, *y = &c->in[0].t;
  int64_t e = 0;
  gi_zero(&c->out[0]);
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++)
    for (int64_t i = 0; i < y->dim[2]; i++)
      for (int64_t j = 0; j < y->dim[3]; j++) {
        const region r = covered(x, y, i, j);
        const double share = gi_get(&c->in[0], e++) / area(&r);
        for (int64_t p = r.from[0]; p < r.to[0]; p++)
          for (int64_t q = r.from[1]; q < r.to[1]; q++) {
            const int64_t at = (k * x->dim[2] + p) * x->dim[3] + q;
            gi_put(&c->out[0], at, gi_get(&c->out[0], at) + share);
          }
      }
  return GLIA_OK;
}

static int64_t largest(const gi_buf *x, int64_t k, const region *r) {
  const int64_t h = x->t.dim[2], w = x->t.dim[3];
  int64_t won = -1;
  double best = 0;
  for (int64_t p = r->from[0]; p < r->to[0]; p++)
    for (int64_t q = r->from[1]; q < r->to[1]; q++) {
      const double v = gi_get(x, (k * h + p) * w + q);
      if (won >= 0 && !(v > best) && !(isnan(v) && !isnan(best))) continue;
      won = p * w + q;
      best = v;
    }
  return won;
}

static glia_status ref_max(gi_ref *c) {
  const gi_type *x = &c->in[0].t, *y = &c->out[0].t;
  int64_t e = 0;
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++)
    for (int64_t i = 0; i < y->dim[2]; i++)
      for (int64_t j = 0; j < y->dim[3]; j++, e++) {
        const region r = covered(x, y, i, j);
        const int64_t won = largest(&c->in[0], k, &r);
        gi_put(&c->out[0], e, gi_get(&c->in[0], k * x->dim[2] * x->dim[3] + won));
        gi_put(&c->out[1], e, (double)won);
      }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* each cell of the larger side about once */
  gi_cost k = gi_default_cost(c);
  k.flops = (double)GI_MAX(gi_type_count(&c->in[0]), gi_type_count(&c->out[0]));
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_shape_attr to11 = {{2, {1, 1}}}, to22 = {{2, {2, 2}}}, to35 = {{2, {3, 5}}},
                           to77 = {{2, {7, 7}}}, to0 = {{2, {0, 2}}}, none = {{0, {0}}};
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&to22, 1, {{4, {1, 1, 3, 3}, R}}, GLIA_OK},
    {&to11, 1, {{4, {2, 3, 5, 4}, R}}, GLIA_OK},
    {&to35, 1, {{4, {2, 3, 7, 11}, R}}, GLIA_OK},
    {&to77, 1, {{4, {1, 2, 4, 5}, R}}, GLIA_OK}, /* larger than x */
    {&to22, 1, {{4, {1, 17, 4, 4}, R}}, GLIA_OK},
    {&to22, 1, {{4, {0, 3, 4, 4}, R}}, GLIA_OK},
    {&to22, 1, {{4, {1, 3, 0, 4}, R}}, GLIA_SHAPE},
    {&to22, 1, {{3, {3, 4, 4}, R}}, GLIA_SHAPE},
    {&to0, 1, {{4, {1, 3, 4, 4}, R}}, GLIA_INVALID},
    {&none, 1, {{4, {1, 3, 4, 4}, R}}, GLIA_INVALID},
    {&to22, 1, {{4, {1, 1, 3, 3}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};
#undef R

static const gi_attr fields[] = {
    {"shape", GI_ATTR_DIMS, offsetof(gi_shape_attr, shape), "rows and columns of the result"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_adaptive_avg_pool2d = {
    .name = "adaptive_avg_pool2d",
    .doc = "averages of windows that divide the image into a given number of rows and columns",
    .torch = "torch.nn.functional.adaptive_avg_pool2d(x0, shape)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_shape_attr),
    .attrs = fields,
    .infer = infer_avg,
    .vjp = vjp_avg,
    .ref = ref_avg,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_adaptive_avg_pool2d_grad = {
    .name = "adaptive_avg_pool2d_grad",
    .doc = "each element of dy spread evenly over the cells that its average was taken of",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_shape_attr),
    .attrs = fields,
    .infer = infer_avg_grad,
    .vjp = vjp_avg_grad,
    .ref = ref_avg_grad,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_adaptive_max_pool2d = {
    .name = "adaptive_max_pool2d",
    .doc = "largest of windows that divide the image into a given number of rows and columns",
    .torch = "torch.nn.functional.adaptive_max_pool2d(x0, shape)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_shape_attr),
    .attrs = fields,
    .infer = infer_max,
    .vjp = vjp_max,
    .ref = ref_max,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_adaptive_pool[] = {&gi_op_adaptive_avg_pool2d,
                                             &gi_op_adaptive_avg_pool2d_grad,
                                             &gi_op_adaptive_max_pool2d, NULL};

/* ---- builders ------------------------------------------------------------------------ */

glia_value glia_adaptive_avg_pool2d(glia_value x, int64_t height, int64_t width) {
  const gi_shape_attr a = {{2, {height, width}}};
  if (!gi_null(x) && glia_value_rank(x) == 4 && height > 0 && width > 0) {
    const int64_t h = glia_value_dim(x, 2), w = glia_value_dim(x, 3);
    if (h > 0 && w > 0 && h % height == 0 && w % width == 0)
      return glia_avg_pool2d(x, .kernel = {h / height, w / width});
  }
  return gi_emit1(&gi_op_adaptive_avg_pool2d, &a, x);
}

glia_value glia_adaptive_max_pool2d(glia_value x, int64_t height, int64_t width) {
  const gi_shape_attr a = {{2, {height, width}}};
  return gi_emit1(&gi_op_adaptive_max_pool2d, &a, x);
}

glia_value glia_global_avg_pool2d(glia_value x) {
  if (!gi_null(x) && glia_value_rank(x) != 4)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "global_avg_pool2d: x has rank %d, wanted [N, C, H, W]",
                    glia_value_rank(x));
  return glia_mean(x, .n = 2, .axes = {2, 3});
}
