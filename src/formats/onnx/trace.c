/* trace.c - the walk over a model's nodes; frames and their names; functions are inlined. */
#include "formats/onnx/trace.h"

#include "formats/onnx/operators/common.h"

#include <inttypes.h>

/* ---- names ------------------------------------------------------------------------------- */

static size_t place_of(const gi_onnx_frame *f, const char *name) {
  size_t i = (size_t)gi_hash_str(name, 0) & (f->cap - 1);
  while (f->names[i].name != NULL && strcmp(f->names[i].name, name) != 0)
    i = (i + 1) & (f->cap - 1);
  return i;
}

static glia_status grow(gi_onnx_frame *f) {
  gi_onnx_frame wide = *f;
  wide.cap = f->cap > 0 ? 2 * f->cap : 64;
  wide.names = gi_alloc(wide.cap * sizeof *wide.names);
  if (wide.names == NULL) return gi_fail_nomem(wide.cap * sizeof *wide.names);
  for (size_t i = 0; i < f->cap; i++)
    if (f->names[i].name != NULL) wide.names[place_of(&wide, f->names[i].name)] = f->names[i];
  gi_free(f->names);
  *f = wide;
  return GLIA_OK;
}

static glia_status name_value(gi_onnx_frame *f, const char *name, glia_value v, int type) {
  if (name[0] == '\0') return GLIA_OK;
  if (2 * f->n >= f->cap) GI_TRY(grow(f));
  gi_onnx_name *at = &f->names[place_of(f, name)];
  if (at->name == NULL) f->n++;
  *at = (gi_onnx_name){name, v, type};
  return GLIA_OK;
}

static const gi_onnx_name *look_up(const gi_onnx_frame *f, const char *name) {
  for (; f != NULL; f = f->outer) {
    if (f->cap == 0) continue;
    const gi_onnx_name *at = &f->names[place_of(f, name)];
    if (at->name != NULL) return at;
  }
  return NULL;
}

/* ---- which row --------------------------------------------------------------------------- */

static bool same_domain(const char *a, const char *b) {
  if (a == NULL || strcmp(a, "ai.onnx") == 0) a = "";
  if (b == NULL || strcmp(b, "ai.onnx") == 0) b = "";
  return strcmp(a, b) == 0;
}

const gi_onnx_operator *gi_onnx_operator_find(const char *domain, const char *name) {
  for (const gi_onnx_operator *const *const *t = gi_onnx_operators_table; *t != NULL; t++)
    for (const gi_onnx_operator *const *row = *t; *row != NULL; row++)
      if (strcmp((*row)->name, name) == 0 && same_domain((*row)->domain, domain)) return *row;
  return NULL;
}

static const gi_onnx_function *function_of(const gi_onnx_model *m, const gi_onnx_node *node) {
  for (int i = 0; i < m->n_function; i++)
    if (strcmp(m->function[i].name, node->op) == 0 &&
        same_domain(m->function[i].domain, node->domain))
      return &m->function[i];
  return NULL;
}

int gi_onnx_opset_of(const gi_onnx_trace *t, const char *domain) {
  const gi_onnx_function *f = t->frame != NULL ? t->frame->function : NULL;
  const gi_onnx_opset *list = f != NULL ? f->opset : t->model->opset;
  const int n = f != NULL ? f->n_opset : t->model->n_opset;
  for (int i = 0; i < n; i++)
    if (same_domain(list[i].domain, domain))
      return (int)GI_MIN(GI_MAX(list[i].version, 0), INT32_MAX);
  return 0;
}

/* The place of a word in a list of words that blanks part. */
static bool is_word_of(const char *list, const char *word) {
  const size_t n = strlen(word);
  for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
    if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) return n > 0;
  return false;
}

static glia_status check_version(const gi_onnx_trace *t, const gi_onnx_node *node,
                                 const gi_onnx_operator *row, int *version) {
  const int opset = gi_onnx_opset_of(t, node->domain);
  const char *domain = node->domain[0] != '\0' ? node->domain : "ai.onnx";
  if (opset == 0)
    return gi_fail(GLIA_MODEL, "the model names no opset of the domain %s", domain);
  if (same_domain(node->domain, NULL) && opset > GI_ONNX_NEWEST)
    return gi_fail(
        GLIA_UNSUPPORTED,
        "opset %d is newer than those known here, up to %d; export the model with an "
        "older one",
        opset, GI_ONNX_NEWEST);
  if (opset < row->since[0])
    return gi_fail(GLIA_UNSUPPORTED, "the operator is known from opset %d on, the model has %d",
                   row->since[0], opset);
  if (row->until > 0 && opset >= row->until)
    return gi_fail(GLIA_MODEL, "the operator is gone since opset %d, the model has %d",
                   row->until, opset);
  for (int i = 0; i < GI_ONNX_VERSIONS && row->since[i] > 0 && row->since[i] <= opset; i++)
    *version = row->since[i];
  return GLIA_OK;
}

glia_status gi_onnx_supported(const gi_onnx_trace *t, const gi_onnx_node *node,
                              const gi_onnx_operator **row, int *version) {
  *row = gi_onnx_operator_find(node->domain, node->op);
  if (*row == NULL && !same_domain(node->domain, NULL))
    return gi_fail(
        GLIA_UNSUPPORTED,
        "operators of the domain '%s' are not known here, and the file has no function "
        "of that name",
        node->domain);
  if (*row == NULL) return gi_fail(GLIA_UNSUPPORTED, "the operator is not known here");
  const gi_onnx_operator *r = *row;
  GI_TRY(check_version(t, node, r, version));
  if (node->n_in < r->min_in || (r->max_in >= 0 && node->n_in > r->max_in))
    return gi_fail(GLIA_MODEL, "has %d inputs, the operator takes %d to %d", node->n_in,
                   r->min_in, r->max_in);
  const int most = r->max_out == 0 ? 1 : r->max_out;
  if (node->n_out < 1 || (most >= 0 && node->n_out > most))
    return gi_fail(GLIA_MODEL, "has %d outputs, the operator gives up to %d", node->n_out,
                   most);
  for (int i = 0; i < node->n_attr; i++)
    if (!is_word_of(r->attributes, node->attr[i].name))
      return gi_fail(GLIA_UNSUPPORTED, "the attribute '%s' is not known; known are: %s",
                     node->attr[i].name, r->attributes[0] != '\0' ? r->attributes : "none");
  return GLIA_OK;
}

glia_status gi_onnx_where(const gi_onnx_trace *t, const gi_onnx_node *node, glia_status s) {
  if (s == GLIA_OK) return s;
  const char *name = node->name[0] != '\0' ? node->name : node->n_out > 0 ? node->out[0] : "";
  if (t->depth > 1) return gi_where(s, "node '%s' (%s)", name, node->op);
  return gi_where(s, "%s: node '%s' (%s)", t->model->path, name, node->op);
}

/* ---- nodes ------------------------------------------------------------------------------- */

/* Names the outputs, each with its ONNX type. */
static glia_status name_outputs(gi_onnx_trace *t, const gi_onnx_call *c) {
  for (int i = 0; i < c->node->n_out; i++) {
    if (!gi_onnx_wanted(c, i)) continue;
    if (c->out[i].graph == NULL)
      return gi_fail(GLIA_UNSUPPORTED, "output %d, '%s', is not made here", i, c->node->out[i]);
    int type = c->out_type[i];
    glia_dtype carrier = GLIA_F32;
    const glia_dtype dtype = glia_value_dtype(c->out[i]);
    if (type == GI_ONNX_UNDEFINED && c->n_in > 0 && gi_onnx_carrier(c->in_type[0], &carrier) &&
        carrier == dtype)
      type = c->in_type[0];
    if (type == GI_ONNX_UNDEFINED) type = gi_onnx_type_of(dtype);
    c->out[i] = gi_onnx_wrap(c->out[i], type);
    GI_TRY(name_value(t->frame, c->node->out[i], c->out[i], type));
  }
  return GLIA_OK;
}

static glia_status run_frame(gi_onnx_trace *t, gi_onnx_frame *f, const gi_onnx_node *node,
                             int n, const bool *needed);

/* Puts a function's body in place of the node that calls it. */
static glia_status inline_function(gi_onnx_call *c, const gi_onnx_function *fn) {
  gi_onnx_trace *t = c->trace;
  if (c->n_in > fn->n_in || c->n_out > fn->n_out)
    return gi_fail(GLIA_MODEL, "has %d inputs and %d outputs, the function %s has %d and %d",
                   c->n_in, c->n_out, fn->name, fn->n_in, fn->n_out);
  gi_onnx_frame f = {.function = fn, .node = c->node, .caller = t->frame};
  glia_status s = GLIA_OK;
  for (int i = 0; i < fn->n_in && s == GLIA_OK; i++)
    s = name_value(&f, fn->in[i], i < c->n_in ? c->in[i] : GLIA_NONE,
                   i < c->n_in ? c->in_type[i] : GI_ONNX_UNDEFINED);
  if (s == GLIA_OK) s = run_frame(t, &f, fn->node, fn->n_node, NULL);
  for (int i = 0; i < c->n_out && s == GLIA_OK; i++) {
    const gi_onnx_name *at = look_up(&f, fn->out[i]);
    if (at == NULL) {
      s = gi_fail(GLIA_MODEL, "the function %s never makes its output '%s'", fn->name,
                  fn->out[i]);
      break;
    }
    c->out[i] = at->v;
    c->out_type[i] = at->type;
  }
  gi_free(f.names);
  return s;
}

static glia_status build(gi_onnx_call *c) {
  gi_onnx_trace *t = c->trace;
  const gi_onnx_function *fn = function_of(t->model, c->node);
  if (fn != NULL) {
    GI_TRY(inline_function(c, fn));
  } else {
    const gi_onnx_operator *row = NULL;
    GI_TRY(gi_onnx_supported(t, c->node, &row, &c->version));
    for (int i = 0; i < row->min_in; i++)
      if (!gi_onnx_given(c, i))
        return gi_fail(GLIA_MODEL, "input %d is not given, the operator wants %d", i,
                       row->min_in);
    GI_TRY(row->build(c));
  }
  GI_TRY(glia_graph_status(c->g));
  GI_TRY(name_outputs(t, c));
  return glia_graph_status(c->g);
}

static glia_status look_up_inputs(gi_onnx_call *c, glia_value *in, int *type) {
  const gi_onnx_node *node = c->node;
  for (int i = 0; i < node->n_in; i++) {
    if (node->in[i][0] == '\0') continue;
    const gi_onnx_name *at = look_up(c->trace->frame, node->in[i]);
    if (at == NULL)
      return gi_fail(GLIA_MODEL, "its input '%s' is made by nothing before it", node->in[i]);
    in[i] = at->v;
    type[i] = at->type;
    if (at->v.graph != NULL) c->n_in = i + 1;
  }
  return GLIA_OK;
}

static glia_status build_node(gi_onnx_trace *t, const gi_onnx_node *node) {
  gi_arena *a = &t->g->arena;
  const size_t n_in = (size_t)node->n_in + 1, n_out = (size_t)node->n_out + 1;
  glia_value *in = gi_arena_alloc(a, n_in * sizeof *in);
  glia_value *out = gi_arena_alloc(a, n_out * sizeof *out);
  int *in_type = gi_arena_alloc(a, n_in * sizeof *in_type);
  int *out_type = gi_arena_alloc(a, n_out * sizeof *out_type);
  if (in == NULL || out == NULL || in_type == NULL || out_type == NULL)
    return gi_fail_nomem((n_in + n_out) * sizeof *in);
  gi_onnx_call c = {.trace = t,
                    .g = t->g,
                    .node = node,
                    .opset = gi_onnx_opset_of(t, node->domain),
                    .n_out = node->n_out,
                    .in = in,
                    .in_type = in_type,
                    .out = out,
                    .out_type = out_type};
  while (c.n_out > 0 && node->out[c.n_out - 1][0] == '\0') c.n_out--;
  GI_TRY(look_up_inputs(&c, in, in_type));
  return build(&c);
}

static glia_status run_frame(gi_onnx_trace *t, gi_onnx_frame *f, const gi_onnx_node *node,
                             int n, const bool *needed) {
  if (t->depth >= GI_ONNX_DEPTH)
    return gi_fail(GLIA_UNSUPPORTED, "graphs and functions within each other, %d deep",
                   GI_ONNX_DEPTH);
  gi_onnx_frame *before = t->frame;
  t->frame = f;
  t->depth++;
  glia_status s = GLIA_OK;
  for (int i = 0; i < n && s == GLIA_OK; i++) {
    if (needed != NULL && !needed[i]) continue;
    char *path = gi_arena_printf(&t->g->arena, "%s",
                                 node[i].name[0] != '\0' ? node[i].name : node[i].op);
    const char *outer = gi_set_path(t->g, path != NULL ? path : "");
    s = build_node(t, &node[i]);
    gi_set_path(t->g, outer);
    if (s != GLIA_OK) gi_onnx_where(t, &node[i], s);
  }
  t->depth--;
  t->frame = before;
  return s;
}

/* Inputs that are numbers of the operator's own (running means, factors, limits), nothing that
 * a gradient should move. */
static bool is_statistic(const gi_onnx_graph *g, const char *name) {
  static const struct {
    const char *op;
    int first, last;
  } rows[] = {{"BatchNormalization", 3, 4},
              {"Resize", 1, 3},
              {"Upsample", 1, 1},
              {"Clip", 1, 2},
              {"Pad", 2, 2},
              {"QuantizeLinear", 1, 2},
              {"DequantizeLinear", 1, 2},
              {"Dropout", 1, 1},
              {"OneHot", 1, 2}};
  for (int i = 0; i < g->n_node; i++)
    for (int r = 0; r < GI_COUNT(rows); r++) {
      const gi_onnx_node *node = &g->node[i];
      if (strcmp(node->op, rows[r].op) != 0) continue;
      for (int k = rows[r].first; k <= rows[r].last && k < node->n_in; k++)
        if (strcmp(node->in[k], name) == 0) return true;
    }
  return false;
}

/* ---- graphs ------------------------------------------------------------------------------ */

static glia_status name_initializer(gi_onnx_trace *t, gi_onnx_frame *f, const gi_onnx_tensor *x,
                                    bool main) {
  glia_value v;
  if (main && gi_onnx_is_parameter(x)) {
    v = t->parameter != NULL ? t->parameter(t->user, x, is_statistic(&t->model->graph, x->name))
                             : gi_variable(t->g, x->name);
  } else {
    glia_tensor *elements = NULL;
    GI_TRY(gi_onnx_tensor_load(x, t->model->path, &elements));
    v = glia_constant(t->g, glia_tensor_dtype(elements), glia_tensor_rank(elements),
                      glia_tensor_shape(elements), glia_tensor_data(elements));
    glia_tensor_free(elements);
  }
  GI_TRY(glia_graph_status(t->g));
  return name_value(f, x->name, v, x->type);
}

static glia_status take_output(const gi_onnx_frame *f, const char *graph, const char *name,
                               glia_value *out, int *type) {
  const gi_onnx_name *at = look_up(f, name);
  if (at == NULL || at->v.graph == NULL)
    return gi_fail(GLIA_MODEL, "graph '%s': nothing makes its output '%s'", graph, name);
  *out = at->v;
  *type = at->type;
  return GLIA_OK;
}

/* The nodes and initializers that are needed; all where `node` is NULL. */
static glia_status trace_nodes(gi_onnx_trace *t, const gi_onnx_graph *graph, gi_onnx_frame *f,
                               const glia_value *in, const int *in_type, int n_in,
                               const bool *node, const bool *init) {
  if (n_in != graph->n_in)
    return gi_fail(GLIA_MODEL, "graph '%s' has %d inputs, %d are given", graph->name,
                   graph->n_in, n_in);
  for (int i = 0; i < graph->n_init; i++)
    if (init == NULL || init[i])
      GI_TRY(name_initializer(t, f, &graph->init[i], graph == &t->model->graph));
  for (int i = 0; i < n_in; i++) GI_TRY(name_value(f, graph->in[i].name, in[i], in_type[i]));
  return run_frame(t, f, graph->node, graph->n_node, node);
}

glia_status gi_onnx_subgraph(const gi_onnx_call *c, const gi_onnx_graph *graph,
                             const glia_value *in, const int *in_type, int n_in,
                             glia_value *out, int *out_type) {
  gi_onnx_frame *around = c->trace->frame;
  gi_onnx_frame f = {.outer = around,
                     .function = around->function,
                     .node = around->node,
                     .caller = around->caller};
  glia_status s = trace_nodes(c->trace, graph, &f, in, in_type, n_in, NULL, NULL);
  for (int i = 0; i < graph->n_out && s == GLIA_OK; i++)
    s = take_output(&f, graph->name, graph->out[i].name, &out[i], &out_type[i]);
  gi_free(f.names);
  return s;
}

glia_status gi_onnx_trace_model(gi_onnx_trace *t, const int *in_type, glia_value *out,
                                int *type) {
  const gi_onnx_graph *g = &t->model->graph;
  gi_onnx_frame f = {0};
  bool *node = gi_alloc((size_t)g->n_node + 1), *init = gi_alloc((size_t)g->n_init + 1);
  glia_status s = node == NULL || init == NULL ? gi_fail_nomem((size_t)g->n_node) : GLIA_OK;
  if (s == GLIA_OK) s = gi_onnx_needed(g, t->until, node, init);
  if (s == GLIA_OK) s = trace_nodes(t, g, &f, t->input, in_type, g->n_in, node, init);
  if (s == GLIA_OK && t->until != NULL) {
    s = take_output(&f, g->name, t->until, out, type);
  } else {
    for (int i = 0; i < g->n_out && s == GLIA_OK; i++)
      s = take_output(&f, g->name, g->out[i].name, &out[i], &type[i]);
  }
  gi_free(f.names);
  gi_free(node);
  gi_free(init);
  const size_t n = strlen(t->model->path);
  if (s != GLIA_OK && strncmp(glia_error_message(), t->model->path, n) != 0)
    gi_where(s, "%s", t->model->path);
  return s;
}

void gi_onnx_trace_free(gi_onnx_trace *t) {
  for (size_t i = 0; i < t->known.n; i++) glia_tensor_free(t->known.at[i]);
  gi_vec_free(&t->known);
}

/* ---- parameters -------------------------------------------------------------------------- */

/* What lies in the file was copied: its pages need not stay in memory beside the copy. */
static void give_back(const gi_map *map, const gi_onnx_tensor *x) {
  const unsigned char *p = x->data;
  void *at = NULL;
  if (map->p == NULL || p < map->p || p + x->bytes > map->p + map->n) return;
  memcpy(&at, &p, sizeof at);
  gi_forget(at, x->bytes); /* they come again from the file where somebody reads them */
}

glia_status gi_onnx_fill(const gi_onnx_model *m, glia_store *store) {
  for (int i = 0; i < m->graph.n_init; i++) {
    const gi_onnx_tensor *x = &m->graph.init[i];
    if (!gi_onnx_is_parameter(x)) continue;
    gi_type type = {.rank = x->rank};
    gi_entry *entry = NULL;
    (void)gi_onnx_carrier(x->type, &type.dtype);
    memcpy(type.dim, x->dim, sizeof type.dim);
    const glia_store_kind kind =
        is_statistic(&m->graph, x->name) ? GLIA_BUFFER : GLIA_PARAMETER;
    GI_TRY(gi_where(gi_store_add(store, x->name, kind, &type, &entry), "%s", m->path));
    memcpy(glia_tensor_data(entry->tensor), x->data, x->bytes);
    give_back(&m->map, x);
    for (size_t k = 0; k < m->external.n; k++) give_back(&m->external.at[k].map, x);
  }
  return GLIA_OK;
}
