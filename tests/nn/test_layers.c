/* Layers: PyTorch's results with PyTorch's parameters, names and shapes as in its checkpoints,
 * running statistics, scopes, and what is refused in whose words.
 */
#include "golden_tensors.h"

#include "glia/glia.h"
#include "graph/graph.h"
#include "nn/layer.h"

typedef struct net {
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
} net;

static net net_new(bool train) {
  net n;
  OK(glia_graph_new(&n.g));
  OK(glia_store_new(&n.store));
  n.s = glia_scope_new(
      n.g, n.store,
      &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = train, .seed = 1});
  return n;
}

static void net_free(net *n) {
  glia_graph_free(n->g);
  glia_store_free(n->store);
}

/* A new graph over the same store, as the next trace would be. */
static void net_retrace(net *n, bool train) {
  glia_graph_free(n->g);
  OK(glia_graph_new(&n->g));
  n->s = glia_scope_new(
      n->g, n->store,
      &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = train, .seed = 1});
}

static glia_value image(const net *n, int64_t c, int64_t size) {
  return glia_input(n->g, "x", GLIA_F32, 4, (const int64_t[]){2, c, size, size});
}

/* ---- against PyTorch --------------------------------------------------------------------- */

static void copy_in(const golden *f, const char *name, glia_store *store, const char *ours) {
  if (!golden_has(f, name)) return;
  glia_tensor *t = golden_tensor(f, name), *mine = glia_store_get(store, ours);
  assert_non_null(mine);
  assert_int_equal(glia_tensor_count(t), glia_tensor_count(mine));
  for (int64_t i = 0; i < glia_tensor_count(t); i++)
    glia_tensor_set(mine, i, glia_tensor_get(t, i));
  glia_tensor_free(t);
}

static void pair(const golden *f, const char *key, int64_t out[2]) {
  const gi_json *a = gi_json_get(f->attributes, key);
  for (int i = 0; a != NULL && i < 2; i++) out[i] = gi_json_int(gi_json_at(a, (size_t)i), 0);
}

static glia_value dense_of(const golden *f, glia_scope *s, glia_value x,
                           const int64_t *weight) {
  return glia_dense(s, "layer", x, .units = weight[0], .no_bias = !golden_has(f, "bias"));
}

static glia_value conv2d_of(const golden *f, glia_scope *s, glia_value x,
                            const int64_t *weight) {
  glia_conv2d_opts o = {.size = sizeof o,
                        .filters = weight[0],
                        .kernel = {weight[2], weight[3]},
                        .groups = (int64_t)golden_number(f, "groups", 0),
                        .no_bias = !golden_has(f, "bias")};
  pair(f, "stride", o.stride);
  pair(f, "padding", o.padding);
  pair(f, "dilation", o.dilation);
  return glia_conv2d_opt(s, "layer", x, &o);
}

static glia_value conv2d_transpose_of(const golden *f, glia_scope *s, glia_value x,
                                      const int64_t *weight) {
  const int64_t groups = (int64_t)golden_number(f, "groups", 1);
  glia_conv2d_transpose_opts o = {.size = sizeof o,
                                  .filters = weight[1] * groups,
                                  .kernel = {weight[2], weight[3]},
                                  .groups = groups,
                                  .no_bias = !golden_has(f, "bias")};
  pair(f, "stride", o.stride);
  pair(f, "padding", o.padding);
  pair(f, "output_padding", o.output_padding);
  pair(f, "dilation", o.dilation);
  return glia_conv2d_transpose_opt(s, "layer", x, &o);
}

static glia_value batch_norm_of(const golden *f, glia_scope *s, glia_value x,
                                const int64_t *weight) {
  (void)weight;
  return glia_batch_norm(s, "layer", x, .eps = golden_number(f, "eps", 0),
                         .momentum = golden_number(f, "momentum", 0));
}

typedef glia_value (*builder)(const golden *f, glia_scope *s, glia_value x,
                              const int64_t *weight);

/* Result and gradients in the layer's parameters; then its running statistics. */
static void check_layer(const char *name, builder build, bool train) {
  static const char *const params[] = {"weight", "bias", "running_mean", "running_var"};
  golden f = golden_open(name);
  net n = net_new(train);
  glia_plan *p = NULL;
  glia_tensor *x64 = golden_tensor(&f, "input"), *w = golden_tensor(&f, "weight"), *x = NULL;
  glia_tensor *d = golden_tensor(&f, "grad_output"), *d32 = NULL;
  char ours[64];
  OK(glia_tensor_cast(x64, GLIA_F32, &x));
  OK(glia_tensor_cast(d, GLIA_F32, &d32));
  const glia_value in =
      glia_input(n.g, "x", GLIA_F32, glia_tensor_rank(x), glia_tensor_shape(x));
  const glia_value y = glia_output("y", build(&f, n.s, in, glia_tensor_shape(w)));
  const glia_value loss =
      glia_sum(glia_mul(y, glia_constant(n.g, GLIA_F32, glia_tensor_rank(d),
                                         glia_tensor_shape(d), glia_tensor_data(d32))));
  for (int i = 0; i < 2; i++) {
    glia_value grad;
    snprintf(ours, sizeof ours, "layer.%s", params[i]);
    if (!golden_has(&f, params[i])) continue;
    const glia_value v = gi_variable(n.g, ours);
    OK(glia_grad(loss, &v, 1, &grad));
    glia_output(params[i], grad);
  }
  OK(glia_compile(n.g, &p));
  for (int i = 0; i < GI_COUNT(params); i++) {
    snprintf(ours, sizeof ours, "layer.%s", params[i]);
    copy_in(&f, params[i], n.store, ours);
  }
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_run(p));
  assert_golden(glia_plan_output(p, "y"), &f, "output", 1e-5, name);
  assert_golden(glia_plan_output(p, "weight"), &f, "grad.weight", 2e-5, name);
  if (golden_has(&f, "bias"))
    assert_golden(glia_plan_output(p, "bias"), &f, "grad.bias", 1e-5, name);
  const glia_tensor *batches = glia_store_get(n.store, "layer.num_batches_tracked");
  if (golden_has(&f, "running_mean")) {
    const char *after = train ? "_after" : "";
    for (int i = 2; i < 4; i++) {
      char theirs[64];
      snprintf(theirs, sizeof theirs, "%s%s", params[i], after);
      snprintf(ours, sizeof ours, "layer.%s", params[i]);
      assert_golden(glia_store_get(n.store, ours), &f, theirs, 1e-6, name);
    }
    NEAR(glia_tensor_get(batches, 0), train, 0);
  }
  glia_plan_free(p);
  net_free(&n);
  glia_tensor_free(x64);
  glia_tensor_free(x);
  glia_tensor_free(w);
  glia_tensor_free(d);
  glia_tensor_free(d32);
  golden_close(&f);
}

static void test_dense_as_pytorch(void **state) {
  (void)state;
  check_layer("layers/dense", dense_of, true);
  check_layer("layers/dense_no_bias", dense_of, true);
  check_layer("layers/dense_rank3", dense_of, true);
}

static void test_conv2d_as_pytorch(void **state) {
  static const char *const cases[] = {"",        "_1x1",       "_no_bias",
                                      "_stride", "_padding",   "_dilation",
                                      "_groups", "_depthwise", "_all"};
  (void)state;
  for (int i = 0; i < GI_COUNT(cases); i++) {
    char name[64];
    snprintf(name, sizeof name, "layers/conv2d%s", cases[i]);
    check_layer(name, conv2d_of, true);
  }
}

static void test_conv2d_transpose_as_pytorch(void **state) {
  static const char *const cases[] = {"",          "_no_bias",        "_stride", "_padding",
                                      "_dilation", "_output_padding", "_groups", "_all"};
  (void)state;
  for (int i = 0; i < GI_COUNT(cases); i++) {
    char name[64];
    snprintf(name, sizeof name, "layers/conv_transpose2d%s", cases[i]);
    check_layer(name, conv2d_transpose_of, true);
  }
}

static void test_batch_norm_as_pytorch(void **state) {
  (void)state;
  check_layer("layers/batch_norm_train", batch_norm_of, true);
  check_layer("layers/batch_norm_train_rank2", batch_norm_of, true);
  check_layer("layers/batch_norm_infer", batch_norm_of, false);
}

/* ---- names and shapes -------------------------------------------------------------------- */

static glia_value block(glia_scope *s, glia_value x) {
  x = glia_conv2d(s, "conv1", x, .filters = 8, .kernel = {3, 5}, .groups = 2, .no_bias = true);
  x = glia_batch_norm(s, "bn1", x, .activation = "relu");
  return x;
}

static void test_names_as_in_checkpoints(void **state) {
  static const struct {
    const char *name;
    glia_store_kind kind;
    int rank;
    int64_t shape[4];
  } want[] = {
      {"layer1.0.conv1.weight", GLIA_PARAMETER, 4, {8, 2, 3, 5}},
      {"layer1.0.bn1.weight", GLIA_PARAMETER, 1, {8}},
      {"layer1.0.bn1.bias", GLIA_PARAMETER, 1, {8}},
      {"layer1.0.bn1.running_mean", GLIA_BUFFER, 1, {8}},
      {"layer1.0.bn1.running_var", GLIA_BUFFER, 1, {8}},
      {"layer1.0.bn1.num_batches_tracked", GLIA_BUFFER, 0, {0}},
      {"fc.weight", GLIA_PARAMETER, 2, {10, 256}},
      {"fc.bias", GLIA_PARAMETER, 1, {10}},
  };
  (void)state;
  net n = net_new(true);
  glia_value x = image(&n, 4, 10);
  x = block(glia_scope_in(glia_scope_in(n.s, "layer1"), "0"), x);
  x = glia_dense(n.s, "fc", glia_flatten(glia_max_pool2d(x, .kernel = {1, 1})), .units = 10);
  OK(glia_graph_status(n.g));
  assert_int_equal(glia_value_dim(x, 1), 10);
  const int64_t features = glia_tensor_shape(glia_store_get(n.store, "fc.weight"))[1];
  assert_int_equal(features, 8 * 8 * 6);
  assert_int_equal(glia_store_count(n.store), GI_COUNT(want));
  for (int i = 0; i < GI_COUNT(want); i++) {
    const glia_tensor *t = glia_store_tensor(n.store, i);
    assert_string_equal(glia_store_name(n.store, i), want[i].name);
    assert_int_equal(glia_store_kind_of(n.store, i), want[i].kind);
    assert_int_equal(glia_tensor_rank(t), want[i].rank);
    for (int d = 0; d < want[i].rank && i != 6; d++)
      assert_int_equal(glia_tensor_shape(t)[d], want[i].shape[d]);
  }
  assert_int_equal(glia_store_parameters(n.store), 8 * 2 * 15 + 8 + 8 + 10 * 384 + 10);
  net_free(&n);
}

/* The second trace finds what the first one made. */
static void test_traces_share_parameters(void **state) {
  (void)state;
  net n = net_new(true);
  glia_dense(n.s, "fc", glia_flatten(image(&n, 1, 4)), .units = 3);
  const void *data = glia_tensor_data(glia_store_get(n.store, "fc.weight"));
  net_retrace(&n, false);
  glia_dense(n.s, "fc", glia_flatten(image(&n, 1, 4)), .units = 3);
  OK(glia_graph_status(n.g));
  assert_ptr_equal(data, glia_tensor_data(glia_store_get(n.store, "fc.weight")));
  assert_int_equal(glia_store_count(n.store), 2);
  net_free(&n);
}

static void test_stored_shapes_that_differ(void **state) {
  (void)state;
  net n = net_new(true);
  glia_dense(n.s, "fc1", glia_flatten(image(&n, 2, 16)), .units = 3);
  net_retrace(&n, true);
  glia_conv2d(n.s, "conv1", image(&n, 1, 8), .filters = 4, .kernel = {3, 3});
  OK(glia_graph_status(n.g));
  net_retrace(&n, true);
  glia_dense(n.s, "fc1", glia_flatten(image(&n, 1, 28)), .units = 3);
  FAILS(glia_graph_status(n.g), GLIA_MODEL,
        "fc1: expects 512 inputs, got 784 from reshape([2, 1, 28, 28])");
  net_retrace(&n, true);
  glia_dense(n.s, "fc1", glia_flatten(image(&n, 2, 16)), .units = 4);
  FAILS(glia_graph_status(n.g), GLIA_MODEL,
        "fc1.weight: the stored tensor is f32 [3, 512], this network wants f32 [4, 512]");
  net_retrace(&n, true);
  glia_conv2d(n.s, "conv1", image(&n, 3, 8), .filters = 4, .kernel = {3, 3});
  FAILS(glia_graph_status(n.g), GLIA_MODEL,
        "conv1.weight: the stored tensor is f32 [4, 1, 3, 3]");
  net_free(&n);
}

/* ---- scopes ------------------------------------------------------------------------------ */

static void test_scopes(void **state) {
  (void)state;
  net n = net_new(true);
  glia_store *other = NULL;
  OK(glia_store_new(&other));
  assert_true(glia_scope_training(n.s));
  assert_ptr_equal(glia_scope_graph(n.s), n.g);
  assert_null(glia_scope_in(NULL, "a"));
  assert_null(glia_scope_graph(NULL));
  assert_false(glia_scope_training(NULL));
  assert_null(glia_scope_new(n.g, other, NULL));
  FAILS(glia_graph_status(n.g), GLIA_INVALID, "the graph has another store");
  glia_store_free(other);
  net_free(&n);
}

/* ---- refused ----------------------------------------------------------------------------- */

#define REFUSED(call, status, text)                               \
  do {                                                            \
    net n = net_new(true);                                        \
    const glia_value x4 = image(&n, 4, 8), x2 = glia_flatten(x4); \
    const glia_value v = (call);                                  \
    (void)x2;                                                     \
    assert_true(gi_null(v));                                      \
    FAILS(glia_graph_status(n.g), status, text);                  \
    net_free(&n);                                                 \
  } while (0)

static void test_refused(void **state) {
  (void)state;
  REFUSED(glia_dense(n.s, "fc", x2), GLIA_INVALID, "fc: dense: units is 0");
  REFUSED(glia_dense(n.s, "fc", x2, .units = -3), GLIA_INVALID, "units is -3");
  REFUSED(glia_dense(n.s, "fc", glia_reshape(x4, 1, (int64_t[]){-1}), .units = 3), GLIA_SHAPE,
          "fc: dense: x has rank 1, wanted [N, inputs]");
  REFUSED(glia_dense(n.s, "fc", x2, .units = 3, .activation = "rleu"), GLIA_INVALID,
          "fc: activation: none is called \"rleu\"; did you mean \"relu\"?");
  REFUSED(glia_conv2d(n.s, "c", x2, .filters = 3, .kernel = {3}), GLIA_SHAPE,
          "c: conv2d: x has rank 2 (from reshape([2, 4, 8, 8])), wanted images [N, C, H, W]");
  REFUSED(glia_conv2d(n.s, "c", x4, .kernel = {3}), GLIA_INVALID, "filters 0, kernel 3x3");
  REFUSED(glia_conv2d(n.s, "c", x4, .filters = 3), GLIA_INVALID, "kernel 0x0");
  REFUSED(glia_conv2d(n.s, "c", x4, .filters = 3, .kernel = {3, -1}), GLIA_INVALID,
          "kernel 3x-1");
  REFUSED(glia_conv2d(n.s, "c", x4, .filters = 6, .kernel = {3}, .groups = 4), GLIA_INVALID,
          "groups 4 must divide 4 channels and 6 filters");
  REFUSED(glia_conv2d(n.s, "c", x4, .filters = 4, .kernel = {4}, .same = true), GLIA_INVALID,
          "same padding wants an odd kernel, got 4x4");
  REFUSED(glia_conv2d(n.s, "c", x4, .filters = 4, .kernel = {9}), GLIA_SHAPE,
          "c: conv2d: x is [2, 4, 8, 8]");
  REFUSED(glia_conv2d(n.s, "c", x4, .filters = 4, .kernel = {3}, .stride = {-1}), GLIA_INVALID,
          "stride");
  REFUSED(glia_conv2d_transpose(n.s, "t", x2, .filters = 3, .kernel = {3}), GLIA_SHAPE,
          "t: conv2d_transpose: x has rank 2 (from reshape([2, 4, 8, 8])), wanted images");
  REFUSED(glia_conv2d_transpose(n.s, "t", x4, .filters = 3), GLIA_INVALID, "kernel 0x0");
  REFUSED(glia_conv2d_transpose(n.s, "t", x4, .filters = 3, .kernel = {3}, .groups = 2),
          GLIA_INVALID, "groups 2 must divide 4 channels and 3 filters");
  REFUSED(glia_conv2d_transpose(n.s, "t", x4, .filters = 3, .kernel = {3}, .stride = {2},
                                .output_padding = {1, 2}),
          GLIA_INVALID,
          "t: conv2d_transpose: output_padding is 2, wanted 0 or more, less than "
          "the stride 2");
  REFUSED(glia_conv2d_transpose(n.s, "t", x4, .filters = 3, .kernel = {3}, .padding = {5, 0}),
          GLIA_SHAPE,
          "t: conv2d_transpose: x is [2, 4, 8, 8], weight is [4, 3, 3, 3]; nothing "
          "is left of axis 2");
  REFUSED(glia_conv2d_transpose(n.s, "t", x4, .filters = 3, .kernel = {3}, .stride = {-2}),
          GLIA_INVALID, "t: conv2d_transpose: stride is [-2, -2]");
  REFUSED(glia_conv2d_transpose_with(
              x4, glia_input(n.g, "w", GLIA_F32, 4, (const int64_t[]){3, 4, 3, 3}), GLIA_NONE,
              NULL),
          GLIA_SHAPE, "conv2d_transpose: x is [2, 4, 8, 8], weight is [3, 4, 3, 3]");
  REFUSED(glia_batch_norm(n.s, "bn", glia_reshape(x4, 1, (int64_t[]){-1})), GLIA_SHAPE,
          "bn: batch_norm: x has rank 1");
  REFUSED(glia_batch_norm(n.s, "bn", x4, .momentum = 1.5), GLIA_INVALID, "momentum is 1.5");
  REFUSED(glia_batch_norm(n.s, "bn", x4, .eps = -1), GLIA_INVALID, "eps is -1");
  REFUSED(glia_dropout(n.s, "d", x4, 1), GLIA_INVALID,
          "d: dropout: rate is 1, wanted 0 <= rate < 1");
  REFUSED(glia_dropout(n.s, "d", x4, -0.1), GLIA_INVALID, "rate is -0.1");
  REFUSED(glia_dropout(n.s, "d", x4, NAN), GLIA_INVALID, "rate is nan");
}

/* ---- behaviour --------------------------------------------------------------------------- */

static void test_same_padding_keeps_the_size(void **state) {
  (void)state;
  net n = net_new(true);
  const glia_value y = glia_conv2d(n.s, "a", image(&n, 1, 9), .filters = 2, .kernel = {3, 5},
                                   .dilation = {2, 1}, .same = true);
  OK(glia_graph_status(n.g));
  assert_int_equal(glia_value_dim(y, 2), 9);
  assert_int_equal(glia_value_dim(y, 3), 9);
  const glia_value z = glia_conv2d(n.s, "b", y, .filters = 2, .kernel = {4}, .dilation = {2},
                                   .same = true); /* an even kernel whose reach is even */
  OK(glia_graph_status(n.g));
  assert_int_equal(glia_value_dim(z, 2), 9);
  net_free(&n);
}

static glia_tensor *dropped(bool train, double rate, const char *name, uint64_t seed) {
  net n = net_new(train);
  glia_tensor *out = NULL;
  glia_plan *p = NULL;
  const glia_value one = glia_full_like(
      glia_constant(n.g, GLIA_F32, 1, (const int64_t[]){40000}, (float[40000]){0}), 1);
  glia_output("y", glia_dropout(n.s, name, one, rate));
  OK(glia_compile(n.g, &p, .seed = seed));
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "y"), &out));
  glia_plan_free(p);
  net_free(&n);
  return out;
}

static double agreement(const glia_tensor *a, const glia_tensor *b) {
  double n = 0;
  for (int64_t i = 0; i < glia_tensor_count(a); i++)
    n += glia_tensor_get(a, i) == glia_tensor_get(b, i);
  return n / (double)glia_tensor_count(a);
}

static void test_dropout(void **state) {
  (void)state;
  glia_tensor *a = dropped(true, 0.3, "drop", 1), *infer = dropped(false, 0.3, "drop", 1);
  glia_tensor *same = dropped(true, 0.3, "drop", 1), *name = dropped(true, 0.3, "other", 1);
  glia_tensor *seed = dropped(true, 0.3, "drop", 2), *none = dropped(true, 0, "drop", 1);
  double zeros = 0;
  for (int64_t i = 0; i < glia_tensor_count(a); i++) {
    const double v = glia_tensor_get(a, i);
    zeros += v == 0;
    if (v != 0) NEAR(v, 1 / 0.7, 1e-6);
    NEAR(glia_tensor_get(infer, i), 1, 0);
    NEAR(glia_tensor_get(none, i), 1, 0);
  }
  NEAR(zeros / 40000, 0.3, 0.01);
  NEAR(agreement(a, same), 1, 0);
  NEAR(agreement(a, name), 0.58, 0.02); /* 0.7^2 + 0.3^2: independent */
  NEAR(agreement(a, seed), 0.58, 0.02);
  glia_tensor_free(a);
  glia_tensor_free(infer);
  glia_tensor_free(same);
  glia_tensor_free(name);
  glia_tensor_free(seed);
  glia_tensor_free(none);
}

/* A layer that is applied twice in a step draws twice; the next step's trace draws as this one.
 */
static void test_dropout_twice(void **state) {
  (void)state;
  glia_tensor *first = NULL, *second = NULL, *alone = dropped(true, 0.3, "drop", 1);
  net n = net_new(true);
  glia_plan *p = NULL;
  const glia_value one = glia_full_like(
      glia_constant(n.g, GLIA_F32, 1, (const int64_t[]){40000}, (float[40000]){0}), 1);
  glia_output("a", glia_dropout(n.s, "drop", one, 0.3));
  glia_output("b", glia_dropout(n.s, "drop", one, 0.3));
  OK(glia_compile(n.g, &p, .seed = 1));
  OK(glia_plan_run(p));
  OK(glia_tensor_copy(glia_plan_output(p, "a"), &first));
  OK(glia_tensor_copy(glia_plan_output(p, "b"), &second));
  NEAR(agreement(first, alone), 1, 0);
  NEAR(agreement(first, second), 0.58, 0.02);
  glia_plan_free(p);
  net_free(&n);
  glia_tensor_free(first);
  glia_tensor_free(second);
  glia_tensor_free(alone);
}

/* All activations by their names, alone and as an option; "linear" and NULL are the value
 * itself. */
static void test_activations_by_name(void **state) {
  (void)state;
  net n = net_new(true);
  const glia_value x = glia_input(n.g, "x", GLIA_F32, 2, (const int64_t[]){3, 4});
  for (int i = 0; gi_activation_names[i] != NULL; i++) {
    const glia_value y = glia_activation(x, gi_activation_names[i]);
    OK(glia_graph_status(n.g));
    assert_int_equal(glia_value_rank(y), 2);
    assert_int_equal(y.id == x.id, strcmp(gi_activation_names[i], "linear") == 0);
  }
  assert_int_equal(glia_activation(x, NULL).id, x.id);
  assert_true(gi_null(glia_activation(GLIA_NONE, "relu")));
  net_free(&n);
}

/* The rows of the layer table can be found by name, and each has what the rest relies on. */
static void test_table_of_layers(void **state) {
  (void)state;
  int n = 0;
  for (; gi_layer_at(n) != NULL; n++) {
    const gi_layer *l = gi_layer_at(n);
    assert_ptr_equal(gi_layer_find(l->name), l);
    assert_true(l->doc != NULL && l->build != NULL && l->opts_size >= sizeof(size_t));
    for (const gi_field *f = l->fields; f != NULL && f->name != NULL; f++) {
      assert_true(f->doc != NULL && f->offset >= sizeof(size_t) && f->offset < l->opts_size);
      assert_true(f->kind != GI_FIELD_NAME || f->choices != NULL);
    }
  }
  assert_true(n >= 12);
  assert_null(gi_layer_find("convolution"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense_as_pytorch),
      cmocka_unit_test(test_conv2d_as_pytorch),
      cmocka_unit_test(test_conv2d_transpose_as_pytorch),
      cmocka_unit_test(test_batch_norm_as_pytorch),
      cmocka_unit_test(test_names_as_in_checkpoints),
      cmocka_unit_test(test_traces_share_parameters),
      cmocka_unit_test(test_stored_shapes_that_differ),
      cmocka_unit_test(test_scopes),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_same_padding_keeps_the_size),
      cmocka_unit_test(test_dropout),
      cmocka_unit_test(test_dropout_twice),
      cmocka_unit_test(test_activations_by_name),
      cmocka_unit_test(test_table_of_layers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
