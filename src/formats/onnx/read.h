/* formats/onnx/read.h - what the readers of messages share: names and counting (read.c), models
 * and functions (model.c), graphs and nodes (graph.c), tensors (tensor.c), files beside the
 * model (external.c), calls of functions (calls.c).
 */
#ifndef GI_ONNX_READ_H
#define GI_ONNX_READ_H

#include "base/protobuf.h"
#include "formats/onnx/model.h"

typedef struct gi_onnx_reader {
  gi_onnx_model *m;
  bool beside;         /* there is a folder, and external data may lie in it */
  bool hollow;         /* parameters may lie elsewhere (GI_ONNX_ELSEWHERE) */
  int depth;           /* of messages within messages */
  size_t sparse_bytes; /* that sparse tensors have been given so far: they are few bytes in the
                          file, and as many as they say in memory */
  bool node_named,
      graph_named; /* the message says where already: the innermost place is told */
} gi_onnx_reader;

/* n items of the arena, zeroed; NULL without memory (the failure's message is set). */
void *gi_onnx_take(gi_onnx_reader *r, size_t n, size_t item);
/* A field of bytes as text, copied; NUL within is refused. */
glia_status gi_onnx_string(gi_onnx_reader *r, const gi_wire_field *f, const char *what,
                           const char **out);
/* How many fields of each of the numbers (0 ends them) a message has. */
glia_status gi_onnx_count(gi_wire w, const uint32_t *number, int *count);
/* One message deeper; every one is matched by --r->depth where it succeeded. */
glia_status gi_onnx_deeper(gi_onnx_reader *r);

/* Names that are made, and the scope around. Zero-initialise, set `outer`; free. */
typedef struct gi_onnx_made_name {
  const char *name; /* borrowed; NULL: nothing is here */
  int i;            /* how many were made before */
} gi_onnx_made_name;
typedef struct gi_onnx_scope {
  const struct gi_onnx_scope *outer;
  gi_onnx_made_name *at; /* open addressing, a power of two places */
  size_t n, cap;
} gi_onnx_scope;
/* How many names were made here before this one; -1: it is not made here. */
int gi_onnx_find(const gi_onnx_scope *s, const char *name);
bool gi_onnx_made(const gi_onnx_scope *s, const char *name); /* here or around */
/* Adds a name; GLIA_FORMAT where it is there already; `what` says what it is of. */
glia_status gi_onnx_make(gi_onnx_scope *s, const char *name, const char *what);
void gi_onnx_scope_free(gi_onnx_scope *s);

glia_status gi_onnx_read_graph(gi_onnx_reader *r, gi_wire w, const gi_onnx_scope *outer,
                               gi_onnx_graph *out);
/* The nodes of a graph or function, the fields `number` of the message w. */
glia_status gi_onnx_read_nodes(gi_onnx_reader *r, gi_wire w, uint32_t number, int n,
                               gi_onnx_scope *scope, const gi_onnx_node **out);
glia_status gi_onnx_read_attr(gi_onnx_reader *r, gi_wire w, const gi_onnx_scope *scope,
                              gi_onnx_attr *out);
/* The texts of all fields of one number. */
glia_status gi_onnx_read_texts(gi_onnx_reader *r, gi_wire w, uint32_t number, const char *what,
                               int n, const char *const **out);

/* Functions: one of a name, none that calls itself, not too many nodes when written out. */
glia_status gi_onnx_check_calls(gi_onnx_reader *r);

glia_status gi_onnx_read_tensor(gi_onnx_reader *r, gi_wire w, gi_onnx_tensor *out);
glia_status gi_onnx_read_sparse(gi_onnx_reader *r, gi_wire w, gi_onnx_tensor *out);

/* What a tensor's external_data says. */
typedef struct gi_onnx_place {
  const char *location;
  int64_t offset, length; /* length -1: not said */
} gi_onnx_place;
glia_status gi_onnx_place_of(gi_onnx_reader *r, const gi_wire_field *entry, gi_onnx_place *out);
/* `bytes` bytes at a place, in a mapped file beside the model. */
glia_status gi_onnx_find_external(gi_onnx_reader *r, const gi_onnx_place *place, size_t bytes,
                                  const void **out);

#endif /* GI_ONNX_READ_H */
