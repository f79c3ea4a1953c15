/* batch_norm.c - y = (x - mean) / sqrt(var + eps) weight + bias (arXiv:1502.03167).
 *
 * Training uses the statistics of the batch and moves the running ones towards them (the
 * variance unbiased, as PyTorch); inference uses the running ones, as one scale and one shift
 * per channel.
 */
#include "nn/layer.h"

/* A [C] vector that broadcasts over [N, C, ...]. */
static glia_value per_channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK];
  const int rank = glia_value_rank(x) - 1;
  shape[0] = glia_value_dim(x, 1);
  for (int i = 1; i < rank; i++) shape[i] = 1;
  return glia_reshape(v, rank, shape);
}

/* running := (1 - momentum) running + momentum new */
static void move_towards(glia_value running, glia_value now, double momentum) {
  glia_assign(running, glia_add(glia_mul(running, glia_scalar_like(running, 1 - momentum)),
                                glia_mul(now, glia_scalar_like(now, momentum))));
}

static glia_value build(glia_scope *s, glia_value x, const glia_batch_norm_opts *o) {
  const double eps = o->eps != 0 ? o->eps : 1e-5;
  const double momentum = o->momentum != 0 ? o->momentum : 0.1;
  if (glia_value_rank(x) < 2)
    return gi_latch(s->graph, GLIA_SHAPE, "batch_norm: x has rank %d, wanted [N, C, ...]",
                    glia_value_rank(x));
  if (!(eps > 0 && eps <= 1 && momentum > 0 && momentum <= 1))
    return gi_latch(s->graph, GLIA_INVALID,
                    "batch_norm: eps is %g, momentum is %g: wanted more than 0, at most 1", eps,
                    momentum);
  const int64_t c[] = {glia_value_dim(x, 1)};
  const glia_value gamma =
      glia_parameter(s, "weight", 1, c, (glia_init){.kind = GLIA_INIT_ONES});
  const glia_value beta = glia_parameter(s, "bias", 1, c, (glia_init){.kind = GLIA_INIT_ZEROS});
  const glia_value mean = glia_buffer(s, "running_mean", 1, c, 0);
  const glia_value var = glia_buffer(s, "running_var", 1, c, 1);
  const glia_value batches = glia_buffer(s, "num_batches_tracked", 0, NULL, 0);
  glia_value y;
  if (s->train) {
    glia_value m, v;
    y = glia_batch_norm_train(x, gamma, beta, eps, &m, &v);
    const gi_type t = gi_value_type(x);
    const double n = c[0] > 0 ? (double)gi_type_count(&t) / (double)c[0] : 0;
    move_towards(mean, m, momentum);
    move_towards(var, glia_mul(v, glia_scalar_like(v, n > 1 ? n / (n - 1) : 1)), momentum);
    glia_assign(batches, glia_add(batches, glia_scalar_like(batches, 1)));
  } else {
    const glia_value scale =
        glia_mul(gamma, glia_rsqrt(glia_add(var, glia_scalar_like(var, eps))));
    const glia_value shift = glia_sub(beta, glia_mul(mean, scale));
    y = glia_add(glia_mul(x, per_channel(scale, x)), per_channel(shift, x));
  }
  return glia_activation(y, o->activation);
}

glia_value glia_batch_norm_opt(glia_scope *s, const char *name, glia_value x,
                               const glia_batch_norm_opts *opt) {
  glia_batch_norm_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, x, &o));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_batch_norm_opt(s, name, x, opts);
}

static const gi_field fields[] = {
    GI_FIELD(NAME, glia_batch_norm_opts, activation, .positional = true, .dflt = "linear",
             .doc = "what follows", .choices = gi_activation_names),
    GI_FIELD(F64, glia_batch_norm_opts, eps, .min = 1e-12, .max = 1, .dflt = "1e-5",
             .doc = "added to the variance"),
    GI_FIELD(F64, glia_batch_norm_opts, momentum, .min = 1e-6, .max = 1, .dflt = "0.1",
             .doc = "share of the new statistics"),
    {.name = NULL},
};

static const gi_layer batch_norm = {
    .name = "batch_norm",
    .doc = "batch normalisation over all axes but the channel",
    .opts_size = sizeof(glia_batch_norm_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_batch_norm[] = {&batch_norm, NULL};
