/* test_cpu_matmul.c - matrix products on the cpu backend. */
#include "kernels.h"
#include "ops/attrs.h"

static void product(const gi_op *op, gi_matmul_attr attr, gi_type a, gi_type b, uint64_t seed) {
  trial t = {.op = op, .attr = &attr, .n_in = 2, .in = {a, b}, .onednn = true};
  const double depth = (double)a.dim[attr.transpose_a ? a.rank - 2 : a.rank - 1];
  t.tolerance = 2e-5 * fmax(1, sqrt(depth / 128)); /* errors of sums add up like chance */
  if (op == &gi_op_matmul_bias_act) {
    t.n_in = 3;
    t.in[2] = F32(b.dim[attr.transpose_b ? 0 : 1]);
  }
  if (op == &gi_op_matmul_add_act) {
    gi_type out[GI_MAX_OUT];
    gi_infer infer = {2, t.in, &attr, 1, out};
    OK(gi_op_matmul.infer(&infer));
    t.in_place = seed % 2 == 0;
    t.in[t.n_in++] = out[0];
    if (seed % 3 == 0 && out[0].rank == 2) t.in[t.n_in++] = F32(out[0].dim[1]); /* a bias */
  }
  static const char *const kernels[] = {"matmul_onednn", "matmul_tiles"};
  for (int i = 0; i < GI_COUNT(kernels); i++) {
    t.kernel = kernels[i];
    t.onednn = i == 0;
    try_kernel(&t, seed);
  }
}

static void test_transposes(void **state) {
  (void)state;
  static const int64_t sizes[][3] = {
      {1, 1, 1},   {2, 3, 4},   {17, 5, 9},      {64, 1, 10},    {1, 40, 33},
      {33, 65, 1}, {5, 300, 7}, {64, 128, 96},   {7, 2500, 70},  {50, 3, 200},
      {1, 1, 12},  {3, 1, 1},   {10, 1100, 300}, {100, 400, 150}};
  for (int i = 0; i < GI_COUNT(sizes); i++)
    for (int flags = 0; flags < 4; flags++) {
      const int64_t m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
      gi_matmul_attr attr = {
          .transpose_a = flags & 1, .transpose_b = flags >> 1, .activation = ""};
      const gi_type a = attr.transpose_a ? F32(k, m) : F32(m, k);
      const gi_type b = attr.transpose_b ? F32(n, k) : F32(k, n);
      product(&gi_op_matmul, attr, a, b, (uint64_t)i);
      product(&gi_op_matmul_bias_act, attr, a, b, (uint64_t)i);
      product(&gi_op_matmul_add_act, attr, a, b, (uint64_t)i);
      attr.activation = "relu";
      product(&gi_op_matmul_bias_act, attr, a, b, (uint64_t)i);
      product(&gi_op_matmul_add_act, attr, a, b, (uint64_t)i);
    }
}

/* Loops that begin at once for a few numbers, and for no more than that. */
static void test_small_ones(void **state) {
  (void)state;
  const gi_matmul_attr nn = {.activation = ""};
  trial t = {.op = &gi_op_matmul,
             .attr = &nn,
             .n_in = 2,
             .in = {F32(4, 2), F32(2, 4)},
             .kernel = "matmul_small"};
  try_kernel(&t, 1);
  const gi_type large[3] = {F32(64, 784), F32(784, 512), F32(64, 512)};
  const gi_layout plain[3] = {0};
  const gi_problem p = {.op = &gi_op_matmul,
                        .attr = &nn,
                        .n_in = 2,
                        .n_out = 1,
                        .in = large,
                        .out = large + 2,
                        .in_layout = plain,
                        .out_layout = plain + 2,
                        .threads = 1};
  assert_string_not_equal(trial_fastest(&p, NULL)->name, "matmul_small");
}

static void test_batches(void **state) {
  (void)state;
  const gi_matmul_attr nn = {.activation = ""}, tn = {.transpose_a = true, .activation = ""},
                       nt = {.transpose_b = true, .activation = ""},
                       tt = {.transpose_a = true, .transpose_b = true, .activation = ""};
  product(&gi_op_matmul, nn, F32(3, 5, 7), F32(3, 7, 4), 1);
  product(&gi_op_matmul, nn, F32(3, 5, 7), F32(7, 4), 2);
  product(&gi_op_matmul, nt, F32(2, 3, 5, 7), F32(4, 7), 3);
  product(&gi_op_matmul, tn, F32(7, 5), F32(3, 7, 4), 4);
  product(&gi_op_matmul, tn, F32(2, 7, 5), F32(7, 4), 5);
  product(&gi_op_matmul, tt, F32(2, 1, 7, 5), F32(3, 4, 7), 6);
  product(&gi_op_matmul, nt, F32(2, 4, 16, 8), F32(2, 4, 16, 8), 7);
  product(&gi_op_matmul, nn, F32(1, 1, 5, 7), F32(2, 7, 1), 8);
  product(&gi_op_matmul, nn, F32(2, 1, 1, 3), F32(2, 5, 3, 1), 9);
}

static void test_refused(void **state) {
  (void)state;
  const gi_matmul_attr nn = {.activation = ""};
  const gi_type types[3] = {F32(2, 0), F32(0, 3), F32(2, 3)};
  const gi_layout plain[3] = {0};
  const gi_problem p = {.op = &gi_op_matmul,
                        .attr = &nn,
                        .n_in = 2,
                        .n_out = 1,
                        .in = types,
                        .out = types + 2,
                        .in_layout = plain,
                        .out_layout = plain + 2,
                        .threads = 1};
  gi_str why = {0};
  assert_string_equal(trial_fastest(&p, &why)->name, "matmul_small"); /* zeros */
  assert_non_null(strstr(why.s, "matmul_onednn: an operand has no elements"));
  gi_str_free(&why);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_transposes),
      cmocka_unit_test(test_small_ones),
      cmocka_unit_test(test_batches),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
