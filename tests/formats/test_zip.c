/* Zip archives: what is written is read, Zip64 fields, and directories that lie. */
#include "formats/zip.h"

#include <zlib.h>

#include "bytes.h"

static char path[700];

static int set_up(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/a.zip", test_dir("zip"));
  return 0;
}

/* ---- archives byte by byte --------------------------------------------------------------- */

typedef struct part {
  const char *name, *data;
  size_t packed, bytes;
  int method, flags;
  uint32_t crc;
} part;

static part stored(const char *name, const char *data) {
  const size_t n = strlen(data);
  return (part){.name = name,
                .data = data,
                .packed = n,
                .bytes = n,
                .crc = (uint32_t)crc32(0, (const Bytef *)data, (uInt)n)};
}

static void put_common(gi_str *b, const part *p, bool wide) {
  put(b, 45, 2);
  put(b, (uint64_t)p->flags, 2);
  put(b, (uint64_t)p->method, 2);
  put(b, 0, 4);
  put(b, p->crc, 4);
  put(b, wide ? 0xffffffff : p->packed, 4);
  put(b, wide ? 0xffffffff : p->bytes, 4);
  put(b, strlen(p->name), 2);
}

static void put_local(gi_str *b, const part *p, const char *name) {
  put(b, 0x04034b50, 4);
  put_common(b, p, false);
  put(b, 0, 2);
  put_text(b, name);
  gi_str_add(b, p->data, p->packed);
}

static void put_entry(gi_str *b, const part *p, size_t at, bool wide) {
  put(b, 0x02014b50, 4);
  put(b, 45, 2);
  put_common(b, p, wide);
  put(b, wide ? 28 : 0, 2);
  put(b, 0, 2 + 2 + 2 + 4);
  put(b, wide ? 0xffffffff : at, 4);
  put_text(b, p->name);
  if (!wide) return;
  put(b, 1, 2);
  put(b, 24, 2);
  put(b, p->bytes, 8);
  put(b, p->packed, 8);
  put(b, at, 8);
}

static void put_end(gi_str *b, size_t count, size_t bytes, size_t at) {
  put(b, 0x06054b50, 4);
  put(b, 0, 4);
  put(b, count, 2);
  put(b, count, 2);
  put(b, bytes, 4);
  put(b, at, 4);
  put(b, 0, 2);
}

/* n members one after the other; owned by the string. */
static gi_str archive(const part *parts, int n, bool wide) {
  gi_str b = {0};
  size_t at[8];
  for (int i = 0; i < n; i++) {
    at[i] = b.n;
    put_local(&b, &parts[i], parts[i].name);
  }
  const size_t start = b.n;
  for (int i = 0; i < n; i++) put_entry(&b, &parts[i], at[i], wide);
  put_end(&b, (size_t)n, b.n - start, start);
  return b;
}

static glia_status open_all(const gi_str *b) {
  gi_arena arena = {0};
  gi_zip zip;
  unsigned char *copy = exact(b->s, b->n);
  glia_status s = gi_zip_open(copy, b->n, "file", &arena, &zip);
  for (size_t i = 0; s == GLIA_OK && i < zip.n; i++) {
    const void *data = NULL;
    void *hold = NULL;
    s = gi_zip_read(&zip, &zip.at[i], &data, &hold);
    gi_free(hold);
  }
  gi_arena_free(&arena);
  free(copy);
  return s;
}

static void archive_is(const part *parts, int n, const char *words) {
  gi_str b = archive(parts, n, false);
  if (words == NULL)
    OK(open_all(&b));
  else
    FAILS(open_all(&b), GLIA_FORMAT, words);
  gi_str_free(&b);
}

/* ---- cases ------------------------------------------------------------------------------ */

static void what_is_written_is_read(void **state) {
  (void)state;
  gi_zip_writer w;
  OK(gi_zip_create(&w, path));
  gi_zip_add(&w, "a", "one", 3, "two", 3);
  gi_zip_add(&w, "folder/\xc3\xa9", NULL, 0, NULL, 0);
  OK(gi_zip_commit(&w));
  gi_map map;
  gi_arena arena = {0};
  gi_zip zip;
  const void *data = NULL;
  void *hold = NULL;
  OK(gi_map_open(&map, path));
  OK(gi_zip_open(map.p, map.n, path, &arena, &zip));
  assert_int_equal(zip.n, 2);
  OK(gi_zip_read(&zip, gi_zip_find(&zip, "a"), &data, &hold));
  assert_null(hold); /* it lies in the file */
  assert_memory_equal(data, "onetwo", 6);
  assert_int_equal(gi_zip_find(&zip, "folder/\xc3\xa9")->bytes, 0);
  assert_null(gi_zip_find(&zip, "folder"));
  assert_string_equal(gi_zip_ending(&zip, "\xc3\xa9")->name, "folder/\xc3\xa9");
  gi_arena_free(&arena);
  gi_map_close(&map);
}

static void an_archive_may_be_empty(void **state) {
  (void)state;
  gi_zip_writer w;
  OK(gi_zip_create(&w, path));
  OK(gi_zip_commit(&w));
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1000, &text, &n));
  assert_int_equal(n, 22);
  const gi_str b = {.s = text, .n = n};
  OK(open_all(&b));
  gi_free(text);
}

static void zip64_fields_are_read(void **state) {
  (void)state;
  const part parts[] = {stored("a", "first"), stored("b", "second")};
  gi_str b = archive(parts, 2, true);
  OK(open_all(&b));
  b.s[b.n - 22 - 28 + 2] = 23; /* the extra field is shorter than what it is for */
  FAILS(open_all(&b), GLIA_FORMAT, "");
  gi_str_free(&b);
}

static void zip64_end_records_are_read(void **state) {
  (void)state;
  const part p = stored("a", "first");
  gi_str b = {0};
  put_local(&b, &p, "a");
  const size_t at = b.n;
  put_entry(&b, &p, 0, false);
  const size_t end = b.n;
  put(&b, 0x06064b50, 4);
  put(&b, 44, 8);
  put(&b, 0, 12);
  put(&b, 1, 8);
  put(&b, 1, 8);
  put(&b, end - at, 8);
  put(&b, at, 8);
  put(&b, 0x07064b50, 4);
  put(&b, 0, 4);
  put(&b, end, 8);
  put(&b, 1, 4);
  put_end(&b, 0xffff, 0xffffffff, 0xffffffff);
  OK(open_all(&b));
  b.s[end + 56 + 8] = 0; /* the locator leads elsewhere */
  FAILS(open_all(&b), GLIA_FORMAT, "Zip64 end record");
  gi_str_free(&b);
}

static void names_stay_where_they_are(void **state) {
  (void)state;
  const char *const bad[] = {"../a", "a/../b", "/a", "..", "a/..", ""};
  const char *const good[] = {"a..b", "a/b/c", "...", "..a/b", "a\\b"};
  for (int i = 0; i < GI_COUNT(bad); i++)
    archive_is((part[]){stored(bad[i], "x")}, 1, "its name is empty");
  for (int i = 0; i < GI_COUNT(good); i++) archive_is((part[]){stored(good[i], "x")}, 1, NULL);
}

static void members_that_lie_are_refused(void **state) {
  (void)state;
  part p = stored("a", "data");
  p.flags = 1;
  archive_is(&p, 1, "encrypted");
  p = stored("a", "data");
  p.method = 12;
  archive_is(&p, 1, "method 12");
  p = stored("a", "data");
  p.bytes = 5;
  archive_is(&p, 1, "stored in 4 bytes");
  p = stored("a", "data");
  p.crc++;
  archive_is(&p, 1, "checksum");
  p = stored("a", "data");
  p.method = 8;
  archive_is(&p, 1, "damaged");
  p.bytes = 1 << 20; /* more than deflate can pack into four bytes */
  archive_is(&p, 1, "cannot unpack");
  archive_is((part[]){stored("a", "1"), stored("a", "2")}, 2, "two members");
}

static void members_may_not_overlap(void **state) {
  (void)state;
  const part a = stored("a", "0123456789"), b = stored("a", "0123456789");
  gi_str s = {0};
  put_local(&s, &a, "a");
  const size_t at = s.n;
  put_entry(&s, &a, 0, false);
  put_entry(&s, &b, 0, false);
  put_end(&s, 2, s.n - at, at);
  FAILS(open_all(&s), GLIA_FORMAT, "lie on one another");
  gi_str_free(&s);
}

static void headers_must_agree(void **state) {
  (void)state;
  const part p = stored("a", "data");
  gi_str s = {0};
  put_local(&s, &p, "b");
  const size_t at = s.n;
  put_entry(&s, &p, 0, false);
  put_end(&s, 1, s.n - at, at);
  FAILS(open_all(&s), GLIA_FORMAT, "another name");
  s.s[0] = 'x';
  FAILS(open_all(&s), GLIA_FORMAT, "does not begin");
  gi_str_free(&s);
}

static void counts_are_held_against_the_file(void **state) {
  (void)state;
  gi_str s = {0};
  put_end(&s, 0xfffe, 0, 0);
  FAILS(open_all(&s), GLIA_FORMAT, "does not fit the file");
  gi_str_free(&s);
  put_end(&s, 1, 0xfffffff0, 16);
  FAILS(open_all(&s), GLIA_FORMAT, "does not fit the file");
  gi_str_free(&s);
}

static void damage_anywhere_is_survived(void **state) {
  (void)state;
  const part parts[] = {stored("a", "first"), stored("b/c", "second")};
  gi_str b = archive(parts, 2, true);
  for (size_t i = 0; i < b.n; i++)
    for (int k = 0; k < 256; k += 17) {
      const char was = b.s[i];
      b.s[i] = (char)k;
      (void)open_all(&b);
      b.s[i] = was;
    }
  for (size_t cut = 0; cut < b.n; cut++) {
    const gi_str part_of = {.s = b.s, .n = cut};
    FAILS(open_all(&part_of), GLIA_FORMAT, "directory");
  }
  gi_str_free(&b);
}

/* ---- .npz ------------------------------------------------------------------------------- */

static const char npy_head[] =
    "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (%lld,), }";

/* A deflated member whose header promises `count` f4, all zero. */
static gi_str zeros(long long count, size_t bytes) {
  gi_str plain = {0}, out = {0};
  char head[129];
  memset(head, ' ', sizeof head);
  memcpy(head, npy_head, 10);
  const int n = snprintf(head + 10, 100, npy_head + 10, count);
  head[10 + n] = ' ';
  head[127] = '\n';
  unsigned char *all = calloc(1, 128 + bytes);
  assert_non_null(all);
  memcpy(all, head, 128);
  uLongf packed = compressBound((uLong)(128 + bytes));
  unsigned char *z = malloc(packed);
  assert_int_equal(compress2(z, &packed, all, (uLong)(128 + bytes), 9), Z_OK);
  const part p = {.name = "a.npy",
                  .data = (const char *)z + 2, /* without zlib's head and tail */
                  .packed = (size_t)packed - 6,
                  .bytes = 128 + bytes,
                  .method = 8,
                  .crc = (uint32_t)crc32(0, all, (uInt)(128 + bytes))};
  out = archive(&p, 1, false);
  free(z);
  free(all);
  gi_str_free(&plain);
  return out;
}

static void deflated_members_are_read(void **state) {
  (void)state;
  gi_str b = zeros(1000, 4000);
  glia_file *f = NULL;
  double want[1000] = {0};
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  assert_string_equal(glia_file_format(f), "npz");
  holds(f, "a", "F32", SHAPE(1000), want);
  glia_file_close(f);
  every_allocation_fails("npz", b.s, b.n);
  every_cut_is_refused("npz", b.s, b.n, 0);
  every_byte_changed("npz", b.s, b.n);
  gi_str_free(&b);
}

static void bombs_are_refused_before_they_go_off(void **state) {
  (void)state;
  const size_t bytes = (size_t)300 << 20;
  gi_str b = zeros((long long)bytes / 4, bytes);
  assert_in_range(b.n, 1, 1 << 20);
  gi_alloc_fail_above(16 << 20); /* nothing of that size is asked for */
  refused("npz", b.s, b.n, "claims to hold");
  gi_alloc_fail_above(0);
  gi_str_free(&b);
}

static void shapes_must_fit_members(void **state) {
  (void)state;
  gi_str b = zeros(1001, 4000);
  refused("npz", b.s, b.n, "wants 4004 bytes");
  gi_str_free(&b);
  const part object =
      stored("a.npy", "\x93NUMPY\x01"); /* cut at the version's second byte, by its NUL */
  b = archive(&object, 1, false);
  refused("npz", b.s, b.n, "does not begin as a .npy file");
  gi_str_free(&b);
}

static void npz_goes_round(void **state) {
  (void)state;
  glia_tensor *t = NULL, *turned = NULL, *half = NULL;
  OK(glia_tensor_from(GLIA_F32, 2, (const int64_t[]){2, 3}, (const float[]){0, 1, 2, 3, 4, 5},
                      &t));
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &turned));
  OK(glia_tensor_cast(t, GLIA_BF16, &half));
  const glia_named_tensor list[] = {{"t", t}, {"a/turned", turned}, {"half", half}};
  char npz[720];
  snprintf(npz, sizeof npz, "%s.npz", path);
  OK(glia_npz_write(npz, list, 3));
  glia_file *f = NULL;
  OK(glia_file_open(npz, &f));
  holds(f, "t", "F32", SHAPE(2, 3), WANT(0, 1, 2, 3, 4, 5));
  holds(f, "a/turned", "F32", SHAPE(3, 2), WANT(0, 3, 1, 4, 2, 5));
  holds(f, "half", "F32", SHAPE(2, 3), WANT(0, 1, 2, 3, 4, 5));
  glia_file_close(f);
  const glia_named_tensor twice[] = {{"t", t}, {"t", t}};
  FAILS(glia_npz_write(npz, twice, 2), GLIA_INVALID, "two tensors");
  for (int i = 0; i < 3; i++) {
    static const char *const bad[] = {"../t", "/t", "a/../t"};
    FAILS(glia_npz_write(npz, &(glia_named_tensor){bad[i], t}, 1), GLIA_INVALID,
          "cannot be the name");
  }
  FAILS(glia_npz_write("/dev/full", list, 1), GLIA_DISK, "free some space");
  for (int i = 1; gi_alloc_fail_after(i), glia_npz_write(npz, list, 3) != GLIA_OK; i++)
    assert_in_range(i, 1, 1000);
  gi_alloc_fail_after(0);
  glia_tensor_free(half);
  glia_tensor_free(turned);
  glia_tensor_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(an_archive_may_be_empty),
      cmocka_unit_test(zip64_fields_are_read),
      cmocka_unit_test(zip64_end_records_are_read),
      cmocka_unit_test(names_stay_where_they_are),
      cmocka_unit_test(members_that_lie_are_refused),
      cmocka_unit_test(members_may_not_overlap),
      cmocka_unit_test(headers_must_agree),
      cmocka_unit_test(counts_are_held_against_the_file),
      cmocka_unit_test(damage_anywhere_is_survived),
      cmocka_unit_test(deflated_members_are_read),
      cmocka_unit_test(bombs_are_refused_before_they_go_off),
      cmocka_unit_test(shapes_must_fit_members),
      cmocka_unit_test(npz_goes_round),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
