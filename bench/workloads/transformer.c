/* transformer.c - encoders with a classifier on the first token: 4 layers of 256 in training,
 * 12 of 768 (BERT's base size) in inference; and a decoder of GPT-2's small size, whose head is
 * its table of words, in training. Names are those of the peer's modules.
 */
#include "workload.h"

enum { ENCODED = 30522, DECODED = 50257, TOKENS = 128, PLACES = 1024, DECODE = 256 };

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

static glia_value block(glia_scope *s, glia_value x, const size *z) {
  const int64_t shape[] = {glia_value_dim(x, 0), glia_value_dim(x, 1), z->width};
  const glia_value qkv =
      glia_dense(s, "qkv", glia_layer_norm(s, "l1", x), .units = 3 * z->width);
  glia_value y = glia_attention(heads_of(qkv, 0, z), heads_of(qkv, 1, z), heads_of(qkv, 2, z),
                                .causal = true);
  y = glia_reshape(glia_permute(y, (const int[]){0, 2, 1, 3}), 3, shape);
  x = glia_add(x, glia_dense(s, "o", y, .units = z->width));
  y = glia_dense(s, "u", glia_layer_norm(s, "l2", x), .units = 4 * z->width);
  return glia_add(x, glia_dense(s, "d", glia_gelu_tanh(y), .units = z->width));
}

static void decoder(glia_scope *s, glia_value x) {
  const int64_t steps = glia_value_dim(x, 1) - 1, rows[] = {-1, base.width}, flat[] = {-1};
  const glia_value words = table(s, "tok", DECODED, base.width, 0.02);
  const glia_value places = table(s, "pos", PLACES, base.width, 1);
  const glia_value next = glia_reshape(glia_slice(x, 1, 1, steps + 1, 1), 1, flat);
  char name[8];
  glia_value h = glia_gather(words, glia_slice(x, 1, 0, steps, 1), 0);
  h = glia_add(h, glia_slice(places, 0, 0, steps, 1));
  for (int i = 0; i < base.layers; i++) {
    snprintf(name, sizeof name, "%d", i);
    h = block(glia_scope_in(glia_scope_in(s, "b"), name), h, &base);
  }
  h = glia_reshape(glia_layer_norm(s, "ln", h), 2, rows);
  const glia_value scores = glia_matmul(h, words, .transpose_b = true);
  const glia_value loss = glia_output("loss", glia_cross_entropy_loss(scores, next));
  glia_minimize(s, loss, &glia_adamw(.lr = 1e-4));
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
  .model = encoder_base, .rank = 1, .shape = {TOKENS}, .tokens = ENCODED, .batches = 1, \
  .settings = "--avx512;--variant slow;--variant ofi"
static const workload b1 = {
    .name = "bertbase_b1", .peer = "bertbase_b1", .target = {1.25, 1.25}, .batch = 1, BASE};
static const workload b8 = {
    .name = "bertbase_b8", .peer = "bertbase_b8", .target = {1.15, 1.15}, .batch = 8, BASE};

static const workload gpt2 = {.name = "gpt2_train",
                              .peer = "gpt2_train",
                              .target = {1.35, 1.35},
                              .settings = "--avx512;--variant foreach",
                              .step = decoder,
                              .optimizer = "adamw",
                              .rank = 1,
                              .shape = {DECODE + 1},
                              .tokens = DECODED,
                              .batch = 1,
                              .batches = 1};

const workload *const gi_workloads_transformer[] = {&train, &b1, &b8, &gpt2, NULL};
