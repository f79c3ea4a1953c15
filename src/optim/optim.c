/* optim.c - optimisers by name, and the nodes of a training step behind the loss. */
#include "optim/optim.h"

#include <math.h>

/* ---- by name ----------------------------------------------------------------------------- */

static const gi_optim *optim_at(int i) {
  for (int list = 0; gi_optims_table[list] != NULL; list++)
    for (int k = 0; gi_optims_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_optims_table[list][k];
  return NULL;
}

const gi_optim *gi_optim_find(const char *name) {
  for (int i = 0; optim_at(i) != NULL; i++)
    if (strcmp(optim_at(i)->name, name) == 0) return optim_at(i);
  return NULL;
}

static glia_status unknown(const char *name) {
  const char *names[64];
  int n = 0;
  for (; optim_at(n) != NULL && n < 64; n++) names[n] = optim_at(n)->name;
  const int near = gi_nearest(name, names, n);
  return gi_fail(GLIA_INVALID, "optimizer: none is called \"%s\"%s%s%s", name,
                 near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                 near >= 0 ? "\"?" : "");
}

static double number(const glia_optimizer *o, const gi_field *f) {
  double v;
  memcpy(&v, (const char *)o + f->offset, sizeof v);
  return v;
}

static const gi_field *field_at(const gi_optim *rule, size_t offset) {
  for (const gi_field *f = rule->fields; f->name != NULL; f++)
    if (f->offset == offset) return f;
  return NULL;
}

/* Options that only other optimisers have must be zero. */
static glia_status refuse_foreign(const gi_optim *rule, const glia_optimizer *o) {
  for (int i = 0; optim_at(i) != NULL; i++)
    for (const gi_field *f = optim_at(i)->fields; f->name != NULL; f++) {
      const char *at = (const char *)o + f->offset;
      bool set = false;
      if (field_at(rule, f->offset) != NULL) continue;
      if (f->kind == GI_FIELD_BOOL) memcpy(&set, at, sizeof set);
      if (f->kind == GI_FIELD_F64) set = number(o, f) != 0;
      if (set)
        return gi_fail(GLIA_INVALID, "optimizer: %s has no option %s; %s has", rule->name,
                       f->name, optim_at(i)->name);
    }
  return GLIA_OK;
}

glia_status glia_optimizer_resolve(glia_optimizer *o) {
  if (o->name == NULL) o->name = "adam";
  const gi_optim *rule = gi_optim_find(o->name);
  if (rule == NULL) return unknown(o->name);
  GI_TRY(refuse_foreign(rule, o));
  rule->defaults(o);
  o->name = rule->name;
  for (const gi_field *f = rule->fields; f->name != NULL; f++) {
    if (f->kind != GI_FIELD_F64 || f->min == f->max) continue;
    const double v = number(o, f);
    if (!(v >= f->min && v <= f->max))
      return gi_fail(GLIA_INVALID, "optimizer: %s's %s is %g, wanted %g to %g", o->name,
                     f->name, v, f->min, f->max);
  }
  const char *why = rule->refuse != NULL ? rule->refuse(o) : NULL;
  return why == NULL ? GLIA_OK : gi_fail(GLIA_INVALID, "optimizer: %s: %s", o->name, why);
}

glia_status glia_optimizer_parse(const char *text, glia_optimizer *out) {
  char copy[512], *words[32], *save = NULL;
  int n = 0;
  glia_optimizer o = {0};
  if (strlen(text) >= sizeof copy)
    return gi_fail(GLIA_INVALID, "optimizer: the text is longer than %zu", sizeof copy - 1);
  memcpy(copy, text, strlen(text) + 1);
  for (char *w = strtok_r(copy, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
    if (n == GI_COUNT(words)) return gi_fail(GLIA_INVALID, "optimizer: too many words");
    words[n++] = w;
  }
  if (n == 0) return gi_fail(GLIA_INVALID, "optimizer: the text is empty");
  const gi_optim *rule = gi_optim_find(words[0]);
  if (rule == NULL) return unknown(words[0]);
  if (gi_fields_parse(rule->fields, rule->name, words + 1, n - 1, &o) != GLIA_OK)
    return gi_fail(GLIA_INVALID, "optimizer: %s", glia_error_message());
  o.name = rule->name;
  GI_TRY(glia_optimizer_resolve(&o));
  *out = o;
  return GLIA_OK;
}

/* ---- the step ---------------------------------------------------------------------------- */

/* A state tensor of the store as a value: made with all elements `initial` at the first trace.
 */
static glia_value state_variable(glia_scope *s, const char *name, const gi_type *t,
                                 double initial) {
  gi_entry *e = gi_store_find(s->store, name);
  if (e == NULL) {
    if (gi_store_add(s->store, name, GLIA_STATE, t, &e) != GLIA_OK)
      return gi_latch(s->graph, GLIA_NOMEM, "%s", glia_error_message());
    for (int64_t i = 0; i < glia_tensor_count(e->tensor) && initial != 0; i++)
      glia_tensor_set(e->tensor, i, initial);
  }
  const gi_type have = gi_tensor_type(e->tensor);
  char ht[96], wt[96];
  if (!gi_type_equal(&have, t))
    return gi_latch(s->graph, GLIA_MODEL, "%s: the stored state is %s, wanted %s", name,
                    gi_type_text(&have, ht, sizeof ht), gi_type_text(t, wt, sizeof wt));
  return gi_variable(s->graph, name);
}

glia_value gi_optimizer_step(glia_scope *s, const char *prefix) {
  const gi_type t = {.dtype = GLIA_F64};
  const char *name =
      gi_arena_printf(&s->graph->arena, "%soptimizer.step", prefix != NULL ? prefix : "");
  if (name == NULL) return gi_latch(s->graph, GLIA_NOMEM, "optimizer: no memory for a name");
  const glia_value step = state_variable(s, name, &t, 0);
  const glia_value next = glia_add(step, glia_scalar_like(step, 1));
  glia_assign(step, next);
  return next;
}

void gi_apply_update(glia_scope *s, const gi_optim *rule, const glia_optimizer *o,
                     const char *name, glia_value grad, glia_value lr, glia_value step) {
  gi_state states[GI_MAX_STATE];
  gi_update u = {
      .o = o, .param = gi_variable(s->graph, name), .grad = grad, .lr = lr, .step = step};
  if (gi_null(u.param) || gi_null(grad)) return;
  const gi_type t = gi_value_type(u.param);
  const int n = rule->states != NULL ? rule->states(o, states) : 0;
  const char *before = gi_set_path(s->graph, name);
  for (int i = 0; i < n; i++) {
    const char *full = gi_arena_printf(&s->graph->arena, "%s.%s", name, states[i].name);
    if (full == NULL) gi_latch(s->graph, GLIA_NOMEM, "%s: no memory for its state", name);
    if (full == NULL) return;
    u.state[i] = state_variable(s, full, &t, states[i].initial);
  }
  rule->update(&u);
  glia_assign(u.param, u.new_param);
  for (int i = 0; i < n; i++) glia_assign(u.state[i], u.new_state[i]);
  gi_set_path(s->graph, before);
}

glia_value gi_clip_norm(glia_value *grads, int n, double limit) {
  glia_value total = GLIA_NONE;
  for (int i = 0; i < n; i++) {
    const glia_value squares = glia_sum(glia_square(grads[i]));
    total = i == 0 ? squares : glia_add(total, squares);
  }
  const glia_value norm = glia_sqrt(total);
  const glia_value ratio =
      glia_div(glia_scalar_like(norm, limit), glia_add(norm, glia_scalar_like(norm, 1e-6)));
  const glia_value scale = glia_minimum(ratio, glia_scalar_like(norm, 1));
  for (int i = 0; i < n; i++) grads[i] = glia_mul(grads[i], gi_as(scale, grads[i]));
  return norm;
}

typedef struct trainable { /* the parameters that the graph uses and that are not frozen */
  GI_VEC(glia_value) params;
  GI_VEC(const char *) names;
} trainable;

static glia_status find_trainable(glia_scope *s, const char *prefix, trainable *t) {
  for (size_t k = 0; k < s->graph->nodes.n; k++) {
    const gi_node *n = s->graph->nodes.at[k];
    if (n->op != &gi_op_variable) continue;
    const char *name = ((const gi_input_attr *)n->attr)->name;
    const gi_entry *e = gi_store_find(s->store, name);
    if (e == NULL || e->kind != GLIA_PARAMETER || e->frozen) continue;
    if (prefix != NULL && strncmp(name, prefix, strlen(prefix)) != 0) continue;
    if (!gi_vec_push(&t->params, gi_value(s->graph, n->out)) ||
        !gi_vec_push(&t->names, e->name))
      return gi_fail_nomem(sizeof(glia_value));
  }
  if (t->params.n == 0)
    return gi_fail(GLIA_MODEL, "minimize: the graph has no parameter%s%s%s that is not frozen",
                   prefix != NULL ? " \"" : "", prefix != NULL ? prefix : "",
                   prefix != NULL ? "*\"" : "");
  return GLIA_OK;
}

static glia_status minimize(glia_scope *s, glia_value loss, const glia_optimizer *o,
                            const glia_minimize_opts *opt, trainable *t, glia_value **grads) {
  const gi_optim *rule = gi_optim_find(o->name);
  GI_TRY(find_trainable(s, opt->prefix, t));
  const int n = (int)t->params.n;
  if ((*grads = gi_alloc((size_t)n * sizeof **grads)) == NULL)
    return gi_fail_nomem((size_t)n * sizeof **grads);
  GI_TRY(glia_grad(loss, t->params.at, n, *grads));
  for (int i = 0; i < n && opt->clip_value > 0; i++)
    (*grads)[i] = glia_clip((*grads)[i], -opt->clip_value, opt->clip_value);
  if (opt->clip_norm > 0) gi_clip_norm(*grads, n, opt->clip_norm);
  const glia_value lr = gi_null(opt->lr) ? glia_scalar(s->graph, GLIA_F64, o->lr) : opt->lr;
  const glia_value step = gi_optimizer_step(s, opt->prefix);
  for (int i = 0; i < n; i++)
    gi_apply_update(s, rule, o, t->names.at[i], (*grads)[i], lr, step);
  return glia_graph_status(s->graph);
}

void glia_minimize_opt(glia_scope *s, glia_value loss, const glia_optimizer *optimizer,
                       const glia_minimize_opts *opt) {
  glia_minimize_opts m;
  glia_optimizer o = optimizer != NULL ? *optimizer : (glia_optimizer){0};
  trainable t = {0};
  glia_value *grads = NULL;
  if (s == NULL || gi_null(loss) || s->graph->status != GLIA_OK) return;
  gi_opts(&m, sizeof m, opt);
  glia_status status = glia_optimizer_resolve(&o);
  if (status == GLIA_OK && !(m.clip_norm >= 0 && m.clip_value >= 0))
    status = gi_fail(GLIA_INVALID, "minimize: clip_norm %g, clip_value %g: wanted 0 or more",
                     m.clip_norm, m.clip_value);
  if (status == GLIA_OK) status = minimize(s, loss, &o, &m, &t, &grads);
  if (status != GLIA_OK) gi_latch(s->graph, status, "%s", glia_error_message());
  gi_vec_free(&t.params);
  gi_vec_free(&t.names);
  gi_free(grads);
}
