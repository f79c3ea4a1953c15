/* Tables for terminals: exact where small, never wider than the screen, true to the counts. */
#include "test.h"

#include "train/text_table.h"

static const char *animal(void *user, int c) {
  (void)user;
  static const char *const names[] = {"cat", "dog", "日本語", "a\x1b[2Jname\xff"};
  return c < 4 ? names[c] : "automobile";
}

static void test_small(void **state) {
  (void)state;
  static const int64_t counts[] = {5, 1, 0, 2, 7, 0, 0, 0, 120};
  gi_str out = {0};
  gi_text_confusion(&out, counts, 3, &(gi_text_opts){.name = animal});
  assert_string_equal(out.s,
                      "       predicted\n"
                      "true      cat    dog 日本語\n"
                      "cat         5      1      0\n"
                      "dog         2      7      0\n"
                      "日本語      0      0    120\n");
  out.n = 0;
  gi_text_confusion(&out, counts, 3, &(gi_text_opts){.name = animal, .ascii = true});
  assert_string_equal(out.s,
                      "       predicted\n"
                      "true      cat    dog ??????\n"
                      "cat         5      1      0\n"
                      "dog         2      7      0\n"
                      "??????      0      0    120\n");
  out.n = 0;
  gi_text_most_confused(&out, counts, 3, &(gi_text_opts){.name = animal});
  assert_string_equal(out.s,
                      "dog → cat  2   22.2 %\n"
                      "cat → dog  1   16.7 %\n");
  gi_str_free(&out);
}

static void test_report(void **state) {
  (void)state;
  glia_evaluation *e;
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 2}, &e));
  gi_str out = {0};
  gi_text_report(&out, e, &(gi_text_opts){0});
  assert_int_equal(out.n, 0);
  OK(glia_evaluation_add_labels(e, (const int64_t[]){0, 0, 1, 1}, (const int64_t[]){0, 1, 1, 1},
                                4));
  gi_text_report(&out, e, &(gi_text_opts){.name = animal});
  assert_string_equal(out.s,
                      "          precision  recall      f1  support\n"
                      "cat          1.0000  0.5000  0.6667        2\n"
                      "dog          0.6667  1.0000  0.8000        2\n"
                      "\n"
                      "accuracy                     0.7500        4\n"
                      "macro        0.8333  0.7500  0.7333        4\n"
                      "weighted     0.8333  0.7500  0.7333        4\n");
  out.n = 0;
  gi_text_report(&out, e, &(gi_text_opts){.name = animal, .limit = 1});
  assert_non_null(strstr(out.s, "cat "));
  assert_null(strstr(out.s, "dog "));
  assert_non_null(strstr(out.s, "(1 of 2 classes, of least f1)"));
  gi_str_free(&out);
  glia_evaluation_free(e);
}

/* Sum of all numbers in the lines of the matrix, and the widest line. */
static int64_t sum_of(char *text, int *widest) {
  int64_t sum = 0;
  int number = 0;
  *widest = 0;
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), number++) {
    *widest = GI_MAX(*widest, gi_utf8_columns(line));
    assert_null(strchr(line, 0x1b));
    if (number < 2 || line[0] == '(') continue;
    for (char *p = line; (p = strchr(p, ' ')) != NULL; p++)
      if (p[1] >= '0' && p[1] <= '9') sum += atoll(p + 1);
  }
  return sum;
}

/* Whatever the number of classes and the width: it fits, and no count is lost. */
static void test_sizes(void **state) {
  (void)state;
  static const int sizes[] = {2, 5, 11, 12, 13, 20, 26, 40, 100, 400};
  for (int k = 0; k < GI_COUNT(sizes); k++)
    for (int width = 40; width <= 200; width += 40) {
      const int n = sizes[k];
      int64_t *counts = calloc((size_t)n * (size_t)n, sizeof *counts), total = 0;
      for (int i = 0; i < n * n; i++) {
        counts[i] = i % (n + 1) == 0 ? 900 : (i * 7919) % 31 == 0;
        total += counts[i];
      }
      gi_str out = {0};
      gi_text_confusion(&out, counts, n,
                        &(gi_text_opts){.name = k % 2 == 0 ? animal : NULL, .width = width});
      assert_false(out.failed);
      int widest;
      const int64_t sum = sum_of(out.s, &widest);
      if (widest > width) fail_msg("%d classes: %d columns on %d", n, widest, width);
      /* rows without names begin with their number, which is not a count: " " comes first */
      if (sum != total)
        fail_msg("%d classes on %d columns: counts sum to %lld, wanted %lld", n, width,
                 (long long)sum, (long long)total);
      gi_str_free(&out);
      free(counts);
    }
}

static void test_color(void **state) {
  (void)state;
  static const int64_t counts[] = {5, 1, 0, 7};
  gi_str out = {0};
  gi_text_confusion(&out, counts, 2, &(gi_text_opts){.color = true});
  assert_non_null(strstr(out.s, "\033[1m5\033[0m"));
  assert_non_null(strstr(out.s, "\033[33m1\033[0m"));
  assert_non_null(strstr(out.s, "\033[2m0\033[0m"));
  gi_str_free(&out);
}

static void test_without_memory(void **state) {
  (void)state;
  static const int64_t counts[] = {5, 1, 0, 7};
  for (int64_t i = 1; i <= 3; i++) {
    gi_str out = {0};
    gi_alloc_fail_after(i);
    gi_text_confusion(&out, counts, 2, &(gi_text_opts){0});
    assert_true(out.failed);
    gi_alloc_fail_after(0);
    gi_str_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small),          cmocka_unit_test(test_report),
      cmocka_unit_test(test_sizes),          cmocka_unit_test(test_color),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("text_table", tests, NULL, NULL);
}
