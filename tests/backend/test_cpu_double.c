/* Elementwise ops and casts in double, range, and the winners of pooling: what the cpu backend
 * computes for dtypes that have no vector loops, against the reference, and to the bit.
 */
#include <inttypes.h>

#include "kernels.h"
#include "ops/attrs.h"

static const glia_dtype floats[] = {GLIA_F64, GLIA_F16, GLIA_F32};
static const glia_dtype numbers[] = {GLIA_F64, GLIA_F16, GLIA_I32, GLIA_I64, GLIA_U8, GLIA_I8};

/* Alike, one element, a row, a column, the middle axis; more than a tile of each. */
static void test_shapes(void **state) {
  (void)state;
  const gi_type shapes[][2] = {
      {F32(3, 401), F32(3, 401)},   {F32(3, 401), SCALAR},           {F32(5, 301), F32(301)},
      {F32(5, 301), F32(5, 1)},     {F32(7, 5, 31), F32(5, 1)},      {F32(300, 1), F32(1, 3)},
      {F32(2, 3, 9, 8), F32(1, 1)}, {F32(2, 3, 9, 8), F32(3, 1, 1)}, {F32(0, 4), F32(4)},
  };
  for (int k = 0; k < GI_COUNT(shapes); k++)
    for (int d = 0; d < GI_COUNT(numbers); d++)
      for (int flags = 0; flags < 4; flags++) {
        trial t = {.op = &gi_op_sub,
                   .n_in = 2,
                   .kernel = "elementwise_double",
                   .channels_last = flags & 1,
                   .in_place = (flags & 2) != 0 && k == 0,
                   .high = {9, 5}};
        for (int i = 0; i < 2; i++) t.in[i] = with_dtype(shapes[k][i], numbers[d]);
        try_kernel(&t, 5);
      }
}

static void test_many_ops(void **state) {
  (void)state;
  const gi_op *const ops[] = {&gi_op_exp, &gi_op_gelu, &gi_op_sqrt, &gi_op_tanh};
  for (int o = 0; o < GI_COUNT(ops); o++)
    for (int d = 0; d < GI_COUNT(floats); d++) {
      trial t = {.op = ops[o],
                 .n_in = 1,
                 .in = {with_dtype(F32(9000), floats[d])},
                 .low = {0.1},
                 .high = {2},
                 .kernel = "elementwise_double"};
      try_kernel(&t, 7);
    }
}

/* Whole numbers are rounded once or, where they do not fit, the nearest; over the operand too.
 */
static void test_casts_are_exact(void **state) {
  (void)state;
  enum { N = 700 };
  int64_t from[N], want[N];
  for (int i = 0; i < N; i++) want[i] = from[i] = (INT64_C(1) << 30) * (i % 5) - 3 * i;
  const gi_elementwise_attr to_i32 = {.dtype = GLIA_I32}, to_f64 = {.dtype = GLIA_F64};
  const gi_type t = {.dtype = GLIA_I64, .rank = 1, .dim = {N}};
  const gi_elementwise_attr *const attrs[] = {&to_i32, &to_f64};
  for (int k = 0; k < GI_COUNT(attrs); k++) {
    gi_type out = t;
    gi_layout plain[2] = {0};
    out.dtype = attrs[k]->dtype;
    const gi_problem p = {.op = &gi_op_cast,
                          .attr = attrs[k],
                          .n_in = 1,
                          .n_out = 1,
                          .in = &t,
                          .out = &out,
                          .in_layout = plain,
                          .out_layout = plain + 1,
                          .threads = 1};
    const gi_kernel *kernel = trial_fastest(&p, NULL);
    gi_prepared made = {0};
    assert_string_equal(kernel->name, "elementwise_double");
    OK(kernel->prepare(&p, &made));
    void *scratch = trial_memory(made.scratch);
    const void *in[] = {from};
    void *to[] = {from}; /* f64: over the operand */
    int32_t narrow[N];
    if (k == 0) to[0] = narrow;
    const gi_exec x = {made.state, in, to, scratch, NULL};
    OK(kernel->run(&x));
    for (int i = 0; i < N; i++) {
      const double got = gi_load(out.dtype, to[0], i);
      const double wanted = k == 0 ? (double)GI_MIN(want[i], INT32_MAX) : (double)want[i];
      assert_true(got == wanted);
    }
    kernel->release(made.state);
    gi_free_aligned(scratch);
  }
}

static void test_range(void **state) {
  (void)state;
  const int64_t sizes[] = {0, 1, 511, 513, 100001};
  for (int k = 0; k < GI_COUNT(sizes); k++)
    for (int d = 0; d < GI_COUNT(numbers); d++) {
      const gi_one_hot_attr a = {sizes[k], numbers[d]};
      const trial t = {.op = &gi_op_range, .attr = &a, .kernel = "range_chunks"};
      try_kernel(&t, 1);
    }
}

static gi_pool_attr windows(int64_t kernel, int64_t stride, int64_t h, int64_t w) {
  return (gi_pool_attr){.kernel = {2, {kernel, kernel}},
                        .stride = {2, {stride, stride}},
                        .padding = {2, {0, 0}},
                        .dilation = {2, {1, 1}},
                        .size = {2, {h, w}}};
}

static void test_winners(void **state) {
  (void)state;
  for (int d = 0; d < GI_COUNT(floats); d++)
    for (int k = 2; k <= 17; k += 15) {
      const gi_pool_attr a = windows(k, k == 2 ? 2 : 1, 36, 34);
      const int64_t oh = k == 2 ? 18 : 20, ow = k == 2 ? 17 : 18;
      const trial t = {.op = &gi_op_pool_gather,
                       .attr = &a,
                       .n_in = 2,
                       .in = {with_dtype(F32(5, 7, 36, 34), floats[d]),
                              with_dtype(F32(5, 7, oh, ow), k == 2 ? GLIA_U8 : GLIA_I32)},
                       .high = {2, k * k},
                       .low = {-2},
                       .kernel = "pool_planes"};
      try_kernel(&t, 11);
    }
}

static void test_wrong_winners(void **state) {
  (void)state;
  const gi_pool_attr a = windows(2, 2, 4, 4);
  const gi_type in[] = {F32(1, 1, 4, 4), with_dtype(F32(1, 1, 2, 2), GLIA_U8)};
  const gi_type out = F32(1, 1, 2, 2);
  const float from[16] = {0};
  const unsigned char position[4] = {0, 3, 4, 1};
  float to[4];
  const gi_layout plain[3] = {0};
  const gi_problem p = {.op = &gi_op_pool_gather,
                        .attr = &a,
                        .n_in = 2,
                        .n_out = 1,
                        .in = in,
                        .out = &out,
                        .in_layout = plain,
                        .out_layout = plain + 2,
                        .threads = 1};
  const gi_kernel *kernel = trial_fastest(&p, NULL);
  gi_prepared made = {0};
  assert_string_equal(kernel->name, "pool_planes");
  OK(kernel->prepare(&p, &made));
  const gi_exec x = {made.state, (const void *const[]){from, position}, (void *const[]){to},
                     NULL, NULL};
  FAILS(kernel->run(&x), GLIA_INVALID, "position 4 of element 2 is not a cell of x");
  kernel->release(made.state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shapes),          cmocka_unit_test(test_many_ops),
      cmocka_unit_test(test_casts_are_exact), cmocka_unit_test(test_range),
      cmocka_unit_test(test_winners),         cmocka_unit_test(test_wrong_winners),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
