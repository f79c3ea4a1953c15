/* Blocks, the failure hook, arenas, vectors and strings. */
#include "test.h"

static void blocks_are_zeroed_and_aligned(void **state) {
  (void)state;
  for (size_t n = 0; n < 300; n += 7) {
    unsigned char *a = gi_alloc(n), *b = gi_alloc_aligned(n);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)b % 64, 0);
    for (size_t i = 0; i < n; i++) assert_int_equal(a[i] | b[i], 0);
    memset(a, 0xaa, n);
    memset(b, 0xaa, n);
    gi_free(a);
    gi_free_aligned(b);
  }
  gi_free(NULL);
  gi_free_aligned(NULL);
  assert_null(gi_strdup(NULL));
}

/* Those that are mappings of their own. */
static void large_blocks(void **state) {
  (void)state;
  static const size_t sizes[] = {((size_t)4 << 20) - 1, (size_t)4 << 20, ((size_t)9 << 20) + 5};
  for (int k = 0; k < GI_COUNT(sizes); k++) {
    unsigned char *b = gi_alloc_aligned(sizes[k]);
    assert_non_null(b);
    assert_int_equal((uintptr_t)b % 64, 0);
    for (size_t i = 0; i < sizes[k]; i++)
      if (b[i] != 0) fail_msg("byte %zu of %zu is %d", i, sizes[k], b[i]);
    memset(b, 0xaa, sizes[k]);
    gi_free_aligned(b);
  }
  assert_null(gi_alloc_aligned(SIZE_MAX));
  assert_null(gi_alloc_aligned(SIZE_MAX / 2));
}

static void forgotten_pages(void **state) {
  (void)state;
  const size_t sizes[] = {100000, 8 << 20}; /* from the C library, and a mapping */
  for (int k = 0; k < 2; k++) {
    const size_t n = sizes[k], first = 5001, count = n - 20000;
    unsigned char *b = gi_alloc_aligned(n);
    assert_non_null(b);
    memset(b, 7, n);
    gi_forget(b + first, count);
    for (size_t i = 0; i < n; i++)
      assert_true(b[i] == 7 || (b[i] == 0 && i >= first && i < first + count));
    assert_int_equal(b[n / 2], 0); /* its page is not there any more, and comes back as zeros */
    gi_forget(b + 1, 10);          /* no whole page: nothing */
    assert_int_equal(b[1], 7);
    gi_free_aligned(b);
  }
}

static void hook_fails_once(void **state) {
  (void)state;
  gi_alloc_fail_after(2);
  char *a = gi_alloc(1), *b = gi_strdup("b"), *c = gi_alloc_aligned(1);
  assert_non_null(a);
  assert_null(b);
  assert_non_null(c);
  gi_alloc_fail_after(1);
  assert_null(gi_realloc(a, 10)); /* a is still there */
  gi_alloc_fail_after(1);
  gi_alloc_fail_after(0);
  a = gi_realloc(a, 10);
  assert_non_null(a);
  gi_free(a);
  gi_free_aligned(c);
  gi_alloc_count();
  gi_free(gi_alloc(3));
  gi_free(gi_alloc(3));
  assert_int_equal(gi_alloc_count(), 2);
  assert_int_equal(gi_alloc_count(), 0);
}

static void hook_fails_above(void **state) {
  (void)state;
  gi_alloc_fail_above(100);
  char *a = gi_alloc(100), *b = gi_alloc(101), *c = gi_alloc_aligned(101);
  assert_non_null(a);
  assert_null(b);
  assert_null(c);
  assert_null(gi_realloc(a, 101)); /* a is still there */
  gi_alloc_fail_above(0);
  a = gi_realloc(a, 101);
  assert_non_null(a);
  gi_free(a);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void allocate_many(void *user) {
  int *refused = user;
  for (int i = 0; i < ROUNDS; i++) {
    void *p = gi_alloc(8);
    if (p == NULL) ++*refused;
    gi_free(p);
  }
}

static void hook_fails_once_among_threads(void **state) {
  (void)state;
  int refused[THREADS] = {0}, all = 0;
  gi_thread *thread[THREADS];
  for (int i = 0; i < THREADS; i++) OK(gi_thread_new(allocate_many, &refused[i], &thread[i]));
  gi_alloc_fail_after(100);
  allocate_many(&all);
  for (int i = 0; i < THREADS; i++) gi_thread_join(thread[i]);
  for (int i = 0; i < THREADS; i++) all += refused[i];
  assert_int_equal(all, 1);
}

static void arena_holds_everything(void **state) {
  (void)state;
  gi_arena a = {0};
  unsigned char *p[2000];
  for (size_t i = 0; i < 2000; i++) {
    p[i] = gi_arena_alloc(&a, i);
    assert_non_null(p[i]);
    assert_int_equal((uintptr_t)p[i] % 16, 0);
    for (size_t k = 0; k < i; k++) assert_int_equal(p[i][k], 0);
    memset(p[i], (int)(i % 251), i);
  }
  for (size_t i = 0; i < 2000; i++)
    for (size_t k = 0; k < i; k++) assert_int_equal(p[i][k], i % 251);
  unsigned char *big = gi_arena_alloc(&a, (size_t)5 << 20);
  assert_non_null(big);
  big[((size_t)5 << 20) - 1] = 1;
  assert_true(a.total >= (size_t)5 << 20);
  assert_null(gi_arena_alloc(&a, SIZE_MAX));
  assert_null(gi_arena_alloc(&a, SIZE_MAX - 20));
  assert_string_equal(gi_arena_printf(&a, "%s-%d", "layer", 12), "layer-12");
  assert_string_equal(gi_arena_strdup(&a, "x"), "x");
  assert_null(gi_arena_strdup(&a, NULL));
  const int numbers[] = {1, 2, 3};
  assert_memory_equal(gi_arena_copy(&a, numbers, sizeof numbers), numbers, sizeof numbers);
  gi_arena_free(&a);
  assert_null(a.head);
  gi_alloc_fail_after(1);
  assert_null(gi_arena_alloc(&a, 1));
  assert_non_null(gi_arena_alloc(&a, 1));
  gi_arena_free(&a);
}

static void vectors_grow(void **state) {
  (void)state;
  GI_VEC(int) v = {0};
  for (int i = 0; i < 1000; i++) assert_true(gi_vec_push(&v, i * i));
  assert_int_equal(v.n, 1000);
  for (int i = 0; i < 1000; i++) assert_int_equal(v.at[i], i * i);
  while (v.n < v.cap) assert_true(gi_vec_push(&v, 7));
  const size_t n = v.n;
  gi_alloc_fail_after(1);
  const bool grew = gi_vec_push(&v, 8);
  assert_false(grew);
  assert_int_equal(v.n, n);
  assert_int_equal(v.at[999], 999 * 999);
  assert_false(gi_vec_reserve(&v, SIZE_MAX / 2)); /* times four bytes overflows */
  gi_vec_free(&v);
  assert_null(v.at);
  assert_int_equal(v.cap, 0);
}

static void strings_grow_and_latch(void **state) {
  (void)state;
  gi_str s = {0};
  for (int i = 0; i < 500; i++) gi_str_printf(&s, "%d,", i % 10);
  gi_str_puts(&s, "end");
  gi_str_add(&s, "!?", 1);
  assert_int_equal(s.n, 1004);
  char *text = gi_str_take(&s);
  assert_int_equal(strlen(text), 1004);
  assert_string_equal(text + 998, "9,end!");
  assert_null(s.s);
  gi_free(text);

  text = gi_str_take(&s);
  assert_string_equal(text, "");
  gi_free(text);

  gi_str_puts(&s, "before");
  gi_alloc_fail_after(1);
  gi_str_printf(&s, "%100d", 1);
  gi_str_puts(&s, "after");
  assert_true(s.failed);
  assert_string_equal(s.s, "before");
  assert_null(gi_str_take(&s));
  assert_false(s.failed);
}

static void sizes_do_not_wrap(void **state) {
  (void)state;
  size_t n = 7;
  assert_true(gi_mul_size(SIZE_MAX, 1, &n) && n == SIZE_MAX);
  assert_true(gi_mul_size(SIZE_MAX, 0, &n) && n == 0);
  assert_true(gi_mul_size(0, SIZE_MAX, &n) && n == 0);
  assert_true(gi_mul_size((size_t)1 << 31, (size_t)1 << 32, &n) && n == (size_t)1 << 63);
  n = 7;
  assert_false(gi_mul_size((size_t)1 << 32, (size_t)1 << 32, &n));
  assert_false(gi_mul_size(SIZE_MAX, 2, &n));
  assert_false(gi_add_size(SIZE_MAX, 1, &n));
  assert_int_equal(n, 7);
  assert_true(gi_add_size(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_zeroed_and_aligned),
      cmocka_unit_test(large_blocks),
      cmocka_unit_test(forgotten_pages),
      cmocka_unit_test(hook_fails_once),
      cmocka_unit_test(hook_fails_above),
      cmocka_unit_test(hook_fails_once_among_threads),
      cmocka_unit_test(arena_holds_everything),
      cmocka_unit_test(vectors_grow),
      cmocka_unit_test(strings_grow_and_latch),
      cmocka_unit_test(sizes_do_not_wrap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
