/* formats/zip.h - zip archives (APPNOTE.TXT 6.3, Zip64 too) in memory: .npz, torch's .pt,
 * .keras.
 *
 * Written here on top of zlib, because what is read are mapped files of gigabytes whose members
 * are stored: they are used where they lie, without a copy. Everything that the directory says
 * is checked against the file, members may not lie on one another, and a member that would
 * unpack to more than deflate can pack is refused, as are encrypted ones and names that lead
 * elsewhere.
 */
#ifndef GI_ZIP_H
#define GI_ZIP_H

#include "base/base.h"

typedef struct gi_member {
  const char *name;       /* no "..", not absolute; folders are left out */
  const unsigned char *p; /* as it is in the file */
  size_t packed, bytes;
  uint32_t crc;
  bool deflated; /* else stored: packed == bytes */
} gi_member;

typedef struct gi_zip {
  const char *what; /* leads messages */
  gi_member *at;    /* in the order of the directory */
  size_t n;
  const gi_member **by_name;
} gi_zip;

/* Not empty, at most 4096 bytes, not absolute, without a part "..". */
bool gi_zip_name_is_safe(const char *name, size_t n);
bool gi_is_zip(const unsigned char *p, size_t n); /* begins as one, or is one of no members */
/* Reads the directory; all is of the arena, members point into p. GLIA_FORMAT. */
glia_status gi_zip_open(const unsigned char *p, size_t n, const char *what, gi_arena *arena,
                        gi_zip *out);
const gi_member *gi_zip_find(const gi_zip *z, const char *name); /* NULL: there is none */
/* The member whose name ends so ("/data.pkl"), the first; NULL: none does. */
const gi_member *gi_zip_ending(const gi_zip *z, const char *end);
/* All bytes of a member, its checksum checked. *hold (gi_free) keeps them where they had to be
 * unpacked, and is NULL where they lie in the file. */
glia_status gi_zip_read(const gi_zip *z, const gi_member *m, const void **data, void **hold);
/* The first bytes, as many as there are and fit; the checksum is not looked at. */
glia_status gi_zip_begin(const gi_zip *z, const gi_member *m, void *to, size_t room,
                         size_t *got);

/* ---- writing ---------------------------------------------------------------------------- */

/* Stored members, one after the other; the same members give the same bytes. */
typedef struct gi_zip_writer {
  gi_writer file;
  gi_str directory;
  uint64_t at, members;
} gi_zip_writer;
glia_status gi_zip_create(gi_zip_writer *w, const char *path);
/* A member of two pieces; failures latch. */
void gi_zip_add(gi_zip_writer *w, const char *name, const void *a, size_t n, const void *b,
                size_t m);
glia_status gi_zip_commit(gi_zip_writer *w);
void gi_zip_abort(gi_zip_writer *w);

#endif /* GI_ZIP_H */
