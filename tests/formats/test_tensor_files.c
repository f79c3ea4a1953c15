/* Files of any format: which one it is, what is told of them, what they become. */
#include <zlib.h>

#include "formats/formats.h"

#include "bytes.h"

static char folder[600];

static int set_up(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "%s", test_dir("file"));
  return 0;
}

static const char *in_folder(const char *name) {
  static char path[4][700];
  static int i;
  i = (i + 1) % 4;
  snprintf(path[i], sizeof path[i], "%s/%s", folder, name);
  return path[i];
}

static glia_tensor *counting(glia_dtype dtype, int64_t n) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(dtype, 1, &n, &t));
  for (int64_t i = 0; i < n; i++) glia_tensor_set(t, i, (double)i);
  return t;
}

/* A safetensors file of one dtype that glia has no tensor for. */
static gi_str safetensors(const char *dtype, int count, int bytes) {
  char head[200];
  gi_str b = {0};
  snprintf(head, sizeof head,
           "{\"__metadata__\":{\"k\":\"v\"},\"w\":{\"dtype\":\"%s\",\"shape\":[%d],"
           "\"data_offsets\":[0,%d]}}",
           dtype, count, bytes);
  put(&b, strlen(head), 8);
  put_text(&b, head);
  for (int i = 0; i < bytes; i++) put(&b, (uint64_t)(i % 2 == 0 ? 0xfe : 0xff), 1);
  return b;
}

static void every_row_says_what_it_is(void **state) {
  (void)state;
  int n = 0;
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++, n++) {
      const gi_reader *r = gi_readers_table[i][k];
      assert_non_null(r->name);
      assert_non_null(r->title);
      assert_non_null(r->open);
      assert_true(r->is != NULL || r->suffixes != NULL);
      assert_ptr_equal(row(r->name), r); /* no two have one name */
      assert_true(r->write == NULL || r->suffixes != NULL);
      for (const char *const *s = r->suffixes; s != NULL && *s != NULL; s++)
        assert_ptr_equal(gi_reader_by_name(in_folder(*s)), r);
    }
  assert_true(n >= 14);
}

static void contents_count_more_than_names(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 3);
  glia_file *f = NULL;
  OK(glia_npy_write(in_folder("wrong.safetensors"), t));
  OK(glia_file_open(in_folder("wrong.safetensors"), &f));
  assert_string_equal(glia_file_format(f), "npy");
  holds(f, "a", "F32", SHAPE(3), WANT(0, 1, 2));
  glia_file_close(f);
  glia_tensor_free(t);
  OK(gi_write_file(in_folder("cut.npy"), "\x93NUM", 4));
  FAILS(glia_file_open(in_folder("cut.npy"), &f), GLIA_FORMAT, "does not begin as a .npy file");
  OK(gi_write_file(in_folder("note"), "hello", 5));
  FAILS(glia_file_open(in_folder("note"), &f), GLIA_FORMAT, "begins like none of: ");
  FAILS(glia_file_open(in_folder("missing.pt"), &f), GLIA_IO, "missing.pt");
  FAILS(glia_file_open(NULL, &f), GLIA_INVALID, "path is missing");
}

static void getters_keep_their_range(void **state) {
  (void)state;
  gi_str b = safetensors("F32", 1, 4);
  glia_file *f = NULL;
  glia_tensor *t = NULL;
  const int64_t *shape;
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  for (int i = -1; i < 2; i += 2) {
    assert_null(glia_file_name(f, i));
    assert_null(glia_file_dtype(f, i));
    assert_int_equal(glia_file_shape(f, i, &shape), 0);
    assert_null(shape);
    assert_int_equal(glia_file_bytes(f, i), 0);
    FAILS(glia_file_read(f, i, &t), GLIA_INVALID, "does not exist");
  }
  assert_int_equal(glia_file_bytes(f, 0), 4);
  assert_int_equal(glia_file_find(f, "v"), -1);
  assert_string_equal(glia_file_metadata_key(f, 0), "k");
  assert_null(glia_file_metadata_key(f, 1));
  assert_null(glia_file_metadata(f, "l"));
  glia_file_close(f);
  glia_file_close(NULL);
  gi_str_free(&b);
}

static void narrow_integers_are_widened(void **state) {
  (void)state;
  const struct {
    const char *dtype;
    int bytes;
    glia_dtype got;
    double want;
  } cases[] = {{"I16", 2, GLIA_I32, -2},
               {"U16", 2, GLIA_I32, 0xfffe},
               {"U32", 4, GLIA_I64, 0xfffefffe},
               {"I8", 1, GLIA_I8, -2}};
  for (int i = 0; i < GI_COUNT(cases); i++) {
    gi_str b = safetensors(cases[i].dtype, 1, cases[i].bytes);
    if (cases[i].bytes == 2) b.s[b.n - 1] = (char)0xff;
    if (cases[i].bytes == 4) memcpy(b.s + b.n - 4, "\xfe\xff\xfe\xff", 4);
    glia_file *f = NULL;
    glia_tensor *t = NULL;
    OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
    OK(glia_file_read(f, 0, &t));
    assert_int_equal(glia_tensor_dtype(t), cases[i].got);
    assert_true(glia_tensor_get(t, 0) == cases[i].want);
    glia_tensor_free(t);
    glia_file_close(f);
    gi_str_free(&b);
  }
}

/* u64 and 8-bit floats cannot be held, but go from file to file as they are. */
static void elements_keep_their_types(void **state) {
  (void)state;
  const char *const types[] = {"U64", "C64", "I16", "BOOL", "F16"};
  for (int i = 0; i < GI_COUNT(types); i++) {
    const gi_element *e = gi_element_named(types[i]);
    gi_str b = safetensors(types[i], 2, (int)e->bits / 4);
    glia_file *f = NULL, *back = NULL;
    gi_elements got;
    glia_tensor *t = NULL;
    OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
    if (e->dtype == GI_NOT_HELD) FAILS(glia_file_read(f, 0, &t), GLIA_DTYPE, types[i]);
    OK(glia_file_write(f, in_folder("o.npz")));
    OK(glia_file_write(f, in_folder("o.npy")));
    glia_file_close(f);
    OK(glia_file_open(in_folder("o.npz"), &f));
    OK(glia_file_write(f, in_folder("o.safetensors")));
    OK(glia_file_open(in_folder("o.safetensors"), &back));
    assert_string_equal(glia_file_dtype(back, 0), types[i]);
    OK(gi_file_elements(back, 0, &got));
    assert_memory_equal(got.data, b.s + b.n - got.bytes, got.bytes);
    gi_elements_clear(&got);
    glia_file_close(back);
    glia_file_close(f);
    gi_str_free(&b);
  }
  gi_str b = safetensors("F8_E4M3", 2, 2);
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  FAILS(glia_file_write(f, in_folder("o.npz")), GLIA_DTYPE, "NumPy has no type for F8_E4M3");
  OK(glia_file_write(f, in_folder("o.safetensors")));
  FAILS(glia_file_write(f, in_folder("o.pt")), GLIA_INVALID, ".npy, .npz, .safetensors");
  FAILS(glia_file_write(f, in_folder("o")), GLIA_INVALID, "does not end in one of");
  glia_file_close(f);
  gi_str_free(&b);
}

/* NumPy takes 32 axes, a tensor 8: such arrays go from file to file. */
static void many_axes_go_along(void **state) {
  (void)state;
  gi_str b = {0};
  char head[119];
  glia_file *f = NULL;
  glia_tensor *t = NULL;
  snprintf(head, sizeof head, "%-117s\n",
           "{'descr': '<f4', 'fortran_order': True, 'shape': (1,1,1,1,2,1,1,1,2), }");
  gi_str_add(&b, "\x93NUMPY\1\0\x76\0", 10);
  put_text(&b, head);
  for (int i = 0; i < 4; i++) put_float(&b, (float)i);
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  FAILS(glia_file_read(f, 0, &t), GLIA_SHAPE, "rank is 9");
  OK(glia_file_write(f, in_folder("nine.npz")));
  glia_file_close(f);
  gi_elements e;
  OK(glia_file_open(in_folder("nine.npz"), &f));
  OK(gi_file_elements(f, 0, &e));
  const float want[] = {0, 2, 1, 3};
  assert_int_equal(e.bytes, sizeof want);
  assert_memory_equal(e.data, want, sizeof want);
  gi_elements_clear(&e);
  glia_file_close(f);
  gi_str_free(&b);
}

/* Words become a JSON list where there is no type for text. */
static void text_becomes_metadata(void **state) {
  (void)state;
  const char text[] = "the 1 2\ncaf\xc3\xa9 3 4\n\xf0\x9f\x98\x80 5 6\n";
  glia_file *f = NULL, *back = NULL;
  OK(gi_file_from_memory(NULL, text, sizeof text - 1, "file", &f));
  OK(glia_file_write(f, in_folder("words.npz")));
  glia_file_close(f);
  OK(glia_file_open(in_folder("words.npz"), &f));
  OK(glia_file_write(f, in_folder("words.safetensors")));
  OK(glia_file_open(in_folder("words.safetensors"), &back));
  assert_int_equal(glia_file_count(back), 1);
  assert_string_equal(glia_file_metadata(back, "words"),
                      "[\"the\", \"caf\xc3\xa9\", \"\xf0\x9f\x98\x80\"]");
  FAILS(glia_file_write(f, in_folder("words.npy")), GLIA_INVALID, "there are 2");
  glia_file_close(back);
  glia_file_close(f);
}

/* ---- gzip ------------------------------------------------------------------------------- */

static gi_str gzipped(const void *p, size_t n) {
  gi_str out = {0};
  unsigned char *room = malloc(n + 1000);
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  unsigned char *from = exact(p, n);
  z.next_in = from;
  z.avail_in = (uInt)n;
  z.next_out = room;
  z.avail_out = (uInt)n + 1000;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  gi_str_add(&out, (const char *)room, (size_t)z.total_out);
  (void)deflateEnd(&z);
  free(from);
  free(room);
  return out;
}

static void gzip_is_unpacked(void **state) {
  (void)state;
  gi_str b = safetensors("I32", 2, 8), z = gzipped(b.s, b.n);
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, z.s, z.n, "file", &f));
  assert_string_equal(glia_file_format(f), "safetensors");
  glia_file_close(f);
  FAILS(gi_file_from_memory(NULL, z.s, z.n - 3, "file", &f), GLIA_FORMAT,
        "gzip data end early");
  every_allocation_fails("safetensors", z.s, z.n);
  gi_str_free(&z);
  gi_str_free(&b);
}

static void gzip_bombs_are_refused(void **state) {
  (void)state;
  const size_t n = (size_t)300 << 20;
  void *zeros = calloc(1, n);
  assert_non_null(zeros);
  gi_str z = gzipped(zeros, n);
  glia_file *f = NULL;
  free(zeros);
  FAILS(gi_file_from_memory(NULL, z.s, z.n, "file", &f), GLIA_FORMAT, "which is the limit");
  gi_str_free(&z);
}

/* ---- shards ----------------------------------------------------------------------------- */

static glia_status open_index(const char *text, glia_file **f) {
  OK(gi_write_file(in_folder("model.safetensors.index.json"), text, strlen(text)));
  return glia_file_open(in_folder("model.safetensors.index.json"), f);
}

static void shards_are_one_model(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32, 2);
  const glia_named_tensor one[] = {{"x", t}}, two[] = {{"y", t}, {"z", t}};
  glia_file *f = NULL;
  OK(glia_safetensors_write(in_folder("one.safetensors"), one, 1,
                            (const glia_metadata[]){{"format", "pt"}, {"a", "b"}}, 2));
  OK(glia_safetensors_write(in_folder("two.safetensors"), two, 2,
                            &(glia_metadata){"format", "pt"}, 1));
  OK(open_index(
      "{\"metadata\": {\"total_size\": 24}, \"weight_map\": {\"x\": \"one.safetensors\","
      " \"y\": \"two.safetensors\", \"z\": \"two.safetensors\"}}",
      &f));
  assert_string_equal(glia_file_format(f), "safetensors index");
  assert_int_equal(glia_file_count(f), 3);
  holds(f, "z", "F32", SHAPE(2), WANT(0, 1));
  assert_string_equal(glia_file_metadata(f, "format"), "pt");
  assert_string_equal(glia_file_metadata(f, "a"), "b");
  assert_null(glia_file_metadata_key(f, 2)); /* what both say is said once */
  OK(glia_file_write(f, in_folder("whole.safetensors")));
  glia_file_close(f);
  glia_tensor_free(t);
}

static void indices_that_lie(void **state) {
  (void)state;
  const struct {
    const char *text, *words;
    glia_status status;
  } cases[] = {
      {"{\"weight_map\": 3}", "no object", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": 3}}", "is no string", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"../one.safetensors\"}}", "in the same folder", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"/etc/passwd\"}}", "in the same folder", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"a/b\"}}", "in the same folder", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"..\"}}", "in the same folder", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"\"}}", "in the same folder", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"none.safetensors\"}}", "none.safetensors", GLIA_IO},
      {"{\"weight_map\": {\"y\": \"one.safetensors\"}}", "is not in file", GLIA_FORMAT},
      {"{\"weight_map\": {\"x\": \"one.safetensors\"", "", GLIA_FORMAT},
  };
  glia_tensor *t = counting(GLIA_F32, 2);
  glia_file *f = NULL;
  OK(glia_safetensors_write(in_folder("one.safetensors"), &(glia_named_tensor){"x", t}, 1, NULL,
                            0));
  for (int i = 0; i < GI_COUNT(cases); i++)
    FAILS(open_index(cases[i].text, &f), cases[i].status, cases[i].words);
  const char *text = "{\"weight_map\": {}}";
  FAILS(gi_file_from_memory(row("safetensors index"), text, strlen(text), "memory", &f),
        GLIA_FORMAT, "must be a file itself");
  glia_tensor_free(t);
}

/* ---- idx -------------------------------------------------------------------------------- */

static void idx_types_are_read(void **state) {
  (void)state;
  const struct {
    int code;
    const char *dtype, *bytes;
    size_t n;
    double want;
  } cases[] = {
      {8, "U8", "\xfe", 1, 254},           {9, "I8", "\xfe", 1, -2},
      {11, "I16", "\xff\xfe", 2, -2},      {12, "I32", "\xff\xff\xff\xfe", 4, -2},
      {13, "F32", "\x3f\xc0\0\0", 4, 1.5}, {14, "F64", "\x3f\xf8\0\0\0\0\0\0", 8, 1.5}};
  for (int i = 0; i < GI_COUNT(cases); i++) {
    gi_str b = {0};
    put(&b, 0, 2);
    put(&b, (uint64_t)cases[i].code, 1);
    put(&b, 1, 1);
    put(&b, 0x01000000, 4); /* 1, big-endian */
    gi_str_add(&b, cases[i].bytes, cases[i].n);
    glia_file *f = NULL;
    OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
    holds(f, "a", cases[i].dtype, SHAPE(1), &cases[i].want);
    glia_file_close(f);
    every_cut_is_refused("idx", b.s, b.n, 0);
    gi_str_free(&b);
  }
  refused("idx", "\0\0\x0a\1\0\0\0\1a", 9, "type 10");
  refused("idx", "\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff", 12, "its axes overflow");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_says_what_it_is),
      cmocka_unit_test(contents_count_more_than_names),
      cmocka_unit_test(getters_keep_their_range),
      cmocka_unit_test(narrow_integers_are_widened),
      cmocka_unit_test(elements_keep_their_types),
      cmocka_unit_test(many_axes_go_along),
      cmocka_unit_test(text_becomes_metadata),
      cmocka_unit_test(gzip_is_unpacked),
      cmocka_unit_test(gzip_bombs_are_refused),
      cmocka_unit_test(shards_are_one_model),
      cmocka_unit_test(indices_that_lie),
      cmocka_unit_test(idx_types_are_read),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
