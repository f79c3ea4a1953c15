/* accuracy.c - how often the predicted class is the true one.
 *
 *   accuracy          = hits / n
 *   balanced_accuracy = mean over the classes that occur of tp / t: chance is 1 / classes,
 *                       whatever the shares of the classes
 */
#include "train/metric.h"

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

static const gi_metric plain = {
    .name = "accuracy",
    .doc = "share of samples whose predicted class is the true one",
    .source = "accuracy_score(y_true, y_pred)",
    .value = accuracy,
};
static const gi_metric by_class = {
    .name = "balanced_accuracy",
    .doc = "recall averaged over the classes that occur in the truth",
    .source = "balanced_accuracy_score(y_true, y_pred)",
    .value = balanced,
};

const gi_metric *const gi_metrics_accuracy[] = {&plain, &by_class, NULL};
