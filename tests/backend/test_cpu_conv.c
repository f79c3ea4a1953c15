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
    {3, 20, 12, 9, 17, 3, 3, {1, 1}, {2, 0}, {1, 1}, 1},
    {1, 9, 3, 3, 8, 3, 3, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 8, 6, 7, 9, 3, 3, {1, 1}, {4, 3}, {1, 1}, 1},
    {5, 130, 9, 17, 40, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
    {2, 9, 7, 7, 24, 5, 5, {1, 1}, {2, 2}, {1, 1}, 1},
    {3, 17, 14, 13, 20, 5, 5, {2, 2}, {2, 2}, {1, 1}, 1},
    {1, 16, 12, 11, 16, 4, 4, {2, 2}, {1, 1}, {1, 1}, 1},
    {2, 10, 9, 10, 18, 7, 7, {1, 1}, {3, 3}, {1, 1}, 1},
    {1, 8, 10, 12, 8, 4, 5, {1, 2}, {0, 3}, {1, 1}, 1},
    {2, 8, 6, 5, 9, 2, 2, {1, 1}, {1, 0}, {1, 1}, 1},
    {8, 16, 7, 7, 16, 3, 3, {2, 2}, {1, 1}, {1, 1}, 1},
    {13, 9, 3, 2, 40, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
};

static gi_conv_attr attr_of(const shape *s) {
  gi_conv_attr a = {.groups = s->groups, .activation = ""};
  a.stride = (gi_dims){2, {s->stride[0], s->stride[1]}};
  a.padding = (gi_dims){2, {s->padding[0], s->padding[1]}};
  a.dilation = (gi_dims){2, {s->dilation[0], s->dilation[1]}};
  return a;
}

typedef struct wanted {
  const char *name;
  gi_problem p;
  bool fits;
  double inexact; /* that the kernel's row states */
} wanted;

static bool ask(const gi_kernel *k, void *user) {
  wanted *w = user;
  w->fits |= strcmp(k->name, w->name) == 0 && k->fits(&w->p) == NULL;
  return true;
}

/* Can the kernel of this name compute it? size: of the results, in the mean; every one is a sum
 * of products of two numbers between -2 and 2. */
static bool can(const char *name, const trial *t, double *size) {
  gi_type out[GI_MAX_OUT];
  gi_infer infer = {t->n_in, t->in, t->attr, 1, out};
  OK(t->op->infer(&infer));
  wanted w = {
      name,
      {.op = t->op, .attr = t->attr, .n_in = t->n_in, .in = t->in, .n_out = 1, .out = out},
      false,
      0};
  gi_kernel_each(&gi_backend_cpu, t->op, ask, &w);
  const double terms = gi_problem_cost(&w.p).flops / 2 / (double)gi_type_count(&out[0]);
  *size = 4 / 3.0 * sqrt(terms);
  return w.fits;
}

static bool read_row(const gi_kernel *k, void *user) {
  wanted *w = user;
  if (strcmp(k->name, w->name) == 0) w->inexact = k->inexact;
  return true;
}

static int tried[2];

/* The kernel that a plan would take, and our own by name; with the accuracy that
 * isa/winograd.h states. */
static void run(const gi_op *op, const gi_conv_attr *a, int n_in, gi_type x, gi_type y,
                gi_type z, gi_type last_in) {
  static const char *const own[] = {"conv_direct", "conv_winograd"};
  for (int last = 0; last < 2; last++) {
    trial t = {.op = op,
               .attr = a,
               .n_in = n_in,
               .in = {x, y, z, last_in},
               .channels_last = last,
               .in_place = last};
    for (int k = 0; k < GI_COUNT(own); k++) {
      double size = 0;
      if (!can(own[k], &t, &size)) continue;
      t.kernel = own[k];
      t.tolerance = k == 0 ? fmax(5e-5, 3e-6 * size) : 1e-5 * fmax(size, 1);
      try_kernel(&t, 12);
      tried[k]++;
    }
    double size = 0;
    can("", &t, &size);
    t.kernel = NULL;
    t.onednn = true;
    t.tolerance = fmax(5e-5, 1e-5 * size);
    try_kernel(&t, 11);
  }
}

static gi_type result_of(const gi_conv_attr *a, gi_type x, gi_type w) {
  gi_type in[2] = {x, w}, out[GI_MAX_OUT];
  gi_infer infer = {2, in, a, 1, out};
  OK(gi_op_conv2d.infer(&infer));
  return out[0];
}

static void test_forward(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const shape *s = &shapes[i];
    const gi_type x = F32(s->n, s->c, s->h, s->w),
                  w = F32(s->f, s->c / s->groups, s->kh, s->kw);
    gi_conv_attr a = attr_of(s);
    const gi_type y = result_of(&a, x, w), bias = F32(s->f);
    run(&gi_op_conv2d, &a, 2, x, w, bias, y);
    run(&gi_op_conv2d, &a, 3, x, w, bias, y);
    run(&gi_op_conv2d_add_act, &a, 3, x, w, y, y);
    a.activation = "relu";
    run(&gi_op_conv2d_act, &a, 3, x, w, bias, y);
    run(&gi_op_conv2d_act, &a, 2, x, w, bias, y);
    run(&gi_op_conv2d_add_act, &a, 3, x, w, y, y);
    run(&gi_op_conv2d_add_act, &a, 4, x, w, y, bias);
  }
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
    run(&gi_op_conv2d_input_grad, &a, 2, y, w, x, x);
    run(&gi_op_conv2d_input_grad_add, &a, 3, y, w, x, x);
    a.size = (gi_dims){2, {s->kh, s->kw}};
    run(&gi_op_conv2d_weight_grad, &a, 2, x, y, y, y);
  }
}

/* The error against double, relative to the root mean square of the results: in the same mean,
 * and anywhere. */
static void check_error(const gi_op *op, const gi_conv_attr *a, gi_type x, gi_type y,
                        const char *kernel, double mean, double most) {
  trial t = {.op = op, .attr = a, .n_in = 2, .in = {x, y}, .kernel = kernel};
  t.low[0] = -1, t.high[0] = 3; /* not around 0, as after relu */
  trial_space s = {.in = {trial_input(&t, 0, 5), trial_input(&t, 1, 5)}};
  void *got[GI_MAX_OUT];
  double error = 0, size = 0, worst = 0;
  trial_reference(&t, &s);
  trial_run(&t, &s, 1, 0, got);
  const int64_t n = gi_type_count(&s.out[0]);
  for (int64_t i = 0; i < n; i++) {
    const double want = gi_load(GLIA_F32, s.want[0], i),
                 e = gi_load(GLIA_F32, got[0], i) - want;
    error += e * e;
    size += want * want;
    worst = fmax(worst, fabs(e));
  }
  error = sqrt(error / size), worst /= sqrt(size / (double)n);
  print_message("%s, %s: error %.1e in the mean, %.1e at most\n", op->name, kernel, error,
                worst);
  assert_true(error < mean);
  assert_true(worst < most);
  for (int i = 0; i < 2; i++) gi_free_aligned(s.in[i]);
  gi_free_aligned(s.want[0]);
  gi_free_aligned(got[0]);
}

/* What isa/winograd.h and the row say of its accuracy: the error against double, relative to
 * the root mean square of the results, is below `mean` in the same mean and nowhere above what
 * the row states; the direct sum, of whose row no error is stated, stays far below. */
static void check_accuracy(const gi_op *op, const gi_conv_attr *a, gi_type x, gi_type y,
                           double mean, double most) {
  wanted w = {.name = "conv_winograd"};
  gi_kernel_each(&gi_backend_cpu, op, read_row, &w);
  assert_true(w.inexact >= most);
  check_error(op, a, x, y, w.name, mean, most);
  w = (wanted){.name = "conv_direct"};
  gi_kernel_each(&gi_backend_cpu, op, read_row, &w);
  assert_true(w.inexact == 0);
  check_error(op, a, x, y, w.name, mean, most / 2);
}

static void accuracy(shape s, double mean, double most) {
  const gi_type x = F32(s.n, s.c, s.h, s.w), w = F32(s.f, s.c, s.kh, s.kw);
  gi_conv_attr a = attr_of(&s);
  const gi_type y = result_of(&a, x, w);
  check_accuracy(&gi_op_conv2d, &a, x, w, mean, most);
  a.size = (gi_dims){2, {s.h, s.w}};
  check_accuracy(&gi_op_conv2d_input_grad, &a, y, w, mean, most);
  a.size = (gi_dims){2, {s.kh, s.kw}};
  check_accuracy(&gi_op_conv2d_weight_grad, &a, x, y, mean, most);
}

static void test_accuracy_of_winograd(void **state) {
  (void)state;
  accuracy((shape){2, 64, 14, 14, 32, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1}, 1e-6, 1e-5);
  accuracy((shape){1, 512, 8, 8, 32, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1}, 3e-6, 3e-5);
  accuracy((shape){2, 32, 14, 14, 32, 5, 5, {1, 1}, {2, 2}, {1, 1}, 1}, 1e-6, 1e-5);
  accuracy((shape){2, 32, 14, 14, 32, 5, 5, {2, 2}, {2, 2}, {1, 1}, 1}, 1e-6, 1e-5);
  accuracy((shape){1, 32, 28, 28, 32, 7, 7, {2, 2}, {3, 3}, {1, 1}, 1}, 3e-6, 3e-5);
}

static void try_winograd(const gi_op *op, const gi_conv_attr *a, gi_type x, gi_type y) {
  double size = 0;
  trial t = {.op = op, .attr = a, .n_in = 2, .in = {x, y}, .kernel = "conv_winograd"};
  t.channels_last = true;
  assert_true(can(t.kernel, &t, &size));
  t.tolerance = 1e-5 * size;
  try_kernel(&t, 12);
}

/* So many weights that they are transformed in two bands, the last not full. */
static void test_bands_of_weights(void **state) {
  (void)state;
  const shape s = {1, 385, 5, 6, 403, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1};
  const gi_type x = F32(s.n, s.c, s.h, s.w), w = F32(s.f, s.c, s.kh, s.kw);
  gi_conv_attr a = attr_of(&s);
  const gi_type y = result_of(&a, x, w);
  try_winograd(&gi_op_conv2d, &a, x, w);
  a.size = (gi_dims){2, {s.h, s.w}};
  try_winograd(&gi_op_conv2d_input_grad, &a, y, w);
  a.size = (gi_dims){2, {s.kh, s.kw}};
  try_winograd(&gi_op_conv2d_weight_grad, &a, x, y);
}

static void test_own_kernels_were_tried(void **state) {
  (void)state;
  for (int k = 0; k < GI_COUNT(tried); k++) assert_true(tried[k] > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward),
      cmocka_unit_test(test_gradients),
      cmocka_unit_test(test_bands_of_weights),
      cmocka_unit_test(test_own_kernels_were_tried),
      cmocka_unit_test(test_accuracy_of_winograd),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
