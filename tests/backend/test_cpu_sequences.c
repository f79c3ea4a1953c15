/* test_cpu_sequences.c - CTC and the gradient of attention on the cpu backend: the reference's
 * values, the same bits for any number of threads.
 */
#include "kernels.h"
#include "ops/attrs.h"

static void test_ctc(void **state) {
  (void)state;
  const struct {
    int64_t times, n, letters, room, blank;
  } cases[] = {{30, 5, 7, 9, 0}, {60, 9, 28, 20, 27}, {8, 3, 3, 12, 1}, {5, 2, 4, 0, 0},
               {1, 4, 2, 3, 0},  {0, 2, 3, 1, 0},     {7, 0, 3, 2, 0},  {200, 2, 5, 90, 2}};
  for (int i = 0; i < GI_COUNT(cases); i++)
    for (int wide = 0; wide < 2; wide++) {
      const gi_ctc_attr a = {cases[i].blank};
      const gi_type each = F32(cases[i].n);
      const glia_dtype whole = wide ? GLIA_I64 : GLIA_I32;
      trial t = {.op = &gi_op_ctc, .attr = &a, .n_in = 4, .kernel = "ctc_sequences"};
      t.in[0] = F32(cases[i].times, cases[i].n, cases[i].letters);
      t.in[1] = with_dtype(F32(cases[i].n, cases[i].room), whole);
      t.in[2] = with_dtype(each, GLIA_I64);
      t.in[3] = with_dtype(each, whole);
      t.low[0] = -3, t.high[0] = 0;
      t.high[1] = (double)cases[i].letters;
      t.high[2] = (double)cases[i].times + 1, t.high[3] = (double)cases[i].room + 1;
      try_kernel(&t, 81);
      t.op = &gi_op_ctc_grad;
      t.n_in = 6;
      t.in[4] = t.in[5] = each;
      t.low[4] = 0.5 * (double)cases[i].times, t.high[4] = t.low[4] + 1;
      t.low[5] = -1, t.high[5] = 2;
      t.tolerance = 1e-4; /* of sums of many shares */
      try_kernel(&t, 82);
    }
}

/* Few heads: the keys are shared out, and what the parts add up is added up in order. */
static void test_attention_grad(void **state) {
  (void)state;
  const struct {
    int64_t n, heads, groups, t, s;
    bool causal;
  } cases[] = {{1, 1, 1, 20, 1300, false},
               {1, 2, 1, 150, 300, true},
               {1, 3, 3, 7, 260, true},
               {2, 4, 4, 9, 140, false},
               {1, 1, 1, 3, 5, false}};
  for (int i = 0; i < GI_COUNT(cases); i++) {
    const int64_t d = 9, e = 12;
    const gi_attention_attr a = {
        .scale = 0.3, .causal = cases[i].causal, .offset = cases[i].s - cases[i].t};
    const gi_type q = F32(cases[i].n, cases[i].heads, cases[i].t, d),
                  k = F32(cases[i].n, cases[i].groups, cases[i].s, d),
                  v = F32(cases[i].n, cases[i].groups, cases[i].s, e),
                  dy = F32(cases[i].n, cases[i].heads, cases[i].t, e),
                  row = F32(cases[i].n, cases[i].heads, cases[i].t);
    trial t = {.op = &gi_op_attention_grad, .attr = &a, .n_in = 6};
    t.in[0] = q, t.in[1] = k, t.in[2] = v, t.in[3] = t.in[4] = row, t.in[5] = dy;
    t.kernel = "attention_tiles";
    t.low[3] = 6, t.high[3] = 8; /* logarithms of sums */
    t.tolerance = 1e-4;
    try_kernel(&t, 83);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ctc),
      cmocka_unit_test(test_attention_grad),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
