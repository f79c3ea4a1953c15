/* test_cpu_rows.c - softmax, batch normalisation and ops by index on the cpu backend. */
#include "kernels.h"
#include "ops/attrs.h"

static void test_softmax(void **state) {
  (void)state;
  const gi_type shapes[] = {F32(64, 10, 1),  F32(3, 5, 7), F32(2, 1000, 3), F32(5, 3, 1000),
                            F32(2, 17, 129), F32(1, 1, 1), F32(0, 3, 2),    F32(3, 0, 2)};
  for (int axis = 0; axis < 3; axis++)
    for (int i = 0; i < GI_COUNT(shapes); i++) {
      const gi_axis_attr a = {axis};
      trial t = {.op = &gi_op_softmax, .attr = &a, .n_in = 1, .in = {shapes[i]}};
      t.low[0] = -20, t.high[0] = 20;
      try_kernel(&t, 41);
      t.op = &gi_op_log_softmax;
      try_kernel(&t, 42);
      t.low[0] = 800, t.high[0] = 1200; /* e^x overflows; what is near 0 is exact */
      try_kernel(&t, 43);
    }
  for (int axis = 0; axis < 4; axis++) {
    const gi_axis_attr a = {axis};
    trial t = {.op = &gi_op_softmax, .attr = &a, .n_in = 1, .in = {F32(2, 21, 6, 5)}};
    t.channels_last = true;
    try_kernel(&t, 44);
  }
}

/* Rows of several pieces, the largest in any of them; tokens that cannot be (-infinity) in
 * whole pieces; nothing but them, or a NaN, is NaN. */
static void test_long_rows(void **state) {
  (void)state;
  const gi_type shapes[] = {F32(7, 1), F32(5, 10), F32(64, 33), F32(9, 2048), F32(3, 6151)};
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const gi_type x = shapes[i], each = F32(x.dim[0]);
    trial t = {.op = &gi_op_cross_entropy, .n_in = 2, .in = {x, with_dtype(each, GLIA_I64)}};
    t.low[0] = -30, t.high[0] = 30, t.high[1] = (double)x.dim[1];
    try_kernel(&t, 45);
    t.op = &gi_op_cross_entropy_grad;
    t.n_in = 4;
    t.in[2] = t.in[3] = each;
    t.low[0] = -8, t.high[0] = 0, t.low[2] = 1, t.high[2] = 8;
    try_kernel(&t, 46);
  }
  enum { N = 4100 };
  static float row[N];
  float top;
  const gi_row_loops *loops = gi_cpu_isa()->row;
  for (int i = 0; i < N; i++) row[i] = i < 2100 ? -INFINITY : (float)(i % 5);
  double sum = 0;
  for (int i = 2100; i < N; i++) sum += exp((double)row[i]);
  assert_true(fabs((double)loops->log_sum_exp(row, N, &top) + top - log(sum)) < 1e-5);
  assert_true(isnan(loops->log_sum_exp(row, 2100, &top)));
  row[3] = NAN;
  assert_true(isnan(loops->log_sum_exp(row, N, &top)));
}

static void test_batch_norm(void **state) {
  (void)state;
  const gi_batch_norm_attr a = {1e-5};
  const gi_type shapes[] = {F32(8, 3),         F32(16, 64, 6, 6), F32(3, 5, 7),
                            F32(2, 33, 13, 9), F32(600, 40),      F32(2, 3, 150, 151),
                            F32(1, 1, 2, 2),   F32(4, 7, 1, 1),   F32(70, 803),
                            F32(3, 600, 5, 4)};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int last = 0; last < 2; last++) {
      const gi_type x = shapes[i], c = F32(x.dim[1]);
      trial t = {.op = &gi_op_batch_norm_train, .attr = &a, .n_in = 3, .in = {x, c, c}};
      t.channels_last = last;
      t.low[0] = 3, t.high[0] = 5; /* a mean far from 0 */
      t.tolerance = 2e-5;
      try_kernel(&t, 51);
      trial g = {.op = &gi_op_batch_norm_grad, .attr = &a, .n_in = 5, .in = {x, c, c, c, x}};
      g.channels_last = last;
      g.low[2] = -0.5, g.high[2] = 0.5; /* mean */
      g.low[3] = 0.5, g.high[3] = 2;    /* variance */
      g.tolerance = 3e-4;               /* sums near 0 of elements of size 1 */
      try_kernel(&g, 52);
    }
}

/* With relu behind it, and something added in between; the bits of the signs in rests of every
 * size. Values are kept away from y = 0, where a rounding decides. */
static void test_batch_norm_act(void **state) {
  (void)state;
  const gi_batch_norm_attr a = {1e-5};
  const gi_type shapes[] = {F32(8, 3),         F32(16, 64, 6, 6), F32(3, 5, 7),
                            F32(2, 33, 13, 9), F32(600, 40),      F32(2, 13, 50, 51),
                            F32(1, 1, 2, 2),   F32(4, 7, 1, 1),   F32(5, 76),
                            F32(70, 803),      F32(3, 600, 5, 4)};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int last = 0; last < 4; last++) {
      const gi_type x = shapes[i], c = F32(x.dim[1]);
      gi_type signs = with_dtype(x, GLIA_U8);
      signs.dim[1] = (x.dim[1] + 7) / 8;
      const bool adds = last >= 2;
      trial t = {.op = &gi_op_batch_norm_act, .attr = &a, .n_in = adds ? 4 : 3};
      t.in[0] = t.in[3] = x;
      t.in[1] = t.in[2] = c;
      t.channels_last = last % 2;
      t.low[0] = 3, t.high[0] = 5;
      if (adds) { /* beyond the size of the normal values: signs are those of z */
        t.low[1] = 0.01, t.high[1] = 0.02;
        t.low[2] = -0.1, t.high[2] = 0.1;
      }
      t.tolerance = 2e-5;
      if (!adds) try_kernel(&t, 51);
      trial g = {.op = &gi_op_batch_norm_act_grad, .attr = &a, .n_in = adds ? 7 : 6};
      g.in[0] = g.in[5] = x;
      g.in[1] = g.in[2] = g.in[3] = g.in[4] = c;
      g.in[6] = signs;
      g.high[6] = 256;
      g.channels_last = last % 2;
      g.low[3] = -0.5, g.high[3] = 0.5; /* mean */
      g.low[4] = 0.5, g.high[4] = 2;    /* variance */
      g.tolerance = 3e-4;
      try_kernel(&g, 52);
    }
}

/* The signs that were kept are those of y, wherever they lie. */
static void test_signs(void **state) {
  (void)state;
  const gi_batch_norm_attr a = {1e-5};
  const gi_type shapes[] = {F32(4, 64, 5, 3), F32(3, 21, 4, 5), F32(9, 13)};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int last = 0; last < 2; last++) {
      const gi_type x = shapes[i], c = F32(x.dim[1]);
      trial t = {.op = &gi_op_batch_norm_act, .attr = &a, .n_in = 4, .in = {x, c, c, x}};
      t.channels_last = last;
      trial_space s = {0};
      for (int k = 0; k < 4; k++) s.in[k] = trial_input(&t, k, 5);
      trial_reference(&t, &s);
      void *got[GI_MAX_OUT];
      trial_run(&t, &s, 1, 0, got);
      trial_compare(&t, &s, 0, got[0], "y");
      int64_t area = 1;
      for (int d = 2; d < x.rank; d++) area *= x.dim[d];
      const float *y = got[0];
      const uint8_t *signs = got[3];
      for (int64_t e = 0; e < gi_type_count(&x); e++) {
        const int64_t n = e / area / x.dim[1], k = e / area % x.dim[1];
        const int64_t at = (n * s.out[3].dim[1] + k / 8) * area + e % area;
        assert_int_equal(signs[at] >> k % 8 & 1, y[e] > 0);
      }
      for (int k = 0; k < 4; k++) gi_free_aligned(s.in[k]), gi_free_aligned(got[k]);
      for (int k = 0; k < s.n_out; k++) gi_free_aligned(s.want[k]);
    }
}

static void test_cross_entropy(void **state) {
  (void)state;
  const gi_type shapes[] = {F32(64, 10), F32(1, 1), F32(700, 37), F32(3, 5000), F32(0, 4)};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int wide = 0; wide < 2; wide++) {
      const gi_type row = F32(shapes[i].dim[0]),
                    target = with_dtype(row, wide ? GLIA_I64 : GLIA_I32);
      trial t = {.op = &gi_op_cross_entropy, .n_in = 2, .in = {shapes[i], target}};
      t.low[0] = -20, t.high[0] = 20;
      t.high[1] = (double)shapes[i].dim[1];
      try_kernel(&t, 71);
      t.low[0] = 800, t.high[0] = 1200; /* e^x overflows */
      t.tolerance = 1e-4;
      try_kernel(&t, 72);
      trial g = {.op = &gi_op_cross_entropy_grad, .n_in = wide ? 4 : 5};
      g.in[0] = shapes[i], g.in[1] = target;
      g.in[2] = g.in[3] = g.in[4] = row;
      g.high[1] = t.high[1];
      g.low[2] = 1, g.high[2] = 4;
      try_kernel(&g, 73);
    }
}

static void test_targets_are_checked(void **state) {
  (void)state;
  static const int64_t wrong[] = {3, -1};
  for (int i = 0; i < 2; i++) {
    const gi_type types[4] = {F32(2, 3), with_dtype(F32(2), GLIA_I64), F32(2), F32(2)};
    const gi_layout plain[4] = {0};
    const gi_problem p = {.op = &gi_op_cross_entropy,
                          .n_in = 2,
                          .n_out = 2,
                          .in = types,
                          .out = types + 2,
                          .in_layout = plain,
                          .out_layout = plain + 2,
                          .threads = 1};
    const gi_kernel *k = trial_fastest(&p, NULL);
    gi_prepared made = {0};
    OK(k->prepare(&p, &made));
    const float x[6] = {0};
    const int64_t target[2] = {2, wrong[i]};
    float loss[2], logs[2];
    const gi_exec e = {made.state, (const void *[]){x, target}, (void *[]){loss, logs}, NULL,
                       NULL};
    FAILS(k->run(&e), GLIA_INVALID, "target 1 is");
    k->release(made.state);
  }
}

static gi_type index_type(gi_type t, bool small) {
  return with_dtype(t, small ? GLIA_I32 : GLIA_I64);
}

static void test_gather(void **state) {
  (void)state;
  const gi_type x = F32(6, 9, 200), index = F32(4, 5);
  for (int small = 0; small < 2; small++)
    for (int axis = 0; axis < 3; axis++) {
      const gi_gather_attr a = {.axis = axis, .size = x.dim[axis]};
      trial t = {
          .op = &gi_op_gather, .attr = &a, .n_in = 2, .in = {x, index_type(index, small)}};
      t.high[1] = (double)x.dim[axis];
      try_kernel(&t, 61);
      t.in[0].dtype = GLIA_BF16;
      try_kernel(&t, 62);
      gi_type y;
      OK(gi_op_gather.infer(&(gi_infer){2, t.in, &a, 1, &y}));
      trial s = {.op = &gi_op_scatter_add, .attr = &a, .n_in = 2};
      s.in[0] = with_dtype(y, GLIA_F32);
      s.in[1] = t.in[1];
      s.high[1] = t.high[1];
      try_kernel(&s, 63);
    }
}

static void test_along(void **state) {
  (void)state;
  const gi_type x = F32(6, 9, 150);
  for (int axis = 0; axis < 3; axis++) {
    const gi_gather_attr a = {.axis = axis, .size = 11};
    gi_type index = with_dtype(x, GLIA_I64);
    index.dim[axis] = 7;
    trial t = {.op = &gi_op_take_along, .attr = &a, .n_in = 2, .in = {x, index}};
    t.high[1] = (double)x.dim[axis];
    try_kernel(&t, 64);
    trial p = {.op = &gi_op_put_along, .attr = &a, .n_in = 2};
    p.in[0] = with_dtype(index, GLIA_F32);
    p.in[1] = index;
    p.high[1] = 11;
    try_kernel(&p, 65);
  }
}

static void test_one_hot(void **state) {
  (void)state;
  static const glia_dtype dtypes[] = {GLIA_I64, GLIA_I32, GLIA_U8};
  for (int i = 0; i < 3; i++) {
    const gi_one_hot_attr a = {10, i == 0 ? GLIA_F32 : GLIA_F64};
    trial t = {
        .op = &gi_op_one_hot, .attr = &a, .n_in = 1, .in = {with_dtype(F32(4, 33), dtypes[i])}};
    t.high[0] = 10;
    try_kernel(&t, 66);
  }
}

/* Whole numbers of one byte, and of all bytes and either sign. */
static void test_unique(void **state) {
  (void)state;
  static const double high[] = {40, 3000, 1e9, -2e9, 4e18, -4e18};
  for (int small = 0; small < 2; small++)
    for (int i = 0; i < (small ? 4 : GI_COUNT(high)); i++) {
      trial t = {.op = &gi_op_unique,
                 .n_in = 1,
                 .in = {index_type(F32(7, 100), small)},
                 .kernel = NULL};
      t.high[0] = high[i];
      try_kernel(&t, 67);
    }
}

static void test_write_rows(void **state) {
  (void)state;
  static const glia_dtype dtypes[] = {GLIA_F32, GLIA_F64, GLIA_BF16, GLIA_BOOL};
  for (int small = 0; small < 2; small++)
    for (int in_place = 0; in_place < 2; in_place++)
      for (int i = 0; i < GI_COUNT(dtypes); i++) {
        trial t = {.op = &gi_op_write_rows,
                   .n_in = 4,
                   .in = {with_dtype(F32(300, 3, 190), dtypes[i]), index_type(F32(97), small),
                          with_dtype(F32(97, 3, 190), dtypes[i]), with_dtype(SCALAR, GLIA_I64)},
                   .in_place = in_place};
        t.high[1] = 300;
        t.high[3] = 98;
        try_kernel(&t, 68);
      }
}

/* Nothing is written where an index that counts, or the count, is out of range. */
static void test_rows_out_of_range(void **state) {
  (void)state;
  static const int64_t index[3] = {1, 2, -1}, bad[] = {3, 4, -1};
  static const char *const messages[] = {"index -1 at position 2 is not in 0 .. 2",
                                         "the count is 4, of 3 rows",
                                         "the count is -1, of 3 rows"};
  const gi_type types[] = {F32(3), with_dtype(F32(3), GLIA_I64), F32(3),
                           with_dtype(SCALAR, GLIA_I64), F32(3)};
  const gi_layout plain[5] = {0};
  const gi_problem p = {.op = &gi_op_write_rows,
                        .n_in = 4,
                        .n_out = 1,
                        .in = types,
                        .out = types + 4,
                        .in_layout = plain,
                        .out_layout = plain + 4,
                        .threads = 1};
  const gi_kernel *k = trial_fastest(&p, NULL);
  gi_prepared made = {0};
  OK(k->prepare(&p, &made));
  for (int i = 0; i < GI_COUNT(bad); i++) {
    float x[3] = {1, 2, 3};
    const float rows[3] = {7, 8, 9};
    const gi_exec e = {made.state, (const void *[]){x, index, rows, &bad[i]}, (void *[]){x},
                       NULL, NULL};
    FAILS(k->run(&e), GLIA_INVALID, messages[i]);
    assert_memory_equal(x, ((const float[]){1, 2, 3}), sizeof x);
  }
  k->release(made.state);
}

/* Bad indices fail with their position, and nothing is written outside. */
static void test_bad_index(void **state) {
  (void)state;
  const gi_op *const ops[] = {&gi_op_gather, &gi_op_scatter_add, &gi_op_take_along,
                              &gi_op_put_along};
  static const int64_t bad[] = {-1, 3, INT64_MIN, INT64_MAX};
  for (int op = 0; op < GI_COUNT(ops); op++)
    for (int b = 0; b < GI_COUNT(bad); b++) {
      const int64_t index[3] = {0, 2, bad[b]};
      const float x[3] = {1, 2, 3};
      float y[3];
      const gi_gather_attr a = {.size = 3};
      const gi_type types[3] = {F32(3), with_dtype(F32(3), GLIA_I64), F32(3)};
      const gi_layout plain[3] = {0};
      const gi_problem p = {
          .op = ops[op],
          .attr = &a,
          .n_in = 2,
          .n_out = 1,
          .in = types,
          .out = types + 2,
          .in_layout = plain,
          .out_layout = plain + 2,
          .threads = 1,
      };
      const gi_kernel *k = trial_fastest(&p, NULL);
      gi_prepared made = {0};
      char want[64];
      OK(k->prepare(&p, &made));
      snprintf(want, sizeof want, "index %lld at position 2", (long long)bad[b]);
      FAILS(
          k->run(&(gi_exec){made.state, (const void *[]){x, index}, (void *[]){y}, NULL, NULL}),
          GLIA_INVALID, want);
      k->release(made.state);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_softmax),
      cmocka_unit_test(test_long_rows),
      cmocka_unit_test(test_batch_norm),
      cmocka_unit_test(test_batch_norm_act),
      cmocka_unit_test(test_signs),
      cmocka_unit_test(test_cross_entropy),
      cmocka_unit_test(test_targets_are_checked),
      cmocka_unit_test(test_gather),
      cmocka_unit_test(test_along),
      cmocka_unit_test(test_one_hot),
      cmocka_unit_test(test_bad_index),
      cmocka_unit_test(test_unique),
      cmocka_unit_test(test_write_rows),
      cmocka_unit_test(test_rows_out_of_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
