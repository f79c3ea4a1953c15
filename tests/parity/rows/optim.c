/* optim.c - steps of optimisers on given gradients, and clipping. */
#include "optim/optim.h"

#include <math.h>

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
    {.op = "clip_grad_norm", .build = clip_norm},
    {.op = "clip_grad_value", .build = clip_value},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_optim[] = {&all, NULL};
