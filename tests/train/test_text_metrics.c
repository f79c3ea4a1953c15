/* test_text_metrics.c - edit distances, BLEU and ROUGE: worked out by hand, against the
 * examples of torchmetrics' documentation, against counting without any sorting, and on bad
 * input. */
#include <math.h>

#include "glia/metrics.h"
#include "test.h"

static void test_edit_distance(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    int64_t want;
  } rows[] = {
      {"", "", 0},         {"abc", "", 3},      {"", "abc", 3},      {"kitten", "sitting", 3},
      {"flaw", "lawn", 2}, {"same", "same", 0}, {"Grün", "Grun", 1}, {"日本語", "日語", 1}};
  int64_t d;
  for (int i = 0; i < GI_COUNT(rows); i++) {
    OK(glia_edit_distance(rows[i].a, rows[i].b, &d));
    assert_int_equal(d, rows[i].want);
    OK(glia_edit_distance(rows[i].b, rows[i].a, &d));
    assert_int_equal(d, rows[i].want);
  }
  FAILS(glia_edit_distance("a", "\xff", &d), GLIA_DATA, "no UTF-8");
  FAILS(glia_edit_distance(NULL, "", &d), GLIA_INVALID, "NULL");
}

static void test_error_rates(void **state) {
  (void)state;
  const char *const said[] = {"this is the prediction", "there is an other sample"};
  const char *const meant[] = {"this is the reference", "there is another one"};
  const char *const nothing[] = {"", " "};
  double v;
  OK(glia_word_error_rate(meant, said, 2, &v));
  NEAR(v, 0.5, 1e-15);
  OK(glia_character_error_rate(meant, said, 2, &v));
  NEAR(v, 14.0 / 41, 1e-15); /* torchmetrics: 0.3415 */
  OK(glia_word_error_rate(meant, meant, 2, &v));
  NEAR(v, 0, 0);
  OK(glia_word_error_rate(meant, nothing, 2, &v)); /* every word is missing */
  NEAR(v, 1, 0);
  FAILS(glia_word_error_rate(nothing, said, 2, &v), GLIA_DATA, "references are empty");
  FAILS(glia_word_error_rate(meant, said, 0, &v), GLIA_INVALID, "no texts");
  FAILS(glia_word_error_rate(meant, NULL, 2, &v), GLIA_INVALID, "no texts");
  FAILS(glia_character_error_rate((const char *const[]){NULL}, said, 1, &v), GLIA_INVALID,
        "NULL");
}

static void test_bleu(void **state) {
  (void)state;
  const char *const cat[] = {"the cat is on the mat"};
  const char *const cats[] = {"there is a cat on the mat", "a cat is on the mat"};
  const char *const many[] = {"the the the the the the the"};
  const char *const mat[] = {"the cat is on the mat", "there is a cat on the mat"};
  double v;
  OK(glia_bleu(cats, 2, cat, 1, 4, false, &v));
  NEAR(v, 0.7598, 5e-5); /* torchmetrics' example: (5/6 4/5 3/4 2/3)^(1/4) */
  NEAR(v, pow(5.0 / 6 * 4 / 5 * 3 / 4 * 2 / 3, 0.25), 1e-15);
  OK(glia_bleu(mat, 2, many, 1, 1, false, &v)); /* "the" is there twice at most */
  NEAR(v, 2.0 / 7, 1e-15);
  OK(glia_bleu(mat, 2, many, 1, 0, false, &v)); /* no pair of words is right */
  NEAR(v, 0, 0);
  OK(glia_bleu(mat, 2, many, 1, 2, true, &v)); /* smoothed: 2/7 and 1/7 */
  NEAR(v, sqrt(2.0 / 7 / 7), 1e-15);
  const char *const brief[] = {"the cat"};
  OK(glia_bleu(cat, 1, brief, 1, 2, false, &v)); /* all right, but a third of the length */
  NEAR(v, exp(1 - 6.0 / 2), 1e-15);
  const char *const nothing[] = {""};
  OK(glia_bleu(cat, 1, nothing, 1, 2, false, &v));
  NEAR(v, 0, 0);
  FAILS(glia_bleu(nothing, 1, cat, 1, 2, false, &v), GLIA_DATA, "references are empty");
  FAILS(glia_bleu(cat, 0, cat, 1, 2, false, &v), GLIA_INVALID, "references 0");
  FAILS(glia_bleu(cat, 1, cat, 1, 17, false, &v), GLIA_INVALID, "longest is 17");
}

/* Sums over the corpus come before the ratio. */
static void test_bleu_corpus(void **state) {
  (void)state;
  const char *const text[] = {"a b c d", "x y"}, *const reference[] = {"a b x d", "x y"};
  double v;
  OK(glia_bleu(reference, 1, text, 2, 2, false, &v));
  NEAR(v, sqrt(5.0 / 6 * 2 / 4), 1e-15);
}

static void test_rouge(void **state) {
  (void)state;
  const char *const text[] = {"my name is john"}, *const reference[] = {"is your name john"};
  glia_rouge_score s;
  OK(glia_rouge(reference, text, 1, 1, &s)); /* torchmetrics' example, in small letters */
  NEAR(s.f1, 0.75, 1e-15);
  OK(glia_rouge(reference, text, 1, 2, &s));
  NEAR(s.f1, 0, 0);
  OK(glia_rouge(reference, text, 1, 0, &s)); /* "name john" */
  NEAR(s.f1, 0.5, 1e-15);
  const char *const two[] = {"a b c", "a a"}, *const refs[] = {"a b c d e f", "a"};
  OK(glia_rouge(refs, two, 2, 1, &s));
  NEAR(s.precision, (1 + 0.5) / 2, 1e-15);
  NEAR(s.recall, (0.5 + 1) / 2, 1e-15);
  NEAR(s.f1, 2.0 / 3, 1e-15);
  FAILS(glia_rouge(refs, two, 2, -1, &s), GLIA_INVALID, "kind is -1");
  FAILS(glia_rouge(refs, two, 0, 1, &s), GLIA_INVALID, "no texts");
}

/* ---- against plain counting ------------------------------------------------------------- */

enum { WORDS = 30 };

/* Words out of four letters, and how many of a's words b has, each word of b used once. */
static void draw(const gi_rng *r, uint64_t from, int *ids, char *text) {
  for (int i = 0; i < WORDS; i++) {
    ids[i] = (int)gi_rng_below(r, from + (uint64_t)i, 4);
    text[2 * i] = (char)('a' + ids[i]);
    text[2 * i + 1] = i + 1 < WORDS ? ' ' : '\0';
  }
}

static bool equal_runs(const int *a, const int *b, int k) {
  for (int i = 0; i < k; i++)
    if (a[i] != b[i]) return false;
  return true;
}

static int shared_plainly(const int *a, const int *b, int k) {
  bool used[WORDS] = {false};
  int n = 0;
  for (int i = 0; i + k <= WORDS; i++)
    for (int j = 0; j + k <= WORDS; j++)
      if (!used[j] && equal_runs(a + i, b + j, k)) {
        used[j] = true;
        n++;
        break;
      }
  return n;
}

static void test_against_counting(void **state) {
  (void)state;
  const gi_rng r = {3, 4, 5};
  for (int round = 0; round < 50; round++) {
    int a[WORDS], b[WORDS];
    char ta[2 * WORDS], tb[2 * WORDS];
    draw(&r, (uint64_t)round * 64, a, ta);
    draw(&r, (uint64_t)round * 64 + 32, b, tb);
    for (int k = 1; k <= 3; k++) {
      glia_rouge_score s;
      OK(glia_rouge((const char *const[]){ta}, (const char *const[]){tb}, 1, k, &s));
      NEAR(s.recall, (double)shared_plainly(b, a, k) / (WORDS - k + 1), 1e-15);
    }
  }
}

static void test_without_memory(void **state) {
  (void)state;
  const char *const a[] = {"a b c", "d e"}, *const b[] = {"a c", "d e f"};
  glia_rouge_score s;
  double v;
  for (int what = 0; what < 3; what++)
    for (int64_t i = 1;; i++) {
      gi_alloc_fail_after(i);
      const glia_status status = what == 0   ? glia_word_error_rate(a, b, 2, &v)
                                 : what == 1 ? glia_bleu(a, 1, b, 2, 2, true, &v)
                                             : glia_rouge(a, b, 2, 0, &s);
      gi_alloc_fail_after(0);
      if (status == GLIA_OK) {
        assert_true(i > 3);
        break;
      }
      assert_int_equal(status, GLIA_NOMEM);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edit_distance),  cmocka_unit_test(test_error_rates),
      cmocka_unit_test(test_bleu),           cmocka_unit_test(test_bleu_corpus),
      cmocka_unit_test(test_rouge),          cmocka_unit_test(test_against_counting),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("text_metrics", tests, NULL, NULL);
}
