/* Work in a process of its own: bytes and messages come back, crashes and endless loops end. */
#include <signal.h>

#include "base/apart.h"
#include "test.h"

static glia_status write_many(int fd, void *user) {
  const int *n = user;
  for (int i = 0; i < *n; i++)
    if (write(fd, &i, sizeof i) != (ssize_t)sizeof i) return gi_fail(GLIA_IO, "cannot write");
  return GLIA_OK;
}

static void bytes_come_back(void **state) {
  (void)state;
  const int counts[] = {0, 1, 100000}; /* more than a pipe holds */
  for (int k = 0; k < GI_COUNT(counts); k++) {
    int n = counts[k];
    char *out = NULL;
    size_t bytes = 1;
    OK(gi_apart(write_many, &n, 60, 1 << 20, &out, &bytes));
    assert_int_equal(bytes, (size_t)n * sizeof n);
    for (int i = 0; i < n; i++) assert_memory_equal(out + (size_t)i * sizeof i, &i, sizeof i);
    gi_free(out);
  }
}

static int told;
static glia_status change(int fd, void *user) {
  (void)fd;
  told = *(int *)user;
  return gi_fail(GLIA_MODEL, "line %d: is no good", told);
}

static void failures_come_back(void **state) {
  (void)state;
  int line = 7;
  char *out = NULL;
  size_t n = 0;
  FAILS(gi_apart(change, &line, 60, 100, &out, &n), GLIA_MODEL, "line 7: is no good");
  assert_int_equal(told, 0); /* what the work changes stays there */
  assert_null(out);
}

static glia_status crash(int fd, void *user) {
  (void)fd;
  (void)raise(*(int *)user);
  return GLIA_OK;
}

static glia_status turn(int fd, void *user) {
  (void)fd;
  for (volatile int i = 0; *(int *)user != 0; i = !i) continue;
  return GLIA_OK;
}

static void crashes_and_loops_end(void **state) {
  (void)state;
  int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE}, yes = 1;
  char *out = NULL;
  size_t n = 0;
  for (int i = 0; i < GI_COUNT(signals); i++)
    FAILS(gi_apart(crash, &signals[i], 60, 100, &out, &n), GLIA_FORMAT,
          "what reads it crashes");
  FAILS(gi_apart(turn, &yes, 1, 100, &out, &n), GLIA_FORMAT, "finds no end");
}

static void what_comes_is_limited(void **state) {
  (void)state;
  int n = 1 << 24;
  char *out = NULL;
  size_t bytes = 0;
  FAILS(gi_apart(write_many, &n, 60, 1000, &out, &bytes), GLIA_FORMAT, "more than 1000 bytes");
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  int n = 1000;
  char *out = NULL;
  size_t bytes = 0;
  for (int i = 1;
       gi_alloc_fail_after(i), gi_apart(write_many, &n, 60, 1 << 20, &out, &bytes) != GLIA_OK;
       i++)
    assert_in_range(i, 1, 100);
  gi_alloc_fail_after(0);
  gi_free(out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_come_back),
      cmocka_unit_test(failures_come_back),
      cmocka_unit_test(crashes_and_loops_end),
      cmocka_unit_test(what_comes_is_limited),
      cmocka_unit_test(every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
