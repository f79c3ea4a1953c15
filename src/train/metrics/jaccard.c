/* jaccard.c - overlap of truth and prediction, of classes, labels and pixels.
 *
 *   jaccard (intersection over union) = tp / (t + p - tp)
 *   dice                              = 2 tp / (t + p), which is f1
 *   mean_iou                          = mean over the classes of jaccard, of label maps of any
 *                                       shape [N, H, W]
 * Averages as precision_recall_f1.c has them.
 */
#include "train/metric_call.h"

static double overlap(const gi_metric_call *c, double tp, double truths, double guesses) {
  return gi_divided(c, tp, truths + guesses - tp);
}
static double twice(const gi_metric_call *c, double tp, double truths, double guesses) {
  return gi_divided(c, 2 * tp, truths + guesses);
}

static glia_status jaccard_of(gi_metric_call *c) { return gi_metric_ratio(c, overlap, NULL); }

/* Label maps: every element is a sample. */
static void flatten(gi_metric_call *c) {
  c->n = c->rows[0] = c->rows[1] = c->rows[0] * c->columns[0];
  c->columns[0] = c->columns[1] = 1;
}

static glia_status mean_iou(gi_metric_call *c) {
  flatten(c);
  if (c->o.average == NULL) c->o.average = "macro";
  return gi_metric_ratio(c, overlap, NULL);
}
static glia_status dice_of(gi_metric_call *c) {
  flatten(c);
  return gi_metric_ratio(c, twice, NULL);
}

static const gi_field fields[] = {GI_METRIC_AVERAGE, GI_METRIC_ZERO_DIVISION, GI_METRIC_END};

static const gi_metric jaccard = {
    .name = "jaccard",
    .doc = "overlap: tp / (t + p - tp)",
    .source = "jaccard_score(y_true, y_pred)",
    .compute = jaccard_of,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS | GI_TAKES_POSITIVE,
    .needs = GI_NEEDS_CLASSES,
};
static const gi_metric iou = {
    .name = "mean_iou",
    .doc = "intersection over union of label maps, averaged over the classes that occur",
    .source = "jaccard_score(y_true.ravel(), y_pred.ravel(), average=\"macro\")",
    .compute = mean_iou,
    .fields = fields,
    .takes = GI_TAKES_LABELS | GI_TAKES_POSITIVE,
    .shape = GI_SHAPE_EQUAL,
    .needs = GI_NEEDS_CLASSES,
};
static const gi_metric dice = {
    .name = "dice",
    .doc = "2 tp / (t + p) of label maps",
    .source = "f1_score(y_true.ravel(), y_pred.ravel())",
    .compute = dice_of,
    .fields = fields,
    .takes = GI_TAKES_LABELS | GI_TAKES_POSITIVE,
    .shape = GI_SHAPE_EQUAL,
    .needs = GI_NEEDS_CLASSES,
};

const gi_metric *const gi_metrics_jaccard[] = {&jaccard, &iou, &dice, NULL};
