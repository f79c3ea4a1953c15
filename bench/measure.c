/* measure.c - clocks, a quiet machine, medians, JSON. */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void must(glia_status s) {
  if (s == GLIA_OK) return;
  fprintf(stderr, "%s: %s\n", glia_status_text(s), glia_error_message());
  exit(glia_status_exit(s));
}

static double seconds_of(struct timeval t) {
  return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

/* The first line of /proc/stat counts ticks: user nice system idle iowait irq softirq steal. */
static double machine_busy(void) {
  double user, nice, system, idle, iowait, irq, softirq, steal;
  FILE *f = fopen("/proc/stat", "r");
  if (f == NULL) return 0;
  const int n = fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle,
                       &iowait, &irq, &softirq, &steal);
  fclose(f);
  return n == 8 ? (user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK) : 0;
}

cpu_time read_cpu_time(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (cpu_time){machine_busy(), seconds_of(u.ru_utime) + seconds_of(u.ru_stime)};
}

void wait_quiet(double limit) {
  const struct timespec half = {0, 500000000};
  const double end = gi_now() + limit;
  while (gi_now() < end) {
    const cpu_time before = read_cpu_time();
    nanosleep(&half, NULL);
    const cpu_time after = read_cpu_time();
    if (after.machine - before.machine - (after.own - before.own) < 0.04) return;
  }
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double median(double *seconds, int n) {
  qsort(seconds, (size_t)n, sizeof *seconds, ascending);
  return n == 0 ? NAN : n % 2 == 1 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2;
}

void print_figures(figures *f) {
  const double middle = median(f->seconds, f->steps), mb = 1 << 20;
  printf(
      "{\"workload\": \"%s\", \"threads\": %d, \"median_step_ms\": %.4f, "
      "\"min_step_ms\": %.4f, \"steps\": %d, \"throughput\": %.1f, \"unit\": \"samples/s\", "
      "\"gflop\": %.4f, \"gflops\": %.2f, \"peak_rss_mb\": %.1f, \"planned_mb\": %.1f, "
      "\"process_mb\": %.1f, \"loss\": %.6f, \"loss_steps\": %d, \"cpu_step_ms\": %.4f, "
      "\"other_cpu\": %.2f, \"glia\": \"%s\"}\n",
      f->workload, f->threads, middle * 1e3, f->seconds[0] * 1e3, f->steps, f->samples / middle,
      f->flops * 1e-9, f->flops / middle * 1e-9, (double)gi_peak_rss() / mb,
      (double)f->planned / mb, (double)f->process / mb, f->loss, f->loss_steps,
      f->cpu_seconds * 1e3, f->other_cpu, glia_version());
  fflush(stdout);
}
