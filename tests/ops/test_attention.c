/* test_attention.c - attention against the same in plain ops, with tiles cut at odd places;
 * rows that see nothing; memory by length; places and indices out of range.
 */
#include "test.h"

#include "glia/glia.h"
#include "ops/attrs.h"

typedef struct problem {
  int64_t n, h, g, t, s, d, e;
  bool causal;
  int64_t offset;
  int mask; /* 0: none; 1: bools [S]; 2: bools [N, 1, T, S]; 3: floats [H, T, S] */
} problem;

typedef struct inputs {
  glia_value q, k, v, mask, c; /* c: what flows into the result */
} inputs;

static glia_value random_input(glia_graph *g, const char *name, int rank,
                               const int64_t *shape) {
  return glia_input(g, name, GLIA_F32, rank, shape);
}

static inputs make_inputs(glia_graph *g, const problem *p) {
  const int64_t q[] = {p->n, p->h, p->t, p->d}, k[] = {p->n, p->g, p->s, p->d},
                v[] = {p->n, p->g, p->s, p->e}, y[] = {p->n, p->h, p->t, p->e},
                full[] = {p->n, 1, p->t, p->s}, floats[] = {p->h, p->t, p->s};
  inputs in = {random_input(g, "q", 4, q), random_input(g, "k", 4, k),
               random_input(g, "v", 4, v), GLIA_NONE, random_input(g, "c", 4, y)};
  if (p->mask == 1) in.mask = glia_input(g, "mask", GLIA_BOOL, 1, &p->s);
  if (p->mask == 2) in.mask = glia_input(g, "mask", GLIA_BOOL, 4, full);
  if (p->mask == 3) in.mask = glia_input(g, "mask", GLIA_F32, 3, floats);
  return in;
}

/* By products and softmax, as in a textbook. */
static glia_value plainly(const inputs *in, const problem *p) {
  glia_graph *g = in->q.graph;
  const glia_value k = p->h > p->g ? glia_repeat(in->k, 1, p->h / p->g) : in->k,
                   v = p->h > p->g ? glia_repeat(in->v, 1, p->h / p->g) : in->v;
  glia_value s = glia_matmul(in->q, k, .transpose_b = true);
  s = glia_mul(s, glia_scalar_like(s, 1 / sqrt((double)p->d)));
  const glia_value never = glia_scalar_like(s, -1e30);
  if (p->mask == 3)
    s = glia_add(s, in->mask);
  else if (p->mask != 0)
    s = glia_where(in->mask, s, never);
  if (p->causal) {
    const glia_value row =
        glia_reshape(glia_range(g, p->t, GLIA_I64), 2, (const int64_t[]){p->t, 1});
    const glia_value last = glia_add(row, glia_scalar_like(row, (double)p->offset));
    s = glia_where(glia_less_equal(glia_range(g, p->s, GLIA_I64), last), s, never);
  }
  return glia_matmul(glia_softmax(s, -1), v);
}

static void gradients(glia_value y, const inputs *in, const char *prefix) {
  const glia_value loss = glia_sum(glia_mul(y, in->c)), wrt[] = {in->q, in->k, in->v, in->mask};
  const bool floats = in->mask.graph != NULL && glia_value_dtype(in->mask) == GLIA_F32;
  glia_value grads[4];
  char name[16];
  OK(glia_grad(loss, wrt, floats ? 4 : 3, grads));
  for (int i = 0; i < (floats ? 4 : 3); i++) {
    snprintf(name, sizeof name, "%s%d", prefix, i);
    glia_output(name, grads[i]);
  }
}

static glia_tensor *filled(glia_value v, uint64_t seed) {
  glia_tensor *t = NULL;
  const gi_rng r = {seed, 1, 0};
  OK(glia_tensor_new(glia_value_dtype(v), glia_value_rank(v), glia_value_shape(v), &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) {
    const double u = gi_rng_uniform(&r, (uint64_t)i);
    /* every fourth key of each row is seen for certain: the two ways differ in rows of none */
    glia_tensor_set(t, i,
                    glia_tensor_dtype(t) == GLIA_BOOL ? u < 0.5 || i % 4 == 0 : 2 * u - 1);
  }
  return t;
}

static void expect_same(const glia_plan *p, const char *a, const char *b, double tolerance) {
  const glia_tensor *x = glia_plan_output(p, a), *y = glia_plan_output(p, b);
  assert_non_null(x);
  assert_int_equal(glia_tensor_count(x), glia_tensor_count(y));
  for (int64_t i = 0; i < glia_tensor_count(x); i++)
    NEAR(glia_tensor_get(x, i), glia_tensor_get(y, i), tolerance);
}

static void check(const problem *p) {
  static const char *const names[] = {"q", "k", "v", "c", "mask"};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_tensor *held[5] = {NULL};
  OK(glia_graph_new(&g));
  const inputs in = make_inputs(g, p);
  const glia_value all[] = {in.q, in.k, in.v, in.c, in.mask};
  const glia_value tiled = glia_attention(in.q, in.k, in.v, .mask = in.mask,
                                          .causal = p->causal, .offset = p->offset);
  glia_output("tiled", tiled);
  glia_output("plain", plainly(&in, p));
  gradients(tiled, &in, "t");
  gradients(plainly(&in, p), &in, "p");
  OK(glia_compile(g, &plan));
  for (int i = 0; i < 5; i++)
    if (all[i].graph != NULL) {
      held[i] = filled(all[i], (uint64_t)i + 3);
      OK(glia_plan_bind(plan, names[i], held[i]));
    }
  OK(glia_plan_run(plan));
  expect_same(plan, "tiled", "plain", 1e-5);
  for (int i = 0; i < (p->mask == 3 ? 4 : 3); i++) {
    const char a[] = {'t', (char)('0' + i), 0}, b[] = {'p', (char)('0' + i), 0};
    expect_same(plan, a, b, 1e-4);
  }
  glia_plan_free(plan);
  for (int i = 0; i < 5; i++) glia_tensor_free(held[i]);
  glia_graph_free(g);
}

static void test_as_in_plain_ops(void **state) {
  static const problem problems[] = {
      {1, 1, 1, 5, 7, 3, 3, .mask = 0},
      {2, 4, 2, 130, 200, 20, 12, .mask = 0},
      {2, 2, 2, 97, 129, 16, 16, .mask = 1},
      {2, 4, 1, 10, 300, 8, 24, .mask = 2},
      {1, 3, 3, 100, 140, 5, 5, .mask = 3},
      {1, 2, 1, 257, 257, 32, 32, .causal = true},
      {1, 8, 2, 1, 150, 64, 64, .causal = true, .offset = 149},
      {1, 2, 2, 60, 190, 16, 8, .causal = true, .offset = 130, .mask = 1},
      {1, 1, 1, 150, 1300, 8, 8, .causal = true, .offset = 1150},
  };
  (void)state;
  for (int i = 0; i < GI_COUNT(problems); i++) check(&problems[i]);
}

/* ---- rows that see nothing --------------------------------------------------------------- */

static void test_rows_that_see_nothing_are_zero(void **state) {
  static const char *const backends[] = {"ref", NULL};
  const int64_t shape[] = {1, 1, 3, 2}, rows[] = {3, 3};
  const bool seen[] = {true, false, true, false, false, false, false, false, true};
  const float data[] = {1, 2, 3, 4, 5, 6};
  (void)state;
  for (int b = 0; b < GI_COUNT(backends); b++) {
    glia_graph *g = NULL;
    glia_plan *p = NULL;
    glia_tensor *t = NULL;
    OK(glia_graph_new(&g));
    OK(glia_tensor_from(GLIA_F32, 4, shape, data, &t));
    const glia_value x = glia_input(g, "x", GLIA_F32, 4, shape);
    const glia_value mask = glia_constant(g, GLIA_BOOL, 2, rows, seen);
    glia_value log_sum, dx;
    const glia_value y = glia_attention(x, x, x, .mask = mask, .log_sum = &log_sum);
    glia_output("y", y);
    glia_output("log_sum", log_sum);
    OK(glia_grad(glia_sum(glia_mul(y, y)), &x, 1, &dx));
    glia_output("dx", dx);
    OK(glia_compile(g, &p, .backend = backends[b]));
    OK(glia_plan_bind(p, "x", t));
    OK(glia_plan_run(p));
    for (int i = 0; i < 6; i++) {
      const double v = glia_tensor_get(glia_plan_output(p, "y"), i);
      assert_true(isfinite(v) && (i / 2 == 1) == (v == 0));
      assert_true(isfinite(glia_tensor_get(glia_plan_output(p, "dx"), i)));
    }
    NEAR(glia_tensor_get(glia_plan_output(p, "y"), 4), 5, 1e-6); /* it sees itself alone */
    NEAR(glia_tensor_get(glia_plan_output(p, "log_sum"), 1), 0, 0);
    glia_plan_free(p);
    glia_tensor_free(t);
    glia_graph_free(g);
  }
}

/* Where no key is seen at all, nothing reaches queries, keys or values: not NaN times 0. */
static void test_what_is_not_seen_has_no_gradient(void **state) {
  static const char *const backends[] = {"ref", NULL};
  static const char *const names[] = {"y", "dq", "dk", "dv"};
  const int64_t shape[] = {1, 2, 3, 4}, rows[] = {3, 3};
  (void)state;
  for (int b = 0; b < GI_COUNT(backends); b++)
    for (int additive = 0; additive < 2; additive++) {
      glia_graph *g = NULL;
      glia_plan *p = NULL;
      glia_value in[3], d[3];
      OK(glia_graph_new(&g));
      for (uint64_t i = 0; i < 3; i++)
        in[i] = glia_random_normal(g, GLIA_F32, 4, shape, 0, 1, i);
      const glia_value none =
          additive
              ? glia_broadcast_to(glia_scalar(g, GLIA_F32, -INFINITY), 2, rows)
              : glia_cast(glia_broadcast_to(glia_scalar(g, GLIA_F32, 0), 2, rows), GLIA_BOOL);
      const glia_value y = glia_attention(in[0], in[1], in[2], .mask = none);
      OK(glia_grad(glia_sum(glia_add(y, glia_square(y))), in, 3, d));
      glia_output("y", y);
      for (int i = 0; i < 3; i++) glia_output(names[i + 1], d[i]);
      OK(glia_compile(g, &p, .backend = backends[b]));
      OK(glia_plan_run(p));
      for (int i = 0; i < GI_COUNT(names); i++)
        for (int64_t k = 0; k < 24; k++)
          NEAR(glia_tensor_get(glia_plan_output(p, names[i]), k), 0, 0);
      glia_plan_free(p);
      glia_graph_free(g);
    }
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Bytes of a plan of attention and its gradient, for sequences of t. */
static size_t bytes_of(int64_t t) {
  const int64_t shape[] = {1, 2, t, 64};
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  glia_value grads[3];
  OK(glia_graph_new(&g));
  const glia_value in[] = {glia_input(g, "q", GLIA_F32, 4, shape),
                           glia_input(g, "k", GLIA_F32, 4, shape),
                           glia_input(g, "v", GLIA_F32, 4, shape)};
  const glia_value y = glia_attention(in[0], in[1], in[2], .causal = true);
  OK(glia_grad(glia_sum(glia_mul(y, y)), in, 3, grads));
  glia_output("dq", grads[0]);
  glia_output("dk", grads[1]);
  glia_output("dv", grads[2]);
  OK(glia_compile(g, &p, .threads = 2));
  const size_t bytes = glia_plan_bytes(p);
  glia_plan_free(p);
  glia_graph_free(g);
  return bytes;
}

static void test_memory_grows_with_the_length_alone(void **state) {
  (void)state;
#ifdef GI_HAS_CPU
  const size_t base = bytes_of(256);
  for (int64_t t = 512; t <= 8192; t *= 2)
    if (bytes_of(t) > base * (size_t)(t / 256))
      fail_msg("%zu bytes at 256, %zu at %lld", base, bytes_of(t), (long long)t);
#else
  print_message("skipped: no cpu backend\n");
#endif
}

/* ---- dropout ----------------------------------------------------------------------------- */

/* The mean of many results is the result without; half of the weights are gone in each. */
static void test_dropout_keeps_the_mean(void **state) {
  enum { KEYS = 4000 };
  const int64_t q[] = {1, 1, 1, 1}, k[] = {1, 1, KEYS, 1};
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  (void)state;
  OK(glia_graph_new(&g));
  const glia_value one = glia_scalar(g, GLIA_F32, 1);
  const glia_value ones = glia_broadcast_to(one, 4, k);
  glia_output("y", glia_attention(glia_broadcast_to(one, 4, q), ones, ones, .dropout = 0.5,
                                  .stream = 3));
  OK(glia_compile(g, &p));
  double sum = 0, first = 0;
  for (int i = 0; i < 40; i++) {
    OK(glia_plan_run(p));
    const double y = glia_tensor_get(glia_plan_output(p, "y"), 0);
    NEAR(y, 1, 0.1); /* six deviations of 4000 coins */
    if (i == 0) first = y;
    sum += y;
  }
  NEAR(sum / 40, 1, 0.015);
  assert_true(first != 1);
  glia_plan_free(p);
  glia_graph_free(g);
}

/* ---- places out of range ----------------------------------------------------------------- */

static void test_places_out_of_range_are_said(void **state) {
  static const char *const backends[] = {"ref", NULL};
  const int64_t shape[] = {4, 2}, part[] = {2, 2};
  (void)state;
  for (int b = 0; b < GI_COUNT(backends); b++) {
    glia_graph *g = NULL;
    glia_plan *p = NULL;
    glia_tensor *at = NULL;
    OK(glia_graph_new(&g));
    OK(glia_tensor_new(GLIA_I64, 0, NULL, &at));
    const glia_value one = glia_scalar(g, GLIA_F32, 1), zero = glia_scalar(g, GLIA_F32, 0);
    glia_output(
        "y", glia_write_at(glia_broadcast_to(one, 2, shape), glia_broadcast_to(zero, 2, part),
                           glia_input(g, "at", GLIA_I64, 0, NULL), 0));
    OK(glia_compile(g, &p, .backend = backends[b]));
    OK(glia_plan_bind(p, "at", at));
    glia_tensor_set(at, 0, 2);
    OK(glia_plan_run(p));
    NEAR(glia_tensor_get(glia_plan_output(p, "y"), 3), 1, 0);
    NEAR(glia_tensor_get(glia_plan_output(p, "y"), 4), 0, 0);
    glia_tensor_set(at, 0, 3);
    FAILS(glia_plan_run(p), GLIA_INVALID, "2 elements at place 3 of an axis of 4");
    glia_tensor_set(at, 0, -1);
    FAILS(glia_plan_run(p), GLIA_INVALID, "at place -1");
    glia_plan_free(p);
    glia_tensor_free(at);
    glia_graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_in_plain_ops),
      cmocka_unit_test(test_rows_that_see_nothing_are_zero),
      cmocka_unit_test(test_what_is_not_seen_has_no_gradient),
      cmocka_unit_test(test_memory_grows_with_the_length_alone),
      cmocka_unit_test(test_dropout_keeps_the_mean),
      cmocka_unit_test(test_places_out_of_range_are_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
