/* test_transformers.c - transformers by their config.json: what is refused, the names of
 * parameters, and decoding with a cache, which must give what the whole sequence gives.
 * (Results against PyTorch's: tests/golden/transformer.)
 */
#include "test.h"

#include "glia/glia.h"
#include "base/json.h"

static const char gpt2[] =
    "{\"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 11, \"n_embd\": 12,"
    " \"n_layer\": 2, \"n_head\": 3, \"n_positions\": 10, \"some_other_key\": [1, 2]}";
static const char llama[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 11, \"hidden_size\": 16,"
    " \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"intermediate_size\": 20, \"max_position_embeddings\": 10}";

static glia_transformer *parsed(const char *text) {
  glia_transformer *t = NULL;
  OK(glia_transformer_parse(text, NULL, "config.json", &t));
  return t;
}

static glia_scope *scope(glia_graph **g, glia_store *store) {
  OK(glia_graph_new(g));
  return glia_scope_new(*g, store,
                        &(glia_scope_opts){.size = sizeof(glia_scope_opts), .seed = 4});
}

/* ---- configurations ---------------------------------------------------------------------- */

static void refused(const char *text, const char *architecture, glia_status want,
                    const char *says) {
  glia_transformer *t = NULL;
  FAILS(glia_transformer_parse(text, architecture, "c.json", &t), want, says);
  assert_null(t);
}

static void test_configurations(void **state) {
  (void)state;
  glia_transformer *t = parsed(gpt2);
  assert_string_equal(glia_transformer_name(t), "GPT2LMHeadModel");
  glia_transformer_free(t);
  t = parsed(llama);
  assert_string_equal(glia_transformer_name(t), "LlamaForCausalLM");
  glia_transformer_free(t);
  refused("{", NULL, GLIA_FORMAT, "c.json");
  refused("[]", NULL, GLIA_MODEL, "object");
  refused("{}", NULL, GLIA_MODEL, "wanted one of BertForSequenceClassification");
  refused("{}", "T5Model", GLIA_MODEL, "T5Model");
  refused("{\"n_embd\": 1.5}", "GPT2LMHeadModel", GLIA_MODEL, "n_embd is no whole number");
  refused("{\"n_embd\": \"12\"}", "GPT2LMHeadModel", GLIA_MODEL, "n_embd");
  refused("{\"n_embd\": 0}", "GPT2LMHeadModel", GLIA_MODEL, "n_embd is 0, wanted 1");
  refused("{\"n_embd\": 10, \"n_head\": 3}", "GPT2LMHeadModel", GLIA_MODEL, "n_head 3");
  refused("{\"activation_function\": \"gelu_nwe\"}", "GPT2LMHeadModel", GLIA_MODEL,
          "did you mean \"gelu_new\"");
  refused("{\"tie_word_embeddings\": 1}", "GPT2LMHeadModel", GLIA_MODEL, "is no flag");
  refused("{\"num_key_value_heads\": 3}", "LlamaForCausalLM", GLIA_MODEL,
          "num_key_value_heads 3");
  refused("{\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 2}}", "LlamaForCausalLM",
          GLIA_MODEL, "\"longrope\"");
  refused("{\"rope_scaling\": {\"type\": \"yarn\", \"beta_fast\": 0}}", "LlamaForCausalLM",
          GLIA_MODEL, "beta_fast is 0");
  refused("{\"position_embedding_type\": \"relative\"}", "BertForSequenceClassification",
          GLIA_MODEL, "\"relative\"");
}

/* ---- graphs that cannot be --------------------------------------------------------------- */

static void test_what_is_said_of_bad_graphs(void **state) {
  const int64_t long_one[] = {1, 11}, right[] = {1, 4};
  glia_transformer *t = parsed(gpt2);
  glia_store *store = NULL;
  glia_graph *g = NULL;
  (void)state;
  OK(glia_store_new(&store));
  glia_scope *s = scope(&g, store);
  glia_transformer_apply(s, t, glia_input(g, "x", GLIA_I64, 2, long_one));
  FAILS(glia_graph_status(g), GLIA_SHAPE, "11 tokens");
  glia_graph_free(g);
  s = scope(&g, store);
  glia_transformer_apply(s, t, glia_input(g, "x", GLIA_F32, 2, right));
  FAILS(glia_graph_status(g), GLIA_DTYPE, "tokens are f32");
  glia_graph_free(g);
  s = scope(&g, store);
  glia_transformer_apply(s, t, glia_input(g, "x", GLIA_I64, 2, right), .cache = 8);
  FAILS(glia_graph_status(g), GLIA_INVALID, "cache of 8 tokens");
  glia_graph_free(g);
  glia_store_free(store);
  glia_transformer_free(t);
}

static void test_a_token_outside_the_vocabulary_is_said(void **state) {
  const int64_t shape[] = {1, 4}, ids[] = {3, 1, 11, 2};
  glia_transformer *t = parsed(gpt2);
  glia_store *store = NULL;
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  glia_tensor *x = NULL;
  (void)state;
  OK(glia_store_new(&store));
  OK(glia_tensor_from(GLIA_I64, 2, shape, ids, &x));
  glia_scope *s = scope(&g, store);
  glia_output("y", glia_transformer_apply(s, t, glia_input(g, "x", GLIA_I64, 2, shape)));
  OK(glia_compile(g, &p));
  OK(glia_plan_bind(p, "x", x));
  FAILS(glia_plan_run(p), GLIA_INVALID, "transformer.wte");
  FAILS(glia_plan_run(p), GLIA_INVALID, "index 11 at position 2 is not in 0 .. 10");
  assert_non_null(glia_store_get(store, "transformer.h.1.attn.c_attn.weight"));
  assert_non_null(glia_store_get(store, "transformer.wte.weight"));
  assert_null(glia_store_get(store, "lm_head.weight"));
  glia_plan_free(p);
  glia_tensor_free(x);
  glia_graph_free(g);
  glia_store_free(store);
  glia_transformer_free(t);
}

/* ---- decoding ---------------------------------------------------------------------------- */

enum { N = 2, T = 7, WORDS = 11, ROOM = 9 };
static const int64_t tokens[N][T] = {{3, 1, 4, 1, 5, 9, 2}, {6, 5, 3, 5, 8, 10, 0}};

static glia_plan *compiled(glia_graph *g, const char *backend, bool fixed) {
  glia_plan *p = NULL;
  OK(glia_graph_status(g));
  OK(glia_compile(g, &p, .backend = backend, .fixed = fixed));
  return p;
}

/* All at once. */
static void whole(const glia_transformer *t, glia_store *store, const char *backend,
                  double out[N][T][WORDS]) {
  const int64_t shape[] = {N, T};
  glia_graph *g = NULL;
  glia_tensor *x = NULL;
  glia_scope *s = scope(&g, store);
  OK(glia_tensor_from(GLIA_I64, 2, shape, tokens, &x));
  glia_output("y", glia_transformer_apply(s, t, glia_input(g, "x", GLIA_I64, 2, shape)));
  glia_plan *p = compiled(g, backend, false);
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_run(p));
  for (int i = 0; i < N * T * WORDS; i++)
    (&out[0][0][0])[i] = glia_tensor_get(glia_plan_output(p, "y"), i);
  glia_plan_free(p);
  glia_tensor_free(x);
  glia_graph_free(g);
}

/* Tokens from .. from + n - 1 behind those that are in the cache. */
static void step(const glia_transformer *t, glia_store *store, const char *backend, int from,
                 int n, double want[N][T][WORDS]) {
  const int64_t shape[] = {N, n};
  glia_graph *g = NULL;
  glia_tensor *x = NULL, *place = NULL;
  glia_scope *s = scope(&g, store);
  OK(glia_tensor_new(GLIA_I64, 2, shape, &x));
  OK(glia_tensor_new(GLIA_I64, 0, NULL, &place));
  for (int i = 0; i < N * n; i++) glia_tensor_set(x, i, (double)tokens[i / n][from + i % n]);
  glia_tensor_set(place, 0, from);
  glia_output(
      "y", glia_transformer_apply(s, t, glia_input(g, "x", GLIA_I64, 2, shape), .cache = ROOM,
                                  .place = glia_input(g, "place", GLIA_I64, 0, NULL)));
  glia_plan *p = compiled(g, backend, from % 2 == 0); /* weights that are kept packed, or not */
  OK(glia_plan_bind(p, "x", x));
  OK(glia_plan_bind(p, "place", place));
  OK(glia_plan_run(p));
  for (int i = 0; i < N * n * WORDS; i++)
    NEAR(glia_tensor_get(glia_plan_output(p, "y"), i),
         want[i / WORDS / n][from + i / WORDS % n][i % WORDS], 2e-5);
  glia_plan_free(p);
  glia_tensor_free(x);
  glia_tensor_free(place);
  glia_graph_free(g);
}

static void test_decoding_with_a_cache(void **state) {
  static const char *const configs[] = {gpt2, llama}, *const backends[] = {"ref", NULL};
  static double want[N][T][WORDS];
  (void)state;
  for (int c = 0; c < GI_COUNT(configs); c++)
    for (int b = 0; b < GI_COUNT(backends); b++) {
      glia_transformer *t = parsed(configs[c]);
      glia_store *store = NULL;
      OK(glia_store_new(&store));
      whole(t, store, backends[b], want);
      step(t, store, backends[b], 0, 3, want); /* the beginning at once, then one by one */
      for (int i = 3; i < T; i++) step(t, store, backends[b], i, 1, want);
      glia_store_free(store);
      glia_transformer_free(t);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_configurations),
      cmocka_unit_test(test_what_is_said_of_bad_graphs),
      cmocka_unit_test(test_a_token_outside_the_vocabulary_is_said),
      cmocka_unit_test(test_decoding_with_a_cache),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
