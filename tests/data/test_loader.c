/* The loader: what an epoch holds, the same for any number of workers; failures; shutting down.
 */
#include "data/samples.h"

/* Everything an epoch hands out, as one hash. */
static uint64_t hash_epoch(glia_loader *l) {
  uint64_t h = 0;
  glia_batch b;
  for (;;) {
    OK(glia_loader_next(l, &b));
    if (b.count == 0) return h;
    assert_int_equal(glia_tensor_shape(b.x)[0], b.count);
    assert_int_equal(glia_tensor_shape(b.y)[0], b.count);
    h = gi_hash(glia_tensor_data(b.x), glia_tensor_bytes(b.x), h);
    h = gi_hash(glia_tensor_data(b.y), glia_tensor_bytes(b.y), h);
    h = gi_hash(b.index, (size_t)b.count * sizeof *b.index, h);
  }
}

static glia_loader *loader(const glia_dataset *d, glia_loader_opts o) {
  glia_loader *l;
  OK(glia_loader_new(d, &o, &l));
  return l;
}

static bool next_batch(glia_loader *l, glia_batch *b) {
  OK(glia_loader_next(l, b));
  return b->count > 0;
}

static const int worker_counts[] = {-1, 1, 2, 4, 9};

static void bytes_do_not_depend_on_workers(void **state) {
  (void)state;
  glia_dataset *d = sample_images(101, 7);
  glia_normalise f = {0};
  OK(glia_normalise_fit(d, &f));
  uint64_t want[3] = {0};
  for (int w = 0; w < GI_COUNT(worker_counts); w++)
    for (int prefetch = 1; prefetch < 6; prefetch += 2) {
      glia_loader *l = loader(d, (glia_loader_opts){.batch = 8,
                                                    .shuffle = true,
                                                    .seed = 3,
                                                    .workers = worker_counts[w],
                                                    .prefetch = prefetch,
                                                    .normalise = &f});
      for (int e = 0; e < 3; e++) {
        OK(glia_loader_start(l, e));
        const uint64_t h = hash_epoch(l);
        if (want[e] == 0) want[e] = h;
        assert_true(h == want[e]);
      }
      OK(glia_loader_start(l, 1)); /* again: a function of the epoch, not of what came before */
      assert_true(hash_epoch(l) == want[1]);
      glia_loader_free(l);
    }
  assert_true(want[0] != want[1] && want[1] != want[2]);
  glia_loader *l =
      loader(d, (glia_loader_opts){.batch = 8, .shuffle = true, .seed = 4, .normalise = &f});
  assert_true(hash_epoch(l) != want[0]);
  glia_loader_free(l);
  glia_normalise_clear(&f);
  glia_dataset_free(d);
}

static void an_epoch_holds_every_sample_once(void **state) {
  (void)state;
  glia_dataset *d = sample_images(101, 7);
  glia_loader *l = loader(d, (glia_loader_opts){.batch = 10, .shuffle = true, .workers = 3});
  assert_int_equal(glia_loader_batches(l), 11);
  assert_ptr_equal(glia_loader_dataset(l), d);
  int seen[101] = {0}, in_place = 0, at = 0;
  glia_batch b;
  while (next_batch(l, &b)) {
    assert_int_equal(b.count, at < 100 ? 10 : 1);
    assert_int_equal(glia_tensor_rank(b.x), 4);
    assert_int_equal(glia_tensor_dtype(b.y), GLIA_I64);
    for (int64_t i = 0; i < b.count; i++) {
      const int64_t k = b.index[i];
      seen[k]++;
      in_place += k == at++;
      assert_true(glia_tensor_get(b.y, i) == (double)(k % 7));
      assert_near(glia_tensor_get(b.x, i * 6 + 5), (double)((k * 6 + 5) * 7 % 251) / 255.0,
                  1e-6);
    }
  }
  for (int i = 0; i < 101; i++) assert_int_equal(seen[i], 1);
  assert_true(in_place < 10);  /* it is shuffled: 1 is expected */
  OK(glia_loader_next(l, &b)); /* the end stays the end */
  assert_int_equal(b.count, 0);
  glia_loader_free(l);

  l = loader(d, (glia_loader_opts){.batch = 10, .drop_last = true});
  assert_int_equal(glia_loader_batches(l), 10);
  at = 0;
  while (next_batch(l, &b)) {
    for (int64_t i = 0; i < b.count; i++) assert_int_equal(b.index[i], at++);
  }
  assert_int_equal(at, 100);
  glia_loader_free(l);
  glia_dataset_free(d);
}

static void an_epoch_resumes_in_its_middle(void **state) {
  (void)state;
  glia_dataset *d = sample_images(50, 7);
  for (int w = 0; w < GI_COUNT(worker_counts); w++) {
    glia_loader *l =
        loader(d, (glia_loader_opts){.batch = 8, .shuffle = true, .workers = worker_counts[w]});
    glia_batch b;
    OK(glia_loader_start(l, 5));
    for (int i = 0; i < 3; i++) OK(glia_loader_next(l, &b));
    const uint64_t rest = hash_epoch(l);
    OK(glia_loader_start_at(l, 5, 3));
    assert_true(hash_epoch(l) == rest);
    OK(glia_loader_start_at(l, 5, 7));
    OK(glia_loader_next(l, &b));
    assert_int_equal(b.count, 0);
    FAILS(glia_loader_start_at(l, 5, 8), GLIA_INVALID, "batch 8");
    FAILS(glia_loader_start_at(l, -1, 0), GLIA_INVALID, "epoch -1");
    glia_loader_free(l);
  }
  glia_dataset_free(d);
}

static void regression_targets_are_floats(void **state) {
  (void)state;
  glia_tensor *x, *y;
  glia_dataset *d;
  OK(glia_tensor_from(GLIA_F32, 2, (int64_t[]){3, 1}, (float[]){1, 2, 3}, &x));
  OK(glia_tensor_from(GLIA_F32, 2, (int64_t[]){3, 2}, (float[]){1, 2, 3, 4, 5, 6}, &y));
  OK(glia_dataset_arrays(x, y, 0, &d));
  glia_loader *l = loader(d, (glia_loader_opts){.batch = 2});
  glia_batch b;
  OK(glia_loader_next(l, &b));
  assert_int_equal(glia_tensor_dtype(b.y), GLIA_F32);
  assert_int_equal(glia_tensor_rank(b.y), 2);
  assert_true(glia_tensor_get(b.y, 3) == 4.0);
  glia_loader_free(l);
  glia_dataset_free(d);
  glia_tensor_free(x);
  glia_tensor_free(y);
}

static void unreadable_samples_are_skipped_and_listed(void **state) {
  (void)state;
  sample_source s = {.bad = 10, .status = GLIA_FORMAT};
  glia_dataset *d = sample_numbers(&s, 95); /* 9 bad: 9, 19, ... 89 */
  char want[9][64] = {{0}};
  for (int w = 0; w < GI_COUNT(worker_counts); w++) {
    glia_loader *l = loader(
        d, (glia_loader_opts){.batch = 16, .shuffle = true, .workers = worker_counts[w]});
    for (int e = 0; e < 3; e++) {
      OK(glia_loader_start(l, e));
      int64_t n = 0;
      glia_batch b;
      for (; next_batch(l, &b); n += b.count)
        for (int64_t i = 0; i < b.count; i++) assert_true(b.index[i] % 10 != 9);
      assert_int_equal(n, 86);
    }
    assert_int_equal(glia_loader_skipped(l), 9); /* each once, not once an epoch */
    for (int i = 0; i < 9; i++) {
      const char *m = glia_loader_skipped_message(l, i);
      assert_non_null(strstr(m, "malformed file"));
      if (want[i][0] == '\0') snprintf(want[i], sizeof want[i], "%s", m);
      assert_string_equal(m, want[i]);
    }
    assert_null(glia_loader_skipped_message(l, 9));
    assert_null(glia_loader_skipped_message(l, -1));
    glia_loader_free(l);
  }
  glia_dataset_free(d);
}

static void batches_without_samples_are_passed_over(void **state) {
  (void)state;
  sample_source s = {.bad = 2, .status = GLIA_IO};
  glia_dataset *d = sample_numbers(&s, 10);
  glia_loader *l = loader(d, (glia_loader_opts){.batch = 1});
  glia_batch b;
  for (int i = 0; i < 5; i++) {
    OK(glia_loader_next(l, &b));
    assert_int_equal(b.count, 1);
    assert_int_equal(b.index[0], 2 * i);
  }
  OK(glia_loader_next(l, &b));
  assert_int_equal(b.count, 0);
  s.bad = 1;
  OK(glia_loader_start(l, 1));
  FAILS(glia_loader_next(l, &b), GLIA_DATA, "no sample can be read; the first: sample 1");
  glia_loader_free(l);
  glia_dataset_free(d);
}

static void strict_and_fatal_failures_stop(void **state) {
  (void)state;
  sample_source s = {.bad = 10, .status = GLIA_FORMAT};
  glia_dataset *d = sample_numbers(&s, 50);
  for (int w = 0; w < GI_COUNT(worker_counts); w++) {
    glia_loader *l =
        loader(d, (glia_loader_opts){.batch = 4, .strict = true, .workers = worker_counts[w]});
    glia_batch b;
    for (int epoch = 0; epoch < 2; epoch++) {
      OK(glia_loader_start(l, epoch));
      OK(glia_loader_next(l, &b));
      OK(glia_loader_next(l, &b));
      for (int again = 0; again < 2; again++)
        FAILS(glia_loader_next(l, &b), GLIA_FORMAT, "sample 9: malformed file");
    }
    assert_int_equal(glia_loader_skipped(l), 0);
    glia_loader_free(l);
    s.status = GLIA_CANCELLED; /* never skipped */
    l = loader(d, (glia_loader_opts){.batch = 16, .workers = worker_counts[w]});
    FAILS(glia_loader_next(l, &b), GLIA_CANCELLED, "sample 9");
    s.status = GLIA_FORMAT;
    OK(glia_loader_start(l, 0));
    OK(glia_loader_next(l, &b));
    assert_int_equal(b.count, 15);
    glia_loader_free(l);
  }
  glia_dataset_free(d);
}

static void leaving_in_the_middle_is_clean(void **state) {
  (void)state;
  glia_dataset *d = sample_images(500, 7);
  for (int round = 0; round < 60; round++) {
    glia_loader *l = loader(d, (glia_loader_opts){.batch = 4,
                                                  .shuffle = true,
                                                  .workers = worker_counts[round % 5],
                                                  .prefetch = 1 + round % 4});
    glia_batch b;
    for (int i = 0; i < round % 7; i++) OK(glia_loader_next(l, &b));
    if (round % 2 == 0) {
      OK(glia_loader_start(l, round));
      for (int i = 0; i < round % 3; i++) OK(glia_loader_next(l, &b));
    }
    glia_loader_free(l);
  }
  glia_loader_free(NULL);
  glia_dataset_free(d);
}

static void options_are_checked(void **state) {
  (void)state;
  glia_dataset *d = sample_images(5, 2), *none;
  glia_loader *l = NULL;
  FAILS(glia_loader_new(d, &(glia_loader_opts){.batch = -1}, &l), GLIA_INVALID, "batch is -1");
  FAILS(glia_loader_new(d, &(glia_loader_opts){.workers = -2}, &l), GLIA_INVALID, "-2 workers");
  FAILS(glia_loader_new(d, &(glia_loader_opts){.prefetch = -1}, &l), GLIA_INVALID, "prefetch");
  FAILS(glia_loader_new(NULL, NULL, &l), GLIA_INVALID, "no data set");
  float figures[3] = {1, 1, 1};
  const glia_normalise three = {.scale = 1.0, .n = 3, .mean = figures, .std = figures};
  FAILS(glia_loader_new(d, &(glia_loader_opts){.normalise = &three}, &l), GLIA_SHAPE,
        "3 channels or columns, samples have 1");
  OK(glia_dataset_subset(d, NULL, 0, &none));
  l = loader(none, (glia_loader_opts){0});
  glia_batch b;
  OK(glia_loader_next(l, &b));
  assert_int_equal(b.count, 0);
  glia_loader_free(l);
  glia_dataset_free(none);
  glia_dataset_free(d);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  glia_dataset *d = sample_images(20, 2);
  for (int w = -1; w < 2; w += 2) /* no workers, then one */
    for (int64_t n = 1;; n++) {
      glia_loader *l = NULL;
      glia_batch b = {0};
      gi_alloc_fail_after(n);
      glia_status status = glia_loader_new(d, &(glia_loader_opts){.workers = w}, &l);
      if (status == GLIA_OK) status = glia_loader_next(l, &b);
      gi_alloc_fail_after(0);
      assert_true(status == GLIA_NOMEM || (status == GLIA_OK && b.count == 20));
      glia_loader_free(l);
      if (status == GLIA_OK) break;
      assert_true(n < 200);
    }
  glia_dataset_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_do_not_depend_on_workers),
      cmocka_unit_test(an_epoch_holds_every_sample_once),
      cmocka_unit_test(an_epoch_resumes_in_its_middle),
      cmocka_unit_test(regression_targets_are_floats),
      cmocka_unit_test(unreadable_samples_are_skipped_and_listed),
      cmocka_unit_test(batches_without_samples_are_passed_over),
      cmocka_unit_test(strict_and_fatal_failures_stop),
      cmocka_unit_test(leaving_in_the_middle_is_clean),
      cmocka_unit_test(options_are_checked),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
