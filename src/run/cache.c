/* cache.c - the bounded cache of plans, and the arena that they share. */
#include "run/cache.h"

enum { MAX_INPUTS = 8, DEFAULT_LIMIT = 8 };

typedef struct entry {
  int mode, n;
  gi_type inputs[MAX_INPUTS];
  glia_plan *plan;
  uint64_t used; /* when */
} entry;

struct gi_cache {
  glia_compile_opts opts;
  gi_trace trace;
  void *user;
  int limit;
  GI_VEC(entry) entries;
  uint64_t now;
  void *arena;
  size_t bytes;
};

glia_status gi_cache_new(const glia_compile_opts *opts, int limit, gi_trace trace, void *user,
                         gi_cache **out) {
  gi_cache *c = gi_alloc(sizeof *c);
  if (c == NULL) return gi_fail_nomem(sizeof *c);
  gi_opts(&c->opts, sizeof c->opts, opts);
  c->opts.size = sizeof c->opts;
  c->limit = limit > 0 ? limit : DEFAULT_LIMIT;
  c->trace = trace;
  c->user = user;
  *out = c;
  return GLIA_OK;
}

void gi_cache_clear(gi_cache *c) {
  for (size_t i = 0; i < c->entries.n; i++) glia_plan_free(c->entries.at[i].plan);
  c->entries.n = 0;
}

void gi_cache_free(gi_cache *c) {
  if (c == NULL) return;
  gi_cache_clear(c);
  gi_vec_free(&c->entries);
  gi_free_aligned(c->arena);
  gi_free(c);
}

size_t gi_cache_bytes(const gi_cache *c) { return c->bytes; }
int gi_cache_count(const gi_cache *c) { return (int)c->entries.n; }

static bool matches(const entry *e, int mode, const gi_type *inputs, int n) {
  if (e->mode != mode || e->n != n) return false;
  for (int i = 0; i < n; i++)
    if (!gi_type_equal(&e->inputs[i], &inputs[i])) return false;
  return true;
}

/* The arena grows to what the largest plan wants; all plans are then moved over to the new one.
 * Where that fails none is left, since they would work in the old one. */
static glia_status grow_arena(gi_cache *c, size_t bytes) {
  if (bytes <= c->bytes) return GLIA_OK;
  gi_free_aligned(c->arena); /* nothing in it outlives a step */
  c->arena = gi_alloc_aligned(bytes);
  c->bytes = c->arena != NULL ? bytes : 0;
  glia_status s = c->arena == NULL ? gi_fail_nomem(bytes) : GLIA_OK;
  for (size_t i = 0; i < c->entries.n && s == GLIA_OK; i++)
    s = gi_plan_attach(c->entries.at[i].plan, c->arena);
  if (s != GLIA_OK) gi_cache_clear(c);
  return s;
}

static void make_room(gi_cache *c) {
  if ((int)c->entries.n < c->limit) return;
  size_t oldest = 0;
  for (size_t i = 1; i < c->entries.n; i++)
    if (c->entries.at[i].used < c->entries.at[oldest].used) oldest = i;
  glia_plan_free(c->entries.at[oldest].plan);
  c->entries.at[oldest] = c->entries.at[--c->entries.n];
}

static glia_status make_plan(gi_cache *c, int mode, const gi_type *inputs, int n,
                             const char *watch, glia_plan **out) {
  glia_graph *g = NULL;
  GI_TRY(glia_graph_new(&g));
  c->trace(g, mode, inputs, n, c->user);
  glia_compile_opts o = c->opts;
  o.watch = watch;
  const glia_status s = gi_compile(g, &o, out);
  glia_graph_free(g);
  return s;
}

glia_status gi_cache_get(gi_cache *c, int mode, const gi_type *inputs, int n, const char *watch,
                         glia_plan **out) {
  for (size_t i = 0; i < c->entries.n; i++) {
    entry *e = &c->entries.at[i];
    if (!matches(e, mode, inputs, n)) continue;
    e->used = ++c->now;
    *out = e->plan;
    return GLIA_OK;
  }
  if (n > MAX_INPUTS)
    return gi_fail(GLIA_INVALID, "plans: %d inputs, at most %d", n, MAX_INPUTS);
  entry e = {.mode = mode, .n = n, .used = ++c->now};
  memcpy(e.inputs, inputs, (size_t)n * sizeof *inputs);
  GI_TRY(make_plan(c, mode, inputs, n, watch, &e.plan));
  make_room(c);
  glia_status s = grow_arena(c, glia_plan_bytes(e.plan) + 64);
  if (s == GLIA_OK) s = gi_plan_attach(e.plan, c->arena);
  if (s == GLIA_OK && !gi_vec_push(&c->entries, e)) s = gi_fail_nomem(sizeof e);
  if (s != GLIA_OK) {
    glia_plan_free(e.plan);
    return s;
  }
  *out = e.plan;
  return GLIA_OK;
}
