/* transformer.c - the layers of a transformer (arXiv:1706.03762), with the parameters of
 * PyTorch's TransformerEncoderLayer and TransformerDecoderLayer.
 *
 * A layer is a row of blocks, each added to what goes in: attention to x itself, in a decoder
 * attention to the memory, and two linear maps with an activation in between. All work on rows
 * [N T, E]; attention alone sees which rows are a sequence.
 */
#include "nn/attend.h"
#include "nn/layer.h"
#include "nn/linear.h"

typedef struct build_of {
  glia_scope *s;
  const glia_transformer_layer_opts *o;
  int64_t n, t;      /* of x */
  glia_value memory; /* rows; null in an encoder */
  int64_t memory_t;
} build_of;

static glia_value norm(const build_of *b, int number, glia_value x) {
  char name[16];
  snprintf(name, sizeof name, "norm%d", number);
  return glia_layer_norm(b->s, name, x, .eps = b->o->eps, .no_bias = b->o->no_bias);
}

static glia_value dropped(const build_of *b, int number, glia_value x) {
  char name[16] = "dropout";
  if (number > 0) snprintf(name, sizeof name, "dropout%d", number);
  return glia_dropout(b->s, name, x, b->o->dropout);
}

static glia_value attention(const build_of *b, const char *name, glia_value x,
                            const gi_attended *a) {
  const gi_entered e = gi_enter(b->s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, gi_attend(e.scope, a));
}

static glia_value to_itself(const build_of *b, glia_value x) {
  const glia_multi_head_attention_opts o = {.heads = b->o->heads,
                                            .mask = b->o->mask,
                                            .key_mask = b->o->key_mask,
                                            .causal = b->o->causal,
                                            .dropout = b->o->dropout,
                                            .no_bias = b->o->no_bias,
                                            .sequence_first = b->o->sequence_first};
  return attention(b, "self_attn", x, &(gi_attended){x, x, x, b->n, b->t, b->t, &o});
}

static glia_value to_memory(const build_of *b, glia_value x) {
  const glia_multi_head_attention_opts o = {.heads = b->o->heads,
                                            .mask = b->o->memory_mask,
                                            .key_mask = b->o->memory_key_mask,
                                            .dropout = b->o->dropout,
                                            .no_bias = b->o->no_bias,
                                            .sequence_first = b->o->sequence_first};
  return attention(b, "multihead_attn", x,
                   &(gi_attended){x, b->memory, b->memory, b->n, b->t, b->memory_t, &o});
}

static glia_value hidden(const build_of *b, glia_value x) {
  const char *activation = b->o->activation != NULL ? b->o->activation : "relu";
  const int64_t inner = b->o->inner != 0 ? b->o->inner : 2048;
  const glia_value h = gi_linear_layer(b->s, "linear1", x, inner, !b->o->no_bias);
  return gi_linear_layer(b->s, "linear2", dropped(b, 0, glia_activation(h, activation)),
                         glia_value_dim(x, 1), !b->o->no_bias);
}

typedef glia_value block_fn(const build_of *b, glia_value x);

/* x + block(norm(x)), or norm(x + block(x)). */
static glia_value around(const build_of *b, int number, glia_value x, block_fn *block) {
  if (gi_null(x)) return x;
  const glia_value y = block(b, b->o->norm_first ? norm(b, number, x) : x);
  const glia_value sum = glia_add(x, dropped(b, number, y));
  return b->o->norm_first ? sum : norm(b, number, sum);
}

static glia_value blocks(const build_of *b, glia_value x) {
  int number = 1;
  x = around(b, number++, x, to_itself);
  if (!gi_null(b->memory)) x = around(b, number++, x, to_memory);
  return around(b, number, x, hidden);
}

static int64_t at(glia_value x, bool sequence, bool sequence_first) {
  if (glia_value_rank(x) == 2) return sequence ? glia_value_dim(x, 0) : 1;
  return glia_value_dim(x, sequence == sequence_first ? 0 : 1);
}

static glia_value build(glia_scope *s, glia_value x, glia_transformer_layer_opts *o,
                        const char *op) {
  const int rank = glia_value_rank(x);
  if (rank != 2 && rank != 3)
    return gi_latch(s->graph, GLIA_SHAPE, "%s: x has rank %d, wanted [N, T, E] or [T, E]", op,
                    rank);
  if (!gi_null(o->memory) &&
      (glia_value_rank(o->memory) != rank ||
       at(o->memory, false, o->sequence_first) != at(x, false, o->sequence_first)))
    return gi_latch(s->graph, GLIA_SHAPE,
                    "%s: the memory has rank %d, x rank %d; wanted one rank, and as many "
                    "sequences",
                    op, glia_value_rank(o->memory), rank);
  if (o->inner < 0)
    return gi_latch(s->graph, GLIA_INVALID, "%s: inner is %lld, wanted 1 or more", op,
                    (long long)o->inner);
  build_of b = {.s = s,
                .o = o,
                .n = at(x, false, o->sequence_first),
                .t = at(x, true, o->sequence_first),
                .memory = gi_as_rows(o->memory)};
  if (!gi_null(o->memory)) b.memory_t = at(o->memory, true, o->sequence_first);
  if (rank == 2) o->sequence_first = false;
  return gi_as_before(blocks(&b, gi_as_rows(x)), x);
}

glia_value glia_transformer_encoder_layer_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_transformer_layer_opts *opt) {
  glia_transformer_layer_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  o.memory = GLIA_NONE;
  return gi_leave(&e, build(e.scope, x, &o, "transformer_encoder_layer"));
}

glia_value glia_transformer_decoder_layer_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_transformer_layer_opts *opt) {
  const char *const op = "transformer_decoder_layer";
  glia_transformer_layer_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  if (gi_null(o.memory))
    return gi_leave(&e, gi_latch(s->graph, GLIA_INVALID, "%s: there is no memory", op));
  return gi_leave(&e, build(e.scope, x, &o, op));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_transformer_encoder_layer_opt(s, name, x, opts);
}

static const gi_field fields[] = {
    GI_FIELD(I64, glia_transformer_layer_opts, heads, .positional = true, .required = true,
             .min = 1, .max = 1e6, .doc = "a divisor of the width"),
    GI_FIELD(I64, glia_transformer_layer_opts, inner, .positional = true, .min = 1, .max = 1e9,
             .dflt = "2048", .doc = "width of the hidden layer"),
    GI_FIELD(NAME, glia_transformer_layer_opts, activation, .positional = true, .dflt = "relu",
             .doc = "of the hidden layer", .choices = gi_activation_names),
    GI_FIELD(F64, glia_transformer_layer_opts, dropout, .min = 0, .max = 0.999,
             .doc = "after attention and each linear map"),
    GI_FIELD(F64, glia_transformer_layer_opts, eps, .min = 1e-12, .max = 1, .dflt = "1e-5",
             .doc = "of the norms"),
    GI_FIELD(BOOL, glia_transformer_layer_opts, norm_first, .doc = "norms come first"),
    GI_FIELD(BOOL, glia_transformer_layer_opts, causal, .doc = "rows see none behind them"),
    GI_FIELD(BOOL, glia_transformer_layer_opts, no_bias, .doc = "leave the biases out"),
    GI_FIELD(BOOL, glia_transformer_layer_opts, sequence_first, .doc = "x is [T, N, E]"),
    {.name = NULL},
};

static const gi_layer encoder_layer = {
    .name = "transformer_encoder_layer",
    .doc = "attention of a sequence to itself and a hidden layer, with norms",
    .opts_size = sizeof(glia_transformer_layer_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_transformer[] = {&encoder_layer, NULL};
