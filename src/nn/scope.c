/* scope.c - scopes and the parameters that live in them. */
#include "nn/scope.h"

static glia_scope *make_scope(glia_graph *g, const glia_scope *like, const char *path) {
  glia_scope *s = gi_arena_alloc(&g->arena, sizeof *s);
  if (s == NULL || path == NULL) {
    gi_latch(g, GLIA_NOMEM, "scope: no memory for %zu bytes", sizeof *s);
    return NULL;
  }
  *s = *like;
  s->path = path;
  return s;
}

glia_scope *glia_scope_new(glia_graph *g, glia_store *store, const glia_scope_opts *opt) {
  glia_scope_opts o;
  gi_opts(&o, sizeof o, opt);
  if (g == NULL) return NULL;
  if (g->store != NULL && g->store != store) {
    gi_latch(g, GLIA_INVALID, "scope: the graph has another store already");
    return NULL;
  }
  g->store = store;
  const glia_scope like = {.graph = g,
                           .store = store,
                           .train = o.train,
                           .zeros = o.zeros,
                           .averaged = o.averaged,
                           .seed = o.seed};
  return make_scope(g, &like, "");
}

const char *gi_scoped(const glia_scope *s, const char *name) {
  return s->path[0] == '\0' ? gi_arena_strdup(&s->graph->arena, name)
                            : gi_arena_printf(&s->graph->arena, "%s.%s", s->path, name);
}

glia_scope *glia_scope_in(glia_scope *s, const char *name) {
  return s == NULL ? NULL : make_scope(s->graph, s, gi_scoped(s, name));
}

glia_scope *glia_scope_updated(glia_scope *s) {
  if (s == NULL) return NULL;
  glia_scope *after = make_scope(s->graph, s, s->path);
  if (after != NULL) after->updated = true;
  return after;
}

glia_graph *glia_scope_graph(const glia_scope *s) { return s != NULL ? s->graph : NULL; }
bool glia_scope_training(const glia_scope *s) { return s != NULL && s->train; }

gi_entered gi_enter(glia_scope *s, const char *name) {
  gi_entered e = {glia_scope_in(s, name), NULL};
  if (e.scope != NULL) e.before = gi_set_path(s->graph, e.scope->path);
  return e;
}

glia_value gi_leave(const gi_entered *e, glia_value result) {
  if (e->scope != NULL) gi_set_path(e->scope->graph, e->before);
  return result;
}

const char *gi_origin(glia_value v, char *buf, size_t n) {
  const gi_node *node = gi_node_of(v);
  char shape[128] = "";
  if (node->n_in > 0) {
    const gi_type t = gi_value_type(gi_value(v.graph, node->in[0]));
    gi_shape_text(&t, shape, sizeof shape);
  }
  if (node->op == &gi_op_input)
    snprintf(buf, n, "input %s", ((const gi_input_attr *)node->attr)->name);
  else
    snprintf(buf, n, "%s%s%s(%s)", node->path, node->path[0] != '\0' ? ": " : "",
             node->op->name, shape);
  return buf;
}

/* ---- parameters -------------------------------------------------------------------------- */

/* The variable, or what the step has assigned to it by now: a number to what reads it, not a
 * function of the gradients it was made from. */
static glia_value current(const glia_scope *s, const char *name) {
  const glia_value v = gi_variable(s->graph, name);
  const glia_graph *g = s->graph;
  for (size_t i = 0; s->updated && !gi_null(v) && i < g->roots.n; i++)
    if (g->roots.at[i].variable == v.id)
      return glia_stop_gradient(gi_value(s->graph, g->roots.at[i].value));
  return v;
}

static glia_value existing(glia_scope *s, const gi_entry *e, const gi_type *want) {
  const gi_type have = gi_tensor_type(e->tensor);
  char ht[96], wt[96];
  if (!gi_type_equal(&have, want))
    return gi_latch(s->graph, GLIA_MODEL, "%s: the stored tensor is %s, this network wants %s",
                    e->name, gi_type_text(&have, ht, sizeof ht),
                    gi_type_text(want, wt, sizeof wt));
  const char *mean = s->averaged && e->kind == GLIA_PARAMETER
                         ? gi_arena_printf(&s->graph->arena, "%s." GI_AVERAGE, e->name)
                         : NULL;
  return current(s, mean != NULL && gi_store_find(s->store, mean) != NULL ? mean : e->name);
}

static glia_value tensor_of(glia_scope *s, const char *name, glia_store_kind kind, int rank,
                            const int64_t *shape, glia_init init) {
  if (s == NULL || s->graph->status != GLIA_OK) return GLIA_NONE;
  gi_type t = {.dtype = GLIA_F32, .rank = rank};
  for (int i = 0; i < rank && i < GLIA_MAX_RANK; i++) t.dim[i] = shape[i];
  const char *full = gi_scoped(s, name);
  if (full == NULL) return gi_latch(s->graph, GLIA_NOMEM, "%s: no memory for its name", name);
  gi_entry *e = gi_store_find(s->store, full);
  if (e != NULL) {
    const glia_dtype stored = glia_tensor_dtype(e->tensor);
    if (glia_dtype_is_float(stored))
      t.dtype = stored; /* a file of f64 makes a network of f64 */
    return existing(s, e, &t);
  }
  glia_status status = gi_type_check(&t, full);
  if (status == GLIA_OK) status = gi_store_add(s->store, full, kind, &t, &e);
  if (status == GLIA_OK && !s->zeros) status = glia_initialise(e->tensor, init, s->seed, full);
  if (status != GLIA_OK) return gi_latch(s->graph, status, "%s", glia_error_message());
  return gi_variable(s->graph, full);
}

glia_value glia_parameter(glia_scope *s, const char *name, int rank, const int64_t *shape,
                          glia_init init) {
  if (s != NULL && s->weight != NULL && rank > 1 && strcmp(name, "weight") == 0)
    return s->weight(s, rank, shape, init);
  return tensor_of(s, name, GLIA_PARAMETER, rank, shape, init);
}

glia_value glia_buffer(glia_scope *s, const char *name, int rank, const int64_t *shape,
                       double fill) {
  const glia_init init = {.kind = GLIA_INIT_CONSTANT, .a = fill};
  return tensor_of(s, name, GLIA_BUFFER, rank, shape, init);
}
