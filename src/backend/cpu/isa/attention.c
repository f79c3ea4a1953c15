/* attention.c - loops over rows of attention scores. What does not fill a vector is computed in
 * one that is filled up with keys that are not seen, or with zeros.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- scores ------------------------------------------------------------------------------ */

/* The m <= GI_LANES scores from i on; -infinity where a key is not seen and behind them. */
INLINE vec scores_at(const gi_scores *r, int64_t i, int64_t m) {
  const vec never = splat(-INFINITY);
  vec v = load(r->s + i) * splat(r->scale);
  if (r->bias != NULL) v += load_most(r->bias + i, m);
  if (r->seen != NULL) {
    uint8_t part[GI_LANES] = {0};
    if (m < GI_LANES) memcpy(part, r->seen + i, (size_t)m);
    v = choose(load_u8(m < GI_LANES ? part : r->seen + i) != 0, v, never);
  }
  if (m < GI_LANES) {
    float part[GI_LANES];
    store(part, v);
    v = load_part(part, m, -INFINITY);
  }
  return v;
}

/* The last of the rows' vectors; none: 0. */
INLINE int64_t at_most(int64_t n) { return n < GI_LANES ? n : GI_LANES; }

static float soften(const gi_scores *r, gi_running *w) {
  vec top = splat(w->top), sum = splat(0);
  for (int64_t i = 0; i < r->n; i += GI_LANES) {
    const vec v = scores_at(r, i, at_most(r->n - i));
    store(r->s + i, v);
    top = larger(top, v);
  }
  const float before = w->top, m = lanes_max(top);
  w->top = m;
  if (m == -INFINITY) { /* nothing is seen as yet: e^(-infinity + infinity) is no number */
    for (int64_t i = 0; i < r->n; i += GI_LANES) store(r->s + i, splat(0));
    return 1;
  }
  for (int64_t i = 0; i < r->n; i += 2 * GI_LANES) {
    const bool both = i + GI_LANES < r->n;
    vec e[2] = {load(r->s + i) - splat(m),
                both ? load(r->s + i + GI_LANES) - splat(m) : splat(-INFINITY)};
    exp_normal_of_two(e);
    sum += e[0] + e[1];
    store(r->s + i, e[0]);
    if (both) store(r->s + i + GI_LANES, e[1]);
  }
  const float factor = before == m ? 1 : vector_exp_normal(splat(before - m))[0];
  w->sum = w->sum * factor + lanes_sum(sum);
  return factor;
}

static void again(const gi_scores *r, float l) {
  for (int64_t i = 0; i < r->n; i += 2 * GI_LANES) {
    const int64_t next = i + GI_LANES;
    vec p[2] = {scores_at(r, i, at_most(r->n - i)) - splat(l), splat(-INFINITY)};
    if (next < r->n) p[1] = scores_at(r, next, at_most(r->n - next)) - splat(l);
    exp_normal_of_two(p);
    store(r->s + i, p[0]);
    if (next < r->n) store(r->s + next, p[1]);
  }
}

/* ---- elements ---------------------------------------------------------------------------- */

static void slopes(const float *p, int64_t n, float delta, float scale, float *dp) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES)
    store(dp + i, load(p + i) * (load(dp + i) - splat(delta)) * splat(scale));
  for (; i < n; i++) dp[i] = p[i] * (dp[i] - delta) * scale;
}

static void scaled(const float *x, const float *mask, int64_t n, float by, float *y) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES) {
    const vec v = load(x + i) * splat(by);
    store(y + i, mask == NULL ? v : (vec)((ivec)v & (ivec)load(mask + i)));
  }
  for (; i < n; i++) {
    int32_t bits = -1;
    if (mask != NULL) memcpy(&bits, mask + i, sizeof bits);
    y[i] = bits != 0 ? x[i] * by : 0;
  }
}

/* ---- a few rows -------------------------------------------------------------------------- */

static void dots(const float *q, const float *k, int64_t n, int64_t depth, float *s) {
  for (int64_t j = 0; j < n; j++, k += depth) {
    vec a = splat(0), b = splat(0);
    int64_t d = 0;
    for (; d + 2 * GI_LANES <= depth; d += 2 * GI_LANES) {
      a = multiply_add(load(q + d), load(k + d), a);
      b = multiply_add(load(q + d + GI_LANES), load(k + d + GI_LANES), b);
    }
    for (; d < depth; d += GI_LANES)
      a = multiply_add(load_most(q + d, depth - d), load_most(k + d, depth - d), a);
    s[j] = lanes_sum(a + b);
  }
}

static void add_rows(const float *p, const float *v, int64_t n, int64_t width, float *y) {
  int64_t e = 0;
  for (; e + 2 * GI_LANES <= width; e += 2 * GI_LANES) {
    vec a = load(y + e), b = load(y + e + GI_LANES);
    for (int64_t j = 0; j < n; j++) {
      const vec by = splat(p[j]);
      a = multiply_add(by, load(v + j * width + e), a);
      b = multiply_add(by, load(v + j * width + e + GI_LANES), b);
    }
    store(y + e, a);
    store(y + e + GI_LANES, b);
  }
  for (; e < width; e += GI_LANES) {
    vec a = load_most(y + e, width - e);
    for (int64_t j = 0; j < n; j++)
      a = multiply_add(splat(p[j]), load_most(v + j * width + e, width - e), a);
    store_most(y + e, a, width - e);
  }
}

const gi_attention_loops GI_ISA(gi_attention_loops) = {
    .soften = soften,
    .again = again,
    .slopes = slopes,
    .scaled = scaled,
    .dots = dots,
    .add_rows = add_rows,
};
