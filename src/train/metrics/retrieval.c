/* retrieval.c - the first k items that a recommender or a search shows, [N, L] rows of
 * relevance 0 or 1 and of scores.
 *
 *   precision_at_k        relevant ones among the first k, over k
 *   recall_at_k           relevant ones among the first k, over all relevant ones
 *   hit_rate              1 where any of the first k is relevant, else 0
 *   mean_reciprocal_rank  1 / place of the first relevant item; 0 beyond the first k
 * Each is the mean over the rows; a row without relevant items counts 0. Of equal scores the
 * item that stands first comes first. k 0: all items.
 */
#include "train/metric_call.h"

typedef enum variant { PRECISION, RECALL, HIT, RECIPROCAL } variant;

/* Relevant items among the first k, and the place (1 is the first) of the first of them. */
static double first_places(const gi_keyed *order, const double *y, int64_t k, double *place) {
  double found = 0;
  for (int64_t j = 0; j < k; j++) {
    if (y[order[j].at] == 0) continue;
    if (found == 0) *place = (double)(j + 1);
    found++;
  }
  return found;
}

static glia_status compute(gi_metric_call *c) {
  const int64_t n = c->columns[0], k = c->o.k > 0 ? GI_MIN(c->o.k, n) : n;
  double *each = NULL;
  GI_TRY(gi_metric_equal(c));
  GI_TRY(gi_metric_binary(c, 0));
  GI_TAKE(c, c->n, &each);
  for (int64_t i = 0; i < c->n; i++) {
    const double *y = c->a + i * n;
    const gi_arena before = c->arena;
    gi_keyed *order = NULL;
    double place = 0, all = 0;
    c->arena = (gi_arena){0};
    const glia_status s = gi_metric_sorted(c, c->b + i * n, n, true, &order);
    const double found = s == GLIA_OK ? first_places(order, y, k, &place) : 0;
    gi_arena_free(&c->arena);
    c->arena = before;
    GI_TRY(s);
    for (int64_t j = 0; j < n; j++) all += y[j];
    switch ((variant)c->m->variant) {
      case PRECISION: each[i] = found / (double)(c->o.k > 0 ? c->o.k : n); break;
      case RECALL: each[i] = gi_ratio(found, all); break;
      case HIT: each[i] = found > 0; break;
      case RECIPROCAL: each[i] = gi_ratio(1, place); break;
    }
  }
  return gi_metric_mean(c, each, false);
}

static const gi_field fields[] = {GI_METRIC_I64(k, 0, 1e15, "all", "items that are looked at"),
                                  GI_METRIC_END};

#define ROW(id, NAME, TEXT, SOURCE, VARIANT)             \
  static const gi_metric id = {.name = NAME,             \
                               .doc = TEXT,              \
                               .source = SOURCE,         \
                               .variant = VARIANT,       \
                               .compute = compute,       \
                               .fields = fields,         \
                               .takes = GI_TAKES_WEIGHT, \
                               .arguments = {NULL, "y_score"}};
ROW(precision, "precision_at_k", "share of relevant ones among the first k",
    "torchmetrics' RetrievalPrecision", PRECISION)
ROW(recall, "recall_at_k", "share of the relevant ones that are among the first k",
    "torchmetrics' RetrievalRecall", RECALL)
ROW(hit, "hit_rate", "share of rows with a relevant one among the first k",
    "torchmetrics' RetrievalHitRate", HIT)
ROW(reciprocal, "mean_reciprocal_rank", "mean of 1 / place of the first relevant one",
    "torchmetrics' RetrievalMRR", RECIPROCAL)

const gi_metric *const gi_metrics_retrieval[] = {&precision, &recall, &hit, &reciprocal, NULL};
