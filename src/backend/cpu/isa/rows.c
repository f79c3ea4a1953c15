/* rows.c - loops of softmax and cross entropy. What does not fill a vector is computed in one
 * that is filled up with harmless numbers.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

static inline float lanes_max(vec v) {
  float m = v[0];
  for (int i = 1; i < GI_LANES; i++) m = m > v[i] || m != m ? m : v[i];
  return m;
}
static inline float lanes_sum(vec v) {
  float lane[GI_LANES];
  store(lane, v);
  for (int half = GI_LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  return lane[0];
}

/* ---- softmax ---------------------------------------------------------------------------- */

static void softmax(const float *x, int64_t n, bool logarithm, float *y) {
  const int64_t whole = n - n % GI_LANES, rest = n - whole;
  vec top = splat(-INFINITY), sum = splat(0);
  for (int64_t i = 0; i < whole; i += GI_LANES) top = larger(top, load(x + i));
  if (rest > 0) top = larger(top, load_part(x + whole, rest, -INFINITY));
  const vec m = splat(lanes_max(top));
  for (int64_t i = 0; i < whole; i += GI_LANES) {
    const vec e = vector_exp(load(x + i) - m);
    if (!logarithm) store(y + i, e);
    sum += e;
  }
  if (rest > 0) {
    const vec e = vector_exp(load_part(x + whole, rest, -INFINITY) - m);
    if (!logarithm) store_part(y + whole, e, rest);
    sum += e;
  }
  const float s = lanes_sum(sum);
  const vec by = splat(1 / s), off = vector_log(splat(s)); /* m + off would round off */
  for (int64_t i = 0; i < whole; i += GI_LANES)
    store(y + i, logarithm ? load(x + i) - m - off : load(y + i) * by);
  if (rest > 0)
    store_part(y + whole,
               logarithm ? load_part(x + whole, rest, 0) - m - off
                         : load_part(y + whole, rest, 0) * by,
               rest);
}

/* At most one vector of columns. */
static inline __attribute__((always_inline)) void softmax_vector(const float *x, int64_t n,
                                                                 int64_t step, int64_t width,
                                                                 bool logarithm, float *y) {
#define LOAD(p)     (width == GI_LANES ? load(p) : load_part(p, width, 0))
#define STORE(p, v) (width == GI_LANES ? store(p, v) : store_part(p, v, width))
  vec top = splat(-INFINITY), sum = splat(0);
  for (int64_t i = 0; i < n; i++) top = larger(top, LOAD(x + i * step));
  for (int64_t i = 0; i < n; i++) {
    const vec e = vector_exp(LOAD(x + i * step) - top);
    if (!logarithm) STORE(y + i * step, e);
    sum += e;
  }
  const vec by = splat(1) / sum, off = vector_log(sum);
  for (int64_t i = 0; i < n; i++) {
    if (logarithm)
      STORE(y + i * step, LOAD(x + i * step) - top - off);
    else
      STORE(y + i * step, LOAD(y + i * step) * by);
  }
#undef LOAD
#undef STORE
}

static void softmax_columns(const float *x, int64_t n, int64_t step, int64_t width,
                            bool logarithm, float *y) {
  int64_t j = 0;
  for (; j + GI_LANES <= width; j += GI_LANES)
    softmax_vector(x + j, n, step, GI_LANES, logarithm, y + j);
  if (j < width) softmax_vector(x + j, n, step, width - j, logarithm, y + j);
}

/* ---- cross entropy ---------------------------------------------------------------------- */

static float log_sum_exp(const float *x, int64_t n, float *most) {
  const int64_t whole = n - n % GI_LANES, rest = n - whole;
  vec top = splat(-INFINITY), sum = splat(0);
  for (int64_t i = 0; i < whole; i += GI_LANES) top = larger(top, load(x + i));
  if (rest > 0) top = larger(top, load_part(x + whole, rest, -INFINITY));
  const float m = lanes_max(top);
  for (int64_t i = 0; i < whole; i += GI_LANES) sum += vector_exp(load(x + i) - splat(m));
  if (rest > 0) sum += vector_exp(load_part(x + whole, rest, -INFINITY) - splat(m));
  *most = m;
  return vector_log(splat(lanes_sum(sum)))[0];
}

static void scaled_exp(const float *x, int64_t n, float l, float scale, float *y) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES)
    store(y + i, vector_exp(load(x + i) - splat(l)) * splat(scale));
  if (i < n)
    store_part(y + i, vector_exp(load_part(x + i, n - i, 0) - splat(l)) * splat(scale), n - i);
}

const gi_row_loops GI_ISA(gi_row_loops) = {
    .softmax = softmax,
    .softmax_columns = softmax_columns,
    .log_sum_exp = log_sum_exp,
    .scaled_exp = scaled_exp,
};
