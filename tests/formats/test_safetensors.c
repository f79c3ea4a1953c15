/* safetensors: round trips, every field malformed, every cut, every allocation failing. */
#include "base/json.h"
#include "formats/formats.h"
#include "test.h"

static char path[700];

static int set_up(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/f.safetensors", test_dir("safetensors"));
  return 0;
}

static glia_tensor *counting(glia_dtype dtype, int rank, const int64_t *shape) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(dtype, rank, shape, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++)
    glia_tensor_set(t, i, dtype == GLIA_BOOL ? (double)(i % 2) : (double)i);
  return t;
}

enum { N = 10 };

/* One tensor of each dtype, a scalar, and an empty one, in no useful order. */
static void make_all(glia_tensor **t, glia_named_tensor *named) {
  const char *const names[N] = {"f32", "f64", "bf16", "f16",    "i32",
                                "i64", "u8",  "bool", "scalar", "\xe5\xb1\x82.\"e\\mpty"};
  for (int i = 0; i < 8; i++) t[i] = counting((glia_dtype)i, 2, (const int64_t[]){3, 5});
  t[8] = counting(GLIA_F32, 0, NULL);
  t[9] = counting(GLIA_I32, 3, (const int64_t[]){4, 0, 2});
  for (int i = 0; i < N; i++) named[i] = (glia_named_tensor){names[i], t[i]};
}

static void free_all(glia_tensor **t) {
  for (int i = 0; i < N; i++) glia_tensor_free(t[i]);
}

static const glia_metadata metadata[] = {{"net", "conv2d 8\nflatten"},
                                         {"classes", "[\"\xc3\xa9\"]"}};

static void what_is_written_is_read(void **state) {
  (void)state;
  glia_tensor *t[N];
  glia_named_tensor named[N];
  make_all(t, named);
  OK(glia_safetensors_write(path, named, N, metadata, 2));
  glia_safetensors *f = NULL;
  OK(glia_safetensors_open(path, &f));
  assert_int_equal(glia_safetensors_count(f), N);
  size_t last = 8;
  for (int i = 0; i < N; i++) { /* falling element size */
    const int64_t *shape = NULL;
    const int rank = glia_safetensors_shape(f, i, &shape);
    glia_tensor *got = NULL;
    OK(glia_safetensors_read(f, i, &got));
    const size_t size = glia_dtype_size(glia_tensor_dtype(got));
    assert_true(size <= last);
    last = size;
    int k = 0;
    while (k < N && strcmp(named[k].name, glia_safetensors_name(f, i)) != 0) k++;
    assert_in_range(k, 0, N - 1);
    assert_int_equal(glia_safetensors_find(f, named[k].name), i);
    assert_int_equal(glia_tensor_dtype(got), glia_tensor_dtype(t[k]));
    assert_int_equal(rank, glia_tensor_rank(t[k]));
    for (int d = 0; d < rank; d++) assert_int_equal(shape[d], glia_tensor_shape(t[k])[d]);
    assert_int_equal(glia_tensor_bytes(got), glia_tensor_bytes(t[k]));
    assert_memory_equal(glia_tensor_data(got), glia_tensor_data(t[k]), glia_tensor_bytes(got));
    glia_tensor_free(got);
  }
  assert_int_equal(glia_safetensors_find(f, "absent"), -1);
  assert_string_equal(glia_safetensors_metadata(f, "net"), metadata[0].value);
  assert_string_equal(glia_safetensors_metadata(f, "classes"), metadata[1].value);
  assert_null(glia_safetensors_metadata(f, "absent"));
  assert_string_equal(glia_safetensors_metadata_key(f, 0), "classes");
  assert_string_equal(glia_safetensors_metadata_key(f, 1), "net");
  assert_null(glia_safetensors_metadata_key(f, 2));
  assert_null(glia_safetensors_metadata_key(f, -1));
  assert_null(glia_safetensors_name(f, N));
  assert_null(glia_safetensors_dtype(f, -1));
  const int64_t *none = NULL;
  glia_tensor *got = NULL;
  assert_int_equal(glia_safetensors_shape(f, N, &none), 0);
  assert_null(none);
  FAILS(glia_safetensors_read(f, N, &got), GLIA_INVALID, "tensor 10 of 10");
  glia_safetensors_close(f);
  glia_safetensors_close(NULL);
  free_all(t);
}

static void data_is_aligned_and_bytes_do_not_depend_on_order(void **state) {
  (void)state;
  glia_tensor *t[N];
  glia_named_tensor named[N], turned[N];
  char *a = NULL, *b = NULL;
  size_t na = 0, nb = 0;
  make_all(t, named);
  for (int i = 0; i < N; i++) turned[i] = named[N - 1 - i];
  const glia_metadata turned_metadata[] = {metadata[1], metadata[0]};
  OK(glia_safetensors_write(path, named, N, metadata, 2));
  OK(gi_read_file(path, 1 << 20, &a, &na));
  OK(glia_safetensors_write(path, turned, N, turned_metadata, 2));
  OK(gi_read_file(path, 1 << 20, &b, &nb));
  assert_int_equal(na, nb);
  assert_memory_equal(a, b, na);
  uint64_t header = 0;
  memcpy(&header, a, 8);
  assert_int_equal((header + 8) % 64, 0);
  gi_free(a);
  gi_free(b);
  free_all(t);
}

static void views_are_written_in_their_order(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 2, (const int64_t[]){2, 3}), *v = NULL, *got = NULL;
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &v));
  OK(glia_safetensors_write(path, &(glia_named_tensor){"v", v}, 1, NULL, 0));
  glia_safetensors *f = NULL;
  OK(glia_safetensors_open(path, &f));
  OK(glia_safetensors_read(f, 0, &got));
  const float want[] = {0, 3, 1, 4, 2, 5};
  assert_memory_equal(glia_tensor_data(got), want, sizeof want);
  glia_safetensors_close(f); /* what was read is a copy */
  assert_memory_equal(glia_tensor_data(got), want, sizeof want);
  glia_tensor_free(got);
  glia_tensor_free(v);
  glia_tensor_free(t);
  OK(glia_safetensors_write(path, NULL, 0, NULL, 0));
  OK(glia_safetensors_open(path, &f));
  assert_int_equal(glia_safetensors_count(f), 0);
  glia_safetensors_close(f);
}

static void bad_input_is_not_written(void **state) {
  (void)state;
  OK(gi_write_file(path, "old", 3));
  glia_tensor *t = counting(GLIA_U8, 0, NULL);
  const struct {
    glia_named_tensor tensors[2];
    glia_metadata metadata[2];
    const char *want;
  } cases[] = {
      {{{"a", t}, {"a", t}}, {{"k", "v"}, {"l", "v"}}, "two tensors are called \"a\""},
      {{{"a", t}, {"", t}}, {{"k", "v"}, {"l", "v"}}, "a tensor has no name"},
      {{{"a", t}, {NULL, t}}, {{"k", "v"}, {"l", "v"}}, "a tensor has no name"},
      {{{"a", t}, {"b\xff", t}}, {{"k", "v"}, {"l", "v"}}, "not UTF-8"},
      {{{"a", t}, {"b", NULL}}, {{"k", "v"}, {"l", "v"}}, "\"b\" is NULL"},
      {{{"a", t}, {"__metadata__", t}}, {{"k", "v"}, {"l", "v"}}, "__metadata__"},
      {{{"a", t}, {"b", t}}, {{"k", "v"}, {"k", "w"}}, "two metadata keys"},
      {{{"a", t}, {"b", t}}, {{"k", "v"}, {"l", NULL}}, "\"l\" is NULL"},
      {{{"a", t}, {"b", t}}, {{"k", "\xc3"}, {"l", "v"}}, "\"k\" is not UTF-8"},
      {{{"a", t}, {"b", t}}, {{NULL, "v"}, {"l", "v"}}, "has no name"},
  };
  for (int i = 0; i < GI_COUNT(cases); i++)
    FAILS(glia_safetensors_write(path, cases[i].tensors, 2, cases[i].metadata, 2), GLIA_INVALID,
          cases[i].want);
  FAILS(glia_safetensors_write(path, NULL, -1, NULL, 0), GLIA_INVALID, "-1 tensors");
  FAILS(glia_safetensors_write("/dev/full", cases[7].tensors, 2, NULL, 0), GLIA_DISK,
        "free some space");
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 100, &text, &n));
  assert_string_equal(text, "old");
  gi_free(text);
  glia_tensor_free(t);
}

/* A file with this header and so many bytes of data; owned. */
static unsigned char *file_of(const char *header, size_t data, size_t *n) {
  const uint64_t length = strlen(header);
  *n = 8 + length + data;
  unsigned char *p = calloc(1, *n);
  assert_non_null(p);
  memcpy(p, &length, 8);
  memcpy(p + 8, header, length);
  return p;
}

#define F32_AT(a, b) "{\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [" #a ", " #b "]}"

static void malformed_headers_are_refused(void **state) {
  (void)state;
  const struct {
    const char *header;
    size_t data;
    const char *want;
  } cases[] = {
      {"[]", 0, "begin with {"},
      {" {}", 0, "begin with {"},
      {"", 0, "begin with {"},
      {"{", 0, "line 1"},
      {"{}x", 0, "line 1"},
      {"{\"a\": 3}", 0, "\"a\": is no object"},
      {"{\"a\": {}}", 0, "\"a\": dtype is missing"},
      {"{\"a\": {\"dtype\": 3}}", 0, "dtype is missing or no string"},
      {"{\"a\": {\"dtype\": \"F31\"}}", 0, "\"F31\" is not known"},
      {"{\"a\": {\"dtype\": \"F32\"}}", 0, "shape is missing"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": 3}}", 0, "shape is missing or no list"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2.0]}}", 0, "shape[0] is no whole number"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1, -2]}}", 0, "shape[1] is -2"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2]}}", 8, "data_offsets is missing"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0]}}", 8,
       "two numbers"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, \"8\"]}}", 8,
       "data_offsets[1] is no whole number"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [-8, 0]}}", 8,
       "data_offsets[0] is no whole number"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 0]}}", 8,
       "before they begin"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 8]}}", 8,
       "shape wants 12 bytes, data_offsets give 8"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904, 8], "
       "\"data_offsets\": [0, 0]}}",
       0, "more elements than can be counted"},
      {"{\"a\": {\"dtype\": \"U8\", \"shape\": [9223372036854775807, 2], "
       "\"data_offsets\": [0, 0]}}",
       0, "more elements than can be counted"},
      {"{\"a\": {\"dtype\": \"F4\", \"shape\": [3], \"data_offsets\": [0, 1]}}", 1,
       "do not fill whole bytes"},
      {"{\"a\": " F32_AT(0, 8) "}", 7, "the file was cut"},
      {"{\"a\": " F32_AT(0, 8) "}", 9, "something behind"},
      {"{\"a\": " F32_AT(1, 9) "}", 9, "there is a hole"},
      {"{\"a\": " F32_AT(0, 8) ", \"b\": " F32_AT(4, 12) "}", 12, "overlaps"},
      {"{\"a\": " F32_AT(0, 8) ", \"b\": " F32_AT(0, 8) "}", 8, "overlaps"},
      {"{\"a\": " F32_AT(0, 8) ", \"b\": " F32_AT(12, 20) "}", 20, "there is a hole"},
      {"{\"a\": " F32_AT(0, 8) ", \"a\": " F32_AT(8, 16) "}", 16, "duplicate"},
      {"{\"__metadata__\": 3}", 0, "__metadata__ is no object"},
      {"{\"__metadata__\": {\"k\": 3}}", 0, "\"k\" is no string"},
      {"{}", 1, "something behind"},
      {"{\"\xff\": 1}", 0, "UTF-8"},
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    size_t n = 0;
    unsigned char *p = file_of(cases[i].header, cases[i].data, &n);
    glia_safetensors *f = NULL;
    FAILS(gi_safetensors_from_memory(p, n, "f.st", &f), GLIA_FORMAT, cases[i].want);
    assert_non_null(strstr(glia_error_message(), "f.st"));
    assert_null(f);
    free(p);
  }
}

static void unusual_headers_are_read(void **state) {
  (void)state;
  const struct {
    const char *header;
    size_t data;
    int count;
  } cases[] = {
      {"{}", 0, 0},
      {"{} \n ", 0, 0},
      {"{\"__metadata__\": {}}", 0, 0},
      {"{\"b\": " F32_AT(8, 16) ", \"a\": " F32_AT(0, 8) "}", 16, 2}, /* not in data order */
      {"{\"a\": {\"dtype\": \"F4\", \"shape\": [4], \"data_offsets\": [0, 2]}}", 2, 1},
      {"{\"a\": {\"dtype\": \"F6_E2M3\", \"shape\": [4], \"data_offsets\": [0, 3]}}", 3, 1},
      {"{\"a\": " F32_AT(
           0, 8) ", \"e\": {\"dtype\": \"I8\", \"shape\": [0], "
                 "\"data_offsets\": [8, 8]}, \"d\": {\"dtype\": \"I8\", \"shape\": [5, 0], "
                 "\"data_offsets\": [0, 0]}}",
       8, 3},
      {"{\"\": {\"dtype\": \"U8\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 1], "
       "\"other\": null}}",
       1, 1},
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    size_t n = 0;
    unsigned char *p = file_of(cases[i].header, cases[i].data, &n);
    glia_safetensors *f = NULL;
    OK(gi_safetensors_from_memory(p, n, "f.st", &f));
    assert_int_equal(glia_safetensors_count(f), cases[i].count);
    if (cases[i].count == 2) assert_string_equal(glia_safetensors_name(f, 0), "a");
    if (i == GI_COUNT(cases) - 1) { /* rank 9 is listed, but cannot be held */
      glia_tensor *t = NULL;
      FAILS(glia_safetensors_read(f, 0, &t), GLIA_SHAPE, "rank is 9");
    }
    glia_safetensors_close(f);
    free(p);
  }
}

static void bools_are_zero_or_one(void **state) {
  (void)state;
  size_t n = 0;
  unsigned char *p = file_of(
      "{\"a\": {\"dtype\": \"BOOL\", \"shape\": [3], \"data_offsets\": [0, 3]}}", 3, &n);
  p[n - 1] = 255;
  p[n - 2] = 2;
  glia_safetensors *f = NULL;
  glia_tensor *t = NULL;
  OK(gi_safetensors_from_memory(p, n, "f", &f));
  OK(glia_safetensors_read(f, 0, &t));
  assert_memory_equal(glia_tensor_data(t), "\0\1\1", 3);
  glia_tensor_free(t);
  glia_safetensors_close(f);
  free(p);
}

/* Copies of the exact size, so that a sanitizer sees a read behind the end. */
static void every_cut_is_refused(void **state) {
  (void)state;
  glia_tensor *t[N];
  glia_named_tensor named[N];
  char *whole = NULL;
  size_t n = 0;
  make_all(t, named);
  OK(glia_safetensors_write(path, named, N, metadata, 2));
  OK(gi_read_file(path, 1 << 20, &whole, &n));
  for (size_t cut = 0; cut < n; cut++) {
    char *p = malloc(cut + (cut == 0));
    assert_non_null(p);
    memcpy(p, whole, cut);
    glia_safetensors *f = NULL;
    assert_int_equal(gi_safetensors_from_memory(p, cut, "f", &f), GLIA_FORMAT);
    assert_null(f);
    free(p);
  }
  gi_free(whole);
  free_all(t);
}

static void huge_header_lengths_are_refused(void **state) {
  (void)state;
  const uint64_t lengths[] = {UINT64_MAX, (uint64_t)1 << 63, UINT64_MAX - 7, 100000001, 3};
  for (int i = 0; i < GI_COUNT(lengths); i++) {
    unsigned char p[10] = {0};
    memcpy(p, &lengths[i], 8);
    memcpy(p + 8, "{}", 2);
    glia_safetensors *f = NULL;
    FAILS(gi_safetensors_from_memory(p, sizeof p, "f", &f), GLIA_FORMAT, "the header should");
  }
  glia_safetensors *f = NULL;
  FAILS(glia_safetensors_open("/nowhere/x.safetensors", &f), GLIA_IO, "cannot be read");
  OK(gi_write_file(path, "", 0));
  FAILS(glia_safetensors_open(path, &f), GLIA_FORMAT, "has 0 bytes");
  assert_null(f);
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  glia_tensor *t[N], *view = NULL;
  glia_named_tensor named[N];
  make_all(t, named);
  OK(glia_tensor_permute(t[0], (const int[]){1, 0}, &view));
  named[0].tensor = view; /* written through a copy */
  glia_status s = GLIA_NOMEM;
  for (int i = 1; s != GLIA_OK; i++) {
    gi_alloc_fail_after(i);
    s = glia_safetensors_write(path, named, N, metadata, 2);
    gi_alloc_fail_after(0);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_NOMEM);
    assert_in_range(i, 1, 1000);
  }
  s = GLIA_NOMEM;
  for (int i = 1; s != GLIA_OK; i++) {
    glia_safetensors *f = NULL;
    glia_tensor *got = NULL;
    gi_alloc_fail_after(i);
    s = glia_safetensors_open(path, &f);
    if (s == GLIA_OK) s = glia_safetensors_read(f, 0, &got);
    gi_alloc_fail_after(0);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_NOMEM);
    glia_tensor_free(got);
    glia_safetensors_close(f);
    assert_in_range(i, 1, 1000);
  }
  glia_tensor_free(view);
  free_all(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(data_is_aligned_and_bytes_do_not_depend_on_order),
      cmocka_unit_test(views_are_written_in_their_order),
      cmocka_unit_test(bad_input_is_not_written),
      cmocka_unit_test(malformed_headers_are_refused),
      cmocka_unit_test(unusual_headers_are_read),
      cmocka_unit_test(bools_are_zero_or_one),
      cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(huge_header_lengths_are_refused),
      cmocka_unit_test(every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
