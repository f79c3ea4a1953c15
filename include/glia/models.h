/* glia/models.h - networks as text, and what a network costs.
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

/* A model: from x [N, ...] to its result, in a scope. */
typedef glia_value (*glia_model_fn)(glia_scope *s, glia_value x, void *user);

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
