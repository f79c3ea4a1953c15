/* stream.c - a file read from its beginning to its end, unpacked on the way where it is gzip.
 *
 * Data sets come as .gz as often as not. Unpacking here, in pieces of the reader's choice,
 * means that a reader allocates what its own header promises and no more: a small file that
 * unpacks to gigabytes costs only what was asked of it. Checksums are checked (zlib does),
 * members may follow each other as RFC 1952 allows, and anything else behind them is an error.
 */
#include <limits.h>

#define ZLIB_CONST /* next_in is const */
#include <zlib.h>

#include "base/stream.h"

/* Bytes of output that one byte of deflate can stand for at most. */
enum { DEFLATE_RATIO = 1032 };

static voidpf unpack_alloc(voidpf user, uInt items, uInt size) {
  (void)user;
  size_t bytes;
  return gi_mul_size(items, size, &bytes) ? gi_alloc(bytes) : NULL;
}

static void unpack_free(voidpf user, voidpf p) {
  (void)user;
  gi_free(p);
}

static bool is_gzip(const unsigned char *p, size_t n) {
  return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

static glia_status open_gzip(gi_stream *s) {
  z_stream *z = gi_alloc(sizeof *z);
  if (z == NULL) return gi_fail_nomem(sizeof *z);
  z->zalloc = unpack_alloc;
  z->zfree = unpack_free;
  if (inflateInit2(z, 15 + 16) != Z_OK) { /* 15: window of 32 KiB, 16: gzip only */
    gi_free(z);
    return gi_fail_nomem(32768);
  }
  s->z = z;
  return GLIA_OK;
}

glia_status gi_stream_open_bytes(gi_stream *s, const void *p, size_t n, const char *what) {
  *s = (gi_stream){.what = what, .p = p, .n = n};
  return is_gzip(p, n) ? open_gzip(s) : GLIA_OK;
}

glia_status gi_stream_open(gi_stream *s, const char *path) {
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  const glia_status status = gi_stream_open_bytes(s, map.p, map.n, path);
  if (status != GLIA_OK) {
    gi_map_close(&map);
    return status;
  }
  s->map = map;
  return GLIA_OK;
}

void gi_stream_close(gi_stream *s) {
  if (s->z != NULL) {
    (void)inflateEnd(s->z);
    gi_free(s->z);
  }
  gi_map_close(&s->map);
  *s = (gi_stream){0};
}

size_t gi_stream_most(const gi_stream *s) {
  if (s->z == NULL) return s->n;
  return s->n > SIZE_MAX / DEFLATE_RATIO ? SIZE_MAX : s->n * DEFLATE_RATIO;
}

/* After a member's end: another member, or the end. */
static glia_status next_member(gi_stream *s) {
  const size_t left = s->n - s->at;
  if (left == 0) {
    s->ended = true;
    return GLIA_OK;
  }
  if (!is_gzip(s->p + s->at, left))
    return gi_fail(GLIA_FORMAT, "%s: %zu bytes follow the end of the gzip data", s->what, left);
  return inflateReset(s->z) == Z_OK
             ? GLIA_OK
             : gi_fail(GLIA_FORMAT, "%s: gzip state cannot be reset", s->what);
}

static glia_status unpack_failed(const gi_stream *s, int code) {
  if (code == Z_MEM_ERROR) return gi_fail_nomem(32768);
  if (code == Z_BUF_ERROR)
    return gi_fail(GLIA_FORMAT, "%s: gzip data end early, after %zu bytes; truncated?", s->what,
                   s->n);
  return gi_fail(GLIA_FORMAT, "%s: gzip data are corrupt at byte %zu (%s)", s->what, s->at,
                 s->z->msg != NULL ? s->z->msg : "unknown reason");
}

static glia_status unpack(gi_stream *s, unsigned char *p, size_t n, size_t *got) {
  z_stream *z = s->z;
  *got = 0;
  while (*got < n && !s->ended) {
    const size_t in = GI_MIN(s->n - s->at, (size_t)UINT_MAX);
    const size_t room = GI_MIN(n - *got, (size_t)UINT_MAX);
    z->next_in = s->p + s->at;
    z->avail_in = (uInt)in;
    z->next_out = p + *got;
    z->avail_out = (uInt)room;
    const int code = inflate(z, Z_NO_FLUSH);
    s->at += in - z->avail_in;
    *got += room - z->avail_out;
    if (code == Z_STREAM_END)
      GI_TRY(next_member(s));
    else if (code != Z_OK)
      return unpack_failed(s, code);
  }
  return GLIA_OK;
}

glia_status gi_stream_read(gi_stream *s, void *p, size_t n, size_t *got) {
  if (s->z != NULL) return unpack(s, p, n, got);
  *got = GI_MIN(n, s->n - s->at);
  if (*got > 0) memcpy(p, s->p + s->at, *got);
  s->at += *got;
  return GLIA_OK;
}

glia_status gi_stream_all(gi_stream *s, size_t limit, char **out, size_t *n) {
  size_t cap = GI_MIN(s->z == NULL ? s->n : s->n * 4, limit), used = 0;
  char *text = gi_alloc(cap + 2); /* one more than wanted tells whether there is more; a NUL */
  if (text == NULL) return gi_fail_nomem(cap + 2);
  for (;;) {
    size_t got;
    const glia_status status = gi_stream_read(s, text + used, cap + 1 - used, &got);
    if (status != GLIA_OK) {
      gi_free(text);
      return status;
    }
    used += got;
    if (used <= cap) break;
    if (cap >= limit) {
      gi_free(text);
      return gi_fail(GLIA_FORMAT, "%s: holds more than %zu bytes, which is the limit", s->what,
                     limit);
    }
    cap = cap > limit / 2 ? limit : cap * 2;
    char *more = gi_realloc(text, cap + 2);
    if (more == NULL) {
      gi_free(text);
      return gi_fail_nomem(cap + 2);
    }
    text = more;
  }
  text[used] = '\0';
  *out = text;
  *n = used;
  return GLIA_OK;
}
