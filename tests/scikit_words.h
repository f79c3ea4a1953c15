/* tests/scikit_words.h - scikit-learn's names of metrics and of their options as ours:
 * "f1_score" with {"average": "macro", "pos_label": 0} is "f1" with .average and .pos_label.
 */
#ifndef GI_TEST_SCIKIT_WORDS_H
#define GI_TEST_SCIKIT_WORDS_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "glia/metrics.h"

enum { SCIKIT_LABELS = 256 };

typedef struct scikit_call {
  const char *metric; /* ours */
  glia_metric_opts o;
  int64_t labels[SCIKIT_LABELS], pos_label;
  double target_weight[SCIKIT_LABELS];
  glia_tensor *target_weight_tensor; /* owned: scikit_clear */
  const char *unknown;               /* an option that we have no word for */
} scikit_call;

/* Our names, and those that others use. */
static inline const char *scikit_metric(const char *op) {
  static const char *const names[][2] = {
      {"accuracy_score", "accuracy"},
      {"exact_match", "accuracy"},
      {"subset_accuracy", "accuracy"},
      {"balanced_accuracy_score", "balanced_accuracy"},
      {"zero_one", "zero_one_loss"},
      {"hamming", "hamming_loss"},
      {"precision_score", "precision"},
      {"recall_score", "recall"},
      {"f1_score", "f1"},
      {"fbeta_score", "fbeta"},
      {"jaccard_score", "jaccard"},
      {"iou", "jaccard"},
      {"kappa", "cohen_kappa"},
      {"cohen_kappa_score", "cohen_kappa"},
      {"matthews", "matthews_corrcoef"},
      {"mcc", "matthews_corrcoef"},
      {"matthews_corr_coef", "matthews_corrcoef"},
      {"top_k", "top_k_accuracy"},
      {"top_k_accuracy_score", "top_k_accuracy"},
      {"brier_score_loss", "brier"},
      {"brier_score", "brier"},
      {"brier_loss", "brier"},
      {"hinge", "hinge_loss"},
      {"roc_auc_score", "roc_auc"},
      {"roc_auc_ovr", "roc_auc"},
      {"roc_auc_ovo", "roc_auc"},
      {"roc", "roc_curve"},
      {"det", "det_curve"},
      {"pr_curve", "precision_recall_curve"},
      {"average_precision_score", "average_precision"},
      {"ap", "average_precision"},
      {"ndcg_score", "ndcg"},
      {"dcg_score", "dcg"},
      {"coverage", "coverage_error"},
      {"lrap", "label_ranking_average_precision"},
      {"label_ranking_ap", "label_ranking_average_precision"},
      {"label_ranking_average_precision_score", "label_ranking_average_precision"},
      {"ranking_loss", "label_ranking_loss"},
      {"mae", "mean_absolute_error"},
      {"mse", "mean_squared_error"},
      {"rmse", "root_mean_squared_error"},
      {"msle", "mean_squared_log_error"},
      {"rmsle", "root_mean_squared_log_error"},
      {"mape", "mean_absolute_percentage_error"},
      {"smape", "symmetric_mean_absolute_percentage_error"},
      {"medae", "median_absolute_error"},
      {"median_ae", "median_absolute_error"},
      {"median_error", "median_absolute_error"},
      {"r2_score", "r2"},
      {"explained_variance_score", "explained_variance"},
      {"mean_poisson_deviance", "poisson_deviance"},
      {"mean_gamma_deviance", "gamma_deviance"},
      {"mean_tweedie_deviance", "tweedie_deviance"},
      {"tweedie", "tweedie_deviance"},
      {"mean_pinball_loss", "pinball"},
      {"pinball_loss", "pinball"},
      {"d2_tweedie_score", "d2_tweedie"},
      {"d2_pinball_score", "d2_pinball"},
      {"d2_absolute_error_score", "d2_absolute_error"},
      {"d2_absolute", "d2_absolute_error"},
      {"pearsonr", "pearson"},
      {"spearmanr", "spearman"},
      {"kendalltau", "kendall"},
      {"kendall_tau", "kendall"},
      {"rand_score", "rand"},
      {"rand_index", "rand"},
      {"adjusted_rand_score", "adjusted_rand"},
      {"adjusted_rand_index", "adjusted_rand"},
      {"ari", "adjusted_rand"},
      {"mutual_info", "mutual_information"},
      {"mutual_info_score", "mutual_information"},
      {"normalized_mutual_info", "normalized_mutual_information"},
      {"normalized_mutual_info_score", "normalized_mutual_information"},
      {"nmi", "normalized_mutual_information"},
      {"adjusted_mutual_info", "adjusted_mutual_information"},
      {"adjusted_mutual_info_score", "adjusted_mutual_information"},
      {"ami", "adjusted_mutual_information"},
      {"homogeneity_score", "homogeneity"},
      {"completeness_score", "completeness"},
      {"v_measure_score", "v_measure"},
      {"fowlkes_mallows_score", "fowlkes_mallows"},
      {"silhouette_score", "silhouette"},
      {"davies_bouldin_score", "davies_bouldin"},
      {"calinski_harabasz_score", "calinski_harabasz"},
      {"ece", "expected_calibration_error"},
      {"calibration", "calibration_curve"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i][0], op) == 0) return names[i][1];
  return op;
}

/* 0 is a value like others where it is not the default. */
static inline double scikit_number(const gi_json *v) {
  const double x = gi_json_type(v) == GI_JSON_STRING && strcmp(gi_json_str(v, ""), "inf") == 0
                       ? (double)INFINITY
                       : gi_json_num(v, 0);
  return x == 0 ? DBL_MIN : x;
}

static inline void scikit_labels(scikit_call *c, const gi_json *v) {
  c->o.n_labels = (int)gi_json_count(v);
  c->o.labels = c->labels;
  for (int i = 0; i < c->o.n_labels && i < SCIKIT_LABELS; i++)
    c->labels[i] = gi_json_int(gi_json_at(v, (size_t)i), 0);
}

static inline void scikit_target_weight(scikit_call *c, const gi_json *v) {
  const int64_t n = (int64_t)gi_json_count(v);
  for (int64_t i = 0; i < n && i < SCIKIT_LABELS; i++)
    c->target_weight[i] = gi_json_num(gi_json_at(v, (size_t)i), 0);
  if (glia_tensor_from(GLIA_F64, 1, &n, c->target_weight, &c->target_weight_tensor) == GLIA_OK)
    c->o.target_weight = c->target_weight_tensor;
}

static inline const char *scikit_distance(const char *name) {
  static const char *const names[][2] = {
      {"l1", "manhattan"}, {"cityblock", "manhattan"}, {"l2", "euclidean"}};
  for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i][0], name) == 0) return names[i][1];
  return name;
}

/* Lists, and what means different things in different functions; false: it is neither. */
static inline bool scikit_special(scikit_call *c, const char *key, const gi_json *v) {
  const bool list = gi_json_type(v) == GI_JSON_ARRAY;
  if (strcmp(key, "labels") == 0)
    scikit_labels(c, v);
  else if (strcmp(key, "multioutput") == 0 && list)
    scikit_target_weight(c, v);
  else if (strcmp(key, "pos_label") == 0)
    c->pos_label = gi_json_int(v, 1), c->o.pos_label = &c->pos_label;
  else if (strcmp(key, "normalize") == 0 && gi_json_type(v) == GI_JSON_BOOL)
    c->o.count = !gi_json_bool(v, true);
  else if (strcmp(key, "normalize") == 0)
    c->o.normalize = gi_json_str(v, NULL);
  else if (strcmp(key, "eps") == 0)
    c->o.eps = gi_json_num(v, 0);
  else if (strcmp(key, "zero_division") == 0)
    c->o.zero_division = gi_json_num(v, 0);
  else if (strcmp(key, "squared") == 0)
    c->o.root = !gi_json_bool(v, true);
  else if (strcmp(key, "force_finite") == 0)
    c->o.infinite = !gi_json_bool(v, true);
  else if (strcmp(key, "drop_intermediate") == 0)
    c->o.all_points = !gi_json_bool(v, true);
  else if (strcmp(key, "multi_class") == 0)
    c->o.multi_class =
        strcmp(gi_json_str(v, "raise"), "raise") == 0 ? NULL : gi_json_str(v, NULL);
  else if (strcmp(key, "metric") == 0)
    c->o.distance = scikit_distance(gi_json_str(v, NULL));
  else if (strcmp(key, "multilabel") == 0)
    return true; /* the arrays say so */
  else
    return false;
  return true;
}

static inline bool scikit_option(const char *key, const gi_json *v, void *user) {
  scikit_call *c = user;
  const struct {
    const char *key;
    const char **text;
    double *number;
    int64_t *whole;
    bool *flag;
  } plain[] = {
      {"weights", &c->o.weights, NULL, NULL, NULL},
      {"multioutput", &c->o.multioutput, NULL, NULL, NULL},
      {"average_method", &c->o.average_method, NULL, NULL, NULL},
      {"strategy", &c->o.strategy, NULL, NULL, NULL},
      {"beta", NULL, &c->o.beta, NULL, NULL},
      {"max_fpr", NULL, &c->o.max_fpr, NULL, NULL},
      {"log_base", NULL, &c->o.log_base, NULL, NULL},
      {"power", NULL, &c->o.power, NULL, NULL},
      {"alpha", NULL, &c->o.alpha, NULL, NULL},
      {"data_range", NULL, &c->o.data_range, NULL, NULL},
      {"k", NULL, NULL, &c->o.k, NULL},
      {"n_bins", NULL, NULL, &c->o.bins, NULL},
      {"ignore_ties", NULL, NULL, NULL, &c->o.ignore_ties},
      {"adjusted", NULL, NULL, NULL, &c->o.adjusted},
      {"samplewise", NULL, NULL, NULL, &c->o.samplewise},
  };
  if (strcmp(key, "average") == 0) {
    c->o.average = gi_json_type(v) == GI_JSON_NULL ? "none" : gi_json_str(v, NULL);
    return true;
  }
  if (gi_json_type(v) == GI_JSON_NULL || scikit_special(c, key, v)) return true;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    if (strcmp(plain[i].key, key) != 0) continue;
    if (plain[i].text != NULL) *plain[i].text = gi_json_str(v, NULL);
    if (plain[i].number != NULL) *plain[i].number = scikit_number(v);
    if (plain[i].whole != NULL) *plain[i].whole = gi_json_int(v, 0);
    if (plain[i].flag != NULL) *plain[i].flag = gi_json_bool(v, false);
    return true;
  }
  c->unknown = key;
  return true;
}

/* Texts stay the JSON's. */
static inline void scikit_read(scikit_call *c, const char *op, const gi_json *attributes) {
  *c = (scikit_call){.metric = scikit_metric(op), .o = {.size = sizeof c->o}};
  if (strcmp(op, "roc_auc_ovo") == 0) c->o.multi_class = "ovo";
  if (attributes != NULL) gi_json_each(attributes, scikit_option, c);
  if (c->o.power > 0 && c->o.power <= DBL_MIN) c->o.power = 0; /* the default is 0 */
}

static inline void scikit_clear(scikit_call *c) {
  glia_tensor_free(c->target_weight_tensor);
  *c = (scikit_call){0};
}

#endif /* GI_TEST_SCIKIT_WORDS_H */
