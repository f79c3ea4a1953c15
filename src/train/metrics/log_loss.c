/* log_loss.c - mean negative logarithm of the probability given to the true class, in nats.
 *
 * From logits z: log(sum_j exp(z_j)) - z_true with the largest logit taken out, which neither
 * overflows nor needs clipping; it is the cross-entropy loss. From probabilities p, as
 * scikit-learn does: p is clipped to [eps, 1 - eps], eps being the machine epsilon of p's
 * dtype, and divided by its row's sum; then -log(p_true). State: the sum over the samples.
 *
 * perplexity is exp of it: as many equally likely classes would be as hard to guess.
 */
#include "train/metric_call.h"

typedef enum variant { LOSS, PERPLEXITY } variant;

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
  (void)k;
  const double mean = *state / (double)e->count;
  return m->variant == PERPLEXITY ? exp(mean) : mean;
}

/* ---- of whole arrays: y_true [N], probabilities [N] (of the later of two classes) or [N, C],
 * columns in rising order of the classes; or y_true [N, L] shares of each class ---------------
 */

static double clip(const gi_metric_call *c, double p) {
  return clipped(p, c->o.eps > 0 ? c->o.eps : c->epsilon);
}

/* The row's probability of class j once it is clipped and sums to 1. */
static double probability(const gi_metric_call *c, int64_t i, int64_t j) {
  const int64_t n = c->columns[1];
  double sum = 0;
  if (n == 1) return j == 1 ? clip(c, c->b[i]) : 1 - clip(c, c->b[i]);
  for (int64_t l = 0; l < n; l++) sum += clip(c, c->b[i * n + l]);
  return clip(c, c->b[i * n + j]) / sum;
}

static glia_status class_columns(gi_metric_call *c, gi_classes *k) {
  const int64_t columns = GI_MAX(c->columns[1], 2);
  GI_TRY(gi_classes_of(c, 1, k));
  if (k->n == columns) return GLIA_OK;
  return gi_fail(GLIA_DATA,
                 "%s: there are %lld classes for probabilities of %lld; hint: name all of them "
                 "in labels",
                 c->name, (long long)k->n, (long long)columns);
}

/* Without labels, the classes of a perplexity are the columns' numbers. */
static glia_status true_column(const gi_metric_call *c, const gi_classes *k, int64_t i,
                               int64_t *j) {
  const int64_t columns = GI_MAX(c->columns[1], 2);
  *j = k->n > 0 ? gi_class_rank(k, c->a[i]) : c->a[i] < (double)columns ? (int64_t)c->a[i] : -1;
  if (*j >= 0 && *j < columns) return GLIA_OK;
  return gi_fail(GLIA_DATA, "%s: y_true [%lld] is %g, which is none of the %lld classes",
                 c->name, (long long)i, c->a[i], (long long)columns);
}

/* Shares of several classes in one sample. */
static double of_shares(const gi_metric_call *c, int64_t i) {
  const int64_t n = c->columns[0];
  double loss = 0;
  for (int64_t j = 0; j < n; j++)
    if (c->a[i * n + j] != 0) loss -= c->a[i * n + j] * log(probability(c, i, j));
  return loss;
}

static glia_status compute(gi_metric_call *c) {
  gi_classes k = {0};
  double *each = NULL;
  const bool shares = c->columns[0] > 1;
  GI_TAKE(c, c->n, &each);
  GI_TRY(gi_metric_probabilities(c));
  if (shares)
    GI_TRY(gi_metric_equal(c));
  else if (c->m->variant == LOSS || c->o.labels != NULL)
    GI_TRY(class_columns(c, &k));
  else
    GI_TRY(gi_metric_whole(c, 0));
  for (int64_t i = 0; i < c->n; i++) {
    int64_t j = 0;
    if (!shares) GI_TRY(true_column(c, &k, i, &j));
    each[i] = shares ? of_shares(c, i) : -log(probability(c, i, j));
  }
  GI_TRY(gi_metric_mean(c, each, c->o.count));
  if (c->m->variant == PERPLEXITY) c->result->number = exp(c->result->number);
  return GLIA_OK;
}

#define EPS \
  GI_METRIC_F64(eps, 0, 0.5, "machine epsilon", "probabilities are clipped to [eps, 1 - eps]")
static const gi_field fields[] = {EPS, GI_METRIC_FLAG(count, "the sum, not the mean"),
                                  GI_METRIC_END};
static const gi_field perplexity_fields[] = {EPS, GI_METRIC_END};

static const gi_metric row = {
    .name = "log_loss",
    .doc = "mean of -log(probability of the true class), in nats",
    .source = "log_loss(y_true, probabilities, labels=range(C))",
    .lower_is_better = true,
    .state_size = state_size,
    .add = add,
    .value = value,
    .compute = compute,
    .fields = fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
    .needs = GI_NEEDS_PROBABILITIES,
    .arguments = {NULL, "probabilities"},
};
static const gi_metric perplexity = {
    .name = "perplexity",
    .doc = "exp of the mean of -log(probability of the true class)",
    .source = "exp(log_loss(y_true, probabilities, labels=range(C)))",
    .lower_is_better = true,
    .variant = PERPLEXITY,
    .state_size = state_size,
    .add = add,
    .value = value,
    .compute = compute,
    .fields = perplexity_fields,
    .takes = GI_TAKES_WEIGHT | GI_TAKES_LABELS,
    .needs = GI_NEEDS_PROBABILITIES,
    .arguments = {NULL, "probabilities"},
};

const gi_metric *const gi_metrics_log_loss[] = {&row, &perplexity, NULL};
