/* readers/vectors.c - vectors of words: word2vec's text and binary files, and GloVe's.
 *
 *   text:    COUNT DIM \n, then a line for each word: word, DIM numbers, parted by blanks
 *   binary:  COUNT DIM \n, then for each word: word, a blank, DIM f32 (little-endian); a
 * newline may follow GloVe:   as the text, without its first line
 *
 * A word may hold anything but the end of a line, in GloVe's files blanks too: the last DIM
 * pieces of a line are the numbers, what is before them is the word. Two entries: "vectors"
 * [COUNT, DIM] and "words" [COUNT], text.
 */
#include <stdlib.h>

#include "formats/reader.h"

enum { LINE_MAX_BYTES = 1 << 20, DIM_MAX = 100000, NUMBER_BYTES = 63 };

typedef struct vectors {
  bool binary;
  const unsigned char *p; /* the first word */
  size_t n;               /* bytes from there on */
  int64_t count, dim;
  size_t characters; /* of the longest word */
} vectors;

typedef struct row {
  const unsigned char *word;
  size_t word_bytes;
  const unsigned char *numbers; /* text: the first of them, up to `end`; binary: DIM f32 */
  const unsigned char *end;
} row;

static bool is_blank(unsigned char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* ---- rows ------------------------------------------------------------------------------- */

/* The line at p, without its end; *bytes with it. */
static size_t line_of(const unsigned char *p, size_t n, size_t *bytes) {
  const unsigned char *end = n > 0 ? memchr(p, '\n', n) : NULL;
  size_t length = end != NULL ? (size_t)(end - p) : n;
  *bytes = end != NULL ? length + 1 : n;
  while (length > 0 && is_blank(p[length - 1])) length--;
  return length;
}

/* Splits a line before its last `dim` pieces. */
static bool split_line(const unsigned char *p, size_t n, int64_t dim, row *out) {
  size_t at = n;
  for (int64_t i = 0; i < dim; i++) {
    while (at > 0 && is_blank(p[at - 1])) at--;
    if (at == 0) return false;
    while (at > 0 && !is_blank(p[at - 1])) at--;
  }
  out->numbers = p + at;
  out->end = p + n;
  while (at > 0 && is_blank(p[at - 1])) at--;
  out->word = p;
  out->word_bytes = at;
  return at > 0;
}

/* The row at *at, which moves behind it. */
static glia_status next_row(const vectors *v, size_t *at, row *out) {
  const unsigned char *p = v->p + *at;
  const size_t left = v->n - *at;
  size_t bytes = 0;
  if (!v->binary) {
    const size_t length = line_of(p, left, &bytes);
    if (!split_line(p, length, v->dim, out))
      return gi_fail(GLIA_FORMAT, "wanted a word and %lld numbers", (long long)v->dim);
    *at += bytes;
    return GLIA_OK;
  }
  const size_t skip = left > 0 && p[0] == '\n' ? 1 : 0;
  const unsigned char *blank =
      left > skip ? memchr(p + skip, ' ', GI_MIN(left - skip, LINE_MAX_BYTES)) : NULL;
  if (blank == NULL || v->n - (size_t)(blank + 1 - v->p) < (size_t)v->dim * 4)
    return gi_fail(GLIA_FORMAT, "wanted a word and %lld numbers; truncated?",
                   (long long)v->dim);
  *out =
      (row){.word = p + skip, .word_bytes = (size_t)(blank - p) - skip, .numbers = blank + 1};
  *at = (size_t)(blank + 1 - v->p) + (size_t)v->dim * 4;
  return GLIA_OK;
}

/* ---- characters ------------------------------------------------------------------------- */

/* The character at p and its bytes; what is malformed is one byte and U+FFFD. */
static uint32_t character(const unsigned char *p, size_t n, size_t *bytes) {
  char text[5] = "";
  memcpy(text, p, GI_MIN(n, 4));
  *bytes = gi_utf8_length(text);
  if (*bytes == 0) {
    *bytes = 1;
    return 0xfffd;
  }
  static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  uint32_t c = p[0] & mask[*bytes];
  for (size_t i = 1; i < *bytes; i++) c = c << 6 | (p[i] & 0x3f);
  return c;
}

static size_t characters_of(const row *r) {
  size_t count = 0, bytes = 0;
  for (size_t at = 0; at < r->word_bytes; at += bytes, count++)
    (void)character(r->word + at, r->word_bytes - at, &bytes);
  return count;
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* The number at p, before `end`; NULL where there is none, else what follows it. */
static const unsigned char *number(const unsigned char *p, const unsigned char *end,
                                   float *out) {
  char text[NUMBER_BYTES + 1];
  double v = 0;
  while (p < end && is_blank(*p)) p++;
  size_t n = 0;
  for (; p < end && !is_blank(*p); p++) {
    if (n == NUMBER_BYTES) return NULL;
    text[n++] = (char)*p;
  }
  text[n] = '\0';
  if (memchr(text, '\0', n) != NULL || !gi_parse_f64(text, &v)) return NULL;
  *out = (float)v;
  return p;
}

static bool are_numbers(const row *r) {
  float v;
  const unsigned char *p = r->numbers;
  while (p != NULL && p < r->end) p = number(p, r->end, &v);
  return p != NULL;
}

static glia_status read_numbers(const vectors *v, const row *r, float *out) {
  if (v->binary) {
    memcpy(out, r->numbers, (size_t)v->dim * 4);
    return GLIA_OK;
  }
  const unsigned char *p = r->numbers;
  for (int64_t i = 0; i < v->dim; i++)
    if ((p = number(p, r->end, &out[i])) == NULL)
      return gi_fail(GLIA_FORMAT, "number %lld of \"%.*s\" is none", (long long)i,
                     (int)GI_MIN(r->word_bytes, 40), (const char *)r->word);
  return GLIA_OK;
}

/* ---- what kind of file ------------------------------------------------------------------- */

/* COUNT DIM \n; the bytes that it takes, 0 where there is none. */
static size_t read_header(const unsigned char *p, size_t n, int64_t *count, int64_t *dim) {
  int64_t v[2] = {0, 0};
  size_t at = 0;
  for (int i = 0; i < 2; i++) {
    while (i > 0 && at < n && p[at] == ' ') at++;
    const size_t from = at;
    for (; at < n && at - from < 18 && p[at] >= '0' && p[at] <= '9'; at++)
      v[i] = v[i] * 10 + (p[at] - '0');
    if (at == from) return 0;
  }
  while (at < n && is_blank(p[at])) at++;
  if (at == n || p[at] != '\n' || v[0] < 1 || v[1] < 1 || v[1] > DIM_MAX) return 0;
  *count = v[0];
  *dim = v[1];
  return at + 1;
}

static bool has_header(const unsigned char *p, size_t n, bool binary, vectors *v) {
  row r;
  size_t at = 0;
  *v = (vectors){.binary = binary};
  const size_t header = read_header(p, n, &v->count, &v->dim);
  if (header == 0) return false;
  v->p = p + header;
  v->n = n - header;
  return next_row(v, &at, &r) == GLIA_OK && (binary || are_numbers(&r));
}

static bool is_text(const unsigned char *p, size_t n) {
  vectors v;
  return has_header(p, n, false, &v);
}

static bool is_binary(const unsigned char *p, size_t n) {
  vectors v;
  return !has_header(p, n, false, &v) && has_header(p, n, true, &v) &&
         (uint64_t)v.count <= v.n / ((size_t)v.dim * 4 + 1);
}

/* The first word of a text is no number, what follows it on the line are numbers, two at least,
 * and the line after it is alike. */
static bool is_glove(const unsigned char *p, size_t n) {
  size_t bytes = 0, more = 0, word = 0;
  float number_of_word;
  const size_t length = line_of(p, GI_MIN(n, LINE_MAX_BYTES), &bytes);
  while (word < length && !is_blank(p[word])) word++;
  row r = {.word = p, .numbers = p + word, .end = p + length};
  int64_t dim = 0;
  for (size_t i = word; i < length; i++) dim += is_blank(p[i]) && !is_blank(p[i + 1]);
  if (word == 0 || dim < 2 || dim > DIM_MAX || memchr(p, '\0', length) != NULL ||
      number(p, p + word, &number_of_word) != NULL || !are_numbers(&r))
    return false;
  if (bytes >= n) return true;
  const size_t second = line_of(p + bytes, GI_MIN(n - bytes, LINE_MAX_BYTES), &more);
  return split_line(p + bytes, second, dim, &r) && are_numbers(&r);
}

/* ---- opening ---------------------------------------------------------------------------- */

/* Steps over all rows: counts what the header does not tell, and finds the longest word. */
static glia_status measure(const glia_file *f, vectors *v, bool counted) {
  row r;
  size_t at = 0;
  int64_t rows = 0;
  while (counted ? rows < v->count : at < v->n) {
    const glia_status s = next_row(v, &at, &r);
    if (s != GLIA_OK) return gi_where(s, "%s: word %lld", f->what, (long long)rows);
    v->characters = GI_MAX(v->characters, characters_of(&r));
    rows++;
  }
  v->count = rows;
  while (at < v->n && (v->p[at] == '\n' || is_blank(v->p[at]))) at++;
  if (at < v->n)
    return gi_fail(GLIA_FORMAT, "%s: %zu bytes follow the last of %lld words", f->what,
                   v->n - at, (long long)rows);
  return GLIA_OK;
}

static glia_status add_entries(glia_file *f, const vectors *v) {
  const gi_entry words = {.name = "words",
                          .array = {.element = gi_element_named("TEXT"),
                                    .width = GI_MAX(v->characters, 1) * 4,
                                    .rank = 1,
                                    .shape = &v->count},
                          .own = v};
  const int64_t shape[] = {v->count, v->dim};
  GI_TRY(gi_file_add_plain(f, "vectors", gi_element_of(GLIA_F32), 2, shape, NULL, v));
  return gi_file_add(f, &words);
}

static glia_status open_rows(glia_file *f, bool binary) {
  vectors *v = gi_arena_alloc(&f->arena, sizeof *v);
  if (v == NULL) return gi_fail_nomem(sizeof *v);
  *v = (vectors){.binary = binary};
  const size_t header = read_header(f->p, f->n, &v->count, &v->dim);
  if (header == 0)
    return gi_fail(GLIA_FORMAT, "%s: does not begin with how many words of how many numbers",
                   f->what);
  v->p = f->p + header;
  v->n = f->n - header;
  const size_t least = binary ? (size_t)v->dim * 4 + 1 : (size_t)v->dim * 2 + 1;
  if ((uint64_t)v->count > v->n / least + 1)
    return gi_fail(GLIA_FORMAT, "%s: %lld words of %lld numbers are more than %zu bytes hold",
                   f->what, (long long)v->count, (long long)v->dim, v->n);
  GI_TRY(measure(f, v, true));
  return add_entries(f, v);
}

static glia_status open_text(glia_file *f) { return open_rows(f, false); }
static glia_status open_binary(glia_file *f) { return open_rows(f, true); }

static glia_status open_glove(glia_file *f) {
  vectors *v = gi_arena_alloc(&f->arena, sizeof *v);
  if (v == NULL) return gi_fail_nomem(sizeof *v);
  if (!is_glove(f->p, f->n))
    return gi_fail(GLIA_FORMAT, "%s: does not begin with a word and its numbers", f->what);
  size_t bytes = 0;
  const size_t length = line_of(f->p, f->n, &bytes);
  *v = (vectors){.p = f->p, .n = f->n};
  for (size_t i = 0; i < length; i++) v->dim += is_blank(f->p[i]) && !is_blank(f->p[i + 1]);
  GI_TRY(measure(f, v, false));
  return add_entries(f, v);
}

/* ---- reading ---------------------------------------------------------------------------- */

static void put_word(const row *r, unsigned char *out) {
  size_t bytes = 0;
  for (size_t at = 0; at < r->word_bytes; at += bytes, out += 4) {
    const uint32_t c = character(r->word + at, r->word_bytes - at, &bytes);
    memcpy(out, &c, 4);
  }
}

static glia_status read_rows(const vectors *v, bool words, size_t width, unsigned char *out) {
  row r;
  size_t at = 0;
  for (int64_t i = 0; i < v->count; i++, out += width) {
    GI_TRY(next_row(v, &at, &r));
    if (words)
      put_word(&r, out);
    else
      GI_TRY(read_numbers(v, &r, (float *)(void *)out));
  }
  return GLIA_OK;
}

static glia_status fetch_rows(const glia_file *f, const gi_entry *e, const void **data,
                              void **hold) {
  const vectors *v = e->own;
  unsigned char *out = gi_alloc(e->bytes);
  if (out == NULL) return gi_fail_nomem(e->bytes);
  const bool words = e->array.element->bits == 0;
  const glia_status s = read_rows(v, words, words ? e->array.width : (size_t)v->dim * 4, out);
  if (s != GLIA_OK) {
    gi_free(out);
    return gi_where(s, "%s", f->what);
  }
  *data = *hold = out;
  return GLIA_OK;
}

/* ---- the rows --------------------------------------------------------------------------- */

static const char *const text_suffixes[] = {".vec", NULL};
static const char *const binary_suffixes[] = {".bin", NULL};

static const gi_reader text = {
    .name = "word2vec",
    .title = "vectors of words",
    .suffixes = text_suffixes,
    .is = is_text,
    .open = open_text,
    .fetch = fetch_rows,
};

static const gi_reader binary = {
    .name = "word2vec binary",
    .title = "vectors of words",
    .suffixes = binary_suffixes,
    .is = is_binary,
    .open = open_binary,
    .fetch = fetch_rows,
};

static const gi_reader glove = {
    .name = "glove",
    .title = "vectors of words",
    .is = is_glove,
    .open = open_glove,
    .fetch = fetch_rows,
};

const gi_reader *const gi_readers_vectors[] = {&text, &binary, &glove, NULL};
