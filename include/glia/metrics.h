/* glia/metrics.h - how good predictions are, computed as scikit-learn does.
 *
 * Two ways. glia_metric_compute takes whole arrays and every option of the definition:
 *
 *     glia_metric_result r;
 *     glia_metric_compute("fbeta", y_true, y_pred, &r, .beta = 2, .average = "macro");
 *     glia_metric_compute("roc_curve", y_true, y_score, &r);   r.array[0..2]
 *
 * An evaluation is fed batch by batch and keeps running sums: O(C^2) memory for C classes, O(K)
 * for K regression targets. Afterwards it answers metrics by name, per-class values and the
 * confusion matrix; metrics that are no sums (areas under curves, medians, ranks) where it was
 * told to keep the predictions too.
 *
 *     glia_evaluation *e;
 *     glia_evaluation_new(&(glia_evaluation_opts){.classes = 10}, &e);
 *     for each batch: glia_evaluation_add(e, logits, labels);
 *     glia_evaluation_value(e, "f1_macro", &f1);
 *     glia_evaluation_value(e, "top_5_accuracy", &top5);
 *     glia_evaluation_value(e, "fbeta beta=2 average=macro", &f2);   kept predictions
 *
 * Every metric is one row of a table: its formula and its options are in glia_metric_info, and
 * `glia metrics NAME` prints them. Notation: n samples; of class c, tp true positives, t
 * samples (the support), p predictions. A ratio whose denominator is 0 counts as 0
 * (scikit-learn's zero_division=0) unless zero_division is 1.
 */
#ifndef GLIA_METRICS_H
#define GLIA_METRICS_H

#include "glia/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the metrics ------------------------------------------------------------------------ */

typedef struct glia_metric_info {
  const char *name;     /* "f1_macro"; a "_k_" in it stands for a number: "top_3_accuracy" */
  const char *doc;      /* the formula in one line */
  const char *source;   /* what it equals: scikit-learn's function with its arguments */
  bool regression;      /* true: of numbers; false: of classes */
  bool needs_scores;    /* cannot be had from labels alone */
  bool per_class;       /* glia_evaluation_class has it too */
  bool lower_is_better; /* errors and losses */
  bool running;         /* an evaluation answers it from running sums; else it must keep */
  bool whole;           /* glia_metric_compute answers it */
} glia_metric_info;

/* Metric i in file-name order (texts borrowed for ever), false past the last. */
GLIA_API bool glia_metric_get(int i, glia_metric_info *out);

/* The metric of this name, "top_3_accuracy" included. GLIA_INVALID for an unknown name (the
 * nearest one is suggested) or a k outside 1..1000000. */
GLIA_NODISCARD GLIA_API glia_status glia_metric_find(const char *name, glia_metric_info *out);

/* The options of a metric, one a line: "  average  macro|micro...  how the classes are ..."
 * after the formula and the arguments. Owned, free(). GLIA_INVALID as glia_metric_find. */
GLIA_NODISCARD GLIA_API glia_status glia_metric_text(const char *name, char **out);

/* ---- metrics of whole arrays ------------------------------------------------------------- */

/* Options: zero is the default of the metric; who wants 0 where the default is another number
 * gives DBL_MIN. What a metric does not have must be zero. Names and meanings are
 * scikit-learn's; flags are turned round where its default is true. */
typedef struct glia_metric_opts {
  size_t size;
  const glia_tensor *sample_weight; /* [N], 0 or more; NULL: 1 each */
  const glia_tensor *target_weight; /* [K] for the mean over targets, in multioutput's place */
  const int64_t *labels; /* [n_labels] the classes that are looked at, in this order; of
                            several labels a sample: their columns. NULL: all, rising */
  int n_labels;
  const int64_t *pos_label; /* the class that is meant where one is; NULL -> 1 */
  const char *average;      /* "binary", "micro", "macro", "weighted", "samples", "none" */
  double beta;              /* fbeta: weight of the recall, must be given; v_measure: 0 -> 1 */
  double zero_division;     /* what 0 / 0 counts: 0, 1 or (precision, recall, f1, fbeta) NaN,
                               which averages leave out */
  const char *normalize;    /* confusion_matrix: "true", "pred", "all"; NULL: counts */
  bool count;               /* the number (or sum) in place of the share (normalize=False) */
  bool adjusted;            /* balanced_accuracy: chance is 0 */
  bool samplewise;          /* multilabel_confusion_matrix: one a sample, not one a label */
  const char *weights;      /* cohen_kappa: "linear", "quadratic" */
  double eps;              /* log_loss, perplexity: probabilities are clipped to [eps, 1 - eps];
                              0: the machine epsilon of their dtype */
  const char *multi_class; /* roc_auc of more than two classes: "ovr" (NULL) or "ovo" */
  double max_fpr;          /* roc_auc: only up to this rate of false positives; 0 -> 1 */
  bool all_points;         /* roc_curve: collinear points too (drop_intermediate=False) */
  int64_t k;               /* ranks that are looked at; 0: all; top_k_accuracy 0 -> 2 */
  bool ignore_ties;        /* dcg, ndcg: equal scores stay in some order */
  double log_base;         /* dcg: of the discount; 0 -> 2 */
  const char *multioutput; /* K targets: "uniform_average" (NULL), "raw_values",
                              "variance_weighted" (r2, explained_variance) */
  bool root;               /* squared errors: the root, per target (squared=False) */
  bool infinite;           /* r2, explained_variance: NaN or -infinity where the targets do not
                              vary (force_finite=False) */
  double power;            /* tweedie_deviance: 0 squared error, 1 Poisson, 2 gamma, ... */
  double alpha;            /* pinball: the quantile; 0 -> 0.5 */
  const char *average_method; /* of mutual informations: "arithmetic" (NULL), "geometric",
                                 "min", "max" */
  const char *distance; /* silhouette: "euclidean" (NULL), "sqeuclidean", "manhattan", "cosine",
                           "precomputed" */
  int64_t bins; /* of confidences; calibration_curve 0 -> 5, calibration_error 0 -> 10 */
  const char *strategy; /* of bins: "uniform" (NULL) or "quantile" */
  double data_range;    /* psnr, ssim: largest value less smallest; 0 -> 1 */
  double iou;           /* mean_average_precision: least overlap of a hit; 0: the mean over
                           0.5, 0.55, ... 0.95 */
} glia_metric_opts;

typedef struct glia_metric_result {
  double number;         /* the result where it is one number; else NaN */
  int arrays;            /* how many; 0 where it is a number */
  glia_tensor *array[4]; /* owned: glia_metric_result_clear; f64, counts i64 */
} glia_metric_result;

/* The metric of this name over whole arrays; first and second are the two arguments of
 * scikit-learn's function in its order, any dtype and strides:
 *   classes        y_true, y_pred [N] whole numbers; several labels a sample: [N, L], 0 and 1
 *   scores         y_true as above; y_score [N] of the positive class, or [N, C], [N, L]
 *   numbers        y_true, y_pred [N] or [N, K]
 *   rankings       y_true [N, L] relevance, y_score [N, L]
 *   clusterings    labels_true, labels_pred [N]; or X [N, D], labels [N]
 *   label maps     y_true, y_pred of one shape
 *   pictures       y_true, y_pred [N, C, H, W]
 * A row [N, 1] counts as [N]. O(N log N) at most, but for silhouette's O(N^2 D).
 * GLIA_INVALID for an unknown name or an option that the metric does not have or that is out of
 * range; GLIA_SHAPE where lengths differ; GLIA_DATA for NaN and infinities, for classes that
 * are no whole numbers, without samples, and where the definition has no value (roc_auc of one
 * class alone); GLIA_NOMEM. On failure out is cleared. */
GLIA_NODISCARD GLIA_API glia_status glia_metric_compute_opt(const char *name,
                                                            const glia_tensor *first,
                                                            const glia_tensor *second,
                                                            glia_metric_result *out,
                                                            const glia_metric_opts *opt);
GLIA_API void glia_metric_result_clear(glia_metric_result *r);
#ifndef __cplusplus /* glia_metric_compute("ndcg", relevance, score, &r, .k = 10) */
#define GLIA_METRIC_(name, first, second, out, ...) \
  glia_metric_compute_opt((name), (first), (second), (out), &(glia_metric_opts){__VA_ARGS__})
#define glia_metric_compute(...) GLIA_METRIC_(__VA_ARGS__, .size = sizeof(glia_metric_opts))
#endif

/* ---- texts ------------------------------------------------------------------------------- */

/* Texts are UTF-8; words stand between blanks, tabs and line ends, and are compared as they are
 * (who wants "The" and "the." to be one word lowers the case and strips points before).
 * Failures of all: GLIA_INVALID for a NULL; GLIA_DATA for bytes that are no UTF-8 where
 * characters are counted, and where the references hold nothing to divide by; GLIA_NOMEM. */

/* Least number of insertions, deletions and replacements of characters that make b of a
 * (Levenshtein 1966). O(|a| |b|) time, O(|b|) memory. */
GLIA_NODISCARD GLIA_API glia_status glia_edit_distance(const char *a, const char *b,
                                                       int64_t *out);
/* Edits of words (characters) over all n pairs, over the words (characters) of the references:
 * 0 is perfect, above 1 is possible. */
GLIA_NODISCARD GLIA_API glia_status glia_word_error_rate(const char *const *reference,
                                                         const char *const *text, int64_t n,
                                                         double *out);
GLIA_NODISCARD GLIA_API glia_status glia_character_error_rate(const char *const *reference,
                                                              const char *const *text,
                                                              int64_t n, double *out);

/* BLEU of a corpus (Papineni et al. 2002, doi:10.3115/1073083.1073135): b (p_1 ... p_N)^(1/N),
 * p_k the share of the texts' k-word runs that stand in a reference, each as often as there at
 * most; b = e^(1 - r / c) where the c words of all texts are fewer than the r of the nearest
 * references, else 1. 0 where some p_k is 0.
 *   reference  [n * references] those of text 0 first
 *   longest    N; 0 -> 4
 *   smooth     1 is added above and below the line of p_2, p_3, ... (Lin & Och 2004) */
GLIA_NODISCARD GLIA_API glia_status glia_bleu(const char *const *reference, int references,
                                              const char *const *text, int64_t n, int longest,
                                              bool smooth, double *out);

typedef struct glia_rouge_score {
  double precision, recall, f1;
} glia_rouge_score;
/* ROUGE (Lin 2004): the mean over n pairs of precision (share of the text), recall (share of
 * the reference) and their harmonic mean. kind 1, 2, ...: of runs of so many words, each as
 * often as in the other at most; 0: ROUGE-L, of the longest common subsequence of words. A pair
 * without such runs counts 0. */
GLIA_NODISCARD GLIA_API glia_status glia_rouge(const char *const *reference,
                                               const char *const *text, int64_t n, int kind,
                                               glia_rouge_score *out);

/* ---- evaluations ------------------------------------------------------------------------ */

/* What the columns of the scores are. */
typedef enum glia_scores {
  GLIA_SCORES_LOGITS,       /* any finite number or -infinity; log_loss takes their softmax */
  GLIA_SCORES_PROBABILITIES /* within [0, 1], give or take 1e-4 for rounding */
} glia_scores;

typedef struct glia_evaluation_opts {
  size_t size;
  int classes;        /* C >= 2: classification; 0: regression; at most 2^24 */
  int targets;        /* K, numbers per sample in a regression; 0 -> 1; at most 2^24 */
  glia_scores scores; /* default: logits */
  size_t keep; /* bytes of targets and predictions, 8 a number, that may be kept for metrics
                  that are no running sums; of more these are GLIA_UNSUPPORTED. 0: none */
} glia_evaluation_opts;

/* Up to this many classes the confusion matrix is kept (32 MiB); beyond, everything else. */
#define GLIA_CONFUSION_MAX 2048

typedef struct glia_evaluation glia_evaluation;

/* Owned. GLIA_INVALID for options out of range; GLIA_NOMEM. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluation_new(const glia_evaluation_opts *opt,
                                                        glia_evaluation **out);
GLIA_API void glia_evaluation_free(glia_evaluation *e);
/* Forgets all samples. */
GLIA_API void glia_evaluation_reset(glia_evaluation *e);

/* Adds a batch, any strides.
 *   output  classes:    [B, C] floats; for two classes also [B] or [B, 1]: the score of class 1
 *           regression: [B, K], or [B] where K is 1
 *   target  classes:    [B] i64, i32 or u8 within 0..C-1
 *           regression: as output, any dtype
 * The predicted class is the first of the largest scores; a lone logit predicts class 1 when it
 * is above 0, a lone probability above 1/2.
 * GLIA_SHAPE, GLIA_DTYPE; GLIA_DATA for a target out of range or not finite; GLIA_DIVERGED for
 * a NaN or infinite output (a logit may be -infinity if another in its row is finite);
 * GLIA_INVALID for a probability outside [0, 1]; GLIA_NOMEM. On failure nothing was added. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluation_add(glia_evaluation *e,
                                                        const glia_tensor *output,
                                                        const glia_tensor *target);

/* Adds n samples as plain labels, 0..C-1; metrics that need scores are unavailable from then
 * on. GLIA_DATA for a label out of range, GLIA_INVALID for a regression; then nothing was
 * added. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluation_add_labels(glia_evaluation *e,
                                                               const int64_t *y_true,
                                                               const int64_t *y_pred,
                                                               int64_t n);

GLIA_API int64_t glia_evaluation_count(const glia_evaluation *e); /* n */
GLIA_API int glia_evaluation_classes(const glia_evaluation *e);   /* C; 0 for a regression */
/* Samples whose true class is c (the support), and that were predicted as c; 0 out of range. */
GLIA_API int64_t glia_evaluation_support(const glia_evaluation *e, int c);
GLIA_API int64_t glia_evaluation_predicted(const glia_evaluation *e, int c);

/* The metric over all samples added: its name, and behind it options as `glia metrics NAME`
 * lists them, which want kept predictions ("roc_auc multi_class=ovo", "f1 average=weighted").
 * May be NaN where scikit-learn's is: r2 of fewer than two samples, cohen_kappa where one class
 * is all there is. GLIA_INVALID for an unknown name or option, naming those that there are;
 * GLIA_UNSUPPORTED for a metric of the other task, one that needs scores where labels were
 * added, one that needs predictions that were not kept, or one that gives more than one number
 * with these options; GLIA_DATA without samples. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluation_value(const glia_evaluation *e,
                                                          const char *name, double *out);

/* The metric for class c alone ("precision", "recall", "f1", ...): see per_class of its info.
 * Failures as above, and GLIA_UNSUPPORTED if it has no such value, GLIA_INVALID for c. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluation_class(const glia_evaluation *e,
                                                          const char *name, int c, double *out);

/* Counts as i64 [C, C]: row is the true class, column the predicted one. Owned.
 * GLIA_UNSUPPORTED for a regression or more than GLIA_CONFUSION_MAX classes. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluation_confusion(const glia_evaluation *e,
                                                              glia_tensor **out);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_METRICS_H */
