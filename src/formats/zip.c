/* formats/zip.c - reading zip archives; see zip.h.
 *
 *   members: local header | name | extra | data         ...
 *   directory: for each member, header | name | extra | comment    ...
 *   [Zip64: end record | its locator] | end record | comment
 *
 * The directory is what counts; a local header only tells where its data begins. In Zip64,
 * fields of 0xffffffff stand for a value of 8 bytes in an extra field.
 */
#include "formats/zip.h"

#include <limits.h>
#include <stdlib.h>

#define ZLIB_CONST /* next_in is const */
#include <zlib.h>

enum {
  LOCAL = 0x04034b50,
  CENTRAL = 0x02014b50,
  END = 0x06054b50,
  END64 = 0x06064b50,
  LOCATOR64 = 0x07064b50,
  LOCAL_BYTES = 30,
  CENTRAL_BYTES = 46,
  END_BYTES = 22,
  END64_BYTES = 56,
  LOCATOR64_BYTES = 20,
  DEFLATE_RATIO = 1032, /* bytes that one byte of deflate can stand for at most */
  NAME_MAX_BYTES = 4096
};

static uint64_t little(const unsigned char *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
  return v;
}

static uint64_t u16(const unsigned char *p) { return little(p, 2); }
static uint64_t u32(const unsigned char *p) { return little(p, 4); }
static uint64_t u64(const unsigned char *p) { return little(p, 8); }

bool gi_is_zip(const unsigned char *p, size_t n) {
  return n >= END_BYTES && (u32(p) == LOCAL || u32(p) == END);
}

/* ---- the end record --------------------------------------------------------------------- */

typedef struct directory {
  uint64_t at, bytes, count;
} directory;

/* The last place from which an end record and its comment fill the file; n: there is none. */
static size_t find_end(const unsigned char *p, size_t n) {
  for (size_t back = END_BYTES; back <= n && back <= END_BYTES + 65535; back++) {
    const unsigned char *e = p + n - back;
    if (u32(e) == END && u16(e + 20) == back - END_BYTES) return n - back;
  }
  return n;
}

static glia_status read_end64(const unsigned char *p, size_t end, const char *what,
                              directory *out) {
  if (end < LOCATOR64_BYTES || u32(p + end - LOCATOR64_BYTES) != LOCATOR64) return GLIA_OK;
  const uint64_t at = u64(p + end - LOCATOR64_BYTES + 8);
  const size_t before = end - LOCATOR64_BYTES;
  if (before < END64_BYTES || at > before - END64_BYTES || u32(p + at) != END64)
    return gi_fail(GLIA_FORMAT, "%s: zip: the Zip64 end record is not where it should be",
                   what);
  *out =
      (directory){.count = u64(p + at + 32), .bytes = u64(p + at + 40), .at = u64(p + at + 48)};
  return GLIA_OK;
}

static glia_status read_end(const unsigned char *p, size_t n, const char *what,
                            directory *out) {
  const size_t end = find_end(p, n);
  if (end == n)
    return gi_fail(GLIA_FORMAT,
                   "%s: zip: the directory at its end is missing; was the file cut?", what);
  const unsigned char *e = p + end;
  if (u16(e + 4) != u16(e + 6))
    return gi_fail(GLIA_FORMAT, "%s: zip: is one part of several", what);
  *out = (directory){.count = u16(e + 10), .bytes = u32(e + 12), .at = u32(e + 16)};
  GI_TRY(read_end64(p, end, what, out));
  if (out->at > end || out->bytes > end - out->at || out->count > out->bytes / CENTRAL_BYTES)
    return gi_fail(
        GLIA_FORMAT,
        "%s: zip: the directory of %llu members and %llu bytes does not fit the file", what,
        (unsigned long long)out->count, (unsigned long long)out->bytes);
  return GLIA_OK;
}

/* ---- the directory ---------------------------------------------------------------------- */

/* Sizes and place of a member, from its entry and the Zip64 field of its extra bytes. */
typedef struct place {
  uint64_t bytes, packed, at;
} place;

static bool read_extra64(const unsigned char *p, size_t n, place *out) {
  uint64_t *const wide[] = {&out->bytes, &out->packed, &out->at};
  for (size_t used = 0; n - used >= 4;) {
    const size_t id = (size_t)u16(p + used), length = (size_t)u16(p + used + 2);
    const unsigned char *q = p + used + 4;
    if (length > n - used - 4) return false;
    size_t at = 0;
    for (int i = 0; i < GI_COUNT(wide) && id == 1; i++) {
      if (*wide[i] != 0xffffffffu) continue;
      if (length - at < 8) return false;
      *wide[i] = u64(q + at);
      at += 8;
    }
    if (id == 1) return true;
    used += 4 + length;
  }
  return true;
}

bool gi_zip_name_is_safe(const char *name, size_t n) {
  if (n == 0 || n > NAME_MAX_BYTES || name[0] == '/' || memchr(name, '\0', n) != NULL)
    return false;
  for (size_t at = 0; at <= n;) {
    const char *slash = at < n ? memchr(name + at, '/', n - at) : NULL;
    const size_t part = slash != NULL ? (size_t)(slash - name) - at : n - at;
    if (part == 2 && name[at] == '.' && name[at + 1] == '.') return false;
    at += part + 1;
  }
  return true;
}

/* Where the data of a member begins and ends: before the directory, behind its local header. */
static glia_status find_data(const unsigned char *p, size_t limit, const place *where,
                             const char *name, size_t name_bytes, gi_member *out) {
  if (where->at > limit || limit - where->at < LOCAL_BYTES || u32(p + where->at) != LOCAL)
    return gi_fail(GLIA_FORMAT, "does not begin where the directory says");
  const unsigned char *local = p + where->at;
  const size_t skip = LOCAL_BYTES + (size_t)u16(local + 26) + (size_t)u16(local + 28);
  const size_t left = limit - (size_t)where->at;
  if (u16(local + 26) != name_bytes || left < skip ||
      memcmp(local + LOCAL_BYTES, name, name_bytes) != 0)
    return gi_fail(GLIA_FORMAT, "has another name where it lies");
  if (where->packed > left - skip)
    return gi_fail(GLIA_FORMAT, "has %llu bytes, the file ends before",
                   (unsigned long long)where->packed);
  out->p = local + skip;
  out->packed = (size_t)where->packed;
  out->bytes = (size_t)where->bytes;
  return GLIA_OK;
}

static glia_status check_method(const unsigned char *c, const gi_member *m) {
  const uint64_t method = u16(c + 10);
  if ((u16(c + 8) & 1) != 0) return gi_fail(GLIA_FORMAT, "is encrypted");
  if (method != 0 && method != 8)
    return gi_fail(GLIA_FORMAT, "is packed by method %d; stored (0) and deflated (8) are read",
                   (int)method);
  if (!m->deflated && m->packed != m->bytes)
    return gi_fail(GLIA_FORMAT, "is stored in %zu bytes and should have %zu", m->packed,
                   m->bytes);
  if (m->deflated && m->bytes / DEFLATE_RATIO > m->packed)
    return gi_fail(GLIA_FORMAT, "cannot unpack from %zu bytes to %zu", m->packed, m->bytes);
  return GLIA_OK;
}

/* One entry of the directory; *used is what it takes of its n bytes. */
static glia_status read_member(const unsigned char *p, const directory *d,
                               const unsigned char *c, size_t n, gi_arena *arena,
                               gi_member *out, size_t *used) {
  if (n < CENTRAL_BYTES || u32(c) != CENTRAL)
    return gi_fail(GLIA_FORMAT, "its entry in the directory is malformed");
  const size_t name_bytes = (size_t)u16(c + 28), extra = (size_t)u16(c + 30);
  *used = CENTRAL_BYTES + name_bytes + extra + (size_t)u16(c + 32);
  if (*used > n) return gi_fail(GLIA_FORMAT, "its entry leaves the directory");
  const char *name = (const char *)c + CENTRAL_BYTES;
  if (!gi_zip_name_is_safe(name, name_bytes))
    return gi_fail(GLIA_FORMAT, "its name is empty, too long, absolute or holds \"..\"");
  place where = {.packed = u32(c + 20), .bytes = u32(c + 24), .at = u32(c + 42)};
  if (!read_extra64(c + CENTRAL_BYTES + name_bytes, extra, &where))
    return gi_fail(GLIA_FORMAT, "its extra field is malformed");
  char *copy = gi_arena_alloc(arena, name_bytes + 1);
  if (copy == NULL) return gi_fail_nomem(name_bytes + 1);
  memcpy(copy, name, name_bytes);
  *out = (gi_member){.name = copy, .crc = (uint32_t)u32(c + 16), .deflated = u16(c + 10) == 8};
  glia_status s = find_data(p, (size_t)d->at, &where, name, name_bytes, out);
  if (s == GLIA_OK) s = check_method(c, out);
  return gi_where(s, "\"%.80s\"", copy);
}

static int by_place(const void *a, const void *b) {
  const gi_member *x = *(const gi_member *const *)a, *y = *(const gi_member *const *)b;
  return x->p != y->p ? (x->p < y->p ? -1 : 1) : 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const gi_member *const *)a)->name, (*(const gi_member *const *)b)->name);
}

/* Members that share bytes are how small files unpack to petabytes. */
static glia_status check_overlap(gi_zip *z) {
  if (z->n > 1) qsort(z->by_name, z->n, sizeof *z->by_name, by_place);
  for (size_t i = 1; i < z->n; i++) {
    const gi_member *a = z->by_name[i - 1], *b = z->by_name[i];
    if (b->packed > 0 && (size_t)(b->p - a->p) < a->packed)
      return gi_fail(GLIA_FORMAT, "%s: zip: \"%.80s\" and \"%.80s\" lie on one another",
                     z->what, a->name, b->name);
  }
  return GLIA_OK;
}

static glia_status check_names(gi_zip *z) {
  if (z->n > 1) qsort(z->by_name, z->n, sizeof *z->by_name, by_name);
  for (size_t i = 1; i < z->n; i++)
    if (strcmp(z->by_name[i - 1]->name, z->by_name[i]->name) == 0)
      return gi_fail(GLIA_FORMAT, "%s: zip: two members are called \"%.80s\"", z->what,
                     z->by_name[i]->name);
  return GLIA_OK;
}

glia_status gi_zip_open(const unsigned char *p, size_t n, const char *what, gi_arena *arena,
                        gi_zip *out) {
  directory d = {0};
  *out = (gi_zip){.what = what};
  GI_TRY(read_end(p, n, what, &d));
  const size_t room = (size_t)d.count + 1;
  out->at = gi_arena_alloc(arena, room * sizeof *out->at);
  out->by_name = gi_arena_alloc(arena, room * sizeof *out->by_name);
  if (out->at == NULL || out->by_name == NULL) return gi_fail_nomem(room * sizeof *out->at);
  const unsigned char *c = p + d.at;
  size_t left = (size_t)d.bytes, used = 0;
  for (uint64_t i = 0; i < d.count; i++, c += used, left -= used) {
    gi_member *m = &out->at[out->n];
    const glia_status s = read_member(p, &d, c, left, arena, m, &used);
    if (s != GLIA_OK) return gi_where(s, "%s: zip: member %llu", what, (unsigned long long)i);
    if (m->name[strlen(m->name) - 1] == '/') continue; /* a folder */
    out->by_name[out->n++] = m;
  }
  if (left != 0)
    return gi_fail(GLIA_FORMAT, "%s: zip: the directory holds more than its %llu members", what,
                   (unsigned long long)d.count);
  GI_TRY(check_overlap(out));
  return check_names(out);
}

const gi_member *gi_zip_find(const gi_zip *z, const char *name) {
  const gi_member key = {.name = name}, *at = &key;
  if (z->n == 0) return NULL;
  const gi_member *const *found = bsearch(&at, z->by_name, z->n, sizeof *z->by_name, by_name);
  return found == NULL ? NULL : *found;
}

const gi_member *gi_zip_ending(const gi_zip *z, const char *end) {
  const size_t k = strlen(end);
  for (size_t i = 0; i < z->n; i++) {
    const size_t n = strlen(z->at[i].name);
    if (n >= k && strcmp(z->at[i].name + n - k, end) == 0) return &z->at[i];
  }
  return NULL;
}

/* ---- members ---------------------------------------------------------------------------- */

static voidpf unpack_alloc(voidpf user, uInt items, uInt size) {
  (void)user;
  size_t bytes;
  return gi_mul_size(items, size, &bytes) ? gi_alloc(bytes) : NULL;
}

static void unpack_free(voidpf user, voidpf p) {
  (void)user;
  gi_free(p);
}

/* Unpacks up to `room` bytes; *ended: the member ended there. */
static glia_status inflate_some(const gi_zip *z, const gi_member *m, unsigned char *to,
                                size_t room, size_t *got, bool *ended) {
  z_stream s = {.zalloc = unpack_alloc, .zfree = unpack_free};
  if (inflateInit2(&s, -15) != Z_OK) return gi_fail_nomem(32768); /* raw, window of 32 KiB */
  size_t in = 0, out = 0;
  int code = Z_OK;
  while (code == Z_OK && out < room) {
    const size_t give = GI_MIN(m->packed - in, (size_t)UINT_MAX);
    const size_t take = GI_MIN(room - out, (size_t)UINT_MAX);
    s.next_in = m->p + in;
    s.avail_in = (uInt)give;
    s.next_out = to + out;
    s.avail_out = (uInt)take;
    code = inflate(&s, Z_NO_FLUSH);
    in += give - s.avail_in;
    out += take - s.avail_out;
  }
  (void)inflateEnd(&s);
  *got = out;
  *ended = code == Z_STREAM_END;
  if (code == Z_OK || code == Z_STREAM_END) return GLIA_OK;
  if (code == Z_MEM_ERROR) return gi_fail_nomem(32768);
  return gi_fail(GLIA_FORMAT, "%s: zip: \"%.80s\": its packed data are damaged", z->what,
                 m->name);
}

glia_status gi_zip_begin(const gi_zip *z, const gi_member *m, void *to, size_t room,
                         size_t *got) {
  bool ended = false;
  if (m->deflated) return inflate_some(z, m, to, GI_MIN(room, m->bytes), got, &ended);
  *got = GI_MIN(room, m->bytes);
  memcpy(to, m->p, *got);
  return GLIA_OK;
}

/* One byte more than there should be is asked for, to see that there is none. */
static glia_status unpack_all(const gi_zip *z, const gi_member *m, void **hold) {
  size_t got = 0;
  bool ended = false;
  unsigned char *p = gi_alloc(m->bytes + 1);
  if (p == NULL) return gi_fail_nomem(m->bytes + 1);
  glia_status s = inflate_some(z, m, p, m->bytes + 1, &got, &ended);
  if (s == GLIA_OK && (!ended || got != m->bytes))
    s = gi_fail(GLIA_FORMAT, "%s: zip: \"%.80s\": does not unpack to %zu bytes", z->what,
                m->name, m->bytes);
  if (s != GLIA_OK) {
    gi_free(p);
    return s;
  }
  *hold = p;
  return GLIA_OK;
}

glia_status gi_zip_read(const gi_zip *z, const gi_member *m, const void **data, void **hold) {
  *hold = NULL;
  if (m->deflated) GI_TRY(unpack_all(z, m, hold));
  *data = m->deflated ? *hold : m->p;
  if ((uint32_t)crc32_z(crc32_z(0, NULL, 0), *data, m->bytes) == m->crc) return GLIA_OK;
  gi_free(*hold);
  *hold = NULL;
  return gi_fail(GLIA_FORMAT, "%s: zip: \"%.80s\": its checksum is wrong; the file is damaged",
                 z->what, m->name);
}
