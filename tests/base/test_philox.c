/* Philox4x32-10 against its authors' known answers, and what is drawn with it. */
#include "test.h"

/* The philox4x32 10 lines of kat_vectors in Random123: counter, key, answer. */
static const uint32_t known[][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
     0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
     0x94fdcceb, 0x5001e420, 0x24126ea1},
};

static void known_answers(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(known); i++) {
    uint32_t out[4];
    gi_philox(known[i], known[i] + 4, out);
    assert_memory_equal(out, known[i] + 6, sizeof out);
  }
}

/* Seed ^ stream is the key, element / 4 and step the counter, element % 4 the lane. */
static void streams_are_laid_out_as_documented(void **state) {
  (void)state;
  const uint64_t key = 0x299f31d0a4093822u, stream = 0x123456789abcdefu;
  const gi_rng r = {.seed = key ^ stream, .stream = stream, .step = 0x0370734413198a2eu};
  const uint64_t block = 0x05a308d3243f6a88u; /* as known[2], within what element / 4 can be */
  uint32_t want[4];
  gi_philox((const uint32_t[]){0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344}, known[2] + 4,
            want);
  for (uint64_t lane = 0; lane < 4; lane++)
    assert_int_equal(gi_rng_u32(&r, block * 4 + lane), want[lane]);
}

enum { N = 100000 };

/* Mean 1/2 and variance 1/12 within five standard errors; every number fits f32 exactly. */
static void uniform_numbers(void **state) {
  (void)state;
  const gi_rng r = {.seed = 7, .stream = 11};
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < N; i++) {
    const double u = gi_rng_uniform(&r, i);
    assert_true(u >= 0.0 && u < 1.0 && (double)(float)u == u);
    sum += u;
    squares += (u - 0.5) * (u - 0.5);
  }
  assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
  assert_true(fabs(squares / N - 1.0 / 12) < 5 * sqrt(1.0 / 180 / N));
}

/* Mean 0, variance 1, third moment 0, fourth 3; neighbours uncorrelated. */
static void normal_numbers(void **state) {
  (void)state;
  const gi_rng r = {.seed = 1, .stream = 2, .step = 3};
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, next = 0, last = 0;
  for (uint64_t i = 0; i < N; i++) {
    const double z = gi_rng_normal(&r, i);
    assert_true(isfinite(z));
    m1 += z;
    m2 += z * z;
    m3 += z * z * z;
    m4 += z * z * z * z;
    next += z * last;
    last = z;
  }
  const double e = 5 / sqrt((double)N);
  assert_true(fabs(m1 / N) < e);
  assert_true(fabs(m2 / N - 1) < e * sqrt(2.0));
  assert_true(fabs(m3 / N) < e * sqrt(15.0));
  assert_true(fabs(m4 / N - 3) < e * sqrt(96.0));
  assert_true(fabs(next / N) < e);
}

static void numbers_below(void **state) {
  (void)state;
  const gi_rng r = {.seed = 5};
  int count[7] = {0};
  for (uint64_t i = 0; i < N; i++) {
    const uint64_t v = gi_rng_below(&r, i, 7);
    assert_true(v < 7);
    count[v]++;
  }
  double chi2 = 0; /* six degrees of freedom: below 30 but once in 26,000 times */
  for (int i = 0; i < 7; i++) chi2 += pow(count[i] - N / 7.0, 2) / (N / 7.0);
  assert_true(chi2 < 30);
  assert_int_equal(gi_rng_below(&r, 3, 1), 0);
  assert_true(gi_rng_below(&r, 3, 0xffffffffu) < 0xffffffffu);
}

/* Each of the 24 orders of four about equally often; the rest of a longer array is kept. */
static void shuffles(void **state) {
  (void)state;
  int count[256] = {0};
  for (uint64_t step = 0; step < 24000; step++) {
    const gi_rng r = {.seed = 9, .step = step};
    int64_t a[4] = {0, 1, 2, 3};
    gi_rng_shuffle(&r, a, 4);
    count[a[0] * 64 + a[1] * 16 + a[2] * 4 + a[3]]++;
  }
  int orders = 0;
  for (int i = 0; i < 256; i++) {
    if (count[i] == 0) continue;
    orders++;
    assert_in_range(count[i], 1000 - 190, 1000 + 190); /* six standard deviations */
  }
  assert_int_equal(orders, 24);

  int64_t a[100], seen[100] = {0};
  for (int i = 0; i < 100; i++) a[i] = i;
  gi_rng_shuffle(&(gi_rng){.seed = 1}, a, 100);
  for (int i = 0; i < 100; i++) seen[a[i]]++;
  for (int i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
  gi_rng_shuffle(&(gi_rng){.seed = 1}, NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_answers),   cmocka_unit_test(streams_are_laid_out_as_documented),
      cmocka_unit_test(uniform_numbers), cmocka_unit_test(normal_numbers),
      cmocka_unit_test(numbers_below),   cmocka_unit_test(shuffles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
