/* nonzero.c - what depends on how many there are: the places that are not zero, the different
 * elements.
 *
 *   nonzero  x [...] -> index [elements of x, rank], count []
 *   unique   x [...] -> values [elements of x], inverse [...], counts [elements of x], count []
 *
 * A graph has fixed shapes, so results are as large as they can become; `count` says how many
 * entries hold, zeros fill the rest. All indices and counts are i64.
 */
#include <math.h>
#include <stdlib.h>

#include "glia/index.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static gi_type whole(int rank, int64_t a, int64_t b) {
  return (gi_type){.dtype = GLIA_I64, .rank = rank, .dim = {a, b}};
}

/* ---- nonzero ------------------------------------------------------------------------- */

static glia_status infer_nonzero(gi_infer *c) {
  c->out[0] = whole(2, gi_type_count(&c->in[0]), c->in[0].rank);
  c->out[1] = whole(0, 0, 0);
  return GLIA_OK;
}

static glia_status ref_nonzero(gi_ref *c) {
  const gi_type *x = &c->in[0].t;
  int64_t at[GLIA_MAX_RANK] = {0}, *rows = c->out[0].p, n = 0;
  const int64_t count = gi_type_count(x);
  gi_zero(&c->out[0]);
  for (int64_t e = 0; e < count; e++, gi_next(x, at)) {
    if (gi_get(&c->in[0], e) == 0) continue; /* NaN is not zero */
    memcpy(rows + n * x->rank, at, (size_t)x->rank * sizeof *at);
    n++;
  }
  *(int64_t *)c->out[1].p = n;
  return GLIA_OK;
}

/* ---- unique -------------------------------------------------------------------------- */

static glia_status infer_unique(gi_infer *c) {
  const int64_t n = gi_type_count(&c->in[0]);
  c->out[0] = whole(1, n, 0);
  c->out[0].dtype = c->in[0].dtype;
  c->out[1] = c->in[0];
  c->out[1].dtype = GLIA_I64;
  c->out[2] = whole(1, n, 0);
  c->out[3] = whole(0, 0, 0);
  return GLIA_OK;
}

typedef struct entry {
  double key;
  int64_t at;
} entry;

/* NaN behind all numbers; each NaN is different from all others, as in PyTorch. */
static int ascending(const void *va, const void *vb) {
  const entry *a = va, *b = vb;
  if (isnan(a->key) != isnan(b->key)) return isnan(a->key) ? 1 : -1;
  if (a->key < b->key || a->key > b->key) return a->key < b->key ? -1 : 1;
  return (a->at > b->at) - (a->at < b->at);
}

static glia_status ref_unique(gi_ref *c) {
  const int64_t count = gi_type_count(&c->in[0].t);
  entry *sorted = gi_alloc((size_t)count * sizeof *sorted + 1);
  int64_t *counts = c->out[2].p, n = 0;
  if (sorted == NULL) return gi_fail_nomem((size_t)count * sizeof *sorted);
  gi_zero(&c->out[0]);
  gi_zero(&c->out[2]);
  for (int64_t e = 0; e < count; e++) sorted[e] = (entry){gi_get(&c->in[0], e), e};
  if (count > 0) qsort(sorted, (size_t)count, sizeof *sorted, ascending);
  for (int64_t e = 0; e < count; e++) {
    if (e == 0 || sorted[e].key != sorted[e - 1].key) gi_put(&c->out[0], n++, sorted[e].key);
    counts[n - 1]++;
    ((int64_t *)c->out[1].p)[sorted[e].at] = n - 1;
  }
  *(int64_t *)c->out[3].p = n;
  gi_free(sorted);
  return GLIA_OK;
}

/* ---- one index for many -------------------------------------------------------------- */

static glia_status infer_ravel(gi_infer *c) {
  const gi_dims *shape = &((const gi_shape_attr *)c->attr)->shape;
  const gi_type *index = &c->in[0];
  gi_type all = {.dtype = GLIA_I64, .rank = shape->n};
  char text[GI_TEXT];
  gi_type_text(index, text, sizeof text);
  if (index->dtype != GLIA_I64 && index->dtype != GLIA_I32)
    return gi_fail(GLIA_DTYPE, "ravel_index: index is %s, wanted i64 or i32", text);
  if (index->rank < 1 || index->dim[index->rank - 1] != shape->n)
    return gi_fail(GLIA_SHAPE, "ravel_index: index is %s, wanted [..., %d]", text, shape->n);
  memcpy(all.dim, shape->at, (size_t)shape->n * sizeof all.dim[0]);
  GI_TRY(gi_type_check(&all, "ravel_index"));
  c->out[0] = *index;
  c->out[0].dtype = GLIA_I64;
  c->out[0].dim[--c->out[0].rank] = 0;
  return GLIA_OK;
}

static glia_status ref_ravel(gi_ref *c) {
  const gi_dims *shape = &((const gi_shape_attr *)c->attr)->shape;
  const int64_t count = gi_type_count(&c->out[0].t);
  for (int64_t e = 0; e < count; e++) {
    int64_t flat = 0;
    for (int d = 0; d < shape->n; d++) {
      const int64_t i = gi_index_at(&c->in[0], e * shape->n + d);
      if (i < 0 || i >= shape->at[d])
        return gi_fail(GLIA_INVALID,
                       "ravel_index: index %" PRId64 " at position %" PRId64
                       " is not in 0 .. %" PRId64 " of axis %d",
                       i, e, shape->at[d] - 1, d);
      flat = flat * shape->at[d] + i;
    }
    ((int64_t *)c->out[0].p)[e] = flat;
  }
  return GLIA_OK;
}

/* ---- samples and rows ---------------------------------------------------------------- */

#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {NULL, 1, {{2, {3, 5}, 0, 3, GLIA_I32}}, GLIA_OK},
    {NULL, 1, {{3, {2, 3, 4}, 0, 1, GLIA_BOOL}}, GLIA_OK},
    {NULL, 1, {{1, {7}, R}}, GLIA_OK},
    {NULL, 1, {{0, {0}, R}}, GLIA_OK},
    {NULL, 1, {{2, {0, 3}, R}}, GLIA_OK}, /* no elements */
    {NULL, 1, {{1, {40}, 0, 9, GLIA_I64}}, GLIA_OK},
};
static const gi_shape_attr by45 = {{2, {4, 5}}}, by4 = {{1, {4}}}, none = {{0, {0}}},
                           minus = {{2, {4, -1}}};
static const gi_sample samples_ravel[] = {
    {&by45, 1, {{2, {7, 2}, 0, 4, GLIA_I64}}, GLIA_OK},
    {&by4, 1, {{3, {2, 3, 1}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&none, 1, {{2, {3, 0}, 0, 4, GLIA_I64}}, GLIA_OK},
    {&by4, 1, {{2, {0, 1}, 0, 4, GLIA_I64}}, GLIA_OK},
    {&by45, 1, {{2, {7, 3}, 0, 4, GLIA_I64}}, GLIA_SHAPE},
    {&by4, 1, {{0, {0}, 0, 4, GLIA_I64}}, GLIA_SHAPE},
    {&minus, 1, {{2, {7, 2}, 0, 4, GLIA_I64}}, GLIA_SHAPE},
    {&by45, 1, {{2, {7, 2}, R}}, GLIA_DTYPE},
};
#undef R

static const gi_attr fields_ravel[] = {
    {"shape", GI_ATTR_DIMS, offsetof(gi_shape_attr, shape), "axes that the index counts in"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_nonzero = {
    .name = "nonzero",
    .doc = "indices of the elements that are not zero, and how many there are",
    .torch = "torch.nonzero(x0)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .infer = infer_nonzero,
    .no_grad = "places have none",
    .ref = ref_nonzero,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_unique = {
    .name = "unique",
    .doc =
        "the different elements in ascending order, where each element is among them, how "
        "often, and how many there are",
    .torch = "torch.unique(x0, return_inverse=True, return_counts=True)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 4,
    .infer = infer_unique,
    .no_grad = "which elements are equal does not change smoothly",
    .ref = ref_unique,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_ravel_index = {
    .name = "ravel_index",
    .doc = "indices into several axes as one index, row-major",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_shape_attr),
    .attrs = fields_ravel,
    .infer = infer_ravel,
    .no_grad = "an index has none",
    .ref = ref_ravel,
    .samples = samples_ravel,
    .n_samples = GI_COUNT(samples_ravel),
};

const gi_op *const gi_ops_nonzero[] = {&gi_op_nonzero, &gi_op_unique, &gi_op_ravel_index, NULL};

/* ---- builders ------------------------------------------------------------------------ */

static glia_value emit(const gi_op *op, glia_value x, glia_value *out) {
  if (!gi_null(x)) gi_emit(NULL, op, NULL, &x, 1, out);
  return out[0];
}

glia_value glia_unique(glia_value x, glia_value *inverse, glia_value *counts,
                       glia_value *count) {
  glia_value out[4] = {GLIA_NONE, GLIA_NONE, GLIA_NONE, GLIA_NONE};
  emit(&gi_op_unique, x, out);
  if (inverse != NULL) *inverse = out[1];
  if (counts != NULL) *counts = out[2];
  if (count != NULL) *count = out[3];
  return out[0];
}

glia_value glia_nonzero(glia_value x, glia_value *count) {
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  emit(&gi_op_nonzero, x, out);
  if (count != NULL) *count = out[1];
  return out[0];
}

glia_value glia_ravel_index(glia_value index, const int64_t *shape, int k) {
  gi_shape_attr a = {{.n = k}};
  if (gi_null(index)) return index;
  if (k < 0 || k > GLIA_MAX_RANK)
    return gi_latch(index.graph, GLIA_SHAPE, "ravel_index: %d axes, wanted 0 to %d", k,
                    GLIA_MAX_RANK);
  for (int d = 0; d < k; d++) a.shape.at[d] = shape[d];
  return gi_emit1(&gi_op_ravel_index, &a, index);
}
