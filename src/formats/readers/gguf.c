/* readers/gguf.c - GGUF: the tensors of llama.cpp's models.
 *
 *   "GGUF" | u32 version (2, 3) | u64 tensors | u64 pairs
 *   | pairs: key, u32 type, value   | tensors: name, u32 rank, u64 dims, u32 type, u64 offset
 *   | padding to general.alignment (32) | data
 *
 * Text is a u64 length and its bytes. Dimensions go from the innermost out, the reverse of
 * ours; offsets count from the data's start. Everything is little-endian. Counts are a
 * stranger's: each is held against the bytes that so many things need at least.
 */
#include <inttypes.h>

#include "formats/gguf_blocks.h"
#include "formats/reader.h"

enum {
  ALIGN = 32,
  ALIGN_MAX = 1 << 20,
  PAIR_BYTES = 8 + 4 + 1, /* of the smallest */
  TENSOR_BYTES = 8 + 4 + 4 + 8,
  NAME_MAX_BYTES = 4096,
  TEXT_SHOWN = 100000,
  DEPTH = 8 /* arrays in arrays */
};

typedef struct cursor {
  const unsigned char *p;
  size_t n, at;
} cursor;

static glia_status cut(const char *of) {
  return gi_fail(GLIA_FORMAT, "ends within %s; truncated?", of);
}

static glia_status take(cursor *c, size_t n, const char *of, const unsigned char **out) {
  if (c->n - c->at < n) return cut(of);
  *out = c->p + c->at;
  c->at += n;
  return GLIA_OK;
}

static glia_status number(cursor *c, size_t bytes, const char *of, uint64_t *out) {
  const unsigned char *p = NULL;
  GI_TRY(take(c, bytes, of, &p));
  *out = 0;
  for (size_t i = bytes; i-- > 0;) *out = *out << 8 | p[i];
  return GLIA_OK;
}

/* Copied, with a NUL behind, as far as its first NUL. */
static glia_status text(cursor *c, gi_arena *arena, size_t most, const char *of, char **out) {
  uint64_t n = 0;
  const unsigned char *p = NULL;
  GI_TRY(number(c, 8, of, &n));
  if (n > c->n - c->at) return cut(of);
  GI_TRY(take(c, (size_t)n, of, &p));
  const size_t keep = GI_MIN((size_t)n, most);
  *out = gi_arena_alloc(arena, keep + 1);
  if (*out == NULL) return gi_fail_nomem(keep + 1);
  if (keep > 0) memcpy(*out, p, keep);
  return GLIA_OK;
}

/* ---- pairs ------------------------------------------------------------------------------ */

typedef enum value_kind { UNSIGNED, SIGNED, FLOATING, BOOLEAN, TEXT, ARRAY } value_kind;

static const struct {
  const char *name;
  value_kind kind;
  size_t bytes;
} value_types[] = {
    {"u8", UNSIGNED, 1},  {"i8", SIGNED, 1},   {"u16", UNSIGNED, 2}, {"i16", SIGNED, 2},
    {"u32", UNSIGNED, 4}, {"i32", SIGNED, 4},  {"f32", FLOATING, 4}, {"bool", BOOLEAN, 1},
    {"text", TEXT, 8},    {"list", ARRAY, 12}, {"u64", UNSIGNED, 8}, {"i64", SIGNED, 8},
    {"f64", FLOATING, 8},
};

static glia_status check_type(uint64_t type) {
  return type < (uint64_t)GI_COUNT(value_types)
             ? GLIA_OK
             : gi_fail(GLIA_FORMAT, "its value is of type %" PRIu64 ", which is not known",
                       type);
}

static double floating(uint64_t bits, size_t bytes) {
  const uint32_t low = (uint32_t)bits;
  float single;
  double v;
  if (bytes == 8) {
    memcpy(&v, &bits, sizeof v);
    return v;
  }
  memcpy(&single, &low, sizeof single);
  return (double)single;
}

static void number_text(uint64_t type, uint64_t bits, gi_str *out) {
  const size_t bytes = value_types[type].bytes;
  const unsigned spare = (unsigned)(64 - 8 * bytes);
  switch (value_types[type].kind) {
    case UNSIGNED: gi_str_printf(out, "%" PRIu64, bits); break;
    case SIGNED: gi_str_printf(out, "%" PRId64, (int64_t)(bits << spare) >> spare); break;
    case FLOATING: gi_str_printf(out, "%.9g", floating(bits, bytes)); break;
    case BOOLEAN: gi_str_puts(out, bits != 0 ? "true" : "false"); break;
    case TEXT:
    case ARRAY: break;
  }
}

/* Steps over `count` values of a type. */
static glia_status skip(cursor *c, uint64_t type, uint64_t count, int depth) {
  const unsigned char *p = NULL;
  GI_TRY(check_type(type));
  const size_t bytes = value_types[type].bytes;
  if (count > (c->n - c->at) / bytes)
    return gi_fail(GLIA_FORMAT, "its list of %" PRIu64 " values is longer than the file",
                   count);
  if (value_types[type].kind != TEXT && value_types[type].kind != ARRAY)
    return take(c, (size_t)count * bytes, "a list", &p);
  if (depth == DEPTH) return gi_fail(GLIA_FORMAT, "its lists lie more than %d deep", DEPTH);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t inner = 0, n = 0;
    if (value_types[type].kind == ARRAY) GI_TRY(number(c, 4, "a list", &inner));
    GI_TRY(number(c, 8, "a list", &n));
    if (value_types[type].kind == ARRAY)
      GI_TRY(skip(c, inner, n, depth + 1));
    else if (n > c->n - c->at)
      return cut("a text of a list");
    else
      c->at += (size_t)n;
  }
  return GLIA_OK;
}

/* One value as text; numbers also as bits. */
static glia_status read_value(cursor *c, gi_arena *arena, gi_str *out, uint64_t *type,
                              uint64_t *bits) {
  GI_TRY(number(c, 4, "a pair", type));
  GI_TRY(check_type(*type));
  if (value_types[*type].kind == TEXT) {
    char *s = NULL;
    GI_TRY(text(c, arena, TEXT_SHOWN, "a text", &s));
    gi_str_puts(out, s);
  } else if (value_types[*type].kind == ARRAY) {
    uint64_t inner = 0, n = 0;
    GI_TRY(number(c, 4, "a list", &inner));
    GI_TRY(number(c, 8, "a list", &n));
    GI_TRY(skip(c, inner, n, 0));
    gi_str_printf(out, "[%" PRIu64 " x %s]", n, value_types[inner].name);
  } else {
    GI_TRY(number(c, value_types[*type].bytes, "a pair", bits));
    number_text(*type, *bits, out);
  }
  return out->failed ? gi_fail_nomem(out->n) : GLIA_OK;
}

static glia_status read_pair(glia_file *f, cursor *c, uint64_t *align) {
  char *key = NULL;
  gi_str value = {0};
  uint64_t type = 0, bits = 0;
  GI_TRY(text(c, &f->arena, NAME_MAX_BYTES, "a key", &key));
  gi_str_puts(&value, "");
  glia_status s = gi_where(read_value(c, &f->arena, &value, &type, &bits), "\"%.80s\"", key);
  if (s == GLIA_OK && strcmp(key, "general.alignment") == 0) *align = bits;
  if (s == GLIA_OK && gi_is_utf8(key) && gi_is_utf8(value.s)) s = gi_file_note(f, key, value.s);
  gi_str_free(&value);
  return s;
}

/* ---- tensors ---------------------------------------------------------------------------- */

typedef struct tensor {
  const gi_gguf_type *type;
  uint64_t offset;
  size_t blocks;
  const unsigned char *p; /* once it is known where the data begin */
} tensor;

static glia_status read_dims(cursor *c, uint64_t rank, int64_t *shape, size_t *count) {
  *count = 1;
  for (uint64_t i = 0; i < rank; i++) {
    uint64_t d = 0;
    GI_TRY(number(c, 8, "a shape", &d));
    if (d > INT64_MAX || !gi_mul_size(*count, (size_t)d, count))
      return gi_fail(GLIA_FORMAT, "has more elements than can be counted");
    shape[rank - 1 - i] = (int64_t)d;
  }
  return GLIA_OK;
}

static glia_status read_type(cursor *c, int64_t inner, size_t count, tensor *t) {
  uint64_t code = 0;
  GI_TRY(number(c, 4, "a type", &code));
  t->type = gi_gguf_type_find((uint32_t)code);
  if (t->type == NULL)
    return gi_fail(GLIA_FORMAT, "is of type %" PRIu64 ", which is not known", code);
  if (inner % t->type->numbers != 0)
    return gi_fail(GLIA_FORMAT, "its rows of %" PRId64 " elements are no blocks of %d", inner,
                   t->type->numbers);
  t->blocks = count / (size_t)t->type->numbers;
  return GLIA_OK;
}

static glia_status read_tensor(glia_file *f, cursor *c) {
  char *name = NULL;
  uint64_t rank = 0;
  size_t count = 0;
  int64_t shape[GLIA_MAX_RANK] = {0};
  tensor *t = gi_arena_alloc(&f->arena, sizeof *t);
  if (t == NULL) return gi_fail_nomem(sizeof *t);
  GI_TRY(text(c, &f->arena, NAME_MAX_BYTES, "a name", &name));
  GI_TRY(number(c, 4, "a rank", &rank));
  if (rank > GLIA_MAX_RANK)
    return gi_fail(GLIA_FORMAT, "\"%.80s\" has %" PRIu64 " dimensions, at most %d are read",
                   name, rank, GLIA_MAX_RANK);
  GI_TRY(gi_where(read_dims(c, rank, shape, &count), "\"%.80s\"", name));
  GI_TRY(gi_where(read_type(c, rank > 0 ? shape[rank - 1] : 1, count, t), "\"%.80s\"", name));
  GI_TRY(number(c, 8, "an offset", &t->offset));
  const char *element = t->type->element != NULL ? t->type->element : "F32";
  const gi_entry e = {
      .name = name,
      .dtype = t->type->name,
      .array = {.element = gi_element_named(element), .rank = (int)rank, .shape = shape},
      .own = t};
  return gi_file_add(f, &e);
}

/* Where the elements lie, now that the header's end is known. */
static glia_status place(glia_file *f, gi_entry *e, size_t start, uint64_t align, tensor *t) {
  size_t bytes = 0;
  const size_t data = f->n - start;
  if (t->offset % align != 0)
    return gi_fail(GLIA_FORMAT, "begins at %" PRIu64 ", no multiple of %" PRIu64, t->offset,
                   align);
  if (!gi_mul_size(t->blocks, (size_t)t->type->bytes, &bytes) || t->offset > data ||
      bytes > data - t->offset)
    return gi_fail(GLIA_FORMAT, "has %zu bytes from %" PRIu64 " on, the file's data are %zu",
                   bytes, t->offset, data);
  t->p = f->p + start + t->offset;
  if (t->type->element != NULL) e->array.data = t->p;
  return GLIA_OK;
}

static glia_status place_all(glia_file *f, size_t start, uint64_t align) {
  for (size_t i = 0; i < f->entries.n; i++) {
    gi_entry *e = &f->entries.at[i];
    tensor *t = gi_arena_copy(&f->arena, e->own, sizeof *t);
    if (t == NULL) return gi_fail_nomem(sizeof *t);
    GI_TRY(gi_where(place(f, e, start, align, t), "tensor \"%.80s\"", e->name));
    e->own = t;
  }
  return GLIA_OK;
}

static glia_status read_all(glia_file *f) {
  cursor c = {.p = f->p, .n = f->n};
  const unsigned char *magic = NULL;
  uint64_t version = 0, tensors = 0, pairs = 0, align = ALIGN;
  GI_TRY(take(&c, 4, "its magic", &magic));
  if (memcmp(magic, "GGUF", 4) != 0) return gi_fail(GLIA_FORMAT, "does not begin with GGUF");
  GI_TRY(number(&c, 4, "its version", &version));
  if (version != 2 && version != 3)
    return gi_fail(GLIA_FORMAT, "is of version %" PRIu64 ", wanted 2 or 3", version);
  GI_TRY(number(&c, 8, "its counts", &tensors));
  GI_TRY(number(&c, 8, "its counts", &pairs));
  if (tensors > (c.n - c.at) / TENSOR_BYTES || pairs > (c.n - c.at) / PAIR_BYTES)
    return gi_fail(GLIA_FORMAT,
                   "%" PRIu64 " tensors and %" PRIu64 " pairs are more than %zu bytes can hold",
                   tensors, pairs, c.n);
  for (uint64_t i = 0; i < pairs; i++)
    GI_TRY(gi_where(read_pair(f, &c, &align), "pair %" PRIu64, i));
  for (uint64_t i = 0; i < tensors; i++)
    GI_TRY(gi_where(read_tensor(f, &c), "tensor %" PRIu64, i));
  if (align == 0 || align > ALIGN_MAX)
    return gi_fail(GLIA_FORMAT, "general.alignment is %" PRIu64, align);
  const size_t start = (c.at + (size_t)align - 1) / (size_t)align * (size_t)align;
  return place_all(f, GI_MIN(start, f->n), align);
}

static glia_status open_gguf(glia_file *f) {
  return gi_where(read_all(f), "%s: gguf", f->what);
}

static glia_status fetch_gguf(const glia_file *f, const gi_entry *e, const void **data,
                              void **hold) {
  const tensor *t = e->own;
  if (t->type->unpack == NULL)
    return gi_fail(GLIA_DTYPE, "%s: tensor \"%.80s\": elements of %s cannot be unpacked",
                   f->what, e->name, t->type->name);
  float *out = gi_alloc(e->bytes);
  if (out == NULL) return gi_fail_nomem(e->bytes);
  for (size_t i = 0; i < t->blocks; i++)
    t->type->unpack(t->p + i * (size_t)t->type->bytes, out + i * (size_t)t->type->numbers);
  *data = *hold = out;
  return GLIA_OK;
}

/* ---- the row ---------------------------------------------------------------------------- */

static bool is_gguf(const unsigned char *p, size_t n) {
  return n >= 4 && memcmp(p, "GGUF", 4) == 0;
}

static const char *const suffixes[] = {".gguf", NULL};

static const gi_reader gguf = {
    .name = "gguf",
    .title = "tensors of a language model",
    .suffixes = suffixes,
    .is = is_gguf,
    .open = open_gguf,
    .fetch = fetch_gguf,
};

const gi_reader *const gi_readers_gguf[] = {&gguf, NULL};
