/* pool.c - pooling of images: largest, smallest and average of windows, and their gradients.
 *
 * Shapes: x [N, C, H, W] -> y [N, C, OH, OW]; OH counts windows as conv.c does or, with
 * ceil_mode, rounds up but leaves out a last window that would begin behind the end.
 *
 * max_pool2d and min_pool2d also give the position of the winner inside its window,
 * kh KW + kw, in one byte where that is enough: a quarter of y's memory is kept for the
 * gradient, not x. The gradient (pool_scatter) is linear in dy, its transpose is pool_gather,
 * and so on for ever; the same holds for avg_pool2d and avg_pool2d_grad. Cells in the padding
 * are never chosen.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/window.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status check_attr(const gi_pool_attr *a, const char *op) {
  GI_TRY(gi_window_field(&a->kernel, op, "kernel", 1));
  GI_TRY(gi_window_field(&a->stride, op, "stride", 1));
  GI_TRY(gi_window_field(&a->padding, op, "padding", 0));
  GI_TRY(gi_window_field(&a->dilation, op, "dilation", 1));
  for (int d = 0; d < 2; d++)
    if (a->padding.at[d] > gi_window_span(a->kernel.at[d], a->dilation.at[d]) / 2)
      return gi_fail(GLIA_INVALID,
                     "%s: padding is %" PRId64 ", wanted at most half the kernel's %" PRId64
                     " cells, so that no window is all padding",
                     op, a->padding.at[d], gi_window_span(a->kernel.at[d], a->dilation.at[d]));
  return GLIA_OK;
}

static glia_dtype position_dtype(const gi_pool_attr *a) {
  return a->kernel.at[0] * a->kernel.at[1] <= 256 ? GLIA_U8 : GLIA_I32;
}

/* The shape of y from that of x. Every window must hold a cell of x: its first cell lies
 * before the end and its last at or behind the beginning, so only steps longer than x could
 * miss it. */
static glia_status pooled(const gi_pool_attr *a, const gi_type *x, gi_type *y, const char *op) {
  char text[GI_TEXT];
  GI_TRY(check_attr(a, op));
  *y = *x;
  for (int d = 0; d < 2; d++) {
    const int64_t size = x->dim[2 + d];
    y->dim[2 + d] = size > INT32_MAX
                        ? 0
                        : gi_window_count(size, a->kernel.at[d], a->stride.at[d],
                                          a->padding.at[d], a->dilation.at[d], a->ceil_mode);
    if (y->dim[2 + d] == 0)
      return gi_fail(GLIA_SHAPE,
                     "%s: x is %s; the window spans %" PRId64
                     " cells of axis %d, x "
                     "with its padding has %" PRId64,
                     op, gi_shape_text(x, text, sizeof text),
                     gi_window_span(a->kernel.at[d], a->dilation.at[d]), 2 + d,
                     size + 2 * a->padding.at[d]);
    if (a->padding.at[d] > 0 && a->dilation.at[d] > size)
      return gi_fail(GLIA_SHAPE,
                     "%s: x is %s; with dilation %" PRId64
                     " a window may lie in the padding alone",
                     op, gi_shape_text(x, text, sizeof text), a->dilation.at[d]);
  }
  return GLIA_OK;
}

static glia_status infer_pool(gi_infer *c, const char *op) {
  GI_TRY(gi_want_rank(c, 0, 4, op, "x", "[N, C, H, W]"));
  GI_TRY(gi_want_float(c, 0, op, "x"));
  return pooled(c->attr, &c->in[0], &c->out[0], op);
}

static glia_status infer_extreme(gi_infer *c, const char *op) {
  const gi_pool_attr *a = c->attr;
  GI_TRY(infer_pool(c, op));
  if (a->kernel.at[0] * a->kernel.at[1] > INT32_MAX)
    return gi_fail(GLIA_INVALID, "%s: a window of %" PRId64 " x %" PRId64 " cells is too large",
                   op, a->kernel.at[0], a->kernel.at[1]);
  c->out[1] = c->out[0];
  c->out[1].dtype = position_dtype(a);
  return GLIA_OK;
}
static glia_status infer_max(gi_infer *c) { return infer_extreme(c, "max_pool2d"); }
static glia_status infer_min(gi_infer *c) { return infer_extreme(c, "min_pool2d"); }
static glia_status infer_avg(gi_infer *c) { return infer_pool(c, "avg_pool2d"); }

/* The shape of x from that of y (input k) and the attribute size; they must agree. */
static glia_status unpooled(gi_infer *c, int k, gi_type *x, const char *op) {
  const gi_pool_attr *a = c->attr;
  gi_type y;
  char want[GI_TEXT], got[GI_TEXT];
  GI_TRY(gi_window_field(&a->size, op, "size", 0));
  *x = c->in[k];
  x->dim[2] = a->size.at[0];
  x->dim[3] = a->size.at[1];
  GI_TRY(pooled(a, x, &y, op));
  if (!gi_shape_equal(&y, &c->in[k]))
    return gi_fail(GLIA_SHAPE,
                   "%s: the pooled shape is %s, wanted %s for x of %" PRId64 " x %" PRId64, op,
                   gi_shape_text(&c->in[k], got, sizeof got),
                   gi_shape_text(&y, want, sizeof want), a->size.at[0], a->size.at[1]);
  return GLIA_OK;
}

static glia_status check_position(gi_infer *c, const char *op) {
  char text[GI_TEXT];
  GI_TRY(gi_want_rank(c, 0, 4, op, "the first input", "four axes"));
  GI_TRY(gi_want_rank(c, 1, 4, op, "position", "[N, C, OH, OW]"));
  GI_TRY(gi_want_float(c, 0, op, "the first input"));
  GI_TRY(check_attr(c->attr, op));
  if (c->in[1].dtype != position_dtype(c->attr))
    return gi_fail(GLIA_DTYPE, "%s: position is %s, wanted %s", op,
                   gi_type_text(&c->in[1], text, sizeof text),
                   glia_dtype_name(position_dtype(c->attr)));
  return GLIA_OK;
}

static glia_status infer_scatter(gi_infer *c) {
  char td[GI_TEXT], tp[GI_TEXT];
  GI_TRY(check_position(c, "pool_scatter"));
  if (!gi_shape_equal(&c->in[0], &c->in[1]))
    return gi_fail(GLIA_SHAPE, "pool_scatter: dy is %s, position %s",
                   gi_shape_text(&c->in[0], td, sizeof td),
                   gi_shape_text(&c->in[1], tp, sizeof tp));
  return unpooled(c, 0, &c->out[0], "pool_scatter");
}

static glia_status infer_gather(gi_infer *c) {
  gi_type x;
  char tx[GI_TEXT], want[GI_TEXT];
  GI_TRY(check_position(c, "pool_gather"));
  GI_TRY(unpooled(c, 1, &x, "pool_gather"));
  if (!gi_shape_equal(&x, &c->in[0]))
    return gi_fail(GLIA_SHAPE, "pool_gather: x is %s, wanted %s",
                   gi_shape_text(&c->in[0], tx, sizeof tx),
                   gi_shape_text(&x, want, sizeof want));
  c->out[0] = c->in[1];
  c->out[0].dtype = c->in[0].dtype;
  return GLIA_OK;
}

static glia_status infer_avg_grad(gi_infer *c) {
  GI_TRY(gi_want_rank(c, 0, 4, "avg_pool2d_grad", "dy", "[N, C, OH, OW]"));
  GI_TRY(gi_want_float(c, 0, "avg_pool2d_grad", "dy"));
  return unpooled(c, 0, &c->out[0], "avg_pool2d_grad");
}

/* ---- gradients ----------------------------------------------------------------------- */

static gi_pool_attr with_size(const void *attr, glia_value x) {
  gi_pool_attr a = *(const gi_pool_attr *)attr;
  a.size = (gi_dims){2, {glia_value_dim(x, 2), glia_value_dim(x, 3)}};
  return a;
}

static glia_status vjp_extreme(gi_vjp *c) {
  const gi_pool_attr a = with_size(c->attr, c->in[0]);
  c->din[0] = gi_emit2(&gi_op_pool_scatter, &a, c->dout[0], c->out[1]);
  return GLIA_OK;
}
static glia_status vjp_scatter(gi_vjp *c) {
  if (c->need[0]) c->din[0] = gi_emit2(&gi_op_pool_gather, c->attr, c->dout[0], c->in[1]);
  return GLIA_OK;
}
static glia_status vjp_gather(gi_vjp *c) {
  if (c->need[0]) c->din[0] = gi_emit2(&gi_op_pool_scatter, c->attr, c->dout[0], c->in[1]);
  return GLIA_OK;
}
static glia_status vjp_avg(gi_vjp *c) {
  const gi_pool_attr a = with_size(c->attr, c->in[0]);
  c->din[0] = gi_emit1(&gi_op_avg_pool2d_grad, &a, c->dout[0]);
  return GLIA_OK;
}
static glia_status vjp_avg_grad(gi_vjp *c) {
  gi_pool_attr a = *(const gi_pool_attr *)c->attr;
  a.size = (gi_dims){.n = 0};
  c->din[0] = gi_emit1(&gi_op_avg_pool2d, &a, c->dout[0]);
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

typedef struct plane { /* one image of one channel, x and pooled */
  const gi_pool_attr *a;
  int64_t h, w, oh, ow;
  int64_t x, y; /* first elements */
} plane;

static plane plane_of(const gi_pool_attr *a, const gi_type *x, const gi_type *y, int64_t k) {
  plane p = {a, x->dim[2], x->dim[3], y->dim[2], y->dim[3], 0, 0};
  p.x = k * p.h * p.w;
  p.y = k * p.oh * p.ow;
  return p;
}

/* The element of x at cell k of window o; -1 in the padding. */
static int64_t cell(const plane *p, int64_t o, int64_t k) {
  const gi_pool_attr *a = p->a;
  const int64_t i =
      gi_window_cell(&a->stride, &a->padding, &a->dilation, 0, o / p->ow, k / a->kernel.at[1]);
  const int64_t j =
      gi_window_cell(&a->stride, &a->padding, &a->dilation, 1, o % p->ow, k % a->kernel.at[1]);
  return i < 0 || j < 0 || i >= p->h || j >= p->w ? -1 : p->x + i * p->w + j;
}

static glia_status ref_extreme(gi_ref *c, double sign) {
  const gi_pool_attr *a = c->attr;
  const gi_type *x = &c->in[0].t, *y = &c->out[0].t;
  const int64_t cells = a->kernel.at[0] * a->kernel.at[1];
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++) {
    const plane p = plane_of(a, x, y, k);
    for (int64_t o = 0; o < p.oh * p.ow; o++) {
      int64_t won = -1;
      double best = 0;
      for (int64_t q = 0; q < cells; q++) {
        const int64_t at = cell(&p, o, q);
        if (at < 0) continue;
        const double v = gi_get(&c->in[0], at);
        if (won >= 0 && !(v * sign > best * sign) && !(isnan(v) && !isnan(best))) continue;
        won = q;
        best = v;
      }
      gi_put(&c->out[0], p.y + o, best);
      gi_put(&c->out[1], p.y + o, (double)won);
    }
  }
  return GLIA_OK;
}
static glia_status ref_max(gi_ref *c) { return ref_extreme(c, 1); }
static glia_status ref_min(gi_ref *c) { return ref_extreme(c, -1); }

/* The winner of window o. Positions come from memory, so they are not taken on trust. */
static glia_status winner(const plane *p, const gi_buf *position, int64_t o, int64_t *at) {
  const int64_t k = gi_index_at(position, p->y + o);
  const bool inside = k >= 0 && k < p->a->kernel.at[0] * p->a->kernel.at[1];
  *at = inside ? cell(p, o, k) : -1;
  if (*at >= 0) return GLIA_OK;
  return gi_fail(GLIA_INVALID,
                 "pooling: position %" PRId64 " of element %" PRId64 " is not a cell of x", k,
                 p->y + o);
}

static glia_status ref_scatter(gi_ref *c) {
  const gi_type *x = &c->out[0].t, *y = &c->in[0].t;
  gi_zero(&c->out[0]);
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++) {
    const plane p = plane_of(c->attr, x, y, k);
    for (int64_t o = 0; o < p.oh * p.ow; o++) {
      int64_t at;
      GI_TRY(winner(&p, &c->in[1], o, &at));
      gi_put(&c->out[0], at, gi_get(&c->out[0], at) + gi_get(&c->in[0], p.y + o));
    }
  }
  return GLIA_OK;
}

static glia_status ref_gather(gi_ref *c) {
  const gi_type *x = &c->in[0].t, *y = &c->out[0].t;
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++) {
    const plane p = plane_of(c->attr, x, y, k);
    for (int64_t o = 0; o < p.oh * p.ow; o++) {
      int64_t at;
      GI_TRY(winner(&p, &c->in[1], o, &at));
      gi_put(&c->out[0], p.y + o, gi_get(&c->in[0], at));
    }
  }
  return GLIA_OK;
}

/* What the sum over window o is divided by: its cells in x or, with count_padding, in x and the
 * padding, but never beyond that (ceil_mode), as PyTorch. */
static double divisor(const plane *p, int64_t o) {
  const gi_pool_attr *a = p->a;
  int64_t n = 1;
  for (int d = 0; d < 2; d++) {
    const int64_t i = d == 0 ? o / p->ow : o % p->ow, size = d == 0 ? p->h : p->w;
    int64_t counted = 0;
    for (int64_t k = 0; k < a->kernel.at[d]; k++) {
      const int64_t at = gi_window_cell(&a->stride, &a->padding, &a->dilation, d, i, k);
      if (a->count_padding ? at < size + a->padding.at[d] : at >= 0 && at < size) counted++;
    }
    n *= counted;
  }
  return (double)n;
}

static glia_status ref_avg(gi_ref *c) {
  const gi_pool_attr *a = c->attr;
  const gi_type *x = &c->in[0].t, *y = &c->out[0].t;
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++) {
    const plane p = plane_of(a, x, y, k);
    for (int64_t o = 0; o < p.oh * p.ow; o++) {
      double s = 0;
      for (int64_t q = 0; q < a->kernel.at[0] * a->kernel.at[1]; q++) {
        const int64_t at = cell(&p, o, q);
        if (at >= 0) s += gi_get(&c->in[0], at);
      }
      gi_put(&c->out[0], p.y + o, s / divisor(&p, o));
    }
  }
  return GLIA_OK;
}

static glia_status ref_avg_grad(gi_ref *c) {
  const gi_pool_attr *a = c->attr;
  const gi_type *x = &c->out[0].t, *y = &c->in[0].t;
  gi_zero(&c->out[0]);
  for (int64_t k = 0; k < x->dim[0] * x->dim[1]; k++) {
    const plane p = plane_of(a, x, y, k);
    for (int64_t o = 0; o < p.oh * p.ow; o++) {
      const double share = gi_get(&c->in[0], p.y + o) / divisor(&p, o);
      for (int64_t q = 0; q < a->kernel.at[0] * a->kernel.at[1]; q++) {
        const int64_t at = cell(&p, o, q);
        if (at >= 0) gi_put(&c->out[0], at, gi_get(&c->out[0], at) + share);
      }
    }
  }
  return GLIA_OK;
}

static double cells_of(const gi_infer *c) {
  const gi_pool_attr *a = c->attr;
  return (double)(a->kernel.at[0] * a->kernel.at[1]);
}
static gi_cost cost_forward(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  k.flops = (double)gi_type_count(&c->out[0]) * cells_of(c);
  return k;
}
static gi_cost cost_avg_grad(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  k.flops = (double)gi_type_count(&c->in[0]) * cells_of(c);
  return k;
}
static gi_cost cost_winners(const gi_infer *c) { /* one addition or copy a window */
  gi_cost k = gi_default_cost(c);
  k.flops = (double)gi_type_count(&c->in[1]);
  return k;
}

/* ---- samples ------------------------------------------------------------------------- */

/* clang-format off */
#define TWO(a, b) {2, {a, b}}
#define POOL(k, s, p, d, ...)                                                                  \
  {.kernel = TWO(k, k), .stride = TWO(s, s), .padding = TWO(p, p), .dilation = TWO(d, d),      \
   __VA_ARGS__}
/* clang-format on */
static const gi_pool_attr k2 = POOL(2, 2, 0, 1, ), k3s2p1 = POOL(3, 2, 1, 1, ),
                          k3s1d2 = POOL(3, 1, 1, 2, ),
                          ceiled = POOL(3, 2, 0, 1, .ceil_mode = true),
                          counted = POOL(3, 2, 1, 1, .count_padding = true),
                          counted_ceiled =
                              POOL(3, 2, 1, 1, .count_padding = true, .ceil_mode = true),
                          wide = {.kernel = TWO(20, 16),
                                  .stride = TWO(1, 3),
                                  .padding = TWO(3, 0),
                                  .dilation = TWO(1, 1)},
                          k1 = POOL(1, 1, 0, 1, ), k0 = POOL(0, 1, 0, 1, ),
                          padded = POOL(2, 2, 2, 1, ), k9 = POOL(9, 1, 0, 1, ),
                          misses = POOL(2, 1, 5, 10, );

#define R -2, 2, GLIA_F32
/* clang-format off */
#define FORWARD                                                                                \
  {&k2, 1, {{4, {1, 1, 4, 4}, R}}, GLIA_OK},                                                   \
  {&k3s2p1, 1, {{4, {2, 3, 7, 8}, R}}, GLIA_OK},                                               \
  {&k3s1d2, 1, {{4, {1, 2, 7, 6}, R}}, GLIA_OK},                                               \
  {&ceiled, 1, {{4, {2, 17, 6, 8}, R}}, GLIA_OK},                                              \
  {&wide, 1, {{4, {1, 1, 21, 23}, R}}, GLIA_OK}, /* 320 cells */                               \
  {&k1, 1, {{4, {1, 1, 1, 1}, R}}, GLIA_OK},                                                   \
  {&k2, 1, {{4, {0, 3, 4, 4}, R}}, GLIA_OK},                                                   \
  {&misses, 1, {{4, {1, 1, 3, 3}, R}}, GLIA_SHAPE},                                            \
  {&k9, 1, {{4, {1, 1, 4, 4}, R}}, GLIA_SHAPE},                                                \
  {&k2, 1, {{3, {1, 4, 4}, R}}, GLIA_SHAPE},                                                   \
  {&k0, 1, {{4, {1, 1, 4, 4}, R}}, GLIA_INVALID},                                              \
  {&padded, 1, {{4, {1, 1, 4, 4}, R}}, GLIA_INVALID},                                          \
  {&k2, 1, {{4, {1, 1, 4, 4}, 0, 4, GLIA_I32}}, GLIA_DTYPE}
/* clang-format on */
static const gi_sample samples_extreme[] = {FORWARD};
static const gi_sample samples_avg[] = {
    FORWARD,
    {&counted, 1, {{4, {2, 2, 7, 8}, R}}, GLIA_OK},
    {&counted_ceiled, 1, {{4, {1, 2, 6, 6}, R}}, GLIA_OK},
};

static const gi_pool_attr x_k2 = POOL(2, 2, 0, 1, .size = TWO(4, 4)),
                          x_k2odd = POOL(2, 2, 0, 1, .size = TWO(7, 5)),
                          x_k3s1 = POOL(3, 1, 0, 1, .size = TWO(5, 6)),
                          x_wide = {.kernel = TWO(20, 16),
                                    .stride = TWO(1, 3),
                                    .padding = TWO(0, 0),
                                    .dilation = TWO(1, 1),
                                    .size = TWO(21, 23)},
                          x_counted =
                              POOL(3, 2, 1, 1, .size = TWO(7, 8), .count_padding = true),
                          x_ceiled = POOL(3, 2, 0, 1, .size = TWO(6, 8), .ceil_mode = true);
#define U8 0, 4, GLIA_U8
static const gi_sample samples_scatter[] = {
    {&x_k2, 2, {{4, {1, 1, 2, 2}, R}, {4, {1, 1, 2, 2}, U8}}, GLIA_OK},
    {&x_k2odd, 2, {{4, {2, 3, 3, 2}, R}, {4, {2, 3, 3, 2}, U8}}, GLIA_OK},
    {&x_k3s1,
     2,
     {{4, {1, 2, 3, 4}, R}, {4, {1, 2, 3, 4}, 0, 9, GLIA_U8}},
     GLIA_OK}, /* overlap */
    {&x_wide, 2, {{4, {1, 1, 2, 3}, R}, {4, {1, 1, 2, 3}, 0, 320, GLIA_I32}}, GLIA_OK},
    {&x_k2, 2, {{4, {0, 1, 2, 2}, R}, {4, {0, 1, 2, 2}, U8}}, GLIA_OK},
    {&x_k2, 2, {{4, {1, 1, 2, 3}, R}, {4, {1, 1, 2, 3}, U8}}, GLIA_SHAPE},
    {&x_k2, 2, {{4, {1, 1, 2, 2}, R}, {4, {1, 2, 2, 2}, U8}}, GLIA_SHAPE},
    {&x_k2, 2, {{4, {1, 1, 2, 2}, R}, {4, {1, 1, 2, 2}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
    {&k2, 2, {{4, {1, 1, 2, 2}, R}, {4, {1, 1, 2, 2}, U8}}, GLIA_INVALID}, /* no size */
};
static const gi_sample samples_gather[] = {
    {&x_k2, 2, {{4, {1, 1, 4, 4}, R}, {4, {1, 1, 2, 2}, U8}}, GLIA_OK},
    {&x_k2odd, 2, {{4, {2, 3, 7, 5}, R}, {4, {2, 3, 3, 2}, U8}}, GLIA_OK},
    {&x_k3s1, 2, {{4, {1, 2, 5, 6}, R}, {4, {1, 2, 3, 4}, 0, 9, GLIA_U8}}, GLIA_OK},
    {&x_wide, 2, {{4, {1, 1, 21, 23}, R}, {4, {1, 1, 2, 3}, 0, 320, GLIA_I32}}, GLIA_OK},
    {&x_k2, 2, {{4, {0, 1, 4, 4}, R}, {4, {0, 1, 2, 2}, U8}}, GLIA_OK},
    {&x_k2, 2, {{4, {1, 1, 5, 4}, R}, {4, {1, 1, 2, 2}, U8}}, GLIA_SHAPE},
    {&x_k2, 2, {{4, {1, 1, 4, 4}, R}, {4, {1, 1, 2, 2}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
    {&k2, 2, {{4, {1, 1, 4, 4}, R}, {4, {1, 1, 2, 2}, U8}}, GLIA_INVALID},
};
static const gi_sample samples_avg_grad[] = {
    {&x_k2, 1, {{4, {1, 1, 2, 2}, R}}, GLIA_OK},
    {&x_k2odd, 1, {{4, {2, 3, 3, 2}, R}}, GLIA_OK},
    {&x_k3s1, 1, {{4, {1, 2, 3, 4}, R}}, GLIA_OK},
    {&x_counted, 1, {{4, {1, 2, 4, 4}, R}}, GLIA_OK},
    {&x_ceiled, 1, {{4, {1, 2, 3, 4}, R}}, GLIA_OK},
    {&x_k2, 1, {{4, {0, 1, 2, 2}, R}}, GLIA_OK},
    {&x_k2, 1, {{4, {1, 1, 3, 2}, R}}, GLIA_SHAPE},
    {&k2, 1, {{4, {1, 1, 2, 2}, R}}, GLIA_INVALID},
};
#undef R

/* ---- rows ---------------------------------------------------------------------------- */

/* clang-format off */
#define WINDOW                                                                                 \
  {"kernel", GI_ATTR_DIMS, offsetof(gi_pool_attr, kernel), "rows, columns of a window"},       \
  {"stride", GI_ATTR_DIMS, offsetof(gi_pool_attr, stride), "from window to window"},           \
  {"padding", GI_ATTR_DIMS, offsetof(gi_pool_attr, padding), "cells on both sides"},           \
  {"dilation", GI_ATTR_DIMS, offsetof(gi_pool_attr, dilation), "from cell to cell"},           \
  {"ceil_mode", GI_ATTR_BOOL, offsetof(gi_pool_attr, ceil_mode), "round the size up"}
#define COUNT                                                                                  \
  {"count_padding", GI_ATTR_BOOL, offsetof(gi_pool_attr, count_padding),                       \
   "divide by the whole window"}
#define SIZE {"size", GI_ATTR_DIMS, offsetof(gi_pool_attr, size), "rows, columns of x"}
#define END {NULL, GI_ATTR_I64, 0, NULL}
/* clang-format on */
static const gi_attr fields[] = {WINDOW, END}, fields_avg[] = {WINDOW, COUNT, END},
                     fields_winner[] = {WINDOW, SIZE, END},
                     fields_avg_grad[] = {WINDOW, COUNT, SIZE, END};

#define POOLING(row, text, inputs, outputs, ...)                \
  const gi_op gi_op_##row = {.name = #row,                      \
                             .doc = text,                       \
                             .min_in = inputs,                  \
                             .max_in = inputs,                  \
                             .n_out = outputs,                  \
                             .precision = GI_TAKES_ANY,         \
                             .cut_in = (1u << (inputs)) - 1,    \
                             .cut_out = (1u << (outputs)) - 1,  \
                             .attr_size = sizeof(gi_pool_attr), \
                             __VA_ARGS__}
#define WITH(list) .samples = list, .n_samples = GI_COUNT(list)

POOLING(
    max_pool2d, "largest of each window, and where it was", 1, 2, .attrs = fields,
    .torch = "torch.nn.functional.max_pool2d(x0, kernel, stride, padding, dilation, ceil_mode)",
    .infer = infer_max, .vjp = vjp_extreme, .ref = ref_max, .cost = cost_forward,
    WITH(samples_extreme));
POOLING(min_pool2d, "smallest of each window, and where it was", 1, 2, .attrs = fields,
        .torch =
            "-torch.nn.functional.max_pool2d(-x0, kernel, stride, padding, dilation, "
            "ceil_mode)",
        .infer = infer_min, .vjp = vjp_extreme, .ref = ref_min, .cost = cost_forward,
        WITH(samples_extreme));
POOLING(pool_scatter, "zeros, with dy added where the winner of each window was", 2, 1,
        .attrs = fields_winner, .infer = infer_scatter, .vjp = vjp_scatter, .ref = ref_scatter,
        .cost = cost_winners, WITH(samples_scatter));
POOLING(pool_gather, "the elements where the winner of each window was", 2, 1,
        .attrs = fields_winner, .infer = infer_gather, .vjp = vjp_gather, .ref = ref_gather,
        .cost = cost_winners, WITH(samples_gather));
POOLING(avg_pool2d, "average of each window", 1, 1, .attrs = fields_avg,
        .torch =
            "torch.nn.functional.avg_pool2d(x0, kernel, stride, padding, ceil_mode, "
            "count_padding)",
        .infer = infer_avg, .vjp = vjp_avg, .ref = ref_avg, .cost = cost_forward,
        WITH(samples_avg));
POOLING(avg_pool2d_grad, "each element of dy spread evenly over its window", 1, 1,
        .attrs = fields_avg_grad, .infer = infer_avg_grad, .vjp = vjp_avg_grad,
        .ref = ref_avg_grad, .cost = cost_avg_grad, WITH(samples_avg_grad));

const gi_op *const gi_ops_pool[] = {&gi_op_max_pool2d,
                                    &gi_op_min_pool2d,
                                    &gi_op_pool_scatter,
                                    &gi_op_pool_gather,
                                    &gi_op_avg_pool2d,
                                    &gi_op_avg_pool2d_grad,
                                    NULL};

/* ---- builders ------------------------------------------------------------------------ */

static glia_value pool(const gi_op *op, glia_value x, const glia_window_opts *opt) {
  glia_window_opts o;
  gi_opts(&o, sizeof o, opt);
  gi_pool_attr a = {.count_padding = o.count_padding, .ceil_mode = o.ceil_mode};
  a.kernel.n = a.stride.n = a.padding.n = a.dilation.n = 2;
  for (int d = 0; d < 2; d++) {
    a.kernel.at[d] = o.kernel[d];
    a.stride.at[d] = o.stride[d] != 0 ? o.stride[d] : o.kernel[d];
    a.padding.at[d] = o.padding[d];
    a.dilation.at[d] = o.dilation[d] != 0 ? o.dilation[d] : 1;
  }
  return gi_emit1(op, &a, x);
}

glia_value glia_max_pool2d_opt(glia_value x, const glia_window_opts *opt) {
  return pool(&gi_op_max_pool2d, x, opt);
}
glia_value glia_min_pool2d_opt(glia_value x, const glia_window_opts *opt) {
  return pool(&gi_op_min_pool2d, x, opt);
}
glia_value glia_avg_pool2d_opt(glia_value x, const glia_window_opts *opt) {
  return pool(&gi_op_avg_pool2d, x, opt);
}
