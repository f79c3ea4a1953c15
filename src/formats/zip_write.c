/* formats/zip_write.c - writing zip archives of stored members; see zip.h.
 *
 * Sizes and checksum are known before a member is written, so that no field has to be filled in
 * later. Zip64's fields are used where a number needs them, and nowhere else: old readers take
 * the rest. Times are 1980-01-01, the first that zip knows, so that equal tensors give equal
 * files.
 */
#include <zlib.h>

#include "formats/zip.h"

enum { UTF8_NAMES = 0x800, DATE = 1 << 5 | 1, WIDE = 45, PLAIN = 20 };

static void put(gi_str *b, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) {
    const char c = (char)(v >> 8 * i & 0xff);
    gi_str_add(b, &c, 1);
  }
}

static uint64_t narrow(uint64_t v) { return GI_MIN(v, 0xffffffffu); }
static bool is_wide(uint64_t v) { return v >= 0xffffffffu; }

glia_status gi_zip_create(gi_zip_writer *w, const char *path) {
  *w = (gi_zip_writer){0};
  return gi_writer_open(&w->file, path);
}

/* The part that a local header and an entry of the directory have in common. */
static void put_common(gi_str *b, bool wide, uint32_t crc, uint64_t bytes, size_t name,
                       size_t extra) {
  put(b, wide ? WIDE : PLAIN, 2);
  put(b, UTF8_NAMES, 2);
  put(b, 0, 2); /* stored */
  put(b, 0, 2); /* time */
  put(b, DATE, 2);
  put(b, crc, 4);
  put(b, narrow(bytes), 4);
  put(b, narrow(bytes), 4);
  put(b, name, 2);
  put(b, extra, 2);
}

static void add_to_directory(gi_zip_writer *w, const char *name, uint32_t crc, uint64_t bytes) {
  gi_str *d = &w->directory;
  const bool big = is_wide(bytes), far = is_wide(w->at);
  const size_t extra = (big ? 16u : 0u) + (far ? 8u : 0u);
  put(d, 0x02014b50, 4);
  put(d, 3 << 8 | WIDE, 2); /* made on Unix */
  put_common(d, big || far, crc, bytes, strlen(name), extra == 0 ? 0 : extra + 4);
  put(d, 0, 2);                       /* comment */
  put(d, 0, 2);                       /* disk */
  put(d, 0, 2);                       /* internal attributes */
  put(d, (uint64_t)0100644 << 16, 4); /* a file, rw-r--r-- */
  put(d, narrow(w->at), 4);
  gi_str_puts(d, name);
  if (extra == 0) return;
  put(d, 1, 2);
  put(d, extra, 2);
  if (big) put(d, bytes, 8), put(d, bytes, 8);
  if (far) put(d, w->at, 8);
}

void gi_zip_add(gi_zip_writer *w, const char *name, const void *a, size_t n, const void *b,
                size_t m) {
  const uint64_t bytes = (uint64_t)n + m;
  const bool big = is_wide(bytes);
  uLong crc = crc32_z(0, NULL, 0);
  if (n > 0) crc = crc32_z(crc, a, n);
  if (m > 0) crc = crc32_z(crc, b, m);
  gi_str head = {0};
  put(&head, 0x04034b50, 4);
  put_common(&head, big, (uint32_t)crc, bytes, strlen(name), big ? 20 : 0);
  gi_str_puts(&head, name);
  if (big) {
    put(&head, 1, 2);
    put(&head, 16, 2);
    put(&head, bytes, 8);
    put(&head, bytes, 8);
  }
  add_to_directory(w, name, (uint32_t)crc, bytes);
  if (head.failed && w->file.status == GLIA_OK) w->file.status = gi_fail_nomem(64);
  (void)gi_writer_add(&w->file, head.s, head.n);
  (void)gi_writer_add(&w->file, a, n);
  (void)gi_writer_add(&w->file, b, m);
  w->at += head.n + bytes;
  w->members++;
  gi_str_free(&head);
}

static void put_end64(gi_str *d, const gi_zip_writer *w, uint64_t bytes) {
  put(d, 0x06064b50, 4);
  put(d, 44, 8); /* bytes of this record behind here */
  put(d, 3 << 8 | WIDE, 2);
  put(d, WIDE, 2);
  put(d, 0, 8); /* disks */
  put(d, w->members, 8);
  put(d, w->members, 8);
  put(d, bytes, 8);
  put(d, w->at, 8);
  put(d, 0x07064b50, 4);
  put(d, 0, 4);
  put(d, w->at + bytes, 8);
  put(d, 1, 4);
}

glia_status gi_zip_commit(gi_zip_writer *w) {
  gi_str *d = &w->directory;
  const uint64_t bytes = d->n;
  const bool many = w->members >= 0xffff;
  if (many || is_wide(w->at) || is_wide(bytes)) put_end64(d, w, bytes);
  put(d, 0x06054b50, 4);
  put(d, 0, 4); /* disks */
  put(d, many ? 0xffff : w->members, 2);
  put(d, many ? 0xffff : w->members, 2);
  put(d, narrow(bytes), 4);
  put(d, narrow(w->at), 4);
  put(d, 0, 2); /* comment */
  if (d->failed && w->file.status == GLIA_OK) w->file.status = gi_fail_nomem(d->n);
  (void)gi_writer_add(&w->file, d->s, d->n);
  gi_str_free(d);
  return gi_writer_commit(&w->file);
}

void gi_zip_abort(gi_zip_writer *w) {
  gi_str_free(&w->directory);
  gi_writer_abort(&w->file);
}
