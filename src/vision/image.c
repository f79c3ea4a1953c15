/* image.c - pictures in memory: which decoder, channels, orientation, and what a model
 * wants. */
#include "vision/image.h"

/* Whole files are read before they are decoded; more than this is no picture. */
static const size_t file_limit = (size_t)1 << 30;

void gi_image_clear(gi_image *im) {
  gi_free(im->px);
  *im = (gi_image){0};
}

glia_status gi_image_new(gi_image *im, int channels, int height, int width, const char *what) {
  const bool fits = height > 0 && width > 0 && height <= GI_IMAGE_SIDE &&
                    width <= GI_IMAGE_SIDE && (int64_t)height * width <= GI_IMAGE_PIXELS;
  if (!fits)
    return gi_fail(GLIA_FORMAT, "%s: is %d x %d pixels, wanted 1 to %d a side and %d in all",
                   what, width, height, GI_IMAGE_SIDE, GI_IMAGE_PIXELS);
  const size_t bytes = (size_t)channels * (size_t)height * (size_t)width;
  uint8_t *px = gi_alloc(bytes);
  if (px == NULL) return gi_fail_nomem(bytes);
  *im = (gi_image){channels, height, width, px};
  return GLIA_OK;
}

/* ---- decoding ---------------------------------------------------------------------------- */

/* What a file is that is neither PNG nor JPEG; NULL: not known. */
static const char *other_format(const unsigned char *p, size_t n) {
  static const struct {
    size_t at;
    const char *magic, *name;
  } known[] = {{0, "GIF8", "GIF"},      {0, "BM", "BMP"},  {8, "WEBP", "WebP"},
               {0, "II*", "TIFF"},      {0, "MM", "TIFF"}, {4, "ftypavif", "AVIF"},
               {4, "ftypheic", "HEIC"}, {0, "%PDF", "PDF"}};
  for (int i = 0; i < GI_COUNT(known); i++) {
    const size_t length = strlen(known[i].magic);
    if (n >= known[i].at + length && memcmp(p + known[i].at, known[i].magic, length) == 0)
      return known[i].name;
  }
  return NULL;
}

static glia_status decode(const void *bytes, size_t n, const char *what, bool probe,
                          gi_image *out) {
  if (gi_is_png(bytes, n)) return gi_png_decode(bytes, n, what, probe, out);
  if (gi_is_jpeg(bytes, n)) return gi_jpeg_decode(bytes, n, what, probe, out);
  if (n == 0) return gi_fail(GLIA_FORMAT, "%s: is empty, wanted a PNG or JPEG picture", what);
  const char *name = other_format(bytes, n);
  if (name != NULL)
    return gi_fail(GLIA_FORMAT, "%s: is %s, wanted PNG or JPEG; hint: convert it", what, name);
  return gi_fail(GLIA_FORMAT, "%s: is neither PNG nor JPEG", what);
}

glia_status gi_image_decode(const void *bytes, size_t n, const char *what, gi_image *out) {
  return decode(bytes, n, what, false, out);
}

glia_status gi_image_probe(const void *bytes, size_t n, const char *what, gi_image *out) {
  return decode(bytes, n, what, true, out);
}

glia_status gi_image_read(const char *path, bool probe, gi_image *out) {
  char *bytes;
  size_t n;
  GI_TRY(gi_read_file(path, file_limit, &bytes, &n));
  const glia_status status = decode(bytes, n, path, probe, out);
  gi_free(bytes);
  return status;
}

/* ---- channels ---------------------------------------------------------------------------- */

static uint8_t over_white(uint8_t value, uint8_t alpha) {
  return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* Rec. 601: 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point, rounded. */
static uint8_t luma(const uint8_t *rgb) {
  return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 32768u) >> 16);
}

glia_status gi_image_convert(gi_image *im, int channels) {
  if (channels == im->channels) return GLIA_OK;
  const size_t pixels = (size_t)im->height * (size_t)im->width;
  const int from = im->channels, colours = from >= 3 ? 3 : 1;
  uint8_t *px = gi_alloc(pixels * (size_t)channels);
  if (px == NULL) return gi_fail_nomem(pixels * (size_t)channels);
  for (size_t i = 0; i < pixels; i++) {
    const uint8_t *in = im->px + i * (size_t)from;
    uint8_t colour[3], *out = px + i * (size_t)channels;
    for (int c = 0; c < 3; c++) {
      colour[c] = in[colours == 3 ? c : 0];
      if (from > colours) colour[c] = over_white(colour[c], in[colours]);
    }
    if (channels == 3)
      memcpy(out, colour, 3);
    else
      out[0] = colours == 3 ? luma(colour) : colour[0];
  }
  gi_free(im->px);
  im->px = px;
  im->channels = channels;
  return GLIA_OK;
}

/* ---- orientation ------------------------------------------------------------------------- */

/* EXIF 2.32, tag 0x0112: which edge of the scene row 0 and column 0 of the file are.
 * Expressed as three steps from the picture as it should be seen (row, column) to the stored
 * one: swap rows with columns, then run rows backwards, then columns. */
static const struct {
  bool swap, rows_back, columns_back;
} turns[9] = {{0},
              {false, false, false}, /* 1: as it is */
              {false, false, true},  /* 2: mirrored left to right */
              {false, true, true},   /* 3: turned by 180 degrees */
              {false, true, false},  /* 4: mirrored top to bottom */
              {true, false, false},  /* 5: mirrored along the main diagonal */
              {true, true, false},   /* 6: turned clockwise to be upright */
              {true, true, true},    /* 7: mirrored along the other diagonal */
              {true, false, true}};  /* 8: turned counter-clockwise to be upright */

glia_status gi_image_orient(gi_image *im, int orientation) {
  if (orientation <= 1 || orientation > 8) return GLIA_OK;
  const bool swap = turns[orientation].swap;
  const int h = swap ? im->width : im->height, w = swap ? im->height : im->width;
  if (im->px != NULL) {
    const size_t pixel = (size_t)im->channels, bytes = pixel * (size_t)h * (size_t)w;
    uint8_t *px = gi_alloc(bytes), *to = px;
    if (px == NULL) return gi_fail_nomem(bytes);
    for (int r = 0; r < h; r++)
      for (int c = 0; c < w; c++, to += pixel) {
        int row = swap ? c : r, column = swap ? r : c;
        if (turns[orientation].rows_back) row = im->height - 1 - row;
        if (turns[orientation].columns_back) column = im->width - 1 - column;
        memcpy(to, im->px + ((size_t)row * (size_t)im->width + (size_t)column) * pixel, pixel);
      }
    gi_free(im->px);
    im->px = px;
  }
  im->height = h;
  im->width = w;
  return GLIA_OK;
}

/* ---- what a model wants ------------------------------------------------------------------ */

glia_status gi_image_fit(gi_image *im, const char *what, int channels, int height, int width,
                         bool refuse) {
  if (height == 0) height = im->height;
  if (width == 0) width = im->width;
  if (refuse && (im->height != height || im->width != width))
    return gi_fail(GLIA_SHAPE,
                   "%s: is %d x %d pixels, wanted %d x %d; hint: allow resizing, or resize it",
                   what, im->width, im->height, width, height);
  if (channels == 0) channels = im->channels >= 3 ? 3 : 1;
  /* Fewer channels first: less to resize. */
  if (im->channels != 1) GI_TRY(gi_image_convert(im, im->channels == 2 ? 1 : channels));
  GI_TRY(gi_image_resize(im, height, width));
  return gi_image_convert(im, channels);
}

void gi_image_planes(const gi_image *im, uint8_t *out) {
  const size_t pixels = (size_t)im->height * (size_t)im->width;
  if (im->channels == 1) {
    memcpy(out, im->px, pixels);
    return;
  }
  for (int c = 0; c < im->channels; c++)
    for (size_t i = 0; i < pixels; i++) *out++ = im->px[i * (size_t)im->channels + (size_t)c];
}
