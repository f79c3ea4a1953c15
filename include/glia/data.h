/* glia/data.h - data sets, splits, normalisation and the loader.
 *
 * A data set is a count and a way to read one sample by its index; a sample is an input of a
 * fixed shape and a target. The loader draws samples in an order that is a function of (seed,
 * epoch) alone, reads them on worker threads, normalises them to f32 and hands out batches: the
 * same bytes for any number of workers.
 */
#ifndef GLIA_DATA_H
#define GLIA_DATA_H

#include "glia/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data sets -------------------------------------------------------------------------- */

/* What every sample of a data set has. */
typedef struct glia_sample_spec {
  glia_dtype dtype;             /* of the stored input: u8 (pixels 0..255) or f32 */
  int rank;                     /* of one input, without the batch axis */
  int64_t shape[GLIA_MAX_RANK]; /* images are [C, H, W] */
  int classes;                  /* > 0: the target is a class index; 0: `targets` f32 numbers */
  int targets;                  /* numbers in a regression target; 0 for classes */
} glia_sample_spec;

typedef struct glia_dataset glia_dataset;

/* A data set of your own. `read` writes sample i: the elements of `spec.dtype` to x, and to y
 * one int64_t class index or `targets` floats. It is called from several threads at once. A
 * failure status makes the loader skip the sample, count and list it (or stop, if strict);
 * GLIA_NOMEM and GLIA_CANCELLED always stop. A class index out of range is such a failure,
 * GLIA_DATA. */
typedef struct glia_dataset_source {
  glia_sample_spec spec;
  int64_t count;
  glia_status (*read)(void *user, int64_t i, void *x, void *y);
  int64_t (*label)(void *user, int64_t i);      /* class of i without reading; NULL: read */
  const char *(*name)(void *user, int64_t i);   /* file or row for messages; NULL: "sample i" */
  const char *(*class_name)(void *user, int c); /* NULL: the number */
  void (*free)(void *user);                     /* NULL: nothing to free */
  void *user;                                   /* kept until glia_dataset_free */
  size_t bytes;                                 /* of memory in which the samples lie */
} glia_dataset_source;

/* `source` is copied, its `user` taken over on GLIA_OK only. Rank at most GLIA_MAX_RANK - 1;
 * fewer than 2^32 samples. Owned. GLIA_INVALID, GLIA_DTYPE, GLIA_SHAPE say what does not
 * fit. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_new(const glia_dataset_source *source,
                                                     glia_dataset **out);
GLIA_API void glia_dataset_free(glia_dataset *d);

/* Samples in all. */
GLIA_API int64_t glia_dataset_count(const glia_dataset *d);
/* Memory in which the samples lie; 0 where they are read when they are wanted, and of a part of
 * another set. */
GLIA_API size_t glia_dataset_bytes(const glia_dataset *d);
GLIA_API const glia_sample_spec *glia_dataset_spec(const glia_dataset *d); /* borrowed */
/* Sample i as stored: its elements to x, its target to y. The message of a failure names it. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_read(const glia_dataset *d, int64_t i, void *x,
                                                      void *y);
/* Class index of sample i; -1 for regression or unreadable. */
GLIA_API int64_t glia_dataset_label(const glia_dataset *d, int64_t i);
/* Names; borrowed until the next call on this thread, never NULL. */
GLIA_API const char *glia_dataset_name(const glia_dataset *d, int64_t i);
GLIA_API const char *glia_dataset_class(const glia_dataset *d, int c);

/* Colour is turned to gray by Rec. 601 luma, gray to colour by repeating it; alpha is laid over
 * white; JPEG is turned as its EXIF orientation says. */
typedef struct glia_image_opts {
  size_t size;
  int channels;      /* 1 gray or 3 colour; 0: 3 if one of the first is colour (up to 16 are
                        looked at, spread over all), else 1 */
  int height, width; /* 0: of the first image; others are resized (bilinear, antialiased) */
  bool refuse_sizes; /* true: another size is an error (GLIA_SHAPE) instead */
  const char *const *classes; /* names in the order of their indices, as a model knows them; */
  int n_classes;              /* 0: the sub-folders, in byte order */
} glia_image_opts;

/* One picture as u8 [C, H, W], made as opt wants it, as class folders do. Owned. GLIA_IO,
 * GLIA_FORMAT or GLIA_SHAPE name the file. */
GLIA_NODISCARD GLIA_API glia_status glia_image_read(const char *path,
                                                    const glia_image_opts *opt,
                                                    glia_tensor **out);
/* Writes u8 [H, W] or [C, H, W] (1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha) as PNG,
 * atomically. */
GLIA_NODISCARD GLIA_API glia_status glia_image_write(const char *path,
                                                     const glia_tensor *image);

/* A folder with one sub-folder per class of PNG and JPEG files (by their names' ends; other
 * files are ignored). Pictures are read when asked for; of one that is corrupt the read
 * fails. Owned. GLIA_IO missing; GLIA_DATA no pictures, one class only, or a class not in
 * opt->classes. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_class_folders(const char *dir,
                                                               const glia_image_opts *opt,
                                                               glia_dataset **out);
/* A pair of idx files (plain or gzip): images u8 [N, H, W], read as [1, H, W] ([N, C, H, W] and
 * [N, D] as they are), and labels u8 [N]; the highest label + 1 classes. Owned. GLIA_FORMAT for
 * files that are truncated, corrupt or longer than their headers say; GLIA_DATA where counts
 * differ or all labels are the same. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_idx(const char *images, const char *labels,
                                                     glia_dataset **out);

typedef struct glia_csv_opts {
  size_t size;
  const char *target; /* column name or 0-based number as text; NULL: the last column */
  char separator;     /* 0: found out (comma, semicolon, tab) */
  bool regression;    /* true: the target is a number; false: classes if it is text or has few
                         integers (at most 20, and half as many as rows), else a number */
  const char *const *classes; /* names in the order of their indices, as a model knows them; */
  int n_classes;              /* 0: those in the table: text in byte order, integers by value */
} glia_csv_opts;
/* A table of numbers and a target, plain or gzip, UTF-8, with RFC 4180 quotes; samples are the
 * other columns as f32 [columns]. The first line is the header if nothing in it is a number, or
 * if it has text above a column of numbers. Owned. GLIA_FORMAT names line and column of what is
 * missing or no number; GLIA_INVALID for a target that is no column; GLIA_DATA for tables
 * without rows, with one class only, or with a class not in opt->classes. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_csv(const char *path, const glia_csv_opts *opt,
                                                     glia_dataset **out);
/* Tensors in memory: x [N, ...] (u8 or f32); y u8, i32 or i64 [N] with `classes` > 0, or f32
 * [N] or [N, K] with `classes` 0. Both are copied. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_arrays(const glia_tensor *x,
                                                        const glia_tensor *y, int classes,
                                                        glia_dataset **out);
/* Samples indices[0..n) of base, which is kept until the subset is freed. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_subset(const glia_dataset *base,
                                                        const int64_t *indices, int64_t n,
                                                        glia_dataset **out);

/* What a path holds, found by looking at it: idx files as MNIST names them
 * (train-images-idx3-ubyte [.gz] ...), class folders, train/ and test/ (or valid/, val/) of
 * class folders, a CSV file. `test` is NULL where there is none. GLIA_DATA lists what was
 * looked for. Both owned. */
typedef struct glia_data_opts {
  size_t size;
  glia_image_opts image;
  glia_csv_opts csv;
} glia_data_opts;
GLIA_NODISCARD GLIA_API glia_status glia_data_open(const char *path, const glia_data_opts *opt,
                                                   glia_dataset **train, glia_dataset **test);

typedef struct glia_split_opts {
  size_t size;
  double ratio; /* share of the second part; 0 -> 0.2; 0 < ratio < 1 */
  uint64_t seed;
  bool no_stratify; /* false: each class is split by the ratio (rounded, largest remainder) */
} glia_split_opts;
/* Splits in two, shuffled by seed; a and b are subsets (base kept until both are freed). The
 * second part has round(n * ratio) samples, neither is empty. Owned. GLIA_DATA for fewer
 * than 2 samples. */
GLIA_NODISCARD GLIA_API glia_status glia_dataset_split(const glia_dataset *base,
                                                       const glia_split_opts *opt,
                                                       glia_dataset **a, glia_dataset **b);

/* Writes the bundled synthetic data set to dir/train/0..9 and dir/test/0..9 as 28x28 gray
 * PNG, and a README that says it is synthetic: digits drawn as pen strokes with seeded
 * affine, elastic and thickness variation and noise. The same bytes for the same options; a
 * folder that holds this very set is left as it is. GLIA_INVALID where something else is. */
typedef struct glia_digits_opts {
  size_t size;
  int train, test; /* pictures in all; 0 -> 4000 and 1000 */
  uint64_t seed;
} glia_digits_opts;
GLIA_NODISCARD GLIA_API glia_status glia_make_digits(const char *dir,
                                                     const glia_digits_opts *opt);

/* ---- normalisation ---------------------------------------------------------------------- */

/* x = (stored * scale - mean[c]) / std[c]; c is the first axis of rank-3 inputs (channel)
 * and the element of rank-1 inputs (column); other ranks have one mean for all elements, as
 * has n = 1. Scale is 1/255 for u8, 1 for f32. */
typedef struct glia_normalise {
  double scale;
  int n;             /* entries of mean and std; 0: no shift */
  float *mean, *std; /* of stored * scale; owned; population std, 1 if there is no spread */
} glia_normalise;
/* From the samples of d (all of them, in index order; unreadable ones are left out). GLIA_DATA
 * where none can be read. */
GLIA_NODISCARD GLIA_API glia_status glia_normalise_fit(const glia_dataset *d,
                                                       glia_normalise *out);
GLIA_API void glia_normalise_clear(glia_normalise *n);
/* Applies it to one stored sample of this spec; out has as many floats as the sample elements.
 * n NULL: the scale only. */
GLIA_API void glia_normalise_apply(const glia_normalise *n, const glia_sample_spec *spec,
                                   const void *stored, float *out);

/* ---- the loader ------------------------------------------------------------------------- */

typedef struct glia_loader_opts {
  size_t size;
  int batch;      /* samples; 0 -> 64 */
  bool shuffle;   /* false: index order */
  bool drop_last; /* true: an incomplete last batch is left out */
  uint64_t seed;
  int workers;                     /* threads; 0 -> 1; -1 -> none, reads in glia_loader_next */
  int prefetch;                    /* batches kept ready; 0 -> 4 */
  bool strict;                     /* true: an unreadable sample is an error, not skipped */
  const glia_normalise *normalise; /* kept until the loader is freed; NULL: scale only */
} glia_loader_opts;

typedef struct glia_batch { /* borrowed until the next call on the loader */
  const glia_tensor *x;     /* f32 [B, ...] */
  const glia_tensor *y;     /* i64 [B] classes, or f32 [B, K] */
  const int64_t *index;     /* of the B samples */
  int64_t count;            /* B, after unreadable samples were left out */
} glia_batch;

typedef struct glia_loader glia_loader;
/* d is kept until the loader is freed. */
GLIA_NODISCARD GLIA_API glia_status glia_loader_new(const glia_dataset *d,
                                                    const glia_loader_opts *opt,
                                                    glia_loader **out);
GLIA_API void glia_loader_free(glia_loader *l);
GLIA_API int64_t glia_loader_batches(const glia_loader *l); /* in one epoch, readable or not */
GLIA_API const glia_dataset *glia_loader_dataset(const glia_loader *l);
GLIA_API size_t
glia_loader_bytes(const glia_loader *l); /* of the batches that it reads ahead */
/* Starts epoch `epoch` (0-based) from its first batch, whatever was in flight. */
GLIA_NODISCARD GLIA_API glia_status glia_loader_start(glia_loader *l, int64_t epoch);
/* The same from batch `batch` (0-based), for resuming in the middle of an epoch. */
GLIA_NODISCARD GLIA_API glia_status glia_loader_start_at(glia_loader *l, int64_t epoch,
                                                         int64_t batch);
/* Next batch; at the end of the epoch out->count is 0. Without a start before it, epoch 0. A
 * batch without one readable sample is passed over; GLIA_DATA where that was the whole
 * epoch. With `strict`, fails as the sample did, and again on each call until the next
 * start. */
GLIA_NODISCARD GLIA_API glia_status glia_loader_next(glia_loader *l, glia_batch *out);
/* Unreadable samples since the loader was made, each once: how many, and the message of the
 * i-th (borrowed until the loader is freed; NULL out of range; the first 100 are kept). They
 * are listed when their batch is handed out, hence in the same order for any number of
 * workers. */
GLIA_API int64_t glia_loader_skipped(const glia_loader *l);
GLIA_API const char *glia_loader_skipped_message(const glia_loader *l, int64_t i);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_DATA_H */
