/* compile.c - from a graph and options to a plan: backend, threads, what was measured on this
 * machine, then passes and plan.
 */
#include "compile/plan.h"

#ifdef _OPENMP
#include <omp.h>
#endif

static glia_status find_target(const glia_compile_opts *o, gi_target *target) {
  GI_TRY(gi_backend_find(o->backend, &target->backend));
  target->threads = GI_MAX(o->threads, 1);
  target->fixed = o->fixed;
  target->deterministic = o->deterministic;
  target->exact = o->exact_conv;
  target->precision = o->precision;
  if (o->precision != GLIA_F32 && o->precision != GLIA_BF16)
    return gi_fail(GLIA_INVALID, "precision: is %s, wanted f32 or bf16",
                   glia_dtype_name(o->precision));
  target->tune = o->deterministic ? 0 : o->tune;
  target->choices = o->choices;
#ifdef _OPENMP
  if (o->threads <= 0) target->threads = omp_get_max_threads();
#endif
  return GLIA_OK;
}

/* Nothing that was measured has a say in a deterministic plan, nor has the number of threads:
 * the model is that of one. The plan tells of measured limits all the same. */
static glia_status load_times(const glia_graph *g, gi_target *target, gi_times *times,
                              const char *path) {
  if (path != NULL) GI_TRY(gi_times_load(times, path));
  target->times = target->deterministic ? NULL : times;
  GI_TRY(gi_worth_threads(g, target, &target->threads));
  const gi_limits limits = gi_times_limits(times, target->backend, target->threads, NULL);
  target->limits =
      target->deterministic ? gi_times_limits(NULL, target->backend, 1, NULL) : limits;
  return GLIA_OK;
}

/* Times that cannot be kept are measured again by the next process: no reason to fail. */
static void save_times(gi_times *times, const char *path) {
  bool fresh = false;
  for (size_t i = 0; i < times->rows.n; i++) fresh |= times->rows.at[i].fresh;
  if (fresh && path != NULL && gi_times_save(times, path) != GLIA_OK)
    gi_log(GLIA_LOG_WARN, "%s; times of kernels are not kept", glia_error_message());
}

/* ---- memory limits ----------------------------------------------------------------------- */

static glia_status too_large(const glia_plan *p, size_t least, int64_t limit) {
  return gi_fail(
      GLIA_NOMEM,
      "memory limit: a step works in %zu bytes, in %zu at least if values are computed "
      "a second time; the limit is %lld; hint: a smaller batch",
      glia_plan_bytes(p), least, (long long)limit);
}

/* The plan again, with values computed a second time, so that it works in `limit` bytes. What
 * lives at a moment is less than what the arena takes, by gaps between buffers: the aim is
 * lowered until the plan fits. */
static glia_status keep_limit(glia_plan **p, const char *watch, int64_t limit) {
  const size_t most = (size_t)limit;
  size_t aim = most, least = glia_plan_bytes(*p);
  for (int round = 0; round < 8 && least > most; round++) {
    glia_graph *smaller = NULL;
    glia_plan *other = NULL;
    gi_recomputed done;
    aim -= GI_MIN(aim, round == 0 ? (*p)->scratch : GI_MAX(least - most, aim / 32));
    GI_TRY(glia_graph_new(&smaller));
    glia_status s = gi_recompute((*p)->graph, (*p)->watched, aim, smaller, &done);
    if (s != GLIA_OK) glia_graph_free(smaller);
    GI_TRY(s);
    GI_TRY(gi_plan_new(smaller, &(*p)->target, watch, &other));
    other->recomputed = done;
    const size_t bytes = glia_plan_bytes(other);
    if (bytes > most) {
      least = GI_MIN(least, bytes);
      glia_plan_free(other);
      continue;
    }
    glia_plan_free(*p);
    *p = other;
    return GLIA_OK;
  }
  return least > most ? too_large(*p, least, limit) : GLIA_OK;
}

/* ---- compiling --------------------------------------------------------------------------- */

static glia_status make_plan(glia_graph *g, const glia_compile_opts *o, const gi_target *target,
                             gi_str *text, glia_plan **out) {
  glia_graph *compiled = NULL;
  GI_TRY(gi_run_passes(g, target, o->skip, o->dump, text, &compiled));
  GI_TRY(gi_plan_new(compiled, target, o->watch, out));
  return o->memory_limit > 0 ? keep_limit(out, o->watch, o->memory_limit) : GLIA_OK;
}

static glia_status compile_for(glia_graph *g, const glia_compile_opts *o,
                               const gi_target *target, gi_times *times, glia_plan **out) {
  gi_str text = {0};
  glia_plan *p = NULL;
  const glia_status s = make_plan(g, o, target, &text, &p);
  if (s == GLIA_OK) {
    p->clock.seed = o->seed;
    p->dump = gi_str_take(&text);
    p->times = *times; /* it lives as long as the plan, which tells of it */
    if (target->times != NULL) p->target.times = &p->times;
    *times = (gi_times){.rows = {.n = 0}};
    *out = p;
  } else {
    glia_plan_free(p);
  }
  gi_str_free(&text);
  return s;
}

glia_status gi_compile(glia_graph *g, const glia_compile_opts *opt, glia_plan **out) {
  glia_compile_opts o;
  gi_target target = {0};
  gi_times times = {.rows = {.n = 0}};
  gi_opts(&o, sizeof o, opt);
  GI_TRY(glia_graph_status(g));
  GI_TRY(find_target(&o, &target));
  char *path = gi_times_path();
  glia_status s = load_times(g, &target, &times, path);
  if (s == GLIA_OK) s = compile_for(g, &o, &target, &times, out);
  if (s == GLIA_OK && target.tune > 0) save_times(&(*out)->times, path);
  if (s == GLIA_OK) gi_times_keep_asked(&(*out)->times); /* the cache holds many more */
  gi_times_free(&times);
  gi_free(path);
  return s;
}

glia_status glia_compile_opt(glia_graph *g, const glia_compile_opts *opt, glia_plan **out) {
  glia_plan *p = NULL;
  GI_TRY(gi_compile(g, opt, &p));
  p->own_arena = gi_alloc_aligned(glia_plan_bytes(p) + 64);
  const glia_status s = p->own_arena == NULL ? gi_fail_nomem(glia_plan_bytes(p))
                                             : gi_plan_attach(p, p->own_arena);
  if (s != GLIA_OK) {
    glia_plan_free(p);
    return s;
  }
  *out = p;
  return GLIA_OK;
}
