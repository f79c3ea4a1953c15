/* Batch norm, what is added to it, and relu as one op, forward and backward: the blocks of
 * residual networks against their unfused reference; and what must not be fused.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "ops/attrs.h"

enum { N = 3, C = 11, H = 4, W = 5 };
static const int64_t shape[] = {N, C, H, W};

typedef struct block { /* what a network is made of in these tests */
  glia_graph *g;
  glia_value x, z, gamma[2], beta[2];
} block;

static block open_block(void) {
  static const int64_t one[] = {C};
  block b = {.g = NULL};
  OK(glia_graph_new(&b.g));
  b.x = glia_input(b.g, "x", GLIA_F32, 4, shape);
  b.z = glia_input(b.g, "z", GLIA_F32, 4, shape);
  b.gamma[0] = glia_input(b.g, "g0", GLIA_F32, 1, one);
  b.gamma[1] = glia_input(b.g, "g1", GLIA_F32, 1, one);
  b.beta[0] = glia_input(b.g, "b0", GLIA_F32, 1, one);
  b.beta[1] = glia_input(b.g, "b1", GLIA_F32, 1, one);
  return b;
}

static glia_value norm(const block *b, int i, glia_value x) {
  glia_value mean, variance;
  const glia_value y =
      glia_batch_norm_train(x, b->gamma[i], b->beta[i], 1e-5, &mean, &variance);
  /* the running statistics want both at once, before relu */
  glia_output(i == 0 ? "m0" : "m1", glia_mul(mean, glia_scalar_like(mean, 0.1)));
  glia_output(i == 0 ? "v0" : "v1", glia_mul(variance, glia_scalar_like(variance, 0.1)));
  return y;
}

/* Gradients of a loss that is not the same for all elements. */
static void finish(const block *b, glia_value y) {
  static const char *const names[] = {"dx", "dz", "dg0", "db0", "dg1", "db1"};
  glia_value wanted[6] = {b->x, b->z, b->gamma[0], b->beta[0], b->gamma[1], b->beta[1]}, d[6];
  glia_value unused = glia_scalar(b->g, GLIA_F32, 0);
  for (int i = 0; i < 6; i++) unused = glia_add(unused, glia_sum(wanted[i]));
  const glia_value loss = glia_add(glia_sum(glia_mul(glia_exp(glia_tanh(y)), b->z)), unused);
  OK(glia_grad(loss, wanted, 6, d));
  glia_output("y", y);
  for (int i = 0; i < 6; i++) glia_output(names[i], d[i]);
  OK(glia_graph_status(b->g));
}

enum { INPUTS = 6 };

static glia_plan *run(glia_graph *g, const char *skip, const char *backend) {
  static const char *const names[INPUTS] = {"x", "z", "g0", "g1", "b0", "b1"};
  static const int64_t one[] = {C};
  glia_plan *p = NULL;
  glia_tensor *t[INPUTS] = {NULL};
  OK(glia_compile(g, &p, .skip = skip, .backend = backend));
  check_plan(p);
  for (int i = 0; i < INPUTS; i++) {
    OK(glia_tensor_new(GLIA_F32, i < 2 ? 4 : 1, i < 2 ? shape : one, &t[i]));
    for (int64_t k = 0; k < glia_tensor_count(t[i]); k++)
      glia_tensor_set(t[i], k, sin((double)(k * k % 89 + i)) * 0.8 + (i >= 2 ? 0.5 : 0));
    OK(glia_plan_bind(p, names[i], t[i]));
  }
  OK(glia_plan_run(p));
  for (int i = 0; i < INPUTS; i++) glia_tensor_free(t[i]); /* the plan does not run again */
  return p;
}

static void compare(const glia_plan *a, const glia_plan *b) {
  static const char *const names[] = {"y",   "dx", "dz", "dg0", "db0", "dg1",
                                      "db1", "m0", "v0", "m1",  "v1"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    const glia_tensor *x = glia_plan_output(a, names[i]), *y = glia_plan_output(b, names[i]);
    assert_true((x == NULL) == (y == NULL));
    for (int64_t k = 0; y != NULL && k < glia_tensor_count(y); k++)
      NEAR(glia_tensor_get(x, k), glia_tensor_get(y, k), 2e-4);
  }
}

static int count(const glia_plan *p, const gi_op *op) {
  int n = 0;
  for (int i = 0; i < p->n_steps; i++) n += p->graph->nodes.at[p->steps[i].node]->op == op;
  return n;
}

/* As many norms are fused, forward and backward, and all agree with the reference. */
static void check(const block *b, int forward, int backward) {
  glia_plan *plain = run(b->g, "all", "ref");
  static const char *const skips[] = {NULL, "fuse", "layout,fuse", "simplify"};
  for (int i = 0; i < GI_COUNT(skips); i++) {
    glia_plan *p = run(b->g, skips[i], NULL);
    compare(p, plain);
    assert_int_equal(count(p, &gi_op_batch_norm_act), forward);
    if (i < 3) assert_int_equal(count(p, &gi_op_batch_norm_act_grad), backward);
    glia_plan_free(p);
  }
  glia_plan *p = run(b->g, NULL, "ref");
  compare(p, plain);
  assert_int_equal(count(p, &gi_op_batch_norm_act), forward);
  glia_plan_free(p);
  glia_plan_free(plain);
  glia_graph_free(b->g);
}

static void test_norm_and_relu(void **state) {
  (void)state;
  const block b = open_block();
  glia_value y = glia_relu(norm(&b, 0, glia_tanh(b.x)));
  y = glia_relu(norm(&b, 1, glia_sin(y)));
  finish(&b, y);
  check(&b, 2, 2);
}

/* x comes round the block unchanged, or through a norm of its own; on either side. */
static void test_residuals(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) {
    const block b = open_block();
    const glia_value h = norm(&b, 0, glia_tanh(b.x));
    const glia_value skip = way < 2 ? b.z : norm(&b, 1, glia_sin(b.z));
    finish(&b, glia_relu(way % 2 ? glia_add(skip, h) : glia_add(h, skip)));
    check(&b, 1, 1);
  }
}

static void test_a_chain_of_blocks(void **state) {
  (void)state;
  const block b = open_block();
  glia_value h = glia_relu(norm(&b, 0, b.x));
  h = glia_relu(glia_add(norm(&b, 1, glia_sin(h)), h));
  finish(&b, h);
  check(&b, 2, 2);
}

/* What a norm gives is wanted elsewhere too; what is added depends on its mean; what is added
 * is broadcast. */
static void test_not_fused(void **state) {
  (void)state;
  block b = open_block();
  const glia_value h = norm(&b, 0, b.x);
  finish(&b, glia_mul(glia_relu(h), h));
  check(&b, 0, 0);

  b = open_block();
  glia_value mean;
  const glia_value y = glia_batch_norm_train(b.x, b.gamma[0], b.beta[0], 1e-5, &mean, NULL);
  const glia_value more = glia_mul(b.z, glia_reshape(mean, 3, (const int64_t[]){C, 1, 1}));
  finish(&b, glia_relu(glia_add(y, more)));
  check(&b, 0, 0);

  b = open_block();
  const glia_value row = glia_reshape(b.beta[1], 3, (const int64_t[]){C, 1, 1});
  finish(&b, glia_relu(glia_add(norm(&b, 0, b.x), row)));
  check(&b, 0, 0);
}

/* Forward only: the mask of the gradient is of another kind, or goes through pooling. */
static void test_forward_alone(void **state) {
  (void)state;
  block b = open_block();
  const glia_value r = glia_relu(norm(&b, 0, b.x));
  const glia_value small = glia_max_pool2d(r, .kernel = {2, 2});
  const glia_value loss = glia_sum(glia_exp(small));
  glia_value d;
  OK(glia_grad(loss, &b.x, 1, &d));
  glia_output("dx", d);
  glia_output("y", small);
  check(&b, 1, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_norm_and_relu),     cmocka_unit_test(test_residuals),
      cmocka_unit_test(test_a_chain_of_blocks), cmocka_unit_test(test_not_fused),
      cmocka_unit_test(test_forward_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
