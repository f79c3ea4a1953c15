/* formats/onnx/graph.c - GraphProto, NodeProto, AttributeProto, ValueInfoProto.
 *
 * A graph's initializers and inputs are read first, wherever they stand, then its nodes in
 * order: each may use what is made by then, here or in a graph around, and adds what it makes.
 * That is the whole check for cycles, missing inputs and names made twice.
 */
#include "formats/onnx/read.h"

/* Numbers of fields. */
enum { G_NODE = 1, G_NAME = 2, G_INIT = 5, G_IN = 11, G_OUT = 12, G_INFO = 13, G_SPARSE = 15 };
enum { N_IN = 1, N_OUT = 2, N_NAME = 3, N_OP = 4, N_ATTR = 5, N_DOMAIN = 7, N_OVERLOAD = 8 };
enum {
  A_NAME = 1,
  A_F = 2,
  A_I = 3,
  A_S = 4,
  A_T = 5,
  A_G = 6,
  A_FLOATS = 7,
  A_INTS = 8,
  A_STRINGS = 9,
  A_TENSORS = 10,
  A_GRAPHS = 11,
  A_TYPE = 20,
  A_REF = 21,
  A_SPARSE = 22
};

/* ---- values' types --------------------------------------------------------------------- */

/* TensorShapeProto.Dimension: dim_value = 1, dim_param = 2. A negative size, which some
 * exporters write for one that they do not know, says as much as none. */
static glia_status read_dim(gi_onnx_reader *r, gi_wire w, gi_onnx_info *out) {
  if (out->rank == GLIA_MAX_RANK)
    return gi_fail(GLIA_UNSUPPORTED, "has more than %d axes", GLIA_MAX_RANK);
  const int i = out->rank++;
  out->dim[i] = -1;
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == 1) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_VARINT, "a dimension"));
      out->dim[i] = GI_MAX((int64_t)f.value, -1);
    } else if (f.number == 2) {
      GI_TRY(gi_onnx_string(r, &f, "a dimension's name", &out->symbol[i]));
    }
  }
}

static glia_status read_shape(gi_onnx_reader *r, gi_wire w, gi_onnx_info *out) {
  out->rank = 0;
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number != 1) continue;
    GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "a dimension"));
    GI_TRY(read_dim(r, gi_wire_of(&f), out));
  }
}

/* TypeProto.Tensor: elem_type = 1, shape = 2. */
static glia_status read_tensor_type(gi_onnx_reader *r, gi_wire w, gi_onnx_info *out) {
  out->is_tensor = true;
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == 1) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_VARINT, "the type of its elements"));
      if (f.value > INT32_MAX || (f.value != 0 && *gi_onnx_type_name((int)f.value) == '?'))
        return gi_fail(GLIA_FORMAT, "there is no data type %lld", (long long)f.value);
      out->type = (int)f.value;
    } else if (f.number == 2) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "its shape"));
      GI_TRY(read_shape(r, gi_wire_of(&f), out));
    }
  }
}

/* ValueInfoProto: name = 1, type = 2; TypeProto: tensor_type = 1, others are no tensors. */
static glia_status read_info(gi_onnx_reader *r, gi_wire w, gi_onnx_info *out) {
  *out = (gi_onnx_info){.name = "", .rank = -1};
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == 1) GI_TRY(gi_onnx_string(r, &f, "a value's name", &out->name));
    if (f.number != 2) continue;
    GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "a value's type"));
    for (gi_wire type = gi_wire_of(&f);;) {
      gi_wire_field t;
      GI_TRY(gi_wire_next(&type, &t, &more));
      if (!more) break;
      if (t.number == 1) GI_TRY(gi_wire_want(&t, GI_WIRE_BYTES, "a tensor's type"));
      if (t.number == 1) GI_TRY(read_tensor_type(r, gi_wire_of(&t), out));
    }
  }
}

static glia_status read_infos(gi_onnx_reader *r, gi_wire w, uint32_t number, int n,
                              gi_onnx_info **out) {
  gi_onnx_info *info = gi_onnx_take(r, (size_t)n, sizeof *info);
  if (info == NULL) return GLIA_NOMEM;
  *out = info;
  for (int i = 0;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number != number) continue;
    glia_status s = read_info(r, gi_wire_of(&f), &info[i]);
    if (s == GLIA_OK && info[i].name[0] == '\0') s = gi_fail(GLIA_FORMAT, "has no name");
    if (s != GLIA_OK) return gi_where(s, "value \"%.80s\"", info[i].name);
    i++;
  }
}

/* ---- attributes ------------------------------------------------------------------------ */

/* What an attribute must have for the type that it says, and the type that a field is of. */
static int type_of_field(uint32_t number) {
  switch (number) {
    case A_F: return GI_ONNX_ATTR_FLOAT;
    case A_I: return GI_ONNX_ATTR_INT;
    case A_S: return GI_ONNX_ATTR_STRING;
    case A_T: return GI_ONNX_ATTR_TENSOR;
    case A_G: return GI_ONNX_ATTR_GRAPH;
    case A_FLOATS: return GI_ONNX_ATTR_FLOATS;
    case A_INTS: return GI_ONNX_ATTR_INTS;
    case A_STRINGS: return GI_ONNX_ATTR_STRINGS;
    case A_TENSORS: return GI_ONNX_ATTR_TENSORS;
    case A_GRAPHS: return GI_ONNX_ATTR_GRAPHS;
    case A_SPARSE: return GI_ONNX_ATTR_SPARSE_TENSOR;
    default: return 0;
  }
}

/* The numbers of the fields `number`: counted, then taken. */
static glia_status read_numbers(gi_onnx_reader *r, gi_wire whole, uint32_t number,
                                gi_wire_kind kind, uint64_t **out, int *n_out) {
  size_t n = 0;
  uint64_t *v = NULL;
  for (int pass = 0; pass < 2; pass++) {
    size_t room = n;
    n = 0;
    for (gi_wire w = whole;;) {
      gi_wire_field f;
      bool more = false;
      GI_TRY(gi_wire_next(&w, &f, &more));
      if (!more) break;
      if (f.number == number) GI_TRY(gi_wire_numbers(&f, kind, v, room, &n, "a list"));
    }
    if (n > INT32_MAX) return gi_fail(GLIA_FORMAT, "has more than 2^31 numbers");
    if (pass == 0 && (v = gi_onnx_take(r, n, sizeof *v)) == NULL) return GLIA_NOMEM;
  }
  *out = v;
  *n_out = (int)n;
  return GLIA_OK;
}

static glia_status read_floats(gi_onnx_reader *r, gi_wire w, gi_onnx_attr *out) {
  uint64_t *bits = NULL;
  GI_TRY(read_numbers(r, w, A_FLOATS, GI_WIRE_FIXED32, &bits, &out->n));
  double *v = gi_onnx_take(r, (size_t)out->n, sizeof *v);
  if (v == NULL) return GLIA_NOMEM;
  for (int i = 0; i < out->n; i++) v[i] = gi_wire_float(bits[i]);
  out->floats = v;
  return GLIA_OK;
}

static glia_status read_ints(gi_onnx_reader *r, gi_wire w, gi_onnx_attr *out) {
  uint64_t *bits = NULL;
  GI_TRY(read_numbers(r, w, A_INTS, GI_WIRE_VARINT, &bits, &out->n));
  int64_t *v = gi_onnx_take(r, (size_t)out->n, sizeof *v);
  if (v == NULL) return GLIA_NOMEM;
  for (int i = 0; i < out->n; i++) v[i] = (int64_t)bits[i];
  out->ints = v;
  return GLIA_OK;
}

static glia_status read_list(gi_onnx_reader *r, gi_wire w, gi_onnx_attr *out) {
  if (out->type == GI_ONNX_ATTR_FLOATS) return read_floats(r, w, out);
  if (out->type == GI_ONNX_ATTR_INTS) return read_ints(r, w, out);
  if (out->type != GI_ONNX_ATTR_STRINGS) return GLIA_OK;
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){A_STRINGS, 0}, &out->n));
  return gi_onnx_read_texts(r, w, A_STRINGS, "one of its strings", out->n, &out->strings);
}

static glia_status read_attr_tensor(gi_onnx_reader *r, const gi_wire_field *f,
                                    gi_onnx_attr *out) {
  if (out->t != NULL) return gi_fail(GLIA_FORMAT, "has two tensors, want one");
  gi_onnx_tensor *t = gi_onnx_take(r, 1, sizeof *t);
  if (t == NULL) return GLIA_NOMEM;
  out->t = t;
  return f->number == A_T ? gi_onnx_read_tensor(r, gi_wire_of(f), t)
                          : gi_onnx_read_sparse(r, gi_wire_of(f), t);
}

static glia_status read_attr_graph(gi_onnx_reader *r, const gi_wire_field *f,
                                   const gi_onnx_scope *scope, gi_onnx_attr *out) {
  if (out->g != NULL) return gi_fail(GLIA_FORMAT, "has two graphs, want one");
  gi_onnx_graph *g = gi_onnx_take(r, 1, sizeof *g);
  if (g == NULL) return GLIA_NOMEM;
  out->g = g;
  return gi_onnx_read_graph(r, gi_wire_of(f), scope, g);
}

static glia_status read_attr_bytes(gi_onnx_reader *r, const gi_wire_field *f,
                                   gi_onnx_attr *out) {
  char *s = gi_onnx_take(r, f->n + 1, 1);
  if (s == NULL) return GLIA_NOMEM;
  if (f->n > 0) memcpy(s, f->p, f->n);
  out->s = s;
  out->s_n = f->n;
  return GLIA_OK;
}

/* One field of an attribute; lists are read as a whole later. */
static glia_status read_attr_field(gi_onnx_reader *r, const gi_wire_field *f,
                                   const gi_onnx_scope *scope, gi_onnx_attr *out) {
  const bool bytes =
      f->number == A_S || f->number == A_T || f->number == A_G || f->number == A_SPARSE;
  if (bytes) GI_TRY(gi_wire_want(f, GI_WIRE_BYTES, "its value"));
  switch (f->number) {
    case A_F:
      out->f = gi_wire_float(f->value);
      return gi_wire_want(f, GI_WIRE_FIXED32, "its number");
    case A_I: out->i = (int64_t)f->value; return gi_wire_want(f, GI_WIRE_VARINT, "its number");
    case A_S: return read_attr_bytes(r, f, out);
    case A_T:
    case A_SPARSE: return read_attr_tensor(r, f, out);
    case A_G: return read_attr_graph(r, f, scope, out);
    case A_TYPE:
      out->type = f->value > INT32_MAX ? -1 : (int)f->value;
      return gi_wire_want(f, GI_WIRE_VARINT, "its type");
    default: return GLIA_OK;
  }
}

/* A reference into the function's call has a type and no value. */
static glia_status check_attr(const gi_onnx_attr *a, int seen) {
  const bool tensor = a->type == GI_ONNX_ATTR_TENSOR || a->type == GI_ONNX_ATTR_SPARSE_TENSOR;
  if (a->type < 1 || a->type > 14)
    return gi_fail(GLIA_FORMAT, "there is no type of attributes %d", a->type);
  if (a->ref != NULL) return GLIA_OK;
  if (seen != 0 && seen != a->type)
    return gi_fail(GLIA_FORMAT, "says that it is of type %d, and has a value of type %d",
                   a->type, seen);
  if ((tensor && a->t == NULL) || (a->type == GI_ONNX_ATTR_GRAPH && a->g == NULL))
    return gi_fail(GLIA_FORMAT, "has no value");
  return GLIA_OK;
}

static glia_status read_attr(gi_onnx_reader *r, gi_wire whole, const gi_onnx_scope *scope,
                             gi_onnx_attr *out) {
  int seen = 0; /* the type of the value that is there; versions before 2 say no other */
  for (gi_wire w = whole;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == A_NAME) GI_TRY(gi_onnx_string(r, &f, "its name", &out->name));
    if (f.number == A_REF) GI_TRY(gi_onnx_string(r, &f, "its reference", &out->ref));
    if (type_of_field(f.number) != 0) seen = type_of_field(f.number);
    GI_TRY(read_attr_field(r, &f, scope, out));
  }
  if (out->type == 0) out->type = seen;
  if (out->ref != NULL && out->ref[0] == '\0') out->ref = NULL;
  GI_TRY(check_attr(out, seen));
  return read_list(r, whole, out);
}

glia_status gi_onnx_read_attr(gi_onnx_reader *r, gi_wire w, const gi_onnx_scope *scope,
                              gi_onnx_attr *out) {
  *out = (gi_onnx_attr){.name = "", .s = ""};
  glia_status s = gi_onnx_deeper(r);
  if (s == GLIA_OK) s = read_attr(r, w, scope, out);
  if (s == GLIA_OK && out->name[0] == '\0') s = gi_fail(GLIA_FORMAT, "has no name");
  if (s != GLIA_OK) return r->node_named ? s : gi_where(s, "attribute \"%.80s\"", out->name);
  r->depth--;
  return GLIA_OK;
}

/* ---- nodes ----------------------------------------------------------------------------- */

/* "ai.onnx" is the long form of "". */
static const char *plain_domain(const char *domain) {
  return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static glia_status read_node_texts(gi_onnx_reader *r, gi_wire w, gi_onnx_node *out) {
  int count[2];
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){N_IN, N_OUT, 0}, count));
  out->n_in = count[0];
  out->n_out = count[1];
  GI_TRY(gi_onnx_read_texts(r, w, N_IN, "an input's name", out->n_in, &out->in));
  GI_TRY(gi_onnx_read_texts(r, w, N_OUT, "an output's name", out->n_out, &out->out));
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == N_NAME) GI_TRY(gi_onnx_string(r, &f, "its name", &out->name));
    if (f.number == N_OP) GI_TRY(gi_onnx_string(r, &f, "its operator", &out->op));
    if (f.number == N_DOMAIN) GI_TRY(gi_onnx_string(r, &f, "its domain", &out->domain));
    if (f.number == N_OVERLOAD && f.n > 0)
      return gi_fail(GLIA_UNSUPPORTED, "calls one of several functions of one name");
  }
  out->domain = plain_domain(out->domain);
  return out->op[0] == '\0' ? gi_fail(GLIA_FORMAT, "has no operator") : GLIA_OK;
}

static glia_status read_attrs(gi_onnx_reader *r, gi_wire w, const gi_onnx_scope *scope,
                              gi_onnx_node *out) {
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){N_ATTR, 0}, &out->n_attr));
  gi_onnx_attr *attr = gi_onnx_take(r, (size_t)out->n_attr, sizeof *attr);
  if (attr == NULL) return GLIA_NOMEM;
  out->attr = attr;
  gi_onnx_scope names = {0}; /* only to find two of one name */
  glia_status s = GLIA_OK;
  for (int i = 0; s == GLIA_OK && i < out->n_attr;) {
    gi_wire_field f;
    bool more = false;
    s = gi_wire_next(&w, &f, &more);
    if (s != GLIA_OK || f.number != N_ATTR) continue;
    s = gi_onnx_read_attr(r, gi_wire_of(&f), scope, &attr[i]);
    if (s == GLIA_OK) s = gi_onnx_make(&names, attr[i++].name, "attribute");
  }
  gi_onnx_scope_free(&names);
  return s;
}

/* Whether one of the nodes that are left makes a name; only said in a message. */
static bool made_later(gi_wire rest, uint32_t number, const char *name) {
  gi_wire_field node, f;
  bool more = false;
  while (gi_wire_next(&rest, &node, &more) == GLIA_OK && more) {
    if (node.number != number || node.kind != GI_WIRE_BYTES) continue;
    for (gi_wire w = gi_wire_of(&node); gi_wire_next(&w, &f, &more) == GLIA_OK && more;)
      if (f.number == N_OUT && f.n == strlen(name) && memcmp(f.p, name, f.n) == 0) return true;
  }
  return false;
}

static glia_status check_inputs(const gi_onnx_node *node, const gi_onnx_scope *scope,
                                gi_wire rest, uint32_t number) {
  for (int i = 0; i < node->n_in; i++) {
    if (node->in[i][0] == '\0' || gi_onnx_made(scope, node->in[i])) continue;
    if (made_later(rest, number, node->in[i]))
      return gi_fail(GLIA_FORMAT,
                     "input %d is \"%.80s\", which this node or a later one makes: nodes feed "
                     "each other, or are not in order",
                     i, node->in[i]);
    return gi_fail(GLIA_FORMAT, "input %d is \"%.80s\", which nobody makes", i, node->in[i]);
  }
  return GLIA_OK;
}

static glia_status read_node(gi_onnx_reader *r, gi_wire w, gi_onnx_scope *scope,
                             gi_onnx_node *out) {
  GI_TRY(gi_onnx_deeper(r));
  GI_TRY(read_attrs(r, w, scope, out));
  for (int i = 0; i < out->n_out; i++)
    if (out->out[i][0] != '\0') GI_TRY(gi_onnx_make(scope, out->out[i], "output"));
  r->depth--;
  return GLIA_OK;
}

glia_status gi_onnx_read_nodes(gi_onnx_reader *r, gi_wire w, uint32_t number, int n,
                               gi_onnx_scope *scope, const gi_onnx_node **out) {
  gi_onnx_node *node = gi_onnx_take(r, (size_t)n, sizeof *node);
  if (node == NULL) return GLIA_NOMEM;
  *out = node;
  for (int i = 0; i < n;) {
    gi_wire_field f;
    bool more = false;
    const gi_wire rest = w; /* from this node on */
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (f.number != number) continue;
    node[i] = (gi_onnx_node){.op = "", .domain = "", .name = ""};
    glia_status s = read_node_texts(r, gi_wire_of(&f), &node[i]);
    if (s == GLIA_OK) s = check_inputs(&node[i], scope, rest, number);
    if (s == GLIA_OK) s = read_node(r, gi_wire_of(&f), scope, &node[i]);
    if (s != GLIA_OK && !r->node_named) {
      r->node_named = true;
      return gi_where(s, "node %d \"%.80s\" (%.40s)", i, node[i].name, node[i].op);
    }
    GI_TRY(s);
    i++;
  }
  return GLIA_OK;
}

/* ---- graphs ---------------------------------------------------------------------------- */

static glia_status read_inits(gi_onnx_reader *r, gi_wire w, int n, gi_onnx_scope *scope,
                              gi_onnx_graph *out) {
  gi_onnx_tensor *init = gi_onnx_take(r, (size_t)n, sizeof *init);
  if (init == NULL) return GLIA_NOMEM;
  out->init = init;
  out->n_init = n;
  for (int i = 0; i < n;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (f.number != G_INIT && f.number != G_SPARSE) continue;
    GI_TRY(f.number == G_INIT ? gi_onnx_read_tensor(r, gi_wire_of(&f), &init[i])
                              : gi_onnx_read_sparse(r, gi_wire_of(&f), &init[i]));
    GI_TRY(gi_onnx_make(scope, init[i++].name, "initializer"));
  }
  return GLIA_OK;
}

/* Older files list the initializers among the inputs; those are not for the caller to give. */
static glia_status read_inputs(gi_onnx_reader *r, gi_wire w, int n, gi_onnx_scope *scope,
                               gi_onnx_graph *out) {
  gi_onnx_info *in = NULL;
  GI_TRY(read_infos(r, w, G_IN, n, &in));
  out->in = in;
  for (int i = 0; i < n; i++)
    if (gi_onnx_find(scope, in[i].name) < 0) in[out->n_in++] = in[i];
  for (int i = 0; i < out->n_in; i++) GI_TRY(gi_onnx_make(scope, in[i].name, "input"));
  return GLIA_OK;
}

static glia_status read_outputs(gi_onnx_reader *r, gi_wire w, int n, const gi_onnx_scope *scope,
                                gi_onnx_graph *out) {
  gi_onnx_info *info = NULL;
  GI_TRY(read_infos(r, w, G_OUT, n, &info));
  out->out = info;
  out->n_out = n;
  for (int i = 0; i < n; i++)
    if (!gi_onnx_made(scope, info[i].name))
      return gi_fail(GLIA_FORMAT, "output \"%.80s\" is made by nobody", info[i].name);
  return GLIA_OK;
}

static glia_status read_graph_name(gi_onnx_reader *r, gi_wire w, const char **out) {
  *out = "";
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == G_NAME) GI_TRY(gi_onnx_string(r, &f, "its name", out));
  }
}

static glia_status read_graph(gi_onnx_reader *r, gi_wire w, gi_onnx_scope *scope,
                              gi_onnx_graph *out) {
  static const uint32_t parts[] = {G_NODE, G_INIT, G_SPARSE, G_IN, G_OUT, G_INFO, 0};
  int n[GI_COUNT(parts)];
  gi_onnx_info *info = NULL;
  GI_TRY(gi_onnx_deeper(r));
  GI_TRY(gi_onnx_count(w, parts, n));
  if (n[1] > INT32_MAX - n[2]) return gi_fail(GLIA_FORMAT, "has more than 2^31 parts");
  GI_TRY(read_inits(r, w, n[1] + n[2], scope, out));
  GI_TRY(read_inputs(r, w, n[3], scope, out));
  GI_TRY(gi_onnx_read_nodes(r, w, G_NODE, n[0], scope, &out->node));
  out->n_node = n[0];
  GI_TRY(read_outputs(r, w, n[4], scope, out));
  GI_TRY(read_infos(r, w, G_INFO, n[5], &info));
  out->info = info;
  out->n_info = n[5];
  r->depth--;
  return GLIA_OK;
}

glia_status gi_onnx_read_graph(gi_onnx_reader *r, gi_wire w, const gi_onnx_scope *outer,
                               gi_onnx_graph *out) {
  gi_onnx_scope scope = {.outer = outer};
  *out = (gi_onnx_graph){.name = ""};
  glia_status s = read_graph_name(r, w, &out->name);
  if (s == GLIA_OK) s = read_graph(r, w, &scope, out);
  gi_onnx_scope_free(&scope);
  if (s == GLIA_OK || r->graph_named) return s;
  r->graph_named = true;
  return gi_where(s, "graph \"%.80s\"", out->name);
}
