/* The simplify pass: what it drops, what it must not, and that nothing it does can be seen in
 * the result, not even with zeros of either sign, infinities and NaN.
 */
#include "test.h"

#include "compile/plan.h"
#include "glia/glia.h"

static const double special[] = {0.0,      -0.0,      1,   -1,     0.5,   2.5,    -3,
                                 INFINITY, -INFINITY, NAN, 1e-310, 1e300, -1e300, 7};
enum { N = GI_COUNT(special) };

static glia_value x_of(glia_graph *g) {
  return glia_input(g, "x", GLIA_F64, 1, (const int64_t[]){N});
}

static glia_plan *compile(glia_graph *g, const char *skip) {
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .backend = "ref", .skip = skip));
  return p;
}

/* The graph's output "y" of the special values, with and without the pass. */
static void run(glia_graph *g, const char *skip, double out[N]) {
  glia_tensor *x = NULL;
  glia_plan *p = compile(g, skip);
  OK(glia_tensor_from(GLIA_F64, 1, (const int64_t[]){N}, special, &x));
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_run(p));
  for (int i = 0; i < N; i++) out[i] = glia_tensor_get(glia_plan_output(p, "y"), i);
  glia_plan_free(p);
  glia_tensor_free(x);
}

static void check_same(glia_graph *g, const char *what) {
  double with[N], without[N];
  OK(glia_graph_status(g));
  run(g, NULL, with);
  run(g, "all", without);
  for (int i = 0; i < N; i++)
    if (with[i] != without[i] && !(isnan(with[i]) && isnan(without[i])))
      fail_msg("%s of %g is %.17g, wanted %.17g", what, special[i], with[i], without[i]);
}

/* ---- values ------------------------------------------------------------------------------ */

typedef glia_value (*two)(glia_value, glia_value);

static void test_neutral_operands_are_exact(void **state) {
  static const struct {
    const char *what;
    two op;
    double c;
    bool first;
  } cases[] = {
      {"x + 0", glia_add, 0, false},   {"0 + x", glia_add, 0, true},
      {"x - 0", glia_sub, 0, false},   {"0 - x", glia_sub, 0, true},
      {"x 1", glia_mul, 1, false},     {"1 x", glia_mul, 1, true},
      {"x 0", glia_mul, 0, false},     {"x / 1", glia_div, 1, false},
      {"1 / x", glia_div, 1, true},    {"x^1", glia_pow, 1, false},
      {"x^0.5", glia_pow, 0.5, false}, {"x^0", glia_pow, 0, false},
      {"1^x", glia_pow, 1, true},      {"max(x, 0)", glia_maximum, 0, false},
  };
  (void)state;
  for (int i = 0; i < GI_COUNT(cases); i++)
    for (int wide = 0; wide < 2; wide++) { /* a scalar, and a whole tensor of it */
      glia_graph *g = NULL;
      OK(glia_graph_new(&g));
      const glia_value x = x_of(g);
      const glia_value c =
          wide ? glia_full_like(x, cases[i].c) : glia_scalar_like(x, cases[i].c);
      glia_output("y", cases[i].first ? cases[i].op(c, x) : cases[i].op(x, c));
      check_same(g, cases[i].what);
      glia_graph_free(g);
    }
}

/* A group of constants that differ in the sign of zero is not one number. */
static void test_zeros_of_both_signs(void **state) {
  (void)state;
  double zeros[N] = {0};
  glia_graph *g = NULL;
  for (int i = 0; i < N; i += 2) zeros[i] = -0.0;
  OK(glia_graph_new(&g));
  const glia_value z = glia_constant(g, GLIA_F64, 1, (const int64_t[]){N}, zeros);
  glia_output("y", glia_neg(glia_div(glia_square(x_of(g)), z)));
  check_same(g, "-(x^2 / +-0)");
  glia_graph_free(g);
}

/* The scalar x[0] takes its width from a constant alone. */
static void test_shape_from_a_constant(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = x_of(g);
  const glia_value one = glia_reshape(glia_slice(x, 0, 5, 6, 1), 0, NULL);
  const glia_value wide = glia_add(one, glia_full_like(x, 3));
  glia_output("y", glia_relu(glia_neg(wide)));
  check_same(g, "-(x[5] + 3)");
  glia_graph_free(g);
}

/* ---- nodes ------------------------------------------------------------------------------- */

static int nodes(const glia_plan *p, const char *op) {
  int n = 0;
  for (size_t k = 0; k < p->graph->nodes.n; k++)
    n += strcmp(p->graph->nodes.at[k]->op->name, op) == 0;
  return n;
}

/* Compiles with simplify alone. */
static glia_plan *simplified(glia_graph *g) {
  OK(glia_graph_status(g));
  return compile(g, "fuse_ops,fuse,layout");
}

static void test_round_trips_go_away(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = x_of(g);
  const glia_value there = glia_reshape(x, 2, (const int64_t[]){2, N / 2});
  glia_value y = glia_reshape(there, 1, (const int64_t[]){N});
  y = glia_neg(glia_neg(y));
  y = glia_stop_gradient(y);
  y = glia_add(glia_mul(y, glia_scalar_like(y, 1)), glia_scalar_like(y, 0));
  glia_output("y", glia_exp(y));
  glia_plan *p = simplified(g);
  assert_int_equal(p->n_steps, 1);
  glia_plan_free(p);
  glia_graph_free(g);
}

static void test_constants_are_computed_now(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = x_of(g);
  glia_value c = glia_sin(glia_add(glia_scalar_like(x, 1), glia_scalar_like(x, 2)));
  glia_output("y", glia_mul(x, c));
  glia_plan *p = simplified(g);
  assert_int_equal(p->n_steps, 1);
  assert_int_equal(nodes(p, "sin"), 0);
  glia_plan_free(p);
  glia_graph_free(g);
}

/* Chance is fresh at every step, also of a constant; a large constant is not spelled out. */
static void test_what_is_not_computed_now(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value one = glia_scalar(g, GLIA_F64, 1);
  const glia_value wide = glia_broadcast_to(one, 1, (const int64_t[]){100000});
  glia_output("d", glia_dropout_with(glia_exp(one), 0.5, 1));
  glia_output("w", glia_exp(wide));
  glia_plan *p = simplified(g);
  assert_int_equal(nodes(p, "dropout"), 1);
  assert_int_equal(nodes(p, "broadcast_to"), 1);
  glia_plan_free(p);
  glia_graph_free(g);
}

/* An index out of range among constants is reported when it runs, as any other. */
static void test_a_constant_that_fails(void **state) {
  (void)state;
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  const int64_t three = 3, index[] = {0, 7, 1};
  const double data[] = {1, 2, 3};
  OK(glia_graph_new(&g));
  const glia_value i = glia_constant(g, GLIA_I64, 1, &three, index);
  glia_output("y", glia_gather(glia_constant(g, GLIA_F64, 1, &three, data), i, 0));
  OK(glia_compile(g, &p, .backend = "ref"));
  const glia_status s = glia_plan_run(p);
  assert_int_not_equal(s, GLIA_OK);
  assert_non_null(strstr(glia_error_message(), "7"));
  glia_plan_free(p);
  glia_graph_free(g);
}

static void test_broadcasts_go_into_their_users(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  const glia_value x = x_of(g), s = glia_input(g, "s", GLIA_F64, 0, NULL);
  glia_output("y", glia_add(x, glia_broadcast_to(s, 1, (const int64_t[]){N})));
  glia_output("z", glia_exp(glia_broadcast_to(s, 1, (const int64_t[]){N}))); /* alone: stays */
  glia_plan *p = simplified(g);
  assert_int_equal(p->n_steps, 3);
  glia_plan_free(p);
  glia_graph_free(g);
}

static void test_equal_and_dead_nodes(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  g->no_cse = true;
  const glia_value x = x_of(g), s = glia_scalar_like(x, 3);
  glia_log(glia_abs(x)); /* nobody asks for it */
  glia_output("y", glia_mul(glia_exp(glia_mul(x, s)), glia_exp(glia_mul(s, x))));
  glia_plan *p = simplified(g);
  assert_int_equal(nodes(p, "log"), 0);
  assert_int_equal(nodes(p, "exp"), 1);
  assert_int_equal(p->n_steps, 3);
  glia_plan_free(p);
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_neutral_operands_are_exact),
      cmocka_unit_test(test_zeros_of_both_signs),
      cmocka_unit_test(test_shape_from_a_constant),
      cmocka_unit_test(test_round_trips_go_away),
      cmocka_unit_test(test_constants_are_computed_now),
      cmocka_unit_test(test_what_is_not_computed_now),
      cmocka_unit_test(test_a_constant_that_fails),
      cmocka_unit_test(test_broadcasts_go_into_their_users),
      cmocka_unit_test(test_equal_and_dead_nodes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
