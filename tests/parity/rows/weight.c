/* weight.c - dense layers and convolutions whose weight is held to a norm, by the layers
 * themselves: weight_g and weight_v, or weight_orig with its buffers.
 */
#include "glia/layers.h"
#include "parity/parity.h"

/* The layer that the attributes describe. */
static glia_value layer(question *q, glia_scope *s, const char *name) {
  const glia_value x = q_input(q, 0);
  const bool no_bias = !q_bool(q, "bias", true);
  if (q_int(q, "out_channels", 0) == 0)
    return glia_dense(s, name, x, .units = q_int(q, "out_features", 0), .no_bias = no_bias);
  glia_conv2d_opts o = {.size = sizeof o,
                        .filters = q_int(q, "out_channels", 0),
                        .groups = q_int(q, "groups", 1),
                        .no_bias = no_bias};
  q_ints(q, "kernel_size", 2, o.kernel);
  q_ints(q, "stride", 2, o.stride);
  q_ints(q, "padding", 2, o.padding);
  q_ints(q, "dilation", 2, o.dilation);
  return glia_conv2d_opt(s, name, x, &o);
}

/* dim null: one length for all. */
static void weight_norm(question *q) {
  glia_scope *s = q_scope(q);
  const int axis = q_null(q, "dim") ? -1 : (int)q_int(q, "dim", 0);
  q_output(q, 0, layer(q, glia_scope_weight_norm(s, axis), q_around(q, "weight_g")));
}

static void after(question *q, glia_scope *s, const char *name) {
  char buffer[64], given[64];
  snprintf(given, sizeof given, "buffer.%s", name);
  snprintf(buffer, sizeof buffer, "buffer_after.%s", name);
  const glia_value v = q_tensor(q, given); /* for its shape */
  if (v.graph == NULL) return;
  q_give(q, buffer,
         glia_buffer(glia_scope_updated(s), name, glia_value_rank(v), glia_value_shape(v), 0));
}
static void spectral_norm(question *q) {
  glia_scope *s = q_scope(q);
  glia_scope *held = glia_scope_spectral_norm(s, (int)q_int(q, "dim", 0),
                                              (int)q_int(q, "n_power_iterations", 1));
  q_output(q, 0, layer(q, held, q_around(q, "weight_orig")));
  after(q, s, "weight_u");
  after(q, s, "weight_v");
}

static const parity_row rows[] = {
    {.op = "weight_norm", .build = weight_norm},
    {.op = "WeightNorm", .build = weight_norm},
    {.op = "spectral_norm", .build = spectral_norm},
    {.op = "SpectralNorm", .build = spectral_norm},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_weight[] = {&all, NULL};
