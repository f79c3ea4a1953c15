/* attend.c - multi-head attention on rows: projections, heads, masks.
 *
 * Query, key and value are projected by products of their own, also where one parameter holds
 * the three weights, and have biases whether or not the caller gave one value for all three.
 */
#include "nn/attend.h"

#include <math.h>

#include "nn/linear.h"

typedef const glia_multi_head_attention_opts options;

/* ---- heads ------------------------------------------------------------------------------- */

glia_value gi_to_heads(glia_value rows, int64_t n, int64_t t, int64_t heads,
                       bool sequence_first) {
  if (gi_null(rows)) return rows;
  const int64_t d = glia_value_dim(rows, 1) / heads;
  const int64_t by_n[] = {n, t, heads, d}, by_t[] = {t, n, heads, d};
  const int from_n[] = {0, 2, 1, 3}, from_t[] = {1, 2, 0, 3};
  return glia_permute(glia_reshape(rows, 4, sequence_first ? by_t : by_n),
                      sequence_first ? from_t : from_n);
}

glia_value gi_from_heads(glia_value y, bool sequence_first) {
  if (gi_null(y)) return y;
  const int64_t *d = glia_value_shape(y), shape[] = {d[0] * d[2], d[1] * d[3]};
  const int to_n[] = {0, 2, 1, 3}, to_t[] = {2, 0, 1, 3};
  return glia_reshape(glia_permute(y, sequence_first ? to_t : to_n), 2, shape);
}

/* ---- masks ------------------------------------------------------------------------------- */

static bool is_bool(glia_value v) { return glia_value_dtype(v) == GLIA_BOOL; }

/* What is to be added: 0 where a key is seen, else -infinity. */
static glia_value as_floats(glia_value mask, glia_dtype dtype) {
  if (!is_bool(mask)) return mask;
  return glia_where(mask, glia_scalar(mask.graph, dtype, 0),
                    glia_scalar(mask.graph, dtype, -INFINITY));
}

glia_value gi_both_masks(glia_value a, glia_value b) {
  if (gi_null(a) || gi_null(b)) return gi_null(a) ? b : a;
  if (is_bool(a) && is_bool(b)) return glia_logical_and(a, b);
  const glia_dtype dtype = glia_value_dtype(is_bool(a) ? b : a);
  return glia_add(as_floats(a, dtype), as_floats(b, dtype));
}

/* [N heads, T, S] as [N, heads, T, S]; others as they are. */
static glia_value by_heads(glia_value mask, const gi_attended *a) {
  if (gi_null(mask) || glia_value_rank(mask) != 3 ||
      glia_value_dim(mask, 0) != a->n * a->o->heads || a->o->heads == 1)
    return mask;
  const int64_t shape[] = {a->n, a->o->heads, glia_value_dim(mask, 1), glia_value_dim(mask, 2)};
  return glia_reshape(mask, 4, shape);
}

/* [N, S] as [N, 1, 1, S]. */
static glia_value by_key(glia_value mask) {
  if (gi_null(mask) || glia_value_rank(mask) != 2) return mask;
  const int64_t shape[] = {glia_value_dim(mask, 0), 1, 1, glia_value_dim(mask, 1)};
  return glia_reshape(mask, 4, shape);
}

/* Keys that were put behind the others are seen by all. */
static glia_value with_more_keys(glia_value mask, int more) {
  if (gi_null(mask) || more == 0) return mask;
  int64_t shape[GLIA_MAX_RANK] = {0};
  const int rank = glia_value_rank(mask);
  for (int d = 0; d < rank; d++) shape[d] = glia_value_dim(mask, d);
  shape[rank - 1] = more;
  const glia_value seen =
      glia_scalar(mask.graph, glia_value_dtype(mask), is_bool(mask) ? 1 : 0);
  const glia_value parts[] = {mask, glia_broadcast_to(seen, rank, shape)};
  return glia_concat(parts, 2, -1);
}

static glia_value triangle(glia_graph *g, int64_t t, int64_t s) {
  const glia_value row = glia_reshape(glia_range(g, t, GLIA_I64), 2, (const int64_t[]){t, 1});
  return glia_less_equal(glia_range(g, s, GLIA_I64), row);
}

/* ---- keys behind the others -------------------------------------------------------------- */

/* k [N, H, S, d] with one key more for every sequence: of [1, 1, H d], or zeros. */
static glia_value with_key(glia_value k, glia_value key) {
  if (gi_null(k)) return k;
  const int64_t *d = glia_value_shape(k), one[] = {d[0], d[1], 1, d[3]};
  const int64_t heads[] = {1, d[1], 1, d[3]};
  const glia_value last = gi_null(key) ? glia_scalar_like(k, 0) : glia_reshape(key, 4, heads);
  const glia_value parts[] = {k, glia_broadcast_to(last, 4, one)};
  return glia_concat(parts, 2, 2);
}

/* ---- projections ------------------------------------------------------------------------- */

/* Query, key and value as [rows, E], by weights that lie in one parameter where all are E wide.
 */
static void project(glia_scope *s, const gi_attended *a, glia_value out[3]) {
  static const char *const names[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
  const glia_value in[] = {a->query, a->key, a->value};
  const int64_t e = glia_value_dim(a->query, 1), all[] = {3 * e, e};
  const glia_init glorot = {.kind = GLIA_INIT_GLOROT_UNIFORM},
                  zeros = {.kind = GLIA_INIT_ZEROS};
  const bool one = glia_value_dim(a->key, 1) == e && glia_value_dim(a->value, 1) == e;
  const bool itself = a->query.id == a->key.id && a->key.id == a->value.id;
  const glia_value weight =
      one ? glia_parameter(s, "in_proj_weight", 2, all, glorot) : GLIA_NONE;
  const glia_value bias =
      a->o->no_bias ? GLIA_NONE : glia_parameter(s, "in_proj_bias", 1, all, zeros);
  if (one && itself) {
    gi_linear_parts(a->query, weight, bias, false, 3, out);
    return;
  }
  for (int i = 0; i < 3; i++) {
    const int64_t own[] = {e, glia_value_dim(in[i], 1)};
    const glia_value w = one ? glia_slice(weight, 0, i * e, (i + 1) * e, 1)
                             : glia_parameter(s, names[i], 2, own, glorot);
    const glia_value b = gi_null(bias) ? bias : glia_slice(bias, 0, i * e, (i + 1) * e, 1);
    out[i] = gi_null(w) ? w : gi_linear(in[i], w, b);
  }
}

/* ---- weights, for those who want to see them --------------------------------------------- */

static glia_value seen_weights(glia_value q, glia_value k, glia_value mask, glia_value log_sum,
                               bool causal, const gi_attended *a) {
  const int64_t t = a->t, s = glia_value_dim(k, 2), column[] = {a->n, a->o->heads, t, 1};
  glia_value scores = glia_matmul(q, k, .transpose_b = true);
  if (gi_null(scores)) return scores;
  scores = glia_mul(scores, glia_scalar_like(scores, 1 / sqrt((double)glia_value_dim(q, 3))));
  if (causal) mask = gi_both_masks(mask, triangle(scores.graph, t, s));
  if (!gi_null(mask)) scores = glia_add(scores, as_floats(mask, glia_value_dtype(scores)));
  const glia_value p = glia_exp(glia_sub(scores, glia_reshape(log_sum, 4, column)));
  return a->o->weights_by_head ? p : glia_mean(p, .n = 1, .axes = {1});
}

/* ---- all of it --------------------------------------------------------------------------- */

static bool is_good(glia_scope *s, const gi_attended *a) {
  const int64_t e = glia_value_dim(a->query, 1);
  if (a->o->heads < 1 || e % a->o->heads != 0) {
    gi_latch(s->graph, GLIA_INVALID,
             "multi_head_attention: %lld heads of a width of %lld, wanted a divisor of it",
             (long long)a->o->heads, (long long)e);
    return false;
  }
  if (!(a->o->dropout >= 0 && a->o->dropout < 1)) {
    gi_latch(s->graph, GLIA_INVALID,
             "multi_head_attention: dropout is %g, wanted 0 <= dropout < 1", a->o->dropout);
    return false;
  }
  return true;
}

glia_value gi_attend(glia_scope *s, const gi_attended *a) {
  options *o = a->o;
  if (gi_null(a->query) || gi_null(a->key) || gi_null(a->value) || !is_good(s, a))
    return GLIA_NONE;
  const int64_t e = glia_value_dim(a->query, 1), one[] = {1, 1, e};
  glia_value in[3];
  project(s, a, in);
  const glia_init bias_init = {.kind = GLIA_INIT_GLOROT_NORMAL};
  const glia_value q = gi_to_heads(in[0], a->n, a->t, o->heads, o->sequence_first);
  glia_value k = gi_to_heads(in[1], a->n, a->s, o->heads, o->sequence_first);
  glia_value v = gi_to_heads(in[2], a->n, a->s, o->heads, o->sequence_first);
  if (o->bias_kv) {
    k = with_key(k, glia_parameter(s, "bias_k", 3, one, bias_init));
    v = with_key(v, glia_parameter(s, "bias_v", 3, one, bias_init));
  }
  if (o->zero_key) k = with_key(k, GLIA_NONE), v = with_key(v, GLIA_NONE);
  if (s->graph->status != GLIA_OK) return GLIA_NONE;
  const int more = o->bias_kv + o->zero_key;
  glia_value mask = gi_both_masks(by_heads(o->mask, a), by_key(o->key_mask));
  if (o->causal && more > 0) mask = gi_both_masks(mask, triangle(s->graph, a->t, a->s));
  const bool causal = o->causal && more == 0;
  mask = with_more_keys(mask, more);
  glia_value log_sum = GLIA_NONE;
  const double dropout = s->train ? o->dropout : 0;
  const glia_value y =
      glia_attention(q, k, v, .mask = mask, .causal = causal, .dropout = dropout,
                     .stream = dropout > 0 ? gi_dropout_stream(s) : 0, .log_sum = &log_sum);
  if (o->weights != NULL) *o->weights = seen_weights(q, k, mask, log_sum, causal, a);
  return gi_linear_layer(s, "out_proj", gi_from_heads(y, o->sequence_first), e, !o->no_bias);
}
