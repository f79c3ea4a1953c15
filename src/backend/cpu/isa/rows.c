/* rows.c - loops of softmax and batch normalisation. What does not fill a vector is computed in
 * one that is filled up with harmless numbers.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

static inline vec load_part(const float *p, int64_t n, float rest) {
  vec v = splat(rest);
  memcpy(&v, p, (size_t)n * sizeof *p);
  return v;
}
static inline void store_part(float *p, vec v, int64_t n) {
  memcpy(p, &v, (size_t)n * sizeof *p);
}

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
  const vec by = splat(1 / s), off = m + vector_log(splat(s));
  for (int64_t i = 0; i < whole; i += GI_LANES)
    store(y + i, logarithm ? load(x + i) - off : load(y + i) * by);
  if (rest > 0)
    store_part(
        y + whole,
        logarithm ? load_part(x + whole, rest, 0) - off : load_part(y + whole, rest, 0) * by,
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
  const vec by = splat(1) / sum, off = top + vector_log(sum);
  for (int64_t i = 0; i < n; i++) {
    if (logarithm)
      STORE(y + i * step, LOAD(x + i * step) - off);
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

/* ---- scaled and shifted ----------------------------------------------------------------- */

static void affine(const float *x, int64_t n, float a, float b, float *y) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES)
    store(y + i, multiply_add(load(x + i), splat(a), splat(b)));
  if (i < n)
    store_part(y + i, multiply_add(load_part(x + i, n - i, 0), splat(a), splat(b)), n - i);
}

static void affine_columns(const float *x, int64_t rows, int64_t n, const float *a,
                           const float *b, float *y) {
  for (int64_t r = 0; r < rows; r++, x += n, y += n) {
    int64_t i = 0;
    for (; i + GI_LANES <= n; i += GI_LANES)
      store(y + i, multiply_add(load(x + i), load(a + i), load(b + i)));
    if (i < n) {
      const int64_t m = n - i;
      store_part(
          y + i,
          multiply_add(load_part(x + i, m, 0), load_part(a + i, m, 0), load_part(b + i, m, 0)),
          m);
    }
  }
}

static void blend(const float *x, const float *y, int64_t n, float a, float b, float c,
                  float *z) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES)
    store(z + i,
          multiply_add(load(x + i), splat(a), multiply_add(load(y + i), splat(b), splat(c))));
  if (i < n)
    store_part(z + i,
               multiply_add(load_part(x + i, n - i, 0), splat(a),
                            multiply_add(load_part(y + i, n - i, 0), splat(b), splat(c))),
               n - i);
}

static void blend_columns(const float *x, const float *y, int64_t rows, int64_t n,
                          const float *a, const float *b, const float *c, float *z) {
  for (int64_t r = 0; r < rows; r++, x += n, y += n, z += n) {
    int64_t i = 0;
    for (; i + GI_LANES <= n; i += GI_LANES)
      store(z + i, multiply_add(load(x + i), load(a + i),
                                multiply_add(load(y + i), load(b + i), load(c + i))));
    if (i < n) {
      const int64_t m = n - i;
      const vec inner =
          multiply_add(load_part(y + i, m, 0), load_part(b + i, m, 0), load_part(c + i, m, 0));
      store_part(z + i, multiply_add(load_part(x + i, m, 0), load_part(a + i, m, 0), inner), m);
    }
  }
}

/* ---- sums of two ------------------------------------------------------------------------ */

static void moments(const float *x, const float *y, int64_t rows, int64_t row_step, int64_t n,
                    float centre, float *sums) {
  const vec c = splat(centre);
  vec s0 = splat(0), t0 = splat(0), s1 = splat(0), t1 = splat(0);
  for (int64_t r = 0; r < rows; r++, x += row_step, y += row_step) {
    int64_t i = 0;
    for (; i + 2 * GI_LANES <= n; i += 2 * GI_LANES) {
      const vec a = load(y + i), b = load(y + i + GI_LANES);
      s0 += a;
      s1 += b;
      t0 = multiply_add(a, load(x + i) - c, t0);
      t1 = multiply_add(b, load(x + i + GI_LANES) - c, t1);
    }
    for (; i < n; i += GI_LANES) {
      const int64_t m = n - i < GI_LANES ? n - i : GI_LANES;
      const vec a = load_part(y + i, m, 0);
      s0 += a;
      t0 = multiply_add(a, load_part(x + i, m, 0) - c, t0);
    }
  }
  sums[0] = lanes_sum(s0 + s1);
  sums[1] = lanes_sum(t0 + t1);
}

static inline __attribute__((always_inline)) void moments_vectors(const float *x,
                                                                  const float *y, int64_t rows,
                                                                  int64_t n,
                                                                  const float *centre, int wide,
                                                                  int64_t width, float *sums) {
  enum { MOST = 4 };
  vec s[MOST], t[MOST], c[MOST];
#define LOAD(p)     (width == GI_LANES ? load(p) : load_part(p, width, 0))
#define STORE(p, v) (width == GI_LANES ? store(p, v) : store_part(p, v, width))
  for (int v = 0; v < wide; v++) {
    s[v] = t[v] = splat(0);
    c[v] = LOAD(centre + v * GI_LANES);
  }
  for (int64_t r = 0; r < rows; r++, x += n, y += n)
    for (int v = 0; v < wide; v++) {
      const vec a = LOAD(y + v * GI_LANES);
      s[v] += a;
      t[v] = multiply_add(a, LOAD(x + v * GI_LANES) - c[v], t[v]);
    }
  for (int v = 0; v < wide; v++) {
    STORE(sums + v * GI_LANES, s[v]);
    STORE(sums + n + v * GI_LANES, t[v]);
  }
#undef LOAD
#undef STORE
}

static void moments_columns(const float *x, const float *y, int64_t rows, int64_t n,
                            const float *centre, float *sums) {
  int64_t j = 0;
  for (; j + 4 * GI_LANES <= n; j += 4 * GI_LANES)
    moments_vectors(x + j, y + j, rows, n, centre + j, 4, GI_LANES, sums + j);
  for (; j + GI_LANES <= n; j += GI_LANES)
    moments_vectors(x + j, y + j, rows, n, centre + j, 1, GI_LANES, sums + j);
  if (j < n) moments_vectors(x + j, y + j, rows, n, centre + j, 1, n - j, sums + j);
}

const gi_row_loops GI_ISA(gi_row_loops) = {
    .softmax = softmax,
    .softmax_columns = softmax_columns,
    .affine = affine,
    .affine_columns = affine_columns,
    .blend = blend,
    .blend_columns = blend_columns,
    .moments = moments,
    .moments_columns = moments_columns,
};
