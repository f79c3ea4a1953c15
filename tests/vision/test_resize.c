/* Resizing against Pillow, bit for bit; channels; what a model wants of a picture. */
#include "vision/golden.h"

static const int sizes[][2] = {{7, 5}, {40, 31}, {23, 5}, {11, 17}, {1, 1}, {5, 40}, {22, 16}};

static void resizing_is_pillows(void **state) {
  (void)state;
  static const char *const sources[] = {"resize_gray", "resize_rgb"};
  for (int k = 0; k < GI_COUNT(sources); k++)
    for (int i = 0; i < GI_COUNT(sizes); i++) {
      char name[64];
      snprintf(name, sizeof name, "%s.pam", sources[k]);
      gi_image im = golden_pixels(name);
      snprintf(name, sizeof name, "%s_%dx%d.pam", sources[k], sizes[i][0], sizes[i][1]);
      gi_image want = golden_pixels(name);
      OK(gi_image_resize(&im, sizes[i][1], sizes[i][0]));
      assert_same_picture(&im, &want, 0, name);
      gi_image_clear(&im);
      gi_image_clear(&want);
    }
}

static void even_pictures_stay_even(void **state) {
  (void)state;
  const int levels[] = {0, 1, 127, 254, 255};
  for (int v = 0; v < GI_COUNT(levels); v++)
    for (int i = 0; i < GI_COUNT(sizes); i++) {
      gi_image im;
      OK(gi_image_new(&im, 3, 13, 19, "even"));
      memset(im.px, levels[v], 3 * 13 * 19);
      OK(gi_image_resize(&im, sizes[i][1], sizes[i][0]));
      for (int k = 0; k < 3 * sizes[i][0] * sizes[i][1]; k++)
        assert_int_equal(im.px[k], levels[v]);
      gi_image_clear(&im);
    }
}

static void sizes_are_checked(void **state) {
  (void)state;
  gi_image im;
  OK(gi_image_new(&im, 1, 4, 4, "small"));
  FAILS(gi_image_resize(&im, 0, 4), GLIA_INVALID, "4 x 0");
  FAILS(gi_image_resize(&im, 4, 70000), GLIA_FORMAT, "70000 x 4");
  assert_true(im.height == 4 && im.width == 4); /* as it was */
  for (int64_t k = 1;; k++) {
    gi_alloc_fail_after(k);
    const glia_status status = gi_image_resize(&im, 3, 5);
    gi_alloc_fail_after(0);
    if (status == GLIA_OK) break;
    assert_int_equal(status, GLIA_NOMEM);
    assert_true(k < 50);
  }
  gi_image_clear(&im);
  gi_image big = {0};
  FAILS(gi_image_new(&big, 1, 65535, 65535, "big"), GLIA_FORMAT, "big: is 65535 x 65535");
}

static void colour_becomes_gray_as_pillow_has_it(void **state) {
  (void)state;
  gi_image im = golden_pixels("resize_rgb.pam"), want = golden_pixels("resize_rgb_luma.pam");
  OK(gi_image_convert(&im, 1));
  assert_same_picture(&im, &want, 0, "luma");
  OK(gi_image_convert(&im, 3));
  for (int i = 0; i < 17 * 23 * 3; i++) assert_int_equal(im.px[i], want.px[i / 3]);
  gi_image_clear(&im);
  gi_image_clear(&want);
}

static void alpha_lies_over_white(void **state) {
  (void)state;
  gi_image im;
  OK(gi_image_new(&im, 4, 1, 3, "glass"));
  memcpy(im.px, (uint8_t[]){10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 128}, 12);
  OK(gi_image_convert(&im, 3));
  /* 255 - a / 255 * (255 - v): at a = 128, 0 -> 127, 100 -> 177.2, 200 -> 227.4 */
  const uint8_t want[] = {10, 20, 30, 255, 255, 255, 127, 177, 227};
  assert_memory_equal(im.px, want, sizeof want);
  gi_image_clear(&im);
  OK(gi_image_new(&im, 2, 1, 2, "gray glass"));
  memcpy(im.px, (uint8_t[]){50, 255, 50, 51}, 4);
  OK(gi_image_fit(&im, "gray glass", 3, 0, 0, false));
  const uint8_t gray[] = {50, 50, 50, 214, 214, 214};
  assert_memory_equal(im.px, gray, sizeof gray);
  gi_image_clear(&im);
}

static void planes_are_taken_apart(void **state) {
  (void)state;
  gi_image im;
  uint8_t planes[6];
  OK(gi_image_new(&im, 3, 1, 2, "two"));
  memcpy(im.px, (uint8_t[]){1, 2, 3, 4, 5, 6}, 6);
  gi_image_planes(&im, planes);
  assert_memory_equal(planes, ((uint8_t[]){1, 4, 2, 5, 3, 6}), 6);
  FAILS(gi_image_fit(&im, "two.png", 0, 5, 7, true), GLIA_SHAPE,
        "two.png: is 2 x 1 pixels, wanted 7 x 5");
  OK(gi_image_fit(&im, "two.png", 1, 5, 7, false));
  assert_true(im.channels == 1 && im.height == 5 && im.width == 7);
  gi_image_clear(&im);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resizing_is_pillows),
      cmocka_unit_test(even_pictures_stay_even),
      cmocka_unit_test(sizes_are_checked),
      cmocka_unit_test(colour_becomes_gray_as_pillow_has_it),
      cmocka_unit_test(alpha_lies_over_white),
      cmocka_unit_test(planes_are_taken_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
