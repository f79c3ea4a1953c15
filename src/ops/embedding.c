/* embedding.c - rows of a matrix by index, alone and in bags: made of gather and scatter_add.
 *
 * What is said of gradients alone (padding, by_frequency, and max_norm, of which the gradient
 * knows nothing) is written as y = value + (rows - the same rows without gradient) factor: the
 * difference is 0, its gradient is the factor.
 */
#include "glia/attention.h"

#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

static glia_value one_like(glia_value like) { return glia_scalar_like(like, 1); }

/* [...] as [..., 1], to broadcast against rows. */
static glia_value beside_rows(glia_value v) {
  int64_t shape[GLIA_MAX_RANK] = {0};
  const int rank = glia_value_rank(v);
  if (rank < 0 || rank + 1 > GLIA_MAX_RANK) return v; /* gather has refused it */
  for (int d = 0; d < rank; d++) shape[d] = glia_value_dim(v, d);
  shape[rank] = 1;
  return glia_reshape(v, rank + 1, shape);
}

/* 1 of the dtype of `like`, 0 where the index is the padding; null: there is none. */
static glia_value kept(glia_value index, const glia_lookup_opts *o, int64_t rows,
                       glia_value like) {
  if (!o->padded) return GLIA_NONE;
  const int64_t padding = o->padding < 0 ? o->padding + rows : o->padding;
  const glia_value keep = glia_not_equal(index, glia_scalar_like(index, (double)padding));
  return glia_cast(keep, glia_value_dtype(like));
}

static glia_value times(glia_value a, glia_value b) {
  return gi_null(a) ? b : gi_null(b) ? a : glia_mul(a, b);
}

/* 1 / how often each index is named. */
static glia_value frequency(glia_value index, int64_t rows, glia_value like) {
  const gi_type t = gi_value_type(index);
  const glia_value ones = glia_broadcast_to(one_like(like), t.rank, t.dim);
  const glia_value counts = glia_scatter_add(ones, index, 0, rows);
  return glia_reciprocal(glia_gather(counts, index, 0));
}

/* What rows that are longer than max_norm are multiplied by; else 1. */
static glia_value shrink(glia_value rows, const glia_lookup_opts *o) {
  const double p = o->norm != 0 ? o->norm : 2;
  glia_value length;
  if (isinf(p))
    length = glia_max(glia_abs(rows), .n = 1, .axes = {-1}, .keep = true);
  else if (p == 2)
    length = glia_sqrt(glia_sum(glia_square(rows), .n = 1, .axes = {-1}, .keep = true));
  else
    length = glia_pow(glia_sum(glia_pow(glia_abs(rows), glia_scalar_like(rows, p)), .n = 1,
                               .axes = {-1}, .keep = true),
                      glia_scalar_like(rows, 1 / p));
  const glia_value most = glia_scalar_like(rows, o->max_norm);
  const glia_value by = glia_div(most, glia_add(length, glia_scalar_like(rows, 1e-7)));
  return glia_where(glia_greater(length, most), by, one_like(rows));
}

static bool is_good(glia_value weight, const glia_lookup_opts *o, const char *op) {
  const gi_type t = gi_value_type(weight);
  char text[GI_TEXT];
  if (t.rank != 2 || !glia_dtype_is_float(t.dtype)) {
    gi_latch(weight.graph, GLIA_SHAPE, "%s: the weight is %s, wanted floats [R, D]", op,
             gi_type_text(&t, text, sizeof text));
    return false;
  }
  if (o->padded && (o->padding < -t.dim[0] || o->padding >= t.dim[0])) {
    gi_latch(weight.graph, GLIA_INVALID,
             "%s: padding is row %" PRId64 ", the weight has %" PRId64, op, o->padding,
             t.dim[0]);
    return false;
  }
  if (!(o->max_norm >= 0) || !(o->norm >= 0)) {
    gi_latch(weight.graph, GLIA_INVALID, "%s: max_norm is %g, norm is %g, wanted >= 0", op,
             o->max_norm, o->norm);
    return false;
  }
  return true;
}

static glia_value look_up(glia_value weight, glia_value index, const glia_lookup_opts *o) {
  const gi_gather_attr by_row = {.axis = 0, .sparse = o->sparse};
  const glia_value rows = gi_emit2(&gi_op_gather, &by_row, weight, index);
  if (gi_null(rows) || (!o->padded && !o->by_frequency && o->max_norm == 0)) return rows;
  const int64_t n = glia_value_dim(weight, 0);
  glia_value factor = kept(index, o, n, rows);
  if (o->by_frequency) factor = times(factor, frequency(index, n, rows));
  const glia_value fixed = glia_stop_gradient(rows);
  const glia_value value = o->max_norm > 0 ? glia_mul(fixed, shrink(fixed, o)) : fixed;
  const glia_value free = glia_sub(rows, fixed);
  return glia_add(value, gi_null(factor) ? free : glia_mul(free, beside_rows(factor)));
}

glia_value glia_embedding_with(glia_value weight, glia_value index,
                               const glia_lookup_opts *opt) {
  glia_lookup_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(weight) || gi_null(index) || !is_good(weight, &o, "embedding")) return GLIA_NONE;
  return look_up(weight, index, &o);
}

/* ---- bags -------------------------------------------------------------------------------- */

typedef struct bags {
  glia_value rows;  /* [B, n, D], or [n, D] with places */
  glia_value keep;  /* of the index's shape, 0: left out; null: all count */
  glia_value place; /* [n]: of each row, its bag; null: bags are rows of the index */
  int64_t n;
} bags;

/* Which bag each of n rows is in: one less than the number of offsets up to it. */
static glia_value places(glia_value offsets, int64_t n) {
  const gi_type t = gi_value_type(offsets);
  const glia_value one = glia_scalar(offsets.graph, GLIA_I64, 1);
  const glia_value ones = glia_broadcast_to(one, t.rank, t.dim);
  const glia_value begun = glia_cumsum(glia_scatter_add(ones, offsets, 0, n + 1), 0, false);
  return glia_sub(glia_slice(begun, 0, 0, n, 1), one);
}

/* Rows of each bag added up; of v [B, n, ..] or [n, ..]. */
static glia_value added(const bags *b, glia_value v) {
  if (gi_null(b->place)) return glia_sum(v, .n = 1, .axes = {1});
  return glia_scatter_add(v, b->place, 0, b->n);
}

/* How many rows of each bag count: [B, 1]. */
static glia_value sizes(const bags *b, glia_value index) {
  const gi_type t = gi_value_type(index);
  const glia_value ones = glia_broadcast_to(one_like(b->rows), t.rank, t.dim);
  return beside_rows(added(b, gi_null(b->keep) ? ones : b->keep));
}

static glia_value largest(const bags *b, glia_value index) {
  const glia_value zero = glia_scalar_like(b->rows, 0),
                   least = glia_scalar_like(b->rows, -INFINITY);
  glia_value rows = b->rows, top;
  if (!gi_null(b->keep))
    rows = glia_where(glia_greater(beside_rows(b->keep), zero), rows, least);
  if (gi_null(b->place)) {
    top = glia_max(rows, .n = 1, .axes = {1});
  } else {
    const int64_t n = glia_value_dim(rows, 0), d = glia_value_dim(rows, 1);
    const glia_value bag = glia_range(rows.graph, b->n, GLIA_I64);
    const glia_value own = glia_equal(beside_rows(b->place), bag); /* [n, B] */
    top = glia_max(
        glia_where(beside_rows(own), glia_reshape(rows, 3, (const int64_t[]){n, 1, d}), least),
        .n = 1, .axes = {0});
  }
  return glia_where(glia_greater(sizes(b, index), zero), top, zero);
}

static glia_value reduce(const bags *b, glia_value index, const glia_bag_opts *o) {
  if (o->mode == GLIA_BAG_MAX) return largest(b, index);
  const glia_value factor = times(b->keep, o->weights);
  const glia_value sum =
      added(b, gi_null(factor) ? b->rows : glia_mul(b->rows, beside_rows(factor)));
  if (o->mode == GLIA_BAG_SUM) return sum;
  return glia_div(sum, glia_maximum(sizes(b, index), one_like(sum)));
}

glia_value glia_embedding_bag_with(glia_value weight, glia_value index,
                                   const glia_bag_opts *opt) {
  glia_bag_opts o;
  gi_opts(&o, sizeof o, opt);
  if (gi_null(weight) || gi_null(index) || !is_good(weight, &o.lookup, "embedding_bag"))
    return GLIA_NONE;
  const bool by_offsets = !gi_null(o.offsets);
  if (glia_value_rank(index) != (by_offsets ? 1 : 2))
    return gi_latch(index.graph, GLIA_SHAPE,
                    "embedding_bag: the index has rank %d, wanted [B, n], or [n] with offsets",
                    glia_value_rank(index));
  if (by_offsets && (glia_value_rank(o.offsets) != 1 ||
                     glia_value_dim(o.offsets, 0) < (o.last_offset ? 1 : 0)))
    return gi_latch(index.graph, GLIA_SHAPE, "embedding_bag: offsets have rank %d, wanted [B]",
                    glia_value_rank(o.offsets));
  if (!gi_null(o.weights) && o.mode != GLIA_BAG_SUM)
    return gi_latch(index.graph, GLIA_INVALID,
                    "embedding_bag: weights go with mode sum; others have none");
  bags b = {.keep = GLIA_NONE, .place = GLIA_NONE};
  if (by_offsets) {
    const int64_t n = glia_value_dim(o.offsets, 0);
    const glia_value offsets = glia_cast(o.offsets, GLIA_I64);
    b.n = o.last_offset ? n - 1 : n;
    b.place = places(glia_slice(offsets, 0, 0, b.n, 1), glia_value_dim(index, 0));
  }
  const int64_t rows = glia_value_dim(weight, 0);
  b.keep = kept(index, &o.lookup, rows, weight);
  o.lookup.padded = false; /* such rows are left out, gradient and all */
  b.rows = look_up(weight, index, &o.lookup);
  return gi_null(b.rows) ? b.rows : reduce(&b, index, &o);
}
