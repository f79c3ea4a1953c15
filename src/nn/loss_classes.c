/* loss_classes.c - losses of one class out of C: cross entropy and the likelihood of a class.
 *
 * Indices y, weights w, smoothing e (as PyTorch), l = log sum_c e^z[c] of a row:
 *
 *   loss[i] = (1 - e) w[y] (l - z[y]) + e / C sum_c w[c] (l - z[c])
 *
 * and 0 where y is the index that is ignored; the mean is their sum over the sum of w[y], both
 * over the rows that are not ignored. The first term is one fused op, over rows [M, C]: further
 * axes become rows. A row that is ignored is computed for class 0 and then put aside, so that
 * only vectors of M numbers know about it.
 */
#include "nn/loss.h"
#include "ops/attrs.h"

typedef struct rows { /* all of the targets' shape; null: not needed */
  glia_value target;  /* a class each: 0 where the row is ignored */
  glia_value ignored; /* bool */
  glia_value weight;  /* of the class */
  glia_value count;   /* what the mean divides by the sum of */
} rows;

static rows rows_of(glia_value x, glia_value target, glia_value weights, bool ignore,
                    int64_t ignore_index) {
  rows r = {.target = target};
  if (ignore) {
    r.ignored = glia_equal(target, glia_scalar_like(target, (double)ignore_index));
    r.target = glia_where(r.ignored, glia_scalar_like(target, 0), target);
    r.count = glia_cast(glia_logical_not(r.ignored), glia_value_dtype(x));
  }
  if (gi_null(weights)) return r;
  r.weight = glia_gather(weights, r.target, 0);
  r.count = ignore ? glia_mul(r.weight, r.count) : r.weight;
  return r;
}

/* 0 where a row is ignored, whatever the number was: it may be infinite. */
static glia_value without_ignored(const rows *r, glia_value loss) {
  return gi_null(r->ignored) ? loss : glia_where(r->ignored, glia_scalar_like(loss, 0), loss);
}

static glia_value weighted(const rows *r, glia_value loss) {
  return without_ignored(r, gi_null(r->weight) ? loss : glia_mul(loss, r->weight));
}

static glia_value reduced(const char *who, const rows *r, glia_value loss,
                          glia_reduction reduction) {
  if (reduction != GLIA_REDUCTION_MEAN || gi_null(r->count))
    return gi_loss_reduced(who, loss, reduction);
  return glia_div(glia_sum(loss), glia_sum(r->count));
}

/* ---- shapes ------------------------------------------------------------------------------ */

/* A single row [C] is a batch of one: x [1, C], and its target likewise. */
static glia_value as_batch(glia_value v, bool single) {
  return single ? gi_with_axis(v, 0) : v;
}

/* Back again; only a loss without reduction still has the axis. */
static glia_value as_single(glia_value loss, bool single) {
  if (!single || gi_null(loss) || glia_value_rank(loss) == 0) return loss;
  return glia_reshape(loss, 0, NULL);
}

/* x [N, C, ...] or [C] and indices [N, ...] or []. */
static bool shapes_fit(const gi_type *x, const gi_type *t) {
  if (x->rank < 1 || t->rank != x->rank - 1) return false;
  for (int d = 0; d < t->rank; d++)
    if (t->dim[d] != x->dim[d == 0 ? 0 : d + 1]) return false;
  return true;
}

static bool is_index(glia_dtype t) { return t == GLIA_I64 || t == GLIA_I32; }

static int64_t classes_of(glia_value x) {
  return glia_value_dim(x, glia_value_rank(x) > 1 ? 1 : 0);
}

/* [N, C, ...] -> [N ..., C], the classes of each place together. */
static glia_value to_rows(glia_value x) {
  const int rank = glia_value_rank(x);
  int axes[GLIA_MAX_RANK];
  if (rank <= 2) return x;
  for (int d = 0; d < rank; d++) axes[d] = d == 0 ? 0 : d + 1 == rank ? 1 : d + 1;
  return glia_reshape(glia_permute(x, axes), 2, (const int64_t[]){-1, glia_value_dim(x, 1)});
}

/* ---- cross entropy ----------------------------------------------------------------------- */

/* z [N, C, ...], rows of M = N ... targets -> [M] */
static glia_value sparse(glia_value z, const rows *r, const glia_cross_entropy_opts *o) {
  const double e = o->label_smoothing, c = (double)glia_value_dim(z, 1);
  glia_value out[GI_MAX_OUT];
  gi_emit(NULL, &gi_op_cross_entropy, NULL, (glia_value[]){z, r->target}, 2, out);
  if (gi_null(out[0])) return GLIA_NONE;
  const glia_value own = weighted(r, out[0]);
  if (e == 0) return own;
  glia_value even = glia_sub(gi_with_axis(out[1], 1), z);
  if (!gi_null(o->class_weights)) even = glia_mul(even, o->class_weights);
  even = without_ignored(r, glia_sum(even, .n = 1, .axes = {1}));
  return glia_add(gi_times(own, 1 - e), gi_times(even, e / c));
}

static glia_value of_indices(glia_value z, glia_value target,
                             const glia_cross_entropy_opts *o) {
  const char *who = "cross_entropy_loss";
  const int rank = glia_value_rank(target);
  const glia_value flat = rank == 1 ? target : glia_reshape(target, 1, (const int64_t[]){-1});
  const rows r = rows_of(z, flat, o->class_weights, o->ignore, o->ignore_index);
  glia_value loss = sparse(to_rows(z), &r, o);
  if (gi_null(loss)) return loss;
  if (rank != 1) loss = glia_reshape(loss, rank, glia_value_shape(target));
  return reduced(who, &r, loss, o->reduction);
}

/* -sum_c w[c] t'[c] log softmax(z)[c] a row, t' = (1 - e) t + e / C. */
static glia_value of_probabilities(glia_value z, glia_value target,
                                   const glia_cross_entropy_opts *o) {
  const double e = o->label_smoothing, c = (double)glia_value_dim(z, 1);
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  if (e != 0) target = gi_plus(gi_times(target, 1 - e), e / c);
  glia_value terms = glia_mul(target, glia_log_softmax(z, 1));
  shape[1] = glia_value_dim(z, 1);
  if (!gi_null(o->class_weights))
    terms = glia_mul(terms, glia_reshape(o->class_weights, glia_value_rank(z), shape));
  return gi_loss_reduced("cross_entropy_loss", glia_neg(glia_sum(terms, .n = 1, .axes = {1})),
                         o->reduction);
}

static bool cross_entropy_fits(glia_value z, glia_value t, const glia_cross_entropy_opts *o) {
  const char *who = "cross_entropy_loss";
  if (gi_null(z) || gi_null(t) || !gi_loss_floats(who, "prediction", z)) return false;
  const gi_type zt = gi_value_type(z), tt = gi_value_type(t);
  const bool indices = !glia_dtype_is_float(tt.dtype);
  const bool shapes = indices ? shapes_fit(&zt, &tt) : zt.rank > 0 && gi_shape_equal(&zt, &tt);
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  if (!shapes || !(is_index(tt.dtype) || tt.dtype == zt.dtype)) {
    gi_latch(z.graph, shapes ? GLIA_DTYPE : GLIA_SHAPE,
             "%s: logits are %s, targets %s; wanted [N, C, ...] and class indices [N, ...] "
             "(i64 or i32) or probabilities of the logits' shape and dtype",
             who, gi_type_text(&zt, a, sizeof a), gi_type_text(&tt, b, sizeof b));
    return false;
  }
  if (!(o->label_smoothing >= 0 && o->label_smoothing < 1)) {
    gi_loss_refuse(who, z, "label_smoothing", o->label_smoothing, "0 <= e < 1");
    return false;
  }
  if (o->ignore && !indices) {
    gi_latch(z.graph, GLIA_INVALID,
             "%s: targets are probabilities, so there is no index to ignore; hint: rows of "
             "zeros count nothing in a sum",
             who);
    return false;
  }
  return gi_loss_class_weights(who, z, o->class_weights, classes_of(z));
}

glia_value glia_cross_entropy_loss_opt(glia_value logits, glia_value target,
                                       const glia_cross_entropy_opts *opt) {
  glia_cross_entropy_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!cross_entropy_fits(logits, target, &o)) return GLIA_NONE;
  const bool single = glia_value_rank(logits) == 1;
  const glia_value z = as_batch(logits, single), t = as_batch(target, single);
  return as_single(
      is_index(glia_value_dtype(t)) ? of_indices(z, t, &o) : of_probabilities(z, t, &o),
      single);
}

/* ---- negative log-likelihood ------------------------------------------------------------- */

static bool nll_fits(glia_value x, glia_value t, glia_value weights) {
  if (gi_null(x) || gi_null(t) || !gi_loss_floats("nll_loss", "prediction", x)) return false;
  const gi_type xt = gi_value_type(x), tt = gi_value_type(t);
  char a[GI_LOSS_TEXT], b[GI_LOSS_TEXT];
  if (is_index(tt.dtype) && shapes_fit(&xt, &tt))
    return gi_loss_class_weights("nll_loss", x, weights, classes_of(x));
  gi_latch(x.graph, is_index(tt.dtype) ? GLIA_SHAPE : GLIA_DTYPE,
           "nll_loss: log-probabilities are %s, targets %s; wanted [N, C, ...] and class "
           "indices [N, ...] (i64 or i32)",
           gi_type_text(&xt, a, sizeof a), gi_type_text(&tt, b, sizeof b));
  return false;
}

glia_value glia_nll_loss_opt(glia_value log_probabilities, glia_value target,
                             const glia_nll_opts *opt) {
  glia_nll_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!nll_fits(log_probabilities, target, o.class_weights)) return GLIA_NONE;
  const bool single = glia_value_rank(log_probabilities) == 1;
  const glia_value x = as_batch(log_probabilities, single), t = as_batch(target, single);
  const rows r = rows_of(x, t, o.class_weights, o.ignore, o.ignore_index);
  const glia_value own = glia_take_along(x, gi_with_axis(r.target, 1), 1);
  if (gi_null(own)) return GLIA_NONE;
  const glia_value loss =
      weighted(&r, glia_neg(glia_reshape(own, glia_value_rank(t), glia_value_shape(t))));
  return as_single(reduced("nll_loss", &r, loss, o.reduction), single);
}
