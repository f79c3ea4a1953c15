/* test_cpu_copy.c - ops that move elements, on the cpu backend: bits must be those of the
 * reference, for every size of element.
 */
#include "kernels.h"
#include "ops/attrs.h"

static const glia_dtype dtypes[] = {GLIA_F32, GLIA_U8, GLIA_BF16, GLIA_I64};

static void move(const gi_op *op, const void *attr, int n_in, const gi_type *in) {
  for (int d = 0; d < GI_COUNT(dtypes); d++)
    for (int last = 0; last < 2; last++) {
      trial t = {.op = op, .attr = attr, .n_in = n_in, .channels_last = last};
      t.tolerance = 1e-300;
      for (int i = 0; i < n_in; i++) {
        t.in[i] = with_dtype(in[i], dtypes[d]);
        t.low[i] = 0;
        t.high[i] = 100;
      }
      try_kernel(&t, 21);
    }
}

static void move_one(const gi_op *op, const void *attr, gi_type in) { move(op, attr, 1, &in); }

/* The reorder's layouts are attributes, so it is run by hand. */
static void test_reorder(void **state) {
  (void)state;
  const gi_type shapes[] = {F32(2, 3, 5, 7), F32(1, 64, 24, 24), F32(3, 32, 1, 1),
                            F32(2, 1, 9, 4), F32(4, 17, 33, 35), F32(2, 8, 4, 4),
                            F32(0, 3, 2, 2)};
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int d = 0; d < GI_COUNT(dtypes); d++)
      for (int back = 0; back < 2; back++) {
        const gi_type t = with_dtype(shapes[i], dtypes[d]);
        const gi_reorder_attr a = {back ? GI_CHANNELS_LAST : GI_PLAIN,
                                   back ? GI_PLAIN : GI_CHANNELS_LAST};
        const gi_layout from = (gi_layout)a.from, to = (gi_layout)a.to;
        const gi_problem p = {.op = &gi_op_reorder,
                              .attr = &a,
                              .n_in = 1,
                              .n_out = 1,
                              .in = &t,
                              .out = &t,
                              .in_layout = &from,
                              .out_layout = &to,
                              .threads = 2};
        const gi_kernel *k = trial_fastest(&p, NULL);
        const size_t bytes = gi_type_bytes(&t);
        unsigned char *in = trial_memory(bytes), *out = trial_memory(bytes),
                      *want = trial_memory(bytes);
        for (size_t b = 0; b < bytes; b++) in[b] = (unsigned char)(b * 37 + b / 251);
        trial_reorder(&t, from, in, to, want);
        gi_prepared made = {0};
        OK(k->prepare(&p, &made));
        OK(k->run(&(gi_exec){made.state, (const void *[]){in}, (void *[]){out}, NULL, NULL}));
        assert_memory_equal(out, want, bytes);
        k->release(made.state);
        gi_free_aligned(in), gi_free_aligned(out), gi_free_aligned(want);
      }
}

static void test_permute(void **state) {
  (void)state;
  const gi_type x = F32(3, 5, 18, 7);
  const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 2, 3, 1}, {0, 3, 1, 2},
                           {1, 0, 2, 3}, {2, 3, 0, 1}, {0, 2, 1, 3}, {3, 0, 1, 2}};
  for (int i = 0; i < GI_COUNT(orders); i++) {
    gi_permute_attr a = {{.n = 4}};
    for (int d = 0; d < 4; d++) a.axes.at[d] = orders[i][d];
    move(&gi_op_permute, &a, 1, &x);
  }
  const gi_permute_attr turn = {{2, {1, 0}}}, none = {{0, {0}}};
  const gi_type matrices[] = {F32(300, 200), F32(1, 70), F32(70, 1), F32(0, 3), F32(33, 67)};
  for (int i = 0; i < GI_COUNT(matrices); i++) move(&gi_op_permute, &turn, 1, &matrices[i]);
  move_one(&gi_op_permute, &none, SCALAR);
}

static void test_broadcast(void **state) {
  (void)state;
  const gi_shape_attr to = {{3, {4, 6, 50}}};
  const gi_type from[] = {F32(4, 6, 50), F32(6, 50),   F32(50),
                          F32(4, 1, 1),  F32(1, 6, 1), SCALAR};
  for (int i = 0; i < GI_COUNT(from); i++) move(&gi_op_broadcast_to, &to, 1, &from[i]);
}

static void test_slice_and_place(void **state) {
  (void)state;
  const gi_type x = F32(4, 9, 6, 11);
  const gi_slice_attr slices[] = {
      {0, 1, 3, 1}, {1, 2, 9, 3}, {2, 0, 6, 1}, {3, 1, 11, 2}, {3, 4, 4, 1}};
  for (int i = 0; i < GI_COUNT(slices); i++) move(&gi_op_slice, &slices[i], 1, &x);
  const gi_place_attr places[] = {{0, 1, 2, 9}, {1, 0, 1, 9}, {2, 3, 1, 10}, {3, 1, 3, 40}};
  for (int i = 0; i < GI_COUNT(places); i++) move(&gi_op_place, &places[i], 1, &x);
}

static void test_pad(void **state) {
  (void)state;
  const gi_pad_attr a = {{4, {0, 0, 2, 1}}, {4, {0, 0, 1, 3}}, 7};
  const gi_pad_attr b = {{4, {1, 2, 0, 0}}, {4, {0, 1, 0, 0}}, 0}, none = {{0}, {0}, 1};
  move_one(&gi_op_pad, &a, F32(2, 5, 6, 7));
  move_one(&gi_op_pad, &b, F32(2, 5, 6, 7));
  move_one(&gi_op_pad, &b, F32(0, 5, 6, 7));
  move_one(&gi_op_pad, &none, SCALAR);
}

static void test_concat(void **state) {
  (void)state;
  for (int axis = 0; axis < 4; axis++) {
    const gi_axis_attr a = {axis};
    gi_type parts[3] = {F32(2, 3, 4, 5), F32(2, 3, 4, 5), F32(2, 3, 4, 5)};
    parts[1].dim[axis] = 7;
    parts[2].dim[axis] = 0;
    move(&gi_op_concat, &a, 3, parts);
    move(&gi_op_concat, &a, 1, parts);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reorder),   cmocka_unit_test(test_permute),
      cmocka_unit_test(test_broadcast), cmocka_unit_test(test_slice_and_place),
      cmocka_unit_test(test_pad),       cmocka_unit_test(test_concat),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
