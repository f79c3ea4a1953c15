/* elementwise.c - each row of ops/elementwise.def as a loop over vectors of floats.
 *
 * A bool is 0 or 1 in a float here, a bf16 one that its 16 bits can hold. cast is the identity,
 * which is right for all that can be asked of it between f32, bool and bf16 but f32 to bool,
 * the loop "truth", and to bf16, the loop "narrow".
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
#define ATAN(x)                 vector_atan(x)
#define TANH(x)                 vector_tanh(x)
#define ERF(x)                  vector_erf(x)
#define ABS(x)                  vector_abs(x)
#define FLOOR(x)                round_down(x)
#define CEIL(x)                 round_up(x)
#define ROUND(x)                nearest(x)
#define POW(x, y)               vector_pow(x, y)

#define START_1                \
  const float *s0 = m->src[0]; \
  const ptrdiff_t d0 = m->step[0];
#define START_2                        \
  START_1 const float *s1 = m->src[1]; \
  const ptrdiff_t d1 = m->step[1];
#define START_3                        \
  START_2 const float *s2 = m->src[2]; \
  const ptrdiff_t d2 = m->step[2];
#define NEXT_1 s0 += d0;
#define NEXT_2 NEXT_1 s1 += d1;
#define NEXT_3 NEXT_2 s2 += d2;
#define LOAD_1 const vec x = load(s0);
#define LOAD_2 const vec a = load(s0), b = load(s1);
#define LOAD_3 const vec c = load(s0), a = load(s1), b = load(s2);

/* Four vectors a turn: the compiler unrolls the inner loop. */
#define LOOP(name, inputs, value)                                \
  static void name##_loop(const gi_micro_call *m, int64_t n) {   \
    START_##inputs const vec p0 = splat(m->a), p1 = splat(m->b); \
    float *out = m->out;                                         \
    const float *end = out + n;                                  \
    (void)p0, (void)p1;                                          \
    for (; end - out >= 4 * GI_LANES; out += 4 * GI_LANES)       \
      for (int i = 0; i < 4; i++) {                              \
        LOAD_##inputs store(out + i * GI_LANES, value);          \
        NEXT_##inputs                                            \
      }                                                          \
    for (; out < end; out += GI_LANES) {                         \
      LOAD_##inputs store(out, value);                           \
      NEXT_##inputs                                              \
    }                                                            \
  }
#define ROW(name, inputs, takes, gives, parameters, flags, low, high, doc, torch, paper, \
            value, gradients)                                                            \
  LOOP(name, inputs, value)
#include "ops/elementwise.def"
#undef ROW

/* Two ops as one loop, so that what lies between them stays in a register: the first on a and
 * b, the second on that and c (rsub: c minus that). Both round, as they would alone. */
#define PAIRS(X) X(add, (a + b)) X(sub, (a - b)) X(mul, (a * b))
#define PAIR(first, value)         \
  LOOP(add_##first, 3, value + c)  \
  LOOP(sub_##first, 3, value - c)  \
  LOOP(rsub_##first, 3, c - value) \
  LOOP(mul_##first, 3, value *c)
PAIRS(PAIR)

/* The mask holds bits. */
LOOP(dropout, 2, (vec)((ivec)(a *p0) & (ivec)b))
LOOP(truth, 1, choose(x != splat(0.0f), splat(1.0f), splat(0.0f)))

LOOP(narrow, 1, rounded_to_bf16(x))

#define ROW(name, ...) {#name, name##_loop},
const gi_micro_row GI_ISA(gi_micro_rows)[] = {
#include "ops/elementwise.def"
#define PAIR_ROW(first, value)                                              \
  {"add " #first, add_##first##_loop}, {"sub " #first, sub_##first##_loop}, \
      {"rsub " #first, rsub_##first##_loop}, {"mul " #first, mul_##first##_loop},
    PAIRS(PAIR_ROW){"truth", truth_loop},
    {"narrow", narrow_loop},
    {"dropout", dropout_loop},
    {NULL, NULL},
};
