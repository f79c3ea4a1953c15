/* workload.c - opening and stepping through a workload, as users would: a model through a
 * learner, a step of its own as a compiled plan.
 */
#include "workload.h"

#include <stdlib.h>

#include "graph/store.h"
#include "measure.h"
#include "train/learner.h"

const workload *workload_at(int i) {
  for (int list = 0; gi_workloads_table[list] != NULL; list++)
    for (int k = 0; gi_workloads_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_workloads_table[list][k];
  return NULL;
}

const workload *workload_find(const char *name) {
  for (int i = 0; workload_at(i) != NULL; i++)
    if (strcmp(workload_at(i)->name, name) == 0) return workload_at(i);
  fprintf(stderr, "there is no workload \"%s\"; bench_train --list names them\n", name);
  return NULL;
}

/* ---- data -------------------------------------------------------------------------------- */

static void fill_whole(glia_tensor *t, uint64_t stream, int k, int64_t below) {
  const gi_rng numbers = {1, stream, (uint64_t)k};
  for (int64_t i = 0; i < glia_tensor_count(t); i++)
    glia_tensor_set(t, i, (double)gi_rng_below(&numbers, (uint64_t)i, (uint64_t)below));
}

static void fill_normal(glia_tensor *t, uint64_t stream, int k) {
  const gi_rng numbers = {1, stream, (uint64_t)k};
  for (int64_t i = 0; i < glia_tensor_count(t); i++)
    glia_tensor_set(t, i, gi_rng_normal(&numbers, (uint64_t)i));
}

static glia_dtype sample_dtype(const workload *w) {
  return w->tokens > 0 ? GLIA_I64 : GLIA_F32;
}

static void make_batches(running *r) {
  const workload *w = r->w;
  int64_t shape[4] = {w->batch}, target[2] = {w->batch, w->targets};
  for (int i = 0; i < w->rank; i++) shape[i + 1] = w->shape[i];
  for (int k = 0; k < w->batches; k++) {
    must(glia_tensor_new(sample_dtype(w), w->rank + 1, shape, &r->x[k]));
    if (w->tokens > 0)
      fill_whole(r->x[k], 1, k, w->tokens);
    else
      fill_normal(r->x[k], 1, k);
    if (w->classes == 0 && w->targets == 0) continue;
    must(w->classes > 0 ? glia_tensor_new(GLIA_I64, 1, target, &r->y[k])
                        : glia_tensor_new(GLIA_F32, 2, target, &r->y[k]));
    fill_whole(r->y[k], 2, k, w->classes > 0 ? w->classes : 2);
  }
}

/* Running means around 0 and variances around 1, so that inference has something to do. */
static void fill_buffers(glia_store *s) {
  for (int i = 0; i < glia_store_count(s); i++) {
    glia_tensor *t = glia_store_tensor(s, i);
    const gi_rng numbers = {1, 3, (uint64_t)i};
    if (glia_store_kind_of(s, i) != GLIA_BUFFER || glia_tensor_rank(t) != 1) continue;
    const double low = strstr(glia_store_name(s, i), "mean") != NULL ? -0.5 : 0.5;
    for (int64_t k = 0; k < glia_tensor_count(t); k++)
      glia_tensor_set(t, k, low + gi_rng_uniform(&numbers, (uint64_t)k));
  }
}

/* ---- opening ----------------------------------------------------------------------------- */

static void open_learner(running *r, int threads) {
  const workload *w = r->w;
  glia_learner_opts l = {.size = sizeof l,
                         .model = w->model,
                         .loss = {.name = w->loss},
                         .threads = threads,
                         .seed = 1,
                         .fixed = w->optimizer == NULL,
                         .precision = w->precision,
                         .data = {.dtype = sample_dtype(w),
                                  .rank = w->rank,
                                  .classes = w->classes,
                                  .targets = w->targets}};
  for (int i = 0; i < w->rank; i++) l.data.shape[i] = w->shape[i];
  if (w->optimizer != NULL) must(glia_optimizer_parse(w->optimizer, &l.optimizer));
  must(glia_learner_new(&l, &r->learner));
  r->store = glia_learner_store(r->learner);
  if (w->optimizer == NULL) fill_buffers(r->store);
}

static glia_graph *trace_step(running *r) {
  glia_graph *g = NULL;
  const glia_scope_opts so = {.size = sizeof so, .train = true, .seed = 1};
  const gi_type x = gi_tensor_type(r->x[0]);
  must(glia_graph_new(&g));
  r->w->step(glia_scope_new(g, r->store, &so), glia_input(g, "x", x.dtype, x.rank, x.dim));
  return g;
}

/* What has elements, counters have not; networks are of their store's type. */
static void store_as(glia_store *s, glia_dtype dtype) {
  for (int i = 0; i < glia_store_count(s); i++) {
    gi_entry *e = gi_store_find(s, glia_store_name(s, i));
    glia_tensor *t = NULL;
    if (glia_tensor_rank(e->tensor) == 0) continue;
    must(glia_tensor_cast(e->tensor, dtype, &t));
    glia_tensor_free(e->tensor);
    e->tensor = t;
  }
}

static void open_step(running *r, int threads) {
  must(glia_store_new(&r->store));
  glia_graph *g = trace_step(r);
  if (r->w->stored != GLIA_F32) {
    glia_graph_free(g);
    store_as(r->store, r->w->stored);
    g = trace_step(r);
  }
  must(glia_compile(g, &r->plan, .threads = threads, .seed = 1, .watch = "loss",
                    .precision = r->w->precision));
  glia_graph_free(g);
}

void running_open(running *r, const workload *w, int threads) {
  *r = (running){.w = w};
  make_batches(r);
  if (w->step != NULL)
    open_step(r, threads);
  else
    open_learner(r, threads);
}

void running_close(running *r) {
  glia_plan_free(r->plan);
  if (r->learner != NULL)
    glia_learner_free(r->learner);
  else
    glia_store_free(r->store);
  for (int k = 0; k < MAX_BATCHES; k++) {
    glia_tensor_free(r->x[k]);
    glia_tensor_free(r->y[k]);
  }
}

/* ---- stepping ---------------------------------------------------------------------------- */

static double own_step(running *r, int64_t k) {
  double sum = 0;
  must(glia_plan_bind(r->plan, "x", r->x[k]));
  must(glia_plan_run(r->plan));
  for (size_t i = 0; i < r->plan->graph->roots.n; i++) {
    const char *name = r->plan->graph->roots.at[i].name;
    if (name != NULL && strncmp(name, "loss", 4) == 0)
      sum += glia_tensor_get(glia_plan_output(r->plan, name), 0);
  }
  return sum;
}

double running_step(running *r) {
  double loss = 0;
  const int64_t k = r->taken++ % r->w->batches;
  if (r->w->step != NULL) return own_step(r, k);
  if (r->w->optimizer != NULL)
    must(glia_learner_step(r->learner, r->x[k], r->y[k], 0, &loss));
  else
    must(glia_learner_forward(r->learner, r->x[k], &r->result));
  return loss;
}

glia_plan *running_plan(running *r) {
  glia_plan *plan = r->plan;
  running_step(r); /* makes a learner's plan and binds the inputs */
  if (plan != NULL) return plan;
  const gi_type types[] = {
      gi_tensor_type(r->x[0]), gi_tensor_type(r->y[0]), {.dtype = GLIA_F64}};
  if (r->w->optimizer != NULL)
    must(gi_cache_get(r->learner->plans, GI_MODE_TRAIN, types, 3, "loss", &plan));
  else
    must(gi_cache_get(r->learner->plans, GI_MODE_FORWARD, types, 1, NULL, &plan));
  return plan;
}

planned_bytes running_bytes(running *r) {
  const glia_plan *plan = running_plan(r);
  planned_bytes b = {.arena = glia_plan_bytes(plan), .fixed = plan->memory.fixed + plan->kept};
  for (int i = 0; i < glia_store_count(r->store); i++) {
    const gi_type t = gi_tensor_type(glia_store_tensor(r->store, i));
    b.store += gi_type_bytes(&t);
  }
  for (int k = 0; k < r->w->batches; k++) {
    const gi_type x = gi_tensor_type(r->x[k]);
    b.inputs += gi_type_bytes(&x);
    if (r->y[k] == NULL) continue;
    const gi_type y = gi_tensor_type(r->y[k]);
    b.inputs += gi_type_bytes(&y);
  }
  return b;
}
