/* norm.c - normalisation but by batch. */
#include "parity/parity.h"

static void layer_norm(question *q) {
  const int n = q_count(q, "normalized_shape");
  q_output(q, 0,
           glia_layer_norm_with(q_input(q, 0), n > 0 ? n : 1, q_param(q, "weight"),
                                q_param(q, "bias"), q_num(q, "eps", 1e-5)));
}
static void group_norm(question *q) {
  q_output(q, 0,
           glia_group_norm_with(q_input(q, 0), q_int(q, "num_groups", 1), q_param(q, "weight"),
                                q_param(q, "bias"), q_num(q, "eps", 1e-5)));
}
static void instance_norm(question *q) {
  const glia_value x = q_input(q, 0);
  if (q_bool(q, "track_running_stats", false)) {
    q_cannot(q, "tracks statistics");
    return;
  }
  q_output(q, 0,
           glia_group_norm_with(x, glia_value_dim(x, 1), q_param(q, "weight"),
                                q_param(q, "bias"), q_num(q, "eps", 1e-5)));
}
static void local_response(question *q) {
  q_output(q, 0,
           glia_local_response_norm(q_input(q, 0), q_int(q, "size", 5), q_num(q, "alpha", 1e-4),
                                    q_num(q, "beta", 0.75), q_num(q, "k", 1)));
}

static const parity_row rows[] = {
    {.op = "LayerNorm", .build = layer_norm},
    {.op = "GroupNorm", .build = group_norm},
    {.op = "InstanceNorm1d", .build = instance_norm},
    {.op = "InstanceNorm2d", .build = instance_norm},
    {.op = "local_response_norm", .build = local_response},
    {.op = "LocalResponseNorm", .build = local_response},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_norm[] = {&all, NULL};
