/* tests/train/blobs.h - small data sets in memory for the learner's tests. */
#ifndef GI_TEST_BLOBS_H
#define GI_TEST_BLOBS_H

#include "test.h"

#include "glia/glia.h"

enum { BLOB_CLASSES = 3 };

/* n points of the plane around three centres, 2.2 apart, spread `spread`; the labels are drawn
 * anew with probability `noise`. Owned. */
static inline glia_dataset *blobs(int64_t n, double spread, double noise, uint64_t seed) {
  static const double centre[BLOB_CLASSES][2] = {{1, 0}, {-0.5, 1.9}, {-1.2, -0.7}};
  const gi_rng r = {seed, 1, 0}, flip = {seed, 2, 0};
  glia_tensor *x = NULL, *y = NULL;
  glia_dataset *d = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){n, 2}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, &n, &y));
  for (int64_t i = 0; i < n; i++) {
    const int64_t c = i % BLOB_CLASSES;
    for (int64_t k = 0; k < 2; k++)
      glia_tensor_set(x, 2 * i + k,
                      centre[c][k] + spread * gi_rng_normal(&r, (uint64_t)(2 * i + k)));
    const bool other = gi_rng_uniform(&flip, (uint64_t)(2 * i)) < noise;
    glia_tensor_set(
        y, i,
        other ? (double)gi_rng_below(&flip, (uint64_t)(2 * i + 1), BLOB_CLASSES) : (double)c);
  }
  OK(glia_dataset_arrays(x, y, BLOB_CLASSES, &d));
  glia_tensor_free(x);
  glia_tensor_free(y);
  return d;
}

static inline glia_loader *loader_of(const glia_dataset *d, int batch, bool shuffle,
                                     int workers) {
  glia_loader *l = NULL;
  const glia_loader_opts o = {
      .size = sizeof o, .batch = batch, .shuffle = shuffle, .seed = 3, .workers = workers};
  OK(glia_loader_new(d, &o, &l));
  return l;
}

/* user: an int, the width. */
static inline glia_value blob_model(glia_scope *s, glia_value x, void *user) {
  const int *width = user;
  x = glia_dense(s, "fc1", x, .units = *width, .activation = "tanh");
  return glia_dense(s, "fc2", x, .units = BLOB_CLASSES);
}

static int blob_width = 16;

static inline glia_learner *blob_learner(const glia_optimizer *o, const char *backend) {
  glia_learner *l = NULL;
  const glia_learner_opts opts = {.size = sizeof opts,
                                  .model = blob_model,
                                  .user = &blob_width,
                                  .data = {.rank = 1, .shape = {2}, .classes = BLOB_CLASSES},
                                  .optimizer = *o,
                                  .seed = 1,
                                  .backend = backend};
  OK(glia_learner_new(&opts, &l));
  return l;
}

#endif /* GI_TEST_BLOBS_H */
