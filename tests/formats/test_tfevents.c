/* TensorBoard's event files: records with right checksums, and in them what was put there. */
#include "base/protobuf.h"
#include "test.h"
#include "glia/formats.h"

static char folder[600];

static int set_up(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "%s", test_dir("tfevents"));
  return 0;
}

/* ---- reading them back ------------------------------------------------------------------- */

/* CRC-32C bit by bit, from its definition. */
static uint32_t crc32c(const unsigned char *p, size_t n) {
  uint32_t c = 0xffffffffu;
  for (size_t i = 0; i < n; i++)
    for (int k = 0; k < 8; k++) {
      const uint32_t bit = (c ^ (uint32_t)p[i] >> k) & 1;
      c = c >> 1 ^ (bit ? 0x82f63b78u : 0);
    }
  return ~c;
}

static uint32_t unmasked(const unsigned char *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  v -= 0xa282ead8u;
  return v >> 17 | v << 15;
}

typedef struct file {
  char *text;
  size_t n, at;
} file;

/* The next record's data; false at the end. Its checksums must be right. */
static bool next(file *f, gi_wire *out) {
  if (f->at == f->n) return false;
  const unsigned char *p = (const unsigned char *)f->text + f->at;
  uint64_t length;
  memcpy(&length, p, 8);
  assert_in_range(length, 1, f->n - f->at - 16);
  assert_int_equal(unmasked(p + 8), crc32c(p, 8));
  assert_int_equal(unmasked(p + 12 + length), crc32c(p + 12, (size_t)length));
  *out = (gi_wire){p + 12, p + 12 + length};
  f->at += 16 + (size_t)length;
  return true;
}

/* The first field of this number. */
static gi_wire_field find(gi_wire w, uint32_t number) {
  gi_wire_field f;
  bool more = true;
  for (;;) {
    OK(gi_wire_next(&w, &f, &more));
    if (!more) fail_msg("there is no field %u", number);
    if (f.number == number) return f;
  }
}

static gi_wire inside(gi_wire w, uint32_t number) {
  const gi_wire_field f = find(w, number);
  return gi_wire_of(&f);
}

static void text_is(gi_wire w, uint32_t number, const char *want) {
  const gi_wire_field f = find(w, number);
  assert_int_equal(f.n, strlen(want));
  assert_memory_equal(f.p, want, f.n);
}

static void numbers_are(gi_wire w, uint32_t number, const double *want, size_t n) {
  uint64_t bits[64];
  size_t got = 0;
  const gi_wire_field f = find(w, number);
  OK(gi_wire_numbers(&f, GI_WIRE_FIXED64, bits, 64, &got, "bucket"));
  assert_int_equal(got, n);
  for (size_t i = 0; i < n; i++) NEAR(gi_wire_double(bits[i]), want[i], 1e-12);
}

/* The value of the next record, which has this step and tag. */
static gi_wire value(file *f, uint64_t step, const char *tag) {
  gi_wire event;
  assert_true(next(f, &event));
  assert_int_equal(find(event, 2).value, step);
  assert_true(gi_wire_double(find(event, 1).value) > 1e9); /* seconds since 1970 */
  const gi_wire v = inside(inside(event, 5), 1);
  text_is(v, 1, tag);
  return v;
}

/* ---- cases ------------------------------------------------------------------------------ */

/* CRC-32C's own check value (RFC 3720, B.4): of "123456789". */
static void the_checksum_is_crc32c(void **state) {
  (void)state;
  assert_int_equal(crc32c((const unsigned char *)"123456789", 9), 0xe3069283u);
}

static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,
                                    0,    0,   13,  'I', 'H',  'D',  'R',  0,    0,
                                    1,    2,   0,   0,   0,    3,    8,    2};

static void values_are_written(void **state) {
  (void)state;
  glia_events *e = NULL;
  glia_tensor *t = NULL;
  file f = {0};
  gi_wire event;
  OK(glia_tensor_from(GLIA_F32, 1, (const int64_t[]){6},
                      (const float[]){0, 1, 64, NAN, 63, INFINITY}, &t));
  OK(glia_events_new(folder, &e));
  OK(glia_events_scalar(e, "train_loss", 1, 0.1));
  OK(glia_events_image(e, "curves.png", 2, png, sizeof png));
  OK(glia_events_histogram(e, "fc.weight", 3, t));
  assert_non_null(strstr(glia_events_path(e), "/events.out.tfevents."));
  OK(gi_read_file(glia_events_path(e), 1 << 20, &f.text, &f.n)); /* while it is open */
  glia_events_free(e);
  assert_true(next(&f, &event));
  text_is(event, 3, "brain.Event:2");
  assert_true(gi_wire_float(find(value(&f, 1, "train_loss"), 2).value) == 0.1f);
  const gi_wire image = inside(value(&f, 2, "curves.png"), 4);
  assert_int_equal(find(image, 1).value, 3);
  assert_int_equal(find(image, 2).value, 258);
  assert_int_equal(find(image, 3).value, 3);
  assert_int_equal(find(image, 4).n, sizeof png);
  const gi_wire h = inside(value(&f, 3, "fc.weight"), 5);
  const double sums[] = {0, 64, 4, 128, 1 + 64 * 64 + 63 * 63};
  for (uint32_t i = 0; i < 5; i++) NEAR(gi_wire_double(find(h, i + 1).value), sums[i], 1e-9);
  double limits[64], buckets[64] = {1, 1};
  for (int i = 0; i < 64; i++) limits[i] = i + 1;
  buckets[63] = 2;
  numbers_are(h, 6, limits, 64);
  numbers_are(h, 7, buckets, 64);
  assert_false(next(&f, &event));
  gi_free(f.text);
  glia_tensor_free(t);
}

static void equal_numbers_are_one_bucket(void **state) {
  (void)state;
  glia_events *e = NULL;
  glia_tensor *t = NULL;
  file f = {0};
  gi_wire event;
  OK(glia_tensor_new(GLIA_F32, 1, (const int64_t[]){5}, &t));
  OK(glia_events_new(folder, &e));
  OK(glia_events_histogram(e, "zero", 0, t));
  OK(gi_read_file(glia_events_path(e), 1 << 20, &f.text, &f.n));
  assert_true(next(&f, &event));
  assert_true(next(&f, &event));
  const gi_wire h = inside(inside(inside(event, 5), 1), 5);
  numbers_are(h, 6, (const double[]){0}, 1);
  numbers_are(h, 7, (const double[]){5}, 1);
  glia_events_free(e);
  glia_tensor_free(t);
  gi_free(f.text);
}

static void two_files_do_not_meet(void **state) {
  (void)state;
  glia_events *a = NULL, *b = NULL;
  OK(glia_events_new(folder, &a));
  OK(glia_events_new(folder, &b));
  assert_string_not_equal(glia_events_path(a), glia_events_path(b));
  glia_events_free(a);
  glia_events_free(b);
}

static void bad_input_is_refused(void **state) {
  (void)state;
  glia_events *e = NULL;
  glia_tensor *t = NULL;
  FAILS(glia_events_new("/nowhere", &e), GLIA_DISK, "/nowhere");
  FAILS(glia_events_new(NULL, &e), GLIA_INVALID, "folder is missing");
  assert_null(e);
  OK(glia_events_new(folder, &e));
  OK(glia_tensor_from(GLIA_F32, 1, (const int64_t[]){1}, (const float[]){NAN}, &t));
  FAILS(glia_events_scalar(e, "", 1, 0), GLIA_INVALID, "tag");
  FAILS(glia_events_scalar(e, "\xff", 1, 0), GLIA_INVALID, "tag");
  FAILS(glia_events_scalar(e, NULL, 1, 0), GLIA_INVALID, "tag");
  FAILS(glia_events_image(e, "a", 1, "GIF89a", 6), GLIA_FORMAT, "no PNG");
  FAILS(glia_events_histogram(e, "a", 1, t), GLIA_INVALID, "no element is a finite number");
  glia_tensor_free(t);
  glia_events_free(e);
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  glia_events *e = NULL;
  for (int i = 1; gi_alloc_fail_after(i), glia_events_new(folder, &e) != GLIA_OK; i++)
    assert_in_range(i, 1, 100);
  for (int i = 1; gi_alloc_fail_after(i), glia_events_scalar(e, "a", 1, 1) != GLIA_OK; i++)
    assert_in_range(i, 1, 100);
  gi_alloc_fail_after(0);
  glia_events_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_checksum_is_crc32c),
      cmocka_unit_test(values_are_written),
      cmocka_unit_test(equal_numbers_are_one_bucket),
      cmocka_unit_test(two_files_do_not_meet),
      cmocka_unit_test(bad_input_is_refused),
      cmocka_unit_test(every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
