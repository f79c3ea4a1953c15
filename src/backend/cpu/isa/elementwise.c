/* elementwise.c - each row of ops/elementwise.def as a loop over vectors of floats.
 *
 * A bool is 0 or 1 in a float here. cast is the identity, which is right for all that can be
 * asked of it between f32 and bool but f32 to bool; that one is the loop "truth".
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

#define K(v)                    splat((float)(v))
#define P0                      p0
#define P1                      p1
#define SEL(condition, yes, no) choose(condition, yes, no)
#define EXP(x)                  vector_exp(x)
#define EXPM1(x)                vector_expm1(x)
#define LOG(x)                  vector_log(x)
#define LOG1P(x)                vector_log1p(x)
#define SQRT(x)                 vector_sqrt(x)
#define SIN(x)                  vector_sin(x)
#define COS(x)                  vector_cos(x)
#define TANH(x)                 vector_tanh(x)
#define ERF(x)                  vector_erf(x)
#define ABS(x)                  vector_abs(x)
#define FLOOR(x)                round_down(x)
#define CEIL(x)                 round_up(x)
#define ROUND(x)                nearest(x)
#define POW(x, y)               vector_pow(x, y)

#define LOAD_1 const vec x = load(s0);
#define LOAD_2 const vec a = load(s0), b = load(s1);
#define LOAD_3 const vec c = load(s0), a = load(s1), b = load(s2);

#define LOOP(name, inputs, value)                                  \
  static void name##_loop(const gi_micro_call *m, int64_t n) {     \
    const float *s0 = m->src[0], *s1 = m->src[1], *s2 = m->src[2]; \
    const vec p0 = splat(m->a), p1 = splat(m->b);                  \
    float *out = m->out;                                           \
    (void)p0, (void)p1;                                            \
    for (int64_t i = 0; i < n; i += GI_LANES) {                    \
      LOAD_##inputs store(out + i, value);                         \
      s0 += m->step[0], s1 += m->step[1], s2 += m->step[2];        \
    }                                                              \
  }
#define ROW(name, inputs, takes, gives, parameters, flags, low, high, doc, torch, paper, \
            value, gradients)                                                            \
  LOOP(name, inputs, value)
#include "ops/elementwise.def"
#undef ROW
LOOP(truth, 1, choose(x != splat(0.0f), splat(1.0f), splat(0.0f)))

#define ROW(name, ...) {#name, name##_loop},
const gi_micro_row GI_ISA(gi_micro_rows)[] = {
#include "ops/elementwise.def"
    {"truth", truth_loop},
    {NULL, NULL},
};
