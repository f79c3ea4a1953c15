/* backend.c - finding a backend by name, its kernels by op, and the model of their times. */
#include "backend/backend.h"

#include <stdlib.h>

/* The best first. */
static const gi_backend *const backends[] = {
#ifdef GI_HAS_CPU
    &gi_backend_cpu,
#endif
    &gi_backend_ref,
};

glia_status gi_backend_find(const char *name, const gi_backend **out) {
  const char *asked_by = "backend";
  if (name == NULL || name[0] == '\0') {
    name = getenv("GLIA_BACKEND");
    asked_by = "GLIA_BACKEND";
  }
  if (name == NULL || name[0] == '\0') {
    *out = backends[0];
    return GLIA_OK;
  }
  char names[64] = "";
  for (int i = 0; i < GI_COUNT(backends); i++) {
    if (strcmp(backends[i]->name, name) == 0) {
      *out = backends[i];
      return GLIA_OK;
    }
    const size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s%s", i > 0 ? ", " : "", backends[i]->name);
  }
  return gi_fail(GLIA_INVALID, "%s: there is no \"%s\" in this build; there is %s", asked_by,
                 name, names);
}

bool gi_kernel_is_for(const gi_kernel *k, const gi_op *op) {
  for (int i = 0; i < GI_KERNEL_OPS && k->ops[i] != NULL; i++)
    if (strcmp(k->ops[i], op->name) == 0) return true;
  return k->ops[0] == NULL;
}

void gi_kernel_each(const gi_backend *b, const gi_op *op,
                    bool (*fn)(const gi_kernel *k, void *user), void *user) {
  for (const gi_kernel *const *const *list = b->kernels; *list != NULL; list++)
    for (const gi_kernel *const *k = *list; *k != NULL; k++)
      if (gi_kernel_is_for(*k, op) && !fn(*k, user)) return;
  if (b != &gi_backend_ref) fn(gi_backend_ref.kernels[0][0], user);
}

bool gi_kernel_layouts(const gi_kernel *k, const gi_problem *p, int choice, gi_layout *in,
                       gi_layout *out) {
  memset(in, 0, (size_t)p->n_in * sizeof *in);
  memset(out, 0, (size_t)p->n_out * sizeof *out);
  return k->layouts != NULL ? k->layouts(p, choice, in, out) : choice == 0;
}

double gi_kernel_cost(const gi_kernel *k, const gi_problem *p, const gi_limits *limits) {
  return k->cost != NULL ? k->cost(p, limits) : gi_time(p, limits, 1, 1);
}

gi_cost gi_problem_cost(const gi_problem *p) {
  gi_type out[GI_MAX_OUT];
  memcpy(out, p->out, (size_t)p->n_out * sizeof *out);
  const gi_infer c = {p->n_in, p->in, p->attr, p->n_out, out};
  return p->op->cost != NULL ? p->op->cost(&c) : gi_default_cost(&c);
}

/* Waking threads, loops that begin and end: what the smallest kernels take. */
static const double CALL_SECONDS = 5e-7;

double gi_time(const gi_problem *p, const gi_limits *limits, double of_flops, double of_bytes) {
  const gi_cost c = gi_problem_cost(p);
  const double arithmetic = c.flops / (limits->flops * of_flops);
  const double traffic = c.bytes / (limits->bytes * of_bytes);
  return CALL_SECONDS + GI_MAX(arithmetic, traffic);
}
