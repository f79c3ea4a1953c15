/* elementwise.c - the rows of elementwise.def as ops: y[i] = f(x[i], ...), shapes broadcast.
 *
 * From each row come its scalar function in double, its gradient rule, its checks, its samples
 * and its public builder. The cpu backend compiles the same value column for vectors of floats.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- values: one element in double --------------------------------------------------- */

#include "ops/scalar.h"

#define ROW(name, inputs, takes, gives, parameters, flags, low, high, doc, torch, paper, \
            value, gradients)                                                            \
  static double scalar_##name(const double *in, const void *attr) {                      \
    const gi_elementwise_attr *p = attr;                                                 \
    (void)p;                                                                             \
    ELEMENTS_##inputs return value;                                                      \
  }
#include "ops/elementwise.def"
#undef ROW
#undef P0
#undef P1

/* ---- gradients: nodes ---------------------------------------------------------------- */

#define ADD(a, b)         glia_add(a, b)
#define SUB(a, b)         glia_sub(a, b)
#define MUL(a, b)         glia_mul(a, b)
#define DIV(a, b)         glia_div(a, b)
#define NEG(a)            glia_neg(a)
#define SQUARE(a)         glia_square(a)
#define WHERE(c, a, b)    glia_where(c, a, b)
#define GREATER(a, b)     glia_greater(a, b)
#define LESS(a, b)        glia_less(a, b)
#define EQUAL(a, b)       glia_equal(a, b)
#define AND(a, b)         glia_logical_and(a, b)
#define CALL(name, x)     glia_##name(x)
#define CALL2(name, a, b) glia_##name(a, b)
#define C(v)              glia_scalar_like(dy, v)
#define ZERO              glia_full_like(dy, 0)
#define P0                (p->a)
#define P1                (p->b)

static glia_value gelu_tanh_slope(glia_value x) {
#define SLOPE_C(v) glia_scalar_like(x, v)
  const glia_value x2 = glia_square(x);
  const glia_value inner = ADD(SLOPE_C(1), MUL(SLOPE_C(GI_GELU_CUBE), x2));
  const glia_value t = glia_tanh(MUL(SLOPE_C(GI_GELU_SLOPE), MUL(x, inner)));
  const glia_value du =
      MUL(SLOPE_C(GI_GELU_SLOPE), ADD(SLOPE_C(1), MUL(SLOPE_C(3 * GI_GELU_CUBE), x2)));
  const glia_value curve = MUL(MUL(x, SUB(SLOPE_C(1), SQUARE(t))), du);
  return MUL(SLOPE_C(0.5), ADD(ADD(SLOPE_C(1), t), curve));
}

static glia_value mish_slope(glia_value x) {
  const glia_value t = glia_tanh(glia_softplus(x));
  return ADD(t, MUL(MUL(x, SUB(SLOPE_C(1), SQUARE(t))), glia_sigmoid(x)));
#undef SLOPE_C
}

static glia_value cast_like(glia_value dy, glia_value x) {
  return glia_cast(dy, glia_value_dtype(x));
}

/* clang-format off */
#define VALUES_1 const glia_value x = v->in[0]; (void)x;
#define VALUES_2 const glia_value a = v->in[0], b = v->in[1]; (void)a, (void)b;
#define VALUES_3 const glia_value c = v->in[0]; (void)c;
#define G1(for_x) v->din[0] = glia_sum_to(for_x, x);
#define G2(for_a, for_b)                                                                       \
  if (v->need[0]) v->din[0] = glia_sum_to(for_a, a);                                           \
  if (v->need[1]) v->din[1] = glia_sum_to(for_b, b);
#define G3(for_a, for_b)                                                                       \
  if (v->need[1]) v->din[1] = glia_sum_to(for_a, v->in[1]);                                    \
  if (v->need[2]) v->din[2] = glia_sum_to(for_b, v->in[2]);
/* clang-format on */
#define RULE_G1(e)       1
#define RULE_G2(e, f)    1
#define RULE_G3(e, f)    1
#define RULE_NO_GRADIENT 0
#define NO_GRADIENT

#define ROW(name, inputs, takes, gives, parameters, flags, low, high, doc, torch, paper, \
            value, gradients)                                                            \
  static glia_status vjp_##name(gi_vjp *v) {                                             \
    const gi_elementwise_attr *p = v->attr;                                              \
    const glia_value y = v->out[0], dy = v->dout[0];                                     \
    (void)p, (void)y, (void)dy;                                                          \
    VALUES_##inputs gradients return glia_graph_status(v->g);                            \
  }
#include "ops/elementwise.def"
#undef ROW

/* ---- shapes and dtypes --------------------------------------------------------------- */

typedef enum operand { FLOATS, NUMBERS, ANYTHING, TRUTHS } operand;
typedef enum result { SAME, TRUTH, CAST } result;

static const gi_attr fields_none[] = {{NULL, GI_ATTR_F64, 0, NULL}};
static const gi_attr fields_slope[] = {
    {"slope", GI_ATTR_F64, offsetof(gi_elementwise_attr, a),
     "factor where x <= 0; usually 0.01"},
    {NULL, GI_ATTR_F64, 0, NULL},
};
static const gi_attr fields_alpha[] = {
    {"alpha", GI_ATTR_F64, offsetof(gi_elementwise_attr, a), "-alpha is the limit; usually 1"},
    {NULL, GI_ATTR_F64, 0, NULL},
};
static const gi_attr fields_limit[] = {
    {"limit", GI_ATTR_F64, offsetof(gi_elementwise_attr, a),
     "half the width of what becomes 0"},
    {NULL, GI_ATTR_F64, 0, NULL},
};
static const gi_attr fields_level[] = {
    {"threshold", GI_ATTR_F64, offsetof(gi_elementwise_attr, a), "what is above it stays"},
    {"value", GI_ATTR_F64, offsetof(gi_elementwise_attr, b), "what the rest becomes"},
    {NULL, GI_ATTR_F64, 0, NULL},
};
static const gi_attr fields_range[] = {
    {"low", GI_ATTR_F64, offsetof(gi_elementwise_attr, a), "smallest result"},
    {"high", GI_ATTR_F64, offsetof(gi_elementwise_attr, b), "largest result"},
    {NULL, GI_ATTR_F64, 0, NULL},
};
static const gi_attr fields_dtype[] = {
    {"dtype", GI_ATTR_DTYPE, offsetof(gi_elementwise_attr, dtype), "of the result"},
    {NULL, GI_ATTR_F64, 0, NULL},
};

static glia_status check_dtype(const char *op, operand takes, const gi_type *t) {
  static const char *const wanted[] = {"floats", "numbers", "elements", "bool"};
  const bool truth = t->dtype == GLIA_BOOL, floats = glia_dtype_is_float(t->dtype);
  const bool fits = takes == ANYTHING || (takes == FLOATS && floats) ||
                    (takes == NUMBERS && !truth) || (takes == TRUTHS && truth);
  char text[GI_TEXT];
  if (fits) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: got %s, wanted %s; hint: glia_cast", op,
                 gi_type_text(t, text, sizeof text), wanted[takes]);
}

static glia_status infer_row(const char *op, operand takes, result gives, const gi_attr *fields,
                             gi_infer *c) {
  const gi_elementwise_attr *p = c->attr;
  const int first = c->n_in == 3 ? 1 : 0; /* behind the condition */
  char text[GI_TEXT];
  if (first == 1 && c->in[0].dtype != GLIA_BOOL)
    return gi_fail(GLIA_DTYPE, "%s: the condition is %s, wanted bool", op,
                   gi_type_text(&c->in[0], text, sizeof text));
  for (int i = first; i < c->n_in; i++) {
    GI_TRY(check_dtype(op, takes, &c->in[i]));
    GI_TRY(gi_want_same(c, first, i, op));
  }
  if (fields == fields_range && !(p->a <= p->b))
    return gi_fail(GLIA_INVALID, "%s: low is %g, high %g, wanted low <= high", op, p->a, p->b);
  gi_type t = c->in[0];
  for (int i = 1; i < c->n_in; i++) GI_TRY(gi_broadcast(&t, &c->in[i], op, &t));
  t.dtype = gives == CAST ? p->dtype : gives == TRUTH ? GLIA_BOOL : c->in[first].dtype;
  c->out[0] = t;
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

static glia_status ref_row(double (*scalar)(const double *, const void *), gi_ref *c) {
  const gi_type *t = &c->out[0].t;
  int64_t strides[3][GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  for (int i = 0; i < c->n_in; i++) gi_broadcast_strides(&c->in[i].t, t, strides[i]);
  const int64_t count = gi_type_count(t);
  for (int64_t e = 0; e < count; e++, gi_next(t, at)) {
    double x[3];
    for (int i = 0; i < c->n_in; i++)
      x[i] = gi_get(&c->in[i], gi_offset(t->rank, at, strides[i]));
    gi_put(&c->out[0], e, scalar(x, c->attr));
  }
  return GLIA_OK;
}

/* A cast of integers to integers must not pass through double. Elements are read before they
 * are written over, in pieces, since the result may take the place of the input. */
static glia_status ref_cast(gi_ref *c) {
  const glia_dtype from = c->in[0].t.dtype, to = c->out[0].t.dtype;
  const int64_t count = gi_type_count(&c->out[0].t);
  const char *src = c->in[0].p;
  char *dst = c->out[0].p;
  double piece[64];
  for (int64_t e = 0; e < count; e += GI_COUNT(piece)) {
    const int64_t n = GI_MIN(count - e, GI_COUNT(piece));
    memcpy(piece, src + (size_t)e * glia_dtype_size(from), (size_t)n * glia_dtype_size(from));
    gi_convert(from, piece, to, dst + (size_t)e * glia_dtype_size(to), n);
  }
  return GLIA_OK;
}

/* ---- samples ------------------------------------------------------------------------- */

static const gi_elementwise_attr attr_none;
static const gi_elementwise_attr attr_slope = {.a = 0.1};
static const gi_elementwise_attr attr_alpha = {.a = 0.7};
static const gi_elementwise_attr attr_limit = {.a = 0.5};
static const gi_elementwise_attr attr_level = {.a = 0.3, .b = -2};
static const gi_elementwise_attr attr_range = {.a = -0.6, .b = 1.1};
static const gi_elementwise_attr attr_dtype = {.dtype = GLIA_F64};

#define OPERAND_FLOATS   GLIA_F32
#define OPERAND_NUMBERS  GLIA_F32
#define OPERAND_ANYTHING GLIA_F32
#define OPERAND_TRUTHS   GLIA_BOOL
#define INTEGER_FLOATS   GLIA_DTYPE
#define INTEGER_NUMBERS  GLIA_OK
#define INTEGER_ANYTHING GLIA_OK
#define INTEGER_TRUTHS   GLIA_DTYPE

/* clang-format off */
#define SAMPLES_1(p, t, low, high, integers)                                                   \
  {p, 1, {{2, {3, 5}, low, high, t}}, GLIA_OK},                                                \
  {p, 1, {{0, {0}, low, high, t}}, GLIA_OK},                                                   \
  {p, 1, {{3, {1, 67, 1}, low, high, t}}, GLIA_OK},                                            \
  {p, 1, {{2, {0, 4}, low, high, t}}, GLIA_OK},                                                \
  {p, 1, {{1, {9}, 0, 4, GLIA_I32}}, integers},
#define SAMPLES_2(p, t, low, high, integers)                                                   \
  {p, 2, {{2, {2, 3}, low, high, t}, {2, {2, 3}, low, high, t}}, GLIA_OK},                     \
  {p, 2, {{3, {2, 3, 4}, low, high, t}, {2, {3, 1}, low, high, t}}, GLIA_OK},                  \
  {p, 2, {{2, {5, 1}, low, high, t}, {2, {1, 33}, low, high, t}}, GLIA_OK},                    \
  {p, 2, {{2, {3, 5}, low, high, t}, {0, {0}, low, high, t}}, GLIA_OK},                        \
  {p, 2, {{2, {0, 3}, low, high, t}, {2, {1, 3}, low, high, t}}, GLIA_OK},                     \
  {p, 2, {{1, {33}, 0, 4, GLIA_I32}, {1, {33}, 0, 4, GLIA_I32}}, integers},                    \
  {p, 2, {{2, {2, 3}, low, high, t}, {2, {2, 4}, low, high, t}}, GLIA_SHAPE},                  \
  {p, 2, {{1, {3}, low, high, t}, {1, {3}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
#define SAMPLES_3(p, t, low, high, integers)                                                   \
  {p, 3, {{2, {2, 3}, 0, 1, GLIA_BOOL}, {2, {2, 3}, low, high, t}, {2, {2, 3}, low, high, t}}, \
   GLIA_OK},                                                                                   \
  {p, 3, {{2, {3, 1}, 0, 1, GLIA_BOOL}, {3, {2, 3, 4}, low, high, t}, {0, {0}, low, high, t}}, \
   GLIA_OK},                                                                                   \
  {p, 3, {{1, {0}, 0, 1, GLIA_BOOL}, {1, {1}, low, high, t}, {1, {1}, low, high, t}}, GLIA_OK}, \
  {p, 3, {{1, {9}, 0, 1, GLIA_BOOL}, {1, {9}, 0, 4, GLIA_I32}, {0, {0}, 0, 4, GLIA_I32}},      \
   integers},                                                                                  \
  {p, 3, {{1, {3}, low, high, t}, {1, {3}, low, high, t}, {1, {3}, low, high, t}}, GLIA_DTYPE}, \
  {p, 3, {{1, {2}, 0, 1, GLIA_BOOL}, {1, {3}, low, high, t}, {1, {3}, low, high, t}}, GLIA_SHAPE},
/* clang-format on */

/* ---- rows ---------------------------------------------------------------------------- */

#define ROW(name_, inputs, takes, gives, parameters, flags_, low, high, doc_, torch_, paper_, \
            value, gradients)                                                                 \
  static glia_status infer_##name_(gi_infer *c) {                                             \
    return infer_row(#name_, takes, gives, fields_##parameters, c);                           \
  }                                                                                           \
  static glia_status ref_of_##name_(gi_ref *c) {                                              \
    return gives == CAST ? ref_cast(c) : ref_row(scalar_##name_, c);                          \
  }                                                                                           \
  static const gi_sample samples_##name_[] = {                                                \
      SAMPLES_##inputs(&attr_##parameters, OPERAND_##takes, low, high, INTEGER_##takes)};     \
  const gi_op gi_op_##name_ = {                                                               \
      .name = #name_,                                                                         \
      .doc = doc_,                                                                            \
      .paper = paper_,                                                                        \
      .torch = torch_,                                                                        \
      .min_in = inputs,                                                                       \
      .max_in = inputs,                                                                       \
      .n_out = 1,                                                                             \
      .flags = GI_ELEMENTWISE | GI_IN_PLACE | (flags_),                                       \
      .precision = GI_TAKES_ANY,                                                              \
      .attr_size = sizeof(gi_elementwise_attr),                                               \
      .attrs = fields_##parameters,                                                           \
      .infer = infer_##name_,                                                                 \
      .vjp = RULE_##gradients ? vjp_##name_ : NULL,                                           \
      .no_grad = RULE_##gradients ? NULL : "its result is true or false",                     \
      .ref = ref_of_##name_,                                                                  \
      .scalar = scalar_##name_,                                                               \
      .samples = samples_##name_,                                                             \
      .n_samples = GI_COUNT(samples_##name_),                                                 \
  };
#include "ops/elementwise.def"
#undef ROW

#define ROW(name, ...) &gi_op_##name,
const gi_op *const gi_ops_elementwise[] = {
#include "ops/elementwise.def"
    NULL,
};
#undef ROW

/* ---- builders ------------------------------------------------------------------------ */

/* The parameters say the signature: none of 1, 2 or 3 inputs; one number; two; a dtype. */
#define BUILD_none(name, inputs) BUILD_##inputs(name)
#define BUILD_1(name) \
  glia_value glia_##name(glia_value x) { return gi_emit1(&gi_op_##name, &attr_none, x); }
#define BUILD_2(name)                                  \
  glia_value glia_##name(glia_value a, glia_value b) { \
    return gi_emit2(&gi_op_##name, &attr_none, a, b);  \
  }
#define BUILD_3(name)                                                        \
  glia_value glia_##name(glia_value condition, glia_value a, glia_value b) { \
    const glia_value in[] = {condition, a, b};                               \
    return gi_emit(NULL, &gi_op_##name, &attr_none, in, 3, NULL);            \
  }
#define BUILD_slope(name, inputs)                  \
  glia_value glia_##name(glia_value x, double a) { \
    const gi_elementwise_attr p = {.a = a};        \
    return gi_emit1(&gi_op_##name, &p, x);         \
  }
#define BUILD_alpha(name, inputs) BUILD_slope(name, inputs)
#define BUILD_limit(name, inputs) BUILD_slope(name, inputs)
#define BUILD_range(name, inputs)                                 \
  glia_value glia_##name(glia_value x, double low, double high) { \
    const gi_elementwise_attr p = {.a = low, .b = high};          \
    return gi_emit1(&gi_op_##name, &p, x);                        \
  }
#define BUILD_level(name, inputs) BUILD_range(name, inputs)
#define BUILD_dtype(name, inputs)                                                  \
  glia_value glia_##name(glia_value x, glia_dtype dtype) {                         \
    const gi_elementwise_attr p = {.dtype = dtype};                                \
    if (!gi_null(x) && glia_value_dtype(x) == dtype) return x; /* nothing to do */ \
    return gi_emit1(&gi_op_##name, &p, x);                                         \
  }
#define ROW(name, inputs, takes, gives, parameters, ...) BUILD_##parameters(name, inputs)
#include "ops/elementwise.def"
#undef ROW
