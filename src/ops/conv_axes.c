/* conv_axes.c - convolution along one, two or three axes, and its transpose, by the one along
 * two: no op of their own, so that all of them have its kernels and its gradients.
 *
 * One axis is an image of one row. Of three, the windows along the first (depth) become
 * channels: x [N, C, D, H, W] -> images [N OD, C KD, H, W], whose channel c KD + k is channel c
 * at cell k of the window, which meets weight [F, C/groups, KD, KH, KW] seen as [F, C/groups
 * KD, KH, KW]. The transpose goes the same way back: filters F KD, added up along depth.
 *
 * Padding that is not the same number of zeros on both sides is put around x beforehand.
 */
#include "glia/windows.h"
#include "ops/attrs.h"
#include "ops/window.h"

typedef struct conv { /* one problem; the axes counted from the first of them */
  const char *op;
  int axes;
  bool transposed;
  gi_type x, w; /* x with its batch axis */
  glia_conv_opts o;
} conv;

/* ---- checks -------------------------------------------------------------------------- */

static glia_status refused(const conv *c, const char *what, int d, int64_t v,
                           const char *wanted) {
  return gi_fail(GLIA_INVALID, "%s: %s is %" PRId64 " on axis %d, wanted %s", c->op, what, v,
                 2 + d, wanted);
}

static glia_status check_numbers(conv *c) {
  glia_conv_opts *o = &c->o;
  for (int d = 0; d < c->axes; d++) {
    if (o->stride[d] == 0) o->stride[d] = 1;
    if (o->dilation[d] == 0) o->dilation[d] = 1;
    if (o->stride[d] < 1 || o->stride[d] > INT32_MAX)
      return refused(c, "stride", d, o->stride[d], "1 to 2^31 - 1");
    if (o->dilation[d] < 1 || o->dilation[d] > INT32_MAX)
      return refused(c, "dilation", d, o->dilation[d], "1 to 2^31 - 1");
    if (o->padding[d] < 0 || o->padding[d] > INT32_MAX)
      return refused(c, "padding", d, o->padding[d], "0 to 2^31 - 1");
    const int64_t more = o->output_padding[d];
    if (more < 0 || (more > 0 && more >= GI_MAX(o->stride[d], o->dilation[d])))
      return refused(c, "output_padding", d, more, "0 or more, less than stride or dilation");
    if (more > 0 && !c->transposed) return refused(c, "output_padding", d, more, "0");
    if (o->same && o->stride[d] != 1)
      return refused(c, "stride with same padding", d, o->stride[d], "1");
  }
  if (c->transposed && (o->same || o->border != GLIA_BORDER_ZEROS))
    return gi_fail(GLIA_INVALID, "%s: neither same padding nor borders but zeros are known",
                   c->op);
  if ((unsigned)o->border > GLIA_BORDER_CIRCULAR)
    return gi_fail(GLIA_INVALID, "%s: there is no border %d", c->op, (int)o->border);
  if (o->groups == 0) o->groups = 1;
  return GLIA_OK;
}

/* Fills c from the values and options; *alone: x had no batch axis and has one now. */
static glia_status begin(conv *c, glia_value *x, glia_value weight, const glia_conv_opts *opt,
                         bool *alone) {
  char tx[GI_TEXT], tw[GI_TEXT];
  gi_opts(&c->o, sizeof c->o, opt);
  c->x = gi_value_type(*x);
  c->w = gi_value_type(weight);
  c->axes = c->w.rank - 2;
  gi_shape_text(&c->x, tx, sizeof tx);
  gi_shape_text(&c->w, tw, sizeof tw);
  if (c->axes < 1 || c->axes > 3 || c->x.rank < c->axes + 1 || c->x.rank > c->axes + 2)
    return gi_fail(
        GLIA_SHAPE,
        "%s: x is %s, weight is %s; wanted [N, C, ...] and a weight of as many axes, "
        "3 to 5",
        c->op, tx, tw);
  *alone = c->x.rank == c->axes + 1;
  if (*alone) {
    memmove(c->x.dim + 1, c->x.dim, (size_t)c->x.rank++ * sizeof c->x.dim[0]);
    c->x.dim[0] = 1;
    *x = glia_reshape(*x, c->x.rank, c->x.dim);
  }
  for (int d = 0; d < c->axes; d++)
    if (c->x.dim[2 + d] > INT32_MAX || c->w.dim[2 + d] > INT32_MAX || c->w.dim[2 + d] < 1)
      return gi_fail(GLIA_SHAPE, "%s: x is %s, weight is %s; kernels have 1 to 2^31 - 1 cells",
                     c->op, tx, tw);
  GI_TRY(check_numbers(c));
  const int64_t channels = c->transposed ? c->w.dim[0] : c->w.dim[1];
  if (c->o.groups < 1 || c->x.dim[1] % c->o.groups != 0 || c->x.dim[1] > INT32_MAX ||
      (c->transposed ? c->x.dim[1] : c->x.dim[1] / c->o.groups) != channels)
    return gi_fail(GLIA_SHAPE,
                   "%s: x is %s, weight is %s, groups %" PRId64 "; the weight has %" PRId64
                   " channels, wanted x's%s",
                   c->op, tx, tw, c->o.groups, channels,
                   c->transposed ? "" : " through groups");
  return GLIA_OK;
}

static glia_value finish(glia_value y, bool alone) {
  if (gi_null(y) || !alone) return y;
  return glia_reshape(y, glia_value_rank(y) - 1, glia_value_shape(y) + 1);
}

/* ---- the convolution along two axes -------------------------------------------------- */

/* Options of the last two of the axes, or of the only one behind a row. */
static glia_window_opts last_two(const conv *c) {
  glia_window_opts o = {
      .size = sizeof o, .stride = {1, 1}, .dilation = {1, 1}, .groups = c->o.groups};
  for (int i = 0; i < GI_MIN(c->axes, 2); i++) {
    const int from = c->axes - 1 - i, to = 1 - i;
    o.stride[to] = c->o.stride[from];
    o.padding[to] = c->o.padding[from];
    o.dilation[to] = c->o.dilation[from];
    o.output_padding[to] = c->o.output_padding[from];
  }
  return o;
}

static glia_value along_two(const conv *c, glia_value x, glia_value w, glia_value bias) {
  const glia_window_opts o = last_two(c);
  return c->transposed ? glia_conv2d_transpose_with(x, w, bias, &o)
                       : glia_conv2d_with(x, w, bias, &o);
}

static glia_value with_row(glia_value v) {
  const int64_t *d = glia_value_shape(v);
  return gi_null(v) ? v : glia_reshape(v, 4, (const int64_t[]){d[0], d[1], 1, d[2]});
}

static glia_value along_one(const conv *c, glia_value x, glia_value w, glia_value bias) {
  const glia_value y = along_two(c, with_row(x), with_row(w), bias);
  const int64_t *d = glia_value_shape(y);
  return gi_null(y) ? y : glia_reshape(y, 3, (const int64_t[]){d[0], d[1], d[3]});
}

/* ---- three axes ---------------------------------------------------------------------- */

/* [F, C, KD, KH, KW] -> [F, C KD, KH, KW], and the same of x [N, OD, C, KD, H, W] from axis 2.
 */
static glia_value flat_weight(glia_value w) {
  const int64_t *d = glia_value_shape(w);
  return glia_reshape(w, 4, (const int64_t[]){d[0], d[1] * d[2], d[3], d[4]});
}

/* Planes [N OD, F, H, W] -> [N, F, OD, H, W]. */
static glia_value volumes(glia_value y, int64_t n, int64_t depth) {
  if (gi_null(y)) return y;
  const int64_t *d = glia_value_shape(y);
  y = glia_reshape(y, 5, (const int64_t[]){n, depth, d[1], d[2], d[3]});
  return glia_permute(y, (const int[]){0, 2, 1, 3, 4});
}

static glia_value along_three(const conv *c, glia_value x, glia_value w, glia_value bias) {
  const int64_t *t = c->x.dim, kernel = c->w.dim[2], pad = c->o.padding[0];
  const int64_t around[] = {0, 0, pad, 0, 0};
  const int64_t depth =
      gi_window_count(t[2], kernel, c->o.stride[0], pad, c->o.dilation[0], false);
  if (depth == 0)
    return gi_latch(x.graph, GLIA_SHAPE,
                    "%s: the kernel spans %" PRId64
                    " cells of axis 2, x with its padding has %" PRId64,
                    c->op, gi_window_span(kernel, c->o.dilation[0]), t[2] + 2 * pad);
  glia_value u = glia_pad(x, around, around, 0);
  u = gi_unfold_axis(u, 2, depth, kernel, c->o.stride[0], c->o.dilation[0]);
  u = glia_permute(u, (const int[]){0, 2, 1, 3, 4, 5}); /* N OD C KD H W */
  u = glia_reshape(u, 4, (const int64_t[]){t[0] * depth, t[1] * kernel, t[3], t[4]});
  return volumes(along_two(c, u, flat_weight(w), bias), t[0], depth);
}

static glia_value transposed_along_three(const conv *c, glia_value x, glia_value w,
                                         glia_value bias) {
  const int64_t *t = c->x.dim, kernel = c->w.dim[2], pad = c->o.padding[0];
  const int64_t whole = (t[2] - 1) * c->o.stride[0] + gi_window_span(kernel, c->o.dilation[0]) +
                        c->o.output_padding[0];
  if (t[2] < 1 || whole - 2 * pad < 1)
    return gi_latch(x.graph, GLIA_SHAPE, "%s: nothing is left of axis 2", c->op);
  glia_value y = glia_permute(x, (const int[]){0, 2, 1, 3, 4});
  y = glia_reshape(y, 4, (const int64_t[]){t[0] * t[2], t[1], t[3], t[4]});
  y = along_two(c, y, flat_weight(w), GLIA_NONE);
  if (gi_null(y)) return y;
  const int64_t *d = glia_value_shape(y); /* [N D, F KD, OH, OW] */
  y = glia_reshape(y, 6, (const int64_t[]){t[0], t[2], d[1] / kernel, kernel, d[2], d[3]});
  y = glia_permute(y, (const int[]){0, 2, 1, 3, 4, 5}); /* N F D KD OH OW */
  y = gi_fold_axis(y, 2, whole, c->o.stride[0], c->o.dilation[0]);
  y = glia_slice(y, 2, pad, whole - pad, 1);
  if (gi_null(bias) || gi_null(y)) return y;
  return glia_add(y, glia_reshape(bias, 4, (const int64_t[]){-1, 1, 1, 1}));
}

static glia_value along(const conv *c, glia_value x, glia_value w, glia_value bias) {
  if (c->axes == 1) return along_one(c, x, w, bias);
  if (c->axes == 2) return along_two(c, x, w, bias);
  return c->transposed ? transposed_along_three(c, x, w, bias) : along_three(c, x, w, bias);
}

/* ---- borders ------------------------------------------------------------------------- */

/* Puts around x what zeros on both sides are not: then there is no padding left. */
static glia_value bordered(conv *c, glia_value x) {
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  glia_conv_opts *o = &c->o;
  bool even = true;
  for (int d = 0; d < c->axes; d++) {
    const int64_t all = o->dilation[d] * (c->w.dim[2 + d] - 1);
    before[2 + d] = o->same ? all / 2 : o->padding[d];
    after[2 + d] = o->same ? all - all / 2 : o->padding[d];
    even = even && before[2 + d] == after[2 + d];
  }
  const bool inside = even && o->border == GLIA_BORDER_ZEROS;
  for (int d = 0; d < c->axes; d++) {
    o->padding[d] = inside ? before[2 + d] : 0;
    if (!inside) c->x.dim[2 + d] += before[2 + d] + after[2 + d];
  }
  if (inside) return x;
  if (o->border == GLIA_BORDER_ZEROS) return glia_pad(x, before, after, 0);
  return glia_pad_edge(x, before, after,
                       o->border == GLIA_BORDER_REFLECT     ? GLIA_PAD_REFLECT
                       : o->border == GLIA_BORDER_REPLICATE ? GLIA_PAD_REPLICATE
                                                            : GLIA_PAD_CIRCULAR);
}

/* What output_padding adds behind the end is zeros that the gradient of a convolution does not
 * know where there is a stride's worth of it; then it is put there by hand, the padding being
 * cut off afterwards. */
static glia_value transposed(conv *c, glia_value x, glia_value w, glia_value bias) {
  int64_t none[GLIA_MAX_RANK] = {0}, more[GLIA_MAX_RANK] = {0};
  glia_conv_opts cut = c->o;
  bool fits = true;
  for (int d = 0; d < c->axes; d++) fits = fits && cut.output_padding[d] < cut.stride[d];
  if (fits) return along(c, x, w, bias);
  for (int d = 0; d < c->axes; d++) {
    more[2 + d] = cut.output_padding[d];
    c->o.output_padding[d] = c->o.padding[d] = 0;
  }
  glia_value y = glia_pad(along(c, x, w, GLIA_NONE), none, more, 0);
  for (int d = 0; d < c->axes && !gi_null(y); d++) {
    const int64_t end = glia_value_dim(y, 2 + d) - cut.padding[d];
    if (end <= cut.padding[d])
      return gi_latch(x.graph, GLIA_SHAPE, "%s: nothing is left of axis %d", c->op, 2 + d);
    y = glia_slice(y, 2 + d, cut.padding[d], end, 1);
  }
  if (gi_null(bias) || gi_null(y)) return y;
  return glia_add(y, glia_reshape(bias, c->axes + 1, (const int64_t[]){-1, 1, 1, 1}));
}

/* ---- builders ------------------------------------------------------------------------ */

glia_value glia_conv_with_opt(glia_value x, glia_value weight, glia_value bias,
                              const glia_conv_opts *opt) {
  conv c = {.op = "conv"};
  bool alone;
  if (gi_null(x) || gi_null(weight)) return GLIA_NONE;
  const glia_status s = begin(&c, &x, weight, opt, &alone);
  if (s != GLIA_OK) return gi_latch(weight.graph, s, "%s", glia_error_message());
  x = bordered(&c, x);
  return finish(gi_null(x) ? x : along(&c, x, weight, bias), alone);
}

glia_value glia_conv_transpose_with_opt(glia_value x, glia_value weight, glia_value bias,
                                        const glia_conv_opts *opt) {
  conv c = {.op = "conv_transpose", .transposed = true};
  bool alone;
  if (gi_null(x) || gi_null(weight)) return GLIA_NONE;
  const glia_status s = begin(&c, &x, weight, opt, &alone);
  if (s != GLIA_OK) return gi_latch(weight.graph, s, "%s", glia_error_message());
  return finish(transposed(&c, x, weight, bias), alone);
}
