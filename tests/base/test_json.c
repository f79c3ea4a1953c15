/* JSON: what is read, what is refused and where, building, printing, and back. */
#include "base/json.h"
#include "test.h"

static gi_json *parse(const char *text) {
  gi_json *j = NULL;
  OK(gi_json_parse(text, strlen(text), "test", &j));
  return j;
}

static void reads_every_kind(void **state) {
  (void)state;
  gi_json *j = parse(
      "{\"n\": null, \"t\": true, \"i\": -9007199254740993, \"r\": 2.5e-1, \"s\": \"\\u00e9\","
      " \"a\": [1, 2, 3], \"o\": {}}");
  assert_int_equal(gi_json_type(j), GI_JSON_OBJECT);
  assert_int_equal(gi_json_count(j), 7);
  assert_int_equal(gi_json_type(gi_json_get(j, "n")), GI_JSON_NULL);
  assert_int_equal(gi_json_type(gi_json_get(j, "t")), GI_JSON_BOOL);
  assert_int_equal(gi_json_type(gi_json_get(j, "i")), GI_JSON_INT);
  assert_int_equal(gi_json_type(gi_json_get(j, "r")), GI_JSON_REAL);
  assert_int_equal(gi_json_type(gi_json_get(j, "s")), GI_JSON_STRING);
  assert_int_equal(gi_json_type(gi_json_get(j, "a")), GI_JSON_ARRAY);
  assert_true(gi_json_bool(gi_json_get(j, "t"), false));
  assert_int_equal(gi_json_int(gi_json_get(j, "i"), 0), -9007199254740993);
  assert_true(gi_json_num(gi_json_get(j, "r"), 0) == 0.25);
  assert_true(gi_json_num(gi_json_at(gi_json_get(j, "a"), 2), 0) == 3.0);
  assert_string_equal(gi_json_str(gi_json_get(j, "s"), ""), "\xc3\xa9");
  assert_int_equal(gi_json_count(gi_json_get(j, "a")), 3);
  assert_null(gi_json_at(gi_json_get(j, "a"), 3));
  assert_null(gi_json_get(j, "absent"));
  gi_json_free(j);
}

static void wrong_kinds_give_the_fallback(void **state) {
  (void)state;
  gi_json *j = parse("[\"s\", 1.5, true, 3]");
  assert_int_equal(gi_json_int(gi_json_at(j, 0), 7), 7);
  assert_int_equal(gi_json_int(gi_json_at(j, 1), 7), 7); /* not cut to a whole number */
  assert_true(gi_json_num(gi_json_at(j, 2), 7) == 7);
  assert_string_equal(gi_json_str(gi_json_at(j, 3), "f"), "f");
  assert_true(gi_json_bool(gi_json_at(j, 3), true));
  assert_null(gi_json_get(j, "key"));
  gi_json_free(j);
  assert_int_equal(gi_json_type(NULL), GI_JSON_NULL);
  assert_int_equal(gi_json_count(NULL), 0);
  assert_null(gi_json_get(NULL, "a"));
  assert_null(gi_json_at(NULL, 0));
  assert_int_equal(gi_json_int(NULL, 7), 7);
  gi_json_each(NULL, NULL, NULL);
  gi_json_free(NULL);
}

static void errors_say_where(void **state) {
  (void)state;
  const struct {
    const char *text, *want;
  } cases[] = {
      {"", "line 1"},
      {"{", "line 1"},
      {"{\"a\": 1,\n \"a\": 2}", "duplicate"},
      {"{\"a\": 1,\n \"b\" 2}", "line 2, column 6"},
      {"[1, 2", "]"},
      {"[1] 2", "end of file expected"},
      {"{'a': 1}", "line 1"},
      {"[01]", "line 1"},
      {"[1,]", "line 1"},
      {"[NaN]", "line 1"},
      {"[99999999999999999999]", "big"},
      {"[1e999]", "overflow"},
      {"[\"\xff\"]", "UTF-8"},
      {"[\"\xed\xa0\x80\"]", "UTF-8"}, /* a surrogate */
      {"[\"\xc0\x80\"]", "UTF-8"},     /* overlong */
      {"[\"\\ud800\"]", "line 1"},
      {"[\"\\u0000\"]", "line 1"},
      {"[\"a\tb\"]", "control character"},
      {"\xef\xbb\xbf{}", "line 1"}, /* byte order mark */
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    gi_json *j = NULL;
    FAILS(gi_json_parse(cases[i].text, strlen(cases[i].text), "f.json", &j), GLIA_FORMAT,
          cases[i].want);
    assert_non_null(strstr(glia_error_message(), "f.json: line "));
    assert_null(j);
  }
  gi_json *j = NULL;
  FAILS(gi_json_parse("[1]\0", 4, "f.json", &j), GLIA_FORMAT, "f.json");
}

static void nesting_is_limited(void **state) {
  (void)state;
  enum { DEEP = 200000 };
  char *text = malloc(2 * DEEP);
  assert_non_null(text);
  gi_json *j = NULL;
  memset(text, '[', 64);
  memset(text + 64, ']', 64);
  OK(gi_json_parse(text, 128, "f", &j));
  gi_json_free(j);
  memset(text, '[', 65);
  memset(text + 65, ']', 65);
  FAILS(gi_json_parse(text, 130, "f", &j), GLIA_FORMAT, "line 1, column 65: more than 64");
  memset(text, '[', DEEP);
  memset(text + DEEP, ']', DEEP);
  FAILS(gi_json_parse(text, 2 * DEEP, "f", &j), GLIA_FORMAT, "more than 64 levels");
  memset(text, '[', 2 * DEEP); /* brackets in strings do not count, also after \" */
  memcpy(text, "[\"\\\"", 4);
  memcpy(text + 300, "\"]", 2);
  OK(gi_json_parse(text, 302, "f", &j));
  gi_json_free(j);
  free(text);
}

static bool collect(const char *key, const gi_json *value, void *user) {
  gi_str *b = user;
  gi_str_printf(b, "%s=%lld;", key, (long long)gi_json_int(value, -1));
  return gi_json_int(value, -1) != 3;
}

static void members_come_in_file_order(void **state) {
  (void)state;
  gi_json *j = parse("{\"z\": 1, \"a\": 2, \"m\": 3, \"b\": 4}");
  gi_str b = {0};
  gi_json_each(j, collect, &b);
  assert_string_equal(b.s, "z=1;a=2;m=3;");
  gi_str_free(&b);
  gi_json_free(j);
}

static gi_json *build(void) {
  gi_json *j = gi_json_object(), *list = gi_json_array(), *rows = gi_json_array();
  gi_json_set_str(j, "name", "tab\t\"quote\" back\\slash \x01 \xc3\xa9");
  gi_json_set_str(j, "nothing", NULL);
  gi_json_set_int(j, "big", INT64_MIN);
  gi_json_set_num(j, "tenth", 0.1);
  gi_json_set_num(j, "whole", 3.0);
  gi_json_set_num(j, "inf", (double)INFINITY);
  gi_json_set_bool(j, "yes", true);
  gi_json_add_int(list, 1);
  gi_json_add_num(list, 1e300);
  gi_json_add_str(list, "x");
  gi_json_add(rows, gi_json_object());
  gi_json_add(rows, gi_json_array());
  gi_json_set(j, "list", list);
  gi_json_set(j, "rows", rows);
  return j;
}

static void printed_text_reads_back(void **state) {
  (void)state;
  gi_json *j = build();
  char *line = gi_json_text(j, 0), *tree = gi_json_text(j, 2);
  assert_string_equal(
      line,
      "{\"name\": \"tab\\t\\\"quote\\\" back\\\\slash \\u0001 \xc3\xa9\", \"nothing\": null, "
      "\"big\": -9223372036854775808, \"tenth\": 0.1, \"whole\": 3.0, \"inf\": null, "
      "\"yes\": true, \"list\": [1, 1e+300, \"x\"], \"rows\": [{}, []]}");
  assert_null(strchr(line, '\n'));
  assert_non_null(strstr(tree, "\n  \"tenth\": 0.1,\n"));
  for (int i = 0; i < 2; i++) {
    gi_json *back = parse(i == 0 ? line : tree);
    char *again = gi_json_text(back, 0);
    assert_string_equal(again, line);
    gi_free(again);
    gi_json_free(back);
  }
  gi_free(line);
  gi_free(tree);
  gi_json_free(j);
}

/* Philox bits as doubles: every one reads back as it was. */
static void reals_keep_every_bit(void **state) {
  (void)state;
  const gi_rng r = {.seed = 3};
  for (uint64_t i = 0; i < 2000; i++) {
    const uint64_t bits = (uint64_t)gi_rng_u32(&r, 2 * i) << 32 | gi_rng_u32(&r, 2 * i + 1);
    double v;
    memcpy(&v, &bits, sizeof v);
    if (!isfinite(v)) continue;
    gi_json *j = gi_json_array();
    gi_json_add_num(j, v);
    char *text = gi_json_text(j, 0);
    gi_json *back = parse(text);
    assert_true(gi_json_num(gi_json_at(back, 0), 0) == v);
    assert_int_equal(gi_json_type(gi_json_at(back, 0)), GI_JSON_REAL);
    gi_json_free(back);
    gi_json_free(j);
    gi_free(text);
  }
}

/* Names of files may hold any byte; text must stay readable by everybody. */
static void malformed_utf8_is_replaced(void **state) {
  (void)state;
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "a\xff", "x\xc3");
  gi_json_set_str(j, "b", "\xed\xa0\x80\xf0\x9f\x98\x80\xe2\x82");
  char *text = gi_json_text(j, 0);
  assert_string_equal(text,
                      "{\"a\xef\xbf\xbd\": \"x\xef\xbf\xbd\", \"b\": "
                      "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80"
                      "\xef\xbf\xbd\xef\xbf\xbd\"}");
  gi_free(text);
  gi_json_free(j);
}

/* A value that could not be made or stored makes the printing fail, wherever it was. */
static void nothing_is_left_out_in_silence(void **state) {
  (void)state;
  gi_json *j = gi_json_object(), *inner = gi_json_array();
  gi_json_set_int(j, "a", 1);
  gi_json_set(j, "inner", inner);
  gi_json_add(inner, NULL);
  assert_null(gi_json_text(j, 0));
  gi_json_free(j);

  j = gi_json_object();
  gi_json_set(j, "a", NULL);
  gi_json_set_int(j, "b", 1);
  assert_null(gi_json_text(j, 0));
  gi_json_free(j);

  j = gi_json_object();
  gi_alloc_fail_after(1);
  gi_json_set_str(j, "a", "text");
  assert_null(gi_json_text(j, 0));
  gi_json_free(j);

  gi_json_set_int(NULL, "a", 1);
  gi_json_set_str(NULL, "a", "b");
  gi_json_set(NULL, "a", gi_json_object());
  gi_json_add(NULL, gi_json_object());
  gi_json_add_num(NULL, 1);
  assert_null(gi_json_text(NULL, 0));

  j = build();
  gi_alloc_fail_after(1);
  assert_null(gi_json_text(j, 0));
  gi_json_free(j);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_every_kind),
      cmocka_unit_test(wrong_kinds_give_the_fallback),
      cmocka_unit_test(errors_say_where),
      cmocka_unit_test(nesting_is_limited),
      cmocka_unit_test(members_come_in_file_order),
      cmocka_unit_test(printed_text_reads_back),
      cmocka_unit_test(reals_keep_every_bit),
      cmocka_unit_test(malformed_utf8_is_replaced),
      cmocka_unit_test(nothing_is_left_out_in_silence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
