/* learner.c - a model, a loss and an optimiser as compiled steps: train, evaluate, forward.
 * Plans are made for each shape of batch that turns up, and share one arena.
 */
#include "train/learner.h"

#include <math.h>

#include "nn/scope.h"
#include "optim/optim.h"

/* ---- tracing ----------------------------------------------------------------------------- */

static glia_value declare(glia_graph *g, const char *name, const gi_type *t) {
  return glia_input(g, name, t->dtype, t->rank, t->dim);
}

/* inputs: x; x, y for evaluation; x, y, lr for training */
static void trace(glia_graph *g, int mode, const gi_type *inputs, int n, void *user) {
  glia_learner *l = user;
  const glia_scope_opts so = {.size = sizeof so,
                              .train = mode == GI_MODE_TRAIN,
                              .seed = l->o.seed,
                              .zeros = l->o.weights != NULL,
                              .averaged = mode != GI_MODE_TRAIN};
  glia_scope *s = glia_scope_new(g, l->store, &so);
  const glia_value y =
      glia_output("result", l->o.model(s, declare(g, "x", &inputs[0]), l->o.user));
  if (y.graph != g) gi_latch(g, GLIA_MODEL, "the model returned no value of its scope's graph");
  if (n < 2) return;
  const char *before = gi_set_path(g, "loss");
  const glia_value loss =
      glia_output("loss", l->loss->build(&l->o.loss, y, declare(g, "y", &inputs[1])));
  gi_set_path(g, before);
  if (mode != GI_MODE_TRAIN) return;
  const glia_value lr = declare(g, "lr", &inputs[2]);
  glia_minimize(s, loss, &l->o.optimizer, .lr = lr,
                .momentum = l->moves_momentum ? declare(g, "momentum", &inputs[2]) : GLIA_NONE,
                .clip_norm = l->o.clip_norm, .clip_value = l->o.clip_value);
}

/* ---- making ------------------------------------------------------------------------------ */

static void batch_types(const glia_learner *l, int64_t batch, gi_type types[3]) {
  const glia_sample_spec *d = &l->o.data;
  types[0] = (gi_type){.dtype = GLIA_F32, .rank = d->rank + 1, .dim = {batch}};
  for (int i = 0; i < d->rank && i + 1 < GLIA_MAX_RANK; i++) types[0].dim[i + 1] = d->shape[i];
  types[1] = d->classes > 0
                 ? (gi_type){.dtype = GLIA_I64, .rank = 1, .dim = {batch}}
                 : (gi_type){.dtype = GLIA_F32, .rank = 2, .dim = {batch, d->targets}};
  types[2] = (gi_type){.dtype = GLIA_F64};
}

/* The result must have one column a class, or one a number. */
static glia_status check_result(const glia_learner *l, const glia_graph *g) {
  const glia_sample_spec *d = &l->o.data;
  const gi_type *t = &g->values.at[g->roots.at[0].value]->type;
  const int64_t want = d->classes > 0 ? d->classes : d->targets;
  char text[96];
  if (t->rank == 2 && t->dim[1] == want) return GLIA_OK;
  return gi_fail(GLIA_MODEL,
                 "the network ends in %s, the data have %lld %s; hint: end it with "
                 "\"dense %lld\"",
                 gi_shape_text(t, text, sizeof text), (long long)want,
                 d->classes > 0 ? "classes" : "targets", (long long)want);
}

/* A trace for its errors alone, and to make the parameters. */
static glia_status try_trace(glia_learner *l) {
  gi_type types[3];
  glia_graph *g = NULL;
  batch_types(l, 1, types);
  GI_TRY(glia_graph_new(&g));
  trace(g, GI_MODE_FORWARD, types, 1, l);
  glia_status s = glia_graph_status(g);
  if (s == GLIA_OK) s = check_result(l, g);
  glia_graph_free(g);
  if (s != GLIA_OK || l->o.fixed) return s;
  GI_TRY(glia_graph_new(&g));
  batch_types(l, 2, types); /* some layers cannot train on a single sample */
  trace(g, GI_MODE_TRAIN, types, 3, l);
  s = glia_graph_status(g);
  glia_graph_free(g);
  return s;
}

static glia_status check_opts(glia_learner_opts *o) {
  if (o->model == NULL) return gi_fail(GLIA_INVALID, "learner: no model is given");
  if (o->data.rank < 1 || o->data.rank >= GLIA_MAX_RANK ||
      (o->data.classes <= 0 && o->data.targets <= 0))
    return gi_fail(GLIA_INVALID, "learner: the sample spec has rank %d, %d classes, %d targets",
                   o->data.rank, o->data.classes, o->data.targets);
  if (o->loss.name == NULL) o->loss.name = o->data.classes > 0 ? "cross_entropy" : "mse";
  GI_TRY(glia_loss_resolve(&o->loss));
  if (gi_loss_find(o->loss.name)->classes != (o->data.classes > 0))
    return gi_fail(GLIA_INVALID, "learner: the loss %s does not go with %s", o->loss.name,
                   o->data.classes > 0 ? "class indices" : "numbers as targets");
  const gi_backend *backend = NULL;
  GI_TRY(gi_backend_find(o->backend, &backend));
  o->backend = backend->name; /* outlives the caller's text */
  return glia_optimizer_resolve(&o->optimizer);
}

static glia_status build(glia_learner *l) {
  const glia_compile_opts c = {.size = sizeof c,
                               .backend = l->o.backend,
                               .threads = l->o.threads,
                               .seed = l->o.seed,
                               .memory_limit = l->o.memory_limit,
                               .precision = l->o.precision,
                               .deterministic = l->o.deterministic,
                               .tune = l->o.tune,
                               .choices = l->o.choices,
                               .fixed = l->o.fixed,
                               .exact_conv = l->o.exact_conv};
  GI_TRY(check_opts(&l->o));
  l->loss = gi_loss_find(l->o.loss.name);
  GI_TRY(glia_store_new(&l->store));
  GI_TRY(glia_tensor_new(GLIA_F64, 0, NULL, &l->lr));
  GI_TRY(glia_tensor_new(GLIA_F64, 0, NULL, &l->momentum));
  GI_TRY(gi_cache_new(&c, 0, trace, l, &l->plans));
  GI_TRY(try_trace(l));
  const char *weights = l->o.weights;
  l->o.weights = NULL; /* the caller's text */
  return weights != NULL ? glia_load(l->store, weights, false) : GLIA_OK;
}

glia_status glia_learner_new(const glia_learner_opts *opt, glia_learner **out) {
  glia_learner *l = gi_alloc(sizeof *l);
  if (l == NULL) return gi_fail_nomem(sizeof *l);
  gi_opts(&l->o, sizeof l->o, opt);
  const glia_status s = build(l);
  if (s != GLIA_OK) {
    glia_learner_free(l);
    return s;
  }
  *out = l;
  return GLIA_OK;
}

void glia_learner_free(glia_learner *l) {
  if (l == NULL) return;
  gi_cache_free(l->plans);
  glia_store_free(l->store);
  glia_tensor_free(l->lr);
  glia_tensor_free(l->momentum);
  gi_free(l);
}

glia_store *glia_learner_store(glia_learner *l) { return l->store; }
int64_t glia_learner_steps(const glia_learner *l) { return l->steps; }

glia_status glia_learner_plan_bytes(glia_learner *l, int batch, size_t *out) {
  gi_type types[3];
  glia_plan *p = NULL;
  batch_types(l, batch, types);
  GI_TRY(gi_cache_get(l->plans, GI_MODE_TRAIN, types, 3, "loss", &p));
  *out = glia_plan_bytes(p);
  return GLIA_OK;
}

glia_status gi_learner_graph(glia_learner *l, int batch, glia_graph **out) {
  gi_type types[3];
  glia_graph *g = NULL;
  batch_types(l, batch, types);
  GI_TRY(glia_graph_new(&g));
  trace(g, GI_MODE_FORWARD, types, 1, l);
  const glia_status s = glia_graph_status(g);
  if (s == GLIA_OK)
    *out = g;
  else
    glia_graph_free(g);
  return s;
}

glia_status gi_learner_plan(glia_learner *l, int batch, const char *dump, bool infer,
                            glia_plan **out) {
  gi_type types[3];
  glia_graph *g = NULL;
  batch_types(l, batch, types);
  GI_TRY(glia_graph_new(&g));
  trace(g, infer ? GI_MODE_FORWARD : GI_MODE_TRAIN, types, infer ? 1 : 3, l);
  const glia_status s = glia_compile(
      g, out, .backend = l->o.backend, .threads = l->o.threads, .seed = l->o.seed, .dump = dump,
      .watch = infer ? NULL : "loss", .memory_limit = infer ? 0 : l->o.memory_limit,
      .fixed = infer, .deterministic = l->o.deterministic, .tune = l->o.tune,
      .exact_conv = l->o.exact_conv, .precision = l->o.precision);
  glia_graph_free(g);
  return s;
}

glia_status glia_learner_plan_text(glia_learner *l, int batch, const char *dump, bool infer,
                                   char **out) {
  glia_plan *p = NULL;
  GI_TRY(gi_learner_plan(l, batch, dump, infer, &p));
  *out = glia_plan_text(p);
  glia_plan_free(p);
  return *out != NULL ? GLIA_OK : gi_fail_nomem(1);
}

/* ---- steps ------------------------------------------------------------------------------- */

static glia_status plan_for(glia_learner *l, int mode, const glia_tensor *x,
                            const glia_tensor *y, glia_plan **p) {
  gi_type types[3] = {gi_tensor_type(x)};
  const int n = mode == GI_MODE_FORWARD ? 1 : mode == GI_MODE_EVALUATE ? 2 : 3;
  if (y != NULL) types[1] = gi_tensor_type(y);
  types[2] = (gi_type){.dtype = GLIA_F64};
  if (l->freezes != gi_store_freezes(l->store)) gi_cache_clear(l->plans); /* other updates */
  l->freezes = gi_store_freezes(l->store);
  GI_TRY(gi_cache_get(l->plans, mode, types, n, mode != GI_MODE_FORWARD ? "loss" : NULL, p));
  GI_TRY(glia_plan_bind(*p, "x", x));
  if (n > 1) GI_TRY(glia_plan_bind(*p, "y", y));
  if (n > 2) GI_TRY(glia_plan_bind(*p, "lr", l->lr));
  if (n > 2 && l->moves_momentum) GI_TRY(glia_plan_bind(*p, "momentum", l->momentum));
  glia_plan_clock(*p, l->o.seed, (uint64_t)l->steps);
  return GLIA_OK;
}

static glia_status diverged(const char *what, int64_t step, glia_plan *p) {
  const glia_status s = glia_plan_diagnose(p);
  return gi_where(s, "%s %lld: the loss is not finite; where it began", what, (long long)step);
}

glia_status gi_learner_move_momentum(glia_learner *l) {
  if (l->moves_momentum) return GLIA_OK;
  if (!gi_takes_momentum(&l->o.optimizer))
    return gi_fail(GLIA_INVALID,
                   "schedule: cycle_momentum: %s has no momentum that could be moved; hint: "
                   "an optimiser with beta1, or momentum above 0",
                   l->o.optimizer.name);
  l->moves_momentum = true;
  gi_cache_clear(l->plans);
  return GLIA_OK;
}

glia_status glia_learner_step(glia_learner *l, const glia_tensor *x, const glia_tensor *y,
                              double lr, double *loss) {
  const glia_rates r = {.lr = lr == 0 ? l->o.optimizer.lr : lr, .momentum = (double)NAN};
  return gi_learner_step(l, x, y, r, loss);
}

glia_status gi_learner_step(glia_learner *l, const glia_tensor *x, const glia_tensor *y,
                            glia_rates rates, double *loss) {
  const glia_optimizer *o = &l->o.optimizer;
  const double own = o->beta1 != 0 ? o->beta1 : o->momentum; /* no rule has both */
  glia_plan *p = NULL;
  if (l->o.fixed)
    return gi_fail(
        GLIA_INVALID,
        "step: the learner is fixed, wanted one that trains; hint: leave .fixed out");
  if (!(rates.lr >= 0 && isfinite(rates.lr)))
    return gi_fail(GLIA_INVALID, "step: the learning rate is %g, wanted 0 or more", rates.lr);
  glia_tensor_set(l->lr, 0, rates.lr);
  glia_tensor_set(l->momentum, 0, isnan(rates.momentum) ? own : rates.momentum);
  GI_TRY(plan_for(l, GI_MODE_TRAIN, x, y, &p));
  const glia_status s = glia_plan_run(p);
  if (s == GLIA_DIVERGED) return diverged("step", l->steps + 1, p);
  GI_TRY(s);
  l->steps++;
  if (loss != NULL) *loss = glia_tensor_get(glia_plan_output(p, "loss"), 0);
  return GLIA_OK;
}

glia_status glia_learner_forward(glia_learner *l, const glia_tensor *x,
                                 const glia_tensor **out) {
  glia_plan *p = NULL;
  GI_TRY(plan_for(l, GI_MODE_FORWARD, x, NULL, &p));
  GI_TRY(glia_plan_run(p));
  *out = glia_plan_output(p, "result");
  return GLIA_OK;
}

glia_status gi_learner_evaluate(glia_learner *l, const glia_tensor *x, const glia_tensor *y,
                                double *loss, const glia_tensor **out) {
  glia_plan *p = NULL;
  GI_TRY(plan_for(l, GI_MODE_EVALUATE, x, y, &p));
  const glia_status s = glia_plan_run(p);
  if (s == GLIA_DIVERGED) return diverged("evaluation after step", l->steps, p);
  GI_TRY(s);
  *loss = glia_tensor_get(glia_plan_output(p, "loss"), 0);
  *out = glia_plan_output(p, "result");
  return GLIA_OK;
}

/* ---- predicting -------------------------------------------------------------------------- */

static void softmax_rows(glia_tensor *t) {
  const int64_t rows = glia_tensor_shape(t)[0], n = rows > 0 ? glia_tensor_count(t) / rows : 0;
  for (int64_t r = 0; r < rows; r++) {
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, glia_tensor_get(t, r * n + i));
    for (int64_t i = 0; i < n; i++) sum += exp(glia_tensor_get(t, r * n + i) - largest);
    for (int64_t i = 0; i < n; i++)
      glia_tensor_set(t, r * n + i, exp(glia_tensor_get(t, r * n + i) - largest) / sum);
  }
}

glia_status glia_predict(glia_learner *l, const glia_tensor *x, glia_tensor **out) {
  const glia_tensor *result = NULL;
  GI_TRY(glia_learner_forward(l, x, &result));
  GI_TRY(glia_tensor_copy(result, out));
  const gi_link link = l->loss->link;
  if (link == GI_LINK_SOFTMAX) softmax_rows(*out);
  if (link != GI_LINK_SIGMOID && link != GI_LINK_EXP) return GLIA_OK;
  for (int64_t i = 0; i < glia_tensor_count(*out); i++) {
    const double v = glia_tensor_get(*out, i);
    glia_tensor_set(*out, i, link == GI_LINK_EXP ? exp(v) : 1 / (1 + exp(-v)));
  }
  return GLIA_OK;
}

/* ---- evaluating -------------------------------------------------------------------------- */

/* Bytes of predictions that are kept for metrics that are no sums: 60000 samples of 100
 * classes. */
enum { KEEP = 48 << 20 };

static glia_status run_epoch(glia_learner *l, glia_loader *data, glia_result *r) {
  double total = 0;
  GI_TRY(glia_loader_start(data, 0));
  for (;;) {
    glia_batch b;
    const glia_tensor *out = NULL;
    double loss = 0;
    GI_TRY(glia_loader_next(data, &b));
    if (b.count == 0) break;
    GI_TRY(gi_learner_evaluate(l, b.x, b.y, &loss, &out));
    GI_TRY(glia_evaluation_add(r->evaluation, out, b.y));
    total += loss * (double)b.count;
    r->count += b.count;
  }
  if (r->count == 0) return gi_fail(GLIA_DATA, "evaluate: the data have no readable sample");
  r->loss = total / (double)r->count;
  return GLIA_OK;
}

glia_status glia_evaluate(glia_learner *l, glia_loader *data, glia_result *out) {
  glia_result r = {0};
  const glia_evaluation_opts o = {.size = sizeof o,
                                  .classes = l->o.data.classes,
                                  .targets = l->o.data.targets,
                                  .keep = KEEP};
  GI_TRY(glia_evaluation_new(&o, &r.evaluation));
  const glia_status s = run_epoch(l, data, &r);
  if (s != GLIA_OK) {
    glia_result_clear(&r);
    return s;
  }
  *out = r;
  return GLIA_OK;
}

void glia_result_clear(glia_result *r) {
  glia_evaluation_free(r->evaluation);
  *r = (glia_result){0};
}
