/* positions.c - what tells a transformer where in a sequence it is: rotary and sinusoidal
 * positions, and biases by distance. Tables are computed in double, as constants of the graph.
 */
#include "glia/attention.h"

#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* fn(element, user) for every element of [rows, cols] as a constant. */
typedef double table_fn(int64_t row, int64_t col, const void *user);
static glia_value table(glia_graph *g, glia_dtype dtype, int64_t rows, int64_t cols,
                        table_fn *fn, const void *user) {
  const gi_type t = {.dtype = dtype, .rank = 2, .dim = {rows, cols}};
  if (g == NULL) return GLIA_NONE;
  if (gi_type_check(&t, "positions") != GLIA_OK)
    return gi_latch(g, GLIA_SHAPE, "%s", glia_error_message());
  void *data = gi_alloc(gi_type_bytes(&t) + 1);
  if (data == NULL)
    return gi_latch(g, GLIA_NOMEM, "positions: no memory for %zu bytes", gi_type_bytes(&t));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c++) gi_store(dtype, data, r * cols + c, fn(r, c, user));
  const glia_value v = glia_constant(g, dtype, 2, t.dim, data);
  gi_free(data);
  return v;
}

/* ---- rotary ------------------------------------------------------------------------------ */

typedef struct turning {
  double base;
  int64_t width;
  const double *frequencies;
} turning;

static double angle(int64_t row, int64_t col, const void *user) {
  const turning *a = user;
  const double f = a->frequencies != NULL ? a->frequencies[col]
                                          : pow(a->base, -2 * (double)col / (double)a->width);
  return (double)row * f;
}
static double cosine(int64_t r, int64_t c, const void *u) { return cos(angle(r, c, u)); }
static double sine(int64_t r, int64_t c, const void *u) { return sin(angle(r, c, u)); }

/* [T, width / 2], or [N, 1, T, width / 2] by positions of [N, T]. */
static glia_value looked_up(glia_value of, const glia_rotary_opts *o) {
  if (gi_null(o->positions)) return of;
  const glia_value v = glia_gather(of, o->positions, 0);
  if (gi_null(v) || glia_value_rank(o->positions) < 2) return v;
  const int64_t *d = glia_value_shape(v), shape[] = {d[0], 1, d[1], d[2]};
  return glia_reshape(v, 4, shape);
}

/* The two halves of the pairs of x [..., width], and back. */
static void pairs(glia_value x, bool interleaved, glia_value out[2]) {
  const int64_t width = glia_value_dim(x, -1);
  for (int i = 0; i < 2; i++)
    out[i] = interleaved ? glia_slice(x, -1, i, width, 2)
                         : glia_slice(x, -1, i * (width / 2), (i + 1) * (width / 2), 1);
}
static glia_value together(const glia_value half[2], bool interleaved) {
  if (!interleaved || gi_null(half[0]) || gi_null(half[1])) return glia_concat(half, 2, -1);
  const int64_t *d = glia_value_shape(half[0]), one[] = {d[0], d[1], d[2], d[3], 1};
  const int64_t all[] = {d[0], d[1], d[2], 2 * d[3]};
  const glia_value parts[] = {glia_reshape(half[0], 5, one), glia_reshape(half[1], 5, one)};
  return glia_reshape(glia_concat(parts, 2, -1), 4, all);
}

glia_value glia_rotary_opt(glia_value x, const glia_rotary_opts *opt) {
  glia_rotary_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  char text[GI_TEXT];
  const int64_t width = o.width != 0 ? o.width : t.rank == 4 ? t.dim[3] : 0;
  if (t.rank != 4 || width < 2 || width % 2 != 0 || width > t.dim[3])
    return gi_latch(x.graph, GLIA_SHAPE,
                    "rotary: x is %s, width %" PRId64
                    "; wanted [N, H, T, D] and an even width up to D",
                    gi_shape_text(&t, text, sizeof text), width);
  if (!gi_null(o.positions) && (o.limit < 1 || glia_value_rank(o.positions) > 2))
    return gi_latch(x.graph, GLIA_INVALID,
                    "rotary: limit is %" PRId64
                    ", positions have rank %d; wanted 1 or more and [T] or [N, T]",
                    o.limit, glia_value_rank(o.positions));
  const turning a = {o.base != 0 ? o.base : 10000, width, o.frequencies};
  const int64_t rows = gi_null(o.positions) ? t.dim[2] : o.limit;
  const glia_value c = looked_up(table(x.graph, t.dtype, rows, width / 2, cosine, &a), &o);
  const glia_value s = looked_up(table(x.graph, t.dtype, rows, width / 2, sine, &a), &o);
  glia_value half[2];
  pairs(width < t.dim[3] ? glia_slice(x, 3, 0, width, 1) : x, o.interleaved, half);
  const glia_value turned[] = {glia_sub(glia_mul(half[0], c), glia_mul(half[1], s)),
                               glia_add(glia_mul(half[1], c), glia_mul(half[0], s))};
  const glia_value y = together(turned, o.interleaved);
  if (width == t.dim[3]) return y;
  const glia_value parts[] = {y, glia_slice(x, 3, width, t.dim[3], 1)};
  return glia_concat(parts, 2, 3);
}

/* ---- tables that are added --------------------------------------------------------------- */

static double sinusoid(int64_t row, int64_t col, const void *user) {
  const turning *a = user;
  const int64_t even = col - col % 2;
  const double x = (double)row * pow(a->base, -(double)even / (double)a->width);
  return col % 2 == 0 ? sin(x) : cos(x);
}

glia_value glia_sinusoidal_positions(glia_graph *g, glia_dtype dtype, int64_t n, int64_t width,
                                     double base) {
  const turning a = {base != 0 ? base : 10000, GI_MAX(width, 1), NULL};
  return table(g, dtype, n, width, sinusoid, &a);
}

/* Of `heads` heads; for what exceeds a power of two, every other slope of twice as many. */
static double slope(int64_t h, int64_t heads) {
  int64_t whole = 1;
  while (whole * 2 <= heads) whole *= 2;
  return h < whole ? exp2(-8 * (double)(h + 1) / (double)whole)
                   : exp2(-4 * (double)(2 * (h - whole) + 1) / (double)whole);
}
static double bias(int64_t row, int64_t col, const void *user) {
  return slope(row, *(const int64_t *)user) * (double)col;
}

glia_value glia_alibi(glia_graph *g, glia_dtype dtype, int64_t heads, int64_t n) {
  const int64_t shape[] = {heads, 1, n};
  return glia_reshape(table(g, dtype, heads, n, bias, &heads), 3, shape);
}
