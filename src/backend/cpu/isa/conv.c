/* conv.c - the two loops that convolution spends its time in: 6 x 2 vectors of sums that stay
 * in registers, and for each step two vectors loaded, six numbers broadcast, twelve
 * multiply-adds. The registers are named one by one, because compilers do not keep arrays of
 * vectors in them.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

enum { WIDTH = 2 * GI_LANES };

#define EACH_PLACE(X) X(0) X(1) X(2) X(3) X(4) X(5)

static void tile(const gi_conv_tile *t) {
  const vec bias0 = t->bias != NULL ? load_most(t->bias, t->channels) : splat(0);
  const vec bias1 =
      t->bias != NULL ? load_most(t->bias + GI_LANES, t->channels - GI_LANES) : splat(0);
#define START(i) vec a##i = bias0, b##i = bias1;
  EACH_PLACE(START)
  for (int i = 0; i < t->places && t->adds; i++) { /* they are there when the sums are */
    __builtin_prefetch(t->added[i], 1);
    __builtin_prefetch(t->added[i] + GI_LANES, 1);
  }
  for (int64_t tap = 0; tap < t->taps; tap++) {
    const float *const *at = t->at + tap * GI_CONV_PLACES;
    const float *w = t->panel + t->weight[tap];
#define POINT(i) const float *x##i = at[i];
    EACH_PLACE(POINT)
    for (int64_t c = 0; c < t->depth; c++, w += WIDTH) {
      const vec w0 = load(w), w1 = load(w + GI_LANES);
#define STEP(i)                       \
  {                                   \
    const vec x = splat(x##i[c]);     \
    a##i = multiply_add(x, w0, a##i); \
    b##i = multiply_add(x, w1, b##i); \
  }
      EACH_PLACE(STEP)
    }
  }
  if (t->adds) {
#define JOIN(i)                                                        \
  if (i < t->places) {                                                 \
    a##i += load_most(t->added[i], t->channels);                       \
    b##i += load_most(t->added[i] + GI_LANES, t->channels - GI_LANES); \
  }
    EACH_PLACE(JOIN)
  }
  if (t->relu) {
#define CUT(i) a##i = at_least_zero(a##i), b##i = at_least_zero(b##i);
    EACH_PLACE(CUT)
  }
#define STORE(i)                                                   \
  if (i < t->places) {                                             \
    store_most(t->to[i], a##i, t->channels);                       \
    store_most(t->to[i] + GI_LANES, b##i, t->channels - GI_LANES); \
  }
  EACH_PLACE(STORE)
#undef START
#undef POINT
#undef STEP
#undef JOIN
#undef CUT
#undef STORE
}

/* A block is summed from zero and then added, which also rounds less than one long sum. `rows`
 * is a constant where this is called. */
static inline __attribute__((always_inline)) void outer_rows(const gi_conv_outer *o,
                                                             const int rows) {
#define START(i) vec a##i = splat(0), b##i = splat(0);
  EACH_PLACE(START)
  for (int64_t p = 0; p < o->places; p++) {
    const float *x = o->x[p] + o->c, *dy = o->dy + o->row[p];
    const vec d0 = load(dy), d1 = load(dy + GI_LANES);
#define STEP(i)                       \
  if (i < rows) {                     \
    const vec v = splat(x[i]);        \
    a##i = multiply_add(v, d0, a##i); \
    b##i = multiply_add(v, d1, b##i); \
  }
    EACH_PLACE(STEP)
  }
#define ADD(i)                                \
  if (i < rows) {                             \
    float *s = o->sum + i * o->sum_row;       \
    store(s, o->add ? load(s) + a##i : a##i); \
    s += GI_LANES;                            \
    store(s, o->add ? load(s) + b##i : b##i); \
  }
  EACH_PLACE(ADD)
#undef START
#undef STEP
#undef ADD
}

static void outer(const gi_conv_outer *o) {
  switch (o->rows) {
    case 1: outer_rows(o, 1); break;
    case 2: outer_rows(o, 2); break;
    case 3: outer_rows(o, 3); break;
    case 4: outer_rows(o, 4); break;
    case 5: outer_rows(o, 5); break;
    default: outer_rows(o, 6);
  }
}

const gi_conv_loops GI_ISA(gi_conv_loops) = {WIDTH, tile, outer};
