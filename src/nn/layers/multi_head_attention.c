/* multi_head_attention.c - attention by heads (arXiv:1706.03762), with the parameters of
 * PyTorch's MultiheadAttention.
 */
#include "nn/attend.h"
#include "nn/layer.h"
#include "nn/linear.h"

/* Sequences, and how long they are, of [N, T, E], [T, N, E] or [T, E]. */
typedef struct extent {
  int64_t n, t;
} extent;
static extent extent_of(glia_value x, bool sequence_first) {
  if (glia_value_rank(x) == 2) return (extent){1, glia_value_dim(x, 0)};
  return sequence_first ? (extent){glia_value_dim(x, 1), glia_value_dim(x, 0)}
                        : (extent){glia_value_dim(x, 0), glia_value_dim(x, 1)};
}

static bool is_sequence(glia_value x, glia_value like, const char *what) {
  const int rank = glia_value_rank(x);
  if ((rank == 2 || rank == 3) && rank == glia_value_rank(like)) return true;
  gi_latch(x.graph, GLIA_SHAPE,
           "multi_head_attention: %s has rank %d, wanted [N, T, E], or [T, E] for all of them",
           what, rank);
  return false;
}

/* Without a batch the mean weights are [T, S], by head [heads, T, S]. */
static void take_off_batch(glia_value *weights) {
  if (weights == NULL || gi_null(*weights)) return;
  const int rank = glia_value_rank(*weights) - 1;
  *weights = glia_reshape(*weights, rank, glia_value_shape(*weights) + 1);
}

static glia_value build(glia_scope *s, glia_value x, glia_multi_head_attention_opts *o) {
  const glia_value key = gi_null(o->key) ? x : o->key,
                   value = gi_null(o->value) ? key : o->value;
  if (!is_sequence(x, x, "x") || !is_sequence(key, x, "the key") ||
      !is_sequence(value, x, "the value"))
    return GLIA_NONE;
  const extent q = extent_of(x, o->sequence_first), k = extent_of(key, o->sequence_first),
               v = extent_of(value, o->sequence_first);
  if (q.n != k.n || k.n != v.n || k.t != v.t)
    return gi_latch(s->graph, GLIA_SHAPE,
                    "multi_head_attention: %lld queries of %lld sequences, %lld keys of %lld, "
                    "%lld values of %lld; wanted as many sequences, and keys as values",
                    (long long)q.t, (long long)q.n, (long long)k.t, (long long)k.n,
                    (long long)v.t, (long long)v.n);
  const bool batch = glia_value_rank(x) == 3;
  if (!batch) o->sequence_first = false;
  const gi_attended a = {gi_as_rows(x), gi_as_rows(key), gi_as_rows(value), q.n, q.t, k.t, o};
  const glia_value y = gi_attend(s, &a);
  if (!batch) take_off_batch(o->weights);
  return gi_as_before(y, x);
}

glia_value glia_multi_head_attention_opt(glia_scope *s, const char *name, glia_value x,
                                         const glia_multi_head_attention_opts *opt) {
  glia_multi_head_attention_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, x, &o));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_multi_head_attention_opt(s, name, x, opts);
}

static const gi_field fields[] = {
    GI_FIELD(I64, glia_multi_head_attention_opts, heads, .positional = true, .required = true,
             .min = 1, .max = 1e6, .doc = "a divisor of the width"),
    GI_FIELD(BOOL, glia_multi_head_attention_opts, causal, .doc = "rows see none behind them"),
    GI_FIELD(F64, glia_multi_head_attention_opts, dropout, .min = 0, .max = 0.999,
             .doc = "probability that a weight falls away"),
    GI_FIELD(BOOL, glia_multi_head_attention_opts, no_bias, .doc = "leave the biases out"),
    GI_FIELD(BOOL, glia_multi_head_attention_opts, bias_kv,
             .doc = "a learned key and value behind the others"),
    GI_FIELD(BOOL, glia_multi_head_attention_opts, zero_key,
             .doc = "a key and value of zeros behind all"),
    GI_FIELD(BOOL, glia_multi_head_attention_opts, sequence_first, .doc = "x is [T, N, E]"),
    {.name = NULL},
};

static const gi_layer multi_head_attention = {
    .name = "multi_head_attention",
    .doc = "attention of a sequence to itself, by heads",
    .opts_size = sizeof(glia_multi_head_attention_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_multi_head_attention[] = {&multi_head_attention, NULL};
