/* hamming_loss.c - share of the labels that are predicted wrong: of one class a sample, 1 less
 * the accuracy; of several labels, the mean over samples and labels. */
#include "train/metric_call.h"

static glia_status compute(gi_metric_call *c) {
  double wrong = 0;
  GI_TRY(gi_metric_equal(c));
  GI_TRY(gi_metric_whole(c, 0));
  GI_TRY(gi_metric_whole(c, 1));
  const int64_t labels = c->columns[0];
  for (int64_t i = 0; i < c->n * labels; i++)
    if (c->a[i] != c->b[i]) wrong += gi_weight(c, i / labels);
  return gi_metric_number(c, wrong / (gi_weight_sum(c) * (double)labels));
}

static const gi_metric row = {
    .name = "hamming_loss",
    .doc = "share of the labels that are predicted wrong",
    .source = "hamming_loss(y_true, y_pred)",
    .lower_is_better = true,
    .compute = compute,
    .takes = GI_TAKES_WEIGHT,
    .needs = GI_NEEDS_CLASSES,
};

const gi_metric *const gi_metrics_hamming_loss[] = {&row, NULL};
