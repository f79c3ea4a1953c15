/* Threads: a small queue between producers and one consumer; the clock; resident memory. */
#include "test.h"

enum { PRODUCERS = 4, EACH = 500, SLOTS = 3 };

typedef struct queue {
  gi_mutex *lock;
  gi_cond *changed;
  int slot[SLOTS];
  int filled, made;
} queue;

static void produce(void *user) {
  queue *q = user;
  for (int i = 0; i < EACH; i++) {
    gi_lock(q->lock);
    while (q->filled == SLOTS) gi_wait(q->changed, q->lock);
    q->slot[q->filled++] = ++q->made;
    gi_wake_all(q->changed);
    gi_unlock(q->lock);
  }
}

static void queue_passes_everything_on(void **state) {
  (void)state;
  queue q = {0};
  gi_thread *thread[PRODUCERS];
  OK(gi_mutex_new(&q.lock));
  OK(gi_cond_new(&q.changed));
  for (int i = 0; i < PRODUCERS; i++) OK(gi_thread_new(produce, &q, &thread[i]));
  long sum = 0;
  for (int got = 0; got < PRODUCERS * EACH; got++) {
    gi_lock(q.lock);
    while (q.filled == 0) gi_wait(q.changed, q.lock);
    sum += q.slot[--q.filled];
    gi_wake_all(q.changed);
    gi_unlock(q.lock);
  }
  for (int i = 0; i < PRODUCERS; i++) gi_thread_join(thread[i]);
  const long n = PRODUCERS * EACH;
  assert_int_equal(sum, n * (n + 1) / 2);
  gi_cond_free(q.changed);
  gi_mutex_free(q.lock);
}

static void no_memory(void **state) {
  (void)state;
  gi_mutex *m = NULL;
  gi_cond *c = NULL;
  gi_thread *t = NULL;
  gi_alloc_fail_after(1);
  FAILS(gi_mutex_new(&m), GLIA_NOMEM, "out of memory");
  gi_alloc_fail_after(1);
  FAILS(gi_cond_new(&c), GLIA_NOMEM, "out of memory");
  gi_alloc_fail_after(1);
  FAILS(gi_thread_new(produce, NULL, &t), GLIA_NOMEM, "out of memory");
  assert_true(m == NULL && c == NULL && t == NULL);
  gi_mutex_free(NULL);
  gi_cond_free(NULL);
  gi_thread_join(NULL);
}

static void clock_goes_forward(void **state) {
  (void)state;
  const double a = gi_now();
  usleep(2000);
  const double b = gi_now();
  assert_true(b - a >= 0.002 && b - a < 60);
}

static void resident_memory_is_seen(void **state) {
  (void)state;
  const size_t bytes = (size_t)32 << 20, before = gi_rss();
  assert_true(before > 0);
  char *p = gi_alloc_aligned(bytes);
  assert_non_null(p);
  memset(p, 1, bytes);
  assert_true(p[bytes / 2] == 1);
  assert_true(gi_rss() >= before + bytes / 2);
  assert_true(gi_peak_rss() >= before + bytes / 2);
  gi_free_aligned(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(queue_passes_everything_on),
      cmocka_unit_test(no_memory),
      cmocka_unit_test(clock_goes_forward),
      cmocka_unit_test(resident_memory_is_seen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
