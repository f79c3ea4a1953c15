/* slice.c - every step-th element of a stretch of one axis, and its transpose, which puts
 * elements at such places among zeros. Each is the gradient of the other.
 *
 * Shapes: slice [.., A, ..] -> [.., n, ..], n = ceil((end - begin) / step);
 *         place [.., n, ..] -> [.., size, ..], element i going to begin + i step.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer_slice(gi_infer *c) {
  const gi_slice_attr *a = c->attr;
  const gi_type *x = &c->in[0];
  char text[GI_TEXT];
  GI_TRY(gi_want_axis(a->axis, x, "slice"));
  if (a->step < 1)
    return gi_fail(GLIA_INVALID, "slice: step is %" PRId64 ", want >= 1", a->step);
  if (a->begin < 0 || a->end < a->begin || a->end > x->dim[a->axis])
    return gi_fail(GLIA_SHAPE,
                   "slice: %" PRId64 " to %" PRId64 " is out of axis %" PRId64 " of %s",
                   a->begin, a->end, a->axis, gi_shape_text(x, text, sizeof text));
  c->out[0] = *x;
  c->out[0].dim[a->axis] = (a->end - a->begin) / a->step + ((a->end - a->begin) % a->step != 0);
  return GLIA_OK;
}

static glia_status infer_place(gi_infer *c) {
  const gi_place_attr *a = c->attr;
  const gi_type *y = &c->in[0];
  char text[GI_TEXT];
  GI_TRY(gi_want_axis(a->axis, y, "place"));
  const int64_t n = y->dim[a->axis];
  if (a->step < 1)
    return gi_fail(GLIA_INVALID, "place: step is %" PRId64 ", want >= 1", a->step);
  if (a->begin < 0 || a->size < 0 || a->begin > a->size ||
      (n > 0 && (n - 1 > (a->size - 1 - a->begin) / a->step || a->begin >= a->size)))
    return gi_fail(GLIA_SHAPE,
                   "place: %s at %" PRId64 ", step %" PRId64 ", does not fit in %" PRId64
                   " on axis %" PRId64,
                   gi_shape_text(y, text, sizeof text), a->begin, a->step, a->size, a->axis);
  c->out[0] = *y;
  c->out[0].dim[a->axis] = a->size;
  return GLIA_OK;
}

static glia_status vjp_slice(gi_vjp *c) {
  const gi_slice_attr *a = c->attr;
  const gi_place_attr back = {a->axis, a->begin, a->step,
                              glia_value_dim(c->in[0], (int)a->axis)};
  c->din[0] = gi_emit1(&gi_op_place, &back, c->dout[0]);
  return GLIA_OK;
}

static glia_status vjp_place(gi_vjp *c) {
  const gi_place_attr *a = c->attr;
  const int64_t n = glia_value_dim(c->in[0], (int)a->axis);
  const gi_slice_attr back = {a->axis, a->begin,
                              n > 0 ? a->begin + (n - 1) * a->step + 1 : a->begin, a->step};
  c->din[0] = gi_emit1(&gi_op_slice, &back, c->dout[0]);
  return GLIA_OK;
}

/* Rows [inner] between part, of n rows, and whole, where row i lies at begin + i step. */
static void move(const gi_buf *part, const gi_buf *whole, int64_t axis, int64_t begin,
                 int64_t step, bool out_of_whole) {
  const gi_rows p = gi_rows_of(&part->t, axis), w = gi_rows_of(&whole->t, axis);
  const size_t bytes = (size_t)p.inner * glia_dtype_size(part->t.dtype);
  for (int64_t o = 0; o < p.outer; o++)
    for (int64_t i = 0; i < p.n; i++) {
      char *at_part = (char *)part->p + (size_t)(o * p.n + i) * bytes;
      char *at_whole = (char *)whole->p + (size_t)(o * w.n + begin + i * step) * bytes;
      if (out_of_whole)
        memcpy(at_part, at_whole, bytes);
      else
        memcpy(at_whole, at_part, bytes);
    }
}

static glia_status ref_slice(gi_ref *c) {
  const gi_slice_attr *a = c->attr;
  move(&c->out[0], &c->in[0], a->axis, a->begin, a->step, true);
  return GLIA_OK;
}

static glia_status ref_place(gi_ref *c) {
  const gi_place_attr *a = c->attr;
  gi_zero(&c->out[0]);
  move(&c->in[0], &c->out[0], a->axis, a->begin, a->step, false);
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* what is left out is not read */
  const double small = (double)GI_MIN(gi_type_bytes(&c->in[0]), gi_type_bytes(&c->out[0]));
  return (gi_cost){.flops = 0, .bytes = small + (double)gi_type_bytes(&c->out[0])};
}

/* ---- samples and rows ---------------------------------------------------------------- */

#define R -2, 2, GLIA_F32
static const gi_slice_attr s0_1_3 = {0, 1, 3, 1}, s1_0_7_3 = {1, 0, 7, 3},
                           s2_1_4_2 = {2, 1, 4, 2}, s0_2_2 = {0, 2, 2, 1},
                           s0_past = {0, 1, 9, 1}, s3 = {3, 0, 1, 1}, s_step0 = {0, 0, 2, 0},
                           s_back = {0, 3, 1, 1};
static const gi_sample samples_slice[] = {
    {&s0_1_3, 1, {{2, {4, 2}, R}}, GLIA_OK},
    {&s1_0_7_3, 1, {{2, {3, 7}, R}}, GLIA_OK},
    {&s2_1_4_2, 1, {{3, {2, 1, 5}, R}}, GLIA_OK},
    {&s0_2_2, 1, {{2, {4, 3}, R}}, GLIA_OK}, /* nothing */
    {&s0_1_3, 1, {{1, {4}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&s1_0_7_3, 1, {{2, {0, 7}, R}}, GLIA_OK},
    {&s0_past, 1, {{1, {4}, R}}, GLIA_SHAPE},
    {&s_back, 1, {{1, {4}, R}}, GLIA_SHAPE},
    {&s3, 1, {{1, {4}, R}}, GLIA_SHAPE},
    {&s_step0, 1, {{1, {4}, R}}, GLIA_INVALID},
};
static const gi_place_attr p0_1 = {0, 1, 1, 4}, p1_0_3 = {1, 0, 3, 7}, p2_1_2 = {2, 1, 2, 5},
                           p0_tight = {0, 2, 1, 3}, p_step0 = {0, 0, 0, 5};
static const gi_sample samples_place[] = {
    {&p0_1, 1, {{2, {2, 2}, R}}, GLIA_OK},      {&p1_0_3, 1, {{2, {3, 3}, R}}, GLIA_OK},
    {&p2_1_2, 1, {{3, {2, 1, 2}, R}}, GLIA_OK}, {&p0_1, 1, {{2, {0, 3}, R}}, GLIA_OK},
    {&p0_tight, 1, {{1, {1}, R}}, GLIA_OK},     {&p0_tight, 1, {{1, {2}, R}}, GLIA_SHAPE},
    {&p2_1_2, 1, {{2, {2, 2}, R}}, GLIA_SHAPE}, {&p_step0, 1, {{1, {2}, R}}, GLIA_INVALID},
};
#undef R

static const gi_attr fields_slice[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_slice_attr, axis), "the axis that is cut"},
    {"begin", GI_ATTR_I64, offsetof(gi_slice_attr, begin), "first element"},
    {"end", GI_ATTR_I64, offsetof(gi_slice_attr, end), "the element behind the last"},
    {"step", GI_ATTR_I64, offsetof(gi_slice_attr, step), "from one to the next"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
static const gi_attr fields_place[] = {
    {"axis", GI_ATTR_I64, offsetof(gi_place_attr, axis), "the axis that grows"},
    {"begin", GI_ATTR_I64, offsetof(gi_place_attr, begin), "place of the first element"},
    {"step", GI_ATTR_I64, offsetof(gi_place_attr, step), "from one place to the next"},
    {"size", GI_ATTR_I64, offsetof(gi_place_attr, size), "of the axis in the result"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_slice = {
    .name = "slice",
    .doc = "every step-th element of a stretch of one axis",
    .torch =
        "x0.narrow(axis, begin, end - begin).index_select(axis, "
        "torch.arange(0, end - begin, step))",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_slice_attr),
    .attrs = fields_slice,
    .infer = infer_slice,
    .vjp = vjp_slice,
    .ref = ref_slice,
    .cost = cost,
    .samples = samples_slice,
    .n_samples = GI_COUNT(samples_slice),
};

const gi_op gi_op_place = {
    .name = "place",
    .doc = "elements at begin, begin + step, ... of an axis of zeros: the transpose of slice",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_place_attr),
    .attrs = fields_place,
    .infer = infer_place,
    .vjp = vjp_place,
    .ref = ref_place,
    .cost = cost,
    .samples = samples_place,
    .n_samples = GI_COUNT(samples_place),
};

const gi_op *const gi_ops_slice[] = {&gi_op_slice, &gi_op_place, NULL};

/* ---- builders ------------------------------------------------------------------------ */

glia_value glia_slice(glia_value x, int axis, int64_t begin, int64_t end, int64_t step) {
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  if (at < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "slice: axis %d is out of range, x has rank %d", axis,
                    glia_value_rank(x));
  const int64_t n = glia_value_dim(x, at);
  if (begin < 0) begin = begin < -n ? 0 : begin + n;
  if (end < 0) end = end < -n ? 0 : end + n;
  end = GI_MIN(end, n);
  begin = GI_MIN(begin, n);
  step = GI_MIN(step, GI_MAX(n, 1)); /* one element is taken then, as with any larger step */
  if (begin == 0 && end == n && step == 1) return x;
  const gi_slice_attr a = {at, begin, GI_MAX(begin, end), step};
  return gi_emit1(&gi_op_slice, &a, x);
}

void glia_split(glia_value x, int axis, int n, const int64_t *sizes, glia_value *out) {
  for (int i = 0; i < n; i++) out[i] = GLIA_NONE;
  if (gi_null(x)) return;
  const int at = gi_axis(axis, glia_value_rank(x));
  const int64_t whole = at < 0 ? 0 : glia_value_dim(x, at);
  int64_t left = whole;
  for (int i = 0; i < n && sizes != NULL && left >= 0; i++)
    left = sizes[i] < 0 || sizes[i] > left ? -1 : left - sizes[i];
  if (at < 0 || n < 1)
    gi_latch(x.graph, at < 0 ? GLIA_SHAPE : GLIA_INVALID,
             "split: %d parts of axis %d; x has rank %d", n, axis, glia_value_rank(x));
  else if (sizes == NULL ? whole % n != 0 : left != 0)
    gi_latch(x.graph, GLIA_SHAPE, "split: axis %d has %" PRId64 " elements, the %d parts %s",
             axis, whole, n, sizes == NULL ? "cannot be equal" : "do not add up to that");
  else
    for (int64_t i = 0, begin = 0; i < n; i++) {
      const int64_t size = sizes == NULL ? whole / n : sizes[i];
      out[i] = glia_slice(x, at, begin, begin + size, 1);
      begin += size;
    }
}
