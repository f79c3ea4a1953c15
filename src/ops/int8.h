/* ops/int8.h - how an op is written on 8-bit whole numbers: see gi_op.int8 and
 * compile/int8.c.
 */
#ifndef GI_INT8_H
#define GI_INT8_H

#include "ops/attrs.h"

enum { GI_INT8_MOST = 127 }; /* whole numbers go from -127 to 127, so that signs are alike */

/* The result of a product from its first operand's scale; null if it has no such form. */
glia_value gi_int8_conv2d(const void *attr, const glia_value *in, int n_in, glia_value scale);
glia_value gi_int8_matmul(const void *attr, const glia_value *in, int n_in, glia_value scale);

/* quantize     x f32 [...], scale f32 [] or [x.dim[0]] -> i8: round(x / scale), -127 .. 127
 * conv2d_int8  x i8, w i8, scale of x [], scales of w [F][, bias [F]]     -> f32, as conv2d
 * matmul_int8  a i8 [M, K], b i8 [N, K], scale of a [], scales of b [N][, bias [N]]
 *                                                                         -> f32 [M, N]
 * Both may end in relu and, `narrow`, in quantize: then the last input is the scale of the
 * result. */
typedef struct gi_int8_attr {
  gi_conv_attr conv; /* of matmul_int8 the activation alone */
  bool narrow;
} gi_int8_attr;
static inline bool gi_int8_has_bias(const gi_int8_attr *a, int n_in) {
  return n_in - a->narrow == 5;
}
extern const gi_op gi_op_quantize, gi_op_conv2d_int8, gi_op_matmul_int8;

#endif /* GI_INT8_H */
