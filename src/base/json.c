/* base/json.c - JSON through jansson, which checks UTF-8, syntax and duplicate keys; here are
 * the depth limit, messages with line and column, and the printer (jansson's own prints 0.1 as
 * 0.10000000000000001).
 *
 * Setters have no status. A node that could not take a value keeps the mark `broken` instead,
 * which makes gi_json_text fail: nothing is left out in silence.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"

enum { DEPTH_MAX = 64 };

/* ---- parsing --------------------------------------------------------------------------- */

/* jansson recurses, so nesting is counted before it starts. Only brackets outside strings
 * count; whether they pair up is jansson's to say. */
static glia_status check_depth(const char *text, size_t n, const char *what) {
  int depth = 0, line = 1, column = 0;
  bool in_string = false;
  for (size_t i = 0; i < n; i++) {
    const char c = text[i];
    column++;
    if (c == '\n') {
      line++;
      column = 0;
    }
    if (in_string) {
      if (c == '\\') i++, column++;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > DEPTH_MAX)
        return gi_fail(GLIA_FORMAT, "%s: line %d, column %d: more than %d levels of nesting",
                       what, line, column, DEPTH_MAX);
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return GLIA_OK;
}

glia_status gi_json_parse(const char *text, size_t n, const char *what, gi_json **out) {
  GI_TRY(check_depth(text, n, what));
  json_error_t err;
  gi_json *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
  if (j != NULL) {
    *out = j;
    return GLIA_OK;
  }
  const enum json_error_code code = json_error_code(&err);
  if (code == json_error_out_of_memory) return gi_fail_nomem(n);
  return gi_fail(GLIA_FORMAT, "%s: line %d, column %d: %s%s", what, GI_MAX(err.line, 1),
                 GI_MAX(err.column, 0), code == json_error_invalid_utf8 ? "not UTF-8: " : "",
                 err.text);
}

/* ---- reading --------------------------------------------------------------------------- */

gi_json_kind gi_json_type(const gi_json *j) {
  if (j == NULL) return GI_JSON_NULL;
  switch (json_typeof(j)) {
    case JSON_OBJECT: return GI_JSON_OBJECT;
    case JSON_ARRAY: return GI_JSON_ARRAY;
    case JSON_STRING: return GI_JSON_STRING;
    case JSON_INTEGER: return GI_JSON_INT;
    case JSON_REAL: return GI_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return GI_JSON_BOOL;
    case JSON_NULL: break;
  }
  return GI_JSON_NULL;
}

const gi_json *gi_json_get(const gi_json *object, const char *key) {
  return json_object_get(object, key);
}

size_t gi_json_count(const gi_json *array_or_object) {
  return json_is_object(array_or_object) ? json_object_size(array_or_object)
                                         : json_array_size(array_or_object);
}

const gi_json *gi_json_at(const gi_json *array, size_t i) { return json_array_get(array, i); }

/* jansson's iterators want a node that may be changed, though they change none; its address is
 * taken through an integer because there is no other way to say so. */
static json_t *unlocked(const json_t *j) { return (json_t *)(uintptr_t)j; }

void gi_json_each(const gi_json *object,
                  bool (*fn)(const char *key, const gi_json *value, void *user), void *user) {
  json_t *o = unlocked(object);
  for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it))
    if (!fn(json_object_iter_key(it), json_object_iter_value(it), user)) return;
}

const char *gi_json_str(const gi_json *j, const char *fallback) {
  return json_is_string(j) ? json_string_value(j) : fallback;
}

int64_t gi_json_int(const gi_json *j, int64_t fallback) {
  return json_is_integer(j) ? json_integer_value(j) : fallback;
}

double gi_json_num(const gi_json *j, double fallback) {
  return json_is_number(j) ? json_number_value(j) : fallback;
}

bool gi_json_bool(const gi_json *j, bool fallback) {
  return json_is_boolean(j) ? json_is_true(j) : fallback;
}

/* ---- building -------------------------------------------------------------------------- */

/* The mark: one node of its own, known by its address, never counted (as jansson's null). */
static json_t broken = {.type = JSON_NULL, .refcount = (size_t)-1};

gi_json *gi_json_object(void) { return json_object(); }

gi_json *gi_json_array(void) { return json_array(); }

void gi_json_free(gi_json *j) { json_decref(j); }

/* Emptied first: that gives back the memory which the mark needs. */
static void mark_broken(gi_json *j) {
  if (json_is_object(j)) {
    json_object_clear(j);
    json_object_set_new_nocheck(j, "broken", &broken);
  } else if (json_is_array(j)) {
    json_array_clear(j);
    json_array_append_new(j, &broken);
  }
}

/* File names can hold any byte, JSON cannot: malformed ones become U+FFFD. Owned. */
static char *clean_utf8(const char *s) {
  gi_str b = {0};
  while (*s != '\0') {
    const size_t n = gi_utf8_length(s);
    gi_str_add(&b, n > 0 ? s : "\xef\xbf\xbd", n > 0 ? n : 3);
    s += n > 0 ? n : 1;
  }
  return gi_str_take(&b);
}

static gi_json *string_node(const char *s) {
  if (s == NULL) return json_null();
  char *clean = clean_utf8(s);
  gi_json *j = clean == NULL ? NULL : json_string(clean);
  gi_free(clean);
  return j;
}

static gi_json *real_node(double v) { return isfinite(v) ? json_real(v) : json_null(); }

void gi_json_set(gi_json *object, const char *key, gi_json *value) {
  char *clean = clean_utf8(key);
  /* json_object_set_new drops the value where it fails, a missing object included */
  const int err = clean == NULL ? -1 : json_object_set_new(object, clean, value);
  if (clean == NULL) json_decref(value);
  if (err != 0) mark_broken(object);
  gi_free(clean);
}

void gi_json_set_str(gi_json *object, const char *key, const char *s) {
  gi_json_set(object, key, string_node(s));
}

void gi_json_set_int(gi_json *object, const char *key, int64_t v) {
  gi_json_set(object, key, json_integer(v));
}

void gi_json_set_num(gi_json *object, const char *key, double v) {
  gi_json_set(object, key, real_node(v));
}

void gi_json_set_bool(gi_json *object, const char *key, bool v) {
  gi_json_set(object, key, json_boolean(v));
}

void gi_json_add(gi_json *array, gi_json *value) {
  if (json_array_append_new(array, value) != 0) mark_broken(array);
}

void gi_json_add_str(gi_json *array, const char *s) { gi_json_add(array, string_node(s)); }

void gi_json_add_int(gi_json *array, int64_t v) { gi_json_add(array, json_integer(v)); }

void gi_json_add_num(gi_json *array, double v) { gi_json_add(array, real_node(v)); }

/* ---- printing -------------------------------------------------------------------------- */

static void put_string(gi_str *b, const char *s) {
  gi_str_puts(b, "\"");
  for (; *s != '\0'; s++) {
    const unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      gi_str_printf(b, "\\%c", c);
    else if (c == '\n')
      gi_str_puts(b, "\\n");
    else if (c == '\t')
      gi_str_puts(b, "\\t");
    else if (c < 0x20 || c == 0x7f)
      gi_str_printf(b, "\\u%04x", c);
    else
      gi_str_add(b, s, 1);
  }
  gi_str_puts(b, "\"");
}

/* The fewest digits that read back as the same number; always with a point or an exponent, so
 * that it reads back as a real. */
static void put_real(gi_str *b, double v) {
  char text[40];
  double back = 0.0;
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, v);
    for (char *p = text; *p != '\0'; p++)
      if (*p == ',') *p = '.'; /* languages with a decimal comma */
    if (gi_parse_f64(text, &back) && back == v) break;
  }
  gi_str_puts(b, text);
  if (text[strcspn(text, ".e")] == '\0') gi_str_puts(b, ".0");
}

static void put_break(gi_str *b, int indent, int level) {
  if (indent > 0) gi_str_printf(b, "\n%*s", indent * level, "");
}

static void put_node(gi_str *b, const json_t *j, int indent, int level);

static void put_object(gi_str *b, const json_t *j, int indent, int level) {
  json_t *o = unlocked(j);
  const char *gap = "";
  gi_str_puts(b, "{");
  for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it)) {
    gi_str_puts(b, gap);
    put_break(b, indent, level + 1);
    put_string(b, json_object_iter_key(it));
    gi_str_puts(b, ": ");
    put_node(b, json_object_iter_value(it), indent, level + 1);
    gap = indent > 0 ? "," : ", ";
  }
  if (json_object_size(j) > 0) put_break(b, indent, level);
  gi_str_puts(b, "}");
}

/* Arrays of plain values stay on one line: shapes and rows of numbers are read across. */
static void put_array(gi_str *b, const json_t *j, int indent, int level) {
  const size_t n = json_array_size(j);
  bool nested = false;
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(j, i);
    nested = nested || json_is_object(item) || json_is_array(item);
  }
  gi_str_puts(b, "[");
  for (size_t i = 0; i < n; i++) {
    if (i > 0) gi_str_puts(b, nested && indent > 0 ? "," : ", ");
    if (nested) put_break(b, indent, level + 1);
    put_node(b, json_array_get(j, i), indent, level + 1);
  }
  if (nested) put_break(b, indent, level);
  gi_str_puts(b, "]");
}

static void put_node(gi_str *b, const json_t *j, int indent, int level) {
  if (j == &broken) b->failed = true;
  switch (json_typeof(j)) {
    case JSON_OBJECT: put_object(b, j, indent, level); break;
    case JSON_ARRAY: put_array(b, j, indent, level); break;
    case JSON_STRING: put_string(b, json_string_value(j)); break;
    case JSON_INTEGER: gi_str_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(j)); break;
    case JSON_REAL: put_real(b, json_real_value(j)); break;
    case JSON_TRUE: gi_str_puts(b, "true"); break;
    case JSON_FALSE: gi_str_puts(b, "false"); break;
    case JSON_NULL: gi_str_puts(b, "null"); break;
  }
}

char *gi_json_text(const gi_json *j, int indent) {
  if (j == NULL) return NULL;
  gi_str b = {0};
  put_node(&b, j, indent, 0);
  return gi_str_take(&b);
}
