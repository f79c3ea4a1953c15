/* formats/onnx/operator.h - what an ONNX operator becomes: one row, found by its file's name.
 *
 * A file src/formats/onnx/operators/<family>.c holds a family of like operators and ends with
 * const gi_onnx_operator *const gi_onnx_operators_<family>[] = {&relu, ..., NULL};
 *
 * A row builds ops from ops (glia/graph.h and its neighbours); there are no kernels here.
 * Shapes of glia's graphs are fixed, ONNX's are data: so a model is traced with the shapes of
 * the inputs that it is to be run on, and where an operator needs to know elements (Reshape's
 * shape, Slice's ends, If's condition) it asks for them with gi_onnx_known. What follows from
 * constants and shapes is computed there and then; what follows from the elements of the
 * model's inputs is computed from those that the model is run on, and the trace holds for these
 * elements only.
 *
 * Types: a value has glia's dtype and ONNX's type (model.h: carriers). Types without a dtype of
 * their own (INT16, UINT16, UINT32, UINT64) are arithmetic modulo their range: the importer
 * wraps every output of such a type after its operator, rows need not.
 */
#ifndef GI_ONNX_OPERATOR_H
#define GI_ONNX_OPERATOR_H

#include "formats/onnx/model.h"
#include "glia/graph.h"

typedef struct gi_onnx_trace gi_onnx_trace; /* trace.h: the importer's own */

enum { GI_ONNX_NEWEST = 28, GI_ONNX_VERSIONS = 12 };

/* One node that is being built. */
typedef struct gi_onnx_call {
  gi_onnx_trace *trace;
  glia_graph *g;
  const gi_onnx_node *node;
  int version;     /* of the operator: the last of its row's `since` up to the model's opset */
  int opset;       /* of its domain, as the model says */
  int n_in, n_out; /* as the node has them, trailing ones that are not given left out */
  const glia_value *in; /* null: not given */
  const int *in_type;   /* gi_onnx_type of each */
  glia_value *out;      /* to be set, those that are wanted (gi_onnx_wanted) at least */
  int *out_type;        /* preset to GI_ONNX_UNDEFINED. Left so, an output is of the type of
                           input 0 where it has that one's dtype, else of its dtype's own */
} gi_onnx_call;

typedef struct gi_onnx_operator {
  const char *name;
  const char *domain; /* NULL: ai.onnx */
  /* The opset versions of which the specification changed what it means; 0 ends. Before the
   * first it does not exist. */
  int since[GI_ONNX_VERSIONS];
  int until; /* first version that has it no more (Upsample 10); 0: it is there still */
  int min_in, max_in;     /* max_in -1: any number */
  int max_out;            /* 0: 1; -1: any number */
  const char *attributes; /* the names it has in any version, by blanks; "": none. A node with
                             another one is refused */
  glia_status (*build)(gi_onnx_call *c);
} gi_onnx_operator;

/* ---- attributes: the value, or the fallback where the node has none; the kind is checked ----
 */

bool gi_onnx_has(const gi_onnx_call *c, const char *name);
glia_status gi_onnx_int(const gi_onnx_call *c, const char *name, int64_t fallback,
                        int64_t *out);
glia_status gi_onnx_bool(const gi_onnx_call *c, const char *name, bool fallback, bool *out);
glia_status gi_onnx_float(const gi_onnx_call *c, const char *name, double fallback,
                          double *out);
/* Borrowed while the model is open. */
glia_status gi_onnx_text(const gi_onnx_call *c, const char *name, const char *fallback,
                         const char **out);
/* Up to `room` whole numbers; *n 0 where the attribute is not there. */
glia_status gi_onnx_ints(const gi_onnx_call *c, const char *name, int64_t *out, int room,
                         int *n);
glia_status gi_onnx_floats(const gi_onnx_call *c, const char *name, double *out, int room,
                           int *n);
/* The attribute as it is (of a tensor, a graph, a list of any length): NULL if it is not there.
 */
const gi_onnx_attr *gi_onnx_attr_of(const gi_onnx_call *c, const char *name);
/* One of the words of a NULL-ended list, as its number. */
glia_status gi_onnx_choice(const gi_onnx_call *c, const char *name, const char *fallback,
                           const char *const *words, int *out);
/* An attribute that is an axis of a value of this rank; checked, not negative. */
glia_status gi_onnx_axis(const gi_onnx_call *c, const char *name, int64_t fallback, int rank,
                         int *out);

/* ---- inputs and outputs
 * ---------------------------------------------------------------------- */

static inline bool gi_onnx_given(const gi_onnx_call *c, int i) {
  return i < c->n_in && c->in[i].graph != NULL;
}
static inline bool gi_onnx_wanted(const gi_onnx_call *c, int i) {
  return i < c->n_out && c->node->out[i][0] != '\0';
}
/* The elements of input i, known now. Borrowed while the trace lives. GLIA_UNSUPPORTED where
 * they depend on an input of the model whose elements are not there (export, inspection). */
glia_status gi_onnx_known(const gi_onnx_call *c, int i, const glia_tensor **out);
/* The same of any value of the graph; `what` names it in messages. */
glia_status gi_onnx_known_value(const gi_onnx_call *c, glia_value v, const char *what,
                                const glia_tensor **out);
/* As whole numbers, up to `room` of them (a scalar is one). */
glia_status gi_onnx_known_ints(const gi_onnx_call *c, int i, int64_t *out, int room, int *n);
/* Whole numbers that older versions have as an attribute and newer ones as input i (axes of
 * Squeeze, ReduceSum, Split's sizes...): *n -1 where neither is given. */
glia_status gi_onnx_ints_either(const gi_onnx_call *c, const char *name, int i, int64_t *out,
                                int room, int *n);
/* One number, from input i if it is given, else the fallback. */
glia_status gi_onnx_known_number(const gi_onnx_call *c, int i, double fallback, double *out);

/* A failure that names file, node and operator; fmt says what is and what was wanted. */
glia_status gi_onnx_fail(const gi_onnx_call *c, glia_status s, const char *fmt, ...)
    GLIA_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* it would follow paths on which this gives GLIA_OK (base.h) */
#define gi_onnx_fail(c, s, ...) ((void)gi_onnx_fail(c, s, __VA_ARGS__), (s))
#endif

/* ---- other graphs and operators -----------------------------------------------------------
 */

/* Builds a graph within the node's (a branch, a body): its inputs by place; outer names are
 * seen. out and out_type have room for its outputs. */
glia_status gi_onnx_subgraph(const gi_onnx_call *c, const gi_onnx_graph *graph,
                             const glia_value *in, const int *in_type, int n_in,
                             glia_value *out, int *out_type);
/* A value that is a file's tensor: a constant. */
glia_value gi_onnx_constant(gi_onnx_call *c, const gi_onnx_tensor *t);

#endif /* GI_ONNX_OPERATOR_H */
