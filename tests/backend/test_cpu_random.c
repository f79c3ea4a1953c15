/* test_cpu_random.c - chance on the cpu backend: the same draws as base/philox.c, for any
 * element, step, layout and number of threads.
 */
#include "kernels.h"
#include "ops/attrs.h"

static const gi_clock clocks[] = {{0, 0}, {42, 7}, {0x123456789abcdef0u, 0xffffffff12345678u}};

static void test_dropout(void **state) {
  (void)state;
  const gi_type shapes[] = {F32(1),          F32(64, 128), F32(2, 16, 6, 6), F32(3, 130, 2, 4),
                            F32(2, 5, 3, 3), F32(0, 4),    F32(9001),        F32(2, 1, 4, 4)};
  static const double rates[] = {0, 0.25, 0.5, 1.0 / 3, 1};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int r = 0; r < GI_COUNT(rates); r++) {
      const gi_elementwise_attr a = {.a = rates[r], .stream = 0xfeed00000000beefu};
      trial t = {.op = &gi_op_dropout, .attr = &a, .n_in = 1, .in = {shapes[i]}};
      t.clock = clocks[r % 3];
      try_kernel(&t, 1);
      t.channels_last = true;
      t.in_place = true;
      try_kernel(&t, 2);
    }
}

static void test_numbers(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 2, 3, 31, 512, 513, 4097, 50000};
  for (int i = 0; i < GI_COUNT(lengths); i++) {
    const gi_random_attr a = {F32(lengths[i]), -1, 3, 5};
    trial t = {.op = &gi_op_random_uniform, .attr = &a, .clock = clocks[i % 3]};
    try_kernel(&t, 1);
    t.op = &gi_op_random_normal;
    try_kernel(&t, 1);
  }
}

static void test_integers(void **state) {
  (void)state;
  static const int64_t lengths[] = {0, 1, 5, 511, 513, 4097, 70001};
  static const glia_dtype dtypes[] = {GLIA_I64, GLIA_I32, GLIA_U8, GLIA_F32, GLIA_F64};
  for (int i = 0; i < GI_COUNT(lengths); i++)
    for (int k = 0; k < GI_COUNT(dtypes); k++) {
      const gi_random_integers_attr a = {with_dtype(F32(lengths[i]), dtypes[k]), 3, 120, 9};
      trial t = {.op = &gi_op_random_integers, .attr = &a, .clock = clocks[i % 3]};
      t.kernel = "philox_integers";
      t.tolerance = 1e-12;
      try_kernel(&t, 1);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dropout),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_integers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
