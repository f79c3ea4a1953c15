/* one_hot.c - tensors made from whole numbers: an index as a row of one 1, and 0, 1, 2, ...
 *
 * Shapes: one_hot: index [...] -> [..., classes]; range: () -> [n].
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer_one_hot(gi_infer *c) {
  const gi_one_hot_attr *a = c->attr;
  const gi_type *index = &c->in[0];
  char text[GI_TEXT];
  gi_type_text(index, text, sizeof text);
  if (index->dtype != GLIA_I64 && index->dtype != GLIA_I32 && index->dtype != GLIA_U8)
    return gi_fail(GLIA_DTYPE, "one_hot: index is %s, wanted i64, i32 or u8", text);
  if (a->classes < 0 || index->rank == GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE,
                   "one_hot: index is %s, classes %" PRId64
                   "; wanted classes >= 0 and room for an axis",
                   text, a->classes);
  gi_type y = *index;
  y.dtype = a->dtype;
  y.dim[y.rank++] = a->classes;
  c->out[0] = y;
  return GLIA_OK;
}

static glia_status ref_one_hot(gi_ref *c) {
  const int64_t classes = ((const gi_one_hot_attr *)c->attr)->classes;
  const int64_t count = gi_type_count(&c->in[0].t);
  gi_zero(&c->out[0]);
  for (int64_t e = 0; e < count; e++) {
    const int64_t k = gi_index_at(&c->in[0], e);
    if (k < 0 || k >= classes)
      return gi_fail(GLIA_INVALID,
                     "one_hot: index %" PRId64 " at position %" PRId64
                     " is not in 0 .. %" PRId64,
                     k, e, classes - 1);
    gi_put(&c->out[0], e * classes + k, 1);
  }
  return GLIA_OK;
}

static glia_status infer_range(gi_infer *c) {
  const gi_one_hot_attr *a = c->attr;
  if (a->classes < 0)
    return gi_fail(GLIA_SHAPE, "range: n is %" PRId64 ", want >= 0", a->classes);
  c->out[0] = (gi_type){.dtype = a->dtype, .rank = 1, .dim = {a->classes}};
  return GLIA_OK;
}

static glia_status ref_range(gi_ref *c) {
  const int64_t n = ((const gi_one_hot_attr *)c->attr)->classes;
  for (int64_t e = 0; e < n; e++) gi_put(&c->out[0], e, (double)e);
  return GLIA_OK;
}

static const gi_one_hot_attr five = {5, GLIA_F32}, whole = {4, GLIA_I32}, one = {1, GLIA_F32},
                             minus = {-1, GLIA_F32}, none = {0, GLIA_F64};
static const gi_sample samples_one_hot[] = {
    {&five, 1, {{1, {3}, 0, 5, GLIA_I64}}, GLIA_OK},
    {&five, 1, {{2, {2, 17}, 0, 5, GLIA_I32}}, GLIA_OK},
    {&whole, 1, {{0, {0}, 0, 4, GLIA_U8}}, GLIA_OK},
    {&one, 1, {{1, {3}, 0, 1, GLIA_I64}}, GLIA_OK},
    {&none, 1, {{1, {0}, 0, 1, GLIA_I64}}, GLIA_OK},
    {&minus, 1, {{1, {3}, 0, 5, GLIA_I64}}, GLIA_SHAPE},
    {&five, 1, {{8, {1, 1, 1, 1, 1, 1, 1, 1}, 0, 5, GLIA_I64}}, GLIA_SHAPE},
    {&five, 1, {{1, {3}, 0, 5, GLIA_F32}}, GLIA_DTYPE},
};
static const gi_sample samples_range[] = {
    {&five, 0, {{0}}, GLIA_OK},
    {&whole, 0, {{0}}, GLIA_OK},
    {&none, 0, {{0}}, GLIA_OK},
    {&minus, 0, {{0}}, GLIA_SHAPE},
};

static const gi_attr fields_one_hot[] = {
    {"classes", GI_ATTR_I64, offsetof(gi_one_hot_attr, classes), "size of the new last axis"},
    {"dtype", GI_ATTR_DTYPE, offsetof(gi_one_hot_attr, dtype), "of the result"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
static const gi_attr fields_range[] = {
    {"n", GI_ATTR_I64, offsetof(gi_one_hot_attr, classes), "how many numbers"},
    {"dtype", GI_ATTR_DTYPE, offsetof(gi_one_hot_attr, dtype), "of the result"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_one_hot = {
    .name = "one_hot",
    .doc = "1 at the index along a new last axis, 0 elsewhere",
    .torch = "torch.nn.functional.one_hot(x0, classes).to(dtype)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_one_hot_attr),
    .attrs = fields_one_hot,
    .infer = infer_one_hot,
    .no_grad = "an index has none",
    .ref = ref_one_hot,
    .samples = samples_one_hot,
    .n_samples = GI_COUNT(samples_one_hot),
};

const gi_op gi_op_range = {
    .name = "range",
    .doc = "0, 1, 2, ...",
    .torch = "torch.arange(n, dtype=dtype)",
    .min_in = 0,
    .max_in = 0,
    .n_out = 1,
    .attr_size = sizeof(gi_one_hot_attr),
    .attrs = fields_range,
    .infer = infer_range,
    .no_grad = "it has no inputs",
    .ref = ref_range,
    .samples = samples_range,
    .n_samples = GI_COUNT(samples_range),
};

const gi_op *const gi_ops_one_hot[] = {&gi_op_one_hot, &gi_op_range, NULL};

glia_value glia_one_hot(glia_value index, int64_t classes, glia_dtype dtype) {
  const gi_one_hot_attr a = {classes, dtype};
  return gi_emit1(&gi_op_one_hot, &a, index);
}

glia_value glia_range(glia_graph *g, int64_t n, glia_dtype dtype) {
  const gi_one_hot_attr a = {n, dtype};
  return gi_emit(g, &gi_op_range, &a, NULL, 0, NULL);
}
