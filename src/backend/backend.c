/* backend.c - finding a backend by name, a kernel by problem, and what layouts mean in memory.
 */
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

/* An empty reason says that the kernel is for other ops; it is not worth a line in a plan. */
static bool takes(const gi_kernel *k, const gi_problem *p, gi_str *why) {
  if (k->op != NULL && strcmp(k->op, p->op->name) != 0) return false;
  const char *reason = k->fits != NULL ? k->fits(p) : NULL;
  if (reason == NULL) return true;
  if (why != NULL && reason[0] != '\0')
    gi_str_printf(why, "%s%s: %s", why->n > 0 ? "; " : "", k->name, reason);
  return false;
}

const gi_kernel *gi_choose(const gi_backend *b, const gi_problem *p, gi_str *why) {
  for (const gi_kernel *const *const *list = b->kernels; *list != NULL; list++)
    for (const gi_kernel *const *k = *list; *k != NULL; k++)
      if (takes(*k, p, why)) return *k;
  return gi_backend_ref.kernels[0][0];
}
