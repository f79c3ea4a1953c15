/* tests/data/samples.h - data sets made up for the tests of this floor. */
#ifndef GI_TEST_SAMPLES_H
#define GI_TEST_SAMPLES_H

#include "test.h"

#include "data/dataset.h"
#include "tensor/tensor.h"

static inline void assert_near(double got, double want, double within) {
  if (!(fabs(got - want) <= within)) fail_msg("got %.9g, wanted %.9g", got, want);
}

/* u8 images [1, 2, 3] whose pixels are functions of the index; labels i % classes. */
static inline glia_dataset *sample_images(int64_t n, int classes) {
  glia_tensor *x, *y;
  glia_dataset *d;
  OK(glia_tensor_new(GLIA_U8, 4, (int64_t[]){n, 1, 2, 3}, &x));
  OK(glia_tensor_new(GLIA_I64, 1, &n, &y));
  for (int64_t i = 0; i < n * 6; i++) glia_tensor_set(x, i, (double)(i * 7 % 251));
  for (int64_t i = 0; i < n; i++) glia_tensor_set(y, i, (double)(i % classes));
  OK(glia_dataset_arrays(x, y, classes, &d));
  glia_tensor_free(x);
  glia_tensor_free(y);
  return d;
}

/* A source of the caller's: one float, the index; class i % 3. Each `bad`-th sample fails with
 * `status`. */
typedef struct sample_source {
  int64_t bad;
  _Atomic glia_status status; /* may change while workers read ahead */
} sample_source;

static inline glia_status sample_read(void *user, int64_t i, void *x, void *y) {
  const sample_source *s = user;
  if (s->bad > 0 && i % s->bad == s->bad - 1) return s->status;
  *(float *)x = (float)i;
  *(int64_t *)y = i % 3;
  return GLIA_OK;
}

static inline glia_dataset *sample_numbers(sample_source *s, int64_t n) {
  glia_dataset *d;
  OK(glia_dataset_new(
      &(glia_dataset_source){.spec = {.dtype = GLIA_F32, .rank = 1, .shape = {1}, .classes = 3},
                             .count = n,
                             .read = sample_read,
                             .user = s},
      &d));
  return d;
}

#endif /* GI_TEST_SAMPLES_H */
