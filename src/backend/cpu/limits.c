/* limits.c - how much arithmetic and memory traffic this machine gives: assumed, and measured.
 *
 * Measured is the best of many tries, since neighbours on a machine only ever take away; tries
 * are so short that some meet nobody. Memory is gone through slice by slice, each of them
 * timed: until a slice comes round again, caches have lost it.
 */
#include "backend/cpu/limits.h"

#include "backend/cpu/cpu.h"
#include "backend/cpu/dnnl.h"

enum { TRIES = 100, ROUNDS = 12, SLICES = 4, STARTS = 500 };

static const double TRY_SECONDS = 2e-3; /* of arithmetic */

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
  int64_t rounds;           /* of arithmetic */
  int64_t n, slice;         /* elements of a slice of each stream, and its number */
  float *to, *a, *b, *from; /* from: one of them, read alone */
  float result;
  gi_limits found;
} trial;

typedef void (*part_fn)(void *user, int64_t part);

/* ---- what is timed: one part for each thread --------------------------------------------- */

static int64_t first_of(const trial *t, int64_t part) {
  return t->slice * t->n + t->n * part / t->threads;
}

static void nothing_part(void *user, int64_t part) { (void)user, (void)part; }

/* Memory that was never written is one page of zeros, however long it is. */
static void fill_part(void *user, int64_t part) {
  const trial *t = user;
  for (int64_t i = first_of(t, part); i < first_of(t, part + 1); i++) t->a[i] = t->b[i] = 1;
}

static void arithmetic_part(void *user, int64_t part) {
  trial *t = user;
  const float r = t->loops->arithmetic(t->rounds);
  if (part == 0) t->result = r;
}

static void traffic_part(void *user, int64_t part) {
  const trial *t = user;
  const int64_t first = first_of(t, part);
  t->loops->traffic(t->to + first, t->a + first, t->b + first, first_of(t, part + 1) - first);
}

static void copy_part(void *user, int64_t part) {
  const trial *t = user;
  const int64_t first = first_of(t, part);
  const int64_t n = first_of(t, part + 1) - first;
  memcpy(t->to + first, t->a + first, (size_t)n * sizeof *t->a);
}

static void read_part(void *user, int64_t part) {
  trial *t = user;
  const int64_t first = first_of(t, part);
  const float sum = t->loops->read(t->from + first, first_of(t, part + 1) - first);
  if (part == 0) t->result += sum * 0;
}

/* ---- measuring --------------------------------------------------------------------------- */

static double time_parts(trial *t, part_fn fn) {
  const double began = gi_now();
  gi_cpu_for(t->threads, t->threads, fn, t);
  return gi_now() - began;
}

static double shortest(trial *t, part_fn fn) {
  double best = time_parts(t, fn);
  for (int i = 1; i < TRIES; i++) best = GI_MIN(best, time_parts(t, fn));
  return best;
}

/* Of one slice. */
static double shortest_slice(trial *t, part_fn fn, int rounds) {
  double best = 1e9;
  for (int i = 0; i < rounds; i++)
    for (t->slice = 0; t->slice < SLICES; t->slice++) best = GI_MIN(best, time_parts(t, fn));
  t->slice = 0;
  return best;
}

/* All streams in turn: one alone might lie in caches in part. */
static double shortest_read(trial *t) {
  float *const streams[] = {t->to, t->a, t->b};
  double best = 1e9;
  for (int i = 0; i < ROUNDS * 3; i++) {
    t->from = streams[i % 3];
    best = GI_MIN(best, shortest_slice(t, read_part, 1));
  }
  return best;
}

/* Rounds are doubled until one try is long enough to be measured. */
static double measure_flops(trial *t) {
  t->rounds = 1 << 12;
  while (time_parts(t, arithmetic_part) < TRY_SECONDS && t->rounds < INT64_MAX / 4)
    t->rounds *= 2;
  return (double)(t->rounds * t->loops->round_flops) * t->threads /
         shortest(t, arithmetic_part);
}

static double measure_start(trial *t) {
  double best = 1;
  for (int i = 0; i < TRIES; i++) {
    const double began = gi_now();
    for (int k = 0; k < STARTS; k++) gi_cpu_for(t->threads, t->threads, nothing_part, t);
    best = GI_MIN(best, (gi_now() - began) / STARTS);
  }
  return best;
}

/* While threads stand by, as they do for the steps of a plan. */
static void measure(void *user) {
  trial *t = user;
  const double stream = (double)t->n * sizeof(float);
  shortest_slice(t, fill_part, 1);
  shortest_slice(t, traffic_part, 1); /* memory is mapped where it is touched first */
  t->found = (gi_limits){.flops = measure_flops(t),
                         .bytes = 3 * stream / shortest_slice(t, traffic_part, ROUNDS),
                         .copy = 2 * stream / shortest_slice(t, copy_part, ROUNDS),
                         .read = stream / shortest_read(t),
                         .start = measure_start(t)};
}

/* Of each stream: more than caches hold, all of a processor's, of which the system tells one.
 */
static size_t stream_bytes(void) {
  const size_t least = (size_t)64 << 20, most = (size_t)512 << 20;
  gi_machine m;
  gi_machine_look(&m);
  const int64_t wanted = GI_MIN(2 * m.cache[2], m.free / 8);
  return wanted > (int64_t)least ? GI_MIN((size_t)wanted, most) : least;
}

glia_status gi_cpu_measure(int threads, gi_limits *out) {
  const size_t bytes = stream_bytes();
  trial t = {.loops = gi_cpu_isa()->limits,
             .threads = threads,
             .n = (int64_t)(bytes / sizeof(float) / SLICES),
             .to = gi_alloc_aligned(bytes),
             .a = gi_alloc_aligned(bytes),
             .b = gi_alloc_aligned(bytes)};
  glia_status s = t.to != NULL && t.a != NULL && t.b != NULL ? GLIA_OK : gi_fail_nomem(bytes);
  if (s == GLIA_OK) gi_cpu_together(threads, measure, &t);
  *out = t.found;
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
