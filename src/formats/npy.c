/* formats/npy.c - NumPy's file of one array.
 *
 *   "\x93NUMPY" | major | minor | header length (u16 in 1.0, u32 in 2.0 and 3.0, little-endian)
 *   | {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } blanks \n | data
 *
 * Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html. The header is a
 * Python literal; a scanner for exactly those three keys reads it and evaluates nothing.
 */
#include "formats/npy.h"

#include "formats/formats.h"
#include "tensor/tensor.h"

enum { ALIGN = 64 };

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

/* Text is "U" and how many characters of 4 bytes each word has room for. */
static bool find_element(const char *word, gi_npy *h) {
  int64_t characters = 0;
  if (word[0] == 'U' && gi_parse_i64(word + 1, &characters) && characters >= 0 &&
      characters < 1 << 24) {
    h->element = gi_element_npy("U");
    h->width = (size_t)characters * 4;
  } else {
    h->element = gi_element_npy(word);
  }
  return h->element != NULL && (h->element->bits != 0 || word[1] != '\0');
}

static glia_status scan_descr(scanner *s, gi_npy *h) {
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
  if (!ordered || !find_element(word + 1, h))
    return gi_fail(GLIA_DTYPE, "%s: descr: elements of type '%s' cannot be held", s->what,
                   word);
  memcpy(h->word, word, sizeof h->word);
  h->swap = word[0] == '>';
  return GLIA_OK;
}

static glia_status scan_order(scanner *s, gi_npy *h) {
  h->fortran = take_word(s, "True");
  return h->fortran || take_word(s, "False") ? GLIA_OK : bad_header(s, "True or False");
}

/* (), (3,), (3, 4) */
static glia_status scan_shape(scanner *s, gi_npy *h) {
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
    if (rank == GI_NPY_RANK)
      return gi_fail(GLIA_SHAPE, "%s: shape: has more than %d dimensions", s->what,
                     GI_NPY_RANK);
    h->dim[rank++] = v;
    comma = take(s, ',');
  }
  if (rank == 1 && !comma) return bad_header(s, "a comma in the shape of one dimension");
  h->rank = rank;
  return GLIA_OK;
}

static const struct {
  const char *key;
  glia_status (*scan)(scanner *s, gi_npy *h);
} keys[] = {{"descr", scan_descr}, {"fortran_order", scan_order}, {"shape", scan_shape}};

static glia_status scan_header(scanner *s, gi_npy *h) {
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

glia_status gi_npy_header(const unsigned char *p, size_t n, const char *what, gi_npy *h) {
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
  *h = (gi_npy){0};
  scanner s = {.at = text, .end = text + length, .what = what};
  GI_TRY(scan_header(&s, h));
  h->data = start + length;
  return GLIA_OK;
}

/* ---- the elements ---------------------------------------------------------------------- */

/* In Fortran's order the first axis is the one whose elements lie side by side. */
glia_status gi_npy_array(gi_npy *h, const void *data, size_t n, const char *what,
                         gi_array *out) {
  gi_array a = {.element = h->element,
                .width = h->width,
                .rank = h->rank,
                .shape = h->dim,
                .data = data,
                .swap = h->swap};
  size_t want = 0;
  GI_TRY(gi_where(gi_array_bytes(&a, &want), "%s", what));
  if (want != n) {
    gi_type type = {.rank = GI_MIN(h->rank, GLIA_MAX_RANK)};
    memcpy(type.dim, h->dim, sizeof type.dim);
    char text[256];
    return gi_fail(GLIA_FORMAT, "%s: shape %s wants %zu bytes, the file has %zu: %s", what,
                   gi_shape_text(&type, text, sizeof text), want, n,
                   want > n ? "it was cut" : "there is something behind the array");
  }
  int64_t step = 1;
  for (int i = 0; i < h->rank && want > 0; i++) {
    h->stride[i] = step;
    step *= h->dim[i];
  }
  if (h->fortran && h->rank > 1) a.strides = h->stride;
  *out = a;
  return GLIA_OK;
}

glia_status gi_npy_from_memory(const void *p, size_t n, const char *what, glia_tensor **out) {
  gi_npy h;
  gi_array a;
  GI_TRY(gi_npy_header(p, n, what, &h));
  if (h.element->dtype == GI_NOT_HELD)
    return gi_fail(GLIA_DTYPE, "%s: descr: elements of type '%s' cannot be held", what, h.word);
  if (h.rank > GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE, "%s: shape: has more than %d dimensions", what, GLIA_MAX_RANK);
  gi_type type = {.dtype = (glia_dtype)h.element->dtype, .rank = h.rank};
  memcpy(type.dim, h.dim, sizeof type.dim);
  GI_TRY(gi_type_check(&type, what));
  GI_TRY(gi_npy_array(&h, (const unsigned char *)p + h.data, n - h.data, what, &a));
  return gi_array_tensor(&a, what, "a", out);
}

glia_status glia_npy_read(const char *path, glia_tensor **out) {
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  const glia_status s = gi_npy_from_memory(map.p, map.n, path, out);
  gi_map_close(&map);
  return s;
}

/* ---- writing --------------------------------------------------------------------------- */

/* Magic, version, length and the dictionary, padded so that the data is aligned. */
static void header_text(const gi_array *a, const gi_element *element, gi_str *b) {
  gi_str_add(b, "\x93NUMPY\x01\x00\x00\x00", 10);
  gi_str_printf(b, "{'descr': '%c%s", element->bits == 8 ? '|' : '<', element->npy);
  if (element->bits == 0) gi_str_printf(b, "%zu", a->width / 4);
  gi_str_puts(b, "', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < a->rank; i++)
    gi_str_printf(b, "%s%lld", i > 0 ? ", " : "", (long long)a->shape[i]);
  gi_str_puts(b, a->rank == 1 ? ",), }" : "), }");
  gi_str_printf(b, "%*s\n", (int)((ALIGN - (b->n + 1) % ALIGN) % ALIGN), "");
  if (b->failed) return; /* at most 32 dimensions of 19 digits: two bytes hold the length */
  b->s[8] = (char)((b->n - 10) & 0xff);
  b->s[9] = (char)((b->n - 10) >> 8);
}

/* NumPy has no bfloat16: its elements become f4. */
static glia_status widen(gi_npy_bytes *out) {
  const size_t count = out->elements.bytes / 2;
  float *wide = gi_alloc(GI_MAX(count * sizeof *wide, 1));
  if (wide == NULL) return gi_fail_nomem(count * sizeof *wide);
  const unsigned char *p = out->elements.data;
  for (size_t i = 0; i < count; i++) {
    uint16_t h;
    memcpy(&h, p + 2 * i, 2);
    wide[i] = gi_bf16_to_f32(h);
  }
  gi_elements_clear(&out->elements);
  out->elements = (gi_elements){.data = wide, .bytes = count * sizeof *wide, .hold = {wide}};
  return GLIA_OK;
}

glia_status gi_npy_encode(const glia_file *f, int i, gi_npy_bytes *out) {
  const gi_entry *e = &f->entries.at[i];
  const bool half = e->array.element == gi_element_of(GLIA_BF16);
  const gi_element *element = half ? gi_element_of(GLIA_F32) : e->array.element;
  *out = (gi_npy_bytes){0};
  if (element->npy == NULL)
    return gi_fail(GLIA_DTYPE, "tensor \"%.80s\": NumPy has no type for %s", e->name,
                   element->name);
  if (e->array.rank > GI_NPY_RANK)
    return gi_fail(GLIA_SHAPE, "tensor \"%.80s\": has %d axes, NumPy takes %d", e->name,
                   e->array.rank, GI_NPY_RANK);
  GI_TRY(gi_file_elements(f, i, &out->elements));
  header_text(&e->array, element, &out->head);
  glia_status s = out->head.failed ? gi_fail_nomem(out->head.n) : GLIA_OK;
  if (s == GLIA_OK && half) s = widen(out);
  if (s != GLIA_OK) gi_npy_bytes_clear(out);
  return s;
}

void gi_npy_bytes_clear(gi_npy_bytes *b) {
  gi_elements_clear(&b->elements);
  gi_str_free(&b->head);
}

glia_status gi_npy_write_file(const char *path, const glia_file *f) {
  if (f->entries.n != 1)
    return gi_fail(GLIA_INVALID, "%s: holds one array, there are %zu; hint: write a .npz", path,
                   f->entries.n);
  gi_npy_bytes b;
  gi_writer w;
  GI_TRY(gi_npy_encode(f, 0, &b));
  glia_status s = gi_writer_open(&w, path);
  if (s == GLIA_OK) {
    (void)gi_writer_add(&w, b.head.s, b.head.n); /* failures latch; commit returns them */
    (void)gi_writer_add(&w, b.elements.data, b.elements.bytes);
    s = gi_writer_commit(&w);
  }
  gi_npy_bytes_clear(&b);
  return s;
}

glia_status glia_npy_write(const char *path, const glia_tensor *t) {
  glia_file *f = NULL;
  GI_TRY(gi_file_of("npy", &(glia_named_tensor){"a", t}, 1, NULL, 0, &f));
  const glia_status s = gi_npy_write_file(path, f);
  glia_file_close(f);
  return s;
}

/* The low `size` bytes of each element, side by side; owned. */
static char *narrow(const void *data, int64_t count, size_t from, size_t size) {
  char *out = gi_alloc((size_t)count * size + 1);
  for (int64_t i = 0; i < count && out != NULL; i++)
    memcpy(out + (size_t)i * size, (const char *)data + (size_t)i * from, size);
  return out;
}

glia_status gi_npy_write_as(const char *path, const glia_tensor *t, const char *word) {
  const gi_element *element = gi_element_npy(word);
  const void *data = NULL;
  glia_tensor *hold = NULL;
  glia_file *f = NULL;
  GI_TRY(gi_tensor_dense(t, &data, &hold));
  char *low = narrow(data, glia_tensor_count(t), glia_dtype_size(glia_tensor_dtype(t)),
                     element->bits / 8);
  glia_status s = low != NULL ? gi_file_of("npy", NULL, 0, NULL, 0, &f)
                              : gi_fail_nomem(glia_tensor_bytes(t));
  if (s == GLIA_OK)
    s = gi_file_add_plain(f, "a", element, glia_tensor_rank(t), glia_tensor_shape(t), low,
                          NULL);
  if (s == GLIA_OK) s = gi_npy_write_file(path, f);
  glia_file_close(f);
  gi_free(low);
  glia_tensor_free(hold);
  return s;
}
