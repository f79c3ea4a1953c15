/* ONNX files that glia writes: every op that has a row on its samples, layers, networks and
 * transformers on batches of another size than they were traced at. They are read again by
 * glia's own reader and, where it is there, run in ONNX Runtime. */
#include <sys/stat.h>

#include "formats/onnx/export.h"
#include "ops/cases.h"

static char cases_dir[600];

/* A folder for a case: DIR/<name>. Borrowed until the next call. */
static const char *case_dir(const char *name) {
  static char path[800];
  snprintf(path, sizeof path, "%s/%s", cases_dir, name);
  OK(gi_make_dirs(path));
  return path;
}

static void save(const char *dir, const char *what, int i, const glia_tensor *t) {
  char path[900];
  snprintf(path, sizeof path, "%s/%s_%d.npy", dir, what, i);
  OK(glia_npy_write(path, t));
}

static void save_buf(const char *dir, const char *what, int i, const gi_buf *b) {
  glia_tensor *t = NULL;
  OK(glia_tensor_wrap(b->t.dtype, b->t.rank, b->t.dim, b->p, &t));
  save(dir, what, i, t);
  glia_tensor_free(t);
}

/* The file is a model that can be read. */
static void opens(const char *path, int n_in, int n_out) {
  gi_onnx_model *m = NULL;
  OK(gi_onnx_open(path, &m));
  assert_int_equal(m->ir, 8);
  assert_int_equal(m->opset[0].version, 17);
  assert_int_equal(m->graph.n_in, n_in);
  assert_int_equal(m->graph.n_out, n_out);
  gi_onnx_close(m);
}

static glia_tensor *load(const char *dir, const char *what, int i) {
  char path[900];
  glia_tensor *t = NULL;
  snprintf(path, sizeof path, "%s/%s_%d.npy", dir, what, i);
  OK(glia_npy_read(path, &t));
  return t;
}

/* The file, read by the importer and run on what lies beside it, gives what lies beside it. */
static void comes_back(const char *dir, int n_in, int n_out) {
  char path[900];
  glia_onnx *m = NULL;
  glia_tensor *in[GI_SAMPLE_IN] = {NULL};
  const glia_tensor *out[4] = {NULL};
  snprintf(path, sizeof path, "%s/model.onnx", dir);
  OK(glia_onnx_open(path, &m));
  assert_int_equal(glia_onnx_inputs(m), n_in);
  assert_int_equal(glia_onnx_outputs(m), n_out);
  for (int i = 0; i < n_in; i++) in[i] = load(dir, "input", i);
  OK(glia_onnx_run(m, (const glia_tensor *const *)in, n_in, out));
  for (int k = 0; k < n_out; k++) {
    glia_tensor *want = load(dir, "output", k);
    const gi_buf a = {gi_tensor_type(out[k]), glia_tensor_data(out[k])};
    const gi_buf b = {gi_tensor_type(want), glia_tensor_data(want)};
    if (!gi_type_equal(&a.t, &b.t)) fail_msg("%s: output %d is of another type", dir, k);
    expect_close(&a, &b, 1e-5, 1e-3, dir);
    glia_tensor_free(want);
  }
  for (int i = 0; i < n_in; i++) glia_tensor_free(in[i]);
  glia_onnx_close(m);
}

/* ---- ops --------------------------------------------------------------------------------- */

static bool exported(const gi_op *op) {
  for (int list = 0; gi_onnx_exports_table[list] != NULL; list++)
    for (int i = 0; gi_onnx_exports_table[list][i] != NULL; i++)
      if (gi_onnx_exports_table[list][i]->op == op) return true;
  return false;
}

/* Outputs that are not only kept for the gradient. */
static int outputs(const gi_op *op) {
  return op == &gi_op_lstm || op == &gi_op_batch_norm_train          ? 3
         : op == &gi_op_sort || op == &gi_op_rnn || op == &gi_op_gru ? 2
                                                                     : 1;
}
/* lstm's first is what it saves. */
static int first_output(const gi_op *op) { return op == &gi_op_lstm ? 1 : 0; }

static glia_status trace_op(int64_t batch, void *user, glia_graph **out) {
  (void)batch;
  const op_case *c = user;
  glia_value in[GI_SAMPLE_IN], y[GI_MAX_OUT];
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  case_inputs(c, g, in);
  gi_emit(g, c->op, c->sample->attr, in, c->n_in, y);
  for (int k = 0; k < outputs(c->op); k++) {
    char name[8];
    snprintf(name, sizeof name, "y%d", k);
    glia_output(name, y[first_output(c->op) + k]);
  }
  OK(glia_graph_status(g));
  *out = g;
  return GLIA_OK;
}

static int op_files, op_refusals;

static void export_sample(const gi_op *op, int number) {
  op_case c;
  char name[100], path[900];
  if (!exported(op)) return;
  case_open(&c, op, number, GLIA_F32);
  snprintf(name, sizeof name, "op %s %d", op->name, number);
  const char *dir = case_dir(name);
  snprintf(path, sizeof path, "%s/model.onnx", dir);
  const glia_status s = gi_onnx_export_model(trace_op, &c, "op", NULL, 0, path);
  bool empty = false; /* what no runtime is asked for: some end the process */
  for (int i = 0; i < c.n_in; i++) empty |= gi_type_count(&c.in_type[i]) == 0;
  if (s == GLIA_OK) {
    op_files++;
    opens(path, c.n_in, outputs(op));
    for (int i = 0; i < c.n_in; i++) save_buf(dir, "input", i, &c.in[i]);
    for (int k = 0; k < outputs(op); k++)
      save_buf(dir, "output", k, &c.out[first_output(op) + k]);
    comes_back(dir, c.n_in, outputs(op));
    if (empty) assert_int_equal(remove(path), 0);
  } else {
    op_refusals++;
    if (s != GLIA_UNSUPPORTED) fail_msg("%s: %s", case_name(&c), glia_error_message());
    print_message("refused %s: %s\n", case_name(&c), glia_error_message());
  }
  case_close(&c);
}

static void ops_are_exported(void **state) {
  (void)state;
  each_sample(export_sample);
  print_message("%d samples written, %d refused\n", op_files, op_refusals);
  assert_true(op_files > 200 && op_refusals < 20);
}

/* ---- models ------------------------------------------------------------------------------ */

typedef struct model {
  const char *name;
  glia_model_fn build;
  void *user;
  gi_type sample; /* without the batch */
  double most;    /* inputs are drawn below it */
} model;

static glia_graph *traced(const model *m, glia_store *store, int64_t batch) {
  int64_t shape[GLIA_MAX_RANK] = {batch};
  glia_graph *g = NULL;
  for (int i = 0; i < m->sample.rank; i++) shape[i + 1] = m->sample.dim[i];
  OK(glia_graph_new(&g));
  glia_scope *s =
      glia_scope_new(g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .seed = 7});
  glia_output("y", m->build(s, glia_input(g, "x", m->sample.dtype, m->sample.rank + 1, shape),
                            m->user));
  OK(glia_graph_status(g));
  return g;
}

/* What glia computes for a batch, beside the model. */
static void run_batch(const model *m, glia_store *store, const char *dir, int64_t batch) {
  int64_t shape[GLIA_MAX_RANK] = {batch};
  glia_tensor *x = NULL;
  glia_plan *plan = NULL;
  glia_graph *g = traced(m, store, batch);
  for (int i = 0; i < m->sample.rank; i++) shape[i + 1] = m->sample.dim[i];
  OK(glia_tensor_new(m->sample.dtype, m->sample.rank + 1, shape, &x));
  assert_true(glia_store_count(store) > 0);
  const gi_rng r = {.seed = 3, .stream = gi_hash_str(m->name, 0)};
  for (int64_t i = 0; i < glia_tensor_count(x); i++) {
    const double u = gi_rng_uniform(&r, (uint64_t)i) * m->most;
    glia_tensor_set(x, i, glia_dtype_is_float(m->sample.dtype) ? u - m->most / 2 : floor(u));
  }
  OK(glia_compile(g, &plan));
  OK(glia_plan_bind(plan, "x", x));
  OK(glia_plan_run(plan));
  save(dir, "input", 0, x);
  save(dir, "output", 0, glia_plan_output(plan, "y"));
  glia_plan_free(plan);
  glia_graph_free(g);
  glia_tensor_free(x);
}

/* Written once, run on batches of two sizes. */
static void export_model(const model *m) {
  glia_store *store = NULL;
  char name[200], path[900];
  OK(glia_store_new(&store));
  glia_graph_free(traced(m, store, 2)); /* the parameters, with their values */
  for (int k = 0; k < 2; k++) {
    snprintf(name, sizeof name, "model %s %d", m->name, k);
    const char *dir = case_dir(name);
    snprintf(path, sizeof path, "%s/model.onnx", dir);
    OK(glia_onnx_export(m->build, m->user, store, m->sample.dtype, m->sample.rank,
                        m->sample.dim, path));
    opens(path, 1, 1);
    run_batch(m, store, dir, k == 0 ? 1 : 5);
    comes_back(dir, 1, 1);
  }
  glia_store_free(store);
}

static const struct {
  const char *name, *text;
  gi_type sample;
} nets[] = {
    {"lenet",
     "conv2d 8 3x3 relu\nconv2d 8 3x3 relu\nmax_pool2d 2\nflatten\ndense 16 relu\n"
     "dropout 0.5\ndense 10",
     {.rank = 3, .dim = {1, 14, 14}}},
    {"images",
     "conv2d 6 3 same border=reflect\nbatch_norm silu\ndepthwise_conv2d 3 gelu stride=2 "
     "border=circular\nseparable_conv2d 8 3 mish same\nspatial_dropout 0.2\n"
     "local_response_norm 3\nprelu\navg_pool2d 3 2 padding=1 ceil_mode\n"
     "conv2d_transpose 4 3 relu stride=2 padding=1 output_padding=1\npixel_shuffle 2\n"
     "upsample 1.5 mode=cubic\nmin_pool2d 2\nadaptive_avg_pool2d 3x5\ngroup_norm 1\n"
     "flatten\ndense 7",
     {.rank = 3, .dim = {3, 17, 13}}},
    {"more images",
     "conv2d 12 3 gelu_tanh dilation=2 groups=3 stride=2x1\ninstance_norm\ndrop_path 0.1\n"
     "upsample 2\nlp_pool2d 2\nadaptive_max_pool2d 4x3\nconv2d 4 1 hard_swish\n"
     "global_avg_pool2d\nlayer_norm\ndense 5 log_sigmoid",
     {.rank = 3, .dim = {9, 15, 12}}},
    {"series",
     "conv1d 6 3 selu padding=1 stride=2\nmax_pool1d 2\nconv1d_transpose 4 3 stride=2\n"
     "upsample 2 mode=linear\navg_pool1d 2\nadaptive_avg_pool1d 5\nrms_norm\nflatten\n"
     "alpha_dropout 0.1\ndense 6 softsign",
     {.rank = 2, .dim = {3, 24}}},
    {"volumes",
     "conv3d 4 3 relu padding=1\nmax_pool3d 2\nconv3d_transpose 3 2 stride=2\n"
     "avg_pool3d 2\nadaptive_max_pool3d 2\nglobal_max_pool\ndense 3",
     {.rank = 4, .dim = {2, 6, 6, 8}}},
    {"lstm",
     "lstm 7 layers=2 bidirectional batch_first\nflatten\ndense 4",
     {.rank = 2, .dim = {6, 5}}},
    {"gru", "gru 7 batch_first last_only\ndense 4", {.rank = 2, .dim = {6, 5}}},
    {"rnn", "rnn 7 batch_first bidirectional last_only\ndense 4", {.rank = 2, .dim = {6, 5}}},
    {"words", "embedding 20 6\nflatten\ndense 3", {.dtype = GLIA_I64, .rank = 1, .dim = {5}}},
    {"bags",
     "embedding_bag 20 6 max_norm=0.1\ndense 3",
     {.dtype = GLIA_I64, .rank = 1, .dim = {5}}},
    {"encoder",
     "multi_head_attention 2 causal\ntransformer_encoder_layer 2 16\nlayer_norm\nflatten\n"
     "dense 4",
     {.rank = 2, .dim = {6, 8}}},
};

static void networks_are_exported(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(nets); i++) {
    glia_net *net = NULL;
    print_message("%s\n", nets[i].name);
    OK(glia_net_parse(nets[i].text, nets[i].name, &net));
    const model m = {nets[i].name, glia_net_apply, net, nets[i].sample, 4};
    export_model(&m);
    glia_net_free(net);
  }
}

static const char *const configs[][2] = {
    {"bert",
     "{\"architectures\": [\"BertForSequenceClassification\"], \"vocab_size\": 50,"
     " \"hidden_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 3,"
     " \"intermediate_size\": 40, \"max_position_embeddings\": 20, \"num_labels\": 3}"},
    {"bert of distances",
     "{\"architectures\": [\"BertForSequenceClassification\"], \"vocab_size\": 50,"
     " \"hidden_size\": 24, \"num_hidden_layers\": 1, \"num_attention_heads\": 3,"
     " \"intermediate_size\": 40, \"max_position_embeddings\": 20,"
     " \"position_embedding_type\": \"relative_key_query\"}"},
    {"gpt2",
     "{\"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 50, \"n_embd\": 24,"
     " \"n_layer\": 2, \"n_head\": 3, \"n_positions\": 20}"},
    {"llama",
     "{\"model_type\": \"llama\", \"vocab_size\": 50, \"hidden_size\": 32,"
     " \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
     " \"intermediate_size\": 40, \"max_position_embeddings\": 20}"},
};

static glia_value apply_transformer(glia_scope *s, glia_value x, void *user) {
  return glia_transformer_apply(s, user, x);
}

static void transformers_are_exported(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(configs); i++) {
    glia_transformer *t = NULL;
    OK(glia_transformer_parse(configs[i][1], NULL, "config.json", &t));
    const gi_type tokens = {.dtype = GLIA_I64, .rank = 1, .dim = {9}};
    const model m = {configs[i][0], apply_transformer, t, tokens, 50};
    export_model(&m);
    glia_transformer_free(t);
  }
}

/* ---- what cannot be written -------------------------------------------------------------- */

static glia_value two_bad_layers(glia_scope *s, glia_value x, void *user) {
  (void)user;
  const glia_value a = glia_cumsum(glia_log(x), 1, false);
  const glia_value b = glia_cumprod(a, 1, false), c = glia_cumprod(glia_exp(b), 1, false);
  (void)s;
  return c;
}

/* [batch, 3] plus the number of each row. */
static glia_value rows_are_numbered(glia_scope *s, glia_value x, void *user) {
  (void)user;
  const int64_t n = glia_value_dim(x, 0), shape[] = {n, 1};
  (void)s;
  return glia_add(x, glia_reshape(glia_range(x.graph, n, GLIA_F32), 2, shape));
}

static glia_value deeper_for_more(glia_scope *s, glia_value x, void *user) {
  (void)user;
  (void)s;
  for (int64_t i = 0; i < glia_value_dim(x, 0); i++) x = glia_exp(x);
  return x;
}

static glia_value one_more_row(glia_scope *s, glia_value x, void *user) {
  (void)user;
  (void)s;
  return glia_concat((const glia_value[]){x, glia_slice(x, 0, 0, 1, 1)}, 2, 0);
}

static glia_status try_export(glia_model_fn build, const char *path) {
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  const glia_status s =
      glia_onnx_export(build, NULL, store, GLIA_F32, 1, (const int64_t[]){3}, path);
  glia_store_free(store);
  return s;
}

static void what_cannot_be_written_is_told(void **state) {
  (void)state;
  char path[900];
  snprintf(path, sizeof path, "%s/never.onnx", cases_dir);
  FAILS(try_export(two_bad_layers, path), GLIA_UNSUPPORTED, "cumprod");
  const char *first = strstr(glia_error_message(), "cumprod");
  assert_non_null(strstr(first + 1, "cumprod")); /* both, and nothing else */
  assert_null(strstr(glia_error_message(), "cumsum"));
  FAILS(try_export(rows_are_numbered, path), GLIA_UNSUPPORTED, "range: it is another one");
  FAILS(try_export(deeper_for_more, path), GLIA_MODEL, "built otherwise for a batch");
  FAILS(try_export(one_more_row, path), GLIA_MODEL, "axis 0 of its result is no multiple");
  assert_false(gi_exists(path));
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char path[900];
  glia_net *net = NULL;
  glia_store *store = NULL;
  int64_t n = 0;
  snprintf(path, sizeof path, "%s/small.onnx", cases_dir);
  OK(glia_net_parse("lstm 2 batch_first\nadaptive_avg_pool1d 2\nflatten\ndense 2\n", "net",
                    &net));
  OK(glia_store_new(&store));
  const int64_t shape[] = {3, 2};
  OK(glia_onnx_export(glia_net_apply, net, store, GLIA_F32, 2, shape, path));
  for (glia_status s = GLIA_NOMEM; s != GLIA_OK;) {
    gi_alloc_fail_after(++n);
    s = glia_onnx_export(glia_net_apply, net, store, GLIA_F32, 2, shape, path);
    gi_alloc_fail_after(0);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_NOMEM);
  }
  print_message("%lld allocations\n", (long long)n - 1);
  opens(path, 1, 1);
  glia_store_free(store);
  glia_net_free(net);
}

/* ---- the outside runtime ----------------------------------------------------------------- */

static void onnx_runtime_agrees(void **state) {
  (void)state;
  char cmd[2000];
  const char *shared = test_shared();
  if (shared == NULL) return;
  snprintf(cmd, sizeof cmd, "node '%s/tests/formats/onnx_runtime.mjs' '%s' '%s'",
           GI_TEST_SOURCE, shared, cases_dir);
  const int status = system("node --version > /dev/null 2>&1") == 0 ? system(cmd) : 2 << 8;
  if (WEXITSTATUS(status) == 2)
    print_message("skipped: no ONNX Runtime\n");
  else
    assert_int_equal(status, 0);
}

int main(void) {
  snprintf(cases_dir, sizeof cases_dir, "%s", test_dir("onnx_export"));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ops_are_exported),
      cmocka_unit_test(networks_are_exported),
      cmocka_unit_test(transformers_are_exported),
      cmocka_unit_test(what_cannot_be_written_is_told),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(onnx_runtime_agrees),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
