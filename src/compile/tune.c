/* tune.c - which kernel is the fastest is found out by trying, where the model leaves it open.
 *
 * The kernels that fit a node are prepared for memory of its shapes and run in turns, so that
 * whatever slows the machine down for a while meets them alike; of each counts the best round.
 * Nodes of the same problem are tried once. The longest come first: where the seconds run out,
 * little is lost, and the model has its say about the rest.
 */
#include <math.h>
#include <stdlib.h>

#include "compile/offers.h"

enum { CANDIDATES = 12, ROUNDS = 3, PATTERN = 4096 };

static const double HOPELESS = 8;        /* times slower than the fastest, by the model */
static const double WORTH_TELLING = 0.5; /* seconds spent */
static const double RUN_LEAST = 2e-3;    /* seconds of a round at least, in several runs */
static const size_t MOST_BYTES = (size_t)2 << 30; /* of a problem that is tried */

typedef struct candidate {
  const gi_offer *offer;
  char *key;
  gi_problem problem;
  gi_layout *layouts;
  gi_prepared made;
  bool prepared;
  double best;
} candidate;

typedef struct tuner {
  const gi_offers *o;
  const gi_target *target;
  gi_str setup;
  double end; /* when the time is up */
  int measured;
  unsigned char *memory; /* values, then scratch */
  size_t bytes;
  gi_type *types;
  const void **in;
  void **out;
  candidate at[CANDIDATES];
  int n;
} tuner;

/* ---- what is tried ----------------------------------------------------------------------- */

static double fastest(const gi_node_offers *of) {
  double least = INFINITY;
  for (int i = 0; i < of->n; i++) least = fmin(least, of->at[i].seconds);
  return least;
}

static bool has_a_chance(const gi_node_offers *of, const gi_offer *offer) {
  return gi_worth_measuring(offer->kernel) &&
         (offer->measured || offer->seconds < HOPELESS * fastest(of));
}

/* Is there more than one way, and one of them not measured? Layouts of one kernel are two ways
 * where its model says that they differ. */
static bool is_open(const gi_node_offers *of) {
  const gi_offer *first = NULL;
  int unknown = 0;
  bool differ = false;
  for (int i = 0; i < of->n; i++) {
    const gi_offer *o = &of->at[i];
    if (!has_a_chance(of, o)) continue;
    if (first == NULL) first = o;
    differ |= o->kernel != first->kernel || o->seconds != first->seconds;
    unknown += !o->measured;
  }
  return differ && unknown > 0;
}

static size_t padded(const gi_type *t) { return (gi_type_bytes(t) + 63) / 64 * 64 + 64; }

static glia_status add_candidate(tuner *t, const gi_node *n, const gi_offer *offer) {
  const size_t args = (size_t)n->n_in + (size_t)n->n_out;
  candidate *c = &t->at[t->n];
  gi_str key = {0};
  *c = (candidate){.offer = offer, .best = INFINITY};
  c->layouts = gi_alloc(args * sizeof *c->layouts);
  if (c->layouts == NULL) return gi_fail_nomem(args * sizeof *c->layouts);
  t->n++;
  c->problem = gi_node_problem(t->o->g, n, t->target->threads, t->types, c->layouts);
  c->problem.known = t->in;
  gi_kernel_layouts(offer->kernel, &c->problem, offer->choice, c->layouts,
                    c->layouts + n->n_in);
  gi_time_key(offer->kernel, &c->problem, t->setup.s, &key);
  c->key = gi_str_take(&key);
  return c->key != NULL ? GLIA_OK : gi_fail_nomem(GI_TIMES_KEY);
}

static void drop_candidates(tuner *t) {
  for (int i = 0; i < t->n; i++) {
    const candidate *c = &t->at[i];
    if (c->prepared && c->offer->kernel->release != NULL)
      c->offer->kernel->release(c->made.state);
    gi_free(c->key);
    gi_free(c->layouts);
  }
  t->n = 0;
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Without memory a problem is not tried: the model will do. */
static bool take_memory(tuner *t, size_t bytes) {
  if (bytes <= t->bytes) return true;
  gi_free_aligned(t->memory);
  t->memory = bytes <= MOST_BYTES ? gi_alloc_aligned(bytes) : NULL;
  t->bytes = t->memory != NULL ? bytes : 0;
  return t->memory != NULL;
}

/* Numbers between 0.25 and 1.25, so that no arithmetic is slower than usual; integers are 0,
 * which every index may be. */
static void fill(const gi_type *type, unsigned char *to) {
  unsigned char pattern[PATTERN] = {0};
  const size_t size = glia_dtype_size(type->dtype), bytes = gi_type_bytes(type);
  for (size_t i = 0; i < PATTERN / size; i++)
    gi_store(type->dtype, pattern, (int64_t)i,
             glia_dtype_is_float(type->dtype) ? 0.25 + (double)(i * 37 % 101) / 101 : 0);
  for (size_t at = 0; at < bytes; at += PATTERN)
    memcpy(to + at, pattern, GI_MIN((size_t)PATTERN, bytes - at));
}

/* Values one behind the other; returns where the scratch begins. */
static size_t place(tuner *t, const gi_node *n, bool filled) {
  size_t at = 0;
  for (int i = 0; i < n->n_in + n->n_out; i++) {
    if (i < n->n_in)
      t->in[i] = filled ? t->memory + at : NULL;
    else
      t->out[i - n->n_in] = filled ? t->memory + at : NULL;
    if (filled && i < n->n_in) fill(&t->types[i], t->memory + at);
    at += padded(&t->types[i]);
  }
  return at;
}

/* ---- trying ------------------------------------------------------------------------------ */

/* Median of three, each of so many runs that the clock is fine enough. */
static glia_status time_round(const candidate *c, const gi_exec *x, double *out) {
  const gi_kernel *k = c->offer->kernel;
  double times[3];
  int runs = 1;
  for (int i = 0; i < 3; i++) {
    const double began = gi_now();
    for (int r = 0; r < runs; r++) GI_TRY(k->run(x));
    times[i] = (gi_now() - began) / runs;
    if (times[i] > 10 * RUN_LEAST) { /* long enough to be sure of */
      *out = times[i];
      return GLIA_OK;
    }
    if (i == 0 && times[0] < RUN_LEAST) {
      runs = (int)fmin(1000, RUN_LEAST / 3 / fmax(times[0], 1e-7)) + 1;
    }
  }
  *out = fmax(fmin(times[0], times[1]), fmin(fmax(times[0], times[1]), times[2]));
  return GLIA_OK;
}

/* A kernel that turns out not to be there after all gets a time that nobody picks. */
static glia_status prepare(candidate *c) {
  const glia_status s = c->offer->kernel->prepare(&c->problem, &c->made);
  c->prepared = s == GLIA_OK;
  if (s == GLIA_UNSUPPORTED) c->best = 1e4;
  return s == GLIA_UNSUPPORTED ? GLIA_OK : s;
}

static glia_status race(tuner *t, size_t scratch_at) {
  const gi_clock clock = {1, 1};
  double best = INFINITY;
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < t->n; i++) {
      candidate *c = &t->at[i];
      double seconds = 0;
      if (!c->prepared || (round > 0 && c->best > 1.5 * best))
        continue; /* it will not win any more */
      const gi_exec x = {c->made.state, t->in, t->out, t->memory + scratch_at, &clock};
      if (round == 0) GI_TRY(c->offer->kernel->run(&x)); /* memory and caches are warm then */
      GI_TRY(time_round(c, &x, &seconds));
      c->best = fmin(c->best, seconds);
      best = fmin(best, c->best);
    }
  return GLIA_OK;
}

static glia_status try_candidates(tuner *t, const gi_node *n) {
  size_t scratch = 0;
  if (!take_memory(t, place(t, n, false))) return GLIA_OK;
  size_t values = place(t, n, true);
  for (int i = 0; i < n->n_in; i++) /* known while a kernel is prepared, and read by all */
    if (!t->o->fixed[n->in[i]]) t->in[i] = NULL;
  for (int i = 0; i < t->n; i++) {
    GI_TRY(prepare(&t->at[i]));
    if (t->at[i].prepared) scratch = GI_MAX(scratch, t->at[i].made.scratch);
  }
  if (!take_memory(t, values + scratch)) return GLIA_OK;
  values = place(t, n, true);
  GI_TRY(race(t, values));
  for (int i = 0; i < t->n; i++)
    if (isfinite(t->at[i].best)) {
      GI_TRY(gi_times_add(t->target->times, t->at[i].key, t->at[i].best));
      t->measured++;
    }
  return GLIA_OK;
}

static glia_status tune_node(tuner *t, uint32_t k) {
  const gi_node *n = t->o->g->nodes.at[k];
  const gi_node_offers *of = &t->o->node[k];
  const size_t args = (size_t)n->n_in + (size_t)n->n_out;
  glia_status s = GLIA_OK;
  t->types = gi_alloc(args * sizeof *t->types);
  t->in = gi_alloc(args * sizeof *t->in);
  t->out = gi_alloc(args * sizeof *t->out);
  if (t->types == NULL || t->in == NULL || t->out == NULL)
    s = gi_fail_nomem(args * sizeof *t->types);
  for (int i = 0; i < n->n_in && s == GLIA_OK; i++)
    t->in[i] = t->o->fixed[n->in[i]] ? "" : NULL; /* for the key */
  for (int i = 0; i < of->n && t->n < CANDIDATES && s == GLIA_OK; i++)
    if (has_a_chance(of, &of->at[i])) s = add_candidate(t, n, &of->at[i]);
  bool known = true; /* tried for another node of the same problem */
  for (int i = 0; i < t->n && s == GLIA_OK; i++)
    known = known && gi_times_get(t->target->times, t->at[i].key) > 0;
  if (s == GLIA_OK && !known) s = try_candidates(t, n);
  drop_candidates(t);
  gi_free(t->types);
  gi_free(t->in);
  gi_free(t->out);
  return s;
}

/* ---- all nodes --------------------------------------------------------------------------- */

typedef struct task {
  uint32_t node;
  double seconds;
} task;

static int longest_first(const void *a, const void *b) {
  const task *x = a, *y = b;
  if (x->seconds != y->seconds) return x->seconds > y->seconds ? -1 : 1;
  return x->node < y->node ? -1 : 1;
}

static glia_status tune_all(tuner *t, task *tasks) {
  int n = 0, left = 0;
  glia_status s = GLIA_OK;
  for (uint32_t k = 0; k < t->o->g->nodes.n; k++)
    if (is_open(&t->o->node[k]) && !t->o->fixed[t->o->g->nodes.at[k]->out])
      tasks[n++] = (task){k, fastest(&t->o->node[k])};
  qsort(tasks, (size_t)n, sizeof *tasks, longest_first);
  const double began = gi_now();
  for (int i = 0; i < n && s == GLIA_OK; i++) {
    if (gi_now() < t->end)
      s = tune_node(t, tasks[i].node);
    else
      left++;
  }
  const double seconds = gi_now() - began;
  if (s == GLIA_OK && t->measured > 0)
    gi_log(seconds < WORTH_TELLING ? GLIA_LOG_DEBUG : GLIA_LOG_INFO,
           "timed %d kernels in %.1f s%s", t->measured, seconds,
           left > 0 ? "; the time was up, the rest is modelled" : "");
  return s;
}

glia_status gi_offers_tune(const gi_offers *o, const gi_target *target, int *measured) {
  tuner *t = gi_alloc(sizeof *t);
  task *tasks = gi_alloc((o->g->nodes.n + 1) * sizeof *tasks);
  glia_status s = t == NULL || tasks == NULL ? gi_fail_nomem(sizeof *t) : GLIA_OK;
  if (s == GLIA_OK) {
    *t = (tuner){.o = o, .target = target, .end = gi_now() + target->tune};
    gi_setup_text(target->backend, target->threads, &t->setup);
    s = t->setup.failed ? gi_fail_nomem(1) : tune_all(t, tasks);
    *measured = t->measured;
    gi_str_free(&t->setup);
    gi_free_aligned(t->memory);
  }
  gi_free(t);
  gi_free(tasks);
  return s;
}
