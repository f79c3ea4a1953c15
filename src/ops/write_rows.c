/* write_rows.c - some rows written over, and gradients as rows (rows.h).
 *
 *   y = x;  y[index[i]] = rows[i]   for i = 0, 1, .. count - 1
 *
 * Shapes: x [R, D..], index [n], rows [n, D..], count: one i64 of rank 0 -> x's shape. A row
 * that is named twice holds what came last. The result may lie over x: then only the rows are
 * written. The indices that count are checked before anything is written.
 *
 * The lowering scatters into x with one more row, where all that does not count goes.
 */
#include "ops/rows.h"

#include "glia/index.h"
#include "ops/ref.h"

enum { X, INDEX, ROWS, COUNT, INPUTS };

static glia_status infer(gi_infer *c) {
  const gi_type *x = &c->in[X], *index = &c->in[INDEX], *rows = &c->in[ROWS];
  const gi_type *count = &c->in[COUNT];
  char tx[GI_TEXT], ti[GI_TEXT], tr[GI_TEXT];
  GI_TRY(gi_want_same(c, X, ROWS, "write_rows"));
  if (index->dtype != GLIA_I64 && index->dtype != GLIA_I32)
    return gi_fail(GLIA_DTYPE, "write_rows: index is %s, wanted i64 or i32",
                   gi_type_text(index, ti, sizeof ti));
  if (count->rank != 0 || count->dtype != GLIA_I64)
    return gi_fail(count->rank != 0 ? GLIA_SHAPE : GLIA_DTYPE,
                   "write_rows: the count is %s, wanted one i64 of rank 0",
                   gi_type_text(count, ti, sizeof ti));
  gi_type like = *x;
  if (x->rank > 0 && index->rank == 1) like.dim[0] = index->dim[0];
  if (x->rank < 1 || index->rank != 1 || !gi_shape_equal(&like, rows))
    return gi_fail(GLIA_SHAPE,
                   "write_rows: x is %s, index is %s, rows are %s; wanted [R, ..], [n] and "
                   "[n, ..]",
                   gi_shape_text(x, tx, sizeof tx), gi_shape_text(index, ti, sizeof ti),
                   gi_shape_text(rows, tr, sizeof tr));
  c->out[0] = *x;
  return GLIA_OK;
}

/* Behind the rows of x stands one for what does not count. */
static glia_status lower(gi_lower *c) {
  const gi_type t = gi_value_type(c->in[X]), tr = gi_value_type(c->in[ROWS]);
  gi_type row = t;
  row.dim[0] = 1;
  int64_t column[GLIA_MAX_RANK];
  for (int d = 0; d < t.rank; d++) column[d] = d == 0 ? tr.dim[0] : 1;
  const glia_value index = glia_cast(c->in[INDEX], GLIA_I64);
  const glia_value holds = glia_less(glia_range(c->g, tr.dim[0], GLIA_I64), c->in[COUNT]);
  const glia_value at = glia_where(holds, index, glia_full_like(index, (double)t.dim[0]));
  const glia_value zero = glia_scalar(c->g, t.dtype, 0);
  const glia_value parts[] = {c->in[X], glia_broadcast_to(zero, t.rank, row.dim)};
  const glia_value each = glia_broadcast_to(glia_reshape(at, t.rank, column), tr.rank, tr.dim);
  const glia_value y =
      glia_scatter(glia_concat(parts, 2, 0), each, c->in[ROWS], 0, GLIA_SCATTER_SET);
  c->out[0] = glia_slice(y, 0, 0, t.dim[0], 1);
  return glia_graph_status(c->g);
}

static glia_status ref(gi_ref *c) {
  const gi_type *x = &c->in[X].t;
  const int64_t n = c->in[INDEX].t.dim[0], count = gi_index_at(&c->in[COUNT], 0);
  const size_t bytes = x->dim[0] > 0 ? gi_type_bytes(x) / (size_t)x->dim[0] : 0;
  if (count < 0 || count > n)
    return gi_fail(GLIA_INVALID, "write_rows: the count is %" PRId64 ", of %" PRId64 " rows",
                   count, n);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = gi_index_at(&c->in[INDEX], i);
    if (at < 0 || at >= x->dim[0])
      return gi_fail(GLIA_INVALID,
                     "write_rows: index %" PRId64 " at position %" PRId64
                     " is not in 0 .. %" PRId64,
                     at, i, x->dim[0] - 1);
  }
  if (c->out[0].p != c->in[X].p) memcpy(c->out[0].p, c->in[X].p, gi_type_bytes(x));
  for (int64_t i = 0; i < count; i++)
    memcpy((char *)c->out[0].p + (size_t)gi_index_at(&c->in[INDEX], i) * bytes,
           (const char *)c->in[ROWS].p + (size_t)i * bytes, bytes);
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* as it is meant to be used: in place */
  return (gi_cost){
      .flops = 0,
      .bytes = 2 * (double)gi_type_bytes(&c->in[ROWS]) + (double)gi_type_bytes(&c->in[INDEX])};
}

#define R -2, 2, GLIA_F32
#define I 0, 4, GLIA_I64
#define N(to) \
  { 0, {0}, 0, (to) + 1, GLIA_I64 }
static const gi_sample samples[] = {
    {NULL, 4, {{2, {4, 3}, R}, {1, {6}, I}, {2, {6, 3}, R}, N(6)}, GLIA_OK},
    {NULL, 4, {{2, {9, 5}, R}, {1, {3}, 0, 9, GLIA_I32}, {2, {3, 5}, R}, N(3)}, GLIA_OK},
    {NULL, 4, {{3, {4, 2, 3}, R}, {1, {2}, I}, {3, {2, 2, 3}, R}, N(2)}, GLIA_OK},
    {NULL, 4, {{1, {4}, R}, {1, {3}, I}, {1, {3}, R}, N(3)}, GLIA_OK},
    {NULL,
     4,
     {{2, {40, 300}, R}, {1, {50}, 0, 40, GLIA_I64}, {2, {50, 300}, R}, N(50)},
     GLIA_OK},
    {NULL, 4, {{2, {4, 3}, R}, {1, {0}, I}, {2, {0, 3}, R}, N(0)}, GLIA_OK},
    {NULL, 4, {{1, {4}, 0, 9, GLIA_I64}, {1, {2}, I}, {1, {2}, 0, 9, GLIA_I64}, N(2)}, GLIA_OK},
    {NULL, 4, {{2, {4, 3}, R}, {1, {2}, I}, {2, {3, 3}, R}, N(2)}, GLIA_SHAPE},
    {NULL, 4, {{2, {4, 3}, R}, {2, {2, 1}, I}, {2, {2, 3}, R}, N(2)}, GLIA_SHAPE},
    {NULL, 4, {{0, {0}, R}, {1, {2}, I}, {1, {2}, R}, N(2)}, GLIA_SHAPE},
    {NULL, 4, {{1, {4}, R}, {1, {2}, I}, {1, {2}, R}, {1, {1}, I}}, GLIA_SHAPE},
    {NULL, 4, {{1, {4}, R}, {1, {2}, I}, {1, {2}, R}, {0, {0}, 0, 2, GLIA_I32}}, GLIA_DTYPE},
    {NULL, 4, {{1, {4}, R}, {1, {2}, R}, {1, {2}, R}, N(2)}, GLIA_DTYPE},
    {NULL, 4, {{1, {4}, R}, {1, {2}, I}, {1, {2}, I}, N(2)}, GLIA_DTYPE},
};
#undef R
#undef I
#undef N

const gi_op gi_op_write_rows = {
    .name = "write_rows",
    .doc = "rows written over by index, as many as a count says",
    .min_in = INPUTS,
    .max_in = INPUTS,
    .n_out = 1,
    .over_in = 1 << X,
    .infer = infer,
    .lower = lower,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_write_rows[] = {&gi_op_write_rows, NULL};

/* ---- gradients as rows ------------------------------------------------------------------ */

glia_value gi_write_rows(glia_value x, glia_value rows, const gi_used_rows *used) {
  const glia_value in[] = {x, used->index, rows, used->count};
  return gi_emit(NULL, &gi_op_write_rows, NULL, in, INPUTS, NULL);
}

/* y [I.., D..] as [n, D..], index [I..] as [n]. */
static glia_value rows_in_line(glia_value y, int index_rank, int64_t n) {
  const gi_type t = gi_value_type(y);
  int64_t shape[GLIA_MAX_RANK] = {n};
  int rank = 1;
  for (int d = index_rank; d < t.rank; d++) shape[rank++] = t.dim[d];
  return glia_reshape(y, rank, shape);
}

gi_used_rows gi_sum_rows(glia_value y, glia_value index) {
  gi_used_rows used = {GLIA_NONE, GLIA_NONE, GLIA_NONE};
  if (gi_null(y) || gi_null(index)) return used;
  const gi_type t = gi_value_type(index);
  const int64_t n = gi_type_count(&t);
  glia_value place;
  used.index = glia_unique(glia_reshape(index, 1, &n), &place, NULL, &used.count);
  used.sum = glia_scatter_add(rows_in_line(y, t.rank, n), place, 0, n);
  return used;
}

typedef struct look_ups {
  GI_VEC(glia_value) y, index; /* [n, D..], [n] */
  GI_VEC(glia_value) sums;     /* not yet looked into */
} look_ups;

static bool add_look_up(look_ups *l, glia_value y, glia_value index) {
  const gi_type t = gi_value_type(index);
  const int64_t n = gi_type_count(&t);
  return gi_vec_push(&l->y, rows_in_line(y, t.rank, n)) &&
         gi_vec_push(&l->index, glia_cast(glia_reshape(index, 1, &n), GLIA_I64));
}

/* Goes through sums of gradients, however many, from the first to the last. *only: there is
 * nothing but marked look-ups. */
static glia_status collect(glia_value gradient, look_ups *l, bool *only) {
  glia_graph *g = gradient.graph;
  bool room = gi_vec_push(&l->sums, gradient);
  *only = true;
  while (room && *only && l->sums.n > 0) {
    const gi_node *n = gi_node_of(l->sums.at[--l->sums.n]);
    const gi_gather_attr *a = n->attr;
    if (n->op == &gi_op_add)
      room = gi_vec_push(&l->sums, gi_value(g, n->in[1])) &&
             gi_vec_push(&l->sums, gi_value(g, n->in[0]));
    else if (n->op == &gi_op_scatter_add && a->sparse && a->axis == 0)
      room = add_look_up(l, gi_value(g, n->in[0]), gi_value(g, n->in[1]));
    else
      *only = false;
  }
  return room ? GLIA_OK : gi_fail_nomem(sizeof gradient);
}

bool gi_is_sparse(glia_value gradient, gi_used_rows *out) {
  look_ups l = {.y = {.n = 0}};
  bool sparse = false;
  if (gi_null(gradient)) return false;
  if (collect(gradient, &l, &sparse) != GLIA_OK)
    gi_latch(gradient.graph, GLIA_NOMEM, "%s", glia_error_message());
  else if (sparse)
    *out = l.y.n == 1 ? gi_sum_rows(l.y.at[0], l.index.at[0])
                      : gi_sum_rows(glia_concat(l.y.at, (int)l.y.n, 0),
                                    glia_concat(l.index.at, (int)l.index.n, 0));
  gi_vec_free(&l.y);
  gi_vec_free(&l.index);
  gi_vec_free(&l.sums);
  return sparse;
}
