/* known.c - elements of a value while its graph is still being built.
 *
 * Shapes, ends of slices and conditions follow from few nodes with few elements, mostly from
 * constants and shapes: those are run by the ops' references, each once. What takes real work
 * (a network in front of a loop's condition) is compiled and run as a plan of its own.
 */
#include <stdlib.h>

#include "formats/onnx/trace.h"
#include "glia/run.h"

static const double SMALL = 1e6; /* flops and bytes: less is run by the references */

typedef GI_VEC(uint32_t) ids; /* of nodes */

static glia_tensor **known_at(gi_onnx_trace *t, uint32_t id) {
  while (t->known.n <= id)
    if (!gi_vec_push(&t->known, NULL)) return NULL;
  return &t->known.at[id];
}

static int by_number(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y ? 1 : 0;
}

/* The nodes behind node `last` whose results are not known yet, in order. */
static glia_status collect(gi_onnx_trace *t, uint32_t last, ids *out) {
  unsigned char *seen = gi_alloc(t->g->nodes.n);
  if (seen == NULL) return gi_fail_nomem(t->g->nodes.n);
  seen[last] = 1;
  bool room = gi_vec_push(out, last);
  for (size_t k = 0; k < out->n && room; k++) {
    const gi_node *n = t->g->nodes.at[out->at[k]];
    for (int i = 0; i < n->n_in && room; i++) {
      const uint32_t from = t->g->values.at[n->in[i]]->node;
      const bool known = n->in[i] < t->known.n && t->known.at[n->in[i]] != NULL;
      if (seen[from] || known) continue;
      seen[from] = 1;
      room = gi_vec_push(out, from);
    }
  }
  gi_free(seen);
  if (!room) return gi_fail_nomem(out->cap * sizeof *out->at);
  qsort(out->at, out->n, sizeof *out->at, by_number);
  return GLIA_OK;
}

/* ---- sources ----------------------------------------------------------------------------- */

static glia_status wrap(const gi_type *type, const void *data, glia_tensor **out) {
  void *p = NULL;
  memcpy(&p, &data, sizeof p); /* nobody writes through it */
  return glia_tensor_wrap(type->dtype, type->rank, type->dim, p, out);
}

static glia_status from_input(gi_onnx_trace *t, const gi_node *n, const char *what,
                              glia_tensor **out) {
  for (int i = 0; i < t->model->graph.n_in; i++) {
    if (t->input[i].id != n->out) continue;
    if (t->elements == NULL || t->elements[i] == NULL)
      return gi_fail(
          GLIA_UNSUPPORTED,
          "'%s' must be known beforehand, and depends on the elements of the model's "
          "input '%s'",
          what, t->model->graph.in[i].name);
    t->asked[i] = true;
    const gi_type type = gi_tensor_type(t->elements[i]);
    return wrap(&type, glia_tensor_data(t->elements[i]), out);
  }
  return gi_fail(GLIA_UNSUPPORTED, "'%s' depends on an input that the model does not have",
                 what);
}

/* True for inputs, variables and constants, whose elements lie somewhere: a tensor over them.
 */
static glia_status source(gi_onnx_trace *t, const gi_node *n, const char *what,
                          glia_tensor **out, bool *is) {
  *is = (n->op->flags & GI_SOURCE) != 0;
  if (n->op == &gi_op_input) return from_input(t, n, what, out);
  if (n->op == &gi_op_constant) {
    const gi_literal *l = &((const gi_constant_attr *)n->attr)->literal;
    return wrap(&l->type, l->data, out);
  }
  if (n->op == &gi_op_variable) {
    const glia_tensor *x = glia_store_get(t->g->store, ((const gi_input_attr *)n->attr)->name);
    const gi_type type = gi_tensor_type(x);
    return wrap(&type, glia_tensor_data(x), out);
  }
  return GLIA_OK;
}

/* ---- by the references ------------------------------------------------------------------- */

static glia_status run_node(gi_onnx_trace *t, const gi_node *n, const char *what) {
  glia_tensor **first = known_at(t, n->out + (uint32_t)n->n_out - 1);
  if (first == NULL) return gi_fail_nomem(t->known.cap * sizeof *first);
  bool is_source = false;
  GI_TRY(source(t, n, what, &t->known.at[n->out], &is_source));
  if (is_source) return GLIA_OK;
  gi_buf in[64], out[GI_MAX_OUT];
  if (n->n_in > GI_COUNT(in))
    return gi_fail(GLIA_UNSUPPORTED, "'%s' is made of %d values", what, n->n_in);
  for (int i = 0; i < n->n_in; i++)
    in[i] = (gi_buf){t->g->values.at[n->in[i]]->type, glia_tensor_data(t->known.at[n->in[i]])};
  for (int i = 0; i < n->n_out; i++) {
    glia_tensor **to = &t->known.at[n->out + (uint32_t)i];
    const gi_type *type = &t->g->values.at[n->out + (uint32_t)i]->type;
    if (*to == NULL) GI_TRY(gi_tensor_new(type, to));
    out[i] = (gi_buf){*type, glia_tensor_data(*to)};
  }
  const gi_clock clock = {0, 0};
  gi_ref c = {n->n_in, n->n_out, in, out, n->attr, &clock};
  return n->op->ref(&c);
}

/* ---- by a plan --------------------------------------------------------------------------- */

/* The nodes as a graph of their own; what is known already goes in as constants. */
static glia_status copy_nodes(gi_onnx_trace *t, const ids *nodes, uint32_t wanted,
                              glia_graph *to) {
  const size_t n_values = t->g->values.n;
  glia_value *map = gi_alloc(n_values * sizeof *map);
  if (map == NULL) return gi_fail_nomem(n_values * sizeof *map);
  for (size_t k = 0; k < nodes->n; k++) {
    const gi_node *n = t->g->nodes.at[nodes->at[k]];
    glia_value in[64];
    for (int i = 0; i < n->n_in && i < GI_COUNT(in); i++) {
      const glia_tensor *x = n->in[i] < t->known.n ? t->known.at[n->in[i]] : NULL;
      if (map[n->in[i]].graph == NULL && x != NULL)
        map[n->in[i]] = glia_constant(to, glia_tensor_dtype(x), glia_tensor_rank(x),
                                      glia_tensor_shape(x), glia_tensor_data(x));
      in[i] = map[n->in[i]];
    }
    if (n->n_in <= GI_COUNT(in)) gi_copy_node(to, n, in, &map[n->out]);
  }
  glia_output("known", map[wanted]);
  gi_free(map);
  return glia_graph_status(to);
}

static glia_status bind_inputs(gi_onnx_trace *t, const ids *nodes, glia_plan *p,
                               const char *what) {
  for (size_t k = 0; k < nodes->n; k++) {
    const gi_node *n = t->g->nodes.at[nodes->at[k]];
    if (n->op != &gi_op_input) continue;
    glia_tensor *x = NULL;
    GI_TRY(from_input(t, n, what, &x));
    const glia_status s = glia_plan_bind(p, ((const gi_input_attr *)n->attr)->name, x);
    glia_tensor_free(x); /* a view: what it lies over stays */
    GI_TRY(s);
  }
  return GLIA_OK;
}

static glia_status run_plan(gi_onnx_trace *t, const ids *nodes, glia_value v,
                            const char *what) {
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  GI_TRY(glia_graph_new(&g));
  g->store = t->g->store;
  glia_status s = copy_nodes(t, nodes, v.id, g);
  if (s == GLIA_OK)
    s = glia_compile(g, &p, .backend = t->backend, .threads = t->threads, .fixed = true);
  if (s == GLIA_OK) s = bind_inputs(t, nodes, p, what);
  if (s == GLIA_OK) s = glia_plan_run(p);
  if (s == GLIA_OK && known_at(t, v.id) == NULL) s = gi_fail_nomem(sizeof(void *));
  if (s == GLIA_OK) s = glia_tensor_copy(glia_plan_output(p, "known"), &t->known.at[v.id]);
  glia_plan_free(p);
  glia_graph_free(g);
  return s;
}

/* ---- both -------------------------------------------------------------------------------- */

static double work_of(const gi_onnx_trace *t, const gi_node *n) {
  gi_type in[64], out[GI_MAX_OUT];
  if (n->op->flags & GI_SOURCE || n->n_in > GI_COUNT(in)) return 0;
  for (int i = 0; i < n->n_in; i++) in[i] = t->g->values.at[n->in[i]]->type;
  for (int i = 0; i < n->n_out; i++) out[i] = t->g->values.at[n->out + (uint32_t)i]->type;
  const gi_infer c = {n->n_in, in, n->attr, n->n_out, out};
  const gi_cost cost = n->op->cost != NULL ? n->op->cost(&c) : gi_default_cost(&c);
  return cost.flops + cost.bytes;
}

glia_status gi_onnx_evaluate(gi_onnx_trace *t, glia_value v, const char *what,
                             const glia_tensor **out) {
  if (v.graph == NULL) return gi_fail(GLIA_MODEL, "'%s' is not given", what);
  if (v.id < t->known.n && t->known.at[v.id] != NULL) {
    *out = t->known.at[v.id];
    return GLIA_OK;
  }
  ids nodes = {0};
  glia_status s = collect(t, t->g->values.at[v.id]->node, &nodes);
  double work = 0;
  bool has_reference = true;
  for (size_t k = 0; k < nodes.n && s == GLIA_OK; k++) {
    const gi_node *n = t->g->nodes.at[nodes.at[k]];
    if (n->op->flags & GI_RANDOM)
      s = gi_fail(GLIA_UNSUPPORTED, "'%s' must be known beforehand, and is random", what);
    work += work_of(t, n);
    has_reference = has_reference && (n->op->ref != NULL || (n->op->flags & GI_SOURCE) != 0) &&
                    n->n_in <= 64;
  }
  if (s == GLIA_OK && (work > SMALL || !has_reference)) {
    s = run_plan(t, &nodes, v, what);
  } else {
    for (size_t k = 0; k < nodes.n && s == GLIA_OK; k++)
      s = run_node(t, t->g->nodes.at[nodes.at[k]], what);
  }
  gi_vec_free(&nodes);
  if (s == GLIA_OK) *out = t->known.at[v.id];
  return s;
}
