/* glia/models.h - networks as text, transformers by their config.json, and what a network
 * costs.
 *
 * A .net file has one layer a line, read by the same schema as the options in C:
 *
 *     # lenet.net
 *     conv2d 32 3x3 relu
 *     max_pool2d 2
 *     flatten
 *     dense 10
 *
 * Values without a key come in the order of the layer's schema, others as key=value; a flag
 * stands alone by its name; name=NAME names a layer (else conv2d_1, conv2d_2, dense_1...); `#`
 * begins a comment. An activation may stand on a line of its own. `glia layers` lists all
 * layers.
 */
#ifndef GLIA_MODELS_H
#define GLIA_MODELS_H

#include "glia/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glia_net glia_net;

/* Reads a network; `what` (a file name) leads messages. GLIA_MODEL names line and layer, and
 * the nearest name of what is unknown. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_net_parse(const char *text, const char *what,
                                                   glia_net **out);
GLIA_NODISCARD GLIA_API glia_status glia_net_read(const char *path, glia_net **out);
GLIA_API void glia_net_free(glia_net *net);
/* The text as it was read. Borrowed until the net is freed. */
GLIA_API const char *glia_net_text(const glia_net *net);
GLIA_API int glia_net_layers(const glia_net *net);
/* The network as a model function: user is the glia_net. A failure's message names the line. */
GLIA_API glia_value glia_net_apply(glia_scope *s, glia_value x, void *net);

/* ---- transformers ------------------------------------------------------------------------ */

/* A transformer as the config.json beside its checkpoint describes it. Parameters have the
 * names, shapes and axis orders of Hugging Face's, so that such a file fills the store:
 *
 *   BertForSequenceClassification  [N, T] -> logits [N, num_labels]    arXiv:1810.04805
 *   GPT2LMHeadModel                [N, T] -> logits [N, T, vocab_size] (Radford et al. 2019)
 *   LlamaForCausalLM               [N, T] -> logits [N, T, vocab_size] arXiv:2302.13971
 */
typedef struct glia_transformer glia_transformer;

/* Reads the text of a config.json. architecture: one of those names; NULL: what the text says
 * by "architectures" or "model_type". Missing keys have their usual defaults, keys that are not
 * known are passed over. `what` (a file name) leads messages. GLIA_FORMAT: no JSON; GLIA_MODEL:
 * an architecture or a value that cannot be built, by its key. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_transformer_parse(const char *text,
                                                           const char *architecture,
                                                           const char *what,
                                                           glia_transformer **out);
GLIA_NODISCARD GLIA_API glia_status glia_transformer_read(const char *path,
                                                          glia_transformer **out);
GLIA_API void glia_transformer_free(glia_transformer *t);
/* The architecture's name. Borrowed for ever. */
GLIA_API const char *glia_transformer_name(const glia_transformer *t);

typedef struct glia_transformer_opts {
  size_t size;
  glia_value types; /* BERT: [N, T], of each token the number of its segment; GLIA_NONE: 0 */
  glia_value mask;  /* [N, T] of any numbers or bools: 0 where a token is padding, which no
                       other one sees; with a cache [N, cache]; GLIA_NONE: no padding */
  glia_value positions; /* i64 or i32 [T] or [N, T]; GLIA_NONE: 0 .. T - 1, behind the cache */
  int64_t cache;    /* GPT-2, Llama: keys and values of so many tokens are kept from run to run,
                       in buffers "<layer>.cache.key" and ".value"; 0: none */
  glia_value place; /* with a cache: i64 of rank 0, how many tokens are in it. Those of this run
                       are put behind them, and see them */
  glia_value *hidden; /* receives the last hidden state [N, T, width]; NULL: unwanted */
} glia_transformer_opts;
/* tokens [N, T], i64 or i32 -> logits. A token that is not in the vocabulary is reported at run
 * time. Dropout acts in a scope that trains. */
GLIA_API glia_value glia_transformer_apply_opt(glia_scope *s, const glia_transformer *t,
                                               glia_value tokens,
                                               const glia_transformer_opts *opt);
#ifndef __cplusplus /* glia_transformer_apply(s, t, tokens, .mask = mask) */
#define glia_transformer_apply(...)                                           \
  GLIA_NAMED3(glia_transformer_apply_opt, glia_transformer_opts, __VA_ARGS__, \
              .size = sizeof(glia_transformer_opts))
#endif

/* ---- what a network costs ---------------------------------------------------------------- */

/* A model: from x [N, ...] to its result, in a scope. */
typedef glia_value (*glia_model_fn)(glia_scope *s, glia_value x, void *user);

/* Writes a model as an ONNX file (opset 17, IR 8): input "x" of `dtype` [batch, shape...] for
 * any batch, output "result", weights under their names, as the store has them (missing ones
 * are created). What ONNX has no operator for is written in terms of those that it has. path
 * NULL: nothing is written, and what could not be is told all the same. GLIA_UNSUPPORTED names
 * every layer and op that ONNX cannot hold; GLIA_MODEL if the model is another one for another
 * batch.
 */
GLIA_NODISCARD GLIA_API glia_status glia_onnx_export(glia_model_fn model, void *user,
                                                     glia_store *store, glia_dtype dtype,
                                                     int rank, const int64_t *shape,
                                                     const char *path);

typedef struct glia_summary_row {
  char layer[64]; /* scope path; "" for what stands outside any */
  char op[32];    /* its last op */
  int rank;
  int64_t shape[GLIA_MAX_RANK]; /* of its result */
  int64_t parameters;
  double flops; /* forward, for the batch given */
} glia_summary_row;

typedef struct glia_summary {
  int n;
  glia_summary_row *rows; /* owned: glia_summary_clear */
  int64_t parameters;
  double flops;
} glia_summary;

/* Traces the model as for training on an input [batch, shape...] and lists its layers in order.
 * Parameters are created in the store. */
GLIA_NODISCARD GLIA_API glia_status glia_summarise(glia_model_fn model, void *user,
                                                   glia_store *store, uint64_t seed, int rank,
                                                   const int64_t *input, glia_summary *out);
GLIA_API void glia_summary_clear(glia_summary *s);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_MODELS_H */
