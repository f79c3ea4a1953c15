/* elementwise.c - arithmetic, comparisons, truths and bits, element by element.
 *
 * Since opset 7 the shapes of two inputs broadcast as NumPy's do. Before, the second one was
 * fitted to axes of the first: the last ones, or those from `axis` on. Whole numbers are modulo
 * their range, and every bit of them counts (ops/integer.c).
 */
#include <math.h>

#include "formats/onnx/operators/common.h"
#include "glia/integers.h"

/* ---- one input ----------------------------------------------------------------------------
 */

/* clang-format off */
#define UNARY_MAP(X) \
  X(Acos, glia_acos, 7) \
  X(Acosh, glia_acosh, 9) \
  X(Asin, glia_asin, 7) \
  X(Asinh, glia_asinh, 9) \
  X(Atan, glia_atan, 7) \
  X(Atanh, glia_atanh, 9) \
  X(Ceil, glia_ceil, 1) \
  X(Cos, glia_cos, 7) \
  X(Cosh, glia_cosh, 9) \
  X(Erf, glia_erf, 9) \
  X(Exp, glia_exp, 1) \
  X(Floor, glia_floor, 1) \
  X(IsNaN, glia_is_nan, 9) \
  X(Log, glia_log, 1) \
  X(Not, glia_logical_not, 1) \
  X(Reciprocal, glia_reciprocal, 1) \
  X(Round, glia_round, 11) \
  X(Sin, glia_sin, 7) \
  X(Sinh, glia_sinh, 9) \
  X(Sqrt, glia_sqrt, 1) \
  X(Tan, glia_tan, 7)
/* clang-format on */

#define ENTRY(name, of, ...) {#name, of},
static const struct {
  const char *name;
  glia_value (*of)(glia_value x);
} unary[] = {UNARY_MAP(ENTRY)};
#undef ENTRY

static glia_status build_unary(gi_onnx_call *c) {
  for (int i = 0; i < GI_COUNT(unary); i++)
    if (strcmp(unary[i].name, c->node->op) == 0) c->out[0] = unary[i].of(c->in[0]);
  return GLIA_OK;
}

static glia_status build_identity(gi_onnx_call *c) {
  c->out[0] = c->in[0];
  c->out_type[0] = c->in_type[0];
  return GLIA_OK;
}

/* 0 - x, which turns every bit of the smallest whole number as it should. */
static glia_value negated(glia_value x) {
  if (glia_dtype_is_float(glia_value_dtype(x))) return glia_neg(x);
  return glia_integer_sub(glia_scalar_like(x, 0), x);
}

static glia_status build_neg(gi_onnx_call *c) {
  c->out[0] = negated(c->in[0]);
  return GLIA_OK;
}

static glia_status build_abs(gi_onnx_call *c) {
  const glia_value x = c->in[0];
  const bool natural = c->in_type[0] == GI_ONNX_UINT64 || glia_value_dtype(x) == GLIA_U8;
  c->out[0] = natural                                    ? x
              : glia_dtype_is_float(glia_value_dtype(x)) ? glia_abs(x)
                                                         : glia_integer_max(x, negated(x));
  return GLIA_OK;
}

static glia_status build_sign(gi_onnx_call *c) {
  const glia_value x = c->in[0];
  c->out[0] = c->in_type[0] == GI_ONNX_UINT64
                  ? glia_cast(glia_not_equal(x, glia_scalar_like(x, 0)), GLIA_I64)
                  : glia_sign(x);
  return GLIA_OK;
}

static glia_status build_is_inf(gi_onnx_call *c) {
  bool below = true, above = true;
  GI_TRY(gi_onnx_bool(c, "detect_negative", true, &below));
  GI_TRY(gi_onnx_bool(c, "detect_positive", true, &above));
  const glia_value x = gi_onnx_wide(c->in[0]);
  const glia_value seen = below && above ? glia_abs(x) : below ? glia_neg(x) : x;
  c->out[0] = glia_equal(seen, glia_scalar_like(x, below || above ? INFINITY : NAN));
  return GLIA_OK;
}

/* ---- two inputs ---------------------------------------------------------------------------
 */

/* Input 1 with its axes where they belong. */
static glia_status operand(gi_onnx_call *c, glia_value *out) {
  const gi_type a = gi_value_type(c->in[0]);
  gi_type b = gi_value_type(c->in[1]);
  bool broadcast = false;
  int axis = 0;
  *out = c->in[1];
  if (c->opset >= 7) return GLIA_OK;
  GI_TRY(gi_onnx_bool(c, "broadcast", false, &broadcast));
  if (!broadcast || b.rank >= a.rank || !gi_onnx_has(c, "axis")) return GLIA_OK;
  GI_TRY(gi_onnx_axis(c, "axis", 0, a.rank, &axis));
  if (axis + b.rank > a.rank)
    return gi_onnx_fail(c, GLIA_SHAPE, "%d axes do not fit from axis %d of %d on", b.rank, axis,
                        a.rank);
  for (int d = axis + b.rank; d < a.rank; d++) b.dim[b.rank++] = 1;
  *out = gi_onnx_reshape(c->in[1], &b);
  return GLIA_OK;
}

#define ARITHMETIC_MAP(X)              \
  X(Add, glia_add, &gi_op_integer_add) \
  X(Sub, glia_sub, &gi_op_integer_sub) \
  X(Mul, glia_mul, &gi_op_integer_mul) X(Div, glia_div, &gi_op_integer_div)

#define ENTRY(name, floats, whole) {#name, floats, whole},
static const struct {
  const char *name;
  glia_value (*floats)(glia_value a, glia_value b);
  const gi_op *whole;
} arithmetic[] = {ARITHMETIC_MAP(ENTRY)};
#undef ENTRY

static glia_status build_arithmetic(gi_onnx_call *c) {
  glia_value b = GLIA_NONE;
  GI_TRY(operand(c, &b));
  const bool floats = glia_dtype_is_float(glia_value_dtype(c->in[0]));
  for (int i = 0; i < GI_COUNT(arithmetic); i++)
    if (strcmp(arithmetic[i].name, c->node->op) == 0)
      c->out[0] = floats ? arithmetic[i].floats(c->in[0], b)
                         : gi_onnx_whole(arithmetic[i].whole, c->in[0], b, c->in_type[0]);
  return GLIA_OK;
}

/* a - b trunc(a / b) in f64, where the quotient of f32 numbers is exact enough to be cut. */
static glia_value float_remainder(glia_value a, glia_value b) {
  const glia_dtype t = glia_value_dtype(a);
  a = glia_cast(a, GLIA_F64);
  b = glia_cast(b, GLIA_F64);
  const glia_value q = glia_div(a, b);
  const glia_value whole = glia_mul(glia_sign(q), glia_floor(glia_abs(q)));
  const glia_value endless = glia_equal(glia_abs(b), glia_scalar_like(b, INFINITY));
  const glia_value rest = glia_sub(a, glia_mul(b, whole));
  return glia_cast(glia_where(endless, glia_add(a, glia_scalar_like(a, 0)), rest), t);
}

static glia_status build_mod(gi_onnx_call *c) {
  bool fmod = false;
  GI_TRY(gi_onnx_bool(c, "fmod", false, &fmod));
  const bool floats = glia_dtype_is_float(glia_value_dtype(c->in[0]));
  if (floats && !fmod) return gi_onnx_fail(c, GLIA_MODEL, "fmod is 0, floats want 1");
  c->out[0] = floats ? float_remainder(c->in[0], c->in[1])
                     : gi_onnx_whole(fmod ? &gi_op_integer_rem : &gi_op_integer_mod, c->in[0],
                                     c->in[1], c->in_type[0]);
  return GLIA_OK;
}

/* The result is of the base's type, whatever the exponent's is. Whole powers in f64. */
static glia_status build_pow(gi_onnx_call *c) {
  glia_value e = GLIA_NONE, x = c->in[0];
  double constant = 0;
  GI_TRY(operand(c, &e));
  const gi_type base = gi_value_type(x);
  const bool floats = glia_dtype_is_float(base.dtype);
  const bool alone = gi_value_type(e).rank <= base.rank;
  if (floats && alone && gi_onnx_constant_number(e, &constant) &&
      (constant == 1 || constant == 2 || constant == 3)) {
    c->out[0] = constant == 1   ? x
                : constant == 2 ? glia_square(x)
                                : glia_mul(x, glia_square(x));
    return GLIA_OK;
  }
  int real = GI_ONNX_DOUBLE;
  if (floats) {
    real = gi_onnx_type_of(base.dtype);
  } else {
    GI_TRY(gi_onnx_cast(c, x, c->in_type[0], real, &x));
  }
  if (c->in_type[1] != real) GI_TRY(gi_onnx_cast(c, e, c->in_type[1], real, &e));
  x = glia_pow(x, e);
  return floats ? (c->out[0] = x, GLIA_OK)
                : gi_onnx_cast(c, x, real, c->in_type[0], &c->out[0]);
}

/* ---- comparisons and truths ---------------------------------------------------------------
 */

/* Bit 0: a and b change places; bit 1: what it says is denied. */
enum { SWAPPED = 1, DENIED = 2 };
#define COMPARISON_MAP(X)                           \
  X(Less, glia_less, 0, 1)                          \
  X(Greater, glia_greater, SWAPPED, 1)              \
  X(GreaterOrEqual, glia_greater_equal, DENIED, 12) \
  X(LessOrEqual, glia_less_equal, SWAPPED | DENIED, 12)

#define ENTRY(name, of, how, ...) {#name, of, how},
static const struct {
  const char *name;
  glia_value (*of)(glia_value a, glia_value b);
  int by_less; /* how it is said by "less", where all 64 bits count */
} comparisons[] = {COMPARISON_MAP(ENTRY)};
#undef ENTRY

static glia_status build_comparison(gi_onnx_call *c) {
  glia_value a = c->in[0], b = GLIA_NONE;
  GI_TRY(operand(c, &b));
  for (int i = 0; i < GI_COUNT(comparisons); i++) {
    if (strcmp(comparisons[i].name, c->node->op) != 0) continue;
    const int how = comparisons[i].by_less;
    if (glia_value_dtype(a) != GLIA_I64) {
      c->out[0] = comparisons[i].of(a, b);
      continue;
    }
    const glia_value less =
        how & SWAPPED ? gi_onnx_less(b, a, c->in_type[0]) : gi_onnx_less(a, b, c->in_type[0]);
    c->out[0] = how & DENIED ? glia_logical_not(less) : less;
  }
  return GLIA_OK;
}

static glia_status build_equal(gi_onnx_call *c) {
  glia_value b = GLIA_NONE;
  GI_TRY(operand(c, &b));
  c->out[0] = glia_value_dtype(b) == GLIA_I64 ? glia_integer_equal(c->in[0], b)
                                              : glia_equal(c->in[0], b);
  return GLIA_OK;
}

static glia_status build_truth(gi_onnx_call *c) {
  glia_value b = GLIA_NONE;
  GI_TRY(operand(c, &b));
  c->out[0] = c->node->op[0] == 'A'   ? glia_logical_and(c->in[0], b)
              : c->node->op[0] == 'O' ? glia_logical_or(c->in[0], b)
                                      : glia_not_equal(c->in[0], b);
  return GLIA_OK;
}

static glia_status build_where(gi_onnx_call *c) {
  c->out[0] = glia_where(c->in[0], c->in[1], c->in[2]);
  c->out_type[0] = c->in_type[1];
  return GLIA_OK;
}

/* ---- any number of inputs -----------------------------------------------------------------
 */

static glia_status build_many(gi_onnx_call *c) {
  const int type = c->in_type[0];
  const bool extreme = c->node->op[1] != 'u' && c->node->op[1] != 'e'; /* not Sum, Mean */
  glia_value y = extreme ? c->in[0] : gi_onnx_wide(c->in[0]);
  for (int i = 1; i < c->n_in; i++)
    y = !extreme                ? glia_add(y, gi_onnx_wide(c->in[i]))
        : c->node->op[1] == 'a' ? gi_onnx_larger(y, c->in[i], type)
                                : gi_onnx_smaller(y, c->in[i], type);
  if (c->node->op[1] == 'e') y = gi_onnx_scaled(y, 1.0 / c->n_in, 0);
  c->out[0] = glia_cast(y, glia_value_dtype(c->in[0]));
  return GLIA_OK;
}

/* Bounds are attributes before opset 11, then inputs; where they cross, the upper one wins. */
static glia_status build_clip(gi_onnx_call *c) {
  const int type = c->in_type[0];
  double low = 0, high = 0;
  glia_value y = c->in[0];
  if (c->version < 11) {
    GI_TRY(gi_onnx_float(c, "min", -INFINITY, &low));
    GI_TRY(gi_onnx_float(c, "max", INFINITY, &high));
    c->out[0] = low <= high ? glia_clip(y, low, high) : glia_full_like(y, high);
    return GLIA_OK;
  }
  const bool floats = glia_dtype_is_float(glia_value_dtype(y));
  if (floats && gi_onnx_given(c, 1) && gi_onnx_given(c, 2) &&
      gi_onnx_constant_number(c->in[1], &low) && gi_onnx_constant_number(c->in[2], &high) &&
      low <= high) {
    c->out[0] = glia_clip(y, low, high);
    return GLIA_OK;
  }
  const gi_type alone = {.dtype = glia_value_dtype(y)};
  for (int i = 1; i < 3; i++) {
    if (!gi_onnx_given(c, i)) continue;
    const glia_value bound = gi_onnx_reshape(c->in[i], &alone);
    y = i == 1 ? gi_onnx_larger(y, bound, type) : gi_onnx_smaller(y, bound, type);
  }
  c->out[0] = y;
  return GLIA_OK;
}

/* ---- bits ---------------------------------------------------------------------------------
 */

static glia_status build_bitwise(gi_onnx_call *c) {
  const char what = c->node->op[7]; /* BitwiseAnd, -Not, -Or, -Xor */
  const glia_value a = c->in[0];
  c->out[0] =
      what == 'N'
          ? glia_bit_xor(a, glia_bit_cast(glia_scalar(c->g, GLIA_I64, -1), glia_value_dtype(a)))
      : what == 'A' ? glia_bit_and(a, c->in[1])
      : what == 'O' ? glia_bit_or(a, c->in[1])
                    : glia_bit_xor(a, c->in[1]);
  return GLIA_OK;
}

static glia_status build_bit_shift(gi_onnx_call *c) {
  static const char *const words[] = {"LEFT", "RIGHT", NULL};
  int right = 0;
  GI_TRY(gi_onnx_choice(c, "direction", NULL, words, &right));
  c->out[0] = gi_onnx_whole(right ? &gi_op_shift_right : &gi_op_shift_left, c->in[0], c->in[1],
                            c->in_type[0]);
  return GLIA_OK;
}

/* ---- types --------------------------------------------------------------------------------
 */

static glia_status build_cast(gi_onnx_call *c) {
  glia_dtype dtype = GLIA_F32;
  int to = c->n_in > 1 ? c->in_type[1] : GI_ONNX_UNDEFINED; /* CastLike */
  if (c->n_in == 1) GI_TRY(gi_onnx_dtype(c, "to", GI_ONNX_UNDEFINED, &to, &dtype));
  c->out_type[0] = to;
  return gi_onnx_cast(c, c->in[0], c->in_type[0], to, &c->out[0]);
}

static glia_status build_bit_cast(gi_onnx_call *c) {
  glia_dtype dtype = GLIA_F32;
  int to = GI_ONNX_UNDEFINED;
  GI_TRY(gi_onnx_dtype(c, "to", GI_ONNX_UNDEFINED, &to, &dtype));
  if (gi_onnx_type_size(to) != gi_onnx_type_size(c->in_type[0]))
    return gi_onnx_fail(c, GLIA_MODEL, "%s and %s are not of one size",
                        gi_onnx_type_name(c->in_type[0]), gi_onnx_type_name(to));
  c->out_type[0] = to;
  if (dtype == GLIA_BOOL) return gi_onnx_cast(c, c->in[0], c->in_type[0], to, &c->out[0]);
  c->out[0] = gi_onnx_wrap(glia_bit_cast(c->in[0], dtype), to);
  return GLIA_OK;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

#define OLD "axis broadcast consumed_inputs"
#define UNARY(name, of, first) \
  GI_ONNX_ROW(#name, "consumed_inputs", 1, 1, 1, build_unary, first),
#define ARITHMETIC(name, ...) GI_ONNX_ROW(#name, OLD, 2, 2, 1, build_arithmetic, 1, 7),
#define COMPARISON(name, of, how, first) \
  GI_ONNX_ROW(#name, OLD, 2, 2, 1, build_comparison, first),

const gi_onnx_operator *const gi_onnx_operators_elementwise[] = {
    UNARY_MAP(UNARY) ARITHMETIC_MAP(ARITHMETIC) COMPARISON_MAP(COMPARISON)
        GI_ONNX_ROW("Identity", "consumed_inputs", 1, 1, 1, build_identity, 1),
    GI_ONNX_ROW("Neg", "consumed_inputs", 1, 1, 1, build_neg, 1),
    GI_ONNX_ROW("Abs", "consumed_inputs", 1, 1, 1, build_abs, 1),
    GI_ONNX_ROW("Sign", "", 1, 1, 1, build_sign, 9),
    GI_ONNX_ROW("IsInf", "detect_negative detect_positive", 1, 1, 1, build_is_inf, 10),
    GI_ONNX_ROW("Mod", "fmod", 2, 2, 1, build_mod, 10),
    GI_ONNX_ROW("Pow", OLD, 2, 2, 1, build_pow, 1, 7, 12),
    GI_ONNX_ROW("Equal", OLD, 2, 2, 1, build_equal, 1, 7),
    GI_ONNX_ROW("And", OLD, 2, 2, 1, build_truth, 1, 7),
    GI_ONNX_ROW("Or", OLD, 2, 2, 1, build_truth, 1, 7),
    GI_ONNX_ROW("Xor", OLD, 2, 2, 1, build_truth, 1, 7),
    GI_ONNX_ROW("Where", "", 3, 3, 1, build_where, 9),
    GI_ONNX_ROW("Max", "consumed_inputs", 1, -1, 1, build_many, 1, 8),
    GI_ONNX_ROW("Min", "consumed_inputs", 1, -1, 1, build_many, 1, 8),
    GI_ONNX_ROW("Sum", "consumed_inputs", 1, -1, 1, build_many, 1, 8),
    GI_ONNX_ROW("Mean", "consumed_inputs", 1, -1, 1, build_many, 1, 8),
    GI_ONNX_ROW("Clip", "min max consumed_inputs", 1, 3, 1, build_clip, 1, 11, 12),
    GI_ONNX_ROW("BitwiseAnd", "", 2, 2, 1, build_bitwise, 18),
    GI_ONNX_ROW("BitwiseNot", "", 1, 1, 1, build_bitwise, 18),
    GI_ONNX_ROW("BitwiseOr", "", 2, 2, 1, build_bitwise, 18),
    GI_ONNX_ROW("BitwiseXor", "", 2, 2, 1, build_bitwise, 18),
    GI_ONNX_ROW("BitShift", "direction", 2, 2, 1, build_bit_shift, 11),
    GI_ONNX_ROW("Cast", "to saturate round_mode", 1, 1, 1, build_cast, 6),
    GI_ONNX_ROW("CastLike", "saturate round_mode", 2, 2, 1, build_cast, 15),
    GI_ONNX_ROW("BitCast", "to", 1, 1, 1, build_bit_cast, 26),
    NULL,
};
