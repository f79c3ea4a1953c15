/* glia/layers.h - more layers, as glia/nn.h: convolution along one and three axes and by
 * channel, single steps of recurrent layers, products of two inputs, bags of embeddings, and
 * weights that are held to a norm.
 */
#ifndef GLIA_LAYERS_H
#define GLIA_LAYERS_H

#include "glia/nn.h"
#include "glia/windows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- convolution ------------------------------------------------------------------------- */

typedef struct glia_conv_axes_opts {
  size_t size;
  int64_t filters; /* output channels; must be given */
  int64_t
      kernel[3]; /* cells along each axis; must be given; 0 behind the first: as the first */
  const char *activation;
  int64_t stride[3];         /* 0 behind the first: as the first; 0 -> 1 */
  int64_t padding[3];        /* on both sides */
  int64_t dilation[3];       /* as stride */
  int64_t output_padding[3]; /* transposed only: elements more at the end */
  int64_t groups;            /* 0 -> 1 */
  bool same;                 /* padding such that stride 1 keeps the size */
  glia_border border;        /* what is seen in the padding */
  bool no_bias;
  glia_init_kind init;
} glia_conv_axes_opts;
/* x [N, C, L] -> [N, filters, OL]; weight [filters, C/groups, K], bias [filters]. */
GLIA_API glia_value glia_conv1d_opt(glia_scope *s, const char *name, glia_value x,
                                    const glia_conv_axes_opts *opt);
/* x [N, C, D, H, W] -> [N, filters, OD, OH, OW]; weight [filters, C/groups, KD, KH, KW]. */
GLIA_API glia_value glia_conv3d_opt(glia_scope *s, const char *name, glia_value x,
                                    const glia_conv_axes_opts *opt);
/* Transposed: weight [C, filters/groups, K...]; sizes as glia_conv_transpose_with. */
GLIA_API glia_value glia_conv1d_transpose_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_conv_axes_opts *opt);
GLIA_API glia_value glia_conv3d_transpose_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_conv_axes_opts *opt);

typedef struct glia_depthwise_opts {
  size_t size;
  int64_t filters; /* separable: output channels, must be given; depthwise: for each channel; 0
                      -> 1 */
  int64_t kernel[2]; /* rows, columns; must be given; one number stands for both */
  const char *activation;
  int64_t stride[2];   /* 0 -> 1 */
  int64_t padding[2];  /* on both sides */
  int64_t dilation[2]; /* 0 -> 1 */
  bool same;           /* padding such that stride 1 keeps the size; wants an odd kernel */
  bool no_bias;
  glia_init_kind init;
  glia_border border; /* what is seen in the padding */
} glia_depthwise_opts;
/* Each channel convolved on its own: x [N, C, H, W] -> [N, C filters, OH, OW]; weight [C
 * filters, 1, KH, KW]. */
GLIA_API glia_value glia_depthwise_conv2d_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_depthwise_opts *opt);
/* That, then a convolution of one cell: layers "depthwise" (no bias) and "pointwise" inside of
 * this one. arXiv:1610.02357 */
GLIA_API glia_value glia_separable_conv2d_opt(glia_scope *s, const char *name, glia_value x,
                                              const glia_depthwise_opts *opt);

/* ---- recurrent cells --------------------------------------------------------------------- */

typedef struct glia_cell_opts {
  size_t size;
  int64_t units;          /* must be given */
  bool no_bias;           /* leave bias_ih and bias_hh out */
  const char *activation; /* rnn_cell: "tanh" or "relu"; NULL -> "tanh" */
  bool reset_before;      /* gru_cell: as in glia_recurrence_opts */
  glia_value h;           /* the state before, [N, units]; GLIA_NONE: zeros */
  glia_value c;           /* lstm_cell: the cell before, [N, units]; GLIA_NONE: zeros */
  glia_value *next_c;     /* lstm_cell: receives the cell after; or NULL */
} glia_cell_opts;
/* One step of glia_rnn, glia_gru, glia_lstm, for loops of one's own: x [N, features] -> the
 * state after it, [N, units]. Parameters as PyTorch's RNNCell, GRUCell and LSTMCell: weight_ih
 * [gates units, features], weight_hh [gates units, units], bias_ih, bias_hh [gates units]. */
GLIA_API glia_value glia_rnn_cell_opt(glia_scope *s, const char *name, glia_value x,
                                      const glia_cell_opts *opt);
GLIA_API glia_value glia_gru_cell_opt(glia_scope *s, const char *name, glia_value x,
                                      const glia_cell_opts *opt);
GLIA_API glia_value glia_lstm_cell_opt(glia_scope *s, const char *name, glia_value x,
                                       const glia_cell_opts *opt);

/* ---- products of two inputs -------------------------------------------------------------- */

typedef struct glia_bilinear_opts {
  size_t size;
  int64_t units; /* outputs; must be given */
  const char *activation;
  bool no_bias;
} glia_bilinear_opts;
/* y[.., u] = act(sum over i, j of a[.., i] W[u, i, j] b[.., j] + bias[u]): a [..., I], b [...,
 * J] -> [..., units]; weight [units, I, J], bias [units], uniform in +-1/sqrt(I), as PyTorch's
 * Bilinear. */
GLIA_API glia_value glia_bilinear_opt(glia_scope *s, const char *name, glia_value a,
                                      glia_value b, const glia_bilinear_opts *opt);

/* ---- bags of embeddings ------------------------------------------------------------------ */

typedef struct glia_embedding_bag_opts {
  size_t size;
  int64_t rows, width; /* of the weight; must be given */
  glia_bag_mode mode;
  glia_value offsets; /* i64 [B], for index [n]: where each bag begins, rising from 0 */
  bool last_offset;   /* offsets has one more, where the last bag ends: n */
  glia_value weights; /* of index's shape, times the rows; sum only */
  bool padded;        /* the row called `padding` begins as zeros, is not learned and is left
                         out of the bags */
  int64_t padding;    /* negative numbers count from the last row */
  double max_norm;    /* rows that are longer are taken as scaled down to this length; 0: they
                         stay */
  double norm;        /* which length; 0 -> 2 */
  bool by_frequency;  /* gradients are divided by how often a row is named in the batch */
  bool sparse;        /* as in glia_embedding_opts */
} glia_embedding_bag_opts;
/* index [B, n], or [n] with offsets -> [B, width]: the mean, sum or largest elements of the
 * rows of each bag; weight [rows, width], normal at first. See glia_embedding_bag_with. */
GLIA_API glia_value glia_embedding_bag_opt(glia_scope *s, const char *name, glia_value index,
                                           const glia_embedding_bag_opts *opt);

/* ---- weights held to a norm -------------------------------------------------------------- */

/* The scope s, but in it each parameter "weight" of two axes or more is g v / |v|, |v| for each
 * entry of `axis` (PyTorch: 0; -1: one for all): parameters weight_g (at first |v|) and
 * weight_v, as PyTorch's weight_norm. glia_dense(glia_scope_weight_norm(s, 0), "fc", x, ...).
 * arXiv:1602.07868 */
GLIA_API glia_scope *glia_scope_weight_norm(glia_scope *s, int axis);
/* The same with weight / its largest singular value, seen as a matrix [entries of axis, rest]:
 * parameter weight_orig, buffers weight_u and weight_v, which each training step brings nearer
 * to the singular vectors by `iterations` (0 -> 1) power iterations, as PyTorch's
 * spectral_norm. arXiv:1802.05957 */
GLIA_API glia_scope *glia_scope_spectral_norm(glia_scope *s, int axis, int iterations);

/* The same with a weight whose elements are dropped while training, each with probability
 * `rate`, the others scaled by 1 / (1 - rate): DropConnect (Wan et al. 2013). */
GLIA_API glia_scope *glia_scope_drop_connect(glia_scope *s, double rate);

/* ---- dropout ----------------------------------------------------------------------------- */

/* As glia_dropout, but of whole channels: x [N, C, ...]. arXiv:1411.4280 */
GLIA_API glia_value glia_spatial_dropout(glia_scope *s, const char *name, glia_value x,
                                         double rate);
/* Of whole samples: x [N, ...] is a branch that is added to what goes past it (stochastic
 * depth). arXiv:1603.09382 */
GLIA_API glia_value glia_drop_path(glia_scope *s, const char *name, glia_value x, double rate);
/* Of elements, to the lower limit of selu, and brought back to the mean and variance that x has
 * behind a selu. arXiv:1706.02515 */
GLIA_API glia_value glia_alpha_dropout(glia_scope *s, const char *name, glia_value x,
                                       double rate);

#ifndef __cplusplus /* glia_conv1d(s, "c", x, .filters = 8, .kernel = {3}) */
#define glia_conv1d(...)                                         \
  GLIA_NAMED3(glia_conv1d_opt, glia_conv_axes_opts, __VA_ARGS__, \
              .size = sizeof(glia_conv_axes_opts))
#define glia_conv3d(...)                                         \
  GLIA_NAMED3(glia_conv3d_opt, glia_conv_axes_opts, __VA_ARGS__, \
              .size = sizeof(glia_conv_axes_opts))
#define glia_conv1d_transpose(...)                                         \
  GLIA_NAMED3(glia_conv1d_transpose_opt, glia_conv_axes_opts, __VA_ARGS__, \
              .size = sizeof(glia_conv_axes_opts))
#define glia_conv3d_transpose(...)                                         \
  GLIA_NAMED3(glia_conv3d_transpose_opt, glia_conv_axes_opts, __VA_ARGS__, \
              .size = sizeof(glia_conv_axes_opts))
#define glia_rnn_cell(...) \
  GLIA_NAMED3(glia_rnn_cell_opt, glia_cell_opts, __VA_ARGS__, .size = sizeof(glia_cell_opts))
#define glia_gru_cell(...) \
  GLIA_NAMED3(glia_gru_cell_opt, glia_cell_opts, __VA_ARGS__, .size = sizeof(glia_cell_opts))
#define glia_lstm_cell(...) \
  GLIA_NAMED3(glia_lstm_cell_opt, glia_cell_opts, __VA_ARGS__, .size = sizeof(glia_cell_opts))
#define glia_bilinear(...)                                        \
  GLIA_NAMED4(glia_bilinear_opt, glia_bilinear_opts, __VA_ARGS__, \
              .size = sizeof(glia_bilinear_opts))
#define glia_embedding_bag(...)                                             \
  GLIA_NAMED3(glia_embedding_bag_opt, glia_embedding_bag_opts, __VA_ARGS__, \
              .size = sizeof(glia_embedding_bag_opts))
#define glia_depthwise_conv2d(...)                                         \
  GLIA_NAMED3(glia_depthwise_conv2d_opt, glia_depthwise_opts, __VA_ARGS__, \
              .size = sizeof(glia_depthwise_opts))
#define glia_separable_conv2d(...)                                         \
  GLIA_NAMED3(glia_separable_conv2d_opt, glia_depthwise_opts, __VA_ARGS__, \
              .size = sizeof(glia_depthwise_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_LAYERS_H */
