/* hinge_loss.c - mean of max(0, 1 - margin).
 *
 * Of two classes the margin is the decision, its sign turned round for the earlier class; of
 * more (Crammer & Singer 2001) the true class's decision less the largest of the others.
 */
#include "train/metric_call.h"

static glia_status margin_of_many(const gi_metric_call *c, const gi_classes *k, int64_t i,
                                  double *out) {
  const double *d = c->b + i * k->n;
  const int64_t truth = gi_class_rank(k, c->a[i]);
  double other = -INFINITY;
  if (truth < 0)
    return gi_fail(GLIA_DATA, "%s: y_true [%lld] is %g, which is not among the labels", c->name,
                   (long long)i, c->a[i]);
  for (int64_t j = 0; j < k->n; j++)
    if (j != truth) other = fmax(other, d[j]);
  *out = d[truth] - other;
  return GLIA_OK;
}

static glia_status compute(gi_metric_call *c) {
  gi_classes k = {0};
  double *each = NULL;
  GI_TRY(gi_classes_of(c, 1, &k));
  GI_TAKE(c, c->n, &each);
  if (k.n != c->columns[1] && (k.n > 2 || c->columns[1] > 1))
    return gi_fail(
        GLIA_DATA,
        "%s: there are %lld classes for decisions of %lld; hint: name all of them in "
        "labels",
        c->name, (long long)k.n, (long long)c->columns[1]);
  for (int64_t i = 0; i < c->n; i++) {
    double margin = 0;
    if (c->columns[1] > 1)
      GI_TRY(margin_of_many(c, &k, i, &margin));
    else
      margin = k.n == 2 && c->a[i] == k.sorted[1].key ? c->b[i] : -c->b[i];
    each[i] = fmax(0, 1 - margin);
  }
  return gi_metric_mean(c, each, false);
}

static const gi_metric row = {
    .name = "hinge_loss",
    .doc = "mean of max(0, 1 - margin of the true class)",
    .source = "hinge_loss(y_true, pred_decision)",
    .lower_is_better = true,
    .compute = compute,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
    .needs = GI_NEEDS_SCORES,
    .arguments = {NULL, "pred_decision"},
};

const gi_metric *const gi_metrics_hinge_loss[] = {&row, NULL};
