/* ops/scalar.h - what the value column of elementwise.def is written in, for one element in
 * double: `in` are the operands, `p` the op's gi_elementwise_attr.
 */
#ifndef GI_SCALAR_H
#define GI_SCALAR_H

#include <math.h>

#define K(v)                    ((double)(v))
#define P0                      (p->a)
#define P1                      (p->b)
#define SEL(condition, yes, no) ((condition) ? (yes) : (no))
#define EXP(x)                  exp(x)
#define EXPM1(x)                expm1(x)
#define LOG(x)                  log(x)
#define LOG1P(x)                log1p(x)
#define SQRT(x)                 sqrt(x)
#define SIN(x)                  sin(x)
#define COS(x)                  cos(x)
#define ATAN(x)                 atan(x)
#define TANH(x)                 tanh(x)
#define ERF(x)                  erf(x)
#define ABS(x)                  fabs(x)
#define FLOOR(x)                floor(x)
#define CEIL(x)                 ceil(x)
#define ROUND(x)                rint(x)
#define POW(x, y)               pow(x, y)

#define ELEMENTS_1 const double x = in[0];
#define ELEMENTS_2 const double a = in[0], b = in[1];
#define ELEMENTS_3 const double c = in[0], a = in[1], b = in[2];

#endif /* GI_SCALAR_H */
