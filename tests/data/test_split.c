/* Splits: every sample is in one part, sizes and shares as promised, a function of the seed. */
#include <inttypes.h>

#include "data/samples.h"

/* Marks where each sample of base went; checks that it went to one place. */
static void check_partition(const glia_dataset *a, const glia_dataset *b, int64_t n) {
  int *seen = calloc((size_t)n, sizeof *seen);
  assert_non_null(seen);
  const glia_dataset *parts[2] = {a, b};
  for (int p = 0; p < 2; p++)
    for (int64_t i = 0; i < glia_dataset_count(parts[p]); i++) {
      int64_t at;
      assert_int_equal(sscanf(glia_dataset_name(parts[p], i), "sample %" SCNd64, &at), 1);
      seen[at]++;
    }
  for (int64_t i = 0; i < n; i++) assert_int_equal(seen[i], 1);
  free(seen);
}

static int64_t count_class(const glia_dataset *d, int64_t c) {
  int64_t n = 0;
  for (int64_t i = 0; i < glia_dataset_count(d); i++) n += glia_dataset_label(d, i) == c;
  return n;
}

static void parts_are_a_partition(void **state) {
  (void)state;
  for (int64_t n = 2; n < 60; n += 3)
    for (double ratio = 0.05; ratio < 1.0; ratio += 0.1) {
      glia_dataset *base = sample_images(n, 7), *a, *b;
      OK(glia_dataset_split(base, &(glia_split_opts){.ratio = ratio, .seed = 5}, &a, &b));
      check_partition(a, b, n);
      int64_t want = (int64_t)llround((double)n * ratio);
      want = GI_MIN(GI_MAX(want, 1), n - 1);
      assert_int_equal(glia_dataset_count(b), want);
      glia_dataset_free(a);
      glia_dataset_free(b);
      glia_dataset_free(base);
    }
}

static void classes_keep_their_shares(void **state) {
  (void)state;
  glia_dataset *base = sample_images(103, 4), *a, *b; /* classes of 26, 26, 26, 25 */
  OK(glia_dataset_split(base, NULL, &a, &b));
  assert_int_equal(glia_dataset_count(b), 21);
  /* 26 * 0.2 = 5.2 and 25 * 0.2 = 5: the remaining one goes to the first of the three. */
  assert_int_equal(count_class(b, 0), 6);
  for (int c = 1; c < 4; c++) assert_int_equal(count_class(b, c), 5);
  glia_dataset_free(a);
  glia_dataset_free(b);
  OK(glia_dataset_split(base, &(glia_split_opts){.no_stratify = true}, &a, &b));
  assert_int_equal(glia_dataset_count(b), 21);
  check_partition(a, b, 103);
  glia_dataset_free(a);
  glia_dataset_free(b);
  glia_dataset_free(base);
}

static bool same_order(const glia_dataset *a, const glia_dataset *b) {
  char name[64];
  for (int64_t i = 0; i < glia_dataset_count(a); i++) {
    snprintf(name, sizeof name, "%s", glia_dataset_name(a, i));
    if (strcmp(name, glia_dataset_name(b, i)) != 0) return false;
  }
  return true;
}

static void the_seed_decides(void **state) {
  (void)state;
  glia_dataset *base = sample_images(100, 4), *a, *b, *c, *d, *e, *f;
  OK(glia_dataset_split(base, &(glia_split_opts){.seed = 1}, &a, &b));
  OK(glia_dataset_split(base, &(glia_split_opts){.seed = 1}, &c, &d));
  OK(glia_dataset_split(base, &(glia_split_opts){.seed = 2}, &e, &f));
  assert_true(same_order(a, c) && same_order(b, d));
  assert_false(same_order(a, e));
  assert_false(same_order(b, f));
  glia_dataset *all[] = {a, b, c, d, e, f, base};
  for (int i = 0; i < GI_COUNT(all); i++) glia_dataset_free(all[i]);
}

static void unreadable_samples_are_split_too(void **state) {
  (void)state;
  sample_source s = {.bad = 5, .status = GLIA_IO};
  glia_dataset *base = sample_numbers(&s, 50), *a, *b;
  OK(glia_dataset_split(base, NULL, &a, &b));
  check_partition(a, b, 50);
  assert_int_equal(count_class(b, -1), 2);
  glia_dataset_free(a);
  glia_dataset_free(b);
  glia_dataset_free(base);
}

static void what_cannot_be_split_is_refused(void **state) {
  (void)state;
  glia_dataset *one = sample_images(1, 2), *ten = sample_images(10, 2), *a = NULL, *b = NULL;
  FAILS(glia_dataset_split(one, NULL, &a, &b), GLIA_DATA, "1 samples");
  const double bad[] = {-0.1, 1.0, 2.0, NAN};
  for (int i = 0; i < GI_COUNT(bad); i++)
    FAILS(glia_dataset_split(ten, &(glia_split_opts){.ratio = bad[i]}, &a, &b), GLIA_INVALID,
          "ratio is");
  for (int64_t n = 1;;
       n++) { /* each allocation fails once; nothing leaks, nothing is half made */
    gi_alloc_fail_after(n);
    const glia_status status = glia_dataset_split(ten, NULL, &a, &b);
    gi_alloc_fail_after(0);
    if (status == GLIA_OK) break;
    assert_int_equal(status, GLIA_NOMEM);
    assert_null(a);
    assert_null(b);
  }
  glia_dataset_free(a);
  glia_dataset_free(b);
  glia_dataset_free(one);
  glia_dataset_free(ten);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_are_a_partition),
      cmocka_unit_test(classes_keep_their_shares),
      cmocka_unit_test(the_seed_decides),
      cmocka_unit_test(unreadable_samples_are_split_too),
      cmocka_unit_test(what_cannot_be_split_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
