/* glia/integers.h - whole numbers as machines have them: every bit counts. As glia/graph.h,
 * whose arithmetic goes through double: exact up to 2^53, and saturating.
 *
 * Both inputs are of one integer dtype, shapes broadcast. Sums, differences and products are
 * modulo 2^bits. Divisions by 0 give 0. There are no gradients.
 */
#ifndef GLIA_INTEGERS_H
#define GLIA_INTEGERS_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

GLIA_API glia_value glia_integer_add(glia_value a, glia_value b); /* a + b */
GLIA_API glia_value glia_integer_sub(glia_value a, glia_value b); /* a - b */
GLIA_API glia_value glia_integer_mul(glia_value a, glia_value b); /* a b */
GLIA_API glia_value glia_integer_div(glia_value a, glia_value b); /* towards 0 */
GLIA_API glia_value glia_integer_rem(glia_value a, glia_value b); /* what it leaves: a's sign */
GLIA_API glia_value glia_integer_mod(glia_value a, glia_value b); /* a modulo b: b's sign */
GLIA_API glia_value glia_integer_max(glia_value a, glia_value b); /* the larger one */
GLIA_API glia_value glia_integer_min(glia_value a, glia_value b);
/* bool */
GLIA_API glia_value glia_integer_less(glia_value a, glia_value b);
GLIA_API glia_value glia_integer_equal(glia_value a, glia_value b);

GLIA_API glia_value glia_bit_and(glia_value a, glia_value b); /* bits that both have */
GLIA_API glia_value glia_bit_or(glia_value a, glia_value b);  /* that either has */
GLIA_API glia_value glia_bit_xor(glia_value a, glia_value b); /* that one has; -1 turns all */
/* a moved b bits; shifted down, its sign comes after. Bits that leave are lost; a b that is
 * negative or not below the bits moves all of them out. */
GLIA_API glia_value glia_shift_left(glia_value a, glia_value b);
GLIA_API glia_value glia_shift_right(glia_value a, glia_value b);
/* The low bytes of each element as an element of another dtype, zeros where that is wider: f32
 * as i32 and back, i64 as the i32 of its low half, f16 in the low half of an i32. */
GLIA_API glia_value glia_bit_cast(glia_value x, glia_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_INTEGERS_H */
