/* top_k_accuracy.c - how often the true class is among the k best scores.
 *
 * State: how many samples had rank r, the number of classes placed before the true one, for r
 * in 0..C-1; so any k can be asked for afterwards. Of equal scores the class with the higher
 * index comes first, as in scikit-learn (which reverses a stable ascending sort);
 * top_1_accuracy therefore differs from accuracy where scores tie.
 */
#include "train/metric_call.h"

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

/* ---- of whole arrays: y_score [N, C], or [N] of the later of two classes ------------------
 */

/* Of two classes: above 1/2 of probabilities, above 0 of other scores; any two hold both. */
static bool hit_of_two(const gi_metric_call *c, int64_t i, bool later, double threshold) {
  return c->o.k > 1 || (c->b[i] > threshold) == later;
}

static bool hit_of_many(const gi_metric_call *c, int64_t i, int64_t truth) {
  const double *s = c->b + i * c->columns[1];
  int64_t before = 0;
  for (int64_t j = 0; j < c->columns[1]; j++)
    before += s[j] > s[truth] || (s[j] == s[truth] && j > truth);
  return before < c->o.k;
}

static glia_status compute(gi_metric_call *c) {
  gi_classes k = {0};
  double *each = NULL;
  if (c->o.k == 0) c->o.k = 2;
  GI_TRY(gi_classes_of(c, 1, &k));
  GI_TAKE(c, c->n, &each);
  const bool two = c->columns[1] == 1;
  const bool probabilities = two && gi_metric_probabilities(c) == GLIA_OK;
  if (k.n != (two ? 2 : c->columns[1]))
    return gi_fail(GLIA_DATA,
                   "%s: there are %lld classes for scores of %lld; hint: name all of them in "
                   "labels",
                   c->name, (long long)k.n, (long long)(two ? 2 : c->columns[1]));
  for (int64_t i = 0; i < c->n; i++) {
    const int64_t truth = gi_class_rank(&k, c->a[i]);
    if (truth < 0)
      return gi_fail(GLIA_DATA, "%s: y_true [%lld] is %g, which is not among the labels",
                     c->name, (long long)i, c->a[i]);
    each[i] =
        two ? hit_of_two(c, i, truth == 1, probabilities ? 0.5 : 0) : hit_of_many(c, i, truth);
  }
  return gi_metric_mean(c, each, c->o.count);
}

static const gi_field fields[] = {
    GI_METRIC_I64(k, 0, 1e6, "2", "how many of the best scores are looked at"),
    GI_METRIC_FLAG(count, "the number, not the share"), GI_METRIC_END};

static const gi_metric row = {
    .name = "top_k_accuracy",
    .doc = "share of samples whose true class is among the k best scores",
    .source = "top_k_accuracy_score(y_true, scores, k=k, labels=range(C))",
    .state_size = state_size,
    .add = add,
    .value = value,
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
    .needs = GI_NEEDS_SCORES,
    .arguments = {NULL, "y_score"},
};

const gi_metric *const gi_metrics_top_k_accuracy[] = {&row, NULL};
