/* transformer.c - embeddings, attention, the layers of transformers, and whole models by their
 * config.json. Masks of PyTorch's are true where a key may not be looked at: they are turned
 * round.
 */
#include "parity/parity.h"

/* ---- embeddings -------------------------------------------------------------------------- */

static glia_lookup_opts lookup(const question *q) {
  glia_lookup_opts o = {.size = sizeof o,
                        .padding = q_int(q, "padding_idx", 0),
                        .max_norm = q_num(q, "max_norm", 0),
                        .norm = q_num(q, "norm_type", 2),
                        .by_frequency = q_bool(q, "scale_grad_by_freq", false)};
  o.padded = q_int(q, "padding_idx", INT64_MIN) != INT64_MIN;
  return o;
}

static void embedding(question *q) {
  const glia_lookup_opts o = lookup(q);
  q_output(q, 0, glia_embedding_with(q_param_or(q, "weight", 1), q_input(q, 0), &o));
}

/* Offsets of a flat index: a list of the case, or the next input. */
static glia_value offsets_of(question *q, int *next) {
  enum { MOST_BAGS = 64 };
  int64_t at[MOST_BAGS] = {0};
  const int64_t n = q_count(q, "offsets");
  if (n == 0 || n > MOST_BAGS) return q_input(q, (*next)++);
  q_ints(q, "offsets", (int)n, at);
  return glia_constant(q_graph(q), GLIA_I64, 1, &n, at);
}

/* index[, the matrix], then offsets of a flat index, then weights where the case has them. */
static void embedding_bag(question *q) {
  const char *mode = q_str(q, "mode", "mean"), *how = q_str(q, "bag_mode", mode);
  const glia_value index = q_input(q, 0), weight = q_param_or(q, "weight", 1);
  int next = q_param(q, "weight").graph != NULL ? 1 : 2;
  glia_bag_opts o = {.size = sizeof o,
                     .mode = strcmp(how, "sum") == 0   ? GLIA_BAG_SUM
                             : strcmp(how, "max") == 0 ? GLIA_BAG_MAX
                                                       : GLIA_BAG_MEAN,
                     .last_offset = q_bool(q, "include_last_offset", false),
                     .lookup = lookup(q)};
  if (glia_value_rank(index) == 1) o.offsets = offsets_of(q, &next);
  o.weights = q_input(q, next);
  q_output(q, 0, glia_embedding_bag_with(weight, index, &o));
}

/* ---- attention --------------------------------------------------------------------------- */

static glia_value turned_round(glia_value mask) {
  return mask.graph != NULL && glia_value_dtype(mask) == GLIA_BOOL ? glia_logical_not(mask)
                                                                   : mask;
}

/* The next input, where the attribute says that there is one. */
static glia_value mask_of(question *q, const char *key, int *next) {
  const char *text = q_str(q, key, "");
  if (strncmp(text, "input.", 6) == 0) return turned_round(q_named(q, key));
  if (text[0] == '\0' && !q_bool(q, key, false)) return GLIA_NONE;
  return turned_round(q_input(q, (*next)++));
}

static void multi_head_attention(question *q) {
  int next = 3;
  glia_value weights = GLIA_NONE;
  glia_scope *s = q_scope(q);
  const char *around = q_around(q, "out_proj.weight");
  const bool wanted = q_bool(q, "need_weights", true);
  const glia_value mask = mask_of(q, "attn_mask", &next);
  const glia_value y = glia_multi_head_attention(
      s, around, q_input(q, 0), .heads = q_int(q, "num_heads", 1), .key = q_input(q, 1),
      .value = q_input(q, 2), .mask = mask, .key_mask = mask_of(q, "key_padding_mask", &next),
      .no_bias = !q_bool(q, "bias", true), .bias_kv = q_bool(q, "add_bias_kv", false),
      .zero_key = q_bool(q, "add_zero_attn", false),
      .sequence_first = !q_bool(q, "batch_first", false), .dropout = q_num(q, "dropout", 0),
      .weights = wanted ? &weights : NULL,
      .weights_by_head = !q_bool(q, "average_attn_weights", true));
  q_output(q, 0, y);
  if (wanted) q_output(q, 1, weights);
}

static glia_transformer_layer_opts layer_opts(question *q) {
  return (glia_transformer_layer_opts){.size = sizeof(glia_transformer_layer_opts),
                                       .heads = q_int(q, "nhead", 1),
                                       .inner = q_int(q, "dim_feedforward", 2048),
                                       .activation = q_str(q, "activation", "relu"),
                                       .dropout = q_num(q, "dropout", 0),
                                       .eps = q_num(q, "layer_norm_eps", 1e-5),
                                       .norm_first = q_bool(q, "norm_first", false),
                                       .no_bias = !q_bool(q, "bias", true),
                                       .sequence_first = !q_bool(q, "batch_first", false)};
}

static glia_transformer_layer_opts encoder_opts(question *q, int *next) {
  glia_transformer_layer_opts o = layer_opts(q);
  o.mask = mask_of(q, "src_mask", next);
  if (o.mask.graph == NULL) o.mask = mask_of(q, "mask", next); /* as TransformerEncoder's */
  o.key_mask = mask_of(q, "src_key_padding_mask", next);
  return o;
}
static glia_transformer_layer_opts decoder_opts(question *q, int *next) {
  glia_transformer_layer_opts o = layer_opts(q);
  o.mask = mask_of(q, "tgt_mask", next);
  o.memory_mask = mask_of(q, "memory_mask", next);
  o.key_mask = mask_of(q, "tgt_key_padding_mask", next);
  o.memory_key_mask = mask_of(q, "memory_key_padding_mask", next);
  return o;
}

static void encoder_layer(question *q) {
  int next = 1;
  glia_scope *s = q_scope(q);
  const glia_transformer_layer_opts o = encoder_opts(q, &next);
  q_output(
      q, 0,
      glia_transformer_encoder_layer_opt(s, q_around(q, "linear1.weight"), q_input(q, 0), &o));
}
static void decoder_layer(question *q) {
  int next = 2;
  glia_scope *s = q_scope(q);
  glia_transformer_layer_opts o = decoder_opts(q, &next);
  o.memory = q_input(q, 1);
  q_output(
      q, 0,
      glia_transformer_decoder_layer_opt(s, q_around(q, "linear1.weight"), q_input(q, 0), &o));
}

/* ---- stacks of layers, "layers.0" ..., and "norm" where they have one ----------------------
 */

static glia_value stack(question *q, glia_scope *s, const char *before, int64_t layers,
                        glia_value x, const glia_transformer_layer_opts *o) {
  char name[64];
  for (int64_t i = 0; i < layers; i++) {
    snprintf(name, sizeof name, "%slayers.%d", before, (int)i);
    x = o->memory.graph != NULL ? glia_transformer_decoder_layer_opt(s, name, x, o)
                                : glia_transformer_encoder_layer_opt(s, name, x, o);
  }
  snprintf(name, sizeof name, "%snorm.weight", before);
  if (q_param(q, name).graph == NULL) return x;
  snprintf(name, sizeof name, "%snorm", before);
  return glia_layer_norm(s, name, x, .eps = o->eps);
}
static glia_scope *around(question *q, const char *name) {
  glia_scope *s = q_scope(q);
  const char *outer = q_around(q, name);
  return outer[0] != '\0' ? glia_scope_in(s, outer) : s;
}
static void encoder(question *q) {
  int next = 1;
  glia_scope *s = around(q, "layers.0.linear1.weight");
  const glia_transformer_layer_opts o = encoder_opts(q, &next);
  q_output(q, 0, stack(q, s, "", q_int(q, "num_layers", 1), q_input(q, 0), &o));
}
static void decoder(question *q) {
  int next = 2;
  glia_scope *s = around(q, "layers.0.linear1.weight");
  glia_transformer_layer_opts o = decoder_opts(q, &next);
  o.memory = q_input(q, 1);
  q_output(q, 0, stack(q, s, "", q_int(q, "num_layers", 1), q_input(q, 0), &o));
}
static void transformer(question *q) {
  int next = 2;
  glia_scope *s = around(q, "encoder.layers.0.linear1.weight");
  const glia_transformer_layer_opts e = encoder_opts(q, &next);
  glia_transformer_layer_opts d = decoder_opts(q, &next);
  d.memory = stack(q, s, "encoder.", q_int(q, "num_encoder_layers", 6), q_input(q, 0), &e);
  q_output(q, 0, stack(q, s, "decoder.", q_int(q, "num_decoder_layers", 6), q_input(q, 1), &d));
}

/* [..., T, D] as [N, heads, T, D]. Here a mask of bools is true where a key is seen. */
static glia_value by_heads(glia_value v) {
  const int rank = glia_value_rank(v);
  const int64_t *d = glia_value_shape(v);
  if (v.graph == NULL || rank >= 4 || rank < 2) return v;
  return glia_reshape(v, 4,
                      (const int64_t[]){rank == 3 ? d[0] : 1, 1, d[rank - 2], d[rank - 1]});
}
static void attention(question *q) {
  const glia_value x = q_input(q, 0), v = q_input(q, 2);
  int64_t shape[GLIA_MAX_RANK];
  const int rank = glia_value_rank(x);
  memcpy(shape, glia_value_shape(x), (size_t)rank * sizeof shape[0]);
  shape[rank - 1] = glia_value_dim(v, -1);
  const glia_value y = glia_attention(
      by_heads(x), by_heads(q_input(q, 1)), by_heads(v), .mask = by_heads(q_input(q, 3)),
      .causal = q_bool(q, "is_causal", false), .scale = q_num(q, "scale", 0));
  q_output(q, 0, glia_reshape(y, rank, shape));
}

/* ---- models ------------------------------------------------------------------------------ */

/* The last hidden state is asked for beside BERT's logits. */
static void model(question *q) {
  const bool bert = strncmp(q_op(q), "Bert", 4) == 0;
  char *config = gi_json_text(q_attributes(q), 0);
  glia_transformer *t = NULL;
  glia_value hidden = GLIA_NONE;
  const glia_status s =
      glia_transformer_parse(config != NULL ? config : "", q_op(q), "attrs", &t);
  gi_free(config);
  if (s != GLIA_OK) {
    q_cannot(q, glia_error_message());
    return;
  }
  q_output(q, 0,
           glia_transformer_apply(q_scope(q), t, q_input(q, 0),
                                  .types = bert ? q_input(q, 1) : GLIA_NONE,
                                  .mask = q_input(q, bert ? 2 : 1), .hidden = &hidden));
  if (bert) q_output(q, 1, hidden);
  glia_transformer_free(t);
}

static const parity_row rows[] = {
    {.op = "Embedding", .build = embedding},
    {.op = "embedding", .build = embedding},
    {.op = "EmbeddingBag", .build = embedding_bag},
    {.op = "embedding_bag", .build = embedding_bag},
    {.op = "MultiheadAttention", .build = multi_head_attention},
    {.op = "TransformerEncoderLayer", .build = encoder_layer},
    {.op = "TransformerDecoderLayer", .build = decoder_layer},
    {.op = "TransformerEncoder", .build = encoder},
    {.op = "TransformerDecoder", .build = decoder},
    {.op = "Transformer", .build = transformer},
    {.op = "scaled_dot_product_attention", .build = attention},
    {.op = "BertForSequenceClassification", .build = model},
    {.op = "GPT2LMHeadModel", .build = model},
    {.op = "LlamaForCausalLM", .build = model},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_transformer[] = {&all, NULL};
