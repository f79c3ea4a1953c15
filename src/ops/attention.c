/* attention.c - scaled dot-product attention (arXiv:1706.03762), and its gradient.
 *
 *   score[t, s] = scale q[t] . k[s] + mask[t, s]
 *   l[t] = log sum over s of e^score[t, s],  p[t, s] = e^(score[t, s] - l[t])
 *   y[t] = sum over s of p[t, s] v[s]
 *
 * Shapes: q [N, H, T, D], k [N, G, S, D], v [N, G, S, E]; H / G heads of q share one of k and v
 * (arXiv:2305.13245). Rows that see no key give zeros, and l is 0 there, so that p is 0 in the
 * gradient too. Dropout zeroes elements of p; element ((n H + h) T + t) S + s draws its number
 * from the stream (gi_rng), again in the gradient.
 *
 * Kernels never store the T x S scores (arXiv:2205.14135): l is all that the gradient needs to
 * make any tile of p anew, with delta[t] = sum over e of dy[t, e] y[t, e], less what flows into
 * l itself:
 *
 *   dp = dy v^T (where dropout kept),  ds = p (dp - delta) scale,  dq = ds k,  dk = ds^T q,
 *   dv = p^T dy
 */
#include "glia/attention.h"

#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

enum { Q, K, V, MASK, LOG_SUM = 3, DELTA, DY, GRAD_MASK };

/* ---- shapes -------------------------------------------------------------------------- */

typedef struct sizes {
  int64_t n, h, g, t, s, d, e;
} sizes;
static sizes sizes_of(const gi_type *q, const gi_type *k, const gi_type *v) {
  return (sizes){q->dim[0], q->dim[1], k->dim[1], q->dim[2], k->dim[2], q->dim[3], v->dim[3]};
}

static glia_status check_heads(const gi_infer *c, const char *op) {
  const gi_type *q = &c->in[Q], *k = &c->in[K], *v = &c->in[V];
  char tq[GI_TEXT], tk[GI_TEXT], tv[GI_TEXT];
  GI_TRY(gi_want_float(c, Q, op, "q"));
  GI_TRY(gi_want_same(c, Q, K, op));
  GI_TRY(gi_want_same(c, Q, V, op));
  GI_TRY(gi_want_rank(c, Q, 4, op, "q", "[N, H, T, D]"));
  GI_TRY(gi_want_rank(c, K, 4, op, "k", "[N, G, S, D]"));
  GI_TRY(gi_want_rank(c, V, 4, op, "v", "[N, G, S, E]"));
  bool fits = q->dim[0] == k->dim[0] && q->dim[3] == k->dim[3];
  for (int d = 0; d < 3; d++) fits = fits && k->dim[d] == v->dim[d];
  fits = fits && (k->dim[1] > 0 ? q->dim[1] % k->dim[1] == 0 : q->dim[1] == 0);
  if (fits) return GLIA_OK;
  return gi_fail(GLIA_SHAPE,
                 "%s: q is %s, k is %s, v is %s; wanted [N, H, T, D], [N, G, S, D] and [N, G, "
                 "S, E], G a divisor of H",
                 op, gi_shape_text(q, tq, sizeof tq), gi_shape_text(k, tk, sizeof tk),
                 gi_shape_text(v, tv, sizeof tv));
}

static glia_status check_mask(const gi_infer *c, int i, const char *op) {
  const gi_type *q = &c->in[Q], *mask = &c->in[i];
  const int64_t full[4] = {q->dim[0], q->dim[1], q->dim[2], c->in[K].dim[2]};
  char tm[GI_TEXT], tf[GI_TEXT];
  bool fits = mask->rank <= 4;
  for (int d = 0; d < mask->rank && fits; d++)
    fits = mask->dim[d] == 1 || mask->dim[d] == full[4 - mask->rank + d];
  if (!fits) {
    const gi_type scores = {
        .dtype = q->dtype, .rank = 4, .dim = {full[0], full[1], full[2], full[3]}};
    return gi_fail(GLIA_SHAPE, "%s: the mask is %s, which does not broadcast to %s", op,
                   gi_shape_text(mask, tm, sizeof tm), gi_shape_text(&scores, tf, sizeof tf));
  }
  if (mask->dtype == GLIA_BOOL) return GLIA_OK;
  if (!glia_dtype_is_float(mask->dtype))
    return gi_fail(GLIA_DTYPE, "%s: the mask is %s, wanted bool or floats", op,
                   gi_type_text(mask, tm, sizeof tm));
  return gi_want_beside(c, Q, i, op);
}

static glia_status check(const gi_infer *c, const char *op, int mask) {
  const gi_attention_attr *a = c->attr;
  GI_TRY(check_heads(c, op));
  if (c->n_in > mask) GI_TRY(check_mask(c, mask, op));
  if (!isfinite(a->scale))
    return gi_fail(GLIA_INVALID, "%s: scale is %g, wanted a finite number", op, a->scale);
  if (a->offset < -INT32_MAX || a->offset > INT32_MAX)
    return gi_fail(GLIA_INVALID, "%s: offset is %" PRId64 ", wanted some 31 bits", op,
                   a->offset);
  if (!(a->dropout >= 0 && a->dropout < 1))
    return gi_fail(GLIA_INVALID, "%s: dropout is %g, wanted 0 <= dropout < 1", op, a->dropout);
  return GLIA_OK;
}

/* Statistics are f32 beside narrow values. */
static gi_type statistic_of(const gi_type *q) {
  gi_type t = *q;
  t.rank = 3;
  t.dim[3] = 0;
  if (glia_dtype_size(q->dtype) == 2) t.dtype = GLIA_F32;
  return t;
}

static glia_status infer_attention(gi_infer *c) {
  GI_TRY(check(c, "attention", MASK));
  c->out[0] = c->in[Q];
  c->out[0].dim[3] = c->in[V].dim[3];
  c->out[1] = statistic_of(&c->in[Q]);
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  const char *const op = "attention_grad";
  GI_TRY(check(c, op, GRAD_MASK));
  GI_TRY(gi_want_beside(c, Q, LOG_SUM, op));
  GI_TRY(gi_want_same(c, LOG_SUM, DELTA, op));
  GI_TRY(gi_want_same(c, Q, DY, op));
  const gi_type statistic = statistic_of(&c->in[Q]);
  gi_type y = c->in[Q];
  y.dim[3] = c->in[V].dim[3];
  for (int i = LOG_SUM; i <= DY; i++) {
    const gi_type *want = i == DY ? &y : &statistic;
    char have[GI_TEXT], wanted[GI_TEXT];
    if (!gi_shape_equal(&c->in[i], want))
      return gi_fail(GLIA_SHAPE, "%s: input %d is %s, wanted %s", op, i,
                     gi_shape_text(&c->in[i], have, sizeof have),
                     gi_shape_text(want, wanted, sizeof wanted));
  }
  for (int i = 0; i < 3; i++) c->out[i] = c->in[i];
  return GLIA_OK;
}

/* ---- in plain ops -------------------------------------------------------------------- */

/* v in another value's dtype: statistics may be f32 beside narrow values. */
static glia_value as_wide(glia_value v, glia_value like) {
  return gi_null(v) || gi_null(like) ? v : glia_cast(v, glia_value_dtype(like));
}

/* [N, G, S, D] with every head repeated as often as q has heads for it. */
static glia_value per_head(glia_value k, int64_t heads) {
  if (gi_null(k)) return k;
  const int64_t *d = glia_value_shape(k), g = d[1];
  return g == heads || g == 0 ? k : glia_repeat(k, 1, heads / g);
}
/* Its transpose: the heads that share one are added up. */
static glia_value shared(glia_value dk, int64_t g) {
  if (gi_null(dk)) return dk;
  const int64_t *d = glia_value_shape(dk);
  if (d[1] == g || g == 0) return dk;
  const int64_t split[] = {d[0], g, d[1] / g, d[2], d[3]};
  return glia_sum(glia_reshape(dk, 5, split), .n = 1, .axes = {2});
}

/* Which keys a causal row sees: bool [T, S]. */
static glia_value seen(glia_graph *g, const sizes *z, int64_t offset) {
  const int64_t column[] = {z->t, 1};
  const glia_value row = glia_reshape(glia_range(g, z->t, GLIA_I64), 2, column);
  const glia_value at = glia_range(g, z->s, GLIA_I64);
  return glia_less_equal(at, glia_add(row, glia_scalar_like(row, (double)offset)));
}

/* p [N, H, T, S] in the dtype of the statistic, before dropout. */
static glia_value probabilities(glia_value q, glia_value k, glia_value log_sum, glia_value mask,
                                const gi_attention_attr *a, const sizes *z) {
  const int64_t column[] = {z->n, z->h, z->t, 1};
  glia_value s = glia_matmul(q, per_head(k, z->h), .transpose_b = true);
  s = glia_mul(s, glia_scalar_like(s, a->scale));
  const glia_value never = glia_scalar_like(s, -INFINITY);
  if (!gi_null(mask) && glia_value_dtype(mask) == GLIA_BOOL)
    s = glia_where(mask, s, never);
  else if (!gi_null(mask))
    s = glia_add(s, as_wide(mask, s));
  if (a->causal && !gi_null(s)) s = glia_where(seen(s.graph, z, a->offset), s, never);
  return glia_exp(glia_sub(s, glia_reshape(log_sum, 4, column)));
}

static glia_value dropped(glia_value p, const gi_attention_attr *a) {
  return a->dropout > 0 ? glia_dropout_with(p, a->dropout, a->stream) : p;
}

/* p, and the slopes of the scores before scale: p (dp - delta). */
static glia_value slopes(const glia_value *in, glia_value mask, const gi_attention_attr *a,
                         const sizes *z, glia_value *p) {
  const int64_t column[] = {z->n, z->h, z->t, 1};
  const glia_value like = in[LOG_SUM], dy = as_wide(in[DY], like);
  *p = probabilities(as_wide(in[Q], like), as_wide(in[K], like), like, mask, a, z);
  const glia_value dp =
      dropped(glia_matmul(dy, per_head(as_wide(in[V], like), z->h), .transpose_b = true), a);
  return glia_mul(*p, glia_sub(dp, glia_reshape(in[DELTA], 4, column)));
}

static sizes sizes_of_values(const glia_value *in) {
  const gi_type q = gi_value_type(in[Q]), k = gi_value_type(in[K]), v = gi_value_type(in[V]);
  return sizes_of(&q, &k, &v);
}

static glia_status lower_grad(gi_lower *c) {
  const gi_attention_attr *a = c->attr;
  const sizes z = sizes_of_values(c->in);
  const glia_value like = c->in[LOG_SUM];
  const glia_value mask = c->n_in > GRAD_MASK ? c->in[GRAD_MASK] : GLIA_NONE;
  glia_value p, ds = slopes(c->in, mask, a, &z, &p);
  ds = glia_mul(ds, glia_scalar_like(like, a->scale));
  const glia_value q = as_wide(c->in[Q], like), k = per_head(as_wide(c->in[K], like), z.h);
  const glia_value grads[] = {
      glia_matmul(ds, k),
      shared(glia_matmul(ds, q, .transpose_a = true), z.g),
      shared(glia_matmul(dropped(p, a), as_wide(c->in[DY], like), .transpose_a = true), z.g),
  };
  for (int i = 0; i < 3; i++) c->out[i] = as_wide(grads[i], c->in[i]);
  return GLIA_OK;
}

/* ---- gradient ------------------------------------------------------------------------ */

/* What flows into y and what flows into l reach the scores alike, through p: so the latter is
 * taken off delta. A mask of floats gets the slopes themselves, which are stored for that. */
static glia_status vjp_attention(gi_vjp *c) {
  const gi_attention_attr *a = c->attr;
  const sizes z = sizes_of_values(c->in);
  const glia_value log_sum = c->out[1], mask = c->n_in > MASK ? c->in[MASK] : GLIA_NONE;
  const glia_value dy = gi_null(c->dout[0]) ? glia_full_like(c->out[0], 0) : c->dout[0];
  glia_value delta = glia_full_like(log_sum, 0);
  if (!gi_null(c->dout[0]))
    delta = glia_sum(glia_mul(as_wide(dy, log_sum), as_wide(c->out[0], log_sum)), .n = 1,
                     .axes = {3});
  if (!gi_null(c->dout[1])) delta = glia_sub(delta, c->dout[1]);
  const glia_value in[] = {c->in[Q], c->in[K], c->in[V], log_sum, delta, dy, mask};
  glia_value grads[3];
  if (c->need[Q] || c->need[K] || c->need[V]) {
    gi_emit(c->g, &gi_op_attention_grad, a, in, gi_null(mask) ? GRAD_MASK : GRAD_MASK + 1,
            grads);
    for (int i = 0; i < 3; i++)
      if (c->need[i]) c->din[i] = grads[i];
  }
  if (!gi_null(mask) && c->need[MASK]) {
    glia_value p;
    c->din[MASK] = glia_sum_to(as_wide(slopes(in, mask, a, &z, &p), mask), mask);
  }
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

/* One row of scores: of (n, h, t), against every key. */
typedef struct row {
  const gi_ref *c;
  const gi_attention_attr *a;
  sizes z;
  int mask; /* input; -1: none */
  int64_t mask_step[4];
  int64_t n, h, t;
} row;

static row row_new(const gi_ref *c, int mask) {
  row r = {.c = c,
           .a = c->attr,
           .z = sizes_of(&c->in[Q].t, &c->in[K].t, &c->in[V].t),
           .mask = c->n_in > mask ? mask : -1};
  if (r.mask >= 0) {
    const gi_type full = {.rank = 4, .dim = {r.z.n, r.z.h, r.z.t, r.z.s}};
    gi_broadcast_strides(&c->in[mask].t, &full, r.mask_step);
  }
  return r;
}
static int64_t query_at(const row *r) { return (r->n * r->z.h + r->h) * r->z.t + r->t; }
static int64_t key_at(const row *r, int64_t s) {
  return (r->n * r->z.g + r->h / (r->z.h / r->z.g)) * r->z.s + s;
}

/* -infinity where the key is not seen. */
static double score(const row *r, int64_t s) {
  const gi_buf *in = r->c->in;
  double v = 0;
  if (r->a->causal && s > r->t + r->a->offset) return -INFINITY;
  for (int64_t d = 0; d < r->z.d; d++)
    v += gi_get(&in[Q], query_at(r) * r->z.d + d) * gi_get(&in[K], key_at(r, s) * r->z.d + d);
  v *= r->a->scale;
  if (r->mask < 0) return v;
  const int64_t at[] = {r->n, r->h, r->t, s};
  const double m = gi_get(&in[r->mask], gi_offset(4, at, r->mask_step));
  if (in[r->mask].t.dtype == GLIA_BOOL) return m != 0 ? v : -INFINITY;
  return v + m;
}

/* 0 where dropout falls on the element, else 1 / (1 - dropout). */
static double kept(const row *r, int64_t s) {
  if (r->a->dropout == 0) return 1;
  const gi_rng rng = {r->c->clock->seed, r->a->stream, r->c->clock->step};
  const double u = gi_rng_uniform(&rng, (uint64_t)(query_at(r) * r->z.s + s));
  return u >= r->a->dropout ? 1 / (1 - r->a->dropout) : 0;
}

/* Moves to the next row; false behind the last. */
static bool next_row(row *r) {
  if (++r->t < r->z.t) return true;
  r->t = 0;
  if (++r->h < r->z.h) return true;
  r->h = 0;
  return ++r->n < r->z.n;
}

static void attend(const row *r, double *scores) {
  const gi_buf *out = r->c->out;
  double top = -INFINITY, sum = 0;
  for (int64_t s = 0; s < r->z.s; s++) {
    scores[s] = score(r, s);
    top = scores[s] > top || isnan(scores[s]) ? scores[s] : top;
  }
  for (int64_t s = 0; s < r->z.s; s++) {
    scores[s] = top == -INFINITY ? 0 : exp(scores[s] - top);
    sum += scores[s];
  }
  for (int64_t e = 0; e < r->z.e; e++) {
    double y = 0;
    for (int64_t s = 0; s < r->z.s; s++)
      y += scores[s] * kept(r, s) * gi_get(&r->c->in[V], key_at(r, s) * r->z.e + e);
    gi_put(&out[0], query_at(r) * r->z.e + e, sum == 0 ? 0 : y / sum);
  }
  gi_put(&out[1], query_at(r), sum == 0 ? 0 : top + log(sum));
}

static glia_status ref_attention(gi_ref *c) {
  row r = row_new(c, MASK);
  double *scores = gi_alloc((size_t)r.z.s * sizeof *scores + 1);
  if (scores == NULL) return gi_fail_nomem((size_t)r.z.s * sizeof *scores);
  if (gi_type_count(&c->out[1].t) > 0) do
      attend(&r, scores);
    while (next_row(&r));
  gi_free(scores);
  return GLIA_OK;
}

static double row_dot(const gi_buf *a, int64_t i, const gi_buf *b, int64_t k, int64_t n) {
  double v = 0;
  for (int64_t e = 0; e < n; e++) v += gi_get(a, i * n + e) * gi_get(b, k * n + e);
  return v;
}
/* to[at] += by row i of a, n numbers. */
static void add_row(double *to, int64_t at, double by, const gi_buf *a, int64_t i, int64_t n) {
  for (int64_t e = 0; e < n; e++) to[at * n + e] += by * gi_get(a, i * n + e);
}

static void attend_back(const row *r, double *dq, double *dk, double *dv) {
  const gi_buf *in = r->c->in;
  const int64_t i = query_at(r);
  const double log_sum = gi_get(&in[LOG_SUM], i), delta = gi_get(&in[DELTA], i);
  for (int64_t s = 0; s < r->z.s; s++) {
    const int64_t k = key_at(r, s);
    const double p = exp(score(r, s) - log_sum), keep = kept(r, s);
    const double dp = keep * row_dot(&in[DY], i, &in[V], k, r->z.e);
    const double ds = p * (dp - delta) * r->a->scale;
    if (p == 0) continue;
    add_row(dq, i, ds, &in[K], k, r->z.d);
    add_row(dk, k, ds, &in[Q], i, r->z.d);
    add_row(dv, k, p * keep, &in[DY], i, r->z.e);
  }
}

static glia_status ref_grad(gi_ref *c) {
  row r = row_new(c, GRAD_MASK);
  double *sums[3] = {NULL};
  glia_status status = GLIA_OK;
  for (int i = 0; i < 3; i++) {
    const size_t bytes = (size_t)gi_type_count(&c->out[i].t) * sizeof(double);
    sums[i] = gi_alloc(bytes + 1);
    if (sums[i] == NULL) {
      status = gi_fail_nomem(bytes);
      goto out;
    }
  }
  if (gi_type_count(&c->in[LOG_SUM].t) > 0) do
      attend_back(&r, sums[0], sums[1], sums[2]);
    while (next_row(&r));
  for (int i = 0; i < 3; i++)
    for (int64_t e = 0; e < gi_type_count(&c->out[i].t); e++) gi_put(&c->out[i], e, sums[i][e]);
out:
  for (int i = 0; i < 3; i++) gi_free(sums[i]);
  return status;
}

/* Two products forward, five backward, and an exponential an element; causal about half. */
static gi_cost cost_of(const gi_infer *c, double products) {
  gi_cost k = gi_default_cost(c);
  const gi_attention_attr *a = c->attr;
  const sizes z = sizes_of(&c->in[Q], &c->in[K], &c->in[V]);
  const double scores = (double)z.n * (double)z.h * (double)z.t * (double)z.s;
  k.flops = scores * (products * (double)(z.d + z.e) + 20);
  if (a->causal && z.t > 1) k.flops *= 0.5 * (1 + 1 / (double)z.t);
  return k;
}
static gi_cost cost_attention(const gi_infer *c) { return cost_of(c, 2); }
static gi_cost cost_grad(const gi_infer *c) { return cost_of(c, 5); }

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_attention_attr plain = {.scale = 0.5}, causal = {.scale = 0.5, .causal = true},
                               cached = {.scale = 0.4, .causal = true, .offset = 3},
                               blind = {.scale = 0.4, .causal = true, .offset = -2},
                               drops = {.scale = 0.5, .dropout = 0.3, .stream = 9},
                               endless = {.scale = INFINITY},
                               always = {.scale = 1, .dropout = 1};
#define R -1, 1, GLIA_F32
#define L 0.5, 1.5, GLIA_F32
#define B 0, 1, GLIA_BOOL
#define SAME(n, h, g, t, s, d, e) \
  {4, {n, h, t, d}, R}, {4, {n, g, s, d}, R}, { 4, {n, g, s, e}, R }
#define BACK(n, h, g, t, s, d, e) \
  SAME(n, h, g, t, s, d, e), {3, {n, h, t}, L}, {3, {n, h, t}, R}, { 4, {n, h, t, e}, R }
/* clang-format off */
static const gi_sample samples[] = {
    {&plain, 3, {SAME(1, 2, 2, 3, 4, 3, 3)}, GLIA_OK},
    {&causal, 3, {SAME(2, 2, 1, 5, 5, 4, 2)}, GLIA_OK},
    {&cached, 3, {SAME(1, 4, 2, 2, 5, 3, 5)}, GLIA_OK},
    {&cached, 3, {SAME(1, 3, 3, 1, 4, 17, 17)}, GLIA_OK}, /* one query: decoding */
    {&blind, 4, {SAME(1, 2, 2, 4, 3, 2, 2), {1, {3}, B}}, GLIA_OK}, /* rows that see nothing */
    {&plain, 4, {SAME(2, 2, 2, 3, 5, 2, 3), {4, {2, 1, 3, 5}, B}}, GLIA_OK},
    {&plain, 4, {SAME(2, 2, 2, 3, 5, 2, 3), {4, {2, 1, 1, 5}, B}}, GLIA_OK},
    {&plain, 4, {SAME(2, 2, 2, 6, 5, 2, 3), {4, {2, 2, 6, 1}, B}}, GLIA_OK},
    {&causal, 4, {SAME(2, 2, 1, 4, 4, 3, 3), {3, {2, 4, 4}, R}}, GLIA_OK},
    {&plain, 4, {SAME(1, 2, 1, 3, 4, 2, 2), {2, {1, 4}, R}}, GLIA_OK},
    {&drops, 3, {SAME(1, 2, 2, 3, 9, 2, 2)}, GLIA_OK},
    {&drops, 3, {SAME(1, 2, 1, 21, 90, 4, 3)}, GLIA_OK},
    {&causal, 3, {SAME(1, 2, 1, 70, 70, 7, 9)}, GLIA_OK},
    {&plain, 4, {SAME(1, 1, 1, 101, 150, 5, 18), {2, {101, 150}, R}}, GLIA_OK},
    {&plain, 4, {SAME(1, 2, 1, 13, 150, 16, 16), {4, {1, 2, 13, 150}, B}}, GLIA_OK},
    {&plain, 3, {SAME(1, 2, 2, 3, 0, 3, 3)}, GLIA_OK}, /* no keys: zeros */
    {&plain, 3, {SAME(0, 2, 2, 3, 4, 3, 3)}, GLIA_OK},
    {&plain, 3, {SAME(1, 3, 2, 3, 4, 3, 3)}, GLIA_SHAPE},
    {&plain, 3, {{4, {1, 2, 3, 4}, R}, {4, {1, 2, 3, 5}, R}, {4, {1, 2, 3, 5}, R}}, GLIA_SHAPE},
    {&plain, 3, {{4, {1, 2, 3, 4}, R}, {4, {1, 2, 3, 4}, R}, {4, {1, 2, 4, 4}, R}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 3, 4}, R}, {3, {2, 3, 4}, R}, {3, {2, 3, 4}, R}}, GLIA_SHAPE},
    {&plain, 4, {SAME(2, 2, 2, 3, 5, 2, 3), {2, {3, 4}, B}}, GLIA_SHAPE},
    {&plain, 4, {SAME(2, 2, 2, 3, 5, 2, 3), {2, {3, 5}, 0, 2, GLIA_I32}}, GLIA_DTYPE},
    {&plain, 3, {{4, {1, 1, 2, 2}, 0, 3, GLIA_I32}, {4, {1, 1, 2, 2}, 0, 3, GLIA_I32},
                 {4, {1, 1, 2, 2}, 0, 3, GLIA_I32}}, GLIA_DTYPE},
    {&endless, 3, {SAME(1, 1, 1, 2, 2, 2, 2)}, GLIA_INVALID},
    {&always, 3, {SAME(1, 1, 1, 2, 2, 2, 2)}, GLIA_INVALID},
};
static const gi_sample samples_grad[] = {
    {&plain, 6, {BACK(1, 2, 2, 3, 4, 3, 3)}, GLIA_OK},
    {&causal, 6, {BACK(2, 2, 1, 5, 5, 4, 2)}, GLIA_OK},
    {&cached, 6, {BACK(1, 4, 2, 2, 5, 3, 5)}, GLIA_OK},
    {&blind, 7, {BACK(1, 2, 2, 4, 3, 2, 2), {1, {3}, B}}, GLIA_OK},
    {&plain, 7, {BACK(2, 2, 2, 3, 5, 2, 3), {4, {2, 1, 1, 5}, B}}, GLIA_OK},
    {&plain, 7, {BACK(2, 2, 2, 6, 5, 2, 3), {4, {2, 2, 6, 1}, B}}, GLIA_OK},
    {&causal, 7, {BACK(2, 2, 1, 4, 4, 3, 3), {3, {2, 4, 4}, R}}, GLIA_OK},
    {&drops, 6, {BACK(1, 2, 2, 3, 9, 2, 2)}, GLIA_OK},
    {&drops, 6, {BACK(1, 2, 1, 21, 90, 4, 3)}, GLIA_OK},
    {&causal, 6, {BACK(1, 2, 1, 70, 70, 7, 9)}, GLIA_OK},
    {&plain, 7, {BACK(1, 1, 1, 101, 150, 5, 18), {2, {101, 150}, R}}, GLIA_OK},
    {&plain, 6, {BACK(1, 2, 2, 3, 0, 3, 3)}, GLIA_OK},
    {&plain, 6, {BACK(0, 2, 2, 3, 4, 3, 3)}, GLIA_OK},
    {&plain, 6, {SAME(1, 2, 2, 3, 4, 3, 3), {3, {1, 2, 4}, L}, {3, {1, 2, 3}, R},
                 {4, {1, 2, 3, 3}, R}}, GLIA_SHAPE},
    {&plain, 6, {SAME(1, 2, 2, 3, 4, 3, 3), {3, {1, 2, 3}, L}, {3, {1, 2, 3}, R},
                 {4, {1, 2, 3, 2}, R}}, GLIA_SHAPE},
};
/* clang-format on */
#undef R
#undef L
#undef B
#undef SAME
#undef BACK

static const gi_attr fields[] = {
    {"scale", GI_ATTR_F64, offsetof(gi_attention_attr, scale),
     "of the scores; usually 1 / sqrt(D)"},
    {"causal", GI_ATTR_BOOL, offsetof(gi_attention_attr, causal),
     "row t sees the keys 0 .. t + offset"},
    {"offset", GI_ATTR_I64, offsetof(gi_attention_attr, offset),
     "causal: keys before the first row"},
    {"dropout", GI_ATTR_F64, offsetof(gi_attention_attr, dropout),
     "probability that a weight falls away"},
    {"stream", GI_ATTR_U64, offsetof(gi_attention_attr, stream), "which random numbers"},
    {NULL, GI_ATTR_F64, 0, NULL},
};

const gi_op gi_op_attention = {
    .name = "attention",
    .doc = "scaled dot-product attention: values weighted by softmax of queries times keys",
    .paper = "arXiv:1706.03762",
    .min_in = 3,
    .max_in = 4,
    .n_out = 2,
    .flags = GI_RANDOM,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << MASK,
    .attr_size = sizeof(gi_attention_attr),
    .attrs = fields,
    .infer = infer_attention,
    .vjp = vjp_attention,
    .ref = ref_attention,
    .cost = cost_attention,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_attention_grad = {
    .name = "attention_grad",
    .doc = "gradients of attention: dq, dk, dv",
    .paper = "arXiv:2205.14135",
    .min_in = 6,
    .max_in = 7,
    .n_out = 3,
    .flags = GI_RANDOM,
    .precision = GI_TAKES_ANY,
    .f32_in = 1 << LOG_SUM | 1 << DELTA | 1 << GRAD_MASK,
    .attr_size = sizeof(gi_attention_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost_grad,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_attention[] = {&gi_op_attention, &gi_op_attention_grad, NULL};

/* ---- builder ------------------------------------------------------------------------- */

glia_value glia_attention_opt(glia_value q, glia_value k, glia_value v,
                              const glia_attention_opts *opt) {
  glia_attention_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(q)) return q;
  const int64_t depth = glia_value_dim(q, -1);
  const gi_attention_attr a = {
      .scale = o.scale != 0 ? o.scale : 1 / sqrt((double)GI_MAX(depth, 1)),
      .causal = o.causal,
      .offset = o.causal ? o.offset : 0,
      .dropout = o.dropout,
      .stream = o.dropout > 0 ? o.stream : 0};
  const glia_value in[] = {q, k, v, o.mask};
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  gi_emit(q.graph, &gi_op_attention, &a, in, gi_null(o.mask) ? 3 : 4, out);
  if (o.log_sum != NULL) *o.log_sum = out[1];
  return out[0];
}
