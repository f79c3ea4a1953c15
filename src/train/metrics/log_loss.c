/* log_loss.c - mean negative logarithm of the probability given to the true class, in nats.
 *
 * From logits z: log(sum_j exp(z_j)) - z_true with the largest logit taken out, which neither
 * overflows nor needs clipping; it is the cross-entropy loss. From probabilities p, as
 * scikit-learn does: p is clipped to [eps, 1 - eps], eps being the machine epsilon of p's
 * dtype, and divided by its row's sum; then -log(p_true). State: the sum over the samples.
 */
#include <math.h>

#include "train/metric.h"

static size_t state_size(int columns) {
  (void)columns;
  return 1;
}

static double from_logits(const gi_metric_row *row) {
  double largest = row->output[0], sum = 0;
  for (int j = 1; j < row->columns; j++) largest = fmax(largest, row->output[j]);
  for (int j = 0; j < row->columns; j++) sum += exp(row->output[j] - largest);
  return log(sum) - (row->output[row->truth] - largest);
}

static double clipped(double p, double epsilon) { return fmin(fmax(p, epsilon), 1 - epsilon); }

static double from_probabilities(const gi_metric_row *row) {
  double sum = 0;
  for (int j = 0; j < row->columns; j++) sum += clipped(row->output[j], row->epsilon);
  return -log(clipped(row->output[row->truth], row->epsilon) / sum);
}

static void add(const gi_metric *m, double *state, const gi_metric_row *row) {
  (void)m;
  *state += row->scores == GLIA_SCORES_LOGITS ? from_logits(row) : from_probabilities(row);
}

static double value(const gi_metric *m, const glia_evaluation *e, const double *state,
                    int64_t k) {
  (void)m, (void)k;
  return *state / (double)e->count;
}

static const gi_metric row = {
    .name = "log_loss",
    .doc = "mean of -log(probability of the true class), in nats",
    .source = "log_loss(y_true, probabilities, labels=range(C))",
    .lower_is_better = true,
    .state_size = state_size,
    .add = add,
    .value = value,
};

const gi_metric *const gi_metrics_log_loss[] = {&row, NULL};
