/* conv_axes.c - y = act(conv(x, W) + b) along one axis or three, and transposed: x [N, C,
 * A...], W [filters, C/groups, K...] or, transposed, [C, filters/groups, K...], b [filters].
 *
 * In .net files one number stands for all axes.
 */
#include "glia/layers.h"
#include "nn/layer.h"

typedef struct kind {
  const char *name;
  int axes;
  bool transposed;
} kind;

static void axes_default(int64_t *v, int64_t dflt) {
  if (v[0] == 0) v[0] = dflt;
  for (int d = 1; d < 3; d++)
    if (v[d] == 0) v[d] = v[0];
}

static bool options_fit(glia_scope *s, const kind *k, glia_value x,
                        const glia_conv_axes_opts *o) {
  char origin[256];
  if (glia_value_rank(x) != k->axes + 2) {
    gi_latch(s->graph, GLIA_SHAPE, "%s: x has rank %d (from %s), wanted %s", k->name,
             glia_value_rank(x), gi_origin(x, origin, sizeof origin),
             k->axes == 1 ? "[N, C, L]" : "[N, C, D, H, W]");
    return false;
  }
  for (int d = 0; d < k->axes; d++)
    if (o->filters < 1 || o->kernel[d] < 1) {
      gi_latch(s->graph, GLIA_INVALID, "%s: filters %lld, kernel %lld: wanted 1 or more",
               k->name, (long long)o->filters, (long long)o->kernel[d]);
      return false;
    }
  const int64_t channels = glia_value_dim(x, 1);
  if (o->groups < 1 || channels % o->groups != 0 || o->filters % o->groups != 0) {
    gi_latch(s->graph, GLIA_INVALID,
             "%s: groups %lld must divide %lld channels and %lld filters", k->name,
             (long long)o->groups, (long long)channels, (long long)o->filters);
    return false;
  }
  return true;
}

/* In PyTorch's padding a list of one number is the first axis alone; here it stands for all. */
static glia_value build(glia_scope *s, const kind *k, glia_value x, glia_conv_axes_opts *o) {
  axes_default(o->kernel, 0);
  axes_default(o->stride, 1);
  axes_default(o->dilation, 1);
  if (o->groups == 0) o->groups = 1;
  if (!options_fit(s, k, x, o)) return GLIA_NONE;
  const int64_t channels = glia_value_dim(x, 1);
  int64_t shape[5] = {k->transposed ? channels : o->filters,
                      (k->transposed ? o->filters : channels) / o->groups};
  int64_t fan_in = shape[1]; /* as PyTorch counts it */
  glia_conv_opts c = {
      .size = sizeof c, .groups = o->groups, .same = o->same, .border = o->border};
  for (int d = 0; d < k->axes; d++) {
    fan_in *= shape[2 + d] = o->kernel[d];
    c.stride[d] = o->stride[d];
    c.padding[d] = o->padding[d];
    c.dilation[d] = o->dilation[d];
    c.output_padding[d] = o->output_padding[d];
  }
  const glia_value w =
      glia_parameter(s, "weight", 2 + k->axes, shape, (glia_init){.kind = o->init});
  const glia_value b =
      o->no_bias ? GLIA_NONE
                 : glia_parameter(s, "bias", 1, &o->filters, (glia_init){.fan_in = fan_in});
  return glia_activation(k->transposed ? glia_conv_transpose_with_opt(x, w, b, &c)
                                       : glia_conv_with_opt(x, w, b, &c),
                         o->activation);
}

static glia_value layer(const kind *k, glia_scope *s, const char *name, glia_value x,
                        const glia_conv_axes_opts *opt) {
  glia_conv_axes_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, k, x, &o));
}

/* ---- rows ---------------------------------------------------------------------------- */

const char *const gi_border_names[] = {"zeros", "reflect", "replicate", "circular", NULL};

/* Of an array the first number is read; the others follow it. */
#define FIELD(kind_, member, ...) GI_FIELD(kind_, glia_conv_axes_opts, member, __VA_ARGS__)
#define COMMON                                                                              \
  FIELD(I64, filters, .positional = true, .required = true, .min = 1, .max = 1e6,           \
        .doc = "output channels"),                                                          \
      FIELD(I64, kernel, .positional = true, .required = true, .min = 1, .max = 4096,       \
            .doc = "cells along each axis"),                                                \
      FIELD(NAME, activation, .positional = true, .dflt = "linear", .doc = "what follows",  \
            .choices = gi_activation_names),                                                \
      FIELD(I64, stride, .min = 1, .max = 4096, .dflt = "1", .doc = "steps of the window"), \
      FIELD(I64, dilation, .min = 1, .max = 4096, .dflt = "1",                              \
            .doc = "distance of the kernel's cells"),                                       \
      FIELD(I64, groups, .min = 1, .max = 1e6, .dflt = "1",                                 \
            .doc = "independent groups of channels"),                                       \
      FIELD(BOOL, no_bias, .doc = "leave the bias out"),                                    \
      FIELD(CHOICE, init, .dflt = "default", .doc = "initial weights",                      \
            .choices = gi_init_names)
static const gi_field fields[] = {
    COMMON,
    FIELD(I64, padding, .min = 0, .max = 4096, .dflt = "0",
          .doc = "on both sides of each axis"),
    FIELD(BOOL, same, .doc = "pad so that stride 1 keeps the size"),
    FIELD(CHOICE, border, .dflt = "zeros", .doc = "what is seen in the padding",
          .choices = gi_border_names),
    {.name = NULL},
};
static const gi_field fields_transposed[] = {
    COMMON,
    FIELD(I64, padding, .min = 0, .max = 4096, .dflt = "0",
          .doc = "cut off on both sides of each axis"),
    FIELD(I64, output_padding, .min = 0, .max = 4095, .dflt = "0",
          .doc = "elements more at the end of each axis"),
    {.name = NULL},
};
#undef FIELD

#define LAYER(row, n, back, list, text)                                        \
  static const kind row##_kind = {#row, n, back};                              \
  glia_value glia_##row##_opt(glia_scope *s, const char *name, glia_value x,   \
                              const glia_conv_axes_opts *opt) {                \
    return layer(&row##_kind, s, name, x, opt);                                \
  }                                                                            \
  static glia_value build_##row(glia_scope *s, const char *name, glia_value x, \
                                const void *opts) {                            \
    glia_conv_axes_opts o;                                                     \
    gi_opts(&o, sizeof o, opts);                                               \
    for (int d = 1; d < (n); d++) {                                            \
      o.padding[d] = o.padding[0];                                             \
      o.output_padding[d] = o.output_padding[0];                               \
    }                                                                          \
    o.size = sizeof o;                                                         \
    return glia_##row##_opt(s, name, x, &o);                                   \
  }                                                                            \
  static const gi_layer row = {.name = #row,                                   \
                               .doc = text,                                    \
                               .opts_size = sizeof(glia_conv_axes_opts),       \
                               .fields = list,                                 \
                               .build = build_##row}
LAYER(conv1d, 1, false, fields, "1-d convolution (cross-correlation) with bias and activation");
LAYER(conv3d, 3, false, fields, "3-d convolution (cross-correlation) with bias and activation");
LAYER(conv1d_transpose, 1, true, fields_transposed,
      "transposed 1-d convolution with bias and activation: makes series longer");
LAYER(conv3d_transpose, 3, true, fields_transposed,
      "transposed 3-d convolution with bias and activation: makes volumes larger");

const gi_layer *const gi_layers_conv_axes[] = {&conv1d, &conv3d, &conv1d_transpose,
                                               &conv3d_transpose, NULL};
