/* readers/safetensors.c - a file of named tensors, and a model in several such files.
 *
 * The index of a model in shards is JSON: {"metadata": {...}, "weight_map": {name: file}}.
 * Files lie in the index's own folder: a name that leads elsewhere is refused.
 */
#include <stdlib.h>

#include "base/json.h"
#include "formats/formats.h"
#include "formats/reader.h"

static glia_status add_metadata(glia_file *f, const glia_safetensors *s) {
  const char *key;
  for (int i = 0; (key = glia_safetensors_metadata_key(s, i)) != NULL; i++)
    GI_TRY(gi_file_note(f, key, glia_safetensors_metadata(s, key)));
  return GLIA_OK;
}

static glia_status add_tensor(glia_file *f, const glia_safetensors *s, int i) {
  const gi_element *element = NULL;
  const int64_t *shape = NULL;
  const void *data = gi_safetensors_data(s, i, &element);
  const int rank = glia_safetensors_shape(s, i, &shape);
  return gi_file_add_plain(f, glia_safetensors_name(s, i), element, rank, shape, data, NULL);
}

glia_status gi_file_add_safetensors(glia_file *f, const glia_safetensors *s) {
  GI_TRY(add_metadata(f, s));
  for (int i = 0; i < glia_safetensors_count(s); i++) GI_TRY(add_tensor(f, s, i));
  return GLIA_OK;
}

/* ---- one file --------------------------------------------------------------------------- */

static bool is_safetensors(const unsigned char *p, size_t n) {
  uint64_t header = 0;
  for (int i = 7; i >= 0 && n > 8; i--) header = header << 8 | p[i];
  return n > 8 && p[8] == '{' && header <= n - 8;
}

static glia_status open_one(glia_file *f) {
  glia_safetensors *s = NULL;
  GI_TRY(gi_safetensors_from_memory(f->p, f->n, f->what, &s));
  f->own = s;
  return gi_file_add_safetensors(f, s);
}

static void close_one(glia_file *f) { glia_safetensors_close(f->own); }

static const char *const suffixes[] = {".safetensors", NULL};

static const gi_reader safetensors = {
    .name = "safetensors",
    .title = "tensors with names",
    .suffixes = suffixes,
    .is = is_safetensors,
    .open = open_one,
    .close = close_one,
    .write = gi_safetensors_write_file,
};

/* ---- shards ----------------------------------------------------------------------------- */

enum { SHARDS = 4096 };

typedef struct shard {
  const char *name;
  glia_safetensors *file;
} shard;

typedef struct shards {
  shard at[SHARDS];
  int n;
} shards;

/* What visiting the members of the map needs; `status` latches. */
typedef struct visit {
  glia_file *f;
  shards *s;
  glia_status status;
} visit;

static bool begins_with_object(const unsigned char *p, size_t n) {
  size_t at = 0;
  while (at < n && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t')) at++;
  return at < n && p[at] == '{';
}

static bool is_index(const unsigned char *p, size_t n) {
  static const char key[] = "\"weight_map\"";
  return begins_with_object(p, n) && memmem(p, n, key, sizeof key - 1) != NULL;
}

static bool name_is_safe(const char *name) {
  return name[0] != '\0' && name[0] != '.' && strpbrk(name, "/\\") == NULL;
}

static glia_status open_shard(glia_file *f, const char *name, shard *out) {
  if (!name_is_safe(name))
    return gi_fail(GLIA_FORMAT, "file \"%.80s\": wanted the name of a file in the same folder",
                   name);
  gi_str path = {0};
  gi_str_add(&path, f->path, (size_t)(gi_path_name(f->path) - f->path));
  gi_str_puts(&path, name);
  glia_status s =
      path.failed ? gi_fail_nomem(path.n) : glia_safetensors_open(path.s, &out->file);
  gi_str_free(&path);
  GI_TRY(s);
  out->name = gi_arena_strdup(&f->arena, name);
  return out->name == NULL ? gi_fail_nomem(strlen(name) + 1) : GLIA_OK;
}

static glia_status find_shard(visit *v, const char *name, glia_safetensors **out) {
  shards *s = v->s;
  for (int i = s->n - 1; i >= 0; i--) /* neighbours in the map are mostly in one file */
    if (strcmp(s->at[i].name, name) == 0) {
      *out = s->at[i].file;
      return GLIA_OK;
    }
  if (s->n == SHARDS) return gi_fail(GLIA_FORMAT, "names more than %d files", SHARDS);
  shard *next = &s->at[s->n++];
  next->name = "";
  GI_TRY(open_shard(v->f, name, next));
  *out = next->file;
  return add_metadata(v->f, next->file);
}

static glia_status add_mapped(visit *v, const char *name, const gi_json *value) {
  const char *file = gi_json_str(value, NULL);
  glia_safetensors *s = NULL;
  if (file == NULL) return gi_fail(GLIA_FORMAT, "the name of its file is no string");
  GI_TRY(find_shard(v, file, &s));
  const int i = glia_safetensors_find(s, name);
  if (i < 0) return gi_fail(GLIA_FORMAT, "is not in file \"%.80s\"", file);
  const gi_element *element = NULL;
  const int64_t *shape = NULL;
  (void)gi_safetensors_data(s, i, &element);
  const int rank = glia_safetensors_shape(s, i, &shape);
  size_t bytes = 0;
  const gi_array array = {.element = element, .rank = rank, .shape = shape};
  GI_TRY(gi_array_bytes(&array, &bytes));
  v->f->held += bytes; /* checked against the other file, which has them */
  return add_tensor(v->f, s, i);
}

static bool visit_mapped(const char *name, const gi_json *value, void *user) {
  visit *v = user;
  v->status = gi_where(add_mapped(v, name, value), "%s: tensor \"%.80s\"", v->f->what, name);
  return v->status == GLIA_OK;
}

static glia_status open_index(glia_file *f) {
  gi_json *root = NULL;
  if (f->path == NULL)
    return gi_fail(GLIA_FORMAT, "%s: an index of files must be a file itself", f->what);
  f->own = gi_alloc(sizeof(shards));
  if (f->own == NULL) return gi_fail_nomem(sizeof(shards));
  GI_TRY(gi_json_parse((const char *)f->p, f->n, f->what, &root));
  const gi_json *map = gi_json_get(root, "weight_map");
  visit v = {.f = f, .s = f->own};
  if (gi_json_type(map) != GI_JSON_OBJECT)
    v.status = gi_fail(GLIA_FORMAT, "%s: weight_map is missing or no object", f->what);
  else
    gi_json_each(map, visit_mapped, &v);
  gi_json_free(root);
  return v.status;
}

static void close_index(glia_file *f) {
  shards *s = f->own;
  for (int i = 0; s != NULL && i < s->n; i++) glia_safetensors_close(s->at[i].file);
  gi_free(s);
}

static const char *const index_suffixes[] = {".safetensors.index.json", NULL};

static const gi_reader sharded = {
    .name = "safetensors index",
    .title = "tensors with names in several files",
    .suffixes = index_suffixes,
    .is = is_index,
    .open = open_index,
    .close = close_index,
};

const gi_reader *const gi_readers_safetensors[] = {&safetensors, &sharded, NULL};
