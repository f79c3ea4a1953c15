/* formats/onnx/model.h - an ONNX file as it is: read, bounded, checked; nothing interpreted.
 *
 * Messages become plain structs in one arena; names are copied, the elements of tensors stay
 * where the mapped file (or the external file beside it) has them. Field names and numbers are
 * onnx.proto's. What holds of a model once gi_onnx_open has returned GLIA_OK:
 *
 *  - nothing lies deeper than GI_PROTOBUF_DEPTH messages; all counts are of what is there
 *  - every tensor's rank is at most GLIA_MAX_RANK, its count and bytes do not overflow, and as
 *    many elements are there as its shape says
 *  - a name is made (by an initializer, an input of its graph, a node's output) at most once in
 *    a graph, and made before it is used, in this graph or one around it: no cycles, nothing
 *    missing
 *  - external data lies in the model's own folder, within its file
 *  - functions do not call themselves, and written out leave at most GI_ONNX_NODES nodes
 *
 * Operators, versions and attributes that glia does not know are found later (operator.h).
 */
#ifndef GI_ONNX_MODEL_H
#define GI_ONNX_MODEL_H

#include "base/base.h"
#include "tensor/tensor.h"

/* A graph with every function written out; a few lines of functions that call each other twice
 * would else stand for more nodes than there is memory. */
enum { GI_ONNX_NODES = 1 << 20 };

/* TensorProto.DataType */
typedef enum gi_onnx_type {
  GI_ONNX_UNDEFINED = 0,
  GI_ONNX_FLOAT = 1,
  GI_ONNX_UINT8 = 2,
  GI_ONNX_INT8 = 3,
  GI_ONNX_UINT16 = 4,
  GI_ONNX_INT16 = 5,
  GI_ONNX_INT32 = 6,
  GI_ONNX_INT64 = 7,
  GI_ONNX_STRING = 8,
  GI_ONNX_BOOL = 9,
  GI_ONNX_FLOAT16 = 10,
  GI_ONNX_DOUBLE = 11,
  GI_ONNX_UINT32 = 12,
  GI_ONNX_UINT64 = 13,
  GI_ONNX_COMPLEX64 = 14,
  GI_ONNX_COMPLEX128 = 15,
  GI_ONNX_BFLOAT16 = 16
  /* 17 to 26: 8-, 4- and 2-bit types, known by name and size only */
} gi_onnx_type;
const char *gi_onnx_type_name(int type); /* "float", "uint8"; "?" for no type */
/* Bytes of an element; 0 for strings and types that are not whole bytes or not known. */
size_t gi_onnx_type_size(int type);
/* The dtype that carries elements of a type in glia's graphs: its own where there is one, the
 * next that holds all of it for INT16, UINT16 (i32) and UINT32 (i64); UINT64 is carried as the
 * i64 of the same bits. False for strings, complex and narrower types. */
bool gi_onnx_carrier(int type, glia_dtype *out);
/* The type that a dtype is by itself: GLIA_F32 -> GI_ONNX_FLOAT. */
int gi_onnx_type_of(glia_dtype dtype);

typedef struct gi_onnx_tensor {
  const char *name;
  int type; /* gi_onnx_type */
  int rank;
  int64_t dim[GLIA_MAX_RANK];
  int64_t count;
  /* Little-endian elements, as many as the shape says, not aligned: in the file, or decoded
   * into the arena (typed fields: float_data, int32_data...). NULL for strings. */
  const void *data;
  size_t bytes;
  bool sparse; /* of a sparse initializer: decoded, dense, in the arena */
} gi_onnx_tensor;

enum { /* AttributeProto.AttributeType */
       GI_ONNX_ATTR_FLOAT = 1,
       GI_ONNX_ATTR_INT = 2,
       GI_ONNX_ATTR_STRING = 3,
       GI_ONNX_ATTR_TENSOR = 4,
       GI_ONNX_ATTR_GRAPH = 5,
       GI_ONNX_ATTR_FLOATS = 6,
       GI_ONNX_ATTR_INTS = 7,
       GI_ONNX_ATTR_STRINGS = 8,
       GI_ONNX_ATTR_TENSORS = 9,
       GI_ONNX_ATTR_GRAPHS = 10,
       GI_ONNX_ATTR_SPARSE_TENSOR = 11
};

typedef struct gi_onnx_attr {
  const char *name;
  int type;
  const char *ref; /* inside functions: the caller's attribute of this name; NULL */
  double f;
  int64_t i;
  const char *s; /* strings may hold NUL: s_n bytes, and a NUL behind */
  size_t s_n;
  const gi_onnx_tensor *t;       /* TENSOR, SPARSE_TENSOR */
  const struct gi_onnx_graph *g; /* GRAPH */
  int n;                         /* of the lists */
  const double *floats;
  const int64_t *ints;
  const char *const *strings;
} gi_onnx_attr;

typedef struct gi_onnx_node {
  const char *op, *domain; /* domain "" for ai.onnx */
  const char *name;        /* "" if it has none */
  int n_in, n_out, n_attr;
  const char *const *in;  /* "": not given */
  const char *const *out; /* "": not wanted */
  const gi_onnx_attr *attr;
} gi_onnx_node;

/* An input, output or inner value with what the file says of its type. */
typedef struct gi_onnx_info {
  const char *name;
  int type;                   /* of its elements; GI_ONNX_UNDEFINED: not said, or no tensor */
  bool is_tensor;             /* not a sequence, map or optional */
  int rank;                   /* -1: not said */
  int64_t dim[GLIA_MAX_RANK]; /* -1: not said, or a name */
  const char *symbol[GLIA_MAX_RANK]; /* "batch"; NULL: none */
} gi_onnx_info;

typedef struct gi_onnx_graph {
  const char *name;
  int n_node, n_init, n_in, n_out, n_info;
  const gi_onnx_node *node;
  const gi_onnx_tensor *init;
  const gi_onnx_info *in, *out, *info; /* in: initializers of the same name are left out */
} gi_onnx_graph;

typedef struct gi_onnx_opset {
  const char *domain;
  int64_t version;
} gi_onnx_opset;

typedef struct gi_onnx_function {
  const char *name, *domain;
  int n_in, n_out, n_attr, n_default, n_node, n_opset;
  const char *const *in, *const *out;
  const char *const *attr;      /* that a call must give, or may leave out */
  const gi_onnx_attr *defaults; /* with a value of their own */
  const gi_onnx_node *node;
  const gi_onnx_opset *opset;
} gi_onnx_function;

typedef struct gi_onnx_external {
  const char *location;
  gi_map map;
} gi_onnx_external;

typedef struct gi_onnx_model {
  gi_arena arena;
  char *path; /* what leads messages */
  int64_t ir;
  const char *producer, *producer_version;
  int n_opset, n_function, n_metadata;
  const gi_onnx_opset *opset;       /* domain "" for ai.onnx; each domain once, one at least */
  const gi_onnx_function *function; /* each domain and name once */
  const char *const *metadata;      /* key, value, key, value: 2 n_metadata */
  gi_onnx_graph graph;
  const unsigned char *p; /* its n bytes: of the file, or kept by who gave them */
  size_t n;
  gi_map map;                        /* the file */
  GI_VEC(gi_onnx_external) external; /* the files beside it that tensors lie in */
} gi_onnx_model;

/* Maps and reads a file. Owned. GLIA_IO, GLIA_FORMAT (names file, node or tensor), GLIA_NOMEM.
 */
glia_status gi_onnx_open(const char *path, gi_onnx_model **out);
/* The same of n bytes, kept until it is closed; external data is refused. What fuzzers feed. */
glia_status gi_onnx_from_memory(const void *p, size_t n, const char *what, gi_onnx_model **out);
/* The same of a model whose parameters are kept elsewhere (gi_onnx_hollow): those have no data.
 */
glia_status gi_onnx_from_hollow(const void *p, size_t n, const char *what, gi_onnx_model **out);
void gi_onnx_close(gi_onnx_model *m);
/* The bytes of a model's file without the elements of its parameters (gi_onnx_is_parameter),
 * whose location is then GI_ONNX_ELSEWHERE. */
#define GI_ONNX_ELSEWHERE "a store"
glia_status gi_onnx_hollow(const gi_onnx_model *m, gi_str *out);
/* An initializer of the model's own graph that is a parameter: floats, more than one. Others
 * are constants. */
bool gi_onnx_is_parameter(const gi_onnx_tensor *t);

/* A TensorProto that stands alone (input_0.pb): its elements as a tensor of the carrier's
 * dtype, and its type. Owned. */
glia_status gi_onnx_tensor_read(const char *path, glia_tensor **out, int *type);
/* Elements of a file's tensor as a tensor of the carrier's dtype (copied, aligned). Owned.
 * GLIA_UNSUPPORTED for types without carrier. */
glia_status gi_onnx_tensor_load(const gi_onnx_tensor *t, const char *who, glia_tensor **out);

#endif /* GI_ONNX_MODEL_H */
