/* bench_curve.c - trains a workload's network on MNIST and says what came out behind each
 * epoch: one learning curve of the table in which seeds of glia stand beside seeds of PyTorch
 * (bench/curves).
 *
 *     bench_curve WORKLOAD DATA [--seed N] [--threads N] [--samples N] [--test N] [--epochs N]
 *                 [--exact-conv] [--bf16]
 *
 * DATA is a folder of idx files. The first samples of the training part are taken, shuffled
 * anew each epoch; accuracy and loss are those of the first samples of the test part.
 */
#include <getopt.h>
#include <stdlib.h>

#include "measure.h"
#include "workload.h"

typedef struct options {
  const workload *w;
  const char *data;
  int64_t seed, samples, test, epochs;
  int threads;
  bool exact_conv;
  glia_dtype precision;
} options;

/* The first n samples; *base is kept until it is freed. */
static glia_dataset *first(const glia_dataset *base, int64_t n) {
  const int64_t count = GI_MIN(n, glia_dataset_count(base));
  int64_t *index = gi_alloc((size_t)count * sizeof *index);
  glia_dataset *d = NULL;
  if (index == NULL) must(gi_fail_nomem((size_t)count * sizeof *index));
  for (int64_t i = 0; i < count; i++) index[i] = i;
  must(glia_dataset_subset(base, index, count, &d));
  gi_free(index);
  return d;
}

static glia_loader *loader(const glia_dataset *d, const options *o, bool train) {
  const glia_loader_opts l = {
      .size = sizeof l, .batch = o->w->batch, .shuffle = train, .seed = (uint64_t)o->seed};
  glia_loader *out = NULL;
  must(glia_loader_new(d, &l, &out));
  return out;
}

/* One cell of the curve: {"epoch": 1, "accuracy": 0.97, "loss": 0.1}. */
static bool print_epoch(const glia_progress *p, void *user) {
  (void)user;
  if (p->event != GLIA_EPOCH_END) return true;
  printf("%s{\"epoch\": %lld, \"accuracy\": %.6f, \"loss\": %.6f}", p->epoch > 1 ? ", " : "",
         (long long)p->epoch, p->row->metric, p->row->valid_loss);
  return true;
}

static void run(const options *o, const glia_dataset *train, const glia_dataset *test) {
  glia_learner *learner = NULL;
  glia_learner_opts l = {.size = sizeof l,
                         .model = o->w->model,
                         .data = *glia_dataset_spec(train),
                         .threads = o->threads,
                         .exact_conv = o->exact_conv,
                         .precision = o->precision,
                         .seed = (uint64_t)o->seed};
  glia_loader *fit = loader(train, o, true), *held = loader(test, o, false);
  must(glia_optimizer_parse(o->w->optimizer, &l.optimizer));
  must(glia_learner_new(&l, &learner));
  printf("{\"task\": \"%s\", \"seed\": %lld, \"threads\": %d, \"samples\": %lld, \"curve\": [",
         o->w->name, (long long)o->seed, o->threads, (long long)glia_dataset_count(train));
  const double begin = gi_now();
  must(glia_fit(learner, fit, held, .epochs = o->epochs, .on_event = print_epoch));
  printf("], \"seconds\": %.2f}\n", gi_now() - begin);
  glia_learner_free(learner);
  glia_loader_free(fit);
  glia_loader_free(held);
}

static int usage(void) {
  fprintf(stderr,
          "usage: bench_curve WORKLOAD DATA [--seed N] [--threads N] [--samples N] [--test N]\n"
          "                   [--epochs N] [--exact-conv] [--bf16]\n");
  return 2;
}

int main(int argc, char **argv) {
  static const struct option known[] = {
      {"seed", required_argument, NULL, 's'},    {"threads", required_argument, NULL, 't'},
      {"samples", required_argument, NULL, 'n'}, {"test", required_argument, NULL, 'm'},
      {"epochs", required_argument, NULL, 'e'},  {"exact-conv", no_argument, NULL, 'x'},
      {"bf16", no_argument, NULL, 'b'},          {NULL, 0, NULL, 0}};
  options o = {.threads = 1,
               .seed = 1,
               .samples = 60000,
               .test = 10000,
               .epochs = 1,
               .precision = GLIA_F32};
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (c) {
      case 's': o.seed = atoll(optarg); break;
      case 't': o.threads = GI_MAX(atoi(optarg), 1); break;
      case 'n': o.samples = GI_MAX(atoll(optarg), 1); break;
      case 'm': o.test = GI_MAX(atoll(optarg), 1); break;
      case 'e': o.epochs = GI_MAX(atoll(optarg), 1); break;
      case 'x': o.exact_conv = true; break;
      case 'b': o.precision = GLIA_BF16; break;
      default: return usage();
    }
  if (optind + 2 != argc) return usage();
  if ((o.w = workload_find(argv[optind])) == NULL) return 2;
  if (o.w->model == NULL || o.w->optimizer == NULL) return usage();
  glia_dataset *all = NULL, *held = NULL;
  must(glia_data_open(argv[optind + 1], NULL, &all, &held));
  if (held == NULL) must(gi_fail(GLIA_DATA, "%s: has no test part", argv[optind + 1]));
  glia_dataset *train = first(all, o.samples), *test = first(held, o.test);
  run(&o, train, test);
  glia_dataset_free(train);
  glia_dataset_free(test);
  glia_dataset_free(all);
  glia_dataset_free(held);
}
