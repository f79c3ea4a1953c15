/* test_cpu_team.c - loops on several threads: each part is run once, in any nesting, however
 * late a thread comes.
 */
#include <stdatomic.h>
#include <time.h>

#include "backend/cpu/cpu.h"
#include "test.h"

enum { MOST = 3000, LOOPS = 20000, LANES = 8 };

typedef struct counts {
  _Atomic int of[MOST];
  int threads;
  int64_t parts;
  bool slow, nested;
  _Atomic int inner;
  _Atomic int taken[LANES], clashes; /* parts that had the scratch of a lane at the same time */
  _Atomic int highest;               /* lane */
} counts;

static void inner_part(void *user, int64_t part) {
  counts *c = user;
  atomic_fetch_add(&c->inner, (int)part);
}

static void count_part(void *user, int64_t part) {
  const struct timespec moment = {0, 300000};
  counts *c = user;
  const int lane = gi_cpu_lane();
  if (atomic_fetch_add(&c->taken[lane % LANES], 1) != 0) atomic_fetch_add(&c->clashes, 1);
  if (lane > atomic_load(&c->highest)) atomic_store(&c->highest, lane);
  atomic_fetch_add(&c->of[part], 1);
  if (c->slow && part % 7 == 3) nanosleep(&moment, NULL);
  if (c->nested) gi_cpu_for(c->threads, 4, inner_part, c);
  atomic_fetch_sub(&c->taken[lane % LANES], 1);
}

static void loop(void *user) {
  counts *c = user;
  gi_cpu_for(c->threads, c->parts, count_part, c);
}

static void loop_twice(void *user) {
  loop(user);
  loop(user);
}

static void check(counts *c, int times, int lanes) {
  assert_int_equal(atomic_load(&c->clashes), 0);
  assert_in_range(atomic_exchange(&c->highest, 0), 0, lanes - 1);
  for (int64_t i = 0; i < MOST; i++)
    assert_int_equal(atomic_exchange(&c->of[i], 0), i < c->parts ? times : 0);
}

static void test_each_part_once(void **state) {
  (void)state;
  static const int64_t parts[] = {0, 1, 2, 3, 17, 64, 1000, MOST};
  static counts c;
  for (int threads = 1; threads <= 5; threads++)
    for (int i = 0; i < GI_COUNT(parts); i++) {
      c.threads = threads;
      c.parts = parts[i];
      loop(&c);
      check(&c, 1, threads);
      gi_cpu_together(threads, loop_twice, &c);
      check(&c, 2, threads);
      gi_cpu_together(2, loop_twice, &c); /* fewer, or more, stand by than are asked for */
      check(&c, 2, 2);
    }
}

static void test_late_threads(void **state) {
  (void)state;
  static counts c = {.slow = true, .threads = 3, .parts = 40};
  for (int i = 0; i < 5; i++) {
    gi_cpu_together(3, loop_twice, &c);
    check(&c, 2, 3);
  }
}

static void test_loops_in_loops(void **state) {
  (void)state;
  static counts c = {.nested = true, .threads = 3, .parts = 50};
  gi_cpu_together(3, loop, &c);
  check(&c, 1, 3);
  assert_int_equal(atomic_load(&c.inner), 50 * (0 + 1 + 2 + 3));
}

typedef struct sums {
  int64_t cell[4];
  int64_t round;
} sums;

/* Not atomic: each loop must have ended, and be seen, before the next begins. */
static void sum_part(void *user, int64_t part) {
  sums *s = user;
  s->cell[part] += s->round;
}

static void many_loops(void *user) {
  sums *s = user;
  for (s->round = 1; s->round <= LOOPS; s->round++) gi_cpu_for(2, 4, sum_part, s);
}

static void test_many_short_loops(void **state) {
  (void)state;
  sums s = {0};
  gi_cpu_together(2, many_loops, &s);
  for (int i = 0; i < 4; i++) assert_int_equal(s.cell[i], (int64_t)LOOPS * (LOOPS + 1) / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_part_once),
      cmocka_unit_test(test_late_threads),
      cmocka_unit_test(test_loops_in_loops),
      cmocka_unit_test(test_many_short_loops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
