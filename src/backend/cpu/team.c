/* team.c - threads that stand by while the steps of a plan run, and loops shared out to them.
 *
 * An OpenMP region for each loop ends in a barrier, where all wait for the last. On a busy
 * machine the last is a thread that has not got a core yet, and those that wait spin, maybe on
 * the core that it could have: a step takes many times as long as on one thread. So one region
 * spans many loops. The caller publishes a loop as tickets, each a run of neighbouring parts;
 * all take tickets, first of their own lane and then of others; the caller waits for tickets
 * that somebody has begun and for no one else. A thread without a core is not missed.
 *
 * The threads are OpenMP's, because oneDNN brings that run-time too and two pools would fight
 * for the cores. Kernels that start threads of their own run between two regions.
 *
 *   lane 0 (the caller)   publish ... take, take, wait | publish ... take, wait | close
 *   lane 1                      wait, take, take, take,  wait,     take,          leave
 *
 * What a loop is (fn, user, parts, grain, count) is written before its tickets are and read
 * after one was taken, and it cannot change as long as that one is not done. A late thread that
 * meets the tickets of a later loop takes one of those: that is as good.
 */
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "backend/cpu/cpu.h"

enum {
  LANES = 64,   /* most threads of a team */
  TICKETS = 16, /* of a lane, about: more would cost more, fewer leave more to wait for */
  SPINS = 2000, /* some 50 microseconds */
  YIELDS = 50   /* then others may have the core; then a thread sleeps */
};
#define CLOSED UINT32_MAX

typedef struct lane {
  _Alignas(64) _Atomic uint64_t tickets; /* next << 32 | end */
} lane;

typedef struct team {
  int lanes;
  bool busy; /* the caller is inside a loop: loops in loops are its own */
  void (*fn)(void *user, int64_t part);
  void *user;
  int64_t parts, grain;               /* grain: parts of a ticket */
  uint32_t count;                     /* tickets */
  _Alignas(64) _Atomic uint32_t loop; /* number of the loop; CLOSED */
  _Alignas(64) _Atomic uint32_t done; /* tickets of this loop */
  _Atomic uint32_t gone;              /* threads that have left */
  _Atomic int sleeping;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  lane lane[LANES];
} team;

static _Thread_local team *mine; /* that this thread is the caller of */
static _Thread_local int lane_number;

int gi_cpu_lane(void) { return lane_number; }

static void pause_core(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- waiting ----------------------------------------------------------------------------- */

/* Returns some time after *word has become another than `from`. */
static void wait_change(team *t, const _Atomic uint32_t *word, uint32_t from) {
  for (int i = 0; i < SPINS + YIELDS; i++) {
    if (atomic_load_explicit(word, memory_order_acquire) != from) return;
    if (i < SPINS)
      pause_core();
    else
      sched_yield();
  }
  pthread_mutex_lock(&t->lock);
  atomic_fetch_add(&t->sleeping, 1);
  while (atomic_load(word) == from) pthread_cond_wait(&t->wake, &t->lock);
  atomic_fetch_sub(&t->sleeping, 1);
  pthread_mutex_unlock(&t->lock);
}

/* After a word has changed. A sleeper counts itself before it looks at the word for the last
 * time, and the word was changed before this looks at the count: one of them sees the other. */
static void tell(team *t) {
  if (atomic_load(&t->sleeping) == 0) return;
  pthread_mutex_lock(&t->lock);
  pthread_cond_broadcast(&t->wake);
  pthread_mutex_unlock(&t->lock);
}

/* ---- loops ------------------------------------------------------------------------------- */

static void run_ticket(team *t, uint32_t ticket) {
  const int64_t first = ticket * t->grain, last = GI_MIN(first + t->grain, t->parts);
  const uint32_t count = t->count;
  for (int64_t i = first; i < last; i++) t->fn(t->user, i);
  if (atomic_fetch_add(&t->done, 1) + 1 == count) tell(t);
}

static void take_tickets(team *t, int own) {
  for (int i = 0; i < t->lanes; i++) {
    _Atomic uint64_t *tickets = &t->lane[(own + i) % t->lanes].tickets;
    uint64_t seen = atomic_load_explicit(tickets, memory_order_acquire);
    while (seen >> 32 < (uint32_t)seen) {
      if (!atomic_compare_exchange_weak(tickets, &seen, seen + ((uint64_t)1 << 32))) continue;
      run_ticket(t, (uint32_t)(seen >> 32));
      seen = atomic_load_explicit(tickets, memory_order_acquire);
    }
  }
}

static void share_out(team *t, int threads, int64_t parts, void (*fn)(void *, int64_t),
                      void *user) {
  t->fn = fn;
  t->user = user;
  t->parts = parts;
  t->grain = GI_MAX(1, parts / ((int64_t)threads * TICKETS));
  t->count = (uint32_t)((parts + t->grain - 1) / t->grain);
  t->busy = true;
  atomic_store_explicit(&t->done, 0, memory_order_relaxed);
  for (int i = 0; i < threads; i++) {
    const uint64_t next = (uint64_t)t->count * (uint64_t)i / (uint64_t)threads;
    const uint64_t end = (uint64_t)t->count * (uint64_t)(i + 1) / (uint64_t)threads;
    atomic_store_explicit(&t->lane[i].tickets, next << 32 | end, memory_order_release);
  }
  atomic_fetch_add(&t->loop, 1);
  tell(t);
  take_tickets(t, 0);
  for (uint32_t done; (done = atomic_load(&t->done)) != t->count;)
    wait_change(t, &t->done, done);
  t->busy = false;
}

/* ---- teams ------------------------------------------------------------------------------- */

static void serve(team *t, int own) {
  lane_number = own;
  for (uint32_t seen = 0;;) {
    wait_change(t, &t->loop, seen);
    seen = atomic_load(&t->loop);
    if (seen == CLOSED) break;
    take_tickets(t, own);
  }
  lane_number = 0;
  atomic_fetch_add(&t->gone, 1);
  tell(t);
}

/* Waits here rather than at the end of the region, where OpenMP would spin for milliseconds. */
static void dismiss(team *t) {
  atomic_store(&t->loop, CLOSED);
  tell(t);
  for (uint32_t gone; (gone = atomic_load(&t->gone)) != (uint32_t)t->lanes - 1;)
    wait_change(t, &t->gone, gone);
}

void gi_cpu_together(int threads, void (*fn)(void *user), void *user) {
  if (threads <= 1 || mine != NULL) {
    fn(user);
    return;
  }
  team t = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
#pragma omp parallel num_threads(GI_MIN(threads, LANES))
  if (omp_get_thread_num() == 0) {
    t.lanes = omp_get_num_threads();
    mine = &t;
    fn(user);
    mine = NULL;
    dismiss(&t);
  } else {
    serve(&t, omp_get_thread_num());
  }
}

typedef struct one_loop {
  int threads;
  int64_t parts;
  void (*fn)(void *user, int64_t part);
  void *user;
} one_loop;

static void run_one(void *user) {
  const one_loop *l = user;
  gi_cpu_for(l->threads, l->parts, l->fn, l->user);
}

void gi_cpu_for(int threads, int64_t parts, void (*fn)(void *user, int64_t part), void *user) {
  one_loop l = {(int)GI_MIN((int64_t)GI_MIN(threads, LANES), parts), parts, fn, user};
  if (mine != NULL) l.threads = mine->busy ? 1 : GI_MIN(l.threads, mine->lanes);
  if (l.threads > 1 && mine != NULL)
    share_out(mine, l.threads, parts, fn, user);
  else if (l.threads > 1)
    gi_cpu_together(l.threads, run_one, &l);
  else
    for (int64_t i = 0; i < parts; i++) fn(user, i);
}
