/* JPEG: what decodes has the size and kind that the header says. */
#include "fuzz.h"
#include "vision/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_image im, probed;
  if (gi_jpeg_decode(data, size, "fuzz", false, &im) != GLIA_OK) return 0;
  if (gi_jpeg_decode(data, size, "fuzz", true, &probed) != GLIA_OK) abort();
  if (probed.channels != im.channels || probed.height != im.height || probed.width != im.width)
    abort();
  if (gi_image_fit(&im, "fuzz", im.channels == 1 ? 3 : 1, 3, 5, false) != GLIA_OK) abort();
  gi_image_clear(&im);
  return 0;
}
