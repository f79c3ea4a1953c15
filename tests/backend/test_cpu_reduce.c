/* test_cpu_reduce.c - reductions on the cpu backend. */
#include "kernels.h"
#include "ops/attrs.h"

static const gi_op *const ops[] = {&gi_op_sum, &gi_op_mean, &gi_op_max,
                                   &gi_op_min, &gi_op_prod, &gi_op_variance};

/* flags: 1 keeps the axes, 2 takes channels-last; all the combinations of those in the mask. */
static void reduce(gi_type x, const gi_dims *axes, int mask, uint64_t seed) {
  for (int op = 0; op < GI_COUNT(ops); op++)
    for (int flags = 0; flags <= mask; flags++) {
      const gi_reduce_attr a = {.axes = *axes, .keep = flags & 1};
      trial t = {.op = ops[op], .attr = &a, .n_in = 1, .in = {x}, .channels_last = flags >> 1};
      t.tolerance = 2e-4; /* sums near 0 of some 10^4 elements of size 1 */
      if (ops[op] == &gi_op_prod) t.low[0] = 0.9, t.high[0] = 1.1;
      try_kernel(&t, seed);
    }
}

static void test_any_axes(void **state) {
  (void)state;
  const gi_type shapes[] = {F32(3, 5, 4, 7), F32(2, 64, 6, 6), F32(1, 32, 9, 1),
                            F32(4, 1, 1, 65)};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (unsigned set = 0; set < 16; set++) {
      gi_dims axes = {0};
      for (int d = 0; d < 4; d++)
        if (set >> d & 1) axes.at[axes.n++] = d;
      reduce(shapes[i], &axes, 3, set);
    }
}

static void test_long_runs(void **state) {
  (void)state;
  const gi_dims all = {2, {0, 1}}, first = {1, {0}}, second = {1, {1}};
  const gi_type shapes[] = {F32(1, 40001), F32(40001, 1), F32(5, 20000), F32(3000, 37),
                            F32(9, 2500),  F32(7, 1),     F32(1, 1),     F32(2, 16385)};
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    reduce(shapes[i], &all, 0, 1);
    reduce(shapes[i], &first, 0, 2);
    reduce(shapes[i], &second, 0, 3);
  }
  const gi_dims outer = {2, {0, 2}}, none = {0};
  reduce(F32(6, 20, 900), &outer, 0, 4);
  reduce(F32(6, 3, 20000), &outer, 0, 5);
  reduce(SCALAR, &none, 0, 6);
}

static void test_arg(void **state) {
  (void)state;
  for (int axis = 0; axis < 3; axis++)
    for (int keep = 0; keep < 2; keep++) {
      const gi_reduce_attr a = {.axes = {1, {axis}}, .keep = keep};
      const gi_type shapes[] = {F32(3, 5, 40), F32(64, 1, 10), F32(1, 700, 3),
                                F32(20, 3, 1000)};
      for (int i = 0; i < GI_COUNT(shapes); i++) {
        trial t = {.op = &gi_op_argmax, .attr = &a, .n_in = 1, .in = {shapes[i]}};
        try_kernel(&t, 7);
        t.op = &gi_op_argmin;
        try_kernel(&t, 8);
      }
    }
}

/* Ties go to the first; NaN wins wherever it stands. */
static void test_ties_and_nan(void **state) {
  (void)state;
  static const gi_op *const both[] = {&gi_op_argmax, &gi_op_argmin, &gi_op_max, &gi_op_min};
  enum { N = 53 };
  for (int at = -1; at < N; at += 9)
    for (int op = 0; op < GI_COUNT(both); op++)
      for (int axis = 0; axis < 2; axis++) {
        float x[2 * N], got[N] = {0}, want[N] = {0}; /* f32, or i64 up to N / 2 results */
        int64_t got_at[N] = {0}, want_at[N] = {0};
        for (int i = 0; i < 2 * N; i++) x[i] = (float)(i * 7 % 5);
        if (at >= 0) x[at] = NAN;
        const gi_reduce_attr a = {.axes = {1, {axis}}};
        const gi_type in = F32(2, N);
        gi_type out;
        OK(both[op]->infer(&(gi_infer){1, &in, &a, 1, &out}));
        const bool arg = out.dtype == GLIA_I64;
        void *results = arg ? (void *)got_at : (void *)got,
             *wanted = arg ? (void *)want_at : (void *)want;
        const gi_buf from = {in, x};
        gi_buf to = {out, wanted};
        OK(both[op]->ref(&(gi_ref){1, 1, &from, &to, &a, NULL}));
        const gi_layout plain[2] = {0};
        const gi_problem p = {
            .op = both[op],
            .attr = &a,
            .n_in = 1,
            .n_out = 1,
            .in = &in,
            .out = &out,
            .in_layout = plain,
            .out_layout = plain + 1,
            .threads = 1,
        };
        const gi_kernel *k = trial_fastest(&p, NULL);
        assert_string_equal(k->name, "reduce_vector");
        gi_prepared made = {0};
        OK(k->prepare(&p, &made));
        void *scratch = trial_memory(made.scratch);
        OK(k->run(&(gi_exec){made.state, (const void *[]){x}, &results, scratch, NULL}));
        for (int64_t i = 0; i < gi_type_count(&out); i++) {
          const double g = gi_load(out.dtype, results, i), w = gi_load(out.dtype, wanted, i);
          assert_true(g == w || (isnan(g) && isnan(w)));
        }
        gi_free_aligned(scratch);
        k->release(made.state);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_axes),
      cmocka_unit_test(test_long_runs),
      cmocka_unit_test(test_arg),
      cmocka_unit_test(test_ties_and_nan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
