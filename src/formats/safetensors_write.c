/* formats/safetensors_write.c - writing files of named tensors; the format is described in
 * safetensors.c.
 *
 * Tensors of text, which the format has not, become metadata: a JSON list of strings.
 */
#include <stdlib.h>

#include "base/json.h"
#include "formats/formats.h"
#include "formats/reader.h"

enum { HEADER_MAX = 100000000, ALIGN = 64 };

/* A tensor to write, by its number in the file that it comes from. */
typedef struct item {
  const gi_entry *entry;
  int index;
} item;

/* Large elements first, so that each tensor is aligned to its elements. */
static int by_element_size(const void *a, const void *b) {
  const gi_entry *x = ((const item *)a)->entry, *y = ((const item *)b)->entry;
  const unsigned bx = x->array.element->bits, by = y->array.element->bits;
  return bx != by ? (bx > by ? -1 : 1) : strcmp(x->name, y->name);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Are all names UTF-8, and different? Sorts them. */
static glia_status check_names(const char *what, const char **names, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!gi_is_utf8(names[i]))
      return gi_fail(GLIA_INVALID, "safetensors: the name of %s \"%.80s\" is not UTF-8", what,
                     names[i]);
  if (n > 1) qsort(names, n, sizeof *names, by_text);
  for (size_t i = 1; i < n; i++)
    if (strcmp(names[i - 1], names[i]) == 0)
      return gi_fail(GLIA_INVALID, "safetensors: two %ss are called \"%.80s\"", what, names[i]);
  return GLIA_OK;
}

static bool is_text(const gi_entry *e) { return e->array.element->bits == 0; }

static glia_status check_entries(const glia_file *f) {
  for (size_t i = 0; i < f->metadata.n; i++)
    if (!gi_is_utf8(f->metadata.at[i].value))
      return gi_fail(GLIA_INVALID,
                     "safetensors: the value of metadata key \"%.80s\" is not UTF-8",
                     f->metadata.at[i].key);
  for (size_t i = 0; i < f->entries.n; i++) {
    const gi_entry *e = &f->entries.at[i];
    if (strcmp(e->name, "__metadata__") == 0)
      return gi_fail(GLIA_INVALID, "safetensors: no tensor can be called __metadata__");
    if (e->array.element->foreign && !is_text(e))
      return gi_fail(GLIA_DTYPE, "safetensors: tensor \"%.80s\": has no type for %s", e->name,
                     e->array.element->name);
  }
  return GLIA_OK;
}

static glia_status check_input(const glia_file *f) {
  const size_t n = f->entries.n + f->metadata.n;
  const char **names = gi_alloc((n + 1) * sizeof *names);
  if (names == NULL) return gi_fail_nomem(n * sizeof *names);
  for (size_t i = 0; i < f->entries.n; i++) names[i] = f->entries.at[i].name;
  glia_status s = check_names("tensor", names, f->entries.n);
  size_t keys = 0;
  for (size_t i = 0; i < f->metadata.n; i++) names[keys++] = f->metadata.at[i].key;
  for (size_t i = 0; i < f->entries.n; i++)
    if (is_text(&f->entries.at[i])) names[keys++] = f->entries.at[i].name;
  if (s == GLIA_OK) s = check_names("metadata key", names, keys);
  gi_free(names);
  return s == GLIA_OK ? check_entries(f) : s;
}

/* ---- the header ------------------------------------------------------------------------- */

static void add_character(gi_str *out, uint32_t c) {
  if (c >= 0xd800 && (c < 0xe000 || c > 0x10ffff)) c = 0xfffd; /* no character */
  const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
  char text[4];
  text[0] = (char)(lead[more] | c >> 6 * more);
  for (int i = 1; i <= more; i++) text[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
  gi_str_add(out, text, (size_t)more + 1);
}

/* A tensor of text as the JSON text of a list. */
static glia_status set_words(gi_json *metadata, const glia_file *f, int index) {
  const gi_entry *e = &f->entries.at[index];
  const size_t width = e->array.width;
  gi_elements words;
  GI_TRY(gi_file_elements(f, index, &words));
  gi_json *list = gi_json_array();
  const unsigned char *p = words.data;
  for (size_t at = 0; width > 0 && at + width <= words.bytes; at += width) {
    gi_str word = {0};
    gi_str_puts(&word, "");
    for (size_t i = 0; i + 4 <= width; i += 4) {
      uint32_t c;
      memcpy(&c, p + at + i, 4);
      if (c == 0) break;
      add_character(&word, c);
    }
    gi_json_add_str(list, word.s);
    gi_str_free(&word);
  }
  gi_elements_clear(&words);
  char *text = gi_json_text(list, 0);
  gi_json_free(list);
  if (text == NULL) return gi_fail_nomem(words.bytes);
  gi_json_set_str(metadata, e->name, text);
  gi_free(text);
  return GLIA_OK;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const glia_metadata *)a)->key, ((const glia_metadata *)b)->key);
}

/* In the order of the keys, so that equal files come of equal metadata. */
static glia_status set_pairs(gi_json *m, const glia_file *f) {
  const size_t n = f->metadata.n;
  glia_metadata *pairs = gi_alloc((n + 1) * sizeof *pairs);
  if (pairs == NULL) return gi_fail_nomem(n * sizeof *pairs);
  if (n > 0) memcpy(pairs, f->metadata.at, n * sizeof *pairs);
  qsort(pairs, n, sizeof *pairs, by_key);
  for (size_t i = 0; i < n; i++) gi_json_set_str(m, pairs[i].key, pairs[i].value);
  gi_free(pairs);
  return GLIA_OK;
}

static glia_status set_metadata(gi_json *root, const glia_file *f) {
  bool any = f->metadata.n > 0;
  for (size_t i = 0; i < f->entries.n; i++) any |= is_text(&f->entries.at[i]);
  if (!any) return GLIA_OK;
  gi_json *m = gi_json_object();
  glia_status s = set_pairs(m, f);
  for (size_t i = 0; i < f->entries.n && s == GLIA_OK; i++)
    if (is_text(&f->entries.at[i])) s = set_words(m, f, (int)i);
  gi_json_set(root, "__metadata__", m);
  return s;
}

static void set_tensors(gi_json *root, const item *items, int n) {
  size_t at = 0;
  for (int i = 0; i < n; i++) {
    const gi_entry *t = items[i].entry;
    gi_json *e = gi_json_object(), *shape = gi_json_array(), *offsets = gi_json_array();
    for (int k = 0; k < t->array.rank; k++) gi_json_add_int(shape, t->array.shape[k]);
    gi_json_add_int(offsets, (int64_t)at);
    at += t->bytes;
    gi_json_add_int(offsets, (int64_t)at);
    gi_json_set_str(e, "dtype", t->array.element->name);
    gi_json_set(e, "shape", shape);
    gi_json_set(e, "data_offsets", offsets);
    gi_json_set(root, t->name, e);
  }
}

/* The JSON of the header; owned. */
static glia_status header_text(const glia_file *f, const item *items, int n, char **out) {
  gi_json *root = gi_json_object();
  const glia_status s = set_metadata(root, f);
  set_tensors(root, items, n);
  *out = s == GLIA_OK ? gi_json_text(root, 0) : NULL;
  gi_json_free(root);
  GI_TRY(s);
  return *out == NULL ? gi_fail_nomem((size_t)n * 64) : GLIA_OK;
}

/* ---- the file --------------------------------------------------------------------------- */

/* Length, JSON and the blanks that bring the data to a multiple of 64 bytes. */
static glia_status write_header(gi_writer *w, const char *text) {
  static const char blanks[ALIGN + 1] =
      "                                                                ";
  const size_t n = strlen(text), pad = (ALIGN - (8 + n) % ALIGN) % ALIGN;
  const uint64_t length = n + pad;
  if (length > HEADER_MAX)
    return gi_fail(GLIA_INVALID,
                   "safetensors: the header would have %llu bytes, at most %d are "
                   "allowed; hint: fewer tensors or less metadata",
                   (unsigned long long)length, HEADER_MAX);
  GI_TRY(gi_writer_add(w, &length, sizeof length));
  GI_TRY(gi_writer_add(w, text, n));
  return gi_writer_add(w, blanks, pad);
}

static glia_status write_tensor(gi_writer *w, const glia_file *f, int index) {
  gi_elements e;
  GI_TRY(gi_file_elements(f, index, &e));
  const glia_status s = gi_writer_add(w, e.data, e.bytes);
  gi_elements_clear(&e);
  return s;
}

static glia_status write_all(const char *path, const glia_file *f, const item *items, int n,
                             const char *text) {
  gi_writer w;
  GI_TRY(gi_writer_open(&w, path));
  glia_status s = write_header(&w, text);
  for (int i = 0; i < n && s == GLIA_OK; i++) s = write_tensor(&w, f, items[i].index);
  if (s == GLIA_OK) return gi_writer_commit(&w);
  gi_writer_abort(&w);
  return s;
}

glia_status gi_safetensors_write_file(const char *path, const glia_file *f) {
  GI_TRY(check_input(f));
  const size_t bytes = (f->entries.n + 1) * sizeof(item);
  item *items = gi_alloc(bytes);
  if (items == NULL) return gi_fail_nomem(bytes);
  int n = 0;
  for (size_t i = 0; i < f->entries.n; i++)
    if (!is_text(&f->entries.at[i])) items[n++] = (item){&f->entries.at[i], (int)i};
  qsort(items, (size_t)n, sizeof *items, by_element_size);
  char *text = NULL;
  glia_status s = header_text(f, items, n, &text);
  if (s == GLIA_OK) s = write_all(path, f, items, n, text);
  gi_free(text);
  gi_free(items);
  return s;
}

glia_status glia_safetensors_write(const char *path, const glia_named_tensor *tensors, int n,
                                   const glia_metadata *metadata, int n_metadata) {
  for (int i = 0; i < n; i++)
    if (tensors[i].name == NULL || tensors[i].name[0] == '\0')
      return gi_fail(GLIA_INVALID, "safetensors: a tensor has no name");
  for (int i = 0; i < n_metadata; i++)
    if (metadata[i].key == NULL || metadata[i].key[0] == '\0')
      return gi_fail(GLIA_INVALID, "safetensors: a metadata key has no name");
  glia_file *f = NULL;
  GI_TRY(gi_file_of("safetensors", tensors, n, metadata, n_metadata, &f));
  const glia_status s = gi_safetensors_write_file(path, f);
  glia_file_close(f);
  return s;
}
