/* lbfgs.c - L-BFGS over the parameters of a store: the plan that it drives, and the way from
 * tensors to one vector of doubles and back.
 */
#include "optim/lbfgs.h"

#include <math.h>

#include "optim/optim.h"

#define OUTPUT_LOSS "lbfgs.loss"

struct glia_lbfgs {
  gi_lbfgs core;
  glia_plan *plan;
  int params;
  glia_tensor **param; /* [params] the store's */
  char **output;       /* [params] names of the gradients */
};

/* Where the parameters lie, and their gradients as outputs of the plan. */
static glia_status name_outputs(glia_lbfgs *l, const glia_scope *s, const gi_trainable *t,
                                const glia_value *grads) {
  const size_t n = t->params.n;
  l->param = gi_alloc(n * sizeof *l->param);
  l->output = gi_alloc(n * sizeof *l->output);
  if (l->param == NULL || l->output == NULL) return gi_fail_nomem(n * sizeof *l->output);
  for (size_t i = 0; i < n; i++) {
    gi_str name = {0};
    gi_str_printf(&name, "lbfgs.gradient.%s", t->names.at[i]);
    l->output[i] = gi_str_take(&name);
    l->param[i] = glia_store_get(s->store, t->names.at[i]);
    l->params++;
    if (l->output[i] == NULL) return gi_fail_nomem(1);
    glia_output(l->output[i], grads[i]);
  }
  return GLIA_OK;
}

static glia_status add_gradients(glia_lbfgs *l, glia_scope *s, glia_value loss) {
  gi_trainable t = {0};
  glia_value *grads = NULL;
  glia_status status = gi_trainable_find(s, "lbfgs", l->core.o.prefix, &t);
  if (status == GLIA_OK && (grads = gi_alloc(t.params.n * sizeof *grads)) == NULL)
    status = gi_fail_nomem(t.params.n * sizeof *grads);
  if (status == GLIA_OK) status = glia_grad(loss, t.params.at, (int)t.params.n, grads);
  if (status == GLIA_OK) status = name_outputs(l, s, &t, grads);
  if (status == GLIA_OK) glia_output(OUTPUT_LOSS, loss);
  gi_free(grads);
  gi_trainable_clear(&t);
  return status;
}

/* ---- vectors ----------------------------------------------------------------------------- */

static int64_t elements(const glia_lbfgs *l) {
  int64_t n = 0;
  for (int i = 0; i < l->params; i++) n += glia_tensor_count(l->param[i]);
  return n;
}

static void put_parameters(glia_lbfgs *l, const double *x) {
  for (int i = 0; i < l->params; i++) {
    const int64_t n = glia_tensor_count(l->param[i]);
    gi_convert(GLIA_F64, x, glia_tensor_dtype(l->param[i]), glia_tensor_data(l->param[i]), n);
    x += n;
  }
}

/* Tensors of the store and outputs of a plan are dense. */
static void get(const glia_tensor *t, double **to) {
  const int64_t n = glia_tensor_count(t);
  gi_convert(glia_tensor_dtype(t), glia_tensor_data(t), GLIA_F64, *to, n);
  *to += n;
}

static glia_status evaluate(void *user, const double *x, double *f, double *g) {
  glia_lbfgs *l = user;
  put_parameters(l, x);
  GI_TRY(glia_plan_run(l->plan));
  *f = glia_tensor_get(glia_plan_output(l->plan, OUTPUT_LOSS), 0);
  for (int i = 0; i < l->params; i++) get(glia_plan_output(l->plan, l->output[i]), &g);
  return GLIA_OK;
}

/* ---- state ------------------------------------------------------------------------------- */

static const char *const part_names[] = {"counters",         "direction",         "gradient",
                                         "gradient_changes", "parameter_changes", "curvatures"};

/* The store's entry of that name and type, which a checkpoint may have filled, or a new one. */
static glia_status find_part(glia_store *store, const char *name, const gi_type *type,
                             double **out) {
  gi_entry *e = gi_store_find(store, name);
  char is[96], wanted[96];
  if (e == NULL) GI_TRY(gi_store_add(store, name, GLIA_STATE, type, &e));
  const gi_type t = gi_tensor_type(e->tensor);
  if (e->kind != GLIA_STATE || !gi_type_equal(&t, type))
    return gi_fail(GLIA_INVALID, "lbfgs: %s in the store is %s, wanted state of %s", name,
                   gi_type_text(&t, is, sizeof is), gi_type_text(type, wanted, sizeof wanted));
  *out = glia_tensor_data(e->tensor);
  return GLIA_OK;
}

/* Lends the core entries "lbfgs.<prefix><part>" of the store. */
static glia_status keep_in(glia_lbfgs *l, glia_store *store) {
  const char *prefix = l->core.o.prefix != NULL ? l->core.o.prefix : "";
  const int64_t n = elements(l);
  l->core.lent = true;
  for (gi_lbfgs_part i = 0; i < GI_LBFGS_PARTS; i++) {
    const int64_t size = gi_lbfgs_size(&l->core, n, i);
    const bool rows = i == GI_LBFGS_GRADIENT_CHANGES || i == GI_LBFGS_PARAMETER_CHANGES;
    gi_type t = {.dtype = GLIA_F64, .rank = 1, .dim = {size}};
    if (rows) t = (gi_type){.dtype = GLIA_F64, .rank = 2, .dim = {l->core.o.history, n}};
    gi_str name = {0};
    gi_str_printf(&name, "lbfgs.%s%s", prefix, part_names[i]);
    const glia_status s =
        name.s == NULL ? gi_fail_nomem(1) : find_part(store, name.s, &t, &l->core.part[i]);
    gi_str_free(&name);
    GI_TRY(s);
  }
  return GLIA_OK;
}

/* ---- the driver -------------------------------------------------------------------------- */

static glia_status build(glia_lbfgs *l, glia_scope *s, glia_value loss) {
  GI_TRY(gi_lbfgs_resolve(&l->core.o));
  GI_TRY(glia_graph_status(s->graph));
  GI_TRY(add_gradients(l, s, loss));
  GI_TRY(glia_compile(s->graph, &l->plan, .backend = l->core.o.backend,
                      .threads = l->core.o.threads));
  GI_TRY(keep_in(l, s->store));
  l->core.o.prefix = l->core.o.backend = NULL; /* the caller's texts */
  return gi_lbfgs_open(&l->core, elements(l), evaluate, l);
}

glia_status glia_lbfgs_new_opt(glia_scope *s, glia_value loss, glia_lbfgs **out,
                               const glia_lbfgs_opts *opt) {
  glia_lbfgs *l = gi_alloc(sizeof *l);
  if (l == NULL) return gi_fail_nomem(sizeof *l);
  gi_opts(&l->core.o, sizeof l->core.o, opt);
  const glia_status status = build(l, s, loss);
  if (status != GLIA_OK) {
    glia_lbfgs_free(l);
    return status;
  }
  *out = l;
  return GLIA_OK;
}

void glia_lbfgs_free(glia_lbfgs *l) {
  if (l == NULL) return;
  gi_lbfgs_close(&l->core);
  glia_plan_free(l->plan);
  for (int i = 0; l->output != NULL && i < l->params; i++) gi_free(l->output[i]);
  gi_free(l->output);
  gi_free(l->param);
  gi_free(l);
}

glia_plan *glia_lbfgs_plan(glia_lbfgs *l) { return l->plan; }
int64_t glia_lbfgs_evaluations(const glia_lbfgs *l) { return l->core.evaluations; }

/* The parameters as they are now; where the step fails they come back. */
glia_status glia_lbfgs_step(glia_lbfgs *l, double *loss) {
  const size_t bytes = (size_t)l->core.n * sizeof(double);
  double *start = gi_alloc(bytes), *to = l->core.x, before = 0;
  if (start == NULL) return gi_fail_nomem(bytes);
  for (int i = 0; i < l->params; i++) get(l->param[i], &to);
  memcpy(start, l->core.x, bytes);
  const glia_status status = gi_lbfgs_step(&l->core, &before);
  put_parameters(l, status == GLIA_OK ? l->core.x : start);
  if (status != GLIA_OK) gi_lbfgs_forget(&l->core);
  if (status == GLIA_OK && loss != NULL) *loss = before;
  gi_free(start);
  return status;
}
