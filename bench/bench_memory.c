/* bench_memory.c - does training take more memory the longer it runs? The convolutional network
 * is fitted for 20 epochs through the loader, with validation, and the memory that the process
 * holds is read after the second epoch and after the last. They must be equal, give or take a
 * page table: all that a training needs is there after the first epoch.
 *
 *     bench_memory [EPOCHS]
 */
#include <stdlib.h>

#include "measure.h"
#include "glia/glia.h"

enum { SAMPLES = 640, BATCH = 64, CLASSES = 10 };

static const char convnet[] =
    "conv2d 32 3x3 relu\nconv2d 64 3x3 relu\nmax_pool2d 2\ndropout 0.25\nflatten\n"
    "dense 128 relu\ndropout 0.5\ndense 10\n";

typedef struct readings {
  size_t second, last;
} readings;

static bool on_event(const glia_progress *p, void *user) {
  readings *r = user;
  if (p->event != GLIA_EPOCH_END) return true;
  if (p->epoch == 2) r->second = gi_rss();
  r->last = gi_rss();
  return true;
}

static glia_dataset *make_data(void) {
  const int64_t shape[] = {SAMPLES, 1, 28, 28};
  const gi_rng r = {1, 1, 0};
  glia_tensor *x = NULL, *y = NULL;
  glia_dataset *d = NULL;
  must(glia_tensor_new(GLIA_U8, 4, shape, &x));
  must(glia_tensor_new(GLIA_U8, 1, shape, &y));
  unsigned char *pixels = glia_tensor_data(x);
  for (int64_t i = 0; i < glia_tensor_count(x); i++)
    pixels[i] = (unsigned char)gi_rng_u32(&r, (uint64_t)i);
  for (int64_t i = 0; i < SAMPLES; i++) glia_tensor_set(y, i, (double)(i % CLASSES));
  must(glia_dataset_arrays(x, y, CLASSES, &d));
  glia_tensor_free(x);
  glia_tensor_free(y);
  return d;
}

int main(int argc, char **argv) {
  const int epochs = argc > 1 ? GI_MAX(atoi(argv[1]), 3) : 20;
  glia_dataset *data = make_data();
  glia_loader *train = NULL, *valid = NULL;
  glia_net *net = NULL;
  glia_learner *learner = NULL;
  readings r = {0, 0};
  const glia_loader_opts shuffled = {.size = sizeof shuffled, .batch = BATCH, .shuffle = true};
  const glia_loader_opts plain = {.size = sizeof plain, .batch = BATCH};
  must(glia_loader_new(data, &shuffled, &train));
  must(glia_loader_new(data, &plain, &valid));
  must(glia_net_parse(convnet, "convnet", &net));
  const glia_learner_opts o = {.size = sizeof o,
                               .model = glia_net_apply,
                               .user = net,
                               .data = *glia_dataset_spec(data),
                               .seed = 1};
  must(glia_learner_new(&o, &learner));
  must(glia_fit(learner, train, valid, .epochs = epochs, .on_event = on_event, .user = &r));
  printf(
      "{\"workload\": \"memory_of_epochs\", \"epochs\": %d, \"rss_mb_after_2\": %.2f, "
      "\"rss_mb_after_last\": %.2f, \"peak_rss_mb\": %.1f}\n",
      epochs, (double)r.second / (1 << 20), (double)r.last / (1 << 20),
      (double)gi_peak_rss() / (1 << 20));
  glia_learner_free(learner);
  glia_net_free(net);
  glia_loader_free(train);
  glia_loader_free(valid);
  glia_dataset_free(data);
}
