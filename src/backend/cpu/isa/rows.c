/* rows.c - loops of softmax and cross entropy.
 *
 * The largest of a row is looked for without minding NaN: its exponential is NaN, and so is the
 * sum, which every result is divided by. What is left behind the last whole vector is taken as
 * part of the last vector that ends with the row; rows that fill none are filled up with
 * numbers whose exponentials are 0.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  LINE = 64,   /* bytes of a cache line */
  WIDE = 4,    /* vectors side by side, so that they need not wait for one another */
  PIECE = 2048 /* elements of a long row that are read twice: they stay in the first cache */
};

/* The larger one, or b where a is NaN. */
INLINE vec larger_number(vec a, vec b) { return not_below(a, b); }

static inline float lanes_largest(vec v) {
  GI_FOLD_LANES(v, larger_number);
  return v[0];
}

/* The largest of n elements that is no NaN. */
static float largest(const float *x, int64_t n) {
  const vec none = splat(-INFINITY);
  vec top[WIDE] = {none, none, none, none};
  int64_t i = 0;
  if (n < GI_LANES) return lanes_largest(larger_number(load_part(x, n, -INFINITY), none));
  for (; i + WIDE * GI_LANES <= n; i += WIDE * GI_LANES)
    for (int k = 0; k < WIDE; k++) top[k] = larger_number(load(x + i + k * GI_LANES), top[k]);
  for (; i + GI_LANES <= n; i += GI_LANES) top[0] = larger_number(load(x + i), top[0]);
  top[1] = larger_number(load(x + n - GI_LANES), top[1]);
  return lanes_largest(
      larger_number(larger_number(top[0], top[1]), larger_number(top[2], top[3])));
}

/* The last `rest` lanes of v; 0 before them. */
INLINE vec last_lanes(vec v, int64_t rest) {
  static const int32_t ends[2 * GI_LANES] = {[GI_LANES... 2 * GI_LANES - 1] = -1};
  return (vec)(load_i32(ends + rest) & (ivec)v);
}

/* y = e^(x - m), if there is a y; returns the sum. Meanwhile what lies n elements further on is
 * asked for: the next row, or piece of one. */
INLINE float exponentials(const float *x, int64_t n, float m, float *y) {
  const vec off = splat(m);
  const int64_t rest = n % GI_LANES;
  vec sum[2] = {splat(0), splat(0)}, last = splat(0);
  int64_t i = 0;
  if (n < GI_LANES) {
    last = vector_exp_normal(load_part(x, n, -INFINITY) - off);
    if (y != NULL) store_part(y, last, n);
    return lanes_sum(last);
  }
  if (rest > 0) last = vector_exp_normal(load(x + n - GI_LANES) - off); /* y may be x */
  for (; i + 2 * GI_LANES <= n; i += 2 * GI_LANES) {
    vec e[2] = {load(x + i) - off, load(x + i + GI_LANES) - off};
    for (int k = 0; k < 2 * GI_ISA_BYTES; k += LINE)
      __builtin_prefetch((const char *)(x + i + n) + k);
    exp_normal_of_two(e);
    for (int k = 0; k < 2; k++) {
      if (y != NULL) store(y + i + k * GI_LANES, e[k]);
      sum[k] += e[k];
    }
  }
  for (; i + GI_LANES <= n; i += GI_LANES) {
    const vec e = vector_exp_normal(load(x + i) - off);
    if (y != NULL) store(y + i, e);
    sum[0] += e;
  }
  if (rest > 0) {
    if (y != NULL) store(y + n - GI_LANES, last);
    sum[1] += last_lanes(last, rest);
  }
  return lanes_sum(sum[0] + sum[1]);
}

/* ---- softmax ---------------------------------------------------------------------------- */

/* y = (x - from) a - off */
INLINE void straight(const float *x, int64_t n, float from, float a, float off, float *y) {
  const vec m = splat(from), by = splat(a), less = splat(-off);
  int64_t i = 0;
  if (n < GI_LANES) {
    store_part(y, multiply_add(load_part(x, n, 0) - m, by, less), n);
    return;
  }
  const vec last = multiply_add(load(x + n - GI_LANES) - m, by, less); /* y may be x */
  for (; i + GI_LANES <= n; i += GI_LANES)
    store(y + i, multiply_add(load(x + i) - m, by, less));
  if (i < n) store(y + n - GI_LANES, last);
}

static void softmax(const float *x, int64_t n, bool logarithm, float *y) {
  const float m = largest(x, n), sum = exponentials(x, n, m, logarithm ? NULL : y);
  if (logarithm)
    straight(x, n, m, 1, vector_log(splat(sum))[0], y); /* m + log would round off */
  else
    straight(y, n, 0, 1 / sum, 0, y);
}

/* At most one vector of columns. */
INLINE void softmax_vector(const float *x, int64_t n, int64_t step, int64_t width,
                           bool logarithm, float *y) {
#define LOAD(p)     (width == GI_LANES ? load(p) : load_part(p, width, 0))
#define STORE(p, v) (width == GI_LANES ? store(p, v) : store_part(p, v, width))
  vec top = splat(-INFINITY), sum = splat(0);
  for (int64_t i = 0; i < n; i++) top = larger_number(LOAD(x + i * step), top);
  for (int64_t i = 0; i < n; i++) {
    const vec e = vector_exp_normal(LOAD(x + i * step) - top);
    if (!logarithm) STORE(y + i * step, e);
    sum += e;
  }
  if (logarithm) {
    const vec off = vector_log(sum);
    for (int64_t i = 0; i < n; i++) STORE(y + i * step, LOAD(x + i * step) - top - off);
  } else {
    const vec by = splat(1) / sum;
    for (int64_t i = 0; i < n; i++) STORE(y + i * step, LOAD(y + i * step) * by);
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

/* A row is taken piece by piece: what is summed so far is scaled down when a larger one comes.
 * Returns the logarithm of the sum of e^(x - most). */
static float log_sum_exp(const float *x, int64_t n, float *most) {
  float top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; i += PIECE) {
    const int64_t m = n - i < PIECE ? n - i : PIECE;
    const float now = largest(x + i, m);
    if (now > top) {
      sum *= vector_exp_normal(splat(top - now))[0];
      top = now;
    }
    sum += exponentials(x + i, m, top == -INFINITY ? 0 : top, NULL);
  }
  *most = top;
  return top == -INFINITY ? NAN : vector_log(splat(sum))[0];
}

static void scaled_exp(const float *x, int64_t n, float l, float scale, float *y) {
  const vec off = splat(l), by = splat(scale);
  int64_t i = 0;
  for (; i + 2 * GI_LANES <= n; i += 2 * GI_LANES) {
    vec e[2] = {load(x + i) - off, load(x + i + GI_LANES) - off};
    exp_normal_of_two(e);
    for (int k = 0; k < 2; k++) store(y + i + k * GI_LANES, e[k] * by);
  }
  for (; i < n; i += GI_LANES)
    store_most(y + i, vector_exp_normal(load_most(x + i, n - i) - off) * by, n - i);
}

const gi_row_loops GI_ISA(gi_row_loops) = {
    .softmax = softmax,
    .softmax_columns = softmax_columns,
    .log_sum_exp = log_sum_exp,
    .scaled_exp = scaled_exp,
};
