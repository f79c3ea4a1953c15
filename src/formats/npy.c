/* formats/npy.c - NumPy's file of one array.
 *
 *   "\x93NUMPY" | major | minor | header length (u16 in 1.0, u32 in 2.0 and 3.0, little-endian)
 *   | {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } blanks \n | data
 *
 * Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html. The header is a
 * Python literal; a scanner for exactly those three keys reads it and evaluates nothing.
 */
#include <assert.h>

#include "formats/formats.h"
#include "tensor/tensor.h"

enum { ALIGN = 64 };

/* NumPy's word for a type without its byte order, bytes of an element, signed?, what holds it.
 */
typedef struct element {
  const char *word;
  size_t bytes;
  bool is_signed;
  glia_dtype dtype;
} element;

static const element elements[] = {
    {"f4", 4, true, GLIA_F32},   {"f8", 8, true, GLIA_F64},  {"f2", 2, true, GLIA_F16},
    {"i4", 4, true, GLIA_I32},   {"i8", 8, true, GLIA_I64},  {"u1", 1, false, GLIA_U8},
    {"b1", 1, false, GLIA_BOOL}, {"i1", 1, true, GLIA_I8},   {"i2", 2, true, GLIA_I32},
    {"u2", 2, false, GLIA_I32},  {"u4", 4, false, GLIA_I64},
};

typedef struct header {
  const element *element;
  bool big_endian, fortran;
  gi_type type; /* of the result */
} header;

/* ---- the header ------------------------------------------------------------------------ */

typedef struct scanner {
  const char *at, *end;
  const char *what;
} scanner;

static void skip_blanks(scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n')) s->at++;
}

/* Takes c, after blanks, if it is next. */
static bool take(scanner *s, char c) {
  skip_blanks(s);
  if (s->at == s->end || *s->at != c) return false;
  s->at++;
  return true;
}

static bool take_word(scanner *s, const char *word) {
  const size_t n = strlen(word);
  skip_blanks(s);
  if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return false;
  s->at += n;
  return true;
}

/* A quoted string without escapes, into buf. */
static bool take_string(scanner *s, char *buf, size_t room) {
  skip_blanks(s);
  if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
  const char quote = *s->at++;
  size_t n = 0;
  for (; s->at < s->end && *s->at != quote; s->at++) {
    if (*s->at == '\\' || n + 1 >= room) return false;
    buf[n++] = *s->at;
  }
  buf[n] = '\0';
  return s->at < s->end && *s->at++ == quote;
}

static glia_status bad_header(const scanner *s, const char *wanted) {
  const int left = (int)GI_MIN(s->end - s->at, 20);
  return gi_fail(GLIA_FORMAT, "%s: header: wanted %s, found \"%.*s\"", s->what, wanted, left,
                 s->at);
}

static glia_status scan_descr(scanner *s, header *h) {
  char word[32];
  if (take(s, '['))
    return gi_fail(GLIA_DTYPE, "%s: descr: arrays of records cannot be held", s->what);
  if (!take_string(s, word, sizeof word)) return bad_header(s, "a type such as '<f4'");
  if (word[0] != '\0' && (word[1] == 'O' || word[0] == 'O'))
    return gi_fail(GLIA_FORMAT,
                   "%s: descr: holds pickled Python objects, which are never read; hint: save "
                   "the numbers as an array of one type",
                   s->what);
  const bool ordered = word[0] == '<' || word[0] == '>' || word[0] == '|' || word[0] == '=';
  for (int i = 0; i < GI_COUNT(elements) && ordered; i++)
    if (strcmp(elements[i].word, word + 1) == 0) h->element = &elements[i];
  if (h->element == NULL)
    return gi_fail(GLIA_DTYPE, "%s: descr: elements of type '%s' cannot be held", s->what,
                   word);
  h->big_endian = word[0] == '>';
  h->type.dtype = h->element->dtype;
  return GLIA_OK;
}

static glia_status scan_order(scanner *s, header *h) {
  h->fortran = take_word(s, "True");
  return h->fortran || take_word(s, "False") ? GLIA_OK : bad_header(s, "True or False");
}

/* (), (3,), (3, 4) */
static glia_status scan_shape(scanner *s, header *h) {
  if (!take(s, '(')) return bad_header(s, "a shape in parentheses");
  int rank = 0;
  bool comma = true;
  while (!take(s, ')')) {
    if (!comma || s->at == s->end || *s->at < '0' || *s->at > '9')
      return bad_header(s, "a dimension");
    int64_t v = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
      if (v > (INT64_MAX - 9) / 10)
        return gi_fail(GLIA_FORMAT, "%s: shape: dimension %d is too large", s->what, rank);
      v = v * 10 + (*s->at - '0');
    }
    if (rank == GLIA_MAX_RANK)
      return gi_fail(GLIA_SHAPE, "%s: shape: has more than %d dimensions", s->what,
                     GLIA_MAX_RANK);
    h->type.dim[rank++] = v;
    comma = take(s, ',');
  }
  if (rank == 1 && !comma) return bad_header(s, "a comma in the shape of one dimension");
  h->type.rank = rank;
  return GLIA_OK;
}

static const struct {
  const char *key;
  glia_status (*scan)(scanner *s, header *h);
} keys[] = {{"descr", scan_descr}, {"fortran_order", scan_order}, {"shape", scan_shape}};

static glia_status scan_header(scanner *s, header *h) {
  bool seen[GI_COUNT(keys)] = {false};
  char key[32];
  bool comma = true;
  if (!take(s, '{')) return bad_header(s, "{");
  while (!take(s, '}')) {
    int k = -1;
    if (!comma || !take_string(s, key, sizeof key)) return bad_header(s, "a key in quotes");
    for (int i = 0; i < GI_COUNT(keys); i++)
      if (strcmp(keys[i].key, key) == 0) k = i;
    if (k < 0 || seen[k])
      return gi_fail(GLIA_FORMAT, "%s: header: key '%s' is %s", s->what, key,
                     k < 0 ? "not known" : "there twice");
    seen[k] = true;
    if (!take(s, ':')) return bad_header(s, "a colon");
    GI_TRY(keys[k].scan(s, h));
    comma = take(s, ',');
  }
  for (int i = 0; i < GI_COUNT(keys); i++)
    if (!seen[i])
      return gi_fail(GLIA_FORMAT, "%s: header: key '%s' is missing", s->what, keys[i].key);
  skip_blanks(s);
  return s->at == s->end ? GLIA_OK : bad_header(s, "nothing more");
}

/* Checks magic, version and lengths; *data is the offset of the first element. */
static glia_status read_header(const unsigned char *p, size_t n, const char *what, header *h,
                               size_t *data) {
  if (n < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
    return gi_fail(GLIA_FORMAT, "%s: does not begin as a .npy file", what);
  if (p[6] < 1 || p[6] > 3 || p[7] != 0)
    return gi_fail(GLIA_FORMAT, "%s: version is %d.%d, want 1.0, 2.0 or 3.0", what, p[6], p[7]);
  const size_t start = p[6] == 1 ? 10 : 12;
  size_t length = (size_t)p[8] | (size_t)p[9] << 8;
  if (start == 12 && n >= 12) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
  if (n < start || length > n - start)
    return gi_fail(GLIA_FORMAT, "%s: the header should have %zu bytes: the file was cut", what,
                   length);
  const char *text = (const char *)p + start;
  scanner s = {.at = text, .end = text + length, .what = what};
  GI_TRY(scan_header(&s, h));
  *data = start + length;
  return GLIA_OK;
}

/* ---- the elements ---------------------------------------------------------------------- */

/* One element of up to 8 bytes, in this machine's order, at the low end of the result. */
static uint64_t load(const unsigned char *p, const header *h) {
  const size_t n = h->element->bytes;
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | p[h->big_endian ? i : n - 1 - i];
  return v;
}

/* Integers are widened with their sign; what already has its size is moved as bits. */
static void decode(const unsigned char *p, const header *h, unsigned char *dst, int64_t count) {
  const size_t from = h->element->bytes, to = glia_dtype_size(h->type.dtype);
  assert(from > 0); /* every row of the table has a size */
  const unsigned sign = (unsigned)(from * 8 - 1);
  for (int64_t i = 0; i < count; i++) {
    uint64_t v = load(p + (size_t)i * from, h);
    if (to > from && h->element->is_signed && (v >> sign & 1) != 0) v |= ~(uint64_t)0 << sign;
    if (h->type.dtype == GLIA_BOOL) v = v != 0;
    memcpy(dst + (size_t)i * to, &v, to);
  }
}

/* Fortran's order is row-major with the axes turned round: read so, turned back, and copied. */
static glia_status turn(const header *h, glia_tensor *t, glia_tensor **out) {
  int axes[GLIA_MAX_RANK];
  for (int i = 0; i < h->type.rank; i++) axes[i] = h->type.rank - 1 - i;
  glia_tensor *view = NULL;
  GI_TRY(glia_tensor_permute(t, axes, &view));
  const glia_status s = glia_tensor_copy(view, out);
  glia_tensor_free(view);
  return s;
}

static glia_status read_elements(const unsigned char *p, size_t n, const char *what,
                                 const header *h, glia_tensor **out) {
  gi_type type = h->type;
  size_t want = 0;
  GI_TRY(gi_type_check(&type, what));
  if (!gi_mul_size((size_t)gi_type_count(&type), h->element->bytes, &want) || want != n) {
    char text[256];
    return gi_fail(GLIA_FORMAT, "%s: shape %s wants %zu bytes, the file has %zu: %s", what,
                   gi_shape_text(&type, text, sizeof text), want, n,
                   want > n ? "it was cut" : "there is something behind the array");
  }
  const bool turned = h->fortran && type.rank > 1;
  for (int i = 0; i < type.rank && turned; i++) type.dim[i] = h->type.dim[type.rank - 1 - i];
  glia_tensor *t = NULL;
  GI_TRY(gi_tensor_new(&type, &t));
  decode(p, h, glia_tensor_data(t), gi_type_count(&type));
  if (!turned) {
    *out = t;
    return GLIA_OK;
  }
  const glia_status s = turn(h, t, out);
  glia_tensor_free(t);
  return s;
}

glia_status gi_npy_from_memory(const void *p, size_t n, const char *what, glia_tensor **out) {
  header h = {0};
  size_t data = 0;
  GI_TRY(read_header(p, n, what, &h, &data));
  return read_elements((const unsigned char *)p + data, n - data, what, &h, out);
}

glia_status glia_npy_read(const char *path, glia_tensor **out) {
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  const glia_status s = gi_npy_from_memory(map.p, map.n, path, out);
  gi_map_close(&map);
  return s;
}

/* ---- writing --------------------------------------------------------------------------- */

static const char *word_of(glia_dtype t) {
  for (int i = 0; i < GI_COUNT(elements); i++)
    if (elements[i].dtype == t) return elements[i].word; /* the unwidened rows come first */
  return "?";
}

/* Magic, version, length and the dictionary, padded so that the data is aligned; owned. */
static char *header_text(const glia_tensor *t, const char *word, size_t *n) {
  const int rank = glia_tensor_rank(t);
  gi_str b = {0};
  gi_str_add(&b, "\x93NUMPY\x01\x00\x00\x00", 10);
  gi_str_printf(&b, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                word[1] == '1' ? '|' : '<', word);
  for (int i = 0; i < rank; i++)
    gi_str_printf(&b, "%s%lld", i > 0 ? ", " : "", (long long)glia_tensor_shape(t)[i]);
  gi_str_puts(&b, rank == 1 ? ",), }" : "), }");
  gi_str_printf(&b, "%*s\n", (int)((ALIGN - (b.n + 1) % ALIGN) % ALIGN), "");
  *n = b.n;
  if (!b.failed) { /* at most 8 dimensions of 19 digits: two bytes hold the length */
    b.s[8] = (char)((b.n - 10) & 0xff);
    b.s[9] = (char)((b.n - 10) >> 8);
  }
  return gi_str_take(&b);
}

/* The low `size` bytes of each element, side by side; owned. */
static char *narrow(const void *data, int64_t count, size_t from, size_t size) {
  char *out = gi_alloc((size_t)count * size + 1);
  for (int64_t i = 0; i < count && out != NULL; i++)
    memcpy(out + (size_t)i * size, (const char *)data + (size_t)i * from, size);
  return out;
}

glia_status gi_npy_write_as(const char *path, const glia_tensor *t, const char *word) {
  size_t n = 0;
  char *text = header_text(t, word, &n), *narrowed = NULL;
  if (text == NULL) return gi_fail_nomem(256);
  const void *data = NULL;
  glia_tensor *hold = NULL;
  gi_writer w;
  const size_t size = (size_t)(word[1] - '0'), from = glia_dtype_size(glia_tensor_dtype(t));
  glia_status s = gi_tensor_dense(t, &data, &hold);
  if (s == GLIA_OK && size < from) {
    narrowed = narrow(data, glia_tensor_count(t), from, size);
    s = narrowed != NULL ? GLIA_OK : gi_fail_nomem((size_t)glia_tensor_count(t) * size);
    data = narrowed;
  }
  if (s == GLIA_OK) s = gi_writer_open(&w, path);
  if (s == GLIA_OK) {
    (void)gi_writer_add(&w, text, n); /* failures latch; commit returns them */
    (void)gi_writer_add(&w, data, (size_t)glia_tensor_count(t) * size);
    s = gi_writer_commit(&w);
  }
  gi_free(narrowed);
  glia_tensor_free(hold);
  gi_free(text);
  return s;
}

glia_status glia_npy_write(const char *path, const glia_tensor *t) {
  if (glia_tensor_dtype(t) != GLIA_BF16)
    return gi_npy_write_as(path, t, word_of(glia_tensor_dtype(t)));
  glia_tensor *wide = NULL;
  GI_TRY(glia_tensor_cast(t, GLIA_F32, &wide));
  const glia_status s = gi_npy_write_as(path, wide, "f4");
  glia_tensor_free(wide);
  return s;
}
