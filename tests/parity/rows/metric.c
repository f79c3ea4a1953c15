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

static glia_status compute(question *q, scikit_call *call) {
  glia_metric_result r = {0};
  glia_tensor *array[2] = {NULL, NULL}, *weight = as_double(q, "sample_weight");
  for (int i = 0, n = 0; n < 2 && q_tensor_name(q, i) != NULL; i++)
    if (is_argument(q_tensor_name(q, i))) array[n++] = as_double(q, q_tensor_name(q, i));
  call->o.sample_weight = weight;
  glia_status s = glia_metric_compute_opt(call->metric, array[0], array[1], &r, &call->o);
  if (s == GLIA_OK) s = put_result(q, &r);
  glia_metric_result_clear(&r);
  glia_tensor_free(weight);
  for (int i = 0; i < 2; i++) glia_tensor_free(array[i]);
  return s;
}

static glia_status metric(question *q) {
  char *text = NULL;
  glia_status s = GLIA_OK;
  scikit_call call;
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
