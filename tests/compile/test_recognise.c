/* What exporters write in place of attention and layer normalisation becomes their ops, with
 * the same results; what only looks like it, or is read elsewhere too, stays as it is. */
#include "compile/check_plan.h"
#include "glia/glia.h"

enum { N = 2, H = 3, T = 5, S = 7, D = 4, INPUTS = 4 };
static const int64_t heads[] = {N, T, H, D}, keys[] = {N, S, H, D}, row[] = {D};

typedef struct model {
  glia_graph *g;
  glia_value in[INPUTS];
  int n;
} model;

static glia_value input(model *m, int rank, const int64_t *shape) {
  char name[16];
  snprintf(name, sizeof name, "x%d", m->n);
  return m->in[m->n++] = glia_input(m->g, name, GLIA_F32, rank, shape);
}

/* [N, T, H, D] -> [N, H, T, D], as exporters write it */
static glia_value to_heads(glia_value x) { return glia_permute(x, (int[]){0, 2, 1, 3}); }

/* ---- attention --------------------------------------------------------------------------- */

typedef struct parts {
  glia_value q, k, v;
} parts;
static parts parts_of(model *m) {
  const parts p = {to_heads(input(m, 4, heads)), input(m, 4, keys),
                   to_heads(input(m, 4, keys))};
  return p;
}
/* q k^T, the keys turned in one go */
static glia_value product(const parts *p) {
  return glia_matmul(p->q, glia_permute(p->k, (int[]){0, 2, 3, 1}));
}

static glia_value plain(model *m) {
  const parts p = parts_of(m);
  const glia_value scores = glia_div(product(&p), glia_scalar(m->g, GLIA_F32, sqrt(D)));
  return glia_matmul(glia_softmax(scores, -1), p.v);
}
static glia_value masked(model *m) {
  const parts p = parts_of(m);
  const glia_value mask = input(m, 4, (const int64_t[]){N, 1, 1, S});
  const glia_value scores = glia_mul(glia_scalar(m->g, GLIA_F32, 0.5), product(&p));
  return glia_matmul(glia_softmax(glia_add(mask, scores), 3), p.v);
}
static glia_value scaled_mask(model *m) {
  const parts p = parts_of(m);
  const glia_value mask = input(m, 4, (const int64_t[]){N, 1, T, S});
  const glia_value scores = glia_add(product(&p), mask);
  const glia_value half = glia_scalar(m->g, GLIA_F32, 0.5);
  return glia_matmul(glia_softmax(glia_mul(scores, half), 3), p.v);
}
static glia_value weights_too(model *m) {
  const parts p = parts_of(m);
  const glia_value weights = glia_softmax(product(&p), 3);
  glia_output("weights", weights);
  return glia_matmul(weights, p.v);
}
static glia_value other_axis(model *m) {
  const parts p = parts_of(m);
  return glia_matmul(glia_softmax(product(&p), 2), p.v);
}

/* ---- layer normalisation ----------------------------------------------------------------- */

static glia_value norm(model *m, glia_value x, int axis, bool square) {
  const glia_value mean = glia_mean(x, .n = 1, .axes = {axis}, .keep = true);
  const glia_value d = glia_sub(x, mean);
  const glia_value two = glia_scalar(m->g, GLIA_F32, 2);
  const glia_value squares = square ? glia_square(d) : glia_pow(d, two);
  const glia_value variance = glia_mean(squares, .n = 1, .axes = {axis}, .keep = true);
  const glia_value sum = glia_add(variance, glia_scalar(m->g, GLIA_F32, 1e-5));
  return glia_div(d, glia_sqrt(sum));
}
static glia_value whole_norm(model *m) {
  const glia_value n = norm(m, input(m, 4, heads), -1, false);
  return glia_add(glia_mul(n, input(m, 1, row)), input(m, 1, row));
}
static glia_value bare_norm(model *m) { return norm(m, input(m, 4, heads), -1, true); }
static glia_value norm_of_rows(model *m) { return norm(m, input(m, 4, heads), 1, true); }

/* ---- running ----------------------------------------------------------------------------- */

static glia_tensor *result(glia_value (*build)(model *m), const char *skip, const char *op,
                           bool *there) {
  model m = {.n = 0};
  glia_plan *p = NULL;
  glia_tensor *in[INPUTS] = {NULL}, *y = NULL;
  OK(glia_graph_new(&m.g));
  glia_output("y", build(&m));
  OK(glia_compile(m.g, &p, .skip = skip, .backend = "ref"));
  check_plan(p);
  for (int k = 0; k < m.n; k++) {
    char name[16];
    snprintf(name, sizeof name, "x%d", k);
    OK(glia_tensor_new(GLIA_F32, glia_value_rank(m.in[k]), glia_value_shape(m.in[k]), &in[k]));
    for (int64_t e = 0; e < glia_tensor_count(in[k]); e++)
      glia_tensor_set(in[k], e, 1.5 * sin((double)(37 * e + 11 * k)));
    OK(glia_plan_bind(p, name, in[k]));
  }
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "y"), &y));
  char *text = glia_plan_text(p);
  assert_non_null(text);
  *there = strstr(text, op) != NULL;
  free(text);
  for (int k = 0; k < m.n; k++) glia_tensor_free(in[k]);
  glia_plan_free(p);
  glia_graph_free(m.g);
  return y;
}

static void check(glia_value (*build)(model *m), const char *op, bool wanted) {
  bool before = false, after = false;
  glia_tensor *a = result(build, "recognise", op, &before);
  glia_tensor *b = result(build, NULL, op, &after);
  assert_false(before);
  assert_int_equal(after, wanted);
  assert_int_equal(glia_tensor_count(a), glia_tensor_count(b));
  for (int64_t i = 0; i < glia_tensor_count(a); i++)
    NEAR(glia_tensor_get(a, i), glia_tensor_get(b, i), 1e-5);
  glia_tensor_free(a);
  glia_tensor_free(b);
}

static void test_attention(void **state) {
  (void)state;
  check(plain, "attention", true);
  check(masked, "attention", true);
}

static void test_not_attention(void **state) {
  (void)state;
  check(scaled_mask, "attention", false);
  check(weights_too, "attention", false);
  check(other_axis, "attention", false);
}

static void test_layer_norm(void **state) {
  (void)state;
  check(whole_norm, "layer_norm", true);
  check(bare_norm, "layer_norm", true);
  check(norm_of_rows, "layer_norm", false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_attention),
      cmocka_unit_test(test_not_attention),
      cmocka_unit_test(test_layer_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
