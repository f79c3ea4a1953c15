/* formats/onnx/model.c - ModelProto and FunctionProto, opening and closing.
 *
 * The file is mapped and read where it lies; what is copied are names and what is decoded. The
 * schema is onnx.proto's (github.com/onnx/onnx), read field by field: fields that are not known
 * here are skipped, as protobuf wants it.
 */
#include "formats/onnx/read.h"

/* Numbers of fields. */
enum {
  M_IR = 1,
  M_PRODUCER = 2,
  M_VERSION = 3,
  M_GRAPH = 7,
  M_OPSET = 8,
  M_METADATA = 14,
  M_FUNCTION = 25
};
enum {
  F_NAME = 1,
  F_IN = 4,
  F_OUT = 5,
  F_ATTR = 6,
  F_NODE = 7,
  F_OPSET = 9,
  F_DOMAIN = 10,
  F_DEFAULT = 11,
  F_OVERLOAD = 13
};

/* ---- operator sets --------------------------------------------------------------------- */

/* OperatorSetIdProto: domain = 1, version = 2. */
static glia_status read_opset(gi_onnx_reader *r, gi_wire w, gi_onnx_opset *out) {
  *out = (gi_onnx_opset){.domain = ""};
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == 1) GI_TRY(gi_onnx_string(r, &f, "a domain", &out->domain));
    if (f.number != 2) continue;
    GI_TRY(gi_wire_want(&f, GI_WIRE_VARINT, "a version"));
    out->version = (int64_t)f.value;
  }
  if (strcmp(out->domain, "ai.onnx") == 0) out->domain = "";
  return GLIA_OK;
}

static glia_status read_opsets(gi_onnx_reader *r, gi_wire w, uint32_t number, int *n,
                               const gi_onnx_opset **out) {
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){number, 0}, n));
  gi_onnx_opset *opset = gi_onnx_take(r, (size_t)*n, sizeof *opset);
  if (opset == NULL) return GLIA_NOMEM;
  *out = opset;
  gi_onnx_scope domains = {0}; /* only to find two of one name; "" is written "ai.onnx" */
  glia_status s = GLIA_OK;
  for (int i = 0; s == GLIA_OK && i < *n;) {
    gi_wire_field f;
    bool more = false;
    s = gi_wire_next(&w, &f, &more);
    if (s != GLIA_OK || f.number != number) continue;
    s = read_opset(r, gi_wire_of(&f), &opset[i]);
    const char *domain = opset[i++].domain;
    if (s == GLIA_OK)
      s = gi_onnx_make(&domains, *domain == '\0' ? "ai.onnx" : domain, "operator set");
  }
  gi_onnx_scope_free(&domains);
  return s;
}

/* ---- functions ------------------------------------------------------------------------- */

static glia_status read_function_texts(gi_onnx_reader *r, gi_wire w, gi_onnx_function *out) {
  int n[3];
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){F_IN, F_OUT, F_ATTR, 0}, n));
  out->n_in = n[0];
  out->n_out = n[1];
  out->n_attr = n[2];
  GI_TRY(gi_onnx_read_texts(r, w, F_IN, "an input's name", n[0], &out->in));
  GI_TRY(gi_onnx_read_texts(r, w, F_OUT, "an output's name", n[1], &out->out));
  GI_TRY(gi_onnx_read_texts(r, w, F_ATTR, "an attribute's name", n[2], &out->attr));
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == F_NAME) GI_TRY(gi_onnx_string(r, &f, "its name", &out->name));
    if (f.number == F_DOMAIN) GI_TRY(gi_onnx_string(r, &f, "its domain", &out->domain));
    if (f.number == F_OVERLOAD && f.n > 0)
      return gi_fail(GLIA_UNSUPPORTED, "is one of several functions of one name");
  }
  if (strcmp(out->domain, "ai.onnx") == 0) out->domain = "";
  return out->name[0] == '\0' ? gi_fail(GLIA_FORMAT, "has no name") : GLIA_OK;
}

static glia_status read_defaults(gi_onnx_reader *r, gi_wire w, gi_onnx_function *out) {
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){F_DEFAULT, 0}, &out->n_default));
  gi_onnx_attr *attr = gi_onnx_take(r, (size_t)out->n_default, sizeof *attr);
  if (attr == NULL) return GLIA_NOMEM;
  out->defaults = attr;
  for (int i = 0; i < out->n_default;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (f.number == F_DEFAULT) GI_TRY(gi_onnx_read_attr(r, gi_wire_of(&f), NULL, &attr[i++]));
  }
  return GLIA_OK;
}

/* The nodes see the function's inputs, and nothing of where it is called. */
static glia_status read_body(gi_onnx_reader *r, gi_wire w, gi_onnx_scope *scope,
                             gi_onnx_function *out) {
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){F_NODE, 0}, &out->n_node));
  for (int i = 0; i < out->n_in; i++) GI_TRY(gi_onnx_make(scope, out->in[i], "input"));
  GI_TRY(gi_onnx_read_nodes(r, w, F_NODE, out->n_node, scope, &out->node));
  for (int i = 0; i < out->n_out; i++)
    if (!gi_onnx_made(scope, out->out[i]))
      return gi_fail(GLIA_FORMAT, "output \"%.80s\" is made by nobody", out->out[i]);
  return GLIA_OK;
}

static glia_status read_function(gi_onnx_reader *r, gi_wire w, gi_onnx_function *out) {
  gi_onnx_scope scope = {0};
  *out = (gi_onnx_function){.name = "", .domain = ""};
  glia_status s = read_function_texts(r, w, out);
  if (s == GLIA_OK) s = read_opsets(r, w, F_OPSET, &out->n_opset, &out->opset);
  if (s == GLIA_OK) s = read_defaults(r, w, out);
  if (s == GLIA_OK) s = read_body(r, w, &scope, out);
  gi_onnx_scope_free(&scope);
  return gi_where(s, "function \"%.80s\"", out->name);
}

static glia_status read_functions(gi_onnx_reader *r, gi_wire w, int n) {
  gi_onnx_function *function = gi_onnx_take(r, (size_t)n, sizeof *function);
  if (function == NULL) return GLIA_NOMEM;
  r->m->function = function;
  while (r->m->n_function < n) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (f.number != M_FUNCTION) continue;
    GI_TRY(read_function(r, gi_wire_of(&f), &function[r->m->n_function++]));
  }
  return GLIA_OK;
}

/* ---- the model ------------------------------------------------------------------------- */

/* StringStringEntryProto: key = 1, value = 2. */
static glia_status read_metadata(gi_onnx_reader *r, gi_wire w, int n) {
  const char **pair = gi_onnx_take(r, 2 * (size_t)n, sizeof *pair);
  if (pair == NULL) return GLIA_NOMEM;
  r->m->metadata = pair;
  r->m->n_metadata = n;
  for (int i = 0; i < 2 * n; i++) pair[i] = "";
  for (int i = 0; i < n;) {
    gi_wire_field f, part;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (f.number != M_METADATA) continue;
    for (gi_wire entry = gi_wire_of(&f);;) {
      GI_TRY(gi_wire_next(&entry, &part, &more));
      if (!more) break;
      if (part.number == 1 || part.number == 2)
        GI_TRY(gi_onnx_string(r, &part, "metadata", &pair[2 * i + (part.number == 2)]));
    }
    i++;
  }
  return GLIA_OK;
}

static glia_status read_heads(gi_onnx_reader *r, gi_wire w, gi_wire *graph) {
  gi_onnx_model *m = r->m;
  m->producer = m->producer_version = "";
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == M_PRODUCER) GI_TRY(gi_onnx_string(r, &f, "producer", &m->producer));
    if (f.number == M_VERSION) GI_TRY(gi_onnx_string(r, &f, "version", &m->producer_version));
    if (f.number == M_GRAPH) *graph = gi_wire_of(&f);
    if (f.number != M_IR) continue;
    GI_TRY(gi_wire_want(&f, GI_WIRE_VARINT, "ir_version"));
    m->ir = (int64_t)f.value;
  }
}

static glia_status read_model(gi_onnx_reader *r, gi_wire w) {
  int n[3];
  gi_wire graph = {0};
  GI_TRY(gi_onnx_count(w, (const uint32_t[]){M_GRAPH, M_FUNCTION, M_METADATA, 0}, n));
  GI_TRY(read_heads(r, w, &graph));
  if (r->m->ir < 1 || n[0] == 0)
    return gi_fail(GLIA_FORMAT, "has no %s: is it an ONNX model?",
                   n[0] == 0 ? "graph" : "ir_version");
  if (n[0] > 1) return gi_fail(GLIA_FORMAT, "has %d graphs, want one", n[0]);
  GI_TRY(gi_onnx_deeper(r));
  GI_TRY(read_opsets(r, w, M_OPSET, &r->m->n_opset, &r->m->opset));
  if (r->m->n_opset == 0)
    return gi_fail(GLIA_FORMAT, "does not say its operator set's version");
  GI_TRY(read_metadata(r, w, n[2]));
  GI_TRY(read_functions(r, w, n[1]));
  GI_TRY(gi_onnx_read_graph(r, graph, NULL, &r->m->graph));
  return gi_onnx_check_calls(r);
}

static glia_status read_all(gi_onnx_model *m, const void *p, size_t n, bool beside,
                            bool hollow) {
  gi_onnx_reader r = {.m = m, .beside = beside, .hollow = hollow};
  if (n == 0) return gi_fail(GLIA_FORMAT, "is empty");
  return read_model(&r, (gi_wire){p, (const unsigned char *)p + n});
}

/* Takes the map. */
static glia_status open_memory(gi_map map, const void *p, size_t n, const char *what,
                               bool beside, bool hollow, gi_onnx_model **out) {
  gi_onnx_model *m = gi_alloc(sizeof *m);
  if (m == NULL) {
    gi_map_close(&map);
    return gi_fail_nomem(sizeof *m);
  }
  m->map = map;
  m->p = p;
  m->n = n;
  m->path = gi_arena_strdup(&m->arena, what);
  glia_status s = m->path == NULL ? gi_fail_nomem(strlen(what) + 1) : GLIA_OK;
  if (s == GLIA_OK) s = read_all(m, p, n, beside, hollow);
  if (s != GLIA_OK) {
    gi_onnx_close(m);
    return gi_where(s, "%s", what);
  }
  *out = m;
  return GLIA_OK;
}

glia_status gi_onnx_open(const char *path, gi_onnx_model **out) {
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  return open_memory(map, map.p, map.n, path, true, false, out);
}

glia_status gi_onnx_from_memory(const void *p, size_t n, const char *what,
                                gi_onnx_model **out) {
  return open_memory((gi_map){0}, p, n, what, false, false, out);
}

glia_status gi_onnx_from_hollow(const void *p, size_t n, const char *what,
                                gi_onnx_model **out) {
  return open_memory((gi_map){0}, p, n, what, false, true, out);
}

void gi_onnx_close(gi_onnx_model *m) {
  if (m == NULL) return;
  for (size_t i = 0; i < m->external.n; i++) gi_map_close(&m->external.at[i].map);
  gi_vec_free(&m->external);
  gi_map_close(&m->map);
  gi_arena_free(&m->arena);
  gi_free(m);
}

/* ---- a tensor that stands alone -------------------------------------------------------- */

/* A file without a byte is a tensor of no type, and refused as one. */
static glia_status read_alone(gi_onnx_model *m, const gi_map *map, glia_tensor **out,
                              int *type) {
  gi_onnx_reader r = {.m = m, .beside = true};
  gi_onnx_tensor t;
  const unsigned char *p = map->n == 0 ? (const unsigned char *)"" : map->p;
  GI_TRY(gi_onnx_read_tensor(&r, (gi_wire){p, p + map->n}, &t));
  GI_TRY(gi_onnx_tensor_load(&t, "its elements", out));
  *type = t.type;
  return GLIA_OK;
}

glia_status gi_onnx_tensor_read(const char *path, glia_tensor **out, int *type) {
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  gi_onnx_model *m = gi_alloc(sizeof *m); /* for its arena, and files beside it */
  glia_status s = m == NULL ? gi_fail_nomem(sizeof *m) : GLIA_OK;
  if (s == GLIA_OK && (m->path = gi_arena_strdup(&m->arena, path)) == NULL)
    s = gi_fail_nomem(strlen(path) + 1);
  if (s == GLIA_OK) s = gi_where(read_alone(m, &map, out, type), "%s", path);
  gi_onnx_close(m);
  gi_map_close(&map);
  return s;
}
