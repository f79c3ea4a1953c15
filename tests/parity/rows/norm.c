/* norm.c - normalisation but by batch. */
#include <math.h>

#include "parity/parity.h"

static void layer_norm(question *q) {
  const int n = q_count(q, "normalized_shape");
  q_output(q, 0,
           glia_layer_norm_with(q_input(q, 0), n > 0 ? n : 1, q_param_or(q, "weight", 1),
                                q_param_or(q, "bias", 2), q_num(q, "eps", 1e-5)));
}
/* Without eps PyTorch takes the distance of the floats from 1. */
static void rms_norm(question *q) {
  const int n = q_count(q, "normalized_shape");
  q_output(q, 0,
           glia_rms_norm_with(q_input(q, 0), n > 0 ? n : 1, q_param_or(q, "weight", 1),
                              q_num(q, "eps", 1.1920928955078125e-7)));
}
static void group_norm(question *q) {
  q_output(
      q, 0,
      glia_group_norm_with(q_input(q, 0), q_int(q, "num_groups", 1), q_param_or(q, "weight", 1),
                           q_param_or(q, "bias", 2), q_num(q, "eps", 1e-5)));
}

/* x / max(|x|, eps) along an axis, |x| its p-norm: the root of a sum that is at least eps^p. */
static void normalize(question *q) {
  const glia_value x = q_input(q, 0);
  const double p = q_num(q, "p", 2), eps = q_num(q, "eps", 1e-12);
  const int axis = (int)q_int(q, "dim", 1);
  if (!(p > 0) || isinf(p)) {
    q_cannot(q, "has a norm that is not known");
    return;
  }
  const glia_value power = glia_scalar_like(x, p),
                   sum = glia_sum(p == 2 ? glia_square(x) : glia_pow(glia_abs(x), power),
                                  .n = 1, .axes = {axis}, .keep = true);
  const glia_value norm = glia_pow(sum, glia_scalar_like(x, 1 / p));
  q_output(q, 0, glia_div(x, glia_maximum(norm, glia_scalar_like(x, eps))));
}

/* ---- by instance --------------------------------------------------------------------- */

/* [C] against x [N, C, ...]. */
static glia_value by_channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  shape[1] = glia_value_dim(x, 1);
  return v.graph == NULL ? v : glia_reshape(v, glia_value_rank(x), shape);
}

/* old + momentum (mean over N of what the instances have - old); momentum null: it stays. */
static void move(question *q, const char *name, glia_value of_instances) {
  char before[64], after[64];
  snprintf(before, sizeof before, "buffer.%s", name);
  snprintf(after, sizeof after, "buffer_after.%s", name);
  const glia_value old = q_tensor(q, before);
  const double momentum = q_null(q, "momentum") ? 0 : q_num(q, "momentum", 0.1);
  const glia_value now = glia_mean(of_instances, .n = 1, .axes = {0});
  q_give(q, after,
         glia_add(old, glia_mul(glia_sub(now, old), glia_scalar_like(old, momentum))));
}

static void track(question *q, glia_value x) {
  const int64_t *d = glia_value_shape(x);
  const glia_value flat = glia_reshape(x, 3, (const int64_t[]){d[0], d[1], -1});
  move(q, "running_mean", glia_mean(flat, .n = 1, .axes = {2}));
  move(q, "running_var", glia_variance(flat, .n = 1, .axes = {2}, .unbiased = true));
  const glia_value tracked = q_tensor(q, "buffer.num_batches_tracked");
  if (tracked.graph != NULL) q_give(q, "buffer_after.num_batches_tracked", tracked);
}

static void instance_norm(question *q) {
  glia_value x = q_input(q, 0);
  const char *digit = strpbrk(q_op(q), "123"); /* instance_norm has a batch, always */
  const int rank = glia_value_rank(x), axes = digit != NULL ? *digit - '0' : rank - 2;
  int64_t shape[GLIA_MAX_RANK] = {1};
  const bool alone = rank == axes + 1; /* no batch axis */
  memcpy(shape + alone, glia_value_shape(x), (size_t)rank * sizeof shape[0]);
  x = glia_reshape(x, rank + alone, shape);
  const glia_value mean = q_tensor(q, "buffer.running_mean"), gamma = q_param(q, "weight"),
                   beta = q_param(q, "bias");
  const double eps = q_num(q, "eps", 1e-5);
  glia_value y;
  if (mean.graph != NULL && !q_training(q)) {
    const glia_value variance = q_tensor(q, "buffer.running_var"),
                     r = glia_rsqrt(glia_add(variance, glia_scalar_like(x, eps)));
    y = glia_mul(glia_sub(x, by_channel(mean, x)), by_channel(r, x));
    if (gamma.graph != NULL) y = glia_mul(y, by_channel(gamma, x));
    if (beta.graph != NULL) y = glia_add(y, by_channel(beta, x));
    move(q, "running_mean", glia_reshape(mean, 2, (const int64_t[]){1, -1}));
    move(q, "running_var", glia_reshape(variance, 2, (const int64_t[]){1, -1}));
  } else {
    y = glia_group_norm_with(x, glia_value_dim(x, 1), gamma, beta, eps);
    if (mean.graph != NULL) track(q, x);
  }
  q_output(q, 0, alone ? glia_reshape(y, rank, shape + 1) : y);
}

static void local_response(question *q) {
  q_output(q, 0,
           glia_local_response_norm(q_input(q, 0), q_int(q, "size", 5), q_num(q, "alpha", 1e-4),
                                    q_num(q, "beta", 0.75), q_num(q, "k", 1)));
}

static const parity_row rows[] = {
    {.op = "LayerNorm", .build = layer_norm},
    {.op = "RMSNorm", .build = rms_norm},
    {.op = "GroupNorm", .build = group_norm},
    {.op = "layer_norm", .build = layer_norm},
    {.op = "rms_norm", .build = rms_norm},
    {.op = "group_norm", .build = group_norm},
    {.op = "normalize", .build = normalize},
    {.op = "instance_norm", .build = instance_norm},
    {.op = "InstanceNorm1d", .build = instance_norm},
    {.op = "InstanceNorm2d", .build = instance_norm},
    {.op = "InstanceNorm3d", .build = instance_norm},
    {.op = "local_response_norm", .build = local_response},
    {.op = "LocalResponseNorm", .build = local_response},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_norm[] = {&all, NULL};
