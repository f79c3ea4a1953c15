/* tests/vision/golden.h - the pictures of tests/golden/vision (tools/golden_vision.py). */
#ifndef GI_TEST_GOLDEN_PICTURES_H
#define GI_TEST_GOLDEN_PICTURES_H

#include "test.h"

#include "vision/image.h"

/* Bytes of a golden file; owned (gi_free). */
static inline char *golden_bytes(const char *name, size_t *n) {
  char path[512], *bytes;
  snprintf(path, sizeof path, "%s/tests/golden/vision/%s", GI_TEST_SOURCE, name);
  OK(gi_read_file(path, 1 << 20, &bytes, n));
  return bytes;
}

/* A PAM file as a picture; owned (gi_image_clear). */
static inline gi_image golden_pixels(const char *name) {
  size_t n;
  char *bytes = golden_bytes(name, &n);
  int w, h, c, begin = 0;
  assert_int_equal(
      sscanf(bytes, "P7 WIDTH %d HEIGHT %d DEPTH %d MAXVAL 255 ENDHDR%n", &w, &h, &c, &begin),
      3);
  gi_image im;
  OK(gi_image_new(&im, c, h, w, name));
  const size_t pixels = (size_t)w * (size_t)h * (size_t)c;
  assert_int_equal((size_t)begin + 1 + pixels, n);
  memcpy(im.px, bytes + begin + 1, pixels);
  gi_free(bytes);
  return im;
}

/* Same kind and size, and no pixel further away than `within`. */
static inline void assert_same_picture(const gi_image *got, const gi_image *want, int within,
                                       const char *name) {
  if (got->channels != want->channels || got->height != want->height ||
      got->width != want->width)
    fail_msg("%s: is %d x %d x %d, wanted %d x %d x %d", name, got->width, got->height,
             got->channels, want->width, want->height, want->channels);
  const int n = want->channels * want->height * want->width;
  for (int i = 0; i < n; i++)
    if (abs(got->px[i] - want->px[i]) > within)
      fail_msg("%s: byte %d is %d, wanted %d", name, i, got->px[i], want->px[i]);
}

/* Decodes NAME.END and compares with NAME.pam. */
static inline void check_golden(const char *name, const char *end, int within) {
  char file[128];
  size_t n;
  snprintf(file, sizeof file, "%s.pam", name);
  gi_image want = golden_pixels(file), got, probed;
  snprintf(file, sizeof file, "%s.%s", name, end);
  char *bytes = golden_bytes(file, &n);
  OK(gi_image_decode(bytes, n, file, &got));
  assert_same_picture(&got, &want, within, file);
  OK(gi_image_probe(bytes, n, file, &probed));
  assert_null(probed.px);
  assert_true(probed.channels == want.channels && probed.height == want.height &&
              probed.width == want.width);
  gi_free(bytes);
  gi_image_clear(&want);
  gi_image_clear(&got);
}

#endif /* GI_TEST_GOLDEN_PICTURES_H */
