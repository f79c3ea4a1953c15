/* bench_overhead.c - what is not arithmetic: the executor's cost a node, a step of the smallest
 * network, making the plan of a large one.
 *
 *     bench_overhead [--threads N] [--runs N]
 *
 * One JSON line a cost, with what is wanted at most.
 *
 *   executor_node     a plan of many smallest nodes, run by the executor, less the same kernels
 *                     called one after the other by hand; per node
 *   smallest_node     such a node with its kernel
 *   tiny_step         training step of the 2-4-1 network, through a learner
 *   compile_resnet50  graph, gradients, passes, schedule, memory and prepared kernels of a
 *                     training step of ResNet-50, 224 px, batch 16; nothing is tuned
 */
#include <stdlib.h>

#include "measure.h"
#include "train/learner.h"
#include "workload.h"

enum { NODES = 1000, MAX_RUNS = 2000 };

static void print(const char *name, double value, const char *unit, double target,
                  int threads) {
  printf(
      "{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"target\": %g, \"threads\": "
      "%d}\n",
      name, value, unit, target, threads);
  fflush(stdout);
}

/* ---- nodes ------------------------------------------------------------------------------- */

/* x, transposed and back and so on: small copies that no pass joins. */
static glia_plan *many_nodes(int threads) {
  static float data[4] = {1, 2, 3, 4};
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  must(glia_graph_new(&g));
  glia_value x = glia_input(g, "x", GLIA_F32, 2, (const int64_t[]){2, 2});
  for (int i = 0; i < NODES; i++) x = glia_transpose(x, 0, 1);
  glia_output("y", x);
  must(glia_compile(g, &p, .threads = threads, .skip = "all"));
  glia_tensor *t = NULL;
  must(glia_tensor_wrap(GLIA_F32, 2, (const int64_t[]){2, 2}, data, &t));
  must(glia_plan_bind(p, "x", t));
  must(glia_plan_run(p));
  glia_tensor_free(t);
  glia_graph_free(g);
  return p;
}

static double by_hand(glia_plan *p) {
  const double begin = gi_now();
  for (int i = 0; i < p->n_steps; i++) must(p->steps[i].kernel->run(&p->steps[i].exec));
  return gi_now() - begin;
}

static double by_executor(glia_plan *p) {
  const double begin = gi_now();
  must(glia_plan_run(p));
  return gi_now() - begin;
}

static void measure_nodes(int threads, int runs) {
  static double hand[MAX_RUNS], executor[MAX_RUNS];
  glia_plan *p = many_nodes(threads);
  for (int i = 0; i < runs; i++) {
    hand[i] = by_hand(p);
    executor[i] = by_executor(p);
  }
  const double with = median(executor, runs), without = median(hand, runs);
  print("executor_node", GI_MAX(with - without, 0) / p->n_steps * 1e6, "us", 0.2, threads);
  print("smallest_node", with / p->n_steps * 1e6, "us", 0.2, threads);
  glia_plan_free(p);
}

/* ---- a step, a plan ---------------------------------------------------------------------- */

static void measure_tiny(int threads, int runs) {
  static double seconds[MAX_RUNS];
  running r;
  running_open(&r, workload_find("tiny_2_4_1"), threads);
  for (int i = 0; i < 100; i++) running_step(&r);
  for (int i = 0; i < runs; i++) {
    const double begin = gi_now();
    for (int k = 0; k < 100; k++) running_step(&r);
    seconds[i] = (gi_now() - begin) / 100;
  }
  print("tiny_step", median(seconds, runs) * 1e6, "us", 10, threads);
  running_close(&r);
}

static void measure_compile(int threads, int runs) {
  double seconds[5];
  running r;
  running_open(&r, workload_find("rn50_train224"), threads); /* makes the parameters */
  for (int i = 0; i < runs; i++) {
    char *text = NULL;
    const double begin = gi_now();
    must(glia_learner_plan_text(r.learner, r.w->batch, NULL, false, &text));
    seconds[i] = gi_now() - begin;
    free(text);
  }
  print("compile_resnet50", median(seconds, runs), "s", 1, threads);
  running_close(&r);
}

int main(int argc, char **argv) {
  int threads = 1, runs = 500;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--threads") == 0) threads = GI_MAX(atoi(argv[i + 1]), 1);
    if (strcmp(argv[i], "--runs") == 0) runs = GI_MIN(GI_MAX(atoi(argv[i + 1]), 1), MAX_RUNS);
  }
  measure_nodes(threads, runs);
  measure_tiny(threads, runs);
  measure_compile(threads, GI_MIN(runs, 3));
}
