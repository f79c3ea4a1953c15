/* evaluation_whole.c - metrics that are no running sums, of the predictions that an evaluation
 * kept: they are laid out as the arrays that the metric's compute() takes.
 *
 * Of two classes, scores are one column, that of class 1: its probability, or its logit less
 * the other. Classes are 0..C-1 whether they occur or not.
 */
#include <math.h>
#include <stdlib.h>

#include "tensor/tensor.h"
#include "train/evaluation.h"

static void softmax(double *v, int n) {
  double largest = v[0], sum = 0;
  for (int j = 1; j < n; j++) largest = fmax(largest, v[j]);
  for (int j = 0; j < n; j++) sum += v[j] = exp(v[j] - largest);
  for (int j = 0; j < n; j++) v[j] /= sum;
}

/* One row of the second array. A masked logit is the least number that there is. */
static void prediction_row(const glia_evaluation *e, const gi_metric *m, double *v,
                           double *to) {
  const bool logits = e->scores == GLIA_SCORES_LOGITS;
  const size_t bytes = (size_t)e->columns * sizeof *v;
  if (m->needs == GI_NEEDS_CLASSES) {
    *to = (double)gi_first_largest(v, e->columns);
    return;
  }
  if (m->needs == GI_NEEDS_PROBABILITIES && logits) softmax(v, e->columns);
  for (int j = 0; m->needs == GI_NEEDS_SCORES && j < e->columns; j++) v[j] = fmax(v[j], -1e300);
  if (e->classes == 2)
    *to = m->needs == GI_NEEDS_SCORES && logits ? v[1] - v[0] : v[1];
  else
    memcpy(to, v, bytes);
}

/* Both arrays. scratch [columns] */
static void fill(const glia_evaluation *e, const gi_metric *m, double *scratch, double *truth,
                 double *prediction, int64_t columns) {
  const size_t row = gi_kept_row(e), targets = row - (size_t)e->columns;
  for (int64_t i = 0; i < e->count; i++) {
    const double *kept = e->kept.at + (size_t)i * row;
    memcpy(truth + (size_t)i * targets, kept, targets * sizeof *kept);
    memcpy(scratch, kept + targets, (size_t)e->columns * sizeof *kept);
    prediction_row(e, m, scratch, prediction + i * columns);
  }
}

static glia_status compute(const glia_evaluation *e, const char *name, const gi_metric *m,
                           const glia_metric_opts *opt, const glia_tensor *truth,
                           const glia_tensor *prediction, double *out) {
  glia_metric_result r;
  glia_metric_opts o = *opt;
  int64_t *labels = NULL;
  if ((m->takes & GI_TAKES_LABELS) && gi_metric_needs_scores(m)) {
    labels = gi_alloc((size_t)e->classes * sizeof *labels);
    if (labels == NULL) return gi_fail_nomem((size_t)e->classes * sizeof *labels);
    for (int j = 0; j < e->classes; j++) labels[j] = j;
    o.labels = labels;
    o.n_labels = e->classes;
  }
  const glia_status s = glia_metric_compute_opt(m->name, truth, prediction, &r, &o);
  gi_free(labels);
  GI_TRY(s);
  const int arrays = r.arrays;
  *out = r.number;
  glia_metric_result_clear(&r);
  if (arrays == 0) return GLIA_OK;
  return gi_fail(GLIA_UNSUPPORTED, "%s: gives more than one number; glia_metric_compute has it",
                 name);
}

glia_status gi_evaluation_whole(const glia_evaluation *e, const char *name, const gi_metric *m,
                                const glia_metric_opts *opt, double *out) {
  if (e->keep == 0 || e->dropped)
    return gi_fail(GLIA_UNSUPPORTED, "%s: needs all predictions, %s", name,
                   e->dropped ? "which took more memory than may be kept"
                              : "and none were kept; hint: glia_evaluation_opts.keep");
  const bool one = m->needs == GI_NEEDS_CLASSES || e->classes == 2;
  const int64_t columns = one ? 1 : e->columns, targets = e->classes > 0 ? 1 : e->columns;
  glia_tensor *truth = NULL, *prediction = NULL;
  double *scratch = gi_alloc((size_t)e->columns * sizeof *scratch);
  glia_status s =
      scratch != NULL ? GLIA_OK : gi_fail_nomem((size_t)e->columns * sizeof *scratch);
  if (s == GLIA_OK)
    s = glia_tensor_new(GLIA_F64, 2, (const int64_t[]){e->count, targets}, &truth);
  if (s == GLIA_OK)
    s = glia_tensor_new(GLIA_F64, 2, (const int64_t[]){e->count, columns}, &prediction);
  if (s == GLIA_OK) {
    fill(e, m, scratch, glia_tensor_data(truth), glia_tensor_data(prediction), columns);
    s = compute(e, name, m, opt, truth, prediction, out);
  }
  gi_free(scratch);
  glia_tensor_free(truth);
  glia_tensor_free(prediction);
  return s;
}
