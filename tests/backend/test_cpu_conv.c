/* test_cpu_conv.c - convolution, its gradients and its fused form on the cpu backend. */
#include "kernels.h"
#include "ops/attrs.h"

typedef struct shape {
  int64_t n, c, h, w, f, kh, kw, stride[2], padding[2], dilation[2], groups;
} shape;

static const shape shapes[] = {
    {2, 1, 9, 8, 4, 3, 3, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 3, 9, 11, 16, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
    {1, 8, 7, 7, 24, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1},
    {3, 16, 10, 6, 10, 3, 3, {2, 2}, {1, 1}, {1, 1}, 1},
    {1, 5, 12, 13, 7, 5, 3, {2, 1}, {2, 0}, {1, 1}, 1},
    {2, 32, 8, 9, 64, 3, 3, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 24, 11, 30, 40, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
    {1, 4, 15, 15, 6, 3, 3, {1, 1}, {2, 2}, {2, 2}, 1},
    {2, 8, 6, 6, 8, 3, 3, {1, 1}, {1, 1}, {1, 1}, 8},
    {1, 12, 6, 7, 18, 3, 2, {2, 2}, {1, 1}, {1, 1}, 3},
    {1, 3, 23, 23, 64, 7, 7, {2, 2}, {3, 3}, {1, 1}, 1},
    {1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1},
    {1, 2, 2, 2, 3, 2, 2, {3, 3}, {2, 2}, {1, 1}, 1},
    {2, 64, 5, 5, 33, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
};

static gi_conv_attr attr_of(const shape *s) {
  gi_conv_attr a = {.groups = s->groups, .activation = ""};
  a.stride = (gi_dims){2, {s->stride[0], s->stride[1]}};
  a.padding = (gi_dims){2, {s->padding[0], s->padding[1]}};
  a.dilation = (gi_dims){2, {s->dilation[0], s->dilation[1]}};
  return a;
}

static void run(const gi_op *op, const gi_conv_attr *a, int n_in, gi_type x, gi_type y,
                gi_type z) {
  for (int last = 0; last < 2; last++) {
    trial t = {.op = op, .attr = a, .n_in = n_in, .in = {x, y, z}, .onednn = true};
    t.channels_last = last;
    t.tolerance = 5e-5;
    try_kernel(&t, 11);
  }
}

static void test_forward(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const shape *s = &shapes[i];
    const gi_type x = F32(s->n, s->c, s->h, s->w),
                  w = F32(s->f, s->c / s->groups, s->kh, s->kw);
    gi_conv_attr a = attr_of(s);
    run(&gi_op_conv2d, &a, 2, x, w, F32(s->f));
    run(&gi_op_conv2d, &a, 3, x, w, F32(s->f));
    a.activation = "relu";
    run(&gi_op_conv2d_act, &a, 3, x, w, F32(s->f));
    run(&gi_op_conv2d_act, &a, 2, x, w, F32(s->f));
  }
}

static gi_type result_of(const gi_conv_attr *a, gi_type x, gi_type w) {
  gi_type in[2] = {x, w}, out[GI_MAX_OUT];
  gi_infer infer = {2, in, a, 1, out};
  OK(gi_op_conv2d.infer(&infer));
  return out[0];
}

static void test_gradients(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const shape *s = &shapes[i];
    const gi_type x = F32(s->n, s->c, s->h, s->w),
                  w = F32(s->f, s->c / s->groups, s->kh, s->kw);
    gi_conv_attr a = attr_of(s);
    const gi_type y = result_of(&a, x, w);
    a.size = (gi_dims){2, {s->h, s->w}};
    run(&gi_op_conv2d_input_grad, &a, 2, y, w, y);
    a.size = (gi_dims){2, {s->kh, s->kw}};
    run(&gi_op_conv2d_weight_grad, &a, 2, x, y, y);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward),
      cmocka_unit_test(test_gradients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
