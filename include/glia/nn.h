/* glia/nn.h - layers and initialisers: functions that build graph; with them, glia/losses.h.
 *
 * A model is a function: it takes a scope, where parameters live, and values, and returns
 * values. A scope is a graph, a store, a name path, a mode (train or infer) and a random
 * stream. The first trace creates and initialises a parameter, later ones find it. Names are
 * those of the field's checkpoints: a layer "conv1" in scope "layer1.0" has
 * "layer1.0.conv1.weight" and ".bias".
 */
#ifndef GLIA_NN_H
#define GLIA_NN_H

#include "glia/attention.h"
#include "glia/graph.h"
#include "glia/losses.h"
#include "glia/store.h"
#include "glia/windows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- scopes ------------------------------------------------------------------------------ */

typedef struct glia_scope glia_scope; /* memory of the graph: nothing to free */

typedef struct glia_scope_opts {
  size_t size;
  bool train;    /* false: infer: dropout passes, batch norm uses its running statistics */
  uint64_t seed; /* of initial values */
  bool zeros;    /* new parameters are zeros, for a file to fill: no initialiser runs */
  bool averaged; /* parameters are read as their means over the steps, where an optimiser keeps
                    them (ema, swa) */
} glia_scope_opts;

/* The outermost scope over a graph and a store (both borrowed: they outlive the scope's use).
 * One store per graph. NULL, with the failure latched in the graph, without memory. */
GLIA_API glia_scope *glia_scope_new(glia_graph *g, glia_store *store,
                                    const glia_scope_opts *opt);
/* The scope `name` inside s. Passing NULL gives NULL. */
GLIA_API glia_scope *glia_scope_in(glia_scope *s, const char *name);
/* s as it will be when this step's updates have been made: a parameter that was assigned a new
 * value already (glia_minimize, glia_assign) is read with that value, as a constant. So one
 * step can train two networks in turn, the second against the first as it has just been
 * updated. */
GLIA_API glia_scope *glia_scope_updated(glia_scope *s);
GLIA_API glia_graph *glia_scope_graph(const glia_scope *s);
GLIA_API bool glia_scope_training(const glia_scope *s);

/* ---- parameters -------------------------------------------------------------------------- */

/* name, formula; fan_in and fan_out as PyTorch counts them: dim[1] (dim[0]) times the rest */
#define GLIA_INIT_MAP(X)                                                                 \
  X(DEFAULT, "default", "uniform in +-1/sqrt(fan_in): PyTorch's for dense and conv2d")   \
  X(ZEROS, "zeros", "0")                                                                 \
  X(ONES, "ones", "1")                                                                   \
  X(CONSTANT, "constant", "a")                                                           \
  X(UNIFORM, "uniform", "uniform in [a, b)")                                             \
  X(NORMAL, "normal", "mean a, standard deviation b")                                    \
  X(GLOROT_UNIFORM, "glorot_uniform", "uniform in +-sqrt(6/(fan_in + fan_out))")         \
  X(GLOROT_NORMAL, "glorot_normal", "normal, deviation sqrt(2/(fan_in + fan_out))")      \
  X(HE_UNIFORM, "he_uniform", "uniform in +-sqrt(6/fan_in): arXiv:1502.01852, for relu") \
  X(HE_NORMAL, "he_normal", "normal, deviation sqrt(2/fan_in)")                          \
  X(LECUN_UNIFORM, "lecun_uniform", "uniform in +-sqrt(3/fan_in)")                       \
  X(LECUN_NORMAL, "lecun_normal", "normal, deviation sqrt(1/fan_in)")                    \
  X(ORTHOGONAL, "orthogonal", "rows or columns orthonormal: arXiv:1312.6120")

typedef enum glia_init_kind {
#define GLIA_X(name, text, doc) GLIA_INIT_##name,
  GLIA_INIT_MAP(GLIA_X)
#undef GLIA_X
} glia_init_kind;

typedef struct glia_init {
  glia_init_kind kind;
  double a, b;    /* of constant, uniform, normal; a of glorot, he, lecun, orthogonal: a gain,
                     0 -> 1 */
  int64_t fan_in; /* 0: from the shape */
} glia_init;

/* By how much an activation wants weights larger so that values keep their size from layer to
 * layer, as PyTorch's calculate_gain: tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 +
 * slope^2)), selu 3/4, others (and NULL) 1. slope: of leaky_relu; 0 -> 0.01. */
GLIA_API double glia_gain(const char *activation, double slope);

/* Fills a contiguous float tensor; element i depends on (seed, name, i) only. GLIA_DTYPE for
 * other types, GLIA_INVALID for strided ones. */
GLIA_NODISCARD GLIA_API glia_status glia_initialise(glia_tensor *t, glia_init init,
                                                    uint64_t seed, const char *name);
/* Parameter `name` of scope s: created as f32 at the first trace, found later, in the float
 * type that the store has. A shape that differs from the store's latches GLIA_MODEL with both.
 */
GLIA_API glia_value glia_parameter(glia_scope *s, const char *name, int rank,
                                   const int64_t *shape, glia_init init);
/* The same for a tensor that is kept but not learned. glia_assign gives either a new value. */
GLIA_API glia_value glia_buffer(glia_scope *s, const char *name, int rank, const int64_t *shape,
                                double fill);

/* ---- layers ---------------------------------------------------------------------------------
 * glia_X(scope, name, x, .option = ...) returns the layer's result. `activation` is the name of
 * an activation ("relu", "gelu", "softmax"...; NULL: none). */

typedef struct glia_dense_opts {
  size_t size;
  int64_t units; /* outputs; must be given */
  const char *activation;
  bool no_bias;
  glia_init_kind init; /* of the weight; bias as PyTorch: uniform in +-1/sqrt(inputs) */
} glia_dense_opts;
/* y = act(x W^T + b): x [..., K] -> [..., units]; weight [units, K], bias [units]. */
GLIA_API glia_value glia_dense_opt(glia_scope *s, const char *name, glia_value x,
                                   const glia_dense_opts *opt);

typedef struct glia_conv2d_opts {
  size_t size;
  int64_t filters;   /* output channels; must be given */
  int64_t kernel[2]; /* rows, columns; must be given; one number stands for both */
  const char *activation;
  int64_t stride[2];   /* 0 -> 1 */
  int64_t padding[2];  /* on both sides */
  int64_t dilation[2]; /* 0 -> 1 */
  int64_t groups;      /* 0 -> 1 */
  bool same;           /* padding such that stride 1 keeps the size; wants an odd kernel */
  bool no_bias;
  glia_init_kind init;
  glia_border border; /* what is seen in the padding */
} glia_conv2d_opts;
/* x [N, C, H, W] -> [N, filters, OH, OW]; weight [filters, C/groups, KH, KW], bias [filters].
 */
GLIA_API glia_value glia_conv2d_opt(glia_scope *s, const char *name, glia_value x,
                                    const glia_conv2d_opts *opt);

typedef struct glia_conv2d_transpose_opts {
  size_t size;
  int64_t filters;   /* output channels; must be given */
  int64_t kernel[2]; /* rows, columns; must be given; one number stands for both */
  const char *activation;
  int64_t stride[2];         /* the image becomes so many times as large; 0 -> 1 */
  int64_t padding[2];        /* cut off on both sides */
  int64_t output_padding[2]; /* rows, columns more at the end; below the stride */
  int64_t dilation[2];       /* 0 -> 1 */
  int64_t groups;            /* 0 -> 1 */
  bool no_bias;
  glia_init_kind init;
} glia_conv2d_transpose_opts;
/* x [N, C, H, W] -> [N, filters, OH, OW], OH = (H - 1) stride - 2 padding + dilation (KH - 1) +
 * 1 + output_padding; weight [C, filters/groups, KH, KW], bias [filters]. */
GLIA_API glia_value glia_conv2d_transpose_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_conv2d_transpose_opts *opt);

typedef struct glia_batch_norm_opts {
  size_t size;
  double eps;      /* 0 -> 1e-5 */
  double momentum; /* share of the new statistics; 0 -> 0.1 */
  const char *activation;
} glia_batch_norm_opts;
/* x [N, C, ...]; weight, bias [C]; buffers running_mean, running_var [C] (unbiased, as PyTorch)
 * and num_batches_tracked. Training: batch statistics, and the running ones move; infer: the
 * running ones. */
GLIA_API glia_value glia_batch_norm_opt(glia_scope *s, const char *name, glia_value x,
                                        const glia_batch_norm_opts *opt);
/* Of rnn, gru and lstm. H: units; P: projection, else H; D: 2 if bidirectional, else 1. */
typedef struct glia_recurrent_opts {
  size_t size;
  int64_t units;          /* must be given */
  int64_t layers;         /* one on top of the other, at most 64; 0 -> 1 */
  bool bidirectional;     /* a second direction, from the end, beside the first */
  bool batch_first;       /* x and the result are [N, T, ...], states stay as they are */
  bool last_only;         /* the result is the last state of the top layer, [N, D P] */
  bool no_bias;           /* leave bias_ih and bias_hh out */
  const char *activation; /* rnn: "tanh" or "relu"; NULL -> "tanh" */
  int64_t projection;     /* lstm: the state has P < H numbers (arXiv:1402.1128); 0 -> none */
  bool peepholes;         /* lstm: gates see the cell (Gers et al. 2002) */
  bool reset_before;      /* gru: the reset gate comes before the product, see
                             glia_recurrence_opts */
  double dropout;         /* training: between layers */
  double weight_dropout;  /* training: DropConnect on weight_hh (AWD-LSTM, arXiv:1708.02182) */
  bool variational;       /* dropout with one mask for all time steps (arXiv:1512.05287) */
  glia_value lengths;     /* i64 or i32 [N], 0 .. T: the rest of each sequence is padding, which
                             gives zeros, leaves the states alone, and has no gradient. One
                             that is out of range fails the run. GLIA_NONE: all steps count */
  glia_value h0;          /* [layers D, N, P]; GLIA_NONE: zeros */
  glia_value c0;          /* lstm: [layers D, N, H]; GLIA_NONE: zeros */
  glia_value *final_h;    /* receives the states after the last step, shaped as h0; or NULL */
  glia_value *final_c;    /* lstm: the cells, shaped as c0; or NULL */
} glia_recurrent_opts;
/* x [T, N, features] -> the states of the top layer [T, N, D P], by the formulas of
 * glia_rnn_with, glia_gru_with, glia_lstm_with. Parameters as in PyTorch's checkpoints, for
 * each layer k and, with "_reverse" behind, for the second direction: weight_ih_lk [gates H,
 * inputs], weight_hh_lk [gates H, P], bias_ih_lk, bias_hh_lk [gates H], with a projection
 * weight_hr_lk [P, H], with peepholes weight_peephole_lk [3, H]; gates of gru r, z, n, of lstm
 * i, f, g, o; initially uniform in +-1/sqrt(H). Latches GLIA_SHAPE for another rank or states
 * of another shape, GLIA_INVALID for options out of range. */
GLIA_API glia_value glia_rnn_opt(glia_scope *s, const char *name, glia_value x,
                                 const glia_recurrent_opts *opt);
GLIA_API glia_value glia_gru_opt(glia_scope *s, const char *name, glia_value x,
                                 const glia_recurrent_opts *opt);
GLIA_API glia_value glia_lstm_opt(glia_scope *s, const char *name, glia_value x,
                                  const glia_recurrent_opts *opt);
typedef struct glia_layer_norm_opts {
  size_t size;
  int64_t axes;   /* so many of the last are normalised together; 0 -> 1 */
  double eps;     /* 0 -> 1e-5; rms_norm: 1e-6 */
  bool no_affine; /* no parameters */
  bool no_bias;
} glia_layer_norm_opts;
/* (x - mean) / sqrt(variance + eps) weight + bias over the last axes, whose shape weight and
 * bias have. arXiv:1607.06450 */
GLIA_API glia_value glia_layer_norm_opt(glia_scope *s, const char *name, glia_value x,
                                        const glia_layer_norm_opts *opt);
/* x / sqrt(mean of x^2 + eps) weight; there is no bias. arXiv:1910.07467 */
GLIA_API glia_value glia_rms_norm_opt(glia_scope *s, const char *name, glia_value x,
                                      const glia_layer_norm_opts *opt);

typedef struct glia_group_norm_opts {
  size_t size;
  int64_t groups; /* of channels; must be given; a divisor of C */
  double eps;     /* 0 -> 1e-5 */
  bool no_affine; /* no parameters */
} glia_group_norm_opts;
/* x [N, C, ...] normalised over groups of channels; weight, bias [C]. arXiv:1803.08494 */
GLIA_API glia_value glia_group_norm_opt(glia_scope *s, const char *name, glia_value x,
                                        const glia_group_norm_opts *opt);

typedef struct glia_instance_norm_opts {
  size_t size;
  double eps;      /* 0 -> 1e-5 */
  double momentum; /* share of the new statistics; 0 -> 0.1 */
  bool affine;     /* weight, bias [C] */
  bool track;      /* keeps running_mean and running_var [C], used when not training */
} glia_instance_norm_opts;
/* x [N, C, ...] normalised over each channel of each n. arXiv:1607.08022 */
GLIA_API glia_value glia_instance_norm_opt(glia_scope *s, const char *name, glia_value x,
                                           const glia_instance_norm_opts *opt);

typedef struct glia_embedding_opts {
  size_t size;
  int64_t rows, width; /* of the weight; must be given */
  bool padded;         /* the row called `padding` begins as zeros and is not learned */
  int64_t padding;     /* negative numbers count from the last row */
  double max_norm;     /* rows that are longer are taken as scaled down to this length; the
                          parameter itself stays as it is; 0: they stay */
  double norm;         /* which length; 0 -> 2 */
  bool by_frequency;   /* gradients are divided by how often a row is named in the batch */
  /* An update changes the rows that the batch names, and their state, and no others: with u the
   * distinct indices and g[u] the sum of what comes in for each,
   *   (weight[u], state[u]) = rule(weight[u], state[u], g[u])
   * That is PyTorch's sparse=True: adam is SparseAdam then (eps is added before the root is
   * corrected), adagrad and sgd are what they were. Penalties act on rows u alone. It goes for
   * every optimiser but those that look at a parameter as a whole or move it without a
   * gradient: lamb, asgd, and sgd with momentum, which are computed for all rows, as are means
   * over steps and Lookahead. Where the weight is read otherwise too (tied to an output layer),
   * its gradient has all rows, and so has the update. */
  bool sparse;
} glia_embedding_opts;
/* index [...], i64 or i32 -> [..., width]; weight [rows, width], normal at first. An index out
 * of range is reported at run time with the layer and the first bad position. */
GLIA_API glia_value glia_embedding_opt(glia_scope *s, const char *name, glia_value index,
                                       const glia_embedding_opts *opt);

typedef struct glia_multi_head_attention_opts {
  size_t size;
  int64_t heads;       /* must be given; a divisor of x's width E */
  glia_value key;      /* [N, S, K]; GLIA_NONE: x */
  glia_value value;    /* [N, S, V]; GLIA_NONE: the key */
  glia_value mask;     /* [T, S], [N heads, T, S] or what broadcasts to [N, heads, T, S]: bool,
                          true: the key is seen (PyTorch's attn_mask says the opposite), or floats
                          that are added to the scores */
  glia_value key_mask; /* [N, S]: bool, true: the key is seen, or floats that are added */
  bool causal;         /* row t sees the keys 0 .. t */
  double dropout;      /* of weights, in training */
  bool no_bias;
  bool bias_kv;         /* a learned key and value behind the others: bias_k, bias_v */
  bool zero_key;        /* a key and value of zeros behind all */
  bool sequence_first;  /* x, key and value are [T, N, ..], the result too */
  glia_value *weights;  /* receives what values were weighted by (before dropout), the mean
                           over heads [N, T, S]; NULL: unwanted, which spares T S memory */
  bool weights_by_head; /* that is [N, heads, T, S] */
} glia_multi_head_attention_opts;
/* y = out_proj(attention(q, k, v)) by heads: x [N, T, E], or [T, E] without a batch -> its
 * shape. Parameters as PyTorch's MultiheadAttention: in_proj_weight [3 E, E], or q_proj_weight
 * [E, E], k_proj_weight [E, K], v_proj_weight [E, V] where K or V differ from E; in_proj_bias
 * [3 E]; bias_k, bias_v [1, 1, E]; out_proj.weight [E, E], out_proj.bias. Rows that see no key
 * are zeros before out_proj. arXiv:1706.03762 */
GLIA_API glia_value glia_multi_head_attention_opt(glia_scope *s, const char *name, glia_value x,
                                                  const glia_multi_head_attention_opts *opt);

typedef struct glia_transformer_layer_opts {
  size_t size;
  int64_t heads;          /* must be given */
  int64_t inner;          /* width of the hidden layer; 0 -> 2048 */
  const char *activation; /* NULL: relu */
  double dropout;
  double eps;      /* of the norms; 0 -> 1e-5 */
  bool norm_first; /* norms come before attention and hidden layer, not after the sums */
  bool no_bias;
  bool sequence_first;       /* x and memory are [T, N, E] */
  bool causal;               /* of x: row t sees 0 .. t */
  glia_value mask, key_mask; /* of x, as multi_head_attention takes them */
  glia_value memory;         /* decoder: what it looks at, [N, S, E]; must be given */
  glia_value memory_mask, memory_key_mask; /* decoder */
} glia_transformer_layer_opts;
/* x [N, T, E] -> its shape: norm1(x + self_attn(x)), then norm2(x + linear2(act(linear1(x)))).
 * Parameters as PyTorch's TransformerEncoderLayer: self_attn.*, linear1.*, linear2.*, norm1.*,
 * norm2.*. arXiv:1706.03762; norm_first: arXiv:2002.04745 */
GLIA_API glia_value glia_transformer_encoder_layer_opt(glia_scope *s, const char *name,
                                                       glia_value x,
                                                       const glia_transformer_layer_opts *opt);
/* The same with attention to `memory` in between: norm2(x + multihead_attn(x, memory)); the
 * hidden layer has norm3. Parameters as PyTorch's TransformerDecoderLayer. */
GLIA_API glia_value glia_transformer_decoder_layer_opt(glia_scope *s, const char *name,
                                                       glia_value x,
                                                       const glia_transformer_layer_opts *opt);

/* Training: zeroes with probability `rate` and scales the rest by 1/(1 - rate); infer: x. A
 * layer that is applied twice in a step draws anew the second time. */
GLIA_API glia_value glia_dropout(glia_scope *s, const char *name, glia_value x, double rate);
/* The activation of that name; latches GLIA_INVALID with the nearest name. NULL: x. */
GLIA_API glia_value glia_activation(glia_value x, const char *name);

#ifndef __cplusplus
#define glia_dense(...) \
  GLIA_NAMED3(glia_dense_opt, glia_dense_opts, __VA_ARGS__, .size = sizeof(glia_dense_opts))
#define glia_conv2d(...) \
  GLIA_NAMED3(glia_conv2d_opt, glia_conv2d_opts, __VA_ARGS__, .size = sizeof(glia_conv2d_opts))
#define glia_conv2d_transpose(...)                                                \
  GLIA_NAMED3(glia_conv2d_transpose_opt, glia_conv2d_transpose_opts, __VA_ARGS__, \
              .size = sizeof(glia_conv2d_transpose_opts))
#define glia_batch_norm(...)                                          \
  GLIA_NAMED3(glia_batch_norm_opt, glia_batch_norm_opts, __VA_ARGS__, \
              .size = sizeof(glia_batch_norm_opts))
#define glia_rnn(...)                                         \
  GLIA_NAMED3(glia_rnn_opt, glia_recurrent_opts, __VA_ARGS__, \
              .size = sizeof(glia_recurrent_opts))
#define glia_gru(...)                                         \
  GLIA_NAMED3(glia_gru_opt, glia_recurrent_opts, __VA_ARGS__, \
              .size = sizeof(glia_recurrent_opts))
#define glia_lstm(...)                                         \
  GLIA_NAMED3(glia_lstm_opt, glia_recurrent_opts, __VA_ARGS__, \
              .size = sizeof(glia_recurrent_opts))
#define glia_layer_norm(...)                                          \
  GLIA_NAMED3(glia_layer_norm_opt, glia_layer_norm_opts, __VA_ARGS__, \
              .size = sizeof(glia_layer_norm_opts))
#define glia_rms_norm(...)                                          \
  GLIA_NAMED3(glia_rms_norm_opt, glia_layer_norm_opts, __VA_ARGS__, \
              .size = sizeof(glia_layer_norm_opts))
#define glia_group_norm(...)                                          \
  GLIA_NAMED3(glia_group_norm_opt, glia_group_norm_opts, __VA_ARGS__, \
              .size = sizeof(glia_group_norm_opts))
#define glia_instance_norm(...)                                             \
  GLIA_NAMED3(glia_instance_norm_opt, glia_instance_norm_opts, __VA_ARGS__, \
              .size = sizeof(glia_instance_norm_opts))
#define glia_embedding(...)                                         \
  GLIA_NAMED3(glia_embedding_opt, glia_embedding_opts, __VA_ARGS__, \
              .size = sizeof(glia_embedding_opts))
#define glia_multi_head_attention(...)                                                    \
  GLIA_NAMED3(glia_multi_head_attention_opt, glia_multi_head_attention_opts, __VA_ARGS__, \
              .size = sizeof(glia_multi_head_attention_opts))
#define glia_transformer_encoder_layer(...)                                                 \
  GLIA_NAMED3(glia_transformer_encoder_layer_opt, glia_transformer_layer_opts, __VA_ARGS__, \
              .size = sizeof(glia_transformer_layer_opts))
#define glia_transformer_decoder_layer(...)                                                 \
  GLIA_NAMED3(glia_transformer_decoder_layer_opt, glia_transformer_layer_opts, __VA_ARGS__, \
              .size = sizeof(glia_transformer_layer_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_NN_H */
