/* attention.c - Attention, and FlexAttention of ai.onnx.preview.
 *
 *   score = scale q k^T,  capped = softcap tanh(score / softcap),  p = softmax(capped + bias)
 *   y = p v
 *
 * q [N, H, T, D], k [N, G, S, D], v [N, G, S, E], H / G heads of q in a row sharing one of k
 * and v; or with three axes, heads side by side in the last. bias is what attn_mask, is_causal
 * and nonpad_kv_seqlen say together; rows that see no key are 0.
 *
 * It is glia's attention, which never holds the scores, unless they are asked for or capped.
 */
#include "glia/attention.h"

#include <math.h>

#include "formats/onnx/values.h"

enum { Q, K, V, MASK, PAST_K, PAST_V, SEEN };
enum { SCORES, CAPPED, BIASED, WEIGHTS }; /* qk_matmul_output_mode */

typedef struct heads {
  glia_value q, k, v; /* wide, four axes */
  glia_value seen;    /* bool: which keys; or null: all */
  glia_value bias;    /* floats to be added; or null */
  bool causal;        /* row t sees keys up to t + offset besides */
  int64_t offset;
  double scale, cap;
  bool packed; /* three axes came in */
} heads;

/* ---- shapes ------------------------------------------------------------------------------ */

static glia_status to_heads(const gi_onnx_call *c, int i, const char *attribute,
                            glia_value *out) {
  const int64_t *d = glia_value_shape(c->in[i]);
  int64_t n;
  if (glia_value_rank(c->in[i]) != 3) return GLIA_OK;
  GI_TRY(gi_onnx_int(c, attribute, 0, &n));
  if (n < 1 || d[2] % n != 0)
    return gi_onnx_fail(c, GLIA_SHAPE, "%s is %lld, input %d is %lld wide", attribute,
                        (long long)n, i, (long long)d[2]);
  const int64_t shape[] = {d[0], d[1], n, d[2] / n};
  *out = glia_permute(glia_reshape(c->in[i], 4, shape), (const int[]){0, 2, 1, 3});
  return GLIA_OK;
}

static glia_value from_heads(glia_value y) {
  if (gi_null(y)) return y;
  const int64_t *d = glia_value_shape(y), shape[] = {d[0], d[2], d[1] * d[3]};
  return glia_reshape(glia_permute(y, (const int[]){0, 2, 1, 3}), 3, shape);
}

/* k or v behind what came before; `present` receives it as it is. */
static glia_value with_past(gi_onnx_call *c, int past, glia_value v, int present) {
  if (gi_onnx_given(c, past)) {
    const glia_value parts[] = {c->in[past], gi_onnx_like(v, c->in[past])};
    v = glia_concat(parts, 2, 2);
  }
  if (gi_onnx_wanted(c, present)) c->out[present] = v;
  return gi_onnx_as_float(v);
}

static glia_status want_heads(const gi_onnx_call *c, const heads *h) {
  if (gi_null(h->q) || gi_null(h->k) || gi_null(h->v)) return GLIA_OK; /* latched */
  const int64_t *q = glia_value_shape(h->q), *k = glia_value_shape(h->k);
  if (glia_value_rank(h->q) == 4 && glia_value_rank(h->k) == 4 && glia_value_rank(h->v) == 4 &&
      k[1] > 0 && q[1] % k[1] == 0 && glia_value_dim(h->v, 1) == k[1])
    return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE,
                      "Q, K and V want four axes (three with q_num_heads and "
                      "kv_num_heads), Q's heads a multiple of those of K and V");
}

/* ---- what is seen ------------------------------------------------------------------------ */

/* A mask that is shorter than the keys hides those behind it. */
static glia_value lengthened(glia_value mask, int64_t keys) {
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  const int rank = glia_value_rank(mask);
  if (rank < 1 || glia_value_dim(mask, -1) >= keys || glia_value_dim(mask, -1) == 1)
    return mask;
  after[rank - 1] = keys - glia_value_dim(mask, -1);
  if (glia_value_dtype(mask) != GLIA_BOOL) return glia_pad(mask, before, after, -INFINITY);
  return glia_cast(glia_pad(glia_cast(mask, GLIA_U8), before, after, 0), GLIA_BOOL);
}

static glia_value both(glia_value a, glia_value b) {
  if (gi_null(a) || gi_null(b)) return gi_null(a) ? b : a;
  return glia_logical_and(a, b);
}

/* Keys 0 .. n - 1 of each sequence count, n [N]; causal: row t, the last of T being the newest,
 * sees those up to n - T + t. */
static glia_value counted(const heads *h, glia_value n, bool causal) {
  const int64_t rows = glia_value_dim(h->q, 2), keys = glia_value_dim(h->k, 2);
  glia_value end = glia_reshape(glia_cast(n, GLIA_I64), 4, (const int64_t[]){-1, 1, 1, 1});
  const glia_value key = glia_range(h->q.graph, keys, GLIA_I64);
  glia_value seen = glia_less(key, end);
  if (!causal) return seen;
  const glia_value row =
      glia_reshape(glia_range(h->q.graph, rows, GLIA_I64), 2, (const int64_t[]){rows, 1});
  end = glia_add(end, gi_onnx_plus(row, (double)(1 - rows)));
  return both(seen, glia_less(key, end));
}

static void set_masks(const gi_onnx_call *c, heads *h) {
  const glia_value mask =
      gi_onnx_given(c, MASK) ? lengthened(c->in[MASK], glia_value_dim(h->k, 2)) : GLIA_NONE;
  if (!gi_null(mask) && glia_value_dtype(mask) == GLIA_BOOL)
    h->seen = mask;
  else
    h->bias = gi_onnx_like(mask, h->q);
  if (gi_null(mask)) h->bias = GLIA_NONE;
  if (gi_onnx_given(c, PAST_K)) h->offset = glia_value_dim(c->in[PAST_K], 2);
  if (!gi_onnx_given(c, SEEN)) return;
  const bool frontier = h->causal && !gi_onnx_given(c, PAST_K);
  h->seen = both(h->seen, counted(h, c->in[SEEN], frontier));
  if (frontier) h->causal = false;
}

/* All of it as floats that are added; null: nothing. */
static glia_value whole_bias(const heads *h) {
  glia_value seen = h->seen;
  if (h->causal) {
    const int64_t rows = glia_value_dim(h->q, 2), keys = glia_value_dim(h->k, 2);
    const glia_value row =
        glia_reshape(glia_range(h->q.graph, rows, GLIA_I64), 2, (const int64_t[]){rows, 1});
    seen = both(seen, glia_less_equal(glia_range(h->q.graph, keys, GLIA_I64),
                                      gi_onnx_plus(row, (double)h->offset)));
  }
  if (gi_null(seen)) return h->bias;
  const glia_value none = glia_scalar_like(h->q, -INFINITY);
  return glia_where(seen, gi_null(h->bias) ? glia_scalar_like(h->q, 0) : h->bias, none);
}

/* ---- with the scores in hand ------------------------------------------------------------- */

/* A head of k or v for each head of q. */
static glia_value per_head(const heads *h, glia_value v) {
  const int64_t share = glia_value_dim(h->q, 1) / glia_value_dim(v, 1);
  return share == 1 ? v : glia_repeat(v, 1, share);
}

static glia_value scores_of(const heads *h) {
  return glia_matmul(gi_onnx_times(h->q, h->scale), per_head(h, h->k), .transpose_b = true);
}

/* shown: the stages of qk_matmul_output_mode. */
static glia_value by_scores(const heads *h, glia_value shown[4]) {
  const glia_value bias = whole_bias(h);
  glia_value s = shown[SCORES] = scores_of(h);
  if (h->cap > 0) s = gi_onnx_times(glia_tanh(gi_onnx_times(s, 1 / h->cap)), h->cap);
  shown[CAPPED] = s;
  if (!gi_null(bias)) s = glia_add(s, bias);
  shown[BIASED] = s;
  glia_value p = glia_softmax(s, -1);
  if (!gi_null(bias)) {
    const glia_value best = glia_max(bias, .n = 1, .axes = {-1}, .keep = true);
    const glia_value blind = glia_equal(best, glia_scalar_like(best, -INFINITY));
    p = glia_where(blind, glia_scalar_like(p, 0), p);
  }
  shown[WEIGHTS] = p;
  return glia_matmul(p, per_head(h, h->v));
}

/* ---- Attention --------------------------------------------------------------------------- */

static glia_status read(gi_onnx_call *c, heads *h) {
  glia_value q = c->in[Q], k = c->in[K], v = c->in[V];
  *h = (heads){.packed = glia_value_rank(q) == 3};
  GI_TRY(to_heads(c, Q, "q_num_heads", &q));
  GI_TRY(to_heads(c, K, "kv_num_heads", &k));
  GI_TRY(to_heads(c, V, "kv_num_heads", &v));
  h->q = gi_onnx_as_float(q);
  h->k = gi_onnx_like(with_past(c, PAST_K, k, 1), h->q);
  h->v = gi_onnx_like(with_past(c, PAST_V, v, 2), h->q);
  GI_TRY(want_heads(c, h));
  GI_TRY(gi_onnx_float(c, "scale", 1 / sqrt((double)glia_value_dim(h->q, 3)), &h->scale));
  GI_TRY(gi_onnx_float(c, "softcap", 0, &h->cap));
  return gi_onnx_bool(c, "is_causal", false, &h->causal);
}

static glia_status attention(gi_onnx_call *c) {
  glia_value shown[4];
  int64_t mode;
  heads h;
  GI_TRY(read(c, &h));
  GI_TRY(gi_onnx_int(c, "qk_matmul_output_mode", 0, &mode));
  if (mode < SCORES || mode > WEIGHTS)
    return gi_onnx_fail(c, GLIA_FORMAT, "qk_matmul_output_mode is %lld, wanted 0 to 3",
                        (long long)mode);
  if (glia_graph_status(c->g) != GLIA_OK) return GLIA_OK;
  set_masks(c, &h);
  const bool hidden = h.cap <= 0 && !gi_onnx_wanted(c, 3) && h.scale != 0;
  glia_value y;
  if (hidden)
    y = glia_attention(
        h.q, h.k, h.v,
        .mask = gi_null(h.bias) ? h.seen
                : gi_null(h.seen)
                    ? h.bias
                    : glia_where(h.seen, h.bias, glia_scalar_like(h.bias, -INFINITY)),
        .causal = h.causal, .offset = h.offset, .scale = h.scale);
  else
    y = by_scores(&h, shown);
  if (gi_onnx_wanted(c, 3)) c->out[3] = gi_onnx_like(shown[mode], c->in[Q]);
  c->out[0] = gi_onnx_like(h.packed ? from_heads(y) : y, c->in[Q]);
  return GLIA_OK;
}

/* ---- FlexAttention ----------------------------------------------------------------------- */

/* What a graph attribute makes of v; v itself where the node has none. */
static glia_status changed(const gi_onnx_call *c, const char *name, glia_value *v) {
  const gi_onnx_attr *a = gi_onnx_attr_of(c, name);
  int type = gi_onnx_type_of(glia_value_dtype(*v)), out_type;
  glia_value out;
  if (a == NULL || gi_null(*v)) return GLIA_OK;
  if (a->type != GI_ONNX_ATTR_GRAPH || a->g->n_in != 1 || a->g->n_out != 1)
    return gi_onnx_fail(c, GLIA_FORMAT, "%s is no graph of one input and one output", name);
  GI_TRY(gi_onnx_subgraph(c, a->g, v, &type, 1, &out, &out_type));
  *v = gi_onnx_like(out, *v);
  return GLIA_OK;
}

static glia_status flex_attention(gi_onnx_call *c) {
  heads h = {.q = gi_onnx_as_float(c->in[Q])};
  h.k = gi_onnx_like(c->in[K], h.q);
  h.v = gi_onnx_like(c->in[V], h.q);
  GI_TRY(want_heads(c, &h));
  GI_TRY(gi_onnx_float(c, "scale", 1 / sqrt((double)glia_value_dim(h.q, 3)), &h.scale));
  glia_value y;
  if (!gi_onnx_has(c, "score_mod") && !gi_onnx_has(c, "prob_mod") && h.scale != 0) {
    y = glia_attention(h.q, h.k, h.v, .scale = h.scale);
  } else {
    glia_value s = scores_of(&h);
    GI_TRY(changed(c, "score_mod", &s));
    s = glia_softmax(s, -1);
    GI_TRY(changed(c, "prob_mod", &s));
    y = glia_matmul(s, per_head(&h, h.v));
  }
  c->out[0] = gi_onnx_like(y, c->in[Q]);
  return GLIA_OK;
}

/* ---- rows -------------------------------------------------------------------------------- */

static const gi_onnx_operator flex = {
    .name = "FlexAttention",
    .domain = "ai.onnx.preview",
    .since = {1},
    .min_in = 3,
    .max_in = 3,
    .attributes = "scale score_mod prob_mod softmax_precision",
    .build = flex_attention};

const gi_onnx_operator *const gi_onnx_operators_attention[] = {
    GI_ONNX_ROW("Attention",
                "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap "
                "softmax_precision",
                3, 7, 4, attention, 23),
    &flex,
    NULL,
};
