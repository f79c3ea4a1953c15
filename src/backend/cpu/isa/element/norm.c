/* norm.c - loops of batch normalisation, with and without relu behind it.
 *
 * Each loop is written once, for one vector, with what differs (relu, something added, bits) as
 * flags that are constants where it is called. What does not fill a vector is computed in one
 * that is filled up with zeros.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/element.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- bits ------------------------------------------------------------------------------- */

/* One bit for each lane. */
INLINE uint32_t bits_of(ivec m) {
#if defined(__AVX512DQ__)
  return _mm512_movepi32_mask((__m512i)m);
#elif defined(__AVX2__)
  return (uint32_t)_mm256_movemask_ps((__m256)m);
#elif defined(__SSE2__)
  return (uint32_t)_mm_movemask_ps((__m128)m);
#else
  uint32_t bits = 0;
  for (int i = 0; i < GI_LANES; i++) bits |= (uint32_t)(m[i] != 0) << i;
  return bits;
#endif
}

INLINE ivec lanes_of(uint32_t bits) {
  ivec power = {0};
  for (int i = 0; i < GI_LANES; i++) power[i] = 1 << i;
  return (splat_i32((int32_t)bits) & power) != 0;
}

/* The bits of the vector of channels that begins with channel c, of which n are there. */
INLINE void put_bits(uint8_t *to, int64_t c, int64_t n, uint32_t bits) {
#if GI_LANES == 4
  to[c / 8] = (uint8_t)(c % 8 == 0 ? bits : to[c / 8] | bits << 4);
  (void)n;
#elif GI_LANES == 8
  to[c / 8] = (uint8_t)bits;
  (void)n;
#else
  to[c / 8] = (uint8_t)bits;
  if (n > 8) to[c / 8 + 1] = (uint8_t)(bits >> 8);
#endif
}
INLINE uint32_t get_bits(const uint8_t *from, int64_t c, int64_t n) {
#if GI_LANES <= 8
  (void)n;
  return (uint32_t)from[c / 8] >> c % 8;
#else
  return from[c / 8] | (n > 8 ? (uint32_t)from[c / 8 + 1] << 8 : 0);
#endif
}

/* The same along a run, where an element has a byte; n of them. */
INLINE ivec load_bytes(const uint8_t *p, int64_t n) {
  uint8_t part[GI_LANES] = {0};
  if (n >= GI_LANES) return load_u8(p);
  memcpy(part, p, (size_t)n);
  return load_u8(part);
}
INLINE void store_bytes(uint8_t *p, ivec v, int64_t n) {
  uint8_t part[GI_LANES];
  store_u8(n >= GI_LANES ? p : part, v);
  if (n < GI_LANES) memcpy(p, part, (size_t)n);
}

/* ---- forward ---------------------------------------------------------------------------- */

INLINE vec forward(vec x, vec a, vec b, const element *z, int64_t m, bool adds, bool relu) {
  vec v = multiply_add(x, a, b);
  if (adds) v += get_most(z, m);
  return relu ? at_least_zero(v) : v;
}

INLINE void write_place(const gi_norm *g, int64_t row, bool adds, bool relu) {
  const int64_t at = row * g->row_step;
  const element *x = (const element *)g->x + at, *z = adds ? (const element *)g->z + at : NULL;
  element *y = (element *)g->y + at;
  int64_t i = 0;
  for (; i + GI_LANES <= g->n; i += GI_LANES) {
    const vec v = forward(get(x + i), load(g->a + i), load(g->b + i), adds ? z + i : NULL,
                          GI_LANES, adds, relu);
    put(y + i, v);
    if (adds && relu)
      put_bits(g->to_bits + row * g->bits_step, i, GI_LANES, bits_of(v > splat(0)));
  }
  if (i == g->n) return;
  const int64_t m = g->n - i;
  const vec v = forward(get_most(x + i, m), load_most(g->a + i, m), load_most(g->b + i, m),
                        adds ? z + i : NULL, m, adds, relu);
  put_most(y + i, v, m);
  if (adds && relu) put_bits(g->to_bits + row * g->bits_step, i, m, bits_of(v > splat(0)));
}

static void write_columns(const gi_norm *g) {
  for (int64_t r = 0; r < g->rows; r++)
    if (g->z != NULL)
      write_place(g, r, true, true);
    else if (g->relu)
      write_place(g, r, false, true);
    else
      write_place(g, r, false, false);
}

INLINE void write_line(const gi_norm *g, int64_t row, bool adds, bool relu) {
  const int64_t at = row * g->row_step;
  const element *x = (const element *)g->x + at, *z = adds ? (const element *)g->z + at : NULL;
  element *y = (element *)g->y + at;
  uint8_t *bits = adds ? g->to_bits + row * g->bits_step : NULL;
  const vec a = splat(g->a[0]), b = splat(g->b[0]);
  for (int64_t i = 0; i < g->n; i += GI_LANES) {
    const int64_t m = g->n - i < GI_LANES ? g->n - i : GI_LANES;
    const vec v = forward(get_most(x + i, m), a, b, adds ? z + i : NULL, m, adds, relu);
    put_most(y + i, v, m);
    if (!adds || !relu) continue;
    const ivec own = (v > splat(0)) & splat_i32(1 << g->shift);
    store_bytes(bits + i, g->shift == 0 ? own : load_bytes(bits + i, m) | own, m);
  }
}

static void write_run(const gi_norm *g) {
  for (int64_t r = 0; r < g->rows; r++)
    if (g->z != NULL)
      write_line(g, r, true, true);
    else if (g->relu)
      write_line(g, r, false, true);
    else
      write_line(g, r, false, false);
}

/* ---- backward --------------------------------------------------------------------------- */

/* How it is known which dy count. */
enum mask { ALL, FROM_X, FROM_BITS };

INLINE vec masked(vec dy, vec x, vec a, vec b, ivec bits, enum mask mask) {
  if (mask == FROM_X) return (vec)((multiply_add(x, a, b) > splat(0)) & (ivec)dy);
  return mask == FROM_BITS ? (vec)(bits & (ivec)dy) : dy;
}

/* `wide` vectors of channels from c on, `m` lanes of the last one, over all places. */
INLINE void sums_vectors(const gi_norm *g, int64_t c, int wide, int64_t m, enum mask mask) {
  enum { MOST = 4 };
  vec s[MOST], t[MOST], centre[MOST], a[MOST], b[MOST];
  for (int v = 0; v < wide; v++) {
    const int64_t at = c + v * GI_LANES;
    s[v] = t[v] = a[v] = b[v] = splat(0);
    centre[v] = load_most(g->centre + at, m);
    if (mask == FROM_X) a[v] = load_most(g->a + at, m), b[v] = load_most(g->b + at, m);
  }
  const element *x = (const element *)g->x + c, *dy = (const element *)g->dy + c;
  element *to = mask == FROM_BITS ? (element *)g->y + c : NULL;
  const uint8_t *bits = g->bits;
  for (int64_t r = 0; r < g->rows; r++, x += g->row_step, dy += g->row_step) {
    for (int v = 0; v < wide; v++) {
      const int64_t at = c + v * GI_LANES;
      ivec own = {0};
      if (mask == FROM_BITS) own = lanes_of(get_bits(bits, at, m));
      const vec from = get_most(x + v * GI_LANES, m);
      const vec d = masked(get_most(dy + v * GI_LANES, m), from, a[v], b[v], own, mask);
      s[v] += d;
      t[v] = multiply_add(d, from - centre[v], t[v]);
      if (mask == FROM_BITS) put_most(to + v * GI_LANES, d, m);
    }
    if (mask == FROM_BITS) to += g->row_step, bits += g->bits_step;
  }
  for (int v = 0; v < wide; v++) {
    store_most(g->sums + c + v * GI_LANES, s[v], m);
    store_most(g->sums + g->n + c + v * GI_LANES, t[v], m);
  }
}

INLINE void sums_all(const gi_norm *g, enum mask mask) {
  int64_t c = 0;
  for (; c + 4 * GI_LANES <= g->n; c += 4 * GI_LANES) sums_vectors(g, c, 4, GI_LANES, mask);
  for (; c + GI_LANES <= g->n; c += GI_LANES) sums_vectors(g, c, 1, GI_LANES, mask);
  if (c < g->n) sums_vectors(g, c, 1, g->n - c, mask);
}

static void sums_columns(const gi_norm *g) {
  if (g->bits != NULL)
    sums_all(g, FROM_BITS);
  else if (g->relu)
    sums_all(g, FROM_X);
  else
    sums_all(g, ALL);
}

/* Two vectors side by side, so that additions need not wait for one another. */
INLINE void sums_lines(const gi_norm *g, enum mask mask) {
  const vec c = splat(g->centre[0]), a = splat(mask == FROM_X ? g->a[0] : 0),
            b = splat(mask == FROM_X ? g->b[0] : 0);
  vec s[2] = {splat(0), splat(0)}, t[2] = {splat(0), splat(0)};
  for (int64_t r = 0; r < g->rows; r++) {
    const int64_t at = r * g->row_step;
    const element *x = (const element *)g->x + at, *dy = (const element *)g->dy + at;
    element *to = mask == FROM_BITS ? (element *)g->y + at : NULL;
    const uint8_t *bits = mask == FROM_BITS ? g->bits + r * g->bits_step : NULL;
    int64_t i = 0;
#define STEP(k, m)                                                                    \
  {                                                                                   \
    ivec own = {0};                                                                   \
    if (mask == FROM_BITS)                                                            \
      own = (load_bytes(bits + i + k * GI_LANES, m) & splat_i32(1 << g->shift)) != 0; \
    const vec from = get_most(x + i + k * GI_LANES, m);                               \
    const vec d = masked(get_most(dy + i + k * GI_LANES, m), from, a, b, own, mask);  \
    s[k] += d;                                                                        \
    t[k] = multiply_add(d, from - c, t[k]);                                           \
    if (mask == FROM_BITS) put_most(to + i + k * GI_LANES, d, m);                     \
  }
    for (; i + 2 * GI_LANES <= g->n; i += 2 * GI_LANES) {
      STEP(0, GI_LANES)
      STEP(1, GI_LANES)
    }
    for (; i < g->n; i += GI_LANES) {
      const int64_t m = g->n - i < GI_LANES ? g->n - i : GI_LANES;
      STEP(0, m)
    }
#undef STEP
  }
  g->sums[0] = lanes_sum(s[0] + s[1]);
  g->sums[1] = lanes_sum(t[0] + t[1]);
}

static void sums_run(const gi_norm *g) {
  if (g->bits != NULL)
    sums_lines(g, FROM_BITS);
  else if (g->relu)
    sums_lines(g, FROM_X);
  else
    sums_lines(g, ALL);
}

/* Here dy is masked already where there were bits. */
INLINE vec backward(vec dy, vec x, vec a, vec b, vec p, vec q, vec r, bool relu) {
  const vec d = masked(dy, x, a, b, (ivec){0}, relu ? FROM_X : ALL);
  return multiply_add(d, p, multiply_add(x, q, r));
}

INLINE void grad_place(const gi_norm *g, int64_t at, bool relu) {
  const element *x = (const element *)g->x + at, *dy = (const element *)g->dy + at;
  element *to = (element *)g->y + at;
  const vec zero = splat(0);
  int64_t i = 0;
  for (; i + GI_LANES <= g->n; i += GI_LANES)
    put(to + i, backward(get(dy + i), get(x + i), relu ? load(g->a + i) : zero,
                         relu ? load(g->b + i) : zero, load(g->p + i), load(g->q + i),
                         load(g->r + i), relu));
  if (i == g->n) return;
  const int64_t m = g->n - i;
  const vec v =
      backward(get_most(dy + i, m), get_most(x + i, m), relu ? load_most(g->a + i, m) : zero,
               relu ? load_most(g->b + i, m) : zero, load_most(g->p + i, m),
               load_most(g->q + i, m), load_most(g->r + i, m), relu);
  put_most(to + i, v, m);
}

static void grad_columns(const gi_norm *g) {
  for (int64_t r = 0; r < g->rows; r++) {
    const int64_t at = r * g->row_step;
    if (g->relu)
      grad_place(g, at, true);
    else
      grad_place(g, at, false);
  }
}

INLINE void grad_line(const gi_norm *g, int64_t at, bool relu) {
  const element *x = (const element *)g->x + at, *dy = (const element *)g->dy + at;
  element *to = (element *)g->y + at;
  const vec a = splat(relu ? g->a[0] : 0), b = splat(relu ? g->b[0] : 0), p = splat(g->p[0]),
            q = splat(g->q[0]), r = splat(g->r[0]);
  for (int64_t i = 0; i < g->n; i += GI_LANES) {
    const int64_t m = g->n - i < GI_LANES ? g->n - i : GI_LANES;
    put_most(to + i, backward(get_most(dy + i, m), get_most(x + i, m), a, b, p, q, r, relu), m);
  }
}

static void grad_run(const gi_norm *g) {
  for (int64_t k = 0; k < g->rows; k++) {
    const int64_t at = k * g->row_step;
    if (g->relu)
      grad_line(g, at, true);
    else
      grad_line(g, at, false);
  }
}

const gi_norm_loops GI_ELEMENT(gi_norm_loops) = {
    .write_run = write_run,
    .write_columns = write_columns,
    .sums_run = sums_run,
    .sums_columns = sums_columns,
    .grad_run = grad_run,
    .grad_columns = grad_columns,
};
