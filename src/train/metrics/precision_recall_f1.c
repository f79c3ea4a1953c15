/* precision_recall_f1.c - the three ratios of a class, and their averages.
 *
 *   precision = tp / p    of those predicted as c, the share that is c
 *   recall    = tp / t    of those that are c, the share predicted as c
 *   f1        = 2 tp / (t + p), their harmonic mean
 * Each is 0 where its denominator is 0 (scikit-learn's zero_division=0). Averages:
 *   _macro     mean over the classes that occur in truth or predictions, each counting the same
 *   _weighted  mean weighted by t
 *   _micro     the ratio of the sums over all classes; here, one class a sample, the accuracy
 *   no suffix  two classes: that of class 1 (average="binary"); more: the macro average
 * Of whole arrays every class, label and average can be asked for, samples can be weighted, and
 * fbeta = (1 + beta^2) precision recall / (beta^2 precision + recall), 0 where that is 0 / 0.
 * Where 0 / 0 is to be NaN, it is that of counts: (1 + beta^2) tp / (beta^2 t + p).
 */
#include "train/metric_call.h"

typedef enum measure { PRECISION, RECALL, F1 } measure;
typedef enum average { PLAIN, MACRO, WEIGHTED, MICRO } average;

static double ratio(measure what, double matches, double truths, double guesses) {
  switch (what) {
    case PRECISION: return gi_ratio(matches, guesses);
    case RECALL: return gi_ratio(matches, truths);
    default: return gi_ratio(2 * matches, truths + guesses);
  }
}

static double of_class(const glia_evaluation *e, measure what, int c) {
  return ratio(what, (double)e->matches[c], (double)e->truths[c], (double)e->guesses[c]);
}

static double macro(const glia_evaluation *e, measure what) {
  double sum = 0;
  int seen = 0;
  for (int c = 0; c < e->classes; c++) {
    if (e->truths[c] == 0 && e->guesses[c] == 0) continue;
    sum += of_class(e, what, c);
    seen++;
  }
  return sum / seen;
}

static double weighted(const glia_evaluation *e, measure what) {
  double sum = 0;
  for (int c = 0; c < e->classes; c++) sum += of_class(e, what, c) * (double)e->truths[c];
  return sum / (double)e->count;
}

static double value(const gi_metric *m, const glia_evaluation *e, const double *state,
                    int64_t k) {
  (void)state, (void)k;
  const measure what = (measure)(m->variant / 4);
  const double n = (double)e->count;
  switch ((average)(m->variant % 4)) {
    case MACRO: return macro(e, what);
    case WEIGHTED: return weighted(e, what);
    case MICRO: return ratio(what, (double)e->hits, n, n);
    default: return e->classes == 2 ? of_class(e, what, 1) : macro(e, what);
  }
}

static double class_value(const gi_metric *m, const glia_evaluation *e, int c) {
  return of_class(e, (measure)(m->variant / 4), c);
}

/* ---- of whole arrays -------------------------------------------------------------------- */

static double precision_of(const gi_metric_call *c, double tp, double truths, double guesses) {
  (void)truths;
  return gi_divided(c, tp, guesses);
}
static double recall_of(const gi_metric_call *c, double tp, double truths, double guesses) {
  (void)guesses;
  return gi_divided(c, tp, truths);
}
static double fbeta_of(const gi_metric_call *c, double tp, double truths, double guesses) {
  const double p = gi_divided(c, tp, guesses), r = gi_divided(c, tp, truths);
  const double b = isinf(c->o.beta) ? c->o.beta : c->o.beta == 0 ? 1 : c->o.beta * c->o.beta;
  if (isinf(b)) return r;
  if (isnan(c->o.zero_division)) return gi_divided(c, (1 + b) * tp, b * truths + guesses);
  return gi_ratio((1 + b) * p * r, b * p + r);
}

/* Without any truth: 0 / 0 where nothing is predicted either, else nothing of it is right. */
static double no_truths(const gi_metric_call *c, double tp, double truths, double guesses) {
  (void)tp, (void)truths;
  return guesses == 0 ? c->o.zero_division : 0;
}
static double no_truths_recall(const gi_metric_call *c, double tp, double truths,
                               double guesses) {
  (void)tp, (void)truths, (void)guesses;
  return c->o.zero_division;
}

static glia_status compute(gi_metric_call *c) {
  static const char *const named[] = {NULL, "macro", "weighted", "micro"};
  static const gi_ratio_fn ratios[] = {precision_of, recall_of, fbeta_of};
  const int what = c->m->variant / 4;
  if (c->o.average == NULL) c->o.average = named[c->m->variant % 4];
  return gi_metric_ratio(c, ratios[what], what == RECALL ? no_truths_recall : no_truths);
}

static glia_status compute_fbeta(gi_metric_call *c) {
  if (!(c->o.beta > 0))
    return gi_fail(GLIA_INVALID, "%s: beta is %g, wanted a number above 0", c->name, c->o.beta);
  return gi_metric_ratio(c, fbeta_of, no_truths);
}

/* All of them, and how often each class is true. */
static glia_status compute_all(gi_metric_call *c) {
  const gi_ratio_fn ratios[] = {precision_of, recall_of, fbeta_of};
  gi_counts k = {0};
  if (c->o.average == NULL) c->o.average = "none";
  const bool each = strcmp(c->o.average, "none") == 0;
  for (int i = 0; i < GI_COUNT(ratios); i++) {
    const int before = c->result->arrays;
    GI_TRY(gi_metric_ratio(c, ratios[i], i == RECALL ? no_truths_recall : no_truths));
    if (c->result->arrays == before)
      GI_TRY(gi_metric_array(c, GLIA_F64, 0, NULL, &c->result->number));
  }
  c->result->number = (double)NAN;
  if (!each) return GLIA_OK;
  GI_TRY(gi_counts_of(c, false, &k));
  return gi_metric_vector(c, k.n, k.truths);
}

static const gi_field fields[] = {GI_METRIC_AVERAGE, GI_METRIC_ZERO_DIVISION_NAN,
                                  GI_METRIC_END};
static const gi_field fbeta_fields[] = {
    GI_METRIC_AVERAGE, GI_METRIC_ZERO_DIVISION_NAN,
    GI_FIELD(F64, glia_metric_opts, beta, .max = HUGE_VAL, .required = true,
             .dflt = "must be given", .doc = "weight of the recall"),
    GI_METRIC_END};
static const gi_field all_fields[] = {
    GI_METRIC_NAME(average, gi_metric_averages, "none",
                   "how classes or labels become one number"),
    GI_METRIC_ZERO_DIVISION_NAN,
    GI_METRIC_F64(beta, 0, HUGE_VAL, "1", "weight of the recall in the last of the ratios"),
    GI_METRIC_END};

enum { TAKES = GI_TAKES_WEIGHT | GI_TAKES_LABELS | GI_TAKES_POSITIVE };

static const gi_metric fbeta = {
    .name = "fbeta",
    .doc =
        "weighted harmonic mean: (1 + beta^2) precision recall / (beta^2 precision + recall)",
    .source = "fbeta_score(y_true, y_pred, beta=beta)",
    .compute = compute_fbeta,
    .fields = fbeta_fields,
    .takes = TAKES,
    .needs = GI_NEEDS_CLASSES,
};

static const gi_metric all = {
    .name = "precision_recall_fscore_support",
    .doc =
        "precision, recall and fbeta of each class, and how often it is true; of averages, "
        "the first three",
    .source = "precision_recall_fscore_support(y_true, y_pred)",
    .compute = compute_all,
    .fields = all_fields,
    .takes = TAKES,
};

/* measure, its name, doc */
#define MEASURE_MAP(X)                                                \
  X(PRECISION, precision, "of those predicted, the share that is so") \
  X(RECALL, recall, "of those that are so, the share predicted")      \
  X(F1, f1, "harmonic mean of precision and recall")

#define COMPUTED .compute = compute, .fields = fields, .takes = TAKES, .needs = GI_NEEDS_CLASSES

#define ROWS(MEASURE, measure, text)                                                      \
  static const gi_metric measure##_plain = {                                              \
      .name = #measure,                                                                   \
      .doc = text ": class 1 of two, else the macro average",                             \
      .source = #measure                                                                  \
      "_score(y_true, y_pred, average=\"binary\" or \"macro\", "                          \
      "zero_division=0)",                                                                 \
      .variant = MEASURE * 4 + PLAIN,                                                     \
      .value = value,                                                                     \
      COMPUTED,                                                                           \
      .class_value = class_value};                                                        \
  static const gi_metric measure##_macro = {                                              \
      .name = #measure "_macro",                                                          \
      .doc = text ": mean over the classes that occur",                                   \
      .source = #measure "_score(y_true, y_pred, average=\"macro\", zero_division=0)",    \
      .variant = MEASURE * 4 + MACRO,                                                     \
      .value = value,                                                                     \
      COMPUTED};                                                                          \
  static const gi_metric measure##_weighted = {                                           \
      .name = #measure "_weighted",                                                       \
      .doc = text ": mean weighted by the support",                                       \
      .source = #measure "_score(y_true, y_pred, average=\"weighted\", zero_division=0)", \
      .variant = MEASURE * 4 + WEIGHTED,                                                  \
      .value = value,                                                                     \
      COMPUTED};                                                                          \
  static const gi_metric measure##_micro = {                                              \
      .name = #measure "_micro",                                                          \
      .doc = text ": from the sums over all classes",                                     \
      .source = #measure "_score(y_true, y_pred, average=\"micro\", zero_division=0)",    \
      .variant = MEASURE * 4 + MICRO,                                                     \
      .value = value,                                                                     \
      COMPUTED};
MEASURE_MAP(ROWS)

#define ADDRESSES(MEASURE, measure, text) \
  &measure##_plain, &measure##_macro, &measure##_weighted, &measure##_micro,
const gi_metric *const gi_metrics_precision_recall_f1[] = {MEASURE_MAP(ADDRESSES) & fbeta, &all,
                                                           NULL};
