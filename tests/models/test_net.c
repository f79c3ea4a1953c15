/* Networks as text: what a line may say, what is refused and in which words, shapes that cannot
 * fit, and that options written out are read back the same.
 */
#include "test.h"

#include "glia/glia.h"
#include "nn/layer.h"

/* Traces the text for images [2, 1, 28, 28]; the status of parsing or of the graph. */
static glia_status trace(const char *text, glia_store *store, glia_value *y, glia_graph **g) {
  glia_net *net = NULL;
  GI_TRY(glia_net_parse(text, "a.net", &net));
  OK(glia_graph_new(g));
  glia_scope *s = glia_scope_new(
      *g, store, &(glia_scope_opts){.size = sizeof(glia_scope_opts), .train = true});
  *y =
      glia_net_apply(s, glia_input(*g, "x", GLIA_F32, 4, (const int64_t[]){2, 1, 28, 28}), net);
  glia_net_free(net);
  return glia_graph_status(*g);
}

static void check_shape(const char *text, int rank, const int64_t *shape) {
  glia_store *store = NULL;
  glia_graph *g = NULL;
  glia_value y;
  OK(glia_store_new(&store));
  OK(trace(text, store, &y, &g));
  assert_int_equal(glia_value_rank(y), rank);
  for (int d = 0; d < rank; d++) assert_int_equal(glia_value_dim(y, d), shape[d]);
  glia_graph_free(g);
  glia_store_free(store);
}

static void refused(const char *text, const char *message) {
  glia_store *store = NULL;
  glia_graph *g = NULL;
  glia_value y;
  OK(glia_store_new(&store));
  const glia_status s = trace(text, store, &y, &g);
  if (s == GLIA_OK) fail_msg("\"%s\" was taken", text);
  if (strstr(glia_error_message(), message) == NULL)
    fail_msg("\"%s\": message \"%s\" does not hold \"%s\"", text, glia_error_message(),
             message);
  glia_graph_free(g);
  glia_store_free(store);
}

/* ---- what is taken ----------------------------------------------------------------------- */

static void test_lenet(void **state) {
  (void)state;
  static const char *const text =
      "# lenet.net\n"
      "conv2d 32 3x3 relu\n"
      "\n"
      "conv2d 64 3x3 relu   # a comment behind\n"
      "max_pool2d 2\n"
      "dropout 0.25\n"
      "flatten\n"
      "dense 128 relu\n"
      "dropout 0.5\n"
      "dense 10";
  check_shape(text, 2, (const int64_t[]){2, 10});
  glia_net *net = NULL;
  OK(glia_net_parse(text, "lenet.net", &net));
  assert_int_equal(glia_net_layers(net), 8);
  assert_string_equal(glia_net_text(net), text);
  glia_net_free(net);
}

static void test_ways_to_write_a_line(void **state) {
  (void)state;
  static const char *const same[] = {
      "conv2d 8 3x3 relu same stride=2x1",
      "conv2d filters=8 kernel=3 activation=relu stride=2x1 same",
      "conv2d 8 3 relu stride=2x1 padding=1",
      "\tconv2d  8\t3x3 relu same=true  stride=2x1 \r",
      "conv2d kernel=3x3 8 relu stride=2x1 padding=1x1",
      "conv2d 8 3 relu stride=2x1 same name=first"};
  for (int i = 0; i < GI_COUNT(same); i++)
    check_shape(same[i], 4, (const int64_t[]){2, 8, 14, 28});
  check_shape("relu\nactivation tanh\nsoftmax\nlinear", 4, (const int64_t[]){2, 1, 28, 28});
  check_shape("avg_pool2d 4 2 padding=2 count_padding\nflatten", 2, (const int64_t[]){2, 225});
  check_shape("global_avg_pool2d\r\ndense 3\r\n", 2, (const int64_t[]){2, 3});
  check_shape("max_pool2d 2x4 ceil_mode\nmin_pool2d 3 2\nadaptive_avg_pool2d 2x3\n", 4,
              (const int64_t[]){2, 1, 2, 3});
  check_shape("batch_norm relu momentum=0.2 eps=1e-3\nadaptive_max_pool2d 2", 4,
              (const int64_t[]){2, 1, 2, 2});
  check_shape("dense 5 init=he_normal no_bias", 4, (const int64_t[]){2, 1, 28, 5});
}

static void test_names(void **state) {
  static const char *const want[] = {"conv2d_1.weight", "conv2d_1.bias",  "head.0.weight",
                                     "head.0.bias",     "dense_1.weight", "dense_1.bias",
                                     "dense_3.weight",  "dense_3.bias"};
  glia_store *store = NULL;
  glia_graph *g = NULL;
  glia_value y;
  (void)state;
  OK(glia_store_new(&store));
  OK(trace("conv2d 2 3\nflatten\ndense 4 name=head.0\nrelu\ndense 5 name=dense_1\ndense 6",
           store, &y, &g));
  assert_int_equal(glia_store_count(store), GI_COUNT(want));
  for (int i = 0; i < GI_COUNT(want); i++)
    assert_string_equal(glia_store_name(store, i), want[i]);
  glia_graph_free(g);
  glia_store_free(store);
}

/* A name that counting would give may be taken by a line before: counting goes on. */
static void test_counted_names_avoid_given_ones(void **state) {
  glia_store *store = NULL;
  glia_graph *g = NULL;
  glia_value y;
  (void)state;
  OK(glia_store_new(&store));
  OK(trace("flatten\ndense 4 name=dense_2\ndense 5", store, &y, &g));
  assert_non_null(glia_store_get(store, "dense_2.weight"));
  assert_non_null(glia_store_get(store, "dense_3.weight"));
  glia_graph_free(g);
  glia_store_free(store);
}

/* ---- lines that are refused -------------------------------------------------------------- */

static void test_lines_refused(void **state) {
  static const struct {
    const char *text, *message;
  } bad[] = {
      {"con2d 3 3", "a.net:1: no layer is called \"con2d\"; did you mean \"conv2d\"?"},
      {"flatten\n\n# x\n  densse 3",
       "a.net:4: no layer is called \"densse\"; did you mean \"dense\"?"},
      {"rleu", "did you mean \"relu\"?"},
      {"lstm_with_attention 3", "a.net:1: no layer is called \"lstm_with_attention\""},
      {"conv2d 3", "a.net:1: conv2d: kernel is missing"},
      {"conv2d", "filters is missing"},
      {"dense", "dense: units is missing"},
      {"flatten 3", "a.net:1: flatten: \"3\" is one value too many"},
      {"relu 3", "one value too many"},
      {"dense 3 relu 4", "\"4\""},
      {"dense ten", "dense: units is \"ten\""},
      {"dense 0", "units is \"0\", wanted an integer from 1"},
      {"dense -4", "units is \"-4\""},
      {"dense 1e3", "units is \"1e3\""},
      {"dense 99999999999999999999", "units is \"99999999999999999999\""},
      {"dense 3.5", "units is \"3.5\""},
      {"dense 3 rleu",
       "activation is \"rleu\", which is none of its choices; did you mean \"relu\"?"},
      {"dense 3 activation=", "activation is \"\""},
      {"dense 3 unit=4", "no option is called \"unit\"; did you mean \"units\"?"},
      {"dense 3 =4", "no option is called \"\""},
      {"dense 3 init=xavier_uniform", "init is \"xavier_uniform\""},
      {"conv2d 3 3x", "kernel is \"3x\""},
      {"conv2d 3 x3", "kernel is \"x3\""},
      {"conv2d 3 3x3x3", "kernel is \"3x3x3\""},
      {"conv2d 3 0x3", "kernel is \"0x3\""},
      {"conv2d 3 3 same=yes", "same is \"yes\", wanted true or false"},
      {"conv2d 3 3 padding=-1", "padding is \"-1\""},
      {"dropout 1.5", "dropout: rate is \"1.5\""},
      {"dropout nan", "rate is \"nan\""},
      {"dropout", "rate is missing"},
      {"max_pool2d 2 strid=1", "did you mean \"stride\"?"},
      {"dense 3 name=", "the name is empty"},
      {"dense 3 name=a/b", "name \"a/b\": wanted letters, digits"},
      {"flatten\ndense 3 name=a\ndense 3 name=a",
       "a.net:3: name \"a\" is that of line 2 already"},
      {"dense 3 name=a name=b", "name"},
      {"", "has no layers"},
      {"# nothing\n\n", "has no layers"},
  };
  (void)state;
  for (int i = 0; i < GI_COUNT(bad); i++) refused(bad[i].text, bad[i].message);
}

/* An option given twice is a slip of the pen, not the last one wins. */
static void test_options_given_twice(void **state) {
  (void)state;
  refused("dense 3 units=4", "units is given twice");
  refused("conv2d 8 3 stride=1 stride=2", "stride is given twice");
  refused("conv2d 8 3 same same", "same is given twice");
}

static void test_too_much(void **state) {
  (void)state;
  char text[400] = "dense 3";
  for (int i = 0; i < 40; i++) strcat(text, " same");
  refused(text, "more than 32 words");
  gi_str many = {0};
  for (int i = 0; i < 10001; i++) gi_str_puts(&many, "relu\n");
  refused(many.s, "more than 10000 layers");
  gi_str_free(&many);
  char *large = malloc((17 << 20) + 1);
  assert_non_null(large);
  memset(large, ' ', 17 << 20);
  large[17 << 20] = '\0';
  refused(large, "larger than");
  free(large);
}

/* ---- shapes that cannot fit -------------------------------------------------------------- */

static void test_shapes_that_cannot_fit(void **state) {
  static const struct {
    const char *text, *message;
  } bad[] = {
      {"conv2d 8 3\nmax_pool2d 2\nconv2d 8 15",
       "a.net:3: conv2d_2: conv2d: x is [2, 8, 13, 13]"},
      {"flatten\nconv2d 8 3",
       "a.net:2: conv2d_1: conv2d: x has rank 2 (from flatten_1: reshape([2, 1, 28, 28]))"},
      {"max_pool2d 29", "a.net:1: max_pool2d_1: max_pool2d: x is [2, 1, 28, 28]"},
      {"conv2d 8 3 groups=3", "a.net:1: conv2d_1: conv2d: groups 3 must divide 1 channels"},
      {"conv2d 6 3\nconv2d 8 2x2 same",
       "a.net:2: conv2d_2: conv2d: same padding wants an odd kernel"},
      {"flatten\nglobal_avg_pool2d", "a.net:2: global_avg_pool2d_1"},
      {"flatten\nmax_pool2d 2", "a.net:2: max_pool2d_1: max_pool2d"},
      {"max_pool2d 2 padding=2", "a.net:1: max_pool2d_1: max_pool2d: padding"},
  };
  (void)state;
  for (int i = 0; i < GI_COUNT(bad); i++) refused(bad[i].text, bad[i].message);
}

/* The learner finds them before any data is read, and results of the wrong width too. */
static void test_learner_finds_them(void **state) {
  static const struct {
    const char *text, *message;
  } bad[] = {
      {"conv2d 8 31", "b.net:1: conv2d_1: conv2d: x is [1, 1, 28, 28]"},
      {"flatten\ndense 12", "the network ends in [1, 12], the data have 10 classes"},
      {"dense 10", "the network ends in [1, 1, 28, 10], the data have 10 classes; hint"},
      {"flatten\ndropout 0.5", "the network ends in [1, 784]"},
      {"flatten", "the network ends in [1, 784], the data have 10 classes"},
  };
  (void)state;
  for (int i = 0; i < GI_COUNT(bad); i++) {
    glia_net *net = NULL;
    glia_learner *l = NULL;
    OK(glia_net_parse(bad[i].text, "b.net", &net));
    const glia_learner_opts o = {.size = sizeof o,
                                 .model = glia_net_apply,
                                 .user = net,
                                 .data = {.rank = 3, .shape = {1, 28, 28}, .classes = 10}};
    const glia_status s = glia_learner_new(&o, &l);
    assert_int_not_equal(s, GLIA_OK);
    if (strstr(glia_error_message(), bad[i].message) == NULL)
      fail_msg("message \"%s\" does not hold \"%s\"", glia_error_message(), bad[i].message);
    assert_null(l);
    glia_net_free(net);
  }
}

/* ---- files ------------------------------------------------------------------------------- */

static void test_files(void **state) {
  char path[600];
  glia_net *net = NULL;
  (void)state;
  const char *dir = test_dir("net");
  snprintf(path, sizeof path, "%s/small.net", dir);
  FAILS(glia_net_read(path, &net), GLIA_IO, "small.net");
  OK(gi_write_file(path, "dense 3\n", 8));
  OK(glia_net_read(path, &net));
  assert_int_equal(glia_net_layers(net), 1);
  glia_net_free(net);
  OK(gi_write_file(path, "dense 3\0dense 4\n", 16));
  FAILS(glia_net_read(path, &net), GLIA_MODEL, "is no text");
  OK(gi_write_file(path, "dense 3\ndens 4\n", 15));
  FAILS(glia_net_read(path, &net), GLIA_MODEL, "small.net:2: no layer is called \"dens\"");
  OK(gi_write_file(path, "", 0));
  FAILS(glia_net_read(path, &net), GLIA_MODEL, "has no layers");
  FAILS(glia_net_read(dir, &net), GLIA_IO, "");
}

/* ---- options written out ----------------------------------------------------------------- */

static uint64_t random_state = 1;
static int below(int n) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (int)((random_state >> 33) % (uint64_t)n);
}

static void set_field(const gi_field *f, char *opts) {
  const double low = f->min == f->max ? 0 : f->min, high = f->min == f->max ? 50 : f->max;
  const double v = low + (fmin(high, low + 50) - low) * below(1000) / 1000.0;
  const int64_t whole = (int64_t)ceil(v),
                pair[] = {whole, (int64_t)fmin(high, low + below(40))};
  const bool yes = below(2);
  int n = 0;
  while (f->choices != NULL && f->choices[n] != NULL) n++;
  const int choice = n > 0 ? below(n) : 0;
  switch (f->kind) {
    case GI_FIELD_I64: memcpy(opts + f->offset, &whole, sizeof whole); break;
    case GI_FIELD_F64: memcpy(opts + f->offset, &v, sizeof v); break;
    case GI_FIELD_BOOL: memcpy(opts + f->offset, &yes, sizeof yes); break;
    case GI_FIELD_PAIR: memcpy(opts + f->offset, pair, sizeof pair); break;
    case GI_FIELD_CHOICE: memcpy(opts + f->offset, &choice, sizeof choice); break;
    case GI_FIELD_NAME:
      memcpy(opts + f->offset, &f->choices[choice], sizeof f->choices[choice]);
      break;
    case GI_FIELD_LIST: {
      const int64_t list[GI_LIST_MAX] = {1 + whole, 2 + 2 * whole};
      memcpy(opts + f->offset, list, sizeof list);
      break;
    }
    case GI_FIELD_TEXT: {
      static const char *const words[] = {"a", "folder/b.onnx", "base64:QQ=="};
      memcpy(opts + f->offset, &words[below(GI_COUNT(words))], sizeof words[0]);
      break;
    }
  }
}

/* Words that are equal lie in different places. */
static void same_words(const gi_field *fields, const char *opts, char *again) {
  for (const gi_field *f = fields; f->name != NULL; f++) {
    const char *a, *b;
    if (f->kind != GI_FIELD_TEXT) continue;
    memcpy(&a, opts + f->offset, sizeof a);
    memcpy(&b, again + f->offset, sizeof b);
    if (a != NULL && b != NULL && strcmp(a, b) == 0) memcpy(again + f->offset, &a, sizeof a);
  }
}

/* Fields that are zero are left out, so a required one that may be zero must be written. */
static void test_options_written_and_read_back(void **state) {
  (void)state;
  for (int i = 0; gi_layer_at(i) != NULL; i++) {
    const gi_layer *l = gi_layer_at(i);
    for (int round = 0; round < 200 && l->fields != NULL; round++) {
      _Alignas(16) char opts[512] = {0}, again[512] = {0};
      char *words[32], *save = NULL;
      int n = 0;
      gi_str text = {0};
      assert_true(l->opts_size <= sizeof opts);
      for (const gi_field *f = l->fields; f->name != NULL; f++)
        if (f->required || below(2)) set_field(f, opts);
      gi_str_puts(&text, "");
      gi_fields_text(l->fields, opts, &text);
      for (char *w = strtok_r(text.s, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
      OK(gi_fields_parse(l->fields, l->name, words, n, again));
      same_words(l->fields, opts, again);
      if (memcmp(opts, again, l->opts_size) != 0)
        fail_msg("%s: round %d differs", l->name, round);
      gi_str_free(&text);
    }
  }
}

/* ---- summary ----------------------------------------------------------------------------- */

static void test_summary(void **state) {
  static const struct {
    const char *layer, *op;
    int64_t shape[4], parameters;
    double flops;
  } want[] = {{"conv2d_1", "relu", {3, 4, 26, 26}, 40, 2.0 * 9 * 3 * 4 * 26 * 26},
              {"max_pool2d_1", "max_pool2d", {3, 4, 13, 13}, 0, 0},
              {"flatten_1", "reshape", {3, 676}, 0, 0},
              {"dense_1", "add", {3, 10}, 6770, 2.0 * 3 * 676 * 10}};
  glia_net *net = NULL;
  glia_store *store = NULL;
  glia_summary s;
  (void)state;
  OK(glia_net_parse("conv2d 4 3x3 relu\nmax_pool2d 2\nflatten\ndense 10", "a.net", &net));
  OK(glia_store_new(&store));
  OK(glia_summarise(glia_net_apply, net, store, 1, 4, (const int64_t[]){3, 1, 28, 28}, &s));
  assert_int_equal(s.n, GI_COUNT(want));
  for (int i = 0; i < s.n; i++) {
    assert_string_equal(s.rows[i].layer, want[i].layer);
    assert_string_equal(s.rows[i].op, want[i].op);
    assert_memory_equal(s.rows[i].shape, want[i].shape,
                        sizeof(int64_t) * (size_t)s.rows[i].rank);
    assert_int_equal(s.rows[i].parameters, want[i].parameters);
    assert_true(s.rows[i].flops >= want[i].flops && s.rows[i].flops <= want[i].flops + 20000);
  }
  assert_int_equal(s.parameters, 6810);
  glia_summary_clear(&s);
  FAILS(glia_summarise(glia_net_apply, net, store, 1, 4, (const int64_t[]){3, 1, 2, 2}, &s),
        GLIA_SHAPE, "a.net:1: conv2d_1");
  assert_null(s.rows);
  glia_net_free(net);
  glia_store_free(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lenet),
      cmocka_unit_test(test_ways_to_write_a_line),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_counted_names_avoid_given_ones),
      cmocka_unit_test(test_lines_refused),
      cmocka_unit_test(test_options_given_twice),
      cmocka_unit_test(test_too_much),
      cmocka_unit_test(test_shapes_that_cannot_fit),
      cmocka_unit_test(test_learner_finds_them),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_options_written_and_read_back),
      cmocka_unit_test(test_summary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
