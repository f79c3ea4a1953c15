/* Nearest names, numbers from text, hashing. */
#include <locale.h>

#include "test.h"

static const char *const layers[] = {"conv2d", "dense",      "dropout", "flatten",
                                     "relu",   "max_pool2d", "selu",    "gelu"};

static const char *nearest(const char *word) {
  const int i = gi_nearest(word, layers, GI_COUNT(layers));
  return i < 0 ? "" : layers[i];
}

static void misspelt_names_are_found(void **state) {
  (void)state;
  assert_string_equal(nearest("dense"), "dense");
  assert_string_equal(nearest("densee"), "dense");
  assert_string_equal(nearest("desne"), "dense"); /* one swap */
  assert_string_equal(nearest("covn2d"), "conv2d");
  assert_string_equal(nearest("con2"), "conv2d");
  assert_string_equal(nearest("maxpool2d"), "max_pool2d");
  assert_string_equal(nearest("drop_out"), "dropout");
  assert_string_equal(nearest("relo"), "relu"); /* nearer than selu and gelu */
  assert_string_equal(nearest("transformer"), "");
  assert_string_equal(nearest("x"), "");
  assert_string_equal(nearest(""), "");
  char word[1000];
  memset(word, 'd', sizeof word - 1);
  word[sizeof word - 1] = '\0';
  assert_string_equal(nearest(word), "");
  const char *const with_long[] = {word, "den"};
  assert_int_equal(gi_nearest("deb", with_long, 2), 1);
  assert_int_equal(gi_nearest("deb", NULL, 0), -1);
}

static void whole_numbers(void **state) {
  (void)state;
  const struct {
    const char *text;
    int64_t want;
  } good[] = {{"0", 0},
              {"-0", 0},
              {"+7", 7},
              {"42", 42},
              {"007", 7},
              {"9223372036854775807", INT64_MAX},
              {"-9223372036854775808", INT64_MIN}};
  for (int i = 0; i < GI_COUNT(good); i++) {
    int64_t v = 99;
    assert_true(gi_parse_i64(good[i].text, &v));
    assert_int_equal(v, good[i].want);
  }
  const char *const bad[] = {"",
                             " 1",
                             "1 ",
                             "-",
                             "+",
                             "+-1",
                             "abc",
                             "1.5",
                             "1e3",
                             "0x10",
                             "1,000",
                             "9223372036854775808",
                             "-9223372036854775809"};
  for (int i = 0; i < GI_COUNT(bad); i++) {
    int64_t v = 99;
    if (gi_parse_i64(bad[i], &v)) fail_msg("\"%s\" was read as a whole number", bad[i]);
    assert_int_equal(v, 99);
  }
}

static void real_numbers(void **state) {
  (void)state;
  const struct {
    const char *text;
    double want;
  } good[] = {{"0", 0},      {"3e-4", 3e-4},         {".5", 0.5},
              {"5.", 5},     {"-1.25e+2", -125},     {"+2E1", 20},
              {"1e-400", 0}, {"4.9e-324", 4.9e-324}, {"0.1", 0.1}};
  for (int i = 0; i < GI_COUNT(good); i++) {
    double v = 99;
    if (!gi_parse_f64(good[i].text, &v)) fail_msg("\"%s\" was not read", good[i].text);
    assert_true(v == good[i].want);
  }
  const char *const bad[] = {"",    " 1", "1 ", "nan", "inf",   "-inf", "1e400", "0x1p3",
                             "abc", ".",  "-",  "1e",  "1.2.3", "1,5",  "e5",    "-.e1"};
  for (int i = 0; i < GI_COUNT(bad); i++) {
    double v = 99;
    if (gi_parse_f64(bad[i], &v)) fail_msg("\"%s\" was read as a number", bad[i]);
    assert_true(v == 99);
  }
}

static void sizes(void **state) {
  (void)state;
  const struct {
    const char *text;
    int64_t want;
  } good[] = {{"0", 0},       {"800000", 800000},   {"500M", 500000000},
              {"64K", 64000}, {"1.5G", 1500000000}, {"2T", 2000000000000}};
  for (int i = 0; i < GI_COUNT(good); i++) {
    int64_t v = 99;
    if (!gi_parse_bytes(good[i].text, &v)) fail_msg("\"%s\" was not read", good[i].text);
    assert_int_equal(v, good[i].want);
  }
  const char *const bad[] = {"", "M", "-1", "-1M", "1MB", "1 M", "1m", "1e30", "nanM", "1KK"};
  for (int i = 0; i < GI_COUNT(bad); i++) {
    int64_t v = 99;
    if (gi_parse_bytes(bad[i], &v)) fail_msg("\"%s\" was read as a size", bad[i]);
    assert_int_equal(v, 99);
  }
}

static void numbers_do_not_follow_the_language(void **state) {
  (void)state;
  const char *const comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
  bool set = false;
  for (int i = 0; i < GI_COUNT(comma) && !set; i++)
    set = setlocale(LC_NUMERIC, comma[i]) != NULL;
  if (!set) print_message("no locale with a decimal comma here: tried in the C locale only\n");
  double v = 0;
  assert_true(gi_parse_f64("1.5", &v));
  assert_true(v == 1.5);
  assert_false(gi_parse_f64("1,5", &v));
  setlocale(LC_NUMERIC, "C");
}

/* Fixed values: a hash that is stored in a file must be found again on another machine. */
static void hashes_are_fixed(void **state) {
  (void)state;
  assert_true(gi_hash("", 0, 0) == 0xefd01f60ba992926u);
  assert_true(gi_hash("glia", 4, 0) == gi_hash_str("glia", 0));
  assert_true(gi_hash_str("glia", 0) != gi_hash_str("glia", 1));
  assert_true(gi_hash_str("a", 0) != gi_hash_str("b", 0));
}

/* Each bit of short keys' hashes is set about half the time: 4096 keys, 6 standard deviations.
 */
static void hashes_spread(void **state) {
  (void)state;
  int set[64] = {0};
  for (uint32_t i = 0; i < 4096; i++) {
    const uint64_t h = gi_hash(&i, sizeof i, 1);
    for (int b = 0; b < 64; b++) set[b] += (int)(h >> b & 1);
  }
  for (int b = 0; b < 64; b++) assert_in_range(set[b], 2048 - 192, 2048 + 192);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(misspelt_names_are_found),
      cmocka_unit_test(whole_numbers),
      cmocka_unit_test(real_numbers),
      cmocka_unit_test(sizes),
      cmocka_unit_test(numbers_do_not_follow_the_language),
      cmocka_unit_test(hashes_are_fixed),
      cmocka_unit_test(hashes_spread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
