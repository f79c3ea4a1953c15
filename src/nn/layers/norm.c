/* norm.c - normalisation of rows, of groups of channels and of single channels, with the
 * parameters that PyTorch's layers have.
 */
#include "nn/layer.h"

static double or_default(double v, double dflt) { return v != 0 ? v : dflt; }

static glia_value filled(glia_scope *s, const char *name, int rank, const int64_t *shape,
                         bool ones) {
  return glia_parameter(s, name, rank, shape,
                        (glia_init){.kind = ones ? GLIA_INIT_ONES : GLIA_INIT_ZEROS});
}

/* ---- rows -------------------------------------------------------------------------------- */

static glia_value build_rows(glia_scope *s, glia_value x, const glia_layer_norm_opts *o,
                             bool centred) {
  const int n = (int)(o->axes != 0 ? o->axes : 1), rank = glia_value_rank(x);
  if (o->axes < 0 || n > rank)
    return gi_latch(s->graph, GLIA_SHAPE, "%s: the last %lld axes of rank %d",
                    centred ? "layer_norm" : "rms_norm", (long long)o->axes, rank);
  const int64_t *shape = glia_value_shape(x) + (rank - n);
  const glia_value gamma = o->no_affine ? GLIA_NONE : filled(s, "weight", n, shape, true);
  if (!centred) return glia_rms_norm_with(x, n, gamma, or_default(o->eps, 1e-6));
  const glia_value beta =
      o->no_affine || o->no_bias ? GLIA_NONE : filled(s, "bias", n, shape, false);
  return glia_layer_norm_with(x, n, gamma, beta, or_default(o->eps, 1e-5));
}

static glia_value rows(glia_scope *s, const char *name, glia_value x,
                       const glia_layer_norm_opts *opt, bool centred) {
  glia_layer_norm_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build_rows(e.scope, x, &o, centred));
}

glia_value glia_layer_norm_opt(glia_scope *s, const char *name, glia_value x,
                               const glia_layer_norm_opts *opt) {
  return rows(s, name, x, opt, true);
}
glia_value glia_rms_norm_opt(glia_scope *s, const char *name, glia_value x,
                             const glia_layer_norm_opts *opt) {
  return rows(s, name, x, opt, false);
}

/* ---- groups ------------------------------------------------------------------------------ */

glia_value glia_group_norm_opt(glia_scope *s, const char *name, glia_value x,
                               const glia_group_norm_opts *opt) {
  glia_group_norm_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  if (glia_value_rank(x) < 2)
    return gi_leave(
        &e, gi_latch(s->graph, GLIA_SHAPE, "group_norm: x has rank %d, wanted [N, C, ...]",
                     glia_value_rank(x)));
  const int64_t c = glia_value_dim(x, 1);
  const glia_value gamma = o.no_affine ? GLIA_NONE : filled(e.scope, "weight", 1, &c, true);
  const glia_value beta = o.no_affine ? GLIA_NONE : filled(e.scope, "bias", 1, &c, false);
  return gi_leave(&e, glia_group_norm_with(x, o.groups, gamma, beta, or_default(o.eps, 1e-5)));
}

/* ---- single channels --------------------------------------------------------------------- */

static glia_value per_channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK] = {glia_value_dim(x, 1), 1, 1, 1, 1, 1, 1, 1};
  return glia_reshape(v, glia_value_rank(x) - 1, shape);
}

/* running := (1 - share) running + share (mean over n of the instances' own) */
static void move_towards(glia_value running, glia_value now, double share) {
  const glia_value mean = glia_mean(now, .n = 1, .axes = {0});
  glia_assign(running, glia_add(glia_mul(running, glia_scalar_like(running, 1 - share)),
                                glia_mul(mean, glia_scalar_like(mean, share))));
}

static void track(glia_value x, glia_value mean, glia_value variance, double share) {
  glia_reduce_opts inner = {.size = sizeof inner, .unbiased = true};
  for (int d = 2; d < glia_value_rank(x); d++) inner.axes[inner.n++] = d;
  move_towards(mean, glia_mean_opt(x, &inner), share);
  move_towards(variance, glia_variance_opt(x, &inner), share);
}

static glia_value build_instance(glia_scope *s, glia_value x,
                                 const glia_instance_norm_opts *o) {
  const double eps = or_default(o->eps, 1e-5);
  if (glia_value_rank(x) < 3)
    return gi_latch(s->graph, GLIA_SHAPE, "instance_norm: x has rank %d, wanted [N, C, L, ...]",
                    glia_value_rank(x));
  const int64_t c = glia_value_dim(x, 1);
  const glia_value gamma = o->affine ? filled(s, "weight", 1, &c, true) : GLIA_NONE;
  const glia_value beta = o->affine ? filled(s, "bias", 1, &c, false) : GLIA_NONE;
  if (!o->track) return glia_group_norm_with(x, c, gamma, beta, eps);
  const glia_value mean = glia_buffer(s, "running_mean", 1, &c, 0),
                   variance = glia_buffer(s, "running_var", 1, &c, 1);
  glia_buffer(s, "num_batches_tracked", 0, NULL, 0); /* never moves, as PyTorch's */
  if (s->train) {
    track(x, mean, variance, or_default(o->momentum, 0.1));
    return glia_group_norm_with(x, c, gamma, beta, eps);
  }
  glia_value scale = glia_rsqrt(glia_add(variance, glia_scalar_like(variance, eps)));
  if (!gi_null(gamma)) scale = glia_mul(scale, gamma);
  const glia_value y = glia_mul(glia_sub(x, per_channel(mean, x)), per_channel(scale, x));
  return gi_null(beta) ? y : glia_add(y, per_channel(beta, x));
}

glia_value glia_instance_norm_opt(glia_scope *s, const char *name, glia_value x,
                                  const glia_instance_norm_opts *opt) {
  glia_instance_norm_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build_instance(e.scope, x, &o));
}

/* ---- rows of the table ------------------------------------------------------------------- */

#define EPS(type) \
  GI_FIELD(F64, type, eps, .min = 1e-12, .max = 1, .doc = "added to the variance")
#define ROW(kind, of, text)                                                     \
  static glia_value build_##kind(glia_scope *s, const char *name, glia_value x, \
                                 const void *o) {                               \
    return glia_##kind##_opt(s, name, x, o);                                    \
  }                                                                             \
  static const gi_layer kind = {.name = #kind,                                  \
                                .doc = text,                                    \
                                .opts_size = sizeof(glia_##of##_opts),          \
                                .fields = of##_fields,                          \
                                .build = build_##kind};

static const gi_field layer_norm_fields[] = {
    GI_FIELD(I64, glia_layer_norm_opts, axes, .positional = true, .min = 1, .max = 8,
             .dflt = "1", .doc = "how many of the last are normalised together"),
    EPS(glia_layer_norm_opts),
    GI_FIELD(BOOL, glia_layer_norm_opts, no_affine, .doc = "no parameters"),
    GI_FIELD(BOOL, glia_layer_norm_opts, no_bias, .doc = "leave the bias out"),
    {.name = NULL},
};
static const gi_field group_norm_fields[] = {
    GI_FIELD(I64, glia_group_norm_opts, groups, .positional = true, .required = true, .min = 1,
             .max = 1e9, .doc = "of channels"),
    EPS(glia_group_norm_opts),
    GI_FIELD(BOOL, glia_group_norm_opts, no_affine, .doc = "no parameters"),
    {.name = NULL},
};
static const gi_field instance_norm_fields[] = {
    EPS(glia_instance_norm_opts),
    GI_FIELD(F64, glia_instance_norm_opts, momentum, .min = 1e-6, .max = 1, .dflt = "0.1",
             .doc = "share of the new statistics"),
    GI_FIELD(BOOL, glia_instance_norm_opts, affine, .doc = "weight and bias"),
    GI_FIELD(BOOL, glia_instance_norm_opts, track, .doc = "running statistics"),
    {.name = NULL},
};

ROW(layer_norm, layer_norm,
    "(x - mean) / sqrt(variance + eps) weight + bias over the last axes")
ROW(rms_norm, layer_norm, "x / sqrt(mean of x^2 + eps) weight over the last axes")
ROW(group_norm, group_norm, "normalisation over groups of channels")
ROW(instance_norm, instance_norm, "normalisation over each channel of each sample")

const gi_layer *const gi_layers_norm[] = {&layer_norm, &rms_norm, &group_norm, &instance_norm,
                                          NULL};
