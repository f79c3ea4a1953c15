/* formats/onnx/external.c - elements in files beside the model.
 *
 * A model is outside input, and the file that it names is opened with the user's rights: only
 * plain files in the model's own folder or below it are, so that no model can have /etc/passwd
 * or somebody's keys read as weights. A path that is absolute or has a ".." is refused as text;
 * what is left is resolved, links and all, and has to lie below the folder, resolved too.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "formats/onnx/read.h"

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/* StringStringEntryProto: key = 1, value = 2. */
glia_status gi_onnx_place_of(gi_onnx_reader *r, const gi_wire_field *entry,
                             gi_onnx_place *out) {
  const char *key = "", *value = "";
  GI_TRY(gi_wire_want(entry, GI_WIRE_BYTES, "external_data"));
  for (gi_wire w = gi_wire_of(entry);;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == 1) GI_TRY(gi_onnx_string(r, &f, "external_data's key", &key));
    if (f.number == 2) GI_TRY(gi_onnx_string(r, &f, "external_data's value", &value));
  }
  int64_t *number = strcmp(key, "offset") == 0   ? &out->offset
                    : strcmp(key, "length") == 0 ? &out->length
                                                 : NULL;
  if (strcmp(key, "location") == 0) out->location = value;
  if (number != NULL && (!gi_parse_i64(value, number) || *number < 0))
    return gi_fail(GLIA_FORMAT, "external data: %s is \"%.40s\", want a number from 0 on", key,
                   value);
  return GLIA_OK; /* other keys (checksum) say nothing of where it is */
}

/* Relative; and no part of it is empty, "." or "..", so that a file has one name. */
static bool plain(const char *location) {
  for (const char *part = location; part != NULL;) {
    const char *slash = strchr(part, '/');
    const size_t n = slash == NULL ? strlen(part) : (size_t)(slash - part);
    if (n == 0 || strncmp(part, "..", n) == 0) return false;
    part = slash == NULL ? NULL : slash + 1;
  }
  return true;
}

/* The file's path without links, checked; into `path` of PATH_MAX bytes. */
static glia_status resolve(const gi_onnx_reader *r, const char *location, char *path) {
  const char *model = r->m->path;
  const size_t n = (size_t)(gi_path_name(model) - model);
  char folder[PATH_MAX], given[PATH_MAX];
  if (n >= sizeof given || strlen(location) >= sizeof given - n)
    return gi_fail(GLIA_FORMAT, "external data: the path is too long");
  snprintf(given, sizeof given, "%.*s", (int)n, model);
  if (realpath(n == 0 ? "." : given, folder) == NULL) return gi_fail_read(given, errno);
  snprintf(given, sizeof given, "%.*s%s", (int)n, model, location);
  if (realpath(given, path) == NULL)
    return gi_where(gi_fail_read(given, errno), "external data");
  const size_t f = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
  if (strncmp(path, folder, f) != 0 || path[f] != '/')
    return gi_fail(
        GLIA_FORMAT,
        "external data: \"%.80s\" is a link out of the model's folder; only files in "
        "it are read",
        location);
  struct stat st;
  if (stat(path, &st) != 0) return gi_fail_read(path, errno);
  if (!S_ISREG(st.st_mode))
    return gi_fail(GLIA_FORMAT, "external data: \"%.80s\" is no plain file", location);
  return GLIA_OK;
}

/* The mapping of a file beside the model; each is opened once. */
static glia_status open_file(gi_onnx_reader *r, const char *location, const gi_map **out) {
  for (size_t i = 0; i < r->m->external.n; i++)
    if (strcmp(r->m->external.at[i].location, location) == 0) {
      *out = &r->m->external.at[i].map;
      return GLIA_OK;
    }
  char path[PATH_MAX];
  if (!r->beside)
    return gi_fail(GLIA_FORMAT, "external data: there is no folder to look for \"%.80s\" in",
                   location);
  if (!plain(location))
    return gi_fail(
        GLIA_FORMAT,
        "external data: \"%.80s\" is outside the model's folder; only files in it are "
        "read",
        location);
  GI_TRY(resolve(r, location, path));
  gi_onnx_external e = {.location = location};
  GI_TRY(gi_map_open(&e.map, path));
  if (!gi_vec_push(&r->m->external, e)) {
    gi_map_close(&e.map);
    return gi_fail_nomem(sizeof e);
  }
  *out = &r->m->external.at[r->m->external.n - 1].map;
  return GLIA_OK;
}

glia_status gi_onnx_find_external(gi_onnx_reader *r, const gi_onnx_place *place, size_t bytes,
                                  const void **out) {
  const gi_map *map = NULL;
  if (place->location == NULL) return gi_fail(GLIA_FORMAT, "external data without a location");
  GI_TRY(open_file(r, place->location, &map));
  const size_t offset = (size_t)place->offset;
  if (place->length >= 0 && (size_t)place->length != bytes)
    return gi_fail(GLIA_FORMAT, "external data: has %lld bytes, its shape wants %zu",
                   (long long)place->length, bytes);
  if (offset > map->n || bytes > map->n - offset)
    return gi_fail(GLIA_FORMAT,
                   "external data: bytes %zu to %zu + %zu of \"%.80s\", which has %zu", offset,
                   offset, bytes, place->location, map->n);
  *out = map->p == NULL ? (const void *)"" : map->p + offset;
  return GLIA_OK;
}
