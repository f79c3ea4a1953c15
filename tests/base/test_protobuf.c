/* Protobuf's wire format: what the encoding page shows, what it forbids, and round trips. */
#include "base/protobuf.h"
#include "test.h"

static gi_wire wire(const char *bytes, size_t n) {
  const unsigned char *p = (const unsigned char *)bytes;
  return (gi_wire){p, p + n};
}
#define WIRE(text) wire((text), sizeof(text) - 1)

/* The one field of a message. */
static gi_wire_field only(gi_wire w) {
  gi_wire_field f = {0}, end;
  bool more = false;
  OK(gi_wire_next(&w, &f, &more));
  assert_true(more);
  OK(gi_wire_next(&w, &end, &more));
  assert_false(more);
  return f;
}

static void fails(gi_wire w, const char *text) {
  gi_wire_field f;
  bool more = true;
  while (more) {
    if (gi_wire_next(&w, &f, &more) == GLIA_OK) continue;
    if (strstr(glia_error_message(), text) == NULL)
      fail_msg("\"%s\" does not hold \"%s\"", glia_error_message(), text);
    return;
  }
  fail_msg("was read, wanted a failure with \"%s\"", text);
}

/* Examples of protobuf.dev/programming-guides/encoding. */
static void the_examples_are_read(void **state) {
  (void)state;
  const gi_wire_field a = only(WIRE("\x08\x96\x01"));
  assert_int_equal(a.number, 1);
  assert_int_equal(a.kind, GI_WIRE_VARINT);
  assert_int_equal(a.value, 150);
  const gi_wire_field b = only(WIRE("\x12\x07testing"));
  assert_int_equal(b.number, 2);
  assert_int_equal(b.kind, GI_WIRE_BYTES);
  assert_int_equal(b.n, 7);
  assert_memory_equal(b.p, "testing", 7);
  const gi_wire_field c = only(WIRE("\x1a\x03\x08\x96\x01"));
  assert_int_equal(only(gi_wire_of(&c)).value, 150);
  const gi_wire_field packed = only(WIRE("\x32\x06\x03\x8e\x02\x9e\xa7\x05"));
  uint64_t v[4];
  size_t n = 0;
  OK(gi_wire_numbers(&packed, GI_WIRE_VARINT, v, 4, &n, "f"));
  assert_int_equal(n, 3);
  assert_int_equal(v[0], 3);
  assert_int_equal(v[1], 270);
  assert_int_equal(v[2], 86942);
  const gi_wire_field minus = only(WIRE("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  assert_true((int64_t)minus.value == -2);
  const gi_wire_field fixed = only(WIRE("\x0d\x00\x00\xc0\x3f"));
  assert_true(gi_wire_float(fixed.value) == 1.5f);
  const gi_wire_field wide = only(WIRE("\x09\x00\x00\x00\x00\x00\x00\xf8\xbf"));
  assert_true(gi_wire_double(wide.value) == -1.5);
}

static void what_is_malformed_is_refused(void **state) {
  (void)state;
  fails(WIRE("\x08"), "cut off");
  fails(WIRE("\x08\x96"), "cut off");
  fails(WIRE("\x96"), "cut off");
  fails(WIRE("\x0d\x00\x00"), "cut off");
  fails(WIRE("\x09\x00\x00\x00\x00\x00\x00\xf8"), "cut off");
  fails(WIRE("\x12"), "cut off");
  fails(WIRE("\x12\x08testing"), "should have 8 bytes, there are 7");
  fails(WIRE("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), "there are 1");
  fails(WIRE("\x00\x01"), "no field number 0");
  fails(WIRE("\x80\x80\x80\x80\x10\x01"), "no field number 536870912");
  fails(WIRE("\x0b\x0c"), "wire type 3"); /* a group, and its end */
  fails(WIRE("\x0c"), "wire type 4");
  fails(WIRE("\x0e\x01"), "wire type 6");
  fails(WIRE("\x0f\x01"), "wire type 7");
  fails(WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "more than 64 bits");
  fails(WIRE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "more than 64 bits");
}

static void largest_numbers_are_read(void **state) {
  (void)state;
  assert_true(only(WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")).value == UINT64_MAX);
  assert_int_equal(only(WIRE("\xf8\xff\xff\xff\x0f\x01")).number, (1 << 29) - 1);
  assert_int_equal(only(WIRE("\x88\x80\x00\x07")).value, 7); /* a key longer than it need be */
}

static void kinds_and_counts_are_checked(void **state) {
  (void)state;
  uint64_t v[2];
  size_t n = 0;
  const gi_wire_field one = only(WIRE("\x08\x05"));
  FAILS(gi_wire_want(&one, GI_WIRE_BYTES, "its name"), GLIA_FORMAT, "its name (field 1)");
  FAILS(gi_wire_numbers(&one, GI_WIRE_FIXED32, v, 2, &n, "f"), GLIA_FORMAT, "4 bytes");
  OK(gi_wire_numbers(&one, GI_WIRE_VARINT, v, 2, &n, "f"));
  OK(gi_wire_numbers(&one, GI_WIRE_VARINT, v, 2, &n, "f"));
  assert_int_equal(n, 2);
  FAILS(gi_wire_numbers(&one, GI_WIRE_VARINT, v, 2, &n, "f"), GLIA_FORMAT, "more than 2");
  const gi_wire_field cut = only(WIRE("\x0a\x05\x00\x00\x80\x3f\x00"));
  n = 0;
  FAILS(gi_wire_numbers(&cut, GI_WIRE_FIXED32, NULL, 0, &n, "f"), GLIA_FORMAT, "cut off");
  const gi_wire_field empty = only(WIRE("\x0a\x00"));
  n = 0;
  OK(gi_wire_numbers(&empty, GI_WIRE_VARINT, NULL, 0, &n, "f"));
  assert_int_equal(n, 0);
}

static void what_is_written_is_read(void **state) {
  (void)state;
  static const int64_t whole[] = {0, 1, 127, 128, 300, INT64_MAX, -1, INT64_MIN};
  static const float floats[] = {0.5f, -3.25f};
  static const double doubles[] = {1e300, -0.0};
  gi_str b = {0}, inner = {0};
  gi_wire_put_varint(&b, 1, UINT64_MAX);
  gi_wire_put_float(&b, 2, 2.5f);
  gi_wire_put_double(&b, 3, -1e-300);
  gi_wire_put_bytes(&b, 4, "a\0b", 3);
  gi_wire_put_text(&inner, 1, "text");
  gi_wire_put_message(&b, 5, &inner);
  assert_null(inner.s);
  gi_wire_put_varints(&b, 6, whole, GI_COUNT(whole));
  gi_wire_put_floats(&b, 7, floats, 2);
  gi_wire_put_doubles(&b, 1 << 20, doubles, 2);
  assert_false(b.failed);
  gi_wire w = wire(b.s, b.n);
  gi_wire_field f;
  bool more = true;
  uint64_t v[GI_COUNT(whole)];
  for (int i = 0; i < 8; i++) {
    size_t n = 0;
    OK(gi_wire_next(&w, &f, &more));
    assert_true(more);
    assert_int_equal(f.number, i < 7 ? i + 1 : 1 << 20);
    if (i == 0) assert_true(f.value == UINT64_MAX);
    if (i == 1) assert_true(gi_wire_float(f.value) == 2.5f);
    if (i == 2) assert_true(gi_wire_double(f.value) == -1e-300);
    if (i == 3) assert_int_equal(f.n, 3);
    if (i == 3) assert_memory_equal(f.p, "a\0b", 3);
    if (i == 4) assert_memory_equal(only(gi_wire_of(&f)).p, "text", 4);
    if (i == 5) OK(gi_wire_numbers(&f, GI_WIRE_VARINT, v, GI_COUNT(whole), &n, "f"));
    for (size_t k = 0; i == 5 && k < GI_COUNT(whole); k++)
      assert_true((int64_t)v[k] == whole[k]);
    if (i == 6) OK(gi_wire_numbers(&f, GI_WIRE_FIXED32, v, 2, &n, "f"));
    if (i == 6) assert_true(gi_wire_float(v[1]) == floats[1]);
    if (i == 7) OK(gi_wire_numbers(&f, GI_WIRE_FIXED64, v, 2, &n, "f"));
    if (i == 7)
      assert_true(gi_wire_double(v[0]) == doubles[0] && signbit(gi_wire_double(v[1])));
  }
  OK(gi_wire_next(&w, &f, &more));
  assert_false(more);
  gi_str_free(&b);
}

static void failures_of_memory_are_passed_on(void **state) {
  (void)state;
  gi_str b = {0}, inner = {0};
  gi_alloc_fail_after(1);
  gi_wire_put_text(&inner, 1, "text");
  assert_true(inner.failed);
  gi_wire_put_message(&b, 1, &inner);
  assert_true(b.failed);
  gi_str_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_examples_are_read),
      cmocka_unit_test(what_is_malformed_is_refused),
      cmocka_unit_test(largest_numbers_are_read),
      cmocka_unit_test(kinds_and_counts_are_checked),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(failures_of_memory_are_passed_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
