/* JPEG against Pillow's pixels, EXIF orientations; truncated and flipped files; real photos. */
#include "vision/golden.h"

static const char *const kinds[] = {"jpeg_gray", "jpeg_444", "jpeg_420", "jpeg_progressive",
                                    "jpeg_cmyk"};

/* Decoders may differ by a rounding of the inverse transform, no more. */
enum { ROUNDING = 2 };

static void every_kind_decodes(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(kinds); i++) check_golden(kinds[i], "jpg", ROUNDING);
}

static void pictures_are_turned_upright(void **state) {
  (void)state;
  for (int i = 1; i <= 8; i++) {
    char name[32];
    snprintf(name, sizeof name, "jpeg_turned%d", i);
    check_golden(name, "jpg", ROUNDING);
  }
}

static void truncated_files_are_errors(void **state) {
  (void)state;
  gi_image im = {0};
  for (int i = 0; i < GI_COUNT(kinds); i++) {
    char file[64];
    size_t n;
    snprintf(file, sizeof file, "%s.jpg", kinds[i]);
    char *bytes = golden_bytes(file, &n);
    for (size_t cut = 0; cut < n; cut++) {
      if (gi_image_decode(bytes, cut, file, &im) != GLIA_FORMAT)
        fail_msg("%s: decodes from %zu of %zu bytes", file, cut, n);
      assert_non_null(strstr(glia_error_message(), file));
    }
    gi_free(bytes);
  }
  assert_null(im.px);
}

/* Many flips give another valid picture; the others must be refused, and none may do harm. */
static void flipped_bytes_do_no_harm(void **state) {
  (void)state;
  int refused = 0;
  for (int i = 0; i < GI_COUNT(kinds); i++) {
    char file[64];
    size_t n;
    snprintf(file, sizeof file, "%s.jpg", kinds[i]);
    char *bytes = golden_bytes(file, &n);
    for (size_t at = 0; at < n; at++)
      for (int bit = 0; bit < 8; bit += 3) {
        gi_image im = {0};
        bytes[at] = (char)(bytes[at] ^ 1 << bit);
        const glia_status status = gi_image_decode(bytes, n, file, &im);
        assert_true(status == GLIA_FORMAT || (status == GLIA_OK && im.px != NULL));
        refused += status != GLIA_OK;
        gi_image_clear(&im);
        bytes[at] = (char)(bytes[at] ^ 1 << bit);
      }
    gi_free(bytes);
  }
  assert_true(refused > 1000);
}

/* The part that holds the pixels is cut out and zeros put in its place. */
static void missing_data_are_not_made_up(void **state) {
  (void)state;
  size_t n;
  gi_image im = {0};
  char *bytes = golden_bytes("jpeg_444.jpg", &n);
  char *cut = gi_alloc(n);
  assert_non_null(cut);
  memcpy(cut, bytes, n / 4 * 3);
  memcpy(cut + n / 4 * 3, "\xff\xd9", 2); /* the end marker comes early */
  FAILS(gi_image_decode(cut, n / 4 * 3 + 2, "early.jpg", &im), GLIA_FORMAT, "early.jpg: JPEG");
  gi_free(cut);
  gi_free(bytes);
}

static void real_photos_decode(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int width, height;
  } photos[] = {{"cat", 1920, 1080}, {"dog", 768, 576}, {"grace_hopper", 517, 606}};
  const char *shared = test_shared();
  if (shared == NULL) skip();
  for (int i = 0; i < GI_COUNT(photos); i++) {
    char path[512];
    gi_image im;
    snprintf(path, sizeof path, "%s/data/photos/%s.jpg", shared, photos[i].name);
    OK(gi_image_read(path, false, &im));
    assert_true(im.channels == 3 && im.width == photos[i].width &&
                im.height == photos[i].height);
    OK(gi_image_fit(&im, path, 1, 32, 48, false));
    assert_true(im.channels == 1 && im.height == 32 && im.width == 48);
    gi_image_clear(&im);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_decodes),
      cmocka_unit_test(pictures_are_turned_upright),
      cmocka_unit_test(truncated_files_are_errors),
      cmocka_unit_test(flipped_bytes_do_no_harm),
      cmocka_unit_test(missing_data_are_not_made_up),
      cmocka_unit_test(real_photos_decode),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
