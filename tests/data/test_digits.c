/* The bundled digits: complete, the same for the same seed, not writable over others,
 * learnable. */
#include <sys/stat.h>

#include "data/samples.h"

static char root[512];

static void fresh(const char *name) { snprintf(root, sizeof root, "%s", test_dir(name)); }

static const char *below(const char *path) {
  static char full[2][1024];
  static int turn;
  turn = 1 - turn;
  snprintf(full[turn], sizeof full[turn], "%s/%s", root, path);
  return full[turn];
}

static void a_data_set_is_made(void **state) {
  (void)state;
  fresh("digits");
  OK(glia_make_digits(root, &(glia_digits_opts){.train = 43, .test = 20, .seed = 3}));
  glia_dataset *a, *b;
  OK(glia_data_open(root, NULL, &a, &b));
  assert_int_equal(glia_dataset_count(a), 43);
  assert_int_equal(glia_dataset_count(b), 20);
  const glia_sample_spec *s = glia_dataset_spec(a);
  assert_true(s->classes == 10 && s->shape[0] == 1 && s->shape[1] == 28 && s->shape[2] == 28);
  int counts[10] = {0};
  for (int i = 0; i < 43; i++) {
    uint8_t x[784];
    int64_t y, dark = 0;
    OK(glia_dataset_read(a, i, x, &y));
    counts[y]++;
    for (int k = 0; k < 784; k++) dark += x[k] > 128;
    assert_true(dark > 15 && dark < 400); /* a stroke, not a blank and not a blot */
  }
  for (int c = 0; c < 10; c++) assert_int_equal(counts[c], c < 3 ? 5 : 4);
  glia_dataset_free(a);
  glia_dataset_free(b);
  char *text;
  size_t n;
  OK(gi_read_file(below("README.md"), 10000, &text, &n));
  assert_non_null(strstr(text, "Synthetic"));
  assert_non_null(strstr(text, "43 pictures to train on, 20 to test on; seed 3"));
  gi_free(text);
  assert_false(gi_exists(below(".digits")));
  OK(glia_make_digits(
      root, &(glia_digits_opts){
                .train = 43, .test = 20, .seed = 3})); /* the same set: nothing to do */
  FAILS(glia_make_digits(root, NULL), GLIA_INVALID, "/train: is there already");
}

static bool same_file(const char *a, const char *b) {
  char *x, *y;
  size_t m, n;
  OK(gi_read_file(a, 100000, &x, &m));
  OK(gi_read_file(b, 100000, &y, &n));
  const bool same = m == n && memcmp(x, y, n) == 0;
  gi_free(x);
  gi_free(y);
  return same;
}

static void the_seed_decides(void **state) {
  (void)state;
  fresh("digits_seeds");
  OK(glia_make_digits(below("one"), &(glia_digits_opts){.train = 20, .test = 10, .seed = 1}));
  OK(glia_make_digits(below("more"), &(glia_digits_opts){.train = 40, .test = 10, .seed = 1}));
  OK(glia_make_digits(below("two"), &(glia_digits_opts){.train = 20, .test = 10, .seed = 2}));
  assert_true(same_file(below("one/train/7/00017.png"), below("more/train/7/00017.png")));
  assert_true(same_file(below("one/test/3/00003.png"), below("more/test/3/00003.png")));
  assert_false(same_file(below("one/train/7/00017.png"), below("two/train/7/00017.png")));
  assert_false(same_file(below("one/train/7/00007.png"), below("one/test/7/00007.png")));
}

static void what_cannot_be_made_leaves_nothing(void **state) {
  (void)state;
  fresh("digits_bad");
  FAILS(glia_make_digits(root, &(glia_digits_opts){.train = -1}), GLIA_INVALID, "-1 pictures");
  FAILS(glia_make_digits(root, &(glia_digits_opts){.test = 3}), GLIA_INVALID, "3 to test");
  FAILS(glia_make_digits("", NULL), GLIA_INVALID, "no folder");
  for (int64_t n = 50; n < 5000; n += 617) {
    gi_alloc_fail_after(n);
    const glia_status status =
        glia_make_digits(below("half"), &(glia_digits_opts){.train = 20, .test = 10});
    gi_alloc_fail_after(0);
    if (status == GLIA_OK) break;
    assert_int_equal(status, GLIA_NOMEM);
    assert_false(gi_exists(below("half/train")));
    assert_false(gi_exists(below("half/test")));
    assert_false(gi_exists(below("half/.digits")));
  }
}

/* A nearest-mean classifier learns something, but not all: the digits are neither noise nor all
 * alike. */
static void digits_can_be_told_apart(void **state) {
  (void)state;
  enum { TRAIN = 600, TEST = 200 };
  fresh("digits_mean");
  OK(glia_make_digits(root, &(glia_digits_opts){.train = TRAIN, .test = TEST}));
  glia_dataset *a, *b;
  OK(glia_data_open(root, NULL, &a, &b));
  static double mean[10][784];
  uint8_t x[784];
  int64_t y;
  for (int i = 0; i < TRAIN; i++) {
    OK(glia_dataset_read(a, i, x, &y));
    for (int k = 0; k < 784; k++) mean[y][k] += x[k] / (TRAIN / 10.0);
  }
  int right = 0;
  for (int i = 0; i < TEST; i++) {
    OK(glia_dataset_read(b, i, x, &y));
    int best = 0;
    double nearest = INFINITY;
    for (int c = 0; c < 10; c++) {
      double distance = 0.0;
      for (int k = 0; k < 784; k++) distance += pow(x[k] - mean[c][k], 2.0);
      if (distance < nearest) {
        nearest = distance;
        best = c;
      }
    }
    right += best == y;
  }
  assert_true(right > TEST * 6 / 10 && right < TEST * 95 / 100);
  glia_dataset_free(a);
  glia_dataset_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_data_set_is_made),
      cmocka_unit_test(the_seed_decides),
      cmocka_unit_test(what_cannot_be_made_leaves_nothing),
      cmocka_unit_test(digits_can_be_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
