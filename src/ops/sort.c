/* sort.c - the elements of an axis in order.
 *
 *   sort  x [.., n, ..] -> values [.., count, ..] and where they were, i64
 *
 * The first `count` of the order, so top-k is sorting cut short, and sorting is top-k with all
 * of them. Equals keep the order that they have; NaN counts as the largest, as in PyTorch.
 *
 * The gradient goes back to where the values came from: values are a choice, not a function of
 * the order.
 */
#include <math.h>
#include <stdlib.h>

#include "glia/index.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c) {
  const gi_sort_attr *a = c->attr;
  const gi_type *x = &c->in[0];
  char text[GI_TEXT];
  GI_TRY(gi_want_axis(a->axis, x, "sort"));
  if (a->count < 0 || a->count > x->dim[a->axis])
    return gi_fail(GLIA_SHAPE, "sort: %" PRId64 " elements of axis %" PRId64 " of %s", a->count,
                   a->axis, gi_shape_text(x, text, sizeof text));
  c->out[0] = *x;
  c->out[0].dim[a->axis] = a->count;
  c->out[1] = c->out[0];
  c->out[1].dtype = GLIA_I64;
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  const gi_sort_attr *a = c->attr;
  c->din[0] = glia_put_along(c->dout[0], c->out[1], (int)a->axis,
                             glia_value_dim(c->in[0], (int)a->axis));
  return GLIA_OK;
}

/* ---- reference ----------------------------------------------------------------------- */

typedef struct entry {
  double key;
  int64_t at;
} entry;

/* NaN behind all numbers. */
static int by_key(double a, double b) {
  if (isnan(a) || isnan(b)) return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
  return (a > b) - (a < b);
}
static int ascending(const void *va, const void *vb) {
  const entry *a = va, *b = vb;
  const int order = by_key(a->key, b->key);
  return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}
static int descending(const void *va, const void *vb) {
  const entry *a = va, *b = vb;
  const int order = by_key(b->key, a->key);
  return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static glia_status ref(gi_ref *c) {
  const gi_sort_attr *a = c->attr;
  const gi_rows r = gi_rows_of(&c->in[0].t, a->axis);
  entry *row = gi_alloc((size_t)r.n * sizeof *row + 1);
  if (row == NULL) return gi_fail_nomem((size_t)r.n * sizeof *row);
  for (int64_t k = 0; k < r.outer * r.inner; k++) {
    const int64_t o = k / r.inner, i = k % r.inner;
    for (int64_t e = 0; e < r.n; e++)
      row[e] = (entry){gi_get(&c->in[0], (o * r.n + e) * r.inner + i), e};
    if (r.n > 0) qsort(row, (size_t)r.n, sizeof *row, a->descending ? descending : ascending);
    for (int64_t e = 0; e < a->count; e++) {
      const int64_t to = (o * a->count + e) * r.inner + i;
      gi_move(&c->in[0], (o * r.n + row[e].at) * r.inner + i, &c->out[0], to);
      gi_put(&c->out[1], to, (double)row[e].at);
    }
  }
  gi_free(row);
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  const int64_t n = c->in[0].dim[((const gi_sort_attr *)c->attr)->axis];
  gi_cost k = gi_default_cost(c);
  k.flops = (double)gi_type_count(&c->in[0]) * 4 * log2((double)n + 2);
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_sort_attr all5 = {1, 5, false}, down5 = {1, 5, true}, top2 = {0, 2, true},
                          low3 = {1, 3, false}, none = {0, 0, false}, all40 = {0, 40, false},
                          more = {0, 6, false}, axis3 = {3, 1, false}, minus = {0, -1, false},
                          one = {0, 1, true}, all300 = {1, 300, true}, best9 = {1, 9, false};
#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {&all5, 1, {{2, {3, 5}, R}}, GLIA_OK},
    {&down5, 1, {{3, {2, 5, 3}, R}}, GLIA_OK},
    {&top2, 1, {{2, {4, 3}, R}}, GLIA_OK},
    {&low3, 1, {{3, {2, 7, 1}, R}}, GLIA_OK},
    {&one, 1, {{1, {1}, R}}, GLIA_OK},
    {&none, 1, {{2, {0, 3}, R}}, GLIA_OK}, /* no elements */
    {&none, 1, {{1, {3}, R}}, GLIA_OK},    /* none of them */
    {&all300, 1, {{2, {2, 300}, R}}, GLIA_OK},
    {&best9, 1, {{3, {2, 200, 2}, R}}, GLIA_OK},
    {&all40, 1, {{1, {40}, 0, 9, GLIA_I64}}, GLIA_OK}, /* equals keep their order */
    {&top2, 1, {{1, {9}, 0, 3, GLIA_U8}}, GLIA_OK},
    {&more, 1, {{1, {5}, R}}, GLIA_SHAPE},
    {&minus, 1, {{1, {5}, R}}, GLIA_SHAPE},
    {&axis3, 1, {{2, {3, 5}, R}}, GLIA_SHAPE},
};
#undef R

static const gi_attr fields[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_sort_attr, axis), "that is put in order"},
    {"count", GI_ATTR_I64, offsetof(gi_sort_attr, count), "how many of the order are wanted"},
    {"descending", GI_ATTR_BOOL, offsetof(gi_sort_attr, descending), "largest first"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_sort = {
    .name = "sort",
    .doc = "the first elements of an axis in order, and where they were",
    .torch = "torch.sort(x0, axis, descending, stable=True).values.narrow(axis, 0, count)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .attr_size = sizeof(gi_sort_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};
const gi_op *const gi_ops_sort[] = {&gi_op_sort, NULL};

/* ---- builders ------------------------------------------------------------------------ */

/* count -1: all */
static glia_value sorted(glia_value x, int axis, int64_t count, bool down, glia_value *index) {
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  if (index != NULL) *index = GLIA_NONE;
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  const gi_sort_attr a = {at < 0 ? axis : at,
                          count < 0 && at >= 0 ? glia_value_dim(x, at) : count, down};
  gi_emit(NULL, &gi_op_sort, &a, &x, 1, out);
  if (index != NULL) *index = out[1];
  return out[0];
}

glia_value glia_sort(glia_value x, int axis, bool descend, glia_value *index) {
  return sorted(x, axis, -1, descend, index);
}
glia_value glia_argsort(glia_value x, int axis, bool descend) {
  glia_value index;
  sorted(x, axis, -1, descend, &index);
  return index;
}
glia_value glia_top_k(glia_value x, int64_t count, int axis, bool smallest, glia_value *index) {
  if (count < 0 && !gi_null(x)) {
    if (index != NULL) *index = GLIA_NONE;
    return gi_latch(x.graph, GLIA_INVALID, "top_k: count is %" PRId64 ", wanted 0 or more",
                    count);
  }
  return sorted(x, axis, count, !smallest, index);
}
