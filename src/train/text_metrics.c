/* text_metrics.c - words and characters as numbers, and edit distances.
 *
 * Words are numbered by sorting all of them, so that everything after it compares whole
 * numbers: O(words log words) once.
 */
#include "train/text_metrics.h"

#include <stdlib.h>

/* ---- words ------------------------------------------------------------------------------ */

typedef struct word {
  const char *s;
  size_t n;
  int64_t at; /* its place among all words */
} word;

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* The words of s, to `out` where it is not NULL; how many. */
static int64_t split(const char *s, word *out, int64_t at) {
  int64_t n = 0;
  while (*s != '\0') {
    while (blank(*s)) s++;
    const char *end = s;
    while (*end != '\0' && !blank(*end)) end++;
    if (end == s) break;
    if (out != NULL) out[n] = (word){s, (size_t)(end - s), at + n};
    n++;
    s = end;
  }
  return n;
}

static int by_letters(const void *x, const void *y) {
  const word *a = x, *b = y;
  const int order = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
  if (order != 0) return order;
  return (a->n > b->n) - (a->n < b->n);
}

static glia_status number_words(gi_texts *t, word *words, int64_t n) {
  int64_t id = 0;
  qsort(words, (size_t)n, sizeof *words, by_letters);
  for (int64_t i = 0; i < n; i++) {
    if (i > 0 && by_letters(&words[i], &words[i - 1]) != 0) id++;
    t->ids[words[i].at] = id;
  }
  return GLIA_OK;
}

glia_status gi_texts_words(const char *who, const char *const *a, int64_t na,
                           const char *const *b, int64_t nb, gi_texts *out) {
  *out = (gi_texts){0};
  if (na < 1 || nb < 1 || a == NULL || b == NULL)
    return gi_fail(GLIA_INVALID, "%s: there are no texts", who);
  int64_t total = 0;
  for (int64_t i = 0; i < na + nb; i++) {
    const char *s = i < na ? a[i] : b[i - na];
    if (s == NULL) return gi_fail(GLIA_INVALID, "%s: text %lld is NULL", who, (long long)i);
    total += split(s, NULL, 0);
  }
  word *words = gi_alloc(((size_t)total + 1) * sizeof *words);
  out->ids = gi_alloc(((size_t)total + 1) * sizeof *out->ids);
  out->at = gi_alloc((size_t)(na + nb) * sizeof *out->at);
  if (words == NULL || out->ids == NULL || out->at == NULL) {
    gi_free(words);
    return gi_fail_nomem(((size_t)total + 1) * sizeof *words);
  }
  out->texts = na + nb;
  for (int64_t i = 0, at = 0; i < na + nb; i++) {
    const int64_t n = split(i < na ? a[i] : b[i - na], words + at, at);
    out->at[i] = (gi_words_of){out->ids + at, n};
    at += n;
  }
  const glia_status s = number_words(out, words, total);
  gi_free(words);
  return s;
}

void gi_texts_clear(gi_texts *t) {
  gi_free(t->ids);
  gi_free(t->at);
  *t = (gi_texts){0};
}

/* ---- edits ------------------------------------------------------------------------------ */

static glia_status edits(const gi_words_of *a, const gi_words_of *b, int64_t *out) {
  int64_t *row =
      gi_alloc((size_t)(b->n + 1) * sizeof *row); /* a's first i against b's first j */
  if (row == NULL) return gi_fail_nomem((size_t)(b->n + 1) * sizeof *row);
  for (int64_t j = 0; j <= b->n; j++) row[j] = j;
  for (int64_t i = 0; i < a->n; i++) {
    int64_t before = row[0]; /* of i, j */
    row[0] = i + 1;
    for (int64_t j = 0; j < b->n; j++) {
      const int64_t replaced = before + (a->id[i] != b->id[j]);
      before = row[j + 1];
      row[j + 1] = GI_MIN(replaced, GI_MIN(before, row[j]) + 1);
    }
  }
  *out = row[b->n];
  gi_free(row);
  return GLIA_OK;
}

/* The code points of s. Owned ids (gi_free). */
static glia_status characters(const char *who, const char *s, gi_words_of *out) {
  *out = (gi_words_of){0};
  if (s == NULL) return gi_fail(GLIA_INVALID, "%s: a text is NULL", who);
  if (!gi_is_utf8(s)) return gi_fail(GLIA_DATA, "%s: a text is no UTF-8", who);
  out->id = gi_alloc((strlen(s) + 1) * sizeof *out->id);
  if (out->id == NULL) return gi_fail_nomem((strlen(s) + 1) * sizeof *out->id);
  while (*s != '\0') {
    int64_t point = 0;
    for (size_t k = gi_utf8_length(s); k > 0; k--) point = point << 8 | (unsigned char)*s++;
    out->id[out->n++] = point;
  }
  return GLIA_OK;
}

static glia_status character_edits(const char *who, const char *a, const char *b, int64_t *out,
                                   int64_t *length) {
  gi_words_of x = {0}, y = {0};
  glia_status s = characters(who, a, &x);
  if (s == GLIA_OK) s = characters(who, b, &y);
  if (s == GLIA_OK) s = edits(&x, &y, out);
  *length = x.n;
  gi_free(x.id);
  gi_free(y.id);
  return s;
}

glia_status glia_edit_distance(const char *a, const char *b, int64_t *out) {
  int64_t length;
  return character_edits("edit_distance", a, b, out, &length);
}

static glia_status rate(const char *who, int64_t wrong, int64_t all, double *out) {
  if (all == 0) return gi_fail(GLIA_DATA, "%s: the references are empty", who);
  *out = (double)wrong / (double)all;
  return GLIA_OK;
}

glia_status glia_word_error_rate(const char *const *reference, const char *const *text,
                                 int64_t n, double *out) {
  gi_texts t;
  int64_t wrong = 0, all = 0;
  glia_status s = gi_texts_words("word_error_rate", reference, n, text, n, &t);
  for (int64_t i = 0; i < n && s == GLIA_OK; i++) {
    int64_t here = 0;
    s = edits(&t.at[i], &t.at[n + i], &here);
    wrong += here;
    all += t.at[i].n;
  }
  gi_texts_clear(&t);
  return s == GLIA_OK ? rate("word_error_rate", wrong, all, out) : s;
}

glia_status glia_character_error_rate(const char *const *reference, const char *const *text,
                                      int64_t n, double *out) {
  int64_t wrong = 0, all = 0;
  if (n < 1 || reference == NULL || text == NULL)
    return gi_fail(GLIA_INVALID, "character_error_rate: there are no texts");
  for (int64_t i = 0; i < n; i++) {
    int64_t here = 0, length = 0;
    GI_TRY(character_edits("character_error_rate", reference[i], text[i], &here, &length));
    wrong += here;
    all += length;
  }
  return rate("character_error_rate", wrong, all, out);
}
