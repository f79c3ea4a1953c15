/* base/thread.c - POSIX threads behind four small types, the clock and the process' memory.
 *
 * Locking cannot fail on a mutex that is used as it should be, so those calls return nothing;
 * making one can, and says so.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

struct gi_mutex {
  pthread_mutex_t lock;
};
struct gi_cond {
  pthread_cond_t cond;
};
struct gi_thread {
  pthread_t id;
  void (*fn)(void *user);
  void *user;
};

glia_status gi_mutex_new(gi_mutex **out) {
  gi_mutex *m = gi_alloc(sizeof *m);
  if (m == NULL) return gi_fail_nomem(sizeof *m);
  if (pthread_mutex_init(&m->lock, NULL) != 0) {
    gi_free(m);
    return gi_fail(GLIA_NOMEM, "mutex: the system has no more to give");
  }
  *out = m;
  return GLIA_OK;
}

void gi_mutex_free(gi_mutex *m) {
  if (m == NULL) return;
  pthread_mutex_destroy(&m->lock);
  gi_free(m);
}

void gi_lock(gi_mutex *m) { pthread_mutex_lock(&m->lock); }

void gi_unlock(gi_mutex *m) { pthread_mutex_unlock(&m->lock); }

glia_status gi_cond_new(gi_cond **out) {
  gi_cond *c = gi_alloc(sizeof *c);
  if (c == NULL) return gi_fail_nomem(sizeof *c);
  if (pthread_cond_init(&c->cond, NULL) != 0) {
    gi_free(c);
    return gi_fail(GLIA_NOMEM, "condition variable: the system has no more to give");
  }
  *out = c;
  return GLIA_OK;
}

void gi_cond_free(gi_cond *c) {
  if (c == NULL) return;
  pthread_cond_destroy(&c->cond);
  gi_free(c);
}

void gi_wait(gi_cond *c, gi_mutex *m) { pthread_cond_wait(&c->cond, &m->lock); }

void gi_wake_all(gi_cond *c) { pthread_cond_broadcast(&c->cond); }

static void *thread_main(void *user) {
  gi_thread *t = user;
  t->fn(t->user);
  return NULL;
}

/* Signals are blocked in the new thread, so that an interrupt is always taken by a thread of
 * the program's own. */
glia_status gi_thread_new(void (*fn)(void *user), void *user, gi_thread **out) {
  gi_thread *t = gi_alloc(sizeof *t);
  if (t == NULL) return gi_fail_nomem(sizeof *t);
  t->fn = fn;
  t->user = user;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  const int err = pthread_create(&t->id, NULL, thread_main, t);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (err != 0) {
    gi_free(t);
    return gi_fail(GLIA_NOMEM, "thread: cannot be started: %s; hint: use fewer workers",
                   strerror(err));
  }
  *out = t;
  return GLIA_OK;
}

void gi_thread_join(gi_thread *t) {
  if (t == NULL) return;
  pthread_join(t->id, NULL);
  gi_free(t);
}

/* On Linux priorities are a thread's own, and 0 is the one that calls. Where it is refused,
 * nothing is lost but the order. */
void gi_thread_give_way(void) {
#ifdef __linux__
  (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 5);
#endif
}

double gi_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

size_t gi_peak_rss(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return (size_t)usage.ru_maxrss * 1024; /* Linux counts in KiB */
}

/* Number n (from 0) of /proc/self/statm as bytes: all, resident, resident of files; pages. */
static size_t pages_of(int n) {
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL) return 0;
  unsigned long long pages[3] = {0, 0, 0};
  const int got = fscanf(f, "%llu %llu %llu", &pages[0], &pages[1], &pages[2]);
  fclose(f);
  const long page = sysconf(_SC_PAGESIZE);
  return got == 3 && page > 0 ? (size_t)pages[n] * (size_t)page : 0;
}

size_t gi_rss(void) { return pages_of(1); }

size_t gi_rss_of_files(void) { return pages_of(2); }
