/* pictures.h - what the examples that make pictures share: the digits as batches, grids of
 * pictures as PNG, and how far made pictures are from real ones.
 */
#ifndef PICTURES_H
#define PICTURES_H

#include "example.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE };

/* The drawn digits of 06_convnet.c, [B, 1, 28, 28] within 0..1, in a new order each epoch. */
static inline glia_loader *digits(int count, int batch, glia_dataset **data) {
  glia_dataset *test = NULL;
  glia_loader *loader = NULL;
  OK(glia_make_digits("digits", &(glia_digits_opts){.train = count, .test = 10}));
  OK(glia_data_open("digits", NULL, data, &test));
  glia_dataset_free(test);
  OK(glia_loader_new(
      *data, &(glia_loader_opts){.batch = batch, .shuffle = true, .drop_last = true}, &loader));
  return loader;
}

/* Runs the plan on the next batch as "x"; false at the end of the epoch. */
static inline bool run_on_next(glia_plan *plan, glia_loader *loader) {
  glia_batch b;
  OK(glia_loader_next(loader, &b));
  if (b.count == 0) return false;
  OK(glia_plan_bind(plan, "x", b.x));
  OK(glia_plan_run(plan));
  return true;
}

/* An output of the last run that is one number. */
static inline double number(const glia_plan *plan, const char *name) {
  return glia_tensor_get(glia_plan_output(plan, name), 0);
}

/* Pictures of one row each, `columns` beside each other and the next below; 0 is black, 1
 * white. */
static inline void write_grid(const char *path, const glia_tensor *pictures, int64_t columns) {
  const int64_t n = glia_tensor_count(pictures) / PIXELS, rows = (n + columns - 1) / columns;
  glia_tensor *grid = NULL;
  OK(glia_tensor_new(GLIA_U8, 2, (const int64_t[]){rows * SIDE, columns * SIDE}, &grid));
  for (int64_t i = 0; i < n * PIXELS; i++) {
    const int64_t picture = i / PIXELS, y = i % PIXELS / SIDE, x = i % SIDE;
    const int64_t at =
        (picture / columns * SIDE + y) * columns * SIDE + picture % columns * SIDE + x;
    const double v = glia_tensor_get(pictures, i);
    glia_tensor_set(grid, at, v < 0 ? 0 : v > 1 ? 255 : 255 * v);
  }
  OK(glia_image_write(path, grid));
  glia_tensor_free(grid);
}

/* Mean over the first 20 pictures of the squared distance of a pixel from the nearest digit's.
 */
static inline double distance_to_real(const glia_tensor *pictures, const glia_dataset *data) {
  enum { LOOKED = 20 };
  double nearest[LOOKED], sum = 0;
  for (int i = 0; i < LOOKED; i++) nearest[i] = INFINITY;
  for (int64_t k = 0; k < glia_dataset_count(data); k++) {
    unsigned char real[PIXELS];
    int64_t label;
    OK(glia_dataset_read(data, k, real, &label));
    for (int i = 0; i < LOOKED; i++) {
      double d = 0;
      for (int64_t at = 0; at < PIXELS; at++) {
        const double e = glia_tensor_get(pictures, i * PIXELS + at) - real[at] / 255.0;
        d += e * e;
      }
      nearest[i] = fmin(nearest[i], d / PIXELS);
    }
  }
  for (int i = 0; i < LOOKED; i++) sum += nearest[i] / LOOKED;
  return sum;
}

#endif /* PICTURES_H */
