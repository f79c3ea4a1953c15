/* gpt2.c - GPT2LMHeadModel (Radford et al. 2019): a causal decoder with norms first. Its linear
 * maps are stored as [inputs, outputs], "Conv1D" in the checkpoints' language.
 */
#include <math.h>

#include "models/architecture.h"
#include "nn/attend.h"
#include "nn/linear.h"

typedef struct gpt2 {
  int64_t vocab_size, n_positions, n_embd, n_layer, n_head, n_inner;
  double layer_norm_epsilon, resid_pdrop, embd_pdrop, attn_pdrop;
  bool scale_attn_weights, scale_attn_by_inverse_layer_idx, tie_word_embeddings;
  char activation_function[GI_KEY_TEXT_MAX];
} gpt2;

static glia_status settle(void *config, const gi_json *all) {
  gpt2 *c = config;
  (void)all;
  if (c->n_inner == 0) c->n_inner = 4 * c->n_embd;
  if (c->n_embd % c->n_head != 0)
    return gi_fail(GLIA_MODEL, "n_embd is %lld, n_head %lld: no divisor", (long long)c->n_embd,
                   (long long)c->n_head);
  return gi_check_act("activation_function", c->activation_function);
}

static const glia_init small = {.kind = GLIA_INIT_NORMAL, .b = 0.02};

/* x W + b in n equal parts of its columns: weight [inputs, outputs], bias. */
static void conv1d(glia_scope *s, const char *name, glia_value x, int64_t outputs, int n,
                   glia_value *out) {
  const gi_entered e = gi_enter(s, name);
  for (int i = 0; i < n; i++) out[i] = GLIA_NONE;
  if (e.scope != NULL && !gi_null(x)) {
    const int64_t shape[] = {glia_value_dim(x, 1), outputs};
    const glia_value w = glia_parameter(e.scope, "weight", 2, shape, small);
    const glia_value b =
        glia_parameter(e.scope, "bias", 1, &outputs, (glia_init){.kind = GLIA_INIT_ZEROS});
    gi_linear_parts(x, w, b, true, n, out);
  }
  gi_leave(&e, GLIA_NONE);
}

static glia_value norm(glia_scope *s, const gpt2 *c, const char *name, glia_value x) {
  return glia_layer_norm(s, name, x, .eps = c->layer_norm_epsilon);
}

static glia_value attention(glia_scope *s, const gpt2 *c, int64_t layer, glia_value x,
                            glia_value tokens, const glia_transformer_opts *o) {
  const int64_t n = glia_value_dim(tokens, 0), t = glia_value_dim(tokens, 1);
  const int64_t width = c->n_embd / c->n_head; /* of a head */
  double scale = c->scale_attn_weights ? 1 / sqrt((double)width) : 1;
  if (c->scale_attn_by_inverse_layer_idx) scale /= (double)(layer + 1);
  glia_value in[3], y;
  conv1d(s, "c_attn", x, 3 * c->n_embd, 3, in);
  for (int i = 0; i < 3; i++) in[i] = gi_to_heads(in[i], n, t, c->n_head, false);
  y = gi_causal(s, in[0], in[1], in[2], scale, c->attn_pdrop, o);
  conv1d(s, "c_proj", gi_from_heads(y, false), c->n_embd, 1, &y);
  return glia_dropout(s, "resid_dropout", y, c->resid_pdrop);
}

static glia_value hidden(glia_scope *s, const gpt2 *c, glia_value x) {
  glia_value h, y;
  conv1d(s, "c_fc", x, c->n_inner, 1, &h);
  conv1d(s, "c_proj", gi_act(h, c->activation_function), c->n_embd, 1, &y);
  return glia_dropout(s, "dropout", y, c->resid_pdrop);
}

static glia_value logits(glia_scope *s, const gpt2 *c, glia_value x, glia_value words) {
  if (!c->tie_word_embeddings) return gi_linear_layer(s, "lm_head", x, c->vocab_size, false);
  return gi_linear(x, words, GLIA_NONE);
}

static glia_value build(glia_scope *s, const void *config, glia_value tokens,
                        const glia_transformer_opts *o) {
  const gpt2 *c = config;
  if (!gi_check_tokens(tokens, c->n_positions)) return GLIA_NONE;
  const int64_t n = glia_value_dim(tokens, 0), t = glia_value_dim(tokens, 1), w = c->n_embd;
  const int64_t all[] = {n, t, w}, scores[] = {n, t, c->vocab_size};
  glia_scope *b = glia_scope_in(s, "transformer");
  glia_value words, x = gi_token_rows(b, "wte", c->vocab_size, w, tokens, &words);
  const glia_value places =
      gi_learned_positions(b, "wpe", c->n_positions, w, gi_positions(tokens, o), t);
  x = gi_as_rows(glia_dropout(b, "drop", glia_add(x, places), c->embd_pdrop));
  for (int64_t i = 0; i < c->n_layer && !gi_null(x); i++) {
    glia_scope *h = gi_scope_at(b, "h", i);
    x = glia_add(x,
                 attention(glia_scope_in(h, "attn"), c, i, norm(h, c, "ln_1", x), tokens, o));
    x = glia_add(x, hidden(glia_scope_in(h, "mlp"), c, norm(h, c, "ln_2", x)));
  }
  x = norm(b, c, "ln_f", x);
  if (o->hidden != NULL) *o->hidden = glia_reshape(x, 3, all);
  return glia_reshape(logits(s, c, x, words), 3, scores);
}

#define SIZE   .min = 1, .max = 1e9
#define CHANCE .min = 0, .max = 0.999
static const gi_key keys[] = {
    GI_KEY(INT, gpt2, vocab_size, .number = 50257, SIZE),
    GI_KEY(INT, gpt2, n_positions, .number = 1024, SIZE),
    GI_KEY(INT, gpt2, n_embd, .number = 768, SIZE),
    GI_KEY(INT, gpt2, n_layer, .number = 12, .min = 0, .max = 1e4),
    GI_KEY(INT, gpt2, n_head, .number = 12, SIZE),
    GI_KEY(INT, gpt2, n_inner, .number = 0, SIZE),
    GI_KEY(NUM, gpt2, layer_norm_epsilon, .number = 1e-5, .min = 1e-30, .max = 1),
    GI_KEY(NUM, gpt2, resid_pdrop, .number = 0.1, CHANCE),
    GI_KEY(NUM, gpt2, embd_pdrop, .number = 0.1, CHANCE),
    GI_KEY(NUM, gpt2, attn_pdrop, .number = 0.1, CHANCE),
    GI_KEY(BOOL, gpt2, scale_attn_weights, .number = 1),
    GI_KEY(BOOL, gpt2, scale_attn_by_inverse_layer_idx, .number = 0),
    GI_KEY(BOOL, gpt2, tie_word_embeddings, .number = 1),
    GI_KEY(TEXT, gpt2, activation_function, .text = "gelu_new"),
    {.name = NULL},
};

static const gi_architecture language_model = {
    .name = "GPT2LMHeadModel",
    .type = "gpt2",
    .doc = "GPT-2: the next token's scores at every place",
    .size = sizeof(gpt2),
    .keys = keys,
    .settle = settle,
    .build = build,
};

const gi_architecture *const gi_architectures_gpt2[] = {&language_model, NULL};
