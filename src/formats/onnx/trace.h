/* formats/onnx/trace.h - the importer: a model's nodes, one after the other, as ops of a graph.
 *
 * A frame is where names are looked up: a graph, or the body of a function that is being
 * inlined. A branch or a body of a loop sees the names of the graph around it; a function sees
 * nothing but its inputs, and its attributes are those of the node that calls it.
 */
#ifndef GI_ONNX_TRACE_H
#define GI_ONNX_TRACE_H

#include "formats/onnx/operator.h"
#include "graph/graph.h"

enum { GI_ONNX_DEPTH = 64 }; /* frames within frames: functions that call functions... */

typedef struct gi_onnx_name {
  const char *name; /* NULL: a free place */
  glia_value v;
  int type;
} gi_onnx_name;

typedef struct gi_onnx_frame {
  gi_onnx_name *names; /* hash table; cap a power of two */
  size_t n, cap;
  struct gi_onnx_frame *outer; /* whose names are seen too; NULL: none */
  /* The function that is inlined, the node that calls it, and where that node stands; NULL in
   * the model's own graphs. */
  const gi_onnx_function *function;
  const gi_onnx_node *node;
  struct gi_onnx_frame *caller;
} gi_onnx_frame;

struct gi_onnx_trace {
  const gi_onnx_model *model;
  glia_graph *g; /* its store has the model's parameters */
  const char *backend;
  int threads;
  const glia_tensor *const *elements; /* of the model's inputs, dense; an entry, or all, NULL */
  /* The value of a parameter; NULL: the variable of its name in the graph's store. */
  glia_value (*parameter)(void *user, const gi_onnx_tensor *x, bool statistic);
  void *user;
  const char *until; /* the value that is wanted in the outputs' place; NULL: the outputs */
  bool *asked;       /* by input: the trace depends on its elements */
  glia_value *input; /* the model's inputs as values */
  gi_onnx_frame *frame;
  int depth;
  GI_VEC(glia_tensor *) known; /* by value id: elements that were computed; owned */
};

/* An initializer of the model's own graph that is a parameter: floats, more than one. Others
 * are constants. */
bool gi_onnx_is_parameter(const gi_onnx_tensor *t);
/* Adds the parameters of a model to a store; statistics of normalisations are buffers. */
glia_status gi_onnx_fill(const gi_onnx_model *m, glia_store *store);

/* Builds the model's graph for inputs that are values of t->g; out and type have room for its
 * outputs. Set by the caller: model, g, elements, asked, input. */
glia_status gi_onnx_trace_model(gi_onnx_trace *t, const int *in_type, glia_value *out,
                                int *type);
void gi_onnx_trace_free(gi_onnx_trace *t); /* what a trace holds; not the graph */

/* The row of an operator, NULL if there is none of this name. */
const gi_onnx_operator *gi_onnx_operator_find(const char *domain, const char *name);
extern const gi_onnx_operator *const *const gi_onnx_operators_table[];
/* The opset of a domain that a frame is written in; 0: it names none. */
int gi_onnx_opset_of(const gi_onnx_trace *t, const char *domain);
/* Why a node cannot be built, before anything is: GLIA_OK if its operator, version, attributes
 * and numbers of inputs and outputs are known. */
glia_status gi_onnx_supported(const gi_onnx_trace *t, const gi_onnx_node *node,
                              const gi_onnx_operator **row, int *version);
/* The failure of a node: "file: node 'conv1' (Conv): ..." */
glia_status gi_onnx_where(const gi_onnx_trace *t, const gi_onnx_node *node, glia_status s);

/* Which nodes and initializers of a graph the value `until`, or else the outputs, depend on:
 * sets entries of node and init (false beforehand). */
glia_status gi_onnx_needed(const gi_onnx_graph *g, const char *until, bool *node, bool *init);

glia_status gi_onnx_evaluate(gi_onnx_trace *t, glia_value v, const char *what,
                             const glia_tensor **out);

#endif /* GI_ONNX_TRACE_H */
