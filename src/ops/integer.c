/* integer.c - whole numbers as machines have them: all 64 bits, sums and products modulo
 * 2^bits.
 *
 * The elementwise ops go through double: exact up to 2^53, saturating behind the dtype's range.
 * These keep every bit. Shapes broadcast; both inputs are of one integer dtype, which is the
 * result's, or bool for comparisons. With `natural` the bits of an i64 are a number from 0 to
 * 2^64 - 1. A division by 0 gives 0 and, as a shift by too many bits, never traps.
 */
#include "glia/integers.h"

#include "ops/attrs.h"
#include "ops/ref.h"

/* Over a, b (int64_t) and their bits x, y (uint64_t); `natural`; `bits` of the dtype. */
#define QUOTIENT  (b == 0 ? 0 : natural ? x / y : b == -1 ? 0 - x : (uint64_t)(a / b))
#define REMAINDER (b == 0 ? 0 : natural ? x % y : b == -1 ? 0 : (uint64_t)(a % b))
#define PRODUCT   (x * y)
#define COMMON    (x & y)
#define IS_LESS   (natural ? x < y : a < b)
#define SHIFT_UP  (b < 0 || b >= bits ? 0 : x << b)
#define SHIFT_DOWN \
  (natural ? (b < 0 || b >= 64 ? 0 : x >> b) : (uint64_t)(a >> (b < 0 || b >= bits ? 63 : b)))

/* Of the sign of the divisor: what is left is moved by one divisor where signs differ. */
static uint64_t modulus(int64_t a, int64_t b, bool natural) {
  const uint64_t x = (uint64_t)a, y = (uint64_t)b;
  const uint64_t r = REMAINDER;
  return !natural && r != 0 && ((int64_t)r < 0) != (b < 0) ? r + y : r;
}

/* name, takes any order, gives bool, value, doc, PyTorch */
#define INTEGER_MAP(X)                                                                     \
  X(integer_add, GI_COMMUTES, false, x + y, "a + b modulo 2^bits", "x0 + x1")              \
  X(integer_sub, 0, false, x - y, "a - b modulo 2^bits", "x0 - x1")                        \
  X(integer_mul, GI_COMMUTES, false, PRODUCT, "a b modulo 2^bits", "x0 * x1")              \
  X(integer_div, 0, false, QUOTIENT, "a / b towards 0; 0 where b is 0",                    \
    "torch.div(x0, x1, rounding_mode='trunc')")                                            \
  X(integer_rem, 0, false, REMAINDER, "what a / b towards 0 leaves, of a's sign",          \
    "torch.fmod(x0, x1)")                                                                  \
  X(integer_mod, 0, false, modulus(a, b, natural), "a modulo b, of b's sign",              \
    "torch.remainder(x0, x1)")                                                             \
  X(integer_max, GI_COMMUTES, false, IS_LESS ? y : x, "the larger one",                    \
    "torch.maximum(x0, x1)")                                                               \
  X(integer_min, GI_COMMUTES, false, IS_LESS ? x : y, "the smaller one",                   \
    "torch.minimum(x0, x1)")                                                               \
  X(integer_less, 0, true, IS_LESS, "a < b", "x0 < x1")                                    \
  X(integer_equal, GI_COMMUTES, true, x == y, "a == b", "x0 == x1")                        \
  X(bit_and, GI_COMMUTES, false, COMMON, "the bits that both have", "x0 & x1")             \
  X(bit_or, GI_COMMUTES, false, x | y, "the bits that either has", "x0 | x1")              \
  X(bit_xor, GI_COMMUTES, false, x ^ y, "the bits that one of both has", "x0 ^ x1")        \
  X(shift_left, 0, false, SHIFT_UP, "a moved b bits up, zeros behind", "x0 << x1")         \
  X(shift_right, 0, false, SHIFT_DOWN, "a moved b bits down, copies of its sign in front", \
    "x0 >> x1")

/* ---- checks and reference ---------------------------------------------------------------- */

static glia_status check(gi_infer *c, const char *op, bool truth) {
  char text[GI_TEXT];
  const glia_dtype dtype = c->in[0].dtype;
  if (glia_dtype_is_float(dtype) || dtype == GLIA_BOOL)
    return gi_fail(GLIA_DTYPE, "%s: got %s, wanted whole numbers; hint: glia_cast", op,
                   gi_type_text(&c->in[0], text, sizeof text));
  GI_TRY(gi_want_same(c, 0, 1, op));
  if (((const gi_integer_attr *)c->attr)->natural && dtype != GLIA_I64)
    return gi_fail(GLIA_DTYPE, "%s: natural is for i64, got %s", op,
                   gi_type_text(&c->in[0], text, sizeof text));
  GI_TRY(gi_broadcast(&c->in[0], &c->in[1], op, &c->out[0]));
  if (truth) c->out[0].dtype = GLIA_BOOL;
  return GLIA_OK;
}

/* The low bits of v as element i. */
static void put(const gi_buf *out, int64_t i, uint64_t v) {
  switch (out->t.dtype) {
    case GLIA_I64: ((int64_t *)out->p)[i] = (int64_t)v; break;
    case GLIA_I32: ((int32_t *)out->p)[i] = (int32_t)(uint32_t)v; break;
    default: ((uint8_t *)out->p)[i] = (uint8_t)v; break;
  }
}

typedef uint64_t rule(int64_t a, int64_t b, bool natural, int bits);

static glia_status each(gi_ref *c, rule *of) {
  const gi_type *t = &c->out[0].t;
  const bool natural = ((const gi_integer_attr *)c->attr)->natural;
  const int bits = 8 * (int)glia_dtype_size(c->in[0].t.dtype);
  int64_t strides[2][GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  for (int i = 0; i < 2; i++) gi_broadcast_strides(&c->in[i].t, t, strides[i]);
  const int64_t count = gi_type_count(t);
  for (int64_t e = 0; e < count; e++, gi_next(t, at)) {
    const int64_t a = gi_index_at(&c->in[0], gi_offset(t->rank, at, strides[0]));
    const int64_t b = gi_index_at(&c->in[1], gi_offset(t->rank, at, strides[1]));
    put(&c->out[0], e, of(a, b, natural, bits));
  }
  return GLIA_OK;
}

/* ---- samples and rows -------------------------------------------------------------------- */

static const gi_integer_attr signed_numbers = {false}, natural_numbers = {true};
static const gi_attr fields[] = {
    {"natural", GI_ATTR_BOOL, offsetof(gi_integer_attr, natural),
     "the bits of i64 are a number from 0 to 2^64 - 1"},
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

/* clang-format off */
static const gi_sample samples[] = {
    {&signed_numbers, 2, {{2, {3, 5}, -40, 40, GLIA_I32}, {2, {3, 5}, -6, 7, GLIA_I32}}, GLIA_OK},
    {&signed_numbers, 2, {{2, {2, 3}, -9, 9, GLIA_I64}, {1, {3}, 1, 70, GLIA_I64}}, GLIA_OK},
    {&signed_numbers, 2, {{1, {33}, 0, 255, GLIA_U8}, {1, {33}, 0, 9, GLIA_U8}}, GLIA_OK},
    {&signed_numbers, 2, {{1, {9}, -128, 127, GLIA_I8}, {0, {0}, -3, 3, GLIA_I8}}, GLIA_OK},
    {&natural_numbers, 2, {{1, {9}, -9, 9, GLIA_I64}, {2, {4, 1}, -9, 9, GLIA_I64}}, GLIA_OK},
    {&signed_numbers, 2, {{2, {0, 3}, 0, 9, GLIA_I64}, {1, {1}, 0, 9, GLIA_I64}}, GLIA_OK},
    {&natural_numbers, 2, {{1, {9}, 0, 9, GLIA_I32}, {1, {9}, 0, 9, GLIA_I32}}, GLIA_DTYPE},
    {&signed_numbers, 2, {{1, {9}, 0, 9, GLIA_I32}, {1, {9}, 0, 9, GLIA_I64}}, GLIA_DTYPE},
    {&signed_numbers, 2, {{1, {9}, 0, 9, GLIA_F32}, {1, {9}, 0, 9, GLIA_F32}}, GLIA_DTYPE},
    {&signed_numbers, 2, {{1, {3}, 0, 9, GLIA_I32}, {1, {4}, 0, 9, GLIA_I32}}, GLIA_SHAPE},
};
/* clang-format on */

#define ROW(name_, flags_, truth, value, doc_, torch_)                              \
  static uint64_t value_##name_(int64_t a, int64_t b, bool natural, int bits) {     \
    const uint64_t x = (uint64_t)a, y = (uint64_t)b;                                \
    (void)x, (void)y, (void)natural, (void)bits;                                    \
    return value;                                                                   \
  }                                                                                 \
  static glia_status infer_##name_(gi_infer *c) { return check(c, #name_, truth); } \
  static glia_status ref_##name_(gi_ref *c) { return each(c, value_##name_); }      \
  const gi_op gi_op_##name_ = {                                                     \
      .name = #name_,                                                               \
      .doc = doc_,                                                                  \
      .torch = torch_,                                                              \
      .min_in = 2,                                                                  \
      .max_in = 2,                                                                  \
      .n_out = 1,                                                                   \
      .flags = GI_IN_PLACE | (flags_),                                              \
      .attr_size = sizeof(gi_integer_attr),                                         \
      .attrs = fields,                                                              \
      .infer = infer_##name_,                                                       \
      .no_grad = "whole numbers do not change by little",                           \
      .ref = ref_##name_,                                                           \
      .samples = samples,                                                           \
      .n_samples = GI_COUNT(samples),                                               \
  };                                                                                \
  glia_value glia_##name_(glia_value a, glia_value b) {                             \
    return gi_emit2(&gi_op_##name_, &signed_numbers, a, b);                         \
  }
INTEGER_MAP(ROW)
#undef ROW

/* ---- bits as another dtype --------------------------------------------------------------- */

static glia_status infer_bit_cast(gi_infer *c) {
  c->out[0] = c->in[0];
  c->out[0].dtype = ((const gi_bit_cast_attr *)c->attr)->dtype;
  return glia_dtype_size(c->out[0].dtype) > 0
             ? gi_type_check(&c->out[0], "bit_cast")
             : gi_fail(GLIA_DTYPE, "bit_cast: there is no such dtype");
}

/* Little-endian: the low bytes come first. */
static glia_status ref_bit_cast(gi_ref *c) {
  const size_t from = glia_dtype_size(c->in[0].t.dtype),
               to = glia_dtype_size(c->out[0].t.dtype);
  const int64_t count = gi_type_count(&c->out[0].t);
  const char *src = c->in[0].p;
  char *dst = c->out[0].p;
  gi_zero(&c->out[0]);
  for (int64_t e = 0; e < count; e++)
    memcpy(dst + (size_t)e * to, src + (size_t)e * from, GI_MIN(from, to));
  return GLIA_OK;
}

static const gi_attr bit_cast_fields[] = {
    {"dtype", GI_ATTR_DTYPE, offsetof(gi_bit_cast_attr, dtype), "of the result"},
    {NULL, GI_ATTR_DTYPE, 0, NULL},
};
static const gi_bit_cast_attr as_i64 = {GLIA_I64}, as_i32 = {GLIA_I32}, as_u8 = {GLIA_U8},
                              as_none = {(glia_dtype)99};
static const gi_sample bit_cast_samples[] = {
    {&as_i64, 1, {{2, {3, 5}, -9, 9, GLIA_I32}}, GLIA_OK},
    {&as_i32, 1, {{2, {3, 5}, -9, 9, GLIA_I64}}, GLIA_OK},
    {&as_i32, 1, {{1, {7}, -9, 9, GLIA_I8}}, GLIA_OK},
    {&as_u8, 1, {{1, {7}, -9, 9, GLIA_I64}}, GLIA_OK},
    {&as_u8, 1, {{2, {0, 3}, 0, 2, GLIA_BOOL}}, GLIA_OK},
    {&as_none, 1, {{1, {7}, -9, 9, GLIA_I32}}, GLIA_DTYPE},
};

const gi_op gi_op_bit_cast = {
    .name = "bit_cast",
    .doc = "the low bytes of elements as elements of another dtype, zeros where it is wider",
    .torch = "x0.view(dtype)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_bit_cast_attr),
    .attrs = bit_cast_fields,
    .infer = infer_bit_cast,
    .no_grad = "bits do not change by little",
    .ref = ref_bit_cast,
    .samples = bit_cast_samples,
    .n_samples = GI_COUNT(bit_cast_samples),
};

glia_value glia_bit_cast(glia_value x, glia_dtype dtype) {
  const gi_bit_cast_attr a = {dtype};
  if (!gi_null(x) && glia_value_dtype(x) == dtype) return x;
  return gi_emit1(&gi_op_bit_cast, &a, x);
}

#define ROW(name, ...) &gi_op_##name,
const gi_op *const gi_ops_integer[] = {INTEGER_MAP(ROW) & gi_op_bit_cast, NULL};
#undef ROW
