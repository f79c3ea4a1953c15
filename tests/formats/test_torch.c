/* Torch checkpoints: zip and legacy, tensors on shared storages, and pickles that would do more
 * than build data: refused by name, and nothing of them is run. */
#include "formats/pickle.h"
#include "formats/zip.h"

#include "bytes.h"

/* ---- pickles byte by byte ---------------------------------------------------------------- */

static void text(gi_str *b, const char *s) {
  put(b, 'X', 1);
  put(b, strlen(s), 4);
  put_text(b, s);
}

static void whole(gi_str *b, int64_t v) {
  put(b, 0x8a, 1);
  put(b, 8, 1);
  put(b, (uint64_t)v, 8);
}

static void global(gi_str *b, const char *module, const char *name) {
  put(b, 'c', 1);
  put_text(b, module);
  put(b, '\n', 1);
  put_text(b, name);
  put(b, '\n', 1);
}

static void tuple(gi_str *b, const int64_t *v, int n) {
  put(b, '(', 1);
  for (int i = 0; i < n; i++) whole(b, v[i]);
  put(b, 't', 1);
}

static void storage(gi_str *b, const char *type, const char *key, int64_t count) {
  put(b, '(', 1);
  text(b, "storage");
  global(b, "torch", type);
  text(b, key);
  text(b, "cpu");
  whole(b, count);
  put_text(b, "tQ");
}

typedef struct view {
  const char *type, *key;
  int64_t count, offset;
  int rank;
  int64_t shape[3], strides[3];
} view;

static void tensor(gi_str *b, const view *v) {
  global(b, "torch._utils", "_rebuild_tensor_v2");
  put(b, '(', 1);
  storage(b, v->type, v->key, v->count);
  whole(b, v->offset);
  tuple(b, v->shape, v->rank);
  tuple(b, v->strides, v->rank);
  put(b, 0x89, 1);
  global(b, "collections", "OrderedDict");
  put_text(b, ")RtR");
}

/* {name: tensor, ...} in protocol 2 */
static gi_str dictionary(const char *const *names, const view *views, int n) {
  gi_str b = {0};
  put(&b, 0x80, 1);
  put(&b, 2, 1);
  put_text(&b, "}(");
  for (int i = 0; i < n; i++) {
    text(&b, names[i]);
    tensor(&b, &views[i]);
  }
  put_text(&b, "u.");
  return b;
}

/* ---- files ------------------------------------------------------------------------------ */

static const float numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/* The zip of a pickle and of storage "0", twelve floats; freed with gi_str_free. */
static gi_str zip_of(const gi_str *pickle, size_t floats) {
  char path[700], *data = NULL;
  gi_zip_writer w;
  gi_str out = {0};
  size_t n = 0;
  snprintf(path, sizeof path, "%s/a.pt", test_dir("torch"));
  OK(gi_zip_create(&w, path));
  gi_zip_add(&w, "archive/data.pkl", pickle->s, pickle->n, NULL, 0);
  gi_zip_add(&w, "archive/data/0", numbers, floats * 4, NULL, 0);
  gi_zip_add(&w, "archive/version", "3\n", 2, NULL, 0);
  OK(gi_zip_commit(&w));
  OK(gi_read_file(path, 1 << 20, &data, &n));
  gi_str_add(&out, data, n);
  gi_free(data);
  return out;
}

static gi_str legacy_of(const gi_str *pickle, const char *key, int64_t count) {
  static const unsigned char head[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                       0x20, 0x6a, 0xa8, 0x50, 0x19, '.',  0x80, 2,    'M',
                                       0xe9, 3,    '.',  0x80, 2,    '}',  '.'};
  gi_str b = {0};
  gi_str_add(&b, (const char *)head, sizeof head);
  gi_str_add(&b, pickle->s, pickle->n);
  put(&b, 0x80, 1);
  put(&b, 2, 1);
  put_text(&b, "](");
  text(&b, key);
  put_text(&b, "e.");
  put(&b, (uint64_t)count, 8);
  gi_str_add(&b, (const char *)numbers, sizeof numbers);
  return b;
}

/* Refused with these words when it is the pickle of a zip. */
static void pickle_refused(const char *p, size_t n, const char *words) {
  const gi_str pickle = {.s = (char *)(uintptr_t)p, .n = n};
  gi_str zip = zip_of(&pickle, 12);
  refused("torch", zip.s, zip.n, words);
  gi_str_free(&zip);
}

/* ---- good files ------------------------------------------------------------------------- */

static const char *const names[] = {"plain", "turned", "row", "same", "none", "one"};
static const view views[] = {
    {"FloatStorage", "0", 12, 0, 2, {3, 4}, {4, 1}},
    {"FloatStorage", "0", 12, 0, 2, {4, 3}, {1, 4}},
    {"FloatStorage", "0", 12, 4, 1, {4}, {1}},
    {"FloatStorage", "0", 12, 2, 2, {2, 3}, {0, 0}},
    {"FloatStorage", "0", 12, 0, 2, {0, 3}, {3, 1}},
    {"FloatStorage", "0", 12, 11, 0, {0}, {0}},
};

static void check_views(const glia_file *f) {
  assert_string_equal(glia_file_format(f), "torch");
  assert_int_equal(glia_file_count(f), 6);
  holds(f, "plain", "F32", SHAPE(3, 4), WANT(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  holds(f, "turned", "F32", SHAPE(4, 3), WANT(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  holds(f, "row", "F32", SHAPE(4), WANT(4, 5, 6, 7));
  holds(f, "same", "F32", SHAPE(2, 3), WANT(2, 2, 2, 2, 2, 2));
  holds(f, "none", "F32", SHAPE(0, 3), WANT(0));
  holds(f, "one", "F32", 0, NULL, WANT(11));
}

static void views_share_storages(void **state) {
  (void)state;
  gi_str p = dictionary(names, views, 6), zip = zip_of(&p, 12), old = legacy_of(&p, "0", 12);
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, zip.s, zip.n, "file", &f));
  check_views(f);
  glia_file_close(f);
  OK(gi_file_from_memory(NULL, old.s, old.n, "file", &f));
  check_views(f);
  glia_file_close(f);
  every_cut_is_refused("torch", old.s, old.n, 0);
  every_cut_is_refused("torch", zip.s, zip.n, 0);
  every_byte_changed("torch", old.s, old.n);
  every_allocation_fails("torch", zip.s, zip.n);
  every_allocation_fails("torch", old.s, old.n);
  gi_str_free(&old);
  gi_str_free(&zip);
  gi_str_free(&p);
}

static void what_is_no_tensor_is_metadata(void **state) {
  (void)state;
  gi_str b = {0};
  put_text(&b, "\x80\2}(");
  text(&b, "epoch");
  put_text(&b, "K\3");
  text(&b, "best");
  put_text(&b, "\x88");
  text(&b, "note");
  text(&b, "caf\xc3\xa9");
  text(&b, "lr");
  put(&b, 'G', 1);
  put(&b, 0xe03f, 2); /* 0.5, big-endian */
  put(&b, 0, 6);
  text(&b, "none");
  put(&b, 'N', 1);
  text(&b, "inner");
  put_text(&b, "}");
  put_text(&b, "K\7"); /* a key that is a number */
  put_text(&b, "](");
  put_text(&b, "K\1J\xff\xff\xff\xff");
  put_text(&b, "es");
  text(&b, "dtype");
  global(&b, "torch", "float32");
  text(&b, "fc.weight");
  tensor(&b, &views[2]);
  put_text(&b, "u.");
  gi_str zip = zip_of(&b, 12);
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, zip.s, zip.n, "file", &f));
  const char *const want[][2] = {{"epoch", "3"},          {"best", "True"},
                                 {"note", "caf\xc3\xa9"}, {"lr", "0.5"},
                                 {"none", "None"},        {"inner.7.0", "1"},
                                 {"inner.7.1", "-1"},     {"dtype", "torch.float32"}};
  for (int i = 0; i < GI_COUNT(want); i++) {
    assert_non_null(glia_file_metadata(f, want[i][0]));
    assert_string_equal(glia_file_metadata(f, want[i][0]), want[i][1]);
  }
  holds(f, "fc.weight", "F32", SHAPE(4), WANT(4, 5, 6, 7));
  glia_file_close(f);
  gi_str_free(&zip);
  gi_str_free(&b);
}

/* Protocol 4: frames, short texts, names from the stack, memo without numbers. */
static void newer_protocols_are_read(void **state) {
  (void)state;
  gi_str b = {0};
  put_text(&b, "\x80\4\x95");
  put(&b, 100, 8);
  put_text(&b,
           "}\x94(\x8c\1w\x94\x8c\x0ctorch._utils\x94\x8c\x12_rebuild_tensor_v2\x94\x93\x94(");
  put_text(&b,
           "(\x8c\7storage\x94\x8c\5torch\x94\x8c\x0c"
           "FloatStorage\x94\x93\x94\x8c\1"
           "0\x94");
  put_text(&b, "\x8c\3cpu\x94K\x0ct\x94QK\4K\2\x85\x94K\1\x85\x94\x89Nt\x94Ru.");
  gi_str zip = zip_of(&b, 12);
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, zip.s, zip.n, "file", &f));
  holds(f, "w", "F32", SHAPE(2), WANT(4, 5));
  glia_file_close(f);
  gi_str_free(&zip);
  gi_str_free(&b);
}

/* ---- hostile ones ----------------------------------------------------------------------- */

#define REFUSED(bytes, words) pickle_refused(bytes, sizeof bytes - 1, words)

static void nothing_is_called(void **state) {
  (void)state;
  REFUSED("\x80\2cposix\nsystem\nX\4\0\0\0true\x85R.", "not run: posix.system");
  REFUSED("\x80\2c__builtin__\neval\nX\4\0\0\0true\x85R.", "not run: __builtin__.eval");
  REFUSED("\x80\2ctorch\nload\nX\1\0\0\0a\x85R.", "not run: torch.load");
  REFUSED("\x80\2ctorch._utils\n_rebuild_tensor_v3\n.", "_rebuild_tensor_v3");
  REFUSED("\x80\4\x8c\5posix\x8c\6system\x93\x8c\4true\x85R.", "posix.system");
  REFUSED("\x80\2(S'true'\niposix\nsystem\n.",
          "not run: instruction STRING, posix.system, instruction INST");
  REFUSED("\x80\2(cposix\nsystem\nX\4\0\0\0trueo.", "instruction OBJ");
  REFUSED("\x80\2ccollections\nOrderedDict\n)\x81.", "instruction NEWOBJ");
  REFUSED("\x80\2\x82\1.", "instruction EXT1");
  REFUSED("\x80\5\x97.", "instruction NEXT_BUFFER");
  REFUSED("\x80\2I1\n.", "instruction INT");
  REFUSED("\x80\2Pid\n.", "instruction PERSID");
}

/* All that is foreign is named at once, each thing once. */
static void all_that_is_foreign_is_listed(void **state) {
  (void)state;
  REFUSED("\x80\2cm\nA\ncm\nB\ncm\nA\n)\x81.", "not run: m.A, m.B, instruction NEWOBJ; hint");
}

static void reduce_and_build_know_their_things(void **state) {
  (void)state;
  REFUSED("\x80\2K\1)R.", "neither a known name");
  REFUSED("\x80\2ctorch\nSize\nK\1R.", "neither a known name");
  REFUSED("\x80\2ctorch\nFloatStorage\n)R.", "REDUCE on a name");
  REFUSED("\x80\2ctorch\nSize\n)R.", "without a tensor");
  REFUSED("\x80\2ccollections\nOrderedDict\nK\1\x85R.", "of what is no list");
  REFUSED("\x80\2ccollections\nOrderedDict\n]K\1a\x85R.", "of what are no pairs");
  REFUSED("\x80\2K\1}b.", "no container");
  REFUSED("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)R.", "wants storage");
}

static void stacks_and_memos_are_checked(void **state) {
  (void)state;
  REFUSED("\x80\2.", "stops without a value");
  REFUSED("\x80\2(.", "stops without a value");
  REFUSED("\x80\2K", "ends within BININT1");
  REFUSED("\x80\2K\1", "ends before its STOP");
  REFUSED(
      "\x80\2X\xff\xff\xff\xff"
      "a.",
      "ends within BINUNICODE");
  REFUSED(
      "\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
      "a.",
      "ends within BINUNICODE8");
  REFUSED(
      "\x80\2"
      "cabc",
      "ends within GLOBAL");
  REFUSED("\x80\2\x85.", "empty stack");
  REFUSED("\x80\2(K\1(\x85.", "empty stack");
  REFUSED("\x80\2NK\1K\1s.", "no container");
  REFUSED("\x80\2s.", "empty stack");
  REFUSED("\x80\2(.", "stops without a value");
  REFUSED("\x80\2(t(.", "stops without a value");
  REFUSED("\x80\2u.", "wants a mark");
  REFUSED("\x80\2}(K\1u.", "a key without a value");
  REFUSED("\x80\2(K\1d.", "a key without a value");
  REFUSED("\x80\2h\5.", "recalls value 5");
  REFUSED("\x80\2j\xff\xff\xff\xff.", "recalls value");
  REFUSED("\x80\2Nr\xff\xff\xff\xff.", "remembers a value at");
  REFUSED("\x80\2q\1.", "empty stack");
  REFUSED("\x80\6N.", "protocol 6");
  REFUSED("\x80\2\xff.", "0xff is no instruction");
  REFUSED("\x80\2NQ.", "not that of a storage");
}

/* A dictionary in itself, and lists in lists. */
static void depth_is_limited(void **state) {
  (void)state;
  gi_str b = {0};
  REFUSED("\x80\2}q\1X\1\0\0\0ah\1s.", "more than 100 deep");
  put_text(&b, "\x80\2");
  for (int i = 0; i < 10000; i++) put(&b, ']', 1);
  for (int i = 0; i < 9999; i++) put(&b, 'a', 1);
  put(&b, '.', 1);
  pickle_refused(b.s, b.n, "more than 100 deep");
  gi_str_free(&b);
}

/* Thirty lists, each of which holds the one before twice, are 2^30 values in 200 bytes. */
static void laughs_are_counted(void **state) {
  (void)state;
  gi_str b = {0};
  put_text(&b, "\x80\2Nq");
  put(&b, 0, 1);
  for (int i = 0; i < 30; i++) {
    put_text(&b, "](h");
    put(&b, (uint64_t)i, 1);
    put(&b, 'h', 1);
    put(&b, (uint64_t)i, 1);
    put_text(&b, "eq");
    put(&b, (uint64_t)i + 1, 1);
  }
  put(&b, '.', 1);
  gi_str zip = zip_of(&b, 12);
  unsigned char *copy = exact(zip.s, zip.n);
  assert_int_equal(read_all(row("torch"), copy, zip.n), GLIA_FORMAT);
  free(copy);
  gi_str_free(&zip);
  gi_str_free(&b);
}

static void tensors_stay_in_their_storages(void **state) {
  (void)state;
  const int64_t huge = INT64_MAX;
  const view bad[] = {
      {"FloatStorage", "0", 12, 0, 1, {13}, {1}},
      {"FloatStorage", "0", 12, 12, 1, {1}, {1}},
      {"FloatStorage", "0", 12, 0, 2, {3, 4}, {5, 1}},
      {"FloatStorage", "0", 12, 0, 2, {2, 2}, {huge, huge}},
      {"FloatStorage", "0", 12, huge, 1, {2}, {1}},
      {"FloatStorage", "0", 12, 0, 3, {1 << 30, 1 << 30, 1 << 30}, {1, 1, 1}},
  };
  for (int i = 0; i < GI_COUNT(bad); i++) {
    gi_str b = dictionary(&names[0], &bad[i], 1);
    pickle_refused(b.s, b.n, "leaves its storage");
    gi_str_free(&b);
  }
}

static void other_tensors_that_lie(void **state) {
  (void)state;
  const struct {
    view v;
    const char *words;
  } bad[] = {
      {{"FloatStorage", "0", 12, 0, 1, {-1}, {1}}, "size of a tensor"},
      {{"FloatStorage", "0", 12, 0, 1, {2}, {-1}}, "strides of a tensor"},
      {{"FloatStorage", "0", 12, -1, 1, {2}, {1}}, "wants storage"},
      {{"FloatStorage", "0", -12, 0, 1, {2}, {1}}, "has -12 elements"},
      {{"DoubleStorage", "0", 12, 0, 1, {2}, {1}}, "has 48 bytes, wanted 12 elements of F64"},
      {{"FloatStorage", "0", INT64_MAX, 0, 1, {2}, {1}}, "wanted"},
      {{"FloatStorage", "1", 12, 0, 1, {2}, {1}}, "storage \"1\" is missing"},
      {{"FloatStorage", "../version", 12, 0, 1, {2}, {1}}, "is missing"},
      {{"StringStorage", "0", 12, 0, 1, {2}, {1}}, "torch.StringStorage"},
      {{"FloatStorage", "0", 12, 0, 3, {1 << 20, 1 << 20, 1}, {0, 0, 0}}, "claims to hold"},
      {{"FloatStorage", "0", 12, 0, 3, {INT64_MAX, 4, 4}, {0, 0, 0}}, "can be counted"},
  };
  for (int i = 0; i < GI_COUNT(bad); i++) {
    gi_str b = dictionary(&names[0], &bad[i].v, 1);
    pickle_refused(b.s, b.n, bad[i].words);
    gi_str_free(&b);
  }
}

static void files_that_are_no_checkpoints(void **state) {
  (void)state;
  gi_str p = dictionary(names, views, 6);
  refused("torch", "", 0, "neither as a zip nor as a pickle");
  refused("torch", "PK\5\6", 4, "neither as a zip nor as a pickle");
  refused("torch", p.s, p.n, "begins with another pickle");
  gi_str old = legacy_of(&p, "1", 12);
  refused("torch", old.s, old.n, "storage \"1\" belongs to no tensor");
  gi_str_free(&old);
  old = legacy_of(&p, "0", 13);
  refused("torch", old.s, old.n, "the file ends before");
  gi_str_free(&old);
  old = legacy_of(&p, "0", INT64_MAX);
  refused("torch", old.s, old.n, "the file ends before");
  gi_str_free(&old);
  old = legacy_of(&p, "0", 12);
  put(&old, 0, 1);
  refused("torch", old.s, old.n, "1 bytes follow");
  gi_str_free(&old);
  gi_str_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(views_share_storages),
      cmocka_unit_test(what_is_no_tensor_is_metadata),
      cmocka_unit_test(newer_protocols_are_read),
      cmocka_unit_test(nothing_is_called),
      cmocka_unit_test(all_that_is_foreign_is_listed),
      cmocka_unit_test(reduce_and_build_know_their_things),
      cmocka_unit_test(stacks_and_memos_are_checked),
      cmocka_unit_test(depth_is_limited),
      cmocka_unit_test(laughs_are_counted),
      cmocka_unit_test(tensors_stay_in_their_storages),
      cmocka_unit_test(other_tensors_that_lie),
      cmocka_unit_test(files_that_are_no_checkpoints),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
