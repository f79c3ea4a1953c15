/* metric.c - metrics, by scikit-learn's names: the arrays in the order of the call, its
 * options. Everything is computed in double, as the references were. */
#include <stdlib.h>

#include "parity/parity.h"
#include "scikit_words.h"

static bool is_argument(const char *name) {
  return strncmp(name, "value", 5) != 0 && strcmp(name, "sample_weight") != 0;
}

/* A given array in double; NULL: there is none. */
static glia_tensor *as_double(const question *q, const char *name) {
  glia_tensor *t = name != NULL ? q_read(q, name) : NULL, *out = NULL;
  if (t != NULL && glia_tensor_cast(t, GLIA_F64, &out) != GLIA_OK) out = NULL;
  glia_tensor_free(t);
  return out;
}

static glia_status put_result(question *q, glia_metric_result *r) {
  glia_tensor *number = NULL;
  char name[32];
  if (r->arrays == 0) {
    GI_TRY(glia_tensor_new(GLIA_F64, 0, NULL, &number));
    glia_tensor_set(number, 0, r->number);
    q_put(q, "value", number);
  }
  for (int i = 0; i < r->arrays; i++) {
    snprintf(name, sizeof name, r->arrays == 1 ? "value" : "value.%d", i);
    q_put(q, name, r->array[i]);
    r->array[i] = NULL;
  }
  return GLIA_OK;
}

static glia_status run_metric(question *q, scikit_call *call, glia_metric_result *r) {
  glia_tensor *array[2] = {NULL, NULL}, *weight = as_double(q, "sample_weight");
  for (int i = 0, n = 0; n < 2 && q_tensor_name(q, i) != NULL; i++)
    if (is_argument(q_tensor_name(q, i))) array[n++] = as_double(q, q_tensor_name(q, i));
  call->o.sample_weight = weight;
  const glia_status s = glia_metric_compute_opt(call->metric, array[0], array[1], r, &call->o);
  glia_tensor_free(weight);
  for (int i = 0; i < 2; i++) glia_tensor_free(array[i]);
  return s;
}

static glia_status compute(question *q, scikit_call *call) {
  glia_metric_result r = {0};
  glia_status s = run_metric(q, call, &r);
  if (s == GLIA_OK) s = put_result(q, &r);
  glia_metric_result_clear(&r);
  return s;
}

/* scikit-learn's functions that give several metrics at once. */
typedef struct several {
  const char *op, *metric[4];
} several;
static const several groups[] = {
    {"precision_recall_fscore_support", {"precision", "recall", "fbeta"}},
    {"homogeneity_completeness_v_measure", {"homogeneity", "completeness", "v_measure"}},
};

/* How many samples each class has, of the classes that either array names. */
static glia_status put_support(question *q, const char *name) {
  static const char *const arrays[] = {"y_true", "y_pred"};
  double count[SCIKIT_LABELS] = {0}, support[SCIKIT_LABELS];
  bool seen[SCIKIT_LABELS] = {false}, counted = true;
  int64_t n = 0;
  glia_tensor *out = NULL;
  for (int which = 0; which < 2; which++) {
    glia_tensor *t = q_read(q, arrays[which]);
    for (int64_t i = 0; t != NULL && i < glia_tensor_count(t); i++) {
      const double c = glia_tensor_get(t, i);
      counted = counted && c >= 0 && c < SCIKIT_LABELS && glia_tensor_rank(t) == 1;
      if (!counted) break;
      seen[(int)c] = true;
      count[(int)c] += which == 0;
    }
    glia_tensor_free(t);
  }
  if (!counted) return q_cannot(q, "has classes that are not counted"), GLIA_OK;
  for (int c = 0; c < SCIKIT_LABELS; c++)
    if (seen[c]) support[n++] = count[c];
  GI_TRY(glia_tensor_from(GLIA_F64, 1, &n, support, &out));
  q_put(q, name, out);
  return GLIA_OK;
}

/* One of them, with those of the case's options that are its own, as "value.<i>". */
static glia_status one_of(question *q, const char *name, int i) {
  glia_metric_result r = {0};
  char value[32];
  scikit_call call;
  scikit_read(&call, name, q_attributes(q));
  const bool weighed = strcmp(name, "v_measure") == 0 || strcmp(name, "fbeta") == 0;
  if (!weighed) call.o.beta = 0;
  if (strcmp(name, "fbeta") == 0 && call.o.beta == 0) call.o.beta = 1;
  if (strncmp(q_op(q), "precision", 9) == 0 && call.o.average == NULL) call.o.average = "none";
  glia_status s = run_metric(q, &call, &r);
  snprintf(value, sizeof value, "value.%d", i);
  if (s == GLIA_OK && r.arrays == 0) {
    s = glia_tensor_new(GLIA_F64, 0, NULL, &r.array[0]);
    if (s == GLIA_OK) glia_tensor_set(r.array[0], 0, r.number);
  }
  if (s == GLIA_OK) {
    q_put(q, value, r.array[0]);
    r.array[0] = NULL;
  }
  glia_metric_result_clear(&r);
  scikit_clear(&call);
  return s;
}

static glia_status several_at_once(question *q, const several *g) {
  for (int i = 0; i < GI_COUNT(g->metric) && g->metric[i] != NULL; i++)
    GI_TRY(one_of(q, g->metric[i], i));
  const gi_json *average = gi_json_get(q_attributes(q), "average");
  const bool by_class = average == NULL || gi_json_type(average) == GI_JSON_NULL;
  return g == &groups[0] && by_class ? put_support(q, "value.3") : GLIA_OK;
}

static glia_status metric(question *q) {
  char *text = NULL;
  glia_status s = GLIA_OK;
  scikit_call call;
  for (int i = 0; i < GI_COUNT(groups); i++)
    if (strcmp(q_op(q), groups[i].op) == 0) return several_at_once(q, &groups[i]);
  scikit_read(&call, q_op(q), q_attributes(q));
  if (glia_metric_text(call.metric, &text) != GLIA_OK)
    q_cannot(q, "is not known");
  else if (call.unknown != NULL)
    q_cannot(q, "has an option that is not known");
  else
    s = compute(q, &call);
  scikit_clear(&call);
  free(text);
  return s;
}

static const parity_row rows[] = {{.group = "metric", .answer = metric}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_metric[] = {&all, NULL};
