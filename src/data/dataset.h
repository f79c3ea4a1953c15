/* data/dataset.h - what the files of this floor share. Internal; never installed. */
#ifndef GI_DATASET_H
#define GI_DATASET_H

#include "base/base.h"
#include "base/stream.h"
#include "glia/data.h"

/* ---- data sets (dataset.c) --------------------------------------------------------------- */

struct glia_dataset {
  glia_dataset_source source;
  bool foreign; /* the source is the caller's: a failing read may leave no message */
};

/* As glia_dataset_new, for sources of the library, which leave a message when they fail. On
 * failure `source->user` stays the caller's. */
glia_status gi_dataset_new(const glia_dataset_source *source, glia_dataset **out);

int64_t gi_sample_elements(const glia_sample_spec *s); /* of one input */
size_t gi_sample_bytes(const glia_sample_spec *s);     /* of one stored input */
size_t gi_target_bytes(const glia_sample_spec *s);     /* of one target */

/* A buffer of this thread for names that are made on request. */
enum { GI_NAME_BYTES = 4608 };
char *gi_name_buffer(void);

/* Copies the caller's options (first member: size_t size, 0 for the whole struct) over zeroed
 * ones; `from` may be NULL. */
void gi_data_options(void *to, size_t bytes, const void *from);

/* ---- data sets held in memory (arrays.c) ------------------------------------------------- */

/* All samples in one block, as idx, CSV and the caller's arrays give them. */
typedef struct gi_memory {
  glia_sample_spec spec;
  int64_t count;
  void *x;           /* [count, ...] of spec.dtype */
  void *y;           /* int64_t [count] or float [count, targets] */
  char *where;       /* file for names; NULL: none */
  int64_t *line;     /* of each sample in that file; NULL: samples are numbered */
  char **class_name; /* [spec.classes]; NULL: numbers */
} gi_memory;

/* Makes the data set and takes all pointers over, also on failure. GLIA_DATA where a class is
 * out of range. */
glia_status gi_memory_dataset(gi_memory *m, glia_dataset **out);
void gi_memory_clear(gi_memory *m);

/* ---- sources that glia_data_open tells more than their public form takes ----------------- */

/* `images` and `labels` as gi_stream; closes neither. `classes` > 0: that many, labels above
 * are GLIA_DATA; 0: the highest label + 1, which must be 2 at least. */
glia_status gi_idx_dataset(gi_stream *images, gi_stream *labels, int classes,
                           glia_dataset **out);
/* `what` leads messages and names. The text is borrowed. */
glia_status gi_csv_dataset(const char *text, size_t n, const char *what,
                           const glia_csv_opts *opt, glia_dataset **out);

#endif /* GI_DATASET_H */
