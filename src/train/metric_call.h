/* train/metric_call.h - what compute() of a metric is given, and tools that several share.
 *
 * Both arrays and the weights are doubles, row-major and finite by the time compute() sees
 * them. Scratch memory comes from one arena that ends with the call, so that nothing has to be
 * freed on any way out.
 */
#ifndef GI_METRIC_CALL_H
#define GI_METRIC_CALL_H

#include <math.h>

#include "tensor/tensor.h"
#include "train/metric.h"

struct gi_metric_call {
  const gi_metric *m;
  const char *name; /* leads messages */
  glia_metric_opts o;
  gi_type type[2];
  int64_t rows[2];    /* of each array; equal but for GI_SHAPE_UNLIKE */
  int64_t columns[2]; /* 1 for [N] and [N, 1] */
  int64_t n;          /* rows[0] */
  const double *a, *b;
  const double *weight; /* [n]; NULL: each 1 */
  double epsilon;       /* machine epsilon of the second array's dtype */
  gi_arena arena;
  int64_t positive; /* scratch of gi_metric_ratio: the one label that it looks at */
  glia_metric_result *result;
};

static inline double gi_weight(const gi_metric_call *c, int64_t i) {
  return c->weight != NULL ? c->weight[i] : 1;
}
double gi_weight_sum(const gi_metric_call *c);
/* n zeroed items of the arena. */
glia_status gi_metric_take(gi_metric_call *c, int64_t n, size_t item, void *out);
#define GI_TAKE(c, n, out) GI_TRY(gi_metric_take((c), (n), sizeof **(out), (void *)(out)))

/* Answers. */
glia_status gi_metric_number(gi_metric_call *c, double v);
glia_status gi_metric_array(gi_metric_call *c, glia_dtype dtype, int rank, const int64_t *shape,
                            const double *data);
/* One number a class (or sample, or target) as [n], where they are not averaged. */
glia_status gi_metric_vector(gi_metric_call *c, int64_t n, const double *data);

/* Checks. */
const char *gi_metric_argument(const gi_metric *m, int i);
glia_status gi_metric_vectors(const gi_metric_call *c); /* both are [N] */
glia_status gi_metric_equal(const gi_metric_call *c);   /* as many columns */
/* Whole numbers throughout array `which`. */
glia_status gi_metric_whole(const gi_metric_call *c, int which);
/* 0 and 1 throughout it. */
glia_status gi_metric_binary(const gi_metric_call *c, int which);
/* Within [0, 1] throughout the second array. */
glia_status gi_metric_probabilities(const gi_metric_call *c);

/* Keys in order; equal keys as they lie. */
typedef struct gi_keyed {
  double key;
  int64_t at; /* where it lay */
} gi_keyed;
glia_status gi_metric_sorted(gi_metric_call *c, const double *keys, int64_t n, bool falling,
                             gi_keyed **out);
/* The distinct of n keys, rising. */
glia_status gi_metric_distinct(gi_metric_call *c, const double *keys, int64_t n, double **out,
                               int64_t *count);

/* The value below which a share q of n values lies: without weights linear between neighbours,
 * with them the first that the share of the weights reaches. */
glia_status gi_metric_quantile(gi_metric_call *c, const double *values, const double *weight,
                               int64_t n, double q, double *out);

/* The classes of a call: .labels as given, else the distinct values of the arrays. */
typedef struct gi_classes {
  int64_t n;
  const double *value; /* [n] in the order of the results */
  const gi_keyed *sorted;
} gi_classes;
/* arrays: 1 the first, 2 the second, 3 both */
glia_status gi_classes_of(gi_metric_call *c, int arrays, gi_classes *out);
int64_t gi_class_index(const gi_classes *k, double value); /* -1: none of them */
int64_t gi_class_rank(const gi_classes *k, double value);  /* its place among them, rising */
/* counts[i * n + j]: weight of the samples of class i that are predicted as j. */
glia_status gi_confusion(gi_metric_call *c, const gi_classes *k, double **counts);

/* Hits of each class, label or sample. */
typedef struct gi_counts {
  int64_t n;
  double *tp, *truths, *guesses; /* [n] */
  double *total;                 /* [n] weight of all that was looked at */
} gi_counts;
static inline bool gi_multilabel(const gi_metric_call *c) { return c->columns[0] > 1; }
/* By label, or by sample. Classes [N] (not by sample) or [N, L] of 0 and 1. */
glia_status gi_counts_of(gi_metric_call *c, bool by_sample, gi_counts *out);

/* What makes a number of one class: matches of truths and guesses. */
typedef double (*gi_ratio_fn)(const gi_metric_call *c, double tp, double truths,
                              double guesses);
/* It, averaged as .average says; and how `weighted` counts where there are no truths. */
glia_status gi_metric_ratio(gi_metric_call *c, gi_ratio_fn ratio, gi_ratio_fn without_truths);
/* a / b, or what 0 / 0 counts. */
static inline double gi_divided(const gi_metric_call *c, double a, double b) {
  return b != 0 ? a / b : c->o.zero_division;
}

/* A value for each of K targets: their mean as multioutput says; variance: of the targets, for
 * "variance_weighted" (else NULL). */
glia_status gi_metric_targets(gi_metric_call *c, const double *values, const double *variance);

/* A binary metric (of labels y in {0, 1}, scores and weights, n of each) for `columns` labels,
 * averaged as .average says ("macro" by default). truth [n, columns] of 0 and 1. */
typedef glia_status (*gi_binary_fn)(gi_metric_call *c, int64_t n, const double *y,
                                    const double *score, const double *weight, double *out);
glia_status gi_metric_binary_average(gi_metric_call *c, int64_t columns, const double *truth,
                                     gi_binary_fn fn);
/* fn, whose scratch memory ends with it. */
glia_status gi_binary_call(gi_metric_call *c, gi_binary_fn fn, int64_t n, const double *y,
                           const double *score, const double *weight, double *out);
/* [n, classes] of 0 and 1 from the classes of the first array. */
glia_status gi_one_hot(gi_metric_call *c, const gi_classes *k, double **out);
/* 1 where the first array has the positive class, else 0; GLIA_DATA where it has classes but
 * not that one. */
glia_status gi_positives(gi_metric_call *c, double **out);

/* Hits and false alarms as the threshold falls from one distinct score to the next. */
typedef struct gi_threshold_curve {
  int64_t n;
  double *tps, *fps, *threshold; /* [n] both rising, the threshold falling */
} gi_threshold_curve;
/* y [n] of 0 and 1; samples of weight 0 are left out; weight NULL: 1 each. O(n log n). */
glia_status gi_threshold_curve_of(gi_metric_call *c, int64_t n, const double *y,
                                  const double *score, const double *weight,
                                  gi_threshold_curve *out);

/* The mean of one number a sample; sum: their sum. */
glia_status gi_metric_mean(gi_metric_call *c, const double *each, bool sum);

/* Fields that several rows have. */
#define GI_METRIC_NAME(field, list, dflt_text, text) \
  GI_FIELD(NAME, glia_metric_opts, field, .choices = (list), .dflt = (dflt_text), .doc = (text))
#define GI_METRIC_FLAG(field, text) GI_FIELD(BOOL, glia_metric_opts, field, .doc = (text))
#define GI_METRIC_F64(field, low, high, dflt_text, text)                                   \
  GI_FIELD(F64, glia_metric_opts, field, .min = (low), .max = (high), .dflt = (dflt_text), \
           .doc = (text))
#define GI_METRIC_I64(field, low, high, dflt_text, text)                                   \
  GI_FIELD(I64, glia_metric_opts, field, .min = (low), .max = (high), .dflt = (dflt_text), \
           .doc = (text))
extern const char *const gi_metric_averages[];
extern const char *const gi_metric_outputs[];
#define GI_METRIC_AVERAGE                                                          \
  GI_METRIC_NAME(average, gi_metric_averages, "binary of two classes, else macro", \
                 "how classes or labels become one number; none: one number each")
#define GI_METRIC_MULTIOUTPUT \
  GI_METRIC_NAME(multioutput, gi_metric_outputs, "uniform_average", "what becomes of K targets")
#define GI_METRIC_ZERO_DIVISION \
  GI_METRIC_F64(zero_division, 0, 1, "0", "what 0 / 0 counts, 0 or 1")
#define GI_METRIC_ZERO_DIVISION_NAN                                                            \
  GI_FIELD(F64, glia_metric_opts, zero_division, .min = 0, .max = 1, .nan = true, .dflt = "0", \
           .doc = "what 0 / 0 counts, 0, 1 or nan, which averages leave out")
#define GI_METRIC_END \
  { .name = NULL }

#endif /* GI_METRIC_CALL_H */
