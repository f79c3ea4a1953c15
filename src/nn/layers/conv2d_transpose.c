/* conv2d_transpose.c - y = act(conv^T(x, W) + b): x [N, C, H, W], W [C, filters/groups, KH,
 * KW], b [filters]: the map that a convolution's gradient in its input is, with weights of its
 * own. Stride s makes images s times as large.
 */
#include "nn/layer.h"

static void pair_default(int64_t pair[2], int64_t dflt) {
  if (pair[0] == 0) pair[0] = dflt;
  if (pair[1] == 0) pair[1] = pair[0];
}

static bool options_fit(glia_scope *s, glia_value x, const glia_conv2d_transpose_opts *o) {
  char origin[256];
  if (glia_value_rank(x) != 4) {
    gi_latch(s->graph, GLIA_SHAPE,
             "conv2d_transpose: x has rank %d (from %s), wanted images [N, C, H, W]",
             glia_value_rank(x), gi_origin(x, origin, sizeof origin));
    return false;
  }
  if (o->filters < 1 || o->kernel[0] < 1 || o->kernel[1] < 1) {
    gi_latch(s->graph, GLIA_INVALID,
             "conv2d_transpose: filters %lld, kernel %lldx%lld: wanted 1 or more",
             (long long)o->filters, (long long)o->kernel[0], (long long)o->kernel[1]);
    return false;
  }
  const int64_t channels = glia_value_dim(x, 1);
  if (o->groups < 1 || channels % o->groups != 0 || o->filters % o->groups != 0) {
    gi_latch(s->graph, GLIA_INVALID,
             "conv2d_transpose: groups %lld must divide %lld channels and %lld filters",
             (long long)o->groups, (long long)channels, (long long)o->filters);
    return false;
  }
  return true;
}

static glia_value build(glia_scope *s, glia_value x, glia_conv2d_transpose_opts *o) {
  pair_default(o->kernel, 0);
  pair_default(o->stride, 1);
  pair_default(o->dilation, 1);
  if (o->groups == 0) o->groups = 1;
  if (!options_fit(s, x, o)) return GLIA_NONE;
  const int64_t shape[] = {glia_value_dim(x, 1), o->filters / o->groups, o->kernel[0],
                           o->kernel[1]};
  const int64_t fan_in = shape[1] * shape[2] * shape[3]; /* as PyTorch counts it */
  const glia_value w = glia_parameter(s, "weight", 4, shape, (glia_init){.kind = o->init});
  const glia_value b =
      o->no_bias ? GLIA_NONE
                 : glia_parameter(s, "bias", 1, &o->filters, (glia_init){.fan_in = fan_in});
  const glia_window_opts window = {
      .size = sizeof window,
      .stride = {o->stride[0], o->stride[1]},
      .padding = {o->padding[0], o->padding[1]},
      .dilation = {o->dilation[0], o->dilation[1]},
      .groups = o->groups,
      .output_padding = {o->output_padding[0], o->output_padding[1]}};
  return glia_activation(glia_conv2d_transpose_with(x, w, b, &window), o->activation);
}

glia_value glia_conv2d_transpose_opt(glia_scope *s, const char *name, glia_value x,
                                     const glia_conv2d_transpose_opts *opt) {
  glia_conv2d_transpose_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, x, &o));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_conv2d_transpose_opt(s, name, x, opts);
}

#define FIELD(kind, member, ...) GI_FIELD(kind, glia_conv2d_transpose_opts, member, __VA_ARGS__)
static const gi_field fields[] = {
    FIELD(I64, filters, .positional = true, .required = true, .min = 1, .max = 1e6,
          .doc = "output channels"),
    FIELD(PAIR, kernel, .positional = true, .required = true, .min = 1, .max = 1024,
          .doc = "rows x columns"),
    FIELD(NAME, activation, .positional = true, .dflt = "linear", .doc = "what follows",
          .choices = gi_activation_names),
    FIELD(PAIR, stride, .min = 1, .max = 1024, .dflt = "1",
          .doc = "the image becomes so many times as large"),
    FIELD(PAIR, padding, .min = 0, .max = 1024, .dflt = "0", .doc = "cut off on both sides"),
    FIELD(PAIR, output_padding, .min = 0, .max = 1023, .dflt = "0",
          .doc = "more rows and columns, fewer than the stride"),
    FIELD(PAIR, dilation, .min = 1, .max = 1024, .dflt = "1",
          .doc = "distance of the kernel's cells"),
    FIELD(I64, groups, .min = 1, .max = 1e6, .dflt = "1",
          .doc = "independent groups of channels"),
    FIELD(BOOL, no_bias, .doc = "leave the bias out"),
    FIELD(CHOICE, init, .dflt = "default", .doc = "initial weights", .choices = gi_init_names),
    {.name = NULL},
};
#undef FIELD

static const gi_layer conv2d_transpose = {
    .name = "conv2d_transpose",
    .doc = "transposed 2-d convolution with bias and activation: makes images larger",
    .opts_size = sizeof(glia_conv2d_transpose_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_conv2d_transpose[] = {&conv2d_transpose, NULL};
