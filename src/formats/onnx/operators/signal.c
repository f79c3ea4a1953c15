/* signal.c - sound as frequencies: DFT, STFT, windows, mel bands.
 *
 * A transform of n numbers is a product with a constant matrix of cosines and sines: the pair
 * (real, imaginary) of a number is the inner axis on either side,
 *
 *   [x0, x1] -> [x0 cos - s x1 sin, s x0 sin + x1 cos],  angle 2 pi k j / n, s -1, inverse: 1
 *
 * whose work grows with n^2. That is right for frames of some thousand samples; more is
 * refused.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/operators/common.h"
#include "glia/windows.h"

static const double two_pi = 6.28318530717958647693;
enum { LONGEST = 4096 }; /* samples of a transform: 256 MiB of cosines and sines */

/* A constant of a float type, filled by value(e, user). */
static glia_status table(gi_onnx_call *c, const gi_type *t,
                         double (*value)(int64_t e, const void *user), const void *user,
                         glia_value *out) {
  GI_TRY(gi_type_check(t, c->node->op));
  const int64_t count = gi_type_count(t);
  GI_TRY(gi_onnx_room(c, count, 1));
  void *p = gi_alloc(gi_type_bytes(t) + 1);
  if (p == NULL) return gi_fail_nomem(gi_type_bytes(t));
  for (int64_t e = 0; e < count; e++) gi_store(t->dtype, p, e, value(e, user));
  *out = glia_constant(c->g, t->dtype, t->rank, t->dim, p);
  gi_free(p);
  return glia_graph_status(c->g);
}

/* ---- transforms ----------------------------------------------------------------------------
 */

typedef struct transform {
  int64_t length;  /* n */
  int64_t in, out; /* numbers that are read and given */
  bool pairs_in;   /* complex, not real */
  bool pairs_out;
  bool inverse, half; /* half: the input stands for its mirror image too */
} transform;

/* Element (j, part of the input; k, part of the result) of the matrix. */
static double basis(int64_t e, const void *user) {
  const transform *t = user;
  const int64_t parts_in = t->pairs_in ? 2 : 1, parts_out = t->pairs_out ? 2 : 1;
  const int64_t column = e % (t->out * parts_out), row = e / (t->out * parts_out);
  const int64_t k = column / parts_out, j = row / parts_in;
  const bool imaginary_out = column % parts_out == 1, imaginary_in = row % parts_in == 1;
  const double angle = two_pi * (double)(j * k % t->length) / (double)t->length;
  const double sine = t->inverse ? sin(angle) : -sin(angle);
  double scale = t->inverse ? 1 / (double)t->length : 1;
  if (t->half && j != 0 && 2 * j != t->length) scale *= 2;
  if (imaginary_in == imaginary_out) return scale * cos(angle);
  return scale * (imaginary_out ? sine : -sine);
}

/* x [..., in, 1 or 2] -> [..., out, 1 or 2] */
static glia_status transformed(gi_onnx_call *c, glia_value x, const transform *t,
                               glia_value *out) {
  if (t->length < 1 || t->length > LONGEST)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                        "transforms of %" PRId64 " samples, 1 to %d are taken", t->length,
                        LONGEST);
  gi_type shape = gi_value_type(x);
  const int64_t rows = t->in * (t->pairs_in ? 2 : 1), columns = t->out * (t->pairs_out ? 2 : 1);
  const gi_type matrix = {.dtype = shape.dtype, .rank = 2, .dim = {rows, columns}};
  const int64_t outer = gi_type_count(&shape) / rows;
  glia_value m = GLIA_NONE;
  GI_TRY(table(c, &matrix, basis, t, &m));
  const glia_value y = glia_matmul(glia_reshape(x, 2, (const int64_t[]){outer, rows}), m);
  shape.dim[shape.rank - 2] = t->out;
  shape.dim[shape.rank - 1] = t->pairs_out ? 2 : 1;
  *out = gi_onnx_reshape(y, &shape);
  return glia_graph_status(c->g);
}

/* The axis as long as the transform reads it: cut, or zeros behind. */
static glia_value fitted(glia_value x, int axis, int64_t n) {
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  const int64_t have = glia_value_dim(x, axis);
  if (have > n) return glia_slice(x, axis, 0, n, 1);
  after[axis] = n - have;
  return have < n ? glia_pad(x, before, after, 0) : x;
}

/* x [..., 1 or 2]. With onesided a real signal gives floor(n / 2) + 1 frequencies, and inverse
 * so many give a real signal of n. */
static glia_status build_dft(gi_onnx_call *c) {
  const gi_type x = gi_value_type(c->in[0]);
  int64_t length = 0, at = c->version < 20 ? 1 : -2;
  int n = 0;
  bool inverse = false, onesided = false;
  GI_TRY(gi_onnx_bool(c, "inverse", false, &inverse));
  GI_TRY(gi_onnx_bool(c, "onesided", false, &onesided));
  GI_TRY(gi_onnx_int(c, "axis", at, &at));
  if (gi_onnx_given(c, 2)) GI_TRY(gi_onnx_known_ints(c, 2, &at, 1, &n));
  const int axis = gi_axis(at, x.rank);
  const int64_t parts = x.rank > 0 ? x.dim[x.rank - 1] : 0;
  if (axis < 0 || axis == x.rank - 1 || parts < 1 || parts > 2)
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "axis %" PRId64 " of %d, the last of size %" PRId64
                        "; wanted another axis than the last, which is 1 or 2",
                        at, x.rank, parts);
  const bool back = inverse && onesided;
  length = back ? 2 * (x.dim[axis] - 1) : x.dim[axis];
  if (gi_onnx_given(c, 1)) GI_TRY(gi_onnx_known_ints(c, 1, &length, 1, &n));
  if (length < 1 || length > LONGEST)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                        "transforms of %" PRId64 " samples, 1 to %d are taken", length,
                        LONGEST);
  const transform t = {.length = length,
                       .in = back ? length / 2 + 1 : length,
                       .out = onesided && !inverse ? length / 2 + 1 : length,
                       .pairs_in = parts == 2,
                       .pairs_out = !back,
                       .inverse = inverse,
                       .half = back};
  glia_value y = fitted(gi_onnx_wide(c->in[0]), axis, t.in);
  if (axis != x.rank - 2) y = glia_transpose(y, axis, x.rank - 2);
  GI_TRY(glia_graph_status(c->g));
  GI_TRY(transformed(c, y, &t, &y));
  if (axis != x.rank - 2) y = glia_transpose(y, axis, x.rank - 2);
  c->out[0] = glia_cast(y, x.dtype);
  return GLIA_OK;
}

/* signal [B, T] or [B, T, 1 or 2] -> [B, frames, frequencies, 2] */
static glia_status build_stft(gi_onnx_call *c) {
  gi_type x = gi_value_type(c->in[0]);
  int64_t step = 0, length = 0;
  int n = 0;
  bool onesided = true;
  GI_TRY(gi_onnx_bool(c, "onesided", true, &onesided));
  GI_TRY(gi_onnx_known_ints(c, 1, &step, 1, &n));
  if (x.rank == 2) x.dim[x.rank++] = 1;
  if (x.rank != 3 || x.dim[2] < 1 || x.dim[2] > 2)
    return gi_onnx_fail(c, GLIA_SHAPE, "wants a signal [B, T, 1 or 2]");
  length = gi_onnx_given(c, 2) ? glia_value_dim(c->in[2], 0) : x.dim[1];
  if (gi_onnx_given(c, 3)) GI_TRY(gi_onnx_known_ints(c, 3, &length, 1, &n));
  const bool complex = x.dim[2] == 2;
  if (step < 1 || length < 1 || length > x.dim[1] || (complex && onesided))
    return gi_onnx_fail(
        c, GLIA_INVALID, "frames of %" PRId64 " samples every %" PRId64 " of %" PRId64 "%s",
        length, step, x.dim[1], complex && onesided ? "; onesided is for real signals" : "");
  const glia_value signal = gi_onnx_wide(gi_onnx_reshape(c->in[0], &x));
  glia_value frames = glia_frames(signal, 1, length, step); /* [B, frames, length, parts] */
  if (gi_onnx_given(c, 2))
    frames = glia_mul(frames, gi_onnx_along(gi_onnx_wide(c->in[2]), 2, 4));
  GI_TRY(glia_graph_status(c->g));
  const transform t = {.length = length,
                       .in = length,
                       .out = onesided ? length / 2 + 1 : length,
                       .pairs_in = complex,
                       .pairs_out = true};
  GI_TRY(transformed(c, frames, &t, &frames));
  c->out[0] = glia_cast(frames, x.dtype);
  return GLIA_OK;
}

/* ---- windows -------------------------------------------------------------------------------
 */

typedef struct window {
  double constant, first, second; /* c - f cos t + s cos 2t, t = 2 pi i / period */
  double period;
} window;

static double window_at(int64_t i, const void *user) {
  const window *w = user;
  const double t = two_pi * (double)i / w->period;
  return w->constant - w->first * cos(t) + w->second * cos(2 * t);
}

static glia_status build_window(gi_onnx_call *c) {
  static const struct {
    const char *name;
    window w;
  } kinds[] = {{"HannWindow", {0.5, 0.5, 0, 0}},
               {"HammingWindow", {25.0 / 46, 21.0 / 46, 0, 0}},
               {"BlackmanWindow", {0.42, 0.5, 0.08, 0}}};
  int k = 0, n = 0;
  int64_t size = 0;
  bool periodic = true;
  glia_dtype dtype = GLIA_F32;
  while (k + 1 < GI_COUNT(kinds) && strcmp(kinds[k].name, c->node->op) != 0) k++;
  GI_TRY(gi_onnx_known_ints(c, 0, &size, 1, &n));
  GI_TRY(gi_onnx_bool(c, "periodic", true, &periodic));
  GI_TRY(gi_onnx_dtype(c, "output_datatype", GI_ONNX_FLOAT, &c->out_type[0], &dtype));
  if (size < 0) return gi_onnx_fail(c, GLIA_INVALID, "the size is %" PRId64, size);
  window w = kinds[k].w;
  w.period = (double)GI_MAX(1, periodic ? size : size - 1);
  const gi_type t = {.dtype = dtype, .rank = 1, .dim = {size}};
  return table(c, &t, window_at, &w, &c->out[0]);
}

/* ---- mel bands -----------------------------------------------------------------------------
 */

typedef struct mel {
  int64_t bands, length;
  double rate, low, high;
} mel;

/* Where band i begins, as a place in the spectrum: mels are evenly apart in 2595 log10(1 + f /
 * 700). */
static int64_t mel_edge(const mel *m, int64_t i) {
  const double low = 2595 * log10(1 + m->low / 700), high = 2595 * log10(1 + m->high / 700);
  const double at = low + (double)i * (high - low) / (double)(m->bands + 2);
  const double hertz = 700 * (pow(10, at / 2595) - 1);
  return (int64_t)floor((double)(m->length + 1) * hertz / m->rate);
}

/* A triangle up to its own middle, and down to that of the next. */
static double mel_at(int64_t e, const void *user) {
  const mel *m = user;
  const int64_t j = e / m->bands, i = e % m->bands;
  const int64_t left = mel_edge(m, i), middle = mel_edge(m, i + 1), right = mel_edge(m, i + 2);
  if (j == middle) return 1;
  if (j >= left && j < middle) return (double)(j - left) / (double)(middle - left);
  if (j > middle && j < right) return (double)(right - j) / (double)(right - middle);
  return 0;
}

static glia_status build_mel(gi_onnx_call *c) {
  double n[5];
  glia_dtype dtype = GLIA_F32;
  for (int i = 0; i < 5; i++) GI_TRY(gi_onnx_known_number(c, i, 0, &n[i]));
  GI_TRY(gi_onnx_dtype(c, "output_datatype", GI_ONNX_FLOAT, &c->out_type[0], &dtype));
  if (!(n[0] >= 1 && n[0] < 1e6 && n[1] >= 1 && n[1] < 1e9 && n[2] > 0 && n[3] >= 0 &&
        n[4] >= n[3] && n[4] <= n[2]))
    return gi_onnx_fail(c, GLIA_INVALID,
                        "%g bands of %g samples at %g hertz, from %g to %g hertz", n[0], n[1],
                        n[2], n[3], n[4]);
  const mel m = {(int64_t)n[0], (int64_t)n[1], n[2], n[3], n[4]};
  const gi_type t = {.dtype = dtype, .rank = 2, .dim = {m.length / 2 + 1, m.bands}};
  return table(c, &t, mel_at, &m, &c->out[0]);
}

/* ---- rows ----------------------------------------------------------------------------------
 */

const gi_onnx_operator *const gi_onnx_operators_signal[] = {
    GI_ONNX_ROW("DFT", "axis inverse onesided", 1, 3, 1, build_dft, 17, 20),
    GI_ONNX_ROW("STFT", "onesided", 2, 4, 1, build_stft, 17),
    GI_ONNX_ROW("HannWindow", "output_datatype periodic", 1, 1, 1, build_window, 17),
    GI_ONNX_ROW("HammingWindow", "output_datatype periodic", 1, 1, 1, build_window, 17),
    GI_ONNX_ROW("BlackmanWindow", "output_datatype periodic", 1, 1, 1, build_window, 17),
    GI_ONNX_ROW("MelWeightMatrix", "output_datatype", 5, 5, 1, build_mel, 17),
    NULL,
};
