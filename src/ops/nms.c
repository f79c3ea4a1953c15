/* nms.c - non-maximum suppression: of boxes that overlap, the one with the best score.
 *
 *   boxes [N, 4], scores [N][, classes [N]] -> the boxes that stay, i64 [N], and how many, []
 *
 * Boxes are looked at by falling score, equal scores in their order; one stays unless it
 * overlaps one of its class that stays by more than `iou`. Behind the count are zeros.
 */
#include <math.h>
#include <stdlib.h>

#include "glia/boxes.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c) {
  const gi_nms_attr *a = c->attr;
  const gi_type *boxes = &c->in[0], *scores = &c->in[1];
  char tb[GI_TEXT], ts[GI_TEXT];
  gi_type_text(boxes, tb, sizeof tb);
  gi_type_text(scores, ts, sizeof ts);
  GI_TRY(gi_want_float(c, 0, "nms", "boxes"));
  GI_TRY(gi_want_float(c, 1, "nms", "scores"));
  if (boxes->rank != 2 || boxes->dim[1] != 4 || scores->rank != 1 ||
      scores->dim[0] != boxes->dim[0])
    return gi_fail(GLIA_SHAPE, "nms: boxes are %s, scores are %s; wanted [N, 4] and [N]", tb,
                   ts);
  if (c->n_in > 2 && c->in[2].dtype != GLIA_I64 && c->in[2].dtype != GLIA_I32)
    return gi_fail(GLIA_DTYPE, "nms: classes are %s, wanted i64 or i32",
                   gi_type_text(&c->in[2], ts, sizeof ts));
  if (c->n_in > 2 && !gi_shape_equal(&c->in[2], scores))
    return gi_fail(GLIA_SHAPE, "nms: boxes are %s, classes are %s; wanted [N]", tb,
                   gi_type_text(&c->in[2], ts, sizeof ts));
  if (!(a->iou >= 0 && a->iou <= 1) || isnan(a->score) || a->most < 0)
    return gi_fail(GLIA_INVALID,
                   "nms: iou %g, score %g, most %" PRId64 "; wanted 0 to 1, a number, >= 0",
                   a->iou, a->score, a->most);
  c->out[0] = (gi_type){.dtype = GLIA_I64, .rank = 1, .dim = {boxes->dim[0]}};
  c->out[1] = (gi_type){.dtype = GLIA_I64};
  return GLIA_OK;
}

typedef struct entry {
  double score;
  int64_t at;
} entry;

/* Falling; a NaN is the worst. */
static int better_first(const void *va, const void *vb) {
  const entry *a = va, *b = vb;
  if (isnan(a->score) != isnan(b->score)) return isnan(a->score) ? 1 : -1;
  if (a->score < b->score || a->score > b->score) return a->score > b->score ? -1 : 1;
  return (a->at > b->at) - (a->at < b->at);
}

static double overlap(const gi_buf *boxes, int64_t i, int64_t k) {
  double within = 1, own_i = 1, own_k = 1;
  for (int axis = 0; axis < 2; axis++) {
    const double i1 = gi_get(boxes, 4 * i + axis), i2 = gi_get(boxes, 4 * i + axis + 2),
                 k1 = gi_get(boxes, 4 * k + axis), k2 = gi_get(boxes, 4 * k + axis + 2);
    within *= fmax(0, fmin(i2, k2) - fmax(i1, k1));
    own_i *= i2 - i1;
    own_k *= k2 - k1;
  }
  return within / (own_i + own_k - within);
}

static bool stays(const gi_ref *c, const int64_t *kept, int64_t n, int64_t box) {
  const double most = ((const gi_nms_attr *)c->attr)->iou;
  for (int64_t e = 0; e < n; e++) {
    if (c->n_in > 2 && gi_index_at(&c->in[2], kept[e]) != gi_index_at(&c->in[2], box)) continue;
    if (overlap(&c->in[0], kept[e], box) > most) return false;
  }
  return true;
}

static glia_status ref(gi_ref *c) {
  const gi_nms_attr *a = c->attr;
  const int64_t count = c->in[1].t.dim[0];
  int64_t *kept = c->out[0].p, n = 0;
  entry *order = gi_alloc((size_t)count * sizeof *order + 1);
  if (order == NULL) return gi_fail_nomem((size_t)count * sizeof *order);
  gi_zero(&c->out[0]);
  for (int64_t e = 0; e < count; e++) order[e] = (entry){gi_get(&c->in[1], e), e};
  if (count > 0) qsort(order, (size_t)count, sizeof *order, better_first);
  for (int64_t e = 0; e < count && (a->most == 0 || n < a->most); e++) {
    if (a->score != 0 && !(order[e].score >= a->score)) break;
    if (stays(c, kept, n, order[e].at)) kept[n++] = order[e].at;
  }
  *(int64_t *)c->out[1].p = n;
  gi_free(order);
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* as if a tenth stayed */
  const double n = (double)c->in[0].dim[0];
  gi_cost k = gi_default_cost(c);
  k.flops = n * n;
  return k;
}

static const gi_nms_attr half = {.iou = 0.5}, few = {0.2, 0.3, 5}, wide = {.iou = 1.5},
                         minus = {.iou = 0.5, .most = -1};
#define B 0, 1, GLIA_F32
static const gi_sample samples[] = {
    {&half, 2, {{2, {20, 4}, B}, {1, {20}, B}}, GLIA_OK},
    {&few, 3, {{2, {40, 4}, B}, {1, {40}, B}, {1, {40}, 0, 3, GLIA_I64}}, GLIA_OK},
    {&half, 3, {{2, {1, 4}, B}, {1, {1}, B}, {1, {1}, 0, 3, GLIA_I32}}, GLIA_OK},
    {&half, 2, {{2, {0, 4}, B}, {1, {0}, B}}, GLIA_OK},
    {&half, 2, {{2, {20, 5}, B}, {1, {20}, B}}, GLIA_SHAPE},
    {&half, 2, {{2, {20, 4}, B}, {1, {21}, B}}, GLIA_SHAPE},
    {&half, 3, {{2, {20, 4}, B}, {1, {20}, B}, {1, {21}, 0, 3, GLIA_I64}}, GLIA_SHAPE},
    {&half, 3, {{2, {20, 4}, B}, {1, {20}, B}, {1, {20}, B}}, GLIA_DTYPE},
    {&half, 2, {{2, {20, 4}, 0, 9, GLIA_I32}, {1, {20}, B}}, GLIA_DTYPE},
    {&wide, 2, {{2, {20, 4}, B}, {1, {20}, B}}, GLIA_INVALID},
    {&minus, 2, {{2, {20, 4}, B}, {1, {20}, B}}, GLIA_INVALID},
};
#undef B

static const gi_attr fields[] = {
    {"iou", GI_ATTR_F64, offsetof(gi_nms_attr, iou), "overlap by more falls away"},
    {"score", GI_ATTR_F64, offsetof(gi_nms_attr, score), "a lower score falls away; 0: none"},
    {"most", GI_ATTR_I64, offsetof(gi_nms_attr, most), "how many stay at most; 0: any number"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_nms = {
    .name = "nms",
    .doc = "non-maximum suppression: the boxes that stay, by falling score, and how many",
    .torch = "torchvision.ops.nms(x0, x1, iou)",
    .min_in = 2,
    .max_in = 3,
    .n_out = 2,
    .attr_size = sizeof(gi_nms_attr),
    .attrs = fields,
    .infer = infer,
    .no_grad = "which boxes stay does not change smoothly",
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};
const gi_op *const gi_ops_nms[] = {&gi_op_nms, NULL};

glia_value glia_nms_opt(glia_value boxes, glia_value scores, glia_value classes,
                        glia_value *count, const glia_nms_opts *opt) {
  glia_nms_opts o;
  glia_value out[2] = {GLIA_NONE, GLIA_NONE};
  gi_opts(&o, sizeof o, opt);
  const gi_nms_attr a = {o.iou != 0 ? o.iou : 0.5, o.score, o.most};
  const glia_value in[] = {boxes, scores, classes};
  if (count != NULL) *count = GLIA_NONE;
  if (gi_null(boxes) || gi_null(scores)) return GLIA_NONE;
  gi_emit(NULL, &gi_op_nms, &a, in, gi_null(classes) ? 2 : 3, out);
  if (count != NULL) *count = out[1];
  return out[0];
}
