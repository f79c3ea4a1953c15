/* layer.c - loops of layer normalisation. What does not fill a vector is computed in one that
 * is filled up with zeros.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/element.h"

#define INLINE static inline __attribute__((always_inline))

INLINE float lanes_sum(vec v) {
  float lane[GI_LANES];
  store(lane, v);
  for (int half = GI_LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  return lane[0];
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
  for (; i + GI_LANES <= l->n; i += GI_LANES) write_part(l, i, GI_LANES);
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
  for (; i + GI_LANES <= l->n; i += GI_LANES) grad_part(l, i, GI_LANES);
  if (i < l->n) grad_part(l, i, l->n - i);
}

const gi_layer_loops GI_ELEMENT(gi_layer_loops) = {.write = write, .sums = sums, .grad = grad};
