/* What the system tells of the machine: no more than makes sense. */
#include <sched.h>

#include "test.h"

static void test_machine(void **state) {
  gi_machine m;
  char name[256];
  (void)state;
  gi_machine_look(&m);
  gi_processor_name(name, sizeof name);
  assert_string_equal(m.name, name);
  assert_true(m.name[0] != '\0');
  assert_true(m.processors >= 1 && m.share >= 0);
  assert_true(m.memory >= (int64_t)16 << 20 && m.free > 0);
  for (int i = 0; i < GI_COUNT(m.cache); i++) {
    assert_true(m.cache[i] >= 0 && m.cache[i] < (int64_t)8 << 30);
    if (i > 0 && m.cache[i] > 0) assert_true(m.cache[i] >= m.cache[i - 1]);
  }
}

/* Processors that this process may not use are not counted. */
static void test_bound(void **state) {
  cpu_set_t before, one;
  gi_machine m;
  (void)state;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  gi_machine_look(&m);
  assert_int_equal(m.processors, 1);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

/* What is resident: pages of files, the program's among them, and others. */
static void test_resident(void **state) {
  (void)state;
  const size_t files = gi_rss_of_files(), all = gi_rss();
  assert_true(files > 0 && all > files);
  assert_true(gi_peak_rss() >= files);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_machine),
      cmocka_unit_test(test_bound),
      cmocka_unit_test(test_resident),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
