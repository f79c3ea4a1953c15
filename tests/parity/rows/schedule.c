/* schedule.c - rates step by step; SGD with momentum 0.9 is what they are for. */
#include <math.h>
#include <stdlib.h>

#include "parity/parity.h"
#include "torch_words.h"

static glia_status rates(question *q) {
  char text[512];
  glia_schedule s;
  glia_tensor *lr = NULL, *momentum = NULL, *metric = q_read(q, "metric");
  const int64_t n = q_steps(q);
  torch_schedule(q_op(q), q_attributes(q), text, sizeof text);
  glia_status good = glia_schedule_parse(text, &s);
  if (good == GLIA_OK) good = glia_tensor_new(GLIA_F64, 1, &n, &lr);
  if (good == GLIA_OK) good = glia_tensor_new(GLIA_F64, 1, &n, &momentum);
  double *metrics = calloc((size_t)n + 1, sizeof *metrics);
  for (int64_t k = 0;
       metrics != NULL && metric != NULL && k < glia_tensor_count(metric) && k < n; k++)
    metrics[k] = glia_tensor_get(metric, k);
  for (int64_t k = 0; k < n && good == GLIA_OK; k++) {
    const glia_schedule_point at = {.lr = q_row_num(q, "initial_lr", 0.1),
                                    .step = k,
                                    .steps = n,
                                    .metrics = metric != NULL ? metrics : NULL,
                                    .n_metrics = metric != NULL ? k : 0};
    glia_rates r;
    good = glia_schedule_rates(&s, &at, &r);
    if (good != GLIA_OK) break;
    glia_tensor_set(lr, k, r.lr);
    glia_tensor_set(momentum, k, isnan(r.momentum) ? 0.9 : r.momentum);
  }
  free(metrics);
  glia_tensor_free(metric);
  q_put(q, "lr", lr);
  q_put(q, "momentum", momentum);
  return good;
}

static const parity_row rows[] = {
    {.op = "ConstantLR", .answer = rates},
    {.op = "StepLR", .answer = rates},
    {.op = "MultiStepLR", .answer = rates},
    {.op = "ExponentialLR", .answer = rates},
    {.op = "PolynomialLR", .answer = rates},
    {.op = "LinearLR", .answer = rates},
    {.op = "CosineAnnealingLR", .answer = rates},
    {.op = "CosineAnnealingWarmRestarts", .answer = rates},
    {.op = "OneCycleLR", .answer = rates},
    {.op = "CyclicLR", .answer = rates},
    {.op = "ReduceLROnPlateau", .answer = rates},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_schedule[] = {&all, NULL};
