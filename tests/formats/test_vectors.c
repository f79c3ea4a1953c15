/* Vectors of words: word2vec's text and binary files, GloVe's, and files that are none. */
#include "bytes.h"

/* The words, as they come back from a .npz. */
static void words_are(const glia_file *f, const char *const *want, int n) {
  const int i = glia_file_find(f, "words");
  assert_true(i >= 0);
  gi_elements e;
  OK(gi_file_elements(f, i, &e));
  const size_t width = f->entries.at[i].array.width;
  assert_int_equal(e.bytes, width * (size_t)n);
  for (int k = 0; k < n; k++) {
    const unsigned char *p = (const unsigned char *)e.data + (size_t)k * width;
    size_t at = 0;
    for (const char *c = want[k]; *c != '\0'; c++, at += 4) { /* one byte a character here */
      uint32_t got = 0;
      memcpy(&got, p + at, 4);
      assert_int_equal(got, (unsigned char)*c);
    }
    for (; at < width; at++) assert_int_equal(p[at], 0);
  }
  gi_elements_clear(&e);
}

static void opens_as(const gi_str *b, const char *format, const char *const *words, int n,
                     const double *want) {
  glia_file *f = NULL;
  unsigned char *copy = exact(b->s, b->n);
  OK(gi_file_from_memory(NULL, copy, b->n, "file", &f));
  assert_string_equal(glia_file_format(f), format);
  words_are(f, words, n);
  holds(f, "vectors", "F32", SHAPE(n, 2), want);
  glia_file_close(f);
  free(copy);
}

static gi_str text(const char *s) {
  gi_str b = {0};
  put_text(&b, s);
  return b;
}

static gi_str binary(bool newlines) {
  gi_str b = text("2 2\nthe ");
  put_float(&b, 1);
  put_float(&b, -0.5f);
  if (newlines) put(&b, '\n', 1);
  put_text(&b, "a\xe9 "); /* no UTF-8: one character that stands for it */
  put_float(&b, 2);
  put_float(&b, 3);
  if (newlines) put(&b, '\n', 1);
  return b;
}

static const char *const two[] = {"the", "of"};
static const double numbers[] = {1, -0.5, 2, 3};

static void texts_are_read(void **state) {
  (void)state;
  const char *const files[] = {"2 2\nthe 1 -0.5\nof 2 3\n", "2 2\nthe 1 -0.5 \nof 2 3 ",
                               "2 2 \r\nthe\t1\t-5e-1\r\nof 2.0 3\r\n\n"};
  for (int i = 0; i < GI_COUNT(files); i++) {
    gi_str b = text(files[i]);
    opens_as(&b, "word2vec", two, 2, numbers);
    gi_str_free(&b);
  }
  gi_str b = text("the 1 -0.5\nof 2 3\n");
  opens_as(&b, "glove", two, 2, numbers);
  gi_str_free(&b);
  b = text("the 1 -0.5\n. . of 2 3"); /* a word with blanks, as one file of GloVe's has */
  opens_as(&b, "glove", (const char *const[]){"the", ". . of"}, 2, numbers);
  gi_str_free(&b);
}

static void binaries_are_read(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    gi_str b = binary(i == 1);
    glia_file *f = NULL;
    OK(gi_file_from_memory(NULL, b.s, b.n, "file", &f));
    assert_string_equal(glia_file_format(f), "word2vec binary");
    holds(f, "vectors", "F32", SHAPE(2, 2), numbers);
    gi_elements e;
    OK(gi_file_elements(f, glia_file_find(f, "words"), &e));
    const uint32_t want[] = {'t', 'h', 'e', 'a', 0xfffd, 0};
    assert_int_equal(e.bytes, sizeof want);
    assert_memory_equal(e.data, want, sizeof want);
    gi_elements_clear(&e);
    glia_file_close(f);
    gi_str_free(&b);
  }
}

static void every_cut_and_change(void **state) {
  (void)state;
  gi_str b = binary(false), t = text("2 2\nthe 1 -0.5\nof 2 3.25");
  every_cut_is_refused("word2vec binary", b.s, b.n, 0);
  every_cut_is_refused("word2vec", t.s, t.n - 4, 0); /* "3" is a number too */
  every_byte_changed("word2vec binary", b.s, b.n);
  every_byte_changed("word2vec", t.s, t.n);
  every_byte_changed("glove", t.s + 4, t.n - 4);
  every_allocation_fails("word2vec binary", b.s, b.n);
  every_allocation_fails("word2vec", t.s, t.n);
  gi_str_free(&b);
  gi_str_free(&t);
}

static void files_that_lie(void **state) {
  (void)state;
  const struct {
    const char *format, *text, *words;
  } cases[] = {
      {"word2vec", "", "how many words"},
      {"word2vec", "0 2\n", "how many words"},
      {"word2vec", "2\nthe 1\n", "how many words"},
      {"word2vec", "-1 2\nthe 1 2\n", "how many words"},
      {"word2vec", "1 1000000000000\nthe 1 2\n", "how many words"},
      {"word2vec", "999999999999999999 1\nthe 1\n", "more than"},
      {"word2vec", "3 2\nthe 1 -0.5\nof 2 3\n", "word 2: wanted a word and 2 numbers"},
      {"word2vec", "1 2\nthe 1 -0.5\nof 2 3\n", "follow the last of 1 words"},
      {"word2vec", "2 3\nthe 1 2 3\nof 2 3\n", "word 1: wanted a word and 3 numbers"},
      {"word2vec", "1 2\nthe 1 x\n", "number 1 of \"the\" is none"},
      {"word2vec", "1 2\nthe 1 nan\n", "number 1 of \"the\" is none"},
      {"word2vec",
       "1 1\nthe 1111111111111111111111111111111111111111111111111111111111111111\n",
       "number 0 of \"the\" is none"},
      {"glove", "the\n", "does not begin"},
      {"glove", "1 2 3\n", "does not begin"},
      {"glove", "the 1 2\nof 3\n", "does not begin"},
      {"glove", "the 1 2\nof 3 4\na 5\n", "word 2: wanted"},
      {"word2vec binary", "1 2\nthe 1234567", "truncated"},
      {"word2vec binary", "1 2\nthe 123456789", "1 bytes follow"},
      {"word2vec binary", "900000000 2\nthe 12345678", "more than"},
  };
  for (int i = 0; i < GI_COUNT(cases); i++)
    refused(cases[i].format, cases[i].text, strlen(cases[i].text), cases[i].words);
}

/* Other text is not taken for vectors. */
static void other_files_are_left_alone(void **state) {
  (void)state;
  const char *const files[] = {"hello\n",           "hello world\n",      "a,b,c\n1,2,3\n",
                               "1 2 3\n4 5 6\n",    "a b c d\ne f g\n",   "{\"a\": 1}",
                               "3 4\nno numbers\n", "word 1 2\nother 3\n"};
  for (int i = 0; i < GI_COUNT(files); i++) {
    const gi_reader *r =
        gi_reader_by_content((const unsigned char *)files[i], strlen(files[i]));
    if (r != NULL) fail_msg("\"%s\" is taken for %s", files[i], r->name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_are_read),
      cmocka_unit_test(binaries_are_read),
      cmocka_unit_test(every_cut_and_change),
      cmocka_unit_test(files_that_lie),
      cmocka_unit_test(other_files_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
