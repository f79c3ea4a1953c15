/* base/json.h - JSON, over jansson; the only file that knows it is json.c.
 *
 * A gi_json is a node of a tree. gi_json_parse and gi_json_new return a root (owned:
 * gi_json_free); getters return borrowed nodes. Setters copy strings and take over child nodes.
 * A NULL node may be passed everywhere: getters return the fallback, setters do nothing and
 * gi_json_text returns NULL, so that building needs one check at the end.
 */
#ifndef GI_JSON_H
#define GI_JSON_H

#include "base/base.h"

typedef struct json_t gi_json;

/* Strict UTF-8 and JSON, no duplicate keys, depth at most 64. GLIA_FORMAT names `what`, line
 * and column. */
glia_status gi_json_parse(const char *text, size_t n, const char *what, gi_json **out);
gi_json *gi_json_object(void);
gi_json *gi_json_array(void);
void gi_json_free(gi_json *j);

typedef enum gi_json_kind {
  GI_JSON_NULL,
  GI_JSON_BOOL,
  GI_JSON_INT,
  GI_JSON_REAL,
  GI_JSON_STRING,
  GI_JSON_ARRAY,
  GI_JSON_OBJECT
} gi_json_kind;
gi_json_kind gi_json_type(const gi_json *j);
const gi_json *gi_json_get(const gi_json *object, const char *key); /* NULL if absent */
size_t gi_json_count(const gi_json *array_or_object);
const gi_json *gi_json_at(const gi_json *array, size_t i);
/* Visits members in file order; return false from fn to stop. */
void gi_json_each(const gi_json *object,
                  bool (*fn)(const char *key, const gi_json *value, void *user), void *user);
const char *gi_json_str(const gi_json *j, const char *fallback);
int64_t gi_json_int(const gi_json *j, int64_t fallback);
double gi_json_num(const gi_json *j, double fallback); /* integers too */
bool gi_json_bool(const gi_json *j, bool fallback);

void gi_json_set(gi_json *object, const char *key, gi_json *value);    /* takes value over */
void gi_json_set_str(gi_json *object, const char *key, const char *s); /* NULL: JSON null */
void gi_json_set_int(gi_json *object, const char *key, int64_t v);
void gi_json_set_num(gi_json *object, const char *key, double v); /* not finite: JSON null */
void gi_json_set_bool(gi_json *object, const char *key, bool v);
void gi_json_add(gi_json *array, gi_json *value);
void gi_json_add_str(gi_json *array, const char *s);
void gi_json_add_int(gi_json *array, int64_t v);
void gi_json_add_num(gi_json *array, double v);

/* One line if indent is 0; reals with up to 17 digits; keys in the order set. Owned (gi_free).
 */
char *gi_json_text(const gi_json *j, int indent);

#endif /* GI_JSON_H */
