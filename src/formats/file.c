/* formats/file.c - an open file of named tensors, of whatever format; see reader.h. */
#include <stdlib.h>

#include "base/stream.h"
#include "formats/reader.h"

/* A file that unpacks to more than this must be at least a hundredth of it: what is smaller is
 * a bomb, or as good as one. */
enum { CLAIM_FREE = 256 << 20, CLAIM_RATIO = 100 };

/* ---- rows ------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), k = strlen(end);
  return n > k && strcmp(text + n - k, end) == 0;
}

const gi_reader *gi_reader_by_content(const unsigned char *p, size_t n) {
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++) {
      const gi_reader *r = gi_readers_table[i][k];
      if (n > 0 && r->is != NULL && r->is(p, n)) return r;
    }
  return NULL;
}

/* The longest suffix counts: ".safetensors.index.json". */
const gi_reader *gi_reader_by_name(const char *path) {
  const gi_reader *best = NULL;
  size_t length = 0;
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++) {
      const gi_reader *r = gi_readers_table[i][k];
      for (const char *const *s = r->suffixes; s != NULL && *s != NULL; s++)
        if (strlen(*s) > length && ends_with(path, *s)) {
          best = r;
          length = strlen(*s);
        }
    }
  return best;
}

void gi_reader_names(gi_str *out) {
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++)
      gi_str_printf(out, "%s%s", out->n > 0 ? ", " : "", gi_readers_table[i][k]->name);
}

static glia_status unknown(const char *what) {
  gi_str names = {0};
  gi_reader_names(&names);
  const glia_status s =
      names.failed ? gi_fail_nomem(names.n)
                   : gi_fail(GLIA_FORMAT, "%s: begins like none of: %s", what, names.s);
  gi_str_free(&names);
  return s;
}

/* ---- entries ---------------------------------------------------------------------------- */

size_t gi_file_trust(const glia_file *f) {
  const size_t most = f->held > SIZE_MAX / CLAIM_RATIO ? SIZE_MAX / 4 : f->held * CLAIM_RATIO;
  return GI_MAX(most, (size_t)CLAIM_FREE);
}

glia_status gi_file_claim(glia_file *f, size_t bytes) {
  if (!gi_add_size(f->claimed, bytes, &f->claimed) || f->claimed > gi_file_trust(f))
    return gi_fail(GLIA_FORMAT,
                   "%s: claims to hold %zu bytes of elements, and more, which %zu bytes of a "
                   "file are not trusted with",
                   f->what, f->claimed - bytes, f->held);
  return GLIA_OK;
}

static glia_status add(glia_file *f, const gi_entry *from) {
  gi_entry e = *from;
  GI_TRY(gi_array_bytes(&e.array, &e.bytes));
  if (e.array.strides != NULL && e.array.rank > GI_ARRAY_RANK)
    return gi_fail(GLIA_FORMAT, "has %d axes, at most %d can be read", e.array.rank,
                   GI_ARRAY_RANK);
  const size_t axes = (size_t)e.array.rank * sizeof *e.array.shape;
  e.name = gi_arena_strdup(&f->arena, e.name);
  e.array.shape = gi_arena_copy(&f->arena, e.array.shape, axes);
  if (e.array.strides != NULL)
    e.array.strides = gi_arena_copy(&f->arena, e.array.strides, axes);
  if (e.dtype == NULL) e.dtype = e.array.element->name;
  if (e.name == NULL || e.array.shape == NULL || !gi_vec_push(&f->entries, e))
    return gi_fail_nomem(sizeof e);
  return GLIA_OK;
}

glia_status gi_file_add(glia_file *f, const gi_entry *e) {
  if (f->entries.n >= INT32_MAX)
    return gi_fail(GLIA_FORMAT, "%s: holds too many tensors", f->what);
  GI_TRY(gi_where(add(f, e), "%s: tensor \"%.80s\"", f->what, e->name));
  GI_TRY(gi_file_claim(f, strlen(e->name)));
  return gi_file_claim(f, f->entries.at[f->entries.n - 1].bytes);
}

glia_status gi_file_add_plain(glia_file *f, const char *name, const gi_element *element,
                              int rank, const int64_t *shape, const void *data,
                              const void *own) {
  const gi_entry e = {.name = name,
                      .array = {.element = element, .rank = rank, .shape = shape, .data = data},
                      .own = own};
  return gi_file_add(f, &e);
}

glia_status gi_file_note(glia_file *f, const char *key, const char *value) {
  GI_TRY(gi_file_claim(f, strlen(key)));
  GI_TRY(gi_file_claim(f, strlen(value)));
  const glia_metadata pair = {gi_arena_strdup(&f->arena, key),
                              gi_arena_strdup(&f->arena, value)};
  if (pair.key == NULL || pair.value == NULL || !gi_vec_push(&f->metadata, pair))
    return gi_fail_nomem(strlen(key) + strlen(value));
  return GLIA_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const gi_entry *const *)a)->name, (*(const gi_entry *const *)b)->name);
}

static int by_key(const void *a, const void *b) {
  const glia_metadata *x = *(const glia_metadata *const *)a;
  const glia_metadata *y = *(const glia_metadata *const *)b;
  const int order = strcmp(x->key, y->key);
  return order != 0 ? order : x < y ? -1 : x > y; /* the first of equals first */
}

static void sort_keys(glia_file *f) {
  for (size_t i = 0; i < f->metadata.n; i++) f->by_key[i] = &f->metadata.at[i];
  if (f->metadata.n > 1) qsort(f->by_key, f->metadata.n, sizeof *f->by_key, by_key);
}

/* Keys in order, each once: shards repeat theirs, and paths of a checkpoint may be alike. */
static glia_status index_metadata(glia_file *f) {
  const size_t n = f->metadata.n;
  f->by_key = gi_arena_alloc(&f->arena, (n + 1) * sizeof *f->by_key);
  const char **key = gi_arena_alloc(&f->arena, (n + 1) * sizeof *key);
  if (f->by_key == NULL || key == NULL) return gi_fail_nomem(n * sizeof *f->by_key);
  sort_keys(f);
  for (size_t i = 0; i < n; i++) key[f->by_key[i] - f->metadata.at] = f->by_key[i]->key;
  for (size_t i = 1; i < n; i++)
    if (strcmp(f->by_key[i - 1]->key, f->by_key[i]->key) == 0)
      key[f->by_key[i] - f->metadata.at] = NULL;
  f->metadata.n = 0;
  for (size_t i = 0; i < n; i++)
    if (key[i] != NULL) f->metadata.at[f->metadata.n++] = f->metadata.at[i];
  sort_keys(f);
  return GLIA_OK;
}

/* Names in order, each once. */
static glia_status make_index(glia_file *f) {
  const size_t n = f->entries.n;
  f->by_name = gi_arena_alloc(&f->arena, (n + 1) * sizeof *f->by_name);
  if (f->by_name == NULL) return gi_fail_nomem(n * sizeof *f->by_name);
  for (size_t i = 0; i < n; i++) f->by_name[i] = &f->entries.at[i];
  if (n > 1) qsort(f->by_name, n, sizeof *f->by_name, by_name);
  for (size_t i = 1; i < n; i++)
    if (strcmp(f->by_name[i - 1]->name, f->by_name[i]->name) == 0)
      return gi_fail(GLIA_FORMAT, "%s: two tensors are called \"%.80s\"", f->what,
                     f->by_name[i]->name);
  return index_metadata(f);
}

/* ---- opening ---------------------------------------------------------------------------- */

/* The bytes of a gzip file become those that it holds. */
static glia_status unpack(glia_file *f) {
  if (f->n < 2 || f->p[0] != 0x1f || f->p[1] != 0x8b) return GLIA_OK;
  gi_stream stream;
  size_t n = 0;
  GI_TRY(gi_stream_open_bytes(&stream, f->p, f->n, f->what));
  const glia_status s = gi_stream_all(&stream, gi_file_trust(f), &f->unpacked, &n);
  gi_stream_close(&stream);
  GI_TRY(s);
  f->p = (const unsigned char *)f->unpacked;
  f->n = f->held = n;
  f->path = NULL; /* what it leads to is not what is read */
  return GLIA_OK;
}

static glia_status open_bytes(glia_file *f, const gi_reader *reader) {
  const char *path = f->path;
  GI_TRY(unpack(f));
  if (reader == NULL) reader = gi_reader_by_content(f->p, f->n);
  if (reader == NULL && path != NULL) reader = gi_reader_by_name(path);
  if (reader == NULL) return unknown(f->what);
  f->reader = reader;
  GI_TRY(reader->open(f));
  return make_index(f);
}

static glia_status open_file(const gi_reader *reader, const char *path, gi_map map,
                             const void *p, size_t n, const char *what, glia_file **out) {
  glia_file *f = gi_alloc(sizeof *f);
  if (f == NULL) {
    gi_map_close(&map);
    return gi_fail_nomem(sizeof *f);
  }
  f->map = map;
  f->p = p;
  f->n = f->held = n;
  f->what = gi_arena_strdup(&f->arena, what);
  f->path = path == NULL ? NULL : f->what;
  const glia_status s =
      f->what == NULL ? gi_fail_nomem(strlen(what) + 1) : open_bytes(f, reader);
  if (s == GLIA_OK)
    *out = f;
  else
    glia_file_close(f);
  return s;
}

glia_status gi_file_from_memory(const gi_reader *reader, const void *p, size_t n,
                                const char *what, glia_file **out) {
  return open_file(reader, NULL, (gi_map){0}, p, n, what, out);
}

glia_status glia_file_open(const char *path, glia_file **out) {
  gi_map map;
  if (path == NULL || out == NULL) return gi_fail(GLIA_INVALID, "file: the path is missing");
  GI_TRY(gi_map_open(&map, path));
  return open_file(NULL, path, map, map.p, map.n, path, out);
}

void glia_file_close(glia_file *f) {
  if (f == NULL) return;
  if (f->reader != NULL && f->reader->close != NULL) f->reader->close(f);
  gi_vec_free(&f->entries);
  gi_vec_free(&f->metadata);
  gi_arena_free(&f->arena);
  gi_free(f->unpacked);
  gi_map_close(&f->map);
  gi_free(f);
}

/* ---- files of tensors in memory ---------------------------------------------------------- */

static glia_status add_tensor(glia_file *f, const char *name, const glia_tensor *t) {
  if (name == NULL) return gi_fail(GLIA_INVALID, "%s: a tensor has no name", f->what);
  if (t == NULL) return gi_fail(GLIA_INVALID, "%s: tensor \"%.80s\" is NULL", f->what, name);
  const bool plain = glia_tensor_is_contiguous(t);
  const gi_entry e = {.name = name,
                      .array = {.element = gi_element_of(glia_tensor_dtype(t)),
                                .rank = glia_tensor_rank(t),
                                .shape = glia_tensor_shape(t),
                                .strides = plain ? NULL : glia_tensor_strides(t),
                                .data = glia_tensor_data(t)}};
  return gi_where(add(f, &e), "%s: tensor \"%.80s\"", f->what, name);
}

static glia_status add_metadata(glia_file *f, const glia_metadata *m) {
  if (m->key == NULL) return gi_fail(GLIA_INVALID, "%s: a metadata key has no name", f->what);
  if (m->value == NULL)
    return gi_fail(GLIA_INVALID, "%s: the value of metadata key \"%.80s\" is NULL", f->what,
                   m->key);
  f->held += strlen(m->key) + strlen(m->value); /* it is claimed below, and is here */
  return gi_file_note(f, m->key, m->value);
}

glia_status gi_file_of(const char *what, const glia_named_tensor *tensors, int n,
                       const glia_metadata *metadata, int n_metadata, glia_file **out) {
  if (n < 0 || n_metadata < 0)
    return gi_fail(GLIA_INVALID, "%s: %d tensors and %d metadata keys", what, n, n_metadata);
  glia_file *f = gi_alloc(sizeof *f);
  if (f == NULL) return gi_fail_nomem(sizeof *f);
  f->what = what;
  glia_status s = GLIA_OK;
  for (int i = 0; i < n && s == GLIA_OK; i++)
    s = add_tensor(f, tensors[i].name, tensors[i].tensor);
  for (int i = 0; i < n_metadata && s == GLIA_OK; i++) s = add_metadata(f, &metadata[i]);
  if (s == GLIA_OK)
    *out = f;
  else
    glia_file_close(f);
  return s;
}

/* ---- asking ----------------------------------------------------------------------------- */

const char *glia_file_format(const glia_file *f) {
  return f->reader != NULL ? f->reader->name : "memory";
}

int glia_file_count(const glia_file *f) { return (int)f->entries.n; }

static const gi_entry *entry_at(const glia_file *f, int i) {
  return i < 0 || (size_t)i >= f->entries.n ? NULL : &f->entries.at[i];
}

const char *glia_file_name(const glia_file *f, int i) {
  const gi_entry *e = entry_at(f, i);
  return e == NULL ? NULL : e->name;
}

const char *glia_file_dtype(const glia_file *f, int i) {
  const gi_entry *e = entry_at(f, i);
  return e == NULL ? NULL : e->dtype;
}

int glia_file_shape(const glia_file *f, int i, const int64_t **shape) {
  const gi_entry *e = entry_at(f, i);
  *shape = e == NULL ? NULL : e->array.shape;
  return e == NULL ? 0 : e->array.rank;
}

int64_t glia_file_bytes(const glia_file *f, int i) {
  const gi_entry *e = entry_at(f, i);
  return e == NULL ? 0 : (int64_t)e->bytes;
}

int glia_file_find(const glia_file *f, const char *name) {
  size_t low = 0, high = f->entries.n;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = strcmp(f->by_name[middle]->name, name);
    if (order == 0) return (int)(f->by_name[middle] - f->entries.at);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

const char *glia_file_metadata_key(const glia_file *f, int i) {
  return i < 0 || (size_t)i >= f->metadata.n ? NULL : f->metadata.at[i].key;
}

const char *glia_file_metadata(const glia_file *f, const char *key) {
  size_t low = 0, high = f->metadata.n;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = strcmp(f->by_key[middle]->key, key);
    if (order == 0) return f->by_key[middle]->value;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

/* ---- elements --------------------------------------------------------------------------- */

static glia_status fetch(const glia_file *f, const gi_entry *e, const void **data,
                         void **hold) {
  *data = e->array.data;
  *hold = NULL;
  if (*data != NULL || e->bytes == 0) return GLIA_OK;
  if (f->reader == NULL || f->reader->fetch == NULL)
    return gi_fail(GLIA_FORMAT, "%s: tensor \"%.80s\": has no elements", f->what, e->name);
  return f->reader->fetch(f, e, data, hold);
}

glia_status gi_file_elements(const glia_file *f, int i, gi_elements *out) {
  const gi_entry *e = entry_at(f, i);
  if (e == NULL)
    return gi_fail(GLIA_INVALID, "%s: tensor %d of %d does not exist", f->what, i,
                   glia_file_count(f));
  gi_array a = e->array;
  *out = (gi_elements){.bytes = e->bytes};
  GI_TRY(fetch(f, e, &a.data, &out->hold[0]));
  out->data = a.data;
  if (gi_array_is_plain(&a)) return GLIA_OK;
  out->hold[1] = gi_alloc(e->bytes);
  if (out->hold[1] == NULL) {
    gi_elements_clear(out);
    return gi_fail_nomem(e->bytes);
  }
  gi_array_gather(&a, out->hold[1]);
  out->data = out->hold[1];
  return GLIA_OK;
}

void gi_elements_clear(gi_elements *e) {
  gi_free(e->hold[0]);
  gi_free(e->hold[1]);
  *e = (gi_elements){0};
}

glia_status glia_file_read(const glia_file *f, int i, glia_tensor **out) {
  const gi_entry *e = entry_at(f, i);
  if (e == NULL)
    return gi_fail(GLIA_INVALID, "%s: tensor %d of %d does not exist", f->what, i,
                   glia_file_count(f));
  gi_array a = e->array;
  void *hold = NULL;
  GI_TRY(fetch(f, e, &a.data, &hold));
  const glia_status s = gi_array_tensor(&a, f->what, e->name, out);
  gi_free(hold);
  return s;
}

/* ---- writing ---------------------------------------------------------------------------- */

static glia_status not_written(const char *path) {
  gi_str list = {0};
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++)
      if (gi_readers_table[i][k]->write != NULL)
        gi_str_printf(&list, "%s%s", list.n > 0 ? ", " : "",
                      gi_readers_table[i][k]->suffixes[0]);
  const glia_status s =
      list.failed
          ? gi_fail_nomem(list.n)
          : gi_fail(GLIA_INVALID, "%s: its name does not end in one of: %s", path, list.s);
  gi_str_free(&list);
  return s;
}

glia_status glia_file_write(const glia_file *f, const char *path) {
  const gi_reader *r = gi_reader_by_name(path);
  return r == NULL || r->write == NULL ? not_written(path) : r->write(path, f);
}
