/* bench_start.c - how long a program takes from start to end, and its largest memory.
 *
 *     bench_start [--runs N] [--name NAME] PROGRAM ARGUMENTS...
 *
 * The program's output goes to /dev/null; it must end with 0.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "measure.h"

enum { MAX_RUNS = 1000 };
extern char **environ;

/* Seconds from start to end; *kib grows to its largest memory. */
static double run(char **argv, long *kib) {
  posix_spawn_file_actions_t files;
  struct rusage use;
  pid_t pid;
  int status = 0;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  const double begin = gi_now();
  const int error = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
  if (error != 0 || wait4(pid, &status, 0, &use) != pid || status != 0) {
    fprintf(stderr, "bench_start: %s: %s\n", argv[0],
            error != 0 ? strerror(error) : "does not end with 0");
    exit(1);
  }
  posix_spawn_file_actions_destroy(&files);
  *kib = GI_MAX(*kib, use.ru_maxrss);
  return gi_now() - begin;
}

int main(int argc, char **argv) {
  static double seconds[MAX_RUNS];
  const char *name = "start";
  int runs = 50, i = 1;
  long kib = 0;
  for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
    if (strcmp(argv[i], "--runs") == 0) runs = GI_MIN(GI_MAX(atoi(argv[i + 1]), 1), MAX_RUNS);
    if (strcmp(argv[i], "--name") == 0) name = argv[i + 1];
  }
  if (i >= argc) {
    fprintf(stderr, "usage: bench_start [--runs N] [--name NAME] PROGRAM ARGUMENTS...\n");
    return 2;
  }
  run(argv + i, &kib); /* the first one reads the files from disk */
  for (int k = 0; k < runs; k++) seconds[k] = run(argv + i, &kib);
  const double middle = median(seconds, runs);
  printf(
      "{\"workload\": \"%s\", \"median_ms\": %.3f, \"min_ms\": %.3f, \"runs\": %d, "
      "\"peak_rss_mb\": %.1f}\n",
      name, middle * 1e3, seconds[0] * 1e3, runs, (double)kib / 1024);
}
