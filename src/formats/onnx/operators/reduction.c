/* reduction.c - axes that are folded away, and what runs along one.
 *
 *   ReduceL1 sum |x|, ReduceL2 sqrt(sum x^2), ReduceLogSum log(sum x), ReduceSumSquare sum x^2,
 *   ReduceLogSumExp log(sum e^x), ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum
 *
 * Axes are an attribute first, later an input; none are all of them, or, with
 * noop_with_empty_axes, none: then what stands in front of and behind the sum is still done.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/operators/common.h"

/* ---- which axes ---------------------------------------------------------------------------
 */

typedef struct folding {
  gi_type x;
  bool keep, none; /* none: nothing is folded */
  int n;
  int axes[GLIA_MAX_RANK];
  int64_t group; /* elements behind a result */
  gi_type y;     /* the result */
} folding;

static glia_status read_folding(const gi_onnx_call *c, folding *f) {
  int64_t list[GLIA_MAX_RANK];
  bool noop = false;
  int n = 0;
  *f = (folding){.x = gi_value_type(c->in[0]), .group = 1};
  GI_TRY(gi_onnx_bool(c, "keepdims", true, &f->keep));
  GI_TRY(gi_onnx_bool(c, "noop_with_empty_axes", false, &noop));
  GI_TRY(gi_onnx_ints_either(c, "axes", 1, list, GLIA_MAX_RANK, &n));
  GI_TRY(gi_onnx_axes(c, list, n, f->x.rank, f->axes));
  f->n = GI_MAX(n, 0);
  if (f->n == 0 && !noop)
    for (; f->n < f->x.rank; f->n++) f->axes[f->n] = f->n;
  f->none = f->n == 0;
  bool folded[GLIA_MAX_RANK] = {false};
  for (int i = 0; i < f->n; i++) folded[f->axes[i]] = true;
  f->y.dtype = f->x.dtype;
  for (int d = 0; d < f->x.rank; d++) {
    if (folded[d]) f->group *= f->x.dim[d];
    if (!folded[d] || f->keep) f->y.dim[f->y.rank++] = folded[d] ? 1 : f->x.dim[d];
  }
  return GLIA_OK;
}

static glia_value fold(glia_value (*of)(glia_value, const glia_reduce_opts *), glia_value x,
                       const folding *f) {
  glia_reduce_opts o = {.size = sizeof o, .n = f->n, .keep = f->keep};
  memcpy(o.axes, f->axes, sizeof o.axes);
  return f->none ? x : of(x, &o);
}

/* ---- what is done -------------------------------------------------------------------------
 */

static glia_value same(glia_value x) { return x; }

/* The largest is taken out, so that no power overflows; infinities stay outside. */
static glia_value log_sum_exp(glia_value x, const folding *f) {
  folding kept = *f;
  kept.keep = true;
  glia_value top = glia_stop_gradient(fold(glia_max_opt, x, &kept));
  const glia_value size = glia_abs(top), zero = glia_scalar_like(top, 0);
  top = glia_where(glia_less(size, glia_scalar_like(top, INFINITY)), top, zero);
  const glia_value rest = fold(glia_sum_opt, glia_exp(glia_sub(x, top)), &kept);
  gi_type y = f->y;
  return f->none ? x : gi_onnx_reshape(glia_add(glia_log(rest), top), &y);
}

/* `real`: whole numbers are computed in f64; empty: the result of no elements */
static const struct {
  const char *name;
  bool real;
  glia_value (*before)(glia_value x);
  glia_value (*of)(glia_value x, const glia_reduce_opts *o); /* NULL: log_sum_exp */
  glia_value (*after)(glia_value x);
  double empty;
} rules[] = {
    {"ReduceL1", false, glia_abs, glia_sum_opt, same, 0},
    {"ReduceL2", true, glia_square, glia_sum_opt, glia_sqrt, 0},
    {"ReduceLogSum", true, same, glia_sum_opt, glia_log, -INFINITY},
    {"ReduceLogSumExp", true, same, NULL, same, -INFINITY},
    {"ReduceMax", false, same, glia_max_opt, same, -INFINITY},
    {"ReduceMean", true, same, glia_mean_opt, same, NAN},
    {"ReduceMin", false, same, glia_min_opt, same, INFINITY},
    {"ReduceProd", false, same, glia_prod_opt, same, 1},
    {"ReduceSum", false, same, glia_sum_opt, same, 0},
    {"ReduceSumSquare", false, glia_square, glia_sum_opt, same, 0},
};

/* Infinities become the ends of whole numbers' ranges; of truths, false and true. */
static glia_value nothing(const gi_onnx_call *c, const folding *f, double value) {
  const bool natural = c->in_type[0] == GI_ONNX_UINT64;
  if (f->x.dtype == GLIA_BOOL) value = value > 0;
  if (natural && isinf(value)) value = value > 0 ? -1 : 0;
  return glia_broadcast_to(glia_scalar(c->g, f->x.dtype, value), f->y.rank, f->y.dim);
}

static glia_status build_reduce(gi_onnx_call *c) {
  int k = 0;
  folding f;
  GI_TRY(read_folding(c, &f));
  while (k + 1 < GI_COUNT(rules) && strcmp(rules[k].name, c->node->op) != 0) k++;
  if (f.group == 0) {
    c->out[0] = nothing(c, &f, rules[k].empty);
    return GLIA_OK;
  }
  glia_value x = c->in[0];
  if (rules[k].real) x = gi_onnx_real(x);
  if (f.x.dtype == GLIA_BOOL) x = glia_cast(x, GLIA_I32);
  x = rules[k].before(gi_onnx_wide(x));
  x = rules[k].of != NULL ? fold(rules[k].of, x, &f) : log_sum_exp(x, &f);
  c->out[0] = glia_cast(rules[k].after(x), f.x.dtype);
  return GLIA_OK;
}

/* ---- where the largest is -----------------------------------------------------------------
 */

static glia_status build_arg(gi_onnx_call *c) {
  glia_value x = c->in[0];
  const int rank = glia_value_rank(x);
  bool keep = true, last = false;
  int axis = 0;
  GI_TRY(gi_onnx_axis(c, "axis", 0, rank, &axis));
  GI_TRY(gi_onnx_bool(c, "keepdims", true, &keep));
  GI_TRY(gi_onnx_bool(c, "select_last_index", false, &last));
  const int64_t n = glia_value_dim(x, axis);
  if (last) x = glia_flip(x, &axis, 1);
  const bool largest = c->node->op[4] == 'a'; /* ArgMax */
  glia_value at = largest ? glia_argmax(x, axis, keep) : glia_argmin(x, axis, keep);
  if (last) at = glia_sub(glia_scalar_like(at, (double)(n - 1)), at);
  c->out[0] = at;
  c->out_type[0] = GI_ONNX_INT64;
  return GLIA_OK;
}

/* ---- along an axis ------------------------------------------------------------------------
 */

/* Exclusive sums and products are those of x moved on by one, which begin with 0 or 1. */
static glia_value moved(glia_value x, int axis, bool reverse, double first) {
  const gi_type t = gi_value_type(x);
  const int64_t n = t.dim[axis];
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  if (n == 0) return x;
  (reverse ? after : before)[axis] = 1;
  x = glia_slice(x, axis, reverse ? 1 : 0, reverse ? n : n - 1, 1);
  return glia_pad(x, before, after, first);
}

static glia_status build_cumulative(gi_onnx_call *c) {
  int64_t at = 0;
  int n = 0;
  bool exclusive = false, reverse = false;
  GI_TRY(gi_onnx_known_ints(c, 1, &at, 1, &n));
  GI_TRY(gi_onnx_bool(c, "exclusive", false, &exclusive));
  GI_TRY(gi_onnx_bool(c, "reverse", false, &reverse));
  const int axis = n == 1 ? gi_axis(at, glia_value_rank(c->in[0])) : -1;
  if (axis < 0)
    return gi_onnx_fail(c, GLIA_SHAPE, "axis %" PRId64 " is out of range of %d axes", at,
                        glia_value_rank(c->in[0]));
  const bool product = c->node->op[3] == 'P'; /* CumProd */
  const glia_value x = exclusive ? moved(c->in[0], axis, reverse, product ? 1 : 0) : c->in[0];
  c->out[0] = product ? glia_cumprod(x, axis, reverse) : glia_cumsum(x, axis, reverse);
  return GLIA_OK;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

#define FOLD(name, ...) \
  GI_ONNX_ROW(name, "axes keepdims noop_with_empty_axes", 1, 2, 1, build_reduce, __VA_ARGS__)

const gi_onnx_operator *const gi_onnx_operators_reduction[] = {
    FOLD("ReduceL1", 1, 11, 18),
    FOLD("ReduceL2", 1, 11, 18),
    FOLD("ReduceLogSum", 1, 11, 18),
    FOLD("ReduceLogSumExp", 1, 11, 18),
    FOLD("ReduceMax", 1, 11, 18, 20),
    FOLD("ReduceMean", 1, 11, 18),
    FOLD("ReduceMin", 1, 11, 18, 20),
    FOLD("ReduceProd", 1, 11, 18),
    FOLD("ReduceSum", 1, 11, 13),
    FOLD("ReduceSumSquare", 1, 11, 18),
    GI_ONNX_ROW("ArgMax", "axis keepdims select_last_index", 1, 1, 1, build_arg, 1, 11, 12),
    GI_ONNX_ROW("ArgMin", "axis keepdims select_last_index", 1, 1, 1, build_arg, 1, 11, 12),
    GI_ONNX_ROW("CumSum", "exclusive reverse", 2, 2, 1, build_cumulative, 11),
    GI_ONNX_ROW("CumProd", "exclusive reverse", 2, 2, 1, build_cumulative, 26),
    NULL,
};
