/* bench_train.c - whole steps, of training (forward, loss, backward, update) or of inference,
 * as users run them.
 *
 *     bench_train WORKLOAD [--threads N] [--seconds S] [--steps N] [--loss-steps N] [--warm S]
 *                          [--quiet S] [--bf16]
 *     bench_train WORKLOAD --profile     time of each scheduled kernel, the costly ones first
 *     bench_train WORKLOAD --save FILE   parameters, batches, the losses of the first steps and
 *                                        the parameters behind them, for bench/peer_check.py
 *     bench_train WORKLOAD --memory PERCENT   fails if the memory that is held is farther off
 *                                        what was planned
 *     bench_train --list                 each row as JSON
 *
 * The inputs are a few batches of normal numbers or tokens with random labels, taken in turn,
 * as in the peers' scripts: this measures the step, not the loader. Every run begins with the
 * same steps from the same seed and reports the loss of the last: so figures of two builds, or
 * of two numbers of threads, can be seen to come from the same computation.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure.h"
#include "profile.h"
#include "workload.h"

enum { MAX_STEPS = 20000, MAX_LOSSES = 1000 };

typedef struct options {
  const workload *w;
  workload own; /* in which flags differ from the row */
  int threads, steps, loss_steps;
  double seconds, warm, quiet; /* timed; before that; at most waited for others to end */
  double memory;               /* percent that it may be off the plan; 0: not asked */
  bool profile, process;
  const char *save;
} options;

/* What a process holds that has made one step of a small convolutional network and given it
 * back, without the files (program, libraries) behind it: tables of libraries, their threads
 * and generated code. Another process, so that this one's peak is the workload's; started anew,
 * since one that is forked off lacks what was mapped before. */
static int print_process(int threads) {
  running r;
  running_open(&r, workload_find("cnn_b64"), threads);
  running_step(&r);
  running_close(&r);
  printf("%zu\n", gi_rss() - gi_rss_of_files());
  return 0;
}

static size_t process_bytes(int threads) {
  char command[64], text[64] = "";
  snprintf(command, sizeof command, "exec /proc/%d/exe --process --threads %d", (int)getpid(),
           threads);
  FILE *f = popen(command, "r");
  if (f == NULL) return 0;
  const bool got = fgets(text, sizeof text, f) != NULL;
  pclose(f);
  return got ? (size_t)strtoull(text, NULL, 10) : 0;
}

static void measure(running *r, const options *o, size_t process) {
  static double seconds[MAX_STEPS];
  const planned_bytes planned = running_bytes(r);
  figures f = {.workload = o->w->name,
               .threads = o->threads,
               .seconds = seconds,
               .samples = o->w->batch,
               .flops = glia_plan_flops(running_plan(r)),
               .planned = planned.store + planned.arena + planned.fixed + planned.inputs,
               .process = process,
               .loss_steps = o->loss_steps};
  for (int i = 0; i < o->loss_steps; i++) f.loss = running_step(r);
  for (const double end = gi_now() + o->warm; gi_now() < end;) running_step(r);
  wait_quiet(o->quiet);
  running_step(r);
  const cpu_time before = read_cpu_time();
  const double begin = gi_now();
  const int limit = o->steps > 0 ? GI_MIN(o->steps, MAX_STEPS) : MAX_STEPS;
  while (f.steps < limit && (f.steps < 7 || gi_now() - begin < o->seconds)) {
    const double t = gi_now();
    running_step(r);
    seconds[f.steps++] = gi_now() - t;
  }
  const double wall = gi_now() - begin;
  const cpu_time after = read_cpu_time();
  f.process += gi_rss_of_files();
  f.cpu_seconds = (after.own - before.own) / f.steps;
  f.other_cpu = fmax(0, (after.machine - before.machine - (after.own - before.own)) / wall);
  print_figures(&f);
}

/* Is the memory that the process came to hold, less what any holds, what was planned, give or
 * take so many percent? */
static int check_memory(running *r, const options *o, size_t process) {
  const planned_bytes b = running_bytes(r);
  const double planned = (double)(b.store + b.arena + b.fixed + b.inputs), mb = 1 << 20;
  for (int i = 0; i < 3; i++) running_step(r);
  const double held = (double)gi_peak_rss() - (double)(process + gi_rss_of_files());
  const double off = 100 * (held / planned - 1);
  printf(
      "{\"workload\": \"%s\", \"threads\": %d, \"planned_mb\": %.2f, \"held_mb\": %.2f, "
      "\"off_percent\": %.2f}\n",
      o->w->name, o->threads, planned / mb, held / mb, off);
  return process > 0 && fabs(off) <= o->memory ? 0 : 1;
}

static void profile(running *r, const options *o) {
  for (int i = 0; i < 20; i++) running_step(r);
  glia_plan *plan = running_plan(r);
  wait_quiet(o->quiet);
  must(profile_plan(plan, o->seconds, stdout));
}

/* ---- for the check against the peer ------------------------------------------------------ */

typedef struct saved { /* a list of tensors under names, all owned */
  GI_VEC(glia_named_tensor) all;
} saved;

static void save_copy(saved *f, const char *prefix, const char *name, const glia_tensor *t) {
  const size_t n = strlen(prefix) + strlen(name) + 1;
  char *whole = gi_alloc(n);
  glia_tensor *copy = NULL;
  must(glia_tensor_copy(t, &copy));
  if (whole == NULL || !gi_vec_push(&f->all, ((glia_named_tensor){whole, copy})))
    must(gi_fail_nomem(n));
  snprintf(whole, n, "%s%s", prefix, name);
}

static void save_parameters(saved *f, const char *prefix, const glia_store *s) {
  for (int i = 0; i < glia_store_count(s); i++)
    if (glia_store_kind_of(s, i) != GLIA_STATE)
      save_copy(f, prefix, glia_store_name(s, i), glia_store_tensor(s, i));
}

static void save(running *r, const options *o) {
  char name[32];
  saved f = {0};
  glia_tensor *losses = NULL;
  const int64_t n = o->loss_steps;
  save_parameters(&f, "before.", r->store);
  for (int k = 0; k < r->w->batches; k++) {
    snprintf(name, sizeof name, "%d", k);
    save_copy(&f, "x.", name, r->x[k]);
    if (r->y[k] != NULL) save_copy(&f, "y.", name, r->y[k]);
  }
  must(glia_tensor_new(GLIA_F64, 1, &n, &losses));
  for (int64_t i = 0; i < n; i++) glia_tensor_set(losses, i, running_step(r));
  save_copy(&f, "", "losses", losses);
  if (r->result != NULL) save_copy(&f, "", "result", r->result);
  save_parameters(&f, "after.", r->store);
  must(glia_safetensors_write(o->save, f.all.at, (int)f.all.n, NULL, 0));
  for (size_t i = 0; i < f.all.n; i++) {
    gi_free((void *)(uintptr_t)f.all.at[i].name);
    glia_tensor_free((glia_tensor *)(uintptr_t)f.all.at[i].tensor);
  }
  gi_vec_free(&f.all);
  glia_tensor_free(losses);
}

/* ---- the program ------------------------------------------------------------------------- */

static int list(void) {
  for (int i = 0; workload_at(i) != NULL; i++) {
    const workload *w = workload_at(i);
    printf(
        "{\"workload\": \"%s\", \"peer\": \"%s\", \"settings\": \"%s\", \"training\": %s, "
        "\"step\": %s, \"bf16\": %s, \"batch\": %d, \"target\": [%g, %g]}\n",
        w->name, w->peer != NULL ? w->peer : "", w->settings != NULL ? w->settings : "",
        w->optimizer != NULL ? "true" : "false", w->step != NULL ? "true" : "false",
        w->precision == GLIA_BF16 ? "true" : "false", w->batch, w->target[0], w->target[1]);
  }
  return 0;
}

static int usage(void) {
  fprintf(stderr,
          "usage: bench_train WORKLOAD [--threads N] [--seconds S] [--steps N]\n"
          "                   [--loss-steps N] [--warm S] [--quiet S] [--bf16]\n"
          "                   [--profile] [--save FILE] [--memory PERCENT]\n"
          "       bench_train --list\n");
  return 2;
}

int main(int argc, char **argv) {
  static const struct option known[] = {{"threads", required_argument, NULL, 't'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"steps", required_argument, NULL, 'n'},
                                        {"loss-steps", required_argument, NULL, 'k'},
                                        {"warm", required_argument, NULL, 'w'},
                                        {"quiet", required_argument, NULL, 'q'},
                                        {"bf16", no_argument, NULL, 'b'},
                                        {"profile", no_argument, NULL, 'p'},
                                        {"save", required_argument, NULL, 'o'},
                                        {"list", no_argument, NULL, 'l'},
                                        {"process", no_argument, NULL, 'r'},
                                        {"memory", required_argument, NULL, 'm'},
                                        {NULL, 0, NULL, 0}};
  options o = {.threads = 1, .loss_steps = 5, .seconds = 4, .warm = 1, .quiet = 60};
  running r;
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (c) {
      case 't': o.threads = GI_MAX(atoi(optarg), 1); break;
      case 's': o.seconds = atof(optarg); break;
      case 'n': o.steps = atoi(optarg); break;
      case 'k': o.loss_steps = GI_MAX(atoi(optarg), 1); break;
      case 'w': o.warm = atof(optarg); break;
      case 'q': o.quiet = atof(optarg); break;
      case 'b': o.own.precision = GLIA_BF16; break;
      case 'p': o.profile = true; break;
      case 'o': o.save = optarg; break;
      case 'm': o.memory = atof(optarg); break;
      case 'l': return list();
      case 'r': o.process = true; break;
      default: return usage();
    }
  if (o.process) return print_process(o.threads);
  if (optind + 1 != argc) return usage();
  if ((o.w = workload_find(argv[optind])) == NULL) return 2;
  if (o.own.precision != GLIA_F32) {
    o.own = *o.w;
    o.own.precision = GLIA_BF16;
    o.w = &o.own;
  }
  const size_t process = process_bytes(o.threads);
  int status = 0;
  running_open(&r, o.w, o.threads);
  if (o.memory > 0)
    status = check_memory(&r, &o, process);
  else if (o.profile)
    profile(&r, &o);
  else if (o.save != NULL)
    save(&r, &o);
  else
    measure(&r, &o, process);
  running_close(&r);
  return status;
}
