/* llama.c - LlamaForCausalLM (arXiv:2302.13971, arXiv:2307.09288): a causal decoder with RMS
 * norms first, rotary positions, a gated hidden layer, and heads that share keys and values.
 */
#include <math.h>

#include "models/architecture.h"
#include "nn/attend.h"
#include "nn/linear.h"

enum { MOST_PAIRS = 1024 };

typedef struct llama {
  int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads;
  int64_t num_key_value_heads, head_dim, max_position_embeddings;
  double rms_norm_eps, rope_theta, attention_dropout;
  bool tie_word_embeddings, attention_bias, mlp_bias;
  char hidden_act[GI_KEY_TEXT_MAX];
  /* of rope_scaling */
  char rope_type[GI_KEY_TEXT_MAX];
  double factor, low_freq_factor, high_freq_factor, original_positions;
  double beta_fast, beta_slow, attention_factor; /* of yarn; attention_factor: else 1 */
} llama;

/* ---- configuration ----------------------------------------------------------------------- */

static double given(const gi_json *scaling, const char *key, double fallback) {
  return gi_json_num(gi_json_get(scaling, key), fallback);
}

/* arXiv:2309.00071, with the names that checkpoints give to its numbers. */
static glia_status settle_yarn(llama *c, const gi_json *scaling) {
  const double rise = 0.1 * log(c->factor), all = given(scaling, "mscale_all_dim", 0);
  const double own = given(scaling, "mscale", 0) * rise + 1;
  c->beta_fast = given(scaling, "beta_fast", 32);
  c->beta_slow = given(scaling, "beta_slow", 1);
  c->attention_factor = given(scaling, "attention_factor",
                              all != 0 && own != 1 ? own / (all * rise + 1) : rise + 1);
  if (c->beta_fast > 0 && c->beta_slow > 0 && c->attention_factor > 0 && c->rope_theta > 1)
    return GLIA_OK;
  return gi_fail(GLIA_MODEL,
                 "rope_scaling: beta_fast is %g, beta_slow %g, attention_factor %g, rope_theta "
                 "%g; wanted > 0, the last > 1",
                 c->beta_fast, c->beta_slow, c->attention_factor, c->rope_theta);
}

static glia_status settle_positions(llama *c, const gi_json *scaling) {
  static const char *const known[] = {"default", "linear", "dynamic", "llama3", "yarn"};
  const char *type = gi_json_str(gi_json_get(scaling, "rope_type"),
                                 gi_json_str(gi_json_get(scaling, "type"), "default"));
  c->factor = gi_json_num(gi_json_get(scaling, "factor"), 1);
  c->low_freq_factor = gi_json_num(gi_json_get(scaling, "low_freq_factor"), 1);
  c->high_freq_factor = gi_json_num(gi_json_get(scaling, "high_freq_factor"), 4);
  c->original_positions = gi_json_num(gi_json_get(scaling, "original_max_position_embeddings"),
                                      (double)c->max_position_embeddings);
  if (!(c->factor >= 1) || !(c->low_freq_factor > 0) ||
      !(c->high_freq_factor > c->low_freq_factor) || !(c->original_positions >= 1))
    return gi_fail(GLIA_MODEL,
                   "rope_scaling: factor is %g, low_freq_factor %g, high_freq_factor %g; "
                   "wanted >= 1, > 0 and more",
                   c->factor, c->low_freq_factor, c->high_freq_factor);
  for (int i = 0; i < GI_COUNT(known); i++)
    if (strcmp(type, known[i]) == 0) {
      memcpy(c->rope_type, known[i], strlen(known[i]) + 1);
      c->attention_factor = 1;
      return strcmp(type, "yarn") == 0 ? settle_yarn(c, scaling) : GLIA_OK;
    }
  return gi_fail(GLIA_MODEL,
                 "rope_scaling: the type is \"%s\", wanted default, linear, dynamic, llama3 or "
                 "yarn",
                 type);
}

static glia_status settle(void *config, const gi_json *all) {
  llama *c = config;
  if (c->num_key_value_heads == 0) c->num_key_value_heads = c->num_attention_heads;
  if (c->head_dim == 0) {
    if (c->hidden_size % c->num_attention_heads != 0)
      return gi_fail(GLIA_MODEL, "hidden_size is %lld, num_attention_heads %lld: no divisor",
                     (long long)c->hidden_size, (long long)c->num_attention_heads);
    c->head_dim = c->hidden_size / c->num_attention_heads;
  }
  if (c->num_attention_heads % c->num_key_value_heads != 0)
    return gi_fail(GLIA_MODEL,
                   "num_attention_heads is %lld, num_key_value_heads %lld: no divisor",
                   (long long)c->num_attention_heads, (long long)c->num_key_value_heads);
  if (c->head_dim % 2 != 0 || c->head_dim / 2 > MOST_PAIRS)
    return gi_fail(GLIA_MODEL, "head_dim is %lld, wanted an even number up to %d",
                   (long long)c->head_dim, 2 * MOST_PAIRS);
  GI_TRY(settle_positions(c, gi_json_get(all, "rope_scaling")));
  return gi_check_act("hidden_act", c->hidden_act);
}

/* ---- positions --------------------------------------------------------------------------- */

/* arXiv:2407.21783: slow turns are slowed down by the factor, fast ones stay, and those in
 * between are between. */
static double llama3_frequency(const llama *c, double f) {
  const double pi = 3.14159265358979323846, turns = c->original_positions * f / (2 * pi);
  if (turns > c->high_freq_factor) return f;
  if (turns < c->low_freq_factor) return f / c->factor;
  const double part = (turns - c->low_freq_factor) / (c->high_freq_factor - c->low_freq_factor);
  return (1 - part) * f / c->factor + part * f;
}

/* The pair of numbers that turns so often over the length that the model was trained on. */
static double pair_of(const llama *c, double turns) {
  const double pi = 3.14159265358979323846;
  return (double)c->head_dim * log(c->original_positions / (turns * 2 * pi)) /
         (2 * log(c->rope_theta));
}
/* yarn: the same by pairs; those between are so in proportion to their number. */
static double yarn_frequency(const llama *c, int64_t i, double f) {
  const double low = fmax(floor(pair_of(c, c->beta_fast)), 0),
               end = fmin(ceil(pair_of(c, c->beta_slow)), (double)c->head_dim - 1),
               high = end > low || end < low ? end : low + 0.001;
  const double slowed = fmin(fmax(((double)i - low) / (high - low), 0), 1);
  return slowed * f / c->factor + (1 - slowed) * f;
}

/* dynamic: the base grows with what a sequence has more than the model was trained on. */
static void frequencies(const llama *c, int64_t t, double *out) {
  const double d = (double)c->head_dim, most = (double)c->max_position_embeddings;
  double base = c->rope_theta;
  if (strcmp(c->rope_type, "dynamic") == 0 && (double)t > most && d > 2)
    base *= pow(c->factor * (double)t / most - (c->factor - 1), d / (d - 2));
  for (int64_t i = 0; i < c->head_dim / 2; i++) {
    const double f = pow(base, -2 * (double)i / d);
    out[i] = strcmp(c->rope_type, "linear") == 0   ? f / c->factor
             : strcmp(c->rope_type, "llama3") == 0 ? llama3_frequency(c, f)
             : strcmp(c->rope_type, "yarn") == 0   ? yarn_frequency(c, i, f)
                                                   : f;
  }
}

/* ---- layers ------------------------------------------------------------------------------ */

typedef struct turn { /* of queries and keys */
  glia_value positions;
  int64_t limit;
  double frequency[MOST_PAIRS];
} turn;

static glia_value turned(glia_value x, const turn *r) {
  return glia_rotary(x, .positions = r->positions, .limit = r->limit,
                     .frequencies = r->frequency);
}

static glia_value attention(glia_scope *s, const llama *c, glia_value x, glia_value tokens,
                            const turn *r, const glia_transformer_opts *o) {
  const int64_t n = glia_value_dim(tokens, 0), t = glia_value_dim(tokens, 1);
  const int64_t h = c->num_attention_heads, g = c->num_key_value_heads, d = c->head_dim;
  const bool bias = c->attention_bias;
  const glia_value q =
      gi_to_heads(gi_linear_layer(s, "q_proj", x, h * d, bias), n, t, h, false);
  const glia_value k =
      gi_to_heads(gi_linear_layer(s, "k_proj", x, g * d, bias), n, t, g, false);
  const glia_value v =
      gi_to_heads(gi_linear_layer(s, "v_proj", x, g * d, bias), n, t, g, false);
  const double scale = c->attention_factor * c->attention_factor / sqrt((double)d);
  const glia_value y =
      gi_causal(s, turned(q, r), turned(k, r), v, scale, c->attention_dropout, o);
  return gi_linear_layer(s, "o_proj", gi_from_heads(y, false), c->hidden_size, bias);
}

static glia_value hidden(glia_scope *s, const llama *c, glia_value x) {
  const glia_value gate = gi_linear_layer(s, "gate_proj", x, c->intermediate_size, c->mlp_bias);
  const glia_value up = gi_linear_layer(s, "up_proj", x, c->intermediate_size, c->mlp_bias);
  return gi_linear_layer(s, "down_proj", glia_mul(gi_act(gate, c->hidden_act), up),
                         c->hidden_size, c->mlp_bias);
}

static glia_value norm(glia_scope *s, const llama *c, const char *name, glia_value x) {
  return glia_rms_norm(s, name, x, .eps = c->rms_norm_eps);
}

static glia_value logits(glia_scope *s, const llama *c, glia_value x, glia_value words) {
  if (c->tie_word_embeddings) return gi_linear(x, words, GLIA_NONE);
  return gi_linear_layer(s, "lm_head", x, c->vocab_size, false);
}

static glia_value build(glia_scope *s, const void *config, glia_value tokens,
                        const glia_transformer_opts *o) {
  const llama *c = config;
  if (!gi_check_tokens(tokens, INT64_MAX)) return GLIA_NONE;
  const int64_t n = glia_value_dim(tokens, 0), t = glia_value_dim(tokens, 1);
  const int64_t all[] = {n, t, c->hidden_size}, scores[] = {n, t, c->vocab_size};
  if (o->cache != 0 && strcmp(c->rope_type, "dynamic") == 0)
    return gi_latch(tokens.graph, GLIA_INVALID,
                    "llama: dynamic rope_scaling turns earlier keys anew: there is no cache");
  glia_scope *b = glia_scope_in(s, "model");
  turn r = {.positions = gi_positions(tokens, o),
            .limit = GI_MAX(GI_MAX(o->cache, t), c->max_position_embeddings)};
  frequencies(c, t, r.frequency);
  glia_value words;
  glia_value x = gi_as_rows(
      gi_token_rows(b, "embed_tokens", c->vocab_size, c->hidden_size, tokens, &words));
  for (int64_t i = 0; i < c->num_hidden_layers && !gi_null(x); i++) {
    glia_scope *h = gi_scope_at(b, "layers", i);
    x = glia_add(x, attention(glia_scope_in(h, "self_attn"), c,
                              norm(h, c, "input_layernorm", x), tokens, &r, o));
    x = glia_add(x,
                 hidden(glia_scope_in(h, "mlp"), c, norm(h, c, "post_attention_layernorm", x)));
  }
  x = norm(b, c, "norm", x);
  if (o->hidden != NULL) *o->hidden = glia_reshape(x, 3, all);
  return glia_reshape(logits(s, c, x, words), 3, scores);
}

#define SIZE .min = 1, .max = 1e9
static const gi_key keys[] = {
    GI_KEY(INT, llama, vocab_size, .number = 32000, SIZE),
    GI_KEY(INT, llama, hidden_size, .number = 4096, SIZE),
    GI_KEY(INT, llama, intermediate_size, .number = 11008, SIZE),
    GI_KEY(INT, llama, num_hidden_layers, .number = 32, .min = 0, .max = 1e4),
    GI_KEY(INT, llama, num_attention_heads, .number = 32, SIZE),
    GI_KEY(INT, llama, num_key_value_heads, .number = 0, SIZE),
    GI_KEY(INT, llama, head_dim, .number = 0, SIZE),
    GI_KEY(INT, llama, max_position_embeddings, .number = 2048, SIZE),
    GI_KEY(NUM, llama, rms_norm_eps, .number = 1e-6, .min = 1e-30, .max = 1),
    GI_KEY(NUM, llama, rope_theta, .number = 10000, .min = 1, .max = 1e12),
    GI_KEY(NUM, llama, attention_dropout, .number = 0, .min = 0, .max = 0.999),
    GI_KEY(BOOL, llama, tie_word_embeddings, .number = 0),
    GI_KEY(BOOL, llama, attention_bias, .number = 0),
    GI_KEY(BOOL, llama, mlp_bias, .number = 0),
    GI_KEY(TEXT, llama, hidden_act, .text = "silu"),
    {.name = NULL},
};

static const gi_architecture language_model = {
    .name = "LlamaForCausalLM",
    .type = "llama",
    .doc = "Llama: the next token's scores at every place",
    .size = sizeof(llama),
    .keys = keys,
    .settle = settle,
    .build = build,
};

const gi_architecture *const gi_architectures_llama[] = {&language_model, NULL};
