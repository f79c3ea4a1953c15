/* layer.c - loops of layer normalisation. What does not fill a vector is computed in one that
 * is filled up with zeros.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/element.h"

#define INLINE static inline __attribute__((always_inline))

enum { WIDE = 4 }; /* vectors side by side, so that additions need not wait for one another */

/* Asks for what lies n elements behind p: the same place of the next row. */
INLINE void ask(const element *p, int64_t n) { __builtin_prefetch(p + n, 0, 3); }

INLINE vec square_from(vec a, vec centre, vec sum) {
  return multiply_add(a - centre, a - centre, sum);
}

static void moments(const gi_layer *l, bool centred, float *mean, float *variance) {
  const element *x = l->x;
  const int64_t n = l->n, most = n - n % (WIDE * GI_LANES), whole = n - n % GI_LANES;
  const float share = 1 / (float)n;
  vec sum[WIDE] = {splat(0), splat(0), splat(0), splat(0)};
  vec squares[WIDE] = {splat(0), splat(0), splat(0), splat(0)};
  float rest = 0;
  *mean = 0;
  if (centred) {
    for (int64_t i = 0; i < most; i += WIDE * GI_LANES)
      for (int k = 0; k < WIDE; k++) sum[k] += get(x + i + k * GI_LANES);
    for (int64_t i = most; i < n; i += GI_LANES) sum[0] += get_most(x + i, n - i);
    *mean = lanes_sum((sum[0] + sum[2]) + (sum[1] + sum[3])) * share;
  }
  const vec centre = splat(*mean);
  for (int64_t i = 0; i < most; i += WIDE * GI_LANES)
    for (int k = 0; k < WIDE; k++)
      squares[k] = square_from(get(x + i + k * GI_LANES), centre, squares[k]);
  for (int64_t i = most; i < whole; i += GI_LANES)
    squares[0] = square_from(get(x + i), centre, squares[0]);
  for (int64_t i = whole; i < n; i++) {
    const float d = get_one(x + i) - *mean;
    rest += d * d;
  }
  const float all = lanes_sum((squares[0] + squares[2]) + (squares[1] + squares[3]));
  *variance = (all + rest) * share;
}

/* Elements i .. i + m - 1 of a row as h. */
INLINE vec normal(const gi_layer *l, int64_t i, int64_t m) {
  return (get_most((const element *)l->x + i, m) - splat(l->mean)) * splat(l->scale);
}

INLINE void write_part(const gi_layer *l, int64_t i, int64_t m) {
  const vec b = l->beta == NULL ? splat(0) : load_most(l->beta + i, m);
  put_most((element *)l->y + i, multiply_add(normal(l, i, m), load_most(l->gamma + i, m), b),
           m);
}

static void write(const gi_layer *l) {
  int64_t i = 0;
  for (; i + GI_LANES <= l->n; i += GI_LANES) {
    ask((const element *)l->x + i, l->n);
    write_part(l, i, GI_LANES);
  }
  if (i < l->n) write_part(l, i, l->n - i);
}

INLINE void sums_part(const gi_layer *l, int64_t i, int64_t m, vec *s, vec *t) {
  const vec dy = get_most((const element *)l->dy + i, m), h = normal(l, i, m);
  const vec g = dy * load_most(l->gamma + i, m);
  *s += g;
  *t = multiply_add(g, h, *t);
  store_most(l->dgamma + i, multiply_add(dy, h, load_most(l->dgamma + i, m)), m);
  store_most(l->dbeta + i, dy + load_most(l->dbeta + i, m), m);
}

/* Two vectors side by side, so that additions need not wait for one another. */
static void sums(const gi_layer *l, float *s, float *t) {
  vec a[2] = {splat(0), splat(0)}, b[2] = {splat(0), splat(0)};
  int64_t i = 0;
  for (; i + 2 * GI_LANES <= l->n; i += 2 * GI_LANES) {
    sums_part(l, i, GI_LANES, &a[0], &b[0]);
    sums_part(l, i + GI_LANES, GI_LANES, &a[1], &b[1]);
  }
  for (; i < l->n; i += GI_LANES)
    sums_part(l, i, l->n - i < GI_LANES ? l->n - i : GI_LANES, &a[0], &b[0]);
  *s = lanes_sum(a[0] + a[1]);
  *t = lanes_sum(b[0] + b[1]);
}

INLINE void grad_part(const gi_layer *l, int64_t i, int64_t m) {
  const vec g = get_most((const element *)l->dy + i, m) * load_most(l->gamma + i, m);
  const vec rest = multiply_add(normal(l, i, m), splat(-l->slope), g - splat(l->level));
  put_most((element *)l->y + i, rest * splat(l->scale), m);
}

static void grad(const gi_layer *l) {
  int64_t i = 0;
  for (; i + GI_LANES <= l->n; i += GI_LANES) {
    ask((const element *)l->x + i, l->n);
    ask((const element *)l->dy + i, l->n);
    grad_part(l, i, GI_LANES);
  }
  if (i < l->n) grad_part(l, i, l->n - i);
}

const gi_layer_loops GI_ELEMENT(gi_layer_loops) = {
    .moments = moments, .write = write, .sums = sums, .grad = grad};
