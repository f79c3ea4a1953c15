/* pictures.c - how near a picture is to the one that it should be, [N, C, H, W] or any shape.
 *
 *   psnr  10 log10(range^2 / mean (x - y)^2) in decibel; infinite where they are equal
 *   ssim  mean over all windows of
 *             (2 mx my + c1) (2 sxy + c2) / ((mx^2 + my^2 + c1) (sx + sy + c2))
 *         with means m, variances s and covariance under a Gaussian window of 11 x 11 pixels,
 *         standard deviation 1.5, that lies within the picture; c1 = (0.01 range)^2,
 *         c2 = (0.03 range)^2 (Wang et al. 2004, doi:10.1109/TIP.2003.819861). The window is
 *         separable: first the rows, then the columns, 22 multiplications a pixel.
 */
#include "train/metric_call.h"

static glia_status psnr(gi_metric_call *c) {
  const int64_t n = c->n * c->columns[0];
  const double range = c->o.data_range > 0 ? c->o.data_range : 1;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (c->a[i] - c->b[i]) * (c->a[i] - c->b[i]);
  return gi_metric_number(
      c, sum == 0 ? (double)INFINITY : 10 * log10(range * range * (double)n / sum));
}

/* ---- structural similarity -------------------------------------------------------------- */

enum { WINDOW = 11 };

static void make_window(double w[WINDOW]) {
  double sum = 0;
  for (int i = 0; i < WINDOW; i++) {
    const int place = i - WINDOW / 2;
    const double d = place;
    sum += w[i] = exp(-d * d / (2 * 1.5 * 1.5));
  }
  for (int i = 0; i < WINDOW; i++) w[i] /= sum;
}

/* Weighted means of p q under every window of a picture [h, w]. rows [h, w - 10], out
 * [h - 10, w - 10] */
static void blur(const double *p, const double *q, int64_t h, int64_t w, const double *window,
                 double *rows, double *out) {
  const int64_t across = w - WINDOW + 1, down = h - WINDOW + 1;
  for (int64_t y = 0; y < h; y++)
    for (int64_t x = 0; x < across; x++) {
      double sum = 0;
      for (int k = 0; k < WINDOW; k++) {
        const int64_t at = y * w + x + k;
        sum += window[k] * p[at] * (q != NULL ? q[at] : 1);
      }
      rows[y * across + x] = sum;
    }
  for (int64_t y = 0; y < down; y++)
    for (int64_t x = 0; x < across; x++) {
      double sum = 0;
      for (int k = 0; k < WINDOW; k++) sum += window[k] * rows[(y + k) * across + x];
      out[y * across + x] = sum;
    }
}

/* Sum over the windows of one picture. map: five of [windows] */
static double similarity(const gi_metric_call *c, const double *a, const double *b, int64_t h,
                         int64_t w, double *rows, double *const map[5]) {
  const double range = c->o.data_range > 0 ? c->o.data_range : 1;
  const double c1 = pow(0.01 * range, 2), c2 = pow(0.03 * range, 2);
  const int64_t windows = (h - WINDOW + 1) * (w - WINDOW + 1);
  double window[WINDOW], sum = 0;
  make_window(window);
  blur(a, NULL, h, w, window, rows, map[0]);
  blur(b, NULL, h, w, window, rows, map[1]);
  blur(a, a, h, w, window, rows, map[2]);
  blur(b, b, h, w, window, rows, map[3]);
  blur(a, b, h, w, window, rows, map[4]);
  for (int64_t i = 0; i < windows; i++) {
    const double ma = map[0][i], mb = map[1][i];
    const double va = map[2][i] - ma * ma, vb = map[3][i] - mb * mb, cov = map[4][i] - ma * mb;
    sum += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
  }
  return sum;
}

static glia_status ssim(gi_metric_call *c) {
  const gi_type *t = &c->type[0];
  const int64_t h = t->rank >= 2 ? t->dim[t->rank - 2] : 1, w = t->dim[t->rank - 1];
  double *rows = NULL, *map[5] = {NULL}, sum = 0;
  char text[96];
  if (t->rank < 2 || h < WINDOW || w < WINDOW)
    return gi_fail(GLIA_SHAPE, "%s: pictures are %s, wanted 11 x 11 pixels or more", c->name,
                   gi_shape_text(t, text, sizeof text));
  const int64_t windows = (h - WINDOW + 1) * (w - WINDOW + 1);
  const int64_t pictures = c->n * c->columns[0] / (h * w);
  GI_TAKE(c, h * w, &rows);
  for (int i = 0; i < 5; i++) GI_TAKE(c, windows, &map[i]);
  for (int64_t i = 0; i < pictures; i++)
    sum += similarity(c, c->a + i * h * w, c->b + i * h * w, h, w, rows, map);
  return gi_metric_number(c, sum / (double)(pictures * windows));
}

static const gi_field fields[] = {
    GI_METRIC_F64(data_range, 0, HUGE_VAL, "1", "largest value less the smallest"),
    GI_METRIC_END};

static const gi_metric row_psnr = {
    .name = "psnr",
    .doc = "10 log10(range^2 / mean squared error), in decibel",
    .source = "torchmetrics' PeakSignalNoiseRatio",
    .compute = psnr,
    .fields = fields,
    .shape = GI_SHAPE_EQUAL,
};
static const gi_metric row_ssim = {
    .name = "ssim",
    .doc = "likeness of means, contrast and structure under a Gaussian window",
    .source = "skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5)",
    .compute = ssim,
    .fields = fields,
    .shape = GI_SHAPE_EQUAL,
};

const gi_metric *const gi_metrics_pictures[] = {&row_psnr, &row_ssim, NULL};
