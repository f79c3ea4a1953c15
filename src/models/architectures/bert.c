/* bert.c - BertForSequenceClassification (arXiv:1810.04805): an encoder with norms after the
 * sums, and a classifier on what has become of the first token.
 */
#include <math.h>

#include "models/architecture.h"
#include "nn/attend.h"
#include "nn/linear.h"

typedef struct bert {
  int64_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size;
  int64_t max_position_embeddings, type_vocab_size, pad_token_id, num_labels;
  double layer_norm_eps, hidden_dropout_prob, attention_probs_dropout_prob, classifier_dropout;
  char hidden_act[GI_KEY_TEXT_MAX], position_embedding_type[GI_KEY_TEXT_MAX];
} bert;

/* Of positions. */
static bool is_kind(const bert *c, const char *name) {
  return strcmp(c->position_embedding_type, name) == 0;
}

/* Labels may be told by their names alone. */
static glia_status settle(void *config, const gi_json *all) {
  bert *c = config;
  const gi_json *names = gi_json_get(all, "id2label");
  if (names != NULL && gi_json_get(all, "num_labels") == NULL && gi_json_count(names) > 0)
    c->num_labels = (int64_t)gi_json_count(names);
  if (c->classifier_dropout < 0) c->classifier_dropout = c->hidden_dropout_prob;
  if (c->hidden_size % c->num_attention_heads != 0)
    return gi_fail(GLIA_MODEL, "hidden_size is %lld, num_attention_heads %lld: no divisor",
                   (long long)c->hidden_size, (long long)c->num_attention_heads);
  if (!is_kind(c, "absolute") && !is_kind(c, "relative_key") &&
      !is_kind(c, "relative_key_query"))
    return gi_fail(
        GLIA_MODEL,
        "position_embedding_type is \"%s\", wanted \"absolute\", \"relative_key\" or "
        "\"relative_key_query\"",
        c->position_embedding_type);
  return gi_check_act("hidden_act", c->hidden_act);
}

static glia_value norm(glia_scope *s, const bert *c, glia_value x) {
  return glia_layer_norm(s, "LayerNorm", x, .eps = c->layer_norm_eps);
}

/* LayerNorm(dropout(dense(y)) + x), in the scope of both. */
static glia_value joined(glia_scope *s, const bert *c, glia_value y, glia_value x) {
  const glia_value d = gi_linear_layer(s, "dense", y, c->hidden_size, true);
  return norm(s, c, glia_add(glia_dropout(s, "dropout", d, c->hidden_dropout_prob), x));
}

/* Words, positions and segments: rows [N T, hidden_size]. Where distances count in place of
 * positions, checkpoints have a table of positions all the same. */
static glia_value embedded(glia_scope *s, const bert *c, glia_value tokens,
                           const glia_transformer_opts *o) {
  const int64_t t = glia_value_dim(tokens, 1), w = c->hidden_size;
  const glia_value words =
      glia_embedding(s, "word_embeddings", tokens, .rows = c->vocab_size, .width = w,
                     .padded = c->pad_token_id >= 0 && c->pad_token_id < c->vocab_size,
                     .padding = c->pad_token_id);
  const glia_value places = gi_learned_positions(
      s, "position_embeddings", c->max_position_embeddings, w, o->positions, t);
  glia_value types = o->types;
  if (gi_null(types)) {
    const glia_value zero = glia_scalar(tokens.graph, GLIA_I64, 0);
    types = glia_broadcast_to(zero, 2, glia_value_shape(tokens));
  }
  const glia_value segments =
      glia_embedding(s, "token_type_embeddings", types, .rows = c->type_vocab_size, .width = w);
  const glia_value sum = glia_add(words, segments);
  const glia_value x = norm(s, c, is_kind(c, "absolute") ? glia_add(sum, places) : sum);
  return gi_as_rows(glia_dropout(s, "dropout", x, c->hidden_dropout_prob));
}

/* What the distance between a query at l and a key at r adds to their score, [N, H, T, T]: the
 * product of the query, and with relative_key_query of the key too, with row l - r + most - 1
 * of a learned table (arXiv:1803.02155, arXiv:2009.13658). */
static glia_value of_distances(glia_scope *self, const bert *c, glia_value q, glia_value k,
                               int64_t t) {
  const int64_t most = c->max_position_embeddings,
                width = c->hidden_size / c->num_attention_heads;
  const glia_value place = glia_range(q.graph, t, GLIA_I64);
  const glia_value from = glia_reshape(place, 2, (const int64_t[]){t, 1}),
                   to = glia_reshape(place, 2, (const int64_t[]){1, t});
  const glia_value distance = glia_sub(from, to);
  const glia_value table =
      glia_embedding(self, "distance_embedding",
                     glia_add(distance, glia_scalar_like(distance, (double)(most - 1))),
                     .rows = 2 * most - 1, .width = width); /* [l, r, d] */
  glia_value sum = glia_einsum("nhld,lrd->nhlr", (const glia_value[]){q, table}, 2);
  if (is_kind(c, "relative_key_query"))
    sum = glia_add(sum, glia_einsum("nhrd,lrd->nhlr", (const glia_value[]){k, table}, 2));
  return glia_mul(sum, glia_scalar_like(sum, 1 / sqrt((double)width)));
}

static glia_value attention(glia_scope *s, const bert *c, glia_value x, int64_t n, int64_t t,
                            glia_value mask) {
  static const char *const names[] = {"query", "key", "value"};
  const double p = s != NULL && s->train ? c->attention_probs_dropout_prob : 0;
  glia_scope *self = glia_scope_in(s, "self");
  glia_value in[3];
  for (int i = 0; i < 3; i++)
    in[i] = gi_to_heads(gi_linear_layer(self, names[i], x, c->hidden_size, true), n, t,
                        c->num_attention_heads, false);
  if (!is_kind(c, "absolute"))
    mask = gi_both_masks(of_distances(self, c, in[0], in[1], t), mask);
  const glia_value y = glia_attention(in[0], in[1], in[2], .mask = mask, .dropout = p,
                                      .stream = p > 0 ? gi_dropout_stream(self) : 0);
  return joined(glia_scope_in(s, "output"), c, gi_from_heads(y, false), x);
}

static glia_value layer(glia_scope *s, const bert *c, glia_value x, int64_t n, int64_t t,
                        glia_value mask) {
  x = attention(glia_scope_in(s, "attention"), c, x, n, t, mask);
  const glia_value h =
      gi_linear_layer(glia_scope_in(s, "intermediate"), "dense", x, c->intermediate_size, true);
  return joined(glia_scope_in(s, "output"), c, gi_act(h, c->hidden_act), x);
}

static glia_value build(glia_scope *s, const void *config, glia_value tokens,
                        const glia_transformer_opts *o) {
  const bert *c = config;
  if (!gi_check_tokens(tokens, c->max_position_embeddings)) return GLIA_NONE;
  if (o->cache != 0)
    return gi_latch(tokens.graph, GLIA_INVALID, "bert: an encoder keeps no cache");
  const int64_t n = glia_value_dim(tokens, 0), t = glia_value_dim(tokens, 1);
  glia_scope *b = glia_scope_in(s, "bert");
  const glia_value mask = gi_token_mask(o);
  glia_value x = embedded(glia_scope_in(b, "embeddings"), c, tokens, o);
  for (int64_t i = 0; i < c->num_hidden_layers && !gi_null(x); i++)
    x = layer(gi_scope_at(b, "encoder.layer", i), c, x, n, t, mask);
  if (gi_null(x)) return x;
  const glia_value hidden = glia_reshape(x, 3, (const int64_t[]){n, t, c->hidden_size});
  if (o->hidden != NULL) *o->hidden = hidden;
  const glia_value first =
      glia_reshape(glia_slice(hidden, 1, 0, 1, 1), 2, (const int64_t[]){n, c->hidden_size});
  const glia_value pooled = glia_tanh(
      gi_linear_layer(glia_scope_in(b, "pooler"), "dense", first, c->hidden_size, true));
  return gi_linear_layer(s, "classifier",
                         glia_dropout(s, "dropout", pooled, c->classifier_dropout),
                         c->num_labels, true);
}

#define SIZE   .min = 1, .max = 1e9
#define CHANCE .min = 0, .max = 0.999
static const gi_key keys[] = {
    GI_KEY(INT, bert, vocab_size, .number = 30522, SIZE),
    GI_KEY(INT, bert, hidden_size, .number = 768, SIZE),
    GI_KEY(INT, bert, num_hidden_layers, .number = 12, .min = 0, .max = 1e4),
    GI_KEY(INT, bert, num_attention_heads, .number = 12, SIZE),
    GI_KEY(INT, bert, intermediate_size, .number = 3072, SIZE),
    GI_KEY(INT, bert, max_position_embeddings, .number = 512, SIZE),
    GI_KEY(INT, bert, type_vocab_size, .number = 2, SIZE),
    GI_KEY(INT, bert, pad_token_id, .number = 0),
    GI_KEY(INT, bert, num_labels, .number = 2, SIZE),
    GI_KEY(NUM, bert, layer_norm_eps, .number = 1e-12, .min = 1e-30, .max = 1),
    GI_KEY(NUM, bert, hidden_dropout_prob, .number = 0.1, CHANCE),
    GI_KEY(NUM, bert, attention_probs_dropout_prob, .number = 0.1, CHANCE),
    GI_KEY(NUM, bert, classifier_dropout, .number = -1, CHANCE),
    GI_KEY(TEXT, bert, hidden_act, .text = "gelu"),
    GI_KEY(TEXT, bert, position_embedding_type, .text = "absolute"),
    {.name = NULL},
};

static const gi_architecture classifier = {
    .name = "BertForSequenceClassification",
    .type = "bert",
    .doc = "BERT with a classifier on the first token",
    .size = sizeof(bert),
    .keys = keys,
    .settle = settle,
    .build = build,
};

const gi_architecture *const gi_architectures_bert[] = {&classifier, NULL};
