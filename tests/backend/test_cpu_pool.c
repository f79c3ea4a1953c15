/* test_cpu_pool.c - pooling and its gradients on the cpu backend. */
#include "kernels.h"
#include "ops/attrs.h"

typedef struct shape {
  int64_t n, c, h, w, kernel[2], stride[2], padding[2], dilation[2];
  bool count_padding, ceil_mode;
} shape;

static const shape shapes[] = {
    {2, 64, 8, 8, {2, 2}, {2, 2}, {0, 0}, {1, 1}, false, false},
    {1, 3, 7, 9, {2, 2}, {2, 2}, {0, 0}, {1, 1}, false, true},
    {2, 19, 9, 11, {3, 3}, {2, 2}, {1, 1}, {1, 1}, false, false},
    {1, 40, 10, 5, {3, 2}, {1, 1}, {1, 1}, {1, 1}, true, false},
    {1, 8, 12, 12, {3, 3}, {3, 2}, {1, 0}, {1, 1}, true, true},
    {1, 5, 13, 13, {2, 3}, {1, 3}, {1, 1}, {2, 2}, false, false},
    {3, 16, 7, 7, {7, 7}, {7, 7}, {0, 0}, {1, 1}, false, false},
    {1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0}, {1, 1}, false, false},
    {1, 33, 16, 40, {2, 2}, {3, 3}, {0, 0}, {1, 1}, false, false},
    {1, 2, 70, 70, {16, 16}, {8, 8}, {0, 0}, {1, 1}, false, false},
    /* rows of several vectors */
    {2, 3, 9, 70, {2, 2}, {2, 2}, {0, 0}, {1, 1}, false, false},
    {1, 3, 20, 57, {3, 3}, {2, 2}, {1, 1}, {1, 1}, false, true},
    {1, 2, 12, 64, {3, 3}, {2, 2}, {1, 1}, {2, 2}, true, false},
    {1, 2, 13, 81, {2, 3}, {1, 2}, {1, 1}, {1, 3}, false, false},
    {1, 2, 9, 41, {3, 5}, {1, 1}, {1, 2}, {1, 1}, true, false},
    {1, 2, 9, 45, {1, 1}, {2, 2}, {0, 0}, {1, 1}, false, false},
};

static gi_pool_attr attr_of(const shape *s) {
  gi_pool_attr a = {.count_padding = s->count_padding, .ceil_mode = s->ceil_mode};
  a.kernel = (gi_dims){2, {s->kernel[0], s->kernel[1]}};
  a.stride = (gi_dims){2, {s->stride[0], s->stride[1]}};
  a.padding = (gi_dims){2, {s->padding[0], s->padding[1]}};
  a.dilation = (gi_dims){2, {s->dilation[0], s->dilation[1]}};
  return a;
}

static void run(const gi_op *op, const gi_pool_attr *a, gi_type x) {
  for (int last = 0; last < 2; last++) {
    trial t = {.op = op, .attr = a, .n_in = 1, .in = {x}, .channels_last = last};
    t.kernel = "pool_vector";
    try_kernel(&t, 31);
    t.high[0] = 1e-300; /* all equal: the first of them wins */
    try_kernel(&t, 32);
  }
}

static void test_forward(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const shape *s = &shapes[i];
    const gi_pool_attr a = attr_of(s);
    run(&gi_op_max_pool2d, &a, F32(s->n, s->c, s->h, s->w));
    run(&gi_op_min_pool2d, &a, F32(s->n, s->c, s->h, s->w));
    run(&gi_op_avg_pool2d, &a, F32(s->n, s->c, s->h, s->w));
  }
}

/* A problem run by hand in one layout; in and out are plain. */
static void run_plain(const gi_op *op, const void *attr, int n_in, const gi_type *types,
                      void *const *in, gi_type out, void *to, bool last) {
  gi_layout layouts[3] = {GI_PLAIN, GI_PLAIN, GI_PLAIN};
  for (int i = 0; i < 3; i++) layouts[i] = last ? GI_CHANNELS_LAST : GI_PLAIN;
  const gi_problem p = {
      .op = op,
      .attr = attr,
      .n_in = n_in,
      .n_out = 1,
      .in = types,
      .out = &out,
      .in_layout = layouts,
      .out_layout = layouts,
      .threads = 2,
  };
  const gi_kernel *k = trial_fastest(&p, NULL);
  assert_string_equal(k->name, "pool_vector");
  gi_prepared made = {0};
  OK(k->prepare(&p, &made));
  const void *from[2] = {NULL};
  void *turned[2] = {NULL}, *result = trial_memory(gi_type_bytes(&out));
  for (int i = 0; i < n_in; i++) {
    from[i] = turned[i] = trial_memory(gi_type_bytes(&types[i]));
    trial_reorder(&types[i], GI_PLAIN, in[i], layouts[0], turned[i]);
  }
  OK(k->run(&(gi_exec){made.state, from, &result, NULL, NULL}));
  trial_reorder(&out, layouts[0], result, GI_PLAIN, to);
  for (int i = 0; i < n_in; i++) gi_free_aligned(turned[i]);
  gi_free_aligned(result);
  k->release(made.state);
}

/* The positions that the gradient reads are those of a forward pass. */
static void test_scatter(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(shapes); i++)
    for (int last = 0; last < 2; last++) {
      const shape *s = &shapes[i];
      gi_pool_attr a = attr_of(s);
      const gi_type x = F32(s->n, s->c, s->h, s->w);
      gi_type y[2];
      OK(gi_op_max_pool2d.infer(&(gi_infer){1, &x, &a, 2, y}));
      const trial t = {.n_in = 2, .in = {x, y[0]}};
      void *in = trial_input(&t, 0, 5), *dy = trial_input(&t, 1, 6);
      void *out[2] = {trial_memory(gi_type_bytes(&y[0])), trial_memory(gi_type_bytes(&y[1]))};
      const gi_buf from = {x, in};
      gi_buf pooled[2] = {{y[0], out[0]}, {y[1], out[1]}};
      OK(gi_op_max_pool2d.ref(&(gi_ref){1, 2, &from, pooled, &a, NULL}));
      a.size = (gi_dims){2, {s->h, s->w}};
      float *want = trial_memory(gi_type_bytes(&x)), *got = trial_memory(gi_type_bytes(&x));
      const gi_buf grad_in[2] = {{y[0], dy}, {y[1], out[1]}};
      gi_buf grad_out = {x, want};
      OK(gi_op_pool_scatter.ref(&(gi_ref){2, 1, grad_in, &grad_out, &a, NULL}));
      run_plain(&gi_op_pool_scatter, &a, 2, y, (void *[]){dy, out[1]}, x, got, last);
      for (int64_t e = 0; e < gi_type_count(&x); e++) assert_float_equal(got[e], want[e], 1e-5);
      gi_free_aligned(in), gi_free_aligned(dy), gi_free_aligned(out[0]),
          gi_free_aligned(out[1]);
      gi_free_aligned(want), gi_free_aligned(got);
    }
}

static void test_average_gradient(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const shape *s = &shapes[i];
    gi_pool_attr a = attr_of(s);
    const gi_type x = F32(s->n, s->c, s->h, s->w);
    gi_type y;
    OK(gi_op_avg_pool2d.infer(&(gi_infer){1, &x, &a, 1, &y}));
    a.size = (gi_dims){2, {s->h, s->w}};
    run(&gi_op_avg_pool2d_grad, &a, y);
  }
}

/* Sizes that divide and that do not, larger results than images too. */
static void test_adaptive(void **state) {
  (void)state;
  static const int64_t sizes[][5] = {{2, 3, 7, 9, 3},    {1, 40, 13, 5, 4}, {3, 8, 6, 6, 6},
                                     {2, 17, 2, 3, 5},   {1, 1, 1, 1, 1},   {1, 64, 28, 28, 7},
                                     {2, 36, 9, 200, 3}, {1, 5, 11, 4, 1}};
  for (int i = 0; i < GI_COUNT(sizes); i++)
    for (int last = 0; last < 2; last++) {
      const int64_t *s = sizes[i];
      const gi_shape_attr to = {{2, {s[4], s[4] + i % 2}}}, back = {{2, {s[2], s[3]}}};
      trial t = {.op = &gi_op_adaptive_avg_pool2d,
                 .attr = &to,
                 .n_in = 1,
                 .in = {F32(s[0], s[1], s[2], s[3])},
                 .channels_last = last,
                 .kernel = "pool_vector"};
      try_kernel(&t, 31);
      t.op = &gi_op_adaptive_max_pool2d;
      t.kernel = "pool_planes";
      try_kernel(&t, 33);
      t.op = &gi_op_adaptive_avg_pool2d_grad;
      t.kernel = "pool_vector";
      t.attr = &back;
      t.in[0] = F32(s[0], s[1], s[4], s[4] + i % 2);
      try_kernel(&t, 32);
    }
}

static void test_nan_and_infinity(void **state) {
  (void)state;
  const gi_pool_attr a = {.kernel = {2, {2, 2}},
                          .stride = {2, {2, 2}},
                          .padding = {2, {0, 0}},
                          .dilation = {2, {1, 1}}};
  enum { C = 20 };
  for (int last = 0; last < 2; last++)
    for (int at = 0; at < 4; at++) {
      float x[C * 4], want[C], got[C];
      uint8_t want_at[C], got_at[C];
      for (int i = 0; i < C * 4; i++)
        x[i] = i % 4 == at ? NAN : i % 3 == 0 ? -INFINITY : (float)i;
      for (int i = 0; i < 4; i++) x[i] = -INFINITY;
      const gi_type types[3] = {F32(1, C, 2, 2), F32(1, C, 1, 1),
                                with_dtype(F32(1, C, 1, 1), GLIA_U8)};
      const gi_buf from = {types[0], x};
      gi_buf to[2] = {{types[1], want}, {types[2], want_at}};
      OK(gi_op_max_pool2d.ref(&(gi_ref){1, 2, &from, to, &a, NULL}));
      const gi_layout layout[3] = {last ? GI_CHANNELS_LAST : GI_PLAIN,
                                   last ? GI_CHANNELS_LAST : GI_PLAIN,
                                   last ? GI_CHANNELS_LAST : GI_PLAIN};
      const gi_problem p = {
          .op = &gi_op_max_pool2d,
          .attr = &a,
          .n_in = 1,
          .n_out = 2,
          .in = types,
          .out = types + 1,
          .in_layout = layout,
          .out_layout = layout + 1,
          .threads = 1,
      };
      const gi_kernel *k = trial_fastest(&p, NULL);
      gi_prepared made = {0};
      OK(k->prepare(&p, &made));
      float turned[C * 4];
      trial_reorder(&types[0], GI_PLAIN, x, layout[0], turned);
      OK(k->run(&(gi_exec){made.state, (const void *[]){turned}, (void *[]){got, got_at}, NULL,
                           NULL}));
      k->release(made.state);
      for (int i = 0; i < C; i++) {
        assert_true(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])));
        assert_int_equal(got_at[i], want_at[i]);
      }
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward),          cmocka_unit_test(test_scatter),
      cmocka_unit_test(test_average_gradient), cmocka_unit_test(test_adaptive),
      cmocka_unit_test(test_nan_and_infinity),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
