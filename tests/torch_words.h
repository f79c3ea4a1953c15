/* tests/torch_words.h - PyTorch's names of optimisers, schedules and their options as our text:
 * "SGD" with {"lr": 0.1, "nesterov": true, "momentum": 0.9} is "sgd lr=0.1 nesterov=true
 * momentum=0.9".
 */
#ifndef GI_TEST_TORCH_WORDS_H
#define GI_TEST_TORCH_WORDS_H

#include <stdio.h>
#include <string.h>

#include "base/json.h"

typedef struct torch_words {
  char *out;
  size_t n, size;
} torch_words;

static inline void torch_put(torch_words *w, const char *text) {
  w->n += (size_t)snprintf(w->out + w->n, w->n < w->size ? w->size - w->n : 0, "%s", text);
}

static inline void torch_put_value(torch_words *w, const gi_json *v) {
  char number[40];
  snprintf(number, sizeof number, "%.17g", gi_json_num(v, 0));
  switch (gi_json_type(v)) {
    case GI_JSON_STRING: torch_put(w, gi_json_str(v, "")); break;
    case GI_JSON_BOOL: torch_put(w, gi_json_bool(v, false) ? "true" : "false"); break;
    default: torch_put(w, number);
  }
}

static inline const char *torch_key(const char *key) {
  static const char *const names[][2] = {
      {"initial_accumulator_value", "initial_accumulator"},
      {"total_iters", "steps"},
      {"total_steps", "steps"},
      {"T_max", "steps"},
      {"T_0", "steps"},
      {"T_mult", "growth"},
      {"eta_min", "min_lr"},
      {"anneal_strategy", "anneal"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i][0], key) == 0) return names[i][1];
  return key;
}

static inline bool torch_option(const char *key, const gi_json *v, void *user) {
  /* of how a step is computed, not of what */
  static const char *const ways[] = {"foreach", "capturable", "differentiable", "fused"};
  torch_words *w = user;
  if (gi_json_type(v) == GI_JSON_NULL) return true;
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (strcmp(key, ways[i]) == 0) return true;
  static const char *const pairs[][3] = {{"betas", " beta1=", " beta2="},
                                         {"etas", " eta_minus=", " eta_plus="},
                                         {"step_sizes", " step_min=", " step_max="}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if (strcmp(key, pairs[i][0]) != 0) continue;
    torch_put(w, pairs[i][1]);
    torch_put_value(w, gi_json_at(v, 0));
    torch_put(w, pairs[i][2]);
    torch_put_value(w, gi_json_at(v, 1));
    return true;
  }
  torch_put(w, " ");
  torch_put(w, torch_key(key));
  torch_put(w, "=");
  if (gi_json_type(v) != GI_JSON_ARRAY) torch_put_value(w, v);
  for (size_t i = 0; gi_json_type(v) == GI_JSON_ARRAY && i < gi_json_count(v); i++) {
    if (i > 0) torch_put(w, ",");
    torch_put_value(w, gi_json_at(v, i));
  }
  return true;
}

/* op: "torch.optim.SGD" or "SGD" */
static inline void torch_optimizer(const char *op, const gi_json *attributes, char *out,
                                   size_t size) {
  torch_words w = {.out = out, .size = size};
  const char *dot = strrchr(op, '.');
  char letter[2] = {0};
  for (const char *c = dot != NULL ? dot + 1 : op; *c != '\0'; c++) {
    letter[0] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    torch_put(&w, letter);
  }
  gi_json_each(attributes, torch_option, &w);
}

/* What PyTorch's schedules are called here, and those of its defaults that are not ours. */
static inline const char *torch_schedule_name(const char *op) {
  static const char *const names[][2] = {
      {"ConstantLR", "constant"},
      {"StepLR", "step"},
      {"MultiStepLR", "multi_step"},
      {"ExponentialLR", "exponential"},
      {"PolynomialLR", "polynomial"},
      {"LinearLR", "linear"},
      {"CosineAnnealingLR", "cosine"},
      {"CosineAnnealingWarmRestarts", "cosine_restarts"},
      {"OneCycleLR", "one_cycle"},
      {"CyclicLR", "cyclic"},
      {"Warmup", "warmup"},
      {"ReduceLROnPlateau", "plateau"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i][0], op) == 0) return names[i][1];
  return op;
}

static inline bool torch_schedule_option(const char *key, const gi_json *v, void *user) {
  const bool of_others = strcmp(key, "epochs") == 0 || strcmp(key, "steps_per_epoch") == 0 ||
                         strcmp(key, "last_epoch") == 0 || strcmp(key, "verbose") == 0 ||
                         strcmp(key, "scale_mode") == 0; /* of a function of one's own */
  return of_others || torch_option(key, v, user);
}

static inline void torch_schedule(const char *op, const gi_json *attributes, char *out,
                                  size_t size) {
  static const char *const defaults[][3] = {
      {"ConstantLR", "factor", " factor=0.33333333333333331"},
      {"ConstantLR", "total_iters", " steps=5"},
      {"LinearLR", "start_factor", " start_factor=0.33333333333333331"},
      {"LinearLR", "end_factor", " end_factor=1"},
      {"LinearLR", "total_iters", " steps=5"},
      {"PolynomialLR", "total_iters", " steps=5"},
      {"OneCycleLR", "cycle_momentum", " cycle_momentum=true"},
      {"CyclicLR", "cycle_momentum", " cycle_momentum=true"},
  };
  torch_words w = {.out = out, .size = size};
  torch_put(&w, torch_schedule_name(op));
  gi_json_each(attributes, torch_schedule_option, &w);
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
    if (strcmp(op, defaults[i][0]) == 0 && gi_json_get(attributes, defaults[i][1]) == NULL)
      torch_put(&w, defaults[i][2]);
  const int64_t epochs = gi_json_int(gi_json_get(attributes, "epochs"), 0);
  char steps[48];
  snprintf(steps, sizeof steps, " steps=%lld",
           (long long)(epochs * gi_json_int(gi_json_get(attributes, "steps_per_epoch"), 0)));
  if (epochs > 0) torch_put(&w, steps);
}

#endif /* GI_TEST_TORCH_WORDS_H */
