/* exports/elementwise.c - arithmetic, comparison, functions of one number, activations. What
 * ONNX lacks at opset 17 (gelu, silu, mish...) is written as its formula.
 */
#include <math.h>

#include "formats/onnx/export.h"

static const gi_elementwise_attr *numbers(const gi_onnx_writing *w) { return w->attr; }
static glia_dtype dtype(const gi_onnx_writing *w) { return w->in_type[0].dtype; }
/* A scalar of x's dtype. */
static const char *number(gi_onnx_writing *w, double v) {
  return gi_onnx_number(w, dtype(w), v);
}
static const char *x(const gi_onnx_writing *w) { return w->in[0]; }

static glia_status give(gi_onnx_writing *w, const char *name) {
  gi_onnx_give(w, 0, name);
  return GLIA_OK;
}
static const char *two(gi_onnx_writing *w, const char *op, const char *a, const char *b) {
  return gi_onnx_put(w, op, 2, a, b);
}
static const char *one(gi_onnx_writing *w, const char *op, const char *a) {
  return gi_onnx_put(w, op, 1, a);
}

/* ---- arithmetic -------------------------------------------------------------------------- */

static glia_status write_not_equal(gi_onnx_writing *w) {
  return give(w, one(w, "Not", two(w, "Equal", x(w), w->in[1])));
}
static glia_status write_square(gi_onnx_writing *w) {
  return give(w, two(w, "Mul", x(w), x(w)));
}
static glia_status write_rsqrt(gi_onnx_writing *w) {
  return give(w, one(w, "Reciprocal", one(w, "Sqrt", x(w))));
}
static glia_status write_log1p(gi_onnx_writing *w) {
  return give(w, one(w, "Log", two(w, "Add", x(w), number(w, 1))));
}
/* tanh(x / 2) (e^x + 1), which keeps small results exact. e^x alone is right where it is large.
 */
static glia_status write_expm1(gi_onnx_writing *w) {
  const char *half = one(w, "Tanh", two(w, "Mul", x(w), number(w, 0.5)));
  const char *sum = two(w, "Add", one(w, "Exp", x(w)), number(w, 1));
  return give(w, two(w, "Mul", half, sum));
}
static glia_status write_clip(gi_onnx_writing *w) {
  const gi_elementwise_attr *a = numbers(w);
  const char *low = number(w, a->a), *high = number(w, a->b);
  return give(w, gi_onnx_put(w, "Clip", 3, x(w), low, high));
}
static glia_status write_cast(gi_onnx_writing *w) {
  gi_onnx_put_int(w, "to", gi_onnx_type_of(numbers(w)->dtype));
  return give(w, one(w, "Cast", x(w)));
}

/* ---- activations ------------------------------------------------------------------------- */

static glia_status write_relu6(gi_onnx_writing *w) {
  const char *zero = number(w, 0), *six = number(w, 6);
  return give(w, gi_onnx_put(w, "Clip", 3, x(w), zero, six));
}
static glia_status with_alpha(gi_onnx_writing *w, const char *op) {
  gi_onnx_put_float(w, "alpha", numbers(w)->a);
  return give(w, one(w, op, x(w)));
}
static glia_status write_leaky_relu(gi_onnx_writing *w) { return with_alpha(w, "LeakyRelu"); }
static glia_status write_elu(gi_onnx_writing *w) { return with_alpha(w, "Elu"); }
static glia_status write_celu(gi_onnx_writing *w) { return with_alpha(w, "Celu"); }

/* x (1 + f) / 2 */
static glia_status half_of(gi_onnx_writing *w, const char *f) {
  const char *half = two(w, "Mul", x(w), number(w, 0.5));
  return give(w, two(w, "Mul", half, two(w, "Add", f, number(w, 1))));
}
static glia_status write_gelu(gi_onnx_writing *w) {
  return half_of(w, one(w, "Erf", two(w, "Mul", x(w), number(w, sqrt(0.5)))));
}
/* tanh(sqrt(2 / pi) x (1 + 0.044715 x^2)) */
static glia_status write_gelu_tanh(gi_onnx_writing *w) {
  const char *cube = two(w, "Mul", two(w, "Mul", x(w), x(w)), number(w, 0.044715));
  const char *inner = two(w, "Mul", x(w), two(w, "Add", cube, number(w, 1)));
  const double slope = sqrt(8 / atan(1)) / 4; /* sqrt(2 / pi) */
  return half_of(w, one(w, "Tanh", two(w, "Mul", inner, number(w, slope))));
}
static glia_status write_silu(gi_onnx_writing *w) {
  return give(w, two(w, "Mul", x(w), one(w, "Sigmoid", x(w))));
}
static glia_status write_mish(gi_onnx_writing *w) {
  return give(w, two(w, "Mul", x(w), one(w, "Tanh", one(w, "Softplus", x(w)))));
}
static glia_status write_log_sigmoid(gi_onnx_writing *w) {
  return give(w, one(w, "Neg", one(w, "Softplus", one(w, "Neg", x(w)))));
}
static glia_status write_hard_sigmoid(gi_onnx_writing *w) {
  gi_onnx_put_float(w, "alpha", 1.0 / 6);
  gi_onnx_put_float(w, "beta", 0.5);
  return give(w, one(w, "HardSigmoid", x(w)));
}
static glia_status shrink(gi_onnx_writing *w, double bias) {
  gi_onnx_put_float(w, "lambd", numbers(w)->a);
  gi_onnx_put_float(w, "bias", bias);
  return give(w, one(w, "Shrink", x(w)));
}
static glia_status write_soft_shrink(gi_onnx_writing *w) { return shrink(w, numbers(w)->a); }
static glia_status write_hard_shrink(gi_onnx_writing *w) { return shrink(w, 0); }
static glia_status write_tanh_shrink(gi_onnx_writing *w) {
  return give(w, two(w, "Sub", x(w), one(w, "Tanh", x(w))));
}
static glia_status write_threshold(gi_onnx_writing *w) {
  const gi_elementwise_attr *a = numbers(w);
  const char *low = two(w, "LessOrEqual", x(w), number(w, a->a));
  return give(w, gi_onnx_put(w, "Where", 3, low, number(w, a->b), x(w)));
}

/* ---- rows -------------------------------------------------------------------------------- */

#define SAME(id, onnx) static const gi_onnx_export id##_row = {.op = &gi_op_##id, .name = onnx}
#define MADE(id)       static const gi_onnx_export id##_row = {.op = &gi_op_##id, .write = write_##id}
SAME(add, "Add");
SAME(sub, "Sub");
SAME(mul, "Mul");
SAME(div, "Div");
SAME(pow, "Pow");
SAME(minimum, "Min");
SAME(maximum, "Max");
SAME(equal, "Equal");
MADE(not_equal);
SAME(less, "Less");
SAME(less_equal, "LessOrEqual");
SAME(greater, "Greater");
SAME(greater_equal, "GreaterOrEqual");
SAME(logical_and, "And");
SAME(logical_or, "Or");
SAME(logical_not, "Not");
SAME(is_nan, "IsNaN");
SAME(where, "Where");
SAME(neg, "Neg");
SAME(abs, "Abs");
SAME(sign, "Sign");
SAME(floor, "Floor");
SAME(ceil, "Ceil");
SAME(round, "Round");
MADE(square);
SAME(reciprocal, "Reciprocal");
SAME(sqrt, "Sqrt");
MADE(rsqrt);
SAME(exp, "Exp");
SAME(log, "Log");
MADE(log1p);
MADE(expm1);
SAME(sin, "Sin");
SAME(cos, "Cos");
SAME(tan, "Tan");
SAME(asin, "Asin");
SAME(acos, "Acos");
SAME(atan, "Atan");
SAME(sinh, "Sinh");
SAME(cosh, "Cosh");
SAME(asinh, "Asinh");
SAME(acosh, "Acosh");
SAME(atanh, "Atanh");
SAME(erf, "Erf");
SAME(sigmoid, "Sigmoid");
SAME(tanh, "Tanh");
SAME(relu, "Relu");
MADE(relu6);
MADE(leaky_relu);
MADE(elu);
SAME(selu, "Selu");
MADE(celu);
MADE(gelu);
MADE(gelu_tanh);
MADE(silu);
MADE(mish);
SAME(softplus, "Softplus");
MADE(log_sigmoid);
SAME(softsign, "Softsign");
MADE(hard_sigmoid);
SAME(hard_swish, "HardSwish");
MADE(soft_shrink);
MADE(hard_shrink);
MADE(tanh_shrink);
MADE(threshold);
MADE(clip);
MADE(cast);

#define ROW(id, ...) &id##_row,
const gi_onnx_export *const gi_onnx_exports_elementwise[] = {
#include "ops/elementwise.def"
    NULL,
};
