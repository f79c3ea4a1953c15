/* vision/image.h - pictures in memory: decoding, encoding, channels, size. Internal.
 *
 * Decoders work on bytes in memory and are told a name (`what`, the file) that leads their
 * messages. They give what the file holds as 8 bits a channel; gi_image_fit then makes of it
 * what a model wants.
 */
#ifndef GI_IMAGE_H
#define GI_IMAGE_H

#include "base/base.h"

typedef struct gi_image {
  int channels; /* 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha (not premultiplied) */
  int height, width;
  uint8_t *px; /* [height, width, channels]; owned (gi_image_clear); NULL if only probed */
} gi_image;

/* Larger pictures are refused: 65535 a side is what JPEG can say, and 2^27 pixels (11585
 * squared) take 400 MB as RGB. */
enum { GI_IMAGE_SIDE = 65535, GI_IMAGE_PIXELS = 1 << 27 };

void gi_image_clear(gi_image *im);
/* New picture of zeros. GLIA_FORMAT beyond the limits. */
glia_status gi_image_new(gi_image *im, int channels, int height, int width, const char *what);

/* PNG or JPEG, told apart by their first bytes. GLIA_FORMAT for anything else, and for what is
 * truncated or corrupt. Probing reads the header only. */
glia_status gi_image_decode(const void *bytes, size_t n, const char *what, gi_image *out);
glia_status gi_image_probe(const void *bytes, size_t n, const char *what, gi_image *out);
glia_status gi_image_read(const char *path, bool probe, gi_image *out);

bool gi_is_png(const void *bytes, size_t n);
bool gi_is_jpeg(const void *bytes, size_t n);
glia_status gi_png_decode(const void *bytes, size_t n, const char *what, bool probe,
                          gi_image *out);
glia_status gi_jpeg_decode(const void *bytes, size_t n, const char *what, bool probe,
                           gi_image *out);
/* 8-bit PNG of any of the four kinds, appended to out. */
glia_status gi_png_encode(const gi_image *im, const char *what, gi_str *out);

/* Alpha is laid over white; colour to gray is Rec. 601 luma, gray to colour repeats it.
 * `channels` is 1 or 3. */
glia_status gi_image_convert(gi_image *im, int channels);
/* Bilinear with antialiasing: when shrinking, the triangle widens to cover what it stands
 * for. */
glia_status gi_image_resize(gi_image *im, int height, int width);
/* Turns by one of EXIF's eight orientations; 1 leaves as is. */
glia_status gi_image_orient(gi_image *im, int orientation);

/* Both of the first two as wanted; 0 keeps. With `refuse` another size is GLIA_SHAPE. */
glia_status gi_image_fit(gi_image *im, const char *what, int channels, int height, int width,
                         bool refuse);
/* [height, width, channels] to [channels, height, width]. */
void gi_image_planes(const gi_image *im, uint8_t *out);

#endif /* GI_IMAGE_H */
