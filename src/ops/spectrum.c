/* spectrum.c - short-time Fourier transforms, their inverse, and mel bands: frames (unfold.c)
 * times a window times a matrix of cosines and sines, so there is no op for them.
 *
 * The forward matrix [n_fft, F 2] holds cos and -sin of 2 pi k n / n_fft side by side; the
 * inverse [F 2, n_fft] the same over n_fft, frequencies that stand for two counted twice. The
 * angle is reduced by k n modulo n_fft, in whole numbers, so that it is exact for long frames.
 */
#include "glia/spectrum.h"

#include <math.h>

#include "glia/windows.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static const double two_pi = 6.28318530717958647693;

/* A constant [a, b] (b 0: [a]) of a float type, filled by value(i, j, user). */
static glia_value table(glia_graph *g, glia_dtype dtype, int64_t a, int64_t b,
                        double (*value)(int64_t i, int64_t j, const void *user),
                        const void *user) {
  const gi_type t = {.dtype = dtype, .rank = b > 0 ? 2 : 1, .dim = {a, b}};
  if (g == NULL) return GLIA_NONE;
  if (!glia_dtype_is_float(dtype))
    return gi_latch(g, GLIA_DTYPE, "spectrum: %s is asked for, wanted a float type",
                    glia_dtype_name(dtype));
  const glia_status s = gi_type_check(&t, "spectrum");
  if (s != GLIA_OK) return gi_latch(g, s, "%s", glia_error_message());
  void *p = gi_alloc(gi_type_bytes(&t) + 1);
  if (p == NULL)
    return gi_latch(g, GLIA_NOMEM, "spectrum: no memory for %zu bytes", gi_type_bytes(&t));
  const int64_t count = gi_type_count(&t), row = GI_MAX(1, b);
  for (int64_t e = 0; e < count; e++) gi_store(dtype, p, e, value(e / row, e % row, user));
  const glia_value v = glia_constant(g, dtype, t.rank, t.dim, p);
  gi_free(p);
  return v;
}

/* ---- windows ------------------------------------------------------------------------- */

typedef struct taper {
  glia_taper kind;
  double period;
} taper;

static double taper_at(int64_t i, int64_t j, const void *user) {
  const taper *w = user;
  const double t = w->period > 0 ? two_pi * (double)i / w->period : 0;
  (void)j;
  if (w->period <= 0) return 1; /* one number alone */
  switch (w->kind) {
    case GLIA_TAPER_HANN: return 0.5 - 0.5 * cos(t);
    case GLIA_TAPER_HAMMING: return 0.54 - 0.46 * cos(t);
    default: return 0.42 - 0.5 * cos(t) + 0.08 * cos(2 * t);
  }
}

glia_value glia_taper_window(glia_graph *g, glia_taper kind, int64_t n, bool symmetric,
                             glia_dtype dtype) {
  const taper w = {kind, n > 1 ? (double)(symmetric ? n - 1 : n) : 0};
  if ((unsigned)kind > GLIA_TAPER_BLACKMAN || n < 1)
    return gi_latch(g, GLIA_INVALID, "taper_window: kind %d, %" PRId64 " numbers", (int)kind,
                    n);
  return table(g, dtype, n, 0, taper_at, &w);
}

/* ---- transforms ---------------------------------------------------------------------- */

typedef struct transform {
  glia_stft_opts o;
  int64_t bins;
  double scale;
} transform;

static double forward_at(int64_t n, int64_t j, const void *user) {
  const transform *t = user;
  const double angle = two_pi * (double)(j / 2 * n % t->o.n_fft) / (double)t->o.n_fft;
  return t->scale * (j % 2 == 0 ? cos(angle) : -sin(angle));
}

/* Frequencies but 0 and n_fft / 2 stand for their mirror images too. */
static double inverse_at(int64_t j, int64_t n, const void *user) {
  const transform *t = user;
  const int64_t k = j / 2;
  const bool twice = !t->o.two_sided && k != 0 && 2 * k != t->o.n_fft;
  const double angle = two_pi * (double)(k * n % t->o.n_fft) / (double)t->o.n_fft;
  return t->scale * (twice ? 2 : 1) * (j % 2 == 0 ? cos(angle) : -sin(angle));
}

static glia_status begin(transform *t, const glia_stft_opts *opt, const char *op) {
  gi_opts(&t->o, sizeof t->o, opt);
  if (t->o.hop == 0) t->o.hop = GI_MAX(1, t->o.n_fft / 4);
  if (t->o.n_fft < 1 || t->o.n_fft > 1 << 20 || t->o.hop < 1 || t->o.hop > INT32_MAX ||
      t->o.length < 0)
    return gi_fail(GLIA_INVALID,
                   "%s: n_fft %" PRId64 ", hop %" PRId64 ", length %" PRId64
                   "; wanted 1 to 2^20, 1 or more, 0 or more",
                   op, t->o.n_fft, t->o.hop, t->o.length);
  t->bins = t->o.two_sided ? t->o.n_fft : t->o.n_fft / 2 + 1;
  return GLIA_OK;
}

/* The window as n_fft numbers of this type, itself in the middle of zeros. */
static glia_value full_window(glia_value window, const transform *t, glia_value like,
                              const char *op) {
  if (gi_null(window)) return glia_broadcast_to(glia_scalar_like(like, 1), 1, &t->o.n_fft);
  const gi_type w = gi_value_type(window);
  char text[GI_TEXT];
  if (w.rank != 1 || w.dim[0] < 1 || w.dim[0] > t->o.n_fft)
    return gi_latch(window.graph, GLIA_SHAPE, "%s: the window is %s, wanted [1 to %" PRId64 "]",
                    op, gi_shape_text(&w, text, sizeof text), t->o.n_fft);
  const int64_t before = (t->o.n_fft - w.dim[0]) / 2, after = t->o.n_fft - w.dim[0] - before;
  return glia_pad(window, &before, &after, 0);
}

glia_value glia_stft_opt(glia_value x, glia_value window, const glia_stft_opts *opt) {
  transform t;
  if (gi_null(x)) return x;
  const glia_status s = begin(&t, opt, "stft");
  if (s != GLIA_OK) return gi_latch(x.graph, s, "%s", glia_error_message());
  gi_type shape = gi_value_type(x);
  char text[GI_TEXT];
  if (shape.rank < 1 || shape.rank > GLIA_MAX_RANK - 2 || shape.dim[shape.rank - 1] < 1)
    return gi_latch(x.graph, GLIA_SHAPE, "stft: x is %s, wanted [..., T]",
                    gi_shape_text(&shape, text, sizeof text));
  const int64_t time = shape.dim[shape.rank - 1], n = gi_type_count(&shape) / time;
  const int64_t half = t.o.no_center ? 0 : t.o.n_fft / 2, around[] = {0, half};
  x = glia_reshape(x, 2, (const int64_t[]){n, time});
  x = half == 0   ? x
      : t.o.zeros ? glia_pad(x, around, around, 0)
                  : glia_pad_edge(x, around, around, GLIA_PAD_REFLECT);
  glia_value frames = glia_frames(x, 1, t.o.n_fft, t.o.hop); /* [n, count, n_fft] */
  if (gi_null(frames)) return frames;
  const int64_t count = glia_value_dim(frames, 1);
  frames = glia_mul(frames, full_window(window, &t, x, "stft"));
  t.scale = t.o.normalized ? 1 / sqrt((double)t.o.n_fft) : 1;
  const glia_value basis = table(x.graph, shape.dtype, t.o.n_fft, 2 * t.bins, forward_at, &t);
  glia_value y =
      glia_matmul(glia_reshape(frames, 2, (const int64_t[]){n * count, t.o.n_fft}), basis);
  y = glia_reshape(y, 4, (const int64_t[]){n, count, t.bins, 2});
  y = glia_permute(y, (const int[]){0, 2, 1, 3});
  shape.dim[shape.rank - 1] = t.bins;
  shape.dim[shape.rank++] = count;
  shape.dim[shape.rank++] = 2;
  return glia_reshape(y, shape.rank, shape.dim);
}

/* The sum of the squares of all windows at each sample. */
static glia_value envelope(glia_value window, int64_t count, int64_t hop, int64_t n_fft) {
  const int64_t shape[] = {count, n_fft};
  return glia_overlap_add(glia_broadcast_to(glia_square(window), 2, shape), 0, hop);
}

/* begin .. begin + length of [n, T], zeros where there is nothing. */
static glia_value stretch(glia_value y, int64_t begin_at, int64_t length) {
  if (gi_null(y)) return y;
  const int64_t have = glia_value_dim(y, 1), end = GI_MIN(have, begin_at + length);
  const int64_t none[] = {0, 0}, more[] = {0, length - (end - begin_at)};
  return glia_pad(glia_slice(y, 1, begin_at, end, 1), none, more, 0);
}

glia_value glia_istft_opt(glia_value spectrum, glia_value window, const glia_stft_opts *opt) {
  transform t;
  if (gi_null(spectrum)) return spectrum;
  const glia_status s = begin(&t, opt, "istft");
  if (s != GLIA_OK) return gi_latch(spectrum.graph, s, "%s", glia_error_message());
  gi_type shape = gi_value_type(spectrum);
  char text[GI_TEXT];
  const int64_t *last = shape.dim + GI_MAX(0, shape.rank - 3); /* F, frames, 2 */
  if (shape.rank < 3 || last[0] != t.bins || last[1] < 1 || last[2] != 2)
    return gi_latch(spectrum.graph, GLIA_SHAPE,
                    "istft: the spectrum is %s, wanted [..., %" PRId64 ", frames, 2]",
                    gi_shape_text(&shape, text, sizeof text), t.bins);
  const int64_t count = last[1], n = gi_type_count(&shape) / (t.bins * count * 2);
  const int64_t all = (count - 1) * t.o.hop + t.o.n_fft;
  const int64_t half = t.o.no_center ? 0 : t.o.n_fft / 2;
  const int64_t length = t.o.length != 0 ? t.o.length : all - 2 * half;
  if (count > INT32_MAX || all - half < 1 || length < 1)
    return gi_latch(spectrum.graph, GLIA_SHAPE, "istft: %" PRId64 " frames leave nothing",
                    count);
  glia_value y = glia_reshape(spectrum, 4, (const int64_t[]){n, t.bins, count, 2});
  y = glia_permute(y, (const int[]){0, 2, 1, 3});
  t.scale = (t.o.normalized ? sqrt((double)t.o.n_fft) : 1) / (double)t.o.n_fft;
  const glia_value basis =
      table(spectrum.graph, shape.dtype, 2 * t.bins, t.o.n_fft, inverse_at, &t);
  y = glia_matmul(glia_reshape(y, 2, (const int64_t[]){n * count, 2 * t.bins}), basis);
  const glia_value w = full_window(window, &t, spectrum, "istft");
  y = glia_mul(glia_reshape(y, 3, (const int64_t[]){n, count, t.o.n_fft}), w);
  y = stretch(glia_overlap_add(y, 1, t.o.hop), half, length);
  glia_value weight = envelope(w, count, t.o.hop, t.o.n_fft);
  weight = stretch(glia_reshape(weight, 2, (const int64_t[]){1, all}), half, length);
  if (gi_null(y) || gi_null(weight)) return GLIA_NONE;
  const glia_value covered = glia_greater(weight, glia_scalar_like(weight, 1e-11));
  y = glia_mul(
      y, glia_where(covered,
                    glia_reciprocal(glia_where(covered, weight, glia_full_like(weight, 1))),
                    glia_full_like(weight, 0)));
  shape.rank -= 2;
  shape.dim[shape.rank - 1] = length;
  return glia_reshape(y, shape.rank, shape.dim);
}

/* The square root is kept away from 0, where it has no slope. */
glia_value glia_spectrogram_opt(glia_value x, glia_value window, double power,
                                const glia_stft_opts *opt) {
  const glia_value y = glia_stft_opt(x, window, opt);
  if (gi_null(y)) return y;
  if (!(power > 0))
    return gi_latch(y.graph, GLIA_INVALID, "spectrogram: power is %g, wanted > 0", power);
  const glia_value energy = glia_sum(glia_square(y), .n = 1, .axes = {-1});
  if (power == 2) return energy;
  const glia_value above = glia_maximum(energy, glia_scalar_like(energy, 1e-30));
  return power == 1 ? glia_sqrt(above) : glia_pow(above, glia_scalar_like(above, power / 2));
}

/* ---- mel bands ----------------------------------------------------------------------- */

typedef struct bands {
  glia_mel_opts o;
  int64_t bins;
  double first, last; /* in mel */
} bands;

/* Slaney's scale: linear up to 1000 hertz, 200 / 3 a mel, logarithmic above, 27 mels for 6.4
 * times. */
static double mel_of(const bands *b, double hertz) {
  if (!b->o.slaney) return 2595 * log10(1 + hertz / 700);
  return hertz < 1000 ? hertz * 3 / 200 : 15 + log(hertz / 1000) * 27 / log(6.4);
}
static double hertz_of(const bands *b, double mel) {
  if (!b->o.slaney) return 700 * (pow(10, mel / 2595) - 1);
  return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}
/* Corner i of 0 .. mels + 1. */
static double corner(const bands *b, int64_t i) {
  return hertz_of(b, b->first + (b->last - b->first) * (double)i / (double)(b->o.mels + 1));
}

static double band_at(int64_t bin, int64_t band, const void *user) {
  const bands *b = user;
  const double f = b->o.sample_rate / 2 * (double)bin / (double)GI_MAX(1, b->bins - 1);
  const double low = corner(b, band), top = corner(b, band + 1), high = corner(b, band + 2);
  const double v = fmax(0, fmin((f - low) / (top - low), (high - f) / (high - top)));
  return b->o.area ? v * 2 / (high - low) : v;
}

glia_value glia_mel_filters_opt(glia_graph *g, int64_t bins, glia_dtype dtype,
                                const glia_mel_opts *opt) {
  bands b = {.bins = bins};
  gi_opts(&b.o, sizeof b.o, opt);
  if (b.o.mels == 0) b.o.mels = 128;
  if (b.o.high == 0) b.o.high = b.o.sample_rate / 2;
  if (bins < 1 || b.o.mels < 1 || b.o.mels > INT32_MAX || !(b.o.sample_rate > 0) ||
      !(b.o.low >= 0) || !(b.o.low < b.o.high) || !isfinite(b.o.high))
    return gi_latch(g, GLIA_INVALID,
                    "mel_filters: %" PRId64 " bins, %" PRId64
                    " bands from %g to %g Hz at %g samples a second; wanted 1 or more and 0 <= "
                    "low < high",
                    bins, b.o.mels, b.o.low, b.o.high, b.o.sample_rate);
  b.first = mel_of(&b, b.o.low);
  b.last = mel_of(&b, b.o.high);
  return table(g, dtype, bins, b.o.mels, band_at, &b);
}

glia_value glia_mel_spectrogram(glia_value x, glia_value window, double power,
                                const glia_stft_opts *stft, const glia_mel_opts *mel) {
  const glia_value energy = glia_spectrogram_opt(x, window, power, stft);
  if (gi_null(energy)) return energy;
  const glia_value filters = glia_mel_filters_opt(energy.graph, glia_value_dim(energy, -2),
                                                  glia_value_dtype(energy), mel);
  if (gi_null(filters)) return filters;
  if (glia_value_rank(energy) == 2) return glia_matmul(filters, energy, .transpose_a = true);
  const gi_type t = gi_value_type(energy);
  const int64_t bins = t.dim[t.rank - 2], count = t.dim[t.rank - 1];
  const int64_t n = bins * count > 0 ? gi_type_count(&t) / (bins * count) : 0;
  gi_type shape = t;
  shape.dim[t.rank - 2] = glia_value_dim(filters, 1);
  return glia_reshape(
      glia_matmul(filters, glia_reshape(energy, 3, (const int64_t[]){n, bins, count}),
                  .transpose_a = true),
      shape.rank, shape.dim);
}
