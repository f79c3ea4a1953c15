/* top_k_accuracy.c - how often the true class is among the k best scores.
 *
 * State: how many samples had rank r, the number of classes placed before the true one, for r
 * in 0..C-1; so any k can be asked for afterwards. Of equal scores the class with the higher
 * index comes first, as in scikit-learn (which reverses a stable ascending sort);
 * top_1_accuracy therefore differs from accuracy where scores tie.
 */
#include "train/metric.h"

static size_t state_size(int columns) { return (size_t)columns; }

static void add(const gi_metric *m, double *state, const gi_metric_row *row) {
  (void)m;
  const double own = row->output[row->truth];
  int rank = 0;
  for (int j = 0; j < row->columns; j++)
    rank += row->output[j] > own || (row->output[j] == own && j > row->truth);
  state[rank]++;
}

static double value(const gi_metric *m, const glia_evaluation *e, const double *state,
                    int64_t k) {
  (void)m;
  double within = 0;
  for (int r = 0; r < e->classes && r < k; r++) within += state[r];
  return within / (double)e->count;
}

static const gi_metric row = {
    .name = "top_k_accuracy",
    .doc = "share of samples whose true class is among the k best scores",
    .source = "top_k_accuracy_score(y_true, scores, k=k, labels=range(C))",
    .state_size = state_size,
    .add = add,
    .value = value,
};

const gi_metric *const gi_metrics_top_k_accuracy[] = {&row, NULL};
