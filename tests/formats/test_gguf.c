/* GGUF: pairs, tensors, every type of block against its definition number by number, and counts
 * that no file can hold. */
#include "tensor/tensor.h"

#include "bytes.h"

/* ---- files byte by byte ------------------------------------------------------------------ */

static void text(gi_str *b, const char *s) {
  put(b, strlen(s), 8);
  put_text(b, s);
}

static gi_str head(uint64_t version, uint64_t tensors, uint64_t pairs) {
  gi_str b = {0};
  put_text(&b, "GGUF");
  put(&b, version, 4);
  put(&b, tensors, 8);
  put(&b, pairs, 8);
  return b;
}

static void pair(gi_str *b, const char *key, uint64_t type) {
  text(b, key);
  put(b, type, 4);
}

static void describe(gi_str *b, const char *name, int rank, const uint64_t *dims, uint64_t type,
                     uint64_t offset) {
  text(b, name);
  put(b, (uint64_t)rank, 4);
  for (int i = 0; i < rank; i++) put(b, dims[i], 8);
  put(b, type, 4);
  put(b, offset, 8);
}

static void align(gi_str *b, size_t to) {
  while (b->n % to != 0) put(b, 0, 1);
}

/* One tensor of one row. */
static gi_str one(uint64_t type, uint64_t numbers, const void *data, size_t bytes) {
  gi_str b = head(3, 1, 0);
  describe(&b, "w", 1, &numbers, type, 0);
  align(&b, 32);
  gi_str_add(&b, data, bytes);
  return b;
}

/* ---- blocks ----------------------------------------------------------------------------- */

static unsigned char block[512];

/* Bytes that are not alike, with scales (f16) at these places: 0.5 and 0.25. */
static void fill_block(size_t bytes, int d, int m) {
  for (size_t i = 0; i < bytes; i++) block[i] = (unsigned char)(i * 37 + 11);
  block[d] = 0x00, block[d + 1] = 0x38;
  if (m >= 0) block[m] = 0x00, block[m + 1] = 0x34;
}

static void unpacks(uint64_t type, const char *name, size_t bytes, int numbers,
                    const double *want) {
  gi_str b = one(type, (uint64_t)numbers, block, bytes);
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  assert_string_equal(glia_file_format(f), "gguf");
  holds(f, "w", name, SHAPE(numbers), want);
  glia_file_close(f);
  gi_str_free(&b);
}

static int nibble(const unsigned char *q, int i) { /* of 32: low halves, then high ones */
  return i < 16 ? q[i] & 15 : q[i - 16] >> 4;
}

static void small_blocks(void **state) {
  (void)state;
  double want[32];
  fill_block(34, 0, -1);
  for (int i = 0; i < 32; i++) want[i] = 0.5 * (int8_t)block[2 + i];
  unpacks(8, "Q8_0", 34, 32, want);
  fill_block(18, 0, -1);
  for (int i = 0; i < 32; i++) want[i] = 0.5 * (nibble(block + 2, i) - 8);
  unpacks(2, "Q4_0", 18, 32, want);
  fill_block(20, 0, 2);
  for (int i = 0; i < 32; i++) want[i] = 0.5 * nibble(block + 4, i) + 0.25;
  unpacks(3, "Q4_1", 20, 32, want);
  fill_block(22, 0, -1);
  for (int i = 0; i < 32; i++)
    want[i] = 0.5 * ((nibble(block + 6, i) | (block[2 + i / 8] >> i % 8 & 1) << 4) - 16);
  unpacks(6, "Q5_0", 22, 32, want);
  fill_block(24, 0, 2);
  for (int i = 0; i < 32; i++)
    want[i] = 0.5 * (nibble(block + 8, i) | (block[4 + i / 8] >> i % 8 & 1) << 4) + 0.25;
  unpacks(7, "Q5_1", 24, 32, want);
}

/* The six bits of scale (or minimum) j: the first four whole in a byte each, the others with
 * their low four bits in bytes 8 to 11 and their high two above the first ones. */
static int six_bits(const unsigned char *s, int j, bool minimum) {
  if (j < 4) return s[j + (minimum ? 4 : 0)] & 63;
  const int low = minimum ? s[j + 4] >> 4 : s[j + 4] & 15;
  return low | (s[minimum ? j : j - 4] >> 6) << 4;
}

static double k_number(const unsigned char *low, const unsigned char *high, int i) {
  const int part = i / 32, byte = low[part / 2 * 32 + i % 32];
  int q = part % 2 == 0 ? byte & 15 : byte >> 4;
  if (high != NULL) q += (high[i % 32] >> part & 1) * 16;
  return 0.5 * six_bits(block + 4, part, false) * q - 0.25 * six_bits(block + 4, part, true);
}

static void large_blocks(void **state) {
  (void)state;
  double want[256];
  fill_block(144, 0, 2);
  for (int i = 0; i < 256; i++) want[i] = k_number(block + 16, NULL, i);
  unpacks(12, "Q4_K", 144, 256, want);
  fill_block(176, 0, 2);
  for (int i = 0; i < 256; i++) want[i] = k_number(block + 48, block + 16, i);
  unpacks(13, "Q5_K", 176, 256, want);
  fill_block(210, 208, -1);
  for (int i = 0; i < 256; i++) {
    const int half = i / 128, quarter = i % 128 / 32, l = i % 32;
    const int byte = block[half * 64 + quarter % 2 * 32 + l];
    const int low = quarter < 2 ? byte & 15 : byte >> 4;
    const int high = block[128 + half * 32 + l] >> 2 * quarter & 3;
    const int scale = (int8_t)block[192 + half * 8 + quarter * 2 + l / 16];
    want[i] = 0.5 * scale * (low + 16 * high - 32);
  }
  unpacks(14, "Q6_K", 210, 256, want);
}

static void plain_types(void **state) {
  (void)state;
  const float f[] = {1, -2};
  memcpy(block, f, 8);
  unpacks(0, "F32", 8, 2, WANT(1, -2));
  memcpy(block, "\x00\x3c\x00\xc0", 4);
  unpacks(1, "F16", 4, 2, WANT(1, -2));
  memcpy(block, "\x80\x3f\x00\xc0", 4);
  unpacks(30, "BF16", 4, 2, WANT(1, -2));
  memcpy(block, "\x01\xfe", 2);
  unpacks(24, "I8", 2, 2, WANT(1, -2));
  memcpy(block, "\x01\x00\xfe\xff", 4);
  unpacks(25, "I16", 4, 2, WANT(1, -2));
}

static void types_known_by_size_are_listed(void **state) {
  (void)state;
  gi_str b = one(10, 256, block, 84);
  glia_file *f = NULL;
  glia_tensor *t = NULL;
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  assert_string_equal(glia_file_dtype(f, 0), "Q2_K");
  FAILS(glia_file_read(f, 0, &t), GLIA_DTYPE, "Q2_K cannot be unpacked");
  glia_file_close(f);
  gi_str_free(&b);
}

/* ---- files ------------------------------------------------------------------------------ */

static gi_str model(void) {
  gi_str b = head(3, 2, 6);
  const float numbers[] = {0, 1, 2, 3, 4, 5};
  pair(&b, "general.architecture", 8);
  text(&b, "llama");
  pair(&b, "general.alignment", 4);
  put(&b, 64, 4);
  pair(&b, "scale", 6);
  put_float(&b, 0.5f);
  pair(&b, "offset", 5);
  put(&b, 0xfffffffe, 4);
  pair(&b, "words", 9);
  put(&b, 8, 4);
  put(&b, 2, 8);
  text(&b, "a");
  text(&b, "b");
  pair(&b, "yes", 7);
  put(&b, 1, 1);
  describe(&b, "matrix", 2, (const uint64_t[]){3, 2}, 0, 0);
  describe(&b, "last", 1, (const uint64_t[]){2}, 0, 64);
  align(&b, 64);
  gi_str_add(&b, (const char *)numbers, sizeof numbers);
  align(&b, 64);
  gi_str_add(&b, (const char *)(numbers + 4), 8);
  return b;
}

static void files_are_read(void **state) {
  (void)state;
  gi_str b = model();
  glia_file *f = NULL;
  OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
  holds(f, "matrix", "F32", SHAPE(2, 3),
        WANT(0, 1, 2, 3, 4, 5)); /* innermost first in the file */
  holds(f, "last", "F32", SHAPE(2), WANT(4, 5));
  const char *const want[][2] = {{"general.architecture", "llama"},
                                 {"scale", "0.5"},
                                 {"offset", "-2"},
                                 {"words", "[2 x text]"},
                                 {"yes", "true"}};
  for (int i = 0; i < GI_COUNT(want); i++)
    assert_string_equal(glia_file_metadata(f, want[i][0]), want[i][1]);
  glia_file_close(f);
  every_cut_is_refused("gguf", b.s, b.n, 0);
  every_byte_changed("gguf", b.s, b.n);
  every_allocation_fails("gguf", b.s, b.n);
  gi_str_free(&b);
}

static void counts_are_held_against_the_file(void **state) {
  (void)state;
  const uint64_t many = (uint64_t)1 << 60;
  gi_alloc_fail_above(1 << 20); /* nothing is allocated on a count's word */
  gi_str b = head(3, many, 0);
  refused("gguf", b.s, b.n, "more than 24 bytes can hold");
  gi_str_free(&b);
  b = head(3, 0, many);
  refused("gguf", b.s, b.n, "more than 24 bytes can hold");
  gi_str_free(&b);
  b = head(3, 0, 1);
  put(&b, many, 8); /* a key's length */
  put(&b, 0, 8);
  put(&b, 0, 8);
  refused("gguf", b.s, b.n, "ends within a key");
  gi_str_free(&b);
  b = head(3, 0, 1);
  pair(&b, "list", 9);
  put(&b, 0, 4);
  put(&b, many, 8);
  refused("gguf", b.s, b.n, "longer than the file");
  gi_str_free(&b);
  const uint64_t dims[] = {many, many};
  b = head(3, 1, 0);
  describe(&b, "w", 2, dims, 0, 0);
  refused("gguf", b.s, b.n, "more elements than can be counted");
  gi_str_free(&b);
  b = head(3, 1, 0);
  describe(&b, "w", 1, &many, 0, 0);
  refused("gguf", b.s, b.n, "\"w\"");
  gi_str_free(&b);
  gi_alloc_fail_above(0);
}

static void headers_that_lie(void **state) {
  (void)state;
  const uint64_t dims[] = {32, 1, 1, 1, 1, 1, 1, 1, 1};
  refused("gguf", "GGML", 4, "does not begin with GGUF");
  gi_str b = head(1, 0, 0);
  refused("gguf", b.s, b.n, "version 1");
  gi_str_free(&b);
  b = head(3, 0, 1);
  pair(&b, "key", 13);
  put(&b, 0, 8);
  refused("gguf", b.s, b.n, "type 13");
  gi_str_free(&b);
  b = head(3, 1, 0);
  describe(&b, "w", 9, dims, 0, 0);
  refused("gguf", b.s, b.n, "9 dimensions");
  gi_str_free(&b);
  b = head(3, 1, 0);
  describe(&b, "w", 1, dims, 99, 0);
  refused("gguf", b.s, b.n, "type 99");
  gi_str_free(&b);
  b = one(12, 32, block, 144);
  refused("gguf", b.s, b.n, "no blocks of 256");
  gi_str_free(&b);
  b = head(3, 1, 0);
  describe(&b, "w", 1, dims, 0, 7);
  refused("gguf", b.s, b.n, "no multiple of 32");
  gi_str_free(&b);
  b = head(3, 1, 0);
  describe(&b, "w", 1, dims, 0, (uint64_t)1 << 62);
  refused("gguf", b.s, b.n, "the file's data are");
  gi_str_free(&b);
  b = one(0, 32, block, 127);
  refused("gguf", b.s, b.n, "has 128 bytes from 0 on, the file's data are 127");
  gi_str_free(&b);
}

/* Lists in lists, twenty deep. */
static void depth_is_limited(void **state) {
  (void)state;
  gi_str b = head(3, 0, 1);
  pair(&b, "list", 9);
  for (int i = 0; i < 20; i++) {
    put(&b, 9, 4);
    put(&b, 1, 8);
  }
  for (int i = 0; i < 4; i++) put(&b, 0, 8);
  refused("gguf", b.s, b.n, "more than 8 deep");
  gi_str_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_blocks),     cmocka_unit_test(large_blocks),
      cmocka_unit_test(plain_types),      cmocka_unit_test(types_known_by_size_are_listed),
      cmocka_unit_test(files_are_read),   cmocka_unit_test(counts_are_held_against_the_file),
      cmocka_unit_test(headers_that_lie), cmocka_unit_test(depth_is_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
