/* loss.c - what all losses share. A loss is a composition of ops, so its gradient and its
 * gradient's gradient are those of the ops; the compiler fuses what is elementwise.
 */
#include "nn/loss.h"

#include "ops/attrs.h"

/* ---- checks ------------------------------------------------------------------------------ */

bool gi_loss_floats(const char *who, const char *name, glia_value x) {
  if (gi_null(x)) return false;
  const gi_type t = gi_value_type(x);
  char text[GI_LOSS_TEXT];
  if (glia_dtype_is_float(t.dtype)) return true;
  gi_latch(x.graph, GLIA_DTYPE, "%s: the %s is %s, wanted floats; hint: glia_cast", who, name,
           gi_type_text(&t, text, sizeof text));
  return false;
}

bool gi_loss_same(const char *who, const char *name_a, glia_value a, const char *name_b,
                  glia_value b) {
  if (gi_null(a) || gi_null(b)) return false;
  const gi_type x = gi_value_type(a), y = gi_value_type(b);
  char xt[GI_LOSS_TEXT], yt[GI_LOSS_TEXT];
  if (gi_type_equal(&x, &y)) return gi_loss_floats(who, name_a, a);
  gi_latch(a.graph, x.dtype != y.dtype ? GLIA_DTYPE : GLIA_SHAPE,
           "%s: the %s is %s, the %s %s; hint: they must be equal, nothing is broadcast", who,
           name_a, gi_type_text(&x, xt, sizeof xt), name_b, gi_type_text(&y, yt, sizeof yt));
  return false;
}

glia_value gi_loss_sides(const char *who, glia_value x, glia_value y, int rank,
                         const int64_t *shape) {
  if (gi_null(x) || gi_null(y)) return GLIA_NONE;
  const gi_type have = gi_value_type(y);
  gi_type want = {.dtype = glia_value_dtype(x), .rank = rank};
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  for (int d = 0; d < rank; d++) want.dim[d] = shape[d];
  const bool whole = have.dtype == GLIA_I64 || have.dtype == GLIA_I32;
  if (gi_shape_equal(&have, &want) && (whole || have.dtype == want.dtype))
    return whole ? glia_cast(y, want.dtype) : y;
  return gi_latch(y.graph, gi_shape_equal(&have, &want) ? GLIA_DTYPE : GLIA_SHAPE,
                  "%s: y is %s, wanted 1 or -1 as %s (or i64, i32 of that shape)", who,
                  gi_type_text(&have, a, sizeof a), gi_type_text(&want, b, sizeof b));
}

bool gi_loss_class_weights(const char *who, glia_value x, glia_value weights, int64_t classes) {
  if (gi_null(weights)) return true;
  const gi_type have = gi_value_type(weights);
  const gi_type want = {.dtype = glia_value_dtype(x), .rank = 1, .dim = {classes}};
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  if (gi_type_equal(&have, &want)) return true;
  gi_latch(x.graph, have.dtype != want.dtype ? GLIA_DTYPE : GLIA_SHAPE,
           "%s: class weights are %s, wanted %s, one a class", who,
           gi_type_text(&have, a, sizeof a), gi_type_text(&want, b, sizeof b));
  return false;
}

glia_value gi_loss_refuse(const char *who, glia_value x, const char *name, double value,
                          const char *wanted) {
  return gi_latch(x.graph, GLIA_INVALID, "%s: %s is %g, wanted %s", who, name, value, wanted);
}

/* ---- weights and reductions -------------------------------------------------------------- */

glia_value gi_loss_weighted(const char *who, glia_value loss, glia_value weight) {
  if (gi_null(loss) || gi_null(weight)) return loss;
  const gi_type l = gi_value_type(loss), w = gi_value_type(weight);
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  bool fits = w.dtype == l.dtype && w.rank <= l.rank;
  for (int d = 1; fits && d <= w.rank; d++)
    fits = w.dim[w.rank - d] == 1 || w.dim[w.rank - d] == l.dim[l.rank - d];
  if (fits) return glia_mul(loss, weight);
  return gi_latch(loss.graph, w.dtype != l.dtype ? GLIA_DTYPE : GLIA_SHAPE,
                  "%s: the weight is %s, wanted what broadcasts to %s", who,
                  gi_type_text(&w, a, sizeof a), gi_type_text(&l, b, sizeof b));
}

glia_value gi_loss_reduced(const char *who, glia_value loss, glia_reduction reduction) {
  if (gi_null(loss)) return loss;
  switch (reduction) {
    case GLIA_REDUCTION_MEAN: return glia_mean(loss);
    case GLIA_REDUCTION_SUM: return glia_sum(loss);
    case GLIA_REDUCTION_NONE: return loss;
    case GLIA_REDUCTION_BATCH_MEAN:
      if (glia_value_rank(loss) > 0 && glia_value_dim(loss, 0) > 0)
        return gi_times(glia_sum(loss), 1 / (double)glia_value_dim(loss, 0));
      return gi_latch(loss.graph, GLIA_SHAPE,
                      "%s: the batch mean is over the first axis, which is empty or missing; "
                      "hint: the sum",
                      who);
  }
  return gi_latch(loss.graph, GLIA_INVALID, "%s: %d is no reduction (GLIA_REDUCTION_...)", who,
                  (int)reduction);
}

/* ---- small compositions ------------------------------------------------------------------ */

glia_value gi_times(glia_value x, double k) {
  return k == 1 ? x : glia_mul(x, glia_scalar_like(x, k));
}

glia_value gi_plus(glia_value x, double k) {
  return k == 0 ? x : glia_add(x, glia_scalar_like(x, k));
}

glia_value gi_positive_part(glia_value x) {
  const glia_value zero = glia_scalar_like(x, 0);
  return glia_where(glia_less(x, zero), zero, x);
}

glia_value gi_with_axis(glia_value x, int axis) {
  int64_t shape[GLIA_MAX_RANK];
  if (gi_null(x)) return x;
  const int rank = glia_value_rank(x);
  if (rank == GLIA_MAX_RANK)
    return gi_latch(x.graph, GLIA_SHAPE, "a loss would need %d axes, at most %d are possible",
                    rank + 1, GLIA_MAX_RANK);
  for (int d = 0; d <= rank; d++)
    shape[d] = d == axis ? 1 : glia_value_dim(x, d < axis ? d : d - 1);
  return glia_reshape(x, rank + 1, shape);
}
