/* correlation.c - whether two series rise and fall together, from -1 to 1.
 *
 *   pearson   sum (y - my)(x - mx) / sqrt(sum (y - my)^2 sum (x - mx)^2)
 *   spearman  pearson of the ranks; equal values have the mean of theirs
 *   kendall   tau-b: (pairs in the same order - pairs in the other) / sqrt((pairs not tied in
 * y) (pairs not tied in x)); O(n log n): by y, then x, in order, the others are the exchanges
 * of a merge sort of x (Knight 1966, doi:10.1080/01621459.1966.10480879) NaN where a series
 * does not vary.
 */
#include <stdlib.h>

#include "train/metric_call.h"

static double pearson_of(const double *y, const double *x, int64_t n) {
  double my = 0, mx = 0, yy = 0, xx = 0, yx = 0;
  for (int64_t i = 0; i < n; i++) { /* from the first on: exactly 0 where nothing varies */
    my += y[i] - y[0];
    mx += x[i] - x[0];
  }
  my = y[0] + my / (double)n;
  mx = x[0] + mx / (double)n;
  for (int64_t i = 0; i < n; i++) {
    yy += (y[i] - my) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yx += (y[i] - my) * (x[i] - mx);
  }
  if (yy == 0 || xx == 0) return (double)NAN;
  return fmax(-1, fmin(1, yx / sqrt(yy) / sqrt(xx)));
}

static glia_status pearson(gi_metric_call *c) {
  GI_TRY(gi_metric_vectors(c));
  return gi_metric_number(c, pearson_of(c->a, c->b, c->n));
}

static glia_status ranks_of(gi_metric_call *c, const double *v, double **out) {
  gi_keyed *s = NULL;
  GI_TRY(gi_metric_sorted(c, v, c->n, false, &s));
  GI_TAKE(c, c->n, out);
  for (int64_t from = 0, to; from < c->n; from = to) {
    for (to = from; to < c->n && s[to].key == s[from].key; to++) continue;
    for (int64_t i = from; i < to; i++) (*out)[s[i].at] = (double)(from + to + 1) / 2;
  }
  return GLIA_OK;
}

static glia_status spearman(gi_metric_call *c) {
  double *y = NULL, *x = NULL;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(ranks_of(c, c->a, &y));
  GI_TRY(ranks_of(c, c->b, &x));
  return gi_metric_number(c, pearson_of(y, x, c->n));
}

/* ---- Kendall ---------------------------------------------------------------------------- */

typedef struct pair {
  double y, x;
} pair;

static int in_order(const void *p, const void *q) {
  const pair *a = p, *b = q;
  if (a->y != b->y) return a->y < b->y ? -1 : 1;
  return (a->x > b->x) - (a->x < b->x);
}

/* Sorts v, rising, and counts the pairs that stood in the wrong order. */
static double exchanges(double *v, double *scratch, int64_t n) {
  double count = 0;
  for (int64_t width = 1; width < n; width *= 2)
    for (int64_t from = 0; from + width < n; from += 2 * width) {
      const int64_t mid = from + width, end = GI_MIN(mid + width, n);
      int64_t i = from, j = mid, k = from;
      while (i < mid || j < end) {
        const bool left = j == end || (i < mid && v[i] <= v[j]);
        if (!left) count += (double)(mid - i);
        scratch[k++] = left ? v[i++] : v[j++];
      }
      memcpy(v + from, scratch + from, (size_t)(end - from) * sizeof *v);
    }
  return count;
}

/* Pairs within runs of equal elements of p; y, x: what is compared. */
static double tied(const pair *p, int64_t n, bool y, bool x) {
  double pairs = 0;
  for (int64_t i = 1, run = 1; i < n; i++) {
    const bool same = (!y || p[i].y == p[i - 1].y) && (!x || p[i].x == p[i - 1].x);
    pairs += same ? (double)run : 0;
    run = same ? run + 1 : 1;
  }
  return pairs;
}

static glia_status kendall(gi_metric_call *c) {
  const double n = (double)c->n, all = n * (n - 1) / 2;
  pair *p = NULL;
  double *x = NULL, *scratch = NULL;
  GI_TRY(gi_metric_vectors(c));
  GI_TAKE(c, c->n, &p);
  GI_TAKE(c, c->n, &x);
  GI_TAKE(c, c->n, &scratch);
  for (int64_t i = 0; i < c->n; i++) p[i] = (pair){c->a[i], c->b[i]};
  qsort(p, (size_t)c->n, sizeof *p, in_order);
  const double tied_y = tied(p, c->n, true, false), tied_both = tied(p, c->n, true, true);
  for (int64_t i = 0; i < c->n; i++) x[i] = p[i].x;
  const double other = exchanges(x, scratch, c->n);
  for (int64_t i = 0; i < c->n; i++) p[i].x = x[i];
  const double tied_x = tied(p, c->n, false, true);
  if (all == tied_y || all == tied_x) return gi_metric_number(c, (double)NAN);
  const double balance = all - tied_y - tied_x + tied_both - 2 * other;
  return gi_metric_number(c,
                          fmax(-1, fmin(1, balance / sqrt(all - tied_y) / sqrt(all - tied_x))));
}

#define ROW(id, NAME, TEXT, SOURCE)                      \
  static const gi_metric row_##id = {.name = NAME,       \
                                     .doc = TEXT,        \
                                     .source = SOURCE,   \
                                     .regression = true, \
                                     .compute = id,      \
                                     .needs = GI_NEEDS_NUMBERS};
ROW(pearson, "pearson", "covariance over the product of the standard deviations",
    "scipy.stats.pearsonr(y, x)")
ROW(spearman, "spearman", "pearson of the ranks", "scipy.stats.spearmanr(y, x)")
ROW(kendall, "kendall", "tau-b: pairs in the same order less pairs in the other",
    "scipy.stats.kendalltau(y, x)")

const gi_metric *const gi_metrics_correlation[] = {&row_pearson, &row_spearman, &row_kendall,
                                                   NULL};
