/* normalise.c - x = (stored * scale - mean) / std, fitted on a data set and applied to samples.
 *
 * Images have one mean and spread a channel, rows of a table one a column, anything else one
 * for all. Pixels are summed as integers, which is exact; columns by Welford's recurrence
 * (Technometrics 4(3), 1962), which loses nothing where the mean is large against the spread.
 * Both in index order, so that the same files give the same bits.
 */
#include <math.h>

#include "data/dataset.h"

/* Entries of mean and std, and how many neighbouring elements share one. */
static int entries(const glia_sample_spec *s) {
  return s->rank == 3 || s->rank == 1 ? (int)s->shape[0] : 1;
}

static double pixel_scale(const glia_sample_spec *s) {
  return s->dtype == GLIA_U8 ? 1.0 / 255.0 : 1.0;
}

typedef struct sums {    /* of one entry */
  uint64_t sum, squares; /* u8: below 2^64 for 2^48 pixels */
  double mean, spread;   /* f32: running mean, sum of squared distances from it */
  uint64_t n;
} sums;

static void add_pixels(sums *s, const uint8_t *x, int64_t n) {
  uint64_t sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += x[i];
    squares += (uint64_t)x[i] * x[i];
  }
  s->sum += sum;
  s->squares += squares;
  s->n += (uint64_t)n;
}

static void add_numbers(sums *s, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    s->n++;
    const double d = (double)x[i] - s->mean;
    s->mean += d / (double)s->n;
    s->spread += d * ((double)x[i] - s->mean);
  }
}

static void finish(const sums *s, double scale, glia_dtype dtype, float *mean, float *std) {
  double m = s->mean, variance = s->spread / (double)s->n;
  if (dtype == GLIA_U8) {
    m = (double)s->sum / (double)s->n;
    variance = (double)s->squares / (double)s->n - m * m;
  }
  const double deviation = sqrt(GI_MAX(variance, 0.0)) * scale;
  *mean = (float)(m * scale);
  const bool spread = deviation > 1e-12 * fabs(m * scale) && (float)deviation > 0.0f;
  *std = spread ? (float)deviation : 1.0f;
}

/* Reads all samples of d into s; *seen counts those that could be read. */
static glia_status sum_up(const glia_dataset *d, sums *s, int n, int64_t *seen) {
  const glia_sample_spec *spec = glia_dataset_spec(d);
  const int64_t per = gi_sample_elements(spec) / GI_MAX(n, 1);
  const size_t bytes = gi_sample_bytes(spec);
  char *x = gi_alloc(GI_MAX(bytes, 1)), *y = gi_alloc(gi_target_bytes(spec));
  glia_status status = x != NULL && y != NULL ? GLIA_OK : gi_fail_nomem(bytes);
  *seen = 0;
  for (int64_t i = 0; status == GLIA_OK && i < glia_dataset_count(d); i++) {
    const glia_status read = glia_dataset_read(d, i, x, y);
    if (read == GLIA_NOMEM || read == GLIA_CANCELLED) status = read;
    if (read != GLIA_OK) continue;
    ++*seen;
    for (int c = 0; c < n; c++) {
      if (spec->dtype == GLIA_U8)
        add_pixels(&s[c], (const uint8_t *)x + c * per, per);
      else
        add_numbers(&s[c], (const float *)(const void *)x + c * per, per);
    }
  }
  gi_free(x);
  gi_free(y);
  return status;
}

glia_status glia_normalise_fit(const glia_dataset *d, glia_normalise *out) {
  if (d == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "normalise: no data set, or nowhere to put the result");
  const glia_sample_spec *spec = glia_dataset_spec(d);
  glia_normalise n = {.scale = pixel_scale(spec), .n = entries(spec)};
  const size_t bytes = (size_t)GI_MAX(n.n, 1) * sizeof *n.mean;
  sums *s = gi_alloc((size_t)GI_MAX(n.n, 1) * sizeof *s);
  n.mean = gi_alloc(bytes);
  n.std = gi_alloc(bytes);
  int64_t seen = 0;
  glia_status status = s != NULL && n.mean != NULL && n.std != NULL ? sum_up(d, s, n.n, &seen)
                                                                    : gi_fail_nomem(bytes);
  if (status == GLIA_OK && seen == 0)
    status = gi_fail(GLIA_DATA, "normalise: none of the %lld samples can be read",
                     (long long)glia_dataset_count(d));
  if (status == GLIA_OK) {
    for (int c = 0; c < n.n; c++) finish(&s[c], n.scale, spec->dtype, &n.mean[c], &n.std[c]);
    *out = n;
  } else {
    glia_normalise_clear(&n);
  }
  gi_free(s);
  return status;
}

void glia_normalise_clear(glia_normalise *n) {
  if (n == NULL) return;
  gi_free(n->mean);
  gi_free(n->std);
  *n = (glia_normalise){0};
}

/* Elements that share a mean: out = (x * scale - mean) * (1 / std). */
static void apply_pixels(const uint8_t *x, float *out, int64_t n, float scale, float mean,
                         float inverse) {
  for (int64_t i = 0; i < n; i++) out[i] = ((float)x[i] * scale - mean) * inverse;
}

static void apply_numbers(const float *x, float *out, int64_t n, float scale, float mean,
                          float inverse) {
  for (int64_t i = 0; i < n; i++) out[i] = (x[i] * scale - mean) * inverse;
}

void glia_normalise_apply(const glia_normalise *n, const glia_sample_spec *spec,
                          const void *stored, float *out) {
  const int64_t elements = gi_sample_elements(spec);
  const float scale = (float)(n != NULL ? n->scale : pixel_scale(spec));
  const int64_t parts = n != NULL && n->n > 1 ? n->n : 1, per = elements / parts;
  for (int64_t c = 0; c < parts; c++) {
    const bool shift = n != NULL && n->n > 0;
    const float mean = shift ? n->mean[c] : 0.0f, inverse = shift ? 1.0f / n->std[c] : 1.0f;
    const int64_t count = c + 1 < parts ? per : elements - c * per;
    if (spec->dtype == GLIA_U8)
      apply_pixels((const uint8_t *)stored + c * per, out + c * per, count, scale, mean,
                   inverse);
    else
      apply_numbers((const float *)stored + c * per, out + c * per, count, scale, mean,
                    inverse);
  }
}
