/* data/dataset.h - what the files of this floor share. Internal; never installed. */
#ifndef GI_DATASET_H
#define GI_DATASET_H

#include "base/base.h"
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

/* ---- files that may be gzip (stream.c) --------------------------------------------------- */

/* Reads a plain or gzip file from its beginning to its end; gzip is known by its magic. */
typedef struct gi_stream {
  const char *what; /* file for messages; kept until gi_stream_close */
  gi_map map;
  const unsigned char *p; /* the stored bytes */
  size_t n, at;           /* how many; the next one, where plain */
  struct z_stream_s *z;   /* NULL: plain */
  bool ended;             /* the last gzip member was read and checked */
} gi_stream;

glia_status gi_stream_open(gi_stream *s, const char *path);
/* The same over borrowed bytes. */
glia_status gi_stream_open_bytes(gi_stream *s, const void *p, size_t n, const char *what);
/* Reads up to n bytes; *got < n only at the end. GLIA_FORMAT for gzip that is truncated,
 * corrupt or followed by other bytes. */
glia_status gi_stream_read(gi_stream *s, void *p, size_t n, size_t *got);
/* The most bytes that can come out: exact where plain, deflate's limit of 1032:1 where gzip. */
size_t gi_stream_most(const gi_stream *s);
/* All of it, followed by a NUL. Owned (gi_free). GLIA_FORMAT above `limit` bytes. */
glia_status gi_stream_all(gi_stream *s, size_t limit, char **out, size_t *n);
void gi_stream_close(gi_stream *s);

/* ---- sources that glia_data_open tells more than their public form takes ----------------- */

/* `images` and `labels` as gi_stream; closes neither. `classes` > 0: that many, labels above
 * are GLIA_DATA; 0: the highest label + 1, which must be 2 at least. */
glia_status gi_idx_dataset(gi_stream *images, gi_stream *labels, int classes,
                           glia_dataset **out);
/* `what` leads messages and names. The text is borrowed. */
glia_status gi_csv_dataset(const char *text, size_t n, const char *what,
                           const glia_csv_opts *opt, glia_dataset **out);

#endif /* GI_DATASET_H */
