/* base/stream.h - files that may be gzip, read from their beginning to their end. */
#ifndef GI_STREAM_H
#define GI_STREAM_H

#include "base/base.h"

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

#endif /* GI_STREAM_H */
