/* ranking.c - how well scores order the items of each row, [N, L].
 *
 *   dcg   sum over the first k places of relevance / log2(1 + place); of equal scores each gets
 *         the mean of their places' discounts (McSherry & Najork 2008) unless .ignore_ties
 *   ndcg  dcg over that of the best order; 0 where nothing is relevant
 *   label_ranking_average_precision  of each relevant label, the share of relevant ones among
 *         those that score at least as much; 1 where none or all are relevant
 *   label_ranking_loss  share of pairs of a relevant and another label in the wrong order, ties
 *         counting as wrong; 0 where none or all are relevant
 *   coverage_error  how far down the list one has to go to meet every relevant label
 * Each is the mean over the rows, O(L log L) a row. Source: Tsoumakas, Katakis & Vlahavas 2010;
 * Jarvelin & Kekalainen 2002, doi:10.1145/582415.582418.
 */
#include <stdlib.h>

#include "train/metric_call.h"

typedef enum variant { DCG, NDCG } variant;

/* Scratch of one row. */
typedef struct list {
  int64_t n;
  gi_keyed *order;
  double *discounts; /* [n + 1] sums of the first discounts */
} list;

static int by_score(const void *x, const void *y) {
  const gi_keyed *a = x, *b = y;
  if (a->key != b->key) return a->key > b->key ? -1 : 1;
  return (b->at > a->at) - (b->at < a->at); /* of equal ones the last first */
}

static void sort_row(const list *l, const double *score) {
  for (int64_t j = 0; j < l->n; j++) l->order[j] = (gi_keyed){score[j], j};
  qsort(l->order, (size_t)l->n, sizeof *l->order, by_score);
}

static glia_status open_list(gi_metric_call *c, list *l) {
  GI_TRY(gi_metric_equal(c));
  l->n = c->columns[0];
  if (l->n < 2)
    return gi_fail(GLIA_SHAPE, "%s: rows have one item, wanted [N, L] with 2 or more", c->name);
  GI_TAKE(c, l->n, &l->order);
  GI_TAKE(c, l->n + 1, &l->discounts);
  const double base = c->o.log_base > 0 ? log(c->o.log_base) : log(2);
  for (int64_t j = 0; j < l->n; j++)
    l->discounts[j + 1] =
        l->discounts[j] + (c->o.k > 0 && j >= c->o.k ? 0 : base / log((double)(j + 2)));
  return GLIA_OK;
}

/* ---- gains ------------------------------------------------------------------------------ */

static double gain_of(const list *l, const double *relevance, const double *score, bool ties) {
  double gain = 0;
  sort_row(l, score);
  for (int64_t from = 0, to; from < l->n; from = to) {
    double sum = 0;
    for (to = from;
         to < l->n && (to == from || (ties && l->order[to].key == l->order[from].key)); to++)
      sum += relevance[l->order[to].at];
    gain += sum / (double)(to - from) * (l->discounts[to] - l->discounts[from]);
  }
  return gain;
}

static glia_status gains(gi_metric_call *c) {
  list l = {0};
  double *each = NULL;
  GI_TRY(open_list(c, &l));
  GI_TAKE(c, c->n, &each);
  for (int64_t i = 0; i < c->n; i++) {
    const double *y = c->a + i * l.n, *score = c->b + i * l.n;
    each[i] = gain_of(&l, y, score, !c->o.ignore_ties);
    if (c->m->variant == NDCG) each[i] = gi_ratio(each[i], gain_of(&l, y, y, false));
  }
  return gi_metric_mean(c, each, false);
}

/* ---- labels ----------------------------------------------------------------------------- */

/* Of a row in falling order: relevant ones and all down to and with the ties of each place. */
static double precision_of(const list *l, const double *y) {
  double sum = 0, relevant = 0;
  for (int64_t from = 0, to; from < l->n; from = to) {
    double here = 0;
    for (to = from; to < l->n && l->order[to].key == l->order[from].key; to++)
      here += y[l->order[to].at];
    relevant += here;
    sum += here * relevant / (double)to;
  }
  return relevant == 0 || relevant == (double)l->n ? 1 : sum / relevant;
}

static double loss_of(const list *l, const double *y) {
  double wrong = 0, relevant = 0, others = 0;
  for (int64_t from = 0, to; from < l->n; from = to) {
    double here = 0;
    for (to = from; to < l->n && l->order[to].key == l->order[from].key; to++)
      here += y[l->order[to].at];
    relevant += here;
    others += (double)(to - from) - here;
    wrong += here * others;
  }
  return gi_ratio(wrong, relevant * others);
}

static double coverage_of(const list *l, const double *y) {
  double depth = 0;
  for (int64_t from = 0, to; from < l->n; from = to) {
    double here = 0;
    for (to = from; to < l->n && l->order[to].key == l->order[from].key; to++)
      here += y[l->order[to].at];
    if (here > 0) depth = (double)to;
  }
  return depth;
}

static glia_status labels(gi_metric_call *c) {
  static double (*const of[])(const list *l, const double *y) = {precision_of, loss_of,
                                                                 coverage_of};
  list l = {0};
  double *each = NULL;
  GI_TRY(open_list(c, &l));
  GI_TRY(gi_metric_binary(c, 0));
  GI_TAKE(c, c->n, &each);
  for (int64_t i = 0; i < c->n; i++) {
    sort_row(&l, c->b + i * l.n);
    each[i] = of[c->m->variant](&l, c->a + i * l.n);
  }
  return gi_metric_mean(c, each, false);
}

/* ---- rows ------------------------------------------------------------------------------- */

#define PLACES GI_METRIC_I64(k, 0, 1e15, "all", "places that are looked at")
#define TIES   GI_METRIC_FLAG(ignore_ties, "equal scores stay in some order")
static const gi_field dcg_fields[] = {
    PLACES, TIES, GI_METRIC_F64(log_base, 0, HUGE_VAL, "2", "of the discount's logarithm"),
    GI_METRIC_END};
static const gi_field ndcg_fields[] = {PLACES, TIES, GI_METRIC_END};

static const gi_metric dcg = {
    .name = "dcg",
    .doc = "sum of relevance / log2(1 + place) in the order of the scores",
    .source = "dcg_score(y_true, y_score)",
    .variant = DCG,
    .compute = gains,
    .fields = dcg_fields,
    .takes = GI_TAKES_WEIGHT,
    .arguments = {NULL, "y_score"},
};
static const gi_metric ndcg = {
    .name = "ndcg",
    .doc = "dcg over that of the best order",
    .source = "ndcg_score(y_true, y_score)",
    .variant = NDCG,
    .compute = gains,
    .fields = ndcg_fields,
    .takes = GI_TAKES_WEIGHT,
    .arguments = {NULL, "y_score"},
};
#define LABELS(id, NAME, TEXT, LOWER, VARIANT)                           \
  static const gi_metric id = {.name = NAME,                             \
                               .doc = TEXT,                              \
                               .source = NAME "_score(y_true, y_score)", \
                               .lower_is_better = LOWER,                 \
                               .variant = VARIANT,                       \
                               .compute = labels,                        \
                               .takes = GI_TAKES_WEIGHT,                 \
                               .arguments = {NULL, "y_score"}};
LABELS(precision, "label_ranking_average_precision",
       "of each relevant label, the share of relevant ones down to it", false, 0)
LABELS(loss, "label_ranking_loss", "share of pairs of labels in the wrong order", true, 1)
LABELS(coverage, "coverage_error", "places down to the last relevant label", true, 2)

const gi_metric *const gi_metrics_ranking[] = {&dcg, &ndcg, &precision, &loss, &coverage, NULL};
