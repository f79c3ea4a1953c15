/* linear_attention.c - LinearAttention: a state that every step decays, writes to and is read.
 *
 *   S = e^g S,  v' = v  or, with a correction,  v' = beta (v - S^T k),  S = S + k v'^T
 *   y = scale q^T S
 *
 * g for the rules gated and gated_delta, the correction for delta and gated_delta. q [N, T, H
 * D], k [N, T, G D], v [N, T, G E], H / G heads of q in a row reading one of the G states S [D,
 * E]; g [N, T, G] or [N, T, G D]; beta [N, T, G] or [N, T, 1]. Written out step by step.
 */
#include <math.h>

#include "formats/onnx/values.h"

enum { Q, K, V, STATE, DECAY, BETA, ERASE };

typedef struct steps {
  int64_t n, t, heads, groups, d, e;
  double scale;
  bool gated, corrected;
  glia_value q, k, v, decay, beta, erase; /* wide; [N, T, G, ...] */
} steps;

/* [N, T, heads w] as [N, T, heads, w]. */
static glia_value split(glia_value v, int64_t heads) {
  if (gi_null(v) || glia_value_rank(v) != 3 || heads < 1) return v;
  const int64_t *d = glia_value_shape(v), shape[] = {d[0], d[1], heads, d[2] / heads};
  return glia_reshape(v, 4, shape);
}

/* Step t of [N, T, a, b], as [N, a, rows, columns]. */
static glia_value at(glia_value v, int64_t t, int64_t rows, int64_t columns) {
  if (gi_null(v)) return v;
  const int64_t shape[] = {glia_value_dim(v, 0), -1, rows, columns};
  return glia_reshape(gi_onnx_part(v, 1, t, t + 1), 4, shape);
}

static glia_value step(const steps *s, int64_t t, glia_value *state) {
  const glia_value k = at(s->k, t, s->d, 1);
  glia_value v = at(s->v, t, 1, s->e);
  if (s->gated)
    *state = glia_mul(*state, glia_exp(at(s->decay, t, glia_value_dim(s->decay, 3), 1)));
  if (s->corrected) {
    const glia_value own = gi_null(s->erase) ? k : glia_mul(k, at(s->erase, t, s->d, 1));
    const glia_value there = glia_matmul(own, *state, .transpose_a = true);
    v = glia_mul(at(s->beta, t, 1, 1), glia_sub(v, there));
  }
  *state = glia_add(*state, glia_mul(k, v));
  const glia_value q = at(s->q, t, s->heads / s->groups, s->d);
  const int64_t row[] = {s->n, 1, s->heads * s->e};
  return glia_reshape(gi_onnx_times(glia_matmul(q, *state), s->scale), 3, row);
}

static glia_status all_steps(const gi_onnx_call *c, const steps *s, glia_value *state,
                             glia_value *y) {
  if (s->t < 1 || s->t > INT16_MAX)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "%lld steps cannot be written out",
                        (long long)s->t);
  glia_value *rows = gi_alloc((size_t)s->t * sizeof *rows);
  if (rows == NULL) return gi_fail_nomem((size_t)s->t * sizeof *rows);
  for (int64_t t = 0; t < s->t; t++) rows[t] = step(s, t, state);
  *y = glia_concat(rows, (int)s->t, 1);
  gi_free(rows);
  return GLIA_OK;
}

static glia_status read(const gi_onnx_call *c, steps *s) {
  static const char *const rules[] = {"linear", "gated", "delta", "gated_delta", NULL};
  int rule;
  *s = (steps){0};
  GI_TRY(gi_onnx_choice(c, "update_rule", "gated_delta", rules, &rule));
  GI_TRY(gi_onnx_int(c, "q_num_heads", 0, &s->heads));
  GI_TRY(gi_onnx_int(c, "kv_num_heads", 0, &s->groups));
  GI_TRY(gi_onnx_float(c, "scale", 0, &s->scale));
  for (int i = Q; i <= V; i++) GI_TRY(gi_onnx_want_rank(c, i, 3, "[N, T, heads D]"));
  s->gated = rule == 1 || rule == 3;
  s->corrected = rule >= 2;
  if (gi_onnx_given(c, DECAY) != s->gated || gi_onnx_given(c, BETA) != s->corrected)
    return gi_onnx_fail(c, GLIA_FORMAT, "%s wants decay: %s, beta: %s", rules[rule],
                        s->gated ? "yes" : "no", s->corrected ? "yes" : "no");
  const int64_t *q = glia_value_shape(c->in[Q]), g = s->groups;
  const int64_t width = glia_value_dim(c->in[V], 2);
  if (g < 1 || s->heads < 1 || s->heads % g != 0 || q[2] % s->heads != 0 || width % g != 0 ||
      glia_value_dim(c->in[K], 2) != q[2] / s->heads * g)
    return gi_onnx_fail(c, GLIA_SHAPE, "%lld and %lld heads do not divide query, key and value",
                        (long long)s->heads, (long long)g);
  s->n = q[0];
  s->t = q[1];
  s->d = q[2] / s->heads;
  s->e = width / g;
  if (s->scale == 0) s->scale = 1 / sqrt((double)s->d);
  s->q = split(gi_onnx_as_float(c->in[Q]), s->heads);
  s->k = split(gi_onnx_like(c->in[K], s->q), g);
  s->v = split(gi_onnx_like(c->in[V], s->q), g);
  if (s->gated) s->decay = split(gi_onnx_like(c->in[DECAY], s->q), g);
  if (s->corrected)
    s->beta = split(gi_onnx_like(c->in[BETA], s->q), glia_value_dim(c->in[BETA], 2));
  if (gi_onnx_given(c, ERASE)) s->erase = split(gi_onnx_like(c->in[ERASE], s->q), g);
  return GLIA_OK;
}

static glia_status linear_attention(gi_onnx_call *c) {
  steps s;
  glia_value y = GLIA_NONE;
  GI_TRY(read(c, &s));
  if (glia_graph_status(c->g) != GLIA_OK) return GLIA_OK;
  const glia_value kind = c->in[gi_onnx_given(c, STATE) ? STATE : Q];
  const int64_t shape[] = {s.n, s.groups, s.d, s.e};
  glia_value state =
      gi_onnx_given(c, STATE) ? gi_onnx_like(c->in[STATE], s.q) : gi_onnx_zeros(s.q, 4, shape);
  GI_TRY(all_steps(c, &s, &state, &y));
  c->out[0] = gi_onnx_like(y, c->in[Q]);
  if (gi_onnx_wanted(c, 1)) c->out[1] = gi_onnx_like(state, kind);
  return GLIA_OK;
}

const gi_onnx_operator *const gi_onnx_operators_linear_attention[] = {
    GI_ONNX_ROW("LinearAttention", "chunk_size kv_num_heads q_num_heads scale update_rule", 3,
                7, 2, linear_attention, 27),
    NULL,
};
