/* exports/norm.c - softmax, normalisation of rows, attention. */
#include "formats/onnx/export.h"

/* ---- softmax ----------------------------------------------------------------------------- */

static glia_status by_axis(gi_onnx_writing *w, const char *op) {
  gi_onnx_put_int(w, "axis", ((const gi_axis_attr *)w->attr)->axis);
  gi_onnx_give(w, 0, gi_onnx_put(w, op, 1, w->in[0]));
  return GLIA_OK;
}
static glia_status write_softmax(gi_onnx_writing *w) { return by_axis(w, "Softmax"); }
static glia_status write_log_softmax(gi_onnx_writing *w) { return by_axis(w, "LogSoftmax"); }

/* ---- rows -------------------------------------------------------------------------------- */

/* x / sqrt(mean of x^2 + eps) gamma + beta */
static void write_root_mean_square(gi_onnx_writing *w, const gi_layer_norm_attr *a) {
  const gi_type *t = &w->in_type[0];
  int64_t axes[GLIA_MAX_RANK];
  const int n = t->rank - (int)a->axis;
  for (int i = 0; i < n; i++) axes[i] = a->axis + i;
  const char *square = gi_onnx_put(w, "Mul", 2, w->in[0], w->in[0]);
  gi_onnx_put_ints(w, "axes", axes, n);
  const char *mean = gi_onnx_put(w, "ReduceMean", 1, square);
  const char *sum = gi_onnx_put(w, "Add", 2, mean, gi_onnx_number(w, t->dtype, a->eps));
  const char *y = gi_onnx_put(w, "Div", 2, w->in[0], gi_onnx_put(w, "Sqrt", 1, sum));
  y = gi_onnx_put(w, "Mul", 2, y, w->in[1]);
  gi_onnx_give(w, 0, w->n_in > 2 ? gi_onnx_put(w, "Add", 2, y, w->in[2]) : y);
}

static glia_status write_layer_norm(gi_onnx_writing *w) {
  const gi_layer_norm_attr *a = w->attr;
  if (gi_onnx_used(w, 1) || gi_onnx_used(w, 2))
    return gi_fail(GLIA_UNSUPPORTED, "the mean or the variance is asked for");
  if (!a->centred) {
    write_root_mean_square(w, a);
    return GLIA_OK;
  }
  gi_onnx_put_int(w, "axis", a->axis);
  gi_onnx_put_float(w, "epsilon", a->eps);
  const char *beta = w->n_in > 2 ? w->in[2] : "";
  gi_onnx_give(w, 0, gi_onnx_put(w, "LayerNormalization", w->n_in, w->in[0], w->in[1], beta));
  return GLIA_OK;
}

/* ---- channels ---------------------------------------------------------------------------- */

/* Of all axes but 1; kept: [1, C, 1, ...]. */
static const char *mean_of(gi_onnx_writing *w, const char *x, bool keep) {
  int64_t axes[GLIA_MAX_RANK] = {0};
  const int n = w->in_type[0].rank - 1;
  for (int i = 1; i < n; i++) axes[i] = i + 1;
  gi_onnx_put_ints(w, "axes", axes, n);
  gi_onnx_put_int(w, "keepdims", keep);
  return gi_onnx_put(w, "ReduceMean", 1, x);
}

/* y = (x - mean) / sqrt(variance + eps) gamma + beta by the batch's own statistics. */
static glia_status write_batch_norm(gi_onnx_writing *w) {
  const gi_batch_norm_attr *a = w->attr;
  const gi_type *t = &w->in_type[0];
  int64_t channels[GLIA_MAX_RANK] = {1, -1, 1, 1, 1, 1, 1, 1};
  if (gi_type_count(t) == 0) return gi_fail(GLIA_UNSUPPORTED, "of nothing");
  const char *off = gi_onnx_put(w, "Sub", 2, w->in[0], mean_of(w, w->in[0], true));
  const char *square = gi_onnx_put(w, "Mul", 2, off, off);
  const char *sum =
      gi_onnx_put(w, "Add", 2, mean_of(w, square, true), gi_onnx_number(w, t->dtype, a->eps));
  const char *y = gi_onnx_put(w, "Div", 2, off, gi_onnx_put(w, "Sqrt", 1, sum));
  y = gi_onnx_put(w, "Mul", 2, y, gi_onnx_reshape_to(w, w->in[1], channels, t->rank));
  y = gi_onnx_put(w, "Add", 2, y, gi_onnx_reshape_to(w, w->in[2], channels, t->rank));
  gi_onnx_give(w, 0, y);
  if (gi_onnx_used(w, 1)) gi_onnx_give(w, 1, mean_of(w, w->in[0], false));
  if (gi_onnx_used(w, 2)) gi_onnx_give(w, 2, mean_of(w, square, false));
  return GLIA_OK;
}

/* ---- attention --------------------------------------------------------------------------- */

/* bool [T, S]: true where s <= t + offset. NULL without memory. */
static const char *up_to(gi_onnx_writing *w, int64_t t, int64_t s, int64_t offset) {
  const gi_type type = {.dtype = GLIA_BOOL, .rank = 2, .dim = {t, s}};
  unsigned char *seen = gi_alloc((size_t)gi_type_count(&type));
  if (seen == NULL) return NULL;
  for (int64_t i = 0; i < t; i++)
    for (int64_t k = 0; k < s; k++) seen[i * s + k] = k <= i + offset;
  const char *name = gi_onnx_elements(w, &type, seen);
  gi_free(seen);
  return name;
}

/* Which keys are seen, as bools: the mask's and the causal ones; NULL: all. */
static glia_status seen_keys(gi_onnx_writing *w, const char **out) {
  const gi_attention_attr *a = w->attr;
  const int64_t t = w->in_type[0].dim[2], s = w->in_type[1].dim[2];
  const bool mask = w->n_in > 3 && w->in_type[3].dtype == GLIA_BOOL;
  *out = mask ? w->in[3] : NULL;
  if (!a->causal) return GLIA_OK;
  const char *causal = up_to(w, t, s, a->offset);
  if (causal == NULL) return gi_fail_nomem((size_t)(t * s));
  *out = mask ? gi_onnx_put(w, "And", 2, w->in[3], causal) : causal;
  return GLIA_OK;
}

/* x [N, H, A, B] as [N, groups, H / groups, A, B]. */
static const char *grouped(gi_onnx_writing *w, int i, int64_t groups) {
  const gi_type *t = &w->in_type[i];
  const int64_t shape[] = {gi_onnx_input_varies(w, i, 0) ? -1 : t->dim[0], groups,
                           t->dim[1] / groups, t->dim[2], t->dim[3]};
  return gi_onnx_reshape_to(w, w->in[i], shape, 5);
}

/* Where heads share keys and values, the product broadcasts over an axis of its own: parts
 * [N, G, H / G, ...] of q, [N, G, 1, ...] of k and v. */
static const char *scores(gi_onnx_writing *w, bool shared) {
  const gi_attention_attr *a = w->attr;
  static const int64_t turn[] = {0, 1, 3, 2}, turn_parts[] = {0, 1, 2, 4, 3};
  const int64_t g = w->in_type[1].dim[1], h = w->in_type[0].dim[1], t = w->in_type[0].dim[2],
                s = w->in_type[1].dim[2];
  const char *q = shared ? grouped(w, 0, g) : w->in[0];
  const char *k = shared ? gi_onnx_transposed(w, grouped(w, 1, g), turn_parts, 5)
                         : gi_onnx_transposed(w, w->in[1], turn, 4);
  const char *scale = gi_onnx_number(w, w->in_type[0].dtype, a->scale);
  const char *product = gi_onnx_put(w, "MatMul", 2, gi_onnx_put(w, "Mul", 2, q, scale), k);
  if (!shared) return product;
  const int64_t shape[] = {gi_onnx_input_varies(w, 0, 0) ? -1 : w->in_type[0].dim[0], h, t, s};
  return gi_onnx_reshape_to(w, product, shape, 4);
}

/* Rows that see no key give zeros: what is not seen gets a score that is far below all others,
 * and a weight of 0 after all. */
static const char *weights(gi_onnx_writing *w, const char *score, const char *seen) {
  const glia_dtype dtype = w->in_type[0].dtype;
  const bool added = w->n_in > 3 && w->in_type[3].dtype != GLIA_BOOL;
  if (added) score = gi_onnx_put(w, "Add", 2, score, w->in[3]);
  if (seen != NULL)
    score = gi_onnx_put(w, "Where", 3, seen, score, gi_onnx_number(w, dtype, -1e30));
  gi_onnx_put_int(w, "axis", -1);
  const char *p = gi_onnx_put(w, "Softmax", 1, score);
  const char *zero = gi_onnx_number(w, dtype, 0);
  if (seen != NULL) p = gi_onnx_put(w, "Where", 3, seen, p, zero);
  if (added) /* a row of -infinity is 0 / 0 */
    p = gi_onnx_put(w, "Where", 3, gi_onnx_put(w, "IsNaN", 1, p), zero, p);
  return p;
}

static glia_status write_attention(gi_onnx_writing *w) {
  const gi_attention_attr *a = w->attr;
  const gi_type *q = &w->in_type[0], *k = &w->in_type[1];
  const bool shared = q->dim[1] != k->dim[1];
  const char *seen = NULL;
  if (a->dropout > 0) return gi_fail(GLIA_UNSUPPORTED, "dropout within attention");
  if (gi_onnx_used(w, 1)) return gi_fail(GLIA_UNSUPPORTED, "the log of the sums is asked for");
  GI_TRY(seen_keys(w, &seen));
  const char *p = weights(w, scores(w, shared), seen);
  if (!shared) {
    gi_onnx_give(w, 0, gi_onnx_put(w, "MatMul", 2, p, w->in[2]));
    return GLIA_OK;
  }
  const int64_t parts[] = {gi_onnx_input_varies(w, 0, 0) ? -1 : q->dim[0], k->dim[1],
                           q->dim[1] / k->dim[1], q->dim[2], k->dim[2]};
  p = gi_onnx_reshape_to(w, p, parts, 5);
  const char *y = gi_onnx_put(w, "MatMul", 2, p, grouped(w, 2, k->dim[1]));
  gi_onnx_give(w, 0, gi_onnx_reshaped(w, y, 0));
  return GLIA_OK;
}

static const gi_onnx_export softmax = {.op = &gi_op_softmax, .write = write_softmax};
static const gi_onnx_export log_softmax = {.op = &gi_op_log_softmax,
                                           .write = write_log_softmax};
static const gi_onnx_export layer_norm = {.op = &gi_op_layer_norm, .write = write_layer_norm};
static const gi_onnx_export batch_norm = {.op = &gi_op_batch_norm_train,
                                          .write = write_batch_norm};
static const gi_onnx_export attention = {.op = &gi_op_attention, .write = write_attention};
const gi_onnx_export *const gi_onnx_exports_norm[] = {&softmax,    &log_softmax, &layer_norm,
                                                      &batch_norm, &attention,   NULL};
