/* architecture.c - what architectures of transformers share: activations by Hugging Face's
 * names, tokens and positions, causal attention with a cache.
 */
#include "models/architecture.h"

#include <math.h>

#include "nn/attend.h"

/* ---- activations ------------------------------------------------------------------------- */

static glia_value scaled(glia_value x, double by) {
  return glia_mul(x, glia_scalar_like(x, by));
}
static glia_value linear(glia_value x) { return x; }
static glia_value quick_gelu(glia_value x) {
  return glia_mul(x, glia_sigmoid(scaled(x, 1.702)));
}
static glia_value gelu_10(glia_value x) { return glia_clip(glia_gelu(x), -10, 10); }
static glia_value leaky_relu(glia_value x) { return glia_leaky_relu(x, 0.01); }
static glia_value relu2(glia_value x) { return glia_square(glia_relu(x)); }
static glia_value elu(glia_value x) { return glia_elu(x, 1); }
/* The distribution function of mean 0.707107 and deviation 0.282095. */
static glia_value laplace(glia_value x) {
  const glia_value z =
      scaled(glia_sub(x, glia_scalar_like(x, 0.707107)), 1 / (0.282095 * sqrt(2)));
  return scaled(glia_add(glia_erf(z), glia_scalar_like(x, 1)), 0.5);
}

static const struct {
  const char *name;
  glia_value (*build)(glia_value x);
} acts[] = {
    {"gelu", glia_gelu},
    {"gelu_python", glia_gelu},
    {"gelu_new", glia_gelu_tanh},
    {"gelu_fast", glia_gelu_tanh},
    {"gelu_accurate", glia_gelu_tanh},
    {"gelu_pytorch_tanh", glia_gelu_tanh},
    {"gelu_python_tanh", glia_gelu_tanh},
    {"gelu_tanh", glia_gelu_tanh},
    {"quick_gelu", quick_gelu},
    {"gelu_10", gelu_10},
    {"relu", glia_relu},
    {"relu2", relu2},
    {"relu6", glia_relu6},
    {"leaky_relu", leaky_relu},
    {"elu", elu},
    {"selu", glia_selu},
    {"silu", glia_silu},
    {"swish", glia_silu},
    {"mish", glia_mish},
    {"sigmoid", glia_sigmoid},
    {"tanh", glia_tanh},
    {"laplace", laplace},
    {"linear", linear},
};

glia_status gi_check_act(const char *key, const char *name) {
  const char *names[GI_COUNT(acts)];
  for (int i = 0; i < GI_COUNT(acts); i++) {
    names[i] = acts[i].name;
    if (strcmp(acts[i].name, name) == 0) return GLIA_OK;
  }
  const int near = gi_nearest(name, names, GI_COUNT(acts));
  return gi_fail(GLIA_MODEL, "%s is \"%s\", which is no activation%s%s%s", key, name,
                 near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                 near >= 0 ? "\"?" : "");
}

glia_value gi_act(glia_value x, const char *name) {
  for (int i = 0; i < GI_COUNT(acts) && !gi_null(x); i++)
    if (strcmp(acts[i].name, name) == 0) return acts[i].build(x);
  return x;
}

/* ---- tokens and positions ---------------------------------------------------------------- */

bool gi_check_tokens(glia_value tokens, int64_t most) {
  if (gi_null(tokens)) return false;
  const gi_type t = gi_value_type(tokens);
  char text[128];
  if (t.rank != 2 || (t.dtype != GLIA_I64 && t.dtype != GLIA_I32)) {
    gi_latch(tokens.graph, t.rank != 2 ? GLIA_SHAPE : GLIA_DTYPE,
             "tokens are %s, wanted i64 or i32 [N, T]", gi_type_text(&t, text, sizeof text));
    return false;
  }
  if (t.dim[1] <= most) return true;
  gi_latch(tokens.graph, GLIA_SHAPE,
           "there are %lld tokens in a sequence, the model has positions for %lld",
           (long long)t.dim[1], (long long)most);
  return false;
}

glia_value gi_positions(glia_value tokens, const glia_transformer_opts *o) {
  if (!gi_null(o->positions) || o->cache == 0 || gi_null(tokens)) return o->positions;
  return glia_add(glia_range(tokens.graph, glia_value_dim(tokens, 1), GLIA_I64), o->place);
}

glia_value gi_token_rows(glia_scope *s, const char *name, int64_t rows, int64_t width,
                         glia_value tokens, glia_value *weight) {
  const gi_entered e = gi_enter(s, name);
  *weight = GLIA_NONE;
  if (e.scope == NULL) return gi_leave(&e, GLIA_NONE);
  const int64_t shape[] = {rows, width};
  *weight = glia_parameter(e.scope, "weight", 2, shape,
                           (glia_init){.kind = GLIA_INIT_NORMAL, .b = 0.02});
  return gi_leave(&e, glia_embedding_with(*weight, tokens, NULL));
}

glia_value gi_learned_positions(glia_scope *s, const char *name, int64_t most, int64_t width,
                                glia_value positions, int64_t t) {
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL) return gi_leave(&e, GLIA_NONE);
  const int64_t shape[] = {most, width};
  const glia_value w = glia_parameter(e.scope, "weight", 2, shape,
                                      (glia_init){.kind = GLIA_INIT_NORMAL, .b = 0.02});
  return gi_leave(
      &e, gi_null(positions) ? glia_slice(w, 0, 0, t, 1) : glia_gather(w, positions, 0));
}

glia_value gi_token_mask(const glia_transformer_opts *o) {
  glia_value m = o->mask;
  if (gi_null(m)) return m;
  if (glia_value_dtype(m) != GLIA_BOOL) m = glia_not_equal(m, glia_scalar_like(m, 0));
  if (gi_null(m) || glia_value_rank(m) != 2) return m;
  const int64_t shape[] = {glia_value_dim(m, 0), 1, 1, glia_value_dim(m, 1)};
  return glia_reshape(m, 4, shape);
}

glia_scope *gi_scope_at(glia_scope *s, const char *list, int64_t i) {
  char name[64];
  snprintf(name, sizeof name, "%s.%lld", list, (long long)i);
  return glia_scope_in(s, name);
}

/* ---- causal attention -------------------------------------------------------------------- */

/* What the buffer has, with new keys or values in their place; it is kept for the next run. */
static glia_value kept(glia_scope *s, const char *name, glia_value k,
                       const glia_transformer_opts *o) {
  if (gi_null(k)) return k;
  const int64_t *d = glia_value_shape(k), shape[] = {d[0], d[1], o->cache, d[3]};
  const glia_value cache = glia_buffer(glia_scope_in(s, "cache"), name, 4, shape, 0);
  const glia_value now = glia_write_at(cache, k, o->place, 2);
  if (!gi_null(now)) glia_assign(cache, now);
  return now;
}

/* Row t sees the places up to o->place + t: bool [T, cache]. */
static glia_value up_to_now(glia_graph *g, int64_t t, const glia_transformer_opts *o) {
  const glia_value row =
      glia_reshape(glia_add(glia_range(g, t, GLIA_I64), glia_cast(o->place, GLIA_I64)), 2,
                   (const int64_t[]){t, 1});
  return glia_less_equal(glia_range(g, o->cache, GLIA_I64), row);
}

glia_value gi_causal(glia_scope *s, glia_value q, glia_value k, glia_value v, double scale,
                     double dropout, const glia_transformer_opts *o) {
  if (gi_null(q) || s == NULL) return GLIA_NONE;
  const double p = s->train ? dropout : 0;
  const uint64_t stream = p > 0 ? gi_dropout_stream(s) : 0;
  glia_value mask = gi_token_mask(o);
  if (o->cache == 0)
    return glia_attention(q, k, v, .mask = mask, .causal = true, .scale = scale, .dropout = p,
                          .stream = stream);
  k = kept(s, "key", k, o);
  v = kept(s, "value", v, o);
  mask = gi_both_masks(mask, up_to_now(q.graph, glia_value_dim(q, 2), o));
  return glia_attention(q, k, v, .mask = mask, .scale = scale, .dropout = p, .stream = stream);
}
