/* log.csv: the same doubles come back, a crash leaves the old file, and anything else that may
 * stand in such a file is refused with its line and column. */
#include "test.h"

#include <locale.h>

#include "train/log_csv.h"

static const char *const names[] = {"epoch", "train_loss", "valid_loss", "f1_macro", "time"};

static gi_log_csv *sample(void) {
  gi_log_csv *h;
  OK(gi_log_csv_new(names, 5, &h));
  OK(gi_log_csv_add(h, (const double[]){1, 2.302585092994046, (double)NAN, 0.1, 1.25}));
  OK(gi_log_csv_add(h, (const double[]){2, 1.0 / 3, 1e-300, -0.0, 1e15}));
  OK(gi_log_csv_add(h,
                    (const double[]){3, INFINITY, -INFINITY, 5e-324, 1.7976931348623157e308}));
  return h;
}

static bool same(double a, double b) {
  return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static const char *in_dir(const char *name) {
  static char path[600];
  snprintf(path, sizeof path, "%s/%s", test_dir("log_csv"), name);
  return path;
}

static void round_trip(void) {
  const char *path = in_dir("log.csv");
  gi_log_csv *h = sample(), *back;
  OK(gi_log_csv_write(h, path));
  OK(gi_log_csv_read(path, &back));
  assert_int_equal(gi_log_csv_rows(back), 3);
  assert_int_equal(gi_log_csv_columns(back), 5);
  for (int c = 0; c < 5; c++) {
    assert_string_equal(gi_log_csv_name(back, c), names[c]);
    for (int64_t r = 0; r < 3; r++)
      if (!same(gi_log_csv_at(h, r, c), gi_log_csv_at(back, r, c)))
        fail_msg("row %d column %d: %.17g, wanted %.17g", (int)r, c, gi_log_csv_at(back, r, c),
                 gi_log_csv_at(h, r, c));
  }
  char *text;
  size_t n;
  OK(gi_read_file(path, 1 << 20, &text, &n));
  assert_memory_equal(
      text, "epoch,train_loss,valid_loss,f1_macro,time\n1,2.302585092994046,,0.1,1.25\n", 72);
  gi_free(text);
  gi_log_csv_free(h);
  gi_log_csv_free(back);
}

static void test_round_trip(void **state) {
  (void)state;
  round_trip();
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
    print_message(
        "a locale with a decimal comma is not installed here: only C was looked at\n");
  round_trip(); /* the file is the same where the decimal point is a comma */
  setlocale(LC_NUMERIC, "C");
}

static void test_table(void **state) {
  (void)state;
  gi_log_csv *h = sample();
  assert_int_equal(gi_log_csv_find(h, "valid_loss"), 2);
  assert_int_equal(gi_log_csv_find(h, "nothing"), -1);
  assert_null(gi_log_csv_name(h, 5));
  assert_true(isnan(gi_log_csv_at(h, 3, 0)));
  double *v = gi_log_csv_column(h, 0);
  assert_true(v[0] == 1 && v[2] == 3);
  gi_free(v);
  FAILS(gi_log_csv_add(h, (const double[]){5, 0, 0, 0, 0}), GLIA_INVALID, "epoch 5 follows 3");
  gi_log_csv_cut(h, 1);
  assert_int_equal(gi_log_csv_rows(h), 1);
  OK(gi_log_csv_add(h, (const double[]){2, 0, 0, 0, 0}));
  gi_log_csv_free(h);
  gi_log_csv_free(NULL);
  FAILS(gi_log_csv_new(names + 1, 3, &h), GLIA_INVALID, "wanted \"epoch\"");
  FAILS(gi_log_csv_new(names, 1, &h), GLIA_INVALID, "1 columns");
  FAILS(gi_log_csv_new((const char *const[]){"epoch", "a,b"}, 2, &h), GLIA_INVALID, "a,b");
  FAILS(gi_log_csv_new((const char *const[]){"epoch", "x", "x"}, 3, &h), GLIA_INVALID, "two");
}

static void refuse(const char *text, size_t n, const char *message) {
  const char *path = in_dir("bad.csv");
  gi_log_csv *h;
  OK(gi_write_file(path, text, n));
  FAILS(gi_log_csv_read(path, &h), GLIA_FORMAT, message);
}
#define REFUSE(text, message) refuse(text, sizeof(text) - 1, message)

static void test_hostile_files(void **state) {
  (void)state;
  REFUSE("", "is empty");
  REFUSE("\n", ":1: column 1");
  REFUSE("epoch\n1\n", "1 columns");
  REFUSE("step,loss\n", "wanted \"epoch\"");
  REFUSE("epoch,loss,loss\n", "two columns");
  REFUSE("epoch,lo\"ss\n", ":1: column 2");
  REFUSE("epoch,\xff\xfe\n", ":1: column 2");
  REFUSE("epoch,l\0ss\n1,2\n", ":1: column 2");
  REFUSE("epoch,loss\n1\n", ":2: has fewer");
  REFUSE("epoch,loss\n1,2,3\n", ":2: has more");
  REFUSE("epoch,loss\n1,2\n\n", ":3: has fewer");
  REFUSE("epoch,loss\n1,abc\n", ":2: column loss is no number");
  REFUSE("epoch,loss\n1,0x10\n", "no number");
  REFUSE("epoch,loss\n1,nan\n", "no number");
  REFUSE("epoch,loss\n1,1e999\n", "no number");
  REFUSE("epoch,loss\n1,2\0\n", "no number");
  REFUSE("epoch,loss\n1,11111111111111111111111111111111111111111111111111111111111111111\n",
         "no number");
  REFUSE("epoch,loss\n,2\n", "epoch is nan");
  REFUSE("epoch,loss\n1,2\n1,2\n", ":3: epoch is 1");
  REFUSE("epoch,loss\n1,2\n3,2\n", ":3: epoch is 3");
  REFUSE("epoch,loss\n1.5,2\n", "epoch is 1.5");
  REFUSE("epoch,loss\ninf,2\n", "epoch is inf");
  REFUSE("epoch,loss\n-1,2\n", "epoch is -1");
  char wide[3000] = "epoch";
  for (int i = 0; i < 300; i++) snprintf(wide + strlen(wide), 9, ",c%d", i);
  refuse(wide, strlen(wide), "at most 256");
  gi_log_csv *h;
  FAILS(gi_log_csv_read("/nowhere/log.csv", &h), GLIA_IO, "/nowhere/log.csv");
}

/* What a person or another program may have made of it. */
static void test_lenient(void **state) {
  (void)state;
  const char *path = in_dir("log.csv");
  gi_log_csv *h;
  static const char text[] = "epoch,loss\r\n7,2\r\n8,";
  OK(gi_write_file(path, text, sizeof text - 1));
  OK(gi_log_csv_read(path, &h));
  assert_int_equal(gi_log_csv_rows(h), 2);
  assert_true(gi_log_csv_at(h, 0, 0) == 7 && isnan(gi_log_csv_at(h, 1, 1)));
  gi_log_csv_free(h);
}

static void test_without_memory(void **state) {
  (void)state;
  const char *path = in_dir("log.csv");
  gi_log_csv *h = sample(), *back;
  OK(gi_log_csv_write(h, path));
  gi_alloc_count();
  OK(gi_log_csv_read(path, &back));
  const int64_t n = gi_alloc_count();
  gi_log_csv_free(back);
  for (int64_t i = 1; i <= n; i++) {
    gi_alloc_fail_after(i);
    FAILS(gi_log_csv_read(path, &back), GLIA_NOMEM, "");
  }
  gi_log_csv_cut(h, 1);
  gi_alloc_fail_after(1);
  FAILS(gi_log_csv_write(h, path), GLIA_NOMEM, "");
  gi_alloc_fail_after(0);
  OK(gi_log_csv_read(path, &back)); /* still the old file */
  assert_int_equal(gi_log_csv_rows(back), 3);
  gi_log_csv_free(back);
  gi_log_csv_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_table),
      cmocka_unit_test(test_hostile_files),  cmocka_unit_test(test_lenient),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("log_csv", tests, NULL, NULL);
}
