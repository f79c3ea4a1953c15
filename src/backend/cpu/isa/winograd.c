/* winograd.c - transforms of tiles, and the products at each point (isa/winograd.h).
 *
 * A matrix of a transform is applied to the columns of a tile and then to its rows, by a
 * function that takes one line of vectors. Rows p and -p of the matrices share their even and
 * their odd half.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum { WIDTH = 2 * GI_LANES, IN = GI_WINOGRAD_IN, OUT = GI_WINOGRAD_OUT, KERNEL = 3 };

#define P  0.75f
#define Q  1.5f
#define P2 (P * P)
#define Q2 (Q * Q)

/* The derivative of x (x^2 - P2) (x^2 - Q2) at a point divides that point's row of G. */
#define AT_0 (1 / (P2 * Q2))
#define AT_P (1 / (2 * P2 * (P2 - Q2)))
#define AT_Q (1 / (2 * Q2 * (Q2 - P2)))

#define LINE static inline __attribute__((always_inline)) void

static inline vec scaled_add(float a, vec b, vec c) { return multiply_add(splat(a), b, c); }

/* B' d */
LINE input_line(const vec *d, vec *to) {
  const vec even_p = scaled_add(-Q2, d[2], d[4]), odd_p = scaled_add(-Q2, d[1], d[3]);
  const vec even_q = scaled_add(-P2, d[2], d[4]), odd_q = scaled_add(-P2, d[1], d[3]);
  to[0] = scaled_add(P2 * Q2, d[0], scaled_add(-P2 - Q2, d[2], d[4]));
  to[1] = scaled_add(P, odd_p, even_p);
  to[2] = scaled_add(-P, odd_p, even_p);
  to[3] = scaled_add(Q, odd_q, even_q);
  to[4] = scaled_add(-Q, odd_q, even_q);
  to[5] = scaled_add(P2 * Q2, d[1], scaled_add(-P2 - Q2, d[3], d[5]));
}

/* A' m */
LINE output_line(const vec *m, vec *to) {
  const vec even_p = m[1] + m[2], odd_p = m[1] - m[2];
  const vec even_q = m[3] + m[4], odd_q = m[3] - m[4];
  to[0] = m[0] + even_p + even_q;
  to[1] = scaled_add(P, odd_p, splat(Q) * odd_q);
  to[2] = scaled_add(P2, even_p, splat(Q2) * even_q);
  to[3] = scaled_add(P2 * P, odd_p, scaled_add(Q2 * Q, odd_q, m[5]));
}

/* A dy */
LINE result_line(const vec *y, vec *to) {
  const vec even_p = scaled_add(P2, y[2], y[0]), odd_p = scaled_add(P2, y[3], y[1]);
  const vec even_q = scaled_add(Q2, y[2], y[0]), odd_q = scaled_add(Q2, y[3], y[1]);
  to[0] = y[0];
  to[1] = scaled_add(P, odd_p, even_p);
  to[2] = scaled_add(-P, odd_p, even_p);
  to[3] = scaled_add(Q, odd_q, even_q);
  to[4] = scaled_add(-Q, odd_q, even_q);
  to[5] = y[3];
}

/* G g */
LINE weight_line(const vec *g, vec *to) {
  const vec even_p = scaled_add(P2, g[2], g[0]) * splat(AT_P), odd_p = g[1] * splat(P * AT_P);
  const vec even_q = scaled_add(Q2, g[2], g[0]) * splat(AT_Q), odd_q = g[1] * splat(Q * AT_Q);
  to[0] = g[0] * splat(AT_0);
  to[1] = even_p + odd_p;
  to[2] = even_p - odd_p;
  to[3] = even_q + odd_q;
  to[4] = even_q - odd_q;
  to[5] = g[2];
}

/* G' m */
LINE weight_grad_line(const vec *m, vec *to) {
  const vec even_p = (m[1] + m[2]) * splat(AT_P), odd_p = (m[1] - m[2]) * splat(AT_P);
  const vec even_q = (m[3] + m[4]) * splat(AT_Q), odd_q = (m[3] - m[4]) * splat(AT_Q);
  to[0] = scaled_add(AT_0, m[0], even_p + even_q);
  to[1] = scaled_add(P, odd_p, splat(Q) * odd_q);
  to[2] = scaled_add(P2, even_p, scaled_add(Q2, even_q, m[5]));
}

/* Lines are taken by loops that stay loops: unrolled, their addresses would not fit into the
 * registers. */
#define EACH_LINE(i, n) _Pragma("GCC unroll 1") for (int i = 0; i < (n); i++)

/* B' d B of one vector of channels; `part` of them, if it is not a whole one. */
LINE input_vector(const float *const *at, int64_t c, int64_t part, float *to, int64_t step) {
  vec half[IN][IN]; /* [column][row] */
  EACH_LINE(j, IN) {
    vec d[IN];
    for (int i = 0; i < IN; i++)
      d[i] = part == 0 ? load(at[i * IN + j] + c) : load_part(at[i * IN + j] + c, part, 0);
    input_line(d, half[j]);
  }
  EACH_LINE(i, IN) {
    vec row[IN], v[IN];
    for (int j = 0; j < IN; j++) row[j] = half[j][i];
    input_line(row, v);
    for (int j = 0; j < IN; j++) store(to + j * step + c, v[j]);
    to += IN * step;
  }
}

static void input(const float *const *at, int64_t channels, float *to, int64_t step) {
  int64_t c = 0;
  for (; c + GI_LANES <= channels; c += GI_LANES) input_vector(at, c, 0, to, step);
  if (c < channels) input_vector(at, c, channels - c, to, step);
}

static void result(const float *from, const int64_t *cell, int64_t channels, float *to,
                   int64_t step) {
  for (int64_t c = 0; c < WIDTH; c += GI_LANES) {
    vec half[OUT][IN]; /* [column][point] */
    for (int j = 0; j < OUT; j++) {
      vec y[OUT];
      for (int i = 0; i < OUT; i++) {
        const int64_t at = cell[i * OUT + j];
        y[i] = at < 0 ? splat(0) : load_most(from + at + c, channels - c);
      }
      result_line(y, half[j]);
    }
    for (int i = 0; i < IN; i++) {
      vec row[OUT], v[IN];
      for (int j = 0; j < OUT; j++) row[j] = half[j][i];
      result_line(row, v);
      for (int j = 0; j < IN; j++) store(to + (i * IN + j) * step + c, v[j]);
    }
  }
}

static void weight(const float *g, int64_t cell, float *to, int64_t step) {
  for (int64_t f = 0; f < WIDTH; f += GI_LANES) {
    vec half[KERNEL][IN];
    for (int j = 0; j < KERNEL; j++) {
      vec w[KERNEL];
      for (int i = 0; i < KERNEL; i++) w[i] = load(g + (i * KERNEL + j) * cell + f);
      weight_line(w, half[j]);
    }
    for (int i = 0; i < IN; i++) {
      vec row[KERNEL], u[IN];
      for (int j = 0; j < KERNEL; j++) row[j] = half[j][i];
      weight_line(row, u);
      for (int j = 0; j < IN; j++) store(to + (i * IN + j) * step + f, u[j]);
    }
  }
}

/* A' m A of one panel. `plain`: all cells are inside and all channels are stored. */
LINE output_panel(const gi_winograd_output *o, const bool plain, const bool adds,
                  const bool relu) {
  const float *from = o->from, *z = o->added;
  float *to = o->to;
  for (int64_t f = 0; f < WIDTH; f += GI_LANES, from += GI_LANES, to += GI_LANES) {
    const int64_t n = plain ? GI_LANES : o->channels - f, step = o->step;
    if (n <= 0) return;
    const vec bias = o->bias != NULL ? load_most(o->bias + f, n) : splat(0);
    vec half[IN][OUT]; /* [column of points][row] */
    EACH_LINE(j, IN) {
      vec m[IN];
      for (int i = 0; i < IN; i++) m[i] = load(from + j * step + i * IN * step);
      output_line(m, half[j]);
    }
    EACH_LINE(i, OUT) {
      vec row[IN], y[OUT];
      for (int j = 0; j < IN; j++) row[j] = half[j][i];
      output_line(row, y);
      for (int j = 0; j < OUT; j++) {
        const int64_t at = o->cell[i * OUT + j];
        vec v = y[j] + bias;
        if (adds && plain)
          v += load(z + at + f);
        else if (adds && at >= 0)
          v += load_most(z + at + f, n);
        if (relu) v = at_least_zero(v);
        if (plain)
          store(to + at, v);
        else if (at >= 0)
          store_most(to + at, v, n);
      }
    }
  }
}

LINE output_any(const gi_winograd_output *o, const bool plain) {
  if (o->added != NULL && o->relu)
    output_panel(o, plain, true, true);
  else if (o->added != NULL)
    output_panel(o, plain, true, false);
  else if (o->relu)
    output_panel(o, plain, false, true);
  else
    output_panel(o, plain, false, false);
}

static void output(const gi_winograd_output *o) {
  bool plain = o->channels >= WIDTH;
  for (int i = 0; i < OUT * OUT; i++) plain = plain && o->cell[i] >= 0;
  if (plain)
    output_any(o, true);
  else
    output_any(o, false);
}

static void weight_grad(const float *from, int64_t step, float *to) {
  for (int64_t f = 0; f < WIDTH; f += GI_LANES) {
    vec half[IN][KERNEL];
    for (int j = 0; j < IN; j++) {
      vec m[IN];
      for (int i = 0; i < IN; i++) m[i] = load(from + (i * IN + j) * step + f);
      weight_grad_line(m, half[j]);
    }
    for (int i = 0; i < KERNEL; i++) {
      vec row[IN], g[KERNEL];
      for (int j = 0; j < IN; j++) row[j] = half[j][i];
      weight_grad_line(row, g);
      for (int j = 0; j < KERNEL; j++) store(to + (i * KERNEL + j) * WIDTH + f, g[j]);
    }
  }
}

/* ---- products: 6 x 2 vectors of sums in registers, as in conv.c ---------------------------
 */

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define START(i)    vec a##i = splat(0), b##i = splat(0);

static void product(const gi_winograd_product *p) {
  const float *w = p->panel;
#define POINT(i) const float *x##i = p->x + i * p->row;
  EACH_ROW(POINT)
  EACH_ROW(START)
  for (int64_t c = 0; c < p->depth; c++, w += WIDTH) {
    const vec w0 = load(w), w1 = load(w + GI_LANES);
#define STEP(i)                       \
  {                                   \
    const vec x = splat(x##i[c]);     \
    a##i = multiply_add(x, w0, a##i); \
    b##i = multiply_add(x, w1, b##i); \
  }
    EACH_ROW(STEP)
#undef STEP
  }
#define STORE(i)                  \
  store(p->to + i * WIDTH, a##i); \
  store(p->to + i * WIDTH + GI_LANES, b##i);
  EACH_ROW(STORE)
#undef POINT
#undef STORE
}

/* `rows` is a constant where this is called. */
static inline __attribute__((always_inline)) void outer_rows(const gi_winograd_outer *o,
                                                             const int rows) {
  const float *dy = o->dy, *x = o->x;
  EACH_ROW(START)
  for (int64_t t = 0; t < o->tiles; t++, dy += WIDTH, x += o->row) {
    const vec d0 = load(dy), d1 = load(dy + GI_LANES);
#define STEP(i)                       \
  if (i < rows) {                     \
    const vec v = splat(x[i]);        \
    a##i = multiply_add(v, d0, a##i); \
    b##i = multiply_add(v, d1, b##i); \
  }
    EACH_ROW(STEP)
#undef STEP
  }
#define ADD(i)                                \
  if (i < rows) {                             \
    float *s = o->sum + i * WIDTH;            \
    store(s, o->add ? load(s) + a##i : a##i); \
    s += GI_LANES;                            \
    store(s, o->add ? load(s) + b##i : b##i); \
  }
  EACH_ROW(ADD)
#undef ADD
}

static void outer(const gi_winograd_outer *o) {
  switch (o->rows) {
    case 1: outer_rows(o, 1); break;
    case 2: outer_rows(o, 2); break;
    case 3: outer_rows(o, 3); break;
    case 4: outer_rows(o, 4); break;
    case 5: outer_rows(o, 5); break;
    default: outer_rows(o, 6);
  }
}

const gi_winograd_loops GI_ISA(gi_winograd_loops) = {
    .width = WIDTH,
    .input = input,
    .result = result,
    .weight = weight,
    .output = output,
    .weight_grad = weight_grad,
    .product = product,
    .outer = outer,
};
