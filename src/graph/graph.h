/* graph/graph.h - the inside of a graph, for passes, plans and printing.
 *
 *   nodes   node 0, node 1, ...   appended in topological order
 *   values  value id -> (node, output number), type, layout
 *   roots   outputs (name -> value) and assignments (variable := value)
 *
 * Passes never change a graph: they read one and write another, through gi_copy_node and
 * gi_emit, so that each keeps the order, and each result can be printed, checked, and switched
 * off.
 */
#ifndef GI_GRAPH_H
#define GI_GRAPH_H

#include "graph/store.h"
#include "ops/op.h"

typedef enum gi_layout {
  GI_PLAIN,        /* row-major in logical order: the only layout that users see */
  GI_CHANNELS_LAST /* rank 4 [N, C, H, W] kept as N, H, W, C */
} gi_layout;

/* Does a value of this type lie in memory otherwise in another layout? Not, for one, if it has
 * a single channel: such values count as plain. */
bool gi_layout_matters(const gi_type *t);
/* Strides, in elements and logical axis order, of a type kept in a layout. */
void gi_layout_strides(const gi_type *t, gi_layout layout, int64_t *strides);
const char *gi_layout_name(gi_layout layout); /* "plain", "nhwc" */

/* The op that changes the layout of a value (compile/layout.c puts it in; ops/reorder.c). Its
 * meaning is the identity; a backend with layouts has a kernel for it. */
typedef struct gi_reorder_attr {
  int64_t from, to;
} gi_reorder_attr; /* gi_layout */
extern const gi_op gi_op_reorder;

typedef struct gi_node {
  const gi_op *op;
  const void *attr; /* op->attr_size bytes; NULL if that is 0 */
  int n_in, n_out;
  const uint32_t *in;             /* value ids */
  uint32_t out;                   /* id of the first output; the others follow */
  const char *path;               /* scope path of the layer that made it; "" outside any */
  const struct gi_kernel *kernel; /* that the layout pass chose; NULL: none yet */
  int choice;                     /* of the kernel's layouts */
} gi_node;

typedef struct gi_val {
  gi_type type;
  uint32_t node;
  int index; /* output number of the node */
  gi_layout layout;
} gi_val;

#define GI_NO_VALUE UINT32_MAX

typedef struct gi_root { /* an output or, where variable is not GI_NO_VALUE, an assignment */
  const char *name;
  uint32_t value, variable;
} gi_root;

struct glia_graph {
  gi_arena arena;
  GI_VEC(gi_node *) nodes; /* they and the values lie in the arena and never move */
  GI_VEC(gi_val *) values;
  GI_VEC(gi_root) roots;
  uint32_t *table; /* hash table of nodes (number + 1), for common subexpressions */
  size_t table_cap;
  const char *path;   /* current scope path */
  glia_store *store;  /* where variables live: borrowed; NULL: none */
  glia_status status; /* latched, with its message */
  char *message;
  bool no_cse; /* every emit appends: for tests of passes */
};

const gi_node *gi_node_of(glia_value v);
static inline glia_value gi_value(glia_graph *g, uint32_t id) { return (glia_value){g, id}; }
/* Copies node n of another graph with these inputs (values of `to`), path and kernel included;
 * returns the first output. */
glia_value gi_copy_node(glia_graph *to, const gi_node *n, const glia_value *in,
                        glia_value *out);
/* The tensor called name in the graph's store, as a value. */
glia_value gi_variable(glia_graph *g, const char *name);
/* Sets the scope path of the nodes to come; returns the one before. p must be arena memory. */
const char *gi_set_path(glia_graph *g, const char *p);

uint64_t gi_attr_hash(const gi_op *op, const void *attr);
bool gi_attr_equal(const gi_op *op, const void *a, const void *b);
void gi_attr_text(const gi_op *op, const void *attr, gi_str *out); /* "axes=[1, 2] keep=true" */
void *gi_attr_copy(gi_arena *a, const gi_op *op, const void *attr); /* NULL without memory */
void gi_graph_print(const glia_graph *g, gi_str *out);

/* Rows that the core itself needs to know (ops/source.c). */
extern const gi_op gi_op_input, gi_op_variable, gi_op_constant;
typedef struct gi_input_attr {
  const char *name;
  gi_type type;
} gi_input_attr; /* variable too */
typedef struct gi_constant_attr {
  gi_literal literal;
} gi_constant_attr;
/* Does the graph give variable v a new value? */
bool gi_is_assigned(const glia_graph *g, uint32_t v);
/* True, and *v set, if the value is a constant all of whose elements are equal. */
bool gi_constant_scalar(glia_value v, double *out);

#endif /* GI_GRAPH_H */
