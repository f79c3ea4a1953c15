/* depthwise.c - convolutions of images channel by channel, alone and followed by one of a
 * single cell that mixes the channels (arXiv:1610.02357): conv2d with as many groups as
 * channels.
 */
#include "glia/layers.h"
#include "nn/layer.h"

static glia_conv2d_opts conv_of(const glia_depthwise_opts *o, glia_value x, int64_t filters) {
  const int64_t channels = glia_value_rank(x) == 4 ? glia_value_dim(x, 1) : 1;
  return (glia_conv2d_opts){.size = sizeof(glia_conv2d_opts),
                            .filters = filters * channels,
                            .groups = channels,
                            .kernel = {o->kernel[0], o->kernel[1]},
                            .stride = {o->stride[0], o->stride[1]},
                            .padding = {o->padding[0], o->padding[1]},
                            .dilation = {o->dilation[0], o->dilation[1]},
                            .same = o->same,
                            .border = o->border,
                            .init = o->init};
}

glia_value glia_depthwise_conv2d_opt(glia_scope *s, const char *name, glia_value x,
                                     const glia_depthwise_opts *opt) {
  glia_depthwise_opts o;
  gi_opts(&o, sizeof o, opt);
  if (s == NULL || gi_null(x)) return GLIA_NONE;
  if (o.filters < 0 || o.filters > 1 << 20)
    return gi_latch(s->graph, GLIA_INVALID, "depthwise_conv2d: %lld filters a channel",
                    (long long)o.filters);
  glia_conv2d_opts c = conv_of(&o, x, o.filters != 0 ? o.filters : 1);
  c.no_bias = o.no_bias;
  c.activation = o.activation;
  return glia_conv2d_opt(s, name, x, &c);
}

glia_value glia_separable_conv2d_opt(glia_scope *s, const char *name, glia_value x,
                                     const glia_depthwise_opts *opt) {
  glia_depthwise_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  glia_conv2d_opts each = conv_of(&o, x, 1);
  each.no_bias = true;
  const glia_value y = glia_conv2d_opt(e.scope, "depthwise", x, &each);
  return gi_leave(
      &e, glia_conv2d(e.scope, "pointwise", y, .filters = o.filters, .kernel = {1, 1},
                      .activation = o.activation, .no_bias = o.no_bias, .init = o.init));
}

/* ---- rows ---------------------------------------------------------------------------- */

static glia_value build_depthwise(glia_scope *s, const char *name, glia_value x,
                                  const void *opts) {
  return glia_depthwise_conv2d_opt(s, name, x, opts);
}
static glia_value build_separable(glia_scope *s, const char *name, glia_value x,
                                  const void *opts) {
  return glia_separable_conv2d_opt(s, name, x, opts);
}

#define FIELD(kind, member, ...) GI_FIELD(kind, glia_depthwise_opts, member, __VA_ARGS__)
#define WINDOW                                                                               \
  FIELD(PAIR, kernel, .positional = true, .required = true, .min = 1, .max = 1024,           \
        .doc = "rows x columns"),                                                            \
      FIELD(NAME, activation, .positional = true, .dflt = "linear", .doc = "what follows",   \
            .choices = gi_activation_names),                                                 \
      FIELD(PAIR, stride, .min = 1, .max = 1024, .dflt = "1", .doc = "steps of the window"), \
      FIELD(PAIR, padding, .min = 0, .max = 1024, .dflt = "0", .doc = "on both sides"),      \
      FIELD(CHOICE, border, .dflt = "zeros", .doc = "what is seen in the padding",           \
            .choices = gi_border_names),                                                     \
      FIELD(PAIR, dilation, .min = 1, .max = 1024, .dflt = "1",                              \
            .doc = "distance of the kernel's cells"),                                        \
      FIELD(BOOL, same, .doc = "pad so that stride 1 keeps the size"),                       \
      FIELD(BOOL, no_bias, .doc = "leave the bias out"),                                     \
      FIELD(CHOICE, init, .dflt = "default", .doc = "initial weights",                       \
            .choices = gi_init_names)
static const gi_field fields_depthwise[] = {
    WINDOW,
    FIELD(I64, filters, .min = 1, .max = 1024, .dflt = "1", .doc = "for each channel"),
    {.name = NULL},
};
static const gi_field fields_separable[] = {
    FIELD(I64, filters, .positional = true, .required = true, .min = 1, .max = 1e6,
          .doc = "output channels"),
    WINDOW,
    {.name = NULL},
};
#undef FIELD

static const gi_layer depthwise = {.name = "depthwise_conv2d",
                                   .doc = "2-d convolution of each channel on its own",
                                   .opts_size = sizeof(glia_depthwise_opts),
                                   .fields = fields_depthwise,
                                   .build = build_depthwise};
static const gi_layer separable = {
    .name = "separable_conv2d",
    .doc = "depthwise convolution, then one of a single cell that mixes the channels",
    .opts_size = sizeof(glia_depthwise_opts),
    .fields = fields_separable,
    .build = build_separable};

const gi_layer *const gi_layers_depthwise[] = {&depthwise, &separable, NULL};
