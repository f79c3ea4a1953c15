/* optim.c - steps of optimisers on given gradients, and clipping. */
#include "optim/optim.h"

#include <math.h>

#include "optim/lbfgs.h"

#include "parity/parity.h"
#include "torch_words.h"

enum { PARAMS = 16 };

typedef struct training {
  glia_store *store;
  glia_graph *graph;
  glia_plan *plan;
  int params;
} training;

/* The step's graph: inputs grad.K, parameters param.K with the values given. */
static glia_status build_step(const question *q, const glia_optimizer *o, training *t) {
  const gi_optim *rule = gi_optim_find(o->name);
  GI_TRY(glia_store_new(&t->store));
  GI_TRY(glia_graph_new(&t->graph));
  glia_scope *s = glia_scope_new(t->graph, t->store, NULL);
  const gi_optim_step step =
      gi_optim_begin(s, rule, o, NULL, glia_scalar(t->graph, GLIA_F64, o->lr), GLIA_NONE);
  for (; t->params < PARAMS; t->params++) {
    char name[32], input[32];
    gi_entry *e = NULL;
    snprintf(name, sizeof name, "param.%d", t->params);
    snprintf(input, sizeof input, "grad.%d", t->params);
    glia_tensor *first = q_read(q, name);
    if (first == NULL) break;
    const gi_type type = gi_tensor_type(first);
    const glia_status made = gi_store_add(t->store, name, GLIA_PARAMETER, &type, &e);
    if (made == GLIA_OK)
      memcpy(glia_tensor_data(e->tensor), glia_tensor_data(first), glia_tensor_bytes(first));
    glia_tensor_free(first);
    GI_TRY(made);
    gi_apply_update(s, rule, &step, e->name,
                    glia_input(t->graph, input, type.dtype, type.rank, type.dim));
  }
  return glia_compile(t->graph, &t->plan, .backend = q_backend(q));
}

static glia_status one_step(question *q, const training *t, int64_t step) {
  glia_tensor *grads[PARAMS] = {NULL};
  char name[64];
  glia_status s = GLIA_OK;
  for (int k = 0; k < t->params && s == GLIA_OK; k++) {
    char input[32];
    snprintf(input, sizeof input, "grad.%d", k);
    snprintf(name, sizeof name, "grad.%lld.%d", (long long)step, k);
    grads[k] = q_read(q, name);
    s = grads[k] == NULL ? gi_fail(GLIA_DATA, "the case has no %s", name)
                         : glia_plan_bind(t->plan, input, grads[k]);
  }
  if (s == GLIA_OK) s = glia_plan_run(t->plan);
  for (int k = 0; k < t->params && s == GLIA_OK; k++) {
    glia_tensor *copy = NULL;
    snprintf(name, sizeof name, "param.%d", k);
    s = glia_tensor_copy(glia_store_get(t->store, name), &copy);
    snprintf(name, sizeof name, "after.%lld.%d", (long long)step, k);
    if (s == GLIA_OK) q_put(q, name, copy);
  }
  for (int k = 0; k < t->params; k++) glia_tensor_free(grads[k]);
  return s;
}

static glia_status optimise(question *q) {
  char text[512];
  glia_optimizer o = {0};
  training t = {0};
  torch_optimizer(q_op(q), q_attributes(q), text, sizeof text);
  GI_TRY(glia_optimizer_parse(text, &o));
  glia_status s = build_step(q, &o, &t);
  for (int64_t step = 0; step < q_steps(q) && s == GLIA_OK; step++) s = one_step(q, &t, step);
  glia_plan_free(t.plan);
  glia_graph_free(t.graph);
  glia_store_free(t.store);
  return s;
}

/* ---- L-BFGS: within a step the loss is flat and the gradients are the given ones -----------
 */

typedef struct given {
  question *q;
  int64_t step, n; /* elements of all parameters */
} given;

/* The tensors NAME.0, NAME.1, ... one behind the other. Returns how many elements; v NULL: only
 * that. */
static int64_t gather(const question *q, const char *of, double *v) {
  int64_t n = 0;
  for (int k = 0; k < PARAMS; k++) {
    char name[96];
    snprintf(name, sizeof name, "%s.%d", of, k);
    glia_tensor *t = q_read(q, name);
    for (int64_t i = 0; t != NULL && i < glia_tensor_count(t); i++, n++)
      if (v != NULL) v[n] = glia_tensor_get(t, i);
    glia_tensor_free(t);
  }
  return n;
}

static glia_status given_gradient(void *user, const double *x, double *f, double *g) {
  const given *of = user;
  char name[64];
  (void)x;
  *f = 0;
  snprintf(name, sizeof name, "grad.%lld", (long long)of->step);
  if (gather(of->q, name, NULL) != of->n)
    return gi_fail(GLIA_DATA, "%s: the gradients are not as many as the parameters", name);
  gather(of->q, name, g);
  return GLIA_OK;
}

static glia_status put_after(question *q, int64_t step, const double *x) {
  for (int k = 0; k < PARAMS; k++) {
    char name[64];
    glia_tensor *t, *copy = NULL;
    snprintf(name, sizeof name, "param.%d", k);
    if ((t = q_read(q, name)) == NULL) break;
    for (int64_t i = 0; i < glia_tensor_count(t); i++) glia_tensor_set(t, i, *x++);
    snprintf(name, sizeof name, "after.%lld.%d", (long long)step, k);
    const glia_status s = glia_tensor_copy(t, &copy);
    glia_tensor_free(t);
    GI_TRY(s);
    q_put(q, name, copy);
  }
  return GLIA_OK;
}

static glia_status lbfgs(question *q) {
  given of = {.q = q};
  gi_lbfgs l = {.o = {.lr = q_num(q, "lr", 1),
                      .max_iter = q_int(q, "max_iter", 20),
                      .max_eval = q_int(q, "max_eval", 0),
                      .history = q_int(q, "history_size", 100),
                      .tolerance_grad = q_num(q, "tolerance_grad", 1e-7),
                      .tolerance_change = q_num(q, "tolerance_change", 1e-9),
                      .line_search = q_str(q, "line_search_fn", NULL)}};
  double loss = 0;
  glia_status s = gi_lbfgs_resolve(&l.o);
  of.n = gather(q, "param", NULL);
  if (s == GLIA_OK) s = gi_lbfgs_open(&l, of.n, given_gradient, &of);
  if (s == GLIA_OK) gather(q, "param", l.x);
  for (of.step = 0; of.step < q_steps(q) && s == GLIA_OK; of.step++) {
    s = gi_lbfgs_step(&l, &loss);
    if (s == GLIA_OK) s = put_after(q, of.step, l.x);
  }
  gi_lbfgs_close(&l);
  return s;
}

/* PyTorch's inf is no number of JSON. */
static double norm_type(const question *q) {
  return strcmp(q_str(q, "norm_type", ""), "inf") == 0 ? (double)INFINITY
                                                       : q_num(q, "norm_type", 2);
}

static int all_grads(question *q, glia_value *grads) {
  int n = 0;
  for (char name[32]; n < PARAMS; n++) {
    snprintf(name, sizeof name, "grad.%d", n);
    grads[n] = q_tensor(q, name);
    if (grads[n].graph == NULL) break;
  }
  return n;
}
static void give_clipped(question *q, const glia_value *grads, int n) {
  char name[32];
  for (int k = 0; k < n; k++) {
    snprintf(name, sizeof name, "clipped.%d", k);
    q_give(q, name, grads[k]);
  }
}
static void clip_norm(question *q) {
  glia_value grads[PARAMS];
  const int n = all_grads(q, grads);
  q_give(q, "total_norm", gi_clip_norm(grads, n, q_num(q, "max_norm", 0), norm_type(q)));
  give_clipped(q, grads, n);
}
static void clip_value(question *q) {
  glia_value grads[PARAMS];
  const int n = all_grads(q, grads);
  const double most = q_num(q, "clip_value", 0);
  for (int k = 0; k < n; k++) grads[k] = glia_clip(grads[k], -most, most);
  give_clipped(q, grads, n);
}

static const parity_row rows[] = {
    {.op = "SGD", .answer = optimise},
    {.op = "Adam", .answer = optimise},
    {.op = "AdamW", .answer = optimise},
    {.op = "NAdam", .answer = optimise},
    {.op = "RAdam", .answer = optimise},
    {.op = "Adamax", .answer = optimise},
    {.op = "RMSprop", .answer = optimise},
    {.op = "Adagrad", .answer = optimise},
    {.op = "Adadelta", .answer = optimise},
    {.op = "ASGD", .answer = optimise},
    {.op = "Rprop", .answer = optimise},
    {.op = "LBFGS", .answer = lbfgs},
    {.op = "clip_grad_norm", .build = clip_norm},
    {.op = "clip_grad_norm_", .build = clip_norm},
    {.op = "clip_grad_value", .build = clip_value},
    {.op = "clip_grad_value_", .build = clip_value},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_optim[] = {&all, NULL};
