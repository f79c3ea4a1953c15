/* base/base.h - floor 0: what all internal code leans on. Never installed.
 *
 * Errors: gi_fail() stores a message for this thread and returns the status, GI_TRY() forwards
 * a failure, gi_where() puts "where: " in front of a message on its way up. Memory: everything
 * is taken through gi_alloc and friends, so that a test can make each allocation fail once in
 * turn (gi_alloc_fail_after).
 */
#ifndef GI_BASE_H
#define GI_BASE_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "glia/base.h"

#define GI_COUNT(a)  ((int)(sizeof(a) / sizeof((a)[0])))
#define GI_MIN(a, b) ((a) < (b) ? (a) : (b))
#define GI_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- errors (status.c) ------------------------------------------------------------------ */

/* Sets this thread's message ("where: what is, what was wanted; hint") and returns s. */
glia_status gi_fail(glia_status s, const char *fmt, ...) GLIA_PRINTF(2, 3);
/* Puts "<fmt>: " before this thread's message, if s is a failure; returns s. */
glia_status gi_where(glia_status s, const char *fmt, ...) GLIA_PRINTF(2, 3);
glia_status gi_fail_nomem(size_t bytes); /* GLIA_NOMEM with the size wanted */
/* Status for a failed system call on a path: GLIA_DISK or GLIA_IO with strerror(err) and cure.
 */
glia_status gi_fail_read(const char *path, int err);
glia_status gi_fail_write(const char *path, int err);

/* The static analyzer sees one file at a time, and would follow paths on which these give
 * GLIA_OK. (status.c writes the names in parentheses where it defines them.) */
#ifdef __clang_analyzer__
#define gi_fail(s, ...)          ((void)gi_fail(s, __VA_ARGS__), (s))
#define gi_fail_nomem(bytes)     ((void)gi_fail_nomem(bytes), GLIA_NOMEM)
#define gi_fail_read(path, err)  ((void)gi_fail_read(path, err), GLIA_IO)
#define gi_fail_write(path, err) ((void)gi_fail_write(path, err), GLIA_DISK)
#define gi_where(s, ...)                    \
  __extension__({                           \
    const glia_status gi_where_ = (s);      \
    (void)gi_where(gi_where_, __VA_ARGS__); \
    gi_where_;                              \
  })
#endif

#define GI_TRY(expr)                        \
  do {                                      \
    const glia_status gi_try_ = (expr);     \
    if (gi_try_ != GLIA_OK) return gi_try_; \
  } while (0)

void gi_log(glia_log_level level, const char *fmt, ...) GLIA_PRINTF(2, 3);

/* ---- memory (alloc.c) ------------------------------------------------------------------- */

void *gi_alloc(size_t bytes);            /* zeroed; NULL without memory; free: gi_free */
void *gi_realloc(void *p, size_t bytes); /* new bytes are not zeroed */
void gi_free(void *p);
void *gi_alloc_aligned(size_t bytes); /* 64-byte aligned, zeroed; free: gi_free_aligned */
void gi_free_aligned(void *p);
void gi_forget(void *p, size_t bytes); /* part of such a block: its whole pages go back to the
                                          system, what they hold is lost */
char *gi_strdup(const char *s);        /* NULL stays NULL */
/* Test hooks: the n-th allocation from now (1-based) returns NULL, once; each of more than so
 * many bytes does. 0 turns them off. gi_alloc_count() counts the allocations since the last
 * call of it. */
void gi_alloc_fail_after(int64_t n);
void gi_alloc_fail_above(size_t bytes);
int64_t gi_alloc_count(void);

/* An arena: grows by blocks, frees all at once. Zero-initialise. */
typedef struct gi_arena {
  struct gi_block *head;
  size_t used, total;
} gi_arena;
void *gi_arena_alloc(gi_arena *a,
                     size_t bytes); /* zeroed, 16-byte aligned; NULL without memory */
char *gi_arena_strdup(gi_arena *a, const char *s);
char *gi_arena_printf(gi_arena *a, const char *fmt, ...) GLIA_PRINTF(2, 3);
void *gi_arena_copy(gi_arena *a, const void *src, size_t bytes);
void gi_arena_free(gi_arena *a);

/* A growable array: GI_VEC(int) v = {0}; gi_vec_push(&v, 3); v.at[0]; v.n; gi_vec_free(&v).
 * push yields false without memory; the array is then unchanged. */
#define GI_VEC(T)  \
  struct {         \
    T *at;         \
    size_t n, cap; \
  }
#define gi_vec_reserve(v, want) \
  gi_vec_grow((void **)&(v)->at, &(v)->cap, (want), sizeof *(v)->at)
#define gi_vec_push(v, x) \
  (gi_vec_reserve((v), (v)->n + 1) ? ((v)->at[(v)->n++] = (x), true) : false)
#define gi_vec_free(v) (gi_free((v)->at), (v)->at = NULL, (v)->n = (v)->cap = 0)
bool gi_vec_grow(void **at, size_t *cap, size_t want, size_t item);

/* A growable string; always ends in NUL once something was added; `failed` latches. */
typedef struct gi_str {
  char *s;
  size_t n, cap;
  bool failed;
} gi_str;
void gi_str_add(gi_str *b, const char *s, size_t n);
void gi_str_puts(gi_str *b, const char *s);
void gi_str_printf(gi_str *b, const char *fmt, ...) GLIA_PRINTF(2, 3);
void gi_str_free(gi_str *b);
char *gi_str_take(gi_str *b); /* owned (gi_free); NULL if anything failed; b is empty after */

/* Overflow-checked size arithmetic: false on overflow. */
bool gi_mul_size(size_t a, size_t b, size_t *out);
bool gi_add_size(size_t a, size_t b, size_t *out);

/* ---- names and numbers (text.c) --------------------------------------------------------- */

/* Index of the name nearest to `word` (edit distance <= 1/3 of its length + 1), or -1. */
int gi_nearest(const char *word, const char *const *names, int n);
/* Whole strings only; false on anything else, on overflow, NaN or infinity. */
bool gi_parse_i64(const char *s, int64_t *out);
bool gi_parse_f64(const char *s, double *out);
/* "500M", "1.5G", "64K" (powers of 1000, as tables show them), "800000": bytes, 0 or more. */
bool gi_parse_bytes(const char *s, int64_t *out);
/* Bytes of the character at s (not the end of the string), 0 if it is malformed: overlong, a
 * surrogate, past U+10FFFF, cut. */
size_t gi_utf8_length(const char *s);
bool gi_is_utf8(const char *s);
uint64_t gi_hash(const void *p, size_t n, uint64_t seed); /* 64-bit, same on every machine */
uint64_t gi_hash_str(const char *s, uint64_t seed);

/* Adds n bytes as base64 (base64.c; RFC 4648); and the bytes that a text of it stands for,
 * false where it is none. */
void gi_base64(gi_str *out, const void *bytes, size_t n);
bool gi_base64_decode(gi_str *out, const char *s);

/* ---- randomness (philox.c) --------------------------------------------------------------
 * Philox4x32-10 (Salmon et al. 2011): a number depends on (seed, stream, step, element) and on
 * nothing else. key = (seed ^ stream) as two words; counter = (element / 4 low, high, step low,
 * step high); lane element % 4. */
void gi_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);
typedef struct gi_rng {
  uint64_t seed, stream, step;
} gi_rng;
uint32_t gi_rng_u32(const gi_rng *r, uint64_t element);
double gi_rng_uniform(const gi_rng *r, uint64_t element); /* [0, 1), 24 bits: exact in f32 */
void gi_rng_uniform4(const gi_rng *r, uint64_t block,
                     double out[4]);                     /* elements 4 block.. + 3 */
double gi_rng_normal(const gi_rng *r, uint64_t element); /* Box-Muller on lanes of its block */
uint64_t gi_rng_below(const gi_rng *r, uint64_t element, uint64_t n); /* 0..n-1, n < 2^32 */
void gi_rng_shuffle(const gi_rng *r, int64_t *a, int64_t n);          /* Fisher-Yates */

/* ---- files (file.c) --------------------------------------------------------------------- */

typedef struct gi_map {
  const unsigned char *p;
  size_t n;
  void *base;
} gi_map;
glia_status gi_map_open(gi_map *m,
                        const char *path); /* read-only mapping; empty file: p NULL */
void gi_map_close(gi_map *m);
/* Whole file; a NUL is put behind the n bytes. Owned (gi_free). GLIA_FORMAT above `limit`. */
glia_status gi_read_file(const char *path, size_t limit, char **out, size_t *n);

/* Writes to a temporary file in the target's folder; commit syncs and renames, so that a crash
 * leaves the old file or the new one; abort (or a failed commit) removes the temporary file. */
typedef struct gi_writer {
  int fd;
  char *path, *temp;
  glia_status status;
} gi_writer;
glia_status gi_writer_open(gi_writer *w, const char *path);
glia_status gi_writer_add(gi_writer *w, const void *p, size_t n);
glia_status gi_writer_commit(gi_writer *w);
void gi_writer_abort(gi_writer *w);
glia_status gi_write_file(const char *path, const void *p, size_t n); /* all of the above */

glia_status gi_make_dirs(const char *path); /* like mkdir -p */
bool gi_exists(const char *path);
bool gi_is_dir(const char *path);
/* Names in a folder, sorted by byte value, without "." and hidden ones; owned. */
typedef struct gi_names {
  char **at;
  size_t n;
} gi_names;
glia_status gi_list_dir(const char *path, gi_names *out);
void gi_names_free(gi_names *l);
char *gi_path_join(const char *a, const char *b); /* owned (gi_free), NULL no memory */
const char *gi_path_name(const char *path);       /* after the last slash; borrowed */

/* ---- threads (thread.c): for loaders; kernels use OpenMP --------------------------------- */

typedef struct gi_mutex gi_mutex;
typedef struct gi_cond gi_cond;
typedef struct gi_thread gi_thread;
glia_status gi_mutex_new(gi_mutex **out);
void gi_mutex_free(gi_mutex *m);
void gi_lock(gi_mutex *m);
void gi_unlock(gi_mutex *m);
glia_status gi_cond_new(gi_cond **out);
void gi_cond_free(gi_cond *c);
void gi_wait(gi_cond *c, gi_mutex *m);
void gi_wake_all(gi_cond *c);
glia_status gi_thread_new(void (*fn)(void *user), void *user, gi_thread **out);
void gi_thread_join(gi_thread *t); /* waits and frees; NULL is a no-op */
void gi_thread_give_way(void); /* the calling thread, to all that compute: a lower priority */

/* "AMD EPYC 9654, family 25 model 17" (machine.c). */
void gi_processor_name(char *out, size_t n);
typedef struct gi_machine { /* what the system tells; 0: it does not */
  char name[256];
  int processors;       /* that this process may run on, 1 at least */
  double share;         /* of as many processors' time a container is given; 0: all */
  int64_t memory, free; /* bytes */
  int64_t cache[3];     /* bytes, by level, of one processor (the last may be shared) */
} gi_machine;
void gi_machine_look(gi_machine *out);
double gi_now(void);      /* seconds, monotonic */
size_t gi_peak_rss(void); /* bytes of this process at its largest; 0 if not known */
size_t gi_rss(void);      /* bytes now */
/* Of these, those that files stand behind (programs and libraries); 0 if not known. */
size_t gi_rss_of_files(void);

#endif /* GI_BASE_H */
