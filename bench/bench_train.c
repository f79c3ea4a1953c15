/* bench_train.c - whole training steps: forward, loss, backward, update, through the learner,
 * as users run them.
 *
 *     bench_train WORKLOAD [--threads N] [--seconds S] [--steps N] [--warm S] [--quiet S]
 *     bench_train --list
 *     bench_train WORKLOAD --profile    time of each scheduled kernel, the costly ones first
 *
 * The inputs are a few batches of normal numbers with random labels, taken in turn, as in the
 * peers' scripts: this measures the step, not the loader. Every run begins with the same
 * LOSS_STEPS steps from the same seed and reports the loss of the last, so that figures of two
 * builds, or of two numbers of threads, can be seen to come from the same computation.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>

#include "measure.h"
#include "profile.h"
#include "train/learner.h"

enum { CLASSES = 10, MAX_BATCHES = 16, MAX_STEPS = 20000 };

static const char mlp[] = "dense 512 relu\ndense 256 relu\ndense 10\n";
static const char convnet[] =
    "conv2d 32 3x3 relu\nconv2d 64 3x3 relu\nmax_pool2d 2\ndropout 0.25\nflatten\n"
    "dense 128 relu\ndropout 0.5\ndense 10\n";

typedef struct workload {
  const char *name, *net, *optimizer;
  int rank;
  int64_t shape[3]; /* of a sample */
  int batch, batches;
} workload;

static const workload workloads[] = {
    {"mlp_sgd_b64", mlp, "sgd momentum=0.9 lr=0.01", 1, {784}, 64, 16},
    {"mlp_adam_b64", mlp, "adam", 1, {784}, 64, 16},
    {"mlp_sgd_b512", mlp, "sgd momentum=0.9 lr=0.01", 1, {784}, 512, 16},
    {"mlp_adam_b512", mlp, "adam", 1, {784}, 512, 16},
    {"cnn_b64", convnet, "adam", 3, {1, 28, 28}, 64, 8},
};

typedef struct options {
  const workload *w;
  int threads, steps, loss_steps;
  double seconds, warm, quiet; /* timed; before that; at most waited for others to end */
  bool profile;
} options;

typedef struct bench {
  glia_net *net;
  glia_learner *learner;
  glia_tensor *x[MAX_BATCHES], *y[MAX_BATCHES];
  int64_t taken; /* steps so far */
} bench;

static void make_batches(bench *b, const workload *w) {
  int64_t shape[4] = {w->batch};
  for (int i = 0; i < w->rank; i++) shape[i + 1] = w->shape[i];
  for (int k = 0; k < w->batches; k++) {
    const gi_rng numbers = {1, 1, (uint64_t)k}, labels = {1, 2, (uint64_t)k};
    must(glia_tensor_new(GLIA_F32, w->rank + 1, shape, &b->x[k]));
    must(glia_tensor_new(GLIA_I64, 1, shape, &b->y[k]));
    for (int64_t i = 0; i < glia_tensor_count(b->x[k]); i++)
      glia_tensor_set(b->x[k], i, gi_rng_normal(&numbers, (uint64_t)i));
    for (int64_t i = 0; i < w->batch; i++)
      glia_tensor_set(b->y[k], i, (double)gi_rng_below(&labels, (uint64_t)i, CLASSES));
  }
}

static void make(bench *b, const options *o) {
  glia_learner_opts l = {
      .size = sizeof l, .model = glia_net_apply, .threads = o->threads, .seed = 1};
  l.data = (glia_sample_spec){.dtype = GLIA_F32, .rank = o->w->rank, .classes = CLASSES};
  for (int i = 0; i < o->w->rank; i++) l.data.shape[i] = o->w->shape[i];
  must(glia_optimizer_parse(o->w->optimizer, &l.optimizer));
  must(glia_net_parse(o->w->net, o->w->name, &b->net));
  l.user = b->net;
  must(glia_learner_new(&l, &b->learner));
  make_batches(b, o->w);
}

static void drop(bench *b) {
  glia_learner_free(b->learner);
  glia_net_free(b->net);
  for (int k = 0; k < MAX_BATCHES; k++) {
    glia_tensor_free(b->x[k]);
    glia_tensor_free(b->y[k]);
  }
}

static double step(bench *b, const workload *w) {
  double loss = 0;
  const int64_t k = b->taken++ % w->batches;
  must(glia_learner_step(b->learner, b->x[k], b->y[k], 0, &loss));
  return loss;
}

static void measure(bench *b, const options *o) {
  static double seconds[MAX_STEPS];
  figures f = {.workload = o->w->name,
               .threads = o->threads,
               .seconds = seconds,
               .samples = o->w->batch,
               .loss_steps = o->loss_steps};
  for (int i = 0; i < o->loss_steps; i++) f.loss = step(b, o->w);
  for (const double end = gi_now() + o->warm; gi_now() < end;) step(b, o->w);
  wait_quiet(o->quiet);
  step(b, o->w);
  const cpu_time before = read_cpu_time();
  const double begin = gi_now();
  const int limit = o->steps > 0 ? GI_MIN(o->steps, MAX_STEPS) : MAX_STEPS;
  while (f.steps < limit && (f.steps < 7 || gi_now() - begin < o->seconds)) {
    const double t = gi_now();
    step(b, o->w);
    seconds[f.steps++] = gi_now() - t;
  }
  const double wall = gi_now() - begin;
  const cpu_time after = read_cpu_time();
  f.cpu_seconds = (after.own - before.own) / f.steps;
  f.other_cpu = fmax(0, (after.machine - before.machine - (after.own - before.own)) / wall);
  print_figures(&f);
}

/* The learner's own plan of a training step, stepped through with a clock. */
static void profile(bench *b, const options *o) {
  gi_type types[3] = {gi_tensor_type(b->x[0]), gi_tensor_type(b->y[0]), {.dtype = GLIA_F64}};
  glia_plan *plan = NULL;
  for (int i = 0; i < 20; i++) step(b, o->w);
  must(gi_cache_get(b->learner->plans, GI_MODE_TRAIN, types, 3, "loss", &plan));
  wait_quiet(o->quiet);
  must(profile_plan(plan, o->seconds, stdout));
}

static int usage(void) {
  fprintf(stderr,
          "usage: bench_train WORKLOAD [--threads N] [--seconds S] [--steps N]\n"
          "                   [--loss-steps N] [--warm S] [--quiet S] [--profile]\n"
          "       bench_train --list\n");
  return 2;
}

static const workload *find(const char *name) {
  for (int i = 0; i < GI_COUNT(workloads); i++)
    if (strcmp(workloads[i].name, name) == 0) return &workloads[i];
  fprintf(stderr, "bench_train: there is no workload \"%s\"; --list names them\n", name);
  return NULL;
}

int main(int argc, char **argv) {
  static const struct option known[] = {{"threads", required_argument, NULL, 't'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"steps", required_argument, NULL, 'n'},
                                        {"loss-steps", required_argument, NULL, 'k'},
                                        {"warm", required_argument, NULL, 'w'},
                                        {"quiet", required_argument, NULL, 'q'},
                                        {"profile", no_argument, NULL, 'p'},
                                        {"list", no_argument, NULL, 'l'},
                                        {NULL, 0, NULL, 0}};
  options o = {.threads = 1, .loss_steps = 50, .seconds = 4, .warm = 1, .quiet = 60};
  bench b = {0};
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (c) {
      case 't': o.threads = GI_MAX(atoi(optarg), 1); break;
      case 's': o.seconds = atof(optarg); break;
      case 'n': o.steps = atoi(optarg); break;
      case 'k': o.loss_steps = GI_MAX(atoi(optarg), 1); break;
      case 'w': o.warm = atof(optarg); break;
      case 'q': o.quiet = atof(optarg); break;
      case 'p': o.profile = true; break;
      case 'l':
        for (int i = 0; i < GI_COUNT(workloads); i++) puts(workloads[i].name);
        return 0;
      default: return usage();
    }
  if (optind + 1 != argc) return usage();
  if ((o.w = find(argv[optind])) == NULL) return 2;
  make(&b, &o);
  if (o.profile)
    profile(&b, &o);
  else
    measure(&b, &o);
  drop(&b);
}
