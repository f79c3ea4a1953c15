/* fields.c - options structs from words and back, by their schema. */
#include "base/fields.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

static const char *kind_text(gi_field_kind k) {
  static const char *const texts[] = {"an integer",
                                      "a number",
                                      "true or false",
                                      "a size such as 3 or 3x5",
                                      "a choice",
                                      "a name",
                                      "rising numbers above 0 such as 3,5,9",
                                      "a word"};
  return texts[k];
}

static int choice_number(const gi_field *f, const char *word) {
  for (int i = 0; f->choices != NULL && f->choices[i] != NULL; i++)
    if (strcmp(f->choices[i], word) == 0) return i;
  return -1;
}

static int choice_count(const gi_field *f) {
  int n = 0;
  while (f->choices != NULL && f->choices[n] != NULL) n++;
  return n;
}

static bool in_range(const gi_field *f, double v) {
  return f->min == f->max || (v >= f->min && v <= f->max) || (f->nan && isnan(v));
}

/* A number, and "nan" where that is a value. */
static bool parse_number(const gi_field *f, const char *word, double *out) {
  if (!f->nan || strcmp(word, "nan") != 0) return gi_parse_f64(word, out);
  *out = (double)NAN;
  return true;
}

static bool parse_pair(const char *word, int64_t pair[2]) {
  char first[32];
  const char *x = strchr(word, 'x');
  if (x == NULL) {
    if (!gi_parse_i64(word, &pair[0])) return false;
    pair[1] = pair[0];
    return true;
  }
  const size_t n = (size_t)(x - word);
  if (n == 0 || n >= sizeof first) return false;
  memcpy(first, word, n);
  first[n] = '\0';
  return gi_parse_i64(first, &pair[0]) && gi_parse_i64(x + 1, &pair[1]);
}

static bool parse_list(const char *word, int64_t list[GI_LIST_MAX]) {
  char number[32];
  int n = 0;
  for (const char *at = word;; at++) {
    const size_t length = strcspn(at, ",");
    if (n == GI_LIST_MAX || length >= sizeof number) return false;
    memcpy(number, at, length);
    number[length] = '\0';
    if (!gi_parse_i64(number, &list[n]) || list[n] <= (n > 0 ? list[n - 1] : 0)) return false;
    n++;
    at += length;
    if (*at == '\0') return true;
  }
}

static glia_status bad_value(const gi_field *f, const char *who, const char *word) {
  if (f->choices != NULL) {
    const int near = gi_nearest(word, f->choices, choice_count(f));
    return gi_fail(GLIA_MODEL, "%s: %s is \"%s\", which is none of its choices%s%s%s", who,
                   f->name, word, near >= 0 ? "; did you mean \"" : "",
                   near >= 0 ? f->choices[near] : "", near >= 0 ? "\"?" : "");
  }
  if (f->min != f->max)
    return gi_fail(GLIA_MODEL, "%s: %s is \"%s\", wanted %s from %g to %g", who, f->name, word,
                   kind_text(f->kind), f->min, f->max);
  return gi_fail(GLIA_MODEL, "%s: %s is \"%s\", wanted %s", who, f->name, word,
                 kind_text(f->kind));
}

/* Does the word read as a value of this field? Writes it if so. */
static bool read_value(const gi_field *f, const char *word, void *out) {
  char *at = (char *)out + f->offset;
  int64_t i, pair[2], list[GI_LIST_MAX] = {0};
  double d;
  int c;
  switch (f->kind) {
    case GI_FIELD_I64:
      if (!gi_parse_i64(word, &i) || !in_range(f, (double)i)) return false;
      memcpy(at, &i, sizeof i);
      return true;
    case GI_FIELD_F64:
      if (!parse_number(f, word, &d) || !in_range(f, d)) return false;
      memcpy(at, &d, sizeof d);
      return true;
    case GI_FIELD_PAIR:
      if (!parse_pair(word, pair) || !in_range(f, (double)pair[0]) ||
          !in_range(f, (double)pair[1]))
        return false;
      memcpy(at, pair, sizeof pair);
      return true;
    case GI_FIELD_BOOL: {
      const bool yes = strcmp(word, "true") == 0;
      if (!yes && strcmp(word, "false") != 0) return false;
      memcpy(at, &yes, sizeof yes);
      return true;
    }
    case GI_FIELD_CHOICE:
      if ((c = choice_number(f, word)) < 0) return false;
      memcpy(at, &c, sizeof c);
      return true;
    case GI_FIELD_NAME:
      if ((c = choice_number(f, word)) < 0) return false;
      memcpy(at, &f->choices[c], sizeof f->choices[c]);
      return true;
    case GI_FIELD_LIST:
      if (!parse_list(word, list)) return false;
      memcpy(at, list, sizeof list);
      return true;
    case GI_FIELD_TEXT: memcpy(at, &word, sizeof word); return true;
  }
  return false;
}

static const gi_field *find_field(const gi_field *fields, const char *name, size_t n) {
  for (const gi_field *f = fields; f != NULL && f->name != NULL; f++)
    if (strlen(f->name) == n && memcmp(f->name, name, n) == 0) return f;
  return NULL;
}

static glia_status unknown_key(const gi_field *fields, const char *who, const char *key,
                               int n) {
  const char *names[64];
  char word[64], all[256] = "";
  int count = 0;
  for (const gi_field *f = fields; f != NULL && f->name != NULL && count < 64; f++) {
    const size_t end = strlen(all);
    snprintf(all + end, sizeof all - end, "%s%s", count > 0 ? ", " : "", f->name);
    names[count++] = f->name;
  }
  snprintf(word, sizeof word, "%.*s", n, key);
  if (count == 0)
    return gi_fail(GLIA_MODEL, "%s: no option is called \"%s\"; it has none", who, word);
  const int near = gi_nearest(word, names, count);
  if (near >= 0)
    return gi_fail(GLIA_MODEL,
                   "%s: no option is called \"%s\"; did you mean \"%s\"? There are %s", who,
                   word, names[near], all);
  return gi_fail(GLIA_MODEL, "%s: no option is called \"%s\"; there are %s", who, word, all);
}

static uint64_t bit_of(const gi_field *fields, const gi_field *f) {
  return UINT64_C(1) << (f - fields);
}

static glia_status given_twice(const gi_field *f, const char *who) {
  return gi_fail(GLIA_MODEL, "%s: %s is given twice", who, f->name);
}

static glia_status parse_key(const gi_field *fields, const char *who, const char *word,
                             const char *equals, uint64_t *given, void *out) {
  const gi_field *f = find_field(fields, word, (size_t)(equals - word));
  if (f == NULL) return unknown_key(fields, who, word, (int)(equals - word));
  if (*given & bit_of(fields, f)) return given_twice(f, who);
  if (!read_value(f, equals + 1, out)) return bad_value(f, who, equals + 1);
  *given |= bit_of(fields, f);
  return GLIA_OK;
}

/* A bare word: a flag by its name, else the next positional field that is still open. A choice
 * takes only its own words, so that "conv2d 32 3x3 relu" may leave out what is between. */
static glia_status parse_word(const gi_field *fields, const char *who, const char *word,
                              uint64_t *given, void *out) {
  const gi_field *flag = find_field(fields, word, strlen(word)), *refused = NULL;
  if (flag != NULL && flag->kind == GI_FIELD_BOOL) {
    if (*given & bit_of(fields, flag)) return given_twice(flag, who);
    *given |= bit_of(fields, flag);
    return read_value(flag, "true", out) ? GLIA_OK : bad_value(flag, who, word);
  }
  for (const gi_field *f = fields; f != NULL && f->name != NULL; f++) {
    if (!f->positional || (*given & bit_of(fields, f))) continue;
    if (read_value(f, word, out)) {
      *given |= bit_of(fields, f);
      return GLIA_OK;
    }
    /* the field that the word was meant for: a choice for a word, a number for digits */
    if (refused == NULL || (f->choices != NULL && (word[0] < '0' || word[0] > '9')))
      refused = f;
    if (f->choices == NULL && f->required) break;
  }
  if (refused != NULL) return bad_value(refused, who, word);
  return gi_fail(GLIA_MODEL, "%s: \"%s\" is one value too many", who, word);
}

static glia_status parse(const gi_field *fields, const char *who, char *const *words, int n,
                         void *out, uint64_t *given) {
  for (int i = 0; i < n; i++) {
    const char *equals = strchr(words[i], '=');
    if (equals != NULL)
      GI_TRY(parse_key(fields, who, words[i], equals, given, out));
    else
      GI_TRY(parse_word(fields, who, words[i], given, out));
  }
  for (const gi_field *f = fields; f != NULL && f->name != NULL; f++)
    if (f->required && !(*given & bit_of(fields, f)))
      return gi_fail(GLIA_MODEL, "%s: %s is missing: %s", who, f->name, f->doc);
  return GLIA_OK;
}

glia_status gi_fields_parse(const gi_field *fields, const char *who, char *const *words, int n,
                            void *out) {
  uint64_t given = 0;
  return parse(fields, who, words, n, out, &given);
}

/* ---- numbers that may be 0 --------------------------------------------------------------- */

static void set_number(const gi_field *f, void *out, double v) {
  memcpy((char *)out + f->offset, &v, sizeof v);
}

static double number(const gi_field *f, const void *opts) {
  double v;
  memcpy(&v, (const char *)opts + f->offset, sizeof v);
  return v;
}

glia_status gi_fields_parse_exact(const gi_field *fields, const char *who, char *const *words,
                                  int n, void *out) {
  uint64_t given = 0;
  GI_TRY(parse(fields, who, words, n, out, &given));
  for (const gi_field *f = fields; f->name != NULL; f++) {
    const bool meant = f->dflt != NULL && strcmp(f->dflt, "0") != 0;
    if (f->kind == GI_FIELD_F64 && (given & bit_of(fields, f)) && meant &&
        fpclassify(number(f, out)) == FP_ZERO)
      set_number(f, out, DBL_MIN);
  }
  return GLIA_OK;
}

/* ---- checking ---------------------------------------------------------------------------- */

static glia_status check_number(const gi_field *f, const char *who, double v) {
  return in_range(f, v) ? GLIA_OK
                        : gi_fail(GLIA_INVALID, "%s's %s is %g, wanted %g to %g", who, f->name,
                                  v, f->min, f->max);
}

static glia_status check_name(const gi_field *f, const char *who, void *opts) {
  const char *name;
  memcpy(&name, (char *)opts + f->offset, sizeof name);
  if (name == NULL || read_value(f, name, opts)) return GLIA_OK;
  const int near = gi_nearest(name, f->choices, choice_count(f));
  return gi_fail(GLIA_INVALID, "%s's %s is \"%s\", which is none of its choices%s%s%s", who,
                 f->name, name, near >= 0 ? "; did you mean \"" : "",
                 near >= 0 ? f->choices[near] : "", near >= 0 ? "\"?" : "");
}

static glia_status check_list(const gi_field *f, const char *who, const void *opts) {
  int64_t list[GI_LIST_MAX];
  memcpy(list, (const char *)opts + f->offset, sizeof list);
  for (int i = 1; i < GI_LIST_MAX; i++)
    if (list[0] < 0 || (list[i] != 0 && list[i] <= list[i - 1]))
      return gi_fail(GLIA_INVALID, "%s's %s: wanted %s", who, f->name, kind_text(f->kind));
  return GLIA_OK;
}

glia_status gi_fields_check(const gi_field *fields, const char *who, void *opts) {
  for (const gi_field *f = fields; f->name != NULL; f++) {
    int64_t i;
    if (f->kind == GI_FIELD_F64) GI_TRY(check_number(f, who, number(f, opts)));
    if (f->kind == GI_FIELD_I64) {
      memcpy(&i, (const char *)opts + f->offset, sizeof i);
      GI_TRY(check_number(f, who, (double)i));
    }
    if (f->kind == GI_FIELD_NAME) GI_TRY(check_name(f, who, opts));
    if (f->kind == GI_FIELD_LIST) GI_TRY(check_list(f, who, opts));
  }
  return GLIA_OK;
}

static size_t size_of(const gi_field *f) {
  switch (f->kind) {
    case GI_FIELD_BOOL: return sizeof(bool);
    case GI_FIELD_CHOICE: return sizeof(int);
    case GI_FIELD_NAME: return sizeof(char *);
    case GI_FIELD_PAIR: return 2 * sizeof(int64_t);
    case GI_FIELD_LIST: return GI_LIST_MAX * sizeof(int64_t);
    default: return sizeof(int64_t); /* and double */
  }
}

static bool is_set(const gi_field *f, const void *opts) {
  const char *at = (const char *)opts + f->offset;
  if (f->kind == GI_FIELD_F64) return fabs(number(f, opts)) > 0 || isnan(number(f, opts));
  for (size_t i = 0; i < size_of(f); i++)
    if (at[i] != 0) return true;
  return false;
}

const gi_field *gi_fields_foreign(const gi_field *mine, const gi_field *theirs,
                                  const void *opts) {
  for (const gi_field *f = theirs; f->name != NULL; f++) {
    bool has = false;
    for (const gi_field *m = mine; m->name != NULL; m++) has |= m->offset == f->offset;
    if (!has && is_set(f, opts)) return f;
  }
  return NULL;
}

/* ---- words and text ---------------------------------------------------------------------- */

glia_status gi_words_read(const char *who, const char *text, gi_words *out) {
  char *save = NULL;
  out->n = 0;
  if (strlen(text) >= sizeof out->text)
    return gi_fail(GLIA_INVALID, "%s: the text is longer than %d", who, GI_WORDS_TEXT - 1);
  memcpy(out->text, text, strlen(text) + 1);
  for (char *w = strtok_r(out->text, " \t", &save); w != NULL;
       w = strtok_r(NULL, " \t", &save)) {
    if (out->n == GI_WORDS_MAX) return gi_fail(GLIA_INVALID, "%s: too many words", who);
    out->at[out->n++] = w;
  }
  return out->n > 0 ? GLIA_OK : gi_fail(GLIA_INVALID, "%s: the text is empty", who);
}

static void value_text(const gi_field *f, const char *at, gi_str *out) {
  int64_t i[2], list[GI_LIST_MAX];
  double d;
  bool b;
  int c;
  const char *name;
  switch (f->kind) {
    case GI_FIELD_I64:
      memcpy(i, at, sizeof i[0]);
      if (i[0] != 0 || f->required) gi_str_printf(out, " %s=%" PRId64, f->name, i[0]);
      break;
    case GI_FIELD_F64:
      memcpy(&d, at, sizeof d);
      if (d != 0 || f->required) gi_str_printf(out, " %s=%.17g", f->name, d);
      break;
    case GI_FIELD_BOOL:
      memcpy(&b, at, sizeof b);
      if (b) gi_str_printf(out, " %s", f->name);
      break;
    case GI_FIELD_PAIR:
      memcpy(i, at, sizeof i);
      if (i[0] != 0 || i[1] != 0 || f->required)
        gi_str_printf(out, " %s=%" PRId64 "x%" PRId64, f->name, i[0], i[1]);
      break;
    case GI_FIELD_CHOICE:
      memcpy(&c, at, sizeof c);
      if (c != 0 || f->required) gi_str_printf(out, " %s=%s", f->name, f->choices[c]);
      break;
    case GI_FIELD_NAME:
    case GI_FIELD_TEXT:
      memcpy(&name, at, sizeof name);
      if (name != NULL) gi_str_printf(out, " %s=%s", f->name, name);
      break;
    case GI_FIELD_LIST:
      memcpy(list, at, sizeof list);
      for (int k = 0; k < GI_LIST_MAX && list[k] != 0; k++) {
        if (k == 0) gi_str_printf(out, " %s=", f->name);
        gi_str_printf(out, k > 0 ? ",%" PRId64 : "%" PRId64, list[k]);
      }
      break;
  }
}

void gi_fields_text(const gi_field *fields, const void *opts, gi_str *out) {
  for (const gi_field *f = fields; f != NULL && f->name != NULL; f++)
    value_text(f, (const char *)opts + f->offset, out);
}
