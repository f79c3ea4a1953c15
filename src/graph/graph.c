/* graph.c - the graph as a growing list of nodes: emitting, latching, reading back.
 *
 * gi_emit is the one way into a graph. It checks the inputs, asks the op for the output types
 * and appends, unless an equal node exists already: the graph is free of common subexpressions
 * at all times, since passes are built on gi_emit too.
 */
#include "graph/graph.h"

#include <stdlib.h>

glia_status glia_graph_new(glia_graph **out) {
  glia_graph *g = gi_alloc(sizeof *g);
  if (g == NULL) return gi_fail_nomem(sizeof *g);
  g->path = "";
  *out = g;
  return GLIA_OK;
}

void glia_graph_free(glia_graph *g) {
  if (g == NULL) return;
  gi_vec_free(&g->nodes);
  gi_vec_free(&g->values);
  gi_vec_free(&g->roots);
  gi_free(g->table);
  gi_free(g->message);
  gi_arena_free(&g->arena);
  gi_free(g);
}

glia_status glia_graph_status(const glia_graph *g) {
  if (g == NULL || g->status == GLIA_OK) return GLIA_OK;
  return gi_fail(g->status, "%s", g->message != NULL ? g->message : "out of memory");
}

const char *gi_set_path(glia_graph *g, const char *p) {
  const char *before = g->path;
  g->path = p;
  return before;
}

/* ---- latching ---------------------------------------------------------------------------- */

/* Keeps the thread's message as the graph's first failure. */
static glia_value latch_message(glia_graph *g, glia_status s) {
  if (g != NULL && g->status == GLIA_OK) {
    if (g->path[0] != '\0') gi_where(s, "%s", g->path);
    g->status = s;
    g->message = gi_strdup(glia_error_message());
  }
  return (glia_value){NULL, 0};
}

glia_value gi_latch(glia_graph *g, glia_status s, const char *fmt, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (g != NULL && g->status != GLIA_OK) return (glia_value){NULL, 0};
  return latch_message(g, gi_fail(s, "%s", text));
}

void gi_latched_where(glia_graph *g, const char *fmt, ...) {
  char text[256];
  if (g->status == GLIA_OK) return;
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  gi_str full = {0};
  gi_str_printf(&full, "%s: %s", text, g->message != NULL ? g->message : "out of memory");
  char *message = gi_str_take(&full);
  if (message == NULL) return; /* the message stays as it was */
  gi_free(g->message);
  g->message = message;
}

/* ---- finding equal nodes ----------------------------------------------------------------- */

/* Commutative ops are kept with their smaller input first. */
static void order_inputs(const gi_op *op, uint32_t *in, int n_in) {
  if ((op->flags & GI_COMMUTES) && n_in == 2 && in[0] > in[1]) {
    const uint32_t t = in[0];
    in[0] = in[1];
    in[1] = t;
  }
}

static uint64_t node_hash(const gi_op *op, const void *attr, const uint32_t *in, int n_in) {
  uint64_t h = gi_hash(&op, sizeof op, 0);
  h = gi_hash(in, (size_t)n_in * sizeof *in, h);
  return h ^ gi_attr_hash(op, attr);
}

static bool node_equal(const gi_node *n, const gi_op *op, const void *attr, const uint32_t *in,
                       int n_in) {
  return n->op == op && n->n_in == n_in && memcmp(n->in, in, (size_t)n_in * sizeof *in) == 0 &&
         gi_attr_equal(op, n->attr, attr);
}

/* Slot of an equal node, or of the free place where it belongs. */
static size_t find_slot(const glia_graph *g, const gi_op *op, const void *attr,
                        const uint32_t *in, int n_in) {
  size_t i = (size_t)node_hash(op, attr, in, n_in) & (g->table_cap - 1);
  while (g->table[i] != 0 && !node_equal(g->nodes.at[g->table[i] - 1], op, attr, in, n_in))
    i = (i + 1) & (g->table_cap - 1);
  return i;
}

static bool grow_table(glia_graph *g) {
  if (g->table != NULL && (g->nodes.n + 1) * 2 <= g->table_cap) return true;
  const size_t cap = g->table_cap != 0 ? g->table_cap * 2 : 256;
  uint32_t *table = gi_alloc(cap * sizeof *table);
  if (table == NULL) return false;
  gi_free(g->table);
  g->table = table;
  g->table_cap = cap;
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    g->table[find_slot(g, n->op, n->attr, n->in, n->n_in)] = (uint32_t)k + 1;
  }
  return true;
}

/* ---- emitting ---------------------------------------------------------------------------- */

/* The graph that the inputs share, or g; latches null inputs and mixed graphs. */
static glia_graph *common_graph(glia_graph *g, const gi_op *op, const glia_value *in,
                                int n_in) {
  for (int i = 0; i < n_in && g == NULL; i++) g = in[i].graph;
  if (g == NULL || g->status != GLIA_OK) return NULL;
  if (n_in < op->min_in || (op->max_in >= 0 && n_in > op->max_in)) {
    gi_latch(g, GLIA_INVALID, "%s: takes %d to %d inputs, got %d", op->name, op->min_in,
             op->max_in, n_in);
    return NULL;
  }
  for (int i = 0; i < n_in; i++) {
    if (in[i].graph == g) continue;
    gi_latch(g, GLIA_INVALID,
             in[i].graph == NULL ? "%s: input %d is the null value"
                                 : "%s: input %d belongs to another graph",
             op->name, i);
    return NULL;
  }
  return g;
}

static glia_status infer_types(const glia_graph *g, const gi_op *op, const void *attr,
                               const glia_value *in, int n_in, int *n_out, gi_type *out) {
  gi_type few[8], *types = few;
  if (n_in > GI_COUNT(few) && (types = gi_alloc((size_t)n_in * sizeof *types)) == NULL)
    return gi_fail_nomem((size_t)n_in * sizeof *types);
  for (int i = 0; i < n_in; i++) types[i] = g->values.at[in[i].id]->type;
  memset(out, 0, GI_MAX_OUT * sizeof *out);
  gi_infer c = {n_in, types, attr, op->n_out, out};
  glia_status s = op->infer(&c);
  for (int k = 0; s == GLIA_OK && k < c.n_out; k++) s = gi_type_check(&out[k], op->name);
  *n_out = c.n_out;
  if (types != few) gi_free(types);
  return s;
}

static bool append(glia_graph *g, const gi_op *op, const void *attr, const uint32_t *in,
                   int n_in, int n_out, const gi_type *types) {
  gi_node *n = gi_arena_alloc(&g->arena, sizeof *n);
  gi_val *out = gi_arena_alloc(&g->arena, (size_t)n_out * sizeof *out);
  if (n == NULL || out == NULL) return false;
  *n = (gi_node){
      .op = op, .n_in = n_in, .n_out = n_out, .out = (uint32_t)g->values.n, .path = g->path};
  n->in = gi_arena_copy(&g->arena, in, (size_t)GI_MAX(n_in, 1) * sizeof *in);
  n->attr = op->attr_size != 0 ? gi_attr_copy(&g->arena, op, attr) : NULL;
  if (n->in == NULL || (op->attr_size != 0 && n->attr == NULL)) return false;
  if (!gi_vec_reserve(&g->values, g->values.n + (size_t)n_out) ||
      !gi_vec_reserve(&g->nodes, g->nodes.n + 1) || !grow_table(g))
    return false;
  if (!g->no_cse) g->table[find_slot(g, op, n->attr, in, n_in)] = (uint32_t)g->nodes.n + 1;
  for (int k = 0; k < n_out; k++) {
    out[k] = (gi_val){.type = types[k], .node = (uint32_t)g->nodes.n, .index = k};
    g->values.at[g->values.n++] = &out[k];
  }
  g->nodes.at[g->nodes.n++] = n;
  return true;
}

glia_value gi_emit(glia_graph *g, const gi_op *op, const void *attr, const glia_value *in,
                   int n_in, glia_value *out) {
  uint32_t few[16], *ids = few;
  gi_type types[GI_MAX_OUT];
  int n_out = op->n_out;
  for (int k = 0; out != NULL && k < GI_MAX_OUT && k < op->n_out; k++)
    out[k] = (glia_value){NULL, 0};
  g = common_graph(g, op, in, n_in);
  if (g == NULL) return (glia_value){NULL, 0};
  if (n_in > GI_COUNT(few) && (ids = gi_alloc((size_t)n_in * sizeof *ids)) == NULL)
    return latch_message(g, gi_fail_nomem((size_t)n_in * sizeof *ids));
  for (int i = 0; i < n_in; i++) ids[i] = in[i].id;
  order_inputs(op, ids, n_in);

  glia_value first = {g, (uint32_t)g->values.n};
  const uint32_t known =
      g->table != NULL && !g->no_cse ? g->table[find_slot(g, op, attr, ids, n_in)] : 0;
  glia_status s = GLIA_OK;
  if (known != 0) {
    first.id = g->nodes.at[known - 1]->out;
    n_out = g->nodes.at[known - 1]->n_out;
  } else {
    s = infer_types(g, op, attr, in, n_in, &n_out, types);
    if (s == GLIA_OK && !append(g, op, attr, ids, n_in, n_out, types))
      s = gi_fail_nomem(sizeof(gi_node));
  }
  if (ids != few) gi_free(ids);
  if (s != GLIA_OK) return latch_message(g, s);
  for (int k = 0; out != NULL && k < n_out; k++)
    out[k] = (glia_value){g, first.id + (uint32_t)k};
  return first;
}

glia_value gi_copy_node(glia_graph *to, const gi_node *n, const glia_value *in,
                        glia_value *out) {
  const char *path = gi_arena_strdup(&to->arena, n->path);
  if (path == NULL) return latch_message(to, gi_fail_nomem(1));
  const char *before = gi_set_path(to, path);
  const glia_value v = gi_emit(to, n->op, n->attr, in, n->n_in, out);
  gi_set_path(to, before);
  if (gi_null(v)) return v;
  gi_node *made = to->nodes.at[to->values.at[v.id]->node];
  made->kernel = n->kernel;
  made->choice = n->choice;
  return v;
}

/* ---- reading ----------------------------------------------------------------------------- */

const gi_node *gi_node_of(glia_value v) {
  return v.graph->nodes.at[v.graph->values.at[v.id]->node];
}

gi_type gi_value_type(glia_value v) { return v.graph->values.at[v.id]->type; }

glia_dtype glia_value_dtype(glia_value v) {
  return gi_null(v) ? GLIA_F32 : v.graph->values.at[v.id]->type.dtype;
}

int glia_value_rank(glia_value v) {
  return gi_null(v) ? -1 : v.graph->values.at[v.id]->type.rank;
}

const int64_t *glia_value_shape(glia_value v) {
  static const int64_t none[GLIA_MAX_RANK];
  return gi_null(v) ? none : v.graph->values.at[v.id]->type.dim;
}

int64_t glia_value_dim(glia_value v, int axis) {
  if (gi_null(v)) return 0;
  const int a = gi_axis(axis, glia_value_rank(v));
  return a < 0 ? 0 : glia_value_shape(v)[a];
}

/* ---- roots ------------------------------------------------------------------------------- */

glia_value glia_output(const char *name, glia_value v) {
  if (gi_null(v)) return v;
  glia_graph *g = v.graph;
  for (size_t i = 0; i < g->roots.n; i++)
    if (g->roots.at[i].name != NULL && strcmp(g->roots.at[i].name, name) == 0)
      return gi_latch(g, GLIA_INVALID, "output \"%s\": there is one of this name already",
                      name);
  const gi_root r = {gi_arena_strdup(&g->arena, name), v.id, GI_NO_VALUE};
  if (r.name == NULL || !gi_vec_push(&g->roots, r))
    return latch_message(g, gi_fail_nomem(sizeof r));
  return v;
}

bool gi_is_assigned(const glia_graph *g, uint32_t v) {
  for (size_t i = 0; i < g->roots.n; i++)
    if (g->roots.at[i].variable == v) return true;
  return false;
}

void glia_assign(glia_value variable, glia_value value) {
  if (gi_null(variable) || gi_null(value)) return;
  glia_graph *g = variable.graph;
  const gi_node *n = gi_node_of(variable);
  const gi_type a = gi_value_type(variable), b = gi_value_type(value);
  char at[96], bt[96];
  if (n->op != &gi_op_variable) {
    gi_latch(g, GLIA_INVALID, "assign: the target is a %s, not a variable", n->op->name);
    return;
  }
  const char *name = ((const gi_input_attr *)n->attr)->name;
  if (!gi_type_equal(&a, &b)) {
    gi_latch(g, GLIA_SHAPE, "assign: %s is %s, the new value %s", name,
             gi_type_text(&a, at, sizeof at), gi_type_text(&b, bt, sizeof bt));
    return;
  }
  for (size_t i = 0; i < g->roots.n; i++)
    if (g->roots.at[i].variable == variable.id) {
      gi_latch(g, GLIA_INVALID, "assign: %s is assigned twice in one step", name);
      return;
    }
  const gi_root r = {NULL, value.id, variable.id};
  if (!gi_vec_push(&g->roots, r)) latch_message(g, gi_fail_nomem(sizeof r));
}
