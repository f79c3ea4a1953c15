/* clusters.c - how alike two groupings of the same samples are, whatever the groups are called.
 *
 * With n_ij samples in group i of the first and j of the second, a_i and b_j their sums:
 *   pair_confusion_matrix  [2, 2] ordered pairs of samples: apart in both, together in the
 *                          second alone, in the first alone, in both
 *   rand                   share of pairs on which both agree; adjusted_rand: 0 by chance
 *   mutual_information     I = sum n_ij/n log(n n_ij / (a_i b_j)), in nats
 *   normalized_mutual_information   I over a mean of the entropies Ha, Hb
 *   adjusted_mutual_information     (I - E) / (mean - E), E the expectation of I over random
 *                          groupings with these sums (Vinh, Epps & Bailey 2010)
 *   homogeneity            I / Ha; completeness: I / Hb
 *   v_measure              (1 + beta) h c / (beta h + c) of these (Rosenberg & Hirschberg 2007)
 *   fowlkes_mallows        pairs together in both over the geometric mean of those in each
 */
#include <float.h>
#include <stdlib.h>

#include "train/metric_call.h"

typedef enum variant {
  PAIRS,
  RAND,
  ADJUSTED_RAND,
  INFORMATION,
  NORMALIZED,
  ADJUSTED,
  HOMOGENEITY,
  COMPLETENESS,
  V_MEASURE,
  FOWLKES_MALLOWS
} variant;

/* The cells that are not empty, and the sums. */
typedef struct table {
  int64_t cells, rows, columns;
  int64_t *row, *column; /* [cells] */
  double *count;         /* [cells] */
  double *a, *b;         /* [rows], [columns] */
  double n;
} table;

static glia_status groups_of(gi_metric_call *c, const double *v, int64_t *out, int64_t *n,
                             double **sums) {
  gi_keyed *s = NULL;
  GI_TRY(gi_metric_sorted(c, v, c->n, false, &s));
  GI_TAKE(c, c->n, sums);
  *n = 0;
  for (int64_t i = 0; i < c->n; i++) {
    if (i == 0 || s[i].key != s[i - 1].key) ++*n;
    out[s[i].at] = *n - 1;
    (*sums)[*n - 1]++;
  }
  return GLIA_OK;
}

typedef struct cell {
  int64_t row, column;
} cell;

static int by_cell(const void *x, const void *y) {
  const cell *p = x, *q = y;
  if (p->row != q->row) return p->row < q->row ? -1 : 1;
  return (p->column > q->column) - (p->column < q->column);
}

static glia_status table_of(gi_metric_call *c, table *t) {
  int64_t *row = NULL, *column = NULL;
  cell *all = NULL;
  GI_TRY(gi_metric_vectors(c));
  GI_TRY(gi_metric_whole(c, 0));
  GI_TRY(gi_metric_whole(c, 1));
  GI_TAKE(c, c->n, &row);
  GI_TAKE(c, c->n, &column);
  GI_TAKE(c, c->n, &all);
  GI_TAKE(c, c->n, &t->row);
  GI_TAKE(c, c->n, &t->column);
  GI_TAKE(c, c->n, &t->count);
  GI_TRY(groups_of(c, c->a, row, &t->rows, &t->a));
  GI_TRY(groups_of(c, c->b, column, &t->columns, &t->b));
  for (int64_t i = 0; i < c->n; i++) all[i] = (cell){row[i], column[i]};
  qsort(all, (size_t)c->n, sizeof *all, by_cell);
  for (int64_t i = 0; i < c->n; i++) {
    if (i == 0 || by_cell(&all[i], &all[i - 1]) != 0) {
      t->row[t->cells] = all[i].row;
      t->column[t->cells++] = all[i].column;
    }
    t->count[t->cells - 1]++;
  }
  t->n = (double)c->n;
  return GLIA_OK;
}

/* ---- pairs ------------------------------------------------------------------------------ */

static double squares(const double *v, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
  return sum;
}

/* Ordered pairs: apart in both, together in the second, in the first, in both. */
static void pairs_of(const table *t, double out[4]) {
  const double both = squares(t->count, t->cells);
  const double first = squares(t->a, t->rows), second = squares(t->b, t->columns);
  out[3] = both - t->n;
  out[2] = first - both;
  out[1] = second - both;
  out[0] = t->n * t->n - first - second + both;
}

static double rand_of(const double p[4]) {
  const double agree = p[0] + p[3], all = agree + p[1] + p[2];
  return agree == all || all == 0 ? 1 : agree / all;
}

static double adjusted_rand(const double p[4]) {
  if (p[1] == 0 && p[2] == 0) return 1;
  return 2 * (p[3] * p[0] - p[2] * p[1]) /
         ((p[3] + p[2]) * (p[2] + p[0]) + (p[3] + p[1]) * (p[1] + p[0]));
}

static double fowlkes_mallows(const double p[4]) {
  return p[3] == 0 ? 0 : sqrt(p[3] / (p[3] + p[1])) * sqrt(p[3] / (p[3] + p[2]));
}

/* ---- information ------------------------------------------------------------------------ */

static double entropy(const double *v, int64_t n, double all) {
  double h = 0;
  if (n == 1) return 0;
  for (int64_t i = 0; i < n; i++) h -= v[i] / all * (log(v[i]) - log(all));
  return h;
}

static double information(const table *t) {
  double sum = 0;
  if (t->rows == 1 || t->columns == 1) return 0;
  for (int64_t k = 0; k < t->cells; k++) {
    const double part = t->count[k] / t->n *
                        (log(t->count[k]) - log(t->n) - log(t->a[t->row[k]]) -
                         log(t->b[t->column[k]]) + 2 * log(t->n));
    if (fabs(part) >= DBL_EPSILON) sum += part;
  }
  return fmax(0, sum);
}

/* sum over the cells and the counts that they can have, each with its hypergeometric
 * probability. log_factorial [n + 1] */
static double expected_information(const table *t, const double *log_factorial) {
  const int64_t n = (int64_t)t->n;
  double sum = 0;
  for (int64_t i = 0; i < t->rows; i++)
    for (int64_t j = 0; j < t->columns; j++) {
      const int64_t a = (int64_t)t->a[i], b = (int64_t)t->b[j];
      const double fixed = log_factorial[a] + log_factorial[b] + log_factorial[n - a] +
                           log_factorial[n - b] - log_factorial[n];
      for (int64_t k = GI_MAX(1, a + b - n); k <= GI_MIN(a, b); k++) {
        const double p = exp(fixed - log_factorial[k] - log_factorial[a - k] -
                             log_factorial[b - k] - log_factorial[n - a - b + k]);
        sum +=
            (double)k / t->n * (log((double)k) + log(t->n) - log(t->a[i]) - log(t->b[j])) * p;
      }
    }
  return sum;
}

static double mean_entropy(const gi_metric_call *c, const table *t) {
  const double a = entropy(t->a, t->rows, t->n), b = entropy(t->b, t->columns, t->n);
  const char *how = c->o.average_method != NULL ? c->o.average_method : "arithmetic";
  if (strcmp(how, "min") == 0) return fmin(a, b);
  if (strcmp(how, "max") == 0) return fmax(a, b);
  return strcmp(how, "geometric") == 0 ? sqrt(a * b) : (a + b) / 2;
}

static glia_status adjusted(gi_metric_call *c, const table *t) {
  double *log_factorial = NULL;
  if (t->rows == 1 && t->columns == 1) return gi_metric_number(c, 1);
  GI_TAKE(c, c->n + 1, &log_factorial);
  for (int64_t k = 1; k <= c->n; k++) log_factorial[k] = log_factorial[k - 1] + log((double)k);
  const bool trivial = t->rows == 1 || t->columns == 1; /* then it is 0, not nearly 0 */
  const double chance = trivial ? 0 : expected_information(t, log_factorial);
  const double room = mean_entropy(c, t) - chance;
  return gi_metric_number(c, (information(t) - chance) / (room < 0 ? fmin(room, -DBL_EPSILON)
                                                                   : fmax(room, DBL_EPSILON)));
}

static double normalized(const gi_metric_call *c, const table *t) {
  if (t->rows == 1 && t->columns == 1) return 1;
  const double shared = information(t);
  return shared == 0 ? 0 : shared / mean_entropy(c, t);
}

static double v_measure(const gi_metric_call *c, const table *t) {
  const double shared = information(t);
  const double a = entropy(t->a, t->rows, t->n), b = entropy(t->b, t->columns, t->n);
  const double h = a != 0 ? shared / a : 1, k = b != 0 ? shared / b : 1;
  const double beta = c->o.beta != 0 ? c->o.beta : 1;
  if (c->m->variant == HOMOGENEITY) return h;
  if (c->m->variant == COMPLETENESS) return k;
  return h + k == 0 ? 0 : (1 + beta) * h * k / (beta * h + k);
}

/* ---- rows ------------------------------------------------------------------------------- */

static glia_status compute(gi_metric_call *c) {
  table t = {0};
  double p[4];
  GI_TRY(table_of(c, &t));
  pairs_of(&t, p);
  switch ((variant)c->m->variant) {
    case PAIRS: return gi_metric_array(c, GLIA_I64, 2, (const int64_t[]){2, 2}, p);
    case RAND: return gi_metric_number(c, rand_of(p));
    case ADJUSTED_RAND: return gi_metric_number(c, adjusted_rand(p));
    case FOWLKES_MALLOWS: return gi_metric_number(c, fowlkes_mallows(p));
    case INFORMATION: return gi_metric_number(c, information(&t));
    case NORMALIZED: return gi_metric_number(c, normalized(c, &t));
    case ADJUSTED: return adjusted(c, &t);
    default: return gi_metric_number(c, v_measure(c, &t));
  }
}

static const char *const means[] = {"arithmetic", "geometric", "min", "max", NULL};
static const gi_field mean_fields[] = {
    GI_METRIC_NAME(average_method, means, "arithmetic", "mean of the entropies"),
    GI_METRIC_END};
static const gi_field beta_fields[] = {
    GI_METRIC_F64(beta, 0, HUGE_VAL, "1", "weight of completeness"), GI_METRIC_END};

#define ROW(id, NAME, TEXT, SOURCE, VARIANT, FIELDS)                          \
  static const gi_metric id = {.name = NAME,                                  \
                               .doc = TEXT,                                   \
                               .source = SOURCE "(labels_true, labels_pred)", \
                               .variant = VARIANT,                            \
                               .compute = compute,                            \
                               .fields = FIELDS,                              \
                               .arguments = {"labels_true", "labels_pred"}};
ROW(pair_matrix, "pair_confusion_matrix", "[2, 2]: pairs apart or together in either grouping",
    "pair_confusion_matrix", PAIRS, NULL)
ROW(rand_row, "rand", "share of pairs on which both groupings agree", "rand_score", RAND, NULL)
ROW(adjusted_row, "adjusted_rand", "rand, 0 by chance and 1 at best", "adjusted_rand_score",
    ADJUSTED_RAND, NULL)
ROW(shared_row, "mutual_information", "what one grouping tells of the other, in nats",
    "mutual_info_score", INFORMATION, NULL)
ROW(normalized_row, "normalized_mutual_information", "it, over the mean entropy",
    "normalized_mutual_info_score", NORMALIZED, mean_fields)
ROW(adjusted_shared, "adjusted_mutual_information", "it, 0 by chance and 1 at best",
    "adjusted_mutual_info_score", ADJUSTED, mean_fields)
ROW(homogeneity, "homogeneity", "1 where each found group holds one true one alone",
    "homogeneity_score", HOMOGENEITY, NULL)
ROW(completeness, "completeness", "1 where each true group lies in one found one",
    "completeness_score", COMPLETENESS, NULL)
ROW(v_row, "v_measure", "harmonic mean of homogeneity and completeness", "v_measure_score",
    V_MEASURE, beta_fields)
ROW(fowlkes, "fowlkes_mallows", "pairs together in both over those in either",
    "fowlkes_mallows_score", FOWLKES_MALLOWS, NULL)

const gi_metric *const gi_metrics_clusters[] = {
    &pair_matrix,    &rand_row,        &adjusted_row, &shared_row,
    &normalized_row, &adjusted_shared, &homogeneity,  &completeness,
    &v_row,          &fowlkes,         NULL};
