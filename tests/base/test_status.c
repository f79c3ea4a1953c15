/* Statuses, messages and the log. */
#include <pthread.h>

#include "test.h"

static void every_status_has_a_text_and_an_exit_status(void **state) {
  (void)state;
#define GLIA_X(name, code, exit_status, text)                   \
  assert_string_equal(glia_status_text(GLIA_##name), text);     \
  assert_int_equal(glia_status_exit(GLIA_##name), exit_status); \
  assert_int_equal(GLIA_##name, code);
  GLIA_STATUS_MAP(GLIA_X)
#undef GLIA_X
  assert_string_equal(glia_status_text((glia_status)-99), "unknown status");
  assert_int_equal(glia_status_exit(GLIA_OK), 0);
  assert_true(glia_status_exit((glia_status)-99) != 0);
}

static void version_is_that_of_the_header(void **state) {
  (void)state;
  char want[32];
  snprintf(want, sizeof want, "%d.%d.%d", GLIA_VERSION_MAJOR, GLIA_VERSION_MINOR,
           GLIA_VERSION_PATCH);
  assert_string_equal(glia_version(), want);
}

static void messages_are_stored_and_led(void **state) {
  (void)state;
  FAILS(gi_fail(GLIA_SHAPE, "x is %d", 3), GLIA_SHAPE, "x is 3");
  assert_int_equal(gi_where(GLIA_OK, "nobody"), GLIA_OK);
  assert_string_equal(glia_error_message(), "x is 3");
  FAILS(gi_where(GLIA_SHAPE, "layer%d.%s", 2, "conv"), GLIA_SHAPE, "layer2.conv: x is 3");
  /* its own message may be an argument */
  FAILS(gi_fail(GLIA_DATA, "%s!", glia_error_message()), GLIA_DATA, "layer2.conv: x is 3!");
  FAILS(gi_fail(GLIA_FORMAT, "tensor \"a\x1b[31m\x7f\""), GLIA_FORMAT, "a?[31m?");
}

static void long_messages_are_cut(void **state) {
  (void)state;
  char *big = malloc(100001);
  assert_non_null(big);
  memset(big, 'x', 100000);
  big[100000] = '\0';
  FAILS(gi_fail(GLIA_IO, "%s", big), GLIA_IO, "xxx");
  FAILS(gi_where(GLIA_IO, "%s", big), GLIA_IO, "xxx");
  FAILS(gi_where(GLIA_IO, "head"), GLIA_IO, "head: xxx");
  assert_true(strlen(glia_error_message()) < 100000);
  free(big);
}

static void *fail_elsewhere(void *user) {
  *(glia_status *)user = gi_fail(GLIA_DEVICE, "elsewhere");
  return NULL;
}

static void messages_are_per_thread(void **state) {
  (void)state;
  glia_status other = GLIA_OK;
  pthread_t id;
  FAILS(gi_fail(GLIA_IO, "here"), GLIA_IO, "here");
  assert_int_equal(pthread_create(&id, NULL, fail_elsewhere, &other), 0);
  pthread_join(id, NULL);
  assert_int_equal(other, GLIA_DEVICE);
  assert_string_equal(glia_error_message(), "here");
}

typedef struct heard {
  int lines;
  glia_log_level level;
  char last[64];
} heard;

static void hear(glia_log_level level, const char *line, void *user) {
  heard *h = user;
  h->lines++;
  h->level = level;
  snprintf(h->last, sizeof h->last, "%s", line);
  gi_log(GLIA_LOG_WARN, "from within"); /* dropped, and does not wait for itself */
}

static void log_goes_where_it_is_told(void **state) {
  (void)state;
  heard h = {0};
  gi_log(GLIA_LOG_WARN, "nobody listens");
  glia_log_to(hear, &h);
  gi_log(GLIA_LOG_INFO, "file %d skipped", 7);
  assert_int_equal(h.lines, 1);
  assert_int_equal(h.level, GLIA_LOG_INFO);
  assert_string_equal(h.last, "file 7 skipped");
  glia_log_to(NULL, NULL);
  gi_log(GLIA_LOG_WARN, "nobody listens");
  assert_int_equal(h.lines, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_has_a_text_and_an_exit_status),
      cmocka_unit_test(version_is_that_of_the_header),
      cmocka_unit_test(messages_are_stored_and_led),
      cmocka_unit_test(long_messages_are_cut),
      cmocka_unit_test(messages_are_per_thread),
      cmocka_unit_test(log_goes_where_it_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
