/* conv2d.c - y = act(conv(x, W) + b): x [N, C, H, W], W [filters, C/groups, KH, KW], b
 * [filters]. */
#include "nn/layer.h"

static void pair_default(int64_t pair[2], int64_t dflt) {
  if (pair[0] == 0) pair[0] = dflt;
  if (pair[1] == 0) pair[1] = pair[0];
}

static bool same_padding(glia_scope *s, glia_conv2d_opts *o) {
  for (int i = 0; i < 2; i++) {
    const int64_t reach = o->dilation[i] * (o->kernel[i] - 1);
    if (reach % 2 != 0) {
      gi_latch(s->graph, GLIA_INVALID,
               "conv2d: same padding wants an odd kernel, got %lldx%lld; hint: give padding",
               (long long)o->kernel[0], (long long)o->kernel[1]);
      return false;
    }
    o->padding[i] = reach / 2;
  }
  return true;
}

static bool options_fit(glia_scope *s, glia_value x, const glia_conv2d_opts *o) {
  char origin[256];
  if (glia_value_rank(x) != 4) {
    gi_latch(s->graph, GLIA_SHAPE,
             "conv2d: x has rank %d (from %s), wanted images [N, C, H, W]", glia_value_rank(x),
             gi_origin(x, origin, sizeof origin));
    return false;
  }
  if (o->filters < 1 || o->kernel[0] < 1 || o->kernel[1] < 1) {
    gi_latch(s->graph, GLIA_INVALID, "conv2d: filters %lld, kernel %lldx%lld: wanted 1 or more",
             (long long)o->filters, (long long)o->kernel[0], (long long)o->kernel[1]);
    return false;
  }
  const int64_t channels = glia_value_dim(x, 1);
  if (o->groups < 1 || channels % o->groups != 0 || o->filters % o->groups != 0) {
    gi_latch(s->graph, GLIA_INVALID,
             "conv2d: groups %lld must divide %lld channels and %lld filters",
             (long long)o->groups, (long long)channels, (long long)o->filters);
    return false;
  }
  return true;
}

static glia_value build(glia_scope *s, glia_value x, glia_conv2d_opts *o) {
  pair_default(o->kernel, 0);
  pair_default(o->stride, 1);
  pair_default(o->dilation, 1);
  if (o->groups == 0) o->groups = 1;
  if (!options_fit(s, x, o) || (o->same && !same_padding(s, o))) return GLIA_NONE;
  const int64_t shape[] = {o->filters, glia_value_dim(x, 1) / o->groups, o->kernel[0],
                           o->kernel[1]};
  const int64_t fan_in = shape[1] * shape[2] * shape[3];
  const glia_value w = glia_parameter(s, "weight", 4, shape, (glia_init){.kind = o->init});
  const glia_value b = o->no_bias
                           ? GLIA_NONE
                           : glia_parameter(s, "bias", 1, shape, (glia_init){.fan_in = fan_in});
  const glia_conv_opts window = {.size = sizeof window,
                                 .stride = {o->stride[0], o->stride[1]},
                                 .padding = {o->padding[0], o->padding[1]},
                                 .dilation = {o->dilation[0], o->dilation[1]},
                                 .groups = o->groups,
                                 .border = o->border};
  return glia_activation(glia_conv_with_opt(x, w, b, &window), o->activation);
}

glia_value glia_conv2d_opt(glia_scope *s, const char *name, glia_value x,
                           const glia_conv2d_opts *opt) {
  glia_conv2d_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, x, &o));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_conv2d_opt(s, name, x, opts);
}

static const gi_field fields[] = {
    GI_FIELD(I64, glia_conv2d_opts, filters, .positional = true, .required = true, .min = 1,
             .max = 1e6, .doc = "output channels"),
    GI_FIELD(PAIR, glia_conv2d_opts, kernel, .positional = true, .required = true, .min = 1,
             .max = 1024, .doc = "rows x columns"),
    GI_FIELD(NAME, glia_conv2d_opts, activation, .positional = true, .dflt = "linear",
             .doc = "what follows", .choices = gi_activation_names),
    GI_FIELD(PAIR, glia_conv2d_opts, stride, .min = 1, .max = 1024, .dflt = "1",
             .doc = "steps of the window"),
    GI_FIELD(PAIR, glia_conv2d_opts, padding, .min = 0, .max = 1024, .dflt = "0",
             .doc = "on both sides"),
    GI_FIELD(PAIR, glia_conv2d_opts, dilation, .min = 1, .max = 1024, .dflt = "1",
             .doc = "distance of the kernel's cells"),
    GI_FIELD(I64, glia_conv2d_opts, groups, .min = 1, .max = 1e6, .dflt = "1",
             .doc = "independent groups of channels"),
    GI_FIELD(CHOICE, glia_conv2d_opts, border, .dflt = "zeros",
             .doc = "what is seen in the padding", .choices = gi_border_names),
    GI_FIELD(BOOL, glia_conv2d_opts, same, .doc = "pad so that stride 1 keeps the size"),
    GI_FIELD(BOOL, glia_conv2d_opts, no_bias, .doc = "leave the bias out"),
    GI_FIELD(CHOICE, glia_conv2d_opts, init, .dflt = "default", .doc = "initial weights",
             .choices = gi_init_names),
    {.name = NULL},
};

static const gi_layer conv2d = {
    .name = "conv2d",
    .doc = "2-d convolution (cross-correlation) with bias and activation",
    .opts_size = sizeof(glia_conv2d_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_conv2d[] = {&conv2d, NULL};
