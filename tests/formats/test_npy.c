/* .npy: round trips, headers as other writers put them, every field malformed, every cut. */
#include "formats/formats.h"
#include "test.h"

static char path[700];

static int set_up(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/a.npy", test_dir("npy"));
  return 0;
}

/* A file of this version, header and data; owned (free). */
static unsigned char *file_of(int version, const char *header, const void *data, size_t bytes,
                              size_t *n) {
  const size_t length = strlen(header), start = version == 1 ? 10 : 12;
  *n = start + length + bytes;
  unsigned char *p = calloc(1, *n);
  assert_non_null(p);
  memcpy(p, "\x93NUMPY", 6);
  p[6] = (unsigned char)version;
  p[8] = (unsigned char)length;
  p[9] = (unsigned char)(length >> 8);
  memcpy(p + start, header, length);
  if (bytes > 0) memcpy(p + start + length, data, bytes);
  return p;
}

static void what_is_written_is_read(void **state) {
  (void)state;
  const int64_t shapes[][8] = {{0}, {3}, {2, 3}, {3, 0, 2}, {1, 2, 1, 3, 1, 2, 1, 2}};
  const int ranks[] = {0, 1, 2, 3, 8};
  for (int d = GLIA_F32; d <= GLIA_BOOL; d++)
    for (int k = 0; k < GI_COUNT(ranks); k++) {
      glia_tensor *t = NULL, *got = NULL;
      OK(glia_tensor_new((glia_dtype)d, ranks[k], shapes[k], &t));
      for (int64_t i = 0; i < glia_tensor_count(t); i++)
        glia_tensor_set(t, i, d == GLIA_BOOL ? (double)(i % 2) : (double)(i + 1));
      OK(glia_npy_write(path, t));
      OK(glia_npy_read(path, &got));
      assert_int_equal(glia_tensor_dtype(got), d == GLIA_BF16 ? GLIA_F32 : (glia_dtype)d);
      assert_int_equal(glia_tensor_rank(got), ranks[k]);
      for (int i = 0; i < ranks[k]; i++)
        assert_int_equal(glia_tensor_shape(got)[i], shapes[k][i]);
      for (int64_t i = 0; i < glia_tensor_count(t); i++)
        assert_true(glia_tensor_get(got, i) == glia_tensor_get(t, i));
      glia_tensor_free(got);
      glia_tensor_free(t);
    }
}

static void header_is_as_numpy_writes_it(void **state) {
  (void)state;
  glia_tensor *t = NULL, *v = NULL;
  char *text = NULL;
  size_t n = 0;
  OK(glia_tensor_from(GLIA_F32, 2, (const int64_t[]){2, 3}, (const float[]){0, 1, 2, 3, 4, 5},
                      &t));
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &v));
  OK(glia_npy_write(path, v));
  OK(gi_read_file(path, 1000, &text, &n));
  assert_int_equal(n, 128 + 24);
  assert_memory_equal(text, "\x93NUMPY\x01\x00\x76\x00", 10);
  const char *want = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), } ";
  assert_memory_equal(text + 10, want, strlen(want));
  assert_int_equal(text[127], '\n');
  const float data[] = {0, 3, 1, 4, 2, 5};
  assert_memory_equal(text + 128, data, sizeof data);
  gi_free(text);
  glia_tensor_free(v);
  glia_tensor_free(t);
}

#define HEADER(descr, order, shape) \
  "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"

static void reads(int version, const char *header, const void *data, size_t bytes,
                  glia_dtype dtype, const double *want, int64_t count) {
  size_t n = 0;
  unsigned char *p = file_of(version, header, data, bytes, &n);
  glia_tensor *t = NULL;
  OK(gi_npy_from_memory(p, n, "a.npy", &t));
  assert_int_equal(glia_tensor_dtype(t), dtype);
  assert_int_equal(glia_tensor_count(t), count);
  for (int64_t i = 0; i < count; i++) assert_true(glia_tensor_get(t, i) == want[i]);
  glia_tensor_free(t);
  free(p);
}
#define WANT(...) (const double[]){__VA_ARGS__}, GI_COUNT(((const double[]){__VA_ARGS__}))

static void other_types_are_widened(void **state) {
  (void)state;
  reads(1, HEADER("|i1", "False", "(2,)"), "\xff\x7f", 2, GLIA_I8, WANT(-1, 127));
  reads(1, HEADER("<i2", "False", "(2,)"), "\xfe\xff\x00\x01", 4, GLIA_I32, WANT(-2, 256));
  reads(1, HEADER(">i2", "False", "(2,)"), "\xff\xfe\x01\x00", 4, GLIA_I32, WANT(-2, 256));
  reads(1, HEADER("<u2", "False", "(1,)"), "\xfe\xff", 2, GLIA_I32, WANT(65534));
  reads(1, HEADER("<u4", "False", "(1,)"), "\xff\xff\xff\xff", 4, GLIA_I64, WANT(4294967295.0));
  reads(1, HEADER(">u4", "False", "(1,)"), "\x80\0\0\1", 4, GLIA_I64, WANT(2147483649.0));
  reads(1, HEADER(">f8", "False", "()"), "\x3f\xf8\0\0\0\0\0\0", 8, GLIA_F64, WANT(1.5));
  reads(1, HEADER(">i8", "False", "()"), "\xff\xff\xff\xff\xff\xff\xff\xfd", 8, GLIA_I64,
        WANT(-3));
  reads(1, HEADER(">f2", "False", "()"), "\x3c\x00", 2, GLIA_F16, WANT(1));
  reads(1, HEADER("=f4", "False", "()"), "\0\0\x80\x3f", 4, GLIA_F32, WANT(1));
  reads(1, HEADER("|b1", "False", "(3,)"), "\0\1\7", 3, GLIA_BOOL, WANT(0, 1, 1));
}

static void fortran_order_is_turned(void **state) {
  (void)state;
  const unsigned char data[] = {0, 12, 4, 16, 8,  20, 1, 13, 5, 17, 9,  21,
                                2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23};
  double want[24];
  for (int i = 0; i < 24; i++) want[i] = i;
  reads(1, HEADER("|u1", "True", "(2, 3, 4)"), data, 24, GLIA_U8, want, 24);
  reads(1, HEADER("|u1", "True", "(3,)"), data, 3, GLIA_U8, WANT(0, 12, 4));
  reads(1, HEADER("|u1", "True", "()"), data, 1, GLIA_U8, WANT(0));
}

static void headers_of_other_writers(void **state) {
  (void)state;
  const char *const headers[] = {
      HEADER("|u1", "False", "(1, 2)"),
      "{\"shape\": (1, 2), \"descr\": \"|u1\", \"fortran_order\": False}",
      "{'fortran_order':False,'shape':(1,2,),'descr':'|u1',}   \n",
      "  { 'descr' : '|u1' , 'fortran_order' : False , 'shape' : ( 1 , 2 ) }",
  };
  for (int version = 1; version <= 3; version++)
    for (int i = 0; i < GI_COUNT(headers); i++)
      reads(version, headers[i], "\5\6", 2, GLIA_U8, WANT(5, 6));
}

static void malformed_files_are_refused(void **state) {
  (void)state;
  const struct {
    const char *header;
    glia_status status;
    const char *want;
  } cases[] = {
      {"", GLIA_FORMAT, "wanted {"},
      {"{}", GLIA_FORMAT, "'descr' is missing"},
      {"{'descr': '<f4', 'fortran_order': False, }", GLIA_FORMAT, "'shape' is missing"},
      {"{'descr': '<f4', 'descr': '<f4', }", GLIA_FORMAT, "'descr' is there twice"},
      {"{'other': 3, }", GLIA_FORMAT, "'other' is not known"},
      {"{descr: '<f4'}", GLIA_FORMAT, "a key in quotes"},
      {"{'descr' '<f4'}", GLIA_FORMAT, "a colon"},
      {"{'descr': '<f4' 'shape': (2,)}", GLIA_FORMAT, "a key in quotes"},
      {"{'descr: '<f4'}", GLIA_FORMAT, "is not known"},
      {"{'descr': f4}", GLIA_FORMAT, "a type such as"},
      {"{'descr': '<f\\x34'}", GLIA_FORMAT, "a type such as"},
      {"{'descr': '<f4", GLIA_FORMAT, "a type such as"},
      {HEADER("|O", "False", "(2,)"), GLIA_FORMAT, "pickled"},
      {HEADER("O", "False", "(2,)"), GLIA_FORMAT, "pickled"},
      {HEADER("<c8", "False", "(1,)"), GLIA_DTYPE, "'<c8' cannot be held"},
      {HEADER("<u8", "False", "(1,)"), GLIA_DTYPE, "'<u8' cannot be held"},
      {HEADER("<U4", "False", "(1,)"), GLIA_DTYPE, "'<U4' cannot be held"},
      {HEADER("", "False", "(1,)"), GLIA_DTYPE, "'' cannot be held"},
      {HEADER("f4", "False", "(2,)"), GLIA_DTYPE, "'f4' cannot be held"},
      {"{'descr': [('a', '<f4')], }", GLIA_DTYPE, "records"},
      {HEADER("<f4", "0", "(2,)"), GLIA_FORMAT, "True or False"},
      {HEADER("<f4", "Falsehood", "(2,)"), GLIA_FORMAT, "a key in quotes"},
      {HEADER("<f4", "False", "[2]"), GLIA_FORMAT, "a shape in parentheses"},
      {HEADER("<f4", "False", "(2)"), GLIA_FORMAT, "a comma in the shape"},
      {HEADER("<f4", "False", "(-2,)"), GLIA_FORMAT, "a dimension"},
      {HEADER("<f4", "False", "(2 3)"), GLIA_FORMAT, "a dimension"},
      {HEADER("<f4", "False", "(2,,)"), GLIA_FORMAT, "a dimension"},
      {HEADER("<f4", "False", "(2.0,)"), GLIA_FORMAT, "a dimension"},
      {HEADER("<f4", "False", "(99999999999999999999,)"), GLIA_FORMAT, "too large"},
      {HEADER("<f4", "False", "(4611686018427387904, 8)"), GLIA_SHAPE, "more bytes"},
      {HEADER("<f4", "False", "(1,1,1,1,1,1,1,1,2)"), GLIA_SHAPE, "more than 8"},
      {HEADER("<f4", "False", "(3,)"), GLIA_FORMAT, "wants 12 bytes, the file has 8"},
      {HEADER("<f4", "False", "()"), GLIA_FORMAT, "something behind"},
      {HEADER("<f4", "False", "(2,)") "x", GLIA_FORMAT, "nothing more"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),)}", GLIA_FORMAT,
       "a dimension"},
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    size_t n = 0;
    unsigned char *p = file_of(1, cases[i].header, "\0\0\0\0\0\0\0\0", 8, &n);
    glia_tensor *t = NULL;
    FAILS(gi_npy_from_memory(p, n, "a.npy", &t), cases[i].status, cases[i].want);
    assert_memory_equal(glia_error_message(), "a.npy: ", 7);
    assert_null(t);
    free(p);
  }
}

static void versions_and_magic(void **state) {
  (void)state;
  size_t n = 0;
  glia_tensor *t = NULL;
  unsigned char *p = file_of(1, HEADER("|u1", "False", "()"), "x", 1, &n);
  p[6] = 4;
  FAILS(gi_npy_from_memory(p, n, "a", &t), GLIA_FORMAT, "version is 4.0");
  p[6] = 1;
  p[7] = 1;
  FAILS(gi_npy_from_memory(p, n, "a", &t), GLIA_FORMAT, "version is 1.1");
  p[0] = 'x';
  FAILS(gi_npy_from_memory(p, n, "a", &t), GLIA_FORMAT, "does not begin as a .npy file");
  free(p);
  FAILS(glia_npy_read("/nowhere/a.npy", &t), GLIA_IO, "cannot be read");
  OK(gi_write_file(path, "", 0));
  FAILS(glia_npy_read(path, &t), GLIA_FORMAT, "does not begin");
  assert_null(t);
}

static void every_cut_is_refused(void **state) {
  (void)state;
  for (int version = 1; version <= 2; version++) {
    size_t n = 0;
    unsigned char *whole =
        file_of(version, HEADER("<f4", "True", "(1, 2)"), "\1\2\3\4\5\6\7\b", 8, &n);
    for (size_t cut = 0; cut < n; cut++) {
      unsigned char *p = malloc(cut + (cut == 0));
      assert_non_null(p);
      memcpy(p, whole, cut);
      glia_tensor *t = NULL;
      assert_int_equal(gi_npy_from_memory(p, cut, "a", &t), GLIA_FORMAT);
      assert_null(t);
      free(p);
    }
    free(whole);
  }
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  size_t n = 0;
  unsigned char *p = file_of(1, HEADER("<i2", "True", "(2, 2)"), "\1\2\3\4\5\6\7\b", 8, &n);
  glia_tensor *t = NULL, *half = NULL, *view = NULL;
  for (int i = 1; gi_alloc_fail_after(i), gi_npy_from_memory(p, n, "a", &t) != GLIA_OK; i++) {
    assert_null(t);
    assert_in_range(i, 1, 100);
  }
  gi_alloc_fail_after(0);
  OK(glia_tensor_cast(t, GLIA_BF16, &half));
  OK(glia_tensor_permute(half, (const int[]){1, 0}, &view));
  for (int i = 1; gi_alloc_fail_after(i), glia_npy_write(path, view) != GLIA_OK; i++)
    assert_in_range(i, 1, 100);
  gi_alloc_fail_after(0);
  FAILS(glia_npy_write("/dev/full", t), GLIA_DISK, "free some space");
  glia_tensor_free(view);
  glia_tensor_free(half);
  glia_tensor_free(t);
  free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(header_is_as_numpy_writes_it),
      cmocka_unit_test(other_types_are_widened),
      cmocka_unit_test(fortran_order_is_turned),
      cmocka_unit_test(headers_of_other_writers),
      cmocka_unit_test(malformed_files_are_refused),
      cmocka_unit_test(versions_and_magic),
      cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
