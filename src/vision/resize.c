/* resize.c - bilinear resizing with antialiasing, in integers, as Pillow computes it.
 *
 * Each output pixel is a weighted mean of input pixels, first along rows, then along columns.
 * With scale = in / out and reach = max(scale, 1), output x lies at centre = (x + 0.5) * scale
 * of the input, and input i weighs triangle((i + 0.5 - centre) / reach), triangle(t) = max(0, 1
 * - |t|), normalised to a sum of 1. When shrinking, the triangle therefore covers all that the
 * output stands for; when growing, it is plain bilinear interpolation. Weights are rounded to
 * 22 bits and sums to the nearest u8, the same for the intermediate picture, so that a model
 * sees the same pixels as one trained with Pillow or torchvision, bit for bit.
 */
#include <math.h>

#include "vision/image.h"

enum { WEIGHT_BITS = 22 }; /* 8 for the pixel and 2 for the sum leave 22 of 32 */

typedef struct span { /* of one output */
  int first, count;
} span;

typedef struct weights {
  int most;       /* weights of one output at most */
  span *spans;    /* [outputs] */
  int32_t *value; /* [outputs, most] */
} weights;

static void clear_weights(weights *w) {
  gi_free(w->spans);
  gi_free(w->value);
}

static double triangle(double t) { return fabs(t) < 1.0 ? 1.0 - fabs(t) : 0.0; }

/* Weights of output x, which `raw` (room for w->most) holds in between. */
static void set_weights(weights *w, int x, int in, double scale, double reach, double *raw) {
  const double centre = (x + 0.5) * scale;
  const int first = GI_MAX((int)(centre - reach + 0.5), 0);
  const int count = GI_MIN((int)(centre + reach + 0.5), in) - first;
  double sum = 0.0;
  for (int i = 0; i < count; i++) {
    raw[i] = triangle((first + i - centre + 0.5) * (1.0 / reach));
    sum += raw[i];
  }
  int32_t *value = w->value + (size_t)x * (size_t)w->most;
  for (int i = 0; i < count; i++)
    value[i] = (int32_t)(0.5 + (sum != 0.0 ? raw[i] / sum : raw[i]) * (1 << WEIGHT_BITS));
  w->spans[x] = (span){first, count};
}

static glia_status make_weights(int in, int out, weights *w) {
  const double scale = (double)in / out, reach = GI_MAX(scale, 1.0);
  *w = (weights){.most = (int)ceil(reach) * 2 + 1};
  const size_t most = (size_t)w->most;
  double *raw = gi_alloc(most * sizeof *raw);
  w->spans = gi_alloc((size_t)out * sizeof *w->spans);
  w->value = gi_alloc((size_t)out * most * sizeof *w->value);
  const bool made = raw != NULL && w->spans != NULL && w->value != NULL;
  for (int x = 0; made && x < out; x++) set_weights(w, x, in, scale, reach, raw);
  gi_free(raw);
  if (made) return GLIA_OK;
  clear_weights(w);
  return gi_fail_nomem((size_t)out * most * sizeof *w->value);
}

static uint8_t round_sum(int32_t sum) {
  const int32_t v = sum >> WEIGHT_BITS;
  return (uint8_t)GI_MIN(GI_MAX(v, 0), 255);
}

static void along_rows(const gi_image *in, const weights *w, gi_image *out) {
  const int ch = in->channels;
  for (int r = 0; r < out->height; r++) {
    const uint8_t *row = in->px + (size_t)r * (size_t)in->width * (size_t)ch;
    uint8_t *to = out->px + (size_t)r * (size_t)out->width * (size_t)ch;
    for (int x = 0; x < out->width; x++) {
      const int32_t *value = w->value + (size_t)x * (size_t)w->most;
      const uint8_t *from = row + (size_t)w->spans[x].first * (size_t)ch;
      for (int c = 0; c < ch; c++) {
        int32_t sum = 1 << (WEIGHT_BITS - 1);
        for (int i = 0; i < w->spans[x].count; i++) sum += from[i * ch + c] * value[i];
        *to++ = round_sum(sum);
      }
    }
  }
}

static void along_columns(const gi_image *in, const weights *w, gi_image *out) {
  const size_t stride = (size_t)in->width * (size_t)in->channels;
  for (int y = 0; y < out->height; y++) {
    const int32_t *value = w->value + (size_t)y * (size_t)w->most;
    const uint8_t *from = in->px + (size_t)w->spans[y].first * stride;
    uint8_t *to = out->px + (size_t)y * stride;
    for (size_t x = 0; x < stride; x++) {
      int32_t sum = 1 << (WEIGHT_BITS - 1);
      for (int i = 0; i < w->spans[y].count; i++)
        sum += from[(size_t)i * stride + x] * value[i];
      to[x] = round_sum(sum);
    }
  }
}

static glia_status pass(gi_image *im, int height, int width, int in, int out,
                        void (*along)(const gi_image *, const weights *, gi_image *)) {
  if (in == out) return GLIA_OK;
  weights w;
  gi_image sized;
  GI_TRY(make_weights(in, out, &w));
  const glia_status status = gi_image_new(&sized, im->channels, height, width, "resize");
  if (status == GLIA_OK) {
    along(im, &w, &sized);
    gi_image_clear(im);
    *im = sized;
  }
  clear_weights(&w);
  return status;
}

glia_status gi_image_resize(gi_image *im, int height, int width) {
  if (height <= 0 || width <= 0)
    return gi_fail(GLIA_INVALID, "resize: %d x %d pixels are wanted", width, height);
  GI_TRY(pass(im, im->height, width, im->width, width, along_rows));
  return pass(im, height, width, im->height, height, along_columns);
}
