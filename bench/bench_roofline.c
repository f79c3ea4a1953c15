/* bench_roofline.c - what this machine gives at most, and how near the workloads come to it.
 *
 *     bench_roofline [--threads "1 2"] [--seconds S] [--quiet S] [WORKLOAD...]
 *
 * For each number of threads one JSON line with the limits, as `glia doctor` measures them,
 * then one for each workload. Its plan is timed step by step: of_arithmetic is the
 * multiply-adds that a direct algorithm needs by those that the machine would have made in that
 * time; of_roofline is the sum of what each step would take at the nearer of its two limits
 * (arithmetic, memory) by what it took, with times that models and tuning have no say in. Steps
 * whose operands lie in caches may exceed the limit of memory, and Winograd's algorithm that of
 * arithmetic.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>

#include "compile/offers.h"
#include "measure.h"
#include "workload.h"

typedef struct options {
  const char *threads;
  double seconds, quiet;
} options;

static gi_limits print_limits(int threads) {
  const gi_backend *b = NULL;
  gi_limits l = {0};
  must(gi_backend_find(NULL, &b));
  if (b->measure == NULL) must(gi_fail(GLIA_UNSUPPORTED, "%s: cannot be measured", b->name));
  must(b->measure(threads, &l));
  printf(
      "{\"kind\": \"limits\", \"threads\": %d, \"gflops\": %.1f, \"gb_s\": %.2f, "
      "\"read_gb_s\": %.2f, \"copy_gb_s\": %.2f, \"start_us\": %.3f}\n",
      threads, l.flops * 1e-9, l.bytes * 1e-9, l.read * 1e-9, l.copy * 1e-9, l.start * 1e6);
  fflush(stdout);
  return l;
}

static void print_workload(const workload *w, int threads, const gi_limits *l,
                           const options *o) {
  running r;
  double flops = 0, least = 0, took = 0;
  running_open(&r, w, threads);
  running_step(&r);
  glia_plan *p = running_plan(&r);
  must(glia_plan_time(p, o->seconds));
  for (int i = 0; i < p->n_steps; i++) {
    const gi_cost c = gi_step_cost(p, &p->steps[i]);
    flops += c.flops;
    least += fmax(c.flops / l->flops, c.bytes / l->bytes);
    took += p->seconds[i];
  }
  printf(
      "{\"kind\": \"roofline\", \"workload\": \"%s\", \"threads\": %d, \"ms\": %.4f, "
      "\"gflop\": %.4f, \"of_arithmetic\": %.4f, \"of_roofline\": %.4f}\n",
      w->name, threads, took * 1e3, flops * 1e-9, flops / l->flops / took, least / took);
  fflush(stdout);
  running_close(&r);
}

static int usage(void) {
  fprintf(
      stderr,
      "usage: bench_roofline [--threads \"1 2\"] [--seconds S] [--quiet S] [WORKLOAD...]\n");
  return 2;
}

int main(int argc, char **argv) {
  static const struct option known[] = {{"threads", required_argument, NULL, 't'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"quiet", required_argument, NULL, 'q'},
                                        {NULL, 0, NULL, 0}};
  options o = {.threads = "1 2", .seconds = 2, .quiet = 60};
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (c) {
      case 't': o.threads = optarg; break;
      case 's': o.seconds = atof(optarg); break;
      case 'q': o.quiet = atof(optarg); break;
      default: return usage();
    }
  for (int i = optind; i < argc; i++)
    if (workload_find(argv[i]) == NULL) return 2;
  for (char *end, *at = (char *)(uintptr_t)o.threads;; at = end) {
    const long threads = strtol(at, &end, 10);
    if (end == at) break;
    if (threads < 1 || threads > 1024) return usage();
    wait_quiet(o.quiet);
    const gi_limits l = print_limits((int)threads);
    for (int i = optind; i < argc; i++)
      print_workload(workload_find(argv[i]), (int)threads, &l, &o);
  }
  return 0;
}
