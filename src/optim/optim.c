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

static const gi_wrap *wrap_at(int i) {
  for (int list = 0; gi_wraps_table[list] != NULL; list++)
    for (int k = 0; gi_wraps_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_wraps_table[list][k];
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

/* The rule's options and the wraps', which every optimiser has. */
static void fields_of(const gi_optim *rule, gi_field out[GI_OPTIM_FIELDS]) {
  int n = 0;
  for (const gi_field *f = rule->fields; f->name != NULL && n < GI_OPTIM_FIELDS - 1; f++)
    out[n++] = *f;
  for (int i = 0; wrap_at(i) != NULL; i++)
    for (const gi_field *f = wrap_at(i)->fields; f->name != NULL && n < GI_OPTIM_FIELDS - 1;
         f++)
      out[n++] = *f;
  out[n] = (gi_field){.name = NULL};
}

/* Options that only other optimisers have must be zero. */
static glia_status refuse_foreign(const gi_optim *rule, const gi_field *fields,
                                  const glia_optimizer *o) {
  for (int i = 0; optim_at(i) != NULL; i++) {
    const gi_field *f = gi_fields_foreign(fields, optim_at(i)->fields, o);
    if (f != NULL)
      return gi_fail(GLIA_INVALID, "optimizer: %s has no option %s; %s has", rule->name,
                     f->name, optim_at(i)->name);
  }
  return GLIA_OK;
}

static void fill_in(const gi_optim *rule, glia_optimizer *o) {
  rule->defaults(o);
  o->name = rule->name;
  for (int i = 0; wrap_at(i) != NULL; i++)
    if (wrap_at(i)->on(o) && wrap_at(i)->defaults != NULL) wrap_at(i)->defaults(o);
}

static const char *why_not(const gi_optim *rule, const glia_optimizer *o) {
  const char *why = rule->refuse != NULL ? rule->refuse(o) : NULL;
  for (int i = 0; wrap_at(i) != NULL && why == NULL; i++)
    if (wrap_at(i)->refuse != NULL) why = wrap_at(i)->refuse(o);
  return why;
}

glia_status glia_optimizer_resolve(glia_optimizer *o) {
  gi_field fields[GI_OPTIM_FIELDS];
  char who[64];
  if (o->name == NULL) o->name = "adam";
  const gi_optim *rule = gi_optim_find(o->name);
  if (rule == NULL) return unknown(o->name);
  fields_of(rule, fields);
  GI_TRY(refuse_foreign(rule, fields, o));
  fill_in(rule, o);
  snprintf(who, sizeof who, "optimizer: %s", o->name);
  GI_TRY(gi_fields_check(fields, who, o));
  const char *why = why_not(rule, o);
  return why == NULL ? GLIA_OK : gi_fail(GLIA_INVALID, "%s: %s", who, why);
}

glia_status glia_optimizer_parse(const char *text, glia_optimizer *out) {
  gi_field fields[GI_OPTIM_FIELDS];
  gi_words words;
  glia_optimizer o = {0};
  GI_TRY(gi_words_read("optimizer", text, &words));
  const gi_optim *rule = gi_optim_find(words.at[0]);
  if (rule == NULL) return unknown(words.at[0]);
  fields_of(rule, fields);
  if (gi_fields_parse_exact(fields, rule->name, words.at + 1, words.n - 1, &o) != GLIA_OK)
    return gi_fail(GLIA_INVALID, "optimizer: %s", glia_error_message());
  o.name = rule->name;
  GI_TRY(glia_optimizer_resolve(&o));
  *out = o;
  return GLIA_OK;
}

/* ---- the step ---------------------------------------------------------------------------- */

/* A state tensor of the store as a value: made at the first trace, with all elements `initial`
 * or, where `like` is given, with its elements. */
static glia_value state_variable(glia_scope *s, const char *name, const gi_type *t,
                                 double initial, const glia_tensor *like) {
  gi_entry *e = gi_store_find(s->store, name);
  if (e == NULL) {
    if (gi_store_add(s->store, name, GLIA_STATE, t, &e) != GLIA_OK)
      return gi_latch(s->graph, GLIA_NOMEM, "%s", glia_error_message());
    for (int64_t i = 0; i < glia_tensor_count(e->tensor) && initial != 0; i++)
      glia_tensor_set(e->tensor, i, initial);
    if (like != NULL)
      memcpy(glia_tensor_data(e->tensor), glia_tensor_data(like), glia_tensor_bytes(like));
  }
  const gi_type have = gi_tensor_type(e->tensor);
  char ht[96], wt[96];
  if (!gi_type_equal(&have, t))
    return gi_latch(s->graph, GLIA_MODEL, "%s: the stored state is %s, wanted %s", name,
                    gi_type_text(&have, ht, sizeof ht), gi_type_text(t, wt, sizeof wt));
  return gi_variable(s->graph, name);
}

/* "<prefix>optimizer.<name>", a f64 scalar of the store. */
static glia_value step_scalar(glia_scope *s, const char *prefix, const char *name,
                              double initial) {
  const gi_type t = {.dtype = GLIA_F64};
  const char *full =
      gi_arena_printf(&s->graph->arena, "%soptimizer.%s", prefix != NULL ? prefix : "", name);
  if (full == NULL) return gi_latch(s->graph, GLIA_NOMEM, "optimizer: no memory for a name");
  return state_variable(s, full, &t, initial, NULL);
}

gi_optim_step gi_optim_begin(glia_scope *s, const gi_optim *rule, const glia_optimizer *o,
                             const char *prefix, glia_value lr, glia_value momentum) {
  gi_optim_step k = {.o = o, .lr = lr, .momentum = momentum};
  const glia_value before = step_scalar(s, prefix, "step", 0);
  k.step = gi_plus(before, 1);
  glia_assign(before, k.step);
  if (rule->shared == NULL) return k;
  const glia_value old = step_scalar(s, prefix, rule->shared_name, 1);
  k.shared = rule->shared(&k, old);
  glia_assign(old, k.shared);
  return k;
}

/* What an update works on: the rows that the step uses; used NULL: all. */
static glia_value taken(glia_value all, const gi_used_rows *used) {
  return used == NULL ? all : glia_gather(all, used->index, 0);
}
/* `all` with what the update made of them. */
static glia_value put_back(glia_value all, glia_value rows, const gi_used_rows *used) {
  return used == NULL ? rows : gi_write_rows(all, rows, used);
}

/* One layer of the onion: finds its state, lets it work, keeps its state. */
static void apply(glia_scope *s, const char *name, gi_states_fn *states, gi_update_fn *update,
                  const gi_used_rows *used, gi_update *u) {
  gi_state list[GI_MAX_STATE];
  glia_value all[GI_MAX_STATE];
  const gi_entry *param = gi_store_find(s->store, name);
  const gi_type t = gi_tensor_type(param->tensor);
  const int n = states != NULL ? states(u->o, list) : 0;
  for (int i = 0; i < n; i++) {
    const char *full = gi_arena_printf(&s->graph->arena, "%s.%s", name, list[i].name);
    if (full == NULL) gi_latch(s->graph, GLIA_NOMEM, "%s: no memory for its state", name);
    if (full == NULL) return;
    all[i] =
        state_variable(s, full, &t, list[i].initial, list[i].of_param ? param->tensor : NULL);
    u->state[i] = taken(all[i], used);
  }
  update(u);
  for (int i = 0; i < n; i++) glia_assign(all[i], put_back(all[i], u->new_state[i], used));
}

/* used NULL: all rows have a gradient. */
static void update_parameter(glia_scope *s, const gi_optim *rule, const gi_optim_step *k,
                             const char *name, glia_value grad, const gi_used_rows *used) {
  const glia_value param = gi_variable(s->graph, name);
  int n = 0;
  if (gi_null(param) || gi_null(grad)) return;
  const char *before = gi_set_path(s->graph, name);
  gi_update u = {.o = k->o,
                 .lr = k->lr,
                 .step = k->step,
                 .momentum = k->momentum,
                 .shared = k->shared,
                 .by_rows = used != NULL,
                 .param = taken(param, used),
                 .grad = grad};
  for (; wrap_at(n) != NULL; n++)
    if (wrap_at(n)->on(k->o) && wrap_at(n)->before != NULL) wrap_at(n)->before(&u);
  apply(s, name, rule->states, rule->update, used, &u);
  u.by_rows = false;
  u.param = param;
  u.new_param = put_back(param, u.new_param, used);
  while (n-- > 0)
    if (wrap_at(n)->on(k->o) && wrap_at(n)->after != NULL)
      apply(s, name, wrap_at(n)->states, wrap_at(n)->after, NULL, &u);
  glia_assign(param, u.new_param);
  gi_set_path(s->graph, before);
}

void gi_apply_update(glia_scope *s, const gi_optim *rule, const gi_optim_step *k,
                     const char *name, glia_value grad) {
  update_parameter(s, rule, k, name, grad, NULL);
}

void gi_apply_to_rows(glia_scope *s, const gi_optim *rule, const gi_optim_step *k,
                      const char *name, const gi_used_rows *used) {
  update_parameter(s, rule, k, name, used->sum, used);
}

/* What of a gradient goes into the norm: its largest element, or the sum of |g|^p. */
static glia_value part_of_norm(glia_value g, double p) {
  if (p == 2) return glia_sum(glia_square(g));
  const glia_value size = glia_abs(g);
  if (isinf(p)) return glia_max(size);
  return glia_sum(p == 1 ? size : glia_pow(size, glia_scalar_like(size, p)));
}

glia_value gi_clip_norm(glia_value *grads, int n, double limit, double p) {
  glia_value norm = GLIA_NONE;
  for (int i = 0; i < n; i++) {
    const glia_value part = part_of_norm(grads[i], p);
    norm = i == 0 ? part : isinf(p) ? glia_maximum(norm, part) : glia_add(norm, part);
  }
  if (p == 2) norm = glia_sqrt(norm);
  if (p != 2 && p != 1 && !isinf(p)) norm = glia_pow(norm, glia_scalar_like(norm, 1 / p));
  const glia_value ratio = glia_div(glia_scalar_like(norm, limit), gi_plus(norm, 1e-6));
  const glia_value scale = glia_minimum(ratio, glia_scalar_like(norm, 1));
  for (int i = 0; i < n; i++) grads[i] = gi_scaled_by(grads[i], scale);
  return norm;
}

glia_status gi_trainable_find(glia_scope *s, const char *who, const char *prefix,
                              gi_trainable *t) {
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
    return gi_fail(GLIA_MODEL, "%s: the graph has no parameter%s%s%s that is not frozen", who,
                   prefix != NULL ? " \"" : "", prefix != NULL ? prefix : "",
                   prefix != NULL ? "*\"" : "");
  return GLIA_OK;
}

void gi_trainable_clear(gi_trainable *t) {
  gi_vec_free(&t->params);
  gi_vec_free(&t->names);
}

bool gi_takes_momentum(const glia_optimizer *o) {
  for (const gi_field *f = gi_optim_find(o->name)->fields; f->name != NULL; f++)
    if (f->offset == offsetof(glia_optimizer, beta1)) return true;
  return o->momentum != 0;
}

/* Gradients of a step; where one is known to have few rows, these stand for it. */
typedef struct gradients {
  glia_value *at;
  gi_used_rows *used; /* null index: it has all rows */
} gradients;

static glia_status find_gradients(glia_value loss, const gi_optim *rule,
                                  const glia_optimizer *o, const gi_trainable *t,
                                  gradients *g) {
  const size_t n = t->params.n;
  g->at = gi_alloc(n * sizeof *g->at);
  g->used = gi_alloc(n * sizeof *g->used);
  if (g->at == NULL || g->used == NULL) return gi_fail_nomem(n * sizeof *g->used);
  GI_TRY(glia_grad(loss, t->params.at, (int)n, g->at));
  const bool whole = rule->whole != NULL && rule->whole(o);
  for (size_t i = 0; i < n && !whole; i++)
    if (gi_is_sparse(g->at[i], &g->used[i])) g->at[i] = g->used[i].sum;
  return glia_graph_status(loss.graph);
}

static glia_status minimize(glia_scope *s, glia_value loss, const glia_optimizer *o,
                            const glia_minimize_opts *opt, gi_trainable *t, gradients *g) {
  const gi_optim *rule = gi_optim_find(o->name);
  if (!gi_null(opt->momentum) && !gi_takes_momentum(o))
    return gi_fail(GLIA_INVALID,
                   "minimize: %s has no momentum that could be moved; hint: an optimiser with "
                   "beta1, or momentum above 0",
                   o->name);
  GI_TRY(gi_trainable_find(s, "minimize", opt->prefix, t));
  const int n = (int)t->params.n;
  GI_TRY(find_gradients(loss, rule, o, t, g));
  for (int i = 0; i < n && opt->clip_value > 0; i++)
    g->at[i] = glia_clip(g->at[i], -opt->clip_value, opt->clip_value);
  if (opt->clip_norm > 0)
    gi_clip_norm(g->at, n, opt->clip_norm, opt->norm_type > 0 ? opt->norm_type : 2);
  const glia_value lr = gi_null(opt->lr) ? glia_scalar(s->graph, GLIA_F64, o->lr) : opt->lr;
  const gi_optim_step step = gi_optim_begin(s, rule, o, opt->prefix, lr, opt->momentum);
  for (int i = 0; i < n; i++)
    update_parameter(s, rule, &step, t->names.at[i], g->at[i],
                     gi_null(g->used[i].index) ? NULL : &g->used[i]);
  return glia_graph_status(s->graph);
}

void glia_minimize_opt(glia_scope *s, glia_value loss, const glia_optimizer *optimizer,
                       const glia_minimize_opts *opt) {
  glia_minimize_opts m;
  glia_optimizer o = optimizer != NULL ? *optimizer : (glia_optimizer){0};
  gi_trainable t = {0};
  gradients g = {NULL, NULL};
  if (s == NULL || gi_null(loss) || s->graph->status != GLIA_OK) return;
  gi_opts(&m, sizeof m, opt);
  glia_status status = glia_optimizer_resolve(&o);
  if (status == GLIA_OK && !(m.clip_norm >= 0 && m.clip_value >= 0 && m.norm_type >= 0))
    status = gi_fail(GLIA_INVALID,
                     "minimize: clip_norm %g, clip_value %g, norm_type %g: wanted 0 or more",
                     m.clip_norm, m.clip_value, m.norm_type);
  if (status == GLIA_OK) status = minimize(s, loss, &o, &m, &t, &g);
  if (status != GLIA_OK) gi_latch(s->graph, status, "%s", glia_error_message());
  gi_trainable_clear(&t);
  gi_free(g.at);
  gi_free(g.used);
}
