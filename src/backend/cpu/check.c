/* check.c - what is set around the program that makes this backend slower than it could be. */
#include <omp.h>
#include <stdlib.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/limits.h"

static const char *set(const char *name) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

static void check_instructions(gi_say say, void *user) {
  const char *wanted = set("GLIA_ISA"), *best = gi_cpu_best_isa()->name;
  const bool known =
      wanted != NULL && (strcmp(wanted, "base") == 0 || strcmp(wanted, "avx2") == 0 ||
                         strcmp(wanted, "avx512") == 0);
  if (wanted != NULL && !known)
    say(user, "set it to base, avx2 or avx512, or unset it",
        "GLIA_ISA is \"%s\", which is no instruction set: it counts for nothing", wanted);
  else if (strcmp(gi_cpu_isa()->name, best) != 0)
    say(user, "unset GLIA_ISA", "GLIA_ISA is \"%s\", but this processor has %s", wanted, best);
#if defined(__x86_64__)
  if (strcmp(best, "base") == 0)
    say(user,
        "a processor with AVX2 computes several times faster; in a virtual machine, let "
        "it see the processor as it is",
        "the processor has no AVX2");
#endif
}

static void check_onednn(gi_say say, void *user) {
  static const char *const names[] = {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    const char *limit = set(names[i]);
    if (limit != NULL && strcmp(limit, "ALL") != 0 && strcmp(limit, "DEFAULT") != 0) {
      say(user, "unset it", "%s is \"%s\": oneDNN uses no more than that", names[i], limit);
      return;
    }
  }
}

/* OpenMP reads "4" or "4,2,1", by depth. */
static void check_threads(gi_say say, void *user) {
  const int processors = omp_get_num_procs();
  const char *wanted = set("OMP_NUM_THREADS");
  char *end = NULL;
  const long n = wanted != NULL ? strtol(wanted, &end, 10) : 0;
  if (wanted != NULL && (n < 1 || (*end != '\0' && *end != ',')))
    say(user, "unset it", "OMP_NUM_THREADS is \"%s\", wanted a number of threads", wanted);
  else if (n > processors)
    say(user, "unset it, or use --threads",
        "OMP_NUM_THREADS is %ld, and there are %d processors: threads wait for each other", n,
        processors);
  else if (n > 0 && n < processors)
    say(user, "unset it, or use --threads",
        "OMP_NUM_THREADS is %ld: %d of %d processors are not used", n, processors - (int)n,
        processors);
  if (omp_get_thread_limit() < processors)
    say(user, "unset OMP_THREAD_LIMIT", "OpenMP gives %d threads, and there are %d processors",
        omp_get_thread_limit(), processors);
}

void gi_cpu_check(gi_say say, void *user) {
  check_instructions(say, user);
  check_onednn(say, user);
  check_threads(say, user);
}
