/* transformer.c - an encoder of 4 layers of 256 with a classifier on the first token (128
 * tokens of 30522 words), in training. Batches are normal numbers: they are spread over the
 * words first. Names are those of the peer's modules.
 */
#include "workload.h"

enum { WORDS = 30522, TOKENS = 128, WIDTH = 256, HEADS = 4, LAYERS = 4 };

/* About even over 0 .. WORDS - 1. */
static glia_value words_of(glia_value x) {
  const glia_value share = glia_sigmoid(glia_mul(x, glia_scalar_like(x, 1.702)));
  const glia_value word = glia_clip(glia_mul(share, glia_scalar_like(x, WORDS)), 0, WORDS - 1);
  return glia_cast(glia_stop_gradient(glia_floor(word)), GLIA_I64);
}

static glia_value bert_mini(glia_scope *s, glia_value x, void *user) {
  const int64_t table[] = {TOKENS, WIDTH}, n = glia_value_dim(x, 0), first[] = {n, WIDTH};
  (void)user;
  const glia_value places = glia_parameter(glia_scope_in(s, "pos"), "weight", 2, table,
                                           (glia_init){.kind = GLIA_INIT_NORMAL, .b = 1});
  x = glia_embedding(s, "tok", words_of(x), .rows = WORDS, .width = WIDTH);
  x = glia_layer_norm(s, "ln", glia_add(x, places));
  for (int i = 0; i < LAYERS; i++) {
    char name[32];
    snprintf(name, sizeof name, "enc.layers.%d", i);
    x = glia_transformer_encoder_layer(s, name, x, .heads = HEADS, .inner = 4 * WIDTH,
                                       .activation = "gelu", .dropout = 0.1);
  }
  x = glia_reshape(glia_slice(x, 1, 0, 1, 1), 2, first);
  return glia_dense(s, "cls", x, .units = 2);
}

static const workload train = {.name = "bertmini_train_b16",
                               .peer = "bertmini_train",
                               .target = {1.5, 1.8},
                               .settings = "--avx512",
                               .model = bert_mini,
                               .optimizer = "adamw lr=1e-4",
                               .rank = 1,
                               .shape = {TOKENS},
                               .classes = 2,
                               .batch = 16,
                               .batches = 4};

const workload *const gi_workloads_transformer[] = {&train, NULL};
