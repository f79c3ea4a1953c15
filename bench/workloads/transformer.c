/* transformer.c - encoders with a classifier on the first token: 4 layers of 256 in training,
 * 12 of 768 (BERT's base size) in inference; and a decoder of GPT-2's small size, whose head is
 * its table of words, in training, and in greedy decoding with a cache of keys and values.
 * Names are those of the peer's modules.
 */
#include "workload.h"

enum { ENCODED = 30522, DECODED = 50257, TOKENS = 128, PLACES = 1024, DECODE = 256 };
enum { PROMPT = 32, ROOM = PROMPT + 48 }; /* tokens given, and with those that follow */

typedef struct size {
  int64_t layers, width, heads;
} size;
static const size mini = {4, 256, 4}, base = {12, 768, 12};

static glia_value table(glia_scope *s, const char *name, int64_t rows, int64_t width,
                        double deviation) {
  const glia_init normal = {.kind = GLIA_INIT_NORMAL, .b = deviation};
  return glia_parameter(glia_scope_in(s, name), "weight", 2, (const int64_t[]){rows, width},
                        normal);
}

static glia_value encoder(glia_scope *s, glia_value x, const size *z) {
  const int64_t first[] = {glia_value_dim(x, 0), z->width};
  const glia_value words = table(s, "tok", ENCODED, z->width, 1);
  char name[32];
  x = glia_cast(x, GLIA_I64); /* a learner tries its model on numbers */
  x = glia_add(glia_gather(words, x, 0), table(s, "pos", TOKENS, z->width, 1));
  x = glia_layer_norm(s, "ln", x);
  for (int i = 0; i < z->layers; i++) {
    snprintf(name, sizeof name, "enc.layers.%d", i);
    x = glia_transformer_encoder_layer(s, name, x, .heads = z->heads, .inner = 4 * z->width,
                                       .activation = "gelu", .dropout = 0.1);
  }
  x = glia_reshape(glia_slice(x, 1, 0, 1, 1), 2, first);
  return glia_dense(s, "cls", x, .units = 2);
}

static glia_value encoder_mini(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return encoder(s, x, &mini);
}
static glia_value encoder_base(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return encoder(s, x, &base);
}

/* [N, T, D] -> the i-th of three [N, H, T, D / H]. */
static glia_value heads_of(glia_value qkv, int i, const size *z) {
  const int64_t shape[] = {glia_value_dim(qkv, 0), glia_value_dim(qkv, 1), z->heads,
                           z->width / z->heads};
  const glia_value part = glia_slice(qkv, 2, i * z->width, (i + 1) * z->width, 1);
  return glia_permute(glia_reshape(part, 4, shape), (const int[]){0, 2, 1, 3});
}

/* What was there before, and y at `place`; kept for the next step. */
static glia_value kept(glia_scope *s, const char *name, glia_value y, glia_value place) {
  const int64_t shape[] = {1, glia_value_dim(y, 1), ROOM, glia_value_dim(y, 3)};
  const glia_value cache = glia_buffer(glia_scope_in(s, "cache"), name, 4, shape, 0);
  const glia_value now = glia_write_at(cache, y, place, 2);
  glia_assign(cache, now);
  return now;
}

/* Without a place all tokens are there; with one, a token, and those before it in the cache. */
static glia_value block(glia_scope *s, glia_value x, glia_value place, const size *z) {
  const int64_t shape[] = {glia_value_dim(x, 0), glia_value_dim(x, 1), z->width};
  const bool all = place.graph == NULL;
  glia_value qkv = glia_dense(s, "qkv", glia_layer_norm(s, "l1", x), .units = 3 * z->width), y,
             k = heads_of(qkv, 1, z), v = heads_of(qkv, 2, z), seen = GLIA_NONE;
  if (!all) {
    k = kept(s, "key", k, place), v = kept(s, "value", v, place);
    seen = glia_less_equal(glia_range(x.graph, ROOM, GLIA_I64), place);
  }
  y = glia_attention(heads_of(qkv, 0, z), k, v, .causal = all, .mask = seen);
  y = glia_reshape(glia_permute(y, (const int[]){0, 2, 1, 3}), 3, shape);
  x = glia_add(x, glia_dense(s, "o", y, .units = z->width));
  y = glia_dense(s, "u", glia_layer_norm(s, "l2", x), .units = 4 * z->width);
  return glia_add(x, glia_dense(s, "d", glia_gelu_tanh(y), .units = z->width));
}

/* tokens [N, T] -> scores of what comes next, [N T, words]. */
static glia_value decoder(glia_scope *s, glia_value tokens, glia_value place) {
  const int64_t rows[] = {-1, base.width};
  const glia_value words = table(s, "tok", DECODED, base.width, 0.02);
  const glia_value places = table(s, "pos", PLACES, base.width, 1);
  char name[8];
  glia_value h = glia_gather(words, tokens, 0);
  h = glia_add(h, place.graph != NULL ? glia_gather(places, place, 0)
                                      : glia_slice(places, 0, 0, glia_value_dim(tokens, 1), 1));
  for (int i = 0; i < base.layers; i++) {
    snprintf(name, sizeof name, "%d", i);
    h = block(glia_scope_in(glia_scope_in(s, "b"), name), h, place, &base);
  }
  h = glia_reshape(glia_layer_norm(s, "ln", h), 2, rows);
  return glia_matmul(h, words, .transpose_b = true);
}

static void decoder_train(glia_scope *s, glia_value x) {
  const int64_t steps = glia_value_dim(x, 1) - 1, flat[] = {-1};
  const glia_value next = glia_reshape(glia_slice(x, 1, 1, steps + 1, 1), 1, flat);
  const glia_value scores = decoder(s, glia_slice(x, 1, 0, steps, 1), GLIA_NONE);
  const glia_value loss = glia_output("loss", glia_cross_entropy_loss(scores, next));
  glia_minimize(s, loss, &glia_adamw(.lr = 1e-4));
}

/* A token a step: those of x first, then what the step before found most likely; at ROOM it
 * begins anew. The "loss" is the score of the likeliest. */
static void decoder_next(glia_scope *s, glia_value x) {
  const int64_t flat[] = {PROMPT}, one[] = {1, 1};
  const glia_value count = glia_buffer(s, "count", 0, NULL, 0),
                   last = glia_scalar_like(count, ROOM),
                   word = glia_buffer(s, "word", 0, NULL, 0),
                   place = glia_cast(count, GLIA_I64);
  const glia_value end = glia_scalar_like(place, PROMPT - 1);
  const glia_value given = glia_gather(glia_reshape(x, 1, flat), glia_minimum(place, end), 0);
  const glia_value token =
      glia_where(glia_less_equal(place, end), given, glia_cast(word, GLIA_I64));
  const glia_value scores = decoder(s, glia_reshape(token, 2, one), place);
  const glia_value more = glia_add(count, glia_scalar_like(count, 1));
  glia_output("loss", glia_max(scores));
  glia_assign(word, glia_cast(glia_reshape(glia_argmax(scores, 1, false), 0, NULL), GLIA_F32));
  glia_assign(count, glia_where(glia_less(more, last), more, glia_scalar_like(count, 0)));
}

static const workload train = {.name = "bertmini_train",
                               .peer = "bertmini_train",
                               .target = {1.5, 1.8},
                               .settings = "--avx512;--variant foreach",
                               .model = encoder_mini,
                               .optimizer = "adamw lr=1e-4",
                               .rank = 1,
                               .shape = {TOKENS},
                               .tokens = ENCODED,
                               .classes = 2,
                               .batch = 16,
                               .batches = 1};

#define BASE                                                                            \
  .model = encoder_base, .rank = 1, .shape = {TOKENS}, .tokens = ENCODED, .classes = 2, \
  .batches = 1, .settings = "--avx512;--variant slow;--variant ofi"
static const workload b1 = {
    .name = "bertbase_b1", .peer = "bertbase_b1", .target = {1.25, 1.25}, .batch = 1, BASE};
static const workload b8 = {
    .name = "bertbase_b8", .peer = "bertbase_b8", .target = {1.15, 1.15}, .batch = 8, BASE};

static const workload gpt2 = {.name = "gpt2_train",
                              .peer = "gpt2_train",
                              .target = {1.35, 1.35},
                              .settings = "--avx512;--variant foreach",
                              .step = decoder_train,
                              .optimizer = "adamw",
                              .rank = 1,
                              .shape = {DECODE + 1},
                              .tokens = DECODED,
                              .batch = 1,
                              .batches = 1};

#define NEXT                                                                             \
  .step = decoder_next, .settings = "", .rank = 1, .shape = {PROMPT}, .tokens = DECODED, \
  .batch = 1, .batches = 1
static const workload next = {
    .name = "gpt2_decode", .peer = "gpt2_decode", .target = {1, 1.7}, NEXT};
static const workload next_bf16 = {.name = "gpt2_decode_bf16w",
                                   .peer = "gpt2_decode_bf16w",
                                   .target = {2, 2},
                                   .stored = GLIA_BF16,
                                   NEXT};

const workload *const gi_workloads_transformer[] = {&train, &b1,        &b8, &gpt2,
                                                    &next,  &next_bf16, NULL};
