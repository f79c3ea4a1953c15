/* recurrent.c - loops of the cells of recurrent layers.
 *
 * A step has a tanh or a logistic function for each gate of each unit, between two products
 * that wait for them, so they are written out here: calls of SLEEF's, exact to the last place,
 * would take a tenth of a layer's time. These are exact to about 2e-7 of 1.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- functions --------------------------------------------------------------------------- */

/* e^a = 2^k e^r = scale + scale q, |r| <= log(2) / 2: returns q = e^r - 1 by Taylor's series to
 * r^7 (what is left out is below 1e-8). a is cut to where the result is a normal number; a NaN
 * stays. */
INLINE vec reduced(vec a, vec *scale) {
  a = not_above(splat(88.0f), not_below(splat(-87.0f), a));
  /* adding 1.5 2^23 rounds to a whole number, which then stands in the low bits */
  const vec magic = splat(12582912.0f), shifted = multiply_add(a, splat(1.44269504f), magic);
  const vec k = shifted - magic;
  *scale = (vec)(((ivec)shifted << 23) + 0x3f800000);
  /* log(2) in two parts, the first with zeros at the end: its multiples are exact */
  const vec r =
      multiply_add(k, splat(2.12194440e-4f), multiply_add(k, splat(-0.693359375f), a));
  const vec s = r * r;
  const vec low = multiply_add(r, splat(1.0f / 6), splat(0.5f));
  const vec middle = multiply_add(r, splat(1.0f / 120), splat(1.0f / 24));
  const vec high = multiply_add(r, splat(1.0f / 5040), splat(1.0f / 720));
  return multiply_add(s, multiply_add(s, multiply_add(s, high, middle), low), r);
}

/* 1 / (1 + e^-a) */
INLINE vec logistic(vec a) {
  vec scale;
  const vec q = reduced(-a, &scale);
  return splat(1.0f) / (splat(1.0f) + multiply_add(scale, q, scale));
}

/* tanh(a) = m / (m + 2), m = e^2a - 1, which is as exact as a is small. */
INLINE vec squash(vec a) {
  vec scale;
  const vec q = reduced(a + a, &scale);
  const vec m = multiply_add(scale, q, scale - splat(1.0f));
  return m / (m + splat(2.0f));
}

/* Their slopes, from their values. */
INLINE vec rise(vec v) { return v * (splat(1.0f) - v); }
INLINE vec fall(vec v) { return splat(1.0f) - v * v; }

/* ---- cells ------------------------------------------------------------------------------- */

/* Calls part(c, i, m) for the units i .. i + m - 1, a vector at a time. */
#define BY_VECTORS(name, part)                                                 \
  static void name(const gi_cell_row *c) {                                     \
    int64_t i = 0;                                                             \
    for (; i + GI_LANES <= c->n; i += GI_LANES) part(c, i, (int64_t)GI_LANES); \
    if (i < c->n) part(c, i, c->n - i);                                        \
  }

INLINE vec gate_of(const gi_cell_row *c, int g, int64_t i, int64_t m) {
  return load_most(c->gates + g * c->apart + i, m);
}
INLINE void keep_gate(const gi_cell_row *c, int g, int64_t i, int64_t m, vec v) {
  store_most(c->gates + g * c->apart + i, v, m);
}
INLINE vec peephole(const gi_cell_row *c, int g, int64_t i, int64_t m) {
  return load_most(c->peepholes + g * c->apart + i, m);
}

INLINE void rnn_part(const gi_cell_row *c, int64_t i, int64_t m) {
  const vec a = load_most(c->h + i, m);
  store_most(c->h + i, c->relu ? at_least_zero(a) : squash(a), m);
}
INLINE void rnn_grad_part(const gi_cell_row *c, int64_t i, int64_t m) {
  const vec h = load_most(c->h + i, m), dh = load_most(c->dh + i, m);
  store_most(c->dx + i, c->relu ? choose(h > splat(0), dh, splat(0)) : dh * fall(h), m);
}

INLINE void lstm_part(const gi_cell_row *c, int64_t i, int64_t m) {
  const vec before = load_most(c->before + i, m);
  vec in = gate_of(c, 0, i, m), forget = gate_of(c, 1, i, m), out = gate_of(c, 3, i, m);
  if (c->peepholes != NULL) {
    in = multiply_add(peephole(c, 0, i, m), before, in);
    forget = multiply_add(peephole(c, 1, i, m), before, forget);
  }
  in = logistic(in), forget = logistic(forget);
  const vec g = squash(gate_of(c, 2, i, m));
  const vec cell = multiply_add(forget, before, in * g);
  if (c->peepholes != NULL) out = multiply_add(peephole(c, 2, i, m), cell, out);
  out = logistic(out);
  keep_gate(c, 0, i, m, in);
  keep_gate(c, 1, i, m, forget);
  keep_gate(c, 2, i, m, g);
  keep_gate(c, 3, i, m, out);
  store_most(c->cell + i, cell, m);
  store_most(c->h + i, out * squash(cell), m);
}

INLINE void lstm_grad_part(const gi_cell_row *c, int64_t i, int64_t m) {
  const vec in = gate_of(c, 0, i, m), forget = gate_of(c, 1, i, m), g = gate_of(c, 2, i, m),
            out = gate_of(c, 3, i, m), dh = load_most(c->dh + i, m);
  const vec squashed = squash(load_most(c->cell + i, m));
  const vec d_out = dh * squashed * rise(out);
  vec dc = multiply_add(dh * out, fall(squashed), load_most(c->dc + i, m));
  if (c->peepholes != NULL) dc = multiply_add(d_out, peephole(c, 2, i, m), dc);
  const vec d_in = dc * g * rise(in);
  const vec d_forget = dc * load_most(c->before + i, m) * rise(forget);
  const vec d_g = dc * in * fall(g);
  vec kept = dc * forget;
  if (c->peepholes != NULL) {
    kept = multiply_add(d_in, peephole(c, 0, i, m), kept);
    kept = multiply_add(d_forget, peephole(c, 1, i, m), kept);
  }
  store_most(c->dc + i, kept, m);
  store_most(c->dx + i, d_in, m);
  store_most(c->dx + c->apart + i, d_forget, m);
  store_most(c->dx + 2 * c->apart + i, d_g, m);
  store_most(c->dx + 3 * c->apart + i, d_out, m);
}

/* Gates 0, 1, 3 are the products with the state: of r, z and the new state. */
INLINE void gru_part(const gi_cell_row *c, int64_t i, int64_t m) {
  const vec r = logistic(gate_of(c, 0, i, m) + load_most(c->x + i, m));
  const vec z = logistic(gate_of(c, 1, i, m) + load_most(c->x + c->apart + i, m));
  const vec product = gate_of(c, 3, i, m);
  const vec n = squash(multiply_add(r, product, load_most(c->x + 2 * c->apart + i, m)));
  keep_gate(c, 0, i, m, r);
  keep_gate(c, 1, i, m, z);
  keep_gate(c, 2, i, m, n);
  store_most(c->h + i, multiply_add(z, load_most(c->before + i, m) - n, n), m);
}

INLINE void gru_grad_part(const gi_cell_row *c, int64_t i, int64_t m) {
  const vec r = gate_of(c, 0, i, m), z = gate_of(c, 1, i, m), n = gate_of(c, 2, i, m),
            dh = load_most(c->dh + i, m);
  const vec dn = dh * (splat(1.0f) - z) * fall(n);
  const vec dr = dn * gate_of(c, 3, i, m) * rise(r);
  const vec dz = dh * (load_most(c->before + i, m) - n) * rise(z);
  store_most(c->dx + i, dr, m);
  store_most(c->dx + c->apart + i, dz, m);
  store_most(c->dx + 2 * c->apart + i, dn, m);
  store_most(c->du + i, dr, m);
  store_most(c->du + c->apart + i, dz, m);
  store_most(c->du + 2 * c->apart + i, dn * r, m);
  store_most(c->kept + i, dh * z, m);
}

BY_VECTORS(rnn, rnn_part)
BY_VECTORS(rnn_grad, rnn_grad_part)
BY_VECTORS(lstm, lstm_part)
BY_VECTORS(lstm_grad, lstm_grad_part)
BY_VECTORS(gru, gru_part)
BY_VECTORS(gru_grad, gru_grad_part)

static void add(int64_t n, const float *a, const float *b, const float *c, float *sum) {
  for (int64_t i = 0; i < n; i += GI_LANES) {
    const int64_t m = n - i;
    store_most(sum + i, load_most(a + i, m) + load_most(b + i, m) + load_most(c + i, m), m);
  }
}

const gi_recurrent_loops GI_ISA(gi_recurrent_loops) = {rnn,      gru,       lstm, rnn_grad,
                                                       gru_grad, lstm_grad, add};
