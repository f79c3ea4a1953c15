/* batch_norm.c - batch norm by its op in training, by its formula in inference. */
#include "parity/parity.h"

static glia_value by_channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK];
  for (int d = 0; d < GLIA_MAX_RANK; d++) shape[d] = 1;
  shape[1] = glia_value_dim(x, 1);
  return glia_reshape(v, glia_value_rank(x), shape);
}

static glia_value or_filled(glia_value v, glia_value x, double with) {
  const int64_t n = glia_value_dim(x, 1);
  return v.graph != NULL ? v : glia_broadcast_to(glia_scalar_like(x, with), 1, &n);
}

/* new = (1 - share) old + share batch; momentum null: the mean of all batches so far. */
static void move(question *q, const char *name, glia_value old, glia_value batch,
                 glia_value share) {
  char after[64];
  if (old.graph == NULL) return;
  snprintf(after, sizeof after, "buffer_after.%s", name);
  q_give(q, after, glia_add(old, glia_mul(share, glia_sub(batch, old))));
}

/* In inference they stay as they are. */
static void keep(question *q) {
  static const char *const names[] = {"running_mean", "running_var", "num_batches_tracked"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    char before[64], after[64];
    snprintf(before, sizeof before, "buffer.%s", names[i]);
    snprintf(after, sizeof after, "buffer_after.%s", names[i]);
    const glia_value v = q_tensor(q, before);
    if (v.graph != NULL) q_give(q, after, v);
  }
}

static void train(question *q, glia_value x, glia_value gamma, glia_value beta, double eps) {
  glia_value mean, variance, share = glia_scalar_like(x, q_num(q, "momentum", 0.1));
  q_output(q, 0, glia_batch_norm_train(x, gamma, beta, eps, &mean, &variance));
  const glia_value tracked = q_tensor(q, "buffer.num_batches_tracked");
  if (q_null(q, "momentum"))
    share = tracked.graph == NULL
                ? glia_scalar_like(x, 1)
                : glia_reciprocal(glia_add(glia_cast(tracked, glia_value_dtype(x)),
                                           glia_scalar_like(x, 1)));
  double m = 1;
  for (int d = 0; d < glia_value_rank(x); d++) m *= d == 1 ? 1 : (double)glia_value_dim(x, d);
  move(q, "running_mean", q_tensor(q, "buffer.running_mean"), mean, share);
  move(q, "running_var", q_tensor(q, "buffer.running_var"),
       glia_mul(variance, glia_scalar_like(x, m / (m - 1))), share);
  if (tracked.graph != NULL)
    q_give(q, "buffer_after.num_batches_tracked",
           glia_add(tracked, glia_scalar_like(tracked, 1)));
}

static void batch_norm(question *q) {
  const glia_value x = q_input(q, 0), mean = q_tensor(q, "buffer.running_mean"),
                   variance = q_tensor(q, "buffer.running_var");
  const glia_value gamma = or_filled(q_param(q, "weight"), x, 1),
                   beta = or_filled(q_param(q, "bias"), x, 0);
  const double eps = q_num(q, "eps", 1e-5);
  if (q_training(q) || mean.graph == NULL) {
    train(q, x, gamma, beta, eps);
    return;
  }
  const glia_value r = glia_rsqrt(glia_add(variance, glia_scalar_like(x, eps)));
  q_output(
      q, 0,
      glia_add(glia_mul(glia_sub(x, by_channel(mean, x)), by_channel(glia_mul(r, gamma), x)),
               by_channel(beta, x)));
  keep(q);
}

static const parity_row rows[] = {{.op = "BatchNorm1d", .build = batch_norm},
                                  {.op = "BatchNorm2d", .build = batch_norm},
                                  {.op = "BatchNorm3d", .build = batch_norm}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_batch_norm[] = {&all, NULL};
