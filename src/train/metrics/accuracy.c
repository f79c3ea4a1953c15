/* accuracy.c - how often the predicted class is the true one.
 *
 *   accuracy          = hits / n
 *   balanced_accuracy = mean over the classes that occur of tp / t: chance is 1 / classes,
 *                       whatever the shares of the classes
 *   zero_one_loss     = 1 - accuracy
 * Of several labels a sample, a hit is a row that is right throughout (exact match).
 */
#include "train/metric_call.h"

static double accuracy(const gi_metric *m, const glia_evaluation *e, const double *state,
                       int64_t k) {
  (void)m, (void)state, (void)k;
  return (double)e->hits / (double)e->count;
}

static double balanced(const gi_metric *m, const glia_evaluation *e, const double *state,
                       int64_t k) {
  (void)m, (void)state, (void)k;
  double sum = 0;
  int seen = 0;
  for (int c = 0; c < e->classes; c++) {
    if (e->truths[c] == 0) continue;
    sum += (double)e->matches[c] / (double)e->truths[c];
    seen++;
  }
  return sum / seen;
}

/* ---- of whole arrays -------------------------------------------------------------------- */

typedef enum variant { HITS, MISSES } variant;

static bool row_agrees(const gi_metric_call *c, int64_t i) {
  for (int64_t j = 0; j < c->columns[0]; j++)
    if (c->a[i * c->columns[0] + j] != c->b[i * c->columns[0] + j]) return false;
  return true;
}

static glia_status compute(gi_metric_call *c) {
  double hits = 0;
  const double all = gi_weight_sum(c);
  GI_TRY(gi_metric_equal(c));
  GI_TRY(gi_metric_whole(c, 0));
  GI_TRY(gi_metric_whole(c, 1));
  for (int64_t i = 0; i < c->n; i++)
    if (row_agrees(c, i)) hits += gi_weight(c, i);
  if (c->m->variant == HITS) return gi_metric_number(c, c->o.count ? hits : hits / all);
  return gi_metric_number(c, c->o.count ? all - hits : 1 - hits / all);
}

static glia_status compute_balanced(gi_metric_call *c) {
  gi_counts k = {0};
  double sum = 0, seen = 0;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_counts_of(c, false, &k));
  for (int64_t i = 0; i < k.n; i++) {
    if (k.truths[i] == 0) continue;
    sum += k.tp[i] / k.truths[i];
    seen++;
  }
  const double mean = sum / seen;
  return gi_metric_number(c, c->o.adjusted ? (mean - 1 / seen) / (1 - 1 / seen) : mean);
}

static const gi_field fields[] = {GI_METRIC_FLAG(count, "the number, not the share"),
                                  GI_METRIC_END};
static const gi_field balanced_fields[] = {
    GI_METRIC_FLAG(adjusted, "chance is 0, perfect stays 1"), GI_METRIC_END};

static const gi_metric plain = {
    .name = "accuracy",
    .doc = "share of samples whose predicted class is the true one",
    .source = "accuracy_score(y_true, y_pred)",
    .value = accuracy,
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT,
    .needs = GI_NEEDS_CLASSES,
};
static const gi_metric loss = {
    .name = "zero_one_loss",
    .doc = "share of samples whose predicted class is not the true one",
    .source = "zero_one_loss(y_true, y_pred)",
    .lower_is_better = true,
    .variant = MISSES,
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT,
    .needs = GI_NEEDS_CLASSES,
};
static const gi_metric by_class = {
    .name = "balanced_accuracy",
    .doc = "recall averaged over the classes that occur in the truth",
    .source = "balanced_accuracy_score(y_true, y_pred)",
    .value = balanced,
    .compute = compute_balanced,
    .fields = balanced_fields,
    .takes = GI_TAKES_WEIGHT,
    .needs = GI_NEEDS_CLASSES,
};

const gi_metric *const gi_metrics_accuracy[] = {&plain, &by_class, &loss, NULL};
