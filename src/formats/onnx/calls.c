/* formats/onnx/calls.c - functions that a model brings with it: who calls whom.
 *
 * A call is replaced by the function's nodes when the model is traced. So no function may call
 * itself, directly or around corners, calls may not lie too deep in each other, and all of them
 * written out may not be more nodes than a model has any use for: thirty functions that each
 * call the next one twice are a few hundred bytes and 2^30 nodes. All of that is settled here
 * by counting, each function once.
 */
#include "formats/onnx/read.h"

enum { BEING_COUNTED = -1 };

typedef struct calls {
  const gi_onnx_model *m;
  gi_onnx_scope names; /* a key of each function, in their order */
  int64_t *nodes;      /* of each, written out; 0: not counted yet */
  int depth;
  gi_str key; /* of the node that is looked at */
} calls;

/* The domain's length keeps "a:b", "c" and "a", "b:c" apart. */
static void put_key(gi_str *b, const char *domain, const char *name) {
  b->n = 0;
  gi_str_printf(b, "%zu:%s:%s", strlen(domain), domain, name);
}

/* The function that a node calls; -1: it is an operator. */
static glia_status find_called(calls *c, const gi_onnx_node *node, int *out) {
  put_key(&c->key, node->domain, node->op);
  if (c->key.failed) return gi_fail_nomem(strlen(node->op));
  *out = gi_onnx_find(&c->names, c->key.s);
  return GLIA_OK;
}

static glia_status count_function(calls *c, int i, int64_t *total);

/* Adds what the nodes of a graph or function are when written out. */
static glia_status count_nodes(calls *c, const gi_onnx_node *node, int n, int64_t *total) {
  for (int i = 0; i < n; i++) {
    int f = -1;
    if (c->m->n_function > 0) GI_TRY(find_called(c, &node[i], &f));
    if (f >= 0) GI_TRY(count_function(c, f, total));
    if (++*total > GI_ONNX_NODES)
      return gi_fail(GLIA_UNSUPPORTED, "has more than %d nodes with its functions written out",
                     (int)GI_ONNX_NODES);
    for (int k = 0; k < node[i].n_attr; k++) {
      const gi_onnx_graph *g = node[i].attr[k].g;
      if (g != NULL) GI_TRY(count_nodes(c, g->node, g->n_node, total));
    }
  }
  return GLIA_OK;
}

static glia_status count_function(calls *c, int i, int64_t *total) {
  const gi_onnx_function *f = &c->m->function[i];
  if (c->nodes[i] == BEING_COUNTED)
    return gi_fail(GLIA_FORMAT, "function \"%.80s\" calls itself", f->name);
  if (c->nodes[i] == 0) {
    int64_t own = 0;
    if (++c->depth > GI_PROTOBUF_DEPTH)
      return gi_fail(GLIA_FORMAT, "functions call each other more than %d deep",
                     (int)GI_PROTOBUF_DEPTH);
    c->nodes[i] = BEING_COUNTED;
    GI_TRY(count_nodes(c, f->node, f->n_node, &own));
    c->nodes[i] = own + 1; /* at least 1, so that it is known to be counted */
    c->depth--;
  }
  *total += c->nodes[i];
  return GLIA_OK;
}

/* Also functions that nobody calls: that they call themselves is as wrong. */
static glia_status count_all(gi_onnx_reader *r, calls *c) {
  const gi_onnx_model *m = c->m;
  for (int i = 0; i < m->n_function; i++) {
    const gi_onnx_function *f = &m->function[i];
    const char *key =
        gi_arena_printf(&r->m->arena, "%zu:%s:%s", strlen(f->domain), f->domain, f->name);
    if (key == NULL) return gi_fail_nomem(strlen(f->name) + 32);
    GI_TRY(gi_onnx_make(&c->names, key, "function"));
  }
  for (int i = 0; i < m->n_function; i++) {
    int64_t alone = 0;
    GI_TRY(count_function(c, i, &alone));
  }
  int64_t total = 0;
  return count_nodes(c, m->graph.node, m->graph.n_node, &total);
}

glia_status gi_onnx_check_calls(gi_onnx_reader *r) {
  calls c = {.m = r->m};
  c.nodes = gi_onnx_take(r, (size_t)r->m->n_function, sizeof *c.nodes);
  const glia_status s = c.nodes == NULL ? GLIA_NOMEM : count_all(r, &c);
  gi_onnx_scope_free(&c.names);
  gi_str_free(&c.key);
  return s;
}
