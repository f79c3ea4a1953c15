/* fields.c - options structs from words and back, by their schema. */
#include "base/fields.h"

#include <inttypes.h>

static const char *kind_text(gi_field_kind k) {
  static const char *const texts[] = {"an integer",    "a number",
                                      "true or false", "a size such as 3 or 3x5",
                                      "a choice",      "a name"};
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
  return f->min == f->max || (v >= f->min && v <= f->max);
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
  int64_t i, pair[2];
  double d;
  int c;
  switch (f->kind) {
    case GI_FIELD_I64:
      if (!gi_parse_i64(word, &i) || !in_range(f, (double)i)) return false;
      memcpy(at, &i, sizeof i);
      return true;
    case GI_FIELD_F64:
      if (!gi_parse_f64(word, &d) || !in_range(f, d)) return false;
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
  char word[64];
  int count = 0;
  for (const gi_field *f = fields; f != NULL && f->name != NULL && count < 64; f++)
    names[count++] = f->name;
  snprintf(word, sizeof word, "%.*s", n, key);
  const int near = gi_nearest(word, names, count);
  return gi_fail(GLIA_MODEL, "%s: no option is called \"%s\"%s%s%s", who, word,
                 near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                 near >= 0 ? "\"?" : "");
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

glia_status gi_fields_parse(const gi_field *fields, const char *who, char *const *words, int n,
                            void *out) {
  uint64_t given = 0;
  for (int i = 0; i < n; i++) {
    const char *equals = strchr(words[i], '=');
    if (equals != NULL)
      GI_TRY(parse_key(fields, who, words[i], equals, &given, out));
    else
      GI_TRY(parse_word(fields, who, words[i], &given, out));
  }
  for (const gi_field *f = fields; f != NULL && f->name != NULL; f++)
    if (f->required && !(given & bit_of(fields, f)))
      return gi_fail(GLIA_MODEL, "%s: %s is missing: %s", who, f->name, f->doc);
  return GLIA_OK;
}

static void value_text(const gi_field *f, const char *at, gi_str *out) {
  int64_t i[2];
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
      memcpy(&name, at, sizeof name);
      if (name != NULL) gi_str_printf(out, " %s=%s", f->name, name);
      break;
  }
}

void gi_fields_text(const gi_field *fields, const void *opts, gi_str *out) {
  for (const gi_field *f = fields; f != NULL && f->name != NULL; f++)
    value_text(f, (const char *)opts + f->offset, out);
}
