/* conv.c - convolution of images (cross-correlation), its two gradients, and the fused op
 * with an activation.
 *
 *   y[n, f, i, j] = bias[f] + sum over c, p, q of
 *       x[n, g C/G + c, i s - pad + p d, j s - pad + q d] w[f, c, p, q],   g = the group of f
 *
 * Shapes: x [N, C, H, W], w [F, C/groups, KH, KW], bias [F] -> y [N, F, OH, OW], where
 * OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1. x is zero in the padding.
 *
 * y is linear in x and in w. The three ops are the three ways to contract the same tensor of
 * taps, so the gradients of each are the other two, and derivatives of any order stay inside.
 */
#include "ops/attrs.h"
#include "ops/int8.h"
#include "ops/match.h"
#include "ops/window.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status check_attr(const gi_conv_attr *a, const char *op) {
  GI_TRY(gi_window_field(&a->stride, op, "stride", 1));
  GI_TRY(gi_window_field(&a->padding, op, "padding", 0));
  GI_TRY(gi_window_field(&a->dilation, op, "dilation", 1));
  if (a->groups < 1 || a->groups > INT32_MAX)
    return gi_fail(GLIA_INVALID, "%s: groups is %" PRId64 ", wanted >= 1", op, a->groups);
  return GLIA_OK;
}

/* The shapes of x, w and y must belong together; x and w are written out in the message. */
static glia_status check_shapes(const gi_conv_attr *a, const gi_type *x, const gi_type *w,
                                gi_type *y, const char *op) {
  char tx[GI_TEXT], tw[GI_TEXT];
  gi_shape_text(x, tx, sizeof tx);
  gi_shape_text(w, tw, sizeof tw);
  const int64_t channels = x->dim[1], filters = w->dim[0];
  if (channels % a->groups != 0 || filters % a->groups != 0)
    return gi_fail(GLIA_SHAPE,
                   "%s: x is %s, weight %s; %" PRId64
                   " groups divide neither channels nor filters evenly",
                   op, tx, tw, a->groups);
  if (w->dim[1] != channels / a->groups)
    return gi_fail(GLIA_SHAPE,
                   "%s: x is %s, weight is %s; weight wants %" PRId64
                   " channels a group, x has %" PRId64 " channels in %" PRId64 " groups",
                   op, tx, tw, w->dim[1], channels, a->groups);
  *y = (gi_type){.dtype = x->dtype, .rank = 4, .dim = {x->dim[0], filters}};
  for (int i = 0; i < 2; i++) {
    const int64_t size = x->dim[2 + i], kernel = w->dim[2 + i];
    if (size > INT32_MAX || kernel > INT32_MAX || kernel < 1)
      return gi_fail(GLIA_SHAPE, "%s: x is %s, weight is %s; kernels have 1 to 2^31 - 1 rows",
                     op, tx, tw);
    y->dim[2 + i] = gi_window_count(size, kernel, a->stride.at[i], a->padding.at[i],
                                    a->dilation.at[i], false);
    if (y->dim[2 + i] == 0)
      return gi_fail(GLIA_SHAPE,
                     "%s: x is %s, weight is %s; the kernel spans %" PRId64
                     " cells of axis %d, x with its padding has %" PRId64,
                     op, tx, tw, gi_window_span(kernel, a->dilation.at[i]), 2 + i,
                     size + 2 * a->padding.at[i]);
  }
  return GLIA_OK;
}

static glia_status infer_forward(gi_infer *c, const char *op) {
  char text[GI_TEXT];
  GI_TRY(check_attr(c->attr, op));
  GI_TRY(gi_want_rank(c, 0, 4, op, "x", "[N, C, H, W]"));
  GI_TRY(gi_want_rank(c, 1, 4, op, "weight", "[F, C/groups, KH, KW]"));
  GI_TRY(gi_want_float(c, 0, op, "x"));
  GI_TRY(gi_want_same(c, 0, 1, op));
  GI_TRY(check_shapes(c->attr, &c->in[0], &c->in[1], &c->out[0], op));
  if (c->n_in < 3) return GLIA_OK;
  GI_TRY(gi_want_beside(c, 0, 2, op));
  if (c->in[2].rank != 1 || c->in[2].dim[0] != c->in[1].dim[0])
    return gi_fail(GLIA_SHAPE, "%s: bias is %s, wanted [%" PRId64 "], one for each filter", op,
                   gi_shape_text(&c->in[2], text, sizeof text), c->in[1].dim[0]);
  return GLIA_OK;
}

static glia_status infer_conv(gi_infer *c) { return infer_forward(c, "conv2d"); }

static glia_status infer_act(gi_infer *c) {
  const gi_conv_attr *a = c->attr;
  GI_TRY(infer_forward(c, "conv2d_act"));
  if (strcmp(a->activation, "") != 0 && strcmp(a->activation, "relu") != 0)
    return gi_fail(GLIA_INVALID, "conv2d_act: activation is \"%s\", wanted \"\" or \"relu\"",
                   a->activation);
  return GLIA_OK;
}

static glia_status want_result(const gi_type *dy, const gi_type *y, const char *op) {
  char td[GI_TEXT], ty[GI_TEXT];
  if (gi_shape_equal(dy, y)) return GLIA_OK;
  return gi_fail(GLIA_SHAPE, "%s: dy is %s, the convolution gives %s", op,
                 gi_shape_text(dy, td, sizeof td), gi_shape_text(y, ty, sizeof ty));
}

static glia_status infer_input_grad(gi_infer *c) {
  const gi_conv_attr *a = c->attr;
  const gi_type *dy = &c->in[0], *w = &c->in[1];
  gi_type y;
  GI_TRY(check_attr(a, "conv2d_input_grad"));
  GI_TRY(gi_window_field(&a->size, "conv2d_input_grad", "size", 0));
  GI_TRY(gi_want_rank(c, 0, 4, "conv2d_input_grad", "dy", "[N, F, OH, OW]"));
  GI_TRY(gi_want_rank(c, 1, 4, "conv2d_input_grad", "weight", "[F, C/groups, KH, KW]"));
  GI_TRY(gi_want_float(c, 0, "conv2d_input_grad", "dy"));
  GI_TRY(gi_want_same(c, 0, 1, "conv2d_input_grad"));
  if (w->dim[1] > INT32_MAX)
    return gi_fail(GLIA_SHAPE, "conv2d_input_grad: %" PRId64 " channels a group", w->dim[1]);
  gi_type x = {.dtype = dy->dtype, .rank = 4};
  x.dim[0] = dy->dim[0];
  x.dim[1] = w->dim[1] * a->groups;
  x.dim[2] = a->size.at[0];
  x.dim[3] = a->size.at[1];
  GI_TRY(check_shapes(a, &x, w, &y, "conv2d_input_grad"));
  GI_TRY(want_result(dy, &y, "conv2d_input_grad"));
  c->out[0] = x;
  return GLIA_OK;
}

static glia_status infer_weight_grad(gi_infer *c) {
  const gi_conv_attr *a = c->attr;
  const gi_type *x = &c->in[0], *dy = &c->in[1];
  gi_type y;
  GI_TRY(check_attr(a, "conv2d_weight_grad"));
  GI_TRY(gi_window_field(&a->size, "conv2d_weight_grad", "size", 1));
  GI_TRY(gi_want_rank(c, 0, 4, "conv2d_weight_grad", "x", "[N, C, H, W]"));
  GI_TRY(gi_want_rank(c, 1, 4, "conv2d_weight_grad", "dy", "[N, F, OH, OW]"));
  GI_TRY(gi_want_float(c, 0, "conv2d_weight_grad", "x"));
  GI_TRY(gi_want_same(c, 0, 1, "conv2d_weight_grad"));
  gi_type w = {.dtype = x->dtype, .rank = 4};
  w.dim[0] = dy->dim[1];
  w.dim[1] = x->dim[1] / a->groups;
  w.dim[2] = a->size.at[0];
  w.dim[3] = a->size.at[1];
  GI_TRY(check_shapes(a, x, &w, &y, "conv2d_weight_grad"));
  GI_TRY(want_result(dy, &y, "conv2d_weight_grad"));
  c->out[0] = w;
  return GLIA_OK;
}

/* ---- gradients ----------------------------------------------------------------------- */

static glia_value input_grad(const gi_conv_attr *a, glia_value dy, glia_value w, glia_value x) {
  gi_conv_attr with_size = *a;
  with_size.size = (gi_dims){2, {glia_value_dim(x, 2), glia_value_dim(x, 3)}};
  return gi_emit2(&gi_op_conv2d_input_grad, &with_size, dy, w);
}

static glia_value weight_grad(const gi_conv_attr *a, glia_value x, glia_value dy,
                              glia_value w) {
  gi_conv_attr with_size = *a;
  with_size.size = (gi_dims){2, {glia_value_dim(w, 2), glia_value_dim(w, 3)}};
  return gi_emit2(&gi_op_conv2d_weight_grad, &with_size, x, dy);
}

static glia_value forward(const gi_conv_attr *a, glia_value x, glia_value w) {
  gi_conv_attr plain = *a;
  plain.size = (gi_dims){.n = 0};
  return gi_emit2(&gi_op_conv2d, &plain, x, w);
}

static glia_status vjp_conv(gi_vjp *c) {
  const glia_value x = c->in[0], w = c->in[1], dy = c->dout[0];
  if (c->need[0]) c->din[0] = input_grad(c->attr, dy, w, x);
  if (c->need[1]) c->din[1] = weight_grad(c->attr, x, dy, w);
  if (c->n_in == 3 && c->need[2]) /* the bias may be f32 beside narrow images */
    c->din[2] = glia_sum(glia_cast(dy, glia_value_dtype(c->in[2])), .n = 3, .axes = {0, 2, 3});
  return GLIA_OK;
}

static glia_status vjp_input_grad(gi_vjp *c) {
  const glia_value dy = c->in[0], w = c->in[1], u = c->dout[0]; /* u has the shape of x */
  if (c->need[0]) c->din[0] = forward(c->attr, u, w);
  if (c->need[1]) c->din[1] = weight_grad(c->attr, u, dy, w);
  return GLIA_OK;
}

static glia_status vjp_weight_grad(gi_vjp *c) {
  const glia_value x = c->in[0], dy = c->in[1], u = c->dout[0]; /* u has the shape of w */
  if (c->need[0]) c->din[0] = input_grad(c->attr, dy, u, x);
  if (c->need[1]) c->din[1] = forward(c->attr, x, u);
  return GLIA_OK;
}

static glia_status lower_act(gi_lower *c) {
  gi_conv_attr plain = *(const gi_conv_attr *)c->attr;
  const bool relu = plain.activation[0] != '\0';
  plain.activation = "";
  const glia_value y = gi_emit(c->g, &gi_op_conv2d, &plain, c->in, c->n_in, NULL);
  c->out[0] = relu ? glia_relu(y) : y;
  return GLIA_OK;
}

/* relu(conv2d(...)) */
static bool match_act(gi_match *m) {
  if (m->last->op != &gi_op_relu) return false;
  const gi_node *conv = gi_match_inner(m, m->last->in[0], &gi_op_conv2d);
  if (conv == NULL) return false;
  gi_conv_attr a = *(const gi_conv_attr *)conv->attr;
  a.activation = "relu";
  memcpy(m->attr.bytes, &a, sizeof a);
  m->n_in = conv->n_in;
  for (int i = 0; i < conv->n_in; i++) m->in[i] = conv->in[i];
  return true;
}

/* ---- reference ----------------------------------------------------------------------- */

typedef struct taps { /* x, w and y of one convolution, whichever of them is the result */
  const gi_conv_attr *a;
  const gi_buf *x, *w, *y;
} taps;

static int64_t at4(const gi_buf *b, int64_t i, int64_t j, int64_t k, int64_t l) {
  const int64_t *d = b->t.dim;
  return ((i * d[1] + j) * d[2] + k) * d[3] + l;
}

/* x at cell (p, q) of window (i, j), channel k; 0 in the padding. */
static double tap(const taps *t, int64_t n, int64_t k, const int64_t at[2],
                  const int64_t pq[2]) {
  const gi_conv_attr *a = t->a;
  int64_t cell[2];
  for (int d = 0; d < 2; d++) {
    cell[d] = gi_window_cell(&a->stride, &a->padding, &a->dilation, d, at[d], pq[d]);
    if (cell[d] < 0 || cell[d] >= t->x->t.dim[2 + d]) return 0;
  }
  return gi_get(t->x, at4(t->x, n, k, cell[0], cell[1]));
}

static double y_at(const taps *t, int64_t n, int64_t f, const int64_t at[2]) {
  const int64_t *w = t->w->t.dim;
  const int64_t first = f / (w[0] / t->a->groups) * w[1]; /* channel of the group */
  double s = 0;
  for (int64_t c = 0; c < w[1]; c++)
    for (int64_t p = 0; p < w[2]; p++)
      for (int64_t q = 0; q < w[3]; q++)
        s += tap(t, n, first + c, at, (const int64_t[]){p, q}) *
             gi_get(t->w, at4(t->w, f, c, p, q));
  return s;
}

static glia_status ref_forward(gi_ref *c, bool relu) {
  const taps t = {c->attr, &c->in[0], &c->in[1], &c->out[0]};
  const int64_t *y = t.y->t.dim;
  for (int64_t n = 0; n < y[0]; n++)
    for (int64_t f = 0; f < y[1]; f++)
      for (int64_t i = 0; i < y[2]; i++)
        for (int64_t j = 0; j < y[3]; j++) {
          const double bias = c->n_in == 3 ? gi_get(&c->in[2], f) : 0;
          const double v = bias + y_at(&t, n, f, (const int64_t[]){i, j});
          gi_put(t.y, at4(t.y, n, f, i, j), relu && v < 0 ? 0 : v);
        }
  return GLIA_OK;
}

static glia_status ref_conv(gi_ref *c) { return ref_forward(c, false); }
static glia_status ref_act(gi_ref *c) {
  return ref_forward(c, ((const gi_conv_attr *)c->attr)->activation[0] != '\0');
}

/* The window whose cell k is `cell`, or -1. */
static int64_t window_of(const taps *t, int d, int64_t cell, int64_t k) {
  const gi_conv_attr *a = t->a;
  const int64_t from = cell + a->padding.at[d] - k * a->dilation.at[d];
  if (from < 0 || from % a->stride.at[d] != 0) return -1;
  const int64_t i = from / a->stride.at[d];
  return i < t->y->t.dim[2 + d] ? i : -1;
}

static double dx_at(const taps *t, int64_t n, int64_t k, int64_t row, int64_t column) {
  const int64_t *w = t->w->t.dim;
  const int64_t filters = w[0] / t->a->groups, first = k / w[1] * filters;
  double s = 0;
  for (int64_t p = 0; p < w[2]; p++)
    for (int64_t q = 0; q < w[3]; q++) {
      const int64_t i = window_of(t, 0, row, p), j = window_of(t, 1, column, q);
      if (i < 0 || j < 0) continue;
      for (int64_t f = first; f < first + filters; f++)
        s += gi_get(t->y, at4(t->y, n, f, i, j)) * gi_get(t->w, at4(t->w, f, k % w[1], p, q));
    }
  return s;
}

static glia_status ref_input_grad(gi_ref *c) {
  const taps t = {c->attr, &c->out[0], &c->in[1], &c->in[0]};
  const int64_t *x = t.x->t.dim;
  for (int64_t n = 0; n < x[0]; n++)
    for (int64_t k = 0; k < x[1]; k++)
      for (int64_t i = 0; i < x[2]; i++)
        for (int64_t j = 0; j < x[3]; j++)
          gi_put(t.x, at4(t.x, n, k, i, j), dx_at(&t, n, k, i, j));
  return GLIA_OK;
}

static double dw_at(const taps *t, int64_t f, int64_t k, const int64_t pq[2]) {
  const int64_t *y = t->y->t.dim;
  double s = 0;
  for (int64_t n = 0; n < y[0]; n++)
    for (int64_t i = 0; i < y[2]; i++)
      for (int64_t j = 0; j < y[3]; j++)
        s += tap(t, n, k, (const int64_t[]){i, j}, pq) * gi_get(t->y, at4(t->y, n, f, i, j));
  return s;
}

static glia_status ref_weight_grad(gi_ref *c) {
  const taps t = {c->attr, &c->in[0], &c->out[0], &c->in[1]};
  const int64_t *w = t.w->t.dim;
  for (int64_t f = 0; f < w[0]; f++)
    for (int64_t k = 0; k < w[1]; k++)
      for (int64_t p = 0; p < w[2]; p++)
        for (int64_t q = 0; q < w[3]; q++) {
          const int64_t channel = f / (w[0] / t.a->groups) * w[1] + k;
          gi_put(t.w, at4(t.w, f, k, p, q), dw_at(&t, f, channel, (const int64_t[]){p, q}));
        }
  return GLIA_OK;
}

/* A multiplication and an addition for each tap of each element of y. */
static gi_cost with_flops(const gi_infer *c, const gi_type *w, const gi_type *y) {
  gi_cost k = gi_default_cost(c);
  k.flops = 2.0 * (double)gi_type_count(y) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
  return k;
}
static gi_cost cost_conv(const gi_infer *c) { return with_flops(c, &c->in[1], &c->out[0]); }
static gi_cost cost_input_grad(const gi_infer *c) {
  return with_flops(c, &c->in[1], &c->in[0]);
}
static gi_cost cost_weight_grad(const gi_infer *c) {
  return with_flops(c, &c->out[0], &c->in[1]);
}

/* ---- samples ------------------------------------------------------------------------- */

/* clang-format off */
#define TWO(a, b) {2, {a, b}}
#define CONV(s, p, d, g, ...)                                                                  \
  {.stride = {2, {s, s}}, .padding = {2, {p, p}}, .dilation = {2, {d, d}}, .groups = g,        \
   .activation = "", __VA_ARGS__}
/* clang-format on */
static const gi_conv_attr s1p0 = CONV(1, 0, 1, 1, ), s1p1 = CONV(1, 1, 1, 1, ),
                          s2p1 = CONV(2, 1, 1, 1, ), d2p2 = CONV(1, 2, 2, 1, ),
                          g2 = CONV(1, 1, 1, 2, ), depth = CONV(1, 1, 1, 4, ),
                          s0 = CONV(0, 0, 1, 1, ), g0 = CONV(1, 0, 1, 0, ),
                          minus = CONV(1, -1, 1, 1, ),
                          relu = {.stride = TWO(1, 1),
                                  .padding = TWO(1, 1),
                                  .dilation = TWO(1, 1),
                                  .groups = 1,
                                  .activation = "relu"},
                          tanh_act = {.stride = TWO(1, 1),
                                      .padding = TWO(1, 1),
                                      .dilation = TWO(1, 1),
                                      .groups = 1,
                                      .activation = "tanh"},
                          uneven = {.stride = TWO(1, 2),
                                    .padding = TWO(2, 0),
                                    .dilation = TWO(2, 1),
                                    .groups = 1,
                                    .activation = ""};

#define R -1, 1, GLIA_F32
/* clang-format off */
#define FORWARD                                                                                \
  {&s1p0, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_OK},                           \
  {&s1p1, 3, {{4, {2, 3, 5, 7}, R}, {4, {4, 3, 3, 3}, R}, {1, {4}, R}}, GLIA_OK},              \
  {&s2p1, 3, {{4, {2, 3, 8, 7}, R}, {4, {5, 3, 3, 3}, R}, {1, {5}, R}}, GLIA_OK},              \
  {&d2p2, 2, {{4, {1, 2, 7, 7}, R}, {4, {3, 2, 3, 3}, R}}, GLIA_OK},                           \
  {&g2, 3, {{4, {2, 4, 5, 5}, R}, {4, {6, 2, 3, 3}, R}, {1, {6}, R}}, GLIA_OK},                \
  {&depth, 2, {{4, {2, 4, 5, 5}, R}, {4, {4, 1, 3, 3}, R}}, GLIA_OK},                          \
  {&uneven, 2, {{4, {1, 2, 7, 9}, R}, {4, {3, 2, 3, 2}, R}}, GLIA_OK},                         \
  {&s1p0, 3, {{4, {2, 17, 4, 4}, R}, {4, {33, 17, 1, 1}, R}, {1, {33}, R}}, GLIA_OK},          \
  {&s1p0, 2, {{4, {0, 1, 3, 3}, R}, {4, {2, 1, 2, 2}, R}}, GLIA_OK},                           \
  {&s1p0, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 4, 4}, R}}, GLIA_SHAPE},                        \
  {&s1p1, 2, {{4, {1, 2, 3, 3}, R}, {4, {1, 1, 3, 3}, R}}, GLIA_SHAPE},                        \
  {&g2, 2, {{4, {1, 3, 3, 3}, R}, {4, {2, 1, 3, 3}, R}}, GLIA_SHAPE},                          \
  {&s1p1, 2, {{3, {2, 3, 3}, R}, {4, {1, 2, 3, 3}, R}}, GLIA_SHAPE},                           \
  {&s1p1, 3, {{4, {1, 1, 3, 3}, R}, {4, {2, 1, 3, 3}, R}, {1, {3}, R}}, GLIA_SHAPE},           \
  {&s1p1, 2, {{4, {1, 1, 3, 3}, 0, 4, GLIA_I32}, {4, {1, 1, 3, 3}, 0, 4, GLIA_I32}},           \
   GLIA_DTYPE},                                                                                \
  {&s0, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_INVALID},                        \
  {&minus, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_INVALID},                     \
  {&g0, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_INVALID}
/* clang-format on */

static const gi_sample samples_conv[] = {FORWARD};
static const gi_sample samples_act[] = {
    FORWARD,
    {&relu, 3, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 3, 3}, R}, {1, {1}, R}}, GLIA_OK},
    {&relu, 2, {{4, {2, 16, 6, 6}, R}, {4, {16, 16, 3, 3}, R}}, GLIA_OK},
    {&tanh_act, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 3, 3}, R}}, GLIA_INVALID},
};

static const gi_conv_attr i_s1p0 = CONV(1, 0, 1, 1, .size = TWO(3, 3)),
                          i_s1p1 = CONV(1, 1, 1, 1, .size = TWO(5, 7)),
                          i_s2p1 = CONV(2, 1, 1, 1, .size = TWO(8, 7)),
                          i_d2p2 = CONV(1, 2, 2, 1, .size = TWO(7, 7)),
                          i_g2 = CONV(1, 1, 1, 2, .size = TWO(5, 5)),
                          k_s1p0 = CONV(1, 0, 1, 1, .size = TWO(2, 2)),
                          k_s1p1 = CONV(1, 1, 1, 1, .size = TWO(3, 3)),
                          k_s2p1 = CONV(2, 1, 1, 1, .size = TWO(3, 3)),
                          k_d2p2 = CONV(1, 2, 2, 1, .size = TWO(3, 3)),
                          k_g2 = CONV(1, 1, 1, 2, .size = TWO(3, 3));
static const gi_sample samples_input_grad[] = {
    {&i_s1p0, 2, {{4, {1, 1, 2, 2}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_OK},
    {&i_s1p1, 2, {{4, {2, 4, 5, 7}, R}, {4, {4, 3, 3, 3}, R}}, GLIA_OK},
    {&i_s2p1, 2, {{4, {2, 5, 4, 4}, R}, {4, {5, 3, 3, 3}, R}}, GLIA_OK},
    {&i_d2p2, 2, {{4, {1, 3, 7, 7}, R}, {4, {3, 2, 3, 3}, R}}, GLIA_OK},
    {&i_g2, 2, {{4, {2, 6, 5, 5}, R}, {4, {6, 2, 3, 3}, R}}, GLIA_OK},
    {&i_s1p0, 2, {{4, {0, 1, 2, 2}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_OK},
    {&i_s1p0, 2, {{4, {1, 1, 3, 2}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_SHAPE},
    {&i_s1p0, 2, {{4, {1, 2, 2, 2}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_SHAPE},
    {&s1p0, 2, {{4, {1, 1, 2, 2}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_INVALID}, /* no size */
};
static const gi_sample samples_weight_grad[] = {
    {&k_s1p0, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_OK},
    {&k_s1p1, 2, {{4, {2, 3, 5, 7}, R}, {4, {2, 4, 5, 7}, R}}, GLIA_OK},
    {&k_s2p1, 2, {{4, {2, 3, 8, 7}, R}, {4, {2, 5, 4, 4}, R}}, GLIA_OK},
    {&k_d2p2, 2, {{4, {1, 2, 7, 7}, R}, {4, {1, 3, 7, 7}, R}}, GLIA_OK},
    {&k_g2, 2, {{4, {2, 4, 5, 5}, R}, {4, {2, 6, 5, 5}, R}}, GLIA_OK},
    {&k_s1p0, 2, {{4, {0, 1, 3, 3}, R}, {4, {0, 1, 2, 2}, R}}, GLIA_OK}, /* zeros */
    {&k_s1p0, 2, {{4, {1, 1, 3, 3}, R}, {4, {2, 1, 2, 2}, R}}, GLIA_SHAPE},
    {&k_s1p1, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_SHAPE},
    {&s1p0, 2, {{4, {1, 1, 3, 3}, R}, {4, {1, 1, 2, 2}, R}}, GLIA_INVALID}, /* no size */
};
#undef R

/* ---- rows ---------------------------------------------------------------------------- */

/* clang-format off */
#define WINDOW                                                                                 \
  {"stride", GI_ATTR_DIMS, offsetof(gi_conv_attr, stride), "from window to window"},           \
  {"padding", GI_ATTR_DIMS, offsetof(gi_conv_attr, padding), "zeros on both sides"},           \
  {"dilation", GI_ATTR_DIMS, offsetof(gi_conv_attr, dilation), "from cell to cell"},           \
  {"groups", GI_ATTR_I64, offsetof(gi_conv_attr, groups), "channels are cut into as many"}
/* clang-format on */
static const gi_attr fields[] = {WINDOW, {NULL, GI_ATTR_I64, 0, NULL}};
const gi_attr gi_conv_act_fields[] = {
    WINDOW,
    {"activation", GI_ATTR_NAME, offsetof(gi_conv_attr, activation), "\"\" or \"relu\""},
    {NULL, GI_ATTR_I64, 0, NULL},
};
const gi_attr gi_conv_grad_fields[] = {
    WINDOW,
    {"size", GI_ATTR_DIMS, offsetof(gi_conv_attr, size), "rows, columns of x or of the kernel"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_conv2d = {
    .name = "conv2d",
    .doc =
        "cross-correlation of images [N, C, H, W] with weights [F, C/groups, KH, KW], plus "
        "bias",
    .torch =
        "torch.nn.functional.conv2d(*x, stride=stride, padding=padding, dilation=dilation, "
        "groups=groups)",
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .int8 = gi_int8_conv2d,
    .precision = GI_WANTS_NARROW,
    .cut_in = 1,
    .cut_out = 1,
    .f32_in = 1 << 2,
    .attr_size = sizeof(gi_conv_attr),
    .attrs = fields,
    .infer = infer_conv,
    .vjp = vjp_conv,
    .ref = ref_conv,
    .cost = cost_conv,
    .samples = samples_conv,
    .n_samples = GI_COUNT(samples_conv),
};

const gi_op gi_op_conv2d_act = {
    .name = "conv2d_act",
    .doc = "conv2d, then an activation, in one kernel",
    .torch =
        "act(torch.nn.functional.conv2d(*x, stride=stride, padding=padding, "
        "dilation=dilation, groups=groups))",
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .precision = GI_WANTS_NARROW,
    .cut_in = 1,
    .cut_out = 1,
    .f32_in = 1 << 2,
    .attr_size = sizeof(gi_conv_attr),
    .attrs = gi_conv_act_fields,
    .infer = infer_act,
    .lower = lower_act,
    .match = match_act,
    .ref = ref_act,
    .cost = cost_conv,
    .samples = samples_act,
    .n_samples = GI_COUNT(samples_act),
};

const gi_op gi_op_conv2d_input_grad = {
    .name = "conv2d_input_grad",
    .doc = "gradient of conv2d in its input: also called transposed convolution",
    .torch =
        "torch.nn.grad.conv2d_input((x0.shape[0], x1.shape[1] * groups, *size), x1, x0, "
        "stride, padding, dilation, groups)",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .precision = GI_WANTS_NARROW,
    .cut_in = 1,
    .cut_out = 1,
    .attr_size = sizeof(gi_conv_attr),
    .attrs = gi_conv_grad_fields,
    .infer = infer_input_grad,
    .vjp = vjp_input_grad,
    .ref = ref_input_grad,
    .cost = cost_input_grad,
    .samples = samples_input_grad,
    .n_samples = GI_COUNT(samples_input_grad),
};

const gi_op gi_op_conv2d_weight_grad = {
    .name = "conv2d_weight_grad",
    .doc = "gradient of conv2d in its weight",
    .torch =
        "torch.nn.grad.conv2d_weight(x0, (x1.shape[1], x0.shape[1] // groups, *size), x1, "
        "stride, padding, dilation, groups)",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .precision = GI_WANTS_NARROW,
    .cut_in = 1 | 2,
    .attr_size = sizeof(gi_conv_attr),
    .attrs = gi_conv_grad_fields,
    .infer = infer_weight_grad,
    .vjp = vjp_weight_grad,
    .ref = ref_weight_grad,
    .cost = cost_weight_grad,
    .samples = samples_weight_grad,
    .n_samples = GI_COUNT(samples_weight_grad),
};

const gi_op *const gi_ops_conv[] = {&gi_op_conv2d, &gi_op_conv2d_act, &gi_op_conv2d_input_grad,
                                    &gi_op_conv2d_weight_grad, NULL};

/* ---- builder ------------------------------------------------------------------------- */

gi_conv_attr gi_conv_attr_of(const glia_window_opts *o) {
  gi_conv_attr a = {.groups = o->groups != 0 ? o->groups : 1, .activation = ""};
  a.stride.n = a.padding.n = a.dilation.n = 2;
  for (int d = 0; d < 2; d++) {
    a.stride.at[d] = o->stride[d] != 0 ? o->stride[d] : 1;
    a.padding.at[d] = o->padding[d];
    a.dilation.at[d] = o->dilation[d] != 0 ? o->dilation[d] : 1;
  }
  return a;
}

glia_value glia_conv2d_with(glia_value x, glia_value weight, glia_value bias,
                            const glia_window_opts *opt) {
  glia_window_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_conv_attr a = gi_conv_attr_of(&o);
  const glia_value in[] = {x, weight, bias};
  return gi_emit(NULL, &gi_op_conv2d, &a, in, gi_null(bias) ? 2 : 3, NULL);
}
