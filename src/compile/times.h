/* compile/times.h - what was measured on this machine: times of kernels, limits of the
 * processor.
 *
 * A table from texts to numbers, kept in one file for each machine, the cache. It may be lost
 * or spoilt at any time: what is missing is modelled, or measured again. Rows count for the
 * version, processor and kernels that the file names, and its keys name the rest (threads,
 * instruction sets, libraries); a file of others is not read, and written over.
 */
#ifndef GI_TIMES_H
#define GI_TIMES_H

#include "backend/backend.h"

enum { GI_TIMES_MAX = 4096, GI_TIMES_KEY = 1000, GI_TIMES_BYTES = 4 << 20 };

typedef struct gi_times_row {
  const char *key;
  uint64_t hash;
  double value; /* seconds, or what the key says; above 0 */
  bool fresh;   /* not in the file yet... */
  bool instead; /* ...and to be put there in place of what stands there */
  bool asked;   /* for its value */
} gi_times_row;

typedef struct gi_times { /* zero-initialise */
  gi_arena arena;
  GI_VEC(gi_times_row) rows; /* the oldest first */
} gi_times;

void gi_times_free(gi_times *t);
double gi_times_get(const gi_times *t, const char *key); /* 0: not known; t may be NULL */
/* Leaves the rows that somebody asked for; all, where there is no memory to choose. */
void gi_times_keep_asked(gi_times *t);
/* The first value of a key stays: what is chosen by it does not change under way. */
glia_status gi_times_add(gi_times *t, const char *key, double value);
/* The last value of a key stays. */
glia_status gi_times_put(gi_times *t, const char *key, double value);

/* The file's text. Owned (gi_free). */
char *gi_times_text(const gi_times *t);
/* Adds the rows of a text; those that make no sense are left out. *own: the text is of this
 * version, processor and kernels. GLIA_FORMAT. */
glia_status gi_times_parse(gi_times *t, const char *text, size_t n, const char *what,
                           bool *own);
/* What the file holds, into an empty table. One that is missing, spoilt or of another machine
 * holds nothing; the only failure is GLIA_NOMEM. */
glia_status gi_times_load(gi_times *t, const char *path);
/* Writes the file with the rows that it holds by now and the fresh ones; the oldest go where
 * they are too many. Other processes may do the same at the same time: none sees half a file,
 * rows of one may be lost. */
glia_status gi_times_save(gi_times *t, const char *path);
/* $GLIA_CACHE/kernels.json, else glia/kernels.json in $XDG_CACHE_HOME or ~/.cache. Owned
 * (gi_free); NULL: GLIA_CACHE is empty or there is no such folder, and nothing is kept. */
char *gi_times_path(void);

/* Keys. The setup of a backend and a number of threads: "cpu avx2, oneDNN 2.6.3 avx2, 2
 * threads".
 */
void gi_setup_text(const gi_backend *b, int threads, gi_str *out);
/* Of the time of a kernel: "conv_direct conv2d(f32 [8, 64, 56, 56] nhwc, ...) ..." and the
 * setup.
 */
void gi_time_key(const gi_kernel *k, const gi_problem *p, const char *setup, gi_str *out);

/* The limits as measured, or as the backend assumes them; measured says which, or is NULL. */
gi_limits gi_times_limits(const gi_times *t, const gi_backend *b, int threads, bool *measured);
glia_status gi_times_put_limits(gi_times *t, const gi_backend *b, int threads,
                                const gi_limits *limits);

#endif /* GI_TIMES_H */
