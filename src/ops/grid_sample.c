/* grid_sample.c - images and volumes looked up at any places (arXiv:1506.02025), and the places
 * that an affine map sends a raster to.
 *
 * x [N, C, s...], grid [N, o..., k] -> y [N, C, o...], k = 2 or 3 axes s and o. Entry k - 1 - d
 * of the grid is the place along axis d, from -1 to 1; the definitions are PyTorch's.
 *
 * There is no op for it: places and weights are elementwise (and fused), and the elements are
 * rows of x as [N S, C], S elements an image, taken by one gather:
 *
 *   y[p, :] = sum over t of w[t, p] x[index[t, p], :]
 *
 * over the taps t, 2^k (linear), 1 (nearest) or 4^k (cubic) neighbours of a place. So gradients
 * of any order are there, and that of x is one scatter_add.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

enum { MAX_AXES = 3, MAX_TAPS = 64 };

typedef struct taps { /* along one axis */
  int n;
  glia_value index[4], weight[4]; /* [N, P]: i64, and of the grid's dtype */
} taps;

static glia_value constant(glia_value like, double v) { return glia_scalar_like(like, v); }
static glia_value plus(glia_value a, double b) { return glia_add(a, constant(a, b)); }
static glia_value times(glia_value a, double b) { return glia_mul(a, constant(a, b)); }
static glia_value within(glia_value v, double low, double high) {
  return glia_logical_and(glia_greater_equal(v, constant(v, low)),
                          glia_less_equal(v, constant(v, high)));
}

/* ---- places -------------------------------------------------------------------------- */

/* -1 .. 1 to elements of an axis of n. */
static glia_value place_of(glia_value g, int64_t n, bool align_corners) {
  const double scale = (double)(align_corners ? n - 1 : n) / 2;
  return plus(times(plus(g, 1), scale), align_corners ? 0 : -0.5);
}

/* To the nearest place inside; no gradient where that is not the place itself. */
static glia_value to_border(glia_value v, int64_t n) {
  const double last = (double)(n - 1);
  const glia_value inside =
      glia_logical_and(glia_greater(v, constant(v, 0)), glia_less(v, constant(v, last)));
  return glia_where(inside, v, glia_stop_gradient(glia_clip(v, 0, last)));
}

/* Mirrors lie at the first and last element, or at the borders half an element outside. */
static glia_value reflected(glia_value v, int64_t n, bool align_corners) {
  const double low = align_corners ? 0 : -0.5, span = (double)(align_corners ? n - 1 : n);
  if (span <= 0) return glia_full_like(v, 0);
  const glia_value away = glia_abs(plus(v, -low));
  const glia_value turns = glia_floor(times(away, 1 / span));
  const glia_value rest = glia_sub(away, times(turns, span));
  const glia_value odd = glia_sub(turns, times(glia_floor(times(turns, 0.5)), 2));
  return plus(
      glia_where(glia_greater(odd, constant(v, 0.5)), glia_sub(constant(v, span), rest), rest),
      low);
}

static glia_value brought_inside(glia_value v, int64_t n, const glia_sample_opts *o) {
  if (o->outside == GLIA_OUTSIDE_ZEROS) return v;
  if (o->outside == GLIA_OUTSIDE_REFLECTION) v = reflected(v, n, o->align_corners);
  return to_border(v, n);
}

/* ---- taps ---------------------------------------------------------------------------- */

/* A tap at a whole place: what is still outside weighs nothing, wherever it points. */
static void add_tap(taps *t, glia_value place, glia_value weight, int64_t n) {
  const glia_value inside = within(place, 0, (double)(n - 1));
  const glia_value at = glia_stop_gradient(glia_where(inside, place, constant(place, 0)));
  t->index[t->n] = glia_cast(at, GLIA_I64);
  t->weight[t->n++] = glia_where(inside, weight, constant(weight, 0));
}

/* The weight of an element at the distance u, |u| <= 1 or 1 <= |u| <= 2 (Keys 1981). */
static glia_value cubic_near(glia_value u) {
  const double a = -0.75;
  return plus(glia_mul(glia_square(u), plus(times(u, a + 2), -(a + 3))), 1);
}
static glia_value cubic_far(glia_value u) {
  const double a = -0.75;
  return plus(glia_mul(u, plus(glia_mul(u, plus(times(u, a), -5 * a)), 8 * a)), -4 * a);
}

static void cubic_taps(taps *t, glia_value v, int64_t n, const glia_sample_opts *o) {
  const glia_value low = glia_floor(v), u = glia_sub(v, low),
                   rest = glia_sub(constant(u, 1), u);
  const glia_value weight[] = {cubic_far(plus(u, 1)), cubic_near(u), cubic_near(rest),
                               cubic_far(plus(rest, 1))};
  for (int k = 0; k < 4; k++) add_tap(t, brought_inside(plus(low, k - 1), n, o), weight[k], n);
}

static void axis_taps(taps *t, glia_value g, int64_t n, const glia_sample_opts *o) {
  glia_value v = place_of(g, n, o->align_corners);
  t->n = 0;
  if (o->mode == GLIA_SAMPLE_CUBIC) {
    cubic_taps(t, v, n, o);
    return;
  }
  v = brought_inside(v, n, o);
  if (o->mode == GLIA_SAMPLE_NEAREST) {
    add_tap(t, glia_round(v), glia_full_like(v, 1), n);
    return;
  }
  const glia_value low = glia_floor(v), u = glia_sub(v, low);
  add_tap(t, low, glia_sub(constant(u, 1), u), n);
  add_tap(t, plus(low, 1), u, n);
}

/* Every choice of one tap an axis: its row of x as [N S, C], and the product of the weights. */
static int join(const taps *t, int k, const int64_t *shape, glia_value first, glia_value *index,
                glia_value *weight) {
  int all = 1;
  for (int d = 0; d < k; d++) all *= t[d].n;
  for (int c = 0; c < all; c++) {
    glia_value at = t[0].index[c % t[0].n], w = t[0].weight[c % t[0].n];
    for (int d = 1, rest = c / t[0].n; d < k; rest /= t[d].n, d++) {
      const glia_value size = glia_scalar_like(at, (double)shape[d]);
      at = glia_add(glia_mul(at, size), t[d].index[rest % t[d].n]);
      w = glia_mul(w, t[d].weight[rest % t[d].n]);
    }
    index[c] = glia_add(at, first);
    weight[c] = w;
  }
  return all;
}

/* ---- builders ------------------------------------------------------------------------ */

static glia_status check(const gi_type *x, const gi_type *grid, const glia_sample_opts *o) {
  const int k = x->rank - 2;
  char tx[GI_TEXT], tg[GI_TEXT];
  gi_type_text(x, tx, sizeof tx);
  gi_type_text(grid, tg, sizeof tg);
  if ((k != 2 && k != 3) || grid->rank != x->rank || grid->dim[k + 1] != k ||
      grid->dim[0] != x->dim[0])
    return gi_fail(
        GLIA_SHAPE,
        "grid_sample: x is %s, grid is %s; wanted [N, C, H, W] and [N, OH, OW, 2], or "
        "[N, C, D, H, W] and [N, OD, OH, OW, 3]",
        tx, tg);
  for (int d = 2; d < x->rank; d++)
    if (x->dim[d] < 1)
      return gi_fail(GLIA_SHAPE, "grid_sample: x is %s; there is nothing to look at", tx);
  if (!glia_dtype_is_float(x->dtype) || x->dtype != grid->dtype)
    return gi_fail(GLIA_DTYPE, "grid_sample: x is %s, grid is %s; wanted one float type", tx,
                   tg);
  if ((unsigned)o->mode > GLIA_SAMPLE_CUBIC || (unsigned)o->outside > GLIA_OUTSIDE_REFLECTION)
    return gi_fail(GLIA_INVALID, "grid_sample: there is no mode %d, outside %d", (int)o->mode,
                   (int)o->outside);
  return GLIA_OK;
}

/* From channels first to channels last, and back. */
static glia_value turned(glia_value v, bool last) {
  const int rank = glia_value_rank(v);
  int axes[GLIA_MAX_RANK] = {0};
  for (int d = 1; d < rank; d++)
    axes[d] = last ? (d == rank - 1 ? 1 : d + 1) : (d == 1 ? rank - 1 : d - 1);
  return glia_permute(v, axes);
}

glia_value glia_grid_sample_opt(glia_value x, glia_value grid, const glia_sample_opts *opt) {
  glia_sample_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x) || gi_null(grid)) return GLIA_NONE;
  const gi_type tx = gi_value_type(x), tg = gi_value_type(grid);
  const glia_status s = check(&tx, &tg, &o);
  if (s != GLIA_OK) return gi_latch(x.graph, s, "%s", glia_error_message());
  const int k = tx.rank - 2;
  const int64_t n = tx.dim[0], c = tx.dim[1], *shape = tx.dim + 2;
  int64_t elements = 1, places = 1;
  for (int d = 0; d < k; d++) elements *= shape[d], places *= tg.dim[1 + d];
  taps t[MAX_AXES];
  for (int d = 0; d < k; d++) {
    const glia_value g = glia_slice(grid, k + 1, k - 1 - d, k - d, 1);
    axis_taps(&t[d], glia_reshape(g, 2, (const int64_t[]){n, places}), shape[d], &o);
  }
  const glia_value images =
      glia_reshape(glia_range(x.graph, n, GLIA_I64), 2, (const int64_t[]){n, 1});
  const glia_value first = glia_mul(images, glia_scalar_like(images, (double)elements));
  glia_value index[MAX_TAPS], weight[MAX_TAPS];
  const int all = join(t, k, shape, first, index, weight);
  const glia_value rows = glia_gather(
      glia_reshape(turned(x, true), 2, (const int64_t[]){n * elements, c}),
      glia_reshape(glia_concat(index, all, 0), 1, (const int64_t[]){all * n * places}), 0);
  const int64_t by_tap[] = {all, n * places, c}, of_tap[] = {all, n * places, 1};
  const glia_value parts = glia_mul(glia_reshape(rows, 3, by_tap),
                                    glia_reshape(glia_concat(weight, all, 0), 3, of_tap));
  gi_type ty = tg;
  ty.dim[k + 1] = c;
  const glia_value y = glia_sum(parts, .n = 1, .axes = {0});
  return turned(glia_reshape(y, ty.rank, ty.dim), false);
}

/* Element i of n as a place from -1 to 1. */
static double raster(int64_t i, int64_t n, bool align_corners) {
  if (align_corners) return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
  return (2 * (double)i + 1) / (double)n - 1;
}

glia_value glia_affine_grid(glia_value theta, const int64_t *shape, bool align_corners) {
  if (gi_null(theta)) return theta;
  const gi_type t = gi_value_type(theta);
  const int k = t.rank == 3 ? (int)GI_MIN(t.dim[1], 4) : 0;
  char text[GI_TEXT];
  int64_t places = 1, dims[GLIA_MAX_RANK] = {t.rank > 0 ? t.dim[0] : 0};
  if ((k != 2 && k != 3) || t.dim[2] != k + 1 || !glia_dtype_is_float(t.dtype))
    return gi_latch(theta.graph, GLIA_SHAPE,
                    "affine_grid: theta is %s, wanted floats [N, 2, 3] or [N, 3, 4]",
                    gi_type_text(&t, text, sizeof text));
  for (int d = 0; d < k; d++) {
    if (shape[d] < 1 || shape[d] > INT32_MAX / places)
      return gi_latch(theta.graph, GLIA_INVALID,
                      "affine_grid: axis %d has %" PRId64
                      " elements, wanted 1 or more, at most "
                      "2^31 - 1 in all",
                      d, shape[d]);
    places *= dims[1 + d] = shape[d];
  }
  dims[k + 1] = k;
  double *base = gi_alloc((size_t)(places * (k + 1)) * sizeof *base);
  if (base == NULL)
    return gi_latch(theta.graph, GLIA_NOMEM, "affine_grid: no memory for %" PRId64 " places",
                    places);
  for (int64_t p = 0; p < places; p++) {
    int64_t rest = p;
    for (int d = k - 1; d >= 0; rest /= shape[d], d--)
      base[p * (k + 1) + k - 1 - d] = raster(rest % shape[d], shape[d], align_corners);
    base[p * (k + 1) + k] = 1;
  }
  const glia_value all =
      glia_constant(theta.graph, GLIA_F64, 3, (const int64_t[]){1, places, k + 1}, base);
  gi_free(base);
  return glia_reshape(glia_matmul(glia_cast(all, t.dtype), theta, .transpose_b = true), k + 2,
                      dims);
}
