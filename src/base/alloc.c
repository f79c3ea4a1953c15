/* base/alloc.c - memory: the one door through which all of it comes, arenas, vectors, strings.
 *
 * Blocks are the C library's (so that strings handed to users can be given to free()); what is
 * added are two limits, by which a test can make each allocation fail once in turn, or large
 * ones fail.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

/* ---- blocks ---------------------------------------------------------------------------- */

static atomic_int_fast64_t fail_in; /* allocations until the one that fails; 0: none */
static atomic_size_t largest;       /* that is given; 0: any */
static atomic_int_fast64_t allocations;

void gi_alloc_fail_after(int64_t n) { atomic_store(&fail_in, n); }

void gi_alloc_fail_above(size_t bytes) { atomic_store(&largest, bytes); }

int64_t gi_alloc_count(void) { return atomic_exchange(&allocations, 0); }

/* Counts one allocation and says whether it is to fail. */
static bool refused(size_t bytes) {
  const size_t limit = atomic_load_explicit(&largest, memory_order_relaxed);
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  if (limit > 0 && bytes > limit) return true;
  int_fast64_t left = atomic_load_explicit(&fail_in, memory_order_relaxed);
  while (left > 0)
    if (atomic_compare_exchange_weak(&fail_in, &left, left - 1)) return left == 1;
  return false;
}

void *gi_alloc(size_t bytes) { return refused(bytes) ? NULL : calloc(1, GI_MAX(bytes, 1)); }

void *gi_realloc(void *p, size_t bytes) {
  return refused(bytes) ? NULL : realloc(p, GI_MAX(bytes, 1));
}

void gi_free(void *p) { free(p); }

/* ---- aligned blocks ------------------------------------------------------------------------
 * Tensors and arenas. In front of a block lies one line of 64 bytes that says where it came
 * from. Large ones are mappings of their own: their pages are zero already, come when they are
 * touched, and are asked for as huge ones, which saves most of the page faults that the first
 * use of a gigabyte costs, and misses in the translation of addresses later. */

enum { LINE = 64 };
static const size_t MAPPED = (size_t)4 << 20, HUGE_PAGE = (size_t)2 << 20;

typedef struct front {
  void *base;   /* of the whole memory */
  size_t bytes; /* of a mapping; 0: from the C library */
} front;

static void *map(size_t bytes, front *f) {
  if (!gi_add_size(bytes, LINE + HUGE_PAGE, &f->bytes)) return NULL;
  f->base = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (f->base == MAP_FAILED) return NULL;
  const size_t off = HUGE_PAGE - (uintptr_t)f->base % HUGE_PAGE;
  unsigned char *start = (unsigned char *)f->base + off; /* the first huge page's */
#ifdef MADV_HUGEPAGE /* whole ones only, so that no memory is taken behind the block */
  madvise(start, (bytes + LINE) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  return start;
}

void *gi_alloc_aligned(size_t bytes) {
  front f = {0};
  void *start = NULL;
  size_t whole = 0;
  if (refused(bytes) || !gi_add_size(bytes, LINE, &whole)) return NULL;
  if (bytes >= MAPPED) {
    start = map(bytes, &f);
  } else if (posix_memalign(&start, LINE, whole) == 0) {
    f.base = start;
    memset(start, 0, whole);
  } else {
    start = NULL;
  }
  if (start == NULL) return NULL;
  memcpy(start, &f, sizeof f);
  return (unsigned char *)start + LINE;
}

void gi_free_aligned(void *p) {
  front f;
  if (p == NULL) return;
  memcpy(&f, (unsigned char *)p - LINE, sizeof f);
  if (f.bytes > 0)
    munmap(f.base, f.bytes);
  else
    free(f.base);
}

void gi_forget(void *p, size_t bytes) {
#ifdef MADV_DONTNEED
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t first = ((uintptr_t)p + page - 1) / page * page;
  const uintptr_t end = ((uintptr_t)p + bytes) / page * page;
  if (first < end)
    madvise((unsigned char *)p + (first - (uintptr_t)p), end - first, MADV_DONTNEED);
#else
  (void)p, (void)bytes;
#endif
}

/* ---- text and sizes ---------------------------------------------------------------------- */

char *gi_strdup(const char *s) {
  if (s == NULL) return NULL;
  const size_t n = strlen(s) + 1;
  char *copy = gi_alloc(n);
  if (copy != NULL) memcpy(copy, s, n);
  return copy;
}

bool gi_mul_size(size_t a, size_t b, size_t *out) {
  if (b != 0 && a > SIZE_MAX / b) return false;
  *out = a * b;
  return true;
}

bool gi_add_size(size_t a, size_t b, size_t *out) {
  if (a > SIZE_MAX - b) return false;
  *out = a + b;
  return true;
}

/* ---- arenas -------------------------------------------------------------------------------
 * A chain of blocks, newest first; `used` counts bytes of the newest, `total` of all. Each new
 * block is as large as all before it (1 KiB to 1 MiB), so that the chain stays short. */

struct gi_block {
  struct gi_block *next;
  size_t bytes;
  _Alignas(16) unsigned char data[];
};

void *gi_arena_alloc(gi_arena *a, size_t bytes) {
  size_t want = 0, whole = 0;
  if (!gi_add_size(GI_MAX(bytes, 1), 15, &want)) return NULL;
  want -= want % 16;
  if (a->head == NULL || a->head->bytes - a->used < want) {
    const size_t grow = GI_MAX(want, GI_MIN(GI_MAX(a->total, 1024), (size_t)1 << 20));
    if (!gi_add_size(grow, sizeof(struct gi_block), &whole)) return NULL;
    struct gi_block *b = gi_alloc(whole);
    if (b == NULL) return NULL;
    b->next = a->head;
    b->bytes = grow;
    a->head = b;
    a->used = 0;
    a->total += grow;
  }
  void *p = a->head->data + a->used;
  a->used += want;
  return p;
}

void *gi_arena_copy(gi_arena *a, const void *src, size_t bytes) {
  void *p = gi_arena_alloc(a, bytes);
  if (p != NULL && bytes > 0) memcpy(p, src, bytes);
  return p;
}

char *gi_arena_strdup(gi_arena *a, const char *s) {
  return s == NULL ? NULL : gi_arena_copy(a, s, strlen(s) + 1);
}

char *gi_arena_printf(gi_arena *a, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  const int n = vsnprintf(NULL, 0, fmt, args);
  char *s = n < 0 ? NULL : gi_arena_alloc(a, (size_t)n + 1);
  if (s != NULL) vsnprintf(s, (size_t)n + 1, fmt, again);
  va_end(again);
  va_end(args);
  return s;
}

void gi_arena_free(gi_arena *a) {
  for (struct gi_block *b = a->head, *next; b != NULL; b = next) {
    next = b->next;
    gi_free(b);
  }
  *a = (gi_arena){0};
}

/* ---- vectors and strings --------------------------------------------------------------- */

/* The caller's pointer has another type than void *, so it is moved as bytes. */
bool gi_vec_grow(void **at, size_t *cap, size_t want, size_t item) {
  if (want <= *cap) return true;
  const size_t doubled = *cap > SIZE_MAX / 2 ? want : *cap * 2;
  const size_t grown = GI_MAX(GI_MAX(doubled, want), 8);
  size_t bytes = 0;
  void *p = NULL;
  if (!gi_mul_size(grown, item, &bytes)) return false;
  memcpy(&p, at, sizeof p);
  p = gi_realloc(p, bytes);
  if (p == NULL) return false;
  memcpy(at, &p, sizeof p);
  *cap = grown;
  return true;
}

/* Room for n more bytes and the NUL. */
static bool str_room(gi_str *b, size_t n) {
  size_t want = 0;
  if (b->failed || !gi_add_size(b->n, n, &want) || !gi_add_size(want, 1, &want) ||
      !gi_vec_grow((void **)&b->s, &b->cap, want, 1))
    b->failed = true;
  return !b->failed && b->s != NULL;
}

void gi_str_add(gi_str *b, const char *s, size_t n) {
  if (!str_room(b, n)) return;
  if (n > 0) memcpy(b->s + b->n, s, n);
  b->n += n;
  b->s[b->n] = '\0';
}

void gi_str_puts(gi_str *b, const char *s) { gi_str_add(b, s, strlen(s)); }

void gi_str_printf(gi_str *b, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  const int n = vsnprintf(NULL, 0, fmt, args);
  if (n < 0) b->failed = true;
  if (n >= 0 && str_room(b, (size_t)n)) {
    vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
    b->n += (size_t)n;
  }
  va_end(again);
  va_end(args);
}

void gi_str_free(gi_str *b) {
  gi_free(b->s);
  *b = (gi_str){0};
}

char *gi_str_take(gi_str *b) {
  if (b->s == NULL) gi_str_add(b, "", 0);
  char *s = b->s;
  if (b->failed) {
    gi_free(s);
    s = NULL;
  }
  *b = (gi_str){0};
  return s;
}
