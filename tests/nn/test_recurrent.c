/* test_recurrent.c - rnn, gru and lstm against PyTorch's (tools/golden_recurrent.py), and what
 * PyTorch does not have: peepholes, weight dropout, lengths that are wrong.
 */
#include "golden_graph.h"

#include "nn/recurrent.h"

/* ---- against PyTorch --------------------------------------------------------------------- */

/* Parameters are inputs of the graph. */
static glia_value weight(void *user, const char *name, int rank, const int64_t *shape,
                         double bound) {
  const glia_value v = golden_input(user, name);
  (void)bound;
  if (v.graph == NULL) return v;
  assert_int_equal(glia_value_rank(v), rank);
  for (int d = 0; d < rank; d++) assert_int_equal(glia_value_dim(v, d), shape[d]);
  return v;
}

static bool flag(const golden_graph *m, const char *key, bool dflt) {
  return gi_json_bool(gi_json_get(m->file.attributes, key), dflt);
}

static gi_recurrent_kind kind_of(const golden_graph *m) {
  return strcmp(m->file.op, "RNN") == 0   ? GI_RNN
         : strcmp(m->file.op, "GRU") == 0 ? GI_GRU
                                          : GI_LSTM;
}

/* Results "y", "h", "c" as outputs; the sum of them with their cotangents. */
static glia_value build(golden_graph *m) {
  static const char *const names[] = {"y", "h", "c"};
  glia_value out[3] = {GLIA_NONE, GLIA_NONE, GLIA_NONE}, loss = GLIA_NONE;
  const glia_recurrent_opts o = {
      .size = sizeof o,
      .units = (int64_t)golden_number(&m->file, "hidden_size", 0),
      .layers = (int64_t)golden_number(&m->file, "num_layers", 1),
      .bidirectional = flag(m, "bidirectional", false),
      .batch_first = flag(m, "batch_first", false),
      .no_bias = !flag(m, "bias", true),
      .activation = gi_json_str(gi_json_get(m->file.attributes, "nonlinearity"), "tanh"),
      .projection = (int64_t)golden_number(&m->file, "proj_size", 0),
      .lengths = golden_input(m, "lengths"),
      .h0 = golden_input(m, "h0"),
      .c0 = golden_input(m, "c0"),
      .final_h = &out[1],
      .final_c = &out[2]};
  const gi_recurrent_weights weights = {NULL, weight, m};
  out[0] = gi_recurrent_stack(kind_of(m), &weights, golden_input(m, "x"), &o);
  OK(glia_graph_status(m->g));
  for (int i = 0; i < (kind_of(m) == GI_LSTM ? 3 : 2); i++) {
    char name[48];
    snprintf(name, sizeof name, "cotangent.%s", names[i]);
    glia_output(names[i], out[i]);
    const glia_value part = golden_total(m, out[i], name);
    loss = loss.graph == NULL ? part : glia_add(loss, part);
  }
  return loss;
}

static int check_file(const golden_case *c) {
  golden_graph m = golden_graph_open(c);
  const int grads = golden_gradients(&m, build(&m), NULL);
  assert_true(grads >= 3); /* x, weight_ih, weight_hh at least */
  golden_run(&m);
  golden_compare(&m, c->tolerance);
  golden_graph_close(&m);
  return 1;
}

static golden_suite suite = {"recurrent", 33, 1e-11, 1e-5, check_file};

/* ---- layers ------------------------------------------------------------------------------ */

typedef struct net {
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
  glia_value x;
} net;

enum { T = 6, N = 4, FEATURES = 3 };

static net net_new(bool train) {
  net n;
  OK(glia_graph_new(&n.g));
  OK(glia_store_new(&n.store));
  n.s = glia_scope_new(
      n.g, n.store,
      &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = train, .seed = 1});
  n.x = glia_random_normal(n.g, GLIA_F32, 3, (const int64_t[]){T, N, FEATURES}, 0, 1, 7);
  return n;
}
static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

static void expect_parameter(const net *n, const char *name, int rank, int64_t a, int64_t b,
                             double bound) {
  const glia_tensor *t = glia_store_get(n->store, name);
  if (t == NULL) fail_msg("there is no %s", name);
  assert_int_equal(glia_tensor_rank(t), rank);
  assert_int_equal(glia_tensor_shape(t)[0], a);
  if (rank > 1) assert_int_equal(glia_tensor_shape(t)[1], b);
  double most = 0;
  for (int64_t i = 0; i < glia_tensor_count(t); i++)
    most = fmax(most, fabs(glia_tensor_get(t, i)));
  assert_true(most <= bound && most > bound / 4);
}

static void test_parameters_as_pytorch(void **state) {
  (void)state;
  net n = net_new(true);
  glia_lstm(n.s, "a", n.x, .units = 4, .layers = 2, .bidirectional = true, .projection = 2,
            .peepholes = true);
  glia_gru(n.s, "b", n.x, .units = 4);
  OK(glia_graph_status(n.g));
  expect_parameter(&n, "a.weight_ih_l0", 2, 16, 3, 0.5);
  expect_parameter(&n, "a.weight_hh_l0_reverse", 2, 16, 2, 0.5);
  expect_parameter(&n, "a.weight_hr_l1", 2, 2, 4, 0.5);
  expect_parameter(&n, "a.weight_ih_l1_reverse", 2, 16, 4, 0.5);
  expect_parameter(&n, "a.bias_ih_l1", 1, 16, 0, 0.5);
  expect_parameter(&n, "a.bias_hh_l0_reverse", 1, 16, 0, 0.5);
  expect_parameter(&n, "a.weight_peephole_l0", 2, 3, 4, 0.5);
  expect_parameter(&n, "b.weight_hh_l0", 2, 12, 4, 0.5);
  net_free(&n);
}

static void test_parameters_of_cells(void **state) {
  (void)state;
  net n = net_new(true);
  glia_value c = GLIA_NONE;
  const glia_value x =
      glia_reshape(glia_slice(n.x, 0, 0, 1, 1), 2, (const int64_t[]){N, FEATURES});
  const glia_value h = glia_lstm_cell(n.s, "a", x, .units = 4, .next_c = &c);
  glia_lstm_cell(n.s, "a", x, .units = 4, .h = h, .c = c); /* the same parameters */
  glia_gru_cell(n.s, "b", x, .units = 4, .reset_before = true, .no_bias = true);
  OK(glia_graph_status(n.g));
  assert_int_equal(glia_value_rank(h), 2);
  assert_int_equal(glia_value_dim(c, 1), 4);
  expect_parameter(&n, "a.weight_ih", 2, 16, 3, 0.5);
  expect_parameter(&n, "a.bias_hh", 1, 16, 0, 0.5);
  expect_parameter(&n, "b.weight_hh", 2, 12, 4, 0.5);
  assert_null(glia_store_get(n.store, "b.bias_ih"));
  net_free(&n);
}

static double sum_of(glia_value v) {
  glia_tensor *t = NULL;
  OK(glia_eval(glia_sum(glia_abs(v)), &t));
  const double sum = glia_tensor_get(t, 0);
  glia_tensor_free(t);
  return sum;
}

static void test_last_state_alone(void **state) {
  (void)state;
  net n = net_new(false);
  glia_value h = GLIA_NONE;
  const glia_value y = glia_gru(n.s, "a", n.x, .units = 5, .final_h = &h);
  const glia_value last = glia_gru(n.s, "a", n.x, .units = 5, .last_only = true);
  const glia_value end =
      glia_reshape(glia_slice(y, 0, T - 1, T, 1), 2, (const int64_t[]){N, 5});
  assert_int_equal(glia_value_rank(last), 2);
  assert_true(sum_of(last) > 0.1);
  NEAR(sum_of(glia_sub(last, end)), 0, 0);
  NEAR(sum_of(glia_sub(glia_reshape(h, 2, (const int64_t[]){N, 5}), end)), 0, 0);
  net_free(&n);
}

/* Dropout of weights and between layers changes what comes out of training, and only that; at
 * a rate near 1 the states are nearly those of no recurrence at all. */
static void test_dropout_is_for_training(void **state) {
  (void)state;
  for (int train = 0; train < 2; train++) {
    net n = net_new(train);
    const glia_value plain = glia_lstm(n.s, "a", n.x, .units = 8, .layers = 2);
    const glia_value weights =
        glia_lstm(n.s, "a", n.x, .units = 8, .layers = 2, .weight_dropout = 0.5);
    const glia_value layers = glia_lstm(n.s, "a", n.x, .units = 8, .layers = 2, .dropout = 0.5);
    const glia_value same =
        glia_lstm(n.s, "a", n.x, .units = 8, .layers = 2, .dropout = 0.5, .variational = true);
    OK(glia_graph_status(n.g));
    const double a = sum_of(glia_sub(plain, weights)), b = sum_of(glia_sub(plain, layers)),
                 c = sum_of(glia_sub(plain, same));
    if (train) {
      assert_true(a > 0.01 && b > 0.01 && c > 0.01);
    } else {
      NEAR(a, 0, 0);
      NEAR(b, 0, 0);
      NEAR(c, 0, 0);
    }
    net_free(&n);
  }
}

/* ---- what is refused --------------------------------------------------------------------- */

static void refuses(glia_value v, net *n, glia_status want, const char *words) {
  assert_null(v.graph);
  assert_int_equal(glia_graph_status(n->g), want);
  if (strstr(glia_error_message(), words) == NULL)
    fail_msg("\"%s\" has no \"%s\"", glia_error_message(), words);
  net_free(n);
}

static void test_refused(void **state) {
  (void)state;
  net n = net_new(true);
  refuses(glia_lstm(n.s, "a", n.x), &n, GLIA_INVALID, "a: lstm: units");
  n = net_new(true);
  refuses(glia_lstm(n.s, "a", n.x, .units = 2, .layers = 65), &n, GLIA_INVALID, "layers");
  n = net_new(true);
  refuses(glia_lstm(n.s, "a", n.x, .units = 2, .projection = 2), &n, GLIA_INVALID,
          "projection");
  n = net_new(true);
  refuses(glia_gru(n.s, "a", n.x, .units = 3, .projection = 2), &n, GLIA_INVALID, "lstm");
  n = net_new(true);
  refuses(glia_lstm(n.s, "a", n.x, .units = 3, .reset_before = true), &n, GLIA_INVALID,
          "reset_before is for gru");
  n = net_new(true);
  refuses(glia_gru_cell(n.s, "a", n.x, .units = 3), &n, GLIA_SHAPE, "gru_cell: x has rank 3");
  n = net_new(true);
  refuses(glia_rnn(n.s, "a", n.x, .units = 3, .activation = "gelu"), &n, GLIA_INVALID,
          "tanh or relu");
  n = net_new(true);
  refuses(glia_gru(n.s, "a", n.x, .units = 3, .activation = "relu"), &n, GLIA_INVALID,
          "gru: the activation is relu");
  n = net_new(true);
  refuses(glia_rnn(n.s, "a", n.x, .units = 3, .dropout = 1), &n, GLIA_INVALID, "dropout");
  n = net_new(true);
  refuses(
      glia_rnn(n.s, "a", glia_reshape(n.x, 2, (const int64_t[]){T, N * FEATURES}), .units = 3),
      &n, GLIA_SHAPE, "[T, N, features]");
  n = net_new(true);
  refuses(glia_rnn(n.s, "a", n.x, .units = 3, .h0 = n.x), &n, GLIA_SHAPE, "h0 is [6, 4, 3]");
  n = net_new(true);
  refuses(glia_rnn(n.s, "a", n.x, .units = 3, .lengths = glia_range(n.g, N + 1, GLIA_I64)), &n,
          GLIA_SHAPE, "lengths");
}

/* A length that is no length fails the run, by the layer's name and the first bad place, on
 * every backend. */
static void test_wrong_lengths_at_run_time(void **state) {
  static const int64_t wrong[][N] = {{1, 7, 9, 2}, {1, -1, 0, 2}};
  static const char *const backends[] = {"ref", NULL};
  (void)state;
  for (int i = 0; i < 4; i++) {
    net n = net_new(true);
    glia_plan *p = NULL;
    const int64_t shape[] = {N};
    const glia_value lengths = glia_constant(n.g, GLIA_I64, 1, shape, wrong[i / 2]);
    glia_output("y", glia_lstm(n.s, "a", n.x, .units = 3, .lengths = lengths));
    OK(glia_compile(n.g, &p, .backend = backends[i % 2], .skip = "simplify"));
    assert_int_equal(glia_plan_run(p), GLIA_INVALID);
    if (strstr(glia_error_message(), "a: lstm: the length of sequence 1 is") == NULL)
      fail_msg("\"%s\" does not name the place", glia_error_message());
    glia_plan_free(p);
    net_free(&n);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      GOLDEN_TESTS(suite),
      cmocka_unit_test(test_parameters_as_pytorch),
      cmocka_unit_test(test_parameters_of_cells),
      cmocka_unit_test(test_last_state_alone),
      cmocka_unit_test(test_dropout_is_for_training),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_wrong_lengths_at_run_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
