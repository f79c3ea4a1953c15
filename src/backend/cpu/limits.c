/* limits.c - how much arithmetic and memory traffic this machine gives: assumed, and measured.
 *
 * Measured is the best of several tries, since neighbours on a machine only ever take away.
 */
#include "backend/cpu/limits.h"

#include "backend/cpu/cpu.h"
#include "backend/cpu/dnnl.h"

enum { TRIES = 8 };

/* A core of these years: two vector multiply-adds a cycle at 3 GHz, 15 GB/s for the first
 * threads and the whole memory's 40 GB/s for many. */
gi_limits gi_cpu_limits(int threads) {
  const gi_isa *isa = gi_cpu_isa();
  const double cycle = isa == &gi_isa_base ? 1 : 2; /* the baseline has no multiply-add */
  return (gi_limits){.flops = 3e9 * 2 * cycle * isa->lanes * threads,
                     .bytes = GI_MIN(15e9 * threads, 40e9)};
}

typedef struct trial {
  const gi_limit_loops *loops;
  int threads;
  int64_t rounds, n;
  float *to, *a, *b, result;
} trial;

static void arithmetic_part(void *user, int64_t part) {
  trial *t = user;
  const float r = t->loops->arithmetic(t->rounds);
  if (part == 0) t->result = r;
}

static void traffic_part(void *user, int64_t part) {
  const trial *t = user;
  const int64_t first = t->n * part / t->threads, last = t->n * (part + 1) / t->threads;
  t->loops->traffic(t->to + first, t->a + first, t->b + first, last - first);
}

static double time_parts(trial *t, void (*fn)(void *user, int64_t part)) {
  const double began = gi_now();
  gi_cpu_for(t->threads, t->threads, fn, t);
  return gi_now() - began;
}

/* Rounds are doubled until one try is long enough to be measured, `least` seconds. */
static double measure_flops(trial *t, double least) {
  double best = 0;
  t->rounds = 1 << 12;
  while (time_parts(t, arithmetic_part) < least && t->rounds < INT64_MAX / 4) t->rounds *= 2;
  for (int i = 0; i < TRIES; i++) {
    const double seconds = time_parts(t, arithmetic_part);
    best = GI_MAX(best, (double)(t->rounds * t->loops->round_flops) * t->threads / seconds);
  }
  return best;
}

static double measure_bytes(trial *t) {
  double best = 0;
  time_parts(t, traffic_part); /* memory is mapped where it is touched first */
  for (int i = 0; i < TRIES; i++) {
    const double seconds = time_parts(t, traffic_part);
    best = GI_MAX(best, 3.0 * (double)t->n * sizeof(float) / seconds);
  }
  return best;
}

glia_status gi_cpu_measure(int threads, gi_limits *out) {
  const size_t bytes = (size_t)64 << 20; /* of each stream: more than caches hold */
  trial t = {.loops = gi_cpu_isa()->limits,
             .threads = threads,
             .n = (int64_t)(bytes / sizeof(float)),
             .to = gi_alloc_aligned(bytes),
             .a = gi_alloc_aligned(bytes),
             .b = gi_alloc_aligned(bytes)};
  glia_status s = t.to != NULL && t.a != NULL && t.b != NULL ? GLIA_OK : gi_fail_nomem(bytes);
  if (s == GLIA_OK)
    *out = (gi_limits){.flops = measure_flops(&t, 0.02), .bytes = measure_bytes(&t)};
  if (s == GLIA_OK && !(t.result > 0))
    s = gi_fail(GLIA_DEVICE, "limits: arithmetic went wrong");
  gi_free_aligned(t.to);
  gi_free_aligned(t.a);
  gi_free_aligned(t.b);
  return s;
}

void gi_cpu_setup(gi_str *out) {
  gi_str_printf(out, "cpu %s, oneDNN ", gi_cpu_isa()->name);
  gi_dnnl_setup(out);
}
