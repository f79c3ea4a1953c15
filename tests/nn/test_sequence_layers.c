/* test_sequence_layers.c - norms, embeddings, attention and the layers of transformers: names
 * and shapes of parameters as in PyTorch's checkpoints, running statistics, chance, and what is
 * refused in whose words. (Results against PyTorch's: tests/golden/transformer.)
 */
#include "test.h"

#include "glia/glia.h"

typedef struct net {
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
} net;

static net net_new(bool train) {
  net n;
  const glia_scope_opts o = {.size = sizeof o, .train = train, .seed = 1};
  OK(glia_graph_new(&n.g));
  OK(glia_store_new(&n.store));
  n.s = glia_scope_new(n.g, n.store, &o);
  return n;
}
static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

static void has(const net *n, const char *name, int rank, int64_t a, int64_t b) {
  const glia_tensor *t = glia_store_get(n->store, name);
  if (t == NULL) fail_msg("there is no %s", name);
  const int64_t want[] = {a, b};
  assert_int_equal(glia_tensor_rank(t), rank);
  for (int d = 0; d < GI_MIN(rank, 2); d++) assert_int_equal(glia_tensor_shape(t)[d], want[d]);
}

static glia_value sequence(const net *n, const char *name, int64_t t, int64_t e) {
  return glia_input(n->g, name, GLIA_F32, 3, (const int64_t[]){2, t, e});
}

/* ---- names and shapes -------------------------------------------------------------------- */

static void test_parameters_are_pytorchs(void **state) {
  (void)state;
  net n = net_new(true);
  const glia_value x = sequence(&n, "x", 5, 12), memory = sequence(&n, "memory", 4, 12);
  glia_transformer_encoder_layer(n.s, "enc", x, .heads = 3, .inner = 20);
  glia_transformer_decoder_layer(n.s, "dec", x, .heads = 3, .memory = memory);
  glia_multi_head_attention(n.s, "mha", x, .heads = 2, .key = sequence(&n, "key", 7, 8),
                            .bias_kv = true);
  glia_rms_norm(n.s, "rms", x);
  glia_layer_norm(n.s, "ln", x, .axes = 2, .no_bias = true);
  OK(glia_graph_status(n.g));
  has(&n, "enc.self_attn.in_proj_weight", 2, 36, 12);
  has(&n, "enc.self_attn.in_proj_bias", 1, 36, 0);
  has(&n, "enc.self_attn.out_proj.weight", 2, 12, 12);
  has(&n, "enc.linear1.weight", 2, 20, 12);
  has(&n, "enc.linear2.bias", 1, 12, 0);
  has(&n, "enc.norm2.weight", 1, 12, 0);
  has(&n, "dec.multihead_attn.in_proj_weight", 2, 36, 12);
  has(&n, "dec.linear1.weight", 2, 2048, 12);
  has(&n, "dec.norm3.bias", 1, 12, 0);
  has(&n, "mha.q_proj_weight", 2, 12, 12);
  has(&n, "mha.k_proj_weight", 2, 12, 8);
  has(&n, "mha.v_proj_weight", 2, 12, 8);
  has(&n, "mha.bias_k", 3, 1, 1);
  has(&n, "rms.weight", 1, 12, 0);
  has(&n, "ln.weight", 2, 5, 12);
  assert_null(glia_store_get(n.store, "ln.bias"));
  assert_null(glia_store_get(n.store, "rms.bias"));
  assert_null(glia_store_get(n.store, "mha.in_proj_weight"));
  net_free(&n);
}

static void test_the_row_of_padding_begins_as_zeros(void **state) {
  const int64_t shape[] = {3};
  (void)state;
  net n = net_new(true);
  glia_embedding(n.s, "e", glia_input(n.g, "i", GLIA_I64, 1, shape), .rows = 5, .width = 4,
                 .padded = true, .padding = -1);
  OK(glia_graph_status(n.g));
  const glia_tensor *w = glia_store_get(n.store, "e.weight");
  for (int i = 0; i < 20; i++) assert_int_equal(glia_tensor_get(w, i) == 0, i >= 16);
  net_free(&n);
}

/* Of a bag the row of padding is left out: what is left of {4, 1} is row 1. */
static void test_bags(void **state) {
  const int64_t shape[] = {2, 2}, index[] = {4, 1, 0, 2};
  static const glia_bag_mode modes[] = {GLIA_BAG_MEAN, GLIA_BAG_SUM, GLIA_BAG_MAX};
  (void)state;
  for (int m = 0; m < 3; m++) {
    net n = net_new(true);
    glia_tensor *t = NULL;
    const glia_value y =
        glia_embedding_bag(n.s, "b", glia_constant(n.g, GLIA_I64, 2, shape, index), .rows = 5,
                           .width = 3, .mode = modes[m], .padded = true, .padding = -1);
    OK(glia_eval(y, &t));
    const glia_tensor *w = glia_store_get(n.store, "b.weight");
    for (int k = 0; k < 3; k++) {
      const double a = glia_tensor_get(w, k), b = glia_tensor_get(w, 6 + k);
      NEAR(glia_tensor_get(w, 12 + k), 0, 0);
      NEAR(glia_tensor_get(t, k), glia_tensor_get(w, 3 + k), 1e-6);
      NEAR(glia_tensor_get(t, 3 + k), m == 0 ? (a + b) / 2 : m == 1 ? a + b : fmax(a, b), 1e-6);
    }
    glia_tensor_free(t);
    net_free(&n);
  }
}

/* ---- running statistics ------------------------------------------------------------------ */

/* x [2, 1, 3] = 1 2 3 | 5 5 8: means 2 and 6, variances without bias 1 and 3. */
static void test_instance_norm_tracks(void **state) {
  const int64_t shape[] = {2, 1, 3};
  const float data[] = {1, 2, 3, 5, 5, 8};
  glia_plan *p = NULL;
  (void)state;
  net n = net_new(true);
  const glia_value x = glia_constant(n.g, GLIA_F32, 3, shape, data);
  glia_output("y", glia_instance_norm(n.s, "in", x, .track = true, .momentum = 0.5));
  OK(glia_compile(n.g, &p));
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_store_get(n.store, "in.running_mean"), 0), 2, 1e-6);
  NEAR(glia_tensor_get(glia_store_get(n.store, "in.running_var"), 0), 1.5, 1e-6);
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 2), sqrt(1.5), 1e-4);
  glia_plan_free(p);
  glia_graph_free(n.g);
  OK(glia_graph_new(&n.g)); /* and these are used when it is not training */
  n.s = glia_scope_new(n.g, n.store, NULL);
  const glia_value again = glia_constant(n.g, GLIA_F32, 3, shape, data);
  glia_output("y", glia_instance_norm(n.s, "in", again, .track = true));
  OK(glia_compile(n.g, &p));
  OK(glia_plan_run(p));
  NEAR(glia_tensor_get(glia_plan_output(p, "y"), 5), 6 / sqrt(1.5), 1e-4);
  glia_plan_free(p);
  net_free(&n);
}

/* ---- chance ------------------------------------------------------------------------------ */

static void test_dropout_acts_in_training_alone(void **state) {
  (void)state;
  for (int train = 0; train < 2; train++) {
    net n = net_new(train);
    const glia_value x =
        glia_broadcast_to(glia_scalar(n.g, GLIA_F32, 0.5), 3, (const int64_t[]){1, 6, 8});
    glia_plan *p = NULL;
    for (int i = 0; i < 2; i++)
      glia_output(i == 0 ? "a" : "b",
                  glia_transformer_encoder_layer(n.s, "enc", x, .heads = 2, .inner = 9,
                                                 .dropout = 0.5));
    OK(glia_compile(n.g, &p));
    OK(glia_plan_run(p));
    double apart = 0;
    for (int i = 0; i < 48; i++)
      apart += fabs(glia_tensor_get(glia_plan_output(p, "a"), i) -
                    glia_tensor_get(glia_plan_output(p, "b"), i));
    assert_int_equal(apart > 0.1, train); /* applied twice, a layer draws twice */
    glia_plan_free(p);
    net_free(&n);
  }
}

/* ---- what is refused --------------------------------------------------------------------- */

static void test_what_is_refused(void **state) {
  (void)state;
#define REFUSED(want, says, ...)                   \
  do {                                             \
    net n = net_new(true);                         \
    const glia_value x = sequence(&n, "x", 5, 12); \
    (void)x;                                       \
    __VA_ARGS__;                                   \
    FAILS(glia_graph_status(n.g), want, says);     \
    net_free(&n);                                  \
  } while (0)
  REFUSED(GLIA_INVALID, "mha", glia_multi_head_attention(n.s, "mha", x, .heads = 5));
  REFUSED(GLIA_INVALID, "5 heads of a width of 12",
          glia_transformer_encoder_layer(n.s, "enc", x, .heads = 5));
  REFUSED(GLIA_INVALID, "dropout is 1",
          glia_multi_head_attention(n.s, "mha", x, .heads = 3, .dropout = 1));
  REFUSED(GLIA_SHAPE, "the key has rank 2",
          glia_multi_head_attention(
              n.s, "mha", x, .heads = 3,
              .key = glia_input(n.g, "k", GLIA_F32, 2, (const int64_t[]){4, 12})));
  REFUSED(GLIA_INVALID, "there is no memory",
          glia_transformer_decoder_layer(n.s, "dec", x, .heads = 3));
  REFUSED(GLIA_INVALID, "none is called \"rleu\"",
          glia_transformer_encoder_layer(n.s, "enc", x, .heads = 3, .activation = "rleu"));
  REFUSED(GLIA_INVALID, "rows is 0",
          glia_embedding(n.s, "e", glia_input(n.g, "i", GLIA_I64, 0, NULL), .width = 3));
  REFUSED(GLIA_INVALID, "padding is row 4",
          glia_embedding(n.s, "e", glia_input(n.g, "i", GLIA_I64, 0, NULL), .rows = 4,
                         .width = 3, .padded = true, .padding = 4));
  REFUSED(GLIA_DTYPE, "e: gather: index is f32",
          glia_embedding(n.s, "e", x, .rows = 4, .width = 3));
  REFUSED(GLIA_SHAPE, "rank 3", glia_layer_norm(n.s, "ln", x, .axes = 4));
  REFUSED(GLIA_SHAPE, "group_norm", glia_group_norm(n.s, "gn", x, .groups = 3));
#undef REFUSED
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parameters_are_pytorchs),
      cmocka_unit_test(test_the_row_of_padding_begins_as_zeros),
      cmocka_unit_test(test_bags),
      cmocka_unit_test(test_instance_norm_tracks),
      cmocka_unit_test(test_dropout_acts_in_training_alone),
      cmocka_unit_test(test_what_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
