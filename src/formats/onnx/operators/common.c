/* common.c - what many operators' rows are built with.
 */
#include "formats/onnx/operators/common.h"

#include <inttypes.h>
#include <math.h>

#include "glia/integers.h"
#include "graph/graph.h"

/* ---- numbers ------------------------------------------------------------------------------
 */

static const double two_64 = 18446744073709551616.0, two_63 = 9223372036854775808.0;

glia_value gi_onnx_wide(glia_value v) {
  const glia_dtype t = glia_value_dtype(v);
  return t == GLIA_F16 || t == GLIA_BF16 ? glia_cast(v, GLIA_F32) : v;
}

glia_value gi_onnx_real(glia_value v) {
  return glia_dtype_is_float(glia_value_dtype(v)) ? gi_onnx_wide(v) : glia_cast(v, GLIA_F64);
}

glia_value gi_onnx_scaled(glia_value x, double a, double b) {
  if (a != 1) x = glia_mul(x, glia_scalar_like(x, a));
  return b != 0 ? glia_add(x, glia_scalar_like(x, b)) : x;
}

glia_value gi_onnx_whole(const gi_op *op, glia_value a, glia_value b, int type) {
  const gi_integer_attr attr = {.natural = type == GI_ONNX_UINT64};
  return gi_emit2(op, &attr, a, b);
}

/* Only 64 bits are more than a double holds. */
static bool is_long(glia_value v) { return glia_value_dtype(v) == GLIA_I64; }

glia_value gi_onnx_larger(glia_value a, glia_value b, int type) {
  return is_long(a) ? gi_onnx_whole(&gi_op_integer_max, a, b, type) : glia_maximum(a, b);
}

glia_value gi_onnx_smaller(glia_value a, glia_value b, int type) {
  return is_long(a) ? gi_onnx_whole(&gi_op_integer_min, a, b, type) : glia_minimum(a, b);
}

glia_value gi_onnx_less(glia_value a, glia_value b, int type) {
  return is_long(a) ? gi_onnx_whole(&gi_op_integer_less, a, b, type) : glia_less(a, b);
}

glia_value gi_onnx_wrap(glia_value v, int type) {
  const glia_value bits16 = glia_scalar_like(v, 16);
  switch (type) {
    case GI_ONNX_INT16: return glia_shift_right(glia_shift_left(v, bits16), bits16);
    case GI_ONNX_UINT16: return glia_bit_and(v, glia_scalar_like(v, UINT16_MAX));
    case GI_ONNX_UINT32: return glia_bit_and(v, glia_scalar_like(v, UINT32_MAX));
    default: return v;
  }
}

/* What is 2^63 or more lies in the negative numbers of an i64. */
static glia_value natural_to_real(glia_value v) {
  const glia_value x = glia_cast(v, GLIA_F64), zero = glia_scalar_like(x, 0);
  return glia_where(glia_less(x, zero), glia_add(x, glia_scalar_like(x, two_64)), x);
}

static glia_value real_to_natural(glia_value v) {
  const glia_value x = glia_cast(v, GLIA_F64), edge = glia_scalar_like(x, two_63);
  const glia_value low = glia_sub(x, glia_scalar_like(x, two_64));
  return glia_cast(glia_where(glia_less(x, edge), x, low), GLIA_I64);
}

glia_status gi_onnx_cast(const gi_onnx_call *c, glia_value v, int from, int to,
                         glia_value *out) {
  glia_dtype dtype = GLIA_F32;
  if (!gi_onnx_carrier(to, &dtype))
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "the type %s (%d) is not supported",
                        gi_onnx_type_name(to), to);
  const bool from_float = glia_dtype_is_float(glia_value_dtype(v));
  const bool to_float = glia_dtype_is_float(dtype);
  if (from == to || from == GI_ONNX_BOOL)
    *out = glia_cast(v, dtype);
  else if (dtype == GLIA_BOOL)
    *out = glia_not_equal(v, glia_scalar_like(v, 0));
  else if (from_float)
    *out = to == GI_ONNX_UINT64 ? real_to_natural(v) : glia_cast(v, dtype);
  else if (to_float)
    *out = glia_cast(from == GI_ONNX_UINT64 ? natural_to_real(v) : v, dtype);
  else if (glia_dtype_size(dtype) > glia_dtype_size(glia_value_dtype(v)))
    *out = glia_cast(v, dtype); /* with its sign */
  else
    *out = glia_bit_cast(v, dtype); /* the low bits */
  *out = gi_onnx_wrap(*out, to);
  return glia_graph_status(c->g);
}

/* The elements of a constant, NULL of other values. */
static const gi_literal *literal_of(glia_value v) {
  if (gi_null(v)) return NULL;
  const gi_node *n = v.graph->nodes.at[v.graph->values.at[v.id]->node];
  return n->op == &gi_op_constant ? &((const gi_constant_attr *)n->attr)->literal : NULL;
}

bool gi_onnx_constant_number(glia_value v, double *out) {
  const gi_literal *l = literal_of(v);
  if (l == NULL || gi_type_count(&l->type) != 1) return false;
  *out = gi_load(l->type.dtype, l->data, 0);
  return true;
}

/* The seed is a float, but for Dropout's, which is an int. */
glia_status gi_onnx_stream(const gi_onnx_call *c, uint64_t *out) {
  const gi_onnx_attr *a = gi_onnx_attr_of(c, "seed");
  double seed = 0;
  if (a == NULL) {
    *out = gi_hash_str(c->node->out[0], c->g->values.n);
    return GLIA_OK;
  }
  if (a->type == GI_ONNX_ATTR_INT)
    seed = (double)a->i;
  else
    GI_TRY(gi_onnx_float(c, "seed", 0, &seed));
  *out = gi_hash(&seed, sizeof seed, 0);
  return GLIA_OK;
}

glia_status gi_onnx_dtype(const gi_onnx_call *c, const char *name, int fallback, int *type,
                          glia_dtype *out) {
  int64_t t = fallback;
  GI_TRY(gi_onnx_int(c, name, fallback, &t));
  *type = t >= 0 && t < 64 ? (int)t : GI_ONNX_UNDEFINED;
  if (!gi_onnx_carrier(*type, out))
    return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                        "attribute '%s': the type %s (%" PRId64 ") is not supported", name,
                        gi_onnx_type_name(*type), t);
  return GLIA_OK;
}

/* ---- shapes -------------------------------------------------------------------------------
 */

glia_status gi_onnx_room(const gi_onnx_call *c, int64_t a, int64_t b) {
  const int64_t most = (int64_t)1 << 27;
  if (a <= most && (a == 0 || b <= most / a)) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                      "%" PRId64 " times %" PRId64 " numbers are asked for, at most %" PRId64,
                      a, b, most);
}

glia_value gi_onnx_ints_value(glia_graph *g, int rank, const int64_t *shape,
                              const int64_t *at) {
  return glia_constant(g, GLIA_I64, rank, shape, at);
}

/* Constants that are not negative stay alone. */
static bool counts_from_start(glia_value index) {
  const gi_literal *l = literal_of(index);
  const int64_t count = l != NULL ? gi_type_count(&l->type) : 0;
  for (int64_t i = 0; i < count; i++)
    if (gi_load(l->type.dtype, l->data, i) < 0) return false;
  return l != NULL;
}

glia_value gi_onnx_index(glia_value index, int64_t n) {
  const glia_dtype t = glia_value_dtype(index);
  if (t != GLIA_I64 && t != GLIA_I32) index = glia_cast(index, GLIA_I64);
  if (counts_from_start(index)) return index;
  const glia_value zero = glia_scalar_like(index, 0), size = glia_scalar_like(index, (double)n);
  return glia_where(glia_less(index, zero), glia_add(index, size), index);
}

glia_value gi_onnx_along(glia_value v, int axis, int rank) {
  int64_t shape[GLIA_MAX_RANK];
  if (gi_null(v)) return v;
  for (int d = 0; d < rank; d++) shape[d] = d == axis ? -1 : 1;
  if (glia_value_dim(v, 0) == 0) shape[axis] = 0;
  return glia_reshape(v, rank, shape);
}

glia_value gi_onnx_reshape(glia_value v, const gi_type *t) {
  return glia_reshape(v, t->rank, t->dim);
}

glia_status gi_onnx_axes(const gi_onnx_call *c, const int64_t *list, int n, int rank,
                         int *out) {
  unsigned seen = 0;
  for (int i = 0; i < n; i++) {
    out[i] = gi_axis(list[i], rank);
    if (out[i] < 0)
      return gi_onnx_fail(c, GLIA_SHAPE, "axis %" PRId64 " is out of range of %d axes", list[i],
                          rank);
    if (seen & 1u << out[i])
      return gi_onnx_fail(c, GLIA_MODEL, "axis %" PRId64 " is listed twice", list[i]);
    seen |= 1u << out[i];
  }
  return GLIA_OK;
}
