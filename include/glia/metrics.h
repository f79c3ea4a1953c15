/* glia/metrics.h - how good predictions are, computed as scikit-learn does.
 *
 * An evaluation is fed batch by batch and keeps running sums, never the predictions: O(C^2)
 * memory for C classes, O(K) for K regression targets. Afterwards it answers any metric by
 * name, per-class values and the confusion matrix.
 *
 *     glia_evaluation *e;
 *     glia_evaluation_new(&(glia_evaluation_opts){.classes = 10}, &e);
 *     for each batch: glia_evaluation_add(e, logits, labels);
 *     glia_evaluation_value(e, "f1_macro", &f1);
 *     glia_evaluation_value(e, "top_5_accuracy", &top5);
 *
 * Notation: n samples; of class c, tp true positives, t samples (the support), p predictions.
 * A ratio whose denominator is 0 counts as 0 (scikit-learn's zero_division=0).
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
} glia_metric_info;

/* Metric i in file-name order (texts borrowed for ever), false past the last. */
GLIA_API bool glia_metric_get(int i, glia_metric_info *out);

/* The metric of this name, "top_3_accuracy" included. GLIA_INVALID for an unknown name (the
 * nearest one is suggested) or a k outside 1..1000000. */
GLIA_NODISCARD GLIA_API glia_status glia_metric_find(const char *name, glia_metric_info *out);

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

/* The metric over all samples added. May be NaN where scikit-learn's is: r2 of fewer than two
 * samples, cohen_kappa where one class is all there is.
 * GLIA_INVALID for an unknown name; GLIA_UNSUPPORTED for a metric of the other task, or one
 * that needs scores where labels were added; GLIA_DATA without samples. */
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
