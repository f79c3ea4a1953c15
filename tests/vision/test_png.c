/* PNG of every kind against known pixels; truncated, flipped and lying files. */
#include <zlib.h>

#include "vision/golden.h"

static const char *const kinds[] = {
    "gray1",          "gray2",    "gray4",         "gray8",
    "gray16",         "ga8",      "ga16",          "rgb8",
    "rgb16",          "rgba8",    "rgba16",        "palette1",
    "palette4",       "palette8", "palette_alpha", "gray_transparent",
    "rgb_transparent"};

static void every_kind_decodes(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(kinds); i++) check_golden(kinds[i], "png", 0);
}

static void truncated_files_are_errors(void **state) {
  (void)state;
  gi_image im = {0};
  for (int i = 0; i < GI_COUNT(kinds); i++) {
    char file[64];
    size_t n;
    snprintf(file, sizeof file, "%s.png", kinds[i]);
    char *bytes = golden_bytes(file, &n);
    for (size_t cut = 0; cut < n; cut++) {
      assert_int_equal(gi_image_decode(bytes, cut, file, &im), GLIA_FORMAT);
      assert_non_null(strstr(glia_error_message(), file));
    }
    gi_free(bytes);
  }
  assert_null(im.px);
}

static void every_flipped_byte_is_noticed(void **state) {
  (void)state;
  gi_image im = {0};
  for (int i = 0; i < GI_COUNT(kinds); i++) {
    char file[64];
    size_t n;
    snprintf(file, sizeof file, "%s.png", kinds[i]);
    char *bytes = golden_bytes(file, &n);
    for (size_t at = 0; at < n; at++) {
      bytes[at] = (char)(bytes[at] ^ 0x21);
      if (gi_image_decode(bytes, n, file, &im) != GLIA_FORMAT)
        fail_msg("%s: byte %zu may be flipped unnoticed", file, at);
      bytes[at] = (char)(bytes[at] ^ 0x21);
    }
    gi_free(bytes);
  }
  assert_null(im.px);
}

/* Sets the size in a header and mends its checksum. */
static void set_size(char *png, uint32_t w, uint32_t h) {
  unsigned char *p = (unsigned char *)png;
  const uint32_t size[2] = {w, h};
  for (int i = 0; i < 8; i++) p[16 + i] = (unsigned char)(size[i / 4] >> (24 - 8 * (i % 4)));
  const uint32_t crc = (uint32_t)crc32(0, p + 12, 17);
  for (int i = 0; i < 4; i++) p[29 + i] = (unsigned char)(crc >> (24 - 8 * i));
}

static void headers_that_lie_cost_nothing(void **state) {
  (void)state;
  static const struct {
    uint32_t w, h;
    const char *text;
  } cases[] = {{60000, 2000, "too short for a picture of its size"},
               {65535, 65535, "too short for a picture of its size"},
               {65536, 1, "gray8.png"},
               {0, 5, "gray8.png"},
               {0xffffffff, 5, "gray8.png"},
               {12, 5, "gray8.png"},
               {11, 6, "gray8.png"}};
  size_t n;
  gi_image im = {0};
  char *bytes = golden_bytes("gray8.png", &n);
  for (int i = 0; i < GI_COUNT(cases); i++) {
    set_size(bytes, cases[i].w, cases[i].h);
    const glia_status status = gi_image_decode(bytes, n, "gray8.png", &im);
    assert_int_equal(status, GLIA_FORMAT);
    assert_non_null(strstr(glia_error_message(), cases[i].text));
  }
  assert_null(im.px);
  gi_free(bytes);
}

static void other_files_are_named(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t n;
    const char *text;
  } cases[] = {{"", 0, "x: is empty"},
               {"GIF89a....", 10, "x: is GIF, wanted PNG or JPEG"},
               {"RIFF....WEBPVP8 ", 16, "x: is WebP"},
               {"hello, world", 12, "x: is neither PNG nor JPEG"}};
  gi_image im = {0};
  for (int i = 0; i < GI_COUNT(cases); i++)
    FAILS(gi_image_decode(cases[i].bytes, cases[i].n, "x", &im), GLIA_FORMAT, cases[i].text);
  FAILS(gi_image_read("/no/such.png", false, &im), GLIA_IO, "/no/such.png");
}

static void what_is_written_reads_back(void **state) {
  (void)state;
  const int sizes[][2] = {{1, 1}, {3, 7}, {40, 33}};
  for (int c = 1; c <= 4; c++)
    for (int k = 0; k < GI_COUNT(sizes); k++) {
      gi_image im, back;
      gi_str png = {0};
      OK(gi_image_new(&im, c, sizes[k][0], sizes[k][1], "made up"));
      for (int i = 0; i < c * sizes[k][0] * sizes[k][1]; i++) im.px[i] = (uint8_t)(i * 89);
      OK(gi_png_encode(&im, "made up", &png));
      OK(gi_image_decode(png.s, png.n, "made up", &back));
      assert_same_picture(&back, &im, 0, "made up");
      gi_str_free(&png);
      gi_image_clear(&im);
      gi_image_clear(&back);
    }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  size_t n;
  char *bytes = golden_bytes("palette_alpha.png", &n);
  gi_image im = {0};
  for (int64_t k = 1; im.px == NULL; k++) {
    gi_alloc_fail_after(k);
    const glia_status status = gi_image_decode(bytes, n, "palette_alpha.png", &im);
    gi_alloc_fail_after(0);
    assert_true(status == GLIA_OK || status == GLIA_NOMEM);
    assert_true(k < 200);
  }
  gi_free(bytes);
  for (int64_t k = 1;; k++) {
    gi_str png = {0};
    gi_alloc_fail_after(k);
    const glia_status status = gi_png_encode(&im, "made up", &png);
    gi_alloc_fail_after(0);
    gi_str_free(&png);
    if (status == GLIA_OK) break;
    assert_int_equal(status, GLIA_NOMEM);
    assert_true(k < 200);
  }
  gi_image_clear(&im);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_decodes),
      cmocka_unit_test(truncated_files_are_errors),
      cmocka_unit_test(every_flipped_byte_is_noticed),
      cmocka_unit_test(headers_that_lie_cost_nothing),
      cmocka_unit_test(other_files_are_named),
      cmocka_unit_test(what_is_written_reads_back),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
