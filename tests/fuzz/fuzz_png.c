/* PNG: what decodes has the size and kind that the header says, and survives being written.
 * Each input is tried as it is and with its checksums mended, or no damage would come past
 * them. */
#include <zlib.h>

#include "fuzz.h"
#include "vision/image.h"

static void try(const uint8_t *data, size_t size) {
  gi_image im, probed, back;
  if (gi_png_decode(data, size, "fuzz", false, &im) != GLIA_OK) return;
  if (gi_png_decode(data, size, "fuzz", true, &probed) != GLIA_OK) abort();
  if (probed.channels != im.channels || probed.height != im.height || probed.width != im.width)
    abort();
  const size_t bytes = (size_t)im.channels * (size_t)im.height * (size_t)im.width;
  gi_str png = {0};
  if (gi_png_encode(&im, "fuzz", &png) != GLIA_OK) abort();
  if (gi_png_decode(png.s, png.n, "fuzz", false, &back) != GLIA_OK) abort();
  if (back.channels != im.channels || memcmp(back.px, im.px, bytes) != 0) abort();
  if (gi_image_fit(&im, "fuzz", 1 + 2 * (im.channels & 1), 3, 5, false) != GLIA_OK) abort();
  gi_str_free(&png);
  gi_image_clear(&im);
  gi_image_clear(&back);
}

/* Sets the checksum of every chunk. */
static void mend(uint8_t *p, size_t n) {
  for (size_t at = 8; at + 12 <= n;) {
    const uint32_t length = (uint32_t)p[at] << 24 | (uint32_t)p[at + 1] << 16 |
                            (uint32_t)p[at + 2] << 8 | p[at + 3];
    if (length > n - at - 12) return;
    const uint32_t crc = (uint32_t)crc32(0, p + at + 4, length + 4);
    for (int i = 0; i < 4; i++) p[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    at += length + 12;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try(data, size);
  uint8_t *copy = malloc(size > 0 ? size : 1);
  if (copy == NULL) abort();
  memcpy(copy, data, size);
  mend(copy, size);
  try(copy, size);
  free(copy);
  return 0;
}
