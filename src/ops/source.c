/* source.c - where values come from: memory given at each run (input), tensors of the store
 * (variable), fixed elements (constant).
 */
#include "graph/graph.h"

static const gi_attr named_fields[] = {
    {"name", GI_ATTR_NAME, offsetof(gi_input_attr, name),
     "unique in the graph or in the store"},
    {"type", GI_ATTR_TYPE, offsetof(gi_input_attr, type), "dtype and shape"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static const gi_attr constant_fields[] = {
    {"data", GI_ATTR_LITERAL, offsetof(gi_constant_attr, literal), "the elements"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static glia_status infer_named(gi_infer *c) {
  c->out[0] = ((const gi_input_attr *)c->attr)->type;
  return GLIA_OK;
}

static glia_status infer_constant(gi_infer *c) {
  c->out[0] = ((const gi_constant_attr *)c->attr)->literal.type;
  return GLIA_OK;
}

static gi_cost free_of_cost(const gi_infer *c) {
  (void)c;
  return (gi_cost){0, 0};
}

const gi_op gi_op_input = {
    .name = "input",
    .doc = "memory given at every run",
    .flags = GI_SOURCE,
    .n_out = 1,
    .attr_size = sizeof(gi_input_attr),
    .attrs = named_fields,
    .infer = infer_named,
    .no_grad = "it has no inputs",
    .cost = free_of_cost,
};

const gi_op gi_op_variable = {
    .name = "variable",
    .doc = "a tensor of the store: parameter, buffer or optimiser state",
    .flags = GI_SOURCE,
    .n_out = 1,
    .attr_size = sizeof(gi_input_attr),
    .attrs = named_fields,
    .infer = infer_named,
    .no_grad = "it has no inputs",
    .cost = free_of_cost,
};

const gi_op gi_op_constant = {
    .name = "constant",
    .doc = "fixed elements",
    .flags = GI_SOURCE,
    .n_out = 1,
    .attr_size = sizeof(gi_constant_attr),
    .attrs = constant_fields,
    .infer = infer_constant,
    .no_grad = "it has no inputs",
    .cost = free_of_cost,
};

const gi_op *const gi_ops_source[] = {&gi_op_input, &gi_op_variable, &gi_op_constant, NULL};

/* ---- builders ---------------------------------------------------------------------------- */

static bool make_type(glia_graph *g, const char *who, glia_dtype dtype, int rank,
                      const int64_t *shape, gi_type *t) {
  *t = (gi_type){.dtype = dtype, .rank = rank};
  for (int i = 0; i < rank && i < GLIA_MAX_RANK; i++) t->dim[i] = shape[i];
  const glia_status s = gi_type_check(t, who);
  if (s != GLIA_OK) gi_latch(g, s, "%s", glia_error_message());
  return s == GLIA_OK;
}

glia_value glia_input(glia_graph *g, const char *name, glia_dtype dtype, int rank,
                      const int64_t *shape) {
  gi_input_attr a = {.name = name};
  if (g == NULL || !make_type(g, name, dtype, rank, shape, &a.type)) return GLIA_NONE;
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    if (n->op == &gi_op_input && strcmp(((const gi_input_attr *)n->attr)->name, name) == 0)
      return gi_latch(g, GLIA_INVALID, "input \"%s\": there is one of this name already", name);
  }
  return gi_emit(g, &gi_op_input, &a, NULL, 0, NULL);
}

glia_value glia_constant(glia_graph *g, glia_dtype dtype, int rank, const int64_t *shape,
                         const void *data) {
  gi_constant_attr a = {.literal = {.data = data}};
  if (g == NULL || !make_type(g, "constant", dtype, rank, shape, &a.literal.type))
    return GLIA_NONE;
  return gi_emit(g, &gi_op_constant, &a, NULL, 0, NULL);
}

glia_value glia_scalar(glia_graph *g, glia_dtype dtype, double v) {
  double space[1];
  gi_store(dtype, space, 0, v);
  return glia_constant(g, dtype, 0, NULL, space);
}

glia_value glia_scalar_like(glia_value like, double v) {
  return gi_null(like) ? like : glia_scalar(like.graph, glia_value_dtype(like), v);
}

glia_value glia_full_like(glia_value like, double v) {
  return glia_broadcast_to(glia_scalar_like(like, v), glia_value_rank(like),
                           glia_value_shape(like));
}

glia_value gi_variable(glia_graph *g, const char *name) {
  if (g == NULL) return GLIA_NONE;
  const gi_entry *e = g->store != NULL ? gi_store_find(g->store, name) : NULL;
  if (e == NULL)
    return gi_latch(g, GLIA_MODEL, "variable %s: the store has no tensor of this name", name);
  const gi_input_attr a = {.name = e->name, .type = gi_tensor_type(e->tensor)};
  return gi_emit(g, &gi_op_variable, &a, NULL, 0, NULL);
}

bool gi_constant_scalar(glia_value v, double *out) {
  if (gi_null(v)) return false;
  const gi_node *n = gi_node_of(v);
  if (strcmp(n->op->name, "broadcast_to") == 0 || strcmp(n->op->name, "reshape") == 0)
    return gi_constant_scalar(gi_value(v.graph, n->in[0]), out);
  if (n->op != &gi_op_constant) return false;
  const gi_literal *l = &((const gi_constant_attr *)n->attr)->literal;
  const int64_t count = gi_type_count(&l->type);
  if (count < 1) return false;
  const size_t size = glia_dtype_size(l->type.dtype);
  for (int64_t i = 1; i < count; i++) /* by their bits: 0 is not -0, NaN is itself */
    if (memcmp((const char *)l->data + (size_t)i * size, l->data, size) != 0) return false;
  *out = gi_load(l->type.dtype, l->data, 0);
  return true;
}
