/* formats/safetensors.c - files of named tensors, read; safetensors_write.c writes them.
 *
 *   u64 N, little-endian | N bytes of JSON, blanks behind | data
 *
 * JSON: {"__metadata__": {key: string}, name: {"dtype", "shape", "data_offsets": [begin,
 * end]}}, offsets counted from the end of the header. Format:
 * github.com/huggingface/safetensors.
 *
 * Everything is checked when the file is opened, so that reading a tensor is a copy that cannot
 * go wrong. The file is mapped, not read: opening a file of gigabytes costs its header. As with
 * any mapping, somebody who shortens the file meanwhile takes the bytes away from under it;
 * glia_safetensors_write never does that (it renames).
 */
#include <stdlib.h>

#include "base/json.h"
#include "formats/element.h"
#include "formats/formats.h"
#include "tensor/tensor.h"

enum { HEADER_MAX = 100000000 };

typedef struct entry {
  const char *name;
  const gi_element *element;
  int rank;
  const int64_t *shape;
  size_t begin, end; /* bytes from the start of the data */
} entry;

typedef struct pair {
  const char *key, *value;
} pair;

struct glia_safetensors {
  gi_map map; /* empty where the memory is the caller's */
  const char *what;
  const unsigned char *data;
  gi_arena arena; /* names, shapes, metadata */
  entry *tensor;  /* in the order of the data */
  int count;
  const entry **by_name;
  pair *metadata;
  int n_metadata;
};

/* ---- reading the header ---------------------------------------------------------------- */

/* What visiting the members needs; `status` latches. */
typedef struct header {
  glia_safetensors *f;
  glia_status status;
} header;

static glia_status read_shape(gi_arena *arena, const gi_json *shape, entry *e) {
  if (gi_json_type(shape) != GI_JSON_ARRAY)
    return gi_fail(GLIA_FORMAT, "shape is missing or no list");
  const size_t rank = gi_json_count(shape);
  int64_t *dim = gi_arena_alloc(arena, rank * sizeof *dim);
  if (dim == NULL) return gi_fail_nomem(rank * sizeof *dim);
  for (size_t i = 0; i < rank; i++) {
    const gi_json *d = gi_json_at(shape, i);
    if (gi_json_type(d) != GI_JSON_INT)
      return gi_fail(GLIA_FORMAT, "shape[%zu] is no whole number", i);
    dim[i] = gi_json_int(d, 0);
    if (dim[i] < 0)
      return gi_fail(GLIA_FORMAT, "shape[%zu] is %lld, want 0 or more", i, (long long)dim[i]);
  }
  e->rank = (int)rank; /* fits: the header has less than 2^31 bytes */
  e->shape = dim;
  return GLIA_OK;
}

static glia_status read_offsets(const gi_json *offsets, entry *e) {
  if (gi_json_type(offsets) != GI_JSON_ARRAY || gi_json_count(offsets) != 2)
    return gi_fail(GLIA_FORMAT, "data_offsets is missing or not two numbers");
  size_t at[2];
  for (size_t i = 0; i < 2; i++) {
    const int64_t v = gi_json_int(gi_json_at(offsets, i), -1);
    if (v < 0) return gi_fail(GLIA_FORMAT, "data_offsets[%zu] is no whole number from 0 on", i);
    at[i] = (size_t)v;
  }
  if (at[1] < at[0])
    return gi_fail(GLIA_FORMAT, "data_offsets end at %zu, before they begin at %zu", at[1],
                   at[0]);
  e->begin = at[0];
  e->end = at[1];
  return GLIA_OK;
}

static glia_status check_size(const entry *e) {
  size_t bits = e->element->bits;
  for (int i = 0; i < e->rank; i++)
    if (!gi_mul_size(bits, (size_t)e->shape[i], &bits))
      return gi_fail(GLIA_FORMAT, "shape has more elements than can be counted");
  if (bits % 8 != 0)
    return gi_fail(GLIA_FORMAT, "elements of %u bits do not fill whole bytes",
                   e->element->bits);
  if (bits / 8 != e->end - e->begin)
    return gi_fail(GLIA_FORMAT, "shape wants %zu bytes, data_offsets give %zu", bits / 8,
                   e->end - e->begin);
  return GLIA_OK;
}

static glia_status read_entry(gi_arena *arena, const char *name, const gi_json *value,
                              entry *e) {
  if (gi_json_type(value) != GI_JSON_OBJECT) return gi_fail(GLIA_FORMAT, "is no object");
  const char *dtype = gi_json_str(gi_json_get(value, "dtype"), NULL);
  if (dtype == NULL) return gi_fail(GLIA_FORMAT, "dtype is missing or no string");
  e->element = gi_element_named(dtype);
  if (e->element == NULL || e->element->foreign)
    return gi_fail(GLIA_FORMAT, "dtype \"%.40s\" is not known", dtype);
  e->name = gi_arena_strdup(arena, name);
  if (e->name == NULL) return gi_fail_nomem(strlen(name) + 1);
  GI_TRY(read_shape(arena, gi_json_get(value, "shape"), e));
  GI_TRY(read_offsets(gi_json_get(value, "data_offsets"), e));
  return check_size(e);
}

static bool visit_metadata(const char *key, const gi_json *value, void *user) {
  header *h = user;
  glia_safetensors *f = h->f;
  const char *text = gi_json_str(value, NULL);
  if (text == NULL) {
    h->status = gi_fail(GLIA_FORMAT, "%s: __metadata__: \"%.80s\" is no string", f->what, key);
    return false;
  }
  pair *p = &f->metadata[f->n_metadata++];
  p->key = gi_arena_strdup(&f->arena, key);
  p->value = gi_arena_strdup(&f->arena, text);
  if (p->key == NULL || p->value == NULL) h->status = gi_fail_nomem(strlen(text) + 1);
  return h->status == GLIA_OK;
}

static glia_status read_metadata(header *h, const gi_json *value) {
  glia_safetensors *f = h->f;
  if (gi_json_type(value) != GI_JSON_OBJECT)
    return gi_fail(GLIA_FORMAT, "%s: __metadata__ is no object", f->what);
  const size_t bytes = gi_json_count(value) * sizeof *f->metadata;
  f->metadata = gi_arena_alloc(&f->arena, bytes);
  if (f->metadata == NULL) return gi_fail_nomem(bytes);
  gi_json_each(value, visit_metadata, h);
  return h->status;
}

static bool visit_member(const char *key, const gi_json *value, void *user) {
  header *h = user;
  glia_safetensors *f = h->f;
  if (strcmp(key, "__metadata__") == 0)
    h->status = read_metadata(h, value);
  else
    h->status = gi_where(read_entry(&f->arena, key, value, &f->tensor[f->count++]),
                         "%s: tensor \"%.80s\"", f->what, key);
  return h->status == GLIA_OK;
}

/* ---- checking the whole ---------------------------------------------------------------- */

/* Empty tensors share their begin with the one behind them, and come first. */
static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const entry *const *)a)->name, (*(const entry *const *)b)->name);
}

/* The tensors cover the data from its first byte to its last, each byte once. */
static glia_status check_cover(const glia_safetensors *f, size_t data_bytes) {
  size_t at = 0;
  for (int i = 0; i < f->count; i++) {
    const entry *e = &f->tensor[i];
    if (e->begin != at)
      return gi_fail(GLIA_FORMAT, "%s: tensor \"%.80s\": begins at byte %zu, want %zu: %s",
                     f->what, e->name, e->begin, at,
                     e->begin < at ? "it overlaps the one before" : "there is a hole");
    at = e->end;
  }
  if (at != data_bytes)
    return gi_fail(GLIA_FORMAT,
                   "%s: the tensors end at byte %zu of the data, which has %zu: %s", f->what,
                   at, data_bytes,
                   at > data_bytes ? "the file was cut" : "there is something behind them");
  return GLIA_OK;
}

static glia_status read_header(glia_safetensors *f, const gi_json *root, size_t data_bytes) {
  if (gi_json_type(root) != GI_JSON_OBJECT)
    return gi_fail(GLIA_FORMAT, "%s: the header is no JSON object", f->what);
  const size_t n = gi_json_count(root);
  f->tensor = gi_arena_alloc(&f->arena, n * sizeof *f->tensor);
  f->by_name = gi_arena_alloc(&f->arena, n * sizeof *f->by_name);
  if (f->tensor == NULL || f->by_name == NULL) return gi_fail_nomem(n * sizeof *f->tensor);
  header h = {.f = f};
  gi_json_each(root, visit_member, &h);
  GI_TRY(h.status);
  qsort(f->tensor, (size_t)f->count, sizeof *f->tensor, by_place);
  for (int i = 0; i < f->count; i++) f->by_name[i] = &f->tensor[i];
  qsort(f->by_name, (size_t)f->count, sizeof *f->by_name, by_name);
  return check_cover(f, data_bytes);
}

static glia_status parse(glia_safetensors *f, const unsigned char *p, size_t n) {
  uint64_t length = 0;
  if (n < 8)
    return gi_fail(GLIA_FORMAT, "%s: has %zu bytes, want at least the 8 of the header's length",
                   f->what, n);
  memcpy(&length, p, 8);
  if (length > HEADER_MAX || length > n - 8)
    return gi_fail(GLIA_FORMAT,
                   "%s: the header should have %llu bytes, the file has %zu after its length "
                   "(and %d is the most allowed); is it a safetensors file?",
                   f->what, (unsigned long long)length, n - 8, HEADER_MAX);
  if (length == 0 || p[8] != '{')
    return gi_fail(GLIA_FORMAT, "%s: the header does not begin with {", f->what);
  const size_t header_bytes = (size_t)length;
  const char *text = (const char *)p + 8;
  gi_json *root = NULL;
  GI_TRY(gi_json_parse(text, header_bytes, f->what, &root));
  f->data = p + 8 + header_bytes;
  const glia_status s = read_header(f, root, n - 8 - header_bytes);
  gi_json_free(root);
  return s;
}

/* ---- the open file --------------------------------------------------------------------- */

static glia_status open_memory(gi_map map, const void *p, size_t n, const char *what,
                               glia_safetensors **out) {
  glia_safetensors *f = gi_alloc(sizeof *f);
  if (f == NULL) {
    gi_map_close(&map);
    return gi_fail_nomem(sizeof *f);
  }
  f->map = map;
  f->what = gi_arena_strdup(&f->arena, what);
  const glia_status s = f->what == NULL ? gi_fail_nomem(strlen(what) + 1) : parse(f, p, n);
  if (s == GLIA_OK)
    *out = f;
  else
    glia_safetensors_close(f);
  return s;
}

glia_status gi_safetensors_from_memory(const void *p, size_t n, const char *what,
                                       glia_safetensors **out) {
  return open_memory((gi_map){0}, p, n, what, out);
}

glia_status glia_safetensors_open(const char *path, glia_safetensors **out) {
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  return open_memory(map, map.p, map.n, path, out);
}

void glia_safetensors_close(glia_safetensors *f) {
  if (f == NULL) return;
  gi_map_close(&f->map);
  gi_arena_free(&f->arena);
  gi_free(f);
}

int glia_safetensors_count(const glia_safetensors *f) { return f->count; }

static const entry *entry_at(const glia_safetensors *f, int i) {
  return i < 0 || i >= f->count ? NULL : &f->tensor[i];
}

const char *glia_safetensors_name(const glia_safetensors *f, int i) {
  const entry *e = entry_at(f, i);
  return e == NULL ? NULL : e->name;
}

const char *glia_safetensors_dtype(const glia_safetensors *f, int i) {
  const entry *e = entry_at(f, i);
  return e == NULL ? NULL : e->element->name;
}

int glia_safetensors_shape(const glia_safetensors *f, int i, const int64_t **shape) {
  const entry *e = entry_at(f, i);
  *shape = e == NULL ? NULL : e->shape;
  return e == NULL ? 0 : e->rank;
}

int glia_safetensors_find(const glia_safetensors *f, const char *name) {
  int low = 0, high = f->count;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    const int order = strcmp(f->by_name[middle]->name, name);
    if (order == 0) return (int)(f->by_name[middle] - f->tensor);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

glia_status glia_safetensors_read(const glia_safetensors *f, int i, glia_tensor **out) {
  const entry *e = entry_at(f, i);
  if (e == NULL)
    return gi_fail(GLIA_INVALID, "%s: tensor %d of %d does not exist", f->what, i, f->count);
  if (!gi_element_is_own(e->element))
    return gi_fail(GLIA_DTYPE, "%s: tensor \"%.80s\": elements of dtype %s cannot be held",
                   f->what, e->name, e->element->name);
  const gi_array array = {
      .element = e->element, .rank = e->rank, .shape = e->shape, .data = f->data + e->begin};
  return gi_array_tensor(&array, f->what, e->name, out);
}

const void *gi_safetensors_data(const glia_safetensors *f, int i, const gi_element **element) {
  const entry *e = entry_at(f, i);
  if (e == NULL) return NULL;
  *element = e->element;
  return f->data + e->begin;
}

const char *glia_safetensors_metadata(const glia_safetensors *f, const char *key) {
  for (int i = 0; i < f->n_metadata; i++)
    if (strcmp(f->metadata[i].key, key) == 0) return f->metadata[i].value;
  return NULL;
}

const char *glia_safetensors_metadata_key(const glia_safetensors *f, int i) {
  return i < 0 || i >= f->n_metadata ? NULL : f->metadata[i].key;
}
