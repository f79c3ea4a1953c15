/* readers/torch.c - checkpoints that torch.save writes: .pt, .pth, pytorch_model.bin.
 *
 * Since 1.6 a zip: NAME/data.pkl, a pickle that describes tensors (pickle.h), and
 * NAME/data/KEY, the elements of a storage, little-endian unless NAME/byteorder says "big".
 * Before, pickles and storages in a row: the magic number, the protocol 1001, facts of the
 * machine, the object, the list of keys; then for each key i64 elements and the elements.
 *
 * Of the object, tensors become entries and numbers and texts metadata, under their path:
 * {"model": {"fc": {"weight": t}}} is "model.fc.weight".
 */
#include <inttypes.h>
#include <stdlib.h>

#include "formats/pickle.h"
#include "formats/reader.h"
#include "formats/zip.h"

enum { DEPTH = 100, VISITS = 1 << 22, PATH_BYTES = 4096 };

typedef struct checkpoint {
  gi_zip zip;
  GI_VEC(void *) unpacked; /* storages that were deflated */
  bool big_endian;
  int64_t visits;
} checkpoint;

/* ---- the object ------------------------------------------------------------------------- */

static glia_status add_tensor(glia_file *f, const char *name, const gi_value *t) {
  const checkpoint *own = f->own;
  const gi_storage *s = t->storage;
  const size_t width = s->element->bits / 8;
  gi_entry e = {.name = name,
                .array = {.element = s->element,
                          .rank = t->rank,
                          .shape = t->shape,
                          .strides = t->strides,
                          .swap = own->big_endian}};
  size_t bytes = 0;
  GI_TRY(gi_where(gi_array_bytes(&e.array, &bytes), "%s: tensor \"%.80s\"", f->what, name));
  if (bytes > 0) e.array.data = (const unsigned char *)s->data + (size_t)t->offset * width;
  return gi_file_add(f, &e);
}

static glia_status add_note(glia_file *f, const char *name, const gi_value *v) {
  char number[40];
  const char *text = v->text;
  switch (v->kind) {
    case GI_PICKLE_NONE: text = "None"; break;
    case GI_PICKLE_BOOL: text = v->i != 0 ? "True" : "False"; break;
    case GI_PICKLE_INT:
      snprintf(number, sizeof number, "%" PRId64, v->i);
      text = number;
      break;
    case GI_PICKLE_FLOAT:
      snprintf(number, sizeof number, "%.17g", v->f);
      text = number;
      break;
    case GI_PICKLE_TEXT:
    case GI_PICKLE_OTHER: break;
    case GI_PICKLE_BIG:
    case GI_PICKLE_GLOBAL:
    case GI_PICKLE_STORAGE:
    case GI_PICKLE_TUPLE:
    case GI_PICKLE_LIST:
    case GI_PICKLE_DICT:
    case GI_PICKLE_TENSOR: return GLIA_OK; /* says nothing, or is no leaf */
  }
  return gi_is_utf8(text) && gi_is_utf8(name) ? gi_file_note(f, name, text) : GLIA_OK;
}

static glia_status add_leaf(glia_file *f, const char *name, const gi_value *v) {
  if (v->kind != GI_PICKLE_TENSOR) return add_note(f, name, v);
  return add_tensor(f, name[0] == '\0' ? "a" : name, v);
}

/* Puts ".KEY" behind the path; what it was before is the caller's to restore. */
static glia_status extend(gi_str *path, const gi_value *key, size_t number) {
  if (path->n > 0) gi_str_puts(path, ".");
  if (key == NULL)
    gi_str_printf(path, "%zu", number);
  else if (key->kind == GI_PICKLE_TEXT)
    gi_str_puts(path, key->text);
  else if (key->kind == GI_PICKLE_INT || key->kind == GI_PICKLE_BOOL)
    gi_str_printf(path, "%" PRId64, key->i);
  else
    gi_str_printf(path, "?%zu", number);
  if (path->failed) return gi_fail_nomem(path->n);
  if (path->n > PATH_BYTES)
    return gi_fail(GLIA_FORMAT, "pickle: a name has more than %d bytes", PATH_BYTES);
  return GLIA_OK;
}

/* A value may hold itself, and what is small may hold much many times over: both are counted.
 */
static glia_status walk(glia_file *f, const gi_value *v, gi_str *path, int depth) {
  checkpoint *own = f->own;
  const size_t step = v->kind == GI_PICKLE_DICT ? 2 : 1;
  if (v->kind != GI_PICKLE_DICT && v->kind != GI_PICKLE_LIST && v->kind != GI_PICKLE_TUPLE)
    return add_leaf(f, path->s, v);
  if (depth == DEPTH)
    return gi_fail(GLIA_FORMAT, "%s: pickle: values lie more than %d deep in one another",
                   f->what, DEPTH);
  for (size_t i = 0; i + step <= v->n; i += step) {
    if (own->visits++ == VISITS)
      return gi_fail(GLIA_FORMAT, "%s: pickle: holds more than %d values", f->what, VISITS);
    const size_t before = path->n;
    GI_TRY(extend(path, step == 2 ? v->item[i] : NULL, i / step));
    GI_TRY(walk(f, v->item[i + step - 1], path, depth + 1));
    path->n = before;
    path->s[before] = '\0';
  }
  return GLIA_OK;
}

static glia_status add_all(glia_file *f, const gi_value *root) {
  gi_str path = {0};
  gi_str_puts(&path, "");
  const glia_status s = path.failed ? gi_fail_nomem(1) : walk(f, root, &path, 0);
  gi_str_free(&path);
  return s;
}

/* ---- storages --------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b) {
  const gi_storage *x = *(const gi_storage *const *)a, *y = *(const gi_storage *const *)b;
  return strcmp(x->key, y->key);
}

/* All storages in the order of their keys, in the file's arena. */
static glia_status sort_storages(glia_file *f, const gi_pickle *p, gi_storage ***out) {
  gi_storage **list = gi_arena_alloc(&f->arena, (p->n_storages + 1) * sizeof *list);
  if (list == NULL) return gi_fail_nomem(p->n_storages * sizeof *list);
  size_t n = 0;
  for (gi_storage *s = p->storages; s != NULL; s = s->next) list[n++] = s;
  if (n > 1) qsort(list, n, sizeof *list, by_key);
  for (size_t i = 0; i < n; i++)
    if (list[i]->view)
      return gi_fail(
          GLIA_FORMAT,
          "%s: storage \"%.40s\" is a part of another one, as torch before 0.4 wrote; "
          "hint: load and save it with a newer one",
          f->what, list[i]->key);
  *out = list;
  return GLIA_OK;
}

/* Gives `bytes` of elements to storages i... of one key; returns how many there were in *n. */
static glia_status give(const glia_file *f, gi_storage **list, size_t i, size_t count,
                        const void *data, size_t bytes, size_t *n) {
  const char *key = list[i]->key;
  size_t want = 0;
  for (*n = 0; i < count && strcmp(list[i]->key, key) == 0; i++, (*n)++) {
    if (!gi_mul_size((size_t)list[i]->count, list[i]->element->bits / 8, &want) || want > bytes)
      return gi_fail(GLIA_FORMAT,
                     "%s: storage \"%.40s\" has %zu bytes, wanted %lld elements of %s", f->what,
                     key, bytes, (long long)list[i]->count, list[i]->element->name);
    list[i]->data = data;
  }
  return GLIA_OK;
}

/* ---- the zip ---------------------------------------------------------------------------- */

static const gi_member *find_pickle(const gi_zip *zip) {
  const gi_member *m = gi_zip_ending(zip, "/data.pkl");
  return m != NULL ? m : gi_zip_find(zip, "data.pkl");
}

/* The member NAME/rest, where NAME is the folder of the pickle. */
static glia_status find_beside(glia_file *f, const gi_member *pickle, const char *rest,
                               const gi_member **out) {
  const checkpoint *own = f->own;
  const size_t folder = strlen(pickle->name) - strlen("data.pkl");
  gi_str name = {0};
  gi_str_add(&name, pickle->name, folder);
  gi_str_puts(&name, rest);
  if (!name.failed) *out = gi_zip_find(&own->zip, name.s);
  const glia_status s = name.failed ? gi_fail_nomem(name.n) : GLIA_OK;
  gi_str_free(&name);
  return s;
}

static glia_status read_storage(glia_file *f, const gi_member *pickle, const char *key,
                                const void **data, size_t *bytes) {
  checkpoint *own = f->own;
  const gi_member *m = NULL;
  gi_str rest = {0};
  gi_str_printf(&rest, "data/%s", key);
  glia_status s = rest.failed ? gi_fail_nomem(rest.n) : find_beside(f, pickle, rest.s, &m);
  gi_str_free(&rest);
  GI_TRY(s);
  if (m == NULL) return gi_fail(GLIA_FORMAT, "%s: storage \"%.40s\" is missing", f->what, key);
  void *hold = NULL;
  if (m->deflated) GI_TRY(gi_file_claim(f, m->bytes));
  GI_TRY(gi_zip_read(&own->zip, m, data, &hold));
  if (hold != NULL && !gi_vec_push(&own->unpacked, hold)) {
    gi_free(hold);
    return gi_fail_nomem(own->unpacked.n);
  }
  *bytes = m->bytes;
  return GLIA_OK;
}

static glia_status read_byte_order(glia_file *f, const gi_member *pickle) {
  checkpoint *own = f->own;
  const gi_member *m = NULL;
  char text[8] = "";
  size_t got = 0;
  GI_TRY(find_beside(f, pickle, "byteorder", &m));
  if (m != NULL) GI_TRY(gi_zip_begin(&own->zip, m, text, sizeof text - 1, &got));
  own->big_endian = strncmp(text, "big", 3) == 0;
  return GLIA_OK;
}

static glia_status read_zip_storages(glia_file *f, const gi_member *pickle,
                                     const gi_pickle *p) {
  gi_storage **list = NULL;
  GI_TRY(sort_storages(f, p, &list));
  for (size_t i = 0, n = 0; i < p->n_storages; i += n) {
    const void *data = NULL;
    size_t bytes = 0;
    GI_TRY(read_storage(f, pickle, list[i]->key, &data, &bytes));
    GI_TRY(give(f, list, i, p->n_storages, data, bytes, &n));
  }
  return GLIA_OK;
}

static glia_status open_zip(glia_file *f) {
  checkpoint *own = f->own;
  GI_TRY(gi_zip_open(f->p, f->n, f->what, &f->arena, &own->zip));
  const gi_member *m = find_pickle(&own->zip);
  if (m == NULL) return gi_fail(GLIA_FORMAT, "%s: holds no data.pkl", f->what);
  const void *text = NULL;
  void *hold = NULL;
  gi_pickle p = {0};
  if (m->deflated) GI_TRY(gi_file_claim(f, m->bytes));
  GI_TRY(gi_zip_read(&own->zip, m, &text, &hold));
  glia_status s = gi_pickle_read(text, m->bytes, f->what, &f->arena, &p);
  gi_free(hold); /* values are copies */
  if (s == GLIA_OK) s = read_byte_order(f, m);
  if (s == GLIA_OK) s = read_zip_storages(f, m, &p);
  return s == GLIA_OK ? add_all(f, p.root) : s;
}

/* ---- the legacy row of pickles ----------------------------------------------------------- */

/* 0x1950a86a20f9469cfc6c, little-endian */
static const unsigned char magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                      0x20, 0x6a, 0xa8, 0x50, 0x19};

/* The next pickle of the file. */
static glia_status next(const glia_file *f, gi_arena *arena, size_t *at, gi_pickle *out) {
  GI_TRY(gi_pickle_read(f->p + *at, f->n - *at, f->what, arena, out));
  *at += out->bytes;
  return GLIA_OK;
}

static glia_status read_head(glia_file *f, size_t *at) {
  gi_pickle p;
  GI_TRY(next(f, &f->arena, at, &p));
  if (p.root->kind != GI_PICKLE_BIG || p.root->n != sizeof magic ||
      memcmp(p.root->text, magic, sizeof magic) != 0)
    return gi_fail(GLIA_FORMAT, "%s: is no checkpoint of torch: it begins with another pickle",
                   f->what);
  GI_TRY(next(f, &f->arena, at, &p));
  if (p.root->kind != GI_PICKLE_INT || p.root->i != 1001)
    return gi_fail(GLIA_FORMAT, "%s: is of a protocol other than 1001", f->what);
  GI_TRY(next(f, &f->arena, at, &p));
  for (size_t i = 0; p.root->kind == GI_PICKLE_DICT && i + 1 < p.root->n; i += 2) {
    const gi_value *key = p.root->item[i], *value = p.root->item[i + 1];
    if (key->kind == GI_PICKLE_TEXT && strcmp(key->text, "little_endian") == 0 && value->i == 0)
      return gi_fail(GLIA_FORMAT, "%s: was written on a big-endian machine", f->what);
  }
  return GLIA_OK;
}

/* i64 elements, then them; the pickle before says of what type. */
static glia_status read_legacy_storage(glia_file *f, gi_storage **list, size_t count,
                                       const char *key, size_t *at) {
  const gi_storage want = {.key = key}, *pointer = &want;
  gi_storage **found = count == 0 ? NULL : bsearch(&pointer, list, count, sizeof *list, by_key);
  if (found == NULL)
    return gi_fail(GLIA_FORMAT, "%s: storage \"%.40s\" belongs to no tensor", f->what, key);
  size_t first = (size_t)(found - list), n = 0, bytes = 0;
  while (first > 0 && strcmp(list[first - 1]->key, key) == 0) first--;
  int64_t elements = 0;
  if (f->n - *at < 8)
    return gi_fail(GLIA_FORMAT, "%s: ends before storage \"%.40s\"; truncated?", f->what, key);
  memcpy(&elements, f->p + *at, 8);
  *at += 8;
  if (elements < 0 || !gi_mul_size((size_t)elements, list[first]->element->bits / 8, &bytes) ||
      bytes > f->n - *at)
    return gi_fail(GLIA_FORMAT, "%s: storage \"%.40s\" has %lld elements, the file ends before",
                   f->what, key, (long long)elements);
  GI_TRY(give(f, list, first, count, f->p + *at, bytes, &n));
  *at += bytes;
  return GLIA_OK;
}

static glia_status read_legacy_storages(glia_file *f, const gi_pickle *object,
                                        const gi_value *keys, size_t *at) {
  gi_storage **list = NULL;
  GI_TRY(sort_storages(f, object, &list));
  if (keys->kind != GI_PICKLE_LIST)
    return gi_fail(GLIA_FORMAT, "%s: the keys of the storages are no list", f->what);
  for (size_t i = 0; i < keys->n; i++) {
    if (keys->item[i]->kind != GI_PICKLE_TEXT)
      return gi_fail(GLIA_FORMAT, "%s: the key of a storage is no text", f->what);
    GI_TRY(read_legacy_storage(f, list, object->n_storages, keys->item[i]->text, at));
  }
  for (size_t i = 0; i < object->n_storages; i++)
    if (list[i]->data == NULL)
      return gi_fail(GLIA_FORMAT, "%s: storage \"%.40s\" is missing", f->what, list[i]->key);
  if (*at != f->n)
    return gi_fail(GLIA_FORMAT, "%s: %zu bytes follow the last storage", f->what, f->n - *at);
  return GLIA_OK;
}

static glia_status open_legacy(glia_file *f) {
  size_t at = 0;
  gi_pickle object, keys;
  GI_TRY(read_head(f, &at));
  GI_TRY(next(f, &f->arena, &at, &object));
  GI_TRY(next(f, &f->arena, &at, &keys));
  GI_TRY(read_legacy_storages(f, &object, keys.root, &at));
  return add_all(f, object.root);
}

/* ---- the row ---------------------------------------------------------------------------- */

static bool is_torch(const unsigned char *p, size_t n) {
  if (n > 4 + sizeof magic && p[0] == 0x80 && p[2] == 0x8a &&
      memcmp(p + 4, magic, sizeof magic) == 0)
    return true;
  gi_arena arena = {0};
  gi_zip zip;
  bool is = false;
  if (!gi_is_zip(p, n)) return false;
  if (gi_zip_open(p, n, "torch", &arena, &zip) == GLIA_OK) is = find_pickle(&zip) != NULL;
  gi_arena_free(&arena);
  return is;
}

static glia_status open_torch(glia_file *f) {
  f->own = gi_alloc(sizeof(checkpoint));
  if (f->own == NULL) return gi_fail_nomem(sizeof(checkpoint));
  if (gi_is_zip(f->p, f->n)) return open_zip(f);
  if (f->n > 0 && f->p[0] == 0x80) return open_legacy(f);
  return gi_fail(GLIA_FORMAT, "%s: begins neither as a zip nor as a pickle", f->what);
}

static void close_torch(glia_file *f) {
  checkpoint *own = f->own;
  if (own == NULL) return;
  for (size_t i = 0; i < own->unpacked.n; i++) gi_free(own->unpacked.at[i]);
  gi_vec_free(&own->unpacked);
  gi_free(own);
}

static const char *const suffixes[] = {".pt", ".pth", NULL};

static const gi_reader torch = {
    .name = "torch",
    .title = "PyTorch checkpoint",
    .suffixes = suffixes,
    .is = is_torch,
    .open = open_torch,
    .close = close_torch,
};

const gi_reader *const gi_readers_torch[] = {&torch, NULL};
