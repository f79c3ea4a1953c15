/* tests/formats/bytes.h - files put together byte by byte, for the tests of readers. */
#ifndef GI_TEST_BYTES_H
#define GI_TEST_BYTES_H

#include "formats/reader.h"
#include "test.h"

static inline void put(gi_str *b, uint64_t v, int bytes) { /* little-endian */
  for (int i = 0; i < bytes; i++) {
    const char c = i < 8 ? (char)(v >> 8 * i & 0xff) : 0;
    gi_str_add(b, &c, 1);
  }
}

static inline void put_text(gi_str *b, const char *s) { gi_str_add(b, s, strlen(s)); }

static inline void put_float(gi_str *b, float v) {
  uint32_t u;
  memcpy(&u, &v, 4);
  put(b, u, 4);
}

/* A copy of exactly these bytes, so that a sanitizer sees a read behind the end; free(). */
static inline unsigned char *exact(const void *p, size_t n) {
  unsigned char *copy = malloc(n + (n == 0));
  assert_non_null(copy);
  if (n > 0) memcpy(copy, p, n);
  return copy;
}

static inline const gi_reader *row(const char *name) {
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++)
      if (strcmp(gi_readers_table[i][k]->name, name) == 0) return gi_readers_table[i][k];
  fail_msg("there is no format \"%s\"", name);
  return NULL;
}

/* Opens, and reads all elements. */
static inline glia_status read_all(const gi_reader *reader, const void *p, size_t n) {
  glia_file *f = NULL;
  GI_TRY(gi_file_from_memory(reader, p, n, "file", &f));
  glia_status s = GLIA_OK;
  for (int i = 0; i < glia_file_count(f) && s == GLIA_OK; i++) {
    gi_elements e;
    s = gi_file_elements(f, i, &e);
    if (s == GLIA_OK) gi_elements_clear(&e);
  }
  glia_file_close(f);
  return s;
}

/* The bytes must be refused with these words, after "file". */
static inline void refused(const char *name, const void *p, size_t n, const char *words) {
  unsigned char *copy = exact(p, n);
  const glia_status s = read_all(row(name), copy, n);
  free(copy);
  if (s == GLIA_OK) fail_msg("%s: was read, wanted \"%s\"", name, words);
  if (strstr(glia_error_message(), words) == NULL)
    fail_msg("%s: \"%s\" does not hold \"%s\"", name, glia_error_message(), words);
  if (strncmp(glia_error_message(), "file", 4) != 0)
    fail_msg("%s: \"%s\" does not name the file", name, glia_error_message());
}

/* No cut may be read as the whole, crash, or (under a sanitizer) be read beyond its end. */
static inline void every_cut_is_refused(const char *name, const void *p, size_t n,
                                        size_t from) {
  for (size_t cut = from; cut < n; cut++) {
    unsigned char *copy = exact(p, cut);
    if (read_all(row(name), copy, cut) == GLIA_OK)
      fail_msg("%s: cut to %zu is read", name, cut);
    free(copy);
  }
}

/* Each allocation of reading all fails once; nothing is lost then (a sanitizer looks). */
static inline void every_allocation_fails(const char *name, const void *p, size_t n) {
  int i = 1;
  glia_status s;
  while (gi_alloc_fail_after(i), (s = read_all(row(name), p, n)) != GLIA_OK) {
    gi_alloc_fail_after(0);
    if (s != GLIA_NOMEM) fail_msg("%s: allocation %d: %s", name, i, glia_error_message());
    assert_in_range(++i, 1, 10000);
  }
  gi_alloc_fail_after(0);
}

/* Bytes changed one after the other: any verdict, no crash. */
static inline void every_byte_changed(const char *name, const void *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    for (int k = 0; k < 3; k++) {
      unsigned char *copy = exact(p, n);
      copy[i] = (unsigned char)(k == 0 ? 0xff : k == 1 ? 0 : copy[i] ^ 1 << i % 8);
      (void)read_all(row(name), copy, n);
      free(copy);
    }
}

/* The file's tensor of this name, as doubles. */
static inline void holds(const glia_file *f, const char *name, const char *dtype, int rank,
                         const int64_t *shape, const double *want) {
  const int i = glia_file_find(f, name);
  if (i < 0) fail_msg("\"%s\" is not there", name);
  const int64_t *got = NULL;
  assert_string_equal(glia_file_dtype(f, i), dtype);
  assert_int_equal(glia_file_shape(f, i, &got), rank);
  for (int k = 0; k < rank; k++) assert_int_equal(got[k], shape[k]);
  glia_tensor *t = NULL;
  OK(glia_file_read(f, i, &t));
  for (int64_t k = 0; k < glia_tensor_count(t); k++)
    if (glia_tensor_get(t, k) != want[k])
      fail_msg("%s: element %lld is %.9g, want %.9g", name, (long long)k, glia_tensor_get(t, k),
               want[k]);
  glia_tensor_free(t);
}
#define SHAPE(...) \
  GI_COUNT(((const int64_t[]){__VA_ARGS__})), (const int64_t[]) { __VA_ARGS__ }
#define WANT(...) \
  (const double[]) { __VA_ARGS__ }

#endif /* GI_TEST_BYTES_H */
